/* Windows of panes that have closed, and still take rows: late ones, which make them fire again,
 * once for all rows of a stamp. See panes.h.
 *
 * A closed window is a table of its own until its lateness is over, so a late row costs what it
 * does elsewhere: it is folded into each window that has it. A result that is to be taken back is
 * made again from the group before that is given the row, so it is the one that was sent. When
 * discarding there is nothing to keep: the late rows of a stamp are a table, which is sent. */
#include "panes.h"

#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"

static bool discards(const wi_windowing *call)
{
    return call->how.output == WEIR_DISCARDING;
}

/* ---- closed windows --------------------------------------------------------------------- */

/* Where the window is, or would be. */
static uint32_t place_of(const wi_panes *state, wi_number window)
{
    uint32_t low = 0, high = state->closed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->closed[middle].index < window)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(weir_op *op, wi_number window, wi_table *groups)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    uint32_t at = place_of(state, window);
    wi_grow(&state->closed, &state->closed_capacity, state->closed_count + 1, sizeof(wi_closed));
    memmove(&state->closed[at + 1], &state->closed[at],
            (state->closed_count++ - at) * sizeof(wi_closed));
    state->closed[at] = (wi_closed){.index = window, .table = groups};
    wi_panes_ask(op, wi_add_saturating(wi_last_of(call, window), call->how.lateness));
}

/* The table of a window that has closed; a new one if it has had no rows. */
static wi_table *closed_table(weir_op *op, wi_number window)
{
    wi_panes *state = weir_op_state(op);
    uint32_t at = place_of(state, window);
    if (at == state->closed_count || state->closed[at].index != window)
        insert(op, window, wi_panes_table(weir_op_arg(op)));
    return state->closed[at].table;
}

void wi_panes_close(weir_op *op, wi_number window, wi_table *groups)
{
    const wi_windowing *call = weir_op_arg(op);
    int64_t start = wi_start_of(call, window), last = wi_last_of(call, window);
    bool stays = wi_panes_stay(call);
    if (stays || call->how.release)
        wi_window_send_copy(op, groups, start, last, last);
    else
        wi_window_send(op, groups, start, last, last);
    if (stays)
        insert(op, window, groups);
    else
        wi_panes_free_table(call, groups);
}

void wi_panes_forget(weir_op *op, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    uint32_t over = 0;
    while (over < state->closed_count &&
           wi_add_saturating(wi_last_of(call, state->closed[over].index), call->how.lateness) <=
               time)
        wi_panes_free_table(call, state->closed[over++].table);
    state->closed_count -= over;
    if (over)
        memmove(state->closed, state->closed + over, state->closed_count * sizeof(wi_closed));
}

/* ---- late rows -------------------------------------------------------------------------- */

/* A late row and a window that takes it, which has closed. */
typedef struct late {
    wi_number window;
    const weir_batch *batch;
    uint32_t row, group; /* the group in the window's table */
} late;

typedef struct lates {
    late *at;
    uint32_t count, capacity;
} lates;

static void find_windows(const wi_windowing *call, const weir_batch *batch, uint32_t row,
                         int64_t time, lates *to)
{
    wi_number pane = wi_pane_of(call, wi_event_time_at(weir_batch_row(batch, row), call->time_at));
    for (wi_number window = wi_first_window(call, pane), last = wi_last_window(call, pane);
         window <= last && wi_last_of(call, window) < time; window++) {
        if (wi_is_over(call, wi_last_of(call, window), time))
            continue;
        wi_grow(&to->at, &to->capacity, to->count + 1, sizeof *to->at);
        to->at[to->count++] = (late){.window = window, .batch = batch, .row = row};
    }
}

static bool find_group(weir_op *op, late *of)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_table *table = closed_table(op, of->window);
    void *group;
    if (!wi_table_reserve(table, op, 1))
        return false;
    call->by.find(table, weir_batch_row(of->batch, of->row), 1, &group, &of->group);
    return true;
}

static int compare_groups(const void *a, const void *b)
{
    const late *x = a, *y = b;
    if (x->window != y->window)
        return x->window < y->window ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group;
}

/* Sends the results of the groups, each once; they are sorted. */
static void send_groups(weir_op *op, const lates *of, int64_t time, int64_t diff)
{
    const wi_windowing *call = weir_op_arg(op);
    weir_out *out = weir_send_at(op, WI_WINDOW_RESULTS, &WEIR_EPOCH(weir_event_epoch(time)));
    weir_out_diff(out, diff);
    for (uint32_t i = 0; i < of->count; i++) {
        const late *one = &of->at[i];
        if (i && compare_groups(one, one - 1) == 0)
            continue;
        char *acc = wi_window_group(closed_table(op, one->window), one->group);
        if (!wi_acc_rows(call, acc))
            continue;
        wi_acc_set_limits(call, acc, wi_start_of(call, one->window),
                          wi_last_of(call, one->window));
        weir_batch *result = wi_acc_result(call, acc);
        weir_out_row(out, result->rows);
        weir_batch_drop(result);
    }
}

/* Folds each row into the windows that it was found for, in the order in which rows came. */
static bool fold(weir_op *op, const lates *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        const late *one = &of->at[i];
        if (!wi_window_fold(op, closed_table(op, one->window), one->batch, one->row, one->row + 1))
            return false;
    }
    return true;
}

static void send_news(weir_op *op, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    for (uint32_t i = 0; i < state->closed_count; i++) {
        wi_closed *one = &state->closed[i];
        int64_t start = wi_start_of(call, one->index), last = wi_last_of(call, one->index);
        if (call->how.release)
            wi_window_send_copy(op, one->table, start, last, time);
        else
            wi_window_send(op, one->table, start, last, time);
        wi_panes_free_table(call, one->table);
    }
    state->closed_count = 0;
}

static bool change(weir_op *op, lates *all, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    for (uint32_t i = 0; i < all->count && !discards(call); i++)
        if (!find_group(op, &all->at[i]))
            return false;
    lates sorted = {WI_NEWS(late, all->count), all->count, all->count};
    memcpy(sorted.at, all->at, all->count * sizeof *all->at);
    qsort(sorted.at, sorted.count, sizeof *sorted.at, compare_groups);
    if (call->how.output == WEIR_RETRACTING)
        send_groups(op, &sorted, time, -1);
    bool goes_on = fold(op, all);
    if (goes_on && discards(call))
        send_news(op, time);
    else if (goes_on)
        send_groups(op, &sorted, time, 1);
    wi_free(sorted.at);
    return goes_on;
}

bool wi_panes_fire_again(weir_op *op, const wi_moment *moment, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    lates all = {.count = 0};
    for (uint32_t i = 0; i < moment->rows.count; i++) {
        const wi_segment *segment = &moment->rows.at[i];
        for (uint32_t row = segment->begin; row < segment->end; row++)
            find_windows(call, segment->batch, row, time, &all);
    }
    bool goes_on = !all.count || change(op, &all, time);
    wi_free(all.at);
    return goes_on;
}
