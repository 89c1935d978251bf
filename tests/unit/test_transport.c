/* One suite for all transports: bytes arrive whole and in order, writers wait for readers, what
 * breaks is said in words, and who is armed is woken. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/memory.h"
#include "net/sim.h"
#include "tests/support/certificates.h"
#include "tests/support/execution.h"
#include "tests/support/flow.h"

/* ---- ways ------------------------------------------------------------------------------- */

enum { TCP, TLS, IPC, ABSTRACT, NNG, NNG_IPC, NNG_ABSTRACT, SHARED, SHARED_IPC, MEMORY, SIM, WAYS };

static char folder[] = "/tmp/weir-transport-XXXXXX";
static char files[8][64];
static wi_tls tls_ours, tls_none;

static const char *file_of(int slot, const char *name)
{
    snprintf(files[slot], sizeof files[slot], "%s/%s", folder, name);
    return files[slot];
}

/* Before anything uses nng, which must not be there when the tests are forked. */
static void prepare(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    test_certificate_make(folder, "ours", NULL, false);
    test_certificate_make(folder, "theirs", NULL, false);
    test_certificate_make(folder, "node", "ours", false);
    test_certificate_make(folder, "old", "ours", true);
    test_certificate_make(folder, "stranger", "theirs", false);
    tls_ours = (wi_tls){file_of(0, "node.pem"), file_of(1, "node.key"), file_of(2, "ours.pem")};
    test_flow_prepare();
}

static void remove_files(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Both ends of a link, and where it was made. */
typedef struct both {
    int way;
    const wi_transport *transport;
    const wi_tls *tls;
    wi_sim_net *net;
    wi_listener *listener;
    wi_link *ends[2]; /* who dialled, who accepted */
} both;

static const char *url_of(int way)
{
    static char ipc[64], abstract[64];
    snprintf(ipc, sizeof ipc, "ipc://%s/socket", folder);
    snprintf(abstract, sizeof abstract, "abstract://weir-transport-%d", (int)getpid());
    switch (way) {
    case TCP:
    case NNG:
    case SHARED: return "tcp://127.0.0.1:0";
    case TLS: return "tls+tcp://127.0.0.1:0";
    case IPC:
    case NNG_IPC:
    case SHARED_IPC: return ipc;
    case ABSTRACT:
    case NNG_ABSTRACT: return abstract;
    case MEMORY: return "memory://transport";
    default: return "sim://transport";
    }
}

static void must(weir_err *err)
{
    ck_assert_msg(!err, "%s", weir_err_message(err));
}

static void must_fail(weir_err *err, const char *part)
{
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), part), "'%s' does not say '%s'",
                  weir_err_message(err), part);
    weir_err_free(err);
}

static both start(int way)
{
    both at = {.way = way, .tls = way == TLS ? &tls_ours : &tls_none};
    if (way == SIM) {
        at.net = wi_sim_net_new(1, &(wi_sim_faults){0});
        at.transport = wi_sim_net_transport(at.net);
    } else {
        at.transport = wi_transport_of(url_of(way), way >= NNG && way <= NNG_ABSTRACT);
    }
    ck_assert_ptr_nonnull(at.transport);
    must(at.transport->listen(at.transport, url_of(way), at.tls, &at.listener));
    return at;
}

static wi_link *dial(const both *at)
{
    wi_link *link;
    must(at->transport->dial(at->transport, wi_listener_url(at->listener), at->tls, &link));
    return link;
}

static void stop_late(double since, const char *what)
{
    ck_assert_msg(test_seconds() - since < 30, "waited too long: %s", what);
}

static wi_link_state settled(wi_link *link)
{
    double since = test_seconds();
    wi_link_state state;
    while ((state = wi_link_poll(link)) == WI_LINK_OPENING)
        stop_late(since, "opening");
    return state;
}

static wi_link *accepted(const both *at)
{
    double since = test_seconds();
    for (wi_link *link;;) {
        if ((link = wi_listener_accept(at->listener)))
            return link;
        stop_late(since, "accepting");
    }
}

static const unsigned char tag[WI_RING_TAG_BYTES] = "a tag that nobody else has";

