/* Totals of collections: counts, sums, means, thresholds and latest rows by key, compared with
 * naive evaluation at every time; totally ordered times.
 *
 *     unit_test_collection_totals [SEED] */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/streams.h"

#define SALE(F) F(u8, shop) F(weir_text, item) F(i64, price) F(u32, weight)
#define TALLY(F) F(weir_text, item) F(i64, count)
#define SUMS(F) F(weir_text, item) F(u8, shop) F(i64, price) F(i64, weight)
#define MEANS(F) F(u8, shop) F(f64, weight) F(f64, price)
#define ALL(F) F(i64, count)
#define NUM(F) F(u64, value)
#define NUMS(F) F(u64, value) F(i64, count)
#define WIDE(F) \
    F(u64, a) F(u8, b) F(u64, c) F(u16, d) F(u64, e) F(u64, f) F(u64, g) F(u64, h) F(i8, i, 3)
#define LONG_ROW(F) F(u32, id) F(weir_text, text) F(weir_byte, bytes, 1000)
#define NOTHING(F)
WEIR_ROW(sale, SALE)
WEIR_ROW(tally, TALLY)
WEIR_ROW(sums, SUMS)
WEIR_ROW(means, MEANS)
WEIR_ROW(all, ALL)
WEIR_ROW(num, NUM)
WEIR_ROW(nums, NUMS)
WEIR_ROW(wide, WIDE)
WEIR_ROW(long_row, LONG_ROW)
WEIR_ROW(nothing, NOTHING)

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* ---- random sales ----------------------------------------------------------------------- */

enum { SALES_MAX = 600 };

static const char *const items[] = {"",
                                    "tea",
                                    "a kettle of copper",
                                    "a kettle of coppex",
                                    "twelve bytes",
                                    "salt!",
                                    "thirteen byte",
                                    "oil",
                                    "a kettle of copper, old"};
static sale rows[SALES_MAX];
static uint64_t epochs[SALES_MAX];
static int64_t diffs[SALES_MAX];

/* Some rows are taken away later, so that groups become empty. */
static uint32_t draw_sales(void)
{
    uint32_t count = 1 + (uint32_t)draw(SALES_MAX), kinds = 1 + (uint32_t)draw(9);
    uint64_t epoch = 0, gap = 1 + draw(40);
    for (uint32_t i = 0; i < count; i++) {
        epoch += draw(gap) == 0 ? 1 + draw(3) : 0;
        epochs[i] = epoch;
        if (i && draw(3) == 0) {
            uint32_t again = (uint32_t)draw(i);
            rows[i] = rows[again];
            diffs[i] = -diffs[again];
            continue;
        }
        rows[i] = (sale){.shop = (uint8_t)draw(3),
                         .item = weir_text_c(items[draw(kinds)]),
                         .price = (int64_t)draw(7) - 3,
                         .weight = (uint32_t)draw(3) * 2000000000u};
        diffs[i] = (int64_t)draw(5) - 1;
    }
    return count;
}

/* ---- naive totals ----------------------------------------------------------------------- */

/* What a group has at a time, from all rows at or before it. */
typedef struct group {
    int64_t count, price, weight;
} group;

static group group_at(uint64_t epoch, uint32_t count, const sale *like, bool item, bool shop,
                      bool price)
{
    group total = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (epochs[i] > epoch || (item && !weir_text_equal(&rows[i].item, &like->item)) ||
            (shop && rows[i].shop != like->shop) ||
            (price && (rows[i].price != like->price || rows[i].weight != like->weight)))
            continue;
        total.count += diffs[i];
        total.price += rows[i].price * diffs[i];
        total.weight += rows[i].weight * diffs[i];
    }
    return total;
}

/* Whether row `at` is the first of its group that changes at its epoch. */
static bool first_of_group(uint32_t at, bool item, bool shop, bool price)
{
    for (uint32_t i = 0; i < at; i++)
        if (epochs[i] == epochs[at] && (!item || weir_text_equal(&rows[i].item, &rows[at].item)) &&
            (!shop || rows[i].shop == rows[at].shop) &&
            (!price || (rows[i].price == rows[at].price && rows[i].weight == rows[at].weight)))
            return false;
    return true;
}

