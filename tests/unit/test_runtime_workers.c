/* Workers: starting, stepping, parking, waking and stopping them. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

/* ---- starting --------------------------------------------------------------------------- */

static void note_index(weir_worker *worker, void *arg)
{
    test_note(arg, "%u/%u", weir_worker_index(worker), weir_worker_count(worker));
}

START_TEST(every_worker_runs_the_function_once)
{
    test_notes notes = TEST_NOTES;
    test_run(&test_ways[_i], note_index, &notes);
    const char *expected[] = {"", "0/1", "0/2 1/2", "0/3 1/3 2/3", "0/4 1/4 2/4 3/4"};
    ck_assert_str_eq(test_notes_sorted(&notes), expected[test_workers(_i)]);
}
END_TEST

START_TEST(no_number_of_workers_is_one_worker)
{
    test_notes notes = TEST_NOTES;
    test_run(&(weir_config){0}, note_index, &notes);
    ck_assert_str_eq(test_notes_sorted(&notes), "0/1");
}
END_TEST

START_TEST(too_many_workers_are_refused)
{
    test_notes notes = TEST_NOTES;
    test_stops(&(weir_config){.workers = WEIR_WORKERS_MAX + 1}, note_index, &notes, "65", "64",
               NULL);
    ck_assert_str_eq(test_notes_text(&notes), "");
}
END_TEST

START_TEST(as_many_workers_as_possible)
{
    test_notes notes = TEST_NOTES;
    test_run(&(weir_config){.workers = WEIR_WORKERS_MAX, .pin = true}, note_index, &notes);
    ck_assert_uint_eq(notes.count, WEIR_WORKERS_MAX);
    test_notes_text(&notes);
}
END_TEST

static void nothing_to_step(weir_worker *worker, void *arg)
{
    (void)arg;
    if (weir_step(worker) || weir_step_or_park(worker, UINT64_MAX))
        weir_stop(worker, "there is something to step");
    weir_run(worker);
    if (weir_stopping(worker))
        weir_stop(worker, "it is being stopped");
}

START_TEST(without_dataflows_there_is_nothing_to_step)
{
    test_run(&test_ways[_i], nothing_to_step, NULL);
}
END_TEST

static void *execute_once(void *arg)
{
    test_run(&(weir_config){.workers = 2}, note_index, arg);
    return NULL;
}

START_TEST(executions_may_run_side_by_side)
{
    test_notes notes[4] = {TEST_NOTES, TEST_NOTES, TEST_NOTES, TEST_NOTES};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert(!pthread_create(&threads[i], NULL, execute_once, &notes[i]));
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_str_eq(test_notes_sorted(&notes[i]), "0/2 1/2");
    }
}
END_TEST

/* ---- running to completion -------------------------------------------------------------- */

static weir_input *build_exchange(weir_worker *worker, test_list *seen, weir_probe **probe_out)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "rows");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    rows = test_watch(weir_exchange_by(rows, &by_value, NULL), seen);
    weir_probe *probe = weir_probe_new(rows);
    if (probe_out)
        *probe_out = probe;
    return test_end(flow) ? input : NULL;
}

/* Every worker pushes 0 to 9 at epochs 0 and 1. */
static void push_and_return(weir_worker *worker, void *seen)
{
    weir_input *input = build_exchange(worker, seen, NULL);
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        weir_input_advance(input, epoch);
        for (uint64_t i = 0; i < 10; i++)
            num_push(weir_input_out(input), (num){i});
    }
}

static void expect_ten_twice(test_list *seen, uint32_t workers)
{
    char expected[1024] = "", *text = test_list_text(seen);
    for (int epoch = 0; epoch < 2; epoch++)
        for (int i = 0; i < 10; i++)
            sprintf(expected + strlen(expected), "%d +%u %d\n", epoch, workers, i);
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(seen);
}

START_TEST(what_is_left_when_the_function_returns_is_run)
{
    test_list seen;
    test_list_init(&seen, 1);
    test_run(&test_ways[_i], push_and_return, &seen);
    expect_ten_twice(&seen, test_workers(_i));
}
END_TEST

