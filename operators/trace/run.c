/* Runs: how they are made room for, looked up in, and checked. merge.c merges them.
 *
 * A small run is one block of memory, the struct and its columns; the columns of a large one
 * are given to it one by one, so that each can be trimmed and goes back to the system. */
#include "run.h"

#include <stdatomic.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/pages.h"
#include "run_build.h"

/* ---- room ------------------------------------------------------------------------------- */

#define SMALL_BYTES 4096

wi_run *wi_run_new(const wi_layout *layout, uint32_t capacity, bool times, bool diffs,
                   const weir_time *table, uint32_t time_count)
{
    size_t row_bytes = (size_t)capacity * layout->words * sizeof(uint64_t);
    size_t diff_bytes = diffs ? (size_t)capacity * sizeof(int64_t) : 0;
    size_t time_bytes = times ? (size_t)capacity * sizeof(uint32_t) : 0;
    size_t table_bytes = time_count * sizeof(weir_time);
    size_t all = sizeof(wi_run) + table_bytes + row_bytes + diff_bytes + time_bytes;
    wi_run *run;
    if (all <= SMALL_BYTES) {
        run = wi_alloc(all);
        *run = (wi_run){.in_one_block = true};
        char *at = (char *)(run + 1);
        run->table = (weir_time *)(void *)at;
        run->rows = (uint64_t *)(void *)(at += table_bytes);
        run->diffs = diffs ? (int64_t *)(void *)(at + row_bytes) : NULL;
        run->times = times ? (uint32_t *)(void *)(at + row_bytes + diff_bytes) : NULL;
    } else {
        run = WI_NEW(wi_run);
        run->table = wi_alloc(table_bytes);
        run->rows = wi_pages_new(row_bytes);
        run->diffs = diffs ? wi_pages_new(diff_bytes) : NULL;
        run->times = times ? wi_pages_new(time_bytes) : NULL;
    }
    run->layout = layout;
    run->row_bytes = row_bytes;
    run->capacity = capacity;
    run->time_count = time_count;
    run->diff = 1;
    if (time_count)
        memcpy(run->table, table, table_bytes);
    atomic_init(&run->references, 1);
    return run;
}

wi_run *wi_run_of_records(const wi_layout *layout, uint64_t *records, size_t bytes,
                          uint32_t capacity, bool times, const weir_time *table,
                          uint32_t time_count)
{
    wi_run *run = WI_NEW(wi_run);
    *run = (wi_run){.layout = layout,
                    .rows = records,
                    .row_bytes = bytes,
                    .capacity = capacity,
                    .time_count = time_count,
                    .diff = 1};
    run->table = wi_alloc(time_count * sizeof *table);
    memcpy(run->table, table, time_count * sizeof *table);
    run->times = times ? wi_pages_new(capacity * sizeof(uint32_t)) : NULL;
    atomic_init(&run->references, 1);
    return run;
}

void wi_run_add_diffs(wi_run *run, uint32_t filled)
{
    run->diffs = wi_pages_new((size_t)run->capacity * sizeof(int64_t));
    run->diffs_apart = true;
    for (uint32_t i = 0; i < filled; i++)
        run->diffs[i] = run->diff;
}

void wi_run_finish(wi_run *run, uint32_t count)
{
    size_t before = run->capacity,
           row_bytes = (size_t)count * run->layout->words * sizeof(uint64_t);
    run->count = count;
    if (run->diffs && (run->diffs_apart || !run->in_one_block))
        run->diffs = wi_pages_trim(run->diffs, before * sizeof(int64_t), count * sizeof(int64_t));
    if (run->times && !run->in_one_block)
        run->times = wi_pages_trim(run->times, before * sizeof(uint32_t), count * sizeof(uint32_t));
    if (!run->in_one_block) {
        run->rows = wi_pages_trim(run->rows, run->row_bytes, row_bytes);
        run->row_bytes = row_bytes;
    }
    run->capacity = count;
    wi_pages_settle(run->rows, run->in_one_block ? 0 : row_bytes);
    wi_pages_settle(run->diffs, run->diffs ? count * sizeof(int64_t) : 0);
    wi_pages_settle(run->times, run->times ? count * sizeof(uint32_t) : 0);
}

wi_run *wi_run_retain(wi_run *run)
{
    atomic_fetch_add_explicit(&run->references, 1, memory_order_relaxed);
    return run;
}

void wi_run_drop(wi_run *run)
{
    if (!run || atomic_fetch_sub_explicit(&run->references, 1, memory_order_acq_rel) != 1)
        return;
    wi_heap_fini(&run->heap);
    if (run->directory)
        wi_pages_free(run->directory, run->directory_bytes);
    if (run->diffs && (run->diffs_apart || !run->in_one_block))
        wi_pages_free(run->diffs, (size_t)run->capacity * sizeof(int64_t));
    if (!run->in_one_block) {
        wi_pages_free(run->rows, run->row_bytes);
        if (run->times)
            wi_pages_free(run->times, (size_t)run->capacity * sizeof(uint32_t));
        wi_free(run->table);
    }
    wi_free(run);
}

weir_time wi_advance(const weir_time *time, const weir_antichain *since)
{
    if (!since->count)
        return *time;
    weir_time least = weir_time_join(time, &since->times[0]);
    for (uint32_t i = 1; i < since->count; i++) {
        weir_time joined = weir_time_join(time, &since->times[i]);
        least = weir_time_meet(&least, &joined);
    }
    return least;
}

/* ---- looking up ------------------------------------------------------------------------- */

