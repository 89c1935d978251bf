/* Capabilities: what holds a frontier, what lets it go, and what may be sent where. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

/* ---- an operator that does what its rows say -------------------------------------------- */

enum { RETAIN = 1000, DROP = 2000, DOWNGRADE = 3000, DELAY = 4000, SEND = 5000 };

#define HELD_MAX 8

typedef struct holder {
    weir_capability *held[HELD_MAX]; /* the oldest first */
    int count;
} holder;

static void obey(weir_op *op, const weir_time *now, uint64_t command)
{
    holder *self = weir_op_state(op);
    uint64_t what = command / 1000 * 1000, number = command % 1000;
    weir_capability *oldest = self->held[0];
    weir_time then = *now;
    then.at[0] = what == RETAIN ? now->at[0] + number : number;
    switch (what) {
    case RETAIN:
        self->held[self->count++] = weir_retain(op, 0, &then);
        break;
    case DROP:
        weir_capability_drop(oldest);
        memmove(self->held, self->held + 1, (size_t)--self->count * sizeof *self->held);
        break;
    case DOWNGRADE:
        weir_capability_downgrade(oldest, &then);
        break;
    case DELAY:
        self->held[self->count++] = weir_capability_delay(oldest, &then);
        break;
    case SEND:
        num_push(weir_send_at(op, 0, weir_capability_time(oldest)), (num){number});
        break;
    }
}

static void obey_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    for (uint32_t i = 0; i < batch->count; i++)
        obey(op, weir_batch_time(batch, i), num_at(batch, i)->value);
}

static const weir_operator obedient = {
    .name = "obedient", .state_bytes = sizeof(holder), .batch = obey_batch};

/* What is told to the last worker's operator, and what every worker's probe then shows. */
typedef struct step {
    uint64_t epoch, command; /* 0: none */
    const char *frontier;
} step;

typedef struct script {
    const step *steps;
    _Atomic(uint32_t) met;
    test_list out;
} script;

static void play(weir_worker *worker, void *arg)
{
    script *s = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "script");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    rows = weir_unary(rows, WEIR_GATHER(weir_worker_count(worker) - 1), &obedient, &num_type, NULL);
    weir_probe *probe = weir_probe_new(test_watch(rows, &s->out));
    if (!test_end(flow))
        return;
    for (const step *at = s->steps; at->frontier; at++) {
        weir_input_advance(input, at->epoch);
        if (at->command && weir_worker_index(worker) == 0)
            num_push(weir_input_out(input), (num){at->command});
        weir_input_flush(input);
        if (!test_frontier(worker, probe, 1, at->frontier))
            return;
        test_meet(worker, &s->met);
    }
    weir_input_close(&input);
    weir_run(worker);
    if (!weir_probe_done(probe))
        weir_stop(worker, "what operators keep at the end keeps the dataflow");
}

static void play_script(const weir_config *way, const step *steps, const char *out)
{
    script s = {.steps = steps};
    test_list_init(&s.out, 1);
    test_run(way, play, &s);
    char *text = test_list_text(&s.out);
    ck_assert_str_eq(text, out);
    free(text);
    test_list_fini(&s.out);
}

START_TEST(a_frontier_waits_for_what_is_kept)
{
    static const step steps[] = {{0, 0, "0"},
                                 {1, 0, "1"},
                                 {2, RETAIN, "2"},
                                 {7, 0, "2"},
                                 {9, SEND + 11, "2"},
                                 {9, DROP, "9"},
                                 {9, RETAIN + 3, "9"},
                                 {15, 0, "12"},
                                 {16, SEND + 12, "12"},
                                 {17, DROP, "17"},
                                 {0}};
    play_script(&test_ways[_i], steps, "2 +1 11\n12 +1 12\n");
}
END_TEST

