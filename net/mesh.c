/* A mesh that is open: polling its sessions, and noticing when a process is lost. See mesh.h;
 * opening.c makes the links.
 *
 * Losing a process has two steps, since other threads may be delivering frames of its: `lost`
 * is set, by which readers stop after the frame they are at; then whoever gets the reader's
 * role of both lanes keeps them for good and calls `down` (M3). */
#include "mesh_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "address.h"

/* Without a tick for so long this process was stopped, not the others. */
#define PAUSE_NS (1000 * WI_NS_PER_MS)

wi_peer_name wi_peer_name_of(const wi_peer *peer)
{
    wi_peer_name name;
    snprintf(name.text, sizeof name.text, "process %" PRIu32 " (%s)", peer->process,
             peer->url ? peer->url : "its address is not known");
    return name;
}

/* ---- losing a process ------------------------------------------------------------------- */

/* any. Whether it is done with: `down` was called for it, now or before. */
static bool report(wi_peer *peer)
{
    if (atomic_load_explicit(&peer->reported, memory_order_acquire))
        return true;
    uint32_t held = 0;
    while (held < WI_LANES && wi_session_try_read(peer->lanes[held]))
        held++;
    weir_err *why = NULL;
    if (held == WI_LANES)
        why = atomic_exchange_explicit(&peer->why, NULL, memory_order_acquire);
    if (!why) { /* somebody is delivering, or has not written why yet: next time */
        while (held)
            wi_session_end_read(peer->lanes[--held]);
        return false;
    }
    atomic_store_explicit(&peer->reported, true, memory_order_release);
    peer->mesh->config.down(peer->mesh->config.arg, peer->process, why);
    return true;
}

/* any. Takes the error. The others are told, so that they need not find out by themselves. */
static void lose(wi_peer *peer, weir_err *why)
{
    wi_mesh *mesh = peer->mesh;
    if (atomic_exchange_explicit(&peer->lost, true, memory_order_seq_cst)) {
        weir_err_free(why);
        return;
    }
    atomic_store_explicit(&mesh->down, true, memory_order_relaxed);
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES; lane++)
            if (i != mesh->config.process)
                wi_session_say(mesh->peers[i].lanes[lane], WI_WORD_FAILED, weir_err_message(why));
    atomic_store_explicit(&peer->why, why, memory_order_release);
}

/* any, after a take. What became of the session. */
static void look(wi_peer *peer, const wi_session *session)
{
    wi_session_state state = wi_session_state_of(session);
    if (WEIR_LIKELY(state < WI_SESSION_OVER))
        return;
    if (state == WI_SESSION_FAILED)
        lose(peer, weir_err_new("%s: %s", wi_peer_name_of(peer).text, session->why));
    else if (!atomic_load_explicit(&peer->mesh->parting, memory_order_relaxed))
        lose(peer, weir_err_new("%s is gone: it has finished, and this process (%" PRIu32
                                ") has not",
                                wi_peer_name_of(peer).text, peer->mesh->config.process));
}

static bool is_lost(const wi_peer *peer)
{
    return atomic_load_explicit(&peer->lost, memory_order_seq_cst);
}

/* ---- polling ---------------------------------------------------------------------------- */

/* any. Reads one link, unless somebody does. */
static bool poll_session(wi_peer *peer, wi_session *session, uint64_t now_ns)
{
    if (!wi_session_try_read(session))
        return false;
    bool any = false;
    if (!is_lost(peer)) {
        any = wi_session_take(session, now_ns);
        if (any)
            look(peer, session);
    }
    wi_session_end_read(session);
    return any;
}

/* any. Who is lost is still told why, but not heard. */
static bool poll_peer(wi_peer *peer, uint64_t now_ns)
{
    bool any = false;
    for (int lane = 0; lane < WI_LANES; lane++) {
        any |= wi_session_push(peer->lanes[lane]);
        any |= poll_session(peer, peer->lanes[lane], now_ns);
    }
    return any;
}

bool wi_mesh_poll(wi_mesh *mesh, uint64_t now_ns)
{
    bool any = false;
    for (uint32_t i = 0; i < mesh->config.processes; i++) {
        wi_peer *peer = &mesh->peers[i];
        if (i == mesh->config.process)
            continue;
        any |= poll_peer(peer, now_ns);
        if (is_lost(peer))
            report(peer);
    }
    return any;
}

bool wi_mesh_arm(wi_mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->config.processes; i++) {
        wi_peer *peer = &mesh->peers[i];
        if (i == mesh->config.process)
            continue;
        if (is_lost(peer)) {
            if (!report(peer))
                return false;
            continue;
        }
        for (int lane = 0; lane < WI_LANES; lane++) {
            wi_session *session = peer->lanes[lane];
            if (!wi_session_try_read(session))
                continue; /* its reader is awake, and will poll again or arm */
            bool armed = is_lost(peer) || wi_session_arm(session, mesh->config.wake,
                                                         mesh->config.arg);
            wi_session_end_read(session);
            if (!armed)
                return false;
        }
    }
    return true;
}

