/* Merging in idle time; see upkeep.h. */
#include "upkeep.h"

#define IDLE_FUEL 512          /* rows merged at a time: few, for a tiny epoch waits for it */
#define LOOK_AFTER_NS 10000000 /* readers let go of runs and times after they were inserted */

/* Merges in the next turn, or looks a little later whether there is something to merge. */
static void go_on(wi_upkeep *upkeep, weir_op *op, bool at_once)
{
    if (at_once && !upkeep->merging) {
        upkeep->merging = true;
        weir_activate(op);
    } else if (!at_once && !upkeep->due_ns) {
        upkeep->due_ns = weir_now(weir_op_worker(op)) + LOOK_AFTER_NS;
        weir_activate_after(op, LOOK_AFTER_NS);
    }
}

void wi_upkeep_ask(wi_upkeep *upkeep, weir_op *op, const wi_trace *trace)
{
    go_on(upkeep, op, trace->merge_count > 0);
}

void wi_upkeep_run(wi_upkeep *upkeep, weir_op *op, wi_trace *trace)
{
    upkeep->merging = false;
    if (upkeep->due_ns && weir_now(weir_op_worker(op)) >= upkeep->due_ns)
        upkeep->due_ns = 0;
    if (wi_trace_work(trace, IDLE_FUEL))
        go_on(upkeep, op, true);
}
