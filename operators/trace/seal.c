/* Sealing: bins become a run. Their records are gathered in one array, of rows, then the index
 * of the time (if there are several bins), then the diff (if they differ); sorted; and
 * consolidated in place, which leaves the run's rows.
 *
 * A large bin is not gathered and then sorted: its records are dealt from its pieces by the
 * first digit of their first word, each piece being freed once it is dealt, so that no more
 * than one copy of the records exists; then each bucket is sorted in cache. */
#include "seal.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/pages.h"
#include "run_build.h"
#include "sort.h"

#define INLINE static inline __attribute__((always_inline))

#define DEAL_FROM ((uint64_t)1 << 17) /* records */
#define DEAL_BITS 10
#define SMALL_WORDS 256

/* The records while they are being sealed. */
typedef struct sealing {
    const wi_layout *layout;
    uint64_t *records;
    size_t count; /* records */
    uint32_t stride;
    bool times, diffs;
    int64_t diff;
} sealing;

static size_t records_bytes(const sealing *seal, size_t count)
{
    return count * seal->stride * sizeof(uint64_t);
}

/* ---- gathering -------------------------------------------------------------------------- */

/* Writes a bin's record as one of the sealing's. */
INLINE void put(const sealing *seal, uint64_t *to, const uint64_t *from, const wi_bin *bin,
                uint64_t time)
{
    uint32_t words = seal->layout->words, at = words;
    for (uint32_t w = 0; w < words; w++)
        to[w] = from[w];
    if (seal->times)
        to[at++] = time;
    if (seal->diffs)
        to[at] = bin->has_diffs ? from[words] : (uint64_t)bin->diff;
}

static void gather(sealing *seal, wi_bin *const *bins, uint32_t count)
{
    uint64_t *to = seal->records;
    for (uint32_t b = 0; b < count; b++) {
        wi_bin *bin = bins[b];
        uint32_t from_stride = seal->layout->words + bin->has_diffs;
        for (uint32_t p = 0; p < bin->piece_count; p++) {
            const wi_piece *piece = &bin->pieces[p];
            if (from_stride == seal->stride) {
                memcpy(to, piece->words, records_bytes(seal, piece->count));
                to += (size_t)piece->count * seal->stride;
            } else {
                for (uint32_t i = 0; i < piece->count; i++, to += seal->stride)
                    put(seal, to, piece->words + (size_t)i * from_stride, bin, b);
            }
        }
        wi_bin_free_pieces(seal->layout, bin);
    }
}

/* ---- dealing a large bin ---------------------------------------------------------------- */

typedef struct dealing {
    uint64_t least;
    uint32_t shift, buckets;
    size_t ends[((size_t)1 << DEAL_BITS) + 1];
} dealing;

INLINE void look_over(const wi_piece *piece, uint32_t stride, uint64_t *least, uint64_t *most)
{
    for (uint32_t i = 0; i < piece->count; i++) {
        uint64_t value = piece->words[(size_t)i * stride];
        *least = value < *least ? value : *least;
        *most = value > *most ? value : *most;
    }
}

INLINE void count_piece(const wi_piece *piece, uint32_t stride, dealing *deal)
{
    for (uint32_t i = 0; i < piece->count; i++)
        deal->ends[((piece->words[(size_t)i * stride] - deal->least) >> deal->shift) + 1]++;
}

INLINE void deal_piece(const wi_piece *piece, uint32_t stride, dealing *deal, uint64_t *records)
{
    for (uint32_t i = 0; i < piece->count; i++) {
        const uint64_t *from = piece->words + (size_t)i * stride;
        uint64_t *to = records + deal->ends[(from[0] - deal->least) >> deal->shift]++ * stride;
        for (uint32_t w = 0; w < stride; w++)
            to[w] = from[w];
    }
}

#define BY_STRIDE(stride, call) \
    do {                        \
        if ((stride) == 1)      \
            call(1);            \
        else if ((stride) == 2) \
            call(2);            \
        else if ((stride) == 3) \
            call(3);            \
        else                    \
            call(stride);       \
    } while (0)

/* False if all records agree in their first word. */
static bool deal_plan(const wi_bin *bin, uint32_t stride, dealing *deal)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t p = 0; p < bin->piece_count; p++) {
#define LOOK(n) look_over(&bin->pieces[p], (n), &least, &most)
        BY_STRIDE(stride, LOOK);
    }
    if (least == most)
        return false;
    uint32_t range = 64 - (uint32_t)__builtin_clzll(most - least);
    deal->least = least;
    deal->shift = range > DEAL_BITS ? range - DEAL_BITS : 0;
    deal->buckets = (uint32_t)((most - least) >> deal->shift) + 1;
    memset(deal->ends, 0, sizeof deal->ends);
    for (uint32_t p = 0; p < bin->piece_count; p++) {
#define COUNT(n) count_piece(&bin->pieces[p], (n), deal)
        BY_STRIDE(stride, COUNT);
    }
    for (uint32_t b = 1; b < deal->buckets; b++)
        deal->ends[b + 1] += deal->ends[b];
    return true;
}

