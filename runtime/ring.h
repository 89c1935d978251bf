/* A ring from one worker to one other: single producer, single consumer, fixed size. It is
 * full when it has WI_RING_SLOTS envelopes, or WI_RING_BYTES_MAX of rows and texts.
 *
 *   operation   thread     excludes
 *   push        producer   push
 *   pop         consumer   pop
 *
 * Each side keeps a copy of the other's index and looks at the real one only when the copy
 * says full or empty, so a line moves between the cores once a batch of envelopes. The
 * producer's release of `tail` publishes the slots; the consumer's acquire of it takes
 * them; `head` goes back the same way. When a ring is full the producer keeps what does not
 * fit, in order, and tries again in its next step (worker.c). */
#ifndef WEIR_RUNTIME_RING_H
#define WEIR_RUNTIME_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/batch.h"

#define WI_RING_SLOTS 64
#define WI_RING_BYTES_MAX (1024 * 1024)

/* A batch on its way to an input of an operator on another worker. */
typedef struct wi_envelope {
    uint32_t flow, op, input;
    uint32_t from, bytes; /* the worker that sent it, and what it counts for (wi_spool_weight) */
    weir_batch *batch;
} wi_envelope;

typedef struct wi_ring {
    _Alignas(64) _Atomic(uint32_t) tail; /* written by the producer */
    uint32_t head_seen;                  /* the producer's copy */
    uint64_t bytes;                      /* the producer's: of all it has pushed so far */
    uint64_t before[WI_RING_SLOTS];      /* the producer's: `bytes` before each slot's batch */
    _Alignas(64) _Atomic(uint32_t) head; /* written by the consumer */
    uint32_t tail_seen;                  /* the consumer's copy */
    _Alignas(64) wi_envelope slots[WI_RING_SLOTS];
} wi_ring;

/* producer. As far as it has seen. */
static inline bool wi_ring_full(const wi_ring *ring, uint32_t tail)
{
    uint32_t count = tail - ring->head_seen;
    if (count == 0 || count == WI_RING_SLOTS)
        return count != 0;
    return ring->bytes - ring->before[ring->head_seen % WI_RING_SLOTS] >= WI_RING_BYTES_MAX;
}

/* producer. False if full. */
static inline bool wi_ring_push(wi_ring *ring, wi_envelope slot)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (wi_ring_full(ring, tail)) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (wi_ring_full(ring, tail))
            return false;
    }
    ring->before[tail % WI_RING_SLOTS] = ring->bytes;
    ring->bytes += wi_batch_bytes(slot.batch);
    ring->slots[tail % WI_RING_SLOTS] = slot;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

/* consumer. False if empty. */
static inline bool wi_ring_pop(wi_ring *ring, wi_envelope *slot_out)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen)
            return false;
    }
    *slot_out = ring->slots[head % WI_RING_SLOTS];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

/* consumer. */
static inline bool wi_ring_empty(wi_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_relaxed) ==
           atomic_load_explicit(&ring->tail, memory_order_acquire);
}

#endif
