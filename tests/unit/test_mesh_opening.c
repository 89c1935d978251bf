/* Opening a mesh: who does not fit is refused, and both sides say both values; who does not
 * come is named; strangers are no trouble; addresses and keys that are not safe are refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/handshake.h"
#include "net/memory.h"
#include "tests/support/execution.h"
#include "tests/support/mesh_ways.h"

#define KEY "a key that is long enough"
#define EXPECT(text, part) ck_assert_msg(strstr(text, part), "'%s' is not in: %s", part, text)

/* ---- misfits ---------------------------------------------------------------------------- */

/* Opens two processes that do not fit; both must say both values. */
static void check_misfit(test_meshes *meshes, const char *one, const char *other)
{
    meshes->at[0].config.connect_ns = 3000000000u;
    test_meshes_open(meshes, 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(meshes->at[i].opened, one);
        EXPECT(meshes->at[i].opened, other);
    }
    test_meshes_close(meshes);
}

START_TEST(other_cluster)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    meshes.at[1].config.cluster = "staging";
    /* It takes the other one for a stranger, which has to have come by then. */
    bool slow = test_mesh_way_is_tls(_i) && test_sanitized();
    meshes.at[0].config.connect_ns = slow ? 3000000000 : 300000000;
    test_meshes_open(&meshes, 0);
    EXPECT(meshes.at[1].opened, "process 0 is of cluster `test`");
    EXPECT(meshes.at[1].opened, "process 1 is of cluster `staging`");
    EXPECT(meshes.at[0].opened, "process 1 (");
    EXPECT(meshes.at[0].opened, "has not come within ");
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(other_workers)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    meshes.at[1].config.workers = 5;
    check_misfit(&meshes, "process 0 has 2 workers", "process 1 has 5 workers");
}
END_TEST

START_TEST(other_processes)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    meshes.at[1].config.processes = 3;
    meshes.at[1].urls[2] = meshes.at[1].listen;
    check_misfit(&meshes, "process 0 was told of 2 processes", "process 1 was told of 3");
}
END_TEST

START_TEST(later_generation)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    meshes.at[1].config.generation = 9;
    meshes.at[1].config.connect_ns = 500000000;
    test_meshes_open(&meshes, 0);
    /* The old one ends; the new one waits for a new one to take its place. */
    EXPECT(meshes.at[0].opened, "process 0 is of generation 7, process 1 is of generation 9");
    EXPECT(meshes.at[1].opened, "process 0 (");
    EXPECT(meshes.at[1].opened, "has not come within 0.5 s");
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(earlier_generation)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    meshes.at[1].config.generation = 3;
    meshes.at[0].config.connect_ns = 500000000; /* what is left of an old one ends nothing */
    test_meshes_open(&meshes, 0);
    EXPECT(meshes.at[1].opened, "process 0 is of generation 7");
    EXPECT(meshes.at[1].opened, "process 1 is of generation 3");
    EXPECT(meshes.at[0].opened, "has not come within 0.5 s");
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(same_index_twice)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 3, _i);
    meshes.at[2].config.process = 1;
    test_meshes_open(&meshes, 0);
    for (int i = 0; i < 3; i++)
        EXPECT(meshes.at[i].opened, "two processes were started as process 1 of 3");
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(hosts_in_another_order)
{
    test_meshes meshes;
    test_meshes_init(&meshes, 3, "memory://order%d");
    meshes.at[2].urls[0] = "memory://order1";
    meshes.at[2].urls[1] = "memory://order0";
    meshes.at[2].urls[2] = "memory://order2";
    test_meshes_open(&meshes, 0);
    EXPECT(meshes.at[2].opened, "is where process");
    EXPECT(meshes.at[2].opened, "do all processes have the same hosts in the same order?");
    test_meshes_close(&meshes);
}
END_TEST

