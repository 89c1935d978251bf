/* See cluster.h. Here: what arrives. Runs on whichever thread polls; frames of one link come one
 * after the other. What a frame says is checked before it is believed, although only processes of
 * this cluster can send one: an index out of range there is a bug here. */
#include "cluster_frames.h"

#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../proto/progress.h"
#include "tsan.h"
#include "wire.h"

/* A name that one graph has and another may not have. */
#define NAME_OR_NOTHING(name) (name) ? "`" : "", (name) ? (name) : "nothing", (name) ? "`" : ""

static void nonsense(wi_cluster *cluster, uint32_t process, const char *what)
{
    wi_stop_with(cluster->process,
                 weir_err_new("process %u (%s) sent %s that makes no sense here; do all processes "
                              "run the same program?",
                              process, cluster->urls[process], what));
}

/* ---- graphs ----------------------------------------------------------------------------- */

/* The texts of a graph frame, one after the other. */
typedef struct texts {
    const char *at, *end;
} texts;

static const char *next_text(texts *from)
{
    const char *text = from->at;
    const char *end = memchr(text, 0, (size_t)(from->end - text));
    if (!end)
        return NULL;
    from->at = end + 1;
    return text;
}

static weir_err *op_differs(const wi_cluster *cluster, const wi_shared *shared, uint32_t process,
                            uint32_t index, const char *name, const char *text)
{
    const char *ours = index < shared->op_count ? shared->op_names[index] : NULL;
    if (ours && name && strcmp(ours, name) == 0)
        return weir_err_new("dataflow `%s`: process %u built operator %u `%s` as {%s}, process %u "
                            "as {%s}; every process must run the same program",
                            shared->name, cluster->self, index, ours, shared->op_texts[index],
                            process, text);
    return weir_err_new("dataflow `%s`: process %u built %s%s%s as operator %u, process %u built "
                        "%s%s%s; every process must run the same program",
                        shared->name, cluster->self, NAME_OR_NOTHING(ours), index, process,
                        NAME_OR_NOTHING(name));
}

static weir_err *compare(const wi_cluster *cluster, const wi_shared *shared, uint32_t process,
                         uint32_t op_count, texts from)
{
    const char *name = next_text(&from), *dims = name ? next_text(&from) : NULL;
    if (!dims)
        return weir_err_new("process %u sent a graph that ends early", process);
    if (strcmp(name, shared->name) != 0)
        return weir_err_new("process %u built dataflow `%s` where process %u built `%s`; every "
                            "process must run the same program",
                            cluster->self, shared->name, process, name);
    if (strcmp(dims, shared->dims_text) != 0)
        return weir_err_new("dataflow `%s`: process %u declared the dimensions (%s), process %u "
                            "(%s); every process must run the same program",
                            shared->name, cluster->self, shared->dims_text, process, dims);
    uint32_t most = op_count > shared->op_count ? op_count : shared->op_count;
    for (uint32_t i = 0; i < most; i++) {
        const char *op = i < op_count ? next_text(&from) : NULL;
        const char *text = op ? next_text(&from) : NULL;
        if (i >= shared->op_count || !text || strcmp(op, shared->op_names[i]) != 0 ||
            strcmp(text, shared->op_texts[i]) != 0)
            return op_differs(cluster, shared, process, i, op, text ? text : "");
    }
    return NULL;
}

static bool is_compared(const wi_member *peer, uint32_t flow)
{
    return flow < peer->compared_count && peer->compared[flow];
}

static void set_compared(wi_member *peer, uint32_t flow)
{
    wi_grow(&peer->compared, &peer->compared_capacity, flow + 1, sizeof *peer->compared);
    while (peer->compared_count <= flow)
        peer->compared[peer->compared_count++] = false;
    peer->compared[flow] = true;
}

/* ---- frames for a dataflow that was built here ------------------------------------------ */

static weir_err *take_graph(wi_cluster *cluster, wi_shared *shared, uint32_t process,
                            const char *bytes, uint32_t count)
{
    wi_flow_frame head;
    memcpy(&head, bytes, sizeof head);
    weir_err *err = compare(cluster, shared, process, head.count,
                            (texts){bytes + sizeof head, bytes + count});
    if (!err)
        set_compared(&cluster->members[process], head.flow);
    return err;
}

