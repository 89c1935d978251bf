/* Rows that are to be sent as lines; see outgoing.h. */
#include "outgoing.h"

#include "../../base/alloc.h"

void wi_outgoing_start(wi_outgoing *out, weir_op *op, const weir_type *type,
                       const wi_lines_how *how, bool sorted, bool one_by_one)
{
    out->op = op;
    out->writer = wi_row_writer_new(type, how);
    out->sorted = sorted;
    out->one_by_one = one_by_one;
}

void wi_outgoing_fini(wi_outgoing *out)
{
    wi_pages_fini(&out->pages);
    wi_updates_fini(&out->page);
    wi_bytes_fini(&out->lines);
    wi_free(out->ends);
    wi_row_writer_free(out->writer);
}

void wi_outgoing_fail(wi_outgoing *out, weir_err *err)
{
    if (!out->failed)
        weir_op_stop(out->op, "%s", weir_err_message(err));
    out->failed = true;
    weir_err_free(err);
}

/* ---- lines ------------------------------------------------------------------------------ */

static void put_line(wi_outgoing *out, const void *row, int64_t diff)
{
    if (out->failed)
        return;
    if (!wi_write_row(out->writer, &out->lines, row, diff)) {
        wi_write_refused(out->op, diff);
        out->failed = true;
    } else if (out->one_by_one) {
        wi_grow(&out->ends, &out->end_capacity, out->end_count + 1, sizeof *out->ends);
        out->ends[out->end_count++] = out->lines.length;
    }
}

static void put_row(wi_outgoing *out, const void *row, int64_t diff)
{
    for (int64_t lines = wi_write_lines(out->writer, &diff); lines > 0 && !out->failed; lines--)
        put_line(out, row, diff);
}

static bool is_full(const wi_outgoing *out)
{
    return out->lines.length >= WI_OUTGOING_BYTES;
}

void wi_outgoing_fill(wi_outgoing *out)
{
    while (!is_full(out) && !out->failed) {
        if (out->next == out->page.count) {
            wi_updates_fini(&out->page);
            out->next = 0;
            if (!wi_pages_take(&out->pages, weir_op_frontier(out->op, 0), &out->page))
                return;
        }
        for (; out->next < out->page.count && !is_full(out); out->next++)
            put_row(out, out->page.updates[out->next].row, out->page.updates[out->next].diff);
    }
}

void wi_outgoing_batch(wi_outgoing *out, const weir_batch *batch)
{
    if (!out->held)
        out->held = weir_retain(out->op, 0, &batch->time);
    if (out->sorted && !wi_pages_add(&out->pages, batch))
        wi_outgoing_fail(out, weir_err_new("has more than 2^32 rows of one time to sort"));
    for (uint32_t i = 0; i < batch->count && !out->sorted; i++)
        put_row(out, weir_batch_row(batch, i), weir_batch_diff(batch, i));
    if (is_full(out))
        weir_op_pause(out->op, 0, true);
    weir_activate(out->op);
}

/* ---- going on --------------------------------------------------------------------------- */

bool wi_outgoing_settle(wi_outgoing *out, bool busy)
{
    if (out->failed)
        return false;
    const weir_antichain *frontier = weir_op_frontier(out->op, 0);
    bool due = out->next < out->page.count || wi_pages_due(&out->pages, frontier);
    weir_op_pause(out->op, 0, is_full(out) || due);
    if (due && !is_full(out))
        weir_activate(out->op);
    if (busy || due || out->lines.length || out->pages.count)
        return false;
    if (frontier->count) {
        weir_capability_drop(out->held);
        out->held = NULL;
    }
    return !frontier->count;
}
