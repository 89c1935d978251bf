/* replay from files: each worker replays those files whose number modulo the workers is its
 * own. Each has capabilities of its own, so one that moves slowly holds back what it must. */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "capture_format.h"
#include "common.h"
#include "held.h"

/* Records of each file that are replayed in one call. */
#define RECORDS_A_CALL 4

typedef struct replay_call {
    const weir_type *type;
    uint32_t writers;
    char path[1]; /* longer */
} replay_call;

typedef struct replayed {
    wi_capture_reader reader;
    wi_held held;
    bool ended;
} replayed;

typedef struct state {
    replayed *files;
    uint32_t count;
} state;

static uint32_t file_count(const weir_worker *worker, uint32_t writers)
{
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    return index < writers ? (writers - index - 1) / workers + 1 : 0;
}

static weir_err *open_file(const replay_call *call, const weir_worker *worker, int dims,
                           uint32_t number, wi_capture_reader *reader)
{
    uint32_t writer = weir_worker_index(worker) + number * weir_worker_count(worker);
    size_t bytes = strlen(call->path) + 16;
    char *path = wi_alloc(bytes);
    snprintf(path, bytes, "%s.%u", call->path, writer);
    weir_err *err = wi_capture_open(reader, path, call->type, dims, writer, call->writers);
    wi_free(path);
    return err;
}

static bool stop_with(weir_op *op, weir_err *err)
{
    if (!err)
        return false;
    weir_op_stop(op, "%s", weir_err_message(err));
    weir_err_free(err);
    return true;
}

static void on_start(weir_op *op)
{
    static const weir_time first;
    const replay_call *call = weir_op_arg(op);
    state *all = weir_op_state(op);
    weir_capability *capability = weir_op_first_capability(op, 0);
    all->count = file_count(weir_op_worker(op), call->writers);
    all->files = WI_NEWS(replayed, all->count);
    bool failed = false;
    for (uint32_t i = 0; i < all->count && !failed; i++) {
        wi_held_init(&all->files[i].held, weir_capability_delay(capability, &first));
        failed = stop_with(op, open_file(call, weir_op_worker(op), weir_op_output_dims(op, 0), i,
                                         &all->files[i].reader));
    }
    weir_capability_drop(capability);
    if (all->count && !failed)
        weir_activate(op);
}

/* Replays one record; false once nothing is left of the file or it cannot be read on. */
static bool replay_record(weir_op *op, replayed *from)
{
    weir_batch *batch;
    bool ended;
    if (stop_with(op, wi_capture_next(&from->reader, &batch, &ended)))
        return false;
    if (batch)
        weir_send_batch(op, 0, batch);
    else if (!ended)
        wi_held_move(&from->held, &from->reader.frontier);
    return !ended;
}

/* A file that cannot be read on keeps its capabilities: its times are not complete. */
static void on_run(weir_op *op)
{
    state *all = weir_op_state(op);
    bool more = false;
    for (uint32_t i = 0; i < all->count; i++) {
        replayed *from = &all->files[i];
        for (int n = 0; n < RECORDS_A_CALL && !from->ended; n++)
            from->ended = !replay_record(op, from);
        more |= !from->ended;
    }
    if (more)
        weir_activate(op);
}

static void on_stop(weir_op *op)
{
    state *all = weir_op_state(op);
    for (uint32_t i = 0; i < all->count; i++) {
        wi_capture_reader_fini(&all->files[i].reader);
        wi_held_fini(&all->files[i].held);
    }
    wi_free(all->files);
}

static const weir_operator replay_file = {.name = "replay_file",
                                          .source = true,
                                          .state_bytes = sizeof(state),
                                          .start = on_start,
                                          .run = on_run,
                                          .stop = on_stop};

weir_stream weir_replay_file(weir_dataflow *flow, const weir_type *type, const char *path,
                             uint32_t writers)
{
    path = wi_path(flow, replay_file.name, path);
    size_t length = strlen(path);
    replay_call *call = wi_alloc(sizeof *call + length);
    call->type = type;
    call->writers = writers;
    memcpy(call->path, path, length + 1);
    weir_worker *worker = weir_scope_worker(flow);
    for (uint32_t i = 0; i < file_count(worker, writers); i++) {
        wi_capture_reader reader;
        weir_err *err = open_file(call, worker, weir_scope_dims(flow), i, &reader);
        wi_capture_reader_fini(&reader);
        if (err)
            weir_scope_fail(flow, "replay_file: %s", weir_err_message(err));
        weir_err_free(err);
    }
    if (!writers)
        weir_scope_fail(flow, "replay_file: `%s` by 0 writers; say how many workers wrote it",
                        path);
    weir_builder *builder = weir_operator_begin(flow, &replay_file, call);
    weir_builder_keep(builder, call);
    return wi_end(builder, type);
}
