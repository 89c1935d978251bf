/* Calling the reducer for all groups of a block at once, and what that changes: the results at
 * each time of a key, minus what was said before about that time and the ones before it. */
#include "reduce_state.h"

#include "../../base/out.h"

#define FEW_CHANGES 16
#define KERNEL_ROWS_MIN 16

/* ---- the reducer ------------------------------------------------------------------------ */

static void add_result(wi_reduction *r, const uint64_t *value, int64_t diff)
{
    WI_PUSH(&r->results, (wi_difference){.value = value, .diff = diff});
}

/* Room for the values of `count` groups. A row without any field still has a word. */
static uint64_t *value_room(wi_reduction *r, uint32_t count)
{
    const wi_layout *layout = r->out_layout;
    r->result_words.count = 0;
    WI_ROOM(&r->result_words, (uint64_t)count * r->value_words + 1);
    if (layout->column_count == layout->key_column_count)
        memset(r->result_words.at, 0, (size_t)count * r->value_words * sizeof(uint64_t));
    return r->result_words.at;
}

/* At most one row for each group. */
static void single_results(wi_reduction *r, const wi_groups *groups)
{
    const wi_reduce_call *call = r->call;
    uint32_t count = groups->groups;
    r->result_diffs.count = 0;
    WI_ROOM(&r->result_diffs, count);
    uint64_t *values = value_room(r, count);
    int64_t *diffs = r->result_diffs.at;
    if (call->how.total)
        call->how.total(groups->counts, count, r->out_layout, values, diffs, call->arg);
    else
        call->how.fold(groups, r->out_layout, values, diffs, call->arg);
    for (uint32_t g = 0; g < count; g++, values += r->value_words) {
        if (diffs[g])
            add_result(r, values, diffs[g]);
        WI_PUSH(&r->result_ends, r->results.count);
    }
}

static void selected_results(wi_reduction *r, const wi_groups *groups)
{
    r->result_diffs.count = 0;
    WI_ROOM(&r->result_diffs, r->counts.count);
    int64_t *diffs = r->result_diffs.at;
    r->call->how.select(groups, diffs, r->call->arg);
    for (uint32_t g = 0, i = 0; g < groups->groups; g++) {
        const uint64_t *value = groups->rows + (size_t)i * r->words + r->in_at;
        for (; i < groups->ends[g]; i++, value += r->words)
            if (diffs[i])
                add_result(r, value, diffs[i]);
        WI_PUSH(&r->result_ends, r->results.count);
    }
}

/* Sorts changes by value and then time. */
static int compare_changes(const wi_reduction *r, const wi_difference *a, const wi_difference *b)
{
    int order = wi_value_compare(r, a->value, b->value);
    return order ? order : (a->time > b->time) - (a->time < b->time);
}

static void sort_changes(wi_reduction *r, wi_difference *change, uint32_t count,
                         wi_difference *space)
{
    if (count <= FEW_CHANGES) {
        for (uint32_t i = 1; i < count; i++) {
            wi_difference inserted = change[i];
            uint32_t at = i;
            for (; at && compare_changes(r, &change[at - 1], &inserted) > 0; at--)
                change[at] = change[at - 1];
            change[at] = inserted;
        }
        return;
    }
    uint32_t half = count / 2;
    sort_changes(r, change, half, space);
    sort_changes(r, change + half, count - half, space);
    if (compare_changes(r, &change[half - 1], &change[half]) <= 0)
        return;
    memcpy(space, change, half * sizeof *change);
    for (uint32_t a = 0, b = half, to = 0; a < half; to++) {
        if (b < count && compare_changes(r, &change[b], &space[a]) < 0)
            change[to] = change[b++];
        else
            change[to] = space[a++];
    }
}

/* Sorts changes [first, count) of a list and adds up those of the same value and time. */
#define SETTLE(r, list, first) \
    ((list)->count = (first) + settle((r), (list)->at + (first), (list)->count - (first)))

static uint32_t settle(wi_reduction *r, wi_difference *change, uint32_t count)
{
    WI_ROOM(&r->change_space, count); /* which stays empty */
    sort_changes(r, change, count, r->change_space.at);
    uint32_t kept = 0;
    for (uint32_t i = 0, next; i < count; i = next) {
        int64_t diff = change[i].diff;
        for (next = i + 1; next < count && compare_changes(r, &change[i], &change[next]) == 0;)
            diff += change[next++].diff;
        change[kept] = change[i];
        change[kept].diff = diff;
        kept += diff != 0;
    }
    return kept;
}

