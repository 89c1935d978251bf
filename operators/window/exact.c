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

/* The first cell at or after a time. */
static uint32_t cells_from(const wi_window_key *key, int64_t time)
{
    uint32_t low = 0, high = key->cell_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key->cells[middle].time < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static wi_cell *cell_at(const wi_windowing *call, wi_window_key *key, int64_t time)
{
    uint32_t at = cells_from(key, time);
    if (at < key->cell_count && key->cells[at].time == time)
        return &key->cells[at];
    wi_grow(&key->cells, &key->cell_capacity, key->cell_count + 1, sizeof *key->cells);
    memmove(&key->cells[at + 1], &key->cells[at], (key->cell_count++ - at) * sizeof *key->cells);
    key->cells[at] = (wi_cell){.time = time, .acc = wi_acc_new(call, key)};
    return &key->cells[at];
}

static void remove_cells(const wi_windowing *call, wi_window_key *key, uint32_t begin,
                         uint32_t end)
{
    for (uint32_t i = begin; i < end; i++)
        wi_acc_free(call, key->cells[i].acc);
    key->cell_count -= end - begin;
    if (begin < end)
        memmove(&key->cells[begin], &key->cells[end],
                (key->cell_count - begin) * sizeof *key->cells);
}

void wi_cells_forget(const wi_windowing *call, wi_window_key *key, int64_t last)
{
    uint32_t end = last == INT64_MAX ? key->cell_count : cells_from(key, last + 1);
    remove_cells(call, key, 0, end);
}

void wi_cells_refresh(const wi_windowing *call, wi_window_keys *keys, const wi_window_key *key,
                      wi_window *session)
{
    if (!session->stale)
        return;
    wi_acc_reset(call, key, session->acc);
    for (uint32_t i = cells_from(key, session->start);
         i < key->cell_count && key->cells[i].time <= session->last; i++)
        wi_acc_combine(call, keys, session->acc, key->cells[i].acc, 1);
    session->stale = false;
}

static bool are_apart(const wi_windowing *call, const wi_cell *cell)
{
    return wi_subtract_saturating(cell[1].time, call->how.gap) > cell->time;
}

/* The parts of session `at`, which has lost a cell, and how many they are; 0: it is gone. */
static uint32_t fall_apart(wi_now *now, wi_window_key *key, uint32_t at)
{
    const wi_windowing *call = now->call;
    uint32_t parts = 0, cell = cells_from(key, key->windows[at].start);
    int64_t last = key->windows[at].last;
    while (cell < key->cell_count && key->cells[cell].time <= last) {
        int64_t start = key->cells[cell].time;
        while (cell + 1 < key->cell_count && key->cells[cell + 1].time <= last &&
               !are_apart(call, &key->cells[cell]))
            cell++;
        int64_t part_last = wi_add_saturating(key->cells[cell++].time, call->how.gap - 1);
        wi_window *part = parts ? wi_windows_insert(call, key, at + parts, start, part_last)
                                : &key->windows[at];
        part->start = start;
        part->last = part_last;
        part->stale = true;
        if (part->due != WI_NEVER)
            part->due = wi_before_multiple(call->how.trigger.every, start, part->due);
        parts++;
    }
    if (!parts) {
        wi_now_take_back(now, &key->windows[at]);
        wi_windows_remove(call, key, at, at + 1);
    }
    return parts;
}

void wi_now_exact(wi_now *now, wi_window_key *key, uint32_t at, int64_t time, const void *row,
                  int64_t diff)
{
    const wi_windowing *call = now->call;
    wi_cell *cell = cell_at(call, key, time);
    wi_window *session = &key->windows[at];
    wi_assert(session->start <= time && time <= session->last, "E1");
    wi_acc_fold(call, now->keys, cell->acc, row, diff);
    if (!session->stale)
        wi_acc_fold(call, now->keys, session->acc, row, diff);
    uint32_t parts = 1;
    if (!wi_acc_rows(call, cell->acc)) {
        uint32_t index = (uint32_t)(cell - key->cells);
        remove_cells(call, key, index, index + 1);
        parts = fall_apart(now, key, at);
    }
    for (uint32_t i = 0; i < parts; i++)
        wi_now_changed(now, key, &key->windows[at + i], time, i == 0 ? diff : 0);
}
