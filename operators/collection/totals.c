/* Totals of groups where times are totally ordered: no trace, only what is. Rows that come at a
 * time are added up by key at once, in that time's tally; when the time is complete, its sums
 * are added to the tally of all earlier times, and the rows that this changes are sent. So a
 * key that changes often costs no more than the rows that come.
 *
 * The first time's tally becomes that of all times as it is: loading is one pass. */
#include "totals.h"

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"
#include "emit.h"
#include "pack.h"
#include "tally.h"

typedef struct totals_call {
    wi_total total;
    wi_packing key;
    wi_tally_form form;
    uint32_t turn;
} totals_call;

/* An operator's rows come in the order of its table, and may be put into that of another by the
 * same key: so operators have turns of their own, from 0 to 31, and tables of one time 32 more. */
#define TURN_STEP 11
#define TURNS 32

typedef struct totals_state {
    wi_tally all;
    wi_tally spare; /* an empty one, to be used for a time */
    uint64_t *keys; /* room for the keys of a block */
} totals_state;

/* Words of a mean's sum: it must not overflow where the sum itself would. */
#define MEAN_WORDS 2
#define VALUES_MAX (1 + MEAN_WORDS * WEIR_KEY_FIELDS_MAX)

static void on_start(weir_op *op)
{
    const totals_call *call = weir_op_arg(op);
    totals_state *state = weir_op_state(op);
    state->keys = WI_NEWS(uint64_t, (size_t)WI_TALLY_BLOCK * call->form.key_words);
    state->all.turn = call->turn;
}

/* ---- rows come -------------------------------------------------------------------------- */

static void load_values(const wi_total_field *field, const char *rows, size_t row_bytes,
                        uint32_t count, uint64_t *values_out)
{
    const char *at = rows + field->from;
    unsigned spare = 64 - 8 * field->bytes;
    if (field->bytes == 8)
        for (uint32_t i = 0; i < count; i++)
            memcpy(&values_out[i], at + i * row_bytes, 8);
    else if (field->bytes == 4)
        for (uint32_t i = 0; i < count; i++)
            values_out[i] = wi_load_unsigned(at + i * row_bytes, 4);
    else
        for (uint32_t i = 0; i < count; i++)
            values_out[i] = wi_load_unsigned(at + i * row_bytes, field->bytes);
    if (field->is_signed && spare)
        for (uint32_t i = 0; i < count; i++)
            values_out[i] = (uint64_t)((int64_t)(values_out[i] << spare) >> spare);
}

/* Counts are added modulo 2^64 - 1, carrying from the end to the start: none becomes -2^63, which
 * would make the slot look unused, and one that went too far is right when it has come back. */
static inline void add_count(uint64_t *count, uint64_t more)
{
    uint64_t sum = *count + more - (more >> 63);
    *count = sum + (sum < *count);
}

static inline void add_wide(uint64_t *to, unsigned __int128 value)
{
    unsigned __int128 sum = (((unsigned __int128)to[1] << 64) | to[0]) + value;
    to[0] = (uint64_t)sum;
    to[1] = (uint64_t)(sum >> 64);
}

/* Adds field values of rows, `diffs` times each, to word `at` of their slots. */
static void add_field(const totals_call *call, uint32_t f, const char *rows, const int64_t *diffs,
                      uint32_t count, uint64_t *const *slots)
{
    const wi_total_field *field = &call->total.fields[f];
    uint64_t values[WI_TALLY_BLOCK];
    uint32_t at = call->form.key_words + 1;
    load_values(field, rows, call->total.in->size, count, values);
    if (call->total.kind == WI_TOTAL_SUM) {
        for (uint32_t i = 0; i < count; i++)
            slots[i][at + f] += values[i] * (uint64_t)diffs[i];
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        __int128 value = field->is_signed ? (__int128)(int64_t)values[i] : (__int128)values[i];
        add_wide(&slots[i][at + MEAN_WORDS * f], (unsigned __int128)(value * diffs[i]));
    }
}

static void add_block(const totals_call *call, totals_state *state, wi_tally *changes,
                      const weir_batch *batch, uint32_t begin, uint32_t count)
{
    uint64_t *slots[WI_TALLY_BLOCK];
    int64_t same[WI_TALLY_BLOCK];
    const int64_t *diffs = batch->diffs ? batch->diffs + begin : same;
    const char *rows = weir_batch_row(batch, begin);
    uint32_t at = call->form.key_words;
    for (uint32_t i = 0; i < count && !batch->diffs; i++)
        same[i] = batch->diff;
    wi_tally_reserve(&call->form, changes, count);
    wi_pack(&call->key, rows, batch->type->size, count, state->keys);
    wi_tally_find(&call->form, changes, state->keys, count, false, slots);
    for (uint32_t i = 0; i < count; i++)
        add_count(&slots[i][at], (uint64_t)diffs[i]);
    for (uint32_t f = 0; f < call->total.field_count; f++)
        add_field(call, f, rows, diffs, count, slots);
}

