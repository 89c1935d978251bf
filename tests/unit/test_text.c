/* Text handles, and walking through texts by word and by field. */
#include <weir/batch.h>

#include <check.h>
#include <stdlib.h>

static weir_text text(const char *string)
{
    return weir_text_c(string);
}

static void check_is(const weir_text *got, const char *expected)
{
    ck_assert_uint_eq(got->length, strlen(expected));
    ck_assert_mem_eq(weir_text_at(got), expected, got->length);
}

START_TEST(short_texts_are_equal_as_handles)
{
    for (uint32_t length = 0; length <= WEIR_TEXT_INLINE; length++) {
        char one[16] = "abcdefghijkl", two[16] = "abcdefghijkl";
        memset(two + length, 'x', sizeof two - length);
        weir_text a = weir_text_of(one, length), b = weir_text_of(two, length);
        ck_assert_mem_eq(&a, &b, sizeof a);
        ck_assert_ptr_eq(weir_text_at(&a), (char *)&a + 4);
        ck_assert_mem_eq(weir_text_at(&a), "abcdefghijkl", length);
    }
}
END_TEST

START_TEST(long_texts_borrow_and_keep_a_prefix)
{
    const char *bytes = "thirteen long";
    weir_text a = text(bytes);
    ck_assert_uint_eq(a.length, 13);
    ck_assert_ptr_eq(a.at, bytes);
    ck_assert_mem_eq(a.prefix, "thir", 4);
}
END_TEST

START_TEST(no_bytes_at_all)
{
    weir_text nothing = weir_text_of(NULL, 0), empty = text("");
    ck_assert(weir_text_equal(&nothing, &empty));
    ck_assert_int_eq(weir_text_compare(&nothing, &empty), 0);
}
END_TEST

START_TEST(equality_is_of_contents)
{
    char one[] = "the same long text", two[] = "the same long text", other[] = "the same long tent";
    weir_text a = text(one), b = text(two), c = text(other), shorter = weir_text_of(one, 17);
    ck_assert(weir_text_equal(&a, &b));
    ck_assert(!weir_text_equal(&a, &c));
    ck_assert(!weir_text_equal(&a, &shorter));
    weir_text with_nul = weir_text_of("ab\0cd", 5), without = text("ab");
    ck_assert(!weir_text_equal(&with_nul, &without));
    ck_assert(!weir_text_equal(&a, &without));
}
END_TEST

START_TEST(order_is_of_bytes_then_length)
{
    const char *ordered[] = {"",   "a", "ab", "abcdefghijkl", "abcdefghijklm", "abcdefghijkln",
                             "ac", "b", "z",  "\x7f",         "\x80",          "\xff\xfe"};
    int count = sizeof ordered / sizeof *ordered;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            weir_text a = text(ordered[i]), b = text(ordered[j]);
            ck_assert_int_eq(weir_text_compare(&a, &b), (i > j) - (i < j));
            ck_assert_int_eq(weir_text_equal(&a, &b), i == j);
        }
}
END_TEST

/* Every word at every offset of a buffer of exactly that size, so that reading beyond the
 * text shows under a sanitizer. */
START_TEST(words_of_every_length_and_place)
{
    for (size_t before = 0; before < 40; before++)
        for (size_t length = 1; length < 40; length++)
            for (size_t after = 0; after < 20; after++) {
                size_t size = before + length + after;
                char *bytes = malloc(size);
                memset(bytes, '.', size);
                for (size_t i = 0; i < length; i++)
                    bytes[before + i] = (char)('a' + (i + before) % 26);
                weir_text whole = weir_text_of(bytes, (uint32_t)size), token;
                weir_cursor at = weir_text_begin(whole);
                ck_assert(weir_next_word(&at, &token));
                weir_text expected = weir_text_of(bytes + before, (uint32_t)length);
                ck_assert(weir_text_equal(&token, &expected));
                if (length <= WEIR_TEXT_INLINE)
                    ck_assert_mem_eq(&token, &expected, sizeof token);
                ck_assert(!weir_next_word(&at, &token));
                ck_assert(!weir_next_word(&at, &token));
                free(bytes);
            }
}
END_TEST

static bool is_word_byte(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c >= 128;
}

START_TEST(each_byte_is_in_a_word_or_not)
{
    for (int c = 0; c < 256; c++)
        for (size_t size = 1; size <= 33; size += 16) { /* by single bytes, by sixteens */
            char bytes[33];
            memset(bytes, ' ', sizeof bytes);
            bytes[0] = (char)c;
            weir_text whole = weir_text_of(bytes, (uint32_t)size), token;
            weir_cursor at = weir_text_begin(whole);
            ck_assert_int_eq(weir_next_word(&at, &token), is_word_byte(c));
        }
}
END_TEST

START_TEST(words_of_a_sentence)
{
    weir_text whole = text("  It's 2 na\xc3\xafve_words, (and)\t\nthe-end "), token;
    const char *expected[] = {"It", "s", "2", "na\xc3\xafve_words", "and", "the", "end"};
    weir_cursor at = weir_text_begin(whole);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert(weir_next_word(&at, &token));
        check_is(&token, expected[i]);
    }
    ck_assert(!weir_next_word(&at, &token));
}
END_TEST

static void check_fields(const char *line, const char *const *expected, int count)
{
    weir_text whole = text(line), field;
    weir_cursor at = weir_text_begin(whole);
    for (int i = 0; i < count; i++) {
        ck_assert(weir_next_field(&at, ',', &field));
        check_is(&field, expected[i]);
    }
    ck_assert(!weir_next_field(&at, ',', &field));
    ck_assert(!weir_next_field(&at, ',', &field));
    ck_assert(!weir_next_word(&at, &field));
}

START_TEST(n_separators_make_n_plus_one_fields)
{
    check_fields("", (const char *[]){""}, 1);
    check_fields("one", (const char *[]){"one"}, 1);
    check_fields(",", (const char *[]){"", ""}, 2);
    check_fields("a,,b", (const char *[]){"a", "", "b"}, 3);
    check_fields("a field of some length,another field of some length,",
                 (const char *[]){"a field of some length", "another field of some length", ""}, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, short_texts_are_equal_as_handles);
    tcase_add_test(tests, long_texts_borrow_and_keep_a_prefix);
    tcase_add_test(tests, no_bytes_at_all);
    tcase_add_test(tests, equality_is_of_contents);
    tcase_add_test(tests, order_is_of_bytes_then_length);
    tcase_add_test(tests, words_of_every_length_and_place);
    tcase_add_test(tests, each_byte_is_in_a_word_or_not);
    tcase_add_test(tests, words_of_a_sentence);
    tcase_add_test(tests, n_separators_make_n_plus_one_fields);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
