/* send_messages: rows as messages of nng; see weir/socket.h.
 *
 * Messages are sent as long as the socket takes them. If it does not (nobody pulls, or those who do
 * are slow), lines wait (outgoing.h), and the worker is woken when it does. nng throws away what it
 * has when a socket is closed, so the end waits until the socket could take another message: then
 * the last one is with the system. */
#include <string.h>

#include <weir/socket.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "alarm.h"
#include "meeting.h"
#include "messages.h"
#include "outgoing.h"

/* Messages that are sent in a call, so that others run, too. */
#define TURN 1024
/* How long the end waits: until whoever pulls has gone, or subscribers have what was published. */
#define LINGER_PUSH_NS UINT64_C(1000000000)
#define LINGER_PUB_NS UINT64_C(200000000)

typedef struct send_call {
    const weir_type *type;
    wi_lines_how lines;
    bool listen, sorted, publish, end_mark;
    uint32_t rows_each;
    char url[1]; /* longer */
} send_call;

typedef struct state {
    wi_outgoing out;
    wi_messages messages;
    uint32_t sent; /* of the lines */
    size_t begin;  /* where the next one begins */
    weir_capability *until_end; /* the dataflow is not complete before all has gone */
    bool marked;   /* the empty message at the end is sent, or not wanted */
    uint64_t lingers_ns; /* until then; 0: not at the end */
    wi_alarm alarm;
} state;

/* False: it does not take it now, or it failed. */
static bool send_message(state *to, const char *bytes, size_t length)
{
    nng_msg *message;
    int error = nng_msg_alloc(&message, length);
    if (error == NNG_ENOMEM)
        wi_alloc_failed(length);
    if (length)
        memcpy(nng_msg_body(message), bytes, length);
    error = nng_sendmsg(to->messages.socket, message, NNG_FLAG_NONBLOCK);
    if (!error)
        return true;
    nng_msg_free(message);
    if (error == NNG_EAGAIN)
        wi_messages_arm(&to->messages);
    else
        wi_outgoing_fail(&to->out, weir_err_new("cannot send: %s", nng_strerror(error)));
    return false;
}

static void send_lines(weir_op *op, state *to)
{
    const send_call *call = weir_op_arg(op);
    wi_outgoing *out = &to->out;
    for (unsigned turn = 0; to->sent < out->end_count; turn++) {
        uint32_t left = out->end_count - to->sent;
        uint32_t last = to->sent + (left < call->rows_each ? left : call->rows_each) - 1;
        size_t length = out->ends[last] - 1 - to->begin;
        if (turn == TURN) {
            weir_activate(op);
            return;
        }
        if (!send_message(to, out->lines.at + to->begin, length))
            return;
        to->begin = out->ends[last];
        to->sent = last + 1;
    }
    out->lines.length = to->begin = 0;
    out->end_count = to->sent = 0;
}

/* True when what was sent last needs nng no more, or has had its time. */
static bool has_gone(weir_op *op, state *to)
{
    const send_call *call = weir_op_arg(op);
    uint64_t now_ns = weir_now(weir_op_worker(op));
    if (!to->marked && !send_message(to, NULL, 0))
        return false;
    to->marked = true;
    if (!to->lingers_ns)
        to->lingers_ns = now_ns + (call->publish ? LINGER_PUB_NS : LINGER_PUSH_NS);
    if (now_ns >= to->lingers_ns || (!call->publish && wi_messages_ready(&to->messages)))
        return true;
    wi_alarm_waits(&to->alarm, now_ns);
    wi_alarm_set(op, &to->alarm, now_ns, to->lingers_ns);
    if (!call->publish)
        wi_messages_arm(&to->messages);
    return false;
}

static void pump(weir_op *op)
{
    state *to = weir_op_state(op);
    if (!to->messages.open || to->out.failed)
        return;
    wi_outgoing_fill(&to->out);
    if (to->out.end_count)
        send_lines(op, to);
    if (!wi_outgoing_settle(&to->out, false) || !has_gone(op, to))
        return;
    wi_messages_close(&to->messages);
    weir_capability_drop(to->out.held);
    weir_capability_drop(to->until_end);
    to->out.held = to->until_end = NULL;
}

static void on_start(weir_op *op)
{
    const send_call *call = weir_op_arg(op);
    state *to = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) != 0)
        return;
    wi_outgoing_start(&to->out, op, call->type, &call->lines, call->sorted, true);
    to->marked = !call->end_mark;
    to->until_end = weir_op_first_capability(op, 0);
    weir_err *err = wi_messages_open(&to->messages, op, call->publish ? WI_PUB : WI_PUSH, 0);
    if (!err)
        err = wi_messages_meet(&to->messages, call->url, call->listen);
    if (err)
        wi_outgoing_fail(&to->out, err);
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    state *to = weir_op_state(op);
    wi_outgoing_batch(&to->out, batch);
}

static void on_stop(weir_op *op)
{
    state *to = weir_op_state(op);
    wi_messages_close(&to->messages);
    wi_outgoing_fini(&to->out);
}

static const weir_operator send_messages = {.name = "send_messages",
                                            .source = true,
                                            .state_bytes = sizeof(state),
                                            .start = on_start,
                                            .batch = on_batch,
                                            .frontier = pump,
                                            .run = pump,
                                            .stop = on_stop};

void weir_send_messages(weir_stream in, const weir_send *how)
{
    const char *url = how->url ? how->url : "";
    send_call *call = wi_calloc(1, sizeof *call + strlen(url));
    call->type = in.type;
    call->lines = (wi_lines_how){.format = how->format, .diffs = how->diffs};
    call->listen = how->listen;
    call->sorted = how->sorted;
    call->publish = how->publish;
    call->end_mark = how->end_mark;
    call->rows_each = how->rows_each ? how->rows_each : 1;
    strcpy(call->url, url);
    wi_lines_check(in, send_messages.name, &call->lines);
    weir_err *err = wi_meeting_check(how->url, how->listen, how->beyond);
    if (err)
        weir_scope_fail(in.scope, "send_messages: %s", weir_err_message(err));
    weir_err_free(err);
    wi_end(wi_begin(in, WEIR_GATHER(0), &send_messages, call, send_messages.name, NULL), in.type);
}
