/* window, the general way, for all kinds of windows; what happens when is in moment.h. */
#include "saved.h"

#include "../../base/alloc.h"
#include "../stream/common.h"

#define BLOCK 256 /* rows whose keys are found together */

/* ---- windows of a fixed width ----------------------------------------------------------- */

/* The window of these limits, if need be a new one. *at is where it may be, then where it is. */
static wi_window *window_of(wi_now *now, wi_window_key *key, int64_t start, int64_t last,
                            uint32_t *at)
{
    for (int tries = 0; tries < 2; tries++) {
        wi_window *window = wi_sorted_has(&key->windows, *at) ? wi_window_at(key, *at) : NULL;
        if (window && window->start == start && window->last == last)
            return window;
        *at = wi_windows_place(key, start, last);
    }
    return wi_windows_insert(now->call, key, at, start, last);
}

/* What became of a row. */
typedef struct outcome {
    int64_t windows, missed; /* how many */
    bool waits;              /* some take it only when its stamp is complete */
} outcome;

/* Puts a row into a window, if this is the time: a window takes rows that are not late for it as
 * they come, unless all have to wait, others in the notification. */
static void put(wi_now *now, wi_window_key *key, int64_t start, int64_t last, const void *row,
                int64_t diff, uint32_t *at, outcome *what)
{
    bool waits = last < now->time || now->call->in_turn;
    what->windows++;
    if (wi_expired(now, last)) {
        what->missed++;
        return;
    }
    what->waits |= waits;
    if (waits != (now->moment != NULL))
        return;
    wi_window *window = window_of(now, key, start, last, at);
    wi_acc_fold(now->call, now->keys, window->acc, row, diff);
    if (waits)
        wi_now_changed(now, key, window, wi_event_time_at(row, now->call->time_at), diff);
    else
        wi_now_ask(now, key, last);
}

/* From the latest window to the first. */
static outcome put_into_all(wi_now *now, wi_window_key *key, const void *row, int64_t diff)
{
    const weir_windows *how = &now->call->how;
    int64_t time = wi_event_time_at(row, now->call->time_at);
    int64_t slide = how->kind == WEIR_HOPPING ? how->slide : how->size;
    outcome what = {.windows = 0};
    uint32_t at = UINT32_MAX;
    if (how->kind == WEIR_GLOBAL) {
        put(now, key, INT64_MIN, INT64_MAX, row, diff, &at, &what);
        return what;
    }
    for (int64_t before = wi_floor_rest(time, slide); before < how->size;) {
        put(now, key, wi_subtract_saturating(time, before),
            wi_add_saturating(time, how->size - 1 - before), row, diff, &at, &what);
        at--;
        if (__builtin_add_overflow(before, slide, &before))
            break;
    }
    return what;
}

/* ---- rows that wait --------------------------------------------------------------------- */

static void put_kept(wi_now *now, wi_window_key *key, const weir_batch *batch, uint32_t row)
{
    const void *at = weir_batch_row(batch, row);
    int64_t diff = weir_batch_diff(batch, row);
    if (now->call->how.kind == WEIR_COUNT)
        wi_now_count(now, key, batch, row);
    else if (now->call->how.kind != WEIR_SESSION)
        put_into_all(now, key, at, diff);
    else if (!wi_now_session(now, key, wi_event_time_at(at, now->call->time_at), at, diff))
        wi_window_missed(now->op, batch, row, 1, true);
}

static void put_at_once(wi_now *now, wi_window_key *key, const weir_batch *batch, uint32_t row)
{
    now->time = wi_stamp_of(batch, row);
    outcome what =
        put_into_all(now, key, weir_batch_row(batch, row), weir_batch_diff(batch, row));
    if (what.waits)
        wi_window_keep(now->op, batch, row, row + 1);
    if (what.missed)
        wi_window_missed(now->op, batch, row, what.missed, what.missed == what.windows);
}

/* The keys of some rows, each referred to once for each row. What is read on the way, down to the
 * first window's acc, is asked for from memory a step ahead, so that the waits overlap. */
static void find_keys(const wi_now *now, const weir_batch *batch, uint32_t begin, uint32_t count,
                      wi_window_key **keys_out)
{
    uint64_t hashes[BLOCK];
    weir_key_hash(&now->call->by.in, weir_batch_row(batch, begin), count, hashes);
    for (uint32_t i = 0; i < count; i++)
        wi_window_keys_prefetch(now->keys, hashes[i]);
    for (uint32_t i = 0; i < count; i++)
        wi_window_keys_prefetch_key(now->keys, hashes[i]);
    for (uint32_t i = 0; i < count; i++) {
        keys_out[i] = wi_window_keys_find(now->call, now->keys, weir_batch_row(batch, begin + i),
                                          hashes[i]);
        keys_out[i]->references++;
        __builtin_prefetch(keys_out[i]->windows.only); /* or the list of chunks */
    }
    for (uint32_t i = 0; i < count; i++)
        if (keys_out[i]->windows.count)
            __builtin_prefetch(
                wi_window_at(keys_out[i], wi_sorted_first(&keys_out[i]->windows))->acc, 1);
}

static void put_rows(wi_now *now, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    wi_window_key *keys[BLOCK];
    for (uint32_t count; begin < end; begin += count) {
        count = end - begin < BLOCK ? end - begin : BLOCK;
        find_keys(now, batch, begin, count, keys);
        for (uint32_t i = 0; i < count; i++) {
            if (now->moment)
                put_kept(now, keys[i], batch, begin + i);
            else
                put_at_once(now, keys[i], batch, begin + i);
            keys[i]->references--;
            wi_window_keys_tidy(now->call, now->keys, keys[i]);
        }
    }
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    wi_now now = {.op = op, .call = weir_op_arg(op), .keys = weir_op_state(op)};
    if (now.call->how.kind != WEIR_SESSION && now.call->how.kind != WEIR_COUNT) {
        put_rows(&now, batch, 0, batch->count);
        return;
    }
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_window_keep(op, batch, begin, end);
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    wi_moment *moment = state;
    wi_now now = {.op = op,
                  .call = weir_op_arg(op),
                  .keys = weir_op_state(op),
                  .moment = moment,
                  .time = weir_event_time(time->at[0])};
    wi_segments_order(now.call, &moment->rows);
    for (uint32_t i = 0; i < moment->rows.count; i++) {
        const wi_segment *of = &moment->rows.at[i];
        put_rows(&now, of->batch, of->begin, of->end);
    }
    for (uint32_t i = 0; i < moment->key_count; i++) {
        moment->keys[i]->references--;
        wi_now_settle(&now, moment->keys[i]);
    }
    wi_moment_fini(moment);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *state)
{
    wi_moment_fini(state);
}

static void on_stop(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    if (call->to)
        wi_saved_write(call->to, call, weir_op_state(op));
    wi_window_keys_fini(call, weir_op_state(op));
}

static void on_start(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    wi_now now = {.op = op, .call = call, .keys = weir_op_state(op), .time = INT64_MIN};
    if (call->from)
        wi_saved_read(&now, call->from);
}

const weir_operator wi_window_general = {.name = "window",
                                         .state_bytes = sizeof(wi_window_keys),
                                         .batch = on_batch,
                                         .notify = on_complete,
                                         .discard = on_discard,
                                         .stop = on_stop};

/* The same with a state that is read and saved. */
const weir_operator wi_window_kept = {.name = "window",
                                      .state_bytes = sizeof(wi_window_keys),
                                      .source = true,
                                      .start = on_start,
                                      .batch = on_batch,
                                      .notify = on_complete,
                                      .discard = on_discard,
                                      .stop = on_stop};
