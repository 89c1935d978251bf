/* replay from memory: the events of a capture again, in their order. What the recorded
 * frontier allowed is what the replay holds capabilities for, so times become complete here
 * between the same batches as they did there. */
#include "../../base/alloc.h"
#include "capture_log.h"
#include "common.h"
#include "held.h"

/* Events replayed in one call, so that others run too. */
#define EVENTS_A_CALL 64

typedef struct state {
    wi_held held;
    uint32_t next; /* event */
    wi_log_waiter waiter;
} state;

static void on_start(weir_op *op)
{
    weir_capture *capture = weir_op_arg(op);
    state *reader = weir_op_state(op);
    wi_capture_retain(capture);
    wi_held_init(&reader->held, weir_op_first_capability(op, 0));
    reader->waiter.activator = weir_activator_new(op);
    reader->waiter.next = capture->waiters;
    capture->waiters = &reader->waiter;
    weir_activate(op);
}

static void on_run(weir_op *op)
{
    weir_capture *capture = weir_op_arg(op);
    state *reader = weir_op_state(op);
    for (int n = 0; n < EVENTS_A_CALL && reader->next < capture->count; n++) {
        const wi_event *event = &capture->events[reader->next++];
        if (event->batch)
            weir_forward(op, 0, event->batch);
        else
            wi_held_move(&reader->held, &event->frontier);
    }
    if (reader->next < capture->count)
        weir_activate(op);
    else if (reader->held.count && capture->stopped)
        weir_op_stop(op, "the captured stream was never completed: its dataflow was dropped or "
                         "stopped, so what would have followed is not known");
    else
        reader->waiter.waits = reader->held.count > 0;
}

static void on_stop(weir_op *op)
{
    weir_capture *capture = weir_op_arg(op);
    state *reader = weir_op_state(op);
    wi_log_waiter **at = &capture->waiters;
    while (*at != &reader->waiter)
        at = &(*at)->next;
    *at = reader->waiter.next;
    weir_activator_free(reader->waiter.activator);
    wi_held_fini(&reader->held);
    wi_capture_drop(capture);
}

static const weir_operator replay = {.name = "replay",
                                     .source = true,
                                     .state_bytes = sizeof(state),
                                     .start = on_start,
                                     .run = on_run,
                                     .stop = on_stop};

weir_stream weir_replay(weir_dataflow *flow, weir_capture *capture)
{
    if (weir_scope_dims(flow) != capture->dims)
        weir_scope_fail(flow,
                        "replay: the captured stream's times have %d coordinates, but those "
                        "of this dataflow have %d",
                        capture->dims, weir_scope_dims(flow));
    return wi_end(weir_operator_begin(flow, &replay, capture), capture->type);
}
