/* Graphs that cannot be: that differ between workers, that are missing on one of them, that
 * do not fit together. Each is refused with a reason that names what and where. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"

#define WORD(F) F(weir_text, text)
WEIR_ROW(word, WORD)
#define PAIR(F) F(u64, a) F(u64, b)
WEIR_ROW(pair, PAIR)

WEIR_MAP(twice, num, num)
{
    out->value = in->value * 2;
}

WEIR_FILTER(odd, num)
{
    return in->value % 2;
}

static void pass_on(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    weir_forward(op, 0, batch);
}

static const weir_operator queued = {.name = "pass", .batch = pass_on};
static const weir_operator direct = {.name = "pass", .stateless = true, .batch = pass_on};

/* ---- differing between workers ---------------------------------------------------------- */

typedef struct difference {
    /* Builds on input rows; `other` on the last worker. */
    void (*build)(weir_dataflow *flow, weir_stream rows, bool other);
    const char *parts[4];
} difference;

static void map_or_filter(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)flow;
    rows = weir_map(rows, &twice);
    if (other)
        weir_filter(rows, &odd);
    else
        weir_map(rows, &twice);
}

static void one_or_two(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)flow;
    rows = weir_map(rows, &twice);
    if (!other)
        weir_filter(rows, &odd);
}

static void other_rows(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)rows;
    weir_input *input;
    if (other)
        weir_input_new(flow, &word_type, &input);
    else
        weir_input_new(flow, &num_type, &input);
}

static void other_edge(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)flow;
    weir_stream a = weir_unary(rows, WEIR_LOCAL, &queued, &num_type, NULL);
    weir_unary(other ? a : rows, WEIR_LOCAL, &queued, &num_type, NULL);
}

static void other_route(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)flow;
    weir_unary(rows, other ? WEIR_BROADCAST : WEIR_LOCAL, &queued, &num_type, NULL);
}

static void other_key(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)rows;
    weir_input *input;
    weir_stream pairs = weir_input_new(flow, &pair_type, &input);
    weir_exchange(pairs, other ? WEIR_BY(pair, b) : WEIR_BY(pair, a));
}

static void other_kind(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)flow;
    weir_unary(rows, WEIR_LOCAL, other ? &direct : &queued, &num_type, NULL);
}

static void other_delay(weir_dataflow *flow, weir_stream rows, bool other)
{
    (void)flow;
    weir_delay(rows, other ? 2 : 1);
}

static void other_step(weir_dataflow *flow, weir_stream rows, bool other)
{
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_add(1, 0, other ? 2 : 1));
    weir_feedback_set(back, weir_concat(rows, back));
}

static void other_scope(weir_dataflow *flow, weir_stream rows, bool other)
{
    weir_loop *outer = weir_loop_begin(flow, "outer"), *inner = weir_loop_begin(flow, "inner");
    weir_enter(other ? inner : outer, rows);
}

static const difference differences[] = {
    {map_or_filter, {"operator 2", "`filter odd`", "`map twice`"}},
    {one_or_two, {"operator 2", "nothing", "`filter odd`"}},
    {other_rows, {"operator 1", "`input`", "u64", "text"}},
    {other_edge, {"operator 2", "`pass`", "from operator 0", "from operator 1"}},
    {other_route, {"operator 1", "`pass`"}},
    {other_key, {"operator 2", "`exchange`"}},
    {other_kind, {"operator 1", "`pass`"}},
    {other_delay, {"operator 1", "`delay`"}},
    {other_step, {"operator 1", "`feedback`"}},
    {other_scope, {"operator 1", "`enter`", "outer", "inner"}},
};
#define DIFFERENCES (int)(sizeof differences / sizeof *differences)

static void build_difference(weir_worker *worker, void *arg)
{
    const difference *d = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "different");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    d->build(flow, rows, weir_worker_index(worker) == weir_worker_count(worker) - 1);
    test_end(flow);
}

START_TEST(graphs_that_differ_between_workers)
{
    const difference *d = &differences[_i / TEST_WAYS_ALONE];
    const weir_config *way = &test_ways[_i % TEST_WAYS_ALONE];
    if (way->workers == 1)
        test_run(way, build_difference, (void *)d);
    else
        test_stops(way, build_difference, (void *)d, "dataflow `different`",
                   way->workers == 2   ? "worker 1"
                   : way->workers == 3 ? "worker 2"
                                       : "worker 3",
                   d->parts[0], d->parts[1], d->parts[2] ? d->parts[2] : "", d->parts[3], NULL);
}
END_TEST

/* The exact words, where one worker is surely first. */
static void build_in_order(weir_worker *worker, void *arg)
{
    if (weir_worker_index(worker))
        test_sleep_ms(50);
    build_difference(worker, arg);
}

