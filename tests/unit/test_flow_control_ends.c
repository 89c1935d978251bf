/* Flow control where it could come to a stop: loops, operators that keep what they get, the end
 * of a dataflow or of the execution while batches are held, and batches that wait in files. A
 * test that hangs is ended by its time-out. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "tests/support/memory.h"
#include "tests/support/rig.h"

static weir_stream to_the_slow(weir_stream rows, rig *r)
{
    return rig_slowly(rows, WEIR_ROUTED(&by_value, NULL), r);
}

static weir_stream through_several(weir_stream rows, rig *r)
{
    weir_stream moved = weir_exchange_by(rows, &by_value, NULL);
    moved = rig_lightly(moved, WEIR_LOCAL);
    moved = weir_exchange_by(moved, &by_hops, NULL);
    moved = rig_lightly(moved, WEIR_GATHER(1));
    return rig_slowly(moved, WEIR_LOCAL, r);
}

static weir_stream exploding(weir_stream rows, rig *r)
{
    return rig_slowly(rig_exploded(rows), WEIR_ROUTED(&by_hops, NULL), r);
}

/* ---- loops ------------------------------------------------------------------------------ */

#define ROUNDS 12

WEIR_FILTER(goes_on, kilo)
{
    return in->hops < ROUNDS;
}

WEIR_FILTER(is_through, kilo)
{
    return in->hops == ROUNDS;
}

WEIR_MAP(hop, kilo, kilo)
{
    *out = *in;
    out->hops++;
}

WEIR_MAP(start_again, kilo, kilo)
{
    *out = *in;
    out->hops = 0;
}

/* Everything goes round ROUNDS times, to another worker each time. */
static weir_stream go_round(weir_scope *scope, weir_stream rows, rig *r, bool slow_inside)
{
    weir_loop *loop = weir_loop_begin(scope, "round");
    weir_stream values = weir_variable(loop, weir_enter(loop, rows));
    weir_stream moved = weir_map(rig_passed(values, WEIR_ROUTED(&by_hops, NULL)), &hop);
    if (slow_inside)
        moved = rig_slowly(moved, WEIR_ROUTED(&by_value, NULL), r);
    weir_variable_set(values, weir_filter(moved, &goes_on));
    return weir_leave(loop, weir_filter(moved, &is_through));
}

static weir_stream loop_then_slow(weir_stream rows, rig *r)
{
    return rig_slowly(go_round(rows.scope, rows, r, false), WEIR_GATHER(1), r);
}

static weir_stream slow_in_loop(weir_stream rows, rig *r)
{
    return go_round(rows.scope, rows, r, true);
}

static weir_stream nested(weir_stream rows, rig *r)
{
    weir_loop *outer = weir_loop_begin(rows.scope, "outer");
    weir_stream values = weir_variable(outer, weir_enter(outer, rows));
    weir_stream inner = go_round(outer, weir_map(values, &start_again), r, true);
    weir_stream through = weir_filter(weir_exchange_by(inner, &by_value, NULL), &is_through);
    weir_variable_set(values, weir_filter(through, &goes_on)); /* none: they are through */
    return weir_leave(outer, through);
}

START_TEST(loops_with_much_more_than_the_credit)
{
    rig_begin();
    static weir_stream (*const shapes[])(weir_stream, rig *) = {loop_then_slow, slow_in_loop,
                                                                nested};
    for (int i = 0; i < 3; i++) {
        rig r = {.shape = shapes[i], .rows = 600, .slow_worker = 1, .slow_us = 50};
        wi_test_bounds.credit_bytes = 3000;
        wi_test_bounds.queue_bytes = 3000;
        test_run(&rig_ways[_i], rig_run, &r);
        rig_check_all_arrived(&r, rig_ways[_i].workers);
    }
}
END_TEST

/* ---- operators that keep things --------------------------------------------------------- */

/* Rows of a time, until it is complete. */
typedef struct kept {
    kilo *rows;
    uint32_t count, capacity;
} kept;

static void keep_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    kept *rows = weir_notify_state(op, &batch->time, sizeof *rows);
    wi_grow(&rows->rows, &rows->capacity, rows->count + batch->count, sizeof(kilo));
    memcpy(rows->rows + rows->count, batch->rows, batch->count * sizeof(kilo));
    rows->count += batch->count;
}

static void give_rows(weir_op *op, const weir_time *time, void *state)
{
    kept *rows = state;
    for (uint32_t i = 0; i < rows->count; i++)
        kilo_push(weir_send_at(op, 0, time), rows->rows[i]);
    wi_free(rows->rows);
}

