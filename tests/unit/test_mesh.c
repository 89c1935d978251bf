/* Meshes of two to four processes: frames of all sizes, from several threads, on both lanes,
 * arrive in order, whole and once; and how a mesh ends: by goodbye, death, a hang. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/execution.h"
#include "tests/support/mesh_ways.h"

#define PATIENCE_NS 60000000000u

/* ---- traffic ---------------------------------------------------------------------------- */

typedef struct sender {
    test_meshes *meshes;
    test_process *process;
    uint32_t number, senders, frames;
    pthread_t thread;
} sender;

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *seed;
    return (x ^ x >> 33) * 0xff51afd7ed558ccdu >> 16;
}

static size_t draw_bytes(uint64_t *seed)
{
    switch (draw(seed) % 40) {
    case 0:
        return 16 + draw(seed) % 400000;
    case 1:
    case 2:
        return 4000 + draw(seed) % 200;
    case 3:
    case 4:
    case 5:
        return 65536;
    default:
        return 16 + draw(seed) % 300;
    }
}

static size_t backlog_of(const test_process *process)
{
    size_t bytes = 0;
    for (uint32_t to = 0; to < process->processes; to++)
        for (int lane = 0; lane < WI_LANES && to != process->config.process; lane++)
            bytes += wi_mesh_backlog(process->mesh, to, (wi_lane)lane);
    return bytes;
}

/* Sends its frames to all others and polls, until everything for its process has come, and all
 * of its own is with the system. */
static void *send_and_poll(void *arg)
{
    sender *own = arg;
    test_process *process = own->process;
    uint32_t self = process->config.process;
    uint64_t seed = self * 100 + own->number;
    uint64_t expected = (uint64_t)(process->processes - 1) * own->senders * own->frames * WI_LANES;
    uint64_t until_ns = test_now_ns() + PATIENCE_NS, taken = 0;
    for (uint32_t frame = 0;
         (frame < own->frames || taken < expected || backlog_of(process)) &&
         test_now_ns() < until_ns;) {
        if (frame < own->frames) {
            for (uint32_t to = 0; to < process->processes; to++)
                for (int lane = 0; lane < WI_LANES && to != self; lane++)
                    test_send_numbered(process, to, (wi_lane)lane, own->number, frame,
                                       draw_bytes(&seed), draw(&seed) % 2);
            frame++;
        }
        do
            wi_mesh_poll(process->mesh, test_now_ns());
        while (backlog_of(process) > 4u << 20 && test_now_ns() < until_ns);
        if (frame % 16 == 0)
            wi_mesh_tick(process->mesh, test_now_ns());
        pthread_mutex_lock(&process->lock);
        taken = process->taken_in_all;
        pthread_mutex_unlock(&process->lock);
    }
    return NULL;
}

static void run_traffic(test_meshes *meshes, uint32_t senders, uint32_t frames)
{
    sender all[TEST_PROCESSES_MAX][TEST_SENDERS_MAX];
    for (uint32_t i = 0; i < meshes->count; i++)
        for (uint32_t s = 0; s < senders; s++) {
            all[i][s] = (sender){meshes, &meshes->at[i], s, senders, frames, 0};
            pthread_create(&all[i][s].thread, NULL, send_and_poll, &all[i][s]);
        }
    for (uint32_t i = 0; i < meshes->count; i++)
        for (uint32_t s = 0; s < senders; s++)
            pthread_join(all[i][s].thread, NULL);
    test_frames_right(meshes);
    for (uint32_t i = 0; i < meshes->count; i++)
        ck_assert_uint_eq(meshes->at[i].taken_in_all,
                          (meshes->count - 1) * senders * frames * WI_LANES);
}

START_TEST(frames_arrive_in_order_whole_and_once)
{
    for (uint32_t count = 2; count <= TEST_PROCESSES_MAX; count++) {
        test_meshes meshes;
        test_meshes_init_way(&meshes, count, _i);
        test_meshes_open_all(&meshes);
        run_traffic(&meshes, 2, test_sanitized() ? 20 : 60);
        test_meshes_part(&meshes);
        wi_mesh_totals totals;
        wi_mesh_count(meshes.at[0].mesh, &totals);
        ck_assert_uint_eq(totals.taken_frames[WI_LANE_DATA],
                          meshes.at[0].taken_in_all / WI_LANES);
        test_meshes_close(&meshes);
    }
}
END_TEST

