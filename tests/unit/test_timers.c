/* Timers of operators, and what happens by the clock to operators with a state for each key. In
 * deterministic runs, whose clock is exact but for the microseconds that turns take. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/memory.h"
#include "tests/support/streams.h"

#define MS UINT64_C(1000000)
#define FIRST_DETERMINISTIC TEST_WAYS_THREADS

/* ---- of an operator --------------------------------------------------------------------- */

typedef struct alarm {
    weir_timer timer;
    const char *name;
} alarm_of;

typedef struct clockwork {
    weir_timers timers;
    alarm_of alarms[6];
    weir_capability *held;
    uint64_t begun;
} clockwork;

static void wind_up(weir_op *op)
{
    clockwork *self = weir_op_state(op);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    self->held = weir_op_first_capability(op, 0);
    self->begun = weir_now(weir_op_worker(op));
    weir_timers_init(&self->timers, op);
    for (int i = 0; i < 6; i++) {
        self->alarms[i].name = names[i];
        weir_timers_set(&self->timers, &self->alarms[i].timer,
                        self->begun + (uint64_t)(10 * (6 - i)) * MS);
    }
    weir_timers_cancel(&self->timers, &self->alarms[5].timer);                /* f */
    weir_timers_cancel(&self->timers, &self->alarms[5].timer);                /* is not set */
    weir_timers_set(&self->timers, &self->alarms[0].timer, self->begun + 25 * MS); /* a, sooner */
    weir_timers_set(&self->timers, &self->alarms[4].timer, self->begun + 70 * MS); /* e, later */
}

static void ring(weir_op *op)
{
    clockwork *self = weir_op_state(op);
    for (weir_timer *timer; (timer = weir_timers_due(&self->timers));) {
        const alarm_of *rung = (const alarm_of *)(void *)timer;
        uint64_t after = weir_now(weir_op_worker(op)) - self->begun;
        if (weir_worker_index(weir_op_worker(op)) == 0)
            test_note(weir_op_arg(op), "%s%d", rung->name, (int)(after / MS));
        if (!strcmp(rung->name, "d"))
            weir_timers_cancel(&self->timers, &self->alarms[1].timer); /* b */
    }
    if (self->timers.count)
        return;
    weir_capability_drop(self->held);
    self->held = NULL;
}

static void run_down(weir_op *op)
{
    clockwork *self = weir_op_state(op);
    weir_timers_fini(&self->timers);
}

static const weir_operator alarms = {.name = "alarms",
                                     .source = true,
                                     .state_bytes = sizeof(clockwork),
                                     .start = wind_up,
                                     .run = ring,
                                     .stop = run_down};

static void run_alarms(weir_worker *worker, void *notes)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "alarms");
    weir_builder *builder = weir_operator_begin(flow, &alarms, notes);
    weir_builder_output(builder, &num_type);
    weir_operator_end(builder);
    if (test_end(flow))
        weir_run(worker);
}

START_TEST(timers_are_set_moved_and_taken_back)
{
    test_notes notes = TEST_NOTES;
    test_run(&test_ways[_i], run_alarms, &notes);
    ck_assert_str_eq(test_notes_text(&notes), "a25 d30 c40 e70");
}
END_TEST

/* ---- of keys, by the clock -------------------------------------------------------------- */

#define BEAT(F) F(u32, sensor) F(u64, ms)
#define SENSOR(F) F(u32, sensor) F(u64, seen) F(u64, beats)
#define ALERT(F) F(u32, sensor) F(u64, beats) F(u64, ms)
WEIR_ROW(beat, BEAT)
WEIR_ROW(sensor, SENSOR)
WEIR_ROW(alert, ALERT)

/* Silent for 100 ms: an alert. */
static void on_beat(weir_keyed *at, void *state, const void *row, int64_t diff)
{
    (void)row;
    sensor *has = state;
    uint64_t now = weir_now(weir_op_worker(weir_keyed_op(at)));
    if (has->seen)
        weir_keyed_clock_cancel(at, has->seen + 100 * MS);
    weir_keyed_clock_at(at, now + 100 * MS);
    weir_keyed_clock_at(at, now + 100 * MS);
    has->seen = now;
    has->beats += (uint64_t)diff;
}

static void on_silence(weir_keyed *at, void *state, uint64_t ns)
{
    const sensor *has = state;
    alert_push(weir_keyed_out(at), (alert){has->sensor, has->beats, ns / MS});
    weir_keyed_forget(at);
}

