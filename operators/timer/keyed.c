/* keyed: an operator of the program's own that has a state for each key, and timers.
 *
 * Rows are kept until their stamp is complete, and then handed over in the order of stamps, with
 * the timers of event time in between (a *drain*). So what a callback sees depends on rows and
 * stamps, not on when a row reached this worker. Operators that are `at_once` do without the
 * keeping; their timers are drained all the same.
 *
 * One capability does for all that may still be sent: it is moved on with the earliest of the
 * kept rows, the timers of event time, and, while timers of the clock are set, the frontier.
 *
 * Invariants
 *   K1  The capability is at or before every kept row and every timer of event time; with timers
 *       of the clock, at or before the input's frontier, or, when that is empty, the last time.
 *   K2  When a row or a timer of time t is handed over, all rows stamped before t, and all timers
 *       for times before t, have been. A timer for a time that had passed when it was asked for is
 *       one of then (`reached`), under its own time.
 *   K3  A key is referred to while a callback is about it: it is not freed under it. */
#include "keyed.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/type.h"
#include "../stream/common.h"

/* Rows and timers handed over before others have a turn. */
#define BUDGET 65536
/* Timers that a key's `event` asks for when there are no more rows. */
#define CHAIN_MAX (1 << 20)

/* Rows of a batch with one stamp. */
typedef struct segment {
    uint64_t stamp, number; /* the order in which they came */
    weir_batch *batch;
    uint32_t begin, end;
} segment;

typedef struct segments {
    segment *at;
    uint32_t first, count, capacity;
    bool heap; /* they are one; otherwise they are sorted */
} segments;

/* Rows whose keys have been found, to be handed over. */
typedef struct block {
    const void *rows[WI_TABLE_BLOCK];
    int64_t diffs[WI_TABLE_BLOCK];
    uint64_t stamps[WI_TABLE_BLOCK];
    wi_key *keys[WI_TABLE_BLOCK];
    uint32_t first, count;
} block;

struct weir_keyed {
    weir_op *op;
    const wi_keyed_call *call;
    wi_keys keys;
    weir_capability *capability;
    weir_timer sweep; /* when states expire by the clock */
    segments kept, ready; /* ready: complete, and sorted */
    block next;           /* the first of the ready ones */
    uint64_t numbers;
    uint64_t upto;    /* all before is complete */
    bool over;        /* everything is */
    uint64_t reached; /* what has been handed over, but for rows that are at once */
    /* the callback in progress */
    wi_key *key;
    uint64_t now;
    bool is_event, forgets;
    weir_out *out;
};

/* ---- callbacks -------------------------------------------------------------------------- */

static void begin_call(weir_keyed *at, wi_key *key, uint64_t now, bool is_row)
{
    bool renews = is_row && at->call->logic->renewal == WEIR_RENEW_BY_ROW;
    uint64_t clock = at->call->logic->clock_ttl_ns ? weir_now(weir_op_worker(at->op)) : 0;
    at->key = key;
    at->now = now;
    at->out = NULL;
    at->forgets = false;
    wi_key_check(&at->keys, key, WI_BY_EVENT, now);
    wi_key_check(&at->keys, key, WI_BY_CLOCK, clock);
    if (renews || !key->listed[WI_BY_EVENT])
        wi_key_renew(&at->keys, key, WI_BY_EVENT, now);
    if (renews || !key->listed[WI_BY_CLOCK])
        wi_key_renew(&at->keys, key, WI_BY_CLOCK, clock);
}

static void end_call(weir_keyed *at)
{
    wi_key_after_call(&at->keys, at->key, at->forgets);
    at->key = NULL;
}

static void call_row(weir_keyed *at, wi_key *key, uint64_t stamp, const void *row, int64_t diff)
{
    if (!at->call->logic->at_once)
        at->reached = stamp;
    begin_call(at, key, stamp, true);
    at->call->logic->row(at, key->state, row, diff);
    end_call(at);
    wi_keys_drop(&at->keys, key);
}

