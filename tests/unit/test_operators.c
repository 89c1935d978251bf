/* Operators that look at one batch at a time: map, filter, flat_map, filter_map, inspect,
 * each, branch, partition, concat. Each on the same updates, with diffs and epochs, once as
 * epochs of the input and once as columns. What is refused while building. */
#include <check.h>
#include <stdlib.h>

#include "tests/support/streams.h"

#define NUM(F) F(u64, value)
#define WORD(F) F(weir_text, text)
#define TAGGED(F) F(weir_text, text) F(u8, length) F(u64, value)
WEIR_ROW(num, NUM)
WEIR_ROW(word, WORD)
WEIR_ROW(tagged, TAGGED)

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

/* ---- row by row ----------------------------------------------------------------------- */

WEIR_MAP(times_ten, num, num)
{
    out->value = in->value * 10;
}

WEIR_MAP(spell, num, tagged)
{
    char *text = arg;
    uint32_t length = (uint32_t)in->value * 3;
    *out = (tagged){weir_text_of(text, length), (uint8_t)length, in->value};
}

WEIR_MAP(text_of, tagged, word)
{
    out->text = in->text;
}

static void build_map(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_map(in, &times_ten), &test->out[0]);
}

START_TEST(map_keeps_times_and_diffs)
{
    expect(build_map,
           "0 +1 0\n0 -1 10\n0 +2 20\n1 +1 30\n1 +1 40\n1 +1 50\n5 -3 60\n5 +1 70\n"
           "9 +1 80\n9 +1 90\n",
           NULL);
}
END_TEST

static char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

static void build_text_map(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream spelled = weir_map_with(in, &spell, alphabet);
    test_watch(weir_map(spelled, &text_of), &test->out[0]);
}

START_TEST(map_copies_texts)
{
    expect(build_text_map,
           "0 +1 \n0 -1 abc\n0 +2 abcdef\n1 +1 abcdefghi\n1 +1 abcdefghijkl\n"
           "1 +1 abcdefghijklmno\n5 -3 abcdefghijklmnopqr\n5 +1 abcdefghijklmnopqrstu\n"
           "9 +1 abcdefghijklmnopqrstuvwx\n9 +1 abcdefghijklmnopqrstuvwxyz0\n",
           NULL);
}
END_TEST

WEIR_FILTER(below, num)
{
    return in->value < *(uint64_t *)arg;
}

WEIR_FILTER(long_ones, tagged)
{
    return in->length > 12;
}

static uint64_t some = 4, all = 100, none = 0;

static void build_filter(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_filter_with(in, &below, &some), &test->out[0]);
    test_watch(weir_filter_with(weir_filter_with(in, &below, &all), &below, &none), &test->out[1]);
}

START_TEST(filter_keeps_some_all_or_none)
{
    expect(build_filter, "0 +1 0\n0 -1 1\n0 +2 2\n1 +1 3\n", "");
}
END_TEST

static void build_text_filter(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream spelled = weir_map_with(in, &spell, alphabet);
    weir_stream kept = weir_filter(spelled, &long_ones);
    test_watch(weir_map(kept, &text_of), &test->out[0]);
}

START_TEST(filter_keeps_long_texts)
{
    expect(build_text_filter,
           "1 +1 abcdefghijklmno\n5 -3 abcdefghijklmnopqr\n5 +1 abcdefghijklmnopqrstu\n"
           "9 +1 abcdefghijklmnopqrstuvwx\n9 +1 abcdefghijklmnopqrstuvwxyz0\n",
           NULL);
}
END_TEST

WEIR_FLAT_MAP(as_often, num, num)
{
    for (uint64_t i = 0; i < in->value % 3; i++)
        num_push(out, (num){in->value});
}

WEIR_FILTER_MAP(half_of_even, num, num)
{
    out->value = in->value / 2;
    return in->value % 2 == 0;
}

static void build_flat_map(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_flat_map(in, &as_often), &test->out[0]);
    test_watch(weir_filter_map(in, &half_of_even), &test->out[1]);
}

