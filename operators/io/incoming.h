/* What sources have in common that decode what others send: capabilities, epochs by the clock, and
 * what is no row. Worker. */
#ifndef WEIR_OPERATORS_IO_INCOMING_H
#define WEIR_OPERATORS_IO_INCOMING_H

#include <weir/socket.h>

#include "alarm.h"
#include "rows.h"

typedef struct wi_incoming {
    weir_op *op;
    const weir_receive *how; /* lives longer */
    weir_capability *held, *rejects; /* NULL: it is done; nobody wants them */
    uint64_t began_ns;
    wi_alarm alarm;
    uint64_t said; /* lines that were no rows, on standard error */
    bool failed;
} wi_incoming;

/* In `start`: takes the first capabilities. Without it the source is done at once. */
void wi_incoming_start(wi_incoming *in, weir_op *op, const weir_receive *how);
/* In `run`: to the epoch of this moment. */
void wi_incoming_move_on(wi_incoming *in, uint64_t now_ns);
/* Before it waits: `run` will be called at `until_ns`, or when the next epoch begins. */
void wi_incoming_wait(wi_incoming *in, uint64_t now_ns, uint64_t until_ns);
/* No more rows. */
void wi_incoming_end(wi_incoming *in);
/* Sends the rows that the decoder has. */
void wi_incoming_send(wi_incoming *in, wi_rows *rows);
/* What came from `peer` as its line `line` is no row. */
void wi_incoming_reject(wi_incoming *in, const char *peer, const wi_no_row *what);
/* Stops the run; takes the error. */
void wi_incoming_fail(wi_incoming *in, weir_err *err);
/* A decoder as `how` says it. */
wi_rows *wi_incoming_rows(const weir_receive *how, const weir_type *type, uint64_t partition,
                          void (*bad)(void *arg, const wi_no_row *what), void *arg,
                          weir_err **err_out);

#endif