static void share(both *at)
{
    wi_ring_place place;
    ck_assert(wi_link_offer(at->ends[1], tag, 1 << 16, &place));
    ck_assert(wi_link_take_offer(at->ends[0], tag, place));
    wi_link_share(at->ends[1], true);
    wi_link_share(at->ends[0], true);
}

static both open_both(int way)
{
    both at = start(way);
    at.ends[0] = dial(&at);
    at.ends[1] = accepted(&at);
    ck_assert_msg(settled(at.ends[0]) == WI_LINK_UP, "%s", wi_link_why(at.ends[0]));
    ck_assert_int_eq(wi_link_poll(at.ends[1]), WI_LINK_UP);
    ck_assert_int_gt((int)strlen(wi_link_peer(at.ends[0])), 0);
    ck_assert_int_gt((int)strlen(wi_link_peer(at.ends[1])), 0);
    if (way == SHARED || way == SHARED_IPC)
        share(&at);
    return at;
}

static void close_both(both *at)
{
    wi_link_close(at->ends[0]);
    wi_link_close(at->ends[1]);
    wi_listener_close(at->listener);
    wi_sim_net_free(at->net);
}

/* ---- reading and writing ---------------------------------------------------------------- */

/* TLS goes on only when both sides are looked at, so the other end is given a chance. */
static int64_t ended(wi_link *link, int64_t (*end)(wi_link *link), const char *what)
{
    double since = test_seconds();
    for (int64_t count;;) {
        if ((count = end(link)))
            return count;
        stop_late(since, what);
    }
}

static int64_t read_some(wi_link *link, void *buffer, size_t bytes)
{
    wi_link_read_begin(link, buffer, bytes);
    return ended(link, wi_link_read_end, "reading");
}

static int64_t write_some(wi_link *link, const void *bytes, size_t count)
{
    wi_link_write_begin(link, &(wi_part){bytes, count}, 1);
    return ended(link, wi_link_write_end, "writing");
}

/* Sends a byte each way and takes it, so that TLS has shaken hands. */
static void greet(both *at)
{
    char got[2];
    wi_link_read_begin(at->ends[0], &got[0], 1);
    wi_link_read_begin(at->ends[1], &got[1], 1);
    for (int i = 0; i < 2; i++)
        wi_link_write_begin(at->ends[i], &(wi_part){&"ab"[i], 1}, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ended(at->ends[i], wi_link_write_end, "greeting"), 1);
        ck_assert_int_eq(ended(at->ends[i], wi_link_read_end, "greeting"), 1);
    }
    ck_assert(got[0] == 'b' && got[1] == 'a');
}

static uint64_t many_bytes(int way)
{
    uint64_t megabytes = way == TLS ? 8 : 50;
    return (megabytes << 20) / (test_sanitized() ? 8 : 1) + 12345;
}

START_TEST(both_ways_in_one_thread)
{
    both at = open_both(_i);
    test_flow flows[2];
    for (int i = 0; i < 2; i++)
        test_flow_init(&flows[i], at.ends[i], at.ends[!i], many_bytes(_i),
                       test_flow_seed + (uint64_t)i);
    double moved = test_seconds();
    while (flows[0].taken < flows[0].total || flows[1].taken < flows[1].total) {
        bool any = false;
        for (int i = 0; i < 2; i++) {
            any |= test_flow_write(&flows[i]);
            any |= test_flow_read(&flows[i]);
        }
        if (any)
            moved = test_seconds();
        else
            stop_late(moved, "both ways");
    }
    test_flow_check(&flows[0]);
    test_flow_check(&flows[1]);
    close_both(&at);
}
END_TEST

/* ---- threads that sleep ----------------------------------------------------------------- */

static void post(void *arg)
{
    sem_post(arg);
}

static void sleep_on(sem_t *woken)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    ck_assert_msg(sem_timedwait(woken, &until) == 0, "was not woken");
}

