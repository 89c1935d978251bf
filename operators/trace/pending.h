/* Pending updates: what has come for a trace and is not complete yet. One bin for each time;
 * a bin sorts and consolidates itself now and then, so that a row that changes all the time
 * does not pile up. Bins whose times are complete are sealed into runs. */
#ifndef WEIR_OPERATORS_TRACE_PENDING_H
#define WEIR_OPERATORS_TRACE_PENDING_H

#include "run.h"

/* Some of a bin's records: rows, each followed by its diff if the bin has diffs. */
typedef struct wi_piece {
    uint64_t *words;
    uint32_t count, capacity; /* records */
} wi_piece;

typedef struct wi_bin {
    weir_time time;
    void *capability; /* the owner's; NULL at first */
    uint64_t count;   /* records */
    /* the rest is pending.c's */
    wi_piece *pieces;
    uint32_t piece_count, piece_capacity;
    uint64_t look_at; /* the count at which to look whether consolidating pays */
    bool has_diffs;
    int64_t diff; /* of all records, without */
    wi_heap heap;
} wi_bin;

typedef struct wi_pending {
    const wi_layout *layout;
    wi_bin **bins; /* sorted lexicographically by time */
    uint32_t bin_count, bin_capacity;
    wi_bin *last; /* used last */
    int last_dim; /* the highest coordinate that any time has had above zero */
} wi_pending;

void wi_pending_init(wi_pending *pending, const wi_layout *layout);
void wi_pending_fini(wi_pending *pending); /* capabilities are the owner's business */
/* The bin of a time, made if need be. */
wi_bin *wi_pending_bin(wi_pending *pending, const weir_time *time);
/* Appends a batch's rows to their bins. */
void wi_pending_batch(wi_pending *pending, const weir_batch *batch);
/* Appends one row given as words (texts are copied). */
void wi_bin_row(const wi_layout *layout, wi_bin *bin, const uint64_t *words, int64_t diff);

/* Takes out of `pending` the bins whose time is not at or after an element of `upper`, that
 * are at or after the first such bin's time: writes them (to be freed with wi_bin_free) to
 * bins_out, which has room for pending->bin_count, and returns how many. 0: none is complete.
 * The first bin's time is at or before all. Call until it gives 0. */
uint32_t wi_pending_ready(wi_pending *pending, const weir_antichain *upper, wi_bin **bins_out);
/* One run of the bins' updates, consolidated; may have no rows. The bins are empty then. */
wi_run *wi_bins_seal(const wi_layout *layout, wi_bin *const *bins, uint32_t count);
void wi_bin_free(const wi_layout *layout, wi_bin *bin);

#endif
