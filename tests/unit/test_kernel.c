/* The kernel macros: each wraps a body for one row in a loop over a batch. */
#include <weir/kernel.h>

#include <check.h>
#include <stdlib.h>

#include "base/out.h"

#define NOTHING(F)
#define NUM(F) F(u64, value)
#define GAPS(F) F(u8, a) F(u64, b) F(bool, c)
#define WORD(F) F(weir_text, text)
#define TEST_HUGE(F) F(u8, first) F(weir_byte, bytes, 1048576) F(weir_text, text)
WEIR_ROW(nothing, NOTHING)
WEIR_ROW(num, NUM)
WEIR_ROW(gaps, GAPS)
WEIR_ROW(word, WORD)
WEIR_ROW(huge, TEST_HUGE)

#define LONG_TEXT "a text that does not fit its handle"

static void full(weir_out *out)
{
    ck_assert_ptr_null(wi_out_seal(out));
    wi_out_next(out, 1000);
}

static void begin(weir_out *out, const weir_type *type)
{
    wi_out_init(out, type, full, NULL);
    wi_out_open(out, &WEIR_EPOCH(0), 1000);
}

static weir_batch *end(weir_out *out)
{
    weir_batch *batch = wi_out_seal(out);
    wi_out_fini(out);
    return batch;
}

/* Numbers from 0 in one batch. */
static weir_batch *nums(uint32_t count)
{
    weir_out out;
    begin(&out, &num_type);
    for (uint32_t i = 0; i < count; i++)
        num_push(&out, (num){i});
    return end(&out);
}

WEIR_MAP(twice, num, num)
{
    out->value = 2 * in->value;
}

WEIR_MAP(add_arg, num, num)
{
    out->value = in->value + *(uint64_t *)arg;
}

WEIR_MAP(partly, num, gaps)
{
    if (in->value % 2)
        *out = (gaps){.a = 1, .b = in->value};
}

WEIR_MAP(shout, num, word)
{
    char bytes[] = LONG_TEXT;
    bytes[0] = (char)('a' + in->value);
    out->text = in->value % 2 ? weir_text_new(into, bytes, sizeof bytes - 1) : weir_text_c("short");
}

WEIR_MAP(enlarge, num, huge)
{
    out->first = 1;
    out->bytes[1048575] = (weir_byte)in->value;
    out->text = weir_text_c(LONG_TEXT); /* outlives the body */
}

WEIR_MAP(forget, num, nothing)
{
}

static weir_batch *map(const weir_map_kernel *kernel, uint32_t count, void *arg)
{
    weir_batch *in = nums(count), *out = weir_batch_like(in, kernel->out);
    memset(out->rows, 0xcd, (size_t)count * kernel->out->size);
    kernel->run(in->rows, out->rows, count, out, arg);
    weir_batch_drop(in);
    return out;
}

START_TEST(map_fills_each_row)
{
    uint64_t arg = 1000;
    weir_batch *out = map(&twice, 100, NULL);
    for (uint32_t i = 0; i < 100; i++)
        ck_assert_uint_eq(num_at(out, i)->value, 2 * i);
    weir_batch_drop(out);
    out = map(&add_arg, 7, &arg);
    ck_assert_uint_eq(num_at(out, 6)->value, 1006);
    weir_batch_drop(out);
    ck_assert_str_eq(twice.name, "twice");
    ck_assert_ptr_eq(partly.out, &gaps_type);
    weir_batch_drop(map(&forget, 3, NULL));
}
END_TEST

START_TEST(what_map_leaves_out_is_zero)
{
    weir_batch *out = map(&partly, 4, NULL);
    gaps expected[4];
    memset(expected, 0, sizeof expected);
    expected[1].a = expected[3].a = 1;
    expected[1].b = 1;
    expected[3].b = 3;
    ck_assert_mem_eq(out->rows, expected, sizeof expected);
    weir_batch_drop(out);
}
END_TEST

START_TEST(texts_made_in_a_body_outlive_it)
{
    weir_batch *out = map(&shout, 26, NULL);
    for (uint32_t i = 1; i < 26; i += 2) {
        const weir_text *text = &word_at(out, i)->text;
        ck_assert_int_eq(text->at[0], 'a' + (int)i);
        ck_assert_mem_eq(text->at + 1, &LONG_TEXT[1], sizeof LONG_TEXT - 2);
    }
    weir_batch_drop(out);
}
END_TEST

START_TEST(map_to_rows_of_one_megabyte)
{
    weir_batch *out = map(&enlarge, 3, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        huge *row = huge_at(out, i);
        ck_assert_uint_eq(row->bytes[0], 0);
        ck_assert_uint_eq(row->bytes[1048575], i);
        for (size_t at = offsetof(huge, bytes) + sizeof row->bytes; at < offsetof(huge, text); at++)
            ck_assert_uint_eq(((unsigned char *)row)[at], 0);
        ck_assert_mem_eq(row->text.at, LONG_TEXT, row->text.length);
    }
    weir_batch_drop(out);
}
END_TEST

