/* Loops: nested, with several variables, in the root dimension, and those that cannot be. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define WORD(F) F(weir_text, text)
WEIR_ROW(word, WORD)

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

WEIR_FILTER_MAP(count_down, num, num)
{
    out->value = in->value - 1;
    return in->value > 0;
}

WEIR_MAP(same, num, num)
{
    out->value = in->value;
}

WEIR_MAP(to_word, num, word)
{
    out->text = weir_text_c("w");
}

/* Runs `build` on rows of one input: row i at epoch i / 2 of worker 0; what it lists in out
 * must be `expected` in every way to run. */
typedef struct looping {
    weir_stream (*build)(weir_dataflow *flow, weir_stream in, test_list *out);
    const uint64_t *rows;
    uint32_t count;
    test_list out;
} looping;

static void run_looping(weir_worker *worker, void *arg)
{
    looping *l = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "looping");
    weir_stream in = weir_input_new(flow, &num_type, &input);
    weir_probe *probe = weir_probe_new(l->build(flow, in, &l->out));
    if (!test_end(flow))
        return;
    for (uint32_t i = 0; i < l->count; i++) {
        weir_input_advance(input, i / 2);
        if (weir_worker_index(worker) == 0)
            num_push(weir_input_out(input), (num){l->rows[i]});
        if (i % 3 == 0)
            weir_probe_wait(worker, probe, i / 2);
    }
    weir_input_close(&input);
    weir_run(worker);
    if (!weir_probe_done(probe))
        weir_stop(worker, "the loop is not complete");
}

static void expect_loop(const weir_config *way,
                        weir_stream (*build)(weir_dataflow *, weir_stream, test_list *),
                        const uint64_t *rows, uint32_t count, const char *expected)
{
    looping l = {.build = build, .rows = rows, .count = count};
    test_list_init(&l.out, 1);
    test_run(way, run_looping, &l);
    char *text = test_list_text(&l.out);
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(&l.out);
}

/* ---- one loop, and three inside one another ----------------------------------------------------
 */

static weir_stream one_loop(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *loop = weir_loop_begin(flow, "down");
    weir_stream now = weir_variable(loop, weir_enter(loop, in));
    weir_stream next = weir_filter_map(weir_exchange_by(now, &by_value, NULL), &count_down);
    weir_variable_set(now, next);
    return weir_leave(loop, test_watch(next, out));
}

START_TEST(rounds_follow_one_another)
{
    static const uint64_t rows[] = {2, 3, 0, 1};
    expect_loop(&test_ways[_i], one_loop, rows, 4,
                "(0, 0) +1 1\n(0, 0) +1 2\n(0, 1) +1 0\n(0, 1) +1 1\n(0, 2) +1 0\n(1, 0) +1 0\n");
}
END_TEST

/* Counts a row down by one in each innermost round, and lets it begin anew from there in the
 * loop around, twice. */
static weir_stream three_loops(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *a = weir_loop_begin(flow, "a"), *b = weir_loop_begin(a, "b"),
              *c = weir_loop_begin(b, "c");
    if (weir_scope_dims(c) != 4)
        weir_scope_fail(c, "there are %d coordinates", weir_scope_dims(c));
    weir_stream in_a = weir_variable(a, weir_enter(a, in));
    weir_stream in_b = weir_variable(b, weir_enter(b, in_a));
    weir_stream in_c = weir_variable(c, weir_enter(c, in_b));
    weir_stream down_c =
        weir_filter_map(test_watch(weir_exchange_by(in_c, &by_value, NULL), out), &count_down);
    weir_variable_set(in_c, down_c);
    weir_stream down_b = weir_filter_map(weir_leave(c, down_c), &count_down);
    weir_variable_set(in_b, down_b);
    weir_stream down_a = weir_filter_map(weir_leave(b, down_b), &count_down);
    weir_variable_set(in_a, down_a);
    return weir_leave(a, down_a);
}