static void discard_rows(weir_op *op, void *state)
{
    (void)op;
    wi_free(((kept *)state)->rows);
}

static const weir_operator keeping = {
    .name = "keeping", .batch = keep_rows, .notify = give_rows, .discard = discard_rows};

/* Gives on what comes later, from `run`, a row at a time, under a capability. */
typedef struct later {
    weir_capability *held;
    kilo *rows;
    uint32_t first, count, capacity;
} later;

static void take_for_later(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    later *self = weir_op_state(op);
    if (!self->held || !weir_time_le(weir_capability_time(self->held), &batch->time)) {
        weir_capability *earlier = weir_retain(op, 0, &batch->time);
        weir_capability_drop(self->held);
        self->held = earlier;
    }
    wi_grow(&self->rows, &self->capacity, self->count + batch->count, sizeof(kilo));
    memcpy(self->rows + self->count, batch->rows, batch->count * sizeof(kilo));
    self->count += batch->count;
    weir_activate(op);
}

static void give_some(weir_op *op)
{
    later *self = weir_op_state(op);
    for (int i = 0; i < BURST && self->first < self->count; i++)
        kilo_push(weir_send_at(op, 0, weir_capability_time(self->held)), self->rows[self->first++]);
    if (self->first < self->count) {
        weir_activate(op);
        return;
    }
    self->first = self->count = 0;
    weir_capability_drop(self->held);
    self->held = NULL;
}

static void stop_later(weir_op *op)
{
    wi_free(((later *)weir_op_state(op))->rows);
}

static const weir_operator delaying = {.name = "delaying",
                                       .state_bytes = sizeof(later),
                                       .batch = take_for_later,
                                       .run = give_some,
                                       .stop = stop_later};

static weir_stream keep_then_slow(weir_stream rows, rig *r)
{
    weir_stream held = weir_unary(rows, WEIR_ROUTED(&by_value, NULL), &keeping, &kilo_type, NULL);
    held = rig_slowly(held, WEIR_ROUTED(&by_hops, NULL), r);
    held = weir_unary(held, WEIR_ROUTED(&by_value, NULL), &delaying, &kilo_type, NULL);
    held = weir_unary(held, WEIR_ROUTED(&by_hops, NULL), &keeping, &kilo_type, NULL);
    return rig_slowly(held, WEIR_GATHER(0), r);
}

START_TEST(operators_with_capabilities_and_notifications)
{
    rig_begin();
    rig r = {.shape = keep_then_slow, .rows = 1500, .slow_worker = UINT32_MAX, .slow_us = 200};
    test_run(&rig_ways[_i], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i].workers);
}
END_TEST

/* ---- the end comes early ---------------------------------------------------------------- */

/* Worker 1 takes nothing until the others are blocked; then all drop the dataflow, and run
 * another one. */
typedef struct pair {
    rig a, b;
} pair;

static bool is_blocked(weir_worker *worker)
{
    for (uint32_t i = 0; i < worker->flow_count; i++)
        if (worker->flows[i]->any_blocked && worker->flows[i]->shorts)
            return true;
    return false;
}

static void drop_while_blocked(weir_worker *worker, void *arg)
{
    pair *p = arg;
    weir_dataflow *flow = rig_build(worker, &p->a);
    bool takes = weir_worker_index(worker) != 1;
    for (int i = 0; !atomic_load(&p->a.blocked) && !weir_stopping(worker); i++) {
        if (takes) {
            weir_step(worker);
            if (is_blocked(worker))
                atomic_store(&p->a.blocked, true);
        } else if (worker->fiber) {
            wi_worker_step(worker); /* once, so that others get their turn */
            weir_step(worker);
        } else {
            test_sleep_ms(1);
        }
    }
    weir_dataflow_drop(flow);
    test_meet(worker, &p->a.met);
    rig_build(worker, &p->b);
    weir_run(worker);
}

static weir_stream much_held(weir_stream rows, rig *r)
{
    return rig_slowly(rig_exploded(rows), WEIR_ROUTED(&by_value, NULL), r);
}

