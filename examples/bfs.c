/* Breadth-first search in a loop: how many nodes of a random graph are how many steps away
 * from node 0. Round r carries the nodes that paths of r edges reach; they are looked at
 * when the round is complete, since only then the shortest paths are known.
 *
 *     bfs -w 2 */
#include <stdio.h>

#include <weir/weir.h>

#define NODES 20000
#define EDGES 60000

#define EDGE(F) F(u64, src) F(u64, dst)
#define NODE(F) F(u64, id)
#define DISTANCE(F) F(u64, steps)
#define TALLY(F) F(u64, steps) F(i64, nodes)
WEIR_ROW(edge, EDGE)
WEIR_ROW(node, NODE)
WEIR_ROW(distance, DISTANCE)
WEIR_ROW(tally, TALLY)

/* Each worker makes its share of the edges. */
static weir_more make_edges(weir_source *source, WEIR_UNUSED void *state, WEIR_UNUSED void *arg)
{
    weir_worker *worker = weir_source_worker(source);
    for (uint64_t k = weir_worker_index(worker); k < EDGES; k += weir_worker_count(worker)) {
        uint64_t random = (k + 1) * 0x9e3779b97f4a7c15u;
        random = (random ^ random >> 30) * 0xbf58476d1ce4e5b9u;
        edge_push(weir_source_out(source), (edge){(random >> 40) % NODES, (random >> 8) % NODES});
    }
    return WEIR_DONE;
}

typedef struct search {
    bool seen[NODES];
    uint32_t first[NODES]; /* a node's last edge, 0: none */
    uint32_t dst[EDGES + 1], before[EDGES + 1], edge_count;
} search;

typedef struct round {
    bool reaches[NODES];
} round;

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    search *s = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count && input == 0; i++) {
        uint64_t src = edge_at(batch, i)->src;
        s->dst[++s->edge_count] = (uint32_t)edge_at(batch, i)->dst;
        s->before[s->edge_count] = s->first[src];
        s->first[src] = s->edge_count;
    }
    for (uint32_t i = 0; i < batch->count && input == 1; i++) {
        round *r = weir_notify_state(op, weir_batch_time(batch, i), sizeof *r);
        r->reaches[node_at(batch, i)->id] = true;
    }
}

static void on_notify(weir_op *op, const weir_time *time, void *state)
{
    search *s = weir_op_state(op);
    const round *r = state;
    for (uint64_t id = 0; id < NODES; id++) {
        if (!r->reaches[id] || s->seen[id])
            continue;
        s->seen[id] = true;
        distance_push(weir_send_at(op, 1, time), (distance){time->at[1]});
        for (uint32_t e = s->first[id]; e; e = s->before[e])
            node_push(weir_send_at(op, 0, time), (node){s->dst[e]});
    }
}

static const weir_operator visit = {
    .name = "visit", .state_bytes = sizeof(search), .batch = on_batch, .notify = on_notify};

WEIR_ROUTE(by_src, edge) { return in->src; }
WEIR_ROUTE(by_id, node) { return in->id; }

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    weir_stream edges = weir_generate(flow, &edge_type, make_edges, 0, NULL);
    weir_stream root = weir_from_rows(flow, &node_type, &(node){0}, 1);
    weir_loop *loop = weir_loop_begin(flow, "search");
    weir_stream reached = weir_variable(loop, weir_enter(loop, root));
    weir_builder *builder = weir_operator_begin(loop, &visit, NULL);
    weir_builder_input(builder, weir_enter(loop, edges), WEIR_ROUTED(&by_src, NULL));
    weir_builder_input(builder, reached, WEIR_ROUTED(&by_id, NULL));
    weir_stream next = weir_builder_output(builder, &node_type);
    weir_stream found = weir_builder_output(builder, &distance_type);
    weir_operator_end(builder);
    weir_variable_set(reached, next);
    weir_stream distances = weir_leave(loop, found);
    weir_print(weir_count(distances, WEIR_BY(distance, steps), &tally_type), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
