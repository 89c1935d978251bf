/* What processes of a cluster send each other, beyond batches (wire.h): fixed structs, since both
 * sides are the same version and byte order (the handshake saw to that). Included by cluster.c and
 * cluster_take.c only. */
#ifndef WEIR_RUNTIME_CLUSTER_FRAMES_H
#define WEIR_RUNTIME_CLUSTER_FRAMES_H

#include <pthread.h>
#include <stdatomic.h>

#include "../net/mesh.h"
#include "cluster.h"
#include "shared.h"

typedef enum wi_frame_kind {
    WI_FRAME_GRAPH = 1, /* wi_flow_frame, then texts that end with NUL: the dataflow's name, its
                         * dimensions, and of each operator its name and what it is */
    WI_FRAME_PROGRESS,  /* wi_flow_frame, then the changes (proto/progress.h) */
    WI_FRAME_CREDIT,
    WI_FRAME_DROPPED,
    WI_FRAME_RETURNED,
    WI_FRAME_STOP, /* the reason, as text */
    WI_FRAME_BATCH /* wire.h; on the lane of data */
} wi_frame_kind;

typedef struct wi_flow_frame {
    uint32_t flow, count;
} wi_flow_frame;

typedef struct wi_credit_frame {
    uint32_t flow, edge;
    uint32_t by, to; /* workers: who has taken it, and from whom */
    uint64_t bytes;
} wi_credit_frame;

typedef struct wi_worker_frame {
    uint32_t flow; /* DROPPED; of RETURNED: how many dataflows it has built */
    uint32_t worker;
} wi_worker_frame;

/* A frame for a dataflow that is not built here yet, or whose graph is not compared. */
typedef struct wi_early {
    struct wi_early *next;
    uint32_t process, flow;
    uint16_t kind;
    uint32_t count;
    char *bytes;     /* a copy, or in the chunk */
    wi_chunk *chunk; /* NULL: a copy */
} wi_early;

/* Another process, as this one knows it; all guarded by process->lock. */
typedef struct wi_member {
    uint8_t *compared; /* by flow: its graph is the same as ours */
    uint32_t compared_count, compared_capacity;
    uint32_t built;    /* the fewest dataflows that a worker had built when it returned */
    uint32_t returned; /* which worker that was */
} wi_member;

struct wi_cluster {
    wi_process *process;
    wi_mesh *mesh; /* has locks of its own */
    uint32_t processes, self;
    char **urls;   /* constant */
    wi_member *members;
    wi_early *early, **early_end; /* guarded by process->lock */
    _Atomic(bool) polled; /* by a worker since the keeper's last look; relaxed */
    _Atomic(bool) told;   /* the others know why the execution ends, or it is they who say so */
    pthread_t keeper;
    pthread_mutex_t lock; /* guards `ending` */
    pthread_cond_t ended;
    bool ending;
};

/* any. The mesh's callback; `arg` is the cluster. */
void wi_cluster_frame(void *arg, const wi_arrival *arrival);
/* With process->lock. Takes what came early for a dataflow, of all processes. */
weir_err *wi_cluster_take_early(wi_cluster *cluster, wi_shared *shared);
/* Which worker the calling thread is while it polls; NULL: none (the keeper). */
extern _Thread_local weir_worker *wi_cluster_polling;

#endif
