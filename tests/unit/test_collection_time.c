/* Collections and time: negation, variables that are replaced, bounded loops, entering at a
 * round, views over a dimension, and totals at times with two dimensions.
 *
 *     unit_test_collection_time [SEED] */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define WORD(F) F(weir_text, text)
#define SPAN(F) F(u64, id) F(u64, from) F(u64, until)
#define PAIR(F) F(u8, key) F(i64, value) F(f64, real)
#define COUNTED(F) F(u8, key) F(i64, count)
#define SUMMED(F) F(u8, key) F(i64, value) F(f64, real)
#define MEANT(F) F(u8, key) F(f64, value) F(f64, real)
WEIR_ROW(word, WORD)
WEIR_ROW(span, SPAN)
WEIR_ROW(pair, PAIR)
WEIR_ROW(counted, COUNTED)
WEIR_ROW(summed, SUMMED)
WEIR_ROW(meant, MEANT)

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* ---- running ---------------------------------------------------------------------------- */

typedef struct update {
    uint64_t at[2];
    int64_t diff;
} update;

/* Updates of rows of one type, at times of one or two dimensions, in any order. */
typedef struct flow_test {
    const weir_type *type;
    const void *rows;
    const update *updates;
    uint32_t count;
    uint32_t dims;
    bool stops;           /* before it is complete */
    uint32_t flush_every; /* rows; 0: 5 */
    void (*build)(weir_dataflow *flow, weir_stream in, struct flow_test *test);
    test_list out[4];
} flow_test;

static void run_flow(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"system", "valid"};
    flow_test *test = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "time");
    weir_dataflow_dims(flow, names, test->dims);
    weir_stream in = weir_input_new(flow, test->type, &input);
    test->build(flow, in, test);
    if (!weir_dataflow_end_or_stop(flow))
        return;
    uint32_t workers = weir_worker_count(worker);
    for (uint32_t i = weir_worker_index(worker); i < test->count; i += workers) {
        weir_out *out = weir_input_out(input);
        weir_time time = {{test->updates[i].at[0], test->dims > 1 ? test->updates[i].at[1] : 0}};
        weir_out_time(out, &time);
        weir_out_diff(out, test->updates[i].diff);
        weir_out_row(out, (const char *)test->rows + (size_t)i * test->type->size);
        if (i % (test->flush_every ? test->flush_every : 5) == 0) {
            weir_input_flush(input);
            weir_step(worker);
        }
    }
    if (test->stops) {
        weir_input_flush(input);
        weir_step(worker);
        weir_stop(worker, "that is enough");
        return;
    }
    weir_input_close(&input);
    weir_run(worker);
    if (!weir_stopping(worker) && !weir_dataflow_done(flow))
        weir_stop(worker, "the dataflow is not complete");
}

/* Each of test->out must be as expected, on 1, 2 and 4 workers. */
static void expect(flow_test *test, const char *const *expected, uint32_t lists)
{
    for (int way = 0; way < TEST_WAYS_FEW; way++) {
        for (uint32_t i = 0; i < 4; i++)
            test_list_init(&test->out[i], (int)test->dims);
        test_run(&test_ways_few[way], run_flow, test);
        for (uint32_t i = 0; i < 4; i++) {
            char *text = test_list_text(&test->out[i]);
            if (i < lists)
                ck_assert_str_eq(text, expected[i]);
            free(text);
            test_list_fini(&test->out[i]);
        }
    }
}

static void expect_one(const weir_type *type, const void *rows, const update *updates,
                       uint32_t count, uint32_t dims,
                       void (*build)(weir_dataflow *, weir_stream, flow_test *),
                       const char *expected)
{
    flow_test test = {.type = type,
                      .rows = rows,
                      .updates = updates,
                      .count = count,
                      .dims = dims,
                      .build = build};
    expect(&test, &expected, 1);
}

/* ---- negate, variables, rounds ---------------------------------------------------------- */

static void build_negate(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)flow;
    test_watch(weir_negate(in), &test->out[0]);
}

START_TEST(negating_keeps_rows_and_times)
{
    static const num rows[] = {{1}, {2}, {3}, {1}};
    static const update updates[] = {{{0}, 1}, {{0}, 1}, {{1}, -3}, {{2}, INT64_MIN}};
    expect_one(&num_type, rows, updates, 4, 1, build_negate,
               "0 -1 1\n0 -1 2\n1 +3 3\n2 -9223372036854775808 1\n");
    expect_one(&num_type, rows, updates, 2, 1, build_negate, "0 -1 1\n0 -1 2\n");
}
END_TEST

