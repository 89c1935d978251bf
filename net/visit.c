/* The steps of a visit. See visit.h. */
#include "visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

#define LEAVE_NS (300 * WI_NS_PER_MS)

static void say(wi_visit *visit, const wi_greeting *greeting)
{
    wi_assert(visit->out_bytes + greeting->bytes <= sizeof visit->out,
              "each side says three things at most");
    memcpy(visit->out + visit->out_bytes, greeting->at, greeting->bytes);
    visit->out_bytes += greeting->bytes;
}

static void broken(wi_visit *visit, const char *why)
{
    visit->step = WI_VISIT_BROKEN;
    snprintf(visit->reason, sizeof visit->reason, "%s", why);
}

void wi_visit_refuse(wi_visit *visit, wi_verdict verdict, const char *reason)
{
    if (visit->step >= WI_VISIT_REFUSING)
        return;
    wi_greeting refusal;
    wi_refusal_encode(verdict, reason, &refusal);
    if (visit->step != WI_VISIT_DIALLING)
        say(visit, &refusal);
    visit->step = WI_VISIT_REFUSING;
    visit->verdict = verdict;
    if (visit->reason != reason)
        snprintf(visit->reason, sizeof visit->reason, "%s", reason);
}

weir_err *wi_visit_new(wi_mesh *mesh, wi_link *link, bool dialled, uint32_t whom, wi_lane lane,
                       uint64_t now_ns, wi_visit **visit_out)
{
    wi_visit *visit = WI_NEW(wi_visit);
    weir_err *err = wi_hello_init(&visit->mine);
    visit->mesh = mesh;
    visit->link = link;
    visit->dialled = dialled;
    visit->whom = whom;
    visit->step = dialled ? WI_VISIT_DIALLING : WI_VISIT_HELLO;
    visit->since_ns = now_ns;
    visit->transcript.secret = &mesh->secret;
    wi_hello *mine = &visit->mine;
    snprintf(mine->cluster, sizeof mine->cluster, "%s", mesh->config.cluster);
    mine->generation = mesh->config.generation;
    mine->process = mesh->config.process;
    mine->processes = mesh->config.processes;
    mine->workers = mesh->config.workers;
    mine->lane = lane;
    mine->keyed = mesh->secret.bytes > 0;
    mine->instance = mesh->instance;
    if (err) {
        wi_visit_free(visit);
        return err;
    }
    *visit_out = visit;
    return NULL;
}

void wi_visit_free(wi_visit *visit)
{
    if (!visit)
        return;
    wi_link_close(visit->link);
    wi_free(visit);
}

/* ---- what is said ----------------------------------------------------------------------- */

static void say_hello(wi_visit *visit)
{
    wi_greeting *hello =
        visit->dialled ? &visit->transcript.dialled : &visit->transcript.accepted;
    wi_hello_encode(&visit->mine, hello);
    say(visit, hello);
}

static void say_proof(wi_visit *visit)
{
    wi_proof proof = {.bytes = visit->mine.keyed ? sizeof proof.mac : 0,
                      .shares = visit->shares};
    wi_greeting greeting;
    if (visit->mine.keyed)
        wi_transcript_mac(&visit->transcript, visit->dialled, proof.mac);
    wi_proof_encode(&proof, &greeting);
    say(visit, &greeting);
}

/* What is under way between two processes of one machine, in each direction: all of a process's
 * links together have some megabytes at most. */
#define SHARED_BYTES_MAX ((uint64_t)512 * 1024)
#define SHARED_BYTES_MIN ((uint64_t)64 * 1024)
#define SHARED_BYTES_ALL ((uint64_t)8 * 1024 * 1024)

/* Who accepts. */
static void offer_memory(wi_visit *visit)
{
    const wi_mesh_config *config = &visit->mesh->config;
    uint64_t bytes = SHARED_BYTES_MAX;
    while (bytes > SHARED_BYTES_MIN &&
           (visit->mine.lane != WI_LANE_DATA || bytes * config->processes > SHARED_BYTES_ALL))
        bytes /= 2;
    if (!config->no_shared_memory)
        wi_link_offer(visit->link, visit->mine.nonce, bytes, &visit->mine.memory);
}

/* Who dialled. */
static void take_offer(wi_visit *visit)
{
    visit->shares = !visit->mesh->config.no_shared_memory && visit->theirs.memory.pid &&
                    wi_link_take_offer(visit->link, visit->theirs.nonce, visit->theirs.memory);
}

