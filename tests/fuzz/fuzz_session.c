/* Fuzzes what a link may bring: the input is what it reads, in pieces of the sizes that the
 * first byte gives. Frames that are delivered must have been in it as they are, in order. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/checksum.h"
#include "net/session.h"

/* ---- a link that reads the input, and lets what is written go ---------------------------- */

typedef struct script {
    wi_link link;
    const uint8_t *at;
    size_t left, piece, written;
    void *buffer;
    size_t room;
} script;

static wi_link_state script_poll(wi_link *link)
{
    (void)link;
    return WI_LINK_UP;
}

static const char *script_text(const wi_link *link)
{
    (void)link;
    return "the input is at its end";
}

static void script_read_begin(wi_link *link, void *buffer, size_t bytes)
{
    script *own = (script *)link;
    own->buffer = buffer;
    own->room = bytes;
    memset(buffer, 0xa5, bytes < 512 ? bytes : 512); /* it is the link's */
}

static int64_t script_read_end(wi_link *link)
{
    script *own = (script *)link;
    size_t bytes = own->left < own->room ? own->left : own->room;
    if (bytes > own->piece)
        bytes = own->piece;
    if (bytes == 0)
        return -1;
    memcpy(own->buffer, own->at, bytes);
    own->at += bytes;
    own->left -= bytes;
    return (int64_t)bytes;
}

static void script_write_begin(wi_link *link, const wi_part *parts, uint32_t count)
{
    script *own = (script *)link;
    own->written = 0;
    for (uint32_t i = 0; i < count; i++)
        own->written += parts[i].bytes;
}

static int64_t script_write_end(wi_link *link)
{
    return (int64_t)((script *)link)->written;
}

static void script_arm(wi_link *link, void (*wake)(void *arg), void *arg)
{
    (void)link;
    wake(arg);
}

static void script_close(wi_link *link)
{
    (void)link;
}

static const wi_link_ops script_ops = {.poll = script_poll,
                                       .peer = script_text,
                                       .why = script_text,
                                       .read_begin = script_read_begin,
                                       .read_end = script_read_end,
                                       .write_begin = script_write_begin,
                                       .write_end = script_write_end,
                                       .arm = script_arm,
                                       .arm_write = script_arm,
                                       .close = script_close};

/* ---- the target ------------------------------------------------------------------------- */

typedef struct reader {
    const uint8_t *at, *end; /* what was not delivered yet */
} reader;

static void on_frame(void *arg, const wi_arrival *arrival)
{
    reader *own = arg;
    const uint8_t *found = arrival->count == 0
                               ? own->at
                               : memmem(own->at, (size_t)(own->end - own->at), arrival->bytes,
                                        arrival->count);
    if (!found || (uintptr_t)arrival->bytes % WI_FRAME_LINE)
        abort();
    own->at = found + arrival->count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 1)
        return 0;
    static const size_t pieces[] = {1, 63, 64, 65, 1000, 1 << 20};
    static wi_chunk_pool *chunks;
    if (!chunks)
        chunks = wi_chunk_pool_new(4);
    script link = {.link.ops = &script_ops, .at = bytes + 1, .left = count - 1};
    link.piece = pieces[bytes[0] % 6];
    reader own = {bytes + 1, bytes + count};
    _Atomic(bool) stop = false;
    wi_session_config config = {.self = 0,
                                .process = 1,
                                .lane = WI_LANE_DATA,
                                .generation = 7,
                                .chunks = chunks,
                                .frame = on_frame,
                                .arg = &own,
                                .stop = &stop};
    wi_session *session = wi_session_new(&link.link, &config);
    for (size_t turn = 0; wi_session_state_of(session) < WI_SESSION_OVER; turn++) {
        if (turn > 2 * count + 10)
            abort(); /* it does not get on */
        wi_session_take(session, turn);
    }
    wi_session_free(session);
    return 0;
}

size_t fuzz_valid_input(uint64_t seed, uint8_t *bytes_out, size_t bytes_max)
{
    size_t used = 1, frames = seed % 7;
    bytes_out[0] = (uint8_t)(seed >> 8);
    for (size_t i = 0; i < frames + 2; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bool own = i == 0 || i == frames + 1 || seed >> 60 == 0;
        uint32_t bytes = own ? 0 : (uint32_t)(seed >> 40) % (seed >> 61 ? 100 : 6000);
        if (used + wi_frame_bytes(bytes) > bytes_max)
            break;
        wi_frame_header header = {
            .magic = WI_FRAME_MAGIC,
            .kind = i == 0            ? WI_WORD_READY
                    : i == frames + 1 ? WI_WORD_GOODBYE
                                      : WI_WORD_ALIVE,
            .lane = WI_LANE_DATA,
            .flags = own ? WI_FRAME_OWN : 0,
            .bytes = bytes,
            .from = 1,
            .sequence = i,
            .generation = 7};
        uint8_t *payload = bytes_out + used + sizeof header;
        memset(payload, 0, wi_frame_bytes(bytes) - sizeof header);
        memset(payload, (int)(seed >> 32), bytes);
        uint64_t check = wi_checksum(&(wi_part){payload, bytes}, 1);
        memcpy(header.check, &check, sizeof check);
        if (seed >> 58 == 1) /* garbled, but its checksum fits */
            header.bytes = (uint32_t)(seed >> 20);
        wi_frame_close(&header);
        memcpy(bytes_out + used, &header, sizeof header);
        used += wi_frame_bytes(bytes);
    }
    return used;
}
