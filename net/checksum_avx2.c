/* See checksum.h. Compiled with -mavx2: nothing may be in this file but what is called after
 * wi_checksum_has_avx2, so all of xxhash.h is inline here. */
#define XXH_INLINE_ALL
#include "checksum.h"

uint64_t wi_checksum_avx2(const wi_part *parts, uint32_t count)
{
    return wi_checksum_parts(parts, count);
}