/* The tally of a time, not the one that others are made from; see tally.h for `turn`. */
static wi_tally *changes_at(weir_op *op, totals_state *state, const weir_time *time)
{
    wi_tally *changes = weir_notify_state(op, time, sizeof *changes);
    if (!changes->slots) {
        *changes = state->spare;
        changes->turn = state->all.turn ^ TURNS;
        state->spare = (wi_tally){0};
    }
    return changes;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const totals_call *call = weir_op_arg(op);
    totals_state *state = weir_op_state(op);
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_tally *changes = changes_at(op, state, weir_batch_time(batch, begin));
        for (uint32_t at = begin; at < end; at += WI_TALLY_BLOCK)
            add_block(call, state, changes, batch, at,
                      end - at < WI_TALLY_BLOCK ? end - at : WI_TALLY_BLOCK);
    }
}

/* ---- a time is complete ----------------------------------------------------------------- */

/* What the row of a group says, given its numbers (count, sums); false: there is no row. */
static inline bool values_of(const totals_call *call, const uint64_t *numbers, uint64_t *values_out)
{
    int64_t count = (int64_t)numbers[0];
    if (count == 0)
        return false;
    switch (call->total.kind) {
    case WI_TOTAL_COUNT:
        values_out[0] = numbers[0];
        break;
    case WI_TOTAL_SUM:
        for (uint32_t f = 0; f < call->total.field_count; f++)
            values_out[f] = numbers[1 + f];
        break;
    case WI_TOTAL_AVG:
        for (uint32_t f = 0; f < call->total.field_count; f++) {
            const uint64_t *sum = numbers + 1 + MEAN_WORDS * f;
            double mean =
                wi_total_mean((__int128)(((unsigned __int128)sum[1] << 64) | sum[0]), count);
            memcpy(&values_out[f], &mean, sizeof mean);
        }
        break;
    case WI_TOTAL_THRESHOLD:
        break;
    }
    return true;
}

static inline void emit_group(const totals_call *call, wi_emit *emit, const uint64_t *key,
                              const uint64_t *values, int64_t diff)
{
    char *row = wi_emit_row(emit, diff);
    wi_unpack(&call->key, key, emit->batch, row);
    if (call->total.kind == WI_TOTAL_COUNT)
        memcpy(row + call->total.count_to, values, 8);
    for (uint32_t f = 0; f < call->total.field_count; f++)
        memcpy(row + call->total.fields[f].to, &values[f], 8);
}

/* A group's numbers have changed. */
static inline void emit_change(const totals_call *call, wi_emit *emit, const uint64_t *key,
                               const uint64_t *before, const uint64_t *after)
{
    if (call->total.kind == WI_TOTAL_THRESHOLD) {
        int64_t old = (int64_t)before[0], new = (int64_t)after[0];
        int64_t was = old ? call->total.threshold(old, call->total.arg) : 0;
        int64_t is = new ? call->total.threshold(new, call->total.arg) : 0;
        if (is != was)
            emit_group(call, emit, key, NULL, (int64_t)((uint64_t)is - (uint64_t)was));
        return;
    }
    uint64_t old[WEIR_KEY_FIELDS_MAX], new[WEIR_KEY_FIELDS_MAX];
    bool was = values_of(call, before, old), is = values_of(call, after, new);
    size_t bytes = call->total.kind == WI_TOTAL_COUNT ? 8 : 8 * call->total.field_count;
    if (was && is && memcmp(old, new, bytes) == 0)
        return;
    if (was)
        emit_group(call, emit, key, old, -1);
    if (is)
        emit_group(call, emit, key, new, 1);
}

/* A slot's numbers, the count as it is. */
static inline void numbers_of(const wi_tally_form *form, const uint64_t *slot, uint64_t *out)
{
    for (uint32_t i = 0; i <= form->sums; i++)
        out[i] = slot[form->key_words + i];
    out[0] ^= WI_TALLY_BIAS;
}

static inline void add_numbers(const totals_call *call, uint64_t *slot, const uint64_t *numbers)
{
    uint64_t *to = slot + call->form.key_words;
    add_count(to, numbers[0]);
    if (call->total.kind == WI_TOTAL_AVG)
        for (uint32_t f = 0; f < call->total.field_count; f++) {
            const uint64_t *more = numbers + 1 + MEAN_WORDS * f;
            add_wide(to + 1 + MEAN_WORDS * f, ((unsigned __int128)more[1] << 64) | more[0]);
        }
    else
        for (uint32_t i = 1; i <= call->form.sums; i++)
            to[i] += numbers[i];
}

/* There was nothing before: the time's tally is that of all times. */
static void take_all(const totals_call *call, totals_state *state, wi_tally *changes, wi_emit *emit)
{
    static const uint64_t nothing[VALUES_MAX];
    uint64_t *slots[WI_TALLY_BLOCK], numbers[VALUES_MAX], place = 0;
    uint32_t count, empty = 0;
    while ((count = wi_tally_next(&call->form, changes, &place, slots)))
        for (uint32_t i = 0; i < count; i++) {
            numbers_of(&call->form, slots[i], numbers);
            emit_change(call, emit, slots[i], nothing, numbers);
            empty += wi_tally_nothing(&call->form, slots[i]);
        }
    wi_tally_fini(&call->form, &state->all);
    state->all = *changes;
    *changes = (wi_tally){0};
    if (empty)
        wi_tally_sweep(&call->form, &state->all);
}

