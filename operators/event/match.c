/* Taking rows, and building; see match.h. */
#include "match.h"

#include "../../base/alloc.h"
#include "../collection/join.h"
#include "../stream/common.h"
#include "../window/window.h"

#define BLOCK 256               /* rows whose keys are asked for together */
#define FRONTIER_COUNTS 64      /* for what can be freed: as so many rows */
#define END_COUNTS (1ull << 60) /* no more rows come from an input: all keys are looked at */

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    wi_matcher *matcher = weir_op_state(op);
    const wi_match_plan *plan = weir_op_arg(op);
    wi_reached none = {.before = INT64_MIN};
    matcher->op = op;
    matcher->plan = plan;
    matcher->store.forms = plan->forms;
    matcher->reached[0] = matcher->reached[1] = matcher->both = none;
    wi_sender_init(&matcher->sender, op, &plan->sending);
}

static void send_late(weir_op *op, uint32_t input, const weir_batch *batch, uint32_t row)
{
    weir_out *out = weir_send_at(op, 1 + input, weir_batch_time(batch, row));
    weir_out_diff(out, weir_batch_diff(batch, row));
    weir_out_row(out, weir_batch_row(batch, row));
}

static void take(wi_matcher *matcher, uint32_t input, const weir_batch *batch, uint32_t row,
                 uint64_t hash)
{
    const wi_match_plan *plan = matcher->plan;
    const void *at = weir_batch_row(batch, row);
    wi_entry as = {.time = wi_event_time_at(at, plan->forms[input].time_at),
                   .stamp = wi_stamp_of(batch, row),
                   .diff = weir_batch_diff(batch, row)};
    int64_t last = plan->last ? plan->last(plan, as.time) : as.time;
    if (wi_add_saturating(last, plan->lateness) < as.stamp) {
        send_late(matcher->op, input, batch, row);
        return;
    }
    wi_match_key *key = wi_store_find(&matcher->store, input, at, hash);
    plan->take(matcher, input, key, at, &as);
    wi_store_tidy(&matcher->store, key);
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    wi_matcher *matcher = weir_op_state(op);
    uint64_t hashes[BLOCK];
    wi_sender_begin(&matcher->sender, &batch->time);
    for (uint32_t begin = 0, count; begin < batch->count; begin += count) {
        count = batch->count - begin < BLOCK ? batch->count - begin : BLOCK;
        weir_key_hash(&matcher->plan->forms[input].key, weir_batch_row(batch, begin), count,
                      hashes);
        wi_store_prefetch(&matcher->store, hashes, count);
        for (uint32_t i = 0; i < count; i++)
            take(matcher, input, batch, begin + i, hashes[i]);
    }
    wi_sender_flush(&matcher->sender);
    wi_store_sweep(&matcher->store, batch->count, matcher->plan->expire, matcher);
}

static void on_frontier(weir_op *op)
{
    wi_matcher *matcher = weir_op_state(op);
    const wi_match_plan *plan = matcher->plan;
    int ended = matcher->reached[0].all + matcher->reached[1].all;
    for (uint32_t i = 0; i < 2; i++)
        matcher->reached[i] = wi_reached_of(op, i < plan->inputs ? i : 0);
    bool ends = matcher->reached[0].all + matcher->reached[1].all > ended;
    const wi_reached *a = &matcher->reached[0], *b = &matcher->reached[1];
    matcher->both = a->all || (!b->all && b->before < a->before) ? *b : *a;
    if (matcher->queue.held)
        wi_sender_begin(&matcher->sender, weir_capability_time(matcher->queue.held));
    for (wi_due due; wi_queue_pop(&matcher->queue, matcher->both, &due);) {
        plan->due(matcher, due);
        wi_store_tidy(&matcher->store, due.key);
    }
    wi_sender_flush(&matcher->sender);
    wi_queue_settle(&matcher->queue);
    wi_store_sweep(&matcher->store, ends ? END_COUNTS : FRONTIER_COUNTS, plan->expire, matcher);
}

static void on_stop(weir_op *op)
{
    wi_matcher *matcher = weir_op_state(op);
    wi_store_fini(&matcher->store);
    wi_queue_fini(&matcher->queue);
    wi_sender_fini(&matcher->sender);
}

static const weir_operator match = {.name = "match",
                                    .state_bytes = sizeof(wi_matcher),
                                    .start = on_start,
                                    .batch = on_batch,
                                    .frontier = on_frontier,
                                    .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static void check(wi_match_plan *plan, const wi_match_side *sides)
{
    weir_scope *scope = sides[0].stream.scope;
    const char *name = plan->name;
    const weir_join_kernel *kernel = plan->sending.kernel;
    if (plan->lateness < 0)
        weir_scope_fail(scope, "%s: its lateness is %lld; it must not be negative", name,
                        (long long)plan->lateness);
    if (weir_scope_dims(scope) != 1)
        weir_scope_fail(scope, "%s: is for dataflows of one dimension, and not in loops", name);
    for (uint32_t s = 0; s < plan->inputs; s++)
        wi_takes(sides[s].stream, name, NULL, sides[s].key.type);
    if (plan->inputs == 2)
        wi_join_keys(scope, name, &sides[0].key, &sides[1].key);
    if (!kernel)
        return;
    wi_join_takes(scope, name, kernel, sides[0].stream.type, sides[1].stream.type);
    for (uint32_t s = 0; s < 2; s++) {
        const weir_map_kernel *alone = plan->sending.alone[s];
        if (alone && wi_takes(sides[s].stream, name, alone->name, alone->in))
            wi_same_rows(scope, name, kernel->out, alone->out);
    }
}

weir_stream wi_match_build(wi_match_plan *plan, const wi_match_side *sides, const char *of,
                           const weir_type *out, weir_stream *late_out)
{
    check(plan, sides);
    weir_builder *builder =
        wi_begin(sides[0].stream, WEIR_EXCHANGE(sides[0].key), &match, plan, plan->name, of);
    if (plan->inputs == 2)
        weir_builder_input(builder, sides[1].stream, WEIR_EXCHANGE(sides[1].key));
    for (uint32_t s = 0; s < 2; s++) {
        const wi_match_side *side = &sides[s < plan->inputs ? s : 0];
        uint32_t time_at = wi_time_field(side->stream, plan->name, side->what, side->time);
        plan->forms[s] =
            wi_side_form_new(side->stream.type, &side->key, time_at, plan->by_row);
        plan->sending.rows[s] = side->stream.type;
        weir_builder_keep(builder, plan->forms[s].text_at);
    }
    weir_stream results = weir_builder_output(builder, out);
    for (uint32_t s = 0; s < plan->inputs; s++)
        late_out[s] = weir_builder_output(builder, sides[s].stream.type);
    weir_operator_end(builder);
    return results;
}
