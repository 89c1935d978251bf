/* Row types: declared once, with their fields.
 *
 *     #define TALLY(F) F(weir_text, word) F(i64, count)
 *     WEIR_ROW(tally, TALLY)
 *
 * gives the struct `tally`, its descriptor `tally_type`, and `tally_push(out, row)`. From
 * the descriptor come printing, parsing, hashing, ordering and checks of types. Equality
 * of rows is equality of their fields' bytes; padding is always zero (pushing takes care).
 *
 * F(kind, name) is one value; F(kind, name, 4) an array; F(kind, name, 3, 4) a matrix.
 * Kinds: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool, weir_time_ms, weir_time_us (i64
 * since 1970), weir_byte (with a length: fixed bytes), and, without dimensions,
 * weir_text and weir_bytes (any length). A row may have no fields at all. */
#ifndef WEIR_ROW_H
#define WEIR_ROW_H

#include <string.h>

#include <weir/base.h>
#include <weir/text.h>

typedef enum weir_kind {
    WEIR_KIND_i8,
    WEIR_KIND_i16,
    WEIR_KIND_i32,
    WEIR_KIND_i64,
    WEIR_KIND_u8,
    WEIR_KIND_u16,
    WEIR_KIND_u32,
    WEIR_KIND_u64,
    WEIR_KIND_f32,
    WEIR_KIND_f64,
    WEIR_KIND_bool,
    WEIR_KIND_weir_time_ms,
    WEIR_KIND_weir_time_us,
    WEIR_KIND_weir_byte,
    WEIR_KIND_weir_text,
    WEIR_KIND_weir_bytes,
    WEIR_KIND_count
} weir_kind;

typedef int64_t weir_time_ms;
typedef int64_t weir_time_us;
typedef uint8_t weir_byte;

typedef struct weir_field {
    const char *name;
    weir_kind kind;
    uint32_t offset;   /* of the field in the row, bytes */
    uint32_t bytes;    /* of the whole field */
    uint32_t elements; /* 1, or the array's length, or rows * columns */
    uint32_t columns;  /* of a matrix; otherwise 1 */
} weir_field;

/* What a row looks like. Immutable; must outlive every batch of it. Two types are the
 * same if their names and fields are, wherever they were declared: each file that has a
 * WEIR_ROW has its own copy, so compare types by weir_type_same, not by address. */
typedef struct weir_type {
    const char *name;
    uint32_t size, align;
    uint32_t field_count;
    uint32_t text_count; /* fields of any length: weir_text and weir_bytes */
    /* One of the two gives the fields: a table (types built at run time), or a function
     * (WEIR_ROW). Read them through weir_type_fields. */
    const weir_field *table;
    const weir_field *(*describe)(void);
} weir_type;

static inline const weir_field *weir_type_fields(const weir_type *type)
{
    return type->describe ? type->describe() : type->table;
}

/* ---- types built at run time ------------------------------------------------------------ */

typedef struct weir_field_spec {
    const char *name;
    weir_kind kind;
    uint32_t rows, columns; /* 0, 0: one value; n, 0: array; n, m: matrix */
} weir_field_spec;

/* any. Lays the fields out as a C compiler would. Returns NULL and sets *err_out when a
 * name is empty or used twice, or a field of any length has dimensions. The caller owns
 * the type: weir_type_free once no batch or dataflow uses it. Names are copied. */
WEIR_API weir_type *weir_type_new(const char *name, const weir_field_spec *fields, uint32_t count,
                                  weir_err **err_out);
WEIR_API void weir_type_free(weir_type *type);

/* ---- what follows from a descriptor ----------------------------------------------------- */

/* any. Same name and the same fields at the same places. */
WEIR_API bool weir_type_same(const weir_type *a, const weir_type *b);
/* any. The same fields at the same places, whatever the types are called: what decides
 * whether a kernel can take a stream's rows. */
WEIR_API bool weir_type_fits(const weir_type *a, const weir_type *b);
/* any. A stable 64-bit hash of the schema: name, field names, kinds, dimensions. */
WEIR_API uint64_t weir_type_hash(const weir_type *type);
/* any. The field of that name, or NULL. */
WEIR_API const weir_field *weir_type_find(const weir_type *type, const char *name);
WEIR_API const char *weir_kind_name(weir_kind kind);
/* any. "tally(word text, count i64)"; the caller frees it with free(). */
WEIR_API char *weir_type_text(const weir_type *type);

