/* Antichains, and multisets of times, against naive lists. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "progress/antichain.h"
#include "progress/multiset.h"

#define LIST_MAX 4096

/* ---- the naive forms -------------------------------------------------------------- */

typedef struct naive {
    weir_time times[LIST_MAX];
    int64_t counts[LIST_MAX];
    int count;
} naive;

static void naive_add(naive *list, const weir_time *time, int64_t delta)
{
    int i = 0;
    while (i < list->count && memcmp(&list->times[i], time, sizeof *time) != 0)
        i++;
    if (i == list->count) {
        ck_assert_int_lt(i, LIST_MAX);
        list->times[list->count] = *time;
        list->counts[list->count++] = 0;
    }
    list->counts[i] += delta;
    if (list->counts[i] == 0) {
        list->times[i] = list->times[--list->count];
        list->counts[i] = list->counts[list->count];
    }
}

/* Whether the time at an index is minimal among those with a positive count. */
static bool naive_minimal(const naive *list, int index)
{
    for (int i = 0; i < list->count; i++)
        if (list->counts[i] > 0 && weir_time_lt(&list->times[i], &list->times[index]))
            return false;
    return list->counts[index] > 0;
}

static void assert_minimal(const naive *list, const weir_antichain *chain)
{
    uint32_t minimal = 0;
    for (int i = 0; i < list->count; i++) {
        if (!naive_minimal(list, i))
            continue;
        minimal++;
        uint32_t at = wi_antichain_seek(chain, &list->times[i]);
        ck_assert_uint_lt(at, chain->count);
        ck_assert(weir_time_eq(&chain->times[at], &list->times[i]));
    }
    ck_assert_uint_eq(chain->count, minimal);
    for (uint32_t i = 1; i < chain->count; i++)
        ck_assert_int_lt(weir_time_compare(&chain->times[i - 1], &chain->times[i]), 0);
}

static weir_time random_time(unsigned *random, int dims, int span)
{
    weir_time time = {{0}};
    for (int i = 0; i < dims; i++)
        time.at[i] = (uint64_t)(rand_r(random) % span);
    return time;
}

/* ---- antichains ------------------------------------------------------------------- */

START_TEST(insert_keeps_the_minimal_times)
{
    static naive list;
    for (unsigned seed = 0; seed < 300; seed++) {
        unsigned random = seed;
        int dims = 1 + (int)(seed % 4), span = 2 + rand_r(&random) % 30;
        weir_antichain chain, gathered;
        weir_antichain_init(&chain);
        weir_antichain_init(&gathered);
        list.count = 0;
        for (int i = 0; i < 40; i++) {
            weir_time time = random_time(&random, dims, span);
            bool was_covered = weir_antichain_le(&chain, &time);
            ck_assert_int_eq(was_covered, wi_antichain_le(&chain, &time, dims));
            ck_assert_int_eq(weir_antichain_insert(&chain, &time), !was_covered);
            wi_antichain_append(&gathered, &time);
            naive_add(&list, &time, 1);
            assert_minimal(&list, &chain);
        }
        wi_antichain_minimise(&gathered, dims);
        ck_assert(weir_antichain_eq(&gathered, &chain));
        weir_antichain_fini(&chain);
        weir_antichain_fini(&gathered);
    }
}
END_TEST

START_TEST(frontier_queries)
{
    weir_antichain chain, copy;
    weir_antichain_init(&chain);
    weir_antichain_init(&copy);
    ck_assert(!weir_antichain_le(&chain, &WEIR_EPOCH(UINT64_MAX)));
    ck_assert(weir_antichain_eq(&chain, &copy));
    ck_assert(weir_antichain_insert(&chain, &(weir_time){{2, 5}}));
    ck_assert(weir_antichain_insert(&chain, &(weir_time){{4, 1}}));
    ck_assert(!weir_antichain_insert(&chain, &(weir_time){{2, 5}}));
    ck_assert(!weir_antichain_insert(&chain, &(weir_time){{4, 5}}));
    ck_assert(weir_antichain_le(&chain, &(weir_time){{2, 5}}));
    ck_assert(!weir_antichain_lt(&chain, &(weir_time){{2, 5}}));
    ck_assert(weir_antichain_lt(&chain, &(weir_time){{2, 6}}));
    ck_assert(!weir_antichain_le(&chain, &(weir_time){{3, 4}}));
    ck_assert(!weir_antichain_eq(&chain, &copy));
    weir_antichain_copy(&copy, &chain);
    weir_antichain_copy(&copy, &copy);
    ck_assert(weir_antichain_eq(&chain, &copy));
    wi_antichain_minimise(&copy, 2);
    ck_assert(weir_antichain_eq(&chain, &copy));
    ck_assert(!weir_antichain_insert(&chain, &chain.times[0]));
    ck_assert(weir_antichain_insert(&chain, &(weir_time){{1, 1}})); /* before both */
    ck_assert_uint_eq(chain.count, 1);
    weir_antichain_clear(&chain);
    ck_assert_uint_eq(chain.count, 0);
    ck_assert_uint_eq(copy.count, 2);
    weir_antichain_copy(&copy, &chain);
    wi_antichain_minimise(&copy, 2);
    ck_assert(weir_antichain_eq(&chain, &copy));
    weir_antichain_fini(&chain);
    weir_antichain_fini(&copy);
}
END_TEST

/* ---- multisets -------------------------------------------------------------------- */

static void assert_entry(void *arg, const weir_time *time, int64_t count)
{
    naive *list = arg;
    naive_add(list, time, -count); /* empties the copy, if it is the same */
}

