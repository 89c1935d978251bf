/* Groups of one time: for each key one row of the result, in a hash table.
 *
 * The rows lie in batches ("chunks"), so that the groups of a finished time are sent as
 * they are. The table is open addressing with linear probing. Of a table of 2^k slots, one is
 * 1 + the group's index in its lower k bits and the upper 32 - k bits of half the key's
 * hash, whose lower k bits say where to look; zero is empty. It is the lower half of the
 * hash, since the upper says to which worker a row goes and is much the same for all here.
 *
 * Worker: tables belong to the operator that made them. */
#ifndef WEIR_OPERATORS_STREAM_TABLE_H
#define WEIR_OPERATORS_STREAM_TABLE_H

#include <weir/stream.h>

/* Rows that are looked up together, at most. */
#define WI_TABLE_BLOCK 256
/* Named limit: 2^31 groups at one time on one worker. */
#define WI_TABLE_GROUPS_MAX (UINT32_C(1) << 31)

typedef struct wi_table wi_table;

/* What all tables of one operator share. */
typedef struct wi_grouping {
    weir_key in;           /* where the key is in an input row */
    weir_key acc;          /* the same fields, first in a group's row */
    const weir_type *type; /* of a group's row */
    uint32_t chunk_shift;  /* 2^chunk_shift rows a chunk */
    uint32_t block;        /* rows that are looked up together */
    /* The groups of `count` rows, at most `block`, for which there is room. */
    void (*find)(wi_table *table, const char *rows, uint32_t count, void **groups_out,
                 uint32_t *indexes_out);
} wi_grouping;

/* Fails the dataflow, and gives false, unless the first fields of `type` are of the same
 * kinds as the key's. Otherwise fills in *by_out. */
bool wi_grouping_init(wi_grouping *by_out, weir_scope *scope, const char *name, const char *of,
                      const weir_key *key, const weir_type *type);

typedef struct wi_chunk {
    char *rows; /* of the batch */
    weir_batch *batch;
    size_t text_bytes;       /* copied into its heap since it was last compacted */
    size_t text_bytes_limit; /* at which it is compacted; wi_table_own_texts */
} wi_chunk;

struct wi_table {
    const wi_grouping *by;
    uint32_t *slots;
    uint32_t slot_mask;
    uint32_t count;       /* groups */
    uint32_t slots_limit; /* groups for which there are slots */
    uint32_t chunk_count, chunk_capacity;
    wi_chunk *chunks;
    wi_table *next, *previous; /* of the operator's */
};

/* A table that is no notification's. wi_table_fini leaves it empty. */
void wi_table_init(wi_table *table, const wi_grouping *by);
void wi_table_fini(wi_table *table);
/* Takes the batch of a chunk out of the table, which then is only to be freed: with its groups as
 * rows, or, unless `nonzero` is WI_TABLE_ALL, those whose i64 at that offset is not 0. */
weir_batch *wi_table_take(wi_table *table, uint32_t chunk, uint32_t nonzero);
#define WI_TABLE_ALL UINT32_MAX

/* The tables of an operator, one for each time that is not complete; its state, or in it. */
typedef struct wi_tables {
    wi_table *first;
} wi_tables;

/* The table of a time, which is a notification's state (weir_notify_state). */
wi_table *wi_tables_at(wi_tables *tables, weir_op *op, const wi_grouping *by,
                       const weir_time *time);
/* Makes a table of zeros, which is such a state or the first thing in it, one of them. */
void wi_tables_add(wi_tables *tables, wi_table *table, const wi_grouping *by);
/* Room for the groups of up to `more` rows. If there would be too many stops the execution
 * and gives false. Groups move only here and in wi_table_own_texts. */
bool wi_table_reserve(wi_table *table, weir_op *op, uint32_t more);
/* An empty table will probably have so many groups: slots for them, so that it need not grow. */
void wi_table_expect(wi_table *table, uint32_t groups);
/* Makes long texts in a group's row the table's own, except those of its key. */
void wi_table_own_texts(wi_table *table, uint32_t index);
/* Sends all groups, or those that are not zero, on output 0 at the end of the time. The table is
 * gone afterwards, as it is after wi_tables_drop. */
void wi_tables_send(wi_tables *tables, wi_table *table, weir_op *op, const weir_time *time,
                    uint32_t nonzero);
void wi_tables_drop(wi_tables *tables, wi_table *table);
/* Frees the tables that are left; in `stop`. */
void wi_tables_stop(wi_tables *tables);

#endif