/* any. Whether the two rows' fields have the same bytes (texts: the same content). */
WEIR_API bool weir_row_equal(const weir_type *type, const void *a, const void *b);
/* any. A total order, field by field: numbers by value (-0.0 < 0.0, NaNs last and ordered
 * by their bits, so that 0 means equal bytes), texts and bytes as memcmp, shorter first. */
WEIR_API int weir_row_compare(const weir_type *type, const void *a, const void *b);
/* any. A stable hash, the same on every machine and in every process: it depends on
 * nothing but the fields' contents. */
WEIR_API uint64_t weir_row_hash(const weir_type *type, const void *row);
/* any. Appends one row to the stream as tab-separated fields, no newline: numbers in
 * decimal, text as it is except that tab, newline, carriage return and backslash are
 * escaped (\t \n \r \\), bytes in hexadecimal, arrays as [1,2,3]. */
WEIR_API void weir_row_print(const weir_type *type, const void *row, void *file /* FILE* */);
/* any. The same as text; *length_out excludes the final NUL; the caller frees it. */
WEIR_API char *weir_row_text(const weir_type *type, const void *row, size_t *length_out);
/* any. Parses tab-separated fields (weir_row_print's form) into a row whose texts borrow
 * from `line` or, where escapes had to be undone, from memory of `arena`. On failure says
 * which field. */
struct weir_batch;
WEIR_API weir_err *weir_row_parse(const weir_type *type, const char *line, size_t length,
                                  void *row_out, struct weir_batch *arena);

/* ---- keys ------------------------------------------------------------------------------- */

#define WEIR_KEY_FIELDS_MAX 8

/* Some fields of a row type, in order. WEIR_BY(edge, src, dst). */
typedef struct weir_key {
    const weir_type *type;
    uint32_t count;
    uint32_t offsets[WEIR_KEY_FIELDS_MAX];
    uint32_t bytes[WEIR_KEY_FIELDS_MAX]; /* of each field; WEIR_KEY_TEXT: of any length */
} weir_key;

#define WEIR_KEY_TEXT UINT32_MAX

#define WEIR_BY(row, ...)                                                                      \
    ((const weir_key){.type = &row##_type,                                                     \
                      .count = WEIR_I_COUNT(__VA_ARGS__),                                      \
                      .offsets = {WEIR_I_EACH(WEIR_I_OFFSET, row, __VA_ARGS__)},               \
                      .bytes = {WEIR_I_EACH(WEIR_I_WIDTH, row, __VA_ARGS__)}})
/* The key without fields: all rows are one group. */
#define WEIR_BY_NOTHING(row) ((const weir_key){.type = &row##_type, .count = 0})
/* any. A key of a type built at run time; on failure sets *err_out (a name not found). */
WEIR_API weir_key weir_key_new(const weir_type *type, const char *const *names, uint32_t count,
                               weir_err **err_out);
/* any. Stable hash of the key's fields, for `count` rows. */
WEIR_API void weir_key_hash(const weir_key *key, const void *rows, uint32_t count,
                            uint64_t *hashes_out);
/* any. Whether two rows have equal keys; the keys' fields have the same kinds. */
WEIR_API bool weir_key_equal(const weir_key *a_key, const void *a, const weir_key *b_key,
                             const void *b);

/* ---- the macro -------------------------------------------------------------------------- */

