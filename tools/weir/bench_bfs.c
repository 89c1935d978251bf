/* Breadth-first search over a random directed graph, by a loop with one notification a round.
 * Each worker makes its share of the edges; they are exchanged by source and grouped when the
 * last has come; then nodes go round the loop, exchanged by node, one level a round. The clock
 * runs from before the first edge is made until the loop has drained. */
#include "bench_worker.h"

#include "base/alloc.h"

#include <string.h>

#define EDGE(F) F(u32, src) F(u32, dst)
#define NODE(F) F(u32, node)
WEIR_ROW(edge, EDGE)
WEIR_ROW(node, NODE)

WEIR_ROUTE(by_source, edge) { return in->src; }
WEIR_ROUTE(by_node, node) { return in->node; }

enum { EDGES_A_CALL = 1 << 16 };

/* ---- the edges -------------------------------------------------------------------------- */

struct generator {
    uint64_t made; /* edges of this worker's share */
};

static weir_more make_edges(weir_source *source, void *state, void *arg)
{
    struct generator *it = state;
    const struct bench_args *args = ((struct bench_run *)arg)->args;
    uint32_t index = weir_worker_index(weir_source_worker(source));
    uint64_t at = bench_share_begin(args->edges, index, args->workers) + it->made;
    uint64_t end = bench_share_begin(args->edges, index + 1, args->workers);
    if (end > at + EDGES_A_CALL)
        end = at + EDGES_A_CALL;
    it->made += end - at;
    weir_out *out = weir_source_out(source);
    for (; at < end; at++) {
        edge it_is;
        bench_edge(at, args->nodes, &it_is.src, &it_is.dst);
        edge_push(out, it_is);
    }
    return end == bench_share_begin(args->edges, index + 1, args->workers) ? WEIR_DONE : WEIR_MORE;
}

/* ---- the search ------------------------------------------------------------------------- */

/* Batches kept until a time is complete. */
struct pile {
    weir_batch **batches;
    unsigned count, capacity;
};

/* Node n of this worker is row n / workers. */
struct search {
    struct pile edges;
    uint64_t rows;
    uint32_t *offsets; /* of each row's targets */
    uint32_t *targets;
    uint32_t *levels; /* UINT32_MAX: not reached */
};

static void pile_add(struct pile *pile, const weir_batch *batch)
{
    wi_grow(&pile->batches, &pile->capacity, pile->count + 1, sizeof *pile->batches);
    pile->batches[pile->count++] = weir_batch_retain(batch);
}

static void pile_fini(struct pile *pile)
{
    for (unsigned i = 0; i < pile->count; i++)
        weir_batch_drop(pile->batches[i]);
    wi_free(pile->batches);
    memset(pile, 0, sizeof *pile);
}

static void search_take(weir_op *op, uint32_t input, const weir_batch *batch)
{
    struct search *search = weir_op_state(op);
    if (input == 0)
        pile_add(&search->edges, batch);
    else
        pile_add(weir_notify_state(op, &batch->time, sizeof(struct pile)), batch);
}

/* Groups the edges by source: counts, sums up, places. */
static void search_group(struct search *search, const struct bench_args *args)
{
    uint32_t workers = args->workers;
    search->rows = args->nodes / workers + 1;
    search->offsets = WI_NEWS(uint32_t, search->rows + 1);
    search->levels = wi_alloc(search->rows * sizeof *search->levels);
    memset(search->levels, 0xff, search->rows * sizeof *search->levels);
    for (unsigned b = 0; b < search->edges.count; b++) {
        const weir_batch *batch = search->edges.batches[b];
        for (uint32_t i = 0; i < batch->count; i++)
            search->offsets[edge_at(batch, i)->src / workers + 1]++;
    }
    for (uint64_t row = 0; row < search->rows; row++)
        search->offsets[row + 1] += search->offsets[row];
    search->targets = wi_alloc((search->offsets[search->rows] + 1) * sizeof *search->targets);
    uint32_t *next = wi_alloc(search->rows * sizeof *next);
    memcpy(next, search->offsets, search->rows * sizeof *next);
    for (unsigned b = 0; b < search->edges.count; b++) {
        const weir_batch *batch = search->edges.batches[b];
        for (uint32_t i = 0; i < batch->count; i++) {
            const edge *it = edge_at(batch, i);
            search->targets[next[it->src / workers]++] = it->dst;
        }
    }
    wi_free(next);
    pile_fini(&search->edges);
}

static void search_level(weir_op *op, const weir_time *time, void *state)
{
    struct search *search = weir_op_state(op);
    struct bench_run *run = weir_op_arg(op);
    struct bench_part *part = bench_part_of(run, weir_op_worker(op));
    struct pile *front = state;
    if (!search->offsets)
        search_group(search, run->args);
    if (!front)
        return;
    weir_out *out = weir_send_at(op, 0, time);
    for (unsigned b = 0; b < front->count; b++) {
        for (uint32_t i = 0; i < front->batches[b]->count; i++) {
            uint32_t row = node_at(front->batches[b], i)->node / run->args->workers;
            if (search->levels[row] != UINT32_MAX)
                continue;
            search->levels[row] = (uint32_t)time->at[0];
            part->rows++;
            part->sum += time->at[0];
            for (uint32_t t = search->offsets[row]; t < search->offsets[row + 1]; t++)
                node_push(out, (node){search->targets[t]});
        }
    }
    pile_fini(front);
}

static void search_stop(weir_op *op)
{
    struct search *search = weir_op_state(op);
    pile_fini(&search->edges);
    wi_free(search->offsets);
    wi_free(search->targets);
    wi_free(search->levels);
}

static void search_start(weir_op *op)
{
    weir_notify_at(op, &WEIR_EPOCH(0));
}

static const weir_operator searching = {.name = "bfs",
                                        .state_bytes = sizeof(struct search),
                                        .source = true,
                                        .start = search_start,
                                        .batch = search_take,
                                        .notify = search_level,
                                        .stop = search_stop};

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_dataflow *flow = weir_dataflow_begin(worker, "bfs");
    weir_stream edges = weir_generate(flow, &edge_type, make_edges, sizeof(struct generator), run);
    weir_stream root = weir_from_rows(flow, &node_type, &(node){0}, 1);
    weir_stream cycle = weir_feedback(flow, &node_type, weir_summary_add(1, 0, 1));
    weir_stream next = weir_binary(edges, WEIR_ROUTED(&by_source, NULL), weir_concat(root, cycle),
                                   WEIR_ROUTED(&by_node, NULL), &searching, &node_type, run);
    weir_feedback_set(cycle, next);
    bench_built(worker, flow);
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

void bench_bfs(const struct bench_args *args, struct bench_result *result_out)
{
    struct bench_run *run = bench_run_workers(args, work, NULL);
    uint64_t totals[2] = {0};
    for (unsigned i = 0; i < args->workers; i++) {
        totals[0] += run->parts[i].rows;
        totals[1] += run->parts[i].sum;
    }
    result_out->value = bench_run_seconds(run);
    result_out->check = bench_check_fold(totals, 2);
    bench_run_free(run);
}
