/* What the runtime needs of a weir_out: it owns the out, gives it batches and takes the
 * full ones away.
 *
 *     init -> closed --open--> filling --seal--> closed --next--> filling ... -> fini
 *
 * Closed means count = capacity = 0 and no batch, so that the next row calls `full`. There
 * the owner seals, sends what it got, and calls wi_out_next (or wi_out_open). */
#ifndef WEIR_BASE_OUT_H
#define WEIR_BASE_OUT_H

#include <weir/batch.h>

/* An out without a batch, closed, at time zero. */
void wi_out_init(weir_out *out, const weir_type *type, void (*full)(weir_out *out), void *owner);
/* Called when a row is given a time that is not at or after the one the out was opened at;
 * the row keeps the time in force. Without it that is a failed assertion. */
void wi_out_on_misuse(weir_out *out, void (*misuse)(weir_out *out, const weir_time *time));
/* Starts an empty batch at that time; rows get that time and diff +1. Closed outs only.
 * It has room for about as many rows as the last ones had, at first for `most`, to which it
 * grows when there are more: `full` is called when it has as many. */
void wi_out_open(weir_out *out, const weir_time *time, uint32_t most);
/* The same at the time last opened; the rows' time and diff stay in force. */
void wi_out_next(weir_out *out, uint32_t most);
/* Moves the rows so far into a batch with more room, which stays open. */
void wi_out_grow(weir_out *out, uint32_t capacity);
/* weir_out_commit of `used` rows that have these diffs; the diff in force stays. */
void wi_out_commit_diffs(weir_out *out, const int64_t *diffs, uint32_t used);
/* Closes the out and gives its batch, complete; NULL if it has no rows or is closed. */
weir_batch *wi_out_seal(weir_out *out);
/* Frees what is left; rows not sealed are lost. */
void wi_out_fini(weir_out *out);

#endif
