/* enter_at: into a loop, each row in the round that a kernel gives for it. The way in is that
 * of all streams, at round 0; from there rows go to later rounds, which nothing needs to wait
 * for. */
#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "retime.h"

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const wi_call *call = weir_op_arg(op);
    const weir_route_kernel *kernel = call->kernel;
    if (!batch->count)
        return;
    uint64_t *rounds = wi_alloc(batch->count * sizeof *rounds);
    wi_moved *moved = wi_alloc(batch->count * sizeof *moved);
    kernel->run(batch->rows, rounds, batch->count, call->arg);
    for (uint32_t i = 0; i < batch->count; i++)
        moved[i] = (wi_moved){.at = rounds[i], .row = i};
    int round = weir_op_output_dims(op, 0) - 1;
    weir_send_batch(op, 0, wi_batch_retime(batch, round, moved, batch->count));
    wi_free(moved);
    wi_free(rounds);
}

static const weir_operator enter_at = {.name = "enter_at", .stateless = true, .batch = on_batch};

weir_stream weir_enter_at(weir_loop *loop, weir_stream in, const weir_route_kernel *round,
                          void *arg)
{
    weir_stream inside = weir_enter(loop, in);
    wi_takes(inside, enter_at.name, round->name, round->in);
    return wi_end(wi_begin_call(inside, WEIR_LOCAL, &enter_at, round->name, round, arg), in.type);
}
