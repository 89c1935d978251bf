/* The strongly connected components of a graph, as edges come and go.
 *
 *     scc --edges base.tsv --updates updates.tsv --at 0,196,1255 -w 2
 *
 * Prints `txn components N` and `txn size S N`: N components have S nodes. Nodes are those
 * that have an edge.
 *
 * Nodes that no edge reaches, or none leaves, are components of their own. First they are taken
 * away with their edges, again and again, which costs little: what is left lies on cycles or
 * between them.
 *
 * In a loop, edges are then taken away that lead from one component to another, until none is
 * left. Each round looks from where (by least label) both ends of an edge are reached along
 * the edges that remain: from different nodes, if the edge is between components, though not
 * only then. Then the same against their direction. When nothing goes any more, all nodes that
 * hang together have the same least label in both directions: its node reaches them all, and
 * they all reach it. */
#include "graph/common.h"

#define HALF(F) F(u64, src) F(u64, dst) F(u64, label)
WEIR_ROW(half, HALF)

enum { COMPONENTS, SIZE };
static const answer_line lines[] = {{"components", LINE_TOTAL}, {"size", LINE_KEYED}, {0}};

WEIR_JOIN(label_src, edge, label, half)
{
    *out = (half){a->src, a->dst, b->label};
}

/* The edge, turned around, if its ends have the same label. */
WEIR_JOIN_SOME(same_label, half, label, edge)
{
    *out = (edge){a->dst, a->src};
    return a->label == b->label;
}

/* The edges, turned around, whose ends are reached from the same node. */
static weir_stream trim(weir_scope *scope, weir_stream edges, weir_stream own,
                        weir_stream *labels_out)
{
    weir_stream labels = graph_least_labels(scope, edges, own);
    weir_key by_node = WEIR_BY(label, node);
    weir_stream halves = weir_join(edges, WEIR_BY(edge, src), labels, by_node, &label_src);
    *labels_out = labels;
    return weir_join(halves, WEIR_BY(half, dst), labels, by_node, &same_label);
}

WEIR_MAP(dst_of, edge, node)
{
    out->id = in->dst;
}

/* The edges, turned around, to which ways lead from cycles: what is left when edges of nodes that
 * no edge reaches are taken away, again and again. */
static weir_stream behind_cycles(weir_dataflow *flow, weir_stream edges)
{
    weir_key by_src = WEIR_BY(edge, src), by_id = WEIR_BY(node, id);
    weir_loop *loop = weir_loop_begin(flow, "behind_cycles");
    weir_stream all = weir_enter(loop, edges);
    weir_stream left = weir_variable(loop, all);
    weir_stream reached = weir_distinct(weir_map(left, &dst_of));
    weir_stream next = weir_semijoin(all, by_src, reached, by_id);
    weir_variable_replace(left, next);
    return graph_reversed(weir_leave(loop, next));
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_stream edges = relations[0];
    weir_stream on_cycles = behind_cycles(flow, behind_cycles(flow, edges)); /* or between */
    weir_loop *loop = weir_loop_begin(flow, "scc");
    weir_stream own = weir_enter(loop, graph_own_labels(graph_ends(edges)));
    weir_stream left = weir_variable(loop, weir_enter(loop, on_cycles));
    weir_stream forward, backward;
    weir_stream turned = trim(loop, left, own, &forward);
    weir_variable_replace(left, trim(loop, turned, own, &backward));
    return answer_groups(weir_leave(loop, forward), COMPONENTS, SIZE);
}

static const graph_program program = {.about =
                                          "The strongly connected components of a changing graph.",
                                      .lines = lines,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
