/* Small incremental programs with known answers (tests/oracle/cases/diff.h), each as a
 * dataflow of collections: the changes of every epoch must come out exactly, for 1, 2 and 4
 * workers and any batches. Set CASES_SEED to repeat a run.
 *
 * All relations have one row type, a tuple of six numbers; what a program does not use is
 * zero. Datalog relations are sets, hence weir_distinct at their ends. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#include "tests/oracle/cases/diff.h"
#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define RELATIONS_MAX 3

#define TUPLE(F) F(i64, a) F(i64, b) F(i64, c) F(i64, d) F(i64, e) F(i64, f)
#define PAIR(F) F(i64, a) F(i64, b)
WEIR_ROW(tuple, TUPLE)
WEIR_ROW(pair, PAIR)

#define BY_A WEIR_BY(tuple, a)
#define BY_B WEIR_BY(tuple, b)

static uint64_t seed = 1;

/* ---- programs --------------------------------------------------------------------------- */

typedef weir_stream program(weir_dataflow *flow, weir_stream *in);

WEIR_JOIN(onwards, tuple, tuple, tuple) /* (s, m) and (m, d) */
{
    *out = (tuple){.a = a->a, .b = b->b};
}

WEIR_JOIN(step, tuple, tuple, tuple) /* (m) and (m, d) */
{
    *out = (tuple){.a = b->b};
}

WEIR_JOIN(longer, tuple, tuple, tuple) /* (m, length) and (m, d, weight) */
{
    *out = (tuple){.a = b->b, .b = a->b + b->c};
}

WEIR_JOIN(side_by_side, tuple, tuple, tuple)
{
    *out = (tuple){.a = a->a, .b = a->b, .c = b->b};
}

WEIR_JOIN(budget, tuple, tuple, tuple) /* (employee, department) and (department, budget) */
{
    *out = (tuple){.a = a->a, .b = b->b};
}

WEIR_JOIN_SOME(not_before, tuple, tuple, tuple)
{
    *out = (tuple){a->a, a->b, a->c, b->a, b->b, b->c};
    return a->b <= b->b;
}

WEIR_MAP(at_start, tuple, tuple)
{
    *out = (tuple){.a = in->a};
}

WEIR_MAP(swapped, tuple, tuple)
{
    *out = (tuple){.a = in->b, .b = in->a};
}

WEIR_MAP(tuple_of_pair, pair, tuple)
{
    *out = (tuple){.a = in->a, .b = in->b};
}

static weir_stream transitive_closure(weir_dataflow *flow, weir_stream *in)
{
    weir_loop *loop = weir_loop_begin(flow, "closure");
    weir_stream edges = weir_enter(loop, in[0]);
    weir_stream pairs = weir_variable(loop, edges);
    weir_stream next = weir_join(pairs, BY_B, edges, BY_A, &onwards);
    next = weir_distinct(weir_concat(next, edges));
    weir_variable_replace(pairs, next);
    return weir_leave(loop, next);
}

static weir_stream reach(weir_dataflow *flow, weir_stream *in)
{
    weir_loop *loop = weir_loop_begin(flow, "reach");
    weir_stream roots = weir_enter(loop, in[0]);
    weir_stream reached = weir_variable(loop, roots);
    weir_stream next = weir_join(reached, BY_A, weir_enter(loop, in[1]), BY_A, &step);
    next = weir_distinct(weir_concat(next, roots));
    weir_variable_set(reached, next);
    return weir_leave(loop, next);
}

static weir_stream reach_unblocked(weir_dataflow *flow, weir_stream *in)
{
    weir_loop *loop = weir_loop_begin(flow, "reach");
    weir_stream roots = weir_enter(loop, in[0]);
    weir_stream reached = weir_variable(loop, roots);
    weir_stream next = weir_join(reached, BY_A, weir_enter(loop, in[1]), BY_A, &step);
    next = weir_antijoin(next, BY_A, weir_enter(loop, in[2]), BY_A);
    next = weir_distinct(weir_concat(next, roots));
    weir_variable_replace(reached, next);
    return weir_leave(loop, next);
}

static weir_stream path_lengths(weir_dataflow *flow, weir_stream *in, bool least)
{
    weir_loop *loop = weir_loop_begin(flow, "lengths");
    weir_stream starts = weir_enter(loop, weir_map(in[1], &at_start));
    weir_stream lengths = weir_variable(loop, starts);
    weir_stream next = weir_join(lengths, BY_A, weir_enter(loop, in[0]), BY_A, &longer);
    next = weir_concat(next, starts);
    next = weir_map(least ? weir_group_min(next, BY_A, BY_B, &pair_type)
                          : weir_group_max(next, BY_A, BY_B, &pair_type),
                    &tuple_of_pair);
    weir_variable_replace(lengths, next);
    return weir_leave(loop, next);
}

static weir_stream shortest(weir_dataflow *flow, weir_stream *in)
{
    return path_lengths(flow, in, true);
}

static weir_stream longest(weir_dataflow *flow, weir_stream *in)
{
    return path_lengths(flow, in, false);
}

static weir_stream allowed_closure(weir_dataflow *flow, weir_stream *in)
{
    weir_stream edges = weir_semijoin(in[0], BY_A, in[1], BY_A);
    edges = weir_semijoin(edges, BY_B, in[1], BY_A);
    return transitive_closure(flow, &edges);
}

static weir_stream budgets(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    return weir_distinct(weir_join(in[0], BY_B, in[1], BY_A, &budget));
}

static weir_stream as_it_is(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    return weir_distinct(in[0]);
}

