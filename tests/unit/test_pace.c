/* Streams at the pace of their event times: when rows pass, that what is behind them waits with
 * its source, and what is refused. Also operators that pause an input, which is how. */
#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define MS UINT64_C(1000000)

#define CLICK(F) F(weir_time_ms, at) F(i64, seconds) F(u64, number)
WEIR_ROW(click, CLICK)

/* ---- when ------------------------------------------------------------------------------- */

typedef struct replay {
    weir_pacing pacing;
    const click *rows;
    uint32_t count;
    uint64_t passed_ms[16]; /* by number; since the beginning */
    _Atomic(uint64_t) begun_ns;
    test_list out;
} replay;

static void look(weir_worker *worker, const weir_batch *batch, void *arg)
{
    replay *self = arg;
    for (uint32_t i = 0; i < batch->count; i++)
        self->passed_ms[click_at(batch, i)->number] = (weir_now(worker) - self->begun_ns) / MS;
}

/* Row i is worker i's modulo their number; its time in the dataflow is 100 + i. */
static void run_replay(weir_worker *worker, void *arg)
{
    replay *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "replay");
    weir_stream paced = weir_pace(weir_input_new(flow, &click_type, &input), &self->pacing);
    test_watch(weir_inspect_batch(paced, look, self), &self->out);
    if (!test_end(flow))
        return;
    uint64_t none = 0;
    atomic_compare_exchange_strong(&self->begun_ns, &none, weir_now(worker));
    for (uint32_t i = 0; i < self->count; i++) {
        weir_input_advance(input, 100 + i);
        if (weir_worker_index(worker) == i % weir_worker_count(worker))
            click_push(weir_input_out(input), self->rows[i]);
    }
    weir_input_close(&input);
    weir_run(worker);
}

static void replay_rows(replay *self, const weir_config *config)
{
    self->begun_ns = 0;
    test_list_init(&self->out, 1);
    test_run(config, run_replay, self);
    ck_assert_uint_eq(self->out.count, self->count);
    for (uint32_t i = 0; i < self->out.count; i++)
        ck_assert_uint_eq(self->out.updates[i].time.at[0],
                          100 + strtoull(strrchr(self->out.updates[i].row, '\t') + 1, NULL, 10));
    test_list_fini(&self->out);
}

/* Those that are earlier than one before them pass with it. */
static const click clicks[] = {{1000, 1, 0},  {1000, 1, 1},  {61000, 61, 2}, {31000, 31, 3},
                               {91000, 91, 4}, {121000, 121, 5}, {1000, 1, 6}};
static const uint64_t after_s[] = {0, 0, 60, 60, 90, 120, 120};

static void expect_pace(const weir_pacing *pacing, double speed, int way)
{
    const weir_config *config = &test_ways[way];
    bool several = test_workers(way) > 1;
    replay self = {.pacing = *pacing, .rows = clicks, .count = 7};
    replay_rows(&self, config);
    for (uint32_t i = 0; i < 7; i++) {
        bool waits_for_another = several && (i == 3 || i == 6); /* it is elsewhere */
        uint64_t due = (uint64_t)((double)after_s[i] * 1000 / speed);
        uint64_t hearing = several ? 20 : 0; /* of others' first rows */
        if (!waits_for_another)
            ck_assert_uint_ge(self.passed_ms[i], due);
        if (config->deterministic)
            ck_assert_uint_le(self.passed_ms[i], due + hearing + 2);
    }
}

START_TEST(rows_pass_when_their_event_times_say)
{
    expect_pace(&(weir_pacing){.time = "at", .speed = 600}, 600, _i);
    if (!test_ways[_i].deterministic)
        return;
    expect_pace(&(weir_pacing){.time = "at", .speed = 1}, 1, _i);
    expect_pace(&(weir_pacing){.time = "seconds", .speed = 0.5, .unit_ns = 1000 * MS}, 0.5, _i);
}
END_TEST

/* Rows go to the worker of their number's parity: one of them has none for a minute, and then some
 * that are earlier, too. */
WEIR_ROUTE(parity, click)
{
    return in->number;
}

static void run_late(weir_worker *worker, void *arg)
{
    replay *self = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "replay");
    weir_stream rows = weir_from_rows(flow, &click_type, self->rows, self->count);
    rows = weir_exchange_by(weir_pace(rows, &self->pacing), &parity, NULL);
    test_watch(weir_inspect_batch(weir_pace(rows, &self->pacing), look, self), &self->out);
    if (test_end(flow))
        weir_run(worker);
}

START_TEST(a_worker_whose_first_row_comes_late_is_not_behind_the_others)
{
    static const click late[] = {{1000, 1, 0},  {61000, 61, 1}, {500, 0, 3}, {63000, 63, 2},
                                 {91000, 91, 5}, {92000, 92, 4}};
    static const uint64_t due_s[] = {0, 60, 62, 60, 91, 90};
    replay self = {.pacing = {.time = "at", .speed = 1}, .rows = late, .count = 6};
    weir_config config = {.workers = 2 + (uint32_t)_i, .deterministic = true, .seed = 7};
    test_list_init(&self.out, 1);
    test_run(&config, run_late, &self);
    for (uint32_t i = 0; i < self.count; i++) {
        ck_assert_uint_ge(self.passed_ms[i], due_s[i] * 1000);
        ck_assert_uint_le(self.passed_ms[i], due_s[i] * 1000 + 45);
    }
    ck_assert_uint_eq(self.out.count, self.count);
    test_list_fini(&self.out);
}
END_TEST