#define WEIR_ROW(row, FIELDS)                                                                  \
    typedef struct row {                                                                       \
        FIELDS(WEIR_I_MEMBER)                                                                  \
    } row;                                                                                     \
    WEIR_UNUSED static const weir_field *row##_describe(void)                                  \
    {                                                                                          \
        typedef row weir_self;                                                                 \
        static const weir_field fields[] = {                                                   \
            FIELDS(WEIR_I_FIELD){.name = NULL, .kind = WEIR_KIND_count}};                      \
        _Static_assert(sizeof(weir_self) < (1u << 30), "a row has less than 1 GiB");           \
        return fields;                                                                         \
    }                                                                                          \
    WEIR_UNUSED static const weir_type row##_type = {.name = #row,                             \
                                                     .size = sizeof(row),                      \
                                                     .align = _Alignof(row),                   \
                                                     .field_count = 0 FIELDS(WEIR_I_ONE),      \
                                                     .text_count = 0 FIELDS(WEIR_I_TEXTS),     \
                                                     .table = NULL,                            \
                                                     .describe = row##_describe};              \
    /* Writes a row into a slot of `batch`: padding becomes zero, long texts its own. */       \
    WEIR_UNUSED static inline void row##_store(struct weir_batch *batch, row *slot,            \
                                               const row *from)                                \
    {                                                                                          \
        typedef row weir_self;                                                                 \
        (void)batch;                                                                           \
        (void)slot;                                                                            \
        (void)from;                                                                            \
        uint32_t weir_end = 0;                                                                 \
        if (slot != from)                                                                      \
            *slot = *from;                                                                     \
        FIELDS(WEIR_I_GAP)                                                                     \
        WEIR_I_ZERO(slot, weir_end, sizeof(weir_self));                                        \
        FIELDS(WEIR_I_OWN)                                                                     \
    }                                                                                          \
    WEIR_UNUSED static inline void row##_push(weir_out *out, row value)                        \
    {                                                                                          \
        row *slot = weir_out_slot(out, sizeof(row));                                           \
        row##_store(out->batch, slot, &value);                                                 \
    }                                                                                          \
    WEIR_UNUSED static inline row *row##_at(const weir_batch *batch, uint32_t index)           \
    {                                                                                          \
        return (row *)batch->rows + index;                                                     \
    }

/* What a kind is in C. */
#define WEIR_C_i8 int8_t
#define WEIR_C_i16 int16_t
#define WEIR_C_i32 int32_t
#define WEIR_C_i64 int64_t
#define WEIR_C_u8 uint8_t
#define WEIR_C_u16 uint16_t
#define WEIR_C_u32 uint32_t
#define WEIR_C_u64 uint64_t
#define WEIR_C_f32 float
#define WEIR_C_f64 double
#define WEIR_C_bool _Bool
#define WEIR_C__Bool _Bool
#define WEIR_C_weir_time_ms int64_t
#define WEIR_C_weir_time_us int64_t
#define WEIR_C_weir_byte uint8_t
#define WEIR_C_weir_text weir_text
#define WEIR_C_weir_bytes weir_text
#define WEIR_KIND__Bool WEIR_KIND_bool

/* Whether a kind is of any length. */
#define WEIR_VAR_i8 0
#define WEIR_VAR_i16 0
#define WEIR_VAR_i32 0
#define WEIR_VAR_i64 0
#define WEIR_VAR_u8 0
#define WEIR_VAR_u16 0
#define WEIR_VAR_u32 0
#define WEIR_VAR_u64 0
#define WEIR_VAR_f32 0
#define WEIR_VAR_f64 0
#define WEIR_VAR_bool 0
#define WEIR_VAR__Bool 0
#define WEIR_VAR_weir_time_ms 0
#define WEIR_VAR_weir_time_us 0
#define WEIR_VAR_weir_byte 0
#define WEIR_VAR_weir_text 1
#define WEIR_VAR_weir_bytes 1

/* The comma before ## goes away without extensions of the language (-std=c11), too, but only where
 * other arguments come before: hence the x. */
#define WEIR_I_MEMBER(kind, name, ...) WEIR_C_##kind name WEIR_I_DIMS(x, ##__VA_ARGS__);
#define WEIR_I_DIMS(...)                                                                       \
    WEIR_I_PICK3(__VA_ARGS__, WEIR_I_DIMS2, WEIR_I_DIMS1, WEIR_I_DIMS0, )(__VA_ARGS__)
#define WEIR_I_PICK3(x, a, b, pick, ...) pick
#define WEIR_I_DIMS0(x)
#define WEIR_I_DIMS1(x, n) [n]
#define WEIR_I_DIMS2(x, n, m) [n][m]
#define WEIR_I_COLUMNS(...)                                                                    \
    WEIR_I_PICK3(__VA_ARGS__, WEIR_I_COLS2, WEIR_I_COLS1, WEIR_I_COLS0, )(__VA_ARGS__)
