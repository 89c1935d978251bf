/* What is due at event times: at each of them, once it is complete, something is to be done for a
 * key. One capability, at or before the first of them, is held for all: event times can be as many
 * as rows, and to hold each would be work for all workers. Worker. */
#ifndef WEIR_OPERATORS_EVENT_QUEUE_H
#define WEIR_OPERATORS_EVENT_QUEUE_H

#include "store.h"

/* The times of an input, or of several, that are complete. */
typedef struct wi_reached {
    int64_t before; /* those before this; */
    bool all;       /* or all */
} wi_reached;

static inline bool wi_is_complete(wi_reached reached, int64_t time)
{
    return reached.all || time < reached.before;
}

wi_reached wi_reached_of(const weir_op *op, uint32_t input);

typedef struct wi_due {
    int64_t time;
    wi_match_key *key; /* referred to until it is popped */
    uint32_t what;     /* the operator's own, as is: */
    int64_t at;
    uint64_t id; /* the key's; the queue's own */
} wi_due;

typedef struct wi_queue {
    wi_due *heap; /* the first is the next */
    unsigned count, capacity;
    weir_capability *held; /* of output 0 */
} wi_queue;

/* In a call that allows to send at its time on output 0, or while something at or before it is
 * popped. */
void wi_queue_ask(wi_queue *queue, weir_op *op, wi_due due);
/* Pops the next if its time is complete: by time, then key, what, and at. The reference to the key
 * is given up; the caller tidies it. */
bool wi_queue_pop(wi_queue *queue, wi_reached reached, wi_due *due_out);
/* Pops the next if it is for the same key at the same time as this one, which was popped. */
bool wi_queue_pop_same(wi_queue *queue, wi_due *due);
/* Holds no earlier time than has to be. */
void wi_queue_settle(wi_queue *queue);
void wi_queue_fini(wi_queue *queue);

#endif