typedef void tell_fn(test_list *to, const sale *like, const group *has, const weir_time *time,
                     int64_t sign);

/* The changes of what `tell` says of groups. */
static char *naive(uint32_t count, tell_fn *tell, bool item, bool shop, bool price)
{
    test_list list;
    test_list_init(&list, 1);
    for (uint32_t i = 0; i < count; i++) {
        if (!first_of_group(i, item, shop, price))
            continue;
        group now = group_at(epochs[i], count, &rows[i], item, shop, price);
        tell(&list, &rows[i], &now, &WEIR_EPOCH(epochs[i]), 1);
        if (!epochs[i])
            continue;
        group before = group_at(epochs[i] - 1, count, &rows[i], item, shop, price);
        tell(&list, &rows[i], &before, &WEIR_EPOCH(epochs[i]), -1);
    }
    char *text = test_list_text(&list);
    test_list_fini(&list);
    return text;
}

static void tell_count(test_list *to, const sale *like, const group *has, const weir_time *time,
                       int64_t sign)
{
    if (has->count)
        test_list_add(to, &tally_type, &(tally){like->item, has->count}, time, sign);
}

static void tell_sums(test_list *to, const sale *like, const group *has, const weir_time *time,
                      int64_t sign)
{
    if (has->count)
        test_list_add(to, &sums_type, &(sums){like->item, like->shop, has->price, has->weight},
                      time, sign);
}

static void tell_means(test_list *to, const sale *like, const group *has, const weir_time *time,
                       int64_t sign)
{
    if (has->count)
        test_list_add(to, &means_type,
                      &(means){like->shop, (double)has->weight / (double)has->count,
                               (double)has->price / (double)has->count},
                      time, sign);
}

static void tell_distinct(test_list *to, const sale *like, const group *has, const weir_time *time,
                          int64_t sign)
{
    if (has->count > 0)
        test_list_add(to, &sale_type, like, time, sign);
}

static void tell_threshold(test_list *to, const sale *like, const group *has, const weir_time *time,
                           int64_t sign)
{
    if (has->count)
        test_list_add(to, &sale_type, like, time, sign * (has->count / 2 - 1));
}

static void tell_all(test_list *to, const sale *like, const group *has, const weir_time *time,
                     int64_t sign)
{
    (void)like;
    if (has->count)
        test_list_add(to, &all_type, &(all){has->count}, time, sign);
}

static int64_t half_less_one(int64_t count, void *arg)
{
    (void)arg;
    return count / 2 - 1;
}

static void build_totals(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_group_count(in, WEIR_BY(sale, item), &tally_type), &test->out[0]);
    test_watch(
        weir_group_sum(in, WEIR_BY(sale, item, shop), WEIR_BY(sale, price, weight), &sums_type),
        &test->out[1]);
    test_watch(weir_group_avg(in, WEIR_BY(sale, shop), WEIR_BY(sale, weight, price), &means_type),
               &test->out[2]);
    test_watch(weir_distinct(in), &test->out[3]);
}

static void build_thresholds(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_threshold(in, half_less_one, NULL), &test->out[0]);
    test_watch(weir_group_count(in, WEIR_BY_NOTHING(sale), &all_type), &test->out[1]);
    test_watch(weir_consolidate(in), &test->out[2]);
}

static void tell_change(test_list *to, const sale *like, const group *has, const weir_time *time,
                        int64_t sign)
{
    test_list_add(to, &sale_type, like, time, sign * has->count);
}

static void expect_random(uint32_t count, bool columns, uint32_t flush)
{
    test_flow test = {.type = &sale_type,
                      .rows = rows,
                      .epochs = epochs,
                      .diffs = diffs,
                      .count = count,
                      .columns = columns,
                      .flush_every = flush,
                      .build = build_totals};
    char *totals[] = {naive(count, tell_count, true, false, false),
                      naive(count, tell_sums, true, true, false),
                      naive(count, tell_means, false, true, false),
                      naive(count, tell_distinct, true, true, true)};
    test_flow_expect(&test, (const char *const *)totals, 4);
    char *thresholds[] = {naive(count, tell_threshold, true, true, true),
                          naive(count, tell_all, false, false, false),
                          naive(count, tell_change, true, true, true)};
    test.build = build_thresholds;
    test_flow_expect(&test, (const char *const *)thresholds, 3);
    for (int i = 0; i < 4; i++)
        free(totals[i]);
    for (int i = 0; i < 3; i++)
        free(thresholds[i]);
}

