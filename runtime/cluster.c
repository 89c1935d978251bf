/* See cluster.h. Here: joining and leaving, the keeper, and all that is sent. */
#include "cluster_frames.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <urcu-qsbr.h>

#include "../base/alloc.h"
#include "../proto/progress.h"
#include "place.h"
#include "tsan.h"
#include "wire.h"

#define KEEPER_NS 50000000
/* When the others are told of a failure, how long they may take to hear it. */
#define FAILED_LEAVE_NS UINT64_C(500000000)
#define TOLD_NS UINT64_C(20000000) /* and at least, once all of it is with the system */
/* Progress is merged while so much of it waits to be sent to some process. */
#define BUSY_BYTES ((size_t)64 << 10)
/* Of progress, in a frame. */
#define CHANGES_MAX ((uint32_t)1 << 16)

_Thread_local weir_worker *wi_cluster_polling;

/* ---- sending: any thread ---------------------------------------------------------------- */

static void send_all(wi_cluster *cluster, wi_frame_kind kind, const wi_part *parts, uint32_t count)
{
    for (uint32_t p = 0; p < cluster->processes; p++)
        if (p != cluster->self)
            wi_mesh_send(cluster->mesh, p, WI_LANE_PROGRESS, kind, parts, count, NULL, NULL);
}

static void free_wire(void *wire)
{
    wi_wire_free(wire);
}

void wi_cluster_send(weir_worker *worker, uint32_t to, const wi_envelope *envelope)
{
    wi_process *process = worker->process;
    wi_wire *wire = wi_wire_new(envelope->batch);
    wire->head.flow = envelope->flow;
    wire->head.op = envelope->op;
    wire->head.input = envelope->input;
    wire->head.from = worker->index;
    wire->head.to = to;
    wire->head.weight = envelope->bytes;
    wi_mesh_send(process->cluster->mesh, to / process->local_workers, WI_LANE_DATA,
                 WI_FRAME_BATCH, wire->parts, wire->count, free_wire, wire);
}

void wi_cluster_push(wi_process *process)
{
    wi_mesh_push(process->cluster->mesh);
}

void wi_cluster_credit(weir_worker *worker, uint32_t flow, uint32_t to, uint32_t edge,
                       uint64_t bytes)
{
    wi_process *process = worker->process;
    wi_credit_frame frame = {flow, edge, worker->index, to, bytes};
    wi_part part = {&frame, sizeof frame};
    wi_mesh_send(process->cluster->mesh, to / process->local_workers, WI_LANE_PROGRESS,
                 WI_FRAME_CREDIT, &part, 1, NULL, NULL);
}

static void send_worker(wi_process *process, wi_frame_kind kind, uint32_t flow, uint32_t worker)
{
    wi_worker_frame frame = {flow, worker};
    send_all(process->cluster, kind, &(wi_part){&frame, sizeof frame}, 1);
}

void wi_cluster_dropped(wi_process *process, uint32_t flow, uint32_t worker)
{
    send_worker(process, WI_FRAME_DROPPED, flow, worker);
}

void wi_cluster_returned(wi_process *process, uint32_t worker, uint32_t built)
{
    send_worker(process, WI_FRAME_RETURNED, built, worker);
}

void wi_cluster_stop(wi_process *process, const char *reason)
{
    wi_cluster *cluster = process->cluster;
    if (atomic_exchange_explicit(&cluster->told, true, memory_order_relaxed))
        return;
    send_all(cluster, WI_FRAME_STOP, &(wi_part){reason, strlen(reason)}, 1);
}

bool wi_cluster_busy(const wi_process *process)
{
    const wi_cluster *cluster = process->cluster;
    for (uint32_t p = 0; p < cluster->processes; p++)
        if (p != cluster->self &&
            wi_mesh_backlog(cluster->mesh, p, WI_LANE_PROGRESS) > BUSY_BYTES)
            return true;
    return false;
}

void wi_cluster_totals(const weir_worker *worker, wi_mesh_totals *totals_out)
{
    memset(totals_out, 0, sizeof *totals_out);
    if (worker->process->cluster)
        wi_mesh_count(worker->process->cluster->mesh, totals_out);
}

/* In their order, in which they take few bytes; or, if they do not fit into one frame, all that add
 * before any that take away. So between two of those frames the others count what was and what is:
 * too much for a moment, never too little (C1). */
static uint32_t list_changes(const wi_changes *changes, wi_progress_change *list)
{
    bool split = changes->nonzero > CHANGES_MAX;
    uint32_t count = 0;
    for (int less = 0; less < 1 + split; less++)
        for (uint32_t i = 0; i < changes->count; i++) {
            const wi_change *change = &changes->entries[i];
            if (change->delta && (!split || (change->delta < 0) == less))
                list[count++] = (wi_progress_change){change->loc, change->delta, change->time};
        }
    return count;
}

