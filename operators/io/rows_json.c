/* JSON lines: an object on each line, whose members are the fields of a row.
 *
 * yajl parses; it tells of each value as it comes, without a tree, and gives numbers as they are
 * written: so all integers are exact, and floats are read as elsewhere. Texts without escapes stay
 * where they are. One parser takes all lines, until one is wrong; then there is another. It need
 * not look at most lines: see rows_json_quick.c.
 *
 *   integers, times   a number without point or exponent    text         a string
 *   f32, f64          a number, or "nan", "inf", "-inf"     bytes        a string of hexadecimals
 *   bool              true, false                           arrays       an array (of arrays)
 *
 * A member that is null is missing. Lines with nothing but blanks are no rows. */
#include "rows_parts.h"

#include <string.h>

#include <yajl/yajl_parse.h>

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "numbers.h"

struct wi_json {
    wi_rows *rows;
    yajl_handle parser;
    weir_err *err; /* of this line */
    char *row;
    uint64_t line;             /* number of them */
    uint64_t *seen;            /* of each column: the last line that had it */
    uint32_t found;            /* columns in this line */
    uint32_t *coming;          /* which they were */
    uint32_t *order;           /* of all columns, as the last whole line had them */
    uint32_t *name_bytes;      /* of each column */
    uint32_t next;             /* the column that is likely to come */
    const wi_column *column;   /* of the value to come; NULL: left out */
    uint32_t depth;            /* of maps and arrays that are open */
    bool ended;                /* the object is complete */
    char *array;               /* an array's values, as TSV has them */
    uint32_t array_bytes, array_capacity;
};

/* ---- what is wrong ---------------------------------------------------------------------- */

static int wrong(wi_json *json, weir_err *err)
{
    weir_err_free(json->err);
    json->err = err;
    return 0;
}

static int unfit(wi_json *json, const char *what)
{
    if (json->depth == 0)
        return wrong(json, weir_err_new("the line has %s, not an object", what));
    const wi_column *column = json->column;
    return wrong(json, weir_err_new("field %u `%s`: is %s, not %s", column->number,
                                    column->field->name, what,
                                    column->field->elements == 1
                                        ? weir_kind_name(column->field->kind)
                                        : "an array of that many numbers"));
}

/* ---- arrays ----------------------------------------------------------------------------- */

static bool is_array(const wi_column *column)
{
    return column && column->field->elements != 1 && column->field->kind != WEIR_KIND_weir_byte;
}

static void put_array(wi_json *json, const char *bytes, size_t length)
{
    bool follows = json->array_bytes && json->array[json->array_bytes - 1] != '[' && *bytes != ']';
    wi_grow(&json->array, &json->array_capacity, json->array_bytes + (uint32_t)length + 1, 1);
    if (follows)
        json->array[json->array_bytes++] = ',';
    memcpy(json->array + json->array_bytes, bytes, length);
    json->array_bytes += (uint32_t)length;
}

/* ---- values ----------------------------------------------------------------------------- */

static bool in_buffer(const wi_json *json, const void *at)
{
    const wi_buffer *buffer = json->rows->buffer;
    return (uintptr_t)at - (uintptr_t)buffer->at < buffer->capacity;
}

static int parse(wi_json *json, const char *bytes, size_t length)
{
    const wi_column *column = json->column;
    weir_err *err = wi_field_parse(column->field, column->number, bytes, length, true, json->row,
                                   json->rows->batch);
    return err ? wrong(json, err) : 1;
}

/* Whether a value's event is to be looked at any further; otherwise *answer_out is the answer. */
static bool concerns(wi_json *json, const char *what, int *answer_out)
{
    bool fits = json->depth == 1 || (is_array(json->column) && json->depth > 1);
    if (json->depth && !json->column)
        *answer_out = 1;
    else
        *answer_out = fits ? 1 : unfit(json, what);
    return json->column && fits;
}

static int on_null(void *arg)
{
    wi_json *json = arg;
    int answer;
    return concerns(json, "null", &answer) ? unfit(json, "null") : answer;
}

