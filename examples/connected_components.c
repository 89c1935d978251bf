/* Connected components of a random graph: each worker keeps a forest over the edges that it
 * sees and passes on only those that join two trees; worker 0 does the same with what is
 * left. Every edge that remains makes one component fewer.
 *
 *     connected_components -w 4 */
#include <stdio.h>

#include <weir/weir.h>

#define NODES 100000
#define EDGES 80000

#define EDGE(F) F(u64, a) F(u64, b)
#define TALLY(F) F(i64, count)
WEIR_ROW(edge, EDGE)
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

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    uint64_t *parent = weir_op_state(op); /* of each node, plus one; 0: a root */
    for (uint32_t i = 0; i < batch->count; i++) {
        edge root = *edge_at(batch, i);
        while (parent[root.a])
            root.a = parent[root.a] - 1;
        while (parent[root.b])
            root.b = parent[root.b] - 1;
        if (root.a == root.b)
            continue;
        parent[root.a] = root.b + 1;
        edge_push(weir_send_at(op, 0, &batch->time), *edge_at(batch, i));
    }
}

static const weir_operator join_trees = {
    .name = "join_trees", .state_bytes = NODES * sizeof(uint64_t), .batch = on_batch};

WEIR_MAP(components, tally, tally)
{
    out->count = NODES - in->count;
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    weir_stream edges = weir_generate(flow, &edge_type, make_edges, 0, NULL);
    weir_stream mine = weir_unary(edges, WEIR_LOCAL, &join_trees, &edge_type, NULL);
    weir_stream all = weir_unary(mine, WEIR_GATHER(0), &join_trees, &edge_type, NULL);
    weir_stream joining = weir_count(all, WEIR_BY_NOTHING(edge), &tally_type);
    weir_print(weir_map(joining, &components), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
