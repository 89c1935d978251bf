/* Totals of groups where times are partially ordered, and sums of floating-point numbers
 * anywhere: as reduces. Adding floating-point numbers up one way and taking them away another
 * leaves what was never there, so those are added up anew, in the order of the group's rows. */
#include <stdio.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/type.h"
#include "reduce.h"
#include "totals.h"

/* ---- by the number of rows -------------------------------------------------------------- */

static void count_groups(const int64_t *totals, uint32_t groups, WEIR_UNUSED const wi_layout *out,
                         uint64_t *values_out, int64_t *diffs_out, WEIR_UNUSED void *arg)
{
    for (uint32_t g = 0; g < groups; g++) {
        values_out[g] = (uint64_t)totals[g] ^ UINT64_C(1) << 63; /* as layouts order i64 */
        diffs_out[g] = totals[g] != 0;
    }
}

static void threshold_groups(const int64_t *totals, uint32_t groups,
                             WEIR_UNUSED const wi_layout *out, WEIR_UNUSED uint64_t *values_out,
                             int64_t *diffs_out, void *arg)
{
    const wi_total *total = arg;
    for (uint32_t g = 0; g < groups; g++)
        diffs_out[g] = totals[g] ? total->threshold(totals[g], total->arg) : 0;
}

/* For rows of more fields than a key can have. */
static void threshold_rows(const wi_groups *in, int64_t *diffs_out, void *arg)
{
    const wi_total *total = arg;
    uint32_t rows = in->groups ? in->ends[in->groups - 1] : 0;
    for (uint32_t i = 0; i < rows; i++)
        diffs_out[i] = total->threshold(in->counts[i], total->arg);
}

/* ---- sums ------------------------------------------------------------------------------- */

#define BLOCK_ROWS 64

typedef struct sum {
    double real;
    __int128 whole;
} sum;

static void add_row(const wi_total *total, const char *row, int64_t count, sum *sums)
{
    for (uint32_t f = 0; f < total->field_count; f++) {
        const wi_total_field *field = &total->fields[f];
        const char *at = row + field->from;
        if (field->is_float) {
            float narrow;
            double value;
            if (field->bytes == sizeof narrow) {
                memcpy(&narrow, at, sizeof narrow);
                value = (double)narrow;
            } else {
                memcpy(&value, at, sizeof value);
            }
            sums[f].real += value * (double)count;
        } else if (field->is_signed) {
            sums[f].whole += (__int128)wi_load_signed(at, field->bytes) * count;
        } else {
            sums[f].whole += (__int128)wi_load_unsigned(at, field->bytes) * count;
        }
    }
}

/* Writes the words after the key's of the row that tells the sums. */
static void tell(const wi_total *total, const wi_layout *out, const sum *sums, int64_t count,
                 char *row, uint64_t *words, uint64_t *values_out)
{
    wi_heap no_texts = {0}; /* only the key may have some, and here it is zeros */
    for (uint32_t f = 0; f < total->field_count; f++) {
        bool is_float = total->fields[f].is_float, mean = total->kind == WI_TOTAL_AVG;
        double real = is_float ? sums[f].real : 0;
        int64_t whole = (int64_t)(unsigned __int128)sums[f].whole;
        if (mean)
            real = is_float ? real / (double)count : wi_total_mean(sums[f].whole, count);
        if (mean || is_float)
            memcpy(row + total->fields[f].to, &real, sizeof real);
        else
            memcpy(row + total->fields[f].to, &whole, sizeof whole);
    }
    wi_layout_encode(out, row, 1, words, out->words, &no_texts);
    memcpy(values_out, words + out->key_words, 8 * (size_t)(out->words - out->key_words));
}