START_TEST(frames_that_are_not_copied_are_acknowledged_once)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    test_meshes_open_all(&meshes);
    uint64_t sent = 0;
    for (; sent < 100; sent++)
        test_send_numbered(&meshes.at[0], 1, WI_LANE_DATA, 0, sent, 16 + sent * 5000, false);
    test_meshes_part(&meshes);
    ck_assert_uint_eq(meshes.at[0].acknowledged, sent);
    ck_assert_uint_eq(meshes.at[1].taken_in_all, sent);
    ck_assert_uint_eq(wi_mesh_backlog(meshes.at[0].mesh, 1, WI_LANE_DATA), 0);
    test_frames_right(&meshes);
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(what_is_not_sent_is_let_go_by_close)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    test_meshes_open_all(&meshes);
    uint64_t sent = 0;
    for (; sent < 200; sent++) /* nobody reads */
        test_send_numbered(&meshes.at[0], 1, WI_LANE_DATA, 0, sent, 200000, false);
    ck_assert_uint_gt(wi_mesh_backlog(meshes.at[0].mesh, 1, WI_LANE_DATA), 0);
    test_meshes_close(&meshes);
    ck_assert_uint_eq(meshes.at[0].acknowledged, sent);
}
END_TEST

START_TEST(huge_frames)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    test_meshes_open_all(&meshes);
    static const size_t sizes[] = {1 << 20, (1 << 20) - 64, (1 << 20) - 128, (1 << 20) - 127,
                                   9 << 20, 16, 3000001, WI_FRAME_BYTES_MAX, 4096, 4095};
    uint64_t count = sizeof sizes / sizeof sizes[0];
    for (uint64_t i = 0; i < count; i++) {
        test_send_numbered(&meshes.at[0], 1, WI_LANE_DATA, 0, i, sizes[i], i % 3 == 0);
        wi_mesh_poll(meshes.at[1].mesh, test_now_ns());
    }
    test_meshes_part(&meshes);
    ck_assert_uint_eq(meshes.at[1].taken_in_all, count);
    test_frames_right(&meshes);
    test_meshes_close(&meshes);
}
END_TEST

/* ---- chunks ----------------------------------------------------------------------------- */

typedef struct keeper {
    test_process *process;
    wi_arrival kept[1000];
    uint32_t count;
} keeper;

static void keep_frame(void *arg, const wi_arrival *arrival)
{
    keeper *to = arg;
    wi_chunk_retain(arrival->chunk);
    to->kept[to->count++] = *arrival;
}

static void down_is_wrong(void *arg, uint32_t process, weir_err *why)
{
    (void)arg, (void)process;
    ck_abort_msg("%s", weir_err_message(why));
}

START_TEST(frames_stay_while_their_chunk_is_retained)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    static keeper kept;
    kept.count = 0;
    meshes.at[1].config.frame = keep_frame;
    meshes.at[1].config.down = down_is_wrong;
    meshes.at[1].config.arg = &kept;
    test_meshes_open_all(&meshes);
    char bytes[9000];
    for (int i = 0; i < 1000; i++) {
        size_t count = 1 + (size_t)(i * 37 % 9000);
        memset(bytes, i, count);
        wi_mesh_send(meshes.at[0].mesh, 1, WI_LANE_DATA, (uint16_t)i,
                     &(wi_part){bytes, count}, 1, NULL, NULL);
        wi_mesh_poll(meshes.at[1].mesh, test_now_ns());
    }
    test_meshes_part(&meshes);
    test_meshes_close(&meshes);
    ck_assert_uint_eq(kept.count, 1000);
    for (uint32_t i = 0; i < kept.count; i++) {
        const wi_arrival *arrival = &kept.kept[i];
        ck_assert_uint_eq(arrival->kind, i);
        ck_assert_uint_eq(arrival->count, 1 + i * 37 % 9000);
        memset(bytes, (int)i, arrival->count);
        ck_assert(memcmp(bytes, arrival->bytes, arrival->count) == 0);
        wi_chunk_drop(arrival->chunk);
    }
}
END_TEST

/* ---- sleeping --------------------------------------------------------------------------- */

