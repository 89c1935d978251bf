/* window, the quick way for hopping windows without lateness: a row is folded once, whatever the
 * number of windows that have it.
 *
 * Pane n is [n slide, (n + 1) slide), a table of groups; window n ends with pane n and has k panes,
 * k = size / slide. Windows fire one after another, and what they have in common is combined once
 * (the sum of a queue, kept as two stacks):
 *
 *     panes       next - k + 1 ...  edge ...            next ...
 *     kept as     suffixes          panes, and `prefix`  panes
 *
 * Suffix i is the sum of panes i to edge - 1, and `prefix` that of panes edge to next - 1. Window
 * `next` is suffix next - k + 1, with prefix, with pane `next`. When no suffixes are left, the
 * panes behind `next` are made the suffixes, and prefix is empty again. So each pane is added
 * twice, and a window is the sum of two tables.
 *
 * A row that is late for some of its windows, but not for all, waits until its stamp is complete;
 * then the windows that it missed have fired, and it is added wherever its pane is a part of.
 *
 * Invariants
 *   P1  While there is a table, a notification is asked for at the last instant of window `next`.
 *   P2  A row that is in time for the window of its own pane finds that pane at or after `next`.
 *   P3  A window before another is not wanted once one has fired, or a waiting row was added:
 *       `next` goes back only while suffixes and prefix are empty. */
#include "moment.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"

typedef __int128 pane_number; /* which are beyond i64 at the ends, if the slide is 1 */

typedef struct pane {
    pane_number index;
    wi_table table;
} pane;

typedef struct panes_state {
    pane **panes; /* from `edge` on, sorted */
    uint32_t count, capacity;
    wi_table **suffixes; /* by index modulo k; NULL: as the next */
    uint32_t suffix_count;
    wi_table prefix;
    pane_number edge, next; /* if there is a table */
} panes_state;

/* ---- panes and windows ------------------------------------------------------------------ */

static int64_t panes_of(const wi_windowing *call)
{
    return call->how.size / call->how.slide;
}

static pane_number pane_of(const wi_windowing *call, int64_t time)
{
    pane_number rest = wi_floor_rest(time, call->how.slide);
    return (time - rest) / call->how.slide;
}

static int64_t saturated(pane_number time)
{
    return time > INT64_MAX ? INT64_MAX : time < INT64_MIN ? INT64_MIN : (int64_t)time;
}

static int64_t last_of(const wi_windowing *call, pane_number window)
{
    return saturated((window + 1) * call->how.slide - 1);
}

static int64_t start_of(const wi_windowing *call, pane_number window)
{
    return saturated((window + 1) * call->how.slide - call->how.size);
}

static wi_table *new_table(const wi_windowing *call)
{
    wi_table *table = WI_NEW(wi_table);
    wi_table_init(table, &call->by);
    return table;
}

static void free_table(wi_table *table)
{
    if (!table)
        return;
    wi_table_fini(table);
    wi_free(table);
}

static bool is_empty(const panes_state *state)
{
    return !state->count && !state->suffix_count;
}

/* Where the pane is, or would be. Mostly the last one, or behind it. */
static uint32_t place_of(const panes_state *state, pane_number index)
{
    uint32_t at = state->count;
    while (at && state->panes[at - 1]->index >= index)
        at--;
    return at;
}

static pane *find_pane(const panes_state *state, pane_number index)
{
    uint32_t at = place_of(state, index);
    return at < state->count && state->panes[at]->index == index ? state->panes[at] : NULL;
}

static pane *pane_at(const wi_windowing *call, panes_state *state, pane_number index)
{
    uint32_t at = place_of(state, index);
    if (at < state->count && state->panes[at]->index == index)
        return state->panes[at];
    pane *new = WI_NEW(pane);
    new->index = index;
    wi_table_init(&new->table, &call->by);
    wi_grow(&state->panes, &state->capacity, state->count + 1, sizeof(pane *));
    memmove(&state->panes[at + 1], &state->panes[at], (state->count++ - at) * sizeof(pane *));
    state->panes[at] = new;
    return new;
}

