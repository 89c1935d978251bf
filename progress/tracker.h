/* The frontier tracker: which times may still arrive at every port of a dataflow graph.
 *
 * Pure algorithm: no thread, no clock, no I/O. The runtime serialises calls.
 *
 * How to use it: collect a graph (wi_graph_*), build a tracker from it, then any number of
 * times wi_tracker_update for each change of a count and wi_tracker_propagate once for all
 * of them. The files: graph.c collects, order.c orders and refuses, build.c lays out,
 * tracker.c takes updates, walk.c and region.c propagate; multiset.c counts times.
 *
 * WHAT IT COMPUTES
 *
 * A location is a port. A link leads from one location to another with a path summary: an
 * edge (nothing changes), through an operator (adds to coordinates), into a loop (appends
 * a 0), out of it (drops the last coordinate), or back (a feedback's step). own(l) are the
 * minimal times whose pointstamp count at l is positive. The fronts are defined by
 *
 *     (F)  front(l) = the minimal times of own(l) and of every s(t),
 *                     for links k -s-> l and t in front(k)
 *
 * THE ORDER
 *
 * Each location, and each nested scope as one vertex, has an index in the topological order
 * of the scope that holds it: feedback left out, a scope after the inputs of its enter nodes
 * and before the outputs of its leave nodes. A graph that has no such order is refused. For
 * a location in a scope of depth d let i0 .. i(d-1) be the indices of the scopes around it,
 * outermost first, i(d) its own, r the root coordinates of a time at it and c1 .. c(d) the
 * others. Its key, compared lexicographically, is
 *
 *     (i0, r, c1, i1, ..., c(d), i(d))      if the root scope has no feedback
 *     (r, i0, c1, i1, ..., c(d), i(d))      if it has
 *
 * The keys of two locations differ in an index at the latest where their scopes part, so
 * that different (location, time) never have the same key.
 *
 * Every link leads forward: key(k, t) < key(l, s(t)). Look at the first component in which
 * the two keys differ.
 *   - Within a scope of depth d (edge, operator): i0 .. i(d-1) are the same, no coordinate
 *     falls, since summaries only add and saturate, and i(d) rises. The first difference is
 *     a coordinate, which has risen, or i(d), which has.
 *   - Entering from depth d: no coordinate changes up to the index at level d, and there the
 *     scope's index is above that of the enter node's input.
 *   - Leaving to depth d: the same, and the leave node's output is above the scope.
 *   - Feedback of a loop of depth d: i0 .. i(d-1) are the same, c1 .. c(d-1) do not fall,
 *     and c(d), which stands before i(d), rises; a step beyond the end of time is no link.
 *   - Feedback of the root: r rises, and stands first.
 *
 * There are finitely many keys, so (F) has exactly one solution: whether t is in front(l)
 * follows from fronts at smaller keys. What solves (F) is right, however it was found.
 *
 * HOW IT PROPAGATES
 *
 * A root scope without feedback is walked by index, and each dirty location evaluates (F)
 * as it stands: what it looks at is final, since it has a smaller index (walk.c). A loop is
 * one step of that walk, and a root scope with feedback the only one; inside, work is done
 * by key (region.c). There each location counts implied(l, t): how often t is in own(l) or is
 * s(t') for a link from k and a t' in front(k). A front that loses or gains a time sends
 * -1 or +1 along each link, as events (l, t, change) into a heap ordered by key. The least
 * is taken, those with the same key are added to it, and a sum other than 0 is applied to
 * the count; if it appears or vanishes, that may change the front, and so on.
 *
 * INVARIANTS, after a propagation unless said otherwise
 *
 * T1 Safe: no front passes a pointstamp. For a positive count at (l, t) and a path from l
 *    to m with summary s, some time in front(m) is at or before s(t).
 * T2 Exact: the fronts solve (F). T1 follows, link by link.
 * T3 Links lead forward in key order.
 * T4 When the event (l, t) is taken, all that changes implied(l, t) has been pushed, and so
 *    the count is the true one, never negative: what pushes has a smaller key (T3), and
 *    events are taken in order of their keys.
 * T5 Once: in a propagation each outer location is visited at most once, and each inner
 *    (l, t) applied at most once (T4).
 * T6 No pointstamp is ever counted at a promised port.
 * T7 The report names exactly the representatives whose front differs from before. In a
 *    region those are all whose front has changed at all: the first time that enters or
 *    leaves it does so because its count was applied, which is not done twice (T5).
 *
 * TERMINATION AND COST. In a region, times pass through a front that will not stay: l loses
 * t, which uncovers x, and then gains t' that covers x again, or loses x too. The +1 for
 * s(x) is pushed when t is taken, the -1 when t' or x is; none of these is after x, so both
 * are pushed before (m, s(x)) is taken (T3): they meet in the heap and add up to nothing.
 * So an event is applied only where implied(l, t) differs between the old and the new
 * solution of (F): at most as often as there are times in the old and the new fronts and
 * own times, once for each link. No loop is climbed round by round, however far apart the
 * times are. By T2 and the uniqueness above, the result does not depend on how updates were
 * batched.
 *
 * An alias costs nothing: its front is its predecessor's by (F), since own is empty and the
 * one link changes nothing, so only the predecessor exists; others link to it directly,
 * which only shortens paths, so T3 holds. With one root dimension a front outside of loops
 * is a number, and a step of an epoch takes a few nanoseconds per location; a pointstamp
 * count costs a search in a sorted block, whether one time is outstanding or 100,000.
 * Fronts of thousands of incomparable times are copied and shifted as arrays. */
