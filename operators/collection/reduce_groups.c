/* Plans for the keys of a block, and the groups that the reducer is to evaluate.
 *
 * A group is put together from the rows that a key has in several runs: they are taken row by
 * row, the least first, each with its updates (moments) at some times, and then written as a
 * group for each time that matters. With one time that everything is at or before, what
 * matters is before it and now, and nothing has to be known of times. */
#include "reduce_state.h"

/* ---- rows of several runs --------------------------------------------------------------- */

void wi_reduce_cursors(wi_reduction *r, uint32_t k, uint32_t roles)
{
    r->cursors.count = 0;
    for (uint32_t s = 0; s < r->slots.count; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (!slot->active || !(roles >> slot->role & 1) || slot->begin[k] == slot->end[k])
            continue;
        WI_PUSH(&r->cursors, (wi_cursor){slot, wi_run_row(slot->run, slot->begin[k]),
                                         slot->begin[k], slot->end[k]});
    }
}

/* The order of two rows of one key. */
static inline int compare(const wi_layout *layout, const uint64_t *a, const uint64_t *b)
{
    return wi_words_compare(layout, a, b, layout->others_at, layout->words);
}

const uint64_t *wi_reduce_take(wi_reduction *r, const wi_layout *layout, bool several)
{
    wi_cursor *cursor = r->cursors.at;
    uint32_t count = r->cursors.count;
    if (count == 0)
        return NULL;
    const uint64_t *least = cursor[0].row;
    for (uint32_t c = 1; c < count; c++)
        if (compare(layout, cursor[c].row, least) < 0)
            least = cursor[c].row;
    for (uint32_t c = 0; c < count;) {
        const wi_slot *slot = cursor[c].slot;
        while (cursor[c].at < cursor[c].end && compare(layout, cursor[c].row, least) == 0) {
            uint32_t time =
                several ? slot->local[wi_slot_time(slot, cursor[c].at)] : slot->role == WI_ROLE_NEW;
            WI_PUSH(&r->moments, (wi_moment){time, wi_run_diff(slot->run, cursor[c].at)});
            cursor[c].at++;
            cursor[c].row += layout->words;
        }
        if (cursor[c].at == cursor[c].end)
            cursor[c] = cursor[--count];
        else
            c++;
    }
    r->cursors.count = count;
    return least;
}

void wi_reduce_consolidate(wi_reduction *r, uint32_t first)
{
    wi_moment *moment = r->moments.at;
    uint32_t count = r->moments.count, kept = first;
    for (uint32_t i = first + 1; i < count; i++) { /* nearly sorted, and few */
        wi_moment inserted = moment[i];
        uint32_t at = i;
        for (; at > first && moment[at - 1].time > inserted.time; at--)
            moment[at] = moment[at - 1];
        moment[at] = inserted;
    }
    for (uint32_t i = first, next; i < count; i = next) {
        int64_t diff = 0;
        for (next = i; next < count && moment[next].time == moment[i].time; next++)
            diff += moment[next].diff;
        moment[kept] = (wi_moment){moment[i].time, diff};
        kept += diff != 0;
    }
    r->moments.count = kept;
}

/* ---- groups ----------------------------------------------------------------------------- */

/* How far a group has been written, if its first rows are enough. */
typedef struct fill {
    uint64_t rows;
    const uint64_t *last;
} fill;

/* Whether the group is complete without the row, which comes next. */
static inline bool complete(const wi_reduction *r, const fill *so_far, const uint64_t *row)
{
    const wi_reducer *how = &r->call->how;
    return how->enough && so_far->rows >= how->enough &&
           !(how->tie_fields && wi_tied(r->in_layout, r->tie, so_far->last, row));
}

static inline void filled(fill *so_far, const uint64_t *row, int64_t count)
{
    if (count > 0) {
        uint64_t rows = so_far->rows + (uint64_t)count;
        so_far->rows = rows < so_far->rows ? UINT64_MAX : rows;
        so_far->last = row;
    }
}

