/* Fast senders and slow receivers: what is on its way stays bounded, all of it arrives, and
 * nobody waits for ever. A test that hangs is ended by its time-out. */
#include "tests/support/rig.h"

/* Rows that may be under way: for each of so many edges, of each worker to each, its credit and
 * batches that are just being filled or sent; for each of so many queues what they may have. */
static uint64_t bound(uint64_t workers, uint64_t edges, uint64_t queues)
{
    uint64_t credit = CREDIT / 1024 + 3 * BURST, queue = QUEUE / 1024 + 3 * BURST;
    return edges * workers * workers * credit + queues * workers * queue;
}

static void run_bounded(rig *r, const weir_config *config, uint64_t edges, uint64_t queues)
{
    test_run(config, rig_run, r);
    rig_check_all_arrived(r, config->workers);
    uint64_t most = bound(config->workers, edges, queues);
    ck_assert_msg(most < r->rows * (r->only_first ? 1 : config->workers),
                  "too few rows to see anything: %llu", (unsigned long long)most);
    ck_assert_msg(r->most <= most, "%llu rows were under way, of at most %llu",
                  (unsigned long long)r->most, (unsigned long long)most);
}

/* ---- straight ways ---------------------------------------------------------------------- */

static weir_stream to_the_slow(weir_stream rows, rig *r)
{
    return rig_slowly(rows, WEIR_ROUTED(&by_value, NULL), r);
}

START_TEST(a_slow_worker_holds_back_those_who_send_to_it)
{
    rig_begin();
    rig r = {.shape = to_the_slow, .ordered = true, .rows = 3000, .slow_worker = 1,
             .slow_us = 600};
    run_bounded(&r, &rig_ways[_i], 1, 1);
}
END_TEST

/* With the usual bounds. */
START_TEST(a_few_megabytes_are_under_way_at_most)
{
    wi_test_bounds = (wi_bounds){0};
    rig r = {.shape = to_the_slow, .rows = 16000, .slow_worker = 1, .slow_us = 1500};
    test_run(&rig_ways[0], rig_run, &r);
    rig_check_all_arrived(&r, 2);
    ck_assert_msg(r.most < 7000, "%llu kilobytes", (unsigned long long)r.most);
}
END_TEST

START_TEST(it_goes_on_at_full_speed_when_nobody_is_slow_any_more)
{
    rig_begin();
    rig r = {.shape = to_the_slow, .rows = 20000, .slow_worker = 1, .slow_us = 2000,
             .slow_rows = 2000};
    test_run(&rig_ways[_i], rig_run, &r);
    double end = test_seconds();
    rig_check_all_arrived(&r, rig_ways[_i].workers);
    ck_assert(r.recovered > 0);
    if (!test_sanitized())
        ck_assert_msg(end - r.recovered < 4, "%.1f s for what is left", end - r.recovered);
}
END_TEST

/* The exchange is stateless; what is slow comes behind it. */
static weir_stream through_an_exchange(weir_stream rows, rig *r)
{
    return rig_slowly(weir_exchange_by(rows, &by_value, NULL), WEIR_LOCAL, r);
}

START_TEST(a_stateless_operator_in_between)
{
    rig_begin();
    rig r = {.shape = through_an_exchange, .ordered = true, .rows = 3000, .slow_worker = 0,
             .slow_us = 500};
    run_bounded(&r, &rig_ways[_i], 1, 2);
}
END_TEST

static weir_stream through_several(weir_stream rows, rig *r)
{
    weir_stream moved = weir_exchange_by(rows, &by_value, NULL);
    moved = rig_lightly(moved, WEIR_LOCAL);
    moved = weir_exchange_by(moved, &by_hops, NULL);
    moved = rig_lightly(moved, WEIR_GATHER(1));
    return rig_slowly(moved, WEIR_LOCAL, r);
}

START_TEST(several_stateless_operators_in_between)
{
    rig_begin();
    rig r = {.shape = through_several, .rows = 3000, .slow_worker = 1, .slow_us = 500};
    run_bounded(&r, &rig_ways[_i], 3, 4);
}
END_TEST

