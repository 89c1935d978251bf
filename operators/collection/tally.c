/* Hash tables from keys to numbers; see tally.h.
 *
 * Keys are looked up in blocks: the group of each is asked for from memory some keys before it is
 * its turn, so that the waits overlap. All keys of a group are compared without a
 * branch: most are in the first group that is looked at, which the processor learns to expect,
 * while where in it, it could not. The loop is written once and made for keys of one word, of
 * two, of one text, and any other.
 *
 * A table grows by half, and what has been moved is given back as it goes: there are never
 * two whole ones.
 *
 * Invariants
 *   Y1  count <= limit, which is below the number of slots: a probe ends
 *   Y2  a group's slots in use are its first ones
 *   Y3  from a key's group to the one before that where it is, all are full */
#include "tally.h"

#include "../../base/alloc.h"
#include "../../base/pages.h"
#include "pack.h"

#define AHEAD 64 /* keys */
#define GROUP 4  /* slots; a cache line's if they are of two words */
#define SIZE_MIN 16
#define GIVE_BACK 65536 /* slots, after which what is behind is given back */
/* Smaller tables double and are at most half full, to be quick; larger ones grow by half, up to
 * the end of a huge page. */
#define LARGE_BYTES ((size_t)2 << 20)

#define ALWAYS_INLINE inline __attribute__((always_inline))

wi_tally_form wi_tally_form_of(uint32_t key_words, uint32_t texts, uint32_t sums)
{
    return (wi_tally_form){key_words, texts, sums, key_words + 1 + sums};
}

/* ---- keys ------------------------------------------------------------------------------- */

/* The group for a hash, out of any number: the higher the product, the later the group. */
static ALWAYS_INLINE uint64_t group_of(const wi_tally *tally, uint64_t hash)
{
    hash = hash << (tally->turn & 63) | hash >> (-tally->turn & 63);
    /* a worker's keys are those with certain upper bits: all bits are to count */
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint64_t)((unsigned __int128)hash * (tally->size / GROUP) >> 64);
}

static ALWAYS_INLINE uint64_t next_group(const wi_tally *tally, uint64_t group)
{
    return group + 1 < tally->size / GROUP ? group + 1 : 0;
}

static ALWAYS_INLINE uint64_t *group_at(const wi_tally *tally, uint64_t group, uint32_t step)
{
    return tally->slots + group * GROUP * step;
}

static ALWAYS_INLINE bool is_full(const uint64_t *slots, uint32_t words, uint32_t step)
{
    return slots[(GROUP - 1) * step + words] != 0; /* Y2 */
}

/* The first free slot of a group that is not full. */
static ALWAYS_INLINE uint64_t *free_slot(uint64_t *slots, uint32_t words, uint32_t step)
{
    while (slots[words])
        slots += step;
    return slots;
}

/* ---- looking up ------------------------------------------------------------------------- */

/* The group's slots that have the key, as bits. An unused slot looks like the key zero. */
static ALWAYS_INLINE uint32_t same_keys(const uint64_t *slots, const uint64_t *key, uint32_t words,
                                        uint32_t texts, uint32_t step)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < GROUP; i++, slots += step) {
        bool is = words == 1 && !texts   ? slots[0] == key[0]
                  : words == 2 && !texts ? !((slots[0] ^ key[0]) | (slots[1] ^ key[1]))
                                         : slots[words] && wi_packed_same(slots, key, words, texts);
        same |= (uint32_t)is << i;
    }
    return same;
}

/* The key's slot, or the free one where it belongs. */
static ALWAYS_INLINE uint64_t *probe(const wi_tally *tally, uint64_t group, const uint64_t *key,
                                     uint32_t words, uint32_t texts, uint32_t step)
{
    for (;; group = next_group(tally, group)) {
        uint64_t *slots = group_at(tally, group, step);
        uint32_t same = same_keys(slots, key, words, texts, step);
        for (; same; same &= same - 1) {
            uint64_t *slot = slots + (uint32_t)__builtin_ctz(same) * step;
            if (WEIR_LIKELY(slot[words] != 0))
                return slot;
        }
        if (!is_full(slots, words, step))
            return free_slot(slots, words, step);
    }
}

/* The key's group, which is asked for from memory. */
static ALWAYS_INLINE uint64_t look_ahead(const wi_tally *tally, const uint64_t *key, uint32_t words,
                                         uint32_t texts, uint32_t step)
{
    uint64_t group = group_of(tally, wi_packed_hash(key, words, texts));
    const uint64_t *slots = group_at(tally, group, step);
    for (uint32_t word = 0; word < GROUP * step; word += 8)
        __builtin_prefetch(slots + word, 1);
    return group;
}

