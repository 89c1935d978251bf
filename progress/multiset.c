/* Multisets of times in sorted blocks.
 *
 * M1 The entries of a block, and the blocks, are in strictly ascending lexicographic order;
 *    no count is 0; only a single block may be empty, or smaller than WI_BLOCK_TIMES.
 * M2 A block's `positive` is the number of its positive counts.
 * M3 With more than one dimension, a block's `floor` is at or before each of its times with
 *    a positive count, and the set's before all of them. It is not raised when a time
 *    leaves, but by a pass that had to read all of the block, or look at all blocks.
 *
 * An entry is `dims` coordinates and the count, as consecutive words. The functions that
 * search and shift are inlined for one dimension and once more for any. */
#include "multiset.h"

#include <string.h>

#include "antichain.h"
#include "base/alloc.h"
#include "base/assert.h"

#define FIRST_TIMES 4 /* most locations never have more outstanding */
#define INLINE static inline __attribute__((always_inline))

struct wi_block {
    uint32_t count, capacity; /* entries */
    uint32_t positive;
    weir_time floor;
    uint64_t words[];
};

INLINE uint64_t *entry_at(const wi_block *block, uint32_t index, int dims)
{
    return (uint64_t *)block->words + (size_t)index * (size_t)(dims + 1);
}

INLINE int64_t count_of(const uint64_t *entry, int dims)
{
    return (int64_t)entry[dims];
}

INLINE weir_time time_of(const uint64_t *entry, int dims)
{
    weir_time time = {{0}};
    for (int i = 0; i < dims; i++)
        time.at[i] = entry[i];
    return time;
}

INLINE int compare(const uint64_t *entry, const weir_time *time, int dims)
{
    for (int i = 0; i < dims; i++)
        if (entry[i] != time->at[i])
            return entry[i] < time->at[i] ? -1 : 1;
    return 0;
}

