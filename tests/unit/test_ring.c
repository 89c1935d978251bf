/* Memory that two processes share: what is offered and is not there is not taken, and nothing
 * is believed of what lies in it. (That bytes arrive and who sleeps is woken: test_transport.c.) */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket_link.h"
#include "tests/support/execution.h"
#include "tests/support/flow.h"

static const unsigned char tag[WI_RING_TAG_BYTES] = "the tag", other_tag[WI_RING_TAG_BYTES] = "?";

static void must(weir_err *err)
{
    ck_assert_msg(!err, "%s", weir_err_message(err));
}

typedef struct pair {
    wi_listener *listener;
    wi_link *dialled, *accepted;
} pair;

static pair connect_pair(void)
{
    pair at;
    const wi_transport *transport = wi_transport_of("tcp://", false);
    must(transport->listen(transport, "tcp://127.0.0.1:0", NULL, &at.listener));
    must(transport->dial(transport, wi_listener_url(at.listener), NULL, &at.dialled));
    double since = test_seconds();
    while (!(at.accepted = wi_listener_accept(at.listener)))
        ck_assert(test_seconds() - since < 30);
    while (wi_link_poll(at.dialled) == WI_LINK_OPENING)
        ck_assert(test_seconds() - since < 30);
    return at;
}

static void close_pair(pair *at)
{
    wi_link_close(at->dialled);
    wi_link_close(at->accepted);
    wi_listener_close(at->listener);
}

static int64_t read_some(wi_link *link, void *buffer, size_t bytes)
{
    wi_link_read_begin(link, buffer, bytes);
    double since = test_seconds();
    for (int64_t count;;) {
        if ((count = wi_link_read_end(link)))
            return count;
        ck_assert(test_seconds() - since < 30);
    }
}

static void write_all(wi_link *link, const char *text)
{
    wi_link_write_begin(link, &(wi_part){text, strlen(text)}, 1);
    ck_assert_int_eq(wi_link_write_end(link), (int64_t)strlen(text));
}

/* ---- offers ----------------------------------------------------------------------------- */

START_TEST(what_is_not_there_is_not_taken)
{
    wi_ring_place place, self = {.pid = (uint32_t)getpid()};
    wi_rings *made = wi_rings_new(tag, 4096, &place);
    ck_assert_ptr_nonnull(made);
    ck_assert_uint_eq(place.pid, self.pid);
    ck_assert_ptr_null(wi_rings_open(other_tag, place));
    ck_assert_ptr_null(wi_rings_open(tag, (wi_ring_place){0x3fffffff, place.descriptor}));
    ck_assert_ptr_null(wi_rings_open(tag, (wi_ring_place){self.pid, 0x3fffffff}));

    int ends[2]; /* to open one would wait */
    ck_assert_int_eq(pipe(ends), 0);
    self.descriptor = (uint32_t)ends[1];
    ck_assert_ptr_null(wi_rings_open(tag, self));
    close(ends[0]);
    close(ends[1]);

    int file = memfd_create("weir-rings", 0); /* one that could shrink under the reader */
    ck_assert_int_ge(file, 0);
    self.descriptor = (uint32_t)file;
    ck_assert_ptr_null(wi_rings_open(tag, self));
    ck_assert_int_eq(ftruncate(file, 3 * 4096), 0);
    ck_assert_int_eq((int)pwrite(file, tag, sizeof tag, 0), (int)sizeof tag);
    ck_assert_ptr_null(wi_rings_open(tag, self));
    close(file);

    wi_rings *opened = wi_rings_open(tag, place);
    ck_assert_ptr_nonnull(opened);
    wi_rings_free(opened);
    close((int)place.descriptor);
    ck_assert_ptr_null(wi_rings_open(tag, place));
    wi_rings_free(made);
}
END_TEST

/* One side has agreed, and the other has turned it away before it knew. */
START_TEST(what_was_said_before_both_agreed_arrives)
{
    pair at = connect_pair();
    wi_ring_place place;
    char got[16] = "";
    ck_assert(wi_link_offer(at.accepted, tag, 4096, &place));
    ck_assert(wi_link_take_offer(at.dialled, tag, place));
    wi_link_share(at.dialled, true);
    write_all(at.accepted, "go away");
    ck_assert_int_eq(read_some(at.dialled, got, sizeof got), 7);
    ck_assert_str_eq(got, "go away");
    wi_link_close(at.accepted);
    at.accepted = NULL;
    ck_assert_int_eq(read_some(at.dialled, got, sizeof got), -1);
    close_pair(&at);
}
END_TEST

