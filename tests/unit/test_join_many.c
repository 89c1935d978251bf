/* Joins of more rows: large groups of equal keys, runs of all sizes, what is kept in memory when
 * a side has ended; and what is said about mistakes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/collection.h>

#include "operators/collection/join.h"
#include "tests/support/execution.h"
#include "tests/support/join_rows.h"

typedef struct flavour {
    const weir_type *type;
    void (*make)(weir_batch *batch, uint32_t at, uint64_t k, uint64_t x);
    weir_stream (*join)(weir_stream a, weir_stream b);
} flavour;

#define FLAVOUR(row)                                                           \
    WEIR_JOIN(row##_both, row, row, row##_out)                                 \
    {                                                                          \
        out->k = a->k;                                                         \
        out->x = a->x;                                                         \
        out->y = b->x;                                                         \
    }                                                                          \
    static weir_stream row##_join(weir_stream a, weir_stream b)                \
    {                                                                          \
        return weir_join(a, WEIR_BY(row, k), b, WEIR_BY(row, k), &row##_both); \
    }                                                                          \
    static const flavour row##_flavour = {&row##_type, make_##row, row##_join};
FLAVOUR(plain)
FLAVOUR(texts)
FLAVOUR(odd)
static const flavour *const flavours[] = {&plain_flavour, &texts_flavour, &odd_flavour};

/* ---- large groups ----------------------------------------------------------------------- */

enum { HOT = 3000 };

static uint64_t value_of(const weir_batch *batch, uint32_t row, const char *field)
{
    const weir_field *of = weir_type_find(batch->type, field);
    uint64_t value = 0;
    memcpy(&value, (const char *)weir_batch_row(batch, row) + of->offset, of->bytes);
    return value;
}

/* A sum over pairs that is a product of sums over sides. */
static void add_batch(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    _Atomic(int64_t) *sum = arg;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t x = value_of(batch, i, "x"), y = value_of(batch, i, "y");
        atomic_fetch_add(sum, (int64_t)((x + 1) * (y + 3)) * weir_batch_diff(batch, i));
    }
}

static weir_stream watch_sum(weir_stream in, _Atomic(int64_t) *sum)
{
    return weir_inspect_batch(in, add_batch, sum);
}

/* All rows have one key; the second side comes later, and is taken back at last. */
static void run_hot(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "hot");
    weir_input *a, *b;
    weir_stream as = weir_input_new(flow, &plain_type, &a);
    weir_stream bs = weir_input_new(flow, &plain_type, &b);
    weir_probe *probe = weir_probe_new(watch_sum(plain_join(as, bs), arg));
    if (!test_end(flow))
        return;
    uint64_t count = weir_worker_index(worker) == 0 ? HOT : 0;
    for (uint64_t i = 0; i < count; i++)
        plain_push(weir_input_out(a), (plain){7, i});
    weir_input_advance(a, 1);
    weir_input_advance(b, 1);
    for (uint64_t i = 0; i < count / 10; i++)
        plain_push(weir_input_out(b), (plain){7, i});
    weir_input_advance(a, 2);
    weir_input_advance(b, 2);
    weir_probe_wait(worker, probe, 2);
    const int64_t as_sum = (int64_t)HOT * (HOT + 1) / 2;
    const int64_t bs_sum = (int64_t)(HOT / 10) * (HOT / 10 - 1) / 2 + 3 * (HOT / 10);
    if (atomic_load((_Atomic(int64_t) *)arg) != as_sum * bs_sum)
        weir_stop(worker, "the sum is %ld", (long)atomic_load((_Atomic(int64_t) *)arg));
}

START_TEST(large_groups)
{
    int64_t fuel = wi_join_fuel;
    for (int small = 0; small < 2; small++) {
        _Atomic(int64_t) sum = 0;
        wi_join_fuel = small ? 1000 : fuel;
        test_run(&test_ways[_i], run_hot, &sum);
    }
    wi_join_fuel = fuel;
}
END_TEST

/* ---- runs of all sizes ------------------------------------------------------------------ */

/* Runs of all sizes, so that keys are looked for in every way: epochs of one to thousands of
 * rows a side. Worker 0 sends them all. */
typedef struct sizes {
    const flavour *rows;
    uint64_t seed;
    _Atomic(int64_t) sum;
} sizes;

enum { KEYS = 1500, EPOCHS = 60 };

