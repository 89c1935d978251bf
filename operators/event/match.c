/* The operator that matches rows by event time; see match.h. */
#include "match.h"

#include "../../base/alloc.h"
#include "../collection/join.h"
#include "../window/window.h"

#define BLOCK 256               /* rows whose keys are asked for together */
#define FRONTIER_COUNTS 64      /* for what can be freed: as so many rows */
#define END_COUNTS (1ull << 60) /* no more rows come from an input: all keys are looked at */

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

/* ---- rows ------------------------------------------------------------------------------- */

static void send_late(weir_op *op, uint32_t input, const weir_batch *batch, uint32_t row)
{
    weir_out *out = weir_send_at(op, 1 + input, weir_batch_time(batch, row));
    weir_out_diff(out, weir_batch_diff(batch, row));
    weir_out_row(out, weir_batch_row(batch, row));
}

/* A row that may be late, which is for later to say. */
static void hold_late(wi_matcher *matcher, uint32_t input, const weir_time *time)
{
    weir_capability **held = &matcher->unsettled[input].held;
    matcher->unsettled[input].count++;
    if (*held && weir_time_le(weir_capability_time(*held), time))
        return;
    if (*held)
        weir_capability_drop(*held);
    *held = weir_retain(matcher->op, 1 + input, time);
}

void wi_match_settle(wi_matcher *matcher, uint32_t side, const wi_entry *late)
{
    matcher->unsettled[side].count--;
    if (!late)
        return;
    weir_time time = WEIR_EPOCH(weir_event_epoch(late->stamp));
    weir_out *out = weir_send_at(matcher->op, 1 + side, &time);
    weir_out_diff(out, late->diff);
    weir_out_row(out, late->row);
}

/* Something is due for each row that is not settled. */
static void let_go_late(wi_matcher *matcher)
{
    for (uint32_t side = 0; side < 2; side++) {
        weir_capability **held = &matcher->unsettled[side].held;
        if (!*held)
            continue;
        if (!matcher->unsettled[side].count) {
            weir_capability_drop(*held);
            *held = NULL;
            continue;
        }
        weir_time next = WEIR_EPOCH(weir_event_epoch(matcher->queue.heap[0].time));
        if (weir_time_lt(weir_capability_time(*held), &next))
            weir_capability_downgrade(*held, &next);
    }
}

static void take(wi_matcher *matcher, uint32_t input, const weir_batch *batch, uint32_t row,
                 uint64_t hash)
{
    const wi_match_plan *plan = matcher->plan;
    const void *at = weir_batch_row(batch, row);
    wi_entry as = {.time = wi_event_time_at(at, plan->forms[input].time_at),
                   .stamp = wi_stamp_of(batch, row),
                   .diff = weir_batch_diff(batch, row)};
    bool late = wi_match_is_late(plan, as.time, as.stamp);
    if (late && !plan->settles) {
        send_late(matcher->op, input, batch, row);
        return;
    }
    if (late)
        hold_late(matcher, input, weir_batch_time(batch, row));
    matcher->takes_away[input] |= as.diff < 0;
    wi_match_key *key = wi_store_find(&matcher->store, input, at, hash);
    plan->take(matcher, input, key, at, &as);
    wi_store_tidy(&matcher->store, key);
}

/* Takes rows from *row on, as long as there is fuel. Whether all are done. */
static bool take_rows(wi_matcher *matcher, uint32_t input, const weir_batch *batch, uint32_t *row)
{
    uint64_t hashes[BLOCK];
    const weir_key *key = &matcher->plan->forms[input].key;
    wi_sender_begin(&matcher->sender, &batch->time);
    while (*row < batch->count && matcher->fuel > 0) {
        uint32_t begin = *row, count = batch->count - begin;
        count = count < BLOCK ? count : BLOCK;
        weir_key_hash(key, weir_batch_row(batch, begin), count, hashes);
        wi_store_prefetch(&matcher->store, hashes, count);
        for (uint32_t i = 0; i < count && matcher->fuel > 0; i++) {
            int64_t given = matcher->sender.given;
            take(matcher, input, batch, (*row)++, hashes[i]);
            matcher->fuel -= 1 + matcher->sender.given - given;
        }
    }
    wi_sender_flush(&matcher->sender);
    return *row == batch->count;
}

