/* Sending what a run has, as batches of its layout's type. */
#ifndef WEIR_OPERATORS_TRACE_RUN_SEND_H
#define WEIR_OPERATORS_TRACE_RUN_SEND_H

#include "run.h"

/* worker. Sends the run's rows on an output of an operator that may send at `base`, a time at or
 * before all of the run's: time by time, in the order of the table. */
void wi_run_send(weir_op *op, uint32_t output, const wi_run *run, const weir_time *base);

#endif