WEIR_FILTER(even, num)
{
    return in->value % 2 == 0;
}

START_TEST(filter_keeps_some)
{
    weir_batch *in = nums(101);
    num out[101];
    uint32_t kept[101];
    ck_assert_uint_eq(even.run(in->rows, out, kept, 101, NULL), 51);
    for (uint32_t i = 0; i < 51; i++) {
        ck_assert_uint_eq(out[i].value, 2 * i);
        ck_assert_uint_eq(kept[i], 2 * i);
    }
    weir_batch_drop(in);
}
END_TEST

WEIR_FLAT_MAP(repeat, num, num)
{
    for (uint64_t i = 0; i < in->value; i++)
        num_push(out, (num){in->value});
}

WEIR_FILTER_MAP(odd, num, gaps)
{
    out->b = in->value;
    out->a = 9;
    return in->value % 2;
}

/* Numbers 0, 1, 2, 3 with diff 10 + number, the last at epoch 5. */
static weir_batch *stamped(void)
{
    weir_batch *in = nums(4);
    weir_batch_add_diffs(in);
    weir_batch_add_times(in);
    for (uint32_t i = 0; i < 4; i++)
        in->diffs[i] = 10 + i;
    in->times[3] = WEIR_EPOCH(5);
    return in;
}

START_TEST(flat_map_gives_any_number)
{
    weir_out out;
    weir_batch *in = stamped();
    begin(&out, &num_type);
    repeat.run(in, &out, NULL);
    weir_batch *batch = end(&out);
    const uint64_t values[] = {1, 2, 2, 3, 3, 3};
    ck_assert_uint_eq(batch->count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(num_at(batch, i)->value, values[i]);
        ck_assert_int_eq(weir_batch_diff(batch, i), 10 + (int64_t)values[i]);
        ck_assert_uint_eq(weir_batch_time(batch, i)->at[0], values[i] == 3 ? 5 : 0);
    }
    weir_batch_drop(batch);
    weir_batch_drop(in);
}
END_TEST

START_TEST(filter_map_gives_one_or_none)
{
    weir_out out;
    weir_batch *in = stamped();
    begin(&out, &gaps_type);
    memset(out.rows, 0xab, 4 * sizeof(gaps));
    odd.run(in, &out, NULL);
    weir_batch *batch = end(&out);
    gaps expected;
    memset(&expected, 0, sizeof expected);
    expected.a = 9;
    ck_assert_uint_eq(batch->count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        expected.b = 2 * i + 1;
        ck_assert_mem_eq(gaps_at(batch, i), &expected, sizeof expected);
        ck_assert_int_eq(weir_batch_diff(batch, i), i ? 13 : 11);
        ck_assert_uint_eq(weir_batch_time(batch, i)->at[0], i ? 5 : 0);
    }
    weir_batch_drop(batch);
    weir_batch_drop(in);
}
END_TEST

WEIR_EACH(add_up, num)
{
    uint64_t *sums = arg;
    sums[0] += in->value;
    sums[1] += (uint64_t)diff;
    sums[2] += time->at[0];
}

WEIR_ROUTE(tenth, num)
{
    return in->value / 10;
}

WEIR_FOLD(total, num, num)
{
    acc->value += in->value * (uint64_t)diff;
}

START_TEST(each_route_and_fold)
{
    weir_batch *in = stamped();
    uint64_t sums[3] = {0}, routes[100];
    add_up.run(in, sums);
    ck_assert_uint_eq(sums[0], 6);
    ck_assert_uint_eq(sums[1], 46);
    ck_assert_uint_eq(sums[2], 5);
    num even_sum = {0}, odd_sum = {0};
    void *accs[] = {&even_sum, &odd_sum, &even_sum, &odd_sum};
    total.run(in->rows, accs, in->diffs, 0, 4, NULL);
    ck_assert_uint_eq(even_sum.value, 24);
    ck_assert_uint_eq(odd_sum.value, 50);
    total.run(in->rows, accs, NULL, -1, 4, NULL);
    ck_assert_uint_eq(odd_sum.value, 46);
    weir_batch_drop(in);
    in = nums(100);
    tenth.run(in->rows, routes, 100, NULL);
    ck_assert_uint_eq(routes[99], 9);
    weir_batch_drop(in);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tests = tcase_create("kernel");
    tcase_add_test(tests, map_fills_each_row);
    tcase_add_test(tests, what_map_leaves_out_is_zero);
    tcase_add_test(tests, texts_made_in_a_body_outlive_it);
    tcase_add_test(tests, map_to_rows_of_one_megabyte);
    tcase_add_test(tests, filter_keeps_some);
    tcase_add_test(tests, flat_map_gives_any_number);
    tcase_add_test(tests, filter_map_gives_one_or_none);
    tcase_add_test(tests, each_route_and_fold);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
