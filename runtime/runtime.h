/* The runtime's own structures: what a process, a worker, a dataflow, an operator and a
 * channel are made of. Included by runtime/ and by the few operators that look deeper
 * (input, probe, loop, exchange, capture).
 *
 * Who owns what
 *   wi_process   everything the workers of one execution share
 *   wi_shared    one dataflow, as the process sees it: tracker and published frontiers
 *   weir_worker  one thread and its instances of the dataflows; touched by that thread only
 *   wi_flow      a worker's instance of one dataflow: operators, queues, unposted changes
 *   wi_cluster   what this process has of the others: links, what came early (cluster.h)
 *
 * Everything below wi_flow belongs to its worker's thread. What threads share is in
 * wi_process and wi_shared; each field there names its writers and its ordering. */
#ifndef WEIR_RUNTIME_RUNTIME_H
#define WEIR_RUNTIME_RUNTIME_H

#include <pthread.h>
#include <stdatomic.h>

#include <weir/stream.h>

#include "../base/batch.h"
#include "../base/out.h"
#include "../base/sorted.h"
#include "../progress/tracker.h"
#include "changes.h"
#include "ring.h"
#include "spool.h"

typedef struct wi_process wi_process;
typedef struct wi_shared wi_shared;
typedef struct wi_flow wi_flow;
typedef struct wi_channel wi_channel;
typedef struct wi_door wi_door;
typedef struct wi_input_port wi_input_port;
typedef struct wi_output_port wi_output_port;

/* ---- operators -------------------------------------------------------------------------- */

/* One input of an operator on one worker. */
struct wi_input_port {
    weir_op *op;
    uint32_t index;
    const weir_type *type;
    int dims;
    wi_loc loc;
    /* where its batches come from */
    uint32_t from_op, from_port; /* UINT32_MAX: not connected (a feedback not yet set) */
    weir_route route;
    uint32_t edge; /* its number among all inputs of the dataflow: for credits */
    wi_spool queue; /* batches that wait, oldest first */
    bool paused;    /* they stay there; weir_op_pause */
    /* the last frontier read (weir_op_frontier) */
    weir_antichain frontier;
    wi_input_port *next_watcher; /* of the same location */
};

/* One output of an operator on one worker. */
struct wi_output_port {
    weir_op *op;
    uint32_t index;
    const weir_type *type;
    int dims;
    wi_loc loc;
    weir_out out; /* what the current callback pushes */
    bool opened;  /* holds a batch being filled */
    bool first_taken; /* weir_op_first_capability */
    wi_channel **channels;
    uint32_t channel_count, channel_capacity;
};

typedef struct wi_notification {
    weir_time time;
    void *state;
    uint64_t outputs; /* a bit for each output on which it holds a capability */
} wi_notification;

typedef struct wi_pair_summary {
    uint32_t input, output;
    bool unrelated;
    weir_summary summary;
} wi_pair_summary;

typedef enum wi_node_kind {
    WI_NODE_PLAIN,
    WI_NODE_ENTER,
    WI_NODE_LEAVE,
    WI_NODE_FEEDBACK
} wi_node_kind;

struct weir_op {
    const weir_operator *logic;
    /* How a batch is taken from its sender or queue: by default the `batch` callback, and
     * then the reference is dropped. */
    void (*take)(weir_op *op, uint32_t input, weir_batch *batch);
    char *name;
    void *arg, *state;
    wi_flow *flow;
    weir_scope *scope; /* of its outputs; for `leave` the parent */
    uint32_t index;
    wi_node_kind kind;
    weir_scope *boundary;      /* enter, leave: the loop */
    weir_summary step;         /* feedback */
    uint64_t last_round, rounds; /* feedback: the greatest so far; how often that has grown */
    wi_node_id node;
    wi_input_port **inputs;
    uint32_t input_count, input_capacity;
    wi_output_port **outputs;
    uint32_t output_count, output_capacity;
    wi_pair_summary *summaries;
    uint32_t summary_count, summary_capacity;
    /* the call in progress: what it allows, and inside whose call it runs */
    weir_op *caller;
    bool calling, allows;
    uint32_t calling_input; /* UINT32_MAX: none, `allowed` goes for every output */
    weir_time allowed;
    bool want_run, moved;
    wi_channel **gates; /* what must have room before it runs; see gate.c */
    uint32_t gate_count, gate_capacity;
    bool follows; /* has `frontier` or `notify`: is told when its inputs' frontiers move */
    weir_capability *capabilities; /* doubly linked */
    uint64_t allowed_outputs; /* if not in a batch's call: where `allowed` goes for */
    wi_sorted notifications; /* that were asked for; lexicographically by their times */
    /* rejected rows */
    weir_reject_policy reject_policy;
    uint32_t reject_output; /* UINT32_MAX: none */
    uint64_t rejected;
    wi_door *door; /* NULL until asked for */
    void **kept;
    uint32_t kept_count, kept_capacity;
    bool started;
    bool always_stop; /* `stop` is called even if the dataflow was never started */
};

