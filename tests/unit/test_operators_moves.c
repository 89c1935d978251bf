/* Operators that take rows elsewhere: to other workers (exchange, broadcast, gather) and to
 * later times (delay); strange rows and many rows through all that. */
#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/streams.h"

#define NUM(F) F(u64, value)
#define WORD(F) F(weir_text, text)
#define TAGGED(F) F(weir_text, text) F(u8, length) F(u64, value)
#define EMPTY(F)
#define HUGE_ROW(F) F(u8, first) F(weir_byte, bytes, 1048576) F(weir_text, text)
WEIR_ROW(num, NUM)
WEIR_ROW(word, WORD)
WEIR_ROW(tagged, TAGGED)
WEIR_ROW(empty, EMPTY)
WEIR_ROW(huge, HUGE_ROW)

static const num numbers[] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}};
static const uint64_t epochs[] = {0, 0, 0, 1, 1, 1, 5, 5, 9, 9};
static const int64_t diffs[] = {1, -1, 2, 1, 1, 1, -3, 1, 1, 1};

/* Runs on the numbers in all ways and compares out[0] and, if given, out[1]. */
static void expect(void (*build)(weir_dataflow *, weir_stream, test_flow *), const char *first,
                   const char *second)
{
    const char *const expected[] = {first, second};
    for (int way = 0; way < 4; way++) {
        test_flow test = {.type = &num_type,
                          .rows = numbers,
                          .epochs = epochs,
                          .diffs = diffs,
                          .count = 10,
                          .columns = way & 1,
                          .flush_every = way & 2,
                          .build = build};
        test_flow_expect(&test, expected, second ? 2 : 1);
    }
}

WEIR_ROUTE(its_value, num)
{
    return in->value;
}

WEIR_MAP(times_ten, num, num)
{
    out->value = in->value * 10;
}

WEIR_FILTER(below, num)
{
    return in->value < *(uint64_t *)arg;
}

WEIR_FLAT_MAP(as_often, num, num)
{
    for (uint64_t i = 0; i < in->value % 3; i++)
        num_push(out, (num){in->value});
}

/* ---- between workers ------------------------------------------------------------------ */

static _Atomic(uint32_t) misplaced;

/* Rows that are not where `arg` says: 0 by value, 1 all on the last worker. */
static void check_place(weir_worker *worker, const weir_batch *batch, void *arg)
{
    uint32_t workers = weir_worker_count(worker), here = weir_worker_index(worker);
    for (uint32_t i = 0; i < batch->count; i++)
        misplaced += (arg ? workers - 1 : num_at(batch, i)->value % workers) != here;
}

static void build_exchange(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    uint32_t workers = weir_worker_count(weir_scope_worker(flow));
    weir_stream routed = weir_exchange_by(in, &its_value, NULL);
    weir_stream gathered = weir_gather(in, workers - 1);
    test_watch(weir_exchange(in, WEIR_BY(num, value)), &test->out[0]);
    test_watch(weir_inspect_batch(routed, check_place, NULL), &test->out[1]);
    test_watch(weir_inspect_batch(gathered, check_place, flow), &test->out[2]);
}

START_TEST(exchange_loses_nothing)
{
    const char *same = "0 +1 0\n0 -1 1\n0 +2 2\n1 +1 3\n1 +1 4\n1 +1 5\n5 -3 6\n5 +1 7\n"
                       "9 +1 8\n9 +1 9\n";
    const char *const expected[] = {same, same, same};
    test_flow test = {.type = &num_type,
                      .rows = numbers,
                      .epochs = epochs,
                      .diffs = diffs,
                      .count = 10,
                      .build = build_exchange};
    test_flow_expect(&test, expected, 3);
    test.columns = true;
    test_flow_expect(&test, expected, 3);
    ck_assert_uint_eq(misplaced, 0);
}
END_TEST

static _Atomic(uint32_t) places[10]; /* by value: 1 + the worker where it was seen */

static void note_place(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t here = weir_worker_index(worker) + 1;
        uint32_t before = atomic_exchange(&places[num_at(batch, i)->value], here);
        misplaced += before && before != here;
    }
}

static void build_meeting(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    (void)test;
    weir_stream again = weir_exchange_by(weir_delay(in, 1), &its_value, NULL);
    weir_stream both = weir_concat(in, again);
    weir_inspect_batch(weir_exchange(both, WEIR_BY(num, value)), note_place, NULL);
}

