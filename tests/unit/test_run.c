/* Sorting, pending bins, sealing, merging and looking up: against lists of updates that are
 * added up naively. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "operators/trace/pending.h"
#include "operators/trace/run_build.h"
#include "operators/trace/sort.h"

#define ONE(F) F(u64, a)
#define TWO(F) F(u64, a) F(u64, b)
#define THREE(F) F(u64, a) F(i64, b) F(u64, c)
#define FIVE(F) F(u64, a) F(u64, b) F(u64, c) F(u64, d) F(u64, e)
#define TINY(F) F(u32, a) F(u16, b)
#define WORDY(F) F(weir_text, a) F(u64, b)
WEIR_ROW(one, ONE)
WEIR_ROW(two, TWO)
WEIR_ROW(three, THREE)
WEIR_ROW(five, FIVE)
WEIR_ROW(tiny, TINY)
WEIR_ROW(wordy, WORDY)

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

/* ---- what the rows are ------------------------------------------------------------------ */

#define SHAPES 6

static wi_layout *layout_new(int shape)
{
    weir_key keys[SHAPES] = {WEIR_BY(one, a), WEIR_BY(two, a), WEIR_BY(three, b, a),
                             WEIR_BY(five, c), WEIR_BY(tiny, a),
                             WEIR_BY(wordy, a)};
    return wi_layout_new(keys[shape].type, &keys[shape], NULL);
}

static const char *const words[] = {"",
                                    "a",
                                    "dozen letters",
                                    "dozen letter",
                                    "a rather long text, one of two",
                                    "a rather long text, two of two",
                                    "a rather lo"};

static void row_draw(int shape, uint64_t domain, void *row)
{
    uint64_t v[5];
    for (int i = 0; i < 5; i++)
        v[i] = draw(domain);
    if (draw(8) == 0)
        v[0] = v[0] << 40 | v[1];
    const char *word = words[v[0] % 7];
    switch (shape) {
    case 0: *(one *)row = (one){v[0]}; break;
    case 1: *(two *)row = (two){v[0], v[1]}; break;
    case 2: *(three *)row = (three){v[0], (int64_t)v[1] - 2, v[2]}; break;
    case 3: *(five *)row = (five){v[0], v[1], v[2], v[3], 7}; break;
    case 4: *(tiny *)row = (tiny){(uint32_t)v[0], (uint16_t)v[1]}; break;
    default: *(wordy *)row = (wordy){weir_text_of(word, (uint32_t)strlen(word)), v[1]}; break;
    }
}

/* ---- the naive collection --------------------------------------------------------------- */

typedef struct change {
    union {
        five row;
        wordy text;
    };
    weir_time time;
    int64_t diff;
} change;

typedef struct changes {
    change *all;
    uint32_t count;
} changes;

static int64_t naive_sum(const changes *of, const weir_type *type, const void *row,
                         const weir_time *at)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < of->count; i++)
        if (weir_time_le(&of->all[i].time, at) && weir_row_equal(type, &of->all[i].row, row))
            sum += of->all[i].diff;
    return sum;
}

static int64_t run_sum(const wi_run *run, const uint64_t *row, const weir_time *at)
{
    int64_t sum = 0;
    uint32_t i = wi_run_seek(run, 0, row);
    for (; i < run->count && wi_key_compare(run->layout, wi_run_row(run, i), row) == 0; i++)
        if (wi_row_compare(run->layout, wi_run_row(run, i), row) == 0 &&
            weir_time_le(wi_run_time(run, i), at))
            sum += wi_run_diff(run, i);
    return sum;
}

static void expect_sums(const wi_run *const *runs, uint32_t run_count, const changes *of,
                        const weir_antichain *since)
{
    const wi_layout *layout = runs[0]->layout;
    wi_heap heap = {0};
    for (uint32_t i = 0; i < of->count; i++) {
        uint64_t row[8];
        weir_time at = {{draw(6), draw(6)}};
        at = since->count ? weir_time_join(&at, &since->times[draw(since->count)]) : at;
        wi_layout_encode(layout, &of->all[i].row, 1, row, layout->words, &heap);
        int64_t sum = 0;
        for (uint32_t r = 0; r < run_count; r++)
            sum += run_sum(runs[r], row, &at);
        ck_assert_int_eq(sum, naive_sum(of, layout->type, &of->all[i].row, &at));
    }
    wi_heap_fini(&heap);
}

