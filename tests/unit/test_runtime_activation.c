/* Activation: of operators by themselves, after a delay, and from other threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"

/* A dataflow of one source that keeps its capability until it is done. */
typedef struct runner {
    uint32_t left;
    weir_capability *held;
} runner;

static void hold(weir_op *op)
{
    runner *self = weir_op_state(op);
    self->held = weir_op_first_capability(op, 0);
}

static bool build_source(weir_worker *worker, const weir_operator *logic, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "active");
    weir_builder *builder = weir_operator_begin(flow, logic, arg);
    weir_builder_output(builder, &num_type);
    weir_operator_end(builder);
    return test_end(flow);
}

/* ---- by itself -------------------------------------------------------------------------- */

static void take_turns_start(weir_op *op)
{
    runner *self = weir_op_state(op);
    hold(op);
    self->left = 4;
    weir_activate(op);
    weir_activate(op); /* once is enough */
}

static void take_turns(weir_op *op)
{
    runner *self = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) == 0)
        test_note(weir_op_arg(op), "%s%u", weir_op_name(op), self->left);
    if (--self->left)
        weir_activate(op);
    else
        weir_capability_drop(self->held);
}

static const weir_operator turns = {.name = "turns",
                                    .source = true,
                                    .state_bytes = sizeof(runner),
                                    .start = take_turns_start,
                                    .run = take_turns};

static void two_take_turns(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "turns");
    for (int i = 0; i < 2; i++) {
        weir_builder *builder = weir_operator_begin(flow, &turns, arg);
        weir_builder_name(builder, i ? "b" : "a");
        weir_builder_output(builder, &num_type);
        weir_operator_end(builder);
    }
    test_end(flow);
}

START_TEST(operators_that_activate_themselves_take_turns)
{
    test_notes notes = TEST_NOTES;
    test_run(&test_ways[_i], two_take_turns, &notes);
    ck_assert_str_eq(test_notes_text(&notes), "a4 b4 a3 b3 a2 b2 a1 b1");
}
END_TEST

/* ---- after a delay ---------------------------------------------------------------------- */

typedef struct delayed {
    runner base;
    uint64_t asked, last;
    uint32_t runs;
} delayed;

#define MS UINT64_C(1000000)

static void ask_for_three(weir_op *op)
{
    delayed *self = weir_op_state(op);
    hold(op);
    self->asked = weir_now(weir_op_worker(op));
    weir_activate_after(op, 30 * MS);
    weir_activate_after(op, 10 * MS);
    weir_activate_after(op, 20 * MS);
}

/* A worker that comes late runs the operator once for two delays. */
static void check_delay(weir_op *op)
{
    delayed *self = weir_op_state(op);
    uint64_t passed = weir_now(weir_op_worker(op)) - self->asked;
    uint64_t due = (uint64_t)++self->runs * 10 * MS;
    if (passed < due)
        weir_op_stop(op, "run %u comes after %d us", self->runs, (int)(passed / 1000));
    if (passed > due + 500 * MS)
        weir_op_stop(op, "run %u comes only after %d us", self->runs, (int)(passed / 1000));
    if (passed < 30 * MS || !self->base.held)
        return;
    weir_capability_drop(self->base.held);
    self->base.held = NULL;
}

static const weir_operator three_delays = {.name = "delays",
                                           .source = true,
                                           .state_bytes = sizeof(delayed),
                                           .start = ask_for_three,
                                           .run = check_delay};

static void run_delays(weir_worker *worker, void *stepping)
{
    build_source(worker, &three_delays, NULL);
    if (stepping)
        while (weir_step(worker)) {
        }
}

START_TEST(delays_come_in_order_and_not_too_soon)
{
    test_run(&test_ways[_i], run_delays, NULL);
}
END_TEST

START_TEST(delays_pass_too_while_a_worker_only_steps)
{
    double begin = test_seconds();
    test_run(&test_ways[_i], run_delays, (void *)1);
    ck_assert_msg(test_seconds() - begin < 2, "%.1f s", test_seconds() - begin);
}
END_TEST

#define HOUR (UINT64_C(3600) * 1000 * MS)

static void ask_for_an_hour(weir_op *op)
{
    delayed *self = weir_op_state(op);
    hold(op);
    self->asked = weir_now(weir_op_worker(op));
    weir_activate_after(op, HOUR);
}

