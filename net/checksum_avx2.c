/* See checksum.h. Compiled with -mavx2: nothing may be in this file but what is called after
 * wi_checksum_has_avx2, so all of xxhash.h is inline here. */
#include "checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t wi_checksum_avx2(const wi_part *parts, uint32_t count)
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
