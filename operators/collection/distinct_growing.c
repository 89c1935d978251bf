/* distinct_growing: each row once, where rows are only added (semi-naive evaluation).
 *
 * What is kept is the result: a trace, which is an arrangement that joins read, too. Rows that
 * come are gathered by time as sets (row_set.h), and those that are there already are left out as
 * soon as a few megabytes have come together. When a time is complete, what is left of its set is
 * new, and becomes a run.
 *
 * With partially ordered times a row may be there at some times already, but not at all that are
 * at or after the new one. Let f be how often it is there: 0 or 1 at every time, by its updates
 * (t_i, d_i) in the trace. Being there from t on, too, it is there once more at the times u >= t
 * with f(u) = 0, that is, [t <= u] - [t <= u] * f(u): an update (t, 1), and one (t v t_i, -d_i)
 * for each of its own. Rows that are taken away are not looked at.
 *
 * Which key the rows are sorted by makes no difference here. So the first that asks for an
 * arrangement of the result decides, and gets this one (wi_arrange).
 *
 * Invariants
 *   G1  the trace has, of each row, updates that add up to 0 or 1 at every time
 *   G2  for each set there is a capability at its time */
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/pages.h"
#include "../../runtime/runtime.h"
#include "../stream/common.h"
#include "../trace/run_build.h"
#include "../trace/upkeep.h"
#include "reduce.h"
#include "row_set.h"

#define SPARSE 1024 /* rows of a run for each that is looked for: its directory is used */
#define NEAR 32     /* rows that are merged rather than jumped over */
#define STRIDE 64
#define UPDATES_FIRST 16

typedef struct new_rows {
    weir_time time;
    weir_capability *capability;
    wi_row_set set;
} new_rows;

typedef struct update {
    uint32_t row; /* of the set */
    weir_time time;
    int64_t diff;
} update;

typedef struct growing {
    const weir_arrangement *made;
    wi_trace *trace;
    wi_reader *reader;
    wi_upkeep upkeep;
    new_rows **times; /* sorted lexicographically */
    uint32_t time_count, time_capacity;
    const weir_time *sifted; /* the time of the set that is being sifted */
    update *updates;
    uint32_t update_count, update_capacity;
} growing;

static void on_start(weir_op *op)
{
    growing *state = weir_op_state(op);
    state->made = weir_op_arg(op);
    state->trace = wi_trace_retain(*state->made->trace);
    state->reader = wi_reader_new(state->trace, NULL);
}

static void rows_free(new_rows *rows)
{
    wi_row_set_fini(&rows->set);
    wi_free(rows);
}

static void on_stop(weir_op *op)
{
    const weir_arrangement *made = weir_op_arg(op);
    growing *state = weir_op_state(op);
    for (uint32_t i = 0; i < state->time_count; i++)
        rows_free(state->times[i]);
    wi_free(state->times);
    wi_free(state->updates);
    wi_reader_drop(state->reader);
    wi_trace_drop(state->trace);
    wi_layout_drop(made->layout);
    wi_trace_drop(*made->trace);
}

/* ---- looking up ------------------------------------------------------------------------- */

/* The first row at or after `at` that is not before the row. */
static inline uint32_t seek(const wi_run *run, uint32_t at, const uint64_t *row, uint32_t words)
{
    const uint64_t *rows = run->rows;
    size_t count = run->count, low = at, step = 1;
    if (low >= count || wi_set_compare(rows + low * words, row, words) >= 0)
        return at;
    for (; low + step < count && wi_set_compare(rows + (low + step) * words, row, words) < 0;
         step *= 2)
        low += step;
    for (; step; step /= 2)
        if (low + step < count && wi_set_compare(rows + (low + step) * words, row, words) < 0)
            low += step;
    return (uint32_t)low + 1;
}

/* The same for rows in order, the first one at 0; a few are looked up in the directory. */
static uint32_t next(wi_run *run, uint32_t at, const uint64_t *row, uint32_t words, uint32_t rows)
{
    return seek(run, run->count / SPARSE > rows ? wi_run_find(run, row) : at, row, words);
}

/* Leaves out what the run has. Rows of a word, which are most of the work, are compared without
 * branches, which could not be foreseen, as long as the next ones are near. */
static void sift_words(wi_run *run, wi_set_part *part)
{
    const uint64_t *has = run->rows;
    uint64_t *rows = part->rows;
    size_t at = 0, end = run->count, i = 0, count = part->count, kept = 0;
    while (i < count && at < end) {
        if (has[at + NEAR < end ? at + NEAR : end - 1] < rows[i]) {
            at = next(run, (uint32_t)at, rows + i, 1, part->count);
            continue;
        }
        for (uint32_t steps = 0; steps < STRIDE && i < count && at < end; steps++) {
            uint64_t row = rows[i], other = has[at];
            rows[kept] = row;
            kept += row < other;
            i += row <= other;
            at += other <= row;
        }
    }
    memmove(rows + kept, rows + i, (count - i) * sizeof *rows);
    part->count = (uint32_t)(kept + count - i);
}

