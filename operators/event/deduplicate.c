/* deduplicate: one of the rows of a key that are near each other in event time.
 *
 * Side 0 of the store has rows whose stamps are not complete, sorted by these: the `time` of an
 * entry there is its stamp. Side 1 has the rows that are kept; the diff of an entry there is how
 * often its row came. Whatever came at a stamp is decided on when that is complete: first equal
 * rows are added up, then each is compared with the kept ones. Rows that are dropped are
 * forgotten, so that what is kept for a key is one row for each `within`. */
#include "match.h"

#include <stdlib.h>

#include "../../base/alloc.h"

enum { COME, KEPT }; /* sides */

typedef struct duplicates_plan {
    wi_match_plan plan;
    weir_keep keep;
    int64_t within;
} duplicates_plan;

static void take(wi_matcher *matcher, WEIR_UNUSED uint32_t side, wi_match_key *key,
                 const void *row, const wi_entry *as)
{
    wi_side_insert(&matcher->store, key, COME, row, as->stamp, as->time, as->diff);
    if (key->asked && key->asks == as->stamp)
        return;
    key->asked = true;
    key->asks = as->stamp;
    wi_queue_ask(&matcher->queue, matcher->op, (wi_due){.time = as->stamp, .key = key});
}

/* A row that came, and its event time. */
typedef struct come {
    int64_t time;
    wi_entry *entry;
    const weir_type *type;
} come;

static bool is_near(const duplicates_plan *how, const wi_entry *kept, const come *row)
{
    __int128 apart = (__int128)kept->time - row->time;
    return (apart < 0 ? -apart : apart) < how->within;
}

/* ---- one row ---------------------------------------------------------------------------- */

/* Where a row is among the kept ones, or would be. */
static uint32_t place_of(const wi_matcher *matcher, const wi_match_key *key, const come *row,
                         bool *found_out)
{
    uint32_t end = wi_side_end(key, KEPT);
    uint32_t at = wi_side_from(&matcher->store, key, KEPT, row->time);
    *found_out = false;
    for (; at < end; at = wi_side_next(key, KEPT, at)) {
        const wi_entry *kept = wi_entry_at(&matcher->store, key, KEPT, at);
        int order = kept->time != row->time
                        ? 1
                        : weir_row_compare(row->type, kept->row, row->entry->row);
        *found_out = order == 0;
        if (order >= 0)
            break;
    }
    return at;
}

static void replace(wi_matcher *matcher, wi_match_key *key, uint32_t at, int64_t now)
{
    const wi_entry *kept = wi_entry_at(&matcher->store, key, KEPT, at);
    wi_sender_row(&matcher->sender, kept->row, now, -1);
    wi_side_remove(&matcher->store, key, KEPT, at, wi_side_next(key, KEPT, at));
}

/* A row that is none of the kept ones. `at`: where it would be among them. */
static void decide(wi_matcher *matcher, wi_match_key *key, const come *row, uint32_t at,
                   int64_t now)
{
    const duplicates_plan *how = (const duplicates_plan *)matcher->plan;
    const wi_store *store = &matcher->store;
    bool first = at == wi_side_first(key, KEPT);
    uint32_t previous = first ? at : wi_side_before(key, KEPT, at);
    bool before = !first && is_near(how, wi_entry_at(store, key, KEPT, previous), row);
    bool after =
        at < wi_side_end(key, KEPT) && is_near(how, wi_entry_at(store, key, KEPT, at), row);
    if ((before && how->keep != WEIR_KEEP_LAST) || (after && how->keep != WEIR_KEEP_FIRST))
        return;
    if (before)
        replace(matcher, key, previous, now);
    else if (after)
        replace(matcher, key, at, now);
    const wi_entry *entry = row->entry;
    wi_sender_row(&matcher->sender, entry->row, now, 1);
    wi_side_insert(&matcher->store, key, KEPT, entry->row, row->time, now, entry->diff);
}

/* The row counts as often as its diff says. */
static void put(wi_matcher *matcher, wi_match_key *key, const come *row, int64_t now)
{
    bool found;
    uint32_t at = place_of(matcher, key, row, &found);
    int64_t diff = row->entry->diff;
    if (!found && diff > 0)
        decide(matcher, key, row, at, now);
    if (!found)
        return;
    wi_entry *kept = wi_entry_at(&matcher->store, key, KEPT, at);
    if (__builtin_add_overflow(kept->diff, diff, &kept->diff))
        kept->diff = diff < 0 ? INT64_MIN : INT64_MAX;
    if (kept->diff <= 0)
        replace(matcher, key, at, now);
}