WEIR_FILTER_MAP(count_down, num, num)
{
    out->value = in->value - 1;
    return in->value > 0;
}

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

static void build_replace(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    weir_loop *loop = weir_loop_begin(flow, "down");
    weir_stream now = weir_variable(loop, weir_enter(loop, in));
    weir_stream next = weir_filter_map(weir_exchange_by(now, &by_value, NULL), &count_down);
    weir_variable_replace(now, next);
    weir_leave(loop, test_watch(now, &test->out[0]));
}

START_TEST(a_replaced_variable_is_what_next_was)
{
    static const num rows[] = {{2}, {1}};
    static const update updates[] = {{{0}, 1}, {{3}, 2}};
    expect_one(&num_type, rows, updates, 2, 1, build_replace,
               "(0, 0) +1 2\n(0, 1) +1 1\n(0, 1) -1 2\n(0, 2) +1 0\n(0, 2) -1 1\n(0, 3) -1 0\n"
               "(3, 0) +2 1\n(3, 1) +2 0\n(3, 1) -2 1\n(3, 2) -2 0\n");
}
END_TEST

/* Two variables that swap their contents each round, for five rounds. */
static void build_swap(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    weir_loop *loop = weir_loop_begin(flow, "swap");
    weir_loop_rounds(loop, 4);
    weir_stream all = weir_enter(loop, in);
    weir_stream a = weir_variable(loop, all);
    weir_stream b = weir_variable(loop, weir_filter_map(all, &count_down));
    weir_variable_replace(a, b);
    weir_variable_replace(b, a);
    test_watch(a, &test->out[0]);
}

START_TEST(variables_swap_until_the_rounds_are_over)
{
    static const num rows[] = {{7}};
    static const update updates[] = {{{1}, 1}};
    expect_one(&num_type, rows, updates, 1, 1, build_swap,
               "(1, 0) +1 7\n(1, 1) +1 6\n(1, 1) -1 7\n(1, 2) -1 6\n(1, 2) +1 7\n"
               "(1, 3) +1 6\n(1, 3) -1 7\n");
}
END_TEST

static uint64_t rounds;

static void build_rounds(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    weir_loop *loop = weir_loop_begin(flow, "endless");
    weir_loop_rounds(loop, rounds);
    weir_stream now = weir_variable(loop, weir_enter_at(loop, in, &by_value, NULL));
    weir_variable_set(now, weir_exchange_by(now, &by_value, NULL));
    weir_leave(loop, test_watch(now, &test->out[0]));
}

START_TEST(rows_enter_at_their_round_and_stop_after_the_last)
{
    static const num rows[] = {{3}, {0}, {2}, {5}, {0}};
    static const update updates[] = {{{0}, 1}, {{0}, 2}, {{0}, 1}, {{0}, 1}, {{1}, 1}};
    rounds = 4;
    expect_one(&num_type, rows, updates, 5, 1, build_rounds,
               "(0, 0) +2 0\n(0, 1) +2 0\n(0, 2) +2 0\n(0, 2) +1 2\n(0, 3) +2 0\n(0, 3) +1 2\n"
               "(0, 3) +1 3\n(0, 5) +1 5\n(1, 0) +1 0\n(1, 1) +1 0\n(1, 2) +1 0\n(1, 3) +1 0\n");
    rounds = 1;
    expect_one(&num_type, rows + 4, updates + 4, 1, 1, build_rounds, "(1, 0) +1 0\n");
    rounds = 0;
    expect_one(&num_type, rows + 4, updates + 4, 1, 1, build_rounds, "(1, 0) +1 0\n");
}
END_TEST

WEIR_MAP(plus_one, num, num)
{
    out->value = in->value + 1;
}

static void build_steps(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    weir_loop *loop = weir_loop_begin(flow, "steps");
    weir_loop_rounds(loop, rounds);
    weir_stream roots = weir_enter(loop, in);
    weir_stream reached = weir_variable(loop, roots);
    weir_stream next = weir_distinct(weir_concat(weir_map(reached, &plus_one), roots));
    weir_variable_replace(reached, next);
    test_watch(weir_consolidate(weir_leave(loop, next)), &test->out[0]);
    test_watch(weir_consolidate(next), &test->out[1]);
}

