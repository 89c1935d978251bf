/* Links over nng's byte streams. See nng_link.h and transport.h.
 *
 * nng has a thread that polls all sockets, and threads that run callbacks. Waiting for them
 * costs 100 us and more when the cores are busy, so a reader that polls does the work itself:
 * an aio without a callback is tried in the caller's thread when it is issued, and handed to
 * nng's poller only if the socket has nothing. Then it can be looked at (its count and result
 * change when it is over), and every so many looks it is aborted and issued again, which looks
 * at the socket again. An aborted aio has either moved bytes, and says so, or moved none: nng
 * ends a send with what the system took at once. So nothing is lost, in both directions.
 *
 *            begin               rung, or over                    end
 *   IDLE ------------> SILENT --------------------> (over) ----------------> IDLE
 *                        | arm (abort, issue anew with a callback)            ^
 *                        v                callback                  end       |
 *                       LOUD ----------------------> (rung) ------------------+
 *
 * TLS is always LOUD: aborting an operation of nng's TLS breaks its connection.
 *
 * The looks at an aio's count and result race with nng's threads, by intention. They are plain
 * aligned words in a library that was compiled elsewhere, the count is set only after the bytes
 * are there, and nng_aio_wait takes the aio's lock before anything else is believed. */
#include "nng_link.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "../base/assert.h"

/* Fruitless looks before the socket is looked at again. A look costs 2 ns, a try 0.6 us. */
#define LOOKS 16
/* Fruitless looks at a TLS link before it is asked whether it still has a peer. */
#define LOOKS_TLS 1024

_Static_assert(WI_WRITE_PARTS_MAX <= 8, "an aio of nng takes 8 pieces");

typedef struct wake_call {
    void (*wake)(void *arg); /* NULL: not armed */
    void *arg;
} wake_call;

typedef enum half_state { IDLE, SILENT, LOUD } half_state;

/* One direction of a link. Its reader's or its writer's, apart from what `lock` guards. */
typedef struct link_half {
    nng_stream *stream;
    void (*issue)(nng_stream *stream, nng_aio *aio); /* nng_stream_recv or _send */
    nng_aio *silent, *loud;                          /* `loud` is made when it is needed */
    bool always_loud;
    half_state state;
    uint32_t looks;
    nng_iov pieces[WI_WRITE_PARTS_MAX];
    unsigned count;
    pthread_mutex_t lock;
    wake_call waker;    /* under the lock; the callback takes it */
    _Atomic(bool) rung; /* release by the callback, acquire by who polls: `loud` is over */
} link_half;

typedef struct nng_link {
    wi_link link;
    nng_stream_dialer *dialer; /* NULL: accepted */
    wi_nng_event dialled;
    nng_stream *stream; /* NULL: opening, or it never came up */
    link_half reader, writer;
    char *peer, *url, *authority; /* authority: NULL without TLS */
    _Atomic(char *) why;          /* set once, by who first sees that it is down */
    _Atomic(bool) heard;          /* bytes were read */
} nng_link;

static nng_link *link_of(const wi_link *link)
{
    return (nng_link *)(uintptr_t)link;
}

/* ---- aios ------------------------------------------------------------------------------- */

nng_aio *wi_nng_aio(void (*done)(void *arg), void *arg)
{
    nng_aio *aio;
    if (nng_aio_alloc(&aio, done, arg) != 0)
        wi_alloc_failed(sizeof(nng_iov));
    return aio;
}

static void event_done(void *arg)
{
    wi_nng_event *event = arg;
    atomic_store_explicit(&event->done, true, memory_order_release);
}

void wi_nng_event_init(wi_nng_event *event)
{
    atomic_init(&event->done, false);
    event->aio = wi_nng_aio(event_done, event);
}

void wi_nng_event_fini(wi_nng_event *event)
{
    nng_aio_stop(event->aio);
    if (atomic_load_explicit(&event->done, memory_order_acquire) &&
        nng_aio_result(event->aio) == 0) {
        nng_stream *unclaimed = nng_aio_get_output(event->aio, 0);
        if (unclaimed) {
            nng_stream_close(unclaimed);
            nng_stream_free(unclaimed);
        }
    }
    nng_aio_free(event->aio);
}