/* The time of a timer, or, if that had passed when it was asked for, what is now. */
static uint64_t time_of(const weir_keyed *at, const weir_timer *timer)
{
    uint64_t holds = weir_capability_time(at->capability)->at[0];
    uint64_t now = holds > at->reached ? holds : at->reached;
    return now > timer->due_ns ? now : timer->due_ns;
}

static void call_event(weir_keyed *at, weir_timer *timer)
{
    wi_key *key = wi_key_of(timer, WI_BY_EVENT);
    uint64_t time = timer->due_ns, now = time_of(at, timer);
    key->references++;
    wi_key_time_remove(&at->keys, key, WI_BY_EVENT, time);
    if (!at->call->logic->at_once)
        at->reached = now;
    begin_call(at, key, now, false);
    at->is_event = true;
    at->call->logic->event(at, key->state, weir_event_time(time));
    at->is_event = false;
    end_call(at);
    wi_keys_drop(&at->keys, key);
}

static void call_clock(weir_keyed *at, wi_key *key, uint64_t ns)
{
    uint64_t now = at->over ? UINT64_MAX : at->upto;
    uint64_t holds = weir_capability_time(at->capability)->at[0]; /* later, if rows come at once */
    key->references++;
    wi_key_time_remove(&at->keys, key, WI_BY_CLOCK, ns);
    begin_call(at, key, now > holds ? now : holds, false);
    at->call->logic->clock(at, key->state, ns);
    end_call(at);
    wi_keys_drop(&at->keys, key);
}

/* ---- the capability --------------------------------------------------------------------- */

/* So that what comes at that time, which the present call allows, can be sent later. */
static void need(weir_keyed *at, const weir_time *time)
{
    if (at->capability && weir_time_le(weir_capability_time(at->capability), time))
        return;
    weir_capability *earlier = weir_retain(at->op, 0, time);
    weir_capability_drop(at->capability);
    at->capability = earlier;
}

static uint32_t clock_timers(const weir_keyed *at)
{
    return at->keys.heaps[WI_BY_CLOCK].count - (at->sweep.place != 0);
}

static bool rows_wait(const weir_keyed *at)
{
    return at->kept.count || at->ready.count || at->next.first < at->next.count;
}

static void settle(weir_keyed *at)
{
    const weir_timer *event = wi_timers_first(&at->keys.heaps[WI_BY_EVENT]);
    bool waits = rows_wait(at);
    uint64_t least = UINT64_MAX;
    if (at->next.first < at->next.count)
        least = at->next.stamps[at->next.first];
    else if (at->ready.count)
        least = at->ready.at[at->ready.first].stamp;
    else if (at->kept.count)
        least = at->upto; /* close enough, and quick: it moves with the frontier */
    if (event && event->due_ns < least)
        least = event->due_ns;
    if (clock_timers(at) && !at->over && at->upto < least)
        least = at->upto;
    if (!waits && !event && !clock_timers(at)) {
        weir_capability_drop(at->capability);
        at->capability = NULL;
    } else if (least > weir_capability_time(at->capability)->at[0]) {
        weir_capability_downgrade(at->capability, &WEIR_EPOCH(least));
    }
    if (at->call->logic->clock_ttl_ns && !at->sweep.place && at->keys.oldest[WI_BY_CLOCK])
        weir_timers_set(&at->keys.heaps[WI_BY_CLOCK], &at->sweep,
                        wi_keys_look_at(&at->keys, WI_BY_CLOCK));
}

/* ---- draining --------------------------------------------------------------------------- */

static void add_segment(segments *to, segment one)
{
    if (to->first + to->count == to->capacity && to->first > to->count) {
        memmove(to->at, to->at + to->first, to->count * sizeof *to->at);
        to->first = 0;
    }
    wi_grow(&to->at, &to->capacity, to->first + to->count + 1, sizeof *to->at);
    to->at[to->first + to->count++] = one;
}

static bool before(const segment *a, const segment *b)
{
    return a->stamp != b->stamp ? a->stamp < b->stamp : a->number < b->number;
}

