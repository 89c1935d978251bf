/* Sealing: bins become a run. Their records are gathered in one array, of rows, then the index
 * of the time (if there are several bins), then the diff (if they differ); sorted; and
 * consolidated in place, which leaves the run's rows.
 *
 * A large bin is dealt in place instead, among its own pieces, by the first digit of the first
 * word; then bucket by bucket is drawn out, sorted in cache and consolidated, and each piece
 * goes once it is behind, its pages to the run: there is never a second copy of the records,
 * hardly a fresh page, and of the run no more is touched than it has. */
#include "seal.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/pages.h"
#include "run_build.h"
#include "sort.h"

#define INLINE static inline __attribute__((always_inline))

#define DEAL_FROM ((uint64_t)1 << 17) /* records */
#define DEAL_BITS 10                  /* at most 16 */
#define BLOCK_WORDS 64
#define SAMPLE_STEP 61 /* records; data has no such period */
#define SMALL_WORDS 256
#define PAGED_AHEAD ((size_t)8 << 20) /* bytes of a run that are given pages before it is there */

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

/* Appends the records, consolidated, to the `kept` rows that the run has; gives how many it
 * has then. The rows may lie where the records do. */
INLINE uint32_t squeeze(const sealing *seal, wi_run *run, uint32_t kept, uint32_t words, bool times,
                        bool diffs)
{
    uint32_t stride = words + times + diffs;
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

static uint32_t squeeze_any(const sealing *seal, wi_run *run, uint32_t kept)
{
    uint32_t words = seal->layout->words;
    if (words == 1 && !seal->times)
        return seal->diffs ? squeeze(seal, run, kept, 1, false, true)
                           : squeeze(seal, run, kept, 1, false, false);
    if (words == 2 && !seal->times)
        return seal->diffs ? squeeze(seal, run, kept, 2, false, true)
                           : squeeze(seal, run, kept, 2, false, false);
    return squeeze(seal, run, kept, words, seal->times, seal->diffs);
}

/* ---- dealing a large bin ---------------------------------------------------------------- */

/* In place, by blocks (Axtmann, Witt, Ferizovic, Sanders: In-place parallel super scalar
 * samplesort, 2017): records gather in a buffer for each bucket; a full one is written back as
 * a block to where records have been read; then the blocks are brought into the buckets' order.
 * A slot is room for a block. A few are apart from the pieces and used first, since what is
 * left over at the end of a piece makes no slot. */
typedef struct dealing {
    wi_bin *bin;
    uint64_t least, most; /* what is less or more goes with these */
    uint32_t shift, buckets, stride;
    uint32_t block;                          /* records */
    uint64_t *buffers;                       /* a block for each bucket */
    uint64_t *apart;                         /* the slots that are not in pieces */
    uint64_t **slots;                        /* where they are */
    uint16_t *owners;                        /* by slot: its bucket */
    uint32_t *last_slots;                    /* by piece: the slots before the end of it */
    uint32_t full;                           /* blocks written back */
    uint32_t filled[(size_t)1 << DEAL_BITS]; /* records in the buffer */
    uint32_t blocks[(size_t)1 << DEAL_BITS];
} dealing;

INLINE void look_over(const wi_piece *piece, uint32_t stride, uint32_t step, uint64_t *least,
                      uint64_t *most)
{
    for (uint32_t i = 0; i < piece->count; i += step) {
        uint64_t value = piece->words[(size_t)i * stride];
        *least = value < *least ? value : *least;
        *most = value > *most ? value : *most;
    }
}

INLINE void deal_piece(const wi_piece *piece, uint32_t stride, dealing *deal)
{
    uint32_t block = deal->block;
    for (uint32_t i = 0; i < piece->count; i++) {
        const uint64_t *record = piece->words + (size_t)i * stride;
        uint64_t value = record[0] < deal->least ? deal->least : record[0];
        value = value > deal->most ? deal->most : value;
        uint32_t b = (uint32_t)((value - deal->least) >> deal->shift);
        uint64_t *buffer = deal->buffers + (size_t)b * block * stride;
        if (WEIR_UNLIKELY(deal->filled[b] == block)) {
            memcpy(deal->slots[deal->full], buffer, (size_t)block * stride * sizeof *buffer);
            deal->owners[deal->full++] = (uint16_t)b;
            deal->blocks[b]++;
            deal->filled[b] = 0;
        }
        uint64_t *to = buffer + (size_t)deal->filled[b]++ * stride;
        for (uint32_t w = 0; w < stride; w++)
            to[w] = record[w];
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

/* The least and greatest first word of every so many records. */
static void look_at_some(const dealing *deal, uint32_t step, uint64_t *least, uint64_t *most)
{
    *least = UINT64_MAX;
    *most = 0;
    for (uint32_t p = 0; p < deal->bin->piece_count; p++) {
#define LOOK(n) look_over(&deal->bin->pieces[p], (n), step, least, most)
        BY_STRIDE(deal->stride, LOOK);
    }
}

/* Which buckets there are, from a sample: a few records beyond it are no harm, while looking at
 * all is a pass over memory. False if all records agree in their first word. */
static bool deal_plan(dealing *deal)
{
    uint64_t least, most;
    look_at_some(deal, SAMPLE_STEP, &least, &most);
    if (least == most)
        look_at_some(deal, 1, &least, &most);
    if (least == most)
        return false;
    uint32_t range = 64 - (uint32_t)__builtin_clzll(most - least);
    deal->least = least;
    deal->most = most;
    deal->shift = range > DEAL_BITS ? range - DEAL_BITS : 0;
    deal->buckets = (uint32_t)((most - least) >> deal->shift) + 1;
    return true;
}

static void make_slots(dealing *deal)
{
    const wi_bin *bin = deal->bin;
    size_t words = (size_t)deal->block * deal->stride;
    uint32_t apart = bin->piece_count + 1, slots = apart;
    for (uint32_t p = 0; p < bin->piece_count; p++)
        slots += bin->pieces[p].count / deal->block;
    deal->buffers = wi_pages_new(deal->buckets * words * sizeof(uint64_t));
    deal->apart = wi_pages_new(apart * words * sizeof(uint64_t));
    deal->slots = wi_pages_new(slots * sizeof *deal->slots);
    deal->owners = wi_pages_new(slots * sizeof *deal->owners);
    deal->last_slots = wi_alloc(bin->piece_count * sizeof *deal->last_slots);
    for (slots = 0; slots < apart; slots++)
        deal->slots[slots] = deal->apart + slots * words;
    for (uint32_t p = 0; p < bin->piece_count; p++) {
        for (uint32_t i = 0; i < bin->pieces[p].count / deal->block; i++)
            deal->slots[slots++] = bin->pieces[p].words + i * words;
        deal->last_slots[p] = slots;
    }
}

static void free_slots(dealing *deal)
{
    const wi_bin *bin = deal->bin;
    size_t words = (size_t)deal->block * deal->stride;
    uint32_t slots = deal->last_slots[bin->piece_count - 1];
    wi_pages_free(deal->buffers, deal->buckets * words * sizeof(uint64_t));
    wi_pages_free(deal->apart, (bin->piece_count + 1) * words * sizeof(uint64_t));
    wi_pages_free(deal->slots, slots * sizeof *deal->slots);
    wi_pages_free(deal->owners, slots * sizeof *deal->owners);
    wi_free(deal->last_slots);
}

/* Brings the blocks into the order of their buckets. */
static void permute(dealing *deal)
{
    size_t words = (size_t)deal->block * deal->stride;
    uint64_t *room = wi_alloc(2 * words * sizeof *room), *held = room, *other = room + words;
    uint32_t *next = wi_alloc(2 * deal->buckets * sizeof *next), *ends = next + deal->buckets;
    for (uint32_t b = 0, at = 0; b < deal->buckets; b++) {
        next[b] = at;
        ends[b] = at += deal->blocks[b];
    }
    for (uint32_t b = 0; b < deal->buckets; b++)
        for (; next[b] < ends[b]; next[b]++) {
            uint32_t owner = deal->owners[next[b]];
            if (owner == b)
                continue;
            memcpy(held, deal->slots[next[b]], words * sizeof *held);
            while (owner != b) { /* whoever is in its place goes on to its own */
                while (deal->owners[next[owner]] == owner)
                    next[owner]++;
                uint32_t to = next[owner]++, its = deal->owners[to];
                memcpy(other, deal->slots[to], words * sizeof *held);
                memcpy(deal->slots[to], held, words * sizeof *held);
                uint64_t *moved = held;
                held = other;
                other = moved;
                deal->owners[to] = (uint16_t)owner;
                owner = its;
            }
            memcpy(deal->slots[next[b]], held, words * sizeof *held);
            deal->owners[next[b]] = (uint16_t)b;
        }
    wi_free(next);
    wi_free(room);
}

/* Copies a bucket's records out of the slots from `slot` on, and out of its buffer. */
static size_t draw(const dealing *deal, uint32_t b, uint32_t slot, uint64_t *to)
{
    size_t words = (size_t)deal->block * deal->stride;
    for (uint32_t i = 0; i < deal->blocks[b]; i++, to += words)
        memcpy(to, deal->slots[slot + i], words * sizeof *to);
    memcpy(to, deal->buffers + b * words, (size_t)deal->filled[b] * deal->stride * sizeof *to);
    return (size_t)deal->blocks[b] * deal->block + deal->filled[b];
}

/* Lets go of pieces that are behind, and gives their pages to the run, to be written next: `rows`
 * have been, and up to byte *paged has pages. Returns the first piece that is not behind. */
static uint32_t leave_pieces(const sealing *seal, dealing *deal, uint32_t piece, uint32_t slot,
                             wi_run *run, uint32_t rows, size_t *paged)
{
    size_t written = (size_t)rows * seal->layout->words * sizeof(uint64_t);
    size_t next = wi_pages_place(written);
    *paged = *paged < next ? next : *paged;
    for (; piece < deal->bin->piece_count && deal->last_slots[piece] <= slot; piece++)
        if (*paged - written < PAGED_AHEAD)
            *paged += wi_bin_move_piece(seal->layout, deal->bin, piece, run->rows, run->row_bytes,
                                        *paged);
        else
            wi_bin_free_piece(seal->layout, deal->bin, piece);
    return piece;
}

/* Sorts and squeezes bucket by bucket. */
static uint32_t seal_buckets(sealing *seal, dealing *deal, wi_run *run)
{
    size_t largest = 0, all = seal->count;
    for (uint32_t b = 0; b < deal->buckets; b++) {
        size_t size = (size_t)deal->blocks[b] * deal->block + deal->filled[b];
        largest = size > largest ? size : largest;
    }
    seal->records = wi_pages_new(2 * records_bytes(seal, largest));
    uint64_t *scratch = seal->records + largest * seal->stride;
    uint32_t rows = 0, slot = 0, piece = 0;
    size_t paged = 0;
    for (uint32_t b = 0; b < deal->buckets; b++) {
        seal->count = draw(deal, b, slot, seal->records);
        slot += deal->blocks[b];
        piece = leave_pieces(seal, deal, piece, slot, run, rows, &paged);
        wi_sort(seal->layout, seal->records, scratch, seal->count, seal->stride, 0);
        rows = squeeze_any(seal, run, rows);
    }
    wi_pages_free(seal->records, 2 * records_bytes(seal, largest));
    seal->count = all;
    return rows;
}

/* False, and nothing is done, if the bin is not for it. */
static bool seal_dealt(sealing *seal, wi_bin *bin, wi_run *run, uint32_t *rows_out)
{
    uint32_t block = BLOCK_WORDS / seal->stride;
    dealing *deal = WI_NEW(dealing);
    deal->bin = bin;
    deal->stride = seal->stride;
    deal->block = block ? block : 1;
    bool plan = deal_plan(deal);
    if (plan) {
        make_slots(deal);
        for (uint32_t p = 0; p < bin->piece_count; p++) {
#define DEAL(n) deal_piece(&bin->pieces[p], (n), deal)
            BY_STRIDE(seal->stride, DEAL);
        }
        permute(deal);
        *rows_out = seal_buckets(seal, deal, run);
        free_slots(deal);
        wi_bin_free_pieces(seal->layout, bin);
    }
    wi_free(deal);
    return plan;
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
    wi_run_finish(run, squeeze_any(seal, run, 0));
    return run;
}

/* A large bin, without a second copy of it. */
static wi_run *seal_in_place(sealing *seal, wi_bin *bin, const weir_time *table)
{
    size_t bytes = (size_t)seal->count * seal->layout->words * sizeof(uint64_t);
    wi_run *run = wi_run_of_records(seal->layout, wi_pages_new(bytes), bytes, (uint32_t)seal->count,
                                    false, table, 1);
    uint32_t rows;
    run->diff = seal->diff;
    if (!seal_dealt(seal, bin, run, &rows)) {
        wi_run_drop(run);
        return NULL;
    }
    wi_run_finish(run, rows);
    return run;
}

static wi_run *seal_large(sealing *seal, wi_bin *const *bins, uint32_t count,
                          const weir_time *table)
{
    size_t bytes = records_bytes(seal, seal->count);
    wi_run *run = NULL;
    if (count == 1 && seal->count >= DEAL_FROM && !seal->layout->texts)
        run = seal_in_place(seal, bins[0], table);
    if (run)
        return run;
    seal->records = wi_pages_new(bytes);
    gather(seal, bins, count);
    uint64_t *scratch = wi_pages_new(bytes);
    wi_sort(seal->layout, seal->records, scratch, seal->count, seal->stride, seal->times);
    wi_pages_free(scratch, bytes);
    run = wi_run_of_records(seal->layout, seal->records, bytes, (uint32_t)seal->count, seal->times,
                            table, count);
    run->diff = seal->diff;
    wi_run_finish(run, squeeze_any(seal, run, 0));
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
    wi_require(seal.count <= UINT32_MAX,
               "an arrangement has 2^32 or more rows on one worker: use more workers");
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
