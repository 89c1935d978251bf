/* Time and keys for operators of one's own: timers by the clock, operators that keep a state for
 * each key and are called when a time has come, and streams that are slowed down to the pace of
 * their event times.
 *
 * The clock is weir_now: monotonic, and virtual in deterministic runs, where it jumps ahead to the
 * next timer when nobody has anything to do. */
#ifndef WEIR_TIMER_H
#define WEIR_TIMER_H

#include <weir/window.h>

/* ---- timers of an operator -------------------------------------------------------------- */

/* A moment at which something is to be done: a part of whatever it is about. Zeroed: not set. */
typedef struct weir_timer {
    uint64_t due_ns;
    uint32_t place; /* private */
} weir_timer;

/* Any number of timers of one operator, in its state, so that the one callback `run` can serve
 * them all. Timers keep no time open: who has to send then keeps a capability. */
typedef struct weir_timers {
    weir_op *op;         /* private */
    weir_timer **heap;   /* private */
    uint32_t count;      /* how many are set */
    uint32_t capacity;   /* private */
    uint64_t armed_ns;   /* private */
} weir_timers;

/* worker, in `start`; and in `stop`, which touches no timer. */
WEIR_API void weir_timers_init(weir_timers *timers, weir_op *op);
WEIR_API void weir_timers_fini(weir_timers *timers);
/* worker. Sets a timer, or moves it: `run` will be called at that time of the clock, or soon after.
 * It stays where it is in memory until it is due or cancelled. */
WEIR_API void weir_timers_set(weir_timers *timers, weir_timer *timer, uint64_t due_ns);
/* worker. Takes it back, if it is set. */
WEIR_API void weir_timers_cancel(weir_timers *timers, weir_timer *timer);
/* worker, in `run`. One that is due, the earliest first, and no longer set; NULL: no more is. To be
 * called until then. */
WEIR_API weir_timer *weir_timers_due(weir_timers *timers);

/* ---- a state for each key --------------------------------------------------------------- */

/* What a callback is about: a key, a state, a time. */
typedef struct weir_keyed weir_keyed;

/* How a key's state is kept from being forgotten; see weir_keyed_logic. */
typedef enum weir_renewal {
    WEIR_RENEW_BY_ROW, /* by each row of its key */
    WEIR_RENEW_BY_CALL /* when it begins, and by weir_keyed_renew */
} weir_renewal;

/* An operator on keys. `state` is a row of the type of that name, which begins with the fields of
 * the key, filled in; the others start as zeros and are the operator's: of fixed size, no texts.
 * When all of those are zeros again, and no timer of the key is set, nothing of it is in memory.
 * Callbacks run on the worker that has the key, one after the other. */
typedef struct weir_keyed_logic {
    const char *name;
    const weir_type *in, *state, *out;
    /* A row of the key. */
    void (*row)(weir_keyed *at, void *state, const void *row, int64_t diff);
    /* The watermark has passed a time of weir_keyed_event_at. */
    void (*event)(weir_keyed *at, void *state, int64_t time);
    /* The clock has passed a time of weir_keyed_clock_at. */
    void (*clock)(weir_keyed *at, void *state, uint64_t ns);
    /* Frees what fields of a state point to, before it is forgotten; may be NULL. */
    void (*release)(void *state, void *arg);
    /* How long a state lasts that is not renewed, in event time and by the clock; 0: for ever.
     * Afterwards rows and timers find zeros. Its memory is free after as long again, at most. */
    int64_t event_ttl;
    uint64_t clock_ttl_ns;
    weir_renewal renewal;
    /* Rows are handed over as they come. Otherwise they wait until their stamp is complete, and
     * then come in the order of stamps, those of one stamp as they came, each before the timers
     * of that time and after those of earlier ones: what happens then does not depend on when
     * rows come, or on where. */
    bool at_once;
} weir_keyed_logic;

/* worker, building. The logic must outlive the dataflow, which has one dimension, and no loop is
 * around. Times of timers are event times: where watermarks are epochs, see weir_event_time. */
WEIR_API weir_stream weir_keyed_by(weir_stream in, weir_key key, const weir_keyed_logic *logic,
                                   void *arg);

/* worker, in a callback; so are all below. */
WEIR_API void *weir_keyed_arg(const weir_keyed *at);
/* For weir_op_worker, weir_op_stop, weir_reject. (weir_rejects gives only rows that are handed over
 * at once.) */
WEIR_API weir_op *weir_keyed_op(const weir_keyed *at);
/* The time at which this is sent: the row's stamp (of the first rows, the least time), the timer's
 * time, or the watermark (the last time, when no more rows can come). */
WEIR_API int64_t weir_keyed_now(const weir_keyed *at);
/* Where to push. Of diff 1. Valid until the callback returns. */
WEIR_API weir_out *weir_keyed_out(weir_keyed *at);
/* Asks for `event` when no row stamped at or before `time` can come; once for each time, however
 * often it is asked for. For a time that has passed, it comes after the rows stamped now, and what
 * it sends is at now. (Where rows are handed over at once, what is before now counts as now.) In
 * `event` itself, now and what is before it count as the next time. When no more rows can come, all
 * times have passed, and all timers come: a key whose `event` asks for another again and again then
 * stops the execution, after a million of them. */
WEIR_API void weir_keyed_event_at(weir_keyed *at, int64_t time);
WEIR_API void weir_keyed_event_cancel(weir_keyed *at, int64_t time);
/* Asks for `clock` at that time of weir_now. The dataflow is not complete before. */
WEIR_API void weir_keyed_clock_at(weir_keyed *at, uint64_t ns);
WEIR_API void weir_keyed_clock_cancel(weir_keyed *at, uint64_t ns);
/* The state lasts for another time to live. */
WEIR_API void weir_keyed_renew(weir_keyed *at);
/* When the callback returns, the state is released, and zeros again. Timers stay. */
WEIR_API void weir_keyed_forget(weir_keyed *at);

/* ---- pace ------------------------------------------------------------------------------- */

typedef struct weir_pacing {
    const char *time; /* the field of event time: i64, or a time in ms or us */
    double speed;     /* > 0: 1 is as fast as it happened, 60 an hour in a minute */
    uint64_t unit_ns; /* what 1 of the field is; 0: as its kind says, for times in ms or us */
} weir_pacing;

/* worker, building. Lets rows through no sooner than their event times say, beginning with the
 * first (the earliest of those with which workers begin). What comes behind waits, in order,
 * and its source is held back. Rows stay on their worker, at their times. */
WEIR_API weir_stream weir_pace(weir_stream in, const weir_pacing *pacing);

#endif
