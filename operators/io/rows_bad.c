/* The slow way through one row of TSV or CSV: what is wrong with it, and where the next begins.
 *
 * A row with a value that is none ends where it would end otherwise, newlines in its quoted fields
 * included. If its quotes are wrong nobody can say where it ends; it is then its first line. */
#include "rows_parts.h"

#include <string.h>

#include "../../base/alloc.h"
#include "../../base/type.h"

const char *wi_rows_quote(const char *at, const char *end, bool *doubled_out)
{
    *doubled_out = false;
    for (; at < end; at += 2) {
        at = memchr(at, '"', (size_t)(end - at));
        if (!at || at + 1 >= end || at[1] != '"')
            return at;
        *doubled_out = true;
    }
    return NULL;
}

/* With its doubled quotes made single. */
static bool undoubled_value(wi_rows *rows, const wi_column *column, const char *at, size_t length,
                            char *row, weir_err **err_out)
{
    char *bytes = wi_alloc(length ? length : 1);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        bytes[count++] = at[i];
        i += at[i] == '"';
    }
    const weir_field *field = column->field;
    if (field->kind == WEIR_KIND_weir_text) {
        weir_text text = weir_text_new(rows->batch, bytes, (uint32_t)count);
        memcpy(row + field->offset, &text, sizeof text);
    } else {
        *err_out = wi_field_parse(field, column->number, bytes, count, true, row, rows->batch);
    }
    wi_free(bytes);
    return !*err_out;
}

bool wi_rows_value(wi_rows *rows, const wi_column *column, const char *at, size_t length, bool odd,
                   char *row, weir_err **err_out)
{
    weir_err *err = NULL;
    bool as_is = rows->how.format != WEIR_TSV;
    if (!column->field)
        return true;
    if (as_is && odd)
        undoubled_value(rows, column, at, length, row, &err);
    else
        err = wi_field_parse(column->field, column->number, at, length, as_is, row, rows->batch);
    bool fine = !err;
    if (err_out)
        *err_out = err;
    else
        weir_err_free(err);
    return fine;
}

/* ---- why -------------------------------------------------------------------------------- */

/* Says it of a column. */
static weir_err *wrong_quotes(const wi_rows *rows, uint32_t c, const char *what)
{
    const weir_field *field = c < rows->column_count ? rows->columns[c].field : NULL;
    if (field)
        return weir_err_new("field %u `%s`: %s", rows->columns[c].number, field->name, what);
    return weir_err_new("column %u: %s", c + 1, what);
}

/* Where a field that begins at `from` ends: at a separator, a newline, or `end`. */
typedef struct field_at {
    const char *value, *value_end, *ends;
    bool odd;
    const char *wrong;
} field_at;

static field_at field_from(const wi_rows *rows, const char *from, const char *end)
{
    bool csv = rows->how.format == WEIR_CSV;
    field_at is = {.value = from};
    if (csv && from < end && *from == '"') {
        const char *stop = rows->how.line_by_line ? memchr(from, '\n', (size_t)(end - from)) : end;
        is.value = from + 1;
        is.value_end = wi_rows_quote(is.value, stop ? stop : end, &is.odd);
        if (!is.value_end) {
            is.wrong = "its quote is not closed";
            return is;
        }
        is.ends = is.value_end + 1;
        if (is.ends < end && *is.ends == '\r' && (is.ends + 1 == end || is.ends[1] == '\n'))
            is.ends++;
        if (is.ends < end && *is.ends != ',' && *is.ends != '\n')
            is.wrong = "it goes on after its closing quote";
        return is;
    }
    char separator = csv ? ',' : rows->how.format == WEIR_TSV ? '\t' : '\n';
    while (from < end && *from != '\n' && *from != separator)
        is.odd |= *from++ == '\\';
    is.odd &= rows->how.format == WEIR_TSV;
    is.ends = is.value_end = from;
    if (from > is.value && from < end && *from == '\n' && from[-1] == '\r')
        is.value_end--;
    return is;
}

static weir_err *wrong_count(const wi_rows *rows, uint32_t has)
{
    const char *type = rows->how.type->name;
    if (has > rows->column_count)
        return weir_err_new("the line goes on after the last of the %u fields of `%s`",
                            rows->column_count, type);
    const wi_column *lacks = &rows->columns[has];
    if (!lacks->field)
        return weir_err_new("the line has %u columns, the first one %u", has, rows->column_count);
    return weir_err_new("field %u `%s` is missing: the line has %u, `%s` has %u", lacks->number,
                        lacks->field->name, has, type, rows->column_count);
}

weir_err *wi_rows_why(wi_rows *rows, bool last, size_t *end_out)
{
    const char *first = rows->buffer->at, *begin = first + rows->begin, *end = first + rows->end;
    const char *at = begin;
    char *row = wi_calloc(1, rows->how.type->size);
    weir_err *err = NULL;
    bool known = last;
    for (uint32_t c = 0;; c++, at++) {
        field_at is = field_from(rows, at, end);
        if (is.wrong) {
            weir_err_free(err);
            err = wrong_quotes(rows, c, is.wrong);
            at = memchr(begin, '\n', (size_t)(end - begin));
            /* Otherwise the quote may be closed by what comes. */
            known |= at && (is.value_end || rows->how.line_by_line);
            break;
        }
        at = is.ends;
        if (!err && c < rows->column_count)
            wi_rows_value(rows, &rows->columns[c], is.value, (size_t)(is.value_end - is.value),
                          is.odd, row, &err);
        bool ends = at >= end || *at == '\n';
        if (ends && !err && c + 1 != rows->column_count)
            err = wrong_count(rows, c + 1);
        known |= at < end && ends;
        if (ends)
            break;
    }
    wi_free(row);
    *end_out = at && at < end ? (size_t)(at - first) + 1 : rows->end;
    if (known)
        return err;
    weir_err_free(err);
    return NULL;
}
