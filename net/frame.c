/* Checksums of frames, and the checks of what came. See frame.h. */
#include "frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "checksum.h"

static uint64_t checksum_header(const wi_frame_header *header)
{
    return XXH3_64bits(header, offsetof(wi_frame_header, header));
}

void wi_frame_close(wi_frame_header *header)
{
    header->header = checksum_header(header);
}

static bool is(const char *what, uint64_t expected, uint64_t came, char why[WI_WHY_BYTES])
{
    if (WEIR_LIKELY(expected == came))
        return true;
    snprintf(why, WI_WHY_BYTES, "%s %" PRIu64 " was expected, %" PRIu64 " came", what, expected,
             came);
    return false;
}

bool wi_frame_check(const wi_frame_header *header, const wi_frame_expected *expected,
                    char why[WI_WHY_BYTES])
{
    uint64_t sum = checksum_header(header);
    if (WEIR_UNLIKELY(header->magic != WI_FRAME_MAGIC || header->header != sum)) {
        snprintf(why, WI_WHY_BYTES,
                 "the header of frame %" PRIu64 " is garbled: magic %08x, checksum %016" PRIx64
                 " were expected, %08x, %016" PRIx64 " came",
                 expected->sequence, WI_FRAME_MAGIC, sum, header->magic, header->header);
        return false;
    }
    if (!is("generation", expected->generation, header->generation, why) ||
        !is("process", expected->from, header->from, why) ||
        !is("lane", expected->lane, header->lane, why) ||
        !is("frame", expected->sequence, header->sequence, why))
        return false;
    bool own = header->flags == WI_FRAME_OWN;
    uint32_t most = own ? WI_WORD_BYTES_MAX : WI_FRAME_BYTES_MAX;
    if (WEIR_UNLIKELY(header->bytes > most || (header->flags && !own) || header->zero)) {
        snprintf(why, WI_WHY_BYTES,
                 "frame %" PRIu64 " is not possible: at most %u bytes and flags 0 or 1 were "
                 "expected, %u bytes and flags %u came",
                 expected->sequence, most, header->bytes, header->flags);
        return false;
    }
    return true;
}

bool wi_frame_padded(const wi_frame_header *header)
{
    static const char zeros[WI_FRAME_LINE];
    const char *end = (const char *)(header + 1) + header->bytes;
    return memcmp(end, zeros, wi_frame_bytes(header->bytes) - sizeof *header - header->bytes) == 0;
}

bool wi_frame_check_payload(const wi_frame_header *header, char why[WI_WHY_BYTES])
{
    wi_part payload = {header + 1, header->bytes};
    uint64_t check[2] = {wi_checksum(&payload, 1), 0};
    if (WEIR_LIKELY(memcmp(check, header->check, sizeof check) == 0 && wi_frame_padded(header)))
        return true;
    memcpy(&check[1], header->check, sizeof check[1]);
    snprintf(why, WI_WHY_BYTES,
             "the %u bytes of frame %" PRIu64 " are garbled: checksum %016" PRIx64
             " was expected, they have %016" PRIx64 "%s",
             header->bytes, header->sequence, check[1], check[0],
             wi_frame_padded(header) ? "" : ", and are not followed by zeros");
    return false;
}
