/* Fast senders and slow receivers: what is on its way stays bounded, all of it arrives, and
 * nobody waits for ever. Bounds are small here (wi_test_bounds), so that they are reached with
 * little data; a test that hangs is ended by its time-out. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/runtime.h"
#include "tests/support/execution.h"
#include "tests/support/memory.h"

#define KILO(F) F(u64, value) F(u64, hops) F(weir_byte, pad, 1008)
WEIR_ROW(kilo, KILO)
_Static_assert(sizeof(kilo) == 1024, "a row is a kilobyte");

#define CREDIT (64 << 10)
#define QUEUE (64 << 10)
#define BURST 16 /* rows a source sends at a time */
#define EPOCH_ROWS 100

/* 2 and 4 workers, as threads and deterministically. */
static const weir_config ways[] = {
    {.workers = 2},
    {.workers = 4},
    {.workers = 2, .deterministic = true, .seed = 1},
    {.workers = 2, .deterministic = true, .seed = 2},
    {.workers = 4, .deterministic = true, .seed = 3},
    {.workers = 4, .deterministic = true, .seed = 4},
    {.workers = 3, .deterministic = true, .seed = 5},
};
#define WAYS (int)(sizeof ways / sizeof *ways)
#define WAYS_THREADS 2

typedef struct rig rig;
struct rig {
    weir_stream (*shape)(weir_stream rows, rig *r); /* between source and sink */
    uint64_t rows;        /* of each worker's source */
    uint64_t multiple;    /* how often each must arrive; 0: once */
    uint32_t slow_worker; /* UINT32_MAX: all */
    uint64_t slow_us;     /* for each batch */
    uint64_t slow_rows;   /* then it is slow no more; 0: always */
    uint64_t stop_after;  /* rows; 0: never */
    /* what happens */
    _Atomic(uint64_t) pushed, taken, sum, most, spilled;
    _Atomic(uint32_t) met;
    _Atomic(bool) blocked;
    double recovered; /* seconds: when it was slow no more */
    _Atomic(uint64_t) worked; /* rows that slow operators took */
};

static void begin(void)
{
    wi_test_bounds = (wi_bounds){.credit_bytes = CREDIT, .queue_bytes = QUEUE};
}

/* ---- the parts -------------------------------------------------------------------------- */

static weir_more give(weir_source *source, void *state, void *arg)
{
    rig *r = arg;
    uint64_t *given = state;
    weir_worker *worker = weir_source_worker(source);
    uint64_t first = weir_worker_index(worker) * r->rows;
    for (int i = 0; i < BURST && *given < r->rows; i++, ++*given) {
        if (*given % EPOCH_ROWS == 0)
            weir_source_advance(source, *given / EPOCH_ROWS);
        kilo row = {.value = first + *given};
        kilo_push(weir_source_out(source), row);
        uint64_t pushed = atomic_fetch_add(&r->pushed, 1) + 1, taken = atomic_load(&r->taken);
        if (pushed - taken > atomic_load(&r->most) && pushed > taken)
            atomic_store(&r->most, pushed - taken);
    }
    return *given < r->rows ? WEIR_MORE : WEIR_DONE;
}

static void note_spilled(weir_op *op)
{
    rig *r = weir_op_arg(op);
    atomic_store(&r->spilled, atomic_load(&weir_op_worker(op)->process->waiting.spilled_bytes));
}

static void take_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    rig *r = weir_op_arg(op);
    for (uint32_t i = 0; i < batch->count; i++)
        atomic_fetch_add(&r->sum, kilo_at(batch, i)->value);
    uint64_t taken = atomic_fetch_add(&r->taken, batch->count) + batch->count;
    if (r->stop_after && taken > r->stop_after)
        weir_op_stop(op, "has enough");
}

static const weir_operator sink = {.name = "sink", .batch = take_rows, .stop = note_spilled};

