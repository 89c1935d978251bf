/* Bins of pending updates. A bin is a list of pieces that double in size, so that nothing is
 * ever copied to grow; sealing deals them straight into the run's rows and frees each piece as
 * it goes (seal.c).
 *
 * Whether a bin holds many copies of few rows shows in a sample: of s records from a
 * collection of n different rows, about s * s / 2n pairs are equal. When a bin has become
 * several times larger than the n so estimated, it is consolidated. */
#include "pending.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/pages.h"
#include "../stream/common.h"
#include "seal.h"
#include "sort.h"

#define PIECE_ROWS_FIRST 8
#define PIECE_BYTES_MAX ((size_t)2 << 20)
#define LOOK_FROM ((uint64_t)1 << 17)
#define SAMPLE_MAX ((uint32_t)1 << 15)
#define REPEATS_MAX 8

static uint32_t stride_of(const wi_layout *layout, const wi_bin *bin)
{
    return layout->words + bin->has_diffs;
}

static size_t piece_bytes(const wi_piece *piece, uint32_t stride)
{
    return (size_t)piece->capacity * stride * sizeof(uint64_t);
}

/* ---- pieces ----------------------------------------------------------------------------- */

static wi_piece *piece_new(wi_bin *bin, uint32_t stride, uint64_t at_least)
{
    uint64_t most = PIECE_BYTES_MAX / (stride * sizeof(uint64_t));
    uint64_t rows = bin->count < PIECE_ROWS_FIRST ? PIECE_ROWS_FIRST : bin->count;
    rows = rows < at_least ? at_least : rows;
    rows = rows > most ? most : rows;
    rows = rows ? rows : 1;
    wi_grow(&bin->pieces, &bin->piece_capacity, bin->piece_count + 1, sizeof *bin->pieces);
    wi_piece *piece = &bin->pieces[bin->piece_count++];
    *piece = (wi_piece){.capacity = (uint32_t)rows};
    piece->words = wi_pages_new(piece_bytes(piece, stride));
    return piece;
}

/* Room for up to `wanted` records, at least one; the caller fills and counts them. */
static uint64_t *room(wi_bin *bin, uint32_t stride, uint32_t wanted, uint32_t *room_out)
{
    wi_piece *piece = bin->piece_count ? &bin->pieces[bin->piece_count - 1] : NULL;
    if (!piece || piece->count == piece->capacity)
        piece = piece_new(bin, stride, wanted);
    uint32_t left = piece->capacity - piece->count;
    *room_out = wanted < left ? wanted : left;
    uint64_t *at = piece->words + (size_t)piece->count * stride;
    piece->count += *room_out;
    bin->count += *room_out;
    return at;
}

/* From records without diffs to records with. */
static void add_diffs(const wi_layout *layout, wi_bin *bin)
{
    uint32_t words = layout->words;
    bin->has_diffs = true;
    for (uint32_t p = 0; p < bin->piece_count; p++) {
        wi_piece *piece = &bin->pieces[p];
        uint64_t *wider = wi_pages_new(piece_bytes(piece, words + 1));
        for (uint32_t i = 0; i < piece->count; i++) {
            memcpy(wider + (size_t)i * (words + 1), piece->words + (size_t)i * words,
                   words * sizeof *wider);
            wider[(size_t)i * (words + 1) + words] = (uint64_t)bin->diff;
        }
        wi_pages_free(piece->words, piece_bytes(piece, words));
        piece->words = wider;
    }
}

void wi_bin_free_pieces(const wi_layout *layout, wi_bin *bin)
{
    for (uint32_t p = 0; p < bin->piece_count; p++)
        wi_bin_free_piece(layout, bin, p);
    bin->piece_count = 0;
    bin->count = 0;
}

void wi_bin_free_piece(const wi_layout *layout, wi_bin *bin, uint32_t index)
{
    wi_piece *piece = &bin->pieces[index];
    if (piece->words)
        wi_pages_free(piece->words, piece_bytes(piece, stride_of(layout, bin)));
    piece->words = NULL;
}

size_t wi_bin_move_piece(const wi_layout *layout, wi_bin *bin, uint32_t index, void *to,
                         size_t to_bytes, size_t at)
{
    wi_piece *piece = &bin->pieces[index];
    size_t bytes = piece_bytes(piece, stride_of(layout, bin));
    void *words = piece->words;
    piece->words = NULL;
    return wi_pages_move(to, to_bytes, at, words, bytes);
}

