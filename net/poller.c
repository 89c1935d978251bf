/* Waiting for sockets: one thread, epoll, and one lock. See poller.h.
 *
 * A socket is known to epoll from its first arming until it is forgotten, each time for one event
 * (EPOLLONESHOT). An event names it by descriptor and serial: one that was fetched and then
 * forgotten is not found again, though its descriptor may be another's by now. */
#include "poller.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/alloc.h"
#include "../base/assert.h"

static struct poller {
    pthread_once_t once;
    int epoll; /* < 0: there is none */
    pthread_mutex_t lock;
    /* under the lock */
    wi_polled **known; /* by descriptor */
    unsigned capacity;
    uint32_t serial;
} poller = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t events_of(const wi_polled *polled, int way)
{
    return polled->bell ? EPOLLIN | EPOLLRDHUP : way == WI_WAY_IN ? EPOLLIN : EPOLLOUT;
}

/* Under the lock. */
static int tell_epoll(wi_polled *polled, int operation)
{
    struct epoll_event event = {.events = EPOLLONESHOT,
                                .data.u64 = (uint64_t)polled->serial << 32 |
                                            (uint32_t)polled->socket};
    for (int way = 0; way < WI_WAYS; way++)
        if (polled->wakers[way].wake)
            event.events |= events_of(polled, way);
    return epoll_ctl(poller.epoll, operation, polled->socket, &event);
}

/* Takes what has rung; there are few. Other bytes stay: they are for the reader. */
static void silence(int socket)
{
    char bells[64];
    if (recv(socket, bells, 1, MSG_PEEK | MSG_DONTWAIT) > 0 && bells[0] == WI_BELL)
        (void)!recv(socket, bells, sizeof bells, MSG_DONTWAIT);
}

/* Under the lock. */
static void take_event(const struct epoll_event *event)
{
    unsigned socket = (uint32_t)event->data.u64;
    wi_polled *polled = socket < poller.capacity ? poller.known[socket] : NULL;
    if (!polled || polled->serial != event->data.u64 >> 32)
        return;
    bool any_left = false;
    if (polled->bell && !(event->events & EPOLLERR)) /* the reason is for the reader, too */
        silence(polled->socket);
    for (int way = 0; way < WI_WAYS; way++) {
        wi_waker waker = polled->wakers[way];
        if (event->events & (events_of(polled, way) | EPOLLHUP | EPOLLERR)) {
            polled->wakers[way] = (wi_waker){0};
            if (waker.wake)
                waker.wake(waker.arg);
        } else if (waker.wake) {
            any_left = true;
        }
    }
    if (any_left)
        tell_epoll(polled, EPOLL_CTL_MOD);
}

static void *wait_for_events(void *arg)
{
    struct epoll_event events[64];
    (void)arg;
    for (;;) {
        int count = epoll_wait(poller.epoll, events, sizeof events / sizeof *events, -1);
        pthread_mutex_lock(&poller.lock);
        for (int i = 0; i < count; i++)
            take_event(&events[i]);
        pthread_mutex_unlock(&poller.lock);
    }
    return NULL;
}

/* Signals are for the program's own threads. */
static void start(void)
{
    pthread_t thread;
    sigset_t all, before;
    poller.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller.epoll < 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, wait_for_events, NULL) == 0) {
        pthread_detach(thread);
    } else {
        close(poller.epoll);
        poller.epoll = -1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Under the lock. */
static int make_known(wi_polled *polled)
{
    unsigned old = poller.capacity, socket = (unsigned)polled->socket;
    wi_grow(&poller.known, &poller.capacity, socket + 1, sizeof(wi_polled *));
    for (unsigned i = old; i < poller.capacity; i++)
        poller.known[i] = NULL;
    polled->serial = ++poller.serial ? poller.serial : ++poller.serial;
    poller.known[socket] = polled;
    return tell_epoll(polled, EPOLL_CTL_ADD);
}

void wi_poller_arm(wi_polled *polled, wi_way way, wi_waker waker)
{
    pthread_once(&poller.once, start);
    pthread_mutex_lock(&poller.lock);
    polled->wakers[way] = waker;
    int error = poller.epoll < 0 ? -1
                : polled->serial ? tell_epoll(polled, EPOLL_CTL_MOD)
                                 : make_known(polled);
    if (error)
        polled->wakers[way] = (wi_waker){0};
    pthread_mutex_unlock(&poller.lock);
    if (error)
        waker.wake(waker.arg);
}

bool wi_poller_disarm(wi_polled *polled, wi_way way)
{
    pthread_mutex_lock(&poller.lock);
    bool armed = polled->wakers[way].wake != NULL;
    polled->wakers[way] = (wi_waker){0};
    pthread_mutex_unlock(&poller.lock);
    return armed;
}

void wi_poller_forget(wi_polled *polled)
{
    pthread_mutex_lock(&poller.lock);
    if (polled->serial) {
        epoll_ctl(poller.epoll, EPOLL_CTL_DEL, polled->socket, NULL);
        poller.known[polled->socket] = NULL;
        polled->serial = 0;
    }
    for (int way = 0; way < WI_WAYS; way++)
        polled->wakers[way] = (wi_waker){0};
    pthread_mutex_unlock(&poller.lock);
}
