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
#include <stdio.h>
#include <string.h>

#include <weir/socket.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "alarm.h"
#include "meeting.h"
#include "rows.h"

#define AT_ONCE 64
#define ROW_BYTES_MAX (1u << 20)
#define SAID_MAX 10
#define EPOCH_NS UINT64_C(1000000)

typedef struct receive_call {
    weir_receive how; /* its texts are copies */
    const weir_type *type;
    char **urls;
    uint32_t url_count;
} receive_call;

typedef struct connection {
    weir_op *op;
    wi_link *link;
    wi_rows *rows;
    char *peer;
    bool reading;
} connection;

typedef struct state {
    wi_meeting *meetings; /* one to listen, or one for each address that is dialled */
    uint32_t *partitions; /* of what is dialled */
    uint32_t meeting_count;
    connection **connections;
    uint32_t count, capacity;
    uint64_t come, gone, in_all;
    weir_activator *wake;
    weir_capability *held, *rejects;
    uint64_t began_ns, look_ns; /* when to ask the meetings again */
    wi_alarm alarm;
    bool failed;
    uint64_t said;
} state;

static void fail(weir_op *op, weir_err *err)
{
    state *from = weir_op_state(op);
    if (!from->failed)
        weir_op_stop(op, "%s", weir_err_message(err));
    from->failed = true;
    weir_err_free(err);
}

/* ---- what is no row --------------------------------------------------------------------- */

static void reject(weir_op *op, const char *place, const char *text, size_t length, const char *why)
{
    const receive_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    struct {
        weir_text text;
    } line = {weir_text_of(text, (uint32_t)length)};
    if (from->rejects)
        weir_send_at(op, weir_op_reject_output(op), weir_capability_time(from->rejects));
    else if (!call->how.silent && !call->how.strict && from->said++ < SAID_MAX)
        fprintf(stderr, "%s: %s\n", place, why);
    weir_reject(op, &weir_line_type, &line, "%s: %s", place, why);
}

static void on_bad(void *arg, const wi_no_row *what)
{
    const connection *at = arg;
    char *place;
    if (asprintf(&place, "%s:%llu", at->peer, (unsigned long long)what->line) < 0)
        return;
    reject(at->op, place, what->text, what->length, what->why);
    free(place);
}

/* ---- connections ------------------------------------------------------------------------ */

static connection *connection_new(weir_op *op, wi_link *link, uint64_t partition)
{
    const receive_call *call = weir_op_arg(op);
    connection *at = WI_NEW(connection);
    weir_err *err = NULL;
    at->op = op;
    at->link = link;
    at->peer = wi_strdup(wi_link_peer(link));
    at->rows = wi_rows_new(&(wi_rows_how){.type = call->type,
                                          .format = call->how.format,
                                          .header = call->how.header,
                                          .extra = call->how.extra,
                                          .line_by_line = call->how.line_by_line,
                                          .given = call->how.partition,
                                          .value = partition,
                                          .row_bytes_max = call->how.row_bytes_max,
                                          .bad = on_bad,
                                          .arg = at},
                           &err);
    if (err)
        fail(op, err);
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

static void send_rows(weir_op *op, connection *at)
{
    const state *from = weir_op_state(op);
    weir_err *err = NULL;
    for (weir_batch *batch; (batch = wi_rows_take(at->rows, UINT64_MAX, &err));) {
        batch->time = *weir_capability_time(from->held);
        weir_send_batch(op, 0, batch);
    }
    if (err)
        fail(op, err);
}

/* The peer has closed it, or it broke. */
static void ended(weir_op *op, connection *at)
{
    const receive_call *call = weir_op_arg(op);
    const char *why = wi_link_why(at->link);
    if (strcmp(why, "closed by peer") == 0) {
        wi_rows_end(at->rows);
        send_rows(op, at);
    } else if (!call->how.listen) {
        fail(op, weir_err_new("the connection with %s broke: %s", at->peer, why));
    } else {
        char *place;
        unsigned long long line = wi_rows_at(at->rows).lines + 1;
        if (asprintf(&place, "%s:%llu", at->peer, line) < 0)
            return;
        reject(op, place, "", 0, "the connection broke here; nothing from this line on has come");
        free(place);
    }
}

typedef enum gives { GIVES_NOTHING, GIVES_SOME, GIVES_END } gives;

static gives read_some(weir_op *op, connection *at)
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
        ended(op, at);
        return GIVES_END;
    }
    wi_rows_fill(at->rows, (size_t)got);
    send_rows(op, at);
    return GIVES_SOME;
}

