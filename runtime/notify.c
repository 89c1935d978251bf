/* Notifications: telling an operator that a time is complete on all its inputs.
 *
 * They are kept sorted lexicographically, in an array that loses its elements at the front
 * and usually gains them at the back, since times advance. Invariant O3 (op.c) holds here.
 *
 * All functions: worker. */
#include "runtime.h"

#include <string.h>

#include "../base/alloc.h"

static bool complete(const weir_op *op, const weir_time *time)
{
    for (uint32_t i = 0; i < op->input_count; i++) {
        const wi_input_port *input = op->inputs[i];
        if (wi_shared_le(op->flow->shared, input->loc, input->dims, time))
            return false;
    }
    return true;
}

static void remove_notification(weir_op *op, uint32_t at)
{
    uint32_t end = op->notification_first + op->notification_count--;
    if (at == op->notification_first)
        op->notification_first++;
    else
        memmove(&op->notifications[at], &op->notifications[at + 1],
                (end - at - 1) * sizeof *op->notifications);
    if (!op->notification_count)
        op->notification_first = 0;
}

/* They are sorted lexicographically; that order extends the product order, so complete times
 * found from the first on come in order. */
static bool next_complete(weir_op *op, wi_notification *out)
{
    uint32_t end = op->notification_first + op->notification_count;
    for (uint32_t i = op->notification_first; i < end; i++) {
        if (complete(op, &op->notifications[i].time)) {
            *out = op->notifications[i];
            remove_notification(op, i);
            return true;
        }
        if (op->scope->dims == 1)
            return false;
    }
    return false;
}

/* While notifications are to come, the worker is to be woken when an input's frontier moves. */
static void watch_inputs(weir_op *op, int change)
{
    for (uint32_t i = 0; i < op->input_count; i++)
        wi_flow_watch(op->flow, op->inputs[i]->loc, change);
}

static void count_outputs(weir_op *op, const wi_notification *asked, int64_t delta)
{
    for (uint32_t i = 0; i < op->output_count; i++)
        if (wi_has_output(asked->outputs, i))
            wi_op_count(op, i, &asked->time, delta);
}

void wi_op_notify(weir_op *op)
{
    const wi_process *process = op->flow->worker->process;
    wi_notification due;
    while (op->notification_count && !wi_stopping(process) && next_complete(op, &due)) {
        if (!op->notification_count)
            watch_inputs(op, -1);
        wi_op_begin_call(op, UINT32_MAX, &due.time);
        op->allowed_outputs = due.outputs;
        op->logic->notify(op, &due.time, due.state);
        wi_op_end_call(op);
        count_outputs(op, &due, -1);
        wi_free(due.state);
    }
}

/* Where a notification at `time` stands, or would stand. Later than all others is likely. */
static uint32_t notification_place(const weir_op *op, const weir_time *time)
{
    uint32_t low = op->notification_first, high = low + op->notification_count;
    if (low < high && weir_time_compare(&op->notifications[high - 1].time, time) < 0)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (weir_time_compare(&op->notifications[middle].time, time) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for one more at `at`, which may move with all others. */
static wi_notification *insert_notification(weir_op *op, uint32_t at)
{
    uint32_t first = op->notification_first, count = op->notification_count;
    if (first + count == op->notification_capacity && first > count) {
        memmove(op->notifications, &op->notifications[first], count * sizeof *op->notifications);
        op->notification_first = 0;
        at -= first;
        first = 0;
    }
    wi_grow(&op->notifications, &op->notification_capacity, first + count + 1,
            sizeof *op->notifications);
    memmove(&op->notifications[at + 1], &op->notifications[at],
            (first + count - at) * sizeof *op->notifications);
    op->notification_count++;
    return &op->notifications[at];
}

/* The outputs on which a notification at `time` may hold a capability. */
static uint64_t allowed_outputs(weir_op *op, const weir_time *time)
{
    uint64_t outputs = 0;
    for (uint32_t i = 0; i < op->output_count && i < 64; i++)
        if (wi_op_allows(op, i, time))
            outputs |= UINT64_C(1) << i;
    return outputs;
}

void *weir_notify_state(weir_op *op, const weir_time *time, size_t bytes)
{
    uint32_t at = notification_place(op, time);
    if (at < op->notification_first + op->notification_count &&
        weir_time_eq(&op->notifications[at].time, time)) {
        wi_notification *asked = &op->notifications[at];
        if (bytes && !asked->state)
            asked->state = wi_calloc(1, bytes);
        return asked->state;
    }
    uint64_t outputs = allowed_outputs(op, time);
    if (op->output_count && !outputs)
        wi_op_refuse(op, "asks for a notification with", 0, time);
    if (!op->logic->notify)
        weir_op_stop(op, "asks for a notification but has no `notify` callback");
    wi_notification *asked = insert_notification(op, at);
    *asked = (wi_notification){*time, bytes ? wi_calloc(1, bytes) : NULL, outputs};
    count_outputs(op, asked, 1);
    if (op->notification_count == 1)
        watch_inputs(op, 1);
    op->moved = true; /* it may be complete already */
    wi_flow_activate(op->flow, op->index);
    return asked->state;
}

void weir_notify_at(weir_op *op, const weir_time *time)
{
    weir_notify_state(op, time, 0);
}
