/* Rows that an operator refuses to process, and what then becomes of them.
 *
 * All functions: worker, in a callback of the operator. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

void weir_reject(weir_op *op, const weir_type *type, const void *row, const char *format, ...)
{
    char *reason;
    va_list args;
    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0)
        reason = NULL;
    va_end(args);
    size_t length = 0;
    char *text = row && type ? weir_row_text(type, row, &length) : NULL;
    op->rejected++;
    if (op->reject_policy == WEIR_REJECT_FAIL) {
        weir_op_stop(op, "rejects a row: %s%s%s; weir_on_reject and weir_rejects say what else "
                         "to do with such rows",
                     reason ? reason : format, text ? ": " : "", text ? text : "");
    } else if (op->reject_policy == WEIR_REJECT_KEEP && op->reject_output != UINT32_MAX) {
        wi_output_port *port = op->outputs[op->reject_output];
        weir_out *out = port->opened ? &port->out : NULL;
        if (!out && op->allows)
            out = weir_send_at(op, op->reject_output, &op->allowed);
        else if (!out)
            for (weir_capability *c = op->capabilities; c && !out; c = c->next)
                if (c->output == op->reject_output)
                    out = weir_send_at(op, op->reject_output, &c->time);
        if (out) {
            weir_rejected rejected = {
                .operator_name = weir_text_c(op->name),
                .row = weir_text_of(text ? text : "", (uint32_t)length),
                .reason = weir_text_c(reason ? reason : format),
            };
            weir_out_row(out, &rejected);
        } else {
            weir_op_stop(op, "rejects a row where it has no time to send it at: %s",
                         reason ? reason : format);
        }
    }
    free(text);
    free(reason);
}

uint64_t weir_op_rejected(const weir_op *op)
{
    return op->rejected;
}

uint32_t weir_op_reject_output(const weir_op *op)
{
    return op->reject_output;
}
