/* Aggregates for folds, each beside what a plain array of all values says: random values, added to
 * several accs, which are merged in a random tree; taken away again in any order; as bytes; and in
 * windows of a dataflow, by several workers. */
#include <weir/weir.h>

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../base/alloc.h"

enum { PARTS = 9, VALUES_MAX = 20000 };

static uint64_t state;

static uint64_t draw(void)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t limit)
{
    return draw() % limit;
}

typedef void merge_fn(uint64_t *to, uint64_t from);
typedef void release_fn(uint64_t *field);

/* Merges the parts into one of them, pairs at random. */
static uint64_t merge_all(uint64_t parts[PARTS], merge_fn *merge, release_fn *release)
{
    for (uint32_t left = PARTS; left > 1; left--) {
        uint32_t from = (uint32_t)below(left), to = (uint32_t)below(left - 1);
        to += to >= from;
        merge(&parts[to], parts[from]);
        release(&parts[from]);
        parts[from] = parts[left - 1];
        if (to == left - 1)
            to = from;
    }
    return parts[0];
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

#define NOTE(F) F(u64, number) F(weir_text, words) F(weir_bytes, packed)
WEIR_ROW(note, NOTE)

/* ---- bags ------------------------------------------------------------------------------- */

START_TEST(a_bag_has_what_was_added_and_not_taken_away)
{
    state += (uint64_t)_i << 32;
    static int64_t counts[500];
    uint64_t parts[PARTS] = {0}, kinds = 1 + below(500);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 5000; i++) {
        char text[64];
        uint64_t value = below(kinds);
        int64_t diff = below(3) ? 1 : -1;
        int length = snprintf(text, sizeof text, value % 3 ? "%llu" : "a longer one: %llu",
                              (unsigned long long)value);
        counts[value] += diff;
        weir_bag_add(&parts[below(PARTS)], text, (uint32_t)length, diff);
    }
    uint64_t all = merge_all(parts, weir_bag_merge, weir_bag_release), distinct = 0, there = 0;
    for (int i = 0; i < 500; i++) {
        distinct += counts[i] > 0;
        there += counts[i] != 0;
    }
    ck_assert_uint_eq(weir_bag_distinct(all), distinct);
    weir_bag_value value;
    for (uint64_t place = 0; weir_bag_next(all, &place, &value); there--) {
        const char *digits = value.bytes;
        char text[64] = {0};
        memcpy(text, digits, value.length);
        const char *at = strrchr(text, ' ');
        ck_assert_int_eq(value.count, counts[strtoul(at ? at + 1 : text, NULL, 10)]);
    }
    ck_assert_uint_eq(there, 0);
    weir_bag_release(&all);
    ck_assert_uint_eq(all, 0);
    ck_assert_uint_eq(weir_bag_distinct(0), 0);
}
END_TEST

START_TEST(a_bags_range_follows_what_is_taken_away)
{
    int64_t values[200], least, greatest;
    uint64_t bag = 0;
    ck_assert(!weir_bag_range(bag, &least, &greatest));
    for (int i = 0; i < 200; i++) {
        values[i] = (int64_t)draw() >> below(64);
        weir_bag_add(&bag, &values[i], sizeof values[i], 1);
    }
    for (int left = 200; left > 0; left--) {
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (int i = 0; i < left; i++) {
            low = values[i] < low ? values[i] : low;
            high = values[i] > high ? values[i] : high;
        }
        ck_assert(weir_bag_range(bag, &least, &greatest));
        ck_assert_int_eq(least, low);
        ck_assert_int_eq(greatest, high);
        weir_bag_add(&bag, &values[left - 1], sizeof *values, -1);
    }
    ck_assert(!weir_bag_range(bag, &least, &greatest));
    weir_bag_release(&bag);
}
END_TEST

/* ---- HyperLogLog ------------------------------------------------------------------------ */

