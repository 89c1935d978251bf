/* Joins by event time in small: what is sent when, that memory does not grow with the stream, and
 * what is refused while building. Random ones are in oracle/event_joins.c, programs in
 * test_event_joins_cases.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/memory.h"
#include "tests/support/streams.h"

#define TRADE(F) F(u64, key) F(i64, at) F(i64, price)
#define QUOTE(F) F(u64, key) F(i64, at) F(i64, until) F(f64, weight)
#define PAIR(F)  F(u64, key) F(i64, a) F(i64, b)
#define TALLY(F) F(u64, key) F(i64, start) F(i64, end) F(i64, rows)
WEIR_ROW(trade, TRADE)
WEIR_ROW(quote, QUOTE)
WEIR_ROW(pair, PAIR)
WEIR_ROW(tally, TALLY)

#define IN_MS(F) F(u64, key) F(weir_time_ms, at)
#define IN_US(F) F(u64, key) F(weir_time_us, at)
WEIR_ROW(in_ms, IN_MS)
WEIR_ROW(in_us, IN_US)

WEIR_JOIN(both, trade, quote, pair)
{
    *out = (pair){a->key, a->at, b->at};
}

WEIR_MAP(alone, trade, pair)
{
    *out = (pair){in->key, in->at, -1};
}

WEIR_MAP(alone_trade, trade, trade)
{
    *out = *in;
}

#define TRADES WEIR_BY(trade, key)
#define QUOTES WEIR_BY(quote, key)

/* ---- what is sent when ------------------------------------------------------------------ */

/* A row of a side with its stamp; sides are fed by worker 0. */
typedef struct step {
    char side;
    int64_t at, stamp, diff;
} step;

typedef struct story {
    weir_stream (*build)(weir_stream a, weir_stream b);
    const step *steps;
    uint32_t count;
    const char *expected;
    test_list results;
} story;

static void work(weir_worker *worker, void *arg)
{
    story *self = arg;
    weir_input *a, *b;
    weir_dataflow *flow = weir_dataflow_begin(worker, "story");
    weir_stream trades = weir_input_new(flow, &trade_type, &a);
    test_watch(self->build(trades, weir_input_new(flow, &quote_type, &b)), &self->results);
    if (!test_end(flow))
        return;
    for (uint32_t i = 0; i < self->count && weir_worker_index(worker) == 0; i++) {
        const step *at = &self->steps[i];
        weir_input *to = at->side == 'a' ? a : b;
        weir_input_advance(to, weir_event_epoch(at->stamp));
        weir_out_diff(weir_input_out(to), at->diff);
        if (at->side == 'a')
            trade_push(weir_input_out(to), (trade){1, at->at, 0});
        else
            quote_push(weir_input_out(to), (quote){1, at->at, 0, 0});
        if (weir_random(worker) % 2)
            weir_input_flush(to);
        if (weir_random(worker) % 3 == 0)
            weir_step(worker);
    }
    weir_input_close(&a);
    weir_input_close(&b);
    weir_run(worker);
}

static weir_stream in_interval(weir_stream a, weir_stream b)
{
    return weir_interval_join(
        a, TRADES, b, QUOTES,
        &(weir_interval){.a_time = "at", .b_time = "at", .from = -2, .until = 5}, &both, NULL,
        NULL);
}

