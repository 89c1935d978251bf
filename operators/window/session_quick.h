/* What the quick way of sessions (session_quick.c) keeps: for each key an entry with the earliest
 * of its sessions, and the others in their order, which are few or none unless rows are far out of
 * order (session_others.c). A single other one is found without a detour. Worker. */
#ifndef WEIR_OPERATORS_WINDOW_SESSION_QUICK_H
#define WEIR_OPERATORS_WINDOW_SESSION_QUICK_H

#include <stdbool.h>

#include "../../base/sorted.h"

typedef struct wi_quick_session {
    union {
        struct wi_quick_session *unused; /* the next one */
        struct wi_quick_session *other;  /* of an entry's own: the only other one, or NULL; */
        struct wi_others *others;        /* or, if there are more, all of them */
    };
    int64_t start, last;
} wi_quick_session; /* and the acc */

/* One of many sessions that are not the earliest: a copy of its `last`, and where it is. */
typedef struct wi_other {
    int64_t last;
    wi_quick_session *at;
} wi_other;

typedef struct wi_others {
    struct wi_others *unused; /* the next one */
    wi_sorted in_order;
} wi_others;

typedef struct wi_quick_entry {
    struct wi_quick_entry *next; /* in its bucket; or unused */
    uint64_t hash;
    int64_t asks;        /* if `asked`: a notification is to come then */
    uint32_t references; /* of notifications */
    bool asked, empty;
    bool many; /* it has `others` */
} wi_quick_entry; /* and its first session, whose acc has, and owns, the key */

typedef struct wi_quick_keys {
    wi_quick_entry **buckets;
    uint32_t mask, count;
    wi_quick_entry *unused;
    wi_quick_session *unused_sessions;
    wi_others *unused_others;
} wi_quick_keys;

static inline wi_quick_session *wi_quick_first(wi_quick_entry *it)
{
    return (wi_quick_session *)(void *)(it + 1);
}

/* ---- the others: at places (see sorted.h); a single one is at 0, before 1 ----------------- */

static inline wi_other *wi_others_many_at(wi_quick_entry *it, uint32_t place)
{
    return wi_sorted_at(&wi_quick_first(it)->others->in_order, sizeof(wi_other), place);
}

static inline wi_quick_session *wi_others_at(wi_quick_entry *it, uint32_t place)
{
    return it->many ? wi_others_many_at(it, place)->at : wi_quick_first(it)->other;
}

static inline uint32_t wi_others_first(wi_quick_entry *it)
{
    return it->many ? wi_sorted_first(&wi_quick_first(it)->others->in_order) : 0;
}

static inline uint32_t wi_others_end(wi_quick_entry *it)
{
    const wi_quick_session *first = wi_quick_first(it);
    return it->many ? wi_sorted_end(&first->others->in_order) : first->other != NULL;
}

static inline uint32_t wi_others_next(wi_quick_entry *it, uint32_t place)
{
    return it->many ? wi_sorted_next(&wi_quick_first(it)->others->in_order, place) : 1;
}

/* The place of the first whose last instant is at or after this one. */
static inline uint32_t wi_others_from(wi_quick_entry *it, int64_t last)
{
    const wi_quick_session *first = wi_quick_first(it);
    if (it->many)
        return wi_sorted_from(&first->others->in_order, sizeof(wi_other), offsetof(wi_other, last),
                              last);
    return first->other && first->other->last < last;
}

/* The last instant of one will be that. */
static inline void wi_others_set_last(wi_quick_entry *it, uint32_t place, int64_t last)
{
    if (it->many)
        wi_others_many_at(it, place)->last = last;
}

/* Puts one of `bytes`, with its acc, before that at a place; it is to be filled in. */
wi_quick_session *wi_others_add(wi_quick_keys *keys, wi_quick_entry *it, uint32_t place,
                                int64_t last, size_t bytes);
/* Returns the place of the next one. */
uint32_t wi_others_remove(wi_quick_keys *keys, wi_quick_entry *it, uint32_t place);
/* Frees those of a key; and what is kept to be used again. */
void wi_others_free(wi_quick_entry *it);
void wi_others_free_unused(wi_quick_keys *keys);

#endif
