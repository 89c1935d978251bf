/* watermarks: stamps rows with the watermark that their partition had reached before them.
 *
 * It is a source, beside having an input: what it sends is at times of its own, for which it
 * holds a capability at the least watermark of its active partitions. The times of its input mean
 * nothing to it, but that once there are no more, the capability goes, too. Rows are not
 * copied: what is sent is a view of the batch with other times.
 *
 * Partition p is at worker p modulo their number. A worker without one gives its capability up
 * at the start. One with an idle partition keeps it at the least watermark of all workers' active
 * partitions, of which it hears (talk.h): a partition that is active again begins there. So the
 * frontier is the least of the capabilities, whoever is idle, and what a worker hears too late
 * holds it back for that long, but is never wrong. And before a partition is taken for idle, all
 * workers have to have answered: one that cannot run, since what is behind it has no room, may be
 * what holds the source back, of other partitions, too.
 *
 * Invariants
 *   W1  The capability is at or before the watermark of every active partition: rows may be sent
 *       at their stamps.
 *   W2  A partition's watermark never moves back, and no stamp is before the capability. */
#include "align.h"
#include "idle.h"
#include "marks.h"
#include "talk.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/batch.h"
#include "../stream/common.h"

#define NEVER UINT64_MAX /* heard_ns of a partition that is idle */

enum { ROWS, WORDS }; /* inputs, outputs */
enum { ROWS_A_RUN = 128 }; /* of equal stamps, on average, or more: batches of one time are sent */

typedef struct partition {
    int64_t reached;
    uint64_t heard_ns; /* when a row came, by the idle clock */
} partition;

typedef struct watermarks_state {
    weir_capability *capability; /* NULL: no partition is here, or no more rows can come */
    partition *partitions;       /* here or not */
    int64_t least;               /* of those that are here and active, when last counted */
    int64_t greatest;            /* of those that are here */
    bool recount;                /* `least` may not be right */
    bool active, idle;           /* some partition here is */
    int64_t *stamps;             /* of the batch that is here */
    unsigned stamps_capacity;
    bool asks;                   /* all workers whether they can run: then there is a tick */
    wi_idle_clock clock;
    wi_talk talk;
} watermarks_state;

static int64_t holds(const watermarks_state *state)
{
    return weir_event_time(weir_capability_time(state->capability)->at[0]);
}

/* ---- how far partitions are ------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const wi_marks *marks = weir_op_arg(op);
    watermarks_state *state = weir_op_state(op);
    const weir_worker *worker = weir_op_worker(op);
    state->partitions = WI_NEWS(partition, marks->partitions);
    state->least = state->greatest = INT64_MIN;
    state->active = weir_worker_index(worker) < marks->partitions;
    if (state->active)
        state->capability = weir_op_first_capability(op, ROWS);
    wi_idle_init(&state->clock, marks->idle_ns);
    uint64_t now = wi_idle_now(&state->clock, op);
    for (uint32_t p = 0; p < marks->partitions; p++)
        state->partitions[p] = (partition){INT64_MIN, now};
    if (marks->idle_ns)
        wi_talk_start(&state->talk, op, WORDS, WORDS, marks->partitions);
    if (state->active)
        wi_idle_arm(&state->clock, op);
}

/* Counts again, and, with a time, makes those idle that have not been heard of since. */
static void count_partitions(weir_op *op, uint64_t since_ns)
{
    const wi_marks *marks = weir_op_arg(op);
    watermarks_state *state = weir_op_state(op);
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    state->least = INT64_MAX;
    state->active = state->idle = false;
    for (uint32_t p = weir_worker_index(weir_op_worker(op)); p < marks->partitions; p += workers) {
        partition *at = &state->partitions[p];
        if (at->heard_ns < since_ns)
            at->heard_ns = NEVER;
        if (at->heard_ns == NEVER) {
            state->idle = true;
            continue;
        }
        state->active = true;
        if (at->reached < state->least)
            state->least = at->reached;
    }
    state->recount = false;
}

