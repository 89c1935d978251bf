/* The faults of the simulator's transport: they happen as often as asked, to the bytes that they
 * should, and all again from the same seed. That it is a transport: test_transport.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "net/sim.h"
#include "tests/support/execution.h"

typedef struct sim_pair {
    wi_sim_net *net;
    wi_listener *listener;
    wi_link *from, *to;
    bool reading; /* a read was begun that nothing came for: the next goes on with it */
} sim_pair;

static void must(weir_err *err)
{
    ck_assert_msg(!err, "%s", weir_err_message(err));
}

static void connect_again(sim_pair *pair)
{
    const wi_transport *transport = wi_sim_net_transport(pair->net);
    must(transport->dial(transport, "sim://there", NULL, &pair->from));
    while (wi_link_poll(pair->from) == WI_LINK_OPENING)
        wi_sim_net_advance(pair->net, wi_sim_net_next(pair->net) - wi_sim_net_now(pair->net));
    ck_assert_int_eq(wi_link_poll(pair->from), WI_LINK_UP);
    pair->to = wi_listener_accept(pair->listener);
    pair->reading = false;
    ck_assert_ptr_nonnull(pair->to);
}

static sim_pair open_pair(uint64_t seed, wi_sim_faults faults)
{
    sim_pair at = {.net = wi_sim_net_new(seed, &faults)};
    const wi_transport *transport = wi_sim_net_transport(at.net);
    must(transport->listen(transport, "sim://there", NULL, &at.listener));
    connect_again(&at);
    return at;
}

static void close_pair(sim_pair *at)
{
    wi_link_close(at->from);
    wi_link_close(at->to);
    wi_listener_close(at->listener);
    wi_sim_net_free(at->net);
}

/* Writes so many bytes as far as they go; -1 if the link is down. */
static int64_t put(sim_pair *at, const void *bytes, size_t count)
{
    wi_link_write_begin(at->from, &(wi_part){bytes, count}, 1);
    int64_t sent = wi_link_write_end(at->from);
    ck_assert_int_ne(sent, 0);
    return sent;
}

/* Reads up to so many bytes, moving time on until something comes; 0: nothing ever will. */
static int64_t get(sim_pair *at, void *buffer, size_t bytes)
{
    if (!at->reading)
        wi_link_read_begin(at->to, buffer, bytes);
    at->reading = true;
    for (int64_t got;;) {
        if ((got = wi_link_read_end(at->to))) {
            at->reading = false;
            return got;
        }
        uint64_t next = wi_sim_net_next(at->net);
        if (next == UINT64_MAX)
            return 0;
        wi_sim_net_advance(at->net, next - wi_sim_net_now(at->net));
    }
}

START_TEST(splits_and_delays_keep_the_bytes_in_order)
{
    sim_pair at = open_pair(7, (wi_sim_faults){.split = true, .delay_ns_max = 1000000});
    char sent[5000], got[5000];
    size_t put_count = 0, got_count = 0;
    uint64_t reads = 0;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 7 + i / 256);
    while (got_count < sizeof sent) {
        while (put_count < sizeof sent)
            put_count += (size_t)put(&at, sent + put_count, sizeof sent - put_count);
        got_count += (size_t)get(&at, got + got_count, sizeof sent - got_count);
        reads++;
    }
    ck_assert_int_eq(memcmp(sent, got, sizeof sent), 0);
    ck_assert_uint_gt(reads, 3);
    ck_assert_uint_gt(wi_sim_net_now(at.net), 0);
    close_pair(&at);
}
END_TEST

START_TEST(nothing_comes_before_its_time)
{
    sim_pair at = open_pair(7, (wi_sim_faults){.delay_ns_max = 1000});
    char got[10];
    put(&at, "x", 1);
    while (wi_sim_net_next(at.net) == UINT64_MAX) /* it had no delay */
        put(&at, "x", 1);
    wi_sim_net_set_faults(at.net, &(wi_sim_faults){0});
    while (wi_sim_net_next(at.net) != UINT64_MAX) {
        uint64_t before = wi_sim_net_next(at.net) - wi_sim_net_now(at.net);
        wi_sim_net_advance(at.net, before - 1);
        ck_assert_uint_eq(wi_sim_net_next(at.net) - wi_sim_net_now(at.net), 1);
        wi_sim_net_advance(at.net, 1);
    }
    ck_assert_int_gt(get(&at, got, sizeof got), 0);
    close_pair(&at);
}
END_TEST

/* A random number of writes of four bytes each; what came, in order. */
enum { WRITES = 20000 };

static uint32_t send_numbers(sim_pair *at, uint32_t *got)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < WRITES; i++) {
        ck_assert_int_eq(put(at, &i, sizeof i), sizeof i);
        if (i % 100 != 99 && i != WRITES - 1)
            continue;
        for (int64_t bytes; (bytes = get(at, got + count, (WRITES - count) * sizeof i)) > 0;) {
            count += (uint32_t)bytes / sizeof i;
            if (count == WRITES || wi_sim_net_next(at->net) == UINT64_MAX)
                break;
        }
    }
    return count;
}

static void check_rate(uint64_t count, double rate)
{
    ck_assert_double_gt((double)count, 0.8 * rate * WRITES);
    ck_assert_double_lt((double)count, 1.2 * rate * WRITES);
}

