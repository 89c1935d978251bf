/* Links within a process. See memory.h.
 *
 * A link has two ends, which share a wire: a ring of bytes in each direction, under one lock.
 * An end that is armed is woken by the other end's thread, outside of the lock, since whoever
 * is woken may take locks of its own; `waking` counts such calls, so that close can wait for
 * the last one. A wire lives until both of its ends are closed. */
#include "memory.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

#define RING_BYTES_MIN ((size_t)16 * 1024)

typedef struct byte_ring {
    char *bytes;
    size_t capacity, start, count;
} byte_ring;

typedef struct waker {
    void (*wake)(void *arg); /* NULL: not armed */
    void *arg;
} waker;

typedef struct memory_wire memory_wire;

typedef struct memory_end {
    wi_link link;
    memory_wire *wire; /* NULL: refused */
    struct memory_end *other;
    const char *peer;
    const char *why; /* down. Under the wire's lock */
    bool closed;
    /* The reader's. */
    void *buffer;
    size_t wanted;
    /* The writer's; `sent`: what write_end will give. */
    wi_part parts[WI_WRITE_PARTS_MAX];
    uint32_t count;
    int64_t sent;
    /* Under the lock. */
    byte_ring arrived;
    waker reader, writer;
    uint32_t waking;
} memory_end;

struct memory_wire {
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* an end's `waking` is 0 */
    memory_end ends[2];   /* who dialled, who accepted */
    char *url;
    memory_wire *next;    /* among those that wait to be accepted */
};

typedef struct memory_listener {
    wi_listener listener;
    char *url;
    memory_wire *first, **last; /* waiting to be accepted */
    uint32_t waiting;
    struct memory_listener *next;
} memory_listener;

/* All that listen, and what waits there. Taken before a wire's lock. */
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static memory_listener *names;

/* ---- rings ------------------------------------------------------------------------------ */

static size_t ring_copy_out(byte_ring *ring, char *to, size_t bytes)
{
    if (bytes > ring->count)
        bytes = ring->count;
    size_t first = ring->capacity - ring->start;
    if (first > bytes)
        first = bytes;
    if (bytes) {
        memcpy(to, ring->bytes + ring->start, first);
        memcpy(to + first, ring->bytes, bytes - first);
        ring->start = (ring->start + bytes) % ring->capacity;
        ring->count -= bytes;
    }
    return bytes;
}

static void ring_reserve(byte_ring *ring, size_t bytes)
{
    size_t capacity = ring->capacity ? ring->capacity : RING_BYTES_MIN;
    while (capacity < bytes)
        capacity *= 2;
    if (capacity == ring->capacity)
        return;
    char *grown = wi_alloc(capacity);
    size_t count = ring_copy_out(ring, grown, ring->count);
    wi_free(ring->bytes);
    *ring = (byte_ring){.bytes = grown, .capacity = capacity, .count = count};
}

static size_t ring_copy_in(byte_ring *ring, const char *from, size_t bytes)
{
    if (bytes > WI_MEMORY_BYTES_MAX - ring->count)
        bytes = WI_MEMORY_BYTES_MAX - ring->count;
    if (bytes == 0)
        return 0;
    ring_reserve(ring, ring->count + bytes);
    size_t at = (ring->start + ring->count) % ring->capacity;
    size_t first = ring->capacity - at;
    if (first > bytes)
        first = bytes;
    memcpy(ring->bytes + at, from, first);
    memcpy(ring->bytes, from + first, bytes - first);
    ring->count += bytes;
    return bytes;
}

/* ---- waking ----------------------------------------------------------------------------- */

/* Under the lock. What is to be called once it is released. */
static waker take_waker(memory_end *end, waker *armed)
{
    waker taken = *armed;
    *armed = (waker){0};
    if (taken.wake)
        end->waking++;
    return taken;
}

static void call_waker(memory_end *end, waker taken)
{
    if (!taken.wake)
        return;
    taken.wake(taken.arg);
    pthread_mutex_lock(&end->wire->lock);
    if (--end->waking == 0)
        pthread_cond_broadcast(&end->wire->quiet);
    pthread_mutex_unlock(&end->wire->lock);
}

/* ---- ends ------------------------------------------------------------------------------- */

static memory_end *end_of(const wi_link *link)
{
    return (memory_end *)(uintptr_t)link;
}

/* Under the lock. */
static void hung_up(memory_end *end)
{
    if (!end->why)
        end->why = "closed by peer";
}

static wi_link_state end_poll(wi_link *link)
{
    memory_end *end = end_of(link);
    if (!end->wire)
        return WI_LINK_DOWN;
    pthread_mutex_lock(&end->wire->lock);
    wi_link_state state = end->why ? WI_LINK_DOWN : WI_LINK_UP;
    pthread_mutex_unlock(&end->wire->lock);
    return state;
}

