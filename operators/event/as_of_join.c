/* as-of join: for each row of `a` the latest of `b` at or before it.
 *
 * The result at T is that of the rows stamped until then. A row of `a` is due at its event time,
 * or at its stamp if that is greater; a row of `b` at its stamp. Whatever is due for a key at T is
 * done together, once T is complete: rows of `a` that had been due before, and for which the
 * matched row is another now, are sent anew; those that are due now are sent.
 *
 * Invariants
 *   A1  a row of `a` stays until no row of `b` at or before its time can come, or be taken away
 *   A2  of the rows of `b` before the *horizon*, the first time for which this is not so, or the
 *       first row of `a` that is there, the one that is matched stays, and no other: they do not
 *       change any more, and rows of `a` that come are at or after the horizon
 *   A3  rows of `b` that have been taken away by T are not needed once what is due at T is done */
#include "match.h"

#include "../../base/alloc.h"

enum { A, B };              /* sides */
enum { B_CHANGED, A_DUE };  /* what is due; the first is done first */

#define PASSED_FEW 16 /* entries that may be passed over, again and again */

typedef struct latest_plan {
    wi_match_plan plan;
    bool strict, limited;
    int64_t tolerance;
} latest_plan;

/* A row of `b` that comes no later than its time changes no row of `a` that had been due before. */
static void take(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                 const wi_entry *as)
{
    bool late = as->time < as->stamp;
    if (side == B && matcher->reached[A].all && !wi_side_any(key, A))
        return;
    wi_side_insert(&matcher->store, key, side, row, as->time, as->stamp, as->diff);
    if (side == A || late)
        wi_queue_ask(&matcher->queue, matcher->op,
                     (wi_due){.time = late ? as->stamp : as->time,
                              .key = key,
                              .what = side == A ? A_DUE : B_CHANGED,
                              .at = as->time});
}

/* ---- matching --------------------------------------------------------------------------- */

static bool too_old(const latest_plan *how, int64_t time, int64_t row)
{
    return how->limited && (__int128)time - row > how->tolerance;
}

/* The entries that are equal to the last one of [begin, *end), which are next to each other, are
 * taken off. Their diffs are added up, of those that are there at a time. */
static int64_t add_up(const wi_store *store, const wi_match_key *key, uint32_t begin,
                      uint32_t *end, int64_t stamp, uint32_t *looked_at)
{
    const weir_type *type = store->forms[B].type;
    const wi_entry *last = wi_entry_at(store, key, B, wi_side_before(key, B, *end));
    uint64_t count = 0;
    for (; *end > begin; *end = wi_side_before(key, B, *end)) {
        const wi_entry *entry = wi_entry_at(store, key, B, wi_side_before(key, B, *end));
        if (entry != last &&
            (entry->time != last->time || !weir_row_equal(type, entry->row, last->row)))
            break;
        count += entry->stamp <= stamp ? (uint64_t)entry->diff : 0;
        ++*looked_at;
    }
    return (int64_t)count;
}

/* Entries behind a match, that were passed over. */
typedef struct passed {
    uint32_t count;
    int64_t from, until; /* their times */
} passed;

/* The last entry of [begin, end) of `b`, of the rows that are there at a time. NULL if there is
 * none. */
static const wi_entry *last_of(const wi_store *store, const wi_match_key *key, uint32_t begin,
                               uint32_t end, int64_t stamp, uint32_t *place_out, passed *passed_out)
{
    *passed_out = (passed){.count = 0};
    while (end > begin) {
        uint32_t looked_at = 0;
        *place_out = wi_side_before(key, B, end);
        const wi_entry *last = wi_entry_at(store, key, B, *place_out);
        if (add_up(store, key, begin, &end, stamp, &looked_at) > 0)
            return last;
        if (!passed_out->count)
            passed_out->until = last->time;
        passed_out->from = last->time;
        passed_out->count += looked_at;
    }
    return NULL;
}

/* What a row of `a` of this time is matched with, of the rows stamped until then. `most`: where
 * most was passed over. */
