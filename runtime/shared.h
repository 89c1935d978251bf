/* One dataflow as the whole process sees it: who built it, its tracker, and what the
 * tracker has published. Included by shared.c, post.c, frontiers.c, describe.c and cluster*.c
 * only. */
#ifndef WEIR_RUNTIME_SHARED_H
#define WEIR_RUNTIME_SHARED_H

#include <urcu-qsbr.h>

#include "runtime.h"

#define WI_LOG_SLOTS 4096

/* A frontier of partially ordered times, replaced as a whole and freed by RCU. */
typedef struct wi_published {
    struct rcu_head rcu;
    uint32_t count;
    weir_time times[];
} wi_published;

/* What is published for a location. Written by the holder of the tracker's lock; read by
 * anyone. Of one coordinate: `first` (release; acquired by readers) is the only element, or
 * UINT64_MAX if the frontier is empty, and then `closed` was set before it. Of more:
 * `chain`. */
typedef struct wi_cell {
    _Atomic(uint64_t) first;
    _Atomic(uint32_t) closed;
    _Atomic(wi_published *) chain;
} wi_cell;

/* A worker's outbox. Empty (NULL): the worker may put changes in (release). Full: the
 * holder of the lock applies them, clears them and empties the slot (release). */
typedef struct wi_slot {
    _Alignas(64) _Atomic(wi_changes *) posted;
} wi_slot;

/* Changes that another process has sent, to be applied as one piece. */
typedef struct wi_incoming {
    struct wi_incoming *next;
    uint32_t count;
    wi_change changes[];
} wi_incoming;

/* A graph as text: the dataflow's name, its dimensions, and of each operator its name and what it
 * is. Each ends with NUL. */
typedef struct wi_outline {
    char *text;
    size_t bytes;
} wi_outline;

/* Who has built two graphs, "worker" 1 and 2, and what they should have done. */
typedef struct wi_builders {
    const char *kind, *rule;
    uint32_t ours, theirs;
} wi_builders;

/* What another process must know to send an input a batch, and this one to take it. */
typedef struct wi_shared_port {
    uint32_t op, input;
    wi_loc loc;
    bool exchanged; /* from other workers, too */
    const weir_type *type; /* the process's own copy */
} wi_shared_port;

struct wi_shared {
    wi_process *process;
    uint32_t number;
    char *name;
    /* guarded by process->lock */
    uint32_t members; /* workers that have joined and not left */
    uint32_t joined;
    uint32_t visits;  /* threads that use it and are no members */
    bool over;        /* all members have left: the last visit frees it */
    char *failure; /* why it could not be built; NULL: it could, so far */
    /* Set by the first worker that builds it, constant afterwards (what they point to is
     * not). Workers read these all the time: nothing on their lines is written to. */
    _Alignas(64) wi_tracker *tracker; /* touched only by the holder of `lock` */
    wi_slot *slots; /* by local worker */
    wi_cell *cells; /* by location (representatives are filled in) */
    wi_loc *reps;   /* by location; constant */
    uint8_t *dims;  /* by location; constant */
    /* whether a worker wants to be woken when a location moves: written by that worker
     * (relaxed: it looks at the log itself before it sleeps), read by the holder of the lock;
     * [worker * watch_stride + location], each worker's on cache lines of its own */
    _Atomic(uint8_t) *watch;
    _Atomic(uint32_t) *log; /* the last WI_LOG_SLOTS locations that moved */
    uint32_t watch_stride, locs, first_worker;
    /* see wi_shared_taken: [(local from * workers + to) * taken_stride + edge]. Of a local `to`
     * written by that worker (release), of others by who takes its messages; read by `from` */
    _Atomic(uint64_t) *taken;
    uint32_t taken_stride, port_count;
    wi_shared_port *ports; /* by edge */
    wi_outline outline; /* to compare with other workers' and processes' */
    wi_changes outgoing; /* what the other processes are not told yet; the lock's holder's */
    wi_tracker *own;     /* what this process answers for (P5); NULL: it is alone; likewise */
    _Alignas(64) _Atomic(wi_incoming *) incoming; /* newest first; anyone pushes, the holder of
                                                   * the lock takes all */
    _Alignas(64) _Atomic(uint32_t) lock; /* of the tracker and of publishing */
    wi_notice notice;
};

/* describe.c. Of the text: free(). */
wi_outline wi_outline_of(const wi_flow *flow);
/* What the first difference is; NULL: they are the same. */
weir_err *wi_outline_compare(const wi_builders *by, wi_outline ours, wi_outline theirs);

/* shared.c; by cluster*.c */
/* With process->lock. The dataflow, if it was built here; *ended_out: it was, and is gone. */
wi_shared *wi_shared_find(wi_process *process, uint32_t number, bool *ended_out);
/* With process->lock: keeps it until wi_shared_visited, which is called without. */
void wi_shared_visit(wi_shared *shared);
void wi_shared_visited(wi_shared *shared);
/* post.c. A visitor. Applies changes of another process; takes them. */
void wi_shared_receive(wi_shared *shared, wi_incoming *incoming);
/* post.c. A visitor. A batch has come from another process: this one answers for it now. Before
 * its worker gets it. */
void wi_shared_arrived(wi_shared *shared, wi_loc loc, const weir_time *time);

/* frontiers.c; by the holder of the lock */
void wi_publish_init(wi_shared *shared);
void wi_publish_fini(wi_shared *shared);
void wi_publish(wi_shared *shared, const wi_loc *moved, uint32_t count);
/* Whether a watched location among these concerns the worker. */
bool wi_publish_concerns(const wi_shared *shared, uint32_t worker, const wi_loc *moved,
                         uint32_t count);

#endif
