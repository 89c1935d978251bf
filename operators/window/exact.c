/* Sessions that are exact: when all rows of an event time are taken away, the session becomes
 * shorter, falls apart, or is gone.
 *
 * Each event time of a key is a *cell*, with an acc of its own; cells are in the order of their
 * times. A cell is dropped when its rows are 0, together with what they have left in its acc. A
 * session has an acc, too, so that firing costs what it does otherwise; only if it has lost a
 * cell it is *stale*: before it is looked at again, it is added up from the cells that are left.
 *
 * Of a session that falls apart the first part goes on as that session: it has the results that
 * were sent, and what its trigger has counted. The others are new.
 *
 * Invariants
 *   E1  Every cell is in a session, whose start is its first cell and whose last instant is that of
 *       its last cell's own [time, time + gap).
 *   E2  Neighbours in a session are at most `gap` apart, those in two sessions more.
 *   E3  A session's acc has what its cells have, unless it is stale. */
#include "moment.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"

static wi_cell *cell_in(const wi_window_key *key, uint32_t place)
{
    return wi_sorted_at(&key->cells, sizeof(wi_cell), place);
}

/* The place of the first cell at or after a time. */
static uint32_t cells_from(const wi_window_key *key, int64_t time)
{
    return wi_sorted_from(&key->cells, sizeof(wi_cell), offsetof(wi_cell, time), time);
}

static wi_cell *cell_at(const wi_windowing *call, wi_window_key *key, int64_t time,
                        uint32_t *place_out)
{
    *place_out = cells_from(key, time);
    if (*place_out < wi_sorted_end(&key->cells) && cell_in(key, *place_out)->time == time)
        return cell_in(key, *place_out);
    wi_cell *cell = wi_sorted_insert(&key->cells, sizeof *cell, place_out);
    *cell = (wi_cell){.time = time, .acc = wi_acc_new(call, key)};
    return cell;
}

static void remove_cells(const wi_windowing *call, wi_window_key *key, uint32_t begin,
                         uint32_t end)
{
    for (uint32_t i = begin; i < end; i = wi_sorted_next(&key->cells, i))
        wi_acc_free(call, cell_in(key, i)->acc);
    wi_sorted_remove(&key->cells, sizeof(wi_cell), begin, end);
}

void wi_cells_forget(const wi_windowing *call, wi_window_key *key, int64_t last)
{
    uint32_t end = last == INT64_MAX ? wi_sorted_end(&key->cells) : cells_from(key, last + 1);
    remove_cells(call, key, wi_sorted_first(&key->cells), end);
}

/* The place of the next cell, or the end, if that is after `last`. */
static uint32_t next_until(const wi_window_key *key, uint32_t place, int64_t last)
{
    uint32_t end = wi_sorted_end(&key->cells);
    place = wi_sorted_next(&key->cells, place);
    return place < end && cell_in(key, place)->time <= last ? place : end;
}

void wi_cells_refresh(const wi_windowing *call, wi_window_keys *keys, const wi_window_key *key,
                      wi_window *session)
{
    if (!session->stale)
        return;
    wi_acc_reset(call, key, session->acc);
    for (uint32_t i = cells_from(key, session->start); i < wi_sorted_end(&key->cells);
         i = next_until(key, i, session->last))
        wi_acc_combine(call, keys, session->acc, cell_in(key, i)->acc, 1);
    session->stale = false;
}

/* The parts of the session at a place, which has lost a cell, and how many they are; 0: it is
 * gone. */
static uint32_t fall_apart(wi_now *now, wi_window_key *key, uint32_t at)
{
    const wi_windowing *call = now->call;
    int64_t last = wi_window_at(key, at)->last;
    uint32_t parts = 0, end = wi_sorted_end(&key->cells);
    uint32_t cell = cells_from(key, wi_window_at(key, at)->start);
    while (cell < end && cell_in(key, cell)->time <= last) {
        int64_t start = cell_in(key, cell)->time, latest = start;
        while ((cell = next_until(key, cell, last)) < end &&
               wi_subtract_saturating(cell_in(key, cell)->time, call->how.gap) <= latest)
            latest = cell_in(key, cell)->time;
        int64_t part_last = wi_add_saturating(latest, call->how.gap - 1);
        at = parts ? wi_sorted_next(&key->windows, at) : at;
        wi_window *part = parts ? wi_windows_insert(call, key, &at, start, part_last)
                                : wi_window_at(key, at);
        part->start = start;
        part->last = part_last;
        part->stale = true;
        part->marked = false;
        if (part->due != WI_NEVER)
            part->due = wi_before_multiple(call->how.trigger.every, start, part->due);
        parts++;
    }
    if (!parts) {
        wi_now_take_back(now, wi_window_at(key, at));
        wi_windows_remove(call, key, at, wi_sorted_next(&key->windows, at));
    }
    return parts;
}

void wi_now_exact(wi_now *now, wi_window_key *key, uint32_t at, int64_t time, const void *row,
                  int64_t diff)
{
    const wi_windowing *call = now->call;
    uint32_t place, parts = 1;
    wi_cell *cell = cell_at(call, key, time, &place);
    wi_window *session = wi_window_at(key, at);
    int64_t start = session->start;
    wi_assert(session->start <= time && time <= session->last, "E1");
    wi_acc_fold(call, now->keys, cell->acc, row, diff);
    if (!session->stale)
        wi_acc_fold(call, now->keys, session->acc, row, diff);
    if (!wi_acc_rows(call, cell->acc)) {
        remove_cells(call, key, place, wi_sorted_next(&key->cells, place));
        parts = fall_apart(now, key, at);
        at = wi_windows_place(key, start, INT64_MIN); /* it may have moved, and begin later */
    }
    for (uint32_t i = 0; i < parts; i++, at = wi_sorted_next(&key->windows, at))
        wi_now_changed(now, key, wi_window_at(key, at), time, i == 0 ? diff : 0);
}