/* Versions and byte orders that this build does not have: judged, not opened. */
START_TEST(versions_protocols_and_byte_orders)
{
    wi_hello mine, theirs;
    char reason[WI_REASON_BYTES_MAX + 1];
    ck_assert(!wi_hello_init(&mine));
    strcpy(mine.cluster, "test");
    mine.processes = 2;
    theirs = mine;
    theirs.process = 1;
    ck_assert_int_eq(wi_hello_judge(&mine, &theirs, reason), WI_VERDICT_FITS);
    strcpy(theirs.version, "9.8.7");
    ck_assert_int_eq(wi_hello_judge(&mine, &theirs, reason), WI_VERDICT_MISFIT);
    EXPECT(reason, "process 0 runs weir " WEIR_VERSION ", process 1 runs weir 9.8.7");
    theirs.protocol = 77;
    ck_assert_int_eq(wi_hello_judge(&mine, &theirs, reason), WI_VERDICT_MISFIT);
    EXPECT(reason, "process 0 speaks protocol 1, process 1 speaks protocol 77");
    theirs.byte_order = 0x04030201;
    ck_assert_int_eq(wi_hello_judge(&mine, &theirs, reason), WI_VERDICT_MISFIT);
    EXPECT(reason, "process 0 stores 01020304 as 01020304");
    EXPECT(reason, "process 1 stores 01020304 as 04030201");
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------- */

START_TEST(other_key)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    meshes.at[0].config.key = KEY;
    meshes.at[1].config.key = KEY " not";
    meshes.at[0].config.connect_ns = 500000000;
    test_meshes_open(&meshes, 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(meshes.at[i].opened, "process 1 and process 0 have different keys");
        ck_assert(!strstr(meshes.at[i].opened, KEY));
    }
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(key_on_one_side)
{
    for (int keyed = 0; keyed < 2; keyed++) {
        test_meshes meshes;
        test_meshes_init_way(&meshes, 2, _i);
        meshes.at[keyed].config.key = KEY;
        meshes.at[0].config.connect_ns = 500000000;
        test_meshes_open(&meshes, 0);
        char has[80];
        snprintf(has, sizeof has, "process %d has a shared key, process %d has none", keyed,
                 !keyed);
        for (int i = 0; i < 2; i++)
            EXPECT(meshes.at[i].opened, has);
        test_meshes_close(&meshes);
    }
}
END_TEST

static weir_err *load(const char *file, const char *text)
{
    wi_secret secret;
    weir_err *err = wi_secret_load(file, text, &secret);
    if (!err) {
        ck_assert_uint_eq(secret.bytes, strlen(KEY));
        ck_assert_mem_eq(secret.at, KEY, secret.bytes);
    }
    wi_secret_clear(&secret);
    return err;
}

START_TEST(key_files)
{
    char file[] = "/tmp/weir-test-key-XXXXXX";
    int fd = mkstemp(file);
    ck_assert_int_eq(write(fd, KEY "\n", sizeof KEY), sizeof KEY);
    close(fd);
    ck_assert(!load(file, NULL));
    ck_assert(!load(NULL, KEY "\r\n"));
    static const mode_t modes[] = {0640, 0604, 0620, 0644};
    for (int i = 0; i < 4; i++) {
        chmod(file, modes[i]);
        weir_err *err = load(file, NULL);
        char mode[40];
        snprintf(mode, sizeof mode, "has mode %04o", (unsigned)modes[i]);
        EXPECT(weir_err_message(err), mode);
        EXPECT(weir_err_message(err), "chmod 600 /tmp/weir-test-key-");
        weir_err_free(err);
    }
    unlink(file);
    const char *const wrong[] = {file, "/tmp"};
    for (int i = 0; i < 2; i++) {
        weir_err *err = load(wrong[i], NULL);
        EXPECT(weir_err_message(err), wrong[i]);
        weir_err_free(err);
    }
    weir_err *err = load(NULL, "short");
    EXPECT(weir_err_message(err), "has 5 bytes, at least 16 are needed");
    weir_err_free(err);
}
END_TEST

START_TEST(addresses_for_everybody_need_a_key)
{
    static const struct {
        const char *url;
        bool safe;
    } tries[] = {{"tcp://0.0.0.0:0", false},          {"tcp://10.1.2.3:4000", false},
                 {"tcp://127.evil.example:4000", false}, {"tcp://:4000", false},
                 {"tcp://127.0.0.1:0", true},         {"tcp://localhost:0", true}};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        test_meshes meshes;
        test_meshes_init(&meshes, 1, tries[i].url);
        weir_err *err =
            wi_mesh_listen(&meshes.at[0].config, tries[i].url, &meshes.at[0].mesh);
        ck_assert_msg(!err == tries[i].safe, "%s: %s", tries[i].url, weir_err_message(err));
        if (err)
            EXPECT(weir_err_message(err), "without a key, anybody who reaches it could feed it");
        weir_err_free(err);
        test_meshes_close(&meshes);
    }
}
END_TEST

/* ---- who does not come ------------------------------------------------------------------ */

START_TEST(who_does_not_come_is_named)
{
    test_meshes meshes;
    test_meshes_init(&meshes, 4, "memory://missing%d");
    for (int i = 0; i < 4; i++)
        meshes.at[i].config.connect_ns = 400000000;
    test_meshes_open(&meshes, 1 << 1);
    for (int i = 0; i < 4; i++)
        if (i != 1) {
            EXPECT(meshes.at[i].opened, "process 1 (memory://missing1)");
            ck_assert(strstr(meshes.at[i].opened, "not come within 0.4 s") ||
                      strstr(meshes.at[i].opened, "given up"));
        }
    EXPECT(meshes.at[3].opened, "is it started");
    test_meshes_close(&meshes);
}
END_TEST

/* ---- strangers -------------------------------------------------------------------------- */

typedef struct crowd {
    test_process *host;
    _Atomic(bool) stop;
    _Atomic(uint32_t) visits;
} crowd;

