/* Operators while they run: what a callback may do, and who calls it.
 *
 * Invariants
 *   O1 A message is uncounted (-1) in the same unposted changes that count (+1) whatever
 *      its callback sends or retains; they are posted together (RELIABILITY: I4).
 *   O2 An output never sends at a time that neither the call in progress nor a retained
 *      capability allows.
 *   O3 A notification holds +1 at its time on every output until notify has returned.
 *
 * All functions: worker, from a callback of the same operator where they take one. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

/* ---- what a call allows ----------------------------------------------------------------- */

/* Whether a message at the call's time may cause one at `time` on this output. */
static bool caused(const weir_op *op, uint32_t output, const weir_time *time)
{
    if (op->calling_input == UINT32_MAX)
        return weir_time_le(&op->allowed, time);
    bool declared = false;
    for (uint32_t i = 0; i < op->summary_count; i++) {
        const wi_pair_summary *pair = &op->summaries[i];
        if (pair->input != op->calling_input || pair->output != output)
            continue;
        declared = true;
        if (pair->unrelated)
            continue;
        weir_time earliest = weir_summary_apply(&pair->summary, &op->allowed);
        if (weir_time_le(&earliest, time))
            return true;
    }
    return !declared && weir_time_le(&op->allowed, time);
}

static bool allowed(const weir_op *op, uint32_t output, const weir_time *time)
{
    if (op->allows && caused(op, output, time))
        return true;
    for (const weir_capability *c = op->capabilities; c; c = c->next)
        if (c->output == output && weir_time_le(&c->time, time))
            return true;
    return false;
}

static void refuse(weir_op *op, const char *what, uint32_t output, const weir_time *time)
{
    char at[WEIR_TIME_TEXT_BYTES], has[WEIR_TIME_TEXT_BYTES];
    int dims = op->outputs[output]->dims;
    weir_time_text(time, dims, at);
    if (op->allows)
        weir_op_stop(op,
                     "%s output %u at time %s, but the call it is in has time %s and it keeps no "
                     "capability for an earlier one; retain a capability while it is allowed",
                     what, output, at, weir_time_text(&op->allowed, dims, has));
    else
        weir_op_stop(op,
                     "%s output %u at time %s without a capability; retain one in `batch` or "
                     "`notify` and keep it until here",
                     what, output, at);
}

static void check_output(const weir_op *op, uint32_t output)
{
    if (WEIR_LIKELY(output < op->output_count))
        return;
    char what[160];
    snprintf(what, sizeof what, "operator `%s` names its output %u; it has %u, counted from 0",
             op->name, output, op->output_count);
    wi_require_failed(what);
}

static void begin_call(weir_op *op, uint32_t input, const weir_time *time)
{
    wi_assert(!op->calling, "an operator's callbacks do not nest");
    op->calling = true;
    op->calling_input = input;
    op->allows = time != NULL;
    if (time)
        op->allowed = *time;
    weir_worker *worker = op->flow->worker;
    op->caller = worker->current;
    worker->current = op;
    wi_alloc_blame(op->name);
}

void wi_op_end_call(weir_op *op)
{
    for (uint32_t i = 0; i < op->output_count; i++) {
        wi_output_port *port = op->outputs[i];
        if (port->opened) {
            port->opened = false;
            wi_output_send(port, wi_out_seal(&port->out));
        }
    }
    op->calling = op->allows = false;
    op->flow->worker->current = op->caller;
    wi_alloc_blame(op->caller ? op->caller->name : NULL);
}

void wi_op_take(weir_op *op, uint32_t input, weir_batch *batch)
{
    begin_call(op, input, &batch->time);
    if (op->logic->batch)
        op->logic->batch(op, input, batch);
    wi_op_end_call(op);
    weir_batch_drop(batch);
}

/* ---- notifications ---------------------------------------------------------------------- */

static bool complete(const weir_op *op, const weir_time *time)
{
    for (uint32_t i = 0; i < op->input_count; i++) {
        const wi_input_port *input = op->inputs[i];
        if (wi_shared_le(op->flow->shared, input->loc, input->dims, time))
            return false;
    }
    return true;
}

/* The array is sorted with the lexicographically earliest last; that order extends the
 * product order, so complete times found from the end on come in order. */
