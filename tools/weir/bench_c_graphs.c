/* Random directed graphs: what is reachable, how far it is, what is strongly connected, what
 * leads to what. Two changes swap an edge for another. */
#include "bench_collection.h"

#include "base/alloc.h"

#define NODE(F) F(u32, node)
#define LABEL(F) F(u32, node) F(u32, label)
#define LABELLED(F) F(u32, src) F(u32, dst) F(u32, label)
WEIR_ROW(node, NODE)
WEIR_ROW(label, LABEL)
WEIR_ROW(labelled, LABELLED)
typedef bench_edge_row edge;
#define edge_type bench_edge_row_type
#define edge_store bench_edge_row_store

enum { ROOT = 1 }; /* leads to most nodes, also in a graph of a hundredth of the size */

#define BY_SRC WEIR_BY(edge, src)
#define BY_DST WEIR_BY(edge, dst)
#define BY_NODE WEIR_BY(node, node)
#define BY_LABELLED WEIR_BY(label, node)

WEIR_EACH(add_node, node)
{
    bench_tally(arg, in->node, 0, time, diff);
}
WEIR_EACH(add_label, label)
{
    bench_tally(arg, in->node, in->label, time, diff);
}
WEIR_EACH(add_edge, edge)
{
    bench_tally(arg, in->src, in->dst, time, diff);
}

weir_stream bench_edges_input(weir_dataflow *flow, struct bench_ends *ends)
{
    return weir_input_new(flow, &edge_type, &ends->inputs[0]);
}

void bench_edges_push(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                      uint64_t end, uint64_t step)
{
    weir_out *out = weir_input_out(ends->inputs[0]);
    for (uint64_t row = first; row < end; row += step) {
        edge it;
        bench_edge(row, args->nodes, &it.src, &it.dst);
        bench_edge_row_push(out, it);
    }
}

/* ---- reach --------------------------------------------------------------------------- */

WEIR_JOIN(follow, node, edge, node)
{
    out->node = b->dst;
}

static void build_reach(weir_dataflow *flow, const struct bench_args *args, struct bench_part *part,
                        struct bench_ends *ends_out)
{
    (void)args;
    weir_stream edges = bench_edges_input(flow, ends_out);
    weir_stream roots = weir_from_rows(flow, &node_type, &(node){ROOT}, 1);
    weir_loop *loop = weir_loop_begin(flow, "reach");
    weir_stream found = weir_variable(loop, weir_enter(loop, roots));
    weir_stream reached = weir_distinct(found);
    weir_variable_set(found, weir_join(reached, BY_NODE, weir_enter(loop, edges), BY_SRC, &follow));
    weir_stream result = weir_leave(loop, reached);
    ends_out->probe = weir_probe_new(weir_inspect_with(result, &add_node, part));
}

const struct bench_collection bench_reach = {
    .name = "reach", .build = build_reach, .push = bench_edges_push};

/* ---- bfs ----------------------------------------------------------------------------- */

WEIR_JOIN(step, label, edge, label)
{
    *out = (label){b->dst, a->label + 1};
}

static void build_levels(weir_dataflow *flow, const struct bench_args *args,
                         struct bench_part *part, struct bench_ends *ends_out)
{
    (void)args;
    weir_stream edges = bench_edges_input(flow, ends_out);
    weir_stream roots = weir_from_rows(flow, &label_type, &(label){ROOT, 0}, 1);
    weir_loop *loop = weir_loop_begin(flow, "bfs");
    weir_stream found = weir_variable(loop, weir_enter(loop, roots));
    weir_stream levels = weir_group_min(found, BY_LABELLED, WEIR_BY(label, label), &label_type);
    weir_variable_set(found,
                      weir_join(levels, BY_LABELLED, weir_enter(loop, edges), BY_SRC, &step));
    weir_stream result = weir_leave(loop, levels);
    ends_out->probe = weir_probe_new(weir_inspect_with(result, &add_label, part));
}

const struct bench_collection bench_levels = {
    .name = "bfs", .build = build_levels, .push = bench_edges_push};

/* ---- strongly connected components ---------------------------------------------------- */

WEIR_MAP(turn, edge, edge)
{
    *out = (edge){in->dst, in->src};
}
WEIR_MAP(own_label, edge, label)
{
    *out = (label){in->dst, in->dst};
}
/* A label greater than the other node's own is of no use there. */
WEIR_JOIN_SOME(pass_on, label, edge, label)
{
    *out = (label){b->dst, a->label};
    return a->label < b->dst;
}
/* Small labels start first, so that most of the others find their place taken. */
WEIR_ROUTE(start_round, label)
{
    return in->label ? 64 * (32 - (uint64_t)__builtin_clz(in->label)) : 0;
}
WEIR_JOIN(label_src, edge, label, labelled)
{
    *out = (labelled){a->src, a->dst, b->label};
}
WEIR_JOIN_SOME(label_dst, labelled, label, edge)
{
    *out = (edge){a->dst, a->src};
    return a->label == b->label;
}

