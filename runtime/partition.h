/* Spreading a batch's rows over one waiting batch per worker. */
#ifndef WEIR_RUNTIME_PARTITION_H
#define WEIR_RUNTIME_PARTITION_H

#include <weir/operator.h>

/* In all processes together. */
#define WI_WORKERS_ALL_MAX 1024

/* Which worker rows with a key of this hash are exchanged to. Hashes are spread evenly by their
 * upper half. */
static inline uint32_t wi_worker_of(uint64_t hash, uint32_t workers)
{
    return (uint32_t)((hash >> 32) * workers >> 32);
}

/* Whether all rows go to one worker, and to which: costs next to nothing if they do not. A batch of
 * no rows goes nowhere. */
bool wi_partition_is_one(const weir_route *route, const weir_batch *batch, uint32_t workers,
                         uint32_t *to_out);

/* Appends each row of the batch to the out of the worker that the route names. The outs
 * call their `full` when they have no room (or no batch yet). */
void wi_partition(const weir_route *route, const weir_batch *batch, weir_out *outs,
                  uint32_t workers);

#endif
