/* The aggregates of `weir window` that keep more than numbers, by weir/aggregates.h: values with
 * their counts, sketches, rows. Texts of first and last are fields of the acc, which owns them. */
#include "window.h"

#include "base/type.h"
#include "doubled.h"

#include <stdlib.h>
#include <string.h>

enum { ABOUT_PRECISION = 14 }; /* a standard error of 0.81 % */
#define QUANTILE_ERROR 0.01

static uint64_t load(const char *slot)
{
    uint64_t field;
    memcpy(&field, slot, sizeof field);
    return field;
}

/* The bytes of a value, which may lie in *text. */
static const char *bytes_of(const weir_field *field, const char *row, weir_text *text,
                            uint32_t *length_out)
{
    *length_out = field->bytes;
    if (!wi_kind_is_text(field->kind))
        return row + field->offset;
    memcpy(text, row + field->offset, sizeof *text);
    *length_out = text->length;
    return weir_text_at(text);
}

#define OWN_MEMORY .slot_fields = 1, .slot = {WEIR_KIND_u64}
/* A function for a slot that is one u64. */
#define SLOT(slot) ((uint64_t *)(void *)(slot))

/* ---- distinct values -------------------------------------------------------------------- */

static void add_distinct(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    weir_text text;
    uint32_t length;
    const char *bytes = bytes_of(&of->field, row, &text, &length);
    weir_bag_add(SLOT(slot), bytes, length, diff);
}

static void merge_distinct(WEIR_UNUSED const aggregate *of, char *slot, const char *other)
{
    weir_bag_merge(SLOT(slot), load(other));
}

static void finish_distinct(WEIR_UNUSED const aggregate *of, const char *slot,
                            WEIR_UNUSED int64_t rows, char *value_out, WEIR_UNUSED weir_batch *into)
{
    uint64_t values = weir_bag_distinct(load(slot));
    memcpy(value_out, &values, sizeof values);
}

static void release_distinct(WEIR_UNUSED const aggregate *of, char *slot)
{
    weir_bag_release(SLOT(slot));
}

const aggregate_way aggregate_distinct = {.name = "distinct",
                                          .of = AGGREGATE_OF_ANY,
                                          OWN_MEMORY,
                                          .result = WEIR_KIND_i64,
                                          .add = add_distinct,
                                          .merge = merge_distinct,
                                          .finish = finish_distinct,
                                          .release = release_distinct};

static void add_about(const aggregate *of, char *slot, const char *row,
                      WEIR_UNUSED int64_t diff)
{
    weir_text text;
    uint32_t length;
    const char *bytes = bytes_of(&of->field, row, &text, &length);
    weir_hll_add(SLOT(slot), ABOUT_PRECISION, bytes, length);
}

static void merge_about(WEIR_UNUSED const aggregate *of, char *slot, const char *other)
{
    weir_hll_merge(SLOT(slot), load(other));
}

static void finish_about(WEIR_UNUSED const aggregate *of, const char *slot,
                         WEIR_UNUSED int64_t rows, char *value_out, WEIR_UNUSED weir_batch *into)
{
    uint64_t values = weir_hll_count(load(slot));
    memcpy(value_out, &values, sizeof values);
}

static void release_about(WEIR_UNUSED const aggregate *of, char *slot)
{
    weir_hll_release(SLOT(slot));
}

const aggregate_way aggregate_about = {.name = "approx_distinct",
                                       .of = AGGREGATE_OF_ANY,
                                       OWN_MEMORY,
                                       .result = WEIR_KIND_i64,
                                       .add = add_about,
                                       .merge = merge_about,
                                       .finish = finish_about,
                                       .release = release_about};

/* ---- first and last: by time, then by file, then as rows come ------------------------------ */

/* A slot begins with these; then comes the value. */
typedef struct edge {
    int64_t has, time, file;
} edge;

/* Takes a value that is before (after) the one in the slot. */
static void take_edge(const aggregate *of, char *slot, edge new, const char *value, bool last)
{
    edge now;
    memcpy(&now, slot, sizeof now);
    bool same_time = new.time == now.time;
    bool before = new.time < now.time || (same_time && new.file < now.file);
    bool after = new.time > now.time || (same_time && new.file >= now.file);
    if (!new.has || (now.has && !(last ? after : before)))
        return;
    memcpy(slot, &new, sizeof new);
    memcpy(slot + sizeof new, value, of->field.bytes);
}

