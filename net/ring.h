/* Memory that two processes of one machine share, in place of a socket's buffers: a stream of bytes
 * each way, each a ring with one writer and one reader. No call here waits or asks the system for
 * anything, but for making and opening.
 *
 * Who is about to sleep says so (await); who then moves something is told that the other side has
 * to be woken, which is the caller's business. Both are sequentially consistent: either who sleeps
 * sees what was moved, or who moved sees that somebody sleeps (tests/models/ring.pml).
 *
 * Nothing that the other process writes there is believed: an index that cannot be is an error, and
 * bytes are copied once, before anybody looks at them.
 *
 *   operation                      thread
 *   read, await and rest of IN     any, one at a time
 *   write, await and rest of OUT   any, one at a time; beside the reader
 *   new, open, free                any, nobody in another call */
#ifndef WEIR_NET_RING_H
#define WEIR_NET_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "poller.h"

#define WI_RING_TAG_BYTES 32

/* Where the memory can be found: the descriptor of a process. Zeroed: there is none. */
typedef struct wi_ring_place {
    uint32_t pid, descriptor;
} wi_ring_place;

typedef struct wi_rings wi_rings;

/* any. Makes memory for `bytes` (a power of two, 4096 at least) each way that has this tag, and a
 * descriptor by which other processes of this user can open it; the caller closes it. NULL: the
 * system gives none. */
wi_rings *wi_rings_new(const unsigned char tag[WI_RING_TAG_BYTES], uint64_t bytes,
                       wi_ring_place *place_out);
/* any. The other end of it. NULL: there is nothing that this process can see and that has the tag
 * (the place may be another machine's, or another container's). */
wi_rings *wi_rings_open(const unsigned char tag[WI_RING_TAG_BYTES], wi_ring_place place);
/* any. NULL does nothing. */
void wi_rings_free(wi_rings *rings);

/* > 0: so many bytes were read. 0: there are none. -1: what the other side wrote cannot be. */
int64_t wi_rings_read(wi_rings *rings, void *to, size_t bytes);
/* > 0: so many bytes, perhaps not all, were written. 0: there is no room. -1: as above. */
int64_t wi_rings_write(wi_rings *rings, const struct iovec *pieces, size_t count);

/* This side is about to sleep until it can read (or write). False: it can now. */
bool wi_rings_await(wi_rings *rings, wi_way way);
/* It no longer sleeps. */
void wi_rings_rest(wi_rings *rings, wi_way way);
/* After something was read (or written): whether the other side waits for it. Says so once. */
bool wi_rings_awaited(wi_rings *rings, wi_way way);

#endif
