/* pace: lets rows through no sooner than their event times say.
 *
 * It keeps one batch, and while that waits its input is paused: what is behind stays in the
 * input's queue, and once that is full, the source is held back. Rows that waited together are
 * sent together, a millisecond's worth at least.
 *
 * Workers begin at the earliest of the event times with which they begin: each tells all others
 * its first one, by a way back in the dataflow, and waits a little for what they say before it
 * lets anything through. Who has heard of another's has begun with that one: a worker to which the
 * first row comes an hour later is not an hour behind. */
#include <math.h>
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "../window/field.h"

#include <weir/timer.h>

#define GRAIN_NS 1000000   /* rows are not looked at more often */
#define HEARING_NS 20000000 /* for what other workers say of their first rows */
#define WAIT_NS_MAX 9e18   /* 285 years: clocks come to that, in deterministic runs */

enum { ROWS, FIRSTS }; /* inputs, outputs */

#define FIRST(F) F(i64, at)
WEIR_ROW(pace_first, FIRST)

typedef struct pace_call {
    uint32_t field;
    double ns_per_unit; /* of the clock */
} pace_call;

typedef struct pace_state {
    weir_capability *rows;   /* for what waits; NULL: nothing does */
    weir_capability *firsts; /* until it has told the others, or has nothing to tell */
    weir_batch *batch;       /* what waits: rows from `at` on */
    uint32_t at;
    bool begun, heard;
    int64_t first;      /* if `heard`: the event time at which it begins */
    uint64_t begins_ns; /* the clock's, then */
} pace_state;

/* ---- when ------------------------------------------------------------------------------- */

static uint64_t due_ns(const pace_call *call, const pace_state *state, int64_t at)
{
    if (at <= state->first)
        return state->begins_ns;
    double wait = ((double)at - (double)state->first) * call->ns_per_unit;
    uint64_t since;
    if (!__builtin_sub_overflow(at, state->first, (int64_t *)&since))
        wait = (double)since * call->ns_per_unit;
    return weir_add_saturating(state->begins_ns,
                               (uint64_t)(wait < WAIT_NS_MAX ? wait : WAIT_NS_MAX));
}

/* Of a first row, of its own or another's. */
static void hear(weir_op *op, int64_t first)
{
    pace_state *state = weir_op_state(op);
    weir_worker *worker = weir_op_worker(op);
    if (!state->heard)
        state->begins_ns = weir_now(worker) + (weir_worker_count(worker) > 1 ? HEARING_NS : 0);
    if (!state->heard || first < state->first)
        state->first = first;
    state->heard = true;
}

/* The first row has come. Others are told of it, but not when they have begun long since. */
static void begin(weir_op *op, int64_t first)
{
    pace_state *state = weir_op_state(op);
    weir_worker *worker = weir_op_worker(op);
    state->begun = true;
    if (!state->heard || weir_now(worker) < state->begins_ns) {
        hear(op, first);
        if (weir_worker_count(worker) > 1)
            pace_first_push(weir_send_at(op, FIRSTS, weir_capability_time(state->firsts)),
                            (pace_first){first});
    }
    weir_capability_drop(state->firsts);
    state->firsts = NULL;
}

/* ---- letting through -------------------------------------------------------------------- */

static void hold(weir_op *op, pace_state *state)
{
    const weir_batch *batch = state->batch;
    weir_time least = *weir_batch_time(batch, state->at);
    for (uint32_t i = state->at; batch->times && i < batch->count; i++)
        least = weir_time_meet(&least, &batch->times[i]);
    if (!state->rows)
        state->rows = weir_retain(op, ROWS, &least);
    else
        weir_capability_downgrade(state->rows, &least);
}

static void send(weir_op *op, pace_state *state, uint32_t end)
{
    const weir_batch *batch = state->batch;
    if (state->at == 0 && end == batch->count) {
        weir_forward(op, ROWS, batch);
        return;
    }
    const weir_time *time = state->rows ? weir_capability_time(state->rows) : &batch->time;
    weir_out_copy(weir_send_at(op, ROWS, time), batch, state->at, end);
}

