/* When partitions are idle; see idle.h. */
#include "idle.h"

#define TICKS 8 /* in the time after which a partition is idle */

void wi_idle_init(wi_idle_clock *clock, uint64_t idle_ns)
{
    *clock = (wi_idle_clock){.idle_ns = idle_ns, .tick_ns = idle_ns / TICKS + (idle_ns != 0)};
}

uint64_t wi_idle_now(wi_idle_clock *clock, const weir_op *op)
{
    uint64_t now = weir_now(weir_op_worker(op)) - clock->stopped_ns;
    if (!clock->due_ns || now <= clock->due_ns)
        return now;
    clock->late |= now - clock->due_ns > clock->tick_ns;
    clock->stopped_ns += now - clock->due_ns;
    return clock->due_ns;
}

void wi_idle_arm(wi_idle_clock *clock, weir_op *op)
{
    if (!clock->idle_ns || clock->due_ns)
        return;
    clock->due_ns = wi_idle_now(clock, op) + clock->tick_ns;
    weir_activate_after(op, clock->tick_ns);
}

bool wi_idle_due(wi_idle_clock *clock, const weir_op *op)
{
    return clock->due_ns && wi_idle_now(clock, op) >= clock->due_ns;
}

bool wi_idle_tick(wi_idle_clock *clock, weir_op *op)
{
    if (!wi_idle_due(clock, op))
        return false;
    clock->due_ns = 0;
    /* Not twice in a row: where all ticks are late, they are the clock. */
    clock->passed = clock->late && !clock->passed;
    clock->late = false;
    return !clock->passed;
}
