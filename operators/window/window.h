/* The ways in which windows are kept: each an operator with the same outputs. */
#ifndef WEIR_OPERATORS_WINDOW_WINDOW_H
#define WEIR_OPERATORS_WINDOW_WINDOW_H

#include "keys.h"

/* The outputs: results, rows that are late for all of their windows, and rows of weir_missed. */
enum { WI_WINDOW_RESULTS, WI_WINDOW_LATE, WI_WINDOW_MISSED, WI_WINDOW_OUTPUTS };

/* general.c: for all windows. */
extern const weir_operator wi_window_general;
/* tumbling.c: tumbling windows without lateness whose accs own nothing (`release`). */
extern const weir_operator wi_window_tumbling;
/* panes.c: hopping windows of the same sort, of a whole number of slides, with `combine`. */
extern const weir_operator wi_window_panes;
/* session_quick.c: sessions of the same sort, whose accs have no texts beside the key's. */
extern const weir_operator wi_window_sessions;
#define WI_PANES_MAX 4096 /* slides of a window */

/* A row's stamp, as an event time. */
static inline int64_t wi_stamp_of(const weir_batch *batch, uint32_t row)
{
    return weir_event_time(weir_batch_time(batch, row)->at[0]);
}

/* worker. Keeps rows [begin, end) of one stamp until that is complete: it is notified, with a
 * wi_moment (moment.h) that has them. */
void wi_window_keep(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end);

/* tables.c, worker. Folds rows [begin, end) of a batch into the groups of a table; adds the groups
 * of a table to another's. False if the execution is stopped. */
bool wi_window_fold(weir_op *op, wi_table *table, const weir_batch *batch, uint32_t begin,
                    uint32_t end);
bool wi_window_combine(weir_op *op, wi_table *to, const wi_table *from);
/* Sends the groups as results of a window, at its last instant, or at the end of time. The table
 * then is only to be freed. */
void wi_window_send(weir_op *op, wi_table *table, int64_t start, int64_t last);

/* The results that are made of accs, as a batch of their own. Takes the reference. */
weir_batch *wi_window_finished(const wi_windowing *call, weir_batch *accs);

/* worker. Tells that a row missed windows, and whether all of its: at its stamp. */
void wi_window_missed(weir_op *op, const weir_batch *batch, uint32_t row, int64_t windows,
                      bool late);

#endif