static inline bool key_below(const wi_run *run, uint32_t index, const uint64_t *key, bool or_at)
{
    const uint64_t *row = wi_run_row(run, index);
    int order = wi_key_compare(run->layout, row, key);
    return order < 0 || (or_at && order == 0);
}

/* The first row in [low, high) whose key is not below (or_at: nor at) the key; high if all are. */
static inline uint32_t bisect(const wi_run *run, uint32_t low, uint32_t high, const uint64_t *key,
                              bool or_at)
{
    if (WEIR_LIKELY(run->layout->key_words == 1)) {
        const uint64_t mask = run->layout->key_mask, first = key[0] & mask;
        const uint32_t words = run->layout->words;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            uint64_t at = run->rows[(size_t)middle * words] & mask;
            bool below = or_at ? at <= first : at < first;
            low = below ? middle + 1 : low;
            high = below ? high : middle;
        }
        return low;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool below = key_below(run, middle, key, or_at);
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return low;
}

static inline uint32_t gallop(const wi_run *run, uint32_t from, const uint64_t *key, bool or_at)
{
    uint32_t step = 1, low = from;
    while (low < run->count && key_below(run, low, key, or_at)) {
        if (run->count - low <= step)
            return bisect(run, low + 1, run->count, key, or_at);
        if (!key_below(run, low + step, key, or_at))
            return bisect(run, low + 1, low + step, key, or_at);
        low += step;
        step *= 2;
    }
    return low;
}

uint32_t wi_run_seek(const wi_run *run, uint32_t from, const uint64_t *key)
{
    return gallop(run, from, key, false);
}

uint32_t wi_run_past(const wi_run *run, uint32_t from, const uint64_t *key)
{
    return gallop(run, from, key, true);
}

uint32_t wi_run_key_end(const wi_run *run, uint32_t index)
{
    if (index + 1 == run->count)
        return run->count;
    return gallop(run, index + 1, wi_run_row(run, index), true);
}

/* ---- the directory ---------------------------------------------------------------------- */

#define ROWS_PER_ENTRY_LOG 1

/* entry[b]: the first row whose key's first word, less the base and shifted, is at least b. */
void wi_run_directory_begin(wi_run *run, uint64_t least, uint64_t most, uint32_t rows)
{
    wi_assert(rows >= WI_DIRECTORY_FROM, "few rows need no directory");
    uint32_t bits = 64 - (uint32_t)__builtin_clzll((most - least) | 1);
    uint32_t wanted = 31 - (uint32_t)__builtin_clz(rows) - ROWS_PER_ENTRY_LOG;
    run->directory_base = least;
    run->directory_shift = bits > wanted ? bits - wanted : 0;
    run->directory_entries = (uint32_t)((most - least) >> run->directory_shift) + 1;
    run->directory_bytes = ((size_t)run->directory_entries + 1) * sizeof *run->directory;
    run->directory = wi_pages_new(run->directory_bytes);
    run->directory_next = 0;
}

void wi_run_directory_add(wi_run *run, uint32_t begin, uint32_t end)
{
    uint32_t words = run->layout->words, next = run->directory_next;
    for (uint32_t i = begin; i < end; i++) {
        uint64_t entry =
            (run->rows[(size_t)i * words] - run->directory_base) >> run->directory_shift;
        while (next <= entry)
            run->directory[next++] = i;
    }
    run->directory_next = next;
}

void wi_run_directory_end(wi_run *run)
{
    while (run->directory_next <= run->directory_entries)
        run->directory[run->directory_next++] = run->count;
}

static void directory_new(wi_run *run)
{
    wi_run_directory_begin(run, run->rows[0], wi_run_row(run, run->count - 1)[0], run->count);
    wi_run_directory_add(run, 0, run->count);
    wi_run_directory_end(run);
}

bool wi_run_directory(wi_run *run)
{
    if (!run->directory && run->count >= WI_DIRECTORY_FROM && run->layout->key_words)
        directory_new(run);
    return run->directory != NULL;
}

uint32_t wi_run_find(wi_run *run, const uint64_t *key)
{
    if (!wi_run_directory(run))
        return bisect(run, 0, run->count, key, false);
    uint64_t first = wi_run_first_word(run, key);
    if (first < run->directory_base)
        return 0;
    uint64_t entry = (first - run->directory_base) >> run->directory_shift;
    if (entry >= run->directory_entries)
        return run->count;
    return bisect(run, run->directory[entry], run->directory[entry + 1], key, false);
}

void wi_run_prefetch(const wi_run *run, const uint64_t *key)
{
    if (!run->directory || key[0] < run->directory_base)
        return;
    uint64_t entry = (wi_run_first_word(run, key) - run->directory_base) >> run->directory_shift;
    if (entry < run->directory_entries)
        __builtin_prefetch(&run->directory[entry]);
}

/* ---- checking --------------------------------------------------------------------------- */

void wi_run_check(const wi_run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        if (i > 0) {
            int order = wi_row_compare(run->layout, wi_run_row(run, i - 1), wi_run_row(run, i));
            wi_assert(order <= 0, "R1: rows are sorted");
            wi_assert(order < 0 || (run->times && run->times[i - 1] < run->times[i]),
                      "R1: equal rows are in the order of their times");
        }
        wi_assert(wi_run_diff(run, i) != 0, "R2: no diff is zero");
        wi_assert(!run->times || run->times[i] < run->time_count, "R3: times are in the table");
    }
    for (uint32_t t = 1; t < run->time_count; t++)
        wi_assert(weir_time_compare(&run->table[t - 1], &run->table[t]) < 0,
                  "R3: the table is sorted");
    wi_assert(!run->count || (run->times != NULL) == (run->time_count > 1),
              "R3: a column of times if there is more than one");
}