/* What is within three steps of the roots, though the loop would go on for ever. */
START_TEST(an_endless_loop_ends_after_its_rounds)
{
    static const num rows[] = {{10}, {20}, {12}, {10}, {12}};
    static const update updates[] = {{{0}, 1}, {{1}, 1}, {{1}, 2}, {{2}, -1}, {{3}, -2}};
    rounds = 3;
    expect_one(&num_type, rows, updates, 5, 1, build_steps,
               "0 +1 10\n0 +1 11\n0 +1 12\n0 +1 13\n1 +1 14\n1 +1 15\n1 +1 20\n1 +1 21\n"
               "1 +1 22\n1 +1 23\n2 -1 10\n2 -1 11\n3 -1 12\n3 -1 13\n3 -1 14\n3 -1 15\n");
}
END_TEST

static void watch_order(weir_worker *worker, const weir_batch *batch, void *arg)
{
    _Atomic(uint32_t) *batches = arg;
    atomic_fetch_add(batches, 1);
    for (uint32_t i = 1; batch->times && i < batch->count; i++)
        if (weir_time_compare(&batch->times[i - 1], &batch->times[i]) > 0)
            weir_stop(worker, "rows do not enter in the order of their rounds");
}

static _Atomic(uint32_t) entered;

static void build_enter_many(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)test;
    weir_loop *loop = weir_loop_begin(flow, "rounds");
    weir_inspect_batch(weir_enter_at(loop, in, &by_value, NULL), watch_order, &entered);
}

START_TEST(rows_enter_in_few_batches_in_order)
{
    enum { ROWS = 3000 };
    num *rows = calloc(ROWS, sizeof *rows);
    update *updates = calloc(ROWS, sizeof *updates);
    for (int i = 0; i < ROWS; i++) {
        rows[i].value = draw(3) ? draw(900) : draw(2) ? draw(1000) << 40 : UINT64_MAX;
        updates[i].diff = 1;
    }
    flow_test test = {.type = &num_type,
                      .rows = rows,
                      .updates = updates,
                      .count = ROWS,
                      .dims = 1,
                      .flush_every = 1000,
                      .build = build_enter_many};
    atomic_store(&entered, 0);
    test_run(&test_ways_few[0], run_flow, &test);
    ck_assert_uint_le(atomic_load(&entered), 4);
    free(rows);
    free(updates);
}
END_TEST

/* ---- views ------------------------------------------------------------------------------ */

static uint64_t view_at;

static void build_as_of(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)flow;
    test_watch(weir_as_of(in, "valid", view_at), &test->out[0]);
}

START_TEST(a_view_has_what_is_at_or_before_it)
{
    static const num rows[] = {{1}, {2}, {3}, {1}, {4}};
    static const update updates[] = {
        {{0, 0}, 1}, {{0, 5}, 1}, {{0, 6}, 1}, {{1, 5}, -1}, {{2, 3}, 2}};
    view_at = 5;
    expect_one(&num_type, rows, updates, 5, 2, build_as_of,
               "(0, 0) +1 1\n(0, 0) +1 2\n(1, 0) -1 1\n(2, 0) +2 4\n");
    view_at = 0;
    expect_one(&num_type, rows, updates, 5, 2, build_as_of, "(0, 0) +1 1\n");
    view_at = UINT64_MAX;
    expect_one(&num_type, rows, updates, 5, 2, build_as_of,
               "(0, 0) +1 1\n(0, 0) +1 2\n(0, 0) +1 3\n(1, 0) -1 1\n(2, 0) +2 4\n");
}
END_TEST

/* The frontier of a view of the first dimension, at 5, as the input moves. */
static void run_view_frontier(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"valid", "system"};
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "views");
    weir_dataflow_dims(flow, names, 2);
    weir_stream in = weir_input_new(flow, &num_type, &input);
    weir_probe *probe = weir_probe_new(weir_as_of(in, "valid", 5));
    if (!test_end(flow) || !test_frontier(worker, probe, 2, "(0, 0)"))
        return;
    weir_input_advance_to(input, &(weir_time){{3, 2}});
    if (!test_frontier(worker, probe, 2, "(0, 2)"))
        return;
    weir_input_advance_to(input, &(weir_time){{5, 7}});
    num_push(weir_input_out(input), (num){1});
    if (!test_frontier(worker, probe, 2, "(0, 7)"))
        return;
    weir_input_advance_to(input, &(weir_time){{6, 7}});
    if (!test_frontier(worker, probe, 2, ""))
        return;
    weir_input_close(&input);
}

