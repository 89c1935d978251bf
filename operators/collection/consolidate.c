/* consolidate: what comes at a time waits until the time is complete; then equal rows are added
 * up, and the rest is sent. Nothing is kept from one time to the next.
 *
 * Rows of a word or two are added up in a hash table as they come (tally.h), which is best where
 * many are equal. Where few are, the table would outgrow the caches and each row miss them: from
 * some size on, rows are put into bins instead, as all others are, and dealt by hash when the
 * time is complete (row_bin.h). Then later times begin with bins, until a small one comes. */
#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "emit.h"
#include "pack.h"
#include "reduce.h"
#include "row_bin.h"
#include "tally.h"

#define TALLY_WORDS 2
#define REPEATS 64

/* Different rows, from which on they have to come twice or more. Tests make it small. */
uint64_t wi_consolidate_rows = 1u << 17;

typedef struct consolidating {
    wi_row_bins bins;
    wi_packing packing;
    wi_tally_form form;
    bool may_tally;
    bool spread; /* the last large time had few equal rows */
    uint64_t *keys;
    weir_batch *row; /* while a tally is spread out */
} consolidating;

/* What has come at a time. */
typedef struct waiting {
    wi_tally tally;
    wi_row_bin bin;
    uint64_t rows;
    bool begun, in_bin;
} waiting;

static void on_start(weir_op *op)
{
    const weir_key *key = weir_op_arg(op);
    consolidating *state = weir_op_state(op);
    const weir_type *type = key->type;
    wi_row_bins_init(&state->bins, type);
    state->packing = wi_packing_new(type, NULL, type->field_count, type);
    state->form = wi_tally_form_of(state->packing.words, state->packing.texts, 0);
    state->may_tally =
        !state->packing.texts && state->packing.words && state->packing.words <= TALLY_WORDS;
    state->keys = WI_NEWS(uint64_t, WI_TALLY_BLOCK * (state->packing.words + 1u));
}

/* ---- rows come -------------------------------------------------------------------------- */

/* Adds up a block. A slot's count must not become -2^63: such a row goes into the bin. */
static void tally_block(consolidating *state, waiting *at, const weir_batch *batch, uint32_t begin,
                        uint32_t count)
{
    uint64_t *slots[WI_TALLY_BLOCK];
    uint32_t word = state->form.key_words;
    wi_pack(&state->packing, weir_batch_row(batch, begin), batch->type->size, count, state->keys);
    wi_tally_reserve(&state->form, &at->tally, count);
    wi_tally_find(&state->form, &at->tally, state->keys, count, false, slots);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t sum = slots[i][word] + (uint64_t)weir_batch_diff(batch, begin + i);
        if (WEIR_LIKELY(sum))
            slots[i][word] = sum;
        else
            wi_row_bin_add(&state->bins, &at->bin, batch, begin + i, begin + i + 1);
    }
}

/* How many rows of diff `one` make up the sum; more than REPEATS: a few do not. */
static uint64_t repeats(uint64_t sum, int64_t one)
{
    uint64_t rows = 0;
    while (sum && rows <= REPEATS) {
        sum -= (uint64_t)one;
        rows++;
    }
    return rows;
}

static void put_row(consolidating *state, waiting *at, const uint64_t *words, int64_t diff)
{
    weir_batch *batch = state->row;
    wi_unpack(&state->packing, words, batch, batch->rows);
    batch->count = 1;
    batch->diff = diff;
    wi_row_bin_add(&state->bins, &at->bin, batch, 0, 1);
}

/* Puts those into the bin of which there are more than `before`; whether there are any. */
static bool put_rows(consolidating *state, waiting *at, int64_t one, uint64_t before)
{
    uint64_t *slots[WI_TALLY_BLOCK], place = 0;
    uint32_t count;
    bool any = false;
    while ((count = wi_tally_next(&state->form, &at->tally, &place, slots)))
        for (uint32_t i = 0; i < count; i++) {
            uint64_t sum = slots[i][state->form.key_words] ^ WI_TALLY_BIAS;
            uint64_t rows = repeats(sum, one);
            if (rows > REPEATS && before == 0)
                put_row(state, at, slots[i], (int64_t)sum);
            if (rows <= before || rows > REPEATS)
                continue;
            put_row(state, at, slots[i], one);
            any = true;
        }
    return any;
}

