/* window, the quick way for sessions without lateness, triggers, or memory of their accs' own.
 *
 * What a row needs lies together: a key's entry has its first session, with the acc, behind it, so
 * that finding both is one wait for memory; those of a block of rows overlap. Other sessions of the
 * key, which are open at the same time only if rows are far out of order, are kept in their order.
 * Rows wait until their stamp is complete, in the order in which they came (or see order.h); then
 * they are folded in blocks, and sessions whose last instant that is are sent. The results are the
 * general way's.
 *
 * Invariants
 *   Q1  Before the rows of stamp T are handled, no session is there whose last instant is before T.
 *   Q2  For each entry with sessions a notification is asked for, no later than the first of their
 *       last instants. It may be earlier: a session that grows asks again only then.
 *   Q3  An entry without sessions (`empty`) is there only while a notification refers to it.
 *   Q4  The session beside the entry is the earliest of its key. Sessions do not touch, so that
 *       their starts have the order of their ends. */
#include "order.h"
#include "session_quick.h"
#include "window.h"

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../stream/common.h"

#define BLOCK 256 /* rows whose entries are found together */
#define BUCKETS_MIN 64

typedef wi_quick_session session;
typedef wi_quick_entry entry;
typedef wi_quick_keys sessions;

/* Of a time: rows with that stamp, and entries of which a session may end then. */
typedef struct moment {
    wi_segments rows;
    entry **entries;
    uint32_t entry_count, entry_capacity;
} moment;

/* The notification that is being handled. */
typedef struct present {
    weir_op *op;
    const wi_windowing *call;
    sessions *state;
    moment *at;
    int64_t time;
    weir_batch *closed; /* to be sent */
    /* Rows [from, to) of `batch` are to be folded into accs[0], ... */
    const weir_batch *batch;
    uint32_t from, to;
    void *accs[BLOCK];
} present;

static char *acc_of(session *it)
{
    return (char *)(it + 1);
}

/* ---- entries ---------------------------------------------------------------------------- */

static size_t session_bytes(const wi_windowing *call)
{
    return sizeof(session) + call->by.type->size;
}

/* A text of the key that is not in its handle. */
static void each_long_text(const wi_windowing *call, entry *it, void (*visit)(weir_text *text))
{
    for (uint32_t f = 0; f < call->by.acc.count; f++) {
        if (call->by.acc.bytes[f] != WEIR_KEY_TEXT)
            continue;
        char *acc = acc_of(wi_quick_first(it));
        weir_text *text = (weir_text *)(void *)(acc + call->by.acc.offsets[f]);
        if (text->length > WEIR_TEXT_INLINE)
            visit(text);
    }
}

static void own_text(weir_text *text)
{
    char *bytes = wi_alloc(text->length);
    memcpy(bytes, text->at, text->length);
    text->at = bytes;
}

static void free_text(weir_text *text)
{
    wi_free((void *)(uintptr_t)text->at);
}

static void grow(sessions *state)
{
    uint32_t old = state->buckets ? state->mask + 1 : 0, size = old ? old * 2 : BUCKETS_MIN;
    entry **buckets = WI_NEWS(entry *, size);
    for (uint32_t b = 0; b < old; b++)
        for (entry *it = state->buckets[b], *next; it; it = next) {
            next = it->next;
            it->next = buckets[(uint32_t)it->hash & (size - 1)];
            buckets[(uint32_t)it->hash & (size - 1)] = it;
        }
    wi_free(state->buckets);
    state->buckets = buckets;
    state->mask = size - 1;
}

static inline bool same_key(const wi_windowing *call, entry *it, const char *row)
{
    const char *acc = acc_of(wi_quick_first(it));
    if (call->by.in.count == 1 && call->by.in.bytes[0] == 8)
        return memcmp(acc, row + call->by.in.offsets[0], 8) == 0;
    return weir_key_equal(&call->by.acc, acc, &call->by.in, row);
}

static inline entry *find(const wi_windowing *call, const sessions *state, const char *row,
                          uint64_t hash)
{
    entry *it = state->buckets[(uint32_t)hash & state->mask];
    while (it && (it->hash != hash || !same_key(call, it, row)))
        it = it->next;
    return it;
}

