/* See cluster.h. Here: what arrives (too early: cluster_early.c). Runs on whichever thread polls;
 * frames of one link come one after the other. What a frame says is checked before it is believed,
 * although only processes of this cluster can send one: an index out of range there is a bug
 * here. */
#include "cluster_frames.h"

#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../proto/progress.h"
#include "tsan.h"
#include "wire.h"

weir_err *wi_nonsense(const wi_cluster *cluster, uint32_t process)
{
    return weir_err_new("process %u (%s) sent a frame that makes no sense here; do all processes "
                        "run the same program?",
                        process, cluster->urls[process]);
}

weir_err *wi_never_built(uint32_t worker, uint32_t process, const char *flow, uint32_t builder)
{
    return weir_err_new("worker %u of process %u has returned without building dataflow `%s`, "
                        "which process %u built; every worker must build the same dataflows in "
                        "the same order",
                        worker, process, flow, builder);
}

/* ---- graphs ----------------------------------------------------------------------------- */

bool wi_graph_read(const wi_frame *frame, wi_graph_seen *graph_out)
{
    wi_flow_frame head;
    memcpy(&head, frame->bytes, sizeof head);
    size_t rest = frame->count - sizeof head;
    if (head.count >= rest || frame->bytes[frame->count - 1])
        return false;
    const uint8_t *dims = (const uint8_t *)frame->bytes + sizeof head;
    for (uint32_t i = 0; i < head.count; i++)
        if (dims[i] < 1 || dims[i] > WEIR_DIMS_MAX)
            return false;
    wi_outline outline = {frame->bytes + sizeof head + head.count, rest - head.count};
    *graph_out = (wi_graph_seen){dims, head.count, outline};
    return true;
}

weir_err *wi_graph_compare(const wi_cluster *cluster, uint32_t process, const wi_graph_seen *graph,
                           uint32_t other, const wi_graph_seen *others)
{
    wi_builders by = {"process", "every process must run the same program", process, other};
    weir_err *err = wi_outline_compare(&by, graph->outline, others->outline);
    if (!err && (graph->locs != others->locs || memcmp(graph->dims, others->dims, graph->locs)))
        err = wi_nonsense(cluster, other);
    return err;
}

bool wi_cluster_compared(const wi_cluster *cluster, uint32_t process, uint32_t flow)
{
    const wi_member *peer = &cluster->members[process];
    return flow < peer->compared_count && peer->compared[flow];
}

static void set_compared(wi_member *peer, uint32_t flow)
{
    wi_grow(&peer->compared, &peer->compared_capacity, flow + 1, sizeof *peer->compared);
    while (peer->compared_count <= flow)
        peer->compared[peer->compared_count++] = false;
    peer->compared[flow] = true;
}

weir_err *wi_cluster_compare(wi_cluster *cluster, const wi_shared *shared, uint32_t process,
                             const wi_graph_seen *graph)
{
    wi_graph_seen ours = {shared->dims, shared->locs, shared->outline};
    weir_err *err = wi_graph_compare(cluster, cluster->self, &ours, process, graph);
    if (!err)
        set_compared(&cluster->members[process], shared->number);
    return err;
}

/* With process->lock. A graph of what was built here; what has waited for it is taken. */
static weir_err *take_graph(wi_cluster *cluster, wi_shared *shared, const wi_frame *frame)
{
    wi_graph_seen graph;
    if (!wi_graph_read(frame, &graph))
        return wi_nonsense(cluster, frame->process);
    weir_err *err = wi_cluster_compare(cluster, shared, frame->process, &graph);
    return err ? err : wi_early_take(cluster, shared);
}

/* ---- frames for a dataflow that was built here ------------------------------------------ */

static wi_incoming *read_changes(const wi_shared *shared, const wi_frame *frame)
{
    wi_progress_batch batch = {0};
    wi_incoming *incoming = NULL;
    if (wi_progress_decode(&(wi_progress_places){shared->dims, shared->locs},
                           frame->bytes + sizeof(wi_flow_frame),
                           frame->count - sizeof(wi_flow_frame), &batch)) {
        incoming = wi_alloc(sizeof *incoming + batch.count * sizeof(wi_change));
        incoming->count = batch.count;
        for (uint32_t i = 0; i < batch.count; i++)
            incoming->changes[i] = (wi_change){batch.changes[i].loc, batch.changes[i].delta,
                                               batch.changes[i].time};
    }
    wi_progress_batch_fini(&batch);
    return incoming;
}

