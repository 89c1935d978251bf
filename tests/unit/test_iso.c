/* The headers in a program that is compiled by -std=c11, without the compiler's extensions: there,
 * the rows of no field but one with dimensions were none. */
#include <check.h>
#include <stdlib.h>

#include <weir/weir.h>

#define PLAIN(F) F(i64, at) F(weir_text, user)
#define ARRAYS(F) F(u8, three, 3) F(f32, six, 2, 3) F(i64, one)
WEIR_ROW(plain, PLAIN)
WEIR_ROW(arrays, ARRAYS)

START_TEST(rows_have_their_fields)
{
    ck_assert_uint_eq(plain_type.field_count, 2);
    const weir_field *fields = weir_type_fields(&arrays_type);
    ck_assert_uint_eq(fields[0].elements, 3);
    ck_assert_uint_eq(fields[0].columns, 1);
    ck_assert_uint_eq(fields[1].elements, 6);
    ck_assert_uint_eq(fields[1].columns, 3);
    ck_assert_uint_eq(fields[2].elements, 1);
    ck_assert_uint_eq(fields[2].offset, offsetof(arrays, one));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");
    tcase_add_test(cases, rows_have_their_fields);
    Suite *suite = suite_create("iso");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
