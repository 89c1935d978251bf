/* Merging two runs, in steps. Times are advanced to `since` as they are copied: the two tables
 * are advanced and united first, and then each row's time is a lookup.
 *
 * As long as advancing keeps the order of each run's times and lets no two become one, both
 * runs stay sorted by row and time, and merging is the usual loop, compiled for the usual
 * widths; stretches of one run between two rows of the other are copied as a whole. Otherwise
 * all updates of one row in both runs are taken together, sorted by time and added up. */
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "run_build.h"

#define INLINE static inline __attribute__((always_inline))

struct wi_merge {
    wi_run *a, *b, *out;
    uint32_t at_a, at_b, count;
    bool in_order;           /* both maps rise strictly */
    uint32_t *map_a, *map_b; /* from their tables to that of `out` */
    uint32_t maps[];
};

/* ---- times ------------------------------------------------------------------------------ */

static int time_order(const void *a, const void *b)
{
    return weir_time_compare(a, b);
}

static void map_table(const wi_run *run, const weir_antichain *since, const weir_time *table,
                      uint32_t count, uint32_t *map)
{
    for (uint32_t i = 0; i < run->time_count; i++) {
        weir_time time = wi_advance(&run->table[i], since);
        const weir_time *found = bsearch(&time, table, count, sizeof time, time_order);
        map[i] = (uint32_t)(found - table);
    }
}

static bool rises(const uint32_t *map, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (map[i] <= map[i - 1])
            return false;
    return true;
}

static uint32_t advance_all(const wi_run *run, const weir_antichain *since, weir_time *to)
{
    for (uint32_t i = 0; i < run->time_count; i++)
        to[i] = wi_advance(&run->table[i], since);
    return run->time_count;
}

static uint32_t sort_times(weir_time *times, uint32_t count)
{
    uint32_t kept = 0;
    bool sorted = true; /* mostly: the times of `b` are later */
    for (uint32_t i = 1; i < count && sorted; i++)
        sorted = weir_time_compare(&times[i - 1], &times[i]) <= 0;
    if (!sorted)
        qsort(times, count, sizeof *times, time_order);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || !weir_time_eq(&times[i], &times[i - 1]))
            times[kept++] = times[i];
    return kept;
}

/* ---- begin and end ---------------------------------------------------------------------- */

/* What has been looked up by its directory will be again; unless few rows are left of it. */
static void begin_directory(wi_merge *merge)
{
    const wi_run *a = merge->a, *b = merge->b;
    if ((!a->directory && !b->directory) || !a->count || !b->count ||
        a->count + b->count < WI_DIRECTORY_FROM)
        return;
    uint64_t first_a = a->rows[0], last_a = wi_run_row(a, a->count - 1)[0];
    uint64_t first_b = b->rows[0], last_b = wi_run_row(b, b->count - 1)[0];
    wi_run_directory_begin(merge->out, first_a < first_b ? first_a : first_b,
                           last_a > last_b ? last_a : last_b, a->count + b->count);
}

wi_merge *wi_merge_begin(wi_run *a, wi_run *b, const weir_antichain *since)
{
    uint32_t all = a->time_count + b->time_count;
    wi_merge *merge = wi_alloc(sizeof *merge + all * sizeof *merge->maps);
    weir_time few[8], *table = all > 8 ? wi_alloc(all * sizeof *table) : few;
    uint32_t times = advance_all(a, since, table);
    times += advance_all(b, since, table + times);
    times = sort_times(table, times);
    wi_require((uint64_t)a->count + b->count <= UINT32_MAX,
               "an arrangement has 2^32 or more rows on one worker: use more workers");
    merge->out = wi_run_new(a->layout, a->count + b->count, times > 1,
                            a->diffs || b->diffs || a->diff != b->diff, table, times);
    merge->out->diff = a->diff;
    merge->a = wi_run_retain(a);
    merge->b = wi_run_retain(b);
    merge->at_a = merge->at_b = merge->count = 0;
    merge->map_a = merge->maps;
    merge->map_b = merge->maps + a->time_count;
    map_table(a, since, table, times, merge->map_a);
    map_table(b, since, table, times, merge->map_b);
    begin_directory(merge);
    merge->in_order = rises(merge->map_a, a->time_count) && rises(merge->map_b, b->time_count);
    if (table != few)
        wi_free(table);
    return merge;
}

