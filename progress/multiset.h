/* A multiset of times whose counts may be negative for a while.
 *
 * Times stand in lexicographic order in blocks of at most WI_BLOCK_TIMES, so that epochs
 * that begin at the end and finish at the front, and also changes anywhere in a hundred
 * thousand times, cost a search and the shift of part of one block. Each block, and the
 * whole, knows a lower bound of its positive times: a pass that looks for minimal times
 * skips blocks, or ends, where the bound is covered by what it has found. Times of one
 * dimension take 16 bytes.
 *
 * Not a set of frontiers: only positive counts matter to the queries, and finding the
 * minimal times is left to whoever needs them, once for many changes. */
#ifndef WEIR_PROGRESS_MULTISET_H
#define WEIR_PROGRESS_MULTISET_H

#include <weir/time.h>

#define WI_BLOCK_TIMES 128

typedef struct wi_block wi_block;

typedef struct wi_multiset {
    wi_block **blocks; /* none is empty, except a single one */
    uint32_t count, capacity;
    int dims;
    uint32_t positive; /* times with a positive count; from 2 dimensions on */
    weir_time floor;
} wi_multiset;

/* Owns no memory until the first add. */
void wi_multiset_init(wi_multiset *set, int dims);
void wi_multiset_fini(wi_multiset *set);

/* Adds delta (not 0) to the count of time and returns the count it now has. */
int64_t wi_multiset_add(wi_multiset *set, const weir_time *time, int64_t delta);

/* One dimension: the least time with a positive count, or false if there is none. */
bool wi_multiset_least(const wi_multiset *set, uint64_t *least_out);

/* Replaces out by the minimal times among those with a positive count. */
void wi_multiset_minimal(wi_multiset *set, weir_antichain *out);

/* Appends to found (an empty antichain) the minimal ones among the positive times at or
 * after `from` that no element of front is at or before. */
void wi_multiset_uncovered(wi_multiset *set, const weir_time *from, const weir_antichain *front,
                           weir_antichain *found);

/* Calls tell for every time with its count (not 0), in order. */
void wi_multiset_each(const wi_multiset *set,
                      void (*tell)(void *arg, const weir_time *time, int64_t count), void *arg);

#endif
