/* Random rows through an operator with a state for each key and timers of event time, compared
 * with a naive computation key by key. What is random: keys, stamps, what rows ask for (timers,
 * many at once, taking them back, forgetting), the time to live and what renews it, how a key's
 * timers lie, where batches end, how far some keys are behind others, the number of workers,
 * threads or a deterministic schedule, and processes.
 *
 *     oracle_keyed [--seed S] [--cases N] */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "base/sorted.h"
#include "tests/support/cluster.h"
#include "tests/support/streams.h"

#define ROWS_MAX 200
#define KEYS 6
#define TIMES 60
#define MANY_TIMERS 20

enum { ADD, ASK, TAKE_BACK, FORGET, RENEW, ASK_AGAIN, MANY, WHATS };

#define DEED(F) F(weir_text, key) F(u32, number) F(u8, what) F(i64, value)
#define STATE(F) F(weir_text, key) F(i64, sum) F(u32, rows) F(u8, again) F(u64, box)
#define SAID(F) F(weir_text, key) F(i64, time) F(i64, sum) F(u32, rows) F(bool, timer)
WEIR_ROW(deed, DEED)
WEIR_ROW(state, STATE)
WEIR_ROW(said, SAID)

static uint64_t seed = 1, random_state, this_case;
static _Atomic(int64_t) boxes;