static bool is_slow(const rig *r, weir_worker *worker)
{
    return !worker->process->config.deterministic &&
           (r->slow_worker == UINT32_MAX || r->slow_worker == weir_worker_index(worker));
}

static void work_slowly(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    rig *r = weir_op_arg(op);
    uint64_t worked = atomic_fetch_add(&r->worked, batch->count);
    if (is_slow(r, weir_op_worker(op))) {
        if (!r->slow_rows || worked < r->slow_rows)
            usleep((useconds_t)r->slow_us);
        else if (r->recovered == 0)
            r->recovered = test_seconds();
    }
    weir_forward(op, 0, batch);
}

static const weir_operator slow = {.name = "slow", .batch = work_slowly};

static void pass_on(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_forward(op, 0, batch);
}

static const weir_operator pass = {.name = "pass", .batch = pass_on};
static const weir_operator light = {.name = "light", .stateless = true, .batch = pass_on};

WEIR_ROUTE(by_value, kilo)
{
    return in->value;
}

/* To the worker whose source it comes from, which is where it is. */
WEIR_ROUTE(to_itself, kilo)
{
    return in->value / ((rig *)arg)->rows;
}

WEIR_ROUTE(by_hops, kilo)
{
    return in->value + in->hops;
}

static weir_stream slowly(weir_stream in, weir_route route, rig *r)
{
    return weir_unary(in, route, &slow, &kilo_type, r);
}

static weir_stream passed(weir_stream in, weir_route route)
{
    return weir_unary(in, route, &pass, &kilo_type, NULL);
}

/* ---- running ---------------------------------------------------------------------------- */

static weir_dataflow *build(weir_worker *worker, rig *r)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "rig");
    weir_stream rows = weir_generate(flow, &kilo_type, give, sizeof(uint64_t), r);
    weir_sink(r->shape(rows, r), WEIR_LOCAL, &sink, r);
    test_end(flow);
    return flow;
}

static void run_rig(weir_worker *worker, void *arg)
{
    build(worker, arg);
    weir_run(worker);
}

static void check_all_arrived(const rig *r, uint64_t workers)
{
    uint64_t multiple = r->multiple ? r->multiple : 1, all = r->rows * workers;
    ck_assert_uint_eq(r->pushed, all);
    ck_assert_uint_eq(r->taken, all * multiple);
    ck_assert_uint_eq(r->sum, all * (all - 1) / 2 * multiple);
}

/* Rows that may be under way: for each of so many edges, of each worker to each, its credit and
 * batches that are just being filled or sent; for each of so many queues what they may have. */
static uint64_t bound(uint64_t workers, uint64_t edges, uint64_t queues)
{
    uint64_t credit = CREDIT / 1024 + 3 * BURST, queue = QUEUE / 1024 + 3 * BURST;
    return edges * workers * workers * credit + queues * workers * queue;
}

static void run_bounded(rig *r, const weir_config *config, uint64_t edges, uint64_t queues)
{
    test_run(config, run_rig, r);
    check_all_arrived(r, config->workers);
    uint64_t most = bound(config->workers, edges, queues);
    ck_assert_msg(most < r->rows * config->workers, "too few rows to see anything: %llu",
                  (unsigned long long)most);
    ck_assert_msg(r->most <= most, "%llu rows were under way, of at most %llu",
                  (unsigned long long)r->most, (unsigned long long)most);
}

/* ---- straight ways ---------------------------------------------------------------------- */

static weir_stream to_the_slow(weir_stream rows, rig *r)
{
    return slowly(rows, WEIR_ROUTED(&by_value, NULL), r);
}

START_TEST(a_slow_worker_holds_back_those_who_send_to_it)
{
    begin();
    rig r = {.shape = to_the_slow, .rows = 3000, .slow_worker = 1, .slow_us = 1000};
    run_bounded(&r, &ways[_i], 1, 1);
}
END_TEST

