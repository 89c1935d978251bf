/* Random schedules of partitions, some of which fall silent, through watermarks; compared with a
 * model that knows when each row comes and who is idle then. What is random: which partition
 * sends when, event times, the policy, how soon partitions are idle, whether those that are ahead
 * wait, where batches end, workers, and the order in which these take turns. Compared are
 * stamps, and the frontier after each step.
 *
 *     oracle_marks [--seed S] [--cases N]
 *
 * The clock is that of deterministic runs. A step is a second. A partition is idle after a number
 * of seconds and a half, so that which are idle when a row comes does not depend on what passes
 * between workers meanwhile. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "tests/support/streams.h"

#define STEPS 48
#define ROWS_MAX 4 /* a step */
#define PARTITIONS_MAX 7
#define SECOND UINT64_C(1000000000)

#define EVENT(F) F(u32, part) F(u32, number) F(i64, at)
WEIR_ROW(event, EVENT)

WEIR_ROUTE(part, event)
{
    return in->part;
}

static uint64_t seed = 1, state, this_case;

static uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = (state ^ state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

static void fail(const char *what, uint32_t step, int64_t expected, int64_t got)
{
    fprintf(stderr, "marks: case %llu of --seed %llu: step %u: %s is %lld, and is to be %lld\n",
            (unsigned long long)this_case, (unsigned long long)seed, step, what, (long long)got,
            (long long)expected);
    exit(1);
}

/* ---- a schedule ------------------------------------------------------------------------- */

typedef struct step {
    event rows[ROWS_MAX]; /* all of one partition */
    uint32_t count;
    bool flush;           /* after each row */
    int64_t stamps[ROWS_MAX], frontier; /* what is expected */
} step;

typedef struct schedule {
    weir_watermark_policy policy;
    uint32_t idle_after; /* steps and a half */
    uint32_t partitions;
    step steps[STEPS];
    _Atomic(uint32_t) seen;
    _Atomic(uint32_t) closed;
} schedule;

static void make(schedule *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->partitions = 1 + (uint32_t)draw(PARTITIONS_MAX);
    plan->idle_after = (uint32_t)draw(4); /* 0: never */
    plan->policy = (weir_watermark_policy){
        .time = "at",
        .bound = (int64_t)draw(4) * 5,
        .partition = &part,
        .partitions = plan->partitions,
        .idle_ns = plan->idle_after ? plan->idle_after * SECOND + SECOND / 2 : 0};
    /* Those that wait are stamped as others are, but when is not to be said in steps. */
    if (!plan->idle_after && draw(2))
        plan->policy.drift = 1 + (int64_t)draw(20);
    uint32_t present = 1 + (uint32_t)draw(plan->partitions), number = 0;
    int64_t base = draw(8) ? 0 : draw(2) ? INT64_MAX - 60 : INT64_MIN;
    for (uint32_t s = 0; s < STEPS; s++) {
        step *at = &plan->steps[s];
        if (draw(6) == 0)
            present = 1 + (uint32_t)draw(plan->partitions);
        at->count = draw(8) ? (uint32_t)draw(ROWS_MAX + 1) : 0;
        at->flush = draw(2);
        uint32_t of = (uint32_t)draw(present);
        for (uint32_t i = 0; i < at->count; i++)
            at->rows[i] = (event){
                .part = of, .number = number++, .at = base + s + (int64_t)draw(12)};
        if (draw(10) == 0)
            s += (uint32_t)draw(6); /* silence */
    }
}

/* ---- the model -------------------------------------------------------------------------- */

typedef struct model {
    int64_t reached[PARTITIONS_MAX];
    uint32_t heard[PARTITIONS_MAX]; /* second */
    bool idle[PARTITIONS_MAX];
    int64_t watermark;
} model;

static void move_watermark(const schedule *plan, model *now)
{
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    bool active = false;
    for (uint32_t p = 0; p < plan->partitions; p++) {
        active |= !now->idle[p];
        if (!now->idle[p] && now->reached[p] < least)
            least = now->reached[p];
        if (now->reached[p] > greatest)
            greatest = now->reached[p];
    }
    int64_t to = active ? least : greatest;
    if (to > now->watermark)
        now->watermark = to;
}

static void expect(schedule *plan)
{
    model now = {.watermark = INT64_MIN};
    for (uint32_t p = 0; p < plan->partitions; p++)
        now.reached[p] = INT64_MIN;
    for (uint32_t s = 0; s < STEPS; s++) {
        step *at = &plan->steps[s];
        for (uint32_t p = 0; p < plan->partitions; p++)
            now.idle[p] |= plan->idle_after && s + 1 - now.heard[p] > plan->idle_after;
        move_watermark(plan, &now);
        for (uint32_t i = 0; i < at->count; i++) {
            uint32_t p = at->rows[i].part;
            if (now.idle[p] && now.reached[p] < now.watermark)
                now.reached[p] = now.watermark;
            now.idle[p] = false;
            now.heard[p] = s + 1;
            at->stamps[i] = now.reached[p];
            int64_t brings;
            if (__builtin_sub_overflow(at->rows[i].at, plan->policy.bound, &brings))
                brings = INT64_MIN;
            if (brings > now.reached[p])
                now.reached[p] = brings;
        }
        move_watermark(plan, &now);
        at->frontier = now.watermark;
    }
}

/* ---- the run ---------------------------------------------------------------------------- */

static void look(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    schedule *plan = arg;
    for (uint32_t r = 0; r < batch->count; r++) {
        const event *row = event_at(batch, r);
        int64_t stamp = weir_event_time(weir_batch_time(batch, r)->at[0]);
        for (uint32_t s = 0; s < STEPS; s++)
            for (uint32_t i = 0; i < plan->steps[s].count; i++)
                if (plan->steps[s].rows[i].number == row->number &&
                    plan->steps[s].stamps[i] != stamp)
                    fail("a stamp", s, plan->steps[s].stamps[i], stamp);
        plan->seen++;
    }
}

static void wait_until(weir_worker *worker, uint64_t ns)
{
    for (uint64_t now; (now = weir_now(worker)) < ns;)
        weir_step_or_park(worker, ns - now);
}

static void check_frontier(const weir_probe *probe, const step *at, uint32_t s)
{
    weir_antichain frontier;
    weir_antichain_init(&frontier);
    weir_probe_frontier(probe, &frontier);
    int64_t got = frontier.count ? weir_event_time(frontier.times[0].at[0]) : INT64_MAX;
    if (got != at->frontier)
        fail("the frontier", s, at->frontier, got);
    weir_antichain_fini(&frontier);
}

static void work(weir_worker *worker, void *arg)
{
    schedule *plan = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "marks");
    weir_stream in = weir_input_new(flow, &event_type, &input);
    weir_stream stamped = weir_watermarks(in, &plan->policy);
    weir_probe *probe = weir_probe_new(weir_inspect_batch(stamped, look, plan));
    if (!weir_dataflow_end_or_stop(flow))
        return;
    uint32_t workers = weir_worker_count(worker), self = weir_worker_index(worker);
    for (uint32_t s = 0; s < STEPS; s++) {
        const step *at = &plan->steps[s];
        wait_until(worker, (s + 1) * SECOND);
        for (uint32_t i = 0; i < at->count && at->rows[i].part * 5 % workers == self; i++) {
            event_push(weir_input_out(input), at->rows[i]);
            if (at->flush)
                weir_input_flush(input);
        }
        weir_input_flush(input);
        wait_until(worker, (s + 1) * SECOND + SECOND / 4);
        if (!plan->policy.drift)
            check_frontier(probe, at, s);
    }
    weir_input_close(&input);
    weir_run(worker);
}

static void run_case(void)
{
    schedule plan;
    make(&plan);
    expect(&plan);
    weir_config config = {
        .workers = 1 + (uint32_t)draw(4), .deterministic = true, .seed = draw(1000000)};
    weir_err *err = weir_execute(&config, work, &plan);
    if (err) {
        fprintf(stderr, "marks: case %llu of --seed %llu: %s\n", (unsigned long long)this_case,
                (unsigned long long)seed, weir_err_message(err));
        exit(1);
    }
    uint32_t rows = 0;
    for (uint32_t s = 0; s < STEPS; s++)
        rows += plan.steps[s].count;
    if (plan.seen != rows)
        fail("the number of rows", STEPS, rows, plan.seen);
}

int main(int argc, char **argv)
{
    uint64_t cases = 150;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--cases"))
            cases = strtoull(argv[i + 1], NULL, 10);
    }
    for (this_case = 0; this_case < cases; this_case++) {
        state = seed * 1000003 + this_case;
        run_case();
    }
    printf("marks: %llu cases of seed %llu\n", (unsigned long long)cases, (unsigned long long)seed);
    return 0;
}
