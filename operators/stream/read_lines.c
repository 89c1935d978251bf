/* read_lines: the lines of a text file, each worker its part.
 *
 * Worker i of n reads the lines that start in bytes [size * i / n, size * (i + 1) / n). It
 * reads a buffer at a time; the buffer becomes part of the batch whose lines lie in it, so
 * that lines are not copied. What has no size (a pipe) worker 0 reads alone, and only while
 * there is something to read. Parts go by the size that the file had when the dataflow was built; a
 * file that has another one then stops the run: workers may have seen different ones. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "common.h"

#define BUFFER_BYTES (32 * 1024)
/* So that what was searched and one more read fit the length of a text. */
#define LINE_BYTES_MAX (UINT32_MAX - BUFFER_BYTES)
#define WAIT_NS_MIN 1000
#define WAIT_NS_MAX 10000000 /* so a pipe without data costs less than 1% of a core */

typedef struct lines_call {
    bool plain;     /* a file that has bytes; /proc says 0 */
    uint64_t bytes; /* so many, when this was built */
    char path[1];   /* longer */
} lines_call;

typedef struct state {
    weir_capability *capability;
    int fd; /* -1: nothing left to read */
    bool plain;
    bool aligned; /* `at` is where a line starts */
    uint64_t at;  /* of the buffer's first byte in the file */
    uint64_t end; /* lines that start here or later are not ours */
    char *buffer; /* `used` bytes read of `capacity`, none of them sent yet */
    size_t used, capacity;
    size_t searched; /* so many of them hold no newline */
    uint64_t wait_ns;
} state;

#define LINE(F) F(weir_text, text)
typedef struct line {
    LINE(WEIR_I_MEMBER)
} line;

static const weir_field *line_fields(void)
{
    typedef line weir_self;
    static const weir_field fields[] = {LINE(WEIR_I_FIELD){.name = NULL, .kind = WEIR_KIND_count}};
    return fields;
}

const weir_type weir_line_type = {.name = "line",
                                  .size = sizeof(line),
                                  .align = _Alignof(line),
                                  .field_count = 0 LINE(WEIR_I_ONE),
                                  .text_count = 0 LINE(WEIR_I_TEXTS),
                                  .describe = line_fields};

/* ---- opening ---------------------------------------------------------------------------- */

static void finish(state *from)
{
    if (from->fd >= 0)
        close(from->fd);
    from->fd = -1;
    wi_free(from->buffer);
    from->buffer = NULL;
    weir_capability_drop(from->capability);
    from->capability = NULL;
}

static void fail(weir_op *op, const char *what)
{
    const lines_call *call = weir_op_arg(op);
    weir_op_stop(op, "cannot %s `%s`: %s", what, call->path, strerror(errno));
    finish(weir_op_state(op));
}

/* All has been read. A file that this worker has read alone may have become longer. */
static void end(weir_op *op, state *from)
{
    const lines_call *call = weir_op_arg(op);
    struct stat facts;
    bool alone = weir_worker_count(weir_op_worker(op)) == 1;
    if (from->plain && fstat(from->fd, &facts) == 0 && (uint64_t)facts.st_size != call->bytes &&
        (!alone || (uint64_t)facts.st_size < call->bytes))
        weir_op_stop(op,
                     "`%s` has changed while it was read, from %llu bytes to %llu: lines may be "
                     "missing",
                     call->path, (unsigned long long)call->bytes,
                     (unsigned long long)facts.st_size);
    finish(from);
}

/* Where this worker's part begins. Its first line starts after the newline before it. */
static bool seek_part(weir_op *op, state *from, uint64_t size)
{
    uint64_t index = weir_worker_index(weir_op_worker(op));
    uint64_t count = weir_worker_count(weir_op_worker(op));
    uint64_t begin = (uint64_t)((unsigned __int128)size * index / count);
    from->end = (uint64_t)((unsigned __int128)size * (index + 1) / count);
    from->aligned = begin == 0;
    from->at = begin ? begin - 1 : 0;
    return lseek(from->fd, (off_t)from->at, SEEK_SET) >= 0;
}

/* Whether another process would find something else there, its own standard input say. */
static bool is_own(const char *path)
{
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
}

static void on_start(weir_op *op)
{
    const lines_call *call = weir_op_arg(op);
    state *from = weir_op_state(op);
    from->fd = -1;
    from->wait_ns = WAIT_NS_MIN;
    from->capability = weir_op_first_capability(op, 0);
    from->plain = call->plain;
    if (weir_process_count(weir_op_worker(op)) > 1 && is_own(call->path))
        from->plain = false;
    from->aligned = true;
    from->end = UINT64_MAX;
    if (!from->plain && weir_worker_index(weir_op_worker(op)) != 0) {
        finish(from);
        return;
    }
    /* Else opening a FIFO would wait for who writes there. */
    from->fd = open(call->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from->fd < 0) {
        fail(op, "open");
    } else if (from->plain && !seek_part(op, from, call->bytes)) {
        fail(op, "read");
    } else {
        from->capacity = BUFFER_BYTES;
        from->buffer = wi_alloc(from->capacity);
        weir_activate(op);
    }
}

/* ---- lines ------------------------------------------------------------------------------ */

static uint32_t count_newlines(const char *bytes, size_t length)
{
    uint32_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\n';
    return count;
}

