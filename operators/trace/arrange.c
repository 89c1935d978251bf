/* arrange: fills a trace and tells its readers. Looks deeper than the operator API to find the
 * arrangement of a stream that exists already, and the stream outside of one that entered.
 *
 * For each time with pending updates it holds a capability. When times complete, the bins are
 * sealed in groups, each of which has a least time: the token goes out at that one. */
#include "arrange.h"

#include "../../base/alloc.h"
#include "../../runtime/runtime.h"
#include "../stream/common.h"
#include "run_build.h"
#include "run_send.h"
#include "upkeep.h"

typedef struct arranging {
    wi_pending pending;
    wi_trace *trace;
    wi_bin **ready;
    uint32_t ready_capacity;
    wi_upkeep upkeep;
} arranging;

static void on_start(weir_op *op)
{
    weir_arrangement *arrangement = weir_op_arg(op);
    arranging *state = weir_op_state(op);
    wi_pending_init(&state->pending, arrangement->layout);
    state->trace = *arrangement->trace;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    arranging *state = weir_op_state(op);
    wi_pending_batch(&state->pending, batch);
    for (uint32_t begin = 0; begin < batch->count; begin = wi_same_time(batch, begin)) {
        wi_bin *bin = wi_pending_bin(&state->pending, weir_batch_time(batch, begin));
        if (!bin->capability)
            bin->capability = weir_retain(op, 0, &bin->time);
    }
}

static void insert(weir_op *op, wi_run *run, const weir_time *time)
{
    arranging *state = weir_op_state(op);
    if (!run->count) {
        wi_run_drop(run);
        return;
    }
    wi_trace_insert(state->trace, run);
    wi_token_push(weir_send_at(op, 0, time), (wi_token){state->trace->seq});
}

static void on_frontier(weir_op *op)
{
    arranging *state = weir_op_state(op);
    const weir_arrangement *arrangement = weir_op_arg(op);
    const weir_antichain *upper = weir_op_frontier(op, 0);
    uint32_t count;
    wi_grow(&state->ready, &state->ready_capacity, state->pending.bin_count, sizeof(wi_bin *));
    while ((count = wi_pending_ready(&state->pending, upper, state->ready)) > 0) {
        insert(op, wi_bins_seal(arrangement->layout, state->ready, count), &state->ready[0]->time);
        for (uint32_t b = 0; b < count; b++) {
            weir_capability_drop(state->ready[b]->capability);
            wi_bin_free(arrangement->layout, state->ready[b]);
        }
    }
    wi_trace_advance(state->trace, upper);
    wi_upkeep_ask(&state->upkeep, op, state->trace);
}

static void on_run(weir_op *op)
{
    arranging *state = weir_op_state(op);
    wi_upkeep_run(&state->upkeep, op, state->trace);
}

static void on_stop(weir_op *op)
{
    const weir_arrangement *arrangement = weir_op_arg(op);
    arranging *state = weir_op_state(op);
    wi_layout_drop(arrangement->layout);
    wi_trace_drop(*arrangement->trace);
    wi_pending_fini(&state->pending);
    wi_free(state->ready);
}

static const weir_operator arrange = {.name = "arrange",
                                      .state_bytes = sizeof(arranging),
                                      .start = on_start,
                                      .batch = on_batch,
                                      .frontier = on_frontier,
                                      .run = on_run,
                                      .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static const weir_operator flatten;

static bool same_fields(const weir_key *a, const weir_key *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t f = 0; f < a->count; f++)
        if (a->offsets[f] != b->offsets[f] || a->bytes[f] != b->bytes[f])
            return false;
    return true;
}

static bool same_order(const weir_order *a, const weir_order *b)
{
    if (!a->by.type || !b->by.type)
        return !a->by.type && !b->by.type;
    uint32_t mask = a->by.count < 32 ? (1u << a->by.count) - 1 : UINT32_MAX;
    return same_fields(&a->by, &b->by) && (a->descending & mask) == (b->descending & mask);
}

/* The arrangement of the stream that exists already, or NULL. */
static weir_arrangement *existing(weir_stream in, const weir_key *key, const weir_order *order)
{
    wi_flow *flow = in.scope->flow;
    for (uint32_t i = in.op; i < flow->op_count; i++) {
        weir_op *op = flow->ops[i];
        if (op->logic != &arrange || op->inputs[0]->from_op != in.op ||
            op->inputs[0]->from_port != in.port)
            continue;
        weir_arrangement *arrangement = op->arg;
        if (same_fields(&arrangement->key, key) && same_order(&arrangement->order, order))
            return arrangement;
    }
    return NULL;
}

