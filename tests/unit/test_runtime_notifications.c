/* Notifications: at complete times, in order, in every shape of time. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

static const char *time_text(const weir_op *op, const weir_time *time)
{
    static _Thread_local char text[WEIR_TIME_TEXT_BYTES];
    return weir_time_text(time, weir_op_output_dims(op, 0), text);
}

/* ---- an operator that asks for each time it sees, and checks what it is promised -------- */

typedef struct careful {
    weir_time notified[256];
    uint32_t count;
} careful;

static void check_not_notified(weir_op *op, const weir_time *time)
{
    const careful *self = weir_op_state(op);
    for (uint32_t i = 0; i < self->count; i++)
        if (weir_time_le(time, &self->notified[i]))
            weir_op_stop(op, "a batch of %s comes after that time was notified",
                         time_text(op, time));
}

static void careful_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    for (uint32_t i = 0; i < batch->count; i++) {
        const weir_time *time = weir_batch_time(batch, i);
        check_not_notified(op, time);
        uint64_t *sum = weir_notify_state(op, time, sizeof *sum);
        *sum += num_at(batch, i)->value;
        if (weir_notify_state(op, time, sizeof *sum) != sum)
            weir_op_stop(op, "the state of a time has moved");
    }
}

static void careful_notify(weir_op *op, const weir_time *time, void *state)
{
    careful *self = weir_op_state(op);
    for (uint32_t i = 0; i < self->count; i++)
        if (weir_time_le(time, &self->notified[i]))
            weir_op_stop(op, "%s is notified too late, or twice", time_text(op, time));
    if (weir_antichain_le(weir_op_frontier(op, 0), time))
        weir_op_stop(op, "%s is notified, but not complete", time_text(op, time));
    self->notified[self->count++ % 256] = *time;
    num_push(weir_send_at(op, 0, time), (num){*(uint64_t *)state});
}

static const weir_operator sums = {.name = "sums",
                                   .state_bytes = sizeof(careful),
                                   .batch = careful_batch,
                                   .notify = careful_notify};

/* ---- in order --------------------------------------------------------------------------- */

typedef struct ordered {
    test_list out;
    bool columns;
} ordered;

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

/* Rows for epochs 0 to 19 in any order, and then their completion step by step. */
static void run_ordered(weir_worker *worker, void *arg)
{
    ordered *o = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "ordered");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    rows = weir_unary(rows, WEIR_ROUTED(&by_value, NULL), &sums, &num_type, NULL);
    weir_probe *probe = weir_probe_new(test_watch(rows, &o->out));
    if (!test_end(flow))
        return;
    for (uint64_t i = 0; i < 40; i++) {
        weir_out *out = weir_input_out(input);
        weir_out_time(out, &WEIR_EPOCH(i * 7 % 20));
        num_push(out, (num){i * 7 % 20});
        if (weir_random(worker) % 3 == 0)
            weir_input_flush(input);
        if (weir_random(worker) % 3 == 0)
            weir_step(worker);
    }
    for (uint64_t epoch = 1; epoch < 25; epoch += 1 + weir_random(worker) % 4) {
        weir_input_advance(input, epoch);
        weir_probe_wait(worker, probe, epoch);
    }
}

START_TEST(times_are_notified_in_order)
{
    ordered o = {0};
    test_list_init(&o.out, 1);
    test_run(&test_ways[_i], run_ordered, &o);
    char *text = test_list_text(&o.out), expected[1024] = "";
    for (uint32_t epoch = 0; epoch < 20; epoch++)
        sprintf(expected + strlen(expected), "%u +1 %u\n", epoch,
                epoch * 2 * test_workers(_i));
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(&o.out);
}
END_TEST

/* ---- of two dimensions ------------------------------------------------------------------ */

typedef struct planar {
    test_notes notes;
    _Atomic(uint32_t) met;
} planar;

static void note_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    for (uint32_t i = 0; i < batch->count; i++)
        weir_notify_at(op, weir_batch_time(batch, i));
}