/* Lets through what is due, and waits for the rest. */
static void pump(weir_op *op)
{
    const pace_call *call = weir_op_arg(op);
    pace_state *state = weir_op_state(op);
    const weir_batch *batch = state->batch;
    uint64_t now = weir_now(weir_op_worker(op)), due = now;
    uint32_t end = state->at;
    for (; end < batch->count; end++) {
        due = due_ns(call, state, wi_event_time_at(weir_batch_row(batch, end), call->field));
        if (due > now)
            break;
    }
    if (end > state->at)
        send(op, state, end);
    state->at = end;
    if (end < batch->count) {
        hold(op, state);
        weir_activate_after(op, due - now > GRAIN_NS ? due - now : GRAIN_NS);
        return;
    }
    weir_capability_drop(state->rows);
    state->rows = NULL;
    weir_batch_drop(state->batch);
    state->batch = NULL;
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    pace_state *state = weir_op_state(op);
    state->firsts = weir_op_first_capability(op, FIRSTS);
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    const pace_call *call = weir_op_arg(op);
    pace_state *state = weir_op_state(op);
    if (input == FIRSTS) {
        for (uint32_t i = 0; i < batch->count; i++)
            hear(op, pace_first_at(batch, i)->at);
        return;
    }
    if (!batch->count)
        return;
    if (!state->begun)
        begin(op, wi_event_time_at(weir_batch_row(batch, 0), call->field));
    state->batch = weir_batch_retain(batch);
    state->at = 0;
    pump(op);
    if (state->batch)
        weir_op_pause(op, ROWS, true);
}

static void on_run(weir_op *op)
{
    pace_state *state = weir_op_state(op);
    if (!state->batch)
        return;
    pump(op);
    if (!state->batch)
        weir_op_pause(op, ROWS, false);
}

static void on_frontier(weir_op *op)
{
    pace_state *state = weir_op_state(op);
    if (weir_op_frontier(op, ROWS)->count)
        return;
    weir_capability_drop(state->firsts);
    state->firsts = NULL;
}

static void on_stop(weir_op *op)
{
    pace_state *state = weir_op_state(op);
    weir_batch_drop(state->batch);
}

static const weir_operator pace = {.name = "pace",
                                   .state_bytes = sizeof(pace_state),
                                   .source = true,
                                   .start = on_start,
                                   .batch = on_batch,
                                   .frontier = on_frontier,
                                   .run = on_run,
                                   .stop = on_stop};

/* What 1 of the field is; 0 if nobody says. */
static uint64_t unit_of(weir_stream in, const weir_pacing *pacing)
{
    const weir_field *field = pacing->time ? weir_type_find(in.type, pacing->time) : NULL;
    if (pacing->unit_ns || !field)
        return pacing->unit_ns;
    return field->kind == WEIR_KIND_weir_time_ms   ? 1000000
           : field->kind == WEIR_KIND_weir_time_us ? 1000
                                                   : 0;
}

weir_stream weir_pace(weir_stream in, const weir_pacing *pacing)
{
    pace_call *call = WI_NEW(pace_call);
    uint64_t unit_ns = unit_of(in, pacing);
    call->field = wi_time_field(in, pace.name, "time", pacing->time);
    call->ns_per_unit = (double)unit_ns / pacing->speed;
    if (!(pacing->speed > 0) || isinf(pacing->speed))
        weir_scope_fail(in.scope, "pace: its speed is %g; it must be above 0", pacing->speed);
    if (!unit_ns)
        weir_scope_fail(in.scope,
                        "pace: what 1 of `%s` is, in nanoseconds, has to be said (unit_ns): its "
                        "kind does not",
                        pacing->time ? pacing->time : "(nothing)");
    int dims = weir_scope_dims(in.scope);
    weir_stream way =
        weir_feedback(in.scope, &pace_first_type, weir_summary_add(dims, dims - 1, 1));
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &pace, call, pace.name, NULL);
    weir_builder_input(builder, way, WEIR_BROADCAST);
    weir_stream out = weir_builder_output(builder, in.type);
    weir_stream firsts = weir_builder_output(builder, &pace_first_type);
    weir_builder_unrelated(builder, ROWS, FIRSTS);
    weir_builder_unrelated(builder, FIRSTS, ROWS);
    weir_builder_unrelated(builder, FIRSTS, FIRSTS);
    weir_operator_end(builder);
    weir_feedback_set(way, firsts);
    return out;
}
