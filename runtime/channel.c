/* Channels: how a batch gets from an output to the inputs that it feeds.
 *
 * A local channel to a stateless operator is a call; to any other operator a queue. An
 * exchange channel spreads rows over one waiting batch per worker; those go out when they
 * are full, when the time changes, and always before progress is posted (wi_flow_flush),
 * so that rows are counted no later than their sender's capability is given up. What goes to
 * another worker needs credit, or is held (gate.c).
 *
 * All functions: worker. */
#include "runtime.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../base/batch.h"
#include "partition.h"

static void send_to_worker(wi_channel *channel, uint32_t to, weir_batch *batch);

/* ---- building --------------------------------------------------------------------------- */

static void channel_full(weir_out *out)
{
    wi_channel *channel = out->owner;
    uint32_t rows = wi_rows_usual(channel->from->op->flow, out->type);
    if (!channel->dirty) {
        wi_flow *flow = channel->from->op->flow;
        channel->dirty = true;
        channel->next_dirty = flow->dirty;
        flow->dirty = channel;
    }
    if (!out->batch) {
        wi_out_open(out, &channel->time, rows);
        return;
    }
    uint32_t to = (uint32_t)(out - channel->outs);
    send_to_worker(channel, to, wi_out_seal(out));
    wi_out_next(out, rows);
}

static bool spreads(weir_route_kind kind)
{
    return kind == WEIR_I_KEYED || kind == WEIR_I_ROUTED;
}

void wi_channel_new(wi_output_port *from, wi_input_port *to)
{
    wi_flow *flow = from->op->flow;
    uint32_t workers = flow->worker->process->workers;
    wi_channel *channel = WI_NEW(wi_channel);
    channel->from = from;
    channel->to = to;
    channel->route = to->route;
    if (workers == 1)
        channel->route = WEIR_LOCAL;
    if (channel->route.kind != WEIR_I_LOCAL) {
        channel->sent = WI_NEWS(uint64_t, workers);
        channel->held = WI_NEWS(wi_spool, workers);
        for (uint32_t i = 0; i < workers; i++)
            wi_spool_init(&channel->held[i], &flow->worker->process->waiting);
    }
    if (spreads(channel->route.kind)) {
        channel->outs = WI_NEWS(weir_out, workers);
        for (uint32_t i = 0; i < workers; i++)
            wi_out_init(&channel->outs[i], from->type, channel_full, channel);
    }
    wi_grow(&from->channels, &from->channel_capacity, from->channel_count + 1, sizeof channel);
    from->channels[from->channel_count++] = channel;
}

void wi_channel_free(wi_channel *channel)
{
    uint32_t workers = channel->from->op->flow->worker->process->workers;
    for (uint32_t i = 0; channel->outs && i < workers; i++)
        wi_out_fini(&channel->outs[i]);
    for (uint32_t i = 0; channel->held && i < workers; i++)
        wi_spool_fini(&channel->held[i]);
    wi_free(channel->sent);
    wi_free(channel->held);
    wi_free(channel->outs);
    wi_free(channel);
}

/* ---- receiving -------------------------------------------------------------------------- */

static void enqueue(wi_input_port *input, wi_waiting entry)
{
    wi_flow *flow = input->op->flow;
    weir_err *err = wi_spool_push(&input->queue, entry);
    if (err)
        wi_stop_with(flow->worker->process, err);
    wi_flow_activate(flow, input->op->index);
}

static void deliver_local(wi_input_port *input, weir_batch *batch)
{
    weir_op *op = input->op;
    if (op->logic->stateless) {
        op->take(op, input->index, batch);
        return;
    }
    wi_flow_count(op->flow, input->loc, &batch->time, 1);
    enqueue(input, (wi_waiting){batch, op->flow->worker->index, wi_spool_weight(batch)});
}

