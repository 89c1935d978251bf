/* Groups of one time: hash table and rows; see table.h.
 *
 * Rows are looked up in blocks: all hashes first, then the slots and the groups are asked
 * for from memory, then the keys are compared, so that the waits overlap. The loop is
 * written once and made for a key of one text, one of eight bytes, and any other.
 *
 * Invariants
 *   T1  count <= slots_limit, which is below the number of slots: a probe ends.
 *   T2  group i is row i % 2^shift of chunk i / 2^shift. Only the first chunk may be smaller
 *       than 2^shift rows, and only while it is the only one.
 *   T3  long texts of groups lie in the heap of their chunk's batch. */
#include "table.h"

#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/batch.h"
#include "../../base/type.h"

#define SLOTS_MIN 16
#define CHUNK_ROWS_MIN 8
#define EXPECTED_MAX (UINT32_C(1) << 20)
/* Texts that kernels have replaced are kept until they are more than what is in use. */
#define TEXTS_WASTED_MIN (64 * 1024)

typedef enum key_kind { KEY_NONE, KEY_TEXT, KEY_LONG, KEY_ANY } key_kind;

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* ---- groups ----------------------------------------------------------------------------- */

/* What the loops need of a table, in local variables: it stays as it is while rows are
 * looked up, which the compiler cannot know of memory. */
typedef struct view {
    const wi_grouping *by;
    wi_chunk *chunks;
    size_t size; /* of a group's row */
    uint32_t shift;
    uint32_t *slots;
    uint32_t slot_mask;
} view;

static ALWAYS_INLINE view view_of(const wi_table *table)
{
    const wi_grouping *by = table->by;
    return (view){by,           table->chunks,   by->type->size, by->chunk_shift,
                  table->slots, table->slot_mask};
}

static ALWAYS_INLINE char *group_at(view in, uint32_t index)
{
    uint32_t row = index & ((1u << in.shift) - 1);
    return in.chunks[index >> in.shift].rows + row * in.size;
}

static ALWAYS_INLINE bool same_key(const wi_grouping *by, key_kind kind, const char *group,
                                   const char *row)
{
    uint64_t a[2], b[2];
    switch (kind) {
    case KEY_NONE:
        return true;
    case KEY_LONG:
        memcpy(a, group, 8);
        memcpy(b, row + by->in.offsets[0], 8);
        return a[0] == b[0];
    case KEY_TEXT:
        memcpy(a, group, 16);
        memcpy(b, row + by->in.offsets[0], 16);
        if (a[0] == b[0] && (uint32_t)a[0] <= WEIR_TEXT_INLINE)
            return a[1] == b[1];
        return a[0] == b[0] && weir_text_equal((const weir_text *)(const void *)group,
                                               (const void *)(row + by->in.offsets[0]));
    case KEY_ANY:
        break;
    }
    return weir_key_equal(&by->acc, group, &by->in, row);
}

/* A new group: the row's key, and zeros. */
static __attribute__((noinline)) uint32_t add_group(wi_table *table, const char *row)
{
    const wi_grouping *by = table->by;
    uint32_t index = table->count++;
    char *group = group_at(view_of(table), index);
    weir_batch *batch = table->chunks[index >> by->chunk_shift].batch;
    memset(group, 0, by->type->size);
    for (uint32_t f = 0; f < by->in.count; f++) {
        const char *from = row + by->in.offsets[f];
        char *to = group + by->acc.offsets[f];
        if (by->in.bytes[f] == WEIR_KEY_TEXT) {
            weir_text text;
            memcpy(&text, from, sizeof text);
            weir_text_own(batch, &text);
            memcpy(to, &text, sizeof text);
        } else {
            memcpy(to, from, by->in.bytes[f]);
        }
    }
    return index;
}

static ALWAYS_INLINE uint32_t find_or_add(wi_table *table, view in, key_kind kind, uint32_t hash,
                                          const char *row)
{
    for (uint32_t at = hash & in.slot_mask;; at = (at + 1) & in.slot_mask) {
        uint32_t slot = in.slots[at];
        if (!slot) {
            uint32_t index = add_group(table, row);
            in.slots[at] = (hash & ~in.slot_mask) | (index + 1);
            return index;
        }
        uint32_t index = (slot & in.slot_mask) - 1;
        if (!((slot ^ hash) & ~in.slot_mask) &&
            same_key(in.by, kind, group_at(in, index), row))
            return index;
    }
}

/* A row's group probably is in the first slot of its hash. Rows for which that slot has
 * another hash, or none, are for the slow way. No branch depends on the data. Returns how
 * many rows are not. */
