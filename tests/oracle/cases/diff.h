/* Incremental programs with the changes that go in and the changes that must come out, epoch
 * by epoch. What a case asks for is said in the words of its source; test_collections_cases.c
 * has the dataflows. Letters are numbers here: 'a' is 97.
 *
 * Where a case names a project, its data are from that project's tests, which are under the
 * Apache License 2.0; the others were made for this purpose. */
#ifndef WEIR_TESTS_ORACLE_CASES_DIFF_H
#define WEIR_TESTS_ORACLE_CASES_DIFF_H

#include <stdint.h>

typedef struct case_change {
    uint64_t epoch;
    int relation; /* by the order of case_table.relations; -1: expected */
    int64_t diff;
    int64_t row[6];
} case_change;

typedef struct case_table {
    const char *id;
    const char *relations;
    const case_change *changes;
    int count;
} case_table;

/* Reach(s,d):-Edge(s,d). Reach(s,d):-Reach(s,m),Edge(m,d). (flowlog-rs/flowlog,
 * tests/fixtures/datalog-inc/recursive_tc_delta, Apache-2.0) */
static const case_change tc_insert_delete[] = {
    {0, 0, 1, {1, 2}},   {0, 0, 1, {2, 3}},   {0, 0, 1, {3, 4}},   {1, 0, 1, {4, 5}},
    {2, 0, -1, {2, 3}},  {0, -1, 1, {1, 2}},  {0, -1, 1, {1, 3}},  {0, -1, 1, {1, 4}},
    {0, -1, 1, {2, 3}},  {0, -1, 1, {2, 4}},  {0, -1, 1, {3, 4}},  {1, -1, 1, {1, 5}},
    {1, -1, 1, {2, 5}},  {1, -1, 1, {3, 5}},  {1, -1, 1, {4, 5}},  {2, -1, -1, {1, 3}},
    {2, -1, -1, {1, 4}}, {2, -1, -1, {1, 5}}, {2, -1, -1, {2, 3}}, {2, -1, -1, {2, 4}},
    {2, -1, -1, {2, 5}},
};

/* Reach(x):-Seed(x). Reach(y):-Reach(x),Edge(x,y),!Blocked(y). (flowlog-rs/flowlog,
 * tests/fixtures/datalog-inc/recursive_neg_delta, Apache-2.0) */
static const case_change reach_antijoin_in_loop[] = {
    {0, 0, 1, {1}},  {0, 1, 1, {1, 2}}, {0, 1, 1, {2, 3}}, {0, 1, 1, {3, 4}}, {0, 2, 1, {3}},
    {1, 2, -1, {3}}, {2, 2, 1, {2}},    {0, -1, 1, {1}},   {0, -1, 1, {2}},   {1, -1, 1, {3}},
    {1, -1, 1, {4}}, {2, -1, -1, {2}},  {2, -1, -1, {3}},  {2, -1, -1, {4}},
};

/* MinDist(s,min 0):-Source(s). MinDist(y,min d+w):-MinDist(x,d),Edge(x,y,w). (flowlog-
 * rs/flowlog, tests/fixtures/datalog-inc/recursive_min_delta, Apache-2.0) */
static const case_change sssp_min_edge_delete[] = {
    {0, 0, 1, {1, 2, 5}},  {0, 0, 1, {1, 3, 1}}, {0, 0, 1, {3, 2, 1}}, {0, 0, 1, {2, 4, 2}},
    {0, 0, 1, {3, 4, 10}}, {0, 0, 1, {4, 5, 1}}, {0, 0, 1, {2, 5, 9}}, {0, 1, 1, {1}},
    {1, 0, -1, {3, 2, 1}}, {0, -1, 1, {1, 0}},   {0, -1, 1, {2, 2}},   {0, -1, 1, {3, 1}},
    {0, -1, 1, {4, 4}},    {0, -1, 1, {5, 5}},   {1, -1, -1, {2, 2}},  {1, -1, 1, {2, 5}},
    {1, -1, -1, {4, 4}},   {1, -1, 1, {4, 7}},   {1, -1, -1, {5, 5}},  {1, -1, 1, {5, 8}},
};