static inline void write_row(wi_reduction *r, const uint64_t *row, int64_t count)
{
    WI_ROOM(&r->group_words, r->words);
    uint64_t *to = r->group_words.at + r->group_words.count;
    for (uint32_t w = 0; w < r->words; w++)
        to[w] = row[w];
    r->group_words.count += r->words;
    WI_PUSH(&r->counts, count);
}

/* Ends the group of the rows written since there were `before`. */
static void end_group(wi_reduction *r, uint32_t before)
{
    if (r->counts.count == before) {
        WI_PUSH(&r->chosen, WI_NO_GROUP);
        return;
    }
    WI_PUSH(&r->chosen, r->ends.count);
    WI_PUSH(&r->ends, r->counts.count);
}

void wi_reduce_group(wi_reduction *r, uint32_t choice, const uint8_t *seen)
{
    uint32_t before = r->counts.count, first = 0;
    fill so_far = {0};
    for (uint32_t v = 0; v < r->rows.count; v++) {
        const wi_held_row *held = &r->rows.at[v];
        int64_t count = 0;
        for (uint32_t i = first; i < held->end; i++) {
            const wi_moment *moment = &r->moments.at[i];
            if (seen ? seen[moment->time] : moment->time <= choice)
                count += moment->diff;
        }
        first = held->end;
        if (count == 0)
            continue;
        if (complete(r, &so_far, held->row))
            break;
        write_row(r, held->row, count);
        filled(&so_far, held->row, count);
    }
    end_group(r, before);
}

void wi_reduce_total(wi_reduction *r, int64_t total)
{
    WI_PUSH(&r->chosen, r->counts.count);
    WI_PUSH(&r->counts, total);
}

/* ---- one time --------------------------------------------------------------------------- */

static int64_t sum_rows(const wi_slot *slot, uint32_t k)
{
    const wi_run *run = slot->run;
    int64_t sum = 0;
    if (!run->diffs)
        return run->diff * (slot->end[k] - slot->begin[k]);
    for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++)
        sum += run->diffs[i];
    return sum;
}

static void simple_totals(wi_reduction *r, uint32_t k)
{
    int64_t old = 0, now = 0;
    for (uint32_t s = 0; s < r->slots.count; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (slot->active && slot->role == WI_ROLE_OLD)
            old += sum_rows(slot, k);
        else if (slot->active && slot->role == WI_ROLE_NEW)
            now += sum_rows(slot, k);
    }
    wi_reduce_total(r, old);
    wi_reduce_total(r, old + now);
}

/* All of a group lies in one run. */
static void simple_alone(wi_reduction *r, const wi_cursor *cursor)
{
    const wi_run *run = cursor->slot->run;
    uint32_t count = cursor->end - cursor->at, before = r->counts.count;
    if (r->call->how.enough) {
        fill so_far = {0};
        const uint64_t *row = cursor->row;
        for (uint32_t i = 0; i < count && !complete(r, &so_far, row); i++, row += r->words) {
            int64_t diff = wi_run_diff(run, cursor->at + i);
            write_row(r, row, diff);
            filled(&so_far, row, diff);
        }
    } else {
        WI_ROOM(&r->group_words, (uint64_t)count * r->words);
        memcpy(r->group_words.at + r->group_words.count, cursor->row,
               (size_t)count * r->words * sizeof *cursor->row);
        r->group_words.count += count * r->words;
        WI_ROOM(&r->counts, count);
        for (uint32_t i = 0; i < count; i++)
            r->counts.at[before + i] = wi_run_diff(run, cursor->at + i);
        r->counts.count += count;
    }
    end_group(r, before);
}

static bool any_old(const wi_reduction *r)
{
    for (uint32_t c = 0; c < r->cursors.count; c++)
        if (r->cursors.at[c].slot->role == WI_ROLE_OLD)
            return true;
    return false;
}

