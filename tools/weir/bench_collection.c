/* Loads a collection, then changes it epoch by epoch; see bench_collection.h. */
#include "bench_collection.h"

#include <stdio.h>
#include <stdlib.h>

/* Rows that a worker gives before it lets the dataflow run for a step. */
enum { ROWS_A_STEP = 1 << 16 };

static uint64_t row_count(const struct bench_args *args)
{
    return args->edges ? args->edges : args->rows;
}

static void set_diff(const struct bench_ends *ends, int64_t diff)
{
    for (int i = 0; i < 2; i++)
        if (ends->inputs[i])
            weir_out_diff(weir_input_out(ends->inputs[i]), diff);
}

/* Lets everything up to an epoch come to an end. */
static void finish_epoch(weir_worker *worker, const struct bench_ends *ends, uint64_t epoch)
{
    for (int i = 0; i < 2; i++)
        if (ends->inputs[i])
            weir_input_advance(ends->inputs[i], epoch + 1);
    weir_step_while_below(worker, ends->probe, epoch + 1);
}

static void load(weir_worker *worker, const struct bench_collection *it,
                 const struct bench_args *args, const struct bench_ends *ends)
{
    uint64_t rows = row_count(args), step = args->workers;
    for (uint64_t at = weir_worker_index(worker); at < rows;) {
        uint64_t end = rows - at > ROWS_A_STEP * step ? at + ROWS_A_STEP * step : rows;
        it->push(ends, args, at, end, step);
        at += (end - at + step - 1) / step * step;
        weir_step(worker);
    }
    finish_epoch(worker, ends, 0);
}

/* Pushes this worker's changes of an epoch. */
static void change(uint32_t index, const struct bench_collection *it, const struct bench_args *args,
                   const struct bench_ends *ends, uint64_t epoch)
{
    uint64_t begin = epoch * args->changes, end = begin + args->changes;
    for (uint64_t n = begin; n < end; n++) {
        uint64_t row = n % 2 ? n / 2 : row_count(args) + n / 2;
        if (row % args->workers != index)
            continue;
        set_diff(ends, n % 2 ? -1 : 1);
        it->push(ends, args, row, row + 1, 1);
    }
}

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    const struct bench_args *args = run->args;
    const struct bench_collection *it = run->own;
    struct bench_part *part = bench_part_of(run, worker);
    uint32_t index = weir_worker_index(worker);
    struct bench_ends ends = {.probe = NULL};

    weir_dataflow *flow = weir_dataflow_begin(worker, it->name);
    it->build(flow, args, part, &ends);
    bench_built(worker, flow);

    pthread_barrier_wait(&run->start);
    if (weir_stopping(worker))
        return;
    uint64_t begin = bench_now_ns();
    load(worker, it, args, &ends);
    uint64_t last = bench_now_ns();
    part->loaded_ns = last - begin;
    for (uint64_t epoch = 0; epoch < args->epochs; epoch++) {
        change(index, it, args, &ends, epoch);
        finish_epoch(worker, &ends, epoch + 1);
        uint64_t now = bench_now_ns();
        if (index == 0)
            run->samples_ns[epoch] = now - last < UINT32_MAX ? (uint32_t)(now - last) : UINT32_MAX;
        last = now;
    }
    part->elapsed_ns = last - begin;
    if (it->check)
        it->check(&ends, args, index, row_count(args), args->workers);
    for (int i = 0; i < 2; i++)
        if (ends.inputs[i])
            weir_input_close(&ends.inputs[i]);
    weir_run(worker);
}

static void expect(const struct bench_collection *it, const struct bench_args *args,
                   const uint64_t totals[2])
{
    uint64_t expected[2];
    if (!it->naive)
        return;
    it->naive(args, expected);
    if (expected[0] == totals[0] && expected[1] == totals[1])
        return;
    fprintf(stderr, "weir bench-run: %s: WRONG RESULT: %llu rows, %llu by a naive program\n",
            it->name, (unsigned long long)totals[0], (unsigned long long)expected[0]);
    exit(1);
}

static double value_of(enum bench_measure measure, const struct bench_run *run)
{
    const struct bench_args *args = run->args;
    uint64_t loaded_ns = 1;
    for (unsigned i = 0; i < args->workers; i++)
        if (run->parts[i].loaded_ns > loaded_ns)
            loaded_ns = run->parts[i].loaded_ns;
    double load_s = (double)loaded_ns / 1e9, all_s = bench_run_seconds(run);
    switch (measure) {
    case BENCH_LOAD_RATE:
        return (double)row_count(args) / load_s;
    case BENCH_LOAD_SECONDS:
        return load_s;
    case BENCH_EPOCH_SECONDS:
        return (all_s - load_s) / (double)(args->epochs ? args->epochs : 1);
    default:
        return all_s;
    }
}

void bench_collection_run(const struct bench_figure *figure, const struct bench_args *args,
                          struct bench_result *result_out)
{
    const struct bench_collection *it = figure->collection;
    struct bench_run *run = bench_run_workers(args, work, (void *)it);
    uint64_t totals[2] = {0};
    for (unsigned i = 0; i < args->workers; i++) {
        totals[0] += run->parts[i].rows;
        totals[1] += run->parts[i].sum;
    }
    expect(it, args, totals);
    result_out->check = bench_check_fold(totals, 2);
    result_out->value = value_of(figure->measure, run);
    if (figure->measure == BENCH_LATENCY)
        bench_latencies(run->samples_ns, args->epochs, result_out);
    bench_run_free(run);
}
