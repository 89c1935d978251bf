/* Operators while they run: what a callback may do, and who calls it.
 *
 * Invariants
 *   O1 A message is uncounted (-1) in the same unposted changes that count (+1) whatever
 *      its callback sends or retains; they are posted together (RELIABILITY: I4).
 *   O2 An output never sends at a time that neither the call in progress nor a retained
 *      capability allows.
 *   O3 A notification holds +1 at its time, until notify has returned, on every output on
 *      which it was allowed when it was asked for.
 *
 * All functions: worker, from a callback of the same operator where they take one. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

/* ---- what a call allows ----------------------------------------------------------------- */

bool wi_has_output(uint64_t outputs, uint32_t output)
{
    return output < 64 ? outputs >> output & 1 : outputs == UINT64_MAX;
}

/* Whether a message at the call's time may cause one at `time` on this output. */
static bool caused(const weir_op *op, uint32_t output, const weir_time *time)
{
    if (op->calling_input == UINT32_MAX)
        return wi_has_output(op->allowed_outputs, output) && weir_time_le(&op->allowed, time);
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

bool wi_op_allows(const weir_op *op, uint32_t output, const weir_time *time)
{
    if (op->allows && caused(op, output, time))
        return true;
    for (const weir_capability *c = op->capabilities; c; c = c->next)
        if (c->output == output && weir_time_le(&c->time, time))
            return true;
    return false;
}

void wi_op_refuse(weir_op *op, const char *what, uint32_t output, const weir_time *time)
{
    char at[WEIR_TIME_TEXT_BYTES], has[WEIR_TIME_TEXT_BYTES];
    int dims = op->outputs[output]->dims;
    weir_time_text(time, dims, at);
    if (op->allows && weir_time_le(&op->allowed, time))
        weir_op_stop(op,
                     "%s output %u at time %s, which the summaries declared for input %u do not "
                     "allow it in a call at time %s, and it keeps no capability for it",
                     what, output, at, op->calling_input,
                     weir_time_text(&op->allowed, dims, has));
    else if (op->allows)
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

void wi_op_begin_call(weir_op *op, uint32_t input, const weir_time *time)
{
    wi_assert(!op->calling, "an operator's callbacks do not nest");
    op->calling = true;
    op->calling_input = input;
    op->allows = time != NULL;
    op->allowed_outputs = UINT64_MAX;
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
    wi_op_begin_call(op, input, &batch->time);
    if (op->logic->batch)
        op->logic->batch(op, input, batch);
    wi_op_end_call(op);
    weir_batch_drop(batch);
}

/* A stateless operator holds nothing: if it tries to, the execution is being stopped. */
void wi_op_count(weir_op *op, uint32_t output, const weir_time *time, int64_t delta)
{
    if (!op->logic->stateless)
        wi_flow_count(op->flow, op->outputs[output]->loc, time, delta);
}

/* ---- running ---------------------------------------------------------------------------- */

static weir_batch *dequeue(wi_input_port *input)
{
    wi_waiting entry;
    weir_err *err = wi_spool_pop(&input->queue, input->type, &entry);
    if (err)
        wi_stop_with(input->op->flow->worker->process, err);
    wi_input_took(input, entry.from, entry.bytes);
    return entry.batch;
}

/* Takes what waits at an input, as long as there is room for what that gives, and it is not
 * paused. Calls may be long: a stop is looked for before each. */
static void take_queue(weir_op *op, uint32_t index, uint32_t *budget)
{
    wi_input_port *input = op->inputs[index];
    while (!input->paused && !wi_spool_empty(&input->queue)) {
        if (!*budget || wi_stopping(op->flow->worker->process)) {
            wi_flow_activate(op->flow, op->index);
            return;
        }
        if (op->gate_count && wi_op_waits(op)) {
            wi_op_block(op);
            return;
        }
        weir_batch *batch = dequeue(input);
        uint32_t cost = batch->count / 16 + 1;
        *budget -= cost < *budget ? cost : *budget;
        wi_flow_count(op->flow, input->loc, &batch->time, -1);
        op->take(op, index, batch);
    }
}

/* Runs what is due: batches up to a budget of rows, then completed times, the frontier and
 * `run`. What is left over stays activated, or blocked until there is room for what it sends. */
void wi_op_run(weir_op *op, uint32_t budget)
{
    if (op->gate_count && wi_op_waits(op)) {
        wi_op_block(op);
        return;
    }
    for (uint32_t i = 0; i < op->input_count; i++)
        take_queue(op, i, &budget);
    if (op->moved) {
        op->moved = false;
        if (op->notifications.count && op->logic->notify)
            wi_op_notify(op);
        if (op->logic->frontier) {
            wi_op_begin_call(op, UINT32_MAX, NULL);
            op->logic->frontier(op);
            wi_op_end_call(op);
        }
    }
    if (op->want_run && op->logic->source && op->gate_count && wi_op_waits(op)) {
        wi_op_block(op);
    } else if (op->want_run) {
        op->want_run = false;
        wi_op_begin_call(op, UINT32_MAX, NULL);
        op->logic->run(op);
        wi_op_end_call(op);
    }
}

void wi_op_start(weir_op *op)
{
    static const weir_time first;
    if (op->logic->start) {
        wi_op_begin_call(op, UINT32_MAX, op->logic->source ? &first : NULL);
        op->logic->start(op);
        wi_op_end_call(op);
    }
    op->started = true;
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

weir_capability *weir_retain(weir_op *op, uint32_t output, const weir_time *time)
{
    check_output(op, output);
    if (op->logic->stateless)
        weir_op_stop(op, "retains a capability, which a stateless operator promised not to do");
    else if (!wi_op_allows(op, output, time))
        wi_op_refuse(op, "retains a capability on", output, time);
    wi_op_count(op, output, time, 1);
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
    wi_op_count(op, capability->output, at, 1);
    return new_capability(op, capability->output, at);
}

void weir_capability_downgrade(weir_capability *capability, const weir_time *time)
{
    if (!check_later(capability, time, "downgrades"))
        return;
    wi_op_count(capability->op, capability->output, time, 1);
    wi_op_count(capability->op, capability->output, &capability->time, -1);
    capability->time = *time;
}

void weir_capability_drop(weir_capability *capability)
{
    if (!capability)
        return;
    weir_op *op = capability->op;
    wi_op_count(op, capability->output, &capability->time, -1);
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
    check_output(op, output);
    wi_output_port *port = op->outputs[output];
    if (!op->logic->source || !op->calling || op->started || port->first_taken) {
        weir_op_stop(op, "takes the first capability of output %u %s", output,
                     !op->logic->source   ? "but is not declared a source"
                     : port->first_taken ? "twice"
                                         : "outside of `start`");
        wi_op_count(op, output, &first, 1);
    }
    port->first_taken = true;
    return new_capability(op, output, &first);
}

/* ---- pausing ---------------------------------------------------------------------------- */

void weir_op_pause(weir_op *op, uint32_t input, bool paused)
{
    if (input >= op->input_count || op->logic->stateless) {
        weir_op_stop(op, "pauses its input %u, but it %s", input,
                     op->logic->stateless ? "is stateless and has no queue" : "has no such input");
        return;
    }
    op->inputs[input]->paused = paused;
    if (!paused && !wi_spool_empty(&op->inputs[input]->queue))
        wi_flow_activate(op->flow, op->index);
}

/* ---- sending ---------------------------------------------------------------------------- */

void wi_output_open(wi_output_port *port, const weir_time *time)
{
    if (port->out.batch) /* what was pushed while it was closed, which stops the execution */
        weir_batch_drop(wi_out_seal(&port->out));
    wi_out_open(&port->out, time, wi_rows_usual(port->op->flow, port->type));
    port->opened = true;
}

weir_out *weir_send_at(weir_op *op, uint32_t output, const weir_time *time)
{
    check_output(op, output);
    wi_output_port *port = op->outputs[output];
    if (port->opened) {
        if (weir_time_eq(&port->out.batch->time, time)) {
            weir_out_diff(&port->out, 1);
            weir_out_time(&port->out, time);
            return &port->out;
        }
        wi_output_send(port, wi_out_seal(&port->out));
    }
    if (!wi_op_allows(op, output, time))
        wi_op_refuse(op, "sends on", output, time);
    wi_output_open(port, time);
    return &port->out;
}

static void refuse_row(weir_op *op, uint32_t output, const weir_batch *batch, uint32_t row)
{
    char is[WEIR_TIME_TEXT_BYTES], has[WEIR_TIME_TEXT_BYTES];
    int dims = op->outputs[output]->dims;
    weir_op_stop(op, "sends a batch on output %u that has time %s and a row of time %s, which is "
                     "not at or after it",
                 output, weir_time_text(&batch->time, dims, has),
                 weir_time_text(&batch->times[row], dims, is));
}

/* Whether the batch is what the output may give; otherwise the execution stops. */
static bool may_send(weir_op *op, uint32_t output, const weir_batch *batch)
{
    const weir_type *type = op->outputs[output]->type;
    if (WEIR_UNLIKELY(batch->type != type) && !weir_type_fits(batch->type, type)) {
        weir_op_stop(op, "sends a batch of rows `%s` on output %u, which has rows `%s`",
                     batch->type->name, output, type->name);
        return false;
    }
    if (!wi_op_allows(op, output, &batch->time)) {
        wi_op_refuse(op, "sends a batch on", output, &batch->time);
        return false;
    }
    return true;
}

/* Rows that were pushed before go first; what is pushed afterwards follows. */
static void send_in_order(wi_output_port *port, weir_batch *batch)
{
    if (port->opened)
        wi_output_send(port, wi_out_seal(&port->out));
    wi_output_send(port, batch);
    if (port->opened)
        wi_out_next(&port->out, wi_rows_usual(port->op->flow, port->type));
}

void weir_send_batch(weir_op *op, uint32_t output, weir_batch *batch)
{
    check_output(op, output);
    bool may = may_send(op, output, batch);
    for (uint32_t i = 0; may && batch->times && i < batch->count; i++)
        if (WEIR_UNLIKELY(!weir_time_le(&batch->time, &batch->times[i]))) {
            refuse_row(op, output, batch, i);
            may = false;
        }
    if (may)
        send_in_order(op->outputs[output], batch);
    else
        weir_batch_drop(batch);
}

void weir_forward(weir_op *op, uint32_t output, const weir_batch *batch)
{
    check_output(op, output);
    if (may_send(op, output, batch))
        send_in_order(op->outputs[output], weir_batch_retain(batch));
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

/* ---- stopping ------------------------------------------------------------ */

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
