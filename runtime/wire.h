/* Batches as bytes: what is sent to another process, and what waits in a file. Rows and columns
 * are as they lie in memory, so nothing is converted and nothing copied on the way out; on the
 * way in a batch is its rows where they were received.
 *
 *   head | rows | times | diffs | table of texts | texts
 *
 * Each part begins on a multiple of 64 bytes. Handles of long texts hold the addresses that the
 * texts had with the sender; the table says from where to where those went, and whoever takes the
 * batch moves them. Both sides have the same type, byte order and version: the handshake and
 * the comparison of graphs saw to it. All lengths are checked nevertheless. */
#ifndef WEIR_RUNTIME_WIRE_H
#define WEIR_RUNTIME_WIRE_H

#include <weir/batch.h>

#include "../net/transport.h"

typedef struct wi_wire_head {
    uint32_t flow, op, input; /* which input of which operator it is for */
    uint32_t to, from;        /* workers */
    uint32_t count;           /* rows */
    uint32_t pieces;          /* of memory with texts */
    uint32_t weight;          /* what it counts for with the sender: wi_spool_weight */
    uint8_t has_times, has_diffs, unused[6];
    int64_t diff;
    uint64_t time[WEIR_DIMS_MAX];
    uint64_t reserved[6];
} wi_wire_head;
_Static_assert(sizeof(wi_wire_head) == 128, "the head is two cache lines");

/* A batch on its way out: keeps a reference to it. */
typedef struct wi_wire {
    wi_wire_head head;
    const weir_batch *batch;
    uint32_t count, capacity; /* of parts */
    size_t bytes;             /* of all parts */
    wi_part *parts;
    struct wi_wire_piece *table;
} wi_wire;

/* any. What is to be sent of a batch; flow, op, input, to and from are for the caller to fill in.
 * Takes the reference. */
wi_wire *wi_wire_new(weir_batch *batch);
void wi_wire_free(wi_wire *wire);

/* any. A batch of these bytes, which are lent by `lender`; or, if it is smaller than
 * WI_WIRE_LENT_MIN, a copy (then `lender` was released when this returns). NULL, and `lender` is
 * not released, if the bytes are no batch of the type. They may be written to; `bytes` is aligned
 * to 64. */
#define WI_WIRE_LENT_MIN (16 * 1024)
weir_batch *wi_wire_batch(const weir_type *type, char *bytes, size_t count,
                          void (*release)(void *lender), void *lender);

#endif
