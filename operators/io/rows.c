/* Rows from a stream of bytes: buffers and batches; see rows.h and rows_parts.h. */
#include "rows_parts.h"

#include <string.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/type.h"

/* Of the text of a line that is too long, in what is said of it. */
#define EXCERPT_BYTES 1024

/* ---- buffers ---------------------------------------------------------------------------- */

static wi_buffer *buffer_new(size_t capacity)
{
    wi_buffer *buffer = wi_alloc(sizeof *buffer + capacity + 1 + WI_ROWS_ZEROS);
    atomic_init(&buffer->references, 1);
    buffer->capacity = capacity;
    return buffer;
}

static void buffer_drop(void *lender)
{
    wi_buffer *buffer = lender;
    if (buffer && atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) == 1)
        wi_free(buffer);
}

/* Whether no batch has texts in it any more. */
static bool buffer_is_ours(const wi_buffer *buffer)
{
    return atomic_load_explicit(&buffer->references, memory_order_acquire) == 1;
}

char *wi_rows_room(wi_rows *rows, size_t *room_out)
{
    size_t least = rows->how.room_bytes, left = rows->end - rows->begin;
    wi_buffer *old = rows->buffer;
    if (!old || old->capacity - rows->end < least / 2 + 1) {
        size_t capacity = left * 2 > least ? left * 2 : least;
        bool again = old && buffer_is_ours(old) && old->capacity >= capacity;
        wi_buffer *buffer = again ? old : buffer_new(capacity);
        if (old && left)
            memmove(buffer->at, old->at + rows->begin, left);
        if (!again)
            buffer_drop(old);
        rows->buffer = buffer;
        rows->begin = 0;
        rows->end = left;
    }
    *room_out = rows->buffer->capacity - rows->end;
    return rows->buffer->at + rows->end;
}

void wi_rows_fill(wi_rows *rows, size_t bytes)
{
    rows->end += bytes;
    memset(rows->buffer->at + rows->end, 0, WI_ROWS_ZEROS);
}

void wi_rows_end(wi_rows *rows)
{
    if (rows->ended)
        return;
    rows->ended = true;
    if (rows->begin == rows->end || rows->buffer->at[rows->end - 1] == '\n')
        return;
    rows->buffer->at[rows->end] = '\n';
    rows->newline_added = true;
    wi_rows_fill(rows, 1);
}

/* ---- batches ---------------------------------------------------------------------------- */

static uint32_t count_newlines(const char *bytes, size_t length)
{
    uint32_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\n';
    return count;
}

/* For what has come and may be taken: a batch that is sent has no room for many more rows than it
 * has. */
static void start_batch(wi_rows *rows, uint64_t left)
{
    uint32_t most = left < rows->how.batch_rows ? (uint32_t)left : rows->how.batch_rows;
    size_t bytes = rows->end - rows->begin;
    if (bytes < rows->how.room_bytes / 2) {
        uint32_t lines = count_newlines(rows->buffer->at + rows->begin, bytes);
        most = lines < most ? lines + !lines : most;
    }
    rows->batch = weir_batch_new(rows->how.type, most);
    rows->capacity = most;
    rows->batch_begin = rows->begin;
}

/* The batch with its rows, and what their texts lie in; NULL if it has none. */
static weir_batch *end_batch(wi_rows *rows)
{
    weir_batch *batch = rows->batch;
    if (rows->borrowed) {
        atomic_fetch_add_explicit(&rows->buffer->references, 1, memory_order_relaxed);
        wi_batch_lend_texts(batch, rows->buffer->at + rows->batch_begin,
                            rows->begin - rows->batch_begin);
        batch->release = buffer_drop;
        batch->lender = rows->buffer;
    }
    rows->borrowed = false;
    rows->batch = NULL;
    if (batch && !batch->count) {
        weir_batch_drop(batch);
        batch = NULL;
    }
    return batch;
}

/* ---- what is no row --------------------------------------------------------------------- */

/* Leaves out [begin, end). */
static void pass(wi_rows *rows, size_t end, uint64_t records)
{
    const char *at = rows->buffer->at;
    rows->place.lines += count_newlines(at + rows->begin, end - rows->begin);
    rows->place.bytes += end - rows->begin;
    rows->place.records += records;
    rows->begin = end;
    rows->looked = 0;
}

