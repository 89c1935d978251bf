/* Runs as batches: rows of one time are decoded where they lie; rows of several are listed by
 * their times first, and those of few rows each share a batch that has a column of times. */
#include "run_send.h"

#include "../../base/alloc.h"
#include "../../base/batch.h"

/* A batch of one time with this many rows is not mixed with later times. */
#define ROWS_APART 64

static void decode(const wi_run *run, const uint64_t *words, weir_batch *batch)
{
    const wi_layout *layout = run->layout;
    wi_layout_decode(layout, words, layout->words, batch->count, batch->rows);
    if (layout->texts)
        wi_batch_own_texts(batch, batch->rows, batch->count);
}

static bool same_diffs(const int64_t *diffs, uint32_t count)
{
    int64_t other = 0;
    for (uint32_t i = 1; i < count; i++)
        other |= diffs[i] ^ diffs[0];
    return other == 0;
}

static void send_one_time(weir_op *op, uint32_t output, const wi_run *run)
{
    const weir_type *type = run->layout->type;
    uint32_t most = weir_batch_rows_usual(type);
    for (uint32_t first = 0, part; first < run->count; first += part) {
        part = run->count - first < most ? run->count - first : most;
        weir_batch *batch = weir_batch_new(type, part);
        batch->count = part;
        batch->time = run->table[0];
        batch->diff = wi_run_diff(run, first);
        if (run->diffs && !same_diffs(run->diffs + first, part)) {
            wi_batch_start_diffs(batch, 0);
            memcpy(batch->diffs, run->diffs + first, part * sizeof *batch->diffs);
        }
        decode(run, wi_run_row(run, first), batch);
        weir_send_batch(op, output, batch);
    }
}

/* ---- several times ---------------------------------------------------------------------- */

/* The run's rows in the order of their times. */
static uint32_t *list_by_time(const wi_run *run)
{
    uint32_t *starts = WI_NEWS(uint32_t, run->time_count + 1u);
    uint32_t *rows = wi_alloc((size_t)run->count * sizeof *rows);
    for (uint32_t i = 0; i < run->count; i++)
        starts[run->times[i] + 1]++;
    for (uint32_t t = 0; t < run->time_count; t++)
        starts[t + 1] += starts[t];
    for (uint32_t i = 0; i < run->count; i++)
        rows[starts[run->times[i]]++] = i;
    wi_free(starts);
    return rows;
}

/* Rows of some times in one batch, which has the time `base` and a column. */
static void send_rows(weir_op *op, uint32_t output, const wi_run *run, const uint32_t *rows,
                      uint32_t count, const weir_time *base)
{
    size_t words = run->layout->words;
    weir_batch *batch = weir_batch_new(run->layout->type, count);
    uint64_t *gathered = wi_alloc(count * words * sizeof *gathered);
    bool one = run->times[rows[0]] == run->times[rows[count - 1]];
    batch->count = count;
    batch->time = one ? *wi_run_time(run, rows[0]) : *base;
    wi_batch_start_diffs(batch, 0);
    if (!one)
        wi_batch_start_times(batch, 0);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(gathered + i * words, wi_run_row(run, rows[i]), words * sizeof *gathered);
        batch->diffs[i] = wi_run_diff(run, rows[i]);
        if (!one)
            batch->times[i] = *wi_run_time(run, rows[i]);
    }
    decode(run, gathered, batch);
    wi_free(gathered);
    weir_send_batch(op, output, batch);
}

static void send_by_time(weir_op *op, uint32_t output, const wi_run *run, const weir_time *base)
{
    uint32_t *rows = list_by_time(run), most = weir_batch_rows_usual(run->layout->type);
    for (uint32_t begin = 0, end; begin < run->count; begin = end) {
        uint32_t first = run->times[rows[begin]], time = first;
        for (end = begin + 1; end < run->count && end - begin < most; end++) {
            if (run->times[rows[end]] == time)
                continue;
            if (time == first && end - begin >= ROWS_APART)
                break;
            time = run->times[rows[end]];
        }
        send_rows(op, output, run, rows + begin, end - begin, base);
    }
    wi_free(rows);
}

void wi_run_send(weir_op *op, uint32_t output, const wi_run *run, const weir_time *base)
{
    if (run->times)
        send_by_time(op, output, run, base);
    else
        send_one_time(op, output, run);
}
