/* A session's life, and its receiving half. See session.h. */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/alloc.h"
#include "handshake.h"

/* With less room left than this behind a frame's beginning, the next chunk is begun. */
#define READ_BYTES_MIN ((size_t)4096)

wi_session *wi_session_new(wi_link *link, const wi_session_config *config)
{
    wi_session *session = wi_alloc_lines(sizeof *session);
    session->config = *config;
    session->link = link;
    pthread_mutex_init(&session->lock, NULL);
    pthread_mutex_init(&session->seal_lock, NULL);
    session->chunk = wi_chunk_new(config->chunks, 0);
    session->expected = (wi_frame_expected){
        .from = config->process, .lane = config->lane, .generation = config->generation};
    return session;
}

void wi_session_free(wi_session *session)
{
    if (!session)
        return;
    wi_link_close(session->link);
    wi_session_let_go(session);
    wi_chunk_drop(session->chunk);
    wi_seal_free(session->config.seal_out);
    wi_seal_free(session->config.seal_in);
    pthread_mutex_destroy(&session->lock);
    pthread_mutex_destroy(&session->seal_lock);
    wi_free(session);
}

/* reader. */
static void set_state(wi_session *session, wi_session_state state)
{
    atomic_store_explicit(&session->state, state, memory_order_release);
}

static bool is_alive(const wi_session *session)
{
    return wi_session_state_of(session) < WI_SESSION_OVER;
}

/* ---- what frames say: reader ------------------------------------------------------------ */

static void garbled(wi_session *session, const char *why)
{
    static const char *const lanes[WI_LANES] = {"progress", "data"};
    snprintf(session->why, sizeof session->why,
             "what it sent on its %s link is not what it should be: %s",
             lanes[session->config.lane], why);
    set_state(session, WI_SESSION_FAILED);
}

static void take_word(wi_session *session, const wi_frame_header *header, const char *text)
{
    char why[WI_WHY_BYTES];
    wi_session_state state = wi_session_state_of(session);
    if (header->kind == WI_WORD_FAILED) {
        snprintf(session->why, sizeof session->why, "it has given up: %.*s", (int)header->bytes,
                 text);
        set_state(session, WI_SESSION_FAILED);
    } else if (header->kind == WI_WORD_READY && state == WI_SESSION_NEW) {
        set_state(session, WI_SESSION_OPEN);
    } else if (header->kind == WI_WORD_GOODBYE && state == WI_SESSION_OPEN) {
        set_state(session, WI_SESSION_PARTED);
        wi_session_say(session, WI_WORD_HEARD, NULL);
    } else if (header->kind == WI_WORD_HEARD &&
               atomic_load_explicit(&session->ended, memory_order_relaxed)) {
        atomic_store_explicit(&session->heard, true, memory_order_relaxed);
    } else if (header->kind != WI_WORD_ALIVE || state != WI_SESSION_OPEN) {
        snprintf(why, sizeof why, "frame %" PRIu64 " is word %u, which cannot be said in state %d",
                 header->sequence, header->kind, (int)state);
        garbled(session, why);
    }
}

static void deliver(wi_session *session, const wi_frame_header *header, char *payload)
{
    if (wi_session_state_of(session) != WI_SESSION_OPEN) {
        garbled(session, "a frame came before the first word, or after the last");
        return;
    }
    uint64_t frames = atomic_load_explicit(&session->taken_frames, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&session->taken_bytes, memory_order_relaxed);
    atomic_store_explicit(&session->taken_frames, frames + 1, memory_order_relaxed);
    atomic_store_explicit(&session->taken_bytes, bytes + header->bytes, memory_order_relaxed);
    wi_arrival arrival = {.process = session->config.process,
                          .lane = session->config.lane,
                          .kind = header->kind,
                          .bytes = payload,
                          .count = header->bytes,
                          .chunk = session->chunk};
    session->config.frame(session->config.arg, &arrival);
}

/* Checks the payload and what follows it (S2). */
static bool open_payload(wi_session *session, const wi_frame_header *header, char *payload)
{
    char why[WI_WHY_BYTES];
    if (!session->config.seal_in) {
        if (wi_frame_check_payload(header, why))
            return true;
        garbled(session, why);
        return false;
    }
    if (wi_frame_padded(header) && wi_seal_open(session->config.seal_in, header, payload))
        return true;
    snprintf(why, sizeof why,
             "the seal of frame %" PRIu64 " (%u bytes) is broken: it was changed on the way",
             header->sequence, header->bytes);
    garbled(session, why);
    return false;
}

/* Who has dialled has said its proof, and so has a session, before the other side has read it;
 * that may still refuse, since its mesh cannot be opened. False: this is no greeting. */
static bool take_refusal(wi_session *session, const char *at, size_t have)
{
    wi_greeting greeting;
    wi_greeting_type type;
    wi_verdict verdict;
    char reason[WI_REASON_BYTES_MAX + 1];
    if (wi_session_state_of(session) != WI_SESSION_NEW || have < WI_GREETING_PREFIX_BYTES ||
        !wi_greeting_check((const unsigned char *)at, &type, &greeting.bytes))
        return false;
    greeting.bytes += WI_GREETING_PREFIX_BYTES;
    if (have < greeting.bytes)
        return true; /* and the rest will come */
    memcpy(greeting.at, at, greeting.bytes);
    if (!wi_refusal_decode(&greeting, &verdict, reason))
        return false;
    snprintf(session->why, sizeof session->why, "it has refused this process: %s", reason);
    set_state(session, WI_SESSION_FAILED);
    return true;
}

