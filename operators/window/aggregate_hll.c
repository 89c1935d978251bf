/* weir_hll: HyperLogLog, as Flajolet and others have it, with the estimate of Ertl ("New
 * cardinality estimation algorithms for HyperLogLog sketches"), which needs no tables to be right
 * for few values, too.
 *
 * A value's hash is an index (its first bits) and a rank (the place of the first one behind them);
 * for each index the greatest rank is kept. While there are few values they are *sparse*: sorted
 * entries of an index of 25 bits and its rank, four bytes each. When they would take more memory
 * than a byte for each index of `precision` bits, they become *dense*, which is just that: an index
 * of fewer bits, and the rank behind it, can be told from them. Which of the two it is depends on
 * the values alone, not on the order in which they came, or were merged. */
#include <weir/aggregates.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/hash.h"

#include <math.h>

#define SPARSE_BITS 25
#define RANK_BITS 6
#define RANK_MASK ((1u << RANK_BITS) - 1)

typedef struct hll {
    uint32_t precision;
    uint32_t count, capacity; /* sparse entries */
    uint32_t *sparse;
    uint8_t *dense; /* or NULL */
} hll;

static hll *hll_of(uint64_t field)
{
    return (hll *)(uintptr_t)field;
}

static uint32_t sparse_max(const hll *of)
{
    return (1u << of->precision) / sizeof *of->sparse;
}

/* The place of the first one of the upper `bits`, from 1 on; if there is none, one beyond. */
static uint32_t rank_of(uint64_t hash, uint32_t bits)
{
    uint32_t zeros = hash ? (uint32_t)__builtin_clzll(hash) : 64;
    return (zeros < bits ? zeros : bits) + 1;
}

/* ---- dense ------------------------------------------------------------------------------ */

static void dense_add(hll *to, uint32_t index, uint32_t rank)
{
    if (rank > to->dense[index])
        to->dense[index] = (uint8_t)rank;
}

static void dense_add_entry(hll *to, uint32_t entry)
{
    uint32_t index = entry >> RANK_BITS, spare = SPARSE_BITS - to->precision;
    uint32_t behind = index & ((1u << spare) - 1);
    uint32_t rank = behind ? rank_of((uint64_t)behind << (64 - spare), spare)
                           : spare + (entry & RANK_MASK);
    dense_add(to, index >> spare, rank);
}

static void make_dense(hll *of)
{
    of->dense = wi_calloc(1, (size_t)1 << of->precision);
    for (uint32_t i = 0; i < of->count; i++)
        dense_add_entry(of, of->sparse[i]);
    wi_free(of->sparse);
    of->sparse = NULL;
    of->count = of->capacity = 0;
}

/* ---- sparse ----------------------------------------------------------------------------- */

static void add_entry(hll *to, uint32_t entry)
{
    if (to->dense) {
        dense_add_entry(to, entry);
        return;
    }
    uint32_t low = 0, high = to->count, index = entry >> RANK_BITS;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (to->sparse[middle] >> RANK_BITS < index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < to->count && to->sparse[low] >> RANK_BITS == index) {
        if (entry > to->sparse[low])
            to->sparse[low] = entry;
        return;
    }
    if (to->count == sparse_max(to)) {
        make_dense(to);
        dense_add_entry(to, entry);
        return;
    }
    wi_grow(&to->sparse, &to->capacity, to->count + 1, sizeof *to->sparse);
    memmove(&to->sparse[low + 1], &to->sparse[low], (to->count - low) * sizeof *to->sparse);
    to->sparse[low] = entry;
    to->count++;
}

/* ---- adding ----------------------------------------------------------------------------- */

static hll *hll_at(uint64_t *field, uint32_t precision)
{
    wi_assert(precision >= WEIR_HLL_PRECISION_MIN && precision <= WEIR_HLL_PRECISION_MAX,
              "a precision is from 4 to 18");
    if (!*field) {
        hll *made = WI_NEW(hll);
        made->precision = precision;
        *field = (uintptr_t)made;
    }
    wi_assert(hll_of(*field)->precision == precision, "all that is merged has one precision");
    return hll_of(*field);
}

void weir_hll_add(uint64_t *field, uint32_t precision, const void *bytes, uint32_t length)
{
    hll *to = hll_at(field, precision);
    uint64_t hash = length == 8 ? wi_hash_fixed(0, bytes, 8) : wi_hash_bytes(bytes, length);
    if (to->dense)
        dense_add(to, (uint32_t)(hash >> (64 - precision)),
                  rank_of(hash << precision, 64 - precision));
    else
        add_entry(to, (uint32_t)(hash >> (64 - SPARSE_BITS)) << RANK_BITS |
                          rank_of(hash << SPARSE_BITS, 64 - SPARSE_BITS));
}