/* False: it makes no sense. */
static bool take_progress(wi_shared *shared, const wi_frame *frame)
{
    wi_incoming *incoming = read_changes(shared, frame);
    if (incoming)
        wi_shared_receive(shared, incoming);
    return incoming != NULL;
}

typedef struct letter {
    wi_mail mail;
    wi_envelope envelope;
} letter;

static void take_letter(weir_worker *worker, wi_mail *posted)
{
    letter *mail = (letter *)posted;
    if (worker)
        wi_worker_take(worker, &mail->envelope);
    else
        weir_batch_drop(mail->envelope.batch);
    wi_free(mail);
}

/* To the worker's mailbox; or at once, if it is the one that polls. What was posted to it before
 * goes first: frames of a link come to one thread at a time, so it is in the mailbox by now. */
static void deliver(wi_process *process, uint32_t to, wi_envelope envelope)
{
    uint32_t local = to - process->first_worker;
    weir_worker *self = wi_cluster_polling;
    if (self && self->index == to &&
        !atomic_load_explicit(&self->seat->mailbox, memory_order_acquire)) {
        wi_worker_take(self, &envelope);
        return;
    }
    letter *mail = WI_NEW(letter);
    *mail = (letter){{.take = take_letter}, envelope};
    wi_mail_post(process, local, &mail->mail);
}

static void drop_chunk(void *chunk)
{
    wi_chunk_drop(chunk);
}