static const weir_keyed_logic silences = {.name = "silences",
                                          .in = &beat_type,
                                          .state = &sensor_type,
                                          .out = &alert_type,
                                          .row = on_beat,
                                          .clock = on_silence};
static const weir_keyed_logic silences_at_once = {.name = "silences",
                                                  .in = &beat_type,
                                                  .state = &sensor_type,
                                                  .out = &alert_type,
                                                  .row = on_beat,
                                                  .clock = on_silence,
                                                  .at_once = true};

typedef struct beating {
    const weir_keyed_logic *logic;
    test_list out;
} beating;

static const beat beats[] = {{1, 1000}, {2, 1000}, {1, 1060}, {1, 1150},
                             {3, 1200}, {1, 1310}, {2, 1350}, {2, 1449}};
#define BEATS (sizeof beats / sizeof *beats)

static void wait_until(weir_worker *worker, uint64_t ns)
{
    for (uint64_t now; (now = weir_now(worker)) < ns;)
        weir_step_or_park(worker, ns - now);
}

static void run_beats(weir_worker *worker, void *arg)
{
    beating *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "beats");
    weir_stream in = weir_input_new(flow, &beat_type, &input);
    test_watch(weir_keyed_by(in, WEIR_BY(beat, sensor), self->logic, NULL), &self->out);
    if (!test_end(flow))
        return;
    for (uint32_t i = 0; i < BEATS; i++) {
        wait_until(worker, beats[i].ms * MS);
        if (weir_worker_index(worker) == i % weir_worker_count(worker))
            beat_push(weir_input_out(input), beats[i]);
        weir_input_advance(input, beats[i].ms);
    }
    weir_input_close(&input);
    weir_run(worker);
}

static void expect_alerts(int way, const weir_keyed_logic *logic, const char *expected)
{
    beating self = {.logic = logic};
    test_list_init(&self.out, 1);
    test_run(&test_ways[way], run_beats, &self);
    char *got = test_list_text(&self.out);
    ck_assert_str_eq(got, expected);
    free(got);
    test_list_fini(&self.out);
}

/* What is sent by the clock is at the watermark; at the end, at the last time. */
START_TEST(keys_are_called_by_the_clock)
{
    expect_alerts(_i, &silences_at_once,
                  "1060 +1 2\t1\t1100\n1200 +1 1\t3\t1250\n1200 +1 3\t1\t1300\n"
                  "1350 +1 1\t1\t1410\n18446744073709551615 +1 2\t2\t1549\n");
}
END_TEST

START_TEST(rows_that_wait_for_their_stamp_are_seen_when_it_is_complete)
{
    beating self = {.logic = &silences};
    test_list_init(&self.out, 1);
    test_run(&test_ways[_i], run_beats, &self);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < self.out.count; i++)
        rows += strtoull(strchr(self.out.updates[i].row, '\t') + 1, NULL, 10);
    ck_assert_uint_eq(rows, BEATS);
    test_list_fini(&self.out);
}
END_TEST

/* ---- many keys that pass through -------------------------------------------------------- */

#define VISIT(F) F(u64, user) F(i64, at)
#define SEEN(F) F(u64, user) F(i64, last) F(u64, visits)
#define PASSED(F) F(u64, user) F(u64, visits)
WEIR_ROW(visit, VISIT)
WEIR_ROW(seen, SEEN)
WEIR_ROW(passed, PASSED)

static void on_visit(weir_keyed *at, void *state, const void *row, WEIR_UNUSED int64_t diff)
{
    seen *has = state;
    const visit *now = row;
    has->last = now->at;
    has->visits++;
    if (weir_keyed_arg(at))
        weir_keyed_event_at(at, weir_keyed_now(at) + 50);
}

static void on_leaving(weir_keyed *at, void *state, WEIR_UNUSED int64_t time)
{
    const seen *has = state;
    passed_push(weir_keyed_out(at), (passed){has->user, has->visits});
    weir_keyed_forget(at);
}

typedef struct crowd {
    weir_keyed_logic logic;
    void *with_timers;
    bool with_far; /* a row of the far future */
    uint64_t users, a_step;
    int64_t most; /* bytes, at the end of a step */
    int64_t before;
} crowd;

