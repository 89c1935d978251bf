/* What is right, computed from all rows: intervals and as-of. */
#include <stdlib.h>

#include "problem.h"

void add_result(expected *to, const weir_type *type, const void *result, int64_t time,
                int64_t diff)
{
    if (diff)
        test_list_add(&to->results, type, result, &WEIR_EPOCH(weir_event_epoch(time)), diff);
}

void add_match(expected *to, const row *a, const row *b, int64_t start, int64_t end,
                      int64_t time, int64_t diff)
{
    match out = {.a = 0};
    if (a && b) {
        if (!make_match(&a->event, &b->other, &out) && to->of->kernel->some)
            return;
    } else if (a) {
        out = (match){.key = a->event.key, .a = a->time, .sum = a->event.value * 10};
        out.note = a->event.note;
    } else {
        out = (match){.key = b->other.key, .b = b->time, .sum = b->other.value};
        out.note = b->other.note;
    }
    if (to->of->what == WINDOW && to->of->window.start)
        out.start = start;
    if (to->of->what == WINDOW && to->of->window.end)
        out.end = end;
    add_result(to, &match_type, &out, time, diff);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

uint32_t sort_times(int64_t *times, uint32_t count)
{
    uint32_t kept = 0;
    qsort(times, count, sizeof *times, compare_times);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || times[i] != times[i - 1])
            times[kept++] = times[i];
    return kept;
}

static bool in_interval(const problem *of, const row *a, const row *b)
{
    __int128 apart = (__int128)b->time - a->time;
    return !a->late && !b->late && a->key == b->key && apart >= of->interval.from &&
           apart <= of->interval.until;
}

static bool is_alone(const problem *of, int s, const row *r, int64_t until)
{
    int64_t partners = 0;
    for (uint32_t i = 0; i < of->sides[1 - s].count; i++) {
        const row *b = &of->sides[1 - s].rows[i];
        if (b->stamp <= until && in_interval(of, s == 0 ? r : b, s == 0 ? b : r))
            partners += b->diff;
    }
    return partners <= 0;
}

/* From when its interval is over on, a row is there while it is alone. */
static void add_alone(expected *to, int s, const row *r)
{
    const problem *of = to->of;
    static int64_t times[ROWS_MAX + 1];
    uint32_t count = 0;
    int64_t over = saturated((__int128)r->time +
                             (s == 0 ? of->interval.until : -(__int128)of->interval.from));
    times[count++] = over > r->stamp ? over : r->stamp;
    for (uint32_t i = 0; i < of->sides[1 - s].count; i++)
        if (of->sides[1 - s].rows[i].stamp > times[0])
            times[count++] = of->sides[1 - s].rows[i].stamp;
    count = sort_times(times, count);
    for (uint32_t t = 0; t < count; t++) {
        bool is = is_alone(of, s, r, times[t]), was = t && is_alone(of, s, r, times[t - 1]);
        if (is != was)
            add_match(to, s == 0 ? r : NULL, s == 0 ? NULL : r, 0, 0, times[t],
                      is ? r->diff : -r->diff);
    }
}

void join_intervals(expected *to)
{
    const problem *of = to->of;
    for (uint32_t i = 0; i < of->sides[0].count; i++)
        for (uint32_t j = 0; j < of->sides[1].count; j++) {
            const row *a = &of->sides[0].rows[i], *b = &of->sides[1].rows[j];
            if (in_interval(of, a, b))
                add_match(to, a, b, 0, 0, a->stamp > b->stamp ? a->stamp : b->stamp,
                          a->diff * b->diff);
        }
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++)
            if ((s == 0 ? of->interval.a_alone : of->interval.b_alone) &&
                !of->sides[s].rows[i].late)
                add_alone(to, s, &of->sides[s].rows[i]);
}

/* ---- as-of ------------------------------------------------------------------------------ */

/* Of the rows of `b` stamped until `until`. */
static const row *match_of(const problem *of, const row *a, int64_t until)
{
    const row *best = NULL;
    const side *b = &of->sides[1];
    for (uint32_t j = 0; j < b->count; j++) {
        const row *r = &b->rows[j];
        __int128 before = (__int128)a->time - r->time;
        if (r->late || r->key != a->key || r->stamp > until || before < of->latest.strict ||
            (of->latest.limited && before > of->latest.tolerance))
            continue;
        int64_t there = 0;
        for (uint32_t k = 0; k < b->count; k++)
            if (!b->rows[k].late && b->rows[k].stamp <= until &&
                weir_row_equal(&other_type, &b->rows[k].other, &r->other))
                there += b->rows[k].diff;
        if (there > 0 &&
            (!best || r->time > best->time ||
             (r->time == best->time && weir_row_compare(&other_type, &r->other, &best->other) > 0)))
            best = r;
    }
    return best;
}

void join_as_of(expected *to)
{
    const problem *of = to->of;
    static int64_t times[ROWS_MAX + 1];
    for (uint32_t i = 0; i < of->sides[0].count; i++) {
        const row *a = &of->sides[0].rows[i];
        if (a->late)
            continue;
        uint32_t count = 0;
        times[count++] = a->time > a->stamp ? a->time : a->stamp;
        for (uint32_t j = 0; j < of->sides[1].count; j++)
            if (of->sides[1].rows[j].stamp > times[0])
                times[count++] = of->sides[1].rows[j].stamp;
        count = sort_times(times, count);
        for (uint32_t t = 0; t < count; t++) {
            const row *is = match_of(of, a, times[t]);
            const row *was = t ? match_of(of, a, times[t - 1]) : NULL;
            if (is || of->latest.alone)
                add_match(to, a, is, 0, 0, times[t], a->diff);
            if (t && (was || of->latest.alone))
                add_match(to, a, was, 0, 0, times[t], -a->diff);
        }
    }
}

