/* See bench_worker.h. */
#include "bench_worker.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_run *bench_run_workers(const struct bench_args *args, weir_worker_fn *work,
                                    void *own)
{
    struct bench_run *run = WI_NEW(struct bench_run);
    run->args = args;
    run->own = own;
    run->parts = wi_alloc_lines(args->workers * sizeof *run->parts);
    run->samples_ns = WI_NEWS(uint32_t, args->rounds + args->epochs + 1);
    pthread_barrier_init(&run->start, NULL, args->workers);
    weir_config config = {.workers = args->workers,
                          .cluster = {.processes = args->processes,
                                      .process = args->process,
                                      .name = "bench",
                                      .hosts = args->hosts,
                                      .no_shared_memory = args->no_shared_memory}};
    weir_err *err = weir_execute(&config, work, run);
    if (err) {
        fprintf(stderr, "weir bench-run: %s\n", weir_err_message(err));
        exit(1);
    }
    return run;
}

void bench_run_free(struct bench_run *run)
{
    pthread_barrier_destroy(&run->start);
    wi_free(run->samples_ns);
    wi_free(run->parts);
    wi_free(run);
}

double bench_run_seconds(const struct bench_run *run)
{
    uint64_t slowest_ns = 1;
    for (unsigned i = 0; i < run->args->workers; i++)
        if (run->parts[i].elapsed_ns > slowest_ns)
            slowest_ns = run->parts[i].elapsed_ns;
    return (double)slowest_ns / 1e9;
}

uint64_t bench_run_check(const struct bench_run *run)
{
    uint64_t check = 0;
    for (unsigned i = 0; i < run->args->workers; i++)
        check += bench_check_part(run->args->process * run->args->workers + i, run->parts[i].sum,
                                  run->parts[i].rows);
    return check;
}

uint64_t bench_run_rows(const struct bench_run *run)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < run->args->workers; i++)
        rows += run->parts[i].rows;
    return rows;
}

void bench_latencies(uint32_t *samples_ns, uint64_t samples, struct bench_result *result_out)
{
    bench_sort_samples(samples_ns, samples);
    result_out->has_spread = true;
    result_out->p50_ns = bench_percentile(samples_ns, samples, 50);
    result_out->p99_ns = bench_percentile(samples_ns, samples, 99);
    result_out->max_ns = bench_percentile(samples_ns, samples, 100);
    result_out->value = (double)result_out->p50_ns;
}

void bench_built(weir_worker *worker, weir_dataflow *flow)
{
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
}
