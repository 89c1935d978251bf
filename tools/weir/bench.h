/* What the files of `weir bench` share.
 *
 * A figure is one thing measured at one number of workers. Each run of it is a process of
 * its own, or a cluster of some, ours (`weir bench-run`) or the peer's; each prints one JSON
 * object. All get the same options, so that the tables of figures are the one place that says
 * how much work a figure is. Some have a third side, the limit: what plain sockets do in a
 * cluster's place, or a C loop in that of windows. */
#ifndef WEIR_TOOLS_BENCH_H
#define WEIR_TOOLS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* ---- figures (bench_figures.c) ------------------------------------------------------- */

/* The amounts of a run. A figure reads those that concern it. */
struct bench_args {
    const char *figure;
    unsigned workers;            /* of each process */
    unsigned processes, process; /* how many, and which one this is */
    const char *hosts;           /* where they listen, as in weir_cluster; NULL: there is one */
    bool no_shared_memory;       /* as in weir_cluster */
    bool raw;                    /* plain sockets, or a C loop, instead of weir */
    uint64_t batch, epochs, outstanding; /* exchange */
    uint64_t rounds, operators, dataflows;
    uint64_t nodes, edges;        /* graphs */
    uint64_t seconds;             /* idle */
    const char *file;             /* word_count, words */
    uint64_t rows, keys, changes; /* collections; `epochs` of `changes` each follow the load */
};

/* What one run found; of a cluster the slowest process's value and the sum of the checks. */
struct bench_result {
    double value; /* in the figure's unit; for latencies the p50 */
    uint64_t check;
    uint64_t peak_kb;
    double line_ns; /* bench_line_ns, just before the run */
    double cpu_s;   /* processor time of the whole process, its own data made included */
    bool has_spread;
    uint64_t p50_ns, p99_ns, max_ns;
};

/* What a figure of a collection is. */
enum bench_measure {
    BENCH_LOAD_RATE, /* rows a second while loading */
    BENCH_LOAD_SECONDS,
    BENCH_LATENCY,       /* of the epochs after it */
    BENCH_EPOCH_SECONDS, /* that such an epoch takes on average */
    BENCH_ALL_SECONDS,
};

struct bench_collection;

struct bench_figure {
    const char *name;
    const char *summary;
    const char *unit;
    bool less_is_better;
    bool shows_memory;
    bool needs_text;
    const char *workers;      /* how many at first, "1,2" if NULL */
    unsigned processes;       /* 0: one, by itself */
    const char *scheme;       /* of the addresses of its processes: "tcp" or "abstract" */
    bool sockets;             /* they carry everything, rather than memory that processes share */
    double row_bytes;         /* if the unit is GB/s: what a row is */
    const char *options;      /* for both sides, separated by single spaces */
    const char *peer_figure;  /* how the peer calls it; NULL: it has none */
    const char *peer_options; /* for the peer alone, or NULL */
    /* How our side runs: a function, or a collection and what of it is measured. */
    void (*run)(const struct bench_args *args, struct bench_result *result_out);
    /* What plain sockets do, in two processes, or a tight C loop by one thread; or NULL. */
    void (*raw)(const struct bench_args *args, struct bench_result *result_out);
    const struct bench_collection *collection;
    enum bench_measure measure;
    /* The peer's check of a --quick run (closure: that of a naive program), at all numbers of
     * workers; 0: not known. */
    uint64_t quick_check;
    /* The peer is not run: its figure, of one worker and the whole work, is a published one. */
    const char *published; /* by whom, or NULL */
    double published_value;
    uint64_t published_peak_kb;
};

/* `weir bench SUITE`. Figures' names are unique over all suites. */
struct bench_suite {
    const char *name, *summary;
    const struct bench_figure *figures;
    unsigned count;
    const char *raw; /* what the third side is called, at most nine letters; NULL: there is none */
};

extern const struct bench_suite bench_collections; /* bench_c_figures.c */
extern const struct bench_suite bench_net;         /* bench_n_figures.c */
extern const struct bench_suite bench_windows;     /* bench_w_figures.c */
extern const struct bench_suite *const bench_suites[];
extern const unsigned bench_suite_count;

const struct bench_suite *bench_suite_find(const char *name);
/* In one suite, or in all of them (NULL). */
const struct bench_figure *bench_figure_find(const struct bench_suite *suite, const char *name);

/* Our side of the figures. */
void bench_exchange(const struct bench_args *args, struct bench_result *result_out);
void bench_round(const struct bench_args *args, struct bench_result *result_out);
void bench_barrier(const struct bench_args *args, struct bench_result *result_out);
void bench_ping_pong(const struct bench_args *args, struct bench_result *result_out);
void bench_event_driven(const struct bench_args *args, struct bench_result *result_out);
void bench_event_driven_empty(const struct bench_args *args, struct bench_result *result_out);
void bench_word_count(const struct bench_args *args, struct bench_result *result_out);
void bench_bfs(const struct bench_args *args, struct bench_result *result_out);
void bench_idle(const struct bench_args *args, struct bench_result *result_out);
void bench_words(const struct bench_args *args, struct bench_result *result_out);
void bench_collection_run(const struct bench_figure *figure, const struct bench_args *args,
                          struct bench_result *result_out);
