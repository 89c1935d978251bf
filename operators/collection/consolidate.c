/* consolidate: what comes at a time waits in a bin until the time is complete; then the bin is
 * sealed and its rows are sent. Nothing is kept from one time to the next.
 *
 * Sealing gives one large array, and what is sent is copied out of it: its pages are given back
 * as they are read, so that there are never two copies of all rows. */
#include <sys/mman.h>

#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/type.h"
#include "../stream/common.h"
#include "../trace/pending.h"
#include "reduce.h"

#define GIVE_BACK_BYTES ((uintptr_t)2 << 20) /* at a time: a huge page */

typedef struct consolidating {
    wi_layout *layout;
    wi_pending pending;
    wi_bin **ready;
    uint32_t ready_capacity;
} consolidating;

static void on_start(weir_op *op)
{
    const weir_key *key = weir_op_arg(op);
    consolidating *state = weir_op_state(op);
    state->layout = wi_layout_new(key->type, key, NULL);
    wi_pending_init(&state->pending, state->layout);
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    consolidating *state = weir_op_state(op);
    wi_pending_batch(&state->pending, batch);
    for (uint32_t begin = 0; begin < batch->count; begin = wi_same_time(batch, begin)) {
        wi_bin *bin = wi_pending_bin(&state->pending, weir_batch_time(batch, begin));
        if (!bin->capability)
            bin->capability = weir_retain(op, 0, &bin->time);
    }
}

/* Rows [begin, end) of a run as a batch. */
static weir_batch *batch_of(const wi_run *run, const weir_type *type, uint32_t begin, uint32_t end)
{
    const wi_layout *layout = run->layout;
    weir_batch *batch = weir_batch_new(type, end - begin);
    batch->count = end - begin;
    batch->time = run->table[0];
    batch->diff = run->diff;
    wi_layout_decode(layout, wi_run_row(run, begin), layout->words, batch->count, batch->rows);
    wi_batch_own_texts(batch, batch->rows, batch->count);
    if (run->diffs) {
        wi_batch_start_diffs(batch, 0);
        memcpy(batch->diffs, run->diffs + begin, batch->count * sizeof *batch->diffs);
    }
    return batch;
}

/* Gives back the whole huge pages of what was read, [*from, to), and moves *from past them. */
static void give_back(const char **from, const char *to)
{
    uintptr_t begin = ((uintptr_t)*from + GIVE_BACK_BYTES - 1) & ~(GIVE_BACK_BYTES - 1);
    uintptr_t end = (uintptr_t)to & ~(GIVE_BACK_BYTES - 1);
    if (end <= begin)
        return;
    madvise((void *)begin, end - begin, MADV_DONTNEED);
    *from = (const char *)end;
}

static void send_run(weir_op *op, const wi_run *run)
{
    const weir_type *type = ((const weir_key *)weir_op_arg(op))->type;
    uint32_t usual = weir_batch_rows_usual(type);
    const char *read = (const char *)run->rows;
    for (uint32_t begin = 0, end; begin < run->count; begin = end) {
        end = run->count - begin < usual ? run->count : begin + usual;
        weir_send_batch(op, 0, batch_of(run, type, begin, end));
        give_back(&read, (const char *)wi_run_row(run, end));
    }
}

/* Bins are sealed one by one: rows of different times stay in batches of their own. */
static void on_frontier(weir_op *op)
{
    consolidating *state = weir_op_state(op);
    const weir_antichain *upper = weir_op_frontier(op, 0);
    uint32_t count;
    wi_grow(&state->ready, &state->ready_capacity, state->pending.bin_count, sizeof(wi_bin *));
    while ((count = wi_pending_ready(&state->pending, upper, state->ready)) > 0) {
        for (uint32_t b = 0; b < count; b++) {
            wi_run *run = wi_bins_seal(state->layout, &state->ready[b], 1);
            send_run(op, run);
            wi_run_drop(run);
            weir_capability_drop(state->ready[b]->capability);
            wi_bin_free(state->layout, state->ready[b]);
        }
    }
}

static void on_stop(weir_op *op)
{
    consolidating *state = weir_op_state(op);
    if (!state->layout)
        return;
    wi_pending_fini(&state->pending);
    wi_free(state->ready);
    wi_layout_drop(state->layout);
}

static const weir_operator consolidate = {.name = "consolidate",
                                          .state_bytes = sizeof(consolidating),
                                          .start = on_start,
                                          .batch = on_batch,
                                          .frontier = on_frontier,
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
