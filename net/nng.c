/* The transport over nng's byte streams: tcp://HOST:PORT, tls+tcp://HOST:PORT, ipc://PATH and
 * abstract://NAME (Linux: a name without a file, that every user of the machine can dial). The
 * bytes are the caller's, without nng's protocols. Links: nng_link.c.
 *
 * nng starts its threads with the first call, and stops a process that calls it after a fork:
 * whoever launches processes does so by posix_spawn, or before. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../base/alloc.h"
#include "nng_link.h"

typedef struct nng_listening {
    wi_listener listener;
    nng_stream_listener *at;
    wi_nng_event accepted; /* always outstanding; the system keeps 128 more */
    char *url;
    char *authority; /* NULL without TLS */
} nng_listening;

/* ---- addresses -------------------------------------------------------------------------- */

static const char *after(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(url, scheme, length) == 0 ? url + length : NULL;
}

static bool is_tls(const char *url)
{
    return after(url, "tls+tcp://");
}

static bool is_tcp(const char *url)
{
    return after(url, "tcp://") || is_tls(url);
}

/* Where the port starts, which has to be there: nng would take 80. */
static const char *port_of(const char *url)
{
    const char *colon = strrchr(url, ':');
    if (!colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > 65535)
        return NULL;
    return colon + 1;
}

static weir_err *check_url(const char *url, const wi_tls *tls, bool listening)
{
    bool given = tls && (tls->certificate || tls->key || tls->authority);
    if (is_tcp(url)) {
        const char *port = port_of(url);
        if (!port)
            return weir_err_new("'%s' has no port: write %s", url,
                                is_tls(url) ? "tls+tcp://HOST:PORT" : "tcp://HOST:PORT");
        if (!listening && strtoul(port, NULL, 10) == 0)
            return weir_err_new("'%s' cannot be dialled: its port is 0", url);
        if (is_tls(url) && !given)
            return weir_err_new("%s needs a certificate, a key and an authority (files in PEM)",
                                url);
        if (!is_tls(url) && given)
            return weir_err_new("%s would send in the clear, though certificates are given: "
                                "write tls+%s", url, url);
        return NULL;
    }
    const char *path = after(url, "ipc://");
    if (path) {
        size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
        if (!*path || strlen(path) >= room)
            return weir_err_new("'%s' is no local address: write ipc://PATH, with a path of 1 to "
                                "%zu bytes", url, room - 1);
        return NULL;
    }
    const char *name = after(url, "abstract://");
    if (name && *name && strlen(name) < 100)
        return NULL;
    return weir_err_new("'%s' is no address: write tcp://HOST:PORT, tls+tcp://HOST:PORT, "
                        "ipc://PATH or abstract://NAME", url);
}

/* ---- listening -------------------------------------------------------------------------- */

/* A socket that nobody listens at is removed by nng, when it cannot listen there; but so would
 * be a file that is no socket, since connecting to it is refused as well. */
static weir_err *check_file(const char *url)
{
    const char *path = after(url, "ipc://");
    struct stat found;
    if (!path || lstat(path, &found) != 0 || S_ISSOCK(found.st_mode))
        return NULL;
    return weir_err_new("cannot listen at %s: there is something that is no socket; remove it, or "
                        "choose another path", url);
}

static weir_err *cannot_listen(const char *url, int error)
{
    const char *why = nng_strerror(error);
    if (error == NNG_EADDRINUSE)
        why = is_tcp(url) ? "another process uses the address; choose another port (0: any)"
                          : "another process listens there; choose another name";
    else if (error == NNG_EADDRINVAL)
        why = "it is no address of this machine";
    else if (error == NNG_EPERM)
        why = "not permitted";
    else if (error == NNG_ENOENT)
        why = "its folder does not exist";
    return weir_err_new("cannot listen at %s: %s", url, why);
}