/* The same, naively: what a row gives at a time in the innermost loop. */
static void count_naively(test_list *list, uint64_t epoch, uint64_t value)
{
    typedef struct item {
        weir_time time;
        uint64_t value;
    } item;
    static item work[4096];
    int count = 0;
    work[count++] = (item){{{epoch}}, value};
    while (count) {
        item at = work[--count];
        test_list_add(list, &num_type, &(num){at.value}, &at.time, 1);
        if (!at.value)
            continue;
        item next = {at.time, at.value - 1};
        next.time.at[3]++;
        work[count++] = next;
        if (at.value < 2)
            continue;
        work[count++] = (item){{{epoch, at.time.at[1], at.time.at[2] + 1}}, at.value - 2};
        if (at.value < 3)
            continue;
        work[count++] = (item){{{epoch, at.time.at[1] + 1}}, at.value - 3};
    }
}

START_TEST(four_coordinates)
{
    static const uint64_t rows[] = {7, 2, 5, 0, 9};
    test_list naive;
    test_list_init(&naive, 4);
    for (uint32_t i = 0; i < 5; i++)
        count_naively(&naive, i / 2, rows[i]);
    char *expected = test_list_text(&naive);
    test_list_fini(&naive);
    expect_loop(&test_ways[_i], three_loops, rows, 5, expected);
    free(expected);
}
END_TEST

/* ---- several variables
 * --------------------------------------------------------------------------- */

/* Rows change between the two as they are counted down; both see one another's rounds. */
static weir_stream two_variables(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *loop = weir_loop_begin(flow, "pair");
    weir_stream entered = weir_enter(loop, in);
    weir_stream left = weir_variable(loop, entered);
    weir_stream none = weir_enter(loop, weir_from_rows(flow, &num_type, NULL, 0));
    weir_stream right = weir_variable(loop, none);
    weir_variable_set(left, weir_filter_map(weir_exchange_by(right, &by_value, NULL), &count_down));
    weir_variable_set(right, weir_filter_map(weir_broadcast(left), &count_down));
    test_watch(left, &out[0]);
    return weir_leave(loop, weir_concat(left, right));
}

START_TEST(variables_depend_on_one_another)
{
    static const uint64_t rows[] = {5};
    char expected[128];
    uint32_t w = test_workers(_i);
    sprintf(expected, "(0, 0) +1 5\n(0, 2) +%u 3\n(0, 4) +%u 1\n", w, w * w);
    expect_loop(&test_ways[_i], two_variables, rows, 1, expected);
}
END_TEST

/* ---- feedback in a root dimension
 * -------------------------------------------------------------------- */

/* The sum up to an epoch is that of the epoch before and the epoch's rows; it ends after
 * epoch 4. */
static void sum_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t *sum = weir_notify_state(op, weir_batch_time(batch, i), sizeof *sum);
        *sum += num_at(batch, i)->value;
    }
}

static void sum_notify(weir_op *op, const weir_time *time, void *state)
{
    if (time->at[0] < 5)
        num_push(weir_send_at(op, 0, time), (num){*(uint64_t *)state});
}

static const weir_operator sum_up = {.name = "sum up", .batch = sum_batch, .notify = sum_notify};

static weir_stream running_sum(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_add(1, 0, 1));
    weir_stream sum = weir_unary(weir_concat(in, back), WEIR_GATHER(0), &sum_up, &num_type, NULL);
    weir_feedback_set(back, sum);
    return test_watch(sum, out);
}

START_TEST(a_value_depends_on_its_previous_epoch)
{
    static const uint64_t rows[] = {1, 2, 10, 20, 100, 200, 0, 0};
    expect_loop(&test_ways[_i], running_sum, rows, 8,
                "0 +1 3\n1 +1 33\n2 +1 333\n3 +1 333\n4 +1 333\n");
}
END_TEST

typedef struct planes {
    test_list out;
    _Atomic(uint32_t) met;
} planes;

