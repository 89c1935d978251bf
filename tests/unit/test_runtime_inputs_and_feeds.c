/* The entrances of a dataflow: inputs of the worker's program, feeds of other threads; and
 * rows of all sizes on their way through. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define WORD(F) F(weir_text, text)
WEIR_ROW(word, WORD)
#define TALLY(F) F(weir_text, text) F(i64, count)
WEIR_ROW(tally, TALLY)
#define NOTHING(F)
WEIR_ROW(nothing, NOTHING)
#define LARGE(F) F(u64, id) F(u8, bytes, 1048568)
WEIR_ROW(large, LARGE)

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

/* ---- inputs -----------------------------------------------------------------------------------
 */

typedef struct input_test {
    void (*use)(weir_worker *worker, weir_input **input, weir_probe *probe, void *arg);
    void *arg;
    const weir_type *type;
    test_list out;
} input_test;

static void run_input(weir_worker *worker, void *arg)
{
    input_test *t = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "entrance");
    weir_stream rows = weir_input_new(flow, t->type ? t->type : &num_type, &input);
    weir_probe *probe = weir_probe_new(test_watch(rows, &t->out));
    if (test_end(flow) && (weir_worker_index(worker) == 0))
        t->use(worker, &input, probe, t->arg);
}

static void expect_input(const weir_config *way, input_test t, const char *expected)
{
    test_list_init(&t.out, 1);
    test_run(way, run_input, &t);
    char *text = test_list_text(&t.out);
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(&t.out);
}

#define USE(name)                                                                     \
    static void name(WEIR_UNUSED weir_worker *worker, WEIR_UNUSED weir_input **input, \
                     WEIR_UNUSED weir_probe *probe, WEIR_UNUSED void *arg)

USE(close_twice)
{
    num_push(weir_input_out(*input), (num){1});
    weir_input_close(input);
    if (*input)
        weir_stop(worker, "the input is not nulled");
    weir_input_close(input);
}

START_TEST(an_input_is_closed_once)
{
    expect_input(&test_ways[_i], (input_test){.use = close_twice}, "0 +1 1\n");
}
END_TEST

static weir_batch *numbers(uint64_t first, uint32_t count)
{
    weir_batch *batch = weir_batch_new(&num_type, count);
    batch->count = count;
    for (uint32_t i = 0; i < count; i++)
        num_at(batch, i)->value = first + i;
    return batch;
}

USE(send_batches)
{
    num_push(weir_input_out(*input), (num){1});
    weir_input_send(*input, numbers(2, 2));
    weir_input_send(*input, numbers(0, 0));
    weir_batch *batch = numbers(4, 1);
    batch->time = WEIR_EPOCH(99); /* becomes the current one */
    batch->diff = -3;
    weir_input_send(*input, weir_batch_retain(batch));
    weir_input_advance(*input, 5);
    weir_input_send(*input, weir_batch_retain(batch)); /* a batch may be sent again, later */
    weir_input_advance(*input, 6);
    weir_input_send(*input, batch);
    weir_batch *columns = numbers(10, 2);
    weir_batch_add_times(columns);
    weir_batch_add_diffs(columns);
    columns->times[0] = WEIR_EPOCH(8);
    columns->times[1] = WEIR_EPOCH(6);
    columns->diffs[1] = 2;
    weir_input_send(*input, columns);
}

START_TEST(whole_batches_are_sent)
{
    expect_input(&test_ways[_i], (input_test){.use = send_batches},
                 "0 +1 1\n0 +1 2\n0 +1 3\n0 -3 4\n5 -3 4\n6 +2 11\n6 -3 4\n8 +1 10\n");
}
END_TEST

