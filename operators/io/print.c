/* print: rows as lines to a FILE*, whole times in order, each time's rows sorted; or as they
 * come.
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
#include "../stream/common.h"
#include "write_order.h"
#include "write_rows.h"

/* How much is put together before it goes to the file. */
#define CHUNK_BYTES (64 * 1024)

typedef struct print_call {
    FILE *file;
    const weir_type *type;
    wi_lines_how lines;
    bool unsorted;
} print_call;

/* What is to be printed of one time. */
typedef struct page {
    weir_time time;
    wi_updates rows;
} page;

typedef struct state {
    page *pages; /* the latest time first */
    uint32_t count, capacity;
    wi_row_writer *writer;
    wi_bytes lines;
    bool failed;
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

static void keep(weir_op *op, const weir_batch *batch)
{
    state *book = weir_op_state(op);
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        page *to = page_of(book, weir_batch_time(batch, begin));
        if (!wi_updates_add(&to->rows, batch, begin, end)) {
            weir_op_stop(op, "has more than 2^32 rows of one time to sort; print fewer");
            return;
        }
    }
}

/* ---- printing --------------------------------------------------------------------------- */

static void write_out(weir_op *op, size_t at_least)
{
    const print_call *call = weir_op_arg(op);
    state *book = weir_op_state(op);
    if (book->lines.length < at_least || book->failed)
        return;
    if (fwrite(book->lines.at, 1, book->lines.length, call->file) != book->lines.length ||
        (at_least == 0 && fflush(call->file) != 0)) {
        weir_op_stop(op, "cannot print: %s", strerror(errno));
        book->failed = true;
    }
    book->lines.length = 0;
}

static void print_row(weir_op *op, const void *row, int64_t diff)
{
    state *book = weir_op_state(op);
    if (!wi_write_row(book->writer, &book->lines, row, diff)) {
        if (!book->failed)
            wi_write_refused(op, diff);
        book->failed = true;
    }
    write_out(op, CHUNK_BYTES);
}

static void on_start(weir_op *op)
{
    const print_call *call = weir_op_arg(op);
    state *book = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) != 0)
        return;
    book->writer = wi_row_writer_new(call->type, &call->lines);
    wi_write_header(book->writer, &book->lines);
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const print_call *call = weir_op_arg(op);
    if (!call->unsorted) {
        keep(op, batch);
        return;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        print_row(op, weir_batch_row(batch, i), weir_batch_diff(batch, i));
    write_out(op, 0);
}

/* A frontier is sorted, and what may still come is at or after one of its times. */
static bool due(const weir_antichain *frontier, const weir_time *time)
{
    return !frontier->count || weir_time_compare(&frontier->times[0], time) > 0;
}

static void on_frontier(weir_op *op)
{
    state *book = weir_op_state(op);
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    while (book->count && due(frontier, &book->pages[book->count - 1].time)) {
        wi_updates *rows = &book->pages[--book->count].rows;
        wi_updates_settle(rows);
        for (uint32_t i = 0; i < rows->count; i++)
            print_row(op, rows->updates[i].row, rows->updates[i].diff);
        wi_updates_fini(rows);
    }
    if (book->lines.length)
        write_out(op, 0);
}

static void on_stop(weir_op *op)
{
    state *book = weir_op_state(op);
    for (uint32_t i = 0; i < book->count; i++)
        wi_updates_fini(&book->pages[i].rows);
    wi_free(book->pages);
    wi_bytes_fini(&book->lines);
    wi_row_writer_free(book->writer);
}

static const weir_operator print = {.name = "print",
                                    .state_bytes = sizeof(state),
                                    .start = on_start,
                                    .batch = on_batch,
                                    .frontier = on_frontier,
                                    .stop = on_stop};

void weir_print_as(weir_stream in, void *file, const weir_print_how *how)
{
    print_call *call = WI_NEW(print_call);
    *call = (print_call){.file = file,
                         .type = in.type,
                         .lines = {how->format, how->header, how->diffs},
                         .unsorted = how->unsorted};
    wi_lines_check(in, print.name, &call->lines);
    weir_operator_end(wi_begin(in, WEIR_GATHER(0), &print, call, print.name, NULL));
}

void weir_print(weir_stream in, void *file)
{
    weir_print_as(in, file, &(weir_print_how){.format = WEIR_TSV});
}
