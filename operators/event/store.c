/* Keys and their entries; see store.h. A hash table with chains, since keys come and go. */
#include "store.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/type.h"

#define BUCKETS_MIN 64
#define ENTRIES_MIN 2
#define AHEAD 8 /* buckets, of what is looked at: is asked for from memory */
#define LOOKS 4 /* how many entries and buckets may be looked at, on average, for each row */

/* ---- entries ---------------------------------------------------------------------------- */

wi_side_form wi_side_form_new(const weir_type *type, const weir_key *key, uint32_t time_at,
                              bool by_row)
{
    wi_side_form form = {.type = type, .key = *key, .time_at = time_at, .by_row = by_row};
    form.step = (uint32_t)((sizeof(wi_entry) + type->size + 7) / 8 * 8);
    form.text_at = wi_alloc((type->text_count + 1) * sizeof *form.text_at);
    const weir_field *fields = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (wi_kind_is_text(fields[f].kind))
            form.text_at[form.text_count++] = fields[f].offset;
    return form;
}

static weir_text *text_at(const wi_side_form *form, char *row, uint32_t t)
{
    return (weir_text *)(void *)(row + form->text_at[t]);
}

static void own_texts(const wi_side_form *form, char *row)
{
    for (uint32_t t = 0; t < form->text_count; t++) {
        weir_text *text = text_at(form, row, t);
        if (text->length <= WEIR_TEXT_INLINE)
            continue;
        char *bytes = wi_alloc(text->length);
        memcpy(bytes, text->at, text->length);
        text->at = bytes;
    }
}

static void free_texts(const wi_side_form *form, char *row)
{
    for (uint32_t t = 0; t < form->text_count; t++) {
        const weir_text *text = text_at(form, row, t);
        if (text->length > WEIR_TEXT_INLINE)
            wi_free((void *)(uintptr_t)text->at);
    }
}

