/* Windows of a number of rows: window n has rows [n slide, n slide + size) of its key, which are
 * numbered as they are taken, and fires with the row that fills it.
 *
 * A *pane* is as many rows as divide both the size and the slide, so that windows begin and end
 * with panes. With `combine` a row is folded once, into the newest pane, and what windows have in
 * common is combined once; this is the queue of panes.c, for one key:
 *
 *     accs      suffixes ... | panes ... newest          prefix = the sum of the full panes
 *
 * Suffix i is the sum of pane i and all behind it, up to the first that is still a pane. A window
 * is the first suffix, with prefix; when none is left, the panes are made suffixes, and prefix
 * is empty again. So each pane is added twice. Without `combine` the accs are those of the windows
 * that are open, and a row is folded into each.
 *
 * With `inverse` there are no suffixes: prefix is the sum of all full panes, and so a window; then
 * those that later windows do not have are taken away from it.
 *
 * A row that is taken away is one of the newest pane's, which only open windows have: its number is
 * given away again. */
#include "saved.h"

#include "../../base/alloc.h"

#define FILLS_MAX (UINT32_C(1) << 20) /* windows that one row may fill, if it counts many times */

struct wi_queue {
    int64_t taken;  /* rows: the number of the next one */
    int64_t begins; /* the number with which the next acc begins */
    char **accs;    /* `count` of them, from `first` on, in a ring of `room`, a power of two */
    uint32_t first, count, room;
    uint32_t suffix_count; /* of accs, the first ones */
    char *prefix;          /* NULL: empty */
};

static char **acc_at(const wi_queue *queue, uint32_t index)
{
    return &queue->accs[(queue->first + index) & (queue->room - 1)];
}

static void push_acc(const wi_windowing *call, const wi_window_key *key, wi_queue *queue)
{
    queue->begins += call->how.combine ? call->pane : call->how.slide;
    if (queue->count == queue->room) {
        uint32_t room = queue->room ? queue->room * 2 : 1;
        char **accs = WI_NEWS(char *, room);
        for (uint32_t i = 0; i < queue->count; i++)
            accs[i] = *acc_at(queue, i);
        wi_free(queue->accs);
        queue->accs = accs;
        queue->first = 0;
        queue->room = room;
    }
    *acc_at(queue, queue->count++) = wi_acc_new(call, key);
}

static void pop_acc(const wi_windowing *call, wi_queue *queue)
{
    wi_acc_free(call, *acc_at(queue, 0));
    queue->first++;
    queue->count--;
    queue->suffix_count -= queue->suffix_count > 0;
}

void wi_queue_free(const wi_windowing *call, wi_queue *queue)
{
    if (!queue)
        return;
    while (queue->count)
        pop_acc(call, queue);
    if (queue->prefix)
        wi_acc_free(call, queue->prefix);
    wi_free(queue->accs);
    wi_free(queue);
}

/* ---- windows that are full -------------------------------------------------------------- */

static void drop_prefix(const wi_windowing *call, wi_queue *queue)
{
    if (queue->prefix)
        wi_acc_free(call, queue->prefix);
    queue->prefix = NULL;
}

static void make_suffixes(wi_now *now, wi_queue *queue)
{
    for (uint32_t i = queue->count - 1; i-- > 0;)
        wi_acc_combine(now->call, now->keys, *acc_at(queue, i), *acc_at(queue, i + 1), 1);
    queue->suffix_count = queue->count;
    drop_prefix(now->call, queue);
}

/* The newest pane is full. */
static void add_to_prefix(wi_now *now, const wi_window_key *key, wi_queue *queue)
{
    if (!queue->suffix_count && !now->call->how.inverse)
        return;
    if (!queue->prefix)
        queue->prefix = wi_acc_new(now->call, key);
    wi_acc_combine(now->call, now->keys, queue->prefix, *acc_at(queue, queue->count - 1), 1);
}