static weir_stream in_interval_or_not(weir_stream a, weir_stream b)
{
    weir_interval how = {
        .a_time = "at", .b_time = "at", .until = 5, .lateness = 20, .a_alone = &alone};
    return weir_interval_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream in_window(weir_stream a, weir_stream b)
{
    weir_window_match how = {
        .windows = {.kind = WEIR_TUMBLING, .time = "at", .size = 10, .lateness = 20},
        .a_alone = &alone};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream as_of(weir_stream a, weir_stream b)
{
    weir_latest how = {.a_time = "at", .b_time = "at", .lateness = 20, .alone = &alone};
    return weir_as_of_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream deduplicated(weir_stream a, WEIR_UNUSED weir_stream b)
{
    weir_duplicates how = {.time = "at", .keep = WEIR_KEEP_LAST, .within = 10, .lateness = 5};
    return weir_deduplicate(a, TRADES, &how, NULL);
}

#define STEPS(...)                                                                             \
    .steps = (const step[]){__VA_ARGS__}, .count = sizeof((step[]){__VA_ARGS__}) / sizeof(step)

/* Times are event times here, not coordinates. */
static const story stories[] = {
    {.build = in_interval, /* at the later stamp; 8 is too late, since 9 was reached */
     STEPS({'a', 10, 5, 1}, {'b', 8, 7, 1}, {'b', 15, 7, 1}, {'b', 16, 8, 1}, {'b', 8, 9, 1},
           {'b', 15, 12, -1}),
     .expected = "7 +1 1\t10\t15\n7 +1 1\t10\t8\n12 -1 1\t10\t15\n"},
    {.build = in_interval_or_not, /* alone when its interval is over, and then no more */
     STEPS({'a', 10, 5, 1}, {'a', 30, 5, 1}, {'b', 35, 6, 1}, {'b', 14, 17, 1}),
     .expected = "6 +1 1\t30\t35\n15 +1 1\t10\t-1\n17 -1 1\t10\t-1\n17 +1 1\t10\t14\n"},
    {.build = in_window, /* alone when its window closes, and then no more */
     STEPS({'a', 3, 0, 1}, {'a', 12, 3, 1}, {'b', 14, 3, 1}, {'b', 5, 25, 1}),
     .expected = "9 +1 1\t3\t-1\n19 +1 1\t12\t14\n25 -1 1\t3\t-1\n25 +1 1\t3\t5\n"},
    {.build = as_of, /* a later quote, and one that is taken away */
     STEPS({'b', 2, 0, 1}, {'a', 10, 0, 1}, {'b', 11, 4, 1}, {'b', 7, 12, 1}, {'b', 2, 13, -1},
           {'b', 7, 14, -1}),
     .expected = "10 +1 1\t10\t2\n12 -1 1\t10\t2\n12 +1 1\t10\t7\n14 +1 1\t10\t-1\n"
                 "14 -1 1\t10\t7\n"},
    {.build = deduplicated,
     STEPS({'a', 3, 0, 1}, {'a', 9, 1, 1}, {'a', 8, 2, 1}, {'a', 30, 2, 1}, {'a', 30, 31, -1}),
     .expected = "0 +1 1\t3\t0\n1 -1 1\t3\t0\n1 +1 1\t9\t0\n2 +1 1\t30\t0\n31 -1 1\t30\t0\n"},
};

/* Coordinates back to event times, which are above zero here. */
static char *as_event_times(const test_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        list->updates[i].time.at[0] = (uint64_t)weir_event_time(list->updates[i].time.at[0]);
    return test_list_text((test_list *)(uintptr_t)list);
}

START_TEST(results_come_at_their_times)
{
    for (size_t s = 0; s < sizeof stories / sizeof *stories; s++) {
        story self = stories[s];
        test_list_init(&self.results, 1);
        test_run(&test_ways[_i], work, &self);
        char *has = as_event_times(&self.results);
        ck_assert_msg(strcmp(has, self.expected) == 0, "story %zu: expected\n%sbut got\n%s", s,
                      self.expected, has);
        free(has);
        test_list_fini(&self.results);
    }
}
END_TEST

/* ---- sessions are those of weir_window --------------------------------------------------- */

WEIR_JOIN(no_pair, trade, quote, tally)
{
    *out = (tally){.key = a->key};
}

WEIR_MAP(alone_in_session, trade, tally)
{
    *out = (tally){.key = in->key, .rows = 1};
}

WEIR_FOLD(just_count, trade, tally) {}
WEIR_FOLD(just_add, tally, tally) {}
WEIR_MAP(counted, tally, tally)
{
    *out = *in;
}

/* Reads the rows of a window as so many rows of it. */
WEIR_FLAT_MAP(one_by_one, tally, tally)
{
    for (int64_t i = 0; i < in->rows; i++)
        tally_push(out, (tally){in->key, in->start, in->end, 1});
}

static test_list late_rows[2], other_results;

static weir_stream in_both(weir_stream a, weir_stream b)
{
    weir_windows sessions = {.kind = WEIR_SESSION,
                             .time = "at",
                             .gap = 5,
                             .lateness = 2,
                             .output = WEIR_RETRACTING,
                             .combine = &just_add,
                             .finish = &counted};
    weir_window_match how = {
        .windows = sessions, .start = "start", .end = "end", .a_alone = &alone_in_session};
    weir_late late;
    weir_late_pair late_pair;
    weir_stream folded = weir_window(a, &sessions, TRADES, &just_count, NULL, &late);
    weir_stream joined =
        weir_window_join(a, TRADES, b, QUOTES, &how, &no_pair, NULL, &late_pair);
    test_watch(weir_flat_map(folded, &one_by_one), &other_results);
    test_watch(late.rows, &late_rows[0]);
    test_watch(late_pair.a, &late_rows[1]);
    return joined;
}

/* 6 is behind, as are 1 and -4, but the session of 10 and 14 is open until 19; -10 touches none. */
static const story sessions_story = {
    .build = in_both,
    STEPS({'a', 10, 0, 1}, {'a', 14, 10, 1}, {'a', 6, 14, 1}, {'a', 1, 15, 1}, {'a', -4, 16, 1},
          {'a', -10, 17, 1}, {'a', 30, 18, 1}, {'a', 25, 30, 1}, {'a', 14, 31, 1}),
};

START_TEST(a_row_that_a_session_can_take_was_late)
{
    story self = sessions_story;
    test_list *lists[] = {&self.results, &other_results, &late_rows[0], &late_rows[1]};
    for (int i = 0; i < 4; i++)
        test_list_init(lists[i], 1);
    test_run(&test_ways[_i], work, &self);
    char *has[4];
    for (int i = 0; i < 4; i++)
        has[i] = as_event_times(lists[i]);
    ck_assert_str_eq(has[0], "18 +5 1\t-4\t19\t1\n34 +2 1\t25\t35\t1\n");
    ck_assert_str_eq(has[0], has[1]);
    ck_assert_str_eq(has[2], "17 +1 1\t-10\t0\n31 +1 1\t14\t0\n");
    ck_assert_str_eq(has[2], has[3]);
    for (int i = 0; i < 4; i++) {
        free(has[i]);
        test_list_fini(lists[i]);
    }
}
END_TEST

/* ---- memory ----------------------------------------------------------------------------- */

#define ROUNDS 400
#define ROUND_ROWS 500

typedef struct stream_of {
    weir_stream (*build)(weir_stream a, weir_stream b);
    bool few_keys;
    int64_t before, after;
} stream_of;

/* Two streams that go on, whose keys are new ones over and over, or a few. */
static void go_on(weir_worker *worker, void *arg)
{
    stream_of *self = arg;
    weir_input *in[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "stream");
    weir_stream trades = weir_input_new(flow, &trade_type, &in[0]);
    weir_stream result = self->build(trades, weir_input_new(flow, &quote_type, &in[1]));
    weir_probe *probe = weir_probe_new(result);
    if (!test_end(flow))
        return;
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < ROUND_ROWS; i++) {
            uint64_t key = self->few_keys ? i % 10 : (uint64_t)round * ROUND_ROWS + i;
            int64_t at = round * 10 + (int64_t)(i % 7);
            trade_push(weir_input_out(in[0]), (trade){key, at, (int64_t)i});
            quote_push(weir_input_out(in[1]), (quote){key, at, at, 0});
        }
        uint64_t now = weir_event_epoch(round * 10);
        weir_input_advance(in[0], now);
        weir_input_advance(in[1], now);
        weir_probe_wait(worker, probe, now - 1);
        if (round == ROUNDS / 4)
            self->before = test_bytes_in_use();
    }
    self->after = test_bytes_in_use();
    weir_input_close(&in[0]);
    weir_input_close(&in[1]);
    weir_run(worker);
}

static weir_stream in_session(weir_stream a, weir_stream b)
{
    weir_window_match how = {.windows = {.kind = WEIR_SESSION, .time = "at", .gap = 3}};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

/* As-of keeps the last row of a key, unless there is a tolerance. */
static weir_stream as_of_near(weir_stream a, weir_stream b)
{
    weir_latest how = {.a_time = "at", .b_time = "at", .limited = true, .tolerance = 20};
    return weir_as_of_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

START_TEST(memory_does_not_grow_with_the_stream)
{
    static const struct {
        weir_stream (*build)(weir_stream a, weir_stream b);
        bool few_keys;
    } streams[] = {{in_interval, true},         {in_interval, false},
                   {in_interval_or_not, true},  {in_interval_or_not, false},
                   {in_window, false},          {in_session, true},
                   {in_session, false},         {as_of, true},
                   {as_of_near, false},         {deduplicated, false},
                   {deduplicated, true}};
    stream_of self = {streams[_i].build, streams[_i].few_keys, 0, 0};
    test_run(&(weir_config){.workers = 1}, go_on, &self);
    if (self.before < 0)
        return;
    ck_assert_msg(self.after - self.before < 1 << 20, "stream %d: %lld bytes, and later %lld", _i,
                  (long long)self.before, (long long)self.after);
}
END_TEST

/* ---- what is refused -------------------------------------------------------------------- */

typedef struct refusal {
    weir_stream (*build)(weir_stream a, weir_stream b);
    const char *reason;
} refusal;

static weir_stream interval_backwards(weir_stream a, weir_stream b)
{
    return weir_interval_join(a, TRADES, b, QUOTES,
                              &(weir_interval){.a_time = "at", .b_time = "at", .from = 2}, &both,
                              NULL, NULL);
}

static weir_stream lateness_negative(weir_stream a, weir_stream b)
{
    return weir_interval_join(a, TRADES, b, QUOTES,
                              &(weir_interval){.a_time = "at", .b_time = "at", .lateness = -1},
                              &both, NULL, NULL);
}

static weir_stream no_time(weir_stream a, weir_stream b)
{
    return weir_interval_join(a, TRADES, b, QUOTES,
                              &(weir_interval){.a_time = "at", .b_time = "weight"}, &both, NULL,
                              NULL);
}

static weir_stream other_keys(weir_stream a, weir_stream b)
{
    return weir_as_of_join(a, TRADES, b, WEIR_BY(quote, weight),
                           &(weir_latest){.a_time = "at", .b_time = "at"}, &both, NULL, NULL);
}

static weir_stream other_rows(weir_stream a, weir_stream b)
{
    return weir_as_of_join(b, QUOTES, a, TRADES, &(weir_latest){.a_time = "at", .b_time = "at"},
                           &both, NULL, NULL);
}

static weir_stream alone_is_another(weir_stream a, weir_stream b)
{
    weir_latest how = {.a_time = "at", .b_time = "at", .alone = &alone_trade};
    return weir_as_of_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream tolerance_negative(weir_stream a, weir_stream b)
{
    weir_latest how = {.a_time = "at", .b_time = "at", .limited = true, .tolerance = -3};
    return weir_as_of_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream no_size(weir_stream a, weir_stream b)
{
    weir_window_match how = {.windows = {.kind = WEIR_TUMBLING, .time = "at"}};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream no_gap(weir_stream a, weir_stream b)
{
    weir_window_match how = {.windows = {.kind = WEIR_SESSION, .time = "at"}};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream of_rows(weir_stream a, weir_stream b)
{
    weir_window_match how = {.windows = {.kind = WEIR_COUNT, .time = "at", .size = 3}};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream early(weir_stream a, weir_stream b)
{
    weir_window_match how = {
        .windows = {.kind = WEIR_TUMBLING, .time = "at", .size = 3, .trigger = {.rows = 1}}};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

WEIR_MAP(to_ms, trade, in_ms)
{
    out->at = in->at;
}

WEIR_MAP(to_us, quote, in_us)
{
    out->at = in->at;
}

static weir_stream two_units(weir_stream a, weir_stream b)
{
    return weir_interval_join(weir_map(a, &to_ms), WEIR_BY(in_ms, key), weir_map(b, &to_us),
                              WEIR_BY(in_us, key),
                              &(weir_interval){.a_time = "at", .b_time = "at"}, &both, NULL, NULL);
}

static weir_stream no_place_for_start(weir_stream a, weir_stream b)
{
    weir_window_match how = {.windows = {.kind = WEIR_TUMBLING, .time = "at", .size = 3},
                             .start = "key"};
    return weir_window_join(a, TRADES, b, QUOTES, &how, &both, NULL, NULL);
}

static weir_stream within_nothing(weir_stream a, WEIR_UNUSED weir_stream b)
{
    return weir_deduplicate(a, TRADES, &(weir_duplicates){.time = "at"}, NULL);
}

static weir_stream while_weight(WEIR_UNUSED weir_stream a, weir_stream b)
{
    return weir_while(b, "at", "weight");
}

static weir_stream in_a_loop(weir_stream a, WEIR_UNUSED weir_stream b)
{
    weir_loop *loop = weir_loop_begin(a.scope, "loop");
    weir_duplicates how = {.time = "at", .within = 1};
    return weir_leave(loop, weir_deduplicate(weir_enter(loop, a), TRADES, &how, NULL));
}

static const refusal refusals[] = {
    {interval_backwards, "interval_join `both`: its interval ends, at 0, before it begins, at 2"},
    {lateness_negative, "interval_join: its lateness is -1; it must not be negative"},
    {no_time, "interval_join: its time of b is to be an i64 (or a time) field of "},
    {other_keys, "as_of_join: left key is u64, right key is f64"},
    {other_rows, "as_of_join `both`: takes rows of trade("},
    {alone_is_another, "as_of_join: has rows of pair("},
    {tolerance_negative, "as_of_join `both`: its tolerance is -3; it must not be negative"},
    {no_size, "window_join `both`: the size of its windows is not above 0"},
    {of_rows, "window_join `both`: its windows are to be of event time, not of rows"},
    {early, "window_join `both`: has no triggers, and no sessions that become shorter"},
    {two_units, "interval_join: `at` is time_ms, and `at` is time_us; they have to be in one unit"},
    {no_gap, "window_join `both`: the gap between its sessions is not above 0"},
    {no_place_for_start, "window_join: its start or end is to be an i64 (or a time) field of "},
    {within_nothing, "deduplicate: no rows are within 0 of each other; it must be above 0"},
    {in_a_loop, "deduplicate: is for dataflows of one dimension, and not in loops"},
    {while_weight, "while: its until is to be an i64 (or a time) field of "},
};

static void refuse(weir_worker *worker, void *arg)
{
    const refusal *of = arg;
    weir_input *a, *b;
    weir_dataflow *flow = weir_dataflow_begin(worker, "refused");
    weir_stream trades = weir_input_new(flow, &trade_type, &a);
    of->build(trades, weir_input_new(flow, &quote_type, &b));
    test_end(flow);
}

START_TEST(what_makes_no_sense_is_refused)
{
    test_stops(&test_ways_few[1], refuse, (void *)(uintptr_t)&refusals[_i], refusals[_i].reason,
               NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("event joins");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, results_come_at_their_times, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_row_that_a_session_can_take_was_late, 0, TEST_WAYS);
    tcase_add_loop_test(cases, memory_does_not_grow_with_the_stream, 0, 11);
    tcase_add_loop_test(cases, what_makes_no_sense_is_refused, 0,
                        sizeof refusals / sizeof *refusals);
    return test_main("event_joins", cases);
}
