/* half_join: changes of one collection against what an arrangement holds at their times. It
 * keeps nothing but changes that wait: until the arrangement is complete at their times.
 *
 * A change has two times. Its initial one, where it entered the first half-join of a chain, is
 * what the arrangement's times are compared with, in lexicographic order; its row's own time
 * grows with each change that it is joined with (in partial orders: in a total one they are
 * the same). A half-join sends its rows in batches at the initial time, with the rows' own
 * times as a column. So progress holds the initial time, which it must: from there on the
 * next half-join's arrangement is not compacted. (The half_join of dogsdogsdogs, in
 * differential dataflow, keeps the two times in the same places.)
 *
 * Invariants
 *   H1  the hold is one below, in each coordinate, every initial time that may still come or
 *       waits. An arrangement's time that is advanced to it keeps, in each coordinate, its
 *       order to all of these: so all comparisons stay as they are, strict ones included
 *   H2  a change is joined when no time that it is to see can come any more: those are
 *       lexicographically at or after the first element of the arrangement's frontier */
#include "join.h"

#include "../../base/alloc.h"
#include "../../runtime/runtime.h"
#include "../stream/common.h"
#include "retime.h"

#define BLOCK WI_FIND_BLOCK /* rows */

typedef struct half_plan {
    wi_trace **trace;
    const wi_layout *with;
    weir_key key;
    weir_half half;
    bool chained; /* batches' times are the initial ones; otherwise rows' own are */
    const weir_join_kernel *kernel;
    void *arg;
} half_plan;

typedef struct part {
    weir_batch *batch;
    uint32_t begin, end;
} part;

/* Changes of one initial time that wait. */
typedef struct waiting {
    weir_time time;
    weir_capability *capability;
    part *parts;
    uint32_t count, capacity;
} waiting;

/* Changes being joined. They have left the queue: earlier ones may still come. */
typedef struct progress {
    waiting *of;   /* NULL: none are */
    wi_run **runs; /* what the arrangement held when it began */
    uint32_t run_count;
    uint32_t part, block; /* rows of the part that are done */
    uint32_t run, row;    /* in the block */
    uint32_t at;          /* in the run; UINT32_MAX: to be found */
} progress;

typedef struct halving {
    wi_trace *trace;
    wi_reader *reader;
    wi_layout *keys; /* of the changes: key words only */
    waiting **queue; /* sorted lexicographically; from `head` on */
    uint32_t head, count, capacity;
    progress now;
    int64_t fuel;
    wi_joiner joiner;
    uint64_t *words; /* the keys of the block */
    const uint64_t *key_of[BLOCK];
    wi_heap heap;
    wi_range found[BLOCK];
    weir_antichain hold;
} halving;

