/* Rows of one time, added up by hashing; see row_bin.h.
 *
 * Equal rows are found by a table of row numbers, a part at a time: of 2^k slots, one is 1 +
 * the row's number in its lower k bits and some bits of the hash above. Rows that equal others are
 * marked and have their sum, which is zero for all but the first, in an array beside: rows that
 * equal none, mostly all but a few, are not touched again before they are sent.
 *
 * Bits of a row's hash: the lowest say which part, the next where to look, the upper half is
 * compared. (The highest say which worker has the row, and are much the same for all.) */
#include "row_bin.h"

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../base/pages.h"
#include "../../base/type.h"
#include "emit.h"

#define BLOCK 64
#define PART_BITS 8
#define PARTS (1u << PART_BITS)
#define DEAL_CHUNKS 64 /* a bin with more is dealt into parts */
#define SLOT_BITS_MIN 4
#define AHEAD_BYTES 2048 /* rows are asked for from memory before they are looked at */
#define SLAB_BYTES ((size_t)2 << 20) /* a huge page */

#define ALWAYS_INLINE inline __attribute__((always_inline))

void wi_row_bins_init(wi_row_bins *bins, const weir_type *type)
{
    *bins = (wi_row_bins){.type = type, .step = type->size ? type->size : 1};
    bins->packing = wi_packing_new(type, NULL, type->field_count, NULL);
    bins->plain = bins->packing.words * sizeof(uint64_t) == type->size;
    for (uint32_t f = 0; f < bins->packing.count; f++)
        bins->plain &= bins->packing.fields[f].from == bins->packing.fields[f].at;
    while (2u << bins->chunk_shift <= weir_batch_rows_usual(type))
        bins->chunk_shift++;
    if (!bins->plain)
        bins->words = WI_NEWS(uint64_t, (size_t)BLOCK * bins->packing.words);
}

void wi_row_bins_fini(wi_row_bins *bins)
{
    wi_free(bins->packing.fields);
    wi_free(bins->slots);
    wi_free(bins->words);
    wi_pages_free(bins->sums, bins->sums_room * sizeof *bins->sums);
    wi_free(bins->marks);
    weir_batch_drop(bins->slab);
}

/* ---- rows ------------------------------------------------------------------------------- */

static ALWAYS_INLINE void hash_words(const uint64_t *rows, uint32_t count, uint32_t words,
                                     uint32_t texts, uint64_t *hashes_out)
{
    for (uint32_t i = 0; i < count; i++)
        hashes_out[i] = wi_packed_hash(rows + (size_t)i * words, words, texts);
}

/* Of at most BLOCK rows. */
static void hash_rows(const wi_row_bins *bins, const char *rows, uint32_t count,
                      uint64_t *hashes_out)
{
    const uint64_t *words = (const void *)rows;
    if (!bins->plain) {
        wi_pack(&bins->packing, rows, bins->type->size, count, bins->words);
        words = bins->words;
    }
    if (bins->packing.texts)
        hash_words(words, count, bins->packing.words, bins->packing.texts, hashes_out);
    else if (bins->packing.words == 1)
        hash_words(words, count, 1, 0, hashes_out);
    else if (bins->packing.words == 2)
        hash_words(words, count, 2, 0, hashes_out);
    else
        hash_words(words, count, bins->packing.words, 0, hashes_out);
}

static bool same_rows(const wi_row_bins *bins, const char *a, const char *b)
{
    if (bins->plain)
        return wi_packed_same((const void *)a, (const void *)b, bins->packing.words,
                              bins->packing.texts);
    return weir_row_equal(bins->type, a, b);
}

/* ---- parts ------------------------------------------------------------------------------ */

/* Sets the last chunk's count, which is not kept up to date while it is filled. */
static void close_part(const wi_row_bins *bins, wi_row_part *part)
{
    if (!part->count)
        return;
    weir_batch *last = part->chunks[part->count - 1];
    last->count = (uint32_t)((size_t)(part->to - (char *)last->rows) / bins->step);
}

