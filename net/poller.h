/* One thread that waits for sockets on behalf of all who sleep: it starts with the first that is
 * armed, and stays. Whoever is awake looks at the sockets itself. */
#ifndef WEIR_NET_POLLER_H
#define WEIR_NET_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#define WI_BELL 0 /* a byte that says no more than: look */

typedef enum wi_way { WI_WAY_IN, WI_WAY_OUT, WI_WAYS } wi_way;

/* Whom to wake. */
typedef struct wi_waker {
    void (*wake)(void *arg); /* NULL: nobody */
    void *arg;
} wi_waker;

/* A socket that can be waited for. Zeroed but for its descriptor; the rest is the poller's. */
typedef struct wi_polled {
    int socket;
    bool bell; /* it only rings: bytes of WI_BELL, which the poller takes, are an event both ways.
                * Set before it is first armed */
    uint32_t serial; /* 0: not known to the poller */
    wi_waker wakers[WI_WAYS];
} wi_polled;

/* any. Calls `waker` once when there is something to read, or room to write, or the socket is
 * down; at once, perhaps from within, if the system does not let it be waited for. A second call
 * for the same way takes the place of the first. */
void wi_poller_arm(wi_polled *polled, wi_way way, wi_waker waker);
/* any. The waker of this way is not called any more when it returns. False: it was called, or there
 * was none. */
bool wi_poller_disarm(wi_polled *polled, wi_way way);
/* any. Forgets the socket, which can then be closed. */
void wi_poller_forget(wi_polled *polled);

#endif
