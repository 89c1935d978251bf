/* The transitive closure of a graph, as edges come and go: all pairs of nodes of which the
 * second is reached from the first by one edge or more.
 *
 *     closure --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn pairs N`. In Datalog:
 *
 *     path(X, Y) :- edge(X, Y).
 *     path(X, Z) :- path(X, Y), edge(Y, Z). */
#include "graph/common.h"

static const answer_line lines[] = {{"pairs", LINE_TOTAL}, {0}};

WEIR_JOIN(extend, edge, edge, edge)
{
    *out = (edge){a->src, b->dst};
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_loop *loop = weir_loop_begin(flow, "closure");
    weir_stream edges = weir_enter(loop, relations[0]);
    weir_stream found = weir_variable(loop, edges);
    weir_stream paths = weir_distinct(found);
    weir_variable_set(found,
                      weir_join(paths, WEIR_BY(edge, dst), edges, WEIR_BY(edge, src), &extend));
    return answer_total(graph_sources(weir_leave(loop, paths)), 0);
}

static const graph_program program = {
    .about = "The transitive closure of a changing graph.", .lines = lines, .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