/* The result is the same whatever the parts, by bytes, too; and within five standard errors. */
START_TEST(hll_counts_about_as_many_as_there_are)
{
    static const uint64_t sizes[] = {0, 1, 10, 700, 1100, 5000, 20000, 300000};
    for (uint32_t precision = 10; precision <= 14; precision += 2)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            uint64_t parts[PARTS] = {0}, alone = 0, base = draw();
            for (uint64_t i = 0; i < sizes[s]; i++) {
                uint64_t value = base + i;
                weir_hll_add(&alone, precision, &value, 8);
                weir_hll_add(&parts[below(PARTS)], precision, &value, 8);
                weir_hll_add(&parts[below(PARTS)], precision, &value, 8);
            }
            uint64_t all = merge_all(parts, weir_hll_merge, weir_hll_release), read = 0;
            double error = 1.04 / sqrt((double)(1u << precision)), is = (double)sizes[s];
            bool few = sizes[s] <= (1u << precision) / 4;
            ck_assert_uint_eq(weir_hll_count(all), weir_hll_count(alone));
            ck_assert_double_le(fabs((double)weir_hll_count(all) - is),
                                few ? is / 1000 + 1 : 5 * error * is);
            weir_batch *batch = weir_batch_new(&note_type, 1);
            weir_bytes bytes = weir_hll_bytes(all, batch), same = weir_hll_bytes(alone, batch);
            ck_assert(weir_text_equal(&bytes, &same));
            ck_assert(weir_hll_merge_bytes(&read, &bytes));
            ck_assert(weir_hll_merge_bytes(&read, &bytes));
            ck_assert_uint_eq(weir_hll_count(read), weir_hll_count(alone));
            weir_batch_drop(batch);
            weir_hll_release(&all);
            weir_hll_release(&alone);
            weir_hll_release(&read);
        }
}
END_TEST

typedef bool merge_bytes_fn(uint64_t *field, const weir_bytes *from);

/* Whatever was changed or cut off, it is refused, or taken as another one; nothing worse. */
static void damage(const weir_bytes *bytes, merge_bytes_fn *merge, release_fn *release)
{
    char *copy = wi_alloc(bytes->length);
    for (int i = 0; i < 200; i++) {
        uint64_t field = 0;
        uint32_t length = below(2) ? bytes->length : (uint32_t)below(bytes->length);
        memcpy(copy, weir_text_at(bytes), bytes->length);
        for (uint64_t n = below(4); n && length; n--)
            copy[below(below(2) || length < 16 ? length : 16)] = (char)draw();
        weir_bytes other = weir_text_of(copy, length);
        merge(&field, &other);
        merge(&field, bytes);
        release(&field);
    }
    wi_free(copy);
}

START_TEST(bytes_that_are_damaged_are_refused)
{
    uint64_t hll = 0, large = 0, sketch = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        weir_hll_add(&large, 10, &i, 8);
        if (i < 100)
            weir_hll_add(&hll, 10, &i, 8);
        weir_sketch_add(&sketch, 0.01, (double)i - 900, 1);
    }
    weir_batch *batch = weir_batch_new(&note_type, 1);
    weir_bytes bytes = weir_hll_bytes(hll, batch);
    damage(&bytes, weir_hll_merge_bytes, weir_hll_release);
    bytes = weir_hll_bytes(large, batch);
    damage(&bytes, weir_hll_merge_bytes, weir_hll_release);
    bytes = weir_sketch_bytes(sketch, batch);
    damage(&bytes, weir_sketch_merge_bytes, weir_sketch_release);
    bytes = weir_text_c("no sketch, nor anything of the kind, however one looks at it");
    ck_assert(!weir_sketch_merge_bytes(&sketch, &bytes));
    ck_assert(!weir_hll_merge_bytes(&hll, &bytes));
    weir_batch_drop(batch);
    weir_hll_release(&hll);
    weir_hll_release(&large);
    weir_sketch_release(&sketch);
}
END_TEST

/* ---- quantiles -------------------------------------------------------------------------- */

static double random_value(uint64_t kind)
{
    double unit = (double)(draw() >> 11) / 9007199254740992.0;
    if (kind == 0)
        return floor(unit * 1000) - 300;
    if (kind == 1)
        return exp(unit * 60 - 30) * (draw() & 1 ? 1 : -1);
    return (double)(int64_t)draw();
}