/* From the tally into the bin. Diffs become rows, where there are rows enough: a single other
 * diff would give all of the bin's rows a column. Equal ones do not lie together, or a sample of
 * a few would find all the others equal, too. */
static void spread_out(consolidating *state, waiting *at, int64_t one)
{
    state->row = weir_batch_new(state->bins.type, 1);
    memset(state->row->rows, 0, state->bins.type->size);
    for (uint64_t before = 0; put_rows(state, at, one, before); before++)
        ;
    weir_batch_drop(state->row);
    wi_tally_fini(&state->form, &at->tally);
    at->in_bin = state->spread = true;
}

static void add(consolidating *state, waiting *at, const weir_batch *batch, uint32_t begin,
                uint32_t end)
{
    if (!at->begun)
        at->in_bin = !state->may_tally || state->spread;
    at->begun = true;
    at->rows += end - begin;
    while (begin < end && !at->in_bin) {
        uint32_t count = end - begin < WI_TALLY_BLOCK ? end - begin : WI_TALLY_BLOCK;
        tally_block(state, at, batch, begin, count);
        begin += count;
        if (WEIR_UNLIKELY(at->tally.count >= wi_consolidate_rows) &&
            at->rows - (end - begin) < 2 * at->tally.count)
            spread_out(state, at, weir_batch_diff(batch, begin - 1));
    }
    if (begin < end)
        wi_row_bin_add(&state->bins, &at->bin, batch, begin, end);
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        waiting *at = weir_notify_state(op, weir_batch_time(batch, begin), sizeof *at);
        add(weir_op_state(op), at, batch, begin, end);
    }
}

/* ---- a time is complete ----------------------------------------------------------------- */

static void send_tally(const consolidating *state, waiting *at, weir_op *op, const weir_time *time)
{
    uint64_t *slots[WI_TALLY_BLOCK], place = 0;
    uint32_t count, word = state->form.key_words;
    wi_emit emit;
    wi_emit_begin(&emit, op, state->bins.type, time, at->tally.count);
    while ((count = wi_tally_next(&state->form, &at->tally, &place, slots)))
        for (uint32_t i = 0; i < count; i++) {
            int64_t diff = (int64_t)(slots[i][word] ^ WI_TALLY_BIAS);
            if (diff) {
                char *row = wi_emit_row(&emit, diff);
                wi_unpack(&state->packing, slots[i], emit.batch, row);
            }
        }
    wi_emit_end(&emit);
}

static void on_complete(weir_op *op, const weir_time *time, void *of_time)
{
    consolidating *state = weir_op_state(op);
    waiting *at = of_time;
    if (at->tally.count)
        send_tally(state, at, op, time);
    wi_tally_fini(&state->form, &at->tally);
    wi_row_bin_send(&state->bins, &at->bin, op, time);
    state->spread &= at->rows >= wi_consolidate_rows;
}

static void on_discard(weir_op *op, void *of_time)
{
    const consolidating *state = weir_op_state(op);
    waiting *at = of_time;
    wi_tally_fini(&state->form, &at->tally);
    wi_row_bin_fini(&at->bin);
}

static void on_stop(weir_op *op)
{
    consolidating *state = weir_op_state(op);
    wi_row_bins_fini(&state->bins);
    wi_free(state->packing.fields);
    wi_free(state->keys);
}

static const weir_operator consolidate = {.name = "consolidate",
                                          .state_bytes = sizeof(consolidating),
                                          .start = on_start,
                                          .batch = on_batch,
                                          .notify = on_complete,
                                          .discard = on_discard,
                                          .stop = on_stop};

weir_stream weir_consolidate(weir_stream in)
{
    uint32_t fields = in.type->field_count;
    weir_key *key = WI_NEW(weir_key);
    *key = wi_key_of_first(in.type, fields < WEIR_KEY_FIELDS_MAX ? fields : WEIR_KEY_FIELDS_MAX);
    weir_builder *builder =
        wi_begin(in, WEIR_EXCHANGE(*key), &consolidate, key, consolidate.name, NULL);
    return wi_end(builder, in.type);
}