/* Step s has users [s a_step, (s + 1) a_step), twice each. Their states last 50 steps. */
static void run_crowd(weir_worker *worker, void *arg)
{
    crowd *self = arg;
    weir_input *input, *far;
    weir_dataflow *flow = weir_dataflow_begin(worker, "crowd");
    weir_stream in = weir_concat(weir_input_new(flow, &visit_type, &input),
                                 weir_input_new(flow, &visit_type, &far));
    weir_probe *probe = weir_probe_new(
        weir_keyed_by(in, WEIR_BY(visit, user), &self->logic, self->with_timers));
    if (!test_end(flow))
        return;
    self->before = test_bytes_in_use();
    weir_input_advance(far, weir_event_epoch(INT64_MAX));
    if (self->with_far)
        visit_push(weir_input_out(far), (visit){UINT64_MAX, INT64_MAX});
    weir_input_close(&far);
    for (uint64_t s = 0; s * self->a_step < self->users; s++) {
        for (uint64_t i = 0; i < 2 * self->a_step; i++)
            visit_push(weir_input_out(input), (visit){s * self->a_step + i / 2, (int64_t)s});
        weir_input_advance(input, weir_event_epoch((int64_t)s + 1));
        if (self->logic.clock_ttl_ns)
            wait_until(worker, (s + 1) * MS);
        /* With timers pending the frontier is theirs: 51 steps behind. */
        weir_step_while_below(worker, probe, weir_event_epoch((int64_t)s - 51));
        int64_t bytes = test_bytes_in_use() - self->before;
        self->most = bytes > self->most ? bytes : self->most;
    }
    weir_input_close(&input);
    weir_run(worker);
}

static void expect_bounded(crowd *self)
{
    weir_config config = {.workers = 1, .deterministic = true, .seed = 1};
    self->logic.name = "crowd";
    self->logic.in = &visit_type;
    self->logic.state = &seen_type;
    self->logic.out = &passed_type;
    self->logic.row = on_visit;
    self->logic.event = on_leaving;
    self->users = test_sanitized() ? 100000 : 1000000;
    self->a_step = self->users / 1000;
    test_run(&config, run_crowd, self);
    /* At most 100 steps' keys, of about 300 bytes each, with room to spare for tables and queues;
     * all together would be ten times as much. */
    if (self->most > 0)
        ck_assert_msg(self->most < (int64_t)self->users / 10 * 400 + (8 << 20),
                      "%lld bytes in use for %llu keys", (long long)self->most,
                      (unsigned long long)self->users);
}

START_TEST(a_million_keys_expire_in_event_time)
{
    expect_bounded(&(crowd){.logic.event_ttl = 50});
}
END_TEST

START_TEST(a_row_of_the_far_future_does_not_keep_all_keys_after_it)
{
    expect_bounded(&(crowd){.logic = {.event_ttl = 50, .at_once = true}, .with_far = true});
}
END_TEST

START_TEST(a_million_keys_expire_by_the_clock)
{
    expect_bounded(&(crowd){.logic = {.clock_ttl_ns = 50 * MS, .at_once = true}});
}
END_TEST

START_TEST(a_million_keys_leave_when_their_timers_say)
{
    int yes;
    expect_bounded(&(crowd){.with_timers = &yes});
}
END_TEST

/* ---- of keys, in event time ------------------------------------------------------------- */

#define WISH(F) F(u64, user) F(i64, at) F(bool, takes_back)
#define TOLD(F) F(u64, user) F(i64, at) F(i64, now)
WEIR_ROW(wish, WISH)
WEIR_ROW(told, TOLD)

static void on_wish(weir_keyed *at, WEIR_UNUSED void *state, const void *row,
                    WEIR_UNUSED int64_t diff)
{
    const wish *of = row;
    if (of->takes_back)
        weir_keyed_event_cancel(at, of->at);
    else
        weir_keyed_event_at(at, of->at);
}

static void on_wished(weir_keyed *at, void *state, int64_t time)
{
    told_push(weir_keyed_out(at), (told){((const seen *)state)->user, time, weir_keyed_now(at)});
}

/* Again and again. */
static void on_every(weir_keyed *at, WEIR_UNUSED void *state, int64_t time)
{
    weir_keyed_event_at(at, time + 60);
}

static const weir_keyed_logic wishes = {.name = "wishes",
                                        .in = &wish_type,
                                        .state = &seen_type,
                                        .out = &told_type,
                                        .row = on_wish,
                                        .event = on_wished};
static const weir_keyed_logic for_ever = {.name = "wishes",
                                          .in = &wish_type,
                                          .state = &seen_type,
                                          .out = &told_type,
                                          .row = on_wish,
                                          .event = on_every};

typedef struct wishing {
    const weir_keyed_logic *logic;
    wish rows[8];
    int64_t stamps[8];
    uint32_t count;
    test_list out;
} wishing;