/* With the usual bounds. */
START_TEST(a_few_megabytes_are_under_way_at_most)
{
    wi_test_bounds = (wi_bounds){0};
    rig r = {.shape = to_the_slow, .rows = 16000, .slow_worker = 1, .slow_us = 1500};
    test_run(&ways[0], run_rig, &r);
    check_all_arrived(&r, 2);
    ck_assert_msg(r.most < 7000, "%llu kilobytes", (unsigned long long)r.most);
}
END_TEST

START_TEST(it_goes_on_at_full_speed_when_nobody_is_slow_any_more)
{
    begin();
    rig r = {.shape = to_the_slow, .rows = 20000, .slow_worker = 1, .slow_us = 3000, .slow_rows = 3000};
    test_run(&ways[_i], run_rig, &r);
    double end = test_seconds();
    check_all_arrived(&r, ways[_i].workers);
    ck_assert(r.recovered > 0);
    if (!test_sanitized())
        ck_assert_msg(end - r.recovered < 4, "%.1f s for what is left", end - r.recovered);
}
END_TEST

/* The exchange is stateless; what is slow comes behind it. */
static weir_stream through_an_exchange(weir_stream rows, rig *r)
{
    return slowly(weir_exchange_by(rows, &by_value, NULL), WEIR_LOCAL, r);
}

START_TEST(a_stateless_operator_in_between)
{
    begin();
    rig r = {.shape = through_an_exchange, .rows = 3000, .slow_worker = 0, .slow_us = 1000};
    run_bounded(&r, &ways[_i], 1, 2);
}
END_TEST

static weir_stream through_several(weir_stream rows, rig *r)
{
    weir_stream moved = weir_exchange_by(rows, &by_value, NULL);
    moved = weir_unary(moved, WEIR_LOCAL, &light, &kilo_type, NULL);
    moved = weir_exchange_by(moved, &by_hops, NULL);
    moved = weir_unary(moved, WEIR_GATHER(1), &light, &kilo_type, NULL);
    return slowly(moved, WEIR_LOCAL, r);
}

START_TEST(several_stateless_operators_in_between)
{
    begin();
    rig r = {.shape = through_several, .rows = 3000, .slow_worker = 1, .slow_us = 500};
    run_bounded(&r, &ways[_i], 3, 4);
}
END_TEST

/* What a worker sends to itself through an exchange is no credit's business: the queue behind
 * must hold it back. */
static weir_stream by_itself(weir_stream rows, rig *r)
{
    weir_stream moved = weir_exchange_by(rows, &to_itself, r);
    return slowly(passed(moved, WEIR_LOCAL), WEIR_GATHER(1), r);
}

START_TEST(rows_that_an_exchange_leaves_where_they_are)
{
    begin();
    rig r = {.shape = by_itself, .rows = 3000, .slow_worker = 1, .slow_us = 500};
    run_bounded(&r, &ways[_i], 2, 2);
}
END_TEST

static weir_stream chain(weir_stream rows, rig *r)
{
    for (int i = 0; i < 4; i++) {
        rows = passed(rows, WEIR_ROUTED(&by_value, NULL));
        rows = passed(rows, WEIR_ROUTED(&by_hops, NULL));
        rows = passed(rows, WEIR_LOCAL);
    }
    return slowly(rows, WEIR_ROUTED(&by_value, NULL), r);
}

START_TEST(a_long_chain_fills_up_from_its_end)
{
    begin();
    rig r = {.shape = chain, .rows = 6000, .slow_worker = 1, .slow_us = 300};
    test_run(&ways[_i], run_rig, &r);
    check_all_arrived(&r, ways[_i].workers);
}
END_TEST

/* ---- other routes ----------------------------------------------------------------------- */

static weir_stream to_all(weir_stream rows, rig *r)
{
    return slowly(rows, WEIR_BROADCAST, r);
}

static weir_stream to_all_lightly(weir_stream rows, rig *r)
{
    return slowly(weir_broadcast(rows), WEIR_LOCAL, r);
}

static weir_stream to_one(weir_stream rows, rig *r)
{
    return slowly(rows, WEIR_GATHER(1), r);
}