static ALWAYS_INLINE uint32_t guess(view in, const uint64_t *hashes, uint32_t count,
                                    void **groups_out, uint32_t *indexes_out, uint16_t *fast_out,
                                    uint16_t *slow_out)
{
    uint32_t fast = 0, slow = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t hash = (uint32_t)hashes[i];
        uint32_t slot = in.slots[hash & in.slot_mask];
        uint32_t index = (slot & in.slot_mask) - (slot != 0);
        bool same = (slot != 0) & !((slot ^ hash) & ~in.slot_mask);
        char *group = group_at(in, index);
        __builtin_prefetch(group, 1);
        groups_out[i] = group;
        indexes_out[i] = index;
        fast_out[fast] = (uint16_t)i;
        fast += same;
        slow_out[slow] = (uint16_t)i;
        slow += !same;
    }
    return fast;
}

static ALWAYS_INLINE void find_block(wi_table *table, key_kind kind, const char *rows,
                                     uint32_t count, void **groups_out, uint32_t *indexes_out)
{
    uint64_t hashes[WI_TABLE_BLOCK];
    uint16_t fast[WI_TABLE_BLOCK], slow[WI_TABLE_BLOCK];
    view in = view_of(table);
    size_t size = in.by->in.type->size;
    weir_key_hash(&in.by->in, rows, count, hashes);
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(&in.slots[(uint32_t)hashes[i] & in.slot_mask]);
    uint32_t fast_count = guess(in, hashes, count, groups_out, indexes_out, fast, slow);
    uint32_t slow_count = count - fast_count;
    for (uint32_t f = 0; f < fast_count; f++) {
        uint32_t i = fast[f];
        if (WEIR_UNLIKELY(!same_key(in.by, kind, groups_out[i], rows + i * size)))
            slow[slow_count++] = (uint16_t)i;
    }
    for (uint32_t s = 0; s < slow_count; s++) {
        uint32_t i = slow[s];
        indexes_out[i] = find_or_add(table, in, kind, (uint32_t)hashes[i], rows + i * size);
        groups_out[i] = group_at(in, indexes_out[i]);
    }
}

#define FIND(name, kind)                                                                   \
    static void name(wi_table *table, const char *rows, uint32_t count, void **groups_out, \
                     uint32_t *indexes_out)                                                \
    {                                                                                      \
        find_block(table, kind, rows, count, groups_out, indexes_out);                     \
    }
FIND(find_text, KEY_TEXT)
FIND(find_long, KEY_LONG)
FIND(find_any, KEY_ANY)

/* Without a key all rows are one group. */
static void find_the_one(wi_table *table, const char *rows, uint32_t count, void **groups_out,
                         uint32_t *indexes_out)
{
    uint32_t index = table->count ? 0 : add_group(table, rows);
    for (uint32_t i = 0; i < count; i++) {
        indexes_out[i] = index;
        groups_out[i] = table->chunks[0].rows;
    }
}

/* ---- the grouping ----------------------------------------------------------------------- */

static const weir_field *field_at(const weir_type *type, uint32_t offset)
{
    const weir_field *fields = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (fields[f].offset == offset && fields[f].bytes)
            return &fields[f];
    return NULL;
}

static bool same_kind(const weir_field *a, const weir_field *b)
{
    return a && a->kind == b->kind && a->elements == b->elements && a->columns == b->columns;
}

bool wi_grouping_init(wi_grouping *by_out, weir_scope *scope, const char *name, const char *of,
                      const weir_key *key, const weir_type *type)
{
    const weir_field *fields = weir_type_fields(type);
    bool fits = type->field_count >= key->count;
    *by_out = (wi_grouping){.in = *key, .acc = {.type = type}, .type = type};
    for (uint32_t f = 0; f < key->count && fits; f++) {
        fits = same_kind(field_at(key->type, key->offsets[f]), &fields[f]);
        by_out->acc.offsets[f] = fields[f].offset;
        by_out->acc.bytes[f] = key->bytes[f];
    }
    by_out->acc.count = key->count;
    while (2u << by_out->chunk_shift <= weir_batch_rows_usual(type))
        by_out->chunk_shift++;
    by_out->block = 1u << by_out->chunk_shift;
    if (by_out->block > WI_TABLE_BLOCK)
        by_out->block = WI_TABLE_BLOCK;
    by_out->find = key->count == 0                                     ? find_the_one
                   : key->count == 1 && key->bytes[0] == WEIR_KEY_TEXT ? find_text
                   : key->count == 1 && key->bytes[0] == 8             ? find_long
                                                                       : find_any;
    if (fits)
        return true;
    char *has = weir_type_text(type), *rows = weir_type_text(key->type);
    weir_scope_fail(scope,
                    "%s%s%s%s: gives rows of %s, whose first fields are not of the same "
                    "kinds as the %u fields of its key of %s",
                    name, of ? " `" : "", of ? of : "", of ? "`" : "", has, key->count, rows);
    free(has);
    free(rows);
    return false;
}