START_TEST(quantiles_are_off_by_no_more_than_is_said)
{
    state += (uint64_t)_i << 32;
    static double values[VALUES_MAX];
    double error = (double[]){0.01, 0.05, 0.005}[below(3)];
    uint32_t count = 1 + (uint32_t)below(below(2) ? 20 : 3000);
    uint64_t parts[PARTS] = {0}, kind = below(3), read = 0;
    for (uint32_t i = 0; i < count; i++) {
        double gone = random_value(kind);
        values[i] = random_value(kind);
        weir_sketch_add(&parts[below(PARTS)], error, values[i], 1);
        weir_sketch_add(&parts[below(PARTS)], error, gone, 2);
        weir_sketch_add(&parts[below(PARTS)], error, gone, -2);
    }
    qsort(values, count, sizeof *values, compare_doubles);
    uint64_t all = merge_all(parts, weir_sketch_merge, weir_sketch_release);
    weir_batch *batch = weir_batch_new(&note_type, 1);
    weir_bytes bytes = weir_sketch_bytes(all, batch);
    ck_assert(weir_sketch_merge_bytes(&read, &bytes));
    ck_assert_int_eq(weir_sketch_rows(all), count);
    ck_assert_int_eq(weir_sketch_rows(read), count);
    for (int i = 0; i <= 100; i++) {
        double q = i / 100.0, rank = ceil(q * count);
        double exact = values[rank < 1 ? 0 : (uint32_t)rank - 1];
        double got = weir_sketch_quantile(all, q);
        ck_assert_double_le(fabs(got - exact), fabs(exact) * (error + 1e-9));
        ck_assert_double_eq(weir_sketch_quantile(read, q), got);
    }
    weir_batch_drop(batch);
    weir_sketch_release(&all);
    weir_sketch_release(&read);
}
END_TEST

START_TEST(quantiles_of_what_is_no_usual_number)
{
    uint64_t sketch = 0;
    ck_assert(isnan(weir_sketch_quantile(sketch, 0.5)));
    double values[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 5e-324, -1.7e308};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        weir_sketch_add(&sketch, 0.01, values[i], 1);
    ck_assert_int_eq(weir_sketch_rows(sketch), 7);
    ck_assert_double_lt(weir_sketch_quantile(sketch, 0), -1.6e308);
    ck_assert(weir_sketch_quantile(sketch, 4 / 7.0) == 0);
    ck_assert(isnan(weir_sketch_quantile(sketch, 1)));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        weir_sketch_add(&sketch, 0.01, values[i], -1);
    ck_assert(isnan(weir_sketch_quantile(sketch, 0.5)));
    weir_sketch_release(&sketch);
}
END_TEST

START_TEST(an_infinity_took_all_other_numbers_for_one)
{
    uint64_t sketch = 0, part = 0, read = 0;
    weir_batch *batch = weir_batch_new(&note_type, 1);
    for (int i = 1; i <= 98; i++)
        weir_sketch_add(&sketch, 0.01, i, 1);
    weir_sketch_add(&part, 0.01, INFINITY, 1);
    weir_sketch_add(&part, 0.01, -INFINITY, 1);
    weir_sketch_merge(&sketch, part);
    weir_bytes bytes = weir_sketch_bytes(sketch, batch);
    ck_assert(weir_sketch_merge_bytes(&read, &bytes));
    ck_assert_int_eq(weir_sketch_rows(read), 100);
    ck_assert_double_eq(weir_sketch_quantile(read, 0.01), -INFINITY);
    ck_assert_double_le(fabs(weir_sketch_quantile(read, 0.5) - 49), 0.49 + 1e-9);
    ck_assert_double_le(fabs(weir_sketch_quantile(read, 0.99) - 98), 0.98 + 1e-9);
    ck_assert_double_eq(weir_sketch_quantile(read, 1), INFINITY);
    weir_batch_drop(batch);
    weir_sketch_release(&sketch);
    weir_sketch_release(&part);
    weir_sketch_release(&read);
}
END_TEST

/* In any order, where the bins are not enough for all magnitudes; the large ones are right. */
START_TEST(small_magnitudes_are_taken_together_when_there_are_too_many)
{
    uint64_t parts[PARTS] = {0}, other[PARTS] = {0};
    double values[1000];
    for (int i = 0; i < 1000; i++) {
        values[i] = exp((double)i / 10) * 1e-20;
        weir_sketch_add(&parts[below(PARTS)], 0.001, values[i], 1);
    }
    for (int i = 999; i >= 0; i--)
        weir_sketch_add(&other[below(PARTS)], 0.001, values[i], 1);
    uint64_t all = merge_all(parts, weir_sketch_merge, weir_sketch_release);
    uint64_t same = merge_all(other, weir_sketch_merge, weir_sketch_release);
    weir_batch *batch = weir_batch_new(&note_type, 1);
    weir_bytes a = weir_sketch_bytes(all, batch), b = weir_sketch_bytes(same, batch);
    ck_assert(weir_text_equal(&a, &b));
    for (int i = 900; i <= 1000; i++) {
        double exact = values[i - 1];
        ck_assert_double_le(fabs(weir_sketch_quantile(all, i / 1000.0) - exact), exact * 0.00101);
    }
    weir_batch_drop(batch);
    weir_sketch_release(&all);
    weir_sketch_release(&same);
}
END_TEST

