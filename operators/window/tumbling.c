/* window, the quick way for tumbling windows without lateness.
 *
 * There is nothing that a row has to wait for: it is in one window, which has not fired as long as
 * the row is not late for it, and takes it at once. So a window is a table of groups, as those of
 * weir_aggregate are, at the window's last instant; rows that go to one window are folded
 * together. The results are those of the general way. */
#include "window.h"

#include "../stream/common.h"

typedef struct tumbling_state {
    wi_tables tables;
    uint32_t usual; /* groups of the last window that closed */
} tumbling_state;

static wi_table *table_at(weir_op *op, const weir_time *last)
{
    const wi_windowing *call = weir_op_arg(op);
    tumbling_state *state = weir_op_state(op);
    wi_table *table = wi_tables_at(&state->tables, op, &call->by, last);
    if (!table->slots)
        wi_table_expect(table, state->usual);
    return table;
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

/* What was folded before the exchange. */
static void add_accs(weir_op *op, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_table *table = table_at(op, weir_batch_time(batch, begin));
        if (!wi_window_add(op, table, batch, begin, end))
            return;
    }
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    const wi_windowing *call = weir_op_arg(op);
    if (input == WI_WINDOW_ACCS) {
        add_accs(op, batch);
        return;
    }
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, begin), call->time_at);
        int64_t before = wi_floor_rest(time, call->how.size);
        int64_t start = wi_subtract_saturating(time, before);
        int64_t last = wi_add_saturating(time, call->how.size - 1 - before);
        end = same_window(call, batch, begin, start, last);
        if (wi_stamp_of(batch, begin) <= last) {
            weir_time at = WEIR_EPOCH(weir_event_epoch(last));
            wi_table *table = table_at(op, &at);
            if (!wi_window_fold(op, table, batch, begin, end))
                return;
        } else {
            for (uint32_t i = begin; i < end; i++)
                wi_window_missed(op, batch, i, 1, true);
        }
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *table)
{
    const wi_windowing *call = weir_op_arg(op);
    tumbling_state *state = weir_op_state(op);
    int64_t last = weir_event_time(time->at[0]);
    int64_t start = last == INT64_MAX ? last - wi_floor_rest(last, call->how.size)
                                      : wi_subtract_saturating(last, call->how.size - 1);
    state->usual = ((const wi_table *)table)->count;
    wi_window_send(op, table, start, last, last);
    wi_tables_drop(&state->tables, table);
}

static void on_stop(weir_op *op)
{
    tumbling_state *state = weir_op_state(op);
    wi_tables_stop(&state->tables);
}

const weir_operator wi_window_tumbling = {.name = "window",
                                          .state_bytes = sizeof(tumbling_state),
                                          .batch = on_batch,
                                          .notify = on_complete,
                                          .stop = on_stop};