static void *write_all(void *arg)
{
    test_flow *flow = arg;
    sem_t woken;
    sem_init(&woken, 0, 0);
    while (flow->sent < flow->total) {
        bool moved = false;
        for (int look = 0; look < 5 && !moved; look++)
            moved = test_flow_write(flow);
        if (moved)
            continue;
        wi_link_arm_write(flow->from, post, &woken);
        sleep_on(&woken);
    }
    sem_destroy(&woken);
    return NULL;
}

static void *read_all(void *arg)
{
    test_flow *flow = arg;
    sem_t woken;
    sem_init(&woken, 0, 0);
    while (flow->taken < flow->total) {
        bool moved = false;
        for (int look = 0; look < 5 && !moved; look++)
            moved = test_flow_read(flow);
        if (moved)
            continue;
        wi_link_arm(flow->to, post, &woken);
        sleep_on(&woken);
    }
    sem_destroy(&woken);
    return NULL;
}

START_TEST(both_ways_in_threads_that_sleep)
{
    both at = open_both(_i);
    test_flow flows[2];
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        test_flow_init(&flows[i], at.ends[i], at.ends[!i], many_bytes(_i) / 4,
                       test_flow_seed + (uint64_t)i);
        pthread_create(&threads[2 * i], NULL, write_all, &flows[i]);
        pthread_create(&threads[2 * i + 1], NULL, read_all, &flows[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    test_flow_check(&flows[0]);
    test_flow_check(&flows[1]);
    close_both(&at);
}
END_TEST

/* ---- waiting ---------------------------------------------------------------------------- */

/* Writes until nothing goes any more; a write is left begun. */
static uint64_t fill(both *at, test_flow *flow)
{
    double moved = test_seconds();
    while (test_seconds() - moved < 0.05)
        if (test_flow_write(flow))
            moved = test_seconds();
    ck_assert(flow->writing);
    ck_assert_uint_gt(flow->sent, 0);
    ck_assert_uint_lt(flow->sent, 64 << 20);
    (void)at;
    return flow->sent;
}

START_TEST(a_writer_waits_for_the_reader)
{
    both at = open_both(_i);
    test_flow flow;
    greet(&at);
    test_flow_init(&flow, at.ends[0], at.ends[1], 128 << 20, test_flow_seed);
    flow.total = fill(&at, &flow) + (1 << 20);
    sem_t room;
    sem_init(&room, 0, 0);
    wi_link_arm_write(at.ends[0], post, &room);
    test_sleep_ms(5);
    ck_assert_msg(sem_trywait(&room) != 0, "woken, though there is no room");
    while (flow.taken < flow.total - (1 << 20))
        test_flow_read(&flow);
    sleep_on(&room);
    while (flow.taken < flow.total) {
        test_flow_write(&flow);
        if (flow.sent > flow.total) /* what was begun went beyond */
            flow.total = flow.sent;
        test_flow_read(&flow);
    }
    sem_destroy(&room);
    test_flow_check(&flow);
    close_both(&at);
}
END_TEST

static void count_up(void *arg)
{
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

static void count_to(_Atomic(int) *woken, int count)
{
    double since = test_seconds();
    while (atomic_load(woken) < count)
        stop_late(since, "being woken");
    test_sleep_ms(5);
    ck_assert_int_eq(atomic_load(woken), count);
}

START_TEST(who_is_armed_is_woken_once)
{
    both at = open_both(_i);
    _Atomic(int) woken = 0;
    char buffer[100];
    greet(&at);
    for (int round = 0; round < 20; round++) {
        wi_link_read_begin(at.ends[1], buffer, sizeof buffer);
        ck_assert_int_eq(wi_link_read_end(at.ends[1]), 0);
        wi_link_arm(at.ends[1], count_up, &woken);
        if (round % 4 == 0) { /* armed again: that one counts */
            wi_link_arm(at.ends[1], count_up, &woken);
            test_sleep_ms(5);
        }
        ck_assert_int_eq(atomic_load(&woken), round);
        ck_assert_int_eq(write_some(at.ends[0], "hello", 5), 5);
        count_to(&woken, round + 1);
        ck_assert_int_eq(ended(at.ends[1], wi_link_read_end, "reading"), 5);
        ck_assert_int_eq(memcmp(buffer, "hello", 5), 0);
    }
    close_both(&at);
}
END_TEST

START_TEST(who_is_armed_late_is_woken_too)
{
    both at = open_both(_i);
    _Atomic(int) woken = 0;
    char buffer[100];
    greet(&at);
    ck_assert_int_eq(write_some(at.ends[0], "hello", 5), 5);
    test_sleep_ms(20);
    wi_link_read_begin(at.ends[1], buffer, sizeof buffer);
    wi_link_arm(at.ends[1], count_up, &woken);
    count_to(&woken, 1);
    wi_link_arm(at.ends[1], count_up, &woken);
    count_to(&woken, 2);
    ck_assert_int_eq(ended(at.ends[1], wi_link_read_end, "reading"), 5);
    wi_link_read_begin(at.ends[1], buffer, sizeof buffer);
    wi_link_arm(at.ends[1], count_up, &woken);
    wi_link_close(at.ends[0]);
    count_to(&woken, 3);
    ck_assert_int_eq(ended(at.ends[1], wi_link_read_end, "reading"), -1);
    at.ends[0] = NULL;
    close_both(&at);
}
END_TEST

/* ---- ends ------------------------------------------------------------------------------- */

static void check_down(wi_link *link)
{
    ck_assert_int_eq(wi_link_poll(link), WI_LINK_DOWN);
    ck_assert_msg(strstr(wi_link_why(link), "closed by peer") ||
                      strstr(wi_link_why(link), "reset by peer"),
                  "%s", wi_link_why(link));
}

START_TEST(what_was_sent_before_the_peer_closed_arrives)
{
    both at = open_both(_i);
    char buffer[100];
    greet(&at);
    ck_assert_int_eq(write_some(at.ends[0], "last words", 10), 10);
    test_sleep_ms(20); /* TLS may still have them */
    wi_link_close(at.ends[0]);
    at.ends[0] = NULL;
    ck_assert_int_eq(read_some(at.ends[1], buffer, sizeof buffer), 10);
    ck_assert_int_eq(read_some(at.ends[1], buffer, sizeof buffer), -1);
    check_down(at.ends[1]);
    ck_assert_int_eq(read_some(at.ends[1], buffer, sizeof buffer), -1);
    close_both(&at);
}
END_TEST

START_TEST(a_writer_sees_that_the_peer_closed)
{
    static const char plenty[1000];
    both at = open_both(_i);
    greet(&at);
    wi_link_close(at.ends[1]);
    at.ends[1] = NULL;
    double since = test_seconds();
    while (write_some(at.ends[0], plenty, 1000) > 0)
        stop_late(since, "a write fails");
    check_down(at.ends[0]);
    ck_assert_int_eq(write_some(at.ends[0], plenty, 1000), -1);
    close_both(&at);
}
END_TEST

START_TEST(nobody_listens)
{
    both at = start(_i);
    char *url = strdup(wi_listener_url(at.listener));
    wi_listener_close(at.listener);
    wi_link *link;
    char buffer[10];
    must(at.transport->dial(at.transport, url, at.tls, &link));
    ck_assert_int_eq(settled(link), WI_LINK_DOWN);
    ck_assert_msg(strstr(wi_link_why(link), "refused"), "%s", wi_link_why(link));
    ck_assert_int_eq(read_some(link, buffer, sizeof buffer), -1);
    ck_assert_int_eq(write_some(link, "x", 1), -1);
    wi_link_close(link);
    wi_sim_net_free(at.net);
    free(url);
}
END_TEST

/* The system gives who dials one port after the other, and one day that which is dialled: then the
 * socket has met itself, and holds the port that somebody else is about to listen at. */
START_TEST(nobody_meets_itself)
{
    const wi_transport *transport = wi_transport_of("tcp://", false);
    for (uint32_t dials = test_sanitized() ? 3000 : 45000; dials; dials--) {
        wi_link *link; /* Linux prefers even ports for this */
        must(transport->dial(transport, "tcp://127.0.0.1:40000", NULL, &link));
        ck_assert_int_eq(settled(link), WI_LINK_DOWN);
        wi_link_close(link);
    }
}
END_TEST

START_TEST(closing_stops_everything)
{
    for (int round = 0; round < 8; round++) {
        both at = open_both(_i);
        _Atomic(int) woken = 0;
        char buffer[100];
        test_flow flow;
        greet(&at);
        test_flow_init(&flow, at.ends[0], at.ends[1], 128 << 20, test_flow_seed);
        fill(&at, &flow);
        wi_link_read_begin(at.ends[0], buffer, sizeof buffer);
        if (round % 2) {
            wi_link_arm(at.ends[0], count_up, &woken);
            wi_link_arm_write(at.ends[0], count_up, &woken);
        }
        wi_link_close(at.ends[round / 2 % 2]);
        at.ends[round / 2 % 2] = NULL;
        close_both(&at);
        int before = atomic_load(&woken);
        ck_assert_int_le(before, 2);
        test_sleep_ms(2);
        ck_assert_int_eq(atomic_load(&woken), before);
        flow.total = flow.taken = 0;
        test_flow_check(&flow);
    }
}
END_TEST

START_TEST(closed_while_opening)
{
    for (int round = 0; round < 20; round++) {
        both at = start(_i);
        wi_link *links[5];
        for (int i = 0; i < 5; i++)
            links[i] = dial(&at);
        if (round % 2)
            settled(links[4]);
        wi_link *taken = round % 4 == 3 ? accepted(&at) : NULL;
        for (int i = 0; i < 5; i++)
            wi_link_close(links[i]);
        wi_link_close(taken);
        wi_listener_close(at.listener);
        wi_sim_net_free(at.net);
    }
}
END_TEST

START_TEST(many_links)
{
    enum { MANY = WI_LINKS_WAITING_MAX };
    both at = start(_i);
    wi_link *dialled[MANY], *taken[MANY];
    unsigned char sent[MANY], got[MANY];
    bool seen[MANY] = {0};
    for (int i = 0; i < MANY; i++)
        dialled[i] = dial(&at);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(settled(dialled[i]), WI_LINK_UP);
        taken[i] = accepted(&at);
        wi_link_read_begin(taken[i], &got[i], 1);
    }
    for (int i = 0; i < MANY; i++) {
        sent[i] = (unsigned char)i;
        wi_link_write_begin(dialled[i], &(wi_part){&sent[i], 1}, 1);
    }
    ck_assert_ptr_null(wi_listener_accept(at.listener));
    if (_i == TLS) /* shakes hands only while it reads or writes; all do */
        test_sleep_ms(50);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(ended(dialled[i], wi_link_write_end, "writing"), 1);
        ck_assert_int_eq(ended(taken[i], wi_link_read_end, "reading"), 1);
        ck_assert(got[i] < MANY && !seen[got[i]]);
        seen[got[i]] = true;
    }
    for (int i = 0; i < MANY; i++) {
        wi_link_close(dialled[i]);
        wi_link_close(taken[i]);
    }
    wi_listener_close(at.listener);
    wi_sim_net_free(at.net);
}
END_TEST

/* ---- addresses -------------------------------------------------------------------------- */

START_TEST(an_address_is_used_once)
{
    both at = start(_i);
    const char *url = wi_listener_url(at.listener);
    wi_listener *second;
    if (_i == TCP || _i == TLS || _i == NNG || _i == SHARED) {
        ck_assert_int_gt(atoi(strrchr(url, ':') + 1), 0);
        must(at.transport->listen(at.transport, url_of(_i), at.tls, &second));
        ck_assert_str_ne(url, wi_listener_url(second));
        wi_listener_close(second);
    } else {
        ck_assert_str_eq(url, url_of(_i));
    }
    must_fail(at.transport->listen(at.transport, url, at.tls, &second), url);
    char *again = strdup(url);
    wi_link *link = dial(&at); /* still the first one's */
    ck_assert_int_eq(settled(link), WI_LINK_UP);
    wi_link_close(link);
    wi_listener_close(at.listener);
    must(at.transport->listen(at.transport, again, at.tls, &second));
    wi_listener_close(second);
    wi_sim_net_free(at.net);
    free(again);
}
END_TEST

START_TEST(addresses_that_cannot_be)
{
    static const struct {
        const char *url, *part;
    } wrong[] = {
        {"tcp://127.0.0.1", "write tcp://HOST:PORT"},
        {"tcp://127.0.0.1:http", "write tcp://HOST:PORT"},
        {"tcp://127.0.0.1:65536", "write tcp://HOST:PORT"},
        {"tcp://127.0.0.1:0", "its port is 0"},
        {"tls+tcp://127.0.0.1:1", "needs a certificate"},
        {"ipc://", "write ipc://PATH"},
        {"abstract://", "write tcp://HOST:PORT, tls+tcp"},
        {"memory://", "write memory://NAME"},
    };
    wi_link *link;
    wi_listener *listener;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const wi_transport *transport = wi_transport_of(wrong[i].url, _i);
        must_fail(transport->dial(transport, wrong[i].url, NULL, &link), wrong[i].part);
    }
    const wi_transport *tcp = wi_transport_of("tcp://", _i);
    must_fail(tcp->dial(tcp, "tcp://127.0.0.1:1", &tls_ours, &link), "write tls+tcp://127.0.0.1:1");
    must_fail(tcp->listen(tcp, "tcp://192.0.2.1:0", NULL, &listener), "no address of this machine");
    must_fail(tcp->listen(tcp, "ipc:///none/there", NULL, &listener), "folder does not exist");
    ck_assert_ptr_null(wi_transport_of("http://127.0.0.1:1", _i));
}
END_TEST

