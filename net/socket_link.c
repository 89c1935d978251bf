/* Links over sockets of the system, which never block. See socket_link.h and transport.h.
 *
 * A read or a write is tried by the thread that asks whether it has ended (a write also when it
 * begins): nothing goes on behind anybody's back. Who sleeps leaves the waiting to the poller
 * (poller.h). */
#include "socket_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "poller.h"
#include "socket_rings.h"

/* One direction. Its reader's or its writer's. */
typedef struct link_half {
    struct iovec pieces[WI_WRITE_PARTS_MAX];
    size_t count; /* 0: nothing was begun */
    bool armed;   /* since it was begun */
} link_half;

typedef struct socket_link {
    wi_link link;
    wi_polled at; /* the descriptor; -1: none */
    bool opening;
    wi_resolving *resolving; /* NULL: accepted, or no longer needed */
    link_half halves[WI_WAYS];
    int64_t sent; /* by the write that was begun, which is over; 0: it is not */
    wi_socket_rings shared;
    char *peer, *url;
    _Atomic(char *) why; /* set once, by who first sees that it is down */
} socket_link;

static socket_link *link_of(const wi_link *link)
{
    return (socket_link *)(uintptr_t)link;
}

/* ---- words ------------------------------------------------------------------------------ */

static const char *words_of(const socket_link *link, int error)
{
    switch (error) {
    case 0:
    case EPIPE: return "closed by peer";
    case EBADMSG: return "what is in the memory shared with it cannot be";
    case ECONNRESET: return "connection reset by peer";
    case ECONNABORTED: return "connection aborted";
    case ECONNREFUSED:
    case ENOENT: return "connection refused: nobody listens there";
    case EAGAIN: return "connection refused: too many links wait to be accepted there";
    case EACCES:
    case EPERM:
        return link->opening ? "not permitted: the socket belongs to another user"
                             : strerror(error);
    default: return strerror(error);
    }
}

static void set_down(socket_link *link, const char *words)
{
    char *none = NULL, *why = wi_strdup(words);
    if (!atomic_compare_exchange_strong(&link->why, &none, why))
        wi_free(why);
}

static bool is_down(const socket_link *link)
{
    return atomic_load_explicit(&link->why, memory_order_acquire) != NULL;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* A socket that dials a port from which the system takes those of who dials may meet itself. */
static bool has_met_itself(int socket)
{
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_bytes = sizeof own, peer_bytes = sizeof peer;
    return getsockname(socket, (struct sockaddr *)&own, &own_bytes) == 0 &&
           getpeername(socket, (struct sockaddr *)&peer, &peer_bytes) == 0 &&
           own.ss_family != AF_UNIX && own_bytes == peer_bytes &&
           memcmp(&own, &peer, own_bytes) == 0;
}

bool wi_socket_is_own(int socket)
{
    struct ucred who;
    int family = AF_UNSPEC;
    socklen_t bytes = sizeof family, who_bytes = sizeof who;
    getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &bytes);
    if (family != AF_UNIX)
        return true;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &who_bytes) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

/* Why who has answered is not whom we dialled; 0: it may be. */
static int wrong_peer(int socket)
{
    return has_met_itself(socket) ? ECONNREFUSED : wi_socket_is_own(socket) ? 0 : EPERM;
}

