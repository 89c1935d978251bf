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

/* What the window's results are with the rows stamped until `until`, times `diff`. */
static void add_window(expected *to, const window *in, int64_t until, int64_t time, int64_t diff)
{
    const problem *of = to->of;
    bool global = of->window.windows.kind == WEIR_GLOBAL;
    int64_t start = global ? INT64_MIN : saturated(in->start);
    int64_t end = global ? INT64_MAX : saturated(in->start + of->window.windows.size);
    int64_t has[2] = {0, 0};
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            const row *r = &of->sides[s].rows[i];
            has[s] += is_in(of, in, r) && r->stamp <= until ? r->diff : 0;
        }
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            const row *r = &of->sides[s].rows[i];
            if (!is_in(of, in, r) || r->stamp > until)
                continue;
            if (has[1 - s] <= 0 && (s == 0 ? of->window.a_alone : of->window.b_alone))
                add_match(to, s == 0 ? r : NULL, s == 0 ? NULL : r, start, end, time,
                          r->diff * diff);
            for (uint32_t j = 0; s == 0 && j < of->sides[1].count; j++) {
                const row *b = &of->sides[1].rows[j];
                if (is_in(of, in, b) && b->stamp <= until)
                    add_match(to, r, b, start, end, time, r->diff * b->diff * diff);
            }
        }
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

void join_windows(expected *to)
{
    const problem *of = to->of;
    const weir_windows *how = &of->window.windows;
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
