/* window, the quick way for windows of a fixed width that overlap, or that still take rows after
 * they have closed: a row that is not late is folded once, whatever the number of windows that
 * have it.
 *
 * Each pane is a table of groups. Windows fire one after another, and what they have in common is
 * combined once (the sum of a queue, kept as two stacks):
 *
 *     panes       first of `next` ...  edge ...          prefixed ...      last of `next` ...
 *     kept as     suffixes             panes, and prefix  panes
 *
 * Suffix i is the sum of panes i to edge - 1, and prefix that of panes edge to prefixed - 1. To
 * fire, window `next` adds its panes from `prefixed` on to prefix, and is its first suffix, with
 * prefix. When no suffixes are left for it, its panes are made the suffixes, and prefix is
 * empty again. So each pane is added twice, and a window is the sum of two tables.
 *
 * With `inverse` there are no suffixes: see panes_inverse.c.
 *
 * A row that is late for some of its windows, but not for all, waits until its stamp is complete;
 * then the windows that it missed have fired, and it is added wherever its pane is a part of.
 *
 * Invariants
 *   P1  While there is a table, a notification is asked for at the last instant of window `next`.
 *   P2  A row that is in time for the first window of its pane finds that pane at or after
 *       `prefixed`.
 *   P3  A window before another is not wanted once one has fired, or a waiting row was added:
 *       `next` goes back only while suffixes and prefix are empty.
 *   P4  With `inverse` prefix is the sum of the panes before `prefixed`, and all panes are of
 *       window `next` or later ones; `edge` is not beyond the first of `next`. */
#include "panes.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../stream/common.h"

/* ---- tables ----------------------------------------------------------------------------- */

wi_table *wi_panes_table(const wi_windowing *call)
{
    wi_table *table = WI_NEW(wi_table);
    wi_table_init(table, &call->by);
    return table;
}

static void fini_table(const wi_windowing *call, wi_table *table)
{
    for (uint32_t i = 0; call->how.release && i < table->count; i++)
        call->how.release(wi_window_group(table, i), call->arg);
    wi_table_fini(table);
}

void wi_panes_free_table(const wi_windowing *call, wi_table *table)
{
    if (!table)
        return;
    fini_table(call, table);
    wi_free(table);
}

static bool is_empty(const wi_panes *state)
{
    return !state->count && !state->suffix_count;
}

/* Where the pane is, or would be. Mostly the last one, or behind it. */
static uint32_t place_of(const wi_panes *state, wi_number index)
{
    uint32_t at = state->count;
    while (at && state->panes[at - 1]->index >= index)
        at--;
    return at;
}

static wi_pane *pane_at(const wi_windowing *call, wi_panes *state, wi_number index)
{
    uint32_t at = place_of(state, index);
    if (at < state->count && state->panes[at]->index == index)
        return state->panes[at];
    wi_pane *new = WI_NEW(wi_pane);
    new->index = index;
    wi_table_init(&new->table, &call->by);
    wi_table_expect(&new->table, state->usual);
    wi_grow(&state->panes, &state->capacity, state->count + 1, sizeof(wi_pane *));
    memmove(&state->panes[at + 1], &state->panes[at], (state->count++ - at) * sizeof(wi_pane *));
    state->panes[at] = new;
    return new;
}

/* The first `count` are in other places now, or gone. */
static void shift_panes(wi_panes *state, uint32_t count)
{
    state->count -= count;
    memmove(state->panes, state->panes + count, state->count * sizeof(wi_pane *));
}

/* Panes before `first` are no window's any more. */
static void drop_panes(const wi_windowing *call, wi_panes *state, wi_number first)
{
    uint32_t count = 0;
    for (; count < state->count && state->panes[count]->index < first; count++) {
        fini_table(call, &state->panes[count]->table);
        wi_free(state->panes[count]);
    }
    shift_panes(state, count);
}

/* ---- suffixes --------------------------------------------------------------------------- */

static wi_table **suffix_at(const wi_windowing *call, const wi_panes *state, wi_number index)
{
    wi_number place = index % call->panes;
    return &state->suffixes[place < 0 ? place + call->panes : place];
}

/* The first that is there, at or after an index; NULL: none. */
static wi_table *suffix_from(const wi_windowing *call, const wi_panes *state, wi_number index)
{
    for (; state->suffix_count && index < state->edge; index++)
        if (*suffix_at(call, state, index))
            return *suffix_at(call, state, index);
    return NULL;
}

static void set_suffix(const wi_windowing *call, wi_panes *state, wi_number index, wi_table *to)
{
    wi_table **at = suffix_at(call, state, index);
    state->suffix_count += (to != NULL) - (*at != NULL);
    *at = to;
}