/* ---- suffixes --------------------------------------------------------------------------- */

static wi_table **suffix_at(const wi_windowing *call, const panes_state *state, pane_number index)
{
    pane_number place = index % panes_of(call);
    return &state->suffixes[place < 0 ? place + panes_of(call) : place];
}

/* The first that is there, at or after an index; NULL: none. */
static wi_table *suffix_from(const wi_windowing *call, const panes_state *state, pane_number index)
{
    for (; state->suffix_count && index < state->edge; index++)
        if (*suffix_at(call, state, index))
            return *suffix_at(call, state, index);
    return NULL;
}

static void set_suffix(const wi_windowing *call, panes_state *state, pane_number index,
                       wi_table *to)
{
    wi_table **at = suffix_at(call, state, index);
    state->suffix_count += (to != NULL) - (*at != NULL);
    *at = to;
}

/* Panes from `first` to before `edge` become suffixes; the later ones stay. */
static bool make_suffixes(weir_op *op, panes_state *state, pane_number edge)
{
    const wi_windowing *call = weir_op_arg(op);
    uint32_t count = place_of(state, edge);
    wi_table *after = NULL;
    bool goes_on = true;
    for (uint32_t i = count; i-- > 0;) {
        wi_table *table = new_table(call);
        *table = state->panes[i]->table;
        if (after && goes_on)
            goes_on = wi_window_combine(op, table, after);
        set_suffix(call, state, state->panes[i]->index, table);
        wi_free(state->panes[i]);
        after = table;
    }
    state->count -= count;
    memmove(state->panes, state->panes + count, state->count * sizeof(pane *));
    state->edge = edge;
    wi_table_fini(&state->prefix);
    return goes_on;
}

/* ---- firing ----------------------------------------------------------------------------- */

static void ask(weir_op *op, int64_t time)
{
    weir_notify_state(op, &WEIR_EPOCH(weir_event_epoch(time)), sizeof(wi_moment));
}

/* The groups of window `next`; the suffix that only it has is used up. */
static wi_table *sum_next(weir_op *op, panes_state *state)
{
    const wi_windowing *call = weir_op_arg(op);
    pane_number first = state->next - panes_of(call) + 1;
    bool goes_on = true;
    pane *newest = find_pane(state, state->next);
    if (newest && !wi_window_combine(op, &state->prefix, &newest->table))
        return NULL;
    if (first >= state->edge && !make_suffixes(op, state, state->next + 1))
        return NULL;
    wi_table *sum = state->edge > first ? *suffix_at(call, state, first) : NULL;
    if (sum) {
        set_suffix(call, state, first, NULL);
    } else {
        sum = new_table(call);
        wi_table *suffix = suffix_from(call, state, first);
        goes_on = !suffix || wi_window_combine(op, sum, suffix);
    }
    if (goes_on && wi_window_combine(op, sum, &state->prefix))
        return sum;
    free_table(sum);
    return NULL;
}

