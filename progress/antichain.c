/* Antichains as lexicographically sorted arrays. */
#include "antichain.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

void weir_antichain_init(weir_antichain *chain)
{
    *chain = (weir_antichain){0};
}

void weir_antichain_fini(weir_antichain *chain)
{
    wi_free(chain->times);
    *chain = (weir_antichain){0};
}

void weir_antichain_clear(weir_antichain *chain)
{
    chain->count = 0;
}

static void reserve(weir_antichain *chain, uint32_t count)
{
    if (chain->capacity < count)
        wi_grow(&chain->times, &chain->capacity, count, sizeof *chain->times);
}

uint32_t wi_antichain_seek(const weir_antichain *chain, const weir_time *time)
{
    uint32_t low = 0, high = chain->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (weir_time_compare(&chain->times[middle], time) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void wi_antichain_insert_at(weir_antichain *chain, uint32_t index, const weir_time *time)
{
    wi_assert(chain->count < UINT32_MAX, "an antichain's size fits its counter");
    reserve(chain, chain->count + 1);
    memmove(&chain->times[index + 1], &chain->times[index],
            (chain->count - index) * sizeof *chain->times);
    chain->times[index] = *time;
    chain->count++;
}

bool weir_antichain_insert(weir_antichain *chain, const weir_time *time)
{
    if (!chain->count && chain->capacity) {
        chain->times[chain->count++] = *time;
        return true;
    }
    const weir_time inserted = *time; /* it may be an element that is about to move */
    uint32_t index = wi_antichain_seek(chain, &inserted);
    for (uint32_t i = 0; i < index; i++)
        if (weir_time_le(&chain->times[i], &inserted))
            return false;
    if (index < chain->count && weir_time_eq(&chain->times[index], &inserted))
        return false;
    uint32_t kept = index;
    for (uint32_t i = index; i < chain->count; i++)
        if (!weir_time_le(&inserted, &chain->times[i]))
            chain->times[kept++] = chain->times[i];
    chain->count = kept;
    wi_antichain_insert_at(chain, index, &inserted);
    return true;
}

void weir_antichain_copy(weir_antichain *to, const weir_antichain *from)
{
    if (to == from)
        return;
    reserve(to, from->count);
    if (from->count)
        memcpy(to->times, from->times, from->count * sizeof *from->times);
    to->count = from->count;
}

/* An element that is lexicographically after the time cannot be at or before it. */
bool weir_antichain_le(const weir_antichain *chain, const weir_time *time)
{
    for (uint32_t i = 0; i < chain->count && chain->times[i].at[0] <= time->at[0]; i++)
        if (weir_time_le(&chain->times[i], time))
            return true;
    return false;
}

bool weir_antichain_lt(const weir_antichain *chain, const weir_time *time)
{
    for (uint32_t i = 0; i < chain->count && chain->times[i].at[0] <= time->at[0]; i++)
        if (weir_time_lt(&chain->times[i], time))
            return true;
    return false;
}

bool weir_antichain_eq(const weir_antichain *a, const weir_antichain *b)
{
    return a->count == b->count &&
           (!a->count || !memcmp(a->times, b->times, a->count * sizeof *a->times));
}

/* ---- with known dimensions -------------------------------------------------------------- */

bool wi_antichain_le(const weir_antichain *chain, const weir_time *time, int dims)
{
    if (dims > 2 || chain->count < 4)
        return weir_antichain_le(chain, time);
    uint32_t after = wi_antichain_seek(chain, time);
    if (after < chain->count && weir_time_eq(&chain->times[after], time))
        return true;
    return after > 0 && weir_time_le(&chain->times[after - 1], time);
}

void wi_antichain_append(weir_antichain *chain, const weir_time *time)
{
    wi_antichain_insert_at(chain, chain->count, time);
}

void wi_antichain_append_all(weir_antichain *chain, const weir_antichain *from)
{
    if (!from->count)
        return;
    wi_assert(from->count <= UINT32_MAX - chain->count, "an antichain's size fits its counter");
    reserve(chain, chain->count + from->count);
    memcpy(&chain->times[chain->count], from->times, from->count * sizeof *from->times);
    chain->count += from->count;
}

void wi_antichain_remove_at(weir_antichain *chain, uint32_t index)
{
    chain->count--;
    memmove(&chain->times[index], &chain->times[index + 1],
            (chain->count - index) * sizeof *chain->times);
}

bool wi_antichain_covers(const weir_antichain *found, const weir_time *time, int dims)
{
    if (dims <= 2)
        return found->count && weir_time_le(&found->times[found->count - 1], time);
    for (uint32_t i = found->count; i-- > 0;) /* the nearest is the likeliest */
        if (weir_time_le(&found->times[i], time))
            return true;
    return false;
}

static int compare_times(const void *a, const void *b)
{
    return weir_time_compare(a, b);
}

static bool is_sorted(const weir_antichain *list)
{
    for (uint32_t i = 1; i < list->count; i++)
        if (weir_time_compare(&list->times[i - 1], &list->times[i]) > 0)
            return false;
    return true;
}

void wi_antichain_minimise(weir_antichain *list, int dims)
{
    if (list->count < 2)
        return;
    if (!is_sorted(list))
        qsort(list->times, list->count, sizeof *list->times, compare_times);
    weir_antichain found = {.times = list->times, .count = 1}; /* grows behind the pass */
    for (uint32_t i = 1; i < list->count; i++)
        if (!wi_antichain_covers(&found, &list->times[i], dims))
            found.times[found.count++] = list->times[i];
    list->count = found.count;
}