/* ---- the greatest rows ------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    const note *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int note_order(const void *a, const void *b)
{
    int order = by_number(b, a);
    return order ? order : weir_row_compare(&note_type, b, a);
}

START_TEST(the_top_is_what_sorting_all_gives)
{
    state += (uint64_t)_i << 32;
    static note rows[1000];
    static char texts[1000][40];
    uint32_t k = (uint32_t)below(20), count = 1 + (uint32_t)below(1000);
    uint64_t parts[PARTS] = {0}, limit = 1 + below(500);
    for (uint32_t i = 0; i < count; i++) {
        int length = snprintf(texts[i], sizeof *texts, "%.*s%llu", (int)below(20),
                              "words, and more of these", (unsigned long long)below(10));
        memset(&rows[i], 0, sizeof rows[i]);
        rows[i] = (note){.number = below(limit), .words = weir_text_of(texts[i], (uint32_t)length)};
        note copy = rows[i];
        char lent[40];
        memcpy(lent, texts[i], sizeof lent);
        copy.words = weir_text_of(lent, (uint32_t)length);
        weir_top_add(&parts[below(PARTS)], k, &note_type, by_number, &copy);
        memset(lent, 'x', sizeof lent);
    }
    qsort(rows, count, sizeof *rows, note_order);
    uint64_t all = merge_all(parts, weir_top_merge, weir_top_release);
    ck_assert_uint_eq(weir_top_count(all), k < count ? k : count);
    for (uint32_t i = 0; i < weir_top_count(all); i++)
        ck_assert(weir_row_equal(&note_type, weir_top_at(all, i), &rows[i]));
    weir_top_release(&all);
}
END_TEST

/* ---- variance, first and last ----------------------------------------------------------- */

START_TEST(variance_is_that_of_the_definition)
{
    state += (uint64_t)_i << 32;
    static double values[1000];
    uint32_t count = 1 + (uint32_t)below(1000);
    double parts[PARTS][3] = {0}, sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++) {
        double gone = random_value(0);
        values[i] = random_value(0) + 1e6;
        uint64_t part = below(PARTS);
        weir_spread_add(parts[part], gone, 1);
        weir_spread_add(parts[below(PARTS)], values[i], 1);
        weir_spread_add(parts[part], gone, -1);
        sum += values[i];
    }
    for (uint32_t i = 0; i < count; i++)
        squares += (values[i] - sum / count) * (values[i] - sum / count);
    for (uint32_t part = 1; part < PARTS; part++)
        weir_spread_merge(parts[0], parts[part]);
    ck_assert_double_eq_tol(parts[0][1], sum / count, 1e-6);
    ck_assert_double_eq_tol(weir_spread_variance(parts[0]), squares / count, 1);
    ck_assert_double_eq(weir_spread_variance((const double[3]){0}), 0);
}
END_TEST

START_TEST(first_and_last_are_by_time_and_then_by_coming)
{
    static const int64_t times[] = {5, -3, 7, -3, 7};
    uint64_t has_first = 0, has_last = 0;
    int64_t first_at = 0, last_at = 0;
    int first = -1, last = -1;
    for (int i = 0; i < 5; i++) {
        first = weir_is_first(&has_first, &first_at, times[i]) ? i : first;
        last = weir_is_last(&has_last, &last_at, times[i]) ? i : last;
    }
    ck_assert_int_eq(first, 1);
    ck_assert_int_eq(last, 4);
}
END_TEST

/* ---- in windows ------------------------------------------------------------------------- */

#define VISIT(F) F(i64, at) F(u64, page) F(u64, user)
#define VISITS(F)                                                                              \
    F(u64, page) F(i64, start) F(i64, end) F(i64, rows) F(u64, exact) F(u64, about) F(u64, users)
#define SAID(F)                                                                                \
    F(u64, page) F(i64, start) F(i64, rows) F(u64, exact) F(u64, about) F(f64, median)
WEIR_ROW(visit, VISIT)
WEIR_ROW(visits, VISITS)
WEIR_ROW(said, SAID)