static void add_edge(const aggregate *of, char *slot, const char *row, int64_t diff, bool last)
{
    edge new = {.has = diff > 0};
    memcpy(&new.time, row + of->time_at, sizeof new.time);
    if (of->file_at != UINT32_MAX)
        memcpy(&new.file, row + of->file_at, sizeof(uint32_t));
    take_edge(of, slot, new, row + of->field.offset, last);
}

static void merge_edge(const aggregate *of, char *slot, const char *other, bool last)
{
    edge new;
    memcpy(&new, other, sizeof new);
    take_edge(of, slot, new, other + sizeof new, last);
}

static void add_first(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    add_edge(of, slot, row, diff, false);
}

static void add_last(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    add_edge(of, slot, row, diff, true);
}

static void merge_first(const aggregate *of, char *slot, const char *other)
{
    merge_edge(of, slot, other, false);
}

static void merge_last(const aggregate *of, char *slot, const char *other)
{
    merge_edge(of, slot, other, true);
}

static void finish_edge(const aggregate *of, const char *slot, WEIR_UNUSED int64_t rows,
                        char *value_out, WEIR_UNUSED weir_batch *into)
{
    memcpy(value_out, slot + sizeof(edge), of->field.bytes);
}

#define EDGE .of = AGGREGATE_OF_ANY, .slot_fields = 4,                                         \
             .slot = {WEIR_KIND_i64, WEIR_KIND_i64, WEIR_KIND_i64, WEIR_KIND_count},           \
             .result = WEIR_KIND_count, .finish = finish_edge
const aggregate_way aggregate_first = {
    .name = "first", EDGE, .add = add_first, .merge = merge_first};
const aggregate_way aggregate_last = {.name = "last", EDGE, .add = add_last, .merge = merge_last};

/* ---- the greatest values ---------------------------------------------------------------- */

#define WHOLE(F) F(i64, value)
#define COUNTED(F) F(u64, value)
#define REAL(F) F(f64, value)
#define TEXT(F) F(weir_text, value)
WEIR_ROW(whole, WHOLE)
WEIR_ROW(counted, COUNTED)
WEIR_ROW(real, REAL)
WEIR_ROW(text, TEXT)

static void add_top(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    uint32_t k = (uint32_t)of->number;
    if (wi_kind_is_text(of->field.kind)) {
        text value = {0};
        memcpy(&value.value, row + of->field.offset, sizeof value.value);
        for (; diff > 0; diff--)
            weir_top_add(SLOT(slot), k, &text_type, NULL, &value);
    } else if (of->real) {
        for (; diff > 0; diff--)
            weir_top_add(SLOT(slot), k, &real_type, NULL, &(real){aggregate_real(&of->field, row)});
    } else if (wi_kind_is_signed(of->field.kind)) {
        int64_t value = (int64_t)aggregate_whole(&of->field, row);
        for (; diff > 0; diff--)
            weir_top_add(SLOT(slot), k, &whole_type, NULL, &(whole){value});
    } else {
        uint64_t value = (uint64_t)aggregate_whole(&of->field, row);
        for (; diff > 0; diff--)
            weir_top_add(SLOT(slot), k, &counted_type, NULL, &(counted){value});
    }
}

static void merge_top(WEIR_UNUSED const aggregate *of, char *slot, const char *other)
{
    weir_top_merge(SLOT(slot), load(other));
}

/* The values as text, with commas between. */
static void finish_top(const aggregate *of, const char *slot, WEIR_UNUSED int64_t rows,
                       char *value_out, weir_batch *into)
{
    const weir_type *type = wi_kind_is_text(of->field.kind)     ? &text_type
                            : of->real                          ? &real_type
                            : wi_kind_is_signed(of->field.kind) ? &whole_type
                                                                : &counted_type;
    char *all = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&all, &length);
    for (uint32_t i = 0; to && i < weir_top_count(load(slot)); i++) {
        const void *row = weir_top_at(load(slot), i);
        if (i)
            putc(',', to);
        if (type == &text_type)
            fwrite(weir_text_at(&((const text *)row)->value), 1,
                   ((const text *)row)->value.length, to);
        else
            weir_row_print(type, row, to);
    }
    if (to)
        fclose(to);
    weir_text made = weir_text_new(into, all ? all : "", (uint32_t)length);
    memcpy(value_out, &made, sizeof made);
    free(all);
}

