/* Watermarks and windows in small: stamps, the outputs when a window fires again, and what is
 * refused while building. Cases are in test_windows_cases.c, random ones in oracle/windows.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define EVENT(F) F(u8, part) F(i64, at) F(i64, mark) F(i64, value)
#define SUM(F) F(i64, start) F(i64, end) F(i64, rows) F(i64, sum)
#define OF_PART(F) F(u8, part) F(i64, start) F(i64, end) F(i64, rows) F(i64, sum)
#define NO_PLACE(F) F(u8, part) F(i64, start) F(f64, end) F(i64, rows)
WEIR_ROW(event, EVENT)
WEIR_ROW(sum, SUM)
WEIR_ROW(of_part, OF_PART)
WEIR_ROW(no_place, NO_PLACE)

WEIR_FOLD(add_event, event, sum)
{
    acc->sum += in->value * diff;
}

WEIR_FOLD(add_sum, sum, sum)
{
    acc->sum += in->sum * diff;
}

WEIR_FOLD(add_of_part, event, of_part)
{
    acc->sum += in->value * diff;
}

WEIR_FOLD(add_to_no_place, event, no_place)
{
}

WEIR_MAP(without_place, no_place, sum)
{
}

WEIR_ROUTE(part, event)
{
    return in->part;
}

/* ---- running ---------------------------------------------------------------------------- */

typedef struct test {
    const event *rows;
    const int64_t *diffs; /* NULL: all 1 */
    uint32_t count;
    weir_watermark_policy policy;
    weir_windows how;
    void (*build)(weir_stream in, struct test *test);
    test_list lists[2];
} test;

static void work(weir_worker *worker, void *arg)
{
    test *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "test");
    self->build(weir_input_new(flow, &event_type, &input), self);
    if (!test_end(flow))
        return;
    for (uint32_t i = 0; i < self->count && weir_worker_index(worker) == 0; i++) {
        weir_out_diff(weir_input_out(input), self->diffs ? self->diffs[i] : 1);
        event_push(weir_input_out(input), self->rows[i]);
        if (weir_random(worker) % 2)
            weir_input_flush(input);
    }
    weir_input_close(&input);
    weir_run(worker);
}

/* Event times are printed as coordinates; those are short if they are counted from 2^63. */
static char *near_zero(char *lines)
{
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
        char *rest;
        int64_t time = weir_event_time(strtoull(line, &rest, 10));
        if (time == INT64_MIN)
            fprintf(to, "first%s\n", rest);
        else
            fprintf(to, "%lld%s\n", (long long)time, rest);
    }
    fclose(to);
    free(lines);
    return text;
}

static void expect(test *self, const weir_config *way, const char *first, const char *second)
{
    for (int i = 0; i < 2; i++)
        test_list_init(&self->lists[i], 1);
    test_run(way, work, self);
    const char *expected[] = {first, second};
    for (int i = 0; i < 2; i++) {
        char *got = near_zero(test_list_text(&self->lists[i]));
        ck_assert_str_eq(got, expected[i]);
        free(got);
        test_list_fini(&self->lists[i]);
    }
}

/* ---- watermarks ------------------------------------------------------------------------- */

static const event rows[] = {{0, 5, INT64_MIN, 1},  {1, 9, 7, 2},  {0, 4, INT64_MIN, 4},
                             {0, 20, 3, 8}, {1, -3, 30, 16}, {1, 2, INT64_MIN, 32}};
#define ROWS (sizeof rows / sizeof *rows)

static void build_stamps(weir_stream in, test *self)
{
    weir_stream stamped = weir_watermarks(in, &self->policy);
    test_watch(stamped, &self->lists[0]);
}

