/* PageRank in whole numbers: a node's rank is how many of the walkers that start at all nodes
 * are on it. In each round five of six walkers go on, equally many along each edge, and new ones
 * come to each node; what does not divide is lost. A rank is the diff of its node. */
#include "bench_collection.h"

enum { WALKERS_AT_FIRST = 6000000, WALKERS_NEW = 1000000 };

#define NODE(F) F(u32, node)
#define PLACE(F) F(u32, node) F(u32, what)
WEIR_ROW(node, NODE)
WEIR_ROW(place, PLACE)
typedef bench_edge_row edge;
#define edge_type bench_edge_row_type

/* What is counted at a place: walkers that are there, edges that lead away from it. */
enum { WALKERS, WAYS };

WEIR_FLAT_MAP(both_ends, edge, node)
{
    node_push(out, (node){in->src});
    node_push(out, (node){in->dst});
}

/* A node that is there has so many walkers. */
WEIR_REDUCE(first_walkers, node, place)
{
    weir_out_diff(out, WALKERS_AT_FIRST);
    place_push(out, (place){.what = WALKERS});
}

WEIR_REDUCE(new_walkers, node, place)
{
    weir_out_diff(out, WALKERS_NEW);
    place_push(out, (place){.what = WALKERS});
}

WEIR_MAP(ways_from, edge, place)
{
    *out = (place){in->src, WAYS};
}

/* How many go along each edge of the node. */
WEIR_REDUCE(going_on, place, node)
{
    if (count < 2)
        return; /* nobody is there, or no edge leads away */
    int64_t along = 5 * counts[WALKERS] / (6 * counts[WAYS]);
    if (!along)
        return;
    weir_out_diff(out, along);
    node_push(out, (node){0});
}

WEIR_JOIN(arrive, node, edge, place)
{
    *out = (place){b->dst, WALKERS};
}
WEIR_EACH(add_rank, place)
{
    bench_tally(arg, in->node, 0, time, diff);
}

static void build_pagerank(weir_dataflow *flow, const struct bench_args *args,
                           struct bench_part *part, struct bench_ends *ends_out)
{
    const weir_key by_node = WEIR_BY(node, node);
    weir_stream edges = bench_edges_input(flow, ends_out);
    weir_stream ends = weir_flat_map(edges, &both_ends);
    weir_stream first = weir_reduce(ends, by_node, &first_walkers);
    weir_stream new = weir_reduce(ends, by_node, &new_walkers);
    weir_stream ways = weir_map(edges, &ways_from);

    weir_loop *loop = weir_loop_begin(flow, "pagerank");
    weir_loop_rounds(loop, args->rounds);
    weir_stream ranks = weir_variable(loop, weir_enter(loop, first));
    weir_stream places = weir_concat(ranks, weir_enter(loop, ways));
    weir_stream leaving = weir_reduce(places, WEIR_BY(place, node), &going_on);
    weir_stream arriving =
        weir_join(leaving, by_node, weir_enter(loop, edges), WEIR_BY(edge, src), &arrive);
    weir_stream next = weir_consolidate(weir_concat(arriving, weir_enter(loop, new)));
    weir_variable_replace(ranks, next);
    ends_out->probe = weir_probe_new(weir_inspect_with(weir_leave(loop, next), &add_rank, part));
}

const struct bench_collection bench_pagerank = {
    .name = "pagerank", .build = build_pagerank, .push = bench_edges_push};