/* Most come in the order of their stamps: then the kept ones are sorted, and it is enough to add at
 * the end and to take at the beginning. What is sorted is a heap, too, once one comes that is not
 * in order: partitions may be far apart, and much may wait when little is complete. */
static void keep(weir_keyed *at, segment one)
{
    segments *kept = &at->kept;
    if (!kept->count)
        kept->heap = false;
    else if (!kept->heap)
        kept->heap = before(&one, &kept->at[kept->first + kept->count - 1]);
    add_segment(kept, one);
    segment *heap = kept->at + kept->first;
    uint32_t place = kept->count - 1;
    for (; kept->heap && place && before(&one, &heap[(place - 1) / 2]); place = (place - 1) / 2)
        heap[place] = heap[(place - 1) / 2];
    heap[place] = one;
}

/* The first in order. */
static segment take_kept(weir_keyed *at)
{
    segments *kept = &at->kept;
    segment *heap = kept->at + kept->first, first = heap[0];
    kept->count--;
    if (!kept->heap) {
        kept->first++;
        return first;
    }
    segment last = heap[kept->count];
    uint32_t place = 0;
    for (uint32_t child; (child = 2 * place + 1) < kept->count; place = child) {
        child += child + 1 < kept->count && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &last))
            break;
        heap[place] = heap[child];
    }
    heap[place] = last;
    return first;
}

/* Moves what is complete from the kept ones to the ready ones, of which there are none. */
static void make_ready(weir_keyed *at)
{
    segments *kept = &at->kept;
    while (kept->count && (at->over || kept->at[kept->first].stamp < at->upto))
        add_segment(&at->ready, take_kept(at));
    if (!kept->count)
        kept->first = 0;
}

/* Finds the keys of the next rows. The batches stay until the last of their rows is done. */
static void fill_block(weir_keyed *at)
{
    block *next = &at->next;
    uint32_t count = 0;
    for (uint32_t s = at->ready.first; s < at->ready.first + at->ready.count; s++) {
        const segment *from = &at->ready.at[s];
        for (uint32_t r = from->begin; r < from->end && count < WI_TABLE_BLOCK; r++, count++) {
            next->rows[count] = weir_batch_row(from->batch, r);
            next->diffs[count] = weir_batch_diff(from->batch, r);
            next->stamps[count] = from->stamp;
        }
    }
    next->first = 0;
    next->count = count;
    wi_keys_find(&at->keys, next->rows, count, next->keys);
}

static void hand_over_row(weir_keyed *at)
{
    block *next = &at->next;
    uint32_t i = next->first++;
    call_row(at, next->keys[i], next->stamps[i], next->rows[i], next->diffs[i]);
    segment *from = &at->ready.at[at->ready.first];
    if (++from->begin < from->end)
        return;
    weir_batch_drop(from->batch);
    at->ready.first++;
    if (!--at->ready.count)
        at->ready.first = 0;
}

/* The next step in the order of K2. False if there is none. */
static bool step(weir_keyed *at)
{
    if (at->next.first == at->next.count && !at->ready.count)
        make_ready(at);
    if (at->next.first == at->next.count && at->ready.count)
        fill_block(at);
    weir_timer *event = wi_timers_first(&at->keys.heaps[WI_BY_EVENT]);
    bool row = at->next.first < at->next.count;
    bool due = event && (at->over || event->due_ns < at->upto);
    if (row && (!due || at->next.stamps[at->next.first] <= time_of(at, event)))
        hand_over_row(at);
    else if (due)
        call_event(at, event);
    else
        return false;
    return true;
}

static void drain(weir_keyed *at)
{
    const weir_worker *worker = weir_op_worker(at->op);
    for (uint32_t done = 0; !weir_stopping(worker); done++) {
        if (done == BUDGET) {
            weir_activate(at->op);
            return;
        }
        if (step(at))
            continue;
        const weir_antichain *frontier = weir_op_frontier(at->op, 0);
        bool over = !frontier->count;
        if (over == at->over && (over || frontier->times[0].at[0] == at->upto))
            break;
        at->over = over;
        at->upto = over ? UINT64_MAX : frontier->times[0].at[0];
        at->keys.complete = at->upto;
    }
    if (at->call->logic->event_ttl)
        wi_keys_expire(&at->keys, WI_BY_EVENT, at->upto);
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    weir_keyed *at = weir_op_state(op);
    at->op = op;
    at->call = weir_op_arg(op);
    wi_keys_init(&at->keys, at->call, op);
}

