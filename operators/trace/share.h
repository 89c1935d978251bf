/* Shares: arrangements by name, as the process sees them. A share has a shard for each worker;
 * an operator of the publishing dataflow (share.c) keeps it up to date and holds its trace.
 *
 * Two kinds of readers. Importing dataflows are on the same worker and read its trace itself
 * (import.c). Views are read by any thread (view.c): for them, and only while there are some,
 * the worker puts its list of runs into the shard whenever the trace's upper has moved. Runs
 * are immutable and counted, so a snapshot is those lists, retained.
 *
 * Locks, in this order: share->lock, a shard's lock, what an activator takes. process->lock is
 * never held with any of them.
 *
 * Invariants
 *   S1  the runs of a shard are those before `upper`. `since` is the worker's hold, so they are
 *       compacted at most to it, and a view that has seen it can rely on it until it advances
 *   S2  a shard goes through its states in their order; only its worker changes them (and the
 *       end of the process, when there are no workers any more) */
#ifndef WEIR_OPERATORS_TRACE_SHARE_H
#define WEIR_OPERATORS_TRACE_SHARE_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../runtime/runtime.h"
#include "arrange.h"

typedef enum wi_shard_state {
    WI_SHARD_NEW,     /* the worker has not come to it */
    WI_SHARD_BUILT,   /* its dataflow is being built */
    WI_SHARD_RUNNING, /* it has a trace */
    WI_SHARD_ENDED    /* its dataflow has gone; what views were given stays */
} wi_shard_state;

/* Fields without a note: read and written by any thread, under `lock`. */
typedef struct wi_shard {
    _Alignas(64) pthread_mutex_t lock;
    pthread_cond_t moved;
    wi_shard_state state;    /* its own worker may read it without the lock */
    wi_trace *trace;         /* its worker's; NULL unless running */
    weir_key key;            /* its worker's */
    weir_order order;        /* its worker's */
    const wi_layout *layout; /* of its runs; constant once there is a run */
    weir_activator *activator;
    bool stopping; /* the execution is: nothing moves any more */
    bool listed;   /* upper, since and runs say what is */
    weir_antichain upper, since;
    wi_run **runs;
    uint32_t run_count, run_capacity;
    uint32_t views;
    weir_antichain hold; /* the lower envelope of the views' */
} wi_shard;

typedef struct wi_share wi_share;
struct wi_share {
    wi_share *next;  /* of the process's, newest first; under process->lock */
    uint32_t ended;  /* shards; under process->lock */
    char *name, *by; /* constant, as are the next seven; by: the dataflow */
    const weir_type *type;
    wi_layout *layout, *key_layout;
    int dims;
    uint32_t workers; /* of this process: shards */
    uint32_t all_workers, first_worker; /* of all processes, and the first one here */
    _Atomic(uint32_t) references; /* up relaxed, down acquire and release */
    pthread_mutex_t lock;         /* guards the list of views and their holds */
    weir_view *views;
    wi_shard *shards;
};

/* worker. The share that this worker has published under the name, or NULL. */
wi_share *wi_share_of(const weir_worker *worker, const char *name);
/* any, while the execution runs. The newest one, with a reference; NULL if there is none. */
wi_share *wi_share_find(wi_process *process, const char *name);
/* any. */
wi_share *wi_share_retain(wi_share *share);
void wi_share_drop(wi_share *share);

/* any, with the shard's lock. */
void wi_shard_forget_runs(wi_shard *shard);

#endif
