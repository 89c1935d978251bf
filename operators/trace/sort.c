/* A radix sort from the most significant end that fits its digits to the data: each bucket
 * looks for the range of its current word, skips words in which all records agree, and deals
 * the records by the highest bits in which they differ. Ids of a small range, hashes and keys
 * with a common prefix are all dealt evenly in one or two passes; buckets of a few records are
 * finished by insertion, in cache. Skew costs further passes over the skewed part only. Lowest
 * bits in which all records agree do not count, such as those of a field that has one value: what
 * is left is often so little that one pass by all of it does, and then equal records need no more.
 *
 * Buckets that fit the cache go the other way: by so many highest bits that few records agree in
 * all of them, in two passes from the least significant digit. What is left then is hardly any
 * work, while finding the order within many small buckets is a branch for each comparison that
 * nobody can predict.
 *
 * Two buffers take turns: a bucket's records are in `from`, and are to end in `from` or in
 * `other`, at the same place. The body is compiled for the usual record shapes; the others,
 * and records with texts, are sorted by merging. */
#include "sort.h"

#include "../../base/assert.h"

#define DIGIT_BITS_MAX 11
#define FEW 24 /* records that insertion sorts */

/* Two digits: from so many records on, up to so many bytes. */
#define TWO_DIGITS_FROM 512
#define TWO_DIGITS_BYTES ((size_t)1 << 19)
#define TWO_DIGITS_BITS_MIN 10 /* what differs by fewer is dealt at once */
#define TWO_DIGITS_BITS_MORE 4 /* than there are records: one in 16 has a neighbour's */

/* One digit of all bits, if it has at most so many values for each record. */
#define ONE_DIGIT_SHARE 4

#define INLINE static inline __attribute__((always_inline))

/* What is known about the records; sizes are given apart, as constants. */
typedef struct sorting {
    const wi_layout *layout;
    uint32_t stride, words; /* words that count */
} sorting;

INLINE void copy_record(uint64_t *to, const uint64_t *from, uint32_t stride)
{
    for (uint32_t i = 0; i < stride; i++)
        to[i] = from[i];
}

INLINE bool less(const uint64_t *a, const uint64_t *b, uint32_t word, uint32_t words)
{
    for (uint32_t i = word; i < words; i++)
        if (a[i] != b[i])
            return a[i] < b[i];
    return false;
}

/* ---- a few ------------------------------------------------------------------------------ */

/* Inserts one record after the other into `to`, which may be `from`. */
INLINE void insert_all(const uint64_t *from, uint64_t *to, size_t count, uint32_t word,
                       uint32_t stride, uint32_t words)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t held[8];
        copy_record(held, from + i * stride, stride);
        size_t at = i;
        while (at > 0 && less(held, to + (at - 1) * stride, word, words)) {
            copy_record(to + at * stride, to + (at - 1) * stride, stride);
            at--;
        }
        copy_record(to + at * stride, held, stride);
    }
}

INLINE bool is_sorted(const uint64_t *records, size_t count, uint32_t word, uint32_t stride,
                      uint32_t words)
{
    for (size_t i = 1; i < count; i++)
        if (less(records + i * stride, records + (i - 1) * stride, word, words))
            return false;
    return true;
}

/* ---- many ------------------------------------------------------------------------------- */

typedef void deal_fn(uint64_t *from, uint64_t *other, size_t count, uint32_t word, bool over,
                     const sorting *how);

/* What records differ in: bits [low, low + range) of a word, less its least value. */
typedef struct digits {
    uint32_t word, low, range;
    uint64_t least;
} digits;

/* Of the first word from `word` on in which records differ; the word is `words` if there is
 * none. */
INLINE digits differing(const uint64_t *from, size_t count, uint32_t word, uint32_t stride,
                        uint32_t words)
{
    for (; word < words; word++) {
        uint64_t first = from[word], least = first, most = first, differ = 0;
        for (size_t i = 1; i < count; i++) {
            uint64_t value = from[i * stride + word];
            least = value < least ? value : least;
            most = value > most ? value : most;
            differ |= value ^ first;
        }
        if (!differ)
            continue;
        uint32_t low = (uint32_t)__builtin_ctzll(differ);
        return (digits){word, low, 64 - low - (uint32_t)__builtin_clzll(most - least), least};
    }
    return (digits){.word = words};
}

static uint32_t digit_bits(size_t count)
{
    uint32_t bits = 63 - (uint32_t)__builtin_clzll(count);
    bits = bits > 4 ? bits - 3 : 2;
    return bits < DIGIT_BITS_MAX ? bits : DIGIT_BITS_MAX;
}

