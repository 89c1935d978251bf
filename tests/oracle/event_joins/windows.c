/* What is right, computed from all rows: windows. */
#include "problem.h"

static __int128 slide_of(const problem *of)
{
    const weir_windows *how = &of->window.windows;
    return how->kind == WEIR_HOPPING ? how->slide : how->size;
}

static __int128 last_start(const problem *of, int64_t time)
{
    __int128 start = time - time % slide_of(of);
    return start > time ? start - slide_of(of) : start;
}

int64_t last_window_of(const problem *of, int64_t time)
{
    const weir_windows *how = &of->window.windows;
    if (how->kind == WEIR_SESSION)
        return saturated((__int128)time + how->gap - 1);
    return how->kind == WEIR_GLOBAL ? INT64_MAX
                                    : saturated(last_start(of, time) + how->size - 1);
}

typedef struct window {
    __int128 start;
    uint32_t key;
    int64_t last;
} window;

static bool is_in(const problem *of, const window *in, const row *r)
{
    const weir_windows *how = &of->window.windows;
    bool has = how->kind == WEIR_GLOBAL ||
               (r->time >= in->start && r->time < in->start + how->size);
    return has && r->key == in->key &&
           saturated((__int128)in->last + how->lateness) >= r->stamp;
}

/* Some rows of both sides, by their indexes. */
typedef struct members {
    uint32_t at[2][ROWS_MAX];
    uint32_t count[2];
} members;

/* What a window with these rows sends, times `diff`. */
static void add_members(expected *to, const members *in, int64_t start, int64_t end, int64_t time,
                        int64_t diff)
{
    const problem *of = to->of;
    int64_t has[2] = {0, 0};
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < in->count[s]; i++)
            has[s] += of->sides[s].rows[in->at[s][i]].diff;
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < in->count[s]; i++) {
            const row *r = &of->sides[s].rows[in->at[s][i]];
            if (has[1 - s] <= 0 && (s == 0 ? of->window.a_alone : of->window.b_alone))
                add_match(to, s == 0 ? r : NULL, s == 0 ? NULL : r, start, end, time,
                          r->diff * diff);
            for (uint32_t j = 0; s == 0 && j < in->count[1]; j++) {
                const row *b = &of->sides[1].rows[in->at[1][j]];
                add_match(to, r, b, start, end, time, r->diff * b->diff * diff);
            }
        }
}

/* What the window's results are with the rows stamped until `until`, times `diff`. */
static void add_window(expected *to, const window *in, int64_t until, int64_t time, int64_t diff)
{
    const problem *of = to->of;
    bool global = of->window.windows.kind == WEIR_GLOBAL;
    int64_t start = global ? INT64_MIN : saturated(in->start);
    int64_t end = global ? INT64_MAX : saturated(in->start + of->window.windows.size);
    static members all;
    for (int s = 0; s < 2; s++) {
        all.count[s] = 0;
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            const row *r = &of->sides[s].rows[i];
            if (is_in(of, in, r) && r->stamp <= until)
                all.at[s][all.count[s]++] = i;
        }
    }
    add_members(to, &all, start, end, time, diff);
}

static void join_window(expected *to, const window *in)
{
    const problem *of = to->of;
    static int64_t times[2 * ROWS_MAX + 1];
    uint32_t count = 0;
    times[count++] = in->last;
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++)
            if (is_in(of, in, &of->sides[s].rows[i]) && of->sides[s].rows[i].stamp > in->last)
                times[count++] = of->sides[s].rows[i].stamp;
    count = sort_times(times, count);
    for (uint32_t t = 0; t < count; t++) {
        add_window(to, in, times[t], times[t], 1);
        if (t)
            add_window(to, in, times[t - 1], times[t], -1);
    }
}

/* ---- sessions: played through, but each time anew ---------------------------------------- */

typedef struct session {
    members in;
    int64_t first, latest;
} session;

typedef struct sessions {
    session at[2 * ROWS_MAX];
    uint32_t count;
} sessions;