static void changes_draw(changes *of, int shape, uint32_t count, uint64_t times, bool ones)
{
    uint64_t domain = 1 + draw(count + 1);
    bool twice = draw(3) == 0; /* some rows are there twice, and none is taken away */
    *of = (changes){calloc(count ? count : 1, sizeof(change)), count};
    for (uint32_t i = 0; i < count; i++) {
        row_draw(shape, domain, &of->all[i].row);
        of->all[i].time = (weir_time){{draw(times), draw(times)}};
        of->all[i].diff = ones ? 1 : twice ? 1 + (draw(9) == 0) : (int64_t)draw(5) - 2;
    }
}

/* Into bins, in batches with and without columns. */
static void fill(wi_pending *pending, const changes *from)
{
    const weir_type *type = pending->layout->type;
    for (uint32_t begin = 0; begin < from->count;) {
        uint32_t count = 1 + (uint32_t)draw(50);
        count = count < from->count - begin ? count : from->count - begin;
        weir_batch *batch = weir_batch_new(type, count);
        batch->count = count;
        weir_batch_add_times(batch);
        weir_batch_add_diffs(batch);
        for (uint32_t i = 0; i < count; i++) {
            memcpy((char *)batch->rows + i * type->size, &from->all[begin + i].row, type->size);
            batch->times[i] = from->all[begin + i].time;
            batch->diffs[i] = from->all[begin + i].diff;
        }
        wi_pending_batch(pending, batch);
        weir_batch_drop(batch);
        begin += count;
    }
}

#define RUNS_MAX 64

static uint32_t seal_all(wi_pending *pending, const weir_antichain *upper, wi_run **runs)
{
    uint32_t count, made = 0;
    wi_bin *ready[256];
    ck_assert_uint_le(pending->bin_count, 256);
    while ((count = wi_pending_ready(pending, upper, ready)) > 0) {
        ck_assert_uint_lt(made, RUNS_MAX);
        for (uint32_t b = 0; b < count; b++) {
            ck_assert(weir_time_le(&ready[0]->time, &ready[b]->time));
            ck_assert(!weir_antichain_le(upper, &ready[b]->time));
        }
        runs[made++] = wi_bins_seal(pending->layout, ready, count);
        wi_run_check(runs[made - 1]);
        for (uint32_t b = 0; b < count; b++)
            wi_bin_free(pending->layout, ready[b]);
    }
    for (uint32_t b = 0; b < pending->bin_count; b++)
        ck_assert(weir_antichain_le(upper, &pending->bins[b]->time));
    return made;
}

/* ---- tests ------------------------------------------------------------------------------ */

START_TEST(records_are_sorted)
{
    for (int round = 0; round < 400; round++) {
        seed = (uint64_t)round;
        wi_layout *layout = layout_new((int)draw(4));
        uint32_t more = (uint32_t)draw(2), stride = layout->words + more + (uint32_t)draw(2);
        uint32_t count = (uint32_t)draw(draw(10) ? 300 : 20000), bits = 1 + (uint32_t)draw(63);
        size_t bytes = ((size_t)count + 1) * stride * sizeof(uint64_t);
        uint64_t *records = malloc(bytes), *scratch = malloc(bytes), sum = 0, sorted_sum = 0;
        for (size_t i = 0; i < (size_t)count * stride; i++)
            sum += (records[i] = draw(draw(4) ? UINT64_C(1) << bits : 5)) * (1 + i % stride);
        wi_sort(layout, records, scratch, count, stride, more);
        for (size_t i = 0; i < (size_t)count * stride; i++)
            sorted_sum += records[i] * (1 + i % stride);
        ck_assert_uint_eq(sum, sorted_sum);
        for (uint32_t i = 1; i < count; i++) {
            const uint64_t *a = records + (size_t)(i - 1) * stride, *b = a + stride;
            uint32_t w = 0;
            while (w < layout->words + more && a[w] == b[w])
                w++;
            ck_assert(w == layout->words + more || a[w] < b[w]);
        }
        free(records);
        free(scratch);
        wi_layout_drop(layout);
    }
}
END_TEST

START_TEST(complete_bins_are_sealed)
{
    for (int round = 0; round < 300; round++) {
        seed = 1000 + (uint64_t)round;
        int shape = round % SHAPES;
        wi_layout *layout = layout_new(shape);
        wi_pending pending;
        changes all;
        changes_draw(&all, shape, (uint32_t)draw(400), 1 + draw(6), draw(2));
        wi_pending_init(&pending, layout);
        fill(&pending, &all);
        weir_antichain upper = {0}, none = {0};
        wi_run *runs[RUNS_MAX];
        uint32_t count = 0;
        for (uint64_t step = 0; step < 8; step++) {
            weir_antichain_clear(&upper);
            for (int i = 0; i < 3 && step < 7; i++)
                weir_antichain_insert(&upper, &(weir_time){{step + draw(2), step + draw(3)}});
            count += seal_all(&pending, &upper, runs + count);
        }
        ck_assert_uint_eq(pending.bin_count, 0);
        if (count)
            expect_sums((const wi_run *const *)runs, count, &all, &none);
        for (uint32_t r = 0; r < count; r++)
            wi_run_drop(runs[r]);
        wi_pending_fini(&pending);
        weir_antichain_fini(&upper);
        free(all.all);
        wi_layout_drop(layout);
    }
}
END_TEST