static void sum_groups(const wi_groups *in, const wi_layout *out, uint64_t *values_out,
                       int64_t *diffs_out, void *arg)
{
    const wi_total *total = arg;
    size_t size = total->in->size;
    char *rows = wi_alloc(BLOCK_ROWS * size), *row = wi_calloc(1, total->out->size);
    uint64_t *words = WI_NEWS(uint64_t, out->words);
    for (uint32_t g = 0, at = 0; g < in->groups; g++) {
        sum sums[WEIR_KEY_FIELDS_MAX] = {0};
        uint64_t count = 0;
        while (at < in->ends[g]) {
            uint32_t part = in->ends[g] - at < BLOCK_ROWS ? in->ends[g] - at : BLOCK_ROWS;
            wi_layout_decode(in->layout, in->rows + (size_t)at * in->layout->words,
                             in->layout->words, part, rows);
            for (uint32_t i = 0; i < part; i++) {
                add_row(total, rows + i * size, in->counts[at + i], sums);
                count += (uint64_t)in->counts[at + i];
            }
            at += part;
        }
        diffs_out[g] = count != 0;
        if (count)
            tell(total, out, sums, (int64_t)count, row, words,
                 values_out + (size_t)g * (out->words - out->key_words));
    }
    wi_free(words);
    wi_free(row);
    wi_free(rows);
}

/* ---- rows cut down ---------------------------------------------------------------------- */

static weir_field_spec spec_of(const weir_field *field, const char *name)
{
    weir_field_spec spec = {.name = name, .kind = field->kind};
    if (field->elements != 1) {
        spec.rows = field->elements / field->columns;
        spec.columns = field->columns > 1 ? field->columns : 0;
    }
    return spec;
}

/* Rows of the key and what is added up alone, so that the arrangement holds nothing else;
 * `total` is about those then. The type is to be kept with the result; NULL: `in` as it is. */
static weir_type *cut_down(weir_stream *in, wi_total *total)
{
    weir_field_spec specs[2 * WEIR_KEY_FIELDS_MAX];
    char names[2 * WEIR_KEY_FIELDS_MAX][12];
    weir_key of = {.type = in->type, .count = total->field_count};
    uint32_t keys = total->key.count, count = keys + of.count;
    if (total->kind == WI_TOTAL_THRESHOLD || !count || count >= in->type->field_count)
        return NULL;
    for (uint32_t f = 0; f < of.count; f++) {
        of.offsets[f] = total->fields[f].from;
        of.bytes[f] = total->fields[f].bytes;
    }
    for (uint32_t f = 0; f < count; f++) {
        snprintf(names[f], sizeof names[f], "f%u", f);
        specs[f] = spec_of(f < keys ? wi_key_field(in->type, &total->key, f)
                                    : wi_key_field(in->type, &of, f - keys),
                           names[f]);
    }
    weir_err *err = NULL;
    weir_type *type = weir_type_new(total->name, specs, count, &err);
    wi_assert(type, "fields of a type make a type");
    *in = wi_project(*in, total->name, &total->key, of.count ? &of : NULL, type);
    total->in = type;
    total->key = wi_key_of_first(type, keys);
    for (uint32_t f = 0; f < of.count; f++)
        total->fields[f].from = weir_type_fields(type)[keys + f].offset;
    return type;
}

/* ---- building --------------------------------------------------------------------------- */

weir_stream wi_total_reduced(weir_stream in, const wi_total *total)
{
    static const wi_reducer counts = {.name = "group_count", .total = count_groups},
                            sums = {.name = "group_sum", .fold = sum_groups},
                            means = {.name = "group_avg", .fold = sum_groups},
                            thresholds = {.name = "threshold", .total = threshold_groups},
                            long_rows = {.name = "threshold", .select = threshold_rows};
    const wi_reducer *how = total->kind == WI_TOTAL_COUNT                  ? &counts
                            : total->kind == WI_TOTAL_SUM                  ? &sums
                            : total->kind == WI_TOTAL_AVG                  ? &means
                            : total->in->field_count > WEIR_KEY_FIELDS_MAX ? &long_rows
                                                                           : &thresholds;
    wi_total *kept = wi_alloc(sizeof *kept);
    *kept = *total;
    weir_type *type = cut_down(&in, kept);
    weir_stream out = wi_reduce(in, kept->key, NULL, how, kept, kept->out);
    wi_reduce_keep(out, kept);
    if (type)
        wi_reduce_keep(out, type);
    return out;
}
