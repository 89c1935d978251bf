/* Which rows of two runs have equal keys: the inner loops of join, in steps of bounded work.
 *
 * How keys are found depends on how many there are on each side: about as many, and both are
 * scanned (keys of one word) or galloped through; many more on one, and each key of the other
 * is looked up in its directory. */
#ifndef WEIR_OPERATORS_COLLECTION_JOIN_MATCH_H
#define WEIR_OPERATORS_COLLECTION_JOIN_MATCH_H

#include "join_emit.h"

#define WI_FUEL_OF_LOOKUP 8 /* rows that could be scanned instead of finding a key */

typedef enum wi_search { WI_SEARCH_SCAN, WI_SEARCH_SEEK, WI_SEARCH_FIND } wi_search;

/* Two runs being joined: [0] is a's, [1] b's. Borrowed. */
typedef struct wi_match {
    wi_run *run[2];
    wi_search search;
    int probe;        /* the shorter run, whose keys are looked for in the other */
    uint32_t at[2];   /* what is before is done */
    uint32_t end[2];  /* of the large group at `at`; 0: not in one */
    uint32_t next[2]; /* in a large group: how far its product is done */
    bool one_time, one_diff;
    weir_time time; /* of all pairs */
    int64_t diff;
} wi_match;

/* What they are joined with: room for a block. */
typedef struct wi_joiner {
    wi_pairs emit;
    uint32_t pairs[2][WI_PAIRS];
    uint64_t *words[2];
    void *rows[2];
} wi_joiner;

void wi_joiner_init(wi_joiner *joiner, weir_op *op, const weir_join_kernel *kernel, void *arg,
                    const wi_layout *a, const wi_layout *b);
void wi_joiner_fini(wi_joiner *joiner);

void wi_match_begin(wi_match *match, wi_run *a, wi_run *b);
/* Rows of a run. */
typedef struct wi_range {
    uint32_t begin, end;
} wi_range;
/* Which rows of a run have each of some keys, at most WI_FIND_BLOCK. They are looked up together,
 * so that the memory that each needs comes while others are looked at. */
#define WI_FIND_BLOCK 32
void wi_match_find(wi_run *in, const uint64_t *const *keys, uint32_t count, wi_range *found_out);
/* Fetches what looking a key up in some runs will read first. */
void wi_match_fetch(wi_run *const *runs, uint32_t count, const uint64_t *key);
/* Joins about *fuel rows and pairs, which is subtracted; may go a little below zero. The
 * output may be opened at `at`. True once all is done. */
bool wi_match_work(wi_match *match, wi_joiner *joiner, const weir_time *at, int64_t *fuel);

#endif
