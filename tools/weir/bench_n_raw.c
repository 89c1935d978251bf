/* What plain sockets do in the patterns of `weir bench net`, in two processes of one thread
 * each: the most that the system gives, since nothing is checked and, but in cross_rows, nothing
 * made or looked at.
 *
 *   cross       process 0 sends frames of FRAME_BYTES, a header each, FRAMES_A_CALL to a system
 *               call; process 1 reads up to READ_BYTES at a time, and says when it has all
 *   cross_rows  the same, but process 0 makes the rows anew before each call, and process 1 adds
 *               up what it reads: what a program that moves rows cannot do without
 *   cross_both  the same in both directions at once, without blocking, half as much each
 *   epoch       both send MESSAGE_BYTES, then spin until the other's are there
 *   round_trip  MESSAGE_BYTES to and fro, spinning; half the time of a round trip
 *
 * Frame, header, write and read sizes are those of weir's data (net/frame.h, net/session.h, and
 * runtime/wire.h), the message is a frame about progress. Sockets have the system's buffers, and
 * TCP_NODELAY, as nng's. */
#include "bench.h"
#include "bench_data.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FRAME_BYTES = 64 * 1024, /* of rows */
    HEADER_BYTES = 64 + 128,
    FRAMES_A_CALL = 4,
    READ_BYTES = 260 * 1024,
    MESSAGE_BYTES = 128,
    DIAL_MS_MAX = 10000,
    ROW_BYTES = 16,
};

