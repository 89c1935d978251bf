/* Rows as lines; see write_rows.h. Fields whose text has a known bound are written without
 * asking for room again; the functions for the kinds are chosen by a switch for each field. */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../../base/number_text.h"
#include "../../base/type.h"
#include "write_rows.h"

/* One field: `before`, its value, and, at last, the end of the line. */
typedef struct step {
    char *before; /* a separator; in JSON the name, too */
    size_t before_bytes;
    weir_field field;
    uint32_t element_bytes;
} step;

struct wi_row_writer {
    const weir_type *type;
    weir_row_format format;
    bool header, diffs, lines;
    bool strict; /* a diff other than +1 has no place */
    uint32_t count;
    step steps[];
};

/* ---- making one ------------------------------------------------------------------------- */

void wi_lines_check(weir_stream in, const char *name, const wi_lines_how *how)
{
    if (how->format > WEIR_JSON || how->diffs > WEIR_DIFFS_LINES)
        weir_scope_fail(in.scope, "%s: there is no such format, or no such way with diffs", name);
    else if (how->diffs == WEIR_DIFFS_ALL && weir_type_find(in.type, "diff"))
        weir_scope_fail(in.scope,
                        "%s: rows of `%s` have a field `diff`, and a column for diffs is to be "
                        "called so, too; rename the field",
                        name, in.type->name);
}

static void make_step(wi_row_writer *writer, uint32_t f)
{
    const weir_field *field = &weir_type_fields(writer->type)[f];
    step *made = &writer->steps[f];
    wi_bytes before = {0};
    wi_bytes_room(&before, 1); /* so that there is an address, if it stays empty */
    bool first = f == 0 && !writer->diffs;
    if (writer->format == WEIR_JSON) {
        if (!first)
            wi_bytes_put(&before, ",", 1);
        wi_write_json_text(&before, field->name, strlen(field->name));
        wi_bytes_put(&before, ":", 1);
    } else if (!first) {
        wi_bytes_put(&before, writer->format == WEIR_CSV ? "," : "\t", 1);
    }
    made->before = before.at;
    made->before_bytes = before.length;
    made->field = *field;
    made->element_bytes = field->elements ? field->bytes / field->elements : 0;
}

wi_row_writer *wi_row_writer_new(const weir_type *type, const wi_lines_how *how)
{
    wi_row_writer *writer = wi_calloc(1, sizeof *writer + type->field_count * sizeof(step));
    writer->type = type;
    writer->format = how->format;
    writer->header = how->header && how->format != WEIR_JSON;
    writer->diffs = how->diffs == WEIR_DIFFS_ALL;
    writer->lines = how->diffs == WEIR_DIFFS_LINES;
    writer->strict =
        !writer->diffs && (writer->lines || writer->header || how->format == WEIR_CSV);
    writer->count = type->field_count;
    for (uint32_t f = 0; f < writer->count; f++)
        make_step(writer, f);
    return writer;
}

void wi_row_writer_free(wi_row_writer *writer)
{
    for (uint32_t f = 0; writer && f < writer->count; f++)
        wi_free(writer->steps[f].before);
    wi_free(writer);
}

/* ---- one field -------------------------------------------------------------------------- */

/* JSON has no words for what is not a number: they are strings. And many readers take -0 for the
 * integer, which has no sign then. */
static char *make_json(char *begin, char *end)
{
    char last = end[-1];
    if (last == '0' && end - begin == 2 && *begin == '-')
        return (char *)memcpy(end, ".0", 2) + 2;
    if (last >= '0' && last <= '9')
        return end;
    memmove(begin + 1, begin, (size_t)(end - begin));
    *begin = '"';
    end[1] = '"';
    return end + 2;
}

static inline char *put_element(char *to, weir_kind kind, const void *at, uint32_t bytes, bool json)
{
    char *begin = to;
    float narrow;
    double wide;
    switch (kind) {
    case WEIR_KIND_f32:
        memcpy(&narrow, at, sizeof narrow);
        to = wi_put_f32(to, narrow);
        return json ? make_json(begin, to) : to;
    case WEIR_KIND_f64:
        memcpy(&wide, at, sizeof wide);
        to = wi_put_f64(to, wide);
        return json ? make_json(begin, to) : to;
    case WEIR_KIND_bool:
        if (wi_load_unsigned(at, bytes))
            return (char *)memcpy(to, "true", 4) + 4;
        return (char *)memcpy(to, "false", 5) + 5;
    case WEIR_KIND_i64:
    case WEIR_KIND_weir_time_ms:
    case WEIR_KIND_weir_time_us:
        return wi_put_i64(to, wi_load_signed(at, 8));
    case WEIR_KIND_i8:
    case WEIR_KIND_i16:
    case WEIR_KIND_i32:
        return wi_put_i64(to, wi_load_signed(at, bytes));
    default:
        return wi_put_u64(to, wi_load_unsigned(at, bytes));
    }
}

