/* How many nodes of a graph are reached from some roots, as edges come and go?
 *
 *     reach --edges base.tsv --updates updates.tsv --at 0,196,1255 --root 1679 -w 2
 *
 * Prints `txn reached N`, the roots included. */
#include "graph/common.h"

static const char *roots = "0";
static bool backwards;

static const answer_line lines[] = {{"reached", LINE_TOTAL}, {0}};

WEIR_JOIN(follow, node, edge, node)
{
    out->id = b->dst;
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream edges = backwards ? graph_reversed(relations[0]) : relations[0];
    weir_loop *loop = weir_loop_begin(flow, "reach");
    weir_stream edges_in = weir_enter(loop, edges);
    weir_stream visits = weir_variable(loop, weir_enter(loop, graph_nodes(flow, roots)));
    weir_stream reached = weir_distinct(visits);
    weir_variable_set(visits,
                      weir_join(reached, WEIR_BY(node, id), edges_in, WEIR_BY(edge, src), &follow));
    return answer_total(weir_leave(loop, reached), 0);
}

static const weir_option options[] = {
    {.name = "root", .value = "LIST", .help = "where to begin (0), say 3,17", .text = &roots},
    {.name = "reverse", .help = "against the direction of edges", .flag = &backwards},
    {0}};
static const graph_program program = {
    .about = "How many nodes of a changing graph are reached from some roots?",
    .lines = lines,
    .options = options,
    .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
