/* The quick ways in which windows are kept have the results of the general one, at the same times,
 * and the same rows miss windows: tumbling, hopping and sessions without lateness, folded before
 * the exchange or not, with panes that are taken away again or not, by several workers. A trigger
 * that waits for more rows than there are makes windows be kept in the general way. Random rows,
 * some far out of order, some taken away, some at the ends of the integers. */
#include <weir/weir.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EVENTS = 600 };

#define EVENT(F) F(i64, at) F(weir_text, key) F(u64, number) F(i64, value) F(weir_text, note)
#define TOTAL(F)                                                                               \
    F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(i64, sum) F(i64, most)
#define NOTED(F) F(u64, number) F(i64, start) F(i64, end) F(i64, rows) F(weir_text, note)
WEIR_ROW(event, EVENT)
WEIR_ROW(total, TOTAL)
WEIR_ROW(noted, NOTED)

/* Both are the same whatever the order, and neither is the identity for a row alone. The most
 * cannot be taken away again, and is left out where all has to be (arg). */
WEIR_FOLD(add_event, event, total)
{
    acc->sum += in->value * diff;
    if (!arg)
        acc->most = in->value > acc->most ? in->value : acc->most;
}

WEIR_FOLD(add_total, total, total)
{
    acc->sum += in->sum * diff;
    if (!arg)
        acc->most = in->most > acc->most ? in->most : acc->most;
}

WEIR_FOLD(note_event, event, noted)
{
    if (weir_text_compare(&in->note, &acc->note) > 0)
        acc->note = in->note;
    (void)diff;
}

WEIR_FOLD(note_noted, noted, noted)
{
    if (weir_text_compare(&in->note, &acc->note) > 0)
        acc->note = in->note;
}

WEIR_MAP(double_total, total, total)
{
    *out = *in;
    out->sum = in->sum * 2;
}

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

static event events[EVENTS];
static int64_t diffs[EVENTS];
static char texts[EVENTS][40];

static void make_events(void)
{
    uint64_t keys = 1 + below(12), spread = 1 + below(60);
    int64_t ahead = (int64_t)below(3);
    bool ends = below(6) == 0;
    memset(events, 0, sizeof events);
    for (int i = 0; i < EVENTS; i++) {
        int length = snprintf(texts[i], sizeof *texts, below(2) ? "%d" : "a longer text: %d",
                              (int)below(1000));
        uint64_t key = below(keys);
        events[i] = (event){.at = i * ahead - (int64_t)below(spread),
                            .key = weir_text_c(key % 2 ? "a key of some length"
                                                       : &"short"[key % 5]),
                            .number = key,
                            .value = (int64_t)below(2000) - 500,
                            .note = weir_text_of(texts[i], (uint32_t)length)};
        if (ends && below(20) == 0)
            events[i].at = (below(2) || i < EVENTS / 2 ? INT64_MIN : INT64_MAX - 100) +
                           (int64_t)below(100);
        diffs[i] = below(10) ? 1 : -1;
    }
}

typedef struct question {
    weir_windows windows;
    bool notes, inverse;
    int64_t bound;
} question;

static weir_more push_events(weir_source *source, void *state_, WEIR_UNUSED void *arg)
{
    uint32_t *next = state_;
    if (weir_worker_index(weir_source_worker(source)))
        return WEIR_DONE;
    for (int i = 0; i < 50 && *next < EVENTS; i++, ++*next) {
        weir_out_diff(weir_source_out(source), diffs[*next]);
        weir_out_row(weir_source_out(source), &events[*next]);
    }
    return *next < EVENTS ? WEIR_MORE : WEIR_DONE;
}

/* What came out, in any order: results, late rows, rows that missed windows. */
static _Atomic uint64_t sums[3], counts[3];

static void add_batch(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    uint64_t which = (uintptr_t)arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t hash = weir_row_hash(batch->type, weir_batch_row(batch, i));
        hash = (hash ^ weir_batch_time(batch, i)->at[0]) * 0x9e3779b97f4a7c15u;
        sums[which] += (hash ^ hash >> 29) * (uint64_t)weir_batch_diff(batch, i);
        counts[which]++;
    }
}

static void work(weir_worker *worker, void *arg)
{
    const question *it = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "ways");
    weir_stream rows = weir_generate(flow, &event_type, push_events, sizeof(uint32_t), NULL);
    rows = weir_watermarks(rows, &(weir_watermark_policy){.time = "at", .bound = it->bound});
    /* So that rows are folded on several workers before they are exchanged. Of sessions the order
     * of rows matters. */
    if (it->windows.kind != WEIR_SESSION)
        rows = weir_exchange(rows, WEIR_BY(event, value));
    weir_late late;
    weir_stream results =
        it->notes ? weir_window(rows, &it->windows, WEIR_BY(event, number), &note_event, NULL,
                                &late)
                  : weir_window(rows, &it->windows, WEIR_BY(event, key), &add_event,
                                it->inverse ? worker : NULL, &late);
    weir_inspect_batch(results, add_batch, (void *)0);
    weir_inspect_batch(late.rows, add_batch, (void *)1);
    weir_inspect_batch(late.missed, add_batch, (void *)2);
    if (weir_dataflow_end_or_stop(flow))
        weir_run(worker);
}

