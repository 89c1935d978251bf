/* When partitions are idle: a clock that stands still while nothing can come.
 *
 * An operator that cannot run, because what it sends has no room or because its worker is busy,
 * does not see rows that wait for it, and must not take their partitions for idle. So the clock
 * goes on only from tick to tick: it stops at the next one until the operator takes that, and if it
 * does so late, the tick passes without judging anybody.
 *
 * Worker. */
#ifndef WEIR_OPERATORS_WINDOW_IDLE_H
#define WEIR_OPERATORS_WINDOW_IDLE_H

#include <weir/operator.h>

typedef struct wi_idle_clock {
    uint64_t idle_ns, tick_ns; /* 0: there is no such clock */
    uint64_t stopped_ns;       /* how long it has stood still */
    uint64_t due_ns;           /* of the next tick, by this clock; 0: there is none */
    bool late, passed;         /* the next tick is late; the last one was, and was passed over */
} wi_idle_clock;

void wi_idle_init(wi_idle_clock *clock, uint64_t idle_ns);
/* What it shows. */
uint64_t wi_idle_now(wi_idle_clock *clock, const weir_op *op);
/* Asks for a tick (`run`), unless one is to come. */
void wi_idle_arm(wi_idle_clock *clock, weir_op *op);
/* Whether the time of a tick has come. */
bool wi_idle_due(wi_idle_clock *clock, const weir_op *op);
/* Takes it, if it has come: whether to judge. Afterwards none is asked for. */
bool wi_idle_tick(wi_idle_clock *clock, weir_op *op);

#endif
