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

/* any. The text with its ASCII letters in lower case, a text of the batch: in a map,
 * out->text = weir_text_lower(into, &in->text). */
WEIR_API weir_text weir_text_lower(struct weir_batch *batch, const weir_text *text);

/* ---- walking through a text ------------------------------------------------------------- */

/* Private: which of up to 64 bytes belong to a kind of word, a bit for each. */
typedef uint64_t weir_i_kind(const char *bytes, size_t count);

/* A place in a text that stays where it is. */
typedef struct weir_cursor {
    const char *at, *end; /* what is left */
    /* private: a block of 64 bytes that was looked at, and which of them, at or after `at`,
     * belong to words of a kind (NULL: no block) */
    weir_i_kind *kind;
    const char *block;
    uint64_t inside;
    const char *last_16; /* bytes of the text; NULL: it has fewer */
} weir_cursor;

/* A cursor at the start of a text. */
#define weir_text_begin(text) weir_text_cursor(&(text))
static inline weir_cursor weir_text_cursor(const weir_text *text)
{
    const char *at = weir_text_at(text), *end = at + text->length;
    return (weir_cursor){.at = at, .end = end, .last_16 = text->length >= 16 ? end - 16 : NULL};
}

WEIR_API weir_i_kind weir_i_word_bytes, weir_i_letters;
/* Private: where the word that goes on at `at` ends. */
WEIR_API const char *weir_i_word_end(const char *at, const char *end, weir_i_kind *kind);

/* Private: 16 bytes of a text from `at` on, or as many as there are and then zeros. */
static inline void weir_i_load_at(const char *at, const char *last_16, uint64_t words_out[2])
{
    __extension__ unsigned __int128 bytes;
    const char *from = at < last_16 ? at : last_16;
    memcpy(&bytes, from, 16);
    bytes >>= 8 * (at - from);
    words_out[0] = (uint64_t)bytes;
    words_out[1] = (uint64_t)(bytes >> 64);
}

/* Private: a token's handle. The lengths of words cannot be predicted, so that of a short
 * one decides no branch: what follows it is cut off by a window onto twelve ones and then
 * zeros. */
static inline weir_text weir_i_token(const char *bytes, uint32_t length, const char *last_16)
{
    static const unsigned char window[2 * WEIR_TEXT_INLINE] = {[0 ... WEIR_TEXT_INLINE - 1] = 0xff};
    uint64_t words[2], kept;
    uint32_t kept_high;
    if (WEIR_UNLIKELY(length > WEIR_TEXT_INLINE || !last_16))
        return weir_text_of(bytes, length);
    weir_i_load_at(bytes, last_16, words);
    memcpy(&kept, window + WEIR_TEXT_INLINE - length, 8);
    memcpy(&kept_high, window + WEIR_TEXT_INLINE - length + 8, 4);
    words[0] &= kept;
    words[1] &= kept_high;
    weir_text text = {.length = length};
    uint64_t rest = words[0] >> 32 | words[1] << 32;
    memcpy(text.prefix, &words[0], 4);
    memcpy(text.rest, &rest, 8);
    return text;
}

/* Private: the next maximal run of bytes of a kind. */
static inline bool weir_i_next(weir_cursor *cursor, weir_i_kind *kind, weir_text *token_out)
{
    if (WEIR_UNLIKELY(cursor->kind != kind)) {
        if (cursor->at >= cursor->end)
            return false;
        size_t left = (size_t)(cursor->end - cursor->at);
        cursor->kind = kind;
        cursor->block = cursor->at;
        cursor->inside = kind(cursor->block, left < 64 ? left : 64);
    }
    while (WEIR_UNLIKELY(!cursor->inside)) {
        size_t left = (size_t)(cursor->end - cursor->block);
        if (left <= 64) {
            cursor->at = cursor->end;
            return false;
        }
        cursor->block += 64;
        left -= 64;
        cursor->inside = kind(cursor->block, left < 64 ? left : 64);
    }
    /* Adding the lowest one to a run of ones carries to just beyond it. */
    uint64_t beyond = cursor->inside + (cursor->inside & -cursor->inside);
    const char *begin = cursor->block + __builtin_ctzll(cursor->inside);
    if (WEIR_LIKELY(beyond)) {
        cursor->at = cursor->block + __builtin_ctzll(beyond);
        cursor->inside &= beyond;
    } else { /* out of the block */
        cursor->at = weir_i_word_end(begin, cursor->end, kind);
        cursor->kind = NULL;
    }
    *token_out = weir_i_token(begin, (uint32_t)(cursor->at - begin), cursor->last_16);
    return true;
}

/* The next word: a maximal run of ASCII letters, digits, underscores and bytes above 127.
 * The token borrows from the text. False at the end. */
static inline bool weir_next_word(weir_cursor *cursor, weir_text *token_out)
{
    return weir_i_next(cursor, weir_i_word_bytes, token_out);
}

/* The same for maximal runs of ASCII letters. */
static inline bool weir_next_letters(weir_cursor *cursor, weir_text *token_out)
{
    return weir_i_next(cursor, weir_i_letters, token_out);
}

/* The next field before `separator` or the end; a text of n separators has n + 1 fields. */
WEIR_API bool weir_next_field(weir_cursor *cursor, char separator, weir_text *field_out);

#endif