static ALWAYS_INLINE void find(const wi_tally_form *form, wi_tally *tally, const uint64_t *keys,
                               uint32_t count, bool take, uint64_t **slots_out, uint32_t words,
                               uint32_t texts)
{
    uint32_t step = form->step;
    uint64_t groups[WI_TALLY_BLOCK];
    for (uint32_t i = 0; i < count && i < AHEAD; i++)
        groups[i] = look_ahead(tally, keys + (size_t)i * words, words, texts, step);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t *key = keys + (size_t)i * words;
        if (i + AHEAD < count)
            groups[i + AHEAD] = look_ahead(tally, key + AHEAD * words, words, texts, step);
        uint64_t *slot = probe(tally, groups[i], key, words, texts, step);
        if (!slot[words]) {
            for (uint32_t w = 0; w < words; w++)
                slot[w] = key[w];
            slot[words] = WI_TALLY_BIAS;
            tally->count++;
            if (texts && !take)
                wi_packed_own(slot, texts);
        }
        slots_out[i] = slot;
    }
}

void wi_tally_find(const wi_tally_form *form, wi_tally *tally, const uint64_t *keys, uint32_t count,
                   bool take, uint64_t **slots_out)
{
    if (form->key_words == 1 && form->step == 2)
        find(&(wi_tally_form){1, 0, 0, 2}, tally, keys, count, take, slots_out, 1, 0);
    else if (form->key_words == 1)
        find(form, tally, keys, count, take, slots_out, 1, 0);
    else if (form->key_words == 2 && form->texts == 1)
        find(form, tally, keys, count, take, slots_out, 2, 1);
    else if (form->key_words == 2)
        find(form, tally, keys, count, take, slots_out, 2, 0);
    else
        find(form, tally, keys, count, take, slots_out, form->key_words, form->texts);
}

uint32_t wi_tally_next(const wi_tally_form *form, const wi_tally *tally, uint64_t *place,
                       uint64_t **slots_out)
{
    uint32_t count = 0;
    uint64_t *slot = tally->slots + *place * form->step;
    for (; *place < tally->size && count < WI_TALLY_BLOCK; ++*place, slot += form->step) {
        slots_out[count] = slot;
        count += slot[form->key_words] != 0;
    }
    return count;
}

/* ---- room ------------------------------------------------------------------------------- */

static size_t slots_bytes(const wi_tally_form *form, uint64_t size)
{
    return size * form->step * sizeof(uint64_t);
}

static void free_slots(const wi_tally_form *form, const wi_tally *tally)
{
    if (tally->slots)
        wi_pages_free(tally->slots, slots_bytes(form, tally->size));
}

static uint64_t limit_of(const wi_tally_form *form, uint64_t size)
{
    return slots_bytes(form, size) < LARGE_BYTES ? size / 2 : size - size / 5;
}

static uint64_t larger(const wi_tally_form *form, uint64_t size)
{
    size_t bytes = slots_bytes(form, size), slot = slots_bytes(form, 1);
    if (2 * bytes <= LARGE_BYTES)
        return 2 * size;
    bytes = (bytes + bytes / 2 + LARGE_BYTES - 1) / LARGE_BYTES * LARGE_BYTES;
    return bytes / slot / GROUP * GROUP;
}

static uint64_t size_for(const wi_tally_form *form, uint64_t count)
{
    uint64_t size = SIZE_MIN;
    while (limit_of(form, size) < count)
        size = larger(form, size);
    return size;
}

/* Puts slots where they belong in a table that does not have their keys. */
static ALWAYS_INLINE void put(wi_tally *tally, uint64_t *const *from,
                              uint32_t count, uint32_t words, uint32_t texts, uint32_t step)
{
    uint64_t groups[WI_TALLY_BLOCK];
    for (uint32_t i = 0; i < count; i++)
        groups[i] = group_of(tally, wi_packed_hash(from[i], words, texts));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t *slots = group_at(tally, groups[i], step);
        for (uint64_t group = groups[i]; is_full(slots, words, step);) {
            group = next_group(tally, group);
            slots = group_at(tally, group, step);
        }
        uint32_t used = 0; /* not by a branch: nobody could say which way it goes */
        for (uint32_t g = 0; g + 1 < GROUP; g++)
            used += slots[g * step + words] != 0;
        for (uint32_t w = 0; w < step; w++)
            slots[used * step + w] = from[i][w];
    }
    tally->count += count;
}

static void put_any(const wi_tally_form *form, wi_tally *tally, uint64_t *const *from,
                    uint32_t count)
{
    if (form->key_words == 1 && form->step == 2)
        put(tally, from, count, 1, 0, 2);
    else
        put(tally, from, count, form->key_words, form->texts, form->step);
}

/* Keeps those of the slots that are not nothing. */
static uint32_t sweep_block(const wi_tally_form *form, uint64_t **slots, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (wi_tally_nothing(form, slots[i]))
            wi_packed_free(slots[i], form->texts);
        else
            slots[kept++] = slots[i];
    return kept;
}

/* Moves what is in use, or only what is not nothing, to a table of another size. Its slots come
 * in the order of their groups, so the new ones are written from the first to the last, too, and
 * what is behind can go. Large tables lie in huge pages: most of what a lookup waits for is where
 * a page is. */
