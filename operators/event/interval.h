/* What the parts of the interval join have in common. Worker. */
#ifndef WEIR_OPERATORS_EVENT_INTERVAL_H
#define WEIR_OPERATORS_EVENT_INTERVAL_H

#include "match.h"

typedef struct wi_interval_plan {
    wi_match_plan plan;
    int64_t from, until;
} wi_interval_plan;

/* Of a row of a side: the times of the other side that match it. False: there are none; then both
 * are the end that it is beyond. No sum is cut off at the ends of the integers, so that both rows
 * of a pair say the same. */
bool wi_interval_reach(const wi_interval_plan *how, uint32_t side, int64_t time, int64_t *from_out,
                       int64_t *until_out);

/* interval_alone.c: outer joins, of rows of a side with `alone`.
 * A row is due when its interval is over. */
void wi_interval_alone_take(wi_matcher *matcher, uint32_t side, wi_match_key *key,
                            const wi_entry *as);
void wi_interval_alone_due(wi_matcher *matcher, wi_due due);
/* Whether a row of that time and stamp may still be alone, or be what another is not alone for. */
bool wi_interval_alone_needs(const wi_matcher *matcher, uint32_t side, const wi_entry *row);

#endif