static void sift_run(wi_run *run, wi_set_part *part, uint32_t words)
{
    uint32_t at = 0, kept = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint64_t *row = part->rows + (size_t)i * words;
        at = next(run, at, row, words, part->count);
        if (at < run->count && wi_set_compare(wi_run_row(run, at), row, words) == 0)
            continue;
        memmove(part->rows + (size_t)kept++ * words, row, words * sizeof *row);
    }
    part->count = kept;
}

/* Whether all that is in the trace is at or before the time: then each row that is, is there. */
static bool all_before(const wi_trace *trace, const weir_time *time)
{
    for (uint32_t r = 0; r < trace->run_count; r++)
        for (uint32_t t = 0; t < trace->runs[r]->time_count; t++)
            if (!weir_time_le(&trace->runs[r]->table[t], time))
                return false;
    return true;
}

static void sift(wi_set_part *part, void *arg)
{
    const growing *state = arg;
    const wi_trace *trace = state->trace;
    if (!all_before(trace, state->sifted))
        return;
    for (uint32_t r = 0; r < trace->run_count && part->count; r++)
        if (trace->layout->words == 1)
            sift_words(trace->runs[r], part);
        else
            sift_run(trace->runs[r], part, trace->layout->words);
}

/* ---- rows come -------------------------------------------------------------------------- */

/* Where the time is, or would be. */
static uint32_t place_of(const growing *state, const weir_time *time)
{
    uint32_t low = 0, high = state->time_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (weir_time_compare(&state->times[middle]->time, time) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static new_rows *rows_at(weir_op *op, growing *state, const weir_time *time)
{
    uint32_t at = place_of(state, time);
    if (at < state->time_count && weir_time_eq(&state->times[at]->time, time))
        return state->times[at];
    new_rows *rows = WI_NEW(new_rows);
    *rows = (new_rows){.time = *time, .set = {.layout = state->made->layout}};
    rows->capability = weir_retain(op, 0, time);
    wi_grow(&state->times, &state->time_capacity, state->time_count + 1, sizeof rows);
    memmove(state->times + at + 1, state->times + at,
            (state->time_count++ - at) * sizeof(new_rows *));
    return state->times[at] = rows;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    growing *state = weir_op_state(op);
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        bool added = weir_batch_diff(batch, begin) > 0;
        uint32_t limit = wi_same_time(batch, begin);
        for (end = begin + 1; end < limit; end++)
            if (batch->diffs && (batch->diffs[end] > 0) != added)
                break;
        end = batch->diffs ? end : limit;
        if (!added)
            continue;
        new_rows *rows = rows_at(op, state, weir_batch_time(batch, begin));
        state->sifted = &rows->time;
        wi_row_set_add(&rows->set, weir_batch_row(batch, begin), end - begin, sift, state);
    }
}

/* ---- a time is complete ----------------------------------------------------------------- */

/* All rows, at the time. */
static wi_run *run_of_all(const growing *state, wi_set_part *part, const weir_time *time)
{
    wi_run *run = wi_run_of_records(state->made->layout, part->rows, part->bytes, part->count,
                                    false, time, 1);
    part->rows = NULL;
    wi_run_finish(run, part->count);
    return run;
}

static void add_update(growing *state, uint32_t row, weir_time time, int64_t diff)
{
    wi_grow(&state->updates, &state->update_capacity, state->update_count + 1, sizeof(update));
    state->updates[state->update_count++] = (update){row, time, diff};
}

/* What the run's updates of the rows make of being there from `time` on, too. */
static void meet_run(growing *state, wi_run *run, const wi_set_part *part, const weir_time *time)
{
    uint32_t words = run->layout->words, at = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const uint64_t *row = part->rows + (size_t)i * words;
        at = next(run, at, row, words, part->count);
        for (; at < run->count && wi_set_compare(wi_run_row(run, at), row, words) == 0; at++)
            add_update(state, i, weir_time_join(time, wi_run_time(run, at)),
                       -wi_run_diff(run, at));
    }
}

static int update_order(const void *a, const void *b)
{
    const update *x = a, *y = b;
    return x->row != y->row ? (x->row < y->row ? -1 : 1) : weir_time_compare(&x->time, &y->time);
}

static int time_order(const void *a, const void *b)
{
    return weir_time_compare(a, b);
}

/* Adds up updates of the same row and time. */
static void settle_updates(growing *state)
{
    update *all = state->updates;
    uint32_t kept = 0;
    qsort(all, state->update_count, sizeof *all, update_order);
    for (uint32_t i = 0, next; i < state->update_count; i = next) {
        update sum = all[i];
        for (next = i + 1; next < state->update_count && !update_order(&sum, &all[next]); next++)
            sum.diff += all[next].diff;
        all[kept] = sum;
        kept += sum.diff != 0;
    }
    state->update_count = kept;
}

