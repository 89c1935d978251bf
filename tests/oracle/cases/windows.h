/* Event-time programs: what goes in, watermark by watermark, and the results that must come out, at
 * the watermark at which they do. test_windows_cases.c runs them. Watermarks here say, as in the
 * sources, that no row at or before them will come: weir's is one more.
 *
 * Where a case names a project, its data are from that project's tests, which are under the
 * Apache License 2.0; the others were made for this purpose. */
#ifndef WEIR_TESTS_ORACLE_CASES_WINDOWS_H
#define WEIR_TESTS_ORACLE_CASES_WINDOWS_H

#include <stdint.h>

#include <weir/window.h>

/* A row, or, without a key, a watermark. With a count: so many rows, each `apart` later and
 * of a value that is `more`. */
typedef struct window_step {
    const char *key;
    int64_t value, time;
    int count;
    int64_t apart, more;
    int64_t diff; /* 0: 1 */
    bool torn;    /* no step: the dataflow is torn down here, and built again from its state */
} window_step;

static inline bool window_step_is_watermark(const window_step *step)
{
    return !step->key && !step->torn;
}

#define PUT(its_key, its_value, its_time)                                                      \
    {.key = its_key, .value = its_value, .time = its_time}

#define TEAR {.torn = true}
#define TAKE(its_key, its_value, its_time)                                                     \
    {.key = its_key, .value = its_value, .time = its_time, .diff = -1}

/* `at` is the watermark; there may be none yet. */
typedef struct window_result {
    int64_t at;
    const char *key;
    int64_t values[4]; /* the last is not 0 if the result is taken back */
    int64_t start, end;
} window_result;
#define BACK(value) {value, [3] = 1}
#define NO_WATERMARK INT64_MIN

typedef struct window_case {
    const char *id;
    weir_windows how;
    const char *values; /* sum, count or all: count, min, max */
    const window_step *steps;
    int step_count;
    const window_result *results;
    int result_count;
} window_case;

/* tumble-ooo-restore (apache/flink, testTumblingEventTimeWindows, Apache-2.0): window fires when
 * watermark >= end-1; result timestamp = end-1; state survives snapshot/restore. */
static const window_step tumble_ooo_restore_steps[] = {
    PUT("key2", 1, 3999), PUT("key2", 1, 3000), PUT("key1", 1, 20), PUT("key1", 1, 0),
    PUT("key1", 1, 999), PUT("key2", 1, 1998), PUT("key2", 1, 1999), PUT("key2", 1, 1000),
    {.time = 999}, {.time = 1999}, TEAR, {.time = 2999}, {.time = 3999}, {.time = 4999},
    {.time = 5999}, {.time = 6999}, {.time = 7999},
};
static const window_result tumble_ooo_restore_results[] = {
    {2999, "key1", {3}, 0, 3000}, {2999, "key2", {3}, 0, 3000}, {5999, "key2", {2}, 3000, 6000},
};

/* session-ooo-restore (apache/flink, testSessionWindows, Apache-2.0): 5501 is 1 ms past the
 * touching point 5500, so a new session. */
static const window_step session_ooo_restore_steps[] = {
    PUT("key2", 1, 0), PUT("key2", 2, 1000), PUT("key2", 3, 2500), PUT("key1", 1, 10),
    PUT("key1", 2, 1000), TEAR, PUT("key1", 3, 2500), PUT("key2", 4, 5501),
    PUT("key2", 5, 6000), PUT("key2", 5, 6000), PUT("key2", 6, 6050), {.time = 12000},
    PUT("key2", 10, 15000),
    PUT("key2", 20, 15000), {.time = 17999},
};
static const window_result session_ooo_restore_results[] = {
    {12000, "key1", {6}, 10, 5500}, {12000, "key2", {6}, 0, 5500},
    {12000, "key2", {20}, 5501, 9050}, {17999, "key2", {30}, 15000, 18000},
};

/* session-lateness10-accum (apache/flink, testDropDueToLatenessSessionWithLateness, Apache-2.0):
 * late event merges into a fired-but-not-expired session: immediate refire at watermark 14600. */
