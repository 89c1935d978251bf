/* What sessions, and windows with a trigger, must send: played through, moment by moment, as lists
 * of rows from which every result is computed anew. A window of a width is played on its own, the
 * sessions of a key together. */
#include <stdlib.h>
#include <string.h>

#include "naive.h"

typedef struct window {
    int64_t start, last;
    rows all;
    rows news; /* the rows that have come since it last fired */
    tally sent[ROWS_MAX];
    uint32_t sent_count;
    int64_t count; /* of the trigger */
    bool changed, gone;
    bool wrong; /* what it has sent */
} window;

typedef struct windows {
    window at[2 * ROWS_MAX];
    uint32_t count;
} windows;

static void take_back(expected *to, window *of, int64_t time)
{
    for (uint32_t i = 0; i < of->sent_count; i++)
        expect_result(to, &of->sent[i], time, -1);
    of->sent_count = 0;
}

static void fire(expected *to, window *of, int64_t time)
{
    tally result;
    weir_window_output output = to->of->how.output;
    take_back(to, of, time);
    if (result_of(to, output == WEIR_DISCARDING ? &of->news : &of->all, of->start, of->last,
                  &result)) {
        expect_result(to, &result, time, 1);
        if (output == WEIR_RETRACTING)
            of->sent[of->sent_count++] = result;
    }
    of->news.count = 0;
    of->count = 0;
    of->changed = of->wrong = false;
}

static void append(rows *to, const rows *from)
{
    memcpy(&to->at[to->count], from->at, from->count * sizeof *from->at);
    to->count += from->count;
}

/* ---- sessions --------------------------------------------------------------------------- */

static bool joins(const window *a, const window *b)
{
    return a->start <= (__int128)b->last + 1 && b->start <= (__int128)a->last + 1;
}

static void take_in(expected *to, window *into, window *from, int64_t last, int64_t now)
{
    const weir_windows *how = &to->of->how;
    bool had_closed = from->last < now && !how->trigger.not_on_close;
    if (last > now && from->changed && had_closed && how->output != WEIR_RETRACTING)
        fire(to, from, now);
    append(&into->all, &from->all);
    append(&into->news, &from->news);
    memcpy(&into->sent[into->sent_count], from->sent, from->sent_count * sizeof *from->sent);
    into->sent_count += from->sent_count;
    into->count += from->count;
    into->wrong |= from->sent_count && (from->wrong || had_closed);
    into->start = from->start < into->start ? from->start : into->start;
    into->last = from->last > into->last ? from->last : into->last;
    from->gone = true;
}

static window *join(expected *to, windows *in, uint32_t index)
{
    const update *u = &to->of->rows[index];
    window *merged = &in->at[in->count++];
    *merged = (window){.start = u->row.at,
                       .last = saturated((__int128)u->row.at + to->of->how.gap - 1)};
    window alone = *merged;
    int64_t last = alone.last;
    bool joined = false;
    for (uint32_t s = 0; s + 1 < in->count; s++)
        if (!in->at[s].gone && joins(&alone, &in->at[s])) {
            last = in->at[s].last > last ? in->at[s].last : last;
            joined = true;
        }
    for (uint32_t s = 0; s + 1 < in->count; s++)
        if (!in->at[s].gone && joins(&alone, &in->at[s]))
            take_in(to, merged, &in->at[s], last, u->stamp);
    if (joined || takes(to->of, u, last))
        return merged;
    expect_missed(to, u, 1, true);
    in->count--;
    return NULL;
}

/* Without the rows of a time whose diffs add up to 0. */
static void cancel(const problem *of, rows *all, int64_t time)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < all->count; i++)
        sum += of->rows[all->at[i]].row.at == time ? of->rows[all->at[i]].diff : 0;
    if (sum)
        return;
    rows left = {.count = 0};
    for (uint32_t i = 0; i < all->count; i++)
        if (of->rows[all->at[i]].row.at != time)
            left.at[left.count++] = all->at[i];
    *all = left;
}

static int compare_rows(const void *a, const void *b)
{
    const update *const *x = a, *const *y = b;
    return (*x)->row.at < (*y)->row.at ? -1 : (*x)->row.at > (*y)->row.at;
}

/* An exact session that has lost a time: the first part is in its place. */
static void fall_apart(expected *to, windows *in, window *of, uint32_t index)
{
    const problem *with = to->of;
    int64_t now = with->rows[index].stamp;
    const update *left[ROWS_MAX];
    uint32_t count = of->all.count, parts = 0;
    for (uint32_t i = 0; i < count; i++)
        left[i] = &with->rows[of->all.at[i]];
    qsort(left, count, sizeof *left, compare_rows);
    window was = *of, *part = of;
    for (uint32_t i = 0; i < count; i++) {
        bool apart = i && (__int128)left[i]->row.at - left[i - 1]->row.at > with->how.gap;
        if (apart) {
            part = &in->at[in->count++];
            *part = (window){.changed = true, .news = {{index}, 1}};
        }
        if (apart || i == 0) {
            parts++;
            part->start = left[i]->row.at;
            part->all.count = 0;
        }
        part->all.at[part->all.count++] = (uint32_t)(left[i] - with->rows);
        part->last = saturated((__int128)left[i]->row.at + with->how.gap - 1);
    }
    if (parts == 0) {
        take_back(to, &was, now);
        of->gone = true;
    }
}

