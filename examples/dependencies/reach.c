/* Reachability by frontier expansion in a loop, one operator per worker over its shard of
 * the nodes: node n, and the edges that leave it, are kept by worker n modulo their number.
 *
 * An epoch has three parts:
 *   1. Its edges come and are put in their places at once, everywhere. Where it begins from
 *      nothing, all that was reached is forgotten.
 *   2. Round 0 is complete: so on every worker, part 1 is done. New edges that leave reached
 *      nodes, and the roots, send the first visits.
 *   3. A visit marks its node and sends visits along all its edges, one round later, until
 *      every node was reached. Visits need no order, so rounds do not wait for each other.
 * When all rounds are complete, marks are compared with those of the epoch before. */
#include "reach.h"

#include <stdio.h>
#include <stdlib.h>

enum { EDGES, STARTS, VISITS }; /* inputs */
enum { NEXT, CHANGES };         /* outputs */

typedef struct node {
    uint32_t *to;
    uint32_t edge_count, capacity;
    uint64_t roots; /* that reach it */
    uint64_t told;  /* the same, as sent on CHANGES last */
} node;

/* What came in part 1 of an epoch on EDGES or STARTS, kept for part 2. */
typedef struct held {
    weir_batch **batches;
    uint32_t count, capacity;
} held;

typedef struct shard {
    node *nodes; /* node n at n / workers */
    uint32_t node_count;
    uint32_t *marked; /* nodes with `roots` or `told` */
    uint32_t marked_count, marked_capacity;
    bool busy;
    uint64_t epoch; /* while busy */
} shard;

/* Room for `count` elements of `size` bytes; what is new is zero. */
static void *grow(void *array, uint32_t *capacity, uint32_t count, size_t size)
{
    uint32_t more = *capacity ? *capacity : 4;
    if (count <= *capacity)
        return array;
    while (more < count)
        more *= 2;
    array = realloc(array, more * size);
    if (!array) {
        fprintf(stderr, "reach: no memory for %u elements\n", more);
        exit(70);
    }
    memset((char *)array + *capacity * size, 0, (more - *capacity) * size);
    *capacity = more;
    return array;
}

static node *node_of(weir_op *op, uint32_t id)
{
    shard *s = weir_op_state(op);
    uint32_t at = id / weir_worker_count(weir_op_worker(op));
    s->nodes = grow(s->nodes, &s->node_count, at + 1, sizeof *s->nodes);
    return &s->nodes[at];
}

/* ---- part 1 ----------------------------------------------------------------------------- */

static void change_edge(weir_op *op, const edge *e, int64_t diff)
{
    node *from = node_of(op, e->src);
    uint32_t at = 0;
    while (at < from->edge_count && from->to[at] != e->dst)
        at++;
    bool present = at < from->edge_count;
    if (diff == 1 && !present) {
        from->to = grow(from->to, &from->capacity, at + 1, sizeof *from->to);
        from->to[from->edge_count++] = e->dst;
    } else if (diff == -1 && present) {
        from->to[at] = from->to[--from->edge_count];
    } else {
        weir_reject(op, &edge_type, e, present ? "it is there already" : "it is not there");
    }
}

static void forget(shard *s, uint32_t workers)
{
    for (uint32_t i = 0; i < s->marked_count; i++)
        s->nodes[s->marked[i] / workers].roots = 0;
}

/* Keeps a batch until round 0 of its epoch is complete. */
static void hold(weir_op *op, uint32_t input, const weir_batch *batch)
{
    held *by_input = weir_notify_state(op, &batch->time, 2 * sizeof *by_input);
    held *to = &by_input[input];
    to->batches = grow(to->batches, &to->capacity, to->count + 1, sizeof *to->batches);
    to->batches[to->count++] = weir_batch_retain(batch);
}

static void release(WEIR_UNUSED weir_op *op, void *by_input)
{
    for (held *of = by_input; of <= (held *)by_input + STARTS; of++) {
        while (of->count)
            weir_batch_drop(of->batches[--of->count]);
        free(of->batches);
    }
}

/* ---- parts 2 and 3 ---------------------------------------------------------------------- */

static void arrive(weir_op *op, const weir_time *time, const visit *v)
{
    shard *s = weir_op_state(op);
    node *at = node_of(op, v->node);
    uint64_t fresh = v->roots & ~at->roots;
    if (!fresh)
        return;
    if (!at->roots && !at->told) {
        s->marked = grow(s->marked, &s->marked_capacity, s->marked_count + 1, sizeof *s->marked);
        s->marked[s->marked_count++] = v->node;
    }
    at->roots |= fresh;
    weir_out *next = weir_send_at(op, NEXT, time);
    for (uint32_t i = 0; i < at->edge_count; i++)
        visit_push(next, (visit){fresh, at->to[i]});
}