START_TEST(a_view_is_complete_when_its_coordinate_is)
{
    test_run(&test_ways_few[_i], run_view_frontier, NULL);
}
END_TEST

WEIR_ROUTE(span_from, span)
{
    return in->from;
}

WEIR_ROUTE(span_until, span)
{
    return in->until;
}

static void build_valid(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)flow;
    test_watch(weir_valid(in, "valid", &span_from, &span_until, NULL), &test->out[0]);
}

START_TEST(rows_are_there_while_they_are_valid)
{
    static const span rows[] = {
        {1, 2, 4}, {2, 0, UINT64_MAX},          {3, 4, 4},          {4, 5, 2}, {5, 1, 3}, {6, 1, 3},
        {7, 0, 8}, {8, UINT64_MAX, UINT64_MAX}, {9, 3, UINT64_MAX}, {1, 2, 4}};
    static const update updates[] = {{{0, 0}, 1}, {{0, 1}, 1}, {{0, 0}, 1}, {{0, 0}, 1},
                                     {{0, 2}, 2}, {{0, 3}, 1}, {{1, 4}, 1}, {{1, 0}, 1},
                                     {{1, 0}, 1}, {{2, 3}, -1}};
    expect_one(&span_type, rows, updates, 10, 2, build_valid,
               "(0, 1) +1 2\t0\t18446744073709551615\n(0, 2) +1 1\t2\t4\n(0, 2) +2 5\t1\t3\n"
               "(0, 3) -2 5\t1\t3\n(0, 4) -1 1\t2\t4\n(1, 3) +1 9\t3\t18446744073709551615\n"
               "(1, 4) +1 7\t0\t8\n(1, 8) -1 7\t0\t8\n(2, 3) -1 1\t2\t4\n(2, 4) +1 1\t2\t4\n");
}
END_TEST

/* ---- totals at partially ordered times -------------------------------------------------- */

enum { GRID = 4, GRID_KEYS = 3, GRID_ROWS_MAX = 40 };

static pair grid_rows[GRID_ROWS_MAX];
static update grid_updates[GRID_ROWS_MAX];

typedef struct cell {
    int64_t count, value;
    double real;
    int64_t there; /* different rows with a positive count */
} cell;

static cell cell_at(uint32_t count, uint8_t key, uint64_t a, uint64_t b)
{
    cell has = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (grid_rows[i].key != key || grid_updates[i].at[0] > a || grid_updates[i].at[1] > b)
            continue;
        has.count += grid_updates[i].diff;
        has.value += grid_rows[i].value * grid_updates[i].diff;
        has.real += grid_rows[i].real * (double)grid_updates[i].diff;
    }
    return has;
}

/* Adds what a result says at a time, as changes at all four times whose sum it is there. */
static void tell(test_list *list, const weir_type *type, const void *row, uint64_t a, uint64_t b)
{
    test_list_add(list, type, row, &(weir_time){{a, b}}, 1);
    test_list_add(list, type, row, &(weir_time){{a + 1, b}}, -1);
    test_list_add(list, type, row, &(weir_time){{a, b + 1}}, -1);
    test_list_add(list, type, row, &(weir_time){{a + 1, b + 1}}, 1);
}

static void tell_grid(uint32_t count, test_list *lists)
{
    for (uint64_t a = 0; a <= GRID; a++)
        for (uint64_t b = 0; b <= GRID; b++)
            for (uint8_t key = 0; key < GRID_KEYS; key++) {
                cell has = cell_at(count, key, a, b);
                if (!has.count)
                    continue;
                tell(&lists[0], &counted_type, &(counted){key, has.count}, a, b);
                tell(&lists[1], &summed_type, &(summed){key, has.value, has.real}, a, b);
                tell(&lists[2], &meant_type,
                     &(meant){key, (double)has.value / (double)has.count,
                              has.real / (double)has.count},
                     a, b);
            }
}

