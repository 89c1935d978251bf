/* What operators must not do while they run: each is caught, named, and stops the execution
 * with a reason; nothing crashes, hangs or goes on with wrong frontiers. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define WORD(F) F(weir_text, text)
WEIR_ROW(word, WORD)

/* ---- the dataflow that all cases run ---------------------------------------------------- */

typedef struct misuse {
    weir_operator logic;
    const char *parts[3]; /* of the reason */
    bool source;          /* no input */
    bool declares_later;  /* input to output: 3 later; and nothing to output 1 */
} misuse;

/* Worker 0 pushes one row at each of the epochs 5 to 7. An operator before the misused one
 * has a queue, so that it is called from a step; one behind it cares for frontiers. */
static void pass_on(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_forward(op, 0, batch);
}

static const weir_operator upstream = {.name = "upstream", .batch = pass_on};

static void count_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_notify_at(op, &batch->time);
}

static void count_notify(weir_op *op, const weir_time *time, void *state)
{
    (void)op, (void)time, (void)state;
}

static const weir_operator downstream = {
    .name = "downstream", .batch = count_batch, .notify = count_notify};

static void run_misuse(weir_worker *worker, void *arg)
{
    const misuse *m = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "misused");
    weir_stream rows =
        weir_unary(weir_input_new(flow, &num_type, &input), WEIR_LOCAL, &upstream, &num_type, NULL);
    weir_builder *builder = weir_operator_begin(flow, &m->logic, arg);
    if (!m->source)
        weir_builder_input(builder, rows, WEIR_LOCAL);
    weir_stream out = weir_builder_output(builder, &num_type);
    weir_builder_output(builder, &num_type);
    if (m->declares_later) {
        weir_builder_summary(builder, 0, 0, weir_summary_add(1, 0, 3));
        weir_builder_unrelated(builder, 0, 1);
    }
    weir_operator_end(builder);
    weir_sink(out, WEIR_LOCAL, &downstream, NULL);
    weir_probe *probe = weir_probe_new(out);
    if (!test_end(flow))
        return;
    for (uint64_t epoch = 5; epoch < 8; epoch++) {
        weir_input_advance(input, epoch);
        if (weir_worker_index(worker) == 0)
            num_push(weir_input_out(input), (num){epoch});
        weir_probe_wait(worker, probe, m->source ? 0 : epoch);
    }
    weir_input_close(&input);
    weir_run(worker);
}

/* ---- sending ---------------------------------------------------------------------------- */

static void send_early(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    num_push(weir_send_at(op, 0, &WEIR_EPOCH(batch->time.at[0] - 1)), (num){1});
}

static void send_batch_early(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_batch *made = weir_batch_like(batch, &num_type);
    memcpy(made->rows, batch->rows, batch->count * sizeof(num));
    made->time.at[0]--;
    weir_send_batch(op, 0, made);
}

static void send_row_early(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_batch *made = weir_batch_like(batch, &num_type);
    memcpy(made->rows, batch->rows, batch->count * sizeof(num));
    weir_batch_add_times(made);
    made->times[0].at[0]--;
    weir_send_batch(op, 0, made);
}

static void push_early(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_out *out = weir_send_at(op, 0, &batch->time);
    num_push(out, (num){1});
    weir_out_time(out, &WEIR_EPOCH(batch->time.at[0] - 1));
    num_push(out, (num){2});
}

static void send_without_capability(weir_op *op)
{
    if (weir_op_frontier(op, 0)->count)
        num_push(weir_send_at(op, 0, &weir_op_frontier(op, 0)->times[0]), (num){1});
}

static void send_at_next(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    num_push(weir_send_at(op, 0, &WEIR_EPOCH(batch->time.at[0] + 1)), (num){1});
}

static void send_to_unrelated(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    num_push(weir_send_at(op, 1, &batch->time), (num){1});
}

/* An out that is kept beyond its call, and then opened again. */
static void push_to_old(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_out **old = weir_op_state(op);
    if (*old)
        num_push(*old, (num){2});
    *old = weir_send_at(op, 0, &batch->time);
    num_push(*old, (num){1});
}

static void send_other_rows(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_batch *words = weir_batch_new(&word_type, 1);
    words->count = 1;
    words->time = batch->time;
    *word_at(words, 0) = (word){weir_text_c("x")};
    weir_send_batch(op, 0, words);
}

