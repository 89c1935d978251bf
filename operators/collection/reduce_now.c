/* A key that is evaluated at one time only, and is then looked at again at the next ones of
 * its history: instead of at all of them at once (reduce_times.c), which saves looking again if
 * nothing has to be said then. Where most keys have new updates then anyway, as in loops whose
 * every round changes most of them, that is for nothing, and this is a single pass over the
 * updates: no time is numbered or sorted, and each is compared with the time in question only
 * once, for all keys. wi_reduce_learn decides between the two: by how many of the deferred keys
 * had new updates as well. */
#include "reduce_state.h"

#define INPUTS (1u << WI_ROLE_NEW | 1u << WI_ROLE_OLD)

/* Keys that have to be seen before what they say counts. Tests make it small. */
uint32_t wi_reduce_learn_from = 64;

/* ---- when ------------------------------------------------------------------------------- */

/* What was found counts less as it gets older. */
static void look_back(wi_reduction *r)
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
}

void wi_reduce_learn(wi_reduction *r)
{
    look_back(r);
    r->now_only = r->again >= wi_reduce_learn_from && r->again_new >= r->again / 2;
}

/* ---- which updates ---------------------------------------------------------------------- */

static void begin(wi_reduction *r, const weir_time *time)
{
    if (r->now_stamp && weir_time_eq(&r->now, time))
        return;
    for (uint32_t s = 0; s < r->slots.count; s++)
        wi_slot_times(&r->slots.at[s]);
    r->now = *time;
    wi_reduce_next_stamp(r);
    r->later_stamp = r->stamp;
    wi_reduce_next_stamp(r);
    r->now_stamp = r->stamp;
}

/* Whether the time is at or before; if not, it counts later. */
static bool judge(wi_reduction *r, wi_slot *slot, uint32_t index)
{
    const weir_time *time = &slot->run->table[index];
    if (slot->stamp[index] != r->later_stamp) {
        bool now = weir_time_le(time, &r->now);
        slot->stamp[index] = now ? r->now_stamp : r->later_stamp;
        if (now)
            return true;
    }
    weir_time join = weir_time_join(time, &r->now);
    if (r->later.count == 0 || !weir_time_le(&r->later.times[0], &join))
        weir_antichain_insert(&r->later, &join);
    return false;
}

/* The diffs of a key's updates [at, end), as far as their times are at or before. */
static int64_t sum_now(wi_reduction *r, wi_slot *slot, uint32_t at, uint32_t end)
{
    const wi_run *run = slot->run;
    const uint32_t *times = run->times, *stamp = slot->stamp;
    uint32_t now = r->now_stamp;
    int64_t sum = 0;
    for (; at < end; at++) {
        uint32_t index = times ? times[at] : 0;
        if (stamp[index] == now || judge(r, slot, index))
            sum += run->diffs ? run->diffs[at] : run->diff;
    }
    return sum;
}

/* ---- what there is ---------------------------------------------------------------------- */

static void add_totals(wi_reduction *r, uint32_t k, bool derived)
{
    int64_t old = 0, new = 0;
    for (uint32_t s = 0; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
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
    if (WEIR_LIKELY(r->words == r->key_words + 1 && !r->in_layout->texts))
        return (a[r->key_words] > b[r->key_words]) - (a[r->key_words] < b[r->key_words]);
    return wi_words_compare(r->in_layout, a, b, r->key_words, r->words);
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
        for (; at < it->end && compare(r, row, least) == 0; at++)
            row += r->words;
        *count_out += sum_now(r, (wi_slot *)it->slot, it->at, at);
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

static void add_rows(wi_reduction *r, uint32_t k)
{
    wi_reduce_cursors(r, k, INPUTS);
    r->rows.count = r->moments.count = 0;
    const uint64_t *row;
    for (int64_t count; (row = take(r, &count));) {
        if (count == 0)
            continue;
        WI_PUSH(&r->moments, (wi_moment){0, count});
        WI_PUSH(&r->rows, (wi_held_row){row, r->moments.count});
    }
    wi_reduce_group(r, 0, NULL);
}

/* What the output trace has. */
static void add_said(wi_reduction *r, uint32_t k)
{
    for (uint32_t s = r->sources; s < r->slots.count; s++) {
        wi_slot *slot = &r->slots.at[s];
        if (!slot->active || slot->role != WI_ROLE_OUT)
            continue;
        for (uint32_t i = slot->begin[k], next; i < slot->end[k]; i = next) {
            const uint64_t *row = wi_run_row(slot->run, i), *other = row + r->out_words;
            for (next = i + 1; next < slot->end[k]; next++, other += r->out_words)
                if (wi_value_compare(r, row + r->key_words, other + r->key_words))
                    break;
            int64_t diff = sum_now(r, slot, i, next);
            if (diff)
                WI_PUSH(&r->said, (wi_said){row + r->key_words, 0, diff});
        }
    }
}

/* Whether none of the later times is complete: then they can be deferred. */
static bool all_to_come(const wi_reduction *r)
{
    for (uint32_t i = 0; i < r->later.count; i++)
        if (!weir_antichain_le(&r->upper, &r->later.times[i]))
            return false;
    return true;
}

bool wi_reduce_plan_now(wi_reduction *r, uint32_t k)
{
    wi_plan *plan = &r->plans[k];
    uint32_t words = r->group_words.count, counts = r->counts.count, ends = r->ends.count;
    wi_reduce_begin_said(r, k);
    begin(r, plan->time);
    weir_antichain_clear(&r->later);
    if (r->call->how.total)
        add_totals(r, k, plan->derived);
    else
        add_rows(r, k);
    add_said(r, k);
    wi_reduce_end_said(r, k);
    if (!all_to_come(r)) {
        r->group_words.count = words;
        r->counts.count = counts;
        r->ends.count = ends;
        r->chosen.count = plan->first_choice;
        r->said.count = plan->first_said;
        return false;
    }
    plan->kind = WI_PLAN_CHAIN;
    plan->complete = 1;
    WI_PUSH(&r->times, *plan->time);
    for (uint32_t i = 0; i < r->later.count; i++)
        wi_reduce_defer(r, k, &r->later.times[i]);
    return true;
}
