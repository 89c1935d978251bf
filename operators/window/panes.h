/* Panes: what windows of a fixed width that overlap have in common. panes.c says how they are kept,
 * and panes_inverse.c how if they can be taken away again; panes_late.c is about windows that have
 * closed, and still take rows.
 *
 * A pane is as long as what divides both the size and the slide, so that windows begin and end with
 * panes; pane n is [n pane, (n + 1) pane). Window n is [n slide, n slide + size). Both numbers may
 * be beyond i64 at the ends of time. */
#ifndef WEIR_OPERATORS_WINDOW_PANES_H
#define WEIR_OPERATORS_WINDOW_PANES_H

#include "moment.h"

typedef __int128 wi_number;

typedef struct wi_pane {
    wi_number index;
    wi_table table;
} wi_pane;

/* A window that has closed, with its groups; or, when discarding, with those of late rows. */
typedef struct wi_closed {
    wi_number index;
    wi_table *table;
} wi_closed;

typedef struct wi_panes {
    wi_pane **panes; /* from `edge` on, sorted */
    uint32_t count, capacity;
    wi_table **suffixes; /* by index modulo the panes of a window; NULL: as the next */
    uint32_t suffix_count;
    wi_table prefix;
    wi_number edge, prefixed, next; /* if there is a table */
    uint32_t usual;                 /* groups of a pane not long ago */
    wi_closed *closed;              /* sorted; panes_late.c */
    uint32_t closed_count, closed_capacity;
} wi_panes;

static inline wi_number wi_floor_divide(wi_number a, wi_number b)
{
    return a / b - (a % b < 0);
}

static inline wi_number wi_pane_of(const wi_windowing *call, int64_t time)
{
    return time / call->pane - (time % call->pane < 0);
}

/* The first and the last window that have a pane; a window's first pane, and its last. */
static inline wi_number wi_first_window(const wi_windowing *call, wi_number pane)
{
    if (call->panes_apart == 1)
        return pane - call->panes + 1;
    return wi_floor_divide(pane - call->panes, call->panes_apart) + 1;
}

static inline wi_number wi_last_window(const wi_windowing *call, wi_number pane)
{
    return wi_floor_divide(pane, call->panes_apart);
}

static inline wi_number wi_first_pane(const wi_windowing *call, wi_number window)
{
    return window * call->panes_apart;
}

static inline wi_number wi_last_pane(const wi_windowing *call, wi_number window)
{
    return window * call->panes_apart + call->panes - 1;
}

static inline int64_t wi_saturated(wi_number time)
{
    return time > INT64_MAX ? INT64_MAX : time < INT64_MIN ? INT64_MIN : (int64_t)time;
}

/* A window's limits, as event times. */
static inline int64_t wi_start_of(const wi_windowing *call, wi_number window)
{
    return wi_saturated(window * call->panes_apart * call->pane);
}

static inline int64_t wi_last_of(const wi_windowing *call, wi_number window)
{
    return wi_saturated((wi_last_pane(call, window) + 1) * call->pane - 1);
}

/* Whether a window that ends there takes no more rows with this stamp. */
static inline bool wi_is_over(const wi_windowing *call, int64_t last, int64_t stamp)
{
    int64_t until;
    return !__builtin_add_overflow(last, call->how.lateness, &until) && until < stamp;
}

/* worker. Tables on their own, whose accs may own something (`release`). */
wi_table *wi_panes_table(const wi_windowing *call);
void wi_panes_free_table(const wi_windowing *call, wi_table *table);
/* worker. Asks for a notification. */
void wi_panes_ask(weir_op *op, int64_t time);

/* Whether windows are kept when they have closed. */
static inline bool wi_panes_stay(const wi_windowing *call)
{
    return call->how.lateness && call->how.output != WEIR_DISCARDING;
}

/* worker. A window has fired with these groups: takes the table. */
void wi_panes_close(weir_op *op, wi_number window, wi_table *groups);
/* worker, with an inverse. Window `next` fires: `prefix` is its sum, and afterwards that of the
 * panes which the window after it has. A row that came late is folded into a pane, and into
 * `prefix` if that has the pane. False if the execution is stopped. */
bool wi_panes_close_sum(weir_op *op, wi_panes *state);
bool wi_panes_fold_late(weir_op *op, wi_panes *state, wi_pane *pane, const weir_batch *batch,
                        uint32_t row);
/* worker. Rows of a moment at `time` that windows which have closed still take: these fire again.
 * False if the execution is stopped. */
bool wi_panes_fire_again(weir_op *op, const wi_moment *moment, int64_t time);
/* worker. Frees the closed windows whose lateness is over at the end of `time`. */
void wi_panes_forget(weir_op *op, int64_t time);

#endif