/* Until that many frames have come, and its own are sent; sleeps whenever there is nothing. */
static void sleep_until_taken(test_process *process, uint64_t count)
{
    uint64_t until_ns = test_now_ns() + PATIENCE_NS;
    for (;;) {
        while (wi_mesh_poll(process->mesh, test_now_ns()))
            ;
        pthread_mutex_lock(&process->lock);
        bool done = process->taken_in_all >= count && !backlog_of(process);
        process->awake = false;
        pthread_mutex_unlock(&process->lock);
        ck_assert_msg(test_now_ns() < until_ns, "nobody has woken it");
        if (done)
            return;
        if (!wi_mesh_arm(process->mesh))
            continue;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 40;
        pthread_mutex_lock(&process->lock);
        while (!process->awake)
            if (pthread_cond_timedwait(&process->woken, &process->lock, &until) != 0)
                break;
        pthread_mutex_unlock(&process->lock);
    }
}

typedef struct player {
    test_process *process;
    uint32_t to, rounds;
    size_t bytes;
} player;

static void *play(void *arg)
{
    const player *own = arg;
    for (uint32_t i = 0; i < own->rounds; i++) {
        if (own->to == 0)
            sleep_until_taken(own->process, i + 1);
        test_send_numbered(own->process, own->to, WI_LANE_PROGRESS, 0, i, own->bytes,
                           i % 2);
        if (own->to == 1)
            sleep_until_taken(own->process, i + 1);
    }
    sleep_until_taken(own->process, own->rounds);
    return NULL;
}

/* Frames of 5 MB do not fit into what the system takes, so the writer sleeps as well. */
START_TEST(sleepers_are_woken)
{
    for (int large = 0; large < 2; large++) {
        test_meshes meshes;
        test_meshes_init_way(&meshes, 2, _i);
        test_meshes_open_all(&meshes);
        player players[2] = {{&meshes.at[0], 1, large ? 3 : 300, large ? 5 << 20 : 64},
                             {&meshes.at[1], 0, large ? 3 : 300, large ? 5 << 20 : 64}};
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, play, &players[i]);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        test_meshes_part(&meshes);
        test_frames_right(&meshes);
        test_meshes_close(&meshes);
    }
}
END_TEST

/* ---- how it ends ------------------------------------------------------------------------ */

#define EXPECT(text, part) ck_assert_msg(strstr(text, part), "'%s' is not in: %s", part, text)

START_TEST(a_death_is_noticed_and_told)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 3, _i);
    test_meshes_open_all(&meshes);
    test_send_numbered(&meshes.at[2], 0, WI_LANE_PROGRESS, 0, 0, 100, true);
    uint64_t until_ns = test_now_ns() + PATIENCE_NS;
    while (!meshes.at[0].taken_in_all && test_now_ns() < until_ns)
        for (int i = 0; i < 3; i++)
            wi_mesh_poll(meshes.at[i].mesh, test_now_ns());
    wi_mesh_close(meshes.at[2].mesh);
    meshes.at[2].mesh = NULL;
    for (uint32_t i = 0; i < 2; i++) {
        test_meshes_until_down(&meshes, i, 0);
        EXPECT(meshes.at[i].down, "process 2 (");
        EXPECT(meshes.at[i].down, "died or was killed");
    }
    ck_assert_uint_eq(meshes.at[0].taken_in_all, 1);
    /* What is sent now is let go. */
    test_send_numbered(&meshes.at[0], 1, WI_LANE_DATA, 0, 0, 100000, false);
    ck_assert_uint_eq(meshes.at[0].acknowledged, 1);
    test_meshes_close(&meshes);
}
END_TEST