/* Slots of a time's tally, none of which is nothing, are added to the tally of all. Groups that
 * are nothing then are removed at the end, since that moves slots. A key that was new has given
 * its texts away. */
static void merge_block(const totals_call *call, totals_state *state, uint64_t **from,
                        uint32_t count, wi_emit *emit)
{
    const wi_tally_form *form = &call->form;
    uint64_t *to[WI_TALLY_BLOCK], before[VALUES_MAX], after[VALUES_MAX], more[VALUES_MAX];
    uint32_t empty[WI_TALLY_BLOCK], empty_count = 0;
    bool given[WI_TALLY_BLOCK];
    size_t key_words = form->key_words;
    for (uint32_t i = 0; i < count; i++)
        for (size_t w = 0; w < key_words; w++)
            state->keys[i * key_words + w] = from[i][w];
    wi_tally_reserve(form, &state->all, count);
    wi_tally_find(form, &state->all, state->keys, count, true, to);
    for (uint32_t i = 0; i < count; i++) {
        given[i] = wi_tally_nothing(form, to[i]);
        numbers_of(form, from[i], more);
        numbers_of(form, to[i], before);
        add_numbers(call, to[i], more);
        numbers_of(form, to[i], after);
        emit_change(call, emit, to[i], before, after);
        if (wi_tally_nothing(form, to[i]))
            empty[empty_count++] = i;
    }
    for (uint32_t e = 0; e < empty_count; e++) {
        uint64_t *slot;
        wi_tally_find(form, &state->all, state->keys + empty[e] * key_words, 1, true, &slot);
        wi_tally_remove(form, &state->all, slot);
    }
    for (uint32_t i = 0; form->texts && i < count; i++)
        if (!given[i])
            wi_packed_free(from[i], form->texts);
}

static void merge_all(const totals_call *call, totals_state *state, wi_tally *changes,
                      wi_emit *emit)
{
    uint64_t *slots[WI_TALLY_BLOCK], place = 0;
    uint32_t count;
    if (changes->turn == state->all.turn && changes->count > WI_TALLY_BLOCK)
        wi_tally_turn(&call->form, changes, changes->turn ^ TURNS);
    while ((count = wi_tally_next(&call->form, changes, &place, slots))) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (wi_tally_nothing(&call->form, slots[i]))
                wi_packed_free(slots[i], call->form.texts);
            else
                slots[kept++] = slots[i];
        }
        merge_block(call, state, slots, kept, emit);
    }
    wi_tally_shrink(&call->form, &state->all);
    wi_tally_clear(&call->form, changes);
}

static void on_complete(weir_op *op, const weir_time *time, void *of_time)
{
    const totals_call *call = weir_op_arg(op);
    totals_state *state = weir_op_state(op);
    wi_tally *changes = of_time;
    wi_emit emit;
    uint64_t rows = call->total.kind == WI_TOTAL_THRESHOLD || !state->all.count ? 1 : 2;
    wi_emit_begin(&emit, op, call->total.out, time, rows * changes->count);
    if (state->all.count) {
        merge_all(call, state, changes, &emit);
        wi_tally_fini(&call->form, &state->spare);
        state->spare = *changes;
    } else {
        take_all(call, state, changes, &emit);
    }
    wi_emit_end(&emit);
}

static void on_discard(weir_op *op, void *of_time)
{
    const totals_call *call = weir_op_arg(op);
    wi_tally_fini(&call->form, of_time);
}

static void on_stop(weir_op *op)
{
    const totals_call *call = weir_op_arg(op);
    totals_state *state = weir_op_state(op);
    wi_tally_fini(&call->form, &state->all);
    wi_tally_fini(&call->form, &state->spare);
    wi_free(state->keys);
}

static const weir_operator totals = {.name = "totals",
                                     .state_bytes = sizeof(totals_state),
                                     .start = on_start,
                                     .batch = on_batch,
                                     .notify = on_complete,
                                     .discard = on_discard,
                                     .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

/* A threshold's key is the whole row, which may have more fields than a weir_key. */
weir_stream wi_total_ordered(weir_stream in, const wi_total *total)
{
    bool rows = total->kind == WI_TOTAL_THRESHOLD;
    totals_call *call = WI_NEW(totals_call);
    uint32_t sums = total->field_count * (total->kind == WI_TOTAL_AVG ? MEAN_WORDS : 1);
    call->total = *total;
    call->key = wi_packing_new(in.type, rows ? NULL : total->key.offsets,
                               rows ? in.type->field_count : total->key.count, total->out);
    call->form = wi_tally_form_of(call->key.words, call->key.texts, sums);
    call->turn = in.op * TURN_STEP % TURNS;
    weir_builder *builder =
        wi_begin(in, WEIR_EXCHANGE(total->key), &totals, call, total->name, NULL);
    weir_builder_keep(builder, call->key.fields);
    return wi_end(builder, total->out);
}