/* The rows before and now: moments of times 0 and 1. */
static void simple_rows(wi_reduction *r, uint32_t k)
{
    wi_reduce_cursors(r, k, 1u << WI_ROLE_OLD | 1u << WI_ROLE_NEW);
    const wi_cursor *only = r->cursors.at;
    if (r->cursors.count == 1 && only->slot->role == WI_ROLE_NEW &&
        only->slot->run->time_count == 1) {
        WI_PUSH(&r->chosen, WI_NO_GROUP);
        simple_alone(r, only);
        return;
    }
    fill old = {0}, now = {0};
    const uint64_t *row;
    r->rows.count = r->moments.count = 0;
    for (uint32_t first;
         (first = r->moments.count, row = wi_reduce_take(r, r->in_layout, false));) {
        int64_t counts[2] = {0};
        for (uint32_t i = first; i < r->moments.count; i++)
            counts[r->moments.at[i].time] += r->moments.at[i].diff;
        if (complete(r, &now, row) && (complete(r, &old, row) || (counts[0] == 0 && !any_old(r))))
            break;
        r->moments.count = first;
        filled(&old, row, counts[0]);
        filled(&now, row, counts[0] + counts[1]);
        for (uint32_t time = 0; time < 2; time++)
            if (counts[time])
                WI_PUSH(&r->moments, (wi_moment){time, counts[time]});
        WI_PUSH(&r->rows, (wi_held_row){row, r->moments.count});
    }
    wi_reduce_group(r, 0, NULL);
    wi_reduce_group(r, 1, NULL);
}

/* ---- plans ------------------------------------------------------------------------------ */

/* The time of all new updates of a key; NULL if there are several, or deferred ones. */
static const weir_time *only_time(const wi_reduction *r, uint32_t k)
{
    const weir_time *only = NULL;
    if (r->one_time)
        return &r->time;
    for (uint32_t s = 0; s < r->sources; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (slot->begin[k] == slot->end[k])
            continue;
        if (slot->role == WI_ROLE_DEFERRED)
            return NULL;
        uint32_t index = wi_slot_time(slot, slot->begin[k]);
        for (uint32_t i = slot->begin[k] + 1; i < slot->end[k]; i++)
            if (wi_slot_time(slot, i) != index)
                return NULL;
        if (only && !weir_time_eq(only, &slot->run->table[index]))
            return NULL;
        only = &slot->run->table[index];
    }
    return only;
}

static bool all_before(const wi_reduction *r, uint32_t k, const weir_time *time)
{
    for (uint32_t s = r->sources; s < r->slots.count && !r->total_order; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (!slot->active || slot->before || slot->role != WI_ROLE_OLD)
            continue;
        for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++)
            if (!weir_time_le(wi_run_time(slot->run, i), time))
                return false;
    }
    return true;
}

void wi_reduce_plan(wi_reduction *r)
{
    r->chosen.count = r->times.count = r->said_times.count = r->said.count = 0;
    r->group_words.count = r->counts.count = r->ends.count = 0;
    bool now = wi_reduce_choose_now(r);
    for (uint32_t k = 0; k < r->keys; k++) {
        wi_plan *plan = &r->plans[k];
        *plan = (wi_plan){.kind = WI_PLAN_SIMPLE,
                          .time = now ? &r->now : only_time(r, k),
                          .first_choice = r->chosen.count,
                          .first_time = r->times.count,
                          .first_said = r->said.count};
        if (now)
            wi_reduce_plan_now(r, k);
        else if (!plan->time || !all_before(r, k, plan->time))
            wi_reduce_plan_times(r, k);
        else if (r->call->how.total)
            simple_totals(r, k);
        else
            simple_rows(r, k);
        plan->choices = r->chosen.count - plan->first_choice;
        plan->said_count = r->said.count - plan->first_said;
    }
}
