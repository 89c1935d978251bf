/* as_of: a collection as it is at one coordinate of a dimension. What is at or before it moves
 * to the dimension's start, which no path summary can say: times become earlier. So the
 * operator is a source, unrelated to its input, that follows the input's frontier: it holds
 * the right to send at what each of its times becomes, as long as that is not past the view. */
#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "../stream/held.h"
#include "retime.h"

typedef struct as_of_call {
    int dim;
    uint64_t at;
} as_of_call;

typedef struct as_of_state {
    wi_held held;
    weir_antichain frontier;
} as_of_state;

static void on_start(weir_op *op)
{
    as_of_state *state = weir_op_state(op);
    wi_held_init(&state->held, weir_op_first_capability(op, 0));
    weir_antichain_init(&state->frontier);
}

/* The rows that are in the view, as they came. Their times are set afterwards. */
static weir_batch *pick_rows(const as_of_call *call, const weir_batch *batch)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        kept += weir_batch_time(batch, i)->at[call->dim] <= call->at;
    if (!kept)
        return NULL;
    wi_moved *moved = wi_alloc(kept * sizeof *moved);
    kept = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        if (weir_batch_time(batch, i)->at[call->dim] <= call->at)
            moved[kept++] = (wi_moved){.row = i};
    weir_batch *out = wi_batch_retime(batch, call->dim, moved, kept);
    wi_free(moved);
    return out;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_batch *out = pick_rows(weir_op_arg(op), batch);
    if (out)
        weir_send_batch(op, 0, out);
}

static void on_frontier(weir_op *op)
{
    const as_of_call *call = weir_op_arg(op);
    as_of_state *state = weir_op_state(op);
    const weir_antichain *now = weir_op_frontier(op, 0);
    weir_antichain_clear(&state->frontier);
    for (uint32_t i = 0; i < now->count; i++) {
        weir_time time = now->times[i];
        if (time.at[call->dim] > call->at)
            continue;
        time.at[call->dim] = 0;
        weir_antichain_insert(&state->frontier, &time);
    }
    wi_held_move(&state->held, &state->frontier);
}

static void on_stop(weir_op *op)
{
    as_of_state *state = weir_op_state(op);
    wi_held_fini(&state->held);
    weir_antichain_fini(&state->frontier);
}

static const weir_operator as_of = {.name = "as_of",
                                    .state_bytes = sizeof(as_of_state),
                                    .source = true,
                                    .start = on_start,
                                    .batch = on_batch,
                                    .frontier = on_frontier,
                                    .stop = on_stop};

weir_stream weir_as_of(weir_stream in, const char *dimension, uint64_t at)
{
    as_of_call *call = WI_NEW(as_of_call);
    int dim = wi_root_dim(in.scope, as_of.name, dimension);
    *call = (as_of_call){.dim = dim < 0 ? 0 : dim, .at = at};
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &as_of, call, as_of.name, dimension);
    weir_stream out = weir_builder_output(builder, in.type);
    weir_builder_unrelated(builder, 0, 0);
    weir_operator_end(builder);
    return out;
}