uint32_t wi_side_from(const wi_store *store, const wi_match_key *key, uint32_t side, int64_t time)
{
    uint32_t low = key->sides[side].begin, high = key->sides[side].end;
    if (low < high && wi_entry_at(store, key, side, high - 1)->time < time)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (wi_entry_at(store, key, side, middle)->time < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for one more at the end: what has been freed at the beginning is used again if it is half
 * of all. */
static void make_room(const wi_side_form *form, wi_side *side)
{
    if (side->end < side->capacity)
        return;
    if (side->begin && side->begin >= side->capacity / 2) {
        memmove(side->entries, side->entries + (size_t)side->begin * form->step,
                (size_t)(side->end - side->begin) * form->step);
        side->end -= side->begin;
        side->begin = 0;
        return;
    }
    side->capacity = side->capacity ? side->capacity * 2 : ENTRIES_MIN;
    side->entries = wi_realloc(side->entries, (size_t)side->capacity * form->step);
}

/* Behind all that is not after it. */
static uint32_t place_of(const wi_store *store, const wi_match_key *key, uint32_t side,
                         const void *row, int64_t time)
{
    uint32_t high = wi_side_after(store, key, side, time), low = high;
    if (store->forms[side].by_row && high > key->sides[side].begin &&
        wi_entry_at(store, key, side, high - 1)->time == time)
        low = wi_side_from(store, key, side, time);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const wi_entry *entry = wi_entry_at(store, key, side, middle);
        if (weir_row_compare(store->forms[side].type, entry->row, row) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t wi_side_insert(wi_store *store, wi_match_key *key, uint32_t side, const void *row,
                        int64_t time, int64_t stamp, int64_t diff)
{
    const wi_side_form *form = &store->forms[side];
    wi_side *to = &key->sides[side];
    make_room(form, to);
    uint32_t at = place_of(store, key, side, row, time);
    char *place = to->entries + (size_t)at * form->step;
    memmove(place + form->step, place, (size_t)(to->end - at) * form->step);
    to->end++;
    wi_entry *entry = (wi_entry *)(void *)place;
    *entry = (wi_entry){.time = time, .stamp = stamp, .diff = diff};
    memcpy(entry->row, row, form->type->size);
    own_texts(form, entry->row);
    store->entries++;
    return at;
}

void wi_side_remove(wi_store *store, wi_match_key *key, uint32_t side, uint32_t begin,
                    uint32_t end)
{
    const wi_side_form *form = &store->forms[side];
    wi_side *of = &key->sides[side];
    if (begin == end)
        return;
    for (uint32_t i = begin; i < end; i++)
        free_texts(form, wi_entry_at(store, key, side, i)->row);
    store->entries -= end - begin;
    if (begin == of->begin) {
        of->begin = end;
    } else {
        memmove(of->entries + (size_t)begin * form->step, of->entries + (size_t)end * form->step,
                (size_t)(of->end - end) * form->step);
        of->end -= end - begin;
    }
    if (of->begin == of->end) {
        wi_free(of->entries);
        *of = (wi_side){.entries = NULL};
    }
}

/* ---- keys ------------------------------------------------------------------------------- */

static void resize(wi_store *store, uint32_t size)
{
    uint32_t old = store->buckets ? store->mask + 1 : 0;
    wi_match_key **buckets = WI_NEWS(wi_match_key *, size);
    for (uint32_t b = 0; b < old; b++)
        for (wi_match_key *key = store->buckets[b], *next; key; key = next) {
            next = key->next;
            key->next = buckets[(uint32_t)key->hash & (size - 1)];
            buckets[(uint32_t)key->hash & (size - 1)] = key;
        }
    wi_free(store->buckets);
    store->buckets = buckets;
    store->mask = size - 1;
}

/* Of a key, which may be NULL: what is looked at first. */
static inline void prefetch_entries(const wi_store *store, const wi_match_key *key)
{
    for (uint32_t s = 0; key && s < 2; s++) {
        const wi_side *side = &key->sides[s];
        if (side->end)
            __builtin_prefetch(side->entries + (size_t)side->begin * store->forms[s].step, 1);
    }
}

void wi_store_prefetch(const wi_store *store, const uint64_t *hashes, uint32_t count)
{
    if (!store->buckets)
        return;
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(&store->buckets[(uint32_t)hashes[i] & store->mask]);
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(store->buckets[(uint32_t)hashes[i] & store->mask]);
    for (uint32_t i = 0; i < count; i++)
        prefetch_entries(store, store->buckets[(uint32_t)hashes[i] & store->mask]);
}

static bool is_of(const wi_store *store, const wi_match_key *key, uint32_t side, const void *row)
{
    uint32_t has = key->sides[0].end ? 0 : 1;
    wi_dassert(key->sides[has].end, "S1");
    return weir_key_equal(&store->forms[has].key,
                          wi_entry_at(store, key, has, key->sides[has].begin)->row,
                          &store->forms[side].key, row);
}

wi_match_key *wi_store_find(wi_store *store, uint32_t side, const void *row, uint64_t hash)
{
    if (!store->buckets)
        resize(store, BUCKETS_MIN);
    else if (store->count > store->mask)
        resize(store, (store->mask + 1) * 2);
    wi_match_key **bucket = &store->buckets[(uint32_t)hash & store->mask];
    for (wi_match_key *key = *bucket; key; key = key->next)
        if (key->hash == hash && is_of(store, key, side, row))
            return key;
    wi_match_key *key = WI_NEW(wi_match_key);
    key->hash = hash;
    key->id = store->next_id++;
    key->next = *bucket;
    *bucket = key;
    store->count++;
    return key;
}

static void free_key(wi_store *store, wi_match_key *key)
{
    for (uint32_t side = 0; side < 2; side++) {
        wi_side_remove(store, key, side, key->sides[side].begin, key->sides[side].end);
        wi_free(key->sides[side].entries);
    }
    wi_free(key->more);
    wi_free(key);
    store->count--;
}

void wi_store_tidy(wi_store *store, wi_match_key *key)
{
    if (key->references || key->sides[0].end || key->sides[1].end)
        return;
    wi_match_key **at = &store->buckets[(uint32_t)key->hash & store->mask];
    while (*at != key)
        at = &(*at)->next;
    *at = key->next;
    free_key(store, key);
}

void wi_store_fini(wi_store *store)
{
    for (uint32_t b = 0; store->buckets && b <= store->mask; b++)
        for (wi_match_key *key = store->buckets[b], *next; key; key = next) {
            next = key->next;
            free_key(store, key);
        }
    wi_free(store->buckets);
    *store = (wi_store){.buckets = NULL};
}

void wi_store_sweep(wi_store *store, uint64_t more, wi_store_expire *expire, void *arg)
{
    store->credit += LOOKS * more;
    if (!store->buckets || store->credit < store->entries + store->mask)
        return;
    store->credit = 0;
    for (uint32_t b = 0; b <= store->mask; b++) {
        __builtin_prefetch(store->buckets[(b + 2 * AHEAD) & store->mask]);
        prefetch_entries(store, store->buckets[(b + AHEAD) & store->mask]);
        for (wi_match_key *key = store->buckets[b], *next; key; key = next) {
            next = key->next;
            expire(arg, key);
            wi_store_tidy(store, key);
        }
    }
    uint32_t size = store->mask + 1;
    while (size > BUCKETS_MIN && store->count < size / 8)
        size /= 2;
    if (size <= store->mask)
        resize(store, size);
}
