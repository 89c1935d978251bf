/* Breadth-first search over a random directed graph, by a loop with one notification a round.
 * Each worker makes its share of the edges; they are exchanged by source and grouped by it;
 * then nodes go round the loop, one row for each edge out of the last level, exchanged by
 * node, one level a round. The clock runs from before the first edge is made until the loop
 * has drained.
 *
 * Memory is touched in order where that is possible. Edges are put into parts by the upper
 * bits of their source as they come, and each part, which fits the second-level cache, is
 * grouped by itself. The nodes of a level are a bitmap, so they are deduplicated as they
 * come and taken in the order in which the edges lie. */
#include "bench_worker.h"

#include "base/alloc.h"

#include <string.h>

#define EDGE(F) F(u32, src) F(u32, dst)
#define NODE(F) F(u32, node)
WEIR_ROW(edge, EDGE)
WEIR_ROW(node, NODE)

WEIR_ROUTE(by_source, edge) { return in->src; }
WEIR_ROUTE(by_node, node) { return in->node; }

enum {
    EDGES_A_CALL = 1 << 14,
    WORDS_A_CALL = 256, /* 16384 nodes */
    PART_BITS = 13,
    PART_NODES = 1 << PART_BITS,
    BLOCK_BYTES = 16 * 1024,
    BLOCK_EDGES = (BLOCK_BYTES - 16) / 6,
    BLOCK_TARGETS = BLOCK_BYTES / 4,
};

/* ---- making the edges ------------------------------------------------------------------- */

struct generator {
    uint64_t made; /* edges of this worker's share */
};

static weir_more make_edges(weir_source *source, void *state, void *arg)
{
    struct generator *it = state;
    const struct bench_args *args = ((struct bench_run *)arg)->args;
    uint32_t index = weir_worker_index(weir_source_worker(source));
    uint64_t begin = bench_share_begin(args->edges, index, args->workers) + it->made;
    uint64_t end = bench_share_begin(args->edges, index + 1, args->workers);
    uint64_t left = end - begin < EDGES_A_CALL ? end - begin : EDGES_A_CALL;
    weir_out *out = weir_source_out(source);
    it->made += left;
    for (uint32_t room; left; left -= room, begin += room) {
        edge *to = weir_out_room(out, (uint32_t)left, &room);
        for (uint32_t i = 0; i < room; i++)
            bench_edge(begin + i, args->nodes, &to[i].src, &to[i].dst);
        weir_out_commit(out, room);
    }
    return begin == end ? WEIR_DONE : WEIR_MORE;
}

/* ---- grouping them ---------------------------------------------------------------------- */

/* Edges of one part, the upper bits of whose sources are known. */
struct block {
    struct block *next;
    uint32_t count; /* unless it is the newest */
    uint32_t dst[BLOCK_EDGES];
    uint16_t src[BLOCK_EDGES];
};
_Static_assert(sizeof(struct block) <= BLOCK_BYTES, "as large as one of targets, to be one next");

/* The edges out of PART_NODES nodes: first as they come, then the targets of each node. */
struct part {
    struct block *newest;
    uint32_t used; /* of the newest */
    uint32_t full; /* edges in the others */
};

struct targets {
    uint32_t **blocks; /* of BLOCK_TARGETS */
    uint32_t block_count;
    uint32_t begin[PART_NODES + 1]; /* of each node's, counted over all blocks */
};

static uint64_t level_words(const struct bench_args *args)
{
    return args->nodes / 64 + 1;
}

struct search {
    struct part *parts;
    struct targets *targets; /* of each part; NULL: not yet grouped */
    uint32_t part_count;
    uint32_t *levels; /* UINT32_MAX: not reached */
    /* A bit for each node, by the level's parity: while a level is in progress nodes of the
     * next one come, and before its notification perhaps those of the one after it. */
    uint64_t *nodes[2];
    weir_capability *capability; /* of the level in progress */
    uint64_t at;                 /* the first word whose nodes are still to be followed */
};

static void search_start(weir_op *op)
{
    struct search *search = weir_op_state(op);
    const struct bench_args *args = ((struct bench_run *)weir_op_arg(op))->args;
    uint64_t nodes = args->nodes;
    for (int i = 0; i < 2; i++)
        search->nodes[i] = WI_NEWS(uint64_t, level_words(args));
    search->part_count = (uint32_t)((nodes + PART_NODES - 1) / PART_NODES);
    search->parts = WI_NEWS(struct part, search->part_count);
    for (uint32_t i = 0; i < search->part_count; i++)
        search->parts[i].used = BLOCK_EDGES;
    search->levels = wi_alloc(nodes * sizeof *search->levels);
    memset(search->levels, 0xff, nodes * sizeof *search->levels);
    weir_notify_at(op, &WEIR_EPOCH(0));
}

static void open_block(struct part *part)
{
    struct block *block = wi_alloc(BLOCK_BYTES);
    block->next = part->newest;
    if (part->newest) {
        part->newest->count = BLOCK_EDGES;
        part->full += BLOCK_EDGES;
    }
    part->newest = block;
    part->used = 0;
}

static void take_edges(struct search *search, const weir_batch *batch)
{
    const edge *edges = batch->rows;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct part *part = &search->parts[edges[i].src >> PART_BITS];
        if (WEIR_UNLIKELY(part->used == BLOCK_EDGES))
            open_block(part);
        part->newest->dst[part->used] = edges[i].dst;
        part->newest->src[part->used++] = edges[i].src % PART_NODES;
    }
}