static const wi_entry *match_of(const wi_matcher *matcher, const wi_match_key *key, int64_t time,
                                int64_t stamp, passed *most)
{
    const latest_plan *how = (const latest_plan *)matcher->plan;
    const wi_store *store = &matcher->store;
    uint32_t end = how->strict ? wi_side_from(store, key, B, time)
                               : wi_side_after(store, key, B, time);
    uint32_t place;
    passed over;
    const wi_entry *match =
        last_of(store, key, wi_side_first(key, B), end, stamp, &place, &over);
    *most = over.count > most->count ? over : *most;
    return match && !too_old(how, time, match->time) ? match : NULL;
}

static void send(wi_matcher *matcher, const wi_entry *a, const wi_entry *match, int64_t time,
                 int64_t diff)
{
    wi_bounds none = {0, 0};
    if (match)
        wi_sender_pair(&matcher->sender, a->row, match->row, time, diff, none);
    else
        wi_sender_alone(&matcher->sender, A, a->row, time, diff, none);
}

static int64_t due_of(const wi_entry *a)
{
    return a->time > a->stamp ? a->time : a->stamp;
}

/* Rows of `b` with a time have come, or been taken away, at `now`. A row of `a` has another match
 * only if it was, or is, one of these. Those before `begin` have been looked at; returns the place
 * of the first that was not. */
static uint32_t match_again(wi_matcher *matcher, wi_match_key *key, int64_t now, int64_t time,
                            uint32_t begin, passed *most)
{
    const latest_plan *how = (const latest_plan *)matcher->plan;
    const wi_store *store = &matcher->store;
    uint32_t end = wi_side_end(key, A), i = wi_side_from(store, key, A, time);
    for (i = i > begin ? i : begin; i < end && now > INT64_MIN; i = wi_side_next(key, A, i)) {
        const wi_entry *a = wi_entry_at(store, key, A, i);
        if (a->time >= now || too_old(how, a->time, time))
            break; /* it is not due before, or it has none of these */
        if (due_of(a) >= now)
            continue;
        const wi_entry *was = match_of(matcher, key, a->time, now - 1, most);
        const wi_entry *is = match_of(matcher, key, a->time, now, most);
        if (was != is &&
            !(was && is && weir_row_equal(store->forms[B].type, was->row, is->row))) {
            send(matcher, a, was, now, (int64_t)(0 - (uint64_t)a->diff));
            send(matcher, a, is, now, a->diff);
        }
        if (was && is && was->time > time && is->time > time)
            return wi_side_next(key, A, i);
    }
    return i;
}

static void send_due(wi_matcher *matcher, wi_match_key *key, int64_t now, int64_t time,
                     passed *most)
{
    const wi_store *store = &matcher->store;
    const wi_entry *match = match_of(matcher, key, time, now, most);
    uint32_t end = wi_side_end(key, A), i = wi_side_from(store, key, A, time);
    for (; i < end; i = wi_side_next(key, A, i)) {
        const wi_entry *a = wi_entry_at(store, key, A, i);
        if (a->time != time)
            break;
        if (due_of(a) == now)
            send(matcher, a, match, now, a->diff);
    }
}

/* ---- what is due, and what is over ------------------------------------------------------ */

static void forget_a(wi_matcher *matcher, wi_match_key *key)
{
    uint32_t begin = wi_side_first(key, A), end = wi_side_end(key, A), at = begin;
    for (; at < end; at = wi_side_next(key, A, at)) {
        const wi_entry *entry = wi_entry_at(&matcher->store, key, A, at);
        if (!wi_is_over(matcher, matcher->both, entry->time) ||
            !wi_is_complete(matcher->both, due_of(entry)))
            break;
    }
    wi_side_remove(&matcher->store, key, A, begin, at);
}

static int64_t horizon_of(const wi_matcher *matcher, const wi_match_key *key)
{
    int64_t settled = wi_subtract_saturating(matcher->both.before, matcher->plan->lateness);
    if (!wi_side_any(key, A))
        return settled;
    int64_t first = wi_entry_at(&matcher->store, key, A, wi_side_first(key, A))->time;
    return first < settled ? first : settled;
}

