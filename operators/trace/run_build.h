/* Building runs: for what makes them (pending.c, merge.c, reduce). Rows are written to
 * run->rows in order, then the run is finished. */
#ifndef WEIR_OPERATORS_TRACE_RUN_BUILD_H
#define WEIR_OPERATORS_TRACE_RUN_BUILD_H

#include "run.h"

/* Room for `capacity` rows, with or without columns of times and diffs; the table is copied.
 * count is 0 and diff 1. */
wi_run *wi_run_new(const wi_layout *layout, uint32_t capacity, bool times, bool diffs,
                   const weir_time *table, uint32_t time_count);
/* A run whose rows are to be in `records`, from wi_pages_new(bytes), which it takes; no column
 * of diffs. */
wi_run *wi_run_of_records(const wi_layout *layout, uint64_t *records, size_t bytes,
                          uint32_t capacity, bool times, const weir_time *table,
                          uint32_t time_count);
/* Gives it a column of diffs after all, whose first entries are run->diff. */
void wi_run_add_diffs(wi_run *run, uint32_t filled);
/* It has `count` rows: memory for more is given back. */
void wi_run_finish(wi_run *run, uint32_t count);

/* The directory of wi_run_find, built as the rows are written: the first words of its at most
 * `rows` rows (at least WI_DIRECTORY_FROM) are from `least` to `most`. Ended once it is
 * finished. */
#define WI_DIRECTORY_FROM 128
void wi_run_directory_begin(wi_run *run, uint64_t least, uint64_t most, uint32_t rows);
void wi_run_directory_add(wi_run *run, uint32_t begin, uint32_t end);
void wi_run_directory_end(wi_run *run);

/* Writes the diff of row `at`, the rows before it being written. */
static inline void wi_run_put_diff(wi_run *run, uint32_t at, int64_t diff)
{
    if (WEIR_UNLIKELY(!run->diffs && diff != run->diff)) {
        if (at == 0)
            run->diff = diff;
        else
            wi_run_add_diffs(run, at);
    }
    if (run->diffs)
        run->diffs[at] = diff;
}

#endif