static void note_time(weir_op *op, const weir_time *time, void *state)
{
    (void)state;
    planar *p = weir_op_arg(op);
    char text[WEIR_TIME_TEXT_BYTES];
    test_note(&p->notes, "%s", weir_time_text(time, 2, text));
}

static const weir_operator noting = {.name = "noting", .batch = note_batch, .notify = note_time};

static void advance_two(weir_input *inputs[2], uint64_t a0, uint64_t a1, uint64_t b0, uint64_t b1)
{
    weir_input_advance_to(inputs[0], &(weir_time){{a0, a1}});
    weir_input_advance_to(inputs[1], &(weir_time){{b0, b1}});
}

/* Two inputs give frontiers of two incomparable times. */
static void run_planar(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"system", "valid"};
    planar *p = arg;
    weir_input *inputs[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "planar");
    weir_dataflow_dims(flow, names, 2);
    weir_stream a = weir_input_new(flow, &num_type, &inputs[0]);
    weir_stream b = weir_input_new(flow, &num_type, &inputs[1]);
    weir_builder *builder = weir_operator_begin(flow, &noting, p);
    weir_builder_input(builder, weir_concat(a, b), WEIR_GATHER(0));
    weir_probe *probe = weir_probe_new(weir_builder_output(builder, &num_type));
    weir_operator_end(builder);
    if (!test_end(flow))
        return;
    if (weir_worker_index(worker) == 0) {
        static const weir_time times[] = {{{0, 5}}, {{3, 1}}, {{1, 1}},
                                          {{4, 4}}, {{2, 6}}, {{0, 0}}};
        for (int i = 0; i < 6; i++) {
            weir_out_time(weir_input_out(inputs[i % 2]), &times[i]);
            num_push(weir_input_out(inputs[i % 2]), (num){1});
        }
    }
    weir_input_flush(inputs[0]);
    weir_input_flush(inputs[1]);
    test_frontier(worker, probe, 2, "(0, 0)");
    test_meet(worker, &p->met);
    static const uint64_t moves[][4] = {
        {0, 3, 2, 0}, {0, 6, 2, 0}, {0, 6, 4, 0}, {3, 7, 4, 0}, {5, 7, 4, 5}};
    static const char *const frontiers[] = {"(0, 3) (2, 0)", "(0, 6) (2, 0)", "(0, 6) (4, 0)",
                                            "(3, 7) (4, 0)", "(4, 5)"};
    static const char *const notified[] = {"(0, 0) (1, 1)", "(0, 5)", "(3, 1)", "(2, 6)", "(4, 4)"};
    for (int i = 0; i < 5; i++) {
        advance_two(inputs, moves[i][0], moves[i][1], moves[i][2], moves[i][3]);
        test_frontier(worker, probe, 2, i == 4 ? "(4, 5)" : frontiers[i]);
        test_meet(worker, &p->met);
        const char *text = weir_worker_index(worker) ? NULL : test_notes_text(&p->notes);
        if (text && strcmp(text, notified[i]))
            weir_stop(worker, "move %d notifies `%s`, not `%s`", i, text, notified[i]);
        test_meet(worker, &p->met);
    }
}

START_TEST(incomparable_times_are_notified_when_each_is_complete)
{
    planar p = {.notes = TEST_NOTES};
    test_run(&test_ways[_i], run_planar, &p);
    ck_assert_str_eq(test_notes_text(&p.notes), "");
}
END_TEST

/* ---- in a loop -------------------------------------------------------------------------- */

WEIR_FILTER_MAP(count_down, num, num)
{
    out->value = in->value - 1;
    return in->value > 0;
}

static void run_loop(weir_worker *worker, void *out)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "rounds");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    weir_loop *loop = weir_loop_begin(flow, "down");
    weir_stream now = weir_variable(loop, weir_enter(loop, rows));
    weir_stream round = weir_unary(now, WEIR_GATHER(0), &sums, &num_type, NULL);
    weir_variable_set(now, weir_filter_map(round, &count_down));
    weir_probe *probe = weir_probe_new(weir_leave(loop, test_watch(round, out)));
    if (!test_end(flow))
        return;
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        num_push(weir_input_out(input), (num){epoch + 1});
        weir_input_advance(input, epoch + 1);
        if (epoch != 1)
            weir_probe_wait(worker, probe, epoch + 1);
    }
}