/* With the port that was given. */
static char *bound_url(nng_stream_listener *at, const char *url)
{
    int port;
    if (!is_tcp(url) || nng_stream_listener_get_int(at, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
        return wi_strdup(url);
    size_t host = (size_t)(port_of(url) - url);
    char *bound = wi_alloc(host + 6);
    snprintf(bound, host + 6, "%.*s%d", (int)host, url, port);
    return bound;
}

static void accept_next(nng_listening *listening)
{
    atomic_store_explicit(&listening->accepted.done, false, memory_order_relaxed);
    nng_stream_listener_accept(listening->at, listening->accepted.aio);
}

static const char *listening_url(const wi_listener *listener)
{
    return ((const nng_listening *)listener)->url;
}

static wi_link *listening_accept(wi_listener *listener)
{
    nng_listening *listening = (nng_listening *)listener;
    wi_nng_event *accepted = &listening->accepted;
    if (!atomic_load_explicit(&accepted->done, memory_order_acquire))
        return NULL;
    nng_aio_wait(accepted->aio); /* its callback returns */
    nng_stream *stream =
        nng_aio_result(accepted->aio) == 0 ? nng_aio_get_output(accepted->aio, 0) : NULL;
    accept_next(listening); /* also after an error: no descriptors were left, perhaps */
    if (!stream)
        return NULL;
    wi_tls tls = {.authority = listening->authority};
    return wi_nng_link_accepted(stream, listening->url, tls.authority ? &tls : NULL);
}

static void listening_close(wi_listener *listener)
{
    nng_listening *listening = (nng_listening *)listener;
    nng_stream_listener_close(listening->at); /* removes the socket's file */
    wi_nng_event_fini(&listening->accepted);
    nng_stream_listener_free(listening->at);
    wi_free(listening->url);
    wi_free(listening->authority);
    wi_free(listening);
}

static const wi_listener_ops listening_ops = {
    .url = listening_url,
    .accept = listening_accept,
    .close = listening_close,
};

static weir_err *listener_alloc(const char *url, const wi_tls *tls, nng_stream_listener **at_out)
{
    nng_tls_config *config = NULL;
    weir_err *err = is_tls(url) ? wi_nng_tls_config(tls, NNG_TLS_MODE_SERVER, &config) : NULL;
    if (err)
        return err;
    int error = nng_stream_listener_alloc(at_out, url);
    if (error) {
        err = cannot_listen(url, error);
    } else {
        if (config)
            nng_stream_listener_set_ptr(*at_out, NNG_OPT_TLS_CONFIG, config);
        if (is_tcp(url))
            nng_stream_listener_set_bool(*at_out, NNG_OPT_TCP_NODELAY, true);
        else /* set by nng before it starts to listen */
            nng_stream_listener_set_int(*at_out, NNG_OPT_IPC_PERMISSIONS, 0600);
    }
    if (config)
        nng_tls_config_free(config); /* the listener holds it */
    return err;
}

static weir_err *nng_listen_at(const wi_transport *transport, const char *url, const wi_tls *tls,
                               wi_listener **listener_out)
{
    (void)transport;
    nng_stream_listener *at;
    weir_err *err = check_url(url, tls, true);
    if (!err)
        err = check_file(url);
    if (!err)
        err = listener_alloc(url, tls, &at);
    if (err)
        return err;
    int error = nng_stream_listener_listen(at);
    if (error) {
        nng_stream_listener_free(at);
        return cannot_listen(url, error);
    }
    nng_listening *listening = WI_NEW(nng_listening);
    listening->listener.ops = &listening_ops;
    listening->at = at;
    listening->url = bound_url(at, url);
    listening->authority = is_tls(url) ? wi_strdup(tls->authority) : NULL;
    wi_nng_event_init(&listening->accepted);
    accept_next(listening);
    *listener_out = &listening->listener;
    return NULL;
}

/* ---- dialling --------------------------------------------------------------------------- */

static weir_err *nng_dial_to(const wi_transport *transport, const char *url, const wi_tls *tls,
                             wi_link **link_out)
{
    (void)transport;
    nng_tls_config *config = NULL;
    nng_stream_dialer *dialer;
    weir_err *err = check_url(url, tls, false);
    if (!err && is_tls(url))
        err = wi_nng_tls_config(tls, NNG_TLS_MODE_CLIENT, &config);
    if (err)
        return err;
    int error = nng_stream_dialer_alloc(&dialer, url);
    if (error) {
        err = weir_err_new("'%s' cannot be dialled: %s", url, nng_strerror(error));
    } else {
        if (config)
            nng_stream_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
        if (is_tcp(url))
            nng_stream_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true);
        *link_out = wi_nng_link_dial(dialer, url, config ? tls : NULL);
    }
    if (config)
        nng_tls_config_free(config);
    return err;
}

const wi_transport wi_transport_nng = {
    .name = "nng",
    .listen = nng_listen_at,
    .dial = nng_dial_to,
};
