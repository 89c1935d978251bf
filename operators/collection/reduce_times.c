/* A key with several times: where it has to be evaluated.
 *
 * Its updates are put together as rows with moments, a moment being an index of the key's own
 * times. These are first advanced to the greatest time that is at or before all new ones:
 * nothing earlier is evaluated, and most history becomes one time. What adds up to nothing is
 * left out.
 *
 * The result may be wrong where a new or deferred time, joined with any of the key's times, is.
 * Where the key's times form a chain these joins are the times themselves. Otherwise they are
 * worked out: an agenda of times, in lexicographic order, to which each time that is taken off
 * adds its joins.
 *
 * A time that is not complete is looked at, too, but nothing is said about it: only if the
 * result there is wrong as of now, it is deferred (reduce_results.c), and later ones with it.
 * What may still come will bring its own times. Only a few times are looked at so early; after
 * these the next ones are deferred unseen.
 *
 * What was said so far is looked up in the output trace. For totals of a key that is not
 * deferred it is derived from the sums without the new updates: nothing is wrong then (D1).
 * Where times are totally ordered the output trace is not needed: what was said before is what
 * the rows before give, as time 0 of the key ("past"). */
#include "reduce_state.h"

#include <stdlib.h>

#define INPUTS (1u << WI_ROLE_NEW | 1u << WI_ROLE_OLD)
#define FEW_TIMES 24
#define EARLY_TIMES 8 /* looked at although they are not complete */

/* ---- the key's times -------------------------------------------------------------------- */

static weir_time meet_of_new(const wi_reduction *r, uint32_t k)
{
    const weir_time *first = NULL;
    weir_time meet = {{0}};
    for (uint32_t s = 0; s < r->sources; s++) {
        const wi_slot *slot = &r->slots.at[s];
        for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++) {
            const weir_time *time = wi_run_time(slot->run, i);
            meet = first ? weir_time_meet(&meet, time) : *time;
            first = time;
        }
    }
    return meet;
}

static int compare_used(const void *a, const void *b)
{
    return weir_time_compare(&((const wi_used_time *)a)->time, &((const wi_used_time *)b)->time);
}

static void sort_used(wi_used_time *used, uint32_t count)
{
    if (count > FEW_TIMES) {
        qsort(used, count, sizeof *used, compare_used);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        wi_used_time inserted = used[i];
        uint32_t at = i;
        for (; at && compare_used(&used[at - 1], &inserted) > 0; at--)
            used[at] = used[at - 1];
        used[at] = inserted;
    }
}

void wi_slot_times(wi_slot *slot)
{
    uint32_t needed = slot->run->time_count, had = slot->times_capacity;
    if (needed <= had)
        return;
    unsigned capacity = had;
    wi_grow(&slot->local, &capacity, needed, sizeof *slot->local);
    slot->stamp = wi_realloc(slot->stamp, capacity * sizeof *slot->stamp);
    memset(slot->stamp + had, 0, (capacity - had) * sizeof *slot->stamp);
    slot->times_capacity = capacity;
}

/* Lists the times that rows of the key have, in all runs. */
static void list_times(wi_reduction *r, uint32_t k, const weir_time *meet)
{
    r->used.count = 0;
    for (uint32_t s = 0; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
        if (!slot->active)
            continue;
        wi_slot_times(slot);
        bool past = r->total_order && slot->role == WI_ROLE_OLD;
        for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++) {
            uint32_t index = wi_slot_time(slot, i);
            if (slot->stamp[index] == r->stamp)
                continue;
            slot->stamp[index] = r->stamp;
            slot->local[index] = 0;
            if (!past) {
                weir_time time = weir_time_join(&slot->run->table[index], meet);
                WI_PUSH(&r->used, (wi_used_time){time, s, index});
            }
        }
    }
}

