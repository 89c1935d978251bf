/* Rows a second through an exchange by value. Per epoch each worker sends one batch, copied
 * from one of a few buffers made before the clock starts; after it has sent epoch e it steps
 * until epoch e - outstanding is complete. Whoever receives a row adds it to a sum. */
#include "bench_worker.h"

#include "base/alloc.h"

#include <string.h>

WEIR_ROUTE(by_value, bench_number) { return in->value; }

/* In eight sums, so that an addition need not wait for the one before it: compilers for Rust
 * do so by themselves. */
static uint64_t sum_of(const bench_number *rows, uint32_t count)
{
    uint64_t sums[8] = {0}, sum = 0;
    uint32_t at = 0;
    for (; count - at >= 8; at += 8)
        for (uint32_t i = 0; i < 8; i++)
            sums[i] += rows[at + i].value;
    for (; at < count; at++)
        sum += rows[at].value;
    for (uint32_t i = 0; i < 8; i++)
        sum += sums[i];
    return sum;
}

static void add_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct bench_part *part = bench_part_of(weir_op_arg(op), weir_op_worker(op));
    part->sum += sum_of(batch->rows, batch->count);
    part->rows += batch->count;
}

static const weir_operator summing = {.name = "sum", .stateless = true, .batch = add_batch};

static void push_rows(weir_input *input, const uint64_t *rows, uint64_t count)
{
    weir_out *out = weir_input_out(input);
    while (count) {
        uint32_t room, wanted = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
        void *to = weir_out_room(out, wanted, &room);
        memcpy(to, rows, room * sizeof *rows);
        weir_out_commit(out, room);
        rows += room;
        count -= room;
    }
}

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    const struct bench_args *args = run->args;
    uint64_t *buffers = WI_NEWS(uint64_t, BENCH_BUFFERS * args->batch);
    for (unsigned i = 0; i < BENCH_BUFFERS; i++)
        bench_exchange_buffer(weir_worker_index(worker), i, args->batch, buffers + i * args->batch);

    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "exchange");
    weir_stream rows = weir_input_new(flow, &bench_number_type, &input);
    weir_stream none = weir_unary(rows, WEIR_ROUTED(&by_value, NULL), &summing,
                                  &bench_number_type, run);
    weir_probe *probe = weir_probe_new(none);
    bench_built(worker, flow);

    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    for (uint64_t epoch = 0; epoch < args->epochs; epoch++) {
        push_rows(input, buffers + epoch % BENCH_BUFFERS * args->batch, args->batch);
        weir_input_advance(input, epoch + 1);
        if (epoch + 1 > args->outstanding)
            weir_step_while_below(worker, probe, epoch + 1 - args->outstanding);
    }
    weir_input_close(&input);
    while (!weir_probe_done(probe) && weir_step(worker))
        ;
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
    wi_free(buffers);
}

void bench_exchange(const struct bench_args *args, struct bench_result *result_out)
{
    struct bench_run *run = bench_run_workers(args, work, NULL);
    double rows = (double)args->batch * (double)args->epochs * args->workers;
    result_out->value = rows / bench_run_seconds(run);
    result_out->check = bench_run_check(run);
    bench_run_free(run);
}
