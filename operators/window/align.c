/* align: rows of a partition wait while its watermark is ahead of the slowest one's by more than
 * `drift`.
 *
 * It is where rows come from, before they go to the worker that stamps them, so that what it holds
 * back is their source. Rows that are ahead wait here, by partition; when they are many, the input
 * is paused, and the source with it. Workers hear how far the others' partitions are (talk.h).
 *
 * Nothing is late or lost by this, or stamped differently: which rows wait decides only when they
 * are sent. So where holding on might hold up the slowest partition itself, it lets go:
 *
 *   - if the slowest is on this worker, its rows may be behind those that wait, in the same queue.
 *     The input is not paused; when too many wait, the oldest pass;
 *   - if it is elsewhere, it may still be waiting for the same source. A partition of which nothing
 *     has come for a while is not waited for; until it comes, the next one is the slowest.
 *
 * A worker counts as having a partition at the very beginning until it has seen a row, or for a
 * moment: otherwise whose source opens first would run away. Many never see one. */
#include "align.h"

#include "idle.h"
#include "talk.h"

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../stream/common.h"

#define PATIENCE_NS_MAX 1000000000
#define FRESH_NS 100000000 /* for the first row of other workers */
#define WAITING_BYTES_MAX (1 << 20) /* before the input is paused, or rows are let go */

enum { ROWS, WORDS }; /* inputs, outputs */

/* A batch of which rows wait. */
typedef struct lot {
    weir_batch *batch;
    uint32_t parts; /* that are left */
    uint64_t bytes;
} lot;

/* Rows of a partition that follow each other in a batch. */
typedef struct part {
    struct part *next;          /* of its lane */
    struct part *older, *newer; /* of all */
    lot *of;
    struct lane *in;
    uint32_t begin, end;
} part;

typedef struct lane {
    int64_t reached;   /* by what has passed */
    uint64_t heard_ns; /* when a row came, by the idle clock; 0: none has, or not lately */
    part *first, *last; /* what waits */
    bool waits;         /* there is something, or will be when the present batch is done */
} lane;

typedef struct align_state {
    weir_capability *capability; /* NULL: no more rows can come */
    lane *lanes;
    int64_t least;     /* of active lanes here, when last counted */
    uint32_t at_least; /* lanes that are there: when none is left, it is counted again */
    bool active;       /* some are, or nothing is known yet */
    bool recount, fresh, paused;
    uint64_t fresh_until_ns;
    part *oldest, *newest; /* of what waits, in the order in which it came */
    uint64_t waiting_bytes;
    uint64_t *partitions; /* of the rows of a batch, and whether they wait */
    bool *waits;
    uint32_t partition_capacity, wait_capacity;
    wi_idle_clock clock;
    wi_talk talk;
} align_state;

/* ---- who is the slowest ----------------------------------------------------------------- */

static void count_lanes(weir_op *op, uint64_t since_ns)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    state->least = INT64_MAX;
    state->active = false;
    for (uint32_t p = 0; p < marks->partitions; p++) {
        lane *at = &state->lanes[p];
        if (at->heard_ns < since_ns)
            at->heard_ns = 0;
        if (!at->heard_ns && !at->first)
            continue;
        state->active = true;
        if (at->reached < state->least) {
            state->least = at->reached;
            state->at_least = 0;
        }
        state->at_least += at->reached == state->least;
    }
    if (state->fresh) {
        state->active = true;
        state->least = INT64_MIN;
    }
    state->recount = false;
}

/* Up to which watermark partitions may send. */
static int64_t limit(weir_op *op)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    if (state->recount)
        count_lanes(op, 0);
    int64_t others;
    bool elsewhere = wi_talk_least(&state->talk, op, &others);
    if (!elsewhere && !state->active)
        return INT64_MAX;
    return wi_add_saturating(others < state->least ? others : state->least, marks->drift);
}

static bool slowest_is_here(const weir_op *op)
{
    const align_state *state = weir_op_state(op);
    int64_t others;
    return !wi_talk_least(&state->talk, op, &others) || (state->active && state->least <= others);
}

/* ---- rows that wait --------------------------------------------------------------------- */

static void pass_row(const wi_marks *marks, align_state *state, lane *at, const void *row)
{
    int64_t brings = wi_marks_brought(marks, row);
    if (brings <= at->reached)
        return;
    if (at->reached < state->least || (at->reached == state->least && --state->at_least == 0))
        state->recount = true;
    at->reached = brings;
}