static void fill_from(const wi_row_bins *bins, wi_row_part *part, uint32_t row)
{
    weir_batch *last = part->chunks[part->count - 1];
    part->to = (char *)last->rows + row * bins->step;
    part->end = (char *)last->rows + last->capacity * bins->step;
    part->diff_to = last->diffs ? last->diffs + row : NULL;
}

/* A part of a huge page: taking small pages from the system one by one would cost as much as
 * dealing rows and adding them up. */
static weir_batch *chunk_of_slab(wi_row_bins *bins)
{
    size_t bytes = bins->step << bins->chunk_shift;
    uint32_t chunks = (uint32_t)(wi_batch_rows_bytes(SLAB_BYTES) / bytes);
    if (!bins->slab || bins->slab_used == chunks) {
        weir_batch_drop(bins->slab);
        bins->slab = weir_batch_new(bins->type, chunks << bins->chunk_shift);
        bins->slab_used = 0;
    }
    uint32_t first = bins->slab_used++ << bins->chunk_shift;
    return wi_batch_part(bins->slab, first, 1u << bins->chunk_shift);
}

static weir_batch *new_chunk(wi_row_bins *bins, const wi_row_bin *bin, uint32_t rows)
{
    bool of_slab = bin->part_count > 1 && !bins->type->text_count;
    weir_batch *chunk = of_slab ? chunk_of_slab(bins) : weir_batch_new(bins->type, rows);
    chunk->diff = bin->diff;
    if (bin->has_diffs)
        wi_batch_start_diffs(chunk, 0);
    return chunk;
}

/* The heap moves with the rows, so texts stay where they are. */
static void grow_chunk(wi_row_bins *bins, wi_row_bin *bin, wi_row_part *part, uint32_t rows)
{
    weir_batch *small = part->chunks[0], *large = new_chunk(bins, bin, rows);
    memcpy(large->rows, small->rows, (size_t)small->count * bins->type->size);
    if (bin->has_diffs)
        memcpy(large->diffs, small->diffs, small->count * sizeof *small->diffs);
    large->heap = small->heap;
    small->heap = NULL;
    part->chunks[0] = large;
    fill_from(bins, part, small->count);
    weir_batch_drop(small);
}

/* Room for at least one more row, where there is none; about for `wanted`. */
static void make_room(wi_row_bins *bins, wi_row_bin *bin, wi_row_part *part, uint32_t wanted)
{
    uint32_t full = 1u << bins->chunk_shift, rows = full;
    close_part(bins, part);
    if (part->count <= 1 && bin->part_count == 1) {
        uint32_t has = part->count ? part->chunks[0]->count : 0;
        wanted = has + (wanted < full ? wanted : full);
        for (rows = 1; rows < full && (rows < wanted || rows < 2 * has);)
            rows *= 2;
        rows = rows < full ? rows : full;
        if (part->count && part->chunks[0]->capacity < full) {
            grow_chunk(bins, bin, part, rows);
            return;
        }
    }
    wi_grow(&part->chunks, &part->capacity, part->count + 1, sizeof *part->chunks);
    part->chunks[part->count++] = new_chunk(bins, bin, rows);
    fill_from(bins, part, 0);
}

static void free_part(wi_row_part *part)
{
    for (uint32_t c = 0; c < part->count; c++)
        weir_batch_drop(part->chunks[c]);
    wi_free(part->chunks);
    *part = (wi_row_part){0};
}

void wi_row_bin_fini(wi_row_bin *bin)
{
    for (uint32_t p = 0; p < bin->part_count; p++)
        free_part(&bin->parts[p]);
    wi_free(bin->parts);
    *bin = (wi_row_bin){0};
}

