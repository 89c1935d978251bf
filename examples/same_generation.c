/* Which pairs of nodes are of the same generation, as edges (parent, child) come and go?
 *
 *     same_generation --edges arc.tsv --updates updates.tsv --at 0,196 -w 2
 *
 * Prints `txn pairs N`. In Datalog:
 *
 *     sg(X, Y) :- arc(P, X), arc(P, Y), X != Y.
 *     sg(X, Y) :- arc(A, X), sg(A, B), arc(B, Y). */
#include "graph/common.h"

static const char *const relations_read[] = {"arc", NULL};
static const answer_line lines[] = {{"pairs", LINE_TOTAL}, {0}};

WEIR_JOIN_SOME(siblings, edge, edge, edge)
{
    *out = (edge){a->dst, b->dst};
    return a->dst != b->dst;
}

/* The child of the first with the second of a pair; the same for the second. */
WEIR_JOIN(first_child, edge, edge, edge)
{
    *out = (edge){b->dst, a->dst};
}

WEIR_JOIN(second_child, edge, edge, edge)
{
    *out = (edge){a->src, b->dst};
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream arcs = relations[0];
    weir_key by_src = WEIR_BY(edge, src), by_dst = WEIR_BY(edge, dst);
    weir_stream born = weir_join(arcs, by_src, arcs, by_src, &siblings);
    weir_loop *loop = weir_loop_begin(flow, "same_generation");
    weir_stream arcs_in = weir_enter(loop, arcs);
    weir_stream found = weir_variable(loop, weir_enter(loop, born));
    weir_stream pairs = weir_distinct(found);
    weir_stream half = weir_join(pairs, by_src, arcs_in, by_src, &first_child);
    weir_variable_set(found, weir_join(half, by_dst, arcs_in, by_src, &second_child));
    return answer_total(graph_sources(weir_leave(loop, pairs)), 0);
}

static const graph_program program = {.about = "Which nodes of a changing tree or graph are of the "
                                               "same generation?",
                                      .relations = relations_read,
                                      .lines = lines,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
