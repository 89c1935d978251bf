/* Memory of programs that never end: what is in use after ten times as many epochs is what
 * was in use before.
 *
 * Bytes in use are asked of the allocator (without what its thread caches hold) when every
 * worker waits; resident memory is looked at as well, but it says less: freed pages stay for
 * some time (base/alloc.c), so its bound is what a program has in use at its worst.
 * Sanitizers count bytes in use too, but keep freed memory: there, only bytes are compared. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/execution.h"
#include "tests/support/memory.h"

#define TALLY(F) F(u64, value) F(i64, count)
WEIR_ROW(tally, TALLY)

/* Between the epochs N and 10 N. A leak of 24 bytes an epoch is beyond the first. */
#define BYTES_MORE_MAX (128 * 1024)
/* Two rings of 1 MB, two queues of 2 MB, and some; the first tenth may not have filled them. */
#define FLOOD_MORE_MAX (8 * 1024 * 1024)
#define RESIDENT_MORE_MAX (8 * 1024 * 1024)

/* ---- how much is in use ----------------------------------------------------------------- */

typedef struct usage {
    int64_t in_use, resident; /* bytes */
} usage;

static usage usage_now(void)
{
    return (usage){test_bytes_in_use(), test_resident_bytes()};
}

/* ---- shapes ----------------------------------------------------------------------------- */

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

/* Each epoch is counted by key, on the worker that the key says. */
static weir_stream counted(weir_stream rows)
{
    return weir_count(rows, WEIR_BY(num, value), &tally_type);
}

/* An operator that keeps the right to speak at the last epochs: each row is taken back, at
 * its own time, when the epoch HELD later begins. */
#define HELD 8

typedef struct holder {
    weir_capability *held[HELD]; /* by epoch modulo HELD */
} holder;

static void hold(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    holder *self = weir_op_state(op);
    weir_capability **slot = &self->held[batch->time.at[0] % HELD];
    if (*slot && weir_time_eq(weir_capability_time(*slot), &batch->time))
        return;
    weir_capability *fresh = weir_retain(op, 0, &batch->time);
    num_push(weir_send_at(op, 0, &batch->time), (num){batch->time.at[0]});
    if (*slot) {
        weir_out *out = weir_send_at(op, 0, weir_capability_time(*slot));
        weir_out_diff(out, -1);
        num_push(out, (num){weir_capability_time(*slot)->at[0]});
        weir_capability_drop(*slot);
    }
    *slot = fresh;
}

/* Nothing comes any more: what is kept would keep the dataflow. */
static void let_go(weir_op *op)
{
    holder *self = weir_op_state(op);
    for (int i = 0; !weir_op_frontier(op, 0)->count && i < HELD; i++) {
        weir_capability_drop(self->held[i]);
        self->held[i] = NULL;
    }
}

static const weir_operator holding = {
    .name = "holding", .state_bytes = sizeof(holder), .batch = hold, .frontier = let_go};

/* Rows and what takes them back: counts of zero, which give no rows. */
static weir_stream held(weir_stream rows)
{
    weir_route route = WEIR_ROUTED(&by_value, NULL);
    return counted(weir_unary(rows, route, &holding, &num_type, NULL));
}

WEIR_FILTER_MAP(halve, num, num)
{
    out->value = in->value / 2;
    return in->value != 0;
}

static weir_stream looped(weir_stream rows)
{
    weir_loop *loop = weir_loop_begin(rows.scope, "halving");
    weir_stream values = weir_variable(loop, weir_enter(loop, rows));
    weir_stream halves = weir_filter_map(weir_exchange_by(values, &by_value, NULL), &halve);
    weir_variable_set(values, halves);
    return counted(weir_leave(loop, halves));
}

/* The program is hundreds of batches ahead of the only worker that takes them. */
static void take_slowly(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (volatile int i = 0; i < 2000; i++) {
    }
    weir_forward(op, 0, batch);
}

static const weir_operator slow = {.name = "slow", .batch = take_slowly};

static weir_stream ahead(weir_stream rows)
{
    return weir_unary(rows, WEIR_GATHER(0), &slow, &num_type, NULL);
}

typedef struct shape {
    const char *name;
    weir_stream (*build)(weir_stream rows);
    uint64_t open;   /* epochs that are open at once, at the probe */
    uint64_t rows;   /* of each epoch and worker */
    bool one_pushes; /* the last worker */
    uint64_t epochs; /* until memory is looked at first */
} shape;

static const shape shapes[] = {{"counted", counted, 0, 100, false, 3000},
                               {"held", held, HELD, 100, false, 3000},
                               {"looped", looped, 0, 8, false, 600},
                               {"ahead", ahead, 500, 1, true, 3000}};
#define SHAPES (int)(sizeof shapes / sizeof *shapes)

/* ---- epoch by epoch --------------------------------------------------------------------- */

typedef struct run {
    const shape *shape;
    uint64_t epochs;
    _Atomic(uint32_t) met;
    usage first, last;
} run;

/* Waits until all workers have nothing to do, and notes what is in use. */
static void measure(weir_worker *worker, run *of, usage *out)
{
    test_meet(worker, &of->met);
    double end = test_seconds() + 0.05; /* published frontiers are freed a little later (RCU) */
    while (test_seconds() < end)
        weir_step_or_park(worker, 1000000);
    test_flush_cache();
    test_meet(worker, &of->met);
    if (weir_worker_index(worker) == 0)
        *out = usage_now();
    test_meet(worker, &of->met);
}

