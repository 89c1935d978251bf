/* See wire.h. */
#include "wire.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../base/batch.h"
#include "../base/type.h"

#define ALIGN 64
/* A batch has few pieces of text (base/batch.c); more are not believed. */
#define PIECES_MAX 4096

/* Where a piece of text was with the sender. */
typedef struct wi_wire_piece {
    uint64_t address, bytes;
} wi_wire_piece;

static size_t padded(size_t bytes)
{
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* ---- out -------------------------------------------------------------------------------- */

static const char zeros[ALIGN];

static void add_part(wi_wire *wire, const void *at, size_t bytes)
{
    if (!bytes)
        return;
    wi_grow(&wire->parts, &wire->capacity, wire->count + 2, sizeof *wire->parts);
    wire->parts[wire->count++] = (wi_part){at, bytes};
    if (padded(bytes) != bytes)
        wire->parts[wire->count++] = (wi_part){zeros, padded(bytes) - bytes};
    wire->bytes += padded(bytes);
}

static void count_piece(void *arg, const char *memory, size_t bytes)
{
    (void)memory, (void)bytes;
    ++*(uint32_t *)arg;
}

static void note_piece(void *arg, const char *memory, size_t bytes)
{
    wi_wire *wire = arg;
    wire->table[wire->head.pieces++] = (wi_wire_piece){(uintptr_t)memory, bytes};
}

static void add_texts(wi_wire *wire)
{
    uint32_t pieces = 0;
    wi_batch_texts(wire->batch, count_piece, &pieces);
    if (!pieces)
        return;
    wire->table = WI_NEWS(wi_wire_piece, pieces);
    wi_batch_texts(wire->batch, note_piece, wire);
    add_part(wire, wire->table, pieces * sizeof *wire->table);
    for (uint32_t i = 0; i < pieces; i++)
        add_part(wire, (const char *)(uintptr_t)wire->table[i].address, wire->table[i].bytes);
}

wi_wire *wi_wire_new(weir_batch *batch)
{
    wi_wire *wire = WI_NEW(wi_wire);
    wire->batch = batch;
    wire->head.count = batch->count;
    wire->head.diff = batch->diff;
    memcpy(wire->head.time, batch->time.at, sizeof wire->head.time);
    wire->head.has_times = batch->times != NULL;
    wire->head.has_diffs = batch->diffs != NULL;
    add_part(wire, &wire->head, sizeof wire->head);
    add_part(wire, batch->rows, (size_t)batch->count * batch->type->size);
    if (batch->times)
        add_part(wire, batch->times, batch->count * sizeof *batch->times);
    if (batch->diffs)
        add_part(wire, batch->diffs, batch->count * sizeof *batch->diffs);
    if (batch->type->text_count)
        add_texts(wire);
    return wire;
}

void wi_wire_free(wi_wire *wire)
{
    weir_batch_drop((weir_batch *)wire->batch);
    wi_free(wire->parts);
    wi_free(wire->table);
    wi_free(wire);
}

/* ---- in --------------------------------------------------------------------------------- */

/* What is left of the bytes. */
typedef struct reading {
    char *at;
    size_t left;
    bool failed;
} reading;

static void *take(reading *from, size_t bytes)
{
    size_t all = padded(bytes);
    if (from->failed || all < bytes || all > from->left) {
        from->failed = true;
        return NULL;
    }
    char *at = from->at;
    from->at += all;
    from->left -= all;
    return at;
}

/* Texts were somewhere in the sender's pieces; they are at the same place of ours. */
static bool move_text(weir_text *text, const wi_wire_piece *table, char *const *pieces,
                      uint32_t count)
{
    uint64_t at = (uintptr_t)text->at;
    for (uint32_t i = 0; i < count; i++)
        if (at >= table[i].address && at - table[i].address <= table[i].bytes &&
            text->length <= table[i].bytes - (at - table[i].address)) {
            text->at = pieces[i] + (at - table[i].address);
            return memcmp(text->prefix, text->at, sizeof text->prefix) == 0;
        }
    return false;
}

static bool move_texts(weir_batch *batch, const wi_wire_piece *table, char *const *pieces,
                       uint32_t count)
{
    const weir_field *field = weir_type_fields(batch->type);
    for (uint32_t f = 0; f < batch->type->field_count; f++, field++) {
        if (!wi_kind_is_text(field->kind))
            continue;
        char *at = (char *)batch->rows + field->offset;
        for (uint32_t i = 0; i < batch->count; i++, at += batch->type->size) {
            weir_text *text = (weir_text *)at;
            if (text->length > WEIR_TEXT_INLINE && !move_text(text, table, pieces, count))
                return false;
        }
    }
    return true;
}

static bool take_texts(weir_batch *batch, reading *from, uint32_t count)
{
    wi_wire_piece *table = take(from, count * sizeof *table);
    char **pieces = WI_NEWS(char *, count + 1);
    for (uint32_t i = 0; i < count && !from->failed; i++) {
        pieces[i] = take(from, table[i].bytes);
        if (pieces[i])
            wi_batch_lend_texts(batch, pieces[i], table[i].bytes);
    }
    bool moved = !from->failed && move_texts(batch, table, pieces, count);
    wi_free(pieces);
    return moved;
}

static bool later(const weir_batch *batch)
{
    for (uint32_t i = 0; batch->times && i < batch->count; i++)
        if (!weir_time_le(&batch->time, &batch->times[i]))
            return false;
    return true;
}

weir_batch *wi_wire_batch(const weir_type *type, char *bytes, size_t count,
                          void (*release)(void *lender), void *lender)
{
    wi_assert((uintptr_t)bytes % ALIGN == 0, "received batches begin on a cache line");
    reading from = {bytes, count, false};
    const wi_wire_head *head = take(&from, sizeof *head);
    if (!head || head->has_times > 1 || head->has_diffs > 1 || head->pieces > PIECES_MAX ||
        (head->pieces && !type->text_count))
        return NULL;
    uint32_t rows = head->count;
    void *at = take(&from, (size_t)rows * type->size);
    weir_time *times = head->has_times ? take(&from, rows * sizeof *times) : NULL;
    int64_t *diffs = head->has_diffs ? take(&from, rows * sizeof *diffs) : NULL;
    if (from.failed || !rows)
        return NULL;
    weir_batch *batch = wi_batch_lent(type, at, rows, times, diffs, NULL, NULL);
    batch->diff = head->diff;
    memcpy(batch->time.at, head->time, sizeof head->time);
    bool whole = (!type->text_count || take_texts(batch, &from, head->pieces)) && !from.left &&
                 later(batch);
    if (whole && count >= WI_WIRE_LENT_MIN) {
        batch->release = release;
        batch->lender = lender;
        return batch;
    }
    weir_batch *copy = whole ? wi_batch_copy(batch) : NULL;
    weir_batch_drop(batch);
    if (copy)
        release(lender);
    return copy;
}
