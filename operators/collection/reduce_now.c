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
        r->again_new += again && new && new->begin[k] != new->end[k];
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
    r->now = *time;
    wi_reduce_next_stamp(r);
    r->later_stamp = r->stamp;
    wi_reduce_next_stamp(r);
    r->now_stamp = r->stamp;
}

static void judge(wi_reduction *r, wi_slot *slot, uint32_t index)
{
    bool at_or_before = weir_time_le(&slot->run->table[index], &r->now);
    slot->stamp[index] = at_or_before ? r->now_stamp : r->later_stamp;
}

static void add_later(wi_reduction *r, const weir_time *time)
{
    weir_time join = weir_time_join(time, &r->now);
    if (!weir_antichain_le(&r->later, &join))
        weir_antichain_insert(&r->later, &join);
}

/* The diff of an update, if its time is at or before. */
static inline int64_t diff_now(wi_reduction *r, wi_slot *slot, uint32_t row)
{
    uint32_t index = wi_slot_time(slot, row);
    if (WEIR_UNLIKELY(slot->stamp[index] != r->now_stamp)) {
        if (slot->stamp[index] != r->later_stamp)
            judge(r, slot, index);
        if (slot->stamp[index] == r->later_stamp) {
            add_later(r, &slot->run->table[index]);
            return 0;
        }
    }
    return wi_run_diff(slot->run, row);
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
        for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++)
            *sum += diff_now(r, slot, i);
    }
    wi_reduce_total(r, old + new);
    if (derived)
        wi_reduce_total(r, old);
}

static inline bool same_row(const wi_reduction *r, const uint64_t *a, const uint64_t *b)
{
    return wi_words_compare(r->in_layout, a, b, r->key_words, r->words) == 0;
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
        if (wi_words_compare(r->in_layout, cursor[c].row, least, r->key_words, r->words) < 0)
            least = cursor[c].row;
    *count_out = 0;
    for (uint32_t c = 0; c < count;) {
        wi_slot *slot = (wi_slot *)cursor[c].slot;
        while (cursor[c].at < cursor[c].end && same_row(r, cursor[c].row, least)) {
            *count_out += diff_now(r, slot, cursor[c].at++);
            cursor[c].row += r->words;
        }
        if (cursor[c].at == cursor[c].end)
            cursor[c] = cursor[--count];
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
            const uint64_t *row = wi_run_row(slot->run, i), *other = row;
            int64_t diff = diff_now(r, slot, i);
            for (next = i + 1; next < slot->end[k]; next++) {
                other += r->out_words;
                if (wi_value_compare(r, row + r->key_words, other + r->key_words))
                    break;
                diff += diff_now(r, slot, next);
            }
            if (diff)
                WI_PUSH(&r->said, (wi_said){row + r->key_words, 0, diff});
        }
    }
}

void wi_reduce_plan_now(wi_reduction *r, uint32_t k)
{
    wi_plan *plan = &r->plans[k];
    plan->kind = WI_PLAN_CHAIN;
    plan->complete = 1;
    wi_reduce_begin_said(r, k);
    begin(r, plan->time);
    for (uint32_t s = 0; s < r->slots.count; s++)
        wi_slot_times(&r->slots.at[s]);
    weir_antichain_clear(&r->later);
    WI_PUSH(&r->times, *plan->time);
    if (r->call->how.total)
        add_totals(r, k, plan->derived);
    else
        add_rows(r, k);
    add_said(r, k);
    for (uint32_t i = 0; i < r->later.count; i++)
        wi_reduce_defer(r, k, &r->later.times[i]);
    wi_reduce_end_said(r, k);
}