static void release_top(WEIR_UNUSED const aggregate *of, char *slot)
{
    weir_top_release(SLOT(slot));
}

const aggregate_way aggregate_top = {.name = "top",
                                     .numbered = true,
                                     .of = AGGREGATE_OF_ANY,
                                     OWN_MEMORY,
                                     .result = WEIR_KIND_weir_text,
                                     .add = add_top,
                                     .merge = merge_top,
                                     .finish = finish_top,
                                     .release = release_top};

/* ---- quantiles -------------------------------------------------------------------------- */

static void add_quantile(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    weir_sketch_add(SLOT(slot), QUANTILE_ERROR, aggregate_real(&of->field, row), diff);
}

static void merge_quantile(WEIR_UNUSED const aggregate *of, char *slot, const char *other)
{
    weir_sketch_merge(SLOT(slot), load(other));
}

static void finish_quantile(const aggregate *of, const char *slot, WEIR_UNUSED int64_t rows,
                            char *value_out, WEIR_UNUSED weir_batch *into)
{
    double value = weir_sketch_quantile(load(slot), of->way->numbered ? of->number / 100 : 0.5);
    memcpy(value_out, &value, sizeof value);
}

static void release_quantile(WEIR_UNUSED const aggregate *of, char *slot)
{
    weir_sketch_release(SLOT(slot));
}

#define QUANTILE .of = AGGREGATE_OF_NUMBERS, OWN_MEMORY, .result = WEIR_KIND_f64,              \
                 .add = add_quantile, .merge = merge_quantile, .finish = finish_quantile,      \
                 .release = release_quantile
const aggregate_way aggregate_quantile = {.name = "p", .numbered = true, QUANTILE};
const aggregate_way aggregate_median = {.name = "median", QUANTILE};

/* ---- variance --------------------------------------------------------------------------- */

typedef struct spread {
    doubled sum, squares;
} spread;

static void add_spread_of(char *slot, spread more)
{
    spread all;
    memcpy(&all, slot, sizeof all);
    all.sum = doubled_add(all.sum, more.sum);
    all.squares = doubled_add(all.squares, more.squares);
    memcpy(slot, &all, sizeof all);
}

static void add_spread(const aggregate *of, char *slot, const char *row, int64_t diff)
{
    doubled value = {aggregate_real(&of->field, row), 0}, times = {(double)diff, 0};
    doubled sum = doubled_times(value, times);
    add_spread_of(slot, (spread){sum, doubled_times(sum, value)});
}

static void merge_spread(WEIR_UNUSED const aggregate *of, char *slot, const char *other)
{
    spread more;
    memcpy(&more, other, sizeof more);
    add_spread_of(slot, more);
}

/* n squares - sum^2, over n^2. */
static double variance_of(const char *slot, int64_t rows)
{
    spread all;
    memcpy(&all, slot, sizeof all);
    doubled n = {(double)rows, 0}, squared = doubled_times(all.sum, all.sum);
    squared = (doubled){-squared.high, -squared.low};
    double variance = doubled_add(doubled_times(n, all.squares), squared).high / n.high / n.high;
    return !isfinite(variance) ? NAN : variance > 0 ? variance : 0;
}

static void finish_variance(WEIR_UNUSED const aggregate *of, const char *slot, int64_t rows,
                            char *value_out, WEIR_UNUSED weir_batch *into)
{
    double value = variance_of(slot, rows);
    memcpy(value_out, &value, sizeof value);
}

static void finish_deviation(WEIR_UNUSED const aggregate *of, const char *slot, int64_t rows,
                             char *value_out, WEIR_UNUSED weir_batch *into)
{
    double value = sqrt(variance_of(slot, rows));
    memcpy(value_out, &value, sizeof value);
}

#define SPREAD .of = AGGREGATE_OF_NUMBERS, .slot_fields = 4,                                   \
               .slot = {WEIR_KIND_f64, WEIR_KIND_f64, WEIR_KIND_f64, WEIR_KIND_f64},           \
               .result = WEIR_KIND_f64, .add = add_spread, .merge = merge_spread
const aggregate_way aggregate_variance = {.name = "variance", SPREAD, .finish = finish_variance};
const aggregate_way aggregate_deviation = {.name = "stddev", SPREAD, .finish = finish_deviation};