#define WEIR_I_COLS0(x) 1
#define WEIR_I_COLS1(x, n) 1
#define WEIR_I_COLS2(x, n, m) (m)
#define WEIR_I_FIELD(k, n, ...)                                                                \
    {.name = #n,                                                                               \
     .kind = WEIR_KIND_##k,                                                                    \
     .offset = offsetof(weir_self, n),                                                         \
     .bytes = sizeof(((weir_self *)0)->n),                                                     \
     .elements = sizeof(((weir_self *)0)->n) / sizeof(WEIR_C_##k),                             \
     .columns = WEIR_I_COLUMNS(x, ##__VA_ARGS__)},
#define WEIR_I_ONE(kind, name, ...) +1
#define WEIR_I_TEXTS(kind, name, ...) +WEIR_VAR_##kind
/* Zeroes the padding between the last field and this one; weir_end is a constant each time. */
#define WEIR_I_GAP(kind, name, ...)                                                            \
    WEIR_I_ZERO(slot, weir_end, offsetof(weir_self, name));                                    \
    weir_end = offsetof(weir_self, name) + sizeof(((weir_self *)0)->name);
/* Bytes [begin, end), fewer than 8, of a row: in pieces that compilers take as stores. */
#define WEIR_I_ZERO(row, begin, end)                                                           \
    do {                                                                                       \
        const uint32_t weir_zero = 0;                                                          \
        const size_t weir_gap = (end) - (begin);                                               \
        char *weir_at = (char *)(row) + (begin);                                               \
        memcpy(weir_at, &weir_zero, weir_gap & 1);                                             \
        memcpy(weir_at + (weir_gap & 1), &weir_zero, weir_gap & 2);                            \
        memcpy(weir_at + (weir_gap & 3), &weir_zero, weir_gap & 4);                            \
    } while (0)
#define WEIR_I_OWN(kind, name, ...) WEIR_I_OWN_(WEIR_VAR_##kind, name)
#define WEIR_I_OWN_(var, name) WEIR_I_OWN__(var, name)
#define WEIR_I_OWN__(var, name) WEIR_I_OWN_##var(name)
#define WEIR_I_OWN_0(name)
#define WEIR_I_OWN_1(name) weir_text_own(batch, &slot->name);

/* Up to eight names. */
#define WEIR_I_COUNT(...) WEIR_I_NINTH(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1)
#define WEIR_I_NINTH(a, b, c, d, e, f, g, h, n, ...) n
#define WEIR_I_OFFSET(row, field) offsetof(row, field)
#define WEIR_I_WIDTH(row, field)                                                               \
    (__builtin_types_compatible_p(__typeof__(((row *)0)->field), weir_text)                    \
         ? WEIR_KEY_TEXT                                                                       \
         : (uint32_t)sizeof(((row *)0)->field))
#define WEIR_I_CAT(a, b) WEIR_I_CAT_(a, b)
#define WEIR_I_CAT_(a, b) a##b
#define WEIR_I_EACH(M, row, ...)                                                               \
    WEIR_I_CAT(WEIR_I_EACH_, WEIR_I_COUNT(__VA_ARGS__))(M, row, __VA_ARGS__)
#define WEIR_I_EACH_1(M, r, a) M(r, a)
#define WEIR_I_EACH_2(M, r, a, ...) M(r, a), WEIR_I_EACH_1(M, r, __VA_ARGS__)
#define WEIR_I_EACH_3(M, r, a, ...) M(r, a), WEIR_I_EACH_2(M, r, __VA_ARGS__)
#define WEIR_I_EACH_4(M, r, a, ...) M(r, a), WEIR_I_EACH_3(M, r, __VA_ARGS__)
#define WEIR_I_EACH_5(M, r, a, ...) M(r, a), WEIR_I_EACH_4(M, r, __VA_ARGS__)
#define WEIR_I_EACH_6(M, r, a, ...) M(r, a), WEIR_I_EACH_5(M, r, __VA_ARGS__)
#define WEIR_I_EACH_7(M, r, a, ...) M(r, a), WEIR_I_EACH_6(M, r, __VA_ARGS__)
#define WEIR_I_EACH_8(M, r, a, ...) M(r, a), WEIR_I_EACH_7(M, r, __VA_ARGS__)

/* What WEIR_ROW expands to uses batches; they in turn are of rows. */
#include <weir/batch.h>

#endif
