/* Rows that are to be sent as lines, until somebody takes the lines: what sinks have in common that
 * hand rows to someone who may be slow.
 *
 * Lines are put together in `lines`, at once or (sorted) when their times are complete. While there
 * are enough of them, the operator is paused. As long as anything is to be sent, it holds a
 * capability, on an output that nobody reads, so that the dataflow is not complete before.
 *
 * Worker. */
#ifndef WEIR_OPERATORS_IO_OUTGOING_H
#define WEIR_OPERATORS_IO_OUTGOING_H

#include "write_order.h"
#include "write_rows.h"

/* Lines that wait while others are sent: with more, no rows are taken. */
#define WI_OUTGOING_BYTES (1 << 20)

typedef struct wi_outgoing {
    weir_op *op;
    wi_row_writer *writer; /* NULL: this worker sends nothing */
    bool sorted, one_by_one;
    wi_bytes lines;
    /* with `one_by_one`: where each line in `lines` ends, with its newline */
    size_t *ends;
    uint32_t end_count, end_capacity;
    weir_capability *held;
    wi_pages pages;  /* if they are sorted */
    wi_updates page; /* the time whose rows become lines, from row `next` on */
    uint32_t next;
    bool failed;
} wi_outgoing;

/* Only if this worker sends. */
void wi_outgoing_start(wi_outgoing *out, weir_op *op, const weir_type *type,
                       const wi_lines_how *how, bool sorted, bool one_by_one);
void wi_outgoing_fini(wi_outgoing *out);
/* Rows have come. */
void wi_outgoing_batch(wi_outgoing *out, const weir_batch *batch);
/* Rows of times that are complete become lines, as long as there is room. */
void wi_outgoing_fill(wi_outgoing *out);
/* After lines were taken: pauses, or goes on. `busy`: some of those that were taken are not sent
 * yet. True if all is sent, and no more can come. */
bool wi_outgoing_settle(wi_outgoing *out, bool busy);
/* Stops the run; takes the error. */
void wi_outgoing_fail(wi_outgoing *out, weir_err *err);

#endif
