/* Aggregates: what a fold can keep beside plain sums. Each is a field of an acc, or a few, with a
 * function that adds a row, one that adds another acc's, and one that gives the result.
 *
 *   variance     fields            takes rows away, with rounding errors
 *   first, last  fields            by event time; of equal ones, in the order in which rows come
 *   weir_bag     memory of its own all values with their counts: exact distinct, min, max;
 *                                  takes rows away
 *   weir_hll     memory of its own distinct values, about (HyperLogLog)
 *   weir_sketch  memory of its own quantiles, about (DDSketch); takes rows away
 *   weir_top     memory of its own the k greatest rows
 *
 * "Takes rows away": a diff of -1 undoes one of +1, in whatever order they come. The others do not
 * look at the diff, or, if they have one, ignore rows whose diff is not above 0: what is no longer
 * there after a row is gone, they cannot know.
 *
 * Memory of its own: the field is a u64, 0 at first, and then says where that memory is. It goes
 * by no exchange and into no result: `finish` makes a number of it, or bytes, `combine` merges it,
 * and `release` frees it:
 *
 *     #define VISITS(F) F(u64, page) F(i64, start) F(i64, end) F(i64, rows) F(u64, users)
 *     WEIR_FOLD(add_visit, visit, visits) { weir_hll_add(&acc->users, 12, &in->user, 8); }
 *     WEIR_FOLD(add_visits, visits, visits) { weir_hll_merge(&acc->users, in->users); }
 *     WEIR_MAP(say, visits, said) { ... out->users = weir_hll_count(in->users); }
 *     static void release(void *acc, void *arg) { weir_hll_release(&((visits *)acc)->users); }
 *
 * What a merge gives depends on all that was added, not on its order nor on who added what; of
 * floating-point sums that is so but for rounding. All functions: any thread, one at a time for
 * each field. */
#ifndef WEIR_AGGREGATES_H
#define WEIR_AGGREGATES_H

#include <weir/batch.h>

/* ---- variance --------------------------------------------------------------------------- */

/* A field F(f64, spread, 3): the number of values, their mean, and the sum of the squares of their
 * distances from it. */
static inline void weir_spread_add(double spread[3], double value, int64_t diff)
{
    double rows = spread[0] + (double)diff, distance = value - spread[1];
    if (rows == 0) {
        spread[0] = spread[1] = spread[2] = 0;
        return;
    }
    spread[1] += distance * (double)diff / rows;
    spread[2] += distance * (value - spread[1]) * (double)diff;
    spread[0] = rows;
}

static inline void weir_spread_merge(double spread[3], const double from[3])
{
    double rows = spread[0] + from[0], distance = from[1] - spread[1];
    if (rows == 0 || from[0] == 0) {
        if (from[0] != 0)
            spread[0] = spread[1] = spread[2] = 0;
        return;
    }
    spread[2] += from[2] + distance * distance * spread[0] * from[0] / rows;
    spread[1] += distance * from[0] / rows;
    spread[0] = rows;
}

/* That of the values themselves; 0 of none. Of a sample's population: times n / (n - 1). */
static inline double weir_spread_variance(const double spread[3])
{
    double variance = spread[0] == 0 ? 0 : spread[2] / spread[0];
    return variance < 0 ? 0 : variance; /* a NaN stays one */
}

/* ---- first and last --------------------------------------------------------------------- */

/* Whether a row of this time is before (after) those that the acc has; then these two fields, both
 * zeros at first, are its, and the caller sets others:
 *
 *     if (diff > 0 && weir_is_first(&acc->opened, &acc->opened_at, in->at))
 *         acc->opening_price = in->price;
 *
 * To combine: the same with in->opened_at, if in->opened. */
static inline bool weir_is_first(uint64_t *has, int64_t *time, int64_t of_row)
{
    bool is = !*has || of_row < *time;
    *has = 1;
    *time = is ? of_row : *time;
    return is;
}

static inline bool weir_is_last(uint64_t *has, int64_t *time, int64_t of_row)
{
    bool is = !*has || of_row >= *time;
    *has = 1;
    *time = is ? of_row : *time;
    return is;
}

/* ---- bags: all values with their counts ------------------------------------------------- */

