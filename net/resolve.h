/* From the URL of a link to addresses as the system takes them. Names of hosts are looked up by
 * a thread of their own, since that may take many seconds; numbers and local names at once. */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include <sys/socket.h>

#include "transport.h"

typedef struct wi_resolving wi_resolving;

/* Of a URL that wi_address_check has seen. Never NULL. */
wi_resolving *wi_resolve(const char *url);
/* Whether the addresses are there; polled. */
bool wi_resolved(wi_resolving *resolving);
/* Waits for them. */
void wi_resolve_wait(wi_resolving *resolving);
/* The next address; NULL: there are no more, or there is no such host. Lives as long as it. */
const struct sockaddr *wi_resolved_next(wi_resolving *resolving, socklen_t *bytes_out);
/* Does not wait for a thread that is still looking. NULL does nothing. */
void wi_resolving_free(wi_resolving *resolving);

#endif
