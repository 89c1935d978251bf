/* Items in order, beside a plain array: random puts, takes and looks, with many items and few. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"

enum { ITEMS_MAX = 3000, STEPS = 12000 };

/* Two integers that give the same order, as the start and the last instant of a window. */
typedef struct item {
    int64_t key, twice;
    uint64_t number;
} item;

static item naive[ITEMS_MAX];
static uint32_t count;
static wi_sorted items;
static uint64_t state;

static uint64_t below(uint64_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % limit;
}

static item *at(uint32_t place)
{
    return wi_sorted_at(&items, sizeof(item), place);
}

static uint32_t place_of(uint32_t index)
{
    uint32_t place = wi_sorted_first(&items);
    while (index-- > 0)
        place = wi_sorted_next(&items, place);
    return place;
}

static uint32_t naive_from(int64_t key)
{
    uint32_t i = 0;
    while (i < count && naive[i].key < key)
        i++;
    return i;
}

static void put(int64_t key, uint64_t number)
{
    uint32_t i = naive_from(key);
    if (count == ITEMS_MAX || (i < count && naive[i].key == key))
        return;
    item one = {key, 2 * key, number};
    memmove(&naive[i + 1], &naive[i], (count++ - i) * sizeof *naive);
    naive[i] = one;
    uint32_t place = wi_sorted_from(&items, sizeof one, offsetof(item, twice), 2 * key);
    item *room = wi_sorted_insert(&items, sizeof one, &place);
    *room = one;
    ck_assert_ptr_eq(room, at(place));
}

static void take(uint32_t begin, uint32_t end)
{
    bool any_behind = end < count;
    uint64_t behind = any_behind ? naive[end].number : 0;
    uint32_t from = place_of(begin), to = from;
    for (uint32_t i = begin; i < end; i++)
        to = wi_sorted_next(&items, to);
    uint32_t left = wi_sorted_remove(&items, sizeof(item), from, to);
    memmove(&naive[begin], &naive[end], (count - end) * sizeof *naive);
    count -= end - begin;
    ck_assert_int_eq(left < wi_sorted_end(&items), any_behind);
    if (any_behind)
        ck_assert_uint_eq(at(left)->number, behind);
}

static void take_some(void)
{
    if (!count)
        return;
    uint64_t most = below(50) ? 3 : count + 1;
    uint32_t begin = below(3) ? (uint32_t)below(count) : 0;
    uint32_t end = begin + (uint32_t)below(most);
    take(begin, end < count ? end : count);
}

static void look_for(int64_t key)
{
    uint32_t i = naive_from(key);
    uint32_t place = wi_sorted_from(&items, sizeof(item), 0, key);
    ck_assert_int_eq(place < wi_sorted_end(&items), i < count);
    if (i < count)
        ck_assert_uint_eq(at(place)->number, naive[i].number);
}

static void compare(void)
{
    uint32_t i = 0;
    for (uint32_t place = wi_sorted_first(&items); place < wi_sorted_end(&items);
         place = wi_sorted_next(&items, place), i++) {
        ck_assert_uint_lt(i, count);
        ck_assert_int_eq(memcmp(at(place), &naive[i], sizeof(item)), 0);
    }
    ck_assert_uint_eq(i, count);
    ck_assert_uint_eq(items.count, count);
}

static void run(uint32_t of_a_chunk, uint64_t range, uint64_t puts)
{
    wi_sorted_items = of_a_chunk;
    count = 0;
    int64_t latest = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        if (below(10) >= puts)
            take_some();
        else if (below(3))
            put((int64_t)below(range) - (int64_t)range / 2, step);
        else
            put(latest += (int64_t)below(3), step);
        look_for((int64_t)below(range) - (int64_t)range / 2);
        if (step % 64 == 0)
            compare();
    }
    take(0, count);
    compare();
    wi_sorted_fini(&items);
}

START_TEST(items_are_as_in_an_array)
{
    static const uint32_t of_a_chunk[] = {2, 3, 7, 128};
    state = (uint64_t)_i;
    run(of_a_chunk[_i % 4], _i < 4 ? 40 : 100000, _i < 4 ? 6 : 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sorted");
    TCase *sorted = tcase_create("sorted");
    tcase_add_loop_test(sorted, items_are_as_in_an_array, 0, 8);
    suite_add_tcase(suite, sorted);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