START_TEST(capabilities_move_and_multiply)
{
    static const step steps[] = {{1, RETAIN, "1"},
                                 {9, 0, "1"},
                                 {9, DOWNGRADE + 3, "3"},
                                 {9, SEND + 1, "3"},
                                 {9, DELAY + 5, "3"},
                                 {9, DELAY + 3, "3"},
                                 {9, DROP, "3"},
                                 {9, SEND + 2, "3"},
                                 {9, DOWNGRADE + 7, "3"},
                                 {9, DROP, "3"},
                                 {9, SEND + 3, "3"},
                                 {9, DROP, "9"},
                                 {0}};
    play_script(&test_ways[_i], steps, "3 +1 1\n3 +1 3\n5 +1 2\n");
}
END_TEST

START_TEST(a_capability_may_move_to_where_it_is)
{
    static const step steps[] = {{4, RETAIN, "4"},
                                 {8, DOWNGRADE + 4, "4"},
                                 {8, DELAY + 4, "4"},
                                 {8, DROP, "4"},
                                 {8, SEND + 1, "4"},
                                 {8, DROP, "8"},
                                 {0}};
    play_script(&test_ways[_i], steps, "4 +1 1\n");
}
END_TEST

static void drop_with_capabilities(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "kept");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    weir_unary(rows, WEIR_LOCAL, &obedient, &num_type, NULL);
    if (!test_end(flow))
        return;
    for (uint64_t i = 0; i < 5; i++)
        num_push(weir_input_out(input), (num){RETAIN + i});
    weir_input_flush(input);
    weir_step(worker);
    weir_step(worker);
    weir_dataflow_drop(flow);
}

START_TEST(what_is_kept_goes_with_the_operator)
{
    test_run(&test_ways[_i], drop_with_capabilities, NULL);
}
END_TEST

/* ---- several inputs and outputs --------------------------------------------------------- */

/* Input i goes to output i; rows of 100 and more are kept until the input is at that epoch. */
static void cross_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        num_push(weir_send_at(op, input, weir_batch_time(batch, i)), *num_at(batch, i));
}

static const weir_operator cross = {.name = "cross", .batch = cross_batch};

typedef struct crossing {
    bool unrelated;
    _Atomic(uint32_t) met;
    test_list out[2];
} crossing;

static void run_cross(weir_worker *worker, void *arg)
{
    crossing *c = arg;
    weir_input *inputs[2];
    weir_probe *probes[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "cross");
    weir_stream a = weir_input_new(flow, &num_type, &inputs[0]);
    weir_stream b = weir_input_new(flow, &num_type, &inputs[1]);
    weir_builder *builder = weir_operator_begin(flow, &cross, NULL);
    weir_builder_input(builder, a, WEIR_LOCAL);
    weir_builder_input(builder, b, WEIR_GATHER(0));
    for (int i = 0; i < 2; i++)
        probes[i] = weir_probe_new(test_watch(weir_builder_output(builder, &num_type), &c->out[i]));
    if (c->unrelated) {
        weir_builder_unrelated(builder, 0, 1);
        weir_builder_unrelated(builder, 1, 0);
        weir_builder_summary(builder, 1, 1, weir_summary_identity(1));
    }
    weir_operator_end(builder);
    if (!test_end(flow))
        return;
    weir_input_advance(inputs[0], 4);
    num_push(weir_input_out(inputs[0]), (num){1});
    weir_input_flush(inputs[0]);
    test_frontier(worker, probes[0], 1, c->unrelated ? "4" : "0");
    test_frontier(worker, probes[1], 1, "0");
    test_meet(worker, &c->met);
    weir_input_advance(inputs[1], 6);
    num_push(weir_input_out(inputs[1]), (num){2});
    weir_input_flush(inputs[1]);
    test_frontier(worker, probes[0], 1, "4");
    test_frontier(worker, probes[1], 1, c->unrelated ? "6" : "4");
    test_meet(worker, &c->met);
    weir_input_close(&inputs[0]);
    test_frontier(worker, probes[0], 1, c->unrelated ? "" : "6");
    test_frontier(worker, probes[1], 1, "6");
}