/* Says something that is not for a mesh; keeps some links open without a word. */
static void *disturb(void *arg)
{
    crowd *own = arg;
    wi_link *kept[80] = {NULL};
    uint64_t seed = 7;
    const char *url = own->host->urls[0];
    if (strncmp(url, "tls+", 4) == 0) /* they have no certificates */
        url += 4;
    const wi_transport *transport = wi_transport_of(url, false);
    for (uint32_t i = 0; !atomic_load(&own->stop); i++) {
        wi_link *link = NULL;
        ck_assert(!transport->dial(transport, url, NULL, &link));
        for (int turn = 0; wi_link_poll(link) == WI_LINK_OPENING && turn < 1000; turn++)
            usleep(50);
        if (wi_link_poll(link) == WI_LINK_UP && i % 3) {
            unsigned char bytes[4096];
            for (size_t b = 0; b < sizeof bytes; b++)
                bytes[b] = (unsigned char)((seed = seed * 6364136223846793005u + 1) >> 40);
            if (i % 3 == 2) { /* begins well */
                memcpy(bytes, "weir\1\1\200", 8);
                bytes[7] = 0;
            }
            wi_part part = {bytes, i % 7 ? sizeof bytes : 9};
            wi_link_write_begin(link, &part, 1);
            for (int turn = 0; wi_link_write_end(link) == 0 && turn < 1000; turn++)
                usleep(50);
        }
        wi_link_close(kept[i % 80]);
        kept[i % 80] = link;
        own->visits++;
        usleep(100);
    }
    for (int i = 0; i < 80; i++)
        wi_link_close(kept[i]);
    return NULL;
}

START_TEST(strangers_are_no_trouble)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    test_process *host = &meshes.at[0];
    ck_assert(!wi_mesh_listen(&host->config, host->listen, &host->mesh));
    ck_assert(!wi_mesh_listen(&meshes.at[1].config, meshes.at[1].listen, &meshes.at[1].mesh));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            meshes.at[i].urls[j] = wi_mesh_url(meshes.at[j].mesh);
    crowd crowd_ = {.host = host};
    pthread_t crowd_thread;
    pthread_create(&crowd_thread, NULL, disturb, &crowd_);
    /* Alone with them for a while, then the right one comes. */
    weir_err *errs[2] = {NULL};
    bool done[2] = {false};
    uint64_t begin_ns = test_now_ns();
    while (!done[0] || !done[1]) {
        for (int i = 0; i < 2; i++)
            if (!done[i] &&
                (i == 0 || (test_now_ns() - begin_ns > 200000000 && crowd_.visits > 20)))
                done[i] = wi_mesh_connect_step(meshes.at[i].mesh, meshes.at[i].urls,
                                               test_now_ns(), &errs[i]);
        usleep(50);
    }
    atomic_store(&crowd_.stop, true);
    pthread_join(crowd_thread, NULL);
    for (int i = 0; i < 2; i++)
        ck_assert_msg(!errs[i], "%s", weir_err_message(errs[i]));
    test_send_numbered(host, 1, WI_LANE_DATA, 0, 0, 1000, true);
    test_meshes_part(&meshes);
    ck_assert_uint_eq(meshes.at[1].taken_in_all, 1);
    ck_assert_uint_eq(host->taken_in_all, 0);
    test_meshes_close(&meshes);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("opening");
    tcase_set_timeout(cases, 120);
    tcase_add_unchecked_fixture(cases, test_mesh_ways_begin, test_mesh_ways_end);
    tcase_add_loop_test(cases, other_cluster, 0, TEST_MESH_WAYS);
    /* With a key, who accepts goes on waiting: it was no process of the cluster who said so. */
    tcase_add_loop_test(cases, other_workers, 0, TEST_MESH_WAYS_OPEN);
    tcase_add_loop_test(cases, other_processes, 0, TEST_MESH_WAYS_OPEN);
    tcase_add_loop_test(cases, later_generation, 0, TEST_MESH_WAYS_OPEN);
    tcase_add_loop_test(cases, earlier_generation, 0, TEST_MESH_WAYS_OPEN);
    tcase_add_loop_test(cases, same_index_twice, 0, TEST_MESH_WAYS);
    tcase_add_test(cases, hosts_in_another_order);
    tcase_add_test(cases, versions_protocols_and_byte_orders);
    tcase_add_loop_test(cases, other_key, 0, TEST_MESH_WAYS_OPEN);
    tcase_add_loop_test(cases, key_on_one_side, 0, TEST_MESH_WAYS_OPEN);
    tcase_add_test(cases, key_files);
    tcase_add_test(cases, addresses_for_everybody_need_a_key);
    tcase_add_test(cases, who_does_not_come_is_named);
    tcase_add_loop_test(cases, strangers_are_no_trouble, 0, TEST_MESH_WAYS);
    return test_main("mesh opening", cases);
}