START_TEST(rounds_are_notified_one_by_one)
{
    test_list out;
    test_list_init(&out, 2);
    test_run(&test_ways[_i], run_loop, &out);
    char *text = test_list_text(&out), expected[4096] = "";
    for (uint32_t epoch = 0; epoch < 3; epoch++)
        for (uint32_t round = 0; round <= (epoch + 1) * test_workers(_i); round++)
            sprintf(expected + strlen(expected), "(%u, %u) +1 %u\n", epoch, round,
                    (epoch + 1) * test_workers(_i) - round);
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(&out);
}
END_TEST

/* ---- asked for late, again, in between -------------------------------------------------- */

typedef struct late {
    weir_capability *held;
    int stage;
} late;

static void late_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    late *self = weir_op_state(op);
    if (!self->held)
        self->held = weir_retain(op, 0, &batch->time);
    test_note(weir_op_arg(op), "batch");
}

/* Epoch 0 is complete on the input, but a capability for it is held: ask now. */
static void late_frontier(weir_op *op)
{
    late *self = weir_op_state(op);
    if (!self->held || self->stage || weir_antichain_le(weir_op_frontier(op, 0), &WEIR_EPOCH(2)))
        return;
    self->stage = 1;
    weir_notify_at(op, &WEIR_EPOCH(2));
    weir_notify_at(op, &WEIR_EPOCH(0));
    weir_notify_at(op, &WEIR_EPOCH(2));
    weir_notify_at(op, &WEIR_EPOCH(50));
    weir_capability_drop(self->held);
    test_note(weir_op_arg(op), "asked");
}

static void late_notify(weir_op *op, const weir_time *time, void *state)
{
    late *self = weir_op_state(op);
    test_note(weir_op_arg(op), "%d%s", (int)time->at[0], state ? " with a state" : "");
    if (time->at[0] == 0) {
        weir_notify_at(op, &WEIR_EPOCH(1));
        weir_notify_at(op, &WEIR_EPOCH(0));
        if (self->stage++ == 2)
            weir_notify_at(op, &WEIR_EPOCH(70));
        if (self->stage == 4)
            weir_op_stop(op, "enough");
    }
}

static void later_notify(weir_op *op, const weir_time *time, void *state)
{
    (void)state;
    late *self = weir_op_state(op);
    test_note(weir_op_arg(op), "%d", (int)time->at[0]);
    if (time->at[0] == 0 && self->stage++ == 1) {
        weir_notify_at(op, &WEIR_EPOCH(1));
        weir_notify_at(op, &WEIR_EPOCH(0)); /* once more */
        weir_notify_at(op, &WEIR_EPOCH(70));
    }
}

static void run_late(weir_worker *worker, void *arg)
{
    void **args = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "late");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    rows = weir_unary(rows, WEIR_GATHER(0), args[0], &num_type, args[1]);
    weir_probe *probe = weir_probe_new(rows);
    if (!test_end(flow))
        return;
    if (weir_worker_index(worker) == 0)
        num_push(weir_input_out(input), (num){1});
    weir_input_advance(input, 10);
    weir_probe_wait(worker, probe, 10);
    test_note(args[1], "passed");
}

START_TEST(complete_times_are_notified_at_once)
{
    weir_operator logic = {.name = "late",
                           .state_bytes = sizeof(late),
                           .batch = late_batch,
                           .frontier = late_frontier,
                           .notify = later_notify};
    test_notes notes = TEST_NOTES;
    void *args[] = {&logic, &notes};
    test_run(&test_ways[_i], run_late, args);
    char expected[128] = "batch asked 0 0 1 2";
    const char *text = test_notes_text(&notes);
    ck_assert_msg(!strncmp(text, expected, strlen(expected)), "%s", text);
    ck_assert_msg(!strcmp(strstr(text, " 50"), " 50 70"), "%s", text);
    for (uint32_t i = 0, n = 0; i < test_workers(_i); i++, n++)
        ck_assert_ptr_nonnull(strstr(text, "passed"));
}
END_TEST