static void hand_over(weir_keyed *at, const weir_batch *batch)
{
    for (uint32_t begin = 0, count; begin < batch->count; begin += count) {
        const void *rows[WI_TABLE_BLOCK];
        wi_key *keys[WI_TABLE_BLOCK];
        count = batch->count - begin < WI_TABLE_BLOCK ? batch->count - begin : WI_TABLE_BLOCK;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = weir_batch_row(batch, begin + i);
        wi_keys_find(&at->keys, rows, count, keys);
        for (uint32_t i = 0; i < count; i++)
            call_row(at, keys[i], weir_batch_time(batch, begin + i)->at[0], rows[i],
                     weir_batch_diff(batch, begin + i));
    }
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_keyed *at = weir_op_state(op);
    need(at, &batch->time);
    if (at->call->logic->at_once) {
        hand_over(at, batch);
        settle(at);
        return;
    }
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        keep(at, (segment){weir_batch_time(batch, begin)->at[0], at->numbers++,
                           weir_batch_retain(batch), begin, end});
    }
}

static void on_frontier(weir_op *op)
{
    weir_keyed *at = weir_op_state(op);
    drain(at);
    settle(at);
}

static void on_run(weir_op *op)
{
    weir_keyed *at = weir_op_state(op);
    drain(at);
    weir_timers *clock = &at->keys.heaps[WI_BY_CLOCK];
    weir_timer *timer;
    for (uint32_t done = 0; done < BUDGET && (timer = weir_timers_due(clock)); done++) {
        if (timer == &at->sweep)
            wi_keys_expire(&at->keys, WI_BY_CLOCK, weir_now(weir_op_worker(op)));
        else
            call_clock(at, wi_key_of(timer, WI_BY_CLOCK), timer->due_ns);
        if (done + 1 == BUDGET)
            weir_activate(op);
    }
    drain(at);
    settle(at);
}

static void drop_segments(segments *all)
{
    for (uint32_t i = all->first; i < all->first + all->count; i++)
        weir_batch_drop(all->at[i].batch);
    wi_free(all->at);
}

static void on_stop(weir_op *op)
{
    weir_keyed *at = weir_op_state(op);
    wi_keys_fini(&at->keys);
    drop_segments(&at->kept);
    drop_segments(&at->ready);
}