typedef struct stepping {
    test_list seen;
    int how;
} stepping;

static void push_and_step(weir_worker *worker, void *arg)
{
    stepping *by = arg;
    push_and_return(worker, &by->seen);
    weir_probe *probe;
    weir_input *second = build_exchange(worker, &by->seen, &probe);
    weir_input_close(&second);
    if (by->how == 0)
        while (!weir_probe_done(probe))
            weir_step(worker);
    else if (by->how == 1)
        while (!weir_probe_done(probe))
            weir_step_or_park(worker, 1000);
    else if (by->how == 2)
        while (!weir_probe_done(probe))
            weir_step_or_park(worker, UINT64_MAX);
    else
        weir_probe_wait(worker, probe, UINT64_MAX);
}

START_TEST(any_way_of_stepping_gets_there)
{
    for (int how = 0; how < 4; how++) {
        stepping by = {.how = how};
        test_list_init(&by.seen, 1);
        test_run(&test_ways[_i], push_and_step, &by);
        expect_ten_twice(&by.seen, test_workers(_i));
    }
}
END_TEST

/* Each epoch is waited for by all workers before the next; parking and spinning by turns. */
static void hundred_epochs(weir_worker *worker, void *seen)
{
    weir_probe *probe;
    weir_input *input = build_exchange(worker, seen, &probe);
    for (uint64_t epoch = 0; epoch < 100; epoch++) {
        num_push(weir_input_out(input), (num){epoch});
        weir_input_advance(input, epoch + 1);
        bool complete = epoch % 2 ? weir_probe_wait(worker, probe, epoch + 1)
                                  : weir_step_while_below(worker, probe, epoch + 1);
        if (!complete || weir_probe_below(probe, epoch + 1))
            weir_stop(worker, "epoch %d is not complete", (int)epoch);
        if (!weir_probe_below(probe, UINT64_MAX) || weir_probe_done(probe))
            weir_stop(worker, "the dataflow is complete too soon");
    }
    weir_input_close(&input);
    weir_run(worker);
    if (!weir_probe_done(probe))
        weir_stop(worker, "weir_run returns before the dataflow is complete");
}

START_TEST(a_hundred_epochs_one_by_one)
{
    test_list seen;
    test_list_init(&seen, 1);
    test_run(&test_ways[_i], hundred_epochs, &seen);
    char *text = test_list_text(&seen), line[64];
    for (int i = 0; i < 100; i++) {
        sprintf(line, "%d +%u %d\n", i, test_workers(_i), i);
        ck_assert_ptr_nonnull(strstr(text, line));
    }
    free(text);
    test_list_fini(&seen);
}
END_TEST

/* Ends are where wake-ups get lost. */
START_TEST(many_short_executions_all_end)
{
    for (int i = 0; i < (test_sanitized() ? 30 : 150); i++) {
        test_list seen;
        test_list_init(&seen, 1);
        test_run(&(weir_config){.workers = 2 + (uint32_t)i % 3}, push_and_return, &seen);
        expect_ten_twice(&seen, 2 + (uint32_t)i % 3);
    }
}
END_TEST

static void *keep_busy(void *over)
{
    while (!atomic_load((_Atomic(bool) *)over)) {
    }
    return NULL;
}

