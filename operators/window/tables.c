/* Windows as tables of groups: what the quick ways have in common. */
#include "../../base/batch.h"
#include "window.h"

static void groups_changed(const wi_windowing *call, wi_table *table, const uint32_t *indexes,
                           uint32_t count)
{
    for (uint32_t i = 0; call->text_count && i < count; i++)
        wi_table_own_texts(table, indexes[i]);
}

bool wi_window_fold(weir_op *op, wi_table *table, const weir_batch *batch, uint32_t begin,
                    uint32_t end)
{
    const wi_windowing *call = weir_op_arg(op);
    void *groups[WI_TABLE_BLOCK];
    uint32_t indexes[WI_TABLE_BLOCK];
    for (uint32_t part; begin < end; begin += part) {
        part = end - begin < call->by.block ? end - begin : call->by.block;
        if (!wi_table_reserve(table, op, part))
            return false;
        const char *rows = weir_batch_row(batch, begin);
        const int64_t *diffs = batch->diffs ? batch->diffs + begin : NULL;
        call->by.find(table, rows, part, groups, indexes);
        call->fold->run(rows, groups, diffs, batch->diff, part, call->arg);
        for (uint32_t i = 0; i < part; i++)
            wi_acc_add_rows(call, groups[i], diffs ? diffs[i] : batch->diff);
        groups_changed(call, table, indexes, part);
    }
    return true;
}

/* Adds accs, at most a block, or (diff -1) takes them away. */
static bool combine_block(weir_op *op, wi_table *to, const char *accs, uint32_t count,
                          int64_t diff)
{
    const wi_windowing *call = weir_op_arg(op);
    void *groups[WI_TABLE_BLOCK];
    uint32_t indexes[WI_TABLE_BLOCK];
    if (!wi_table_reserve(to, op, count))
        return false;
    call->by_acc.find(to, accs, count, groups, indexes);
    call->how.combine->run(accs, groups, NULL, diff, count, call->arg);
    for (uint32_t i = 0; i < count; i++) {
        wi_acc_add_rows_of(call, groups[i], accs + i * call->by.type->size, diff);
        wi_acc_add_parts(call, groups[i], diff);
    }
    groups_changed(call, to, indexes, count);
    return true;
}

static bool combine(weir_op *op, wi_table *to, const wi_table *from, int64_t diff)
{
    const wi_windowing *call = weir_op_arg(op);
    bool goes_on = true;
    wi_table_expect(to, from->count);
    to->by = &call->by_acc;
    for (uint32_t group = 0, count; group < from->count && goes_on; group += count) {
        const wi_chunk *chunk = &from->chunks[group >> call->by.chunk_shift];
        uint32_t row = group & ((1u << call->by.chunk_shift) - 1);
        count = (1u << call->by.chunk_shift) - row;
        count = count < call->by.block ? count : call->by.block;
        count = count < from->count - group ? count : from->count - group;
        goes_on = combine_block(op, to, chunk->rows + row * call->by.type->size, count, diff);
    }
    to->by = &call->by;
    return goes_on;
}

bool wi_window_combine(weir_op *op, wi_table *to, const wi_table *from)
{
    return combine(op, to, from, 1);
}

bool wi_window_take_away(weir_op *op, wi_table *from, const wi_table *what)
{
    return combine(op, from, what, -1);
}

bool wi_window_add(weir_op *op, wi_table *to, const weir_batch *accs, uint32_t begin, uint32_t end)
{
    const wi_windowing *call = weir_op_arg(op);
    bool goes_on = true;
    to->by = &call->by_acc;
    for (uint32_t count; begin < end && goes_on; begin += count) {
        count = end - begin < call->by.block ? end - begin : call->by.block;
        goes_on = combine_block(op, to, weir_batch_row(accs, begin), count, 1);
    }
    to->by = &call->by;
    return goes_on;
}

weir_batch *wi_window_finished(const wi_windowing *call, weir_batch *accs)
{
    if (!call->how.finish)
        return accs;
    weir_batch *made = weir_batch_new(call->out, accs->count);
    memset(made->rows, 0, (size_t)accs->count * call->out->size);
    call->how.finish->run(accs->rows, made->rows, accs->count, made, call->arg);
    made->count = accs->count;
    wi_batch_own_texts(made, made->rows, made->count);
    weir_batch_drop(accs);
    return made;
}

/* Sends accs as results of a window. */
static void send_accs(weir_op *op, weir_batch *accs, int64_t start, int64_t last, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    for (uint32_t i = 0; i < accs->count; i++)
        wi_acc_set_limits(call, (char *)accs->rows + i * call->by.type->size, start, last);
    weir_batch *batch = wi_window_finished(call, accs);
    batch->time = WEIR_EPOCH(weir_event_epoch(time));
    weir_send_batch(op, WI_WINDOW_RESULTS, batch);
}

void wi_window_send(weir_op *op, wi_table *table, int64_t start, int64_t last, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    if (call->how.output == WEIR_DISCARDING) { /* what is sent is not for its rows alone to say */
        wi_window_send_copy(op, table, start, last, time);
        return;
    }
    for (uint32_t c = 0; (uint64_t)c << call->by.chunk_shift < table->count; c++) {
        weir_batch *batch = wi_table_take(table, c, call->rows_at);
        send_accs(op, batch, start, last, time);
    }
}

void wi_window_send_copy(weir_op *op, const wi_table *table, int64_t start, int64_t last,
                         int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    uint32_t size = call->by.type->size, chunk_rows = 1u << call->by.chunk_shift;
    for (uint32_t begin = 0; begin < table->count; begin += chunk_rows) {
        uint32_t end = table->count - begin < chunk_rows ? table->count : begin + chunk_rows;
        weir_batch *copy = weir_batch_new(call->by.type, end - begin);
        for (uint32_t i = begin; i < end; i++) {
            const char *acc = wi_window_group(table, i);
            if (wi_acc_is_sent(call, acc))
                memcpy((char *)copy->rows + (size_t)copy->count++ * size, acc, size);
        }
        if (!call->how.finish)
            wi_batch_own_texts(copy, copy->rows, copy->count);
        send_accs(op, copy, start, last, time);
    }
}