/* ---- kernels ---------------------------------------------------------------------------- */

/* All rows that a kernel pushes stay in one batch. */
static void more_kernel_rows(weir_out *out)
{
    wi_out_grow(out, out->capacity < KERNEL_ROWS_MIN ? KERNEL_ROWS_MIN : 2 * out->capacity);
}

static const weir_batch *run_kernel(wi_reduction *r, const wi_groups *groups)
{
    static const weir_time time;
    const weir_reduce_kernel *kernel = r->call->how.kernel;
    weir_out *out = &r->kernel_out;
    if (!r->kernel_out_ready) {
        r->kernel_out_ready = true;
        wi_out_init(out, kernel->out, more_kernel_rows, r);
        out->full = more_kernel_rows;
        out->lately = 0;
    }
    wi_out_open(out, &time, UINT32_MAX);
    uint32_t rows = r->counts.count;
    if ((size_t)rows * kernel->in->size >= r->decoded_bytes) {
        r->decoded_bytes = 2 * ((size_t)rows * kernel->in->size + 1);
        r->decoded = wi_realloc(r->decoded, r->decoded_bytes);
    }
    wi_layout_decode(r->in_layout, groups->rows, r->words, rows, r->decoded);
    r->kernel_ends.count = 0;
    WI_ROOM(&r->kernel_ends, groups->groups);
    kernel->run(r->decoded, groups->counts, groups->ends, groups->groups, out, r->kernel_ends.at,
                r->call->arg);
    weir_batch_drop(r->kernel_rows);
    return r->kernel_rows = wi_out_seal(out);
}

static void kernel_results(wi_reduction *r, const wi_groups *groups)
{
    const weir_batch *batch = run_kernel(r, groups);
    r->result_words.count = 0;
    if (batch) {
        WI_ROOM(&r->result_words, (uint64_t)batch->count * r->out_words);
        wi_layout_encode(r->out_layout, batch->rows, batch->count, r->result_words.at, r->out_words,
                         &r->result_heap);
    }
    for (uint32_t g = 0, i = 0; g < groups->groups; g++) {
        uint32_t first = r->results.count;
        const uint64_t *value = r->result_words.at + (size_t)i * r->out_words + r->out_at;
        for (; i < r->kernel_ends.at[g]; i++, value += r->out_words)
            add_result(r, value, weir_batch_diff(batch, i));
        if (r->results.count > first + 1 || (batch && batch->diffs))
            SETTLE(r, &r->results, first);
        WI_PUSH(&r->result_ends, r->results.count);
    }
}

void wi_reduce_results(wi_reduction *r)
{
    const wi_reducer *how = &r->call->how;
    wi_groups groups = {.layout = r->in_layout,
                        .rows = r->group_words.at,
                        .counts = r->counts.at,
                        .ends = r->ends.at,
                        .groups = how->total ? r->counts.count : r->ends.count};
    r->results.count = r->result_ends.count = 0;
    wi_heap_fini(&r->result_heap);
    if (groups.groups == 0)
        return;
    if (how->total || how->fold)
        single_results(r, &groups);
    else if (how->select)
        selected_results(r, &groups);
    else
        kernel_results(r, &groups);
}

/* ---- differences ------------------------------------------------------------------------ */

typedef struct list {
    const wi_difference *at;
    uint32_t count;
} list;

static list results_of(const wi_reduction *r, uint32_t choice)
{
    uint32_t group = r->chosen.at[choice];
    if (group == WI_NO_GROUP)
        return (list){0};
    uint32_t begin = group ? r->result_ends.at[group - 1] : 0;
    return (list){r->results.at + begin, r->result_ends.at[group] - begin};
}

/* From one list to another, both sorted. */
static void simple(wi_reduction *r, const wi_plan *plan, const uint64_t *key)
{
    list old = results_of(r, plan->first_choice), now = results_of(r, plan->first_choice + 1);
    uint32_t i = 0, j = 0, time = 0;
    bool timed = false;
    while (i < old.count || j < now.count) {
        int order = i == old.count   ? 1
                    : j == now.count ? -1
                                     : wi_value_compare(r, old.at[i].value, now.at[j].value);
        const uint64_t *value = order <= 0 ? old.at[i].value : now.at[j].value;
        int64_t diff = 0;
        if (order <= 0)
            diff -= old.at[i++].diff;
        if (order >= 0)
            diff += now.at[j++].diff;
        if (diff == 0)
            continue;
        if (!timed)
            time = wi_made_time(r, plan->time);
        timed = true;
        wi_made_row(r, key, value, time, diff);
    }
}

