/* What the library itself asks of row types and kinds. */
#ifndef WEIR_BASE_TYPE_H
#define WEIR_BASE_TYPE_H

#include <weir/row.h>

/* Whether fields of the kind are handles of texts. */
static inline bool wi_kind_is_text(weir_kind kind)
{
    return kind == WEIR_KIND_weir_text || kind == WEIR_KIND_weir_bytes;
}

/* Whether elements of the kind are signed integers: i8 to i64, and the times of day. */
static inline bool wi_kind_is_signed(weir_kind kind)
{
    return kind <= WEIR_KIND_i64 || kind == WEIR_KIND_weir_time_ms ||
           kind == WEIR_KIND_weir_time_us;
}

/* An element of 1, 2, 4 or 8 bytes, widened. */
static inline uint64_t wi_load_unsigned(const void *at, uint32_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

static inline int64_t wi_load_signed(const void *at, uint32_t bytes)
{
    unsigned spare = 64 - 8 * bytes;
    return (int64_t)(wi_load_unsigned(at, bytes) << spare) >> spare;
}

/* One field as weir_row_parse reads it, from all of these bytes into its place in `row`; `number`,
 * from 1, is for the message. Texts borrow from the bytes, or are of `arena`; `plain`: they have no
 * escapes (CSV, JSON). */
weir_err *wi_field_parse(const weir_field *field, uint32_t number, const char *at, size_t length,
                         bool plain, void *row, struct weir_batch *arena);

/* A type with the same layout and no names, for who only moves rows; weir_type_free. */
weir_type *wi_type_copy(const weir_type *type);

/* Whether rows of the type have bytes that belong to no field. */
bool wi_type_padded(const weir_type *type);

#endif
