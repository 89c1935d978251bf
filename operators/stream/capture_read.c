/* Reading the file of a captured stream; see capture_format.h. Nothing in the file is
 * believed: lengths are compared with what remains before anything is allocated, checksums
 * before anything is looked at, and then what the rest of the library relies on (times within
 * the frontier, texts within the record, zeros where zeros belong) is checked too. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/hash.h"
#include "../../base/type.h"
#include "capture_format.h"

#define SCHEMA_BYTES_MAX (16 * 1024 * 1024)

/* A part of a record that is being taken apart. */
typedef struct span {
    const char *at;
    uint64_t bytes;
} span;

static uint32_t take_u32(span *from)
{
    uint32_t value;
    memcpy(&value, from->at, sizeof value);
    from->at += sizeof value;
    from->bytes -= sizeof value;
    return value;
}

static uint64_t take_u64(span *from)
{
    uint64_t value;
    memcpy(&value, from->at, sizeof value);
    from->at += sizeof value;
    from->bytes -= sizeof value;
    return value;
}

static weir_time take_time(span *from, int dims)
{
    weir_time time = {{0}};
    for (int d = 0; d < dims; d++)
        time.at[d] = take_u64(from);
    return time;
}

static weir_err *damaged(const wi_capture_reader *reader, const char *what)
{
    return weir_err_new("captured stream `%s` is damaged at byte %" PRIu64 ": %s", reader->path,
                        reader->offset, what);
}

/* Reads exactly so many bytes. */
static weir_err *read_all(const wi_capture_reader *reader, void *to, size_t bytes)
{
    if (fread(to, 1, bytes, reader->file) == bytes)
        return NULL;
    if (ferror(reader->file))
        return weir_err_new("captured stream `%s` cannot be read at byte %" PRIu64 ": %s",
                            reader->path, reader->offset, strerror(errno));
    return damaged(reader, "the file ends here");
}

/* ---- header ----------------------------------------------------------------------------- */

typedef struct wanted {
    uint32_t index, writers;
} wanted;

static weir_err *check_facts(const wi_capture_reader *reader, span at, const char *schema,
                             wanted is)
{
    const char *path = reader->path;
    uint32_t dims = take_u32(&at);
    uint64_t hash = take_u64(&at);
    uint32_t index = take_u32(&at), writers = take_u32(&at);
    uint32_t row_bytes = take_u32(&at);
    if (hash != weir_type_hash(reader->type) || row_bytes != reader->type->size) {
        char *wants = weir_type_text(reader->type);
        weir_err *err = weir_err_new("captured stream `%s` has rows of %s, but is replayed as %s",
                                     path, schema, wants);
        free(wants);
        return err;
    }
    if (dims != (uint32_t)reader->dims)
        return weir_err_new("captured stream `%s` has times of %u coordinates, but those of this "
                            "dataflow have %d",
                            path, dims, reader->dims);
    if (writers != is.writers || index != is.index)
        return weir_err_new("captured stream `%s` was written by worker %u of %u, but is replayed "
                            "as that of worker %u of %u",
                            path, index, writers, is.index, is.writers);
    return NULL;
}

static weir_err *read_header(wi_capture_reader *reader, wanted is)
{
    char head[WI_CAPTURE_HEADER_BYTES];
    if (reader->size < sizeof head)
        return damaged(reader, "it is too short for a header");
    weir_err *err = read_all(reader, head, sizeof head);
    if (err)
        return err;
    if (memcmp(head, WI_CAPTURE_MAGIC, 8) != 0)
        return damaged(reader, "it does not begin like a captured stream");
    span at = {head + 8, sizeof head - 8};
    uint32_t version = take_u32(&at);
    span facts = at, last = {head + WI_CAPTURE_HEADER_SUMMED - 4, 12};
    uint32_t schema_bytes = take_u32(&last);
    if (version != WI_CAPTURE_VERSION)
        return weir_err_new("captured stream `%s` is of format %u; this is format %u", reader->path,
                            version, WI_CAPTURE_VERSION);
    if (schema_bytes > reader->size - sizeof head || schema_bytes > SCHEMA_BYTES_MAX)
        return damaged(reader, "the schema is longer than the file");
    char *summed = wi_alloc(WI_CAPTURE_HEADER_SUMMED + schema_bytes + 1u);
    char *schema = summed + WI_CAPTURE_HEADER_SUMMED;
    memcpy(summed, head, WI_CAPTURE_HEADER_SUMMED);
    err = read_all(reader, schema, schema_bytes);
    schema[schema_bytes] = 0;
    if (!err && XXH64(summed, WI_CAPTURE_HEADER_SUMMED + schema_bytes, 0) != take_u64(&last))
        err = damaged(reader, "the header's checksum is wrong");
    if (!err)
        err = check_facts(reader, facts, schema, is);
    reader->offset = sizeof head + schema_bytes;
    wi_free(summed);
    return err;
}