static void add_diffs(const wi_row_bins *bins, wi_row_bin *bin)
{
    bin->has_diffs = true;
    for (uint32_t p = 0; p < bin->part_count; p++) {
        wi_row_part *part = &bin->parts[p];
        close_part(bins, part);
        for (uint32_t c = 0; c < part->count; c++)
            if (!part->chunks[c]->diffs)
                wi_batch_start_diffs(part->chunks[c], part->chunks[c]->count);
        if (part->count)
            fill_from(bins, part, part->chunks[part->count - 1]->count);
    }
}

/* ---- adding up -------------------------------------------------------------------------- */

static char *row_at(const wi_row_bins *bins, const wi_row_part *part, uint32_t index)
{
    weir_batch *chunk = part->chunks[index >> bins->chunk_shift];
    return (char *)chunk->rows +
           (index & ((1u << bins->chunk_shift) - 1)) * (size_t)bins->type->size;
}

static int64_t diff_at(const wi_row_bins *bins, const wi_row_part *part, uint32_t index)
{
    weir_batch *chunk = part->chunks[index >> bins->chunk_shift];
    return weir_batch_diff(chunk, index & ((1u << bins->chunk_shift) - 1));
}

static inline bool is_marked(const wi_row_bins *bins, uint32_t index)
{
    return bins->marks[index / 64] >> index % 64 & 1;
}

static void mark(wi_row_bins *bins, uint32_t index, int64_t sum)
{
    bins->marks[index / 64] |= UINT64_C(1) << index % 64;
    bins->sums[index] = sum;
}

/* Adds a row to one that it equals. */
static void add_row(wi_row_bins *bins, const wi_row_part *part, uint32_t to, uint32_t row)
{
    if (!is_marked(bins, to))
        mark(bins, to, diff_at(bins, part, to));
    bins->sums[to] = (int64_t)((uint64_t)bins->sums[to] + (uint64_t)diff_at(bins, part, row));
    mark(bins, row, 0);
}

/* No marks, and room for the sums of so many rows. */
static void clear_marks(wi_row_bins *bins, uint64_t rows)
{
    if (rows > bins->sums_room) {
        wi_pages_free(bins->sums, bins->sums_room * sizeof *bins->sums);
        wi_free(bins->marks);
        bins->sums_room = rows < 2 * bins->sums_room ? 2 * bins->sums_room : rows;
        bins->sums = wi_pages_new(bins->sums_room * sizeof *bins->sums);
        bins->marks = WI_NEWS(uint64_t, bins->sums_room / 64 + 1);
    }
    memset(bins->marks, 0, (rows / 64 + 1) * sizeof *bins->marks);
}

/* An empty table for so many rows; gives log2 of its size. With three slots in eight in use at
 * most, most rows that are new see so at once. */
static uint32_t clear_slots(wi_row_bins *bins, uint64_t rows)
{
    uint32_t bits = SLOT_BITS_MIN;
    while (rows > UINT64_C(3) << bits >> 3)
        bits++;
    if (bits > bins->slot_bits || !bins->slots) {
        wi_free(bins->slots);
        bins->slots = wi_alloc(sizeof *bins->slots << bits);
        bins->slot_bits = bits;
    }
    memset(bins->slots, 0, sizeof *bins->slots << bits);
    return bits;
}

/* Looks for rows [first, first + count), one chunk's, among those that are in the table, and
 * puts them there if they are new. Returns how many were not. With `add`, those are added to what
 * they equal. */
static uint32_t look_up(wi_row_bins *bins, const wi_row_part *part, uint32_t first,
                        uint32_t count, uint32_t bits, bool add)
{
    uint64_t hashes[BLOCK];
    uint32_t mask = (1u << bits) - 1, found = 0, *slots = bins->slots;
    const char *rows = row_at(bins, part, first);
    size_t bytes = count * bins->type->size;
    for (size_t at = 0; at < bytes; at += 64)
        __builtin_prefetch(rows + AHEAD_BYTES + at);
    hash_rows(bins, rows, count, hashes);
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(&slots[hashes[i] >> PART_BITS & mask], 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)(hashes[i] >> PART_BITS) & mask;
        uint32_t tag = (uint32_t)(hashes[i] >> 32 >> PART_BITS) & ~mask, other = 0;
        for (; slots[at]; at = (at + 1) & mask) {
            if ((slots[at] & ~mask) != tag)
                continue;
            other = (slots[at] & mask) - 1;
            if (same_rows(bins, row_at(bins, part, other), rows + i * (size_t)bins->type->size))
                break;
        }
        if (!slots[at]) {
            slots[at] = tag | (first + i + 1);
            continue;
        }
        found++;
        if (add)
            add_row(bins, part, other, first + i);
    }
    return found;
}