static weir_stream to_one_lightly(weir_stream rows, rig *r)
{
    return slowly(weir_gather(rows, 0), WEIR_LOCAL, r);
}

START_TEST(broadcast)
{
    begin();
    rig r = {.shape = to_all, .rows = 1000, .slow_worker = 1, .slow_us = 400};
    r.multiple = ways[_i].workers;
    test_run(&ways[_i], run_rig, &r);
    check_all_arrived(&r, ways[_i].workers);
    rig light_one = {.shape = to_all_lightly, .rows = 1000, .slow_worker = 0, .slow_us = 400};
    light_one.multiple = ways[_i].workers;
    test_run(&ways[_i], run_rig, &light_one);
    check_all_arrived(&light_one, ways[_i].workers);
}
END_TEST

START_TEST(gather)
{
    begin();
    rig r = {.shape = to_one, .rows = 3000, .slow_worker = 1, .slow_us = 300};
    run_bounded(&r, &ways[_i], 1, 1);
    rig light_one = {.shape = to_one_lightly, .rows = 3000, .slow_worker = 0, .slow_us = 300};
    run_bounded(&light_one, &ways[_i], 1, 2);
}
END_TEST

/* ---- forks and joins -------------------------------------------------------------------- */

static weir_stream diamond(weir_stream rows, rig *r)
{
    weir_stream a = passed(rows, WEIR_ROUTED(&by_value, NULL));
    weir_stream b = slowly(rows, WEIR_ROUTED(&by_hops, NULL), r);
    weir_stream c = weir_exchange_by(rows, &by_value, NULL);
    weir_stream all[] = {a, b, c, rows};
    return passed(weir_exchange_by(weir_concat_all(all, 4), &by_value, NULL), WEIR_GATHER(1));
}

START_TEST(diamonds)
{
    begin();
    rig r = {.shape = diamond, .rows = 1500, .multiple = 4, .slow_worker = 1, .slow_us = 500};
    test_run(&ways[_i], run_rig, &r);
    check_all_arrived(&r, ways[_i].workers);
}
END_TEST

#define EXPLODES 1000
WEIR_FLAT_MAP(explode, kilo, kilo)
{
    for (int i = 0; i < EXPLODES; i++)
        kilo_push(out, *in);
}

static weir_stream exploding(weir_stream rows, rig *r)
{
    return slowly(weir_flat_map(rows, &explode), WEIR_ROUTED(&by_hops, NULL), r);
}

/* A batch of 16 rows becomes 16 MB, whatever the credit is: but not several of them. */
START_TEST(an_explosion_before_an_exchange)
{
    begin();
    rig r = {.shape = exploding, .rows = 64, .multiple = EXPLODES, .slow_worker = 1, .slow_us = 30};
    test_run(&ways[_i], run_rig, &r);
    check_all_arrived(&r, ways[_i].workers);
}
END_TEST

/* ---- several edges, several dataflows --------------------------------------------------- */

typedef struct pair {
    rig a, b;
    _Atomic(uint64_t) a_taken; /* when all of b had arrived */
} pair;

static void look(weir_worker *worker, pair *p)
{
    if (atomic_load(&p->b.taken) == p->b.rows * weir_worker_count(worker) && !atomic_load(&p->a_taken))
        atomic_store(&p->a_taken, atomic_load(&p->a.taken) + 1);
}

static void two_ways_in_one(weir_worker *worker, void *arg)
{
    pair *p = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "two");
    weir_stream a = weir_generate(flow, &kilo_type, give, sizeof(uint64_t), &p->a);
    weir_stream b = weir_generate(flow, &kilo_type, give, sizeof(uint64_t), &p->b);
    weir_sink(p->a.shape(a, &p->a), WEIR_LOCAL, &sink, &p->a);
    weir_sink(p->b.shape(b, &p->b), WEIR_LOCAL, &sink, &p->b);
    test_end(flow);
    while (weir_step_or_park(worker, 1000000))
        look(worker, p);
}