static bool next_complete(weir_op *op, wi_notification *out)
{
    for (uint32_t i = op->notification_count; i-- > 0;) {
        if (complete(op, &op->notifications[i].time)) {
            *out = op->notifications[i];
            memmove(&op->notifications[i], &op->notifications[i + 1],
                    (--op->notification_count - i) * sizeof *op->notifications);
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

static void count_outputs(weir_op *op, const weir_time *time, int64_t delta)
{
    for (uint32_t i = 0; i < op->output_count; i++)
        wi_flow_count(op->flow, op->outputs[i]->loc, time, delta);
}

static void notify_complete(weir_op *op)
{
    wi_notification due;
    while (op->notification_count && next_complete(op, &due)) {
        if (!op->notification_count)
            watch_inputs(op, -1);
        begin_call(op, UINT32_MAX, &due.time);
        op->logic->notify(op, &due.time, due.state);
        wi_op_end_call(op);
        count_outputs(op, &due.time, -1);
        wi_free(due.state);
    }
}

/* How many of the notifications asked for are at `time` or later. The earliest is likely. */
static uint32_t later_notifications(const weir_op *op, const weir_time *time)
{
    uint32_t low = 0, high = op->notification_count;
    if (high && weir_time_compare(&op->notifications[high - 1].time, time) >= 0)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (weir_time_compare(&op->notifications[middle].time, time) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *weir_notify_state(weir_op *op, const weir_time *time, size_t bytes)
{
    uint32_t at = later_notifications(op, time);
    if (at > 0 && weir_time_eq(&op->notifications[at - 1].time, time)) {
        wi_notification *asked = &op->notifications[at - 1];
        if (bytes && !asked->state)
            asked->state = wi_calloc(1, bytes);
        return asked->state;
    }
    for (uint32_t i = 0; i < op->output_count; i++) {
        if (!allowed(op, i, time)) {
            refuse(op, "asks for a notification with", i, time);
            break;
        }
    }
    if (!op->logic->notify)
        weir_op_stop(op, "asks for a notification but has no `notify` callback");
    wi_grow(&op->notifications, &op->notification_capacity, op->notification_count + 1,
            sizeof *op->notifications);
    memmove(&op->notifications[at + 1], &op->notifications[at],
            (op->notification_count++ - at) * sizeof *op->notifications);
    op->notifications[at] = (wi_notification){*time, bytes ? wi_calloc(1, bytes) : NULL};
    count_outputs(op, time, 1);
    if (op->notification_count == 1)
        watch_inputs(op, 1);
    op->moved = true; /* it may be complete already */
    wi_flow_activate(op->flow, op->index);
    return op->notifications[at].state;
}

void weir_notify_at(weir_op *op, const weir_time *time)
{
    weir_notify_state(op, time, 0);
}

/* ---- running ---------------------------------------------------------------------------- */

static weir_batch *dequeue(wi_input_port *input)
{
    weir_batch *batch = input->queue[input->queue_head];
    input->queue_head = (input->queue_head + 1) & (input->queue_capacity - 1);
    input->queue_count--;
    input->op->flow->worker->queued -= wi_queued_weight(batch);
    return batch;
}

/* Sources wait while what they sent before has not been taken: rings to other workers are
 * full, or queues of this one are long. */
static bool held_back(const wi_flow *flow)
{
    return flow->worker->queued > WI_QUEUED_MAX || wi_worker_backlogged(flow->worker);
}

/* Runs what is due: batches up to a budget of rows, then completed times, the frontier and
 * `run`. What is left over stays activated. */
void wi_op_run(weir_op *op, uint32_t budget)
{
    for (uint32_t i = 0; i < op->input_count; i++) {
        wi_input_port *input = op->inputs[i];
        while (input->queue_count) {
            if (!budget) {
                wi_flow_activate(op->flow, op->index);
                break;
            }
            weir_batch *batch = dequeue(input);
            uint32_t cost = batch->count / 16 + 1;
            budget -= cost < budget ? cost : budget;
            wi_flow_count(op->flow, input->loc, &batch->time, -1);
            op->take(op, i, batch);
        }
    }
    if (op->moved) {
        op->moved = false;
        if (op->notification_count && op->logic->notify)
            notify_complete(op);
        if (op->logic->frontier) {
            begin_call(op, UINT32_MAX, NULL);
            op->logic->frontier(op);
            wi_op_end_call(op);
        }
    }
    if (op->want_run && op->logic->source && held_back(op->flow)) {
        wi_flow_activate(op->flow, op->index);
    } else if (op->want_run) {
        op->want_run = false;
        begin_call(op, UINT32_MAX, NULL);
        op->logic->run(op);
        wi_op_end_call(op);
    }
}

void wi_op_start(weir_op *op)
{
    static const weir_time first;
    op->started = true;
    if (op->logic->start) {
        begin_call(op, UINT32_MAX, op->logic->source ? &first : NULL);
        op->logic->start(op);
        wi_op_end_call(op);
    }
    if (op->logic->source)
        for (uint32_t i = 0; i < op->output_count; i++)
            if (!op->outputs[i]->first_taken)
                wi_flow_count(op->flow, op->outputs[i]->loc, &first, -1);
}

/* ---- capabilities ----------------------------------------------------------------------- */

static weir_capability *new_capability(weir_op *op, uint32_t output, const weir_time *time)
{
    weir_capability *c = WI_NEW(weir_capability);
    *c = (weir_capability){.op = op, .output = output, .time = *time, .next = op->capabilities};
    if (c->next)
        c->next->previous = c;
    op->capabilities = c;
    return c;
}

static wi_loc capability_loc(const weir_capability *c)
{
    return c->op->outputs[c->output]->loc;
}

weir_capability *weir_retain(weir_op *op, uint32_t output, const weir_time *time)
{
    check_output(op, output);
    if (op->logic->stateless)
        weir_op_stop(op, "retains a capability, which a stateless operator promised not to do");
    else if (!allowed(op, output, time))
        refuse(op, "retains a capability on", output, time);
    wi_flow_count(op->flow, op->outputs[output]->loc, time, 1);
    return new_capability(op, output, time);
}

const weir_time *weir_capability_time(const weir_capability *capability)
{
    return &capability->time;
}

static bool check_later(const weir_capability *c, const weir_time *time, const char *what)
{
    if (weir_time_le(&c->time, time))
        return true;
    char from[WEIR_TIME_TEXT_BYTES], to[WEIR_TIME_TEXT_BYTES];
    int dims = c->op->outputs[c->output]->dims;
    weir_op_stop(c->op, "%s its capability of output %u from time %s to %s, which is not later",
                 what, c->output, weir_time_text(&c->time, dims, from),
                 weir_time_text(time, dims, to));
    return false;
}

weir_capability *weir_capability_delay(const weir_capability *capability, const weir_time *time)
{
    weir_op *op = capability->op;
    const weir_time *at = check_later(capability, time, "delays") ? time : &capability->time;
    wi_flow_count(op->flow, capability_loc(capability), at, 1);
    return new_capability(op, capability->output, at);
}

void weir_capability_downgrade(weir_capability *capability, const weir_time *time)
{
    if (!check_later(capability, time, "downgrades"))
        return;
    wi_flow *flow = capability->op->flow;
    wi_flow_count(flow, capability_loc(capability), time, 1);
    wi_flow_count(flow, capability_loc(capability), &capability->time, -1);
    capability->time = *time;
}

void weir_capability_drop(weir_capability *capability)
{
    if (!capability)
        return;
    weir_op *op = capability->op;
    wi_flow_count(op->flow, capability_loc(capability), &capability->time, -1);
    if (capability->previous)
        capability->previous->next = capability->next;
    else
        op->capabilities = capability->next;
    if (capability->next)
        capability->next->previous = capability->previous;
    wi_free(capability);
}

weir_capability *weir_op_first_capability(weir_op *op, uint32_t output)
{
    static const weir_time first;
    wi_output_port *port = op->outputs[output];
    if (!op->logic->source || !op->calling || port->first_taken) {
        weir_op_stop(op, "takes the first capability of output %u %s", output,
                     !op->logic->source   ? "but is not declared a source"
                     : port->first_taken ? "twice"
                                         : "outside of `start`");
        wi_flow_count(op->flow, port->loc, &first, 1);
    }
    port->first_taken = true;
    return new_capability(op, output, &first);
}

/* ---- sending ---------------------------------------------------------------------------- */

weir_out *weir_send_at(weir_op *op, uint32_t output, const weir_time *time)
{
    check_output(op, output);
    wi_output_port *port = op->outputs[output];
    if (port->opened) {
        if (weir_time_eq(&port->out.batch->time, time))
            return &port->out;
        wi_output_send(port, wi_out_seal(&port->out));
    }
    if (!allowed(op, output, time))
        refuse(op, "sends on", output, time);
    wi_out_open(&port->out, time, weir_batch_rows_usual(port->type));
    port->opened = true;
    return &port->out;
}

void weir_send_batch(weir_op *op, uint32_t output, weir_batch *batch)
{
    check_output(op, output);
    wi_output_port *port = op->outputs[output];
    if (!allowed(op, output, &batch->time))
        refuse(op, "sends a batch on", output, &batch->time);
    if (port->opened) { /* keep the order in which things were sent */
        port->opened = false;
        wi_output_send(port, wi_out_seal(&port->out));
    }
    wi_output_send(port, batch);
}

void weir_forward(weir_op *op, uint32_t output, const weir_batch *batch)
{
    weir_send_batch(op, output, weir_batch_retain(batch));
}

/* ---- looking around --------------------------------------------------------------------- */

void *weir_op_state(const weir_op *op)
{
    return op->state;
}

void *weir_op_arg(const weir_op *op)
{
    return op->arg;
}

weir_worker *weir_op_worker(const weir_op *op)
{
    return op->flow->worker;
}

const char *weir_op_name(const weir_op *op)
{
    return op->name;
}

int weir_op_input_dims(const weir_op *op, uint32_t input)
{
    return op->inputs[input]->dims;
}

int weir_op_output_dims(const weir_op *op, uint32_t output)
{
    return op->outputs[output]->dims;
}

const weir_antichain *weir_op_frontier(const weir_op *op, uint32_t input)
{
    wi_input_port *port = op->inputs[input];
    wi_shared_frontier(op->flow->shared, port->loc, port->dims, &port->frontier);
    return &port->frontier;
}

void weir_activate(weir_op *op)
{
    if (!op->logic->run) {
        weir_op_stop(op, "is activated but has no `run` callback");
        return;
    }
    op->want_run = true;
    wi_flow_activate(op->flow, op->index);
}

void weir_activate_after(weir_op *op, uint64_t delay_ns)
{
    weir_worker *worker = op->flow->worker;
    uint64_t due = weir_add_saturating(wi_clock_ns(worker->process), delay_ns);
    wi_worker_timer(worker, due, op->flow->number, op->index);
}

/* ---- refusing rows, stopping ------------------------------------------------------------ */

void weir_op_stop(weir_op *op, const char *format, ...)
{
    char *what;
    va_list args;
    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    weir_stop(op->flow->worker, "dataflow `%s`, operator %u `%s`: %s", op->flow->root.name,
              op->index, op->name, what ? what : format);
    free(what);
}

void weir_reject(weir_op *op, const weir_type *type, const void *row, const char *format, ...)
{
    char *reason;
    va_list args;
    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0)
        reason = NULL;
    va_end(args);
    size_t length = 0;
    char *text = row && type ? weir_row_text(type, row, &length) : NULL;
    op->rejected++;
    if (op->reject_policy == WEIR_REJECT_FAIL) {
        weir_op_stop(op, "rejects a row: %s%s%s; weir_on_reject and weir_rejects say what else "
                         "to do with such rows",
                     reason ? reason : format, text ? ": " : "", text ? text : "");
    } else if (op->reject_policy == WEIR_REJECT_KEEP && op->reject_output != UINT32_MAX) {
        wi_output_port *port = op->outputs[op->reject_output];
        weir_out *out = port->opened ? &port->out : NULL;
        if (!out && op->allows)
            out = weir_send_at(op, op->reject_output, &op->allowed);
        else if (!out)
            for (weir_capability *c = op->capabilities; c && !out; c = c->next)
                if (c->output == op->reject_output)
                    out = weir_send_at(op, op->reject_output, &c->time);
        if (out) {
            weir_rejected rejected = {
                .operator_name = weir_text_c(op->name),
                .row = weir_text_of(text ? text : "", (uint32_t)length),
                .reason = weir_text_c(reason ? reason : format),
            };
            weir_out_row(out, &rejected);
        } else {
            weir_op_stop(op, "rejects a row where it has no time to send it at: %s",
                         reason ? reason : format);
        }
    }
    free(text);
    free(reason);
}

uint64_t weir_op_rejected(const weir_op *op)
{
    return op->rejected;
}
