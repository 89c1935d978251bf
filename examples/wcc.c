/* The connected components of a graph, directions ignored, as edges come and go.
 *
 *     wcc --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn components N` and `txn size S N`: N components have S nodes. Nodes are those
 * that have an edge. Two are in one component if the least label that reaches them is the
 * same. */
#include "graph/common.h"

enum { COMPONENTS, SIZE };
static const answer_line lines[] = {{"components", LINE_TOTAL}, {"size", LINE_KEYED}, {0}};

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream own = graph_own_labels(graph_ends(relations[0]));
    weir_stream labels = graph_least_labels(flow, graph_undirected(relations[0]), own);
    return answer_groups(labels, COMPONENTS, SIZE);
}

static const graph_program program = {
    .about = "The connected components of a changing graph.", .lines = lines, .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
