/* window, before the exchange: rows of windows of a fixed width are folded where they are, and what
 * is sent to the worker of their key is an acc for each window (or pane) and key.
 *
 * A unit is a window, if they tumble, or a pane. Rows that are in time for their unit's end, which
 * is known from their stamp, are folded into the unit's table; it is sent at its last instant,
 * when that is complete, and combined there. All other rows are passed on as they are: what is late
 * for what is decided in one place only.
 *
 * With few keys that is far less to be exchanged. With many it is nearly as much, and more work:
 * when a table has TABLE_GROUPS groups it is sent at once; and if there were fewer than
 * ROWS_A_GROUP rows for each of them, the next PASSED_ROWS rows are passed on before it is tried
 * again. */
#include "window.h"

#include "../../base/alloc.h"
#include "../stream/common.h"

#define TABLE_GROUPS 16384
#define ROWS_A_GROUP 4
#define PASSED_ROWS (UINT64_C(1) << 20)

/* The outputs. */
enum { ROWS, ACCS };

typedef struct unit {
    wi_table table; /* first: it is kept with the operator's others */
    uint64_t rows;  /* in it */
} unit;

typedef struct local_state {
    wi_tables tables;
    uint64_t to_pass;
} local_state;

static void send_table(weir_op *op, wi_table *table, int64_t last)
{
    for (uint32_t c = 0; (uint64_t)c << table->by->chunk_shift < table->count; c++) {
        weir_batch *batch = wi_table_take(table, c, WI_TABLE_ALL);
        batch->time = WEIR_EPOCH(weir_event_epoch(last));
        weir_send_batch(op, ACCS, batch);
    }
}

static void pass_on(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    local_state *state = weir_op_state(op);
    state->to_pass -= end - begin < state->to_pass ? end - begin : state->to_pass;
    if (begin == 0 && end == batch->count) {
        weir_forward(op, ROWS, batch);
        return;
    }
    weir_out_copy(weir_send_at(op, ROWS, &batch->time), batch, begin, end);
}

/* A table that has become large: sent, and empty again. */
static void send_early(weir_op *op, unit *of, int64_t last)
{
    local_state *state = weir_op_state(op);
    if (of->rows < (uint64_t)of->table.count * ROWS_A_GROUP)
        state->to_pass = PASSED_ROWS;
    send_table(op, &of->table, last);
    wi_table *next = of->table.next, *previous = of->table.previous;
    wi_table_fini(&of->table);
    of->table.next = next;
    of->table.previous = previous;
    of->rows = 0;
}

/* Where rows end that are in the same unit as row `begin`, and, like it, in time or not. */
static uint32_t same_unit(const wi_windowing *call, const weir_batch *batch, uint32_t begin,
                          int64_t start, int64_t last, bool in_time)
{
    uint32_t end = begin + 1;
    for (; end < batch->count; end++) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, end), call->time_at);
        if (time < start || time > last || (wi_stamp_of(batch, end) <= last) != in_time)
            break;
    }
    return end;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const wi_windowing *call = weir_op_arg(op);
    local_state *state = weir_op_state(op);
    int64_t width = call->pane; /* of a tumbling window, its size */
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        if (state->to_pass) {
            pass_on(op, batch, begin, batch->count);
            return;
        }
        int64_t time = wi_event_time_at(weir_batch_row(batch, begin), call->time_at);
        int64_t before = wi_floor_rest(time, width);
        int64_t last = wi_add_saturating(time, width - 1 - before);
        bool in_time = wi_stamp_of(batch, begin) <= last;
        end = same_unit(call, batch, begin, wi_subtract_saturating(time, before), last, in_time);
        if (!in_time) {
            pass_on(op, batch, begin, end);
            continue;
        }
        unit *of = weir_notify_state(op, &WEIR_EPOCH(weir_event_epoch(last)), sizeof *of);
        if (!of->table.by)
            wi_tables_add(&state->tables, &of->table, &call->by);
        if (!wi_window_fold(op, &of->table, batch, begin, end))
            return;
        of->rows += end - begin;
        if (of->table.count >= TABLE_GROUPS)
            send_early(op, of, last);
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    unit *of = state;
    local_state *all = weir_op_state(op);
    send_table(op, &of->table, weir_event_time(time->at[0]));
    wi_tables_drop(&all->tables, &of->table);
}

static void on_stop(weir_op *op)
{
    local_state *state = weir_op_state(op);
    wi_tables_stop(&state->tables);
}

static const weir_operator local = {.name = "window_local",
                                    .state_bytes = sizeof(local_state),
                                    .batch = on_batch,
                                    .notify = on_complete,
                                    .stop = on_stop};

weir_stream wi_window_local(weir_stream in, const wi_windowing *call, weir_stream *rows_out)
{
    size_t bytes = sizeof *call + call->text_count * sizeof *call->text_at;
    wi_windowing *own = wi_alloc(bytes);
    memcpy(own, call, bytes);
    own->text_at = (uint32_t *)(own + 1);
    weir_builder *builder = wi_begin(in, WEIR_LOCAL, &local, own, local.name, call->fold->name);
    *rows_out = weir_builder_output(builder, in.type);
    weir_stream accs = weir_builder_output(builder, call->by.type);
    weir_operator_end(builder);
    return accs;
}