START_TEST(a_row_of_the_far_future_passes_in_a_deterministic_run)
{
    static const click far[] = {{0, 0, 0}, {0, INT64_MAX, 1}, {0, 1, 2}};
    replay self = {
        .pacing = {.time = "seconds", .speed = 1, .unit_ns = 1000 * MS}, .rows = far, .count = 3};
    weir_config config = {.workers = 1, .deterministic = true};
    replay_rows(&self, &config);
    ck_assert_uint_eq(self.passed_ms[0], 0);
    ck_assert_uint_ge(self.passed_ms[2], UINT64_C(9000000000000));
}
END_TEST

START_TEST(times_at_the_ends_of_the_integers_pass)
{
    static const click ends[] = {{0, INT64_MIN, 0}, {0, 0, 1}, {0, INT64_MAX, 2}};
    replay self = {.pacing = {.time = "seconds", .speed = 1e9, .unit_ns = 1},
                   .rows = ends,
                   .count = 3};
    weir_config config = {.workers = 1, .deterministic = true};
    replay_rows(&self, &config);
    ck_assert_uint_eq(self.passed_ms[0], 0);
    ck_assert(self.passed_ms[1] >= 9223 && self.passed_ms[1] <= 9226);
    ck_assert(self.passed_ms[2] >= 18446 && self.passed_ms[2] <= 18449);
}
END_TEST

/* ---- what waits ------------------------------------------------------------------------- */

#define MANY 2000000 /* rows; 48 MB */

typedef struct flood {
    _Atomic(uint64_t) made, passed;
} flood;

/* A thousand rows, then, ten seconds later, the others. */
static weir_more make(weir_source *source, void *state, void *arg)
{
    uint64_t *next = state;
    flood *all = arg;
    if (weir_worker_index(weir_source_worker(source)))
        return WEIR_DONE;
    for (int i = 0; i < 5000 && *next < MANY; i++, ++*next)
        click_push(weir_source_out(source), (click){*next < 1000 ? 0 : 10000, 0, *next});
    all->made = *next;
    return *next < MANY ? WEIR_MORE : WEIR_DONE;
}

static void count(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    flood *all = arg;
    all->passed += batch->count;
}

static void run_flood(weir_worker *worker, void *arg)
{
    flood *all = arg;
    weir_pacing pacing = {.time = "at", .speed = 1};
    weir_dataflow *flow = weir_dataflow_begin(worker, "flood");
    weir_stream made = weir_generate(flow, &click_type, make, sizeof(uint64_t), all);
    weir_inspect_batch(weir_pace(made, &pacing), count, all);
    if (!test_end(flow))
        return;
    while (weir_now(worker) < 9000 * MS)
        weir_step_or_park(worker, 9000 * MS - weir_now(worker));
    if (all->passed != 1000)
        weir_stop(worker, "%llu rows have passed", (unsigned long long)all->passed);
    if (all->made > 200000) /* 1 MB of a queue, and batches at hand */
        weir_stop(worker, "%llu rows were made", (unsigned long long)all->made);
    weir_run(worker);
}

START_TEST(the_source_of_rows_that_wait_is_held_back)
{
    weir_config config = {.workers = 1 + (uint32_t)_i, .deterministic = true, .seed = 3};
    flood all = {0};
    test_run(&config, run_flood, &all);
    ck_assert_uint_eq(all.passed, MANY);
}
END_TEST

/* ---- what is refused -------------------------------------------------------------------- */

static void build_wrong(weir_worker *worker, void *pacing)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "wrong");
    weir_pace(weir_input_new(flow, &click_type, &input), pacing);
    test_end(flow);
}

START_TEST(what_makes_no_sense_is_refused)
{
    weir_pacing pacing = {.time = "at"};
    test_stops(&test_ways[0], build_wrong, &pacing, "pace: its speed is 0; it must be above 0",
               NULL);
    pacing = (weir_pacing){.time = "seconds", .speed = 1};
    test_stops(&test_ways[0], build_wrong, &pacing, "what 1 of `seconds` is, in nanoseconds, has",
               NULL);
    pacing = (weir_pacing){.time = "when", .speed = 1, .unit_ns = 1};
    test_stops(&test_ways[0], build_wrong, &pacing, "pace: its time is to be an i64", NULL);
}
END_TEST

static void pause_in_vain(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_op_pause(op, 0, true);
    weir_forward(op, 0, batch);
}

static const weir_operator stateless = {
    .name = "hasty", .stateless = true, .batch = pause_in_vain};

static void run_hasty(weir_worker *worker, WEIR_UNUSED void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "wrong");
    weir_unary(weir_from_rows(flow, &num_type, &(num){1}, 1), WEIR_LOCAL, &stateless, &num_type,
               NULL);
    if (test_end(flow))
        weir_run(worker);
}

START_TEST(a_stateless_operator_cannot_pause)
{
    test_stops(&test_ways[0], run_hasty, NULL,
               "pauses its input 0, but it is stateless and has no queue", NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("pace");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, rows_pass_when_their_event_times_say, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_worker_whose_first_row_comes_late_is_not_behind_the_others, 0, 3);
    tcase_add_test(cases, a_row_of_the_far_future_passes_in_a_deterministic_run);
    tcase_add_test(cases, times_at_the_ends_of_the_integers_pass);
    tcase_add_loop_test(cases, the_source_of_rows_that_wait_is_held_back, 0, 3);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    tcase_add_test(cases, a_stateless_operator_cannot_pause);
    return test_main("pace", cases);
}
