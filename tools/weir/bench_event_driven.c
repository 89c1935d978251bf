/* Many small dataflows of which one is busy at a time: round r advances the input of dataflow
 * r mod N, after sending one record unless told not to, and steps until that dataflow's probe
 * has seen it. Every worker does the same; a figure of rounds counts each round once. */
#include "bench_worker.h"

#include "base/alloc.h"

WEIR_MAP(add_one, bench_number, bench_number) { out->value = in->value + 1; }

static void tally_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct bench_part *part = bench_part_of(weir_op_arg(op), weir_op_worker(op));
    weir_out *out = weir_send_at(op, 0, &batch->time);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t value = bench_number_at(batch, i)->value;
        part->sum += value;
        bench_number_push(out, (bench_number){value + 1});
    }
    part->rows += batch->count;
}

/* The last map of a chain, which also counts and sums what reaches it. */
static const weir_operator tallying = {.name = "tally", .stateless = true, .batch = tally_batch};

static weir_probe *build(weir_worker *worker, struct bench_run *run, weir_input **input_out)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "event_driven");
    weir_stream stream = weir_input_new(flow, &bench_number_type, input_out);
    for (uint64_t i = 1; i < run->args->operators; i++)
        stream = weir_map(stream, &add_one);
    stream = weir_unary(stream, WEIR_LOCAL, &tallying, &bench_number_type, run);
    weir_probe *probe = weir_probe_new(stream);
    bench_built(worker, flow);
    return probe;
}

static void work(weir_worker *worker, struct bench_run *run, bool record)
{
    uint64_t rounds = run->args->rounds, dataflows = run->args->dataflows;
    weir_input **inputs = WI_NEWS(weir_input *, dataflows);
    weir_probe **probes = WI_NEWS(weir_probe *, dataflows);
    for (uint64_t i = 0; i < dataflows; i++)
        probes[i] = build(worker, run, &inputs[i]);

    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t at = round % dataflows;
        if (record)
            bench_number_push(weir_input_out(inputs[at]), (bench_number){round});
        weir_input_advance(inputs[at], round + 1);
        weir_step_while_below(worker, probes[at], round + 1);
    }
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
    wi_free(inputs);
    wi_free(probes);
}

static void work_records(weir_worker *worker, void *arg)
{
    work(worker, arg, true);
}

static void work_empty(weir_worker *worker, void *arg)
{
    work(worker, arg, false);
}

static void measure(const struct bench_args *args, weir_worker_fn *its_work,
                    struct bench_result *result_out)
{
    struct bench_run *run = bench_run_workers(args, its_work, NULL);
    result_out->value = (double)args->rounds / bench_run_seconds(run);
    result_out->check = bench_run_check(run);
    bench_run_free(run);
}

void bench_event_driven(const struct bench_args *args, struct bench_result *result_out)
{
    measure(args, work_records, result_out);
}

void bench_event_driven_empty(const struct bench_args *args, struct bench_result *result_out)
{
    measure(args, work_empty, result_out);
}
