/* weir_op_pause: an input that is paused gives nothing, loses nothing, and holds back those who
 * send. */
#include <weir/weir.h>

#include "runtime/runtime.h"
#include "tests/support/execution.h"

/* 1 KB, so that there are bytes to bound. */
#define BRICK(F) F(u64, number) F(weir_byte, rest, 1016)
WEIR_ROW(brick, BRICK)

#define BRICKS 20000

typedef struct wall {
    _Atomic(uint64_t) made, laid, wrong;
    _Atomic(bool) released;
} wall;

static weir_more make_bricks(weir_source *source, void *state, void *arg)
{
    wall *of = arg;
    uint64_t *made = state;
    for (int i = 0; i < 64 && *made < BRICKS; i++, of->made++)
        brick_push(weir_source_out(source), (brick){.number = (*made)++});
    return *made < BRICKS ? WEIR_MORE : WEIR_DONE;
}

/* Pauses after each batch, until `released`; run, by a timer, ends it. */
static void lay(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    wall *of = weir_op_arg(op);
    bool *paused = weir_op_state(op);
    of->wrong += *paused;
    of->laid += batch->count;
    if (of->released)
        return;
    *paused = true;
    weir_op_pause(op, 0, true);
    weir_activate_after(op, 1000000);
}

static void go_on(weir_op *op)
{
    wall *of = weir_op_arg(op);
    bool *paused = weir_op_state(op);
    uint64_t under_way = of->made - of->laid;
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    uint64_t most = (wi_test_bounds.queue_bytes + wi_test_bounds.credit_bytes) / 1024 + 400;
    of->wrong += under_way > workers * workers * most;
    of->released = of->released || of->laid > 2000;
    *paused = false;
    weir_op_pause(op, 0, false);
}

static const weir_operator lays = {
    .name = "lay", .state_bytes = sizeof(bool), .batch = lay, .run = go_on};

static void build_wall(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "wall");
    weir_stream bricks = weir_generate(flow, &brick_type, make_bricks, sizeof(uint64_t), arg);
    weir_sink(bricks, WEIR_GATHER(0), &lays, arg);
    test_end(flow);
}

START_TEST(nothing_comes_while_it_is_paused_and_nothing_is_lost)
{
    wall of = {0};
    wi_test_bounds = (wi_bounds){.credit_bytes = 64 << 10, .queue_bytes = 64 << 10};
    test_run(&test_ways[_i], build_wall, &of);
    wi_test_bounds = (wi_bounds){0};
    ck_assert_uint_eq(of.laid, of.made);
    ck_assert_uint_eq(of.made, (uint64_t)BRICKS * test_workers(_i));
    ck_assert_uint_eq(of.wrong, 0);
}
END_TEST

static void pause_itself(weir_op *op, WEIR_UNUSED uint32_t input,
                         WEIR_UNUSED const weir_batch *batch)
{
    weir_op_pause(op, 0, true);
}

static const weir_operator careless = {.name = "careless", .stateless = true,
                                       .batch = pause_itself};

static void build_careless(weir_worker *worker, WEIR_UNUSED void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "careless");
    weir_stream one = weir_from_rows(flow, &num_type, &(num){1}, 1);
    weir_sink(one, WEIR_LOCAL, &careless, NULL);
    test_end(flow);
}

START_TEST(a_stateless_operator_cannot_pause)
{
    test_stops(&test_ways[0], build_careless, NULL, "operator 1 `careless`", "is stateless", NULL);
}
END_TEST

/* For ever; a stop ends it. */
static void pause_for_good(weir_op *op, WEIR_UNUSED uint32_t input,
                           WEIR_UNUSED const weir_batch *batch)
{
    weir_op_pause(op, 0, true);
}

static const weir_operator sleeper = {.name = "sleeper", .batch = pause_for_good};

static void build_sleeper(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "sleeper");
    weir_stream bricks = weir_generate(flow, &brick_type, make_bricks, sizeof(uint64_t), arg);
    weir_sink(bricks, WEIR_LOCAL, &sleeper, NULL);
    if (!test_end(flow))
        return;
    for (int i = 0; i < 2000; i++)
        weir_step(worker);
    weir_stop(worker, "enough of it");
}

START_TEST(a_run_is_stopped_though_an_operator_is_paused)
{
    wall of = {0};
    test_stops(&test_ways[_i], build_sleeper, &of, "enough of it", NULL);
    ck_assert_uint_lt(of.made, (uint64_t)BRICKS * test_workers(_i));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, nothing_comes_while_it_is_paused_and_nothing_is_lost, 0, TEST_WAYS);
    tcase_add_test(cases, a_stateless_operator_cannot_pause);
    tcase_add_loop_test(cases, a_run_is_stopped_though_an_operator_is_paused, 0, TEST_WAYS);
    return test_main("pause", cases);
}