/* The panes before `edge` become suffixes; the later ones stay. */
static bool make_suffixes(weir_op *op, wi_panes *state, wi_number edge)
{
    const wi_windowing *call = weir_op_arg(op);
    uint32_t count = place_of(state, edge);
    wi_table *after = NULL;
    bool goes_on = true;
    for (uint32_t i = count; i-- > 0;) {
        wi_table *table = wi_panes_table(call);
        *table = state->panes[i]->table;
        if (after && goes_on)
            goes_on = wi_window_combine(op, table, after);
        set_suffix(call, state, state->panes[i]->index, table);
        wi_free(state->panes[i]);
        after = table;
    }
    shift_panes(state, count);
    state->edge = state->prefixed = edge;
    fini_table(call, &state->prefix);
    return goes_on;
}

/* ---- firing ----------------------------------------------------------------------------- */

void wi_panes_ask(weir_op *op, int64_t time)
{
    weir_notify_state(op, &WEIR_EPOCH(weir_event_epoch(time)), sizeof(wi_moment));
}

/* The panes that only `next` of all windows so far has. */
static bool add_to_prefix(weir_op *op, wi_panes *state, wi_number end)
{
    bool goes_on = true;
    for (uint32_t i = place_of(state, state->prefixed);
         i < state->count && state->panes[i]->index < end && goes_on; i++)
        goes_on = wi_window_combine(op, &state->prefix, &state->panes[i]->table);
    state->prefixed = end;
    return goes_on;
}

/* The suffix that later windows do not have, taken away; or a copy of the first one. */
static wi_table *take_suffix(weir_op *op, wi_panes *state, bool *goes_on)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_number first = wi_first_pane(call, state->next), later = first + call->panes_apart;
    wi_table *taken = NULL;
    for (wi_number i = first; i < later && i < state->edge; i++) {
        wi_table *suffix = *suffix_at(call, state, i);
        set_suffix(call, state, i, NULL);
        if (taken)
            wi_panes_free_table(call, suffix);
        else
            taken = suffix;
    }
    if (taken)
        return taken;
    wi_table *suffix = suffix_from(call, state, later);
    taken = wi_panes_table(call);
    *goes_on = !suffix || wi_window_combine(op, taken, suffix);
    return taken;
}

/* The groups of window `next`. NULL if the execution is stopped. */
static wi_table *sum_next(weir_op *op, wi_panes *state)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_number first = wi_first_pane(call, state->next), end = first + call->panes;
    bool goes_on = true;
    if (first >= state->edge)
        goes_on = make_suffixes(op, state, end);
    else
        goes_on = add_to_prefix(op, state, end);
    wi_table *sum = goes_on ? take_suffix(op, state, &goes_on) : NULL;
    if (goes_on && wi_window_combine(op, sum, &state->prefix))
        return sum;
    wi_panes_free_table(call, sum);
    return NULL;
}

/* Window `next` fires. */
static bool close_next(weir_op *op, wi_panes *state)
{
    const wi_windowing *call = weir_op_arg(op);
    if (state->count)
        state->usual = state->panes[0]->table.count;
    if (call->how.inverse)
        return add_to_prefix(op, state, wi_last_pane(call, state->next) + 1) &&
               wi_panes_close_sum(op, state);
    wi_table *sum = sum_next(op, state);
    if (sum)
        wi_panes_close(op, state->next, sum);
    return sum != NULL;
}

/* From here on nothing is added up yet; `first` is the first pane that there is. */
static void begin_with(const wi_windowing *call, wi_panes *state, wi_number next, wi_number first)
{
    state->next = next;
    state->edge = state->prefixed = call->how.inverse ? wi_first_pane(call, next) : first;
}

/* To the window after `next`; or, if it and others have no rows, to the first that has. */
static void go_on(const wi_windowing *call, wi_panes *state)
{
    state->next++;
    if (state->suffix_count)
        return;
    wi_number first = wi_first_pane(call, state->next);
    if (first >= state->edge)
        drop_panes(call, state, first);
    if (!state->count || state->panes[0]->index <= wi_last_pane(call, state->next))
        return;
    fini_table(call, &state->prefix);
    wi_number index = state->panes[0]->index;
    begin_with(call, state, wi_first_window(call, index), index);
}

