/* Opening a mesh: everybody dials those of lower index and accepts the others, two links each.
 * When a process has all of its links it says READY on each; when READY has come on each, all
 * have all of theirs, and the mesh is open. One thread does it, by looking at everything in
 * turn, since it happens once.
 *
 * What may end it: time; a process of ours that can never fit; one that has given up. What may
 * not: strangers. Somebody who has not shown that it belongs here has WI_GREETING_BYTES_MAX
 * bytes and VISIT_NS, and only VISITS_MAX can be there at once: a new one takes the place of
 * the oldest that has said nothing, or else of the oldest. Only ACCEPTED_MAX are let in at a
 * time, so that a flood leaves time to hear those who came. With a shared key only who knows it
 * can end the opening from outside.
 *
 * Once the mesh is open nobody listens any more: who comes later is refused by the system. */
#include "visit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "../base/alloc.h"
#include "../base/assert.h"

#define VISITS_MAX 64
#define ACCEPTED_MAX 16
#define VISIT_NS (5000 * WI_NS_PER_MS)
#define STRANGERS_LOGGED_MAX 3
#define RETRY_NS (20 * WI_NS_PER_MS)
#define RETRY_NS_MAX (250 * WI_NS_PER_MS)
#define LOOK_NS 200000
#define FAREWELL_NS (200 * WI_NS_PER_MS)

/* What is known of a process that should come. */
typedef struct guest {
    uint64_t instance; /* of those links that are there */
    wi_visit *dials[WI_LANES];
    uint64_t retry_ns[WI_LANES], wait_ns[WI_LANES];
    char last[WI_REASON_BYTES_MAX + 1]; /* what the last try ended in */
} guest;

typedef struct wi_opening {
    wi_mesh *mesh;
    uint64_t now_ns, until_ns;
    guest *guests;
    wi_visit *visits[VISITS_MAX]; /* accepted; NULLs in between */
    bool ready;                   /* said */
    weir_err *err;                /* the end of it */
} opening;

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pause_ns(uint64_t ns)
{
    struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    nanosleep(&left, NULL);
}

static void give_up(opening *open, weir_err *err)
{
    if (open->err)
        weir_err_free(err);
    else
        open->err = err;
}

/* Strangers are not worth more than a few lines. */
static void log_stranger(opening *open, const wi_visit *visit)
{
    if (open->mesh->strangers++ < STRANGERS_LOGGED_MAX)
        fprintf(stderr, "weir: process %" PRIu32 " turned away somebody from %s: %s\n",
                open->mesh->config.process, wi_link_peer(visit->link), visit->reason);
}

static bool starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* That nobody is there any more says less than what was heard while somebody was. */
static void note(guest *who, const char *why)
{
    if (*who->last &&
        (starts_with(why, "closed by peer") || starts_with(why, "connection refused")))
        return;
    snprintf(who->last, sizeof who->last, "%.*s", (int)sizeof who->last - 1, why);
}

/* ---- sessions --------------------------------------------------------------------------- */

static void leave_session(opening *open, wi_peer *peer, int lane)
{
    wi_session_free(peer->lanes[lane]);
    peer->lanes[lane] = NULL;
    guest *who = &open->guests[peer->process];
    if (!peer->lanes[WI_LANE_PROGRESS] && !peer->lanes[WI_LANE_DATA])
        who->instance = 0;
    who->retry_ns[lane] = open->now_ns + RETRY_NS;
}

/* A visit has become a link between two that know each other. */
static void settle(opening *open, wi_visit *visit)
{
    uint32_t process = visit->theirs.process, lane = visit->mine.lane;
    wi_peer *peer = &open->mesh->peers[process];
    guest *who = &open->guests[process];
    if (who->instance && who->instance != visit->theirs.instance && !visit->dialled) {
        wi_session *old = peer->lanes[peer->lanes[WI_LANE_PROGRESS] ? WI_LANE_PROGRESS
                                                                    : WI_LANE_DATA];
        give_up(open, weir_err_new("two processes were started as process %" PRIu32 " of %" PRIu32
                                   ", one at %s and one at %s; each needs an index of its own",
                                   process, open->mesh->config.processes,
                                   wi_link_peer(old->link), wi_link_peer(visit->link)));
        wi_session *session = wi_visit_session(visit);
        wi_session_say(session, WI_WORD_FAILED, weir_err_message(open->err));
        wi_session_free(session);
        return;
    }
    if (peer->lanes[lane]) /* it has dialled again */
        leave_session(open, peer, (int)lane);
    who->instance = visit->theirs.instance;
    who->last[0] = '\0';
    peer->lanes[lane] = wi_visit_session(visit);
    if (open->ready)
        wi_session_say(peer->lanes[lane], WI_WORD_READY, NULL);
}

