/* Keys with their states and timers; see keyed.h.
 *
 * What expires is not sorted by when it does: rows that renew a state only note the time. Keys are
 * listed by when they are to be looked at, which is a time to live after they were listed; who was
 * renewed meanwhile is listed again, at the end. So a state is gone at most two times to live
 * after it was renewed, and a row costs no more than a store. Rows that are handed over at once may
 * be far ahead of what is complete, and others behind them are not: in event time, it is from there
 * that they are looked at, or one from the far future would keep all that come after it. */
#include "keyed.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"

#define BUCKETS_MIN 64

void wi_keys_init(wi_keys *keys, const wi_keyed_call *call, weir_op *op)
{
    *keys = (wi_keys){.call = call};
    for (int kind = 0; kind < WI_TIME_KINDS; kind++)
        weir_timers_init(&keys->heaps[kind], op);
}

/* ---- lists ------------------------------------------------------------------------------ */

static uint64_t ttl_of(const wi_keys *keys, int kind)
{
    const weir_keyed_logic *logic = keys->call->logic;
    return kind == WI_BY_EVENT ? (uint64_t)logic->event_ttl : logic->clock_ttl_ns;
}

static wi_key_more *more_of(wi_key *key)
{
    if (!key->more) {
        key->more = WI_NEW(wi_key_more);
        key->more->key = key;
    }
    return key->more;
}

static void unlist(wi_keys *keys, wi_key *key, int kind)
{
    if (!key->listed[kind])
        return;
    const wi_key_link *link = &key->more->links[kind];
    if (link->next)
        link->next->more->links[kind].previous = link->previous;
    else
        keys->newest[kind] = link->previous;
    if (link->previous)
        link->previous->more->links[kind].next = link->next;
    else
        keys->oldest[kind] = link->next;
    key->listed[kind] = false;
}

static void list(wi_keys *keys, wi_key *key, int kind, uint64_t look_at)
{
    wi_key_link *link = &more_of(key)->links[kind];
    *link = (wi_key_link){.look_at = look_at, .previous = keys->newest[kind]};
    if (link->previous)
        link->previous->more->links[kind].next = key;
    else
        keys->oldest[kind] = key;
    keys->newest[kind] = key;
    key->listed[kind] = true;
}

/* ---- states ----------------------------------------------------------------------------- */

static bool is_zero(const char *bytes, size_t count)
{
    return !count || (!bytes[0] && !memcmp(bytes, bytes + 1, count - 1));
}

/* Bytes between fields may be anything: the operator may have assigned a whole struct. */
static bool is_blank(const wi_keyed_call *call, const wi_key *key)
{
    if (is_zero(key->state + call->own_at, call->own_bytes))
        return true;
    const weir_field *fields = weir_type_fields(call->by.type);
    bool blank = call->padded;
    for (uint32_t f = call->by.in.count; blank && f < call->by.type->field_count; f++)
        blank = is_zero(key->state + fields[f].offset, fields[f].bytes);
    return blank;
}

static void forget(wi_keys *keys, wi_key *key)
{
    const wi_keyed_call *call = keys->call;
    if (call->logic->release && !is_blank(call, key))
        call->logic->release(key->state, call->arg);
    memset(key->state + call->own_at, 0, call->own_bytes);
    for (int kind = 0; kind < WI_TIME_KINDS; kind++)
        unlist(keys, key, kind);
}

void wi_key_after_call(wi_keys *keys, wi_key *key, bool forgets)
{
    if (forgets || is_blank(keys->call, key))
        forget(keys, key);
}

/* When a state that was renewed at `from` is over; the last time is none. */
static uint64_t end_of(uint64_t from, uint64_t ttl)
{
    return weir_add_saturating(from, ttl);
}

void wi_key_renew(wi_keys *keys, wi_key *key, int kind, uint64_t now)
{
    uint64_t ttl = ttl_of(keys, kind);
    if (!ttl)
        return;
    uint64_t from = kind == WI_BY_EVENT && keys->complete < now ? keys->complete : now;
    if (!key->listed[kind])
        list(keys, key, kind, end_of(from, ttl));
    else if (now <= key->renewed[kind])
        return;
    key->renewed[kind] = now;
}