static weir_arrangement *unfilled(weir_stream in, weir_key key, const weir_order *order)
{
    weir_arrangement *arrangement = WI_NEW(weir_arrangement);
    arrangement->layout = wi_layout_new(in.type, &key, order->by.type ? order : NULL);
    arrangement->trace = WI_NEW(wi_trace *);
    *arrangement->trace = wi_trace_new(arrangement->layout, in.scope->dims);
    arrangement->key = key;
    arrangement->order = *order;
    return arrangement;
}

weir_arrangement *wi_arrangement_new(weir_stream rows, weir_key key)
{
    static const weir_order none;
    return unfilled(rows, key, &none);
}

/* Sorts what is still being built by another key, and sends its rows to that key's workers. */
static void change_key(weir_arrangement *of, const weir_key *key)
{
    weir_op *op = of->tokens.scope->flow->ops[of->tokens.op];
    const weir_type *type = of->layout->type;
    wi_trace_drop(*of->trace);
    wi_layout_drop(of->layout);
    of->key = *key;
    of->layout = wi_layout_new(type, key, NULL);
    *of->trace = wi_trace_new(of->layout, of->tokens.scope->dims);
    op->inputs[0]->route = WEIR_EXCHANGE(*key);
}

static weir_arrangement *arrange_new(weir_stream in, weir_key key, const weir_order *order)
{
    weir_arrangement *arrangement = unfilled(in, key, order);
    weir_builder *builder =
        wi_begin(in, WEIR_EXCHANGE(key), &arrange, arrangement, arrange.name, NULL);
    weir_builder_keep(builder, arrangement->trace);
    arrangement->tokens = wi_end(builder, &wi_token_type);
    in.scope->flow->ops[arrangement->tokens.op]->always_stop = true; /* to free the trace */
    return arrangement;
}

weir_arrangement *wi_arrange(weir_stream in, weir_key key, const weir_order *order)
{
    weir_order none = {0};
    order = order ? order : &none;
    if (!wi_takes(in, arrange.name, NULL, key.type) ||
        (order->by.type && !wi_takes(in, arrange.name, NULL, order->by.type)))
        key = (weir_key){.type = in.type}, order = &none; /* the dataflow has failed */
    const weir_op *from = in.scope->flow->ops[in.op];
    if (from->logic == &flatten) {
        weir_arrangement *of = from->arg;
        if (of->any_key && key.count && !order->by.type) {
            of->any_key = false;
            change_key(of, &key);
        }
        if (same_fields(&of->key, &key) && same_order(&of->order, order))
            return of;
    }
    if (from->kind == WI_NODE_ENTER) {
        const wi_input_port *outer = from->inputs[0];
        weir_stream outside = {from->boundary->parent, in.type, outer->from_op, outer->from_port};
        return weir_arrangement_enter(from->boundary, wi_arrange(outside, key, order));
    }
    weir_arrangement *found = existing(in, &key, order);
    return found ? found : arrange_new(in, key, order);
}

weir_arrangement *weir_arrange(weir_stream in, weir_key key)
{
    return wi_arrange(in, key, NULL);
}

/* The stream that has entered the loop already, or a new one. */
static weir_stream entered(weir_loop *loop, weir_stream in)
{
    wi_flow *flow = in.scope->flow;
    for (uint32_t i = in.op; i < flow->op_count; i++) {
        const weir_op *op = flow->ops[i];
        if (op->kind == WI_NODE_ENTER && op->boundary == loop && in.scope == loop->parent &&
            op->inputs[0]->from_op == in.op && op->inputs[0]->from_port == in.port)
            return (weir_stream){loop, in.type, i, 0};
    }
    return weir_enter(loop, in);
}

weir_arrangement *weir_arrangement_enter(weir_loop *loop, weir_arrangement *outside)
{
    weir_arrangement *inside = WI_NEW(weir_arrangement);
    *inside = *outside;
    inside->tokens = entered(loop, outside->tokens);
    weir_op *op = loop->flow->ops[inside->tokens.op];
    wi_grow(&op->kept, &op->kept_capacity, op->kept_count + 1, sizeof(void *));
    op->kept[op->kept_count++] = inside;
    return inside;
}

/* ---- as a stream ------------------------------------------------------------------------ */