/* Along the second of two dimensions, and in a loop inside. */
static void run_planes(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"system", "valid"};
    planes *p = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "planes");
    weir_dataflow_dims(flow, names, 2);
    weir_stream in = weir_input_new(flow, &num_type, &input);
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_add(2, 1, 3));
    weir_stream now = weir_concat(in, back);
    weir_loop *loop = weir_loop_begin(flow, "down");
    weir_stream inner = weir_variable(loop, weir_enter(loop, now));
    weir_variable_set(inner, weir_filter_map(weir_broadcast(inner), &count_down));
    weir_stream down = weir_filter_map(weir_gather(now, 0), &count_down);
    weir_feedback_set(back, down);
    test_watch(down, &p->out);
    weir_probe *probe = weir_probe_new(down), *inside = weir_probe_new(weir_leave(loop, inner));
    if (!test_end(flow))
        return;
    if (weir_worker_index(worker) == 0) {
        weir_input_advance_to(input, &(weir_time){{1, 5}});
        num_push(weir_input_out(input), (num){3});
    }
    weir_input_advance_to(input, &(weir_time){{2, 6}});
    test_frontier(worker, probe, 2, "(2, 6)");
    test_frontier(worker, inside, 2, "(2, 6)");
    test_meet(worker, &p->met);
}

START_TEST(feedback_along_a_second_dimension)
{
    planes p = {0};
    test_list_init(&p.out, 2);
    test_run(&test_ways[_i], run_planes, &p);
    char *text = test_list_text(&p.out);
    ck_assert_str_eq(text, "(1, 5) +1 2\n(1, 8) +1 1\n(1, 11) +1 0\n");
    free(text);
    test_list_fini(&p.out);
}
END_TEST

/* ---- union, enter and leave over several scopes
 * --------------------------------------------------------- */

static weir_stream unite(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *outer = weir_loop_begin(flow, "outer"), *inner = weir_loop_begin(outer, "inner");
    weir_stream in_outer = weir_enter(outer, in), in_inner = weir_enter(inner, in);
    weir_stream later = weir_feedback(inner, &num_type, weir_summary_add(3, 2, 7));
    weir_feedback_set(later, weir_map(in_inner, &same));
    weir_stream all = weir_union(outer, (weir_stream[]){in, in_outer, in_inner, later}, 4);
    return weir_leave(outer, test_watch(all, out));
}

START_TEST(streams_of_several_scopes_are_united)
{
    static const uint64_t rows[] = {1, 2, 3};
    expect_loop(&test_ways[_i], unite, rows, 3, "(0, 0) +4 1\n(0, 0) +4 2\n(1, 0) +4 3\n");
}
END_TEST

/* ---- rows with times of their own
 * -------------------------------------------------------------------------- */

static void spread_rows(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_batch *made = weir_batch_new(&num_type, 3);
    made->count = 3;
    made->time = batch->time;
    weir_batch_add_times(made);
    for (uint32_t i = 0; i < 3; i++) {
        num_at(made, i)->value = i;
        made->times[i].at[0] += i;
        made->times[i].at[1] += 10 * i;
    }
    weir_forward(op, 0, made); /* twice, so that nobody may write into it */
    weir_send_batch(op, 0, made);
}

static const weir_operator spread = {.name = "spread", .stateless = true, .batch = spread_rows};

/* What comes back, and what leaves. */
static weir_stream carried_back(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream rows = weir_unary(weir_enter(loop, in), WEIR_LOCAL, &spread, &num_type, NULL);
    weir_stream back = weir_feedback(loop, &num_type, weir_summary_add(2, 1, 5));
    weir_feedback_set(back, weir_exchange_by(rows, &by_value, NULL));
    return weir_leave(loop, test_watch(back, out));
}

