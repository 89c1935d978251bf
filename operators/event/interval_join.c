/* interval join: each row is compared, as it comes, with those of the other side that are there.
 * So each pair is met once, by the one of the two that comes second; its time is known then, too:
 * the greater of the stamps, which is not before the time of the batch that it came with. */
#include "interval.h"

#include "../../base/alloc.h"

bool wi_interval_reach(const wi_interval_plan *how, uint32_t side, int64_t time, int64_t *from_out,
                       int64_t *until_out)
{
    __int128 from = (__int128)time + (side == 0 ? how->from : -(__int128)how->until);
    __int128 until = (__int128)time + (side == 0 ? how->until : -(__int128)how->from);
    *from_out = from < INT64_MIN ? INT64_MIN : from > INT64_MAX ? INT64_MAX : (int64_t)from;
    *until_out = until < INT64_MIN ? INT64_MIN : until > INT64_MAX ? INT64_MAX : (int64_t)until;
    return from <= INT64_MAX && until >= INT64_MIN;
}

static bool is_outer(const wi_match_plan *plan)
{
    return plan->sending.alone[0] || plan->sending.alone[1];
}

static void send_pairs(wi_matcher *matcher, uint32_t side, const wi_match_key *key,
                       const void *row, const wi_entry *as, int64_t from, int64_t until)
{
    uint32_t other = 1 - side, end = wi_side_end(key, other);
    uint32_t at = wi_side_from(&matcher->store, key, other, from);
    for (; at < end; at = wi_side_next(key, other, at)) {
        const wi_entry *entry = wi_entry_at(&matcher->store, key, other, at);
        if (entry->time > until)
            break;
        int64_t time = entry->stamp > as->stamp ? entry->stamp : as->stamp;
        wi_sender_pair(&matcher->sender, side == 0 ? row : entry->row,
                       side == 0 ? entry->row : row, time, wi_diff_product(as->diff, entry->diff),
                       (wi_bounds){0, 0});
    }
}

static void take(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                 const wi_entry *as)
{
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    int64_t from, until;
    bool any = wi_interval_reach(how, side, as->time, &from, &until);
    if (any)
        send_pairs(matcher, side, key, row, as, from, until);
    bool outer = is_outer(matcher->plan);
    if (outer || (any && !wi_is_over(matcher, matcher->reached[1 - side], until)))
        wi_side_insert(&matcher->store, key, side, row, as->time, as->stamp, as->diff);
    if (outer)
        wi_interval_alone_take(matcher, side, key, as);
}

/* Rows whose reach is over on the other side; those of later times reach further. */
static void expire(void *arg, wi_match_key *key)
{
    wi_matcher *matcher = arg;
    const wi_interval_plan *how = (const wi_interval_plan *)matcher->plan;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t begin = wi_side_first(key, side), end = wi_side_end(key, side), at = begin;
        for (; at < end; at = wi_side_next(key, side, at)) {
            const wi_entry *row = wi_entry_at(&matcher->store, key, side, at);
            int64_t from, until;
            bool any = wi_interval_reach(how, side, row->time, &from, &until);
            if ((any && !wi_is_over(matcher, matcher->reached[1 - side], until)) ||
                (is_outer(matcher->plan) && wi_interval_alone_needs(matcher, side, row)))
                break;
        }
        wi_side_remove(&matcher->store, key, side, begin, at);
    }
}

weir_stream weir_interval_join(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                               const weir_interval *how, const weir_join_kernel *kernel, void *arg,
                               weir_late_pair *late_out)
{
    wi_interval_plan *call = WI_NEW(wi_interval_plan);
    call->from = how->from;
    call->until = how->until;
    call->plan = (wi_match_plan){.name = "interval_join",
                                 .inputs = 2,
                                 .lateness = how->lateness,
                                 .sending = {.kernel = kernel,
                                             .alone = {how->a_alone, how->b_alone},
                                             .arg = arg,
                                             .start_at = WI_NOWHERE,
                                             .end_at = WI_NOWHERE},
                                 .take = take,
                                 .due = wi_interval_alone_due,
                                 .expire = expire};
    if (how->from > how->until)
        weir_scope_fail(
            a.scope, "interval_join `%s`: its interval ends, at %lld, before it begins, at %lld",
            kernel->name, (long long)how->until, (long long)how->from);
    wi_match_side sides[] = {{a, a_key, how->a_time, "time of a"},
                             {b, b_key, how->b_time, "time of b"}};
    weir_stream late[2];
    weir_stream results = wi_match_build(&call->plan, sides, kernel->name, kernel->out, late);
    if (late_out)
        *late_out = (weir_late_pair){late[0], late[1]};
    return results;
}
