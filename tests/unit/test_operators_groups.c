/* Operators that wait for a time to be complete: count, aggregate, accumulate, print. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/streams.h"

#define NUM(F) F(u64, value)
#define NUMS(F) F(u64, value) F(i64, count)
#define SALE(F) F(u8, shop) F(weir_text, item) F(i64, price)
#define TALLY(F) F(weir_text, item) F(i64, count)
#define TOTAL(F) F(weir_text, item) F(u8, shop) F(i64, sum) F(weir_text, longest)
#define OF_SHOP(F) F(u8, shop) F(i64, count)
#define ALL(F) F(i64, count)
#define EMPTY(F)
#define HUGE_ROW(F) F(u64, value) F(weir_byte, bytes, 1048576)
WEIR_ROW(num, NUM)
WEIR_ROW(nums, NUMS)
WEIR_ROW(sale, SALE)
WEIR_ROW(tally, TALLY)
WEIR_ROW(total, TOTAL)
WEIR_ROW(of_shop, OF_SHOP)
WEIR_ROW(all, ALL)
WEIR_ROW(empty, EMPTY)
WEIR_ROW(huge, HUGE_ROW)

static sale sales[] = {
    {1, {0}, 5}, {2, {0}, 7}, {1, {0}, 6}, {1, {0}, 1}, {2, {0}, 2}, {1, {0}, 9}, {2, {0}, 4},
};
static const char *const items[] = {
    "tea", "a kettle of copper", "tea", "", "a kettle of copper", "tea", "tea"};
static const uint64_t epochs[] = {0, 0, 0, 2, 2, 3, 3};
static const int64_t signs[] = {1, 1, 2, 1, -1, 1, -1};

static void expect(void (*build)(weir_dataflow *, weir_stream, test_flow *),
                   const char *const *expected, uint32_t lists)
{
    for (int i = 0; i < 7; i++)
        sales[i].item = weir_text_c(items[i]);
    for (int way = 0; way < 4; way++) {
        test_flow test = {.type = &sale_type,
                          .rows = sales,
                          .epochs = epochs,
                          .diffs = signs,
                          .count = 7,
                          .columns = way & 1,
                          .flush_every = way & 2,
                          .build = build};
        test_flow_expect(&test, expected, lists);
    }
}

/* ---- count ---------------------------------------------------------------------------- */

static void build_count(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_count(in, WEIR_BY(sale, item), &tally_type), &test->out[0]);
    test_watch(weir_count(in, WEIR_BY(sale, shop), &of_shop_type), &test->out[1]);
    test_watch(weir_count(in, WEIR_BY_NOTHING(sale), &all_type), &test->out[2]);
}

START_TEST(count_adds_diffs_up)
{
    const char *const expected[] = {"0 +1 a kettle of copper\t1\n0 +1 tea\t3\n"
                                    "2 +1 \t1\n2 +1 a kettle of copper\t-1\n",
                                    "0 +1 1\t3\n0 +1 2\t1\n2 +1 1\t1\n2 +1 2\t-1\n"
                                    "3 +1 1\t1\n3 +1 2\t-1\n",
                                    "0 +1 4\n"};
    expect(build_count, expected, 3);
}
END_TEST

static void build_count_nums(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_count(in, WEIR_BY(num, value), &nums_type), &test->out[0]);
}

static char *count_lines(uint64_t keys, uint64_t times, uint64_t each)
{
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    for (uint64_t t = 0; t < times; t++)
        for (uint64_t k = 0; k < keys; k++)
            fprintf(to, "%llu +1 %llu\t%llu\n", (unsigned long long)t,
                    (unsigned long long)(k + 100000), (unsigned long long)each);
    fclose(to);
    return text;
}

START_TEST(count_of_many_groups)
{
    enum { KEYS = 20000, TIMES = 2, EACH = 3 };
    num *rows = calloc(KEYS * TIMES * EACH, sizeof *rows);
    uint64_t *times = calloc(KEYS * TIMES * EACH, sizeof *times);
    for (uint32_t i = 0; i < KEYS * TIMES * EACH; i++) {
        rows[i].value = i * UINT64_C(7919) % KEYS + 100000;
        times[i] = i / (KEYS * EACH);
    }
    char *lines = count_lines(KEYS, TIMES, EACH);
    const char *const expected[] = {lines};
    test_flow test = {.type = &num_type,
                      .rows = rows,
                      .epochs = times,
                      .count = KEYS * TIMES * EACH,
                      .build = build_count_nums};
    test_flow_expect(&test, expected, 1);
    for (uint32_t i = 0; i < KEYS * TIMES * EACH; i++) /* times that alternate within batches */
        times[i] = i / KEYS % TIMES;
    test.columns = true;
    test_flow_expect(&test, expected, 1);
    free(lines);
    free(rows);
    free(times);
}
END_TEST

