/* What joins send: pairs of rows, in blocks, through the user's kernel and straight into the
 * output's batches. Times and diffs of pairs cost something only where they differ. */
#ifndef WEIR_OPERATORS_COLLECTION_JOIN_EMIT_H
#define WEIR_OPERATORS_COLLECTION_JOIN_EMIT_H

#include "../trace/arrange.h"

#define WI_PAIRS 256 /* in a block */

typedef struct wi_pairs {
    weir_op *op;
    const weir_join_kernel *kernel;
    void *arg;
    weir_time at;     /* what the output is opened at: at or before the times of all pairs */
    weir_time *times; /* of the block's pairs, if they differ (WI_PAIRS) */
    int64_t *diffs;   /* the same */
    uint32_t kept[WI_PAIRS];
} wi_pairs;

/* Wraps around. */
static inline int64_t wi_diff_product(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* Rows [first, first + count) of a run as rows of its type: in place, or decoded to a buffer
 * that has room for them. */
const void *wi_pairs_rows(const wi_run *run, uint32_t first, uint32_t count, void *buffer);
/* The same for rows anywhere in a run. `words` has room for them, too. */
const void *wi_pairs_gather(const wi_run *run, const uint32_t *indexes, uint32_t count,
                            uint64_t *words, void *buffer);

void wi_pairs_init(wi_pairs *emit, weir_op *op, const weir_join_kernel *kernel, void *arg);
void wi_pairs_fini(wi_pairs *emit);
/* Sends what up to WI_PAIRS pairs give. `time` and `diff` are those of all; NULL: of pair i
 * they are times[i], diffs[i]. */
void wi_pairs_send(wi_pairs *emit, const void *a, size_t a_step, const void *b, size_t b_step,
                   uint32_t count, const weir_time *time, const int64_t *diff);

#endif
