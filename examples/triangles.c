/* How many triangles does a graph have, directions ignored, as edges come and go?
 *
 *     triangles --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn triangles N`.
 *
 * Each edge is directed (graph_directed), so that few leave any node. A triangle is then
 * x -> y, x -> z, y -> z, found three times over, in a way: whenever one of its edges changes,
 * the two others are looked up as they are at that moment. Pairs of edges that wait for a
 * third, of which there are far more than triangles, are never stored. */
#include "graph/common.h"

#define WEDGE(F) F(u64, x) F(u64, y) F(u64, z)
WEIR_ROW(wedge, WEDGE)

static const answer_line lines[] = {{"triangles", LINE_TOTAL}, {0}};

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
    return answer_total(triangles(graph_directed(relations[0])), 0);
}

static const graph_program program = {
    .about = "How many triangles does a changing graph have?", .lines = lines, .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