/* Where each of a digit's values begins. */
INLINE void begins_of(uint32_t *counts, size_t values)
{
    uint32_t at = 0;
    for (size_t v = 0; v < values; v++) {
        uint32_t count = counts[v];
        counts[v] = at;
        at += count;
    }
}

/* Records that agree in all bits that were sorted by are sorted by the rest; on the way they go
 * to where the result is to be. */
INLINE void finish(uint64_t *from, uint64_t *other, size_t count, digits by, bool over,
                   uint32_t shift, uint32_t stride, uint32_t words, const sorting *how,
                   deal_fn *again)
{
    uint64_t least = by.least;
    uint32_t word = by.word, next_word = word + (shift == by.low);
    if (next_word == words) {
        if (over)
            memcpy(other, from, count * stride * sizeof *from);
        return;
    }
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t value = (from[i * stride + word] - least) >> shift;
        for (end = i + 1; end < count && (from[end * stride + word] - least) >> shift == value;)
            end++;
        if (WEIR_LIKELY(end == i + 1)) {
            if (over)
                copy_record(other + i * stride, from + i * stride, stride);
        } else if (end - i <= FEW) {
            insert_all(from + i * stride, (over ? other : from) + i * stride, end - i, next_word,
                       stride, words);
        } else {
            again(from + i * stride, other + i * stride, end - i, next_word, over, how);
        }
    }
}

/* By the highest of the bits in which they differ. */
INLINE void two_digits(uint64_t *from, uint64_t *other, size_t count, digits by, bool over,
                       uint32_t stride, uint32_t words, const sorting *how, deal_fn *again)
{
    uint64_t least = by.least;
    uint32_t word = by.word, bits = 64 - (uint32_t)__builtin_clzll(count) + TWO_DIGITS_BITS_MORE;
    bits = bits < by.range ? bits : by.range;
    bits = bits < 2 * DIGIT_BITS_MAX ? bits : 2 * DIGIT_BITS_MAX;
    uint32_t shift = by.low + by.range - bits, low_bits = bits / 2;
    uint64_t low_mask = (UINT64_C(1) << low_bits) - 1;
    uint32_t low[(size_t)1 << DIGIT_BITS_MAX], high[(size_t)1 << DIGIT_BITS_MAX];
    memset(low, 0, sizeof *low << low_bits);
    memset(high, 0, sizeof *high << (bits - low_bits));
    for (size_t i = 0; i < count; i++) {
        uint64_t value = (from[i * stride + word] - least) >> shift;
        low[value & low_mask]++;
        high[value >> low_bits]++;
    }
    begins_of(low, (size_t)1 << low_bits);
    begins_of(high, (size_t)1 << (bits - low_bits));
    for (size_t i = 0; i < count; i++) {
        const uint64_t *record = from + i * stride;
        uint64_t value = (record[word] - least) >> shift;
        copy_record(other + (size_t)low[value & low_mask]++ * stride, record, stride);
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t *record = other + i * stride;
        uint64_t value = (record[word] - least) >> shift;
        copy_record(from + (size_t)high[value >> low_bits]++ * stride, record, stride);
    }
    finish(from, other, count, by, over, shift, stride, words, how, again);
}

/* Sorts by words [word, words); `over`: the result goes to `other`. */
INLINE void deal_body(uint64_t *from, uint64_t *other, size_t count, uint32_t word, bool over,
                      uint32_t stride, uint32_t words, const sorting *how, deal_fn *again)
{
    if (count <= FEW) {
        insert_all(from, over ? other : from, count, word, stride, words);
        return;
    }
    digits by = differing(from, count, word, stride, words);
    word = by.word;
    if (word == words || is_sorted(from, count, word, stride, words)) {
        if (over)
            memcpy(other, from, count * stride * sizeof *from);
        return;
    }
    uint64_t least = by.least;
    uint32_t range = by.range, digit = digit_bits(count);
    if (range <= DIGIT_BITS_MAX && (size_t)1 << range <= ONE_DIGIT_SHARE * count) {
        digit = range;
    } else if (count >= TWO_DIGITS_FROM && count * stride * sizeof *from <= TWO_DIGITS_BYTES &&
               range >= TWO_DIGITS_BITS_MIN) {
        two_digits(from, other, count, by, over, stride, words, how, again);
        return;
    }
    uint32_t shift = by.low + (range > digit ? range - digit : 0);
    uint32_t next_word = word + (shift == by.low);
    size_t buckets = (size_t)1 << (range < digit ? range : digit);
    uint32_t ends[((size_t)1 << DIGIT_BITS_MAX) + 1];
    memset(ends, 0, (buckets + 1) * sizeof *ends);
    for (size_t i = 0; i < count; i++)
        ends[((from[i * stride + word] - least) >> shift) + 1]++;
    for (size_t b = 1; b < buckets; b++)
        ends[b + 1] += ends[b];
    /* ends[b] is where bucket b goes on; in the end, where it ends */
    for (size_t i = 0; i < count; i++) {
        const uint64_t *record = from + i * stride;
        copy_record(other + (size_t)ends[(record[word] - least) >> shift]++ * stride, record,
                    stride);
    }
    if (next_word == words) {
        if (!over)
            memcpy(from, other, count * stride * sizeof *from);
        return;
    }
    size_t begin = 0;
    for (size_t b = 0; b < buckets; b++) {
        size_t size = ends[b] - begin, at = begin * stride;
        if (size == 1 && !over)
            copy_record(from + at, other + at, stride);
        else if (size > 1 || (size == 1 && !over))
            again(other + at, from + at, size, next_word, !over, how);
        begin = ends[b];
    }
}

