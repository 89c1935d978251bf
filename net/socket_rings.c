/* Shared memory in place of a socket's buffers. See socket_rings.h. */
#include "socket_rings.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../base/assert.h"

/* ---- agreeing --------------------------------------------------------------------------- */

/* Both ends at one address: on this machine, but for what forwards connections. */
static bool is_here(int socket)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } own = {0}, peer = {0};
    socklen_t own_bytes = sizeof own, peer_bytes = sizeof peer;
    if (getsockname(socket, &own.any, &own_bytes) < 0 ||
        getpeername(socket, &peer.any, &peer_bytes) < 0 ||
        own.any.sa_family != peer.any.sa_family)
        return false;
    switch (own.any.sa_family) {
    case AF_UNIX: return true;
    case AF_INET: return own.ip4.sin_addr.s_addr == peer.ip4.sin_addr.s_addr;
    case AF_INET6:
        return memcmp(&own.ip6.sin6_addr, &peer.ip6.sin6_addr, sizeof own.ip6.sin6_addr) == 0;
    default: return false;
    }
}

bool wi_socket_rings_offer(wi_socket_rings *shared, int socket,
                           const unsigned char tag[WI_RING_TAG_BYTES], uint64_t bytes,
                           wi_ring_place *place_out)
{
    wi_assert(!shared->rings, "memory is offered once");
    if (is_here(socket))
        shared->rings = wi_rings_new(tag, bytes, place_out);
    if (shared->rings)
        shared->offered = (int)place_out->descriptor;
    return shared->rings != NULL;
}

bool wi_socket_rings_take(wi_socket_rings *shared, int socket,
                          const unsigned char tag[WI_RING_TAG_BYTES], wi_ring_place place)
{
    wi_assert(!shared->rings, "memory is taken once");
    if (is_here(socket))
        shared->rings = wi_rings_open(tag, place);
    return shared->rings != NULL;
}

static void end_offer(wi_socket_rings *shared)
{
    if (shared->offered >= 0)
        close(shared->offered);
    shared->offered = -1;
}

void wi_socket_rings_agree(wi_socket_rings *shared, bool agreed)
{
    wi_assert(shared->rings || !agreed, "memory is offered and taken before it is shared");
    if (agreed)
        end_offer(shared);
    else
        wi_socket_rings_free(shared);
    shared->on = agreed;
}

void wi_socket_rings_free(wi_socket_rings *shared)
{
    end_offer(shared);
    wi_rings_free(shared->rings);
    shared->rings = NULL;
}

/* ---- moving ----------------------------------------------------------------------------- */

/* Whether there is something: the other end has gone (-1), or has said something before it agreed,
 * which is read (> 0). */
static ssize_t look_at(int socket, const struct iovec *to)
{
    char first = WI_BELL;
    int error = 0;
    socklen_t bytes = sizeof error;
    struct pollfd ready = {.fd = socket, .events = POLLIN | POLLRDHUP};
    errno = EAGAIN;
    if (poll(&ready, 1, 0) <= 0)
        return -1;
    if (to && recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        return -1; /* says why once: the system forgets it */
    if (first != WI_BELL)
        return recv(socket, to->iov_base, to->iov_len, MSG_DONTWAIT);
    errno = EAGAIN;
    if (ready.revents & (POLLRDHUP | POLLHUP | POLLERR)) {
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &bytes);
        errno = error ? error : EPIPE;
    }
    return -1;
}

/* A look at the socket costs as much as some ten tries. Who tries often looks once in a tick of the
 * system's coarse clock (some milliseconds); who tries seldom, each time. */
static bool wait_on(wi_socket_rings *shared, wi_way way, bool patient)
{
    if (!patient)
        return false;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (shared->looked_ns[way] == now_ns) {
        errno = EAGAIN;
        return true;
    }
    shared->looked_ns[way] = now_ns;
    return false;
}

/* If the socket takes no more bells, there are enough in it. */
static ssize_t moved(wi_socket_rings *shared, int socket, wi_way way, int64_t bytes)
{
    static const char bell = WI_BELL;
    if (bytes > 0 && wi_rings_awaited(shared->rings, way))
        send(socket, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0)
        errno = EBADMSG;
    return (ssize_t)bytes;
}

ssize_t wi_socket_rings_read(wi_socket_rings *shared, int socket, const struct iovec *to,
                             bool patient)
{
    int64_t came = wi_rings_read(shared->rings, to->iov_base, to->iov_len);
    if (came != 0)
        return moved(shared, socket, WI_WAY_IN, came);
    if (wait_on(shared, WI_WAY_IN, patient))
        return -1;
    ssize_t found = look_at(socket, to);
    if (found >= 0 || errno == EAGAIN)
        return found;
    int error = errno;
    came = wi_rings_read(shared->rings, to->iov_base, to->iov_len); /* written before it went */
    if (came != 0)
        return moved(shared, socket, WI_WAY_IN, came);
    errno = error;
    return -1;
}

ssize_t wi_socket_rings_write(wi_socket_rings *shared, int socket, const struct iovec *pieces,
                              size_t count, bool patient)
{
    int64_t sent = wi_rings_write(shared->rings, pieces, count);
    if (sent != 0)
        return moved(shared, socket, WI_WAY_OUT, sent);
    return wait_on(shared, WI_WAY_OUT, patient) ? -1 : look_at(socket, NULL);
}