START_TEST(equal_keys_meet)
{
    test_flow test = {.type = &num_type, .rows = numbers, .count = 10, .build = build_meeting};
    ck_assert_ptr_null(test_flow_run(&test, &(weir_config){.workers = 4}));
    test_flow_done(&test);
    ck_assert_uint_eq(misplaced, 0);
    uint32_t used[4] = {0};
    for (int i = 0; i < 10; i++)
        used[places[i] - 1]++;
    for (int w = 0; w < 4; w++) /* by chance once in many hashes, but the hash is fixed */
        ck_assert_uint_gt(used[w], 0);
}
END_TEST

static void build_broadcast(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_broadcast(in), &test->out[0]);
}

START_TEST(broadcast_reaches_every_worker)
{
    test_flow test = {.type = &num_type, .rows = numbers, .count = 2, .build = build_broadcast};
    static const struct {
        weir_config config;
        const char *expected;
    } ways[] = {{{.workers = 1}, "0 +1 0\n0 +1 1\n"}, {{.workers = 4}, "0 +4 0\n0 +4 1\n"}};
    for (int w = 0; w < 2; w++) {
        ck_assert_ptr_null(test_flow_run(&test, &ways[w].config));
        char *text = test_list_text(&test.out[0]);
        ck_assert_str_eq(text, ways[w].expected);
        free(text);
        test_flow_done(&test);
    }
}
END_TEST

/* ---- time ----------------------------------------------------------------------------- */

static weir_time next_ten(const weir_time *time, void *arg)
{
    (void)arg;
    return WEIR_EPOCH((time->at[0] / 10 + 1) * 10 - time->at[0] % 2);
}

static void build_delay(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_delay(in, 3), &test->out[0]);
    test_watch(weir_delay_to(in, next_ten, NULL), &test->out[1]);
}

START_TEST(delay_moves_times)
{
    expect(build_delay,
           "3 +1 0\n3 -1 1\n3 +2 2\n4 +1 3\n4 +1 4\n4 +1 5\n8 -3 6\n8 +1 7\n12 +1 8\n12 +1 9\n",
           "9 +1 3\n9 +1 4\n9 +1 5\n9 -3 6\n9 +1 7\n9 +1 8\n9 +1 9\n"
           "10 +1 0\n10 -1 1\n10 +2 2\n");
}
END_TEST

static void build_long_delay(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_delay(weir_delay(in, UINT64_MAX - 1), 7), &test->out[0]);
    test_watch(weir_delay(in, 0), &test->out[1]);
}

START_TEST(delay_saturates)
{
    expect(build_long_delay,
           "18446744073709551615 +1 0\n18446744073709551615 -1 1\n18446744073709551615 +2 2\n"
           "18446744073709551615 +1 3\n18446744073709551615 +1 4\n18446744073709551615 +1 5\n"
           "18446744073709551615 -3 6\n18446744073709551615 +1 7\n18446744073709551615 +1 8\n"
           "18446744073709551615 +1 9\n",
           "0 +1 0\n0 -1 1\n0 +2 2\n1 +1 3\n1 +1 4\n1 +1 5\n5 -3 6\n5 +1 7\n9 +1 8\n9 +1 9\n");
}
END_TEST

/* ---- strange rows --------------------------------------------------------------------- */

WEIR_FILTER(every, empty)
{
    return true;
}

WEIR_FLAT_MAP(thrice, empty, empty)
{
    for (int i = 0; i < 3; i++)
        empty_push(out, (empty){});
}

static void build_empty(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream kept, others, copies = weir_flat_map(weir_filter(in, &every), &thrice);
    weir_branch(copies, &every, NULL, &kept, &others);
    test_watch(weir_exchange(weir_concat(kept, others), WEIR_BY_NOTHING(empty)), &test->out[0]);
}

START_TEST(rows_of_no_bytes)
{
    static const uint64_t times[5] = {0, 0, 1, 1, 1};
    const char *const expected[] = {"0 +6 \n1 +9 \n"};
    test_flow test = {
        .type = &empty_type, .rows = "", .epochs = times, .count = 5, .build = build_empty};
    test_flow_expect(&test, expected, 1);
    test.columns = true;
    test_flow_expect(&test, expected, 1);
}
END_TEST

WEIR_MAP(to_huge, num, huge)
{
    out->first = (uint8_t)in->value;
    out->bytes[0] = out->bytes[1048575] = (uint8_t)in->value;
    out->text = weir_text_c("the text after a megabyte");
}