static void add_part(align_state *state, lane *at, lot *of, uint32_t row)
{
    if (at->last && at->last->of == of && at->last->end == row) {
        at->last->end++;
        return;
    }
    part *one = WI_NEW(part);
    *one = (part){.of = of, .in = at, .begin = row, .end = row + 1, .older = state->newest};
    if (at->last)
        at->last->next = one;
    else
        at->first = one;
    at->last = one;
    if (one->older)
        one->older->newer = one;
    else
        state->oldest = one;
    state->newest = one;
    of->parts++;
    of->bytes += sizeof *one;
    state->waiting_bytes += sizeof *one;
}

static void drop_part(align_state *state, lane *at)
{
    part *one = at->first;
    lot *of = one->of;
    at->first = one->next;
    if (!at->first)
        at->last = NULL;
    at->waits = at->first != NULL;
    if (one->newer)
        one->newer->older = one->older;
    else
        state->newest = one->older;
    if (one->older)
        one->older->newer = one->newer;
    else
        state->oldest = one->newer;
    wi_free(one);
    if (--of->parts)
        return;
    state->waiting_bytes -= of->bytes;
    weir_batch_drop(of->batch);
    wi_free(of);
}

/* Sends rows of the first part that waits, up to the watermark. Whether all of it has passed. */
static bool send_part(weir_op *op, lane *at, int64_t most)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    part *one = at->first;
    uint32_t begin = one->begin;
    const weir_batch *batch = one->of->batch;
    while (one->begin < one->end && at->reached <= most)
        pass_row(marks, state, at, weir_batch_row(batch, one->begin++));
    if (one->begin > begin)
        weir_out_copy(weir_send_at(op, ROWS, weir_capability_time(state->capability)), batch, begin,
                      one->begin);
    if (one->begin < one->end)
        return false;
    drop_part(state, at);
    return true;
}

/* Sends all that may be sent by now. */
static void send_waiting(weir_op *op, int64_t most)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    for (uint32_t p = 0; state->waiting_bytes && p < marks->partitions; p++) {
        lane *at = &state->lanes[p];
        while (at->first && send_part(op, at, most)) {
        }
    }
}

/* ---- rows that come --------------------------------------------------------------------- */

static void find_partitions(const wi_marks *marks, align_state *state, const weir_batch *batch)
{
    wi_grow(&state->partitions, &state->partition_capacity, batch->count,
            sizeof *state->partitions);
    wi_grow(&state->waits, &state->wait_capacity, batch->count, sizeof *state->waits);
    for (uint32_t begin = 0, count; begin < batch->count; begin += count) {
        count = batch->count - begin < WI_MARKS_BLOCK ? batch->count - begin : WI_MARKS_BLOCK;
        wi_marks_partitions(marks, weir_batch_row(batch, begin), count, state->partitions + begin);
    }
}

/* Which rows have to wait, and whether any has. Those that pass move their lanes on. */
static bool sort_out(weir_op *op, const weir_batch *batch)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    uint64_t now_ns = wi_idle_now(&state->clock, op) + 1;
    int64_t most = limit(op);
    bool any = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        lane *at = &state->lanes[state->partitions[i]];
        state->recount |= !at->heard_ns;
        at->heard_ns = now_ns;
        if (WEIR_UNLIKELY(at->reached > most && state->recount))
            most = limit(op);
        at->waits |= at->reached > most;
        state->waits[i] = at->waits;
        any |= at->waits;
        if (!at->waits)
            pass_row(marks, state, at, weir_batch_row(batch, i));
    }
    return any;
}

/* Rows that pass are sent, the others are put into their lanes. */
static void split(weir_op *op, const weir_batch *batch)
{
    align_state *state = weir_op_state(op);
    lot *of = WI_NEW(lot);
    of->batch = weir_batch_retain(batch);
    of->bytes = sizeof *of + wi_batch_bytes(batch);
    state->waiting_bytes += of->bytes;
    for (uint32_t i = 0, end; i < batch->count; i = end) {
        for (end = i + 1; end < batch->count && state->waits[end] == state->waits[i];)
            end++;
        if (!state->waits[i])
            weir_out_copy(weir_send_at(op, ROWS, weir_capability_time(state->capability)), batch, i,
                          end);
        for (uint32_t r = i; state->waits[i] && r < end; r++)
            add_part(state, &state->lanes[state->partitions[r]], of, r);
    }
}

