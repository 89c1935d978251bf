/* The transport within a process: memory://NAME, for tests and for several meshes in one
 * process. Each direction of a link holds up to WI_MEMORY_BYTES_MAX bytes that were sent and
 * not yet read, so that a writer whose reader is slow has to wait, as on a socket. TLS is not
 * needed, and ignored. */
#ifndef WEIR_NET_MEMORY_H
#define WEIR_NET_MEMORY_H

#include "transport.h"

#define WI_MEMORY_BYTES_MAX ((size_t)1 << 20)

/* All threads of the process share its names. */
extern const wi_transport wi_transport_memory;

#endif