WEIR_FILTER(huge_is_whole, huge)
{
    return in->bytes[0] == in->first && in->bytes[1048575] == in->first && in->text.length == 25 &&
           in->first != 2;
}

WEIR_MAP(from_huge, huge, tagged)
{
    *out = (tagged){in->text, 0, in->first};
}

static void build_huge(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream rows = weir_exchange(weir_map(in, &to_huge), WEIR_BY(huge, text, first));
    test_watch(weir_map(weir_filter(rows, &huge_is_whole), &from_huge), &test->out[0]);
}

START_TEST(rows_of_a_megabyte)
{
    const char *const expected[] = {"0 +1 the text after a megabyte\t0\t0\n"
                                    "0 -1 the text after a megabyte\t0\t1\n"
                                    "1 +1 the text after a megabyte\t0\t3\n"};
    test_flow test = {.type = &num_type,
                      .rows = numbers,
                      .epochs = epochs,
                      .diffs = diffs,
                      .count = 4,
                      .build = build_huge};
    test_flow_expect(&test, expected, 1);
}
END_TEST

static void build_same(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_exchange(in, WEIR_BY(word, text)), &test->out[0]);
}

START_TEST(bytes_are_carried_unharmed)
{
    static const char nul[] = "a\0b", longer[] = "nul \0 in a longer one",
                      invalid[] = "\xff\xc0 \x80";
    const word words[] = {{weir_text_of(nul, 3)},
                          {weir_text_of(longer, 21)},
                          {weir_text_c(invalid)},
                          {weir_text_c("")}};
    const char *const expected[] = {"0 +1 \n0 +1 a~b\n0 +1 nul ~ in a longer one\n"
                                    "0 +1 \xff\xc0 \x80\n"};
    test_flow test = {.type = &word_type, .rows = words, .count = 4, .build = build_same};
    test_flow_expect(&test, expected, 1);
}
END_TEST

/* ---- many rows ------------------------------------------------------------------------ */

static uint64_t none = 0;

static void build_many(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream low, high, parts[2];
    weir_branch(weir_flat_map(in, &as_often), &below, test->arg, &low, &high);
    weir_partition(weir_concat(low, high), &its_value, NULL, 2, parts);
    weir_stream both = weir_exchange(weir_concat_all(parts, 2), WEIR_BY(num, value));
    weir_stream minus = weir_map(weir_flat_map(in, &as_often), &times_ten);
    test_watch(weir_filter_with(weir_map(both, &times_ten), &below, &none), &test->out[0]);
    test_watch(weir_delay(weir_map(both, &times_ten), 1), &test->out[1]);
    test_watch(weir_delay(minus, 1), &test->out[2]);
}

START_TEST(batches_of_many_rows)
{
    enum { COUNT = 50000 };
    uint64_t middle = COUNT / 2;
    num *rows = calloc(COUNT, sizeof *rows);
    int64_t *signs = calloc(COUNT, sizeof *signs);
    for (int i = 0; i < COUNT; i++) {
        rows[i].value = (uint64_t)i;
        signs[i] = i % 5 ? 1 : -2;
    }
    for (int way = 0; way < 2; way++) {
        test_flow test = {.type = &num_type,
                          .rows = rows,
                          .diffs = way ? signs : NULL,
                          .count = COUNT,
                          .build = build_many,
                          .arg = &middle};
        ck_assert_ptr_null(test_flow_run(&test, &(weir_config){.workers = 2}));
        char *nothing = test_list_text(&test.out[0]);
        char *one = test_list_text(&test.out[1]), *other = test_list_text(&test.out[2]);
        ck_assert_str_eq(nothing, "");
        ck_assert(strlen(one) > COUNT);
        ck_assert(strcmp(one, other) == 0);
        free(nothing);
        free(one);
        free(other);
        test_flow_done(&test);
    }
    free(rows);
    free(signs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("moves");
    TCase *tests = tcase_create("moves");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, exchange_loses_nothing);
    tcase_add_test(tests, equal_keys_meet);
    tcase_add_test(tests, broadcast_reaches_every_worker);
    tcase_add_test(tests, delay_moves_times);
    tcase_add_test(tests, delay_saturates);
    tcase_add_test(tests, rows_of_no_bytes);
    tcase_add_test(tests, rows_of_a_megabyte);
    tcase_add_test(tests, bytes_are_carried_unharmed);
    tcase_add_test(tests, batches_of_many_rows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
