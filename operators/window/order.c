/* The order in which rows of one stamp are taken; see order.h. */
#include "order.h"

#include <stdlib.h>

#include "../../base/alloc.h"

/* ---- building --------------------------------------------------------------------------- */

void wi_order_init(wi_windowing *call, weir_stream in)
{
    const char *name = call->how.order;
    if (!name)
        return;
    const weir_field *field = weir_type_find(in.type, name);
    if (field && field->elements == 1 && field->kind <= WEIR_KIND_u64) {
        call->order_at = field->offset;
        call->order_bytes = field->bytes;
        call->order_signed = field->kind <= WEIR_KIND_i64;
        return;
    }
    char *has = weir_type_text(in.type);
    weir_scope_fail(in.scope, "window `%s`: its order is to be an integer field of %s, not `%s`",
                    call->fold->name, has, name);
    free(has);
}

/* ---- segments --------------------------------------------------------------------------- */

void wi_segments_add(wi_segments *to, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    wi_segment *newest = to->count ? &to->at[to->count - 1] : NULL;
    if (newest && newest->batch == batch && newest->end == begin) {
        newest->end = end;
        return;
    }
    wi_grow(&to->at, &to->capacity, to->count + 1, sizeof *to->at);
    to->at[to->count++] = (wi_segment){weir_batch_retain(batch), begin, end};
}

void wi_segments_fini(wi_segments *segments)
{
    for (uint32_t i = 0; i < segments->count; i++)
        weir_batch_drop(segments->at[i].batch);
    wi_free(segments->at);
    *segments = (wi_segments){NULL, 0, 0};
}

/* ---- the order -------------------------------------------------------------------------- */

/* A row: its number, mapped so that unsigned order is right, and where it came. */
typedef struct place {
    uint64_t number;
    uint64_t came;
    const weir_batch *batch;
    uint32_t row;
} place;

/* Integers have their low bytes first: on all machines that weir is for. */
static uint64_t number_of(const wi_windowing *call, const weir_batch *batch, uint32_t row)
{
    uint64_t number = 0;
    memcpy(&number, (const char *)weir_batch_row(batch, row) + call->order_at, call->order_bytes);
    uint64_t sign = UINT64_C(1) << (8 * call->order_bytes - 1);
    return call->order_signed ? number ^ sign : number;
}

static int compare(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->came < y->came ? -1 : x->came > y->came;
}

static uint64_t count_rows(const wi_segments *segments)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < segments->count; i++)
        rows += segments->at[i].end - segments->at[i].begin;
    return rows;
}

/* Whether the rows are in order as they are; places_out has all of them, as they came. */
static bool find_places(const wi_windowing *call, const wi_segments *segments, place *places_out)
{
    bool sorted = true;
    uint64_t came = 0;
    for (uint32_t i = 0; i < segments->count; i++) {
        const wi_segment *of = &segments->at[i];
        for (uint32_t row = of->begin; row < of->end; row++, came++) {
            places_out[came] = (place){number_of(call, of->batch, row), came, of->batch, row};
            sorted &= !came || places_out[came - 1].number <= places_out[came].number;
        }
    }
    return sorted;
}

void wi_segments_order(const wi_windowing *call, wi_segments *segments)
{
    uint64_t rows = count_rows(segments);
    if (!call->order_bytes || rows < 2)
        return;
    place *places = WI_NEWS(place, rows);
    if (!find_places(call, segments, places)) {
        wi_segments sorted = {NULL, 0, 0};
        qsort(places, rows, sizeof *places, compare);
        for (uint64_t i = 0; i < rows; i++)
            wi_segments_add(&sorted, places[i].batch, places[i].row, places[i].row + 1);
        wi_segments_fini(segments);
        *segments = sorted;
    }
    wi_free(places);
}