/* From another worker. */
void wi_flow_deliver(wi_flow *flow, const wi_envelope *envelope)
{
    weir_op *op = flow->ops[envelope->op];
    wi_input_port *input = op->inputs[envelope->input];
    weir_batch *batch = envelope->batch;
    if (!wi_is_local(flow->worker->process, envelope->from))
        batch->type = input->type; /* it came with a copy of the type */
    bool queued = !op->logic->stateless || !wi_spool_empty(&input->queue) || wi_op_waits(op);
    if (queued) {
        enqueue(input, (wi_waiting){batch, envelope->from, envelope->bytes});
        return;
    }
    wi_flow_count(flow, input->loc, &batch->time, -1);
    op->take(op, envelope->input, batch);
    wi_input_took(input, envelope->from, envelope->bytes);
}

/* ---- sending ---------------------------------------------------------------------------- */

static void send_to_worker(wi_channel *channel, uint32_t to, weir_batch *batch)
{
    wi_input_port *input = channel->to;
    wi_flow *flow = input->op->flow;
    if (to == flow->worker->index) {
        deliver_local(input, batch);
        return;
    }
    bool leaves = !wi_is_local(flow->worker->process, to);
    wi_flow_count(flow, input->loc, &batch->time, 1);
    if (leaves)
        wi_flow_count_apart(flow, input->loc, &batch->time, -1);
    if (batch->type->text_count && !channel->outs && leaves) {
        weir_batch *compact = wi_batch_copy(batch); /* its texts may be a few of many */
        weir_batch_drop(batch);
        batch = compact;
    }
    wi_channel_give(channel, to, batch);
}

void wi_channel_flush(wi_channel *channel)
{
    uint32_t workers = channel->from->op->flow->worker->process->workers;
    for (uint32_t i = 0; i < workers; i++) {
        weir_batch *batch = wi_out_seal(&channel->outs[i]);
        if (batch)
            send_to_worker(channel, i, batch);
    }
}

/* A batch of at least this part of the usual rows that goes to one worker as a whole goes as it is,
 * without a copy: its rows were exchanged before, say. Of smaller ones, larger ones are made. */
#define WHOLE_PART 4

static bool goes_whole(const wi_channel *channel, const weir_batch *batch, uint32_t *to_out)
{
    const wi_flow *flow = channel->from->op->flow;
    return batch->count >= wi_rows_usual(flow, batch->type) / WHOLE_PART &&
           !batch->type->text_count &&
           wi_partition_is_one(&channel->route, batch, flow->worker->process->workers, to_out);
}

static void spread(wi_channel *channel, weir_batch *batch)
{
    if (!weir_time_eq(&channel->time, &batch->time)) {
        if (channel->dirty)
            wi_channel_flush(channel);
        channel->time = batch->time;
    }
    uint32_t to;
    if (goes_whole(channel, batch, &to)) {
        weir_batch *before = wi_out_seal(&channel->outs[to]);
        if (before)
            send_to_worker(channel, to, before);
        send_to_worker(channel, to, batch);
        return;
    }
    wi_partition(&channel->route, batch, channel->outs,
                 channel->from->op->flow->worker->process->workers);
    weir_batch_drop(batch);
}

static void channel_send(wi_channel *channel, weir_batch *batch)
{
    weir_worker *worker = channel->from->op->flow->worker;
    switch (channel->route.kind) {
    case WEIR_I_LOCAL:
        deliver_local(channel->to, batch);
        return;
    case WEIR_I_KEYED:
    case WEIR_I_ROUTED:
        spread(channel, batch);
        return;
    case WEIR_I_TO_ALL:
        for (uint32_t i = 0; i < worker->process->workers; i++)
            send_to_worker(channel, i, weir_batch_retain(batch));
        weir_batch_drop(batch);
        return;
    case WEIR_I_TO_ONE:
        send_to_worker(channel, channel->route.worker % worker->process->workers, batch);
        return;
    }
}

void wi_output_send(wi_output_port *port, weir_batch *batch)
{
    if (!batch)
        return;
    if (!batch->count || !port->channel_count) {
        weir_batch_drop(batch);
        return;
    }
    uint32_t last = port->channel_count - 1;
    for (uint32_t i = 0; i < last; i++)
        channel_send(port->channels[i], weir_batch_retain(batch));
    channel_send(port->channels[last], batch);
}
