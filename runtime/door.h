/* A door: how threads that are no workers reach an operator (feeds, activators).
 *
 * It may outlive the operator and the execution: the operator shuts it when it is freed,
 * and what is posted afterwards is refused. Counted; the lock makes "is it open" and "post"
 * one step, so that nothing is posted to a process that has gone. */
#ifndef WEIR_RUNTIME_DOOR_H
#define WEIR_RUNTIME_DOOR_H

#include "runtime.h"

struct wi_door {
    pthread_mutex_t lock;
    wi_process *process; /* NULL: shut; guarded by lock */
    uint32_t worker, flow, op;
    _Atomic(uint32_t) references;
};

/* worker. The operator's door, made when first asked for; the caller gets a reference. */
wi_door *wi_op_door(weir_op *op);
/* any. Puts mail into the worker's mailbox; false if the door is shut. */
bool wi_door_post(wi_door *door, wi_mail *mail);
/* any. Whether nothing posted here will be taken any more: shut, or the execution stops. */
bool wi_door_closing(wi_door *door);
/* worker. The operator, or NULL if it is gone (or worker is NULL: the execution ends). */
weir_op *wi_door_op(const wi_door *door, weir_worker *worker);
/* worker. */
void wi_door_shut(wi_door *door);
/* any. */
void wi_door_release(wi_door *door);

#endif