struct weir_capability {
    weir_op *op;
    uint32_t output;
    weir_time time;
    weir_capability *next, *previous;
};

/* Where an output's batches go: one input of one operator. */
struct wi_channel {
    wi_output_port *from;
    wi_input_port *to;
    weir_route route;
    /* exchange: rows that wait for each worker, all of the time `time`, sent when full, when
     * the time changes, and before progress is posted */
    weir_out *outs;
    weir_time time;
    bool dirty;
    wi_channel *next_dirty;
    /* to other workers, by target; see gate.c */
    uint64_t *sent; /* bytes so far; NULL: it goes to no other worker */
    wi_spool *held; /* what waits for credit */
    bool is_short;  /* some target has no credit: it is in the flow's list */
    wi_channel *next_short;
};

/* ---- dataflows -------------------------------------------------------------------------- */

struct weir_scope {
    wi_flow *flow;
    weir_scope *parent; /* NULL: the root */
    wi_scope_id id;
    int dims;
    char *name;
    uint64_t rounds; /* of a loop: nothing is passed on to this one; 0: no bound */
    weir_scope *next;
};

typedef struct wi_closer {
    void (*close)(void *arg);
    void *arg;
} wi_closer;

/* What workers look at in every step, on a line of its own. Written by the holder of the
 * tracker's lock, and `dropped` by the worker that drops the dataflow, or by who takes another
 * process's word for it; read by all. */
typedef struct wi_notice {
    _Alignas(64) _Atomic(uint64_t) log_head; /* frontiers that have moved so far (release) */
    _Atomic(bool) done;                      /* every time is complete (release) */
    _Atomic(uint32_t) dropped;               /* 1 + who dropped it first; 0: nobody */
    _Atomic(bool) unsent;                    /* other processes are to be told more */
} wi_notice;

struct wi_flow {
    weir_scope root;
    weir_worker *worker;
    uint32_t number;
    weir_scope *scopes; /* all but the root, newest first */
    uint32_t scope_count;
    char *dim_names[WEIR_DIMS_MAX];
    weir_err *error; /* the first one while building */
    bool running;
    wi_shared *shared;
    const wi_notice *notice; /* of `shared` */
    weir_op **ops;
    uint32_t op_count, op_capacity;
    uint64_t *active; /* a bit for each operator that has something to do */
    bool any_active;
    uint64_t *blocked; /* a bit for each operator that waits for a gate to open */
    bool any_blocked, reopened;
    wi_channel *shorts; /* channels without credit somewhere */
    uint64_t *owed;     /* [worker * edges + edge]: taken from other workers, and not given back
                         * yet */
    uint32_t edges;     /* inputs of all operators */
    wi_input_port **watchers; /* by representative location */
    uint32_t *watch_counts;   /* by representative location; see wi_flow_watch */
    uint64_t log_seen;
    uint32_t locs;            /* how many locations the tracker has */
    wi_changes *changes;      /* not yet posted: one of the two below */
    wi_changes buffers[2];
    wi_channel *dirty;        /* exchange channels with waiting rows */
    wi_closer *closers;       /* what the end of the worker's function closes: inputs */
    uint32_t closer_count, closer_capacity;
    uint64_t dropped_seen_ns; /* when a peer's drop was first noticed; 0: not */
};

/* ---- workers ---------------------------------------------------------------------------- */

typedef struct wi_timer {
    uint64_t due_ns;
    uint32_t flow, op;
} wi_timer;

/* Something from another thread: fired activators, feeds' batches, and those of other processes
 * that somebody else has received. A node is in at most one mailbox at a time. */
