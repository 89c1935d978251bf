/* Building layouts: a column for each element of a field (single bytes go up to eight at a
 * time), with its place in the row and in the words; and the heaps that long texts lie in. */
#include "layout.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/pages.h"
#include "base/assert.h"
#include "base/type.h"

/* ---- heaps ------------------------------------------------------------------------------ */

#define BLOCK_BYTES_MIN 224
#define BLOCK_BYTES_MAX (2u << 20) /* with the header: counted by pages.c */

struct wi_heap_block {
    struct wi_heap_block *next;
    size_t used, capacity;
    size_t unused; /* to 32 bytes, so that what follows is aligned to 16 */
};
_Static_assert(sizeof(struct wi_heap_block) % 16 == 0, "what follows is aligned");

static void heap_grow(wi_heap *heap, size_t bytes)
{
    size_t capacity = heap->blocks ? 2 * heap->blocks->capacity : BLOCK_BYTES_MIN;
    if (capacity > BLOCK_BYTES_MAX)
        capacity = BLOCK_BYTES_MAX;
    if (capacity < bytes)
        capacity = bytes;
    struct wi_heap_block *block = wi_pages_new(sizeof *block + capacity);
    *block = (struct wi_heap_block){.next = heap->blocks, .capacity = capacity};
    heap->blocks = block;
    heap->bytes += sizeof *block + capacity;
}

void *wi_heap_take(wi_heap *heap, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (!heap->blocks || heap->blocks->capacity - heap->blocks->used < bytes)
        heap_grow(heap, bytes);
    struct wi_heap_block *block = heap->blocks;
    void *taken = (char *)(block + 1) + block->used;
    block->used += bytes;
    return taken;
}

void wi_heap_adopt(wi_heap *heap, wi_heap *from)
{
    if (!heap->blocks) {
        *heap = *from;
    } else if (from->blocks) {
        struct wi_heap_block *last = from->blocks;
        while (last->next)
            last = last->next;
        last->next = heap->blocks->next; /* the first stays the one that is taken from */
        heap->blocks->next = from->blocks;
        heap->bytes += from->bytes;
    }
    *from = (wi_heap){0};
}

void wi_heap_fini(wi_heap *heap)
{
    while (heap->blocks) {
        struct wi_heap_block *next = heap->blocks->next;
        wi_pages_free(heap->blocks, sizeof *heap->blocks + heap->blocks->capacity);
        heap->blocks = next;
    }
    heap->bytes = 0;
}

/* ---- building --------------------------------------------------------------------------- */

static const weir_field *field_at(const weir_type *type, uint32_t offset)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (field[f].offset == offset && field[f].elements > 0)
            return &field[f];
    wi_assert(false, "a key's fields are the type's");
}

static bool key_has(const weir_key *key, uint32_t offset)
{
    for (uint32_t f = 0; f < key->count; f++)
        if (key->offsets[f] == offset)
            return true;
    return false;
}

static uint8_t coding_of(weir_kind kind)
{
    if (wi_kind_is_text(kind))
        return WI_CODE_TEXT;
    if (kind == WEIR_KIND_f32 || kind == WEIR_KIND_f64)
        return WI_CODE_FLOAT;
    return wi_kind_is_signed(kind) ? WI_CODE_SIGNED : WI_CODE_UNSIGNED;
}

/* Adds a column at the next place that has room: `*bits` are taken of word layout->words - 1;
 * 64 asks for a new one. */
static void add_column(wi_layout *layout, uint32_t *capacity, wi_column column, uint32_t *bits)
{
    bool text = column.coding == WI_CODE_TEXT;
    uint32_t needed = text ? 64 : 8 * column.bytes;
    if (*bits + needed > 64) {
        layout->words += text ? 2 : 1;
        *bits = 0;
    }
    *bits += needed;
    column.word = layout->words - (text ? 2 : 1);
    column.shift = text ? 0 : (uint8_t)(64 - *bits);
    wi_grow(&layout->columns, capacity, layout->column_count + 1, sizeof column);
    layout->columns[layout->column_count++] = column;
    layout->texts |= text;
}

static void add_field(wi_layout *layout, uint32_t *capacity, const weir_field *field,
                      bool descending, uint32_t *bits)
{
    if (!field->elements)
        return;
    uint32_t step = field->bytes / field->elements;
    wi_column column = {
        .offset = field->offset, .coding = coding_of(field->kind), .descending = descending};
    for (uint32_t left = field->bytes; left; left -= column.bytes) {
        column.bytes = step;
        if (step == 1 && left > 1 && column.coding == WI_CODE_UNSIGNED) {
            column.bytes = left >= 8 ? 8 : left >= 4 ? 4 : 2;
            column.coding = WI_CODE_BYTES;
        }
        add_column(layout, capacity, column, bits);
        column.offset += column.bytes;
        column.coding = coding_of(field->kind);
    }
}

