/* The fast way through TSV, CSV and plain lines. Sixty-four bytes at a time are looked at for
 * separators and newlines (and, in TSV, backslashes), which gives a word with a bit for each;
 * fields end where the next bit is. What is wrong is not said here: see rows_bad.c. */
#include "rows_parts.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/type.h"
#include "numbers.h"

#define INLINED static inline __attribute__((always_inline))

/* ---- where fields end ------------------------------------------------------------------- */

typedef struct scan {
    const char *block; /* of 64 bytes */
    uint64_t ends;     /* in it, not gone by yet */
    const char *end;   /* of all, with zeros behind */
} scan;

/* A bit for each of 64 bytes that is one of three. */
#ifdef __SSE2__
INLINED uint64_t find(const char *at, char a, char b, char c)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)(at + i));
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(a)),
                                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b)));
        if (c != b)
            is = _mm_or_si128(is, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
        found |= (uint64_t)(unsigned)_mm_movemask_epi8(is) << i;
    }
    return found;
}
#else
INLINED uint64_t find(const char *at, char a, char b, char c)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < 64; i++)
        found |= (uint64_t)(at[i] == a || at[i] == b || at[i] == c) << i;
    return found;
}
#endif

INLINED uint64_t ends_in(const char *block, weir_row_format form)
{
    return form == WEIR_CSV   ? find(block, ',', '\n', '\n')
           : form == WEIR_TSV ? find(block, '\t', '\n', '\\')
                              : find(block, '\n', '\n', '\n');
}

INLINED const char *next_end(scan *in, weir_row_format form)
{
    while (WEIR_UNLIKELY(!in->ends)) {
        in->block += 64;
        if (in->block >= in->end)
            return NULL;
        in->ends = ends_in(in->block, form);
    }
    const char *at = in->block + __builtin_ctzll(in->ends);
    in->ends &= in->ends - 1;
    return at;
}

/* Begins again at a place, which may be the end. */
INLINED void begin_at(scan *in, const char *at, weir_row_format form)
{
    in->block = at;
    in->ends = ends_in(at, form);
}

/* ---- values ----------------------------------------------------------------------------- */

/* One field's bytes. */
typedef struct span {
    const char *at;
    size_t length;
    bool odd; /* has escapes or doubled quotes */
} span;

INLINED bool put_value(wi_rows *rows, const wi_column *column, span value, char *row)
{
    char *to = row + column->offset;
    uint64_t number;
    double wide;
    float narrow;
    if (WEIR_UNLIKELY(value.odd))
        return wi_rows_value(rows, column, value.at, value.length, true, row, NULL);
    switch (column->as) {
    case WI_AS_NOTHING:
        return true;
    case WI_AS_TEXT: {
        /* The zeros behind the bytes make it safe to read 16 of them anywhere. */
        weir_text text = weir_i_token(value.at, (uint32_t)value.length, value.at);
        memcpy(to, &text, sizeof text);
        rows->borrowed |= value.length > WEIR_TEXT_INLINE;
        return true;
    }
    case WI_AS_SIGNED:
        if (!wi_read_signed(value.at, value.length, column->bytes, &number))
            break;
        wi_store(to, number, column->bytes);
        return true;
    case WI_AS_UNSIGNED:
        if (!wi_read_unsigned(value.at, value.length, column->bytes, &number))
            break;
        wi_store(to, number, column->bytes);
        return true;
    case WI_AS_F64:
        if (!wi_read_f64(value.at, value.length, &wide))
            break;
        memcpy(to, &wide, sizeof wide);
        return true;
    case WI_AS_F32:
        if (!wi_read_f32(value.at, value.length, &narrow))
            break;
        memcpy(to, &narrow, sizeof narrow);
        return true;
    default:
        break;
    }
    return wi_rows_value(rows, column, value.at, value.length, false, row, NULL);
}

/* ---- fields ----------------------------------------------------------------------------- */

typedef enum field_is { FIELD_FINE, FIELD_PART, FIELD_BAD } field_is;

