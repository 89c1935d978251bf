/* Changes at one time, sent in batches; see emit.h. */
#include "emit.h"

#include "../../base/batch.h"
#include "../../base/type.h"

void wi_emit_begin(wi_emit *emit, weir_op *op, const weir_type *type, const weir_time *time,
                   uint64_t expected)
{
    *emit = (wi_emit){.op = op,
                      .type = type,
                      .time = *time,
                      .padded = wi_type_padded(type),
                      .expected = expected};
}

void wi_emit_end(wi_emit *emit)
{
    if (emit->batch)
        weir_send_batch(emit->op, 0, emit->batch);
    emit->batch = NULL;
}

void wi_emit_prepare(wi_emit *emit, int64_t diff)
{
    if (emit->batch && emit->batch->count == emit->batch->capacity)
        wi_emit_end(emit);
    if (!emit->batch) {
        uint32_t rows = weir_batch_rows_usual(emit->type);
        if (emit->expected && emit->expected < rows)
            rows = (uint32_t)emit->expected;
        emit->expected -= emit->expected < rows ? emit->expected : rows;
        emit->batch = weir_batch_new(emit->type, rows);
        emit->batch->time = emit->time;
        emit->batch->diff = diff;
    } else if (!emit->batch->diffs) {
        wi_batch_start_diffs(emit->batch, emit->batch->count);
    }
}
