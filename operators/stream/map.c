/* map: one row out for every row in. Times and diffs stay as they are, columns included,
 * so only rows are written. */
#include "common.h"

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *in)
{
    const wi_call *call = weir_op_arg(op);
    const weir_map_kernel *kernel = call->kernel;
    weir_batch *out = weir_batch_like(in, kernel->out);
    kernel->run(in->rows, out->rows, in->count, out, call->arg);
    weir_send_batch(op, 0, out);
}

static const weir_operator map = {.name = "map", .stateless = true, .batch = on_batch};

weir_stream weir_map_with(weir_stream in, const weir_map_kernel *kernel, void *arg)
{
    wi_takes(in, map.name, kernel->name, kernel->in);
    return wi_end(wi_begin_call(in, WEIR_LOCAL, &map, kernel->name, kernel, arg), kernel->out);
}