static void assert_same(wi_multiset *set, const naive *list)
{
    static naive left;
    weir_antichain chain;
    weir_antichain_init(&chain);
    wi_multiset_minimal(set, &chain);
    assert_minimal(list, &chain);
    if (set->dims == 1) {
        uint64_t least = 0;
        ck_assert_int_eq(wi_multiset_least(set, &least), chain.count == 1);
        if (chain.count)
            ck_assert_uint_eq(least, chain.times[0].at[0]);
    }
    memcpy(&left, list, sizeof left);
    wi_multiset_each(set, assert_entry, &left);
    ck_assert_int_eq(left.count, 0);
    weir_antichain_fini(&chain);
}

/* Counts, least and minimal times, while the multiset grows to thousands and shrinks. */
START_TEST(multiset_counts)
{
    static naive list;
    for (unsigned seed = 0; seed < 24; seed++) {
        unsigned random = seed;
        int dims = 1 + (int)(seed % 4), span = dims == 1 ? 4000 : dims == 2 ? 60 : 15;
        wi_multiset set;
        wi_multiset_init(&set, dims);
        list.count = 0;
        for (int step = 0; step < 6000; step++) {
            bool grow = step < 2500 || (step > 4000 && step < 4500);
            weir_time time = random_time(&random, dims, span);
            int64_t delta = rand_r(&random) % 8 ? 1 : -1;
            if (!grow && list.count) {
                int at = rand_r(&random) % list.count;
                time = list.times[at];
                delta = rand_r(&random) % 4 ? -list.counts[at] : delta;
            }
            int64_t before = 0;
            for (int i = 0; i < list.count; i++)
                if (!memcmp(&list.times[i], &time, sizeof time))
                    before = list.counts[i];
            naive_add(&list, &time, delta);
            ck_assert_int_eq(wi_multiset_add(&set, &time, delta), before + delta);
            if (step % 200 == 0)
                assert_same(&set, &list);
        }
        assert_same(&set, &list);
        while (list.count > 0) {
            weir_time time = list.times[list.count - 1];
            int64_t count = list.counts[list.count - 1];
            ck_assert_int_eq(wi_multiset_add(&set, &time, -count), 0);
            naive_add(&list, &time, -count);
        }
        assert_same(&set, &list);
        ck_assert_uint_eq(set.count, 1);
        wi_multiset_fini(&set);
    }
}
END_TEST

/* What appears when one minimal time goes: the new minimal times are those that stay and
 * those that were uncovered. */
START_TEST(multiset_uncovers)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        unsigned random = seed;
        int dims = 1 + (int)(seed % 4), count = 1 + rand_r(&random) % 600;
        wi_multiset set;
        weir_antichain front, after, found;
        wi_multiset_init(&set, dims);
        weir_antichain_init(&front);
        weir_antichain_init(&after);
        weir_antichain_init(&found);
        wi_multiset_uncovered(&set, &(weir_time){{0}}, &front, &found);
        ck_assert_uint_eq(found.count, 0);
        for (int i = 0; i < count; i++) {
            weir_time time = random_time(&random, dims, 40);
            wi_multiset_add(&set, &time, 1);
        }
        for (int i = 0; i < 40; i++) {
            wi_multiset_minimal(&set, &front);
            if (!front.count)
                break;
            uint32_t at = (uint32_t)rand_r(&random) % front.count;
            weir_time gone = front.times[at];
            while (wi_multiset_add(&set, &gone, -1) > 0)
                ;
            wi_antichain_remove_at(&front, at);
            weir_antichain_clear(&found);
            wi_multiset_uncovered(&set, &gone, &front, &found);
            for (uint32_t f = 0; f < found.count; f++)
                ck_assert(weir_antichain_insert(&front, &found.times[f]));
            wi_multiset_minimal(&set, &after);
            ck_assert(weir_antichain_eq(&front, &after));
        }
        weir_antichain_fini(&front);
        weir_antichain_fini(&after);
        weir_antichain_fini(&found);
        wi_multiset_fini(&set);
    }
}
END_TEST

/* Epochs that begin at the end and finish at the front, many at a time; and memory that
 * follows the number of times, also when each block keeps only one. */
START_TEST(multiset_of_many_epochs)
{
    wi_multiset set;
    uint64_t least;
    wi_multiset_init(&set, 1);
    for (uint64_t epoch = 0; epoch < 100000; epoch++)
        wi_multiset_add(&set, &WEIR_EPOCH(epoch), 1);
    ck_assert_uint_le(set.count, 100000 / WI_BLOCK_TIMES + 1);
    for (uint64_t epoch = 0; epoch < 100000; epoch++) {
        wi_multiset_add(&set, &WEIR_EPOCH(epoch), -1);
        wi_multiset_add(&set, &WEIR_EPOCH(epoch + 100000), 1);
        ck_assert(wi_multiset_least(&set, &least));
        ck_assert_uint_eq(least, epoch + 1);
    }
    for (uint64_t epoch = 100000; epoch < 200000; epoch++)
        if (epoch % WI_BLOCK_TIMES)
            wi_multiset_add(&set, &WEIR_EPOCH(epoch), -1);
    ck_assert_uint_le(set.count, 40); /* 781 times are left */
    ck_assert(wi_multiset_least(&set, &least));
    ck_assert_uint_eq(least, 100096);
    wi_multiset_fini(&set);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("antichain");
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, insert_keeps_the_minimal_times);
    tcase_add_test(cases, frontier_queries);
    tcase_add_test(cases, multiset_counts);
    tcase_add_test(cases, multiset_uncovers);
    tcase_add_test(cases, multiset_of_many_epochs);
    Suite *suite = suite_create("antichain");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
