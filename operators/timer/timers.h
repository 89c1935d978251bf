/* Timers as a heap by due time, without an operator to be called; see weir/timer.h. Worker. */
#ifndef WEIR_OPERATORS_TIMER_TIMERS_H
#define WEIR_OPERATORS_TIMER_TIMERS_H

#include <weir/timer.h>

/* As weir_timers_set and weir_timers_cancel, but nobody is called. */
void wi_timers_place(weir_timers *timers, weir_timer *timer, uint64_t due_ns);
void wi_timers_remove(weir_timers *timers, weir_timer *timer);
/* The earliest; NULL: none is set. */
static inline weir_timer *wi_timers_first(const weir_timers *timers)
{
    return timers->count ? timers->heap[0] : NULL;
}

#endif
