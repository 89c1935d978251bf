/* What happens to windows at a moment: firing, firing again, and being freed; see moment.h. */
#include "moment.h"

#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"

/* ---- what is to be settled -------------------------------------------------------------- */

static void add_key(wi_moment *to, wi_window_key *key)
{
    wi_grow(&to->keys, &to->key_capacity, to->key_count + 1, sizeof *to->keys);
    to->keys[to->key_count++] = key;
    key->references++;
}

void wi_now_ask(wi_now *now, wi_window_key *key, int64_t time)
{
    if (key->asked && key->asks <= time)
        return;
    key->asked = true;
    key->asks = time;
    add_key(weir_notify_state(now->op, &WEIR_EPOCH(weir_event_epoch(time)), sizeof(wi_moment)),
            key);
}

int64_t wi_before_multiple(int64_t every, int64_t time, int64_t stamp)
{
    int64_t later = time > stamp ? time : stamp;
    return wi_add_saturating(later, every - 1 - wi_floor_rest(later, every));
}

/* What the trigger says: whether the row makes the window fire now, and when it is to fire. */
static bool fires_at_once(const wi_now *now, wi_window *window, int64_t time, int64_t diff)
{
    const weir_trigger *trigger = &now->call->how.trigger;
    if (trigger->every) {
        int64_t from = now->call->how.kind == WEIR_GLOBAL ? time : window->start;
        int64_t due = wi_before_multiple(trigger->every, from, now->time);
        window->due = due < window->due ? due : window->due;
    }
    if (!trigger->rows)
        return false;
    window->fresh = (int64_t)((uint64_t)window->fresh + (uint64_t)diff);
    return window->fresh >= trigger->rows;
}

static void touch(wi_now *now, wi_window_key *key)
{
    if (!key->touched)
        add_key(now->moment, key);
    key->touched = true;
}

static void mark(wi_window_key *key, int64_t last)
{
    wi_grow(&key->marks, &key->mark_capacity, key->mark_count + 1, sizeof *key->marks);
    key->marks[key->mark_count++] = last;
}

void wi_now_changed(wi_now *now, wi_window_key *key, wi_window *window, int64_t time,
                    int64_t diff)
{
    const weir_trigger *trigger = &now->call->how.trigger;
    window->changed = true;
    bool fires = fires_at_once(now, window, time, diff);
    key->due = window->due < key->due ? window->due : key->due;
    if (fires)
        wi_now_fire(now, key, window);
    bool closes = window->last <= now->time, due = window->due <= now->time;
    window->closed |= window->last < now->time; /* before this row: it will not do so again */
    if (!closes && !due)
        wi_now_ask(now, key, window->due < window->last ? window->due : window->last);
    window->dirty |= closes && window->changed && !trigger->not_on_close;
    if ((window->dirty || window->wrong || trigger->each) && !window->marked) {
        window->marked = true;
        mark(key, window->last);
    }
    if (closes || due || fires || window->wrong || trigger->each)
        touch(now, key);
}

/* ---- firing ----------------------------------------------------------------------------- */

static void push(wi_now *now, const void *row, int64_t diff)
{
    if (!now->results)
        now->results = weir_send_at(now->op, WI_WINDOW_RESULTS,
                                    &WEIR_EPOCH(weir_event_epoch(now->time)));
    weir_out_diff(now->results, diff);
    weir_out_row(now->results, row);
}

weir_batch *wi_acc_result(const wi_windowing *call, const char *acc)
{
    weir_batch *made = weir_batch_new(call->out, 1);
    made->count = 1;
    if (call->how.finish) {
        memset(made->rows, 0, call->out->size);
        call->how.finish->run(acc, made->rows, 1, made, call->arg);
    } else {
        memcpy(made->rows, acc, call->out->size);
    }
    wi_batch_own_texts(made, made->rows, 1);
    return made;
}

void wi_now_take_back(wi_now *now, wi_window *window)
{
    for (wi_sent *sent = window->sent, *next; sent; sent = next) {
        next = sent->next;
        push(now, sent->row->rows, -1);
        weir_batch_drop(sent->row);
        wi_free(sent);
    }
    window->sent = NULL;
}

static void send_and_remember(wi_now *now, wi_window *window)
{
    wi_sent *sent = WI_NEW(wi_sent);
    sent->row = wi_acc_result(now->call, window->acc);
    push(now, sent->row->rows, 1);
    window->sent = sent;
}

static void send(wi_now *now, const wi_window *window)
{
    if (!now->call->how.finish) {
        push(now, window->acc, 1);
        return;
    }
    weir_batch *made = wi_acc_result(now->call, window->acc);
    push(now, made->rows, 1);
    weir_batch_drop(made);
}

void wi_now_fire(wi_now *now, const wi_window_key *key, wi_window *window)
{
    const wi_windowing *call = now->call;
    window->dirty = window->wrong = false;
    window->fresh = 0;
    window->due = WI_NEVER;
    if (call->how.output == WEIR_RETRACTING && !window->changed)
        return;
    window->changed = false;
    wi_cells_refresh(call, now->keys, key, window);
    wi_acc_set_limits(call, window->acc, window->start, window->last);
    wi_now_take_back(now, window);
    if (wi_acc_is_sent(call, window->acc)) {
        if (call->how.output == WEIR_RETRACTING)
            send_and_remember(now, window);
        else
            send(now, window);
    }
    if (call->how.output == WEIR_DISCARDING)
        wi_acc_reset(call, key, window->acc);
}