static uint64_t draw(uint64_t below)
{
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t x = (random_state ^ random_state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

static const char *const keys[KEYS] = {"", "k", "a key of some length", "another of that length",
                                       "twelve bytes", "x"};

typedef struct plan {
    deed rows[ROWS_MAX];
    int64_t stamps[ROWS_MAX]; /* ascending */
    int64_t diffs[ROWS_MAX];
    uint32_t key_of[ROWS_MAX];
    uint32_t count, lag;
    weir_keyed_logic logic;
    bool boxed;
    test_list got, expected;
} plan;

/* What a row that wants MANY does with a timer. */
static int64_t many_time(const deed *row, int i, bool *takes_back_out)
{
    uint64_t x = (row->number * 31 + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
    *takes_back_out = (x >> 20) % 3 == 0;
    return (int64_t)(x >> 32) % TIMES - 2;
}

/* ---- the operator ----------------------------------------------------------------------- */

static void say(weir_keyed *at, const state *has, bool timer)
{
    said_push(weir_keyed_out(at),
              (said){has->key, weir_keyed_now(at), has->sum, has->rows, timer});
}

static void on_row(weir_keyed *at, void *memory, const void *data, int64_t diff)
{
    state *has = memory;
    const deed *row = data;
    const plan *from = weir_keyed_arg(at);
    if (from->boxed && !has->box) {
        has->box = (uint64_t)(uintptr_t)malloc(1);
        boxes++;
    }
    has->sum += diff * row->value;
    has->rows++;
    if (row->what == ASK || row->what == ASK_AGAIN)
        weir_keyed_event_at(at, weir_keyed_now(at) + row->value);
    else if (row->what == TAKE_BACK)
        weir_keyed_event_cancel(at, weir_keyed_now(at) + row->value);
    else if (row->what == FORGET)
        weir_keyed_forget(at);
    else if (row->what == RENEW)
        weir_keyed_renew(at);
    if (row->what == ASK_AGAIN)
        has->again = 3;
    for (int i = 0; row->what == MANY && i < MANY_TIMERS; i++) {
        bool takes_back;
        int64_t time = weir_keyed_now(at) + many_time(row, i, &takes_back);
        if (takes_back)
            weir_keyed_event_cancel(at, time);
        else
            weir_keyed_event_at(at, time);
    }
    say(at, has, false);
}

static void on_event(weir_keyed *at, void *memory, int64_t time)
{
    state *has = memory;
    if (has->again) {
        has->again--;
        weir_keyed_event_at(at, time - 5 + has->again * 4); /* some are before now */
    }
    say(at, has, true);
}

static void release(void *memory, void *arg)
{
    (void)arg;
    state *has = memory;
    if (has->box)
        boxes--;
    free((void *)(uintptr_t)has->box);
}

/* ---- the model -------------------------------------------------------------------------- */

typedef struct key_model {
    state has;
    int64_t timers[8 * ROWS_MAX];
    uint32_t timer_count;
    int64_t renewed, reached;
    bool lives;
} key_model;

static void set_timer(key_model *now, int64_t time)
{
    for (uint32_t i = 0; i < now->timer_count; i++)
        if (now->timers[i] == time)
            return;
    now->timers[now->timer_count++] = time;
}

static void clear_timer(key_model *now, int64_t time)
{
    for (uint32_t i = 0; i < now->timer_count; i++)
        if (now->timers[i] == time)
            now->timers[i] = now->timers[--now->timer_count];
}

static void clear_state(key_model *now)
{
    now->has.sum = 0;
    now->has.rows = 0;
    now->has.again = 0;
    now->has.box = 0;
    now->lives = false;
}

static void look(const plan *from, key_model *now, int64_t time, bool renews)
{
    int64_t ttl = from->logic.event_ttl;
    if (ttl && now->lives && time - now->renewed >= ttl)
        clear_state(now);
    if (renews || !now->lives)
        now->renewed = time;
    now->lives = true;
}

static void note(plan *to, const key_model *now, int64_t time, bool timer)
{
    said row;
    memset(&row, 0, sizeof row);
    row.key = now->has.key;
    row.time = time;
    row.sum = now->has.sum;
    row.rows = now->has.rows;
    row.timer = timer;
    test_list_add(&to->expected, &said_type, &row, &WEIR_EPOCH(weir_event_epoch(time)), 1);
}

/* The state is blank: in memory there is nothing, so the next row begins a new one. */
static void tidy(key_model *now)
{
    if (!now->has.sum && !now->has.rows && !now->has.again && !now->has.box)
        now->lives = false;
}

static void fire(plan *to, key_model *now, int64_t before, bool all)
{
    for (;;) {
        int64_t least = INT64_MAX;
        for (uint32_t i = 0; i < now->timer_count; i++)
            least = now->timers[i] < least ? now->timers[i] : least;
        int64_t time = least > now->reached ? least : now->reached;
        if (!now->timer_count || (!all && time >= before))
            return;
        clear_timer(now, least);
        now->reached = time;
        look(to, now, time, false);
        if (now->has.again) {
            now->has.again--;
            int64_t next = least - 5 + now->has.again * 4;
            set_timer(now, next > time ? next : time + 1);
        }
        note(to, now, time, true);
        tidy(now);
    }
}

static void expect_of_key(plan *to, uint32_t key)
{
    static key_model now;
    memset(&now, 0, sizeof now);
    now.has.key = weir_text_c(keys[key]);
    now.reached = INT64_MIN;
    for (uint32_t i = 0; i < to->count; i++) {
        const deed *row = &to->rows[i];
        int64_t stamp = to->stamps[i];
        if (to->key_of[i] != key)
            continue;
        fire(to, &now, stamp, false);
        now.reached = stamp;
        look(to, &now, stamp, to->logic.renewal == WEIR_RENEW_BY_ROW);
        now.has.box = to->boxed;
        now.has.sum += to->diffs[i] * row->value;
        now.has.rows++;
        if (row->what == ASK || row->what == ASK_AGAIN)
            set_timer(&now, stamp + row->value);
        else if (row->what == TAKE_BACK)
            clear_timer(&now, stamp + row->value);
        else if (row->what == RENEW)
            now.renewed = stamp;
        if (row->what == ASK_AGAIN)
            now.has.again = 3;
        for (int t = 0; row->what == MANY && t < MANY_TIMERS; t++) {
            bool takes_back;
            int64_t time = stamp + many_time(row, t, &takes_back);
            (takes_back ? clear_timer : set_timer)(&now, time);
        }
        note(to, &now, stamp, false);
        if (row->what == FORGET)
            clear_state(&now);
        tidy(&now);
    }
    fire(to, &now, 0, true);
}

/* ---- the run ---------------------------------------------------------------------------- */

static void make(plan *to)
{
    memset(to, 0, sizeof *to);
    to->count = (uint32_t)draw(ROWS_MAX + 1);
    to->lag = draw(2) ? 0 : (uint32_t)draw(ROWS_MAX);
    to->boxed = draw(2);
    to->logic = (weir_keyed_logic){.name = "deeds",
                                   .in = &deed_type,
                                   .state = &state_type,
                                   .out = &said_type,
                                   .row = on_row,
                                   .event = on_event,
                                   .release = to->boxed ? release : NULL,
                                   .event_ttl = draw(2) ? (int64_t)draw(20) : 0,
                                   .renewal = draw(2) ? WEIR_RENEW_BY_CALL : WEIR_RENEW_BY_ROW};
    bool timers = draw(4);
    to->logic.at_once = !timers && !to->logic.event_ttl && draw(2);
    int64_t stamp = draw(2) ? 0 : -(int64_t)draw(100);
    for (uint32_t i = 0; i < to->count; i++) {
        stamp += draw(3) ? 0 : (int64_t)draw(7);
        uint32_t key = (uint32_t)draw(KEYS);
        to->stamps[i] = stamp;
        to->key_of[i] = key;
        to->diffs[i] = draw(6) ? 1 : -1;
        to->rows[i] = (deed){.key = weir_text_c(keys[key]),
                             .number = i,
                             .what = (uint8_t)(timers ? draw(WHATS) : draw(2) ? ADD : FORGET),
                             .value = (int64_t)draw(12) - 2};
    }
}

/* Row i, if it is of this input and worker; and the time in any case. */
static void put(weir_worker *worker, weir_input *input, const plan *from, uint32_t i, uint32_t half)
{
    uint64_t epoch = weir_event_epoch(from->stamps[i]);
    uint32_t key = from->key_of[i];
    if (weir_random(worker) % 4 == 0)
        weir_input_flush(input);
    if (weir_random(worker) % 8 == 0)
        weir_step(worker);
    if (epoch != weir_input_time(input)->at[0])
        weir_input_advance(input, epoch);
    if (key % 2 != half || key % weir_worker_count(worker) != weir_worker_index(worker))
        return;
    weir_out_diff(weir_input_out(input), from->diffs[i]);
    deed_push(weir_input_out(input), from->rows[i]);
}

/* Every other key has an input of its own, which lags behind. */
static void work(weir_worker *worker, void *arg)
{
    plan *from = arg;
    weir_input *inputs[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "keyed");
    weir_stream ahead = weir_input_new(flow, &deed_type, &inputs[0]);
    weir_stream in = weir_concat(ahead, weir_input_new(flow, &deed_type, &inputs[1]));
    test_watch(weir_keyed_by(in, WEIR_BY(deed, key), &from->logic, from), &from->got);
    if (!weir_dataflow_end_or_stop(flow))
        return;
    for (uint32_t i = 0; i < from->count + from->lag; i++) {
        if (i < from->count)
            put(worker, inputs[0], from, i, 0);
        if (i >= from->lag)
            put(worker, inputs[1], from, i - from->lag, 1);
    }
    weir_input_close(&inputs[0]);
    weir_input_close(&inputs[1]);
    weir_run(worker);
}

static void fail(const char *what)
{
    fprintf(stderr, "keyed: case %llu of --seed %llu: %s\n", (unsigned long long)this_case,
            (unsigned long long)seed, what);
    exit(1);
}

static void run_case(void)
{
    static plan now;
    make(&now);
    test_list_init(&now.got, 1);
    test_list_init(&now.expected, 1);
    for (uint32_t key = 0; key < KEYS; key++)
        expect_of_key(&now, key);
    weir_config config = {.workers = 1 + (uint32_t)draw(4), .seed = draw(1000000)};
    config.deterministic = draw(2);
    wi_sorted_items = draw(2) ? 128 : 2 + (uint32_t)draw(6);
    if (!config.deterministic && draw(8) == 0)
        config.cluster = (weir_cluster){.processes = 2};
    weir_err *err = test_execute(&config, work, &now);
    if (err)
        fail(weir_err_message(err));
    char *got = test_list_text(&now.got), *expected = test_list_text(&now.expected);
    if (strcmp(got, expected) != 0) {
        fprintf(stderr, "got\n%s\nexpected\n%s\n", got, expected);
        fail("what is said differs");
    }
    if (boxes)
        fail("states are not released, or twice");
    free(got);
    free(expected);
    test_list_fini(&now.got);
    test_list_fini(&now.expected);
}

int main(int argc, char **argv)
{
    uint64_t cases = 400;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--cases"))
            cases = strtoull(argv[i + 1], NULL, 10);
    }
    for (this_case = 0; this_case < cases; this_case++) {
        random_state = seed * 1000003 + this_case;
        run_case();
    }
    printf("keyed: %llu cases of seed %llu\n", (unsigned long long)cases, (unsigned long long)seed);
    return 0;
}
