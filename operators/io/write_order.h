/* Rows that are kept to be written in order: sorted, equal ones together, their diffs added up.
 * So what is written depends on nothing but the data. Worker. */
#ifndef WEIR_OPERATORS_IO_WRITE_ORDER_H
#define WEIR_OPERATORS_IO_WRITE_ORDER_H

#include <weir/batch.h>

/* A row in a batch that is kept. */
typedef struct wi_update {
    const void *row;
    int64_t diff;
} wi_update;

/* All zeros: none. */
typedef struct wi_updates {
    wi_update *updates;
    uint32_t count, capacity;
    weir_batch **batches;
    uint32_t batch_count, batch_capacity;
} wi_updates;

/* Adds rows [begin, end) of a batch, which is retained. False: there are 2^32 and more. */
bool wi_updates_add(wi_updates *to, const weir_batch *batch, uint32_t begin, uint32_t end);
/* Sorts them and adds up; what adds up to nothing is gone. */
void wi_updates_settle(wi_updates *updates);
void wi_updates_fini(wi_updates *updates);

#endif
