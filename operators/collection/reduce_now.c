/* A block of keys that are evaluated at one time only, and are then looked at again at the next
 * one of their histories: instead of at all of them at once (reduce_times.c), which saves
 * looking again if nothing has to be said then. Where most keys have new updates then anyway,
 * as in loops whose every round changes most of them, that is for nothing, and this is a pass
 * over the updates without branches: what is at or before the time is summed up, run by run, so
 * that a key's sum is the difference of two. wi_reduce_choose_now decides between the two ways:
 * by how many of the deferred keys had new updates as well. */
#include "reduce_state.h"

#define INPUTS (1u << WI_ROLE_NEW | 1u << WI_ROLE_OLD)
#define APART INT64_MIN /* the keys' rows are too far apart to be summed up */

/* Keys that have to be seen before what they say counts. Tests make it small. */
uint32_t wi_reduce_learn_from = 64;

/* ---- when ------------------------------------------------------------------------------- */

/* What was found counts less as it gets older. */
static bool learn(wi_reduction *r)
{
    const wi_slot *new = NULL, *deferred = NULL;
    for (uint32_t s = 0; s < r->sources; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (slot->role == WI_ROLE_NEW)
            new = slot;
        else
            deferred = slot;
    }
    for (uint32_t k = 0; deferred && k < r->keys; k++) {
        bool again = deferred->begin[k] != deferred->end[k];
        r->again += again;
        r->again_new += again && new &&new->begin[k] != new->end[k];
    }
    if (r->again >= 16 * wi_reduce_learn_from) {
        r->again /= 2;
        r->again_new /= 2;
    }
    return r->again >= wi_reduce_learn_from && r->again_new >= r->again / 2;
}

/* Which times of the runs are at or before the sources' only one, and the first ones that are
 * not, as they are seen from it. False if this does not pay, or one of those is complete. */
static bool judge_times(wi_reduction *r)
{
    uint64_t times = 0;
    r->now = r->slots.at[0].run->table[0];
    for (uint32_t s = 0; s < r->slots.count; s++) {
        const wi_run *run = r->slots.at[s].run;
        times += run->time_count;
        if (s < r->sources && (run->time_count != 1 || !weir_time_eq(&run->table[0], &r->now)))
            return false;
    }
    if (times > 64 + 8 * (uint64_t)r->keys)
        return false;
    weir_antichain_clear(&r->next);
    for (uint32_t s = 0; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
        wi_slot_times(slot);
        for (uint32_t t = 0; t < slot->run->time_count; t++) {
            bool now = weir_time_le(&slot->run->table[t], &r->now);
            slot->local[t] = now ? UINT32_MAX : 0;
            weir_time join = weir_time_join(&slot->run->table[t], &r->now);
            if (!now && !weir_antichain_le(&r->upper, &join))
                return false;
            if (!now)
                weir_antichain_insert(&r->next, &join);
        }
    }
    return true;
}

/* ---- sums ------------------------------------------------------------------------------- */

/* Row i of [from, end): what is at or before the time, of rows before it, is sums[i - from], and
 * so many others there are. */
static void sum_up(wi_slot *slot, uint32_t from, uint32_t end, int64_t *sums, uint32_t *others)
{
    const wi_run *run = slot->run;
    const uint32_t *times = run->times, *mask = slot->local;
    const int64_t *diffs = run->diffs;
    int64_t sum = 0;
    uint32_t other = 0;
    for (uint32_t i = from; i < end; i++) {
        uint32_t now = mask[times ? times[i] : 0];
        *sums++ = sum;
        *others++ = other;
        sum += (diffs ? diffs[i] : run->diff) & (int64_t)(int32_t)now;
        other += 1 + now;
    }
    *sums = sum;
    *others = other;
}

static void sum_slot(wi_reduction *r, wi_slot *slot)
{
    uint32_t from = UINT32_MAX, end = 0, rows = 0;
    for (uint32_t k = 0; k < r->keys; k++) {
        if (slot->begin[k] == slot->end[k])
            continue;
        from = slot->begin[k] < from ? slot->begin[k] : from;
        end = slot->end[k];
        rows += end - slot->begin[k];
    }
    slot->sums = APART;
    if (rows == 0 || end - from > 2 * rows)
        return;
    uint32_t first = r->now_sums.count, needed = end - from + 1;
    WI_ROOM(&r->now_sums, needed);
    WI_ROOM(&r->now_others, needed);
    sum_up(slot, from, end, r->now_sums.at + first, r->now_others.at + first);
    r->now_sums.count = r->now_others.count = first + needed;
    slot->sums = (int64_t)first - from;
}

bool wi_reduce_choose_now(wi_reduction *r)
{
    if (!learn(r) || r->simple || r->total_order || !judge_times(r))
        return false;
    r->now_sums.count = r->now_others.count = 0;
    for (uint32_t s = 0; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
        slot->sums = APART;
        if (slot->active)
            sum_slot(r, slot);
    }
    return true;
}

