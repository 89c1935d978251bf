/* consolidate: what comes at a time waits in a bin until the time is complete; then equal rows
 * are added up, and the rest is sent. Nothing is kept from one time to the next. */
#include <weir/collection.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "reduce.h"
#include "row_bin.h"

static void on_start(weir_op *op)
{
    const weir_key *key = weir_op_arg(op);
    wi_row_bins_init(weir_op_state(op), key->type);
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_row_bin *bin = weir_notify_state(op, weir_batch_time(batch, begin), sizeof *bin);
        wi_row_bin_add(weir_op_state(op), bin, batch, begin, end);
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *bin)
{
    wi_row_bin_send(weir_op_state(op), bin, op, time);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *bin)
{
    wi_row_bin_fini(bin);
}

static void on_stop(weir_op *op)
{
    wi_row_bins_fini(weir_op_state(op));
}

static const weir_operator consolidate = {.name = "consolidate",
                                          .state_bytes = sizeof(wi_row_bins),
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
