/* The body of a checksum function: XXH3 with what the including file is compiled for. All of
 * xxhash.h is inline there, so nothing of it is shared with code for other processors. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "checksum.h"

static inline uint64_t checksum_of(const wi_part *parts, uint32_t count)
{
    if (count == 1)
        return XXH3_64bits(parts[0].at, parts[0].bytes);
    static _Thread_local XXH3_state_t state; /* stacks of sanitizers do not align it */
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].bytes)
            XXH3_64bits_update(&state, parts[i].at, parts[i].bytes);
    return XXH3_64bits_digest(&state);
}