START_TEST(a_difference_is_told_in_these_words)
{
    test_stops(&(weir_config){.workers = 2}, build_in_order, (void *)&differences[0],
               "dataflow `different`: worker 1 built `filter odd` as operator 2, worker 0 built "
               "`map twice`; every worker must build the same graph",
               NULL);
}
END_TEST

/* ---- dataflows that differ -------------------------------------------------------------- */

static void build_named(weir_worker *worker, const char *name, uint32_t dims)
{
    static const char *const names[] = {"system", "valid"};
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, name);
    if (dims)
        weir_dataflow_dims(flow, names, dims);
    weir_input_new(flow, &num_type, &input);
    test_end(flow);
}

static bool is_last(weir_worker *worker)
{
    return weir_worker_index(worker) == weir_worker_count(worker) - 1;
}

static void other_order(weir_worker *worker, void *arg)
{
    (void)arg;
    build_named(worker, is_last(worker) ? "second" : "first", 0);
    build_named(worker, is_last(worker) ? "first" : "second", 0);
}

static void other_dims(weir_worker *worker, void *arg)
{
    (void)arg;
    build_named(worker, "dims", is_last(worker) ? 2 : 1);
}

static void other_dim_names(weir_worker *worker, void *arg)
{
    (void)arg;
    build_named(worker, "dims", is_last(worker) ? 1 : 0);
}

static void one_dataflow_less(weir_worker *worker, void *arg)
{
    (void)arg;
    build_named(worker, "first", 0);
    if (!is_last(worker))
        build_named(worker, "second", 0);
}

static void no_dataflow(weir_worker *worker, void *arg)
{
    (void)arg;
    if (is_last(worker))
        for (int i = 0; i < 100; i++)
            weir_step(worker);
    else
        build_named(worker, "first", 0);
}

START_TEST(dataflows_that_differ_between_workers)
{
    const weir_config *way = &test_ways[_i];
    if (way->workers == 1)
        return;
    test_stops(way, other_order, NULL, "`first`", "`second`", "same order", NULL);
    test_stops(way, other_dims, NULL, "`dims`", "worker ", NULL);
    test_stops(way, other_dim_names, NULL, "`dims`", "worker ", NULL);
    test_stops(way, one_dataflow_less, NULL, "`second`", "without building", NULL);
    test_stops(way, no_dataflow, NULL, "`first`", "without building", NULL);
}
END_TEST

/* ---- errors on one worker only, and the same one on all --------------------------------- */

static void fail_on_last(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "lonely");
    weir_input_new(flow, &num_type, &input);
    if (is_last(worker))
        weir_scope_fail(flow, "nothing works here");
    weir_err *err = weir_dataflow_end(flow);
    weir_err_free(err); /* not handed on: the others must not wait */
    weir_run(worker);
}

START_TEST(an_error_on_one_worker_stops_all)
{
    if (test_workers(_i) > 1)
        test_stops(&test_ways[_i], fail_on_last, NULL, "dataflow `lonely`: nothing works here",
                   NULL);
}
END_TEST

static void fail_everywhere(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "cyclic");
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_identity(1));
    weir_feedback_set(back, weir_map(back, &twice));
    weir_err_free(weir_dataflow_end(flow));
    weir_run(worker);
}

/* Whoever comes second must not hide the reason of the first. */
START_TEST(a_cycle_that_does_not_advance_is_named_by_all)
{
    if (test_workers(_i) > 1)
        for (int i = 0; i < 20; i++)
            test_stops(&test_ways[_i], fail_everywhere, NULL, "`cyclic`", "feedback", "map twice",
                       NULL);
}
END_TEST

/* ---- what does not fit together --------------------------------------------------------- */

typedef struct misfit {
    void (*build)(weir_dataflow *flow, weir_stream nums, weir_stream words, weir_stream elsewhere);
    const char *parts[4];
} misfit;

#define BUILD(name)                                                                 \
    static void name(WEIR_UNUSED weir_dataflow *flow, WEIR_UNUSED weir_stream nums, \
                     WEIR_UNUSED weir_stream words, WEIR_UNUSED weir_stream elsewhere)

/* Uses a stream that came out of a mistake in all ways that look into it. */
static void use(weir_stream stream)
{
    weir_probe_new(weir_map(stream, &twice));
    weir_on_reject(stream, WEIR_REJECT_SKIP);
    weir_rejects(stream);
    weir_unary(stream, WEIR_BROADCAST, &queued, &num_type, NULL);
    weir_capture_free(weir_capture_new(stream));
    weir_concat(stream, stream);
}

BUILD(map_of_other_rows)
{
    use(weir_map(words, &twice));
}

BUILD(route_of_other_rows)
{
    use(weir_unary(nums, WEIR_EXCHANGE(WEIR_BY(word, text)), &queued, &num_type, NULL));
}

BUILD(concat_of_other_rows)
{
    use(weir_concat(nums, words));
}

BUILD(stream_of_another_dataflow)
{
    use(weir_map(nums, &twice));
    weir_concat(nums, elsewhere);
}

