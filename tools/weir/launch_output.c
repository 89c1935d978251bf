/* What the processes print: read through pipes, and written whole lines at a time, so that
 * lines of several processes never mix. Bytes are not looked at otherwise.
 *
 * Nothing here waits for whoever reads our output: what cannot be written yet is kept, up to a
 * limit beyond which no more is read from the processes. Pipes get at most PIPE_BUF bytes at a
 * time, which never block once poll says that there is room; O_NONBLOCK would change the pipe
 * for everybody who has it. */
#include "launch.h"

#include "base/alloc.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 16,
    LINE_BYTES_MAX = 1 << 20, /* longer lines are written in parts */
    KEPT_BYTES_MAX = 4 << 20,
    COLOURS = 6,
    FIRST_COLOUR = 31,
};

struct sink {
    int fd;
    bool is_file, colours;
    int error; /* an errno: nothing more can be written */
    char *bytes;
    size_t start, end, capacity;
};

static struct sink sinks[LAUNCH_OUTPUTS];
static unsigned sink_of[LAUNCH_OUTPUTS]; /* one sink for both if they are the same file */
static bool with_prefix;

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

void launch_output_init(bool prefix)
{
    struct stat info[LAUNCH_OUTPUTS] = {0};
    const char *no_colour = getenv("NO_COLOR");
    with_prefix = prefix;
    for (unsigned i = 0; i < LAUNCH_OUTPUTS; i++) {
        int fd = i ? STDERR_FILENO : STDOUT_FILENO;
        bool open = !fstat(fd, &info[i]);
        sinks[i] = (struct sink){.fd = fd,
                                 .is_file = open && S_ISREG(info[i].st_mode),
                                 .colours = isatty(fd) && !(no_colour && *no_colour),
                                 .error = open ? 0 : EBADF};
        sink_of[i] = i;
    }
    if (!sinks[0].error && !sinks[1].error && same_file(&info[0], &info[1]))
        sink_of[1] = 0;
}

/* ---- to our own outputs ----------------------------------------------------------------- */

static void sink_put(struct sink *sink, const char *bytes, size_t count)
{
    if (sink->error || !count)
        return;
    if (sink->start == sink->end)
        sink->start = sink->end = 0;
    if (sink->end + count > sink->capacity && sink->start) {
        memmove(sink->bytes, sink->bytes + sink->start, sink->end - sink->start);
        sink->end -= sink->start;
        sink->start = 0;
    }
    if (sink->end + count > sink->capacity) {
        sink->capacity = 2 * (sink->end + count);
        sink->bytes = wi_realloc(sink->bytes, sink->capacity);
    }
    memcpy(sink->bytes + sink->end, bytes, count);
    sink->end += count;
}

/* Writes what can be written within wait_ms (-1: everything). */
static void sink_flush(struct sink *sink, int wait_ms)
{
    while (sink->start < sink->end && !sink->error) {
        struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};
        int polled = poll(&ready, 1, wait_ms);
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled <= 0)
            return;
        size_t count = sink->end - sink->start;
        if (!sink->is_file && count > PIPE_BUF)
            count = PIPE_BUF;
        ssize_t wrote = write(sink->fd, sink->bytes + sink->start, count);
        if (wrote < 0 && errno == EAGAIN)
            poll(NULL, 0, 1); /* somebody else made it so that it does not block */
        else if (wrote < 0 && errno != EINTR)
            sink->error = errno;
        else if (wrote > 0)
            sink->start += (size_t)wrote;
    }
}

bool launch_output_has_room(unsigned output)
{
    const struct sink *sink = &sinks[sink_of[output]];
    return sink->end - sink->start < KEPT_BYTES_MAX;
}

bool launch_output_waits(unsigned output)
{
    const struct sink *sink = &sinks[output];
    return sink->start < sink->end && !sink->error;
}

void launch_output_flush(unsigned output)
{
    sink_flush(&sinks[output], 0);
}

void launch_output_drain(void)
{
    for (unsigned i = 0; i < LAUNCH_OUTPUTS; i++)
        sink_flush(&sinks[i], -1);
}

int launch_output_error(void)
{
    return sinks[0].error;
}

void launch_say(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return;
    struct sink *sink = &sinks[sink_of[1]];
    if (sink->fd == 0) { /* before launch_output_init */
        fprintf(stderr, "weir launch: %s\n", text);
    } else {
        sink_put(sink, "weir launch: ", 13);
        sink_put(sink, text, (size_t)length);
        sink_put(sink, "\n", 1);
    }
    free(text);
}

void launch_print(const char *bytes, size_t count)
{
    sink_put(&sinks[sink_of[0]], bytes, count);
}

/* ---- from the processes ----------------------------------------------------------------- */

static void put_prefix(struct sink *sink, unsigned process)
{
    char text[64];
    int length = sink->colours ? snprintf(text, sizeof text, "\033[%um[%u]\033[0m ",
                                          FIRST_COLOUR + process % COLOURS, process)
                               : snprintf(text, sizeof text, "[%u] ", process);
    sink_put(sink, text, (size_t)length);
}

/* Bytes that end with a line's end, or are to be taken as if they did. */
static void put_lines(const struct launch_stream *stream, const char *bytes, size_t count)
{
    struct sink *sink = &sinks[sink_of[stream->output]];
    if (!with_prefix) {
        sink_put(sink, bytes, count);
        return;
    }
    while (count) {
        const char *end = memchr(bytes, '\n', count);
        size_t length = end ? (size_t)(end - bytes) : count;
        put_prefix(sink, stream->process);
        sink_put(sink, bytes, length);
        sink_put(sink, "\n", 1);
        length += end != NULL;
        bytes += length;
        count -= length;
    }
}

void launch_stream_open(struct launch_stream *stream, int fd, unsigned process, unsigned output)
{
    *stream = (struct launch_stream){.fd = fd, .process = process, .output = output};
}

void launch_stream_close(struct launch_stream *stream)
{
    put_lines(stream, stream->bytes, stream->length);
    wi_free(stream->bytes);
    if (stream->fd >= 0)
        close(stream->fd);
    launch_stream_open(stream, -1, stream->process, stream->output);
}

void launch_stream_read(struct launch_stream *stream)
{
    if (stream->capacity < stream->length + READ_BYTES) {
        stream->capacity = 2 * stream->length + READ_BYTES;
        stream->bytes = wi_realloc(stream->bytes, stream->capacity);
    }
    ssize_t got = read(stream->fd, stream->bytes + stream->length, READ_BYTES);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        launch_stream_close(stream);
        return;
    }
    /* Up to the last end of a line, looked for in what is new. */
    const char *end = memrchr(stream->bytes + stream->length, '\n', (size_t)got);
    stream->length += (size_t)got;
    size_t whole = end ? (size_t)(end - stream->bytes) + 1
                   : stream->length >= LINE_BYTES_MAX ? stream->length : 0;
    put_lines(stream, stream->bytes, whole);
    memmove(stream->bytes, stream->bytes + whole, stream->length - whole);
    stream->length -= whole;
}
