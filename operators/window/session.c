/* Sessions: a row is a session of its own, [time, time + gap), which merges with those that it
 * overlaps or touches. What is left is one session, in the place of the first. What rows that are
 * taken away do to it, if it is to be exact, is in exact.c. */
#include "moment.h"

#include "../../base/alloc.h"

/* The sessions [*begin_out, *end_out) that a session would merge with. */
static void find_joined(const wi_window_key *key, int64_t start, int64_t last, uint32_t *begin_out,
                        uint32_t *end_out)
{
    const wi_sorted *windows = &key->windows;
    *begin_out = *end_out = wi_windows_from(key, wi_subtract_saturating(start, 1));
    while (*end_out < wi_sorted_end(windows) &&
           wi_window_at(key, *end_out)->start <= wi_add_saturating(last, 1))
        *end_out = wi_sorted_next(windows, *end_out);
}

static void move_sent(wi_window *to, wi_window *from)
{
    wi_sent **end = &to->sent;
    while (*end)
        end = &(*end)->next;
    *end = from->sent;
    from->sent = NULL;
}

/* What a closed session has not said yet, it says now, before it is a part of an open one. When
 * retracting, it would be taken back at once. */
static void speak_up(wi_now *now, const wi_window_key *key, wi_window *session)
{
    if (session->dirty && session->last < now->time && now->call->how.output != WEIR_RETRACTING)
        wi_now_fire(now, key, session);
}

/* Results of a session that had closed are no longer right if it becomes a part of another; those
 * from before it closed stand until that one fires. */
static bool is_wrong(const wi_now *now, const wi_window *session)
{
    bool had_closed = session->last < now->time && !now->call->how.trigger.not_on_close;
    return session->sent && (session->wrong || had_closed);
}

static void take_over(wi_now *now, wi_window *to, wi_window *from)
{
    to->stale |= from->stale;
    if (!to->stale)
        wi_acc_combine(now->call, now->keys, to->acc, from->acc, 1);
    move_sent(to, from);
    to->fresh = (int64_t)((uint64_t)to->fresh + (uint64_t)from->fresh);
    to->due = from->due < to->due ? from->due : to->due;
}

/* Makes one session of [begin, end), which has a row with these limits, too. */
static wi_window *merge(wi_now *now, wi_window_key *key, uint32_t begin, uint32_t end,
                        int64_t start, int64_t last)
{
    const wi_sorted *windows = &key->windows;
    wi_window *merged = wi_window_at(key, begin);
    uint32_t others = wi_sorted_next(windows, begin);
    bool wrong = false;
    start = merged->start < start ? merged->start : start;
    for (uint32_t i = begin; i < end; i = wi_sorted_next(windows, i))
        last = wi_window_at(key, i)->last > last ? wi_window_at(key, i)->last : last;
    for (uint32_t i = begin; i < end && last > now->time; i = wi_sorted_next(windows, i))
        speak_up(now, key, wi_window_at(key, i));
    for (uint32_t i = begin; i < end; i = wi_sorted_next(windows, i))
        wrong |= is_wrong(now, wi_window_at(key, i));
    for (uint32_t i = others; i < end; i = wi_sorted_next(windows, i))
        take_over(now, merged, wi_window_at(key, i));
    wi_windows_remove(now->call, key, others, end);
    merged->start = start;
    merged->last = last;
    merged->closed = false;
    merged->dirty = false;
    merged->marked = false;
    merged->wrong = wrong;
    return merged;
}

bool wi_now_session(wi_now *now, wi_window_key *key, int64_t time, const void *row, int64_t diff)
{
    int64_t start = time, last = wi_add_saturating(time, now->call->how.gap - 1);
    uint32_t begin, end;
    find_joined(key, start, last, &begin, &end);
    wi_window *session;
    if (begin < end)
        session = merge(now, key, begin, end, start, last);
    else if (wi_expired(now, last))
        return false;
    else
        session = wi_windows_insert(now->call, key, &begin, start, last);
    if (now->call->how.exact) {
        wi_now_exact(now, key, begin, time, row, diff);
        return true;
    }
    wi_acc_fold(now->call, now->keys, session->acc, row, diff);
    wi_now_changed(now, key, session, time, diff);
    return true;
}
