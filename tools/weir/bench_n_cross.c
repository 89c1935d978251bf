/* Rows of 16 bytes from process to process. An operator on each worker that makes rows makes
 * --epochs times --batch of them, a time for each batch; whoever receives a row adds it to a sum.
 *
 *   cross       process 0 makes all rows, process 1 receives them
 *   cross_both  all make rows; every second one stays, or half of them cross
 *
 * The figure is what crosses, in GB/s of rows: no headers, and of cross_both not what stays.
 * Nothing is slowed down but by weir's own flow control; the clock stops when all is complete
 * on both sides. tests/peers/src/cross.rs does the same, with a limit of epochs outstanding. */
#include "bench_worker.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOMS_A_CALL = 4 };

#define CROSSING(F) F(u64, key) F(u64, value)
WEIR_ROW(crossing, CROSSING)
_Static_assert(sizeof(crossing) == 16, "what the figure says");

/* Row n of `maker` goes to worker first + (n modulo spread), spread a power of two: that is its
 * key modulo all workers. */
struct layout {
    uint32_t makers, workers; /* the first so many make; all */
    uint32_t first, spread;
};

struct cross {
    struct layout layout;
    uint64_t batch, epochs;
};

struct making {
    weir_capability *capability;
    uint64_t epoch, made; /* of this epoch */
};

WEIR_ROUTE(by_key, crossing) { return in->key; }

static uint64_t key_of(const struct layout *layout, uint32_t maker, uint64_t n)
{
    return (n * layout->workers + maker) * layout->workers + layout->first +
           (n & (layout->spread - 1));
}

static uint64_t value_of(uint64_t key)
{
    return key + BENCH_GOLDEN;
}

/* ---- making ----------------------------------------------------------------------------- */

static void make(crossing *rows, uint32_t count, const struct layout *layout, uint32_t maker,
                 uint64_t n)
{
    uint64_t step = (uint64_t)layout->workers * layout->workers, mask = layout->spread - 1;
    uint64_t rest = key_of(layout, maker, n) - (n & mask);
    for (uint32_t i = 0; i < count; i++, rest += step) {
        uint64_t key = rest + ((n + i) & mask);
        rows[i] = (crossing){key, value_of(key)};
    }
}

static void start_making(weir_op *op)
{
    const struct bench_run *run = weir_op_arg(op);
    const struct cross *cross = run->own;
    struct making *making = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) >= cross->layout.makers || !cross->epochs)
        return;
    making->capability = weir_op_first_capability(op, 0);
    weir_activate(op);
}

/* The rows of this epoch are made: on to the next. */
static void end_epoch(struct making *making, const struct cross *cross)
{
    making->made = 0;
    if (++making->epoch == cross->epochs) {
        weir_capability_drop(making->capability);
        making->capability = NULL;
    } else {
        weir_capability_downgrade(making->capability, &WEIR_EPOCH(making->epoch));
    }
}

static void make_some(weir_op *op)
{
    const struct bench_run *run = weir_op_arg(op);
    const struct cross *cross = run->own;
    struct making *making = weir_op_state(op);
    uint32_t maker = weir_worker_index(weir_op_worker(op));
    weir_out *out = weir_send_at(op, 0, weir_capability_time(making->capability));
    for (int i = 0; i < ROOMS_A_CALL && making->made < cross->batch; i++) {
        uint32_t room;
        uint64_t left = cross->batch - making->made;
        void *to = weir_out_room(out, left < UINT32_MAX ? (uint32_t)left : UINT32_MAX, &room);
        make(to, room, &cross->layout, maker, making->epoch * cross->batch + making->made);
        weir_out_commit(out, room);
        making->made += room;
    }
    if (making->made == cross->batch)
        end_epoch(making, cross);
    if (making->capability)
        weir_activate(op);
}

static const weir_operator maker = {.name = "make",
                                    .source = true,
                                    .state_bytes = sizeof(struct making),
                                    .start = start_making,
                                    .run = make_some};

/* ---- summing ---------------------------------------------------------------------------- */

static uint64_t sum_of(const crossing *rows, uint32_t count)
{
    uint64_t sums[4] = {0}, sum = 0;
    uint32_t at = 0;
    for (; count - at >= 4; at += 4)
        for (uint32_t i = 0; i < 4; i++)
            sums[i] += rows[at + i].key + 2 * rows[at + i].value;
    for (; at < count; at++)
        sum += rows[at].key + 2 * rows[at].value;
    for (uint32_t i = 0; i < 4; i++)
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

/* What this process must have found: all rows are made once more, without a graph. */
static void check_sums(const struct bench_run *run)
{
    const struct cross *cross = run->own;
    const struct layout *layout = &cross->layout;
    uint32_t first = run->args->process * run->args->workers;
    uint64_t sum = 0, rows = 0, found = 0;
    for (uint32_t worker = 0; worker < layout->makers; worker++)
        for (uint64_t n = 0; n < cross->epochs * cross->batch; n++) {
            uint64_t key = key_of(layout, worker, n);
            uint64_t is_here = layout->first + (n & (layout->spread - 1)) - first;
            uint64_t mask = is_here < run->args->workers ? UINT64_MAX : 0;
            sum += (key + 2 * value_of(key)) & mask;
            rows += mask & 1;
        }
    for (unsigned i = 0; i < run->args->workers; i++)
        found += run->parts[i].sum;
    if (found == sum && bench_run_rows(run) == rows)
        return;
    fprintf(stderr, "weir bench-run: process %u has received %llu rows with sum %llu, not %llu "
                    "with sum %llu\n", run->args->process,
            (unsigned long long)bench_run_rows(run), (unsigned long long)found,
            (unsigned long long)rows, (unsigned long long)sum);
    exit(1);
}

/* ---- running ---------------------------------------------------------------------------- */

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_dataflow *flow = weir_dataflow_begin(worker, "cross");
    weir_builder *builder = weir_operator_begin(flow, &maker, run);
    weir_stream rows = weir_builder_output(builder, &crossing_type);
    weir_operator_end(builder);
    weir_sink(rows, WEIR_ROUTED(&by_key, NULL), &summing, run);
    bench_built(worker, flow);
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

static uint32_t power_of_two_within(uint32_t most)
{
    return UINT32_C(1) << (31 - __builtin_clz(most));
}

static void measure(const struct bench_args *args, bool both, struct bench_result *result_out)
{
    uint32_t all = args->workers * args->processes;
    struct cross cross = {.batch = args->batch, .epochs = args->epochs};
    cross.layout = (struct layout){.makers = both ? all : args->workers,
                                   .workers = all,
                                   .first = both ? 0 : args->workers,
                                   .spread = power_of_two_within(both ? all : args->workers)};
    struct bench_run *run = bench_run_workers(args, work, &cross);
    check_sums(run);
    double rows = (double)args->batch * (double)args->epochs * cross.layout.makers;
    double crossed = both ? rows / 2 : rows;
    result_out->value = crossed * sizeof(crossing) / bench_run_seconds(run) / 1e9;
    result_out->check = bench_run_check(run);
    bench_run_free(run);
}

void bench_cross(const struct bench_args *args, struct bench_result *result_out)
{
    measure(args, false, result_out);
}

void bench_cross_both(const struct bench_args *args, struct bench_result *result_out)
{
    measure(args, true, result_out);
}