/* The lines in the first `length` bytes of the buffer, which end with a newline or the file,
 * as a batch of which the buffer becomes a part. Only lines that start below `end`. */
static weir_batch *batch_of(state *from, size_t length)
{
    const char *at = from->buffer, *end = at + length;
    const char *stop = from->end - from->at < length ? at + (from->end - from->at) : end;
    weir_batch *batch = weir_batch_new(&weir_line_type, count_newlines(at, length) + 1);
    line *lines = batch->rows;
    while (at < stop) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            newline = end;
        lines[batch->count++].text = weir_text_of(at, (uint32_t)(newline - at));
        at = newline + 1;
    }
    wi_batch_adopt(batch, from->buffer, from->capacity);
    return batch;
}

/* Sends the lines in the first `length` bytes; what follows them begins the next buffer. */
static void send_lines(weir_op *op, state *from, size_t length)
{
    size_t rest = from->used - length;
    char *next = wi_alloc(rest < BUFFER_BYTES ? BUFFER_BYTES : rest);
    memcpy(next, from->buffer + length, rest);
    if (length < from->capacity / 2) {
        from->capacity = length;
        from->buffer = wi_realloc(from->buffer, length);
    }
    weir_batch *batch = batch_of(from, length);
    from->buffer = next;
    from->capacity = rest < BUFFER_BYTES ? BUFFER_BYTES : rest;
    from->at += length;
    from->used = rest;
    from->searched = 0;
    weir_send_batch(op, 0, batch);
}

/* Looks for the newline before this worker's first line; drops everything up to it. */
static void align(state *from)
{
    const char *newline = memchr(from->buffer, '\n', from->used);
    size_t skipped = newline ? (size_t)(newline - from->buffer) + 1 : from->used;
    from->aligned = newline != NULL;
    from->at += skipped;
    from->used -= skipped;
    memmove(from->buffer, from->buffer + skipped, from->used);
}

/* Sends what is complete. False once there is nothing left to read. */
static bool take_lines(weir_op *op, state *from, bool ended)
{
    if (!from->aligned)
        align(from);
    if (from->at >= from->end || (ended && !from->used))
        return false;
    if (ended) {
        send_lines(op, from, from->used);
        return false;
    }
    const char *fresh = from->buffer + from->searched;
    const char *newline = memrchr(fresh, '\n', from->used - from->searched);
    from->searched = from->used;
    if (newline)
        send_lines(op, from, (size_t)(newline - from->buffer) + 1);
    return from->at < from->end;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* A pipe without data must not be waited for: other operators have work. */
static bool ready(weir_op *op, state *from)
{
    struct pollfd poll_fd = {.fd = from->fd, .events = POLLIN};
    if (from->plain || poll(&poll_fd, 1, 0) != 0) {
        from->wait_ns = WAIT_NS_MIN;
        return true;
    }
    weir_activate_after(op, from->wait_ns);
    from->wait_ns = from->wait_ns * 2 < WAIT_NS_MAX ? from->wait_ns * 2 : WAIT_NS_MAX;
    return false;
}

static void on_run(weir_op *op)
{
    state *from = weir_op_state(op);
    if (from->fd < 0 || !ready(op, from))
        return;
    if (from->used == from->capacity) {
        from->capacity *= 2;
        from->buffer = wi_realloc(from->buffer, from->capacity);
    }
    size_t room = from->capacity - from->used;
    ssize_t got =
        read(from->fd, from->buffer + from->used, room < BUFFER_BYTES ? room : BUFFER_BYTES);
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
        fail(op, "read");
        return;
    }
    from->used += got > 0 ? (size_t)got : 0;
    if (from->searched > LINE_BYTES_MAX) {
        const lines_call *call = weir_op_arg(op);
        weir_op_stop(op, "`%s`: the line at byte %llu is longer than 4 GiB", call->path,
                     (unsigned long long)from->at);
        finish(from);
    } else if (take_lines(op, from, got == 0)) {
        weir_activate(op);
    } else {
        end(op, from);
    }
}

static void on_stop(weir_op *op)
{
    state *from = weir_op_state(op);
    if (from->fd >= 0)
        close(from->fd);
    wi_free(from->buffer);
}

static const weir_operator read_lines = {.name = "read_lines",
                                         .source = true,
                                         .state_bytes = sizeof(state),
                                         .start = on_start,
                                         .run = on_run,
                                         .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

/* Opens a plain file once, so that it is found while building if it cannot be read. */
static bool readable(const char *path, lines_call *call)
{
    struct stat facts;
    if (stat(path, &facts) < 0)
        return false;
    call->plain = S_ISREG(facts.st_mode) && facts.st_size > 0;
    call->bytes = (uint64_t)facts.st_size;
    if (S_ISDIR(facts.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (!S_ISREG(facts.st_mode))
        return access(path, R_OK) == 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

weir_stream weir_read_lines(weir_dataflow *flow, const void *path)
{
    path = wi_path(flow, read_lines.name, path);
    size_t length = strlen(path);
    lines_call *call = wi_calloc(1, sizeof *call + length);
    memcpy(call->path, path, length + 1);
    if (!readable(path, call))
        weir_scope_fail(flow, "read_lines: cannot open `%s`: %s", (const char *)path,
                        strerror(errno));
    weir_builder *builder = weir_operator_begin(flow, &read_lines, call);
    weir_builder_keep(builder, call);
    return wi_end(builder, &weir_line_type);
}