/* A list's rows, there `sign` times as often, become changes at a choice. */
static void add_list(wi_reduction *r, list from, int64_t sign, uint32_t time)
{
    for (uint32_t i = 0; i < from.count; i++)
        WI_PUSH(&r->changes, (wi_difference){from.at[i].value, sign * from.at[i].diff, time});
}

static void add_said(wi_reduction *r, const wi_said *said, uint32_t time)
{
    WI_PUSH(&r->changes, (wi_difference){said->value, -said->diff, time});
}

/* What is said at a time and was not so at the one before. */
static void chain(wi_reduction *r, const wi_plan *plan, uint32_t k)
{
    const wi_said *said = r->said.at + plan->first_said, *end = said + plan->said_count;
    uint32_t choice = plan->first_choice, times = plan->choices >> plan->derived;
    list before = {0}, old_before = {0};
    for (uint32_t t = 0; t < times; t++) {
        uint32_t first = r->changes.count;
        list now = results_of(r, choice++);
        add_list(r, now, 1, t);
        add_list(r, before, -1, t);
        before = now;
        if (plan->derived) {
            list old = results_of(r, choice++);
            add_list(r, old, -1, t);
            add_list(r, old_before, 1, t);
            old_before = old;
        }
        for (; said < end && said->time == t; said++)
            add_said(r, said, t);
        SETTLE(r, &r->changes, first);
        if (r->total_order && t == 0)
            r->changes.count = 0;
        if (t < plan->complete || r->changes.count == first)
            continue;
        r->changes.count = first; /* wrong, but not to be said yet */
        wi_reduce_defer(r, k, &r->times.at[plan->first_time + t]);
        return;
    }
}

static void general(wi_reduction *r, const wi_plan *plan, uint32_t k)
{
    const wi_said *said = r->said.at + plan->first_said;
    const weir_time *times = r->times.at + plan->first_time;
    uint32_t choice = plan->first_choice, count = plan->choices >> plan->derived;
    weir_antichain_clear(&r->later);
    for (uint32_t t = 0; t < count; t++, choice += 1 + plan->derived) {
        uint32_t first = r->changes.count;
        if (weir_antichain_le(&r->later, &times[t]))
            continue;
        add_list(r, results_of(r, choice), 1, t);
        if (plan->derived)
            add_list(r, results_of(r, choice + 1), -1, t);
        for (uint32_t i = 0; i < plan->said_count; i++)
            if (weir_time_le(&r->said_times.at[said[i].time], &times[t]))
                add_said(r, &said[i], t);
        for (uint32_t i = 0; i < first; i++) {
            wi_difference made = r->changes.at[i];
            if (weir_time_le(&times[made.time], &times[t]))
                WI_PUSH(&r->changes, (wi_difference){made.value, -made.diff, t});
        }
        SETTLE(r, &r->changes, first);
        if (r->changes.count == first || !weir_antichain_le(&r->upper, &times[t]))
            continue;
        r->changes.count = first; /* wrong, but not to be said yet */
        weir_antichain_insert(&r->later, &times[t]);
    }
    for (uint32_t i = 0; i < r->later.count; i++)
        wi_reduce_defer(r, k, &r->later.times[i]);
}

void wi_reduce_differences(wi_reduction *r)
{
    for (uint32_t k = 0; k < r->keys; k++) {
        const wi_plan *plan = &r->plans[k];
        if (plan->kind == WI_PLAN_SIMPLE) {
            simple(r, plan, r->key[k]);
            continue;
        }
        r->changes.count = 0;
        if (plan->kind == WI_PLAN_CHAIN)
            chain(r, plan, k);
        else
            general(r, plan, k);
        WI_ROOM(&r->change_space, r->changes.count);
        sort_changes(r, r->changes.at, r->changes.count, r->change_space.at);
        for (uint32_t i = 0; i < r->changes.count; i++) {
            const wi_difference *change = &r->changes.at[i];
            uint32_t time = wi_made_time(r, &r->times.at[plan->first_time + change->time]);
            wi_made_row(r, r->key[k], change->value, time, change->diff);
        }
    }
}

