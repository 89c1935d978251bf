/* capture into memory: batches by reference, and how the frontier moved.
 *
 * The frontier is read in the `frontier` callback, which runs after the batches that had
 * arrived were taken; those that had not hold the frontier back. So what the log says of a
 * frontier is true of the batches before and after it. */
#include "../../base/alloc.h"
#include "capture_log.h"
#include "common.h"

/* ---- the log ---------------------------------------------------------------------------- */

void wi_capture_retain(weir_capture *capture)
{
    capture->references++;
}

void wi_capture_drop(weir_capture *capture)
{
    if (--capture->references)
        return;
    for (uint32_t i = 0; i < capture->count; i++) {
        weir_batch_drop(capture->events[i].batch);
        weir_antichain_fini(&capture->events[i].frontier);
    }
    wi_free(capture->events);
    wi_free(capture);
}

static wi_event *append(weir_capture *capture)
{
    wi_grow(&capture->events, &capture->capacity, capture->count + 1, sizeof *capture->events);
    wi_event *event = &capture->events[capture->count++];
    *event = (wi_event){0};
    weir_antichain_init(&event->frontier);
    return event;
}

static void wake(weir_capture *capture)
{
    for (wi_log_waiter *waiter = capture->waiters; waiter; waiter = waiter->next) {
        if (waiter->waits)
            weir_activator_fire(waiter->activator);
        waiter->waits = false;
    }
}

/* ---- recording -------------------------------------------------------------------------- */

typedef struct state {
    weir_antichain frontier; /* the last one recorded */
} state;

static void on_start(weir_op *op)
{
    static const weir_time first;
    state *seen = weir_op_state(op);
    weir_antichain_init(&seen->frontier);
    weir_antichain_insert(&seen->frontier, &first);
    wi_capture_retain(weir_op_arg(op));
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_capture *capture = weir_op_arg(op);
    append(capture)->batch = weir_batch_retain(batch);
    wake(capture);
}

static void on_frontier(weir_op *op)
{
    weir_capture *capture = weir_op_arg(op);
    state *seen = weir_op_state(op);
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    if (weir_antichain_eq(frontier, &seen->frontier))
        return;
    weir_antichain_copy(&seen->frontier, frontier);
    weir_antichain_copy(&append(capture)->frontier, frontier);
    wake(capture);
}

static void on_stop(weir_op *op)
{
    weir_capture *capture = weir_op_arg(op);
    state *seen = weir_op_state(op);
    weir_antichain_fini(&seen->frontier);
    capture->stopped = true;
    wake(capture);
    wi_capture_drop(capture);
}

static const weir_operator record = {.name = "capture",
                                     .state_bytes = sizeof(state),
                                     .start = on_start,
                                     .batch = on_batch,
                                     .frontier = on_frontier,
                                     .stop = on_stop};

weir_capture *weir_capture_new(weir_stream in)
{
    weir_capture *capture = WI_NEW(weir_capture);
    capture->type = in.type;
    capture->dims = weir_scope_dims(in.scope);
    capture->references = 1;
    weir_sink(in, WEIR_LOCAL, &record, capture);
    return capture;
}

void weir_capture_free(weir_capture *capture)
{
    if (capture)
        wi_capture_drop(capture);
}