/* Different rows: those that differ in any field. */
static void tell_distinct(uint32_t count, test_list *list)
{
    for (uint64_t a = 0; a <= GRID; a++)
        for (uint64_t b = 0; b <= GRID; b++)
            for (uint32_t r = 0; r < count; r++) {
                int64_t there = 0;
                bool first = true;
                for (uint32_t i = 0; i < count; i++) {
                    if (!weir_row_equal(&pair_type, &grid_rows[i], &grid_rows[r]))
                        continue;
                    first &= i >= r;
                    if (grid_updates[i].at[0] <= a && grid_updates[i].at[1] <= b)
                        there += grid_updates[i].diff;
                }
                if (first && there > 0)
                    tell(list, &pair_type, &grid_rows[r], a, b);
            }
}

static void build_grid(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)flow;
    test_watch(weir_group_count(in, WEIR_BY(pair, key), &counted_type), &test->out[0]);
    test_watch(weir_group_sum(in, WEIR_BY(pair, key), WEIR_BY(pair, value, real), &summed_type),
               &test->out[1]);
    test_watch(weir_group_avg(in, WEIR_BY(pair, key), WEIR_BY(pair, value, real), &meant_type),
               &test->out[2]);
    test_watch(weir_distinct(in), &test->out[3]);
}

/* Takes away what lies beyond the grid: that is where sums of changes end, not where results
 * change. */
static char *within_grid(test_list *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->updates[i].time.at[0] <= GRID && list->updates[i].time.at[1] <= GRID)
            list->updates[kept++] = list->updates[i];
        else
            free(list->updates[i].row);
    }
    list->count = kept;
    return test_list_text(list);
}

START_TEST(totals_are_right_at_every_join_of_times)
{
    for (int run = 0; run < 20; run++) {
        printf("seed %llu\n", (unsigned long long)seed);
        uint32_t count = 1 + (uint32_t)draw(GRID_ROWS_MAX);
        for (uint32_t i = 0; i < count; i++) {
            grid_rows[i] = (pair){.key = (uint8_t)draw(GRID_KEYS),
                                  .value = (int64_t)draw(3) - 1,
                                  .real = (double)draw(3) / 4};
            grid_updates[i] = (update){{draw(GRID), draw(GRID)}, (int64_t)draw(4) - 1};
        }
        test_list naive[4];
        char *expected[4];
        for (int i = 0; i < 4; i++)
            test_list_init(&naive[i], 2);
        tell_grid(count, naive);
        tell_distinct(count, &naive[3]);
        for (int i = 0; i < 4; i++)
            expected[i] = within_grid(&naive[i]);
        flow_test test = {.type = &pair_type,
                          .rows = grid_rows,
                          .updates = grid_updates,
                          .count = count,
                          .dims = 2,
                          .build = build_grid};
        expect(&test, (const char *const *)expected, 4);
        for (int i = 0; i < 4; i++) {
            free(expected[i]);
            test_list_fini(&naive[i]);
        }
    }
}
END_TEST

/* Sums of floating-point numbers do not drift, and an empty group leaves nothing. */
START_TEST(real_sums_are_added_up_anew)
{
    static const pair rows[] = {{1, 0, 0.1}, {1, 0, 1e17}, {1, 0, 0.1}, {1, 0, 1e17}, {1, 0, 0.1}};
    static const update updates[] = {{{0}, 1}, {{1}, 1}, {{2}, 2}, {{3}, -1}, {{4}, -3}};
    static const char *const expected[] = {
        "0 +1 1\t1\n1 -1 1\t1\n1 +1 1\t2\n2 -1 1\t2\n2 +1 1\t4\n3 +1 1\t3\n3 -1 1\t4\n4 -1 1\t3\n",
        "0 +1 1\t0\t0.1\n1 -1 1\t0\t0.1\n1 +1 1\t0\t1e+17\n"
        "3 +1 1\t0\t0.30000000000000004\n3 -1 1\t0\t1e+17\n"
        "4 -1 1\t0\t0.30000000000000004\n"};
    flow_test test = {.type = &pair_type,
                      .rows = rows,
                      .updates = updates,
                      .count = 5,
                      .dims = 1,
                      .build = build_grid};
    expect(&test, expected, 2);
}
END_TEST

/* ---- numbers of all kinds --------------------------------------------------------------- */

