/* Two cycles that do nothing but go round, driven by the worker itself, which parks when it
 * has been idle for a while.
 *
 * barrier: an operator asks to be notified of time t + 1 when it is notified of t, so a round
 * takes all workers. ping_pong: one number goes round, one larger each time and exchanged by
 * its value, so with two workers each round crosses from one to the other. */
#include "bench_worker.h"

/* ---- barrier ---------------------------------------------------------------------------- */

static void ask_first(weir_op *op)
{
    weir_notify_at(op, &WEIR_EPOCH(0));
}

static void ask_next(weir_op *op, const weir_time *time, void *state)
{
    (void)state;
    struct bench_run *run = weir_op_arg(op);
    bench_part_of(run, weir_op_worker(op))->rows++;
    if (time->at[0] + 1 < run->args->rounds)
        weir_notify_at(op, &WEIR_EPOCH(time->at[0] + 1));
}

static const weir_operator waiting = {
    .name = "barrier", .source = true, .start = ask_first, .notify = ask_next};

static void build_barrier(weir_dataflow *flow, struct bench_run *run)
{
    weir_stream cycle = weir_feedback(flow, &bench_number_type, weir_summary_add(1, 0, 1));
    weir_feedback_set(cycle, weir_unary(cycle, WEIR_LOCAL, &waiting, &bench_number_type, run));
}

/* ---- ping_pong -------------------------------------------------------------------------- */

WEIR_ROUTE(by_value, bench_number) { return in->value; }

static void return_rows(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct bench_run *run = weir_op_arg(op);
    bench_part_of(run, weir_op_worker(op))->rows += batch->count;
    if (batch->time.at[0] + 1 >= run->args->rounds)
        return;
    weir_out *out = weir_send_at(op, 0, &batch->time);
    for (uint32_t i = 0; i < batch->count; i++)
        bench_number_push(out, (bench_number){bench_number_at(batch, i)->value + 1});
}

static const weir_operator returning = {.name = "return", .batch = return_rows};

static void build_ping_pong(weir_dataflow *flow, struct bench_run *run)
{
    weir_stream first = weir_from_rows(flow, &bench_number_type, &(bench_number){0}, 1);
    weir_stream cycle = weir_feedback(flow, &bench_number_type, weir_summary_add(1, 0, 1));
    weir_stream back = weir_unary(weir_concat(first, cycle), WEIR_ROUTED(&by_value, NULL),
                                  &returning, &bench_number_type, run);
    weir_feedback_set(cycle, back);
}

/* ---- both ------------------------------------------------------------------------------- */

/* Builds on every worker and runs until the cycle has ended. */
static void work(weir_worker *worker, struct bench_run *run,
                 void (*build)(weir_dataflow *flow, struct bench_run *run))
{
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_dataflow *flow = weir_dataflow_begin(worker, run->args->figure);
    build(flow, run);
    bench_built(worker, flow);
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

static void work_barrier(weir_worker *worker, void *arg)
{
    work(worker, arg, build_barrier);
}

static void work_ping_pong(weir_worker *worker, void *arg)
{
    work(worker, arg, build_ping_pong);
}

/* The time of a round. The check is how often a worker saw one, over all workers. */
static void measure(const struct bench_args *args, weir_worker_fn *its_work,
                    struct bench_result *result_out)
{
    struct bench_run *run = bench_run_workers(args, its_work, NULL);
    result_out->value = bench_run_seconds(run) * 1e9 / (double)args->rounds;
    result_out->check = bench_run_rows(run);
    bench_run_free(run);
}

void bench_barrier(const struct bench_args *args, struct bench_result *result_out)
{
    measure(args, work_barrier, result_out);
}

void bench_ping_pong(const struct bench_args *args, struct bench_result *result_out)
{
    measure(args, work_ping_pong, result_out);
}
