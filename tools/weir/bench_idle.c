/* CPU that the workers of a live dataflow use while there is nothing to do: another thread
 * feeds them a little work, then holds the feeds open in silence. Percent of one core, all
 * threads together. */
#include "bench_worker.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 1000, SETTLE_MS = 100, SETTLES_MAX = 100 };

struct idle {
    const struct bench_args *args;
    pthread_barrier_t built; /* of all workers and the feeding thread */
    weir_feed **feeds;       /* one for each worker; used by the feeding thread */
    _Atomic uint64_t seen;   /* rows; added to by the workers, read by the feeding thread */
    double percent;          /* set by the feeding thread, read after it has ended */
};

WEIR_ROUTE(by_value, bench_number) { return in->value; }

static void see_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct idle *idle = weir_op_arg(op);
    atomic_fetch_add_explicit(&idle->seen, batch->count, memory_order_relaxed);
}

static const weir_operator seeing = {.name = "see", .stateless = true, .batch = see_batch};

static void work(weir_worker *worker, void *arg)
{
    struct idle *idle = ((struct bench_run *)arg)->own;
    weir_dataflow *flow = weir_dataflow_begin(worker, "idle");
    weir_stream rows = weir_feed_new(flow, &bench_number_type,
                                     &idle->feeds[bench_local(idle->args, worker)]);
    weir_sink(rows, WEIR_ROUTED(&by_value, NULL), &seeing, idle);
    bench_built(worker, flow);
    pthread_barrier_wait(&idle->built);
    weir_run(worker);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static uint64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Until all rows have come. How many those of a cluster's other processes send here is not known:
 * until no more come. */
static void wait_for_rows(struct idle *idle)
{
    uint64_t before, now = 0;
    unsigned settles = 0;
    do {
        before = now;
        sleep_ms(SETTLE_MS);
        now = atomic_load_explicit(&idle->seen, memory_order_relaxed);
    } while (settles++ < SETTLES_MAX && (now == 0 || now != before));
}

static void *feed_and_measure(void *arg)
{
    struct idle *idle = arg;
    unsigned workers = idle->args->workers;
    pthread_barrier_wait(&idle->built);
    for (unsigned worker = 0; worker < workers; worker++) {
        for (uint64_t i = 0; i < ROWS; i++)
            bench_number_push(weir_feed_out(idle->feeds[worker]), (bench_number){i});
        weir_feed_flush(idle->feeds[worker]);
    }
    wait_for_rows(idle);
    uint64_t begin = bench_now_ns(), begin_cpu = cpu_ns();
    sleep_ms(idle->args->seconds * 1000);
    uint64_t used = cpu_ns() - begin_cpu;
    idle->percent = (double)used / (double)(bench_now_ns() - begin) * 100;
    for (unsigned worker = 0; worker < workers; worker++)
        weir_feed_close(&idle->feeds[worker]);
    return NULL;
}

void bench_idle(const struct bench_args *args, struct bench_result *result_out)
{
    struct idle idle = {.args = args, .feeds = WI_NEWS(weir_feed *, args->workers)};
    pthread_t feeder;
    pthread_barrier_init(&idle.built, NULL, args->workers + 1);
    if (pthread_create(&feeder, NULL, feed_and_measure, &idle)) {
        fprintf(stderr, "weir bench-run: no thread can be started\n");
        exit(1);
    }
    struct bench_run *run = bench_run_workers(args, work, &idle);
    pthread_join(feeder, NULL);
    result_out->value = idle.percent;
    result_out->check = idle.seen;
    bench_run_free(run);
    pthread_barrier_destroy(&idle.built);
    wi_free(idle.feeds);
}