bool wi_nng_is_own(nng_stream *stream)
{
    uint64_t user;
    return nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &user) != 0 || user == geteuid() ||
           user == 0;
}

/* ---- words ------------------------------------------------------------------------------ */

static char *words_of(const nng_link *link, int error)
{
    char text[1024];
    const char *why = nng_strerror(error);
    bool opening = !link->stream;
    if (error == NNG_ECONNREFUSED && opening)
        why = "connection refused: nobody listens there";
    else if (error == NNG_EAGAIN && opening)
        why = "connection refused: too many links wait to be accepted there";
    else if (error == NNG_EADDRINVAL && opening)
        why = "no such host";
    else if (error == NNG_EPERM && opening)
        why = "not permitted: the socket belongs to another user";
    else if (error == 0 || error == NNG_ECONNSHUT || error == NNG_ECLOSED ||
             error == NNG_ECONNREFUSED) /* TLS: the peer said that it closes */
        why = "closed by peer";
    else if (error == NNG_ECONNRESET)
        why = "connection reset by peer";
    if (!link->authority || opening || atomic_load_explicit(&link->heard, memory_order_relaxed))
        return wi_strdup(why);
    if (error == NNG_ECRYPTO || error == NNG_EPEERAUTH)
        why = "the certificates were not accepted";
    snprintf(text, sizeof text,
             "%s during the TLS handshake (both sides need certificates that are signed by the "
             "other's authority; ours is %s)",
             why, link->authority);
    return wi_strdup(text);
}

static void set_down(nng_link *link, int error)
{
    char *none = NULL, *why = words_of(link, error);
    if (!atomic_compare_exchange_strong(&link->why, &none, why))
        wi_free(why);
    else if (link->authority && link->stream)
        /* nng's TLS ends no operation that is issued after an error; closing ends all. */
        nng_stream_close(link->stream);
}

static bool is_down(const nng_link *link)
{
    return atomic_load_explicit(&link->why, memory_order_acquire) != NULL;
}

/* ---- halves ----------------------------------------------------------------------------- */

/* A task thread of nng. */
static void ring(void *arg)
{
    link_half *half = arg;
    pthread_mutex_lock(&half->lock);
    wake_call waker = half->waker;
    half->waker.wake = NULL;
    atomic_store_explicit(&half->rung, true, memory_order_release);
    pthread_mutex_unlock(&half->lock);
    if (waker.wake)
        waker.wake(waker.arg);
}

static void half_init(link_half *half, const nng_link *link,
                      void (*issue)(nng_stream *stream, nng_aio *aio))
{
    half->stream = link->stream;
    half->issue = issue;
    half->always_loud = link->authority != NULL;
    half->silent = wi_nng_aio(NULL, NULL);
    pthread_mutex_init(&half->lock, NULL);
}

/* The stream is closed. Waits for the callback. */
static void half_fini(link_half *half)
{
    nng_aio_stop(half->silent);
    nng_aio_free(half->silent);
    if (half->loud) {
        nng_aio_stop(half->loud);
        nng_aio_free(half->loud);
    }
    pthread_mutex_destroy(&half->lock);
}

static void issue(link_half *half, nng_aio *aio)
{
    nng_aio_set_iov(aio, half->count, half->pieces);
    half->issue(half->stream, aio);
}

static void go_loud(link_half *half, wake_call waker)
{
    if (!half->loud)
        half->loud = wi_nng_aio(ring, half);
    nng_aio_wait(half->loud); /* the last callback may not have returned yet */
    atomic_store_explicit(&half->rung, false, memory_order_relaxed);
    half->waker = waker;
    half->state = LOUD;
    issue(half, half->loud);
}

static bool is_over(nng_aio *aio)
{
    return nng_aio_count(aio) > 0 || nng_aio_result(aio) != 0;
}

/* Takes the silent aio back from nng; false if it was over, and stays so. */
static bool take_back(link_half *half)
{
    nng_aio_abort(half->silent, NNG_ECANCELED);
    nng_aio_wait(half->silent);
    return nng_aio_count(half->silent) == 0 && nng_aio_result(half->silent) == NNG_ECANCELED;
}

