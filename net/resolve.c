/* Addresses of hosts. See resolve.h. */
#include "resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "../base/alloc.h"
#include "address.h"

enum { LOOKING, FOUND, ABANDONED };

struct wi_resolving {
    _Atomic(int) state;     /* by the thread and by who asked, whose it is: the second frees it */
    struct addrinfo *hosts; /* what was found; NULL: nothing */
    const struct addrinfo *next;
    struct sockaddr_un local; /* of a local address instead */
    socklen_t local_bytes;    /* 0: it was given out, or there is none */
    char host[NI_MAXHOST], port[NI_MAXSERV];
};

static bool look_up(wi_resolving *resolving, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    const char *host = *resolving->host ? resolving->host : NULL;
    int error = getaddrinfo(host, resolving->port, &hints, &resolving->hosts);
    if (error)
        resolving->hosts = NULL;
    resolving->next = resolving->hosts;
    return !error;
}

static void release(wi_resolving *resolving)
{
    if (resolving->hosts)
        freeaddrinfo(resolving->hosts);
    wi_free(resolving);
}

static void *look_for_long(void *arg)
{
    wi_resolving *resolving = arg;
    look_up(resolving, 0);
    if (atomic_exchange_explicit(&resolving->state, FOUND, memory_order_acq_rel) == ABANDONED)
        release(resolving);
    return NULL;
}

static void start_thread(wi_resolving *resolving)
{
    pthread_t thread;
    atomic_store_explicit(&resolving->state, LOOKING, memory_order_relaxed);
    if (pthread_create(&thread, NULL, look_for_long, resolving) == 0)
        pthread_detach(thread);
    else /* then here */
        look_for_long(resolving);
}

/* HOST:PORT, HOST perhaps in brackets; that of a URL to listen at may be empty. */
static void split(wi_resolving *resolving, const char *url)
{
    const char *host = strstr(url, "://") + 3, *port = wi_address_port(url);
    size_t length = (size_t)(port - 1 - host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    snprintf(resolving->host, sizeof resolving->host, "%.*s", (int)length, host);
    snprintf(resolving->port, sizeof resolving->port, "%s", port);
}

wi_resolving *wi_resolve(const char *url)
{
    wi_resolving *resolving = WI_NEW(wi_resolving);
    const char *name = wi_after_scheme(url, "abstract://");
    const char *path = name ? name : wi_after_scheme(url, "ipc://");
    atomic_init(&resolving->state, FOUND);
    if (path) { /* an abstract name begins with a zero, and has none at its end */
        size_t first = name ? 1 : 0, end = name ? 0 : 1;
        resolving->local.sun_family = AF_UNIX;
        memcpy(resolving->local.sun_path + first, path, strlen(path));
        resolving->local_bytes =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + first + strlen(path) + end);
        return resolving;
    }
    split(resolving, url);
    if (!look_up(resolving, AI_NUMERICHOST | AI_PASSIVE))
        start_thread(resolving);
    return resolving;
}

bool wi_resolved(wi_resolving *resolving)
{
    return atomic_load_explicit(&resolving->state, memory_order_acquire) == FOUND;
}

void wi_resolve_wait(wi_resolving *resolving)
{
    while (!wi_resolved(resolving))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

const struct sockaddr *wi_resolved_next(wi_resolving *resolving, socklen_t *bytes_out)
{
    *bytes_out = resolving->local_bytes;
    resolving->local_bytes = 0;
    if (*bytes_out)
        return (const struct sockaddr *)&resolving->local;
    const struct addrinfo *at = resolving->next;
    if (!at)
        return NULL;
    resolving->next = at->ai_next;
    *bytes_out = at->ai_addrlen;
    return at->ai_addr;
}

void wi_resolving_free(wi_resolving *resolving)
{
    if (!resolving)
        return;
    if (atomic_exchange_explicit(&resolving->state, ABANDONED, memory_order_acq_rel) == FOUND)
        release(resolving);
}