/* What a worker sends to itself through an exchange is no credit's business: the queue behind
 * must hold it back. */
static weir_stream by_itself(weir_stream rows, rig *r)
{
    weir_stream moved = weir_exchange_by(rows, &to_itself, r);
    return rig_slowly(rig_passed(moved, WEIR_LOCAL), WEIR_GATHER(1), r);
}

START_TEST(rows_that_an_exchange_leaves_where_they_are)
{
    rig_begin();
    rig r = {.shape = by_itself, .rows = 3000, .slow_worker = 1, .slow_us = 500};
    run_bounded(&r, &rig_ways[_i], 2, 2);
}
END_TEST

/* Worker 0 sends to worker 1, which passes it on to worker 2 inside the call. */
static weir_stream by_way_of_another(weir_stream rows, rig *r)
{
    weir_stream moved = weir_gather(weir_gather(rows, 1), 2);
    return rig_slowly(moved, WEIR_LOCAL, r);
}

START_TEST(a_worker_that_only_passes_on_passes_the_pressure_on)
{
    rig_begin();
    rig r = {.shape = by_way_of_another, .rows = 4000, .slow_worker = 2, .slow_us = 500};
    r.ordered = r.only_first = true;
    test_run(&rig_ways[1], rig_run, &r);
    rig_check_all_arrived(&r, 4);
    ck_assert_msg(r.most <= bound(1, 2, 3), "%llu rows were under way", (unsigned long long)r.most);
}
END_TEST

static weir_stream chain(weir_stream rows, rig *r)
{
    for (int i = 0; i < 4; i++) {
        rows = rig_passed(rows, WEIR_ROUTED(&by_value, NULL));
        rows = rig_passed(rows, WEIR_ROUTED(&by_hops, NULL));
        rows = rig_passed(rows, WEIR_LOCAL);
    }
    return rig_slowly(rows, WEIR_ROUTED(&by_value, NULL), r);
}

START_TEST(a_long_chain_fills_up_from_its_end)
{
    rig_begin();
    rig r = {.shape = chain, .rows = 6000, .slow_worker = 1, .slow_us = 300};
    test_run(&rig_ways[_i], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i].workers);
}
END_TEST

/* ---- other routes ----------------------------------------------------------------------- */

static weir_stream to_all(weir_stream rows, rig *r)
{
    return rig_slowly(rows, WEIR_BROADCAST, r);
}

static weir_stream to_all_lightly(weir_stream rows, rig *r)
{
    return rig_slowly(weir_broadcast(rows), WEIR_LOCAL, r);
}

static weir_stream to_one(weir_stream rows, rig *r)
{
    return rig_slowly(rows, WEIR_GATHER(1), r);
}

static weir_stream to_one_lightly(weir_stream rows, rig *r)
{
    return rig_slowly(weir_gather(rows, 0), WEIR_LOCAL, r);
}

START_TEST(broadcast)
{
    rig_begin();
    rig r = {.shape = to_all, .rows = 1000, .slow_worker = 1, .slow_us = 400};
    r.multiple = rig_ways[_i].workers;
    test_run(&rig_ways[_i], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i].workers);
    rig light_one = {.shape = to_all_lightly, .rows = 1000, .slow_worker = 0, .slow_us = 400};
    light_one.multiple = rig_ways[_i].workers;
    test_run(&rig_ways[_i], rig_run, &light_one);
    rig_check_all_arrived(&light_one, rig_ways[_i].workers);
}
END_TEST

START_TEST(gather)
{
    rig_begin();
    rig r = {.shape = to_one, .rows = 3000, .slow_worker = 1, .slow_us = 300};
    run_bounded(&r, &rig_ways[_i], 1, 1);
    rig light_one = {.shape = to_one_lightly, .rows = 3000, .slow_worker = 0, .slow_us = 300};
    run_bounded(&light_one, &rig_ways[_i], 1, 2);
}
END_TEST

/* ---- forks and joins -------------------------------------------------------------------- */

