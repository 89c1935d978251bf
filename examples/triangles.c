/* How many triangles does a graph have, directions ignored, as edges come and go?
 *
 *     triangles --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn triangles N`.
 *
 * Each edge is directed from its end with fewer neighbours to the one with more, so that few
 * edges leave any node; "fewer" by powers of two, so that edges seldom turn around. A triangle
 * is then x -> y, x -> z, y -> z, found three times over, in a way: whenever one of its edges
 * changes, the two others are looked up as they are at that moment. Pairs of edges that wait
 * for a third, of which there are far more than triangles, are never stored. */
#include "graph/common.h"

#define SIZED(F) F(u64, node) F(u64, size)
#define HALF(F) F(u64, low) F(u64, high) F(u64, low_size)
#define WEDGE(F) F(u64, x) F(u64, y) F(u64, z)
WEIR_ROW(sized, SIZED)
WEIR_ROW(half, HALF)
WEIR_ROW(wedge, WEDGE)

static const answer_line lines[] = {{"triangles", LINE_TOTAL}, {0}};

/* ---- edges, directed -------------------------------------------------------------------- */

WEIR_FILTER_MAP(in_order, edge, edge)
{
    *out = in->src < in->dst ? (edge){in->src, in->dst} : (edge){in->dst, in->src};
    return in->src != in->dst;
}

WEIR_FLAT_MAP(ends, edge, node)
{
    node_push(out, (node){in->src});
    node_push(out, (node){in->dst});
}

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

static weir_stream directed(weir_stream edges)
{
    weir_stream plain = weir_distinct(weir_filter_map(edges, &in_order));
    weir_stream degrees =
        weir_group_count(weir_flat_map(plain, &ends), WEIR_BY(node, id), &tally_type);
    weir_stream sizes = weir_consolidate(weir_map(degrees, &size_of));
    weir_key of = WEIR_BY(sized, node);
    weir_stream halves = weir_join(plain, WEIR_BY(edge, src), sizes, of, &size_low);
    return weir_consolidate(weir_join(halves, WEIR_BY(half, high), sizes, of, &direct));
}

/* ---- triangles -------------------------------------------------------------------------- */

/* The first edge of a triangle and what the second adds. */
WEIR_JOIN(xy_then_xz, edge, edge, wedge)
{
    *out = (wedge){a->src, a->dst, b->dst};
}

WEIR_JOIN(xz_then_xy, edge, edge, wedge)
{
    *out = (wedge){a->src, b->dst, a->dst};
}

WEIR_JOIN(yz_then_xy, edge, edge, wedge)
{
    *out = (wedge){b->src, a->src, a->dst};
}

/* The third is there, too. */
WEIR_JOIN(closed, wedge, edge, node)
{
    out->id = a->x;
}

static weir_stream triangles(weir_stream edges)
{
    enum { XY, XZ, YZ };
    weir_key src = WEIR_BY(edge, src), dst = WEIR_BY(edge, dst), both = WEIR_BY(edge, src, dst);
    weir_key yz = WEIR_BY(wedge, y, z), xz = WEIR_BY(wedge, x, z);
    weir_stream sides[] = {edges, edges, edges};
    weir_delta_step steps[] = {
        {XZ, src, src, &xy_then_xz}, {YZ, yz, both, &closed}, /* when x -> y changes */
        {XY, src, src, &xz_then_xy}, {YZ, yz, both, &closed}, /* when x -> z changes */
        {XY, src, dst, &yz_then_xy}, {XZ, xz, both, &closed}, /* when y -> z changes */
    };
    return weir_delta_join(sides, 3, steps);
}

static weir_stream build(WEIR_UNUSED weir_dataflow *flow, const weir_stream *relations)
{
    return answer_total(triangles(directed(relations[0])), 0);
}

static const graph_program program = {
    .about = "How many triangles does a changing graph have?", .lines = lines, .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
