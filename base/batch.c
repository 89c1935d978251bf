/* Batches: one allocation for the header and the rows, one more for each column, and a
 * heap for the texts that do not fit their handles.
 *
 * A heap is a list of chunks, newest first, in which texts are laid one after the other
 * and never move. Chunks grow with the heap, so that there are few: asking whether a text
 * lies in one already is a short walk. */
#include "batch.h"

#include <stdatomic.h>

#include "alloc.h"
#include "assert.h"
#include "pages.h"
#include "type.h"

#define ROWS_ALIGN 64
_Static_assert(sizeof(weir_batch) <= 2 * ROWS_ALIGN, "a batch is passed on with two cache lines");
#define BATCH_BYTES_USUAL (64 * 1024)
#define BATCH_ROWS_MAX 65536

#define CHUNK_BYTES_MIN 4096
#define CHUNK_BYTES_MAX (1024 * 1024)
/* A heap beyond 16 MB grows by a sixteenth: at most about 200 chunks for 1 TB of texts. */
#define CHUNK_OF_HEAP 16

typedef struct chunk {
    struct chunk *older;
    char *memory;
    size_t used, capacity; /* bytes */
    bool adopted;          /* memory is an allocation of its own */
} chunk;

struct weir_heap {
    chunk *newest;
    size_t total_bytes; /* of all chunks but adopted ones */
};

/* ---- the heap of long texts ------------------------------------------------------------- */

static chunk *heap_push(weir_batch *batch, size_t memory_bytes)
{
    if (!batch->heap)
        batch->heap = WI_NEW(struct weir_heap);
    chunk *added = wi_alloc(sizeof *added + memory_bytes);
    *added = (chunk){.older = batch->heap->newest};
    batch->heap->newest = added;
    return added;
}

static chunk *heap_grow(weir_batch *batch, size_t needed)
{
    size_t total = batch->heap ? batch->heap->total_bytes : 0;
    size_t capacity = total < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : total;
    if (capacity > CHUNK_BYTES_MAX)
        capacity = CHUNK_BYTES_MAX;
    if (capacity < total / CHUNK_OF_HEAP)
        capacity = total / CHUNK_OF_HEAP;
    capacity -= sizeof(chunk); /* an allocation of a power of two has no unused end */
    if (capacity < needed)
        capacity = needed;
    chunk *added = heap_push(batch, capacity);
    added->memory = (char *)(added + 1);
    added->capacity = capacity;
    batch->heap->total_bytes += sizeof(chunk) + capacity;
    return added;
}

static void heap_free(struct weir_heap *heap)
{
    for (chunk *at = heap->newest; at;) {
        chunk *older = at->older;
        if (at->adopted)
            wi_free(at->memory);
        wi_free(at);
        at = older;
    }
    wi_free(heap);
}

static char *heap_copy(weir_batch *batch, const char *bytes, size_t length)
{
    chunk *in = batch->heap ? batch->heap->newest : NULL;
    if (!in || in->capacity - in->used < length)
        in = heap_grow(batch, length);
    char *copy = in->memory + in->used;
    in->used += length;
    return memcpy(copy, bytes, length);
}

static bool heap_holds(const struct weir_heap *heap, const char *bytes)
{
    if (!heap)
        return false;
    for (const chunk *at = heap->newest; at; at = at->older)
        if ((uintptr_t)bytes - (uintptr_t)at->memory < at->used)
            return true;
    return false;
}

void wi_batch_adopt(weir_batch *batch, void *memory, size_t bytes)
{
    chunk *added = heap_push(batch, 0);
    added->memory = memory;
    added->used = added->capacity = bytes;
    added->adopted = true;
}

weir_text weir_text_new(weir_batch *batch, const char *bytes, uint32_t length)
{
    if (length > WEIR_TEXT_INLINE)
        bytes = heap_copy(batch, bytes, length);
    return weir_text_of(bytes, length);
}

void weir_text_move_in(weir_batch *batch, weir_text *text)
{
    if (text->length > WEIR_TEXT_INLINE && !heap_holds(batch->heap, text->at))
        text->at = heap_copy(batch, text->at, text->length);
}

