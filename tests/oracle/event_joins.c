/* Rows matched by event time, and what else there is in event_join.h, compared at every time with a
 * naive computation from all rows. What is random: event times (out of order, late, at the ends of
 * the integers), stamps, diffs, keys; intervals, windows, tolerances, lateness; how far one side is
 * ahead of the other; which worker a row comes from, where batches end; the number of workers,
 * threads or a deterministic schedule, and processes. Compared are results and late rows.
 *
 *     oracle_event_joins [--seed S] [--cases N]
 *
 * The naive way: what is right at a time is computed from all rows stamped until then, whenever
 * that may have changed; what is sent is the difference. Only which rows deduplicate keeps has to
 * be played through. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "operators/collection/join.h"
#include "operators/event/store.h"
#include "event_joins/problem.h"
#include "tests/support/cluster.h"

static uint64_t seed = 1, state, this_case;

uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = (state ^ state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

static void fail(const char *why)
{
    fprintf(stderr, "event_joins: case %llu of --seed %llu: %s\n", (unsigned long long)this_case,
            (unsigned long long)seed, why);
    exit(1);
}

static void compute(expected *to)
{
    const problem *of = to->of;
    static void (*const ways[WHATS])(expected *) = {join_intervals, join_windows, join_as_of,
                                                    deduplicate,    filter,       take_tops};
    ways[of->what](to);
    for (int s = 0; s < (of->what >= DEDUPLICATE ? 1 : 2); s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            const row *r = &of->sides[s].rows[i];
            if (r->late)
                test_list_add(&to->late[s], s == 0 ? &event_type : &other_type,
                              s == 0 ? (const void *)&r->event : &r->other,
                              &WEIR_EPOCH(weir_event_epoch(r->stamp)), r->diff);
        }
}

/* ---- running it ------------------------------------------------------------------------- */

/* Row i of a side is worker i's, modulo their number. */
typedef struct feeding {
    weir_input *input;
    const side *from;
    int which;
    uint32_t next, sent;
} feeding;

static void feed_one(weir_worker *worker, feeding *to, const problem *with)
{
    uint32_t workers = weir_worker_count(worker);
    if (!to->input)
        return;
    if (to->next >= to->from->count) {
        weir_input_close(&to->input);
        return;
    }
    const row *r = &to->from->rows[to->next];
    to->next += workers;
    weir_input_advance(to->input, weir_event_epoch(r->stamp));
    weir_out *out = weir_input_out(to->input);
    weir_out_diff(out, r->diff);
    if (to->which == 0)
        event_push(out, r->event);
    else
        other_push(out, r->other);
    if (++to->sent % with->flush_every == 0)
        weir_input_flush(to->input);
    if (to->sent % with->step_every == 0)
        weir_step(worker);
}

/* One side may be far ahead of the other. */
static void feed(weir_worker *worker, feeding *sides, const problem *with)
{
    uint32_t turns[2] = {with->step_every, with->step_other};
    while (sides[0].input || sides[1].input)
        for (int s = 0; s < 2; s++)
            for (uint32_t i = 0; i < turns[s]; i++)
                feed_one(worker, &sides[s], with);
}

static weir_stream build(problem *with, weir_stream a, weir_stream b, weir_late_pair *late)
{
    weir_key a_key = WEIR_BY(event, key), b_key = WEIR_BY(other, key);
    switch (with->what) {
    case INTERVAL:
        return weir_interval_join(a, a_key, b, b_key, &with->interval, with->kernel, NULL, late);
    case WINDOW:
        return weir_window_join(a, a_key, b, b_key, &with->window, with->kernel, NULL, late);
    case AS_OF:
        return weir_as_of_join(a, a_key, b, b_key, &with->latest, with->kernel, NULL, late);
    case DEDUPLICATE:
        return weir_deduplicate(a, a_key, &with->duplicates, &late->a);
    case WHILE:
        return weir_while(a, with->from, with->until);
    case TOP:
    default:
        return weir_group_top(weir_while(a, with->from, with->until), a_key,
                              WEIR_DESCENDING(event, at), with->top);
    }
}