/* Numbers them in lexicographic order: key_times, and slots' local. */
static void number_times(wi_reduction *r)
{
    static const weir_time past;
    r->key_times.count = r->seed.count = r->seen.count = r->sums.count = 0;
    if (r->total_order)
        WI_PUSH(&r->key_times, past);
    sort_used(r->used.at, r->used.count);
    uint32_t first = r->key_times.count;
    for (uint32_t i = 0; i < r->used.count; i++) {
        const wi_used_time *used = &r->used.at[i];
        uint32_t count = r->key_times.count;
        if (count == first || !weir_time_eq(&r->key_times.at[count - 1], &used->time)) {
            WI_PUSH(&r->key_times, used->time);
            count++;
        }
        r->slots.at[used->slot].local[used->index] = count - 1;
    }
    uint32_t count = r->key_times.count;
    WI_ROOM(&r->seed, count);
    WI_ROOM(&r->seen, count);
    WI_ROOM(&r->sums, count);
    WI_ROOM(&r->old_sums, count);
    memset(r->old_sums.at, 0, count * sizeof *r->old_sums.at);
    memset(r->seed.at, 0, count);
    memset(r->seen.at, 0, count);
    memset(r->sums.at, 0, count * sizeof *r->sums.at);
    for (uint32_t i = 0; i < r->used.count; i++) {
        const wi_used_time *used = &r->used.at[i];
        const wi_slot *slot = &r->slots.at[used->slot];
        if (used->slot < r->sources)
            r->seed.at[slot->local[used->index]] = 1;
    }
}

/* ---- its updates ------------------------------------------------------------------------ */

static void gather_totals(wi_reduction *r, uint32_t k)
{
    for (uint32_t s = 0; s < r->slots.count; s++) {
        const wi_slot *slot = &r->slots.at[s];
        if (!slot->active || !(INPUTS >> slot->role & 1))
            continue;
        for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++) {
            uint32_t time = slot->local[wi_slot_time(slot, i)];
            r->sums.at[time] += wi_run_diff(slot->run, i);
            if (slot->role == WI_ROLE_OLD)
                r->old_sums.at[time] += wi_run_diff(slot->run, i);
        }
    }
    for (uint32_t t = 0; t < r->key_times.count; t++)
        r->seen.at[t] = r->sums.at[t] != 0;
}

/* How often a row is there at least, at every time of the key, which are at or after its first
 * one: its moments from `first` on, consolidated. */
static uint64_t always(const wi_reduction *r, uint32_t first)
{
    int64_t least = 0;
    for (uint32_t i = first; i < r->moments.count; i++) {
        const wi_moment *moment = &r->moments.at[i];
        least += moment->time == 0 || moment->diff < 0 ? moment->diff : 0;
    }
    return least > 0 ? (uint64_t)least : 0;
}

/* `seen` marks the times of what there is. Rows that are beyond what is enough at every time do
 * not matter. */
static void gather_rows(wi_reduction *r, uint32_t k, const weir_time *meet)
{
    const wi_reducer *how = &r->call->how;
    bool rooted = r->total_order || weir_time_eq(&r->key_times.at[0], meet);
    uint64_t missing = rooted && how->enough && !how->tie_fields ? how->enough : UINT64_MAX;
    wi_reduce_cursors(r, k, INPUTS);
    r->rows.count = r->moments.count = 0;
    const uint64_t *row;
    for (uint32_t first;
         (first = r->moments.count, missing && (row = wi_reduce_take(r, r->in_layout, true)));) {
        wi_reduce_consolidate(r, first);
        if (r->moments.count > first)
            WI_PUSH(&r->rows, (wi_held_row){row, r->moments.count});
        uint64_t here = missing == UINT64_MAX ? 0 : always(r, first);
        missing -= here < missing ? here : missing;
    }
    for (uint32_t i = 0; i < r->moments.count; i++)
        r->seen.at[r->moments.at[i].time] = 1;
}

/* What the output trace has, by value and then time. */
static void gather_said(wi_reduction *r, uint32_t k)
{
    wi_reduce_cursors(r, k, 1u << WI_ROLE_OUT);
    uint32_t first = r->moments.count;
    const uint64_t *row;
    while ((row = wi_reduce_take(r, r->out_layout, true))) {
        wi_reduce_consolidate(r, first);
        for (uint32_t i = first; i < r->moments.count; i++) {
            const wi_moment *moment = &r->moments.at[i];
            r->seen.at[moment->time] = 1;
            WI_PUSH(&r->said, (wi_said){row + r->out_at, moment->time, moment->diff});
        }
        r->moments.count = first;
    }
}

