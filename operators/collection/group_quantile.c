/* group_quantile: the value at or below which a share of a group's rows lies, by the nearest
 * rank: of n rows in order the one with number ceil(share * n), counted from 1; the first for a
 * share of 0. */
#include <math.h>

#include "../../base/alloc.h"
#include "reduce.h"

static uint64_t rank_of(double share, uint64_t rows)
{
    double exact = share * (double)rows, rank = ceil(exact);
    if (fabs(exact - nearbyint(exact)) < (double)rows * 1e-12)
        rank = nearbyint(exact); /* 0.07 of 100 is 7, though 0.07 is a little more in binary */
    if (rank < 1)
        return 1;
    return rank < (double)rows ? (uint64_t)rank : rows;
}

static void select_rank(const wi_groups *in, int64_t *diffs_out, void *arg)
{
    const double *share = arg;
    for (uint32_t g = 0, begin = 0; g < in->groups; begin = in->ends[g++]) {
        uint64_t rows = 0;
        for (uint32_t i = begin; i < in->ends[g]; i++)
            rows += in->counts[i] > 0 ? (uint64_t)in->counts[i] : 0;
        uint64_t left = rank_of(*share, rows);
        for (uint32_t i = begin; i < in->ends[g]; i++) {
            uint64_t here = in->counts[i] > 0 ? (uint64_t)in->counts[i] : 0;
            diffs_out[i] = left && here >= left;
            left -= here < left ? here : left;
        }
    }
}

weir_stream weir_group_quantile(weir_stream in, weir_key key, weir_key of, double share,
                                const weir_type *out)
{
    static const wi_reducer how = {.name = "group_quantile", .select = select_rank};
    if (!(share >= 0 && share <= 1))
        weir_scope_fail(in.scope, "%s: its share is %g; it should be from 0 to 1", how.name, share);
    weir_stream cut = wi_project(in, how.name, &key, &of, out);
    weir_key first = wi_key_of_first(out, key.count <= out->field_count ? key.count : 0);
    double *kept = wi_alloc(sizeof *kept);
    *kept = share;
    weir_stream result = wi_reduce(cut, first, NULL, &how, kept, out);
    wi_reduce_keep(result, kept);
    return result;
}
