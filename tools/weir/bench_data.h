/* The data and the checks that a figure and its peer share, and the means to measure.
 * tests/peers/src/data.rs states the same in Rust; the two must agree to the bit.
 *
 * Data is a function of an index: row i of anything is made from bench_splitmix64(BENCH_SEED
 * + i), so that every worker makes its own part. Checks do not depend on the order of rows. */
#ifndef WEIR_TOOLS_BENCH_DATA_H
#define WEIR_TOOLS_BENCH_DATA_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define BENCH_SEED 42u
#define BENCH_GOLDEN 0x9e3779b97f4a7c15u

/* The splitmix64 output function, of an index rather than a state. */
static inline uint64_t bench_splitmix64(uint64_t index)
{
    uint64_t z = index * BENCH_GOLDEN + BENCH_GOLDEN;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t bench_fnv1a(const char *bytes, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/* A worker's part of a check, to be added to the others'. The weight depends on the worker,
 * so a row that was counted by the wrong one changes the total. */
static inline uint64_t bench_check_part(unsigned worker, uint64_t sum, uint64_t rows)
{
    return (2 * (uint64_t)worker + 1) * (sum + rows * BENCH_GOLDEN);
}

/* Folds several totals into one, where their order matters. */
uint64_t bench_check_fold(const uint64_t *parts, unsigned count);

static inline uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* exchange: each worker has BENCH_BUFFERS buffers of `batch` rows and sends a copy of buffer
 * e mod BENCH_BUFFERS in epoch e. Fills one of them. */
enum { BENCH_BUFFERS = 4 };
void bench_exchange_buffer(unsigned worker, unsigned buffer, uint64_t batch, uint64_t *rows_out);

/* round: epochs that pass before the clock starts. */
enum { BENCH_WARM_UP_ROUNDS = 2000 };

/* Row i of a collection of pairs. */
static inline void bench_pair(uint64_t i, uint64_t *a_out, uint64_t *b_out)
{
    *a_out = bench_splitmix64(BENCH_SEED + 2 * i);
    *b_out = bench_splitmix64(BENCH_SEED + 2 * i + 1);
}

/* What a change of row (a, b) at epoch `time` adds to a collection's check, times its diff. */
static inline uint64_t bench_change_hash(uint64_t a, uint64_t b, uint64_t time)
{
    return bench_splitmix64(a * 0xd6e8feb86659fd93u + b * 0xa0761d6478bd642fu +
                            time * 0xe7037ed1a0b428dbu);
}

/* Graphs: the ends of edge i. bfs: the search starts at node 0; the check folds the number of nodes
 * reached and the sum of their levels. */
static inline void bench_edge(uint64_t i, uint64_t nodes, uint32_t *src_out, uint32_t *dst_out)
{
    uint64_t src, dst;
    bench_pair(i, &src, &dst);
    *src_out = (uint32_t)(src % nodes);
    *dst_out = (uint32_t)(dst % nodes);
}

/* The part of [0, total) that belongs to one of `workers`. */
static inline uint64_t bench_share_begin(uint64_t total, unsigned worker, unsigned workers)
{
    return total * worker / workers;
}

/* The smallest sample that at least `percent` of all samples do not exceed. Sorted samples. */
uint32_t bench_percentile(const uint32_t *sorted, size_t count, unsigned percent);
void bench_sort_samples(uint32_t *samples, size_t count);

/* The most memory this process has had resident, in KB. */
uint64_t bench_peak_kb(void);

#endif
