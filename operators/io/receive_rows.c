/* receive_rows: typed rows from lines that come through sockets; see weir/socket.h.
 *
 * The worker reads the sockets itself, a chunk of each in turn, as long as there is room for rows
 * further down: the operator is a source, and is not called otherwise, so the system's buffers fill
 * and those who send wait. When there is nothing to read, all sockets are armed (net/poller.h),
 * and one that has something wakes the worker.
 *
 * Invariants
 *   R1  a read that was begun goes to the room that its decoder gave, and the decoder is not
 *       called before the read has ended
 *   R2  before the operator waits, every link is armed, again if need be: what was armed may have
 *       fired for nothing */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "incoming.h"
#include "meeting.h"

#define AT_ONCE 64
#define ROW_BYTES_MAX (1u << 20)

typedef struct receive_call {
    weir_receive how; /* its texts are copies */
    const weir_type *type;
    char **urls;
    uint32_t url_count;
} receive_call;

typedef struct connection {
    wi_incoming *in;
    wi_link *link;
    wi_rows *rows;
    char *peer;
    bool reading;
} connection;

typedef struct state {
    wi_incoming in;
    wi_meeting *meetings; /* one to listen, or one for each address that is dialled */
    uint32_t *partitions; /* of what is dialled */
    uint32_t meeting_count;
    connection **connections;
    uint32_t count, capacity;
    uint64_t come, gone, in_all;
    weir_activator *wake;
    uint64_t look_ns; /* when to ask the meetings again */
} state;

/* ---- connections ------------------------------------------------------------------------ */

static void on_bad(void *arg, const wi_no_row *what)
{
    const connection *at = arg;
    wi_incoming_reject(at->in, at->peer, what);
}

static connection *connection_new(state *from, const receive_call *call, wi_link *link,
                                  uint64_t partition)
{
    connection *at = WI_NEW(connection);
    weir_err *err = NULL;
    at->in = &from->in;
    at->link = link;
    at->peer = wi_strdup(wi_link_peer(link));
    at->rows = wi_incoming_rows(&call->how, call->type, partition, on_bad, at, &err);
    if (err)
        wi_incoming_fail(&from->in, err);
    return at;
}

static void connection_free(connection *at)
{
    wi_link_close(at->link);
    if (at->rows)
        wi_rows_free(at->rows);
    wi_free(at->peer);
    wi_free(at);
}

/* The peer has closed it, or it broke. */
static void ended(connection *at)
{
    const char *why = wi_link_why(at->link);
    if (strcmp(why, "closed by peer") == 0) {
        wi_rows_cut(at->rows, "the connection ended within this line: it has no newline");
        wi_incoming_send(at->in, at->rows);
    } else if (!at->in->how->listen) {
        wi_incoming_fail(at->in,
                         weir_err_new("the connection with %s broke: %s", at->peer, why));
    } else {
        wi_incoming_reject(
            at->in, at->peer,
            &(wi_no_row){.line = wi_rows_at(at->rows).lines + 1,
                         .text = "",
                         .why = "the connection broke here; nothing from this line on has come"});
    }
}

typedef enum gives { GIVES_NOTHING, GIVES_SOME, GIVES_END } gives;

static gives read_some(connection *at)
{
    if (!at->reading) {
        size_t room;
        char *to = wi_rows_room(at->rows, &room);
        wi_link_read_begin(at->link, to, room);
        at->reading = true;
    }
    int64_t got = wi_link_read_end(at->link);
    if (got == 0)
        return GIVES_NOTHING;
    at->reading = false;
    if (got < 0) {
        ended(at);
        return GIVES_END;
    }
    wi_rows_fill(at->rows, (size_t)got);
    wi_incoming_send(at->in, at->rows);
    return GIVES_SOME;
}

/* Whether any of them gave something. */
static bool read_all(state *from)
{
    bool some = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        connection *at = from->connections[i];
        gives what = from->in.failed ? GIVES_NOTHING : read_some(at);
        some |= what != GIVES_NOTHING;
        if (what == GIVES_END) {
            connection_free(at);
            from->gone++;
        } else {
            from->connections[kept++] = at;
        }
    }
    from->count = kept;
    return some;
}

/* ---- meeting ---------------------------------------------------------------------------- */

static void add(state *from, const receive_call *call, wi_link *link, uint64_t partition)
{
    wi_grow(&from->connections, &from->capacity, from->count + 1, sizeof *from->connections);
    from->connections[from->count++] = connection_new(from, call, link, partition);
    from->come++;
}

/* What is dialled is asked until it has answered, who listens as long as there is a place. */
static void meet(state *from, const receive_call *call, uint64_t now_ns)
{
    if (now_ns < from->look_ns)
        return;
    uint64_t again_ns, least_ns = UINT64_MAX;
    for (uint32_t i = 0; i < from->meeting_count && !from->in.failed; i++) {
        wi_meeting *with = &from->meetings[i];
        wi_link *link = NULL;
        while (with->url && !from->in.failed && from->count < call->how.at_once &&
               from->come < from->in_all) {
            weir_err *err = wi_meeting_ask(with, now_ns, &link, &again_ns);
            if (err)
                wi_incoming_fail(&from->in, err);
            if (!link) {
                least_ns = again_ns < least_ns ? again_ns : least_ns;
                break;
            }
            add(from, call, link, with->listens ? from->come % call->how.at_once
                                                   : from->partitions[i]);
            if (!with->listens)
                with->url = NULL;
        }
    }
    if (call->how.listen && from->come == from->in_all)
        wi_meeting_end(&from->meetings[0]); /* more are refused */
    from->look_ns = weir_add_saturating(now_ns, least_ns);
}

