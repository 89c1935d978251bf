/* See cluster.h. Here: what comes for a dataflow before this process has built it, or before the
 * graph of who sent it was compared. However long that takes, what is kept is bounded:
 *
 *   graphs     all must be the same, so one is kept
 *   progress   is added up over all processes that have built it. What one of them takes away
 *              another one has added, so what is left are the pointstamps that live, and what is
 *              on its way
 *   batches    are bounded by credit. They are copied, since each would keep a whole chunk
 *   the rest   is one frame for each worker
 *
 * That changes are applied later, and as one piece, makes no difference (C1): none is applied
 * without those before it. */
#include "cluster_frames.h"

#include <string.h>

#include "../base/alloc.h"
#include "../proto/progress.h"

/* A dataflow that others have built and this process has not. */
typedef struct wi_ahead {
    struct wi_ahead *next;
    uint32_t flow, first; /* process: the graph is its */
    bool *built;          /* by process */
    char *bytes;          /* of the frame with the graph */
    wi_graph_seen graph;
    wi_changes changes;
} wi_ahead;

typedef struct wi_early {
    struct wi_early *next;
    wi_frame frame; /* its bytes are a copy */
} wi_early;

/* ---- graphs and progress ---------------------------------------------------------------- */

static wi_ahead **find_ahead(wi_cluster *cluster, uint32_t flow)
{
    wi_ahead **link = &cluster->ahead;
    while (*link && (*link)->flow != flow)
        link = &(*link)->next;
    return link;
}

static void free_ahead(wi_ahead *ahead)
{
    wi_changes_fini(&ahead->changes);
    wi_free(ahead->built);
    wi_free(ahead->bytes);
    wi_free(ahead);
}

static weir_err *keep_first_graph(wi_cluster *cluster, const wi_frame *frame)
{
    wi_ahead *ahead = WI_NEW(wi_ahead);
    wi_frame copy = *frame;
    copy.bytes = ahead->bytes = memcpy(wi_alloc(frame->count), frame->bytes, frame->count);
    if (!wi_graph_read(&copy, &ahead->graph)) {
        free_ahead(ahead);
        return wi_nonsense(cluster, frame->process);
    }
    ahead->flow = frame->flow;
    ahead->first = frame->process;
    ahead->built = WI_NEWS(bool, cluster->processes);
    ahead->built[frame->process] = true;
    wi_changes_init(&ahead->changes, ahead->graph.locs);
    ahead->next = cluster->ahead;
    cluster->ahead = ahead;
    return NULL;
}

static weir_err *keep_graph(wi_cluster *cluster, const wi_frame *frame)
{
    const wi_process *own = cluster->process;
    wi_ahead *ahead = *find_ahead(cluster, frame->flow);
    wi_graph_seen graph;
    if (!wi_graph_read(frame, &graph))
        return wi_nonsense(cluster, frame->process);
    for (uint32_t i = 0; i < own->local_workers; i++)
        if (own->returned[i] <= frame->flow)
            return wi_never_built(own->first_worker + i, cluster->self, graph.outline.text,
                                  frame->process);
    if (!ahead)
        return keep_first_graph(cluster, frame);
    ahead->built[frame->process] = true;
    return wi_graph_compare(cluster, ahead->first, &ahead->graph, frame->process, &graph);
}

/* Its graph is here: it was sent before, and on the same lane. */
static weir_err *keep_changes(wi_cluster *cluster, const wi_frame *frame)
{
    wi_ahead *ahead = *find_ahead(cluster, frame->flow);
    wi_progress_batch batch = {0};
    bool sound = ahead && ahead->built[frame->process] &&
                 wi_progress_decode(&(wi_progress_places){ahead->graph.dims, ahead->graph.locs},
                                    frame->bytes + sizeof(wi_flow_frame),
                                    frame->count - sizeof(wi_flow_frame), &batch);
    for (uint32_t i = 0; sound && i < batch.count; i++) {
        const wi_progress_change *change = &batch.changes[i];
        wi_changes_add(&ahead->changes, change->loc, &change->time, change->delta);
    }
    if (sound && ahead->changes.count >= ahead->changes.compact_at)
        wi_changes_compact(&ahead->changes);
    wi_progress_batch_fini(&batch);
    return sound ? NULL : wi_nonsense(cluster, frame->process);
}

