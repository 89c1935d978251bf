/* What a mesh consists of: for mesh.c (open) and opening.c (on the way there). */
#ifndef WEIR_NET_MESH_STATE_H
#define WEIR_NET_MESH_STATE_H

#include "handshake.h"
#include "session.h"

#define WI_NS_PER_MS ((uint64_t)1000000)

/* Another process. */
typedef struct wi_peer {
    wi_mesh *mesh;
    uint32_t process;
    char *url;
    wi_session *lanes[WI_LANES]; /* written while opening, by its one thread */
    _Atomic(bool) lost;          /* by whoever finds it out first; then it writes `why` */
    _Atomic(weir_err *) why;     /* release by who found it, taken by who reports it */
    _Atomic(bool) reported;      /* nothing is delivered any more: both lanes' readers are held */
} wi_peer;

struct wi_mesh {
    wi_mesh_config config; /* with the defaults filled in */
    const wi_transport *transport;
    wi_listener *listener; /* until the mesh is open */
    char *url;
    wi_secret secret;
    uint64_t instance;
    wi_chunk_pool *chunks;
    wi_peer *peers; /* as many as processes; nothing in one's own */
    _Atomic(bool) down;   /* frames are let go; written by who loses a peer, hint */
    _Atomic(bool) parting; /* this process has said goodbye */
    _Atomic(bool) ticking; /* somebody is in tick; acquire, release */
    uint64_t ticked_ns;    /* under it */
    uint32_t strangers;    /* opening: how many were logged */
    struct wi_opening *opening; /* while connecting */
};

/* What links to this URL are made by. NULL: nothing can. */
static inline const wi_transport *wi_mesh_transport(const wi_mesh *mesh, const char *url)
{
    return mesh->config.transport ? mesh->config.transport
                                  : wi_transport_of(url, mesh->config.nng);
}

#define WI_MESH_ALIVE_NS (500 * WI_NS_PER_MS)

/* any. NULL does nothing. */
typedef struct wi_opening wi_opening;
void wi_opening_free(wi_opening *open);

/* any. What the peer is called in messages: "process 2 (tcp://...)". */
typedef struct wi_peer_name {
    char text[160];
} wi_peer_name;
wi_peer_name wi_peer_name_of(const wi_peer *peer);

#endif