#define SMALL(F) F(i8, a) F(u16, b) F(i32, c) F(bool, d) F(f32, e) F(u64, f)
#define WHOLE(F) F(i64, a) F(i64, b) F(i64, c) F(i64, d) F(i64, f)
#define MEAN(F) F(f64, a) F(f64, b) F(f64, c) F(f64, d) F(f64, f)
#define REAL(F) F(f64, e) F(i64, a) F(i64, b)
WEIR_ROW(small, SMALL)
WEIR_ROW(whole, WHOLE)
WEIR_ROW(mean, MEAN)
WEIR_ROW(real, REAL)

static void build_kinds(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)flow;
    weir_key all = WEIR_BY_NOTHING(small);
    test_watch(weir_group_sum(in, all, WEIR_BY(small, a, b, c, d, f), &whole_type), &test->out[0]);
    test_watch(weir_group_avg(in, all, WEIR_BY(small, a, b, c, d, f), &mean_type), &test->out[1]);
    test_watch(weir_group_sum(in, all, WEIR_BY(small, e, a, b), &real_type), &test->out[2]);
}

/* Sums wrap around; means do not. */
START_TEST(numbers_of_all_kinds_are_added_up)
{
    static const small rows[] = {{-128, 65535, -2147483647, true, 0.5f, UINT64_MAX},
                                 {-1, 1, 7, false, 0.25f, UINT64_MAX - 2}};
    static const update updates[] = {{{0}, 2}, {{1}, 2}};
    static const char *const expected[] = {
        "0 +1 -256\t131070\t-4294967294\t2\t-2\n1 -1 -256\t131070\t-4294967294\t2\t-2\n"
        "1 +1 -258\t131072\t-4294967280\t2\t-8\n",
        "0 +1 -128\t65535\t-2147483647\t1\t1.8446744073709552e+19\n"
        "1 -1 -128\t65535\t-2147483647\t1\t1.8446744073709552e+19\n"
        "1 +1 -64.5\t32768\t-1073741820\t0.5\t1.8446744073709552e+19\n",
        "0 +1 1\t-256\t131070\n1 -1 1\t-256\t131070\n1 +1 1.5\t-258\t131072\n"};
    flow_test test = {.type = &small_type,
                      .rows = rows,
                      .updates = updates,
                      .count = 2,
                      .dims = 1,
                      .build = build_kinds};
    expect(&test, expected, 3);
}
END_TEST

/* ---- stopping --------------------------------------------------------------------------- */

#define ENTRY(F) F(weir_text, key) F(weir_text, value)
WEIR_ROW(entry, ENTRY)
#define KEY_COUNT(F) F(weir_text, key) F(i64, count)
WEIR_ROW(key_count, KEY_COUNT)

static void build_entries(weir_dataflow *flow, weir_stream in, flow_test *test)
{
    (void)flow;
    (void)test;
    weir_upsert(in, WEIR_BY(entry, key), WEIR_ASCENDING(entry, value));
    weir_group_count(in, WEIR_BY(entry, key), &key_count_type);
    weir_consolidate(in);
}

/* Whether something is lost is for a sanitizer to say. */
START_TEST(what_waits_is_freed_at_a_stop)
{
    enum { ROWS = 1000 };
    static char texts[ROWS][40];
    static entry rows[ROWS];
    static update updates[ROWS];
    for (int i = 0; i < ROWS; i++) {
        snprintf(texts[i], sizeof texts[i], "some number that is long: %d", i / 2);
        rows[i] = (entry){weir_text_c(texts[i]), weir_text_c(texts[i / 3])};
        updates[i] = (update){{(uint64_t)i / 300}, 1};
    }
    flow_test test = {.type = &entry_type,
                      .rows = rows,
                      .updates = updates,
                      .count = ROWS,
                      .dims = 1,
                      .build = build_entries};
    test_run(&test_ways_few[_i], run_flow, &test); /* to its end, with texts left in tables */
    test.stops = true;
    test_stops(&test_ways_few[_i], run_flow, &test, "that is enough", NULL);
}
END_TEST

/* ---- what is wrong ---------------------------------------------------------------------- */

static void (*build_wrong)(weir_dataflow *flow, weir_stream nums);

static void run_wrong(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"system", "valid"};
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "wrong");
    weir_dataflow_dims(flow, names, 2);
    weir_stream in = weir_input_new(flow, &num_type, &input);
    build_wrong(flow, in);
    if (weir_dataflow_end_or_stop(flow))
        weir_input_close(&input);
}