/* ---- settling --------------------------------------------------------------------------- */

uint32_t wi_few_windows = 16;

/* Whether a window fires at the end of this moment. */
static bool is_due(const wi_now *now, const wi_window *window)
{
    const weir_trigger *trigger = &now->call->how.trigger;
    if (window->last <= now->time && !trigger->not_on_close)
        return window->dirty || (window->last == now->time && !window->closed);
    bool due = window->due <= now->time && window->due != WI_NEVER;
    return due || (trigger->each && window->changed);
}

static void settle_window(wi_now *now, const wi_window_key *key, wi_window *window)
{
    if (is_due(now, window))
        wi_now_fire(now, key, window);
    else if (window->wrong)
        wi_now_take_back(now, window);
    window->closed |= window->last <= now->time; /* it may have, before it was saved */
    window->dirty = window->wrong = window->marked = false;
}

static int compare_times(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void settle_those(wi_now *now, const wi_window_key *key, int64_t last)
{
    const wi_sorted *windows = &key->windows;
    for (uint32_t i = wi_windows_from(key, last);
         i < wi_sorted_end(windows) && wi_window_at(key, i)->last == last;
         i = wi_sorted_next(windows, i))
        settle_window(now, key, wi_window_at(key, i));
}

static void settle_all(wi_now *now, wi_window_key *key)
{
    const wi_sorted *windows = &key->windows;
    key->due = WI_NEVER;
    for (uint32_t i = wi_sorted_first(windows); i < wi_sorted_end(windows);
         i = wi_sorted_next(windows, i)) {
        wi_window *window = wi_window_at(key, i);
        settle_window(now, key, window);
        key->due = window->due < key->due ? window->due : key->due;
    }
}

/* Of a key's windows: those that close now, and those that are marked, in order. All are looked at
 * if they are not many more, and when the trigger makes some fire: these are not marked. */
static void fire_due(wi_now *now, wi_window_key *key)
{
    bool few = key->windows.count < wi_few_windows * (uint64_t)key->mark_count;
    if (few || (key->due <= now->time && key->due != WI_NEVER)) {
        settle_all(now, key);
    } else if (key->mark_count) {
        mark(key, now->time);
        qsort(key->marks, key->mark_count, sizeof *key->marks, compare_times);
        for (uint32_t i = 0; i < key->mark_count; i++)
            settle_those(now, key, key->marks[i]);
    } else {
        settle_those(now, key, now->time);
    }
    key->mark_count = 0;
}

/* A window of all time that has discarded what it had is as a new one. */
static bool is_over(const wi_now *now, const wi_window *window)
{
    const weir_windows *how = &now->call->how;
    return wi_add_saturating(window->last, how->lateness) <= now->time ||
           (how->kind == WEIR_GLOBAL && how->output == WEIR_DISCARDING && !window->changed);
}

void wi_now_ask_next(wi_now *now, wi_window_key *key)
{
    const wi_sorted *windows = &key->windows;
    if (!windows->count)
        return;
    uint32_t first = wi_sorted_first(windows), end = wi_sorted_end(windows);
    const wi_window *earliest = wi_window_at(key, first);
    uint32_t open = earliest->last > now->time ? first : wi_windows_from(key, now->time + 1);
    int64_t next = INT64_MAX;
    if (open != first)
        next = wi_add_saturating(earliest->last, now->call->how.lateness);
    if (open < end && wi_window_at(key, open)->last < next)
        next = wi_window_at(key, open)->last;
    wi_now_ask(now, key, key->due < next ? key->due : next);
}

static void free_expired(wi_now *now, wi_window_key *key)
{
    const wi_sorted *windows = &key->windows;
    uint32_t first = wi_sorted_first(windows), over = first;
    int64_t last = INT64_MIN;
    for (; over < wi_sorted_end(windows) && is_over(now, wi_window_at(key, over));
         over = wi_sorted_next(windows, over))
        last = wi_window_at(key, over)->last;
    if (over != first && key->cells.count)
        wi_cells_forget(now->call, key, last);
    wi_windows_remove(now->call, key, first, over);
}

void wi_now_settle(wi_now *now, wi_window_key *key)
{
    if (key->asked && key->asks <= now->time)
        key->asked = false;
    key->touched = false;
    fire_due(now, key);
    free_expired(now, key);
    wi_now_ask_next(now, key);
    wi_window_keys_tidy(now->call, now->keys, key);
}

void wi_window_keep(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    wi_moment *at = weir_notify_state(op, weir_batch_time(batch, begin), sizeof *at);
    wi_segments_add(&at->rows, batch, begin, end);
}

void wi_moment_fini(wi_moment *moment)
{
    wi_segments_fini(&moment->rows);
    wi_free(moment->keys);
}
