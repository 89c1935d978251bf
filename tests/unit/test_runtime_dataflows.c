/* Several dataflows: side by side, built while others run, early and late, dropped. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

/* ---- operators that say when they are started and stopped ------------------------------- */

typedef struct life {
    bool started;
    uint64_t rows;
} life;

typedef struct lives {
    _Atomic(uint32_t) started, stopped, early;
    _Atomic(uint64_t) rows;
} lives;

static void life_start(weir_op *op)
{
    life *self = weir_op_state(op);
    lives *all = weir_op_arg(op);
    self->started = true;
    atomic_fetch_add(&all->started, 1);
}

static void life_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    life *self = weir_op_state(op);
    lives *all = weir_op_arg(op);
    if (!self->started)
        atomic_fetch_add(&all->early, 1);
    atomic_fetch_add(&all->rows, batch->count);
}

static void life_stop(weir_op *op)
{
    lives *all = weir_op_arg(op);
    atomic_fetch_add(&all->stopped, 1);
}

static void life_stop_and_look(weir_op *op)
{
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    if (frontier->count > 1)
        abort();
    life_stop(op);
}

static const weir_operator lived = {.name = "lived",
                                    .state_bytes = sizeof(life),
                                    .start = life_start,
                                    .batch = life_batch,
                                    .stop = life_stop_and_look};
static const weir_operator lived_stateless = {.name = "lived stateless",
                                              .stateless = true,
                                              .state_bytes = sizeof(life),
                                              .start = life_start,
                                              .batch = life_batch,
                                              .stop = life_stop};

typedef struct running {
    weir_dataflow *flow;
    weir_input *input;
    weir_probe *probe;
} running;

/* Rows go by their value to a worker's two operators, one of each kind. */
static running begin_lives(weir_worker *worker, const char *name, lives *all)
{
    running r = {.flow = weir_dataflow_begin(worker, name)};
    weir_stream rows = weir_input_new(r.flow, &num_type, &r.input);
    weir_sink(rows, WEIR_ROUTED(&by_value, NULL), &lived, all);
    weir_sink(rows, WEIR_ROUTED(&by_value, NULL), &lived_stateless, all);
    r.probe = weir_probe_new(rows);
    return r;
}

static running build_lives(weir_worker *worker, const char *name, lives *all)
{
    running r = begin_lives(worker, name, all);
    test_end(r.flow);
    return r;
}

static void push(running *r, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++)
        num_push(weir_input_out(r->input), (num){i});
}

static void expect_lives(const lives *all, uint64_t dataflows, uint64_t rows)
{
    ck_assert_uint_eq(all->early, 0);
    ck_assert_uint_eq(all->started, 2 * dataflows);
    ck_assert_uint_eq(all->stopped, 2 * dataflows);
    ck_assert_uint_eq(all->rows, 2 * rows);
}

/* ---- side by side ----------------------------------------------------------------------- */

static void three_at_once(weir_worker *worker, void *arg)
{
    running r[3];
    for (int i = 0; i < 3; i++)
        r[i] = build_lives(worker, "one of three", arg);
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        for (int i = 0; i < 3; i++) {
            push(&r[i], 5);
            weir_input_advance(r[i].input, (epoch + 1) * (uint64_t)(i + 1));
        }
        for (int i = 2; i >= 0; i--)
            weir_probe_wait(worker, r[i].probe, (epoch + 1) * (uint64_t)(i + 1));
    }
    weir_input_close(&r[1].input); /* the others are closed when this returns */
    while (!weir_dataflow_done(r[1].flow))
        weir_step_or_park(worker, UINT64_MAX);
    if (weir_dataflow_done(r[0].flow) || weir_dataflow_done(r[2].flow))
        weir_stop(worker, "a dataflow is complete whose input is open");
}

START_TEST(dataflows_advance_side_by_side)
{
    lives all = {0};
    test_run(&test_ways[_i], three_at_once, &all);
    expect_lives(&all, 3 * test_workers(_i), 300 * test_workers(_i));
}
END_TEST

static void one_after_the_other(weir_worker *worker, void *arg)
{
    running r[6];
    for (int i = 0; i < 6; i++) {
        r[i] = build_lives(worker, i % 2 ? "odd" : "even", arg);
        for (int j = 0; j <= i; j++) {
            push(&r[j], 10);
            weir_input_advance(r[j].input, (uint64_t)i + 1);
        }
        weir_probe_wait(worker, r[i / 2].probe, (uint64_t)i + 1);
    }
}

START_TEST(dataflows_are_built_while_others_run)
{
    lives all = {0};
    test_run(&test_ways[_i], one_after_the_other, &all);
    expect_lives(&all, 6 * test_workers(_i), 210 * test_workers(_i));
}
END_TEST

static void nothing_in_it(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "empty");
    if (test_end(flow) && !weir_dataflow_done(flow))
        weir_stop(worker, "a dataflow without operators is not complete");
    weir_run(worker);
}

