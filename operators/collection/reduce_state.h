/* The state of a reduce operator, shared by its files:
 *
 *   reduce.c          building; tokens, capabilities, holds; when there is work
 *   reduce_block.c    the next keys, and where their rows lie in each run
 *   reduce_groups.c   the groups that have to be evaluated: rows of several runs put together
 *   reduce_times.c    at which times a key has to be evaluated, if they are not one
 *   reduce_now.c      or only at the first of them, and then again
 *   reduce_results.c  calling the reducer; differences to what was said before
 *   reduce_made.c     the changes made: runs of the output trace, or sent
 *
 * Work is what can be evaluated at once: all updates that have come and are complete, and
 * deferred times that have become so. It is done in blocks of keys, in order. Memory that is
 * grown for one block is used for the next. */
#ifndef WEIR_OPERATORS_COLLECTION_REDUCE_STATE_H
#define WEIR_OPERATORS_COLLECTION_REDUCE_STATE_H

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../trace/run_build.h"
#include "../trace/upkeep.h"
#include "reduce.h"
#include "tally.h"

#define WI_BLOCK_KEYS 256
#define WI_NO_GROUP UINT32_MAX

static inline void wi_vector_grow(void *array, uint32_t *capacity, uint64_t needed, size_t bytes)
{
    wi_require(needed <= UINT32_MAX, "groups that are reduced at once have less than 2^32 words");
    wi_grow(array, capacity, (uint32_t)needed, bytes);
}

/* An array that grows: WI_VECTOR(int64_t) counts. */
#define WI_VECTOR(type)           \
    struct {                      \
        type *at;                 \
        uint32_t count, capacity; \
    }
#define WI_ROOM(vector, more)                                                                     \
    ((uint64_t)(vector)->count + (more) > (vector)->capacity                                      \
         ? wi_vector_grow(&(vector)->at, &(vector)->capacity, (uint64_t)(vector)->count + (more), \
                          sizeof *(vector)->at)                                                   \
         : (void)0)
#define WI_PUSH(vector, ...) \
    (WI_ROOM(vector, 1), (void)((vector)->at[(vector)->count++] = (__VA_ARGS__)))

/* ---- runs, and where a block's keys are in them ----------------------------------------- */

typedef enum wi_role { WI_ROLE_NEW, WI_ROLE_DEFERRED, WI_ROLE_OLD, WI_ROLE_OUT } wi_role;

typedef struct wi_slot {
    wi_run *run; /* a borrow; that of deferred is the slot's */
    wi_role role;
    uint32_t at;           /* rows before it are of keys that are done */
    bool before;           /* all its times are at or before the work's only one */
    bool active;           /* has rows of the block's keys */
    uint32_t *begin, *end; /* of key k of the block, if active */
    uint32_t *local;       /* by index of the run's table: in the key's times ... */
    uint32_t *stamp;       /* ... if this is the key's number */
    uint32_t times_capacity;
    int64_t sums; /* reduce_now.c's */
} wi_slot;

static inline uint32_t wi_slot_time(const wi_slot *slot, uint32_t row)
{
    return slot->run->times ? slot->run->times[row] : 0;
}

/* ---- what is evaluated ------------------------------------------------------------------ */

typedef enum wi_plan_kind {
    WI_PLAN_SIMPLE, /* one time, and all there is is at or before it: the groups before, now */
    WI_PLAN_CHAIN,  /* times one after the other: a group for each */
    WI_PLAN_GENERAL /* any times: a group for each */
} wi_plan_kind;

/* What is done about a key of the block. Its groups, as numbers or WI_NO_GROUP where empty,
 * are `chosen` from first_choice on. Chain and general: group i is for time first_time + i. */
typedef struct wi_plan {
    wi_plan_kind kind;
    const weir_time *time;
    uint32_t first_choice, choices;
    uint32_t first_time;
    bool derived;                    /* two choices for each time: the group now, and before */
    uint32_t complete;               /* chain: so many first choices are at complete times */
    uint32_t first_said, said_count; /* what the output trace has */
} wi_plan;

/* An update of the output trace. Chain: at choice `time`; general: at said_times[time]. */
typedef struct wi_said {
    const uint64_t *value; /* the words after the key */
    uint32_t time;
    int64_t diff;
} wi_said;

/* How often a row is there. */
typedef struct wi_difference {
    const uint64_t *value;
    int64_t diff;
    uint32_t time; /* choice */
} wi_difference;

/* ---- a key with several times ----------------------------------------------------------- */

typedef struct wi_used_time {
    weir_time time;
    uint32_t slot, index;
} wi_used_time;