static void add_up(wi_row_bins *bins, wi_row_part *part)
{
    uint64_t rows = part->count ? ((uint64_t)(part->count - 1) << bins->chunk_shift) +
                                      part->chunks[part->count - 1]->count
                                : 0;
    clear_marks(bins, rows);
    if (rows < 2)
        return;
    uint32_t bits = clear_slots(bins, rows);
    for (uint32_t c = 0; c < part->count; c++)
        for (uint32_t begin = 0, count = part->chunks[c]->count; begin < count; begin += BLOCK)
            look_up(bins, part, (c << bins->chunk_shift) + begin,
                    count - begin < BLOCK ? count - begin : BLOCK, bits, true);
}

/* ---- rows come -------------------------------------------------------------------------- */

static void put_row(wi_row_bins *bins, wi_row_bin *bin, wi_row_part *part, const char *row,
                    int64_t diff)
{
    if (part->to == part->end)
        make_room(bins, bin, part, 1);
    memcpy(part->to, row, bins->type->size);
    if (bins->type->text_count)
        wi_batch_own_texts(part->chunks[part->count - 1], part->to, 1);
    part->to += bins->step;
    if (bin->has_diffs)
        *part->diff_to++ = diff;
}

static ALWAYS_INLINE void deal_block(wi_row_bins *bins, wi_row_bin *bin, const char *rows,
                                     uint32_t count, const uint64_t *hashes, size_t size)
{
    wi_row_part *parts = bin->parts;
    for (uint32_t i = 0; i < count; i++) {
        wi_row_part *part = &parts[hashes[i] & (PARTS - 1)];
        if (WEIR_UNLIKELY(part->to == part->end))
            make_room(bins, bin, part, 1);
        memcpy(part->to, rows + i * size, size);
        part->to += size;
        __builtin_prefetch(part->to + 128, 1); /* so many streams no processor sees */
    }
}

/* Rows [begin, end) of a batch, or of a chunk of the bin before it was dealt. */
static void deal(wi_row_bins *bins, wi_row_bin *bin, const weir_batch *batch, uint32_t begin,
                 uint32_t end)
{
    uint64_t hashes[BLOCK];
    bool simple = !bin->has_diffs && !bins->type->text_count;
    size_t size = bins->type->size;
    for (uint32_t at = begin; at < end; at += BLOCK) {
        uint32_t count = end - at < BLOCK ? end - at : BLOCK;
        const char *rows = weir_batch_row(batch, at);
        hash_rows(bins, rows, count, hashes);
        if (simple && size == 8)
            deal_block(bins, bin, rows, count, hashes, 8);
        else if (simple && size == 16)
            deal_block(bins, bin, rows, count, hashes, 16);
        else
            for (uint32_t i = 0; i < count; i++)
                put_row(bins, bin, &bin->parts[hashes[i] & (PARTS - 1)], rows + i * size,
                        weir_batch_diff(batch, at + i));
    }
}

static void deal_into_parts(wi_row_bins *bins, wi_row_bin *bin)
{
    wi_row_part *all = bin->parts;
    close_part(bins, all);
    bin->parts = WI_NEWS(wi_row_part, PARTS);
    bin->part_count = PARTS;
    for (uint32_t c = 0; c < all->count; c++) {
        deal(bins, bin, all->chunks[c], 0, all->chunks[c]->count);
        weir_batch_drop(all->chunks[c]);
        all->chunks[c] = NULL;
    }
    free_part(all);
    wi_free(all);
}