START_TEST(dataflows_dropped_while_batches_are_held)
{
    rig_begin();
    int64_t before = -1;
    for (int i = 0; i < 3; i++) {
        pair p = {.a = {.shape = i % 2 ? much_held : to_the_slow, .rows = 100000},
                  .b = {.shape = to_the_slow, .rows = 500}};
        p.a.slow_worker = p.b.slow_worker = 99;
        test_run(&rig_ways[_i], drop_while_blocked, &p);
        ck_assert(p.a.blocked);
        ck_assert_uint_lt(p.a.taken, 100000 * rig_ways[_i].workers);
        rig_check_all_arrived(&p.b, rig_ways[_i].workers);
        if (i == 1) {
            test_flush_cache();
            before = test_bytes_in_use();
        }
    }
    test_flush_cache();
    if (before >= 0)
        ck_assert_int_le(test_bytes_in_use() - before, 200 * 1024);
}
END_TEST

START_TEST(stopping_while_others_are_blocked)
{
    rig_begin();
    static weir_stream (*const shapes[])(weir_stream, rig *) = {
        to_the_slow, through_several, nested, keep_then_slow, much_held};
    for (int i = 0; i < 5; i++) {
        rig r = {.shape = shapes[i], .rows = 100000, .slow_worker = 1, .slow_us = 300};
        r.stop_after = 500;
        test_stops(&rig_ways[_i], rig_run, &r, "has enough", NULL);
    }
}
END_TEST

/* ---- batches that wait in files --------------------------------------------------------- */

START_TEST(what_is_held_goes_to_a_file_and_comes_back)
{
    rig_begin();
    wi_test_bounds.waiting_bytes = 100000;
    wi_test_bounds.directory = "/tmp";
    static weir_stream (*const shapes[])(weir_stream, rig *) = {exploding, loop_then_slow, nested,
                                                                keep_then_slow};
    static const uint64_t multiples[] = {EXPLODES, 1, 1, 1};
    uint64_t spilled = 0;
    for (int i = 0; i < 4; i++) {
        rig r = {.shape = shapes[i], .multiple = multiples[i], .rows = i ? 500 : 32,
                 .slow_worker = 1, .slow_us = 20};
        test_run(&rig_ways[_i], rig_run, &r);
        rig_check_all_arrived(&r, rig_ways[_i].workers);
        spilled += r.spilled;
    }
    ck_assert_uint_gt(spilled, 1000000);
}
END_TEST

/* As a program is told to: by --memory. */
START_TEST(with_little_memory_the_answer_is_the_same)
{
    wi_test_bounds = (wi_bounds){0};
    weir_config config = rig_ways[_i];
    config.memory_bytes = 4 << 20;
    config.spill = "/tmp";
    rig r = {.shape = exploding, .multiple = EXPLODES, .rows = 32, .slow_worker = 1, .slow_us = 20};
    test_run(&config, rig_run, &r);
    rig_check_all_arrived(&r, config.workers);
    ck_assert_uint_gt(r.spilled, 1000000);
}
END_TEST

static int run_on_a_small_disk(void *arg)
{
    weir_config config = *(const weir_config *)arg;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){300000, 300000});
    config.memory_bytes = 1 << 20;
    config.spill = "/tmp";
    rig r = {.shape = exploding, .multiple = EXPLODES, .rows = 32, .slow_worker = 1, .slow_us = 20};
    return weir_report(weir_execute(&config, rig_run, &r), 3);
}

START_TEST(a_full_disk_stops_the_execution)
{
    rig_begin();
    test_child child = test_child_run(run_on_a_small_disk, (void *)&rig_ways[_i]);
    ck_assert_int_eq(child.code, 3);
    ck_assert_msg(strstr(child.err, "/tmp") && strstr(child.err, "--spill"), "%s", child.err);
    test_child_free(&child);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("ends of flow control");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, loops_with_much_more_than_the_credit, 0, RIG_WAYS);
    tcase_add_loop_test(cases, operators_with_capabilities_and_notifications, 0, RIG_WAYS);
    tcase_add_loop_test(cases, dataflows_dropped_while_batches_are_held, 0, RIG_WAYS);
    tcase_add_loop_test(cases, stopping_while_others_are_blocked, 0, RIG_WAYS);
    tcase_add_loop_test(cases, what_is_held_goes_to_a_file_and_comes_back, 0, RIG_WAYS_THREADS + 1);
    tcase_add_loop_test(cases, with_little_memory_the_answer_is_the_same, 0, RIG_WAYS_THREADS + 1);
    tcase_add_loop_test(cases, a_full_disk_stops_the_execution, 0, RIG_WAYS_THREADS + 1);
    return test_main("ends of flow control", cases);
}
