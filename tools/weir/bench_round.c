/* Latency of a round without data: advance the input by one epoch, step until the probe
 * behind some map operators has seen it. Every worker does the same; the first of a process
 * reports. One clock read a round, so a round is all the time from one completion to the next. */
#include "bench_worker.h"

WEIR_MAP(add_one, bench_number, bench_number) { out->value = in->value + 1; }

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    const struct bench_args *args = run->args;
    bool reports = bench_local(args, worker) == 0;

    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "round");
    weir_stream stream = weir_input_new(flow, &bench_number_type, &input);
    for (uint64_t i = 0; i < args->operators; i++)
        stream = weir_map(stream, &add_one);
    weir_probe *probe = weir_probe_new(stream);
    bench_built(worker, flow);

    pthread_barrier_wait(&run->start);
    uint64_t last = bench_now_ns();
    for (uint64_t round = 0; round < BENCH_WARM_UP_ROUNDS + args->rounds; round++) {
        weir_input_advance(input, round + 1);
        weir_step_while_below(worker, probe, round + 1);
        uint64_t now = bench_now_ns();
        if (reports && round >= BENCH_WARM_UP_ROUNDS)
            run->samples_ns[round - BENCH_WARM_UP_ROUNDS] =
                now - last < UINT32_MAX ? (uint32_t)(now - last) : UINT32_MAX;
        last = now;
    }
    bench_part_of(run, worker)->rows = args->rounds;
}

void bench_round(const struct bench_args *args, struct bench_result *result_out)
{
    struct bench_run *run = bench_run_workers(args, work, NULL);
    bench_latencies(run->samples_ns, args->rounds, result_out);
    result_out->check = bench_run_rows(run);
    bench_run_free(run);
}
