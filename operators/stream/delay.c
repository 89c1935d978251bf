/* delay and delay_to: the same rows at later times. A batch's rows are shared; only its
 * times are new. Nothing waits: frontiers downstream follow from the times. */
#include "common.h"

#include "../../base/alloc.h"

/* ---- by a number ------------------------------------------------------------------------ */

typedef struct by_call {
    uint64_t by;
} by_call;

static weir_time later_by(weir_time time, uint64_t by)
{
    time.at[0] = weir_add_saturating(time.at[0], by);
    return time;
}

static void delay_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const by_call *call = weir_op_arg(op);
    weir_batch *view = weir_batch_view(batch);
    view->time = later_by(batch->time, call->by);
    for (uint32_t i = 0; batch->times && i < batch->count; i++)
        view->times[i] = later_by(batch->times[i], call->by);
    weir_send_batch(op, 0, view);
}

static const weir_operator delay = {.name = "delay", .stateless = true, .batch = delay_batch};

weir_stream weir_delay(weir_stream in, uint64_t by)
{
    by_call *call = WI_NEW(by_call);
    call->by = by;
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &delay, call, delay.name, NULL);
    weir_stream out = weir_builder_output(builder, in.type);
    weir_builder_summary(builder, 0, 0, weir_summary_add(weir_scope_dims(in.scope), 0, by));
    weir_operator_end(builder);
    return out;
}

/* ---- to what a function says ------------------------------------------------------------ */

typedef struct to_call {
    weir_delay_fn *later;
    void *arg;
} to_call;

/* False, and the execution stops, if the function gives an earlier time. */
static bool ask(weir_op *op, const weir_time *time, weir_time *later_out)
{
    const to_call *call = weir_op_arg(op);
    *later_out = call->later(time, call->arg);
    if (weir_time_le(time, later_out))
        return true;
    char from[WEIR_TIME_TEXT_BYTES], to[WEIR_TIME_TEXT_BYTES];
    int dims = weir_op_output_dims(op, 0);
    weir_op_stop(op, "its function gives time %s for a row of time %s, which is not later",
                 weir_time_text(later_out, dims, to), weir_time_text(time, dims, from));
    return false;
}

/* Times of rows, asked once for each run of equal ones; the batch's time is their meet. */
static bool ask_for_rows(weir_op *op, const weir_batch *batch, weir_batch *view)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        if (i > 0 && weir_time_eq(&batch->times[i], &batch->times[i - 1]))
            view->times[i] = view->times[i - 1];
        else if (!ask(op, &batch->times[i], &view->times[i]))
            return false;
        view->time = i ? weir_time_meet(&view->time, &view->times[i]) : view->times[i];
    }
    return true;
}

static void delay_batch_to(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_batch *view = weir_batch_view(batch);
    bool later = batch->times ? ask_for_rows(op, batch, view) : ask(op, &batch->time, &view->time);
    if (later)
        weir_send_batch(op, 0, view);
    else
        weir_batch_drop(view);
}

const weir_operator wi_delay_to = {.name = "delay_to", .stateless = true, .batch = delay_batch_to};

weir_stream weir_delay_to(weir_stream in, weir_delay_fn *later, void *arg)
{
    to_call *call = WI_NEW(to_call);
    *call = (to_call){later, arg};
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &wi_delay_to, call, wi_delay_to.name, NULL);
    return wi_end(builder, in.type);
}