static weir_stream diamond(weir_stream rows, rig *r)
{
    weir_stream a = rig_passed(rows, WEIR_ROUTED(&by_value, NULL));
    weir_stream b = rig_slowly(rows, WEIR_ROUTED(&by_hops, NULL), r);
    weir_stream c = weir_exchange_by(rows, &by_value, NULL);
    weir_stream all[] = {a, b, c, rows};
    return rig_passed(weir_exchange_by(weir_concat_all(all, 4), &by_value, NULL), WEIR_GATHER(1));
}

START_TEST(diamonds)
{
    rig_begin();
    rig r = {.shape = diamond, .rows = 1500, .multiple = 4, .slow_worker = 1, .slow_us = 500};
    test_run(&rig_ways[_i], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i].workers);
}
END_TEST

static weir_stream exploding(weir_stream rows, rig *r)
{
    return rig_slowly(rig_exploded(rows), WEIR_ROUTED(&by_hops, NULL), r);
}

/* A batch of 16 rows becomes 16 MB, whatever the credit is: but not several of them. */
START_TEST(an_explosion_before_an_exchange)
{
    rig_begin();
    rig r = {.shape = exploding, .rows = 64, .multiple = EXPLODES, .slow_worker = 1, .slow_us = 30};
    test_run(&rig_ways[_i], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i].workers);
}
END_TEST

/* In order, although credit comes back while much is held. */
static weir_stream exploding_quickly(weir_stream rows, rig *r)
{
    return rig_slowly(rig_exploded(rows), WEIR_GATHER(1), r);
}

START_TEST(what_is_held_is_not_overtaken)
{
    rig_begin();
    rig r = {.shape = exploding_quickly, .rows = 64, .multiple = EXPLODES, .slow_worker = 99};
    r.ordered = true;
    wi_test_bounds.waiting_bytes = _i >= RIG_WAYS ? 1000000 : 0;
    wi_test_bounds.directory = "/tmp";
    test_run(&rig_ways[_i % RIG_WAYS], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i % RIG_WAYS].workers);
}
END_TEST

/* An operator whose queue is long already: it stops in the middle of it. */
static weir_stream queued_explosion(weir_stream rows, rig *r)
{
    weir_stream queued = rig_slowly(rig_exploded(rows), WEIR_LOCAL, r);
    return rig_passed(queued, WEIR_ROUTED(&by_value, NULL));
}

START_TEST(an_operator_with_a_long_queue_stops_in_the_middle)
{
    rig_begin();
    rig r = {.shape = queued_explosion, .rows = 64, .multiple = EXPLODES, .slow_worker = 99};
    test_run(&rig_ways[_i], rig_run, &r);
    rig_check_all_arrived(&r, rig_ways[_i].workers);
    ck_assert_msg(r.worked_most <= bound(rig_ways[_i].workers, 1, 1) * 2,
                  "%llu rows were under way", (unsigned long long)r.worked_most);
}
END_TEST

/* ---- several edges, several dataflows --------------------------------------------------- */

typedef struct pair {
    rig a, b;
    _Atomic(uint64_t) a_taken; /* when all of b had arrived */
} pair;

static void look(weir_worker *worker, pair *p)
{
    uint64_t all = p->b.rows * weir_worker_count(worker);
    if (atomic_load(&p->b.taken) == all && !atomic_load(&p->a_taken))
        atomic_store(&p->a_taken, atomic_load(&p->a.taken) + 1);
}

static void two_ways_in_one(weir_worker *worker, void *arg)
{
    pair *p = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "two");
    weir_stream a = rig_source(flow, &p->a), b = rig_source(flow, &p->b);
    rig_sink(a, &p->a);
    rig_sink(b, &p->b);
    test_end(flow);
    while (weir_step_or_park(worker, 1000000))
        look(worker, p);
}

static void two_dataflows(weir_worker *worker, void *arg)
{
    pair *p = arg;
    rig_build(worker, &p->a);
    rig_build(worker, &p->b);
    while (weir_step_or_park(worker, 1000000))
        look(worker, p);
}