static bool look_at_session(opening *open, wi_peer *peer, int lane)
{
    wi_session *session = peer->lanes[lane];
    if (!session)
        return false;
    bool any = wi_session_push(session);
    wi_session_state state = wi_session_state_of(session);
    if (state == WI_SESSION_NEW) {
        wi_assert(wi_session_try_read(session), "one thread opens a mesh");
        any |= wi_session_take(session, 0);
        wi_session_end_read(session);
        state = wi_session_state_of(session);
    }
    if (state != WI_SESSION_FAILED)
        return any;
    if (session->gone) {
        note(&open->guests[peer->process], session->why);
        leave_session(open, peer, lane);
    } else {
        give_up(open, weir_err_new("%s: %s", wi_peer_name_of(peer).text, session->why));
    }
    return true;
}

/* ---- those we dial ---------------------------------------------------------------------- */

static void dial(opening *open, uint32_t process, wi_lane lane)
{
    wi_mesh *mesh = open->mesh;
    const char *url = mesh->peers[process].url;
    const wi_transport *transport = wi_mesh_transport(mesh, url);
    wi_link *link = NULL;
    weir_err *err = transport ? transport->dial(transport, url, &mesh->config.tls, &link)
                              : weir_err_new("it is no address that can be dialled");
    if (!err)
        err = wi_visit_new(mesh, link, true, process, lane, open->now_ns,
                           &open->guests[process].dials[lane]);
    if (err)
        give_up(open, weir_err_new("%s: %s", wi_peer_name_of(&mesh->peers[process]).text,
                                   weir_err_message(err)));
    weir_err_free(err);
}

/* Whether it may be better next time: when the process there is not the one that will be. */
static bool may_retry(const wi_visit *visit)
{
    return visit->step == WI_VISIT_BROKEN ||
           (visit->step == WI_VISIT_REFUSED && visit->verdict == WI_VERDICT_LATE) ||
           (visit->step == WI_VISIT_TURNED_AWAY && visit->verdict == WI_VERDICT_EARLY);
}

static void end_dial(opening *open, uint32_t process, wi_lane lane)
{
    guest *who = &open->guests[process];
    wi_visit *visit = who->dials[lane];
    who->dials[lane] = NULL;
    if (visit->step == WI_VISIT_DONE) {
        who->wait_ns[lane] = 0;
        settle(open, visit);
    } else if (may_retry(visit)) {
        bool crowded = strstr(visit->reason, "too many links wait") != NULL;
        uint64_t wait_ns = who->wait_ns[lane] && !crowded ? 2 * who->wait_ns[lane] : RETRY_NS;
        who->wait_ns[lane] = wait_ns < RETRY_NS_MAX ? wait_ns : RETRY_NS_MAX;
        who->retry_ns[lane] = open->now_ns + who->wait_ns[lane];
        note(who, visit->reason);
    } else {
        give_up(open, weir_err_new("%s %s: %s", wi_peer_name_of(&open->mesh->peers[process]).text,
                                   visit->step == WI_VISIT_REFUSED ? "does not fit"
                                                                   : "has refused this process",
                                   visit->reason));
    }
    wi_visit_free(visit);
}

static bool look_at_dial(opening *open, uint32_t process, wi_lane lane)
{
    guest *who = &open->guests[process];
    if (!who->dials[lane]) {
        if (open->mesh->peers[process].lanes[lane] || open->now_ns < who->retry_ns[lane])
            return false;
        dial(open, process, lane);
        if (!who->dials[lane])
            return true;
    }
    bool any = wi_visit_go_on(who->dials[lane], open->now_ns);
    if (who->dials[lane]->step > WI_VISIT_REFUSING)
        end_dial(open, process, lane);
    return any;
}

/* ---- those who dial us ------------------------------------------------------------------ */

static bool is_silent(const wi_visit *visit)
{
    return visit->total == 0 && visit->read == 0;
}

/* Whether this one, rather than the other, makes room for a newcomer. */
static bool makes_room(const wi_visit *visit, const wi_visit *other)
{
    if (!visit || !other)
        return !visit && other;
    if (is_silent(visit) != is_silent(other))
        return is_silent(visit);
    return visit->since_ns < other->since_ns;
}

static bool accept_visits(opening *open)
{
    wi_link *link;
    int accepted = 0;
    for (; accepted < ACCEPTED_MAX && (link = wi_listener_accept(open->mesh->listener));
         accepted++) {
        wi_visit **place = &open->visits[0];
        for (int i = 1; i < VISITS_MAX; i++)
            if (makes_room(open->visits[i], *place))
                place = &open->visits[i];
        wi_visit_free(*place);
        *place = NULL;
        weir_err *err =
            wi_visit_new(open->mesh, link, false, 0, WI_LANE_PROGRESS, open->now_ns, place);
        if (err)
            give_up(open, err);
    }
    return accepted > 0;
}

