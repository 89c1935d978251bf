/* The transport seam: links that carry bytes between two processes, and what makes them.
 *
 * A link is a stream of bytes in each direction, in order, that is either whole or broken:
 * when it breaks, nobody knows what of the last bytes arrived (session.h is about that). Who
 * uses it polls; a link never calls back, except once for the `wake` that was armed. So workers
 * do their input and output themselves while they run, without another thread in between, and
 * are woken only when they sleep.
 *
 * Implementations: socket.c (tcp://, ipc://, abstract://; between processes of one machine they can
 * go on through shared memory), nng.c (these, if it is wanted, and tls+tcp://), memory.c (within a
 * process), sim.c (seeded: delays, breaks, reorders). All pass tests/unit/test_transport.c.
 *
 *   operation                            thread
 *   read_begin, read_end, arm            any, one at a time (the link's reader)
 *   write_begin, write_end, arm_write    any, one at a time (its writer); beside the reader
 *   poll, peer, why                      either of them
 *   offer, take_offer, share             any, when neither is in a call
 *   close                                any, when neither is in a call
 *   accept                               any, one at a time
 *   close of a listener                  any, when nobody is in accept */
#ifndef WEIR_NET_TRANSPORT_H
#define WEIR_NET_TRANSPORT_H

#include <weir/base.h>

#include "ring.h"

/* Memory in pieces, as one write takes it. */
typedef struct wi_part {
    const void *at;
    size_t bytes;
} wi_part;
#define WI_WRITE_PARTS_MAX 8

typedef enum wi_link_state {
    WI_LINK_OPENING, /* dialled, not yet answered */
    WI_LINK_UP,
    WI_LINK_DOWN /* for good; wi_link_why says why */
} wi_link_state;

typedef struct wi_transport wi_transport;
typedef struct wi_listener wi_listener;
typedef struct wi_link wi_link;

/* What TLS needs; files in PEM. All NULL: no TLS. */
typedef struct wi_tls {
    const char *certificate, *key; /* this process's own */
    const char *authority;         /* who must have signed the peer's */
} wi_tls;

/* Where links come from. Static, or owned by who made it. */
struct wi_transport {
    const char *name;
    /* Starts to listen. `url` may leave the port to the system (tcp://127.0.0.1:0). */
    weir_err *(*listen)(const wi_transport *transport, const char *url, const wi_tls *tls,
                        wi_listener **listener_out);
    /* Starts to dial: the link is WI_LINK_OPENING until it is up or down. A URL that cannot be
     * understood is an error. */
    weir_err *(*dial)(const wi_transport *transport, const char *url, const wi_tls *tls,
                      wi_link **link_out);
    void *arg; /* of the implementation */
};

/* The transport of a URL's scheme; nng's, if it can be and is wanted. NULL: there is none. */
const wi_transport *wi_transport_of(const char *url, bool nng);

/* The address that peers can dial, with the port that was given. Lives as long as it. */
const char *wi_listener_url(const wi_listener *listener);
/* A link that somebody dialled, WI_LINK_UP; NULL: none for now. Owned by the caller. */
wi_link *wi_listener_accept(wi_listener *listener);
/* Links that nobody accepted are closed; those that were accepted stay. NULL does nothing. */
void wi_listener_close(wi_listener *listener);
/* So many links wait to be accepted; more are refused. */
#define WI_LINKS_WAITING_MAX 64

/* A link that was up is down once a read or a write has said -1: nobody looks at it but they.
 * What had arrived before the peer closed can still be read, also after a write has failed. */
wi_link_state wi_link_poll(wi_link *link);
/* Who is at the other end, for messages. Lives as long as the link. */
const char *wi_link_peer(const wi_link *link);
/* Why it is down, in words ("connection reset by peer"). Lives as long as the link. */
const char *wi_link_why(const wi_link *link);

/* Asks for up to `bytes` bytes to `buffer`, which belongs to the link until read_end gave
 * something. */
void wi_link_read_begin(wi_link *link, void *buffer, size_t bytes);
/* > 0: so many bytes are there. 0: not yet; ask again (that is polling: it may well look at the
 * socket itself). -1: the link is down (also at an end of file). */
int64_t wi_link_read_end(wi_link *link);
/* Starts to send 1 to WI_WRITE_PARTS_MAX pieces, not all of them empty, which stay until
 * write_end gave something. */
void wi_link_write_begin(wi_link *link, const wi_part *parts, uint32_t count);
/* > 0: so many bytes, perhaps not all, are sent. 0: not yet. -1: the link is down. */
int64_t wi_link_write_end(wi_link *link);
/* `wake(arg)` will be called once, from any thread, when the read that was begun can be ended
 * or the link is down; at once, perhaps from within, if that is so already. The next
 * read_end that gives something disarms it; a call may then already be on its way. Costs some
 * microseconds: for who is about to sleep. `wake` neither waits for anything nor calls the
 * link. */
void wi_link_arm(wi_link *link, void (*wake)(void *arg), void *arg);
/* The same for the write that was begun; the next write_end that gives something disarms it. */
void wi_link_arm_write(wi_link *link, void (*wake)(void *arg), void *arg);
/* Two processes of one machine may go on through memory that both see; the two ends must agree on
 * it by what they say over the link (visit.h does). One offers: where the memory is, with `bytes`
 * for what is under way in each direction. False: it cannot be had, or the other end is elsewhere,
 * or the link is none that can do this. */
bool wi_link_offer(wi_link *link, const unsigned char tag[WI_RING_TAG_BYTES], uint64_t bytes,
                   wi_ring_place *place_out);
/* The other takes it. False: it is not there. */
bool wi_link_take_offer(wi_link *link, const unsigned char tag[WI_RING_TAG_BYTES],
                        wi_ring_place place);
/* Both have agreed (or not: then the memory is given back): what follows goes through the memory.
 * The link is still as broken as what it was made of. Nothing was begun and not ended. What the
 * other end has said before it has agreed can still be read, if its first byte is not 0 and nothing
 * else comes. */
void wi_link_share(wi_link *link, bool agreed);
/* Nothing of the caller's is touched any more when it returns, and `wake` is not called. What
 * was not sent may be lost. NULL does nothing. */
void wi_link_close(wi_link *link);

/* ---- for implementations ---------------------------------------------------------------- */

typedef struct wi_link_ops {
    wi_link_state (*poll)(wi_link *link);
    const char *(*peer)(const wi_link *link);
    const char *(*why)(const wi_link *link);
    void (*read_begin)(wi_link *link, void *buffer, size_t bytes);
    int64_t (*read_end)(wi_link *link);
    void (*write_begin)(wi_link *link, const wi_part *parts, uint32_t count);
    int64_t (*write_end)(wi_link *link);
    void (*arm)(wi_link *link, void (*wake)(void *arg), void *arg);
    void (*arm_write)(wi_link *link, void (*wake)(void *arg), void *arg);
    void (*close)(wi_link *link);
    /* NULL, all three: it has no other way. */
    bool (*offer)(wi_link *link, const unsigned char *tag, uint64_t bytes,
                  wi_ring_place *place_out);
    bool (*take_offer)(wi_link *link, const unsigned char *tag, wi_ring_place place);
    void (*share)(wi_link *link, bool agreed);
} wi_link_ops;

typedef struct wi_listener_ops {
    const char *(*url)(const wi_listener *listener);
    wi_link *(*accept)(wi_listener *listener);
    void (*close)(wi_listener *listener);
} wi_listener_ops;

/* The first member of what an implementation allocates. */
struct wi_link {
    const wi_link_ops *ops;
};
struct wi_listener {
    const wi_listener_ops *ops;
};

#endif