START_TEST(totals_are_those_of_naive_evaluation)
{
    for (int i = 0; i < 12; i++) {
        printf("seed %llu\n", (unsigned long long)seed);
        expect_random(draw_sales(), i % 2, draw(2) ? 0 : 1 + (uint32_t)draw(50));
    }
}
END_TEST

/* ---- latest rows ------------------------------------------------------------------------ */

static bool same_sale(const sale *a, const sale *b)
{
    return weir_row_equal(&sale_type, a, b);
}

/* By price, downwards, and then by the other fields. */
static bool sale_is_later(const sale *a, const sale *b)
{
    if (a->price != b->price)
        return a->price < b->price;
    return a->shop != b->shop ? a->shop > b->shop : a->weight > b->weight;
}

/* The row that rows [begin, end), of one epoch, say for an item, with its diff; or NULL. */
static const sale *said(uint32_t begin, uint32_t end, const weir_text *item, int64_t *diff_out)
{
    const sale *last = NULL;
    for (uint32_t i = begin; i < end; i++) {
        int64_t diff = 0;
        if (!weir_text_equal(&rows[i].item, item))
            continue;
        for (uint32_t j = begin; j < end; j++)
            diff += same_sale(&rows[i], &rows[j]) ? diffs[j] : 0;
        if (diff && (!last || sale_is_later(&rows[i], last))) {
            last = &rows[i];
            *diff_out = diff;
        }
    }
    return last;
}

static char *naive_upsert(uint32_t count)
{
    enum { ITEMS = sizeof items / sizeof *items };
    const sale *now[ITEMS] = {0};
    test_list list;
    test_list_init(&list, 1);
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && epochs[end] == epochs[begin];)
            end++;
        for (int k = 0; k < ITEMS; k++) {
            weir_text item = weir_text_c(items[k]);
            int64_t diff = 0;
            const sale *row = said(begin, end, &item, &diff);
            if (!row)
                continue;
            if (now[k])
                test_list_add(&list, &sale_type, now[k], &WEIR_EPOCH(epochs[begin]), -1);
            now[k] = diff > 0 ? row : NULL;
            if (now[k])
                test_list_add(&list, &sale_type, now[k], &WEIR_EPOCH(epochs[begin]), 1);
        }
    }
    char *text = test_list_text(&list);
    test_list_fini(&list);
    return text;
}

static void build_upsert(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    weir_stream latest = weir_upsert(in, WEIR_BY(sale, item), WEIR_DESCENDING(sale, price));
    test_watch(latest, &test->out[0]);
    test_watch(weir_group_count(latest, WEIR_BY(sale, item), &tally_type), &test->out[1]);
}

START_TEST(upserts_keep_the_latest_row)
{
    for (int i = 0; i < 12; i++) {
        printf("seed %llu\n", (unsigned long long)seed);
        uint32_t count = draw_sales();
        char *expected = naive_upsert(count);
        test_flow test = {.type = &sale_type,
                          .rows = rows,
                          .epochs = epochs,
                          .diffs = diffs,
                          .count = count,
                          .columns = i % 2,
                          .build = build_upsert};
        test_flow_expect(&test, (const char *const[]){expected}, 1);
        free(expected);
    }
}
END_TEST

/* ---- many groups ------------------------------------------------------------------------ */

enum { KEYS = 30000 };

static void build_nums(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_group_count(in, WEIR_BY(num, value), &nums_type), &test->out[0]);
}

/* Loads many groups, takes away nearly all, and brings as many others: the tables grow, shrink
 * and are merged in both proportions. */
