/* Tallies beside an array of counts: keys that come and go at random, in tables of all shapes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "operators/collection/tally.h"

enum { KEYS = 6000, ROUNDS = 400 };

static uint64_t seed = 77;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* Key number k; the words but the first are much the same for all. */
static void key_of(const wi_tally_form *form, uint64_t k, uint64_t *words_out)
{
    memset(words_out, 0, form->key_words * sizeof *words_out);
    words_out[0] = k;
    if (form->key_words > 1)
        words_out[form->key_words - 1] = k / 2;
}

/* Adds 1 to `count` keys of a range, which so move in and out as the range does. */
static void add_some(const wi_tally_form *form, wi_tally *tally, int64_t *counts, uint32_t count)
{
    uint64_t keys[WI_TALLY_BLOCK * 3], numbers[WI_TALLY_BLOCK], *slots[WI_TALLY_BLOCK];
    uint64_t range = 1 + draw(KEYS);
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = draw(range);
        key_of(form, numbers[i], keys + (size_t)i * form->key_words);
    }
    wi_tally_reserve(form, tally, count);
    wi_tally_find(form, tally, keys, count, false, slots);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(slots[i][0], numbers[i]);
        slots[i][form->key_words]++;
        counts[numbers[i]]++;
    }
}

static void remove_some(const wi_tally_form *form, wi_tally *tally, int64_t *counts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t k = draw(KEYS), key[3], *slot;
        if (!counts[k])
            continue;
        key_of(form, k, key);
        wi_tally_find(form, tally, key, 1, false, &slot);
        ck_assert_int_eq((int64_t)(slot[form->key_words] ^ WI_TALLY_BIAS), counts[k]);
        wi_tally_remove(form, tally, slot);
        counts[k] = 0;
    }
}

static void compare(const wi_tally_form *form, wi_tally *tally, const int64_t *counts)
{
    uint64_t *slots[WI_TALLY_BLOCK], place = 0, there = 0, found = 0;
    uint32_t count;
    for (uint64_t k = 0; k < KEYS; k++)
        there += counts[k] != 0;
    while ((count = wi_tally_next(form, tally, &place, slots)))
        for (uint32_t i = 0; i < count; i++, found++)
            ck_assert_int_eq((int64_t)(slots[i][form->key_words] ^ WI_TALLY_BIAS),
                             counts[slots[i][0]]);
    ck_assert_uint_eq(found, there);
    ck_assert_uint_eq(tally->count, there);
    for (uint64_t k = 0; k < KEYS; k++) { /* by looking up, too */
        uint64_t key[3], *slot;
        if (!counts[k])
            continue;
        key_of(form, k, key);
        wi_tally_find(form, tally, key, 1, false, &slot);
        ck_assert_int_eq((int64_t)(slot[form->key_words] ^ WI_TALLY_BIAS), counts[k]);
    }
}

START_TEST(counts_are_those_of_a_naive_program)
{
    static const struct {
        uint32_t words, sums;
    } shapes[] = {{1, 0}, {1, 1}, {2, 0}, {2, 3}, {3, 0}};
    wi_tally_form form = wi_tally_form_of(shapes[_i].words, 0, shapes[_i].sums);
    wi_tally tally = {0};
    int64_t *counts = calloc(KEYS, sizeof *counts);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t what = draw(16);
        add_some(&form, &tally, counts, (uint32_t)(1 + draw(WI_TALLY_BLOCK)));
        remove_some(&form, &tally, counts, (uint32_t)draw(round % 100 < 50 ? 300 : 1500));
        if (what == 0)
            wi_tally_turn(&form, &tally, tally.turn ^ 32);
        else if (what == 1)
            wi_tally_shrink(&form, &tally);
        else if (what == 2)
            wi_tally_sweep(&form, &tally);
        if (round % 10 == 0)
            compare(&form, &tally, counts);
    }
    wi_tally_fini(&form, &tally);
    free(counts);
}
END_TEST

/* Past the sizes at which tables lie in pages of their own and are given back as they grow. */
START_TEST(large_tables_grow)
{
    enum { BLOCKS = 4000 };
    wi_tally_form form = wi_tally_form_of(1, 0, (uint32_t)_i);
    wi_tally tally = {0};
    uint64_t keys[WI_TALLY_BLOCK], *slots[WI_TALLY_BLOCK], place = 0, sum = 0;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        for (uint64_t i = 0; i < WI_TALLY_BLOCK; i++)
            keys[i] = block * WI_TALLY_BLOCK + i;
        wi_tally_reserve(&form, &tally, WI_TALLY_BLOCK);
        wi_tally_find(&form, &tally, keys, WI_TALLY_BLOCK, false, slots);
        for (uint32_t i = 0; i < WI_TALLY_BLOCK; i++)
            slots[i][1] += keys[i];
    }
    ck_assert_uint_eq(tally.count, (uint64_t)BLOCKS * WI_TALLY_BLOCK);
    for (uint32_t count; (count = wi_tally_next(&form, &tally, &place, slots));)
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_uint_eq(slots[i][1] ^ WI_TALLY_BIAS, slots[i][0]);
            sum += slots[i][0];
        }
    ck_assert_uint_eq(sum, tally.count * (tally.count - 1) / 2);
    wi_tally_fini(&form, &tally);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tally");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, counts_are_those_of_a_naive_program, 0, 5);
    tcase_add_loop_test(all, large_tables_grow, 0, 2);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
