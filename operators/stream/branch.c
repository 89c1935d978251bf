/* branch: two streams, of the rows that a filter keeps and of the others. */
#include "common.h"

#define CHUNK 1024

enum { KEPT, OTHERS };

typedef struct state {
    wi_pick kept, others;
} state;

/* The indexes below `count` that are not among the `kept` ones, which are sorted. */
static uint32_t rest(const uint32_t *indexes, uint32_t kept, uint32_t count, uint32_t *rest_out)
{
    uint32_t found = 0, next = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (next < kept && indexes[next] == i)
            next++;
        else
            rest_out[found++] = i;
    }
    return found;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *in)
{
    const wi_call *call = weir_op_arg(op);
    const weir_filter_kernel *kernel = call->kernel;
    state *picks = weir_op_state(op);
    uint32_t kept[CHUNK], others[CHUNK];
    wi_pick_begin(&picks->kept, in);
    wi_pick_begin(&picks->others, in);
    for (uint32_t begin = 0; begin < in->count; begin += CHUNK) {
        uint32_t part = in->count - begin < CHUNK ? in->count - begin : CHUNK;
        uint32_t stay = kernel->run(weir_batch_row(in, begin), wi_pick_slot(&picks->kept), kept,
                                    part, call->arg);
        wi_pick_commit(&picks->kept, in, begin, kept, stay);
        if (stay < part)
            wi_pick_rows(&picks->others, in, begin, others, rest(kept, stay, part, others));
    }
    wi_pick_send(&picks->kept, op, KEPT, in);
    wi_pick_send(&picks->others, op, OTHERS, in);
}

static void on_stop(weir_op *op)
{
    state *picks = weir_op_state(op);
    wi_pick_free(&picks->kept);
    wi_pick_free(&picks->others);
}

static const weir_operator branch = {.name = "branch",
                                     .stateless = true,
                                     .state_bytes = sizeof(state),
                                     .batch = on_batch,
                                     .stop = on_stop};

void weir_branch(weir_stream in, const weir_filter_kernel *kernel, void *arg, weir_stream *kept_out,
                 weir_stream *others_out)
{
    wi_takes(in, branch.name, kernel->name, kernel->in);
    weir_builder *builder = wi_begin_call(in, WEIR_LOCAL, &branch, kernel->name, kernel, arg);
    *kept_out = weir_builder_output(builder, in.type);
    *others_out = weir_builder_output(builder, in.type);
    weir_operator_end(builder);
}