START_TEST(groups_come_and_go)
{
    uint32_t count = 0, capacity = 6 * KEYS;
    num *values = calloc(capacity, sizeof *values);
    uint64_t *times = calloc(capacity, sizeof *times);
    int64_t *signs = calloc(capacity, sizeof *signs);
    test_list list;
    test_list_init(&list, 1);
    for (uint64_t t = 0; t < 6; t++)
        for (uint64_t k = 0; k < KEYS; k++) {
            bool comes = t == 0 || (t == 3 && k % 3 == 0) || t == 5, goes = t == 1 && k % 1000;
            uint64_t key = t == 5 ? k + KEYS : k;
            int64_t had = t == 0 || t == 5 ? 0 : t == 1 ? 1 : k % 1000 == 0;
            if (!comes && !goes)
                continue;
            values[count].value = key;
            times[count] = t;
            signs[count++] = comes ? 1 : -1;
            if (had)
                test_list_add(&list, &nums_type, &(nums){key, had}, &WEIR_EPOCH(t), -1);
            if (comes)
                test_list_add(&list, &nums_type, &(nums){key, had + 1}, &WEIR_EPOCH(t), 1);
        }
    char *text = test_list_text(&list);
    test_flow test = {.type = &num_type,
                      .rows = values,
                      .epochs = times,
                      .diffs = signs,
                      .count = count,
                      .build = build_nums};
    test_flow_expect(&test, (const char *const[]){text}, 1);
    test.columns = true;
    test_flow_expect(&test, (const char *const[]){text}, 1);
    free(text);
    test_list_fini(&list);
    free(values);
    free(times);
    free(signs);
}
END_TEST

/* Every fourth key has a count that there is no place for; the others are still found, and later
 * it is right, too. */
START_TEST(a_count_that_overflows_spoils_no_other)
{
    enum { FEW = 400 };
    num values[2 * FEW];
    uint64_t times[2 * FEW];
    int64_t signs[2 * FEW];
    test_list list;
    test_list_init(&list, 1);
    for (uint64_t i = 0; i < 2 * FEW; i++) {
        uint64_t key = i % FEW, time = i / FEW;
        bool least = key % 4 == 0;
        values[i] = (num){key};
        times[i] = time;
        signs[i] = !least ? 1 : time ? 5 : INT64_MIN;
        int64_t had = least ? INT64_MAX : 1;
        if (time)
            test_list_add(&list, &nums_type, &(nums){key, had}, &WEIR_EPOCH(1), -1);
        int64_t has = !time ? had : least ? INT64_MIN + 5 : 2;
        test_list_add(&list, &nums_type, &(nums){key, has}, &WEIR_EPOCH(time), 1);
    }
    char *text = test_list_text(&list);
    test_flow test = {.type = &num_type,
                      .rows = values,
                      .epochs = times,
                      .diffs = signs,
                      .count = 2 * FEW,
                      .build = build_nums};
    test_flow_expect(&test, (const char *const[]){text}, 1);
    free(text);
    test_list_fini(&list);
}
END_TEST

/* Counts go up past the end and come back. */
START_TEST(a_count_that_was_too_large_comes_back)
{
    enum { STEPS = 6 };
    static const int64_t steps[STEPS] = {INT64_C(1) << 62,    INT64_C(1) << 62,    7,
                                         -(INT64_C(1) << 62), -(INT64_C(1) << 62), -4};
    num values[STEPS];
    uint64_t times[STEPS];
    for (uint64_t i = 0; i < STEPS; i++) {
        values[i] = (num){1};
        times[i] = i;
    }
    test_list list;
    test_list_init(&list, 1);
    int64_t has[STEPS] = {steps[0], INT64_MIN + 1, INT64_MIN + 8, steps[0] + 7, 7, 3};
    for (uint64_t i = 0; i < STEPS; i++) {
        if (i)
            test_list_add(&list, &nums_type, &(nums){1, has[i - 1]}, &WEIR_EPOCH(i), -1);
        test_list_add(&list, &nums_type, &(nums){1, has[i]}, &WEIR_EPOCH(i), 1);
    }
    char *text = test_list_text(&list);
    test_flow test = {.type = &num_type,
                      .rows = values,
                      .epochs = times,
                      .diffs = steps,
                      .count = STEPS,
                      .build = build_nums};
    test_flow_expect(&test, (const char *const[]){text}, 1);
    free(text);
    test_list_fini(&list);
}
END_TEST

