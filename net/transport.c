/* Dispatch to the implementations of the transport seam. See transport.h. */
#include "transport.h"

#include <string.h>

#include "../base/assert.h"
#include "memory.h"
#include "nng_link.h"
#include "socket_link.h"

static const struct {
    const char *scheme;
    const wi_transport *transports[2]; /* the usual, and nng's */
} schemes[] = {
    {"tcp://", {&wi_transport_sockets, &wi_transport_nng}},
    {"ipc://", {&wi_transport_sockets, &wi_transport_nng}},
    {"abstract://", {&wi_transport_sockets, &wi_transport_nng}},
    {"tls+tcp://", {&wi_transport_nng, &wi_transport_nng}},
    {"memory://", {&wi_transport_memory, &wi_transport_memory}},
};

const wi_transport *wi_transport_of(const char *url, bool nng)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].transports[nng];
    return NULL;
}

const char *wi_listener_url(const wi_listener *listener)
{
    return listener->ops->url(listener);
}

wi_link *wi_listener_accept(wi_listener *listener)
{
    return listener->ops->accept(listener);
}

void wi_listener_close(wi_listener *listener)
{
    if (listener)
        listener->ops->close(listener);
}

wi_link_state wi_link_poll(wi_link *link)
{
    return link->ops->poll(link);
}

const char *wi_link_peer(const wi_link *link)
{
    return link->ops->peer(link);
}

const char *wi_link_why(const wi_link *link)
{
    return link->ops->why(link);
}

void wi_link_read_begin(wi_link *link, void *buffer, size_t bytes)
{
    wi_assert(bytes > 0, "a read asks for at least one byte");
    link->ops->read_begin(link, buffer, bytes);
}

int64_t wi_link_read_end(wi_link *link)
{
    return link->ops->read_end(link);
}

void wi_link_write_begin(wi_link *link, const wi_part *parts, uint32_t count)
{
    wi_assert(count > 0 && count <= WI_WRITE_PARTS_MAX, "a write has 1 to 8 parts");
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        any |= parts[i].bytes > 0;
    wi_assert(any, "a write has at least one byte");
    link->ops->write_begin(link, parts, count);
}

int64_t wi_link_write_end(wi_link *link)
{
    return link->ops->write_end(link);
}

void wi_link_arm(wi_link *link, void (*wake)(void *arg), void *arg)
{
    link->ops->arm(link, wake, arg);
}

void wi_link_arm_write(wi_link *link, void (*wake)(void *arg), void *arg)
{
    link->ops->arm_write(link, wake, arg);
}

bool wi_link_offer(wi_link *link, const unsigned char tag[WI_RING_TAG_BYTES], uint64_t bytes,
                   wi_ring_place *place_out)
{
    *place_out = (wi_ring_place){0};
    return link->ops->offer && link->ops->offer(link, tag, bytes, place_out);
}

bool wi_link_take_offer(wi_link *link, const unsigned char tag[WI_RING_TAG_BYTES],
                        wi_ring_place place)
{
    return link->ops->take_offer && link->ops->take_offer(link, tag, place);
}

void wi_link_share(wi_link *link, bool agreed)
{
    if (link->ops->share)
        link->ops->share(link, agreed);
}

void wi_link_close(wi_link *link)
{
    if (link)
        link->ops->close(link);
}
