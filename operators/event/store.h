/* What operators that match rows by event time keep: for each key the rows of its sides, each side
 * sorted by event time and, if asked for, by the rows' own order.
 *
 * A row lies in its side's array as an entry, behind its event time, stamp and diff; so the rows
 * that match another are one stretch of memory. Long texts are the entry's own. Entries are put in
 * as rows come, whatever their stamps: who computes what is right at a time passes over those with
 * later stamps.
 *
 * Invariants
 *   S1  a key whose sides are both empty is being filled, or has been asked to be tidied: any other
 *       is found by the first entry of one of its sides
 *   S2  a key stays in place while it has entries, or somebody refers to it
 *
 * Worker. */
#ifndef WEIR_OPERATORS_EVENT_STORE_H
#define WEIR_OPERATORS_EVENT_STORE_H

#include <weir/event_join.h>

#include "../window/field.h"

typedef struct wi_entry {
    int64_t time, stamp, diff;
    char row[];
} wi_entry;

/* What entries of a side are like. */
typedef struct wi_side_form {
    const weir_type *type;
    weir_key key;
    uint32_t time_at; /* of the event time in a row */
    uint32_t step;    /* bytes of an entry */
    bool by_row;      /* entries of one time are sorted by their rows; otherwise as they came */
    uint32_t text_count;
    uint32_t *text_at; /* to be freed */
} wi_side_form;

typedef struct wi_side {
    char *entries;
    uint32_t begin, end, capacity; /* entries [begin, end) are there */
} wi_side;

typedef struct wi_match_key {
    struct wi_match_key *next; /* in its bucket */
    uint64_t hash, id;         /* ids are given in the order in which keys come */
    uint32_t references;
    bool asked; /* the operator's own: what it waits for, if it does */
    __int128 asks;
    void *more; /* the operator's, from wi_alloc */
    wi_side sides[2];
} wi_match_key;

typedef struct wi_store {
    const wi_side_form *forms; /* of both sides; the second may be the first, again */
    wi_match_key **buckets;    /* a power of two of them */
    uint32_t mask, count;
    uint64_t next_id, entries;
    uint64_t credit; /* what may be looked at, to see whether it can be freed */
} wi_store;

wi_side_form wi_side_form_new(const weir_type *type, const weir_key *key, uint32_t time_at,
                              bool by_row);
void wi_store_fini(wi_store *store);

/* Asks for what finding keys of these hashes will read. */
void wi_store_prefetch(const wi_store *store, const uint64_t *hashes, uint32_t count);
/* The key of a row of a side: if there is none yet, an empty one, into which an entry is to be put
 * before the next is asked for. */
wi_match_key *wi_store_find(wi_store *store, uint32_t side, const void *row, uint64_t hash);
/* Frees the key if it has no entries and no references. */
void wi_store_tidy(wi_store *store, wi_match_key *key);

static inline wi_entry *wi_entry_at(const wi_store *store, const wi_match_key *key, uint32_t side,
                                    uint32_t index)
{
    return (wi_entry *)(void *)(key->sides[side].entries +
                                (size_t)index * store->forms[side].step);
}

/* The first entry of a side whose time is at or after `time`. */
uint32_t wi_side_from(const wi_store *store, const wi_match_key *key, uint32_t side, int64_t time);
/* The first one whose time is after it. */
static inline uint32_t wi_side_after(const wi_store *store, const wi_match_key *key, uint32_t side,
                                     int64_t time)
{
    return time == INT64_MAX ? key->sides[side].end : wi_side_from(store, key, side, time + 1);
}

/* Puts a row in its place, with long texts of its own; returns its index. */
uint32_t wi_side_insert(wi_store *store, wi_match_key *key, uint32_t side, const void *row,
                        int64_t time, int64_t stamp, int64_t diff);
/* Frees entries [begin, end) of a side; those after them move. */
void wi_side_remove(wi_store *store, wi_match_key *key, uint32_t side, uint32_t begin,
                    uint32_t end);

/* Frees, of a key, what can be freed; the caller tidies. */
typedef void wi_store_expire(void *arg, wi_match_key *key);
/* Has every key looked at for what can be freed, if that is not more work than has been done since
 * the last time: `more` is the number of rows that came, and of times that a frontier moved. */
void wi_store_sweep(wi_store *store, uint64_t more, wi_store_expire *expire, void *arg);

#endif