/* The window of the first acc, which is of no use afterwards. */
static void fire_first(wi_now *now, const wi_window_key *key, wi_queue *queue)
{
    const weir_windows *how = &now->call->how;
    if (how->combine && !how->inverse && !queue->suffix_count)
        make_suffixes(now, queue);
    wi_window full = {.start = queue->taken - how->size,
                      .last = queue->taken - 1,
                      .acc = how->inverse ? queue->prefix : *acc_at(queue, 0),
                      .changed = true};
    if (queue->prefix && !how->inverse)
        wi_acc_combine(now->call, now->keys, full.acc, queue->prefix, 1);
    wi_now_fire(now, key, &full);
    int64_t over = how->combine ? how->slide / now->call->pane : 1;
    for (int64_t i = 0; i < over; i++) {
        if (how->inverse)
            wi_acc_combine(now->call, now->keys, queue->prefix, *acc_at(queue, 0), -1);
        pop_acc(now->call, queue);
    }
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Folds a row into what has the newest pane. */
static void fold(wi_now *now, wi_queue *queue, const void *row, int64_t diff)
{
    uint32_t from = now->call->how.combine ? queue->count - 1 : 0;
    for (uint32_t i = from; i < queue->count; i++)
        wi_acc_fold(now->call, now->keys, *acc_at(queue, i), row, diff);
}

/* Takes a row `rows` times: pane after pane. */
static void take(wi_now *now, const wi_window_key *key, wi_queue *queue, const void *row,
                 int64_t rows)
{
    const weir_windows *how = &now->call->how;
    int64_t pane = now->call->pane;
    while (rows) {
        int64_t room = pane - queue->taken % pane, some = rows < room ? rows : room;
        if (queue->taken == queue->begins)
            push_acc(now->call, key, queue);
        fold(now, queue, row, some);
        queue->taken += some;
        rows -= some;
        if (some < room)
            return;
        if (how->combine)
            add_to_prefix(now, key, queue);
        if (queue->taken >= how->size && (queue->taken - how->size) % how->slide == 0)
            fire_first(now, key, queue);
    }
}

void wi_now_count(wi_now *now, wi_window_key *key, const weir_batch *batch, uint32_t index)
{
    const void *row = weir_batch_row(batch, index);
    int64_t diff = weir_batch_diff(batch, index);
    if (!key->queue)
        key->queue = WI_NEW(wi_queue);
    wi_queue *queue = key->queue;
    if (diff / FILLS_MAX > now->call->how.slide)
        weir_reject(now->op, batch->type, row,
                    "the row counts %lld times and would fill more than %u windows",
                    (long long)diff, FILLS_MAX);
    else if (diff >= 0)
        take(now, key, queue, row, diff);
    else if (diff < -(queue->taken % now->call->pane))
        wi_window_missed(now->op, batch, index, 1, true);
    else {
        fold(now, queue, row, diff);
        queue->taken += diff;
    }
}

/* ---- saved ------------------------------------------------------------------------------ */

void wi_queue_write(const wi_windowing *call, const wi_queue *queue, wi_saved_bytes *to)
{
    wi_saved_put(to, &(bool){queue != NULL}, sizeof(bool));
    if (!queue)
        return;
    wi_saved_put(to, queue, sizeof *queue);
    for (uint32_t i = 0; i < queue->count; i++)
        wi_saved_put_acc(call, to, *acc_at(queue, i));
    if (queue->prefix)
        wi_saved_put_acc(call, to, queue->prefix);
}

wi_queue *wi_queue_read(const wi_windowing *call, const wi_window_key *key, const char **at)
{
    bool is_there;
    wi_saved_get(at, &is_there, sizeof is_there);
    if (!is_there)
        return NULL;
    wi_queue *queue = WI_NEW(wi_queue);
    wi_saved_get(at, queue, sizeof *queue);
    queue->first = 0;
    queue->accs = WI_NEWS(char *, queue->room ? queue->room : 1);
    for (uint32_t i = 0; i < queue->count; i++)
        queue->accs[i] = wi_saved_get_acc(call, key, at);
    if (queue->prefix)
        queue->prefix = wi_saved_get_acc(call, key, at);
    return queue;
}