static void forget_b(wi_matcher *matcher, wi_match_key *key)
{
    const latest_plan *how = (const latest_plan *)matcher->plan;
    wi_store *store = &matcher->store;
    if (!wi_side_any(key, A) && matcher->reached[A].all && !key->references)
        wi_side_remove(store, key, B, wi_side_first(key, B), wi_side_end(key, B));
    if (!wi_side_any(key, B))
        return;
    int64_t horizon = horizon_of(matcher, key);
    uint32_t first = wi_side_first(key, B), end = wi_side_from(store, key, B, horizon), place;
    passed over;
    wi_entry *last =
        (wi_entry *)(uintptr_t)last_of(store, key, first, end, INT64_MAX, &place, &over);
    if (!last || too_old(how, horizon, last->time)) {
        wi_side_remove(store, key, B, first, end);
        return;
    }
    last->diff = 1;
    last->stamp = INT64_MIN;
    wi_side_remove(store, key, B, wi_side_next(key, B, place), end);
    wi_side_remove(store, key, B, first, place);
}

/* The place after the entries that are equal to one of `b`. Whether these are all stamped until
 * `now`, and amount to nothing. */
static uint32_t after_equal(const wi_store *store, const wi_match_key *key, uint32_t at,
                            int64_t now, bool *gone_out)
{
    const wi_entry *first = wi_entry_at(store, key, B, at);
    uint64_t count = 0;
    bool complete = true;
    for (; at < wi_side_end(key, B); at = wi_side_next(key, B, at)) {
        const wi_entry *entry = wi_entry_at(store, key, B, at);
        if (entry->time != first->time ||
            !weir_row_equal(store->forms[B].type, entry->row, first->row))
            break;
        count += (uint64_t)entry->diff;
        complete &= entry->stamp <= now;
    }
    *gone_out = complete && count == 0;
    return at;
}

/* Frees rows of `b` that were taken away, of those that were passed over. */
static void drop_taken_away(wi_matcher *matcher, wi_match_key *key, int64_t now, const passed *over)
{
    wi_store *store = &matcher->store;
    uint32_t begin = wi_side_from(store, key, B, over->from), at = begin;
    wi_sender_flush(&matcher->sender); /* pairs that are to be sent refer to the entries' texts */
    while (at < wi_side_end(key, B) && wi_entry_at(store, key, B, at)->time <= over->until) {
        bool gone;
        uint32_t next = after_equal(store, key, at, now, &gone);
        if (gone)
            at = next;
        else if (begin < at)
            begin = at = wi_side_remove(store, key, B, begin, at);
        else
            begin = at = next;
    }
    wi_side_remove(store, key, B, begin, at);
}

static void expire(void *arg, wi_match_key *key)
{
    forget_a(arg, key);
    forget_b(arg, key);
}

static void due(wi_matcher *matcher, wi_due first)
{
    passed most = {.count = 0};
    uint32_t done = 0;
    wi_due next = first;
    bool more = true;
    while (more) {
        wi_due it = next;
        if (it.what == B_CHANGED)
            done = match_again(matcher, first.key, first.time, it.at, done, &most);
        else
            send_due(matcher, first.key, first.time, it.at, &most);
        do
            more = wi_queue_pop_same(&matcher->queue, &next);
        while (more && next.at == it.at && next.what == it.what);
    }
    if (most.count > PASSED_FEW)
        drop_taken_away(matcher, first.key, first.time, &most);
}

weir_stream weir_as_of_join(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                            const weir_latest *how, const weir_join_kernel *kernel, void *arg,
                            weir_late_pair *late_out)
{
    latest_plan *call = WI_NEW(latest_plan);
    *call = (latest_plan){.plan = {.name = "as_of_join",
                                   .inputs = 2,
                                   .by_row = true,
                                   .lateness = how->lateness,
                                   .sending = {.kernel = kernel,
                                               .alone = {how->alone},
                                               .arg = arg,
                                               .start_at = WI_NOWHERE,
                                               .end_at = WI_NOWHERE},
                                   .take = take,
                                   .due = due,
                                   .expire = expire},
                          .strict = how->strict,
                          .limited = how->limited,
                          .tolerance = how->tolerance};
    if (how->limited && how->tolerance < 0)
        weir_scope_fail(a.scope, "as_of_join `%s`: its tolerance is %lld; it must not be negative",
                        kernel->name, (long long)how->tolerance);
    wi_match_side sides[] = {{a, a_key, how->a_time, "time of a"},
                             {b, b_key, how->b_time, "time of b"}};
    weir_stream late[2];
    weir_stream results = wi_match_build(&call->plan, sides, kernel->name, kernel->out, late);
    if (late_out)
        *late_out = (weir_late_pair){late[0], late[1]};
    return results;
}