START_TEST(a_dataflow_without_operators_is_complete)
{
    test_run(&test_ways[_i], nothing_in_it, NULL);
}
END_TEST

/* ---- early and late --------------------------------------------------------------------- */

/* Worker 0 fills the second dataflow while the others still step the first one. */
static void build_late(weir_worker *worker, void *arg)
{
    lives *all = arg;
    running first = build_lives(worker, "first", all);
    if (weir_worker_index(worker)) {
        uint64_t end = weir_now(worker) + 10000000;
        while (weir_now(worker) < end)
            weir_step_or_park(worker, 1000000);
    }
    running second = build_lives(worker, "second", all);
    if (weir_worker_index(worker) == 0)
        push(&second, 100000);
    weir_input_advance(second.input, 1);
    weir_probe_wait(worker, second.probe, 1);
    weir_input_close(&first.input);
}

START_TEST(rows_wait_for_a_dataflow_that_is_not_built_yet)
{
    lives all = {0};
    test_run(&test_ways[_i], build_late, &all);
    expect_lives(&all, 2 * test_workers(_i), 100000);
}
END_TEST

/* The same, and the others step between beginning and ending the second one. */
static void step_while_building(weir_worker *worker, void *arg)
{
    running first = build_lives(worker, "first", arg);
    running second = begin_lives(worker, "second", arg);
    if (weir_worker_index(worker)) {
        uint64_t end = weir_now(worker) + 10000000;
        while (weir_now(worker) < end)
            weir_step_or_park(worker, 1000000);
    }
    test_end(second.flow);
    if (weir_worker_index(worker) == 0)
        push(&second, 100000);
    weir_input_advance(second.input, 1);
    weir_probe_wait(worker, second.probe, 1);
    weir_input_close(&first.input);
}

START_TEST(rows_wait_for_a_dataflow_that_is_being_built)
{
    lives all = {0};
    test_run(&test_ways[_i], step_while_building, &all);
    expect_lives(&all, 2 * test_workers(_i), 100000);
}
END_TEST

static void build_two_at_once(weir_worker *worker, void *arg)
{
    running first = begin_lives(worker, "first", arg);
    running second = begin_lives(worker, "second", arg);
    test_end(second.flow);
    push(&second, 100);
    weir_step(worker);
    test_end(first.flow);
    push(&first, 100);
    weir_probe_wait(worker, second.probe, 0);
}

START_TEST(dataflows_may_be_built_by_turns)
{
    lives all = {0};
    test_run(&test_ways[_i], build_two_at_once, &all);
    expect_lives(&all, 2 * test_workers(_i), 200 * test_workers(_i));
}
END_TEST

/* ---- dropping --------------------------------------------------------------------------- */

/* Rows are in queues, rings and waiting batches when the dataflow goes; another stays. */
static void drop_at_work(weir_worker *worker, void *arg)
{
    static lives stays;
    lives *all = arg;
    running other = build_lives(worker, "stays", &stays);
    for (int i = 0; i < (test_sanitized() ? 10 : 40); i++) {
        running r = build_lives(worker, "goes", all);
        for (uint64_t epoch = 0; epoch < 4; epoch++) {
            push(&r, 3000);
            weir_input_advance(r.input, epoch + 1);
            for (uint64_t step = weir_random(worker) % 4; step; step--)
                weir_step(worker);
        }
        weir_dataflow_drop(r.flow);
        push(&other, 10);
        weir_input_advance(other.input, (uint64_t)i + 1);
        weir_probe_wait(worker, other.probe, (uint64_t)i + 1);
    }
}

START_TEST(dataflows_are_dropped_at_work)
{
    lives all = {0};
    test_run(&test_ways[_i], drop_at_work, &all);
    ck_assert_uint_eq(all.started, 2 * (test_sanitized() ? 10 : 40) * test_workers(_i));
    ck_assert_uint_eq(all.stopped, all.started);
    ck_assert_uint_eq(all.early, 0);
}
END_TEST

static void complete_and_drop(weir_worker *worker, void *arg)
{
    for (int i = 0; i < 50; i++) {
        running r = build_lives(worker, "short", arg);
        push(&r, 8);
        weir_input_close(&r.input);
        while (!weir_dataflow_done(r.flow))
            weir_step_or_park(worker, UINT64_MAX);
        weir_dataflow_drop(r.flow);
    }
}

START_TEST(complete_dataflows_are_dropped_and_others_built)
{
    lives all = {0};
    test_run(&test_ways[_i], complete_and_drop, &all);
    expect_lives(&all, 50 * test_workers(_i), 400 * test_workers(_i));
}
END_TEST