static void take_rows(weir_op *op, const weir_batch *batch)
{
    find_partitions(weir_op_arg(op), weir_op_state(op), batch);
    if (sort_out(op, batch))
        split(op, batch);
    else
        weir_forward(op, ROWS, batch);
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    uint64_t patience = marks->idle_ns / 2;
    if (!patience || patience > PATIENCE_NS_MAX)
        patience = PATIENCE_NS_MAX;
    state->capability = weir_op_first_capability(op, ROWS);
    state->lanes = WI_NEWS(lane, marks->partitions);
    for (uint32_t p = 0; p < marks->partitions; p++)
        state->lanes[p].reached = INT64_MIN;
    state->fresh = state->recount = true;
    wi_talk_start(&state->talk, op, WORDS, WORDS, weir_worker_count(weir_op_worker(op)));
    wi_idle_init(&state->clock, patience);
    wi_idle_arm(&state->clock, op);
    uint64_t fresh_ns = patience < FRESH_NS ? patience : FRESH_NS;
    state->fresh_until_ns = weir_now(weir_op_worker(op)) + fresh_ns;
    weir_activate_after(op, fresh_ns);
}

/* After all that may have changed something. */
static void settle(weir_op *op)
{
    align_state *state = weir_op_state(op);
    if (!state->capability)
        return;
    for (int64_t sent = INT64_MIN, now; (now = limit(op)) != sent && state->waiting_bytes;) {
        sent = now;
        send_waiting(op, now);
    }
    while (state->waiting_bytes > WAITING_BYTES_MAX && slowest_is_here(op)) {
        send_part(op, state->oldest->in, INT64_MAX); /* of its lane it is the first */
        if (state->recount)
            send_waiting(op, limit(op));
    }
    uint64_t most = state->paused ? WAITING_BYTES_MAX / 2 : WAITING_BYTES_MAX;
    bool paused = state->waiting_bytes > most && !slowest_is_here(op);
    if (paused != state->paused)
        weir_op_pause(op, ROWS, paused);
    state->paused = paused;
    wi_word word = {.least = state->least,
                    .greatest = INT64_MIN,
                    .active = state->active,
                    .wants = state->waiting_bytes != 0};
    wi_talk_go(&state->talk, op, &word);
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    align_state *state = weir_op_state(op);
    if (input == WORDS) {
        wi_talk_hear(&state->talk, batch);
    } else {
        state->recount |= state->fresh;
        state->fresh = false;
        take_rows(op, batch);
        wi_idle_arm(&state->clock, op);
    }
    settle(op);
}

static void on_run(weir_op *op)
{
    align_state *state = weir_op_state(op);
    if (!state->capability)
        return;
    if (state->fresh && weir_now(weir_op_worker(op)) >= state->fresh_until_ns) {
        state->fresh = false;
        state->recount = true;
    }
    if (wi_idle_tick(&state->clock, op)) {
        uint64_t now = wi_idle_now(&state->clock, op), patience = state->clock.idle_ns;
        count_lanes(op, now > patience ? now - patience + 1 : 0);
    }
    if (state->active)
        wi_idle_arm(&state->clock, op);
    settle(op);
}

static void on_frontier(weir_op *op)
{
    align_state *state = weir_op_state(op);
    if (weir_op_frontier(op, ROWS)->count) {
        settle(op);
        return;
    }
    if (state->capability)
        send_waiting(op, INT64_MAX);
    weir_capability_drop(state->capability);
    state->capability = NULL;
    wi_talk_end(&state->talk);
}

static void on_stop(weir_op *op)
{
    const wi_marks *marks = weir_op_arg(op);
    align_state *state = weir_op_state(op);
    for (uint32_t p = 0; p < marks->partitions; p++)
        while (state->lanes[p].first)
            drop_part(state, &state->lanes[p]);
    wi_free(state->lanes);
    wi_free(state->partitions);
    wi_free(state->waits);
    wi_talk_fini(&state->talk);
}

static const weir_operator align = {.name = "align",
                                    .state_bytes = sizeof(align_state),
                                    .source = true,
                                    .start = on_start,
                                    .batch = on_batch,
                                    .frontier = on_frontier,
                                    .run = on_run,
                                    .stop = on_stop};

weir_stream wi_align(weir_stream in, const weir_watermark_policy *policy)
{
    wi_marks *marks = WI_NEW(wi_marks);
    wi_marks_init(marks, in, policy, align.name);
    weir_stream way = wi_talk_way(in.scope);
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &align, marks, align.name, NULL);
    weir_stream out = weir_builder_output(builder, in.type);
    wi_talk_connect(builder, way);
    weir_operator_end(builder);
    return out;
}