typedef struct ends {
    weir_input *input;
    weir_probe *probe;
} ends;

static void push_until(weir_worker *worker, const shape *of, const ends *at, uint64_t end)
{
    bool pushes = !of->one_pushes || weir_worker_index(worker) == weir_worker_count(worker) - 1;
    uint64_t epoch = pushes ? weir_input_time(at->input)->at[0] : end;
    for (; epoch < end && !weir_stopping(worker); epoch++) {
        for (uint64_t i = 0; i < of->rows; i++)
            num_push(weir_input_out(at->input), (num){epoch + i});
        weir_input_advance(at->input, epoch + 1);
        if (epoch >= of->open)
            weir_step_while_below(worker, at->probe, epoch + 1 - of->open);
    }
    weir_input_advance(at->input, end);
    weir_step_while_below(worker, at->probe, end < of->open ? 0 : end - of->open);
}

static void run_epochs(weir_worker *worker, void *arg)
{
    run *of = arg;
    ends at;
    weir_dataflow *flow = weir_dataflow_begin(worker, of->shape->name);
    at.probe = weir_probe_new(of->shape->build(weir_input_new(flow, &num_type, &at.input)));
    if (!test_end(flow))
        return;
    push_until(worker, of->shape, &at, of->epochs);
    measure(worker, of, &of->first);
    push_until(worker, of->shape, &at, 10 * of->epochs);
    measure(worker, of, &of->last);
}

static void check_growth(const char *name, uint32_t workers, const usage *first, const usage *last,
                         int64_t bytes_max)
{
    int64_t more = last->in_use - first->in_use, resident = last->resident - first->resident;
    printf("%s, %u workers: %lld bytes in use, then %+lld; resident %lld, then %+lld\n", name,
           workers, (long long)first->in_use, (long long)more, (long long)first->resident,
           (long long)resident);
    fflush(stdout);
    ck_assert_int_gt(first->in_use, 0);
    ck_assert_int_le(more, bytes_max);
    if (!test_sanitized())
        ck_assert_int_le(resident, RESIDENT_MORE_MAX);
}

START_TEST(ten_times_as_many_epochs_need_no_more)
{
    for (uint32_t workers = 1; workers <= 2; workers++) {
        run of = {.shape = &shapes[_i], .epochs = shapes[_i].epochs};
        int64_t more_max = BYTES_MORE_MAX;
        if (test_sanitized()) { /* fewer epochs, in which less has come to rest */
            of.epochs /= 4;
            more_max *= 4;
        }
        test_run(&(weir_config){.workers = workers}, run_epochs, &of);
        check_growth(of.shape->name, workers, &of.first, &of.last, more_max);
    }
}
END_TEST

/* ---- a source that is faster than its consumer ------------------------------------------- */

#define BATCH_ROWS 4096

typedef struct flood {
    uint64_t batches;        /* of each worker, until memory is looked at first */
    _Atomic(uint64_t) taken; /* rows */
    struct {
        _Atomic(int64_t) in_use, resident;
    } most[2]; /* in the first tenth; later */
} flood;

static void note_most(_Atomic(int64_t) *most, int64_t value)
{
    int64_t before = atomic_load(most);
    while (before < value && !atomic_compare_exchange_weak(most, &before, value)) {
    }
}

static weir_more pour(weir_source *source, void *state, void *arg)
{
    flood *of = arg;
    uint64_t *poured = state;
    for (uint64_t i = 0; i < BATCH_ROWS; i++)
        num_push(weir_source_out(source), (num){*poured + i});
    weir_source_advance(source, ++*poured);
    return *poured < 10 * of->batches ? WEIR_MORE : WEIR_DONE;
}

/* Takes much longer for a row than making it. */
WEIR_EACH(ponder, num)
{
    flood *of = arg;
    for (volatile int i = 0; i < 50; i++) {
    }
    (void)in;
    uint64_t taken = atomic_fetch_add(&of->taken, 1);
    if (taken % 1024)
        return;
    usage now = usage_now();
    bool late = taken / BATCH_ROWS >= of->batches;
    note_most(&of->most[late].in_use, now.in_use);
    note_most(&of->most[late].resident, now.resident);
}

static void run_flood(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "flood");
    weir_stream rows = weir_generate(flow, &num_type, pour, sizeof(uint64_t), arg);
    weir_each(weir_exchange_by(rows, &by_value, NULL), &ponder, arg);
    test_end(flow);
}

/* What was made and not taken yet is a few megabytes, however much is to come. */
START_TEST(a_source_waits_for_its_consumer)
{
    for (uint32_t workers = 1; workers <= 2; workers++) {
        flood of = {.batches = test_sanitized() ? 20 : 150, .most = {{0}, {0}}};
        test_run(&(weir_config){.workers = workers}, run_flood, &of);
        ck_assert_uint_eq(of.taken, 10 * of.batches * BATCH_ROWS * workers);
        usage first = {of.most[0].in_use, of.most[0].resident};
        usage last = {of.most[1].in_use, of.most[1].resident};
        check_growth("flood", workers, &first, &last, FLOOD_MORE_MAX);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("memory");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, ten_times_as_many_epochs_need_no_more, 0, SHAPES);
    tcase_add_test(cases, a_source_waits_for_its_consumer);
    return test_main("memory", cases);
}
