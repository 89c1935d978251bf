/* Random graphs with hardly any credit: what arrives is what must, whatever the routes, whoever
 * is slow and in whatever order workers run; and all of it ends. Every row has a number, no
 * operator changes it, and each stream has every number equally often; so a stream's number and
 * sum of rows are known while it is built.
 *
 * The seed of a graph that fails is in the message; `unit_test_flow_control_random SEED` begins
 * with it. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/runtime.h"
#include "tests/support/batches.h"
#include "tests/support/execution.h"

#define STEP(F) F(u64, value) F(u64, hops) F(weir_text, text)
WEIR_ROW(step, STEP)

#define STREAMS_MAX 24
#define SOURCES 2
#define TIMES_MAX 12 /* how often a stream may have each row */

static uint64_t first_seed = 1;

/* `hops` counts the rounds of a loop in its lower half, those of a loop in it in the upper one.
 * This says which, and how many there are. */
typedef struct rounds {
    int shift;
    uint32_t count;
} rounds;

/* What a sink must see, and sees. */
typedef struct sink_counts {
    uint64_t times;
    _Atomic(uint64_t) rows, sum;
} sink_counts;

typedef struct graph {
    uint64_t seed;
    uint64_t rows; /* of each source on each worker */
    uint32_t operators;
    sink_counts sinks[STREAMS_MAX];
    rounds rounds[2][8]; /* by depth: what kernels of loops get */
    _Atomic(uint64_t) spilled;
} graph;

/* ---- operators -------------------------------------------------------------------------- */

typedef struct source_state {
    uint64_t given, draws;
} source_state;

static weir_more give(weir_source *source, void *state, void *arg)
{
    static const char letters[] = "a text that does not fit into its handle, and more of it";
    const graph *g = arg;
    source_state *s = state;
    weir_worker *worker = weir_source_worker(source);
    uint64_t first = weir_worker_index(worker) * g->rows;
    for (uint64_t burst = weir_random(worker) % 20; burst && s->given < g->rows; burst--) {
        if (weir_random(worker) % 16 == 0)
            weir_source_advance(source, weir_source_epoch(source) + weir_random(worker) % 3);
        step row = {.value = first + s->given++};
        row.text = weir_text_of(letters, (uint32_t)(weir_random(worker) % sizeof letters));
        step_push(weir_source_out(source), row);
    }
    return s->given == g->rows ? WEIR_DONE : weir_random(worker) % 8 ? WEIR_MORE : WEIR_WAIT;
}

static void idle(weir_op *op)
{
    weir_worker *worker = weir_op_worker(op);
    if (weir_random(worker) % 32 == 0 && !worker->process->config.deterministic)
        usleep((useconds_t)(weir_random(worker) % 300));
}

static void forward(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    idle(op);
    weir_forward(op, 0, batch);
}

static const weir_operator relay = {.name = "relay", .batch = forward};
static const weir_operator light = {.name = "light", .stateless = true, .batch = forward};

/* Keeps batches under a capability for the first of them, and gives them on from `run`. */
typedef struct holder {
    weir_capability *held[8];
    const weir_batch *batches[8];
    uint32_t count;
} holder;

static void let_go(weir_op *op)
{
    holder *self = weir_op_state(op);
    while (self->count) {
        uint32_t i = --self->count;
        weir_forward(op, 0, self->batches[i]);
        weir_batch_drop((weir_batch *)self->batches[i]);
        weir_capability_drop(self->held[i]);
        if (self->count && weir_random(weir_op_worker(op)) % 4 == 0) {
            weir_activate(op);
            return;
        }
    }
}

static void hold(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    holder *self = weir_op_state(op);
    if (self->count == 8) {
        weir_forward(op, 0, batch);
        return;
    }
    self->held[self->count] = weir_retain(op, 0, &batch->time);
    self->batches[self->count++] = weir_batch_retain(batch);
    if (weir_random(weir_op_worker(op)) % 2)
        weir_activate(op);
    else
        weir_activate_after(op, weir_random(weir_op_worker(op)) % 100000);
}

static void stop_holding(weir_op *op)
{
    holder *self = weir_op_state(op);
    while (self->count)
        weir_batch_drop((weir_batch *)self->batches[--self->count]);
}

static const weir_operator holding = {.name = "holding",
                                      .state_bytes = sizeof(holder),
                                      .batch = hold,
                                      .run = let_go,
                                      .stop = stop_holding};

/* Keeps rows until their time is complete. */
typedef struct stored {
    const weir_batch **batches;
    uint32_t count, capacity;
} stored;

static void keep(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    stored *all = weir_notify_state(op, &batch->time, sizeof *all);
    wi_grow(&all->batches, &all->capacity, all->count + 1, sizeof *all->batches);
    all->batches[all->count++] = weir_batch_retain(batch);
}

