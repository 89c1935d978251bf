/* A process among others: what it sends them and what it does with what they send.
 *
 *   lane      frame      what it is
 *   progress  graph      a dataflow was built here: its operators, to be compared
 *             progress   changes of pointstamps, merged over the workers of a process
 *             credit     bytes that were taken from an input
 *             dropped    a worker has dropped a dataflow
 *             returned   a worker's function has returned, after so many dataflows
 *             stop       the execution ends for this reason
 *   data      batch      rows for an input of a worker (wire.h)
 *
 * There is no thread for it but the keeper, which is for times when workers do not step: whoever
 * steps polls. Frames for a dataflow that was not built here yet wait until it is, and until its
 * graph was found to be the same.
 *
 * Invariants
 *   C1  changes that belong together are in one frame (RELIABILITY: I4), or, if they are too many,
 *       what is added comes before what is taken away; and frames of a process arrive in the
 *       order in which they were applied there
 *   C2  what a batch counts (+1) is in a frame at the latest when its sender's capability is given
 *       up: both are in the same piece that the worker posts (op.c, O1)
 *   C3  no batch of a dataflow is taken before the graphs were compared */
#ifndef WEIR_RUNTIME_CLUSTER_H
#define WEIR_RUNTIME_CLUSTER_H

#include "runtime.h"

typedef struct wi_cluster wi_cluster;
typedef struct wi_mesh wi_mesh;

/* any (not a worker). Joins the cluster that the config describes and waits for all. On success
 * process->cluster is set, unless there is only one process. */
weir_err *wi_cluster_join(wi_process *process);
/* any (not a worker), when all workers have ended. Waits until the others have ended, too. */
void wi_cluster_leave(wi_process *process);

/* worker, once a step. Whether something arrived. */
bool wi_cluster_poll(weir_worker *worker);
/* worker, about to sleep as the last one. False: something has arrived. */
bool wi_cluster_arm(wi_process *process);
/* worker. Sends a batch to a worker of another process; takes the reference. */
void wi_cluster_send(weir_worker *worker, uint32_t to, const wi_envelope *envelope);
/* worker, at the end of a step. Batches that were sent in it leave. */
void wi_cluster_push(wi_process *process);
/* worker. Tells worker `to` of another process that so many bytes were taken. */
void wi_cluster_credit(weir_worker *worker, uint32_t flow, uint32_t to, uint32_t edge,
                       uint64_t bytes);
/* any. Tells all others why the execution ends. */
void wi_cluster_stop(wi_process *process, const char *reason);
/* any. Whether much is waiting to be sent, so that changes are better merged for a while. */
bool wi_cluster_busy(const wi_process *process);

/* any. What the process has sent and taken so far; all zero if it is alone. */
struct wi_mesh_totals;
void wi_cluster_totals(const weir_worker *worker, struct wi_mesh_totals *totals_out);

/* With process->lock. The dataflow was built here: the others are told, and what waited for it
 * is taken. An error: they have built another one. */
weir_err *wi_cluster_built(wi_shared *shared);
/* worker. Its function has returned, after it had built so many dataflows. */
void wi_cluster_returned(wi_process *process, uint32_t worker, uint32_t built);
/* any. The others are told. */
void wi_cluster_dropped(wi_process *process, uint32_t flow, uint32_t worker);
/* The holder of the tracker's lock. Sends the changes to all others. */
void wi_cluster_progress(wi_process *process, uint32_t flow, const uint8_t *dims, uint32_t locs,
                         const wi_changes *changes);

#endif