static void half_begin(link_half *half)
{
    wi_assert(half->state == IDLE, "one read, and one write, at a time");
    half->looks = 0;
    if (half->always_loud) {
        go_loud(half, (wake_call){0});
    } else {
        half->state = SILENT;
        issue(half, half->silent);
    }
}

/* NULL: not yet over. */
static nng_aio *half_look(link_half *half)
{
    if (half->state == LOUD)
        return atomic_load_explicit(&half->rung, memory_order_acquire) ? half->loud : NULL;
    nng_aio *aio = half->silent;
    if (!is_over(aio)) {
        if (++half->looks % LOOKS != 0)
            return NULL;
        if (take_back(half))
            issue(half, aio);
        if (!is_over(aio))
            return NULL;
    }
    nng_aio_wait(aio);
    return aio;
}

static int64_t half_end(nng_link *link, link_half *half)
{
    wi_assert(half->state != IDLE || is_down(link), "an end follows a begin");
    if (half->state == IDLE)
        return -1;
    nng_aio *aio = half_look(half);
    if (!aio) {
        nng_sockaddr peer;
        if (half->always_loud && ++half->looks % LOOKS_TLS == 0 && !is_down(link) &&
            nng_stream_get_addr(half->stream, NNG_OPT_REMADDR, &peer) != 0)
            set_down(link, NNG_ECONNSHUT);
        return 0;
    }
    half->state = IDLE;
    size_t count = nng_aio_count(aio);
    if (count > 0)
        return (int64_t)count;
    set_down(link, nng_aio_result(aio));
    return -1;
}

static void half_arm(link_half *half, wake_call waker)
{
    bool now = half->state == IDLE; /* down */
    if (half->state == SILENT) {
        if (take_back(half)) {
            go_loud(half, waker);
            return;
        }
        now = true;
    } else if (half->state == LOUD) {
        pthread_mutex_lock(&half->lock);
        now = atomic_load_explicit(&half->rung, memory_order_relaxed);
        if (!now)
            half->waker = waker;
        pthread_mutex_unlock(&half->lock);
    }
    if (now)
        waker.wake(waker.arg);
}

/* ---- links ------------------------------------------------------------------------------ */

static void set_up(nng_link *link, nng_stream *stream)
{
    link->stream = stream;
    half_init(&link->reader, link, nng_stream_recv);
    half_init(&link->writer, link, nng_stream_send);
}

static wi_link_state link_poll(wi_link *at)
{
    nng_link *link = link_of(at);
    if (is_down(link))
        return WI_LINK_DOWN;
    if (link->stream)
        return WI_LINK_UP;
    if (!atomic_load_explicit(&link->dialled.done, memory_order_acquire))
        return WI_LINK_OPENING;
    int error = nng_aio_result(link->dialled.aio);
    if (error) {
        set_down(link, error);
        return WI_LINK_DOWN;
    }
    nng_stream *stream = nng_aio_get_output(link->dialled.aio, 0);
    bool own = wi_nng_is_own(stream);
    if (!own)
        set_down(link, NNG_EPERM);
    set_up(link, stream);
    return own ? WI_LINK_UP : WI_LINK_DOWN;
}

static const char *link_peer(const wi_link *link)
{
    return link_of(link)->peer;
}

static const char *link_why(const wi_link *link)
{
    const char *why = atomic_load_explicit(&link_of(link)->why, memory_order_acquire);
    return why ? why : "";
}

/* Whether an operation can be issued: the other direction may go on when one has failed, but
 * not with TLS. */
static bool can_begin(const nng_link *link)
{
    wi_assert(link->stream || is_down(link), "a link that is opening is polled first");
    return link->stream && !(link->authority && is_down(link));
}

static void link_read_begin(wi_link *at, void *buffer, size_t bytes)
{
    nng_link *link = link_of(at);
    if (!can_begin(link))
        return;
    link->reader.pieces[0] = (nng_iov){.iov_buf = buffer, .iov_len = bytes};
    link->reader.count = 1;
    half_begin(&link->reader);
}

static int64_t link_read_end(wi_link *at)
{
    nng_link *link = link_of(at);
    int64_t bytes = half_end(link, &link->reader);
    if (bytes > 0 && link->authority)
        atomic_store_explicit(&link->heard, true, memory_order_relaxed);
    return bytes;
}