START_TEST(socket_files)
{
    struct stat status;
    const char *url = url_of(IPC), *path = url + strlen("ipc://");
    const wi_transport *transport = wi_transport_of(url, _i);
    wi_listener *listener;

    int file = open(path, O_WRONLY | O_CREAT, 0644); /* not ours to remove */
    close(file);
    must_fail(transport->listen(transport, url, NULL, &listener), "no socket");
    ck_assert_int_eq(stat(path, &status), 0);
    unlink(path);

    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    snprintf(stale.sun_path, sizeof stale.sun_path, "%s", path);
    file = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(file, (struct sockaddr *)&stale, sizeof stale), 0);
    close(file);
    ck_assert_int_eq(stat(path, &status), 0);
    must(transport->listen(transport, url, NULL, &listener));
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    wi_listener_close(listener);
    ck_assert_int_ne(stat(path, &status), 0);
}
END_TEST

/* A name may have several addresses, of which not all answer: localhost is ::1, too. */
START_TEST(names_of_hosts)
{
    const wi_transport *transport = wi_transport_of("tcp://", false);
    both at = start(TCP);
    char url[64];
    wi_link *link, *taken;
    snprintf(url, sizeof url, "tcp://localhost%s", strrchr(wi_listener_url(at.listener), ':'));
    must(transport->dial(transport, url, NULL, &link));
    ck_assert_msg(settled(link) == WI_LINK_UP, "%s", wi_link_why(link));
    taken = accepted(&at);
    wi_link_close(link);
    wi_link_close(taken);
    must(transport->dial(transport, "tcp://no..such..host:1", NULL, &link));
    ck_assert_int_eq(settled(link), WI_LINK_DOWN);
    ck_assert_str_eq(wi_link_why(link), "no such host");
    wi_link_close(link);
    for (int round = 0; round < 10; round++) { /* closed while it is looked up */
        must(transport->dial(transport, url, NULL, &link));
        wi_link_close(link);
    }
    wi_listener_close(at.listener);
    must_fail(transport->listen(transport, "tcp://no..such..host:1", NULL, &at.listener),
              "no such host");
}
END_TEST

