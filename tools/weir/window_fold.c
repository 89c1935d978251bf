/* The aggregates of `weir window` as kernels, and those of them that are numbers. In an acc each
 * has a slot of its own. */
#include "window.h"

#include "base/type.h"
#include "doubled.h"

#include <math.h>
#include <string.h>

/* ---- values ----------------------------------------------------------------------------- */

aggregate_wide aggregate_whole(const weir_field *field, const char *row)
{
    const char *at = row + field->offset;
    return wi_kind_is_signed(field->kind) ? (aggregate_wide)wi_load_signed(at, field->bytes)
                                          : (aggregate_wide)wi_load_unsigned(at, field->bytes);
}

double aggregate_real(const weir_field *field, const char *row)
{
    float narrow;
    double wide;
    if (field->kind == WEIR_KIND_f32) {
        memcpy(&narrow, row + field->offset, sizeof narrow);
        return (double)narrow;
    }
    if (field->kind != WEIR_KIND_f64)
        return (double)aggregate_whole(field, row);
    memcpy(&wide, row + field->offset, sizeof wide);
    return wide;
}

static int64_t saturated(aggregate_wide value)
{
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

/* ---- count ------------------------------------------------------------------------------ */

static void finish_count(WEIR_UNUSED const aggregate *of, WEIR_UNUSED const char *slot,
                         int64_t rows, char *value_out, WEIR_UNUSED weir_batch *into)
{
    memcpy(value_out, &rows, sizeof rows);
}

static const aggregate_way count = {
    .name = "count", .result = WEIR_KIND_i64, .finish = finish_count};

/* ---- sum and avg: of whole numbers 128 bits, of others twice the digits ------------------- */

static void add_whole(char *slot, aggregate_wide value)
{
    aggregate_wide sum;
    memcpy(&sum, slot, sizeof sum);
    sum += value;
    memcpy(slot, &sum, sizeof sum);
}

static void add_real(char *slot, doubled value)
{
    doubled sum;
    memcpy(&sum, slot, sizeof sum);
    sum = doubled_add(sum, value);
    memcpy(slot, &sum, sizeof sum);
}

static void add_sum(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    if (of->real)
        add_real(slot, (doubled){aggregate_real(&of->field, row) * (double)diff, 0});
    else
        add_whole(slot, aggregate_whole(&of->field, row) * diff);
}

static void merge_sum(const aggregate *of, char *slot, const char *other)
{
    aggregate_wide whole;
    doubled real;
    memcpy(&whole, other, sizeof whole);
    memcpy(&real, other, sizeof real);
    if (of->real)
        add_real(slot, real);
    else
        add_whole(slot, whole);
}

static void finish_sum(const aggregate *of, const char *slot, WEIR_UNUSED int64_t rows,
                       char *value_out, WEIR_UNUSED weir_batch *into)
{
    aggregate_wide sum;
    memcpy(&sum, slot, sizeof sum);
    int64_t whole = saturated(sum);
    memcpy(value_out, of->real ? (const void *)slot : &whole, sizeof whole);
}

static void finish_avg(const aggregate *of, const char *slot, int64_t rows, char *value_out,
                       WEIR_UNUSED weir_batch *into)
{
    aggregate_wide sum;
    doubled real;
    memcpy(&sum, slot, sizeof sum);
    memcpy(&real, slot, sizeof real);
    double mean = (of->real ? real.high : (double)sum) / (double)rows;
    memcpy(value_out, &mean, sizeof mean);
}

_Static_assert(sizeof(doubled) == sizeof(aggregate_wide), "both are two fields");
#define SUM .of = AGGREGATE_OF_NUMBERS, .slot_fields = 2, .slot = {WEIR_KIND_i64, WEIR_KIND_i64}, \
            .add = add_sum, .merge = merge_sum
static const aggregate_way sum = {
    .name = "sum", SUM, .result = WEIR_KIND_count, .finish = finish_sum};
static const aggregate_way avg = {
    .name = "avg", SUM, .result = WEIR_KIND_f64, .finish = finish_avg};

/* ---- min and max ------------------------------------------------------------------------ */

typedef struct extreme {
    union {
        int64_t whole;
        double real;
    };
    int64_t has;
} extreme;

/* An order of all numbers, so that it does not matter which comes first: -0 is less than 0, and a
 * NaN is greater than all. */
static bool is_less(double a, double b)
{
    if (isnan(a) || isnan(b))
        return !isnan(a) && isnan(b);
    return a == b ? signbit(a) && !signbit(b) : a < b;
}

static void take_extreme(const aggregate *of, char *slot, extreme value, bool least)
{
    extreme now;
    memcpy(&now, slot, sizeof now);
    bool less = of->real ? is_less(value.real, now.real) : value.whole < now.whole;
    bool more = of->real ? is_less(now.real, value.real) : value.whole > now.whole;
    if (value.has && (!now.has || (least ? less : more)))
        memcpy(slot, &value, sizeof value);
}

static extreme extreme_of(const aggregate *of, const char *row, int64_t diff)
{
    extreme value = {.has = diff > 0};
    if (of->real)
        value.real = aggregate_real(&of->field, row);
    else
        value.whole = saturated(aggregate_whole(&of->field, row));
    return value;
}

static extreme extreme_in(const char *slot)
{
    extreme value;
    memcpy(&value, slot, sizeof value);
    return value;
}

static void add_min(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    take_extreme(of, slot, extreme_of(of, row, diff), true);
}

static void add_max(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    take_extreme(of, slot, extreme_of(of, row, diff), false);
}

static void merge_min(const aggregate *of, char *slot, const char *other)
{
    take_extreme(of, slot, extreme_in(other), true);
}

static void merge_max(const aggregate *of, char *slot, const char *other)
{
    take_extreme(of, slot, extreme_in(other), false);
}

static void finish_extreme(WEIR_UNUSED const aggregate *of, const char *slot,
                           WEIR_UNUSED int64_t rows, char *value_out, WEIR_UNUSED weir_batch *into)
{
    memcpy(value_out, slot, sizeof(int64_t));
}

#define EXTREME .of = AGGREGATE_OF_NUMBERS, .slot_fields = 2,                                  \
                .slot = {WEIR_KIND_i64, WEIR_KIND_i64}, .result = WEIR_KIND_count,             \
                .finish = finish_extreme
static const aggregate_way least = {.name = "min", EXTREME, .add = add_min, .merge = merge_min};
static const aggregate_way most = {.name = "max", EXTREME, .add = add_max, .merge = merge_max};

const aggregate_way *const aggregate_ways[] = {
    &count,          &sum,            &least,         &most,
    &avg,            &aggregate_distinct, &aggregate_about, &aggregate_first,
    &aggregate_last, &aggregate_top,  &aggregate_median, &aggregate_quantile,
    &aggregate_variance, &aggregate_deviation};
const uint32_t aggregate_way_count = sizeof aggregate_ways / sizeof *aggregate_ways;

/* ---- the kernels ------------------------------------------------------------------------ */

static void fold_run(const void *in, void *const *accs, const int64_t *diffs, int64_t diff,
                     uint32_t rows, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        const aggregate *of = &plan->aggregates[a];
        for (uint32_t i = 0; of->way->add && i < rows; i++)
            of->way->add(of, (char *)accs[i] + of->acc_at, (const char *)in + i * plan->row->size,
                         diffs ? diffs[i] : diff);
    }
}