static void complain(wi_rows *rows, size_t end, const char *why)
{
    const char *text = rows->buffer->at + rows->begin;
    size_t length = end - rows->begin;
    if (length && text[length - 1] == '\n')
        length--;
    if (length && text[length - 1] == '\r')
        length--;
    wi_no_row what = {rows->place.lines + 1, text, length, why};
    if (rows->how.bad)
        rows->how.bad(rows->how.arg, &what);
}

static void say(wi_rows *rows, size_t end, weir_err *err)
{
    complain(rows, end, weir_err_message(err));
    weir_err_free(err);
}

void wi_rows_cut(wi_rows *rows, const char *why)
{
    size_t from = rows->end;
    while (from > rows->begin && rows->buffer->at[from - 1] != '\n')
        from--;
    if (from < rows->end && rows->how.bad) {
        const char *at = rows->buffer->at;
        uint64_t before = count_newlines(at + rows->begin, from - rows->begin);
        rows->how.bad(rows->how.arg, &(wi_no_row){.line = rows->place.lines + before + 1,
                                                  .text = at + from,
                                                  .length = rows->end - from,
                                                  .why = why});
    }
    rows->end = from;
    if (rows->buffer)
        memset(rows->buffer->at + from, 0, WI_ROWS_ZEROS); /* D1 */
    wi_rows_end(rows);
}

/* The row at `begin` is longer than may be. Of one with newlines, which are in quoted fields, the
 * first line is left out: a quote that nobody closes may be the reason. What is done does not
 * depend on how much of the row has come. */
static void leave_out_long(wi_rows *rows)
{
    uint32_t most = rows->how.row_bytes_max;
    const char *at = rows->buffer->at + rows->begin, *newline = memchr(at, '\n', most);
    if (newline) {
        size_t end = rows->begin + (size_t)(newline - at) + 1;
        say(rows, end, weir_err_new("the line begins a row of more than %u bytes", most));
        pass(rows, end, 1);
        return;
    }
    say(rows, rows->begin + (most < EXCERPT_BYTES ? most : EXCERPT_BYTES),
        weir_err_new("the line has more than %u bytes", most));
    pass(rows, rows->begin + most, 1);
    rows->dropping = true;
}

/* The row at `begin` is none. False if it has not come yet to its end, and may. */
static bool leave_out(wi_rows *rows)
{
    size_t end, left = rows->end - rows->begin;
    weir_err *err = rows->json ? wi_json_why(rows, &end) : wi_rows_why(rows, rows->ended, &end);
    bool is_long = err ? end - rows->begin > rows->how.row_bytes_max
                       : left > rows->how.row_bytes_max;
    if (is_long) {
        weir_err_free(err);
        leave_out_long(rows);
    } else if (err) {
        say(rows, end, err);
        pass(rows, end, 1);
    }
    return is_long || err;
}

/* ---- taking rows ------------------------------------------------------------------------ */

/* A byte order mark is no part of the first line. False if it may be about to come. */
static bool pass_mark(wi_rows *rows)
{
    size_t same = 0, bytes = rows->end - rows->begin;
    if (rows->place.bytes > 0)
        return true;
    while (same < 3 && same < bytes && rows->buffer->at[rows->begin + same] == "\xEF\xBB\xBF"[same])
        same++;
    if (same == 3)
        pass(rows, rows->begin + 3, 0);
    return same == 3 || same < bytes || rows->ended;
}

/* The first line, if it is a header. False if it has not come, or is none. */
static bool take_header(wi_rows *rows, weir_err **err_out)
{
    size_t end;
    if (rows->knows_columns)
        return true;
    rows->knows_columns = wi_columns_read(rows, &end, err_out);
    uint64_t lines = rows->place.lines;
    if (rows->knows_columns)
        pass(rows, end, 0);
    if (rows->place.bytes <= rows->go_to)
        rows->place.lines = lines; /* it is among those of the place gone to */
    rows->failed = *err_out != NULL;
    return rows->knows_columns;
}