/* ---- all rows of a stamp ---------------------------------------------------------------- */

#define SOME 16 /* rows, for which no memory is asked for */

static int compare(const void *a, const void *b)
{
    const come *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return weir_row_compare(x->type, x->entry->row, y->entry->row);
}

/* Those of a stamp, sorted by event time and row; equal ones, which are next to each other as they
 * are in the store, are one. */
static uint32_t add_up(const wi_matcher *matcher, const wi_match_key *key, uint32_t begin,
                       uint32_t end, come *rows)
{
    const wi_side_form *form = &matcher->store.forms[COME];
    uint32_t count = 0;
    for (uint32_t i = begin; i < end; i = wi_side_next(key, COME, i)) {
        wi_entry *entry = wi_entry_at(&matcher->store, key, COME, i);
        come *last = count ? &rows[count - 1] : NULL;
        if (last && weir_row_equal(form->type, last->entry->row, entry->row))
            last->entry->diff = (int64_t)((uint64_t)last->entry->diff + (uint64_t)entry->diff);
        else
            rows[count++] =
                (come){wi_event_time_at(entry->row, form->time_at), entry, form->type};
    }
    qsort(rows, count, sizeof *rows, compare);
    return count;
}

/* Rows that are taken away make place for those that come. */
static void decide_all(wi_matcher *matcher, wi_match_key *key, const come *rows, uint32_t count,
                       int64_t now)
{
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].entry->diff < 0)
            put(matcher, key, &rows[i], now);
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].entry->diff > 0)
            put(matcher, key, &rows[i], now);
}

static void due(wi_matcher *matcher, wi_due due)
{
    wi_store *store = &matcher->store;
    wi_match_key *key = due.key;
    int64_t now = due.time;
    while (wi_queue_pop_same(&matcher->queue, &due))
        ;
    if (key->asked && key->asks == now)
        key->asked = false;
    uint32_t begin = wi_side_from(store, key, COME, now), count = 0;
    uint32_t end = wi_side_after(store, key, COME, now);
    for (uint32_t i = begin; i < end; i = wi_side_next(key, COME, i))
        count++;
    come some[SOME], *rows = count <= SOME ? some : wi_alloc(count * sizeof *rows);
    decide_all(matcher, key, rows, add_up(matcher, key, begin, end, rows), now);
    wi_side_remove(store, key, COME, begin, end);
    if (rows != some)
        wi_free(rows);
}

static void expire(void *arg, wi_match_key *key)
{
    wi_matcher *matcher = arg;
    const duplicates_plan *how = (const duplicates_plan *)matcher->plan;
    uint32_t begin = wi_side_first(key, KEPT), end = wi_side_end(key, KEPT), at = begin;
    for (; at < end; at = wi_side_next(key, KEPT, at)) {
        const wi_entry *kept = wi_entry_at(&matcher->store, key, KEPT, at);
        if (!wi_is_over(matcher, matcher->both, wi_add_saturating(kept->time, how->within - 1)))
            break;
    }
    wi_side_remove(&matcher->store, key, KEPT, begin, at);
}

weir_stream weir_deduplicate(weir_stream in, weir_key key, const weir_duplicates *how,
                             weir_stream *late_out)
{
    duplicates_plan *call = WI_NEW(duplicates_plan);
    *call = (duplicates_plan){
        .plan = {.name = "deduplicate",
                 .inputs = 1,
                 .by_row = true,
                 .lateness = how->lateness,
                 .sending = {.start_at = WI_NOWHERE, .end_at = WI_NOWHERE},
                 .take = take,
                 .due = due,
                 .expire = expire},
        .keep = how->keep,
        .within = how->within > 0 ? how->within : 1};
    if (how->within <= 0)
        weir_scope_fail(in.scope,
                        "deduplicate: no rows are within %lld of each other; it must be above 0",
                        (long long)how->within);
    wi_match_side side = {in, key, how->time, "time"};
    weir_stream late;
    weir_stream results = wi_match_build(&call->plan, &side, NULL, in.type, &late);
    if (late_out)
        *late_out = late;
    return results;
}