/* ---- the operator ----------------------------------------------------------------------- */

static void finish(state *from)
{
    for (uint32_t i = 0; i < from->meeting_count; i++)
        wi_meeting_end(&from->meetings[i]);
    for (uint32_t i = 0; i < from->count; i++)
        connection_free(from->connections[i]);
    from->count = from->meeting_count = 0;
    wi_incoming_end(&from->in);
}

static void wake(void *arg)
{
    weir_activator_fire(arg);
}

static void on_run(weir_op *op)
{
    const receive_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    if (!from->in.held || from->in.failed)
        return;
    uint64_t now_ns = weir_now(weir_op_worker(op));
    wi_incoming_move_on(&from->in, now_ns);
    uint64_t gone = from->gone;
    meet(from, call, now_ns);
    bool some = read_all(from);
    if (gone != from->gone)
        from->look_ns = 0; /* there is a place */
    if (from->gone == from->in_all) {
        finish(from);
    } else if (some) {
        weir_activate(op);
    } else if (!from->in.failed) {
        for (uint32_t i = 0; i < from->count; i++)
            wi_link_arm(from->connections[i]->link, wake, from->wake);
        wi_incoming_wait(&from->in, now_ns, from->look_ns);
    }
}

static void start_meeting(weir_op *op, state *from, const char *url, uint32_t partition)
{
    const receive_call *call = weir_op_arg(op);
    uint32_t at = from->meeting_count++;
    from->partitions[at] = partition;
    weir_err *err =
        wi_meeting_begin(&from->meetings[at], url, call->how.listen, call->how.connect_ns);
    if (err)
        wi_incoming_fail(&from->in, err);
}

static void on_start(weir_op *op)
{
    const receive_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    uint32_t index = weir_worker_index(weir_op_worker(op));
    uint32_t workers = weir_worker_count(weir_op_worker(op));
    from->meetings = WI_NEWS(wi_meeting, call->url_count);
    from->partitions = WI_NEWS(uint32_t, call->url_count);
    from->wake = weir_activator_new(op);
    from->in.op = op;
    for (uint32_t i = index; i < call->url_count; i += workers)
        start_meeting(op, from, call->urls[i], i);
    from->in_all = call->how.listen && index == 0 ? call->how.in_all : from->meeting_count;
    if (from->meeting_count > 0)
        wi_incoming_start(&from->in, op, &call->how);
}

static void on_stop(weir_op *op)
{
    state *from = weir_op_state(op);
    from->in.held = from->in.rejects = NULL; /* they are dropped by themselves */
    finish(from);
    if (from->wake)
        weir_activator_free(from->wake);
    wi_free(from->connections);
    wi_free(from->meetings);
    wi_free(from->partitions);
}

static const weir_operator receive_rows = {.name = "receive_rows",
                                           .source = true,
                                           .state_bytes = sizeof(state),
                                           .start = on_start,
                                           .run = on_run,
                                           .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static void keep_urls(weir_builder *builder, receive_call *call, const weir_receive *how)
{
    uint32_t count = how->url ? 1 : 0;
    for (const char *const *url = how->urls; url && *url; url++)
        count++;
    call->urls = WI_NEWS(char *, count + 1);
    weir_builder_keep(builder, call->urls);
    if (how->url)
        call->urls[call->url_count++] = wi_strdup(how->url);
    for (const char *const *url = how->urls; url && *url; url++)
        call->urls[call->url_count++] = wi_strdup(*url);
    for (uint32_t i = 0; i < count; i++)
        weir_builder_keep(builder, call->urls[i]);
}

static weir_err *check(const receive_call *call)
{
    weir_err *err = NULL;
    if (call->how.listen && call->url_count != 1)
        return weir_err_new("it can listen at one address, not at %u", call->url_count);
    if (!call->url_count)
        return wi_meeting_check(NULL, false, false);
    for (uint32_t i = 0; i < call->url_count && !err; i++)
        err = wi_meeting_check(call->urls[i], call->how.listen, call->how.beyond);
    if (err)
        return err;
    wi_rows *rows = wi_incoming_rows(&call->how, call->type, 0, NULL, NULL, &err);
    if (rows)
        wi_rows_free(rows);
    return err;
}

weir_stream weir_receive_rows(weir_dataflow *flow, const weir_type *type, const weir_receive *how)
{
    receive_call *call = WI_NEW(receive_call);
    weir_builder *builder = weir_operator_begin(flow, &receive_rows, call);
    weir_builder_keep(builder, call);
    call->how = *how;
    call->type = type;
    if (how->partition) {
        char *partition = wi_strdup(how->partition);
        weir_builder_keep(builder, partition);
        call->how.partition = partition;
    }
    call->how.at_once = how->at_once ? how->at_once : AT_ONCE;
    call->how.in_all = how->in_all ? how->in_all : 1;
    call->how.row_bytes_max = how->row_bytes_max ? how->row_bytes_max : ROW_BYTES_MAX;
    keep_urls(builder, call, how);
    if (!how->listen && call->how.at_once < call->url_count)
        call->how.at_once = call->url_count; /* all that are dialled */
    weir_err *err = check(call);
    if (err)
        weir_scope_fail(flow, "receive_rows: %s", weir_err_message(err));
    weir_err_free(err);
    weir_stream rows = wi_end(builder, type);
    weir_on_reject(rows, how->strict ? WEIR_REJECT_FAIL : WEIR_REJECT_SKIP);
    return rows;
}
