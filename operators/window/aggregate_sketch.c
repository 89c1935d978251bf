/* weir_sketch: quantiles with a relative error, as in DDSketch (Masson, Rim and Lee, 2019).
 *
 * Magnitude x is counted in bin ceil(log x / log gamma), gamma = (1 + error) / (1 - error), so that
 * the middle of a bin is no further than `error` from all that is in it. Counters can go down,
 * which takes rows away. A side (negative or positive numbers) has bins from `first` on, in an
 * array that grows in both directions; below the greatest index ever, less WEIR_SKETCH_BINS, all
 * is one bin. So what a sketch is depends on what was added, not on the order. */
#include <weir/aggregates.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"

#include <float.h>
#include <math.h>

enum { SLACK = 32 }; /* bins by which an array grows beyond what is needed */

typedef struct side {
    int64_t *bins;
    int32_t first, greatest; /* index of bins[0]; the greatest that was added to */
    uint32_t count;          /* bins; 0: nothing was ever added */
} side;

typedef struct sketch {
    double error, log_gamma;
    int64_t zeros, nans;
    int64_t infinite[2]; /* below, and above all numbers: as these they would crowd out others */
    side sides[2];       /* numbers below, and above 0 */
} sketch;

static sketch *sketch_of(uint64_t field)
{
    return (sketch *)(uintptr_t)field;
}

/* Of counts; bytes from outside may have any, and then they wrap. */
static int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* ---- bins ------------------------------------------------------------------------------- */

static int32_t lowest(const side *of)
{
    return of->greatest - (WEIR_SKETCH_BINS - 1);
}

/* Makes the array one of bins [first, last], those of what is there and no others. */
static void reshape(side *of, int32_t first, int32_t last)
{
    uint32_t count = (uint32_t)(last - first) + 1;
    int64_t *bins = WI_NEWS(int64_t, count);
    for (uint32_t i = 0; i < of->count; i++) {
        int32_t index = of->first + (int32_t)i;
        int64_t *bin = &bins[index < first ? 0 : index - first];
        *bin = sum(*bin, of->bins[i]);
    }
    wi_free(of->bins);
    of->bins = bins;
    of->first = first;
    of->count = count;
}

static void add_to_bin(side *to, int32_t index, int64_t diff)
{
    if (!to->count || index > to->greatest)
        to->greatest = index;
    int32_t floor = lowest(to), last = to->first + (int32_t)to->count - 1;
    index = index < floor ? floor : index;
    if (!to->count) {
        reshape(to, index, index);
    } else if (index > last || (last >= index && to->first < floor)) {
        int32_t first = to->first < floor ? floor : to->first;
        int32_t wanted = index > last ? index + SLACK : last;
        reshape(to, first, wanted);
    } else if (index < to->first) {
        int32_t first = index - SLACK < floor ? floor : index - SLACK;
        reshape(to, first, last);
    }
    int64_t *bin = &to->bins[index - to->first];
    *bin = sum(*bin, diff);
}

/* ---- adding ----------------------------------------------------------------------------- */

static sketch *sketch_at(uint64_t *field, double error)
{
    wi_assert(error >= 0.001 && error <= 0.5, "a sketch's error is from 0.001 to 0.5");
    if (!*field) {
        sketch *made = WI_NEW(sketch);
        made->error = error;
        made->log_gamma = log1p(2 * error / (1 - error));
        *field = (uintptr_t)made;
    }
    wi_assert(sketch_of(*field)->error == error, "all that is merged has one error");
    return sketch_of(*field);
}

void weir_sketch_add(uint64_t *field, double error, double value, int64_t diff)
{
    sketch *to = sketch_at(field, error);
    if (isnan(value))
        to->nans = sum(to->nans, diff);
    else if (isinf(value))
        to->infinite[value > 0] = sum(to->infinite[value > 0], diff);
    else if (value == 0)
        to->zeros = sum(to->zeros, diff);
    else
        add_to_bin(&to->sides[value > 0], (int32_t)ceil(log(fabs(value)) / to->log_gamma), diff);
}

static void merge_side(side *to, const int64_t *bins, int32_t first, uint32_t count,
                       int32_t greatest)
{
    if (!count)
        return;
    add_to_bin(to, greatest, 0);
    for (uint32_t i = 0; i < count; i++)
        if (bins[i])
            add_to_bin(to, first + (int32_t)i, bins[i]);
}

void weir_sketch_merge(uint64_t *field, uint64_t other)
{
    const sketch *from = sketch_of(other);
    if (!from)
        return;
    sketch *to = sketch_at(field, from->error);
    to->zeros = sum(to->zeros, from->zeros);
    to->nans = sum(to->nans, from->nans);
    for (int s = 0; s < 2; s++) {
        const side *it = &from->sides[s];
        to->infinite[s] = sum(to->infinite[s], from->infinite[s]);
        merge_side(&to->sides[s], it->bins, it->first, it->count, it->greatest);
    }
}

void weir_sketch_release(uint64_t *field)
{
    sketch *of = sketch_of(*field);
    for (int s = 0; of && s < 2; s++)
        wi_free(of->sides[s].bins);
    wi_free(of);
    *field = 0;
}

/* ---- asking ----------------------------------------------------------------------------- */

static int64_t rows_of(const side *of)
{
    int64_t rows = 0;
    for (uint32_t i = 0; i < of->count; i++)
        rows = sum(rows, of->bins[i]);
    return rows;
}

