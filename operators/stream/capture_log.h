/* A captured stream in memory: what happened to it, in order. One operator appends; any
 * number of replays of the same worker read, each from the beginning and at its own pace.
 *
 * Owned together by the program (until weir_capture_free), by the operator that records and
 * by the replays, while they run: references. Worker. */
#ifndef WEIR_OPERATORS_STREAM_CAPTURE_LOG_H
#define WEIR_OPERATORS_STREAM_CAPTURE_LOG_H

#include <weir/stream.h>

/* A batch, or, where that is NULL, a frontier: every batch before it in the log came before
 * the frontier moved there, and every one after it is at or after one of its times. */
typedef struct wi_event {
    weir_batch *batch;
    weir_antichain frontier;
} wi_event;

/* A replay that has read everything and waits for more. */
typedef struct wi_log_waiter {
    weir_activator *activator;
    bool waits;
    struct wi_log_waiter *next;
} wi_log_waiter;

struct weir_capture {
    const weir_type *type;
    int dims;
    wi_event *events;
    uint32_t count, capacity;
    uint32_t references;
    bool stopped; /* nobody records any more */
    wi_log_waiter *waiters;
};

void wi_capture_retain(weir_capture *capture);
void wi_capture_drop(weir_capture *capture);

#endif
