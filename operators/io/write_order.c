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

/* The rows of one time; pages are in the lexicographic order of their times. */
typedef struct page {
    weir_time time;
    wi_updates rows;
} page;

static page *page_at(const wi_pages *book, uint32_t place)
{
    return wi_sorted_at(book, sizeof(page), place);
}

static page *first_page(const wi_pages *book)
{
    return page_at(book, wi_sorted_first(book));
}

static bool is_before(const void *item, const void *time)
{
    return weir_time_compare(&((const page *)item)->time, time) < 0;
}

static page *page_of(wi_pages *book, const weir_time *time)
{
    uint32_t place = wi_sorted_place(book, sizeof(page), is_before, time);
    if (place < wi_sorted_end(book) && weir_time_eq(&page_at(book, place)->time, time))
        return page_at(book, place);
    page *new = wi_sorted_insert(book, sizeof *new, &place);
    *new = (page){.time = *time};
    return new;
}

bool wi_pages_add(wi_pages *pages, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        page *to = page_of(pages, weir_batch_time(batch, begin));
        if (!wi_updates_add(&to->rows, batch, begin, end))
            return false;
    }
    return true;
}

/* A frontier is sorted, and what may still come is at or after one of its times. */
bool wi_pages_due(const wi_pages *book, const weir_antichain *frontier)
{
    if (!book->count)
        return false;
    return !frontier->count || weir_time_compare(&frontier->times[0], &first_page(book)->time) > 0;
}

bool wi_pages_take(wi_pages *book, const weir_antichain *frontier, wi_updates *rows_out)
{
    if (!wi_pages_due(book, frontier))
        return false;
    uint32_t first = wi_sorted_first(book);
    *rows_out = first_page(book)->rows;
    wi_sorted_remove(book, sizeof(page), first, wi_sorted_next(book, first));
    wi_updates_settle(rows_out);
    return true;
}

void wi_pages_fini(wi_pages *book)
{
    for (uint32_t i = wi_sorted_first(book); i < wi_sorted_end(book); i = wi_sorted_next(book, i))
        wi_updates_fini(&page_at(book, i)->rows);
    wi_sorted_fini(book);
}
