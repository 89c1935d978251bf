/* XXH3 for processors with AVX2: the same numbers as XXH3_64bits gives, three times as fast as
 * with what a compiler may use for any x86-64. libxxhash's shared library has that choice, too,
 * but its archive, which the weir command is linked with, has not. */
#ifndef WEIR_NET_CHECKSUM_H
#define WEIR_NET_CHECKSUM_H

#include "transport.h"

/* any. Whether this processor can run the function below. */
static inline bool wi_checksum_has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}
/* any. Of all parts, one after the other. */
uint64_t wi_checksum_avx2(const wi_part *parts, uint32_t count);

#endif