static const window_step session_lateness10_accum_steps[] = {
    PUT("key2", 1, 1000), {.time = 1999}, PUT("key2", 1, 2000), {.time = 4998},
    PUT("key2", 1, 4500), PUT("key2", 1, 8500), {.time = 7400}, PUT("key2", 1, 7000),
    {.time = 11501}, PUT("key2", 1, 11600), {.time = 14600}, PUT("key2", 1, 10000),
    PUT("key2", 1, 14500), {.time = 20000}, {.time = 100000},
};
static const window_result session_lateness10_accum_results[] = {
    {11501, "key2", {5}, 1000, 11500}, {14600, "key2", {1}, 11600, 14600},
    {14600, "key2", {2}, 10000, 14600}, {20000, "key2", {3}, 10000, 17500},
};

/* session-hugelateness-accum (apache/flink, testDropDueToLatenessSessionWithHugeLateness,
 * Apache-2.0): late event bridges two already-fired sessions: one merged refire; a retracting
 * engine must also emit -1 for both earlier rows. */
static const window_step session_hugelateness_accum_steps[] = {
    PUT("key2", 1, 1000), {.time = 1999}, PUT("key2", 1, 2000), {.time = 4998},
    PUT("key2", 1, 4500), PUT("key2", 1, 8500), {.time = 7400}, PUT("key2", 1, 7000),
    {.time = 11501}, PUT("key2", 1, 11600), {.time = 14600}, PUT("key2", 1, 10000),
    PUT("key2", 1, 14500), {.time = 20000}, {.time = 100000},
};
static const window_result session_hugelateness_accum_results[] = {
    {11501, "key2", {5}, 1000, 11500}, {14600, "key2", {1}, 11600, 14600},
    {14600, "key2", {7}, 1000, 14600}, {20000, "key2", {8}, 1000, 17500},
};

/* tumble-lateness500-accumulating. */
static const window_step tumble_lateness500_accumulating_steps[] = {
    PUT("key2", 1, 500), {.time = 1500}, PUT("key2", 1, 1300), {.time = 2300},
    PUT("key2", 1, 1997), {.time = 6000}, PUT("key2", 1, 1998), {.time = 7000},
};
static const window_result tumble_lateness500_accumulating_results[] = {
    {2300, "key2", {2}, 0, 2000}, {2300, "key2", {3}, 0, 2000},
};

/* hop-zero-lateness-partial-drop (apache/flink, testDropDueToLatenessSliding, Apache-2.0): an
 * element late for one of its hop windows must still count in the others; it is 'late' for side
 * output only if late for all. */
static const window_step hop_zero_lateness_partial_drop_steps[] = {
    PUT("key2", 1, 1000), {.time = 1999}, PUT("key2", 1, 2000), {.time = 3000},
    PUT("key1", 1, 3001), PUT("key2", 1, 2400), PUT("key2", 1, 2400), PUT("key1", 1, 3001),
    PUT("key2", 1, 3900), {.time = 6000}, PUT("key1", 1, 3001), {.time = 25000},
};
static const window_result hop_zero_lateness_partial_drop_results[] = {
    {1999, "key2", {1}, -1000, 2000}, {3000, "key2", {2}, 0, 3000},
    {6000, "key2", {5}, 1000, 4000}, {6000, "key1", {2}, 1000, 4000},
    {6000, "key2", {4}, 2000, 5000}, {6000, "key1", {2}, 2000, 5000},
    {6000, "key2", {1}, 3000, 6000}, {6000, "key1", {2}, 3000, 6000},
};

/* cleanup-time-overflow (apache/flink, testCleanupTimeOverflow, Apache-2.0): window_end +
 * lateness wraps int64: must saturate, not clean up early (Flink window max ts =
 * Long.MAX-1808+... compute floor(ts/1000)*1000). */
static const window_step cleanup_time_overflow_steps[] = {
    PUT("key2", 1, 9223372036854774057), {.time = 9223372036854774307},
    {.time = 9223372036854774999},
};
static const window_result cleanup_time_overflow_results[] = {
    {9223372036854774999, "key2", {1}, 9223372036854774000, 9223372036854775000},
};

/* session-bridge-gap-exact (bytewax/bytewax, test_extend_merge / test_extend_forward_exact_gap,
 * Apache-2.0): distance == gap merges (inclusive) in Bytewax and Flink; Bytewax reports
 * close=last event (20000), Flink/Arroyo end=last+gap (30000). */
static const window_step session_bridge_gap_exact_steps[] = {
    PUT("k", 1, 0), PUT("k", 1, 20000), PUT("k", 1, 10000), {.time = 60000},
};
static const window_result session_bridge_gap_exact_results[] = {
    {60000, "k", {3}, 0, 30000},
};