BUILD(enter_of_another_dataflow)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    use(weir_enter(loop, elsewhere));
}

BUILD(leave_of_another_dataflow)
{
    weir_loop *loop = weir_loop_begin(flow, "loop");
    use(weir_leave(loop, elsewhere));
}

BUILD(union_of_another_dataflow)
{
    use(weir_union(flow, (weir_stream[]){nums, elsewhere}, 2));
}

BUILD(feedback_from_another_dataflow)
{
    weir_stream back = weir_feedback(flow, &num_type, weir_summary_add(1, 0, 1));
    weir_feedback_set(back, elsewhere);
    use(back);
}

BUILD(summary_of_other_dims)
{
    weir_builder *builder = weir_operator_begin(flow, &queued, NULL);
    weir_builder_input(builder, nums, WEIR_LOCAL);
    weir_stream out = weir_builder_output(builder, &num_type);
    weir_builder_summary(builder, 0, 0, weir_summary_add(2, 1, 1));
    weir_operator_end(builder);
    use(out);
}

BUILD(summary_of_no_port)
{
    weir_builder *builder = weir_operator_begin(flow, &queued, NULL);
    weir_builder_input(builder, nums, WEIR_LOCAL);
    weir_stream out = weir_builder_output(builder, &num_type);
    weir_builder_summary(builder, 0, 3, weir_summary_add(1, 0, 1));
    weir_operator_end(builder);
    use(out);
}

static const misfit misfits[] = {
    {map_of_other_rows, {"map `twice`", "num(value u64)", "word(text text)"}},
    {route_of_other_rows, {"`pass`", "input 0", "word(text text)", "num(value u64)"}},
    {concat_of_other_rows, {"concat", "num(value u64)", "word(text text)"}},
    {stream_of_another_dataflow, {"`concat`", "input 1", "dataflow `elsewhere`"}},
    {enter_of_another_dataflow, {"enter", "`elsewhere`", "`loop`"}},
    {leave_of_another_dataflow, {"leave", "`elsewhere`", "`loop`"}},
    {union_of_another_dataflow, {"`elsewhere`"}},
    {feedback_from_another_dataflow, {"feedback", "`elsewhere`"}},
    {summary_of_other_dims, {"`pass`", "2 to 2 coordinates", "has 1"}},
    {summary_of_no_port, {"`pass`", "output 3"}},
};
#define MISFITS (int)(sizeof misfits / sizeof *misfits)

/* The stream of another dataflow has an index that this one does not have. */
static void build_misfit(weir_worker *worker, void *arg)
{
    const misfit *m = arg;
    weir_input *input;
    weir_dataflow *other = weir_dataflow_begin(worker, "elsewhere");
    weir_stream elsewhere = weir_input_new(other, &num_type, &input);
    for (int i = 0; i < 100; i++)
        elsewhere = weir_map(elsewhere, &twice);
    if (!test_end(other))
        return;
    weir_dataflow *flow = weir_dataflow_begin(worker, "misfit");
    weir_stream nums = weir_input_new(flow, &num_type, &input);
    weir_stream words = weir_input_new(flow, &word_type, &input);
    m->build(flow, nums, words, elsewhere);
    test_end(flow);
}

START_TEST(what_does_not_fit_together)
{
    const misfit *m = &misfits[_i / TEST_WAYS_FEW];
    test_stops(&test_ways_few[_i % TEST_WAYS_FEW], build_misfit, (void *)m,
               "dataflow `misfit`: ", m->parts[0], m->parts[1] ? m->parts[1] : "",
               m->parts[2] ? m->parts[2] : "", m->parts[3], NULL);
}
END_TEST

/* ---- too late --------------------------------------------------------------------------- */

static void build_too_late(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "finished");
    weir_stream rows = weir_input_new(flow, &num_type, &input);
    if (!test_end(flow))
        return;
    weir_map(rows, &twice);
}

START_TEST(operators_are_not_added_to_a_finished_dataflow)
{
    test_stops(&test_ways[_i], build_too_late, NULL, "`finished`", "`map",
               "after weir_dataflow_end", NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("graphs");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, graphs_that_differ_between_workers, 0,
                        DIFFERENCES * TEST_WAYS_ALONE);
    tcase_add_test(cases, a_difference_is_told_in_these_words);
    tcase_add_loop_test(cases, dataflows_that_differ_between_workers, 0, TEST_WAYS_ALONE);
    tcase_add_loop_test(cases, an_error_on_one_worker_stops_all, 0, TEST_WAYS);
    tcase_add_loop_test(cases, a_cycle_that_does_not_advance_is_named_by_all, 0, TEST_WAYS);
    tcase_add_loop_test(cases, what_does_not_fit_together, 0, MISFITS * TEST_WAYS_FEW);
    tcase_add_loop_test(cases, operators_are_not_added_to_a_finished_dataflow, 0, TEST_WAYS);
    return test_main("graphs", cases);
}