static void send_some(const sizes *s, weir_input *input, uint64_t *seed, int64_t *sums,
                      uint64_t plus)
{
    static const uint32_t of[] = {0, 1, 1, 2, 5, 40, 300, 3000};
    uint32_t count = of[draw(seed, 8)];
    weir_batch *batch = weir_batch_new(s->rows->type, count + 1);
    batch->time = *weir_input_time(input);
    weir_batch_add_diffs(batch);
    for (; batch->count < count; batch->count++) {
        uint64_t k = draw(seed, KEYS), x = draw(seed, 100);
        batch->diffs[batch->count] = draw(seed, 4) ? 1 : -1;
        s->rows->make(batch, batch->count, k, x);
        sums[k] += (int64_t)(x + plus) * batch->diffs[batch->count];
    }
    weir_input_send(input, batch);
}

static void run_sizes(weir_worker *worker, void *arg)
{
    sizes *s = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "sizes");
    weir_input *inputs[2];
    weir_stream a = weir_input_new(flow, s->rows->type, &inputs[0]);
    weir_stream b = weir_input_new(flow, s->rows->type, &inputs[1]);
    weir_probe *probe = weir_probe_new(watch_sum(s->rows->join(a, b), &s->sum));
    if (!test_end(flow))
        return;
    int64_t *sums = calloc(2 * KEYS, sizeof *sums), expected = 0;
    uint64_t seed = s->seed;
    for (uint64_t epoch = 1; epoch <= EPOCHS; epoch++)
        for (int side = 0; side < 2; side++) {
            if (weir_worker_index(worker) == 0)
                send_some(s, inputs[side], &seed, sums + side * KEYS, side ? 3 : 1);
            weir_input_advance(inputs[side], epoch);
            if (side && epoch % 2)
                weir_probe_wait(worker, probe, epoch);
        }
    weir_probe_wait(worker, probe, EPOCHS);
    for (uint32_t k = 0; k < KEYS; k++)
        expected += sums[k] * sums[KEYS + k];
    free(sums);
    if (weir_worker_index(worker) == 0 && atomic_load(&s->sum) != expected)
        weir_stop(worker, "seed %lu: the sum is %ld, not %ld", (unsigned long)s->seed,
                  (long)atomic_load(&s->sum), (long)expected);
}

START_TEST(runs_of_all_sizes)
{
    int64_t fuel = wi_join_fuel;
    const char *more = getenv("TEST_JOIN_CASES");
    uint64_t cases = more ? strtoull(more, NULL, 10) / 4 : 9;
    for (uint64_t seed = 0; seed < cases; seed++) {
        sizes s = {.rows = flavours[_i], .seed = seed};
        wi_join_fuel = seed % 2 ? fuel : 100;
        test_run(&test_ways[seed % TEST_WAYS], run_sizes, &s);
    }
    wi_join_fuel = fuel;
}
END_TEST

/* ---- memory, mistakes ------------------------------------------------------------------- */

/* A side that is joined with what can change no more is not kept. */
static void run_closed(weir_worker *worker, WEIR_UNUSED void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "closed");
    weir_input *a, *b;
    weir_stream as = weir_input_new(flow, &plain_type, &a);
    weir_stream bs = weir_input_new(flow, &plain_type, &b);
    weir_arrangement *by_k = weir_arrange(as, WEIR_BY(plain, k));
    weir_arrangement *b_by_k = weir_arrange(bs, WEIR_BY(plain, k));
    weir_probe *probe = weir_probe_new(weir_join_arranged(by_k, b_by_k, &plain_both));
    if (!test_end(flow))
        return;
    for (uint64_t i = 0; i < 100; i++)
        plain_push(weir_input_out(b), (plain){i, i});
    weir_input_close(&b);
    for (uint64_t epoch = 1; epoch < 20; epoch++) {
        for (uint64_t i = 0; i < 100; i++)
            plain_push(weir_input_out(a), (plain){i, epoch});
        weir_input_advance(a, epoch);
        weir_probe_wait(worker, probe, epoch);
    }
    for (int i = 0; i < 100; i++)
        weir_step(worker);
    if ((*by_k->trace)->run_count > 1)
        weir_stop(worker, "%u runs are kept for nobody", (*by_k->trace)->run_count);
    if ((*b_by_k->trace)->run_count == 0)
        weir_stop(worker, "the closed side is not kept for the open one");
    weir_input_close(&a);
    for (int i = 0; i < 100; i++)
        weir_step(worker);
}

START_TEST(a_closed_side_frees_the_other)
{
    test_run(&test_ways[_i], run_closed, NULL);
}
END_TEST

WEIR_JOIN(next, plain, plain, plain_out)
{
    *out = (plain_out){a->k, a->x, b->x};
}

WEIR_JOIN(mixed, plain, texts, plain_out)
{
    *out = (plain_out){a->k, a->x, b->x};
}