START_TEST(an_output_waits_for_the_inputs_that_reach_it)
{
    for (int unrelated = 0; unrelated < 2; unrelated++) {
        crossing c = {.unrelated = unrelated};
        for (int i = 0; i < 2; i++)
            test_list_init(&c.out[i], 1);
        test_run(&test_ways[_i], run_cross, &c);
        char expected[2][32];
        sprintf(expected[0], "4 +%u 1\n", test_workers(_i));
        sprintf(expected[1], "6 +%u 2\n", test_workers(_i));
        for (int i = 0; i < 2; i++) {
            char *text = test_list_text(&c.out[i]);
            ck_assert_str_eq(text, expected[i]);
            free(text);
            test_list_fini(&c.out[i]);
        }
    }
}
END_TEST

/* ---- declared summaries ----------------------------------------------------------------- */

static void later_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    for (uint32_t i = 0; i < batch->count; i++) {
        weir_time then = *weir_batch_time(batch, i);
        then.at[0] = weir_add_saturating(then.at[0], num_at(batch, i)->value);
        num_push(weir_send_at(op, 0, &then), *num_at(batch, i));
    }
}

static const weir_operator later = {.name = "later", .batch = later_batch};
static const weir_operator later_at_once = {
    .name = "later", .stateless = true, .batch = later_batch};

typedef struct declared {
    const weir_operator *logic;
    _Atomic(uint32_t) met;
    test_list out;
} declared;

static void run_later(weir_worker *worker, void *arg)
{
    declared *d = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "later");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    weir_builder *builder = weir_operator_begin(flow, d->logic, NULL);
    weir_builder_input(builder, rows, WEIR_LOCAL);
    weir_stream out = weir_builder_output(builder, &num_type);
    weir_builder_summary(builder, 0, 0, weir_summary_add(1, 0, 5));
    weir_builder_summary(builder, 0, 0, weir_summary_add(1, 0, 3));
    weir_operator_end(builder);
    weir_probe *probe = weir_probe_new(test_watch(out, &d->out));
    if (!test_end(flow))
        return;
    test_frontier(worker, probe, 1, "3");
    test_meet(worker, &d->met);
    if (weir_worker_index(worker) == 0) {
        num_push(weir_input_out(input), (num){3});
        num_push(weir_input_out(input), (num){5});
    }
    weir_input_advance(input, 7);
    test_frontier(worker, probe, 1, "10");
    test_meet(worker, &d->met);
    weir_input_advance(input, UINT64_MAX - 1);
    if (weir_worker_index(worker) == 0)
        num_push(weir_input_out(input), (num){9});
    weir_input_flush(input);
    test_frontier(worker, probe, 1, "18446744073709551615");
    test_meet(worker, &d->met);
}

START_TEST(frontiers_follow_declared_summaries)
{
    const weir_operator *const kinds[] = {&later, &later_at_once};
    for (int k = 0; k < 2; k++) {
        declared d = {.logic = kinds[k]};
        test_list_init(&d.out, 1);
        test_run(&test_ways[_i], run_later, &d);
        char *text = test_list_text(&d.out);
        ck_assert_str_eq(text, "3 +1 3\n5 +1 5\n18446744073709551615 +1 9\n");
        free(text);
        test_list_fini(&d.out);
    }
}
END_TEST

/* ---- sources ---------------------------------------------------------------------------- */

static void take_second(weir_op *op)
{
    num_push(weir_send_at(op, 0, &WEIR_EPOCH(0)), (num){1}); /* allowed in `start` */
    weir_capability *c = weir_op_first_capability(op, 1);
    weir_capability_downgrade(c, &WEIR_EPOCH(3));
    weir_activate_after(op, 20000000);
}

static void send_second(weir_op *op)
{
    num_push(weir_send_at(op, 1, &WEIR_EPOCH(8)), (num){2});
    weir_op_stop(op, "done");
}

static const weir_operator two_outputs = {
    .name = "source", .source = true, .start = take_second, .run = send_second};