static entry *new_entry(const wi_windowing *call, sessions *state, const char *row, uint64_t hash)
{
    if (state->count > state->mask)
        grow(state);
    entry *it = state->unused;
    if (it)
        state->unused = it->next;
    else
        it = wi_alloc(sizeof *it + session_bytes(call));
    entry **bucket = &state->buckets[(uint32_t)hash & state->mask];
    memset(it, 0, sizeof *it + session_bytes(call));
    it->hash = hash;
    it->empty = true;
    it->next = *bucket;
    *bucket = it;
    state->count++;
    for (uint32_t f = 0; f < call->by.in.count; f++) {
        uint32_t bytes = call->by.in.bytes[f];
        memcpy(acc_of(wi_quick_first(it)) + call->by.acc.offsets[f], row + call->by.in.offsets[f],
               bytes == WEIR_KEY_TEXT ? sizeof(weir_text) : bytes);
    }
    each_long_text(call, it, own_text);
    return it;
}

static void tidy(const wi_windowing *call, sessions *state, entry *it)
{
    if (!it->empty || it->references)
        return;
    entry **at = &state->buckets[(uint32_t)it->hash & state->mask];
    while (*at != it)
        at = &(*at)->next;
    *at = it->next;
    state->count--;
    each_long_text(call, it, free_text);
    it->next = state->unused;
    state->unused = it;
}

/* ---- sessions --------------------------------------------------------------------------- */

static void ask(present *now, entry *it, int64_t time)
{
    if (it->asked && it->asks <= time)
        return;
    it->asked = true;
    it->asks = time;
    moment *at = time <= now->time
                     ? now->at
                     : weir_notify_state(now->op, &WEIR_EPOCH(weir_event_epoch(time)), sizeof *at);
    wi_grow(&at->entries, &at->entry_capacity, at->entry_count + 1, sizeof *at->entries);
    at->entries[at->entry_count++] = it;
    it->references++;
}

/* Folds the rows that have their accs. */
static void fold_pending(present *now)
{
    const wi_windowing *call = now->call;
    const weir_batch *batch = now->batch;
    uint32_t count = now->to - now->from;
    const int64_t *diffs = batch->diffs ? batch->diffs + now->from : NULL;
    if (count)
        call->fold->run(weir_batch_row(batch, now->from), now->accs, diffs, batch->diff, count,
                        call->arg);
    for (uint32_t i = 0; i < count; i++)
        wi_acc_add_rows(call, now->accs[i], diffs ? diffs[i] : batch->diff);
    now->from = now->to;
}

static inline bool joins(const session *it, int64_t start, int64_t last)
{
    return it->last >= wi_subtract_saturating(start, 1) && it->start <= wi_add_saturating(last, 1);
}

/* The place of the first of the others that does not end too early to be joined; whether it is. */
static bool find_joined(entry *it, int64_t start, int64_t last, uint32_t *place_out)
{
    *place_out = wi_others_from(it, wi_subtract_saturating(start, 1));
    return *place_out < wi_others_end(it) && joins(wi_others_at(it, *place_out), start, last);
}

/* Puts one before that at a place; it is still without key, acc and limits. */
static session *add_other(present *now, entry *it, uint32_t place, int64_t last)
{
    return wi_others_add(now->state, it, place, last, session_bytes(now->call));
}

/* Moves a session; the others of its key stay those of the first. */
static void move_session(const wi_windowing *call, session *to, const session *from)
{
    to->start = from->start;
    to->last = from->last;
    memcpy(acc_of(to), acc_of((session *)(uintptr_t)from), call->by.type->size);
}

/* The first session of a key ends, or its only one. */
static void remove_first(present *now, entry *it)
{
    session *first = wi_quick_first(it);
    it->empty = !first->other;
    if (it->empty)
        return;
    uint32_t place = wi_others_first(it);
    move_session(now->call, first, wi_others_at(it, place));
    wi_others_remove(now->state, it, place);
}

/* A session of one row, [start, last]: where its acc is. If it is not the first one, it comes
 * before that of the others at a place. */
