/* Pushing rows. Pushing itself is inline; here is what happens when times and diffs
 * change, and where rows are copied in bulk.
 *
 * Columns are filled lazily. Invariants while a batch is open:
 *   O1  rows [0, stamped) have their final times and diffs, by column or by constant.
 *   O2  rows [stamped, count) are to get out->time and out->diff, written nowhere yet.
 *   O3  batch->time is the time at which the out was opened: what progress counts. A row
 *       at any other time needs the column.
 * `settle` moves rows from O2 to O1; everything else changes time and diff only after it. */
#include "out.h"

#include <weir/kernel.h>

#include "alloc.h"
#include "assert.h"
#include "batch.h"
#include "type.h"

/* Batches filled to less than this part of their capacity are moved when they are sealed. */
#define SMALL_PART 8
/* Room that a new batch has at least, if it may have so much. */
#define ROWS_MIN 8

/* Gives rows [begin, end) their diffs: from a column, or the constant if it is NULL. The
 * first rows decide what the batch's constant is. */
static void put_diffs(weir_batch *batch, uint32_t begin, uint32_t end, const int64_t *column,
                      int64_t constant)
{
    if (!batch->diffs) {
        if (!column && begin == 0)
            batch->diff = constant;
        if (!column && batch->diff == constant)
            return;
        wi_batch_start_diffs(batch, begin);
    }
    if (column)
        memcpy(batch->diffs + begin, column, (end - begin) * sizeof *column);
    else
        for (uint32_t i = begin; i < end; i++)
            batch->diffs[i] = constant;
}

static void put_times(weir_batch *batch, uint32_t begin, uint32_t end, const weir_time *column,
                      const weir_time *constant)
{
    if (!batch->times) {
        if (!column && weir_time_eq(&batch->time, constant))
            return;
        wi_batch_start_times(batch, begin);
    }
    if (column)
        memcpy(batch->times + begin, column, (end - begin) * sizeof *column);
    else
        for (uint32_t i = begin; i < end; i++)
            batch->times[i] = *constant;
}

static void settle(weir_out *out)
{
    if (out->stamped == out->count)
        return;
    put_diffs(out->batch, out->stamped, out->count, NULL, out->diff);
    put_times(out->batch, out->stamped, out->count, NULL, &out->time);
    out->stamped = out->count;
}

void wi_out_commit_diffs(weir_out *out, const int64_t *diffs, uint32_t used)
{
    uint32_t at = out->count;
    settle(out);
    if (!used)
        return;
    put_diffs(out->batch, at, at + used, diffs, 0);
    put_times(out->batch, at, at + used, NULL, &out->time);
    out->count = out->stamped = at + used;
}

/* ---- the operator's side ---------------------------------------------------------------- */

static bool allowed(weir_out *out, const weir_time *time)
{
    if (WEIR_LIKELY(weir_time_le(&out->opened, time)))
        return true;
    wi_assert(out->misuse, "a row's time is at or after the time its out was opened at");
    out->misuse(out, time);
    return false;
}

static void stamp(weir_out *out, const weir_time *time, int64_t diff)
{
    if (out->diff == diff && weir_time_eq(&out->time, time))
        return;
    settle(out);
    out->diff = diff;
    if (allowed(out, time))
        out->time = *time;
}

void weir_out_diff(weir_out *out, int64_t diff)
{
    if (out->diff == diff)
        return;
    settle(out);
    out->diff = diff;
}

void weir_out_time(weir_out *out, const weir_time *time)
{
    stamp(out, time, out->diff);
}

void weir_out_stamp(weir_out *out, const weir_batch *like, uint32_t row)
{
    stamp(out, weir_batch_time(like, row), weir_batch_diff(like, row));
}

/* Field by field, so that padding of a row from anywhere ends here as zeros. */
static void copy_fields(const weir_type *type, char *to, const char *from)
{
    const weir_field *field = weir_type_fields(type);
    memset(to, 0, type->size);
    for (uint32_t f = 0; f < type->field_count; f++, field++)
        memcpy(to + field->offset, from + field->offset, field->bytes);
}

void weir_out_row(weir_out *out, const void *row)
{
    const weir_type *type = out->type;
    char *slot = weir_out_slot(out, type->size);
    if (out->padded)
        copy_fields(type, slot, row);
    else
        memcpy(slot, row, type->size);
    wi_batch_own_texts(out->batch, slot, 1);
}

/* Rows from `begin` of a batch, as many as there is room for; gives how many. */
static uint32_t copy_some(weir_out *out, const weir_batch *from, uint32_t begin, uint32_t end,
                          bool own_times)
{
    uint32_t room;
    void *to = weir_out_room(out, end - begin, &room);
    weir_batch *batch = out->batch;
    uint32_t at = out->count;
    settle(out);
    memcpy(to, weir_batch_row(from, begin), (size_t)room * out->type->size);
    wi_batch_own_texts(batch, to, room);
    put_diffs(batch, at, at + room, from->diffs ? from->diffs + begin : NULL, from->diff);
    if (own_times)
        put_times(batch, at, at + room, from->times ? from->times + begin : NULL, &from->time);
    else
        put_times(batch, at, at + room, NULL, &out->time);
    out->count = out->stamped = at + room;
    return room;
}