static void drop_at_once(weir_worker *worker, void *arg)
{
    if (weir_worker_index(worker))
        for (int i = 0; i < 100; i++)
            weir_step(worker);
    running r = build_lives(worker, "short", arg);
    push(&r, 100);
    weir_dataflow_drop(r.flow);
}

START_TEST(a_dataflow_is_dropped_before_others_build_it)
{
    lives all = {0};
    test_run(&test_ways[_i], drop_at_once, &all);
    ck_assert_uint_eq(all.stopped, 2 * test_workers(_i));
}
END_TEST

/* Worker 0 drops a dataflow that the others run; `wait_ms` lets them fall asleep first. */
static void drop_alone(weir_worker *worker, void *arg)
{
    static lives all;
    const unsigned *wait_ms = arg;
    running r = build_lives(worker, "shared", &all);
    weir_input_advance(r.input, 1);
    weir_probe_wait(worker, r.probe, 1);
    if (weir_worker_index(worker) == 0) {
        test_sleep_ms(*wait_ms);
        weir_dataflow_drop(r.flow);
    }
    weir_run(worker);
}

START_TEST(a_dataflow_dropped_on_one_worker_only_stops_all)
{
    if (test_workers(_i) == 1)
        return;
    unsigned wait_ms = test_workers(_i) == 2 ? 50 : 0;
    double begin = test_seconds();
    test_stops(&test_ways[_i], drop_alone, &wait_ms, "`shared`", "dropped by worker 0",
               "weir_dataflow_drop", NULL);
    ck_assert_msg(test_seconds() - begin < 5, "%.1f s", test_seconds() - begin);
}
END_TEST

/* ---- graphs that cannot be built -------------------------------------------------------- */

static void fail_and_go_on(weir_worker *worker, void *arg)
{
    lives *all = arg;
    running r = begin_lives(worker, "wrong", all);
    weir_scope_fail(r.flow, "nobody wants %s", "this");
    weir_scope_fail(r.flow, "nobody hears this");
    weir_err *err = weir_dataflow_end(r.flow);
    if (!err || strcmp(weir_err_message(err), "dataflow `wrong`: nobody wants this"))
        weir_stop(worker, "the error is: %s", weir_err_message(err));
    weir_err_free(err);
    r = build_lives(worker, "right", all);
    push(&r, 10);
}

START_TEST(one_worker_may_go_on_after_an_error)
{
    for (int i = 0; i < 2; i++) {
        lives all = {0};
        test_run(&(weir_config){.workers = 1, .deterministic = i}, fail_and_go_on, &all);
        ck_assert_uint_eq(all.rows, 20);
    }
}
END_TEST

START_TEST(an_error_on_several_workers_stops_all_with_the_reason)
{
    if (test_workers(_i) == 1)
        return;
    lives all = {0};
    test_stops(&test_ways[_i], fail_and_go_on, &all, "dataflow `wrong`: nobody wants this", NULL);
}
END_TEST

static void fail_after_dims(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    int which = *(int *)arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "dims");
    weir_input *input;
    if (which == 0)
        weir_dataflow_dims(flow, names, 0);
    if (which == 1)
        weir_dataflow_dims(flow, names, 5);
    if (which == 2) {
        weir_input_new(flow, &num_type, &input);
        weir_dataflow_dims(flow, names, 2);
    }
    if (which == 3)
        weir_dataflow_dims(weir_loop_begin(flow, "inner"), names, 2);
    test_end(flow);
}

START_TEST(dimensions_are_declared_once_and_first)
{
    const char *reasons[] = {"1 to 4 dimensions, not 0", "1 to 4 dimensions, not 5",
                             "after operators", "after operators"};
    for (int which = 0; which < 4; which++)
        test_stops(&test_ways[_i], fail_after_dims, &which, "`dims`", reasons[which], NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("dataflows");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, dataflows_advance_side_by_side, 0, TEST_WAYS);
    tcase_add_loop_test(cases, dataflows_are_built_while_others_run, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_dataflow_without_operators_is_complete, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_wait_for_a_dataflow_that_is_not_built_yet, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_wait_for_a_dataflow_that_is_being_built, 0, TEST_WAYS);
    tcase_add_loop_test(cases, dataflows_may_be_built_by_turns, 0, TEST_WAYS);
    tcase_add_loop_test(cases, dataflows_are_dropped_at_work, 0, TEST_WAYS);
    tcase_add_loop_test(cases, complete_dataflows_are_dropped_and_others_built, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_dataflow_is_dropped_before_others_build_it, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_dataflow_dropped_on_one_worker_only_stops_all, 1, TEST_WAYS);
    tcase_add_test(cases, one_worker_may_go_on_after_an_error);
    tcase_add_loop_test(cases, an_error_on_several_workers_stops_all_with_the_reason, 1, TEST_WAYS);
    tcase_add_loop_test(cases, dimensions_are_declared_once_and_first, 0, TEST_WAYS);
    return test_main("dataflows", cases);
}
