/* A partition: files one after another, whose bytes become rows, whose records become epochs.
 *
 * A part of a file has the lines that begin in it. What is left there of the line before is passed
 * over, and the last line is read to its end, beyond the part's. */
#include "read_rows.h"

#include <string.h>

#include "../../base/alloc.h"

/* What is read at once behind a part's end, for the rest of its last line. */
#define REST_BYTES 4096

/* ---- opening ---------------------------------------------------------------------------- */

static void close_file(wi_part *part)
{
    wi_file_close(part->file);
    wi_rows_free(part->rows);
    wi_free(part->path);
    part->file = NULL;
    part->rows = NULL;
    part->path = NULL;
}

void wi_part_fini(wi_part *part)
{
    close_file(part);
    wi_paths_fini(&part->queue);
}

static wi_part_gives fail(weir_op *op, wi_part *part, weir_err *err)
{
    weir_op_stop(op, "%s", weir_err_message(err));
    weir_err_free(err);
    close_file(part);
    return WI_PART_FAILS;
}

static void on_bad(void *arg, const wi_no_row *what)
{
    weir_op *op = arg;
    const wi_reading *reading = weir_op_state(op);
    wi_read_bad(op, reading->current, what);
}

static wi_rows_how how_of(weir_op *op, const wi_part *part)
{
    const wi_read_call *call = weir_op_arg(op);
    const wi_reading *reading = weir_op_state(op);
    const weir_read *what = &call->what;
    return (wi_rows_how){.type = call->type,
                         .format = wi_file_format(part->path, what->format),
                         .header = what->header,
                         .extra = what->extra,
                         .line_by_line = what->line_by_line || what->split,
                         .given = what->partition,
                         .value = part->index,
                         .row_bytes_max = what->row_bytes_max,
                         .room_bytes = what->read_bytes,
                         .batch_rows = reading->batch_rows,
                         .bad = on_bad,
                         .arg = op};
}

/* The place in the file where the program wants to go on. In a folder that grows, the file that it
 * had come to may be gone, since it had been read: then that is at the begin of the next. */
static void begin_from(wi_part *part, const char *name, bool grows)
{
    wi_rows_place place = {.records = part->records};
    if (part->from && (!grows || wi_read_order(name, part->from) == 0)) {
        place.bytes = part->from->bytes;
        place.lines = part->from->lines;
    }
    part->from = NULL;
    part->go_to = place.bytes;
    wi_rows_go_to(part->rows, &place);
    if (place.bytes && wi_rows_knows_columns(part->rows) &&
        place.bytes <= wi_file_bytes(part->file)) {
        wi_file_go_to(part->file, place.bytes);
        wi_rows_jump(part->rows, place.bytes, false);
    }
}

/* Where this worker's part of a file is: all of it if it can only be read from its begin. */
static void set_range(weir_op *op, wi_part *part)
{
    const wi_read_call *call = weir_op_arg(op);
    uint32_t index = weir_worker_index(weir_op_worker(op));
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    uint64_t bytes = call->bytes ? call->bytes[part->index] : 0;
    part->ranged = call->what.split;
    part->range_at = part->range_begin = 0;
    part->range_end = UINT64_MAX;
    if (bytes) {
        part->range_begin = (uint64_t)((unsigned __int128)bytes * index / workers);
        part->range_end = (uint64_t)((unsigned __int128)bytes * (index + 1) / workers);
    }
}

/* Once the columns are known: on to the part's begin. */
static void enter_range(wi_part *part)
{
    uint64_t header = wi_rows_at(part->rows).bytes;
    bool in_line = part->range_begin > header;
    uint64_t at = in_line ? part->range_begin - 1 : header;
    if (part->range_begin) {
        wi_file_go_to(part->file, at);
        wi_rows_jump(part->rows, at, in_line);
        part->range_at = at;
    }
    if (at >= part->range_end)
        part->range_end = part->range_at = 0;
    part->range_begin = 0;
}

static weir_err *open_next(weir_op *op, wi_part *part)
{
    const wi_read_call *call = weir_op_arg(op);
    weir_err *err = NULL;
    const char *name = part->queue.at[part->queued++];
    part->path = call->what.grows ? wi_name_path(call->what.path, name) : wi_strdup(name);
    part->file = wi_file_open(part->path, &err);
    if (err)
        return err;
    wi_rows_how how = how_of(op, part);
    part->rows = wi_rows_new(&how, &err);
    if (err)
        return err;
    begin_from(part, name, call->what.grows);
    set_range(op, part);
    if (part->ranged && wi_rows_knows_columns(part->rows))
        enter_range(part);
    return NULL;
}

/* ---- rows ------------------------------------------------------------------------------- */

/* How many records there may be in this epoch still. */
static uint64_t left_in_epoch(const wi_read_call *call, const wi_part *part)
{
    uint64_t every = call->what.epoch_records, records = wi_rows_at(part->rows).records;
    return every ? every - records % every : UINT64_MAX;
}

