/* The ways in which windows are kept: each an operator with the same outputs. */
#ifndef WEIR_OPERATORS_WINDOW_WINDOW_H
#define WEIR_OPERATORS_WINDOW_WINDOW_H

#include "keys.h"

/* The outputs: results, rows that are late for all of their windows, and rows of weir_missed. */
enum { WI_WINDOW_RESULTS, WI_WINDOW_LATE, WI_WINDOW_MISSED, WI_WINDOW_OUTPUTS };

/* general.c: for all windows. */
extern const weir_operator wi_window_general, wi_window_kept;
/* tumbling.c: tumbling windows without lateness whose accs own nothing (`release`). */
extern const weir_operator wi_window_tumbling;
/* panes.c: other tumbling windows, and hopping ones, with `combine`. */
extern const weir_operator wi_window_panes;
/* session_quick.c: sessions without lateness, whose accs own nothing, not even texts. */
extern const weir_operator wi_window_sessions;
#define WI_PANES_MAX 4096 /* of a window */

/* The inputs: rows, and, behind local.c, accs that were folded before the exchange, each at the
 * last instant of its window, or pane. */
enum { WI_WINDOW_ROWS, WI_WINDOW_ACCS };
/* local.c, worker, building. Folds rows where they are: gives such accs, and the rows that are
 * left. */
weir_stream wi_window_local(weir_stream in, const wi_windowing *call, weir_stream *rows_out);

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
/* Takes away again the groups that it added (`inverse`). */
bool wi_window_take_away(weir_op *op, wi_table *from, const wi_table *what);
/* Adds rows [begin, end) of a batch of accs to the groups of a table. */
bool wi_window_add(weir_op *op, wi_table *to, const weir_batch *accs, uint32_t begin, uint32_t end);
/* Sends the groups as results of a window at a time. The table then is only to be freed; or (copy)
 * has them still. */
void wi_window_send(weir_op *op, wi_table *table, int64_t start, int64_t last, int64_t time);
void wi_window_send_copy(weir_op *op, const wi_table *table, int64_t start, int64_t last,
                         int64_t time);
/* The acc of a group. */
static inline char *wi_window_group(const wi_table *table, uint32_t index)
{
    const wi_grouping *by = table->by;
    uint32_t row = index & ((1u << by->chunk_shift) - 1);
    return table->chunks[index >> by->chunk_shift].rows + (size_t)row * by->type->size;
}

/* The results that are made of accs, as a batch of their own. Takes the reference. */
weir_batch *wi_window_finished(const wi_windowing *call, weir_batch *accs);

/* worker. Tells that a row missed windows, and whether all of its: at its stamp. */
void wi_window_missed(weir_op *op, const weir_batch *batch, uint32_t row, int64_t windows,
                      bool late);

#endif
