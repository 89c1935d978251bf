/* window join in sessions: a key's sessions are kept beside its entries, as of the last time for
 * which something was due. Rows are due at their stamps, for they may join sessions that have been
 * sent; and sessions are, when they close.
 *
 * At a time T, first what is over (last + lateness < T) is forgotten: no row from T on joins it.
 * Then the rows stamped T are put in: those whose own sessions are not over, and those that touch
 * a session, or each other up to one. The others are late. What was sent before T of sessions that
 * are not what they were is taken back; then those that are closed are sent, unless they had been
 * as they are: then only what is new in them. Only what is near these rows is looked at.
 *
 * Invariant
 *   S3  rows of T and later have no part in a session that is over, though they may lie in it: its
 *       entries are those of its times that have been stamped before T */
#include "window_rows.h"

#include "../../base/alloc.h"

enum { ROW_COMES, SESSION_CLOSES }; /* what is due */

/* From its first row's time to its last one's. */
typedef struct session {
    int64_t first, latest;
} session;

/* Those at [begin, end), sorted, and more than the gap apart. */
typedef struct sessions {
    uint32_t begin, end, capacity;
    session at[];
} sessions;

/* The times of the rows that come, sorted, and which of them are not late. */
typedef struct row_time {
    int64_t time;
    bool taken;
} row_time;

static const session none = {INT64_MAX, INT64_MIN};

static bool is_any(session span)
{
    return span.first <= span.latest;
}

static session both(session a, session b)
{
    return (session){a.first < b.first ? a.first : b.first,
                     a.latest > b.latest ? a.latest : b.latest};
}

#define SOME 16 /* times, or sessions, for which no memory is asked for */

typedef struct row_times {
    row_time *at, some[SOME];
    unsigned count, capacity;
} row_times;

static int64_t gap_of(const wi_matcher *matcher)
{
    return ((const wi_session_join_plan *)matcher->plan)->gap;
}

int64_t wi_session_join_last(const wi_match_plan *plan, int64_t time)
{
    return wi_add_saturating(time, ((const wi_session_join_plan *)plan)->gap - 1);
}

static int64_t last_of(const wi_matcher *matcher, const session *of)
{
    return wi_session_join_last(matcher->plan, of->latest);
}

void wi_session_join_take(wi_matcher *matcher, uint32_t side, wi_match_key *key, const void *row,
                          const wi_entry *as)
{
    wi_side_insert(&matcher->store, key, side, row, as->time, as->stamp, as->diff);
    wi_queue_ask(
        &matcher->queue, matcher->op,
        (wi_due){.time = as->stamp, .key = key, .what = ROW_COMES, .at = as->time});
}

/* ---- a key's sessions ------------------------------------------------------------------- */