typedef struct wi_mail {
    struct wi_mail *next;
    void (*take)(weir_worker *worker, struct wi_mail *mail);
} wi_mail;

/* A worker's line that others touch: alone on its cache lines. */
typedef struct wi_seat {
    _Atomic(uint32_t) parked;     /* futex word: 1 while asleep; owner sets, anyone clears */
    _Atomic(uint32_t) waits;      /* 1: it sleeps and has channels without credit; owner sets */
    _Atomic(wi_mail *) mailbox;   /* newest first; anyone pushes, owner takes all */
    char pad[112];
} wi_seat;

struct weir_worker {
    wi_process *process;
    uint32_t index; /* among the workers of all processes */
    uint32_t local; /* among those of this process */
    wi_seat *seat;
    uint64_t random;
    wi_flow **flows; /* live ones, in order of number */
    uint32_t flow_count, flow_capacity;
    uint32_t flow_next;
    wi_timer *timers; /* binary heap */
    uint32_t timer_count, timer_capacity;
    uint32_t *building; /* numbers of dataflows that are begun and not ended */
    uint32_t building_count, building_capacity;
    wi_envelope *stash; /* for dataflows not built here yet */
    uint32_t stash_count, stash_capacity;
    /* by local worker: */
    struct wi_overflow *overflow; /* what its ring had no room for */
    bool *sent_to;                /* got an envelope in this step */
    bool *gave_to;                /* got credit in this step */
    bool busy;         /* the last step did something */
    uint32_t idle_steps; /* since it did something, or gave its core away */
    struct wi_fiber *fiber;
    weir_op *current;  /* the operator whose callback runs */
};

/* ---- sharing ---------------------------------------------------------------------------- */

struct wi_process {
    weir_config config;
    uint32_t workers;       /* of all processes: what rows are spread over */
    uint32_t local_workers; /* of this one: threads */
    uint32_t first_worker;  /* the index of the first of them */
    struct wi_cluster *cluster; /* NULL: this process is alone */
    wi_spool_budget waiting;
    uint64_t credit_bytes;  /* what a worker may have sent an input of another, and is not taken */
    uint64_t queue_bytes;   /* what may wait in a queue before those who fill it are blocked */
    uint64_t spin_ns; /* how long an idle worker spins before it parks */
    uint32_t first_core; /* of those that workers are pinned to */
    bool crowded; /* more workers than cores: who has nothing to do gives its core away */
    weir_worker_fn *run;
    void *arg;
    weir_worker *worker; /* array */
    wi_seat *seats;
    wi_ring *rings; /* [from * local_workers + to] */
    _Atomic(uint32_t) parked_count; /* how many seats may be asleep; a hint for wakers */
    _Atomic(bool) stopping;         /* any sets (sequentially consistent); all read */
    pthread_barrier_t finished;     /* all workers are past their last step */
    pthread_mutex_t lock;           /* guards reason and the table of dataflows */
    weir_err *reason;
    wi_shared **shared; /* by number; NULL: not built yet, or gone */
    bool *ended;        /* by number: gone */
    uint32_t shared_count, shared_capacity, ended_capacity;
    weir_type **types; /* of batches from other processes; guarded by lock, never changed */
    uint32_t type_count, type_capacity;
    uint32_t *returned; /* by local worker: how many dataflows it had built when its function
                         * returned; UINT32_MAX: it has not; guarded by lock */
    _Atomic(uint64_t) virtual_ns;   /* deterministic runs: the clock */
    struct wi_share *shares;        /* published arrangements; guarded by lock */
    void (*free_shares)(struct wi_share *shares);   /* theirs, set with the first */
    void (*stop_shares)(struct wi_process *process); /* guarded by lock */
};

/* process.c */
/* For tests, which set it while nothing is executed: other bounds for all executions; 0: as
 * usual. */
typedef struct wi_bounds {
    uint64_t credit_bytes, queue_bytes;
    size_t waiting_bytes; /* with `directory`: that may wait in memory */
    const char *directory;
} wi_bounds;
extern wi_bounds wi_test_bounds;
void wi_wake(wi_process *process, uint32_t worker);
void wi_wake_all(wi_process *process);
bool wi_stopping(const wi_process *process);
/* So many processes of this cluster run on this machine, and so many of them come before. */
void wi_process_share_host(wi_process *process, uint32_t here, uint32_t before);
void wi_stop_with(wi_process *process, weir_err *reason);
uint64_t wi_clock_ns(const wi_process *process);
void wi_seat_wait(const wi_process *process, wi_seat *seat, uint64_t until_ns);
void wi_mail_post(wi_process *process, uint32_t worker, wi_mail *mail);