/* hop-2s-10s-impulse (ArroyoSystems/arroyo, crates/arroyo-sql-testing/{src/test/queries/sliding_
 * window_end.sql,inputs/impulse.json,golden_outputs/sliding_window_end.json}, MIT OR
 * Apache-2.0): t0 = 2023-10-09T17:13:20Z; 100 events, 200 ms apart; ts in case = ms since t0 (t0
 * is a multiple of 2 s). */
static const window_step hop_2s_10s_impulse_steps[] = {
    {"all", 0, 0, 100, 200, 1, 1, false}, {.time = 4611686018427387904},
};
static const window_result hop_2s_10s_impulse_results[] = {
    {4611686018427387904, "all", {10, 0, 9}, -8000, 2000},
    {4611686018427387904, "all", {20, 0, 19}, -6000, 4000},
    {4611686018427387904, "all", {30, 0, 29}, -4000, 6000},
    {4611686018427387904, "all", {40, 0, 39}, -2000, 8000},
    {4611686018427387904, "all", {50, 0, 49}, 0, 10000},
    {4611686018427387904, "all", {50, 10, 59}, 2000, 12000},
    {4611686018427387904, "all", {50, 20, 69}, 4000, 14000},
    {4611686018427387904, "all", {50, 30, 79}, 6000, 16000},
    {4611686018427387904, "all", {50, 40, 89}, 8000, 18000},
    {4611686018427387904, "all", {50, 50, 99}, 10000, 20000},
    {4611686018427387904, "all", {40, 60, 99}, 12000, 22000},
    {4611686018427387904, "all", {30, 70, 99}, 14000, 24000},
    {4611686018427387904, "all", {20, 80, 99}, 16000, 26000},
    {4611686018427387904, "all", {10, 90, 99}, 18000, 28000},
};

/* session-20s-global-impulse (ArroyoSystems/arroyo,
 * crates/arroyo-sql-testing/src/test/queries/global_session_window.sql, MIT OR Apache-2.0). */
static const window_step session_20s_global_impulse_steps[] = {
    {"all", 1, 0, 100, 200, 0, 1, false}, {.time = 4611686018427387904},
};
static const window_result session_20s_global_impulse_results[] = {
    {4611686018427387904, "all", {100}, 0, 39800},
};

/* tumble30m-sum (risingwavelabs/risingwave, e2e_test/streaming/time_window.slt mv_tumble_agg_1,
 * Apache-2.0). */
static const window_step tumble30m_sum_steps[] = {
    PUT("all", 4, 36000000), PUT("all", 3, 36300000), PUT("all", 2, 36840000),
    PUT("all", 1, 37320000), PUT("all", 5, 37980000), PUT("all", 7, 38520000),
    PUT("all", 6, 39060000), PUT("all", 8, 39720000), {.time = 43200000},
};
static const window_result tumble30m_sum_results[] = {
    {43200000, "all", {10}, 36000000, 37800000}, {43200000, "all", {18}, 37800000, 39600000},
    {43200000, "all", {8}, 39600000, 41400000},
};

/* tumble30m-sum-by-uid (risingwavelabs/risingwave, e2e_test/streaming/time_window.slt
 * mv_tumble_agg_2, Apache-2.0). */
static const window_step tumble30m_sum_by_uid_steps[] = {
    PUT("u1", 4, 36000000), PUT("u3", 3, 36300000), PUT("u2", 2, 36840000), PUT("u1", 1, 37320000),
    PUT("u3", 5, 37980000), PUT("u2", 7, 38520000), PUT("u1", 6, 39060000), PUT("u3", 8, 39720000),
    {.time = 43200000},
};
static const window_result tumble30m_sum_by_uid_results[] = {
    {43200000, "u1", {5}, 36000000, 37800000}, {43200000, "u2", {2}, 36000000, 37800000},
    {43200000, "u3", {3}, 36000000, 37800000}, {43200000, "u1", {6}, 37800000, 39600000},
    {43200000, "u2", {7}, 37800000, 39600000}, {43200000, "u3", {5}, 37800000, 39600000},
    {43200000, "u3", {8}, 39600000, 41400000},
};

/* session-count-trigger-merge (apache/flink, testSessionWindowsWithCountTrigger, Apache-2.0):
 * merging two 3-element sessions with a bridging element merges trigger counts (7 >= 4) and fires
 * once. */