static void ask(const question *it, uint32_t workers, uint64_t found[6])
{
    for (int i = 0; i < 3; i++)
        sums[i] = counts[i] = 0;
    weir_config config = {.workers = workers, .batch_rows = 1 + (uint32_t)below(40)};
    weir_err *err = weir_execute(&config, work, (void *)it);
    ck_assert_msg(!err, "%s", err ? weir_err_message(err) : "");
    for (int i = 0; i < 3; i++) {
        found[i] = sums[i];
        found[3 + i] = counts[i];
    }
}

static question random_question(void)
{
    question it = {.bound = (int64_t)below(40), .notes = below(3) == 0};
    weir_windows *how = &it.windows;
    how->time = "at";
    how->output = below(2) ? WEIR_DISCARDING : WEIR_ACCUMULATING;
    how->kind = (weir_window_kind[]){WEIR_TUMBLING, WEIR_HOPPING, WEIR_SESSION}[below(3)];
    how->slide = 1 + (int64_t)below(20);
    how->size = how->kind == WEIR_HOPPING ? how->slide * (1 + (int64_t)below(6)) : how->slide;
    if (how->kind == WEIR_HOPPING && below(3) == 0)
        how->size += (int64_t)below(20); /* and panes are shorter than slides */
    how->gap = 1 + (int64_t)below(15);
    how->combine = it.notes ? &note_noted : &add_total;
    it.inverse = !it.notes && how->kind == WEIR_HOPPING && below(2);
    how->finish = it.notes || below(2) ? NULL : &double_total;
    return it;
}

START_TEST(the_quick_ways_have_the_results_of_the_general_one)
{
    state += (uint64_t)_i << 32;
    make_events();
    question it = random_question(), general = it;
    uint64_t expected[6], found[6];
    general.windows.trigger.rows = INT64_MAX; /* never come */
    ask(&general, 1, expected);
    for (uint32_t workers = 1; workers <= 4; workers *= 2)
        for (int local = 0; local < 2; local++) {
            it.windows.local = local;
            it.windows.inverse = it.inverse;
            ask(&it, workers, found);
            for (int i = 0; i < 6; i++)
                ck_assert_msg(found[i] == expected[i],
                              "%u workers, local %d, inverse %d, kind %d, slide %lld, size %lld, "
                              "gap %lld, bound %lld: %d is %llu, not %llu",
                              workers, local, it.inverse, (int)it.windows.kind,
                              (long long)it.windows.slide, (long long)it.windows.size,
                              (long long)it.windows.gap, (long long)it.bound, i,
                              (unsigned long long)found[i], (unsigned long long)expected[i]);
        }
}
END_TEST

/* ---- more keys than are folded before the exchange; stamps that many rows share ---------- */

enum { MANY = 200000 };
/* All rows are worker 0's; watermarks are those of weir_watermarks. */
static bool many_alone, many_policy;

static weir_more push_many(weir_source *source, void *state_, WEIR_UNUSED void *arg)
{
    uint64_t *next = state_;
    if (many_alone && weir_worker_index(weir_source_worker(source)))
        return WEIR_DONE;
    for (int i = 0; i < 5000 && *next < MANY; i++, ++*next) {
        event row = {.at = (int64_t)*next / 1000, .value = (int64_t)(*next % 1000)};
        row.number = *next < MANY / 2 ? *next % 70000 : *next % 7;
        weir_out_row(weir_source_out(source), &row);
    }
    if (!many_policy)
        weir_source_advance(source, weir_event_epoch((int64_t)*next / 1000));
    return *next < MANY ? WEIR_MORE : WEIR_DONE;
}

static void work_on_many(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "many");
    weir_stream rows = weir_generate(flow, &event_type, push_many, sizeof(uint64_t), NULL);
    if (many_policy)
        rows = weir_watermarks(rows, &(weir_watermark_policy){.time = "at", .bound = 1});
    weir_stream results =
        weir_window(rows, arg, WEIR_BY(event, number), &note_event, NULL, NULL);
    weir_inspect_batch(results, add_batch, (void *)0);
    if (weir_dataflow_end_or_stop(flow))
        weir_run(worker);
}

