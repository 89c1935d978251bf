/* Sets of rows being put together; see row_set.h. */
#include "row_set.h"

#include "../../base/alloc.h"
#include "../../base/pages.h"
#include "../trace/sort.h"

#define INLINE static inline __attribute__((always_inline))
#define TAIL_ROWS_FIRST 64

/* Sorts in cache, or nearly. Tests make it small. */
size_t wi_set_tail_bytes = (size_t)8 << 20;

static size_t bytes_of(const wi_row_set *set, uint64_t rows)
{
    return rows * set->layout->words * sizeof(uint64_t);
}

static void part_free(wi_set_part *part)
{
    if (part->rows)
        wi_pages_free(part->rows, part->bytes);
    *part = (wi_set_part){0};
}

/* ---- parts ------------------------------------------------------------------------------ */

INLINE uint32_t unite_words(uint64_t *to, const wi_set_part *a, const wi_set_part *b,
                            uint32_t words)
{
    uint32_t i = 0, j = 0;
    uint64_t *const begin = to;
    while (i < a->count && j < b->count) {
        const uint64_t *x = a->rows + (size_t)i * words, *y = b->rows + (size_t)j * words;
        int order = wi_set_compare(x, y, words);
        const uint64_t *from = order <= 0 ? x : y;
        for (uint32_t w = 0; w < words; w++)
            to[w] = from[w];
        to += words;
        i += order <= 0;
        j += order >= 0;
    }
    const wi_set_part *rest = i < a->count ? a : b;
    size_t at = i < a->count ? i : j, left = (rest->count - at) * words;
    memcpy(to, rest->rows + at * words, left * sizeof *to);
    return (uint32_t)((size_t)(to + left - begin) / words);
}

static wi_set_part unite(const wi_row_set *set, wi_set_part *a, wi_set_part *b)
{
    wi_set_part both = {.bytes = bytes_of(set, (uint64_t)a->count + b->count)};
    both.rows = wi_pages_new(both.bytes);
    both.count = set->layout->words == 1 ? unite_words(both.rows, a, b, 1)
                                         : unite_words(both.rows, a, b, set->layout->words);
    both.rows = wi_pages_trim(both.rows, both.bytes, bytes_of(set, both.count));
    both.bytes = bytes_of(set, both.count);
    part_free(a);
    part_free(b);
    return both;
}

/* Unites the last two parts; `always`, or if the last one has at least half as many rows. */
static bool unite_last(wi_row_set *set, bool always)
{
    if (set->part_count < 2)
        return false;
    wi_set_part *last = &set->parts[set->part_count - 1];
    if (!always && last->count < last[-1].count / 2)
        return false;
    last[-1] = unite(set, &last[-1], last);
    set->part_count--;
    return true;
}

/* ---- the tail --------------------------------------------------------------------------- */

INLINE uint32_t once_words(uint64_t *rows, uint32_t count, uint32_t words)
{
    uint32_t kept = count > 0;
    for (uint32_t i = 1; i < count; i++) {
        const uint64_t *row = rows + (size_t)i * words;
        uint64_t *last = rows + (size_t)(kept - 1) * words;
        if (words == 1) { /* without a branch, which could not be foreseen */
            rows[kept] = row[0];
            kept += row[0] != *last;
        } else if (wi_set_compare(last, row, words) != 0) {
            memcpy(rows + (size_t)kept++ * words, row, words * sizeof *rows);
        }
    }
    return kept;
}

/* Sorts the tail and keeps each row once. */
static void settle_tail(wi_row_set *set)
{
    wi_set_part *tail = &set->tail;
    uint32_t words = set->layout->words;
    if (!tail->count)
        return;
    size_t bytes = bytes_of(set, tail->count);
    uint64_t *scratch = wi_pages_new(bytes);
    wi_sort(set->layout, tail->rows, scratch, tail->count, words, 0);
    wi_pages_free(scratch, bytes);
    tail->count = words == 1 ? once_words(tail->rows, tail->count, 1)
                             : once_words(tail->rows, tail->count, words);
}

static void push_part(wi_row_set *set, wi_set_part part)
{
    wi_grow(&set->parts, &set->part_capacity, set->part_count + 1, sizeof part);
    set->parts[set->part_count++] = part;
}

/* The tail becomes a part, and is empty. */
static void close_tail(wi_row_set *set, wi_set_sift *sift, void *arg)
{
    settle_tail(set);
    if (sift)
        sift(&set->tail, arg);
    if (!set->tail.count)
        return;
    wi_set_part part = {.count = set->tail.count, .bytes = bytes_of(set, set->tail.count)};
    part.rows = wi_pages_new(part.bytes);
    memcpy(part.rows, set->tail.rows, part.bytes);
    set->tail.count = 0;
    push_part(set, part);
    while (unite_last(set, false))
        ;
}

/* Room for up to `wanted` rows more. */
static uint64_t tail_room(const wi_row_set *set)
{
    return set->tail.bytes / bytes_of(set, 1) - set->tail.count;
}

static void grow_tail(wi_row_set *set)
{
    wi_set_part *tail = &set->tail;
    size_t bytes = tail->bytes ? 2 * tail->bytes : bytes_of(set, TAIL_ROWS_FIRST);
    uint64_t *rows = wi_pages_new(bytes);
    if (tail->rows) {
        memcpy(rows, tail->rows, bytes_of(set, tail->count));
        wi_pages_free(tail->rows, tail->bytes);
    }
    tail->rows = rows;
    tail->bytes = bytes;
}

/* ---- all of it -------------------------------------------------------------------------- */

void wi_row_set_add(wi_row_set *set, const void *rows, uint32_t count, wi_set_sift *sift,
                    void *arg)
{
    const wi_layout *layout = set->layout;
    wi_set_part *tail = &set->tail;
    const char *from = rows;
    while (count) {
        uint64_t room = tail_room(set);
        if (room == 0) {
            if (tail->bytes < wi_set_tail_bytes)
                grow_tail(set);
            else
                close_tail(set, sift, arg);
            continue;
        }
        uint32_t part = count < room ? count : (uint32_t)room;
        wi_layout_encode(layout, from, part, tail->rows + (size_t)tail->count * layout->words,
                         layout->words, NULL);
        tail->count += part;
        from += (size_t)part * layout->type->size;
        count -= part;
    }
}

wi_set_part wi_row_set_take(wi_row_set *set)
{
    settle_tail(set);
    if (set->tail.count || !set->part_count) {
        push_part(set, set->tail);
        set->tail = (wi_set_part){0};
    }
    while (unite_last(set, true))
        ;
    wi_set_part all = set->part_count ? set->parts[--set->part_count] : (wi_set_part){0};
    wi_row_set_fini(set);
    return all;
}

void wi_row_set_fini(wi_row_set *set)
{
    part_free(&set->tail);
    for (uint32_t p = 0; p < set->part_count; p++)
        part_free(&set->parts[p]);
    wi_free(set->parts);
    set->parts = NULL;
    set->part_count = set->part_capacity = 0;
}
