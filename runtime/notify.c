/* Notifications: telling an operator that a time is complete on all its inputs.
 *
 * They are kept sorted lexicographically: they are taken at the front, and usually come at the
 * back, since times advance. Invariant O3 (op.c) holds here.
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

static wi_notification *notification_at(const weir_op *op, uint32_t place)
{
    return wi_sorted_at(&op->notifications, sizeof(wi_notification), place);
}

/* They are sorted lexicographically; that order extends the product order, so complete times
 * found from the first on come in order. */
static bool next_complete(weir_op *op, wi_notification *out)
{
    const wi_sorted *all = &op->notifications;
    for (uint32_t at = wi_sorted_first(all), end = wi_sorted_end(all); at < end;
         at = wi_sorted_next(all, at)) {
        if (complete(op, &notification_at(op, at)->time)) {
            *out = *notification_at(op, at);
            wi_sorted_remove(&op->notifications, sizeof *out, at, wi_sorted_next(all, at));
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
    while (op->notifications.count && !wi_stopping(process) && next_complete(op, &due)) {
        if (!op->notifications.count)
            watch_inputs(op, -1);
        wi_op_begin_call(op, UINT32_MAX, &due.time);
        op->allowed_outputs = due.outputs;
        op->logic->notify(op, &due.time, due.state);
        wi_op_end_call(op);
        count_outputs(op, &due, -1);
        wi_free(due.state);
    }
}

void wi_op_discard_notifications(weir_op *op)
{
    const wi_sorted *all = &op->notifications;
    for (uint32_t at = wi_sorted_first(all), end = wi_sorted_end(all); at < end;
         at = wi_sorted_next(all, at))
        if (notification_at(op, at)->state && op->logic->discard)
            op->logic->discard(op, notification_at(op, at)->state);
}

void wi_op_free_notifications(weir_op *op)
{
    const wi_sorted *all = &op->notifications;
    for (uint32_t at = wi_sorted_first(all), end = wi_sorted_end(all); at < end;
         at = wi_sorted_next(all, at))
        wi_free(notification_at(op, at)->state);
    wi_sorted_fini(&op->notifications);
}

static bool is_before(const void *item, const void *time)
{
    return weir_time_compare(&((const wi_notification *)item)->time, time) < 0;
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
    wi_sorted *all = &op->notifications;
    uint32_t at = wi_sorted_place(all, sizeof(wi_notification), is_before, time);
    if (at < wi_sorted_end(all) && weir_time_eq(&notification_at(op, at)->time, time)) {
        wi_notification *asked = notification_at(op, at);
        if (bytes && !asked->state)
            asked->state = wi_calloc(1, bytes);
        return asked->state;
    }
    uint64_t outputs = allowed_outputs(op, time);
    if (op->output_count && !outputs)
        wi_op_refuse(op, "asks for a notification with", 0, time);
    if (!op->logic->notify)
        weir_op_stop(op, "asks for a notification but has no `notify` callback");
    wi_notification *asked = wi_sorted_insert(all, sizeof *asked, &at);
    *asked = (wi_notification){*time, bytes ? wi_calloc(1, bytes) : NULL, outputs};
    count_outputs(op, asked, 1);
    if (op->notifications.count == 1)
        watch_inputs(op, 1);
    op->moved = true; /* it may be complete already */
    wi_flow_activate(op->flow, op->index);
    return asked->state;
}

void weir_notify_at(weir_op *op, const weir_time *time)
{
    weir_notify_state(op, time, 0);
}