/* Fires all windows that are due at a time, and asks for the next. */
static void fire(weir_op *op, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    while (!is_empty(state) && wi_last_of(call, state->next) <= time) {
        if (!close_next(op, state))
            return;
        go_on(call, state);
    }
    if (is_empty(state))
        fini_table(call, &state->prefix);
    else
        wi_panes_ask(op, wi_last_of(call, state->next));
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Sees to it that window `wanted` will fire; `first` is the first pane that there is. */
static void want(weir_op *op, wi_panes *state, wi_number wanted, wi_number first)
{
    if (!is_empty(state) && state->next <= wanted) {
        if (first < state->edge && state->prefixed == state->edge && !state->suffix_count)
            state->edge = state->prefixed = first;
        return;
    }
    wi_assert(!state->suffix_count && !state->prefix.count, "P3");
    begin_with(weir_op_arg(op), state, wanted, first);
    wi_panes_ask(op, wi_last_of(weir_op_arg(op), wanted));
}

/* A row of pane `own` that is late for some windows: those that end before `time` have fired. */
static bool put_late(weir_op *op, const weir_batch *batch, uint32_t row, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    wi_number own = wi_pane_of(call, wi_event_time_at(weir_batch_row(batch, row), call->time_at));
    wi_number wanted = wi_first_window(call, own), last = wi_last_window(call, own);
    while (wanted <= last && wi_last_of(call, wanted) < time)
        wanted++;
    if (wanted > last)
        return true;
    want(op, state, wanted, own);
    if (call->how.inverse)
        return wi_panes_fold_late(op, state, pane_at(call, state, own), batch, row);
    if (own >= state->edge) {
        wi_table *table = &pane_at(call, state, own)->table;
        return wi_window_fold(op, table, batch, row, row + 1) &&
               (own >= state->prefixed ||
                wi_window_fold(op, &state->prefix, batch, row, row + 1));
    }
    if (!*suffix_at(call, state, own)) {
        wi_table *table = wi_panes_table(call), *after = suffix_from(call, state, own + 1);
        set_suffix(call, state, own, table);
        if (after && !wi_window_combine(op, table, after))
            return false;
    }
    for (wi_number i = wi_first_pane(call, state->next); i <= own; i++)
        if (*suffix_at(call, state, i) &&
            !wi_window_fold(op, *suffix_at(call, state, i), batch, row, row + 1))
            return false;
    return true;
}

/* A row that is late for the first window of its pane: says what it missed, waits for the rest. */
static void miss(weir_op *op, const weir_batch *batch, uint32_t row, wi_number own)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_number first = wi_first_window(call, own), last = wi_last_window(call, own);
    int64_t stamp = wi_stamp_of(batch, row), missed = 0;
    while (first + missed <= last && wi_is_over(call, wi_last_of(call, first + missed), stamp))
        missed++;
    bool late = first + missed > last;
    if (missed)
        wi_window_missed(op, batch, row, missed, late);
    if (!late)
        wi_window_keep(op, batch, row, row + 1);
}

/* Where rows end that are of the same pane as row `begin`, and stamped at or before `until`. */
static uint32_t same_pane(const wi_windowing *call, const weir_batch *batch, uint32_t begin,
                          wi_number own, int64_t until)
{
    int64_t from = wi_saturated(own * call->pane), last = wi_saturated((own + 1) * call->pane - 1);
    uint32_t end = begin + 1;
    for (; end < batch->count; end++) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, end), call->time_at);
        if (time < from || time > last || wi_stamp_of(batch, end) > until)
            break;
    }
    return end;
}

/* What was folded before the exchange. */
static void add_accs(weir_op *op, const weir_batch *batch)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_number own = wi_pane_of(call, wi_stamp_of(batch, begin));
        want(op, state, wi_first_window(call, own), own);
        if (!wi_window_add(op, &pane_at(call, state, own)->table, batch, begin, end))
            return;
    }
}

static void on_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    if (input == WI_WINDOW_ACCS) {
        add_accs(op, batch);
        return;
    }
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, begin), call->time_at);
        wi_number own = wi_pane_of(call, time), first = wi_first_window(call, own);
        int64_t until = wi_last_of(call, first);
        end = begin + 1;
        if (wi_stamp_of(batch, begin) > until) {
            miss(op, batch, begin, own);
            continue;
        }
        end = same_pane(call, batch, begin, own, until);
        want(op, state, first, own);
        if (!wi_window_fold(op, &pane_at(call, state, own)->table, batch, begin, end))
            return;
    }
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    state->suffixes = WI_NEWS(wi_table *, (size_t)call->panes);
    wi_table_init(&state->prefix, &call->by);
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    wi_moment *moment = state;
    int64_t now = weir_event_time(time->at[0]);
    bool goes_on = true;
    for (uint32_t i = 0; i < moment->rows.count; i++) {
        const wi_segment *segment = &moment->rows.at[i];
        for (uint32_t row = segment->begin; row < segment->end && goes_on; row++)
            goes_on = put_late(op, segment->batch, row, now);
    }
    if (goes_on && moment->rows.count)
        goes_on = wi_panes_fire_again(op, moment, now);
    wi_moment_fini(moment);
    if (goes_on)
        fire(op, now);
    wi_panes_forget(op, now);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *state)
{
    wi_moment_fini(state);
}

static void on_stop(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_panes *state = weir_op_state(op);
    for (uint32_t i = 0; i < state->count; i++) {
        fini_table(call, &state->panes[i]->table);
        wi_free(state->panes[i]);
    }
    for (int64_t i = 0; state->suffixes && i < call->panes; i++)
        wi_panes_free_table(call, state->suffixes[i]);
    for (uint32_t i = 0; i < state->closed_count; i++)
        wi_panes_free_table(call, state->closed[i].table);
    wi_free(state->panes);
    wi_free(state->suffixes);
    wi_free(state->closed);
    fini_table(call, &state->prefix);
}

const weir_operator wi_window_panes = {.name = "window",
                                       .state_bytes = sizeof(wi_panes),
                                       .start = on_start,
                                       .batch = on_batch,
                                       .notify = on_complete,
                                       .discard = on_discard,
                                       .stop = on_stop};
