/* flat_map and filter_map: any number of rows, or at most one, out for every row in. The
 * kernels push to an out and stamp it with a row's time and diff where the batch has
 * columns; without columns all rows have the same ones, stamped here. */
#include "common.h"

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *in)
{
    const wi_call *call = weir_op_arg(op);
    const weir_flat_map_kernel *kernel = call->kernel;
    weir_out *out = weir_send_at(op, 0, &in->time);
    weir_out_stamp(out, in, 0);
    kernel->run(in, out, call->arg);
}

static const weir_operator flat_map = {.name = "flat_map", .stateless = true, .batch = on_batch};
static const weir_operator filter_map = {
    .name = "filter_map", .stateless = true, .batch = on_batch};

static weir_stream build(weir_stream in, const weir_operator *logic,
                         const weir_flat_map_kernel *kernel, void *arg)
{
    wi_takes(in, logic->name, kernel->name, kernel->in);
    return wi_end(wi_begin_call(in, WEIR_LOCAL, logic, kernel->name, kernel, arg), kernel->out);
}

weir_stream weir_flat_map_with(weir_stream in, const weir_flat_map_kernel *kernel, void *arg)
{
    return build(in, &flat_map, kernel, arg);
}

weir_stream weir_filter_map_with(weir_stream in, const weir_flat_map_kernel *kernel, void *arg)
{
    return build(in, &filter_map, kernel, arg);
}