static void check_pair(weir_worker_fn *run, const weir_config *config)
{
    rig_begin();
    pair p = {.a = {.shape = to_the_slow, .rows = 4000, .slow_worker = 1, .slow_us = 2000},
              .b = {.shape = to_the_slow, .rows = 2000, .slow_worker = 99}};
    test_run(config, run, &p);
    rig_check_all_arrived(&p.a, config->workers);
    rig_check_all_arrived(&p.b, config->workers);
    if (!config->deterministic)
        ck_assert_msg(p.a_taken && p.a_taken < p.a.rows * config->workers,
                      "the fast one waited for the slow one");
}

START_TEST(one_edge_goes_on_while_another_is_slow)
{
    check_pair(two_ways_in_one, &rig_ways[_i]);
}
END_TEST

START_TEST(one_dataflow_goes_on_while_another_is_slow)
{
    check_pair(two_dataflows, &rig_ways[_i]);
}
END_TEST

/* Worker 1 builds the second dataflow when the first is complete: what is sent to it until then
 * is bounded, too. */
static void build_late(weir_worker *worker, void *arg)
{
    pair *p = arg;
    weir_dataflow *first = rig_build(worker, &p->b);
    if (weir_worker_index(worker) == 1) {
        while (weir_step_or_park(worker, 1000000) && !weir_dataflow_done(first)) {
        }
        for (int i = 0; i < 500; i++)
            weir_step(worker);
        if (!worker->process->config.deterministic)
            test_sleep_ms(50);
    }
    rig_build(worker, &p->a);
    weir_run(worker);
}

START_TEST(a_dataflow_that_a_worker_builds_late)
{
    rig_begin();
    pair p = {.a = {.shape = to_the_slow, .rows = 3000, .slow_worker = 99},
              .b = {.shape = to_the_slow, .rows = 1000, .slow_worker = 99}};
    test_run(&rig_ways[_i], build_late, &p);
    rig_check_all_arrived(&p.a, rig_ways[_i].workers);
    rig_check_all_arrived(&p.b, rig_ways[_i].workers);
    ck_assert_uint_le(p.a.most, bound(rig_ways[_i].workers, 1, 1));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("flow control");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_slow_worker_holds_back_those_who_send_to_it, 0, RIG_WAYS);
    tcase_add_test(cases, a_few_megabytes_are_under_way_at_most);
    tcase_add_loop_test(cases, it_goes_on_at_full_speed_when_nobody_is_slow_any_more, 0,
                        RIG_WAYS_THREADS);
    tcase_add_loop_test(cases, a_stateless_operator_in_between, 0, RIG_WAYS);
    tcase_add_loop_test(cases, several_stateless_operators_in_between, 0, RIG_WAYS);
    tcase_add_loop_test(cases, rows_that_an_exchange_leaves_where_they_are, 0, RIG_WAYS);
    tcase_add_test(cases, a_worker_that_only_passes_on_passes_the_pressure_on);
    tcase_add_loop_test(cases, a_long_chain_fills_up_from_its_end, 0, RIG_WAYS);
    tcase_add_loop_test(cases, broadcast, 0, RIG_WAYS);
    tcase_add_loop_test(cases, gather, 0, RIG_WAYS);
    tcase_add_loop_test(cases, diamonds, 0, RIG_WAYS);
    tcase_add_loop_test(cases, an_explosion_before_an_exchange, 0, RIG_WAYS_THREADS + 1);
    tcase_add_loop_test(cases, what_is_held_is_not_overtaken, 0, 2 * RIG_WAYS);
    tcase_add_loop_test(cases, an_operator_with_a_long_queue_stops_in_the_middle, 0, RIG_WAYS);
    tcase_add_loop_test(cases, one_edge_goes_on_while_another_is_slow, 0, RIG_WAYS);
    tcase_add_loop_test(cases, one_dataflow_goes_on_while_another_is_slow, 0, RIG_WAYS);
    tcase_add_loop_test(cases, a_dataflow_that_a_worker_builds_late, 0, RIG_WAYS);
    return test_main("flow control", cases);
}