static void build_wide(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    test_watch(weir_distinct(in), &test->out[0]);
    test_watch(weir_consolidate(in), &test->out[1]);
}

/* Rows of nine fields, with padding, that differ only in the last one. */
START_TEST(rows_may_have_more_fields_than_a_key)
{
    wide values[4] = {{.a = 1, .i = {1, 2, 3}},
                      {.a = 1, .i = {1, 2, 4}},
                      {.a = 1, .i = {1, 2, 3}},
                      {.a = 1, .i = {1, 2, 4}}};
    static const uint64_t times[] = {0, 0, 0, 1};
    static const int64_t signs[] = {1, 1, 1, -1};
    test_flow test = {.type = &wide_type,
                      .rows = values,
                      .epochs = times,
                      .diffs = signs,
                      .count = 4,
                      .build = build_wide};
    static const char *const expected[] = {
        "0 +1 1\t0\t0\t0\t0\t0\t0\t0\t[1,2,3]\n0 +1 1\t0\t0\t0\t0\t0\t0\t0\t[1,2,4]\n"
        "1 -1 1\t0\t0\t0\t0\t0\t0\t0\t[1,2,4]\n",
        "0 +2 1\t0\t0\t0\t0\t0\t0\t0\t[1,2,3]\n0 +1 1\t0\t0\t0\t0\t0\t0\t0\t[1,2,4]\n"
        "1 -1 1\t0\t0\t0\t0\t0\t0\t0\t[1,2,4]\n"};
    test_flow_expect(&test, expected, 2);
}
END_TEST

/* ---- consolidating ---------------------------------------------------------------------- */

enum { LONG_ROWS = 9000 };

static long_row long_rows[LONG_ROWS];

/* Many long rows, of which a batch has few, so that bins are dealt into parts; from so few
 * different ones that parts are added up as they grow, or from many. */
static void expect_consolidated(uint32_t different, bool negative)
{
    static char texts[LONG_ROWS][40];
    static int64_t signs[LONG_ROWS];
    static int64_t sums_of[LONG_ROWS];
    memset(sums_of, 0, sizeof sums_of);
    test_list list;
    test_list_init(&list, 1);
    for (uint32_t i = 0; i < LONG_ROWS; i++) {
        uint32_t id = (uint32_t)draw(different);
        snprintf(texts[i], sizeof texts[i], id % 2 ? "%u" : "row number %u of them all", id);
        long_rows[i] = (long_row){.id = id % 7, .text = weir_text_c(texts[i])};
        long_rows[i].bytes[999] = (uint8_t)(id % 3);
        signs[i] = negative ? (int64_t)draw(3) - 1 : 2;
        sums_of[id] += signs[i];
    }
    for (uint32_t id = 0; id < different; id++) {
        char text[40];
        snprintf(text, sizeof text, id % 2 ? "%u" : "row number %u of them all", id);
        long_row row = {.id = id % 7, .text = weir_text_c(text)};
        row.bytes[999] = (uint8_t)(id % 3);
        if (sums_of[id])
            test_list_add(&list, &long_row_type, &row, &WEIR_EPOCH(0), sums_of[id]);
    }
    char *expected = test_list_text(&list);
    test_list_fini(&list);
    test_flow test = {.type = &long_row_type,
                      .rows = long_rows,
                      .diffs = signs,
                      .count = LONG_ROWS,
                      .flush_every = negative ? 7 : 0,
                      .build = build_wide};
    test_flow_expect(&test, (const char *const[]){NULL, expected}, 2);
    free(expected);
}

START_TEST(many_rows_are_consolidated)
{
    expect_consolidated(20, false);
    expect_consolidated(20, true);
    expect_consolidated(LONG_ROWS, false);
    expect_consolidated(LONG_ROWS, true);
}
END_TEST