/* The first session whose last row is at or after a time. */
static uint32_t find(const sessions *all, int64_t time)
{
    uint32_t low = all->begin, high = all->end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (all->at[middle].latest < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those that a row of a time in [from, until] would join: [*begin_out, *end_out). */
static void find_near(const wi_matcher *matcher, const sessions *all, int64_t from, int64_t until,
                      uint32_t *begin_out, uint32_t *end_out)
{
    int64_t gap = gap_of(matcher);
    *begin_out = *end_out = find(all, wi_subtract_saturating(from, gap));
    while (*end_out < all->end && (__int128)all->at[*end_out].first - until <= gap)
        ++*end_out;
}

/* Entries of a time in [first, latest] that are stamped before `now`; or all. */
static void forget_rows(wi_matcher *matcher, wi_match_key *key, uint32_t side, wi_reached now,
                        const session *of)
{
    wi_store *store = &matcher->store;
    uint32_t place = wi_side_from(store, key, side, of->first);
    while (place < wi_side_end(key, side)) {
        uint32_t until = place;
        bool behind = false;
        for (; until < wi_side_end(key, side); until = wi_side_next(key, side, until)) {
            const wi_entry *entry = wi_entry_at(store, key, side, until);
            behind = entry->time > of->latest;
            if (behind || !wi_is_complete(now, entry->stamp))
                break;
        }
        if (until > place)
            place = wi_side_remove(store, key, side, place, until);
        else if (!behind)
            place = wi_side_next(key, side, place);
        if (behind)
            return;
    }
}

/* Forgets those for which no row can come from `now` on; or all. */
static void forget(wi_matcher *matcher, wi_match_key *key, wi_reached now)
{
    sessions *all = key->more;
    if (!all || all->begin == all->end ||
        !wi_is_over(matcher, now, last_of(matcher, &all->at[all->begin])))
        return;
    wi_sender_flush(&matcher->sender); /* pairs that are to be sent refer to the entries' texts */
    for (; all->begin < all->end; all->begin++) {
        const session *of = &all->at[all->begin];
        if (!wi_is_over(matcher, now, last_of(matcher, of)))
            return;
        forget_rows(matcher, key, 0, now, of);
        forget_rows(matcher, key, 1, now, of);
    }
}

static sessions *with_room(wi_match_key *key)
{
    sessions *all = key->more;
    if (all && all->end < all->capacity)
        return all;
    if (all && all->begin && all->begin >= all->capacity / 2) {
        memmove(all->at, all->at + all->begin, (all->end - all->begin) * sizeof *all->at);
        all->end -= all->begin;
        all->begin = 0;
        return all;
    }
    uint32_t capacity = all ? all->capacity * 2 : 2;
    sessions *larger = wi_realloc(all, sizeof *all + capacity * sizeof *all->at);
    if (!all)
        larger->begin = larger->end = 0;
    larger->capacity = capacity;
    return key->more = larger;
}

/* Puts a row in, which may make one of several. */
static void put(const wi_matcher *matcher, wi_match_key *key, int64_t time)
{
    sessions *all = with_room(key);
    uint32_t begin, end;
    session merged = {time, time};
    find_near(matcher, all, time, time, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        merged = both(merged, all->at[i]);
    if (end != begin + 1)
        memmove(&all->at[begin + 1], &all->at[end], (all->end - end) * sizeof *all->at);
    all->at[begin] = merged;
    all->end = all->end + 1 - (end - begin);
}

/* ---- rows that come --------------------------------------------------------------------- */

static void add_time(row_times *to, int64_t time, bool taken)
{
    if (to->count && to->at[to->count - 1].time == time)
        return;
    if (to->count == SOME && to->at == to->some) {
        to->at = NULL;
        wi_grow(&to->at, &to->capacity, 2 * SOME, sizeof *to->at);
        memcpy(to->at, to->some, sizeof to->some);
    } else if (to->at != to->some) {
        wi_grow(&to->at, &to->capacity, to->count + 1, sizeof *to->at);
    }
    to->at[to->count++] = (row_time){time, taken};
}

/* Rows whose own sessions are over are taken if there is a session which they touch, or if they
 * are next to one that is taken, on either side. */
static void take_near(const wi_matcher *matcher, const sessions *all, row_times *rows)
{
    int64_t gap = gap_of(matcher);
    for (unsigned i = 0; i < rows->count; i++) {
        row_time *row = &rows->at[i];
        uint32_t begin, end;
        find_near(matcher, all, row->time, row->time, &begin, &end);
        row->taken |= begin < end || (i && row[-1].taken &&
                                      (__int128)row->time - row[-1].time <= gap);
    }
    for (unsigned i = rows->count; i-- > 1;) {
        row_time *row = &rows->at[i];
        row[-1].taken |= row->taken && (__int128)row->time - row[-1].time <= gap;
    }
}

/* What the rows of a time stamped `now`, of which it was not known before, are. */
static void settle(wi_matcher *matcher, wi_match_key *key, int64_t time, int64_t now, bool taken)
{
    wi_store *store = &matcher->store;
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t place = wi_side_from(store, key, side, time);
        while (place < wi_side_end(key, side)) {
            const wi_entry *entry = wi_entry_at(store, key, side, place);
            uint32_t next = wi_side_next(key, side, place);
            if (entry->time != time)
                break;
            if (entry->stamp == now)
                wi_match_settle(matcher, side, taken ? NULL : entry);
            place = entry->stamp == now && !taken
                        ? wi_side_remove(store, key, side, place, next)
                        : next;
        }
    }
}

/* ---- at a time -------------------------------------------------------------------------- */

typedef enum how { SEND, SEND_NEW, TAKE_BACK } how;

/* `new`: the times of rows that are. */
static void send(wi_matcher *matcher, wi_match_key *key, const session *of, int64_t now,
                 how as, const session *new)
{
    wi_window_rows rows = {.key = key,
                           .bounds = {of->first, wi_add_saturating(last_of(matcher, of), 1)},
                           .first = of->first,
                           .last = of->latest,
                           .now = now,
                           .until = as == TAKE_BACK ? now - 1 : now,
                           .again = as == SEND_NEW,
                           .from = new->first,
                           .to = new->latest,
                           .back = as == TAKE_BACK};
    wi_window_rows_send(matcher, &rows);
}

static bool same(const session *a, const session *b)
{
    return a->first == b->first && a->latest == b->latest;
}

/* Sends what is different between two lists of sessions: those that there were before the rows
 * stamped `now`, whose times are in `rows`, and those that there are. */
static void send_changes(wi_matcher *matcher, wi_match_key *key, const session *old,
                         uint32_t old_count, int64_t now, const session *rows)
{
    const sessions *all = key->more;
    uint32_t i, end, o = 0;
    find_near(matcher, all, rows->first, rows->latest, &i, &end);
    for (; i < end; i++) {
        const session *of = &all->at[i];
        bool sent = false;
        for (; o < old_count && old[o].first <= of->latest; o++) {
            bool closed = last_of(matcher, &old[o]) < now;
            sent |= closed && same(&old[o], of);
            if (closed && !same(&old[o], of))
                send(matcher, key, &old[o], now, TAKE_BACK, rows);
        }
        bool touched = rows->first <= of->latest && rows->latest >= of->first;
        if (!sent && last_of(matcher, of) <= now)
            send(matcher, key, of, now, SEND, rows);
        else if (sent && touched)
            send(matcher, key, of, now, SEND_NEW, rows);
    }
}

/* The first session that closes at or after a time. */
static uint32_t find_closing(const wi_matcher *matcher, const sessions *all, int64_t time)
{
    return find(all, wi_subtract_saturating(time, gap_of(matcher) - 1));
}

static void ask_next(wi_matcher *matcher, wi_match_key *key, int64_t now)
{
    const sessions *all = key->more;
    if (now == INT64_MAX)
        return;
    uint32_t i = find_closing(matcher, all, now + 1);
    if (i == all->end)
        return;
    int64_t next = last_of(matcher, &all->at[i]);
    if (key->asked && key->asks <= next)
        return;
    key->asked = true;
    key->asks = next;
    wi_queue_ask(&matcher->queue, matcher->op,
                 (wi_due){.time = next, .key = key, .what = SESSION_CLOSES});
}

/* The times of the sessions that close now. */
static session closing_now(const wi_matcher *matcher, const sessions *all, int64_t now)
{
    session span = none;
    uint32_t i = find_closing(matcher, all, now);
    for (; i < all->end && last_of(matcher, &all->at[i]) == now; i++)
        span = both(span, all->at[i]);
    return span;
}

/* What may change now, in the order of times: rows that are taken, from `row` on, and sessions that
 * close. */
typedef struct changes {
    const row_times *rows;
    unsigned row;
    session closing;
} changes;

static session next_change(changes *left)
{
    const row_times *rows = left->rows;
    while (left->row < rows->count && !rows->at[left->row].taken)
        left->row++;
    if (left->row < rows->count &&
        (!is_any(left->closing) || rows->at[left->row].time <= left->closing.first)) {
        int64_t time = rows->at[left->row++].time;
        return (session){time, time};
    }
    session closing = left->closing;
    left->closing = none;
    return closing;
}

/* The next of those, *next, with all that may be in one session with it. *next becomes the first
 * that is not. */
static session next_changes(const wi_matcher *matcher, const sessions *all, changes *left,
                            session *next)
{
    session span = *next;
    for (;;) {
        uint32_t begin, end;
        find_near(matcher, all, span.first, span.latest, &begin, &end);
        int64_t latest = span.latest;
        if (begin < end && all->at[end - 1].latest > latest)
            latest = all->at[end - 1].latest;
        *next = next_change(left);
        if (!is_any(*next) || (__int128)next->first - latest > gap_of(matcher))
            return span;
        span = both(span, *next);
    }
}

/* Says of the rows that come which are late. */
static void settle_rows(wi_matcher *matcher, wi_match_key *key, const row_times *rows, int64_t now)
{
    for (unsigned i = 0; i < rows->count; i++)
        if (wi_match_is_late(matcher->plan, rows->at[i].time, now))
            settle(matcher, key, rows->at[i].time, now, rows->at[i].taken);
}

/* Puts in rows that are taken, from *row to the end of `span`, and sends what is different. */
static void change_span(wi_matcher *matcher, wi_match_key *key, const row_times *rows,
                        unsigned *row, const session *span, int64_t now)
{
    const sessions *all = key->more;
    uint32_t begin, end;
    find_near(matcher, all, span->first, span->latest, &begin, &end);
    session some[SOME], *old = end - begin <= SOME ? some : wi_alloc((end - begin) * sizeof *old);
    memcpy(old, all->at + begin, (end - begin) * sizeof *old);
    for (; *row < rows->count && rows->at[*row].time <= span->latest; ++*row)
        if (rows->at[*row].taken)
            put(matcher, key, rows->at[*row].time);
    send_changes(matcher, key, old, end - begin, now, span);
    if (old != some)
        wi_free(old);
}

/* Only what is near rows that come, or closes, is looked at, and not what is between them. */
static void change(wi_matcher *matcher, wi_match_key *key, row_times *rows, int64_t now)
{
    const sessions *all = with_room(key);
    take_near(matcher, all, rows);
    settle_rows(matcher, key, rows, now);
    changes left = {.rows = rows, .closing = closing_now(matcher, all, now)};
    unsigned row = 0;
    for (session next = next_change(&left); is_any(next);) {
        session span = next_changes(matcher, key->more, &left, &next);
        change_span(matcher, key, rows, &row, &span, now);
    }
}

void wi_session_join_due(wi_matcher *matcher, wi_due next)
{
    wi_match_key *key = next.key;
    int64_t now = next.time;
    row_times rows = {.count = 0};
    rows.at = rows.some;
    forget(matcher, key, (wi_reached){.before = now});
    do
        if (next.what == ROW_COMES)
            add_time(&rows, next.at, !wi_match_is_late(matcher->plan, next.at, now));
    while (wi_queue_pop_same(&matcher->queue, &next));
    if (key->asked && key->asks <= now)
        key->asked = false;
    change(matcher, key, &rows, now);
    ask_next(matcher, key, now);
    if (rows.at != rows.some)
        wi_free(rows.at);
}

void wi_session_join_expire(void *matcher, wi_match_key *key)
{
    forget(matcher, key, ((wi_matcher *)matcher)->both);
}