static int on_boolean(void *arg, int value)
{
    wi_json *json = arg;
    const char *name = value ? "true" : "false";
    int answer;
    if (!concerns(json, name, &answer))
        return answer;
    if (json->column->field->kind != WEIR_KIND_bool)
        return unfit(json, name);
    if (json->depth == 1)
        return is_array(json->column) ? unfit(json, name) : parse(json, name, strlen(name));
    put_array(json, name, strlen(name));
    return 1;
}

static int on_number(void *arg, const char *bytes, size_t length)
{
    wi_json *json = arg;
    const wi_column *column = json->column;
    uint64_t number;
    double wide;
    int answer;
    if (!concerns(json, "a number", &answer))
        return answer;
    if (json->depth > 1) {
        put_array(json, bytes, length);
        return 1;
    }
    if (is_array(column) || column->field->kind >= WEIR_KIND_weir_byte ||
        column->field->kind == WEIR_KIND_bool)
        return unfit(json, "a number");
    char *to = json->row + column->offset;
    bool quick = in_buffer(json, bytes), fine = false;
    if (quick && column->as == WI_AS_SIGNED)
        fine = wi_read_signed(bytes, length, column->bytes, &number);
    else if (quick && column->as == WI_AS_UNSIGNED)
        fine = wi_read_unsigned(bytes, length, column->bytes, &number);
    if (fine) {
        wi_store(to, number, column->bytes);
        return 1;
    }
    if (quick && column->as == WI_AS_F64 && wi_read_f64(bytes, length, &wide)) {
        memcpy(to, &wide, sizeof wide);
        return 1;
    }
    return parse(json, bytes, length);
}

static int on_string(void *arg, const unsigned char *bytes, size_t length)
{
    wi_json *json = arg;
    const wi_column *column = json->column;
    const char *at = (const char *)bytes;
    int answer;
    if (!concerns(json, "a string", &answer))
        return answer;
    weir_kind kind = column->field->kind;
    bool named = (kind == WEIR_KIND_f64 || kind == WEIR_KIND_f32) && length &&
                 (at[*at == '-'] == 'n' || at[*at == '-'] == 'i');
    if (json->depth > 1 && named)
        return put_array(json, at, length), 1;
    if (json->depth > 1 || is_array(column) || (kind < WEIR_KIND_weir_byte && !named))
        return unfit(json, "a string");
    if (kind != WEIR_KIND_weir_text)
        return parse(json, at, length);
    weir_text text;
    if (in_buffer(json, at)) {
        text = weir_text_of(at, (uint32_t)length);
        json->rows->borrowed |= length > WEIR_TEXT_INLINE;
    } else {
        text = weir_text_new(json->rows->batch, at, (uint32_t)length);
    }
    memcpy(json->row + column->offset, &text, sizeof text);
    return 1;
}

/* ---- members ---------------------------------------------------------------------------- */

static bool is_called(const wi_column *column, const void *name, size_t length)
{
    return strlen(column->field->name) == length &&
           memcmp(column->field->name, name, length) == 0;
}

static int on_key(void *arg, const unsigned char *name, size_t length)
{
    wi_json *json = arg;
    const wi_rows *rows = json->rows;
    uint32_t c = json->next;
    if (json->depth > 1)
        return 1;
    if (c >= rows->column_count || !is_called(&rows->columns[c], name, length))
        for (c = 0; c < rows->column_count && !is_called(&rows->columns[c], name, length);)
            c++;
    json->column = c < rows->column_count ? &rows->columns[c] : NULL;
    if (!json->column && rows->how.extra)
        return 1;
    if (!json->column)
        return wrong(json, weir_err_new("there is a member `%.*s`, but `%s` has no such field",
                                        (int)(length < 100 ? length : 100), (const char *)name,
                                        rows->how.type->name));
    json->next = c + 1;
    if (json->seen[c] == json->line)
        return wrong(json, weir_err_new("there are two members `%s`", json->column->field->name));
    json->seen[c] = json->line;
    json->coming[json->found++] = c;
    return 1;
}