START_TEST(rows_are_stamped_with_the_watermark_before_them)
{
    test self = {.rows = rows, .count = ROWS, .build = build_stamps};
    self.policy = (weir_watermark_policy){.time = "at", .bound = 2};
    expect(&self, &test_ways[_i],
           "first +1 0\t5\t-9223372036854775808\t1\n3 +1 1\t9\t7\t2\n"
           "7 +1 0\t20\t3\t8\n7 +1 0\t4\t-9223372036854775808\t4\n"
           "18 +1 1\t-3\t30\t16\n18 +1 1\t2\t-9223372036854775808\t32\n",
           "");
}
END_TEST

START_TEST(rows_bring_watermarks)
{
    test self = {.rows = rows, .count = ROWS, .build = build_stamps};
    self.policy = (weir_watermark_policy){.watermark = "mark"};
    expect(&self, &test_ways[_i],
           "first +1 0\t5\t-9223372036854775808\t1\nfirst +1 1\t9\t7\t2\n"
           "7 +1 0\t20\t3\t8\n7 +1 0\t4\t-9223372036854775808\t4\n7 +1 1\t-3\t30\t16\n"
           "30 +1 1\t2\t-9223372036854775808\t32\n",
           "");
}
END_TEST

START_TEST(each_partition_has_its_watermark)
{
    test self = {.rows = rows, .count = ROWS, .build = build_stamps};
    self.policy = (weir_watermark_policy){.time = "at", .partition = &part, .partitions = 2};
    expect(&self, &test_ways[_i],
           "first +1 0\t5\t-9223372036854775808\t1\nfirst +1 1\t9\t7\t2\n"
           "5 +1 0\t20\t3\t8\n5 +1 0\t4\t-9223372036854775808\t4\n"
           "9 +1 1\t-3\t30\t16\n9 +1 1\t2\t-9223372036854775808\t32\n",
           "");
}
END_TEST

static bool frontier_moves(weir_worker *worker, const weir_probe *probe, weir_input *input)
{
    event_push(weir_input_out(input), (event){.at = 100});
    weir_input_flush(input);
    bool waited = weir_probe_wait(worker, probe, weir_event_epoch(90));
    return waited && weir_probe_below(probe, weir_event_epoch(91));
}

/* With one partition and several workers: those without hold nothing back. */
static void watch_frontier(weir_worker *worker, void *arg)
{
    _Atomic(uint32_t) *met = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "test");
    weir_watermark_policy policy = {.time = "at", .bound = 10};
    weir_stream in = weir_input_new(flow, &event_type, &input);
    weir_probe *probe = weir_probe_new(weir_watermarks(in, &policy));
    if (!test_end(flow))
        return;
    if (weir_worker_index(worker) == 0 && !frontier_moves(worker, probe, input))
        weir_stop(worker, "the frontier is not the watermark");
    test_meet(worker, met);
    weir_input_close(&input);
    weir_run(worker);
    if (!weir_probe_done(probe) && !weir_stopping(worker))
        weir_stop(worker, "the watermark is held when no row can come");
}

START_TEST(watermarks_are_frontiers)
{
    _Atomic(uint32_t) met = 0;
    test_run(&test_ways[_i], watch_frontier, &met);
}
END_TEST

/* ---- firing again ----------------------------------------------------------------------- */

static void build_windows(weir_stream in, test *self)
{
    weir_late late;
    weir_stream stamped = weir_watermarks(in, &self->policy);
    test_watch(weir_window(stamped, &self->how, WEIR_BY_NOTHING(event), &add_event, NULL, &late),
               &self->lists[0]);
    test_watch(late.rows, &self->lists[1]);
}

/* In [0, 10): 1, and 2 taken away, on time; 4 late at 12; 8 too late at 15; 16 is in the next. */
static const event late_rows[] = {{.at = 1, .value = 1},  {.at = 2, .value = 2},
                                  {.at = 2, .value = 2},  {.at = 12, .value = 16},
                                  {.at = 3, .value = 4},  {.at = 15, .value = 0},
                                  {.at = 4, .value = 8}};