USE(push_times_and_diffs)
{
    weir_out *out = weir_input_out(*input);
    weir_out_time(out, &WEIR_EPOCH(7));
    weir_out_diff(out, 2);
    num_push(out, (num){1});
    weir_input_flush(*input);
    out = weir_input_out(*input); /* anew: the current time, +1 */
    num_push(out, (num){2});
    weir_out_diff(out, -1);
    num_push(weir_input_out(*input), (num){3}); /* the same out: its diff stays */
    weir_input_advance(*input, 3);
    num_push(weir_input_out(*input), (num){4});
    if (weir_input_time(*input)->at[0] != 3)
        weir_stop(worker, "the time is not the one advanced to");
    weir_input_advance(*input, 3);
    weir_input_flush(*input);
    weir_input_flush(*input);
    for (uint64_t i = 0; i < 20000; i++) /* several batches */
        num_push(weir_input_out(*input), (num){5});
}

START_TEST(rows_have_the_time_and_diff_they_are_given)
{
    expect_input(&test_ways[_i], (input_test){.use = push_times_and_diffs},
                 "0 +1 2\n0 -1 3\n3 +1 4\n3 +20000 5\n7 +2 1\n");
}
END_TEST

/* ---- inputs used wrongly
 * -------------------------------------------------------------------------- */

USE(advance_back)
{
    weir_input_advance(*input, 5);
    num_push(weir_input_out(*input), (num){1});
    weir_input_advance(*input, 4);
    num_push(weir_input_out(*input), (num){2});
    weir_input_advance(*input, 6);
}

USE(advance_back_to)
{
    weir_input_advance_to(*input, &WEIR_EPOCH(5));
    weir_input_advance_to(*input, &WEIR_EPOCH(0));
}

USE(send_other_rows)
{
    weir_batch *batch = weir_batch_new(&word_type, 1);
    batch->count = 1;
    word_at(batch, 0)->text = weir_text_c("x");
    weir_input_send(*input, batch);
}

USE(send_early_rows)
{
    weir_input_advance(*input, 5);
    weir_batch *batch = numbers(1, 2);
    weir_batch_add_times(batch);
    batch->times[0] = WEIR_EPOCH(9);
    batch->times[1] = WEIR_EPOCH(4);
    weir_input_send(*input, batch);
}

USE(push_early_row)
{
    weir_input_advance(*input, 5);
    weir_out_time(weir_input_out(*input), &WEIR_EPOCH(4));
    num_push(weir_input_out(*input), (num){1});
}

USE(push_to_old_out)
{
    weir_out *old = weir_input_out(*input);
    num_push(old, (num){1});
    weir_input_advance(*input, 1);
    num_push(old, (num){2});
    num_push(weir_input_out(*input), (num){3});
    weir_input_advance(*input, 2);
}

typedef struct wrong_use {
    void (*use)(weir_worker *, weir_input **, weir_probe *, void *);
    const char *parts[3];
} wrong_use;

static const wrong_use wrong_uses[] = {
    {advance_back, {"operator 0 `input`", "from time 5 to 4", "not later"}},
    {advance_back_to, {"operator 0 `input`", "from time 5 to 0", "not later"}},
    {send_other_rows, {"`input`", "rows `word`", "takes `num`"}},
    {send_early_rows, {"`input`", "a row of time 4", "advanced to 5"}},
    {push_early_row, {"`input`", "time 4", "not at or after 5"}},
    {push_to_old_out, {"`input`", "not opened"}},
};
#define WRONG_USES (int)(sizeof wrong_uses / sizeof *wrong_uses)

START_TEST(inputs_used_wrongly)
{
    const wrong_use *wrong = &wrong_uses[_i / TEST_WAYS];
    input_test t = {.use = wrong->use};
    test_list_init(&t.out, 1);
    test_stops(&test_ways[_i % TEST_WAYS], run_input, &t, "dataflow `entrance`", wrong->parts[0],
               wrong->parts[1], wrong->parts[2], NULL);
    test_list_fini(&t.out);
}
END_TEST

