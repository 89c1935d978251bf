/* Keys: hashing some fields of many rows, and comparing them. Hashing goes field by field
 * over a block of rows whose hashes stay in the first-level cache; the usual keys (one
 * number, two long ones, one text) are done in one pass with everything known to the
 * compiler but the rows' size. */
#include "type.h"

#include "assert.h"
#include "hash.h"

#define BLOCK_ROWS 512

/* ---- hashing ---------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void hash_fixed(const char *field, size_t step,
                                                             uint32_t count, uint32_t bytes,
                                                             bool first, uint64_t *hashes)
{
    for (uint32_t i = 0; i < count; i++)
        hashes[i] = wi_hash_fixed(first ? 0 : hashes[i], field + i * step, bytes);
}

static inline __attribute__((always_inline)) void
hash_texts(const char *field, size_t step, uint32_t count, bool first, uint64_t *hashes)
{
    for (uint32_t i = 0; i < count; i++)
        hashes[i] = wi_hash_text(first ? 0 : hashes[i], (const weir_text *)(field + i * step));
}

static void hash_two_longs(const char *a, const char *b, size_t step, uint32_t count,
                           uint64_t *hashes)
{
    for (uint32_t i = 0; i < count; i++)
        hashes[i] = wi_hash_fixed(wi_hash_fixed(0, a + i * step, 8), b + i * step, 8);
}

static inline __attribute__((always_inline)) void hash_field(const char *field, size_t step,
                                                             uint32_t count, uint32_t bytes,
                                                             bool first, uint64_t *hashes)
{
    if (bytes == WEIR_KEY_TEXT)
        hash_texts(field, step, count, first, hashes);
    else if (bytes == 8 && step == 8)
        hash_fixed(field, 8, count, 8, first, hashes);
    else if (bytes == 8)
        hash_fixed(field, step, count, 8, first, hashes);
    else if (bytes == 4)
        hash_fixed(field, step, count, 4, first, hashes);
    else
        hash_fixed(field, step, count, bytes, first, hashes);
}

static void hash_first(const char *field, size_t step, uint32_t count, uint32_t bytes,
                       uint64_t *hashes)
{
    hash_field(field, step, count, bytes, true, hashes);
}

static void hash_next(const char *field, size_t step, uint32_t count, uint32_t bytes,
                      uint64_t *hashes)
{
    hash_field(field, step, count, bytes, false, hashes);
}

static void hash_block(const weir_key *key, const char *rows, uint32_t count, uint64_t *hashes)
{
    size_t step = key->type->size;
    hash_first(rows + key->offsets[0], step, count, key->bytes[0], hashes);
    for (uint32_t f = 1; f < key->count; f++)
        hash_next(rows + key->offsets[f], step, count, key->bytes[f], hashes);
}

void weir_key_hash(const weir_key *key, const void *rows, uint32_t count, uint64_t *hashes_out)
{
    const char *at = rows;
    size_t step = key->type->size;
    if (key->count == 0) {
        for (uint32_t i = 0; i < count; i++)
            hashes_out[i] = wi_hash_fold(0, 0);
        return;
    }
    if (key->count == 1) {
        hash_first(at + key->offsets[0], step, count, key->bytes[0], hashes_out);
        return;
    }
    if (key->count == 2 && key->bytes[0] == 8 && key->bytes[1] == 8) {
        hash_two_longs(at + key->offsets[0], at + key->offsets[1], step, count, hashes_out);
        return;
    }
    while (count) {
        uint32_t block = count < BLOCK_ROWS ? count : BLOCK_ROWS;
        hash_block(key, at, block, hashes_out);
        at += block * step;
        hashes_out += block;
        count -= block;
    }
}

/* ---- comparing -------------------------------------------------------------------------- */

bool weir_key_equal(const weir_key *a_key, const void *a, const weir_key *b_key, const void *b)
{
    wi_dassert(a_key->count == b_key->count, "keys that are compared have as many fields");
    for (uint32_t f = 0; f < a_key->count; f++) {
        const char *a_at = (const char *)a + a_key->offsets[f];
        const char *b_at = (const char *)b + b_key->offsets[f];
        uint32_t bytes = a_key->bytes[f];
        bool same = bytes == WEIR_KEY_TEXT
                        ? weir_text_equal((const weir_text *)a_at, (const weir_text *)b_at)
                    : bytes == 8 ? memcmp(a_at, b_at, 8) == 0
                    : bytes == 4 ? memcmp(a_at, b_at, 4) == 0
                                 : memcmp(a_at, b_at, bytes) == 0;
        if (!same)
            return false;
    }
    return true;
}

/* ---- keys of types built at run time ---------------------------------------------------- */

weir_key weir_key_new(const weir_type *type, const char *const *names, uint32_t count,
                      weir_err **err_out)
{
    weir_key key = {.type = type};
    if (count > WEIR_KEY_FIELDS_MAX) {
        *err_out = weir_err_new("a key of `%s` has %u fields; at most %d are possible", type->name,
                                count, WEIR_KEY_FIELDS_MAX);
        return key;
    }
    for (uint32_t f = 0; f < count; f++) {
        const weir_field *field = weir_type_find(type, names[f]);
        if (!field) {
            *err_out = weir_err_new("key of `%s`: it has no field `%s`", type->name, names[f]);
            return (weir_key){.type = type};
        }
        key.offsets[f] = field->offset;
        key.bytes[f] = wi_kind_is_text(field->kind) ? WEIR_KEY_TEXT : field->bytes;
    }
    key.count = count;
    return key;
}
