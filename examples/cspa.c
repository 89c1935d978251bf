/* Which values and memory cells of a program may be the same, as its statements come and go?
 * A context-sensitive pointer analysis: three relations that need each other.
 *
 *     cspa --facts DIR --updates updates.tsv --at 0,1 -w 2
 *
 * reads Assign and Dereference (also called cspa_Assign, cspa_Dereference), `y x` a line.
 * Prints `txn memoryAlias N`, `txn valueAlias N`, `txn valueFlow N`, and `txn pairs N`, all
 * three together. In Datalog:
 *
 *     valueFlow(Y, X)   :- assign(Y, X).
 *     valueFlow(X, Y)   :- assign(X, Z), memoryAlias(Z, Y).
 *     valueFlow(X, Y)   :- valueFlow(X, Z), valueFlow(Z, Y).
 *     memoryAlias(X, W) :- dereference(Y, X), valueAlias(Y, Z), dereference(Z, W).
 *     valueAlias(X, Y)  :- valueFlow(Z, X), valueFlow(Z, Y).
 *     valueAlias(X, Y)  :- valueFlow(Z, X), memoryAlias(Z, W), valueFlow(W, Y).
 *
 * and valueFlow(X, X), memoryAlias(X, X) for every X in assign. The third rule is the
 * transitive closure of the first two, and done as such: a step at a time. The fifth gives
 * nothing that the sixth with memoryAlias(Z, Z) does not. */
#include "graph/common.h"

enum { ASSIGN, DEREFERENCE };
static const char *const relations_read[] = {"cspa_Assign|Assign", "cspa_Dereference|Dereference",
                                             NULL};
enum { MEMORY_ALIAS, PAIRS, VALUE_ALIAS, VALUE_FLOW };
static const answer_line lines[] = {{"memoryAlias", LINE_TOTAL},
                                    {"pairs", LINE_TOTAL},
                                    {"valueAlias", LINE_TOTAL},
                                    {"valueFlow", LINE_TOTAL},
                                    {0}};

WEIR_MAP(itself, node, edge)
{
    *out = (edge){in->id, in->id};
}

/* From (k, p) and (k, q): (p, q). */
WEIR_JOIN(meet, edge, edge, edge)
{
    *out = (edge){a->dst, b->dst};
}

/* From (p, k) and (k, q): (p, q). */
WEIR_JOIN(chain, edge, edge, edge)
{
    *out = (edge){a->src, b->dst};
}

static weir_stream total(weir_loop *loop, weir_stream pairs, uint64_t line)
{
    return answer_total(graph_sources(weir_leave(loop, pairs)), line);
}

static weir_stream build(weir_dataflow *flow, const weir_stream *relations)
{
    weir_key first = WEIR_BY(edge, src), second = WEIR_BY(edge, dst);
    weir_stream reflexive = weir_map(graph_ends(relations[ASSIGN]), &itself);
    weir_loop *loop = weir_loop_begin(flow, "cspa");
    weir_stream assign = weir_enter(loop, relations[ASSIGN]);
    weir_stream dereference = weir_enter(loop, relations[DEREFERENCE]);
    weir_stream memory_found = weir_variable(loop, weir_enter(loop, reflexive));
    weir_stream flow_found = weir_variable(loop, weir_enter(loop, reflexive));
    weir_stream memory = weir_distinct(memory_found);
    weir_stream flows = weir_distinct(flow_found);

    weir_stream through_memory = weir_join(assign, second, memory, first, &chain);
    weir_stream steps = weir_distinct(weir_concat(assign, through_memory));
    weir_variable_set(flow_found, weir_join(flows, second, steps, first, &chain));

    weir_stream ends = weir_distinct(weir_join(flows, first, memory, first, &meet)); /* x, w */
    weir_stream values = weir_distinct(weir_join(ends, second, flows, first, &chain));
    weir_stream behind = weir_join(dereference, first, values, first, &meet); /* x, z */
    weir_variable_set(memory_found,
                      weir_join(weir_distinct(behind), second, dereference, first, &chain));

    weir_stream pairs = weir_concat(memory, weir_concat(values, flows));
    weir_stream all[] = {total(loop, memory, MEMORY_ALIAS), total(loop, pairs, PAIRS),
                         total(loop, values, VALUE_ALIAS), total(loop, flows, VALUE_FLOW)};
    return weir_concat_all(all, 4);
}

static const graph_program program = {.about =
                                          "Which values and memory cells of a changing program "
                                          "may be the same?",
                                      .relations = relations_read,
                                      .lines = lines,
                                      .build = build};

int main(int argc, char **argv)
{
    return graph_main(argc, argv, &program);
}