static void take_hello(wi_visit *visit)
{
    char reason[WI_REASON_BYTES_MAX + 1];
    if (!wi_hello_decode(&visit->in, &visit->theirs)) {
        broken(visit, "its hello is garbled");
        return;
    }
    visit->known = true;
    wi_verdict verdict = wi_hello_judge(&visit->mine, &visit->theirs, reason);
    if (verdict != WI_VERDICT_FITS) {
        wi_visit_refuse(visit, verdict, reason);
        return;
    }
    if (visit->dialled && visit->theirs.process != visit->whom) {
        snprintf(reason, sizeof reason,
                 "process %" PRIu32 " is where process %" PRIu32 " was expected to be; do all "
                 "processes have the same hosts in the same order?",
                 visit->theirs.process, visit->whom);
        wi_visit_refuse(visit, WI_VERDICT_MISFIT, reason);
        return;
    }
    if (visit->dialled ? visit->theirs.lane != visit->mine.lane
                       : visit->theirs.process < visit->mine.process) {
        broken(visit, "it answers for another lane, or dialled a later process");
        return;
    }
    if (visit->dialled) {
        visit->transcript.accepted = visit->in;
    } else {
        visit->transcript.dialled = visit->in;
        visit->mine.lane = visit->theirs.lane;
        offer_memory(visit);
        say_hello(visit);
        say_proof(visit);
    }
    visit->step = WI_VISIT_PROOF;
}

static void take_proof(wi_visit *visit)
{
    wi_proof proof;
    if (!wi_proof_decode(&visit->in, &proof) ||
        (proof.shares && (visit->dialled || !visit->mine.memory.pid))) {
        broken(visit, "its proof is garbled");
        return;
    }
    bool right = !visit->mine.keyed ||
                 (proof.bytes == sizeof proof.mac &&
                  wi_transcript_verify(&visit->transcript, !visit->dialled, proof.mac));
    if (!right) {
        char reason[WI_REASON_BYTES_MAX + 1];
        snprintf(reason, sizeof reason,
                 "process %" PRIu32 " and process %" PRIu32 " have different keys; give all of "
                 "them the same key",
                 visit->mine.process, visit->theirs.process);
        wi_visit_refuse(visit, WI_VERDICT_MISFIT, reason);
        return;
    }
    if (visit->dialled)
        take_offer(visit);
    else
        visit->shares = proof.shares;
    if (visit->dialled)
        say_proof(visit);
    visit->step = WI_VISIT_FLUSHING;
}

static void take_greeting(wi_visit *visit, wi_greeting_type type)
{
    if (type == WI_GREETING_REFUSAL) {
        if (wi_refusal_decode(&visit->in, &visit->verdict, visit->reason))
            visit->step = WI_VISIT_TURNED_AWAY;
        else
            broken(visit, "its refusal is garbled");
    } else if (type == WI_GREETING_HELLO && visit->step == WI_VISIT_HELLO) {
        take_hello(visit);
    } else if (type == WI_GREETING_PROOF && visit->step == WI_VISIT_PROOF) {
        take_proof(visit);
    } else {
        broken(visit, "it does not follow the protocol of the handshake");
    }
}

/* ---- bytes ------------------------------------------------------------------------------ */

/* How many bytes the message has, as far as is known. False: it is no message. */
static bool wanted(wi_visit *visit, wi_greeting_type *type_out, uint32_t *bytes_out)
{
    *bytes_out = WI_GREETING_PREFIX_BYTES;
    if (visit->read < WI_GREETING_PREFIX_BYTES)
        return true;
    uint32_t body;
    if (!wi_greeting_check(visit->in.at, type_out, &body))
        return false;
    *bytes_out += body;
    return visit->total + body + WI_GREETING_PREFIX_BYTES <= WI_GREETING_BYTES_MAX ||
           *type_out == WI_GREETING_REFUSAL;
}

static bool read_some(wi_visit *visit)
{
    wi_greeting_type type = WI_GREETING_HELLO;
    uint32_t bytes;
    if (!wanted(visit, &type, &bytes)) {
        broken(visit, "what it says is no greeting of weir's");
        return true;
    }
    if (bytes > visit->read) {
        if (!visit->asked)
            wi_link_read_begin(visit->link, visit->in.at + visit->read, bytes - visit->read);
        visit->asked = true;
        int64_t came = wi_link_read_end(visit->link);
        if (came == 0)
            return false;
        visit->asked = false;
        if (came < 0)
            broken(visit, wi_link_why(visit->link));
        else
            visit->read += (uint32_t)came;
        return true;
    }
    visit->in.bytes = bytes;
    visit->total += bytes;
    visit->read = 0;
    take_greeting(visit, type);
    return true;
}

