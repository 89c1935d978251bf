/* Doors and activators. See door.h. */
#include "door.h"

#include "../base/alloc.h"

wi_door *wi_op_door(weir_op *op)
{
    if (!op->door) {
        op->door = WI_NEW(wi_door);
        pthread_mutex_init(&op->door->lock, NULL);
        op->door->process = op->flow->worker->process;
        op->door->worker = op->flow->worker->local;
        op->door->flow = op->flow->number;
        op->door->op = op->index;
        atomic_init(&op->door->references, 1);
    }
    atomic_fetch_add_explicit(&op->door->references, 1, memory_order_relaxed);
    return op->door;
}

bool wi_door_post(wi_door *door, wi_mail *mail)
{
    pthread_mutex_lock(&door->lock);
    bool open = door->process != NULL;
    if (open)
        wi_mail_post(door->process, door->worker, mail);
    pthread_mutex_unlock(&door->lock);
    return open;
}

bool wi_door_closing(wi_door *door)
{
    pthread_mutex_lock(&door->lock);
    bool closing = !door->process || wi_stopping(door->process);
    pthread_mutex_unlock(&door->lock);
    return closing;
}

weir_op *wi_door_op(const wi_door *door, weir_worker *worker)
{
    wi_flow *flow = worker ? wi_worker_flow(worker, door->flow) : NULL;
    return flow ? flow->ops[door->op] : NULL;
}

void wi_door_shut(wi_door *door)
{
    pthread_mutex_lock(&door->lock);
    door->process = NULL;
    pthread_mutex_unlock(&door->lock);
    wi_door_release(door);
}

void wi_door_release(wi_door *door)
{
    if (atomic_fetch_sub_explicit(&door->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&door->lock);
    wi_free(door);
}

/* ---- activators ------------------------------------------------------------------------- */

/* The mail is part of the activator; `posted` keeps it from being in the mailbox twice, and
 * a reference keeps it alive while it is there. */
struct weir_activator {
    wi_mail mail;
    wi_door *door;
    _Atomic(bool) posted;
    _Atomic(uint32_t) references;
};

static void release(weir_activator *activator)
{
    if (atomic_fetch_sub_explicit(&activator->references, 1, memory_order_acq_rel) != 1)
        return;
    wi_door_release(activator->door);
    wi_free(activator);
}

static void take_activation(weir_worker *worker, wi_mail *mail)
{
    weir_activator *activator = (weir_activator *)mail;
    atomic_store_explicit(&activator->posted, false, memory_order_release);
    weir_op *op = wi_door_op(activator->door, worker);
    if (op)
        weir_activate(op);
    release(activator);
}

weir_activator *weir_activator_new(weir_op *op)
{
    weir_activator *activator = WI_NEW(weir_activator);
    activator->mail.take = take_activation;
    activator->door = wi_op_door(op);
    atomic_init(&activator->references, 1);
    return activator;
}

void weir_activator_fire(weir_activator *activator)
{
    if (atomic_exchange_explicit(&activator->posted, true, memory_order_acq_rel))
        return;
    atomic_fetch_add_explicit(&activator->references, 1, memory_order_relaxed);
    if (!wi_door_post(activator->door, &activator->mail)) {
        atomic_store_explicit(&activator->posted, false, memory_order_release);
        release(activator);
    }
}

void weir_activator_free(weir_activator *activator)
{
    if (activator)
        release(activator);
}
