/* Items in order; see sorted.h. Of full chunks, one to which items are appended is followed by an
 * empty one, and any other becomes two halves. */
#include "sorted.h"

#include <string.h>

#include "alloc.h"
#include "assert.h"

#define ITEMS_MIN 2
#define CHUNKS_MIN 4

uint32_t wi_sorted_items = 1u << WI_SORTED_SHIFT;

static wi_sorted_chunk *new_chunk(uint32_t step, uint32_t capacity)
{
    wi_sorted_chunk *chunk = wi_alloc(sizeof *chunk + (size_t)capacity * step);
    *chunk = (wi_sorted_chunk){.capacity = capacity};
    return chunk;
}

void wi_sorted_fini(wi_sorted *items)
{
    for (uint32_t i = items->begin; i < items->end; i++)
        wi_free(wi_sorted_chunk_at(items, i));
    if (items->capacity)
        wi_free(items->many);
    *items = (wi_sorted){.only = NULL};
}

/* ---- looking for a place ---------------------------------------------------------------- */

/* The first chunk whose last item is not before. */
static inline uint32_t find_chunk(const wi_sorted *items, uint32_t step, wi_sorted_before *before,
                                  const void *what)
{
    uint32_t low = items->begin, high = items->end;
    const wi_sorted_chunk *last = wi_sorted_chunk_at(items, high - 1);
    if (before(last->items + (size_t)(last->end - 1) * step, what))
        return high; /* what comes is mostly the latest */
    for (high--; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, middle);
        if (before(chunk->items + (size_t)(chunk->end - 1) * step, what))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline uint32_t find(const wi_sorted *items, uint32_t step, wi_sorted_before *before,
                            const void *what)
{
    if (!items->count)
        return wi_sorted_end(items);
    uint32_t found = find_chunk(items, step, before, what);
    if (found == items->end)
        return wi_sorted_end(items);
    const wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, found);
    uint32_t low = chunk->begin, high = chunk->end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(chunk->items + (size_t)middle * step, what))
            low = middle + 1;
        else
            high = middle;
    }
    return found << WI_SORTED_SHIFT | low;
}

uint32_t wi_sorted_place(const wi_sorted *items, uint32_t step, wi_sorted_before *before,
                         const void *what)
{
    return find(items, step, before, what);
}

typedef struct key_place {
    uint32_t at;
    int64_t key;
} key_place;

static inline bool has_key_before(const void *item, const void *what)
{
    const key_place *place = what;
    int64_t key;
    memcpy(&key, (const char *)item + place->at, sizeof key);
    return key < place->key;
}

uint32_t wi_sorted_from(const wi_sorted *items, uint32_t step, uint32_t key_at, int64_t key)
{
    return find(items, step, has_key_before, &(key_place){key_at, key});
}

/* ---- making room ------------------------------------------------------------------------ */

/* Puts a chunk behind another, which is at `after`; returns where it is. */
static uint32_t add_chunk(wi_sorted *to, uint32_t after, wi_sorted_chunk *chunk)
{
    if (!to->capacity) {
        wi_sorted_chunk **many = WI_NEWS(wi_sorted_chunk *, CHUNKS_MIN);
        many[0] = to->only;
        to->many = many;
        to->capacity = CHUNKS_MIN;
    } else if (to->end == to->capacity && to->begin >= to->capacity / 2) {
        memmove(to->many, to->many + to->begin, (to->end - to->begin) * sizeof *to->many);
        after -= to->begin;
        to->end -= to->begin;
        to->begin = 0;
    } else if (to->end == to->capacity) {
        wi_assert(to->capacity < 1u << (31 - WI_SORTED_SHIFT), "places are 32 bits");
        to->capacity *= 2;
        to->many = wi_realloc(to->many, to->capacity * sizeof *to->many);
    }
    uint32_t at = after + 1;
    memmove(to->many + at + 1, to->many + at, (to->end - at) * sizeof *to->many);
    to->many[at] = chunk;
    to->end++;
    return at;
}

/* Room for one more item before *item in a full chunk: in this one, or in another. */
static void split(wi_sorted *to, uint32_t step, uint32_t *at, uint32_t *item)
{
    wi_sorted_chunk *chunk = wi_sorted_chunk_at(to, *at);
    wi_sorted_chunk *other = new_chunk(step, wi_sorted_items);
    if (*item == chunk->end && *at + 1 == to->end) {
        *at = add_chunk(to, *at, other);
        *item = 0;
        return;
    }
    uint32_t kept = (chunk->begin + chunk->end) / 2;
    other->end = chunk->end - kept;
    memcpy(other->items, chunk->items + (size_t)kept * step, (size_t)other->end * step);
    chunk->end = kept;
    uint32_t added = add_chunk(to, *at, other);
    *at = *item > kept ? added : added - 1;
    *item -= *item > kept ? kept : 0;
}

