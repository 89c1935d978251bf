/* Rows that are there for a while, and the first ones of those. */
#include <stdlib.h>

#include "problem.h"

/* When a row comes and goes. False: never. */
static bool is_ever(const problem *of, const row *r, int64_t *comes_out, int64_t *goes_out)
{
    int64_t from = of->from ? r->event.at : INT64_MIN;
    *goes_out = of->until ? r->event.value : INT64_MAX;
    *comes_out = from > r->stamp ? from : r->stamp;
    return *comes_out < *goes_out || *goes_out == INT64_MAX;
}

void filter(expected *to)
{
    const side *in = &to->of->sides[0];
    for (uint32_t i = 0; i < in->count; i++) {
        const row *r = &in->rows[i];
        int64_t comes, goes;
        if (!is_ever(to->of, r, &comes, &goes))
            continue;
        add_result(to, &event_type, &r->event, comes, r->diff);
        if (goes < INT64_MAX)
            add_result(to, &event_type, &r->event, goes, -r->diff);
    }
}

/* ---- the first rows of each key, by `at` downwards --------------------------------------- */

typedef struct there {
    const row *row;
    int64_t count;
} there;

static int compare(const void *a, const void *b)
{
    const row *x = ((const there *)a)->row, *y = ((const there *)b)->row;
    if (x->event.at != y->event.at)
        return x->event.at > y->event.at ? -1 : 1;
    return weir_row_compare(&event_type, &x->event, &y->event);
}

/* The different rows that are there at a time at least once, in order. */
static uint32_t find_there(const problem *of, uint32_t key, int64_t now, there *out)
{
    const side *in = &of->sides[0];
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        const row *r = &in->rows[i];
        int64_t comes, goes;
        if (r->key != key || !is_ever(of, r, &comes, &goes) || now < comes ||
            (now >= goes && goes < INT64_MAX))
            continue;
        uint32_t at = 0;
        while (at < count && !weir_row_equal(&event_type, &out[at].row->event, &r->event))
            at++;
        if (at == count)
            out[count++] = (there){r, 0};
        out[at].count += r->diff;
    }
    for (uint32_t i = 0; i < count; i++)
        if (out[i].count > 0)
            out[kept++] = out[i];
    qsort(out, kept, sizeof *out, compare);
    return kept;
}

/* Of rows at places [first, first + count), those that are in the top. */
static int64_t taken(weir_top top, int64_t first, int64_t count)
{
    int64_t begin = (int64_t)top.offset, end = begin + (int64_t)top.limit;
    if (top.ties == WEIR_TIES_RANK)
        return first >= begin && first < end ? count : 0;
    begin = begin > first ? begin : first;
    end = end < first + count ? end : first + count;
    return end > begin ? end - begin : 0;
}

static void add_top(expected *to, uint32_t key, int64_t now, int64_t time, int64_t diff)
{
    static there rows[ROWS_MAX];
    uint32_t count = find_there(to->of, key, now, rows);
    int64_t place = 0, before = 0; /* before: rows with a greater `at` */
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || rows[i].row->event.at != rows[i - 1].row->event.at)
            before = place;
        bool ranks = to->of->top.ties == WEIR_TIES_RANK;
        int64_t times = taken(to->of->top, ranks ? before : place, rows[i].count);
        add_result(to, &event_type, &rows[i].row->event, time, times * diff);
        place += rows[i].count;
    }
}

void take_tops(expected *to)
{
    static int64_t times[2 * ROWS_MAX];
    const side *in = &to->of->sides[0];
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        int64_t comes, goes;
        if (is_ever(to->of, &in->rows[i], &comes, &goes)) {
            times[count++] = comes;
            times[count++] = goes;
        }
    }
    count = sort_times(times, count);
    for (uint32_t key = 0; key < KEYS; key++)
        for (uint32_t t = 0; t < count; t++) {
            add_top(to, key, times[t], times[t], 1);
            if (t)
                add_top(to, key, times[t - 1], times[t], -1);
        }
}
