/* Credit, and who waits for it.
 *
 * A worker may have sent an input of another worker so many bytes that were not taken from that
 * input's queue yet (process->credit_bytes); what is beyond is held by the sender. An operator
 * whose rows go, through stateless operators perhaps, to a channel without credit or to a long
 * queue of its own worker is not run: it is *blocked*, its own queues fill, and so, up the graph,
 * sources stop reading. Those channels are its *gates*.
 *
 * Invariants
 *   G1  what is held for a target goes before what is sent to it later
 *   G2  a channel that has a target without credit, or holds something, is in the flow's list
 *   G3  who waits waits for operators further down the graph, and a feedback is no gate and has
 *       none. So there is no cycle of waiting, and whoever can run does; but for an operator that
 *       pauses an input (weir_op_pause), which answers for going on itself
 *
 * How credit comes back: once it is a good part of the whole, the receiver adds it to a count that
 * the sender reads (wi_shared_taken), directly within a process, by a message from another
 * (cluster.c). So a sender whose batches were all taken may lack that part, never more. A
 * sender that sleeps without credit is woken.
 *
 * All functions: worker. */
#include "runtime.h"

#include "../base/alloc.h"
#include "../base/assert.h"
#include "cluster.h"

/* What a batch may weigh that goes to another process: well within a frame (net/mesh.h). */
#define PARCEL_BYTES_MAX (48u << 20)
/* Credit is given back when it is this part of the whole: a small batch then costs its receiver no
 * fence, and its sender no cache line that the receiver has written. */
#define GIVEN_BACK_PART 4

/* ---- gates ------------------------------------------------------------------------------ */

static void add_gate(weir_op *op, wi_channel *channel)
{
    for (uint32_t i = 0; i < op->gate_count; i++)
        if (op->gates[i] == channel)
            return;
    wi_grow(&op->gates, &op->gate_capacity, op->gate_count + 1, sizeof channel);
    op->gates[op->gate_count++] = channel;
}

/* Whether some of what is sent there stays on this worker. */
static bool goes_here(const wi_channel *channel)
{
    const weir_worker *worker = channel->to->op->flow->worker;
    return channel->route.kind != WEIR_I_TO_ONE ||
           channel->route.worker % worker->process->workers == worker->index;
}

/* Operators further down were built later, feedbacks apart: their own gates are known. What an
 * exchange leaves on this worker is a call, as if there were no exchange. */
static void find_gates(weir_op *op)
{
    for (uint32_t p = 0; p < op->output_count; p++)
        for (uint32_t c = 0; c < op->outputs[p]->channel_count; c++) {
            wi_channel *channel = op->outputs[p]->channels[c];
            const weir_op *to = channel->to->op;
            if (to->kind == WI_NODE_FEEDBACK)
                continue;
            if (channel->route.kind != WEIR_I_LOCAL || !to->logic->stateless)
                add_gate(op, channel);
            if (!to->logic->stateless || !goes_here(channel))
                continue;
            for (uint32_t g = 0; g < to->gate_count; g++)
                add_gate(op, to->gates[g]);
        }
}

void wi_gates_connect(wi_flow *flow)
{
    for (uint32_t i = flow->op_count; i-- > 0;)
        if (flow->ops[i]->kind != WI_NODE_FEEDBACK)
            find_gates(flow->ops[i]);
    uint64_t workers = flow->worker->process->workers;
    if (workers > 1)
        flow->owed = WI_NEWS(uint64_t, workers * flow->edges);
}

bool wi_op_waits(const weir_op *op)
{
    uint64_t queue_bytes = op->flow->worker->process->queue_bytes;
    for (uint32_t i = 0; i < op->gate_count; i++)
        if (op->gates[i]->is_short || op->gates[i]->to->queue.bytes > queue_bytes)
            return true;
    return false;
}

void wi_op_block(weir_op *op)
{
    op->flow->blocked[op->index / 64] |= UINT64_C(1) << op->index % 64;
    op->flow->any_blocked = true;
}

/* ---- sending ---------------------------------------------------------------------------- */

static bool has_credit(const wi_channel *channel, uint32_t to)
{
    const wi_flow *flow = channel->to->op->flow;
    uint64_t taken = atomic_load_explicit(
        wi_shared_taken(flow->shared, flow->worker->local, to, channel->to->edge),
        memory_order_acquire); /* with the release in wi_input_took */
    return channel->sent[to] - taken < flow->worker->process->credit_bytes;
}

static void send_now(wi_channel *channel, uint32_t to, weir_batch *batch, uint32_t bytes)
{
    const wi_input_port *input = channel->to;
    wi_flow *flow = input->op->flow;
    channel->sent[to] += bytes;
    wi_worker_send(flow->worker, to,
                   (wi_envelope){flow->number, input->op->index, input->index,
                                 flow->worker->index, bytes, batch});
}

static void become_short(wi_channel *channel)
{
    wi_flow *flow = channel->to->op->flow;
    if (channel->is_short)
        return;
    channel->is_short = true;
    channel->next_short = flow->shorts;
    flow->shorts = channel;
}

