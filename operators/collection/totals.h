/* Totals of groups: how many rows, sums and means of their fields, thresholds of their counts.
 * One description of what is wanted, and two ways to keep it right: tallies, where times are
 * totally ordered (totals.c), and wi_reduce elsewhere (totals_reduce.c). */
#ifndef WEIR_OPERATORS_COLLECTION_TOTALS_H
#define WEIR_OPERATORS_COLLECTION_TOTALS_H

#include <weir/collection.h>

typedef enum wi_total_kind {
    WI_TOTAL_COUNT,
    WI_TOTAL_SUM,
    WI_TOTAL_AVG,
    WI_TOTAL_THRESHOLD
} wi_total_kind;

/* A field that is added up. */
typedef struct wi_total_field {
    uint32_t from, bytes; /* in a row */
    bool is_signed, is_float;
    uint32_t to; /* where the total goes in a row of the result */
} wi_total_field;

typedef struct wi_total {
    wi_total_kind kind;
    const char *name;
    weir_key key;
    const weir_type *in, *out;
    bool floats; /* some field is a floating-point number */
    uint32_t field_count;
    wi_total_field fields[WEIR_KEY_FIELDS_MAX];
    uint32_t count_to; /* COUNT: where it goes in a row of the result */
    weir_threshold_fn *threshold;
    void *arg;
} wi_total;

/* The same results: for times that are totally ordered, and for all. */
weir_stream wi_total_ordered(weir_stream in, const wi_total *total);
weir_stream wi_total_reduced(weir_stream in, const wi_total *total);
/* One of them, as the stream's scope and the fields need it. */
static inline weir_stream wi_total_of(weir_stream in, const wi_total *total)
{
    bool ordered = weir_scope_dims(in.scope) == 1 && !total->floats;
    return ordered ? wi_total_ordered(in, total) : wi_total_reduced(in, total);
}

/* The mean of integers. */
static inline double wi_total_mean(__int128 sum, int64_t count)
{
    return (double)sum / (double)count;
}

#endif