static const int64_t late_diffs[] = {1, 1, -1, 1, 1, 1, 1};

static void expect_again(weir_window_output output, const weir_config *way, const char *results)
{
    test self = {.rows = late_rows,
                 .diffs = late_diffs,
                 .count = 7,
                 .build = build_windows,
                 .policy = {.time = "at"},
                 .how = {.kind = WEIR_TUMBLING,
                         .time = "at",
                         .size = 10,
                         .lateness = 5,
                         .output = output}};
    expect(&self, way, results, "15 +1 0\t4\t0\t8\n");
}

START_TEST(windows_fire_again)
{
    expect_again(WEIR_ACCUMULATING, &test_ways[_i],
                 "9 +1 0\t10\t1\t1\n12 +1 0\t10\t2\t5\n19 +1 10\t20\t2\t16\n");
    expect_again(WEIR_RETRACTING, &test_ways[_i],
                 "9 +1 0\t10\t1\t1\n12 -1 0\t10\t1\t1\n12 +1 0\t10\t2\t5\n"
                 "19 +1 10\t20\t2\t16\n");
    expect_again(WEIR_DISCARDING, &test_ways[_i],
                 "9 +1 0\t10\t1\t1\n12 +1 0\t10\t1\t4\n19 +1 10\t20\t2\t16\n");
}
END_TEST

/* In [0, 10): 5 on time, at 12 it is taken away and 7 comes instead, and what comes at 13 is taken
 * away again at once. The 2 that they differ by was lost, since they are 0 rows. */
START_TEST(results_that_are_added_up_tell_of_rows_in_the_place_of_others)
{
    static const event changed[] = {{.at = 1, .value = 5}, {.at = 12, .value = 16},
                                    {.at = 1, .value = 5}, {.at = 2, .value = 7},
                                    {.at = 13},            {.at = 3, .value = 1},
                                    {.at = 3, .value = 1}};
    static const int64_t diffs[] = {1, 1, -1, 1, 1, 1, -1};
    test self = {.rows = changed,
                 .diffs = diffs,
                 .count = 7,
                 .build = build_windows,
                 .policy = {.time = "at"},
                 .how = {.kind = WEIR_TUMBLING,
                         .time = "at",
                         .size = 10,
                         .lateness = 5,
                         .output = WEIR_DISCARDING}};
    for (int i = 0; i < 2; i++) {
        self.how.combine = i ? &add_sum : NULL; /* kept in panes, or not */
        expect(&self, &test_ways[_i],
               "9 +1 0\t10\t1\t5\n12 +1 0\t10\t0\t2\n19 +1 10\t20\t2\t16\n", "");
    }
}
END_TEST

/* Two sessions that had closed are joined by a late row: both are taken back, and the one that is
 * open in their place is sent when it closes. */
START_TEST(a_session_that_is_joined_to_an_open_one_is_taken_back)
{
    static const event joined[] = {{.at = 0, .value = 1},  {.at = 6, .value = 2},
                                   {.at = 11, .value = 4}, {.at = 3, .value = 8},
                                   {.at = 8, .value = 16}};
    test self = {.rows = joined,
                 .count = 5,
                 .build = build_windows,
                 .policy = {.time = "at"},
                 .how = {.kind = WEIR_SESSION,
                         .time = "at",
                         .gap = 3,
                         .lateness = 20,
                         .combine = &add_sum,
                         .output = WEIR_RETRACTING}};
    expect(&self, &test_ways[_i],
           "2 +1 0\t3\t1\t1\n8 +1 6\t9\t1\t2\n11 -1 0\t3\t1\t1\n11 -1 6\t9\t1\t2\n"
           "13 +1 0\t14\t5\t31\n",
           "");
}
END_TEST

/* ---- windows of a number of rows --------------------------------------------------------- */

/* A row that counts many times is as many rows; one that takes more away than came since a window
 * began is late. */