static void advance_across(weir_worker *worker, void *arg)
{
    (void)arg;
    static const char *const names[] = {"system", "valid"};
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "plane");
    weir_dataflow_dims(flow, names, 2);
    weir_input_new(flow, &num_type, &input);
    if (!test_end(flow))
        return;
    weir_input_advance_to(input, &(weir_time){{1, 5}});
    weir_input_advance(input, 2); /* (2, 5) */
    weir_input_advance_to(input, &(weir_time){{3, 4}});
}

START_TEST(an_input_does_not_move_across)
{
    test_stops(&test_ways[_i], advance_across, NULL, "`input`", "from time (2, 5) to (3, 4)", NULL);
}
END_TEST

/* What is wrong in a way that no error could be given for ends the process, with a word. */
static void use_too_soon(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "soon");
    weir_input_new(flow, &num_type, &input);
    weir_input_advance(input, 1);
}

static void push_too_soon(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "soon");
    weir_input_new(flow, &num_type, &input);
    num_push(weir_input_out(input), (num){1});
}

static int run_in_child(void *arg)
{
    weir_worker_fn **run = arg;
    weir_err_free(weir_execute(&(weir_config){.workers = 1}, *run, NULL));
    return 0;
}

START_TEST(an_input_is_not_used_before_its_dataflow_is_ended)
{
    weir_worker_fn *runs[] = {use_too_soon, push_too_soon};
    for (int i = 0; i < 2; i++) {
        test_child child = test_child_run(run_in_child, &runs[i]);
        ck_assert_int_ne(child.code, 0);
        ck_assert_msg(strstr(child.err, "before weir_dataflow_end") != NULL, "%s", child.err);
        test_child_free(&child);
    }
}
END_TEST

/* ---- feeds
 * -------------------------------------------------------------------------------------------- */

#define FEEDS 3

typedef struct feeding {
    weir_feed *feeds[4][FEEDS];
    _Atomic(uint32_t) built, met;
    uint32_t workers;
    uint64_t rows; /* by each feed and epoch */
    _Atomic(uint64_t) sum;
    _Atomic(bool) ended;
} feeding;

static void add_rows(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    feeding *f = arg;
    for (uint32_t i = 0; i < batch->count; i++)
        atomic_fetch_add(&f->sum, num_at(batch, i)->value * (uint64_t)weir_batch_diff(batch, i) *
                                      (1 + weir_batch_time(batch, i)->at[0]));
}

static weir_probe *build_feeds(weir_worker *worker, feeding *f)
{
    weir_stream streams[FEEDS];
    weir_dataflow *flow = weir_dataflow_begin(worker, "fed");
    for (int i = 0; i < FEEDS; i++)
        streams[i] = weir_feed_new(flow, &num_type, &f->feeds[weir_worker_index(worker)][i]);
    weir_stream all = weir_exchange_by(weir_concat_all(streams, FEEDS), &by_value, NULL);
    weir_probe *probe = weir_probe_new(weir_inspect_batch(all, add_rows, f));
    test_end(flow);
    atomic_fetch_add(&f->built, 1);
    return probe;
}

typedef struct feeder {
    feeding *all;
    int which;
    pthread_t thread;
} feeder;

static void wait_until_built(feeding *f)
{
    while (atomic_load(&f->built) < f->workers)
        test_sleep_ms(1);
}

/* Feeds one feed of every worker; feed i closes after epoch i. */
static void *feed_all(void *arg)
{
    feeder *self = arg;
    feeding *f = self->all;
    wait_until_built(f);
    for (uint64_t epoch = 0; epoch <= (uint64_t)self->which; epoch++)
        for (uint32_t w = 0; w < f->workers; w++) {
            weir_feed *feed = f->feeds[w][self->which];
            for (uint64_t i = 1; i <= f->rows; i++) {
                weir_out_diff(weir_feed_out(feed), i % 2 ? 1 : 2);
                num_push(weir_feed_out(feed), (num){i});
                if (i % 1000 == 0 && !weir_feed_flush(feed))
                    ck_abort_msg("a flush says that the dataflow has stopped");
            }
            if (!weir_feed_advance(feed, epoch + 1))
                ck_abort_msg("an advance says that the dataflow has stopped");
        }
    for (uint32_t w = 0; w < f->workers; w++) {
        weir_feed_close(&f->feeds[w][self->which]);
        ck_assert_ptr_null(f->feeds[w][self->which]);
        weir_feed_close(&f->feeds[w][self->which]);
    }
    return NULL;
}