/* Ticks at made-up times. */
START_TEST(silence_is_noticed)
{
    test_meshes meshes;
    if (test_mesh_way_is_tls(_i)) /* nng has threads, which live in real time */
        return;
    test_meshes_init_way(&meshes, 2, _i);
    test_meshes_open_all(&meshes);
    uint64_t now_ns = 1000000000;
    for (int i = 0; i < 200; i++, now_ns += 50000000) { /* 10 s: heartbeats are enough */
        for (int p = 0; p < 2; p++) {
            wi_mesh_tick(meshes.at[p].mesh, now_ns);
            wi_mesh_poll(meshes.at[p].mesh, now_ns);
        }
    }
    ck_assert_str_eq(meshes.at[0].down, "");
    ck_assert_str_eq(meshes.at[1].down, "");
    uint64_t since_ns = now_ns;
    while (!meshes.at[0].downs) { /* the other one hangs */
        wi_mesh_tick(meshes.at[0].mesh, now_ns += 50000000);
        wi_mesh_poll(meshes.at[0].mesh, now_ns);
        ck_assert_uint_lt(now_ns - since_ns, 3100000000u);
    }
    ck_assert_uint_gt(now_ns - since_ns, 1900000000u);
    EXPECT(meshes.at[0].down, "process 1 (");
    EXPECT(meshes.at[0].down, "has been silent for 2.");
    /* It comes back, and is told why nobody waited. */
    test_meshes_until_down(&meshes, 1, 0);
    EXPECT(meshes.at[1].down, "process 0 (");
    EXPECT(meshes.at[1].down, "it has given up: process 1");
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(who_was_stopped_itself_accuses_nobody)
{
    test_meshes meshes;
    if (test_mesh_way_is_tls(_i)) /* nng has threads, which live in real time */
        return;
    test_meshes_init_way(&meshes, 2, _i);
    test_meshes_open_all(&meshes);
    uint64_t now_ns = 1000000000;
    for (int i = 0; i < 100; i++, now_ns += 50000000) {
        wi_mesh_tick(meshes.at[0].mesh, i < 50 ? now_ns : now_ns + 3600000000000u);
        wi_mesh_tick(meshes.at[1].mesh, now_ns);
        usleep(200);
    }
    ck_assert_str_eq(meshes.at[0].down, "");
    ck_assert_str_eq(meshes.at[1].down, "");
    test_meshes_close(&meshes);
}
END_TEST

/* What is sent at once comes with the last word of the opening: it is read, but not yet taken, when
 * the clock begins. A cluster of 48 processes was ended by it, each third time. */
START_TEST(frames_that_come_with_the_opening_are_not_silence)
{
    test_meshes meshes;
    if (test_mesh_way_is_tls(_i)) /* nng has threads, which live in real time */
        return;
    test_meshes_init_way(&meshes, 2, _i);
    for (int i = 0; i < 2; i++)
        ck_assert_ptr_null(
            wi_mesh_listen(&meshes.at[i].config, meshes.at[i].listen, &meshes.at[i].mesh));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            meshes.at[i].urls[j] = wi_mesh_url(meshes.at[j].mesh);
    bool open[2] = {false};
    for (uint64_t until_ns = test_now_ns() + PATIENCE_NS; !open[0] || !open[1];)
        for (int i = 0; i < 2; i++) {
            weir_err *err = NULL;
            ck_assert(test_now_ns() < until_ns);
            if (open[i] || !wi_mesh_connect_step(meshes.at[i].mesh, meshes.at[i].urls,
                                                 test_now_ns(), &err))
                continue;
            ck_assert_ptr_null(err);
            open[i] = true;
            for (int lane = 0; lane < WI_LANES; lane++)
                test_send_numbered(&meshes.at[i], 1 - (uint32_t)i, (wi_lane)lane, 0, 0, 100, true);
        }
    uint64_t now_ns = test_now_ns();
    for (int i = 0; i < 10; i++, now_ns += 50000000)
        wi_mesh_tick(meshes.at[0].mesh, now_ns);
    ck_assert_str_eq(meshes.at[0].down, "");
    for (int i = 0; i < 10; i++, now_ns += 50000000)
        for (int p = 0; p < 2; p++)
            wi_mesh_tick(meshes.at[p].mesh, now_ns);
    ck_assert_str_eq(meshes.at[1].down, "");
    test_frames_right(&meshes);
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(a_peer_may_finish_much_later)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 3, _i);
    test_meshes_open_all(&meshes);
    wi_mesh_goodbye(meshes.at[0].mesh);
    uint64_t now_ns = 1000000000;
    for (int i = 0; i < 400; i++, now_ns += 50000000) { /* 20 s */
        for (int p = 0; p < 3; p++) {
            wi_mesh_poll(meshes.at[p].mesh, now_ns);
            wi_mesh_tick(meshes.at[p].mesh, now_ns);
        }
        if (i % 20 == 0)
            usleep(1000);
        test_send_numbered(&meshes.at[1], 0, WI_LANE_DATA, 0, (uint64_t)i, 5000, true);
    }
    ck_assert(!wi_mesh_parted(meshes.at[0].mesh));
    test_meshes_part(&meshes);
    ck_assert_uint_eq(meshes.at[0].taken_in_all, 400);
    /* Whoever is first closes; that is no death. */
    wi_mesh_close(meshes.at[0].mesh);
    meshes.at[0].mesh = NULL;
    for (int i = 0; i < 20; i++, usleep(1000))
        for (int p = 1; p < 3; p++) {
            wi_mesh_poll(meshes.at[p].mesh, now_ns);
            wi_mesh_tick(meshes.at[p].mesh, now_ns);
            ck_assert_str_eq(meshes.at[p].down, "");
            ck_assert(wi_mesh_parted(meshes.at[p].mesh));
        }
    test_meshes_close(&meshes);
}
END_TEST