/* ---- certificates ----------------------------------------------------------------------- */

/* A client with such files is not heard by a server with ours, and says why not. */
static void check_distrust(const wi_tls *theirs)
{
    both at = start(TLS);
    wi_link *ends[2];
    char buffer[2][10];
    must(at.transport->dial(at.transport, wi_listener_url(at.listener), theirs, &ends[0]));
    ends[1] = accepted(&at);
    ck_assert_int_eq(settled(ends[0]), WI_LINK_UP);
    for (int i = 0; i < 2; i++)
        wi_link_read_begin(ends[i], buffer[i], 10);
    wi_link_write_begin(ends[0], &(wi_part){"x", 1}, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ended(ends[i], wi_link_read_end, "refusing"), -1);
        ck_assert_msg(strstr(wi_link_why(ends[i]), "during the TLS handshake"), "%s",
                      wi_link_why(ends[i]));
    }
    ck_assert_int_eq(ended(ends[0], wi_link_write_end, "refusing"), -1);
    wi_link_close(ends[0]);
    wi_link_close(ends[1]);
    wi_listener_close(at.listener);
}

START_TEST(strangers_are_refused)
{
    char command[512];
    snprintf(command, sizeof command, "cat %s/ours.pem %s/theirs.pem > %s/all.pem", folder, folder,
             folder);
    ck_assert_int_eq(system(command), 0);
    wi_tls stranger = {file_of(3, "stranger.pem"), file_of(4, "stranger.key"),
                       file_of(5, "all.pem")}; /* trusts us, but we do not trust it */
    check_distrust(&stranger);
    stranger.authority = file_of(5, "theirs.pem");
    check_distrust(&stranger);
}
END_TEST

