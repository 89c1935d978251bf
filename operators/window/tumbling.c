/* window, the quick way for tumbling windows without lateness.
 *
 * There is nothing that a row has to wait for: it is in one window, which has not fired as long as
 * the row is not late for it, and takes it at once. So a window is a table of groups, as those of
 * weir_aggregate are, at the window's last instant; rows that go to one window are folded
 * together. The results are those of the general way. */
#include "window.h"

#include "../stream/common.h"

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
            weir_time at = WEIR_EPOCH(weir_event_epoch(last));
            wi_table *table = wi_tables_at(weir_op_state(op), op, &call->by, &at);
            if (!wi_window_fold(op, table, batch, begin, end))
                return;
        } else {
            for (uint32_t i = begin; i < end; i++)
                wi_window_missed(op, batch, i, 1, true);
        }
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    const wi_windowing *call = weir_op_arg(op);
    int64_t last = weir_event_time(time->at[0]);
    int64_t start = last == INT64_MAX ? last - wi_floor_rest(last, call->how.size)
                                      : wi_subtract_saturating(last, call->how.size - 1);
    wi_window_send(op, state, start, last, last);
    wi_tables_drop(weir_op_state(op), state);
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
