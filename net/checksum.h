/* XXH3 of several parts. For processors with AVX2 there is one that gives the same numbers three
 * times as fast as with what a compiler may use for any x86-64. libxxhash's shared library has that
 * choice, too, but its archive, which the weir command is linked with, has not. */
#ifndef WEIR_NET_CHECKSUM_H
#define WEIR_NET_CHECKSUM_H

#ifndef XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#endif
#include <xxhash.h>

#include "transport.h"

/* any. Whether this processor can run wi_checksum_avx2. */
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

/* any. The same by what this file is compiled for. */
static inline uint64_t wi_checksum_parts(const wi_part *parts, uint32_t count)
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

#endif