static void run_source(weir_worker *worker, void *out)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "source");
    weir_builder *builder = weir_operator_begin(flow, &two_outputs, NULL);
    weir_probe *probes[2];
    for (int i = 0; i < 2; i++)
        probes[i] = weir_probe_new(test_watch(weir_builder_output(builder, &num_type), out));
    weir_operator_end(builder);
    if (!test_end(flow))
        return;
    while (!weir_probe_done(probes[0]))
        weir_step(worker);
    while (!weir_stopping(worker) && weir_probe_below(probes[1], 3))
        weir_step(worker);
    if (weir_probe_below(probes[1], 4))
        weir_run(worker);
}

START_TEST(a_source_begins_with_a_capability_on_each_output)
{
    test_list out;
    test_list_init(&out, 1);
    test_stops(&test_ways[_i], run_source, &out, "`source`: done", NULL);
    ck_assert_uint_ge(out.count, test_workers(_i));
    test_list_fini(&out);
}
END_TEST

/* ---- what goes out, in which order and with which times --------------------------------- */

static void mix_sends(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_time next = batch->time;
    next.at[0] += 2;
    weir_out *out = weir_send_at(op, 0, &batch->time);
    num_push(out, (num){1});
    weir_out_diff(out, -1);
    weir_out_time(out, &next);
    num_push(out, (num){2});
    num_push(weir_send_at(op, 0, &batch->time), (num){3}); /* opened anew: its time, diff +1 */
    weir_forward(op, 0, batch);
    num_push(out, (num){5}); /* still open */
    weir_batch *made = weir_batch_new(&num_type, 1);
    made->count = 1;
    made->time = next;
    made->diff = 7;
    num_at(made, 0)->value = 6;
    weir_send_batch(op, 0, made);
    num_push(out, (num){7});
    num_push(weir_send_at(op, 0, &next), (num){8});
}

static void note_rows(weir_worker *worker, const weir_batch *batch, void *notes)
{
    (void)worker;
    for (uint32_t i = 0; i < batch->count; i++)
        test_note(notes, "%d@%d%+d", (int)num_at(batch, i)->value,
                  (int)weir_batch_time(batch, i)->at[0], (int)weir_batch_diff(batch, i));
}

static void run_mix(weir_worker *worker, void *arg)
{
    void **args = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "mix");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    rows = weir_unary(rows, WEIR_LOCAL, args[0], &num_type, NULL);
    weir_inspect_batch(rows, note_rows, args[1]);
    if (!test_end(flow) || weir_worker_index(worker))
        return;
    num_push(weir_input_out(input), (num){4});
}

START_TEST(rows_go_out_in_the_order_they_were_sent)
{
    for (int stateless = 0; stateless < 2; stateless++) {
        weir_operator logic = {.name = "mix", .stateless = stateless, .batch = mix_sends};
        test_notes notes = TEST_NOTES;
        void *args[] = {&logic, &notes};
        test_run(&test_ways[_i], run_mix, args);
        ck_assert_str_eq(test_notes_text(&notes),
                         "1@0+1 2@2-1 3@0+1 4@0+1 5@0+1 6@2+7 7@0+1 8@2+1");
    }
}
END_TEST

/* ---- rejected rows ---------------------------------------------------------------------- */

typedef struct rejecting {
    weir_operator logic;
    bool keep;
    test_list good, bad;
    _Atomic(uint64_t) rejected;
} rejecting;

static void reject_odd(weir_op *op, const weir_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (num_at(batch, i)->value % 2)
            weir_reject(op, &num_type, num_at(batch, i), "%llu is odd",
                        (unsigned long long)num_at(batch, i)->value);
        else
            num_push(weir_send_at(op, 0, &batch->time), *num_at(batch, i));
}

static void reject_at_once(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    reject_odd(op, batch);
    if (batch->count == 1)
        weir_reject(op, NULL, NULL, "a batch of one row");
}

