/* send_lines: rows as lines to whoever is at the other end of a socket.
 *
 * Lines are put into one buffer (outgoing.h) while another is being sent. When the first is full,
 * the operator is paused: rows wait in its queue, and then with those who send them. The worker
 * writes what the socket takes, and is woken when it takes more; nothing waits for it.
 *
 * Invariants
 *   N1  both buffers begin where a line begins, so a line that a broken link has cut is found
 *       again, and sent again, whole
 *   N2  what a write was begun with is not touched until the write has ended */
#include <stdlib.h>
#include <string.h>

#include <weir/socket.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "alarm.h"
#include "meeting.h"
#include "outgoing.h"

/* What is written in a call, so that others run, too. */
#define TURN_BYTES (4 << 20)
/* What a reader has said to us is read before a link is closed: otherwise the system would throw
 * away what it has not sent yet. */
#define DISCARD_BYTES (64 * 1024)

typedef struct send_call {
    const weir_type *type;
    wi_lines_how lines;
    bool listen, reconnect, sorted;
    uint64_t connect_ns;
    char url[1]; /* longer */
} send_call;

typedef struct state {
    wi_outgoing out;
    wi_meeting meeting;
    wi_link *link;
    weir_activator *wake;
    wi_bytes header, going;
    size_t header_sent, sent; /* of `header` on this link, and of `going` */
    bool writing;
    wi_alarm asks; /* for a link */
} state;

/* ---- the link --------------------------------------------------------------------------- */

/* Where the line begins that has byte `at`. In CSV a line break between quotes ends none. */
static size_t line_begin(const wi_bytes *lines, size_t at, bool csv)
{
    size_t begin = 0;
    bool quoted = false;
    for (size_t i = 0; i < at; i++) {
        quoted ^= csv && lines->at[i] == '"';
        if (lines->at[i] == '\n' && !quoted)
            begin = i + 1;
    }
    return begin;
}

static void wake(void *arg)
{
    weir_activator_fire(arg);
}

static void close_link(state *to)
{
    char *discarded = to->link && !to->writing ? wi_alloc(DISCARD_BYTES) : NULL;
    if (discarded) {
        wi_link_read_begin(to->link, discarded, DISCARD_BYTES);
        wi_link_read_end(to->link);
    }
    wi_link_close(to->link);
    wi_free(discarded);
    to->link = NULL;
    to->writing = false;
    to->header_sent = 0;
}

static void broken(weir_op *op, state *to)
{
    const send_call *call = weir_op_arg(op);
    if (!call->reconnect) {
        wi_outgoing_fail(&to->out, weir_err_new("the connection with %s broke (%s); some of the "
                                                "lines that it was given last may be lost",
                                                wi_link_peer(to->link), wi_link_why(to->link)));
        return;
    }
    close_link(to);
    to->sent = line_begin(&to->going, to->sent, call->lines.format == WEIR_CSV);
}

/* False: there is no link yet, and `run` will be called. */
static bool connected(weir_op *op, state *to)
{
    uint64_t again_ns, now_ns = weir_now(weir_op_worker(op));
    if (to->link || wi_alarm_waits(&to->asks, now_ns))
        return to->link != NULL;
    weir_err *err = wi_meeting_ask(&to->meeting, now_ns, &to->link, &again_ns);
    if (err)
        wi_outgoing_fail(&to->out, err);
    else if (!to->link)
        wi_alarm_set(op, &to->asks, now_ns, now_ns + again_ns);
    return to->link != NULL;
}

/* Begins to write what is there; false: there is nothing. */
static bool begin_write(state *to)
{
    if (to->sent == to->going.length) {
        wi_bytes empty = to->going;
        to->going = to->out.lines;
        to->out.lines = empty;
        to->out.lines.length = 0;
        to->sent = 0;
    }
    wi_part parts[2] = {{to->header.at + to->header_sent, to->header.length - to->header_sent},
                        {to->going.at + to->sent, to->going.length - to->sent}};
    bool header = parts[0].bytes > 0, lines = parts[1].bytes > 0;
    if (header || lines)
        wi_link_write_begin(to->link, header ? parts : &parts[1], header && lines ? 2 : 1);
    to->writing = header || lines;
    return to->writing;
}

static void count_sent(state *to, size_t bytes)
{
    size_t header = to->header.length - to->header_sent;
    size_t of_header = bytes < header ? bytes : header;
    to->header_sent += of_header;
    to->sent += bytes - of_header;
    to->writing = false;
}

/* Writes what the socket takes. */
static void write_lines(weir_op *op, state *to)
{
    size_t turn = 0;
    while (turn < TURN_BYTES && !to->out.failed && connected(op, to)) {
        if (!to->writing && !begin_write(to))
            return;
        int64_t sent = wi_link_write_end(to->link);
        if (sent > 0) {
            count_sent(to, (size_t)sent);
            turn += (size_t)sent;
        } else if (sent == 0) {
            wi_link_arm_write(to->link, wake, to->wake);
            return;
        } else {
            to->writing = false;
            broken(op, to);
        }
    }
    if (!to->out.failed && to->link)
        weir_activate(op);
}

/* Does what can be done, and sees to it that the rest will be. */
static void pump(weir_op *op)
{
    state *to = weir_op_state(op);
    if (!to->out.writer || to->out.failed)
        return;
    wi_outgoing_fill(&to->out);
    if (to->out.lines.length || to->sent < to->going.length)
        write_lines(op, to);
    if (!wi_outgoing_settle(&to->out, to->sent < to->going.length))
        return;
    close_link(to);
    wi_meeting_end(&to->meeting);
    weir_capability_drop(to->out.held);
    to->out.held = NULL;
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const send_call *call = weir_op_arg(op);
    state *to = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) != 0)
        return;
    wi_outgoing_start(&to->out, op, call->type, &call->lines, call->sorted, false);
    to->wake = weir_activator_new(op);
    wi_write_header(to->out.writer, &to->header);
    weir_err *err = wi_meeting_begin(&to->meeting, call->url, call->listen, call->connect_ns);
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
    close_link(to);
    wi_meeting_end(&to->meeting);
    if (to->wake)
        weir_activator_free(to->wake);
    wi_bytes_fini(&to->header);
    wi_bytes_fini(&to->going);
    wi_outgoing_fini(&to->out);
}

static const weir_operator send_lines = {.name = "send_lines",
                                         .state_bytes = sizeof(state),
                                         .start = on_start,
                                         .batch = on_batch,
                                         .frontier = pump,
                                         .run = pump,
                                         .stop = on_stop};

void weir_send_lines(weir_stream in, const weir_send *how)
{
    static const char none[] = "";
    const char *url = how->url ? how->url : none;
    send_call *call = wi_calloc(1, sizeof *call + strlen(url));
    call->type = in.type;
    call->lines = (wi_lines_how){how->format, how->header, how->diffs};
    call->listen = how->listen;
    call->reconnect = how->reconnect;
    call->sorted = how->sorted;
    call->connect_ns = how->connect_ns;
    strcpy(call->url, url);
    wi_lines_check(in, send_lines.name, &call->lines);
    weir_err *err = wi_meeting_check(how->url, how->listen, how->beyond);
    if (err)
        weir_scope_fail(in.scope, "send_lines: %s", weir_err_message(err));
    weir_err_free(err);
    wi_end(wi_begin(in, WEIR_GATHER(0), &send_lines, call, send_lines.name, NULL), in.type);
}