static void discard(weir_op *op, void *state)
{
    (void)op;
    stored *all = state;
    while (all->count)
        weir_batch_drop((weir_batch *)all->batches[--all->count]);
    wi_free(all->batches);
}

static void complete(weir_op *op, const weir_time *time, void *state)
{
    (void)time;
    stored *all = state;
    idle(op);
    for (uint32_t i = 0; i < all->count; i++)
        weir_forward(op, 0, all->batches[i]);
    discard(op, state);
}

static const weir_operator completing = {
    .name = "completing", .batch = keep, .notify = complete, .discard = discard};

static void take_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    sink_counts *counts = weir_op_arg(op);
    idle(op);
    for (uint32_t i = 0; i < batch->count; i++)
        atomic_fetch_add(&counts->sum, step_at(batch, i)->value);
    atomic_fetch_add(&counts->rows, batch->count);
}

static const weir_operator sink = {.name = "sink", .batch = take_rows};

WEIR_ROUTE(by_value, step)
{
    return in->value;
}

WEIR_ROUTE(by_hops, step)
{
    return in->value + in->hops;
}

WEIR_ROUTE(skewed, step)
{
    return in->value % 16 ? 0 : in->value / 16;
}

static uint32_t hops_of(const step *row, const rounds *of)
{
    return (uint32_t)(row->hops >> of->shift);
}

WEIR_MAP(hop, step, step)
{
    *out = *in;
    out->hops += UINT64_C(1) << ((const rounds *)arg)->shift;
}

WEIR_MAP(start_again, step, step)
{
    *out = *in;
    out->hops &= ~(UINT64_C(0xffffffff) << ((const rounds *)arg)->shift);
}

WEIR_FLAT_MAP(thrice, step, step)
{
    for (int i = 0; i < 3; i++)
        step_push(out, *in);
}

WEIR_FILTER(goes_on, step)
{
    return hops_of(in, arg) < ((const rounds *)arg)->count;
}

WEIR_FILTER(is_through, step)
{
    return hops_of(in, arg) == ((const rounds *)arg)->count;
}

/* ---- graphs ----------------------------------------------------------------------------- */

/* While building: all workers draw the same. */
typedef struct building {
    graph *g;
    uint64_t seed;
    uint32_t workers;
    weir_stream streams[STREAMS_MAX];
    uint64_t times[STREAMS_MAX];
    bool used[STREAMS_MAX];
    uint32_t count;
} building;

/* A route that moves rows, and multiplies none. */
static weir_route draw_route(building *b)
{
    switch (test_draw(&b->seed, 6)) {
    case 0:
        return WEIR_LOCAL;
    case 1:
        return WEIR_EXCHANGE(WEIR_BY(step, value));
    case 2:
        return WEIR_GATHER((uint32_t)test_draw(&b->seed, 5));
    case 3:
        return WEIR_ROUTED(&skewed, NULL);
    case 4:
        return WEIR_ROUTED(&by_value, NULL);
    default:
        return WEIR_ROUTED(&by_hops, NULL);
    }
}

static weir_stream draw_unary(building *b, weir_stream in)
{
    static const weir_operator *const logics[] = {&relay, &relay, &light, &light, &holding,
                                                  &completing};
    uint64_t which = test_draw(&b->seed, sizeof logics / sizeof *logics);
    weir_route route = draw_route(b);
    return weir_unary(in, route, logics[which], &step_type, NULL);
}

static weir_stream draw_loop(building *b, weir_stream in, int depth)
{
    rounds *one = &b->g->rounds[depth][test_draw(&b->seed, depth ? 3 : 8)];
    weir_loop *loop = weir_loop_begin(in.scope, "loop");
    weir_stream entered = weir_map_with(weir_enter(loop, in), &start_again, one);
    weir_stream values = weir_variable(loop, entered);
    weir_stream at = values;
    for (uint64_t i = test_draw(&b->seed, 3) + 1; i; i--)
        at = draw_unary(b, at);
    if (depth == 0 && test_draw(&b->seed, 4) == 0) /* which counts in the upper half */
        at = draw_loop(b, at, 1);
    at = weir_map_with(at, &hop, one);
    if (test_draw(&b->seed, 2))
        at = draw_unary(b, at);
    weir_variable_set(values, weir_filter_with(at, &goes_on, one));
    weir_stream through = weir_filter_with(at, &is_through, one);
    if (test_draw(&b->seed, 2))
        through = draw_unary(b, through);
    return weir_leave(loop, through);
}

static void add_stream(building *b, weir_stream stream, uint64_t times)
{
    b->streams[b->count] = stream;
    b->times[b->count++] = times;
}

