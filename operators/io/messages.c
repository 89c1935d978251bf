/* A socket of nng that never blocks; see messages.h. */
#include "messages.h"

#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <poll.h>

/* Messages that nng keeps for a subscriber who is slow, or has received for us. */
#define BUFFERED 1024

static int open_socket(nng_socket *socket, wi_messaging how)
{
    switch (how) {
    case WI_PUSH: return nng_push0_open(socket);
    case WI_PUB: return nng_pub0_open(socket);
    case WI_PULL: return nng_pull0_open(socket);
    default: return nng_sub0_open(socket);
    }
}

/* A PUSH socket buffers nothing: when it can send again, the message before is with the system. */
static int set_options(nng_socket socket, wi_messaging how, size_t bytes_max)
{
    int error = 0;
    if (how == WI_PUB)
        error = nng_socket_set_int(socket, NNG_OPT_SENDBUF, BUFFERED);
    if (how == WI_PULL || how == WI_SUB)
        error = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, bytes_max);
    if (!error && how == WI_SUB)
        error = nng_socket_set_int(socket, NNG_OPT_RECVBUF, BUFFERED);
    if (!error && how == WI_SUB)
        error = nng_socket_set(socket, NNG_OPT_SUB_SUBSCRIBE, "", 0);
    return error;
}

weir_err *wi_messages_open(wi_messages *messages, weir_op *op, wi_messaging how, size_t bytes_max)
{
    bool sends = how == WI_PUSH || how == WI_PUB;
    int error = open_socket(&messages->socket, how);
    if (error)
        return weir_err_new("cannot open a socket of nng: %s", nng_strerror(error));
    messages->open = true;
    messages->wake = weir_activator_new(op);
    error = set_options(messages->socket, how, bytes_max);
    if (!error)
        error = nng_socket_get_int(messages->socket, sends ? NNG_OPT_SENDFD : NNG_OPT_RECVFD,
                                   &messages->polled.socket);
    return error ? weir_err_new("cannot use a socket of nng: %s", nng_strerror(error)) : NULL;
}

weir_err *wi_messages_meet(wi_messages *messages, const char *url, bool listens)
{
    int error = listens ? nng_listen(messages->socket, url, NULL, 0)
                        : nng_dial(messages->socket, url, NULL, NNG_FLAG_NONBLOCK);
    return error ? weir_err_new("cannot %s %s: %s", listens ? "listen at" : "dial", url,
                                nng_strerror(error))
                 : NULL;
}

bool wi_messages_ready(const wi_messages *messages)
{
    struct pollfd ready = {.fd = messages->polled.socket, .events = POLLIN};
    return poll(&ready, 1, 0) > 0;
}

static void wake(void *arg)
{
    weir_activator_fire(arg);
}

void wi_messages_arm(wi_messages *messages)
{
    wi_poller_arm(&messages->polled, WI_WAY_IN, (wi_waker){wake, messages->wake});
}

void wi_messages_close(wi_messages *messages)
{
    if (!messages->open)
        return;
    messages->open = false;
    wi_poller_forget(&messages->polled);
    nng_close(messages->socket);
    weir_activator_free(messages->wake);
}
