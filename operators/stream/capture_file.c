/* capture into files, one for each worker: what its part of the stream was, and how the
 * frontier moved. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../base/alloc.h"
#include "capture_format.h"
#include "common.h"

typedef struct file_call {
    const weir_type *type;
    int dims;
    char path[1]; /* longer */
} file_call;

typedef struct state {
    wi_capture_writer writer;
    weir_antichain frontier; /* the last one written */
    bool failed;
} state;

static void check(weir_op *op, bool written)
{
    const file_call *call = weir_op_arg(op);
    state *to = weir_op_state(op);
    if (written || to->failed)
        return;
    to->failed = true;
    weir_op_stop(op, "cannot write `%s`: %s", call->path, strerror(errno));
}

static void on_start(weir_op *op)
{
    static const weir_time first;
    const file_call *call = weir_op_arg(op);
    const weir_worker *worker = weir_op_worker(op);
    state *to = weir_op_state(op);
    weir_antichain_init(&to->frontier);
    weir_antichain_insert(&to->frontier, &first);
    check(op, wi_capture_create(&to->writer, call->path, call->type, call->dims,
                                weir_worker_index(worker), weir_worker_count(worker)));
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    state *to = weir_op_state(op);
    if (!to->failed)
        check(op, wi_capture_put_batch(&to->writer, batch));
}

static void on_frontier(weir_op *op)
{
    state *to = weir_op_state(op);
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    if (to->failed || weir_antichain_eq(frontier, &to->frontier))
        return;
    weir_antichain_copy(&to->frontier, frontier);
    check(op, wi_capture_put_frontier(&to->writer, frontier));
    if (!frontier->count && !to->failed)
        check(op, wi_capture_close(&to->writer, true));
}

/* Without its end the file says that the stream was not complete. */
static void on_stop(weir_op *op)
{
    state *to = weir_op_state(op);
    wi_capture_close(&to->writer, false);
    weir_antichain_fini(&to->frontier);
}

static const weir_operator capture_file = {.name = "capture_file",
                                           .state_bytes = sizeof(state),
                                           .start = on_start,
                                           .batch = on_batch,
                                           .frontier = on_frontier,
                                           .stop = on_stop};

/* Opens the file once, so that a path that cannot be written is found while building. What
 * was in it stays until the dataflow runs. */
static bool writable(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    return fd >= 0 && close(fd) == 0;
}

void weir_capture_file(weir_stream in, const char *path)
{
    path = wi_path(in.scope, capture_file.name, path);
    size_t bytes = strlen(path) + 16; /* a dot and a number */
    file_call *call = wi_alloc(sizeof *call + bytes);
    call->type = in.type;
    call->dims = weir_scope_dims(in.scope);
    snprintf(call->path, bytes, "%s.%u", path, weir_worker_index(weir_scope_worker(in.scope)));
    if (!writable(call->path))
        weir_scope_fail(in.scope, "capture_file: cannot write `%s`: %s", call->path,
                        strerror(errno));
    weir_operator_end(wi_begin(in, WEIR_LOCAL, &capture_file, call, capture_file.name, NULL));
}