START_TEST(asking_again_and_again_does_not_lose_a_stop)
{
    weir_operator logic = {.name = "late",
                           .state_bytes = sizeof(late),
                           .batch = late_batch,
                           .frontier = late_frontier,
                           .notify = late_notify};
    test_notes notes = TEST_NOTES;
    void *args[] = {&logic, &notes};
    test_stops(&test_ways[_i], run_late, args, "`late`: enough", NULL);
    test_notes_text(&notes);
}
END_TEST

/* ---- states of times that never come ---------------------------------------------------- */

static _Atomic(int) discarded, stopped;

static void owning_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    for (uint64_t i = 0; i < 5; i++) {
        void **memory = weir_notify_state(op, &WEIR_EPOCH(batch->time.at[0] + i), sizeof *memory);
        *memory = malloc(100);
    }
    weir_notify_at(op, &WEIR_EPOCH(batch->time.at[0] + 9));
}

static void owning_notify(weir_op *op, const weir_time *time, void *state)
{
    (void)op, (void)time;
    free(*(void **)state);
}

static void owning_discard(weir_op *op, void *state)
{
    (void)op;
    free(*(void **)state);
    atomic_fetch_add(&discarded, 1);
}

static void owning_stop(weir_op *op)
{
    (void)op;
    atomic_fetch_add(&stopped, 1);
}

static const weir_operator owning = {.name = "owning",
                                     .batch = owning_batch,
                                     .notify = owning_notify,
                                     .discard = owning_discard,
                                     .stop = owning_stop};

static void run_owning(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "owning");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    weir_probe *probe = weir_probe_new(weir_unary(rows, WEIR_LOCAL, &owning, &num_type, NULL));
    if (!test_end(flow))
        return;
    num_push(weir_input_out(input), (num){1});
    weir_input_advance(input, 2);
    weir_probe_wait(worker, probe, 2);
    weir_dataflow_drop(flow);
}

START_TEST(states_of_times_that_never_come_are_discarded)
{
    discarded = stopped = 0;
    test_run(&test_ways[_i], run_owning, NULL);
    ck_assert_int_eq(discarded, 3 * (int)test_workers(_i));
    ck_assert_int_eq(stopped, (int)test_workers(_i));
}
END_TEST

/* ---- the ends --------------------------------------------------------------------------- */

typedef struct ends {
    test_list out;
    _Atomic(uint32_t) met;
} ends;

static void run_ends(weir_worker *worker, void *arg)
{
    ends *e = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "ends");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    rows = weir_unary(rows, WEIR_ROUTED(&by_value, NULL), &sums, &num_type, NULL);
    weir_probe *probe = weir_probe_new(test_watch(rows, &e->out));
    if (!test_end(flow))
        return;
    num_push(weir_input_out(input), (num){1});
    weir_input_advance(input, UINT64_MAX);
    num_push(weir_input_out(input), (num){2});
    weir_input_flush(input);
    test_frontier(worker, probe, 1, "18446744073709551615");
    if (!weir_probe_le(probe, &WEIR_EPOCH(UINT64_MAX)) || weir_probe_below(probe, UINT64_MAX) ||
        weir_probe_lt(probe, &WEIR_EPOCH(UINT64_MAX)) || weir_probe_done(probe))
        weir_stop(worker, "the last time may still come");
    pthread_mutex_lock(&e->out.lock);
    for (uint32_t i = 0; i < e->out.count; i++)
        if (e->out.updates[i].time.at[0])
            weir_stop(worker, "the last time is notified while the input is open");
    pthread_mutex_unlock(&e->out.lock);
    test_meet(worker, &e->met);
    weir_input_close(&input);
    while (weir_probe_le(probe, &WEIR_EPOCH(UINT64_MAX)))
        weir_step_or_park(worker, UINT64_MAX);
    if (!weir_probe_done(probe))
        weir_stop(worker, "the last time is complete, but not all");
}