START_TEST(files_that_are_wrong)
{
    const wi_transport *nng = wi_transport_of("tls+tcp://", false);
    wi_listener *listener;
    wi_tls good = tls_ours, bad;
#define FAILS(...)                                                                             \
    must_fail(nng->listen(nng, "tls+tcp://127.0.0.1:0", &bad, &listener), __VA_ARGS__)
    bad = good, bad.key = NULL;
    FAILS("needs a key");
    bad = good, bad.certificate = file_of(3, "none.pem");
    FAILS("none.pem cannot be opened: No such file");
    bad = good, bad.certificate = good.key;
    FAILS("node.key holds something else than certificates");
    bad = good, bad.key = file_of(3, "stranger.key");
    FAILS("stranger.key does not belong to the certificate");
    bad = good, bad.authority = file_of(3, "theirs.pem");
    FAILS("node.pem is not good for the authority");
    bad = good, bad.certificate = file_of(3, "old.pem"), bad.key = file_of(4, "old.key");
    FAILS("old.pem has expired");
    chmod(good.key, 0644);
    bad = good;
    FAILS("node.key can be read by others: chmod 600");
    chmod(good.key, 0600);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("transport");
    tcase_set_timeout(cases, 120);
    tcase_add_unchecked_fixture(cases, prepare, remove_files);
    tcase_add_loop_test(cases, both_ways_in_one_thread, 0, WAYS);
    tcase_add_loop_test(cases, both_ways_in_threads_that_sleep, 0, SIM);
    tcase_add_loop_test(cases, a_writer_waits_for_the_reader, 0, WAYS);
    tcase_add_loop_test(cases, who_is_armed_is_woken_once, 0, WAYS);
    tcase_add_loop_test(cases, who_is_armed_late_is_woken_too, 0, WAYS);
    tcase_add_loop_test(cases, what_was_sent_before_the_peer_closed_arrives, 0, WAYS);
    tcase_add_loop_test(cases, a_writer_sees_that_the_peer_closed, 0, WAYS);
    tcase_add_loop_test(cases, nobody_listens, 0, WAYS);
    tcase_add_loop_test(cases, closing_stops_everything, 0, WAYS);
    tcase_add_loop_test(cases, closed_while_opening, 0, WAYS);
    tcase_add_loop_test(cases, many_links, 0, WAYS);
    tcase_add_loop_test(cases, an_address_is_used_once, 0, WAYS);
    tcase_add_test(cases, nobody_meets_itself);
    tcase_add_test(cases, names_of_hosts);
    tcase_add_loop_test(cases, addresses_that_cannot_be, 0, 2); /* sockets, nng */
    tcase_add_loop_test(cases, socket_files, 0, 2);
    tcase_add_test(cases, strangers_are_refused);
    tcase_add_test(cases, files_that_are_wrong);
    return test_main("transport", cases);
}