static const weir_operator keyed = {.name = "keyed",
                                    .state_bytes = sizeof(weir_keyed),
                                    .start = on_start,
                                    .batch = on_batch,
                                    .frontier = on_frontier,
                                    .run = on_run,
                                    .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static void find_own_fields(wi_keyed_call *call, weir_scope *scope)
{
    const weir_keyed_logic *logic = call->logic;
    const weir_field *fields = weir_type_fields(logic->state);
    uint32_t keys = call->by.in.count, bytes = 0;
    call->own_at = keys < logic->state->field_count ? fields[keys].offset
                                                    : (uint32_t)logic->state->size;
    call->own_bytes = (uint32_t)logic->state->size - call->own_at;
    for (uint32_t f = keys; f < logic->state->field_count; f++) {
        bytes += fields[f].bytes;
        if (wi_kind_is_text(fields[f].kind))
            weir_scope_fail(scope,
                            "keyed `%s`: field `%s` of its state is a text, which would be gone "
                            "with the row that it is from; keep its bytes, or a copy that a "
                            "pointer leads to (release)",
                            logic->name, fields[f].name);
    }
    call->padded = bytes < call->own_bytes;
}

weir_stream weir_keyed_by(weir_stream in, weir_key key, const weir_keyed_logic *logic, void *arg)
{
    wi_keyed_call *call = WI_NEW(wi_keyed_call);
    *call = (wi_keyed_call){.logic = logic, .arg = arg};
    if (wi_takes(in, keyed.name, logic->name, logic->in) &&
        wi_takes(in, keyed.name, logic->name, key.type) &&
        wi_grouping_init(&call->by, in.scope, keyed.name, logic->name, &key, logic->state))
        find_own_fields(call, in.scope);
    if (!logic->row)
        weir_scope_fail(in.scope, "keyed `%s`: it has no `row` callback", logic->name);
    if (logic->event_ttl < 0)
        weir_scope_fail(in.scope, "keyed `%s`: its event_ttl is negative", logic->name);
    if (weir_scope_dims(in.scope) != 1)
        weir_scope_fail(in.scope, "keyed `%s`: is for dataflows of one dimension, and not in loops",
                        logic->name);
    weir_builder *builder =
        wi_begin(in, WEIR_EXCHANGE(key), &keyed, call, keyed.name, logic->name);
    weir_stream out = weir_builder_output(builder, logic->out);
    weir_operator_end(builder);
    return out;
}

/* ---- for callbacks ---------------------------------------------------------------------- */

void *weir_keyed_arg(const weir_keyed *at)
{
    return at->call->arg;
}

weir_op *weir_keyed_op(const weir_keyed *at)
{
    return at->op;
}

int64_t weir_keyed_now(const weir_keyed *at)
{
    return weir_event_time(at->now);
}

/* Opened where the capability is, so that rows of many times go out together. */
weir_out *weir_keyed_out(weir_keyed *at)
{
    if (!at->out) {
        at->out = weir_send_at(at->op, 0, weir_capability_time(at->capability));
        weir_out_time(at->out, &WEIR_EPOCH(at->now));
    }
    return at->out;
}

static void ask(weir_keyed *at, int kind, bool can, const char *what, uint64_t time)
{
    if (can)
        wi_key_time_add(&at->keys, at->key, kind, time);
    else
        weir_op_stop(at->op, "asks for a timer, but has no `%s` callback", what);
}

void weir_keyed_event_at(weir_keyed *at, int64_t time)
{
    uint64_t epoch = weir_event_epoch(time);
    if (at->is_event && at->now == UINT64_MAX)
        return; /* there is no later one */
    if (at->is_event && epoch <= at->now)
        epoch = at->now + 1;
    else if (at->call->logic->at_once && epoch < at->now)
        epoch = at->now; /* others' rows may be far behind: it must not depend on that */
    ask(at, WI_BY_EVENT, at->call->logic->event != NULL, "event", epoch);
    if (at->is_event && at->over && !rows_wait(at) && ++at->key->more->chained == CHAIN_MAX)
        weir_op_stop(at->op,
                     "no more rows can come, and `event` has asked for %d more timers of one key, "
                     "the last for %lld, which may have no end: ask for another only when there is "
                     "something left to do, or a row has come since",
                     CHAIN_MAX, (long long)weir_event_time(epoch));
}

void weir_keyed_event_cancel(weir_keyed *at, int64_t time)
{
    wi_key_time_remove(&at->keys, at->key, WI_BY_EVENT, weir_event_epoch(time));
}

void weir_keyed_clock_at(weir_keyed *at, uint64_t ns)
{
    ask(at, WI_BY_CLOCK, at->call->logic->clock != NULL, "clock", ns);
}

void weir_keyed_clock_cancel(weir_keyed *at, uint64_t ns)
{
    wi_key_time_remove(&at->keys, at->key, WI_BY_CLOCK, ns);
}

void weir_keyed_renew(weir_keyed *at)
{
    uint64_t clock = at->call->logic->clock_ttl_ns ? weir_now(weir_op_worker(at->op)) : 0;
    wi_key_renew(&at->keys, at->key, WI_BY_EVENT, at->now);
    wi_key_renew(&at->keys, at->key, WI_BY_CLOCK, clock);
}

void weir_keyed_forget(weir_keyed *at)
{
    at->forgets = true;
}
