/* One moment of a window operator: the call that its time is complete.
 *
 * Windows of a fixed width take rows that are not late for them as these come, since they have
 * not fired. All else has to wait for its turn: rows that are late, but not too late, and all
 * rows where windows are sessions, or go by the number of rows, or have a trigger. They are kept
 * until their stamp is complete, in the order in which they came, or of a field (order.h). Then, in
 * one notification at T:
 *
 *   1. the rows stamped T that were kept are put, in order, into those of their windows that still
 *      take rows; a trigger that counts rows fires at once;
 *   2. windows that have something to say are *settled*: what closes at T (its last instant is
 *      T) fires; what had closed and was given rows fires again; and what is due by its trigger;
 *   3. windows whose lateness is over (last + lateness <= T) are freed.
 *
 * Invariants
 *   M1  Before 1., no window is there whose last + lateness is before T: a window that is there
 *       takes rows.
 *   M2  For each window of a key that has not closed, and for its first window, the key asks for a
 *       notification no later than when it is to fire, or to be freed.
 *   M3  A dirty or wrong window's key is touched: it will be settled before the notification ends.
 *
 * Worker. */
#ifndef WEIR_OPERATORS_WINDOW_MOMENT_H
#define WEIR_OPERATORS_WINDOW_MOMENT_H

#include "order.h"
#include "window.h"

/* How many windows are looked at in the time that it takes to find one; for tests. */
extern uint32_t wi_few_windows;

/* What is kept for a time: a notification's state. */
typedef struct wi_moment {
    wi_segments rows;
    wi_window_key **keys; /* to be settled; a key may be here twice */
    uint32_t key_count, key_capacity;
} wi_moment;

/* The notification that is being handled; or, without a moment, the stamp of a row that is put into
 * windows as it comes. */
typedef struct wi_now {
    weir_op *op;
    const wi_windowing *call;
    wi_window_keys *keys;
    wi_moment *moment;
    int64_t time;
    weir_out *results; /* once it is open */
} wi_now;

/* Whether a window of this last instant takes no more rows. */
static inline bool wi_expired(const wi_now *now, int64_t last)
{
    int64_t until;
    return !__builtin_add_overflow(last, now->call->how.lateness, &until) && until < now->time;
}

/* The last time before the first multiple of `every` that is behind both; WI_NEVER: none is. */
int64_t wi_before_multiple(int64_t every, int64_t time, int64_t stamp);
/* Asks for a notification at `time`, unless there will be an earlier one, to settle the key. */
void wi_now_ask(wi_now *now, wi_window_key *key, int64_t time);
/* A window was given a row of that event time and diff: sees to it that it fires. */
void wi_now_changed(wi_now *now, wi_window_key *key, wi_window *window, int64_t time,
                    int64_t diff);
/* Sends a window's result. */
void wi_now_fire(wi_now *now, const wi_window_key *key, wi_window *window);
/* Takes back what a window has sent. */
void wi_now_take_back(wi_now *now, wi_window *window);
/* Asks for the next time at which a key with windows has something to do. */
void wi_now_ask_next(wi_now *now, wi_window_key *key);
/* 2. and 3. of a key, which may be gone afterwards. */
void wi_now_settle(wi_now *now, wi_window_key *key);
void wi_moment_fini(wi_moment *moment);

/* counted.c: puts a row into windows of a number of rows. */
void wi_now_count(wi_now *now, wi_window_key *key, const weir_batch *batch, uint32_t index);

/* session.c: puts a row into a session, merging those that it joins. False: it is late. */
bool wi_now_session(wi_now *now, wi_window_key *key, int64_t time, const void *row, int64_t diff);
/* exact.c: puts a row into session `at`, which has its time; the session may fall apart. */
void wi_now_exact(wi_now *now, wi_window_key *key, uint32_t at, int64_t time, const void *row,
                  int64_t diff);

#endif
