/* prefix_sum: running sums over each group in an order. A reduce of whole groups: a change near
 * the start of one changes every sum after it. */
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"
#include "reduce.h"

typedef struct prefix_call {
    weir_reduce_kernel kernel;
    uint32_t of, of_bytes;
    bool is_signed;
    uint32_t sum; /* its place in the out row */
    uint32_t field_count;
    struct {
        uint32_t from, to, bytes;
    } fields[WEIR_KEY_FIELDS_MAX];
} prefix_call;

static void sum_groups(const void *rows, const int64_t *counts, const uint32_t *ends,
                       uint32_t groups, weir_out *out, uint32_t *out_ends, void *arg)
{
    const prefix_call *call = arg;
    const char *row = rows;
    for (uint32_t g = 0, i = 0; g < groups; g++) {
        uint64_t sum = 0;
        for (; i < ends[g]; i++, row += call->kernel.in->size) {
            const char *of = row + call->of;
            uint64_t value = call->is_signed ? (uint64_t)wi_load_signed(of, call->of_bytes)
                                             : wi_load_unsigned(of, call->of_bytes);
            sum += value * (uint64_t)counts[i]; /* wraps around */
            weir_out_diff(out, counts[i]);
            char *to = weir_out_slot(out, out->type->size);
            memset(to, 0, out->type->size);
            for (uint32_t f = 0; f < call->field_count; f++)
                memcpy(to + call->fields[f].to, row + call->fields[f].from, call->fields[f].bytes);
            memcpy(to + call->sum, &sum, sizeof sum);
        }
        out_ends[g] = out->count;
    }
}

/* Whether the sum is of one whole number, and the last field of `out` an i64. */
static bool is_sum(const weir_field *of, const weir_type *out)
{
    if (!of || of->elements != 1 || wi_kind_is_text(of->kind) || of->kind == WEIR_KIND_f32 ||
        of->kind == WEIR_KIND_f64 || out->field_count == 0)
        return false;
    const weir_field *last = &weir_type_fields(out)[out->field_count - 1];
    return last->kind == WEIR_KIND_i64 && last->elements == 1;
}

static bool fill(prefix_call *call, weir_stream in, const weir_key *key, const weir_key *by,
                 const weir_key *of, const weir_type *out)
{
    const weir_field *field = weir_type_fields(out), *summed = wi_key_field(in.type, of, 0);
    bool good =
        of->count == 1 && is_sum(summed, out) && out->field_count == key->count + by->count + 1;
    for (uint32_t f = 0; good && f < by->count; f++) {
        const weir_field *from = wi_key_field(in.type, by, f), *to = &field[key->count + f];
        good = from && from->kind == to->kind && from->bytes == to->bytes;
        if (good) {
            call->fields[f].from = from->offset;
            call->fields[f].to = to->offset;
            call->fields[f].bytes = from->bytes;
        }
    }
    if (!good)
        return false;
    call->field_count = by->count;
    call->of = summed->offset;
    call->of_bytes = summed->bytes;
    call->is_signed = wi_kind_is_signed(summed->kind);
    call->sum = field[out->field_count - 1].offset;
    return true;
}

weir_stream weir_prefix_sum(weir_stream in, weir_key key, weir_order order, weir_key of,
                            const weir_type *out)
{
    prefix_call *call = WI_NEW(prefix_call);
    call->kernel = (weir_reduce_kernel){"prefix_sum", in.type, out, sum_groups};
    if (wi_takes(in, call->kernel.name, NULL, of.type) &&
        !fill(call, in, &key, &order.by, &of, out)) {
        char *gives = weir_type_text(out), *has = weir_type_text(in.type);
        weir_scope_fail(in.scope,
                        "prefix_sum: gives rows of %s, which should have the fields of its key, "
                        "those of its order, and then an i64: the sum of one field of whole "
                        "numbers of %s",
                        gives, has);
        free(gives);
        free(has);
    }
    wi_reducer how = {.name = "prefix_sum", .kernel = &call->kernel};
    weir_stream sums = wi_reduce(in, key, &order, &how, call, out);
    wi_reduce_keep(sums, call);
    return sums;
}