static bool write_some(wi_visit *visit)
{
    if (visit->out_at == visit->out_bytes)
        return false;
    if (!visit->in_flight) {
        wi_part part = {visit->out + visit->out_at, visit->out_bytes - visit->out_at};
        wi_link_write_begin(visit->link, &part, 1);
        visit->in_flight = true;
    }
    int64_t sent = wi_link_write_end(visit->link);
    if (sent == 0)
        return false;
    visit->in_flight = false;
    if (sent > 0)
        visit->out_at += (uint32_t)sent;
    else if (visit->step == WI_VISIT_REFUSING)
        visit->step = WI_VISIT_REFUSED;
    else /* what it said before may be read still: a refusal */
        visit->out_at = visit->out_bytes;
    return true;
}

/* Refusing: what the other side still says does not count. */
static bool see_off(wi_visit *visit, uint64_t now_ns)
{
    if (!visit->leave_ns)
        visit->leave_ns = now_ns + LEAVE_NS;
    if (!visit->asked)
        wi_link_read_begin(visit->link, visit->in.at, sizeof visit->in.at);
    visit->asked = true;
    int64_t came = wi_link_read_end(visit->link);
    if (came != 0)
        visit->asked = false;
    if (came < 0 || visit->total > WI_GREETING_BYTES_MAX || now_ns > visit->leave_ns)
        visit->step = WI_VISIT_REFUSED;
    else
        visit->total += (uint32_t)came;
    return came != 0;
}

static bool once(wi_visit *visit, uint64_t now_ns)
{
    bool any = false;
    if (visit->step == WI_VISIT_DIALLING) {
        wi_link_state state = wi_link_poll(visit->link);
        if (state == WI_LINK_UP) {
            say_hello(visit);
            visit->step = WI_VISIT_HELLO;
        } else if (state == WI_LINK_DOWN) {
            broken(visit, wi_link_why(visit->link));
        }
        any = state != WI_LINK_OPENING;
    }
    if (visit->step == WI_VISIT_DIALLING || visit->step > WI_VISIT_REFUSING)
        return any;
    any |= write_some(visit);
    if (visit->step == WI_VISIT_HELLO || visit->step == WI_VISIT_PROOF)
        any |= read_some(visit);
    bool said = visit->out_at == visit->out_bytes;
    if (said && visit->step == WI_VISIT_FLUSHING)
        visit->step = WI_VISIT_DONE;
    else if (said && visit->step == WI_VISIT_REFUSING && visit->out_bytes)
        any |= see_off(visit, now_ns);
    else if (said && visit->step == WI_VISIT_REFUSING)
        visit->step = WI_VISIT_REFUSED;
    return any;
}

bool wi_visit_go_on(wi_visit *visit, uint64_t now_ns)
{
    bool any = false;
    while (visit->step <= WI_VISIT_REFUSING && once(visit, now_ns))
        any = true;
    return any || visit->step > WI_VISIT_REFUSING;
}

wi_session *wi_visit_session(wi_visit *visit)
{
    wi_assert(visit->step == WI_VISIT_DONE, "a session begins after the handshake");
    wi_mesh *mesh = visit->mesh;
    wi_session_config config = {.self = mesh->config.process,
                                .process = visit->theirs.process,
                                .lane = (wi_lane)visit->mine.lane,
                                .gathers = visit->mine.lane == WI_LANE_DATA && !visit->shares,
                                .generation = mesh->config.generation,
                                .chunks = mesh->chunks,
                                .frame = mesh->config.frame,
                                .arg = mesh->config.arg,
                                .stop = &mesh->peers[visit->theirs.process].lost};
    if (visit->mine.keyed) {
        wi_cipher cipher = visit->mine.aes && visit->theirs.aes ? WI_CIPHER_AES : WI_CIPHER_CHACHA;
        config.seal_out = wi_transcript_seal(&visit->transcript, visit->dialled, cipher);
        config.seal_in = wi_transcript_seal(&visit->transcript, !visit->dialled, cipher);
    }
    wi_link *link = visit->link;
    wi_link_share(link, visit->shares);
    visit->link = NULL;
    return wi_session_new(link, &config);
}
