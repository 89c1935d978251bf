/* Windows whose panes are taken away again (`inverse`): what they keep of keys that are gone is
 * nothing, neither memory nor rounding; and it is less than what suffixes take. That they send the
 * same is shown in test_windows_ways.c and oracle/windows.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/memory.h"
#include "tests/support/streams.h"

#define EVENT(F) F(i64, at) F(weir_text, key) F(f64, value)
#define SUM(F)   F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(f64, sum) F(u64, box)
WEIR_ROW(event, EVENT)
WEIR_ROW(sum, SUM)

/* The sum once more, in memory of its own. */
static void add_to_box(uint64_t *box, double value)
{
    double *boxed = (double *)(uintptr_t)*box;
    if (!boxed)
        boxed = calloc(1, sizeof *boxed);
    *boxed += value;
    *box = (uint64_t)(uintptr_t)boxed;
}

WEIR_FOLD(add_event, event, sum)
{
    acc->sum += in->value * (double)diff;
    if (arg)
        add_to_box(&acc->box, in->value * (double)diff);
}

WEIR_FOLD(add_sum, sum, sum)
{
    acc->sum += in->sum * (double)diff;
    if (in->box)
        add_to_box(&acc->box, *(const double *)(uintptr_t)in->box * (double)diff);
}

WEIR_MAP(without_box, sum, sum)
{
    *out = *in;
    out->box = 0;
}

static void release_box(void *acc, WEIR_UNUSED void *arg)
{
    free((void *)(uintptr_t)((sum *)acc)->box);
}

static weir_windows windows(int64_t panes)
{
    return (weir_windows){.kind = WEIR_HOPPING,
                          .time = "at",
                          .size = 10 * panes,
                          .slide = 10,
                          .combine = &add_sum,
                          .inverse = true};
}

/* ---- memory ----------------------------------------------------------------------------- */

enum { ROUNDS = 400, ROUND_ROWS = 100, PANES = 30, LATE = 60 };

typedef struct many_keys {
    weir_windows how;
    int64_t before, after, most;
} many_keys;

/* Of a pane of a round: its keys are its own. */
static void push_round(weir_input *input, int64_t round, int64_t at)
{
    for (int i = 0; i < ROUND_ROWS; i++) {
        char key[40];
        int length = snprintf(key, sizeof key, "key %d of round %lld", i, (long long)round);
        event_push(weir_input_out(input), (event){at, weir_text_of(key, (uint32_t)length), 1});
    }
}

static void go_on(weir_worker *worker, void *arg)
{
    many_keys *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "keys");
    weir_stream sums =
        weir_window(weir_input_new(flow, &event_type, &input), &self->how, WEIR_BY(event, key),
                    &add_event, self->how.release ? self : NULL, NULL);
    weir_probe *probe = weir_probe_new(sums);
    if (!test_end(flow))
        return;
    for (int64_t round = 0; round < ROUNDS; round++) {
        push_round(input, round, round * 10);
        if (self->how.lateness && round >= LATE)
            push_round(input, round - LATE, round * 10 - LATE);
        weir_input_advance(input, weir_event_epoch(round * 10));
        weir_probe_wait(worker, probe, weir_event_epoch(round * 10) - 1);
        int64_t bytes = test_bytes_in_use();
        self->most = bytes > self->most ? bytes : self->most;
        if (round == ROUNDS / 2)
            self->before = bytes;
    }
    self->after = test_bytes_in_use();
    weir_input_close(&input);
    weir_run(worker);
}

START_TEST(keys_that_are_gone_take_no_memory)
{
    many_keys self = {.how = windows(PANES)};
    self.how.lateness = _i & 1 ? LATE : 0;
    self.how.finish = _i & 2 ? &without_box : NULL;
    self.how.release = _i & 2 ? release_box : NULL;
    test_run(&(weir_config){.workers = 1}, go_on, &self);
    if (self.before < 0)
        return;
    ck_assert_msg(self.after - self.before < 1 << 20, "way %d: %lld bytes, and later %lld", _i,
                  (long long)self.before, (long long)self.after);
}
END_TEST

/* Where each pane has its own keys a suffix has those of all panes behind it. */
START_TEST(it_takes_less_memory_than_suffixes)
{
    many_keys with = {.how = windows(PANES)}, without = with;
    without.how.inverse = false;
    test_run(&(weir_config){.workers = 1}, go_on, &with);
    test_run(&(weir_config){.workers = 1}, go_on, &without);
    if (with.before < 0)
        return;
    ck_assert_msg(with.most < without.most / 2, "%lld bytes, without an inverse %lld",
                  (long long)with.most, (long long)without.most);
}
END_TEST

/* ---- rounding --------------------------------------------------------------------------- */

static void add_up(weir_worker *worker, void *arg)
{
#define OTHER {.length = 1, .prefix = "o"}
    static const event rows[] = {{1, {0}, 0x1p60}, {12, {0}, 1}, {22, OTHER, 1}, {33, OTHER, 1},
                                 {41, {0}, 1},     {42, {0}, 1}, {43, {0}, 1}};
    weir_windows how = windows(2);
    weir_dataflow *flow = weir_dataflow_begin(worker, "sums");
    weir_stream in = weir_from_rows(flow, &event_type, rows, 7);
    in = weir_watermarks(in, &(weir_watermark_policy){.time = "at"});
    test_watch(weir_window(in, &how, WEIR_BY(event, key), &add_event, NULL, NULL), arg);
    if (test_end(flow))
        weir_run(worker);
}

/* In [10, 30) it is 0, since 2^60 + 1 is 2^60; but the sums of later rows are right. */
START_TEST(what_rounding_leaves_goes_with_the_key)
{
    test_list sums;
    test_list_init(&sums, 1);
    test_run(&test_ways[_i], add_up, &sums);
    char *got = test_list_text(&sums);
    static const char *const parts[] = {"\t0\t20\t2\t1.15", " \t10\t30\t1\t0\t0\n",
                                        " o\t20\t40\t2\t2\t0\n", " o\t30\t50\t1\t1\t0\n",
                                        " \t30\t50\t3\t3\t0\n", " \t40\t60\t3\t3\t0\n"};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        ck_assert_msg(strstr(got, parts[i]), "no `%s` in\n%s", parts[i], got);
    free(got);
    test_list_fini(&sums);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("inverse");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, keys_that_are_gone_take_no_memory, 0, 4);
    tcase_add_test(cases, it_takes_less_memory_than_suffixes);
    tcase_add_loop_test(cases, what_rounding_leaves_goes_with_the_key, 0, TEST_WAYS);
    return test_main("windows_inverse", cases);
}