static void run_fed(weir_worker *worker, void *arg)
{
    weir_probe *probe = build_feeds(worker, arg);
    for (uint64_t epoch = 1; epoch <= FEEDS; epoch++)
        weir_probe_wait(worker, probe, epoch);
}

static void start_feeders(feeder *feeders, feeding *f, void *(*run)(void *))
{
    for (int i = 0; i < FEEDS; i++) {
        feeders[i] = (feeder){.all = f, .which = i};
        ck_assert(!pthread_create(&feeders[i].thread, NULL, run, &feeders[i]));
    }
}

static void join_feeders(feeder *feeders)
{
    for (int i = 0; i < FEEDS; i++)
        pthread_join(feeders[i].thread, NULL);
}

START_TEST(feeds_of_other_threads)
{
    feeding f = {.workers = test_workers(_i), .rows = 20000};
    feeder feeders[FEEDS];
    start_feeders(feeders, &f, feed_all);
    test_run(&test_ways[_i], run_fed, &f);
    join_feeders(feeders);
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= f.rows; i++)
        sum += i % 2 ? i : 2 * i;
    /* epochs 0, 1 and 2 are fed by 3, 2 and 1 feeds */
    ck_assert_uint_eq(f.sum, sum * f.workers * (3 * 1 + 2 * 2 + 1 * 3));
}
END_TEST

/* The worker takes nothing for a while: the feed must wait, not fill the memory. */
static void *feed_too_much(void *arg)
{
    feeder *self = arg;
    feeding *f = self->all;
    wait_until_built(f);
    weir_feed *feed = f->feeds[0][self->which];
    for (uint64_t i = 0; i < 200; i++) {
        num_push(weir_feed_out(feed), (num){1});
        weir_feed_flush(feed);
        if (i == 100 && !atomic_load(&f->ended))
            ck_abort_msg("a hundred batches wait, but the feed goes on");
    }
    weir_feed_close(&f->feeds[0][self->which]);
    for (uint32_t w = 1; w < f->workers; w++)
        weir_feed_close(&f->feeds[w][self->which]);
    return NULL;
}

static void run_slowly(weir_worker *worker, void *arg)
{
    feeding *f = arg;
    build_feeds(worker, f);
    if (weir_worker_index(worker) == 0) {
        test_sleep_ms(50);
        atomic_store(&f->ended, true);
    }
}

START_TEST(a_feed_waits_for_a_slow_worker)
{
    feeding f = {.workers = test_workers(_i)};
    feeder feeders[FEEDS];
    start_feeders(feeders, &f, feed_too_much);
    test_run(&test_ways[_i], run_slowly, &f);
    join_feeders(feeders);
    ck_assert_uint_eq(f.sum, 200 * FEEDS);
}
END_TEST

/* Feeds until it is told that the dataflow has stopped. */
static void *feed_on(void *arg)
{
    feeder *self = arg;
    feeding *f = self->all;
    wait_until_built(f);
    uint32_t w = (uint32_t)self->which % f->workers;
    weir_feed *feed = f->feeds[w][self->which];
    bool goes_on = true;
    for (uint64_t epoch = 1; goes_on; epoch++) {
        num_push(weir_feed_out(feed), (num){1});
        goes_on = weir_feed_flush(feed);
        if (epoch % 10 == 0)
            goes_on = weir_feed_advance(feed, epoch) && goes_on;
    }
    if (weir_feed_flush(feed) || weir_feed_advance(feed, UINT64_MAX))
        ck_abort_msg("a feed whose dataflow has stopped goes on again");
    num_push(weir_feed_out(feed), (num){1});
    for (uint32_t i = 0; i < f->workers; i++)
        weir_feed_close(&f->feeds[i][self->which]);
    return NULL;
}

