/* Workers: starting them, stepping them, and building dataflows in them.
 *
 * Every worker runs the same function and builds the same dataflows in the same order,
 * each over its own shard of the data. A worker steps its dataflows when its function
 * asks it to; when the function returns, the remaining dataflows run to completion.
 *
 * The workers of a dataflow are those of all processes of the cluster: where it says "every
 * worker" or "all workers", those of the others are meant, too. Memory (`arg`, static
 * variables) is shared by the workers of one process only. */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H

#include <weir/time.h>

typedef struct weir_worker weir_worker;
/* A place in the graph: the dataflow itself (the root scope) or a loop in it. */
typedef struct weir_scope weir_scope;
typedef weir_scope weir_dataflow;
typedef weir_scope weir_loop;

/* ---- running ---------------------------------------------------------------------------- */

/* Where a process stands in a cluster. weir_options reads it from the command line and the
 * environment (`weir launch` and common schedulers set it); all zero: the process is alone. */
typedef struct weir_cluster {
    uint32_t processes; /* how many there are; 0 is taken as 1 */
    uint32_t process;   /* which one this is */
    const char *name;   /* [a-z0-9._-]{1,64}: processes of another one are refused; NULL: weir */
    uint64_t generation; /* the same: of the present attempt to run it */
    const char *hosts;  /* where each process listens, in order, with commas between: HOST:PORT
                         * or a URL (tcp://, tls+tcp://, ipc://, abstract://); or @FILE, with one
                         * a line. NULL: all on this host, at ports that follow each other */
    const char *listen; /* the URL where this one listens, if others dial another; or NULL */
    int rendezvous;     /* > 0: a descriptor to ask the launcher for the others' addresses */
    const char *key_file; /* the shared key, mode 0600; NULL: none, or the environment's */
    const char *certificate, *certificate_key, *authority; /* files in PEM, for tls+tcp:// */
    bool nng;             /* nng moves the bytes of tcp://, ipc:// and abstract://, as it does of
                           * tls+tcp://; otherwise weir over sockets of the system */
    bool no_shared_memory; /* processes of one machine exchange through sockets, too, instead of
                            * through memory that they share */
    uint64_t connect_ns;  /* how long to wait for all to come; 0: 30 s */
    uint64_t silence_ns;  /* how long a process may be silent before it is given up; 0: 2.5 s */
} weir_cluster;

typedef struct weir_config {
    uint32_t workers;    /* threads of this process; 0 is taken as 1 */
    weir_cluster cluster;
    bool pin;            /* bind the process's worker i to the i-th core that it is allowed */
    bool deterministic;  /* one thread steps all workers in an order drawn from the seed */
    uint64_t seed;       /* of weir_random and of the deterministic order */
    uint64_t spin_ns;    /* how long an idle worker spins before it parks; 0: default 30 us */
    uint64_t memory_bytes; /* of arrangements in memory, for the process, and besides an eighth of
                            * that for batches that wait; 0: any */
    const char *spill; /* the directory for what goes beyond; NULL: /var/tmp */
    uint32_t batch_rows; /* that operators put into a batch, at most; 0: 64 KB of them */
    char **arguments;    /* ends with NULL: what weir_options left; for weir_argument */
} weir_config;

#define WEIR_WORKERS_MAX 64

typedef void weir_worker_fn(weir_worker *worker, void *arg);
typedef void weir_build_fn(weir_dataflow *flow, void *arg);

/* any (not a worker). Runs `run` on every worker of this process and waits until all have
 * returned and every dataflow is complete, in all processes of the cluster. Returns the first
 * reason to stop early (a graph that could not be built, a misuse, weir_stop, a process that was
 * lost), or NULL. `arg` is shared by the workers of this process. */
WEIR_API weir_err *weir_execute(const weir_config *config, weir_worker_fn *run, void *arg);

/* A program's own option, for weir_options: --name, -letter. Exactly one of the targets. */
typedef struct weir_option {
    const char *name;  /* long name, e.g. "edges" */
    char letter;       /* or 0 */
    const char *value; /* what it takes, as shown by --help, e.g. "FILE"; NULL: a switch */
    const char *help;
    const char **text;
    uint64_t *number;
    bool *flag;
} weir_option;

/* any. Reads weir's options (-w, --pin, --processes, ...; --help lists them) and the program's
 * own (an array that ends with a NULL name, or NULL) from the command line. What it does not
 * say of workers and of the cluster, the environment may.
 * What is not an option stays: *argc and argv are shortened to argv[0] and the rest.
 * --help and --version print and exit(0). Unknown or malformed options are errors. */
WEIR_API weir_err *weir_options(int *argc, char **argv, const char *about,
                                const weir_option *own, weir_config *config);

/* any. Prints an error to stderr and frees it. Returns `code`, or 0 if there is no error:
 * return weir_report(weir_execute(&config, run, arg), 1); */
