/* The ways in which windows are kept: each an operator with the same outputs. */
#ifndef WEIR_OPERATORS_WINDOW_WINDOW_H
#define WEIR_OPERATORS_WINDOW_WINDOW_H

#include "keys.h"

/* The outputs: results, rows that are late for all of their windows, and rows of weir_missed. */
enum { WI_WINDOW_RESULTS, WI_WINDOW_LATE, WI_WINDOW_MISSED, WI_WINDOW_OUTPUTS };

/* general.c: for all windows. */
extern const weir_operator wi_window_general;
/* tumbling.c: tumbling windows without lateness, whose accs are sent as they are. */
extern const weir_operator wi_window_tumbling;

/* A row's stamp, as an event time. */
static inline int64_t wi_stamp_of(const weir_batch *batch, uint32_t row)
{
    return weir_event_time(weir_batch_time(batch, row)->at[0]);
}

/* worker. Tells that a row missed windows, and whether all of its: at its stamp. */
void wi_window_missed(weir_op *op, const weir_batch *batch, uint32_t row, int64_t windows,
                      bool late);

#endif