/* ---- room ------------------------------------------------------------------------------- */

static uint32_t power_of_two(uint32_t least, uint32_t needed)
{
    while (least < needed)
        least *= 2;
    return least;
}

/* Groups enter the new slots in the order in which they came, so that those which came
 * first, often the frequent ones, are found first. The old slots are not needed for it. */
static void grow_slots(wi_table *table, uint32_t groups)
{
    uint64_t slots = table->slots ? (uint64_t)table->slot_mask + 1 : SLOTS_MIN;
    while (slots / 8 * 5 < groups)
        slots *= 2;
    wi_free(table->slots);
    table->slots = WI_NEWS(uint32_t, slots);
    table->slot_mask = (uint32_t)(slots - 1);
    table->slots_limit = (uint32_t)(slots / 8 * 5);
    uint64_t hashes[WI_TABLE_BLOCK];
    view in = view_of(table);
    uint32_t block = in.by->block;
    for (uint32_t index = 0; index < table->count; index++) {
        if (index % block == 0)
            weir_key_hash(&in.by->acc, group_at(in, index),
                          table->count - index < block ? table->count - index : block, hashes);
        uint32_t hash = (uint32_t)hashes[index % block], at = hash & in.slot_mask;
        while (in.slots[at])
            at = (at + 1) & in.slot_mask;
        in.slots[at] = (hash & ~in.slot_mask) | (index + 1);
    }
}

static void set_batch(wi_chunk *chunk, weir_batch *batch)
{
    chunk->batch = batch;
    chunk->rows = batch->rows;
}

static void add_chunk(wi_table *table, uint32_t rows)
{
    wi_grow(&table->chunks, &table->chunk_capacity, table->chunk_count + 1, sizeof *table->chunks);
    wi_chunk *chunk = &table->chunks[table->chunk_count++];
    *chunk = (wi_chunk){.text_bytes_limit = TEXTS_WASTED_MIN};
    set_batch(chunk, weir_batch_new(table->by->type, rows));
}

/* The heap moves with the rows, so texts stay where they are. */
static void grow_chunk(wi_chunk *chunk, uint32_t used, uint32_t rows)
{
    weir_batch *small = chunk->batch;
    weir_batch *large = weir_batch_new(small->type, rows);
    memcpy(large->rows, small->rows, (size_t)used * small->type->size);
    large->heap = small->heap;
    small->heap = NULL;
    weir_batch_drop(small);
    set_batch(chunk, large);
}

static void grow_chunks(wi_table *table, uint32_t groups)
{
    uint32_t full = 1u << table->by->chunk_shift;
    if (table->chunk_count <= 1) {
        uint32_t rows = power_of_two(CHUNK_ROWS_MIN, groups);
        if (rows > full)
            rows = full;
        if (!table->chunk_count)
            add_chunk(table, rows);
        else if (table->chunks[0].batch->capacity < rows)
            grow_chunk(&table->chunks[0], table->count, rows);
    }
    while ((uint64_t)table->chunk_count << table->by->chunk_shift < groups)
        add_chunk(table, full);
}

bool wi_table_reserve(wi_table *table, weir_op *op, uint32_t more)
{
    if (WEIR_UNLIKELY(table->count > WI_TABLE_GROUPS_MAX - more)) {
        weir_op_stop(op,
                     "has more than %u groups at one time on one worker; use a finer time, "
                     "or more workers",
                     WI_TABLE_GROUPS_MAX);
        return false;
    }
    uint32_t groups = table->count + (table->by->in.count ? more : 1);
    if (groups > table->slots_limit)
        grow_slots(table, groups);
    if (!table->chunk_count || groups > table->chunks[0].batch->capacity)
        grow_chunks(table, groups);
    return true;
}

void wi_table_expect(wi_table *table, uint32_t groups)
{
    if (!table->count && table->by->in.count && groups > table->slots_limit)
        grow_slots(table, groups < EXPECTED_MAX ? groups : EXPECTED_MAX);
}

/* ---- texts that kernels put into groups ------------------------------------------------- */

