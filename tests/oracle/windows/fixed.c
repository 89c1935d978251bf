/* What windows of a width must send, from definitions: which rows a window takes depends on their
 * stamps alone. And what all oracles of windows have in common. */
#include <stdlib.h>

#include "naive.h"

bool result_of(const expected *to, const rows *of, int64_t start, int64_t last, tally *out)
{
    *out = (tally){.start = start, .end = saturated((__int128)last + 1)};
    for (uint32_t i = 0; i < of->count; i++) {
        const update *u = &to->of->rows[of->at[i]];
        out->key = u->row.key;
        out->rows += u->diff;
        out->sum += u->row.value * u->diff;
        if (!to->of->how.inverse && longer(&u->row.note, &out->longest))
            out->longest = u->row.note;
    }
    bool left = to->of->boxed ? of->count > 0 : out->sum != 0 || out->longest.length > 0;
    if (to->of->boxed)
        out->longest = weir_text_c("boxed");
    if (to->of->doubled)
        out->sum *= 2;
    return out->rows != 0 || (left && to->of->how.output == WEIR_DISCARDING);
}

void expect_result(expected *to, const tally *result, int64_t time, int64_t diff)
{
    test_list_add(&to->results, &tally_type, result, &WEIR_EPOCH(weir_event_epoch(time)), diff);
}

void expect_missed(expected *to, const update *u, int64_t windows, bool late)
{
    weir_time time = WEIR_EPOCH(weir_event_epoch(u->stamp));
    weir_missed said = {.windows = windows, .late = late};
    if (windows)
        test_list_add(&to->missed, &weir_missed_type, &said, &time, 1);
    if (late)
        test_list_add(&to->late, &event_type, &u->row, &time, u->diff);
}

/* ---- windows of a width ----------------------------------------------------------------- */

/* The windows [start, start + size) that have a time: their starts go down from the first. */
static __int128 first_start(const problem *of, int64_t time)
{
    __int128 slide = of->how.kind == WEIR_HOPPING ? of->how.slide : of->how.size;
    __int128 start = time - time % slide;
    return start > time ? start - slide : start;
}

int64_t last_of(const problem *of, __int128 start)
{
    return of->how.kind == WEIR_GLOBAL ? INT64_MAX : saturated(start + of->how.size - 1);
}

bool takes(const problem *of, const update *u, int64_t last)
{
    return last == INT64_MAX || (__int128)last + of->how.lateness >= u->stamp ||
           (__int128)last + of->how.lateness >= INT64_MAX;
}

bool has(const problem *of, __int128 start, int64_t time)
{
    return of->how.kind == WEIR_GLOBAL || (start <= time && time < start + of->how.size);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* At its last time with the rows stamped until then, and at each later stamp of a row. */
static void fire_window(expected *to, uint32_t key, __int128 start)
{
    const problem *of = to->of;
    int64_t last = last_of(of, start), times[ROWS_MAX + 1] = {last};
    uint32_t time_count = 1;
    for (uint32_t i = 0; i < of->count; i++) {
        const update *u = &of->rows[i];
        if (u->key == key && has(of, start, u->row.at) && takes(of, u, last) && u->stamp > last)
            times[time_count++] = u->stamp;
    }
    qsort(times, time_count, sizeof *times, compare_times);
    tally sent;
    bool is_sent = false;
    for (uint32_t t = 0; t < time_count; t++) {
        if (t && times[t] == times[t - 1])
            continue;
        rows all = {.count = 0};
        for (uint32_t i = 0; i < of->count; i++) {
            const update *u = &of->rows[i];
            bool new = t == 0 || u->stamp > times[t - 1];
            if (u->key == key && has(of, start, u->row.at) && takes(of, u, last) &&
                u->stamp <= times[t] && (new || of->how.output != WEIR_DISCARDING))
                all.at[all.count++] = i;
        }
        tally result;
        bool any = result_of(to, &all, saturated(start), last, &result);
        if (is_sent && of->how.output == WEIR_RETRACTING)
            expect_result(to, &sent, times[t], -1);
        if (any)
            expect_result(to, &result, times[t], 1);
        is_sent = any;
        sent = result;
    }
}

void each_window(expected *to, void (*expect)(expected *to, uint32_t key, __int128 start))
{
    const problem *of = to->of;
    bool global = of->how.kind == WEIR_GLOBAL;
    __int128 slide = of->how.kind == WEIR_HOPPING ? of->how.slide : of->how.size;
    for (uint32_t index = 0; index < of->count; index++) {
        const update *u = &of->rows[index];
        int64_t windows = 0, missed = 0;
        for (__int128 start = global ? INT64_MIN : first_start(of, u->row.at);
             has(of, start, u->row.at); start -= slide) {
            bool met = false;
            for (uint32_t i = 0; i < index && !met; i++)
                met = of->rows[i].key == u->key && has(of, start, of->rows[i].row.at);
            if (!met)
                expect(to, u->key, start);
            windows++;
            missed += !takes(of, u, last_of(of, start));
            if (global)
                break;
        }
        expect_missed(to, u, missed, missed == windows);
    }
}

void expect_fixed(expected *to)
{
    each_window(to, fire_window);
}
