/* The changes that a reduce has made: kept in the order of their rows, since that is how a
 * reduce goes through its keys, so that they become a run without being sorted; and sent, time
 * by time, as batches that are written at once. */
#include "reduce_state.h"

#include "../../base/batch.h"

/* A batch of one time with this many rows is not mixed with later times. */
#define ROWS_APART 64

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
    made->count = made->sent = made->owned = 0;
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

/* ---- sending ---------------------------------------------------------------------------- */

static bool same_diffs(const int64_t *diffs, uint32_t count)
{
    int64_t other = 0;
    for (uint32_t i = 1; i < count; i++)
        other |= diffs[i] ^ diffs[0];
    return other == 0;
}

/* Sends rows of one time that lie one after the other. */
static void send_rows(wi_reduction *r, const uint64_t *words, const int64_t *diffs, uint32_t count,
                      const weir_time *time)
{
    const weir_type *type = r->call->out;
    uint32_t most = weir_batch_rows_usual(type);
    for (uint32_t part; count; count -= part, diffs += part) {
        part = count < most ? count : most;
        weir_batch *batch = weir_batch_new(type, part);
        batch->count = part;
        batch->time = *time;
        batch->diff = diffs[0];
        if (!same_diffs(diffs, part)) {
            wi_batch_start_diffs(batch, 0);
            memcpy(batch->diffs, diffs, part * sizeof *diffs);
        }
        wi_layout_decode(r->out_layout, words, r->out_words, part, batch->rows);
        if (r->out_layout->texts)
            wi_batch_own_texts(batch, batch->rows, part);
        weir_send_batch(r->op, 0, batch);
        words += (size_t)part * r->out_words;
    }
}

/* A time at or before it, at which may be sent. */
static const weir_time *base_of(const wi_reduction *r, const weir_time *time)
{
    for (uint32_t b = 0; b < r->bases.count; b++)
        if (weir_time_le(&r->bases.times[b], time))
            return &r->bases.times[b];
    wi_assert(false, "D3: what is evaluated is at or after a time at which may be sent");
}

/* Rows of some times in one batch, which has their base's time and a column. */
static void send_mixed(wi_reduction *r, const uint32_t *rows, uint32_t count, const weir_time *base)
{
    wi_made *made = &r->made;
    weir_batch *batch = weir_batch_new(r->call->out, count);
    uint64_t *words = wi_alloc((size_t)count * r->out_words * sizeof *words + 1);
    bool one = made->times.at[rows[0]] == made->times.at[rows[count - 1]];
    batch->count = count;
    batch->time = one ? made->table.at[made->times.at[rows[0]]] : *base;
    wi_batch_start_diffs(batch, 0);
    if (!one)
        wi_batch_start_times(batch, 0);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(words + (size_t)i * r->out_words, made->words.at + (size_t)rows[i] * r->out_words,
               r->out_words * sizeof *words);
        batch->diffs[i] = made->diffs.at[rows[i]];
        if (!one)
            batch->times[i] = made->table.at[made->times.at[rows[i]]];
    }
    wi_layout_decode(r->out_layout, words, r->out_words, count, batch->rows);
    if (r->out_layout->texts)
        wi_batch_own_texts(batch, batch->rows, count);
    wi_free(words);
    weir_send_batch(r->op, 0, batch);
}

/* Rows listed by their times. */
static void send_listed(wi_reduction *r, const uint32_t *rows, uint32_t count)
{
    const wi_made *made = &r->made;
    uint32_t most = weir_batch_rows_usual(r->call->out);
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        uint32_t time = made->times.at[rows[begin]];
        const weir_time *base = base_of(r, &made->table.at[time]);
        for (end = begin + 1; end < count && end - begin < most; end++) {
            if (made->times.at[rows[end]] == time)
                continue;
            bool mixed = made->times.at[rows[begin]] != time;
            time = made->times.at[rows[end]];
            if ((!mixed && end - begin >= ROWS_APART) || base_of(r, &made->table.at[time]) != base)
                break;
        }
        send_mixed(r, rows + begin, end - begin, base);
    }
}

static void send_by_time(wi_reduction *r)
{
    wi_made *made = &r->made;
    uint32_t *order = sorted_times(made), times = made->table.count;
    uint32_t *starts = WI_NEWS(uint32_t, times + 1);
    uint32_t *rows = wi_alloc((made->count - made->sent) * sizeof *rows);
    for (uint32_t i = made->sent; i < made->count; i++)
        starts[made->times.at[i]]++;
    for (uint32_t t = 0, before = 0; t < times; t++) {
        uint32_t here = starts[order[t]];
        starts[order[t]] = before;
        before += here;
    }
    for (uint32_t i = made->sent; i < made->count; i++)
        rows[starts[made->times.at[i]]++] = i;
    send_listed(r, rows, made->count - made->sent);
    wi_free(order);
    wi_free(starts);
    wi_free(rows);
}

void wi_made_send(wi_reduction *r)
{
    wi_made *made = &r->made;
    if (made->sent == made->count)
        return;
    if (made->table.count == 1)
        send_rows(r, made->words.at + (size_t)made->sent * r->out_words,
                  made->diffs.at + made->sent, made->count - made->sent, &made->table.at[0]);
    else
        send_by_time(r);
    made->sent = made->count;
}

/* ---- a run ------------------------------------------------------------------------------ */

wi_run *wi_made_run(wi_reduction *r)
{
    wi_made *made = &r->made;
    wi_run *run = NULL;
    if (made->count) {
        uint32_t *order = sorted_times(made), times = made->table.count;
        weir_time *table = WI_NEWS(weir_time, times);
        uint32_t *rank = WI_NEWS(uint32_t, times);
        for (uint32_t t = 0; t < times; t++) {
            table[t] = made->table.at[order[t]];
            rank[order[t]] = t;
        }
        bool diffs = !same_diffs(made->diffs.at, made->count);
        run = wi_run_new(r->out_layout, made->count, times > 1, diffs, table, times);
        run->diff = made->diffs.at[0];
        memcpy(run->rows, made->words.at, made->words.count * sizeof *run->rows);
        if (diffs)
            memcpy(run->diffs, made->diffs.at, made->count * sizeof *run->diffs);
        for (uint32_t i = 0; times > 1 && i < made->count; i++)
            run->times[i] = rank[made->times.at[i]];
        wi_heap_adopt(&run->heap, &made->heap);
        wi_run_finish(run, made->count);
        wi_free(order);
        wi_free(table);
        wi_free(rank);
    }
    wi_made_clear(made);
    return run;
}
