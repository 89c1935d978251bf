/* Which checksum function to call. See checksum.h. */
#include "checksum_with.h"

uint64_t wi_checksum(const wi_part *parts, uint32_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return wi_checksum_avx2(parts, count);
#endif
    return checksum_of(parts, count);
}