/* With its cores taken away at any moment, a worker looks at the wrong moment more often. */
START_TEST(executions_end_while_the_cores_are_busy)
{
    _Atomic(bool) over = false;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert(!pthread_create(&threads[i], NULL, keep_busy, &over));
    double end = test_seconds() + 1.5;
    while (test_seconds() < end) {
        test_list seen;
        test_list_init(&seen, 1);
        test_run(&(weir_config){.workers = 2}, hundred_epochs, &seen);
        test_list_fini(&seen);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* ---- parking ---------------------------------------------------------------------------- */

typedef struct idling {
    _Atomic(int) ready;
    double cpu_seconds;
} idling;

static void stay_idle(weir_worker *worker, void *arg)
{
    idling *idle = arg;
    test_list seen;
    test_list_init(&seen, 1);
    weir_input *input = build_exchange(worker, &seen, NULL);
    num_push(weir_input_out(input), (num){1});
    double end = test_seconds() + 0.1;
    while (test_seconds() < end)
        weir_step_or_park(worker, 10000000);
    atomic_fetch_add(&idle->ready, 1);
    if (weir_worker_index(worker)) { /* nothing but worker 0's end wakes these */
        weir_input_close(&input);
        weir_run(worker);
    } else {
        while (atomic_load(&idle->ready) < (int)weir_worker_count(worker))
            test_sleep_ms(1);
        double cpu = test_cpu_seconds();
        end = test_seconds() + 1;
        while (test_seconds() < end)
            weir_step_or_park(worker, 1000000000);
        idle->cpu_seconds = test_cpu_seconds() - cpu;
        weir_input_close(&input);
    }
    weir_run(worker);
    test_list_fini(&seen);
}

START_TEST(an_idle_second_takes_less_than_a_hundredth_of_a_core)
{
    idling idle = {0};
    test_run(&test_ways[_i], stay_idle, &idle);
    ck_assert_msg(idle.cpu_seconds < 0.01, "%.4f s", idle.cpu_seconds);
}
END_TEST

typedef struct waking {
    test_list seen;
    _Atomic(int) turn;
} waking;

/* Worker 0 sleeps, then gives the last worker a row to take; that one does nothing but park. */
static void wake_by_a_row(weir_worker *worker, void *arg)
{
    waking *w = arg;
    weir_probe *probe;
    weir_input *input = build_exchange(worker, &w->seen, &probe);
    uint32_t last = weir_worker_count(worker) - 1;
    if (weir_worker_index(worker) == last && last)
        weir_input_close(&input);
    for (uint64_t round = 0; input && round < 20; round++) {
        if (weir_worker_index(worker) == 0) {
            test_sleep_ms(round % 3);
            num_push(weir_input_out(input), (num){last});
        }
        weir_input_advance(input, round + 1);
        weir_probe_wait(worker, probe, round + 1);
    }
    weir_input_close(&input);
    weir_run(worker);
}

START_TEST(a_row_wakes_the_worker_that_it_is_for)
{
    waking w = {0};
    test_list_init(&w.seen, 1);
    test_run(&test_ways[_i], wake_by_a_row, &w);
    ck_assert_uint_eq(w.seen.count, 20);
    test_list_fini(&w.seen);
}
END_TEST

static void park_for_a_while(weir_worker *worker, void *seen)
{
    weir_input *input = build_exchange(worker, seen, NULL);
    while (weir_step(worker) && weir_now(worker) == 0) {
    }
    for (int i = 0; i < 3; i++) {
        uint64_t begin = weir_now(worker), until = begin + 5000000;
        while (weir_now(worker) < until)
            if (!weir_step_or_park(worker, until - weir_now(worker)))
                weir_stop(worker, "the input is open, but nothing is live");
        if (weir_now(worker) > until + 500000000)
            weir_stop(worker, "5 ms became %d ms", (int)((weir_now(worker) - begin) / 1000000));
    }
    weir_input_close(&input);
}

START_TEST(parking_ends_after_the_time_given)
{
    test_list seen;
    test_list_init(&seen, 1);
    test_run(&test_ways[_i], park_for_a_while, &seen);
    test_list_fini(&seen);
}
END_TEST

/* ---- stopping --------------------------------------------------------------------------- */

typedef struct stopping {
    test_list seen;
    test_notes notes;
} stopping;

/* The last worker stops; the others wait for what will never be complete. */
static void stop_the_others(weir_worker *worker, void *arg)
{
    stopping *s = arg;
    weir_probe *probe;
    weir_input *input = build_exchange(worker, &s->seen, &probe);
    uint32_t index = weir_worker_index(worker);
    num_push(weir_input_out(input), (num){index});
    if (index == weir_worker_count(worker) - 1) {
        for (int i = 0; i < 50; i++)
            weir_step_or_park(worker, 10000);
        weir_stop(worker, "enough after %d rounds", 50);
        weir_stop(worker, "a second reason");
    } else if (index == 0) {
        weir_probe_wait(worker, probe, 1);
    } else if (index == 1) {
        weir_run(worker);
    } else {
        while (weir_step_or_park(worker, UINT64_MAX)) {
        }
    }
    bool ended = weir_stopping(worker) && !weir_step(worker) && !weir_step_or_park(worker, 1000) &&
                 !weir_probe_wait(worker, probe, 1) && !weir_step_while_below(worker, probe, 1) &&
                 !weir_probe_le(probe, &WEIR_EPOCH(5)) && !weir_probe_lt(probe, &WEIR_EPOCH(5)) &&
                 !weir_probe_below(probe, 5) && weir_probe_done(probe);
    test_note(&s->notes, "%s", ended ? "ended" : "goes on");
}

START_TEST(one_worker_stops_all_and_the_first_reason_wins)
{
    stopping s = {.notes = TEST_NOTES};
    test_list_init(&s.seen, 1);
    char reason[64];
    sprintf(reason, "worker %u: enough after 50 rounds", test_workers(_i) - 1);
    test_stops(&test_ways[_i], stop_the_others, &s, reason, NULL);
    const char *expected[] = {"", "ended", "ended ended", "ended ended ended",
                              "ended ended ended ended"};
    ck_assert_str_eq(test_notes_text(&s.notes), expected[test_workers(_i)]);
    test_list_fini(&s.seen);
}
END_TEST

static void stop_at_once(weir_worker *worker, void *arg)
{
    (void)arg;
    if (weir_worker_index(worker) == 0)
        weir_stop(worker, "%s", "not today");
    else
        build_exchange(worker, arg, NULL);
}

START_TEST(stopping_before_anything_is_built)
{
    test_list seen;
    test_list_init(&seen, 1);
    test_stops(&test_ways[_i], stop_at_once, &seen, "not today", NULL);
    test_list_fini(&seen);
}
END_TEST

static void stop_in_operator(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < batch->count; i++)
        if (num_at(batch, i)->value == 7)
            weir_stop(worker, "seven");
}

static void push_to_the_stopper(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "stopper");
    weir_stream rows = weir_exchange_by(weir_input_new(flow, &num_type, &input), &by_value, NULL);
    weir_inspect_batch(rows, stop_in_operator, NULL);
    test_end(flow);
    for (uint64_t i = 0; weir_step(worker); i++)
        num_push(weir_input_out(input), (num){i % 8});
}