/* Deals and sorts. False, and nothing done, if the bin is not for it. */
static bool deal_bin(sealing *seal, wi_bin *bin)
{
    dealing deal;
    uint32_t stride = seal->stride;
    if (seal->layout->texts || seal->times || bin->count < DEAL_FROM ||
        stride != seal->layout->words + bin->has_diffs || !deal_plan(bin, stride, &deal))
        return false;
    for (uint32_t p = 0; p < bin->piece_count; p++) {
#define DEAL(n) deal_piece(&bin->pieces[p], (n), &deal, seal->records)
        BY_STRIDE(stride, DEAL);
        wi_bin_free_piece(seal->layout, bin, p);
    }
    wi_bin_free_pieces(seal->layout, bin);
    size_t largest = 0, begin = 0;
    for (uint32_t b = 0; b < deal.buckets; begin = deal.ends[b++])
        largest = deal.ends[b] - begin > largest ? deal.ends[b] - begin : largest;
    uint64_t *scratch = wi_pages_new(records_bytes(seal, largest));
    begin = 0;
    for (uint32_t b = 0; b < deal.buckets; begin = deal.ends[b++])
        wi_sort(seal->layout, seal->records + begin * stride, scratch, deal.ends[b] - begin, stride,
                0);
    wi_pages_free(scratch, records_bytes(seal, largest));
    return true;
}

/* ---- consolidating ---------------------------------------------------------------------- */

INLINE bool same(const sealing *seal, const uint64_t *a, const uint64_t *b, uint32_t words,
                 bool times)
{
    if (seal->layout->texts)
        return wi_row_compare(seal->layout, a, b) == 0 && (!times || a[words] == b[words]);
    for (uint32_t w = 0; w < words + times; w++)
        if (a[w] != b[w])
            return false;
    return true;
}

/* Squeezes the records, in place, to rows of `words`; the other parts go to the run. */
INLINE uint32_t squeeze(const sealing *seal, wi_run *run, uint32_t words, bool times, bool diffs)
{
    uint32_t stride = words + times + diffs, kept = 0;
    const uint64_t *from = seal->records, *end = from + seal->count * stride;
    while (from < end) {
        int64_t diff = diffs ? (int64_t)from[words + times] : seal->diff;
        uint64_t *to = run->rows + (size_t)kept * words;
        uint32_t time = times ? (uint32_t)from[words] : 0;
        const uint64_t *next = from + stride;
        for (; next < end && same(seal, from, next, words, times); next += stride)
            diff += diffs ? (int64_t)next[words + times] : seal->diff;
        if (diff) {
            if (to != from)
                for (uint32_t w = 0; w < words; w++)
                    to[w] = from[w];
            if (times)
                run->times[kept] = time;
            if (run->diffs || WEIR_UNLIKELY(diff != run->diff))
                wi_run_put_diff(run, kept, diff);
            kept++;
        }
        from = next;
    }
    return kept;
}

static uint32_t squeeze_any(const sealing *seal, wi_run *run)
{
    uint32_t words = seal->layout->words;
    if (words == 1 && !seal->times)
        return seal->diffs ? squeeze(seal, run, 1, false, true)
                           : squeeze(seal, run, 1, false, false);
    if (words == 2 && !seal->times)
        return seal->diffs ? squeeze(seal, run, 2, false, true)
                           : squeeze(seal, run, 2, false, false);
    return squeeze(seal, run, words, seal->times, seal->diffs);
}

/* A few records: on the stack, and into a run of one block. */
static wi_run *seal_small(sealing *seal, wi_bin *const *bins, uint32_t count,
                          const weir_time *table)
{
    uint64_t records[SMALL_WORDS], scratch[SMALL_WORDS];
    seal->records = records;
    gather(seal, bins, count);
    wi_sort(seal->layout, records, scratch, seal->count, seal->stride, seal->times);
    wi_run *run =
        wi_run_new(seal->layout, (uint32_t)seal->count, seal->times, seal->diffs, table, count);
    run->diff = seal->diff;
    wi_run_finish(run, squeeze_any(seal, run));
    return run;
}

static wi_run *seal_large(sealing *seal, wi_bin *const *bins, uint32_t count,
                          const weir_time *table)
{
    size_t bytes = records_bytes(seal, seal->count);
    seal->records = wi_pages_new(bytes);
    if (count > 1 || !deal_bin(seal, bins[0])) {
        gather(seal, bins, count);
        uint64_t *scratch = wi_pages_new(bytes);
        wi_sort(seal->layout, seal->records, scratch, seal->count, seal->stride, seal->times);
        wi_pages_free(scratch, bytes);
    }
    wi_run *run = wi_run_of_records(seal->layout, seal->records, bytes, (uint32_t)seal->count,
                                    seal->times, table, count);
    run->diff = seal->diff;
    wi_run_finish(run, squeeze_any(seal, run));
    return run;
}

wi_run *wi_bins_seal(const wi_layout *layout, wi_bin *const *bins, uint32_t count)
{
    sealing seal = {.layout = layout, .times = count > 1, .diff = bins[0]->diff};
    weir_time few[8], *table = count > 8 ? wi_alloc(count * sizeof *table) : few;
    for (uint32_t b = 0; b < count; b++) {
        seal.count += bins[b]->count;
        seal.diffs |= bins[b]->has_diffs || bins[b]->diff != seal.diff;
        table[b] = bins[b]->time;
    }
    wi_assert(seal.count <= UINT32_MAX, "a run has fewer than 2^32 rows");
    seal.stride = layout->words + seal.times + seal.diffs;
    wi_run *run = seal.count * seal.stride <= SMALL_WORDS ? seal_small(&seal, bins, count, table)
                                                          : seal_large(&seal, bins, count, table);
    wi_heap heap = {0};
    for (uint32_t b = 0; b < count; b++)
        wi_heap_adopt(&heap, &bins[b]->heap);
    if (run->count < seal.count / 2) { /* most of the texts are of rows that are gone */
        wi_layout_own(layout, run->rows, layout->words, run->count, &run->heap);
        wi_heap_fini(&heap);
    }
    wi_heap_adopt(&run->heap, &heap);
    if (table != few)
        wi_free(table);
    return run;
}