static int on_map(void *arg)
{
    wi_json *json = arg;
    if (json->ended)
        return wrong(json, weir_err_new("the line goes on after its object"));
    if (json->depth && json->column)
        return unfit(json, "an object");
    json->depth++;
    return 1;
}

static int on_map_end(void *arg)
{
    wi_json *json = arg;
    json->ended = --json->depth == 0;
    return 1;
}

static int on_array(void *arg)
{
    wi_json *json = arg;
    if (json->ended)
        return wrong(json, weir_err_new("the line goes on after its object"));
    if (json->depth == 0 || (json->column && !is_array(json->column)))
        return unfit(json, "an array");
    if (json->depth == 1)
        json->array_bytes = 0;
    if (json->column)
        put_array(json, "[", 1);
    json->depth++;
    return 1;
}

static int on_array_end(void *arg)
{
    wi_json *json = arg;
    json->depth--;
    if (!json->column)
        return 1;
    put_array(json, "]", 1);
    return json->depth == 1 ? parse(json, json->array, json->array_bytes) : 1;
}

/* ---- lines ------------------------------------------------------------------------------ */

static void *allocate(WEIR_UNUSED void *arg, size_t bytes)
{
    return wi_alloc(bytes);
}

static void *allocate_again(WEIR_UNUSED void *arg, void *old, size_t bytes)
{
    return wi_realloc(old, bytes);
}

static void release(WEIR_UNUSED void *arg, void *memory)
{
    wi_free(memory);
}

static void start_parser(wi_json *json)
{
    static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                             .yajl_boolean = on_boolean,
                                             .yajl_number = on_number,
                                             .yajl_string = on_string,
                                             .yajl_start_map = on_map,
                                             .yajl_map_key = on_key,
                                             .yajl_end_map = on_map_end,
                                             .yajl_start_array = on_array,
                                             .yajl_end_array = on_array_end};
    yajl_alloc_funcs memory = {allocate, allocate_again, release, NULL};
    if (json->parser)
        yajl_free(json->parser);
    json->parser = yajl_alloc(&callbacks, &memory, json);
    yajl_config(json->parser, yajl_allow_multiple_values, 1); /* one on each line */
    yajl_config(json->parser, yajl_dont_validate_strings, 1); /* texts are any bytes */
}

static weir_err *no_json(wi_json *json)
{
    unsigned char *said = yajl_get_error(json->parser, 0, NULL, 0);
    const char *text = (const char *)said;
    weir_err *err = weir_err_new("is no JSON: %.*s", (int)strcspn(text, "\n"), text);
    yajl_free_error(json->parser, said);
    return err;
}

static weir_err *missing_member(const wi_json *json)
{
    const wi_column *column = json->rows->columns;
    for (uint32_t c = 0; c < json->rows->column_count; c++, column++)
        if (json->seen[c] != json->line)
            return weir_err_new("field %u `%s` is missing", column->number, column->field->name);
    return NULL;
}

/* Of an escape that is half of a character beyond 16 bits: which. */
typedef enum half { NO_HALF, FIRST_HALF, SECOND_HALF } half;

static half half_at(const char *at, const char *end)
{
    if (end - at < 4 || at[0] != '\\' || at[1] != 'u' || (at[2] | 0x20) != 'd')
        return NO_HALF;
    if (memchr("89abAB", at[3], 6))
        return FIRST_HALF;
    return memchr("cdefCDEF", at[3], 8) ? SECOND_HALF : NO_HALF;
}

/* One without the other: the library would make some other character of it. */
static bool has_lone_half(const char *line, size_t length)
{
    const char *at = line, *end = line + length;
    while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
        half is = half_at(at, end);
        if (is == SECOND_HALF ||
            (is == FIRST_HALF && (end - at < 12 || half_at(at + 6, end) != SECOND_HALF)))
            return true;
        at += is == FIRST_HALF ? 12 : 2;
    }
    return false;
}

