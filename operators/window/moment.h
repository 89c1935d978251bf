/* One moment of a window operator: the call that its time is complete.
 *
 * The rows stamped with a time are kept until it is complete, in the order in which they came.
 * Then, in one notification at T:
 *
 *   1. the rows stamped T are put, in order, into those of their windows that still take rows;
 *   2. windows that have something to say are *settled*: what closes at T (its last instant is
 *      T) fires; what had closed and was given rows fires again;
 *   3. windows whose lateness is over (last + lateness <= T) are freed.
 *
 * Invariants
 *   M1  Before 1., no window is there whose last + lateness is before T: a window that is there
 *       takes rows.
 *   M2  For each window of a key that has not fired, and for its first window, the key asks for a
 *       notification no later than when it is to fire, or to be freed.
 *   M3  A dirty window's key is touched: it will be settled before the notification ends.
 *
 * Worker. */
#ifndef WEIR_OPERATORS_WINDOW_MOMENT_H
#define WEIR_OPERATORS_WINDOW_MOMENT_H

#include "keys.h"

/* Rows of a batch with one stamp. */
typedef struct wi_segment {
    weir_batch *batch;
    uint32_t begin, end;
} wi_segment;

/* What is kept for a time: a notification's state. */
typedef struct wi_moment {
    wi_segment *segments;
    uint32_t segment_count, segment_capacity;
    wi_window_key **keys; /* to be settled; a key may be here twice */
    uint32_t key_count, key_capacity;
} wi_moment;

/* The outputs of the operator. */
enum { WI_WINDOW_RESULTS, WI_WINDOW_LATE, WI_WINDOW_MISSED, WI_WINDOW_OUTPUTS };

/* The notification that is being handled. */
typedef struct wi_now {
    weir_op *op;
    const wi_windowing *call;
    wi_window_keys *keys;
    wi_moment *moment;
    int64_t time;
    weir_out *outs[WI_WINDOW_OUTPUTS]; /* those opened */
} wi_now;

/* Where a row of this diff is pushed on an output. */
weir_out *wi_now_out(wi_now *now, uint32_t output, int64_t diff);

/* Whether a window of this last instant takes no more rows. */
static inline bool wi_expired(const wi_now *now, int64_t last)
{
    int64_t until;
    return !__builtin_add_overflow(last, now->call->how.lateness, &until) && until < now->time;
}

/* A window was given a row, or lost its results: sees to it that it fires. */
void wi_now_changed(wi_now *now, wi_window_key *key, wi_window *window);
/* Sends a window's result. */
void wi_now_fire(wi_now *now, const wi_window_key *key, wi_window *window);
/* 2. and 3. of a key, which may be gone afterwards. */
void wi_now_settle(wi_now *now, wi_window_key *key);
void wi_moment_fini(wi_moment *moment);

/* session.c: puts a row into a session, merging those that it joins. False: it is late. */
bool wi_now_session(wi_now *now, wi_window_key *key, int64_t time, const void *row, int64_t diff);

#endif