static wi_incoming *read_changes(const wi_shared *shared, const char *bytes, uint32_t count)
{
    wi_progress_batch batch = {0};
    wi_incoming *incoming = NULL;
    if (wi_progress_decode(&(wi_progress_places){shared->dims, shared->locs},
                           bytes + sizeof(wi_flow_frame), count - sizeof(wi_flow_frame), &batch)) {
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
static bool take_progress(wi_shared *shared, const char *bytes, uint32_t count)
{
    wi_incoming *incoming = read_changes(shared, bytes, count);
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

/* Takes a reference of the chunk. */
static bool take_batch(wi_cluster *cluster, wi_shared *shared, uint32_t process, char *bytes,
                       uint32_t count, wi_chunk *chunk)
{
    wi_process *own = cluster->process;
    wi_wire_head head;
    memcpy(&head, bytes, sizeof head);
    const wi_shared_port *port = port_of(shared, &head);
    weir_batch *batch = NULL;
    if (port && wi_is_local(own, head.to) && head.from / own->local_workers == process)
        batch = wi_wire_batch(port->type, bytes, count, drop_chunk, chunk);
    if (!batch) {
        wi_chunk_drop(chunk);
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

/* With a visit, or process->lock. Takes a reference of the chunk, if there is one. */
static bool take_frame(wi_cluster *cluster, wi_shared *shared, const wi_early *frame)
{
    switch (frame->kind) {
    case WI_FRAME_PROGRESS:
        return take_progress(shared, frame->bytes, frame->count);
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
    default:
        return take_batch(cluster, shared, frame->process, frame->bytes, frame->count,
                          frame->chunk);
    }
}

/* ---- frames that come early ------------------------------------------------------------- */

/* With process->lock. Small ones are copied, so that they do not keep a whole chunk. */
static void keep_early(wi_cluster *cluster, const wi_early *frame)
{
    wi_early *kept = WI_NEW(wi_early);
    *kept = *frame;
    if (!frame->chunk)
        kept->bytes = memcpy(wi_alloc(frame->count), frame->bytes, frame->count);
    *cluster->early_end = kept;
    cluster->early_end = &kept->next;
}

static void unlink_early(wi_cluster *cluster, wi_early **link)
{
    wi_early *gone = *link;
    *link = gone->next;
    if (cluster->early_end == &gone->next)
        cluster->early_end = link;
    if (!gone->chunk)
        wi_free(gone->bytes);
    wi_free(gone);
}

/* Batches go to mailboxes, also those of the worker that calls: operators must not run in here,
 * with the lock. */
weir_err *wi_cluster_take_early(wi_cluster *cluster, wi_shared *shared)
{
    weir_worker *polling = wi_cluster_polling;
    wi_cluster_polling = NULL;
    weir_err *err = NULL;
    bool sound = true;
    for (wi_early **link = &cluster->early; *link && !err && sound;) {
        wi_early *frame = *link;
        bool graph = frame->kind == WI_FRAME_GRAPH;
        if (frame->flow != shared->number ||
            !(graph || is_compared(&cluster->members[frame->process], frame->flow))) {
            link = &frame->next;
            continue;
        }
        if (graph)
            err = take_graph(cluster, shared, frame->process, frame->bytes, frame->count);
        else
            sound = take_frame(cluster, shared, frame);
        unlink_early(cluster, link);
        if (graph)
            link = &cluster->early; /* batches may have come before the graph */
    }
    wi_cluster_polling = polling;
    if (!err && !sound)
        err = weir_err_new("another process sent something for dataflow `%s` that makes no sense "
                           "here; do all processes run the same program?",
                           shared->name);
    return err;
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
            err = weir_err_new("worker %u of process %u has returned without building dataflow "
                               "`%s`, which process %u built; every worker must build the same "
                               "dataflows in the same order",
                               frame.worker, process, own->shared[n]->name, cluster->self);
    pthread_mutex_unlock(&own->lock);
    if (err)
        wi_stop_with(own, err);
}

/* With process->lock. A worker here may have returned already. */
static weir_err *never_built(const wi_cluster *cluster, const wi_early *frame)
{
    const wi_process *own = cluster->process;
    for (uint32_t i = 0; i < own->local_workers; i++)
        if (own->returned[i] <= frame->flow)
            return weir_err_new("worker %u of process %u has returned without building dataflow "
                                "%u, which process %u built; every worker must build the same "
                                "dataflows in the same order",
                                own->first_worker + i, cluster->self, frame->flow, frame->process);
    return NULL;
}

static void took_for_flow(wi_cluster *cluster, wi_early *frame)
{
    wi_process *own = cluster->process;
    bool ended, graph = frame->kind == WI_FRAME_GRAPH;
    weir_err *err = NULL;
    if (frame->chunk)
        wi_chunk_retain(frame->chunk);
    pthread_mutex_lock(&own->lock);
    wi_shared *shared = wi_shared_find(own, frame->flow, &ended);
    bool ready = shared && is_compared(&cluster->members[frame->process], frame->flow);
    if (ready) {
        wi_shared_visit(shared);
    } else if (shared && graph) {
        err = take_graph(cluster, shared, frame->process, frame->bytes, frame->count);
        if (!err)
            err = wi_cluster_take_early(cluster, shared);
    } else if (!ended) {
        err = graph && !shared ? never_built(cluster, frame) : NULL;
        keep_early(cluster, frame);
    } else if (frame->chunk) {
        wi_chunk_drop(frame->chunk);
    }
    pthread_mutex_unlock(&own->lock);
    if (err)
        wi_stop_with(own, err);
    if (!ready)
        return;
    bool sound = !graph && take_frame(cluster, shared, frame);
    wi_shared_visited(shared);
    if (!sound)
        nonsense(cluster, frame->process, "a frame");
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
        nonsense(cluster, arrival->process, "a frame");
        return;
    }
    if (kind == WI_FRAME_STOP) {
        took_stop(cluster, arrival);
    } else if (kind == WI_FRAME_RETURNED) {
        took_returned(cluster, arrival->process, arrival->bytes);
    } else {
        wi_early frame = {.process = arrival->process,
                          .kind = kind,
                          .count = arrival->count,
                          .bytes = arrival->bytes,
                          .chunk = kind == WI_FRAME_BATCH ? arrival->chunk : NULL};
        memcpy(&frame.flow, arrival->bytes, sizeof frame.flow); /* the first field of all these */
        took_for_flow(cluster, &frame);
    }
}