static void reject_later(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_batch **waits = weir_notify_state(op, &batch->time, sizeof *waits);
    if (!*waits)
        *waits = weir_batch_retain(batch);
    else
        reject_at_once(op, input, batch);
}

static void reject_now(weir_op *op, const weir_time *time, void *state)
{
    (void)time;
    weir_batch **waits = state;
    reject_at_once(op, 0, *waits);
    weir_batch_drop(*waits);
}

static void count_rejected(weir_op *op)
{
    rejecting *r = weir_op_arg(op);
    atomic_fetch_add(&r->rejected, weir_op_rejected(op));
}

static void run_rejecting(weir_worker *worker, void *arg)
{
    rejecting *r = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "rejects");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    weir_stream good = weir_unary(rows, WEIR_LOCAL, &r->logic, &num_type, r);
    test_watch(good, &r->good);
    weir_on_reject(good, WEIR_REJECT_SKIP);
    weir_probe *probe = weir_probe_new(good);
    if (r->keep) {
        weir_stream bad = weir_rejects(good);
        test_watch(bad, &r->bad);
        test_watch(weir_rejects(good), &r->bad); /* the same stream once more */
        probe = weir_probe_new(bad);
    }
    if (!test_end(flow))
        return;
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        weir_input_advance(input, epoch);
        for (uint64_t i = 0; i < 4 && weir_worker_index(worker) == 0; i++)
            num_push(weir_input_out(input), (num){10 * epoch + i});
        weir_input_flush(input);
        if (epoch && weir_worker_index(worker) == 0)
            num_push(weir_input_out(input), (num){99});
        weir_input_advance(input, epoch + 1);
        weir_probe_wait(worker, probe, epoch + 1);
    }
}

START_TEST(rejected_rows_are_skipped_or_kept)
{
    static const weir_operator kinds[] = {
        {.name = "picky", .batch = reject_at_once, .stop = count_rejected},
        {.name = "picky", .stateless = true, .batch = reject_at_once, .stop = count_rejected},
        {.name = "picky", .batch = reject_later, .notify = reject_now, .stop = count_rejected}};
    for (int k = 0; k < 6; k++) {
        rejecting r = {.logic = kinds[k / 2], .keep = k % 2};
        test_list_init(&r.good, 1);
        test_list_init(&r.bad, 1);
        test_run(&test_ways[_i], run_rejecting, &r);
        ck_assert_uint_eq(r.rejected, 6);
        char *good = test_list_text(&r.good), *bad = test_list_text(&r.bad);
        ck_assert_str_eq(good, "0 +1 0\n0 +1 2\n1 +1 10\n1 +1 12\n");
        ck_assert_str_eq(bad, r.keep ? "0 +2 picky\t1\t1 is odd\n"
                                       "0 +2 picky\t3\t3 is odd\n"
                                       "1 +2 picky\t\ta batch of one row\n"
                                       "1 +2 picky\t11\t11 is odd\n"
                                       "1 +2 picky\t13\t13 is odd\n"
                                       "1 +2 picky\t99\t99 is odd\n"
                                     : "");
        free(good);
        free(bad);
        test_list_fini(&r.good);
        test_list_fini(&r.bad);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("capabilities");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_frontier_waits_for_what_is_kept, 0, TEST_WAYS);
    tcase_add_loop_test(cases, capabilities_move_and_multiply, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_capability_may_move_to_where_it_is, 0, TEST_WAYS);
    tcase_add_loop_test(cases, what_is_kept_goes_with_the_operator, 0, TEST_WAYS);
    tcase_add_loop_test(cases, an_output_waits_for_the_inputs_that_reach_it, 0, TEST_WAYS);
    tcase_add_loop_test(cases, frontiers_follow_declared_summaries, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_source_begins_with_a_capability_on_each_output, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_go_out_in_the_order_they_were_sent, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rejected_rows_are_skipped_or_kept, 0, TEST_WAYS);
    return test_main("capabilities", cases);
}
