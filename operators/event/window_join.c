/* window join: pairs of rows that are in one window, sent when it closes. Sessions are in
 * session_join.c; this is about windows of a fixed width, and the global one.
 *
 * What is in a window of a key is one stretch of each side's entries. A key asks for the first
 * window that has a row in it and is open; when that closes, for the next one. Rows that come later
 * than the end of a window, but not too late, are due at their stamps: then pairs with them are
 * added to what had been sent.
 *
 * Starts are kept without saturation, as 128 bits: near the ends of the integers several windows
 * may close at the same last instant. */
#include "window_rows.h"

#include "../../base/alloc.h"

enum { ROW_LATE, WINDOW_CLOSES }; /* what is due */

typedef struct window_plan {
    wi_match_plan plan;
    weir_window_kind kind;
    int64_t size, slide;
} window_plan;

/* ---- windows ---------------------------------------------------------------------------- */

static int64_t clip(__int128 time)
{
    return time < INT64_MIN ? INT64_MIN : time > INT64_MAX ? INT64_MAX : (int64_t)time;
}

/* The first and the last start of windows that have this time. */
static __int128 first_start(const window_plan *how, int64_t time)
{
    int64_t rest = wi_floor_rest(time, how->slide) - how->size % how->slide;
    return (__int128)time - how->size - (rest < 0 ? rest + how->slide : rest) + how->slide;
}
static __int128 last_start(const window_plan *how, int64_t time)
{
    return (__int128)time - wi_floor_rest(time, how->slide);
}

/* The first start of windows whose last instant is at or after this one. */
static __int128 open_start(const window_plan *how, int64_t now)
{
    return first_start(how, now);
}

static int64_t last_instant(const window_plan *how, __int128 start)
{
    return clip(start + how->size - 1);
}

static int64_t last_of(const wi_match_plan *plan, int64_t time)
{
    const window_plan *how = (const window_plan *)plan;
    return how->kind == WEIR_GLOBAL ? INT64_MAX : last_instant(how, last_start(how, time));
}

/* ---- sending -------------------------------------------------------------------------- */

/* As it closes; or, `again`, what is new in it of a time, `seen` after others. */
static void send_window(wi_matcher *matcher, wi_match_key *key, __int128 start, int64_t now,
                        const int64_t *again, bool seen)
{
    const window_plan *how = (const window_plan *)matcher->plan;
    bool global = how->kind == WEIR_GLOBAL;
    wi_bounds bounds = {global ? INT64_MIN : clip(start),
                        global ? INT64_MAX : clip(start + how->size)};
    wi_window_rows_send(matcher, &(wi_window_rows){
                                     .key = key,
                                     .bounds = bounds,
                                     .first = bounds.start,
                                     .last = global ? INT64_MAX : last_instant(how, start),
                                     .now = now,
                                     .until = now,
                                     .again = again != NULL,
                                     .from = again ? *again : 0,
                                     .to = again ? *again : 0,
                                     .seen = seen});
}

/* ---- what is due ------------------------------------------------------------------------ */

static void ask(wi_matcher *matcher, wi_match_key *key, __int128 start)
{
    const window_plan *how = (const window_plan *)matcher->plan;
    bool global = how->kind == WEIR_GLOBAL;
    key->asked = true;
    key->asks = start;
    wi_queue_ask(&matcher->queue, matcher->op,
                 (wi_due){.time = global ? INT64_MAX : last_instant(how, start),
                          .key = key,
                          .what = WINDOW_CLOSES});
}

static void take(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                 const wi_entry *as)
{
    const window_plan *how = (const window_plan *)matcher->plan;
    wi_side_insert(&matcher->store, key, side, row, as->time, as->stamp, as->diff);
    if (how->kind == WEIR_GLOBAL) {
        if (!key->asked)
            ask(matcher, key, 0);
        return;
    }
    __int128 first = first_start(how, as->time), last = last_start(how, as->time);
    __int128 open = open_start(how, as->stamp), closed = open - how->slide;
    if (open <= last) {
        __int128 start = first > open ? first : open;
        if (!key->asked || start < key->asks)
            ask(matcher, key, start);
    }
    closed = closed < last ? closed : last;
    if (closed >= first && closed + how->size - 1 + how->plan.lateness >= as->stamp)
        wi_queue_ask(
            &matcher->queue, matcher->op,
            (wi_due){.time = as->stamp, .key = key, .what = ROW_LATE, .at = as->time});
}

/* Windows that had closed before `now`, are not over, and have this time; those before *from have
 * been seen with others. */
static void send_again(wi_matcher *matcher, wi_match_key *key, int64_t now, int64_t time,
                       __int128 *from)
{
    const window_plan *how = (const window_plan *)matcher->plan;
    __int128 first = first_start(how, time), last = last_start(how, time);
    __int128 alive = open_start(how, clip((__int128)now - how->plan.lateness));
    __int128 closed = open_start(how, now) - how->slide;
    first = first > alive ? first : alive;
    last = last < closed ? last : closed;
    for (; first <= last; first += how->slide) {
        send_window(matcher, key, first, now, &time, first < *from);
        *from = first < *from ? *from : first + how->slide;
    }
}

/* Asks for the first window that starts at or after `from` and has a row in it. */
static void ask_next(wi_matcher *matcher, wi_match_key *key, __int128 from)
{
    const window_plan *how = (const window_plan *)matcher->plan;
    bool any = false;
    __int128 next = 0;
    for (uint32_t side = 0; side < 2 && from <= INT64_MAX; side++) {
        uint32_t at = wi_side_from(&matcher->store, key, side, clip(from));
        if (at == wi_side_end(key, side))
            continue;
        __int128 start = first_start(how, wi_entry_at(&matcher->store, key, side, at)->time);
        start = start > from ? start : from;
        next = any && next < start ? next : start;
        any = true;
    }
    if (any)
        ask(matcher, key, next);
}

