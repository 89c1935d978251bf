/* Meshes over links that fail: whatever a network does to the bytes of a link, be it a cut, a
 * gap, another order or another bit, is reported, and no frame is delivered wrong. One thread,
 * a virtual clock, and a seed for each run, which is printed if it fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/sim.h"
#include "tests/support/execution.h"
#include "tests/support/meshes.h"

#define STEP_NS 1000000
#define FRAMES 60

typedef struct world {
    uint64_t seed, draws, now_ns;
    wi_sim_net *net;
    test_meshes meshes;
    uint64_t sent[TEST_PROCESSES_MAX][TEST_PROCESSES_MAX][WI_LANES];
} world;

static uint64_t draw(world *at, uint64_t below)
{
    uint64_t x = at->seed * 0x9e3779b97f4a7c15u + ++at->draws;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % below;
}

static void advance(world *at)
{
    wi_sim_net_advance(at->net, STEP_NS);
    at->now_ns = wi_sim_net_now(at->net);
}

static void begin(world *at, const wi_sim_faults *faults, bool keyed)
{
    uint32_t count = 2 + (uint32_t)draw(at, 2);
    at->net = wi_sim_net_new(at->seed, faults);
    test_meshes_init(&at->meshes, count, "sim://p%d");
    for (uint32_t i = 0; i < count; i++) {
        test_process *process = &at->meshes.at[i];
        process->config.transport = wi_sim_net_transport(at->net);
        process->config.key = keyed ? "a key that is long enough" : NULL;
        weir_err *err = wi_mesh_listen(&process->config, process->listen, &process->mesh);
        ck_assert_msg(!err, "%s", weir_err_message(err));
        for (uint32_t j = 0; j < count; j++)
            at->meshes.at[j].urls[i] = process->listen;
    }
}

/* All in turn until each is open or has failed; whether all are open. */
static bool open_all(world *at)
{
    uint32_t count = at->meshes.count, left = count;
    bool done[TEST_PROCESSES_MAX] = {false}, all = true;
    for (int turn = 0; left; turn++, advance(at))
        for (uint32_t i = 0; i < count; i++) {
            test_process *process = &at->meshes.at[i];
            weir_err *err = NULL;
            if (done[i] ||
                !wi_mesh_connect_step(process->mesh, process->urls, at->now_ns, &err))
                continue;
            done[i] = true;
            left--;
            if (err) {
                all = false;
                wi_mesh_close(process->mesh);
                process->mesh = NULL;
            }
            weir_err_free(err);
            ck_assert_msg(turn < 100000, "seed %lu: opening does not end",
                          (unsigned long)at->seed);
        }
    return all;
}

static void send_some(world *at, uint32_t from)
{
    uint32_t to = (uint32_t)draw(at, at->meshes.count);
    wi_lane lane = (wi_lane)draw(at, WI_LANES);
    uint64_t *number = &at->sent[from][to][lane];
    if (to == from || *number == FRAMES)
        return;
    size_t bytes = 16 + draw(at, draw(at, 8) ? 500 : 40000);
    test_send_numbered(&at->meshes.at[from], to, lane, 0, (*number)++, bytes,
                       draw(at, 2));
}

/* Sends, polls and ticks, in an order that the seed gives; then says goodbye. Whether it ended
 * well; if not, somebody was told. */
static bool run(world *at)
{
    uint32_t count = at->meshes.count;
    for (int turn = 0; turn < 20000; turn++, advance(at)) {
        uint32_t parted = 0;
        for (uint32_t i = 0; i < count; i++) {
            test_process *process = &at->meshes.at[i];
            if (turn < 400)
                send_some(at, i);
            else if (turn == 400 + (int)i * 3)
                wi_mesh_goodbye(process->mesh);
            if (draw(at, 3))
                wi_mesh_poll(process->mesh, at->now_ns);
            if (turn % 50 == 0)
                wi_mesh_tick(process->mesh, at->now_ns);
            if (process->downs)
                return false;
            parted += wi_mesh_parted(process->mesh);
        }
        if (parted == count)
            return true;
    }
    ck_abort_msg("seed %lu: it neither ends nor fails", (unsigned long)at->seed);
}

