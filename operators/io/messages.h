/* A socket of nng that never blocks: its protocol, where it listens or what it dials, and being
 * woken when it can go on. Worker. */
#ifndef WEIR_OPERATORS_IO_MESSAGES_H
#define WEIR_OPERATORS_IO_MESSAGES_H

#include <nng/nng.h>
#include <weir/operator.h>

#include "../../net/poller.h"

typedef enum wi_messaging { WI_PUSH, WI_PUB, WI_PULL, WI_SUB } wi_messaging;

typedef struct wi_messages {
    nng_socket socket;
    bool open;
    wi_polled polled; /* readable when the socket can send, or has received */
    weir_activator *wake;
} wi_messages;

/* Opens it; a message that is received has at most `bytes_max` bytes. */
weir_err *wi_messages_open(wi_messages *messages, weir_op *op, wi_messaging how, size_t bytes_max);
weir_err *wi_messages_meet(wi_messages *messages, const char *url, bool listens);
/* Whether it can send, or has received. */
bool wi_messages_ready(const wi_messages *messages);
/* `run` will be called when it can. */
void wi_messages_arm(wi_messages *messages);
void wi_messages_close(wi_messages *messages);

#endif
