/* Batches that wait, first in, first out. What is beyond the process's budget for waiting batches
 * goes to a file without a name, and comes back in order: once something is in the file, what is
 * added goes behind it, until all of it has been read. Worker. */
#ifndef WEIR_RUNTIME_SPOOL_H
#define WEIR_RUNTIME_SPOOL_H

#include <stdatomic.h>

#include "../base/batch.h"

typedef struct wi_waiting {
    weir_batch *batch;
    uint32_t from;  /* the worker that sent it */
    uint32_t bytes; /* what it counts for: wi_spool_weight */
} wi_waiting;

/* What spools of a process may have in memory together. */
typedef struct wi_spool_budget {
    size_t bytes_max;        /* 0: no bound, and no file */
    const char *directory;
    _Atomic(size_t) bytes;   /* in memory; relaxed: a bound, not a fact */
    _Atomic(uint64_t) spilled_bytes; /* written to files so far */
} wi_spool_budget;

typedef struct wi_spool {
    wi_waiting *ring; /* what is in memory and goes first: `count` from `head` on */
    uint32_t head, count, capacity; /* capacity: a power of two, or 0 */
    uint64_t bytes;   /* of all that waits, in memory and in the file */
    wi_spool_budget *budget;
    struct wi_spill *spill; /* NULL: nothing was ever spilled */
} wi_spool;

/* What a batch counts for: all that it keeps in memory, also if it is a view. */
uint32_t wi_spool_weight(const weir_batch *batch);

void wi_spool_init(wi_spool *spool, wi_spool_budget *budget);
/* Drops what waits. */
void wi_spool_fini(wi_spool *spool);
static inline bool wi_spool_empty(const wi_spool *spool)
{
    return !spool->count;
}
/* Takes the reference. An error (the file cannot be written) says what to do; then this batch is
 * lost, no other one is, and the execution must stop. */
weir_err *wi_spool_push(wi_spool *spool, wi_waiting entry);
/* The first one, whose reference is the caller's; there is one. `type` is that of all batches. An
 * error as above. */
weir_err *wi_spool_pop(wi_spool *spool, const weir_type *type, wi_waiting *entry_out);

#endif