void wi_cluster_progress(wi_process *process, uint32_t flow, const uint8_t *dims, uint32_t locs,
                         const wi_changes *changes)
{
    wi_progress_change *list = WI_NEWS(wi_progress_change, changes->nonzero);
    uint32_t count = list_changes(changes, list);
    char *bytes = wi_alloc(wi_progress_bytes_max(count < CHANGES_MAX ? count : CHANGES_MAX));
    for (uint32_t i = 0, some; i < count; i += some) {
        some = count - i < CHANGES_MAX ? count - i : CHANGES_MAX;
        wi_flow_frame head = {flow, some};
        size_t used = wi_progress_encode(&(wi_progress_places){dims, locs}, list + i, some, bytes);
        wi_part parts[] = {{&head, sizeof head}, {bytes, used}};
        send_all(process->cluster, WI_FRAME_PROGRESS, parts, 2);
    }
    wi_free(bytes);
    wi_free(list);
}

/* ---- a dataflow was built --------------------------------------------------------------- */

weir_err *wi_cluster_built(wi_shared *shared)
{
    wi_cluster *cluster = shared->process->cluster;
    wi_flow_frame head = {shared->number, shared->locs};
    wi_part graph[] = {{&head, sizeof head},
                       {shared->dims, shared->locs},
                       {shared->outline.text, shared->outline.bytes}};
    send_all(cluster, WI_FRAME_GRAPH, graph, 3);
    for (uint32_t p = 0; p < cluster->processes; p++)
        if (cluster->members[p].built <= shared->number)
            return wi_never_built(cluster->members[p].returned, p, shared->name, cluster->self);
    return wi_early_take(cluster, shared);
}

/* ---- polling ---------------------------------------------------------------------------- */

bool wi_cluster_poll(weir_worker *worker)
{
    wi_cluster *cluster = worker->process->cluster;
    if (!atomic_load_explicit(&cluster->polled, memory_order_relaxed))
        atomic_store_explicit(&cluster->polled, true, memory_order_relaxed);
    wi_cluster_polling = worker;
    bool any = wi_mesh_poll(cluster->mesh, wi_clock_ns(worker->process));
    wi_cluster_polling = NULL;
    return any;
}

bool wi_cluster_arm(wi_process *process)
{
    return wi_mesh_arm(process->cluster->mesh);
}

/* any thread, also one of the transport's: somebody who sleeps is to poll. */
static void on_wake(void *arg)
{
    wi_process *process = ((wi_cluster *)arg)->process;
    for (uint32_t i = 0; i < process->local_workers; i++)
        if (atomic_load_explicit(&process->seats[i].parked, memory_order_seq_cst)) {
            wi_wake(process, i);
            return;
        }
}

static void on_down(void *arg, uint32_t process, weir_err *why)
{
    (void)process;
    wi_stop_with(((wi_cluster *)arg)->process, why);
}

/* Why the process stops is said at its end, by its program; but if that takes long, since a worker
 * is in a call that does not return, also here. */
static void say_reason(wi_process *process)
{
    pthread_mutex_lock(&process->lock);
    fprintf(stderr, "weir: %s; this process ends when a call that still runs has returned\n",
            weir_err_message(process->reason));
    pthread_mutex_unlock(&process->lock);
}

/* Heartbeats, and what comes while all workers are in long calls or have ended. */
static void *keep(void *arg)
{
    uint32_t looks_stopping = 0;
    wi_cluster *cluster = arg;
    wi_process *process = cluster->process;
    urcu_qsbr_register_thread();
    pthread_mutex_lock(&cluster->lock);
    while (!cluster->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += KEEPER_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        wi_tsan_release_quiescent();
        urcu_qsbr_thread_offline();
        pthread_cond_timedwait(&cluster->ended, &cluster->lock, &until);
        urcu_qsbr_thread_online();
        pthread_mutex_unlock(&cluster->lock);
        if (!atomic_exchange_explicit(&cluster->polled, false, memory_order_relaxed))
            wi_mesh_poll(cluster->mesh, wi_clock_ns(process));
        wi_mesh_tick(cluster->mesh, wi_clock_ns(process));
        if (atomic_load_explicit(&process->parked_count, memory_order_relaxed) ==
                process->local_workers &&
            !wi_mesh_arm(cluster->mesh))
            on_wake(cluster);
        if (wi_stopping(process) && ++looks_stopping == 2)
            say_reason(process);
        pthread_mutex_lock(&cluster->lock);
    }
    pthread_mutex_unlock(&cluster->lock);
    urcu_qsbr_thread_offline();
    urcu_qsbr_unregister_thread();
    return NULL;
}

/* ---- joining and leaving ---------------------------------------------------------------- */

static void free_cluster(wi_cluster *cluster)
{
    wi_mesh_close(cluster->mesh);
    if (cluster->urls)
        wi_place_free_urls(cluster->urls, cluster->processes);
    wi_early_free(cluster);
    for (uint32_t p = 0; p < cluster->processes; p++)
        wi_free(cluster->members[p].compared);
    wi_free(cluster->members);
    pthread_mutex_destroy(&cluster->lock);
    pthread_cond_destroy(&cluster->ended);
    wi_free(cluster);
}