static void work(weir_worker *worker, void *arg)
{
    problem *with = arg;
    weir_late_pair late = {.a = {0}};
    feeding sides[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "oracle");
    const weir_type *types[] = {&event_type, &other_type};
    weir_stream in[2];
    for (int s = 0; s < 2; s++) {
        sides[s] = (feeding){.from = &with->sides[s], .which = s};
        sides[s].next = weir_worker_index(worker);
        in[s] = weir_input_new(flow, types[s], &sides[s].input);
    }
    test_watch(build(with, in[0], in[1], &late), &with->results);
    if (with->what <= DEDUPLICATE)
        test_watch(late.a, &with->late[0]);
    if (with->what < DEDUPLICATE)
        test_watch(late.b, &with->late[1]);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        fail(weir_err_message(err));
    feed(worker, sides, with);
    weir_run(worker);
}

static void describe(const problem *of)
{
    const weir_windows *how = &of->window.windows;
    fprintf(stderr, "way %d, lateness %lld; interval %lld to %lld; windows %d, %lld / %lld; "
            "strict %d, limited %d, tolerance %lld; keep %d within %lld\n",
            (int)of->what, (long long)lateness_of(of), (long long)of->interval.from,
            (long long)of->interval.until, (int)how->kind, (long long)how->size,
            (long long)how->slide, of->latest.strict, of->latest.limited,
            (long long)of->latest.tolerance, (int)of->duplicates.keep,
            (long long)of->duplicates.within);
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < of->sides[s].count; i++) {
            const row *r = &of->sides[s].rows[i];
            char *text = weir_row_text(&event_type, &r->event, NULL);
            fprintf(stderr, "%c: %s  %+lld at %lld%s\n", "ab"[s], text, (long long)r->diff,
                    (long long)r->stamp, r->late ? ", late" : "");
            free(text);
        }
}

static void compare(const problem *of, test_list *wanted, test_list *has, const char *which)
{
    char *wants = test_list_text(wanted), *got = test_list_text(has);
    if (strcmp(wants, got) != 0) {
        describe(of);
        fprintf(stderr, "%s: expected\n%sbut got\n%s", which, wants, got);
        fail(which);
    }
    free(wants);
    free(got);
    test_list_fini(wanted);
    test_list_fini(has);
}

static void run_case(void)
{
    static problem of;
    static expected wants;
    make_problem(&of);
    wants.of = &of;
    test_list_init(&wants.results, 1);
    test_list_init(&wants.late[0], 1);
    test_list_init(&wants.late[1], 1);
    compute(&wants);
    uint32_t workers = 1 + (uint32_t)draw(4);
    weir_config config = {.workers = workers,
                          .deterministic = draw(2),
                          .seed = draw(1000),
                          .batch_rows = draw(2) ? 0 : 1 + (uint32_t)draw(8)};
    if (workers % 2 == 0 && !config.deterministic && draw(8) == 0) {
        config.workers = workers / 2;
        config.cluster.processes = 2;
    }
    wi_join_fuel = draw(2) ? 1 << 20 : 1 + (int64_t)draw(20); /* turns may be short */
    wi_sorted_items = draw(2) ? 128 : 2 + (uint32_t)draw(6);
    weir_err *err = test_execute(&config, work, &of);
    if (err)
        fail(weir_err_message(err));
    compare(&of, &wants.results, &of.results, "other results");
    compare(&of, &wants.late[0], &of.late[0], "other late rows of a");
    compare(&of, &wants.late[1], &of.late[1], "other late rows of b");
}

int main(int argc, char **argv)
{
    uint64_t cases = 2000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cases") == 0)
            cases = strtoull(argv[i + 1], NULL, 10);
    }
    printf("event_joins: %llu cases, --seed %llu\n", (unsigned long long)cases,
           (unsigned long long)seed);
    for (this_case = 0; this_case < cases; this_case++) {
        state = seed * 0x100000001b3u + this_case;
        run_case();
    }
    return 0;
}
