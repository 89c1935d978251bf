/* Joins by event time in which one key has all rows. In the first what is new is little beside what
 * is kept: each of these walked through all that was kept for every row, which took minutes; then
 * it is the time limit of the tests that says so. In the last a window has many pairs. */
#include <check.h>
#include <stdatomic.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/memory.h"

#define ROWS 120000
#define LONG (100 * ROWS)

#define POINT(F) F(u64, key) F(i64, at)
WEIR_ROW(point, POINT)

WEIR_JOIN(both, point, point, point)
{
    *out = (point){a->key, b->at};
}

WEIR_MAP(alone, point, point)
{
    *out = *in;
}

#define BY_KEY WEIR_BY(point, key)

static _Atomic(int64_t) results;

WEIR_EACH(count_result, point)
{
    results += diff;
}

typedef struct hot {
    weir_stream (*build)(weir_stream a, weir_stream b);
    void (*feed)(weir_input *a, weir_input *b, int64_t i);
    bool at_once; /* no stamp is complete before the end */
    int64_t expected;
} hot;

static void push(weir_input *to, int64_t at, int64_t stamp, int64_t diff)
{
    weir_out *out = weir_input_out(to);
    weir_out_time(out, &WEIR_EPOCH(weir_event_epoch(stamp)));
    weir_out_diff(out, diff);
    point_push(out, (point){1, at});
}

/* ---- what was slow ---------------------------------------------------------------------- */

/* Rows that wait for their stamps. */
static weir_stream deduplicated(weir_stream a, WEIR_UNUSED weir_stream b)
{
    return weir_deduplicate(
        a, BY_KEY, &(weir_duplicates){.time = "at", .keep = WEIR_KEEP_FIRST, .within = 3}, NULL);
}

static void feed_one_side(weir_input *a, WEIR_UNUSED weir_input *b, int64_t i)
{
    push(a, i, i, 1);
}

