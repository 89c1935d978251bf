/* Channels: how a batch gets from an output to the inputs that it feeds.
 *
 * A local channel to a stateless operator is a call; to any other operator a queue. An
 * exchange channel spreads rows over one waiting batch per worker; those go out when they
 * are full, when the time changes, and always before progress is posted (wi_flow_flush),
 * so that rows are counted no later than their sender's capability is given up.
 *
 * All functions: worker. */
#include "runtime.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "partition.h"

static void send_to_worker(wi_channel *channel, uint32_t to, weir_batch *batch);

/* ---- building --------------------------------------------------------------------------- */

static void channel_full(weir_out *out)
{
    wi_channel *channel = out->owner;
    uint32_t rows = weir_batch_rows_usual(out->type);
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
    if (channel->outs)
        for (uint32_t i = 0; i < channel->from->op->flow->worker->process->workers; i++)
            wi_out_fini(&channel->outs[i]);
    wi_free(channel->outs);
    wi_free(channel);
}

/* ---- receiving -------------------------------------------------------------------------- */

static void enqueue(wi_input_port *input, weir_batch *batch)
{
    if (input->queue_count == input->queue_capacity) {
        uint32_t capacity = input->queue_capacity ? input->queue_capacity * 2 : 8;
        weir_batch **grown = wi_alloc(capacity * sizeof *grown);
        for (uint32_t i = 0; i < input->queue_count; i++)
            grown[i] = input->queue[(input->queue_head + i) & (input->queue_capacity - 1)];
        wi_free(input->queue);
        input->queue = grown;
        input->queue_capacity = capacity;
        input->queue_head = 0;
    }
    uint32_t tail = (input->queue_head + input->queue_count++) & (input->queue_capacity - 1);
    input->queue[tail] = batch;
    input->op->flow->worker->queued += wi_queued_weight(batch);
    wi_flow_activate(input->op->flow, input->op->index);
}

static void deliver_local(wi_input_port *input, weir_batch *batch)
{
    weir_op *op = input->op;
    if (op->logic->stateless) {
        op->take(op, input->index, batch);
        return;
    }
    wi_flow_count(op->flow, input->loc, &batch->time, 1);
    enqueue(input, batch);
}

void wi_flow_deliver(wi_flow *flow, uint32_t op_index, uint32_t input_index, weir_batch *batch)
{
    weir_op *op = flow->ops[op_index];
    wi_input_port *input = op->inputs[input_index];
    if (!op->logic->stateless) {
        enqueue(input, batch);
        return;
    }
    wi_flow_count(flow, input->loc, &batch->time, -1);
    op->take(op, input_index, batch);
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
    wi_flow_count(flow, input->loc, &batch->time, 1);
    wi_worker_send(flow->worker, to,
                   (wi_envelope){flow->number, input->op->index, input->index, batch});
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

static void spread(wi_channel *channel, weir_batch *batch)
{
    if (!weir_time_eq(&channel->time, &batch->time)) {
        if (channel->dirty)
            wi_channel_flush(channel);
        channel->time = batch->time;
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
