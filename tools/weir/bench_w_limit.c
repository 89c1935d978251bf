/* The limit of the figures of tumbling and hopping windows: tight C loops over the same rows, one
 * thread, that know everything: the types, that sums can be subtracted, and that a row is in one of
 * the two latest windows. What weir does beyond them is its price.
 *
 *   tumbling  a hash table for each of the two windows that are open
 *   hopping   one hash table of keys; for each key a ring of panes, and the sum of its window, to
 *             which a pane is added when it closes, and from which it is subtracted */
#include "bench_w_rows.h"

#include "base/alloc.h"

#include <string.h>

/* Open addressing; of at least twice as many entries as there are keys. */
struct table {
    bench_w_sum *at;
    uint64_t mask;
    unsigned shift;
};

static void init(struct table *table, uint64_t keys)
{
    unsigned bits = 4;
    while (keys * 2 > UINT64_C(1) << bits)
        bits++;
    *table = (struct table){WI_NEWS(bench_w_sum, UINT64_C(1) << bits),
                            (UINT64_C(1) << bits) - 1, 64 - bits};
}

static inline bench_w_sum *find(const struct table *table, uint64_t key)
{
    uint64_t at = key * BENCH_GOLDEN >> table->shift;
    while (table->at[at].rows && table->at[at].key != key)
        at = (at + 1) & table->mask;
    return &table->at[at];
}

static inline void add(const struct table *table, const bench_w_row *row)
{
    bench_w_sum *to = find(table, row->key);
    to->key = row->key;
    to->rows++;
    to->sum += row->value;
}

static void fill(bench_w_row *rows, uint64_t first, uint32_t count, uint64_t keys)
{
    for (uint32_t i = 0; i < count; i++)
        rows[i] = bench_w_make(first + i, keys);
}

static int64_t window_of(int64_t ts)
{
    return ts / BENCH_W_WINDOW;
}

static uint32_t part_of(const struct bench_args *args, uint64_t done)
{
    uint64_t left = args->rows - done;
    return left < BENCH_W_ROWS_A_CALL ? (uint32_t)left : BENCH_W_ROWS_A_CALL;
}

static void finish(const struct bench_args *args, uint64_t begin_ns, const uint64_t totals[2],
                   struct bench_result *result_out)
{
    result_out->value = (double)args->rows / ((double)(bench_now_ns() - begin_ns) / 1e9);
    result_out->check = bench_check_fold(totals, 2);
}

/* ---- tumbling --------------------------------------------------------------------------- */

static void close_window(const struct table *table, int64_t window, uint64_t totals[2])
{
    int64_t start = window * BENCH_W_WINDOW;
    for (uint64_t i = 0; i <= table->mask; i++) {
        const bench_w_sum *it = &table->at[i];
        if (!it->rows)
            continue;
        totals[0]++;
        totals[1] += bench_w_hash(it->key, start, start + BENCH_W_WINDOW, it->rows, it->sum);
    }
    memset(table->at, 0, (table->mask + 1) * sizeof *table->at);
}

void bench_w_limit_tumbling(const struct bench_args *args, struct bench_result *result_out)
{
    static bench_w_row rows[BENCH_W_ROWS_A_CALL];
    struct table tables[2];
    uint64_t totals[2] = {0}, begin_ns = bench_now_ns();
    init(&tables[0], args->keys);
    init(&tables[1], args->keys);
    int64_t open = window_of(bench_w_reached(0));
    for (uint64_t n = 0; n < args->rows;) {
        uint32_t count = part_of(args, n);
        fill(rows, n, count, args->keys);
        for (uint32_t i = 0; i < count; i++)
            add(&tables[window_of(rows[i].ts) & 1], &rows[i]);
        n += count;
        for (; window_of(bench_w_reached(n)) > open; open++)
            close_window(&tables[open & 1], open, totals);
    }
    close_window(&tables[open & 1], open, totals);
    close_window(&tables[(open + 1) & 1], open + 1, totals);
    finish(args, begin_ns, totals, result_out);
    wi_free(tables[0].at);
    wi_free(tables[1].at);
}

/* ---- hopping ---------------------------------------------------------------------------- */

/* Pane p of key k, a number from 0 on, is panes[p % RING][k]; of it, `key` is not used. */
enum { RING = BENCH_W_PANES + 2 };
struct hopping {
    struct table numbers; /* the key's number is its entry's `sum` */
    uint64_t count, capacity;
    bench_w_sum *panes[RING], *windows;
};

static inline uint64_t number_of(struct hopping *all, uint64_t key)
{
    bench_w_sum *entry = find(&all->numbers, key);
    if (!entry->rows) {
        *entry = (bench_w_sum){.key = key, .rows = 1, .sum = all->count};
        all->windows[all->count++].key = key;
    }
    return entry->sum;
}

/* The window whose last pane this is. */
static void close_hop(struct hopping *all, int64_t pane, uint64_t totals[2])
{
    bench_w_sum *newest = all->panes[(uint64_t)pane % RING];
    bench_w_sum *oldest = all->panes[(uint64_t)(pane - BENCH_W_PANES) % RING];
    int64_t end = (pane + 1) * BENCH_W_WINDOW;
    for (uint64_t k = 0; k < all->count; k++) {
        bench_w_sum *window = &all->windows[k];
        window->rows += newest[k].rows - oldest[k].rows;
        window->sum += newest[k].sum - oldest[k].sum;
        if (!window->rows)
            continue;
        totals[0]++;
        totals[1] += bench_w_hash(window->key, end - BENCH_W_WINDOW * BENCH_W_PANES, end,
                                  window->rows, window->sum);
    }
    memset(oldest, 0, all->count * sizeof *oldest);
}

void bench_w_limit_hopping(const struct bench_args *args, struct bench_result *result_out)
{
    static bench_w_row rows[BENCH_W_ROWS_A_CALL];
    struct hopping all = {.count = 0};
    uint64_t totals[2] = {0}, begin_ns = bench_now_ns();
    init(&all.numbers, args->keys);
    all.windows = WI_NEWS(bench_w_sum, args->keys);
    for (int p = 0; p < RING; p++)
        all.panes[p] = WI_NEWS(bench_w_sum, args->keys);
    int64_t open = window_of(bench_w_reached(0));
    for (uint64_t n = 0; n < args->rows;) {
        uint32_t count = part_of(args, n);
        fill(rows, n, count, args->keys);
        for (uint32_t i = 0; i < count; i++) {
            bench_w_sum *to = &all.panes[(uint64_t)window_of(rows[i].ts) % RING]
                                        [number_of(&all, rows[i].key)];
            to->rows++;
            to->sum += rows[i].value;
        }
        n += count;
        for (; window_of(bench_w_reached(n)) > open; open++)
            close_hop(&all, open, totals);
    }
    for (int p = 0; p <= BENCH_W_PANES; p++)
        close_hop(&all, open++, totals);
    finish(args, begin_ns, totals, result_out);
    for (int p = 0; p < RING; p++)
        wi_free(all.panes[p]);
    wi_free(all.windows);
    wi_free(all.numbers.at);
}