static void begin(weir_op *op, const weir_time *time, const held *by_input)
{
    const held *edges = &by_input[EDGES], *starts = &by_input[STARTS];
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    for (uint32_t b = 0; b < edges->count; b++)
        for (uint32_t i = 0; i < edges->batches[b]->count; i++) {
            const edge *e = edge_at(edges->batches[b], i);
            uint64_t roots = node_of(op, e->src)->roots;
            if (roots && weir_batch_diff(edges->batches[b], i) > 0)
                visit_push(weir_send_at(op, NEXT, time), (visit){roots, e->dst});
        }
    for (uint32_t b = 0; b < starts->count; b++)
        for (uint32_t i = 0; i < starts->batches[b]->count; i++) {
            const visit *root = visit_at(starts->batches[b], i);
            if (root->node % workers == weir_worker_index(weir_op_worker(op)))
                arrive(op, time, root);
        }
}

static void tell_changes(weir_op *op, const weir_time *time)
{
    shard *s = weir_op_state(op);
    uint32_t kept = 0;
    weir_out *out = weir_send_at(op, CHANGES, time);
    for (uint32_t i = 0; i < s->marked_count; i++) {
        uint32_t id = s->marked[i];
        node *at = node_of(op, id);
        uint64_t reached = at->roots & ~at->told, lost = at->told & ~at->roots;
        weir_out_diff(out, 1);
        if (reached)
            visit_push(out, (visit){reached, id});
        weir_out_diff(out, -1);
        if (lost)
            visit_push(out, (visit){lost, id});
        at->told = at->roots;
        if (at->roots)
            s->marked[kept++] = id;
    }
    s->marked_count = kept;
}

/* ---- the operator ----------------------------------------------------------------------- */

/* This worker has a part in an epoch: wants to know when all its rounds are complete. */
static void take_part(weir_op *op, uint64_t epoch)
{
    shard *s = weir_op_state(op);
    if (s->busy && s->epoch != epoch)
        weir_op_stop(op, "epoch %llu was sent before epoch %llu was complete",
                     (unsigned long long)epoch, (unsigned long long)s->epoch);
    s->busy = true;
    s->epoch = epoch;
    weir_notify_at(op, &(weir_time){{epoch, UINT64_MAX}});
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    take_part(op, batch->time.at[0]);
    for (uint32_t i = 0; i < batch->count; i++)
        if (input == EDGES)
            change_edge(op, edge_at(batch, i), weir_batch_diff(batch, i));
        else if (input == VISITS)
            arrive(op, weir_batch_time(batch, i), visit_at(batch, i));
    if (input == STARTS)
        forget(weir_op_state(op), weir_worker_count(weir_op_worker(op)));
    if (input != VISITS)
        hold(op, input, batch);
}

static void on_notify(weir_op *op, const weir_time *time, void *by_input)
{
    shard *s = weir_op_state(op);
    if (by_input) {
        begin(op, time, by_input);
        release(op, by_input);
    } else {
        tell_changes(op, time);
        s->busy = false;
    }
}

static void on_stop(weir_op *op)
{
    shard *s = weir_op_state(op);
    for (uint32_t i = 0; i < s->node_count; i++)
        free(s->nodes[i].to);
    free(s->marked);
    free(s->nodes);
}

static const weir_operator expand = {.name = "expand",
                                     .state_bytes = sizeof(shard),
                                     .batch = on_batch,
                                     .notify = on_notify,
                                     .discard = release,
                                     .stop = on_stop};

WEIR_ROUTE(by_src, edge)
{
    return in->src;
}
WEIR_ROUTE(by_node, visit)
{
    return in->node;
}

weir_stream reach(weir_stream edges, weir_stream starts)
{
    weir_loop *loop = weir_loop_begin(edges.scope, "reach");
    weir_stream visits = weir_feedback(loop, &visit_type, weir_summary_add(2, 1, 1));
    weir_builder *builder = weir_operator_begin(loop, &expand, NULL);
    weir_builder_input(builder, weir_enter(loop, edges), WEIR_ROUTED(&by_src, NULL));
    weir_builder_input(builder, weir_enter(loop, starts), WEIR_BROADCAST);
    weir_builder_input(builder, visits, WEIR_ROUTED(&by_node, NULL));
    weir_stream next = weir_builder_output(builder, &visit_type);
    weir_stream changes = weir_builder_output(builder, &visit_type);
    weir_operator_end(builder);
    weir_feedback_set(visits, next);
    return weir_leave(loop, changes);
}