/* It was turned away, or has turned us away. Is that the end, or nothing of ours? */
static void judge_visit(opening *open, const wi_visit *visit)
{
    bool ours = visit->known && visit->verdict != WI_VERDICT_STRANGER &&
                visit->verdict != WI_VERDICT_LATE;
    if (visit->step == WI_VISIT_TURNED_AWAY && visit->verdict == WI_VERDICT_EARLY)
        ours = false;
    uint32_t process = visit->theirs.process;
    bool named = visit->known && process < open->mesh->config.processes;
    if (named)
        note(&open->guests[process], visit->reason);
    if (!ours || open->mesh->secret.bytes) {
        log_stranger(open, visit);
        return;
    }
    if (visit->step == WI_VISIT_TURNED_AWAY && named)
        give_up(open, weir_err_new("%s has refused this process: %s",
                                   wi_peer_name_of(&open->mesh->peers[process]).text,
                                   visit->reason));
    else
        give_up(open, weir_err_new("somebody from %s does not fit: %s", wi_link_peer(visit->link),
                                   visit->reason));
}

static bool look_at_visit(opening *open, wi_visit **place)
{
    wi_visit *visit = *place;
    if (!visit)
        return false;
    bool any = wi_visit_go_on(visit, open->now_ns);
    if (visit->step <= WI_VISIT_REFUSING && open->now_ns - visit->since_ns > VISIT_NS) {
        visit->step = WI_VISIT_BROKEN;
        snprintf(visit->reason, sizeof visit->reason, "it has not said who it is within %d s",
                 (int)(VISIT_NS / 1000000000));
    }
    if (visit->step <= WI_VISIT_REFUSING)
        return any;
    if (visit->step == WI_VISIT_DONE)
        settle(open, visit);
    else if (visit->step == WI_VISIT_BROKEN)
        log_stranger(open, visit);
    else
        judge_visit(open, visit);
    wi_visit_free(visit);
    *place = NULL;
    return true;
}

/* ---- all of it -------------------------------------------------------------------------- */

static bool look_around(opening *open)
{
    wi_mesh *mesh = open->mesh;
    bool any = false;
    for (uint32_t i = 0; i < mesh->config.processes && !open->err; i++)
        for (int lane = 0; lane < WI_LANES && !open->err && i != mesh->config.process; lane++)
            any |= look_at_session(open, &mesh->peers[i], lane);
    for (uint32_t i = 0; i < mesh->config.process && !open->err; i++)
        for (int lane = 0; lane < WI_LANES && !open->err; lane++)
            any |= look_at_dial(open, i, (wi_lane)lane);
    if (!open->err)
        any |= accept_visits(open);
    for (int i = 0; i < VISITS_MAX && !open->err; i++)
        any |= look_at_visit(open, &open->visits[i]);
    return any;
}

/* How many sessions there are, and are open. */
static uint32_t count_sessions(const wi_mesh *mesh, bool open_only)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES; lane++) {
            const wi_session *session = mesh->peers[i].lanes[lane];
            count += session && (!open_only || wi_session_state_of(session) >= WI_SESSION_OPEN);
        }
    return count;
}

static void say_ready(opening *open)
{
    open->ready = true;
    for (uint32_t i = 0; i < open->mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES && i != open->mesh->config.process; lane++)
            wi_session_say(open->mesh->peers[i].lanes[lane], WI_WORD_READY, NULL);
}

/* Time is up: who is it that has not come? */
static weir_err *name_missing(const opening *open)
{
    const wi_mesh *mesh = open->mesh;
    char text[1200];
    size_t used = 0;
    uint32_t missing = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < mesh->config.processes; i++) {
        const wi_peer *peer = &mesh->peers[i];
        if (i == mesh->config.process || (peer->lanes[0] && peer->lanes[1]) || missing++ >= 3)
            continue;
        const char *last = open->guests[i].last;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s%s%s", used ? ", " : "",
                                 wi_peer_name_of(peer).text, *last ? " [" : "", last,
                                 *last ? "]" : "");
        if (used >= sizeof text)
            used = sizeof text - 1;
    }
    double waited_s = (double)mesh->config.connect_ns / 1e9;
    if (missing == 0)
        return weir_err_new("all processes have come, but some of them still wait for others after "
                            "%g s",
                            waited_s);
    if (missing > 3)
        snprintf(text + used, sizeof text - used, " and %" PRIu32 " more", missing - 3);
    return weir_err_new("%s %s not come within %g s: %s started, and can %s be reached from here?",
                        text, missing == 1 ? "has" : "have", waited_s,
                        missing == 1 ? "is it" : "are they", missing == 1 ? "it" : "they");
}