static const misuse sending[] = {
    {.logic = {.name = "early", .batch = send_early},
     .parts = {"operator 2 `early`", "output 0 at time 4", "time 5"}},
    {.logic = {.name = "early", .stateless = true, .batch = send_early},
     .parts = {"operator 2 `early`", "output 0 at time 4", "time 5"}},
    {.logic = {.name = "early", .batch = send_batch_early},
     .parts = {"output 0 at time 4", "time 5"}},
    {.logic = {.name = "early", .batch = send_row_early},
     .parts = {"operator 2 `early`", "time 4", "time 5"}},
    {.logic = {.name = "early", .batch = push_early},
     .parts = {"output 0", "time 4", "not at or after 5"}},
    {.logic = {.name = "empty-handed", .frontier = send_without_capability},
     .parts = {"`empty-handed`", "without a capability", "output 0"}},
    {.logic = {.name = "too soon", .batch = send_at_next},
     .parts = {"`too soon`", "output 0 at time 6", "summaries declared for input 0"},
     .declares_later = true},
    {.logic = {.name = "elsewhere", .batch = send_to_unrelated},
     .parts = {"`elsewhere`", "output 1 at time 5", "summaries declared for input 0"},
     .declares_later = true},
    {.logic = {.name = "hoarder", .state_bytes = sizeof(weir_out *), .batch = push_to_old},
     .parts = {"`hoarder`", "output 0", "weir_send_at"}},
    {.logic = {.name = "mixer", .batch = send_other_rows}, .parts = {"`mixer`", "`word`", "`num`"}},
};

/* ---- capabilities ----------------------------------------------------------------------- */

static void retain_early(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_retain(op, 0, &WEIR_EPOCH(batch->time.at[0] - 2));
}

static void retain_and_drop(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_capability_drop(weir_retain(op, 0, &batch->time));
}

static void retain_and_keep(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_retain(op, 0, &batch->time);
}

static void retain_without_capability(weir_op *op)
{
    weir_retain(op, 0, &WEIR_EPOCH(100));
}

static void downgrade_back(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_capability *c = weir_retain(op, 0, &batch->time);
    weir_capability_downgrade(c, &WEIR_EPOCH(batch->time.at[0] + 4));
    weir_capability_downgrade(c, &WEIR_EPOCH(batch->time.at[0] + 3));
}

static void delay_back(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_capability *c = weir_retain(op, 0, &batch->time);
    weir_capability *d = weir_capability_delay(c, &WEIR_EPOCH(batch->time.at[0] - 5));
    weir_capability_drop(c);
    weir_capability_drop(d);
}

static void first_twice(weir_op *op)
{
    weir_op_first_capability(op, 0);
    weir_op_first_capability(op, 0);
}

static void first_of_no_source(weir_op *op)
{
    weir_op_first_capability(op, 0);
}

static void activate(weir_op *op)
{
    weir_op_first_capability(op, 1);
    weir_activate(op);
}

static void first_too_late(weir_op *op)
{
    weir_capability_drop(weir_op_first_capability(op, 0));
}

static const misuse capabilities[] = {
    {.logic = {.name = "keeper", .batch = retain_early},
     .parts = {"operator 2 `keeper`", "output 0 at time 3", "time 5"}},
    {.logic = {.name = "forgetful", .stateless = true, .batch = retain_and_drop},
     .parts = {"`forgetful`", "capability", "stateless"}},
    {.logic = {.name = "forgetful", .stateless = true, .batch = retain_and_keep},
     .parts = {"`forgetful`", "capability", "stateless"}},
    {.logic = {.name = "empty-handed", .frontier = retain_without_capability},
     .parts = {"`empty-handed`", "without a capability", "output 0"}},
    {.logic = {.name = "backwards", .batch = downgrade_back},
     .parts = {"`backwards`", "downgrades its capability of output 0", "from time 9 to 8"}},
    {.logic = {.name = "backwards", .batch = delay_back},
     .parts = {"`backwards`", "delays its capability of output 0", "from time 5 to 0"}},
    {.logic = {.name = "greedy", .source = true, .start = first_twice},
     .parts = {"operator 2 `greedy`", "first capability of output 0", "twice"},
     .source = true},
    {.logic = {.name = "no source", .start = first_of_no_source},
     .parts = {"`no source`", "first capability of output 0", "not declared a source"}},
    {.logic = {.name = "late", .source = true, .start = activate, .run = first_too_late},
     .parts = {"`late`", "first capability of output 0", "`start`"},
     .source = true},
};

/* ---- notifications, rejects ------------------------------------------------------------- */

static void notify_early(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_notify_at(op, &WEIR_EPOCH(batch->time.at[0] - 1));
}

static void ignore(weir_op *op, const weir_time *time, void *state)
{
    (void)op, (void)time, (void)state;
}

