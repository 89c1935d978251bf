/* The transport over nng's byte streams, for all addresses of address.h: with TLS always, else if
 * it is wanted. The bytes are the caller's, without nng's protocols. Links: nng_link.c.
 *
 * nng starts its threads with the first call, and stops a process that calls it after a fork:
 * whoever launches processes does so by posix_spawn, or before. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "address.h"
#include "nng_link.h"

typedef struct nng_listening {
    wi_listener listener;
    nng_stream_listener *at;
    wi_nng_event accepted; /* always outstanding; the system keeps 128 more */
    char *url;
    char *authority; /* NULL without TLS */
} nng_listening;

/* ---- listening -------------------------------------------------------------------------- */

static weir_err *cannot_listen(const char *url, int error)
{
    static const struct {
        int nng, system;
    } errors[] = {{NNG_EADDRINUSE, EADDRINUSE},
                  {NNG_EADDRINVAL, EADDRNOTAVAIL},
                  {NNG_EPERM, EPERM},
                  {NNG_ENOENT, ENOENT}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (error == errors[i].nng)
            return wi_address_cannot_listen(url, errors[i].system, NULL);
    return wi_address_cannot_listen(url, 0, nng_strerror(error));
}

/* With the port that was given. */
static char *bound_url(nng_stream_listener *at, const char *url)
{
    int port;
    if (!wi_address_is_tcp(url) ||
        nng_stream_listener_get_int(at, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
        return wi_strdup(url);
    return wi_address_with_port(url, (unsigned)port);
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
    if (stream && !wi_nng_is_own(stream)) {
        nng_stream_close(stream);
        nng_stream_free(stream);
        stream = NULL;
    }
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
    weir_err *err = wi_address_is_tls(url) ? wi_nng_tls_config(tls, NNG_TLS_MODE_SERVER, &config)
                                           : NULL;
    if (err)
        return err;
    int error = nng_stream_listener_alloc(at_out, url);
    if (error) {
        err = cannot_listen(url, error);
    } else {
        if (config)
            nng_stream_listener_set_ptr(*at_out, NNG_OPT_TLS_CONFIG, config);
        if (wi_address_is_tcp(url))
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
    weir_err *err = wi_address_check(url, tls, true);
    if (!err)
        err = wi_address_check_file(url);
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
    listening->authority = wi_address_is_tls(url) ? wi_strdup(tls->authority) : NULL;
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
    weir_err *err = wi_address_check(url, tls, false);
    if (!err && wi_address_is_tls(url))
        err = wi_nng_tls_config(tls, NNG_TLS_MODE_CLIENT, &config);
    if (err)
        return err;
    int error = nng_stream_dialer_alloc(&dialer, url);
    if (error) {
        err = weir_err_new("'%s' cannot be dialled: %s", url, nng_strerror(error));
    } else {
        if (config)
            nng_stream_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
        if (wi_address_is_tcp(url))
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