/* Of an imported trace, the first runs' times are sent as of `since` at the start, however far
 * they have been compacted: all such streams of a dataflow then have the same changes. */
typedef struct flattening {
    wi_reader *reader;
    weir_antichain since; /* empty: times are sent as they are */
} flattening;

static void on_flatten_start(weir_op *op)
{
    const weir_arrangement *arrangement = weir_op_arg(op);
    flattening *state = weir_op_state(op);
    weir_antichain nothing = {0};
    state->reader = wi_reader_new(*arrangement->trace, NULL);
    wi_reader_will_look(state->reader); /* at new runs only */
    if (state->reader->trace->seq)
        weir_antichain_copy(&state->since, &state->reader->hold);
    else
        wi_reader_hold(state->reader, &nothing);
}

/* With times as of `since`. */
static void send_first(weir_op *op, const wi_run *run, const weir_time *time)
{
    const flattening *state = weir_op_state(op);
    weir_out *out = weir_send_at(op, 0, time);
    const wi_layout *layout = run->layout;
    for (uint32_t i = 0; i < run->count;) {
        uint32_t room, same = i + 1;
        while (same < run->count && (!run->times || run->times[same] == run->times[i]) &&
               wi_run_diff(run, same) == wi_run_diff(run, i))
            same++;
        weir_time at = wi_advance(wi_run_time(run, i), &state->since);
        weir_out_time(out, &at);
        weir_out_diff(out, wi_run_diff(run, i));
        void *rows = weir_out_room(out, same - i, &room);
        wi_layout_decode(layout, wi_run_row(run, i), layout->words, room, rows);
        if (layout->texts)
            wi_batch_own_texts(out->batch, rows, room);
        weir_out_commit(out, room);
        i += room;
    }
}

/* All runs up to a seq, as one: brought to the same times, updates of several may cancel. */
static wi_run *first_runs(const flattening *state, uint64_t seq)
{
    const wi_trace *trace = state->reader->trace;
    wi_run *all = wi_run_new(trace->layout, 0, false, false, NULL, 0);
    for (uint32_t r = 0; r < trace->run_count && trace->runs[r]->last_seq <= seq; r++) {
        int64_t fuel = INT64_MAX;
        wi_merge *merge = wi_merge_begin(all, trace->runs[r], &state->since);
        wi_merge_work(merge, &fuel);
        wi_run_drop(all);
        all = wi_merge_end(merge);
    }
    return all;
}

static void on_flatten(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    flattening *state = weir_op_state(op);
    const wi_trace *trace = state->reader->trace;
    bool wanted = op->outputs[0]->channel_count > 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t seq = wi_token_at(batch, i)->seq;
        if (state->reader->hold.count) {
            wi_run *all = first_runs(state, seq);
            send_first(op, all, weir_batch_time(batch, i));
            wi_run_drop(all);
            weir_antichain_clear(&state->since);
            wi_reader_hold(state->reader, &state->since);
        } else {
            for (uint32_t r = wi_reader_runs(state->reader);
                 wanted && r < trace->run_count && trace->runs[r]->last_seq <= seq; r++)
                wi_run_send(op, 0, trace->runs[r], weir_batch_time(batch, i));
        }
        wi_reader_ack(state->reader, seq);
    }
}

static void on_flatten_stop(weir_op *op)
{
    flattening *state = weir_op_state(op);
    wi_reader_drop(state->reader);
    weir_antichain_fini(&state->since);
}

static const weir_operator flatten = {.name = "arrangement_stream",
                                      .state_bytes = sizeof(flattening),
                                      .start = on_flatten_start,
                                      .batch = on_flatten,
                                      .stop = on_flatten_stop};

weir_stream weir_arrangement_stream(weir_arrangement *of)
{
    wi_flow *flow = of->tokens.scope->flow;
    for (uint32_t i = of->tokens.op; i < flow->op_count; i++)
        if (flow->ops[i]->logic == &flatten && flow->ops[i]->arg == of)
            return wi_op_stream(flow->ops[i], 0);
    return weir_unary(of->tokens, WEIR_LOCAL, &flatten, of->layout->type, of);
}

weir_arrangement *wi_arrange_own(weir_arrangement *of)
{
    if (!of->imported)
        return of;
    weir_stream changes = weir_arrangement_stream(of);
    weir_arrangement *found = existing(changes, &of->key, &of->order);
    return found ? found : arrange_new(changes, of->key, &of->order);
}