static bool is_over(const wi_keys *keys, const wi_key *key, int kind, uint64_t now)
{
    uint64_t end = end_of(key->renewed[kind], ttl_of(keys, kind));
    return now >= end && end != UINT64_MAX;
}

void wi_key_check(wi_keys *keys, wi_key *key, int kind, uint64_t now)
{
    if (key->listed[kind] && is_over(keys, key, kind, now))
        forget(keys, key);
}

uint64_t wi_keys_look_at(const wi_keys *keys, int kind)
{
    return keys->oldest[kind] ? keys->oldest[kind]->more->links[kind].look_at : UINT64_MAX;
}

void wi_keys_expire(wi_keys *keys, int kind, uint64_t now)
{
    for (wi_key *key; (key = keys->oldest[kind]) && key->more->links[kind].look_at <= now;) {
        key->references++;
        if (is_over(keys, key, kind, now)) {
            forget(keys, key);
        } else {
            unlist(keys, key, kind);
            list(keys, key, kind, end_of(now, ttl_of(keys, kind)));
            if (now == UINT64_MAX) /* there is no later time at which to look */
                unlist(keys, key, kind);
        }
        wi_keys_drop(keys, key);
    }
}

/* ---- times ------------------------------------------------------------------------------ */

/* As an i64 with the same order; and the other way. */
static int64_t order_of(uint64_t time)
{
    return weir_event_time(time);
}

static uint64_t time_of(const wi_key_times *times, uint32_t place)
{
    int64_t order;
    memcpy(&order, wi_sorted_at(&times->at, sizeof order, place), sizeof order);
    return weir_event_epoch(order);
}

/* Whether there is such a time. *place_out: where it is, or would be. */
static bool find_time(const wi_key_times *times, uint64_t at, uint32_t *place_out)
{
    *place_out = wi_sorted_from(&times->at, sizeof(int64_t), 0, order_of(at));
    return *place_out < wi_sorted_end(&times->at) && time_of(times, *place_out) == at;
}

/* The heap has the first one. */
static void follow(wi_keys *keys, wi_key *key, int kind)
{
    wi_key_times *times = &key->more->times[kind];
    weir_timers *heap = &keys->heaps[kind];
    key->timed[kind] = times->at.count != 0;
    if (!times->at.count) {
        wi_timers_remove(heap, &times->timer);
        return;
    }
    uint64_t first = time_of(times, wi_sorted_first(&times->at));
    if (times->timer.place && times->timer.due_ns == first)
        return;
    if (kind == WI_BY_CLOCK)
        weir_timers_set(heap, &times->timer, first);
    else
        wi_timers_place(heap, &times->timer, first);
}

bool wi_key_time_add(wi_keys *keys, wi_key *key, int kind, uint64_t at)
{
    wi_key_times *times = &more_of(key)->times[kind];
    int64_t order = order_of(at);
    uint32_t place;
    if (find_time(times, at, &place))
        return false;
    memcpy(wi_sorted_insert(&times->at, sizeof order, &place), &order, sizeof order);
    follow(keys, key, kind);
    return true;
}

bool wi_key_time_remove(wi_keys *keys, wi_key *key, int kind, uint64_t at)
{
    if (!key->timed[kind])
        return false;
    wi_key_times *times = &key->more->times[kind];
    uint32_t place;
    if (!find_time(times, at, &place))
        return false;
    wi_sorted_remove(&times->at, sizeof(int64_t), place, wi_sorted_next(&times->at, place));
    follow(keys, key, kind);
    return true;
}

/* ---- keys ------------------------------------------------------------------------------- */

static weir_text *text_of(char *state, uint32_t offset)
{
    return (weir_text *)(void *)(state + offset);
}

static wi_key *new_key(const wi_keyed_call *call, const char *row, uint64_t hash)
{
    const wi_grouping *by = &call->by;
    wi_key *key = wi_calloc(1, sizeof *key + by->type->size);
    key->hash = hash;
    for (uint32_t f = 0; f < by->in.count; f++) {
        bool is_text = by->in.bytes[f] == WEIR_KEY_TEXT;
        char *to = key->state + by->acc.offsets[f];
        memcpy(to, row + by->in.offsets[f], is_text ? sizeof(weir_text) : by->in.bytes[f]);
        weir_text *text = text_of(key->state, by->acc.offsets[f]);
        if (!is_text || text->length <= WEIR_TEXT_INLINE)
            continue;
        char *bytes = wi_alloc(text->length);
        memcpy(bytes, text->at, text->length);
        text->at = bytes;
    }
    return key;
}