static void on_start(weir_op *op)
{
    const half_plan *plan = weir_op_arg(op);
    halving *state = weir_op_state(op);
    wi_layout *rows = wi_layout_new(plan->kernel->a, &plan->key, NULL);
    state->trace = wi_trace_retain(*plan->trace);
    state->reader = wi_reader_new(state->trace, NULL);
    state->keys = wi_layout_of_key(rows);
    state->words = wi_alloc(BLOCK * (state->keys->words + 1u) * sizeof(uint64_t));
    for (uint32_t r = 0; r < BLOCK; r++)
        state->key_of[r] = state->words + (size_t)r * state->keys->words;
    wi_joiner_init(&state->joiner, op, plan->kernel, plan->arg, rows, plan->with);
    wi_free(state->joiner.rows[0]);
    state->joiner.rows[0] = wi_alloc((size_t)WI_PAIRS * plan->kernel->a->size + 1);
    weir_antichain_init(&state->hold);
    state->fuel = wi_join_fuel;
    wi_layout_drop(rows);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static waiting *waiting_at(weir_op *op, halving *state, const weir_time *time)
{
    uint32_t at = state->count;
    while (at > state->head && weir_time_compare(&state->queue[at - 1]->time, time) >= 0)
        at--;
    if (at < state->count && weir_time_eq(&state->queue[at]->time, time))
        return state->queue[at];
    if (state->head && state->count == state->capacity) {
        state->count -= state->head;
        at -= state->head;
        memmove(state->queue, state->queue + state->head, state->count * sizeof(waiting *));
        state->head = 0;
    }
    wi_grow(&state->queue, &state->capacity, state->count + 1, sizeof(waiting *));
    memmove(state->queue + at + 1, state->queue + at, (state->count - at) * sizeof(waiting *));
    state->count++;
    waiting *new = WI_NEW(waiting);
    new->time = *time;
    new->capability = weir_retain(op, 0, time);
    return state->queue[at] = new;
}

static void wait_for(weir_op *op, halving *state, const weir_batch *batch, uint32_t begin,
                     uint32_t end, const weir_time *time)
{
    waiting *at = waiting_at(op, state, time);
    wi_grow(&at->parts, &at->capacity, at->count + 1, sizeof(part));
    at->parts[at->count++] = (part){weir_batch_retain(batch), begin, end};
}

static void waiting_free(waiting *done)
{
    for (uint32_t p = 0; p < done->count; p++)
        weir_batch_drop(done->parts[p].batch);
    wi_free(done->parts);
    wi_free(done);
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    const half_plan *plan = weir_op_arg(op);
    halving *state = weir_op_state(op);
    if (input == 1) {
        for (uint32_t i = 0; i < batch->count && state->reader; i++)
            wi_reader_ack(state->reader, wi_token_at(batch, i)->seq);
    } else if (plan->chained) {
        wait_for(op, state, batch, 0, batch->count, &batch->time);
    } else {
        for (uint32_t begin = 0; begin < batch->count;) {
            uint32_t end = wi_same_time(batch, begin);
            wait_for(op, state, batch, begin, end, weir_batch_time(batch, begin));
            begin = end;
        }
    }
}

/* ---- joining ---------------------------------------------------------------------------- */

static void emit(halving *state, const part *of, const wi_run *run, uint32_t count)
{
    wi_joiner *joiner = &state->joiner;
    wi_pairs *emit = &joiner->emit;
    const uint32_t *i = joiner->pairs[0], *j = joiner->pairs[1];
    const weir_batch *batch = of->batch;
    size_t size = batch->type->size;
    bool one_time = true, one_diff = true;
    for (uint32_t k = 0; k < count; k++) {
        memcpy((char *)joiner->rows[0] + k * size, weir_batch_row(batch, i[k]), size);
        emit->times[k] = weir_time_join(weir_batch_time(batch, i[k]), wi_run_time(run, j[k]));
        emit->diffs[k] = wi_diff_product(weir_batch_diff(batch, i[k]), wi_run_diff(run, j[k]));
        one_time &= weir_time_eq(&emit->times[k], &emit->times[0]);
        one_diff &= emit->diffs[k] == emit->diffs[0];
    }
    const void *b = wi_pairs_gather(run, j, count, joiner->words[1], joiner->rows[1]);
    wi_pairs_send(emit, joiner->rows[0], size, b, run->layout->type->size, count,
                  one_time ? emit->times : NULL, one_diff ? emit->diffs : NULL);
}

/* The block of `rows` rows that begins at `first` against one run. False: out of fuel. */
static bool join_run(weir_op *op, halving *state, const part *of, uint32_t first, uint32_t rows)
{
    const half_plan *plan = weir_op_arg(op);
    progress *now = &state->now;
    wi_run *run = now->runs[now->run];
    const weir_time *initial = &state->joiner.emit.at;
    uint32_t count = 0;
    int limit = plan->half == WEIR_HALF_UP_TO ? 1 : 0; /* of comparing: it must be below */
    wi_match_find(run, state->key_of + now->row, rows - now->row, state->found + now->row);
    for (; now->row < rows && state->fuel > 0; now->row++, now->at = UINT32_MAX) {
        wi_range found = state->found[now->row];
        if (now->at == UINT32_MAX)
            now->at = found.begin;
        for (; now->at < found.end && state->fuel > 0; now->at++) {
            state->fuel--;
            if (weir_time_compare(wi_run_time(run, now->at), initial) >= limit)
                continue;
            state->joiner.pairs[0][count] = first + now->row;
            state->joiner.pairs[1][count++] = now->at;
            if (count == WI_PAIRS) {
                emit(state, of, run, count);
                count = 0;
            }
        }
        if (state->fuel <= 0) /* this row's place is kept */
            break;
        state->fuel -= WI_FUEL_OF_LOOKUP;
    }
    if (count)
        emit(state, of, run, count);
    return now->row == rows;
}

static bool join_part(weir_op *op, halving *state, const part *of)
{
    progress *now = &state->now;
    uint32_t words = state->keys->words;
    while (of->begin + now->block < of->end) {
        uint32_t first = of->begin + now->block, rows = of->end - first;
        if (rows > BLOCK)
            rows = BLOCK;
        wi_layout_encode(state->keys, weir_batch_row(of->batch, first), rows, state->words, words,
                         &state->heap);
        bool done = true;
        while (done && now->run < now->run_count)
            if ((done = join_run(op, state, of, first, rows))) {
                now->run++;
                now->row = 0;
                now->at = UINT32_MAX;
            }
        wi_heap_fini(&state->heap);
        if (!done)
            return false;
        now->run = 0;
        now->block += rows;
    }
    now->block = 0;
    return true;
}

static void begin(halving *state)
{
    uint32_t count = state->reader ? wi_reader_runs(state->reader) : 0;
    state->now =
        (progress){.of = state->queue[state->head++], .run_count = count, .at = UINT32_MAX};
    state->now.runs = wi_alloc((count + 1u) * sizeof(wi_run *));
    for (uint32_t r = 0; r < count; r++)
        state->now.runs[r] = wi_run_retain(state->trace->runs[r]);
}

static void end(halving *state)
{
    for (uint32_t r = 0; r < state->now.run_count; r++)
        wi_run_drop(state->now.runs[r]);
    wi_free(state->now.runs);
    waiting_free(state->now.of);
    state->now = (progress){0};
}

/* Goes on with what has begun, as far as the fuel reaches. */
static void join_begun(weir_op *op, halving *state)
{
    progress *now = &state->now;
    state->joiner.emit.at = now->of->time;
    for (; now->part < now->of->count; now->part++)
        if (!join_part(op, state, &now->of->parts[now->part]))
            return;
    weir_capability_drop(now->of->capability);
    end(state);
}

/* ---- when ------------------------------------------------------------------------------- */

/* H2. */
static bool is_complete(weir_op *op, const weir_time *time)
{
    const half_plan *plan = weir_op_arg(op);
    const weir_antichain *frontier = weir_op_frontier(op, 1);
    if (!frontier->count)
        return true;
    int order = weir_time_compare(time, &frontier->times[0]);
    return order < 0 || (order == 0 && plan->half == WEIR_HALF_BEFORE);
}

static weir_time one_below(const weir_time *time)
{
    weir_time below = *time;
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        below.at[i] -= below.at[i] > 0;
    return below;
}

/* H1. */
static void move_hold(weir_op *op, halving *state)
{
    if (!state->reader)
        return;
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    weir_antichain_clear(&state->hold);
    for (uint32_t i = 0; i < frontier->count; i++) {
        weir_time below = one_below(&frontier->times[i]);
        weir_antichain_insert(&state->hold, &below);
    }
    uint32_t end = state->count;
    if (state->head < end && weir_op_input_dims(op, 0) == 1)
        end = state->head + 1; /* the others are later */
    for (uint32_t i = state->head; i < end; i++) {
        weir_time below = one_below(&state->queue[i]->time);
        weir_antichain_insert(&state->hold, &below);
    }
    if (state->hold.count) {
        wi_reader_hold(state->reader, &state->hold);
    } else {
        wi_reader_drop(state->reader);
        state->reader = NULL;
    }
}

static void join_complete(weir_op *op, halving *state)
{
    while (state->fuel > 0) {
        if (state->now.of)
            join_begun(op, state);
        else if (state->head < state->count && is_complete(op, &state->queue[state->head]->time))
            begin(state);
        else
            break;
    }
    if (state->head == state->count)
        state->head = state->count = 0;
    if (state->fuel <= 0)
        weir_activate(op);
    move_hold(op, state);
}

static void on_frontier(weir_op *op)
{
    halving *state = weir_op_state(op);
    if (state->fuel > 0) /* otherwise it is activated, too */
        join_complete(op, state);
}

static void on_run(weir_op *op)
{
    halving *state = weir_op_state(op);
    state->fuel = wi_join_fuel;
    join_complete(op, state);
}

static void on_stop(weir_op *op)
{
    halving *state = weir_op_state(op);
    if (state->now.of)
        end(state);
    for (uint32_t i = state->head; i < state->count; i++)
        waiting_free(state->queue[i]);
    wi_free(state->queue);
    wi_free(state->words);
    wi_heap_fini(&state->heap);
    wi_layout_drop(state->keys);
    weir_antichain_fini(&state->hold);
    wi_reader_drop(state->reader);
    wi_trace_drop(state->trace);
    wi_joiner_fini(&state->joiner);
}

static const weir_operator half_join = {.name = "half_join",
                                        .state_bytes = sizeof(halving),
                                        .start = on_start,
                                        .batch = on_batch,
                                        .run = on_run,
                                        .frontier = on_frontier,
                                        .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

/* Whether what comes are the rows of a half-join, perhaps mapped or filtered: such operators
 * keep the times of batches. What has passed a weir_valid, a weir_while or a weir_delay_to has
 * times of its own. */
static bool is_chained(weir_stream deltas)
{
    const wi_flow *flow = deltas.scope->flow;
    const weir_op *from = flow->ops[deltas.op];
    while (from->logic->stateless && from->input_count == 1 && from->kind == WI_NODE_PLAIN &&
           from->logic != &wi_valid && from->logic != &wi_while && from->logic != &wi_delay_to)
        from = flow->ops[from->inputs[0]->from_op];
    return from->logic == &half_join;
}

weir_stream wi_half_join(const char *name, weir_stream deltas, weir_key key, weir_arrangement *with,
                         weir_half half, bool chained, const weir_join_kernel *kernel, void *arg)
{
    with = wi_arrange_own(with);
    if (wi_takes(deltas, name, kernel->name, key.type) &&
        wi_join_keys(deltas.scope, name, &key, &with->key))
        wi_join_takes(deltas.scope, name, kernel, deltas.type, with->layout->type);
    half_plan *plan = WI_NEW(half_plan);
    *plan = (half_plan){.trace = with->trace,
                        .with = with->layout,
                        .key = key,
                        .half = half,
                        .chained = chained,
                        .kernel = kernel,
                        .arg = arg};
    weir_builder *builder =
        wi_begin(deltas, WEIR_EXCHANGE(key), &half_join, plan, name, kernel->name);
    uint32_t tokens = weir_builder_input(builder, with->tokens, WEIR_LOCAL);
    weir_builder_unrelated(builder, tokens, 0);
    return wi_end(builder, kernel->out);
}

weir_stream weir_half_join_with(weir_stream deltas, weir_key key, weir_arrangement *with,
                                weir_half half, const weir_join_kernel *kernel, void *arg)
{
    return wi_half_join(half_join.name, deltas, key, with, half, is_chained(deltas), kernel, arg);
}
