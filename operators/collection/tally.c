/* Hash tables from keys to numbers; see tally.h.
 *
 * Keys are looked up in blocks: all hashes first, then their places are asked for from memory,
 * then keys are compared, so that the waits overlap. The loop is written once and made for keys
 * of one word, of two, of one text, and any other.
 *
 * Invariants
 *   Y1  count <= limit, which is below the number of slots: a probe ends
 *   Y2  between a key's place and its slot every slot is in use (removing closes gaps) */
#include "tally.h"

#include "../../base/alloc.h"
#include "../../base/pages.h"
#include "pack.h"

#define BITS_MIN 4

#define ALWAYS_INLINE inline __attribute__((always_inline))

wi_tally_form wi_tally_form_of(uint32_t key_words, uint32_t texts, uint32_t sums)
{
    return (wi_tally_form){key_words, texts, sums, key_words + 1 + sums};
}

/* ---- keys ------------------------------------------------------------------------------- */

static ALWAYS_INLINE uint64_t place_of(const wi_tally *tally, uint64_t hash)
{
    hash = hash << (tally->turn & 63) | hash >> (-tally->turn & 63);
    /* a worker's keys are those with certain upper bits: all bits are to count */
    return hash * UINT64_C(0x9e3779b97f4a7c15) >> (64 - tally->bits);
}

/* ---- looking up ------------------------------------------------------------------------- */

/* The key's slot, or the free one where it belongs. An unused slot may look like the key zero. */
static ALWAYS_INLINE uint64_t *probe(const wi_tally *tally, uint64_t place, const uint64_t *key,
                                     uint32_t words, uint32_t texts, uint32_t step)
{
    uint64_t mask = (UINT64_C(1) << tally->bits) - 1;
    for (;; place = (place + 1) & mask) {
        uint64_t *slot = tally->slots + place * step;
        if (!slot[words] || wi_packed_same(slot, key, words, texts))
            return slot;
    }
}

static ALWAYS_INLINE void find(const wi_tally_form *form, wi_tally *tally, const uint64_t *keys,
                               uint32_t count, bool take, uint64_t **slots_out, uint32_t words,
                               uint32_t texts)
{
    uint32_t step = form->step;
    uint64_t places[WI_TALLY_BLOCK];
    for (uint32_t i = 0; i < count; i++)
        places[i] = place_of(tally, wi_packed_hash(keys + (size_t)i * words, words, texts));
    for (uint32_t i = 0; i < count && count > 1; i++)
        __builtin_prefetch(tally->slots + places[i] * step, 1);
    for (uint32_t i = 0; i < count && count > 1 && step > 2; i++) /* may lie on two lines */
        __builtin_prefetch(tally->slots + places[i] * step + step - 1, 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t *key = keys + (size_t)i * words;
        uint64_t *slot = probe(tally, places[i], key, words, texts, step);
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
    if (form->key_words == 1)
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
    uint64_t end = tally->slots ? UINT64_C(1) << tally->bits : 0;
    uint64_t *slot = tally->slots + *place * form->step;
    for (; *place < end && count < WI_TALLY_BLOCK; ++*place, slot += form->step) {
        slots_out[count] = slot;
        count += slot[form->key_words] != 0;
    }
    return count;
}

/* ---- room ------------------------------------------------------------------------------- */

static size_t slots_bytes(const wi_tally_form *form, uint32_t bits)
{
    return ((size_t)form->step << bits) * sizeof(uint64_t);
}

/* Large tables lie in huge pages: most of what a lookup waits for is where a page is. */
static uint64_t *new_slots(const wi_tally_form *form, uint32_t bits)
{
    size_t bytes = slots_bytes(form, bits);
    return memset(wi_pages_new(bytes), 0, bytes);
}

static void free_slots(const wi_tally_form *form, const wi_tally *tally)
{
    if (tally->slots)
        wi_pages_free(tally->slots, slots_bytes(form, tally->bits));
}

static uint64_t limit_of(uint32_t bits)
{
    return (UINT64_C(3) << bits) / 4;
}

/* Moves what is in use, or only what is not zero, to a table of another size. Its slots come in
 * the order of their places, so the new ones are written from the first to the last. */
static void rebuild(const wi_tally_form *form, wi_tally *tally, uint32_t bits, bool sweep)
{
    wi_tally old = *tally;
    tally->bits = bits;
    tally->limit = limit_of(bits);
    tally->count = 0;
    tally->slots = new_slots(form, bits);
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    const uint64_t *from = old.slots;
    const uint64_t *end = old.slots ? old.slots + ((size_t)form->step << old.bits) : NULL;
    for (; from < end; from += form->step) {
        if (!from[form->key_words])
            continue;
        if (sweep && wi_tally_nothing(form, from)) {
            wi_packed_free(from, form->texts);
            continue;
        }
        uint64_t place = place_of(tally, wi_packed_hash(from, form->key_words, form->texts));
        while (tally->slots[place * form->step + form->key_words])
            place = (place + 1) & mask;
        memcpy(tally->slots + place * form->step, from, form->step * sizeof *from);
        tally->count++;
    }
    free_slots(form, &old);
}

static uint32_t bits_for(uint64_t count)
{
    uint32_t bits = BITS_MIN;
    while (limit_of(bits) < count)
        bits++;
    return bits;
}

void wi_tally_reserve(const wi_tally_form *form, wi_tally *tally, uint64_t more)
{
    if (WEIR_UNLIKELY(tally->count + more > tally->limit))
        rebuild(form, tally, bits_for(tally->count + more), false);
}

void wi_tally_sweep(const wi_tally_form *form, wi_tally *tally)
{
    if (tally->slots)
        rebuild(form, tally, tally->bits, true);
}

void wi_tally_turn(const wi_tally_form *form, wi_tally *tally, uint32_t turn)
{
    tally->turn = turn;
    if (tally->slots)
        rebuild(form, tally, tally->bits, false);
}

void wi_tally_shrink(const wi_tally_form *form, wi_tally *tally)
{
    if (tally->bits > BITS_MIN + 2 && tally->count < UINT64_C(1) << (tally->bits - 3))
        rebuild(form, tally, bits_for(2 * tally->count), false);
}

void wi_tally_clear(const wi_tally_form *form, wi_tally *tally)
{
    bool keep = tally->slots &&
                (tally->bits <= BITS_MIN + 2 || tally->count >= UINT64_C(1) << (tally->bits - 3));
    if (keep) {
        memset(tally->slots, 0, slots_bytes(form, tally->bits));
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

/* What follows moves up into the gap, unless that is before its place. */
void wi_tally_remove(const wi_tally_form *form, wi_tally *tally, uint64_t *slot)
{
    uint32_t step = form->step;
    uint64_t mask = (UINT64_C(1) << tally->bits) - 1;
    uint64_t gap = (uint64_t)(slot - tally->slots) / step;
    wi_packed_free(slot, form->texts);
    for (uint64_t at = (gap + 1) & mask;; at = (at + 1) & mask) {
        uint64_t *next = tally->slots + at * step;
        if (!next[form->key_words])
            break;
        uint64_t place = place_of(tally, wi_packed_hash(next, form->key_words, form->texts));
        if (((at - place) & mask) < ((at - gap) & mask))
            continue;
        memcpy(tally->slots + gap * step, next, step * sizeof *next);
        gap = at;
    }
    memset(tally->slots + gap * step, 0, step * sizeof *slot);
    tally->count--;
}
