/* from_rows: the rows of an array, at the first time, on worker 0. The copy is made while
 * building, as one block of memory: rows, their padding zeroed, then their long texts. */
#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/type.h"
#include "common.h"

/* Batches sent in one call. */
#define BATCHES_A_CALL 4

typedef struct rows_copy {
    const weir_type *type;
    uint64_t count;
    char rows[]; /* and texts */
} rows_copy;

typedef struct state {
    weir_capability *capability;
    uint64_t sent;
} state;

/* ---- running ---------------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const rows_copy *copy = weir_op_arg(op);
    state *source = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) != 0 || !copy->count)
        return;
    source->capability = weir_op_first_capability(op, 0);
    weir_activate(op);
}

static void on_run(weir_op *op)
{
    const rows_copy *copy = weir_op_arg(op);
    state *source = weir_op_state(op);
    uint32_t usual = weir_batch_rows_usual(copy->type);
    size_t size = copy->type->size;
    for (int b = 0; b < BATCHES_A_CALL && source->sent < copy->count; b++) {
        uint64_t left = copy->count - source->sent;
        weir_batch *batch = weir_batch_new(copy->type, left < usual ? (uint32_t)left : usual);
        batch->count = batch->capacity;
        memcpy(batch->rows, copy->rows + source->sent * size, batch->count * size);
        wi_batch_own_texts(batch, batch->rows, batch->count);
        source->sent += batch->count;
        weir_send_batch(op, 0, batch);
    }
    if (source->sent < copy->count)
        weir_activate(op);
    else
        weir_capability_drop(source->capability);
}

static const weir_operator from_rows = {.name = "from_rows",
                                        .source = true,
                                        .state_bytes = sizeof(state),
                                        .start = on_start,
                                        .run = on_run};

/* ---- copying ---------------------------------------------------------------------------- */

/* Bytes of long texts in a field of all rows. */
static size_t long_bytes(const char *field, uint64_t count, size_t size)
{
    size_t bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t length = ((const weir_text *)(const void *)(field + i * size))->length;
        bytes += length > WEIR_TEXT_INLINE ? length : 0;
    }
    return bytes;
}

/* Copies the long texts of a field of all rows to `heap`; returns where it ends. */
static char *copy_texts(char *field, uint64_t count, size_t size, char *heap)
{
    for (uint64_t i = 0; i < count; i++) {
        weir_text *text = (weir_text *)(void *)(field + i * size);
        if (text->length > WEIR_TEXT_INLINE) {
            text->at = memcpy(heap, text->at, text->length);
            heap += text->length;
        }
    }
    return heap;
}

static void copy_field(char *to, const char *from, uint64_t count, size_t size, uint32_t bytes)
{
    for (uint64_t i = 0; i < count; i++)
        memcpy(to + i * size, from + i * size, bytes);
}

static rows_copy *copy_rows(const weir_type *type, const char *rows, uint64_t count)
{
    const weir_field *fields = weir_type_fields(type);
    size_t size = type->size, texts_bytes = 0;
    for (uint32_t f = 0; f < type->field_count; f++)
        if (wi_kind_is_text(fields[f].kind))
            texts_bytes += long_bytes(rows + fields[f].offset, count, size);
    rows_copy *copy = wi_alloc(sizeof *copy + count * size + texts_bytes);
    copy->type = type;
    copy->count = count;
    if (!wi_type_padded(type) && size && count) {
        memcpy(copy->rows, rows, count * size);
    } else if (size && count) {
        memset(copy->rows, 0, count * size);
        for (uint32_t f = 0; f < type->field_count; f++)
            copy_field(copy->rows + fields[f].offset, rows + fields[f].offset, count, size,
                       fields[f].bytes);
    }
    char *heap = copy->rows + count * size;
    for (uint32_t f = 0; f < type->field_count; f++)
        if (wi_kind_is_text(fields[f].kind))
            heap = copy_texts(copy->rows + fields[f].offset, count, size, heap);
    return copy;
}

weir_stream weir_from_rows(weir_dataflow *flow, const weir_type *type, const void *rows,
                           uint64_t count)
{
    bool here = weir_worker_index(weir_scope_worker(flow)) == 0;
    rows_copy *copy = copy_rows(type, rows, here ? count : 0);
    weir_builder *builder = weir_operator_begin(flow, &from_rows, copy);
    weir_builder_keep(builder, copy);
    return wi_end(builder, type);
}