static void check_hour(weir_op *op)
{
    delayed *self = weir_op_state(op);
    uint64_t passed = weir_now(weir_op_worker(op)) - self->asked;
    test_note(weir_op_arg(op), "%s", passed < HOUR             ? "soon"
                                     : passed > HOUR + 10 * MS ? "late"
                                                               : "now");
    weir_capability_drop(self->base.held);
}

static const weir_operator an_hour = {.name = "hour",
                                      .source = true,
                                      .state_bytes = sizeof(delayed),
                                      .start = ask_for_an_hour,
                                      .run = check_hour};

static void run_an_hour(weir_worker *worker, void *notes)
{
    build_source(worker, &an_hour, notes);
    if (weir_worker_index(worker) % 2) /* stepping takes as little real time as parking */
        while (weir_step(worker)) {
        }
}

START_TEST(an_hour_of_virtual_time_is_soon_over)
{
    test_notes notes = TEST_NOTES;
    double begin = test_seconds();
    test_run(&test_ways[_i], run_an_hour, &notes);
    ck_assert_msg(test_seconds() - begin < 2, "%.1f s", test_seconds() - begin);
    const char *expected[] = {"", "now", "now now", "now now now", "now now now now"};
    ck_assert_str_eq(test_notes_text(&notes), expected[test_workers(_i)]);
}
END_TEST

/* ---- from other threads ----------------------------------------------------------------- */

#define FIRES 20000

typedef struct ringing {
    weir_activator *activator[4];
    _Atomic(uint32_t) built, runs;
    _Atomic(uint32_t) value; /* the ringing thread's; every run must see the last one */
    uint32_t workers;
    bool slowly;
} ringing;

static void offer_activator(weir_op *op)
{
    ringing *r = weir_op_arg(op);
    hold(op);
    r->activator[weir_worker_index(weir_op_worker(op))] = weir_activator_new(op);
    atomic_fetch_add(&r->built, 1);
}

static void answer(weir_op *op)
{
    ringing *r = weir_op_arg(op);
    runner *self = weir_op_state(op);
    atomic_fetch_add(&r->runs, 1);
    if (atomic_load_explicit(&r->value, memory_order_relaxed) == FIRES && self->held) {
        weir_capability_drop(self->held);
        self->held = NULL;
    }
}

static const weir_operator rung = {.name = "rung",
                                   .source = true,
                                   .state_bytes = sizeof(runner),
                                   .start = offer_activator,
                                   .run = answer};

static void *ring(void *arg)
{
    ringing *r = arg;
    while (atomic_load(&r->built) < r->workers)
        test_sleep_ms(1);
    uint32_t step = r->slowly ? FIRES / 20 : 1;
    for (uint32_t i = step; i <= FIRES; i += step) {
        if (r->slowly)
            test_sleep_ms(2);
        atomic_store_explicit(&r->value, i, memory_order_relaxed);
        for (uint32_t w = 0; w < r->workers; w++)
            weir_activator_fire(r->activator[w]);
    }
    return NULL;
}

static void run_rung(weir_worker *worker, void *arg)
{
    build_source(worker, &rung, arg);
}

static void ring_and_run(const weir_config *config, bool slowly)
{
    ringing r = {.workers = config->workers *
                            (config->cluster.processes ? config->cluster.processes : 1),
                 .slowly = slowly};
    pthread_t thread;
    ck_assert(!pthread_create(&thread, NULL, ring, &r));
    test_run(config, run_rung, &r);
    pthread_join(thread, NULL);
    ck_assert_uint_ge(r.runs, r.workers);
    ck_assert_uint_le(r.runs, r.workers * FIRES);
    for (uint32_t w = 0; w < r.workers; w++) { /* the operators and the execution are gone */
        weir_activator_fire(r.activator[w]);
        weir_activator_fire(r.activator[w]);
        weir_activator_free(r.activator[w]);
    }
}

START_TEST(activators_of_another_thread_lose_nothing)
{
    ring_and_run(&test_ways[_i], false);
}
END_TEST

START_TEST(activators_wake_workers_that_sleep)
{
    ring_and_run(&test_ways[_i], true);
}
END_TEST

/* The dataflow is dropped while other threads go on firing; the activators are freed before
 * the execution ends, with mail on the way. */
typedef struct leaving {
    ringing rings;
    _Atomic(bool) over;
} leaving;

