/* Which rows are kept, of those that are near each other: played through, stamp by stamp. */
#include <stdlib.h>

#include "problem.h"

typedef struct kept {
    const row *row;
    int64_t count;
} kept;

static int in_order(const row *a, const row *b)
{
    return a->time != b->time ? (a->time < b->time ? -1 : 1)
                              : weir_row_compare(&event_type, &a->event, &b->event);
}

static void drop(expected *to, kept *all, uint32_t *count, uint32_t at, int64_t now)
{
    add_result(to, &event_type, &all[at].row->event, now, -1);
    all[at] = all[--*count];
}

static void keep_row(expected *to, kept *all, uint32_t *count, const row *r, int64_t diff,
                     int64_t now)
{
    const weir_duplicates *how = &to->of->duplicates;
    uint32_t before = UINT32_MAX, after = UINT32_MAX;
    for (uint32_t k = 0; k < *count; k++) {
        const row *mine = all[k].row;
        if (mine->key != r->key)
            continue;
        if (in_order(mine, r) == 0) {
            all[k].count += diff;
            if (all[k].count <= 0)
                drop(to, all, count, k, now);
            return;
        }
        __int128 apart = (__int128)r->time - mine->time;
        if (apart >= how->within || -apart >= how->within)
            continue;
        uint32_t *nearest = in_order(mine, r) < 0 ? &before : &after;
        int direction = nearest == &before ? 1 : -1;
        if (*nearest == UINT32_MAX || in_order(mine, all[*nearest].row) == direction)
            *nearest = k;
    }
    if (diff <= 0 || (before != UINT32_MAX && how->keep != WEIR_KEEP_LAST) ||
        (after != UINT32_MAX && how->keep != WEIR_KEEP_FIRST))
        return;
    if (before != UINT32_MAX || after != UINT32_MAX)
        drop(to, all, count, before != UINT32_MAX ? before : after, now);
    add_result(to, &event_type, &r->event, now, 1);
    all[(*count)++] = (kept){r, diff};
}

static int compare_rows(const void *a, const void *b)
{
    return in_order(*(const row *const *)a, *(const row *const *)b);
}

void deduplicate(expected *to)
{
    static kept all[ROWS_MAX];
    uint32_t count = 0;
    const side *in = &to->of->sides[0];
    for (uint32_t begin = 0, end; begin < in->count; begin = end) {
        const row *now[ROWS_MAX];
        uint32_t n = 0;
        for (end = begin; end < in->count && in->rows[end].stamp == in->rows[begin].stamp; end++)
            if (!in->rows[end].late)
                now[n++] = &in->rows[end];
        qsort(now, n, sizeof *now, compare_rows);
        for (int adding = 0; adding < 2; adding++)
            for (uint32_t i = 0, next; i < n; i = next) {
                int64_t diff = 0;
                for (next = i; next < n && in_order(now[i], now[next]) == 0; next++)
                    diff += now[next]->diff;
                if (adding ? diff > 0 : diff < 0)
                    keep_row(to, all, &count, now[i], diff, in->rows[begin].stamp);
            }
    }
}