enum { SHORT_ROWS = 700000, SHORT_DIFFERENT = 600000 };
static _Atomic(int64_t) short_rows, short_diffs, short_weighted;

static void add_up_batch(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    (void)arg;
    int64_t diffs_here = 0, weighted = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        diffs_here += weir_batch_diff(batch, i);
        weighted += weir_batch_diff(batch, i) * (int64_t)num_at(batch, i)->value;
    }
    atomic_fetch_add(&short_rows, batch->count);
    atomic_fetch_add(&short_diffs, diffs_here);
    atomic_fetch_add(&short_weighted, weighted);
}

static void build_short(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    (void)test;
    weir_inspect_batch(weir_consolidate(in), add_up_batch, NULL);
}

/* Each table is filled in the order of the one before it. If that were its own, its keys would lie
 * in ever longer rows: then this takes minutes. */
static void build_chain(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    (void)flow;
    (void)test;
    weir_inspect_batch(weir_distinct(weir_distinct(weir_distinct(in))), add_up_batch, NULL);
}

/* Rows of which a sixth come twice, and come out once with their diffs or as many as there are. */
static void expect_short(void (*build)(weir_dataflow *flow, weir_stream in, test_flow *test),
                         bool keeps_diffs)
{
    static const weir_config ways[] = {{.workers = 1}, {.workers = 2}};
    num *values = calloc(SHORT_ROWS, sizeof *values);
    int64_t weighted = 0;
    for (uint32_t i = 0; i < SHORT_ROWS; i++) {
        values[i].value = i * UINT64_C(7919) % SHORT_DIFFERENT;
        if (keeps_diffs || i < SHORT_DIFFERENT)
            weighted += (int64_t)values[i].value;
    }
    for (int way = 0; way < 2; way++) {
        test_flow test = {
            .type = &num_type, .rows = values, .count = SHORT_ROWS, .build = build};
        atomic_store(&short_rows, 0);
        atomic_store(&short_diffs, 0);
        atomic_store(&short_weighted, 0);
        ck_assert_ptr_null(test_flow_run(&test, &ways[way]));
        test_flow_done(&test);
        ck_assert_int_eq(atomic_load(&short_rows), SHORT_DIFFERENT);
        ck_assert_int_eq(atomic_load(&short_diffs), keeps_diffs ? SHORT_ROWS : SHORT_DIFFERENT);
        ck_assert_int_eq(atomic_load(&short_weighted), weighted);
    }
    free(values);
}

/* Enough for a bin to be dealt. */
START_TEST(short_rows_are_dealt_by_hash)
{
    expect_short(build_short, true);
}
END_TEST

START_TEST(tables_fill_one_another)
{
    expect_short(build_chain, false);
}
END_TEST

/* Rows without fields are all the same. */
START_TEST(rows_of_nothing_are_consolidated)
{
    enum { COUNT = 200000 };
    uint64_t *times = calloc(COUNT, sizeof *times);
    for (uint32_t i = COUNT - 5; i < COUNT; i++)
        times[i] = 1;
    test_flow test = {
        .type = &nothing_type, .rows = times, .epochs = times, .count = COUNT, .build = build_wide};
    test_flow_expect(&test, (const char *const[]){"0 +1 \n", "0 +199995 \n1 +5 \n"}, 2);
    free(times);
}
END_TEST

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    TCase *cases = tcase_create("totals");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, totals_are_those_of_naive_evaluation);
    tcase_add_test(cases, upserts_keep_the_latest_row);
    tcase_add_test(cases, groups_come_and_go);
    tcase_add_test(cases, a_count_that_overflows_spoils_no_other);
    tcase_add_test(cases, a_count_that_was_too_large_comes_back);
    tcase_add_test(cases, rows_may_have_more_fields_than_a_key);
    tcase_add_test(cases, many_rows_are_consolidated);
    tcase_add_test(cases, short_rows_are_dealt_by_hash);
    tcase_add_test(cases, tables_fill_one_another);
    tcase_add_test(cases, rows_of_nothing_are_consolidated);
    Suite *suite = suite_create("collection totals");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