static void combine_run(const void *in, void *const *accs, WEIR_UNUSED const int64_t *diffs,
                        WEIR_UNUSED int64_t diff, uint32_t rows, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        const aggregate *of = &plan->aggregates[a];
        for (uint32_t i = 0; of->way->merge && i < rows; i++)
            of->way->merge(of, (char *)accs[i] + of->acc_at,
                           (const char *)in + i * plan->acc->size + of->acc_at);
    }
}

static void release(void *acc, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        const aggregate *of = &plan->aggregates[a];
        if (of->way->release)
            of->way->release(of, (char *)acc + of->acc_at);
    }
}

static void finish_run(const void *in, void *out, uint32_t rows, weir_batch *into, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t i = 0; i < rows; i++) {
        const char *acc = (const char *)in + i * plan->acc->size;
        char *to = (char *)out + i * plan->out->size;
        int64_t own[3]; /* start, end, rows */
        memcpy(own, acc + plan->acc_own_at, sizeof own);
        memcpy(to + plan->out_own_at, own, 2 * sizeof *own);
        for (uint32_t k = 0; k < plan->key.count; k++)
            memcpy(to + plan->out_key_at[k], acc + plan->acc_key_at[k],
                   plan->key.bytes[k] == WEIR_KEY_TEXT ? sizeof(weir_text) : plan->key.bytes[k]);
        for (uint32_t a = 0; a < plan->aggregate_count; a++) {
            const aggregate *of = &plan->aggregates[a];
            of->way->finish(of, acc + of->acc_at, own[2], to + of->out_at, into);
        }
    }
}

void window_fold_init(window_plan *plan)
{
    plan->fold = (weir_fold_kernel){"aggregates", plan->row, plan->acc, fold_run};
    plan->combine = (weir_fold_kernel){"aggregates", plan->acc, plan->acc, combine_run};
    plan->finish = (weir_map_kernel){"aggregates", plan->acc, plan->out, finish_run};
    plan->windows.combine = &plan->combine;
    plan->windows.finish = &plan->finish;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        if (plan->aggregates[a].way->release)
            plan->windows.release = release;
}
