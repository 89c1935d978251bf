/* Items in an order, mostly that of an integer in them, an i64: putting one in or taking it out,
 * wherever, costs about the same, however many there are.
 *
 * Items are in chunks, of at most some dozens each, so that not all move if one is put between
 * others; a list has the chunks. A few items are in one chunk, that grows, and there is no list.
 * Where an item is says a *place*: a number that is greater for those that are later in the order.
 * Places, and pointers to items, are good until something is put in or taken out; taking out what
 * is behind them does not count.
 *
 * `step` is the bytes of an item, and `key_at` where its integer is (a multiple of 8); an item may
 * have several that would give the same order. One thread at a time. */
#ifndef WEIR_BASE_SORTED_H
#define WEIR_BASE_SORTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WI_SORTED_SHIFT 7
#define WI_SORTED_MASK ((1u << WI_SORTED_SHIFT) - 1)
extern uint32_t wi_sorted_items; /* of a chunk, at most (2 to 128); for tests */

typedef struct wi_sorted_chunk {
    uint32_t begin, end, capacity; /* items [begin, end) are there */
    _Alignas(8) char items[];
} wi_sorted_chunk;

/* All zeros: empty. No chunk is empty but the only one, which stays. */
typedef struct wi_sorted {
    union {
        wi_sorted_chunk *only; /* if capacity is 0 */
        wi_sorted_chunk **many;
    };
    uint32_t begin, end, capacity; /* chunks [begin, end) are there */
    uint32_t count;                /* items */
} wi_sorted;

void wi_sorted_fini(wi_sorted *items);

static inline wi_sorted_chunk *wi_sorted_chunk_at(const wi_sorted *items, uint32_t at)
{
    return items->capacity ? items->many[at] : items->only;
}

/* The place behind the last item; and of the first one, which is the same if there is none. */
static inline uint32_t wi_sorted_end(const wi_sorted *items)
{
    return items->end << WI_SORTED_SHIFT;
}

static inline uint32_t wi_sorted_first(const wi_sorted *items)
{
    return items->count ? items->begin << WI_SORTED_SHIFT |
                              wi_sorted_chunk_at(items, items->begin)->begin
                        : wi_sorted_end(items);
}

/* The place after that of an item. */
static inline uint32_t wi_sorted_next(const wi_sorted *items, uint32_t place)
{
    uint32_t at = place >> WI_SORTED_SHIFT;
    if ((place & WI_SORTED_MASK) + 1 < wi_sorted_chunk_at(items, at)->end)
        return place + 1;
    at++;
    return at << WI_SORTED_SHIFT | (at < items->end ? wi_sorted_chunk_at(items, at)->begin : 0);
}

/* The place before that of an item that is not the first, or before the end. */
static inline uint32_t wi_sorted_previous(const wi_sorted *items, uint32_t place)
{
    uint32_t at = place >> WI_SORTED_SHIFT;
    if (at < items->end && (place & WI_SORTED_MASK) > wi_sorted_chunk_at(items, at)->begin)
        return place - 1;
    at--;
    return at << WI_SORTED_SHIFT | (wi_sorted_chunk_at(items, at)->end - 1);
}

static inline void *wi_sorted_at(const wi_sorted *items, uint32_t step, uint32_t place)
{
    wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, place >> WI_SORTED_SHIFT);
    return chunk->items + (size_t)(place & WI_SORTED_MASK) * step;
}

/* Whether there is an item at what may be a place. */
static inline bool wi_sorted_has(const wi_sorted *items, uint32_t place)
{
    uint32_t at = place >> WI_SORTED_SHIFT, item = place & WI_SORTED_MASK;
    if (at < items->begin || at >= items->end)
        return false;
    const wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, at);
    return item >= chunk->begin && item < chunk->end;
}

/* The place of the first item whose integer is at or after `key`, or the end. */
uint32_t wi_sorted_from(const wi_sorted *items, uint32_t step, uint32_t key_at, int64_t key);
/* The same for any order: of the first item that is not before `what`. */
typedef bool wi_sorted_before(const void *item, const void *what);
uint32_t wi_sorted_place(const wi_sorted *items, uint32_t step, wi_sorted_before *before,
                         const void *what);
/* Room for an item before that at *place, or the end; *place becomes its own. To be filled in. */
void *wi_sorted_insert(wi_sorted *items, uint32_t step, uint32_t *place);
/* Takes out the items at places [begin, end). Returns the place of what was behind them. */
uint32_t wi_sorted_remove(wi_sorted *items, uint32_t step, uint32_t begin, uint32_t end);

#endif