static void run_mistake(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "mistake");
    weir_input *a, *b;
    weir_stream as = weir_input_new(flow, &plain_type, &a);
    weir_stream bs = weir_input_new(flow, &texts_type, &b);
    weir_delta_step steps[] = {{1, WEIR_BY(plain, x), WEIR_BY(plain, k), &next},
                               {1, WEIR_BY(plain, k), WEIR_BY(plain, x), &next}};
    weir_stream twice[] = {as, as};
    switch (*(int *)arg) {
    case 0:
        weir_join(as, WEIR_BY(plain, k), bs, WEIR_BY(texts, k), &mixed);
        break;
    case 1:
        weir_semijoin(as, WEIR_BY(plain, k, x), bs, WEIR_BY(texts, k));
        break;
    case 2:
        weir_join(as, WEIR_BY(plain, k), as, WEIR_BY(plain, k), &mixed);
        break;
    case 3:
        weir_delta_join(twice, 2, steps);
        break;
    }
    test_end(flow);
}

START_TEST(mistakes_are_told)
{
    static const char *const says[] = {
        "join: left key is u64, right key is text",
        "semijoin: left key is (u64, u64), right key is text",
        "join `mixed`: takes rows of texts(k text, x u32), but its stream has plain(k u64, x u64)",
        "delta_join: changes of collection 1 are joined with collection 0 0 times"};
    for (int mistake = 0; mistake < 4; mistake++)
        test_stops(&test_ways_few[_i], run_mistake, &mistake, says[mistake], NULL);
}
END_TEST

/* ---- delta joins ------------------------------------------------------------------------ */

WEIR_JOIN(ab_bc, plain, plain, plain_out)
{
    *out = (plain_out){a->k, a->x, b->x};
}
WEIR_JOIN(bc_ab, plain, plain, plain_out)
{
    *out = (plain_out){b->k, a->k, a->x};
}
WEIR_JOIN(ac_ab, plain, plain, plain_out)
{
    *out = (plain_out){a->k, b->x, a->x};
}
WEIR_JOIN(same, plain_out, plain, plain_out)
{
    *out = *a;
}

typedef struct triangles {
    uint64_t seed;
    _Atomic(int64_t) by_delta, by_join;
} triangles;

/* Triangles in a graph that changes, counted in two ways. */
static void run_triangles(weir_worker *worker, void *arg)
{
    enum { NODES = 60 };
    triangles *t = arg;
    const weir_key from = WEIR_BY(plain, k), to = WEIR_BY(plain, x), edge = WEIR_BY(plain, k, x);
    const weir_key ac = WEIR_BY(plain_out, k, y), bc = WEIR_BY(plain_out, x, y);
    const weir_delta_step steps[] = {
        {1, to, from, &ab_bc}, {2, ac, edge, &same},    {0, from, to, &bc_ab},
        {2, ac, edge, &same},  {0, from, from, &ac_ab}, {1, bc, edge, &same},
    };
    weir_dataflow *flow = weir_dataflow_begin(worker, "triangles");
    weir_input *input;
    weir_stream in = weir_input_new(flow, &plain_type, &input), all[] = {in, in, in};
    weir_stream paths = weir_join(in, to, in, from, &ab_bc);
    weir_stream found[] = {watch_sum(weir_delta_join(all, 3, steps), &t->by_delta),
                           watch_sum(weir_join(paths, ac, in, edge, &same), &t->by_join)};
    weir_probe *probe = weir_probe_new(weir_concat_all(found, 2));
    if (!test_end(flow))
        return;
    uint64_t seed = t->seed;
    for (uint64_t epoch = 1; epoch < 30; epoch++) {
        uint64_t count = epoch == 1 ? 600 : draw(&seed, 20);
        for (uint64_t i = 0; i < count && weir_worker_index(worker) == 0; i++) {
            weir_out *out = weir_input_out(input);
            weir_out_diff(out, draw(&seed, 3) ? 1 : -1);
            plain_push(out, (plain){draw(&seed, NODES), draw(&seed, NODES)});
        }
        weir_input_advance(input, epoch);
        if (epoch % 4 == 0)
            weir_probe_wait(worker, probe, epoch);
    }
}

START_TEST(delta_joins_and_joins_agree)
{
    int64_t fuel = wi_join_fuel;
    for (uint64_t seed = 0; seed < 6; seed++) {
        triangles t = {.seed = seed};
        wi_join_fuel = seed % 2 ? fuel : 50;
        test_run(&test_ways[_i], run_triangles, &t);
        ck_assert_int_eq(t.by_delta, t.by_join);
    }
    wi_join_fuel = fuel;
}
END_TEST