/* Leaves out times that nothing has, except new ones. */
static void drop_times(wi_reduction *r, uint32_t first_said)
{
    WI_ROOM(&r->rank, r->key_times.count);
    uint32_t kept = 0;
    for (uint32_t t = 0; t < r->key_times.count; t++) {
        r->rank.at[t] = kept;
        if (!r->seen.at[t] && !r->seed.at[t] && !(t == 0 && r->total_order))
            continue;
        r->key_times.at[kept] = r->key_times.at[t];
        r->seed.at[kept] = r->seed.at[t];
        r->sums.at[kept] = r->sums.at[t];
        r->old_sums.at[kept] = r->old_sums.at[t];
        kept++;
    }
    if (kept == r->key_times.count)
        return;
    r->key_times.count = kept;
    for (uint32_t i = 0; !r->call->how.total && i < r->moments.count; i++)
        r->moments.at[i].time = r->rank.at[r->moments.at[i].time];
    for (uint32_t i = first_said; i < r->said.count; i++)
        r->said.at[i].time = r->rank.at[r->said.at[i].time];
}

/* ---- when it is evaluated --------------------------------------------------------------- */

void wi_reduce_defer(wi_reduction *r, uint32_t k, const weir_time *time)
{
    wi_bin *bin = wi_pending_bin(&r->deferred, time);
    if (!bin->capability)
        bin->capability = weir_retain(r->op, 0, time);
    if (r->pending)
        ++*wi_reduce_pending(r, r->key[k]);
    wi_bin_row(r->key_layout, bin, r->key[k], 1);
}

static bool is_chain(const wi_reduction *r)
{
    for (uint32_t t = 1; t < r->key_times.count && !r->total_order; t++)
        if (!weir_time_le(&r->key_times.at[t - 1], &r->key_times.at[t]))
            return false;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const wi_said *x = a, *y = b;
    return x->time != y->time ? (x->time < y->time ? -1 : 1) : 0;
}

static void chain(wi_reduction *r, uint32_t k, wi_plan *plan)
{
    uint32_t count = r->key_times.count, complete = r->total_order ? count : 0;
    while (complete < count && !weir_antichain_le(&r->upper, &r->key_times.at[complete]))
        complete++;
    uint32_t looked_at = count - complete > EARLY_TIMES ? complete + EARLY_TIMES : count;
    if (looked_at < count)
        wi_reduce_defer(r, k, &r->key_times.at[looked_at]);
    plan->kind = WI_PLAN_CHAIN;
    plan->complete = complete;
    int64_t total = 0, old = 0;
    for (uint32_t t = 0; t < looked_at; t++) {
        WI_PUSH(&r->times, r->key_times.at[t]);
        if (r->call->how.total)
            wi_reduce_total(r, total += r->sums.at[t]);
        else
            wi_reduce_group(r, t, NULL);
        if (plan->derived)
            wi_reduce_total(r, old += r->old_sums.at[t]);
    }
    uint32_t said = r->said.count - plan->first_said;
    if (said > 1 && count > 1)
        qsort(r->said.at + plan->first_said, said, sizeof *r->said.at, by_time);
}

/* Where time would be found, among the agenda's entries from `from` on. */
static uint32_t agenda_find(const wi_reduction *r, uint32_t from, const weir_time *time)
{
    uint32_t high = r->agenda.count;
    while (from < high) {
        uint32_t middle = from + (high - from) / 2;
        if (weir_time_compare(&r->agenda.at[middle], time) < 0)
            from = middle + 1;
        else
            high = middle;
    }
    return from;
}

/* The agenda from `done` on is still to come. */
static void agenda_add(wi_reduction *r, uint32_t done, uint32_t *early, const weir_time *time)
{
    uint32_t at = agenda_find(r, done, time);
    if (at < r->agenda.count && weir_time_eq(&r->agenda.at[at], time))
        return;
    if (weir_antichain_le(&r->upper, time)) {
        if (*early == 0)
            weir_antichain_insert(&r->later, time);
        if (*early == 0 || weir_antichain_le(&r->later, time))
            return;
        --*early;
    }
    WI_ROOM(&r->agenda, 1);
    memmove(r->agenda.at + at + 1, r->agenda.at + at,
            (r->agenda.count - at) * sizeof *r->agenda.at);
    r->agenda.at[at] = *time;
    r->agenda.count++;
}