/* How many rows a batch has at most. */
static inline uint32_t wi_rows_usual(const wi_flow *flow, const weir_type *type)
{
    uint32_t most = flow->worker->process->config.batch_rows;
    uint32_t usual = weir_batch_rows_usual(type);
    return most && most < usual ? most : usual;
}

static inline bool wi_is_local(const wi_process *process, uint32_t worker)
{
    return worker - process->first_worker < process->local_workers;
}

/* worker.c */
void wi_worker_init(weir_worker *worker, wi_process *process, uint32_t index);
void wi_worker_fini(weir_worker *worker);
bool wi_worker_step(weir_worker *worker);
bool wi_worker_may_sleep(weir_worker *worker, uint64_t *until_ns_out);
void wi_worker_close_inputs(weir_worker *worker);
void wi_worker_send(weir_worker *worker, uint32_t to, wi_envelope envelope);
/* A batch from another worker has come. */
void wi_worker_take(weir_worker *worker, const wi_envelope *envelope);
void wi_worker_timer(weir_worker *worker, uint64_t due_ns, uint32_t flow, uint32_t op);
wi_flow *wi_worker_flow(weir_worker *worker, uint32_t number);
uint32_t wi_worker_begin(weir_worker *worker);
void wi_worker_adopt(weir_worker *worker, wi_flow *flow);
void wi_worker_forget(weir_worker *worker, wi_flow *flow);

/* flow.c */
wi_flow *wi_flow_new(weir_worker *worker, const char *name);
void wi_flow_free(wi_flow *flow);
bool wi_flow_step(wi_flow *flow);
void wi_flow_flush(wi_flow *flow);
void wi_flow_deliver(wi_flow *flow, const wi_envelope *envelope);
void wi_flow_closer(wi_flow *flow, wi_closer closer);
void wi_flow_forget_closer(wi_flow *flow, void *arg);

/* Whether frontiers have moved since this worker looked at the log. */
static inline bool wi_flow_moved(const wi_flow *flow)
{
    return atomic_load_explicit(&flow->notice->log_head, memory_order_acquire) != flow->log_seen;
}

/* Whether every time is complete, on all workers. */
static inline bool wi_flow_done(const wi_flow *flow)
{
    return atomic_load_explicit(&flow->notice->done, memory_order_acquire);
}

/* Whether a step would do nothing. */
static inline bool wi_flow_quiet(const wi_flow *flow)
{
    return !flow->any_active && !flow->dirty && !flow->changes->count && !flow->shorts &&
           !flow->reopened && !wi_flow_moved(flow) &&
           !atomic_load_explicit(&flow->notice->dropped, memory_order_relaxed) &&
           !atomic_load_explicit(&flow->notice->unsent, memory_order_relaxed);
}

static inline void wi_flow_activate(wi_flow *flow, uint32_t op)
{
    flow->active[op / 64] |= UINT64_C(1) << op % 64;
    flow->any_active = true;
}

static inline void wi_flow_count(wi_flow *flow, wi_loc loc, const weir_time *time, int64_t delta)
{
    wi_changes_add(flow->changes, loc, time, delta);
}

/* Of what this process answers for alone, and nobody else counts (post.c, P5). */
static inline void wi_flow_count_apart(wi_flow *flow, wi_loc loc, const weir_time *time,
                                       int64_t delta)
{
    wi_changes_add(flow->changes, flow->locs + loc, time, delta);
}

/* build.c */
weir_op *wi_op_new(weir_scope *scope, const weir_operator *logic, void *arg);
void wi_op_connect(weir_op *op, uint32_t input, weir_stream from);
uint32_t wi_op_add_input(weir_op *op, const weir_type *type, int dims, weir_route route);
uint32_t wi_op_add_output(weir_op *op, const weir_type *type, int dims);
weir_stream wi_op_stream(weir_op *op, uint32_t output);
void wi_op_free(weir_op *op);
void wi_op_rename(weir_op *op, const char *name);

