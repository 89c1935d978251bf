/* XXH3 (64 bits) of a frame's parts, one after the other; with AVX2, where the processor has it,
 * three times as fast as with what a compiler may use for any x86-64. (AVX-512 is no faster: the
 * bytes come from the second cache.) libxxhash's shared library has that choice, too, but its
 * archive, which the weir command is linked with, has not. Both give the same number. */
#ifndef WEIR_NET_CHECKSUM_H
#define WEIR_NET_CHECKSUM_H

#include "transport.h"

/* any. */
uint64_t wi_checksum(const wi_part *parts, uint32_t count);

/* any. The same for processors with AVX2. */
uint64_t wi_checksum_avx2(const wi_part *parts, uint32_t count);

#endif
