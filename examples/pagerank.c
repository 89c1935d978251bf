/* The PageRank of a graph's nodes, as edges come and go.
 *
 *     pagerank --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn rank NODE VALUE` for the 20 nodes of highest rank. Nodes are those that have an
 * edge. All n begin with rank 1/n; a round gives each 0.15/n, 0.85 of what its predecessors
 * pass on (each its rank, in equal parts along its edges), and its part, 1/n, of 0.85 of the
 * ranks of nodes that no edge leaves. --leak drops the last, so that a change of the graph
 * need not change every rank.
 *
 * Ranks are fixed-point numbers, so sums do not depend on their order, and n times what they
 * should be until they are printed, so that one more node does not change them all. The sum of
 * all ranks must fit into 63 bits: that is a graph of 8 million nodes. */
#include "graph/common.h"

#define ONE ((int64_t)1 << 40)
#define BUCKETS 64
#define TOP 20

#define RANK(F) F(u64, node) F(i64, value)
#define LINK(F) F(u64, src) F(u64, dst) F(i64, degree)
#define PART(F) F(u64, bucket) F(i64, value)
#define SUM(F) F(i64, value)
#define MEMBER(F) F(u64, bucket) F(u64, node)
#define RANKED(F) F(u64, bucket) F(i64, value) F(u64, node)
WEIR_ROW(rank, RANK)
WEIR_ROW(link, LINK)
WEIR_ROW(part, PART)
WEIR_ROW(sum, SUM)
WEIR_ROW(member, MEMBER)
WEIR_ROW(ranked, RANKED)

static uint64_t rounds = 20;
static bool leak;

static const answer_line lines[] = {{"rank", LINE_SHARE}, {0}};

/* ---- the graph -------------------------------------------------------------------------- */

WEIR_JOIN(link_of, edge, tally, link)
{
    *out = (link){a->src, a->dst, b->count};
}

WEIR_MAP(rank_one, node, rank)
{
    *out = (rank){in->id, ONE};
}

WEIR_MAP(rank_nothing, node, rank)
{
    out->node = in->id;
}

WEIR_MAP(part_one, node, part)
{
    *out = (part){in->id % BUCKETS, 1};
}

WEIR_MAP(member_of, node, member)
{
    *out = (member){in->id % BUCKETS, in->id};
}

/* The sum of all parts: those of each bucket first, so that all workers help. */
static weir_stream sum_of(weir_stream parts)
{
    weir_key value = WEIR_BY(part, value);
    weir_stream sums = weir_group_sum(parts, WEIR_BY(part, bucket), value, &part_type);
    return weir_group_sum(sums, WEIR_BY_NOTHING(part), value, &sum_type);
}

/* ---- a round ---------------------------------------------------------------------------- */

WEIR_JOIN(pass_on, rank, link, rank)
{
    *out = (rank){b->dst, (a->value + b->degree / 2) / b->degree};
}

WEIR_JOIN(lost, rank, node, part)
{
    *out = (part){a->node % BUCKETS, a->value};
}

WEIR_JOIN(divide, sum, sum, sum)
{
    out->value = a->value / b->value;
}

WEIR_FLAT_MAP(to_buckets, sum, part)
{
    for (uint64_t bucket = 0; bucket < BUCKETS; bucket++)
        part_push(out, (part){bucket, in->value});
}

WEIR_JOIN(give, part, member, rank)
{
    *out = (rank){b->node, a->value};
}

WEIR_MAP(damp, rank, rank)
{
    int64_t whole = in->value / 100, rest = in->value % 100;
    *out = (rank){in->node, ONE / 100 * 15 + whole * 85 + rest * 85 / 100};
}

/* What each node gets of the ranks of nodes that no edge leaves. */
static weir_stream given_back(weir_loop *loop, weir_stream ranks, weir_stream nodes,
                              weir_stream edges, weir_stream count)
{
    weir_stream ends = weir_antijoin(nodes, WEIR_BY(node, id), edges, WEIR_BY(edge, src));
    weir_stream losses =
        weir_join(ranks, WEIR_BY(rank, node), weir_enter(loop, ends), WEIR_BY(node, id), &lost);
    weir_stream each = weir_join(sum_of(losses), WEIR_BY_NOTHING(sum), weir_enter(loop, count),
                                 WEIR_BY_NOTHING(sum), &divide);
    weir_stream members = weir_enter(loop, weir_map(nodes, &member_of));
    return weir_join(weir_flat_map(each, &to_buckets), WEIR_BY(part, bucket), members,
                     WEIR_BY(member, bucket), &give);
}

static weir_stream rank_nodes(weir_dataflow *flow, weir_stream edges, weir_stream nodes,
                              weir_stream count)
{
    weir_stream degrees = weir_group_count(graph_sources(edges), WEIR_BY(node, id), &tally_type);
    weir_stream links =
        weir_join(edges, WEIR_BY(edge, src), degrees, WEIR_BY(tally, key), &link_of);
    weir_loop *loop = weir_loop_begin(flow, "pagerank");
    weir_stream ranks = weir_variable(loop, weir_enter(loop, weir_map(nodes, &rank_one)));
    weir_stream passed = weir_join(ranks, WEIR_BY(rank, node), weir_enter(loop, links),
                                   WEIR_BY(link, src), &pass_on);
    weir_stream nothing = weir_enter(loop, weir_map(nodes, &rank_nothing));
    weir_stream got = weir_concat(passed, nothing);
    if (!leak)
        got = weir_concat(got, given_back(loop, ranks, nodes, edges, count));
    weir_stream sums = weir_group_sum(got, WEIR_BY(rank, node), WEIR_BY(rank, value), &rank_type);
    weir_stream next = weir_map(sums, &damp);
    weir_variable_replace(ranks, next);
    weir_loop_rounds(loop, rounds);
    return weir_leave(loop, next);
}

/* ---- the answer ------------------------------------------------------------------------- */

WEIR_MAP(in_bucket, rank, ranked)
{
    *out = (ranked){in->node % BUCKETS, in->value, in->node};
}

WEIR_MAP(in_one_bucket, ranked, ranked)
{
    *out = (ranked){0, in->value, in->node};
}

WEIR_JOIN(as_share, ranked, sum, answer)
{
    __int128 share = ((__int128)a->value << 22) / b->value; /* of 2^62 */
    *out = (answer){.key = a->node, .value = (int64_t)share};
}

static weir_stream best_of(weir_stream all)
{
    weir_order order = {.by = WEIR_BY(ranked, value, node), .descending = 1};
    return weir_group_top(all, WEIR_BY(ranked, bucket), order, (weir_top){.limit = TOP});
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    if (rounds == 0)
        weir_scope_fail(flow, "--rounds must be at least 1");
    weir_stream edges = relations[0];
    weir_stream nodes = graph_ends(edges);
    weir_stream count = sum_of(weir_map(nodes, &part_one));
    weir_stream ranks = rank_nodes(flow, edges, nodes, count);
    weir_stream best = best_of(weir_map(ranks, &in_bucket));
    weir_stream best_of_all = best_of(weir_map(best, &in_one_bucket));
    return weir_join(best_of_all, WEIR_BY_NOTHING(ranked), count, WEIR_BY_NOTHING(sum), &as_share);
}

static const weir_option options[] = {
    {.name = "rounds", .value = "N", .help = "how many rounds (20)", .number = &rounds},
    {.name = "leak", .help = "ranks of nodes that no edge leaves are lost", .flag = &leak},
    {0}};
static const graph_program program = {.about = "The PageRank of a changing graph's nodes.",
                                      .lines = lines,
                                      .options = options,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