void wi_batch_own_texts(weir_batch *batch, void *rows, uint32_t count)
{
    const weir_type *type = batch->type;
    if (!type->text_count)
        return;
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++, field++) {
        if (!wi_kind_is_text(field->kind))
            continue;
        char *at = (char *)rows + field->offset;
        for (uint32_t i = 0; i < count; i++, at += type->size)
            weir_text_own(batch, (weir_text *)at);
    }
}

/* ---- batches ---------------------------------------------------------------------------- */

/* Of the header and the rows, which for a large batch lie in pages of their own. */
static size_t block_bytes(size_t rows_bytes)
{
    return sizeof(weir_batch) + ROWS_ALIGN - 1 + rows_bytes;
}

size_t wi_batch_rows_bytes(size_t bytes)
{
    return bytes - block_bytes(0);
}

weir_batch *weir_batch_new(const weir_type *type, uint32_t capacity)
{
    size_t rows_bytes = (size_t)capacity * type->size;
    weir_batch *batch = wi_pages_new(block_bytes(rows_bytes));
    memset(batch, 0, sizeof *batch);
    batch->block_bytes = block_bytes(rows_bytes);
    batch->type = type;
    batch->capacity = capacity;
    batch->rows =
        (void *)(((uintptr_t)(batch + 1) + ROWS_ALIGN - 1) & ~(uintptr_t)(ROWS_ALIGN - 1));
    batch->diff = 1;
    atomic_init(&batch->references, 1);
    wi_assert(type->align <= ROWS_ALIGN, "rows are aligned to at most a cache line");
    return batch;
}

weir_batch *weir_batch_like(const weir_batch *like, const weir_type *type)
{
    weir_batch *batch = weir_batch_new(type, like->count);
    batch->count = like->count;
    batch->time = like->time;
    batch->diff = like->diff;
    if (like->times) {
        wi_batch_start_times(batch, 0);
        memcpy(batch->times, like->times, like->count * sizeof *like->times);
    }
    if (like->diffs) {
        wi_batch_start_diffs(batch, 0);
        memcpy(batch->diffs, like->diffs, like->count * sizeof *like->diffs);
    }
    return batch;
}

weir_batch *wi_batch_lent(const weir_type *type, void *rows, uint32_t count, weir_time *times,
                          int64_t *diffs, void (*release)(void *lender), void *lender)
{
    weir_batch *batch = wi_alloc(sizeof *batch);
    memset(batch, 0, sizeof *batch);
    batch->type = type;
    batch->count = batch->capacity = count;
    batch->rows = rows;
    batch->times = times;
    batch->diffs = diffs;
    batch->times_lent = batch->diffs_lent = true;
    batch->diff = 1;
    batch->release = release;
    batch->lender = lender;
    atomic_init(&batch->references, 1);
    return batch;
}

void wi_batch_lend_texts(weir_batch *batch, char *memory, size_t bytes)
{
    chunk *added = heap_push(batch, 0);
    added->memory = memory;
    added->used = added->capacity = bytes;
}

void wi_batch_texts(const weir_batch *batch,
                    void (*piece)(void *arg, const char *memory, size_t bytes), void *arg)
{
    for (; batch; batch = batch->base)
        for (const chunk *at = batch->heap ? batch->heap->newest : NULL; at; at = at->older)
            if (at->used)
                piece(arg, at->memory, at->used);
}

weir_batch *wi_batch_copy(const weir_batch *batch)
{
    weir_batch *copy = weir_batch_like(batch, batch->type);
    if (batch->count)
        memcpy(copy->rows, batch->rows, (size_t)batch->count * batch->type->size);
    wi_batch_own_texts(copy, copy->rows, copy->count);
    return copy;
}

/* Views of views share the batch that owns the rows. */
weir_batch *weir_batch_view(const weir_batch *of)
{
    const weir_batch *owner = of->base ? of->base : of;
    weir_batch *view = wi_alloc(sizeof *view);
    memset(view, 0, sizeof *view);
    view->type = of->type;
    view->count = view->capacity = of->count;
    view->rows = of->rows;
    view->time = of->time;
    view->diff = of->diff;
    view->base = weir_batch_retain(owner);
    atomic_init(&view->references, 1);
    if (of->times) {
        wi_batch_start_times(view, 0);
        memcpy(view->times, of->times, of->count * sizeof *of->times);
    }
    if (of->diffs) {
        wi_batch_start_diffs(view, 0);
        memcpy(view->diffs, of->diffs, of->count * sizeof *of->diffs);
    }
    return view;
}