#define SHAPE(stride, words)                                                                    \
    static void deal_##stride##_##words(uint64_t *from, uint64_t *other, size_t count,          \
                                        uint32_t word, bool over, const sorting *how)           \
    {                                                                                           \
        deal_body(from, other, count, word, over, stride, words, how, deal_##stride##_##words); \
    }
SHAPE(1, 1)
SHAPE(2, 1)
SHAPE(2, 2)
SHAPE(3, 1)
SHAPE(3, 2)
SHAPE(3, 3)
SHAPE(4, 2)
SHAPE(4, 3)
SHAPE(4, 4)
SHAPE(5, 3)
SHAPE(5, 4)

/* ---- any shape, and texts --------------------------------------------------------------- */

static bool record_less(const uint64_t *a, const uint64_t *b, const sorting *how)
{
    int order = wi_row_compare(how->layout, a, b);
    return order < 0 || (order == 0 && less(a, b, how->layout->words, how->words));
}

static void insert_any(uint64_t *records, uint64_t *held, size_t count, const sorting *how)
{
    size_t bytes = how->stride * sizeof *records;
    for (size_t i = 1; i < count; i++) {
        size_t at = i;
        while (at > 0 &&
               record_less(records + i * how->stride, records + (at - 1) * how->stride, how))
            at--;
        if (at == i)
            continue;
        memcpy(held, records + i * how->stride, bytes);
        memmove(records + (at + 1) * how->stride, records + at * how->stride, (i - at) * bytes);
        memcpy(records + at * how->stride, held, bytes);
    }
}

/* Merge sort, the result in `from`. `other` has room for as many. */
static void merge_sort(uint64_t *from, uint64_t *other, size_t count, const sorting *how)
{
    if (count <= 12) {
        insert_any(from, other, count, how);
        return;
    }
    size_t half = count / 2, bytes = how->stride * sizeof *from;
    uint64_t *right = from + half * how->stride;
    merge_sort(from, other, half, how);
    merge_sort(right, other, count - half, how);
    if (!record_less(right, right - how->stride, how))
        return;
    memcpy(other, from, half * bytes);
    const uint64_t *a = other, *a_end = other + half * how->stride;
    const uint64_t *b = right, *b_end = from + count * how->stride;
    while (a < a_end) {
        bool take_b = b < b_end && record_less(b, a, how);
        memmove(from, take_b ? b : a, bytes);
        from += how->stride;
        a += take_b ? 0 : how->stride;
        b += take_b ? how->stride : 0;
    }
}

static deal_fn *shape(uint32_t stride, uint32_t words)
{
    static deal_fn *const shapes[6][5] = {
        [1] = {[1] = deal_1_1},
        [2] = {[1] = deal_2_1, [2] = deal_2_2},
        [3] = {[1] = deal_3_1, [2] = deal_3_2, [3] = deal_3_3},
        [4] = {[2] = deal_4_2, [3] = deal_4_3, [4] = deal_4_4},
        [5] = {[3] = deal_5_3, [4] = deal_5_4},
    };
    return stride < 6 && words < 5 ? shapes[stride][words] : NULL;
}

void wi_sort(const wi_layout *layout, uint64_t *records, uint64_t *scratch, size_t count,
             uint32_t stride, uint32_t more)
{
    sorting how = {layout, stride, layout->words + more};
    wi_dassert(how.words <= stride, "what is sorted by is part of the record");
    deal_fn *deal = layout->texts ? NULL : shape(stride, how.words);
    wi_assert(count <= UINT32_MAX, "records are counted by 32 bits");
    if (deal)
        deal(records, scratch, count, 0, false, &how);
    else
        merge_sort(records, scratch, count, &how);
}
