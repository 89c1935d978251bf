/* Rows as lines of tab-separated fields; row_parse.c is the way back.
 *
 *   integers, times   decimal               f32, f64   a short form that reads back as
 *   bool              true, false                      the same bits; inf, -inf, nan, -nan,
 *   text              itself; tab, newline,            nan(0x...) for NaNs with other bits
 *                     carriage return and   bytes      hexadecimal, two digits each
 *                     backslash escaped     arrays     [1,2,3], matrices [[1,2],[3,4]]
 *
 * Printing then parsing gives an equal row, whatever the bytes in it. Neither depends on
 * the process's locale. */
#include "type.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "number_text.h"

static const char hex_digits[] = "0123456789abcdef";

/* ---- a growing buffer ------------------------------------------------------------------- */

typedef struct buffer {
    char *bytes;
    size_t length, capacity;
} buffer;

static void put(buffer *to, const char *bytes, size_t length)
{
    if (length > to->capacity - to->length) {
        to->capacity = (to->capacity + length) * 2 + 64;
        to->bytes = wi_realloc(to->bytes, to->capacity);
    }
    if (length)
        memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void put_char(buffer *to, char c)
{
    put(to, &c, 1);
}

static void put_string(buffer *to, const char *string)
{
    put(to, string, strlen(string));
}

/* ---- printing --------------------------------------------------------------------------- */

static void put_hex(buffer *to, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        char pair[2] = {hex_digits[byte >> 4], hex_digits[byte & 15]};
        put(to, pair, 2);
    }
}

static char escape_of(char c)
{
    return c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\\' ? '\\' : 0;
}

static void put_escaped(buffer *to, const char *bytes, size_t length)
{
    size_t plain = 0;
    for (size_t i = 0; i < length; i++) {
        char escape = escape_of(bytes[i]);
        if (!escape)
            continue;
        char pair[2] = {'\\', escape};
        put(to, bytes + plain, i - plain);
        put(to, pair, 2);
        plain = i + 1;
    }
    put(to, bytes + plain, length - plain);
}

static void put_element(buffer *to, weir_kind kind, const void *at, uint32_t bytes)
{
    char text[WI_NUMBER_BYTES], *end;
    float narrow;
    double wide;
    if (kind == WEIR_KIND_f32) {
        memcpy(&narrow, at, sizeof narrow);
        end = wi_put_f32(text, narrow);
    } else if (kind == WEIR_KIND_f64) {
        memcpy(&wide, at, sizeof wide);
        end = wi_put_f64(text, wide);
    } else if (kind == WEIR_KIND_bool) {
        put_string(to, wi_load_unsigned(at, bytes) ? "true" : "false");
        return;
    } else if (wi_kind_is_signed(kind)) {
        end = wi_put_i64(text, wi_load_signed(at, bytes));
    } else {
        end = wi_put_u64(text, wi_load_unsigned(at, bytes));
    }
    put(to, text, (size_t)(end - text));
}

static void put_array(buffer *to, const weir_field *field, const char *at)
{
    uint32_t columns = field->columns, bytes = field->elements ? field->bytes / field->elements : 0;
    put_char(to, '[');
    for (uint32_t i = 0; i < field->elements; i++) {
        if (i)
            put_char(to, ',');
        if (columns > 1 && i % columns == 0)
            put_char(to, '[');
        put_element(to, field->kind, at + (size_t)i * bytes, bytes);
        if (columns > 1 && (i + 1) % columns == 0)
            put_char(to, ']');
    }
    put_char(to, ']');
}

static void put_field(buffer *to, const weir_field *field, const void *row)
{
    const char *at = (const char *)row + field->offset;
    const weir_text *text = (const weir_text *)at;
    if (field->kind == WEIR_KIND_weir_text)
        put_escaped(to, weir_text_at(text), text->length);
    else if (field->kind == WEIR_KIND_weir_bytes)
        put_hex(to, weir_text_at(text), text->length);
    else if (field->kind == WEIR_KIND_weir_byte)
        put_hex(to, at, field->bytes);
    else if (field->elements == 1)
        put_element(to, field->kind, at, field->bytes);
    else
        put_array(to, field, at);
}

char *weir_row_text(const weir_type *type, const void *row, size_t *length_out)
{
    buffer to = {0};
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++) {
        if (f)
            put_char(&to, '\t');
        put_field(&to, &field[f], row);
    }
    put_char(&to, '\0');
    if (length_out)
        *length_out = to.length - 1;
    return to.bytes;
}

void weir_row_print(const weir_type *type, const void *row, void *file)
{
    size_t length;
    char *text = weir_row_text(type, row, &length);
    fwrite(text, 1, length, file);
    wi_free(text);
}