/* Adds `diff` to the count of a value, which is bytes: those of a fixed field, or of a text. */
WEIR_API void weir_bag_add(uint64_t *bag, const void *bytes, uint32_t length, int64_t diff);
WEIR_API void weir_bag_merge(uint64_t *bag, uint64_t from);
/* How many values have a count above 0. */
WEIR_API uint64_t weir_bag_distinct(uint64_t bag);
/* The values whose count is not 0, in no order: *place is 0 at first. They stay where they are
 * until the bag is changed. */
typedef struct weir_bag_value {
    const void *bytes;
    uint32_t length;
    int64_t count;
} weir_bag_value;
WEIR_API bool weir_bag_next(uint64_t bag, uint64_t *place, weir_bag_value *value_out);
/* The least and the greatest value whose count is above 0, of values that are i64; false if there
 * is none. They look at all values. */
WEIR_API bool weir_bag_range(uint64_t bag, int64_t *least_out, int64_t *greatest_out);
WEIR_API void weir_bag_release(uint64_t *bag);

/* ---- HyperLogLog: distinct values, about ------------------------------------------------ */

#define WEIR_HLL_PRECISION_MIN 4
#define WEIR_HLL_PRECISION_MAX 18

/* Adds a value. 2^precision bytes at most; of many values the count has a standard error of
 * 1.04 / sqrt(2^precision): 3.25 % at 10, 1.63 % at 12, 0.81 % at 14. Few values, up to
 * 2^precision / 4, take four bytes each, and the count is all but exact. All that is merged has the
 * same precision. */
WEIR_API void weir_hll_add(uint64_t *hll, uint32_t precision, const void *bytes, uint32_t length);
WEIR_API void weir_hll_merge(uint64_t *hll, uint64_t from);
WEIR_API uint64_t weir_hll_count(uint64_t hll);
/* As bytes of a batch, for a field of a result; and such bytes merged. False if they are none, or
 * are of another precision. */
WEIR_API weir_bytes weir_hll_bytes(uint64_t hll, weir_batch *into);
WEIR_API bool weir_hll_merge_bytes(uint64_t *hll, const weir_bytes *from);
WEIR_API void weir_hll_release(uint64_t *hll);

/* ---- quantiles, about ------------------------------------------------------------------- */

/* Adds a value. A quantile is off by no more than `error` (0.001 to 0.5) of the value that has that
 * rank: 0.01 is 1 %. There is a counter for each power of (1 + error) / (1 - error) between the
 * least and the greatest magnitude that were ever added, at most WEIR_SKETCH_BINS for each sign:
 * beyond, small magnitudes are taken together, and only quantiles among these are off by more. At
 * 1 % that is not before they span a factor of 10^70, at 0.1 % one of 10^7. Infinities are
 * counted for themselves; a NaN is greater than all. */
#define WEIR_SKETCH_BINS 8192
WEIR_API void weir_sketch_add(uint64_t *sketch, double error, double value, int64_t diff);
WEIR_API void weir_sketch_merge(uint64_t *sketch, uint64_t from);
/* The value of rank ceil(q rows), from 1 on, of q from 0 to 1; NaN if there are no rows. */
WEIR_API double weir_sketch_quantile(uint64_t sketch, double q);
WEIR_API int64_t weir_sketch_rows(uint64_t sketch);
/* As for weir_hll. */
WEIR_API weir_bytes weir_sketch_bytes(uint64_t sketch, weir_batch *into);
WEIR_API bool weir_sketch_merge_bytes(uint64_t *sketch, const weir_bytes *from);
WEIR_API void weir_sketch_release(uint64_t *sketch);

/* ---- the k greatest rows ---------------------------------------------------------------- */

/* Above 0 if a is the greater one, below if b is, as for qsort. Rows that it calls equal are told
 * apart by their fields (weir_row_compare). */
typedef int weir_row_order(const void *a, const void *b);

/* Adds a row of a type, if it is one of the k greatest; its texts are copied. Rows that are equal
 * in all are kept as often as they come. All that is merged has the same k, type and order. */
WEIR_API void weir_top_add(uint64_t *top, uint32_t k, const weir_type *type, weir_row_order *order,
                           const void *row);
WEIR_API void weir_top_merge(uint64_t *top, uint64_t from);
WEIR_API uint32_t weir_top_count(uint64_t top);
/* Row 0 is the greatest. It stays where it is until the top is changed. */
WEIR_API const void *weir_top_at(uint64_t top, uint32_t index);
WEIR_API void weir_top_release(uint64_t *top);

#endif
