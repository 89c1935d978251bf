/* Event-time programs with known answers (tests/oracle/cases/windows.h), for 1, 2 and 4 workers,
 * for clusters, and for any batches. Set CASES_SEED to repeat a run.
 *
 * The input's epochs are the watermarks: worker 0 advances it as the case says. Rows come from
 * there alone, in their order; the other workers' inputs close at once. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/weir.h>

#include "tests/oracle/cases/windows.h"
#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define EVENT(F) F(weir_text, key) F(i64, value) F(i64, at)
#define TALLY(F)                                                                               \
    F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(i64, sum) F(i64, min)           \
    F(i64, max) F(i64, seen)
WEIR_ROW(event, EVENT)
WEIR_ROW(tally, TALLY)

static uint64_t seed;

WEIR_FOLD(fold_event, event, tally)
{
    acc->min = acc->seen == 0 || in->value < acc->min ? in->value : acc->min;
    acc->max = acc->seen == 0 || in->value > acc->max ? in->value : acc->max;
    acc->sum += in->value * diff;
    acc->seen++;
}

WEIR_FOLD(fold_tally, tally, tally)
{
    acc->min = acc->seen == 0 || in->min < acc->min ? in->min : acc->min;
    acc->max = acc->seen == 0 || in->max > acc->max ? in->max : acc->max;
    acc->sum += in->sum * diff;
    acc->seen += in->seen;
}

typedef struct run {
    const window_case *of;
    test_list results;
} run;

static void add_result(test_list *to, int64_t at, const tally *result, const char *values,
                       int64_t diff)
{
    tally row = *result;
    row.seen = 0;
    if (strcmp(values, "all") != 0)
        row.min = row.max = 0;
    if (strcmp(values, "count") == 0)
        row.sum = 0;
    if (strcmp(values, "sum") == 0)
        row.rows = 0;
    if (strcmp(values, "all") == 0)
        row.sum = 0;
    test_list_add(to, &tally_type, &row, &WEIR_EPOCH(weir_event_epoch(at)), diff);
}

/* Whether a time is a stamp: rows come behind the watermark that is 1 less. */
static bool is_stamp(const window_case *of, int64_t time)
{
    for (int s = 0; s < of->step_count; s++)
        if (!of->steps[s].key && of->steps[s].time == time - 1)
            return true;
    return time == INT64_MIN;
}

/* The watermark of the case at which a result of the window that ends at `end` comes: on time,
 * the first that closes it, or lets it fire early; if it fires again, or because a row came, the
 * one of that row, which is its stamp. */
static int64_t watermark_of(const window_case *of, int64_t time, int64_t end)
{
    const weir_windows *how = &of->how;
    bool by_row = how->trigger.rows || how->trigger.each || how->kind == WEIR_COUNT;
    if (time == INT64_MIN)
        return NO_WATERMARK;
    if (time > end - 1 || (by_row && is_stamp(of, time)))
        return time - 1;
    for (int s = 0; s < of->step_count; s++)
        if (!of->steps[s].key && of->steps[s].time >= time)
            return of->steps[s].time;
    return INT64_MAX;
}

static void note_results(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    run *self = arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        const tally *result = tally_at(batch, i);
        int64_t time = weir_event_time(weir_batch_time(batch, i)->at[0]);
        add_result(&self->results, watermark_of(self->of, time, result->end), result,
                   self->of->values, weir_batch_diff(batch, i));
    }
}

static void feed(weir_worker *worker, weir_input *input, const window_case *of)
{
    for (int s = 0; s < of->step_count; s++) {
        const window_step *step = &of->steps[s];
        if (!step->key)
            weir_input_advance(input, weir_event_epoch(step->time + 1));
        for (int i = 0; step->key && i < (step->count ? step->count : 1); i++) {
            weir_out_diff(weir_input_out(input), step->diff ? step->diff : 1);
            event_push(weir_input_out(input), (event){weir_text_c(step->key),
                                                      step->value + i * step->more,
                                                      step->time + i * step->apart});
            if (weir_random(worker) % 3 == 0)
                weir_input_flush(input);
            if (weir_random(worker) % 5 == 0)
                weir_step(worker);
        }
    }
}

static void work(weir_worker *worker, void *arg)
{
    run *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "case");
    weir_stream in = weir_input_new(flow, &event_type, &input);
    weir_windows how = self->of->how;
    how.time = "at";
    how.combine = &fold_tally;
    weir_stream results =
        weir_window(in, &how, WEIR_BY(event, key), &fold_event, NULL, NULL);
    weir_inspect_batch(results, note_results, self);
    if (!test_end(flow))
        return;
    if (weir_worker_index(worker) == 0)
        feed(worker, input, self->of);
    weir_input_close(&input);
    weir_run(worker);
}

static void expect(const window_case *of, const weir_config *way)
{
    run self = {.of = of};
    test_list expected;
    test_list_init(&self.results, 1);
    test_list_init(&expected, 1);
    for (int r = 0; r < of->result_count; r++) {
        const window_result *result = &of->results[r];
        bool all = strcmp(of->values, "all") == 0, counts = strcmp(of->values, "sum") != 0;
        tally row = {.key = weir_text_c(result->key), .start = result->start, .end = result->end};
        row.rows = counts ? result->values[0] : 0;
        row.sum = counts ? 0 : result->values[0];
        row.min = all ? result->values[1] : 0;
        row.max = all ? result->values[2] : 0;
        add_result(&expected, result->at, &row, of->values, result->values[3] ? -1 : 1);
    }
    weir_config config = *way;
    config.seed += seed;
    config.batch_rows = 1 + (uint32_t)(seed % 5);
    test_run(&config, work, &self);
    char *wants = test_list_text(&expected), *has = test_list_text(&self.results);
    ck_assert_msg(strcmp(wants, has) == 0, "%s, %u workers%s:\n%sis expected, not\n%s", of->id,
                  way->workers, way->deterministic ? " (deterministic)" : "", wants, has);
    free(wants);
    free(has);
    test_list_fini(&expected);
    test_list_fini(&self.results);
}

START_TEST(every_case_has_its_results)
{
    for (size_t c = 0; c < sizeof window_cases / sizeof *window_cases; c++)
        expect(&window_cases[c], &test_ways[_i]);
}
END_TEST

int main(void)
{
    const char *given = getenv("CASES_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)getpid();
    printf("CASES_SEED=%llu\n", (unsigned long long)seed);
    TCase *cases = tcase_create("windows");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_case_has_its_results, 0, TEST_WAYS);
    return test_main("windows_cases", cases);
}
