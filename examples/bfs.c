/* How far are the nodes of a graph from some roots, in edges, as edges come and go?
 *
 *     bfs --edges base.tsv --updates updates.tsv --at 0,196,1255 --root 1679 -w 2
 *
 * Prints `txn level L N`: N nodes are L edges away. */
#include "graph/common.h"

#define PLACE(F) F(u64, node) F(u64, level)
WEIR_ROW(place, PLACE)

static const char *roots = "0";
static bool backwards;

static const answer_line lines[] = {{"level", LINE_KEYED}, {0}};

WEIR_MAP(begin, node, place)
{
    out->node = in->id;
}

WEIR_JOIN(step, place, edge, place)
{
    *out = (place){b->dst, a->level + 1};
}

WEIR_MAP(level_of, place, node)
{
    out->id = in->level;
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream edges = backwards ? graph_reversed(relations[0]) : relations[0];
    weir_stream from = weir_map(graph_nodes(flow, roots), &begin);
    weir_loop *loop = weir_loop_begin(flow, "bfs");
    weir_stream edges_in = weir_enter(loop, edges);
    weir_stream visits = weir_variable(loop, weir_enter(loop, from));
    weir_stream nearest =
        weir_group_min(visits, WEIR_BY(place, node), WEIR_BY(place, level), &place_type);
    weir_variable_set(
        visits, weir_join(nearest, WEIR_BY(place, node), edges_in, WEIR_BY(edge, src), &step));
    return answer_histogram(weir_map(weir_leave(loop, nearest), &level_of), 0);
}

static const weir_option options[] = {
    {.name = "root", .value = "LIST", .help = "where to begin (0), say 3,17", .text = &roots},
    {.name = "reverse", .help = "against the direction of edges", .flag = &backwards},
    {0}};
static const graph_program program = {.about = "How far are a changing graph's nodes from a root?",
                                      .lines = lines,
                                      .options = options,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
