/* weir_bag: values with their counts, in a hash table with open addressing. Values of up to 8 bytes
 * lie in the entry itself, longer ones in memory of their own. An entry whose count has become 0
 * stays, for the value may come again, until the table grows, which leaves such ones out. */
#include <weir/aggregates.h>

#include "../../base/alloc.h"
#include "../../base/hash.h"

#define ENTRIES_MIN 8
#define INSIDE 8 /* bytes of a value that lie in its entry */

typedef struct entry {
    union {
        char inside[INSIDE]; /* zero-padded */
        char *outside;
    };
    uint32_t length;
    uint32_t mark; /* the upper half of its hash, but 1 if that is 0; 0: not in use */
    int64_t count;
} entry;

typedef struct bag {
    entry *at;
    uint32_t mask, used; /* with those whose count is 0 */
} bag;

static bag *bag_of(uint64_t field)
{
    return (bag *)(uintptr_t)field;
}

static const char *bytes_of(const entry *it)
{
    return it->length <= INSIDE ? it->inside : it->outside;
}

static uint64_t hash_of(const void *bytes, uint32_t length)
{
    if (length == INSIDE)
        return wi_hash_fixed(0, bytes, INSIDE);
    return wi_hash_bytes(bytes, length);
}

static uint32_t mark_of(uint64_t hash)
{
    return hash >> 32 ? (uint32_t)(hash >> 32) : 1;
}

static entry *find(const bag *in, const void *bytes, uint32_t length, uint64_t hash)
{
    uint32_t mark = mark_of(hash), at = (uint32_t)hash & in->mask;
    for (; in->at[at].mark; at = (at + 1) & in->mask) {
        const entry *it = &in->at[at];
        if (it->mark == mark && it->length == length && memcmp(bytes_of(it), bytes, length) == 0)
            break;
    }
    return &in->at[at];
}

static void make_room(bag *of)
{
    bag old = *of;
    uint32_t alive = 0, size = ENTRIES_MIN;
    for (uint32_t i = 0; old.at && i <= old.mask; i++)
        alive += old.at[i].mark && old.at[i].count;
    while (size < 2 * (alive + 1) + alive) /* a third of it stays free */
        size *= 2;
    *of = (bag){.at = WI_NEWS(entry, size), .mask = size - 1, .used = alive};
    for (uint32_t i = 0; old.at && i <= old.mask; i++) {
        const entry *it = &old.at[i];
        if (!it->mark)
            continue;
        if (it->count)
            *find(of, bytes_of(it), it->length, hash_of(bytes_of(it), it->length)) = *it;
        else if (it->length > INSIDE)
            wi_free(it->outside);
    }
    wi_free(old.at);
}

void weir_bag_add(uint64_t *field, const void *bytes, uint32_t length, int64_t diff)
{
    if (!*field)
        *field = (uintptr_t)WI_NEW(bag);
    bag *to = bag_of(*field);
    if (!to->at || to->used > to->mask / 4 * 3)
        make_room(to);
    uint64_t hash = hash_of(bytes, length);
    entry *it = find(to, bytes, length, hash);
    if (!it->mark) {
        *it = (entry){.length = length, .mark = mark_of(hash)};
        if (length > INSIDE)
            it->outside = wi_alloc(length);
        memcpy(length > INSIDE ? it->outside : it->inside, bytes, length);
        to->used++;
    }
    it->count = (int64_t)((uint64_t)it->count + (uint64_t)diff);
}

bool weir_bag_next(uint64_t field, uint64_t *place, weir_bag_value *value_out)
{
    const bag *of = bag_of(field);
    for (; of && of->at && *place <= of->mask; ++*place) {
        const entry *it = &of->at[*place];
        if (!it->mark || !it->count)
            continue;
        *value_out = (weir_bag_value){bytes_of(it), it->length, it->count};
        ++*place;
        return true;
    }
    return false;
}

void weir_bag_merge(uint64_t *field, uint64_t from)
{
    weir_bag_value value;
    for (uint64_t place = 0; weir_bag_next(from, &place, &value);)
        weir_bag_add(field, value.bytes, value.length, value.count);
}

uint64_t weir_bag_distinct(uint64_t field)
{
    weir_bag_value value;
    uint64_t distinct = 0;
    for (uint64_t place = 0; weir_bag_next(field, &place, &value);)
        distinct += value.count > 0;
    return distinct;
}

bool weir_bag_range(uint64_t field, int64_t *least_out, int64_t *greatest_out)
{
    weir_bag_value value;
    bool any = false;
    for (uint64_t place = 0; weir_bag_next(field, &place, &value);) {
        int64_t number;
        if (value.count <= 0 || value.length != sizeof number)
            continue;
        memcpy(&number, value.bytes, sizeof number);
        *least_out = any && *least_out < number ? *least_out : number;
        *greatest_out = any && *greatest_out > number ? *greatest_out : number;
        any = true;
    }
    return any;
}

void weir_bag_release(uint64_t *field)
{
    bag *of = bag_of(*field);
    for (uint32_t i = 0; of && of->at && i <= of->mask; i++)
        if (of->at[i].mark && of->at[i].length > INSIDE)
            wi_free(of->at[i].outside);
    if (of)
        wi_free(of->at);
    wi_free(of);
    *field = 0;
}
