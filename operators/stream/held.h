/* The capabilities of a source that follows a recorded frontier: one for each of its times,
 * on output 0. Worker. */
#ifndef WEIR_OPERATORS_STREAM_HELD_H
#define WEIR_OPERATORS_STREAM_HELD_H

#include <weir/operator.h>

typedef struct wi_held {
    weir_capability **capabilities;
    uint32_t count;
} wi_held;

/* Begins with one capability, which it takes. */
void wi_held_init(wi_held *held, weir_capability *first);
/* Whether one of them is at or before the time. */
bool wi_held_allows(const wi_held *held, const weir_time *time);
/* Moves to another frontier, each of whose times is allowed. */
void wi_held_move(wi_held *held, const weir_antichain *frontier);
/* Frees the memory; the capabilities are the operator's. */
void wi_held_fini(wi_held *held);

#endif