void weir_hll_merge(uint64_t *field, uint64_t other)
{
    const hll *from = hll_of(other);
    if (!from)
        return;
    hll *to = hll_at(field, from->precision);
    for (uint32_t i = 0; i < from->count; i++)
        add_entry(to, from->sparse[i]);
    if (!from->dense)
        return;
    if (!to->dense)
        make_dense(to);
    for (uint32_t i = 0; i < 1u << from->precision; i++)
        dense_add(to, i, from->dense[i]);
}

void weir_hll_release(uint64_t *field)
{
    hll *of = hll_of(*field);
    if (of) {
        wi_free(of->sparse);
        wi_free(of->dense);
    }
    wi_free(of);
    *field = 0;
}

/* ---- counting --------------------------------------------------------------------------- */

/* x + x^2 + 2 x^4 + 4 x^8 + ... */
static double sigma(double x)
{
    double weight = 1, sum = x, before;
    if (x == 1)
        return INFINITY;
    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != before);
    return sum;
}

/* (1 - x - (1 - x^(1/2))^2 / 2 - (1 - x^(1/4))^2 / 4 - ...) / 3 */
static double tau(double x)
{
    double weight = 1, sum = 1 - x, before;
    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = sum;
        weight /= 2;
        sum -= (1 - x) * (1 - x) * weight;
    } while (sum != before);
    return sum / 3;
}

static double dense_count(const hll *of)
{
    uint32_t ranks[66] = {0}, last = 64 - of->precision;
    double all = (double)(1u << of->precision);
    for (uint32_t i = 0; i < 1u << of->precision; i++)
        ranks[of->dense[i]]++;
    double sum = all * tau(1 - ranks[last + 1] / all);
    for (uint32_t rank = last; rank >= 1; rank--)
        sum = (sum + ranks[rank]) / 2;
    sum += all * sigma(ranks[0] / all);
    return all * all / (2 * M_LN2 * sum);
}

uint64_t weir_hll_count(uint64_t field)
{
    const hll *of = hll_of(field);
    double all = (double)(1u << SPARSE_BITS);
    if (!of)
        return 0;
    return (uint64_t)llround(of->dense ? dense_count(of) : -all * log1p(-(double)of->count / all));
}

/* ---- as bytes --------------------------------------------------------------------------- */

/* The precision, whether it is dense, two zeros; then its entries, or ranks. */
enum { HEAD_BYTES = 4 };

weir_bytes weir_hll_bytes(uint64_t field, weir_batch *into)
{
    const hll *of = hll_of(field);
    if (!of)
        return weir_text_of("", 0);
    size_t size = of->dense ? (size_t)1 << of->precision : of->count * sizeof *of->sparse;
    char *bytes = wi_alloc(HEAD_BYTES + size);
    memcpy(bytes, (const char[HEAD_BYTES]){(char)of->precision, of->dense != NULL}, HEAD_BYTES);
    if (size)
        memcpy(bytes + HEAD_BYTES, of->dense ? (const void *)of->dense : of->sparse, size);
    weir_bytes made = weir_text_new(into, bytes, (uint32_t)(HEAD_BYTES + size));
    wi_free(bytes);
    return made;
}

static bool entries_good(const char *at, uint32_t count)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry;
        memcpy(&entry, at + i * sizeof entry, sizeof entry);
        bool sorted = i == 0 || entry >> RANK_BITS > before >> RANK_BITS;
        if (!sorted || entry >> (SPARSE_BITS + RANK_BITS) || !(entry & RANK_MASK) ||
            (entry & RANK_MASK) > 64 - SPARSE_BITS + 1)
            return false;
        before = entry;
    }
    return true;
}

bool weir_hll_merge_bytes(uint64_t *field, const weir_bytes *from)
{
    const char *bytes = weir_text_at(from), *at = bytes + HEAD_BYTES;
    uint32_t size = from->length - HEAD_BYTES;
    if (!from->length)
        return true;
    if (from->length < HEAD_BYTES || bytes[0] < WEIR_HLL_PRECISION_MIN ||
        bytes[0] > WEIR_HLL_PRECISION_MAX || (unsigned char)bytes[1] > 1 || bytes[2] || bytes[3])
        return false;
    uint32_t precision = (uint32_t)bytes[0], most = 1u << precision;
    if (*field && hll_of(*field)->precision != precision)
        return false;
    if (bytes[1]) {
        bool good = size == most;
        for (uint32_t i = 0; i < size && good; i++)
            good = (unsigned char)at[i] <= 64 - precision + 1;
        if (!good)
            return false;
        hll *to = hll_at(field, precision);
        if (!to->dense)
            make_dense(to);
        for (uint32_t i = 0; i < most; i++)
            dense_add(to, i, (unsigned char)at[i]);
        return true;
    }
    if (size > most || size % sizeof(uint32_t) || !entries_good(at, size / sizeof(uint32_t)))
        return false;
    hll *to = hll_at(field, precision);
    for (uint32_t i = 0; i < size; i += sizeof(uint32_t)) {
        uint32_t entry;
        memcpy(&entry, at + i, sizeof entry);
        add_entry(to, entry);
    }
    return true;
}
