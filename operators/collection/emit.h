/* Changes at one time, made row by row and sent in batches: none has a column of diffs unless
 * its diffs differ, none has room for many more rows than are expected. */
#ifndef WEIR_OPERATORS_COLLECTION_EMIT_H
#define WEIR_OPERATORS_COLLECTION_EMIT_H

#include <weir/operator.h>

typedef struct wi_emit {
    weir_op *op;
    const weir_type *type;
    weir_time time;
    bool padded;
    uint64_t expected; /* rows that are still to come, at most; a hint */
    weir_batch *batch; /* being filled; may be NULL */
} wi_emit;

/* Sends on output 0, which must be allowed to until the end. */
void wi_emit_begin(wi_emit *emit, weir_op *op, const weir_type *type, const weir_time *time,
                   uint64_t expected);
/* Sends what is left. */
void wi_emit_end(wi_emit *emit);

/* The slow part of wi_emit_row: there is no batch, it is full, or its diffs are not all this. */
void wi_emit_prepare(wi_emit *emit, int64_t diff);

/* Where to write a row with this diff; its padding is zero. Texts are to be emit->batch's. */
static inline char *wi_emit_row(wi_emit *emit, int64_t diff)
{
    weir_batch *batch = emit->batch;
    if (WEIR_UNLIKELY(!batch || batch->count == batch->capacity ||
                      (diff != batch->diff && !batch->diffs))) {
        wi_emit_prepare(emit, diff);
        batch = emit->batch;
    }
    if (batch->diffs)
        batch->diffs[batch->count] = diff;
    char *row = (char *)batch->rows + (size_t)batch->count++ * batch->type->size;
    if (emit->padded)
        memset(row, 0, batch->type->size);
    return row;
}

#endif