/* ---- time ------------------------------------------------------------------------------- */

/* tick. Says something if nothing was sent for a while and nothing waits. */
static void keep_alive(wi_session *session, uint64_t now_ns)
{
    uint64_t sent = atomic_load_explicit(&session->sent_frames, memory_order_relaxed);
    if (sent != session->seen_sent || wi_session_queued(session)) {
        session->seen_sent = sent;
        session->seen_sent_ns = now_ns;
    } else if (now_ns - session->seen_sent_ns >= WI_MESH_ALIVE_NS) {
        wi_session_say(session, WI_WORD_ALIVE, NULL);
    }
}

/* tick. After a pause of this process the time starts anew. */
static void check_heard(wi_peer *peer, wi_session *session, uint64_t now_ns, bool paused)
{
    uint64_t heard_ns = atomic_load_explicit(&session->heard_ns, memory_order_relaxed);
    if (wi_session_state_of(session) != WI_SESSION_OPEN || heard_ns > now_ns)
        return;
    uint64_t silent_ns = now_ns - heard_ns;
    /* Perhaps nobody has looked. What waits is read first, and counts. */
    bool came = (paused || silent_ns >= WI_MESH_ALIVE_NS) && poll_session(peer, session, now_ns);
    if (paused) /* also if it was only left from before: that is no news of now */
        atomic_store_explicit(&session->heard_ns, now_ns, memory_order_relaxed);
    if (came || paused || silent_ns < peer->mesh->config.silence_ns ||
        atomic_load_explicit(&session->reading, memory_order_relaxed))
        return;
    if (atomic_load_explicit(&session->heard_ns, memory_order_relaxed) == heard_ns)
        lose(peer, weir_err_new("%s has been silent for %.1f s: it hangs, is stopped or its "
                                "network is cut",
                                wi_peer_name_of(peer).text, (double)silent_ns / 1e9));
}

void wi_mesh_tick(wi_mesh *mesh, uint64_t now_ns)
{
    if (atomic_exchange_explicit(&mesh->ticking, true, memory_order_acquire))
        return;
    bool paused = now_ns - mesh->ticked_ns > PAUSE_NS;
    mesh->ticked_ns = now_ns;
    for (uint32_t i = 0; i < mesh->config.processes; i++) {
        wi_peer *peer = &mesh->peers[i];
        for (int lane = 0; lane < WI_LANES && i != mesh->config.process && !is_lost(peer); lane++) {
            wi_session_push(peer->lanes[lane]);
            keep_alive(peer->lanes[lane], now_ns);
            check_heard(peer, peer->lanes[lane], now_ns, paused);
        }
        if (is_lost(peer))
            report(peer);
    }
    atomic_store_explicit(&mesh->ticking, false, memory_order_release);
}

/* ---- sending ---------------------------------------------------------------------------- */

void wi_mesh_send(wi_mesh *mesh, uint32_t process, wi_lane lane, uint16_t kind,
                  const wi_part *parts, uint32_t count, void (*sent)(void *arg), void *arg)
{
    wi_assert(process < mesh->config.processes && process != mesh->config.process,
              "a frame goes to another process");
    if (atomic_load_explicit(&mesh->down, memory_order_relaxed) ||
        atomic_load_explicit(&mesh->parting, memory_order_relaxed)) {
        if (sent)
            sent(arg);
        return;
    }
    wi_session_send(mesh->peers[process].lanes[lane], kind, parts, count, sent, arg);
}

void wi_mesh_push(wi_mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        if (i != mesh->config.process && !is_lost(&mesh->peers[i]))
            wi_session_push(mesh->peers[i].lanes[WI_LANE_DATA]);
}

size_t wi_mesh_backlog(const wi_mesh *mesh, uint32_t process, wi_lane lane)
{
    const wi_session *session = mesh->peers[process].lanes[lane];
    return session ? wi_session_queued(session) : 0;
}

void wi_mesh_goodbye(wi_mesh *mesh)
{
    if (atomic_exchange_explicit(&mesh->parting, true, memory_order_relaxed))
        return;
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES && i != mesh->config.process; lane++)
            wi_session_say(mesh->peers[i].lanes[lane], WI_WORD_GOODBYE, NULL);
}

bool wi_mesh_parted(const wi_mesh *mesh)
{
    if (!atomic_load_explicit(&mesh->parting, memory_order_relaxed))
        return false;
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES && i != mesh->config.process; lane++) {
            const wi_session *session = mesh->peers[i].lanes[lane];
            wi_session_state state = wi_session_state_of(session);
            if (state == WI_SESSION_OVER || is_lost(&mesh->peers[i]))
                continue; /* nothing is heard of it any more, nor said to it */
            if (state != WI_SESSION_PARTED || wi_session_queued(session) ||
                !atomic_load_explicit(&session->heard, memory_order_relaxed))
                return false;
        }
    return true;
}

