/* Upkeep of a trace by the operator that fills it: merging goes on in idle time, and now and then
 * it is looked whether there is something to merge, since readers let go of runs and times after
 * they were inserted. */
#ifndef WEIR_OPERATORS_TRACE_UPKEEP_H
#define WEIR_OPERATORS_TRACE_UPKEEP_H

#include "trace.h"

typedef struct wi_upkeep {
    bool merging;    /* the operator was activated to go on merging */
    uint64_t due_ns; /* when it is to look for what can be merged; 0: not asked for */
} wi_upkeep;

/* worker. After runs were inserted. */
void wi_upkeep_ask(wi_upkeep *upkeep, weir_op *op, const wi_trace *trace);
/* worker. In the operator's `run`. */
void wi_upkeep_run(wi_upkeep *upkeep, weir_op *op, wi_trace *trace);

#endif
