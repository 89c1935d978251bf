/* Keys: which fields they name, hashing and comparing rows by them. */
#include <weir/row.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define EDGE(F) F(u64, src) F(u64, dst)
#define LABELLED(F) F(u8, tag) F(weir_text, name) F(u64, node) F(u32, small) F(u16, tiny)
#define MIXED(F) F(u32, small) F(weir_byte, id, 16) F(bool, flag) F(weir_text, word) F(u64, number)
#define EIGHT(F) F(u8, a) F(u8, b) F(u8, c) F(u8, d) F(u8, e) F(u8, f) F(u8, g) F(u8, h)
WEIR_ROW(edge, EDGE)
WEIR_ROW(labelled, LABELLED)
WEIR_ROW(mixed, MIXED)
WEIR_ROW(eight, EIGHT)

static uint64_t hash_one(const weir_key *key, const void *row)
{
    uint64_t hash;
    weir_key_hash(key, row, 1, &hash);
    return hash;
}

START_TEST(keys_name_their_fields)
{
    weir_key key = WEIR_BY(labelled, node, name);
    ck_assert_ptr_eq(key.type, &labelled_type);
    ck_assert_uint_eq(key.count, 2);
    ck_assert_uint_eq(key.offsets[0], offsetof(labelled, node));
    ck_assert_uint_eq(key.bytes[0], 8);
    ck_assert_uint_eq(key.offsets[1], offsetof(labelled, name));
    ck_assert_uint_eq(key.bytes[1], WEIR_KEY_TEXT);
    ck_assert_uint_eq(WEIR_BY_NOTHING(edge).count, 0);
    ck_assert_uint_eq(WEIR_BY(eight, a, b, c, d, e, f, g, h).offsets[7], 7);
}
END_TEST

START_TEST(keys_built_at_run_time)
{
    weir_err *err = NULL;
    const char *names[] = {"node", "name", "none"};
    weir_key key = weir_key_new(&labelled_type, names, 2, &err);
    weir_key same = WEIR_BY(labelled, node, name);
    ck_assert_ptr_null(err);
    ck_assert_mem_eq(&key, &same, sizeof key);
    weir_key_new(&labelled_type, names, 3, &err);
    ck_assert_str_eq(weir_err_message(err), "key of `labelled`: it has no field `none`");
    weir_err_free(err);
    const char *nine[9] = {"a", "b", "c", "d", "e", "f", "g", "h", "a"};
    err = NULL;
    weir_key_new(&eight_type, nine, 9, &err);
    ck_assert_str_eq(weir_err_message(err),
                     "a key of `eight` has 9 fields; at most 8 are possible");
    weir_err_free(err);
}
END_TEST

/* Wherever the fields lie, in whichever type, in a batch or alone. */
START_TEST(the_hash_is_of_the_fields_alone)
{
    char bytes[] = "a name that lies elsewhere";
    labelled one = {
        .tag = 1, .name = weir_text_c("a name that lies elsewhere"), .node = 42, .small = 5};
    mixed two = {.small = 5, .word = weir_text_c(bytes), .number = 42, .flag = true};
    edge three = {7, 42};
    weir_key numbers[] = {WEIR_BY(labelled, node), WEIR_BY(mixed, number), WEIR_BY(edge, dst)};
    ck_assert_uint_eq(hash_one(&numbers[0], &one), hash_one(&numbers[1], &two));
    ck_assert_uint_eq(hash_one(&numbers[0], &one), hash_one(&numbers[2], &three));
    weir_key texts[] = {WEIR_BY(labelled, name), WEIR_BY(mixed, word)};
    ck_assert_uint_eq(hash_one(&texts[0], &one), hash_one(&texts[1], &two));
    weir_key all[] = {WEIR_BY(labelled, node, small, name), WEIR_BY(mixed, number, small, word)};
    ck_assert_uint_eq(hash_one(&all[0], &one), hash_one(&all[1], &two));
    ck_assert(weir_key_equal(&all[0], &one, &all[1], &two));
    weir_key turned = WEIR_BY(labelled, small, node, name);
    ck_assert_uint_ne(hash_one(&turned, &one), hash_one(&all[0], &one));
}
END_TEST

START_TEST(many_rows_hash_as_one_by_one)
{
    enum { ROWS = 1300 };
    mixed *rows = calloc(ROWS, sizeof *rows);
    uint64_t *hashes = calloc(ROWS, sizeof *hashes);
    char bytes[ROWS][32];
    for (uint32_t i = 0; i < ROWS; i++) {
        memset(bytes[i], 'a' + (int)(i % 26), sizeof bytes[i]);
        rows[i] = (mixed){.small = i * 3,
                          .flag = i & 1,
                          .number = i * 0x123456789ull,
                          .word = weir_text_of(bytes[i], i % 32)};
        memcpy(rows[i].id, &i, sizeof i);
    }
    weir_key keys[] = {WEIR_BY(mixed, small),      WEIR_BY(mixed, number),
                       WEIR_BY(mixed, word),       WEIR_BY(mixed, id),
                       WEIR_BY(mixed, flag),       WEIR_BY(mixed, number, number),
                       WEIR_BY(mixed, flag, word), WEIR_BY(mixed, word, id, number, small),
                       WEIR_BY_NOTHING(mixed)};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        weir_key_hash(&keys[k], rows, ROWS, hashes);
        for (uint32_t i = 0; i < ROWS; i++)
            ck_assert_uint_eq(hashes[i], hash_one(&keys[k], &rows[i]));
        weir_key_hash(&keys[k], rows, 0, NULL);
    }
    free(rows);
    free(hashes);
}
END_TEST