static void view_of_nothing(weir_dataflow *flow, weir_stream nums)
{
    (void)flow;
    weir_as_of(nums, "epoch", 1);
}

static void view_in_a_loop(weir_dataflow *flow, weir_stream nums)
{
    weir_loop *loop = weir_loop_begin(flow, "inner");
    weir_valid(weir_enter(loop, nums), "valid", &by_value, &by_value, NULL);
}

static void upsert_of_two_dims(weir_dataflow *flow, weir_stream nums)
{
    (void)flow;
    weir_upsert(nums, WEIR_BY(num, value), WEIR_ASCENDING(num, value));
}

static void replace_no_variable(weir_dataflow *flow, weir_stream nums)
{
    (void)flow;
    weir_variable_replace(nums, nums);
}

static void rounds_of_no_loop(weir_dataflow *flow, weir_stream nums)
{
    (void)nums;
    weir_loop_rounds(flow, 3);
}

static void count_without_count(weir_dataflow *flow, weir_stream nums)
{
    (void)flow;
    weir_group_count(nums, WEIR_BY(num, value), &num_type);
}

static void count_of_other_key(weir_dataflow *flow, weir_stream nums)
{
    (void)flow;
    weir_group_count(nums, WEIR_BY(num, value), &counted_type);
}

static void sum_of_words(weir_dataflow *flow, weir_stream nums)
{
    (void)nums;
    static const word rows[1];
    weir_stream words = weir_from_rows(flow, &word_type, rows, 1);
    weir_group_sum(words, WEIR_BY_NOTHING(word), WEIR_BY(word, text), &num_type);
}

static void mean_that_is_whole(weir_dataflow *flow, weir_stream nums)
{
    (void)flow;
    weir_group_avg(nums, WEIR_BY_NOTHING(num), WEIR_BY(num, value), &num_type);
}

static void expect_wrong(void (*build)(weir_dataflow *, weir_stream), const char *a, const char *b)
{
    build_wrong = build;
    test_stops(&test_ways_few[0], run_wrong, NULL, a, b, NULL);
}

START_TEST(mistakes_are_named)
{
    expect_wrong(view_of_nothing, "as_of: times of dataflow `wrong` have no dimension `epoch`",
                 "they have system, valid");
    expect_wrong(view_in_a_loop, "valid: its stream is in loop `inner`", "outside");
    expect_wrong(upsert_of_two_dims, "upsert: which row is the latest", "2 coordinates");
    expect_wrong(replace_no_variable, "weir_variable_replace", "is not a variable");
    expect_wrong(rounds_of_no_loop, "weir_loop_rounds", "is not a loop");
    expect_wrong(count_without_count, "group_count: gives rows of num(value u64)", "then i64");
    expect_wrong(count_of_other_key, "group_count", "counted(key u8, count i64)");
    expect_wrong(sum_of_words, "group_sum: field `text` of word(text text)", "not a number");
    expect_wrong(mean_that_is_whole, "group_avg: gives rows of num(value u64)", "then f64");
}
END_TEST

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    TCase *cases = tcase_create("time");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, negating_keeps_rows_and_times);
    tcase_add_test(cases, a_replaced_variable_is_what_next_was);
    tcase_add_test(cases, variables_swap_until_the_rounds_are_over);
    tcase_add_test(cases, rows_enter_at_their_round_and_stop_after_the_last);
    tcase_add_test(cases, an_endless_loop_ends_after_its_rounds);
    tcase_add_test(cases, rows_enter_in_few_batches_in_order);
    tcase_add_test(cases, a_view_has_what_is_at_or_before_it);
    tcase_add_loop_test(cases, a_view_is_complete_when_its_coordinate_is, 0, TEST_WAYS_FEW);
    tcase_add_test(cases, rows_are_there_while_they_are_valid);
    tcase_add_test(cases, totals_are_right_at_every_join_of_times);
    tcase_add_test(cases, real_sums_are_added_up_anew);
    tcase_add_test(cases, numbers_of_all_kinds_are_added_up);
    tcase_add_loop_test(cases, what_waits_is_freed_at_a_stop, 0, TEST_WAYS_FEW);
    tcase_add_test(cases, mistakes_are_named);
    return test_main("collection time", cases);
}
