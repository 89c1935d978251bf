/* generate: rows from a function of the program, called again and again until it is done.
 * The source holds one capability, at its current epoch. */
#include "../../base/alloc.h"
#include "common.h"

#define WAIT_NS_MIN 1000
#define WAIT_NS_MAX 1000000

typedef struct generate_call {
    weir_generator *generator;
    size_t state_bytes;
    void *arg;
} generate_call;

struct weir_source {
    weir_op *op;
    weir_capability *capability; /* NULL once done */
    weir_out *out;               /* opened in this call */
    void *state;                 /* the generator's */
    uint64_t wait_ns;
};

static void on_start(weir_op *op)
{
    const generate_call *call = weir_op_arg(op);
    weir_source *source = weir_op_state(op);
    source->op = op;
    source->state = wi_calloc(1, call->state_bytes);
    source->wait_ns = WAIT_NS_MIN;
    source->capability = weir_op_first_capability(op, 0);
    weir_activate(op);
}

static void on_run(weir_op *op)
{
    const generate_call *call = weir_op_arg(op);
    weir_source *source = weir_op_state(op);
    if (!source->capability)
        return;
    source->out = NULL;
    weir_more more = call->generator(source, source->state, call->arg);
    source->out = NULL;
    if (more == WEIR_DONE) {
        weir_capability_drop(source->capability);
        source->capability = NULL;
    } else if (more == WEIR_MORE) {
        source->wait_ns = WAIT_NS_MIN;
        weir_activate(op);
    } else {
        weir_activate_after(op, source->wait_ns);
        source->wait_ns = source->wait_ns * 2 < WAIT_NS_MAX ? source->wait_ns * 2 : WAIT_NS_MAX;
    }
}

static void on_stop(weir_op *op)
{
    weir_source *source = weir_op_state(op);
    wi_free(source->state);
}

static const weir_operator generate = {.name = "generate",
                                       .source = true,
                                       .state_bytes = sizeof(weir_source),
                                       .start = on_start,
                                       .run = on_run,
                                       .stop = on_stop};

weir_stream weir_generate(weir_dataflow *flow, const weir_type *type, weir_generator *generator,
                          size_t state_bytes, void *arg)
{
    generate_call *call = WI_NEW(generate_call);
    *call = (generate_call){generator, state_bytes, arg};
    weir_builder *builder = weir_operator_begin(flow, &generate, call);
    weir_builder_keep(builder, call);
    return wi_end(builder, type);
}

/* ---- for the generator ------------------------------------------------------------------ */

weir_out *weir_source_out(weir_source *source)
{
    if (!source->out)
        source->out = weir_send_at(source->op, 0, weir_capability_time(source->capability));
    return source->out;
}

uint64_t weir_source_epoch(const weir_source *source)
{
    return weir_capability_time(source->capability)->at[0];
}

void weir_source_advance(weir_source *source, uint64_t epoch)
{
    uint64_t now = weir_source_epoch(source);
    if (epoch == now)
        return;
    if (epoch < now) {
        weir_op_stop(source->op,
                     "its generator moves from epoch %llu back to %llu; epochs only advance",
                     (unsigned long long)now, (unsigned long long)epoch);
        return;
    }
    weir_time later = WEIR_EPOCH(epoch);
    weir_capability_downgrade(source->capability, &later);
    if (source->out) /* what was pushed goes out at the epoch at which it was */
        source->out = weir_send_at(source->op, 0, &later);
}

weir_worker *weir_source_worker(const weir_source *source)
{
    return weir_op_worker(source->op);
}
