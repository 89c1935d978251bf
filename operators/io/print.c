/* print: rows as lines to a FILE*, whole times in order, each time's rows sorted; or as they
 * come. Everything goes to worker 0. */
#include <errno.h>
#include <stdio.h>
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

typedef struct state {
    wi_pages pages;
    wi_row_writer *writer;
    wi_bytes lines;
    bool failed;
} state;

/* ---- printing --------------------------------------------------------------------------- */

static void write_out(weir_op *op, size_t at_least)
{
    const print_call *call = weir_op_arg(op);
    state *book = weir_op_state(op);
    if (book->lines.length < at_least)
        return;
    size_t length = book->lines.length;
    if (!book->failed && (fwrite(book->lines.at, 1, length, call->file) != length ||
                          (at_least == 0 && fflush(call->file) != 0))) {
        weir_op_stop(op, "cannot print: %s", strerror(errno));
        book->failed = true;
    }
    book->lines.length = 0;
}

static void print_row(weir_op *op, const void *row, int64_t diff)
{
    state *book = weir_op_state(op);
    for (int64_t lines = wi_write_lines(book->writer, &diff); lines > 0; lines--) {
        if (!wi_write_row(book->writer, &book->lines, row, diff)) {
            if (!book->failed)
                wi_write_refused(op, diff);
            book->failed = true;
        }
        write_out(op, CHUNK_BYTES);
        if (book->failed)
            return;
    }
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
    state *book = weir_op_state(op);
    if (!call->unsorted) {
        if (!wi_pages_add(&book->pages, batch))
            weir_op_stop(op, "has more than 2^32 rows of one time to sort; print fewer");
        return;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        print_row(op, weir_batch_row(batch, i), weir_batch_diff(batch, i));
    write_out(op, 0);
}

static void on_frontier(weir_op *op)
{
    state *book = weir_op_state(op);
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    for (wi_updates rows; wi_pages_take(&book->pages, frontier, &rows); wi_updates_fini(&rows))
        for (uint32_t i = 0; i < rows.count; i++)
            print_row(op, rows.updates[i].row, rows.updates[i].diff);
    if (book->lines.length)
        write_out(op, 0);
}

static void on_stop(weir_op *op)
{
    state *book = weir_op_state(op);
    wi_pages_fini(&book->pages);
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