static void notify_at_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_notify_at(op, &batch->time);
}

static void reject_first(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_reject(op, &num_type, batch->rows, "%s is odd", "this");
}

static void stop_itself(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_op_stop(op, "met %u rows at %d", batch->count, (int)batch->time.at[0]);
}

static const misuse others[] = {
    {.logic = {.name = "impatient", .batch = notify_early, .notify = ignore},
     .parts = {"operator 2 `impatient`", "notification", "at time 4"}},
    {.logic = {.name = "deaf", .batch = notify_at_batch},
     .parts = {"`deaf`", "no `notify` callback"}},
    {.logic = {.name = "deaf", .stateless = true, .batch = notify_at_batch},
     .parts = {"`deaf`", "no `notify` callback"}},
    {.logic = {.name = "strict", .batch = reject_first},
     .parts = {"operator 2 `strict`", "rejects a row: this is odd", "5"}},
    {.logic = {.name = "strict", .stateless = true, .batch = reject_first},
     .parts = {"operator 2 `strict`", "rejects a row: this is odd", "5"}},
    {.logic = {.name = "quitter", .batch = stop_itself},
     .parts = {"worker 0: ", "dataflow `misused`, operator 2 `quitter`: met 1 rows at 5"}},
};

/* ---- declarations that cannot be -------------------------------------------------------- */

static void nothing(weir_op *op)
{
    (void)op;
}

static const misuse declarations[] = {
    {.logic = {.name = "muddled", .stateless = true, .notify = ignore},
     .parts = {"`misused`", "`muddled`", "stateless"}},
    {.logic = {.name = "muddled", .stateless = true, .run = nothing},
     .parts = {"`muddled`", "stateless"}},
    {.logic = {.name = "muddled", .stateless = true, .frontier = nothing},
     .parts = {"`muddled`", "stateless"}},
    {.logic = {.name = "muddled", .stateless = true, .source = true},
     .parts = {"`muddled`", "stateless"}},
};

/* Test i is case i / TEST_WAYS, run in way i % TEST_WAYS. */
#define TESTS_OF(cases) ((int)(sizeof cases / sizeof *cases) * TEST_WAYS)

static void check_case(const misuse *cases, int i)
{
    const misuse *m = &cases[i / TEST_WAYS];
    test_stops(&test_ways[i % TEST_WAYS], run_misuse, (void *)m, m->parts[0], m->parts[1],
               m->parts[2], NULL);
}

START_TEST(sending_where_it_is_not_allowed)
{
    check_case(sending, _i);
}
END_TEST

START_TEST(capabilities_used_wrongly)
{
    check_case(capabilities, _i);
}
END_TEST

START_TEST(notifications_and_rejects)
{
    check_case(others, _i);
}
END_TEST

START_TEST(declarations_that_contradict_themselves)
{
    check_case(declarations, _i);
}
END_TEST

/* ---- what no error could be given for: the process says what and ends ------------------- */

static void step_itself(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input, (void)batch;
    weir_step(weir_op_worker(op));
}

static void send_to_output_seven(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_send_at(op, 7, &batch->time);
}

static const misuse fatal[] = {
    {.logic = {.name = "stepper", .batch = step_itself},
     .parts = {"steps the worker that runs it"}},
    {.logic = {.name = "pointer", .batch = send_to_output_seven},
     .parts = {"`pointer`", "output 7", "it has 2"}},
};

static int run_fatal(void *arg)
{
    weir_err_free(weir_execute(&(weir_config){.workers = 2}, run_misuse, arg));
    return 0;
}

START_TEST(fatal_misuse_says_what_it_is)
{
    test_child child = test_child_run(run_fatal, (void *)&fatal[_i]);
    ck_assert_int_ne(child.code, 0);
    for (int i = 0; i < 3 && fatal[_i].parts[i]; i++)
        ck_assert_msg(strstr(child.err, fatal[_i].parts[i]) != NULL, "%s", child.err);
    ck_assert_msg(!strstr(child.err, "bug in weir"), "%s", child.err);
    test_child_free(&child);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("misuse");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, sending_where_it_is_not_allowed, 0, TESTS_OF(sending));
    tcase_add_loop_test(cases, capabilities_used_wrongly, 0, TESTS_OF(capabilities));
    tcase_add_loop_test(cases, notifications_and_rejects, 0, TESTS_OF(others));
    tcase_add_loop_test(cases, declarations_that_contradict_themselves, 0, TESTS_OF(declarations));
    tcase_add_loop_test(cases, fatal_misuse_says_what_it_is, 0, 2);
    return test_main("misuse", cases);
}
