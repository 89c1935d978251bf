/* The pool of chunks. See chunk.h. */
#include "chunk.h"

#include <pthread.h>
#include <stdlib.h>

#include "../base/alloc.h"
#include "../base/assert.h"

struct wi_chunk_pool {
    pthread_mutex_t lock;
    wi_chunk *spare; /* all below: under the lock */
    uint32_t spare_count, spare_max;
    uint32_t alive; /* chunks with somebody; and 1 for the owner of the pool */
};

wi_chunk_pool *wi_chunk_pool_new(uint32_t spare_max)
{
    wi_chunk_pool *pool = WI_NEW(wi_chunk_pool);
    pthread_mutex_init(&pool->lock, NULL);
    pool->spare_max = spare_max;
    pool->alive = 1;
    return pool;
}

/* any. Under the lock, which is released. */
static void leave(wi_chunk_pool *pool)
{
    bool last = --pool->alive == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    for (wi_chunk *next, *chunk = pool->spare; chunk; chunk = next) {
        next = chunk->next;
        wi_free(chunk);
    }
    pthread_mutex_destroy(&pool->lock);
    wi_free(pool);
}

void wi_chunk_pool_free(wi_chunk_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->spare_max = 0;
    leave(pool);
}

wi_chunk *wi_chunk_new(wi_chunk_pool *pool, size_t bytes)
{
    wi_chunk *chunk = NULL;
    pthread_mutex_lock(&pool->lock);
    pool->alive++;
    if (bytes <= WI_CHUNK_BYTES && pool->spare) {
        chunk = pool->spare;
        pool->spare = chunk->next;
        pool->spare_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!chunk) {
        size_t capacity = bytes <= WI_CHUNK_BYTES ? WI_CHUNK_BYTES : (bytes + 63) / 64 * 64;
        chunk = aligned_alloc(_Alignof(wi_chunk), sizeof *chunk + capacity);
        if (!chunk)
            wi_alloc_failed(sizeof *chunk + capacity);
        *chunk = (wi_chunk){.pool = pool, .capacity = capacity};
    }
    atomic_store_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}

void wi_chunk_retain(wi_chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
}

void wi_chunk_drop(wi_chunk *chunk)
{
    uint32_t refs = atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel);
    wi_assert(refs > 0, "a chunk is dropped as often as it was retained");
    if (refs > 1)
        return;
    wi_chunk_pool *pool = chunk->pool;
    pthread_mutex_lock(&pool->lock);
    bool keep = chunk->capacity == WI_CHUNK_BYTES && pool->spare_count < pool->spare_max;
    if (keep) {
        chunk->next = pool->spare;
        pool->spare = chunk;
        pool->spare_count++;
    }
    leave(pool);
    if (!keep)
        wi_free(chunk);
}