static void close_windows(wi_matcher *matcher, wi_match_key *key, int64_t now)
{
    const window_plan *how = (const window_plan *)matcher->plan;
    bool global = how->kind == WEIR_GLOBAL;
    if (!key->asked || (!global && last_instant(how, key->asks) != now))
        return;
    send_window(matcher, key, key->asks, now, NULL, false);
    key->asked = false;
    if (!global)
        ask_next(matcher, key, key->asks + how->slide);
}

static void due(wi_matcher *matcher, wi_due next)
{
    __int128 from = (__int128)INT64_MIN * 4;
    int64_t at = 0;
    bool any = false;
    do {
        if (next.what != ROW_LATE)
            close_windows(matcher, next.key, next.time);
        else if (!any || next.at != at)
            send_again(matcher, next.key, next.time, next.at, &from);
        any |= next.what == ROW_LATE;
        at = next.at;
    } while (wi_queue_pop_same(&matcher->queue, &next));
}

/* Rows whose last window is over. */
static void expire(void *arg, wi_match_key *key)
{
    wi_matcher *matcher = arg;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t begin = wi_side_first(key, side), end = wi_side_end(key, side), at = begin;
        for (; at < end; at = wi_side_next(key, side, at)) {
            int64_t time = wi_entry_at(&matcher->store, key, side, at)->time;
            if (!wi_is_over(matcher, matcher->both, last_of(matcher->plan, time)))
                break;
        }
        wi_side_remove(&matcher->store, key, side, begin, at);
    }
}

/* ---- building --------------------------------------------------------------------------- */

static void check_windows(weir_scope *scope, const weir_windows *how, const char *name)
{
    bool wide = how->kind == WEIR_TUMBLING || how->kind == WEIR_HOPPING;
    if (wide && how->size <= 0)
        weir_scope_fail(scope, "window_join `%s`: the size of its windows is not above 0", name);
    if (how->kind == WEIR_HOPPING && (how->slide <= 0 || how->slide > how->size))
        weir_scope_fail(
            scope, "window_join `%s`: its windows hop by less than 1, or by more than their size",
            name);
    if (how->kind == WEIR_SESSION && how->gap <= 0)
        weir_scope_fail(scope, "window_join `%s`: the gap between its sessions is not above 0",
                        name);
    if (how->kind == WEIR_COUNT)
        weir_scope_fail(scope, "window_join `%s`: its windows are to be of event time, not of rows",
                        name);
    if (how->trigger.rows || how->trigger.every || how->trigger.each || how->exact)
        weir_scope_fail(scope,
                        "window_join `%s`: has no triggers, and no sessions that become shorter",
                        name);
}

/* Where the out rows have a field of the window, which is in the unit of a's time. */
static uint32_t bound_at(weir_stream a, const weir_join_kernel *kernel, const char *time,
                         const char *field)
{
    weir_stream out = {.scope = a.scope, .type = kernel->out};
    wi_same_unit(a.scope, "window_join", a.type, time, kernel->out, field);
    return field ? wi_time_field(out, "window_join", "start or end", field) : WI_NOWHERE;
}

static wi_match_plan *plan_of(const weir_windows *how, wi_match_plan plan)
{
    if (how->kind == WEIR_SESSION) {
        wi_session_join_plan *sessions = WI_NEW(wi_session_join_plan);
        plan.last = wi_session_join_last;
        plan.settles = true;
        plan.take = wi_session_join_take;
        plan.due = wi_session_join_due;
        plan.expire = wi_session_join_expire;
        *sessions = (wi_session_join_plan){.plan = plan, .gap = how->gap > 0 ? how->gap : 1};
        return &sessions->plan;
    }
    window_plan *call = WI_NEW(window_plan);
    int64_t size = how->size > 0 ? how->size : 1, slide = how->slide > 0 ? how->slide : 1;
    plan.last = last_of;
    plan.take = take;
    plan.due = due;
    plan.expire = expire;
    *call = (window_plan){.plan = plan,
                          .kind = how->kind,
                          .size = size,
                          .slide = how->kind == WEIR_HOPPING ? slide : size};
    return &call->plan;
}

weir_stream weir_window_join(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                             const weir_window_match *how, const weir_join_kernel *kernel,
                             void *arg, weir_late_pair *late_out)
{
    const weir_windows *windows = &how->windows;
    check_windows(a.scope, windows, kernel->name);
    wi_match_plan plan = {.name = "window_join",
                          .inputs = 2,
                          .go_on = wi_window_rows_go_on,
                          .lateness = windows->lateness,
                          .sending = {.kernel = kernel,
                                      .alone = {how->a_alone, how->b_alone},
                                      .arg = arg,
                                      .start_at = bound_at(a, kernel, windows->time, how->start),
                                      .end_at = bound_at(a, kernel, windows->time, how->end)}};
    wi_match_side sides[] = {
        {a, a_key, windows->time, "time of a"},
        {b, b_key, how->b_time ? how->b_time : windows->time, "time of b"}};
    weir_stream late[2];
    weir_stream results =
        wi_match_build(plan_of(windows, plan), sides, kernel->name, kernel->out, late);
    if (late_out)
        *late_out = (weir_late_pair){late[0], late[1]};
    return results;
}
