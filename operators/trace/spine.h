/* What a trace asks of its spine: which runs are merged, when, and how far (spine.c). */
#ifndef WEIR_OPERATORS_TRACE_SPINE_H
#define WEIR_OPERATORS_TRACE_SPINE_H

#include "trace.h"

void wi_spine_init(wi_trace *trace);
void wi_spine_fini(wi_trace *trace);
/* Forgets the admitted runs; merges in progress are dropped. */
void wi_spine_clear(wi_trace *trace);
/* All readers have acked runs[admitted]: it may be merged now. Works for its rows. */
void wi_spine_admit(wi_trace *trace);
/* For idle time; true if there is more to do. */
bool wi_spine_work(wi_trace *trace, int64_t fuel);
/* For tests: rows merged so far, rows and runs admitted, and how often a merge had to be ended
 * before its time (never). */
typedef struct wi_spine_figures {
    uint64_t merged, admitted, runs, forced;
} wi_spine_figures;
wi_spine_figures wi_spine_look(const wi_trace *trace);
/* Aborts with the broken invariant's name. */
void wi_spine_check(const wi_trace *trace);

#endif
