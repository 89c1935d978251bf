/* Importing: a source of tokens about a trace that another dataflow of the worker fills. The
 * trace is the same, so its readers here see what it holds by a first token, at the first time,
 * that is about all runs that are there, and then get one for each new run.
 *
 * The times that may still come are those of the trace's upper: the operator holds capabilities
 * at its elements. A run that is inserted has a time of the old upper at or before all of its
 * own, so the meet of its times is one that may be sent at. */
#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "share.h"

typedef struct importing {
    wi_reader *reader; /* looks at no times; keeps new runs from being merged */
    weir_capability **held, **next;
    uint32_t held_count, held_capacity, next_capacity;
} importing;

/* Brings the capabilities to the trace's upper. */
static void follow_upper(importing *state)
{
    const weir_antichain *upper = &state->reader->trace->upper;
    if (state->held_count == 1 && upper->count == 1) {
        if (!weir_time_eq(weir_capability_time(state->held[0]), &upper->times[0]))
            weir_capability_downgrade(state->held[0], &upper->times[0]);
        return;
    }
    wi_grow(&state->next, &state->next_capacity, upper->count, sizeof(weir_capability *));
    for (uint32_t u = 0; u < upper->count; u++) {
        uint32_t h = 0;
        while (h < state->held_count &&
               !weir_time_le(weir_capability_time(state->held[h]), &upper->times[u]))
            h++;
        wi_assert(h < state->held_count, "frontiers only advance");
        state->next[u] = weir_capability_delay(state->held[h], &upper->times[u]);
    }
    for (uint32_t h = 0; h < state->held_count; h++)
        weir_capability_drop(state->held[h]);
    weir_capability **old = state->held;
    uint32_t old_capacity = state->held_capacity;
    state->held = state->next;
    state->held_count = upper->count;
    state->held_capacity = state->next_capacity;
    state->next = old;
    state->next_capacity = old_capacity;
}

static void on_start(weir_op *op)
{
    const weir_arrangement *arrangement = weir_op_arg(op);
    importing *state = weir_op_state(op);
    static const weir_time first;
    weir_antichain none = {0};
    wi_trace *trace = *arrangement->trace;
    state->reader = wi_reader_new(trace, op);
    wi_reader_hold(state->reader, &none);
    wi_reader_ack(state->reader, trace->seq);
    wi_grow(&state->held, &state->held_capacity, 1, sizeof(weir_capability *));
    state->held[state->held_count++] = weir_op_first_capability(op, 0);
    if (trace->seq)
        wi_token_push(weir_send_at(op, 0, &first), (wi_token){trace->seq});
    follow_upper(state);
}

static void on_run(weir_op *op)
{
    importing *state = weir_op_state(op);
    wi_trace *trace = state->reader->trace;
    for (uint64_t seq = state->reader->acked + 1; seq <= trace->seq; seq++) {
        const wi_run *run = wi_trace_run(trace, seq);
        wi_assert(run, "T4: runs that a reader has not acked are not merged");
        weir_time time = run->table[0];
        for (uint32_t t = 1; t < run->time_count; t++)
            time = weir_time_meet(&time, &run->table[t]);
        wi_token_push(weir_send_at(op, 0, &time), (wi_token){seq});
        wi_reader_ack(state->reader, seq);
    }
    follow_upper(state);
}

static void on_stop(weir_op *op)
{
    const weir_arrangement *arrangement = weir_op_arg(op);
    importing *state = weir_op_state(op);
    wi_reader_drop(state->reader);
    wi_trace_drop(*arrangement->trace);
    wi_layout_drop(arrangement->layout);
    wi_free(state->held);
    wi_free(state->next);
}

static const weir_operator import = {.name = "import",
                                     .source = true,
                                     .state_bytes = sizeof(importing),
                                     .start = on_start,
                                     .run = on_run,
                                     .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

/* The worker's shard of what is to be imported; NULL, and the dataflow has failed, if it cannot
 * be. */
static const wi_shard *find(weir_dataflow *flow, const char *name)
{
    const weir_worker *worker = flow->flow->worker;
    const wi_share *share = wi_share_of(worker, name);
    const wi_shard *shard = share ? &share->shards[worker->local] : NULL;
    if (flow->parent)
        weir_scope_fail(flow,
                        "import: `%s` is imported in loop `%s`; import it in the dataflow and "
                        "bring it in by weir_arrangement_enter",
                        name, flow->name);
    else if (!share)
        weir_scope_fail(flow,
                        "import: no arrangement is published as `%s` on worker %u (any more); "
                        "publish it in a dataflow that is built before this one",
                        name, worker->index);
    else if (!shard->trace)
        weir_scope_fail(flow,
                        "import: dataflow `%s`, which publishes `%s`, has not been finished by "
                        "weir_dataflow_end",
                        share->by, name);
    else if (share->dims != flow->dims)
        weir_scope_fail(flow,
                        "import: times of `%s` have %d dimension%s, those of this dataflow %d; "
                        "see weir_dataflow_dims",
                        name, share->dims, share->dims == 1 ? "" : "s", flow->dims);
    else
        return shard;
    return NULL;
}

weir_arrangement *weir_arrangement_import(weir_dataflow *flow, const char *name)
{
    const wi_shard *shard = find(flow, name);
    weir_arrangement *arrangement = WI_NEW(weir_arrangement);
    arrangement->trace = WI_NEW(wi_trace *);
    arrangement->imported = true;
    if (shard) {
        *arrangement->trace = wi_trace_retain(shard->trace);
        arrangement->layout = wi_layout_retain(shard->layout);
        arrangement->key = shard->key;
        arrangement->order = shard->order;
    } else { /* anything that can be built with */
        arrangement->key = WEIR_BY(wi_token, seq);
        arrangement->layout = wi_layout_new(&wi_token_type, &arrangement->key, NULL);
    }
    weir_builder *builder = weir_operator_begin(flow, &import, arrangement);
    weir_builder_keep(builder, arrangement);
    weir_builder_keep(builder, arrangement->trace);
    arrangement->tokens = weir_builder_output(builder, &wi_token_type);
    weir_operator_end(builder);
    flow->flow->ops[arrangement->tokens.op]->always_stop = true; /* to free what it has */
    return arrangement;
}