/* A part has become twice as long: if a sample says that it has less than a quarter as many
 * different rows, they are added up. Of s rows from n different ones, s * s / 2n pairs equal. */
static void look(wi_row_bins *bins, wi_row_bin *bin, wi_row_part *part)
{
    uint32_t chunk = part->count - 2, rows = 1u << bins->chunk_shift, equal = 0;
    uint32_t bits = clear_slots(bins, (uint64_t)part->count << bins->chunk_shift);
    for (uint32_t begin = 0; begin < rows; begin += BLOCK)
        equal += look_up(bins, part, (chunk << bins->chunk_shift) + begin,
                         rows - begin < BLOCK ? rows - begin : BLOCK, bits, false);
    part->look_at = 2 * part->count;
    uint64_t different = equal ? (uint64_t)rows * rows / (2 * (uint64_t)equal) : UINT64_MAX;
    if (equal < 8 || different > ((uint64_t)part->count << bins->chunk_shift) / 4)
        return;
    if (!bin->has_diffs)
        add_diffs(bins, bin);
    close_part(bins, part);
    add_up(bins, part);
    wi_row_part all = *part;
    *part = (wi_row_part){0};
    for (uint32_t c = 0; c < all.count; c++) {
        const weir_batch *from = all.chunks[c];
        for (uint32_t i = 0, at = c << bins->chunk_shift; i < from->count; i++, at++) {
            int64_t diff = is_marked(bins, at) ? bins->sums[at] : from->diffs[i];
            if (diff)
                put_row(bins, bin, part, weir_batch_row(from, i), diff);
        }
    }
    part->look_at = 2 * part->count + 2;
    free_part(&all);
}

static void look_at_parts(wi_row_bins *bins, wi_row_bin *bin)
{
    for (uint32_t p = 0; p < bin->part_count; p++) {
        wi_row_part *part = &bin->parts[p];
        if (!part->look_at)
            part->look_at = 4;
        if (WEIR_UNLIKELY(part->count >= part->look_at))
            look(bins, bin, part);
    }
}

static void append(wi_row_bins *bins, wi_row_bin *bin, const weir_batch *batch,
                   uint32_t begin, uint32_t end)
{
    wi_row_part *part = bin->parts;
    size_t size = bins->type->size;
    while (begin < end) {
        if (part->to == part->end)
            make_room(bins, bin, part, end - begin);
        weir_batch *chunk = part->chunks[part->count - 1];
        uint32_t room = (uint32_t)((size_t)(part->end - part->to) / bins->step);
        uint32_t count = end - begin < room ? end - begin : room;
        memcpy(part->to, weir_batch_row(batch, begin), count * size);
        wi_batch_own_texts(chunk, part->to, count);
        for (uint32_t i = 0; bin->has_diffs && i < count; i++)
            part->diff_to[i] = weir_batch_diff(batch, begin + i);
        part->to += count * bins->step;
        part->diff_to += bin->has_diffs ? count : 0;
        begin += count;
    }
}

void wi_row_bin_add(wi_row_bins *bins, wi_row_bin *bin, const weir_batch *batch, uint32_t begin,
                    uint32_t end)
{
    if (!bin->part_count) {
        bin->parts = WI_NEW(wi_row_part);
        bin->part_count = 1;
        bin->has_diffs = batch->diffs != NULL;
        bin->diff = batch->diff;
    }
    if (!bin->has_diffs && (batch->diffs || batch->diff != bin->diff))
        add_diffs(bins, bin);
    uint32_t chunks = bin->parts[0].count;
    if (bin->part_count > 1)
        deal(bins, bin, batch, begin, end);
    else
        append(bins, bin, batch, begin, end);
    if (bin->part_count == 1 && bin->parts[0].count > DEAL_CHUNKS)
        deal_into_parts(bins, bin);
    if (bin->part_count > 1 || bin->parts[0].count != chunks)
        look_at_parts(bins, bin);
}

