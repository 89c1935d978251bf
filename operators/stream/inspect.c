/* inspect, inspect_batch and each: looking at rows where they are. Batches go on as they
 * came, by reference. */
#include "common.h"

#include "../../base/alloc.h"

/* ---- row by row ------------------------------------------------------------------------- */

static void look_at_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const wi_call *call = weir_op_arg(op);
    const weir_each_kernel *kernel = call->kernel;
    kernel->run(batch, call->arg);
}

static void look_and_forward(weir_op *op, uint32_t input, const weir_batch *batch)
{
    look_at_rows(op, input, batch);
    weir_forward(op, 0, batch);
}

static const weir_operator inspect = {
    .name = "inspect", .stateless = true, .batch = look_and_forward};
static const weir_operator each = {.name = "each", .stateless = true, .batch = look_at_rows};

weir_stream weir_inspect_with(weir_stream in, const weir_each_kernel *kernel, void *arg)
{
    wi_takes(in, inspect.name, kernel->name, kernel->in);
    return wi_end(wi_begin_call(in, WEIR_LOCAL, &inspect, kernel->name, kernel, arg), in.type);
}

void weir_each(weir_stream in, const weir_each_kernel *kernel, void *arg)
{
    wi_takes(in, each.name, kernel->name, kernel->in);
    weir_operator_end(wi_begin_call(in, WEIR_LOCAL, &each, kernel->name, kernel, arg));
}

/* ---- batch by batch --------------------------------------------------------------------- */

typedef struct look_call {
    weir_batch_fn *look;
    void *arg;
} look_call;

static void look_at_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const look_call *call = weir_op_arg(op);
    call->look(weir_op_worker(op), batch, call->arg);
    weir_forward(op, 0, batch);
}

static const weir_operator inspect_batch = {
    .name = "inspect_batch", .stateless = true, .batch = look_at_batch};

weir_stream weir_inspect_batch(weir_stream in, weir_batch_fn *look, void *arg)
{
    look_call *call = WI_NEW(look_call);
    *call = (look_call){look, arg};
    weir_builder *builder =
        wi_begin(in, WEIR_LOCAL, &inspect_batch, call, inspect_batch.name, NULL);
    return wi_end(builder, in.type);
}