/* A field that begins with a quote. *at is moved to what ends it. */
static field_is quoted_field(wi_rows *rows, const char **at, scan *in, span *value_out)
{
    const char *from = *at + 1, *end = in->end;
    if (rows->how.line_by_line) {
        const char *newline = memchr(from, '\n', (size_t)(end - from));
        if (!newline)
            return FIELD_PART;
        end = newline;
    }
    const char *quote = wi_rows_quote(from, end, &value_out->odd);
    if (!quote)
        return rows->how.line_by_line ? FIELD_BAD : FIELD_PART;
    const char *behind = quote + 1;
    behind += *behind == '\r' && behind[1] == '\n';
    if (behind >= in->end || (*behind == '\r' && behind + 1 == in->end))
        return FIELD_PART;
    if (*behind != ',' && *behind != '\n')
        return FIELD_BAD;
    value_out->at = from;
    value_out->length = (size_t)(quote - from);
    begin_at(in, behind, WEIR_CSV);
    in->ends &= in->ends - 1;
    *at = behind;
    return FIELD_FINE;
}

INLINED field_is plain_field(const char **at, scan *in, weir_row_format form, span *value_out)
{
    const char *from = *at, *to = next_end(in, form);
    value_out->odd = false;
    if (form == WEIR_TSV)
        while (WEIR_UNLIKELY(to && *to == '\\')) {
            value_out->odd = true;
            to = next_end(in, form);
        }
    if (WEIR_UNLIKELY(!to))
        return FIELD_PART;
    *at = to;
    value_out->at = from;
    value_out->length = (size_t)(to - from);
    if (*to == '\n' && to > from && to[-1] == '\r')
        value_out->length--;
    return FIELD_FINE;
}

/* The row at *at, which is moved behind its newline. */
INLINED field_is read_row(wi_rows *rows, const char **at, scan *in, weir_row_format form, char *row,
                          uint32_t *lines_out)
{
    const wi_column *columns = rows->columns;
    uint32_t count = rows->column_count;
    for (uint32_t c = 0; c < count; c++, ++*at) {
        span value;
        field_is is;
        if (form == WEIR_CSV && WEIR_UNLIKELY(**at == '"')) {
            is = quoted_field(rows, at, in, &value);
            for (size_t i = 0; is == FIELD_FINE && i < value.length; i++)
                *lines_out += value.at[i] == '\n';
        } else {
            is = plain_field(at, in, form, &value);
        }
        if (WEIR_UNLIKELY(is != FIELD_FINE))
            return is;
        char ends = c + 1 < count ? (form == WEIR_CSV ? ',' : '\t') : '\n';
        if (WEIR_UNLIKELY(**at != ends) || !put_value(rows, &columns[c], value, row))
            return FIELD_BAD;
    }
    return FIELD_FINE;
}

INLINED wi_rows_found read_rows(wi_rows *rows, uint64_t most, weir_row_format form)
{
    weir_batch *batch = rows->batch;
    size_t size = batch->type->size;
    const char *begin = rows->buffer->at + rows->begin, *at = begin;
    char *row = (char *)batch->rows + batch->count * size;
    uint32_t count = 0, room = rows->capacity - batch->count, lines = 0;
    bool clear = rows->padded || rows->how.given;
    size_t longest = rows->how.row_bytes_max;
    scan in = {.end = rows->buffer->at + rows->end};
    field_is is = FIELD_FINE;
    if (most < room)
        room = (uint32_t)most;
    begin_at(&in, at, form);
    for (; count < room && at < in.end; count++, row += size) {
        const char *next = at;
        uint32_t more = 1;
        if (clear)
            memset(row, 0, size);
        is = read_row(rows, &next, &in, form, row, &more);
        if ((size_t)(next - at) > longest)
            is = FIELD_BAD;
        if (is != FIELD_FINE)
            break;
        if (rows->how.given)
            wi_store(row + rows->given_offset, rows->how.value, (uint32_t)rows->given_bytes);
        at = next;
        lines += more;
    }
    batch->count += count;
    rows->place.records += count;
    rows->place.lines += lines;
    rows->place.bytes += (size_t)(at - begin);
    rows->begin += (size_t)(at - begin);
    return is == FIELD_BAD                      ? WI_FOUND_BAD
           : is == FIELD_PART || at == in.end ? WI_FOUND_PART
                                              : WI_FOUND_ALL;
}

wi_rows_found wi_rows_fields(wi_rows *rows, uint64_t most)
{
    return rows->how.format == WEIR_CSV   ? read_rows(rows, most, WEIR_CSV)
           : rows->how.format == WEIR_TSV ? read_rows(rows, most, WEIR_TSV)
                                          : read_rows(rows, most, WEIR_LINES);
}
