/* Sending pairs; see join_emit.h. The kernel writes to where the rows will lie in the batch;
 * they are committed then, all at once or in stretches of equal times and diffs. */
#include "join_emit.h"

#include "../../base/alloc.h"
#include "../../base/out.h"

/* ---- rows of runs ----------------------------------------------------------------------- */

const void *wi_pairs_rows(const wi_run *run, uint32_t first, uint32_t count, void *buffer)
{
    const wi_layout *layout = run->layout;
    if (layout->plain)
        return wi_run_row(run, first);
    wi_layout_decode(layout, wi_run_row(run, first), layout->words, count, buffer);
    return buffer;
}

static inline __attribute__((always_inline)) void
gather(uint64_t *to, const uint64_t *rows, uint32_t words, const uint32_t *indexes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + (size_t)i * words, rows + (size_t)indexes[i] * words, words * sizeof *to);
}

const void *wi_pairs_gather(const wi_run *run, const uint32_t *indexes, uint32_t count,
                            uint64_t *words, void *buffer)
{
    const wi_layout *layout = run->layout;
    if (layout->words == 1)
        gather(words, run->rows, 1, indexes, count);
    else if (layout->words == 2)
        gather(words, run->rows, 2, indexes, count);
    else if (layout->words == 3)
        gather(words, run->rows, 3, indexes, count);
    else
        gather(words, run->rows, layout->words, indexes, count);
    if (layout->plain)
        return words;
    wi_layout_decode(layout, words, layout->words, count, buffer);
    return buffer;
}

/* ---- sending ---------------------------------------------------------------------------- */

void wi_pairs_init(wi_pairs *emit, weir_op *op, const weir_join_kernel *kernel, void *arg)
{
    emit->op = op;
    emit->kernel = kernel;
    emit->arg = arg;
    emit->times = wi_alloc(WI_PAIRS * sizeof *emit->times);
    emit->diffs = wi_alloc(WI_PAIRS * sizeof *emit->diffs);
}

void wi_pairs_fini(wi_pairs *emit)
{
    wi_free(emit->times);
    wi_free(emit->diffs);
}

static bool same_diffs(const int64_t *diffs, uint32_t count)
{
    int64_t other = 0;
    for (uint32_t i = 1; i < count; i++)
        other |= diffs[i] ^ diffs[0];
    return other == 0;
}

/* Commits `made` rows that stand in the out; row r is of pair kept[r] (NULL: r) after `first`. */
static void commit(const wi_pairs *emit, weir_out *out, uint32_t first, uint32_t made,
                   const uint32_t *kept, const weir_time *time, const int64_t *diff)
{
    for (uint32_t r = 0; r < made; r++) {
        uint32_t pair = first + (kept ? kept[r] : r);
        weir_out_diff(out, diff ? *diff : emit->diffs[pair]);
        if (!time)
            weir_out_time(out, &emit->times[pair]);
        weir_out_commit(out, 1);
    }
}

/* The same for rows of one time. */
static void commit_diffs(const wi_pairs *emit, weir_out *out, uint32_t first, uint32_t made,
                         const uint32_t *kept)
{
    int64_t some[WI_PAIRS];
    const int64_t *diffs = emit->diffs + first;
    for (uint32_t r = 0; kept && r < made; r++)
        some[r] = diffs[kept[r]];
    diffs = kept ? some : diffs;
    if (made && same_diffs(diffs, made)) {
        weir_out_diff(out, diffs[0]);
        weir_out_commit(out, made);
    } else {
        wi_out_commit_diffs(out, diffs, made);
    }
}

void wi_pairs_send(wi_pairs *emit, const void *a, size_t a_step, const void *b, size_t b_step,
                   uint32_t count, const weir_time *time, const int64_t *diff)
{
    const weir_join_kernel *kernel = emit->kernel;
    weir_out *out = weir_send_at(emit->op, 0, &emit->at);
    if (diff)
        weir_out_diff(out, *diff);
    if (time)
        weir_out_time(out, time);
    for (uint32_t first = 0; first < count;) {
        uint32_t room;
        void *to = weir_out_room(out, count - first, &room);
        uint32_t made =
            kernel->run((const char *)a + first * a_step, a_step, (const char *)b + first * b_step,
                        b_step, room, to, emit->kept, out->batch, emit->arg);
        if (time && diff)
            weir_out_commit(out, made);
        else if (time)
            commit_diffs(emit, out, first, made, kernel->some ? emit->kept : NULL);
        else
            commit(emit, out, first, made, kernel->some ? emit->kept : NULL, time, diff);
        first += room;
    }
}