static void run_wishes(weir_worker *worker, void *arg)
{
    wishing *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "wishes");
    weir_stream in = weir_input_new(flow, &wish_type, &input);
    test_watch(weir_keyed_by(in, WEIR_BY(wish, user), self->logic, NULL), &self->out);
    if (!test_end(flow))
        return;
    for (uint32_t i = 0; i < self->count; i++) {
        weir_input_advance(input, weir_event_epoch(self->stamps[i]));
        if (weir_worker_index(worker) == 0)
            wish_push(weir_input_out(input), self->rows[i]);
    }
    weir_input_close(&input);
    weir_run(worker);
}

START_TEST(a_timer_for_the_past_keeps_its_time_and_can_be_taken_back)
{
    wishing self = {.logic = &wishes,
                    .rows = {{1, 5, false}, {1, 7, false}, {1, 5, true}, {2, 6, false},
                             {2, 100, false}, {2, 6, true}, {1, 100, false}, {1, 110, false}},
                    .stamps = {100, 100, 100, 100, 100, 101, 105, 105},
                    .count = 8};
    test_list_init(&self.out, 1);
    test_run(&test_ways[_i], run_wishes, &self);
    uint32_t found = 0;
    static const char *const says[] = {"1\t7\t100", "2\t6\t100", "2\t100\t100", "1\t100\t105",
                                       "1\t110\t110"};
    for (uint32_t i = 0; i < self.out.count; i++)
        for (uint32_t t = 0; t < 5; t++)
            found += !strcmp(self.out.updates[i].row, says[t]) &&
                     weir_event_time(self.out.updates[i].time.at[0]) ==
                         strtoll(strrchr(says[t], '\t'), NULL, 10);
    ck_assert_uint_eq(found, 5);
    ck_assert_uint_eq(self.out.count, 5);
    test_list_fini(&self.out);
}
END_TEST

START_TEST(a_key_that_always_asks_for_another_timer_is_stopped_when_there_are_no_more_rows)
{
    wishing self = {.logic = &for_ever,
                    .rows = {{1, 5, false}, {2, 70000000, true}},
                    .stamps = {0, 69000000},
                    .count = 2};
    test_list_init(&self.out, 1);
    test_stops(&test_ways[_i], run_wishes, &self,
               "no more rows can come, and `event` has asked for 1048576 more timers of one key",
               NULL);
    test_list_fini(&self.out);
}
END_TEST

/* 120000 timers are due at once while 80000 rows of another partition wait for it. */
static void run_backlog(weir_worker *worker, void *arg)
{
    crowd *self = arg;
    weir_input *fast, *slow;
    weir_dataflow *flow = weir_dataflow_begin(worker, "backlog");
    weir_stream in = weir_concat(weir_input_new(flow, &wish_type, &fast),
                                 weir_input_new(flow, &wish_type, &slow));
    weir_stream out = weir_keyed_by(in, WEIR_BY(wish, user), &self->logic, NULL);
    weir_probe *probe = weir_probe_new(out);
    if (!test_end(flow))
        return;
    for (uint64_t user = 0; user < 120000; user++)
        wish_push(weir_input_out(slow), (wish){user, 10, false});
    weir_input_advance(slow, weir_event_epoch(1));
    for (int64_t i = 0; i < 80000; i++) {
        weir_input_advance(fast, weir_event_epoch(100 + i));
        wish_push(weir_input_out(fast), (wish){0, 0, true});
        if (i % 1000 == 0)
            weir_step(worker);
    }
    weir_input_advance(slow, weir_event_epoch(20));
    weir_step_while_below(worker, probe, weir_event_epoch(20));
    weir_input_close(&fast);
    weir_input_close(&slow);
    weir_run(worker);
}

START_TEST(rows_that_wait_are_not_looked_through_for_every_timer)
{
    weir_config config = {.workers = 1};
    crowd self = {.logic = {.name = "wishes",
                            .in = &wish_type,
                            .state = &seen_type,
                            .out = &told_type,
                            .row = on_wish,
                            .event = on_wished}};
    test_run(&config, run_backlog, &self);
}
END_TEST

/* A key's timers, in no order, of which some are taken back. Each moved all those after it. */
static int64_t timers(void)
{
    return (int64_t)1 << (test_sanitized() ? 16 : 20);
}

static void on_told(weir_keyed *at, void *state, int64_t time)
{
    seen *has = state;
    ck_assert_int_lt(has->last, time);
    has->last = time;
    if (++has->visits == (uint64_t)timers() / 4 * 3)
        told_push(weir_keyed_out(at), (told){has->user, time, weir_keyed_now(at)});
}