int64_t weir_sketch_rows(uint64_t field)
{
    const sketch *of = sketch_of(field);
    if (!of)
        return 0;
    int64_t rows = sum(of->zeros, of->nans);
    for (int s = 0; s < 2; s++)
        rows = sum(rows, sum(of->infinite[s], rows_of(&of->sides[s])));
    return rows;
}

/* The middle of a bin, in the sense of the relative error. */
static double middle_of(const sketch *of, const side *in, uint32_t bin)
{
    double power = (in->first + (int32_t)bin) * of->log_gamma;
    double value = exp(power + log1p(-of->error)); /* 2 gamma^i / (gamma + 1) */
    return value <= DBL_MAX ? value : DBL_MAX;
}

double weir_sketch_quantile(uint64_t field, double q)
{
    const sketch *of = sketch_of(field);
    int64_t rows = weir_sketch_rows(field), seen = 0;
    if (rows <= 0)
        return NAN;
    double wanted = ceil(q * (double)rows);
    int64_t rank = wanted >= (double)rows ? rows : wanted < 1 ? 1 : (int64_t)wanted;
    const side *below = &of->sides[0], *above = &of->sides[1];
    if ((seen = of->infinite[0]) >= rank)
        return -INFINITY;
    for (uint32_t i = below->count; i-- > 0;)
        if ((seen = sum(seen, below->bins[i])) >= rank)
            return -middle_of(of, below, i);
    if ((seen = sum(seen, of->zeros)) >= rank)
        return 0;
    for (uint32_t i = 0; i < above->count; i++)
        if ((seen = sum(seen, above->bins[i])) >= rank)
            return middle_of(of, above, i);
    return sum(seen, of->infinite[1]) >= rank ? INFINITY : NAN;
}

/* ---- as bytes --------------------------------------------------------------------------- */

struct side_head {
    int32_t first, greatest;
    uint32_t count, zero;
};
struct head {
    double error;
    int64_t zeros, nans, infinite[2];
    struct side_head sides[2];
};
_Static_assert(sizeof(struct head) == 72, "no padding goes out");

/* Bins [*begin_out, *end_out) are those that are not 0, and what is between them. */
static void trim(const side *of, uint32_t *begin_out, uint32_t *end_out)
{
    uint32_t begin = 0, end = of->count;
    while (begin < end && !of->bins[begin])
        begin++;
    while (end > begin && !of->bins[end - 1])
        end--;
    *begin_out = begin;
    *end_out = end;
}

weir_bytes weir_sketch_bytes(uint64_t field, weir_batch *into)
{
    const sketch *of = sketch_of(field);
    uint32_t begin[2], end[2];
    if (!of)
        return weir_text_of("", 0);
    struct head head = {.error = of->error,
                        .zeros = of->zeros,
                        .nans = of->nans,
                        .infinite = {of->infinite[0], of->infinite[1]}};
    size_t size = sizeof head;
    for (int s = 0; s < 2; s++) {
        const side *it = &of->sides[s];
        trim(it, &begin[s], &end[s]);
        bool any = it->count != 0;
        uint32_t count = end[s] - begin[s];
        if (any && !count) { /* what was added is gone, but how far it went is not */
            begin[s] = (uint32_t)(it->greatest - it->first);
            end[s] = begin[s] + 1;
            count = 1;
        }
        head.sides[s] = (struct side_head){it->first + (int32_t)begin[s], it->greatest, count, 0};
        size += count * sizeof(int64_t);
    }
    char *bytes = wi_alloc(size), *at = bytes;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (int s = 0; s < 2; s++) {
        size_t part = (end[s] - begin[s]) * sizeof(int64_t);
        if (part)
            memcpy(at, of->sides[s].bins + begin[s], part);
        at += part;
    }
    weir_bytes made = weir_text_new(into, bytes, (uint32_t)size);
    wi_free(bytes);
    return made;
}

/* Of an index that a f64 can have, at the smallest error. */
enum { INDEX_MAX = 400000 };

static bool head_good(const struct head *head, uint32_t length)
{
    uint64_t size = sizeof *head;
    if (!(head->error >= 0.001 && head->error <= 0.5))
        return false;
    for (int s = 0; s < 2; s++) {
        const struct side_head *it = &head->sides[s];
        if (it->count > WEIR_SKETCH_BINS || it->zero)
            return false;
        if (it->count && (it->first < -INDEX_MAX || it->greatest > INDEX_MAX ||
                          (int64_t)it->first + it->count - 1 > it->greatest))
            return false;
        size += it->count * sizeof(int64_t);
    }
    return size == length;
}

bool weir_sketch_merge_bytes(uint64_t *field, const weir_bytes *from)
{
    struct head head;
    const char *at = weir_text_at(from);
    if (!from->length)
        return true;
    if (from->length < sizeof head)
        return false;
    memcpy(&head, at, sizeof head);
    if (!head_good(&head, from->length) || (*field && sketch_of(*field)->error != head.error))
        return false;
    sketch *to = sketch_at(field, head.error);
    to->zeros = sum(to->zeros, head.zeros);
    to->nans = sum(to->nans, head.nans);
    at += sizeof head;
    for (int s = 0; s < 2; s++) {
        const struct side_head *it = &head.sides[s];
        to->infinite[s] = sum(to->infinite[s], head.infinite[s]);
        int64_t *bins = wi_alloc(it->count * sizeof *bins + 1);
        memcpy(bins, at, it->count * sizeof *bins);
        merge_side(&to->sides[s], bins, it->first, it->count, it->greatest);
        at += it->count * sizeof *bins;
        wi_free(bins);
    }
    return true;
}
