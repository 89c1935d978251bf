/* The transport over sockets of the system: tcp://HOST:PORT, ipc://PATH and abstract://NAME.
 * Links: socket_link.c. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "address.h"
#include "socket_link.h"

#define OTHERS_MAX 64 /* of other users, who are sent away in one call */

typedef struct socket_listener {
    wi_listener listener;
    int socket;
    char *url;
} socket_listener;

/* ---- listening -------------------------------------------------------------------------- */

static const char *listener_url(const wi_listener *listener)
{
    return ((const socket_listener *)listener)->url;
}

static wi_link *listener_accept(wi_listener *listener)
{
    socket_listener *at = (socket_listener *)listener;
    for (int others = 0; others < OTHERS_MAX; others++) {
        int accepted = accept4(at->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0)
            return NULL;
        if (wi_socket_is_own(accepted))
            return wi_socket_link_accepted(accepted, at->url);
        close(accepted);
    }
    return NULL;
}

static void listener_close(wi_listener *listener)
{
    socket_listener *at = (socket_listener *)listener;
    const char *path = wi_after_scheme(at->url, "ipc://");
    if (path)
        unlink(path);
    close(at->socket);
    wi_free(at->url);
    wi_free(at);
}

static const wi_listener_ops listener_ops = {
    .url = listener_url,
    .accept = listener_accept,
    .close = listener_close,
};

/* Whether the file of a local socket is left from somebody who listens no more. */
static bool is_stale(const struct sockaddr *address, socklen_t bytes)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = connect(probe, address, bytes) < 0 && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

/* A socket that listens, or -1 with errno. A local one is for its user alone, before anybody
 * can dial. */
static int listen_at(const struct sockaddr *address, socklen_t bytes, const char *path)
{
    int yes = 1;
    int at = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (at < 0)
        return -1;
    setsockopt(at, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    int error = bind(at, address, bytes) < 0 ? errno : 0;
    if (error == EADDRINUSE && path && is_stale(address, bytes) && unlink(path) == 0)
        error = bind(at, address, bytes) < 0 ? errno : 0;
    if (!error && ((path && chmod(path, 0600) < 0) || listen(at, WI_LINKS_WAITING_MAX) < 0))
        error = errno;
    if (!error)
        return at;
    close(at);
    errno = error;
    return -1;
}

/* With the port that was given. */
static char *bound_url(int socket, const char *url)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } own;
    socklen_t bytes = sizeof own;
    if (!wi_address_is_tcp(url) || getsockname(socket, &own.any, &bytes) < 0)
        return wi_strdup(url);
    return wi_address_with_port(
        url, ntohs(own.any.sa_family == AF_INET6 ? own.ip6.sin6_port : own.ip4.sin_port));
}

static weir_err *sockets_listen(const wi_transport *transport, const char *url, const wi_tls *tls,
                                wi_listener **listener_out)
{
    (void)transport;
    weir_err *err = wi_address_check(url, tls, true);
    if (!err)
        err = wi_address_check_file(url);
    if (err)
        return err;
    wi_resolving *resolving = wi_resolve(url);
    wi_resolve_wait(resolving);
    socklen_t bytes;
    const struct sockaddr *address = wi_resolved_next(resolving, &bytes);
    int at = address ? listen_at(address, bytes, wi_after_scheme(url, "ipc://")) : -1;
    if (at < 0)
        err = address ? wi_address_cannot_listen(url, errno, strerror(errno))
                      : wi_address_cannot_listen(url, 0, "no such host");
    wi_resolving_free(resolving);
    if (err)
        return err;
    socket_listener *listener = WI_NEW(socket_listener);
    listener->listener.ops = &listener_ops;
    listener->socket = at;
    listener->url = bound_url(at, url);
    *listener_out = &listener->listener;
    return NULL;
}

/* ---- dialling --------------------------------------------------------------------------- */

static weir_err *sockets_dial(const wi_transport *transport, const char *url, const wi_tls *tls,
                              wi_link **link_out)
{
    (void)transport;
    weir_err *err = wi_address_check(url, tls, false);
    if (!err)
        *link_out = wi_socket_link_dial(url, wi_resolve(url));
    return err;
}

const wi_transport wi_transport_sockets = {
    .name = "sockets",
    .listen = sockets_listen,
    .dial = sockets_dial,
};
