/* deduplicate: one of the rows of a key that are near each other in event time.
 *
 * Side 0 of the store has rows whose stamps are not complete, side 1 the rows that are kept; the
 * diff of an entry there is how often its row came. Whatever came at a stamp is decided on when
 * that is complete: first equal rows are added up, then each is compared with the kept ones. Rows
 * that are dropped are forgotten, so that what is kept for a key is one row for each `within`. */
#include "match.h"

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
    wi_side_insert(&matcher->store, key, COME, row, as->time, as->stamp, as->diff);
    if (key->asked && key->asks == as->stamp)
        return;
    key->asked = true;
    key->asks = as->stamp;
    wi_queue_ask(&matcher->queue, matcher->op, (wi_due){.time = as->stamp, .key = key});
}

static bool is_near(const duplicates_plan *how, const wi_entry *a, const wi_entry *b)
{
    __int128 apart = (__int128)a->time - b->time;
    return (apart < 0 ? -apart : apart) < how->within;
}

/* ---- one row ---------------------------------------------------------------------------- */

/* Where a row is among the kept ones, or would be. */
static uint32_t place_of(const wi_matcher *matcher, const wi_match_key *key, const wi_entry *row,
                         bool *found_out)
{
    const weir_type *type = matcher->store.forms[KEPT].type;
    uint32_t end = wi_side_end(key, KEPT);
    uint32_t at = wi_side_from(&matcher->store, key, KEPT, row->time);
    *found_out = false;
    for (; at < end; at = wi_side_next(key, KEPT, at)) {
        const wi_entry *kept = wi_entry_at(&matcher->store, key, KEPT, at);
        int order = kept->time != row->time ? 1 : weir_row_compare(type, kept->row, row->row);
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
static void decide(wi_matcher *matcher, wi_match_key *key, const wi_entry *row, uint32_t at,
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
    wi_sender_row(&matcher->sender, row->row, now, 1);
    wi_side_insert(&matcher->store, key, KEPT, row->row, row->time, row->stamp, row->diff);
}

/* `row` counts as often as its diff says. */
static void put(wi_matcher *matcher, wi_match_key *key, const wi_entry *row, int64_t now)
{
    bool found;
    uint32_t at = place_of(matcher, key, row, &found);
    if (!found && row->diff > 0)
        decide(matcher, key, row, at, now);
    if (!found)
        return;
    wi_entry *kept = wi_entry_at(&matcher->store, key, KEPT, at);
    if (__builtin_add_overflow(kept->diff, row->diff, &kept->diff))
        kept->diff = row->diff < 0 ? INT64_MIN : INT64_MAX;
    if (kept->diff <= 0)
        replace(matcher, key, at, now);
}

/* ---- all rows of a stamp ---------------------------------------------------------------- */

/* What comes is sorted by time and row, so equal rows are next to each other, with those of other
 * stamps between them. The first of a stamp takes the diffs of the others. */
static bool add_up(wi_matcher *matcher, wi_match_key *key, uint32_t at, int64_t now)
{
    wi_store *store = &matcher->store;
    wi_entry *first = wi_entry_at(store, key, COME, at);
    if (first->stamp != now)
        return false;
    uint32_t end = wi_side_end(key, COME);
    for (uint32_t i = wi_side_next(key, COME, at); i < end; i = wi_side_next(key, COME, i)) {
        wi_entry *other = wi_entry_at(store, key, COME, i);
        if (other->time != first->time ||
            !weir_row_equal(store->forms[COME].type, first->row, other->row))
            break;
        if (other->stamp != now)
            continue;
        first->diff = (int64_t)((uint64_t)first->diff + (uint64_t)other->diff);
        other->diff = 0;
    }
    return first->diff != 0;
}

/* Stretch by stretch. */
static void forget_come(wi_matcher *matcher, wi_match_key *key, int64_t now)
{
    wi_store *store = &matcher->store;
    uint32_t place = wi_side_first(key, COME);
    while (place < wi_side_end(key, COME)) {
        uint32_t until = place;
        while (until < wi_side_end(key, COME) &&
               wi_entry_at(store, key, COME, until)->stamp == now)
            until = wi_side_next(key, COME, until);
        place = until > place ? wi_side_remove(store, key, COME, place, until)
                              : wi_side_next(key, COME, place);
    }
}

/* Rows that are taken away make place for those that come. */
static void due(wi_matcher *matcher, wi_due due)
{
    wi_match_key *key = due.key;
    uint32_t begin = wi_side_first(key, COME), end = wi_side_end(key, COME);
    while (wi_queue_pop_same(&matcher->queue, &due))
        ;
    if (key->asked && key->asks == due.time)
        key->asked = false;
    for (uint32_t i = begin; i < end; i = wi_side_next(key, COME, i))
        if (add_up(matcher, key, i, due.time) &&
            wi_entry_at(&matcher->store, key, COME, i)->diff < 0)
            put(matcher, key, wi_entry_at(&matcher->store, key, COME, i), due.time);
    for (uint32_t i = begin; i < end; i = wi_side_next(key, COME, i)) {
        const wi_entry *row = wi_entry_at(&matcher->store, key, COME, i);
        if (row->stamp == due.time && row->diff > 0)
            put(matcher, key, row, due.time);
    }
    forget_come(matcher, key, due.time);
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