static int compare_low(const void *a, const void *b)
{
    uint32_t x = (uint32_t)((const uint64_t *)a)[0], y = (uint32_t)((const uint64_t *)b)[0];
    return (x > y) - (x < y);
}

/* Keys that are alike in the half of their hashes that a table looks at. */
START_TEST(count_of_keys_whose_hashes_collide)
{
    enum { TRIED = 400000, ROWS = 2000 };
    uint64_t(*hashes)[2] = calloc(TRIED, sizeof *hashes);
    num *rows = calloc(ROWS, sizeof *rows), pairs[8];
    uint32_t found = 0;
    for (uint64_t i = 0; i < TRIED; i++) {
        hashes[i][1] = i + 100000;
        weir_key_hash(&WEIR_BY(num, value), &hashes[i][1], 1, &hashes[i][0]);
    }
    qsort(hashes, TRIED, sizeof *hashes, compare_low);
    for (uint32_t i = 0; i + 1 < TRIED && found + 1 < 8; i++)
        if (compare_low(hashes[i], hashes[i + 1]) == 0) {
            pairs[found++].value = hashes[i][1];
            pairs[found++].value = hashes[i + 1][1];
        }
    ck_assert_uint_ge(found, 4);
    for (uint32_t i = 0; i < ROWS; i++)
        rows[i] = pairs[i % 4];
    char expected[4][64], all_of_them[256] = "";
    for (int p = 0; p < 4; p++)
        snprintf(expected[p], sizeof expected[p], "0 +1 %llu\t%d\n",
                 (unsigned long long)pairs[p].value, ROWS / 4);
    qsort(expected, 4, sizeof *expected, (int (*)(const void *, const void *))strcmp);
    for (int p = 0; p < 4; p++)
        strcat(all_of_them, expected[p]);
    const char *const lists[] = {all_of_them};
    test_flow test = {.type = &num_type, .rows = rows, .count = ROWS, .build = build_count_nums};
    test_flow_expect(&test, lists, 1);
    free(rows);
    free(hashes);
}
END_TEST

static void build_empty_count(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_count(in, WEIR_BY_NOTHING(empty), &all_type), &test->out[0]);
}

START_TEST(count_of_rows_of_no_bytes)
{
    const char *const expected[] = {"0 +1 2000\n"};
    test_flow test = {.type = &empty_type, .rows = "", .count = 2000, .build = build_empty_count};
    test_flow_expect(&test, expected, 1);
}
END_TEST

/* ---- aggregate ------------------------------------------------------------------------ */

/* Keeps a text of the row in the group: as long as possible, and the last such in order. */
WEIR_FOLD(add_sale, sale, total)
{
    acc->sum += in->price * diff;
    if (in->item.length > acc->longest.length)
        acc->longest = in->item;
}

WEIR_FOLD(add_all, sale, all)
{
    acc->count += diff;
}

static void build_aggregate(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_key by = WEIR_BY(sale, item, shop);
    test_watch(weir_aggregate(in, by, &add_sale, NULL), &test->out[0]);
    weir_stream gathered = weir_gather(in, 1);
    test_watch(weir_accumulate(gathered, &add_all, NULL), &test->out[1]);
}

START_TEST(aggregate_folds_by_key_and_time)
{
    const char *const expected[] = {
        "0 +1 a kettle of copper\t2\t7\ta kettle of copper\n0 +1 tea\t1\t17\ttea\n"
        "2 +1 \t1\t1\t\n2 +1 a kettle of copper\t2\t-2\ta kettle of copper\n"
        "3 +1 tea\t1\t9\ttea\n3 +1 tea\t2\t-4\ttea\n",
        "0 +1 4\n2 +1 0\n3 +1 0\n"};
    expect(build_aggregate, expected, 2);
}
END_TEST

#define LAST(F) F(u8, group) F(weir_text, text) F(weir_text, other)
#define HOLDER(F) F(weir_text, text) F(u8, group)
WEIR_ROW(last, LAST)
WEIR_ROW(holder, HOLDER)

/* Every row replaces a long text by another, and moves the one before to another field. */
WEIR_FOLD(keep_last_text, holder, last)
{
    acc->other = acc->text;
    acc->text = in->text;
}