static void set_up(socket_link *link)
{
    int yes = 1; /* fails for local ones */
    setsockopt(link->at.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    link->opening = false;
    wi_resolving_free(link->resolving);
    link->resolving = NULL;
}

/* Begins to connect to the next address, or is down with the last one's error. */
static void try_next(socket_link *link, int error)
{
    socklen_t bytes;
    const struct sockaddr *to;
    while ((to = wi_resolved_next(link->resolving, &bytes))) {
        if (link->at.socket >= 0)
            close(link->at.socket);
        link->at.socket = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        error = link->at.socket < 0 || connect(link->at.socket, to, bytes) < 0 ? errno : 0;
        if (!error)
            error = wrong_peer(link->at.socket);
        if (!error)
            set_up(link);
        if (!error || (link->at.socket >= 0 && error == EINPROGRESS))
            return;
    }
    set_down(link, error ? words_of(link, error) : "no such host");
}

static wi_link_state link_poll(wi_link *at)
{
    socket_link *link = link_of(at);
    if (link->opening && !is_down(link)) {
        if (link->at.socket < 0) {
            if (wi_resolved(link->resolving))
                try_next(link, 0);
        } else {
            int error = 0;
            socklen_t bytes = sizeof error;
            struct pollfd ready = {.fd = link->at.socket, .events = POLLOUT};
            if (poll(&ready, 1, 0) > 0) {
                getsockopt(link->at.socket, SOL_SOCKET, SO_ERROR, &error, &bytes);
                if (!error)
                    error = wrong_peer(link->at.socket);
                if (error)
                    try_next(link, error);
                else
                    set_up(link);
            }
        }
    }
    return is_down(link) ? WI_LINK_DOWN : link->opening ? WI_LINK_OPENING : WI_LINK_UP;
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

/* ---- halves ----------------------------------------------------------------------------- */

static void half_begin(socket_link *link, wi_way way, size_t count)
{
    wi_assert(!link->halves[way].count, "one read, and one write, at a time");
    wi_assert(!link->opening || is_down(link), "a link that is opening is polled first");
    link->halves[way].count = link->opening ? 0 : count;
}

/* `moved` is what a call of the system has: 0 is the end of what can be read. Returns what a
 * link says of it. */
static int64_t half_moved(socket_link *link, wi_way way, ssize_t moved)
{
    link_half *half = &link->halves[way];
    int error = moved < 0 ? errno : 0;
    if (error == EAGAIN || error == EINTR)
        return 0;
    if (half->armed)
        wi_poller_disarm(&link->at, way);
    if (half->armed && link->shared.on)
        wi_rings_rest(link->shared.rings, way);
    half->armed = false;
    half->count = 0;
    if (moved > 0)
        return moved;
    set_down(link, words_of(link, error));
    return -1;
}

static void link_read_begin(wi_link *at, void *buffer, size_t bytes)
{
    socket_link *link = link_of(at);
    link->halves[WI_WAY_IN].pieces[0] = (struct iovec){buffer, bytes};
    half_begin(link, WI_WAY_IN, 1);
}

static int64_t link_read_end(wi_link *at)
{
    socket_link *link = link_of(at);
    const link_half *half = &link->halves[WI_WAY_IN];
    wi_assert(half->count || is_down(link), "an end follows a begin");
    if (!half->count)
        return -1;
    const struct iovec *to = &half->pieces[0];
    return half_moved(link, WI_WAY_IN,
                      link->shared.on
                          ? wi_socket_rings_read(&link->shared, link->at.socket, to, !half->armed)
                          : recv(link->at.socket, to->iov_base, to->iov_len, MSG_DONTWAIT));
}

static int64_t write_now(socket_link *link)
{
    if (link->shared.on && is_down(link)) { /* memory does not say so */
        errno = EPIPE;
        return half_moved(link, WI_WAY_OUT, -1);
    }
    link_half *half = &link->halves[WI_WAY_OUT];
    struct msghdr message = {.msg_iov = half->pieces, .msg_iovlen = half->count};
    return half_moved(link, WI_WAY_OUT,
                      link->shared.on
                          ? wi_socket_rings_write(&link->shared, link->at.socket, half->pieces,
                                                  half->count, !half->armed)
                          : sendmsg(link->at.socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void link_write_begin(wi_link *at, const wi_part *parts, uint32_t count)
{
    socket_link *link = link_of(at);
    for (uint32_t i = 0; i < count; i++)
        link->halves[WI_WAY_OUT].pieces[i] =
            (struct iovec){(void *)(uintptr_t)parts[i].at, parts[i].bytes};
    half_begin(link, WI_WAY_OUT, count);
    link->sent = link->opening ? -1 : write_now(link);
}

static int64_t link_write_end(wi_link *at)
{
    socket_link *link = link_of(at);
    int64_t sent = link->sent;
    link->sent = 0;
    if (sent)
        return sent;
    wi_assert(link->halves[WI_WAY_OUT].count || is_down(link), "an end follows a begin");
    return link->halves[WI_WAY_OUT].count ? write_now(link) : -1;
}

static void half_arm(socket_link *link, wi_way way, wi_waker waker)
{
    link_half *half = &link->halves[way];
    if (!half->count) { /* over, or down */
        waker.wake(waker.arg);
        return;
    }
    half->armed = true;
    wi_poller_arm(&link->at, way, waker);
    /* Only now: a bell that comes before the poller knows whom to wake wakes nobody. */
    if (link->shared.on && !wi_rings_await(link->shared.rings, way) &&
        wi_poller_disarm(&link->at, way))
        waker.wake(waker.arg);
}

static void link_arm(wi_link *at, void (*wake)(void *arg), void *arg)
{
    half_arm(link_of(at), WI_WAY_IN, (wi_waker){wake, arg});
}

static void link_arm_write(wi_link *at, void (*wake)(void *arg), void *arg)
{
    half_arm(link_of(at), WI_WAY_OUT, (wi_waker){wake, arg});
}

static void link_close(wi_link *at)
{
    socket_link *link = link_of(at);
    wi_poller_forget(&link->at);
    wi_socket_rings_free(&link->shared);
    if (link->at.socket >= 0)
        close(link->at.socket);
    wi_resolving_free(link->resolving);
    wi_free(atomic_load_explicit(&link->why, memory_order_acquire));
    wi_free(link->peer);
    wi_free(link->url);
    wi_free(link);
}

/* ---- shared memory ---------------------------------------------------------------------- */

static bool link_offer(wi_link *at, const unsigned char *tag, uint64_t bytes,
                       wi_ring_place *place_out)
{
    socket_link *link = link_of(at);
    return !link->opening && !is_down(link) &&
           wi_socket_rings_offer(&link->shared, link->at.socket, tag, bytes, place_out);
}

static bool link_take_offer(wi_link *at, const unsigned char *tag, wi_ring_place place)
{
    socket_link *link = link_of(at);
    return !link->opening && !is_down(link) &&
           wi_socket_rings_take(&link->shared, link->at.socket, tag, place);
}

static void link_share(wi_link *at, bool agreed)
{
    socket_link *link = link_of(at);
    wi_assert(!link->at.serial || !agreed, "nobody has slept for a link before it shares memory");
    wi_socket_rings_agree(&link->shared, agreed);
    link->at.bell = agreed;
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
    .offer = link_offer,
    .take_offer = link_take_offer,
    .share = link_share,
};

/* ---- making ----------------------------------------------------------------------------- */

static socket_link *link_new(int socket, const char *url, char *peer)
{
    socket_link *link = WI_NEW(socket_link);
    link->link.ops = &link_ops;
    link->at.socket = socket;
    link->shared.offered = -1;
    link->url = wi_strdup(url);
    link->peer = peer;
    return link;
}

wi_link *wi_socket_link_dial(const char *url, wi_resolving *resolving)
{
    socket_link *link = link_new(-1, url, wi_strdup(url));
    link->opening = true;
    link->resolving = resolving;
    link_poll(&link->link);
    return &link->link;
}

/* "127.0.0.1:34567", or the process at the other end of a local socket. */
static char *name_peer(int socket, const char *url)
{
    char text[512], host[INET6_ADDRSTRLEN] = "?";
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } peer;
    struct ucred who;
    socklen_t peer_bytes = sizeof peer, who_bytes = sizeof who;
    if (getpeername(socket, &peer.any, &peer_bytes) < 0) {
        snprintf(text, sizeof text, "a peer that has gone, at %s", url);
    } else if (peer.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &peer.ip6.sin6_addr, host, sizeof host);
        snprintf(text, sizeof text, "[%s]:%u", host, ntohs(peer.ip6.sin6_port));
    } else if (peer.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &peer.ip4.sin_addr, host, sizeof host);
        snprintf(text, sizeof text, "%s:%u", host, ntohs(peer.ip4.sin_port));
    } else if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &who_bytes) == 0) {
        snprintf(text, sizeof text, "process %ld at %s", (long)who.pid, url);
    } else {
        snprintf(text, sizeof text, "a process at %s", url);
    }
    return wi_strdup(text);
}

wi_link *wi_socket_link_accepted(int socket, const char *url)
{
    socket_link *link = link_new(socket, url, name_peer(socket, url));
    set_up(link);
    return &link->link;
}