weir_batch *wi_batch_slice(const weir_batch *of, uint32_t begin, uint32_t count)
{
    weir_batch *slice = wi_alloc(sizeof *slice);
    memset(slice, 0, sizeof *slice);
    slice->type = of->type;
    slice->count = slice->capacity = count;
    slice->rows = (char *)of->rows + (size_t)begin * of->type->size;
    slice->diff = of->diff;
    slice->base = weir_batch_retain(of->base ? of->base : of);
    atomic_init(&slice->references, 1);
    if (of->diffs) {
        wi_batch_start_diffs(slice, 0);
        memcpy(slice->diffs, of->diffs + begin, count * sizeof *of->diffs);
    }
    return slice;
}

weir_batch *wi_batch_part(weir_batch *of, uint32_t first, uint32_t capacity)
{
    wi_dassert(!of->base && !of->heap, "a part is of a batch that owns its rows, without texts");
    weir_batch *part = wi_alloc(sizeof *part);
    memset(part, 0, sizeof *part);
    part->type = of->type;
    part->capacity = capacity;
    part->rows = (char *)of->rows + (size_t)first * of->type->size;
    part->diff = 1;
    part->base = weir_batch_retain(of);
    atomic_init(&part->references, 1);
    return part;
}

weir_batch *wi_batch_own(weir_batch *batch)
{
    if (atomic_load_explicit(&batch->references, memory_order_acquire) == 1)
        return batch;
    weir_batch *view = weir_batch_view(batch);
    weir_batch_drop(batch);
    return view;
}

size_t wi_batch_bytes(const weir_batch *batch)
{
    size_t bytes = (size_t)batch->count * batch->type->size;
    for (const chunk *at = batch->heap ? batch->heap->newest : NULL; at; at = at->older)
        bytes += at->capacity;
    return bytes;
}

weir_batch *weir_batch_retain(const weir_batch *batch)
{
    weir_batch *mine = (weir_batch *)batch; /* the count is not part of the contents */
    if (atomic_load_explicit(&mine->references, memory_order_relaxed) == 1)
        atomic_store_explicit(&mine->references, 2, memory_order_relaxed); /* ours alone */
    else
        atomic_fetch_add_explicit(&mine->references, 1, memory_order_relaxed);
    return mine;
}

/* A count of one is this caller's own: nobody else can raise it. The acquire, here or in
 * the subtraction, pairs with the release of every other reference's drop. */
void weir_batch_drop(weir_batch *batch)
{
    if (!batch)
        return;
    if (atomic_load_explicit(&batch->references, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel) != 1)
        return;
    if (!batch->times_lent)
        wi_free(batch->times);
    if (!batch->diffs_lent)
        wi_free(batch->diffs);
    if (batch->heap)
        heap_free(batch->heap);
    if (batch->release)
        batch->release(batch->lender);
    weir_batch_drop(batch->base);
    if (batch->block_bytes) /* not of the type, which may have gone before its last batch */
        wi_pages_free(batch, batch->block_bytes);
    else
        wi_free(batch);
}

void wi_batch_start_times(weir_batch *batch, uint32_t count)
{
    batch->times = wi_alloc(batch->capacity * sizeof *batch->times);
    batch->times_lent = false;
    for (uint32_t i = 0; i < count; i++)
        batch->times[i] = batch->time;
}

void wi_batch_start_diffs(weir_batch *batch, uint32_t count)
{
    batch->diffs = wi_alloc(batch->capacity * sizeof *batch->diffs);
    batch->diffs_lent = false;
    for (uint32_t i = 0; i < count; i++)
        batch->diffs[i] = batch->diff;
}

void weir_batch_add_times(weir_batch *batch)
{
    if (!batch->times)
        wi_batch_start_times(batch, batch->capacity);
}

void weir_batch_add_diffs(weir_batch *batch)
{
    if (!batch->diffs)
        wi_batch_start_diffs(batch, batch->capacity);
}

uint32_t weir_batch_rows_usual(const weir_type *type)
{
    uint32_t rows = type->size ? BATCH_BYTES_USUAL / type->size : BATCH_ROWS_MAX;
    return rows ? rows : 1;
}