/* The worker's function itself waits for the feeding threads, as programs do. */
static void stop_and_join(weir_worker *worker, void *arg)
{
    void **args = arg;
    feeding *f = args[0];
    build_feeds(worker, f);
    test_meet(worker, &f->met);
    if (weir_worker_index(worker) == 0) {
        test_sleep_ms(20); /* the feeds are blocked by now */
        weir_stop(worker, "enough");
        join_feeders(args[1]);
    }
}

START_TEST(feeds_end_when_the_execution_stops)
{
    feeding f = {.workers = test_workers(_i)};
    feeder feeders[FEEDS];
    void *args[] = {&f, feeders};
    start_feeders(feeders, &f, feed_on);
    test_stops(&test_ways[_i], stop_and_join, args, "enough", NULL);
}
END_TEST

static void drop_fed(weir_worker *worker, void *arg)
{
    feeding *f = arg;
    weir_input *input;
    weir_dataflow *stays = weir_dataflow_begin(worker, "stays");
    weir_input_new(stays, &num_type, &input);
    test_end(stays);
    weir_stream streams[FEEDS];
    weir_dataflow *flow = weir_dataflow_begin(worker, "fed");
    for (int i = 0; i < FEEDS; i++)
        streams[i] = weir_feed_new(flow, &num_type, &f->feeds[weir_worker_index(worker)][i]);
    weir_exchange_by(weir_concat_all(streams, FEEDS), &by_value, NULL);
    test_end(flow);
    atomic_fetch_add(&f->built, 1);
    uint64_t end = weir_now(worker) + 20000000;
    while (weir_now(worker) < end)
        weir_step_or_park(worker, 1000000);
    test_sleep_ms(5);
    weir_dataflow_drop(flow);
    end = weir_now(worker) + 5000000;
    while (weir_now(worker) < end)
        weir_step_or_park(worker, 1000000);
}

START_TEST(feeds_end_when_the_dataflow_is_dropped)
{
    feeding f = {.workers = test_workers(_i)};
    feeder feeders[FEEDS];
    start_feeders(feeders, &f, feed_on);
    test_run(&test_ways[_i], drop_fed, &f);
    join_feeders(feeders);
}
END_TEST

/* Closed and rewarded: batches on their way at the very end, advances backwards. */
static void *feed_back(void *arg)
{
    feeder *self = arg;
    feeding *f = self->all;
    wait_until_built(f);
    weir_feed *feed = f->feeds[0][self->which];
    num_push(weir_feed_out(feed), (num){1});
    if (self->which == 0) {
        weir_feed_advance(feed, 5);
        weir_feed_advance(feed, 3);
    }
    for (uint32_t w = 0; w < f->workers; w++)
        weir_feed_close(&f->feeds[w][self->which]);
    return NULL;
}

START_TEST(a_feed_does_not_move_back)
{
    feeding f = {.workers = test_workers(_i)};
    feeder feeders[FEEDS];
    start_feeders(feeders, &f, feed_back);
    test_stops(&test_ways[_i], run_fed, &f, "from time 5 to 3", NULL);
    join_feeders(feeders);
}
END_TEST

static void fail_fed(weir_worker *worker, void *arg)
{
    feeding *f = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "fed");
    weir_feed_new(flow, &num_type, &f->feeds[weir_worker_index(worker)][0]);
    weir_scope_fail(flow, "no");
    test_end(flow);
    weir_feed *feed = f->feeds[weir_worker_index(worker)][0];
    num_push(weir_feed_out(feed), (num){1});
    if (weir_feed_flush(feed) || weir_feed_advance(feed, 1))
        weir_stop(worker, "a feed without a dataflow goes on");
    weir_feed_close(&feed);
}