/* Passes over what is not to be taken. False if nothing is left. */
static bool pass_over(wi_rows *rows)
{
    size_t bytes = rows->end - rows->begin;
    if (rows->place.bytes < rows->go_to) {
        uint64_t before = rows->go_to - rows->place.bytes, lines = rows->place.lines;
        pass(rows, rows->begin + (before < bytes ? (size_t)before : bytes), 0);
        rows->place.lines = lines; /* which is that of the place gone to */
    } else if (rows->dropping && bytes) {
        const char *at = rows->buffer->at, *newline = memchr(at + rows->begin, '\n', bytes);
        pass(rows, newline ? (size_t)(newline - at) + 1 : rows->end, 0);
        rows->dropping = !newline;
    }
    return rows->begin < rows->end;
}

/* Whether there may be a whole row where there was none before. */
static bool may_have_row(const wi_rows *rows)
{
    const char *at = rows->buffer->at;
    size_t looked = rows->begin + rows->looked;
    return rows->ended || rows->end - rows->begin > rows->how.row_bytes_max ||
           memchr(at + looked, '\n', rows->end - looked);
}

/* Takes rows until the batch is full or bytes are missing: then false. */
static bool take_some(wi_rows *rows, uint64_t most)
{
    wi_rows_found found = rows->json ? wi_rows_json(rows, most) : wi_rows_fields(rows, most);
    if (found == WI_FOUND_ALL)
        return true;
    size_t left = rows->end - rows->begin;
    bool ends = left && (rows->ended || left > rows->how.row_bytes_max);
    if ((found == WI_FOUND_BAD || ends) && leave_out(rows))
        return pass_over(rows);
    rows->looked = left;
    return false;
}

weir_batch *wi_rows_take(wi_rows *rows, uint64_t most, weir_err **err_out)
{
    if (rows->failed || rows->begin == rows->end || !pass_mark(rows) ||
        !take_header(rows, err_out) || !pass_over(rows) || !may_have_row(rows))
        return NULL;
    rows->looked = 0;
    uint64_t stop = rows->place.records + most;
    if (stop < most)
        stop = UINT64_MAX;
    bool more = true;
    while (more && rows->place.records < stop) {
        if (!rows->batch)
            start_batch(rows, stop - rows->place.records);
        if (rows->batch->count == rows->capacity)
            break;
        more = take_some(rows, stop - rows->place.records);
    }
    return end_batch(rows);
}

/* ---- where it stands -------------------------------------------------------------------- */

wi_rows_place wi_rows_at(const wi_rows *rows)
{
    wi_rows_place place = rows->place;
    if (rows->newline_added && rows->begin == rows->end)
        place.bytes--;
    return place;
}

bool wi_rows_knows_columns(const wi_rows *rows)
{
    return rows->knows_columns;
}

void wi_rows_go_to(wi_rows *rows, const wi_rows_place *place)
{
    rows->go_to = place->bytes;
    rows->place.records = place->records;
    rows->place.lines = place->lines;
}

void wi_rows_jump(wi_rows *rows, uint64_t bytes, bool in_line)
{
    rows->begin = rows->end = 0;
    rows->looked = 0;
    rows->place.bytes = bytes;
    rows->dropping = in_line;
}

/* ---- beginning and end ------------------------------------------------------------------ */

wi_rows *wi_rows_new(const wi_rows_how *how, weir_err **err_out)
{
    wi_rows *rows = WI_NEW(wi_rows);
    rows->how = *how;
    if (!how->row_bytes_max)
        rows->how.row_bytes_max = WI_ROW_BYTES_MAX;
    if (!how->room_bytes)
        rows->how.room_bytes = WI_ROWS_ROOM;
    if (!how->batch_rows)
        rows->how.batch_rows = weir_batch_rows_usual(how->type);
    rows->padded = wi_type_padded(how->type);
    *err_out = wi_columns_init(rows);
    if (*err_out) {
        wi_rows_free(rows);
        return NULL;
    }
    if (how->format == WEIR_JSON)
        rows->json = wi_json_new(rows);
    return rows;
}

void wi_rows_free(wi_rows *rows)
{
    if (!rows)
        return;
    wi_json_free(rows->json);
    weir_batch_drop(rows->batch);
    buffer_drop(rows->buffer);
    wi_free(rows->columns);
    wi_free(rows);
}
