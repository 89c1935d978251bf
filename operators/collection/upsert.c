/* upsert: from "the key's row is now this" to changes. What comes at a time waits in a bin;
 * when the time is complete, the bin is sealed, and the last row of each key is compared with
 * the key's row so far, which a hash table knows. That is the only state. */
#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../../runtime/runtime.h"
#include "../stream/common.h"
#include "../trace/pending.h"
#include "emit.h"
#include "pack.h"
#include "tally.h"

/* A key's slot has the other fields of its row where a tally has sums; its count is 1. */
typedef struct upsert_call {
    weir_key key;
    weir_order order;
    const weir_type *type;
    wi_packing fields; /* of the key */
    wi_packing others;
    wi_tally_form form;
} upsert_call;

typedef struct upsert_state {
    wi_layout *layout;
    wi_pending pending;
    wi_bin **ready;
    uint32_t ready_capacity;
    wi_tally rows;
    /* room for a block */
    uint64_t *words, *keys, *values;
    char *block;
} upsert_state;

static void on_start(weir_op *op)
{
    const upsert_call *call = weir_op_arg(op);
    upsert_state *state = weir_op_state(op);
    state->layout =
        wi_layout_new(call->type, &call->key, call->order.by.type ? &call->order : NULL);
    wi_pending_init(&state->pending, state->layout);
    state->words = WI_NEWS(uint64_t, (size_t)WI_TALLY_BLOCK * state->layout->words);
    state->keys = WI_NEWS(uint64_t, (size_t)WI_TALLY_BLOCK * call->fields.words);
    state->values = WI_NEWS(uint64_t, (size_t)WI_TALLY_BLOCK * call->others.words);
    state->block = wi_alloc(WI_TALLY_BLOCK * (size_t)call->type->size);
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    upsert_state *state = weir_op_state(op);
    wi_pending_batch(&state->pending, batch);
    for (uint32_t begin = 0; begin < batch->count; begin = wi_same_time(batch, begin)) {
        wi_bin *bin = wi_pending_bin(&state->pending, weir_batch_time(batch, begin));
        if (!bin->capability)
            bin->capability = weir_retain(op, 0, &bin->time);
    }
}

/* ---- a time is complete ----------------------------------------------------------------- */

static void emit_row(const upsert_call *call, wi_emit *emit, const uint64_t *slot, int64_t diff)
{
    char *row = wi_emit_row(emit, diff);
    wi_unpack(&call->fields, slot, emit->batch, row);
    wi_unpack(&call->others, slot + call->form.key_words + 1, emit->batch, row);
}

/* The key's row is now this one. */
static void replace(const upsert_call *call, wi_emit *emit, uint64_t *slot, const uint64_t *value)
{
    const wi_packing *others = &call->others;
    uint64_t *has = slot + call->form.key_words + 1;
    if (slot[call->form.key_words] != WI_TALLY_BIAS) {
        if (wi_packed_same(has, value, others->words, others->texts))
            return;
        emit_row(call, emit, slot, -1);
        wi_packed_free(has, others->texts);
    }
    slot[call->form.key_words] = WI_TALLY_BIAS + 1;
    memcpy(has, value, others->words * sizeof *value);
    wi_packed_own(has, others->texts);
    emit_row(call, emit, slot, 1);
}

/* The key has no row any more. */
static void erase(const upsert_call *call, wi_emit *emit, uint64_t *slot)
{
    if (slot[call->form.key_words] == WI_TALLY_BIAS)
        return;
    emit_row(call, emit, slot, -1);
    wi_packed_free(slot + call->form.key_words + 1, call->others.texts);
    memset(slot + call->form.key_words + 1, 0, call->others.words * sizeof *slot);
    slot[call->form.key_words] = WI_TALLY_BIAS;
}

