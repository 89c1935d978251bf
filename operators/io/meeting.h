/* How an operator comes to its links: it listens, and takes who comes, or dials until somebody
 * answers. Nothing blocks; who asks is told when to ask again. Worker. */
#ifndef WEIR_OPERATORS_IO_MEETING_H
#define WEIR_OPERATORS_IO_MEETING_H

#include "../../net/transport.h"

typedef struct wi_meeting {
    const char *url; /* lives longer */
    bool listens;
    uint64_t patience_ns;
    wi_listener *listener;
    wi_link *dialled; /* not up yet */
    uint64_t began_ns; /* when nobody had answered for the first time; 0: not yet */
    uint64_t wait_ns, next_ns;
} wi_meeting;

/* While building: an error if it is no address, or one that others than this machine can reach
 * though they should not (`beyond`). */
weir_err *wi_meeting_check(const char *url, bool listens, bool beyond);
/* Begins to listen; does nothing yet if it is to dial. */
weir_err *wi_meeting_begin(wi_meeting *meeting, const char *url, bool listens,
                           uint64_t patience_ns);
/* A link that is up, which the caller then owns, or NULL: ask again in *again_ns_out. An error if
 * nobody has answered for as long as there is patience. */
weir_err *wi_meeting_ask(wi_meeting *meeting, uint64_t now_ns, wi_link **link_out,
                         uint64_t *again_ns_out);
void wi_meeting_end(wi_meeting *meeting);

#endif
