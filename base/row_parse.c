/* Rows from lines of tab-separated fields, in the form that row_text.c prints and says.
 *
 * Strict: every field is there and is all of its kind; numbers fit; nothing is skipped or
 * guessed. Texts borrow from the line where that is possible. A failure names the field
 * and shows what it was. */
#include <weir/batch.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "assert.h"
#include "type.h"

#define EXCERPT_BYTES 40 /* of a bad value, in a message */
#define FLOAT_BYTES 512  /* the longest number that is read as a float, and a NUL */

/* A stretch of the line: one field, or one element of it. */
typedef struct span {
    const char *at, *end;
} span;

typedef struct parser {
    const weir_field *field;
    uint32_t number; /* of the field, from 1 */
    bool plain;      /* texts have no escapes */
    weir_batch *arena;
} parser;

/* "field 2 `count`: 300 does not fit u8" */
static weir_err *bad(const parser *in, span value, const char *why)
{
    char excerpt[EXCERPT_BYTES + 4];
    size_t length = 0;
    for (const char *at = value.at; at < value.end && length < EXCERPT_BYTES; at++)
        excerpt[length++] = (unsigned char)*at < 32 || *at == 127 ? '?' : *at;
    excerpt[length] = '\0';
    if ((size_t)(value.end - value.at) > EXCERPT_BYTES)
        memcpy(excerpt + length, "...", 4);
    return weir_err_new("field %u `%s`: %s %s %s", in->number, in->field->name,
                        length ? excerpt : "(nothing)", why, weir_kind_name(in->field->kind));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = c | 32;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* ---- single values ---------------------------------------------------------------------- */

typedef enum verdict { FINE, NOT_ONE, TOO_LARGE } verdict;

static verdict read_digits(span value, uint64_t *number_out)
{
    uint64_t number = 0;
    if (value.at == value.end)
        return NOT_ONE;
    bool large = false;
    for (; value.at < value.end; value.at++) {
        unsigned digit = (unsigned char)*value.at - (unsigned)'0';
        if (digit > 9)
            return NOT_ONE;
        large |= __builtin_mul_overflow(number, 10u, &number);
        large |= __builtin_add_overflow(number, digit, &number);
    }
    *number_out = number;
    return large ? TOO_LARGE : FINE;
}

static verdict read_unsigned(span value, uint32_t bytes, uint64_t *number_out)
{
    verdict is = read_digits(value, number_out);
    if (is == FINE && *number_out > UINT64_MAX >> (64 - 8 * bytes))
        return TOO_LARGE;
    return is;
}

static verdict read_signed(span value, uint32_t bytes, uint64_t *number_out)
{
    bool minus = value.at < value.end && *value.at == '-';
    value.at += minus;
    verdict is = read_digits(value, number_out);
    if (is != FINE)
        return is;
    uint64_t most = UINT64_MAX >> (65 - 8 * bytes);
    if (*number_out > most + minus)
        return TOO_LARGE;
    if (minus)
        *number_out = 0 - *number_out;
    return FINE;
}

static bool span_is(span value, const char *word)
{
    size_t length = (size_t)(value.end - value.at);
    return length == strlen(word) && memcmp(value.at, word, length) == 0;
}

static verdict read_bool(span value, uint64_t *number_out)
{
    *number_out = span_is(value, "true") || span_is(value, "1");
    return *number_out || span_is(value, "false") || span_is(value, "0") ? FINE : NOT_ONE;
}

/* nan, -nan, nan(0x7ff8000000000001): gives the bits. */
static verdict read_nan(span value, uint32_t bytes, uint64_t *bits_out)
{
    uint64_t quiet = bytes == 4 ? 0x7fc00000u : 0x7ff8000000000000u;
    uint64_t infinity = bytes == 4 ? 0x7f800000u : 0x7ff0000000000000u;
    uint64_t sign = 1ull << (8 * bytes - 1);
    *bits_out = span_is(value, "-nan") ? quiet | sign : quiet;
    if (span_is(value, "nan") || span_is(value, "-nan"))
        return FINE;
    size_t length = (size_t)(value.end - value.at);
    if (length < 8 || length > 7 + 2 * bytes || memcmp(value.at, "nan(0x", 6) != 0 ||
        value.end[-1] != ')')
        return NOT_ONE;
    *bits_out = 0;
    for (const char *at = value.at + 6; at < value.end - 1; at++) {
        int digit = hex_value(*at);
        if (digit < 0)
            return NOT_ONE;
        *bits_out = *bits_out << 4 | (unsigned)digit;
    }
    return (*bits_out & ~sign) > infinity ? FINE : NOT_ONE;
}

/* In the C locale, which the C library has at hand and which is never freed. */
static verdict read_float(span value, uint32_t bytes, uint64_t *bits_out)
{
    char text[FLOAT_BYTES];
    size_t length = (size_t)(value.end - value.at);
    if (memchr(value.at, 'n', length) && !span_is(value, "inf") && !span_is(value, "-inf"))
        return read_nan(value, bytes, bits_out);
    if (length == 0 || length >= sizeof text)
        return NOT_ONE;
    memcpy(text, value.at, length);
    text[length] = '\0';
    bool named = span_is(value, "inf") || span_is(value, "-inf");
    if (!named && (strspn(text, "0123456789.eE+-") != length || text[0] == '+'))
        return NOT_ONE;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *end;
    double wide = 0;
    float narrow = 0;
    if (bytes == 4)
        narrow = strtof_l(text, &end, c_locale);
    else
        wide = strtod_l(text, &end, c_locale);
    if (end != text + length)
        return NOT_ONE;
    if (!named && (isinf(wide) || isinf(narrow)))
        return TOO_LARGE;
    *bits_out = 0;
    memcpy(bits_out, bytes == 4 ? (void *)&narrow : (void *)&wide, bytes);
    return FINE;
}

static weir_err *parse_element(const parser *in, span value, uint32_t bytes, char *to)
{
    weir_kind kind = in->field->kind;
    uint64_t bits = 0;
    verdict is;
    if (kind == WEIR_KIND_f32 || kind == WEIR_KIND_f64)
        is = read_float(value, bytes, &bits);
    else if (kind == WEIR_KIND_bool)
        is = read_bool(value, &bits);
    else if (wi_kind_is_signed(kind))
        is = read_signed(value, bytes, &bits);
    else
        is = read_unsigned(value, bytes, &bits);
    if (is != FINE)
        return bad(in, value, is == TOO_LARGE ? "does not fit" : "does not read as");
    memcpy(to, &bits, bytes);
    return NULL;
}

/* ---- fields ----------------------------------------------------------------------------- */

/* Takes one character off the front of what is left. */
static bool take(span *left, char wanted)
{
    if (left->at == left->end || *left->at != wanted)
        return false;
    left->at++;
    return true;
}

static weir_err *bad_array(const parser *in, span value)
{
    const weir_field *field = in->field;
    char why[96];
    if (field->columns > 1)
        snprintf(why, sizeof why, "is not a matrix of %u rows of %u",
                 field->elements / field->columns, field->columns);
    else
        snprintf(why, sizeof why, "is not an array of %u", field->elements);
    return bad(in, value, why);
}

static weir_err *parse_array(const parser *in, span value, char *to)
{
    const weir_field *field = in->field;
    uint32_t columns = field->columns;
    span left = value;
    bool fits = take(&left, '[');
    for (uint32_t i = 0; i < field->elements && fits; i++) {
        bool first = columns > 1 && i % columns == 0, last = columns > 1 && (i + 1) % columns == 0;
        fits = (i == 0 || take(&left, ',')) && (!first || take(&left, '['));
        if (!fits)
            break;
        span element = left;
        while (left.at < left.end && *left.at != ',' && *left.at != ']')
            left.at++;
        element.end = left.at;
        uint32_t bytes = field->bytes / field->elements;
        weir_err *err = parse_element(in, element, bytes, to + (size_t)i * bytes);
        if (err)
            return err;
        fits = !last || take(&left, ']');
    }
    if (!fits || !take(&left, ']') || left.at != left.end)
        return bad_array(in, value);
    return NULL;
}

/* Bytes from hexadecimal; false if it is not that. */
static bool read_hex(span value, char *to)
{
    if ((value.end - value.at) % 2)
        return false;
    for (; value.at < value.end; value.at += 2) {
        int high = hex_value(value.at[0]), low = hex_value(value.at[1]);
        if (high < 0 || low < 0)
            return false;
        *to++ = (char)(high << 4 | low);
    }
    return true;
}

/* Undoes escapes; false at an unknown one. */
static bool read_escaped(span value, char *to, size_t *length_out)
{
    char *begin = to;
    while (value.at < value.end) {
        char c = *value.at++;
        if (c == '\\') {
            c = value.at < value.end ? *value.at++ : '?';
            if (!strchr("tnr\\", c) || !c)
                return false;
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        *to++ = c;
    }
    *length_out = (size_t)(to - begin);
    return true;
}

static weir_err *parse_text(const parser *in, span value, weir_text *to)
{
    size_t length = (size_t)(value.end - value.at);
    bool hex = in->field->kind == WEIR_KIND_weir_bytes;
    if (length > UINT32_MAX)
        return bad(in, value, "is longer than 4 GiB, too long for");
    if (!hex && (in->plain || !memchr(value.at, '\\', length))) {
        *to = weir_text_of(value.at, (uint32_t)length);
        return NULL;
    }
    char *bytes = wi_alloc(length);
    bool fine = hex ? read_hex(value, bytes) : read_escaped(value, bytes, &length);
    if (hex)
        length /= 2;
    wi_assert(in->arena || length <= WEIR_TEXT_INLINE || !fine,
              "long texts have a batch to live in");
    if (fine)
        *to = weir_text_new(in->arena, bytes, (uint32_t)length);
    wi_free(bytes);
    if (!fine)
        return bad(in, value,
                   hex ? "is not hexadecimal, as needed for" : "has an unknown escape in");
    return NULL;
}

static weir_err *parse_field(const parser *in, span value, char *row)
{
    const weir_field *field = in->field;
    char *to = row + field->offset;
    if (wi_kind_is_text(field->kind))
        return parse_text(in, value, (weir_text *)to);
    if (field->kind == WEIR_KIND_weir_byte) {
        if ((size_t)(value.end - value.at) == 2ull * field->bytes && read_hex(value, to))
            return NULL;
        char why[64];
        snprintf(why, sizeof why, "is not %u hexadecimal digits for", 2 * field->bytes);
        return bad(in, value, why);
    }
    if (field->elements == 1)
        return parse_element(in, value, field->bytes, to);
    return parse_array(in, value, to);
}

weir_err *wi_field_parse(const weir_field *field, uint32_t number, const char *at, size_t length,
                         bool plain, void *row, weir_batch *arena)
{
    parser in = {.field = field, .number = number, .plain = plain, .arena = arena};
    return parse_field(&in, (span){at, at + length}, row);
}

weir_err *weir_row_parse(const weir_type *type, const char *line, size_t length, void *row_out,
                         weir_batch *arena)
{
    const weir_field *field = weir_type_fields(type);
    span left = {line, line + length};
    memset(row_out, 0, type->size);
    for (uint32_t f = 0; f < type->field_count; f++) {
        parser in = {.field = &field[f], .number = f + 1, .arena = arena};
        if (f && !take(&left, '\t'))
            return weir_err_new("field %u `%s` is missing: the line has %u, `%s` has %u", f + 1,
                                field[f].name, f, type->name, type->field_count);
        span value = left;
        const char *tab = memchr(left.at, '\t', (size_t)(left.end - left.at));
        left.at = value.end = tab ? tab : left.end;
        weir_err *err = parse_field(&in, value, row_out);
        if (err)
            return err;
    }
    if (left.at != left.end)
        return weir_err_new("the line goes on after the last of the %u fields of `%s`",
                            type->field_count, type->name);
    return NULL;
}
