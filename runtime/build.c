/* Building a graph: scopes, operators and the streams between them.
 *
 * Every worker builds its own instance; nothing here is shared. Errors are sticky: the
 * first is kept in the flow and reported by weir_dataflow_end, and building goes on with
 * what makes sense, so that user code needs no checks in between.
 *
 * All functions: worker, between weir_dataflow_begin and weir_dataflow_end. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "door.h"

/* As many as wi_notification has bits for. */
#define NOTIFYING_OUTPUTS_MAX 64

struct weir_builder {
    weir_op *op;
};

void weir_scope_fail(weir_scope *scope, const char *format, ...)
{
    wi_flow *flow = scope->flow;
    if (flow->error)
        return;
    char *what;
    va_list args;
    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    flow->error = weir_err_new("dataflow `%s`: %s", flow->root.name, what ? what : format);
    free(what);
}

weir_worker *weir_scope_worker(const weir_scope *scope)
{
    return scope->flow->worker;
}

const char *weir_argument(const weir_scope *scope, uint32_t index)
{
    char **arguments = scope->flow->worker->process->config.arguments;
    for (uint32_t i = 0; arguments && arguments[i]; i++)
        if (i == index)
            return arguments[i];
    return NULL;
}

int weir_scope_dims(const weir_scope *scope)
{
    return scope->dims;
}

/* ---- operators -------------------------------------------------------------------------- */

static void op_full(weir_out *out)
{
    wi_output_port *port = out->owner;
    if (!out->batch) {
        weir_op_stop(port->op, "pushes to output %u, which it has not opened by weir_send_at",
                     port->index);
        static const weir_time first;
        wi_out_open(out, &first, wi_rows_usual(port->op->flow, port->type));
        return;
    }
    wi_output_send(port, wi_out_seal(out));
    wi_out_next(out, wi_rows_usual(port->op->flow, port->type));
}

static void op_misuse(weir_out *out, const weir_time *time)
{
    wi_output_port *port = out->owner;
    char is[WEIR_TIME_TEXT_BYTES], opened[WEIR_TIME_TEXT_BYTES];
    weir_op_stop(port->op, "gives a row of output %u the time %s, which is not at or after %s, at "
                           "which the output was opened",
                 port->index, weir_time_text(time, port->dims, is),
                 weir_time_text(&out->batch->time, port->dims, opened));
}

weir_op *wi_op_new(weir_scope *scope, const weir_operator *logic, void *arg)
{
    wi_flow *flow = scope->flow;
    if (flow->running)
        weir_stop(flow->worker, "dataflow `%s`: operator `%s` is added after weir_dataflow_end",
                  flow->root.name, logic->name);
    weir_op *op = WI_NEW(weir_op);
    op->logic = logic;
    op->take = wi_op_take;
    op->name = wi_strdup(logic->name);
    op->arg = arg;
    op->flow = flow;
    op->scope = scope;
    op->index = flow->op_count;
    op->reject_output = UINT32_MAX;
    if (logic->state_bytes)
        op->state = wi_calloc(1, logic->state_bytes);
    op->follows = logic->notify || logic->frontier;
    wi_grow(&flow->ops, &flow->op_capacity, flow->op_count + 1, sizeof *flow->ops);
    flow->ops[flow->op_count++] = op;
    if (logic->stateless && (logic->notify || logic->frontier || logic->run || logic->source))
        weir_scope_fail(scope,
                        "operator `%s` is declared stateless but has a `notify`, `frontier` or "
                        "`run` callback or is a source",
                        logic->name);
    return op;
}

void wi_op_rename(weir_op *op, const char *name)
{
    wi_free(op->name);
    op->name = wi_strdup(name);
}

uint32_t wi_op_add_input(weir_op *op, const weir_type *type, int dims, weir_route route)
{
    wi_input_port *port = WI_NEW(wi_input_port);
    port->op = op;
    port->index = op->input_count;
    port->type = type;
    port->dims = dims;
    port->route = route;
    port->from_op = UINT32_MAX;
    port->edge = op->flow->edges++;
    wi_spool_init(&port->queue, &op->flow->worker->process->waiting);
    weir_antichain_init(&port->frontier);
    wi_grow(&op->inputs, &op->input_capacity, op->input_count + 1, sizeof *op->inputs);
    op->inputs[op->input_count++] = port;
    return port->index;
}