void wi_mesh_count(const wi_mesh *mesh, wi_mesh_totals *totals_out)
{
    *totals_out = (wi_mesh_totals){0};
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES; lane++) {
            const wi_session *session = mesh->peers[i].lanes[lane];
            if (!session)
                continue;
            totals_out->sent_frames[lane] +=
                atomic_load_explicit(&session->sent_frames, memory_order_relaxed);
            totals_out->sent_bytes[lane] +=
                atomic_load_explicit(&session->sent_bytes, memory_order_relaxed);
            totals_out->taken_frames[lane] +=
                atomic_load_explicit(&session->taken_frames, memory_order_relaxed);
            totals_out->taken_bytes[lane] +=
                atomic_load_explicit(&session->taken_bytes, memory_order_relaxed);
        }
}

/* ---- listening and closing -------------------------------------------------------------- */

static weir_err *check_config(const wi_mesh_config *config, const char *url,
                              const wi_secret *secret)
{
    size_t bytes = config->cluster ? strlen(config->cluster) : 0;
    if (bytes == 0 || bytes > WI_CLUSTER_BYTES_MAX ||
        strspn(config->cluster, "abcdefghijklmnopqrstuvwxyz0123456789._-") != bytes)
        return weir_err_new("the cluster's name is '%s': it must be 1 to %d of a-z, 0-9, '.', '_' "
                            "and '-'",
                            config->cluster ? config->cluster : "", WI_CLUSTER_BYTES_MAX);
    if (config->process >= config->processes)
        return weir_err_new("process %" PRIu32 " of %" PRIu32 " is not possible: they are counted "
                            "from 0",
                            config->process, config->processes);
    bool tls = strncmp(url, "tls", 3) == 0;
    if (!tls && !secret->bytes && !wi_address_is_local(url))
        return weir_err_new("listening at %s without a key, anybody who reaches it could feed it "
                            "rows: give --key-file, or certificates and tls+tcp://, or listen at "
                            "tcp://127.0.0.1:PORT",
                            url);
    return NULL;
}

static weir_err *listen_at(wi_mesh *mesh, const char *url)
{
    weir_err *err = check_config(&mesh->config, url, &mesh->secret);
    if (err)
        return err;
    mesh->transport = wi_mesh_transport(mesh, url);
    if (!mesh->transport)
        return weir_err_new("cannot listen at '%s': write tcp://HOST:PORT, tls+tcp://HOST:PORT, "
                            "ipc://PATH or abstract://NAME",
                            url);
    err = mesh->transport->listen(mesh->transport, url, &mesh->config.tls, &mesh->listener);
    if (!err)
        mesh->url = wi_strdup(wi_listener_url(mesh->listener));
    return err;
}

weir_err *wi_mesh_listen(const wi_mesh_config *config, const char *url, wi_mesh **mesh_out)
{
    *mesh_out = NULL;
    wi_mesh *mesh = wi_alloc_lines(sizeof *mesh);
    mesh->config = *config;
    if (!mesh->config.connect_ns)
        mesh->config.connect_ns = 30000 * WI_NS_PER_MS;
    if (!mesh->config.silence_ns)
        mesh->config.silence_ns = 2500 * WI_NS_PER_MS;
    weir_err *err = wi_secret_load(config->key_file, config->key, &mesh->secret);
    if (!err)
        err = listen_at(mesh, url);
    if (err) {
        wi_mesh_close(mesh);
        return err;
    }
    mesh->chunks = wi_chunk_pool_new(4 * WI_LANES * config->processes);
    mesh->peers = wi_alloc_lines(config->processes * sizeof *mesh->peers);
    for (uint32_t i = 0; i < config->processes; i++) {
        mesh->peers[i].mesh = mesh;
        mesh->peers[i].process = i;
    }
    *mesh_out = mesh;
    return NULL;
}

const char *wi_mesh_url(const wi_mesh *mesh)
{
    return mesh->url;
}

void wi_mesh_close(wi_mesh *mesh)
{
    if (!mesh)
        return;
    wi_opening_free(mesh->opening);
    wi_listener_close(mesh->listener);
    for (uint32_t i = 0; mesh->peers && i < mesh->config.processes; i++) {
        for (int lane = 0; lane < WI_LANES; lane++)
            wi_session_free(mesh->peers[i].lanes[lane]);
        weir_err_free(atomic_load_explicit(&mesh->peers[i].why, memory_order_acquire));
        wi_free(mesh->peers[i].url);
    }
    wi_chunk_pool_free(mesh->chunks);
    wi_secret_clear(&mesh->secret);
    wi_free(mesh->peers);
    wi_free(mesh->url);
    wi_free(mesh);
}