void wi_bin_free(const wi_layout *layout, wi_bin *bin)
{
    wi_bin_free_pieces(layout, bin);
    wi_free(bin->pieces);
    wi_heap_fini(&bin->heap);
    wi_free(bin);
}

/* ---- consolidating as it goes ----------------------------------------------------------- */

/* About how many different rows the bin's records are of; UINT64_MAX if there is no telling. */
static uint64_t estimate_rows(const wi_layout *layout, const wi_bin *bin)
{
    const wi_piece *piece = &bin->pieces[bin->piece_count - 1];
    if (bin->piece_count > 1 && piece->count < piece[-1].count)
        piece--;
    uint32_t stride = stride_of(layout, bin), equal = 0;
    uint32_t sample = piece->count < SAMPLE_MAX ? piece->count : SAMPLE_MAX;
    size_t bytes = (size_t)sample * stride * sizeof(uint64_t);
    uint64_t *records = wi_alloc(2 * bytes);
    memcpy(records, piece->words + (size_t)(piece->count - sample) * stride, bytes);
    wi_sort(layout, records, records + (size_t)sample * stride, sample, stride, 0);
    for (uint32_t i = 1; i < sample; i++)
        equal += wi_row_compare(layout, records + (size_t)(i - 1) * stride,
                                records + (size_t)i * stride) == 0;
    wi_free(records);
    if (equal < 8)
        return UINT64_MAX;
    if (equal > sample / 2)
        return sample - equal;
    return (uint64_t)sample * sample / (2 * (uint64_t)equal);
}

static void consolidate(const wi_layout *layout, wi_bin *bin)
{
    wi_run *run = wi_bins_seal(layout, &bin, 1);
    bin->has_diffs = true;
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t one;
        uint64_t *record = room(bin, layout->words + 1, 1, &one);
        memcpy(record, wi_run_row(run, i), layout->words * sizeof *record);
        record[layout->words] = (uint64_t)wi_run_diff(run, i);
        wi_layout_own(layout, record, layout->words, 1, &bin->heap);
    }
    wi_run_drop(run);
}

static __attribute__((noinline)) void look(const wi_layout *layout, wi_bin *bin)
{
    uint64_t rows = estimate_rows(layout, bin);
    if (rows < bin->count / 4)
        consolidate(layout, bin);
    bin->look_at = bin->count * 2 < LOOK_FROM ? LOOK_FROM : bin->count * 2;
}

/* ---- filling ---------------------------------------------------------------------------- */

void wi_pending_init(wi_pending *pending, const wi_layout *layout)
{
    *pending = (wi_pending){.layout = layout};
}

void wi_pending_fini(wi_pending *pending)
{
    for (uint32_t i = 0; i < pending->bin_count; i++)
        wi_bin_free(pending->layout, pending->bins[i]);
    wi_free(pending->bins);
    *pending = (wi_pending){.layout = pending->layout};
}