static const char *end_peer(const wi_link *link)
{
    return end_of(link)->peer;
}

static const char *end_why(const wi_link *link)
{
    memory_end *end = end_of(link);
    if (!end->wire)
        return end->why;
    pthread_mutex_lock(&end->wire->lock);
    const char *why = end->why ? end->why : "";
    pthread_mutex_unlock(&end->wire->lock);
    return why;
}

static void end_read_begin(wi_link *link, void *buffer, size_t bytes)
{
    memory_end *end = end_of(link);
    wi_assert(!end->buffer, "one read at a time");
    end->buffer = buffer;
    end->wanted = bytes;
}

static int64_t end_read_end(wi_link *link)
{
    memory_end *end = end_of(link);
    wi_assert(end->buffer, "read_end follows read_begin");
    if (!end->wire)
        return -1;
    waker writer = {0};
    pthread_mutex_lock(&end->wire->lock);
    int64_t taken = (int64_t)ring_copy_out(&end->arrived, end->buffer, end->wanted);
    if (taken == 0 && end->other->closed) {
        hung_up(end);
        taken = -1;
    }
    if (taken != 0)
        end->reader = (waker){0};
    if (taken > 0)
        writer = take_waker(end->other, &end->other->writer);
    pthread_mutex_unlock(&end->wire->lock);
    if (taken != 0)
        end->buffer = NULL;
    call_waker(end->other, writer);
    return taken;
}

/* As much as there is room for. */
static int64_t send_some(memory_end *end)
{
    if (!end->wire)
        return -1;
    int64_t sent = 0;
    waker reader = {0};
    pthread_mutex_lock(&end->wire->lock);
    memory_end *to = end->other;
    if (to->closed) {
        hung_up(end);
        sent = -1;
    }
    for (uint32_t i = 0; i < end->count && sent >= 0; i++) {
        size_t copied = ring_copy_in(&to->arrived, end->parts[i].at, end->parts[i].bytes);
        sent += (int64_t)copied;
        if (copied < end->parts[i].bytes)
            break;
    }
    if (sent > 0)
        reader = take_waker(to, &to->reader);
    if (sent != 0)
        end->writer = (waker){0};
    pthread_mutex_unlock(&end->wire->lock);
    call_waker(to, reader);
    return sent;
}

static void end_write_begin(wi_link *link, const wi_part *parts, uint32_t count)
{
    memory_end *end = end_of(link);
    wi_assert(end->count == 0, "one write at a time");
    memcpy(end->parts, parts, count * sizeof *parts);
    end->count = count;
    end->sent = send_some(end);
}

static int64_t end_write_end(wi_link *link)
{
    memory_end *end = end_of(link);
    wi_assert(end->count, "write_end follows write_begin");
    int64_t sent = end->sent ? end->sent : send_some(end);
    if (sent != 0)
        end->count = 0;
    return sent;
}

static void end_arm(wi_link *link, void (*wake)(void *arg), void *arg)
{
    memory_end *end = end_of(link);
    wi_assert(end->buffer, "armed is a read that was begun");
    bool ready = !end->wire;
    if (!ready) {
        pthread_mutex_lock(&end->wire->lock);
        ready = end->arrived.count || end->other->closed;
        end->reader = ready ? (waker){0} : (waker){wake, arg};
        pthread_mutex_unlock(&end->wire->lock);
    }
    if (ready)
        wake(arg);
}

static void end_arm_write(wi_link *link, void (*wake)(void *arg), void *arg)
{
    memory_end *end = end_of(link);
    wi_assert(end->count, "armed is a write that was begun");
    bool ready = !end->wire || end->sent;
    if (!ready) {
        pthread_mutex_lock(&end->wire->lock);
        ready = end->other->arrived.count < WI_MEMORY_BYTES_MAX || end->other->closed;
        end->writer = ready ? (waker){0} : (waker){wake, arg};
        pthread_mutex_unlock(&end->wire->lock);
    }
    if (ready)
        wake(arg);
}

static void wire_free(memory_wire *wire)
{
    pthread_mutex_destroy(&wire->lock);
    pthread_cond_destroy(&wire->quiet);
    for (int i = 0; i < 2; i++)
        wi_free(wire->ends[i].arrived.bytes);
    wi_free(wire->url);
    wi_free(wire);
}

static void end_close(wi_link *link)
{
    memory_end *end = end_of(link);
    if (!end->wire) {
        wi_free((char *)(uintptr_t)end->peer);
        wi_free((char *)(uintptr_t)end->why);
        wi_free(end);
        return;
    }
    memory_wire *wire = end->wire;
    memory_end *other = end->other;
    pthread_mutex_lock(&wire->lock);
    end->closed = true;
    end->reader = end->writer = (waker){0};
    waker reader = take_waker(other, &other->reader), writer = take_waker(other, &other->writer);
    while (end->waking)
        pthread_cond_wait(&wire->quiet, &wire->lock);
    pthread_mutex_unlock(&wire->lock);
    call_waker(other, reader);
    call_waker(other, writer);
    pthread_mutex_lock(&wire->lock);
    end->peer = NULL; /* nothing of this end is looked at any more */
    bool last = !other->peer;
    pthread_mutex_unlock(&wire->lock);
    if (last)
        wire_free(wire);
}