/* Large enough to be dealt, and, with few different rows, to be consolidated as it comes. */
START_TEST(large_bins)
{
    for (int few = 0; few < 2; few++) {
        wi_layout *layout = layout_new(1);
        wi_pending pending;
        wi_bin *ready[1];
        weir_antichain upper = {0};
        uint64_t count = 600000, domain = few ? 100 : 1000000, total = 0, most = 0;
        wi_pending_init(&pending, layout);
        seed = 17;
        weir_time time = {{3}};
        for (uint64_t i = 0; i < count; i++) {
            uint64_t row[2] = {draw(domain), draw(2)};
            wi_bin *bin = wi_pending_bin(&pending, &time);
            wi_bin_row(layout, bin, row, 1);
            most = bin->count > most ? bin->count : most;
        }
        ck_assert_uint_eq(wi_pending_ready(&pending, &upper, ready), 1);
        wi_run *run = wi_bins_seal(layout, ready, 1);
        wi_run_check(run);
        for (uint32_t i = 0; i < run->count; i++)
            total += (uint64_t)wi_run_diff(run, i);
        ck_assert_uint_eq(total, count);
        if (few)
            ck_assert_uint_lt(most, count / 2);
        wi_run_drop(run);
        wi_bin_free(layout, ready[0]);
        wi_pending_fini(&pending);
        wi_layout_drop(layout);
    }
}
END_TEST

static wi_run *run_of(wi_layout *layout, const changes *from)
{
    wi_pending pending;
    wi_run *runs[RUNS_MAX];
    weir_antichain upper = {0}, since = {0};
    wi_pending_init(&pending, layout);
    fill(&pending, from);
    uint32_t count = seal_all(&pending, &upper, runs);
    wi_pending_fini(&pending);
    wi_run *all = wi_run_new(layout, 0, false, false, NULL, 0);
    for (uint32_t r = 0; r < count; r++) {
        int64_t fuel = INT64_MAX;
        wi_merge *merge = wi_merge_begin(all, runs[r], &since);
        ck_assert(wi_merge_work(merge, &fuel));
        wi_run_drop(all);
        wi_run_drop(runs[r]);
        all = wi_merge_end(merge);
        wi_run_check(all);
    }
    return all;
}

START_TEST(merging_adds_up_and_advances)
{
    for (int round = 0; round < 400; round++) {
        seed = 5000 + (uint64_t)round;
        int shape = round % SHAPES;
        wi_layout *layout = layout_new(shape);
        changes all, half;
        uint64_t times = draw(3) ? 1 + draw(6) : 1;
        changes_draw(&all, shape, (uint32_t)draw(draw(3) ? 60 : 600), times, draw(3) == 0);
        half = (changes){all.all, (uint32_t)draw(draw(2) ? all.count + 1 : all.count / 8 + 1)};
        wi_run *a = run_of(layout, &half);
        half = (changes){all.all + half.count, all.count - half.count};
        wi_run *b = run_of(layout, &half);
        weir_antichain since = {0};
        for (uint64_t i = draw(3); i > 0; i--)
            weir_antichain_insert(&since, &(weir_time){{draw(6), draw(6)}});
        wi_merge *merge = wi_merge_begin(a, b, &since);
        int64_t part = draw(2) ? 1 + (int64_t)draw(20) : INT64_MAX, steps = 0, used = 0;
        for (bool done = false; !done; steps++) {
            int64_t fuel = part;
            done = wi_merge_work(merge, &fuel);
            used += part - fuel;
        }
        ck_assert_int_le(used, 3 * ((int64_t)a->count + b->count) + steps);
        wi_run *out = wi_merge_end(merge);
        wi_run_check(out);
        expect_sums((const wi_run *const *)&out, 1, &all, &since);
        wi_run_drop(a);
        wi_run_drop(b);
        wi_run_drop(out);
        weir_antichain_fini(&since);
        free(all.all);
        wi_layout_drop(layout);
    }
}
END_TEST

