/* Deterministic runs: all workers on one thread.
 *
 * Each worker's function runs on a stack of its own; whenever it steps or would sleep, it
 * yields to the scheduler, which draws the next worker from the seed. Time is virtual: it
 * advances a microsecond a turn, and to the next deadline when everyone sleeps. The same
 * seed gives the same run, the order of output included. */
#ifndef WEIR_RUNTIME_FIBER_H
#define WEIR_RUNTIME_FIBER_H

#include "runtime.h"

typedef struct wi_fiber wi_fiber;

/* Runs `body` for every worker of the process until all have returned. */
void wi_fibers_run(wi_process *process, void (*body)(weir_worker *worker));
/* worker. Lets others run; if idle, not again before another worker did something or
 * `until_ns` of the virtual clock. */
void wi_fiber_yield(wi_fiber *fiber, bool idle, uint64_t until_ns);

#endif