static void run_timers(weir_worker *worker, void *arg)
{
    wishing *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "timers");
    weir_stream in = weir_input_new(flow, &wish_type, &input);
    test_watch(weir_keyed_by(in, WEIR_BY(wish, user), self->logic, NULL), &self->out);
    if (!test_end(flow))
        return;
    for (int64_t i = 0; i < 2 * timers(); i++) {
        int64_t at = i * 741457 % timers() + 1;
        if (i < timers() || at % 4 == 0)
            wish_push(weir_input_out(input), (wish){1, at, i >= timers()});
    }
    weir_input_close(&input);
    weir_run(worker);
}

START_TEST(a_key_may_have_a_million_timers)
{
    weir_config config = {.workers = 1};
    weir_keyed_logic logic = wishes;
    logic.event = on_told;
    wishing self = {.logic = &logic};
    test_list_init(&self.out, 1);
    test_run(&config, run_timers, &self);
    ck_assert_uint_eq(self.out.count, 1);
    test_list_fini(&self.out);
}
END_TEST

/* ---- what is refused -------------------------------------------------------------------- */

#define NAMED(F) F(u64, user) F(weir_text, name)
WEIR_ROW(named, NAMED)

static void build_wrong(weir_worker *worker, void *logic)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "wrong");
    weir_stream in = weir_input_new(flow, &visit_type, &input);
    weir_keyed_by(in, WEIR_BY(visit, user), logic, NULL);
    test_end(flow);
}

static void refused(weir_keyed_logic logic, const char *says)
{
    test_stops(&test_ways[0], build_wrong, &logic, says, NULL);
}

START_TEST(what_makes_no_sense_is_refused)
{
    weir_keyed_logic good = {.name = "crowd",
                             .in = &visit_type,
                             .state = &seen_type,
                             .out = &passed_type,
                             .row = on_visit};
    weir_keyed_logic bad = good;
    bad.state = &named_type;
    refused(bad, "keyed `crowd`: field `name` of its state is a text");
    bad = good;
    bad.in = &num_type;
    refused(bad, "keyed `crowd`: takes rows of num(");
    bad = good;
    bad.row = NULL;
    refused(bad, "keyed `crowd`: it has no `row` callback");
    bad = good;
    bad.event_ttl = -1;
    refused(bad, "keyed `crowd`: its event_ttl is negative");
}
END_TEST

static void ask_without_callback(weir_worker *worker, void *arg)
{
    (void)arg;
    static const weir_keyed_logic deaf = {.name = "deaf",
                                          .in = &visit_type,
                                          .state = &seen_type,
                                          .out = &passed_type,
                                          .row = on_visit};
    weir_dataflow *flow = weir_dataflow_begin(worker, "wrong");
    weir_stream in = weir_from_rows(flow, &visit_type, &(visit){1, 2}, 1);
    weir_keyed_by(in, WEIR_BY(visit, user), &deaf, (void *)(uintptr_t)&deaf);
    if (test_end(flow))
        weir_run(worker);
}

START_TEST(a_timer_without_a_callback_stops_the_execution)
{
    test_stops(&test_ways[0], ask_without_callback, NULL,
               "asks for a timer, but has no `event` callback", NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("timers");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, timers_are_set_moved_and_taken_back, FIRST_DETERMINISTIC,
                        TEST_WAYS_ALONE);
    tcase_add_loop_test(cases, keys_are_called_by_the_clock, FIRST_DETERMINISTIC, TEST_WAYS_ALONE);
    tcase_add_loop_test(cases, rows_that_wait_for_their_stamp_are_seen_when_it_is_complete, 0,
                        TEST_WAYS_ALONE);
    tcase_add_test(cases, a_million_keys_expire_in_event_time);
    tcase_add_test(cases, a_row_of_the_far_future_does_not_keep_all_keys_after_it);
    tcase_add_test(cases, a_million_keys_expire_by_the_clock);
    tcase_add_test(cases, a_million_keys_leave_when_their_timers_say);
    tcase_add_loop_test(cases, a_timer_for_the_past_keeps_its_time_and_can_be_taken_back, 0,
                        TEST_WAYS_ALONE);
    tcase_add_loop_test(
        cases, a_key_that_always_asks_for_another_timer_is_stopped_when_there_are_no_more_rows, 0,
        TEST_WAYS_THREADS);
    tcase_add_test(cases, rows_that_wait_are_not_looked_through_for_every_timer);
    tcase_add_test(cases, a_key_may_have_a_million_timers);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    tcase_add_test(cases, a_timer_without_a_callback_stops_the_execution);
    return test_main("timers", cases);
}
