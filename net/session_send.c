/* The sending half of a session. See session.h.
 *
 * The queue is a list of blocks. A block is either a large frame, in pieces, or room for small
 * frames, which is added to at its end even while its beginning is being written: a write has
 * its own copy of where its pieces end. */
#include "session.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "checksum.h"

/* Smaller frames are copied, so that they share a write; from here on a copy costs more than a
 * piece. With 256 KB a write and 8 pieces it does not pay to copy much more. */
#define SMALL_BYTES ((size_t)4096)
#define ROOM_BYTES ((size_t)64 * 1024)

struct wi_block {
    wi_block *next;
    void (*sent)(void *arg); /* NULL: nobody waits */
    void *arg;
    uint32_t count, at; /* parts, and the first that is not sent */
    size_t offset;      /* what is sent of it */
    char *room;         /* its own bytes */
    size_t used, capacity;
    wi_part parts[];
};

/* ---- blocks ----------------------------------------------------------------------------- */

/* any. A block with `capacity` own bytes, cut into no part yet. */
static wi_block *block_new(uint32_t parts, size_t capacity)
{
    size_t fields = sizeof(wi_block) + parts * sizeof(wi_part);
    wi_block *block = wi_alloc(fields + capacity);
    *block = (wi_block){.room = (char *)block + fields, .capacity = capacity};
    return block;
}

/* any. A block that is one part, to be filled from its beginning. */
static wi_block *block_new_room(size_t capacity)
{
    wi_block *block = block_new(1, capacity);
    block->count = 1;
    block->parts[0] = (wi_part){block->room, 0};
    return block;
}

static bool block_has_room(const wi_block *block, size_t bytes)
{
    return block && block->count == 1 && block->parts[0].at == block->room &&
           block->capacity - block->used >= bytes;
}

static void *block_take_room(wi_block *block, size_t bytes)
{
    void *at = block->room + block->used;
    block->used += bytes;
    block->parts[0].bytes += bytes;
    return at;
}

/* Copies a frame: header, payload, zeros. */
static void copy_frame(char *to, const wi_frame_header *header, const wi_part *parts,
                       uint32_t count)
{
    char *at = to + sizeof *header;
    memcpy(to, header, sizeof *header);
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].bytes)
            memcpy(at, parts[i].at, parts[i].bytes);
        at += parts[i].bytes;
    }
    memset(at, 0, wi_frame_bytes(header->bytes) - (size_t)(at - to));
}

/* ---- the queue: under the lock ---------------------------------------------------------- */

static void number(wi_session *session, wi_frame_header *header)
{
    wi_dassert(header->flags || !atomic_load_explicit(&session->ended, memory_order_relaxed),
               "S5: nothing is sent after a goodbye");
    header->sequence = session->next++;
    wi_frame_close(header);
}

static void count_frame(wi_session *session, const wi_frame_header *header)
{
    size_t bytes = wi_frame_bytes(header->bytes);
    size_t queued = atomic_load_explicit(&session->queued, memory_order_relaxed);
    uint64_t frames = atomic_load_explicit(&session->sent_frames, memory_order_relaxed);
    uint64_t total = atomic_load_explicit(&session->sent_bytes, memory_order_relaxed);
    atomic_store_explicit(&session->queued, queued + bytes, memory_order_relaxed);
    atomic_store_explicit(&session->sent_frames, frames + 1, memory_order_relaxed);
    atomic_store_explicit(&session->sent_bytes, total + header->bytes, memory_order_relaxed);
}

static void append(wi_session *session, wi_block *block)
{
    if (session->last)
        session->last->next = block;
    else
        session->first = block;
    session->last = block;
}

static char *room_for(wi_session *session, size_t bytes)
{
    if (!block_has_room(session->last, bytes)) {
        append(session, session->spare ? session->spare : block_new_room(ROOM_BYTES));
        session->spare = NULL;
    }
    return block_take_room(session->last, bytes);
}

/* The pieces of the next write. */
static uint32_t gather(const wi_session *session, wi_part parts[WI_WRITE_PARTS_MAX])
{
    uint32_t count = 0;
    size_t bytes = 0;
    for (const wi_block *block = session->first; block; block = block->next) {
        size_t offset = block->offset;
        for (uint32_t i = block->at; i < block->count; i++, offset = 0) {
            if (count == WI_WRITE_PARTS_MAX || bytes >= WI_SESSION_TURN_BYTES)
                return count;
            size_t piece = block->parts[i].bytes - offset;
            if (!piece)
                continue;
            if (piece > WI_SESSION_TURN_BYTES - bytes)
                piece = WI_SESSION_TURN_BYTES - bytes;
            parts[count++] = (wi_part){(const char *)block->parts[i].at + offset, piece};
            bytes += piece;
        }
    }
    return count;
}

