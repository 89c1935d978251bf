/* The frames of a link: a header of one cache line, the payload, and zeros up to the next
 * line. So if a header starts on a cache line, then so do its payload and the next header.
 *
 *   magic kind lane flags | bytes from | sequence | generation | check, 16 bytes | zero | header
 *
 * All little-endian. A flipped bit is found wherever it is: the header has a checksum of its
 * own, which covers that of the payload, and what should be zero is compared. Nothing that a
 * header says is believed before its checksum fits, and only within limits then. */
#ifndef WEIR_NET_FRAME_H
#define WEIR_NET_FRAME_H

#include "mesh.h"

#define WI_FRAME_LINE 64
#define WI_FRAME_MAGIC 0x31524657u /* "WFR1": also the version of this layout */

/* Frames that sessions send each other have this flag; `kind` is then a wi_word. */
#define WI_FRAME_OWN 1
typedef enum wi_word {
    WI_WORD_READY = 1, /* the first frame of a link: the sender has links to all others */
    WI_WORD_ALIVE,     /* nothing else was sent for a while */
    WI_WORD_GOODBYE,   /* nothing follows, but perhaps WI_WORD_HEARD */
    WI_WORD_FAILED,    /* nothing follows: the sender's mesh is over. Payload: why, as text */
    WI_WORD_HEARD,     /* the other side's goodbye has come */
} wi_word;
#define WI_WORD_BYTES_MAX 1024

typedef struct wi_frame_header {
    uint32_t magic;
    uint16_t kind;
    uint8_t lane;
    uint8_t flags;
    uint32_t bytes; /* of the payload */
    uint32_t from;  /* process */
    uint64_t sequence;
    uint64_t generation;
    uint8_t check[16]; /* of the payload: XXH3 and zeros; sealed: the tag (seal.h) */
    uint64_t zero;
    uint64_t header; /* XXH3 of all before */
} wi_frame_header;
_Static_assert(sizeof(wi_frame_header) == WI_FRAME_LINE, "a header is a cache line");

/* What seals authenticate beside the payload: all of the header before `check`. */
#define WI_FRAME_SEALED_BYTES offsetof(wi_frame_header, check)

/* The whole frame. */
static inline size_t wi_frame_bytes(uint32_t payload)
{
    return ((size_t)payload + 2 * WI_FRAME_LINE - 1) / WI_FRAME_LINE * WI_FRAME_LINE;
}

/* What the next frame of a link must be. */
typedef struct wi_frame_expected {
    uint32_t from;
    wi_lane lane;
    uint64_t sequence, generation;
} wi_frame_expected;

#define WI_WHY_BYTES 256

/* any. Fills in the checksum of the header: last. */
void wi_frame_close(wi_frame_header *header);
/* any. Whether the header is right and the one that is expected; if not, `why` says what was
 * expected and what came. */
bool wi_frame_check(const wi_frame_header *header, const wi_frame_expected *expected,
                    char why[WI_WHY_BYTES]);
/* any. Whether all from the payload's end to the frame's end is zero. */
bool wi_frame_padded(const wi_frame_header *header);
/* any. Whether the payload (not sealed) and what follows it are right. */
bool wi_frame_check_payload(const wi_frame_header *header, char why[WI_WHY_BYTES]);

#endif
