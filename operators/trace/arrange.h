/* Arrangements: the operator that fills a trace, and what its readers get.
 *
 * When times complete, the operator seals their updates into runs, inserts them into the
 * trace, and sends for each a token: a row with the run's seq, at a time at or before all of
 * the run's. Tokens go to the same worker only. A reader operator has an input for the tokens
 * (WEIR_LOCAL), a wi_reader from its `start` to its `stop`, and, on a token:
 *
 *     wi_reader_ack(reader, seq);            it may now look at that run, too
 *     ... wi_trace_run / the acked runs ...  sending at the token's time or later is allowed
 *
 * The frontier of the token input is that of the arrangement. The trace's `upper` may be
 * ahead of it: it says what is in on this worker. */
#ifndef WEIR_OPERATORS_TRACE_ARRANGE_H
#define WEIR_OPERATORS_TRACE_ARRANGE_H

#include "trace.h"

#define WI_TOKEN(F) F(u64, seq)
WEIR_ROW(wi_token, WI_TOKEN)

struct weir_arrangement {
    weir_stream tokens;  /* in the scope of this arrangement */
    wi_layout *layout;   /* owned by the one that `tokens` first came from */
    wi_trace **trace;    /* shared with entered ones */
    weir_key key;
    weir_order order;    /* by.type NULL: none */
    bool imported;       /* filled by another dataflow */
    bool any_key;        /* the first that asks for it may say by which key it is sorted */
};

/* For an operator that fills a trace of its own: with a layout and a trace for rows of the
 * stream, both to be dropped when it stops; `tokens` are still missing. */
weir_arrangement *wi_arrangement_new(weir_stream rows, weir_key key);
/* weir_arrange with values in an order. `order` may be NULL. Wrong types fail the dataflow,
 * and give an arrangement that can be used further. */
weir_arrangement *wi_arrange(weir_stream in, weir_key key, const weir_order *order);
/* The same, or, of an imported arrangement, one of this dataflow: for operators that compare
 * the times in it with others. Those of an import's first runs may be compacted or not yet. */
weir_arrangement *wi_arrange_own(weir_arrangement *of);

#endif
