/* group_min, group_max: the first row of each group in an order by the fields in question. The
 * rows are cut down to these and the key before they are arranged, so a group's first row is
 * the result. */
#include "reduce.h"

static void first_rows(const wi_groups *in, int64_t *diffs_out, WEIR_UNUSED void *arg)
{
    for (uint32_t g = 0, i = 0; g < in->groups; g++) {
        bool found = false;
        for (; i < in->ends[g]; i++) {
            diffs_out[i] = !found && in->counts[i] > 0;
            found |= in->counts[i] > 0;
        }
    }
}

static weir_stream least(weir_stream in, const wi_reducer *how, const weir_key *key,
                         const weir_key *of, const weir_type *out, uint32_t descending)
{
    weir_stream cut = wi_project(in, how->name, key, of, out);
    bool fits = key->count + of->count <= out->field_count; /* or the dataflow has failed */
    weir_key first = wi_key_of_first(out, fits ? key->count : 0);
    weir_order order = {wi_key_of_fields(out, key->count, fits ? of->count : 0), descending};
    return wi_reduce(cut, first, descending ? &order : NULL, how, NULL, out);
}

weir_stream weir_group_min_growing(weir_stream in, weir_key key, weir_key of, const weir_type *out)
{
    static const wi_reducer how = {
        .name = "group_min_growing", .select = first_rows, .enough = 1, .growing = true};
    return least(in, &how, &key, &of, out, 0);
}

weir_stream weir_group_max_growing(weir_stream in, weir_key key, weir_key of, const weir_type *out)
{
    static const wi_reducer how = {
        .name = "group_max_growing", .select = first_rows, .enough = 1, .growing = true};
    return least(in, &how, &key, &of, out, UINT32_MAX);
}

weir_stream weir_group_min(weir_stream in, weir_key key, weir_key of, const weir_type *out)
{
    static const wi_reducer how = {.name = "group_min", .select = first_rows, .enough = 1};
    return least(in, &how, &key, &of, out, 0);
}

weir_stream weir_group_max(weir_stream in, weir_key key, weir_key of, const weir_type *out)
{
    static const wi_reducer how = {.name = "group_max", .select = first_rows, .enough = 1};
    return least(in, &how, &key, &of, out, UINT32_MAX);
}
