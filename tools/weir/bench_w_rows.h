/* The rows of the figures of windows, and what a result of a window adds to their check. Rows are a
 * function of their number, so that any number of workers makes the same ones, each its own part;
 * they come slightly out of order, and none of them is late. */
#ifndef WEIR_TOOLS_BENCH_W_ROWS_H
#define WEIR_TOOLS_BENCH_W_ROWS_H

#include "bench_worker.h"

#define BENCH_W_ROW(F) F(i64, ts) F(u64, key) F(u64, value)
WEIR_ROW(bench_w_row, BENCH_W_ROW)

enum {
    BENCH_W_RATE = 1000,   /* rows in a unit of event time (ms) */
    BENCH_W_SPREAD = 64,   /* a row is up to so much, less 1, behind */
    BENCH_W_WINDOW = 1000, /* tumbling windows, and the slides of hopping ones */
    BENCH_W_PANES = 60,    /* slides of a hopping window */
    BENCH_W_GAP = 250,     /* of sessions */
    BENCH_W_ROWS_A_CALL = 8192,
};
#define BENCH_W_BEGIN INT64_C(1700000000000)

static inline bench_w_row bench_w_make(uint64_t n, uint64_t keys)
{
    uint64_t hash = bench_splitmix64(BENCH_SEED + n);
    return (bench_w_row){.ts = BENCH_W_BEGIN + (int64_t)(n / BENCH_W_RATE) -
                               (int64_t)(hash % BENCH_W_SPREAD),
                         .key = (hash >> 32) * keys >> 32,
                         .value = hash >> 6 & 1023};
}

/* The watermark before row n: rows from there on are after it, so that none touches a session
 * that it closes, and results do not depend on how often watermarks are said. */
static inline int64_t bench_w_reached(uint64_t n)
{
    return BENCH_W_BEGIN + (int64_t)(n / BENCH_W_RATE) - BENCH_W_SPREAD;
}

/* What a result adds to the check. */
static inline uint64_t bench_w_hash(uint64_t key, int64_t start, int64_t end, uint64_t rows,
                                    uint64_t sum)
{
    return bench_change_hash(key + ((uint64_t)start << 24), rows + (sum << 24), (uint64_t)end);
}

/* What windows have of a key. */
typedef struct bench_w_sum {
    uint64_t key, rows, sum; /* no rows: not in use */
} bench_w_sum;

#endif