uint32_t wi_op_add_output(weir_op *op, const weir_type *type, int dims)
{
    wi_output_port *port = WI_NEW(wi_output_port);
    port->op = op;
    port->index = op->output_count;
    port->type = type;
    port->dims = dims;
    wi_out_init(&port->out, type, op_full, port);
    wi_out_on_misuse(&port->out, op_misuse);
    wi_grow(&op->outputs, &op->output_capacity, op->output_count + 1, sizeof *op->outputs);
    op->outputs[op->output_count++] = port;
    return port->index;
}

weir_stream wi_op_stream(weir_op *op, uint32_t output)
{
    return (weir_stream){op->scope, op->outputs[output]->type, op->index, output};
}

static bool check_route(weir_op *op, uint32_t input, const weir_route *route,
                        const weir_type *type)
{
    const weir_type *takes = route->kind == WEIR_I_KEYED    ? route->key.type
                             : route->kind == WEIR_I_ROUTED ? route->kernel->in
                                                            : NULL;
    if (!takes || weir_type_fits(takes, type))
        return true;
    char *has = weir_type_text(type), *wants = weir_type_text(takes);
    weir_scope_fail(op->scope, "operator %u `%s`: input %u is routed as %s, but its stream has %s",
                    op->index, op->name, input, wants, has);
    free(has);
    free(wants);
    return false;
}

void wi_op_connect(weir_op *op, uint32_t input, weir_stream from)
{
    wi_input_port *port = op->inputs[input];
    if (check_route(op, input, &port->route, from.type)) {
        port->from_op = from.op;
        port->from_port = from.port;
    }
}

void wi_op_free(weir_op *op)
{
    if (op->door)
        wi_door_shut(op->door);
    wi_op_discard_notifications(op);
    if ((op->started || op->always_stop) && op->logic->stop)
        op->logic->stop(op);
    while (op->capabilities) {
        weir_capability *next = op->capabilities->next;
        wi_free(op->capabilities);
        op->capabilities = next;
    }
    wi_op_free_notifications(op);
    for (uint32_t i = 0; i < op->input_count; i++) {
        wi_input_port *input = op->inputs[i];
        wi_spool_fini(&input->queue);
        weir_antichain_fini(&input->frontier);
        wi_free(input);
    }
    for (uint32_t i = 0; i < op->output_count; i++) {
        wi_output_port *port = op->outputs[i];
        wi_out_fini(&port->out);
        for (uint32_t c = 0; c < port->channel_count; c++)
            wi_channel_free(port->channels[c]);
        wi_free(port->channels);
        wi_free(port);
    }
    for (uint32_t i = 0; i < op->kept_count; i++)
        free(op->kept[i]);
    wi_free(op->kept);
    wi_free(op->inputs);
    wi_free(op->outputs);
    wi_free(op->gates);
    wi_free(op->summaries);
    wi_free(op->state);
    wi_free(op->name);
    wi_free(op);
}

/* ---- the public builder ----------------------------------------------------------------- */

weir_builder *weir_operator_begin(weir_scope *scope, const weir_operator *logic, void *arg)
{
    weir_builder *builder = WI_NEW(weir_builder);
    builder->op = wi_op_new(scope, logic, arg);
    return builder;
}

void weir_builder_name(weir_builder *builder, const char *name)
{
    wi_op_rename(builder->op, name);
}

uint32_t weir_builder_input(weir_builder *builder, weir_stream stream, weir_route route)
{
    weir_op *op = builder->op;
    uint32_t input = wi_op_add_input(op, stream.type, op->scope->dims, route);
    if (stream.scope->flow != op->flow)
        weir_scope_fail(op->scope, "operator %u `%s`: input %u is a stream of dataflow `%s`",
                        op->index, op->name, input, stream.scope->flow->root.name);
    else if (stream.scope != op->scope)
        weir_scope_fail(op->scope,
                        "operator %u `%s` is in scope `%s`, but its input %u is a stream of scope "
                        "`%s`; bring it over by weir_enter or weir_leave",
                        op->index, op->name, op->scope->name, input, stream.scope->name);
    else
        wi_op_connect(op, input, stream);
    return input;
}

weir_stream weir_builder_output(weir_builder *builder, const weir_type *type)
{
    uint32_t output = wi_op_add_output(builder->op, type, builder->op->scope->dims);
    return wi_op_stream(builder->op, output);
}

