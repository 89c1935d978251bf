/* A link over a stream of nng, and what nng.c and nng_tls.c share with it. */
#ifndef WEIR_NET_NNG_LINK_H
#define WEIR_NET_NNG_LINK_H

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include "transport.h"

extern const wi_transport wi_transport_nng;

/* A link whose stream is not there yet: the dialer makes it. Owns the dialer; copies the rest. */
wi_link *wi_nng_link_dial(nng_stream_dialer *dialer, const char *url, const wi_tls *tls);
/* Whether who is at the other end may be: at local sockets only this user, and root. */
bool wi_nng_is_own(nng_stream *stream);
/* A link over a stream that was accepted at the URL, which it owns. */
wi_link *wi_nng_link_accepted(nng_stream *stream, const char *url, const wi_tls *tls);

/* What nng's TLS wants of the files, of which each is checked. */
weir_err *wi_nng_tls_config(const wi_tls *tls, nng_tls_mode mode, nng_tls_config **config_out);

/* An aio for what happens once in a while; `done` is set by its callback. */
typedef struct wi_nng_event {
    nng_aio *aio;
    _Atomic(bool) done; /* release by the callback, acquire by who polls */
} wi_nng_event;
void wi_nng_event_init(wi_nng_event *event);
/* Stops what is going on first. */
void wi_nng_event_fini(wi_nng_event *event);

/* Aborts if there is no memory: nng_aio_alloc fails for nothing else. */
nng_aio *wi_nng_aio(void (*done)(void *arg), void *arg);

#endif
