/* What operators that match rows by event time keep: for each key the rows of its sides, each side
 * sorted by event time and, if asked for, by the rows' own order.
 *
 * A row lies in its side as an entry, behind its event time, stamp and diff. Entries are in chunks
 * (base/sorted.h says what a *place* is), so that those that match another are next to each other.
 * Long texts are the entry's own. Entries are put in as rows come, whatever their stamps: who
 * computes what is right at a time passes over those with later stamps.
 *
 * Invariants
 *   S1  a key whose sides are both empty is being filled, or has been asked to be tidied: any other
 *       is found by the first entry of one of its sides
 *   S2  a key stays in place while it has entries, or somebody refers to it
 *   S4  a side without entries has no memory
 *
 * Worker. */
#ifndef WEIR_OPERATORS_EVENT_STORE_H
#define WEIR_OPERATORS_EVENT_STORE_H

#include <weir/event_join.h>

#include "../../base/sorted.h"
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

typedef struct wi_match_key {
    struct wi_match_key *next; /* in its bucket */
    uint64_t hash, id;         /* ids are given in the order in which keys come */
    uint32_t references;
    bool asked; /* the operator's own: what it waits for, if it does */
    __int128 asks;
    void *more; /* the operator's, from wi_alloc */
    wi_sorted sides[2];
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

/* ---- sides (side.c) --------------------------------------------------------------------- */

static inline bool wi_side_any(const wi_match_key *key, uint32_t side)
{
    return key->sides[side].count != 0;
}

/* The place of the first entry; and behind the last one. Both are 0 if there are none. */
static inline uint32_t wi_side_first(const wi_match_key *key, uint32_t side)
{
    return wi_sorted_first(&key->sides[side]);
}

static inline uint32_t wi_side_end(const wi_match_key *key, uint32_t side)
{
    return wi_sorted_end(&key->sides[side]);
}

/* The place after that of an entry, before that of one that is not the first. */
static inline uint32_t wi_side_next(const wi_match_key *key, uint32_t side, uint32_t place)
{
    return wi_sorted_next(&key->sides[side], place);
}

static inline uint32_t wi_side_before(const wi_match_key *key, uint32_t side, uint32_t place)
{
    return wi_sorted_previous(&key->sides[side], place);
}

static inline wi_entry *wi_entry_at(const wi_store *store, const wi_match_key *key, uint32_t side,
                                    uint32_t place)
{
    return wi_sorted_at(&key->sides[side], store->forms[side].step, place);
}

/* The place of the first entry whose time is at or after `time`, or the end; after it. */
uint32_t wi_side_from(const wi_store *store, const wi_match_key *key, uint32_t side, int64_t time);
static inline uint32_t wi_side_after(const wi_store *store, const wi_match_key *key, uint32_t side,
                                     int64_t time)
{
    return time == INT64_MAX ? wi_side_end(key, side) : wi_side_from(store, key, side, time + 1);
}

/* Puts a row in its place, with long texts of its own. */
void wi_side_insert(wi_store *store, wi_match_key *key, uint32_t side, const void *row,
                    int64_t time, int64_t stamp, int64_t diff);
/* Frees the entries at places [begin, end). Returns the place of what was behind them. */
uint32_t wi_side_remove(wi_store *store, wi_match_key *key, uint32_t side, uint32_t begin,
                        uint32_t end);

/* ---- what is over ----------------------------------------------------------------------- */

/* Frees, of a key, what can be freed; the caller tidies. */
typedef void wi_store_expire(void *arg, wi_match_key *key);
/* Has every key looked at for what can be freed, if that is not more work than has been done since
 * the last time: `more` is the number of rows that came, and of times that a frontier moved. */
void wi_store_sweep(wi_store *store, uint64_t more, wi_store_expire *expire, void *arg);

#endif
