/* Text and bytes of any length in a row: a 16-byte handle. Up to 12 bytes live in the
 * handle itself; longer ones keep their first four bytes there, for quick comparison, and
 * a pointer. Bytes are carried as they are: NUL and invalid UTF-8 included.
 *
 * Invariant: a text of at most 12 bytes is inline and its unused bytes are zero, so short
 * texts are equal exactly if their handles are. */
#ifndef WEIR_TEXT_H
#define WEIR_TEXT_H

#include <string.h>

#include <weir/base.h>

#define WEIR_TEXT_INLINE 12

typedef struct weir_text {
    uint32_t length; /* bytes */
    char prefix[4];  /* the first four, zero-padded */
    union {
        char rest[8];   /* length <= 12: bytes 4 to 11 */
        const char *at; /* longer: all bytes, in the heap of the row's batch */
    };
} weir_text;
_Static_assert(sizeof(weir_text) == 16, "a text handle is 16 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "handles are hashed as they lie");

typedef weir_text weir_bytes;

/* any. The bytes of a text; inline ones live in the handle, so it must stay in place. */
static inline const char *weir_text_at(const weir_text *text)
{
    return text->length <= WEIR_TEXT_INLINE ? (const char *)text + offsetof(weir_text, prefix)
                                            : text->at;
}

/* Private: fewer than 16 bytes as two little-endian words, without a call or a loop. */
static inline void weir_i_load(const char *bytes, uint32_t length, uint64_t words_out[2])
{
    uint64_t low = 0, high = 0;
    if (length >= 8) {
        memcpy(&low, bytes, 8);
        memcpy(&high, bytes + (length & 7), 8); /* the last eight, of which the upper ones */
        high = high >> 8 * (15 - length) >> 8;
    } else if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + (length & 3), 4);
        low = first | (uint64_t)last << 8 * (length & 3);
    } else if (length) {
        uint32_t middle = length / 2, end = length - 1;
        low = (uint64_t)(unsigned char)bytes[0] |
              (uint64_t)(unsigned char)bytes[middle] << 8 * middle |
              (uint64_t)(unsigned char)bytes[end] << 8 * end;
    }
    words_out[0] = low;
    words_out[1] = high;
}

/* any. A handle for bytes that stay where they are: if longer than 12 they are borrowed,
 * and copied when a row with them is pushed. At most UINT32_MAX bytes. */
static inline weir_text weir_text_of(const char *bytes, uint32_t length)
{
    weir_text text;
    text.length = length;
    if (length > WEIR_TEXT_INLINE) {
        memcpy(text.prefix, bytes, 4);
        text.at = bytes;
    } else {
        uint64_t words[2];
        weir_i_load(bytes, length, words);
        uint64_t rest = words[0] >> 32 | words[1] << 32;
        memcpy(text.prefix, &words[0], 4);
        memcpy(text.rest, &rest, 8);
    }
    return text;
}

/* any. A handle for a C string, which is borrowed. */
static inline weir_text weir_text_c(const char *string)
{
    return weir_text_of(string, (uint32_t)strlen(string));
}

/* any. */
static inline bool weir_text_equal(const weir_text *a, const weir_text *b)
{
    if (memcmp(a, b, 8) != 0)
        return false;
    if (a->length <= WEIR_TEXT_INLINE)
        return memcmp(a->rest, b->rest, 8) == 0;
    return a->at == b->at || memcmp(a->at, b->at, a->length) == 0;
}

/* any. As memcmp; a prefix comes before what it is a prefix of. */
static inline int weir_text_compare(const weir_text *a, const weir_text *b)
{
    uint32_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(weir_text_at(a), weir_text_at(b), shorter);
    if (order)
        return order < 0 ? -1 : 1;
    return a->length < b->length ? -1 : a->length > b->length;
}

struct weir_batch;
/* worker. A copy of bytes that lives as long as the batch (or its handle, if short). */
WEIR_API weir_text weir_text_new(struct weir_batch *batch, const char *bytes, uint32_t length);
/* worker. Makes a long text, if it is not yet, one of the batch's own. */
WEIR_API void weir_text_move_in(struct weir_batch *batch, weir_text *text);
static inline void weir_text_own(struct weir_batch *batch, weir_text *text)
{
    if (WEIR_UNLIKELY(text->length > WEIR_TEXT_INLINE))
        weir_text_move_in(batch, text);
}

/* ---- walking through a text ------------------------------------------------------- */

typedef struct weir_cursor {
    const char *at, *end;
} weir_cursor;

/* A cursor at the start of a text that stays in place. */
#define weir_text_begin(text) weir_text_cursor(&(text))
static inline weir_cursor weir_text_cursor(const weir_text *text)
{
    const char *at = weir_text_at(text);
    return (weir_cursor){at, at + text->length};
}
/* The next word: a maximal run of ASCII letters, digits, underscores and bytes above 127.
 * The token borrows from the text. False at the end. */
WEIR_API bool weir_next_word(weir_cursor *cursor, weir_text *token_out);
/* The next field before `separator` or the end; a text of n separators has n + 1 fields. */
WEIR_API bool weir_next_field(weir_cursor *cursor, char separator, weir_text *field_out);

#endif