typedef struct wi_moment { /* an update of a row of the key */
    uint32_t time;
    int64_t diff;
} wi_moment;

typedef struct wi_held_row {
    const uint64_t *row;
    uint32_t end; /* of its moments */
} wi_held_row;

typedef struct wi_cursor {
    const wi_slot *slot;
    const uint64_t *row;
    uint32_t at, end;
} wi_cursor;

/* ---- the changes made ------------------------------------------------------------------- */

typedef struct wi_made {
    WI_VECTOR(uint64_t) words;
    WI_VECTOR(uint32_t) times; /* of the table */
    WI_VECTOR(int64_t) diffs;
    WI_VECTOR(weir_time) table; /* in the order of their first use */
    uint32_t *hash;             /* of the table: index + 1, or 0 */
    uint32_t hash_size;
    wi_heap heap;
    uint32_t count, owned; /* rows; those whose texts are in the heap */
} wi_made;

/* ---- the operator ----------------------------------------------------------------------- */

typedef struct wi_reduce_call {
    wi_reducer how;
    void *arg;
    weir_arrangement *in;
    const weir_type *out;
    weir_arrangement made; /* the output, arranged by the key; without a trace where times are
                              totally ordered: then rows are sent */
} wi_reduce_call;

typedef struct wi_held_token {
    weir_time time;
    weir_capability *capability; /* NULL: the call in progress allows it */
} wi_held_token;

typedef struct wi_reduction {
    const wi_reduce_call *call;
    weir_op *op;
    wi_trace *in, *out; /* out: NULL where times are totally ordered */
    wi_reader *reader, *out_reader;
    wi_upkeep upkeep; /* of out */
    wi_layout *in_layout, *out_layout, *key_layout;
    uint32_t key_words, words, out_words, value_words;
    uint32_t in_at, out_at; /* the words from which on rows have other fields than the key's */
    uint64_t key_mask;      /* of keys of one word */
    wi_tie tie;
    bool total_order;
    uint32_t *pending;               /* NULL, or, by hash of key, how often it is deferred */
    wi_pending deferred;             /* (key, time) */
    bool knows;                      /* `known` has the total of each key */
    wi_tally known;
    wi_tally_form known_form;
    WI_VECTOR(wi_held_token) tokens; /* not worked on, or being worked on */
    uint64_t token_seq;              /* of the last that has come */
    WI_VECTOR(wi_bin *) ready;

    /* the work in progress */
    bool working, slots_retained;
    uint64_t work_seq; /* of the last run it is about */
    uint32_t work_tokens;
    weir_antichain upper; /* times before it are evaluated now */
    weir_antichain bases; /* at which may be sent */
    WI_VECTOR(weir_capability *) held;
    WI_VECTOR(wi_run *) cut;  /* new runs without their negative diffs, if it is growing */
    WI_VECTOR(wi_slot) slots; /* the sources first: new, deferred; then old, out */
    uint32_t sources;
    uint64_t rows_left; /* of the sources; about */
    bool one_time;      /* all sources have the time `time`, and none is deferred */
    bool simple;        /* and all that is old is at or before it */
    weir_time time;
    wi_made made;

    /* the block */
    uint32_t keys;
    const uint64_t *key[WI_BLOCK_KEYS]; /* without bits of other fields */
    uint64_t key_word[WI_BLOCK_KEYS];   /* where those of one word are */
    wi_plan plans[WI_BLOCK_KEYS];
    WI_VECTOR(uint32_t) chosen;
    WI_VECTOR(weir_time) times;      /* of chain and general plans */
    WI_VECTOR(weir_time) said_times; /* of general plans' said */
    WI_VECTOR(wi_said) said;
    /* its groups; of totals only the counts */
    WI_VECTOR(uint64_t) group_words;
    WI_VECTOR(int64_t) counts;
    WI_VECTOR(uint32_t) ends;
    /* what they become: group g has the results [result_ends[g - 1], result_ends[g]) */
    WI_VECTOR(uint64_t) result_words;
    WI_VECTOR(int64_t) result_diffs;
    WI_VECTOR(wi_difference) results;
    WI_VECTOR(uint32_t) result_ends;
    weir_out kernel_out;
    bool kernel_out_ready;
    weir_batch *kernel_rows;
    char *decoded;
    size_t decoded_bytes;
    WI_VECTOR(uint32_t) kernel_ends;
    wi_heap result_heap;
    WI_VECTOR(wi_difference) changes, change_space;

    /* the key, if it has several times */
    uint32_t stamp;
    WI_VECTOR(wi_used_time) used;
    WI_VECTOR(weir_time) key_times; /* sorted */
    WI_VECTOR(uint8_t) seen, seed;  /* by key time */
    WI_VECTOR(uint32_t) rank;
    WI_VECTOR(int64_t) sums;
    WI_VECTOR(int64_t) old_sums;
    WI_VECTOR(wi_held_row) rows;
    WI_VECTOR(wi_moment) moments;
    WI_VECTOR(wi_cursor) cursors;
    WI_VECTOR(weir_time) agenda;
    weir_antichain later;

    /* keys that are looked at at one time only */
    uint32_t again, again_new; /* deferred keys; those that had new updates, too */
    weir_time now;
    weir_antichain next; /* times after it */
    bool now_again;      /* the key has updates that are not at or before it */
    WI_VECTOR(int64_t) now_sums;
    WI_VECTOR(uint32_t) now_others;
} wi_reduction;

