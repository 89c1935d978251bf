/* A link over a socket of the system, and what socket.c shares with it. */
#ifndef WEIR_NET_SOCKET_LINK_H
#define WEIR_NET_SOCKET_LINK_H

#include "resolve.h"
#include "transport.h"

extern const wi_transport wi_transport_sockets;

/* Whether who is at the other end may be: at local sockets only this user, and root. Names that are
 * no files (abstract://) can be dialled, and taken, by all users. */
bool wi_socket_is_own(int socket);
/* A link that is dialled: to the first of the addresses that answers. Owns `resolving`. */
wi_link *wi_socket_link_dial(const char *url, wi_resolving *resolving);
/* A link over a socket that was accepted at the URL, which it owns. */
wi_link *wi_socket_link_accepted(int socket, const char *url);

#endif