START_TEST(an_operator_stops_all)
{
    test_stops(&test_ways[_i], push_to_the_stopper, NULL, "worker ", ": seven", NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("workers");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_worker_runs_the_function_once, 0, TEST_WAYS);
    tcase_add_test(cases, no_number_of_workers_is_one_worker);
    tcase_add_test(cases, too_many_workers_are_refused);
    tcase_add_test(cases, as_many_workers_as_possible);
    tcase_add_loop_test(cases, without_dataflows_there_is_nothing_to_step, 0, TEST_WAYS);
    tcase_add_test(cases, executions_may_run_side_by_side);
    tcase_add_loop_test(cases, what_is_left_when_the_function_returns_is_run, 0, TEST_WAYS);
    tcase_add_loop_test(cases, any_way_of_stepping_gets_there, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_hundred_epochs_one_by_one, 0, TEST_WAYS);
    tcase_add_test(cases, many_short_executions_all_end);
    tcase_add_test(cases, executions_end_while_the_cores_are_busy);
    tcase_add_loop_test(cases, an_idle_second_takes_less_than_a_hundredth_of_a_core, 0,
                        TEST_WAYS_THREADS);
    tcase_add_loop_test(cases, a_row_wakes_the_worker_that_it_is_for, 0, TEST_WAYS);
    tcase_add_loop_test(cases, parking_ends_after_the_time_given, 0, TEST_WAYS);
    tcase_add_loop_test(cases, one_worker_stops_all_and_the_first_reason_wins, 0, TEST_WAYS);
    tcase_add_loop_test(cases, stopping_before_anything_is_built, 0, TEST_WAYS);
    tcase_add_loop_test(cases, an_operator_stops_all, 0, TEST_WAYS);
    return test_main("workers", cases);
}