static void draw_operator(building *b)
{
    uint32_t a = (uint32_t)test_draw(&b->seed, b->count);
    uint32_t c = (uint32_t)test_draw(&b->seed, b->count);
    weir_stream in = b->streams[a];
    uint64_t times = b->times[a];
    b->used[a] = true;
    switch (test_draw(&b->seed, 9)) {
    case 0:
        if (times * 3 > TIMES_MAX)
            break;
        add_stream(b, weir_flat_map(in, &thrice), times * 3);
        return;
    case 1:
        if (times * b->workers > TIMES_MAX)
            break;
        if (test_draw(&b->seed, 2))
            add_stream(b, weir_broadcast(in), times * b->workers);
        else
            add_stream(b, weir_unary(in, WEIR_BROADCAST, &relay, &step_type, NULL),
                       times * b->workers);
        return;
    case 2:
    case 3:
        if (times + b->times[c] > TIMES_MAX)
            break;
        b->used[c] = true;
        add_stream(b, weir_concat(in, b->streams[c]), times + b->times[c]);
        return;
    case 4:
        add_stream(b, draw_loop(b, in, 0), times);
        return;
    case 5:
        add_stream(b, weir_delay(in, test_draw(&b->seed, 3)), times);
        return;
    default:
        break;
    }
    add_stream(b, draw_unary(b, in), times);
}

static void run_graph(weir_worker *worker, void *arg)
{
    graph *g = arg;
    building b = {.g = g, .seed = g->seed, .workers = weir_worker_count(worker)};
    weir_dataflow *flow = weir_dataflow_begin(worker, "random");
    for (int i = 0; i < SOURCES; i++)
        add_stream(&b, weir_generate(flow, &step_type, give, sizeof(source_state), g), 1);
    for (uint32_t i = 0; i < g->operators; i++)
        draw_operator(&b);
    for (uint32_t i = 0; i < b.count; i++) {
        if (b.used[i] && test_draw(&b.seed, 4))
            continue;
        if (weir_worker_index(worker) == 0)
            g->sinks[i].times = b.times[i];
        weir_sink(b.streams[i], draw_route(&b), &sink, &g->sinks[i]);
    }
    if (!test_end(flow))
        return;
    weir_run(worker);
    atomic_store(&g->spilled, atomic_load(&worker->process->waiting.spilled_bytes));
}

static uint64_t run_one(uint64_t seed, bool threads)
{
    uint64_t draws = seed;
    graph g = {.seed = seed * 77, .rows = 20 + test_draw(&draws, 300)};
    g.operators = 1 + (uint32_t)test_draw(&draws, STREAMS_MAX - SOURCES);
    weir_config config = {.workers = 1 + (uint32_t)test_draw(&draws, 4),
                          .deterministic = !threads,
                          .seed = seed};
    static const uint64_t few[] = {1, 300, 3000, 30000};
    wi_test_bounds = (wi_bounds){few[test_draw(&draws, 4)], few[test_draw(&draws, 4)], 0, "/tmp"};
    if (test_draw(&draws, 3) == 0)
        wi_test_bounds.waiting_bytes = few[test_draw(&draws, 4)];
    for (uint32_t i = 0; i < 16; i++)
        g.rounds[i / 8][i % 8] = (rounds){i < 8 ? 0 : 32, 1 + i % 8};
    weir_err *err = weir_execute(&config, run_graph, &g);
    ck_assert_msg(!err, "seed %llu: %s", (unsigned long long)seed, weir_err_message(err));
    uint64_t numbers = g.rows * config.workers;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        ck_assert_msg(g.sinks[i].rows == g.sinks[i].times * numbers,
                      "seed %llu: sink %u took %llu rows, not %llu", (unsigned long long)seed, i,
                      (unsigned long long)g.sinks[i].rows,
                      (unsigned long long)(g.sinks[i].times * numbers));
        ck_assert_msg(g.sinks[i].sum == g.sinks[i].times * (numbers * (numbers - 1) / 2),
                      "seed %llu: the sum of sink %u is wrong", (unsigned long long)seed, i);
    }
    return g.spilled;
}

static void run_many(uint64_t count, bool threads)
{
    uint64_t spilled = 0;
    for (uint64_t seed = first_seed; seed < first_seed + count; seed++)
        spilled += run_one(seed, threads);
    if (first_seed == 1)
        ck_assert_uint_gt(spilled, 0);
}

START_TEST(random_graphs_deterministically)
{
    run_many(test_sanitized() ? 60 : 250, false);
}
END_TEST

START_TEST(random_graphs_in_threads)
{
    run_many(test_sanitized() ? 30 : 120, true);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    printf("seeds from %llu\n", (unsigned long long)first_seed);
    TCase *cases = tcase_create("random flow control");
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, random_graphs_deterministically);
    tcase_add_test(cases, random_graphs_in_threads);
    return test_main("random flow control", cases);
}
