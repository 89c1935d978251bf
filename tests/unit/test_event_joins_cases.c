/* Incremental event-time programs with known answers: Nexmark's queries 5, 7 and 8 over the window
 * that was closed last, as in Feldera's tests, and a filter by time, as in Materialize's. For 1, 2
 * and 4 workers, for clusters, and for any batches. Set CASES_SEED to repeat a run.
 *
 * In the first three, epochs are batches of events, and which window is looked at follows from the
 * greatest event time so far. So time is data, and what there was in a window that is looked at no
 * more is taken back: these are programs of collections. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define SECOND 1000
#define LAG (4 * SECOND)

/* One for all: a bid on auction `id`, an auction of seller `id`, a person. */
#define EVENT(F)  F(u8, kind) F(i64, id) F(i64, at) F(i64, price) F(weir_text, name)
#define LATEST(F) F(i64, at)
#define PANE(F)   F(i64, start)
#define ITEM(F)   F(i64, start) F(i64, id) F(i64, at) F(i64, price) F(weir_text, name)
#define HOT(F)    F(i64, id) F(i64, count)
#define PRICE(F)  F(i64, price) F(i64, at)
#define NEW(F)    F(i64, id) F(weir_text, name) F(i64, start)
#define SPAN(F)   F(i64, from) F(i64, until)
WEIR_ROW(event, EVENT)
WEIR_ROW(latest, LATEST)
WEIR_ROW(pane, PANE)
WEIR_ROW(item, ITEM)
WEIR_ROW(hot, HOT)
WEIR_ROW(price, PRICE)
WEIR_ROW(person, NEW)
WEIR_ROW(span, SPAN)

enum { BID = 1, AUCTION, PERSON };

static uint64_t seed;

static inline int64_t floor_to(int64_t time, int64_t size)
{
    int64_t rest = time % size;
    return time - (rest < 0 ? rest + size : rest);
}

/* ---- what they have in common ----------------------------------------------------------- */

WEIR_FILTER(is_kind, event)
{
    return in->kind == *(const uint8_t *)arg;
}

static weir_stream of_kind(weir_stream events, const uint8_t *kind)
{
    return weir_filter_with(events, &is_kind, (void *)(uintptr_t)kind);
}

static const uint8_t bid_kind = BID, auction_kind = AUCTION, person_kind = PERSON;

/* The greatest event time so far, a collection of one row. */
static weir_stream latest_of(weir_stream events)
{
    return weir_group_max(events, WEIR_BY_NOTHING(event), WEIR_BY(event, at), &latest_type);
}

/* The last window that has closed, in panes of a slide each. */
typedef struct hop {
    int64_t size, slide;
} hop;

WEIR_FLAT_MAP(panes_of, latest, pane)
{
    const hop *how = arg;
    int64_t end = floor_to(in->at - LAG, how->slide);
    for (int64_t start = end - how->size; start < end; start += how->slide)
        pane_push(out, (pane){start});
}

WEIR_MAP(to_item, event, item)
{
    int64_t start = floor_to(in->at, ((const hop *)arg)->slide);
    *out = (item){start, in->id, in->at, in->price, in->name};
}

WEIR_JOIN(only_item, item, pane, item)
{
    *out = *a;
}

/* The events in the window that closed last, of all for which `latest` is the greatest time. */
static weir_stream in_window(weir_stream events, weir_stream latest_time, const hop *how)
{
    weir_stream items = weir_map_with(events, &to_item, (void *)(uintptr_t)how);
    weir_stream panes = weir_flat_map_with(latest_time, &panes_of, (void *)(uintptr_t)how);
    return weir_join(items, WEIR_BY(item, start), panes, WEIR_BY(pane, start), &only_item);
}

static const hop ten_by_two = {10 * SECOND, 2 * SECOND}, tens = {10 * SECOND, 10 * SECOND};

/* ---- query 5: the auctions with the most bids ------------------------------------------- */

static weir_stream build_q5(weir_stream events)
{
    weir_stream bids = of_kind(events, &bid_kind);
    weir_stream items = in_window(bids, latest_of(bids), &ten_by_two);
    weir_stream counts = weir_group_count(items, WEIR_BY(item, id), &hot_type);
    return weir_group_top(counts, WEIR_BY_NOTHING(hot), WEIR_DESCENDING(hot, count),
                          (weir_top){.limit = 1, .ties = WEIR_TIES_RANK});
}

/* ---- query 7: the highest bids ---------------------------------------------------------- */

WEIR_MAP(to_price, item, price)
{
    *out = (price){in->price, in->at};
}

static weir_stream build_q7(weir_stream events)
{
    weir_stream bids = of_kind(events, &bid_kind);
    weir_stream items = in_window(bids, latest_of(bids), &tens);
    weir_stream highest =
        weir_group_top(items, WEIR_BY_NOTHING(item), WEIR_DESCENDING(item, price),
                       (weir_top){.limit = 1, .ties = WEIR_TIES_RANK});
    return weir_map(highest, &to_price);
}