static const window_step session_count_trigger_merge_steps[] = {
    PUT("key2", 1, 0), PUT("key2", 2, 1000), PUT("key2", 3, 2500), PUT("key2", 4, 3500),
    PUT("key1", 1, 10), PUT("key1", 2, 1000), TEAR, PUT("key1", 3, 2500), PUT("key1", 1, 6000),
    PUT("key1", 2, 6500), PUT("key1", 3, 7000), PUT("key1", 10, 4500),
};
static const window_result session_count_trigger_merge_results[] = {
    {NO_WATERMARK, "key2", {10}, 0, 6500}, {NO_WATERMARK, "key1", {22}, 10, 10000},
};

/* session-continuous-trigger (apache/flink, testSessionWindowsWithContinuousEventTimeTrigger,
 * Apache-2.0): early at each 2000 behind the session's start; merging keeps what is due. */
static const window_step session_continuous_trigger_steps[] = {
    PUT("key1", 1, 1500), PUT("key2", 1, 0), PUT("key2", 3, 2500), PUT("key2", 2, 1000),
    {.time = 2500}, PUT("key2", 5, 4000), {.time = 3000}, TEAR, PUT("key1", 2, 4000),
    PUT("key2", 4, 3500), {.time = 4000},
};
static const window_result session_continuous_trigger_results[] = {
    {2500, "key1", {1}, 1500, 4500}, {2500, "key2", {6}, 0, 5500}, {4000, "key1", {3}, 1500, 7000},
    {4000, "key2", {15}, 0, 7000}, {INT64_MAX, "key1", {3}, 1500, 7000},
    {INT64_MAX, "key2", {15}, 0, 7000},
};

/* global-count-trigger (apache/flink, testCountTrigger, Apache-2.0): purging every 4 rows, of a
 * window that has no end. */
static const window_step global_count_trigger_steps[] = {
    PUT("key2", 1, 3000), PUT("key2", 1, 3999), PUT("key1", 1, 20), PUT("key1", 1, 0),
    PUT("key1", 1, 999), PUT("key2", 1, 1998), PUT("key2", 1, 1999), TEAR, PUT("key2", 1, 1000),
    PUT("key1", 1, 10999), PUT("key2", 1, 1000), PUT("key2", 1, 1000), PUT("key2", 1, 1000),
};
static const window_result global_count_trigger_results[] = {
    {NO_WATERMARK, "key2", {4}, INT64_MIN, INT64_MAX},
    {NO_WATERMARK, "key1", {4}, INT64_MIN, INT64_MAX},
    {NO_WATERMARK, "key2", {4}, INT64_MIN, INT64_MAX},
};

/* lateness-purging (apache/flink, testLateness, Apache-2.0): the rows since it last fired. */
static const window_step lateness_purging_steps[] = {
    PUT("key2", 1, 500), {.time = 1500}, PUT("key2", 1, 1300), {.time = 2300},
    PUT("key2", 1, 1997), {.time = 6000}, PUT("key2", 1, 1998), {.time = 7000},
};
static const window_result lateness_purging_results[] = {
    {2300, "key2", {2}, 0, 2000}, {2300, "key2", {1}, 0, 2000},
};

/* session-zero-lateness-purging (apache/flink, testDropDueToLatenessSessionZeroLatenessPurging-
 * Trigger, Apache-2.0). */
static const window_step session_zero_lateness_purging_steps[] = {
    PUT("key2", 1, 1000), {.time = 1999}, PUT("key2", 1, 2000), {.time = 4998},
    PUT("key2", 1, 4500), PUT("key2", 1, 8500), {.time = 7400}, PUT("key2", 1, 7000),
    {.time = 11501}, PUT("key2", 1, 11600), {.time = 14600}, PUT("key2", 1, 10000),
    PUT("key2", 1, 14500), {.time = 20000}, {.time = 100000},
};
static const window_result session_zero_lateness_purging_results[] = {
    {11501, "key2", {5}, 1000, 11500}, {14600, "key2", {1}, 11600, 14600},
    {20000, "key2", {1}, 14500, 17500},
};

