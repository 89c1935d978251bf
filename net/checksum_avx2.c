/* See checksum.h. Compiled with -mavx2. */
#include "checksum_with.h"

uint64_t wi_checksum_avx2(const wi_part *parts, uint32_t count)
{
    return checksum_of(parts, count);
}
