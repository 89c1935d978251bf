/* The changes that a reduce has made: kept in the order of their rows, since that is how a
 * reduce goes through its keys, so that they become runs without being sorted. Runs go into the
 * trace of the output, or, where there is none, are sent. */
#include "reduce_state.h"

#include "../trace/run_send.h"

/* ---- times ------------------------------------------------------------------------------ */

static uint32_t hash_of(const weir_time *time, uint32_t size)
{
    uint64_t hash = time->at[0] * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 29 ^ time->at[1]) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 31 ^ time->at[2]) * 0x94d049bb133111ebu;
    hash = (hash ^ hash >> 30 ^ time->at[3]) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32) & (size - 1);
}

static void hash_put(wi_made *made, uint32_t index)
{
    uint32_t at = hash_of(&made->table.at[index], made->hash_size);
    while (made->hash[at])
        at = (at + 1) & (made->hash_size - 1);
    made->hash[at] = index + 1;
}

static void rehash(wi_made *made)
{
    wi_free(made->hash);
    made->hash_size = made->hash_size ? 4 * made->hash_size : 32;
    made->hash = WI_NEWS(uint32_t, made->hash_size);
    for (uint32_t t = 0; t < made->table.count; t++)
        hash_put(made, t);
}

uint32_t wi_made_time(wi_reduction *r, const weir_time *time)
{
    wi_made *made = &r->made;
    uint32_t count = made->table.count;
    if (count && weir_time_eq(&made->table.at[count - 1], time))
        return count - 1;
    if (count < 8) {
        for (uint32_t t = 0; t < count; t++)
            if (weir_time_eq(&made->table.at[t], time))
                return t;
        WI_PUSH(&made->table, *time);
        return count;
    }
    if (made->hash_size == 0)
        rehash(made);
    uint32_t at = hash_of(time, made->hash_size);
    for (; made->hash[at]; at = (at + 1) & (made->hash_size - 1))
        if (weir_time_eq(&made->table.at[made->hash[at] - 1], time))
            return made->hash[at] - 1;
    WI_PUSH(&made->table, *time);
    made->hash[at] = count + 1;
    if (2 * made->table.count > made->hash_size)
        rehash(made);
    return count;
}

/* ---- rows ------------------------------------------------------------------------------- */

void wi_made_row(wi_reduction *r, const uint64_t *key, const uint64_t *value, uint32_t time,
                 int64_t diff)
{
    wi_made *made = &r->made;
    WI_ROOM(&made->words, r->out_words);
    uint64_t *to = made->words.at + made->words.count;
    for (uint32_t w = 0; w < r->out_at; w++)
        *to++ = key[w];
    for (uint32_t w = 0; w < r->value_words; w++)
        *to++ = value[w];
    made->words.count += r->out_words;
    WI_PUSH(&made->times, time);
    WI_PUSH(&made->diffs, diff);
    made->count++;
}

void wi_made_clear(wi_made *made)
{
    made->words.count = made->times.count = made->diffs.count = made->table.count = 0;
    made->count = made->owned = 0;
    wi_heap_fini(&made->heap);
    wi_free(made->hash);
    made->hash = NULL;
    made->hash_size = 0;
}

void wi_made_fini(wi_made *made)
{
    wi_made_clear(made);
    wi_free(made->words.at);
    wi_free(made->times.at);
    wi_free(made->diffs.at);
    wi_free(made->table.at);
}

