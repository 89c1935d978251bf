/* What operators that match rows by event time have in common: how they are built and checked, how
 * they take rows, and how they come to know that times are complete.
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
    /* A row that is not late. */
    void (*take)(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                 const wi_entry *as);
    /* Something is due; all else at that time for that key may be popped, too. */
    void (*due)(wi_matcher *matcher, wi_due due);
    wi_store_expire *expire; /* its argument is the matcher */
} wi_match_plan;

/* The operator's state. */
struct wi_matcher {
    weir_op *op;
    const wi_match_plan *plan;
    wi_store store;
    wi_queue queue;
    wi_sender sender;
    /* As of the last call about frontiers: what is due has been done until then. */
    wi_reached reached[2], both;
};

/* Whether no row of a side can come any more that is not late and has a time at or before this. */
static inline bool wi_is_over(const wi_matcher *matcher, wi_reached side, int64_t time)
{
    int64_t until;
    return side.all || (!__builtin_add_overflow(time, matcher->plan->lateness, &until) &&
                        until < side.before);
}

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