START_TEST(flat_map_and_filter_map_keep_times_and_diffs)
{
    expect(build_flat_map, "0 -1 1\n0 +4 2\n1 +1 4\n1 +2 5\n5 +1 7\n9 +2 8\n",
           "0 +1 0\n0 +2 1\n1 +1 2\n5 -3 3\n9 +1 4\n");
}
END_TEST

/* ---- looking -------------------------------------------------------------------------- */

WEIR_EACH(list_num, num)
{
    test_list_add(arg, &num_type, in, time, diff);
}

static void build_inspect(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream seen = weir_inspect_with(in, &list_num, &test->out[0]);
    weir_each(seen, &list_num, &test->out[1]);
}

START_TEST(inspect_and_each_see_every_row)
{
    const char *same = "0 +1 0\n0 -1 1\n0 +2 2\n1 +1 3\n1 +1 4\n1 +1 5\n5 -3 6\n5 +1 7\n"
                       "9 +1 8\n9 +1 9\n";
    expect(build_inspect, same, same);
}
END_TEST

/* ---- apart and together --------------------------------------------------------------- */

static void build_branch(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream low, high;
    weir_branch(in, &below, &some, &low, &high);
    test_watch(low, &test->out[0]);
    test_watch(high, &test->out[1]);
}

START_TEST(branch_gives_each_row_once)
{
    expect(build_branch, "0 +1 0\n0 -1 1\n0 +2 2\n1 +1 3\n",
           "1 +1 4\n1 +1 5\n5 -3 6\n5 +1 7\n9 +1 8\n9 +1 9\n");
}
END_TEST

static void build_text_branch(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream kept, others;
    weir_branch(weir_map_with(in, &spell, alphabet), &long_ones, NULL, &kept, &others);
    test_watch(weir_map(kept, &text_of), &test->out[0]);
    test_watch(weir_map(others, &text_of), &test->out[1]);
}

START_TEST(branch_keeps_texts)
{
    expect(build_text_branch,
           "1 +1 abcdefghijklmno\n5 -3 abcdefghijklmnopqr\n5 +1 abcdefghijklmnopqrstu\n"
           "9 +1 abcdefghijklmnopqrstuvwx\n9 +1 abcdefghijklmnopqrstuvwxyz0\n",
           "0 +1 \n0 -1 abc\n0 +2 abcdef\n1 +1 abcdefghi\n1 +1 abcdefghijkl\n");
}
END_TEST

WEIR_ROUTE(its_value, num)
{
    return in->value;
}

static void build_partition(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream parts[3];
    weir_partition(in, &its_value, NULL, 3, parts);
    test_watch(parts[0], &test->out[0]);
    test_watch(parts[2], &test->out[1]);
    test_watch(weir_concat_all(parts, 3), &test->out[2]);
    weir_partition(in, &its_value, NULL, 1, parts);
    test_watch(parts[0], &test->out[3]);
}

START_TEST(partition_goes_by_the_route)
{
    const char *everything = "0 +1 0\n0 -1 1\n0 +2 2\n1 +1 3\n1 +1 4\n1 +1 5\n5 -3 6\n5 +1 7\n"
                             "9 +1 8\n9 +1 9\n";
    const char *const expected[] = {"0 +1 0\n1 +1 3\n5 -3 6\n9 +1 9\n", "0 +2 2\n1 +1 5\n9 +1 8\n",
                                    everything, everything};
    test_flow test = {.type = &num_type,
                      .rows = numbers,
                      .epochs = epochs,
                      .diffs = diffs,
                      .count = 10,
                      .build = build_partition};
    test_flow_expect(&test, expected, 4);
    test.columns = true;
    test_flow_expect(&test, expected, 4);
}
END_TEST

static void build_concat(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream streams[] = {in, weir_map(in, &times_ten), weir_filter_with(in, &below, &some)};
    test_watch(weir_concat(in, in), &test->out[0]);
    test_watch(weir_filter_with(weir_concat_all(streams, 3), &below, &some), &test->out[1]);
}

