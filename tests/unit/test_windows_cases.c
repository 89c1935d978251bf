/* Event-time programs with known answers (tests/oracle/cases/windows.h), for 1, 2 and 4 workers,
 * for clusters, and for any batches. Set CASES_SEED to repeat a run.
 *
 * The input's epochs are the watermarks: worker 0 advances it as the case says. Rows come from
 * there alone, in their order; the other workers' inputs close at once. Where a case says so the
 * dataflow is torn down, and built again from the state that it has saved. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/weir.h>

#include "operators/window/saved.h"
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

/* Steps [begin, end) of a case, from a state and to one. */
typedef struct run {
    const window_case *of;
    int begin, end;
    wi_saved *from, *to;
    test_list *results;
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

/* The watermark of the case before a time. */
static int64_t watermark_before(const window_case *of, int64_t time)
{
    int64_t watermark = NO_WATERMARK;
    for (int s = 0; s < of->step_count; s++)
        if (window_step_is_watermark(&of->steps[s]) && of->steps[s].time < time)
            watermark = of->steps[s].time;
    return watermark;
}

/* Whether rows have this stamp: 1 more than a watermark; more by 1 after they were torn down. */
static bool is_stamp(const window_case *of, int64_t time)
{
    int64_t before = watermark_before(of, time);
    return time <= before + (before == NO_WATERMARK ? 1 : 2);
}

/* The watermark of the case at which a result of the window that ends at `end` comes: on time,
 * the first that closes it, or lets it fire early; if it fires again, or because a row came, the
 * one of that row, which is its stamp. */
static int64_t watermark_of(const window_case *of, int64_t time, int64_t end)
{
    const weir_windows *how = &of->how;
    bool by_row = how->trigger.rows || how->trigger.each || how->kind == WEIR_COUNT;
    if (time > end - 1 || (by_row && is_stamp(of, time)))
        return watermark_before(of, time);
    for (int s = 0; s < of->step_count; s++)
        if (window_step_is_watermark(&of->steps[s]) && of->steps[s].time >= time)
            return of->steps[s].time;
    return INT64_MAX;
}

static void note_results(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    run *self = arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        const tally *result = tally_at(batch, i);
        int64_t time = weir_event_time(weir_batch_time(batch, i)->at[0]);
        add_result(self->results, watermark_of(self->of, time, result->end), result,
                   self->of->values, weir_batch_diff(batch, i));
    }
}

static void feed(weir_worker *worker, weir_input *input, const window_step *step)
{
    if (window_step_is_watermark(step))
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

/* At a frontier, when nothing is on its way; rows that are stamped are before it. */
static void tear_down(weir_worker *worker, weir_input *input, const weir_probe *probe,
                      bool stamped)
{
    uint64_t frontier = weir_input_time(input)->at[0] + stamped;
    weir_input_advance(input, frontier);
    weir_probe_wait(worker, probe, frontier);
    weir_stop(worker, "torn down");
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
    weir_stream results = wi_window_saved(in, &how, WEIR_BY(event, key), &fold_event, NULL, NULL,
                                          self->from, self->to);
    weir_probe *probe = weir_probe_new(weir_inspect_batch(results, note_results, self));
    if (!test_end(flow))
        return;
    const window_step *steps = self->of->steps;
    bool first = weir_worker_index(worker) == 0;
    for (int s = 0; first && s < self->begin; s++)
        if (window_step_is_watermark(&steps[s]))
            weir_input_advance(input, weir_event_epoch(steps[s].time + 1));
    for (int s = self->begin; first && s < self->end; s++)
        feed(worker, input, &steps[s]);
    if (first && self->to)
        tear_down(worker, input, probe, self->end && steps[self->end - 1].key);
    else
        weir_input_close(&input);
    weir_run(worker);
}

/* Where the steps end that are done before all is torn down. */
static int part_end(const window_case *of, int begin, bool at_watermarks)
{
    int end = begin;
    while (end < of->step_count && !of->steps[end].torn) {
        bool watermark = window_step_is_watermark(&of->steps[end++]);
        if (watermark && at_watermarks)
            break;
    }
    return end;
}

static void play(const window_case *of, const weir_config *way, bool at_watermarks,
                 test_list *results)
{
    wi_saved states[2];
    run self = {.of = of, .results = results};
    for (int n = 0; self.end < of->step_count; n++) {
        self.begin = self.end + (of->steps[self.end].torn && n > 0);
        self.end = part_end(of, self.begin, at_watermarks);
        self.to = self.end < of->step_count ? &states[n % 2] : NULL;
        if (self.to)
            wi_saved_init(self.to);
        if (self.to)
            test_stops(way, work, &self, "torn down", NULL);
        else
            test_run(way, work, &self);
        if (self.from)
            wi_saved_fini(self.from);
        self.from = self.to;
    }
}

static void expect(const window_case *of, const weir_config *way, bool at_watermarks)
{
    test_list expected, results;
    test_list_init(&results, 1);
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
    play(of, &config, at_watermarks, &results);
    char *wants = test_list_text(&expected), *has = test_list_text(&results);
    ck_assert_msg(strcmp(wants, has) == 0, "%s, %u workers%s:\n%sis expected, not\n%s", of->id,
                  way->workers, way->deterministic ? " (deterministic)" : "", wants, has);
    free(wants);
    free(has);
    test_list_fini(&expected);
    test_list_fini(&results);
}

START_TEST(every_case_has_its_results)
{
    for (size_t c = 0; c < sizeof window_cases / sizeof *window_cases; c++)
        expect(&window_cases[c], &test_ways[_i], false);
}
END_TEST

START_TEST(every_case_has_them_if_it_is_torn_down_at_each_watermark)
{
    for (size_t c = 0; c < sizeof window_cases / sizeof *window_cases; c++)
        expect(&window_cases[c], &test_ways[_i], true);
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
    tcase_add_loop_test(cases, every_case_has_them_if_it_is_torn_down_at_each_watermark, 0,
                        TEST_WAYS_ALONE);
    return test_main("windows_cases", cases);
}
