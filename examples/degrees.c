/* How many nodes of a graph have how many edges, as edges come and go?
 *
 *     degrees --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn edges N`, `txn nodes N` (those that have an edge), `txn out D N` and `txn in D N`:
 * N nodes have D edges that leave (reach) them; nodes with none are not counted. */
#include "graph/common.h"

enum { EDGES, NODES, OUT, IN };
static const answer_line lines[] = {
    {"edges", LINE_TOTAL}, {"nodes", LINE_TOTAL}, {"out", LINE_KEYED}, {"in", LINE_KEYED}, {0}};

WEIR_MAP(degree_of, tally, node)
{
    out->id = (uint64_t)in->count;
}

static weir_stream histogram(weir_stream edges, uint64_t line)
{
    weir_stream degrees = weir_group_count(graph_sources(edges), WEIR_BY(node, id), &tally_type);
    return answer_histogram(weir_map(degrees, &degree_of), line);
}

static weir_stream build(WEIR_UNUSED weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream edges = relations[0];
    weir_stream all[] = {answer_total(graph_sources(edges), EDGES),
                         answer_total(graph_ends(edges), NODES), histogram(edges, OUT),
                         histogram(graph_reversed(edges), IN)};
    return weir_concat_all(all, 4);
}

static const graph_program program = {
    .about = "The degrees of a changing graph's nodes.", .lines = lines, .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
