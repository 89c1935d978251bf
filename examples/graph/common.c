/* Pieces of dataflow that several graph programs use. */
#include "common.h"

/* ---- graphs ----------------------------------------------------------------------------- */

WEIR_MAP(reverse, edge, edge)
{
    *out = (edge){in->dst, in->src};
}

WEIR_MAP(src_of, edge, node)
{
    out->id = in->src;
}

WEIR_FLAT_MAP(both_ends, edge, node)
{
    node_push(out, (node){in->src});
    node_push(out, (node){in->dst});
}

/* From the smaller to the greater node. */
WEIR_FILTER_MAP(in_order, edge, edge)
{
    *out = in->src < in->dst ? (edge){in->src, in->dst} : (edge){in->dst, in->src};
    return in->src != in->dst;
}

WEIR_FLAT_MAP(both_ways, edge, edge)
{
    edge_push(out, (edge){in->src, in->dst});
    edge_push(out, (edge){in->dst, in->src});
}

weir_stream graph_reversed(weir_stream edges)
{
    return weir_map(edges, &reverse);
}

weir_stream graph_sources(weir_stream edges)
{
    return weir_map(edges, &src_of);
}

weir_stream graph_ends(weir_stream edges)
{
    return weir_distinct(weir_flat_map(edges, &both_ends));
}

/* Each pair of neighbours once. */
static weir_stream plain_of(weir_stream edges)
{
    return weir_distinct(weir_filter_map(edges, &in_order));
}

weir_stream graph_undirected(weir_stream edges)
{
    return weir_flat_map(plain_of(edges), &both_ways);
}

/* ---- edges, directed -------------------------------------------------------------------- */

#define SIZED(F) F(u64, node) F(u64, size)
#define HALF(F) F(u64, low) F(u64, high) F(u64, low_size)
WEIR_ROW(sized, SIZED)
WEIR_ROW(half, HALF)

WEIR_MAP(size_of, tally, sized)
{
    *out = (sized){in->key, 64 - (uint64_t)__builtin_clzll((uint64_t)in->count)};
}

WEIR_JOIN(size_low, edge, sized, half)
{
    *out = (half){a->src, a->dst, b->size};
}

WEIR_JOIN(direct, half, sized, edge)
{
    *out = a->low_size <= b->size ? (edge){a->low, a->high} : (edge){a->high, a->low};
}

weir_stream graph_directed(weir_stream edges)
{
    weir_stream plain = plain_of(edges);
    weir_stream degrees =
        weir_group_count(weir_flat_map(plain, &both_ends), WEIR_BY(node, id), &tally_type);
    weir_stream sizes = weir_consolidate(weir_map(degrees, &size_of));
    weir_key of = WEIR_BY(sized, node);
    weir_stream halves = weir_join(plain, WEIR_BY(edge, src), sizes, of, &size_low);
    return weir_consolidate(weir_join(halves, WEIR_BY(half, high), sizes, of, &direct));
}

/* ---- labels ----------------------------------------------------------------------------- */

/* A permutation of the numbers. */
uint64_t graph_label(uint64_t id)
{
    id = (id ^ id >> 32) * 0x9e3779b97f4a7c15u;
    id = (id ^ id >> 29) * 0xbf58476d1ce4e5b9u;
    return id ^ id >> 32;
}

WEIR_MAP(own_label, node, label)
{
    *out = (label){in->id, graph_label(in->id)};
}

/* Only what is less than the other node's own label can be of use to it. */
WEIR_JOIN_SOME(pass_on, label, edge, label)
{
    *out = (label){b->dst, a->label};
    return a->label < graph_label(b->dst);
}

/* Some rounds lie between magnitudes. */
uint64_t graph_label_round(uint64_t of)
{
    return of ? 64 * (uint64_t)(64 - __builtin_clzll(of)) : 0;
}

WEIR_ROUTE(start_round, label)
{
    return graph_label_round(in->label);
}

weir_stream graph_own_labels(weir_stream nodes)
{
    return weir_map(nodes, &own_label);
}

weir_stream graph_least_labels(weir_scope *scope, weir_stream edges, weir_stream own)
{
    weir_loop *loop = weir_loop_begin(scope, "least_labels");
    weir_stream along = weir_enter(loop, edges);
    weir_stream offers = weir_variable(loop, weir_enter_at(loop, own, &start_round, NULL));
    weir_stream least =
        weir_group_min(offers, WEIR_BY(label, node), WEIR_BY(label, label), &label_type);
    weir_variable_set(offers,
                      weir_join(least, WEIR_BY(label, node), along, WEIR_BY(edge, src), &pass_on));
    return weir_leave(loop, least);
}

/* ---- answers ---------------------------------------------------------------------------- */

#define SUM(F) F(i64, value)
WEIR_ROW(sum, SUM)

WEIR_MAP(keyed_line, tally, answer)
{
    *out = (answer){(uintptr_t)arg, in->key, in->count};
}

WEIR_MAP(total_line, sum, answer)
{
    *out = (answer){(uintptr_t)arg, 0, in->value};
}

WEIR_MAP(label_of, label, node)
{
    out->id = in->label;
}

WEIR_MAP(count_of, tally, node)
{
    out->id = (uint64_t)in->count;
}

/* Counts of counts: no worker sees all rows. */
static weir_stream total_of(weir_stream tallies, uint64_t line)
{
    weir_stream total =
        weir_group_sum(tallies, WEIR_BY_NOTHING(tally), WEIR_BY(tally, count), &sum_type);
    return weir_map_with(total, &total_line, (void *)(uintptr_t)line);
}

weir_stream answer_total(weir_stream nodes, uint64_t line)
{
    return total_of(weir_group_count(nodes, WEIR_BY(node, id), &tally_type), line);
}

weir_stream answer_histogram(weir_stream nodes, uint64_t line)
{
    weir_stream counts = weir_group_count(nodes, WEIR_BY(node, id), &tally_type);
    return weir_map_with(counts, &keyed_line, (void *)(uintptr_t)line);
}

weir_stream answer_groups(weir_stream labels, uint64_t line, uint64_t size_line)
{
    weir_stream groups =
        weir_group_count(weir_map(labels, &label_of), WEIR_BY(node, id), &tally_type);
    weir_stream sizes =
        weir_group_count(weir_map(groups, &count_of), WEIR_BY(node, id), &tally_type);
    weir_stream by_size = weir_map_with(sizes, &keyed_line, (void *)(uintptr_t)size_line);
    return weir_concat(total_of(sizes, line), by_size);
}