/* Rows [begin, end) as a batch of their own, with the texts that they have and no others. */
static weir_batch *part_of(const weir_batch *batch, uint32_t begin, uint32_t end)
{
    weir_out out;
    wi_out_init(&out, batch->type, NULL, NULL);
    wi_out_open(&out, &batch->time, end - begin);
    wi_out_grow(&out, end - begin);
    weir_out_copy(&out, batch, begin, end);
    weir_batch *part = wi_out_seal(&out);
    wi_out_fini(&out);
    return part;
}

/* Too large for a frame: each half is a batch that is counted. */
static void give_halves(wi_channel *channel, uint32_t to, weir_batch *batch)
{
    wi_flow *flow = channel->to->op->flow;
    uint32_t half = batch->count / 2;
    if (half) {
        wi_flow_count(flow, channel->to->loc, &batch->time, 1);
        wi_flow_count_apart(flow, channel->to->loc, &batch->time, -1); /* as for the whole */
        wi_channel_give(channel, to, part_of(batch, 0, half));
        wi_channel_give(channel, to, part_of(batch, half, batch->count));
    } else {
        weir_op_stop(channel->from->op,
                     "sends a row of %zu MB to another process; at most %u MB are possible: make "
                     "several rows of it",
                     wi_batch_bytes(batch) >> 20, PARCEL_BYTES_MAX >> 20);
    }
    weir_batch_drop(batch);
}

void wi_channel_give(wi_channel *channel, uint32_t to, weir_batch *batch)
{
    if (WEIR_UNLIKELY(wi_spool_weight(batch) > PARCEL_BYTES_MAX) &&
        !wi_is_local(channel->to->op->flow->worker->process, to)) {
        give_halves(channel, to, batch);
        return;
    }
    uint32_t bytes = wi_spool_weight(batch);
    wi_spool *held = &channel->held[to];
    if (wi_spool_empty(held) && has_credit(channel, to)) {
        send_now(channel, to, batch, bytes);
        if (!has_credit(channel, to))
            become_short(channel);
        return;
    }
    wi_flow *flow = channel->to->op->flow;
    weir_err *err = wi_spool_push(held, (wi_waiting){batch, flow->worker->index, bytes});
    if (err)
        wi_stop_with(flow->worker->process, err);
    become_short(channel);
}

/* ---- credit comes back ------------------------------------------------------------------ */

/* Sends what is held, as long as there is credit. Whether the channel is short no more. */
static bool release_held(wi_channel *channel)
{
    wi_flow *flow = channel->to->op->flow;
    bool open = true;
    for (uint32_t to = 0; to < flow->worker->process->workers; to++) {
        wi_spool *held = &channel->held[to];
        while (!wi_spool_empty(held) && has_credit(channel, to)) {
            wi_waiting entry;
            weir_err *err = wi_spool_pop(held, channel->to->type, &entry);
            if (err)
                wi_stop_with(flow->worker->process, err);
            send_now(channel, to, entry.batch, entry.bytes);
        }
        open &= wi_spool_empty(held) && has_credit(channel, to);
    }
    return open;
}

static void activate_blocked(wi_flow *flow)
{
    for (uint32_t w = 0; w < flow->op_count / 64 + 1; w++) {
        flow->active[w] |= flow->blocked[w];
        flow->any_active |= flow->blocked[w] != 0;
        flow->blocked[w] = 0;
    }
    flow->any_blocked = false;
}

void wi_flow_reopen(wi_flow *flow)
{
    wi_channel **link = &flow->shorts;
    while (*link) {
        wi_channel *channel = *link;
        if (!release_held(channel)) {
            link = &channel->next_short;
            continue;
        }
        *link = channel->next_short;
        channel->is_short = false;
        flow->reopened = true;
    }
    if (flow->reopened && flow->any_blocked)
        activate_blocked(flow);
    flow->reopened = false;
}

bool wi_flow_may_reopen(const wi_flow *flow)
{
    if (flow->reopened)
        return true;
    uint32_t workers = flow->worker->process->workers;
    for (const wi_channel *channel = flow->shorts; channel; channel = channel->next_short) {
        bool open = true;
        for (uint32_t to = 0; to < workers; to++) {
            bool holds = !wi_spool_empty(&channel->held[to]), credit = has_credit(channel, to);
            if (holds && credit)
                return true;
            open &= !holds && credit;
        }
        if (open)
            return true;
    }
    return false;
}

/* ---- receiving -------------------------------------------------------------------------- */

void wi_input_took(wi_input_port *input, uint32_t from, uint32_t bytes)
{
    wi_flow *flow = input->op->flow;
    weir_worker *worker = flow->worker;
    const wi_process *process = worker->process;
    if (flow->any_blocked && input->queue.bytes <= process->queue_bytes)
        flow->reopened = true;
    if (from == worker->index)
        return;
    uint64_t *owed = &flow->owed[(uint64_t)from * flow->edges + input->edge];
    *owed += bytes;
    if (*owed < process->credit_bytes / GIVEN_BACK_PART)
        return;
    if (wi_is_local(process, from)) {
        uint32_t local = from - process->first_worker;
        _Atomic(uint64_t) *taken = wi_shared_taken(flow->shared, local, worker->index, input->edge);
        uint64_t before = atomic_load_explicit(taken, memory_order_relaxed); /* ours alone */
        atomic_store_explicit(taken, before + *owed, memory_order_release);
        worker->gave_to[local] = true;
    } else {
        wi_cluster_credit(worker, flow->number, from, input->edge, *owed);
    }
    *owed = 0;
}