/* MaxDist(s,max 0):-Source(s). MaxDist(y,max d+w):-MaxDist(x,d),Edge(x,y,w). (flowlog-
 * rs/flowlog, tests/fixtures/datalog-inc/recursive_max_delta, Apache-2.0) */
static const case_change longest_path_max_edge_delete[] = {
    {0, 0, 1, {1, 2, 5}},  {0, 0, 1, {1, 3, 1}}, {0, 0, 1, {3, 2, 1}}, {0, 0, 1, {2, 4, 2}},
    {0, 0, 1, {3, 4, 10}}, {0, 0, 1, {4, 5, 1}}, {0, 0, 1, {2, 5, 9}}, {0, 1, 1, {1}},
    {1, 0, -1, {2, 5, 9}}, {0, -1, 1, {1, 0}},   {0, -1, 1, {2, 5}},   {0, -1, 1, {3, 1}},
    {0, -1, 1, {4, 11}},   {0, -1, 1, {5, 14}},  {1, -1, 1, {5, 12}},  {1, -1, -1, {5, 14}},
};

/* Reach(s,d):-Edge(s,d),Allowed(s),Allowed(d). Reach(s,d):-Reach(s,m),Edge(m,d),Allowed(d).
 * (flowlog-rs/flowlog, tests/fixtures/datalog-inc/recursive_join_delta, Apache-2.0) */
static const case_change reach_with_node_filter_delete[] = {
    {0, 0, 1, {1, 2}},   {0, 0, 1, {2, 3}},   {0, 0, 1, {3, 4}},   {0, 0, 1, {4, 5}},
    {0, 1, 1, {1}},      {0, 1, 1, {2}},      {0, 1, 1, {3}},      {0, 1, 1, {4}},
    {0, 1, 1, {5}},      {1, 1, -1, {3}},     {0, -1, 1, {1, 2}},  {0, -1, 1, {1, 3}},
    {0, -1, 1, {1, 4}},  {0, -1, 1, {1, 5}},  {0, -1, 1, {2, 3}},  {0, -1, 1, {2, 4}},
    {0, -1, 1, {2, 5}},  {0, -1, 1, {3, 4}},  {0, -1, 1, {3, 5}},  {0, -1, 1, {4, 5}},
    {1, -1, -1, {1, 3}}, {1, -1, -1, {1, 4}}, {1, -1, -1, {1, 5}}, {1, -1, -1, {2, 3}},
    {1, -1, -1, {2, 4}}, {1, -1, -1, {2, 5}}, {1, -1, -1, {3, 4}}, {1, -1, -1, {3, 5}},
};

/* EmpBudget(e,b):-Employee(e,d),Dept(d,b). (flowlog-rs/flowlog, tests/fixtures/datalog-
 * inc/join_delta, Apache-2.0) */
static const case_change join_both_sides_change[] = {
    {0, 0, 1, {1, 10}},     {0, 0, 1, {2, 10}},    {0, 0, 1, {3, 20}},     {0, 0, 1, {4, 20}},
    {0, 1, 1, {10, 5000}},  {0, 1, 1, {20, 8000}}, {1, 0, 1, {5, 10}},     {1, 0, -1, {3, 20}},
    {1, 1, -1, {20, 8000}}, {1, 1, 1, {20, 9000}}, {0, -1, 1, {1, 5000}},  {0, -1, 1, {2, 5000}},
    {0, -1, 1, {3, 8000}},  {0, -1, 1, {4, 8000}}, {1, -1, -1, {3, 8000}}, {1, -1, -1, {4, 8000}},
    {1, -1, 1, {4, 9000}},  {1, -1, 1, {5, 5000}},
};

/* Out(i,v):-Data(i,v). (flowlog-rs/flowlog, tests/fixtures/datalog-inc/abort, Apache-2.0) */
static const case_change txn_abort[] = {
    /* what epoch 0 would bring is given up before it is sent */
    {1, 0, 1, {4, 400}},
    {1, 0, 1, {5, 500}},
    {1, -1, 1, {4, 400}},
    {1, -1, 1, {5, 500}},
};