static void release(wi_merge *merge)
{
    wi_run_drop(merge->a);
    wi_run_drop(merge->b);
    wi_free(merge);
}

wi_run *wi_merge_end(wi_merge *merge)
{
    wi_run *out = merge->out;
    out->first_seq = merge->a->first_seq;
    out->last_seq = merge->b->last_seq;
    wi_run_finish(out, merge->count);
    if (out->directory)
        wi_run_directory_end(out);
    release(merge);
    return out;
}

void wi_merge_drop(wi_merge *merge)
{
    wi_run_drop(merge->out);
    release(merge);
}

/* ---- in order ---------------------------------------------------------------------------- */

INLINE int order_of(const wi_layout *layout, const uint64_t *a, const uint64_t *b, uint32_t words,
                    bool texts)
{
    if (texts)
        return wi_words_compare_texts(layout, a, b, 0, words);
    for (uint32_t i = 0; i < words; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static inline uint32_t mapped(const wi_run *run, const uint32_t *map, uint32_t index)
{
    return map[run->times ? run->times[index] : 0];
}

static void copy_stretch(wi_merge *merge, bool from_a, uint32_t begin, uint32_t end)
{
    wi_run *out = merge->out;
    const wi_run *from = from_a ? merge->a : merge->b;
    const uint32_t *map = from_a ? merge->map_a : merge->map_b;
    uint32_t words = out->layout->words, count = end - begin, at = merge->count;
    memcpy(out->rows + (size_t)at * words, wi_run_row(from, begin),
           (size_t)count * words * sizeof(uint64_t));
    for (uint32_t i = 0; out->times && i < count; i++)
        out->times[at + i] = mapped(from, map, begin + i);
    if (count && !out->diffs && from->diff != out->diff)
        wi_run_put_diff(out, at, from->diff);
    for (uint32_t i = 0; out->diffs && i < count; i++)
        out->diffs[at + i] = wi_run_diff(from, begin + i);
    merge->count += count;
}

/* The first row of `run` at or after `from` that is not below `row`. */
INLINE uint32_t seek_row(const wi_run *run, uint32_t from, uint32_t end, const uint64_t *row,
                         uint32_t words, bool texts)
{
    uint32_t step = 1, low = from, high;
    for (;;) {
        high = low + step < end ? low + step : end;
        if (high == end || order_of(run->layout, wi_run_row(run, high), row, words, texts) >= 0)
            break;
        low = high;
        step *= 2;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (order_of(run->layout, wi_run_row(run, middle), row, words, texts) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#define STRETCH 16 /* rows in turn from one run, from which on the rest is looked for */

/* The two rows of a step: their order, by row and then time. */
INLINE int step_order(const wi_merge *merge, uint32_t i, uint32_t j, uint32_t words, bool texts,
                      bool times)
{
    const wi_run *a = merge->a, *b = merge->b;
    int order =
        order_of(a->layout, a->rows + (size_t)i * words, b->rows + (size_t)j * words, words, texts);
    if (!times || order != 0)
        return order;
    uint32_t x = mapped(a, merge->map_a, i), y = mapped(b, merge->map_b, j);
    return x < y ? -1 : x > y;
}

/* Merges row by row until `most` rows are written, one run ends, or a stretch is found. */
INLINE int merge_rows(wi_merge *merge, uint32_t most, uint32_t words, bool texts, bool times)
{
    const wi_run *a = merge->a, *b = merge->b;
    wi_run *out = merge->out;
    uint32_t i = merge->at_a, j = merge->at_b, at = merge->count;
    int lead = 0; /* rows in turn from a (negative) or b */
    for (; most > 0 && i < a->count && j < b->count && lead > -STRETCH && lead < STRETCH; most--) {
        int order = step_order(merge, i, j, words, texts, times);
        const uint64_t *from =
            order <= 0 ? a->rows + (size_t)i * words : b->rows + (size_t)j * words;
        int64_t diff = order <= 0 ? wi_run_diff(a, i) : wi_run_diff(b, j);
        if (order == 0)
            diff += wi_run_diff(b, j);
        uint64_t *to = out->rows + (size_t)at * words;
        for (uint32_t w = 0; w < words; w++)
            to[w] = from[w];
        if (times)
            out->times[at] = order <= 0 ? mapped(a, merge->map_a, i) : mapped(b, merge->map_b, j);
        i += order <= 0;
        j += order >= 0;
        if (WEIR_LIKELY(diff != 0)) {
            if (out->diffs || WEIR_UNLIKELY(diff != out->diff))
                wi_run_put_diff(out, at, diff);
            at++;
        }
        lead = order < 0 ? (lead < 0 ? lead - 1 : -1) : order > 0 ? (lead > 0 ? lead + 1 : 1) : 0;
    }
    merge->at_a = i;
    merge->at_b = j;
    merge->count = at;
    return lead;
}

#define STRIDE 64 /* rows of one word merged without looking up */

/* Rows of one word without branches, which could not be foreseen: up to `most`, until one run ends
 * or, without a column of diffs, two are to be added up. */
INLINE void merge_words(wi_merge *merge, uint32_t most, bool times, bool diffs)
{
    const wi_run *a = merge->a, *b = merge->b;
    const uint64_t *a_rows = a->rows, *b_rows = b->rows;
    uint64_t *rows = merge->out->rows;
    uint32_t *out_times = merge->out->times;
    int64_t *out_diffs = merge->out->diffs;
    uint32_t i = merge->at_a, j = merge->at_b, at = merge->count;
    for (; most > 0 && i < a->count && j < b->count; most--) {
        uint64_t x = a_rows[i], y = b_rows[j];
        bool take_a = x <= y, take_b = y <= x;
        if (times) {
            uint32_t x_time = mapped(a, merge->map_a, i), y_time = mapped(b, merge->map_b, j);
            take_a = (x < y) | ((x == y) & (x_time <= y_time));
            take_b = (y < x) | ((x == y) & (y_time <= x_time));
            out_times[at] = take_a ? x_time : y_time;
        }
        if (!diffs && WEIR_UNLIKELY(take_a & take_b))
            break;
        rows[at] = x < y ? x : y;
        int64_t diff = 1;
        if (diffs)
            out_diffs[at] = diff = (wi_run_diff(a, i) & -(int64_t)take_a) +
                                   (wi_run_diff(b, j) & -(int64_t)take_b);
        at += diff != 0;
        i += take_a;
        j += take_b;
    }
    merge->at_a = i;
    merge->at_b = j;
    merge->count = at;
}

/* merge_rows for rows of one word. */
INLINE int merge_stride(wi_merge *merge, uint32_t most, bool times)
{
    uint32_t a = merge->at_a, b = merge->at_b;
    const wi_run *out = merge->out;
    /* if the first rows were added up, what they have is the diff of all, for now */
    if (!out->diffs && (merge->a->diff != out->diff || merge->b->diff != out->diff))
        return merge_rows(merge, most, 1, false, times);
    most = most < STRIDE ? most : STRIDE;
    if (out->diffs)
        merge_words(merge, most, times, true);
    else
        merge_words(merge, most, times, false);
    a = merge->at_a - a;
    b = merge->at_b - b;
    if (a + b < most) /* which is not so where rows were added up: a step takes two then */
        return merge_rows(merge, 1, 1, false, times);
    return a + b < STRETCH ? 0 : b == 0 ? -STRETCH : a == 0 ? STRETCH : 0;
}

INLINE void merge_in_order(wi_merge *merge, int64_t *fuel, uint32_t words, bool texts, bool times)
{
    const wi_run *a = merge->a, *b = merge->b;
    while (merge->at_a < a->count && merge->at_b<b->count && * fuel> 0) {
        uint32_t before = merge->at_a + merge->at_b;
        uint32_t most = *fuel < 4096 ? (uint32_t)*fuel : 4096;
        int lead = words == 1 && !texts ? merge_stride(merge, most, times)
                                        : merge_rows(merge, most, words, texts, times);
        *fuel -= merge->at_a + merge->at_b - before;
        if ((lead != -STRETCH && lead != STRETCH) || merge->at_a == a->count ||
            merge->at_b == b->count || *fuel <= 0)
            continue;
        bool from_a = lead < 0;
        uint32_t *at = from_a ? &merge->at_a : &merge->at_b;
        uint32_t count = from_a ? a->count : b->count;
        uint32_t limit = count - *at > *fuel ? *at + (uint32_t)*fuel : count;
        const uint64_t *row =
            from_a ? b->rows + (size_t)merge->at_b * words : a->rows + (size_t)merge->at_a * words;
        uint32_t end = seek_row(from_a ? a : b, *at, limit, row, words, texts);
        copy_stretch(merge, from_a, *at, end);
        *fuel -= end - *at;
        *at = end;
    }
}

/* What is left of one run once the other is at its end. */
static void copy_rest(wi_merge *merge, bool from_a, int64_t *fuel)
{
    uint32_t *at = from_a ? &merge->at_a : &merge->at_b;
    uint32_t rest = (from_a ? merge->a->count : merge->b->count) - *at;
    uint32_t part = rest > *fuel ? (uint32_t)*fuel : rest;
    copy_stretch(merge, from_a, *at, *at + part);
    *at += part;
    *fuel -= part;
}

static void merge_ordered(wi_merge *merge, int64_t *fuel)
{
    const wi_layout *layout = merge->out->layout;
    bool times = merge->out->times;
    if (layout->texts)
        merge_in_order(merge, fuel, layout->words, true, times);
    else if (layout->words == 1 && times)
        merge_in_order(merge, fuel, 1, false, true);
    else if (layout->words == 1)
        merge_in_order(merge, fuel, 1, false, false);
    else if (layout->words == 2 && times)
        merge_in_order(merge, fuel, 2, false, true);
    else if (layout->words == 2)
        merge_in_order(merge, fuel, 2, false, false);
    else
        merge_in_order(merge, fuel, layout->words, false, times);
    if (merge->at_b == merge->b->count && *fuel > 0)
        copy_rest(merge, true, fuel);
    if (merge->at_a == merge->a->count && *fuel > 0)
        copy_rest(merge, false, fuel);
}

/* ---- times that meet -------------------------------------------------------------------- */

/* One update of the group at hand. */
typedef struct update {
    uint32_t time;
    int64_t diff;
} update;

/* Where the group of updates of row `begin` ends. */
INLINE uint32_t group_end(const wi_run *run, uint32_t begin, uint32_t words, bool texts)
{
    const uint64_t *row = run->rows + (size_t)begin * words;
    uint32_t end = begin + 1;
    while (run->times && end < run->count &&
           order_of(run->layout, run->rows + (size_t)end * words, row, words, texts) == 0)
        end++;
    return end;
}

static void put(wi_merge *merge, const uint64_t *row, uint32_t words, uint32_t time, int64_t diff)
{
    wi_run *out = merge->out;
    uint64_t *to = out->rows + (size_t)merge->count * words;
    for (uint32_t w = 0; w < words; w++)
        to[w] = row[w];
    if (out->times)
        out->times[merge->count] = time;
    if (out->diffs || diff != out->diff)
        wi_run_put_diff(out, merge->count, diff);
    merge->count++;
}

static int update_order(const void *a, const void *b)
{
    const update *x = a, *y = b;
    return x->time < y->time ? -1 : x->time > y->time;
}

/* Adds up and writes the updates of one row. */
static void put_group(wi_merge *merge, const uint64_t *row, uint32_t words, update *all,
                      uint32_t count)
{
    bool sorted = true;
    for (uint32_t i = 1; i < count; i++)
        sorted &= all[i - 1].time <= all[i].time;
    if (!sorted && count <= 16) {
        for (uint32_t i = 1; i < count; i++) {
            update held = all[i];
            uint32_t at = i;
            for (; at > 0 && all[at - 1].time > held.time; at--)
                all[at] = all[at - 1];
            all[at] = held;
        }
    } else if (!sorted) {
        qsort(all, count, sizeof *all, update_order);
    }
    for (uint32_t i = 0; i < count;) {
        uint32_t time = all[i].time;
        int64_t sum = 0;
        for (; i < count && all[i].time == time; i++)
            sum += all[i].diff;
        if (sum)
            put(merge, row, words, time, sum);
    }
}

INLINE void merge_groups(wi_merge *merge, int64_t *fuel, uint32_t words, bool texts)
{
    const wi_run *a = merge->a, *b = merge->b;
    update few[32], *group = few;
    uint32_t room = 32;
    while (*fuel > 0 && (merge->at_a < a->count || merge->at_b < b->count)) {
        uint32_t i = merge->at_a, j = merge->at_b;
        const uint64_t *x = a->rows + (size_t)i * words, *y = b->rows + (size_t)j * words;
        int order = i == a->count   ? 1
                    : j == b->count ? -1
                                    : order_of(a->layout, x, y, words, texts);
        uint32_t end_a = order <= 0 ? group_end(a, i, words, texts) : i;
        uint32_t end_b = order >= 0 ? group_end(b, j, words, texts) : j;
        uint32_t size = end_a - i + (end_b - j);
        *fuel -= size;
        merge->at_a = end_a;
        merge->at_b = end_b;
        if (size == 1) {
            if (order < 0)
                put(merge, x, words, mapped(a, merge->map_a, i), wi_run_diff(a, i));
            else
                put(merge, y, words, mapped(b, merge->map_b, j), wi_run_diff(b, j));
            continue;
        }
        if (size > room) {
            if (group != few)
                wi_free(group);
            room = size;
            group = wi_alloc(room * sizeof *group);
        }
        uint32_t count = 0;
        for (; i < end_a; i++)
            group[count++] = (update){mapped(a, merge->map_a, i), wi_run_diff(a, i)};
        for (; j < end_b; j++)
            group[count++] = (update){mapped(b, merge->map_b, j), wi_run_diff(b, j)};
        put_group(merge, order <= 0 ? x : y, words, group, count);
    }
    if (group != few)
        wi_free(group);
}

static void merge_meeting(wi_merge *merge, int64_t *fuel)
{
    const wi_layout *layout = merge->out->layout;
    if (layout->texts)
        merge_groups(merge, fuel, layout->words, true);
    else if (layout->words == 1)
        merge_groups(merge, fuel, 1, false);
    else if (layout->words == 2)
        merge_groups(merge, fuel, 2, false);
    else
        merge_groups(merge, fuel, layout->words, false);
}

bool wi_merge_work(wi_merge *merge, int64_t *fuel)
{
    uint32_t before = merge->count;
    if (merge->in_order)
        merge_ordered(merge, fuel);
    else
        merge_meeting(merge, fuel);
    const wi_layout *layout = merge->out->layout;
    wi_layout_own(layout, merge->out->rows + (size_t)before * layout->words, layout->words,
                  merge->count - before, &merge->out->heap);
    if (merge->out->directory)
        wi_run_directory_add(merge->out, before, merge->count);
    return merge->at_a == merge->a->count && merge->at_b == merge->b->count;
}