/* Sessions that may still take rows. */
static weir_stream in_sessions(weir_stream a, weir_stream b)
{
    weir_window_match how = {
        .windows = {.kind = WEIR_SESSION, .time = "at", .gap = 3, .lateness = LONG}};
    return weir_window_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

static void feed_sessions(weir_input *a, weir_input *b, int64_t i)
{
    push(a, 10 * i, 10 * i, 1);
    push(b, 10 * i + 1, 10 * i, 1);
}

/* Rows that come after their window has closed. */
static weir_stream in_window(weir_stream a, weir_stream b)
{
    weir_window_match how = {
        .windows = {.kind = WEIR_TUMBLING, .time = "at", .size = ROWS, .lateness = LONG}};
    return weir_window_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

static void feed_late(weir_input *a, weir_input *b, int64_t i)
{
    push(a, i, ROWS + i, 1);
    if (i == 0)
        push(b, i, i, 1);
}

/* The same, if the other side is alone no more. */
static weir_stream in_window_or_not(weir_stream a, weir_stream b)
{
    weir_window_match how = {
        .windows = {.kind = WEIR_TUMBLING, .time = "at", .size = ROWS, .lateness = LONG},
        .b_alone = &alone};
    return weir_window_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

static weir_stream in_interval_or_not(weir_stream a, weir_stream b)
{
    weir_interval how = {.a_time = "at",
                         .b_time = "at",
                         .from = -ROWS,
                         .until = ROWS,
                         .lateness = LONG,
                         .b_alone = &alone};
    return weir_interval_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

/* Rows that were taken away. */
static weir_stream as_of(weir_stream a, weir_stream b)
{
    weir_latest how = {.a_time = "at", .b_time = "at", .lateness = LONG};
    return weir_as_of_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

static void feed_replaced(weir_input *a, weir_input *b, int64_t i)
{
    push(a, i, i, 1);
    push(b, i, i, 1);
    if (i >= 3)
        push(b, i - 3, i, -1);
}

/* Two that come late at one stamp, with all other rows between them. */
static weir_stream as_of_now(weir_stream a, weir_stream b)
{
    weir_latest how = {.a_time = "at", .b_time = "at", .lateness = LONG, .limited = true};
    return weir_as_of_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

static weir_stream at_once_or_not(weir_stream a, weir_stream b)
{
    weir_interval how = {.a_time = "at", .b_time = "at", .lateness = LONG, .a_alone = &alone};
    return weir_interval_join(a, BY_KEY, b, BY_KEY, &how, &both, NULL, NULL);
}

static void feed_two_late(weir_input *a, weir_input *b, int64_t i)
{
    push(a, i, i, 1);
    push(b, i - 1, i, 1);
    push(b, -1 - i, i, 1);
}

static void feed_sessions_apart(weir_input *a, weir_input *b, int64_t i)
{
    feed_sessions(a, b, i);
    push(b, 10 * (i / 2) + 2, 10 * i, 1);
}

static const hot streams[] = {{deduplicated, feed_one_side, true, ROWS / 3},
                              {in_sessions, feed_sessions, false, ROWS},
                              {in_window, feed_late, false, ROWS},
                              {in_window_or_not, feed_late, false, ROWS},
                              {in_interval_or_not, feed_late, false, ROWS},
                              {as_of, feed_replaced, false, 3},
                              {as_of_now, feed_two_late, false, ROWS - 1},
                              {at_once_or_not, feed_two_late, false, ROWS},
                              {in_sessions, feed_sessions_apart, false, 2 * ROWS}};

/* ---- running them ----------------------------------------------------------------------- */

static void work(weir_worker *worker, void *arg)
{
    const hot *self = arg;
    weir_input *a, *b;
    weir_dataflow *flow = weir_dataflow_begin(worker, "hot");
    weir_stream from = weir_input_new(flow, &point_type, &a);
    weir_each(self->build(from, weir_input_new(flow, &point_type, &b)), &count_result, NULL);
    if (!test_end(flow))
        return;
    for (int64_t i = 0; i < ROWS; i++) {
        self->feed(a, b, i);
        if (self->at_once || i % 100)
            continue;
        const weir_time *reached = &WEIR_EPOCH(weir_event_epoch(i));
        weir_input_advance_to(a, reached);
        weir_input_advance_to(b, reached);
        weir_step(worker);
    }
    weir_input_close(&a);
    weir_input_close(&b);
    weir_run(worker);
}

START_TEST(a_hot_key_cost_the_square_of_its_rows)
{
    results = 0;
    test_run(&(weir_config){.workers = 1}, work, (void *)(uintptr_t)&streams[_i]);
    ck_assert_int_eq(results, streams[_i].expected);
}
END_TEST

/* ---- a window of many pairs ------------------------------------------------------------- */

#define SIDE 4000 /* rows of each side, so pairs of some 250 MB */
#define MANY (64 << 20)

static _Atomic(int64_t) most_bytes;

static void look(WEIR_UNUSED weir_worker *worker, WEIR_UNUSED const weir_batch *batch,
                 WEIR_UNUSED void *arg)
{
    int64_t bytes = test_bytes_in_use();
    if (bytes > most_bytes)
        most_bytes = bytes;
}

static void match_all(weir_worker *worker, WEIR_UNUSED void *arg)
{
    weir_input *a, *b;
    weir_dataflow *flow = weir_dataflow_begin(worker, "pairs");
    weir_stream from = weir_input_new(flow, &point_type, &a);
    weir_window_match how = {.windows = {.kind = WEIR_GLOBAL, .time = "at"}};
    weir_stream pairs = weir_window_join(from, BY_KEY, weir_input_new(flow, &point_type, &b),
                                         BY_KEY, &how, &both, NULL, NULL);
    pairs = weir_exchange(pairs, WEIR_BY(point, at));
    weir_each(weir_inspect_batch(pairs, look, NULL), &count_result, NULL);
    if (!test_end(flow))
        return;
    for (int64_t i = 0; i < SIDE && weir_worker_index(worker) == 0; i++) {
        push(a, i, 0, 1);
        push(b, i, 0, 1);
    }
    weir_input_close(&a);
    weir_input_close(&b);
    weir_run(worker);
}

START_TEST(the_pairs_of_a_window_were_all_in_memory)
{
    results = most_bytes = 0;
    int64_t before = test_bytes_in_use();
    test_run(&(weir_config){.workers = 2}, match_all, NULL);
    ck_assert_int_eq(results, (int64_t)SIDE * SIDE);
    ck_assert_int_lt(most_bytes - before, MANY);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("event joins of hot keys");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_hot_key_cost_the_square_of_its_rows, 0,
                        sizeof streams / sizeof *streams);
    tcase_add_test(cases, the_pairs_of_a_window_were_all_in_memory);
    return test_main("event_joins_hot", cases);
}