WEIR_API int weir_report(weir_err *err, int code);

/* any. A whole program: reads the options, builds one dataflow by `build` on every worker,
 * runs it to completion. Errors are printed. Returns the exit code: 0, 1 if the run
 * failed, 2 for a bad command line. */
WEIR_API int weir_main(int argc, char **argv, weir_build_fn *build, void *arg);
/* any. The same with the program's own options (see weir_options). */
WEIR_API int weir_main_with(int argc, char **argv, const char *about, const weir_option *own,
                            weir_build_fn *build, void *arg);
/* worker, building. What the command line had beside options: 0 is the first. NULL if there
 * is none. Of programs started by weir_main, or with a config filled by weir_options. */
WEIR_API const char *weir_argument(const weir_scope *scope, uint32_t index);

/* ---- a worker --------------------------------------------------------------------------- */

/* worker. 0 to weir_worker_count - 1, counted over all processes: those of process p come
 * after those of p - 1. */
WEIR_API uint32_t weir_worker_index(const weir_worker *worker);
WEIR_API uint32_t weir_worker_count(const weir_worker *worker);
/* worker. Which process of how many it belongs to: 0 of 1 unless there is a cluster. */
WEIR_API uint32_t weir_process_index(const weir_worker *worker);
WEIR_API uint32_t weir_process_count(const weir_worker *worker);
/* worker. One step: takes messages, runs activated operators, posts progress. Never
 * blocks. Returns whether any dataflow is still running; false also once the execution is
 * being stopped, so a loop around it ends. */
WEIR_API bool weir_step(weir_worker *worker);
/* worker. The same; if there is nothing to do, spins shortly and then sleeps until there
 * is, at most for max_ns (UINT64_MAX: as long as it takes). */
WEIR_API bool weir_step_or_park(weir_worker *worker, uint64_t max_ns);
/* worker. Steps (and parks) until every dataflow of this worker is complete. Close its inputs
 * first, or it waits forever; a function that just returns needs neither. */
WEIR_API void weir_run(weir_worker *worker);
/* worker. Whether the execution is being stopped: it is time to return. */
WEIR_API bool weir_stopping(const weir_worker *worker);
/* any thread that runs an operator or a worker's function. Stops all workers with this
 * reason, which weir_execute returns; the first reason wins. In other processes it returns the
 * same, with the number of this one in front. */
WEIR_API void weir_stop(weir_worker *worker, const char *format, ...) WEIR_PRINTF(2, 3);
/* worker. A pseudo-random number that depends only on the seed, the worker's index and how
 * many were drawn before. */
WEIR_API uint64_t weir_random(weir_worker *worker);
/* worker. Nanoseconds of the monotonic clock; virtual in deterministic runs. */
WEIR_API uint64_t weir_now(weir_worker *worker);

/* ---- dataflows -------------------------------------------------------------------------- */

/* worker. Begins a dataflow; every worker does so in the same order. */
WEIR_API weir_dataflow *weir_dataflow_begin(weir_worker *worker, const char *name);
/* worker. Declares the dimensions of its times, before any operator: 1 to 4 names. The
 * default is one, "epoch". */
WEIR_API void weir_dataflow_dims(weir_dataflow *flow, const char *const *names, uint32_t count);
/* worker. Finishes the graph. Building is sticky: the first error of all calls since
 * weir_dataflow_begin is reported here, and the dataflow does not exist then. An error
 * that is not handled (given back by the worker's function) should go to weir_stop.
 * Afterwards the dataflow runs whenever the worker steps. */
WEIR_API weir_err *weir_dataflow_end(weir_dataflow *flow);
/* worker. The same; an error stops the execution. Returns whether the dataflow runs. */
WEIR_API bool weir_dataflow_end_or_stop(weir_dataflow *flow);
/* worker. Whether every time of the dataflow is complete, on all workers. */
WEIR_API bool weir_dataflow_done(const weir_dataflow *flow);
/* worker. Ends a dataflow before it is complete and frees it. Every worker must do so, within
 * 2 s of the first: one that still runs the dataflow then stops the execution with a message.
 * Complete dataflows are freed by themselves, at the end or by this call. */
WEIR_API void weir_dataflow_drop(weir_dataflow *flow);
/* worker. The worker that is building. */
WEIR_API weir_worker *weir_scope_worker(const weir_scope *scope);
/* any. How many coordinates times have in this scope. */
WEIR_API int weir_scope_dims(const weir_scope *scope);
/* worker, building. Marks the dataflow as failed: weir_dataflow_end will return this. For
 * operators of one's own that check their types. The first error is kept. */
WEIR_API void weir_scope_fail(weir_scope *scope, const char *format, ...) WEIR_PRINTF(2, 3);

#endif