START_TEST(seeking_finds_what_scanning_finds)
{
    for (int round = 0; round < 200; round++) {
        seed = 9000 + (uint64_t)round;
        int shape = round % SHAPES;
        wi_layout *layout = layout_new(shape);
        changes all;
        changes_draw(&all, shape, (uint32_t)draw(draw(3) ? 30 : 2000), 1, true);
        wi_run *run = run_of(layout, &all);
        wi_heap heap = {0};
        for (int probe = 0; probe < 50; probe++) {
            five made;
            uint64_t key[8];
            row_draw(shape, all.count + 3, &made);
            wi_layout_encode(layout, &made, 1, key, layout->words, &heap);
            uint32_t first = 0, past;
            while (first < run->count && wi_key_compare(layout, wi_run_row(run, first), key) < 0)
                first++;
            for (past = first; past < run->count &&
                               wi_key_compare(layout, wi_run_row(run, past), key) == 0;)
                past++;
            ck_assert_uint_eq(wi_run_find(run, key), first);
            ck_assert_uint_eq(wi_run_seek(run, (uint32_t)draw(first + 1), key), first);
            ck_assert_uint_eq(wi_run_past(run, (uint32_t)draw(past + 1), key), past);
            if (past > first)
                ck_assert_uint_eq(wi_run_key_end(run, first + (uint32_t)draw(past - first)), past);
        }
        wi_run_drop(run);
        wi_heap_fini(&heap);
        free(all.all);
        wi_layout_drop(layout);
    }
}
END_TEST

/* The first row is there in both, twice in all, and the others once each. */
START_TEST(a_sum_of_first_rows_is_not_the_diff_of_others)
{
    wi_layout *layout = layout_new(0);
    const weir_time time = {{0}};
    const weir_antichain none = {0};
    wi_run *runs[2];
    for (int r = 0; r < 2; r++) {
        runs[r] = wi_run_new(layout, 100, false, false, &time, 1);
        for (uint64_t i = 0; i < 100; i++)
            runs[r]->rows[i] = i ? 2 * i + (uint64_t)r : 0;
        wi_run_finish(runs[r], 100);
    }
    int64_t fuel = INT64_MAX;
    wi_merge *merge = wi_merge_begin(runs[0], runs[1], &none);
    while (!wi_merge_work(merge, &fuel))
        fuel = INT64_MAX;
    wi_run *out = wi_merge_end(merge);
    ck_assert_uint_eq(out->count, 199);
    for (uint32_t i = 0; i < out->count; i++)
        ck_assert_int_eq(wi_run_diff(out, i), i == 0 ? 2 : 1);
    wi_run_drop(runs[0]);
    wi_run_drop(runs[1]);
    wi_run_drop(out);
    wi_layout_drop(layout);
}
END_TEST

static wi_run *far_apart(wi_layout *layout, uint32_t count, int64_t diff)
{
    const weir_time time = {{0}};
    wi_run *run = wi_run_new(layout, count, false, false, &time, 1);
    for (uint64_t i = 0; i < count; i++)
        run->rows[i] = i << 57;
    run->diff = diff;
    wi_run_finish(run, count);
    return run;
}

static wi_run *merged(wi_run *a, wi_run *b)
{
    const weir_antichain none = {0};
    int64_t fuel = INT64_MAX;
    wi_merge *merge = wi_merge_begin(a, b, &none);
    ck_assert(wi_merge_work(merge, &fuel));
    wi_run_drop(a);
    wi_run_drop(b);
    return wi_merge_end(merge);
}

/* Many rows, which have a directory; most of them go; then what is left meets a few others. */
START_TEST(a_directory_does_not_outlive_its_rows)
{
    wi_layout *layout = layout_new(0);
    wi_run *run = far_apart(layout, 128, 1);
    ck_assert_uint_eq(wi_run_find(run, &(uint64_t){(uint64_t)5 << 57}), 5);
    wi_run *gone = far_apart(layout, 128, -1);
    gone->rows[0] = 1;
    run = merged(run, gone); /* 0 and 1 */
    ck_assert_uint_eq(run->count, 2);
    gone = far_apart(layout, 1, -1);
    gone->rows[0] = UINT64_MAX;
    run = merged(run, gone);
    ck_assert_uint_eq(run->count, 3);
    ck_assert_uint_eq(wi_run_find(run, &(uint64_t){2}), 2);
    wi_run_drop(run);
    wi_layout_drop(layout);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, records_are_sorted);
    tcase_add_test(all, a_sum_of_first_rows_is_not_the_diff_of_others);
    tcase_add_test(all, a_directory_does_not_outlive_its_rows);
    tcase_add_test(all, complete_bins_are_sealed);
    tcase_add_test(all, large_bins);
    tcase_add_test(all, merging_adds_up_and_advances);
    tcase_add_test(all, seeking_finds_what_scanning_finds);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