/* Reach(x):-Source(x). Reach(y):-Reach(x),Edge(x,y). (constructed) */
static const case_change reach_late_iteration_effect[] = {
    {0, 0, 1, {0}},     {0, 1, 1, {0, 1}},   {0, 1, 1, {1, 2}},  {0, 1, 1, {2, 3}},
    {0, 1, 1, {3, 4}},  {0, 1, 1, {4, 5}},   {0, 1, 1, {5, 6}},  {0, 1, 1, {6, 7}},
    {0, 1, 1, {7, 8}},  {0, 1, 1, {8, 9}},   {0, 1, 1, {9, 10}}, {1, 1, 1, {8, 100}},
    {2, 1, -1, {4, 5}}, {3, 1, 1, {0, 100}}, {0, -1, 1, {0}},    {0, -1, 1, {1}},
    {0, -1, 1, {2}},    {0, -1, 1, {3}},     {0, -1, 1, {4}},    {0, -1, 1, {5}},
    {0, -1, 1, {6}},    {0, -1, 1, {7}},     {0, -1, 1, {8}},    {0, -1, 1, {9}},
    {0, -1, 1, {10}},   {1, -1, 1, {100}},   {2, -1, -1, {5}},   {2, -1, -1, {6}},
    {2, -1, -1, {7}},   {2, -1, -1, {8}},    {2, -1, -1, {9}},   {2, -1, -1, {10}},
    {2, -1, -1, {100}}, {3, -1, 1, {100}},
};

/* Cnt(k,count):-R(k,v). (constructed) */
static const case_change count_to_zero[] = {
    {0, 0, 1, {97, 1}},   {0, 0, 1, {97, 2}},  {0, 0, 1, {98, 1}},   {1, 0, -1, {97, 1}},
    {2, 0, -1, {97, 2}},  {3, 0, 1, {98, 1}},  {0, -1, 1, {97, 2}},  {0, -1, 1, {98, 1}},
    {1, -1, -1, {97, 2}}, {1, -1, 1, {97, 1}}, {2, -1, -1, {97, 1}}, {3, -1, -1, {98, 1}},
    {3, -1, 1, {98, 2}},
};

/* MinMax(k,min,max):-R(k,v). (constructed) */
static const case_change min_max_retract_extreme[] = {
    {0, 0, 1, {97, 5}},      {0, 0, 1, {97, 3}},      {0, 0, 1, {97, 9}},
    {1, 0, -1, {97, 3}},     {2, 0, -1, {97, 9}},     {3, 0, -1, {97, 5}},
    {0, -1, 1, {97, 3, 9}},  {1, -1, -1, {97, 3, 9}}, {1, -1, 1, {97, 5, 9}},
    {2, -1, -1, {97, 5, 9}}, {2, -1, 1, {97, 5, 5}},  {3, -1, -1, {97, 5, 5}},
};

/* Top3 by value ascending, single group (electric-sql/d2ts,
 * packages/d2ts/tests/operators/topK-combined.test.ts, Apache-2.0) */
static const case_change top3_insert_evicts[] = {
    {0, 0, 1, {1, 100}},  {0, 0, 1, {2, 101}},   {0, 0, 1, {3, 102}},
    {1, 0, 1, {4, 97}},   {0, -1, 1, {1, 100}},  {0, -1, 1, {2, 101}},
    {0, -1, 1, {3, 102}}, {1, -1, -1, {3, 102}}, {1, -1, 1, {4, 97}},
};

/* RANK() OVER (PARTITION BY x ORDER BY y) <= 3 (risingwavelabs/risingwave,
 * e2e_test/streaming/group_top_n/main.slt mv_rank, Apache-2.0) */