/* Made: a window keeps counting from 0 after it has fired, and says everything when it closes. */
static const window_step tumble_count_then_close_steps[] = {
    PUT("a", 1, 0), PUT("a", 2, 9), PUT("b", 1, 5), PUT("a", 4, 3), {.time = 4}, PUT("a", 8, 8),
    PUT("a", 16, 12), {.time = 9}, {.time = 30},
};
static const window_result tumble_count_accumulates_results[] = {
    {NO_WATERMARK, "a", {3}, 0, 10}, {4, "a", {15}, 0, 10}, {9, "a", {15}, 0, 10},
    {9, "b", {1}, 0, 10}, {30, "a", {16}, 10, 20},
};
static const window_result tumble_count_discards_results[] = {
    {NO_WATERMARK, "a", {3}, 0, 10}, {4, "a", {12}, 0, 10}, {9, "b", {1}, 0, 10},
    {30, "a", {16}, 10, 20},
};
static const window_result tumble_count_retracts_results[] = {
    {NO_WATERMARK, "a", {3}, 0, 10}, {4, "a", BACK(3), 0, 10}, {4, "a", {15}, 0, 10},
    {9, "b", {1}, 0, 10}, {30, "a", {16}, 10, 20},
};

/* Made: each window that has a row counts it; a row taken away counts back. */
static const window_step hop_count_steps[] = {
    PUT("k", 1, 5), PUT("k", 2, 5), TAKE("k", 2, 5), PUT("k", 4, 12), {.time = 5},
    PUT("k", 8, 12), {.time = 100},
};
static const window_result hop_count_results[] = {
    {NO_WATERMARK, "k", {3}, -10, 10}, {NO_WATERMARK, "k", {3}, 0, 20},
    {5, "k", {12}, 10, 30},
};

/* Made: at every watermark at which a window has changed, but for its last. */
static const window_step hop_each_steps[] = {
    PUT("k", 1, 1), {.time = 3}, PUT("k", 2, 4), PUT("k", 4, 7), {.time = 7}, {.time = 8},
    PUT("k", 8, 2), {.time = 9}, PUT("k", 16, 3), {.time = 40},
};
static const window_result hop_each_results[] = {
    {NO_WATERMARK, "k", {1}, 0, 10}, {NO_WATERMARK, "k", {1}, -5, 5}, {3, "k", {7}, 0, 10},
    {3, "k", {3}, -5, 5}, {3, "k", {4}, 5, 15}, {8, "k", {15}, 0, 10}, {8, "k", {11}, -5, 5},
    {9, "k", {31}, 0, 10}, {9, "k", {27}, -5, 5},
};

/* Made: results of sessions that had closed are taken back when a late row makes one of them. */
static const window_step session_retracts_steps[] = {
    PUT("k", 1, 0), PUT("k", 2, 20), {.time = 40}, PUT("k", 4, 10), {.time = 41},
    PUT("k", 8, 38), {.time = 100},
};
static const window_result session_retracts_results[] = {
    {40, "k", {1}, 0, 10}, {40, "k", {2}, 20, 30}, {40, "k", BACK(1), 0, 10},
    {40, "k", BACK(2), 20, 30}, {40, "k", {7}, 0, 30}, {100, "k", {8}, 38, 48},
};

/* Made: a session that loses its middle is two, and none is left in the end. */
static const window_step session_exact_steps[] = {
    PUT("k", 1, 0), PUT("k", 2, 10), PUT("k", 4, 20), {.time = 25}, TAKE("k", 2, 10),
    {.time = 50}, TAKE("k", 4, 20), {.time = 60}, PUT("k", 8, 10), {.time = 100},
};
static const window_result session_exact_results[] = {
    {25, "k", {1}, 0, 10}, {50, "k", {4}, 20, 30}, {50, "k", BACK(4), 20, 30},
    {60, "k", BACK(1), 0, 10}, {60, "k", {9}, 0, 20},
};

/* Made: windows of four rows, each two rows; the order is that of watermarks, then of arrival. */
static const window_step count_slides_steps[] = {
    PUT("a", 1, 70), PUT("b", 1, 0), PUT("a", 2, 3), {.time = 10}, PUT("a", 8, 90),
    TAKE("a", 8, 90), PUT("a", 4, 1), PUT("a", 16, 1), PUT("a", 32, 5), PUT("a", 64, 5),
    {.time = 20}, PUT("b", 2, 0), PUT("b", 4, 0),
};
static const window_result count_slides_results[] = {
    {10, "a", {23}, 0, 4}, {10, "a", {116}, 2, 6},
};
static const window_result count_tumbles_results[] = {
    {NO_WATERMARK, "a", {3}, 0, 2}, {10, "a", {20}, 2, 4}, {10, "a", {96}, 4, 6},
    {20, "b", {3}, 0, 2},
};