START_TEST(a_feed_of_a_dataflow_that_was_not_built)
{
    feeding f = {.workers = test_workers(_i)};
    test_stops(&test_ways[_i], fail_fed, &f, "dataflow `fed`: no", NULL);
}
END_TEST

/* ---- rows of all sizes
 * ------------------------------------------------------------------------------------ */

WEIR_MAP(same_word, word, word)
{
    out->text = in->text;
}

typedef struct texts {
    test_list counts;
} texts;

static const char *const odd_texts[] = {"",
                                        "\0\0",
                                        "\0nul in front",
                                        "nul\0in the middle of it",
                                        "\xff\xfe\xc0\x80",
                                        "\xed\xa0\x80 is no UTF-8 at all \x80",
                                        "tab\tnewline\n",
                                        "exactly 12 b",
                                        "exactly 13 by"};
static const uint32_t odd_lengths[] = {0, 2, 13, 21, 4, 25, 12, 12, 13};
#define ODD_TEXTS 9

static void check_odd(weir_worker *worker, const weir_batch *batch, void *arg)
{
    texts *t = arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        const tally *row = tally_at(batch, i);
        uint32_t at = 0;
        while (at < ODD_TEXTS && (row->text.length != odd_lengths[at] ||
                                  memcmp(weir_text_at(&row->text), odd_texts[at], odd_lengths[at])))
            at++;
        if (at == ODD_TEXTS)
            weir_stop(worker, "a text of %u bytes was not there before", row->text.length);
        test_list_add(&t->counts, &num_type, &(num){at}, weir_batch_time(batch, i), row->count);
    }
}

static void run_texts(weir_worker *worker, void *arg)
{
    texts *t = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "texts");
    weir_stream words = weir_input_new(flow, &word_type, &input);
    words = weir_exchange(weir_map(words, &same_word), WEIR_BY(word, text));
    weir_inspect_batch(weir_count(words, WEIR_BY(word, text), &tally_type), check_odd, t);
    if (!test_end(flow))
        return;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < ODD_TEXTS; i++)
            word_push(weir_input_out(input), (word){weir_text_of(odd_texts[i], odd_lengths[i])});
}

START_TEST(texts_of_any_bytes_are_carried_unharmed)
{
    texts t;
    test_list_init(&t.counts, 1);
    test_run(&test_ways[_i], run_texts, &t);
    char *text = test_list_text(&t.counts), expected[256] = "";
    for (int i = 0; i < ODD_TEXTS; i++)
        sprintf(expected + strlen(expected), "0 +%u %d\n", 3 * test_workers(_i), i);
    ck_assert_str_eq(text, expected);
    free(text);
    test_list_fini(&t.counts);
}
END_TEST

typedef struct sizes {
    _Atomic(uint64_t) nothings, larges, wrong;
} sizes;

static void count_nothings(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    atomic_fetch_add(&((sizes *)arg)->nothings, batch->count);
}

static void count_larges(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    sizes *s = arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        const large *row = large_at(batch, i);
        bool right = row->bytes[0] == (uint8_t)row->id &&
                     row->bytes[sizeof row->bytes - 1] == (uint8_t)(row->id + 1);
        atomic_fetch_add(right ? &s->larges : &s->wrong, 1);
    }
}

WEIR_ROUTE(by_id, large)
{
    return in->id;
}

WEIR_ROUTE(anywhere, nothing)
{
    return 1;
}

WEIR_MAP(same_large, large, large)
{
    *out = *in;
}

