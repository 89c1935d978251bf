/* PageRank in whole numbers: a node's rank is how many of the walkers that start at all nodes
 * are on it. In each round five of six walkers go on, equally many along each edge, and new ones
 * come to each node; what does not divide is lost. A rank is the diff of its node. */
#include "bench_collection.h"

enum { WALKERS_AT_FIRST = 6000000, WALKERS_NEW = 1000000 };

#define NODE(F) F(u32, node)
#define DEGREE(F) F(u32, node) F(i64, degree)
WEIR_ROW(node, NODE)
WEIR_ROW(degree, DEGREE)
typedef bench_edge_row edge;
#define edge_type bench_edge_row_type

WEIR_FLAT_MAP(both_ends, edge, node)
{
    node_push(out, (node){in->src});
    node_push(out, (node){in->dst});
}

/* A node that is there has so many walkers. */
WEIR_REDUCE(first_walkers, node, node)
{
    weir_out_diff(out, WALKERS_AT_FIRST);
    node_push(out, (node){0});
}

WEIR_REDUCE(new_walkers, node, node)
{
    weir_out_diff(out, WALKERS_NEW);
    node_push(out, (node){0});
}

WEIR_JOIN(with_degree, node, degree, degree)
{
    *out = *b;
}

/* How many go along each edge of the node. */
WEIR_REDUCE(going_on, degree, degree)
{
    int64_t along = 5 * counts[0] / (6 * in->degree);
    if (!along)
        return;
    weir_out_diff(out, along);
    degree_push(out, (degree){0});
}

WEIR_JOIN(arrive, degree, edge, node)
{
    out->node = b->dst;
}
WEIR_EACH(add_rank, node)
{
    bench_tally(arg, in->node, 0, time, diff);
}

static void build_pagerank(weir_dataflow *flow, const struct bench_args *args,
                           struct bench_part *part, struct bench_ends *ends_out)
{
    const weir_key by_node = WEIR_BY(node, node), by_degree = WEIR_BY(degree, node);
    weir_stream edges = bench_edges_input(flow, ends_out);
    weir_stream ends = weir_flat_map(edges, &both_ends);
    weir_stream first = weir_reduce(ends, by_node, &first_walkers);
    weir_stream new = weir_reduce(ends, by_node, &new_walkers);
    weir_stream degrees = weir_group_count(edges, WEIR_BY(edge, src), &degree_type);

    weir_loop *loop = weir_loop_begin(flow, "pagerank");
    weir_loop_rounds(loop, args->rounds);
    weir_stream ranks = weir_variable(loop, weir_enter(loop, first));
    weir_stream leaving =
        weir_reduce(weir_join(ranks, by_node, weir_enter(loop, degrees), by_degree, &with_degree),
                    WEIR_BY(degree, node, degree), &going_on);
    weir_stream arriving =
        weir_join(leaving, by_degree, weir_enter(loop, edges), WEIR_BY(edge, src), &arrive);
    weir_stream next = weir_consolidate(weir_concat(arriving, weir_enter(loop, new)));
    weir_variable_replace(ranks, next);
    ends_out->probe = weir_probe_new(weir_inspect_with(weir_leave(loop, next), &add_rank, part));
}

const struct bench_collection bench_pagerank = {
    .name = "pagerank", .build = build_pagerank, .push = bench_edges_push};
