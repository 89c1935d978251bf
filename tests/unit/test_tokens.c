/* Words, runs of letters, fields and lower case of random bytes, compared with functions that
 * look at one byte at a time. Texts lie in memory of exactly their size, so that the address
 * sanitizer sees a read beyond them. A failure names its seed. */
#include <check.h>
#include <stdlib.h>

#include <weir/batch.h>

enum { SEEDS = 4000, BYTES_MAX = 300 };

/* ---- one byte at a time --------------------------------------------------------------------- */

static bool is_letter(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_word_byte(unsigned char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c > 127;
}

typedef struct rest {
    size_t at, length; /* the rest of the text begins at `at`; beyond `length`: no rest */
} rest;

static bool naive_run(const char *bytes, rest *left, bool (*inside)(unsigned char c),
                      size_t *begin_out, size_t *end_out)
{
    size_t at = left->at;
    while (at < left->length && !inside((unsigned char)bytes[at]))
        at++;
    *begin_out = at;
    while (at < left->length && inside((unsigned char)bytes[at]))
        at++;
    *end_out = at;
    if (left->at <= left->length)
        left->at = at;
    return at > *begin_out;
}

static bool naive_field(const char *bytes, rest *left, char separator, size_t *begin_out,
                        size_t *end_out)
{
    if (left->at > left->length)
        return false;
    size_t at = *begin_out = left->at;
    while (at < left->length && bytes[at] != separator)
        at++;
    *end_out = at;
    left->at = at + 1;
    return true;
}

/* ---- random texts --------------------------------------------------------------------------- */

/* Bytes of a few kinds; the more often one stays the same, the longer the words. */
static void fill(char *bytes, size_t length, unsigned *random)
{
    static const char kinds[4][9] = {"aZbYmzAk", "0_9\x80\xff\xc3_5", " ,.@[`{/", "q \nA1\t,z"};
    int stays = 1 + rand_r(random) % 100, kind = 0;
    for (size_t i = 0; i < length; i++) {
        if (rand_r(random) % stays == 0)
            kind = rand_r(random) % 5;
        bytes[i] = kind < 4 ? kinds[kind][rand_r(random) % 8] : (char)rand_r(random);
    }
}

static void check_token(const weir_text *token, const char *expected, size_t length, unsigned seed)
{
    weir_text same = weir_text_of(expected, (uint32_t)length);
    ck_assert_msg(token->length == length, "seed %u", seed);
    ck_assert_msg(memcmp(weir_text_at(token), expected, length) == 0, "seed %u", seed);
    ck_assert_msg(memcmp(token, &same, sizeof same) == 0, "seed %u: another handle", seed);
}

/* Walks to the end; `way`: always words, always letters, always fields, or any of them. */
static void walk(const char *bytes, const weir_text *text, int way, unsigned seed)
{
    unsigned random = seed;
    rest left = {0, text->length};
    weir_cursor cursor = weir_text_cursor(text);
    for (bool more = true; more;) {
        int how = way < 3 ? way : rand_r(&random) % 3;
        size_t begin = 0, end = 0;
        weir_text token;
        bool found = how == 0   ? weir_next_word(&cursor, &token)
                     : how == 1 ? weir_next_letters(&cursor, &token)
                                : weir_next_field(&cursor, ',', &token);
        more = how == 0   ? naive_run(bytes, &left, is_word_byte, &begin, &end)
               : how == 1 ? naive_run(bytes, &left, is_letter, &begin, &end)
                          : naive_field(bytes, &left, ',', &begin, &end);
        ck_assert_msg(found == more, "seed %u", seed);
        if (more)
            check_token(&token, weir_text_at(text) + begin, end - begin, seed);
    }
}

START_TEST(tokens_of_random_texts)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        unsigned random = seed;
        size_t length = seed < 4 * 160 ? seed / 4 : (unsigned)rand_r(&random) % BYTES_MAX;
        char *bytes = malloc(length + !length);
        fill(bytes, length, &random);
        weir_text text = weir_text_of(bytes, (uint32_t)length);
        walk(bytes, &text, (int)(seed % 4), seed);
        free(bytes);
    }
}
END_TEST

/* A program may make a cursor of its own from two pointers. */
START_TEST(cursors_without_a_text)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        unsigned random = seed;
        size_t length = (unsigned)rand_r(&random) % BYTES_MAX;
        char *bytes = malloc(length + 1);
        fill(bytes, length, &random);
        weir_cursor cursor = {.at = bytes, .end = bytes + length};
        rest left = {0, length};
        weir_text token;
        size_t begin, end;
        while (naive_run(bytes, &left, is_word_byte, &begin, &end)) {
            ck_assert_msg(weir_next_word(&cursor, &token), "seed %u", seed);
            check_token(&token, bytes + begin, end - begin, seed);
        }
        ck_assert_msg(!weir_next_word(&cursor, &token), "seed %u", seed);
        free(bytes);
    }
}
END_TEST

START_TEST(every_byte_in_every_place)
{
    for (int c = 0; c < 256; c++)
        for (size_t length = 1; length <= 140; length += 23)
            for (size_t at = 0; at < length; at++) {
                char bytes[140];
                memset(bytes, ' ', sizeof bytes);
                bytes[at] = (char)c;
                weir_text text = weir_text_of(bytes, (uint32_t)length), token;
                weir_cursor words = weir_text_begin(text), letters = weir_text_begin(text);
                ck_assert_int_eq(weir_next_word(&words, &token), is_word_byte((unsigned char)c));
                ck_assert_int_eq(weir_next_letters(&letters, &token), is_letter((unsigned char)c));
            }
}
END_TEST

START_TEST(lower_case)
{
    static const weir_type none = {.name = "none"};
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        unsigned random = seed;
        size_t length = seed % 150;
        char *bytes = malloc(length + !length), *expected = malloc(length + !length);
        fill(bytes, length, &random);
        for (size_t i = 0; i < length; i++) {
            bool upper = bytes[i] >= 'A' && bytes[i] <= 'Z';
            expected[i] = (char)(bytes[i] + (upper ? 'a' - 'A' : 0));
        }
        weir_batch *batch = weir_batch_new(&none, 1);
        weir_text text = weir_text_of(bytes, (uint32_t)length);
        weir_text lower = weir_text_lower(batch, &text);
        free(bytes); /* it does not borrow */
        weir_text same = weir_text_of(expected, (uint32_t)length);
        ck_assert_msg(weir_text_equal(&lower, &same), "seed %u", seed);
        if (length <= WEIR_TEXT_INLINE)
            ck_assert_msg(memcmp(&lower, &same, sizeof same) == 0, "seed %u: the rest", seed);
        weir_batch_drop(batch);
        free(expected);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokens");
    TCase *tests = tcase_create("tokens");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, tokens_of_random_texts);
    tcase_add_test(tests, cursors_without_a_text);
    tcase_add_test(tests, every_byte_in_every_place);
    tcase_add_test(tests, lower_case);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
