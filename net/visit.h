/* A visit: a link from when it was dialled or accepted until both sides know who the other is.
 *
 *   who dials   DIALLING --up: says Hello--> HELLO --Hello fits--> PROOF --Proof right: says
 *               Proof--> FLUSHING --> DONE
 *   who accepts HELLO --Hello fits: says Hello, Proof--> PROOF --Proof right--> DONE
 *   both        any --misfit: says Refusal--> REFUSING --said, and the other side has
 *               closed, or some time later--> REFUSED
 *               any --other side says Refusal--> TURNED_AWAY;  --link down, garbage--> BROKEN
 *
 * Who accepts offers memory, if both are on one machine; who dials says with its proof whether it
 * has taken it, and then all that follows goes through it (but for a refusal by who has not read
 * that yet).
 *
 * It reads exactly the bytes of the messages, so that the session begins with its first frame;
 * and at most WI_GREETING_BYTES_MAX of them. Who refuses does not close at once: with bytes
 * left unread the system would reset the link, and the refusal would not be read. */
#ifndef WEIR_NET_VISIT_H
#define WEIR_NET_VISIT_H

#include "mesh_state.h"

typedef enum wi_visit_step {
    WI_VISIT_DIALLING,
    WI_VISIT_HELLO,
    WI_VISIT_PROOF,
    WI_VISIT_FLUSHING,
    WI_VISIT_REFUSING,
    /* Nothing happens any more: */
    WI_VISIT_DONE,
    WI_VISIT_REFUSED,
    WI_VISIT_TURNED_AWAY,
    WI_VISIT_BROKEN
} wi_visit_step;

typedef struct wi_visit {
    wi_mesh *mesh;
    wi_link *link;
    bool dialled;
    uint32_t whom; /* dialled: which process should be there */
    wi_visit_step step;
    uint64_t since_ns;
    wi_hello mine, theirs;
    bool known;         /* theirs is there */
    wi_verdict verdict; /* refused, turned away */
    char reason[WI_REASON_BYTES_MAX + 1]; /* and broken */
    wi_transcript transcript;
    bool shares; /* the session will go through memory that both share */

    wi_greeting in; /* the message that is being read */
    uint32_t read;  /* bytes of it */
    uint32_t total; /* bytes of all of them */
    bool asked;

    unsigned char out[3 * WI_GREETING_BYTES_MAX];
    uint32_t out_bytes, out_at;
    bool in_flight;
    uint64_t leave_ns; /* refusing: when to leave although the other side has not */
} wi_visit;

/* opening. Takes the link. */
weir_err *wi_visit_new(wi_mesh *mesh, wi_link *link, bool dialled, uint32_t whom, wi_lane lane,
                       uint64_t now_ns, wi_visit **visit_out);
/* opening. Goes on as far as it can without waiting; whether anything happened. */
bool wi_visit_go_on(wi_visit *visit, uint64_t now_ns);
/* opening. Says a refusal, unless the visit has ended. */
void wi_visit_refuse(wi_visit *visit, wi_verdict verdict, const char *reason);
/* opening. DONE: takes the link out of it, as a session that has not said anything. */
wi_session *wi_visit_session(wi_visit *visit);
/* opening. NULL does nothing. */
void wi_visit_free(wi_visit *visit);

#endif
