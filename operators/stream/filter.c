/* filter: the rows for which the kernel says so. A batch that stays whole goes on as it is,
 * without a copy. */
#include "common.h"

#define CHUNK 1024

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *in)
{
    const wi_call *call = weir_op_arg(op);
    const weir_filter_kernel *kernel = call->kernel;
    wi_pick *kept = weir_op_state(op);
    uint32_t indexes[CHUNK];
    wi_pick_begin(kept, in);
    for (uint32_t begin = 0; begin < in->count; begin += CHUNK) {
        uint32_t part = in->count - begin < CHUNK ? in->count - begin : CHUNK;
        uint32_t stay =
            kernel->run(weir_batch_row(in, begin), wi_pick_slot(kept), indexes, part, call->arg);
        wi_pick_commit(kept, in, begin, indexes, stay);
    }
    wi_pick_send(kept, op, 0, in);
}

static void on_stop(weir_op *op)
{
    wi_pick_free(weir_op_state(op));
}

static const weir_operator filter = {.name = "filter",
                                     .stateless = true,
                                     .state_bytes = sizeof(wi_pick),
                                     .batch = on_batch,
                                     .stop = on_stop};

weir_stream weir_filter_with(weir_stream in, const weir_filter_kernel *kernel, void *arg)
{
    wi_takes(in, filter.name, kernel->name, kernel->in);
    return wi_end(wi_begin_call(in, WEIR_LOCAL, &filter, kernel->name, kernel, arg), in.type);
}
