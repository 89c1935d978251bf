/* group_count, group_sum, group_avg, threshold, distinct: what is wanted of them, checked. */
#include <stdio.h>
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"
#include "reduce.h"
#include "totals.h"

/* What a mistake gives, so that building can go on. */
static weir_stream nothing_of(weir_stream in, const char *name, const weir_type *out)
{
    static const weir_operator logic = {.name = "nothing", .stateless = true};
    return wi_end(wi_begin(in, WEIR_LOCAL, &logic, NULL, name, NULL), out);
}

/* ---- counts and sums -------------------------------------------------------------------- */

static const weir_field *field_at(const weir_type *type, uint32_t offset)
{
    const weir_field *field = weir_type_fields(type);
    for (uint32_t f = 0; f < type->field_count; f++)
        if (field[f].offset == offset && field[f].bytes)
            return &field[f];
    return NULL;
}

static bool is_number(const weir_field *field)
{
    return field && field->elements == 1 && !wi_kind_is_text(field->kind) &&
           field->kind != WEIR_KIND_weir_byte;
}

/* Whether the result has fields of these kinds, one value each, after those of the key. */
static bool ends_in(const weir_type *out, uint32_t key_count, const weir_kind *kinds,
                    uint32_t count)
{
    if (out->field_count != key_count + count)
        return false;
    const weir_field *field = weir_type_fields(out) + key_count;
    for (uint32_t f = 0; f < count; f++)
        if (field[f].kind != kinds[f] || field[f].elements != 1)
            return false;
    return true;
}

static bool wrong_end(weir_stream in, const char *name, uint32_t key_count, const weir_kind *kinds,
                      uint32_t count, const weir_type *out)
{
    if (ends_in(out, key_count, kinds, count))
        return false;
    char *gives = weir_type_text(out), *wanted = NULL;
    size_t bytes;
    FILE *to = open_memstream(&wanted, &bytes);
    for (uint32_t f = 0; to && f < count; f++)
        fprintf(to, "%s%s", f ? ", " : "", weir_kind_name(kinds[f]));
    if (to)
        fclose(to);
    weir_scope_fail(in.scope,
                    "%s: gives rows of %s, which should have the %u fields of its key and then "
                    "%s",
                    name, gives, key_count, wanted ? wanted : "?");
    free(gives);
    free(wanted);
    return true;
}

weir_stream weir_group_count(weir_stream in, weir_key key, const weir_type *out)
{
    static const weir_kind count = WEIR_KIND_i64;
    wi_total total = {
        .kind = WI_TOTAL_COUNT, .name = "group_count", .key = key, .in = in.type, .out = out};
    if (!wi_reduce_gives(in, total.name, &key, NULL, out) ||
        wrong_end(in, total.name, key.count, &count, 1, out))
        return nothing_of(in, total.name, out);
    total.count_to = weir_type_fields(out)[key.count].offset;
    return wi_total_of(in, &total);
}

/* Fills in the fields to be added up, and the kinds that their totals have. */
static bool add_fields(weir_stream in, wi_total *total, const weir_key *of, weir_kind *kinds_out)
{
    for (uint32_t f = 0; f < of->count; f++) {
        const weir_field *field = field_at(in.type, of->offsets[f]);
        if (!is_number(field)) {
            char *has = weir_type_text(in.type);
            weir_scope_fail(in.scope, "%s: field `%s` of %s is not a number", total->name,
                            field ? field->name : "?", has);
            free(has);
            return false;
        }
        bool is_float = field->kind == WEIR_KIND_f32 || field->kind == WEIR_KIND_f64;
        total->fields[f] = (wi_total_field){.from = field->offset,
                                            .bytes = field->bytes,
                                            .is_signed = wi_kind_is_signed(field->kind),
                                            .is_float = is_float};
        total->floats |= is_float;
        kinds_out[f] = is_float || total->kind == WI_TOTAL_AVG ? WEIR_KIND_f64 : WEIR_KIND_i64;
    }
    total->field_count = of->count;
    return true;
}

static weir_stream sums(weir_stream in, wi_total *total, const weir_key *of)
{
    weir_kind kinds[WEIR_KEY_FIELDS_MAX];
    uint32_t keys = total->key.count;
    if (!wi_reduce_gives(in, total->name, &total->key, NULL, total->out) ||
        !wi_takes(in, total->name, NULL, of->type) || !add_fields(in, total, of, kinds) ||
        wrong_end(in, total->name, keys, kinds, of->count, total->out))
        return nothing_of(in, total->name, total->out);
    for (uint32_t f = 0; f < of->count; f++)
        total->fields[f].to = weir_type_fields(total->out)[keys + f].offset;
    return wi_total_of(in, total);
}

weir_stream weir_group_sum(weir_stream in, weir_key key, weir_key of, const weir_type *out)
{
    wi_total total = {
        .kind = WI_TOTAL_SUM, .name = "group_sum", .key = key, .in = in.type, .out = out};
    return sums(in, &total, &of);
}

weir_stream weir_group_avg(weir_stream in, weir_key key, weir_key of, const weir_type *out)
{
    wi_total total = {
        .kind = WI_TOTAL_AVG, .name = "group_avg", .key = key, .in = in.type, .out = out};
    return sums(in, &total, &of);
}

/* ---- whole rows ------------------------------------------------------------------------- */

static weir_stream threshold_as(weir_stream in, const char *name, weir_threshold_fn *threshold,
                                void *arg)
{
    if (!threshold) {
        weir_scope_fail(in.scope, "%s: its function is NULL", name);
        return nothing_of(in, name, in.type);
    }
    uint32_t fields = in.type->field_count;
    wi_total total = {.kind = WI_TOTAL_THRESHOLD,
                      .name = name,
                      .key = wi_key_of_first(
                          in.type, fields < WEIR_KEY_FIELDS_MAX ? fields : WEIR_KEY_FIELDS_MAX),
                      .in = in.type,
                      .out = in.type,
                      .threshold = threshold,
                      .arg = arg};
    return wi_total_of(in, &total);
}

weir_stream weir_threshold(weir_stream in, weir_threshold_fn *threshold, void *arg)
{
    return threshold_as(in, "threshold", threshold, arg);
}

static int64_t is_there(int64_t count, WEIR_UNUSED void *arg)
{
    return count > 0;
}

weir_stream weir_distinct(weir_stream in)
{
    return threshold_as(in, "distinct", is_there, NULL);
}
