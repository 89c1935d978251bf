/* The tracker, one behaviour at a time. Whether its frontiers are right in general is the
 * business of tests/oracle/tracker.c. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "progress/tracker.h"

#define FAR 1000000
#define END UINT64_MAX

static wi_graph *graph;
static wi_tracker *tracker;

/* An operator whose inputs all reach all its outputs at the same time. */
static wi_node_id operator_in(wi_scope_id scope, const char *name, uint32_t ins, uint32_t outs)
{
    wi_node_id node = wi_graph_node(graph, scope, name, ins, outs);
    for (uint32_t i = 0; i < ins; i++)
        for (uint32_t o = 0; o < outs; o++)
            wi_graph_summary(graph, node, i, o,
                             weir_summary_identity(wi_graph_scope_dims(graph, scope)));
    return node;
}

static void build(void)
{
    weir_err *err;
    tracker = wi_tracker_new(graph, &err);
    ck_assert_msg(tracker != NULL, "%s", weir_err_message(err));
}

/* Asserts that the graph is refused, with each of the words in the message. */
static void assert_refused(const char *const *words)
{
    weir_err *err;
    ck_assert(!wi_tracker_new(graph, &err));
    for (; *words; words++)
        ck_assert_msg(strstr(weir_err_message(err), *words) != NULL, "no %s in: %s", *words,
                      weir_err_message(err));
    weir_err_free(err);
}
#define ASSERT_REFUSED(...) assert_refused((const char *const[]){__VA_ARGS__, NULL})

static void update(wi_loc loc, weir_time time, int64_t delta)
{
    wi_tracker_update(tracker, loc, &time, delta);
}

static uint32_t propagate(void)
{
    const wi_loc *changed;
    return wi_tracker_propagate(tracker, &changed);
}