void weir_out_copy(weir_out *out, const weir_batch *from, uint32_t begin, uint32_t end)
{
    wi_dassert(weir_type_fits(out->type, from->type), "an out takes rows of its own type");
    bool own_times = true;
    if (!weir_time_le(&out->opened, &from->time)) /* only then need the rows' be looked at */
        for (uint32_t i = begin; i < end && own_times; i++)
            own_times = allowed(out, weir_batch_time(from, i));
    while (begin < end)
        begin += copy_some(out, from, begin, end, own_times);
}

/* ---- the owner's side ------------------------------------------------------------------- */

/* A batch that was made for few rows grows once; then it is sent. */
static void make_room(weir_out *out)
{
    if (out->batch && out->capacity < out->most)
        wi_out_grow(out, out->most);
    else
        out->send(out);
}

/* Room for what the last batches had and an eighth more. */
static uint32_t room_for(const weir_out *out)
{
    uint32_t expected = out->lately + out->lately / 8 + ROWS_MIN, room = ROWS_MIN;
    if (expected > out->most / 2)
        return out->most;
    while (room < expected)
        room *= 2;
    return room;
}

void wi_out_init(weir_out *out, const weir_type *type, void (*full)(weir_out *out), void *owner)
{
    memset(out, 0, sizeof *out);
    out->type = type;
    out->diff = 1;
    out->full = make_room;
    out->send = full;
    out->lately = UINT16_MAX; /* many: there were none */
    out->owner = owner;
    out->padded = wi_type_padded(type);
}

void wi_out_on_misuse(weir_out *out, void (*misuse)(weir_out *out, const weir_time *time))
{
    out->misuse = misuse;
}

void wi_out_open(weir_out *out, const weir_time *time, uint32_t most)
{
    out->opened = out->time = *time;
    out->diff = 1;
    wi_out_next(out, most);
}

void wi_out_next(weir_out *out, uint32_t most)
{
    wi_assert(!out->batch, "an out has at most one batch");
    weir_batch *batch = out->spare;
    out->spare = NULL;
    out->most = most ? most : 1;
    uint32_t capacity = room_for(out);
    if (batch && batch->capacity != capacity) {
        weir_batch_drop(batch);
        batch = NULL;
    }
    if (!batch)
        batch = weir_batch_new(out->type, capacity);
    batch->time = out->opened;
    out->batch = batch;
    out->rows = batch->rows;
    out->count = out->stamped = 0;
    out->capacity = batch->capacity;
}

void wi_out_grow(weir_out *out, uint32_t capacity)
{
    weir_batch *small = out->batch;
    wi_assert(small && capacity >= out->count, "a batch grows to hold what it has");
    weir_batch *large = weir_batch_new(out->type, capacity);
    memcpy(large->rows, small->rows, (size_t)out->count * out->type->size);
    large->time = small->time;
    large->diff = small->diff;
    large->heap = small->heap;
    small->heap = NULL;
    if (small->times) {
        wi_batch_start_times(large, 0);
        memcpy(large->times, small->times, out->stamped * sizeof *small->times);
    }
    if (small->diffs) {
        wi_batch_start_diffs(large, 0);
        memcpy(large->diffs, small->diffs, out->stamped * sizeof *small->diffs);
    }
    weir_batch_drop(small);
    out->batch = large;
    out->rows = large->rows;
    out->capacity = capacity;
}

/* A few rows leave in a batch of their size, and the large one is used again: queues of
 * small batches must not hold memory for large ones. */
static weir_batch *move_to_small(weir_batch *large)
{
    weir_batch *small = weir_batch_like(large, large->type);
    memcpy(small->rows, large->rows, (size_t)large->count * large->type->size);
    small->heap = large->heap;
    large->heap = NULL;
    large->count = 0;
    wi_free(large->times);
    wi_free(large->diffs);
    large->times = NULL;
    large->diffs = NULL;
    return small;
}

weir_batch *wi_out_seal(weir_out *out)
{
    weir_batch *batch = out->batch;
    if (!batch)
        return NULL;
    settle(out);
    batch->count = out->count;
    out->lately -= out->lately / 4;
    if (out->lately < out->count)
        out->lately = out->count;
    out->batch = NULL;
    out->rows = NULL;
    out->count = out->capacity = out->stamped = out->most = 0;
    if (batch->count > batch->capacity / SMALL_PART)
        return batch;
    if (batch->count) {
        out->spare = batch;
        return move_to_small(batch);
    }
    if (batch->heap) {
        weir_batch_drop(batch); /* texts of rows that were not pushed after all */
        return NULL;
    }
    out->spare = batch;
    return NULL;
}

void wi_out_fini(weir_out *out)
{
    if (out->batch)
        weir_batch_drop(out->batch);
    if (out->spare)
        weir_batch_drop(out->spare);
    out->batch = out->spare = NULL;
    out->rows = NULL;
    out->count = out->capacity = 0;
}
