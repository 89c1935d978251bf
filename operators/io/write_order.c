/* Rows that are kept to be written in order; see write_order.h. */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
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
    uint32_t sorted = 1; /* often they all are */
    while (sorted < updates->count && compare(&all[sorted - 1], &all[sorted], (void *)type) <= 0)
        sorted++;
    if (sorted < updates->count)
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

/* ---- by time ---------------------------------------------------------------------------- */

static wi_page *page_of(wi_pages *book, const weir_time *time)
{
    uint32_t at = 0, end = book->count; /* pages before `at` are of `time` or later */
    while (at < end) {
        uint32_t middle = at + (end - at) / 2;
        if (weir_time_compare(&book->pages[middle].time, time) >= 0)
            at = middle + 1;
        else
            end = middle;
    }
    if (at > 0 && weir_time_eq(&book->pages[at - 1].time, time))
        return &book->pages[at - 1];
    wi_grow(&book->pages, &book->capacity, book->count + 1, sizeof *book->pages);
    memmove(&book->pages[at + 1], &book->pages[at], (book->count++ - at) * sizeof *book->pages);
    book->pages[at] = (wi_page){.time = *time};
    return &book->pages[at];
}

bool wi_pages_add(wi_pages *pages, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_page *to = page_of(pages, weir_batch_time(batch, begin));
        if (!wi_updates_add(&to->rows, batch, begin, end))
            return false;
    }
    return true;
}

/* A frontier is sorted, and what may still come is at or after one of its times. */
bool wi_pages_due(const wi_pages *pages, const weir_antichain *frontier)
{
    if (!pages->count)
        return false;
    const weir_time *first = &pages->pages[pages->count - 1].time;
    return !frontier->count || weir_time_compare(&frontier->times[0], first) > 0;
}

bool wi_pages_take(wi_pages *pages, const weir_antichain *frontier, wi_updates *rows_out)
{
    if (!wi_pages_due(pages, frontier))
        return false;
    wi_page *first = &pages->pages[pages->count - 1];
    pages->count--;
    *rows_out = first->rows;
    wi_updates_settle(rows_out);
    return true;
}

void wi_pages_fini(wi_pages *pages)
{
    for (uint32_t i = 0; i < pages->count; i++)
        wi_updates_fini(&pages->pages[i].rows);
    wi_free(pages->pages);
    *pages = (wi_pages){0};
}
