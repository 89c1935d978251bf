/* interval join, outer: rows of which no partner came.
 *
 * A row with `alone` is due when its interval is over: at the last time that matches it, or at its
 * stamp if that is greater. It is sent then, if it has no partners stamped until then. One can
 * still come if it is behind its stamp, but not late: such a row is due at its stamp, and rows that
 * had been due before are looked at again: those that are alone no more are taken back; those whose
 * last partner was taken away are sent.
 *
 * So rows are kept longer than for pairs: as long as a row of the other side may need them, which
 * is kept until no partner of its own can come. */
#include "interval.h"

enum { DUE, COMES_LATE = 2 }; /* what is due: and the side, 0 or 1 */

static bool may_be_alone(const wi_matcher *matcher, uint32_t side)
{
    return matcher->plan->sending.alone[side] != NULL;
}

static int64_t due_of(const wi_interval_plan *how, uint32_t side, int64_t time, int64_t stamp)
{
    int64_t from, until;
    wi_interval_reach(how, side, time, &from, &until);
    return until > stamp ? until : stamp;
}

void wi_interval_alone_take(wi_matcher *matcher, uint32_t side, wi_match_key *key,
                            const wi_entry *as)
{
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    wi_due due = {.time = due_of(how, side, as->time, as->stamp),
                  .key = key,
                  .what = DUE + side,
                  .at = as->time};
    if (may_be_alone(matcher, side))
        wi_queue_ask(&matcher->queue, matcher->op, due);
    due.time = as->stamp;
    due.what = COMES_LATE + side;
    if (may_be_alone(matcher, 1 - side) && as->time < as->stamp)
        wi_queue_ask(&matcher->queue, matcher->op, due);
}

/* Whether a row has partners: now, of those stamped until `now`, and before. */
static void find_partners(const wi_matcher *matcher, const wi_match_key *key, uint32_t side,
                          int64_t time, int64_t now, bool *is_out, bool *was_out)
{
    uint32_t other = 1 - side, end = wi_side_end(key, other);
    uint64_t is = 0, was = 0;
    int64_t from, until;
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    if (wi_interval_reach(how, side, time, &from, &until))
        for (uint32_t i = wi_side_from(&matcher->store, key, other, from); i < end;
             i = wi_side_next(key, other, i)) {
            const wi_entry *entry = wi_entry_at(&matcher->store, key, other, i);
            if (entry->time > until || ((int64_t)was > 0 && !matcher->takes_away[other]))
                break;
            is += entry->stamp <= now ? (uint64_t)entry->diff : 0;
            was += entry->stamp < now ? (uint64_t)entry->diff : 0;
        }
    *is_out = (int64_t)is > 0;
    *was_out = (int64_t)was > 0;
}

/* Rows of a side with times in [from, until]: those that are due now, or, `again`, were before. */
static void look_at(wi_matcher *matcher, const wi_match_key *key, uint32_t side, int64_t from,
                    int64_t until, int64_t now, bool again)
{
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    uint32_t end = wi_side_end(key, side), i = wi_side_from(&matcher->store, key, side, from);
    for (; i < end; i = wi_side_next(key, side, i)) {
        const wi_entry *row = wi_entry_at(&matcher->store, key, side, i);
        if (row->time > until)
            break;
        int64_t due = due_of(how, side, row->time, row->stamp);
        bool is, was;
        if (again ? due >= now : due != now)
            continue;
        find_partners(matcher, key, side, row->time, now, &is, &was);
        uint64_t diff = is ? 0 : (uint64_t)row->diff;
        diff -= again && !was ? (uint64_t)row->diff : 0;
        wi_sender_alone(&matcher->sender, side, row->row, now, (int64_t)diff, (wi_bounds){0, 0});
    }
}

void wi_interval_alone_due(wi_matcher *matcher, wi_due next)
{
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    int64_t now = next.time, seen = 0, from, until;
    __int128 done[2] = {INT64_MIN, INT64_MIN}; /* what is before has been looked at again */
    uint32_t what = UINT32_MAX;
    do {
        uint32_t side = next.what % COMES_LATE;
        bool again = next.what >= COMES_LATE;
        if (next.what == what && next.at == seen)
            continue;
        what = next.what;
        seen = next.at;
        if (!again) {
            look_at(matcher, next.key, side, seen, seen, now, false);
        } else if (wi_interval_reach(how, side, seen, &from, &until) && until >= done[side]) {
            from = from > done[side] ? from : (int64_t)done[side];
            done[side] = (__int128)until + 1;
            look_at(matcher, next.key, 1 - side, from, until, now, true);
        }
    } while (wi_queue_pop_same(&matcher->queue, &next));
}

bool wi_interval_alone_needs(const wi_matcher *matcher, uint32_t side, const wi_entry *row)
{
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    int64_t from, until, last;
    if (!wi_is_complete(matcher->both, row->stamp))
        return true;
    wi_interval_reach(how, side, row->time, &from, &until);
    if (may_be_alone(matcher, side) && !wi_is_over(matcher, matcher->both, until))
        return true;
    /* The last row that this one is a partner of: it may still come; or have partners, until: */
    wi_interval_reach(how, 1 - side, until, &from, &last);
    return may_be_alone(matcher, 1 - side) && (!wi_is_over(matcher, matcher->both, until) ||
                                               !wi_is_over(matcher, matcher->both, last));
}
