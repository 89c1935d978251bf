/* Stable hashes of fields. A hash is folded over the fields of a key, in order, from 0:
 *
 *   fixed width, at most 8 bytes   fold(hash, value)               value zero-extended
 *   fixed width, longer            fold(hash, XXH3(bytes))
 *   text of at most 12 bytes       fold(fold(hash, first 8 bytes of the handle), last 8)
 *   longer text                    fold(hash, XXH3(bytes))
 *   no fields at all               fold(0, 0)
 *
 * `fold` for a fixed hash is a bijection of the value, so keys of one number never collide.
 * Nothing depends on where a field or a text lies, nor on the machine: the only one that
 * we build for is little-endian. Where rows go and which bin they are in follows from these
 * hashes; changing them makes checkpoints unreadable. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <string.h>

#include <weir/text.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hashes are of little-endian values");

/* Two multiplications and three shifts, each invertible, so that every bit of the value
 * reaches every bit of the hash (constants: Stafford's 13th variant, as in splitmix64; the
 * first addend is the golden ratio, so that zero is not mapped to itself). */
static inline uint64_t wi_hash_fold(uint64_t hash, uint64_t value)
{
    uint64_t x = (hash ^ value) + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint64_t wi_hash_bytes(const void *bytes, size_t length)
{
    return XXH3_64bits(bytes, length);
}

static inline uint64_t wi_hash_text(uint64_t hash, const weir_text *text)
{
    uint64_t words[2];
    if (WEIR_UNLIKELY(text->length > WEIR_TEXT_INLINE))
        return wi_hash_fold(hash, wi_hash_bytes(text->at, text->length));
    memcpy(words, text, sizeof words);
    return wi_hash_fold(wi_hash_fold(hash, words[0]), words[1]);
}

static inline uint64_t wi_hash_fixed(uint64_t hash, const void *at, uint32_t bytes)
{
    uint64_t value = 0;
    if (bytes > sizeof value)
        return wi_hash_fold(hash, wi_hash_bytes(at, bytes));
    memcpy(&value, at, bytes);
    return wi_hash_fold(hash, value);
}

#endif