#ifndef WEIR_PROGRESS_TRACKER_H
#define WEIR_PROGRESS_TRACKER_H

#include <weir/time.h>

/* ---- the graph -------------------------------------------------------------------------- */

typedef struct wi_graph wi_graph;
typedef uint32_t wi_scope_id; /* 0 is the root scope */
typedef uint32_t wi_node_id;
typedef uint32_t wi_loc; /* a location: one input or output port of one node */
#define WI_LOC_NONE UINT32_MAX

/* A new graph whose root scope's times have root_dims coordinates. */
wi_graph *wi_graph_new(int root_dims);
void wi_graph_free(wi_graph *graph);

/* A loop scope nested in parent: its times have one coordinate more. */
wi_scope_id wi_graph_scope(wi_graph *graph, wi_scope_id parent, const char *name);
int wi_graph_scope_dims(const wi_graph *graph, wi_scope_id scope);

/* An operator. Its ports get locations when the tracker is built: wi_tracker_in, _out.
 * No summaries yet: an input reaches an output only by wi_graph_summary. */
wi_node_id wi_graph_node(wi_graph *graph, wi_scope_id scope, const char *name, uint32_t inputs,
                         uint32_t outputs);
/* Boundary nodes with one input and one output. enter: input in the parent of `scope`,
 * output in `scope`; leave: the other way round; their summaries are implied. */
wi_node_id wi_graph_enter(wi_graph *graph, wi_scope_id scope, const char *name);
wi_node_id wi_graph_leave(wi_graph *graph, wi_scope_id scope, const char *name);
/* The way back of a cycle: one input, one output in the same scope, and `step`, which must
 * advance the scope's own coordinate (the last one of a loop; any of the root's in the root
 * scope). The node may be created before the cycle's other nodes. A time that the step
 * would carry past UINT64_MAX has no successor (weir_summary_apply_checked); all other
 * summaries saturate. */
wi_node_id wi_graph_feedback(wi_graph *graph, wi_scope_id scope, const char *name,
                             weir_summary step);
/* Inputs and outputs can be added to an operator until the tracker is built. Returns the
 * port's index. */
uint32_t wi_graph_add_input(wi_graph *graph, wi_node_id node);
uint32_t wi_graph_add_output(wi_graph *graph, wi_node_id node);
/* A message at `input` may cause one at `output` at the summarised time. May be called
 * several times for a pair: the summaries form an antichain. */
void wi_graph_summary(wi_graph *graph, wi_node_id node, uint32_t input, uint32_t output,
                      weir_summary summary);
void wi_graph_edge(wi_graph *graph, wi_node_id from, uint32_t output, wi_node_id to,
                   uint32_t input);
/* Promises, checked by assertions, that let the tracker treat ports as one location
 * (an alias) where a frontier is always its only predecessor's: no message is ever
 * counted at this input (the operator runs inside its sender's call); no capability is
 * ever held at this output. */
void wi_graph_uncounted(wi_graph *graph, wi_node_id node, uint32_t input);
void wi_graph_stateless(wi_graph *graph, wi_node_id node, uint32_t output);

/* ---- the tracker ------------------------------------------------------------------------ */

typedef struct wi_tracker wi_tracker;

/* Checks the graph (every cycle passes a feedback node that advances; loops are not fed
 * from their own output outside; ...) and builds the tracker. On failure returns NULL and
 * *err_out names the operators of the offending cycle. Takes the graph in either case: it
 * is freed with the tracker, or at once on failure. */
wi_tracker *wi_tracker_new(wi_graph *graph, weir_err **err_out);
void wi_tracker_free(wi_tracker *tracker);

wi_loc wi_tracker_in(const wi_tracker *tracker, wi_node_id node, uint32_t input);
wi_loc wi_tracker_out(const wi_tracker *tracker, wi_node_id node, uint32_t output);
uint32_t wi_tracker_locs(const wi_tracker *tracker);
/* The location that stands for this one (itself, unless it is an alias). Frontiers and
 * change reports are the representative's. */
wi_loc wi_tracker_rep(const wi_tracker *tracker, wi_loc loc);
int wi_tracker_dims(const wi_tracker *tracker, wi_loc loc);
/* "map input 0", for messages. Valid as long as the tracker. */
const char *wi_tracker_node_name(const wi_tracker *tracker, wi_loc loc);

/* Changes the number of pointstamps (capabilities or unconsumed messages) at (loc, time).
 * Counts may pass through negative values, since a receiver's -1 can overtake the
 * sender's +1; only positive counts hold a frontier. Takes effect at propagate. */
void wi_tracker_update(wi_tracker *tracker, wi_loc loc, const weir_time *time, int64_t delta);

/* Carries all changes through the graph. Afterwards *changed_out lists the representative
 * locations whose frontier differs from before, each once; valid until the next call. */
uint32_t wi_tracker_propagate(wi_tracker *tracker, const wi_loc **changed_out);

/* The frontier of a location: the times that may still arrive at an input, or be sent at
 * an output. A borrow, valid until the next propagate. */
const weir_antichain *wi_tracker_frontier(const wi_tracker *tracker, wi_loc loc);

/* For explanations: calls `tell` for every (location, time, count > 0) pointstamp. */
void wi_tracker_pointstamps(const wi_tracker *tracker,
                            void (*tell)(void *arg, wi_loc loc, const weir_time *time,
                                         int64_t count),
                            void *arg);
/* Whether no count other than 0 is left anywhere: the dataflow is complete. (A negative one
 * says that a positive one is still to come.) */
bool wi_tracker_idle(const wi_tracker *tracker);

#endif