static weir_stream carried_out(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream rows = weir_unary(weir_enter(loop, in), WEIR_LOCAL, &spread, &num_type, NULL);
    return test_watch(weir_leave(loop, weir_exchange_by(rows, &by_value, NULL)), out);
}

START_TEST(rows_carry_their_times_through_a_loop)
{
    static const uint64_t rows[] = {1};
    expect_loop(&test_ways[_i], carried_back, rows, 1, "(0, 5) +2 0\n(1, 15) +2 1\n(2, 25) +2 2\n");
    expect_loop(&test_ways[_i], carried_out, rows, 1, "0 +2 0\n1 +2 1\n2 +2 2\n");
}
END_TEST

/* ---- the last round
 * ------------------------------------------------------------------------------------------- */

static void run_last_round(weir_worker *worker, void *arg)
{
    looping *l = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "last");
    weir_stream in = weir_input_new(flow, &num_type, &input);
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream back = weir_feedback(loop, &num_type, weir_summary_add(2, 1, UINT64_MAX - 1));
    weir_stream now = weir_concat(weir_enter(loop, in), back);
    weir_feedback_set(back, weir_filter_map(now, &count_down));
    test_watch(back, &l->out);
    weir_probe *probe = weir_probe_new(weir_leave(loop, now));
    if (!test_end(flow))
        return;
    if (weir_worker_index(worker) == 0)
        num_push(weir_input_out(input), (num){l->rows[0]});
    weir_input_close(&input);
    weir_run(worker);
    if (!weir_stopping(worker) && !weir_probe_done(probe))
        weir_stop(worker, "the loop is not complete");
}

START_TEST(a_loop_ends_at_the_last_round)
{
    static const uint64_t once[] = {1}, twice[] = {2};
    looping l = {.rows = once};
    test_list_init(&l.out, 2);
    test_run(&test_ways[_i], run_last_round, &l);
    char *text = test_list_text(&l.out);
    ck_assert_str_eq(text, "(0, 18446744073709551614) +1 0\n");
    free(text);
    l.rows = twice;
    test_stops(&test_ways[_i], run_last_round, &l, "`feedback`", "past the end of time",
               "(0, 18446744073709551614)", NULL);
    test_list_fini(&l.out);
}
END_TEST

/* A batch whose time can be carried back has a row whose time cannot. */
static void near_the_end(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_batch *made = weir_batch_new(&num_type, 2);
    made->count = 2;
    made->time = batch->time;
    weir_batch_add_times(made);
    num_at(made, 0)->value = num_at(made, 1)->value = 0;
    made->times[1].at[1] = UINT64_MAX;
    weir_send_batch(op, 0, made);
}

static const weir_operator nearly = {.name = "nearly", .batch = near_the_end};

static weir_stream row_past_the_end(weir_dataflow *flow, weir_stream in, test_list *out)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream rows = weir_unary(weir_enter(loop, in), WEIR_LOCAL, &nearly, &num_type, NULL);
    weir_stream back = weir_feedback(loop, &num_type, weir_summary_add(2, 1, 1));
    weir_feedback_set(back, rows);
    return weir_leave(loop, test_watch(back, out));
}

START_TEST(a_row_does_not_pass_the_last_round_either)
{
    static const uint64_t rows[] = {1};
    looping l = {.build = row_past_the_end, .rows = rows, .count = 1};
    test_list_init(&l.out, 1);
    test_stops(&test_ways[_i], run_looping, &l, "`feedback`", "past the end of time",
               "(0, 18446744073709551615)", NULL);
    test_list_fini(&l.out);
}
END_TEST

/* ---- loops that cannot be
 * ------------------------------------------------------------------------------------------ */

typedef struct impossible {
    void (*build)(weir_dataflow *flow, weir_stream in);
    const char *parts[4];
} impossible;

#define BUILD(name) static void name(WEIR_UNUSED weir_dataflow *flow, WEIR_UNUSED weir_stream in)

BUILD(unset_feedback)
{
    weir_concat(in, weir_feedback(flow, &num_type, weir_summary_add(1, 0, 1)));
}

