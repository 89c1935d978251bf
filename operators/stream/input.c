/* The entrance of a dataflow for the program that runs on the worker.
 *
 * Looks deeper than the operator API, since it sends outside of any callback: rows go
 * through the operator's own output port, progress through its capability. */
#include "../../runtime/runtime.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/batch.h"
#include "common.h"

struct weir_input {
    weir_op *op;
    wi_output_port *port;
    weir_capability *capability;
};

static void start_input(weir_op *op)
{
    weir_input *input = weir_op_arg(op);
    input->capability = weir_op_first_capability(op, 0);
}

static void stop_input(weir_op *op)
{
    wi_free(weir_op_arg(op));
}

static const weir_operator input_operator = {
    .name = "input", .source = true, .start = start_input, .stop = stop_input};

static void close_input(void *arg)
{
    weir_input *input = arg;
    weir_input_close(&input);
}

weir_stream weir_input_new(weir_dataflow *flow, const weir_type *type, weir_input **input_out)
{
    weir_input *input = WI_NEW(weir_input);
    input->op = wi_op_new(flow, &input_operator, input);
    wi_op_add_output(input->op, type, flow->dims);
    input->op->always_stop = true;
    input->port = input->op->outputs[0];
    if (flow->parent)
        weir_scope_fail(flow, "an input is made in loop `%s`; make it in the dataflow and bring it "
                              "in by weir_enter",
                        flow->name);
    wi_flow_closer(flow->flow, (wi_closer){close_input, input});
    *input_out = input;
    return wi_op_stream(input->op, 0);
}

bool wi_source_waits(const weir_input *input)
{
    return wi_op_waits(input->op);
}

static void check_open(const weir_input *input)
{
    wi_require(!input->op->flow->worker->current,
               "an operator's callback uses an input; it can send on its own outputs, use a feed, "
               "or take part in a loop");
    wi_require(input->capability, "an input is used before weir_dataflow_end, or after it was "
                                  "closed or the worker's function returned");
}

weir_out *weir_input_out(weir_input *input)
{
    wi_output_port *port = input->port;
    if (!port->opened) {
        check_open(input);
        wi_output_open(port, &input->capability->time);
    }
    return &port->out;
}

void weir_input_flush(weir_input *input)
{
    if (!input->port->opened)
        return;
    input->port->opened = false;
    wi_output_send(input->port, wi_out_seal(&input->port->out));
}

void weir_input_send(weir_input *input, weir_batch *batch)
{
    check_open(input);
    weir_input_flush(input);
    const weir_time *now = &input->capability->time;
    if (!weir_type_fits(batch->type, input->port->type)) {
        weir_op_stop(input->op, "is sent a batch of rows `%s`, but it takes `%s`",
                     batch->type->name, input->port->type->name);
        weir_batch_drop(batch);
        return;
    }
    for (uint32_t i = 0; batch->times && i < batch->count; i++)
        if (!weir_time_le(now, &batch->times[i])) {
            char has[WEIR_TIME_TEXT_BYTES], is[WEIR_TIME_TEXT_BYTES];
            weir_op_stop(input->op, "is sent a row of time %s, but it has advanced to %s",
                         weir_time_text(&batch->times[i], input->port->dims, has),
                         weir_time_text(now, input->port->dims, is));
            weir_batch_drop(batch);
            return;
        }
    batch = wi_batch_own(batch); /* the program may send it again, at another time */
    batch->time = *now;
    wi_output_send(input->port, batch);
}

void weir_input_advance_to(weir_input *input, const weir_time *time)
{
    check_open(input);
    weir_input_flush(input);
    weir_capability_downgrade(input->capability, time);
}

void weir_input_advance(weir_input *input, uint64_t epoch)
{
    weir_time time = *weir_input_time(input);
    time.at[0] = epoch;
    weir_input_advance_to(input, &time);
}

const weir_time *weir_input_time(const weir_input *input)
{
    check_open(input);
    return &input->capability->time;
}

void weir_input_close(weir_input **input)
{
    if (!*input)
        return;
    check_open(*input);
    weir_input_flush(*input);
    wi_flow_forget_closer((*input)->op->flow, *input);
    weir_capability_drop((*input)->capability);
    (*input)->capability = NULL;
    *input = NULL;
}
