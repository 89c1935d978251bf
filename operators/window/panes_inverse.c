/* Panes that can be taken away again (`inverse`): what the windows share is one running sum.
 *
 *     panes       first of `next` ...  prefixed ...      last of `next` ...
 *     kept as     panes, and prefix    panes
 *
 * Before window `next` fires, its panes from `prefixed` on are added, and prefix is what it sends;
 * then the panes that the window after it does not have are taken away. So each pane is added and
 * taken away once, and there is one table beside the panes.
 *
 * A group of prefix counts the panes that have it, whatever its rows add up to: rows of several
 * panes may do so to 0. When none has it any more it is made as new, with what rounding may have
 * left in it; and when most are like this, the others move to a smaller table. */
#include "panes.h"

#include "../../base/assert.h"

static bool has_panes(const wi_windowing *call, const wi_table *table, uint32_t index)
{
    return wi_acc_parts(call, wi_window_group(table, index)) != 0;
}

/* Those of the groups that a pane has, as a table of their own. */
static wi_table *copy_groups(weir_op *op, const wi_table *from)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_table *copy = wi_panes_table(call);
    uint32_t mask = (1u << call->by.chunk_shift) - 1;
    bool goes_on = true;
    wi_table_expect(copy, from->count);
    for (uint32_t i = 0, end; i < from->count && goes_on; i = end) {
        end = i + 1;
        if (!has_panes(call, from, i))
            continue;
        while (end < from->count && end & mask && has_panes(call, from, end))
            end++;
        const wi_chunk *chunk = &from->chunks[i >> call->by.chunk_shift];
        goes_on = wi_window_add(op, copy, chunk->batch, i & mask, ((end - 1) & mask) + 1);
    }
    if (goes_on)
        return copy;
    wi_panes_free_table(call, copy);
    return NULL;
}

/* Makes groups that no pane has as new. Returns how many there are. */
static uint32_t clear_groups(const wi_windowing *call, wi_table *table)
{
    uint32_t cleared = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        if (has_panes(call, table, i))
            continue;
        char *acc = wi_window_group(table, i);
        if (call->how.release)
            call->how.release(acc, call->arg);
        memset(acc + call->start_at, 0, call->by.type->size - call->start_at);
        cleared++;
    }
    return cleared;
}

/* Moves the groups that a pane has to a table without the others. */
static void leave_cleared(weir_op *op, wi_table *table, uint32_t cleared)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_table moved;
    wi_table_init(&moved, &call->by_acc);
    bool fits = wi_table_reserve(&moved, op, table->count - cleared);
    wi_assert(fits, "more groups than there were");
    for (uint32_t i = 0; i < table->count; i++) {
        if (!has_panes(call, table, i))
            continue;
        char *from = wi_window_group(table, i);
        void *to;
        uint32_t index;
        call->by_acc.find(&moved, from, 1, &to, &index);
        memcpy((char *)to + call->start_at, from + call->start_at,
               call->by.type->size - call->start_at);
        if (call->text_count)
            wi_table_own_texts(&moved, index);
    }
    wi_table_fini(table);
    *table = moved;
    table->by = &call->by;
}

bool wi_panes_close_sum(weir_op *op, wi_panes *state)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_number window = state->next, later = wi_first_pane(call, window + 1);
    if (wi_panes_stay(call)) {
        wi_table *copy = copy_groups(op, &state->prefix);
        if (!copy)
            return false;
        wi_panes_close(op, window, copy);
    } else {
        int64_t last = wi_last_of(call, window);
        wi_window_send_copy(op, &state->prefix, wi_start_of(call, window), last, last);
    }
    for (uint32_t i = 0; i < state->count && state->panes[i]->index < later; i++)
        if (!wi_window_take_away(op, &state->prefix, &state->panes[i]->table))
            return false;
    uint32_t cleared = clear_groups(call, &state->prefix);
    if (cleared > state->prefix.count / 2)
        leave_cleared(op, &state->prefix, cleared);
    return true;
}

bool wi_panes_fold_late(weir_op *op, wi_panes *state, wi_pane *pane, const weir_batch *batch,
                        uint32_t row)
{
    const wi_windowing *call = weir_op_arg(op);
    uint32_t groups = pane->table.count, index;
    if (!wi_window_fold(op, &pane->table, batch, row, row + 1))
        return false;
    if (pane->index >= state->prefixed)
        return true;
    if (!wi_window_fold(op, &state->prefix, batch, row, row + 1))
        return false;
    if (pane->table.count == groups)
        return true;
    void *group;
    call->by.find(&state->prefix, weir_batch_row(batch, row), 1, &group, &index);
    wi_acc_add_parts(call, group, 1);
    return true;
}
