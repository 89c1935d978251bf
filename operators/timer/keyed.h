/* The parts of a keyed operator: keys with their states and timers (keyed_keys.c), and what
 * happens when (keyed.c).
 *
 * A key is in memory while its state is not all zeros, one of its timers is set, or somebody
 * refers to it. Of its timers only the earliest is in the operator's heap, one heap for event
 * times and one for the clock. Worker. */
#ifndef WEIR_OPERATORS_TIMER_KEYED_H
#define WEIR_OPERATORS_TIMER_KEYED_H

#include "../../base/sorted.h"
#include "../stream/table.h"
#include "timers.h"

typedef struct wi_keyed_call {
    const weir_keyed_logic *logic;
    void *arg;
    wi_grouping by;      /* its type is the state's */
    uint32_t own_at;     /* where the state's own fields begin */
    uint32_t own_bytes;
    bool padded; /* some of those are of no field */
} wi_keyed_call;

/* Times of one kind at which a key is to be called: items are i64, of the same order. */
typedef struct wi_key_times {
    weir_timer timer; /* the first of them */
    wi_sorted at;
} wi_key_times;

enum { WI_BY_EVENT, WI_BY_CLOCK, WI_TIME_KINDS };

/* A place in a list of keys that may expire, in the order in which they are to be looked at. */
typedef struct wi_key_link {
    struct wi_key *next, *previous;
    uint64_t look_at;
} wi_key_link;

/* What only keys with timers, or a time to live, have. */
typedef struct wi_key_more {
    struct wi_key *key;
    wi_key_times times[WI_TIME_KINDS];
    wi_key_link links[WI_TIME_KINDS];
    uint32_t chained; /* timers that `event` has asked for when there were no more rows */
} wi_key_more;

/* What every row reads comes first, and together. */
typedef struct wi_key {
    struct wi_key *next; /* in its bucket */
    uint64_t hash;
    uint32_t references;
    bool timed[WI_TIME_KINDS];  /* a timer is set */
    bool listed[WI_TIME_KINDS]; /* it may expire */
    uint64_t renewed[WI_TIME_KINDS];
    wi_key_more *more;
    char state[]; /* owns its key's texts */
} wi_key;

typedef struct wi_keys {
    const wi_keyed_call *call;
    wi_key **buckets; /* a power of two of them */
    uint32_t mask, count;
    weir_timers heaps[WI_TIME_KINDS];
    wi_key *oldest[WI_TIME_KINDS], *newest[WI_TIME_KINDS];
    uint64_t complete; /* event times before are */
} wi_keys;

void wi_keys_init(wi_keys *keys, const wi_keyed_call *call, weir_op *op);
void wi_keys_fini(wi_keys *keys);
/* The keys of some rows; each is referred to once more for each of its rows. */
void wi_keys_find(wi_keys *keys, const void *const *rows, uint32_t count, wi_key **keys_out);
/* One reference less. */
void wi_keys_drop(wi_keys *keys, wi_key *key);
/* Releases a state, if that is asked for: it is zeros again. One that is zeros is none, and lasts
 * no time: the next begins anew. */
void wi_key_after_call(wi_keys *keys, wi_key *key, bool forgets);

/* Whether that time was not among those of the key yet; whether it was. Heaps follow. */
bool wi_key_time_add(wi_keys *keys, wi_key *key, int kind, uint64_t at);
bool wi_key_time_remove(wi_keys *keys, wi_key *key, int kind, uint64_t at);
/* The key whose timer this is. */
static inline wi_key *wi_key_of(weir_timer *timer, int kind)
{
    size_t within = offsetof(wi_key_more, times) + (size_t)kind * sizeof(wi_key_times) +
                    offsetof(wi_key_times, timer);
    char *more = (char *)timer - within;
    return ((wi_key_more *)(void *)more)->key;
}

/* The state lasts from now on. Times of both kinds are u64: event times as epochs. */
void wi_key_renew(wi_keys *keys, wi_key *key, int kind, uint64_t now);
/* Forgets the state if its time is over: 0 for the kinds that do not expire. */
void wi_key_check(wi_keys *keys, wi_key *key, int kind, uint64_t now);
/* Forgets what has expired among those that are to be looked at by now. */
void wi_keys_expire(wi_keys *keys, int kind, uint64_t now);
/* When the next is to be looked at; UINT64_MAX: none. */
uint64_t wi_keys_look_at(const wi_keys *keys, int kind);

#endif