static void take_changes(wi_shared *shared, wi_changes *changes)
{
    wi_changes_compact(changes);
    size_t bytes = changes->count * sizeof *changes->entries;
    wi_incoming *incoming = wi_alloc(sizeof *incoming + bytes);
    incoming->count = changes->count;
    if (bytes)
        memcpy(incoming->changes, changes->entries, bytes);
    wi_shared_receive(shared, incoming);
}

static weir_err *take_ahead(wi_cluster *cluster, wi_shared *shared)
{
    wi_ahead **link = find_ahead(cluster, shared->number), *ahead = *link;
    weir_err *err = NULL;
    if (!ahead)
        return NULL;
    *link = ahead->next;
    for (uint32_t p = 0; p < cluster->processes && !err; p++)
        if (ahead->built[p])
            err = wi_cluster_compare(cluster, shared, p, &ahead->graph);
    if (!err)
        take_changes(shared, &ahead->changes);
    free_ahead(ahead);
    return err;
}

/* ---- batches, and the rest -------------------------------------------------------------- */

static void keep_frame(wi_cluster *cluster, const wi_frame *frame)
{
    wi_early *kept = WI_NEW(wi_early);
    kept->frame = *frame;
    kept->frame.bytes = memcpy(wi_alloc_lines(frame->count), frame->bytes, frame->count);
    kept->frame.lender = kept->frame.bytes;
    kept->frame.release = wi_free;
    *cluster->early_end = kept;
    cluster->early_end = &kept->next;
}

static weir_err *take_frames(wi_cluster *cluster, wi_shared *shared)
{
    weir_err *err = NULL;
    for (wi_early **link = &cluster->early, *kept; (kept = *link) && !err;) {
        const wi_frame *frame = &kept->frame;
        if (frame->flow != shared->number ||
            !wi_cluster_compared(cluster, frame->process, frame->flow)) {
            link = &kept->next;
            continue;
        }
        if (!wi_cluster_take(cluster, shared, frame))
            err = wi_nonsense(cluster, frame->process);
        if (frame->kind != WI_FRAME_BATCH)
            wi_free(frame->bytes);
        *link = kept->next;
        if (cluster->early_end == &kept->next)
            cluster->early_end = link;
        wi_free(kept);
    }
    return err;
}

/* ---- all of it -------------------------------------------------------------------------- */

weir_err *wi_early_keep(wi_cluster *cluster, const wi_frame *frame)
{
    if (frame->kind == WI_FRAME_GRAPH)
        return keep_graph(cluster, frame);
    if (frame->kind == WI_FRAME_PROGRESS)
        return keep_changes(cluster, frame);
    keep_frame(cluster, frame);
    return NULL;
}

/* Batches go to mailboxes, also those of the worker that calls: operators must not run in here,
 * with the lock. */
weir_err *wi_early_take(wi_cluster *cluster, wi_shared *shared)
{
    weir_worker *polling = wi_cluster_polling;
    wi_cluster_polling = NULL;
    weir_err *err = take_ahead(cluster, shared);
    if (!err)
        err = take_frames(cluster, shared);
    wi_cluster_polling = polling;
    return err;
}

void wi_early_free(wi_cluster *cluster)
{
    for (wi_ahead *ahead; (ahead = cluster->ahead);) {
        cluster->ahead = ahead->next;
        free_ahead(ahead);
    }
    for (wi_early *kept; (kept = cluster->early);) {
        cluster->early = kept->next;
        wi_free(kept->frame.bytes);
        wi_free(kept);
    }
}