/* Tells everybody who is there why this process goes away. */
static void say_farewell(opening *open)
{
    const wi_mesh *mesh = open->mesh;
    const char *why = weir_err_message(open->err);
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES; lane++) {
            if (mesh->peers[i].lanes[lane])
                wi_session_say(mesh->peers[i].lanes[lane], WI_WORD_FAILED, why);
            if (open->guests[i].dials[lane])
                wi_visit_refuse(open->guests[i].dials[lane], WI_VERDICT_GAVE_UP, why);
        }
    for (int i = 0; i < VISITS_MAX; i++)
        if (open->visits[i] && open->visits[i]->known)
            wi_visit_refuse(open->visits[i], WI_VERDICT_GAVE_UP, why);
}

/* Whether some of it is still to be said. */
static bool see_off(opening *open)
{
    const wi_mesh *mesh = open->mesh;
    bool waiting = false;
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES; lane++) {
            wi_session *session = mesh->peers[i].lanes[lane];
            wi_visit *visit = open->guests[i].dials[lane];
            if (session && !session->broken)
                waiting |= !wi_session_push(session) && wi_session_queued(session);
            if (visit)
                waiting |= !wi_visit_go_on(visit, open->now_ns);
        }
    for (int i = 0; i < VISITS_MAX; i++)
        if (open->visits[i] && open->visits[i]->known)
            waiting |= !wi_visit_go_on(open->visits[i], open->now_ns);
    return waiting;
}

static weir_err *begin(wi_mesh *mesh, const char *const *urls, uint64_t now_ns)
{
    if (getrandom(&mesh->instance, sizeof mesh->instance, 0) != sizeof mesh->instance)
        return weir_err_new("the system gave no random numbers: %s", strerror(errno));
    mesh->instance |= 1; /* 0: none */
    opening *open = WI_NEW(opening);
    open->mesh = mesh;
    open->until_ns = now_ns + mesh->config.connect_ns;
    open->guests = WI_NEWS(guest, mesh->config.processes);
    for (uint32_t i = 0; i < mesh->config.processes; i++)
        mesh->peers[i].url = wi_strdup(urls[i]);
    mesh->opening = open;
    return NULL;
}

void wi_opening_free(wi_opening *open)
{
    if (!open)
        return;
    for (uint32_t i = 0; i < open->mesh->config.processes; i++)
        for (int lane = 0; lane < WI_LANES; lane++)
            wi_visit_free(open->guests[i].dials[lane]);
    for (int i = 0; i < VISITS_MAX; i++)
        wi_visit_free(open->visits[i]);
    weir_err_free(open->err);
    wi_free(open->guests);
    wi_free(open);
}

static weir_err *end(wi_mesh *mesh)
{
    weir_err *err = mesh->opening->err;
    mesh->opening->err = NULL;
    wi_opening_free(mesh->opening);
    mesh->opening = NULL;
    wi_listener_close(mesh->listener);
    mesh->listener = NULL;
    return err;
}

/* Looks around once; 1: something happened, 0: nothing, -1: it is over, perhaps by an error. */
static int look(opening *open, uint64_t now_ns)
{
    wi_mesh *mesh = open->mesh;
    uint32_t links = (mesh->config.processes - 1) * WI_LANES;
    open->now_ns = now_ns;
    bool any = look_around(open);
    if (!open->err && !open->ready && count_sessions(mesh, false) == links)
        say_ready(open);
    if (!open->err && open->ready && count_sessions(mesh, true) == links)
        return -1;
    if (now_ns >= open->until_ns)
        give_up(open, name_missing(open));
    if (!open->err)
        return any;
    say_farewell(open);
    return -1;
}

bool wi_mesh_connect_step(wi_mesh *mesh, const char *const *urls, uint64_t now_ns,
                          weir_err **err_out)
{
    *err_out = NULL;
    if (!mesh->opening) {
        *err_out = begin(mesh, urls, now_ns);
        if (*err_out)
            return true;
    }
    if (look(mesh->opening, now_ns) >= 0)
        return false;
    if (mesh->opening->err)
        see_off(mesh->opening);
    *err_out = end(mesh);
    return true;
}

weir_err *wi_mesh_connect(wi_mesh *mesh, const char *const *urls)
{
    weir_err *err = begin(mesh, urls, clock_ns());
    if (err)
        return err;
    opening *open = mesh->opening;
    for (int any; (any = look(open, clock_ns())) >= 0;)
        if (!any)
            pause_ns(LOOK_NS);
    open->until_ns = clock_ns() + FAREWELL_NS;
    while (open->err && see_off(open) && open->now_ns < open->until_ns) {
        pause_ns(LOOK_NS);
        open->now_ns = clock_ns();
    }
    return end(mesh);
}
