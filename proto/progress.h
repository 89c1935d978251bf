/* Changes to pointstamps as bytes: the message of progress.proto, in an encoding of its own.
 *
 *   message := count change*
 *   change  := head [location] [delta] [coordinate * dims of the location]
 *
 * Numbers are varints (7 bits a byte, lowest first, no longer than they need to be). The head
 * is one byte that says what follows: a delta of +1 or -1, the location of the change before,
 * and its time, are not written. What is written of location and time is the difference from
 * the change before (zigzag, modulo 2^64; before the first: all 0), since changes that belong
 * together are near each other. A usual change takes 1 to 4 bytes.
 *
 * There is one encoding for each list of changes, and the decoder accepts no other: what it
 * accepts encodes to the same bytes again. */
#ifndef WEIR_PROTO_PROGRESS_H
#define WEIR_PROTO_PROGRESS_H

#include <weir/time.h>

typedef struct wi_progress_change {
    uint32_t loc;
    int64_t delta;
    weir_time time; /* coordinates that the location does not have are 0 */
} wi_progress_change;

/* Which locations there are, and how many coordinates (1 to WEIR_DIMS_MAX) each has. */
typedef struct wi_progress_places {
    const uint8_t *dims;
    uint32_t count;
} wi_progress_places;

/* Changes that were decoded; to be used again and again. */
typedef struct wi_progress_batch {
    wi_progress_change *changes;
    uint32_t count, capacity;
} wi_progress_batch;

/* any. Room that is enough for so many changes. */
size_t wi_progress_bytes_max(uint32_t count);
/* any. Encodes into `bytes_out`, which has that room; returns how much of it was needed. */
size_t wi_progress_encode(const wi_progress_places *places, const wi_progress_change *changes,
                          uint32_t count, void *bytes_out);
/* any. Replaces what is in the batch. False: this is no such message, and the batch has
 * nothing. It never has room for more changes than there are bytes. */
bool wi_progress_decode(const wi_progress_places *places, const void *bytes, size_t count,
                        wi_progress_batch *batch);
void wi_progress_batch_fini(wi_progress_batch *batch);

#endif
