/* The event time in rows, and arithmetic on event times that stops at the ends. */
#ifndef WEIR_OPERATORS_WINDOW_FIELD_H
#define WEIR_OPERATORS_WINDOW_FIELD_H

#include <weir/window.h>

/* Where the field of that name is in rows of the stream: a single i64, or time in ms or us.
 * Otherwise (NULL, too) fails the dataflow; `name` and `what` are for the message. */
uint32_t wi_time_field(weir_stream in, const char *name, const char *what, const char *field);
/* Fails the scope if these fields of two types are of event time, in units that differ: one in ms,
 * the other in us. A NULL name is no field. */
void wi_same_unit(weir_scope *scope, const char *name, const weir_type *a, const char *a_field,
                  const weir_type *b, const char *b_field);

static inline int64_t wi_event_time_at(const void *row, uint32_t offset)
{
    int64_t time;
    memcpy(&time, (const char *)row + offset, sizeof time);
    return time;
}

static inline int64_t wi_add_saturating(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static inline int64_t wi_subtract_saturating(int64_t a, int64_t b)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return b < 0 ? INT64_MAX : INT64_MIN;
    return difference;
}

/* What is left of `a`, downwards, to a multiple of b > 0: from 0 to b - 1. */
static inline int64_t wi_floor_rest(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

#endif
