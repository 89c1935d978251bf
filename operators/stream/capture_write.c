/* Writing the file of a captured stream; see capture_format.h. A record is put together in
 * memory, since its length and checksum stand in front. */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../../base/hash.h"
#include "../../base/type.h"
#include "capture_format.h"

static char *room(wi_capture_writer *writer, size_t bytes)
{
    if (writer->capacity - writer->used < bytes) {
        writer->capacity = (writer->used + bytes) * 2;
        writer->record = wi_realloc(writer->record, writer->capacity);
    }
    writer->used += bytes;
    return writer->record + writer->used - bytes;
}

static void put(wi_capture_writer *writer, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(room(writer, bytes), from, bytes);
}

static void put_u32(wi_capture_writer *writer, uint32_t value)
{
    put(writer, &value, sizeof value);
}

static void put_u64(wi_capture_writer *writer, uint64_t value)
{
    put(writer, &value, sizeof value);
}

static void put_times(wi_capture_writer *writer, const weir_time *times, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put(writer, times[i].at, (size_t)writer->dims * sizeof(uint64_t));
}

static bool write_out(wi_capture_writer *writer)
{
    writer->offset += writer->used;
    return fwrite(writer->record, 1, writer->used, writer->file) == writer->used;
}

/* ---- header ----------------------------------------------------------------------------- */

bool wi_capture_create(wi_capture_writer *writer, const char *path, const weir_type *type, int dims,
                       uint32_t index, uint32_t writers)
{
    *writer = (wi_capture_writer){.type = type, .dims = dims};
    writer->file = fopen(path, "we");
    if (!writer->file)
        return false;
    char *schema = weir_type_text(type);
    uint32_t schema_bytes = (uint32_t)strlen(schema);
    put(writer, WI_CAPTURE_MAGIC, 8);
    put_u32(writer, WI_CAPTURE_VERSION);
    put_u32(writer, (uint32_t)dims);
    put_u64(writer, weir_type_hash(type));
    put_u32(writer, index);
    put_u32(writer, writers);
    put_u32(writer, type->size);
    put_u32(writer, schema_bytes);
    put(writer, schema, schema_bytes); /* where the checksum goes */
    uint64_t sum = XXH64(writer->record, writer->used, 0);
    writer->used = WI_CAPTURE_HEADER_SUMMED;
    put_u64(writer, sum);
    put(writer, schema, schema_bytes);
    free(schema);
    return write_out(writer);
}

uint64_t wi_capture_sum(const char *head, const char *rest, uint64_t bytes, uint64_t offset)
{
    XXH64_state_t sum;
    XXH64_reset(&sum, offset);
    XXH64_update(&sum, head, WI_CAPTURE_RECORD_SUMMED);
    XXH64_update(&sum, rest, bytes);
    return XXH64_digest(&sum);
}

/* ---- records ---------------------------------------------------------------------------- */

/* The length and the checksum follow in end_record. */
static void begin_record(wi_capture_writer *writer, uint32_t kind, uint32_t count)
{
    writer->used = 0;
    put_u32(writer, kind);
    put_u32(writer, count);
    memset(room(writer, WI_CAPTURE_RECORD_BYTES - 8), 0, WI_CAPTURE_RECORD_BYTES - 8);
}

static bool end_record(wi_capture_writer *writer)
{
    uint64_t bytes = writer->used - WI_CAPTURE_RECORD_BYTES;
    memcpy(writer->record + 8, &bytes, sizeof bytes);
    uint64_t sum = wi_capture_sum(writer->record, writer->record + WI_CAPTURE_RECORD_BYTES, bytes,
                                  writer->offset);
    memcpy(writer->record + WI_CAPTURE_RECORD_SUMMED, &sum, sizeof sum);
    return write_out(writer);
}

/* Appends the long texts of one field and replaces their pointers in the record's rows, which
 * begin at `rows`, by offsets from `texts`. */
static void put_texts(wi_capture_writer *writer, const weir_batch *batch, const weir_field *field,
                      size_t rows, size_t texts)
{
    size_t size = batch->type->size;
    for (uint32_t i = 0; i < batch->count; i++) {
        const char *row = weir_batch_row(batch, i);
        const weir_text *text = (const weir_text *)(const void *)(row + field->offset);
        if (text->length <= WEIR_TEXT_INLINE)
            continue;
        uint64_t offset = writer->used - texts;
        put(writer, text->at, text->length);
        memcpy(writer->record + rows + i * size + field->offset + offsetof(weir_text, at), &offset,
               sizeof offset);
    }
}

bool wi_capture_put_batch(wi_capture_writer *writer, const weir_batch *batch)
{
    const weir_type *type = batch->type;
    const weir_field *fields = weir_type_fields(type);
    begin_record(writer, WI_CAPTURE_BATCH, batch->count);
    put_u32(writer,
            (batch->times ? WI_CAPTURE_TIMES : 0u) | (batch->diffs ? WI_CAPTURE_DIFFS : 0u));
    put_u32(writer, 0);
    put_u64(writer, (uint64_t)batch->diff);
    put_times(writer, &batch->time, 1);
    if (batch->times)
        put_times(writer, batch->times, batch->count);
    if (batch->diffs)
        put(writer, batch->diffs, batch->count * sizeof *batch->diffs);
    size_t rows = writer->used;
    put(writer, batch->rows, (size_t)batch->count * type->size);
    size_t texts = writer->used;
    for (uint32_t f = 0; f < type->field_count; f++)
        if (wi_kind_is_text(fields[f].kind))
            put_texts(writer, batch, &fields[f], rows, texts);
    writer->batches++;
    writer->rows += batch->count;
    return end_record(writer);
}

bool wi_capture_put_frontier(wi_capture_writer *writer, const weir_antichain *frontier)
{
    begin_record(writer, WI_CAPTURE_FRONTIER, frontier->count);
    put_times(writer, frontier->times, frontier->count);
    return end_record(writer);
}

bool wi_capture_close(wi_capture_writer *writer, bool complete)
{
    bool written = true;
    if (complete) {
        begin_record(writer, WI_CAPTURE_END, 0);
        put_u64(writer, writer->batches);
        put_u64(writer, writer->rows);
        written = end_record(writer);
    }
    if (writer->file && fclose(writer->file) != 0)
        written = false;
    wi_free(writer->record);
    *writer = (wi_capture_writer){0};
    return written;
}