static void put_row(const problem *of, sessions *in, int s, uint32_t index)
{
    session one = {.in.count = {0, 0}};
    one.first = one.latest = of->sides[s].rows[index].time;
    one.in.at[s][one.in.count[s]++] = index;
    for (uint32_t i = 0; i < in->count; i++) {
        session *met = &in->at[i];
        if ((__int128)one.first - met->latest > of->window.windows.gap ||
            (__int128)met->first - one.latest > of->window.windows.gap)
            continue;
        for (int t = 0; t < 2; t++)
            for (uint32_t j = 0; j < met->in.count[t]; j++)
                one.in.at[t][one.in.count[t]++] = met->in.at[t][j];
        one.first = met->first < one.first ? met->first : one.first;
        one.latest = met->latest > one.latest ? met->latest : one.latest;
        *met = in->at[--in->count];
        i = UINT32_MAX; /* from the beginning again: it has grown */
    }
    in->at[in->count++] = one;
}

static void add_closed(expected *to, const sessions *in, int64_t until, int64_t time, int64_t diff)
{
    for (uint32_t i = 0; i < in->count; i++) {
        int64_t last = last_window_of(to->of, in->at[i].latest);
        if (last <= until)
            add_members(to, &in->at[i].in, in->at[i].first, saturated((__int128)last + 1), time,
                        diff);
    }
}

static bool is_near(const problem *of, const sessions *in, const row *r)
{
    for (uint32_t i = 0; i < in->count; i++)
        if ((__int128)r->time - in->at[i].latest <= of->window.windows.gap &&
            (__int128)in->at[i].first - r->time <= of->window.windows.gap)
            return true;
    return false;
}

/* Rows stamped `now`: those that are not late by themselves; and then each that is near a session,
 * until none is left that is. */
static void put_rows(problem *of, sessions *in, uint32_t key, int64_t now)
{
    bool first = true, more = true;
    for (; more; first = false) {
        more = first;
        for (int s = 0; s < 2; s++)
            for (uint32_t i = 0; i < of->sides[s].count; i++) {
                row *r = &of->sides[s].rows[i];
                if (r->key != key || r->stamp != now || (first ? r->late : !r->late) ||
                    (!first && !is_near(of, in, r)))
                    continue;
                r->late = false;
                put_row(of, in, s, i);
                more = true;
            }
    }
}

static void play_key(expected *to, uint32_t key, const int64_t *times, uint32_t count)
{
    const problem *of = to->of;
    static sessions in;
    in.count = 0;
    for (uint32_t t = 0; t < count; t++) {
        for (uint32_t i = in.count; i-- > 0;) {
            __int128 last = last_window_of(of, in.at[i].latest);
            if (last + of->window.windows.lateness < times[t] &&
                last + of->window.windows.lateness < INT64_MAX)
                in.at[i] = in.at[--in.count];
        }
        if (times[t] > INT64_MIN)
            add_closed(to, &in, times[t] - 1, times[t], -1);
        put_rows(to->of, &in, key, times[t]);
        add_closed(to, &in, times[t], times[t], 1);
    }
}

static void join_sessions(expected *to)
{
    const problem *of = to->of;
    static int64_t times[4 * ROWS_MAX];
    uint32_t count = 0;
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            times[count++] = of->sides[s].rows[i].stamp;
            times[count++] = last_window_of(of, of->sides[s].rows[i].time);
        }
    count = sort_times(times, count);
    for (uint32_t key = 0; key < KEYS; key++)
        play_key(to, key, times, count);
}

void join_windows(expected *to)
{
    const problem *of = to->of;
    const weir_windows *how = &of->window.windows;
    if (how->kind == WEIR_SESSION) {
        join_sessions(to);
        return;
    }
    static window met[2 * ROWS_MAX * 64];
    uint32_t count = 0;
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            const row *r = &of->sides[s].rows[i];
            bool global = how->kind == WEIR_GLOBAL;
            __int128 start = global ? 0 : last_start(of, r->time);
            for (; global || start + how->size > r->time; start -= slide_of(of)) {
                window one = {start, r->key,
                              global ? INT64_MAX : saturated(start + how->size - 1)};
                bool new = true;
                for (uint32_t m = 0; m < count && new; m++)
                    new = met[m].start != one.start || met[m].key != one.key;
                if (new) {
                    met[count++] = one;
                    join_window(to, &one);
                }
                if (global)
                    break;
            }
        }
}