/* ---- times between half-joins ----------------------------------------------------------- */

WEIR_JOIN(keep_a, plain, plain, plain)
{
    *out = *a;
}

WEIR_ROUTE(from_five, plain)
{
    return 5;
}

WEIR_ROUTE(for_ever, plain)
{
    return UINT64_MAX;
}

WEIR_EACH(add_diff, plain)
{
    __atomic_fetch_add((int64_t *)arg, diff, __ATOMIC_RELAXED);
}

/* Changes that are joined to what came early, moved, and joined to what came late. */
static bool join_and_move(weir_dataflow *flow, weir_stream (*move)(weir_stream changes),
                          weir_input **deltas, weir_input **early, weir_input **late, void *seen)
{
    weir_key by_k = WEIR_BY(plain, k);
    weir_stream changes = weir_input_new(flow, &plain_type, deltas);
    weir_arrangement *a = weir_arrange(weir_input_new(flow, &plain_type, early), by_k);
    weir_arrangement *b = weir_arrange(weir_input_new(flow, &plain_type, late), by_k);
    changes = move(weir_half_join(changes, by_k, a, WEIR_HALF_UP_TO, &keep_a));
    weir_each(weir_half_join(changes, by_k, b, WEIR_HALF_UP_TO, &keep_a), &add_diff, seen);
    return test_end(flow);
}

static weir_stream from_five_on(weir_stream changes)
{
    return weir_valid(changes, "epoch", &from_five, &for_ever, NULL);
}

/* A change at epoch 0 that a weir_valid has moved to epoch 5 sees what came at epoch 3. */
static void run_moved_delta(weir_worker *worker, void *arg)
{
    weir_input *deltas, *early, *late;
    weir_dataflow *flow = weir_dataflow_begin(worker, "moved");
    if (!join_and_move(flow, from_five_on, &deltas, &early, &late, arg) ||
        weir_worker_index(worker) != 0)
        return;
    plain_push(weir_input_out(deltas), (plain){1, 7});
    plain_push(weir_input_out(early), (plain){1, 8});
    weir_input_advance(late, 3);
    plain_push(weir_input_out(late), (plain){1, 9});
}

START_TEST(a_half_join_goes_by_times_that_were_moved)
{
    int64_t seen = 0;
    test_run(&test_ways[_i], run_moved_delta, &seen);
    ck_assert_int_eq(seen, 1);
}
END_TEST

static weir_time five_later(const weir_time *time, WEIR_UNUSED void *arg)
{
    weir_time later = *time;
    later.at[1] += 5;
    return later;
}

static weir_stream later_by_five(weir_stream changes)
{
    return weir_delay_to(changes, five_later, NULL);
}

/* A change that was joined to two, of which a weir_delay_to moves each by its own time: one is at a
 * time of the other arrangement then, one is before it. */
static void run_delayed_delta(weir_worker *worker, void *arg)
{
    weir_input *deltas, *early, *late;
    weir_dataflow *flow = weir_dataflow_begin(worker, "delayed");
    weir_dataflow_dims(flow, (const char *const[]){"x", "y"}, 2);
    if (!join_and_move(flow, later_by_five, &deltas, &early, &late, arg) ||
        weir_worker_index(worker) != 0)
        return;
    weir_out *out = weir_input_out(early);
    weir_out_time(out, &(weir_time){{0, 1}});
    plain_push(out, (plain){1, 8});
    weir_out_time(out, &(weir_time){{1, 0}});
    plain_push(out, (plain){1, 9});
    weir_out_time(weir_input_out(deltas), &(weir_time){{2, 0}});
    plain_push(weir_input_out(deltas), (plain){1, 7});
    weir_out_time(weir_input_out(late), &(weir_time){{2, 6}});
    plain_push(weir_input_out(late), (plain){1, 10});
}

START_TEST(a_half_join_goes_by_times_that_were_moved_apart)
{
    int64_t seen = 0;
    test_run(&test_ways[_i], run_delayed_delta, &seen);
    ck_assert_int_eq(seen, 1);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("join of many rows");
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, runs_of_all_sizes, 0, 3);
    tcase_add_loop_test(cases, large_groups, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_closed_side_frees_the_other, 0, TEST_WAYS);
    tcase_add_loop_test(cases, delta_joins_and_joins_agree, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_half_join_goes_by_times_that_were_moved, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_half_join_goes_by_times_that_were_moved_apart, 0, TEST_WAYS);
    tcase_add_loop_test(cases, mistakes_are_told, 0, TEST_WAYS_FEW);
    return test_main("join of many rows", cases);
}
