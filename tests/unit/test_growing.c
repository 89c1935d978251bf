/* What only grows: the growing forms of distinct and min give what the others give, in loops
 * too, while rows are added over many epochs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/streams.h"
#include "operators/collection/row_set.h"

#define EDGE(F) F(u64, src) F(u64, dst)
#define SMALL(F) F(u32, src) F(u32, dst)
#define LABEL(F) F(u64, node) F(u64, label)
WEIR_ROW(edge, EDGE)
WEIR_ROW(small, SMALL)
WEIR_ROW(label, LABEL)

#define NODES 24
#define EDGES 60
#define EPOCHS 12
#define ROUNDS 3

WEIR_JOIN(extend, edge, edge, edge)
{
    *out = (edge){a->src, b->dst};
}

WEIR_JOIN(adopt, label, edge, label)
{
    *out = (label){b->dst, a->label};
}

WEIR_MAP(own_label, edge, label)
{
    *out = (label){in->src, in->src};
}

/* All pairs of which the second is reached from the first, in so many rounds (0: any): then it
 * matters at which times a pair is there. */
static weir_stream closure(weir_dataflow *flow, weir_stream edges, bool growing, uint64_t rounds)
{
    weir_loop *loop = weir_loop_begin(flow, "closure");
    if (rounds)
        weir_loop_rounds(loop, rounds);
    weir_stream edges_in = weir_enter(loop, edges), found = weir_variable(loop, edges_in);
    weir_stream pairs = growing ? weir_distinct_growing(found) : weir_distinct(found);
    weir_variable_set(found,
                      weir_join(pairs, WEIR_BY(edge, dst), edges_in, WEIR_BY(edge, src), &extend));
    return weir_leave(loop, pairs);
}

WEIR_JOIN(extend_small, small, small, small)
{
    *out = (small){a->src, b->dst};
}
WEIR_MAP(narrow, edge, small)
{
    *out = (small){(uint32_t)in->src, (uint32_t)in->dst};
}
WEIR_MAP(widen, small, edge)
{
    *out = (edge){in->src, in->dst};
}

/* The same of rows that are one word, of edges that come more than once. */
static weir_stream small_closure(weir_dataflow *flow, weir_stream edges, uint64_t rounds)
{
    weir_stream once = weir_distinct_growing(weir_map(weir_concat(edges, edges), &narrow));
    weir_loop *loop = weir_loop_begin(flow, "small");
    if (rounds)
        weir_loop_rounds(loop, rounds);
    weir_stream edges_in = weir_enter(loop, once), found = weir_variable(loop, edges_in);
    weir_stream pairs = weir_distinct_growing(found);
    weir_variable_set(found, weir_join(pairs, WEIR_BY(small, dst), edges_in, WEIR_BY(small, src),
                                       &extend_small));
    return weir_map(weir_leave(loop, pairs), &widen);
}

/* The least (greatest) node from which each node is reached. */
static weir_stream labels(weir_dataflow *flow, weir_stream edges, bool growing, bool least)
{
    weir_loop *loop = weir_loop_begin(flow, "labels");
    weir_stream edges_in = weir_enter(loop, edges);
    weir_stream offers = weir_variable(loop, weir_enter(loop, weir_map(edges, &own_label)));
    weir_stream (*best)(weir_stream, weir_key, weir_key, const weir_type *) =
        least ? (growing ? weir_group_min_growing : weir_group_min)
              : (growing ? weir_group_max_growing : weir_group_max);
    weir_stream found = best(offers, WEIR_BY(label, node), WEIR_BY(label, label), &label_type);
    weir_variable_set(offers,
                      weir_join(found, WEIR_BY(label, node), edges_in, WEIR_BY(edge, src), &adopt));
    return weir_leave(loop, found);
}

static weir_stream difference(weir_stream a, weir_stream b)
{
    return weir_consolidate(weir_concat(a, weir_negate(b)));
}

static void build(weir_dataflow *flow, weir_stream in, test_flow *test)
{
    weir_stream once = weir_distinct(in);
    test_watch(difference(weir_distinct_growing(in), once), &test->out[0]);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t rounds = i * ROUNDS;
        bool least = i;
        weir_stream pairs = closure(flow, once, false, rounds);
        test_watch(difference(closure(flow, once, true, rounds), pairs), &test->out[1 + 3 * i]);
        test_watch(difference(small_closure(flow, in, rounds), pairs), &test->out[2 + 3 * i]);
        test_watch(difference(labels(flow, once, true, least), labels(flow, once, false, least)),
                   &test->out[3 + 3 * i]);
    }
}

static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

START_TEST(growing_gives_what_the_others_give)
{
    uint64_t seed = 100 + (uint64_t)_i;
    edge rows[EDGES];
    uint64_t epochs[EDGES];
    for (int i = 0; i < EDGES; i++) {
        rows[i] = (edge){draw(&seed) % NODES, draw(&seed) % NODES};
        epochs[i] = (uint64_t)i * EPOCHS / EDGES;
    }
    test_flow test = {.type = &edge_type,
                      .rows = rows,
                      .epochs = epochs,
                      .count = EDGES,
                      .columns = _i % 3 == 0,
                      .flush_every = (uint32_t)_i % 5,
                      .build = build};
    const char *nothing[] = {"", "", "", "", "", "", ""};
    wi_set_tail_bytes = _i % 2 ? 1 : (size_t)8 << 20;
    test_flow_expect(&test, nothing, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("growing");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, growing_gives_what_the_others_give, 0, 25);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
