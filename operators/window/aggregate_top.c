/* weir_top: the k greatest rows, in an array that is sorted with the greatest first. Most rows are
 * not greater than the last one, and cost one comparison. */
#include <weir/aggregates.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/type.h"

typedef struct top {
    uint32_t k, count, capacity;
    const weir_type *type;
    weir_row_order *order;
    char *rows; /* own their long texts */
} top;

static top *top_of(uint64_t field)
{
    return (top *)(uintptr_t)field;
}

static char *row_at(const top *of, uint32_t index)
{
    return of->rows + (size_t)index * of->type->size;
}

static int compare(const top *by, const void *a, const void *b)
{
    int order = by->order ? by->order(a, b) : 0;
    return order ? order : weir_row_compare(by->type, a, b);
}

/* ---- texts ------------------------------------------------------------------------------ */

typedef void text_fn(weir_text *text);

static void each_long_text(const weir_type *type, char *row, text_fn *visit)
{
    const weir_field *fields = weir_type_fields(type);
    for (uint32_t f = 0; type->text_count && f < type->field_count; f++)
        for (uint32_t e = 0; wi_kind_is_text(fields[f].kind) && e < fields[f].elements; e++) {
            weir_text text;
            char *at = row + fields[f].offset + e * sizeof text;
            memcpy(&text, at, sizeof text);
            if (text.length > WEIR_TEXT_INLINE)
                visit(&text);
            memcpy(at, &text, sizeof text);
        }
}

static void own_text(weir_text *text)
{
    char *bytes = wi_alloc(text->length);
    memcpy(bytes, text->at, text->length);
    text->at = bytes;
}

static void free_text(weir_text *text)
{
    wi_free((void *)(uintptr_t)text->at);
}

/* ---- rows ------------------------------------------------------------------------------- */

void weir_top_add(uint64_t *field, uint32_t k, const weir_type *type, weir_row_order *order,
                  const void *row)
{
    if (!*field) {
        top *made = WI_NEW(top);
        *made = (top){.k = k, .type = type, .order = order};
        *field = (uintptr_t)made;
    }
    top *to = top_of(*field);
    wi_assert(to->k == k && to->type->size == type->size, "all that is merged has one k and type");
    if (!k || (to->count == k && compare(to, row, row_at(to, k - 1)) <= 0))
        return;
    uint32_t low = 0, high = to->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(to, row_at(to, middle), row) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (to->count == k)
        each_long_text(type, row_at(to, --to->count), free_text);
    wi_grow(&to->rows, &to->capacity, to->count + 1, type->size);
    memmove(row_at(to, low + 1), row_at(to, low), (size_t)(to->count++ - low) * type->size);
    memcpy(row_at(to, low), row, type->size);
    each_long_text(type, row_at(to, low), own_text);
}

void weir_top_merge(uint64_t *field, uint64_t other)
{
    const top *from = top_of(other);
    for (uint32_t i = 0; from && i < from->count; i++)
        weir_top_add(field, from->k, from->type, from->order, row_at(from, i));
}

uint32_t weir_top_count(uint64_t field)
{
    return field ? top_of(field)->count : 0;
}

const void *weir_top_at(uint64_t field, uint32_t index)
{
    wi_assert(index < weir_top_count(field), "a top has rows 0 to its count - 1");
    return row_at(top_of(field), index);
}

void weir_top_release(uint64_t *field)
{
    top *of = top_of(*field);
    for (uint32_t i = 0; of && i < of->count; i++)
        each_long_text(of->type, row_at(of, i), free_text);
    if (of)
        wi_free(of->rows);
    wi_free(of);
    *field = 0;
}