/* The same for any chunk: what was freed at its beginning is used again if it is half of it. */
static void make_room(wi_sorted *to, uint32_t step, uint32_t *at, uint32_t *item)
{
    wi_sorted_chunk *chunk = wi_sorted_chunk_at(to, *at);
    if (chunk->end < chunk->capacity)
        return;
    if (chunk->begin && chunk->begin >= chunk->capacity / 2) {
        memmove(chunk->items, chunk->items + (size_t)chunk->begin * step,
                (size_t)(chunk->end - chunk->begin) * step);
        *item -= chunk->begin;
        chunk->end -= chunk->begin;
        chunk->begin = 0;
    } else if (chunk->capacity < wi_sorted_items) {
        chunk->capacity = chunk->capacity * 2 < wi_sorted_items ? chunk->capacity * 2
                                                                : wi_sorted_items;
        chunk = wi_realloc(chunk, sizeof *chunk + (size_t)chunk->capacity * step);
        if (to->capacity)
            to->many[*at] = chunk;
        else
            to->only = chunk;
    } else {
        split(to, step, at, item);
    }
}

/* ---- putting in, and taking out --------------------------------------------------------- */

void *wi_sorted_insert(wi_sorted *items, uint32_t step, uint32_t *place)
{
    uint32_t at = *place >> WI_SORTED_SHIFT, item = *place & WI_SORTED_MASK;
    if (!items->end)
        *items = (wi_sorted){.only = new_chunk(step, ITEMS_MIN), .end = 1};
    if (!items->count) {
        at = items->begin;
        item = wi_sorted_chunk_at(items, at)->end;
    } else if (at == items->end ||
               (at > items->begin && item == wi_sorted_chunk_at(items, at)->begin)) {
        item = wi_sorted_chunk_at(items, --at)->end;
    }
    make_room(items, step, &at, &item);
    wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, at);
    char *room = chunk->items + (size_t)item * step;
    memmove(room + step, room, (size_t)(chunk->end - item) * step);
    chunk->end++;
    items->count++;
    *place = at << WI_SORTED_SHIFT | item;
    return room;
}

static void remove_items(wi_sorted *of, uint32_t step, wi_sorted_chunk *chunk, uint32_t begin,
                         uint32_t end)
{
    char *at = chunk->items + (size_t)begin * step;
    of->count -= end - begin;
    if (begin == chunk->begin) {
        chunk->begin = end;
        return;
    }
    memmove(at, at + (size_t)(end - begin) * step, (size_t)(chunk->end - end) * step);
    chunk->end -= end - begin;
}

/* Of an empty one, unless it is the only one. Whether those behind it have moved to its place. */
static bool remove_chunk(wi_sorted *of, uint32_t at)
{
    wi_sorted_chunk *chunk = wi_sorted_chunk_at(of, at);
    if (of->end - of->begin == 1) {
        chunk->begin = chunk->end = 0;
        return false;
    }
    wi_free(chunk);
    if (at == of->begin) {
        of->begin++;
        return false;
    }
    memmove(of->many + at, of->many + at + 1, (of->end - at - 1) * sizeof *of->many);
    of->end--;
    return true;
}

uint32_t wi_sorted_remove(wi_sorted *items, uint32_t step, uint32_t begin, uint32_t end)
{
    uint32_t at = begin >> WI_SORTED_SHIFT, first = begin & WI_SORTED_MASK;
    uint32_t last_at = end >> WI_SORTED_SHIFT, last = end & WI_SORTED_MASK;
    while (at < last_at) { /* to the end of its chunk */
        wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, at);
        remove_items(items, step, chunk, first, chunk->end);
        if (chunk->begin == chunk->end && remove_chunk(items, at))
            last_at--;
        else
            at++;
        first = at < items->end ? wi_sorted_chunk_at(items, at)->begin : 0;
    }
    if (begin < end && first < last) { /* the item at `last` stays */
        wi_sorted_chunk *chunk = wi_sorted_chunk_at(items, at);
        bool from_front = first == chunk->begin;
        remove_items(items, step, chunk, first, last);
        first = from_front ? last : first;
    }
    return at << WI_SORTED_SHIFT | first;
}
