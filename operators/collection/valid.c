/* valid: rows that are there from one coordinate of a dimension to another. Each becomes two
 * changes, of which the second waits, as any change of a later time does, with who takes it. */
#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "retime.h"

typedef struct valid_call {
    int dim;
    const weir_route_kernel *from, *until;
    void *arg;
} valid_call;

/* What batch rows become: coordinates at which they come and go. Returns how many. */
static uint32_t moves(const valid_call *call, const weir_batch *batch, const uint64_t *from,
                      const uint64_t *until, wi_moved *moved_out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t now = weir_batch_time(batch, i)->at[call->dim];
        uint64_t comes = from[i] > now ? from[i] : now;
        uint64_t goes = until[i] > now ? until[i] : now;
        if (until[i] == UINT64_MAX && from[i] < UINT64_MAX) {
            moved_out[count++] = (wi_moved){.at = comes, .row = i};
        } else if (comes < goes) {
            moved_out[count++] = (wi_moved){.at = comes, .row = i};
            moved_out[count++] = (wi_moved){.at = goes, .row = i, .negated = 1};
        }
    }
    return count;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const valid_call *call = weir_op_arg(op);
    uint64_t *from = wi_alloc(batch->count * 2 * sizeof *from);
    uint64_t *until = from + batch->count;
    wi_moved *moved = wi_alloc(batch->count * 2 * sizeof *moved);
    call->from->run(batch->rows, from, batch->count, call->arg);
    call->until->run(batch->rows, until, batch->count, call->arg);
    uint32_t count = moves(call, batch, from, until, moved);
    if (count)
        weir_send_batch(op, 0, wi_batch_retime(batch, call->dim, moved, count));
    wi_free(moved);
    wi_free(from);
}

const weir_operator wi_valid = {.name = "valid", .stateless = true, .batch = on_batch};

weir_stream weir_valid(weir_stream in, const char *dimension, const weir_route_kernel *from,
                       const weir_route_kernel *until, void *arg)
{
    valid_call *call = WI_NEW(valid_call);
    *call = (valid_call){.from = from, .until = until, .arg = arg};
    int dim = wi_root_dim(in.scope, wi_valid.name, dimension);
    call->dim = dim < 0 ? 0 : dim;
    wi_takes(in, wi_valid.name, from->name, from->in);
    wi_takes(in, wi_valid.name, until->name, until->in);
    return wi_end(wi_begin(in, WEIR_LOCAL, &wi_valid, call, wi_valid.name, dimension), in.type);
}