/* Rows of state->words, each the last of its key. */
static void apply_block(const upsert_call *call, upsert_state *state, wi_emit *emit,
                        const bool *stays, uint32_t count)
{
    uint64_t *slots[WI_TALLY_BLOCK];
    size_t key_words = call->form.key_words;
    wi_layout_decode(state->layout, state->words, state->layout->words, count, state->block);
    wi_pack(&call->fields, state->block, call->type->size, count, state->keys);
    wi_pack(&call->others, state->block, call->type->size, count, state->values);
    wi_tally_reserve(&call->form, &state->rows, count);
    wi_tally_find(&call->form, &state->rows, state->keys, count, false, slots);
    for (uint32_t i = 0; i < count; i++) {
        if (stays[i])
            replace(call, emit, slots[i], state->values + (size_t)i * call->others.words);
        else
            erase(call, emit, slots[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (stays[i])
            continue;
        wi_tally_find(&call->form, &state->rows, state->keys + i * key_words, 1, false, slots);
        wi_tally_remove(&call->form, &state->rows, slots[0]);
    }
}

static void apply_run(weir_op *op, const wi_run *run)
{
    const upsert_call *call = weir_op_arg(op);
    upsert_state *state = weir_op_state(op);
    const wi_layout *layout = state->layout;
    bool stays[WI_TALLY_BLOCK];
    uint32_t count = 0;
    wi_emit emit;
    if (!run->count)
        return;
    wi_emit_begin(&emit, op, call->type, &run->table[0], (uint64_t)run->count * 2);
    for (uint32_t i = 0; i < run->count; i++) {
        const uint64_t *row = wi_run_row(run, i);
        if (i + 1 < run->count && wi_key_compare(layout, row, row + layout->words) == 0)
            continue;
        memcpy(state->words + (size_t)count * layout->words, row, layout->words * sizeof *row);
        stays[count++] = wi_run_diff(run, i) > 0;
        if (count == WI_TALLY_BLOCK) {
            apply_block(call, state, &emit, stays, count);
            count = 0;
        }
    }
    apply_block(call, state, &emit, stays, count);
    wi_tally_shrink(&call->form, &state->rows);
    wi_emit_end(&emit);
}

static void on_frontier(weir_op *op)
{
    upsert_state *state = weir_op_state(op);
    const weir_antichain *upper = weir_op_frontier(op, 0);
    uint32_t count;
    wi_grow(&state->ready, &state->ready_capacity, state->pending.bin_count, sizeof(wi_bin *));
    while ((count = wi_pending_ready(&state->pending, upper, state->ready)) > 0) {
        for (uint32_t b = 0; b < count; b++) {
            wi_run *run = wi_bins_seal(state->layout, &state->ready[b], 1);
            apply_run(op, run);
            wi_run_drop(run);
            weir_capability_drop(state->ready[b]->capability);
            wi_bin_free(state->layout, state->ready[b]);
        }
    }
}

static void free_values(const upsert_call *call, const wi_tally *rows)
{
    uint64_t *slots[WI_TALLY_BLOCK], place = 0;
    uint32_t count;
    while (call->others.texts && (count = wi_tally_next(&call->form, rows, &place, slots)))
        for (uint32_t i = 0; i < count; i++)
            wi_packed_free(slots[i] + call->form.key_words + 1, call->others.texts);
}

static void on_stop(weir_op *op)
{
    const upsert_call *call = weir_op_arg(op);
    upsert_state *state = weir_op_state(op);
    if (!state->layout)
        return;
    free_values(call, &state->rows);
    wi_tally_fini(&call->form, &state->rows);
    wi_pending_fini(&state->pending);
    wi_layout_drop(state->layout);
    wi_free(state->ready);
    wi_free(state->words);
    wi_free(state->keys);
    wi_free(state->values);
    wi_free(state->block);
}

static const weir_operator upsert = {.name = "upsert",
                                     .state_bytes = sizeof(upsert_state),
                                     .start = on_start,
                                     .batch = on_batch,
                                     .frontier = on_frontier,
                                     .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static wi_packing other_fields(const weir_type *type, const weir_key *key)
{
    const weir_field *field = weir_type_fields(type);
    uint32_t *offsets = WI_NEWS(uint32_t, type->field_count), count = 0;
    for (uint32_t f = 0; f < type->field_count; f++) {
        bool in_key = field[f].bytes == 0;
        for (uint32_t k = 0; k < key->count; k++)
            in_key |= key->offsets[k] == field[f].offset;
        if (!in_key)
            offsets[count++] = field[f].offset;
    }
    wi_packing packing = wi_packing_new(type, offsets, count, NULL);
    wi_free(offsets);
    return packing;
}

weir_stream weir_upsert(weir_stream in, weir_key key, weir_order order)
{
    bool fits = wi_takes(in, upsert.name, NULL, key.type) &&
                (!order.by.type || wi_takes(in, upsert.name, NULL, order.by.type));
    if (weir_scope_dims(in.scope) != 1) {
        weir_scope_fail(in.scope,
                        "upsert: which row is the latest needs totally ordered times; those of "
                        "scope `%s` have %d coordinates",
                        in.scope->name, in.scope->dims);
        fits = false;
    }
    upsert_call *call = WI_NEW(upsert_call);
    if (!fits)
        key = (weir_key){.type = in.type}, order.by.type = NULL; /* the dataflow has failed */
    *call = (upsert_call){.key = key, .order = order, .type = in.type};
    call->fields = wi_packing_new(in.type, key.offsets, key.count, NULL);
    call->others = other_fields(in.type, &key);
    call->form = wi_tally_form_of(call->fields.words, call->fields.texts, call->others.words);
    weir_builder *builder = wi_begin(in, WEIR_EXCHANGE(key), &upsert, call, upsert.name, NULL);
    weir_builder_keep(builder, call->fields.fields);
    weir_builder_keep(builder, call->others.fields);
    return wi_end(builder, in.type);
}
