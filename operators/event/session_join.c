/* window join in sessions: a key's sessions are kept beside its entries, as of the last time for
 * which something was due. Rows are due at their stamps, for they may join sessions that have been
 * sent; and sessions are, when they close.
 *
 * At a time T, first what is over (last + lateness < T) is forgotten: rows that come from T on can
 * not join it. Then the rows stamped T are put in, and what was sent before T of sessions that are
 * not what they were is taken back; then those that are closed are sent, unless they had been as
 * they are: then only what is new in them.
 *
 * Invariant
 *   S3  entries of a session that is over have been stamped before T: a row that is not late, and
 *       comes from T on, is later than all of them. So they are the first entries of both sides */
#include "window_rows.h"

#include "../../base/alloc.h"

enum { ROW_COMES, SESSION_CLOSES }; /* what is due */

/* From its first row's time to its last one's. */
typedef struct session {
    int64_t first, latest;
} session;

typedef struct sessions {
    uint32_t count, capacity;
    session at[];
} sessions;

static const wi_session_join_plan *plan_of(const wi_matcher *matcher)
{
    return (const wi_session_join_plan *)matcher->plan;
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

/* Forgets those for which no row can come from `now` on; or all. */
static void forget(wi_matcher *matcher, wi_match_key *key, wi_reached now)
{
    sessions *all = key->more;
    uint32_t over = 0;
    while (all && over < all->count &&
           wi_is_over(matcher, now, last_of(matcher, &all->at[over])))
        over++;
    if (!over)
        return;
    int64_t latest = all->at[over - 1].latest;
    wi_sender_flush(&matcher->sender); /* pairs that are to be sent refer to the entries' texts */
    for (uint32_t side = 0; side < 2; side++)
        wi_side_remove(&matcher->store, key, side, wi_side_first(key, side),
                       wi_side_after(&matcher->store, key, side, latest));
    all->count -= over;
    memmove(all->at, all->at + over, all->count * sizeof *all->at);
}

static sessions *with_room(wi_match_key *key)
{
    sessions *all = key->more;
    if (all && all->count < all->capacity)
        return all;
    uint32_t capacity = all ? all->capacity * 2 : 2;
    sessions *larger = wi_realloc(all, sizeof *all + capacity * sizeof *all->at);
    larger->count = all ? larger->count : 0;
    larger->capacity = capacity;
    return key->more = larger;
}

/* Puts a row in, which may make one of several. */
static void put(const wi_matcher *matcher, wi_match_key *key, int64_t time)
{
    int64_t gap = plan_of(matcher)->gap;
    sessions *all = with_room(key);
    uint32_t begin = 0, end;
    while (begin < all->count && (__int128)time - all->at[begin].latest > gap)
        begin++;
    session merged = {time, time};
    for (end = begin; end < all->count && (__int128)all->at[end].first - time <= gap; end++) {
        merged.first = all->at[end].first < merged.first ? all->at[end].first : merged.first;
        merged.latest = all->at[end].latest > merged.latest ? all->at[end].latest : merged.latest;
    }
    memmove(&all->at[begin + 1], &all->at[end], (all->count - end) * sizeof *all->at);
    all->at[begin] = merged;
    all->count += 1 - (end - begin);
}

/* ---- at a time -------------------------------------------------------------------------- */

typedef enum how { SEND, SEND_NEW, TAKE_BACK } how;

static void send(wi_matcher *matcher, const wi_match_key *key, const session *of, int64_t now,
                 how as)
{
    wi_window_rows rows = {.key = key,
                           .bounds = {of->first, wi_add_saturating(last_of(matcher, of), 1)},
                           .first = of->first,
                           .last = of->latest,
                           .now = now,
                           .until = as == TAKE_BACK ? now - 1 : now,
                           .again = as == SEND_NEW,
                           .back = as == TAKE_BACK};
    wi_window_rows_send(matcher, &rows);
}

static bool same(const session *a, const session *b)
{
    return a->first == b->first && a->latest == b->latest;
}

/* Sends what is different: `old` are the sessions before the rows stamped `now`. Both lists are
 * sorted, and none of their sessions overlap. `first` to `latest` are the times of these rows. */
static void send_changes(wi_matcher *matcher, const wi_match_key *key, const session *old,
                         uint32_t old_count, int64_t now, const session *rows)
{
    const sessions *all = key->more;
    uint32_t o = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        const session *of = &all->at[i];
        bool sent = false;
        for (; o < old_count && old[o].first <= of->latest; o++) {
            bool closed = last_of(matcher, &old[o]) < now;
            sent |= closed && same(&old[o], of);
            if (closed && !same(&old[o], of))
                send(matcher, key, &old[o], now, TAKE_BACK);
        }
        bool touched = rows->first <= of->latest && rows->latest >= of->first;
        if (!sent && last_of(matcher, of) <= now)
            send(matcher, key, of, now, SEND);
        else if (sent && touched)
            send(matcher, key, of, now, SEND_NEW);
    }
}

static void ask_next(wi_matcher *matcher, wi_match_key *key, int64_t now)
{
    const sessions *all = key->more;
    uint32_t i = 0;
    while (i < all->count && last_of(matcher, &all->at[i]) <= now)
        i++;
    if (i == all->count)
        return;
    int64_t next = last_of(matcher, &all->at[i]);
    if (key->asked && key->asks <= next)
        return;
    key->asked = true;
    key->asks = next;
    wi_queue_ask(&matcher->queue, matcher->op,
                 (wi_due){.time = next, .key = key, .what = SESSION_CLOSES});
}

void wi_session_join_due(wi_matcher *matcher, wi_due next)
{
    wi_match_key *key = next.key;
    int64_t now = next.time;
    forget(matcher, key, (wi_reached){.before = now});
    const sessions *all = with_room(key);
    uint32_t old_count = all->count;
    session some[8], *old = old_count <= 8 ? some : wi_alloc(old_count * sizeof *old);
    memcpy(old, all->at, old_count * sizeof *old);
    session rows = {INT64_MAX, INT64_MIN};
    do {
        if (next.what != ROW_COMES)
            continue;
        put(matcher, key, next.at);
        rows.first = next.at < rows.first ? next.at : rows.first;
        rows.latest = next.at > rows.latest ? next.at : rows.latest;
    } while (wi_queue_pop_same(&matcher->queue, &next));
    if (key->asked && key->asks <= now)
        key->asked = false;
    send_changes(matcher, key, old, old_count, now, &rows);
    ask_next(matcher, key, now);
    if (old != some)
        wi_free(old);
}

void wi_session_join_expire(void *matcher, wi_match_key *key)
{
    forget(matcher, key, ((wi_matcher *)matcher)->both);
}