static wi_bin *bin_at(wi_pending *pending, const weir_time *time)
{
    uint32_t low = 0, high = pending->bin_count;
    if (high && weir_time_compare(&pending->bins[high - 1]->time, time) < 0)
        low = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = weir_time_compare(&pending->bins[middle]->time, time);
        if (order == 0)
            return pending->bins[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    wi_grow(&pending->bins, &pending->bin_capacity, pending->bin_count + 1, sizeof(wi_bin *));
    memmove(&pending->bins[low + 1], &pending->bins[low],
            (pending->bin_count++ - low) * sizeof(wi_bin *));
    for (int i = pending->last_dim + 1; i < WEIR_DIMS_MAX; i++)
        if (time->at[i])
            pending->last_dim = i;
    wi_bin *bin = WI_NEW(wi_bin);
    bin->time = *time;
    bin->look_at = LOOK_FROM;
    bin->diff = 1;
    return pending->bins[low] = bin;
}

wi_bin *wi_pending_bin(wi_pending *pending, const weir_time *time)
{
    if (!pending->last || !weir_time_eq(&pending->last->time, time))
        pending->last = bin_at(pending, time);
    return pending->last;
}

/* Whether the bin needs a column for these diffs; adds it. */
static bool needs_diffs(const wi_layout *layout, wi_bin *bin, const weir_batch *batch)
{
    if (!bin->has_diffs && !batch->diffs && bin->count == 0)
        bin->diff = batch->diff;
    else if (!bin->has_diffs && (batch->diffs || batch->diff != bin->diff))
        add_diffs(layout, bin);
    return bin->has_diffs;
}

/* Whether the rows may do without a column, those that are there several times as several records:
 * if there are few of these, so that not all records have to be wider for them. */
static bool may_repeat(const wi_bin *bin, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    uint64_t records = 0, rows = end - begin;
    if (bin->has_diffs || !batch->diffs || (bin->count && bin->diff != 1))
        return false;
    for (uint32_t i = begin; i < end; i++) {
        if (batch->diffs[i] < 1 || batch->diffs[i] > REPEATS_MAX)
            return false;
        records += (uint64_t)batch->diffs[i];
    }
    return records <= rows + rows / 8 + 1;
}

/* Appends them as often as they are there beyond once. */
static void repeat(const wi_layout *layout, wi_bin *bin, const weir_batch *batch, uint32_t begin,
                   uint32_t end)
{
    uint32_t one;
    for (uint32_t i = begin; i < end; i++)
        for (int64_t n = 1; n < batch->diffs[i]; n++)
            wi_layout_encode(layout, weir_batch_row(batch, i), 1,
                             room(bin, layout->words, 1, &one), layout->words, &bin->heap);
}

static void append(const wi_layout *layout, wi_bin *bin, const weir_batch *batch, uint32_t begin,
                   uint32_t end)
{
    bool repeats = may_repeat(bin, batch, begin, end);
    if (repeats) {
        bin->diff = 1;
        repeat(layout, bin, batch, begin, end);
    }
    bool diffs = !repeats && needs_diffs(layout, bin, batch);
    uint32_t stride = layout->words + diffs;
    while (begin < end) {
        uint32_t part;
        uint64_t *to = room(bin, stride, end - begin, &part);
        wi_layout_encode(layout, weir_batch_row(batch, begin), part, to, stride, &bin->heap);
        for (uint32_t i = 0; diffs && i < part; i++)
            to[(size_t)i * stride + stride - 1] = (uint64_t)weir_batch_diff(batch, begin + i);
        begin += part;
    }
    if (WEIR_UNLIKELY(bin->count >= bin->look_at))
        look(layout, bin);
}

void wi_pending_batch(wi_pending *pending, const weir_batch *batch)
{
    uint32_t begin = 0;
    while (begin < batch->count) {
        uint32_t end = wi_same_time(batch, begin);
        wi_bin *bin = wi_pending_bin(pending, weir_batch_time(batch, begin));
        append(pending->layout, bin, batch, begin, end);
        begin = end;
    }
}

void wi_bin_row(const wi_layout *layout, wi_bin *bin, const uint64_t *words, int64_t diff)
{
    uint32_t one;
    if (!bin->has_diffs && bin->count == 0)
        bin->diff = diff;
    else if (!bin->has_diffs && bin->diff != diff)
        add_diffs(layout, bin);
    uint64_t *record = room(bin, stride_of(layout, bin), 1, &one);
    memcpy(record, words, layout->words * sizeof *record);
    if (bin->has_diffs)
        record[layout->words] = (uint64_t)diff;
    wi_layout_own(layout, record, layout->words, 1, &bin->heap);
    if (WEIR_UNLIKELY(bin->count >= bin->look_at))
        look(layout, bin);
}

/* ---- taking out ------------------------------------------------------------------------- */

/* The first bin from `index` on that differs from its time in a coordinate other than the
 * last: those between are later in the last one, so they are at or after the same element. */
static uint32_t past_same(const wi_pending *pending, uint32_t index)
{
    weir_time last = pending->bins[index]->time;
    last.at[pending->last_dim] = UINT64_MAX;
    uint32_t low = index + 1, high = pending->bin_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (weir_time_compare(&pending->bins[middle]->time, &last) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t wi_pending_ready(wi_pending *pending, const weir_antichain *upper, wi_bin **bins_out)
{
    uint32_t ready = 0, kept = 0, at = 0;
    while (at < pending->bin_count) {
        wi_bin *bin = pending->bins[at];
        if (weir_antichain_le(upper, &bin->time)) {
            uint32_t end = past_same(pending, at);
            if (kept != at)
                memmove(&pending->bins[kept], &pending->bins[at], (end - at) * sizeof(wi_bin *));
            kept += end - at;
            at = end;
            continue;
        }
        if (ready == 0 || weir_time_le(&bins_out[0]->time, &bin->time))
            bins_out[ready++] = bin;
        else
            pending->bins[kept++] = bin;
        at++;
    }
    pending->bin_count = kept;
    if (ready)
        pending->last = NULL;
    return ready;
}