static bool layout_is_plain(const wi_layout *layout)
{
    if (layout->type->size != 8 * layout->column_count || layout->column_count == 0)
        return false;
    for (uint32_t c = 0; c < layout->column_count; c++) {
        const wi_column *column = &layout->columns[c];
        if (column->bytes != 8 || column->coding != WI_CODE_UNSIGNED || column->descending ||
            column->offset != 8 * c)
            return false;
    }
    return true;
}

static void layout_finish(wi_layout *layout)
{
    if (layout->words == 0)
        layout->words = 1;
    layout->text_at = wi_calloc(layout->words, 1);
    for (uint32_t c = 0; c < layout->column_count; c++)
        if (layout->columns[c].coding == WI_CODE_TEXT)
            layout->text_at[layout->columns[c].word] = layout->columns[c].descending ? 2 : 1;
    layout->plain = layout_is_plain(layout);
    uint32_t bytes = 0;
    for (uint32_t c = 0; c < layout->column_count; c++)
        bytes += layout->columns[c].bytes;
    layout->padded = bytes != layout->type->size;
}

/* The bits of the fields that are not in the key; more than 64 if one is a text. */
static uint32_t other_bits(const weir_type *type, const weir_key *key)
{
    const weir_field *field = weir_type_fields(type);
    uint32_t bytes = 0;
    for (uint32_t f = 0; f < type->field_count; f++)
        if (field[f].elements && !key_has(key, field[f].offset))
            bytes += wi_kind_is_text(field[f].kind) || field[f].bytes > 8 ? 9 : field[f].bytes;
    return bytes <= 8 ? 8 * bytes : 65;
}

static wi_layout *layout_new(const weir_type *type, const weir_key *key, const weir_order *order,
                             bool may_pack)
{
    wi_layout *layout = WI_NEW(wi_layout);
    atomic_init(&layout->references, 1);
    uint32_t capacity = 0, bits = 64;
    layout->type = type;
    layout->key = *key;
    layout->key.type = type;
    for (uint32_t f = 0; f < key->count; f++)
        add_field(layout, &capacity, field_at(type, key->offsets[f]), false, &bits);
    layout->key_words = layout->words;
    layout->key_column_count = layout->column_count;
    layout->key_texts = layout->texts;
    layout->key_mask = ~UINT64_C(0) << (64 - bits);
    uint32_t others = other_bits(type, key);
    layout->packed = may_pack && layout->key_words == 1 && others > 0 && bits + others <= 64;
    layout->others_at = layout->packed ? 0 : layout->key_words;
    if (!layout->packed)
        bits = 64; /* others begin a word of their own */
    uint32_t ordered = order && order->by.type ? order->by.count : 0;
    for (uint32_t f = 0; f < ordered; f++) {
        uint32_t offset = order->by.offsets[f];
        weir_key before = order->by;
        before.count = f;
        if (!key_has(key, offset) && !key_has(&before, offset))
            add_field(layout, &capacity, field_at(type, offset), order->descending >> f & 1, &bits);
    }
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (!key_has(key, field[f].offset) && !(ordered && key_has(&order->by, field[f].offset)))
            add_field(layout, &capacity, &field[f], false, &bits);
    layout_finish(layout);
    return layout;
}

wi_layout *wi_layout_new(const weir_type *type, const weir_key *key, const weir_order *order)
{
    return layout_new(type, key, order, true);
}

wi_layout *wi_layout_new_apart(const weir_type *type, const weir_key *key)
{
    return layout_new(type, key, NULL, false);
}

wi_layout *wi_layout_of_key(const wi_layout *of)
{
    wi_layout *layout = WI_NEW(wi_layout);
    atomic_init(&layout->references, 1);
    layout->type = of->type;
    layout->key = of->key;
    layout->key_words = layout->words = layout->others_at = of->key_words;
    layout->key_mask = of->key_mask;
    layout->texts = layout->key_texts = of->key_texts;
    layout->column_count = layout->key_column_count = of->key_column_count;
    layout->columns = WI_NEWS(wi_column, of->key_column_count + 1u);
    if (of->key_column_count)
        memcpy(layout->columns, of->columns, of->key_column_count * sizeof(wi_column));
    layout_finish(layout);
    return layout;
}

wi_layout *wi_layout_retain(const wi_layout *layout)
{
    wi_layout *counted = (wi_layout *)(uintptr_t)layout;
    atomic_fetch_add_explicit(&counted->references, 1, memory_order_relaxed);
    return counted;
}

void wi_layout_drop(const wi_layout *layout)
{
    wi_layout *counted = (wi_layout *)(uintptr_t)layout;
    if (!layout || atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) != 1)
        return;
    wi_free(counted->columns);
    wi_free(counted->text_at);
    wi_free(counted);
}

bool wi_layout_same_keys(const wi_layout *a, const wi_layout *b)
{
    if (a->key.count != b->key.count)
        return false;
    for (uint32_t f = 0; f < a->key.count; f++) {
        const weir_field *a_field = field_at(a->type, a->key.offsets[f]);
        const weir_field *b_field = field_at(b->type, b->key.offsets[f]);
        if (a_field->kind != b_field->kind || a_field->bytes != b_field->bytes)
            return false;
    }
    return true;
}
