/* partition: row by row into one of several streams. A chunk's targets are computed first,
 * then its rows' indexes are sorted by target, then each target picks its rows. */
#include "common.h"

#include "../../base/alloc.h"

#define CHUNK 1024

typedef struct partition_call {
    const weir_route_kernel *kernel;
    void *arg;
    uint32_t streams;
} partition_call;

typedef struct state {
    wi_pick *picks;   /* by stream */
    uint32_t *begins; /* by stream: where its part of a chunk's sorted indexes begins */
} state;

static void on_start(weir_op *op)
{
    const partition_call *call = weir_op_arg(op);
    state *parts = weir_op_state(op);
    parts->picks = WI_NEWS(wi_pick, call->streams);
    parts->begins = WI_NEWS(uint32_t, call->streams + 1);
}

/* Sorts the indexes below count by target, stably; afterwards begins[t + 1] is where the
 * part of target t ends, and so where that of t + 1 begins. */
static void sort_by_target(const uint64_t *targets, uint32_t count, uint32_t streams,
                           uint32_t *begins, uint32_t *indexes_out)
{
    memset(begins, 0, (streams + 1) * sizeof *begins);
    for (uint32_t i = 0; i < count; i++)
        begins[targets[i]]++;
    uint32_t before = 0;
    for (uint32_t t = 0; t <= streams; t++) {
        uint32_t rows = begins[t];
        begins[t] = before;
        before += rows;
    }
    for (uint32_t i = 0; i < count; i++)
        indexes_out[begins[targets[i]]++] = i;
    memmove(begins + 1, begins, streams * sizeof *begins);
    begins[0] = 0;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *in)
{
    const partition_call *call = weir_op_arg(op);
    state *parts = weir_op_state(op);
    uint32_t streams = call->streams;
    uint64_t targets[CHUNK];
    uint32_t indexes[CHUNK];
    for (uint32_t t = 0; t < streams; t++)
        wi_pick_begin(&parts->picks[t], in);
    for (uint32_t begin = 0; begin < in->count; begin += CHUNK) {
        uint32_t part = in->count - begin < CHUNK ? in->count - begin : CHUNK;
        call->kernel->run(weir_batch_row(in, begin), targets, part, call->arg);
        for (uint32_t i = 0; i < part; i++)
            targets[i] %= streams;
        sort_by_target(targets, part, streams, parts->begins, indexes);
        for (uint32_t t = 0; t < streams; t++)
            wi_pick_rows(&parts->picks[t], in, begin, indexes + parts->begins[t],
                         parts->begins[t + 1] - parts->begins[t]);
    }
    for (uint32_t t = 0; t < streams; t++)
        wi_pick_send(&parts->picks[t], op, t, in);
}

static void on_stop(weir_op *op)
{
    const partition_call *call = weir_op_arg(op);
    state *parts = weir_op_state(op);
    for (uint32_t t = 0; t < call->streams; t++)
        wi_pick_free(&parts->picks[t]);
    wi_free(parts->picks);
    wi_free(parts->begins);
}

static const weir_operator partition = {.name = "partition",
                                        .stateless = true,
                                        .state_bytes = sizeof(state),
                                        .start = on_start,
                                        .batch = on_batch,
                                        .stop = on_stop};

void weir_partition(weir_stream in, const weir_route_kernel *kernel, void *arg, uint32_t count,
                    weir_stream *streams_out)
{
    wi_takes(in, partition.name, kernel->name, kernel->in);
    if (!count)
        weir_scope_fail(in.scope, "%s `%s`: into 0 streams; it needs at least one", partition.name,
                        kernel->name);
    partition_call *call = WI_NEW(partition_call);
    *call = (partition_call){kernel, arg, count};
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &partition, call, partition.name, NULL);
    for (uint32_t t = 0; t < count; t++)
        streams_out[t] = weir_builder_output(builder, in.type);
    weir_operator_end(builder);
}
