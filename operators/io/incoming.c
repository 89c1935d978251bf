/* What sources have in common that decode what others send; see incoming.h. */
#include "incoming.h"

#include <stdio.h>
#include <stdlib.h>

#define SAID_MAX 10
#define MS UINT64_C(1000000)

void wi_incoming_start(wi_incoming *in, weir_op *op, const weir_receive *how)
{
    in->op = op;
    in->how = how;
    in->began_ns = weir_now(weir_op_worker(op));
    in->held = weir_op_first_capability(op, 0);
    if (weir_op_reject_output(op) != UINT32_MAX)
        in->rejects = weir_op_first_capability(op, weir_op_reject_output(op));
    weir_activate(op);
}

void wi_incoming_end(wi_incoming *in)
{
    weir_capability_drop(in->held);
    weir_capability_drop(in->rejects);
    in->held = in->rejects = NULL;
}

void wi_incoming_fail(wi_incoming *in, weir_err *err)
{
    if (!in->failed)
        weir_op_stop(in->op, "%s", weir_err_message(err));
    in->failed = true;
    weir_err_free(err);
}

/* ---- the clock -------------------------------------------------------------------------- */

void wi_incoming_move_on(wi_incoming *in, uint64_t now_ns)
{
    wi_alarm_waits(&in->alarm, now_ns);
    if (!in->how->epoch_ms)
        return;
    weir_time time = WEIR_EPOCH((now_ns - in->began_ns) / (in->how->epoch_ms * MS));
    if (weir_time_eq(&time, weir_capability_time(in->held)))
        return;
    weir_capability_downgrade(in->held, &time);
    if (in->rejects)
        weir_capability_downgrade(in->rejects, &time);
}

void wi_incoming_wait(wi_incoming *in, uint64_t now_ns, uint64_t until_ns)
{
    if (in->how->epoch_ms) {
        uint64_t epoch_ns = in->how->epoch_ms * MS;
        uint64_t next_ns = now_ns + epoch_ns - (now_ns - in->began_ns) % epoch_ns;
        until_ns = next_ns < until_ns ? next_ns : until_ns;
    }
    wi_alarm_set(in->op, &in->alarm, now_ns, until_ns);
}

/* ---- rows ------------------------------------------------------------------------------- */

wi_rows *wi_incoming_rows(const weir_receive *how, const weir_type *type, uint64_t partition,
                          void (*bad)(void *arg, const wi_no_row *what), void *arg,
                          weir_err **err_out)
{
    return wi_rows_new(&(wi_rows_how){.type = type,
                                      .format = how->format,
                                      .header = how->header,
                                      .extra = how->extra,
                                      .line_by_line = how->line_by_line,
                                      .given = how->partition,
                                      .value = partition,
                                      .row_bytes_max = how->row_bytes_max,
                                      .bad = bad,
                                      .arg = arg},
                       err_out);
}

void wi_incoming_send(wi_incoming *in, wi_rows *rows)
{
    weir_err *err = NULL;
    for (weir_batch *batch; (batch = wi_rows_take(rows, UINT64_MAX, &err));) {
        batch->time = *weir_capability_time(in->held);
        weir_send_batch(in->op, 0, batch);
    }
    if (err)
        wi_incoming_fail(in, err);
}

void wi_incoming_reject(wi_incoming *in, const char *peer, const wi_no_row *what)
{
    struct {
        weir_text text;
    } line = {weir_text_of(what->text, (uint32_t)what->length)};
    unsigned long long number = what->line;
    if (in->rejects)
        weir_send_at(in->op, weir_op_reject_output(in->op), weir_capability_time(in->rejects));
    else if (!in->how->silent && !in->how->strict && in->said++ < SAID_MAX)
        fprintf(stderr, "%s:%llu: %s\n", peer, number, what->why);
    weir_reject(in->op, &weir_line_type, &line, "%s:%llu: %s", peer, number, what->why);
}