static void check_frames(world *at, bool all)
{
    for (uint32_t to = 0; to < at->meshes.count; to++) {
        const test_process *process = &at->meshes.at[to];
        ck_assert_msg(!process->wrong[0], "seed %lu: %s", (unsigned long)at->seed,
                      process->wrong);
        for (uint32_t from = 0; from < at->meshes.count && all; from++)
            for (int lane = 0; lane < WI_LANES; lane++)
                ck_assert_msg(process->taken[from][lane][0] == at->sent[from][to][lane],
                              "seed %lu: a frame is missing", (unsigned long)at->seed);
    }
}

static void end(world *at)
{
    test_meshes_close(&at->meshes);
    wi_sim_net_free(at->net);
}

static uint64_t faults_of(wi_sim_counts counts)
{
    return counts.cuts + counts.drops + counts.reorders + counts.flips;
}

static int seeds(int count)
{
    return test_sanitized() ? count / 10 : count;
}

START_TEST(a_network_may_split_and_delay)
{
    static const wi_sim_faults slow = {.split = true, .delay_ns_max = 20000000};
    for (int seed = 1; seed <= seeds(200); seed++) {
        world one = {.seed = (uint64_t)seed};
        begin(&one, &slow, _i);
        ck_assert_msg(open_all(&one), "seed %d: %s", seed, "not open");
        ck_assert_msg(run(&one), "seed %d: %s", seed, one.meshes.at[0].down);
        check_frames(&one, true);
        end(&one);
    }
}
END_TEST

/* One kind of fault each, or all. */
START_TEST(any_fault_is_reported)
{
    static const wi_sim_faults good = {.split = true, .delay_ns_max = 2000000};
    const wi_sim_faults bad[] = {{.cut = 0.002}, {.drop = 0.002}, {.reorder = 0.02},
                                 {.flip = 0.002},
                                 {.cut = 0.0005, .drop = 0.001, .reorder = 0.001, .flip = 0.001}};
    const int kinds = sizeof bad / sizeof bad[0];
    uint64_t failed = 0, faults = 0;
    for (int seed = 1; seed <= seeds(1000); seed++) {
        world one = {.seed = (uint64_t)seed};
        begin(&one, &good, _i);
        ck_assert_msg(open_all(&one), "seed %d: not open", seed);
        wi_sim_faults now = bad[seed % kinds];
        now.split = seed % 2;
        now.delay_ns_max = seed % 3 ? 3000000 : 0;
        wi_sim_net_set_faults(one.net, &now);
        bool well = run(&one);
        uint64_t happened = faults_of(wi_sim_net_count(one.net));
        ck_assert_msg(well == (happened == 0), "seed %d: %lu faults, and it %s", seed,
                      (unsigned long)happened, well ? "ended well" : "failed");
        check_frames(&one, well);
        failed += !well;
        faults += happened;
        end(&one);
    }
    ck_assert_uint_gt(failed, (uint64_t)seeds(1000) / 10);
    ck_assert_uint_lt(failed, (uint64_t)seeds(1000));
    ck_assert_uint_ge(faults, failed);
}
END_TEST

START_TEST(faults_while_opening_deliver_nothing_wrong)
{
    uint64_t opened = 0;
    for (int seed = 1; seed <= seeds(400); seed++) {
        world one = {.seed = (uint64_t)seed};
        const wi_sim_faults bad = {.split = seed % 2, .delay_ns_max = 3000000, .cut = 0.02,
                                   .drop = 0.02, .reorder = 0.02, .flip = 0.02};
        begin(&one, &bad, _i);
        if (open_all(&one)) {
            opened++;
            run(&one);
        }
        check_frames(&one, false);
        end(&one);
    }
    ck_assert_uint_gt(opened, 0);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("sim");
    tcase_set_timeout(cases, 200);
    tcase_add_loop_test(cases, a_network_may_split_and_delay, 0, 2);
    tcase_add_loop_test(cases, any_fault_is_reported, 0, 2);
    tcase_add_loop_test(cases, faults_while_opening_deliver_nothing_wrong, 0, 2);
    return test_main("mesh sim", cases);
}