static void add_summary(weir_op *op, wi_pair_summary pair)
{
    wi_grow(&op->summaries, &op->summary_capacity, op->summary_count + 1, sizeof *op->summaries);
    op->summaries[op->summary_count++] = pair;
}

void weir_builder_summary(weir_builder *builder, uint32_t input, uint32_t output,
                          weir_summary summary)
{
    weir_op *op = builder->op;
    int dims = op->scope->dims;
    if (summary.dims_in != dims || summary.dims_out != dims)
        weir_scope_fail(op->scope,
                        "operator %u `%s`: a summary from input %u to output %u is for times of "
                        "%d to %d coordinates; scope `%s` has %d",
                        op->index, op->name, input, output, summary.dims_in, summary.dims_out,
                        op->scope->name, dims);
    else
        add_summary(op, (wi_pair_summary){input, output, false, summary});
}

void weir_builder_unrelated(weir_builder *builder, uint32_t input, uint32_t output)
{
    add_summary(builder->op,
                (wi_pair_summary){.input = input, .output = output, .unrelated = true});
}

void weir_builder_keep(weir_builder *builder, void *memory)
{
    weir_op *op = builder->op;
    wi_grow(&op->kept, &op->kept_capacity, op->kept_count + 1, sizeof *op->kept);
    op->kept[op->kept_count++] = memory;
}

void weir_operator_end(weir_builder *builder)
{
    const weir_op *op = builder->op;
    if (op->logic->notify && op->output_count > NOTIFYING_OUTPUTS_MAX)
        weir_scope_fail(op->scope,
                        "operator %u `%s` has %u outputs; with a `notify` callback %d are possible",
                        op->index, op->name, op->output_count, NOTIFYING_OUTPUTS_MAX);
    for (uint32_t i = 0; i < op->summary_count; i++)
        if (op->summaries[i].input >= op->input_count ||
            op->summaries[i].output >= op->output_count)
            weir_scope_fail(op->scope,
                            "operator %u `%s`: declares how input %u reaches output %u, but it has "
                            "%u inputs and %u outputs",
                            op->index, op->name, op->summaries[i].input, op->summaries[i].output,
                            op->input_count, op->output_count);
    wi_free(builder);
}

weir_stream weir_unary(weir_stream in, weir_route route, const weir_operator *logic,
                       const weir_type *out, void *arg)
{
    weir_builder *builder = weir_operator_begin(in.scope, logic, arg);
    weir_builder_input(builder, in, route);
    weir_stream stream = weir_builder_output(builder, out);
    weir_operator_end(builder);
    return stream;
}

weir_stream weir_binary(weir_stream a, weir_route a_route, weir_stream b, weir_route b_route,
                        const weir_operator *logic, const weir_type *out, void *arg)
{
    weir_builder *builder = weir_operator_begin(a.scope, logic, arg);
    weir_builder_input(builder, a, a_route);
    weir_builder_input(builder, b, b_route);
    weir_stream stream = weir_builder_output(builder, out);
    weir_operator_end(builder);
    return stream;
}

void weir_sink(weir_stream in, weir_route route, const weir_operator *logic, void *arg)
{
    weir_builder *builder = weir_operator_begin(in.scope, logic, arg);
    weir_builder_input(builder, in, route);
    weir_operator_end(builder);
}

/* ---- rejects ---------------------------------------------------------------------------- */

#define WI_REJECTED(F) F(weir_text, operator_name) F(weir_text, row) F(weir_text, reason)

static const weir_field *rejected_fields(void)
{
    typedef weir_rejected weir_self;
    static const weir_field fields[] = {
        WI_REJECTED(WEIR_I_FIELD){.name = NULL, .kind = WEIR_KIND_count}};
    return fields;
}

const weir_type weir_rejected_type = {.name = "weir_rejected",
                                      .size = sizeof(weir_rejected),
                                      .align = _Alignof(weir_rejected),
                                      .field_count = 3,
                                      .text_count = 3,
                                      .describe = rejected_fields};

void weir_on_reject(weir_stream stream, weir_reject_policy policy)
{
    stream.scope->flow->ops[stream.op]->reject_policy = policy;
}

weir_stream weir_rejects(weir_stream stream)
{
    weir_op *op = stream.scope->flow->ops[stream.op];
    op->reject_policy = WEIR_REJECT_KEEP;
    if (op->reject_output == UINT32_MAX)
        op->reject_output = wi_op_add_output(op, &weir_rejected_type, op->scope->dims);
    return wi_op_stream(op, op->reject_output);
}