/* How far the capability may go: to the least of what is active, here or, if something here is
 * idle, anywhere; if nothing is, to the greatest there is. */
static int64_t may_hold(weir_op *op)
{
    const watermarks_state *state = weir_op_state(op);
    int64_t others;
    if (!state->idle)
        return state->least;
    if (wi_talk_least(&state->talk, op, &others))
        return others < state->least ? others : state->least;
    others = wi_talk_greatest(&state->talk, op);
    return state->active ? state->least : others > state->greatest ? others : state->greatest;
}

/* A tick: who has not been heard of is idle. Called again soon, to settle that. */
static void judge(weir_op *op)
{
    watermarks_state *state = weir_op_state(op);
    if (wi_idle_tick(&state->clock, op)) {
        uint64_t now = wi_idle_now(&state->clock, op), idle_ns = state->clock.idle_ns;
        count_partitions(op, now > idle_ns ? now - idle_ns + 1 : 0);
        weir_activate(op);
    }
    if (state->active)
        wi_idle_arm(&state->clock, op);
}

/* After all that may have changed something. */
static void settle(weir_op *op)
{
    const wi_marks *marks = weir_op_arg(op);
    watermarks_state *state = weir_op_state(op);
    if (!state->capability)
        return;
    if (state->recount)
        count_partitions(op, 0);
    int64_t to = may_hold(op);
    if (to > holds(state))
        weir_capability_downgrade(state->capability, &WEIR_EPOCH(weir_event_epoch(to)));
    if (!marks->idle_ns)
        return;
    wi_word word = {.least = state->least,
                    .greatest = state->greatest,
                    .active = state->active,
                    .wants = state->idle};
    wi_talk_go(&state->talk, op, &word);
    if (!state->asks || !wi_talk_answered(&state->talk))
        return;
    state->asks = false;
    judge(op);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* A row of an idle partition has come: it is where the capability is. */
static void wake(watermarks_state *state, partition *at)
{
    int64_t from = holds(state);
    if (at->reached < from)
        at->reached = from;
    state->recount = true;
}

/* Fills in the stamps of rows [begin, begin + count), and moves their watermarks on. */
static void stamp(const wi_marks *marks, watermarks_state *state, const weir_batch *batch,
                  uint32_t begin, uint32_t count, uint64_t now_ns, int64_t *stamps_out)
{
    uint64_t partitions[WI_MARKS_BLOCK];
    int64_t greatest = state->greatest;
    wi_marks_partitions(marks, weir_batch_row(batch, begin), count, partitions);
    for (uint32_t i = 0; i < count; i++) {
        partition *at = &state->partitions[partitions[i]];
        int64_t brings = wi_marks_brought(marks, weir_batch_row(batch, begin + i));
        if (WEIR_UNLIKELY(at->heard_ns == NEVER))
            wake(state, at);
        at->heard_ns = now_ns;
        stamps_out[i] = at->reached;
        if (brings <= at->reached)
            continue;
        state->recount |= at->reached == state->least;
        at->reached = brings;
        greatest = brings > greatest ? brings : greatest;
    }
    state->greatest = greatest;
}

/* The stamps of a batch, in `state`. Returns how many runs of equal ones there are. */
static uint32_t stamp_all(const wi_marks *marks, watermarks_state *state, const weir_batch *batch,
                          uint64_t now_ns)
{
    uint32_t runs = 1;
    wi_grow(&state->stamps, &state->stamps_capacity, batch->count, sizeof *state->stamps);
    for (uint32_t begin = 0, count; begin < batch->count; begin += count) {
        count = batch->count - begin < WI_MARKS_BLOCK ? batch->count - begin : WI_MARKS_BLOCK;
        stamp(marks, state, batch, begin, count, now_ns, state->stamps + begin);
    }
    for (uint32_t i = 1; i < batch->count; i++)
        runs += state->stamps[i] != state->stamps[i - 1];
    return runs;
}

/* Each run of equal stamps is a batch with one time. */
static void send_runs(weir_op *op, const weir_batch *batch)
{
    const int64_t *stamps = ((watermarks_state *)weir_op_state(op))->stamps;
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        for (end = begin + 1; end < batch->count && stamps[end] == stamps[begin];)
            end++;
        weir_batch *run = wi_batch_slice(batch, begin, end - begin);
        run->time = WEIR_EPOCH(weir_event_epoch(stamps[begin]));
        weir_send_batch(op, ROWS, run);
    }
}