WEIR_FOLD(add_visit, visit, visits)
{
    weir_bag_add(&acc->exact, &in->user, sizeof in->user, diff);
    weir_hll_add(&acc->about, 10, &in->user, sizeof in->user);
    weir_sketch_add(&acc->users, 0.01, (double)in->user, diff);
}

WEIR_FOLD(add_visits, visits, visits)
{
    weir_bag_merge(&acc->exact, in->exact);
    weir_hll_merge(&acc->about, in->about);
    weir_sketch_merge(&acc->users, in->users);
}

WEIR_MAP(say, visits, said)
{
    *out = (said){.page = in->page,
                  .start = in->start,
                  .rows = in->rows,
                  .exact = weir_bag_distinct(in->exact),
                  .about = weir_hll_count(in->about),
                  .median = weir_sketch_quantile(in->users, 0.5)};
}

static void release_visits(void *acc, WEIR_UNUSED void *arg)
{
    visits *of = acc;
    weir_bag_release(&of->exact);
    weir_hll_release(&of->about);
    weir_sketch_release(&of->users);
}

static visit some_visits[3000];

/* A sum over all results that does not depend on their order. */
static _Atomic uint64_t result_sum, result_count;

WEIR_EACH(add_up, said)
{
    (void)arg;
    result_sum += weir_row_hash(&said_type, in) * (uint64_t)diff + time->at[0];
    result_count += (uint64_t)diff;
}

typedef struct kind {
    weir_windows windows;
} kind;

static void build(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "visits");
    weir_stream rows = weir_from_rows(flow, &visit_type, some_visits, 3000);
    rows = weir_watermarks(rows, &(weir_watermark_policy){.time = "at", .bound = 20});
    weir_stream results =
        weir_window(rows, arg, WEIR_BY(visit, page), &add_visit, NULL, NULL);
    weir_each(results, &add_up, NULL);
    if (weir_dataflow_end_or_stop(flow))
        weir_run(worker);
}

START_TEST(windows_have_the_same_results_on_any_number_of_workers)
{
    weir_windows kinds[] = {{.kind = WEIR_TUMBLING, .size = 100},
                            {.kind = WEIR_HOPPING, .size = 100, .slide = 20},
                            {.kind = WEIR_SESSION, .gap = 5},
                            {.kind = WEIR_TUMBLING, .size = 50, .lateness = 20}};
    for (int64_t i = 0; i < 3000; i++)
        some_visits[i] = (visit){i - (int64_t)below(30), below(5), below(200)};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint64_t sum = 0, count = 0;
        kinds[k].time = "at";
        kinds[k].combine = &add_visits;
        kinds[k].finish = &say;
        kinds[k].release = release_visits;
        for (uint32_t workers = 1; workers <= 4; workers *= 2) {
            result_sum = result_count = 0;
            weir_config config = {.workers = workers, .batch_rows = 1 + (uint32_t)below(50)};
            ck_assert_ptr_null(weir_execute(&config, build, &kinds[k]));
            ck_assert(result_count > 0);
            ck_assert(workers == 1 || (result_sum == sum && result_count == count));
            sum = result_sum;
            count = result_count;
        }
    }
}
END_TEST

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)state);
    Suite *suite = suite_create("aggregates");
    TCase *tests = tcase_create("aggregates");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_bag_has_what_was_added_and_not_taken_away, 0, 10);
    tcase_add_test(tests, a_bags_range_follows_what_is_taken_away);
    tcase_add_test(tests, hll_counts_about_as_many_as_there_are);
    tcase_add_test(tests, bytes_that_are_damaged_are_refused);
    tcase_add_loop_test(tests, quantiles_are_off_by_no_more_than_is_said, 0, 30);
    tcase_add_test(tests, quantiles_of_what_is_no_usual_number);
    tcase_add_test(tests, an_infinity_took_all_other_numbers_for_one);
    tcase_add_test(tests, small_magnitudes_are_taken_together_when_there_are_too_many);
    tcase_add_loop_test(tests, the_top_is_what_sorting_all_gives, 0, 30);
    tcase_add_loop_test(tests, variance_is_that_of_the_definition, 0, 10);
    tcase_add_test(tests, first_and_last_are_by_time_and_then_by_coming);
    tcase_add_test(tests, windows_have_the_same_results_on_any_number_of_workers);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