static const case_change group_top3_rank_ties[] = {
    {0, 0, 1, {1, 1}},  {0, 0, 1, {1, 2}},  {0, 0, 1, {1, 3}},  {0, 0, 1, {1, 4}},
    {0, 0, 1, {1, 5}},  {0, 0, 1, {2, 1}},  {0, 0, 1, {2, 2}},  {0, 0, 1, {2, 3}},
    {0, 0, 1, {2, 4}},  {0, 0, 1, {2, 5}},  {0, 0, 1, {3, 1}},  {0, 0, 1, {3, 2}},
    {0, 0, 1, {3, 3}},  {0, 0, 1, {3, 4}},  {0, 0, 1, {3, 5}},  {0, 0, 1, {1, 3}},
    {0, 0, 1, {2, 3}},  {0, 0, 1, {3, 3}},  {0, -1, 1, {1, 1}}, {0, -1, 1, {1, 2}},
    {0, -1, 2, {1, 3}}, {0, -1, 1, {2, 1}}, {0, -1, 1, {2, 2}}, {0, -1, 2, {2, 3}},
    {0, -1, 1, {3, 1}}, {0, -1, 1, {3, 2}}, {0, -1, 2, {3, 3}},
};

/* distinct (electric-sql/d2ts, packages/d2ts/tests/operators/distinct.test.ts, Apache-2.0) */
static const case_change distinct_updates[] = {
    {0, 0, 1, {1, 97}},  {0, 0, 1, {1, 98}},  {1, 0, -1, {1, 98}}, {1, 0, 1, {1, 99}},
    {0, -1, 1, {1, 97}}, {0, -1, 1, {1, 98}}, {1, -1, 1, {1, 99}}, {1, -1, -1, {1, 98}},
};

/* CountDistinct(v2,count distinct v1) (risingwavelabs/risingwave,
 * e2e_test/streaming/aggregate/distinct_agg.slt mv2, Apache-2.0) */
static const case_change count_distinct_by_group[] = {
    {0, 0, 1, {1, 2, 3}}, {0, 0, 1, {1, 2, 4}}, {0, 0, 1, {5, 3, 8}}, {0, 0, 1, {2, 4, 4}},
    {0, -1, 1, {2, 1}},   {0, -1, 1, {3, 1}},   {0, -1, 1, {4, 1}},
};

/* t1 ASOF JOIN t2 ON t1.v1=t2.v1 AND t1.v2<=t2.v2 (nearest t2.v2, tie: smallest t2.v3)
 * (risingwavelabs/risingwave, e2e_test/streaming/join/asof_join.slt.part mv_rematch,
 * Apache-2.0) */
static const case_change asof_join_rematch_on_delete[] = {
    {0, 0, 1, {1, 5, 100}},
    {0, 1, 1, {1, 5, 10}},
    {0, 1, 1, {1, 8, 20}},
    {1, 1, -1, {1, 5, 10}},
    {2, 1, -1, {1, 8, 20}},
    {0, -1, 1, {1, 5, 100, 1, 5, 10}},
    {1, -1, -1, {1, 5, 100, 1, 5, 10}},
    {1, -1, 1, {1, 5, 100, 1, 8, 20}},
    {2, -1, -1, {1, 5, 100, 1, 8, 20}},
};

#define CASE(id, name, relations)                       \
    {                                                   \
        id, relations, name, sizeof name / sizeof *name \
    }
static const case_table diff_cases[] = {
    CASE("tc-insert-delete", tc_insert_delete, "edge"),
    CASE("reach-antijoin-in-loop", reach_antijoin_in_loop, "seed, edge, blocked"),
    CASE("sssp-min-edge-delete", sssp_min_edge_delete, "edge, source"),
    CASE("longest-path-max-edge-delete", longest_path_max_edge_delete, "edge, source"),
    CASE("reach-with-node-filter-delete", reach_with_node_filter_delete, "edge, allowed"),
    CASE("join-both-sides-change", join_both_sides_change, "employee, dept"),
    CASE("txn-abort", txn_abort, "data"),
    CASE("reach-late-iteration-effect", reach_late_iteration_effect, "source, edge"),
    CASE("count-to-zero", count_to_zero, "r"),
    CASE("min-max-retract-extreme", min_max_retract_extreme, "r"),
    CASE("top3-insert-evicts", top3_insert_evicts, "r"),
    CASE("group-top3-rank-ties", group_top3_rank_ties, "t"),
    CASE("distinct-updates", distinct_updates, "r"),
    CASE("count-distinct-by-group", count_distinct_by_group, "t"),
    CASE("asof-join-rematch-on-delete", asof_join_rematch_on_delete, "t1, t2"),
};
#undef CASE

#endif
