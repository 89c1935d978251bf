/* group_top, group_first, group_last: some rows of each group, counted from the start of an
 * order. A group is read only as far as that.
 *
 * A row that is there three times takes three places; one that was taken away more often than
 * given takes none. By rank, the place of a row is how many rows are before it in the order's
 * fields, so that equal ones share it. */
#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"
#include "reduce.h"

typedef struct top_call {
    weir_top top;
    weir_key by;
} top_call;

static void by_row(const wi_groups *in, int64_t *diffs_out, void *arg)
{
    const top_call *call = arg;
    for (uint32_t g = 0, i = 0; g < in->groups; g++) {
        uint64_t skip = call->top.offset, left = call->top.limit;
        for (; i < in->ends[g]; i++) {
            uint64_t here = in->counts[i] > 0 ? (uint64_t)in->counts[i] : 0;
            uint64_t skipped = here < skip ? here : skip;
            uint64_t taken = here - skipped < left ? here - skipped : left;
            skip -= skipped;
            left -= taken;
            diffs_out[i] = (int64_t)taken;
        }
    }
}

static void by_rank(const wi_groups *in, int64_t *diffs_out, void *arg)
{
    const top_call *call = arg;
    wi_tie tie = wi_tie_of(in->layout, &call->by, call->by.count);
    for (uint32_t g = 0, i = 0; g < in->groups; g++) {
        uint64_t before = 0, rank = 0;
        const uint64_t *last = NULL;
        for (; i < in->ends[g]; i++) {
            const uint64_t *row = in->rows + (size_t)i * in->layout->words;
            diffs_out[i] = 0;
            if (in->counts[i] <= 0)
                continue;
            if (!last || !wi_tied(in->layout, tie, last, row))
                rank = before;
            last = row;
            before = weir_add_saturating(before, (uint64_t)in->counts[i]);
            if (rank >= call->top.offset && rank - call->top.offset < call->top.limit)
                diffs_out[i] = in->counts[i];
        }
    }
}

static weir_stream top_as(const char *name, weir_stream in, weir_key key, weir_order order,
                          weir_top top)
{
    uint64_t enough = weir_add_saturating(top.offset, top.limit);
    wi_reducer how = {.name = name, .select = by_row, .enough = enough};
    if (top.ties == WEIR_TIES_RANK) {
        how.select = by_rank;
        how.tie_fields = order.by.count;
    }
    top_call *call = WI_NEW(top_call);
    *call = (top_call){top, order.by};
    weir_stream out = wi_reduce(in, key, &order, &how, call, in.type);
    wi_reduce_keep(out, call);
    return out;
}

weir_stream weir_group_top(weir_stream in, weir_key key, weir_order order, weir_top top)
{
    return top_as("group_top", in, key, order, top);
}

weir_stream weir_group_first(weir_stream in, weir_key key, weir_order order)
{
    return top_as("group_first", in, key, order, (weir_top){.limit = 1});
}

/* ---- the last --------------------------------------------------------------------------- */

static bool key_has(const weir_key *key, uint32_t offset)
{
    for (uint32_t f = 0; f < key->count; f++)
        if (key->offsets[f] == offset)
            return true;
    return false;
}

/* Where the order cannot be turned around, since it would need too many fields. */
static void last_rows(const wi_groups *in, int64_t *diffs_out, WEIR_UNUSED void *arg)
{
    for (uint32_t g = 0, i = 0; g < in->groups; g++) {
        uint32_t last = UINT32_MAX;
        for (; i < in->ends[g]; i++) {
            diffs_out[i] = 0;
            last = in->counts[i] > 0 ? i : last;
        }
        if (last != UINT32_MAX)
            diffs_out[last] = 1;
    }
}

/* The first in the order turned around: all fields that are not in the key, as rows that are
 * equal in the order's are in the order of their others. */
weir_stream weir_group_last(weir_stream in, weir_key key, weir_order order)
{
    static const wi_reducer whole = {.name = "group_last", .select = last_rows};
    weir_order turned = order;
    turned.descending = ~order.descending;
    const weir_field *field = weir_type_fields(in.type);
    for (uint32_t f = 0; f < in.type->field_count; f++) {
        if (key_has(&key, field[f].offset) || key_has(&order.by, field[f].offset))
            continue;
        if (turned.by.count == WEIR_KEY_FIELDS_MAX)
            return wi_reduce(in, key, &order, &whole, NULL, in.type);
        uint32_t at = turned.by.count++;
        turned.by.offsets[at] = field[f].offset;
        turned.by.bytes[at] = wi_kind_is_text(field[f].kind) ? WEIR_KEY_TEXT : field[f].bytes;
        turned.descending |= 1u << at;
    }
    return top_as("group_last", in, key, turned, (weir_top){.limit = 1});
}
