/* window, the quick way: tumbling windows without lateness, whose results are sent as they are.
 *
 * There is nothing that a row has to wait for: it is in one window, which has not fired as long as
 * the row is not late for it, and takes it at once. So a window is a table of groups, as those of
 * weir_aggregate are, at the window's last instant; rows that go to one window are folded
 * together. The results are those of the general way. */
#include "window.h"

#include "../stream/common.h"

/* Rows [begin, end) are of the window with this last instant, and not late. */
static bool fold_run(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end,
                     int64_t last)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_table *table = wi_tables_at(weir_op_state(op), op, &call->by,
                                   &WEIR_EPOCH(weir_event_epoch(last)));
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
        for (uint32_t i = 0; call->text_count && i < part; i++)
            wi_table_own_texts(table, indexes[i]);
    }
    return true;
}

/* Where rows end that are in the same window as row `begin`, and as late. */
static uint32_t same_window(const wi_windowing *call, const weir_batch *batch, uint32_t begin,
                            int64_t start, int64_t last)
{
    bool late = wi_stamp_of(batch, begin) > last;
    uint32_t end = begin + 1;
    for (; end < batch->count; end++) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, end), call->time_at);
        if (time < start || time > last || (wi_stamp_of(batch, end) > last) != late)
            break;
    }
    return end;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const wi_windowing *call = weir_op_arg(op);
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, begin), call->time_at);
        int64_t before = wi_floor_rest(time, call->how.size);
        int64_t start = wi_subtract_saturating(time, before);
        int64_t last = wi_add_saturating(time, call->how.size - 1 - before);
        end = same_window(call, batch, begin, start, last);
        if (wi_stamp_of(batch, begin) <= last) {
            if (!fold_run(op, batch, begin, end, last))
                return;
        } else {
            for (uint32_t i = begin; i < end; i++)
                wi_window_missed(op, batch, i, 1, true);
        }
    }
}

/* start and end, which are the same in all groups. */
static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_table *table = state;
    int64_t last = weir_event_time(time->at[0]), end = wi_add_saturating(last, 1);
    int64_t start = last == INT64_MAX ? last - wi_floor_rest(last, call->how.size)
                                      : wi_subtract_saturating(last, call->how.size - 1);
    for (uint32_t group = 0; group < table->count; group++) {
        char *acc = table->chunks[group >> call->by.chunk_shift].rows +
                    (group & ((1u << call->by.chunk_shift) - 1)) * call->by.type->size;
        memcpy(acc + call->start_at, &start, sizeof start);
        memcpy(acc + call->end_at, &end, sizeof end);
    }
    wi_tables_send(weir_op_state(op), table, op, time, call->rows_at);
}

static void on_stop(weir_op *op)
{
    wi_tables_stop(weir_op_state(op));
}

const weir_operator wi_window_tumbling = {.name = "window",
                                          .state_bytes = sizeof(wi_tables),
                                          .batch = on_batch,
                                          .notify = on_complete,
                                          .stop = on_stop};