static const wi_link_ops end_ops = {
    .poll = end_poll,
    .peer = end_peer,
    .why = end_why,
    .read_begin = end_read_begin,
    .read_end = end_read_end,
    .write_begin = end_write_begin,
    .write_end = end_write_end,
    .arm = end_arm,
    .arm_write = end_arm_write,
    .close = end_close,
};

static memory_wire *wire_new(const char *url)
{
    memory_wire *wire = WI_NEW(memory_wire);
    pthread_mutex_init(&wire->lock, NULL);
    pthread_cond_init(&wire->quiet, NULL);
    wire->url = wi_strdup(url);
    for (int i = 0; i < 2; i++)
        wire->ends[i] = (memory_end){.link.ops = &end_ops,
                                     .wire = wire,
                                     .other = &wire->ends[!i],
                                     .peer = wire->url};
    return wire;
}

static memory_end *refused(const char *url, const char *why)
{
    memory_end *end = WI_NEW(memory_end);
    end->link.ops = &end_ops;
    end->peer = wi_strdup(url);
    end->why = wi_strdup(why);
    return end;
}

/* ---- names ------------------------------------------------------------------------------ */

static memory_listener **find_name(const char *url)
{
    memory_listener **at = &names;
    while (*at && strcmp((*at)->url, url) != 0)
        at = &(*at)->next;
    return at;
}

static const char *named_url(const wi_listener *listener)
{
    return ((const memory_listener *)listener)->url;
}

static wi_link *named_accept(wi_listener *listener)
{
    memory_listener *named = (memory_listener *)listener;
    pthread_mutex_lock(&names_lock);
    memory_wire *wire = named->first;
    if (wire) {
        named->first = wire->next;
        named->waiting--;
        if (!named->first)
            named->last = &named->first;
    }
    pthread_mutex_unlock(&names_lock);
    return wire ? &wire->ends[1].link : NULL;
}

static void named_close(wi_listener *listener)
{
    memory_listener *named = (memory_listener *)listener;
    pthread_mutex_lock(&names_lock);
    *find_name(named->url) = named->next;
    pthread_mutex_unlock(&names_lock);
    for (wi_link *link; (link = named_accept(listener));)
        wi_link_close(link);
    wi_free(named->url);
    wi_free(named);
}

static const wi_listener_ops named_ops = {
    .url = named_url,
    .accept = named_accept,
    .close = named_close,
};

static weir_err *check_url(const char *url)
{
    if (strncmp(url, "memory://", 9) == 0 && url[9])
        return NULL;
    return weir_err_new("'%s' is no address within a process: write memory://NAME", url);
}

static weir_err *memory_listen(const wi_transport *transport, const char *url, const wi_tls *tls,
                               wi_listener **listener_out)
{
    (void)transport, (void)tls;
    weir_err *err = check_url(url);
    if (err)
        return err;
    pthread_mutex_lock(&names_lock);
    memory_listener **at = find_name(url);
    if (*at) {
        err = weir_err_new("cannot listen at %s: somebody in this process does already", url);
    } else {
        memory_listener *named = WI_NEW(memory_listener);
        named->listener.ops = &named_ops;
        named->url = wi_strdup(url);
        named->last = &named->first;
        *at = named;
        *listener_out = &named->listener;
    }
    pthread_mutex_unlock(&names_lock);
    return err;
}

static weir_err *memory_dial(const wi_transport *transport, const char *url, const wi_tls *tls,
                             wi_link **link_out)
{
    (void)transport, (void)tls;
    weir_err *err = check_url(url);
    if (err)
        return err;
    pthread_mutex_lock(&names_lock);
    memory_listener *named = *find_name(url);
    memory_end *dialled;
    if (!named) {
        dialled = refused(url, "connection refused: nobody listens there");
    } else if (named->waiting == WI_LINKS_WAITING_MAX) {
        dialled = refused(url, "connection refused: too many links wait to be accepted there");
    } else {
        memory_wire *wire = wire_new(url);
        *named->last = wire;
        named->last = &wire->next;
        named->waiting++;
        dialled = &wire->ends[0];
    }
    pthread_mutex_unlock(&names_lock);
    *link_out = &dialled->link;
    return NULL;
}

const wi_transport wi_transport_memory = {
    .name = "memory",
    .listen = memory_listen,
    .dial = memory_dial,
};