static void *ring_until_over(void *arg)
{
    leaving *l = arg;
    while (atomic_load(&l->rings.built) < l->rings.workers)
        test_sleep_ms(1);
    while (!atomic_load(&l->over))
        for (uint32_t w = 0; w < l->rings.workers; w++)
            weir_activator_fire(l->rings.activator[w]);
    for (uint32_t w = 0; w < l->rings.workers; w++) {
        weir_activator_fire(l->rings.activator[w]);
        weir_activator_free(l->rings.activator[w]);
    }
    return NULL;
}

static void drop_rung(weir_worker *worker, void *arg)
{
    leaving *l = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "rung");
    weir_builder *builder = weir_operator_begin(flow, &rung, &l->rings);
    weir_builder_output(builder, &num_type);
    weir_operator_end(builder);
    test_end(flow);
    while (atomic_load(&l->rings.runs) < 100)
        weir_step(worker);
    weir_dataflow_drop(flow);
    for (int i = 0; i < 1000; i++)
        weir_step(worker);
    atomic_store(&l->over, true);
    for (int i = 0; i < 1000; i++)
        weir_step(worker);
}

START_TEST(activators_may_outlive_their_operators)
{
    leaving l = {.rings.workers = test_workers(_i)};
    pthread_t threads[1];
    ck_assert(!pthread_create(&threads[0], NULL, ring_until_over, &l));
    test_run(&test_ways[_i], drop_rung, &l);
    pthread_join(threads[0], NULL);
}
END_TEST

/* ---- one operator by another thread and after a delay, both in a dataflow that is gone --- */

static void ask_late(weir_op *op)
{
    hold(op);
    weir_activate_after(op, 2 * MS);
}

static void never(weir_op *op)
{
    weir_op_stop(op, "is run after it was dropped");
}

static const weir_operator late = {
    .name = "late", .source = true, .state_bytes = sizeof(runner), .start = ask_late, .run = never};

static void drop_late(weir_worker *worker, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        weir_dataflow *flow = weir_dataflow_begin(worker, "late");
        weir_builder *builder = weir_operator_begin(flow, &late, NULL);
        weir_builder_output(builder, &num_type);
        weir_operator_end(builder);
        test_end(flow);
        weir_dataflow_drop(flow);
        uint64_t end = weir_now(worker) + 5 * MS;
        while (weir_now(worker) < end)
            weir_step_or_park(worker, MS);
    }
}

START_TEST(a_delay_may_outlive_its_operator)
{
    test_run(&test_ways[_i], drop_late, NULL);
}
END_TEST

/* ---- misuse ----------------------------------------------------------------------------- */

static void activate_at_start(weir_op *op)
{
    weir_activate(op);
}

static void activate_later_at_start(weir_op *op)
{
    hold(op);
    weir_activate_after(op, 1000);
}

static void activate_from_outside_at_start(weir_op *op)
{
    hold(op);
    weir_activator *activator = weir_activator_new(op);
    weir_activator_fire(activator);
    weir_activator_free(activator);
}

static void build_without_run(weir_worker *worker, void *arg)
{
    build_source(worker, arg, NULL);
}

START_TEST(an_operator_without_run_is_not_activated)
{
    void (*const starts[])(weir_op *) = {activate_at_start, activate_later_at_start,
                                         activate_from_outside_at_start};
    for (int i = 0; i < 3; i++) {
        weir_operator logic = {.name = "lazy",
                               .source = true,
                               .state_bytes = sizeof(runner),
                               .start = starts[i]};
        test_stops(&test_ways[_i], build_without_run, &logic, "`active`", "operator 0 `lazy`",
                   "`run`", NULL);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("activation");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, operators_that_activate_themselves_take_turns, 0, TEST_WAYS);
    tcase_add_loop_test(cases, delays_come_in_order_and_not_too_soon, 0, TEST_WAYS);
    tcase_add_loop_test(cases, delays_pass_too_while_a_worker_only_steps, 0, TEST_WAYS);
    tcase_add_loop_test(cases, an_hour_of_virtual_time_is_soon_over, TEST_WAYS_THREADS,
                        TEST_WAYS_ALONE);
    tcase_add_loop_test(cases, activators_of_another_thread_lose_nothing, 0, TEST_WAYS);
    tcase_add_loop_test(cases, activators_wake_workers_that_sleep, 0, TEST_WAYS);
    tcase_add_loop_test(cases, activators_may_outlive_their_operators, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_delay_may_outlive_its_operator, 0, TEST_WAYS);
    tcase_add_loop_test(cases, an_operator_without_run_is_not_activated, 0, TEST_WAYS);
    return test_main("activation", cases);
}
