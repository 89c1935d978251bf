/* Row bins: the rows of one time, unsorted, until they are added up. Rows lie in batches of
 * their type, which are sent as they are in the end, so a row is copied once.
 *
 * A large bin is dealt by hash into parts that are small enough to find equal rows in cache;
 * and a part whose rows are seen to be much the same is added up as it grows. Worker. */
#ifndef WEIR_OPERATORS_COLLECTION_ROW_BIN_H
#define WEIR_OPERATORS_COLLECTION_ROW_BIN_H

#include <weir/operator.h>

#include "pack.h"

/* What all bins of an operator share. */
typedef struct wi_row_bins {
    const weir_type *type;
    wi_packing packing;   /* of all fields */
    size_t step;          /* bytes from a row to the next; 1 if rows have none */
    bool plain;           /* rows are words as they lie */
    uint32_t chunk_shift; /* 2^chunk_shift rows a batch */
    uint32_t *slots;      /* the table of a part that is being added up: 2^slot_bits */
    uint32_t slot_bits;
    uint64_t *marks;    /* of that part: rows that equal others, as bits */
    int64_t *sums;      /* of the marked ones */
    uint64_t sums_room; /* rows */
    uint64_t *words;    /* room for a block of packed rows */
    weir_batch *slab;   /* where chunks of large bins come from; NULL: none yet, or texts */
    uint32_t slab_used; /* chunks */
} wi_row_bins;

void wi_row_bins_init(wi_row_bins *bins, const weir_type *type);
void wi_row_bins_fini(wi_row_bins *bins);

/* Rows whose hashes have some bits in common. */
typedef struct wi_row_part {
    char *to, *end;      /* where the next row goes in the last chunk, and where it is full */
    int64_t *diff_to;    /* the same of its diff, if the bin has diffs */
    weir_batch **chunks; /* all but the last are full; only a single one may be small */
    uint32_t count, capacity;
    uint32_t look_at; /* chunks at which to look whether adding up pays */
} wi_row_part;

/* All zeros is an empty bin. */
typedef struct wi_row_bin {
    wi_row_part *parts;
    uint32_t part_count; /* 0, 1 or many */
    bool has_diffs;      /* chunks have columns of diffs; otherwise all diffs are `diff` */
    int64_t diff;
} wi_row_bin;

/* Appends rows [begin, end) of a batch. */
void wi_row_bin_add(wi_row_bins *bins, wi_row_bin *bin, const weir_batch *batch, uint32_t begin,
                    uint32_t end);
/* Adds up equal rows and sends what is left on output 0 at a time. The bin is empty then. */
void wi_row_bin_send(wi_row_bins *bins, wi_row_bin *bin, weir_op *op, const weir_time *time);
void wi_row_bin_fini(wi_row_bin *bin);

#endif
