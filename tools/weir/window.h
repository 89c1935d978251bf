/* The parts of `weir window`: what the command line asks for, the rows of the file, and the
 * aggregates as kernels over types that are known only now. */
#ifndef WEIR_TOOLS_WINDOW_H
#define WEIR_TOOLS_WINDOW_H

#include <stdio.h>

#include <weir/weir.h>

#include "lines.h"

enum { AGGREGATES_MAX = 16, COLUMNS_MAX = 256 };

typedef enum aggregate_kind {
    AGGREGATE_COUNT,
    AGGREGATE_SUM,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_AVG,
    AGGREGATE_DISTINCT
} aggregate_kind;

typedef struct aggregate {
    aggregate_kind kind;
    weir_field field; /* of a row; without one: count */
    bool real;        /* its value is a f64 */
    uint32_t acc_at;  /* its slot in an acc */
    uint32_t out_at;  /* its value in a result */
} aggregate;

/* The words of the command line. */
typedef struct window_words {
    const char *file, *schema, *time, *key, *unit, *tumble, *hop, *session;
    const char *bound, *lateness, *aggregates, *late;
    bool csv, global;
} window_words;

/* What they mean. */
typedef struct window_plan {
    const char *file;
    bool csv, header; /* the first line has names */
    weir_type *row, *acc, *out;
    weir_key key;
    uint32_t out_key_at[WEIR_KEY_FIELDS_MAX]; /* in a result */
    uint32_t acc_key_at[WEIR_KEY_FIELDS_MAX];
    uint32_t acc_own_at, out_own_at; /* start and end, in an acc and in a result */
    aggregate aggregates[AGGREGATES_MAX];
    uint32_t aggregate_count;
    weir_windows windows;
    weir_watermark_policy policy;
    weir_fold_kernel fold, combine;
    weir_map_kernel finish;
} window_plan;

/* window_plan.c. On failure says what is wrong. window_plan_fini in any case. */
weir_err *window_plan_init(window_plan *out, const window_words *words);
void window_plan_fini(window_plan *plan);

/* window_fold.c: fills in the kernels. Their argument is the plan. */
void window_fold_init(window_plan *plan);
/* Bytes of an aggregate's slot in an acc, as two i64. */
#define WINDOW_SLOT_FIELDS 2

/* window_read.c: the file's rows, read by worker 0. */
typedef struct window_counts {
    uint64_t rows, malformed;         /* worker 0 of process 0 */
    uint64_t late, missed, pairs;     /* the same */
    int64_t windows;
    bool here; /* whether that worker is in this process */
} window_counts;

typedef struct window_job {
    window_plan *plan;
    window_counts counts;
    FILE *late;
} window_job;

weir_stream window_read(weir_dataflow *flow, window_job *job);
/* Makes a line of comma-separated fields one of tab-separated ones in *buffer, which grows; false
 * if a quote is not closed. */
typedef struct window_line {
    char *text;
    size_t length, capacity;
} window_line;
bool window_from_csv(window_line *to, const char *line, size_t length);

#endif