/* The diffs of a key's updates [at, end), as far as their times are at or before. */
static int64_t sum_now(wi_reduction *r, const wi_slot *slot, uint32_t at, uint32_t end)
{
    int64_t sum = 0;
    if (at == end) /* it may be where nothing was summed up */
        return 0;
    if (WEIR_LIKELY(slot->sums != APART)) {
        const int64_t *sums = r->now_sums.at + slot->sums;
        const uint32_t *others = r->now_others.at + slot->sums;
        r->now_again |= others[at] != others[end];
        return sums[end] - sums[at];
    }
    for (; at < end; at++) {
        bool now = slot->local[wi_slot_time(slot, at)];
        sum += now ? wi_run_diff(slot->run, at) : 0;
        r->now_again |= !now;
    }
    return sum;
}

/* ---- what there is ---------------------------------------------------------------------- */

static void add_totals(wi_reduction *r, uint32_t k, bool derived)
{
    int64_t old = 0, new = 0;
    for (uint32_t s = 0; s < r->slots.count; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (!slot->active || !(INPUTS >> slot->role & 1))
            continue;
        int64_t *sum = slot->role == WI_ROLE_OLD ? &old : &new;
        *sum += sum_now(r, slot, slot->begin[k], slot->end[k]);
    }
    wi_reduce_total(r, old + new);
    if (derived)
        wi_reduce_total(r, old);
}

static inline int compare(const wi_reduction *r, const uint64_t *a, const uint64_t *b)
{
    if (WEIR_LIKELY(r->words == r->in_at + 1 && !r->in_layout->texts))
        return (a[r->in_at] > b[r->in_at]) - (a[r->in_at] < b[r->in_at]);
    return wi_words_compare(r->in_layout, a, b, r->in_at, r->words);
}

static inline const uint64_t *last_row(const wi_reduction *r, const wi_cursor *cursor)
{
    return cursor->row + (size_t)(cursor->end - cursor->at - 1) * r->words;
}

/* The least row of the cursors, and how often it is there. */
static const uint64_t *take(wi_reduction *r, int64_t *count_out)
{
    wi_cursor *cursor = r->cursors.at;
    uint32_t count = r->cursors.count;
    if (count == 0)
        return NULL;
    const uint64_t *least = cursor[0].row;
    for (uint32_t c = 1; c < count; c++)
        if (compare(r, cursor[c].row, least) < 0)
            least = cursor[c].row;
    *count_out = 0;
    for (uint32_t c = 0; c < count;) {
        wi_cursor *it = &cursor[c];
        uint32_t at = it->at;
        const uint64_t *row = it->row;
        if (compare(r, row, least) == 0 && compare(r, last_row(r, it), least) == 0)
            at = it->end;
        for (; at < it->end && compare(r, row, least) == 0; at++)
            row += r->words;
        *count_out += sum_now(r, it->slot, it->at, at);
        it->at = at;
        it->row = row;
        if (at == it->end)
            *it = cursor[--count];
        else
            c++;
    }
    r->cursors.count = count;
    return least;
}

/* Whether there are updates at other times among those of rows that were not taken. */
static void look_at_rest(wi_reduction *r)
{
    for (uint32_t c = 0; c < r->cursors.count && !r->now_again; c++)
        sum_now(r, r->cursors.at[c].slot, r->cursors.at[c].at, r->cursors.at[c].end);
}

static void add_rows(wi_reduction *r, uint32_t k)
{
    const wi_reducer *how = &r->call->how;
    uint64_t missing = how->enough && !how->tie_fields ? how->enough : UINT64_MAX;
    wi_reduce_cursors(r, k, INPUTS);
    r->rows.count = r->moments.count = 0;
    const uint64_t *row;
    for (int64_t count; missing && (row = take(r, &count));) {
        if (count == 0)
            continue;
        WI_PUSH(&r->moments, (wi_moment){0, count});
        WI_PUSH(&r->rows, (wi_held_row){row, r->moments.count});
        if (count > 0 && missing != UINT64_MAX)
            missing -= (uint64_t)count < missing ? (uint64_t)count : missing;
    }
    look_at_rest(r);
    wi_reduce_group(r, 0, NULL);
}

/* What the output trace has. */
static void add_said(wi_reduction *r, uint32_t k)
{
    for (uint32_t s = r->sources; s < r->slots.count; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (!slot->active || slot->role != WI_ROLE_OUT)
            continue;
        for (uint32_t i = slot->begin[k], next; i < slot->end[k]; i = next) {
            const uint64_t *row = wi_run_row(slot->run, i), *other = row + r->out_words;
            next = r->value_words == 0 ? slot->end[k] : i + 1;
            for (; next < slot->end[k]; next++, other += r->out_words)
                if (wi_value_compare(r, row + r->out_at, other + r->out_at))
                    break;
            int64_t diff = sum_now(r, slot, i, next);
            if (diff)
                WI_PUSH(&r->said, (wi_said){row + r->out_at, 0, diff});
        }
    }
}

void wi_reduce_plan_now(wi_reduction *r, uint32_t k)
{
    wi_plan *plan = &r->plans[k];
    wi_reduce_begin_said(r, k);
    r->now_again = false;
    if (r->call->how.total)
        add_totals(r, k, plan->derived);
    else
        add_rows(r, k);
    add_said(r, k);
    wi_reduce_end_said(r, k);
    plan->kind = WI_PLAN_CHAIN;
    plan->complete = 1;
    WI_PUSH(&r->times, r->now);
    for (uint32_t i = 0; r->now_again && i < r->next.count; i++)
        wi_reduce_defer(r, k, &r->next.times[i]);
}