BUILD(unset_variable)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_map(weir_variable(loop, weir_enter(loop, in)), &same);
}

BUILD(standing_still)
{
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_identity(1));
    weir_feedback_set(back, weir_map(weir_concat(in, back), &same));
}

BUILD(not_its_own_round)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream back = weir_feedback(loop, &num_type, weir_summary_add(2, 0, 1));
    weir_feedback_set(back, weir_map(weir_concat(weir_enter(loop, in), back), &same));
}

BUILD(step_of_other_dims)
{
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_add(2, 1, 1));
    weir_feedback_set(back, weir_concat(in, back));
}

BUILD(set_twice)
{
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_add(1, 0, 1));
    weir_feedback_set(back, weir_concat(in, back));
    weir_feedback_set(back, in);
}

BUILD(variable_set_twice)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream now = weir_variable(loop, weir_enter(loop, in));
    weir_variable_set(now, now);
    weir_variable_set(now, now);
}

BUILD(not_a_feedback)
{
    weir_feedback_set(weir_map(in, &same), in);
}

BUILD(not_a_variable)
{
    weir_variable_set(weir_map(in, &same), in);
}

BUILD(concat_is_not_a_variable)
{
    weir_variable_set(weir_concat(in, weir_map(in, &same)), in);
}

BUILD(other_rows_back)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream now = weir_variable(loop, weir_enter(loop, in));
    weir_variable_set(now, weir_map(now, &to_word));
}

BUILD(back_from_outside)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream now = weir_variable(loop, weir_enter(loop, in));
    weir_variable_set(now, in);
}

BUILD(variable_from_outside)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_stream now = weir_variable(loop, in);
    weir_variable_set(now, now);
}

BUILD(outside_in_a_loop)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_concat(weir_enter(loop, in), in);
}

BUILD(inside_outside)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_concat(in, weir_enter(loop, in));
}

BUILD(enter_from_inside)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_enter(loop, weir_enter(loop, in));
}

BUILD(enter_from_a_sibling)
{
    weir_loop *loop = weir_loop_begin(flow, "loop"), *other = weir_loop_begin(flow, "other");
    weir_enter(other, weir_enter(loop, in));
}

BUILD(leave_from_outside)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    weir_leave(loop, in);
}

BUILD(leave_the_dataflow)
{
    weir_leave(flow, in);
}

BUILD(union_of_grandchild)
{
    weir_loop *outer = weir_loop_begin(flow, "outer"), *inner = weir_loop_begin(outer, "inner");
    weir_union(flow, (weir_stream[]){in, weir_enter(inner, in)}, 2);
}

BUILD(five_coordinates)
{
    weir_scope *scope = flow;
    for (int i = 0; i < 4; i++) {
        scope = weir_loop_begin(scope, i == 3 ? "fifth" : "loop");
        in = weir_enter(scope, in);
        in = weir_variable(scope, in);
        weir_variable_set(in, weir_map(in, &same));
    }
}

BUILD(input_in_a_loop)
{
    weir_input *input;
    weir_input_new(weir_loop_begin(flow, "loop"), &num_type, &input);
}

