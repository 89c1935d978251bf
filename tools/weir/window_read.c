/* The rows of the files of `weir window`, and how many there are. What is not a row is said on
 * standard error, counted, and left out. Several files are partitions: each has a watermark of its
 * own. */
#include "window.h"

#include <string.h>

enum { COMPLAINTS_MAX = 10 };

/* ---- what is no row --------------------------------------------------------------------- */

/* On worker 0. */
static void complain(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    window_job *job = arg;
    const weir_rejected *bad = batch->rows;
    window_progress_clear(job);
    for (uint32_t i = 0; i < batch->count; i++)
        if (job->counts.malformed++ < COMPLAINTS_MAX)
            fprintf(stderr, "%.*s\n", (int)bad[i].reason.length, weir_text_at(&bad[i].reason));
}

/* ---- how many --------------------------------------------------------------------------- */

#define NUMBER(F) F(i64, rows)
WEIR_ROW(number, NUMBER)

/* Worker 0 counts as rows come, the others send it their numbers in the end. */
static void count_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    window_job *job = weir_op_arg(op);
    int64_t *rows = weir_op_state(op);
    *rows += batch->count;
    if (weir_worker_index(weir_op_worker(op)) == 0)
        job->counts.rows = (uint64_t)*rows;
    else
        weir_notify_at(op, &batch->time);
}

static void send_count(weir_op *op, const weir_time *time, WEIR_UNUSED void *state)
{
    const int64_t *rows = weir_op_state(op);
    number_push(weir_send_at(op, 0, time), (number){*rows});
}

static const weir_operator counter = {.name = "count_rows",
                                      .state_bytes = sizeof(int64_t),
                                      .batch = count_batch,
                                      .notify = send_count};

/* On worker 0. */
static void add_counts(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    window_job *job = arg;
    for (uint32_t i = 0; i < batch->count; i++)
        job->counts.rows += (uint64_t)number_at(batch, i)->rows;
}

/* ---- all of it -------------------------------------------------------------------------- */

static void file_of(const void *rows, uint64_t *routes_out, uint32_t count, void *arg)
{
    const window_plan *plan = arg;
    const char *at = (const char *)rows + plan->file_at;
    for (uint32_t i = 0; i < count; i++, at += plan->row->size) {
        uint32_t file;
        memcpy(&file, at, sizeof file);
        routes_out[i] = file;
    }
}

static void watermark_each(window_plan *plan)
{
    plan->file_at = weir_type_find(plan->row, WINDOW_FILE_FIELD)->offset;
    plan->by_file = (weir_route_kernel){.name = "file", .in = plan->row, .run = file_of};
    plan->policy.partition = &plan->by_file;
    plan->policy.partitions = plan->files.count;
    plan->policy.arg = plan;
    plan->windows.order = WINDOW_FILE_FIELD;
}

void window_read_init(window_plan *plan)
{
    if (plan->files.count > 1)
        watermark_each(plan);
    wi_paths_end(&plan->files);
}

weir_stream window_read(weir_dataflow *flow, window_job *job)
{
    const window_plan *plan = job->plan;
    weir_stream rows = weir_read_rows(
        flow, plan->row,
        &(weir_read){.paths = (const char *const *)plan->files.at,
                     .format = plan->format,
                     .header = plan->header,
                     .extra = plan->extra,
                     .partition = plan->policy.partition ? WINDOW_FILE_FIELD : NULL});
    weir_inspect_batch(weir_gather(weir_rejects(rows), 0), complain, job);
    weir_stream counts = weir_unary(rows, WEIR_LOCAL, &counter, &number_type, job);
    weir_inspect_batch(weir_gather(counts, 0), add_counts, job);
    return rows;
}