static wi_cluster *new_cluster(wi_process *process)
{
    wi_cluster *cluster = WI_NEW(wi_cluster);
    cluster->process = process;
    cluster->processes = process->config.cluster.processes;
    cluster->self = process->config.cluster.process;
    cluster->members = WI_NEWS(wi_member, cluster->processes);
    for (uint32_t p = 0; p < cluster->processes; p++)
        cluster->members[p].built = UINT32_MAX;
    cluster->early_end = &cluster->early;
    pthread_mutex_init(&cluster->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cluster->ended, &attr);
    pthread_condattr_destroy(&attr);
    return cluster;
}

static weir_err *connect_mesh(wi_cluster *cluster)
{
    const weir_cluster *place = &cluster->process->config.cluster;
    wi_mesh_config config = {.process = cluster->self,
                             .processes = cluster->processes,
                             .workers = cluster->process->local_workers,
                             .cluster = place->name ? place->name : "weir",
                             .generation = place->generation,
                             .key_file = place->key_file,
                             .key = wi_place_key(place),
                             .tls = {.certificate = place->certificate,
                                     .key = place->certificate_key,
                                     .authority = place->authority},
                             .nng = place->nng,
                             .no_shared_memory = place->no_shared_memory,
                             .connect_ns = place->connect_ns,
                             .silence_ns = place->silence_ns,
                             .frame = wi_cluster_frame,
                             .down = on_down,
                             .wake = on_wake,
                             .arg = cluster};
    char *url = NULL;
    weir_err *err = wi_place_url(place, &url);
    if (!err)
        err = wi_mesh_listen(&config, url, &cluster->mesh);
    wi_free(url);
    if (!err)
        err = wi_place_urls(place, wi_mesh_url(cluster->mesh), &cluster->urls);
    if (!err)
        err = wi_mesh_connect(cluster->mesh, (const char *const *)cluster->urls);
    return err;
}

/* What two processes on one machine have in common: the host, or that there is none to name. */
static bool same_host(const char *a, const char *b)
{
    const char *x = strstr(a, "://"), *y = strstr(b, "://");
    if (!x || !y || !strstr(a, "tcp") || !strstr(b, "tcp"))
        return true;
    const char *x_port = strrchr(x, ':'), *y_port = strrchr(y, ':');
    return x_port - x == y_port - y && memcmp(x, y, (size_t)(x_port - x)) == 0;
}

static void look_at_host(wi_cluster *cluster)
{
    wi_process *process = cluster->process;
    uint32_t here = 0, before = 0;
    for (uint32_t p = 0; p < cluster->processes; p++) {
        bool same = same_host(cluster->urls[p], cluster->urls[cluster->self]);
        here += same;
        before += same && p < cluster->self;
    }
    wi_process_share_host(process, here, before);
}

weir_err *wi_cluster_join(wi_process *process)
{
    if (process->config.cluster.processes <= 1)
        return NULL;
    wi_cluster *cluster = new_cluster(process);
    process->cluster = cluster;
    weir_err *err = connect_mesh(cluster);
    if (!err)
        look_at_host(cluster);
    if (!err && pthread_create(&cluster->keeper, NULL, keep, cluster) != 0)
        err = weir_err_new("could not start the thread that keeps up with the other processes; "
                           "raise the limit of threads (ulimit -u)");
    if (err) {
        process->cluster = NULL;
        free_cluster(cluster);
    }
    return err;
}

/* Whether something waits to be sent to anybody. */
static bool waits(const wi_cluster *cluster)
{
    size_t bytes = 0;
    for (uint32_t p = 0; p < cluster->processes; p++)
        for (int lane = 0; lane < WI_LANES && p != cluster->self; lane++)
            bytes += wi_mesh_backlog(cluster->mesh, p, lane);
    return bytes != 0;
}

/* All workers have ended; the keeper goes on until the others have ended, too. */
static void wait_for_all(wi_cluster *cluster)
{
    wi_process *process = cluster->process;
    uint64_t start = wi_clock_ns(process);
    while (!wi_mesh_parted(cluster->mesh)) {
        uint64_t now = wi_clock_ns(process), waited = now - start;
        if (wi_stopping(process) &&
            (waited > FAILED_LEAVE_NS || (waited > TOLD_NS && !waits(cluster))))
            return;
        urcu_qsbr_quiescent_state();
        wi_mesh_poll(cluster->mesh, now);
        wi_mesh_tick(cluster->mesh, now);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

void wi_cluster_leave(wi_process *process)
{
    wi_cluster *cluster = process->cluster;
    pthread_mutex_lock(&cluster->lock);
    cluster->ending = true;
    pthread_cond_signal(&cluster->ended);
    pthread_mutex_unlock(&cluster->lock);
    pthread_join(cluster->keeper, NULL);
    urcu_qsbr_register_thread();
    /* goodbye is the last word */
    atomic_store_explicit(&cluster->told, true, memory_order_relaxed);
    wi_mesh_goodbye(cluster->mesh);
    wait_for_all(cluster);
    urcu_qsbr_unregister_thread();
    process->cluster = NULL;
    free_cluster(cluster);
}
