/* A binary heap of what is due; see queue.h. */
#include "queue.h"

#include "../../base/alloc.h"

#define NEXT 7 /* of the heap: among them are the next ones to be popped */

wi_reached wi_reached_of(const weir_op *op, uint32_t input)
{
    const weir_antichain *frontier = weir_op_frontier(op, input);
    if (!frontier->count)
        return (wi_reached){.before = INT64_MAX, .all = true};
    return (wi_reached){.before = weir_event_time(frontier->times[0].at[0])};
}

static bool is_before(const wi_due *a, const wi_due *b)
{
    if (a->time != b->time)
        return a->time < b->time;
    if (a->id != b->id)
        return a->id < b->id;
    return a->what != b->what ? a->what < b->what : a->at < b->at;
}

static void rise(wi_due *heap, unsigned at)
{
    wi_due due = heap[at];
    for (; at && is_before(&due, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = due;
}

static void sink(wi_due *heap, unsigned count)
{
    wi_due due = heap[0];
    unsigned at = 0, child;
    for (; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && is_before(&heap[child + 1], &heap[child]);
        if (!is_before(&heap[child], &due))
            break;
        heap[at] = heap[child];
    }
    heap[at] = due;
}

void wi_queue_ask(wi_queue *queue, weir_op *op, wi_due due)
{
    weir_time time = WEIR_EPOCH(weir_event_epoch(due.time));
    if (!queue->held) {
        queue->held = weir_retain(op, 0, &time);
    } else if (!weir_time_le(weir_capability_time(queue->held), &time)) {
        weir_capability_drop(queue->held);
        queue->held = weir_retain(op, 0, &time);
    }
    due.key->references++;
    due.id = due.key->id;
    wi_grow(&queue->heap, &queue->capacity, queue->count + 1, sizeof *queue->heap);
    queue->heap[queue->count] = due;
    rise(queue->heap, queue->count++);
}

static void pop(wi_queue *queue, wi_due *due_out)
{
    *due_out = queue->heap[0];
    queue->heap[0] = queue->heap[--queue->count];
    if (queue->count)
        sink(queue->heap, queue->count);
    for (unsigned i = 0; i < NEXT && i < queue->count; i++)
        __builtin_prefetch(queue->heap[i].key);
    due_out->key->references--;
}

bool wi_queue_pop(wi_queue *queue, wi_reached reached, wi_due *due_out)
{
    if (!queue->count || !wi_is_complete(reached, queue->heap[0].time))
        return false;
    pop(queue, due_out);
    return true;
}

bool wi_queue_pop_same(wi_queue *queue, wi_due *due)
{
    if (!queue->count || queue->heap[0].key != due->key || queue->heap[0].time != due->time)
        return false;
    pop(queue, due);
    return true;
}

void wi_queue_settle(wi_queue *queue)
{
    if (!queue->held)
        return;
    if (!queue->count) {
        weir_capability_drop(queue->held);
        queue->held = NULL;
        return;
    }
    weir_time next = WEIR_EPOCH(weir_event_epoch(queue->heap[0].time));
    if (!weir_time_eq(&next, weir_capability_time(queue->held)))
        weir_capability_downgrade(queue->held, &next);
}

void wi_queue_fini(wi_queue *queue)
{
    wi_free(queue->heap);
}