static void free_key(wi_keys *keys, wi_key *key)
{
    const wi_grouping *by = &keys->call->by;
    forget(keys, key);
    for (uint32_t f = 0; f < by->acc.count; f++) {
        const weir_text *text = text_of(key->state, by->acc.offsets[f]);
        if (by->acc.bytes[f] == WEIR_KEY_TEXT && text->length > WEIR_TEXT_INLINE)
            wi_free((void *)(uintptr_t)text->at);
    }
    for (int kind = 0; key->more && kind < WI_TIME_KINDS; kind++)
        wi_sorted_fini(&key->more->times[kind].at);
    wi_free(key->more);
    wi_free(key);
}

static void grow(wi_keys *keys)
{
    uint32_t old = keys->buckets ? keys->mask + 1 : 0, size = old ? old * 2 : BUCKETS_MIN;
    wi_key **buckets = WI_NEWS(wi_key *, size);
    for (uint32_t b = 0; b < old; b++)
        for (wi_key *key = keys->buckets[b], *next; key; key = next) {
            next = key->next;
            key->next = buckets[(uint32_t)key->hash & (size - 1)];
            buckets[(uint32_t)key->hash & (size - 1)] = key;
        }
    wi_free(keys->buckets);
    keys->buckets = buckets;
    keys->mask = size - 1;
}

static wi_key *find(wi_keys *keys, const void *row, uint64_t hash)
{
    const wi_grouping *by = &keys->call->by;
    if (keys->count > keys->mask / 2)
        grow(keys);
    wi_key **bucket = &keys->buckets[(uint32_t)hash & keys->mask];
    for (wi_key *key = *bucket; key; key = key->next)
        if (key->hash == hash && weir_key_equal(&by->acc, key->state, &by->in, row))
            return key;
    wi_key *key = new_key(keys->call, row, hash);
    key->next = *bucket;
    *bucket = key;
    keys->count++;
    return key;
}

/* What is read on the way is asked for from memory a step ahead, so that the waits overlap. */
void wi_keys_find(wi_keys *keys, const void *const *rows, uint32_t count, wi_key **keys_out)
{
    uint64_t hashes[WI_TABLE_BLOCK];
    wi_assert(count <= WI_TABLE_BLOCK, "rows are looked up in blocks");
    if (!keys->buckets)
        grow(keys);
    for (uint32_t i = 0; i < count; i++) {
        weir_key_hash(&keys->call->by.in, rows[i], 1, &hashes[i]);
        __builtin_prefetch(&keys->buckets[(uint32_t)hashes[i] & keys->mask]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const wi_key *first = keys->buckets[(uint32_t)hashes[i] & keys->mask];
        __builtin_prefetch(first);
        if (first)
            __builtin_prefetch(first->state, 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        keys_out[i] = find(keys, rows[i], hashes[i]);
        keys_out[i]->references++;
    }
}

void wi_keys_drop(wi_keys *keys, wi_key *key)
{
    if (--key->references || key->timed[WI_BY_EVENT] || key->timed[WI_BY_CLOCK] ||
        !is_blank(keys->call, key))
        return;
    wi_key **at = &keys->buckets[(uint32_t)key->hash & keys->mask];
    while (*at != key)
        at = &(*at)->next;
    *at = key->next;
    keys->count--;
    free_key(keys, key);
}

void wi_keys_fini(wi_keys *keys)
{
    for (uint32_t b = 0; keys->buckets && b <= keys->mask; b++)
        for (wi_key *key = keys->buckets[b], *next; key; key = next) {
            next = key->next;
            free_key(keys, key);
        }
    wi_free(keys->buckets);
    for (int kind = 0; kind < WI_TIME_KINDS; kind++)
        weir_timers_fini(&keys->heaps[kind]);
}