void bench_cross(const struct bench_args *args, struct bench_result *result_out);
void bench_cross_both(const struct bench_args *args, struct bench_result *result_out);
void bench_progress_frames(const struct bench_args *args, struct bench_result *result_out);
void bench_progress_bytes(const struct bench_args *args, struct bench_result *result_out);
void bench_w_tumbling(const struct bench_args *args, struct bench_result *result_out);
void bench_w_tumbling_local(const struct bench_args *args, struct bench_result *result_out);
void bench_w_hopping_local(const struct bench_args *args, struct bench_result *result_out);
void bench_w_tumbling_policy(const struct bench_args *args, struct bench_result *result_out);
void bench_w_hopping_inverse(const struct bench_args *args, struct bench_result *result_out);
void bench_w_hopping(const struct bench_args *args, struct bench_result *result_out);
void bench_w_sessions(const struct bench_args *args, struct bench_result *result_out);
void bench_w_csv(const struct bench_args *args, struct bench_result *result_out);
/* What plain sockets do (bench_n_raw.c). */
void bench_raw_cross(const struct bench_args *args, struct bench_result *result_out);
void bench_raw_cross_rows(const struct bench_args *args, struct bench_result *result_out);
void bench_raw_cross_both(const struct bench_args *args, struct bench_result *result_out);
void bench_raw_epoch(const struct bench_args *args, struct bench_result *result_out);
void bench_raw_round_trip(const struct bench_args *args, struct bench_result *result_out);
/* And what tight C loops do, by one thread. */
void bench_w_limit_tumbling(const struct bench_args *args, struct bench_result *result_out);
void bench_w_limit_hopping(const struct bench_args *args, struct bench_result *result_out);
void bench_w_limit_sessions(const struct bench_args *args, struct bench_result *result_out);
void bench_w_limit_csv(const struct bench_args *args, struct bench_result *result_out);

/* Sorts the samples; value, p50, p99 and max of the result come from them. */
void bench_latencies(uint32_t *samples_ns, uint64_t samples, struct bench_result *result_out);

/* ---- running processes (bench_child.c) ----------------------------------------------- */

enum { BENCH_PROCESSES_MAX = 8 };

/* Runs argvs[0], ... at the same time (each ends with NULL; its first word is looked up in PATH
 * if it has no slash) in `folder` (NULL: here) until all have ended, or kills them after
 * timeout_s, or soon after one of them has failed. What each prints on stdout goes to
 * outputs_out[i] (to be freed), or to our stderr if outputs_out is NULL. Returns NULL if all
 * ended with status 0, or else the first reason, valid until the next call; then there are no
 * outputs. The processor time that they took goes to *cpu_s_out, unless that is NULL. */
const char *bench_children(const char *const *const argvs[], unsigned count, const char *folder,
                           unsigned timeout_s, char *outputs_out[], double *cpu_s_out);
/* Reads the JSON object that a run printed; false if there is none. */
bool bench_result_parse(const char *output, struct bench_result *result_out);

/* ---- one run (bench_once.c) ------------------------------------------------------------ */

enum bench_side { BENCH_WEIR, BENCH_PEER, BENCH_RAW };
enum { BENCH_LIST_MAX = 64, BENCH_QUICK = 100 /* --quick: how many times less work */ };

/* What `weir bench` was asked to do. */
struct bench_plan {
    const struct bench_suite *suite;
    const struct bench_figure *figures[BENCH_LIST_MAX];
    unsigned workers[BENCH_LIST_MAX];
    unsigned figure_count, worker_count, runs; /* no workers: each figure's own */
    bool peers, json, quick;
    char *set;          /* more options for both sides, separated by single spaces; or NULL */
    char *text;         /* word_count's file, or NULL if no figure needs it */
    char *peer_program; /* or NULL */
};

/* One run of one side; false after saying why there is no result. */
bool bench_once(const struct bench_plan *plan, const struct bench_figure *figure,
                unsigned workers, enum bench_side side, struct bench_result *result_out);
/* Ends the line that shows how far we are, if there is one. */
void bench_clear_progress(void);

/* ---- the rest ------------------------------------------------------------------------ */

/* Where the peers' program is, built if need be; NULL after saying why not. */
char *bench_peers_build(void);
/* A text file of `bytes` or a little more, made at its first use and kept in the user's
 * cache folder; NULL after saying why not. */
char *bench_text_file(uint64_t bytes);
/* One line about this machine, to be freed. */
char *bench_machine(void);
/* How long a cache line takes from one core to another and back; 0: not known. */
double bench_line_ns(void);
/* Touches memory and gives it back, so that the next process gets pages that are there: on a
 * virtual machine the host supplies a page at its first touch, which can cost more than all
 * that is measured, and would hit whichever side is run first. */
void bench_warm_memory(void);
/* The executable that is running. */
const char *bench_self(void);

/* ---- results (bench_report.c) --------------------------------------------------------- */

enum { BENCH_RUNS_MAX = 1000 };

/* All the runs of one figure at one number of workers. */
struct bench_row {
    const struct bench_figure *figure;
    unsigned workers;
    unsigned runs; /* of each side */
    bool has_peer, has_raw;
    struct bench_result weir[BENCH_RUNS_MAX];
    struct bench_result peer[BENCH_RUNS_MAX];
    struct bench_result raw[BENCH_RUNS_MAX];
};

void bench_report_head(const struct bench_suite *suite);
void bench_report_row(const struct bench_suite *suite, const struct bench_row *row);
/* The p99 and largest of latencies, rows a second, peak memory and processor time, where a row
 * has them. */
void bench_report_details(const struct bench_row *rows, unsigned count);
void bench_report_json(const struct bench_row *row);

#endif