START_TEST(with_many_keys_rows_are_passed_on_and_nothing_is_lost)
{
    uint64_t expected[2] = {0};
    for (int way = 0; way < 5; way++) {
        bool local = way == 1 || way == 4;
        many_alone = way >= 2;
        many_policy = way >= 3;
        weir_windows how = {.kind = WEIR_TUMBLING,
                            .time = "at",
                            .size = 100,
                            .combine = &note_noted,
                            .local = local};
        sums[0] = counts[0] = 0;
        weir_config config = {.workers = 2};
        ck_assert_ptr_null(weir_execute(&config, work_on_many, &how));
        ck_assert_uint_eq(counts[0], 70000 + 7);
        ck_assert(way == 0 || way == 2 ||
                  (sums[0] == expected[0] && counts[0] == expected[1]));
        expected[0] = sums[0];
        expected[1] = counts[0];
    }
}
END_TEST

/* ---- a key with thousands of sessions that are open ------------------------------------- */

enum { LONG = 20000, AHEAD = 20000, GAP = 2 };
static int64_t times[LONG];

static event long_event(uint32_t i)
{
    return (event){.at = times[i], .key = weir_text_c("a key of some length"), .value = i % 7};
}

static weir_more push_long(weir_source *source, void *state_, WEIR_UNUSED void *arg)
{
    uint32_t *next = state_;
    for (int i = 0; i < 500 && *next < LONG; i++, ++*next) {
        event row = long_event(*next);
        weir_out_row(weir_source_out(source), &row);
    }
    return *next < LONG ? WEIR_MORE : WEIR_DONE;
}

static void work_on_long(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "long");
    weir_stream rows = weir_generate(flow, &event_type, push_long, sizeof(uint32_t), NULL);
    rows = weir_watermarks(rows, &(weir_watermark_policy){.time = "at", .bound = AHEAD});
    weir_inspect_batch(weir_window(rows, arg, WEIR_BY(event, key), &add_event, NULL, NULL),
                       add_batch, (void *)0);
    if (weir_dataflow_end_or_stop(flow))
        weir_run(worker);
}

static int by_time(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return times[*x] < times[*y] ? -1 : times[*x] > times[*y];
}

/* What add_batch makes of the sessions. */
static uint64_t expect_sessions(uint64_t *count_out)
{
    static uint32_t sorted[LONG];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < LONG; i++)
        sorted[i] = i;
    qsort(sorted, LONG, sizeof *sorted, by_time);
    for (uint32_t i = 0, end; i < LONG; i = end, ++*count_out) {
        total of;
        memset(&of, 0, sizeof of);
        of.key = long_event(0).key;
        of.start = times[sorted[i]];
        for (end = i; end < LONG && (end == i || times[sorted[end]] <= of.end); end++) {
            int64_t value = long_event(sorted[end]).value;
            of.end = times[sorted[end]] + GAP;
            of.rows++;
            of.sum += value;
            of.most = value > of.most ? value : of.most;
        }
        uint64_t hash = weir_row_hash(&total_type, &of) ^ weir_event_epoch(of.end - 1);
        hash *= 0x9e3779b97f4a7c15u;
        sum += hash ^ hash >> 29;
    }
    return sum;
}

START_TEST(a_key_may_have_thousands_of_sessions_that_are_open)
{
    static const weir_windows ways[] = {
        {.kind = WEIR_SESSION, .time = "at", .gap = GAP, .combine = &add_total},
        {.kind = WEIR_SESSION, .time = "at", .gap = GAP, .combine = &add_total, .lateness = 9999},
        {.kind = WEIR_SESSION, .time = "at", .gap = GAP, .combine = &add_total, .exact = true},
    };
    uint64_t count = 0;
    for (uint32_t i = 0; i < LONG; i++)
        times[i] = 2 * i + (int64_t)below(AHEAD);
    uint64_t sum = expect_sessions(&count);
    sums[0] = counts[0] = 0;
    weir_config config = {.workers = 1, .batch_rows = 1 + (uint32_t)below(1000)};
    ck_assert_ptr_null(weir_execute(&config, work_on_long, (void *)&ways[_i]));
    ck_assert_uint_gt(count, LONG / 10);
    ck_assert_uint_eq(counts[0], count);
    ck_assert_uint_eq(sums[0], sum);
}
END_TEST

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    int cases = argc > 2 ? atoi(argv[2]) : 40;
    printf("seed %llu\n", (unsigned long long)state);
    Suite *suite = suite_create("windows_ways");
    TCase *tests = tcase_create("ways");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_quick_ways_have_the_results_of_the_general_one, 0, cases);
    tcase_add_test(tests, with_many_keys_rows_are_passed_on_and_nothing_is_lost);
    tcase_add_loop_test(tests, a_key_may_have_thousands_of_sessions_that_are_open, 0, 3);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