static void two_dataflows(weir_worker *worker, void *arg)
{
    pair *p = arg;
    build(worker, &p->a);
    build(worker, &p->b);
    while (weir_step_or_park(worker, 1000000))
        look(worker, p);
}

static void check_pair(weir_worker_fn *run, const weir_config *config)
{
    begin();
    pair p = {.a = {.shape = to_the_slow, .rows = 4000, .slow_worker = 1, .slow_us = 2000},
              .b = {.shape = to_the_slow, .rows = 2000, .slow_worker = 99}};
    test_run(config, run, &p);
    check_all_arrived(&p.a, config->workers);
    check_all_arrived(&p.b, config->workers);
    if (!config->deterministic)
        ck_assert_msg(p.a_taken && p.a_taken < p.a.rows * config->workers,
                      "the fast one waited for the slow one");
}

START_TEST(one_edge_goes_on_while_another_is_slow)
{
    check_pair(two_ways_in_one, &ways[_i]);
}
END_TEST

START_TEST(one_dataflow_goes_on_while_another_is_slow)
{
    check_pair(two_dataflows, &ways[_i]);
}
END_TEST

/* Worker 1 builds the second dataflow when the first is complete: what is sent to it until then
 * is bounded, too. */
static void build_late(weir_worker *worker, void *arg)
{
    pair *p = arg;
    weir_dataflow *first = build(worker, &p->b);
    if (weir_worker_index(worker) == 1) {
        while (weir_step_or_park(worker, 1000000) && !weir_dataflow_done(first)) {
        }
        for (int i = 0; i < 500; i++)
            weir_step(worker);
        if (!worker->process->config.deterministic)
            test_sleep_ms(50);
    }
    build(worker, &p->a);
    weir_run(worker);
}

START_TEST(a_dataflow_that_a_worker_builds_late)
{
    begin();
    pair p = {.a = {.shape = to_the_slow, .rows = 3000, .slow_worker = 99},
              .b = {.shape = to_the_slow, .rows = 1000, .slow_worker = 99}};
    test_run(&ways[_i], build_late, &p);
    check_all_arrived(&p.a, ways[_i].workers);
    check_all_arrived(&p.b, ways[_i].workers);
    ck_assert_uint_le(p.a.most, bound(ways[_i].workers, 1, 1));
}
END_TEST

/* ---- loops ------------------------------------------------------------------------------ */

#define ROUNDS 12

WEIR_FILTER(goes_on, kilo)
{
    return in->hops < ROUNDS;
}

WEIR_FILTER(is_through, kilo)
{
    return in->hops == ROUNDS;
}

WEIR_MAP(hop, kilo, kilo)
{
    *out = *in;
    out->hops++;
}

WEIR_MAP(start_again, kilo, kilo)
{
    *out = *in;
    out->hops = 0;
}

/* Everything goes round ROUNDS times, to another worker each time. */
static weir_stream go_round(weir_scope *scope, weir_stream rows, rig *r, bool slow_inside)
{
    weir_loop *loop = weir_loop_begin(scope, "round");
    weir_stream values = weir_variable(loop, weir_enter(loop, rows));
    weir_stream moved = weir_map(passed(values, WEIR_ROUTED(&by_hops, NULL)), &hop);
    if (slow_inside)
        moved = slowly(moved, WEIR_ROUTED(&by_value, NULL), r);
    weir_variable_set(values, weir_filter(moved, &goes_on));
    return weir_leave(loop, weir_filter(moved, &is_through));
}

static weir_stream loop_then_slow(weir_stream rows, rig *r)
{
    return slowly(go_round(rows.scope, rows, r, false), WEIR_GATHER(1), r);
}

static weir_stream slow_in_loop(weir_stream rows, rig *r)
{
    return go_round(rows.scope, rows, r, true);
}

