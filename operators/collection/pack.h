/* Fields of rows packed into words: what hash tables take for keys. Texts come first, two words
 * each, which are the row's handle; then the bytes of all other fields, one after the other,
 * and zeros to the end of the last word. So keys without long texts are equal if their words
 * are. (layout.h is for sorting; packing is cheaper, and says nothing of order.) */
#ifndef WEIR_OPERATORS_COLLECTION_PACK_H
#define WEIR_OPERATORS_COLLECTION_PACK_H

#include <weir/batch.h>

#include "../../base/hash.h"

typedef struct wi_packed_field {
    uint32_t from;  /* offset in the rows that are packed */
    uint32_t to;    /* offset in the rows that are made of words */
    uint32_t at;    /* byte in the words */
    uint32_t bytes; /* of the field; 16 for a text */
} wi_packed_field;

typedef struct wi_packing {
    uint32_t words;
    uint32_t texts; /* the first 2 * texts words are handles */
    bool gap;       /* the last word has bytes of no field */
    uint32_t count;
    wi_packed_field *fields;
} wi_packing;

/* Packs fields of `in`: those at `offsets`, or all fields in their own order (NULL). They are
 * the first ones of `out`, in that order; NULL: rows are made of the same type. */
wi_packing wi_packing_new(const weir_type *in, const uint32_t *offsets, uint32_t count,
                          const weir_type *out);
/* The only memory of its own is `fields`, from wi_alloc. */

/* Rows to words, packing->words for each. Texts borrow from the rows. */
void wi_pack(const wi_packing *packing, const char *rows, size_t row_bytes, uint32_t count,
             uint64_t *words_out);
/* Words to the fields of one row of `into`, whose texts become its own. */
void wi_unpack(const wi_packing *packing, const uint64_t *words, weir_batch *into, char *row_out);

/* ---- texts in words --------------------------------------------------------------------- */

static inline bool wi_packed_long(const uint64_t *text)
{
    return (uint32_t)text[0] > WEIR_TEXT_INLINE;
}
static inline const char *wi_packed_bytes(const uint64_t *text) /* of a long one */
{
    const char *at;
    memcpy(&at, &text[1], sizeof at);
    return at;
}
/* Whether long texts of the same length, or not even long ones, are the same. */
bool wi_packed_same_text(const uint64_t *a, const uint64_t *b);
static inline __attribute__((always_inline)) bool
wi_packed_same(const uint64_t *a, const uint64_t *b, uint32_t words, uint32_t texts)
{
    for (uint32_t t = 0; t < texts; t++, a += 2, b += 2)
        if (a[0] != b[0] || (a[1] != b[1] && !wi_packed_same_text(a, b)))
            return false;
    for (uint32_t i = 2 * texts; i < words; i++, a++, b++)
        if (*a != *b)
            return false;
    return true;
}
/* Copies the long texts, each to memory of its own; frees such ones. */
void wi_packed_own(uint64_t *words, uint32_t texts);
void wi_packed_free(const uint64_t *words, uint32_t texts);

/* Every bit of the words and of long texts reaches every bit of it. */
static inline __attribute__((always_inline)) uint64_t wi_packed_hash(const uint64_t *key,
                                                                     uint32_t words, uint32_t texts)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < words; i++) {
        uint64_t word = key[i];
        if (i < 2 * texts && i % 2 && WEIR_UNLIKELY(wi_packed_long(key + i - 1)))
            word = wi_hash_bytes(wi_packed_bytes(key + i - 1), (uint32_t)key[i - 1]);
        if (i + 1 < words) {
            hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
            hash ^= hash >> 32;
        } else {
            hash = wi_hash_fold(hash, word);
        }
    }
    return hash;
}

#endif