/* So many bytes are with the system. Blocks that are done go to the list *done. */
static void advance(wi_session *session, size_t bytes, wi_block ***done)
{
    size_t queued = atomic_load_explicit(&session->queued, memory_order_relaxed);
    atomic_store_explicit(&session->queued, queued - bytes, memory_order_relaxed);
    for (wi_block *block; (block = session->first);) {
        while (block->at < block->count) {
            size_t left = block->parts[block->at].bytes - block->offset;
            if (bytes < left) {
                block->offset += bytes;
                return;
            }
            bytes -= left;
            block->offset = 0;
            block->at++;
        }
        session->first = block->next;
        if (!session->first)
            session->last = NULL;
        block->next = NULL;
        **done = block;
        *done = &block->next;
    }
    wi_assert(bytes == 0, "no more is sent than was queued");
}

/* any. Not under the lock: S3. Keeps one block for small frames. */
static void finish(wi_session *session, wi_block *done)
{
    for (wi_block *next; done; done = next) {
        next = done->next;
        if (done->sent)
            done->sent(done->arg);
        else if (done->capacity == ROOM_BYTES) {
            done->at = 0;
            done->used = done->parts[0].bytes = 0;
            done->next = NULL;
            pthread_mutex_lock(&session->lock);
            wi_block *spare = session->spare;
            session->spare = done;
            pthread_mutex_unlock(&session->lock);
            done = spare;
        }
        wi_free(done);
    }
}

/* ---- writing ---------------------------------------------------------------------------- */

/* writer, not under the lock. One write, begun or gone on with. Returns what it gave. */
static int64_t write_some(wi_session *session, const wi_part *parts, uint32_t count)
{
    if (!session->in_flight) {
        wi_link_write_begin(session->link, parts, count);
        session->in_flight = true;
    }
    int64_t sent = wi_link_write_end(session->link);
    if (sent != 0)
        session->in_flight = false;
    if (sent < 0)
        atomic_store_explicit(&session->broken, true, memory_order_release);
    return sent;
}

bool wi_session_push(wi_session *session)
{
    if (wi_session_queued(session) == 0)
        return false;
    wi_part parts[WI_WRITE_PARTS_MAX];
    wi_block *done = NULL, **end = &done;
    size_t total = 0;
    pthread_mutex_lock(&session->lock);
    if (session->writing || !session->first ||
        atomic_load_explicit(&session->broken, memory_order_relaxed)) {
        pthread_mutex_unlock(&session->lock);
        return false;
    }
    session->writing = true;
    while (session->first && total < WI_SESSION_TURN_BYTES) {
        uint32_t count = session->in_flight ? 0 : gather(session, parts);
        pthread_mutex_unlock(&session->lock);
        int64_t sent = write_some(session, parts, count);
        pthread_mutex_lock(&session->lock);
        if (sent <= 0)
            break;
        advance(session, (size_t)sent, &end);
        total += (size_t)sent;
    }
    session->writing = false;
    pthread_mutex_unlock(&session->lock);
    finish(session, done);
    return total > 0;
}

void wi_session_let_go(wi_session *session)
{
    finish(session, session->first);
    session->first = session->last = NULL;
    wi_free(session->spare);
    session->spare = NULL;
}

/* reader. The writer's half of arm: if a write is in flight, its end is worth a wake. */
bool wi_session_arm_write(wi_session *session, void (*wake)(void *arg), void *arg)
{
    if (wi_session_queued(session) == 0)
        return true;
    pthread_mutex_lock(&session->lock);
    bool free = !session->writing;
    bool armed = free && session->in_flight;
    if (armed)
        session->writing = true;
    bool idle = free && !armed && session->first &&
                !atomic_load_explicit(&session->broken, memory_order_relaxed);
    pthread_mutex_unlock(&session->lock);
    if (armed) {
        wi_link_arm_write(session->link, wake, arg);
        pthread_mutex_lock(&session->lock);
        session->writing = false;
        pthread_mutex_unlock(&session->lock);
    }
    return !idle;
}

/* ---- sending ---------------------------------------------------------------------------- */

static wi_frame_header header_of(const wi_session *session, uint16_t kind, uint8_t flags,
                                 uint32_t bytes)
{
    return (wi_frame_header){.magic = WI_FRAME_MAGIC,
                             .kind = kind,
                             .lane = (uint8_t)session->config.lane,
                             .flags = flags,
                             .bytes = bytes,
                             .from = session->config.self,
                             .generation = session->config.generation};
}

/* A first piece of at most so much goes along with the header, as one piece: a call of the system
 * takes only so many. */
#define WITH_HEADER_BYTES ((size_t)256)

