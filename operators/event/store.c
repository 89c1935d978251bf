/* Keys; see store.h. A hash table with chains, since keys come and go. */
#include "store.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"

#define BUCKETS_MIN 64
#define AHEAD 8 /* buckets, of what is looked at: is asked for from memory */
#define LOOKS 4 /* how many entries and buckets may be looked at, on average, for each row */

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
static inline void prefetch_entries(const wi_match_key *key)
{
    for (uint32_t s = 0; key && s < 2; s++) {
        if (wi_side_any(key, s))
            __builtin_prefetch(key->sides[s].only, 1); /* or the list of chunks */
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
        prefetch_entries(store->buckets[(uint32_t)hashes[i] & store->mask]);
}

static bool is_of(const wi_store *store, const wi_match_key *key, uint32_t side, const void *row)
{
    uint32_t has = wi_side_any(key, 0) ? 0 : 1;
    wi_dassert(wi_side_any(key, has), "S1");
    return weir_key_equal(&store->forms[has].key,
                          wi_entry_at(store, key, has, wi_side_first(key, has))->row,
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
    for (uint32_t side = 0; side < 2; side++)
        wi_side_remove(store, key, side, wi_side_first(key, side), wi_side_end(key, side));
    wi_free(key->more);
    wi_free(key);
    store->count--;
}

void wi_store_tidy(wi_store *store, wi_match_key *key)
{
    if (key->references || wi_side_any(key, 0) || wi_side_any(key, 1))
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
        prefetch_entries(store->buckets[(b + AHEAD) & store->mask]);
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