START_TEST(concat_gives_all_rows)
{
    expect(build_concat,
           "0 +2 0\n0 -2 1\n0 +4 2\n1 +2 3\n1 +2 4\n1 +2 5\n5 -6 6\n5 +2 7\n9 +2 8\n9 +2 9\n",
           "0 +3 0\n0 -2 1\n0 +4 2\n1 +2 3\n");
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------ */

static void build_wrong_map(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_map(weir_map(in, &text_of), &text_of), &test->out[0]);
}

static void build_wrong_concat(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_concat(in, weir_map_with(in, &spell, alphabet)), &test->out[0]);
}

static void build_wrong_key(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_exchange(in, WEIR_BY(word, text)), &test->out[0]);
}

static void build_no_parts(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    (void)test;
    weir_partition(in, &its_value, NULL, 0, NULL);
}

static weir_time earlier(const weir_time *time, void *arg)
{
    (void)arg;
    return WEIR_EPOCH(time->at[0] ? time->at[0] - 1 : 0);
}

static void build_wrong_delay(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_delay_to(in, earlier, NULL), &test->out[0]);
}

static const struct {
    void (*build)(weir_dataflow *flow, weir_stream in, test_flow *test);
    const char *says;
} refused[] = {
    {build_wrong_map,
     "map `text_of`: takes rows of tagged(text text, length u8, value u64), but its stream has "
     "num(value u64)"},
    {build_wrong_concat, "concat: has rows of num(value u64), but is also given tagged("},
    {build_wrong_key, "exchange: takes rows of word(text text), but its stream has num(value u64)"},
    {build_no_parts, "partition `its_value`: into 0 streams; it needs at least one"},
    {build_wrong_delay, "its function gives time 0 for a row of time 1, which is not later"},
};

START_TEST(misuse_is_named)
{
    static const uint32_t workers[] = {1, 3};
    test_flow test = {.type = &num_type,
                      .rows = numbers,
                      .epochs = epochs,
                      .count = 10,
                      .build = refused[_i].build};
    for (int w = 0; w < 2; w++) {
        weir_err *err = test_flow_run(&test, &(weir_config){.workers = workers[w]});
        ck_assert_ptr_nonnull(err);
        ck_assert_msg(strstr(weir_err_message(err), refused[_i].says), "%s", weir_err_message(err));
        weir_err_free(err);
        test_flow_done(&test);
    }
}
END_TEST

WEIR_ROW(other_name, WORD)
WEIR_MAP(by_any_name, other_name, word)
{
    out->text = in->text;
}

static void build_other_name(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream mapped = weir_map(in, &by_any_name);
    test_watch(weir_exchange(weir_concat(in, mapped), WEIR_BY(other_name, text)), &test->out[0]);
}

START_TEST(names_of_types_do_not_matter)
{
    const word words[] = {{weir_text_c("a")}, {weir_text_c("a text of its own")}};
    const char *const expected[] = {"0 +2 a\n0 +2 a text of its own\n"};
    test_flow test = {.type = &word_type, .rows = words, .count = 2, .build = build_other_name};
    test_flow_expect(&test, expected, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operators");
    TCase *tests = tcase_create("operators");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, map_keeps_times_and_diffs);
    tcase_add_test(tests, map_copies_texts);
    tcase_add_test(tests, filter_keeps_some_all_or_none);
    tcase_add_test(tests, filter_keeps_long_texts);
    tcase_add_test(tests, flat_map_and_filter_map_keep_times_and_diffs);
    tcase_add_test(tests, inspect_and_each_see_every_row);
    tcase_add_test(tests, branch_gives_each_row_once);
    tcase_add_test(tests, branch_keeps_texts);
    tcase_add_test(tests, partition_goes_by_the_route);
    tcase_add_test(tests, concat_gives_all_rows);
    tcase_add_test(tests, names_of_types_do_not_matter);
    tcase_add_loop_test(tests, misuse_is_named, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