void wi_reduce_results_fini(wi_reduction *r)
{
    if (r->kernel_out_ready)
        wi_out_fini(&r->kernel_out);
    weir_batch_drop(r->kernel_rows);
    wi_heap_fini(&r->result_heap);
    wi_free(r->decoded);
}

/* ---- a block of totals at one time ------------------------------------------------------ */

static void add_sums(const wi_reduction *r, const wi_slot *slot, int64_t *sums)
{
    const wi_run *run = slot->run;
    if (run->diffs) {
        for (uint32_t k = 0; k < r->keys; k++)
            for (uint32_t i = slot->begin[k]; i < slot->end[k]; i++)
                sums[k] += run->diffs[i];
    } else {
        for (uint32_t k = 0; k < r->keys; k++)
            sums[k] += run->diff * (slot->end[k] - slot->begin[k]);
    }
}

static void say(wi_reduction *r, const uint64_t *key, uint32_t time, const uint64_t *old,
                int64_t old_diff, const uint64_t *now, int64_t now_diff)
{
    int order = old_diff == 0 ? 1 : now_diff == 0 ? -1 : wi_value_compare(r, old, now);
    if (order == 0) {
        if (now_diff != old_diff)
            wi_made_row(r, key, now, time, now_diff - old_diff);
        return;
    }
    if (order > 0 && now_diff)
        wi_made_row(r, key, now, time, now_diff);
    if (old_diff)
        wi_made_row(r, key, old, time, -old_diff);
    if (order < 0 && now_diff)
        wi_made_row(r, key, now, time, now_diff);
}

void wi_reduce_forget(wi_reduction *r)
{
    wi_tally_fini(&r->known_form, &r->known);
    r->knows = false;
}

/* The totals that are known, to `sums`, and those with the new ones, to the ones behind, which are
 * known from now on. Whether there was any. */
static bool known_sums(wi_reduction *r, int64_t *sums)
{
    uint64_t few[WI_BLOCK_KEYS], *slots[WI_BLOCK_KEYS], *words = few;
    uint32_t keys = r->keys, key_words = r->key_words;
    int64_t any = 0;
    bool fits = true;
    if (key_words > 1)
        words = wi_alloc((size_t)keys * key_words * sizeof *words);
    for (uint32_t k = 0; k < keys; k++)
        memcpy(words + (size_t)k * key_words, r->key[k], key_words * sizeof *words);
    wi_tally_reserve(&r->known_form, &r->known, keys);
    wi_tally_find(&r->known_form, &r->known, words, keys, false, slots);
    for (uint32_t k = 0; k < keys; k++) {
        uint64_t *total = &slots[k][key_words];
        sums[k] = (int64_t)(*total ^ WI_TALLY_BIAS);
        sums[keys + k] += sums[k];
        *total = (uint64_t)sums[keys + k] ^ WI_TALLY_BIAS;
        any |= sums[k];
        fits &= *total != 0;
    }
    if (!fits)
        wi_reduce_forget(r);
    if (words != few)
        wi_free(words);
    return any != 0;
}

void wi_reduce_totals(wi_reduction *r)
{
    const wi_reduce_call *call = r->call;
    uint32_t keys = r->keys;
    int64_t sums[2 * WI_BLOCK_KEYS] = {0}, diffs[2 * WI_BLOCK_KEYS] = {0};
    bool any_old = false;
    for (uint32_t s = 0; s < r->sources; s++)
        add_sums(r, &r->slots.at[s], sums + keys);
    for (uint32_t s = r->sources; s < r->slots.count; s++)
        if (r->slots.at[s].active && r->slots.at[s].role == WI_ROLE_OLD) {
            add_sums(r, &r->slots.at[s], sums);
            any_old = true;
        }
    if (r->knows)
        any_old = known_sums(r, sums);
    else
        for (uint32_t k = 0; k < keys; k++)
            sums[keys + k] += sums[k];
    uint64_t *old = value_room(r, 2 * keys), *now = old + (size_t)keys * r->value_words;
    if (any_old)
        call->how.total(sums, 2 * keys, r->out_layout, old, diffs, call->arg);
    else
        call->how.total(sums + keys, keys, r->out_layout, now, diffs + keys, call->arg);
    uint32_t time = wi_made_time(r, &r->time);
    for (uint32_t k = 0; k < keys; k++, old += r->value_words, now += r->value_words)
        if (diffs[k] | diffs[keys + k])
            say(r, r->key[k], time, old, diffs[k], now, diffs[keys + k]);
}
