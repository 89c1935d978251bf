/* Rows that are kept to be written in order; see write_order.h. */
#include <stdlib.h>

#include "../../base/alloc.h"
#include "write_order.h"

bool wi_updates_add(wi_updates *to, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    if (end - begin > UINT32_MAX - to->count)
        return false;
    wi_grow(&to->batches, &to->batch_capacity, to->batch_count + 1, sizeof *to->batches);
    to->batches[to->batch_count++] = weir_batch_retain(batch);
    wi_grow(&to->updates, &to->capacity, to->count + (end - begin), sizeof *to->updates);
    for (; begin < end; begin++)
        to->updates[to->count++] =
            (wi_update){weir_batch_row(batch, begin), weir_batch_diff(batch, begin)};
    return true;
}

static int compare(const void *a, const void *b, void *type)
{
    return weir_row_compare(type, ((const wi_update *)a)->row, ((const wi_update *)b)->row);
}

void wi_updates_settle(wi_updates *updates)
{
    if (!updates->count)
        return;
    const weir_type *type = updates->batches[0]->type;
    wi_update *all = updates->updates;
    qsort_r(all, updates->count, sizeof *all, compare, (void *)type);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < updates->count;) {
        wi_update sum = all[i++];
        for (; i < updates->count && weir_row_compare(type, sum.row, all[i].row) == 0; i++)
            sum.diff = (int64_t)((uint64_t)sum.diff + (uint64_t)all[i].diff);
        if (sum.diff)
            all[kept++] = sum;
    }
    updates->count = kept;
}

void wi_updates_fini(wi_updates *updates)
{
    for (uint32_t i = 0; i < updates->batch_count; i++)
        weir_batch_drop(updates->batches[i]);
    wi_free(updates->batches);
    wi_free(updates->updates);
    *updates = (wi_updates){0};
}