/* Drops what is no longer in use by copying what is. */
static void compact(wi_table *table, uint32_t at)
{
    wi_chunk *chunk = &table->chunks[at];
    uint32_t used = table->count - (at << table->by->chunk_shift);
    if (used > chunk->batch->capacity)
        used = chunk->batch->capacity;
    weir_batch *fresh = weir_batch_new(table->by->type, chunk->batch->capacity);
    memcpy(fresh->rows, chunk->rows, (size_t)used * table->by->type->size);
    wi_batch_own_texts(fresh, fresh->rows, used);
    weir_batch_drop(chunk->batch);
    set_batch(chunk, fresh);
    size_t in_use = 0;
    const weir_field *fields = weir_type_fields(table->by->type);
    for (uint32_t f = 0; f < table->by->type->field_count; f++)
        for (uint32_t i = 0; wi_kind_is_text(fields[f].kind) && i < used; i++)
            in_use += ((const weir_text *)(const void *)(chunk->rows + fields[f].offset +
                                                         (size_t)i * table->by->type->size))
                          ->length;
    chunk->text_bytes = 0;
    chunk->text_bytes_limit = in_use > TEXTS_WASTED_MIN ? in_use : TEXTS_WASTED_MIN;
}

void wi_table_own_texts(wi_table *table, uint32_t index)
{
    const wi_grouping *by = table->by;
    const weir_field *fields = weir_type_fields(by->type);
    wi_chunk *chunk = &table->chunks[index >> by->chunk_shift];
    char *group = group_at(view_of(table), index);
    for (uint32_t f = by->acc.count; f < by->type->field_count; f++) {
        if (!wi_kind_is_text(fields[f].kind))
            continue;
        weir_text *text = (weir_text *)(void *)(group + fields[f].offset);
        const char *before = text->at;
        weir_text_own(chunk->batch, text);
        if (text->at != before)
            chunk->text_bytes += text->length;
    }
    if (WEIR_UNLIKELY(chunk->text_bytes > chunk->text_bytes_limit))
        compact(table, index >> by->chunk_shift);
}

/* ---- times ------------------------------------------------------------------------------ */

wi_table *wi_tables_at(wi_tables *tables, weir_op *op, const wi_grouping *by, const weir_time *time)
{
    wi_table *table = weir_notify_state(op, time, sizeof *table);
    if (!table->by)
        wi_tables_add(tables, table, by);
    return table;
}

void wi_tables_add(wi_tables *tables, wi_table *table, const wi_grouping *by)
{
    table->by = by;
    table->next = tables->first;
    if (table->next)
        table->next->previous = table;
    tables->first = table;
}

void wi_tables_drop(wi_tables *tables, wi_table *table)
{
    if (table->next)
        table->next->previous = table->previous;
    if (table->previous)
        table->previous->next = table->next;
    else
        tables->first = table->next;
    wi_table_fini(table);
}

void wi_table_init(wi_table *table, const wi_grouping *by)
{
    *table = (wi_table){.by = by};
}

void wi_table_fini(wi_table *table)
{
    for (uint32_t c = 0; c < table->chunk_count; c++)
        weir_batch_drop(table->chunks[c].batch);
    wi_free(table->chunks);
    wi_free(table->slots);
    wi_table_init(table, table->by);
}

/* Moves the rows whose i64 is not zero to the front; returns how many. */
static uint32_t keep_nonzero(char *rows, uint32_t count, size_t size, uint32_t offset)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t value;
        memcpy(&value, rows + i * size + offset, sizeof value);
        if (value == 0)
            continue;
        if (kept != i)
            memcpy(rows + kept * size, rows + i * size, size);
        kept++;
    }
    return kept;
}

weir_batch *wi_table_take(wi_table *table, uint32_t chunk, uint32_t nonzero)
{
    weir_batch *batch = table->chunks[chunk].batch;
    uint32_t count = table->count - (chunk << table->by->chunk_shift);
    if (count > batch->capacity)
        count = batch->capacity;
    table->chunks[chunk].batch = NULL;
    if (nonzero != WI_TABLE_ALL)
        count = keep_nonzero(batch->rows, count, batch->type->size, nonzero);
    batch->count = count;
    return batch;
}

void wi_tables_send(wi_tables *tables, wi_table *table, weir_op *op, const weir_time *time,
                    uint32_t nonzero)
{
    for (uint32_t c = 0; (uint64_t)c << table->by->chunk_shift < table->count; c++) {
        weir_batch *batch = wi_table_take(table, c, nonzero);
        batch->time = *time;
        weir_send_batch(op, 0, batch);
    }
    wi_tables_drop(tables, table);
}

void wi_tables_stop(wi_tables *tables)
{
    while (tables->first)
        wi_tables_drop(tables, tables->first);
}