static void fail(const char *what)
{
    fprintf(stderr, "weir bench-run --raw: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- two processes and a socket --------------------------------------------------------- */

union address {
    struct sockaddr any;
    struct sockaddr_in tcp;
    struct sockaddr_un local;
};

/* Process 0's: the first of the hosts. */
static socklen_t address_of(const struct bench_args *args, union address *address_out)
{
    char url[128], host[64];
    unsigned port;
    memset(address_out, 0, sizeof *address_out);
    snprintf(url, sizeof url, "%.*s", (int)strcspn(args->hosts, ","), args->hosts);
    if (sscanf(url, "tcp://%63[0-9.]:%u", host, &port) == 2) {
        address_out->tcp.sin_family = AF_INET;
        address_out->tcp.sin_port = htons((uint16_t)port);
        inet_pton(AF_INET, host, &address_out->tcp.sin_addr);
        return sizeof address_out->tcp;
    }
    const char *name = strstr(url, "://");
    address_out->local.sun_family = AF_UNIX;
    int length = snprintf(address_out->local.sun_path + 1,
                          sizeof address_out->local.sun_path - 1, "%s", name ? name + 3 : url);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int accept_one(const union address *address, socklen_t length)
{
    int yes = 1, listener = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listener < 0 || bind(listener, &address->any, length) < 0 || listen(listener, 1) < 0)
        fail("listen");
    int to = accept(listener, NULL, NULL);
    close(listener);
    return to;
}

static int dial(const union address *address, socklen_t length)
{
    for (unsigned ms = 0; ms < DIAL_MS_MAX; ms++) {
        int to = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(to, &address->any, length) == 0)
            return to;
        close(to);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return -1;
}

/* The socket to the other process. */
static int meet(const struct bench_args *args)
{
    union address address;
    socklen_t length = address_of(args, &address);
    int yes = 1, to = args->process == 0 ? accept_one(&address, length) : dial(&address, length);
    if (to < 0)
        fail("connect");
    if (address.any.sa_family == AF_INET)
        setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return to;
}

/* ---- streams ---------------------------------------------------------------------------- */

/* Frames on their way, again and again the same. */
struct sending {
    char *frames;
    uint64_t bytes, sent;
};

static uint64_t wire_bytes(uint64_t rows)
{
    uint64_t rows_a_frame = FRAME_BYTES / ROW_BYTES;
    return rows * ROW_BYTES + (rows + rows_a_frame - 1) / rows_a_frame * HEADER_BYTES;
}

static void sending_init(struct sending *it, uint64_t rows)
{
    *it = (struct sending){.bytes = wire_bytes(rows)};
    it->frames = wi_alloc_lines(FRAMES_A_CALL * (HEADER_BYTES + FRAME_BYTES));
}

/* One system call; true unless it would block. Headers and rows are parts of their own. */
static bool send_some(int to, struct sending *it, int flags)
{
    const size_t period = HEADER_BYTES + FRAME_BYTES, all = FRAMES_A_CALL * period;
    struct iovec parts[2 * FRAMES_A_CALL];
    size_t count = 0, offset = it->sent % all;
    uint64_t left = it->bytes - it->sent;
    while (count < 2 * FRAMES_A_CALL && offset < all && left) {
        size_t inside = offset % period;
        size_t size = inside < HEADER_BYTES ? HEADER_BYTES - inside : period - inside;
        size = size < left ? size : left;
        parts[count++] = (struct iovec){it->frames + offset, size};
        offset += size;
        left -= size;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(to, &message, flags | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        fail("send");
    it->sent += sent > 0 ? (uint64_t)sent : 0;
    return sent > 0;
}

/* One system call; how much came, 0 if it would block. */
static uint64_t receive_some(int from, char *buffer, size_t bytes, int flags)
{
    ssize_t got = recv(from, buffer, bytes, flags);
    if (got == 0) {
        errno = ECONNRESET;
        fail("receive");
    }
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        fail("receive");
    return got > 0 ? (uint64_t)got : 0;
}

static void result_of_stream(uint64_t rows, uint64_t begin_ns, struct bench_result *result_out)
{
    result_out->value = (double)(rows * ROW_BYTES) / (double)(bench_now_ns() - begin_ns);
    result_out->check = rows;
}

static void make_rows(struct sending *it, uint64_t *made)
{
    for (size_t frame = 0; frame < FRAMES_A_CALL; frame++) {
        char *begin = it->frames + frame * (HEADER_BYTES + FRAME_BYTES) + HEADER_BYTES;
        uint64_t *words = (uint64_t *)(void *)begin, key = *made;
        for (size_t i = 0; i < FRAME_BYTES / ROW_BYTES; i++) {
            words[2 * i] = key + i;
            words[2 * i + 1] = key + i + BENCH_GOLDEN;
        }
        *made += FRAME_BYTES / ROW_BYTES;
    }
}

static uint64_t sum_words(const char *from, uint64_t bytes)
{
    const uint64_t *words = (const uint64_t *)(const void *)from;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < bytes / sizeof *words; i++)
        sum += words[i];
    return sum;
}

static void cross(const struct bench_args *args, bool with_rows, struct bench_result *result_out)
{
    uint64_t rows = args->batch * args->epochs, made = 0, sum = 0;
    int other = meet(args);
    char *buffer = wi_alloc_lines(READ_BYTES);
    struct sending sending;
    sending_init(&sending, rows);
    uint64_t begin_ns = bench_now_ns();
    if (args->process == 0) {
        while (sending.sent < sending.bytes) {
            if (with_rows && sending.sent % (FRAMES_A_CALL * (HEADER_BYTES + FRAME_BYTES)) == 0)
                make_rows(&sending, &made);
            send_some(other, &sending, 0);
        }
        receive_some(other, buffer, READ_BYTES, 0); /* it has all */
    } else {
        for (uint64_t got = 0, more; got < sending.bytes; got += more) {
            more = receive_some(other, buffer, READ_BYTES, 0);
            sum += with_rows ? sum_words(buffer, more) : 0;
        }
        *(volatile uint64_t *)(void *)buffer = sum; /* it is wanted */
        send(other, "", 1, MSG_NOSIGNAL);
    }
    result_of_stream(rows, begin_ns, result_out);
    close(other);
    wi_free(sending.frames);
    wi_free(buffer);
}

void bench_raw_cross(const struct bench_args *args, struct bench_result *result_out)
{
    cross(args, false, result_out);
}

void bench_raw_cross_rows(const struct bench_args *args, struct bench_result *result_out)
{
    cross(args, true, result_out);
}

void bench_raw_cross_both(const struct bench_args *args, struct bench_result *result_out)
{
    uint64_t rows = args->batch * args->epochs / 2, got = 0; /* in each direction */
    int other = meet(args);
    char *buffer = wi_alloc_lines(READ_BYTES);
    struct sending sending;
    sending_init(&sending, rows);
    uint64_t begin_ns = bench_now_ns();
    while (sending.sent < sending.bytes || got < sending.bytes) {
        bool sent = sending.sent < sending.bytes && send_some(other, &sending, MSG_DONTWAIT);
        uint64_t before = got;
        if (got < sending.bytes)
            got += receive_some(other, buffer, READ_BYTES, MSG_DONTWAIT);
        if (!sent && got == before)
            sched_yield();
    }
    result_of_stream(2 * rows, begin_ns, result_out);
    close(other);
    wi_free(sending.frames);
    wi_free(buffer);
}

/* ---- messages --------------------------------------------------------------------------- */

static void send_message(int to)
{
    static char message[MESSAGE_BYTES];
    if (send(to, message, sizeof message, MSG_NOSIGNAL) != sizeof message)
        fail("send");
}

static void spin_for_message(int from)
{
    char message[MESSAGE_BYTES]; /* and not what may be behind it */
    for (uint64_t got = 0; got < MESSAGE_BYTES;)
        got += receive_some(from, message, MESSAGE_BYTES - got, MSG_DONTWAIT);
}

static void measure_messages(const struct bench_args *args, bool in_turns,
                             struct bench_result *result_out)
{
    uint32_t *samples = WI_NEWS(uint32_t, args->rounds + 1);
    int other = meet(args);
    uint64_t last = bench_now_ns();
    for (uint64_t round = 0; round < BENCH_WARM_UP_ROUNDS + args->rounds; round++) {
        if (in_turns && args->process)
            spin_for_message(other);
        send_message(other);
        if (!in_turns || !args->process)
            spin_for_message(other);
        uint64_t now = bench_now_ns(), took = (now - last) / (in_turns ? 2 : 1);
        if (round >= BENCH_WARM_UP_ROUNDS)
            samples[round - BENCH_WARM_UP_ROUNDS] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
        last = now;
    }
    close(other);
    bench_latencies(samples, args->rounds, result_out);
    result_out->check = args->rounds;
    wi_free(samples);
}

void bench_raw_epoch(const struct bench_args *args, struct bench_result *result_out)
{
    measure_messages(args, false, result_out);
}

void bench_raw_round_trip(const struct bench_args *args, struct bench_result *result_out)
{
    measure_messages(args, true, result_out);
}
