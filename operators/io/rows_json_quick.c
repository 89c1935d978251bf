/* The fast way through JSON lines: an object with its members in the order in which the line before
 * had them, flat, without escapes in its texts. Whatever is otherwise, right or wrong, is left to
 * the library (rows_json.c); so this only ever says yes to what that would take in the same way. */
#include "rows_parts.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "../../base/type.h"
#include "numbers.h"

/* Where a string ends that has no escapes: at a quote, or at what it cannot have as it is, which
 * the zeros behind all bytes are, too. */
static inline const char *string_end(const char *at)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(31);
    for (;; at += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, escape));
        ends = _mm_or_si128(ends, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(ends);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#else
    while (*at != '"' && *at != '\\' && (unsigned char)*at > 31)
        at++;
    return at;
#endif
}

static inline const char *skip_blanks(const char *at)
{
    while (WEIR_UNLIKELY(*at == ' '))
        at++;
    return at;
}

/* The end of a number in JSON's grammar; NULL if it is none. */
static inline const char *number_end(const char *at)
{
    at += *at == '-';
    const char *first = at;
    while ((unsigned char)(*at - '0') < 10)
        at++;
    if (at == first || (*first == '0' && at > first + 1))
        return NULL;
    if (*at == '.') {
        first = ++at;
        while ((unsigned char)(*at - '0') < 10)
            at++;
        if (at == first)
            return NULL;
    }
    if ((*at | 32) == 'e') {
        at++;
        at += *at == '+' || *at == '-';
        first = at;
        while ((unsigned char)(*at - '0') < 10)
            at++;
        if (at == first)
            return NULL;
    }
    return at;
}

static inline bool put_number(const wi_column *column, const char *at, size_t length, char *to)
{
    uint64_t number;
    double wide;
    float narrow;
    if (column->as == WI_AS_F64 && wi_read_f64(at, length, &wide)) {
        memcpy(to, &wide, sizeof wide);
        return true;
    }
    if (column->as == WI_AS_F32 && wi_read_f32(at, length, &narrow)) {
        memcpy(to, &narrow, sizeof narrow);
        return true;
    }
    if (column->as == WI_AS_SIGNED ? !wi_read_signed(at, length, column->bytes, &number)
                                   : column->as != WI_AS_UNSIGNED ||
                                         !wi_read_unsigned(at, length, column->bytes, &number))
        return false;
    wi_store(to, number, column->bytes);
    return true;
}

/* A value of the column; returns what follows it, or NULL. */
static inline const char *take_value(wi_rows *rows, const wi_column *column, const char *at,
                                     char *row)
{
    char *to = row + column->offset;
    if (column->as == WI_AS_TEXT) {
        if (*at != '"')
            return NULL;
        const char *end = string_end(++at);
        if (*end != '"')
            return NULL;
        weir_text text = weir_i_token(at, (uint32_t)(end - at), at);
        memcpy(to, &text, sizeof text);
        rows->borrowed |= text.length > WEIR_TEXT_INLINE;
        return end + 1;
    }
    if (column->as == WI_AS_OTHER) {
        bool yes = memcmp(at, "true", 4) == 0, no = memcmp(at, "false", 5) == 0;
        if (column->field->kind != WEIR_KIND_bool || column->field->elements != 1 || !(yes || no))
            return NULL;
        *to = yes;
        return at + (yes ? 4 : 5);
    }
    const char *end = number_end(at);
    return end && put_number(column, at, (size_t)(end - at), to) ? end : NULL;
}

const char *wi_json_quick(wi_rows *rows, const uint32_t *order, const uint32_t *name_bytes,
                          const char *line, char *row)
{
    const char *at = line;
    for (uint32_t i = 0; i < rows->column_count; i++) {
        const wi_column *column = &rows->columns[order[i]];
        uint32_t bytes = name_bytes[order[i]];
        if (*at != (i ? ',' : '{'))
            return NULL;
        at = skip_blanks(at + 1);
        /* strncmp goes no further than the zeros behind all bytes. */
        if (*at != '"' || strncmp(at + 1, column->field->name, bytes) != 0 || at[bytes + 1] != '"')
            return NULL;
        at = skip_blanks(at + bytes + 2);
        if (*at != ':')
            return NULL;
        at = take_value(rows, column, skip_blanks(at + 1), row);
        if (!at)
            return NULL;
        at = skip_blanks(at);
    }
    if (*at != '}')
        return NULL;
    at += at[1] == '\r' ? 2 : 1;
    return *at == '\n' ? at + 1 : NULL;
}