/* ---- rows go ---------------------------------------------------------------------------- */

static void send_row(const wi_row_bins *bins, const weir_batch *from, uint32_t row, int64_t diff,
                     wi_emit *few)
{
    char *to = wi_emit_row(few, diff);
    memcpy(to, weir_batch_row(from, row), bins->type->size);
    if (bins->type->text_count)
        wi_batch_own_texts(few->batch, to, 1);
}

/* With a column of diffs: takes out rows of diff zero, and the column if all are the same then.
 * `first` is the number of the chunk's first row. */
static void squeeze(const wi_row_bins *bins, weir_batch *chunk, uint32_t first)
{
    size_t size = bins->type->size;
    uint32_t kept = 0;
    bool same = true;
    for (uint32_t i = 0; i < chunk->count; i++) {
        int64_t diff = is_marked(bins, first + i) ? bins->sums[first + i] : chunk->diffs[i];
        if (!diff)
            continue;
        if (kept != i)
            memcpy((char *)chunk->rows + kept * size, (char *)chunk->rows + i * size, size);
        chunk->diffs[kept] = diff;
        same &= diff == chunk->diffs[0];
        kept++;
    }
    chunk->count = kept;
    if (same && kept) {
        chunk->diff = chunk->diffs[0];
        wi_free(chunk->diffs);
        chunk->diffs = NULL;
    }
}

/* Without a column: marked rows are sent apart, if they are not nothing. From the last one on, so
 * that what is moved to where they were is not marked. */
static void take_marked(const wi_row_bins *bins, weir_batch *chunk, uint32_t first, wi_emit *few)
{
    size_t size = bins->type->size;
    for (uint32_t row = chunk->count; row-- > 0;) {
        uint64_t upto = bins->marks[(first + row) / 64] << (63 - (first + row) % 64);
        uint32_t skip = upto ? (uint32_t)__builtin_clzll(upto) : (first + row) % 64;
        if (skip > row)
            break;
        row -= skip;
        if (!upto)
            continue;
        if (bins->sums[first + row])
            send_row(bins, chunk, row, bins->sums[first + row], few);
        if (row != --chunk->count)
            memcpy((char *)chunk->rows + row * size, (char *)chunk->rows + chunk->count * size,
                   size);
    }
    if (!chunk->diff)
        chunk->count = 0;
}

static void send_chunk(const wi_row_bins *bins, weir_batch *chunk, uint32_t first, weir_op *op,
                       const weir_time *time, wi_emit *few)
{
    if (!few->batch)
        few->expected = chunk->count;
    if (chunk->diffs)
        squeeze(bins, chunk, first);
    else
        take_marked(bins, chunk, first, few);
    if (chunk->count > chunk->capacity / 2) {
        chunk->time = *time;
        weir_send_batch(op, 0, chunk);
        return;
    }
    for (uint32_t i = 0; i < chunk->count; i++)
        send_row(bins, chunk, i, weir_batch_diff(chunk, i), few);
    weir_batch_drop(chunk);
}

void wi_row_bin_send(wi_row_bins *bins, wi_row_bin *bin, weir_op *op, const weir_time *time)
{
    wi_emit few;
    wi_emit_begin(&few, op, bins->type, time, 0);
    for (uint32_t p = 0; p < bin->part_count; p++) {
        wi_row_part *part = &bin->parts[p];
        close_part(bins, part);
        add_up(bins, part);
        for (uint32_t c = 0; c < part->count; c++) {
            send_chunk(bins, part->chunks[c], c << bins->chunk_shift, op, time, &few);
            part->chunks[c] = NULL;
        }
    }
    wi_emit_end(&few);
    weir_batch_drop(bins->slab);
    bins->slab = NULL;
    wi_row_bin_fini(bin);
}