/* The table's indexes in the order of their times. */
static uint32_t *sorted_times(const wi_made *made)
{
    uint32_t *order = WI_NEWS(uint32_t, made->table.count + 1);
    uint32_t count = 0;
    for (uint32_t t = 0; t < made->table.count; t++) { /* mostly sorted already */
        uint32_t low = 0, high = count;
        if (count && weir_time_compare(&made->table.at[order[count - 1]], &made->table.at[t]) < 0)
            low = count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (weir_time_compare(&made->table.at[order[middle]], &made->table.at[t]) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        memmove(order + low + 1, order + low, (count - low) * sizeof *order);
        order[low] = t;
        count++;
    }
    return order;
}

/* ---- runs ------------------------------------------------------------------------------- */

static bool same_diffs(const int64_t *diffs, uint32_t count)
{
    int64_t other = 0;
    for (uint32_t i = 1; i < count; i++)
        other |= diffs[i] ^ diffs[0];
    return other == 0;
}

/* The changes at times that are `chosen`, `count` of them, as a run; NULL: all are. */
static wi_run *run_of(wi_reduction *r, const bool *chosen, uint32_t count)
{
    wi_made *made = &r->made;
    uint32_t *order = sorted_times(made), times = 0, words = r->out_words, kept = 0;
    weir_time *table = WI_NEWS(weir_time, made->table.count);
    uint32_t *rank = WI_NEWS(uint32_t, made->table.count);
    for (uint32_t t = 0; t < made->table.count; t++) {
        if (chosen && !chosen[order[t]])
            continue;
        rank[order[t]] = times;
        table[times++] = made->table.at[order[t]];
    }
    bool diffs = !same_diffs(made->diffs.at, made->count);
    wi_run *run = wi_run_new(r->out_layout, count, times > 1, diffs, table, times);
    run->diff = made->diffs.at[0];
    for (uint32_t i = 0; chosen && i < made->count; i++) {
        if (!chosen[made->times.at[i]])
            continue;
        memcpy(run->rows + (size_t)kept * words, made->words.at + (size_t)i * words,
               words * sizeof *run->rows);
        if (diffs)
            run->diffs[kept] = made->diffs.at[i];
        if (run->times)
            run->times[kept] = rank[made->times.at[i]];
        kept++;
    }
    if (!chosen) {
        memcpy(run->rows, made->words.at, made->words.count * sizeof *run->rows);
        if (diffs)
            memcpy(run->diffs, made->diffs.at, made->count * sizeof *run->diffs);
        for (uint32_t i = 0; times > 1 && i < made->count; i++)
            run->times[i] = rank[made->times.at[i]];
        wi_heap_adopt(&run->heap, &made->heap);
    } else {
        wi_layout_own(r->out_layout, run->rows, words, count, &run->heap);
    }
    wi_run_finish(run, count);
    wi_free(order);
    wi_free(table);
    wi_free(rank);
    return run;
}

/* Takes the run; all its times are at or after `base`, at which may be sent. */
static void deliver(wi_reduction *r, wi_run *run, const weir_time *base)
{
    if (!r->out) {
        wi_run_send(r->op, 0, run, base);
        wi_run_drop(run);
        return;
    }
    wi_trace_insert(r->out, run);
    wi_token_push(weir_send_at(r->op, 0, base), (wi_token){r->out->seq});
    wi_reader_ack(r->out_reader, r->out->seq);
}

/* Those at or after a base are one run, as far as no base before has had them. */
static void deliver_by_base(wi_reduction *r)
{
    wi_made *made = &r->made;
    uint32_t times = made->table.count, left = made->count;
    bool *done = WI_NEWS(bool, times), *chosen = WI_NEWS(bool, times);
    for (uint32_t b = 0; b < r->bases.count && left; b++) {
        const weir_time *base = &r->bases.times[b];
        uint32_t count = 0;
        for (uint32_t t = 0; t < times; t++) {
            chosen[t] = !done[t] && weir_time_le(base, &made->table.at[t]);
            done[t] |= chosen[t];
        }
        for (uint32_t i = 0; i < made->count; i++)
            count += chosen[made->times.at[i]];
        left -= count;
        if (count)
            deliver(r, run_of(r, chosen, count), base);
    }
    wi_assert(left == 0, "D3: what is evaluated is at or after a time at which may be sent");
    wi_free(done);
    wi_free(chosen);
}

void wi_made_deliver(wi_reduction *r)
{
    wi_made *made = &r->made;
    if (made->count && r->bases.count == 1)
        deliver(r, run_of(r, NULL, made->count), &r->bases.times[0]);
    else if (made->count)
        deliver_by_base(r);
    wi_made_clear(made);
}