/* Counts the targets of each node, then puts them in place; a block that was read is the
 * memory for the next ones to be written. */
static void group(struct part *part, struct targets *to)
{
    uint32_t next[PART_NODES];
    if (part->newest)
        part->newest->count = part->used;
    for (const struct block *block = part->newest; block; block = block->next)
        for (uint32_t i = 0; i < block->count; i++)
            to->begin[block->src[i] + 1]++;
    for (uint32_t n = 0; n < PART_NODES; n++) {
        next[n] = to->begin[n];
        to->begin[n + 1] += to->begin[n];
    }
    to->block_count = (to->begin[PART_NODES] + BLOCK_TARGETS - 1) / BLOCK_TARGETS;
    to->blocks = WI_NEWS(uint32_t *, to->block_count);
    for (uint32_t i = 0; i < to->block_count; i++)
        to->blocks[i] = wi_alloc(BLOCK_BYTES);
    while (part->newest) {
        struct block *block = part->newest;
        for (uint32_t i = 0; i < block->count; i++) {
            uint32_t at = next[block->src[i]]++;
            to->blocks[at / BLOCK_TARGETS][at % BLOCK_TARGETS] = block->dst[i];
        }
        part->newest = block->next;
        wi_free(block);
    }
}

static void group_all(struct search *search)
{
    search->targets = WI_NEWS(struct targets, search->part_count);
    for (uint32_t i = 0; i < search->part_count; i++)
        group(&search->parts[i], &search->targets[i]);
}

/* ---- the search ------------------------------------------------------------------------- */

static void search_take(weir_op *op, uint32_t input, const weir_batch *batch)
{
    struct search *search = weir_op_state(op);
    if (input == 0) {
        take_edges(search, batch);
        return;
    }
    weir_notify_at(op, &batch->time);
    uint64_t *level = search->nodes[batch->time.at[0] % 2];
    const node *rows = batch->rows;
    for (uint32_t i = 0; i < batch->count; i++)
        level[rows[i].node / 64] |= UINT64_C(1) << rows[i].node % 64;
}

/* Pushes a row for each edge out of a node. */
static void follow(const struct search *search, uint32_t from, weir_out *out)
{
    const struct targets *targets = &search->targets[from >> PART_BITS];
    uint32_t at = targets->begin[from % PART_NODES], end = targets->begin[from % PART_NODES + 1];
    for (uint32_t room; at < end; at += room) {
        uint32_t in_block = BLOCK_TARGETS - at % BLOCK_TARGETS;
        node *to = weir_out_room(out, end - at < in_block ? end - at : in_block, &room);
        const uint32_t *nodes = targets->blocks[at / BLOCK_TARGETS] + at % BLOCK_TARGETS;
        for (uint32_t i = 0; i < room; i++)
            to[i].node = nodes[i];
        weir_out_commit(out, room);
    }
}

/* Follows some words of nodes, so that what it sends is taken before there is much of it. */
static void search_run(weir_op *op)
{
    struct search *search = weir_op_state(op);
    struct bench_run *run = weir_op_arg(op);
    struct bench_part *result = bench_part_of(run, weir_op_worker(op));
    const weir_time *time = weir_capability_time(search->capability);
    uint64_t *level = search->nodes[time->at[0] % 2];
    weir_out *out = weir_send_at(op, 0, time);
    uint64_t end = level_words(run->args);
    if (end > search->at + WORDS_A_CALL)
        end = search->at + WORDS_A_CALL;
    for (; search->at < end; search->at++) {
        for (uint64_t bits = level[search->at]; bits; bits &= bits - 1) {
            uint32_t from = (uint32_t)(search->at * 64) + (uint32_t)__builtin_ctzll(bits);
            if (search->levels[from] != UINT32_MAX)
                continue;
            search->levels[from] = (uint32_t)time->at[0];
            result->rows++;
            result->sum += time->at[0];
            follow(search, from, out);
        }
        level[search->at] = 0;
    }
    if (end < level_words(run->args)) {
        weir_activate(op);
        return;
    }
    weir_capability_drop(search->capability);
    search->capability = NULL;
}

static void search_level(weir_op *op, const weir_time *time, void *state)
{
    (void)state;
    struct search *search = weir_op_state(op);
    if (!search->targets)
        group_all(search);
    search->at = 0;
    search->capability = weir_retain(op, 0, time);
    weir_activate(op);
}

static void search_stop(weir_op *op)
{
    struct search *search = weir_op_state(op);
    for (uint32_t i = 0; i < search->part_count; i++) {
        for (struct block *block = search->parts[i].newest, *next; block; block = next) {
            next = block->next;
            wi_free(block);
        }
        for (uint32_t b = 0; search->targets && b < search->targets[i].block_count; b++)
            wi_free(search->targets[i].blocks[b]);
        if (search->targets)
            wi_free(search->targets[i].blocks);
    }
    wi_free(search->parts);
    wi_free(search->targets);
    wi_free(search->levels);
    for (int i = 0; i < 2; i++)
        wi_free(search->nodes[i]);
}

static const weir_operator searching = {.name = "bfs",
                                        .state_bytes = sizeof(struct search),
                                        .source = true,
                                        .start = search_start,
                                        .batch = search_take,
                                        .notify = search_level,
                                        .run = search_run,
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