static void group_at(wi_reduction *r, const weir_time *time, bool derived)
{
    int64_t total = 0, old = 0;
    for (uint32_t t = 0; t < r->key_times.count; t++) {
        r->seen.at[t] = weir_time_le(&r->key_times.at[t], time);
        total += r->seen.at[t] ? r->sums.at[t] : 0;
        old += r->seen.at[t] ? r->old_sums.at[t] : 0;
    }
    if (r->call->how.total)
        wi_reduce_total(r, total);
    else
        wi_reduce_group(r, 0, r->seen.at);
    if (derived)
        wi_reduce_total(r, old);
}

static void general(wi_reduction *r, uint32_t k, wi_plan *plan)
{
    plan->kind = WI_PLAN_GENERAL;
    uint32_t early = EARLY_TIMES;
    r->agenda.count = 0;
    weir_antichain_clear(&r->later);
    for (uint32_t t = 0; t < r->key_times.count; t++)
        if (r->seed.at[t])
            agenda_add(r, 0, &early, &r->key_times.at[t]);
    for (uint32_t done = 0; done < r->agenda.count;) {
        weir_time time = r->agenda.at[done++];
        for (uint32_t t = 0; t < r->key_times.count; t++) {
            weir_time join = weir_time_join(&time, &r->key_times.at[t]);
            if (!weir_time_eq(&join, &time))
                agenda_add(r, done, &early, &join);
        }
        WI_PUSH(&r->times, time);
        group_at(r, &time, plan->derived);
    }
    for (uint32_t i = 0; i < r->later.count; i++)
        wi_reduce_defer(r, k, &r->later.times[i]);
    uint32_t first = r->said_times.count;
    WI_ROOM(&r->said_times, r->key_times.count);
    memcpy(r->said_times.at + first, r->key_times.at, r->key_times.count * sizeof(weir_time));
    r->said_times.count += r->key_times.count;
    for (uint32_t i = plan->first_said; i < r->said.count; i++)
        r->said.at[i].time += first;
}

static bool is_deferred(const wi_reduction *r, uint32_t k)
{
    for (uint32_t s = 0; s < r->sources; s++)
        if (r->slots.at[s].role == WI_ROLE_DEFERRED &&
            r->slots.at[s].begin[k] != r->slots.at[s].end[k])
            return true;
    return false;
}

static void next_stamp(wi_reduction *r)
{
    if (++r->stamp)
        return;
    r->stamp = 1; /* none has it: it was used 2^32 keys ago */
    for (uint32_t s = 0; s < r->slots.capacity; s++)
        if (r->slots.at[s].stamp)
            memset(r->slots.at[s].stamp, 0, r->slots.at[s].times_capacity * sizeof(uint32_t));
}

/* Whether what was said is to be derived; else it is looked up. */
void wi_reduce_begin_said(wi_reduction *r, uint32_t k)
{
    wi_plan *plan = &r->plans[k];
    plan->derived = r->pending && !*wi_reduce_pending(r, r->key[k]) && !is_deferred(r, k);
    if (r->pending && !plan->derived)
        wi_reduce_look_up_said(r, k);
}

void wi_reduce_end_said(wi_reduction *r, uint32_t k)
{
    for (uint32_t s = r->sources; s < r->slots.count && r->pending && !r->plans[k].derived; s++)
        if (r->slots.at[s].role == WI_ROLE_OUT)
            r->slots.at[s].active = false; /* they are where this key is */
}

void wi_reduce_plan_times(wi_reduction *r, uint32_t k)
{
    wi_plan *plan = &r->plans[k];
    wi_reduce_begin_said(r, k);
    next_stamp(r);
    weir_time meet = meet_of_new(r, k);
    list_times(r, k, &meet);
    number_times(r);
    r->rows.count = r->moments.count = 0;
    if (r->call->how.total)
        gather_totals(r, k);
    else
        gather_rows(r, k, &meet);
    gather_said(r, k);
    drop_times(r, plan->first_said);
    if (is_chain(r))
        chain(r, k, plan);
    else
        general(r, k, plan);
    wi_reduce_end_said(r, k);
}
