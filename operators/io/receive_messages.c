/* receive_messages: typed rows from messages of nng; see weir/socket.h. Worker 0 takes messages as
 * long as there is room for rows further down; those who push wait then. */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "incoming.h"
#include "meeting.h"
#include "messages.h"

/* Messages that are taken in a call, so that others run, too. */
#define TURN 1024
#define ROW_BYTES_MAX (1u << 20)

typedef struct receive_call {
    weir_receive how;
    const weir_type *type;
    uint32_t url_count;
    char *urls[];
} receive_call;

typedef struct state {
    wi_incoming in;
    wi_messages messages;
    wi_rows *rows;
    uint64_t ended; /* empty messages */
} state;

static void on_bad(void *arg, const wi_no_row *what)
{
    state *from = arg;
    const receive_call *call = weir_op_arg(from->in.op);
    wi_incoming_reject(&from->in, call->urls[0], what);
}

/* To the decoder, which ends lines at newlines. */
static void put(state *from, const char *bytes, size_t length)
{
    while (length) {
        size_t room;
        char *to = wi_rows_room(from->rows, &room);
        size_t part = length < room ? length : room;
        memcpy(to, bytes, part);
        wi_rows_fill(from->rows, part);
        bytes += part;
        length -= part;
        wi_incoming_send(&from->in, from->rows);
    }
}

/* False: there is none now, or it failed. */
static bool take_message(state *from)
{
    nng_msg *message;
    int error = nng_recvmsg(from->messages.socket, &message, NNG_FLAG_NONBLOCK);
    if (error && error != NNG_EAGAIN)
        wi_incoming_fail(&from->in, weir_err_new("cannot receive: %s", nng_strerror(error)));
    if (error)
        return false;
    if (nng_msg_len(message)) {
        put(from, nng_msg_body(message), nng_msg_len(message));
        put(from, "\n", 1);
    } else {
        from->ended++;
    }
    nng_msg_free(message);
    return true;
}

static void finish(state *from)
{
    wi_messages_close(&from->messages);
    if (from->rows)
        wi_rows_free(from->rows);
    from->rows = NULL;
    wi_incoming_end(&from->in);
}

static void on_run(weir_op *op)
{
    const receive_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    if (!from->in.held || from->in.failed)
        return;
    uint64_t now_ns = weir_now(weir_op_worker(op));
    wi_incoming_move_on(&from->in, now_ns);
    unsigned taken = 0;
    while (taken < TURN && from->ended < call->how.in_all && !from->in.failed && take_message(from))
        taken++;
    if (from->in.failed)
        return;
    if (from->ended == call->how.in_all) {
        finish(from);
    } else if (taken) {
        weir_activate(op);
    } else {
        wi_messages_arm(&from->messages);
        wi_incoming_wait(&from->in, now_ns, UINT64_MAX);
    }
}

static void on_start(weir_op *op)
{
    const receive_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) != 0)
        return;
    wi_incoming_start(&from->in, op, &call->how);
    weir_err *err = NULL;
    from->rows = wi_incoming_rows(&call->how, call->type, 0, on_bad, from, &err);
    if (!err)
        err = wi_messages_open(&from->messages, op, call->how.subscribe ? WI_SUB : WI_PULL,
                               call->how.row_bytes_max);
    for (uint32_t i = 0; i < call->url_count && !err; i++)
        err = wi_messages_meet(&from->messages, call->urls[i], call->how.listen);
    if (err)
        wi_incoming_fail(&from->in, err);
}

static void on_stop(weir_op *op)
{
    state *from = weir_op_state(op);
    from->in.held = from->in.rejects = NULL; /* they are dropped by themselves */
    finish(from);
}

static const weir_operator receive_messages = {.name = "receive_messages",
                                               .source = true,
                                               .state_bytes = sizeof(state),
                                               .start = on_start,
                                               .run = on_run,
                                               .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static weir_err *check(const receive_call *call)
{
    weir_err *err = NULL;
    if (!call->url_count)
        return wi_meeting_check(NULL, false, false);
    for (uint32_t i = 0; i < call->url_count && !err; i++)
        err = wi_meeting_check(call->urls[i], call->how.listen, call->how.beyond);
    if (!err && (call->how.header || call->how.partition))
        err = weir_err_new("messages have neither a header nor partitions");
    if (err)
        return err;
    wi_rows *rows = wi_incoming_rows(&call->how, call->type, 0, NULL, NULL, &err);
    if (rows)
        wi_rows_free(rows);
    return err;
}

weir_stream weir_receive_messages(weir_dataflow *flow, const weir_type *type,
                                  const weir_receive *how)
{
    uint32_t count = how->url ? 1 : 0;
    for (const char *const *url = how->urls; url && *url; url++)
        count++;
    receive_call *call = wi_calloc(1, sizeof *call + count * sizeof *call->urls);
    weir_builder *builder = weir_operator_begin(flow, &receive_messages, call);
    weir_builder_keep(builder, call);
    call->how = *how;
    call->type = type;
    call->how.in_all = how->in_all ? how->in_all : 1;
    call->how.row_bytes_max = how->row_bytes_max ? how->row_bytes_max : ROW_BYTES_MAX;
    if (how->url)
        call->urls[call->url_count++] = wi_strdup(how->url);
    while (call->url_count < count) {
        call->urls[call->url_count] = wi_strdup(how->urls[call->url_count - (how->url ? 1 : 0)]);
        call->url_count++;
    }
    for (uint32_t i = 0; i < count; i++)
        weir_builder_keep(builder, call->urls[i]);
    weir_err *err = check(call);
    if (err)
        weir_scope_fail(flow, "receive_messages: %s", weir_err_message(err));
    weir_err_free(err);
    weir_stream rows = wi_end(builder, type);
    weir_on_reject(rows, how->strict ? WEIR_REJECT_FAIL : WEIR_REJECT_SKIP);
    return rows;
}