/* Sends what has come, an epoch after another. */
static weir_err *take_rows(weir_op *op, wi_part *part)
{
    const wi_read_call *call = weir_op_arg(op);
    weir_err *err = NULL;
    for (;;) {
        uint64_t before = wi_rows_at(part->rows).records;
        weir_batch *batch = wi_rows_take(part->rows, left_in_epoch(call, part), &err);
        if (batch)
            wi_read_send(op, part, batch);
        uint64_t records = wi_rows_at(part->rows).records;
        if (records == before)
            return err;
        if (call->what.epoch_records && records % call->what.epoch_records == 0) {
            wi_read_offset(op, part);
            part->epoch = records / call->what.epoch_records;
        }
    }
}

/* Reads beyond the part's end, up to the newline of its last line. */
static size_t up_to_newline(wi_part *part, const char *bytes, size_t got)
{
    const char *newline = memchr(bytes, '\n', got);
    if (newline)
        part->last = '\n';
    return newline ? (size_t)(newline - bytes) + 1 : got;
}

/* How much may be read at once. */
static size_t most_bytes(const wi_part *part, size_t room)
{
    uint64_t most = room;
    if (part->ranged)
        most = part->range_at < part->range_end ? part->range_end - part->range_at : REST_BYTES;
    return most < room ? (size_t)most : room;
}

/* Whether the part's last line has been read. */
static bool range_ends(const wi_part *part)
{
    return part->ranged && part->range_at >= part->range_end &&
           (part->range_end == 0 || part->last == '\n');
}

static wi_file_gives read_some(wi_part *part, weir_err **err_out)
{
    size_t room, got = 0;
    char *to = wi_rows_room(part->rows, &room);
    bool beyond = part->ranged && part->range_at >= part->range_end;
    if (range_ends(part))
        return WI_FILE_ENDS;
    wi_file_gives gives =
        wi_file_read(part->file, to, most_bytes(part, room), false, &got, err_out);
    if (gives != WI_FILE_BYTES)
        return gives;
    part->last = to[got - 1];
    part->range_at += got;
    wi_rows_fill(part->rows, beyond ? up_to_newline(part, to, got) : got);
    return gives;
}

/* The columns of a file of which only a part is read. */
static weir_err *read_header(wi_part *part, bool ended)
{
    weir_err *err = NULL;
    wi_rows_take(part->rows, 0, &err);
    if (!err && wi_rows_knows_columns(part->rows))
        enter_range(part);
    else if (!err && ended)
        part->range_end = part->range_at = 0; /* there is nothing in it */
    return err;
}

/* That those who read its other parts have seen the same file. */
static weir_err *check_parts(weir_op *op, const wi_part *part)
{
    const wi_read_call *call = weir_op_arg(op);
    bool apart = part->ranged && !wi_file_is_own(part->path) &&
                 weir_worker_count(weir_op_worker(op)) > 1;
    uint64_t bytes = apart ? call->bytes[part->index] : 0;
    return apart && (bytes || wi_file_bytes(part->file)) ? wi_file_check(part->file, bytes) : NULL;
}

static wi_part_gives end_file(weir_op *op, wi_part *part)
{
    wi_rows_place place = wi_rows_at(part->rows);
    weir_err *err = check_parts(op, part);
    if (err)
        return fail(op, part, err);
    if (place.bytes < part->go_to)
        return fail(op, part,
                    weir_err_new("`%s` has %llu bytes now: it is to be read from byte %llu on",
                                 part->path, (unsigned long long)place.bytes,
                                 (unsigned long long)part->go_to));
    /* What a run before has said is said again, but not at a time that was complete then. */
    const wi_read_call *call = weir_op_arg(op);
    uint64_t epoch = part->epoch;
    if (part->go_to && place.records == part->records && epoch < call->from_epoch)
        part->epoch = call->from_epoch;
    wi_read_offset(op, part);
    part->epoch = epoch;
    part->records = place.records;
    close_file(part);
    return WI_PART_READ;
}

wi_part_gives wi_part_step(weir_op *op, wi_part *part)
{
    wi_reading *reading = weir_op_state(op);
    const wi_read_call *call = weir_op_arg(op);
    weir_err *err = NULL;
    reading->current = part;
    if (!part->file && part->queued == part->queue.count)
        return call->what.grows && !reading->complete ? WI_PART_WAITS : WI_PART_DONE;
    if (!part->file && (err = open_next(op, part)))
        return fail(op, part, err);
    wi_file_gives gives = read_some(part, &err);
    if (gives == WI_FILE_FAILS)
        return fail(op, part, err);
    if (gives == WI_FILE_NONE_YET)
        return WI_PART_WAITS;
    if (gives == WI_FILE_ENDS)
        wi_rows_end(part->rows);
    if (part->ranged && !wi_rows_knows_columns(part->rows))
        err = read_header(part, gives == WI_FILE_ENDS);
    else
        err = take_rows(op, part);
    if (err) {
        weir_err *whole = weir_err_new("`%s`: %s", part->path, weir_err_message(err));
        weir_err_free(err);
        return fail(op, part, whole);
    }
    return gives == WI_FILE_ENDS ? end_file(op, part) : WI_PART_READ;
}
