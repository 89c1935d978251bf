/* The source of rows among its parts:
 *
 *   read_rows.c  the operator: whose turn it is, capabilities, offsets
 *   read_part.c  a partition: its files, one after another, as bytes for the decoder (rows.h)
 *   read_build.c what a program says: paths become partitions, mistakes are found
 *
 * All functions: worker. */
#ifndef WEIR_OPERATORS_IO_READ_ROWS_H
#define WEIR_OPERATORS_IO_READ_ROWS_H

#include <weir/source.h>

#include "file.h"
#include "paths.h"
#include "rows.h"

/* Named limit: files that a worker reads at once; fewer if the system allows the process few. */
#define WI_FILES_OPEN_MAX 64

/* What the program says, as the worker keeps it. */
typedef struct wi_read_call {
    weir_read what; /* its pointers: copies, or NULL */
    const weir_type *type;
    wi_paths files;         /* partition i is files.at[i]; unless what.grows */
    uint64_t *bytes;        /* of those that are split, when this was built: parts go by it */
    uint32_t partitions;
    uint64_t from_epoch; /* to which the partition has come that is furthest in what.from */
    uint32_t look_ms;
} wi_read_call;

typedef struct wi_part {
    uint32_t index;
    char *path; /* of the open file */
    wi_paths queue; /* files to come; of a folder that grows: names */
    unsigned queued; /* the first of them */
    wi_file *file;
    wi_rows *rows;
    const weir_offset *from; /* where to begin; NULL: at the first byte, or it has begun */
    uint64_t go_to;          /* what of the open file was read before */
    bool ranged;             /* only lines that begin in [.., range_end) of the file */
    uint64_t range_begin, range_end, range_at; /* range_at: what is read next */
    char last;                                 /* byte read */
    uint64_t records; /* of its files before */
    uint64_t epoch;
    bool done;
} wi_part;

typedef struct wi_reading {
    wi_part *parts; /* this worker's */
    uint32_t count, capacity;
    uint32_t *open; /* the ones that are read in turns */
    uint32_t open_count, open_max, next_open, next_part;
    weir_capability *rows, *offsets, *rejects; /* NULL: nobody wants them, or all is done */
    uint32_t offsets_output;
    uint32_t batch_rows;
    uint64_t said; /* lines that were no rows, on standard error */
    uint64_t wait_ns;
    /* of a folder that grows */
    wi_paths seen;
    uint64_t look_at_ns;
    bool complete; /* `until` was there */
    wi_part *current;
} wi_reading;

typedef enum wi_part_gives {
    WI_PART_READ,
    WI_PART_WAITS,
    WI_PART_DONE,
    WI_PART_FAILS /* the execution stops */
} wi_part_gives;

/* read_part.c. Reads some bytes and sends the rows in them. */
wi_part_gives wi_part_step(weir_op *op, wi_part *part);
void wi_part_fini(wi_part *part);

/* read_rows.c, for read_part.c: at the part's epoch. */
void wi_read_send(weir_op *op, const wi_part *part, weir_batch *batch);
void wi_read_offset(weir_op *op, const wi_part *part);
int wi_read_order(const char *name, const weir_offset *from);
void wi_read_bad(weir_op *op, const wi_part *part, const wi_no_row *what);
extern const weir_operator wi_read_operator;

/* read_build.c. Which worker reads a partition. */
uint32_t wi_read_owner(const wi_read_call *call, uint32_t partition, uint32_t workers);

#endif