/* At once, also right after its last frames. With TLS, closing lost a goodbye. */
START_TEST(who_has_parted_may_close)
{
    for (int round = 0; round < (test_sanitized() ? 5 : 30); round++) {
        test_meshes meshes;
        test_meshes_init_way(&meshes, 2, _i);
        test_meshes_open_all(&meshes);
        wi_mesh_goodbye(meshes.at[1].mesh);
        for (int turn = 0; turn < 100; turn++) {
            wi_mesh_poll(meshes.at[0].mesh, test_now_ns());
            wi_mesh_poll(meshes.at[1].mesh, test_now_ns());
        }
        for (uint64_t i = 0; i < 10; i++)
            test_send_numbered(&meshes.at[0], 1, WI_LANE_PROGRESS, 0, i, 3000, true);
        wi_mesh_goodbye(meshes.at[0].mesh);
        uint64_t until_ns = test_now_ns() + PATIENCE_NS;
        while (!wi_mesh_parted(meshes.at[0].mesh) && test_now_ns() < until_ns)
            for (int i = 0; i < 2; i++)
                wi_mesh_poll(meshes.at[i].mesh, test_now_ns());
        wi_mesh_close(meshes.at[0].mesh);
        meshes.at[0].mesh = NULL;
        while (!wi_mesh_parted(meshes.at[1].mesh) && test_now_ns() < until_ns) {
            wi_mesh_poll(meshes.at[1].mesh, test_now_ns());
            ck_assert_str_eq(meshes.at[1].down, "");
        }
        ck_assert_uint_eq(meshes.at[1].taken_in_all, 10);
        test_meshes_close(&meshes);
    }
}
END_TEST

START_TEST(who_leaves_before_the_others_have_finished_is_missed)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 2, _i);
    test_meshes_open_all(&meshes);
    wi_mesh_goodbye(meshes.at[0].mesh);
    wi_mesh_close(meshes.at[0].mesh);
    meshes.at[0].mesh = NULL;
    test_meshes_until_down(&meshes, 1, 0);
    EXPECT(meshes.at[1].down, "it has finished, and this process (1) has not");
    test_meshes_close(&meshes);
}
END_TEST

START_TEST(alone)
{
    test_meshes meshes;
    test_meshes_init_way(&meshes, 1, _i);
    test_meshes_open_all(&meshes);
    ck_assert(!wi_mesh_poll(meshes.at[0].mesh, 1));
    ck_assert(wi_mesh_arm(meshes.at[0].mesh));
    test_meshes_part(&meshes);
    test_meshes_close(&meshes);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("mesh");
    tcase_set_timeout(cases, 120);
    tcase_add_unchecked_fixture(cases, test_mesh_ways_begin, test_mesh_ways_end);
    tcase_add_loop_test(cases, alone, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, frames_arrive_in_order_whole_and_once, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, frames_that_are_not_copied_are_acknowledged_once, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, what_is_not_sent_is_let_go_by_close, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, huge_frames, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, frames_stay_while_their_chunk_is_retained, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, sleepers_are_woken, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, a_death_is_noticed_and_told, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, silence_is_noticed, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, who_was_stopped_itself_accuses_nobody, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, frames_that_come_with_the_opening_are_not_silence, 0,
                        TEST_MESH_WAYS);
    tcase_add_loop_test(cases, a_peer_may_finish_much_later, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, who_has_parted_may_close, 0, TEST_MESH_WAYS);
    tcase_add_loop_test(cases, who_leaves_before_the_others_have_finished_is_missed, 0,
                        TEST_MESH_WAYS);
    return test_main("mesh", cases);
}
