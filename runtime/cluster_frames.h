/* What processes of a cluster send each other, beyond batches (wire.h): fixed structs, since both
 * sides are the same version and byte order (the handshake saw to that). Included by cluster*.c
 * only. */
#ifndef WEIR_RUNTIME_CLUSTER_FRAMES_H
#define WEIR_RUNTIME_CLUSTER_FRAMES_H

#include <pthread.h>
#include <stdatomic.h>

#include "../net/mesh.h"
#include "cluster.h"
#include "shared.h"

typedef enum wi_frame_kind {
    WI_FRAME_GRAPH = 1, /* wi_flow_frame, how many dimensions each location has (a byte), and
                         * wi_outline */
    WI_FRAME_PROGRESS,  /* wi_flow_frame, then the changes (proto/progress.h) */
    WI_FRAME_CREDIT,
    WI_FRAME_DROPPED,
    WI_FRAME_RETURNED,
    WI_FRAME_STOP, /* the reason, as text */
    WI_FRAME_BATCH /* wire.h; on the lane of data */
} wi_frame_kind;

typedef struct wi_flow_frame {
    uint32_t flow, count; /* of locations, or of changes */
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

/* A frame that has arrived for a dataflow. */
typedef struct wi_frame {
    uint32_t process, flow;
    uint16_t kind;
    uint32_t count;
    char *bytes;
    void (*release)(void *lender); /* of a batch: who takes it calls this when it has gone */
    void *lender;
} wi_frame;

/* What a graph frame says; in its bytes. */
typedef struct wi_graph_seen {
    const uint8_t *dims; /* by location */
    uint32_t locs;
    wi_outline outline;
} wi_graph_seen;

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
    struct wi_ahead *ahead;               /* cluster_early.c; guarded by process->lock */
    struct wi_early *early, **early_end; /* likewise */
    _Atomic(bool) polled; /* by a worker since the keeper's last look; relaxed */
    _Atomic(bool) told;   /* the others know why the execution ends, or it is they who say so */
    pthread_t keeper;
    pthread_mutex_t lock; /* guards `ending` */
    pthread_cond_t ended;
    bool ending;
};

/* any. The mesh's callback; `arg` is the cluster. */
void wi_cluster_frame(void *arg, const wi_arrival *arrival);
/* Which worker the calling thread is while it polls; NULL: none (the keeper). */
extern _Thread_local weir_worker *wi_cluster_polling;

/* cluster_take.c. With a visit, or process->lock. False: it makes no sense. */
bool wi_cluster_take(wi_cluster *cluster, wi_shared *shared, const wi_frame *frame);
/* With process->lock. Compares a graph with what was built here. */
weir_err *wi_cluster_compare(wi_cluster *cluster, const wi_shared *shared, uint32_t process,
                             const wi_graph_seen *graph);
bool wi_cluster_compared(const wi_cluster *cluster, uint32_t process, uint32_t flow);
/* any. False: it is no graph. */
bool wi_graph_read(const wi_frame *frame, wi_graph_seen *graph_out);
/* any. Two processes' graphs. */
weir_err *wi_graph_compare(const wi_cluster *cluster, uint32_t process, const wi_graph_seen *graph,
                           uint32_t other, const wi_graph_seen *others);
/* any. Errors: a process sent what makes no sense; a worker has ended too early. */
weir_err *wi_nonsense(const wi_cluster *cluster, uint32_t process);
weir_err *wi_never_built(uint32_t worker, uint32_t process, const char *flow, uint32_t builder);

/* cluster_early.c; with process->lock */
/* A frame for a dataflow that was not built here, or whose graph is not compared. */
weir_err *wi_early_keep(wi_cluster *cluster, const wi_frame *frame);
/* The dataflow was built, or another process's graph was compared: takes what can be taken now. */
weir_err *wi_early_take(wi_cluster *cluster, wi_shared *shared);
void wi_early_free(wi_cluster *cluster);

#endif