static void link_write_begin(wi_link *at, const wi_part *parts, uint32_t count)
{
    nng_link *link = link_of(at);
    if (!can_begin(link))
        return;
    for (uint32_t i = 0; i < count; i++)
        link->writer.pieces[i] = (nng_iov){.iov_buf = (void *)(uintptr_t)parts[i].at,
                                           .iov_len = parts[i].bytes};
    link->writer.count = count;
    half_begin(&link->writer);
}

static int64_t link_write_end(wi_link *at)
{
    nng_link *link = link_of(at);
    return half_end(link, &link->writer);
}

static void link_arm(wi_link *at, void (*wake)(void *arg), void *arg)
{
    half_arm(&link_of(at)->reader, (wake_call){wake, arg});
}

static void link_arm_write(wi_link *at, void (*wake)(void *arg), void *arg)
{
    half_arm(&link_of(at)->writer, (wake_call){wake, arg});
}

static void disarm(link_half *half)
{
    pthread_mutex_lock(&half->lock);
    half->waker.wake = NULL;
    pthread_mutex_unlock(&half->lock);
}

static void link_close(wi_link *at)
{
    nng_link *link = link_of(at);
    if (link->stream) {
        disarm(&link->reader);
        disarm(&link->writer);
        nng_stream_close(link->stream);
        half_fini(&link->reader);
        half_fini(&link->writer);
        nng_stream_free(link->stream);
    }
    if (link->dialer) {
        nng_stream_dialer_close(link->dialer);
        if (link->stream)
            nng_aio_free(link->dialled.aio);
        else
            wi_nng_event_fini(&link->dialled);
        nng_stream_dialer_free(link->dialer);
    }
    wi_free(atomic_load_explicit(&link->why, memory_order_acquire));
    wi_free(link->peer);
    wi_free(link->url);
    wi_free(link->authority);
    wi_free(link);
}

static const wi_link_ops link_ops = {
    .poll = link_poll,
    .peer = link_peer,
    .why = link_why,
    .read_begin = link_read_begin,
    .read_end = link_read_end,
    .write_begin = link_write_begin,
    .write_end = link_write_end,
    .arm = link_arm,
    .arm_write = link_arm_write,
    .close = link_close,
};

static nng_link *link_new(const char *url, const wi_tls *tls)
{
    nng_link *link = WI_NEW(nng_link);
    link->link.ops = &link_ops;
    link->url = wi_strdup(url);
    link->authority = tls ? wi_strdup(tls->authority) : NULL;
    return link;
}

wi_link *wi_nng_link_dial(nng_stream_dialer *dialer, const char *url, const wi_tls *tls)
{
    nng_link *link = link_new(url, tls);
    link->peer = wi_strdup(url);
    link->dialer = dialer;
    wi_nng_event_init(&link->dialled);
    nng_stream_dialer_dial(dialer, link->dialled.aio);
    return &link->link;
}

/* "127.0.0.1:34567", or the process at the other end of a local socket. */
static char *name_peer(nng_stream *stream, const char *url)
{
    char text[512], host[INET6_ADDRSTRLEN] = "?";
    nng_sockaddr peer;
    uint64_t pid = 0;
    if (nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_PID, &pid) == 0) {
        snprintf(text, sizeof text, "process %llu at %s", (unsigned long long)pid, url);
    } else if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &peer) != 0) {
        snprintf(text, sizeof text, "a peer that has gone, at %s", url);
    } else if (peer.s_family == NNG_AF_INET6) {
        inet_ntop(AF_INET6, peer.s_in6.sa_addr, host, sizeof host);
        snprintf(text, sizeof text, "[%s]:%u", host, ntohs(peer.s_in6.sa_port));
    } else {
        inet_ntop(AF_INET, &peer.s_in.sa_addr, host, sizeof host);
        snprintf(text, sizeof text, "%s:%u", host, ntohs(peer.s_in.sa_port));
    }
    return wi_strdup(text);
}

wi_link *wi_nng_link_accepted(nng_stream *stream, const char *url, const wi_tls *tls)
{
    nng_link *link = link_new(url, tls);
    link->peer = name_peer(stream, url);
    set_up(link, stream);
    return &link->link;
}
