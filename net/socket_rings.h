/* A socket between processes of one machine, and the memory that they share in its place. The
 * socket stays: it wakes who sleeps (poller.h, `bell`), and tells when the other end is gone.
 *
 * Calls as of ring.h, with the same threads; what they return is as recv and sendmsg say it. */
#ifndef WEIR_NET_SOCKET_RINGS_H
#define WEIR_NET_SOCKET_RINGS_H

#include <sys/types.h>

#include "ring.h"

/* Zeroed but for `offered`. */
typedef struct wi_socket_rings {
    wi_rings *rings; /* NULL: none */
    int offered;     /* the memory's descriptor, while it is offered; -1: none */
    bool on;         /* both ends have agreed */
    uint64_t looked_ns[WI_WAYS]; /* when the socket was looked at last */
} wi_socket_rings;

/* False: the other end is not on this machine, or the system gives no memory. */
bool wi_socket_rings_offer(wi_socket_rings *shared, int socket,
                           const unsigned char tag[WI_RING_TAG_BYTES], uint64_t bytes,
                           wi_ring_place *place_out);
bool wi_socket_rings_take(wi_socket_rings *shared, int socket,
                          const unsigned char tag[WI_RING_TAG_BYTES], wi_ring_place place);
/* Not agreed: the memory is given back. */
void wi_socket_rings_agree(wi_socket_rings *shared, bool agreed);
void wi_socket_rings_free(wi_socket_rings *shared);

/* Once on. `patient`: the socket need not be looked at each time that there is nothing to do. */
ssize_t wi_socket_rings_read(wi_socket_rings *shared, int socket, const struct iovec *to,
                             bool patient);
ssize_t wi_socket_rings_write(wi_socket_rings *shared, int socket, const struct iovec *pieces,
                              size_t count, bool patient);

#endif