/* ---- query 8: new people who opened an auction ------------------------------------------ */

WEIR_MAP(to_person, item, person)
{
    *out = (person){in->id, in->name, in->start};
}

static weir_stream build_q8(weir_stream events)
{
    weir_stream now = latest_of(events);
    weir_stream people = weir_map(in_window(of_kind(events, &person_kind), now, &tens), &to_person);
    weir_stream auctions = in_window(of_kind(events, &auction_kind), now, &tens);
    return weir_distinct(
        weir_semijoin(people, WEIR_BY(person, id, start), auctions, WEIR_BY(item, id, start)));
}

/* ---- the cases -------------------------------------------------------------------------- */

typedef struct given {
    uint64_t epoch;
    uint8_t kind;
    int64_t id, at, price;
    const char *name;
} given;

typedef struct program {
    const char *id;
    weir_stream (*build)(weir_stream events);
    const given *rows;
    uint32_t count;
    const char *expected; /* epoch, diff, row */
} program;

#define ROWS(...)                                                                              \
    .rows = (const given[]){__VA_ARGS__},                                                      \
    .count = sizeof((const given[]){__VA_ARGS__}) / sizeof(given)

static const program programs[] = {
    {.id = "q5: the latest bid determines the window",
     .build = build_q5,
     ROWS({0, BID, 1, 2001, 0, ""}, {0, BID, 1, 4000, 0, ""}, {0, BID, 1, 11000, 0, ""},
          {0, BID, 2, 20000, 0, ""}),
     .expected = "0 +1 1\t1\n"},
    {.id = "q5: auctions of one hotness",
     .build = build_q5,
     ROWS({0, BID, 1, 2000, 0, ""}, {0, BID, 1, 3999, 0, ""}, {0, BID, 1, 8000, 0, ""},
          {0, BID, 2, 2000, 0, ""}, {0, BID, 2, 3999, 0, ""}),
     .expected = "0 +1 1\t2\n0 +1 2\t2\n"},
    {.id = "q5: hotness that passes on",
     .build = build_q5,
     ROWS({0, BID, 1, 2000, 0, ""}, {0, BID, 2, 5000, 0, ""}, {0, BID, 3, 10000, 0, ""},
          {1, BID, 2, 5500, 0, ""}, {2, BID, 9, 20000, 0, ""}),
     .expected = "0 +1 1\t1\n0 +1 2\t1\n1 -1 1\t1\n1 -1 2\t1\n1 +1 2\t2\n"
                 "2 -1 2\t2\n2 +1 3\t1\n"},
    {.id = "q7: the latest bid determines the window",
     .build = build_q7,
     ROWS({0, BID, 1, 9000, 1000000, ""}, {0, BID, 1, 11000, 50, ""}, {0, BID, 1, 14000, 90, ""},
          {0, BID, 1, 16000, 70, ""}, {0, BID, 1, 21000, 1000000, ""},
          {0, BID, 1, 32000, 1000000, ""}),
     .expected = "0 +1 90\t14000\n"},
    {.id = "q7: a bid at the start of the window",
     .build = build_q7,
     ROWS({0, BID, 1, 10000, 50, ""}, {0, BID, 1, 32000, 1000000, ""}),
     .expected = "0 +1 50\t10000\n"},
    {.id = "q7: a bid at the end of the window",
     .build = build_q7,
     ROWS({0, BID, 1, 20000, 50, ""}, {0, BID, 1, 32000, 1000000, ""}),
     .expected = ""},
    {.id = "q7: what is left behind is taken back",
     .build = build_q7,
     ROWS({0, BID, 1, 9000, 1000000, ""}, {0, BID, 1, 11000, 50, ""}, {0, BID, 1, 14000, 90, ""},
          {0, BID, 1, 16000, 70, ""}, {0, BID, 1, 21000, 1000000, ""}, {1, BID, 1, 32000, 10, ""},
          {2, BID, 1, 42000, 10, ""}),
     .expected = "0 +1 1000000\t9000\n1 -1 1000000\t9000\n1 +1 90\t14000\n"
                 "2 +1 1000000\t21000\n2 -1 90\t14000\n"},
    {.id = "q8: new people, in batches",
     .build = build_q8,
     ROWS({0, PERSON, 1, 10000, 0, "James Potter"}, {0, PERSON, 2, 12000, 0, "Lily Potter"},
          {0, AUCTION, 1, 14000, 0, ""}, {0, AUCTION, 2, 15000, 0, ""},
          {1, PERSON, 3, 22000, 0, "Harry Potter"}, {1, AUCTION, 3, 25000, 0, ""},
          {1, AUCTION, 99, 32000, 0, ""}, {2, AUCTION, 101, 42000, 0, ""}),
     .expected = "1 +1 1\tJames Potter\t10000\n1 +1 2\tLily Potter\t10000\n"
                 "2 -1 1\tJames Potter\t10000\n2 -1 2\tLily Potter\t10000\n"
                 "2 +1 3\tHarry Potter\t20000\n"},
};