#define CASE(id, values, ...) CASE_OF(id, id, values, __VA_ARGS__)
/* With the steps of another. */
#define CASE_OF(id, its, values, ...)                                                          \
    {#id, {__VA_ARGS__}, values, its##_steps, sizeof its##_steps / sizeof *its##_steps,        \
     id##_results, sizeof id##_results / sizeof *id##_results}
static const window_case window_cases[] = {
    CASE(tumble_ooo_restore, "sum", .kind = WEIR_TUMBLING, .size = 3000),
    CASE(session_ooo_restore, "sum", .kind = WEIR_SESSION, .gap = 3000),
    CASE(session_lateness10_accum, "sum", .kind = WEIR_SESSION, .gap = 3000, .lateness = 10),
    CASE(session_hugelateness_accum, "sum", .kind = WEIR_SESSION, .gap = 3000, .lateness = 10000),
    CASE(tumble_lateness500_accumulating, "sum", .kind = WEIR_TUMBLING, .size = 2000,
         .lateness = 500),
    CASE(hop_zero_lateness_partial_drop, "sum", .kind = WEIR_HOPPING, .size = 3000, .slide = 1000),
    CASE(cleanup_time_overflow, "sum", .kind = WEIR_TUMBLING, .size = 1000, .lateness = 2000),
    CASE(session_bridge_gap_exact, "sum", .kind = WEIR_SESSION, .gap = 10000),
    CASE(hop_2s_10s_impulse, "all", .kind = WEIR_HOPPING, .size = 10000, .slide = 2000),
    CASE(session_20s_global_impulse, "count", .kind = WEIR_SESSION, .gap = 20000),
    CASE(tumble30m_sum, "sum", .kind = WEIR_TUMBLING, .size = 1800000),
    CASE(tumble30m_sum_by_uid, "sum", .kind = WEIR_TUMBLING, .size = 1800000),
    CASE(session_count_trigger_merge, "sum", .kind = WEIR_SESSION, .gap = 3000,
         .output = WEIR_DISCARDING, .trigger = {.rows = 4, .not_on_close = true}),
    CASE(session_continuous_trigger, "sum", .kind = WEIR_SESSION, .gap = 3000,
         .trigger = {.every = 2000}),
    CASE(global_count_trigger, "sum", .kind = WEIR_GLOBAL, .output = WEIR_DISCARDING,
         .trigger = {.rows = 4, .not_on_close = true}),
    CASE(lateness_purging, "sum", .kind = WEIR_TUMBLING, .size = 2000, .lateness = 500,
         .output = WEIR_DISCARDING),
    CASE(session_zero_lateness_purging, "sum", .kind = WEIR_SESSION, .gap = 3000,
         .output = WEIR_DISCARDING),
    CASE_OF(tumble_count_accumulates, tumble_count_then_close, "sum", .kind = WEIR_TUMBLING,
            .size = 10, .trigger = {.rows = 2}),
    CASE_OF(tumble_count_discards, tumble_count_then_close, "sum", .kind = WEIR_TUMBLING,
            .size = 10, .trigger = {.rows = 2}, .output = WEIR_DISCARDING),
    CASE_OF(tumble_count_retracts, tumble_count_then_close, "sum", .kind = WEIR_TUMBLING,
            .size = 10, .trigger = {.rows = 2}, .output = WEIR_RETRACTING),
    CASE(hop_count, "sum", .kind = WEIR_HOPPING, .size = 20, .slide = 10,
         .trigger = {.rows = 2, .not_on_close = true}),
    CASE(hop_each, "sum", .kind = WEIR_HOPPING, .size = 10, .slide = 5, .lateness = 20,
         .trigger = {.each = true, .not_on_close = true}),
    CASE(session_retracts, "sum", .kind = WEIR_SESSION, .gap = 10, .lateness = 100,
         .output = WEIR_RETRACTING),
    CASE(session_exact, "sum", .kind = WEIR_SESSION, .gap = 10, .lateness = 100,
         .output = WEIR_RETRACTING, .exact = true),
    CASE(count_slides, "sum", .kind = WEIR_COUNT, .size = 4, .slide = 2),
    CASE_OF(count_tumbles, count_slides, "sum", .kind = WEIR_COUNT, .size = 2),
};

#endif
