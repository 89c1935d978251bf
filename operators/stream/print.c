/* print: rows as text, whole times in order, each time's rows sorted.
 *
 * Everything goes to worker 0, which keeps rows by time. Times are printed in lexicographic
 * order: one is due when no time at or before it, in that order, can still come. With one
 * coordinate that is when it is complete; with more it may be later, but then the order of
 * what is printed depends on nothing but the data. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "common.h"

/* A row in a batch that is kept until it is printed. */
typedef struct update {
    const void *row;
    int64_t diff;
} update;

/* What is to be printed of one time. */
typedef struct page {
    weir_time time;
    update *updates;
    uint32_t count, capacity;
    weir_batch **batches; /* kept */
    uint32_t batch_count, batch_capacity;
} page;

typedef struct state {
    page *pages; /* the latest time first */
    uint32_t count, capacity;
} state;

/* ---- collecting ------------------------------------------------------------------------- */

static page *page_of(state *book, const weir_time *time)
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
    book->pages[at] = (page){.time = *time};
    return &book->pages[at];
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    state *book = weir_op_state(op);
    for (uint32_t begin = 0; begin < batch->count;) {
        uint32_t end = wi_same_time(batch, begin);
        page *to = page_of(book, weir_batch_time(batch, begin));
        wi_grow(&to->batches, &to->batch_capacity, to->batch_count + 1, sizeof *to->batches);
        to->batches[to->batch_count++] = weir_batch_retain(batch);
        if (end - begin > UINT32_MAX - to->count) {
            weir_op_stop(op, "has more than 2^32 rows of one time to sort; print fewer");
            return;
        }
        wi_grow(&to->updates, &to->capacity, to->count + (end - begin), sizeof *to->updates);
        for (; begin < end; begin++)
            to->updates[to->count++] =
                (update){weir_batch_row(batch, begin), weir_batch_diff(batch, begin)};
    }
}

/* ---- printing --------------------------------------------------------------------------- */

static int compare_updates(const void *a, const void *b, void *type)
{
    return weir_row_compare(type, ((const update *)a)->row, ((const update *)b)->row);
}

/* Equal rows become one, with their diffs added up; what adds up to nothing is gone. */
static uint32_t consolidate(const weir_type *type, update *updates, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count;) {
        update sum = updates[i++];
        for (; i < count && weir_row_compare(type, sum.row, updates[i].row) == 0; i++)
            sum.diff = (int64_t)((uint64_t)sum.diff + (uint64_t)updates[i].diff);
        if (sum.diff)
            updates[kept++] = sum;
    }
    return kept;
}

static void print_page(page *from, FILE *file)
{
    const weir_type *type = from->batches[0]->type;
    qsort_r(from->updates, from->count, sizeof *from->updates, compare_updates, (void *)type);
    uint32_t count = consolidate(type, from->updates, from->count);
    for (uint32_t i = 0; i < count; i++) {
        if (from->updates[i].diff != 1)
            fprintf(file, "%+lld\t", (long long)from->updates[i].diff);
        weir_row_print(type, from->updates[i].row, file);
        putc('\n', file);
    }
}

static void free_page(page *old)
{
    for (uint32_t i = 0; i < old->batch_count; i++)
        weir_batch_drop(old->batches[i]);
    wi_free(old->batches);
    wi_free(old->updates);
}

/* A frontier is sorted, and what may still come is at or after one of its times. */
static bool due(const weir_antichain *frontier, const weir_time *time)
{
    return !frontier->count || weir_time_compare(&frontier->times[0], time) > 0;
}

static void on_frontier(weir_op *op)
{
    state *book = weir_op_state(op);
    FILE *file = weir_op_arg(op);
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    uint32_t before = book->count;
    while (book->count && due(frontier, &book->pages[book->count - 1].time)) {
        page *first = &book->pages[--book->count];
        print_page(first, file);
        free_page(first);
    }
    if (book->count < before && fflush(file) != 0)
        weir_op_stop(op, "cannot print: %s", strerror(errno));
}

static void on_stop(weir_op *op)
{
    state *book = weir_op_state(op);
    for (uint32_t i = 0; i < book->count; i++)
        free_page(&book->pages[i]);
    wi_free(book->pages);
}

static const weir_operator print = {.name = "print",
                                    .state_bytes = sizeof(state),
                                    .batch = on_batch,
                                    .frontier = on_frontier,
                                    .stop = on_stop};

void weir_print(weir_stream in, void *file)
{
    weir_sink(in, WEIR_GATHER(0), &print, file);
}
