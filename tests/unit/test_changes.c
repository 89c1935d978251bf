/* Changes that wait: compacting adds up what belongs together, and loses nothing. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/changes.h"

#define LOCS 3
#define TIMES 5

/* What the entries add up to, by location and time. */
static void sum_up(const wi_changes *changes, int64_t sums[LOCS][TIMES])
{
    memset(sums, 0, sizeof(int64_t[LOCS][TIMES]));
    for (uint32_t i = 0; i < changes->count; i++)
        sums[changes->entries[i].loc][changes->entries[i].time.at[1]] += changes->entries[i].delta;
}

START_TEST(compacting_keeps_sums)
{
    srand(7);
    for (int round = 0; round < 500; round++) {
        wi_changes changes;
        int64_t before[LOCS][TIMES], after[LOCS][TIMES];
        wi_changes_init(&changes, LOCS);
        for (int i = rand() % 200; i > 0; i--) {
            weir_time time = {.at = {0, (uint64_t)(rand() % TIMES)}};
            wi_changes_add(&changes, (wi_loc)(rand() % LOCS), &time, rand() % 5 - 2);
            if (rand() % 50)
                continue;
            wi_changes_compact(&changes);
        }
        sum_up(&changes, before);
        wi_changes_compact(&changes);
        sum_up(&changes, after);
        ck_assert_mem_eq(before, after, sizeof before);
        ck_assert_uint_le(changes.count, LOCS * TIMES);
        ck_assert_uint_eq(changes.nonzero, changes.count);
        wi_changes_clear(&changes);
        wi_changes_fini(&changes);
    }
}
END_TEST

START_TEST(what_came_and_went_is_nothing)
{
    wi_changes changes;
    wi_changes_init(&changes, LOCS);
    for (uint64_t i = 0; i < 1000; i++) { /* as an input that advances */
        wi_changes_add(&changes, 1, &(weir_time){.at = {i + 1}}, 1);
        wi_changes_add(&changes, 1, &(weir_time){.at = {i}}, -1);
    }
    wi_changes_compact(&changes);
    ck_assert_uint_eq(changes.count, 2);
    wi_changes_add(&changes, 1, &(weir_time){.at = {1000}}, -1);
    ck_assert_uint_eq(changes.count, 2); /* the last entry is remembered */
    ck_assert_uint_eq(changes.nonzero, 1);
    wi_changes_fini(&changes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("changes");
    TCase *cases = tcase_create("changes");
    tcase_add_test(cases, compacting_keeps_sums);
    tcase_add_test(cases, what_came_and_went_is_nothing);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
