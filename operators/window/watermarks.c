/* watermarks: stamps rows with the watermark that their partition had reached before them.
 *
 * It is a source, beside having an input: what it sends is at times of its own, for which it
 * holds a capability at the least watermark of its partitions. The times of its input mean
 * nothing to it, but that once there are no more, the capability goes, too. Rows are not
 * copied: what is sent is a view of the batch with other times.
 *
 * Partition p is at worker p modulo their number. A worker without one gives its capability up
 * at the start. */
#include "field.h"

#include "../../base/alloc.h"
#include "../stream/common.h"

#define ROUTES 256 /* rows whose partitions are asked for together */

typedef struct watermarks_call {
    uint32_t field; /* where the time, or the watermark, is in a row */
    int64_t bound;
    bool punctuated;
    uint32_t partitions;
    const weir_route_kernel *partition; /* NULL if there is only one */
    void *arg;
    weir_route_kernel route; /* `partition`, below their number */
} watermarks_call;

typedef struct watermarks_state {
    weir_capability *capability; /* NULL: no partition is here, or no more rows can come */
    int64_t *reached;            /* of each partition, here or not */
} watermarks_state;

static void route_run(const void *in, uint64_t *routes_out, uint32_t count, void *arg)
{
    const watermarks_call *call = arg;
    call->partition->run(in, routes_out, count, call->arg);
    for (uint32_t i = 0; i < count; i++)
        routes_out[i] %= call->partitions;
}

static void on_start(weir_op *op)
{
    const watermarks_call *call = weir_op_arg(op);
    watermarks_state *state = weir_op_state(op);
    state->reached = WI_NEWS(int64_t, call->partitions);
    for (uint32_t p = 0; p < call->partitions; p++)
        state->reached[p] = INT64_MIN;
    if (weir_worker_index(weir_op_worker(op)) < call->partitions)
        state->capability = weir_op_first_capability(op, 0);
}

/* Fills in the stamps of rows [begin, begin + count), and moves their watermarks on. */
static void stamp(const watermarks_call *call, watermarks_state *state, const weir_batch *batch,
                  uint32_t begin, uint32_t count, int64_t *stamps_out)
{
    uint64_t partitions[ROUTES];
    if (call->partition)
        route_run(weir_batch_row(batch, begin), partitions, count, (void *)call);
    for (uint32_t i = 0; i < count; i++) {
        int64_t *reached = &state->reached[call->partition ? partitions[i] : 0];
        int64_t brings = wi_event_time_at(weir_batch_row(batch, begin + i), call->field);
        if (!call->punctuated)
            brings = wi_subtract_saturating(brings, call->bound);
        stamps_out[i] = *reached;
        if (brings > *reached)
            *reached = brings;
    }
}

static weir_batch *stamped(const watermarks_call *call, watermarks_state *state,
                           const weir_batch *batch)
{
    weir_batch *view = weir_batch_view(batch);
    int64_t stamps[ROUTES], least = INT64_MAX;
    for (uint32_t begin = 0, count; begin < batch->count; begin += count) {
        count = batch->count - begin < ROUTES ? batch->count - begin : ROUTES;
        stamp(call, state, batch, begin, count, stamps);
        for (uint32_t i = 0; i < count; i++) {
            weir_time time = WEIR_EPOCH(weir_event_epoch(stamps[i]));
            if (begin + i == 0)
                view->time = time;
            if (!view->times && !weir_time_eq(&time, &view->time))
                weir_batch_add_times(view);
            if (view->times)
                view->times[begin + i] = time;
            least = stamps[i] < least ? stamps[i] : least;
        }
    }
    view->time = WEIR_EPOCH(weir_event_epoch(least));
    return view;
}

static int64_t least_reached(weir_op *op)
{
    const watermarks_call *call = weir_op_arg(op);
    const watermarks_state *state = weir_op_state(op);
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    int64_t least = INT64_MAX;
    for (uint32_t p = weir_worker_index(weir_op_worker(op)); p < call->partitions; p += workers)
        least = state->reached[p] < least ? state->reached[p] : least;
    return least;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    watermarks_state *state = weir_op_state(op);
    weir_send_batch(op, 0, stamped(weir_op_arg(op), state, batch));
    weir_time reached = WEIR_EPOCH(weir_event_epoch(least_reached(op)));
    if (!weir_time_eq(&reached, weir_capability_time(state->capability)))
        weir_capability_downgrade(state->capability, &reached);
}

static void on_frontier(weir_op *op)
{
    watermarks_state *state = weir_op_state(op);
    if (weir_op_frontier(op, 0)->count || !state->capability)
        return;
    weir_capability_drop(state->capability);
    state->capability = NULL;
}

static void on_stop(weir_op *op)
{
    watermarks_state *state = weir_op_state(op);
    wi_free(state->reached);
}

static const weir_operator watermarks = {.name = "watermarks",
                                         .state_bytes = sizeof(watermarks_state),
                                         .source = true,
                                         .start = on_start,
                                         .batch = on_batch,
                                         .frontier = on_frontier,
                                         .stop = on_stop};

weir_stream weir_watermarks(weir_stream in, const weir_watermark_policy *policy)
{
    const char *name = watermarks.name;
    watermarks_call *call = WI_NEW(watermarks_call);
    *call = (watermarks_call){.bound = policy->bound,
                              .punctuated = policy->watermark != NULL,
                              .partition = policy->partition,
                              .partitions = policy->partition ? policy->partitions : 1,
                              .arg = policy->arg};
    call->field = policy->watermark
                      ? wi_time_field(in, name, "watermark", policy->watermark)
                      : wi_time_field(in, name, "time", policy->time);
    if (policy->time && policy->watermark)
        weir_scope_fail(in.scope, "%s: is given a time and a watermark, which are two policies",
                        name);
    if (policy->bound < 0)
        weir_scope_fail(in.scope, "%s: its bound is %lld; it must not be negative", name,
                        (long long)policy->bound);
    if (!call->partitions || (!policy->partition && policy->partitions > 1))
        weir_scope_fail(in.scope, "%s: has %u partitions and %s kernel that says which a row is of",
                        name, policy->partitions, policy->partition ? "a" : "no");
    if (weir_scope_dims(in.scope) != 1)
        weir_scope_fail(in.scope, "%s: is for dataflows of one dimension, and not in loops", name);
    weir_route route = WEIR_GATHER(0);
    if (policy->partition) {
        wi_takes(in, name, policy->partition->name, policy->partition->in);
        call->route = (weir_route_kernel){policy->partition->name, policy->partition->in, route_run,
                                          NULL};
        route = WEIR_ROUTED(&call->route, call);
    }
    weir_builder *builder = wi_begin(in, route, &watermarks, call, name, NULL);
    weir_stream out = weir_builder_output(builder, in.type);
    weir_builder_unrelated(builder, 0, 0);
    weir_operator_end(builder);
    return out;
}