START_TEST(a_row_hashes_as_the_key_of_all_its_fields)
{
    mixed row = {.small = 9, .word = weir_text_c("word"), .number = 1, .id = "id"};
    weir_key all = WEIR_BY(mixed, small, id, flag, word, number);
    ck_assert_uint_eq(weir_row_hash(&mixed_type, &row), hash_one(&all, &row));
}
END_TEST

/* Where rows go, and which bin they are in, follows from these: they never change. */
START_TEST(hashes_are_the_same_for_ever)
{
    edge row = {0, 1};
    labelled text = {.name = weir_text_c("weir")},
             longer = {.name = weir_text_c("a text of more than twelve bytes")};
    mixed id = {.id = "0123456789abcdef"};
    ck_assert_uint_eq(hash_one(&WEIR_BY(edge, src), &row), 0xe220a8397b1dcdafu);
    ck_assert_uint_eq(hash_one(&WEIR_BY(edge, dst), &row), 0x910a2dec89025cc1u);
    ck_assert_uint_eq(hash_one(&WEIR_BY(edge, src, dst), &row), 0x08b4fda8c892b50eu);
    ck_assert_uint_eq(hash_one(&WEIR_BY(labelled, name), &text), 0x4cd8bde6052e4147u);
    ck_assert_uint_eq(hash_one(&WEIR_BY(labelled, name), &longer), 0x85fde7a096b8d963u);
    ck_assert_uint_eq(hash_one(&WEIR_BY(mixed, id), &id), 0x966570526518f812u);
}
END_TEST

/* Into 256 bins by the low bits, the high bits, and into 255 by the remainder: each bin has
 * its share within two fifths, which is over 6 standard deviations of 2^16 / 256 = 256. */
static void check_spread(const uint64_t *hashes, uint32_t count)
{
    enum { BINS = 256 };
    uint32_t low[BINS] = {0}, high[BINS] = {0}, rest[BINS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        low[hashes[i] % BINS]++;
        high[hashes[i] >> 56]++;
        rest[hashes[i] % 255]++;
    }
    for (int b = 0; b < BINS; b++) {
        uint32_t share = count / BINS, slack = share * 4 / 10;
        ck_assert_uint_lt(low[b] - (share - slack), 2 * slack);
        ck_assert_uint_lt(high[b] - (share - slack), 2 * slack);
        if (b < 255)
            ck_assert_uint_lt(rest[b] - (share - slack), 2 * slack);
    }
}

START_TEST(near_keys_spread_evenly)
{
    enum { ROWS = 1 << 16 };
    labelled *rows = calloc(ROWS, sizeof *rows);
    uint64_t *hashes = calloc(ROWS, sizeof *hashes);
    for (uint32_t i = 0; i < ROWS; i++) {
        char digits[16];
        sprintf(digits, "n%u", i);
        rows[i] = (labelled){.node = (uint64_t)i << 20, .small = i, .name = weir_text_c(digits)};
        rows[i].tiny = (uint16_t)i;
    }
    weir_key keys[] = {WEIR_BY(labelled, node),       WEIR_BY(labelled, small),
                       WEIR_BY(labelled, name),       WEIR_BY(labelled, tag, small),
                       WEIR_BY(labelled, node, node), WEIR_BY(labelled, tiny)};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        weir_key_hash(&keys[k], rows, ROWS, hashes);
        check_spread(hashes, ROWS);
    }
    free(rows);
    free(hashes);
}
END_TEST

START_TEST(equal_keys)
{
    mixed a = {.small = 1, .number = 2, .word = weir_text_c("word"), .id = "x"}, b = a;
    b.flag = true;
    weir_key keys[] = {WEIR_BY(mixed, small), WEIR_BY(mixed, number), WEIR_BY(mixed, word),
                       WEIR_BY(mixed, id), WEIR_BY_NOTHING(mixed)};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        ck_assert(weir_key_equal(&keys[k], &a, &keys[k], &b));
    b = (mixed){.small = 2, .number = 3, .word = weir_text_c("wort"), .id = "y"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys - 1; k++)
        ck_assert(!weir_key_equal(&keys[k], &a, &keys[k], &b));
    edge one = {5, 6}, other = {6, 5};
    weir_key src = WEIR_BY(edge, src), dst = WEIR_BY(edge, dst);
    ck_assert(weir_key_equal(&src, &one, &dst, &other));
    ck_assert(!weir_key_equal(&src, &one, &src, &other));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key");
    TCase *tests = tcase_create("key");
    tcase_add_test(tests, keys_name_their_fields);
    tcase_add_test(tests, keys_built_at_run_time);
    tcase_add_test(tests, the_hash_is_of_the_fields_alone);
    tcase_add_test(tests, many_rows_hash_as_one_by_one);
    tcase_add_test(tests, a_row_hashes_as_the_key_of_all_its_fields);
    tcase_add_test(tests, hashes_are_the_same_for_ever);
    tcase_add_test(tests, near_keys_spread_evenly);
    tcase_add_test(tests, equal_keys);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
