/* The core numbers of a graph, as edges come and go: a node's is the largest K such that it
 * belongs to a part of the graph in which every node has at least K neighbours.
 *
 *     kcore --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn core K N`: the core number of N nodes is K. Directions and loops are ignored.
 *
 * Each node guesses its number: at first something above its number of neighbours, then, round
 * by round, the largest h such that h neighbours guess h or more. Guesses only fall, and where
 * they stay are the core numbers (Lu, Zhou, Zhang, Stanley, Nature Communications 7, 2016).
 *
 * A node tells no neighbour a greater number than that one's first guess, which would change
 * nothing for it: so what happens to a node with many neighbours does not concern all of them.
 * First guesses are powers of two, that they seldom change. */
#include "graph/common.h"

#define GUESS(F) F(u64, node) F(i64, core)
#define LINK(F) F(u64, src) F(u64, dst) F(i64, most)
WEIR_ROW(guess, GUESS)
WEIR_ROW(link, LINK)

static const answer_line lines[] = {{"core", LINE_KEYED}, {0}};

WEIR_MAP(core_of, guess, node)
{
    out->id = (uint64_t)in->core;
}

WEIR_MAP(first_guess, tally, guess)
{
    *out = (guess){in->key, (int64_t)2 << (63 - __builtin_clzll((uint64_t)in->count))};
}

WEIR_JOIN(with_most, edge, guess, link)
{
    *out = (link){a->src, a->dst, b->core};
}

WEIR_JOIN(tell, guess, link, guess)
{
    *out = (guess){b->dst, a->core < b->most ? a->core : b->most};
}

/* Guesses are in ascending order: from the last one on, count until as many as it says. */
WEIR_REDUCE(h_index, guess, guess)
{
    int64_t h = 0, many = 0;
    for (uint32_t i = count; i-- > 0 && h < in[i].core;) {
        many += counts[i];
        int64_t with_this = many < in[i].core ? many : in[i].core;
        h = with_this > h ? with_this : h;
    }
    guess_push(out, (guess){.core = h});
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_key by_node = WEIR_BY(guess, node);
    weir_stream edges = graph_undirected(relations[0]);
    weir_stream degrees = weir_group_count(graph_sources(edges), WEIR_BY(node, id), &tally_type);
    weir_stream first = weir_consolidate(weir_map(degrees, &first_guess));
    weir_stream links = weir_join(edges, WEIR_BY(edge, dst), first, by_node, &with_most);
    weir_loop *loop = weir_loop_begin(flow, "kcore");
    weir_stream links_in = weir_enter(loop, links);
    weir_stream guesses = weir_variable(loop, weir_enter(loop, first));
    weir_stream heard = weir_join(guesses, by_node, links_in, WEIR_BY(link, src), &tell);
    weir_stream better = weir_reduce(heard, by_node, &h_index);
    weir_variable_replace(guesses, better);
    return answer_histogram(weir_map(weir_leave(loop, better), &core_of), 0);
}

static const graph_program program = {
    .about = "The core numbers of a changing graph.", .lines = lines, .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