static const impossible impossibles[] = {
    {unset_feedback, {"`feedback`", "not connected", "weir_feedback_set"}},
    {unset_variable, {"not connected", "weir_variable_set"}},
    {standing_still, {"feedback", "map same", "concat", "advance"}},
    {not_its_own_round, {"feedback", "map same", "concat", "own round"}},
    {step_of_other_dims, {"feedback", "2 to 2 coordinates", "has 1"}},
    {set_twice, {"set twice"}},
    {variable_set_twice, {"set twice"}},
    {not_a_feedback, {"`map same` is not a feedback"}},
    {not_a_variable, {"`map same` is not a variable"}},
    {concat_is_not_a_variable, {"`concat` is not a variable"}},
    {other_rows_back, {"feedback", "num(value u64)", "word(text text)"}},
    {back_from_outside, {"feedback", "`loop`", "`impossible`"}},
    {variable_from_outside, {"`loop`", "`impossible`", "weir_enter"}},
    {outside_in_a_loop, {"`concat`", "`loop`", "`impossible`", "weir_enter"}},
    {inside_outside, {"`concat`", "`loop`", "`impossible`", "weir_leave"}},
    {enter_from_inside, {"enter", "`loop`"}},
    {enter_from_a_sibling, {"enter", "`loop`", "`other`"}},
    {leave_from_outside, {"leave", "`loop`", "`impossible`"}},
    {leave_the_dataflow, {"leave", "`impossible`"}},
    {union_of_grandchild, {"`inner`", "`impossible`"}},
    {five_coordinates, {"`fifth`", "5 coordinates", "4 are possible"}},
    {input_in_a_loop, {"input", "`loop`", "weir_enter"}},
};
#define IMPOSSIBLES (int)(sizeof impossibles / sizeof *impossibles)

static void build_impossible(weir_worker *worker, void *arg)
{
    const impossible *i = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "impossible");
    i->build(flow, weir_input_new(flow, &num_type, &input));
    test_end(flow);
}

/* ---- very many rounds ------------------------------------------------------------------- */

static void run_long(weir_worker *worker, void *arg)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "long");
    weir_stream in = weir_input_new(flow, &num_type, &input);
    weir_loop *loop = weir_loop_begin(flow, "counts down");
    weir_stream value = weir_variable(loop, weir_enter(loop, in));
    weir_variable_set(value, weir_filter_map(value, &count_down));
    if (*(bool *)arg)
        weir_loop_rounds(loop, UINT64_C(1) << 40);
    if (test_end(flow))
        num_push(weir_input_out(input), (num){1100000});
}

/* Standard error says so once, unless the loop has a bound. */
START_TEST(a_loop_that_goes_on_and_on_is_named)
{
    bool bounded = _i;
    char said[512] = "";
    FILE *to = tmpfile();
    int before = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(to), STDERR_FILENO);
    test_run(&(weir_config){.workers = 1}, run_long, &bounded);
    dup2(before, STDERR_FILENO);
    rewind(to);
    said[fread(said, 1, sizeof said - 1, to)] = 0;
    fclose(to);
    close(before);
    const char *named = strstr(said, "dataflow `long`, loop `counts down`: has gone on for ");
    ck_assert_msg(bounded == !named, "%s", said);
    ck_assert(!named || !strstr(named + 1, "dataflow `long`"));
}
END_TEST

START_TEST(loops_that_cannot_be)
{
    const impossible *i = &impossibles[_i / TEST_WAYS_FEW];
    test_stops(&test_ways_few[_i % TEST_WAYS_FEW], build_impossible, (void *)i,
               "dataflow `impossible`: ", i->parts[0], i->parts[1] ? i->parts[1] : "",
               i->parts[2] ? i->parts[2] : "", i->parts[3], NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("loops");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, rounds_follow_one_another, 0, TEST_WAYS);
    tcase_add_loop_test(cases, four_coordinates, 0, TEST_WAYS);
    tcase_add_loop_test(cases, variables_depend_on_one_another, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_value_depends_on_its_previous_epoch, 0, TEST_WAYS);
    tcase_add_loop_test(cases, feedback_along_a_second_dimension, 0, TEST_WAYS);
    tcase_add_loop_test(cases, streams_of_several_scopes_are_united, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_carry_their_times_through_a_loop, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_loop_ends_at_the_last_round, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_row_does_not_pass_the_last_round_either, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_loop_that_goes_on_and_on_is_named, 0, 2);
    tcase_add_loop_test(cases, loops_that_cannot_be, 0, IMPOSSIBLES * TEST_WAYS_FEW);
    return test_main("loops", cases);
}