/* The updates as a run. */
static wi_run *run_of_updates(const growing *state, const wi_set_part *part)
{
    const wi_layout *layout = state->made->layout;
    uint32_t count = state->update_count, times = 0, words = layout->words;
    weir_time *table = WI_NEWS(weir_time, count + 1u);
    for (uint32_t i = 0; i < count; i++)
        table[i] = state->updates[i].time;
    qsort(table, count, sizeof *table, time_order);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || !weir_time_eq(&table[i], &table[times - 1]))
            table[times++] = table[i];
    wi_run *run = wi_run_new(layout, count, times > 1, true, table, times);
    for (uint32_t i = 0; i < count; i++) {
        const update *it = &state->updates[i];
        memcpy(run->rows + (size_t)i * words, part->rows + (size_t)it->row * words,
               words * sizeof *run->rows);
        run->diffs[i] = it->diff;
        if (run->times)
            run->times[i] = (uint32_t)((const weir_time *)bsearch(&it->time, table, times,
                                                                  sizeof *table, time_order) -
                                       table);
    }
    wi_run_finish(run, count);
    wi_free(table);
    return run;
}

/* What is new; NULL: nothing is. */
static wi_run *new_run(growing *state, new_rows *rows)
{
    wi_set_part part = wi_row_set_take(&rows->set);
    wi_run *run = NULL;
    state->sifted = &rows->time;
    if (all_before(state->trace, &rows->time)) {
        sift(&part, state);
        if (part.count)
            run = run_of_all(state, &part, &rows->time);
    } else {
        state->update_count = 0;
        for (uint32_t i = 0; i < part.count; i++)
            add_update(state, i, rows->time, 1);
        for (uint32_t r = 0; r < state->trace->run_count; r++)
            meet_run(state, state->trace->runs[r], &part, &rows->time);
        settle_updates(state);
        if (state->update_count)
            run = run_of_updates(state, &part);
    }
    if (part.rows)
        wi_pages_free(part.rows, part.bytes);
    return run;
}

static void complete(weir_op *op, growing *state, new_rows *rows)
{
    wi_run *run = new_run(state, rows);
    if (run) {
        wi_trace_insert(state->trace, run);
        wi_token_push(weir_send_at(op, 0, &rows->time), (wi_token){state->trace->seq});
        wi_reader_ack(state->reader, state->trace->seq);
    }
    weir_capability_drop(rows->capability);
    rows_free(rows);
}

static void on_frontier(weir_op *op)
{
    growing *state = weir_op_state(op);
    const weir_antichain *upper = weir_op_frontier(op, 0);
    uint32_t kept = 0, count = state->time_count;
    for (uint32_t i = 0; i < count; i++) {
        if (weir_antichain_le(upper, &state->times[i]->time))
            state->times[kept++] = state->times[i];
        else
            complete(op, state, state->times[i]);
    }
    state->time_count = kept;
    wi_trace_advance(state->trace, upper);
    wi_reader_hold(state->reader, upper);
    wi_upkeep_ask(&state->upkeep, op, state->trace);
}

static void on_run(weir_op *op)
{
    growing *state = weir_op_state(op);
    wi_upkeep_run(&state->upkeep, op, state->trace);
}

static const weir_operator distinct_growing = {.name = "distinct_growing",
                                               .state_bytes = sizeof(growing),
                                               .start = on_start,
                                               .batch = on_batch,
                                               .frontier = on_frontier,
                                               .run = on_run,
                                               .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

/* For rows that are not words alone. */
static void present_rows(const wi_groups *in, int64_t *diffs_out, WEIR_UNUSED void *arg)
{
    uint32_t rows = in->groups ? in->ends[in->groups - 1] : 0;
    for (uint32_t i = 0; i < rows; i++)
        diffs_out[i] = in->counts[i] > 0;
}

weir_stream weir_distinct_growing(weir_stream in)
{
    static const wi_reducer how = {
        .name = "distinct_growing", .select = present_rows, .growing = true};
    uint32_t fields = in.type->field_count;
    weir_key key =
        wi_key_of_first(in.type, fields < WEIR_KEY_FIELDS_MAX ? fields : WEIR_KEY_FIELDS_MAX);
    if (in.type->text_count || fields == 0)
        return wi_reduce(in, key, NULL, &how, NULL, in.type);
    weir_arrangement *made = wi_arrangement_new(in, key);
    made->any_key = true;
    weir_builder *builder =
        wi_begin(in, WEIR_EXCHANGE(key), &distinct_growing, made, distinct_growing.name, NULL);
    weir_builder_keep(builder, made->trace);
    made->tokens = wi_end(builder, &wi_token_type);
    in.scope->flow->ops[made->tokens.op]->always_stop = true; /* to free the trace */
    return weir_arrangement_stream(made);
}
