/* How many cliques of 3, 4, ... nodes does a graph have, directions ignored, as edges come and
 * go? In a clique, every node is every other's neighbour.
 *
 *     cliques --edges base.tsv --updates updates.tsv --at 0,196,1255 --size 4 -w 2
 *
 * Prints `txn cliques K N`: N cliques have K nodes, for K from 3 to --size, if there are any.
 *
 * Each edge is directed (graph_directed), which puts the nodes of a clique in order. A clique
 * of K nodes is then two of K - 1 that differ in the last node alone, and the edge between
 * these two. Whenever one of the three changes, the others are looked up as they are at that
 * moment; so smaller cliques are stored, but none of the pairs without an edge between them. */
#include "graph/common.h"

#define CLIQUE_MAX 6
/* The nodes but the last, the latest first, then zeros. */
#define CLIQUE(F) F(u64, a) F(u64, b) F(u64, c) F(u64, d) F(u64, last)
#define PAIR(F) F(u64, a) F(u64, b) F(u64, c) F(u64, d) F(u64, y) F(u64, z)
WEIR_ROW(clique, CLIQUE)
WEIR_ROW(pair, PAIR) /* of cliques: those with y and with z as their last node */

#define BY_REST(row, ...) WEIR_BY(row, a, b, c, d, ##__VA_ARGS__)

static uint64_t size = 4;
static const answer_line lines[] = {{"cliques", LINE_KEYED}, {0}};

WEIR_MAP(clique_of_two, edge, clique)
{
    *out = (clique){.a = in->src, .last = in->dst};
}

WEIR_JOIN(y_then_z, clique, clique, pair)
{
    *out = (pair){a->a, a->b, a->c, a->d, a->last, b->last};
}

WEIR_JOIN(z_then_y, clique, clique, pair)
{
    *out = (pair){a->a, a->b, a->c, a->d, b->last, a->last};
}

WEIR_JOIN(edge_then_y, edge, clique, pair)
{
    *out = (pair){b->a, b->b, b->c, b->d, a->src, a->dst};
}

/* The third is there, too. CLIQUE_MAX sees to it that d is not needed. */
WEIR_JOIN(has_edge, pair, edge, clique)
{
    *out = (clique){a->y, a->a, a->b, a->c, a->z};
}

WEIR_JOIN(has_z, pair, clique, clique)
{
    *out = (clique){a->y, a->a, a->b, a->c, a->z};
}

/* Cliques with one more node than these. */
static weir_stream larger(weir_stream cliques, weir_stream edges)
{
    enum { Y, Z, EDGE_YZ };
    weir_key rest = BY_REST(clique), last = WEIR_BY(clique, last), whole = BY_REST(clique, last);
    weir_key ends = WEIR_BY(edge, src, dst), yz = WEIR_BY(pair, y, z);
    weir_stream parts[] = {cliques, cliques, edges};
    weir_delta_step steps[] = {
        {Z, rest, rest, &y_then_z},
        {EDGE_YZ, yz, ends, &has_edge}, /* when the one with y changes */
        {Y, rest, rest, &z_then_y},
        {EDGE_YZ, yz, ends, &has_edge}, /* when the one with z does */
        {Y, WEIR_BY(edge, src), last, &edge_then_y},
        {Z, BY_REST(pair, z), whole, &has_z},
    };
    return weir_delta_join(parts, 3, steps);
}

/* ---- the answer ------------------------------------------------------------------------- */

WEIR_MAP(latest_of, clique, node)
{
    out->id = in->a;
}

WEIR_MAP(of_size, answer, answer)
{
    *out = (answer){in->line, (uintptr_t)arg, in->value};
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    if (size < 3 || size > CLIQUE_MAX) {
        weir_scope_fail(flow, "--size is a number from 3 to %d", CLIQUE_MAX);
        size = 3;
    }
    weir_stream counts[CLIQUE_MAX + 1];
    weir_stream edges = graph_directed(relations[0]);
    weir_stream cliques = weir_map(edges, &clique_of_two);
    for (uintptr_t k = 3; k <= size; k++) {
        cliques = larger(cliques, edges);
        weir_stream count = answer_total(weir_map(cliques, &latest_of), 0);
        counts[k] = weir_map_with(count, &of_size, (void *)k);
    }
    return weir_concat_all(counts + 3, (uint32_t)size - 2);
}

static const weir_option options[] = {
    {.name = "size", .value = "K", .help = "the largest cliques to count (4)", .number = &size},
    {0}};
static const graph_program program = {.about = "How many cliques does a changing graph have?",
                                      .lines = lines,
                                      .options = options,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
