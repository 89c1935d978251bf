/* To which objects may each variable of a program point, as its statements come and go?
 * Andersen's analysis.
 *
 *     points_to --facts DIR --updates updates.tsv --at 0,1 -w 2
 *
 * reads addressOf (y = &x), assign (y = x), load (y = *x) and store (*y = x), a statement a
 * line: `y x`. Prints `txn pairs N`. In Datalog:
 *
 *     pointsTo(Y, X) :- addressOf(Y, X).
 *     pointsTo(Y, X) :- assign(Y, Z), pointsTo(Z, X).
 *     pointsTo(Y, W) :- load(Y, X), pointsTo(X, Z), pointsTo(Z, W).
 *     pointsTo(Z, W) :- store(Y, X), pointsTo(Y, Z), pointsTo(X, W). */
#include "graph/common.h"

enum { ADDRESS_OF, ASSIGN, LOAD, STORE };
static const char *const relations_read[] = {"addressOf", "assign", "load", "store", NULL};
static const answer_line lines[] = {{"pairs", LINE_TOTAL}, {0}};

/* From two rows (k, p) and (k, q): (p, q). */
WEIR_JOIN(meet, edge, edge, edge)
{
    *out = (edge){a->dst, b->dst};
}

/* From (p, k) and (k, q): (p, q). */
WEIR_JOIN(chain, edge, edge, edge)
{
    *out = (edge){a->src, b->dst};
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_key first = WEIR_BY(edge, src), second = WEIR_BY(edge, dst);
    weir_loop *loop = weir_loop_begin(flow, "points_to");
    weir_stream assign = weir_enter(loop, relations[ASSIGN]);
    weir_stream load = weir_enter(loop, relations[LOAD]);
    weir_stream store = weir_enter(loop, relations[STORE]);
    weir_stream found = weir_variable(loop, weir_enter(loop, relations[ADDRESS_OF]));
    weir_stream points_to = weir_distinct(found);

    /* What is loaded from and stored to an object is assigned: */
    weir_stream loads = weir_join(load, second, points_to, first, &chain); /* y = z */
    weir_stream stores = weir_join(points_to, first, store, first, &meet); /* z = x */
    weir_stream copies = weir_distinct(weir_concat(loads, stores));
    weir_stream all = weir_concat(assign, copies);
    weir_variable_set(found, weir_join(all, second, points_to, first, &chain));
    return answer_total(graph_sources(weir_leave(loop, points_to)), 0);
}

static const graph_program program = {.about = "To which objects may a changing program's "
                                               "variables point?",
                                      .relations = relations_read,
                                      .lines = lines,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