/* The order of two rows of the output by the words after the key. */
static inline int wi_value_compare(const wi_reduction *r, const uint64_t *a, const uint64_t *b)
{
    if (WEIR_UNLIKELY(r->out_layout->texts))
        return wi_words_compare_texts(r->out_layout, a - r->out_at, b - r->out_at, r->out_at,
                                      r->out_words);
    for (uint32_t i = 0; i < r->value_words; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

/* The key's entry of r->pending. Keys that share one are taken for each other. */
#define WI_PENDING_LOG 12
static inline uint32_t *wi_reduce_pending(const wi_reduction *r, const uint64_t *key)
{
    uint64_t hash = 0;
    for (uint32_t w = 0; w < r->key_words; w++)
        hash = (hash ^ key[w]) * 0x9e3779b97f4a7c15u;
    return &r->pending[hash >> (64 - WI_PENDING_LOG)];
}

/* reduce_block.c. The next block of keys and where they are; false if there is none. Gives how
 * many rows there are of them. */
bool wi_reduce_next_block(wi_reduction *r, uint64_t *rows_out);
void wi_reduce_add_slot(wi_reduction *r, wi_run *run, wi_role role);
/* Where one key is in the output trace; its slots are active then. */
void wi_reduce_look_up_said(wi_reduction *r, uint32_t k);

/* reduce_groups.c. Plans for the block's keys, and their groups. */
void wi_reduce_plan(wi_reduction *r);
/* Begins to put the rows of key k together that runs of some roles (bits) have. */
void wi_reduce_cursors(wi_reduction *r, uint32_t k, uint32_t roles);
/* Takes the least row off the cursors, NULL if there is none. Its updates become moments: with
 * several times at the key's times, otherwise at 0 (before) or 1 (new). */
const uint64_t *wi_reduce_take(wi_reduction *r, const wi_layout *layout, bool several);
/* Adds up the moments from `first` on that have the same time. */
void wi_reduce_consolidate(wi_reduction *r, uint32_t first);
/* A group of the rows, with their moments up to time `choice`, or, if it is not NULL, at times
 * seen. */
void wi_reduce_group(wi_reduction *r, uint32_t choice, const uint8_t *seen);
/* The same for a reducer of totals. */
void wi_reduce_total(wi_reduction *r, int64_t total);

/* reduce_times.c. Plans a key with several times. */
void wi_reduce_plan_times(wi_reduction *r, uint32_t k);
/* Room for what is noted of the run's times. */
void wi_slot_times(wi_slot *slot);
/* Before and after gathering what was said. */
void wi_reduce_begin_said(wi_reduction *r, uint32_t k);
void wi_reduce_end_said(wi_reduction *r, uint32_t k);
/* The key is looked at again when the time is complete. */
void wi_reduce_defer(wi_reduction *r, uint32_t k, const weir_time *time);

/* reduce_now.c. Whether the block's keys are to be planned at one time only, and how. */
bool wi_reduce_choose_now(wi_reduction *r);
void wi_reduce_plan_now(wi_reduction *r, uint32_t k);

/* reduce_results.c */
void wi_reduce_forget(wi_reduction *r);
void wi_reduce_results(wi_reduction *r);
void wi_reduce_differences(wi_reduction *r);
void wi_reduce_totals(wi_reduction *r);
void wi_reduce_results_fini(wi_reduction *r);

/* reduce_made.c */
void wi_made_row(wi_reduction *r, const uint64_t *key, const uint64_t *value, uint32_t time,
                 int64_t diff);
uint32_t wi_made_time(wi_reduction *r, const weir_time *time);
/* Into the output's trace, with a token, or sent as rows; empty then. */
void wi_made_deliver(wi_reduction *r);
void wi_made_clear(wi_made *made);
void wi_made_fini(wi_made *made);

#endif
