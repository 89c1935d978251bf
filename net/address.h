/* Addresses of links, for the transports of sockets (socket.c, nng.c): tcp://HOST:PORT,
 * tls+tcp://HOST:PORT, ipc://PATH and abstract://NAME (Linux: a name without a file, that every
 * user of the machine can dial).
 *
 * Any thread. */
#ifndef WEIR_NET_ADDRESS_H
#define WEIR_NET_ADDRESS_H

#include "transport.h"

/* What follows the scheme; NULL: the URL has another one. */
const char *wi_after_scheme(const char *url, const char *scheme);
bool wi_address_is_tls(const char *url);
bool wi_address_is_tcp(const char *url); /* also with TLS */
/* Whether it can be reached only from this machine; also of what is no URL of ours. */
bool wi_address_is_local(const char *url);
/* Where the digits of the port begin; NULL: there are none. Of a URL with tcp. */
const char *wi_address_port(const char *url);
/* Whether it can be dialled, or listened at, with such certificates. */
weir_err *wi_address_check(const char *url, const wi_tls *tls, bool listening);
/* The URL with this port. Owned by the caller. */
char *wi_address_with_port(const char *url, unsigned port);
/* An error if something that is no socket is in the way of an ipc:// URL. */
weir_err *wi_address_check_file(const char *url);
/* Why nobody can listen there; `why` is used for what has no better words. */
weir_err *wi_address_cannot_listen(const char *url, int error, const char *why);

#endif