static weir_stream nested(weir_stream rows, rig *r)
{
    weir_loop *outer = weir_loop_begin(rows.scope, "outer");
    weir_stream values = weir_variable(outer, weir_enter(outer, rows));
    weir_stream inner = go_round(outer, weir_map(values, &start_again), r, true);
    weir_stream through = weir_filter(weir_exchange_by(inner, &by_value, NULL), &is_through);
    weir_variable_set(values, weir_filter(through, &goes_on)); /* none: they are through */
    return weir_leave(outer, through);
}

START_TEST(loops_with_much_more_than_the_credit)
{
    begin();
    static weir_stream (*const shapes[])(weir_stream, rig *) = {loop_then_slow, slow_in_loop, nested};
    for (int i = 0; i < 3; i++) {
        rig r = {.shape = shapes[i], .rows = 600, .slow_worker = 1, .slow_us = 50};
        wi_test_bounds.credit_bytes = 3000;
        wi_test_bounds.queue_bytes = 3000;
        test_run(&ways[_i], run_rig, &r);
        check_all_arrived(&r, ways[_i].workers);
    }
}
END_TEST

/* ---- operators that keep things --------------------------------------------------------- */

/* Rows of a time, until it is complete. */
typedef struct kept {
    kilo *rows;
    uint32_t count, capacity;
} kept;

static void keep_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    kept *rows = weir_notify_state(op, &batch->time, sizeof *rows);
    wi_grow(&rows->rows, &rows->capacity, rows->count + batch->count, sizeof(kilo));
    memcpy(rows->rows + rows->count, batch->rows, batch->count * sizeof(kilo));
    rows->count += batch->count;
}

static void give_rows(weir_op *op, const weir_time *time, void *state)
{
    kept *rows = state;
    for (uint32_t i = 0; i < rows->count; i++)
        kilo_push(weir_send_at(op, 0, time), rows->rows[i]);
    wi_free(rows->rows);
}

static void discard_rows(weir_op *op, void *state)
{
    (void)op;
    wi_free(((kept *)state)->rows);
}

static const weir_operator keeping = {
    .name = "keeping", .batch = keep_rows, .notify = give_rows, .discard = discard_rows};

/* Gives on what comes later, from `run`, a row at a time, under a capability. */
typedef struct later {
    weir_capability *held;
    kilo *rows;
    uint32_t first, count, capacity;
} later;

static void take_for_later(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    later *self = weir_op_state(op);
    if (!self->held || !weir_time_le(weir_capability_time(self->held), &batch->time)) {
        weir_capability *earlier = weir_retain(op, 0, &batch->time);
        weir_capability_drop(self->held);
        self->held = earlier;
    }
    wi_grow(&self->rows, &self->capacity, self->count + batch->count, sizeof(kilo));
    memcpy(self->rows + self->count, batch->rows, batch->count * sizeof(kilo));
    self->count += batch->count;
    weir_activate(op);
}

static void give_some(weir_op *op)
{
    later *self = weir_op_state(op);
    for (int i = 0; i < BURST && self->first < self->count; i++)
        kilo_push(weir_send_at(op, 0, weir_capability_time(self->held)), self->rows[self->first++]);
    if (self->first < self->count) {
        weir_activate(op);
        return;
    }
    self->first = self->count = 0;
    weir_capability_drop(self->held);
    self->held = NULL;
}

static void stop_later(weir_op *op)
{
    wi_free(((later *)weir_op_state(op))->rows);
}

static const weir_operator delaying = {.name = "delaying",
                                       .state_bytes = sizeof(later),
                                       .batch = take_for_later,
                                       .run = give_some,
                                       .stop = stop_later};

static weir_stream keep_then_slow(weir_stream rows, rig *r)
{
    weir_stream held = weir_unary(rows, WEIR_ROUTED(&by_value, NULL), &keeping, &kilo_type, NULL);
    held = slowly(held, WEIR_ROUTED(&by_hops, NULL), r);
    held = weir_unary(held, WEIR_ROUTED(&by_value, NULL), &delaying, &kilo_type, NULL);
    held = weir_unary(held, WEIR_ROUTED(&by_hops, NULL), &keeping, &kilo_type, NULL);
    return slowly(held, WEIR_GATHER(0), r);
}

