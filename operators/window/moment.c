/* What happens to windows at a moment: firing, firing again, and being freed; see moment.h. */
#include "moment.h"

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

void wi_now_changed(wi_now *now, wi_window_key *key, wi_window *window)
{
    if (window->last > now->time && !window->dirty) {
        wi_now_ask(now, key, window->last);
        return;
    }
    window->dirty = true;
    if (window->last < key->dirty_from)
        key->dirty_from = window->last;
    if (!key->touched)
        add_key(now->moment, key);
    key->touched = true;
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

/* The result as a batch of its own. */
static weir_batch *result_of(const wi_windowing *call, const wi_window *window)
{
    weir_batch *made = weir_batch_new(call->out, 1);
    made->count = 1;
    if (call->how.finish) {
        memset(made->rows, 0, call->out->size);
        call->how.finish->run(window->acc, made->rows, 1, made, call->arg);
    } else {
        memcpy(made->rows, window->acc, call->out->size);
    }
    wi_batch_own_texts(made, made->rows, 1);
    return made;
}

static void take_back(wi_now *now, wi_window *window)
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
    sent->row = result_of(now->call, window);
    push(now, sent->row->rows, 1);
    window->sent = sent;
}

static void send(wi_now *now, const wi_window *window)
{
    if (!now->call->how.finish) {
        push(now, window->acc, 1);
        return;
    }
    weir_batch *made = result_of(now->call, window);
    push(now, made->rows, 1);
    weir_batch_drop(made);
}

void wi_now_fire(wi_now *now, const wi_window_key *key, wi_window *window)
{
    const wi_windowing *call = now->call;
    int64_t end = wi_window_end(window);
    memcpy(window->acc + call->start_at, &window->start, sizeof window->start);
    memcpy(window->acc + call->end_at, &end, sizeof end);
    take_back(now, window);
    if (wi_acc_rows(call, window->acc)) {
        if (call->how.output == WEIR_RETRACTING)
            send_and_remember(now, window);
        else
            send(now, window);
    }
    if (call->how.output == WEIR_DISCARDING)
        wi_acc_reset(call, key, window->acc);
    window->fired = true;
    window->dirty = false;
}

/* ---- settling --------------------------------------------------------------------------- */

static void fire_due(wi_now *now, wi_window_key *key)
{
    int64_t from = key->dirty_from < now->time ? key->dirty_from : now->time;
    for (uint32_t i = wi_windows_from(key, from); i < key->count; i++) {
        wi_window *window = &key->windows[i];
        bool due = window->last <= now->time;
        if (due && (window->dirty || !window->fired))
            wi_now_fire(now, key, window);
        else if (window->dirty)
            take_back(now, window);
        else if (!due && now->call->how.kind != WEIR_SESSION)
            break;
        window->dirty = false;
    }
    key->dirty_from = INT64_MAX;
}

/* Frees what is over, and asks for the time at which the key has something to do again. */
static void free_expired(wi_now *now, wi_window_key *key)
{
    int64_t lateness = now->call->how.lateness;
    uint32_t over = 0;
    while (over < key->count &&
           wi_add_saturating(key->windows[over].last, lateness) <= now->time)
        over++;
    wi_windows_remove(now->call, key, 0, over);
    if (!key->count)
        return;
    uint32_t open = key->windows[0].last > now->time ? 0 : wi_windows_from(key, now->time + 1);
    int64_t next = open ? wi_add_saturating(key->windows[0].last, lateness) : INT64_MAX;
    if (open < key->count && key->windows[open].last < next)
        next = key->windows[open].last;
    wi_now_ask(now, key, next);
}

void wi_now_settle(wi_now *now, wi_window_key *key)
{
    if (key->asked && key->asks <= now->time)
        key->asked = false;
    key->touched = false;
    fire_due(now, key);
    free_expired(now, key);
    wi_window_keys_tidy(now->call, now->keys, key);
}

void wi_window_keep(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    wi_moment *at = weir_notify_state(op, weir_batch_time(batch, begin), sizeof *at);
    wi_grow(&at->segments, &at->segment_capacity, at->segment_count + 1, sizeof *at->segments);
    at->segments[at->segment_count++] = (wi_segment){weir_batch_retain(batch), begin, end};
}

void wi_moment_fini(wi_moment *moment)
{
    for (uint32_t i = 0; i < moment->segment_count; i++)
        weir_batch_drop(moment->segments[i].batch);
    wi_free(moment->segments);
    wi_free(moment->keys);
}