/* The edges, turned around, whose ends have one label: of all nodes that lead to an end along
 * edges of `along`, and of itself if an edge leads to it, the least. */
static weir_stream trim(weir_loop *in, weir_stream along, weir_stream edges)
{
    weir_loop *loop = weir_loop_begin(in, "labels");
    weir_stream own = weir_consolidate(weir_map(edges, &own_label));
    weir_stream heard = weir_variable(loop, weir_enter_at(loop, own, &start_round, NULL));
    weir_stream least = weir_group_min(heard, BY_LABELLED, WEIR_BY(label, label), &label_type);
    weir_variable_set(heard,
                      weir_join(least, BY_LABELLED, weir_enter(loop, along), BY_SRC, &pass_on));
    weir_stream labels = weir_leave(loop, least);
    weir_stream half = weir_join(edges, BY_SRC, labels, BY_LABELLED, &label_src);
    return weir_join(half, WEIR_BY(labelled, dst), labels, BY_LABELLED, &label_dst);
}

/* An edge stays as long as its ends have one label both along the edges that are left and
 * against them. The peer's program is that of its library: the same, but there all labels start
 * at once and go everywhere. */
static void build_scc(weir_dataflow *flow, const struct bench_args *args, struct bench_part *part,
                      struct bench_ends *ends_out)
{
    (void)args;
    weir_stream edges = bench_edges_input(flow, ends_out);
    weir_loop *loop = weir_loop_begin(flow, "scc");
    weir_stream forth = weir_enter(loop, edges);
    weir_stream back = weir_enter(loop, weir_map(edges, &turn));
    weir_stream left = weir_variable(loop, forth);
    weir_stream result = trim(loop, trim(loop, left, forth), back);
    weir_variable_replace(left, result);
    ends_out->probe = weir_probe_new(weir_inspect_with(weir_leave(loop, result), &add_edge, part));
}

const struct bench_collection bench_scc = {
    .name = "scc", .build = build_scc, .push = bench_edges_push};

/* ---- transitive closure --------------------------------------------------------------- */

WEIR_JOIN(extend, edge, edge, edge)
{
    *out = (edge){a->src, b->dst};
}

static void build_closure(weir_dataflow *flow, const struct bench_args *args,
                          struct bench_part *part, struct bench_ends *ends_out)
{
    (void)args;
    /* no edge is taken away, and a second one of the same two nodes makes no difference */
    weir_stream edges = weir_distinct_growing(bench_edges_input(flow, ends_out));
    weir_loop *loop = weir_loop_begin(flow, "closure");
    weir_stream edges_in = weir_enter(loop, edges);
    weir_stream found = weir_variable(loop, edges_in);
    weir_stream pairs = weir_distinct_growing(found);
    weir_variable_set(found, weir_join(pairs, BY_DST, edges_in, BY_SRC, &extend));
    ends_out->probe = weir_probe_new(weir_inspect_with(weir_leave(loop, pairs), &add_edge, part));
}

/* A search from every node. */
static void closure_naive(const struct bench_args *args, uint64_t totals_out[2])
{
    uint64_t nodes = args->nodes, edges = args->edges;
    uint64_t *begin = WI_NEWS(uint64_t, nodes + 2);
    uint32_t *targets = WI_NEWS(uint32_t, edges + 1), *waiting = WI_NEWS(uint32_t, nodes);
    uint64_t *seen = WI_NEWS(uint64_t, nodes);
    uint32_t src, dst;
    totals_out[0] = totals_out[1] = 0;
    for (uint64_t i = 0; i < edges; i++) {
        bench_edge(i, nodes, &src, &dst);
        begin[src + 2]++;
    }
    for (uint64_t n = 0; n < nodes; n++)
        begin[n + 2] += begin[n + 1];
    for (uint64_t i = 0; i < edges; i++) {
        bench_edge(i, nodes, &src, &dst);
        targets[begin[src + 1]++] = dst;
    }
    for (uint32_t from = 0; from < nodes; from++) {
        uint64_t taken = 0, known = 0;
        for (uint32_t at = from;; at = waiting[taken++]) {
            for (uint64_t i = begin[at]; i < begin[at + 1]; i++) {
                if (seen[targets[i]] == from + 1)
                    continue;
                seen[targets[i]] = from + 1;
                waiting[known++] = targets[i];
                totals_out[1] += bench_change_hash(from, targets[i], 0);
            }
            if (taken == known)
                break;
        }
        totals_out[0] += known;
    }
    wi_free(begin);
    wi_free(targets);
    wi_free(waiting);
    wi_free(seen);
}

const struct bench_collection bench_closure = {
    .name = "closure", .build = build_closure, .push = bench_edges_push, .naive = closure_naive};
