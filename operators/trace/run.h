/* Runs: immutable, sorted, consolidated sets of updates (row, time, diff). What differential
 * dataflow calls a batch of a trace.
 *
 * Rows lie one after the other, `words` words each (layout.h), sorted, with equal rows next to
 * each other in the order of their times. Rows, not columns for keys and values, because runs
 * are mostly merged and scanned: measured, merging rows is two to four times as fast as
 * merging the parts. Times and diffs are columns, left out where all are the same.
 *
 * Invariants (wi_run_check)
 *   R1  rows are sorted; equal rows have different times, in the order of the table
 *   R2  no diff is zero
 *   R3  the table of times is sorted lexicographically, without repetition; `times` is NULL
 *       if and only if it has one time
 *   R4  without a column of diffs all are `diff`
 *   R5  long texts are in the run's own heap */
#ifndef WEIR_OPERATORS_TRACE_RUN_H
#define WEIR_OPERATORS_TRACE_RUN_H

#include "layout.h"

typedef struct wi_run {
    const wi_layout *layout;
    uint32_t count;
    uint32_t time_count;
    uint64_t *rows;   /* count * layout->words */
    uint32_t *times;  /* NULL, or for each row an index of the table */
    weir_time *table; /* time_count, at least 1 if there are rows */
    int64_t *diffs;   /* NULL, or one for each row */
    int64_t diff;     /* of all rows, if there is no column */
    wi_heap heap;
    uint64_t first_seq, last_seq; /* which insertions into the trace it has */
    /* wi_run_find's; NULL until needed */
    uint32_t *directory, directory_entries, directory_shift;
    uint64_t directory_base;
    uint32_t directory_next; /* while it is built */
    size_t directory_bytes;
    /* run.c's */
    size_t row_bytes;  /* of `rows` */
    uint32_t capacity; /* of the columns */
    bool in_one_block, diffs_apart;
    _Atomic uint32_t references;
} wi_run;

/* any. */
wi_run *wi_run_retain(wi_run *run);
void wi_run_drop(wi_run *run); /* NULL is allowed */

static inline const uint64_t *wi_run_row(const wi_run *run, uint32_t index)
{
    return run->rows + (size_t)index * run->layout->words;
}
/* What is looked for in a directory: the first word of a key, or of a row, with the key's bits. */
static inline uint64_t wi_run_first_word(const wi_run *run, const uint64_t *key)
{
    return run->layout->key_words == 1 ? key[0] & run->layout->key_mask : key[0];
}
static inline const weir_time *wi_run_time(const wi_run *run, uint32_t index)
{
    return &run->table[run->times ? run->times[index] : 0];
}
static inline int64_t wi_run_diff(const wi_run *run, uint32_t index)
{
    return run->diffs ? run->diffs[index] : run->diff;
}

/* Two runs as one, their times advanced to `since` (the join with it that is least: for later
 * times nothing changes), consolidated; may have no rows. In steps: */
typedef struct wi_merge wi_merge;
wi_merge *wi_merge_begin(wi_run *a, wi_run *b, const weir_antichain *since);
/* Handles up to *fuel rows (subtracted). True once it is complete. */
bool wi_merge_work(wi_merge *merge, int64_t *fuel);
/* The result; the merge is gone. Complete ones only. */
wi_run *wi_merge_end(wi_merge *merge);
void wi_merge_drop(wi_merge *merge); /* an incomplete one */

/* ---- looking up ------------------------------------------------------------------------- */

/* The first row at or after `from` whose key is at or after (_past: after) that of `key`, a row
 * or key of the same kinds; gallops, so that looking up sorted keys one after the other costs
 * little for near ones. */
uint32_t wi_run_seek(const wi_run *run, uint32_t from, const uint64_t *key);
uint32_t wi_run_past(const wi_run *run, uint32_t from, const uint64_t *key);
/* Where the rows with the key of row `index` end. */
uint32_t wi_run_key_end(const wi_run *run, uint32_t index);
/* The same as wi_run_seek from 0 for a key that may be anywhere: by the directory. */
uint32_t wi_run_find(wi_run *run, const uint64_t *key);
/* Makes the directory if there is none yet; false if the run is too small for one. */
bool wi_run_directory(wi_run *run);
/* Fetches what wi_run_find will read first, if the run has a directory already. */
void wi_run_prefetch(const wi_run *run, const uint64_t *key);

/* t advanced by an antichain: the least time that is at or after every time that both t and
 * some element of `since` allow (the meet over s in since of join(t, s)); t if it is empty. */
weir_time wi_advance(const weir_time *time, const weir_antichain *since);

/* Aborts with the broken invariant's name. */
void wi_run_check(const wi_run *run);

#endif
