/* When an operator is to be run next because of the clock: one timer at a time, however often it is
 * asked for. Worker. */
#ifndef WEIR_OPERATORS_IO_ALARM_H
#define WEIR_OPERATORS_IO_ALARM_H

#include <weir/operator.h>

typedef struct wi_alarm {
    uint64_t due_ns; /* 0: none is set */
} wi_alarm;

/* `run` will be called at `until_ns` or, if that was wanted, earlier. UINT64_MAX: never mind. */
static inline void wi_alarm_set(weir_op *op, wi_alarm *alarm, uint64_t now_ns, uint64_t until_ns)
{
    if (until_ns == UINT64_MAX || (alarm->due_ns && alarm->due_ns <= until_ns))
        return;
    alarm->due_ns = until_ns;
    weir_activate_after(op, until_ns > now_ns ? until_ns - now_ns : 0);
}

/* To be called by `run`: whether one is still to come. */
static inline bool wi_alarm_waits(wi_alarm *alarm, uint64_t now_ns)
{
    if (alarm->due_ns <= now_ns)
        alarm->due_ns = 0;
    return alarm->due_ns != 0;
}

#endif