START_TEST(writes_vanish)
{
    sim_pair at = open_pair(3, (wi_sim_faults){.drop = 0.05});
    uint32_t *got = calloc(WRITES, sizeof *got);
    uint32_t count = send_numbers(&at, got);
    wi_sim_counts counts = wi_sim_net_count(at.net);
    check_rate(counts.drops, 0.05);
    ck_assert_uint_eq(count, WRITES - counts.drops);
    for (uint32_t i = 1; i < count; i++)
        ck_assert_uint_lt(got[i - 1], got[i]);
    free(got);
    close_pair(&at);
}
END_TEST

START_TEST(writes_overtake)
{
    sim_pair at = open_pair(3, (wi_sim_faults){.reorder = 0.05});
    uint32_t *got = calloc(WRITES, sizeof *got);
    ck_assert_uint_eq(send_numbers(&at, got), WRITES);
    wi_sim_counts counts = wi_sim_net_count(at.net);
    uint64_t back = 0;
    for (uint32_t i = 1; i < WRITES; i++)
        back += got[i - 1] > got[i];
    check_rate(counts.reorders, 0.05);
    check_rate(back, 0.05);
    free(got);
    close_pair(&at);
}
END_TEST

START_TEST(bits_flip)
{
    sim_pair at = open_pair(3, (wi_sim_faults){.flip = 0.05});
    uint32_t *got = calloc(WRITES, sizeof *got);
    ck_assert_uint_eq(send_numbers(&at, got), WRITES);
    uint64_t bits = 0;
    for (uint32_t i = 0; i < WRITES; i++)
        bits += (uint64_t)__builtin_popcount(got[i] ^ i);
    check_rate(wi_sim_net_count(at.net).flips, 0.05);
    ck_assert_uint_eq(bits, wi_sim_net_count(at.net).flips);
    free(got);
    close_pair(&at);
}
END_TEST

/* At any byte: what arrives is a beginning of what was sent, of every length. */
START_TEST(links_break)
{
    sim_pair at = open_pair(3, (wi_sim_faults){.cut = 0.1});
    bool seen[11] = {0};
    for (uint32_t i = 0; i < WRITES; i++) {
        char got[10];
        uint64_t before = wi_sim_net_count(at.net).cuts;
        ck_assert_int_eq(put(&at, "0123456789", 10), 10);
        bool broken = wi_sim_net_count(at.net).cuts > before;
        int64_t bytes = get(&at, got, sizeof got);
        size_t count = bytes < 0 ? 0 : (size_t)bytes;
        ck_assert_int_eq(memcmp(got, "0123456789", count), 0);
        if (!broken) {
            ck_assert_uint_eq(count, 10);
            continue;
        }
        seen[count] = true;
        ck_assert_int_eq(bytes < 0 ? bytes : get(&at, got, sizeof got), -1);
        ck_assert_int_eq(put(&at, "x", 1), -1);
        ck_assert_int_eq(wi_link_poll(at.from), WI_LINK_DOWN);
        ck_assert_str_eq(wi_link_why(at.to), "connection reset by peer");
        wi_link_close(at.from);
        wi_link_close(at.to);
        connect_again(&at);
    }
    check_rate(wi_sim_net_count(at.net).cuts, 0.1);
    for (int i = 0; i <= 10; i++)
        ck_assert(seen[i]);
    close_pair(&at);
}
END_TEST

START_TEST(a_link_is_cut_when_told)
{
    sim_pair at = open_pair(3, (wi_sim_faults){0});
    char got[10];
    wi_sim_net_cut(at.from);
    ck_assert_int_eq(get(&at, got, sizeof got), -1);
    ck_assert_int_eq(put(&at, "x", 1), -1);
    close_pair(&at);
}
END_TEST

static uint64_t trace_of(uint64_t seed)
{
    sim_pair at = open_pair(seed, (wi_sim_faults){.split = true, .delay_ns_max = 5000, .cut = 0.01,
                                              .drop = 0.05, .reorder = 0.05, .flip = 0.05});
    char sent[100] = "as before", got[100];
    for (int i = 0; i < 1000; i++) {
        bool down = put(&at, sent, sizeof sent) < 0 || (i % 3 == 0 && get(&at, got, 100) < 0);
        if (!down)
            continue;
        wi_link_close(at.from);
        wi_link_close(at.to);
        connect_again(&at);
        wi_sim_net_advance(at.net, 1000);
    }
    uint64_t trace = wi_sim_net_trace(at.net);
    close_pair(&at);
    return trace;
}

START_TEST(the_same_seed_does_the_same)
{
    uint64_t traces[50];
    for (uint64_t seed = 0; seed < 50; seed++) {
        traces[seed] = trace_of(seed);
        ck_assert_uint_eq(traces[seed], trace_of(seed));
        for (uint64_t other = 0; other < seed; other++)
            ck_assert_uint_ne(traces[other], traces[seed]);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("transport_sim");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, splits_and_delays_keep_the_bytes_in_order);
    tcase_add_test(cases, nothing_comes_before_its_time);
    tcase_add_test(cases, writes_vanish);
    tcase_add_test(cases, writes_overtake);
    tcase_add_test(cases, bits_flip);
    tcase_add_test(cases, links_break);
    tcase_add_test(cases, a_link_is_cut_when_told);
    tcase_add_test(cases, the_same_seed_does_the_same);
    return test_main("transport_sim", cases);
}
