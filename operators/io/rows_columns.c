/* Which field of the type a column of the text is: in the type's order, or as the header says. */
#include "rows_parts.h"

#include <string.h>

#include "../../base/alloc.h"
#include "../../base/type.h"

static wi_column_as as_of(const weir_field *field)
{
    if (field->kind == WEIR_KIND_weir_text)
        return WI_AS_TEXT;
    if (field->elements != 1 || field->kind == WEIR_KIND_bool || field->kind >= WEIR_KIND_weir_byte)
        return WI_AS_OTHER;
    if (field->kind == WEIR_KIND_f64)
        return WI_AS_F64;
    if (field->kind == WEIR_KIND_f32)
        return WI_AS_F32;
    return wi_kind_is_signed(field->kind) ? WI_AS_SIGNED : WI_AS_UNSIGNED;
}

static wi_column column_of(const weir_type *type, uint32_t f)
{
    const weir_field *field = &weir_type_fields(type)[f];
    return (wi_column){.field = field,
                       .offset = field->offset,
                       .number = f + 1,
                       .as = as_of(field),
                       .bytes = (uint8_t)(field->elements == 1 ? field->bytes : 0)};
}

static bool is_given(const wi_rows *rows, const char *name)
{
    return rows->how.given && strcmp(rows->how.given, name) == 0;
}

static weir_err *find_given(wi_rows *rows)
{
    if (!rows->how.given)
        return NULL;
    const weir_field *field = weir_type_find(rows->how.type, rows->how.given);
    if (!field)
        return weir_err_new("`%s` has no field `%s`", rows->how.type->name, rows->how.given);
    if (field->elements != 1 || (field->kind > WEIR_KIND_u64 || field->kind == WEIR_KIND_f32 ||
                                 field->kind == WEIR_KIND_f64))
        return weir_err_new("field `%s` is to be an integer, not %s", field->name,
                            weir_kind_name(field->kind));
    if (field->bytes < 8 && rows->how.value >> (8 * field->bytes - wi_kind_is_signed(field->kind)))
        return weir_err_new("field `%s` is %s, which is too small for %llu", field->name,
                            weir_kind_name(field->kind), (unsigned long long)rows->how.value);
    rows->given_offset = field->offset;
    rows->given_bytes = field->bytes;
    return NULL;
}

/* A plain line is one text. */
static weir_err *check_line(const wi_rows *rows)
{
    if (rows->how.format != WEIR_LINES)
        return NULL;
    if (rows->how.header)
        return weir_err_new("lines have no columns that a header could name");
    if (rows->column_count == 1 && rows->columns[0].as == WI_AS_TEXT)
        return NULL;
    return weir_err_new("`%s` is to have one text for a line, and no other columns",
                        rows->how.type->name);
}

weir_err *wi_columns_init(wi_rows *rows)
{
    const weir_type *type = rows->how.type;
    const weir_field *fields = weir_type_fields(type);
    weir_err *err = find_given(rows);
    rows->columns = WI_NEWS(wi_column, type->field_count + 1);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (!is_given(rows, fields[f].name))
            rows->columns[rows->column_count++] = column_of(type, f);
    rows->knows_columns = !rows->how.header || rows->how.format == WEIR_JSON;
    if (!err && !rows->column_count)
        err = weir_err_new("`%s` has no fields that could be read", type->name);
    return err ? err : check_line(rows);
}

/* ---- the header ------------------------------------------------------------------------- */

/* A name without its quotes; the caller frees it. *at is moved behind the separator, or to `end`;
 * NULL if a quote is not closed. */
static char *next_name(const wi_rows *rows, const char **at, const char *end)
{
    bool quoted = rows->how.format == WEIR_CSV && *at < end && **at == '"', doubled = false;
    char separator = rows->how.format == WEIR_CSV ? ',' : '\t';
    const char *from = *at + quoted, *to = from;
    if (quoted)
        to = wi_rows_quote(from, end, &doubled);
    else
        while (to < end && *to != separator)
            to++;
    if (!to)
        return NULL;
    char *name = wi_calloc(1, (size_t)(to - from) + 1), *put = name;
    for (; from < to; from++) {
        *put++ = *from;
        from += doubled && *from == '"';
    }
    *at = to + quoted;
    return name;
}

static weir_err *add_column(wi_rows *rows, wi_column *to, const char *name)
{
    const weir_type *type = rows->how.type;
    const weir_field *field = weir_type_find(type, name);
    *to = (wi_column){.as = WI_AS_NOTHING};
    if (!field || is_given(rows, name))
        return rows->how.extra ? NULL
                               : weir_err_new("there is a column `%s`, but `%s` has no such field",
                                              name, type->name);
    for (const wi_column *c = rows->columns; c < to; c++)
        if (c->field == field)
            return weir_err_new("there are two columns `%s`", name);
    *to = column_of(type, (uint32_t)(field - weir_type_fields(type)));
    return NULL;
}

static weir_err *missing_column(const wi_rows *rows)
{
    const weir_field *field = weir_type_fields(rows->how.type);
    for (uint32_t f = 0; f < rows->how.type->field_count; f++, field++) {
        bool found = is_given(rows, field->name);
        for (uint32_t c = 0; c < rows->column_count; c++)
            found |= rows->columns[c].field == field;
        if (!found)
            return weir_err_new("there is no column `%s`", field->name);
    }
    return NULL;
}

/* The end of the header's line: a quoted name may have newlines. NULL: it has not come yet. */
static const char *line_end(const wi_rows *rows)
{
    bool csv = rows->how.format == WEIR_CSV, quoted = false;
    const char *end = rows->buffer->at + rows->end;
    for (const char *at = rows->buffer->at + rows->begin; at < end; at++) {
        quoted ^= csv && *at == '"';
        if (*at == '\n' && !quoted)
            return at;
    }
    return NULL;
}

bool wi_columns_read(wi_rows *rows, size_t *end_out, weir_err **err_out)
{
    const char *at = rows->buffer->at + rows->begin, *newline = line_end(rows);
    if (!newline) {
        if (rows->ended || rows->end - rows->begin > rows->how.row_bytes_max)
            *err_out = weir_err_new("the first line, which is to name the columns, has no end");
        return false;
    }
    const char *end = newline > at && newline[-1] == '\r' ? newline - 1 : newline;
    unsigned capacity = 0, count = 0;
    weir_err *err = NULL;
    wi_free(rows->columns);
    rows->columns = NULL;
    for (bool more = true; more && !err;) {
        char *name = next_name(rows, &at, end);
        wi_grow(&rows->columns, &capacity, count + 1, sizeof *rows->columns);
        err = name ? add_column(rows, &rows->columns[count++], name)
                   : weir_err_new("a quote is not closed in the first line");
        wi_free(name);
        more = at < end;
        if (more && !err && *at++ != (rows->how.format == WEIR_CSV ? ',' : '\t'))
            err = weir_err_new("a name goes on after its quote in the first line");
    }
    rows->column_count = count;
    *err_out = err ? err : missing_column(rows);
    *end_out = (size_t)(newline + 1 - rows->buffer->at);
    return !*err_out;
}