/* A large frame whose pieces stay where they are. */
static wi_block *block_of_parts(const wi_frame_header *header, const wi_part *parts,
                                uint32_t count, void (*sent)(void *arg), void *arg)
{
    static const char zeros[WI_FRAME_LINE];
    size_t along = count && parts[0].bytes <= WITH_HEADER_BYTES ? parts[0].bytes : 0;
    wi_block *block = block_new(count + 2, sizeof *header + along);
    block->sent = sent;
    block->arg = arg;
    block->count = count + 2;
    memcpy(&block->parts[1], parts, count * sizeof *parts);
    block->parts[0] = (wi_part){block->room, sizeof *header + along};
    if (along) {
        memcpy(block->room + sizeof *header, parts[0].at, along);
        block->parts[1].bytes = 0;
    }
    block->parts[count + 1] =
        (wi_part){zeros, wi_frame_bytes(header->bytes) - sizeof *header - header->bytes};
    return block;
}

static void send_small(wi_session *session, wi_frame_header *header, const wi_part *parts,
                       uint32_t count)
{
    pthread_mutex_lock(&session->lock);
    number(session, header);
    copy_frame(room_for(session, wi_frame_bytes(header->bytes)), header, parts, count);
    count_frame(session, header);
    pthread_mutex_unlock(&session->lock);
}

/* `block` has its header as its first bytes. */
static void send_block(wi_session *session, wi_block *block, wi_frame_header *header)
{
    pthread_mutex_lock(&session->lock);
    number(session, header);
    memcpy(block->room, header, sizeof *header);
    append(session, block);
    count_frame(session, header);
    pthread_mutex_unlock(&session->lock);
}

/* Under the seal's lock. Who has it gives out the numbers, so the frame can be sealed with its
 * own before it is queued, outside of the queue's lock. */
static void send_sealed(wi_session *session, wi_frame_header *header, const wi_part *parts,
                        uint32_t count)
{
    size_t bytes = wi_frame_bytes(header->bytes);
    wi_block *block = block_new_room(bytes);
    char *at = block_take_room(block, bytes);
    copy_frame(at, header, parts, count);
    header->sequence = session->next;
    wi_seal_close(session->config.seal_out, header, at + sizeof *header);
    if (bytes > SMALL_BYTES) {
        send_block(session, block, header);
        block = NULL;
    } else {
        wi_part sealed = {at + sizeof *header, header->bytes};
        send_small(session, header, &sealed, 1);
    }
    wi_free(block);
}

void wi_session_send(wi_session *session, uint16_t kind, const wi_part *parts, uint32_t count,
                     void (*sent)(void *arg), void *arg)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += parts[i].bytes;
    wi_assert(bytes <= WI_FRAME_BYTES_MAX, "a frame has at most WI_FRAME_BYTES_MAX bytes");
    wi_frame_header header = header_of(session, kind, 0, (uint32_t)bytes);
    bool copied = true;
    if (session->config.seal_out) {
        pthread_mutex_lock(&session->seal_lock);
        send_sealed(session, &header, parts, count);
        pthread_mutex_unlock(&session->seal_lock);
    } else {
        uint64_t sum = wi_checksum(parts, count);
        memcpy(header.check, &sum, sizeof sum);
        if (bytes < SMALL_BYTES) {
            send_small(session, &header, parts, count);
        } else if (sent) {
            send_block(session, block_of_parts(&header, parts, count, sent, arg), &header);
            copied = false;
        } else {
            wi_block *block = block_new_room(wi_frame_bytes(header.bytes));
            copy_frame(block_take_room(block, block->capacity), &header, parts, count);
            send_block(session, block, &header);
        }
    }
    if (!session->config.gathers || wi_session_queued(session) >= WI_SESSION_TURN_BYTES)
        wi_session_push(session);
    if (sent && copied)
        sent(arg);
}

static void say(wi_session *session, wi_word word, const char *text)
{
    wi_part part = {text, text ? strnlen(text, WI_WORD_BYTES_MAX) : 0};
    wi_frame_header header =
        header_of(session, (uint16_t)word, WI_FRAME_OWN, (uint32_t)part.bytes);
    if (session->config.seal_out) {
        send_sealed(session, &header, &part, 1);
        return;
    }
    uint64_t sum = wi_checksum(&part, 1);
    memcpy(header.check, &sum, sizeof sum);
    send_small(session, &header, &part, 1);
}

void wi_session_say(wi_session *session, wi_word word, const char *text)
{
    pthread_mutex_lock(&session->seal_lock); /* words are few; one at a time, for S5 */
    bool last = word == WI_WORD_FAILED || word == WI_WORD_HEARD;
    if (!session->failed_said &&
        (last || !atomic_load_explicit(&session->ended, memory_order_relaxed))) {
        say(session, word, text);
        if (word == WI_WORD_GOODBYE)
            atomic_store_explicit(&session->ended, true, memory_order_relaxed);
        session->failed_said = word == WI_WORD_FAILED;
    }
    pthread_mutex_unlock(&session->seal_lock);
    wi_session_push(session);
}