START_TEST(rows_that_count_many_times_fill_many_windows)
{
    static const event many[] = {{.value = 1}, {.value = 2}, {.value = 2}, {.value = 3}};
    static const int64_t diffs[] = {7, 4, -3, 2};
    test self = {.rows = many,
                 .diffs = diffs,
                 .count = 4,
                 .build = build_windows,
                 .policy = {.time = "at"},
                 .how = {.kind = WEIR_COUNT, .size = 5}};
    expect(&self, &test_ways[_i], "first +1 0\t5\t5\t5\n0 +1 5\t10\t5\t8\n",
           "0 -3 0\t0\t0\t2\n");
}
END_TEST

START_TEST(a_row_that_would_fill_too_many_windows_is_rejected)
{
    static const event one = {.value = 1};
    static const int64_t diff = INT64_MAX;
    test self = {.rows = &one,
                 .diffs = &diff,
                 .count = 1,
                 .build = build_windows,
                 .policy = {.time = "at"},
                 .how = {.kind = WEIR_COUNT, .size = 5}};
    for (int i = 0; i < 2; i++)
        test_list_init(&self.lists[i], 1);
    test_stops(&test_ways[0], work, &self, "would fill more than 1048576 windows", NULL);
    for (int i = 0; i < 2; i++)
        test_list_fini(&self.lists[i]);
}
END_TEST

/* ---- a long time without rows ------------------------------------------------------------ */

/* Windows that hop by 1 are not gone through one by one where there are no rows. */
START_TEST(a_gap_of_all_time_takes_none)
{
    static const event far[] = {{.at = -INT64_MAX, .value = 1}, {.at = INT64_MAX - 9, .value = 2}};
    test self = {.rows = far,
                 .count = 2,
                 .build = build_windows,
                 .policy = {.time = "at"},
                 .how = {.kind = WEIR_HOPPING,
                         .time = "at",
                         .size = 2,
                         .slide = 1,
                         .combine = &add_sum}};
    expect(&self, &test_ways[_i],
           "-9223372036854775807 +1 -9223372036854775808\t-9223372036854775806\t1\t1\n"
           "-9223372036854775806 +1 -9223372036854775807\t-9223372036854775805\t1\t1\n"
           "9223372036854775798 +1 9223372036854775797\t9223372036854775799\t1\t2\n"
           "9223372036854775799 +1 9223372036854775798\t9223372036854775800\t1\t2\n",
           "");
}
END_TEST

/* ---- what is refused -------------------------------------------------------------------- */

static weir_windows tumbling(void)
{
    return (weir_windows){.kind = WEIR_TUMBLING, .time = "at", .size = 10};
}

static void build_wrong(weir_stream in, test *self)
{
    weir_windows *how = &self->how;
    weir_stream stamped = self->policy.time || self->policy.watermark || self->policy.partitions
                              ? weir_watermarks(in, &self->policy)
                              : in;
    if (how->finish == &without_place)
        weir_window(stamped, how, WEIR_BY(event, part), &add_to_no_place, NULL, NULL);
    else if (how->combine)
        weir_window(stamped, how, WEIR_BY(event, part), &add_of_part, NULL, NULL);
    else
        weir_window(stamped, how, WEIR_BY_NOTHING(event), &add_event, NULL, NULL);
}

static void refused(weir_windows how, weir_watermark_policy policy, const char *says)
{
    test self = {.build = build_wrong, .how = how, .policy = policy};
    test_stops(&test_ways[0], work, &self, says, NULL);
}

