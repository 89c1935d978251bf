/* How far are the nodes of a graph from some roots, by the weights of edges, as edges come and
 * go?
 *
 *     shortest_paths --edges base.tsv --updates updates.tsv --at 0,196,1255 --root 1679 -w 2
 *
 * Lines may give a weight (`src dst weight`, `txn src dst weight diff`); without one it is
 * (7 src + 13 dst) mod 10 + 1. Prints `txn reached N` and `txn distance D N`: N nodes are at
 * distance D. In round r distances are those by at most r edges, so an edge that goes takes
 * with it what came over it, and cycles do no harm. */
#include "graph/common.h"

#define PLACE(F) F(u64, node) F(u64, distance)
WEIR_ROW(place, PLACE)

static const char *roots = "0";

enum { REACHED, DISTANCE };
static const answer_line lines[] = {{"reached", LINE_TOTAL}, {"distance", LINE_KEYED}, {0}};

WEIR_MAP(begin, node, place)
{
    out->node = in->id;
}

WEIR_JOIN(travel, place, road, place)
{
    *out = (place){b->dst, a->distance + (uint64_t)b->weight};
    if (out->distance < a->distance) /* farther than numbers go */
        out->distance = UINT64_MAX;
}

WEIR_MAP(node_of, place, node)
{
    out->id = in->node;
}

WEIR_MAP(distance_of, place, node)
{
    out->id = in->distance;
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream from = weir_map(graph_nodes(flow, roots), &begin);
    weir_loop *loop = weir_loop_begin(flow, "shortest_paths");
    weir_stream roads_in = weir_enter(loop, relations[0]);
    weir_stream ways = weir_variable(loop, weir_enter(loop, from));
    weir_stream shortest =
        weir_group_min(ways, WEIR_BY(place, node), WEIR_BY(place, distance), &place_type);
    weir_variable_set(
        ways, weir_join(shortest, WEIR_BY(place, node), roads_in, WEIR_BY(road, src), &travel));
    weir_stream places = weir_leave(loop, shortest);
    return weir_concat(answer_total(weir_map(places, &node_of), REACHED),
                       answer_histogram(weir_map(places, &distance_of), DISTANCE));
}

static const weir_option options[] = {
    {.name = "root", .value = "LIST", .help = "where to begin (0), say 3,17", .text = &roots}, {0}};
static const graph_program program = {.about = "How far are a changing graph's nodes from a root, "
                                               "by weights?",
                                      .weighted = true,
                                      .lines = lines,
                                      .options = options,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