START_TEST(who_does_not_agree_goes_on_as_before)
{
    pair at = connect_pair();
    wi_ring_place place;
    char got[16] = "";
    ck_assert(wi_link_offer(at.accepted, tag, 4096, &place));
    ck_assert(!wi_link_take_offer(at.dialled, other_tag, place));
    wi_link_share(at.dialled, false);
    wi_link_share(at.accepted, false);
    ck_assert_int_eq(fcntl((int)place.descriptor, F_GETFD), -1);
    write_all(at.accepted, "still here");
    ck_assert_int_eq(read_some(at.dialled, got, sizeof got), 10);
    close_pair(&at);
}
END_TEST

/* ---- the other end is gone -------------------------------------------------------------- */

static pair share_pair(void)
{
    pair at = connect_pair();
    wi_ring_place place;
    ck_assert(wi_link_offer(at.accepted, tag, 4096, &place));
    ck_assert(wi_link_take_offer(at.dialled, tag, place));
    wi_link_share(at.dialled, true);
    wi_link_share(at.accepted, true);
    return at;
}

/* Who tries once in a while, since all of a process are busy, hears of it with the next try. */
START_TEST(who_looks_seldom_sees_that_it_is_gone)
{
    pair at = share_pair();
    char got[16];
    wi_link_read_begin(at.dialled, got, sizeof got);
    ck_assert_int_eq(wi_link_read_end(at.dialled), 0);
    wi_link_close(at.accepted);
    at.accepted = NULL;
    usleep(100000);
    ck_assert_int_eq(wi_link_read_end(at.dialled), -1);
    close_pair(&at);
}
END_TEST

/* Links over sockets that the test has, too. */
static pair share_sockets(int ends[2])
{
    wi_ring_place place;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&here, &bytes), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(ends[0], (struct sockaddr *)&here, sizeof here), 0);
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
    pair at = {.dialled = wi_socket_link_accepted(ends[0], "tcp://here"),
               .accepted = wi_socket_link_accepted(ends[1], "tcp://there")};
    ck_assert(wi_link_offer(at.accepted, tag, 4096, &place));
    ck_assert(wi_link_take_offer(at.dialled, tag, place));
    wi_link_share(at.dialled, true);
    wi_link_share(at.accepted, true);
    return at;
}

static void set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

static void wait_for(atomic_bool *flag)
{
    for (double since = test_seconds(); !atomic_load(flag);)
        ck_assert(test_seconds() - since < 30);
}

/* What the system says about the end is not lost on the way: by who looks, nor by the poller. */
START_TEST(a_reset_is_called_one)
{
    for (int asleep = 0; asleep < 2; asleep++) {
        static atomic_bool woken;
        char got[16];
        int ends[2];
        pair at = share_sockets(ends);
        wi_link_read_begin(at.dialled, got, sizeof got);
        ck_assert_int_eq(wi_link_read_end(at.dialled), 0);
        atomic_store(&woken, !asleep);
        if (asleep)
            wi_link_arm(at.dialled, set_flag, &woken);
        struct linger none = {.l_onoff = 1};
        setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &none, sizeof none);
        wi_link_close(at.accepted);
        wait_for(&woken);
        int64_t count;
        double since = test_seconds();
        while ((count = wi_link_read_end(at.dialled)) == 0)
            ck_assert(test_seconds() - since < 30);
        ck_assert_int_eq(count, -1);
        ck_assert_str_eq(wi_link_why(at.dialled), "connection reset by peer");
        wi_link_close(at.dialled);
    }
}
END_TEST

typedef struct ringer {
    int socket;
    atomic_bool stop;
} ringer;

static void *ring_on(void *arg)
{
    static const char bells[65536];
    ringer *own = arg;
    while (!atomic_load(&own->stop))
        send(own->socket, bells, sizeof bells, MSG_DONTWAIT | MSG_NOSIGNAL);
    return NULL;
}

/* Who rings without end wakes one other side, and does not keep the poller from all others. */
START_TEST(bells_without_end)
{
    static atomic_bool woken;
    char got[16];
    int ends[2];
    pthread_t thread;
    pair at = share_sockets(ends), other = share_pair();
    ringer noisy = {.socket = dup(ends[1])};
    ck_assert_int_eq(pthread_create(&thread, NULL, ring_on, &noisy), 0);
    wi_link_read_begin(at.dialled, got, sizeof got);
    wi_link_read_begin(other.dialled, got, sizeof got);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(wi_link_read_end(at.dialled), 0);
        atomic_store(&woken, false);
        wi_link_arm(at.dialled, set_flag, &woken);
        wait_for(&woken);
    }
    atomic_store(&woken, false);
    wi_link_arm(other.dialled, set_flag, &woken);
    write_all(other.accepted, "x");
    wait_for(&woken);
    ck_assert_int_eq(wi_link_read_end(other.dialled), 1);
    atomic_store(&noisy.stop, true);
    pthread_join(thread, NULL);
    close(noisy.socket);
    wi_link_close(at.dialled);
    wi_link_close(at.accepted);
    close_pair(&other);
}
END_TEST

