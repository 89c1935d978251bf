/* See changes.h. */
#include "changes.h"

#include <stdlib.h>
#include <string.h>

static int in_order(const void *a, const void *b)
{
    const wi_change *x = a, *y = b;
    if (x->loc != y->loc)
        return x->loc < y->loc ? -1 : 1;
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        if (x->time.at[i] != y->time.at[i])
            return x->time.at[i] < y->time.at[i] ? -1 : 1;
    return 0;
}

void wi_changes_compact(wi_changes *changes)
{
    wi_change *entries = changes->entries;
    uint32_t count = changes->count, kept = 0;
    if (count)
        qsort(entries, count, sizeof *entries, in_order);
    for (uint32_t i = 0; i < count;) {
        wi_change sum = entries[i];
        changes->last[sum.loc] = 0;
        for (i++; i < count && in_order(&sum, &entries[i]) == 0; i++)
            sum.delta += entries[i].delta;
        if (sum.delta)
            entries[kept++] = sum;
    }
    for (uint32_t i = 0; i < kept; i++)
        changes->last[entries[i].loc] = i + 1;
    changes->count = changes->nonzero = kept;
    changes->compact_at = 2 * kept > WI_CHANGES_KEPT ? 2 * kept : WI_CHANGES_KEPT;
}
