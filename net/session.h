/* One link after the handshake: frames in both directions, in order, whole, once.
 *
 * Sending: a frame is put into the queue under a short lock; whoever finds the link idle takes
 * what is in the queue to the system, outside of the lock (one writer at a time), so that a
 * lone frame leaves within the call that sends it. Small frames are copied, one behind the
 * other, into blocks that go out in one write; large ones stay where they are.
 *
 * Receiving: straight into chunks. Frames are looked at and delivered where they lie; only the
 * unfinished last one is moved when a chunk is full.
 *
 *   operation      thread   excludes                       by
 *   send, say      any      each other, for an instant     the lock
 *   push           any      push                           `writing`, under the lock
 *   take, arm      any      take, arm                      try_read / end_read
 *   free           any      all
 *
 * A session is in one of these states:
 *
 *   new --take: READY--> open --take: GOODBYE--> parted --take: end of file--> over
 *     \-------------------\------- anything else that ends it -----> failed
 *
 * Who has said goodbye and closes at once may take it along: what the system, or TLS, was given
 * last is lost then. So it is answered, by HEARD, and who has heard that may close. The answer to
 * the other side's goodbye may be lost so: it is no longer waited for when the link ends.
 *
 * Invariants
 *   S1 Frame n+1 is looked at only after frame n was delivered, or taken as a word (M1).
 *   S2 Nothing of a frame is believed before its checksums (or its seal) fit, and nothing of
 *      its size before its header's.
 *   S3 `sent` is called once for each frame: after the last write that had a piece of it has
 *      ended, or after the link was closed.
 *   S4 The bytes of a delivered frame are not written to by the session any more.
 *   S5 Nothing is queued behind a goodbye but WI_WORD_HEARD and WI_WORD_FAILED. Behind that one,
 *      frames of others who have not noticed yet may be: nobody looks at them. */
#ifndef WEIR_NET_SESSION_H
#define WEIR_NET_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "chunk.h"
#include "frame.h"
#include "seal.h"

typedef struct wi_block wi_block;

typedef struct wi_session_config {
    uint32_t self;    /* the process that sends here */
    uint32_t process; /* who is at the other end */
    wi_lane lane;
    uint64_t generation;
    wi_chunk_pool *chunks;
    wi_seal *seal_out, *seal_in; /* NULL: frames are not sealed. Taken */
    void (*frame)(void *arg, const wi_arrival *arrival); /* within take */
    void *arg;
    const _Atomic(bool) *stop; /* true: deliver nothing more */
    bool gathers; /* frames wait for push, or for WI_SESSION_TURN_BYTES of them */
} wi_session_config;

typedef enum wi_session_state {
    WI_SESSION_NEW,    /* the first frame has not come */
    WI_SESSION_OPEN,
    WI_SESSION_PARTED, /* the other side has said goodbye */
    WI_SESSION_OVER,   /* and is gone */
    WI_SESSION_FAILED  /* `why` */
} wi_session_state;

typedef struct wi_session {
    wi_session_config config;
    wi_link *link;

    /* Sending: under the lock, but the atomics may be read without it (hints, relaxed). */
    pthread_mutex_t lock;
    wi_block *first, *last; /* the queue */
    wi_block *spare;        /* an empty block for small frames, or NULL */
    uint64_t next;          /* sequence number */
    bool writing;           /* somebody has the writer's fields below */
    _Atomic(bool) ended;    /* goodbye was queued; under the seal's lock, read by any */
    _Atomic(size_t) queued; /* bytes */
    _Atomic(uint64_t) sent_frames, sent_bytes;
    _Atomic(bool) broken;   /* a write has failed; written by the writer, read by the reader */
    bool in_flight;         /* the writer's: write_begin without its end */
    pthread_mutex_t seal_lock; /* around words; if sealed, around sealing and queueing */
    bool failed_said;          /* under the seal's lock */

    /* Receiving: the reader's; the atomics are written by it and read by any (hints). */
    _Alignas(64) _Atomic(bool) reading; /* taken by acquire, given back by release */
    _Atomic(bool) armed; /* cleared by whoever wakes or reads */
    bool asked;          /* read_begin without its end */
    bool checked;        /* the header at `parsed` is right */
    wi_chunk *chunk;
    size_t filled, parsed; /* bytes of the chunk: there, and delivered */
    wi_frame_expected expected;
    _Atomic(wi_session_state) state; /* release: `why` before it */
    _Atomic(uint64_t) heard_ns;
    _Atomic(bool) heard; /* our goodbye has come to the other side; relaxed */
    _Atomic(uint64_t) taken_frames, taken_bytes;
    bool gone; /* failed since the link is down */
    char why[WI_WORD_BYTES_MAX + 1];

    void (*wake)(void *arg); /* what arm was given last; the reader's */
    void *wake_arg;

    /* The mesh's tick: what it saw last. */
    uint64_t seen_sent, seen_sent_ns;
} wi_session;

/* any. Takes the link. */
wi_session *wi_session_new(wi_link *link, const wi_session_config *config);
/* any, nobody in another call. Closes the link; frames not sent are lost. */
void wi_session_free(wi_session *session);

/* any. See wi_mesh_send. */
void wi_session_send(wi_session *session, uint16_t kind, const wi_part *parts, uint32_t count,
                     void (*sent)(void *arg), void *arg);
/* any. Says something to the session at the other end. `text` may be NULL. */
void wi_session_say(wi_session *session, wi_word word, const char *text);
/* any. Sends what waits, as much as goes without waiting, up to WI_SESSION_TURN_BYTES or so.
 * Returns whether something was sent. */
bool wi_session_push(wi_session *session);
#define WI_SESSION_TURN_BYTES ((size_t)260 * 1024) /* four frames of 64 KB, and their headers */

/* any. Becomes the reader, unless somebody is. */
static inline bool wi_session_try_read(wi_session *session)
{
    return !atomic_load_explicit(&session->reading, memory_order_relaxed) &&
           !atomic_exchange_explicit(&session->reading, true, memory_order_acquire);
}
/* reader. Sequentially consistent: see lose in mesh.c. */
static inline void wi_session_end_read(wi_session *session)
{
    atomic_store_explicit(&session->reading, false, memory_order_seq_cst);
}
/* reader. Takes what arrived, up to WI_SESSION_TURN_BYTES or so; returns whether there was
 * anything. It stops behind WI_WORD_READY. Look at the state afterwards. */
bool wi_session_take(wi_session *session, uint64_t now_ns);
/* reader. `wake` (always the same) will be called when there is something to take, or when a
 * write that is in flight has ended; at once if that is so. False: there is something to do. */
bool wi_session_arm(wi_session *session, void (*wake)(void *arg), void *arg);

/* For session.c, of the sending half. Nobody in a call, the link is closed: calls what waits
 * in the queue sent, and frees it. */
void wi_session_let_go(wi_session *session);
/* reader. If a write is in flight, `wake` will be called when it has ended. False: there is
 * something to push. */
bool wi_session_arm_write(wi_session *session, void (*wake)(void *arg), void *arg);

/* any. */
static inline wi_session_state wi_session_state_of(const wi_session *session)
{
    return atomic_load_explicit(&session->state, memory_order_acquire);
}
static inline size_t wi_session_queued(const wi_session *session)
{
    return atomic_load_explicit(&session->queued, memory_order_relaxed);
}

#endif