START_TEST(operators_with_capabilities_and_notifications)
{
    begin();
    rig r = {.shape = keep_then_slow, .rows = 1500, .slow_worker = UINT32_MAX, .slow_us = 200};
    test_run(&ways[_i], run_rig, &r);
    check_all_arrived(&r, ways[_i].workers);
}
END_TEST

/* ---- the end comes early ---------------------------------------------------------------- */

/* Worker 1 takes nothing until the others are blocked; then all drop the dataflow, and run
 * another one. */
static bool is_blocked(weir_worker *worker)
{
    for (uint32_t i = 0; i < worker->flow_count; i++)
        if (worker->flows[i]->any_blocked && worker->flows[i]->shorts)
            return true;
    return false;
}

static void drop_while_blocked(weir_worker *worker, void *arg)
{
    pair *p = arg;
    weir_dataflow *flow = build(worker, &p->a);
    bool takes = weir_worker_index(worker) != 1;
    for (int i = 0; !atomic_load(&p->a.blocked) && !weir_stopping(worker); i++) {
        if (takes) {
            weir_step(worker);
            if (is_blocked(worker))
                atomic_store(&p->a.blocked, true);
        } else if (worker->fiber) {
            wi_worker_step(worker); /* once, so that others get their turn */
            weir_step(worker);
        } else {
            test_sleep_ms(1);
        }
    }
    weir_dataflow_drop(flow);
    test_meet(worker, &p->a.met);
    build(worker, &p->b);
    weir_run(worker);
}

static weir_stream much_held(weir_stream rows, rig *r)
{
    return slowly(weir_flat_map(rows, &explode), WEIR_ROUTED(&by_value, NULL), r);
}

START_TEST(dataflows_dropped_while_batches_are_held)
{
    begin();
    int64_t before = -1;
    for (int i = 0; i < 3; i++) {
        pair p = {.a = {.shape = i % 2 ? much_held : to_the_slow, .rows = 100000, .slow_worker = 99},
                  .b = {.shape = to_the_slow, .rows = 500, .slow_worker = 99}};
        test_run(&ways[_i], drop_while_blocked, &p);
        ck_assert(p.a.blocked);
        ck_assert_uint_lt(p.a.taken, 100000 * ways[_i].workers);
        check_all_arrived(&p.b, ways[_i].workers);
        if (i == 1) {
            test_flush_cache();
            before = test_bytes_in_use();
        }
    }
    test_flush_cache();
    if (before >= 0)
        ck_assert_int_le(test_bytes_in_use() - before, 200 * 1024);
}
END_TEST

START_TEST(stopping_while_others_are_blocked)
{
    begin();
    static weir_stream (*const shapes[])(weir_stream, rig *) = {to_the_slow, through_several, chain,
                                                                keep_then_slow, much_held};
    for (int i = 0; i < 5; i++) {
        rig r = {.shape = shapes[i], .rows = 100000, .slow_worker = 1, .slow_us = 300};
        r.stop_after = 500;
        test_stops(&ways[_i], run_rig, &r, "has enough", NULL);
    }
}
END_TEST

/* ---- batches that wait in files --------------------------------------------------------- */

START_TEST(what_is_held_goes_to_a_file_and_comes_back)
{
    begin();
    wi_test_bounds.waiting_bytes = 100000;
    wi_test_bounds.directory = "/tmp";
    static weir_stream (*const shapes[])(weir_stream, rig *) = {exploding, loop_then_slow, nested,
                                                                keep_then_slow};
    static const uint64_t multiples[] = {EXPLODES, 1, 1, 1};
    uint64_t spilled = 0;
    for (int i = 0; i < 4; i++) {
        rig r = {.shape = shapes[i], .multiple = multiples[i], .rows = i ? 500 : 32,
                 .slow_worker = 1, .slow_us = 20};
        test_run(&ways[_i], run_rig, &r);
        check_all_arrived(&r, ways[_i].workers);
        spilled += r.spilled;
    }
    ck_assert_uint_gt(spilled, 1000000);
}
END_TEST

