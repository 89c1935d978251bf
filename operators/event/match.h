/* What operators that match rows by event time have in common: how they are built and checked, how
 * they take rows, and how they come to know that times are complete.
 *
 * A turn is about wi_join_fuel rows, things that are due, and pairs; what is left is for another
 * one. Rows that are left have capabilities of their own, for results and for late rows.
 *
 * Invariants
 *   T1  `reached` and `both` move on only when no rows are left: what these may match is not freed
 *   T2  nothing is freed before all has been done that is due before `both`
 *   T3  while something that was due is not done to its end, no rows are put in, and none is freed
 *
 * Outputs: results, and for each input the rows that were late. Worker. */
#ifndef WEIR_OPERATORS_EVENT_MATCH_H
#define WEIR_OPERATORS_EVENT_MATCH_H

#include "queue.h"
#include "sender.h"

typedef struct wi_matcher wi_matcher;

/* What an operator is; its argument, or the beginning of it. */
typedef struct wi_match_plan {
    const char *name; /* of the operator */
    uint32_t inputs;
    bool by_row; /* see wi_side_form */
    wi_side_form forms[2];
    int64_t lateness;
    wi_sending sending;
    /* The last instant at which a row of that time belongs; NULL: its time. */
    int64_t (*last)(const struct wi_match_plan *plan, int64_t time);
    /* Rows that are late by themselves are taken like the others, and settled when something is
     * due at their stamps. */
    bool settles;
    /* A row that is not late. */
    void (*take)(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                 const wi_entry *as);
    /* Something is due; all else at that time for that key may be popped, too. */
    void (*due)(wi_matcher *matcher, wi_due due);
    wi_store_expire *expire; /* its argument is the matcher */
    /* Goes on with what `due` has begun, while there is fuel. NULL: it is always done. */
    void (*go_on)(wi_matcher *matcher);
} wi_match_plan;

/* Rows of a batch, from `row` on, for another turn. */
typedef struct wi_rows_left {
    weir_batch *batch;
    uint32_t input, row;
    weir_capability *held[2];
} wi_rows_left;

/* The operator's state. */
struct wi_matcher {
    weir_op *op;
    const wi_match_plan *plan;
    wi_store store;
    wi_queue queue;
    wi_sender sender;
    wi_reached reached[2], both; /* of each input; the earlier of the two */
    int64_t fuel;
    bool is_behind; /* not all has been done that is due before `both` */
    bool takes_away[2]; /* whether an input ever had a diff below 0 */
    bool ends;      /* no more rows can come from an input, and that was not looked at yet */
    struct {
        weir_capability *held; /* of the output for late rows: at or before the first of them */
        uint64_t count;
    } unsettled[2]; /* rows of an input */
    struct wi_window_rows *begun; /* what is to be gone on with; empty once all is done */
    unsigned begun_at, begun_count, begun_capacity;
    wi_rows_left *left;
    unsigned left_begin, left_count, left_capacity;
};

extern const weir_operator wi_event_match;

/* Whether no row of a side can come any more that is not late and has a time at or before this. */
static inline bool wi_is_over(const wi_matcher *matcher, wi_reached side, int64_t time)
{
    int64_t until;
    return side.all || (!__builtin_add_overflow(time, matcher->plan->lateness, &until) &&
                        until < side.before);
}

static inline bool wi_match_is_late(const wi_match_plan *plan, int64_t time, int64_t stamp)
{
    int64_t last = plan->last ? plan->last(plan, time) : time;
    return wi_add_saturating(last, plan->lateness) < stamp;
}

/* What a row of a side that is late by itself turns out to be: one that is taken (NULL), or late:
 * then it is sent. */
void wi_match_settle(wi_matcher *matcher, uint32_t side, const wi_entry *late);

/* ---- building --------------------------------------------------------------------------- */

typedef struct wi_match_side {
    weir_stream stream;
    weir_key key;
    const char *time; /* the field */
    const char *what; /* "time of a": for messages */
} wi_match_side;

/* Checks what they have in common, fills in the plan's forms, and builds the operator: `plan`,
 * whose other fields are filled in, is from wi_alloc and the operator's from now on. */
weir_stream wi_match_build(wi_match_plan *plan, const wi_match_side *sides, const char *of,
                           const weir_type *out, weir_stream *late_out);

#endif