/* The first entry at or after time. Times come mostly at the end and leave at the front. */
INLINE uint32_t seek(const wi_block *block, const weir_time *time, int dims)
{
    uint32_t low = 0, high = block->count;
    if (high == 0 || compare(entry_at(block, 0, dims), time, dims) >= 0)
        return 0;
    if (compare(entry_at(block, high - 1, dims), time, dims) < 0)
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(entry_at(block, middle, dims), time, dims) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The block where time is, or would be put. */
INLINE uint32_t seek_block(const wi_multiset *set, const weir_time *time, int dims)
{
    uint32_t low = 1, high = set->count; /* the first block after time, less one */
    if (high <= 1 || compare(entry_at(set->blocks[1], 0, dims), time, dims) > 0)
        return 0;
    if (compare(entry_at(set->blocks[high - 1], 0, dims), time, dims) <= 0)
        return high - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(entry_at(set->blocks[middle], 0, dims), time, dims) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* ---- blocks ----------------------------------------------------------------------------- */

static wi_block *block_sized(wi_block *block, uint32_t capacity, int dims)
{
    bool fresh = !block;
    block = wi_realloc(block, sizeof *block + (size_t)capacity * (size_t)(dims + 1) * 8);
    if (fresh) {
        block->count = block->positive = 0;
        block->floor = (weir_time){{0}};
    }
    block->capacity = capacity;
    return block;
}

static void block_insert(wi_multiset *set, uint32_t index, wi_block *block)
{
    wi_grow(&set->blocks, &set->capacity, set->count + 1, sizeof *set->blocks);
    memmove(&set->blocks[index + 1], &set->blocks[index],
            (set->count - index) * sizeof *set->blocks);
    set->blocks[index] = block;
    set->count++;
}

static void block_remove(wi_multiset *set, uint32_t index)
{
    wi_free(set->blocks[index]);
    set->count--;
    memmove(&set->blocks[index], &set->blocks[index + 1],
            (set->count - index) * sizeof *set->blocks);
}

static void block_recount(wi_block *block, int dims)
{
    block->positive = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        const uint64_t *entry = entry_at(block, i, dims);
        if (count_of(entry, dims) <= 0)
            continue;
        weir_time time = time_of(entry, dims);
        block->floor = block->positive++ ? weir_time_meet(&block->floor, &time) : time;
    }
}

/* Moves the upper half of a full block to a new one after it. */
static void block_split(wi_multiset *set, uint32_t index)
{
    wi_block *low = set->blocks[index], *high = block_sized(NULL, WI_BLOCK_TIMES, set->dims);
    high->count = low->count / 2;
    low->count -= high->count;
    memcpy(high->words, entry_at(low, low->count, set->dims),
           (size_t)high->count * (size_t)(set->dims + 1) * 8);
    block_recount(low, set->dims);
    block_recount(high, set->dims);
    block_insert(set, index + 1, high);
}

/* Joins a block with the one after it, if both fit in half a block: memory stays in
 * proportion to the times, and a join is paid for by what was removed. */
static void block_join(wi_multiset *set, uint32_t index)
{
    wi_block *low = set->blocks[index], *high = set->blocks[index + 1];
    if (low->count + high->count > WI_BLOCK_TIMES / 2)
        return;
    memcpy(entry_at(low, low->count, set->dims), high->words,
           (size_t)high->count * (size_t)(set->dims + 1) * 8);
    low->count += high->count;
    block_recount(low, set->dims);
    block_remove(set, index + 1);
}

/* ---- changing a count ------------------------------------------------------------------- */

/* Makes room for one more entry; the time's block and index may change. */
static void make_room(wi_multiset *set, uint32_t *block_at, uint32_t *index, int dims)
{
    wi_block *block = set->blocks[*block_at];
    if (block->count < WI_BLOCK_TIMES) {
        uint32_t twice = block->capacity * 2;
        set->blocks[*block_at] =
            block_sized(block, twice < WI_BLOCK_TIMES ? twice : WI_BLOCK_TIMES, dims);
    } else if (*index == block->count && *block_at + 1 == set->count) {
        block_insert(set, set->count, block_sized(NULL, WI_BLOCK_TIMES, dims));
        ++*block_at; /* times that only grow leave full blocks behind */
        *index = 0;
    } else {
        block_split(set, *block_at);
        uint32_t lower = set->blocks[*block_at]->count;
        if (*index > lower) {
            ++*block_at;
            *index -= lower;
        }
    }
}

INLINE void note_positive(wi_multiset *set, wi_block *block, const weir_time *time, int dims)
{
    bool first = block->positive++ == 0;
    if (dims == 1)
        return;
    block->floor = first ? *time : weir_time_meet(&block->floor, time);
    set->floor = set->positive++ == 0 ? *time : weir_time_meet(&set->floor, time);
}

INLINE void insert(wi_multiset *set, uint32_t block_at, uint32_t index, const weir_time *time,
                   int64_t count, int dims)
{
    if (set->blocks[block_at]->count == set->blocks[block_at]->capacity)
        make_room(set, &block_at, &index, dims);
    wi_block *block = set->blocks[block_at];
    uint64_t *entry = entry_at(block, index, dims);
    if (index < block->count)
        memmove(entry + dims + 1, entry,
                (size_t)(block->count - index) * (size_t)(dims + 1) * 8);
    for (int i = 0; i < dims; i++)
        entry[i] = time->at[i];
    entry[dims] = (uint64_t)count;
    block->count++;
    if (count > 0)
        note_positive(set, block, time, dims);
}

INLINE void drop(wi_multiset *set, uint32_t block_at, uint32_t index, int dims)
{
    wi_block *block = set->blocks[block_at];
    uint64_t *entry = entry_at(block, index, dims);
    block->count--;
    if (index < block->count)
        memmove(entry, entry + dims + 1,
                (size_t)(block->count - index) * (size_t)(dims + 1) * 8);
    if (set->count == 1)
        return;
    if (block->count == 0) {
        block_remove(set, block_at);
    } else if (block->count < WI_BLOCK_TIMES / 4) {
        if (block_at + 1 < set->count)
            block_join(set, block_at);
        if (block_at > 0)
            block_join(set, block_at - 1);
    }
}

INLINE int64_t add(wi_multiset *set, const weir_time *time, int64_t delta, int dims)
{
    uint32_t block_at = seek_block(set, time, dims);
    wi_block *block = set->blocks[block_at];
    uint32_t index = seek(block, time, dims);
    uint64_t *entry = entry_at(block, index, dims);
    if (index == block->count || compare(entry, time, dims) != 0) {
        insert(set, block_at, index, time, delta, dims);
        return delta;
    }
    int64_t before = count_of(entry, dims), after = before + delta;
    entry[dims] = (uint64_t)after;
    if (before > 0 && after <= 0) {
        block->positive--;
        set->positive -= dims > 1;
    } else if (before <= 0 && after > 0) {
        note_positive(set, block, time, dims);
    }
    if (after == 0)
        drop(set, block_at, index, dims);
    return after;
}

int64_t wi_multiset_add(wi_multiset *set, const weir_time *time, int64_t delta)
{
    wi_dassert(delta != 0, "M1: no count is 0");
    if (WEIR_UNLIKELY(!set->count))
        block_insert(set, 0, block_sized(NULL, FIRST_TIMES, set->dims));
    return set->dims == 1 ? add(set, time, delta, 1) : add(set, time, delta, set->dims);
}

/* ---- queries ---------------------------------------------------------------------------- */

bool wi_multiset_least(const wi_multiset *set, uint64_t *least_out)
{
    for (uint32_t b = 0; b < set->count; b++) {
        const wi_block *block = set->blocks[b];
        if (!block->positive)
            continue;
        const uint64_t *entry = block->words;
        while (count_of(entry, 1) <= 0)
            entry += 2;
        *least_out = entry[0];
        return true;
    }
    return false;
}

/* What a pass over the multiset looks for, and what it has found. Since it goes in
 * lexicographic order, what it finds is never displaced by what comes later. */
typedef struct wanted {
    const weir_time *from;       /* only times at or after this one, or NULL */
    const weir_antichain *front; /* only times that this does not cover, or NULL */
    weir_antichain *found;
    int dims;
} wanted;

static bool is_covered(const wanted *search, const weir_time *time)
{
    return wi_antichain_covers(search->found, time, search->dims) ||
           (search->front && wi_antichain_le(search->front, time, search->dims));
}

/* Whether nothing can be found among the entries from this one on, given a floor of theirs. */
static bool is_rest_covered(const wanted *search, const weir_time *floor, const uint64_t *entry)
{
    weir_time bound = *floor;
    bound.at[0] = entry[0];
    if (search->from)
        bound = weir_time_join(&bound, search->from);
    return is_covered(search, &bound);
}

static void search_block(const wanted *search, wi_block *block, uint32_t start)
{
    int dims = search->dims;
    if (!block->positive || start == block->count ||
        is_rest_covered(search, &block->floor, entry_at(block, start, dims)))
        return;
    weir_time floor = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    for (uint32_t i = start; i < block->count; i++) {
        const uint64_t *entry = entry_at(block, i, dims);
        if (count_of(entry, dims) <= 0)
            continue;
        weir_time time = time_of(entry, dims);
        floor = weir_time_meet(&floor, &time);
        if ((search->from && !weir_time_le(search->from, &time)) || is_covered(search, &time))
            continue;
        wi_antichain_append(search->found, &time);
        if (is_rest_covered(search, &block->floor, entry))
            return;
    }
    if (start == 0)
        block->floor = floor; /* M3 */
}

/* Searches the blocks from one on; returns whether it looked at all of them. */
static bool search_blocks(const wanted *search, const wi_multiset *set, uint32_t first)
{
    for (uint32_t b = first; b < set->count; b++) {
        if (is_rest_covered(search, &set->floor, set->blocks[b]->words))
            return false;
        search_block(search, set->blocks[b], 0);
    }
    return true;
}

void wi_multiset_minimal(wi_multiset *set, weir_antichain *out)
{
    const wanted search = {.found = out, .dims = set->dims};
    weir_antichain_clear(out);
    if (!set->count || !set->blocks[0]->count)
        return;
    if (!search_blocks(&search, set, 0) || set->count == 1)
        return;
    weir_time floor = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    for (uint32_t b = 0; b < set->count; b++)
        if (set->blocks[b]->positive)
            floor = weir_time_meet(&floor, &set->blocks[b]->floor);
    set->floor = floor; /* M3 */
}

void wi_multiset_uncovered(wi_multiset *set, const weir_time *from, const weir_antichain *front,
                           weir_antichain *found)
{
    const wanted search = {.from = from, .front = front, .found = found, .dims = set->dims};
    if (!set->count)
        return;
    uint32_t first = seek_block(set, from, set->dims);
    search_block(&search, set->blocks[first], seek(set->blocks[first], from, set->dims));
    search_blocks(&search, set, first + 1);
}

void wi_multiset_each(const wi_multiset *set,
                      void (*tell)(void *arg, const weir_time *time, int64_t count), void *arg)
{
    for (uint32_t b = 0; b < set->count; b++)
        for (uint32_t i = 0; i < set->blocks[b]->count; i++) {
            const uint64_t *entry = entry_at(set->blocks[b], i, set->dims);
            weir_time time = time_of(entry, set->dims);
            tell(arg, &time, count_of(entry, set->dims));
        }
}

void wi_multiset_init(wi_multiset *set, int dims)
{
    *set = (wi_multiset){.dims = dims};
}

void wi_multiset_fini(wi_multiset *set)
{
    for (uint32_t b = 0; b < set->count; b++)
        wi_free(set->blocks[b]);
    wi_free(set->blocks);
    *set = (wi_multiset){0};
}