static void assert_front(wi_loc loc, const weir_time *times, uint32_t count)
{
    const weir_antichain *front = wi_tracker_frontier(tracker, loc);
    ck_assert_uint_eq(front->count, count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_msg(weir_time_eq(&front->times[i], &times[i]), "(%llu, %llu, ...) at %u",
                      (unsigned long long)front->times[i].at[0],
                      (unsigned long long)front->times[i].at[1], i);
}
#define ASSERT_FRONT(loc, ...)                                                                 \
    assert_front((loc), (const weir_time[]){__VA_ARGS__},                                      \
                 sizeof((const weir_time[]){__VA_ARGS__}) / sizeof(weir_time))
#define T(...) {{__VA_ARGS__}}

/* ---- without loops ----------------------------------------------------------------- */

static wi_node_id source, middle, sink;

static void build_chain(bool promise)
{
    graph = wi_graph_new(1);
    sink = operator_in(0, "sink", 1, 0); /* created before what feeds it */
    source = operator_in(0, "source", 0, 1);
    middle = operator_in(0, "middle", 1, 1);
    wi_graph_edge(graph, middle, 0, sink, 0);
    wi_graph_edge(graph, source, 0, middle, 0);
    if (promise) {
        wi_graph_uncounted(graph, middle, 0);
        wi_graph_stateless(graph, middle, 0);
    }
    build();
}

START_TEST(an_epoch_passes_through_a_chain)
{
    const wi_loc *changed;
    build_chain(false);
    wi_loc first = wi_tracker_out(tracker, source, 0), last = wi_tracker_in(tracker, sink, 0);
    ck_assert_uint_eq(wi_tracker_locs(tracker), 4);
    ck_assert(wi_tracker_idle(tracker));
    ck_assert_uint_eq(wi_tracker_frontier(tracker, last)->count, 0);
    update(first, WEIR_EPOCH(0), 1);
    ck_assert_uint_eq(wi_tracker_propagate(tracker, &changed), 4);
    ASSERT_FRONT(last, T(0));
    ck_assert(!wi_tracker_idle(tracker));
    update(wi_tracker_in(tracker, middle, 0), WEIR_EPOCH(0), 2); /* a message on its way */
    update(first, WEIR_EPOCH(0), -1);
    update(first, WEIR_EPOCH(1), 1);
    ck_assert_uint_eq(wi_tracker_propagate(tracker, &changed), 1);
    ck_assert_uint_eq(changed[0], first);
    update(wi_tracker_in(tracker, middle, 0), WEIR_EPOCH(0), -2);
    ck_assert_uint_eq(propagate(), 3);
    ASSERT_FRONT(last, T(1));
    update(first, WEIR_EPOCH(1), -1);
    ck_assert_uint_eq(propagate(), 4);
    ck_assert_uint_eq(wi_tracker_frontier(tracker, last)->count, 0);
    ck_assert(wi_tracker_idle(tracker));
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(names_say_which_port)
{
    build_chain(false);
    ck_assert_str_eq(wi_tracker_node_name(tracker, wi_tracker_in(tracker, middle, 0)),
                     "middle input 0");
    ck_assert_str_eq(wi_tracker_node_name(tracker, wi_tracker_out(tracker, source, 0)),
                     "source output 0");
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(nothing_changes_when_changes_cancel)
{
    build_chain(false);
    wi_loc first = wi_tracker_out(tracker, source, 0);
    update(first, WEIR_EPOCH(5), 1);
    update(first, WEIR_EPOCH(3), 1);
    update(first, WEIR_EPOCH(3), -1);
    update(first, WEIR_EPOCH(9), 0);
    ck_assert_uint_eq(propagate(), 4);
    ASSERT_FRONT(first, T(5));
    update(first, WEIR_EPOCH(5), -1);
    update(first, WEIR_EPOCH(5), 1);
    ck_assert_uint_eq(propagate(), 0);
    update(first, WEIR_EPOCH(7), 1); /* behind the frontier */
    ck_assert_uint_eq(propagate(), 0);
    ck_assert_uint_eq(propagate(), 0);
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(a_consumption_may_overtake_its_message)
{
    build_chain(false);
    wi_loc first = wi_tracker_out(tracker, source, 0), in = wi_tracker_in(tracker, middle, 0);
    update(first, WEIR_EPOCH(0), 1);
    propagate();
    update(in, WEIR_EPOCH(0), -1);
    ck_assert_uint_eq(propagate(), 0); /* the sender still holds 0 */
    ASSERT_FRONT(in, T(0));
    update(first, WEIR_EPOCH(0), -1);
    update(in, WEIR_EPOCH(0), 1);
    ck_assert_uint_eq(propagate(), 4);
    ck_assert_uint_eq(wi_tracker_frontier(tracker, in)->count, 0);
    ck_assert(wi_tracker_idle(tracker));
    update(in, WEIR_EPOCH(4), -1);
    ck_assert_uint_eq(propagate(), 0);
    ck_assert(!wi_tracker_idle(tracker)); /* its +1 is still to come */
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(the_last_epoch_is_a_time)
{
    build_chain(false);
    wi_loc first = wi_tracker_out(tracker, source, 0), last = wi_tracker_in(tracker, sink, 0);
    update(first, WEIR_EPOCH(END), 1);
    ck_assert_uint_eq(propagate(), 4);
    ASSERT_FRONT(last, T(END));
    update(first, WEIR_EPOCH(END), -1);
    ck_assert_uint_eq(propagate(), 4);
    ck_assert_uint_eq(wi_tracker_frontier(tracker, last)->count, 0);
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(summaries_delay_and_the_earliest_counts)
{
    graph = wi_graph_new(1);
    source = operator_in(0, "source", 0, 1);
    ck_assert_uint_eq(wi_graph_add_output(graph, source), 1);
    middle = wi_graph_node(graph, 0, "delay", 1, 1);
    uint32_t late = wi_graph_add_input(graph, middle);
    wi_graph_summary(graph, middle, 0, 0, weir_summary_add(1, 0, 7));
    wi_graph_summary(graph, middle, 0, 0, weir_summary_add(1, 0, 5));
    wi_graph_summary(graph, middle, 0, 0, weir_summary_add(1, 0, 6));
    wi_graph_summary(graph, middle, late, 0, weir_summary_add(1, 0, 1));
    wi_graph_edge(graph, source, 0, middle, 0);
    wi_graph_edge(graph, source, 0, middle, late);
    wi_graph_edge(graph, source, 1, middle, late); /* two edges into one input */
    build();
    wi_loc out = wi_tracker_out(tracker, middle, 0);
    update(wi_tracker_out(tracker, source, 0), WEIR_EPOCH(10), 1);
    propagate();
    ASSERT_FRONT(out, T(11));
    update(wi_tracker_out(tracker, source, 1), WEIR_EPOCH(3), 1);
    propagate();
    ASSERT_FRONT(out, T(4));
    update(wi_tracker_in(tracker, middle, 0), WEIR_EPOCH(END - 2), 1);
    update(wi_tracker_out(tracker, source, 0), WEIR_EPOCH(10), -1);
    update(wi_tracker_out(tracker, source, 1), WEIR_EPOCH(3), -1);
    propagate();
    ASSERT_FRONT(out, T(END)); /* saturated */
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(an_input_may_be_fed_by_what_the_other_caused)
{
    graph = wi_graph_new(1);
    source = operator_in(0, "source", 0, 1);
    middle = wi_graph_node(graph, 0, "two halves", 2, 2);
    wi_graph_summary(graph, middle, 0, 0, weir_summary_identity(1));
    wi_graph_summary(graph, middle, 1, 1, weir_summary_identity(1));
    wi_graph_edge(graph, source, 0, middle, 0);
    wi_graph_edge(graph, middle, 0, middle, 1);
    build();
    update(wi_tracker_out(tracker, source, 0), WEIR_EPOCH(1), 1);
    propagate();
    ASSERT_FRONT(wi_tracker_out(tracker, middle, 1), T(1));
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(two_root_dimensions)
{
    graph = wi_graph_new(2);
    source = operator_in(0, "source", 0, 1);
    middle = operator_in(0, "middle", 1, 1);
    wi_graph_edge(graph, source, 0, middle, 0);
    build();
    wi_loc first = wi_tracker_out(tracker, source, 0), out = wi_tracker_out(tracker, middle, 0);
    update(first, (weir_time)T(1, 9), 1);
    update(first, (weir_time)T(4, 2), 1);
    update(first, (weir_time)T(4, 3), 1);
    update(out, (weir_time)T(2, 3), 1);
    ck_assert_uint_eq(propagate(), 3);
    ASSERT_FRONT(out, T(1, 9), T(2, 3), T(4, 2));
    update(out, (weir_time)T(2, 3), -1);
    update(first, (weir_time)T(4, 2), -1);
    ck_assert_uint_eq(propagate(), 3);
    ASSERT_FRONT(out, T(1, 9), T(4, 3));
    wi_tracker_free(tracker);
}
END_TEST

/* More locations than one word of the map of dirty words speaks for. */
START_TEST(a_wide_graph)
{
    enum { WIDTH = 5000 };
    static wi_node_id nodes[WIDTH];
    graph = wi_graph_new(1);
    source = operator_in(0, "source", 0, 1);
    for (int i = 0; i < WIDTH; i++) {
        nodes[i] = operator_in(0, "op", 1, 1);
        wi_graph_edge(graph, i % 3 ? nodes[i - 1] : source, 0, nodes[i], 0);
    }
    build();
    wi_loc first = wi_tracker_out(tracker, source, 0);
    update(first, WEIR_EPOCH(0), 1);
    ck_assert_uint_eq(propagate(), 2 * WIDTH + 1);
    update(first, WEIR_EPOCH(0), -1);
    update(first, WEIR_EPOCH(1), 1);
    update(wi_tracker_in(tracker, nodes[WIDTH - 1], 0), WEIR_EPOCH(0), 1);
    ck_assert_uint_eq(propagate(), 2 * WIDTH + 1 - 2);
    ASSERT_FRONT(wi_tracker_out(tracker, nodes[WIDTH - 2], 0), T(1));
    ASSERT_FRONT(wi_tracker_out(tracker, nodes[WIDTH - 1], 0), T(0));
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(an_empty_graph_is_complete)
{
    graph = wi_graph_new(3);
    build();
    ck_assert(wi_tracker_idle(tracker));
    ck_assert_uint_eq(propagate(), 0);
    wi_tracker_free(tracker);
}
END_TEST

/* ---- aliases ------------------------------------------------------------------------ */

START_TEST(promised_ports_are_their_predecessor)
{
    build_chain(true);
    wi_loc first = wi_tracker_out(tracker, source, 0), out = wi_tracker_out(tracker, middle, 0);
    ck_assert_uint_eq(wi_tracker_rep(tracker, out), first);
    ck_assert_uint_eq(wi_tracker_rep(tracker, wi_tracker_in(tracker, middle, 0)), first);
    ck_assert_uint_eq(wi_tracker_rep(tracker, first), first);
    wi_loc last = wi_tracker_in(tracker, sink, 0);
    ck_assert_uint_eq(wi_tracker_rep(tracker, last), last);
    update(first, WEIR_EPOCH(3), 1);
    ck_assert_uint_eq(propagate(), 2);
    ASSERT_FRONT(out, T(3));
    ASSERT_FRONT(last, T(3));
    wi_tracker_free(tracker);
}
END_TEST

/* Where the frontier could differ from a predecessor's, a promise makes no alias. */
START_TEST(not_every_promise_makes_an_alias)
{
    graph = wi_graph_new(1);
    source = operator_in(0, "source", 0, 2);
    wi_node_id delay = wi_graph_node(graph, 0, "delay", 1, 1);
    wi_graph_summary(graph, delay, 0, 0, weir_summary_add(1, 0, 1));
    wi_node_id both = operator_in(0, "both", 2, 1), fed_twice = operator_in(0, "fed", 1, 1);
    wi_graph_edge(graph, source, 0, delay, 0);
    wi_graph_edge(graph, source, 0, both, 0);
    wi_graph_edge(graph, source, 1, both, 1);
    wi_graph_edge(graph, source, 0, fed_twice, 0);
    wi_graph_edge(graph, source, 1, fed_twice, 0);
    wi_graph_stateless(graph, delay, 0);
    wi_graph_stateless(graph, both, 0);
    wi_graph_uncounted(graph, fed_twice, 0);
    build();
    wi_loc locs[] = {wi_tracker_out(tracker, delay, 0), wi_tracker_out(tracker, both, 0),
                     wi_tracker_in(tracker, fed_twice, 0)};
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(wi_tracker_rep(tracker, locs[i]), locs[i]);
    update(wi_tracker_out(tracker, source, 0), WEIR_EPOCH(5), 1);
    update(wi_tracker_out(tracker, source, 1), WEIR_EPOCH(2), 1);
    propagate();
    ASSERT_FRONT(locs[0], T(6));
    ASSERT_FRONT(locs[1], T(2));
    ASSERT_FRONT(locs[2], T(2));
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(a_broken_promise_aborts)
{
    build_chain(true);
    update(wi_tracker_out(tracker, middle, 0), WEIR_EPOCH(0), 1);
}
END_TEST

/* ---- loops -------------------------------------------------------------------------- */

/* source -> [enter -> concat -> body -> leave, body -> feedback -> concat] -> sink */
static wi_node_id enter, concat, body, feedback, leave;

static wi_scope_id build_loop(int root_dims)
{
    graph = wi_graph_new(root_dims);
    wi_scope_id loop = wi_graph_scope(graph, 0, "loop");
    int dims = wi_graph_scope_dims(graph, loop);
    source = operator_in(0, "source", 0, 1);
    enter = wi_graph_enter(graph, loop, "enter");
    feedback = wi_graph_feedback(graph, loop, "feedback", weir_summary_add(dims, dims - 1, 1));
    concat = operator_in(loop, "concat", 2, 1);
    body = operator_in(loop, "body", 1, 1);
    leave = wi_graph_leave(graph, loop, "leave");
    sink = operator_in(0, "sink", 1, 0);
    wi_graph_edge(graph, source, 0, enter, 0);
    wi_graph_edge(graph, enter, 0, concat, 0);
    wi_graph_edge(graph, feedback, 0, concat, 1);
    wi_graph_edge(graph, concat, 0, body, 0);
    wi_graph_edge(graph, body, 0, feedback, 0);
    wi_graph_edge(graph, body, 0, leave, 0);
    wi_graph_edge(graph, leave, 0, sink, 0);
    return loop;
}

START_TEST(rounds_advance_within_an_epoch)
{
    build_loop(1);
    build();
    wi_loc first = wi_tracker_out(tracker, source, 0), in = wi_tracker_in(tracker, body, 0);
    wi_loc last = wi_tracker_in(tracker, sink, 0), out = wi_tracker_out(tracker, body, 0);
    update(first, WEIR_EPOCH(0), 1);
    propagate();
    ASSERT_FRONT(in, T(0, 0));
    ASSERT_FRONT(wi_tracker_out(tracker, feedback, 0), T(0, 1));
    ASSERT_FRONT(last, T(0));
    ck_assert_int_eq(wi_tracker_dims(tracker, in), 2);
    ck_assert_int_eq(wi_tracker_dims(tracker, last), 1);
    update(out, (weir_time)T(0, 0), 1); /* the body works on epoch 0, the source goes on */
    update(first, WEIR_EPOCH(0), -1);
    update(first, WEIR_EPOCH(1), 1);
    propagate();
    ASSERT_FRONT(out, T(0, 0));
    ASSERT_FRONT(in, T(0, 1), T(1, 0));
    ASSERT_FRONT(last, T(0));
    update(out, (weir_time)T(0, 0), -1);
    update(out, (weir_time)T(0, FAR), 1);
    propagate();
    ASSERT_FRONT(in, T(0, FAR + 1), T(1, 0));
    update(out, (weir_time)T(0, FAR), -1); /* epoch 0 is done, without a climb */
    propagate();
    ASSERT_FRONT(in, T(1, 0));
    ASSERT_FRONT(last, T(1));
    update(first, WEIR_EPOCH(1), -1);
    propagate();
    ck_assert_uint_eq(wi_tracker_frontier(tracker, in)->count, 0);
    ck_assert_uint_eq(wi_tracker_frontier(tracker, last)->count, 0);
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(a_loop_ends_at_the_end_of_time)
{
    build_loop(1);
    build();
    wi_loc out = wi_tracker_out(tracker, body, 0), in = wi_tracker_in(tracker, body, 0);
    update(out, (weir_time)T(3, END), 1);
    propagate();
    ASSERT_FRONT(out, T(3, END));
    ck_assert_uint_eq(wi_tracker_frontier(tracker, in)->count, 0); /* there is no round after */
    ASSERT_FRONT(wi_tracker_in(tracker, sink, 0), T(3));
    wi_tracker_free(tracker);
}
END_TEST

START_TEST(nested_loops_drain_from_the_inside)
{
    wi_scope_id outer = build_loop(1), inner = wi_graph_scope(graph, outer, "inner");
    wi_node_id in = wi_graph_enter(graph, inner, "in"), out = wi_graph_leave(graph, inner, "out");
    wi_node_id back = wi_graph_feedback(graph, inner, "back", weir_summary_add(3, 2, 1));
    wi_node_id both = operator_in(inner, "both", 2, 1), after = operator_in(outer, "after", 1, 0);
    wi_graph_edge(graph, body, 0, in, 0);
    wi_graph_edge(graph, in, 0, both, 0);
    wi_graph_edge(graph, back, 0, both, 1);
    wi_graph_edge(graph, both, 0, back, 0);
    wi_graph_edge(graph, both, 0, out, 0);
    wi_graph_edge(graph, out, 0, after, 0);
    build();
    wi_loc first = wi_tracker_out(tracker, source, 0), deep = wi_tracker_out(tracker, both, 0);
    wi_loc last = wi_tracker_in(tracker, after, 0);
    update(first, WEIR_EPOCH(FAR), 1);
    update(deep, (weir_time)T(0, 5, FAR), 1);
    update(deep, (weir_time)T(0, 7, 2), 1);
    propagate();
    ASSERT_FRONT(deep, T(0, 5, FAR), T(0, 7, 2), T(FAR, 0, 0));
    ASSERT_FRONT(last, T(0, 5), T(FAR, 0));
    update(deep, (weir_time)T(0, 5, FAR), -1);
    propagate();
    ASSERT_FRONT(last, T(0, 7), T(FAR, 0));
    update(deep, (weir_time)T(0, 7, 2), -1);
    ck_assert_uint_gt(propagate(), 0);
    ASSERT_FRONT(last, T(FAR, 0));
    ASSERT_FRONT(deep, T(FAR, 0, 0));
    wi_tracker_free(tracker);
}
END_TEST

/* A value that depends on its own previous epoch; and a loop inside that cycle. */
START_TEST(the_root_may_feed_back)
{
    build_loop(2);
    wi_node_id back = wi_graph_feedback(graph, 0, "previous", weir_summary_add(2, 1, 1));
    wi_node_id again = operator_in(0, "again", 2, 1);
    wi_graph_edge(graph, leave, 0, again, 0);
    wi_graph_edge(graph, back, 0, again, 1);
    wi_graph_edge(graph, again, 0, back, 0);
    build();
    wi_loc first = wi_tracker_out(tracker, source, 0), out = wi_tracker_out(tracker, again, 0);
    update(first, (weir_time)T(2, 9), 1);
    update(out, (weir_time)T(4, FAR), 1);
    update(out, (weir_time)T(5, 3), 1);
    propagate();
    ASSERT_FRONT(out, T(2, 9), T(5, 3));
    ASSERT_FRONT(wi_tracker_in(tracker, again, 1), T(2, 10), T(5, 4));
    update(first, (weir_time)T(2, 9), -1);
    propagate();
    ASSERT_FRONT(out, T(4, FAR), T(5, 3));
    ASSERT_FRONT(wi_tracker_in(tracker, again, 1), T(4, FAR + 1), T(5, 4));
    wi_tracker_free(tracker);
}
END_TEST

/* A front that changes and changes back within one propagation is not reported. */
START_TEST(reports_are_of_net_changes)
{
    const wi_loc *changed;
    build_loop(1);
    build();
    wi_loc first = wi_tracker_out(tracker, source, 0), in = wi_tracker_in(tracker, body, 0);
    update(first, WEIR_EPOCH(1), 1);
    propagate();
    update(in, (weir_time)T(1, 0), 1);
    ck_assert_uint_eq(wi_tracker_propagate(tracker, &changed), 0);
    update(first, WEIR_EPOCH(1), -1); /* `in` holds what the source held */
    uint32_t count = wi_tracker_propagate(tracker, &changed);
    ck_assert_uint_gt(count, 0);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_ne(changed[i], in);
    ASSERT_FRONT(in, T(1, 0));
    wi_tracker_free(tracker);
}
END_TEST

/* ---- explanations -------------------------------------------------------------------- */

static int64_t told_sum;

static void tell(void *arg, wi_loc loc, const weir_time *time, int64_t count)
{
    ck_assert_ptr_eq(arg, &told_sum);
    ck_assert_str_eq(wi_tracker_node_name(tracker, loc), "body input 0");
    told_sum += count * (int64_t)(time->at[0] * 100 + time->at[1]);
}

START_TEST(pointstamps_are_listed)
{
    build_loop(1);
    build();
    wi_loc in = wi_tracker_in(tracker, body, 0);
    update(in, (weir_time)T(1, 2), 3);
    update(in, (weir_time)T(2, 1), 1);
    update(in, (weir_time)T(5, 5), -2);
    propagate();
    wi_tracker_pointstamps(tracker, tell, &told_sum);
    ck_assert_int_eq(told_sum, 3 * 102 + 201);
    wi_tracker_free(tracker);
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------ */

START_TEST(a_cycle_without_feedback_is_refused)
{
    graph = wi_graph_new(1);
    wi_node_id map = operator_in(0, "map", 1, 1), filter = operator_in(0, "filter", 1, 1);
    wi_node_id variable = wi_graph_node(graph, 0, "variable", 1, 1);
    wi_graph_summary(graph, variable, 0, 0, weir_summary_add(1, 0, 1)); /* not enough */
    wi_graph_edge(graph, variable, 0, map, 0);
    wi_graph_edge(graph, map, 0, filter, 0);
    wi_graph_edge(graph, filter, 0, variable, 0);
    ASSERT_REFUSED("cycle through ", "`map`, `filter`", "`variable`", "does not advance time",
                   "feedback");
}
END_TEST

START_TEST(an_operator_that_feeds_itself_is_refused)
{
    graph = wi_graph_new(1);
    wi_node_id map = operator_in(0, "map", 1, 1);
    wi_graph_edge(graph, map, 0, map, 0);
    ASSERT_REFUSED("cycle through `map` does not advance time");
}
END_TEST

START_TEST(a_cycle_whose_feedback_stands_still_is_refused)
{
    graph = wi_graph_new(1);
    wi_scope_id loop = wi_graph_scope(graph, 0, "loop");
    wi_node_id variable = wi_graph_feedback(graph, loop, "variable", weir_summary_identity(2));
    wi_node_id map = operator_in(loop, "map", 1, 1), filter = operator_in(loop, "filter", 1, 1);
    wi_graph_edge(graph, variable, 0, map, 0);
    wi_graph_edge(graph, map, 0, filter, 0);
    wi_graph_edge(graph, filter, 0, variable, 0);
    ASSERT_REFUSED("cycle through `map`, `filter`, `variable` does not advance time", "round");
}
END_TEST

START_TEST(a_feedback_that_advances_another_coordinate_is_refused)
{
    graph = wi_graph_new(1);
    wi_scope_id loop = wi_graph_scope(graph, 0, "loop");
    wi_graph_feedback(graph, loop, "variable", weir_summary_add(2, 0, 1)); /* the epoch */
    ASSERT_REFUSED("feedback `variable` does not advance time", "no cycle", "round");
}
END_TEST

START_TEST(an_inner_round_does_not_advance_an_outer_cycle)
{
    build_loop(1);
    wi_node_id again = operator_in(0, "again", 2, 1);
    wi_graph_edge(graph, leave, 0, again, 0);
    wi_node_id second = wi_graph_enter(graph, 1, "second");
    wi_graph_edge(graph, again, 0, second, 0);
    wi_graph_edge(graph, second, 0, body, 0);
    ASSERT_REFUSED("cycle through ", "`second`, `body`, `leave`", "`again`",
                   "does not advance time");
}
END_TEST

START_TEST(a_loop_fed_from_its_own_output_is_refused)
{
    build_loop(1);
    wi_node_id again = operator_in(0, "again", 1, 1), aside = wi_graph_enter(graph, 1, "aside");
    wi_node_id end = operator_in(1, "end", 1, 0);
    wi_graph_edge(graph, leave, 0, again, 0);
    wi_graph_edge(graph, again, 0, aside, 0);
    wi_graph_edge(graph, aside, 0, end, 0); /* never comes out again: no cycle of ports */
    ASSERT_REFUSED("loop `loop` is fed from its own output", "`leave`", "`again`", "`aside`");
}
END_TEST

START_TEST(a_long_cycle_is_named_in_part)
{
    graph = wi_graph_new(1);
    wi_node_id first = operator_in(0, "first", 1, 1), last = first;
    for (int i = 0; i < 40; i++) {
        wi_node_id next = operator_in(0, "next", 1, 1);
        wi_graph_edge(graph, last, 0, next, 0);
        last = next;
    }
    wi_graph_edge(graph, last, 0, first, 0);
    ASSERT_REFUSED("and 25 more");
}
END_TEST

START_TEST(an_edge_between_scopes_is_refused)
{
    build_loop(1);
    wi_graph_edge(graph, body, 0, sink, 0);
    wi_graph_edge(graph, source, 0, body, 0); /* only the first mistake is told */
    ASSERT_REFUSED("`body` (in scope `loop`)", "`sink` (in scope `root`)", "leave");
}
END_TEST

START_TEST(too_many_coordinates_are_refused)
{
    graph = wi_graph_new(3);
    wi_scope_id outer = wi_graph_scope(graph, 0, "outer");
    wi_scope_id inner = wi_graph_scope(graph, outer, "inner");
    wi_graph_enter(graph, inner, "enter");
    wi_graph_leave(graph, inner, "leave");
    ASSERT_REFUSED("loop `inner` is nested too deep", "5 coordinates");
}
END_TEST

START_TEST(a_summary_must_keep_all_coordinates)
{
    graph = wi_graph_new(1);
    wi_scope_id loop = wi_graph_scope(graph, 0, "loop");
    wi_node_id map = wi_graph_node(graph, loop, "map", 1, 1);
    weir_summary out = weir_summary_leave(2), in = weir_summary_enter(1);
    wi_graph_summary(graph, map, 0, 0, weir_summary_then(&out, &in)); /* forgets the round */
    ASSERT_REFUSED("summary of `map` from input 0 to output 0", "must keep all 2");
}
END_TEST

START_TEST(a_graph_can_be_given_up)
{
    build_loop(1);
    wi_graph_uncounted(graph, body, 0);
    wi_graph_stateless(graph, body, 0);
    wi_graph_free(graph);
    graph = wi_graph_new(4);
    wi_graph_scope(graph, 0, "too deep");
    wi_graph_free(graph);
    wi_graph_free(NULL);
    wi_tracker_free(NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("tracker");
    tcase_add_test(cases, an_epoch_passes_through_a_chain);
    tcase_add_test(cases, names_say_which_port);
    tcase_add_test(cases, nothing_changes_when_changes_cancel);
    tcase_add_test(cases, a_consumption_may_overtake_its_message);
    tcase_add_test(cases, the_last_epoch_is_a_time);
    tcase_add_test(cases, summaries_delay_and_the_earliest_counts);
    tcase_add_test(cases, an_input_may_be_fed_by_what_the_other_caused);
    tcase_add_test(cases, two_root_dimensions);
    tcase_add_test(cases, a_wide_graph);
    tcase_add_test(cases, an_empty_graph_is_complete);
    tcase_add_test(cases, promised_ports_are_their_predecessor);
    tcase_add_test(cases, not_every_promise_makes_an_alias);
    tcase_add_test_raise_signal(cases, a_broken_promise_aborts, SIGABRT);
    tcase_add_test(cases, rounds_advance_within_an_epoch);
    tcase_add_test(cases, a_loop_ends_at_the_end_of_time);
    tcase_add_test(cases, nested_loops_drain_from_the_inside);
    tcase_add_test(cases, the_root_may_feed_back);
    tcase_add_test(cases, reports_are_of_net_changes);
    tcase_add_test(cases, pointstamps_are_listed);
    tcase_add_test(cases, a_cycle_without_feedback_is_refused);
    tcase_add_test(cases, an_operator_that_feeds_itself_is_refused);
    tcase_add_test(cases, a_cycle_whose_feedback_stands_still_is_refused);
    tcase_add_test(cases, a_feedback_that_advances_another_coordinate_is_refused);
    tcase_add_test(cases, an_inner_round_does_not_advance_an_outer_cycle);
    tcase_add_test(cases, a_loop_fed_from_its_own_output_is_refused);
    tcase_add_test(cases, a_long_cycle_is_named_in_part);
    tcase_add_test(cases, an_edge_between_scopes_is_refused);
    tcase_add_test(cases, too_many_coordinates_are_refused);
    tcase_add_test(cases, a_summary_must_keep_all_coordinates);
    tcase_add_test(cases, a_graph_can_be_given_up);
    Suite *suite = suite_create("tracker");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
