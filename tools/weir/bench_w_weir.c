/* Our side of the figures of windows: each worker makes its part of the rows, which are folded
 * where their keys are; results are added up where they come out. The watermark is the source's
 * own (it knows how far behind a row may be), or, for the figures of policies, weir_watermarks'. */
#include "bench_w_rows.h"

#include <stddef.h>

#define BENCH_W_RESULT(F) F(u64, key) F(i64, start) F(i64, end) F(i64, rows) F(u64, sum)
WEIR_ROW(bench_w_result, BENCH_W_RESULT)

WEIR_FOLD(add_value, bench_w_row, bench_w_result)
{
    acc->sum += in->value * (uint64_t)diff;
}

WEIR_FOLD(add_sum, bench_w_result, bench_w_result)
{
    acc->sum += in->sum * (uint64_t)diff;
}

/* What a figure is. */
struct kind {
    weir_windows windows;
    bool policy;
};

struct maker {
    uint64_t next; /* row, of this worker's: all whose number modulo workers is its own */
    bool begun;
};

static weir_more make_rows(weir_source *source, void *state, void *arg)
{
    struct maker *maker = state;
    const struct bench_run *run = arg;
    const struct kind *kind = run->own;
    uint64_t step = run->args->workers, keys = run->args->keys, rows = run->args->rows;
    if (!maker->begun)
        maker->next = weir_worker_index(weir_source_worker(source));
    maker->begun = true;
    weir_out *out = weir_source_out(source);
    for (uint32_t left = BENCH_W_ROWS_A_CALL, room; left && maker->next < rows; left -= room) {
        bench_w_row *to = weir_out_room(out, left, &room);
        uint64_t there = (rows - maker->next + step - 1) / step;
        room = room < there ? room : (uint32_t)there;
        for (uint32_t i = 0; i < room; i++)
            to[i] = bench_w_make(maker->next + i * step, keys);
        maker->next += room * step;
        weir_out_commit(out, room);
    }
    if (!kind->policy)
        weir_source_advance(source, weir_event_epoch(bench_w_reached(maker->next)));
    return maker->next < rows ? WEIR_MORE : WEIR_DONE;
}

/* A worker's rows are a partition; `arg` is how many there are. */
WEIR_ROUTE(partition_of, bench_w_row)
{
    (void)in;
    return *(const unsigned *)arg;
}

static void add_results(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct bench_part *part = bench_part_of(weir_op_arg(op), weir_op_worker(op));
    for (uint32_t i = 0; i < batch->count; i++) {
        const bench_w_result *it = bench_w_result_at(batch, i);
        uint64_t diff = (uint64_t)weir_batch_diff(batch, i);
        part->rows += diff;
        part->sum +=
            bench_w_hash(it->key, it->start, it->end, (uint64_t)it->rows, it->sum) * diff;
    }
}

static const weir_operator adding = {.name = "add", .stateless = true, .batch = add_results};

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    const struct kind *kind = run->own;
    unsigned own = bench_local(run->args, worker);
    weir_dataflow *flow = weir_dataflow_begin(worker, "windows");
    weir_stream rows =
        weir_generate(flow, &bench_w_row_type, make_rows, sizeof(struct maker), run);
    if (kind->policy)
        rows = weir_watermarks(rows, &(weir_watermark_policy){.time = "ts",
                                                              .bound = BENCH_W_SPREAD,
                                                              .partition = &partition_of,
                                                              .partitions = run->args->workers,
                                                              .arg = &own});
    weir_stream results = weir_window(rows, &kind->windows, WEIR_BY(bench_w_row, key), &add_value,
                                      NULL, NULL);
    weir_sink(results, WEIR_LOCAL, &adding, run);
    bench_built(worker, flow);
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

static void run_windows(const struct kind *kind, const struct bench_args *args,
                        struct bench_result *result_out)
{
    struct bench_run *run = bench_run_workers(args, work, (void *)kind);
    uint64_t totals[2] = {0};
    for (unsigned i = 0; i < args->workers; i++) {
        totals[0] += run->parts[i].rows;
        totals[1] += run->parts[i].sum;
    }
    result_out->value = (double)args->rows / bench_run_seconds(run);
    result_out->check = bench_check_fold(totals, 2);
    bench_run_free(run);
}

#define TUMBLING .kind = WEIR_TUMBLING, .time = "ts", .size = BENCH_W_WINDOW

void bench_w_tumbling(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {.windows = {TUMBLING, .combine = &add_sum}};
    run_windows(&kind, args, result_out);
}

void bench_w_tumbling_local(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {.windows = {TUMBLING, .combine = &add_sum, .local = true}};
    run_windows(&kind, args, result_out);
}

void bench_w_tumbling_policy(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {.windows = {TUMBLING, .combine = &add_sum}, .policy = true};
    run_windows(&kind, args, result_out);
}

#define HOPPING                                                                                \
    .kind = WEIR_HOPPING, .time = "ts", .size = BENCH_W_WINDOW * BENCH_W_PANES,                \
    .slide = BENCH_W_WINDOW, .combine = &add_sum

void bench_w_hopping_local(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {.windows = {HOPPING, .local = true}};
    run_windows(&kind, args, result_out);
}

void bench_w_hopping_inverse(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {.windows = {HOPPING, .inverse = true}};
    run_windows(&kind, args, result_out);
}

void bench_w_hopping(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {.windows = {HOPPING}};
    run_windows(&kind, args, result_out);
}

void bench_w_sessions(const struct bench_args *args, struct bench_result *result_out)
{
    static const struct kind kind = {
        .windows = {
            .kind = WEIR_SESSION, .time = "ts", .gap = BENCH_W_GAP, .combine = &add_sum}};
    run_windows(&kind, args, result_out);
}