weir_err *wi_capture_open(wi_capture_reader *reader, const char *path, const weir_type *type,
                          int dims, uint32_t index, uint32_t writers)
{
    static const weir_time first;
    struct stat facts;
    *reader = (wi_capture_reader){.path = wi_strdup(path), .type = type, .dims = dims};
    weir_antichain_init(&reader->frontier);
    weir_antichain_insert(&reader->frontier, &first);
    reader->file = fopen(path, "re");
    if (!reader->file || fstat(fileno(reader->file), &facts) < 0)
        return weir_err_new("captured stream `%s` cannot be opened: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return weir_err_new("captured stream `%s` is not a plain file", path);
    reader->size = (uint64_t)facts.st_size;
    return read_header(reader, (wanted){index, writers});
}

void wi_capture_reader_fini(wi_capture_reader *reader)
{
    if (reader->file)
        fclose(reader->file);
    wi_free(reader->path);
    weir_antichain_fini(&reader->frontier);
    *reader = (wi_capture_reader){0};
}

/* ---- batches ---------------------------------------------------------------------------- */

/* A long text, whose handle has an offset, gets its pointer; a short one must be padded by
 * zeros, since equality relies on it. */
static const char *resolve(weir_text *text, span texts)
{
    static const char zeros[WEIR_TEXT_INLINE];
    if (text->length <= WEIR_TEXT_INLINE) {
        const char *bytes = weir_text_at(text);
        if (memcmp(bytes + text->length, zeros, WEIR_TEXT_INLINE - text->length) != 0)
            return "a short text is not padded by zeros";
        return NULL;
    }
    uint64_t offset;
    memcpy(&offset, (char *)text + offsetof(weir_text, at), sizeof offset);
    if (offset > texts.bytes || text->length > texts.bytes - offset)
        return "a text lies outside of its record";
    text->at = texts.at + offset;
    if (memcmp(text->prefix, text->at, sizeof text->prefix) != 0)
        return "a text does not begin as its handle says";
    return NULL;
}

static const char *check_field(const weir_type *type, const weir_field *field, char *rows,
                               uint32_t count, span texts)
{
    char *at = rows + field->offset;
    const char *wrong = NULL;
    if (wi_kind_is_text(field->kind))
        for (uint32_t i = 0; i < count && !wrong; i++)
            wrong = resolve((weir_text *)(void *)(at + (size_t)i * type->size), texts);
    if (field->kind == WEIR_KIND_bool)
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t b = 0; b < field->bytes; b++)
                if ((unsigned char)at[(size_t)i * type->size + b] > 1)
                    wrong = "a bool is neither 0 nor 1";
    return wrong;
}