static weir_stream counts(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    return weir_map(weir_group_count(in[0], BY_A, &pair_type), &tuple_of_pair);
}

static weir_stream least_and_greatest(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    weir_stream least = weir_map(weir_group_min(in[0], BY_A, BY_B, &pair_type), &tuple_of_pair);
    weir_stream most = weir_map(weir_group_max(in[0], BY_A, BY_B, &pair_type), &tuple_of_pair);
    return weir_join(least, BY_A, most, BY_A, &side_by_side);
}

static weir_stream top_three(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    return weir_group_top(in[0], WEIR_BY_NOTHING(tuple), WEIR_ASCENDING(tuple, b),
                          (weir_top){.limit = 3});
}

static weir_stream top_three_ranks(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    return weir_group_top(in[0], BY_A, WEIR_ASCENDING(tuple, b),
                          (weir_top){.limit = 3, .ties = WEIR_TIES_RANK});
}

static weir_stream count_distinct(weir_dataflow *flow, weir_stream *in)
{
    weir_stream values = weir_distinct(weir_map(in[0], &swapped));
    return counts(flow, &values);
}

static weir_stream nearest(weir_dataflow *flow, weir_stream *in)
{
    (void)flow;
    weir_stream later = weir_join(in[0], BY_A, in[1], BY_A, &not_before);
    return weir_group_first(later, WEIR_BY(tuple, a, b, c), WEIR_ASCENDING(tuple, e, f));
}

/* In the order of diff_cases. */
static program *const programs[] = {transitive_closure,
                                    reach_unblocked,
                                    shortest,
                                    longest,
                                    allowed_closure,
                                    budgets,
                                    as_it_is,
                                    reach,
                                    counts,
                                    least_and_greatest,
                                    top_three,
                                    top_three_ranks,
                                    as_it_is,
                                    count_distinct,
                                    nearest};
_Static_assert(sizeof programs / sizeof *programs == sizeof diff_cases / sizeof *diff_cases,
               "a program for each case");

/* ---- running one ------------------------------------------------------------------------ */

typedef struct running {
    const case_table *table;
    program *program;
    test_list out;
} running;

static tuple row_of(const case_change *change)
{
    const int64_t *r = change->row;
    return (tuple){r[0], r[1], r[2], r[3], r[4], r[5]};
}

/* Changes are dealt out among the workers; batches end and steps are made at random. */
static void feed(weir_worker *worker, const case_table *table, weir_input **inputs)
{
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    for (int c = 0; c < table->count; c++) {
        const case_change *change = &table->changes[c];
        if (change->relation < 0 || (uint32_t)c % workers != index)
            continue;
        weir_input *input = inputs[change->relation];
        if (change->epoch > weir_input_time(input)->at[0])
            for (int i = 0; i < RELATIONS_MAX; i++)
                if (i == change->relation || weir_random(worker) % 2)
                    if (change->epoch > weir_input_time(inputs[i])->at[0])
                        weir_input_advance(inputs[i], change->epoch);
        weir_out *out = weir_input_out(input);
        weir_out_time(out, &WEIR_EPOCH(change->epoch));
        weir_out_diff(out, change->diff);
        tuple_push(out, row_of(change));
        if (weir_random(worker) % 3 == 0)
            weir_input_flush(input);
        if (weir_random(worker) % 3 == 0)
            weir_step(worker);
    }
}

static void work(weir_worker *worker, void *arg)
{
    running *r = arg;
    weir_input *inputs[RELATIONS_MAX];
    weir_stream in[RELATIONS_MAX];
    weir_dataflow *flow = weir_dataflow_begin(worker, r->table->id);
    for (int i = 0; i < RELATIONS_MAX; i++)
        in[i] = weir_input_new(flow, &tuple_type, &inputs[i]);
    test_watch(r->program(flow, in), &r->out);
    if (!test_end(flow))
        return;
    feed(worker, r->table, inputs);
    for (int i = 0; i < RELATIONS_MAX; i++)
        weir_input_close(&inputs[i]);
    weir_run(worker);
}

static char *expected_text(const case_table *table)
{
    test_list list;
    test_list_init(&list, 1);
    for (int c = 0; c < table->count; c++) {
        const case_change *change = &table->changes[c];
        tuple row = row_of(change);
        if (change->relation < 0)
            test_list_add(&list, &tuple_type, &row, &WEIR_EPOCH(change->epoch), change->diff);
    }
    char *text = test_list_text(&list);
    test_list_fini(&list);
    return text;
}

START_TEST(each_case)
{
    running r = {.table = &diff_cases[_i], .program = programs[_i]};
    char *wants = expected_text(r.table);
    for (uint32_t workers = 1; workers <= 4; workers *= 2)
        for (uint64_t round = 0; round < 12; round++) {
            weir_config config = {
                .workers = workers, .deterministic = round % 3 != 0, .seed = seed + round};
            test_list_init(&r.out, 1);
            test_run(&config, work, &r);
            char *has = test_list_text(&r.out);
            ck_assert_msg(strcmp(wants, has) == 0,
                          "%s, %u workers, CASES_SEED=%llu: expected\n%sbut got\n%s", r.table->id,
                          workers, (unsigned long long)seed, wants, has);
            free(has);
            test_list_fini(&r.out);
        }
    free(wants);
}
END_TEST

int main(void)
{
    const char *given = getenv("CASES_SEED");
    if (given)
        seed = strtoull(given, NULL, 10);
    printf("CASES_SEED=%llu\n", (unsigned long long)seed);
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, each_case, 0, sizeof diff_cases / sizeof *diff_cases);
    return test_main("collections_cases", cases);
}