/* ---- faults ----------------------------------------------------------------------------- */

static unsigned char *first_page_of(wi_ring_place place)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%u", place.descriptor);
    int file = open(path, O_RDWR);
    unsigned char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ck_assert(memory != MAP_FAILED);
    close(file);
    return memory;
}

/* It is no better for having been looked at before, by who was about to sleep. */
START_TEST(an_index_that_cannot_be_stays_so)
{
    wi_ring_place place;
    char got[8192] = "";
    wi_rings *made = wi_rings_new(tag, 4096, &place), *opened = wi_rings_open(tag, place);
    unsigned char *page = first_page_of(place);
    memset(page + sizeof tag, 0x55, 4096 - sizeof tag);
    for (int i = 0; i < 3; i++) {
        ck_assert(!wi_rings_await(opened, WI_WAY_IN));
        ck_assert_int_eq(wi_rings_read(opened, got, sizeof got), -1);
        ck_assert(!wi_rings_await(opened, WI_WAY_OUT));
        ck_assert_int_eq(wi_rings_write(opened, &(struct iovec){got, sizeof got}, 1), -1);
    }
    munmap(page, 4096);
    close((int)place.descriptor);
    wi_rings_free(opened);
    wi_rings_free(made);
}
END_TEST

/* A limit that is there for files: no memory is shared, and nobody is ended. */
START_TEST(a_limit_of_file_sizes)
{
    wi_ring_place place;
    struct rlimit usual;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &usual), 0);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, usual.rlim_max});
    wi_rings *made = wi_rings_new(tag, 4096, &place);
    setrlimit(RLIMIT_FSIZE, &usual);
    ck_assert_ptr_null(made);
    ck_assert_uint_eq(place.pid, 0);
}
END_TEST

/* Whatever bytes lie there: a link that says why, or goes on; nothing is read beyond the ring. */
START_TEST(garbled_memory_breaks_the_link)
{
    static const size_t page = 4096, ring = 4096;
    unsigned down = 0;
    for (unsigned round = 0; round < 200; round++) {
        pair at = connect_pair();
        wi_ring_place place;
        char got[8192], sent[4096] = "x";
        ck_assert(wi_link_offer(at.accepted, tag, ring, &place));
        unsigned char *memory = first_page_of(place);
        ck_assert(wi_link_take_offer(at.dialled, tag, place));
        wi_link_share(at.dialled, true);
        wi_link_share(at.accepted, true);
        uint64_t seed = test_flow_seed + round;
        for (size_t i = sizeof tag; i < page; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            memory[i] = round % 2 ? 0xff : (unsigned char)(seed >> 40);
        }
        wi_link_write_begin(at.dialled, &(wi_part){sent, sizeof sent}, 1);
        wi_link_read_begin(at.dialled, got, sizeof got);
        for (int look = 0; look < 100; look++)
            if (wi_link_read_end(at.dialled) < 0) {
                ck_assert_ptr_nonnull(strstr(wi_link_why(at.dialled), "memory shared with it"));
                down++;
                break;
            }
        munmap(memory, page);
        close_pair(&at);
    }
    ck_assert_uint_eq(down, 200);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("ring");
    tcase_set_timeout(cases, 120);
    tcase_add_unchecked_fixture(cases, test_flow_prepare, NULL);
    tcase_add_test(cases, what_is_not_there_is_not_taken);
    tcase_add_test(cases, what_was_said_before_both_agreed_arrives);
    tcase_add_test(cases, who_does_not_agree_goes_on_as_before);
    tcase_add_test(cases, who_looks_seldom_sees_that_it_is_gone);
    tcase_add_test(cases, a_reset_is_called_one);
    tcase_add_test(cases, bells_without_end);
    tcase_add_test(cases, an_index_that_cannot_be_stays_so);
    tcase_add_test(cases, a_limit_of_file_sizes);
    tcase_add_test(cases, garbled_memory_breaks_the_link);
    return test_main("ring", cases);
}
