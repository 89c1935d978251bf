/* What a window join sends of the rows in one window of a key: pairs, and rows that are alone.
 * Worker. */
#ifndef WEIR_OPERATORS_EVENT_WINDOW_ROWS_H
#define WEIR_OPERATORS_EVENT_WINDOW_ROWS_H

#include "match.h"

typedef struct wi_window_rows {
    wi_match_key *key;
    wi_bounds bounds;    /* as they are shown */
    int64_t first, last; /* times of rows */
    int64_t now;         /* at which it is sent */
    int64_t until;       /* of rows stamped until then */
    bool again;          /* it was sent with rows stamped before `until`: what is new is sent */
    int64_t from, to;    /* then: times of new rows */
    bool seen;           /* and whether this was called before, with other times */
    bool back;           /* what was sent is taken back */
    uint32_t place;      /* private: the row of `a` to go on with; 0: the first */
} wi_window_rows;

/* In `due`: has it sent afterwards, by what a plan goes on with, which is: */
void wi_window_rows_send(wi_matcher *matcher, const wi_window_rows *rows);
void wi_window_rows_go_on(wi_matcher *matcher);

/* session_join.c: what is different for sessions; see wi_match_plan. */
typedef struct wi_session_join_plan {
    wi_match_plan plan;
    int64_t gap;
} wi_session_join_plan;
int64_t wi_session_join_last(const wi_match_plan *plan, int64_t time);
void wi_session_join_take(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                          const wi_entry *as);
void wi_session_join_due(wi_matcher *matcher, wi_due due);
void wi_session_join_expire(void *matcher, wi_match_key *key);

#endif
