/* The codec of progress changes. See progress.h. */
#include "progress.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

#define VARINT_BYTES_MAX 10

enum { DELTA_PLUS_ONE, DELTA_MINUS_ONE, DELTA_WRITTEN, HEAD_DELTA = 3 };
#define HEAD_SAME_LOC 4
#define HEAD_SAME_TIME 8
#define HEAD_MAX (DELTA_WRITTEN | HEAD_SAME_LOC | HEAD_SAME_TIME)

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static const wi_progress_change nothing_before;

/* ---- encoding --------------------------------------------------------------------------- */

static unsigned char *put(unsigned char *at, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

size_t wi_progress_bytes_max(uint32_t count)
{
    return VARINT_BYTES_MAX + (size_t)count * (1 + VARINT_BYTES_MAX * (2 + WEIR_DIMS_MAX));
}

static unsigned char *put_change(unsigned char *at, const wi_progress_change *change,
                                 const wi_progress_change *before, int dims)
{
    unsigned char head = change->delta == 1    ? DELTA_PLUS_ONE
                         : change->delta == -1 ? DELTA_MINUS_ONE
                                               : DELTA_WRITTEN;
    bool same_loc = change->loc == before->loc;
    bool same_time = weir_time_eq(&change->time, &before->time);
    *at++ = (unsigned char)(head | (same_loc ? HEAD_SAME_LOC : 0) |
                            (same_time ? HEAD_SAME_TIME : 0));
    if (!same_loc)
        at = put(at, zigzag((uint64_t)change->loc - before->loc));
    if (head == DELTA_WRITTEN)
        at = put(at, zigzag((uint64_t)change->delta));
    for (int i = 0; i < dims && !same_time; i++)
        at = put(at, zigzag(change->time.at[i] - before->time.at[i]));
    return at;
}

size_t wi_progress_encode(const wi_progress_places *places, const wi_progress_change *changes,
                          uint32_t count, void *bytes_out)
{
    unsigned char *at = put(bytes_out, count);
    const wi_progress_change *before = &nothing_before;
    for (uint32_t i = 0; i < count; before = &changes[i++]) {
        wi_assert(changes[i].loc < places->count, "a change is at a location of the graph");
        int dims = places->dims[changes[i].loc];
        for (int d = dims; d < WEIR_DIMS_MAX; d++)
            wi_dassert(changes[i].time.at[d] == 0, "coordinates that a place has not are zero");
        at = put_change(at, &changes[i], before, dims);
    }
    return (size_t)(at - (unsigned char *)bytes_out);
}

/* ---- decoding --------------------------------------------------------------------------- */

typedef struct wi_source {
    const unsigned char *at, *end;
} wi_source;

/* False: cut off, too large, or longer than it needs to be. */
static bool get(wi_source *source, uint64_t *value_out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && source->at < source->end; shift += 7) {
        unsigned char byte = *source->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        *value_out = value;
        return (shift < 63 || byte == 1) && (byte || shift == 0);
    }
    return false;
}

static bool get_loc(wi_source *source, const wi_progress_change *before,
                    const wi_progress_places *places, uint32_t *loc_out)
{
    uint64_t difference;
    if (!get(source, &difference) || difference == 0)
        return false;
    uint64_t loc = before->loc + unzigzag(difference);
    *loc_out = (uint32_t)loc;
    return loc < places->count;
}

static bool get_delta(wi_source *source, int64_t *delta_out)
{
    uint64_t value;
    if (!get(source, &value))
        return false;
    *delta_out = (int64_t)unzigzag(value);
    return *delta_out != 1 && *delta_out != -1;
}

static bool get_time(wi_source *source, const weir_time *before, int dims, weir_time *time_out)
{
    *time_out = (weir_time){{0}};
    for (int i = 0; i < dims; i++) {
        uint64_t difference;
        if (!get(source, &difference))
            return false;
        time_out->at[i] = before->at[i] + unzigzag(difference);
    }
    return !weir_time_eq(time_out, before);
}

static bool get_change(wi_source *source, const wi_progress_change *before,
                       const wi_progress_places *places, wi_progress_change *change)
{
    uint64_t head;
    if (!get(source, &head) || head > HEAD_MAX || (head & HEAD_DELTA) > DELTA_WRITTEN)
        return false;
    change->loc = before->loc;
    if (head & HEAD_SAME_LOC ? change->loc >= places->count
                             : !get_loc(source, before, places, &change->loc))
        return false;
    change->delta = (head & HEAD_DELTA) == DELTA_PLUS_ONE ? 1 : -1;
    if ((head & HEAD_DELTA) == DELTA_WRITTEN && !get_delta(source, &change->delta))
        return false;
    int dims = places->dims[change->loc];
    if (!(head & HEAD_SAME_TIME))
        return get_time(source, &before->time, dims, &change->time);
    change->time = before->time;
    for (int i = dims; i < WEIR_DIMS_MAX; i++)
        if (change->time.at[i])
            return false;
    return true;
}

bool wi_progress_decode(const wi_progress_places *places, const void *bytes, size_t count,
                        wi_progress_batch *batch)
{
    wi_source source = {bytes, (const unsigned char *)bytes + count};
    uint64_t changes;
    batch->count = 0;
    /* Each change takes a byte at least, so a larger count is a lie. */
    if (!get(&source, &changes) || changes > (uint64_t)(source.end - source.at) ||
        changes > UINT32_MAX)
        return false;
    if (changes > batch->capacity) {
        batch->changes = wi_realloc(batch->changes, changes * sizeof *batch->changes);
        batch->capacity = (uint32_t)changes;
    }
    const wi_progress_change *before = &nothing_before;
    for (uint64_t i = 0; i < changes; before = &batch->changes[i++])
        if (!get_change(&source, before, places, &batch->changes[i]))
            return false;
    if (source.at != source.end)
        return false;
    batch->count = (uint32_t)changes;
    return true;
}

void wi_progress_batch_fini(wi_progress_batch *batch)
{
    wi_free(batch->changes);
    *batch = (wi_progress_batch){0};
}
