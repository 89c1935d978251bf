/* The parts of `weir window`: what the command line asks for, the rows of the file, and the
 * aggregates as kernels over types that are known only now. */
#ifndef WEIR_TOOLS_WINDOW_H
#define WEIR_TOOLS_WINDOW_H

#include <stdio.h>

#include <weir/weir.h>

#include "operators/io/paths.h"

enum { AGGREGATES_MAX = 64, COLUMNS_MAX = 256, SLOT_FIELDS_MAX = 4 };

typedef struct aggregate aggregate;

/* What there is to know of a kind of aggregate: window_fold.c, window_keep.c. It has a slot in an
 * acc, which is some fields that start as zeros, and a field in a result. */
typedef struct aggregate_way {
    const char *name; /* as --agg has it, or how it begins if a number follows */
    bool numbered;    /* a number follows: top3, p99.9 */
    enum { AGGREGATE_OF_ROWS, AGGREGATE_OF_NUMBERS, AGGREGATE_OF_ANY } of;
    /* The fields of a slot, each of 8 or 16 bytes but the last; and what a result has.
     * WEIR_KIND_count: the column's kind, or, as a result of numbers, the i64 or f64 that it is. */
    uint32_t slot_fields;
    weir_kind slot[SLOT_FIELDS_MAX];
    weir_kind result;
    /* Adds a row; adds another slot. NULL: nothing is to be done. */
    void (*add)(const aggregate *of, char *slot, const char *row, int64_t diff);
    void (*merge)(const aggregate *of, char *slot, const char *other);
    /* Of so many rows. `into` is where texts go. */
    void (*finish)(const aggregate *of, const char *slot, int64_t rows, char *value_out,
                   weir_batch *into);
    void (*release)(const aggregate *of, char *slot); /* NULL: it has no memory of its own */
} aggregate_way;

struct aggregate {
    const aggregate_way *way;
    char *name;       /* of its field in results */
    double number;    /* how many of a top; per cent of a quantile */
    weir_field field; /* of a row; without one: count */
    uint32_t time_at; /* in a row */
    uint32_t file_at; /* the number of its file, in a row; UINT32_MAX: there is only one */
    bool real;        /* its value is a f64 */
    uint32_t acc_at;  /* its slot in an acc */
    uint32_t out_at;  /* its value in a result */
};

/* All ways, and how many. */
extern const aggregate_way *const aggregate_ways[];
extern const uint32_t aggregate_way_count;
/* window_keep.c: those that keep more than numbers. */
extern const aggregate_way aggregate_distinct, aggregate_about, aggregate_first, aggregate_last;
extern const aggregate_way aggregate_top, aggregate_quantile, aggregate_median;
extern const aggregate_way aggregate_variance, aggregate_deviation;

/* The value of a field of a row. */
__extension__ typedef __int128 aggregate_wide;
aggregate_wide aggregate_whole(const weir_field *field, const char *row);
double aggregate_real(const weir_field *field, const char *row);

/* The words of the command line. */
typedef struct window_words {
    const char *const *files; /* NULL ends them */
    const char *schema, *time, *key, *unit, *tumble, *hop, *session, *count;
    const char *bound, *lateness, *aggregates, *late, *speed;
    bool csv, json_lines, global, json;
    bool shared, first; /* there are several processes; this is the first one */
} window_words;

/* What they mean. */
typedef struct window_plan {
    wi_paths files;
    uint32_t file_at; /* of several: WINDOW_FILE_FIELD, in a row */
    weir_route_kernel by_file;
    weir_row_format format;
    bool header, extra; /* the first line has names; more than there are fields */
    weir_type *row, *acc, *out;
    weir_key key;
    uint32_t out_key_at[WEIR_KEY_FIELDS_MAX]; /* in a result */
    uint32_t acc_key_at[WEIR_KEY_FIELDS_MAX];
    uint32_t acc_own_at, out_own_at; /* start and end, in an acc and in a result */
    aggregate aggregates[AGGREGATES_MAX];
    uint32_t aggregate_count;
    weir_windows windows;
    /* Results come in the order in which they are printed: later ones have later starts. */
    bool as_they_close;
    weir_watermark_policy policy;
    weir_pacing pacing; /* speed 0: as fast as they can be read */
    weir_fold_kernel fold, combine;
    weir_map_kernel finish;
} window_plan;

/* window_plan.c. On failure says what is wrong. window_plan_fini in any case. */
weir_err *window_plan_init(window_plan *out, const window_words *words);
void window_plan_fini(window_plan *plan);

/* window_fold.c: fills in the kernels. Their argument is the plan. */
void window_fold_init(window_plan *plan);
/* window_aggregates.c: what --agg says; the columns are those of plan->row. */
weir_err *window_aggregates_read(window_plan *plan, const char *list, const weir_field *time);
/* window_columns.c: the files, and a type for their rows. */
weir_err *window_columns_read(window_plan *plan, const window_words *words);
void window_columns_fini(window_plan *plan);
/* Which of several files a row is of. */
#define WINDOW_FILE_FIELD "(file)"
/* The column of that name, or what is wrong. */
weir_err *window_column(const window_plan *plan, const char *option, const char *name,
                        const weir_field **field_out);
/* Cuts the next piece off *at, which becomes NULL after the last; for lists. */
char *window_next_piece(char **at, const char *separators);

/* What is counted, at worker 0 of process 0. */
typedef struct window_counts {
    uint64_t rows, malformed;
    uint64_t late, missed, pairs;
    int64_t windows;
    bool here; /* whether that worker is in this process */
} window_counts;

typedef struct window_job {
    window_plan *plan;
    window_counts counts;
    FILE *late;
    bool json; /* results and counts */
    struct window_progress *progress; /* NULL: it is not shown */
} window_job;

/* window_progress.c: a line on the terminal about how far it is, if standard error is one; on the
 * worker that reads the file. What is printed by others begins by clearing it. */
void window_progress_begin(window_job *job);
weir_batch_fn window_progress_look; /* at stamped rows; its argument is the job */
void window_progress_clear(const window_job *job);
void window_progress_end(window_job *job);

/* window_read.c: the files' rows; before, for all workers: a watermark for each. */
void window_read_init(window_plan *plan);
weir_stream window_read(weir_dataflow *flow, window_job *job);

#endif