START_TEST(what_makes_no_sense_is_refused)
{
    const weir_watermark_policy none = {0};
    weir_windows how = tumbling();
    how.size = 0;
    refused(how, none, "window `add_event`: the size of its windows is not above 0");
    how = tumbling();
    how.kind = (weir_window_kind)7;
    refused(how, none, "window `add_event`: there is no kind 7 or no output 0 of windows");
    how = (weir_windows){.kind = WEIR_HOPPING, .time = "at", .size = 10, .slide = 11};
    refused(how, none, "its windows hop by less than 1, or by more than their size");
    how = (weir_windows){.kind = WEIR_SESSION, .time = "at", .gap = 5};
    refused(how, none, "sessions merge, and need a kernel that combines their results");
    how = tumbling();
    how.lateness = -1;
    refused(how, none, "its lateness is negative");
    how = tumbling();
    how.trigger.rows = -1;
    refused(how, none, "its trigger has a negative number");
    how = tumbling();
    how.trigger.not_on_close = true;
    refused(how, none, "its trigger does not fire when windows close, nor before");
    how = tumbling();
    how.exact = true;
    how.output = WEIR_DISCARDING;
    refused(how, none, "sessions that are exact cannot discard");
    how = (weir_windows){.kind = WEIR_COUNT, .size = 3, .slide = 4};
    refused(how, none, "its windows hop by less than 1, or by more than their size");
    how = (weir_windows){.kind = WEIR_COUNT, .size = 3, .trigger = {.rows = 1}};
    refused(how, none, "windows of a number of rows fire when they are full");
    how = (weir_windows){.kind = WEIR_COUNT, .size = 3, .lateness = 1};
    refused(how, none, "have no trigger and no lateness");
    how = (weir_windows){.kind = WEIR_COUNT, .size = 3, .order = "rank"};
    refused(how, none, "window `add_event`: its order is to be an integer field of event(");
    how = tumbling();
    how.time = "part";
    refused(how, none, "window: its time is to be an i64 (or a time) field of event(");
    how = tumbling();
    how.combine = &add_sum;
    refused(how, none, "the kernel that combines, `add_sum`, takes rows other than its results");
    how = tumbling();
    how.finish = &without_place;
    refused(how, none, "have, after the key, no start, end and rows (three i64)");
    how = tumbling();
    how.inverse = true;
    refused(how, none, "and there is no `combine`: give one, or leave `inverse` out");
    how = (weir_windows){.kind = WEIR_GLOBAL, .time = "at", .combine = &add_sum, .inverse = true};
    refused(how, none, "is for windows that overlap, and its windows of all time do not");
    how = (weir_windows){.kind = WEIR_SESSION, .time = "at", .gap = 1, .combine = &add_sum,
                         .inverse = true};
    refused(how, none, "and its sessions do not: leave it out");
    how = tumbling();
    refused(how, (weir_watermark_policy){.time = "at", .bound = -1}, "its bound is -1");
    refused(how, (weir_watermark_policy){.time = "when"}, "field of event(");
    refused(how, (weir_watermark_policy){.time = "at", .watermark = "mark"}, "are two policies");
    refused(how, (weir_watermark_policy){.time = "at", .partitions = 2},
            "has 2 partitions and no kernel that says which a row is of");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("windows");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, rows_are_stamped_with_the_watermark_before_them, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_bring_watermarks, 0, TEST_WAYS);
    tcase_add_loop_test(cases, each_partition_has_its_watermark, 0, TEST_WAYS);
    tcase_add_loop_test(cases, watermarks_are_frontiers, 0, TEST_WAYS);
    tcase_add_loop_test(cases, windows_fire_again, 0, TEST_WAYS);
    tcase_add_loop_test(cases, results_that_are_added_up_tell_of_rows_in_the_place_of_others, 0,
                        TEST_WAYS);
    tcase_add_loop_test(cases, a_session_that_is_joined_to_an_open_one_is_taken_back, 0,
                        TEST_WAYS);
    tcase_add_loop_test(cases, rows_that_count_many_times_fill_many_windows, 0, TEST_WAYS);
    tcase_add_test(cases, a_row_that_would_fill_too_many_windows_is_rejected);
    tcase_add_loop_test(cases, a_gap_of_all_time_takes_none, 0, TEST_WAYS);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    return test_main("windows", cases);
}