/* A line with its newline. Whether it has a row; otherwise json->err, or it is blank. */
static bool read_line(wi_json *json, const char *line, size_t length)
{
    json->line++;
    json->found = json->next = json->depth = 0;
    json->ended = false;
    json->column = NULL;
    if (has_lone_half(line, length)) {
        json->err = weir_err_new("is no JSON: an escape from \\ud800 to \\udfff lacks its other "
                                 "half");
        return false;
    }
    bool fine = yajl_parse(json->parser, (const unsigned char *)line, length) == yajl_status_ok;
    if (fine && json->ended && json->found == json->rows->column_count) {
        memcpy(json->order, json->coming, json->found * sizeof *json->order);
        return true;
    }
    if (fine && json->ended)
        json->err = missing_member(json);
    else if (fine && json->depth)
        json->err = weir_err_new("is no JSON: its object does not end");
    else if (!fine && !json->err)
        json->err = no_json(json);
    if (json->err)
        start_parser(json);
    return false;
}

/* The line at `begin`, which the library reads. NULL if it is none, or not complete: *found_out. */
static const char *take_line(wi_rows *rows, const char *line, bool *row_out,
                             wi_rows_found *found_out)
{
    wi_json *json = rows->json;
    size_t bytes = rows->end - rows->begin;
    const char *newline = bytes ? memchr(line, '\n', bytes) : NULL;
    *found_out = WI_FOUND_PART;
    if (!newline)
        return NULL;
    *found_out = WI_FOUND_BAD;
    size_t length = (size_t)(newline - line) + 1;
    if (length > rows->how.row_bytes_max)
        return NULL;
    *row_out = read_line(json, line, length);
    return json->err ? NULL : newline + 1;
}

wi_rows_found wi_rows_json(wi_rows *rows, uint64_t most)
{
    wi_json *json = rows->json;
    weir_batch *batch = rows->batch;
    bool clear = rows->padded || rows->how.given;
    while (batch->count < rows->capacity && most) {
        const char *line = rows->buffer->at + rows->begin;
        bool has_row = true;
        wi_rows_found found = WI_FOUND_ALL;
        if (rows->begin == rows->end)
            return WI_FOUND_PART;
        json->row = (char *)batch->rows + (size_t)batch->count * batch->type->size;
        if (clear)
            memset(json->row, 0, batch->type->size);
        const char *next = wi_json_quick(rows, json->order, json->name_bytes, line, json->row);
        if (!next || (size_t)(next - line) > rows->how.row_bytes_max)
            next = take_line(rows, line, &has_row, &found);
        if (!next)
            return found;
        if (has_row && rows->how.given)
            wi_store(json->row + rows->given_offset, rows->how.value, (uint32_t)rows->given_bytes);
        batch->count += has_row;
        most -= has_row;
        rows->place.records += has_row;
        rows->place.lines++;
        rows->place.bytes += (size_t)(next - line);
        rows->begin += (size_t)(next - line);
    }
    return WI_FOUND_ALL;
}

weir_err *wi_json_why(wi_rows *rows, size_t *end_out)
{
    const char *first = rows->buffer->at, *line = first + rows->begin;
    const char *newline = memchr(line, '\n', rows->end - rows->begin);
    *end_out = newline ? (size_t)(newline - first) + 1 : rows->end;
    weir_err *err = rows->json->err;
    rows->json->err = NULL;
    return err ? err : weir_err_new("is no JSON");
}

wi_json *wi_json_new(wi_rows *rows)
{
    wi_json *json = WI_NEW(wi_json);
    json->rows = rows;
    json->seen = WI_NEWS(uint64_t, rows->column_count);
    json->coming = WI_NEWS(uint32_t, rows->column_count);
    json->order = WI_NEWS(uint32_t, rows->column_count);
    json->name_bytes = WI_NEWS(uint32_t, rows->column_count);
    for (uint32_t c = 0; c < rows->column_count; c++) {
        json->order[c] = c;
        json->name_bytes[c] = (uint32_t)strlen(rows->columns[c].field->name);
    }
    start_parser(json);
    return json;
}

void wi_json_free(wi_json *json)
{
    if (!json)
        return;
    yajl_free(json->parser);
    weir_err_free(json->err);
    wi_free(json->seen);
    wi_free(json->coming);
    wi_free(json->order);
    wi_free(json->name_bytes);
    wi_free(json->array);
    wi_free(json);
}