/* Whether any of them gave something. */
static bool read_all(weir_op *op, state *from)
{
    bool some = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        connection *at = from->connections[i];
        gives what = from->failed ? GIVES_NOTHING : read_some(op, at);
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

static void add(weir_op *op, state *from, wi_link *link, uint64_t partition)
{
    wi_grow(&from->connections, &from->capacity, from->count + 1, sizeof *from->connections);
    from->connections[from->count++] = connection_new(op, link, partition);
    from->come++;
}

/* What is dialled is asked until it has answered, who listens as long as there is a place. */
static void meet(weir_op *op, state *from, uint64_t now_ns)
{
    const receive_call *call = weir_op_arg(op);
    if (now_ns < from->look_ns)
        return;
    uint64_t again_ns, least_ns = UINT64_MAX;
    for (uint32_t i = 0; i < from->meeting_count && !from->failed; i++) {
        wi_meeting *with = &from->meetings[i];
        wi_link *link = NULL;
        while (with->url && !from->failed && from->count < call->how.at_once &&
               from->come < from->in_all) {
            weir_err *err = wi_meeting_ask(with, now_ns, &link, &again_ns);
            if (err)
                fail(op, err);
            if (!link) {
                least_ns = again_ns < least_ns ? again_ns : least_ns;
                break;
            }
            add(op, from, link, with->listens ? from->come % call->how.at_once
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
    weir_capability_drop(from->held);
    weir_capability_drop(from->rejects);
    from->held = from->rejects = NULL;
}

static void move_on(const receive_call *call, state *from, uint64_t now_ns)
{
    if (!call->how.epoch_ms)
        return;
    weir_time time = WEIR_EPOCH((now_ns - from->began_ns) / (call->how.epoch_ms * EPOCH_NS));
    if (weir_time_eq(&time, weir_capability_time(from->held)))
        return;
    weir_capability_downgrade(from->held, &time);
    if (from->rejects)
        weir_capability_downgrade(from->rejects, &time);
}

static void wake(void *arg)
{
    weir_activator_fire(arg);
}

/* Until a socket has something, a meeting is to be asked, or the next epoch begins. */
static void wait(weir_op *op, const receive_call *call, state *from, uint64_t now_ns)
{
    for (uint32_t i = 0; i < from->count; i++)
        wi_link_arm(from->connections[i]->link, wake, from->wake);
    uint64_t until_ns = from->look_ns;
    if (call->how.epoch_ms) {
        uint64_t epoch_ns = call->how.epoch_ms * EPOCH_NS;
        uint64_t next_ns = now_ns + epoch_ns - (now_ns - from->began_ns) % epoch_ns;
        until_ns = next_ns < until_ns ? next_ns : until_ns;
    }
    wi_alarm_set(op, &from->alarm, now_ns, until_ns);
}

static void on_run(weir_op *op)
{
    const receive_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    if (!from->held || from->failed)
        return;
    uint64_t now_ns = weir_now(weir_op_worker(op));
    wi_alarm_waits(&from->alarm, now_ns);
    move_on(call, from, now_ns);
    uint64_t gone = from->gone;
    meet(op, from, now_ns);
    bool some = read_all(op, from);
    if (gone != from->gone)
        from->look_ns = 0; /* there is a place */
    if (from->gone == from->in_all)
        finish(from);
    else if (some)
        weir_activate(op);
    else if (!from->failed)
        wait(op, call, from, now_ns);
}

static void start_meeting(weir_op *op, state *from, const char *url, uint32_t partition)
{
    const receive_call *call = weir_op_arg(op);
    uint32_t at = from->meeting_count++;
    from->partitions[at] = partition;
    weir_err *err =
        wi_meeting_begin(&from->meetings[at], url, call->how.listen, call->how.connect_ns);
    if (err)
        fail(op, err);
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
    from->began_ns = weir_now(weir_op_worker(op));
    for (uint32_t i = index; i < call->url_count; i += workers)
        start_meeting(op, from, call->urls[i], i);
    from->in_all = call->how.listen && index == 0 ? call->how.in_all : from->meeting_count;
    if (from->meeting_count == 0)
        return; /* without capabilities it is done */
    from->held = weir_op_first_capability(op, 0);
    if (weir_op_reject_output(op) != UINT32_MAX)
        from->rejects = weir_op_first_capability(op, weir_op_reject_output(op));
    weir_activate(op);
}

static void on_stop(weir_op *op)
{
    state *from = weir_op_state(op);
    from->held = from->rejects = NULL; /* which are dropped by themselves */
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
    wi_rows *rows = wi_rows_new(&(wi_rows_how){.type = call->type,
                                               .format = call->how.format,
                                               .header = call->how.header,
                                               .given = call->how.partition},
                                &err);
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
