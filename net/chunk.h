/* Chunks: what links are received into. A chunk is counted by those who still look into it;
 * the last to drop it gives it back to the pool that it came from. */
#ifndef WEIR_NET_CHUNK_H
#define WEIR_NET_CHUNK_H

#include <stdatomic.h>

#include "mesh.h"

typedef struct wi_chunk_pool wi_chunk_pool;

struct wi_chunk {
    _Atomic(uint32_t) refs; /* any; the last drop acquires what the others released */
    wi_chunk_pool *pool;
    wi_chunk *next; /* in the pool */
    size_t capacity;
    _Alignas(64) char bytes[];
};

/* With its own fields, a megabyte. */
#define WI_CHUNK_BYTES (((size_t)1 << 20) - sizeof(wi_chunk))

/* any. Keeps up to `spare_max` chunks for later. */
wi_chunk_pool *wi_chunk_pool_new(uint32_t spare_max);
/* any. Chunks that are still retained stay; the last one of them takes the pool along. */
void wi_chunk_pool_free(wi_chunk_pool *pool);
/* any. A chunk with room for WI_CHUNK_BYTES, or for `bytes` if that is more; retained once. */
wi_chunk *wi_chunk_new(wi_chunk_pool *pool, size_t bytes);
/* any. Whether nobody but the caller has it. */
static inline bool wi_chunk_is_own(wi_chunk *chunk)
{
    return atomic_load_explicit(&chunk->refs, memory_order_acquire) == 1;
}

#endif