static void build_last(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_aggregate(in, WEIR_BY(holder, group), &keep_last_text, NULL), &test->out[0]);
}

START_TEST(texts_in_groups_are_kept_and_replaced)
{
    enum { COUNT = 6000, GROUPS = 3 };
    char *bytes = malloc(COUNT * 500);
    holder *rows = calloc(COUNT, sizeof *rows);
    char expected[8192], *at = expected;
    for (uint32_t i = 0; i < COUNT; i++) {
        char *text = bytes + i * 500;
        int length = snprintf(text, 500, "%0*u", (int)(i * 31 % 480) + 1, i);
        rows[i] = (holder){weir_text_of(text, (uint32_t)length), (uint8_t)(i % GROUPS)};
    }
    for (uint32_t g = 0; g < GROUPS; g++) {
        const weir_text *text = &rows[COUNT - GROUPS + g].text;
        const weir_text *other = &rows[COUNT - 2 * GROUPS + g].text;
        at += sprintf(at, "0 +1 %u\t%.*s\t%.*s\n", g, (int)text->length, weir_text_at(text),
                      (int)other->length, weir_text_at(other));
    }
    test_flow test = {.type = &holder_type, .rows = rows, .count = COUNT, .build = build_last};
    ck_assert_ptr_null(test_flow_run(&test, &(weir_config){.workers = 1}));
    char *got = test_list_text(&test.out[0]);
    ck_assert_str_eq(got, expected);
    free(got);
    test_flow_done(&test);
    free(rows);
    free(bytes);
}
END_TEST

WEIR_FOLD(mark, num, huge)
{
    acc->bytes[in->value] += (uint8_t)diff;
    acc->bytes[1048575] += 1;
}

WEIR_MAP(marks, huge, nums)
{
    *out = (nums){in->value, in->bytes[in->value] * 1000 + in->bytes[1048575]};
}

static void build_huge(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream rows = weir_aggregate(in, WEIR_BY(num, value), &mark, NULL);
    test_watch(weir_map(rows, &marks), &test->out[0]);
}

START_TEST(groups_of_a_megabyte)
{
    static const num rows[] = {{3}, {4}, {3}, {9}, {3}, {17}};
    const char *const expected[] = {"0 +1 17\t1001\n0 +1 3\t3003\n0 +1 4\t1001\n0 +1 9\t1001\n"};
    test_flow test = {.type = &num_type, .rows = rows, .count = 6, .build = build_huge};
    test_flow_expect(&test, expected, 1);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------ */

static void build_no_count(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_count(in, WEIR_BY(sale, item), &all_type), &test->out[0]);
}

static void build_other_key(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_count(in, WEIR_BY(sale, item), &of_shop_type), &test->out[0]);
}

static void build_other_acc(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_aggregate(in, WEIR_BY(sale, shop), &add_sale, NULL), &test->out[0]);
}

static void build_other_rows(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_aggregate(in, WEIR_BY(num, value), &add_sale, NULL), &test->out[0]);
}

static const struct {
    void (*build)(weir_dataflow *flow, weir_stream in, test_flow *test);
    const char *says;
} refused[] = {
    {build_no_count, "count: gives rows of all(count i64), which should have the 1 fields of its "
                     "key and then one i64"},
    {build_other_key, "count: gives rows of of_shop(shop u8, count i64), whose first fields are "
                      "not of the same kinds as the 1 fields of its key of sale("},
    {build_other_acc, "aggregate `add_sale`: gives rows of total(item text, shop u8, sum i64, "
                      "longest text), whose first fields are not"},
    {build_other_rows, "aggregate `add_sale`: takes rows of num(value u64), but its stream has"},
};

START_TEST(misuse_is_named)
{
    test_flow test = {.type = &sale_type, .count = 0, .build = refused[_i].build};
    weir_err *err = test_flow_run(&test, &(weir_config){.workers = 1});
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), refused[_i].says), "%s", weir_err_message(err));
    weir_err_free(err);
    test_flow_done(&test);
}
END_TEST

/* ---- print ---------------------------------------------------------------------------- */

static void build_print(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_print(in, test->arg);
}

static char *printed(test_flow *test, weir_config config)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    test->arg = to;
    ck_assert_ptr_null(test_flow_run(test, &config));
    test_flow_done(test);
    fclose(to);
    return text;
}