/* Fires all windows that are due at a time, and asks for the next. */
static void fire(weir_op *op, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    panes_state *state = weir_op_state(op);
    while (!is_empty(state) && last_of(call, state->next) <= time) {
        wi_table *sum = sum_next(op, state);
        if (!sum)
            return;
        wi_window_send(op, sum, start_of(call, state->next), last_of(call, state->next));
        free_table(sum);
        state->next++;
    }
    if (!is_empty(state))
        ask(op, last_of(call, state->next));
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Sees to it that window `wanted` will fire; `first` is the first pane that there is. */
static void want(weir_op *op, panes_state *state, pane_number wanted, pane_number first)
{
    if (!is_empty(state) && state->next <= wanted)
        return;
    wi_assert(!state->suffix_count && !state->prefix.count, "P3");
    state->next = wanted;
    state->edge = first;
    ask(op, last_of(weir_op_arg(op), wanted));
}

/* A row that is late for some windows: those that end before `time` have fired. */
static bool put_late(weir_op *op, const weir_batch *batch, uint32_t row, int64_t time)
{
    const wi_windowing *call = weir_op_arg(op);
    panes_state *state = weir_op_state(op);
    pane_number own = pane_of(call, wi_event_time_at(weir_batch_row(batch, row), call->time_at));
    pane_number wanted = own;
    while (last_of(call, wanted) < time)
        wanted++;
    want(op, state, wanted, own);
    if (own >= state->edge) {
        wi_table *table = &pane_at(call, state, own)->table;
        return wi_window_fold(op, table, batch, row, row + 1) &&
               (own >= state->next || wi_window_fold(op, &state->prefix, batch, row, row + 1));
    }
    if (!*suffix_at(call, state, own)) {
        wi_table *table = new_table(call), *after = suffix_from(call, state, own + 1);
        set_suffix(call, state, own, table);
        if (after && !wi_window_combine(op, table, after))
            return false;
    }
    for (pane_number i = state->next - panes_of(call) + 1; i <= own; i++)
        if (*suffix_at(call, state, i) &&
            !wi_window_fold(op, *suffix_at(call, state, i), batch, row, row + 1))
            return false;
    return true;
}

/* A row that is late for the window of its own pane: says what it missed, waits for the rest. */
static void miss(weir_op *op, const weir_batch *batch, uint32_t row, pane_number own)
{
    const wi_windowing *call = weir_op_arg(op);
    int64_t stamp = wi_stamp_of(batch, row), missed = 0;
    while (missed < panes_of(call) && last_of(call, own + missed) < stamp)
        missed++;
    bool late = missed == panes_of(call);
    wi_window_missed(op, batch, row, missed, late);
    if (!late)
        wi_window_keep(op, batch, row, row + 1);
}

static uint32_t same_pane(const wi_windowing *call, const weir_batch *batch, uint32_t begin,
                          pane_number own)
{
    int64_t from = saturated(own * call->how.slide), last = last_of(call, own);
    uint32_t end = begin + 1;
    for (; end < batch->count; end++) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, end), call->time_at);
        if (time < from || time > last || wi_stamp_of(batch, end) > last)
            break;
    }
    return end;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const wi_windowing *call = weir_op_arg(op);
    panes_state *state = weir_op_state(op);
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        int64_t time = wi_event_time_at(weir_batch_row(batch, begin), call->time_at);
        pane_number own = pane_of(call, time);
        end = begin + 1;
        if (wi_stamp_of(batch, begin) > last_of(call, own)) {
            miss(op, batch, begin, own);
            continue;
        }
        end = same_pane(call, batch, begin, own);
        want(op, state, own, own);
        if (!wi_window_fold(op, &pane_at(call, state, own)->table, batch, begin, end))
            return;
    }
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    panes_state *state = weir_op_state(op);
    state->suffixes = WI_NEWS(wi_table *, (size_t)panes_of(call));
    wi_table_init(&state->prefix, &call->by);
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    wi_moment *moment = state;
    int64_t now = weir_event_time(time->at[0]);
    bool goes_on = true;
    for (uint32_t i = 0; i < moment->segment_count; i++) {
        const wi_segment *segment = &moment->segments[i];
        for (uint32_t row = segment->begin; row < segment->end && goes_on; row++)
            goes_on = put_late(op, segment->batch, row, now);
    }
    wi_moment_fini(moment);
    if (goes_on)
        fire(op, now);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *state)
{
    wi_moment_fini(state);
}

static void on_stop(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    panes_state *state = weir_op_state(op);
    for (uint32_t i = 0; i < state->count; i++) {
        wi_table_fini(&state->panes[i]->table);
        wi_free(state->panes[i]);
    }
    for (int64_t i = 0; state->suffixes && i < panes_of(call); i++)
        free_table(state->suffixes[i]);
    wi_free(state->panes);
    wi_free(state->suffixes);
    wi_table_fini(&state->prefix);
}

const weir_operator wi_window_panes = {.name = "window",
                                       .state_bytes = sizeof(panes_state),
                                       .start = on_start,
                                       .batch = on_batch,
                                       .notify = on_complete,
                                       .discard = on_discard,
                                       .stop = on_stop};