static bool is_zero(const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Fields are in the order of their offsets. */
static const char *check_padding(const weir_type *type, const char *rows, uint32_t count)
{
    const weir_field *fields = weir_type_fields(type);
    for (uint32_t i = 0; i < count; i++, rows += type->size) {
        uint32_t end = 0;
        for (uint32_t f = 0; f < type->field_count; f++) {
            if (!is_zero(rows + end, fields[f].offset - end))
                return "padding is not zero";
            end = fields[f].offset + fields[f].bytes;
        }
        if (!is_zero(rows + end, type->size - end))
            return "padding is not zero";
    }
    return NULL;
}

static const char *check_rows(weir_batch *batch, span texts)
{
    const weir_type *type = batch->type;
    const weir_field *fields = weir_type_fields(type);
    const char *wrong = NULL;
    for (uint32_t f = 0; f < type->field_count && !wrong; f++)
        wrong = check_field(type, &fields[f], batch->rows, batch->count, texts);
    if (!wrong && wi_type_padded(type))
        wrong = check_padding(type, batch->rows, batch->count);
    return wrong;
}

static const char *check_times(const wi_capture_reader *reader, const weir_batch *batch)
{
    if (!weir_antichain_le(&reader->frontier, &batch->time))
        return "a batch has a time that was complete before";
    for (uint32_t i = 0; batch->times && i < batch->count; i++)
        if (!weir_time_le(&batch->time, &batch->times[i]))
            return "a row's time is not at or after its batch's";
    return NULL;
}

/* Fills a batch from what was read; the sizes were compared before. */
static const char *fill(const wi_capture_reader *reader, weir_batch *batch, span at, uint32_t flags)
{
    uint32_t count = batch->count;
    batch->diff = (int64_t)take_u64(&at);
    batch->time = take_time(&at, reader->dims);
    if (flags & WI_CAPTURE_TIMES) {
        weir_batch_add_times(batch);
        for (uint32_t i = 0; i < count; i++)
            batch->times[i] = take_time(&at, reader->dims);
    }
    if (flags & WI_CAPTURE_DIFFS) {
        weir_batch_add_diffs(batch);
        for (uint32_t i = 0; i < count; i++)
            batch->diffs[i] = (int64_t)take_u64(&at);
    }
    size_t bytes = (size_t)count * batch->type->size;
    if (bytes)
        memcpy(batch->rows, at.at, bytes);
    const char *wrong = check_times(reader, batch);
    return wrong ? wrong : check_rows(batch, (span){at.at + bytes, at.bytes - bytes});
}

/* Takes the memory that was read: it becomes the batch's, for long texts stay in it. */
static weir_err *take_batch(wi_capture_reader *reader, char *memory, uint64_t bytes, uint32_t count,
                            weir_batch **batch_out)
{
    span at = {memory, bytes};
    uint64_t time_bytes = (uint64_t)reader->dims * 8;
    uint32_t flags = bytes >= WI_CAPTURE_BATCH_BYTES ? take_u32(&at) : 0;
    uint64_t row_bytes = reader->type->size + (flags & WI_CAPTURE_TIMES ? time_bytes : 0) +
                         (flags & WI_CAPTURE_DIFFS ? 8 : 0);
    const char *wrong = NULL;
    if (bytes < WI_CAPTURE_BATCH_BYTES + time_bytes + count * row_bytes)
        wrong = "a batch is shorter than its rows";
    else if (!count || (flags & ~(uint32_t)(WI_CAPTURE_TIMES | WI_CAPTURE_DIFFS)) || take_u32(&at))
        wrong = "a batch has no rows or unknown flags";
    if (wrong) {
        wi_free(memory);
        return damaged(reader, wrong);
    }
    weir_batch *batch = weir_batch_new(reader->type, count);
    batch->count = count;
    wrong = fill(reader, batch, at, flags);
    if (reader->type->text_count)
        wi_batch_adopt(batch, memory, bytes);
    else
        wi_free(memory);
    if (wrong) {
        weir_batch_drop(batch);
        return damaged(reader, wrong);
    }
    reader->batches++;
    reader->rows += count;
    *batch_out = batch;
    return NULL;
}

/* ---- frontiers and the end -------------------------------------------------------------- */

static const char *take_frontier(wi_capture_reader *reader, span at, uint32_t count)
{
    if (at.bytes != (uint64_t)count * (uint64_t)reader->dims * 8)
        return "a frontier has not the length of its times";
    weir_antichain next;
    weir_antichain_init(&next);
    const char *wrong = NULL;
    for (uint32_t i = 0; i < count && !wrong; i++) {
        weir_time time = take_time(&at, reader->dims);
        if (!weir_antichain_le(&reader->frontier, &time))
            wrong = "the frontier moves backwards";
        else if (!weir_antichain_insert(&next, &time) || next.count != i + 1)
            wrong = "the frontier has times of which one is before the other";
    }
    if (!wrong)
        weir_antichain_copy(&reader->frontier, &next);
    weir_antichain_fini(&next);
    return wrong;
}

static const char *take_end(wi_capture_reader *reader, span at, uint64_t end)
{
    if (at.bytes != WI_CAPTURE_END_BYTES)
        return "the end record has another length";
    if (reader->frontier.count)
        return "the stream ends before it is complete";
    if (take_u64(&at) != reader->batches || take_u64(&at) != reader->rows)
        return "the end record counts other batches or rows";
    if (end != reader->size)
        return "something follows the end record";
    return NULL;
}

/* Reads what follows a record's head, into memory of its own, and checks the sum of both. */
static weir_err *read_rest(wi_capture_reader *reader, const char *head, uint64_t bytes,
                           char **rest_out)
{
    span sum = {head + WI_CAPTURE_RECORD_SUMMED, 8};
    if (bytes > reader->size - reader->offset - WI_CAPTURE_RECORD_BYTES)
        return damaged(reader, "a record is longer than the rest of the file");
    char *rest = wi_alloc(bytes);
    weir_err *err = read_all(reader, rest, bytes);
    if (!err && wi_capture_sum(head, rest, bytes, reader->offset) != take_u64(&sum))
        err = damaged(reader, "a record's checksum is wrong");
    if (err)
        wi_free(rest);
    else
        *rest_out = rest;
    return err;
}

weir_err *wi_capture_next(wi_capture_reader *reader, weir_batch **batch_out, bool *ended_out)
{
    char head[WI_CAPTURE_RECORD_BYTES], *rest = NULL;
    *batch_out = NULL;
    *ended_out = false;
    if (reader->size - reader->offset < sizeof head)
        return damaged(reader, "the file ends here, but the stream does not");
    weir_err *err = read_all(reader, head, sizeof head);
    if (err)
        return err;
    span at = {head, sizeof head};
    uint32_t kind = take_u32(&at), count = take_u32(&at);
    uint64_t bytes = take_u64(&at), end = reader->offset + sizeof head + bytes;
    err = read_rest(reader, head, bytes, &rest);
    if (err)
        return err;
    if (kind == WI_CAPTURE_BATCH) {
        err = take_batch(reader, rest, bytes, count, batch_out);
    } else {
        span all = {rest, bytes};
        const char *wrong = kind == WI_CAPTURE_FRONTIER ? take_frontier(reader, all, count)
                            : kind == WI_CAPTURE_END    ? take_end(reader, all, end)
                                                        : "a record is of an unknown kind";
        err = wrong ? damaged(reader, wrong) : NULL;
        wi_free(rest);
    }
    *ended_out = !err && kind == WI_CAPTURE_END;
    reader->offset = end;
    return err;
}