START_TEST(the_last_time_is_complete_when_the_input_is_closed)
{
    ends e = {0};
    test_list_init(&e.out, 1);
    test_run(&test_ways[_i], run_ends, &e);
    char *text = test_list_text(&e.out), expected[64];
    sprintf(expected, "0 +1 %u\n18446744073709551615 +1 %u\n", test_workers(_i),
            2 * test_workers(_i));
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(&e.out);
}
END_TEST

/* ---- several inputs, and none ----------------------------------------------------------- */

static void both_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    if (input == 0)
        weir_notify_at(op, &batch->time);
}

typedef struct waiting {
    test_notes notes;
    _Atomic(uint32_t) met;
} waiting;

static void both_notify(weir_op *op, const weir_time *time, void *state)
{
    (void)state;
    waiting *w = weir_op_arg(op);
    test_note(&w->notes, "%d", (int)time->at[0]);
}

static const weir_operator both = {.name = "both", .batch = both_batch, .notify = both_notify};

static void alone_start(weir_op *op)
{
    weir_notify_at(op, &WEIR_EPOCH(0));
    weir_notify_at(op, &WEIR_EPOCH(7));
}

static const weir_operator alone = {
    .name = "alone", .source = true, .start = alone_start, .notify = both_notify};

static void run_both(weir_worker *worker, void *arg)
{
    waiting *w = arg;
    weir_input *inputs[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "both");
    weir_stream a = weir_input_new(flow, &num_type, &inputs[0]);
    weir_stream b = weir_input_new(flow, &num_type, &inputs[1]);
    weir_probe *probe =
        weir_probe_new(weir_binary(a, WEIR_LOCAL, b, WEIR_LOCAL, &both, &num_type, w));
    if (!test_end(flow))
        return;
    num_push(weir_input_out(inputs[0]), (num){1});
    weir_input_advance(inputs[0], 5);
    test_frontier(worker, probe, 1, "0");
    test_meet(worker, &w->met);
    if (weir_worker_index(worker) == 0 && w->notes.count)
        weir_stop(worker, "notified while the second input is at 0");
    test_meet(worker, &w->met);
    weir_input_advance(inputs[1], 1);
    test_frontier(worker, probe, 1, "1");
}

static void run_alone(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "alone");
    weir_builder *builder = weir_operator_begin(flow, &alone, arg);
    weir_builder_output(builder, &num_type);
    weir_operator_end(builder);
    test_end(flow);
}

START_TEST(all_inputs_must_have_passed)
{
    static const char *const once[] = {"", "0", "0 0", "0 0 0", "0 0 0 0"};
    static const char *const twice[] = {"", "0 7", "0 0 7 7", "0 0 0 7 7 7", "0 0 0 0 7 7 7 7"};
    waiting w = {.notes = TEST_NOTES};
    test_run(&test_ways[_i], run_both, &w);
    ck_assert_str_eq(test_notes_sorted(&w.notes), once[test_workers(_i)]);
    test_run(&test_ways[_i], run_alone, &w);
    ck_assert_str_eq(test_notes_sorted(&w.notes), twice[test_workers(_i)]);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("notifications");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, times_are_notified_in_order, 0, TEST_WAYS);
    tcase_add_loop_test(cases, incomparable_times_are_notified_when_each_is_complete, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rounds_are_notified_one_by_one, 0, TEST_WAYS);
    tcase_add_loop_test(cases, complete_times_are_notified_at_once, 0, TEST_WAYS);
    tcase_add_loop_test(cases, asking_again_and_again_does_not_lose_a_stop, 0, TEST_WAYS);
    tcase_add_loop_test(cases, states_of_times_that_never_come_are_discarded, 0, TEST_WAYS);
    tcase_add_loop_test(cases, the_last_time_is_complete_when_the_input_is_closed, 0, TEST_WAYS);
    tcase_add_loop_test(cases, all_inputs_must_have_passed, 0, TEST_WAYS);
    return test_main("notifications", cases);
}