static const wi_shared_port *port_of(const wi_shared *shared, const wi_wire_head *head)
{
    /* Ports are in the order of operators and their inputs, so this is near. */
    for (uint32_t low = 0, high = shared->port_count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const wi_shared_port *port = &shared->ports[middle];
        if (port->op == head->op && port->input == head->input)
            return port->exchanged ? port : NULL;
        if (port->op < head->op || (port->op == head->op && port->input < head->input))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool take_batch(wi_cluster *cluster, wi_shared *shared, const wi_frame *frame)
{
    wi_process *own = cluster->process;
    wi_wire_head head;
    memcpy(&head, frame->bytes, sizeof head);
    const wi_shared_port *port = port_of(shared, &head);
    weir_batch *batch = NULL;
    if (port && wi_is_local(own, head.to) && head.from / own->local_workers == frame->process)
        batch = wi_wire_batch(port->type, frame->bytes, frame->count, frame->release,
                              frame->lender);
    if (!batch) {
        frame->release(frame->lender);
        return false;
    }
    wi_shared_arrived(shared, port->loc, &batch->time);
    deliver(own, head.to,
            (wi_envelope){head.flow, head.op, head.input, head.from, head.weight, batch});
    return true;
}

static bool take_credit(wi_cluster *cluster, const wi_shared *shared, uint32_t process,
                        const char *bytes)
{
    wi_process *own = cluster->process;
    wi_credit_frame frame;
    memcpy(&frame, bytes, sizeof frame);
    if (!wi_is_local(own, frame.to) || frame.by / own->local_workers != process ||
        frame.edge >= shared->port_count)
        return false;
    uint32_t local = frame.to - own->first_worker;
    atomic_fetch_add_explicit(wi_shared_taken(shared, local, frame.by, frame.edge), frame.bytes,
                              memory_order_release);
    wi_full_fence(); /* as a worker's wake_receivers */
    if (atomic_load_explicit(&own->seats[local].parked, memory_order_relaxed))
        wi_wake(own, local);
    return true;
}

bool wi_cluster_take(wi_cluster *cluster, wi_shared *shared, const wi_frame *frame)
{
    switch (frame->kind) {
    case WI_FRAME_PROGRESS:
        return take_progress(shared, frame);
    case WI_FRAME_CREDIT:
        return take_credit(cluster, shared, frame->process, frame->bytes);
    case WI_FRAME_DROPPED: {
        wi_worker_frame dropped;
        uint32_t none = 0;
        memcpy(&dropped, frame->bytes, sizeof dropped);
        atomic_compare_exchange_strong(&shared->notice.dropped, &none, dropped.worker + 1);
        wi_wake_all(cluster->process);
        return true;
    }
    case WI_FRAME_BATCH:
        return take_batch(cluster, shared, frame);
    default:
        return false;
    }
}

/* ---- all frames ------------------------------------------------------------------------- */

static void took_stop(wi_cluster *cluster, const wi_arrival *arrival)
{
    atomic_store_explicit(&cluster->told, true, memory_order_relaxed);
    wi_stop_with(cluster->process, weir_err_new("process %u stopped: %.*s", arrival->process,
                                                (int)arrival->count, arrival->bytes));
}

static void took_returned(wi_cluster *cluster, uint32_t process, const char *bytes)
{
    wi_process *own = cluster->process;
    wi_member *peer = &cluster->members[process];
    wi_worker_frame frame;
    memcpy(&frame, bytes, sizeof frame);
    weir_err *err = NULL;
    pthread_mutex_lock(&own->lock);
    if (frame.flow < peer->built) {
        peer->built = frame.flow;
        peer->returned = frame.worker;
    }
    for (uint32_t n = frame.flow; n < own->shared_count && !err; n++)
        if (own->shared[n] && own->shared[n]->tracker)
            err = wi_never_built(frame.worker, process, own->shared[n]->name, cluster->self);
    pthread_mutex_unlock(&own->lock);
    if (err)
        wi_stop_with(own, err);
}

static void took_for_flow(wi_cluster *cluster, const wi_arrival *arrival)
{
    wi_process *own = cluster->process;
    wi_frame frame = {.process = arrival->process,
                      .kind = arrival->kind,
                      .count = arrival->count,
                      .bytes = arrival->bytes,
                      .release = drop_chunk,
                      .lender = arrival->chunk};
    memcpy(&frame.flow, frame.bytes, sizeof frame.flow); /* the first field of all these */
    bool ended;
    weir_err *err = NULL;
    pthread_mutex_lock(&own->lock);
    wi_shared *shared = wi_shared_find(own, frame.flow, &ended);
    bool ready = shared && wi_cluster_compared(cluster, frame.process, frame.flow);
    if (ready)
        wi_shared_visit(shared);
    else if (shared && frame.kind == WI_FRAME_GRAPH)
        err = take_graph(cluster, shared, &frame);
    else if (!ended)
        err = wi_early_keep(cluster, &frame);
    pthread_mutex_unlock(&own->lock);
    if (ready) {
        if (frame.kind == WI_FRAME_BATCH)
            wi_chunk_retain(arrival->chunk);
        if (!wi_cluster_take(cluster, shared, &frame))
            err = wi_nonsense(cluster, frame.process);
        wi_shared_visited(shared);
    }
    if (err)
        wi_stop_with(own, err);
}

void wi_cluster_frame(void *arg, const wi_arrival *arrival)
{
    static const uint32_t least[] = {[WI_FRAME_GRAPH] = sizeof(wi_flow_frame) + 1,
                                     [WI_FRAME_PROGRESS] = sizeof(wi_flow_frame),
                                     [WI_FRAME_CREDIT] = sizeof(wi_credit_frame),
                                     [WI_FRAME_DROPPED] = sizeof(wi_worker_frame),
                                     [WI_FRAME_RETURNED] = sizeof(wi_worker_frame),
                                     [WI_FRAME_STOP] = 0,
                                     [WI_FRAME_BATCH] = sizeof(wi_wire_head)};
    wi_cluster *cluster = arg;
    uint16_t kind = arrival->kind;
    if (kind < WI_FRAME_GRAPH || kind > WI_FRAME_BATCH || arrival->count < least[kind] ||
        (kind == WI_FRAME_BATCH) != (arrival->lane == WI_LANE_DATA)) {
        wi_stop_with(cluster->process, wi_nonsense(cluster, arrival->process));
        return;
    }
    if (kind == WI_FRAME_STOP) {
        took_stop(cluster, arrival);
    } else if (kind == WI_FRAME_RETURNED) {
        took_returned(cluster, arrival->process, arrival->bytes);
    } else {
        took_for_flow(cluster, arrival);
    }
}