static char *new_session(present *now, entry *it, int64_t start, int64_t last, uint32_t place)
{
    const wi_windowing *call = now->call;
    session *first = wi_quick_first(it), *new = first;
    if (!it->empty && start < first->start) {
        fold_pending(now);
        move_session(call, add_other(now, it, wi_others_first(it), first->last), first);
    } else if (!it->empty) {
        new = add_other(now, it, place, last);
        memcpy(acc_of(new), acc_of(first), call->start_at); /* the key */
    }
    memset(acc_of(new) + call->start_at, 0, call->by.type->size - call->start_at);
    new->start = start;
    new->last = last;
    it->empty = false;
    ask(now, it, last);
    return acc_of(new);
}

/* Adds to a session those of the others, from a place on, that are joined with it. */
static void merge(present *now, entry *it, session *to, uint32_t place, int64_t last)
{
    const wi_windowing *call = now->call;
    while (place < wi_others_end(it)) {
        session *from = wi_others_at(it, place);
        if (from->start > wi_add_saturating(last, 1))
            return;
        void *accs[] = {acc_of(to)};
        fold_pending(now);
        call->how.combine->run(acc_of(from), accs, NULL, 1, 1, call->arg);
        wi_acc_add_rows(call, acc_of(to), wi_acc_rows(call, acc_of(from)));
        to->last = from->last;
        place = wi_others_remove(now->state, it, place);
    }
}

/* The acc for a row of a key that has no session, several, or one that it does not join. NULL: it
 * is late. */
static char *find_session(present *now, entry *it, int64_t start, int64_t last)
{
    session *first = wi_quick_first(it), *to = first;
    uint32_t place = 0;
    if (it->empty)
        return last < now->time ? NULL : new_session(now, it, start, last, 0);
    bool joined = find_joined(it, start, last, &place);
    if (joins(first, start, last)) {
        merge(now, it, first, place, last);
    } else if (joined) {
        to = wi_others_at(it, place);
        merge(now, it, to, wi_others_next(it, place), last);
        wi_others_set_last(it, place, last > to->last ? last : to->last);
    } else {
        return last < now->time ? NULL : new_session(now, it, start, last, place);
    }
    to->start = start < to->start ? start : to->start;
    to->last = last > to->last ? last : to->last;
    return acc_of(to);
}

/* ---- rows ------------------------------------------------------------------------------- */

static inline char *session_of(present *now, entry *it, int64_t time)
{
    session *first = wi_quick_first(it);
    int64_t last = wi_add_saturating(time, now->call->how.gap - 1);
    if (WEIR_UNLIKELY(it->empty || first->other || !joins(first, time, last)))
        return find_session(now, it, time, last);
    first->start = time < first->start ? time : first->start;
    first->last = last > first->last ? last : first->last;
    return acc_of(first);
}