START_TEST(print_sorts_whole_times)
{
    const char *expected = "1\ttea\t5\n+2\t1\ttea\t6\n2\ta kettle of copper\t7\n"
                           "1\t\t1\n-1\t2\ta kettle of copper\t2\n"
                           "1\ttea\t9\n-1\t2\ttea\t4\n";
    for (int i = 0; i < 7; i++)
        sales[i].item = weir_text_c(items[i]);
    for (int way = 0; way < 8; way++) {
        test_flow test = {.type = &sale_type,
                          .rows = sales,
                          .epochs = epochs,
                          .diffs = signs,
                          .count = 7,
                          .columns = way & 1,
                          .build = build_print};
        char *text = printed(
            &test, (weir_config){.workers = 1 + (uint32_t)way / 2, .deterministic = way > 5});
        ck_assert_str_eq(text, expected);
        free(text);
    }
}
END_TEST

START_TEST(print_adds_equal_rows_up)
{
    static const num rows[] = {{2}, {1}, {2}, {3}, {3}};
    static const int64_t its_signs[] = {1, 1, 1, 1, -1};
    test_flow test = {
        .type = &num_type, .rows = rows, .diffs = its_signs, .count = 5, .build = build_print};
    char *text = printed(&test, (weir_config){.workers = 2});
    ck_assert_str_eq(text, "1\n+2\t2\n");
    free(text);
}
END_TEST

START_TEST(print_says_when_it_cannot)
{
    static const num rows[] = {{2}};
    test_flow test = {.type = &num_type, .rows = rows, .count = 1, .build = build_print};
    FILE *full = fopen("/dev/full", "w");
    test.arg = full;
    weir_err *err = test_flow_run(&test, &(weir_config){.workers = 1});
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), "cannot print: No space left on device"), "%s",
                  weir_err_message(err));
    weir_err_free(err);
    test_flow_done(&test);
    fclose(full);
}
END_TEST

/* Partially ordered times: lexicographic order, whatever completes first. */
static void print_pairs(weir_worker *worker, void *arg)
{
    static const char *const dims[] = {"system", "valid"};
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "pairs");
    weir_dataflow_dims(flow, dims, 2);
    weir_print(weir_input_new(flow, &num_type, &input), arg);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    for (uint64_t n = weir_worker_index(worker); n < 9; n += weir_worker_count(worker)) {
        uint64_t at = (n * 4 + 2) % 9; /* any order */
        weir_out_time(weir_input_out(input), &(weir_time){{at / 3, at % 3}});
        num_push(weir_input_out(input), (num){at});
    }
    weir_input_close(&input);
}

START_TEST(print_orders_pairs)
{
    for (uint32_t workers = 1; workers <= 3; workers++) {
        char *text = NULL;
        size_t bytes;
        FILE *to = open_memstream(&text, &bytes);
        ck_assert_ptr_null(weir_execute(&(weir_config){.workers = workers}, print_pairs, to));
        fclose(to);
        ck_assert_str_eq(text, "0\n1\n2\n3\n4\n5\n6\n7\n8\n");
        free(text);
    }
}
END_TEST

/* ---- stopping in the middle ----------------------------------------------------------- */

static void stop_early(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "stopped");
    weir_stream in = weir_input_new(flow, &num_type, &input);
    weir_print(weir_count(in, WEIR_BY(num, value), &nums_type), stdout);
    weir_print(in, stdout);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    for (uint64_t i = 0; i < 1000; i++)
        num_push(weir_input_out(input), (num){i});
    weir_input_flush(input);
    for (int i = 0; i < 10; i++)
        weir_step(worker);
    weir_stop(worker, "enough");
}

START_TEST(groups_of_an_unfinished_time_are_freed)
{
    weir_err *err = weir_execute(&(weir_config){.workers = 1}, stop_early, NULL);
    ck_assert_ptr_nonnull(err);
    weir_err_free(err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *tests = tcase_create("groups");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, count_adds_diffs_up);
    tcase_add_test(tests, count_of_many_groups);
    tcase_add_test(tests, count_of_keys_whose_hashes_collide);
    tcase_add_test(tests, count_of_rows_of_no_bytes);
    tcase_add_test(tests, aggregate_folds_by_key_and_time);
    tcase_add_test(tests, texts_in_groups_are_kept_and_replaced);
    tcase_add_test(tests, groups_of_a_megabyte);
    tcase_add_loop_test(tests, misuse_is_named, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tests, print_sorts_whole_times);
    tcase_add_test(tests, print_adds_equal_rows_up);
    tcase_add_test(tests, print_says_when_it_cannot);
    tcase_add_test(tests, print_orders_pairs);
    tcase_add_test(tests, groups_of_an_unfinished_time_are_freed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