/* The frame at `parsed`, if all of it is there. False: it is not, or the session has ended. */
static bool take_frame(wi_session *session)
{
    size_t have = session->filled - session->parsed;
    if (take_refusal(session, session->chunk->bytes + session->parsed, have))
        return false;
    if (have < sizeof(wi_frame_header))
        return false;
    char *at = session->chunk->bytes + session->parsed;
    const wi_frame_header *header = (const wi_frame_header *)(const void *)at;
    char why[WI_WHY_BYTES];
    if (!session->checked && !wi_frame_check(header, &session->expected, why)) {
        garbled(session, why);
        return false;
    }
    session->checked = true;
    size_t bytes = wi_frame_bytes(header->bytes);
    if (have < bytes)
        return false;
    if (!open_payload(session, header, at + sizeof *header))
        return false;
    session->parsed += bytes;
    session->expected.sequence++;
    session->checked = false;
    if (header->flags == WI_FRAME_OWN)
        take_word(session, header, at + sizeof *header);
    else
        deliver(session, header, at + sizeof *header);
    return true;
}

/* Until what is there is taken. Stops behind READY: what follows is for a mesh that is open. */
static bool take_frames(wi_session *session)
{
    bool fresh = wi_session_state_of(session) == WI_SESSION_NEW;
    bool any = false;
    while (is_alive(session) && !atomic_load_explicit(session->config.stop, memory_order_relaxed) &&
           take_frame(session)) {
        any = true;
        if (fresh)
            break;
    }
    return any;
}

/* ---- reading: reader -------------------------------------------------------------------- */

/* What is unfinished must fit into the chunk, behind it something must be read. Frames that
 * were delivered stay where they are (S4), unless nobody looks at them any more. */
static void make_room(wi_session *session)
{
    wi_chunk *chunk = session->chunk;
    size_t have = session->filled - session->parsed;
    if (have == 0 && chunk->capacity == WI_CHUNK_BYTES && wi_chunk_is_own(chunk))
        session->filled = session->parsed = 0;
    const wi_frame_header *header =
        (const wi_frame_header *)(const void *)(chunk->bytes + session->parsed);
    size_t need = session->checked ? wi_frame_bytes(header->bytes) : READ_BYTES_MIN;
    if (session->parsed + need <= chunk->capacity)
        return;
    wi_chunk *next = wi_chunk_new(session->config.chunks, need);
    memcpy(next->bytes, chunk->bytes + session->parsed, have);
    session->chunk = next;
    session->parsed = 0;
    session->filled = have;
    wi_chunk_drop(chunk);
}

static void ask(wi_session *session)
{
    if (session->asked)
        return;
    make_room(session);
    size_t room = session->chunk->capacity - session->filled;
    if (!room) /* full of frames that nobody is to be given: the process is lost */
        return;
    if (room > WI_SESSION_TURN_BYTES)
        room = WI_SESSION_TURN_BYTES;
    wi_link_read_begin(session->link, session->chunk->bytes + session->filled, room);
    session->asked = true;
}

/* The link gives nothing more. */
static void end(wi_session *session, const char *why)
{
    session->asked = false;
    if (wi_session_state_of(session) == WI_SESSION_PARTED &&
        session->filled == session->parsed) {
        set_state(session, WI_SESSION_OVER);
        return;
    }
    session->gone = true;
    snprintf(session->why, sizeof session->why,
             "it is gone: %s; it died or was killed, or the link was cut", why);
    set_state(session, WI_SESSION_FAILED);
}

bool wi_session_take(wi_session *session, uint64_t now_ns)
{
    bool any = false;
    for (size_t total = 0; is_alive(session) && total < WI_SESSION_TURN_BYTES;) {
        if (take_frames(session)) { /* left from before */
            any = true;
            break;
        }
        ask(session);
        if (!session->asked)
            break;
        bool broken = atomic_load_explicit(&session->broken, memory_order_acquire);
        int64_t came = wi_link_read_end(session->link);
        if (came == 0 && broken)
            came = -1; /* all that had arrived is read */
        if (came == 0)
            break;
        any = true;
        atomic_store_explicit(&session->armed, false, memory_order_relaxed);
        if (came < 0) {
            end(session, wi_link_why(session->link));
            break;
        }
        session->asked = false;
        session->filled += (size_t)came;
        total += (size_t)came;
        atomic_store_explicit(&session->heard_ns, now_ns, memory_order_relaxed);
        bool fresh = wi_session_state_of(session) == WI_SESSION_NEW;
        take_frames(session);
        if (fresh)
            break;
    }
    return any;
}

/* any, also one of the transport's. */
static void woken(void *arg)
{
    wi_session *session = arg;
    atomic_store_explicit(&session->armed, false, memory_order_relaxed);
    session->wake(session->wake_arg);
}

bool wi_session_arm(wi_session *session, void (*wake)(void *arg), void *arg)
{
    if (!is_alive(session))
        return true;
    if (!session->wake) {
        session->wake = wake;
        session->wake_arg = arg;
    }
    size_t have = session->filled - session->parsed;
    if (!session->asked && have >= sizeof(wi_frame_header))
        return false;
    if (!wi_session_arm_write(session, woken, session))
        return false;
    if (atomic_exchange_explicit(&session->armed, true, memory_order_relaxed))
        return true;
    ask(session);
    if (!session->asked)
        return false;
    wi_link_arm(session->link, woken, session);
    return true;
}