/* The entries that there are; what will be read of them is asked for from memory. */
static void find_entries(const present *now, uint32_t begin, uint32_t count, uint64_t *hashes_out,
                         entry **entries_out)
{
    const wi_windowing *call = now->call;
    const sessions *state = now->state;
    const char *rows = weir_batch_row(now->batch, begin);
    size_t size = call->by.in.type->size;
    weir_key_hash(&call->by.in, rows, count, hashes_out);
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(&state->buckets[(uint32_t)hashes_out[i] & state->mask]);
    for (uint32_t i = 0; i < count; i++) {
        const char *it = (const char *)state->buckets[(uint32_t)hashes_out[i] & state->mask];
        __builtin_prefetch(it, 1);
        __builtin_prefetch(it + 64, 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        entries_out[i] = find(call, state, rows + i * size, hashes_out[i]);
        if (entries_out[i] && wi_quick_first(entries_out[i])->other)
            __builtin_prefetch(wi_quick_first(entries_out[i])->other, 1); /* or `others` */
    }
}

static void put_rows(present *now, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    uint64_t hashes[BLOCK];
    entry *entries[BLOCK];
    if (!now->state->buckets)
        grow(now->state);
    for (uint32_t count; begin < end; begin += count) {
        count = end - begin < BLOCK ? end - begin : BLOCK;
        now->batch = batch;
        now->from = now->to = begin;
        find_entries(now, begin, count, hashes, entries);
        for (uint32_t i = 0; i < count; i++) {
            const char *row = weir_batch_row(batch, begin + i);
            entry *it = entries[i];
            if (!it) /* then; another row of the key may have come before */
                it = find(now->call, now->state, row, hashes[i]);
            if (!it)
                it = new_entry(now->call, now->state, row, hashes[i]);
            char *acc = session_of(now, it, wi_event_time_at(row, now->call->time_at));
            if (acc) {
                now->accs[now->to++ - now->from] = acc;
                continue;
            }
            fold_pending(now);
            now->from = ++now->to;
            wi_window_missed(now->op, batch, begin + i, 1, true);
            tidy(now->call, now->state, it);
        }
        fold_pending(now);
    }
}

/* ---- closing ---------------------------------------------------------------------------- */

static void send_closed(present *now)
{
    weir_batch *closed = now->closed;
    now->closed = NULL;
    if (!closed)
        return;
    closed = wi_window_finished(now->call, closed);
    closed->time = WEIR_EPOCH(weir_event_epoch(now->time));
    weir_send_batch(now->op, WI_WINDOW_RESULTS, closed);
}

static void close_session(present *now, session *it, uint32_t at_most)
{
    const wi_windowing *call = now->call;
    const weir_type *type = call->by.type;
    int64_t end = wi_add_saturating(it->last, 1);
    if (!wi_acc_is_sent(call, acc_of(it)))
        return;
    if (!now->closed) {
        uint32_t usual = weir_batch_rows_usual(type);
        now->closed = weir_batch_new(type, at_most < usual ? at_most : usual);
    }
    char *row = (char *)now->closed->rows + (size_t)now->closed->count++ * type->size;
    memcpy(row, acc_of(it), type->size);
    memcpy(row + call->start_at, &it->start, sizeof it->start);
    memcpy(row + call->end_at, &end, sizeof end);
    if (type->text_count)
        wi_batch_own_texts(now->closed, row, 1);
    if (now->closed->count == now->closed->capacity)
        send_closed(now);
}

/* Closes those of a key's sessions that end now, and asks for the next. `left`: entries that are
 * yet to come, this one among them. */
static void settle(present *now, entry *it, uint32_t left)
{
    if (it->asked && it->asks <= now->time)
        it->asked = false;
    for (; !it->empty && wi_quick_first(it)->last <= now->time; remove_first(now, it))
        close_session(now, wi_quick_first(it), left);
    if (!it->empty)
        ask(now, it, wi_quick_first(it)->last);
    tidy(now->call, now->state, it);
}

static void moment_fini(moment *of)
{
    wi_segments_fini(&of->rows);
    wi_free(of->entries);
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        moment *at = weir_notify_state(op, weir_batch_time(batch, begin), sizeof *at);
        wi_segments_add(&at->rows, batch, begin, end);
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    moment *at = state;
    present now = {.op = op,
                   .call = weir_op_arg(op),
                   .state = weir_op_state(op),
                   .at = at,
                   .time = weir_event_time(time->at[0])};
    wi_segments_order(now.call, &at->rows);
    for (uint32_t i = 0; i < at->rows.count; i++)
        put_rows(&now, at->rows.at[i].batch, at->rows.at[i].begin, at->rows.at[i].end);
    for (uint32_t i = 0; i < at->entry_count; i++) {
        if (i + 8 < at->entry_count)
            __builtin_prefetch(at->entries[i + 8], 1);
        at->entries[i]->references--;
        settle(&now, at->entries[i], at->entry_count - i);
    }
    send_closed(&now);
    moment_fini(at);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *state)
{
    moment_fini(state);
}

static void free_entries(const wi_windowing *call, entry *list, bool used)
{
    for (entry *next; list; list = next) {
        next = list->next;
        if (used) {
            each_long_text(call, list, free_text);
            wi_others_free(list);
        }
        wi_free(list);
    }
}

static void on_stop(weir_op *op)
{
    const wi_windowing *call = weir_op_arg(op);
    sessions *state = weir_op_state(op);
    for (uint32_t b = 0; state->buckets && b <= state->mask; b++)
        free_entries(call, state->buckets[b], true);
    free_entries(call, state->unused, false);
    wi_others_free_unused(state);
    wi_free(state->buckets);
}

const weir_operator wi_window_sessions = {.name = "window",
                                          .state_bytes = sizeof(sessions),
                                          .batch = on_batch,
                                          .notify = on_complete,
                                          .discard = on_discard,
                                          .stop = on_stop};