static void send_with_column(weir_op *op, const weir_batch *batch)
{
    const int64_t *stamps = ((watermarks_state *)weir_op_state(op))->stamps;
    weir_batch *view = wi_batch_slice(batch, 0, batch->count);
    int64_t least = stamps[0];
    for (uint32_t i = 1; i < batch->count; i++)
        least = stamps[i] < least ? stamps[i] : least;
    view->time = WEIR_EPOCH(weir_event_epoch(least));
    weir_batch_add_times(view);
    for (uint32_t i = 0; i < batch->count; i++)
        view->times[i] = WEIR_EPOCH(weir_event_epoch(stamps[i]));
    weir_send_batch(op, ROWS, view);
}

/* A column of times is more than rows usually are, so it is left out where runs are long. */
static void send_stamped(weir_op *op, const weir_batch *batch, uint64_t now_ns)
{
    uint32_t runs = stamp_all(weir_op_arg(op), weir_op_state(op), batch, now_ns);
    if (runs == 1 || runs <= batch->count / ROWS_A_RUN)
        send_runs(op, batch);
    else
        send_with_column(op, batch);
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    const wi_marks *marks = weir_op_arg(op);
    watermarks_state *state = weir_op_state(op);
    if (input == WORDS) {
        wi_talk_hear(&state->talk, batch);
    } else {
        uint64_t now_ns = marks->idle_ns ? wi_idle_now(&state->clock, op) : 0;
        send_stamped(op, batch, now_ns);
        wi_idle_arm(&state->clock, op);
    }
    settle(op);
}

static void on_run(weir_op *op)
{
    watermarks_state *state = weir_op_state(op);
    if (!state->capability)
        return;
    if (wi_idle_due(&state->clock, op) && !state->asks) {
        wi_talk_ask(&state->talk);
        state->asks = true;
    }
    settle(op);
}

static void on_frontier(weir_op *op)
{
    watermarks_state *state = weir_op_state(op);
    if (weir_op_frontier(op, ROWS)->count) {
        settle(op);
        return;
    }
    weir_capability_drop(state->capability);
    state->capability = NULL;
    wi_talk_end(&state->talk);
}

static void on_stop(weir_op *op)
{
    watermarks_state *state = weir_op_state(op);
    wi_free(state->partitions);
    wi_free(state->stamps);
    wi_talk_fini(&state->talk);
}

static const weir_operator watermarks = {.name = "watermarks",
                                         .state_bytes = sizeof(watermarks_state),
                                         .source = true,
                                         .start = on_start,
                                         .batch = on_batch,
                                         .frontier = on_frontier,
                                         .run = on_run,
                                         .stop = on_stop};

weir_stream weir_watermarks(weir_stream in, const weir_watermark_policy *policy)
{
    wi_marks *marks = WI_NEW(wi_marks);
    wi_marks_init(marks, in, policy, watermarks.name);
    if (policy->drift > 0)
        in = wi_align(in, policy);
    weir_route route = policy->partition ? WEIR_ROUTED(&marks->route, marks) : WEIR_GATHER(0);
    weir_stream way = policy->idle_ns ? wi_talk_way(in.scope) : in;
    weir_builder *builder = wi_begin(in, route, &watermarks, marks, watermarks.name, NULL);
    weir_stream out = weir_builder_output(builder, in.type);
    if (policy->idle_ns)
        wi_talk_connect(builder, way);
    else
        weir_builder_unrelated(builder, ROWS, ROWS);
    weir_operator_end(builder);
    return out;
}