/* describe.c; free() what it gives */
char *wi_dims_describe(const wi_flow *flow);

/* op.c */
void wi_op_take(weir_op *op, uint32_t input, weir_batch *batch);
void wi_op_run(weir_op *op, uint32_t budget);
void wi_op_start(weir_op *op);
/* A callback begins: `time` NULL if it allows nothing; `input` UINT32_MAX if it is not about
 * a batch. */
void wi_op_begin_call(weir_op *op, uint32_t input, const weir_time *time);
void wi_op_end_call(weir_op *op);
/* Whether the call in progress or a capability allows the output to send at the time, and
 * stopping the execution because it does not. */
bool wi_op_allows(const weir_op *op, uint32_t output, const weir_time *time);
void wi_op_refuse(weir_op *op, const char *what, uint32_t output, const weir_time *time);
void wi_op_count(weir_op *op, uint32_t output, const weir_time *time, int64_t delta);
/* Whether the output is one of a set that was written as bits. */
bool wi_has_output(uint64_t outputs, uint32_t output);
/* notify.c: delivers what is complete. */
void wi_op_notify(weir_op *op);
/* worker. Calls `discard` for those that will not come any more. Their states stay until they are
 * freed, since `stop` may look at them. */
void wi_op_discard_notifications(weir_op *op);
void wi_op_free_notifications(weir_op *op);
void wi_output_open(wi_output_port *port, const weir_time *time);

/* channel.c */
void wi_output_send(wi_output_port *port, weir_batch *batch);
void wi_channel_flush(wi_channel *channel);
void wi_channel_new(wi_output_port *from, wi_input_port *to);
void wi_channel_free(wi_channel *channel);

/* gate.c: credit, and who waits for it. */
void wi_gates_connect(wi_flow *flow);
/* Whether something that the operator's rows go to has no room. */
bool wi_op_waits(const weir_op *op);
/* It will be activated when that may have changed. */
void wi_op_block(weir_op *op);
/* To another worker, now or when there is credit. Takes the reference. */
void wi_channel_give(wi_channel *channel, uint32_t to, weir_batch *batch);
/* Batches that were sent from `from` have been taken from an input. */
void wi_input_took(wi_input_port *input, uint32_t from, uint32_t bytes);
/* Sends what was held if there is credit now, and activates who waited. */
void wi_flow_reopen(wi_flow *flow);
/* Whether wi_flow_reopen would do something. */
bool wi_flow_may_reopen(const wi_flow *flow);

/* post.c */
bool wi_shared_post(wi_flow *flow);
/* Tells the other processes what they were not told yet, if there is room for it. */
void wi_shared_push(wi_flow *flow);
/* Whatever the flow has posted is applied, and known to the other processes. */
void wi_shared_settle(wi_flow *flow);

/* shared.c */
const wi_tracker *wi_shared_join(wi_flow *flow, weir_err **err_out);
void wi_shared_failed(weir_worker *worker, uint32_t number, const char *name,
                      const weir_err *why);
/* The worker's function has returned: it will build no more dataflows. */
void wi_shared_returned(weir_worker *worker);
void wi_shared_leave(wi_flow *flow);
void wi_shared_free(wi_shared *shared);

/* frontiers.c: what a tracker has published. Any worker may read at any time. */
/* One more (+1), one less (-1) reason why this worker wants to be woken when the location's
 * frontier moves: an operator with notifications to come, a probe. */
void wi_flow_watch(wi_flow *flow, wi_loc loc, int change);
/* Calls `moved` for each location whose frontier changed since the last call; false if none
 * did. */
bool wi_shared_log_read(wi_flow *flow, void (*moved)(wi_flow *flow, wi_loc loc));
/* Bytes that worker `to` (of all) has taken of what the local worker `from` sent it on an edge. */
_Atomic(uint64_t) *wi_shared_taken(const wi_shared *shared, uint32_t from, uint32_t to,
                                   uint32_t edge);
/* Whether an update at (strictly before) the time may still come at the location. */
bool wi_shared_le(const wi_shared *shared, wi_loc loc, int dims, const weir_time *time);
bool wi_shared_lt(const wi_shared *shared, wi_loc loc, int dims, const weir_time *time);
void wi_shared_frontier(const wi_shared *shared, wi_loc loc, int dims, weir_antichain *out);

#endif