/* As a program is told to: by --memory. */
START_TEST(with_little_memory_the_answer_is_the_same)
{
    wi_test_bounds = (wi_bounds){0};
    weir_config config = ways[_i];
    config.memory_bytes = 4 << 20;
    config.spill = "/tmp";
    rig r = {.shape = exploding, .multiple = EXPLODES, .rows = 32, .slow_worker = 1, .slow_us = 20};
    test_run(&config, run_rig, &r);
    check_all_arrived(&r, config.workers);
    ck_assert_uint_gt(r.spilled, 1000000);
}
END_TEST

static int run_on_a_small_disk(void *arg)
{
    weir_config config = *(const weir_config *)arg;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){300000, 300000});
    config.memory_bytes = 1 << 20;
    config.spill = "/tmp";
    rig r = {.shape = exploding, .multiple = EXPLODES, .rows = 32, .slow_worker = 1, .slow_us = 20};
    return weir_report(weir_execute(&config, run_rig, &r), 3);
}

START_TEST(a_full_disk_stops_the_execution)
{
    begin();
    test_child child = test_child_run(run_on_a_small_disk, (void *)&ways[_i]);
    ck_assert_int_eq(child.code, 3);
    ck_assert_msg(strstr(child.err, "/tmp") && strstr(child.err, "--spill"), "%s", child.err);
    test_child_free(&child);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("flow control");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_slow_worker_holds_back_those_who_send_to_it, 0, WAYS);
    tcase_add_test(cases, a_few_megabytes_are_under_way_at_most);
    tcase_add_loop_test(cases, it_goes_on_at_full_speed_when_nobody_is_slow_any_more, 0,
                        WAYS_THREADS);
    tcase_add_loop_test(cases, a_stateless_operator_in_between, 0, WAYS);
    tcase_add_loop_test(cases, several_stateless_operators_in_between, 0, WAYS);
    tcase_add_loop_test(cases, rows_that_an_exchange_leaves_where_they_are, 0, WAYS);
    tcase_add_loop_test(cases, a_long_chain_fills_up_from_its_end, 0, WAYS);
    tcase_add_loop_test(cases, broadcast, 0, WAYS);
    tcase_add_loop_test(cases, gather, 0, WAYS);
    tcase_add_loop_test(cases, diamonds, 0, WAYS);
    tcase_add_loop_test(cases, an_explosion_before_an_exchange, 0, WAYS_THREADS + 1);
    tcase_add_loop_test(cases, one_edge_goes_on_while_another_is_slow, 0, WAYS);
    tcase_add_loop_test(cases, one_dataflow_goes_on_while_another_is_slow, 0, WAYS);
    tcase_add_loop_test(cases, a_dataflow_that_a_worker_builds_late, 0, WAYS);
    tcase_add_loop_test(cases, loops_with_much_more_than_the_credit, 0, WAYS);
    tcase_add_loop_test(cases, operators_with_capabilities_and_notifications, 0, WAYS);
    tcase_add_loop_test(cases, dataflows_dropped_while_batches_are_held, 0, WAYS);
    tcase_add_loop_test(cases, stopping_while_others_are_blocked, 0, WAYS);
    tcase_add_loop_test(cases, what_is_held_goes_to_a_file_and_comes_back, 0, WAYS_THREADS + 1);
    tcase_add_loop_test(cases, with_little_memory_the_answer_is_the_same, 0, WAYS_THREADS + 1);
    tcase_add_loop_test(cases, a_full_disk_stops_the_execution, 0, WAYS_THREADS + 1);
    return test_main("flow control", cases);
}