static void leave(wi_matcher *matcher, uint32_t input, const weir_batch *batch, uint32_t row)
{
    wi_grow(&matcher->left, &matcher->left_capacity, matcher->left_count + 1,
            sizeof *matcher->left);
    wi_rows_left *left = &matcher->left[matcher->left_count++];
    *left = (wi_rows_left){weir_batch_retain(batch), input, row, {NULL, NULL}};
    left->held[0] = weir_retain(matcher->op, 0, &batch->time);
    left->held[1] = weir_retain(matcher->op, 1 + input, &batch->time);
    weir_activate(matcher->op);
}

static bool take_left(wi_matcher *matcher)
{
    for (; matcher->left_begin < matcher->left_count; matcher->left_begin++) {
        wi_rows_left *left = &matcher->left[matcher->left_begin];
        if (!take_rows(matcher, left->input, left->batch, &left->row))
            return false;
        weir_capability_drop(left->held[0]);
        weir_capability_drop(left->held[1]);
        weir_batch_drop(left->batch);
    }
    matcher->left_begin = matcher->left_count = 0;
    return true;
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    wi_matcher *matcher = weir_op_state(op);
    uint32_t row = 0;
    matcher->fuel = wi_join_fuel;
    if (matcher->left_count || matcher->begun_count || !take_rows(matcher, input, batch, &row))
        leave(matcher, input, batch, row);
    else if (!matcher->is_behind)
        wi_store_sweep(&matcher->store, batch->count, matcher->plan->expire, matcher);
}

/* ---- times ------------------------------------------------------------------------------ */

/* Goes on with what has begun. False if it is not done: there is no more fuel. */
static bool go_on(wi_matcher *matcher)
{
    if (!matcher->begun_count)
        return true;
    int64_t given = matcher->sender.given;
    wi_sender_begin(&matcher->sender, weir_capability_time(matcher->queue.held));
    matcher->plan->go_on(matcher);
    wi_sender_flush(&matcher->sender);
    matcher->fuel -= matcher->sender.given - given;
    return !matcher->begun_count;
}

/* False if there are other things due: there is no more fuel. */
static bool do_due(wi_matcher *matcher)
{
    bool more = true;
    if (matcher->queue.held)
        wi_sender_begin(&matcher->sender, weir_capability_time(matcher->queue.held));
    for (wi_due due; matcher->fuel > 0;) {
        more = wi_queue_pop(&matcher->queue, matcher->both, &due);
        if (!more)
            break;
        int64_t given = matcher->sender.given;
        matcher->plan->due(matcher, due);
        wi_store_tidy(&matcher->store, due.key);
        matcher->fuel -= 1 + matcher->sender.given - given;
        if (!go_on(matcher))
            return false;
    }
    wi_sender_flush(&matcher->sender);
    wi_queue_settle(&matcher->queue);
    let_go_late(matcher);
    return !more;
}

/* Takes over the frontiers. Whether one has ended. */
static bool move_on(wi_matcher *matcher)
{
    int ended = matcher->reached[0].all + matcher->reached[1].all;
    for (uint32_t i = 0; i < 2; i++)
        matcher->reached[i] = wi_reached_of(matcher->op, i < matcher->plan->inputs ? i : 0);
    const wi_reached *a = &matcher->reached[0], *b = &matcher->reached[1];
    matcher->both = a->all || (!b->all && b->before < a->before) ? *b : *a;
    return matcher->reached[0].all + matcher->reached[1].all > ended;
}

static void work(weir_op *op)
{
    wi_matcher *matcher = weir_op_state(op);
    matcher->fuel = wi_join_fuel;
    if (!go_on(matcher) || !take_left(matcher)) {
        weir_activate(op);
        return;
    }
    matcher->ends |= move_on(matcher);
    matcher->is_behind = !do_due(matcher);
    if (matcher->is_behind) {
        weir_activate(op);
        return;
    }
    wi_store_sweep(&matcher->store, matcher->ends ? END_COUNTS : FRONTIER_COUNTS,
                   matcher->plan->expire, matcher);
    matcher->ends = false;
}

static void on_stop(weir_op *op)
{
    wi_matcher *matcher = weir_op_state(op);
    for (unsigned i = matcher->left_begin; i < matcher->left_count; i++)
        weir_batch_drop(matcher->left[i].batch);
    wi_free(matcher->left);
    wi_free(matcher->begun);
    wi_store_fini(&matcher->store);
    wi_queue_fini(&matcher->queue);
    wi_sender_fini(&matcher->sender);
}

const weir_operator wi_event_match = {.name = "match",
                                .state_bytes = sizeof(wi_matcher),
                                .start = on_start,
                                .batch = on_batch,
                                .frontier = work,
                                .run = work,
                                .stop = on_stop};