/* ---- moments ---------------------------------------------------------------------------- */

/* Of a key: its sessions, or the one window that begins at `start`. */
typedef struct play {
    uint32_t key;
    bool one;
    __int128 start;
} play;

static bool is_in(const problem *of, const play *in, const update *u)
{
    return u->key == in->key &&
           (!in->one || (has(of, in->start, u->row.at) && takes(of, u, last_of(of, in->start))));
}

/* The last time before the first multiple that is behind a time; beyond i64 if there is none. */
static __int128 before_multiple(const problem *of, __int128 time)
{
    __int128 every = of->how.trigger.every;
    __int128 multiple = time - (time % every + every) % every + every;
    return multiple > INT64_MAX ? multiple : multiple - 1;
}

static void earlier(__int128 *next, __int128 time, __int128 now)
{
    if (time > now && time < *next)
        *next = time;
}

static __int128 next_moment(const problem *of, const play *in, const windows *all, __int128 now)
{
    __int128 next = (__int128)INT64_MAX + 1;
    for (uint32_t i = 0; i < of->count; i++) {
        if (!is_in(of, in, &of->rows[i]))
            continue;
        earlier(&next, of->rows[i].stamp, now);
        if (!of->how.trigger.every)
            continue;
        earlier(&next, before_multiple(of, of->rows[i].stamp), now);
        earlier(&next, before_multiple(of, of->rows[i].row.at), now);
        if (in->one)
            earlier(&next, before_multiple(of, in->start), now);
    }
    for (uint32_t w = 0; w < all->count; w++)
        if (!all->at[w].gone)
            earlier(&next, all->at[w].last, now);
    return next;
}

static void put(expected *to, const play *in, windows *all, uint32_t index)
{
    const update *u = &to->of->rows[index];
    const weir_windows *how = &to->of->how;
    window *into = &all->at[0];
    if (!in->one)
        into = join(to, all, index);
    else if (all->count++ == 0)
        *into = (window){.start = saturated(in->start), .last = last_of(to->of, in->start)};
    all->count = in->one ? 1 : all->count;
    if (!into)
        return;
    rows row = {{index}, 1};
    append(&into->all, &row);
    append(&into->news, &row);
    into->changed = true;
    into->count += u->diff;
    if (how->exact && !in->one) {
        cancel(to->of, &into->all, u->row.at);
        fall_apart(to, all, into, index);
    }
    if (!into->gone && how->trigger.rows && into->count >= how->trigger.rows)
        fire(to, into, u->stamp);
}

/* Whether a multiple is now reached that is behind the start, or, for all of time, behind some row
 * that is new. */
static bool reaches_multiple(const problem *of, const window *at, int64_t now)
{
    int64_t every = of->how.trigger.every;
    if (!every || now == INT64_MAX || (now + 1) % every != 0)
        return false;
    for (uint32_t i = 0; i < at->news.count; i++)
        if ((of->how.kind == WEIR_GLOBAL ? of->rows[at->news.at[i]].row.at : at->start) <= now)
            return true;
    return false;
}

static void settle(expected *to, window *at, int64_t now)
{
    const weir_trigger *trigger = &to->of->how.trigger;
    bool closes = at->last <= now, fires;
    if (closes && !trigger->not_on_close)
        fires = at->changed || at->last == now;
    else
        fires = (trigger->each && at->changed) || reaches_multiple(to->of, at, now);
    if (fires && (at->changed || to->of->how.output != WEIR_RETRACTING))
        fire(to, at, now);
    else if (at->wrong)
        take_back(to, at, now);
    at->wrong = false;
}

static void play_all(expected *to, const play *in)
{
    static windows all;
    const problem *of = to->of;
    all.count = 0;
    __int128 time = (__int128)INT64_MIN - 1;
    while ((time = next_moment(of, in, &all, time)) <= INT64_MAX) {
        int64_t now = (int64_t)time;
        for (uint32_t w = 0; w < all.count; w++)
            all.at[w].gone |= saturated((__int128)all.at[w].last + of->how.lateness) < now;
        for (uint32_t i = 0; i < of->count; i++)
            if (of->rows[i].stamp == now && is_in(of, in, &of->rows[i]))
                put(to, in, &all, i);
        for (uint32_t w = 0; w < all.count; w++)
            if (!all.at[w].gone)
                settle(to, &all.at[w], now);
    }
}

static void play_window(expected *to, uint32_t key, __int128 start)
{
    play_all(to, &(play){.key = key, .one = true, .start = start});
}

void expect_played(expected *to)
{
    if (to->of->how.kind != WEIR_SESSION)
        each_window(to, play_window);
    for (uint32_t key = 0; key < KEYS && to->of->how.kind == WEIR_SESSION; key++)
        play_all(to, &(play){.key = key});
}