static void put_array(wi_bytes *bytes, const step *of, const char *at, bool json)
{
    const weir_field *field = &of->field;
    uint32_t columns = field->columns;
    wi_bytes_put(bytes, "[", 1);
    for (uint32_t i = 0; i < field->elements; i++) {
        char *to = wi_bytes_room(bytes, WI_NUMBER_BYTES + 8);
        if (i)
            *to++ = ',';
        if (columns > 1 && i % columns == 0)
            *to++ = '[';
        to = put_element(to, field->kind, at + (size_t)i * of->element_bytes,
                         of->element_bytes, json);
        if (columns > 1 && (i + 1) % columns == 0)
            *to++ = ']';
        bytes->length = (size_t)(to - bytes->at);
    }
    wi_bytes_put(bytes, "]", 1);
}

static void put_quoted(wi_bytes *to, weir_row_format format, const step *of, const char *row)
{
    const weir_field *field = &of->field;
    const char *at = row + field->offset;
    const weir_text *text = (const weir_text *)(const void *)at;
    const char *quote = format == WEIR_JSON ? "\"" : "";
    bool fixed = field->kind == WEIR_KIND_weir_byte;
    if (!fixed && field->kind != WEIR_KIND_weir_bytes) { /* an array */
        quote = format == WEIR_CSV && field->elements > 1 ? "\"" : "";
        wi_bytes_put(to, quote, strlen(quote));
        put_array(to, of, at, format == WEIR_JSON);
    } else {
        wi_bytes_put(to, quote, strlen(quote));
        wi_write_hex(to, fixed ? at : weir_text_at(text), fixed ? field->bytes : text->length);
    }
    wi_bytes_put(to, quote, strlen(quote));
}

static inline void put_text(const wi_row_writer *writer, wi_bytes *to, const weir_text *text)
{
    if (writer->format == WEIR_TSV)
        wi_write_tsv_text(to, weir_text_at(text), text->length);
    else if (writer->format == WEIR_CSV)
        wi_write_csv_text(to, weir_text_at(text), text->length,
                          writer->count == 1 && !writer->diffs);
    else
        wi_write_json_text(to, weir_text_at(text), text->length);
}

/* ---- lines ------------------------------------------------------------------------------ */

static void put_diff(const wi_row_writer *writer, wi_bytes *bytes, int64_t diff)
{
    bool json = writer->format == WEIR_JSON;
    if (json)
        wi_bytes_put(bytes, "\"diff\":", 7);
    char *to = wi_bytes_room(bytes, WI_NUMBER_BYTES);
    if (!json && !writer->diffs && diff >= 0)
        *to++ = '+';
    to = wi_put_i64(to, diff);
    bytes->length = (size_t)(to - bytes->at);
    if (!writer->diffs && writer->count)
        wi_bytes_put(bytes, json ? "," : "\t", 1);
}

int64_t wi_write_lines(const wi_row_writer *writer, int64_t *diff)
{
    int64_t lines = *diff;
    if (!writer->lines || lines < 0)
        return 1;
    *diff = 1;
    return lines;
}

bool wi_write_row(const wi_row_writer *writer, wi_bytes *bytes, const void *row, int64_t diff)
{
    bool json = writer->format == WEIR_JSON;
    if (WEIR_UNLIKELY(diff != 1 && writer->strict))
        return false;
    if (json)
        wi_bytes_put(bytes, "{", 1);
    if (writer->diffs || diff != 1)
        put_diff(writer, bytes, diff);
    for (const step *of = writer->steps, *end = of + writer->count; of < end; of++) {
        const char *at = (const char *)row + of->field.offset;
        char *to = wi_bytes_room(bytes, of->before_bytes + WI_NUMBER_BYTES + 2);
        if (of->before_bytes)
            memcpy(to, of->before, of->before_bytes);
        bytes->length += of->before_bytes;
        if (of->field.kind == WEIR_KIND_weir_text) {
            put_text(writer, bytes, (const weir_text *)(const void *)at);
        } else if (of->field.kind == WEIR_KIND_weir_bytes ||
                   of->field.kind == WEIR_KIND_weir_byte || of->field.elements != 1) {
            put_quoted(bytes, writer->format, of, row);
        } else {
            to = put_element(to + of->before_bytes, of->field.kind, at, of->field.bytes,
                             json);
            bytes->length = (size_t)(to - bytes->at);
        }
    }
    wi_bytes_put(bytes, json ? "}\n" : "\n", json ? 2 : 1);
    return true;
}

void wi_write_refused(weir_op *op, int64_t diff)
{
    weir_op_stop(op,
                 "has a row with a diff of %+lld, for which these lines have no place; give them "
                 "a column for it (.diffs = WEIR_DIFFS_ALL)",
                 (long long)diff);
}

void wi_write_header(const wi_row_writer *writer, wi_bytes *to)
{
    if (!writer->header)
        return;
    if (writer->diffs)
        wi_bytes_put(to, "diff", 4);
    for (uint32_t f = 0; f < writer->count; f++) {
        const char *name = writer->steps[f].field.name;
        wi_bytes_put(to, writer->steps[f].before, writer->steps[f].before_bytes);
        if (writer->format == WEIR_CSV)
            wi_write_csv_text(to, name, strlen(name), writer->count == 1);
        else
            wi_write_tsv_text(to, name, strlen(name));
    }
    wi_bytes_put(to, "\n", 1);
}