static void run_sizes(weir_worker *worker, void *arg)
{
    weir_input *nothings, *larges;
    weir_dataflow *flow = weir_dataflow_begin(worker, "sizes");
    weir_stream none = weir_input_new(flow, &nothing_type, &nothings);
    weir_stream all = weir_input_new(flow, &large_type, &larges);
    none = weir_concat(weir_exchange_by(none, &anywhere, NULL),
                       weir_exchange(none, WEIR_BY_NOTHING(nothing)));
    all = weir_exchange_by(weir_map(all, &same_large), &by_id, NULL);
    weir_inspect_batch(none, count_nothings, arg);
    weir_probe *probe = weir_probe_new(weir_inspect_batch(all, count_larges, arg));
    if (!test_end(flow))
        return;
    for (uint64_t i = 0; i < 100000; i++)
        nothing_push(weir_input_out(nothings), (nothing){});
    for (uint64_t i = 0; i < 6; i++) {
        large *row = weir_out_slot(weir_input_out(larges), sizeof *row);
        memset(row, 0, sizeof *row);
        row->id = i;
        row->bytes[0] = (uint8_t)i;
        row->bytes[sizeof row->bytes - 1] = (uint8_t)(i + 1);
        weir_input_advance(larges, i + 1);
        weir_probe_wait(worker, probe, i + 1);
    }
}

START_TEST(rows_of_no_bytes_and_of_a_megabyte)
{
    sizes s = {0};
    test_run(&test_ways[_i], run_sizes, &s);
    ck_assert_uint_eq(s.nothings, UINT64_C(200000) * test_workers(_i));
    ck_assert_uint_eq(s.larges, 6 * test_workers(_i));
    ck_assert_uint_eq(s.wrong, 0);
}
END_TEST

static void run_delay(weir_worker *worker, void *out)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "delay");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    weir_probe *probe = weir_probe_new(test_watch(weir_delay(rows, 10), out));
    if (!test_end(flow) || weir_worker_index(worker))
        return;
    weir_input_advance(input, UINT64_MAX - 10);
    num_push(weir_input_out(input), (num){1});
    weir_input_advance(input, UINT64_MAX - 3);
    num_push(weir_input_out(input), (num){2});
    weir_input_advance(input, UINT64_MAX);
    num_push(weir_input_out(input), (num){3});
    weir_input_flush(input);
    weir_step(worker);
    if (weir_probe_done(probe))
        weir_stop(worker, "the end of time is over while the input is open");
}

START_TEST(a_delay_ends_at_the_last_epoch)
{
    test_list out;
    test_list_init(&out, 1);
    test_run(&test_ways[_i], run_delay, &out);
    char *text = test_list_text(&out);
    ck_assert_str_eq(text, "18446744073709551615 +1 1\n18446744073709551615 +1 2\n"
                           "18446744073709551615 +1 3\n");
    free(text);
    test_list_fini(&out);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("inputs and feeds");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, an_input_is_closed_once, 0, TEST_WAYS);
    tcase_add_loop_test(cases, whole_batches_are_sent, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_have_the_time_and_diff_they_are_given, 0, TEST_WAYS);
    tcase_add_loop_test(cases, inputs_used_wrongly, 0, WRONG_USES * TEST_WAYS);
    tcase_add_loop_test(cases, an_input_does_not_move_across, 0, TEST_WAYS);
    tcase_add_test(cases, an_input_is_not_used_before_its_dataflow_is_ended);
    tcase_add_loop_test(cases, feeds_of_other_threads, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_feed_waits_for_a_slow_worker, 0, TEST_WAYS);
    tcase_add_loop_test(cases, feeds_end_when_the_execution_stops, 0, TEST_WAYS);
    tcase_add_loop_test(cases, feeds_end_when_the_dataflow_is_dropped, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_feed_does_not_move_back, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_feed_of_a_dataflow_that_was_not_built, 0, TEST_WAYS);
    tcase_add_loop_test(cases, texts_of_any_bytes_are_carried_unharmed, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_of_no_bytes_and_of_a_megabyte, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_delay_ends_at_the_last_epoch, 0, TEST_WAYS);
    return test_main("inputs and feeds", cases);
}
