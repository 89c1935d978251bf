/* Times and path summaries. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <weir/time.h>

#define END UINT64_MAX

static weir_time time2(uint64_t a, uint64_t b)
{
    return (weir_time){{a, b}};
}

START_TEST(product_order_is_partial)
{
    weir_time a = time2(1, 5), b = time2(2, 3), c = time2(2, 5);
    ck_assert(!weir_time_le(&a, &b));
    ck_assert(!weir_time_le(&b, &a));
    ck_assert(weir_time_lt(&a, &c));
    ck_assert(weir_time_lt(&b, &c));
    ck_assert(weir_time_le(&c, &c));
    ck_assert(!weir_time_lt(&c, &c));
    ck_assert_int_eq(weir_time_compare(&a, &b), -1);
    ck_assert_int_eq(weir_time_compare(&c, &b), 1);
    ck_assert_int_eq(weir_time_compare(&c, &c), 0);
}
END_TEST

START_TEST(join_and_meet_are_bounds)
{
    weir_time a = time2(1, 5), b = time2(2, 3);
    weir_time join = weir_time_join(&a, &b), meet = weir_time_meet(&a, &b);
    ck_assert(weir_time_eq(&join, &(weir_time){{2, 5}}));
    ck_assert(weir_time_eq(&meet, &(weir_time){{1, 3}}));
}
END_TEST

START_TEST(text_of_any_number_of_coordinates)
{
    char text[WEIR_TIME_TEXT_BYTES];
    weir_time time = {{7, 2, 0, END}};
    ck_assert_str_eq(weir_time_text(&time, 1, text), "7");
    ck_assert_str_eq(weir_time_text(&time, 2, text), "(7, 2)");
    ck_assert_str_eq(weir_time_text(&time, 4, text), "(7, 2, 0, 18446744073709551615)");
    weir_time last = {{END, END, END, END}};
    ck_assert_uint_eq(strlen(weir_time_text(&last, 4, text)), 88);
}
END_TEST

START_TEST(summaries_apply)
{
    weir_time time = time2(3, 4), out;
    weir_summary same = weir_summary_identity(2), later = weir_summary_add(2, 1, 5);
    weir_summary in = weir_summary_enter(2), out_of = weir_summary_leave(2);
    out = weir_summary_apply(&same, &time);
    ck_assert(weir_time_eq(&out, &time));
    out = weir_summary_apply(&later, &time);
    ck_assert(weir_time_eq(&out, &(weir_time){{3, 9}}));
    out = weir_summary_apply(&in, &time);
    ck_assert(weir_time_eq(&out, &(weir_time){{3, 4, 0}}));
    ck_assert_int_eq(in.dims_out, 3);
    out = weir_summary_apply(&out_of, &time);
    ck_assert(weir_time_eq(&out, &(weir_time){{3}}));
    ck_assert_int_eq(out_of.dims_out, 1);
}
END_TEST

START_TEST(summaries_saturate_or_say_so)
{
    weir_time time = time2(3, END - 2), out;
    weir_summary step = weir_summary_add(2, 1, 2), far = weir_summary_add(2, 1, 3);
    ck_assert(weir_summary_apply_checked(&step, &time, &out));
    ck_assert(weir_time_eq(&out, &(weir_time){{3, END}}));
    ck_assert(!weir_summary_apply_checked(&far, &time, &out));
    out = weir_summary_apply(&far, &time);
    ck_assert(weir_time_eq(&out, &(weir_time){{3, END}}));
}
END_TEST

/* Composition agrees with applying one after the other, for all short paths. */
START_TEST(composition_is_application)
{
    weir_summary steps[4][8];
    int counts[4] = {0};
    for (int dims = 1; dims <= 3; dims++) {
        steps[dims][counts[dims]++] = weir_summary_identity(dims);
        for (int dim = 0; dim < dims; dim++)
            steps[dims][counts[dims]++] = weir_summary_add(dims, dim, (uint64_t)dim + 1);
        steps[dims][counts[dims]++] = weir_summary_add(dims, dims - 1, END - 4);
        if (dims < 3)
            steps[dims][counts[dims]++] = weir_summary_enter(dims);
        if (dims > 1)
            steps[dims][counts[dims]++] = weir_summary_leave(dims);
    }
    for (unsigned seed = 0; seed < 2000; seed++) {
        unsigned random = seed;
        int dims = 1 + rand_r(&random) % 3;
        weir_time start = {{(uint64_t)(rand_r(&random) % 9)}}, time;
        for (int i = 1; i < dims; i++)
            start.at[i] = (uint64_t)(rand_r(&random) % 9);
        weir_summary path = weir_summary_identity(dims);
        time = start;
        for (int length = rand_r(&random) % 6; length > 0; length--) {
            const weir_summary *step = &steps[dims][rand_r(&random) % counts[dims]];
            time = weir_summary_apply(step, &time);
            path = weir_summary_then(&path, step);
            dims = step->dims_out;
        }
        weir_time direct = weir_summary_apply(&path, &start);
        ck_assert_int_eq(path.dims_out, dims);
        ck_assert_msg(weir_time_eq(&direct, &time), "seed %u", seed);
    }
}
END_TEST

START_TEST(summaries_are_compared_by_what_they_do)
{
    weir_summary a = weir_summary_add(2, 1, 1), b = weir_summary_add(2, 0, 1);
    weir_summary same = weir_summary_identity(2), back;
    ck_assert(!weir_summary_eq(&a, &b));
    weir_summary in = weir_summary_enter(2), out = weir_summary_leave(3);
    back = weir_summary_then(&in, &out);
    ck_assert(weir_summary_eq(&back, &same));
    ck_assert(!weir_summary_eq(&in, &same));
    weir_summary around = weir_summary_then(&out, &in); /* forgets the last coordinate */
    ck_assert_int_eq(around.keep, 2);
    ck_assert_int_eq(around.dims_out, 3);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("time");
    tcase_add_test(cases, product_order_is_partial);
    tcase_add_test(cases, join_and_meet_are_bounds);
    tcase_add_test(cases, text_of_any_number_of_coordinates);
    tcase_add_test(cases, summaries_apply);
    tcase_add_test(cases, summaries_saturate_or_say_so);
    tcase_add_test(cases, composition_is_application);
    tcase_add_test(cases, summaries_are_compared_by_what_they_do);
    Suite *suite = suite_create("time");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