static void rebuild(const wi_tally_form *form, wi_tally *tally, uint64_t size, bool sweep)
{
    wi_tally old = *tally;
    size_t left = slots_bytes(form, old.size);
    char *rest = (char *)old.slots;
    uint64_t *slots[WI_TALLY_BLOCK], place = 0, given_back = 0;
    uint32_t count;
    tally->size = size;
    tally->limit = limit_of(form, size);
    tally->count = 0;
    tally->slots = wi_pages_zeroed(slots_bytes(form, size));
    while ((count = wi_tally_next(form, &old, &place, slots))) {
        put_any(form, tally, slots, sweep ? sweep_block(form, slots, count) : count);
        if (place - given_back >= GIVE_BACK || place == old.size) {
            size_t behind = (size_t)((char *)(old.slots + place * form->step) - rest);
            rest = wi_pages_cut(rest, &left, behind);
            given_back = place;
        }
    }
    if (rest)
        wi_pages_cut(rest, &left, left);
}

void wi_tally_reserve(const wi_tally_form *form, wi_tally *tally, uint64_t more)
{
    if (WEIR_UNLIKELY(tally->count + more > tally->limit))
        rebuild(form, tally, size_for(form, tally->count + more), false);
}

void wi_tally_sweep(const wi_tally_form *form, wi_tally *tally)
{
    if (tally->slots)
        rebuild(form, tally, tally->size, true);
}

void wi_tally_turn(const wi_tally_form *form, wi_tally *tally, uint32_t turn)
{
    tally->turn = turn;
    if (tally->slots)
        rebuild(form, tally, tally->size, false);
}

/* Whether so few slots are in use that a smaller table would do. */
static bool is_sparse(const wi_tally *tally)
{
    return tally->size > 4 * SIZE_MIN && tally->count < tally->size / 8;
}

void wi_tally_shrink(const wi_tally_form *form, wi_tally *tally)
{
    if (is_sparse(tally))
        rebuild(form, tally, size_for(form, 2 * tally->count), false);
}

void wi_tally_clear(const wi_tally_form *form, wi_tally *tally)
{
    if (tally->slots && !is_sparse(tally)) {
        memset(tally->slots, 0, slots_bytes(form, tally->size));
        tally->count = 0;
    } else {
        free_slots(form, tally);
        *tally = (wi_tally){.turn = tally->turn};
    }
}

void wi_tally_fini(const wi_tally_form *form, wi_tally *tally)
{
    uint64_t *slots[WI_TALLY_BLOCK], place = 0;
    uint32_t count;
    while (form->texts && (count = wi_tally_next(form, tally, &place, slots)))
        for (uint32_t i = 0; i < count; i++)
            wi_packed_free(slots[i], form->texts);
    free_slots(form, tally);
    *tally = (wi_tally){.turn = tally->turn};
}

/* ---- removing --------------------------------------------------------------------------- */

/* Closes the gap with the last slot of its group, which is free then, and is returned. */
static uint64_t *close_gap(const wi_tally_form *form, uint64_t *slots, uint64_t *gap)
{
    uint64_t *last = slots + (size_t)(GROUP - 1) * form->step;
    while (!last[form->key_words])
        last -= form->step;
    if (last != gap)
        memcpy(gap, last, form->step * sizeof *gap);
    memset(last, 0, form->step * sizeof *last);
    return last;
}

/* A slot of the group whose key may as well be in the one that is `distance` before; or NULL. */
static uint64_t *movable(const wi_tally_form *form, const wi_tally *tally, uint64_t group,
                         uint64_t distance)
{
    uint64_t *slot = group_at(tally, group, form->step), groups = tally->size / GROUP;
    for (uint32_t i = 0; i < GROUP && slot[form->key_words]; i++, slot += form->step) {
        uint64_t its = group_of(tally, wi_packed_hash(slot, form->key_words, form->texts));
        if ((group >= its ? group - its : group + groups - its) >= distance)
            return slot;
    }
    return NULL;
}

/* If the group was full, keys may have gone on to those behind it (Y3): one of them comes back,
 * and leaves a gap itself. */
void wi_tally_remove(const wi_tally_form *form, wi_tally *tally, uint64_t *slot)
{
    uint32_t step = form->step, words = form->key_words;
    uint64_t group = (uint64_t)(slot - tally->slots) / step / GROUP;
    uint64_t *slots = group_at(tally, group, step);
    wi_packed_free(slot, form->texts);
    bool full = is_full(slots, words, step);
    uint64_t *gap = close_gap(form, slots, slot);
    tally->count--;
    for (uint64_t distance = 1; full; distance++) {
        group = next_group(tally, group);
        slots = group_at(tally, group, step);
        full = is_full(slots, words, step);
        uint64_t *moved = movable(form, tally, group, distance);
        if (!moved)
            continue;
        memcpy(gap, moved, step * sizeof *gap);
        gap = close_gap(form, slots, moved);
        distance = 0;
    }
}