/* ---- running them ----------------------------------------------------------------------- */

typedef struct run {
    const program *of;
    test_list results;
} run;

/* Each row comes from any one worker. */
static void feed(weir_worker *worker, weir_input *input, const program *of)
{
    uint32_t me = weir_worker_index(worker), workers = weir_worker_count(worker);
    for (uint32_t i = 0; i < of->count; i++) {
        weir_input_advance(input, of->rows[i].epoch);
        if ((i * 7 + seed) % workers != me)
            continue;
        const given *row = &of->rows[i];
        event_push(weir_input_out(input), (event){row->kind, row->id, row->at, row->price,
                                                  weir_text_c(row->name)});
        if (weir_random(worker) % 3 == 0)
            weir_input_flush(input);
        if (weir_random(worker) % 3 == 0)
            weir_step(worker);
    }
}

static void work(weir_worker *worker, void *arg)
{
    run *self = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "case");
    test_watch(self->of->build(weir_input_new(flow, &event_type, &input)), &self->results);
    if (!test_end(flow))
        return;
    feed(worker, input, self->of);
    weir_input_close(&input);
    weir_run(worker);
}

static weir_config config_of(int way)
{
    weir_config config = test_ways[way];
    config.seed += seed;
    config.batch_rows = 1 + (uint32_t)(seed % 5);
    return config;
}

START_TEST(every_program_has_its_results)
{
    weir_config config = config_of(_i);
    for (size_t p = 0; p < sizeof programs / sizeof *programs; p++) {
        run self = {.of = &programs[p]};
        test_list_init(&self.results, 1);
        test_run(&config, work, &self);
        char *has = test_list_text(&self.results);
        ck_assert_msg(strcmp(has, self.of->expected) == 0, "%s: expected\n%sbut got\n%s",
                      self.of->id, self.of->expected, has);
        free(has);
        test_list_fini(&self.results);
    }
}
END_TEST

/* ---- a filter by time ------------------------------------------------------------------- */

/* now() BETWEEN a AND b: until b + 1, which is for ever if there is no such time. */
static const span spans[] = {{1, 11}, {1, 3}, {2, 14}, {3, 2}, {-3, 11}, {5, INT64_MAX}};

static void filter_work(weir_worker *worker, void *arg)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "filter");
    weir_stream in = weir_input_new(flow, &span_type, &input);
    test_watch(weir_while(in, "from", "until"), arg);
    if (!test_end(flow))
        return;
    for (size_t i = 0; weir_worker_index(worker) == 0 && i < sizeof spans / sizeof *spans; i++)
        span_push(weir_input_out(input), spans[i]);
    weir_input_close(&input);
    weir_run(worker);
}

static bool is_there(const test_list *changes, const span *row, int64_t at)
{
    char *text = weir_row_text(&span_type, row, NULL);
    int64_t count = 0;
    for (uint32_t i = 0; i < changes->count; i++)
        if (strcmp(changes->updates[i].row, text) == 0 &&
            weir_event_time(changes->updates[i].time.at[0]) <= at)
            count += changes->updates[i].diff;
    free(text);
    ck_assert_int_eq(count & ~(int64_t)1, 0);
    return count == 1;
}

START_TEST(rows_are_there_while_they_are_valid)
{
    static const struct {
        int64_t at;
        const char *there; /* which of the spans */
    } expected[] = {{2, "111010"}, {3, "101010"}, {11, "001001"}, {14, "000001"},
                    {INT64_MAX, "000001"}};
    weir_config config = config_of(_i);
    test_list changes;
    test_list_init(&changes, 1);
    test_run(&config, filter_work, &changes);
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++)
        for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
            ck_assert_msg(is_there(&changes, &spans[i], expected[e].at) ==
                              (expected[e].there[i] == '1'),
                          "span %zu at %lld", i, (long long)expected[e].at);
    test_list_fini(&changes);
}
END_TEST

int main(void)
{
    const char *given_seed = getenv("CASES_SEED");
    seed = given_seed ? strtoull(given_seed, NULL, 10) : (uint64_t)getpid();
    printf("CASES_SEED=%llu\n", (unsigned long long)seed);
    TCase *cases = tcase_create("event joins");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_program_has_its_results, 0, TEST_WAYS);
    tcase_add_loop_test(cases, rows_are_there_while_they_are_valid, 0, TEST_WAYS);
    return test_main("event_joins_cases", cases);
}
