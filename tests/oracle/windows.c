/* Random streams through watermarks and windows, compared at every time with a naive computation
 * from all rows. What is random: event times (out of order, below zero, at the ends of the
 * integers), diffs, keys; the policy, its bound and its partitions; the windows, their lateness,
 * output and trigger, and whether panes are taken away again; where batches end; the number of
 * workers, threads or a deterministic schedule, and processes; whether the order of several
 * partitions counts; how a key's windows lie; whether all is torn down in between and built again
 * from what was saved.
 * Compared are results, late rows, and rows that missed windows.
 *
 *     oracle_windows [--seed S] [--cases N]
 *
 * What is expected is computed in windows/. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "base/sorted.h"
#include "operators/window/moment.h"
#include "operators/window/saved.h"
#include "tests/oracle/windows/naive.h"
#include "tests/support/cluster.h"

#define NOTES 8
#define PARTS 6

#define BOXED(F) F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(u64, box)
WEIR_ROW(boxed, BOXED)

static uint64_t seed = 1, state, this_case;
static _Atomic(int64_t) boxes;

static uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = (state ^ state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

static void fail(const char *what)
{
    fprintf(stderr, "windows: case %llu of --seed %llu: %s\n", (unsigned long long)this_case,
            (unsigned long long)seed, what);
    exit(1);
}

static const char *const keys[KEYS] = {"", "k", "a key of some length", "another of that length",
                                       "twelve bytes"};
static const char *const notes[NOTES] = {
    "", "x", "yy", "a note longer than a handle", "a note longer than a handle, yes",
    "twelve bytes", "thirteen byte", "zz"};

/* ---- kernels ---------------------------------------------------------------------------- */

WEIR_FOLD(fold_event, event, tally)
{
    acc->sum += in->value * diff;
    if (longer(&in->note, &acc->longest))
        acc->longest = in->note;
}

WEIR_FOLD(fold_tally, tally, tally)
{
    acc->sum += in->sum * diff;
    if (longer(&in->longest, &acc->longest))
        acc->longest = in->longest;
}

/* Only what can be taken away again. */
WEIR_FOLD(fold_sum, event, tally)
{
    acc->sum += in->value * diff;
}

WEIR_FOLD(combine_sum, tally, tally)
{
    acc->sum += in->sum * diff;
}

/* The same sum in memory of its own. */
static void add_to_box(uint64_t *box, int64_t value)
{
    int64_t *sum = (int64_t *)(uintptr_t)*box;
    if (!sum) {
        sum = calloc(1, sizeof *sum);
        boxes++;
    }
    *sum += value;
    *box = (uint64_t)(uintptr_t)sum;
}

WEIR_FOLD(fold_boxed, event, boxed)
{
    add_to_box(&acc->box, in->value * diff);
}

WEIR_FOLD(combine_boxed, boxed, boxed)
{
    if (in->box)
        add_to_box(&acc->box, *(const int64_t *)(uintptr_t)in->box * diff);
}

WEIR_MAP(unbox, boxed, tally)
{
    int64_t sum = in->box ? *(const int64_t *)(uintptr_t)in->box : 0;
    *out = (tally){in->key, in->start, in->end, in->rows, sum, weir_text_c("boxed")};
}

WEIR_MAP(finish_tally, tally, tally)
{
    *out = *in;
    out->sum = in->sum * 2;
}

static void release_box(void *acc, WEIR_UNUSED void *arg)
{
    boxed *of = acc;
    if (of->box)
        boxes--;
    free((void *)(uintptr_t)of->box);
}

static const weir_fold_kernel *fold_of(const problem *of)
{
    return of->boxed ? &fold_boxed : of->how.inverse ? &fold_sum : &fold_event;
}

WEIR_ROUTE(part_of, event)
{
    return in->part;
}

/* ---- a case ----------------------------------------------------------------------------- */

static void stamp_rows(problem *of)
{
    int64_t reached[8];
    for (int p = 0; p < 8; p++)
        reached[p] = INT64_MIN;
    for (uint32_t i = 0; i < of->count; i++) {
        event *row = &of->rows[i].row;
        int64_t *mine = &reached[of->policy.partition ? row->part : 0];
        int64_t brings = of->policy.watermark
                             ? row->mark
                             : saturated((__int128)row->at - of->policy.bound);
        of->rows[i].stamp = *mine;
        *mine = brings > *mine ? brings : *mine;
    }
}

static bool is_before(const update *a, const update *b)
{
    return a->stamp != b->stamp ? a->stamp < b->stamp : a->row.part < b->row.part;
}

/* In the order in which they are to be taken. That of a partition's rows stays as it is. */
static void order_rows(problem *of)
{
    for (uint32_t i = 1; of->how.order && i < of->count; i++)
        for (uint32_t j = i; j > 0 && is_before(&of->rows[j], &of->rows[j - 1]); j--) {
            update swapped = of->rows[j];
            of->rows[j] = of->rows[j - 1];
            of->rows[j - 1] = swapped;
        }
}

static void make_rows(problem *of)
{
    int64_t base = draw(6) ? (int64_t)draw(40) - 20 : draw(2) ? INT64_MAX - 60 : INT64_MIN + 3;
    uint64_t spread = 1 + draw(60), partitions = of->policy.partition ? of->policy.partitions : 1;
    uint64_t pace = 1 + draw(4), retracting = draw(3), key_count = 1 + draw(KEYS);
    __int128 now = base;
    of->count = (uint32_t)draw(draw(3) ? 30 : ROWS_MAX);
    for (uint32_t i = 0; i < of->count; i++) {
        update *u = &of->rows[i];
        now += (__int128)(draw(pace + 1) * draw(2));
        u->key = (uint32_t)draw(key_count);
        u->diff = retracting && draw(3) == 0 ? (int64_t)draw(4) - 2 : 1;
        u->diff += u->diff == 0;
        u->row = (event){.key = weir_text_c(keys[u->key]),
                         .part = (uint8_t)draw(partitions),
                         .at = saturated(now + (__int128)draw(spread) - (__int128)draw(spread)),
                         .mark = draw(4) ? INT64_MIN : saturated(now - (__int128)draw(spread)),
                         .value = (int64_t)draw(100),
                         .note = weir_text_c(notes[draw(NOTES)])};
    }
}

static weir_trigger make_trigger(void)
{
    weir_trigger trigger = {0};
    if (draw(2))
        return trigger;
    uint64_t which = draw(4);
    if (which == 0 || draw(4) == 0)
        trigger.rows = 1 + (int64_t)draw(8);
    if (which == 1 || draw(4) == 0)
        trigger.every = draw(20) ? 1 + (int64_t)draw(30) : INT64_MAX - (int64_t)draw(3);
    trigger.each = which == 2 || draw(6) == 0;
    trigger.not_on_close = (trigger.rows || trigger.every || trigger.each) && draw(2);
    return trigger;
}

static void make_counting(weir_windows *how)
{
    how->size = 1 + (int64_t)draw(draw(2) ? 8 : 30);
    how->slide = (int64_t)draw((uint64_t)how->size + 1);
    how->lateness = 0;
    how->trigger = (weir_trigger){0};
    how->time = draw(2) ? "at" : NULL;
}

static void make_problem(problem *of)
{
    *of = (problem){.boxed = draw(3) == 0,
                    .flush_every = 1 + (uint32_t)draw(30),
                    .step_every = 1 + (uint32_t)draw(20)};
    weir_windows *how = &of->how;
    static const weir_window_kind kinds[] = {WEIR_TUMBLING, WEIR_HOPPING, WEIR_HOPPING,
                                             WEIR_SESSION,  WEIR_SESSION, WEIR_GLOBAL,
                                             WEIR_COUNT,    WEIR_HOPPING, WEIR_SESSION};
    how->kind = kinds[draw(9)];
    how->time = "at";
    how->size = 1 + (int64_t)draw(draw(3) ? 20 : 100);
    how->slide = 1 + (int64_t)draw((uint64_t)how->size);
    if (draw(2))
        how->size = how->slide * (1 + (int64_t)draw(10));
    how->gap = 1 + (int64_t)draw(draw(2) ? 4 : 20);
    how->lateness = draw(3) == 0   ? 0
                    : draw(8) == 0 ? INT64_MAX - (int64_t)draw(50)
                                   : (int64_t)draw(60);
    how->output = (weir_window_output)draw(3);
    how->trigger = make_trigger();
    how->exact = how->output != WEIR_DISCARDING && draw(2);
    how->combine = of->boxed ? &combine_boxed
                   : how->kind == WEIR_SESSION || draw(4) ? &fold_tally
                                                          : NULL;
    bool pane_wise = how->kind != WEIR_SESSION && how->kind != WEIR_GLOBAL && how->combine;
    how->inverse = pane_wise && draw(2);
    if (how->inverse && !of->boxed)
        how->combine = &combine_sum;
    of->doubled = !of->boxed && draw(2);
    how->finish = of->boxed ? &unbox : of->doubled ? &finish_tally : NULL;
    how->release = of->boxed ? release_box : NULL;
    if (draw(4) == 0)
        of->policy.watermark = "mark";
    else
        of->policy = (weir_watermark_policy){.time = "at", .bound = (int64_t)draw(40)};
    if (how->kind == WEIR_COUNT)
        make_counting(how);
    bool ordered =
        how->kind == WEIR_COUNT || how->kind == WEIR_SESSION || how->trigger.rows != 0;
    if (draw(3) == 0) {
        of->policy.partition = &part_of;
        of->policy.partitions = 1 + (uint32_t)draw(PARTS);
        how->order = ordered ? "part" : NULL;
    }
    make_rows(of);
    stamp_rows(of);
    order_rows(of);
    test_list *lists[] = {&of->results, &of->late, &of->missed};
    for (int i = 0; i < 3; i++)
        test_list_init(lists[i], 1);
}

/* ---- running it ------------------------------------------------------------------------- */

/* The rows of a partition come from one worker, in order; if they are put in order by partition,
 * those of the last one come first. */
static void feed(weir_worker *worker, weir_input *input, const problem *with)
{
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    uint32_t passes = with->how.order ? PARTS : 1;
    for (uint32_t i = 0, n = 1; i < with->count * passes; i++) {
        const update *u = &with->rows[i % with->count];
        if ((with->policy.partition ? u->row.part : 0) % workers != index)
            continue;
        if (passes > 1 && u->row.part != passes - 1 - i / with->count)
            continue;
        weir_out *out = weir_input_out(input);
        weir_out_diff(out, u->diff);
        event_push(out, u->row);
        if (n % with->flush_every == 0)
            weir_input_flush(input);
        if (n++ % with->step_every == 0)
            weir_step(worker);
    }
}

static void work(weir_worker *worker, void *arg)
{
    problem *with = arg;
    weir_input *input;
    weir_late late;
    weir_dataflow *flow = weir_dataflow_begin(worker, "oracle");
    weir_stream stamped =
        weir_watermarks(weir_input_new(flow, &event_type, &input), &with->policy);
    test_watch(
        weir_window(stamped, &with->how, WEIR_BY(event, key), fold_of(with), NULL, &late),
        &with->results);
    test_watch(late.rows, &with->late);
    test_watch(late.missed, &with->missed);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        fail(weir_err_message(err));
    feed(worker, input, with);
    weir_input_close(&input);
    weir_run(worker);
}

/* ---- the same, torn down and built again in between -------------------------------------- */

/* Rows [begin, end) of a problem, at their stamps, from a state and to one. */
typedef struct part {
    problem *of;
    uint32_t begin, end;
    wi_saved *from, *to;
} part;

/* All comes from worker 0, which waits at the end until nothing is on its way. */
static void feed_part(weir_worker *worker, weir_input *input, const part *with,
                      const weir_probe *probe)
{
    const problem *of = with->of;
    for (uint32_t i = with->begin; i < with->end; i++) {
        uint64_t stamp = weir_event_epoch(of->rows[i].stamp);
        if (stamp > weir_input_time(input)->at[0])
            weir_input_advance(input, stamp);
        weir_out_diff(weir_input_out(input), of->rows[i].diff);
        event_push(weir_input_out(input), of->rows[i].row);
        if (i % of->flush_every == 0)
            weir_input_flush(input);
        if (i % of->step_every == 0)
            weir_step(worker);
    }
    if (with->end == of->count)
        return;
    uint64_t frontier = weir_event_epoch(of->rows[with->end].stamp);
    weir_input_advance(input, frontier);
    weir_probe_wait(worker, probe, frontier);
}

static void work_part(weir_worker *worker, void *arg)
{
    part *with = arg;
    problem *of = with->of;
    weir_input *input;
    weir_late late;
    weir_dataflow *flow = weir_dataflow_begin(worker, "oracle");
    weir_stream results =
        wi_window_saved(weir_input_new(flow, &event_type, &input), &of->how,
                        WEIR_BY(event, key), fold_of(of), NULL, &late, with->from, with->to);
    weir_probe *probe = weir_probe_new(test_watch(results, &of->results));
    test_watch(late.rows, &of->late);
    test_watch(late.missed, &of->missed);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        fail(weir_err_message(err));
    if (weir_worker_index(worker) == 0)
        feed_part(worker, input, with, probe);
    if (weir_worker_index(worker) == 0 && with->end < of->count)
        weir_stop(worker, "torn down"); /* and the input stays open: no time is complete by that */
    else
        weir_input_close(&input);
    weir_run(worker);
}

static void run_torn(problem *of)
{
    wi_saved states[2];
    wi_saved *from = NULL;
    for (uint32_t begin = 0, end, n = 0; n == 0 || begin < of->count; begin = end, n++) {
        end = begin < of->count ? begin + 1 : begin;
        bool last = draw(3) == 0;
        while (end < of->count && (last || of->rows[end].stamp == of->rows[end - 1].stamp ||
                                   draw(12)))
            end++;
        part with = {.of = of, .begin = begin, .end = end, .from = from};
        with.to = end < of->count ? &states[n % 2] : NULL;
        if (with.to)
            wi_saved_init(with.to);
        weir_config config = {.workers = 1 + (uint32_t)draw(4),
                              .deterministic = draw(2),
                              .seed = draw(1000),
                              .batch_rows = draw(2) ? 0 : 1 + (uint32_t)draw(8)};
        weir_err *err = weir_execute(&config, work_part, &with);
        if (err ? !with.to || !strstr(weir_err_message(err), "torn down") : with.to != NULL)
            fail(err ? weir_err_message(err) : "it was not torn down");
        weir_err_free(err);
        if (from)
            wi_saved_fini(from);
        from = with.to;
    }
}

static void describe(const problem *of)
{
    const weir_windows *how = &of->how;
    fprintf(stderr,
            "kind %d, size %lld, slide %lld, gap %lld, lateness %lld, output %d; trigger %lld "
            "rows, every %lld%s%s%s%s; bound %lld%s; %u partitions\nrows (key part at mark value "
            "note), diff and stamp:\n",
            (int)how->kind, (long long)how->size, (long long)how->slide, (long long)how->gap,
            (long long)how->lateness, (int)how->output, (long long)how->trigger.rows,
            (long long)how->trigger.every, how->trigger.each ? ", each" : "",
            how->trigger.not_on_close ? ", not on close" : "", how->exact ? ", exact" : "",
            how->inverse ? ", inverse" : "", (long long)of->policy.bound,
            of->policy.watermark ? ", punctuated" : "", of->policy.partitions);
    for (uint32_t i = 0; i < of->count; i++) {
        size_t length;
        char *text = weir_row_text(&event_type, &of->rows[i].row, &length);
        fprintf(stderr, "%s  %+lld  %lld\n", text, (long long)of->rows[i].diff,
                (long long)of->rows[i].stamp);
        free(text);
    }
}

static void compare(const problem *of, test_list *wanted, test_list *has, const char *what)
{
    char *wants = test_list_text(wanted), *got = test_list_text(has);
    if (strcmp(wants, got) != 0) {
        describe(of);
        fprintf(stderr, "%s: expected\n%sbut got\n%s", what, wants, got);
        fail(what);
    }
    free(wants);
    free(got);
    test_list_fini(wanted);
    test_list_fini(has);
}

static bool triggers(const weir_trigger *trigger)
{
    return trigger->rows || trigger->every || trigger->each;
}

static void run_whole(problem *of)
{
    uint32_t workers = 1 + (uint32_t)draw(4);
    weir_config config = {.workers = workers,
                          .deterministic = draw(2),
                          .seed = draw(1000),
                          .batch_rows = draw(2) ? 0 : 1 + (uint32_t)draw(8)};
    if (workers % 2 == 0 && !config.deterministic && draw(8) == 0) {
        config.workers = workers / 2;
        config.cluster.processes = 2;
    }
    weir_err *err = test_execute(&config, work, of);
    if (err)
        fail(weir_err_message(err));
}

static void run_case(void)
{
    static problem of;
    static expected wants;
    make_problem(&of);
    wants.of = &of;
    test_list *lists[] = {&wants.results, &wants.late, &wants.missed};
    for (int i = 0; i < 3; i++)
        test_list_init(lists[i], 1);
    if (of.how.kind == WEIR_COUNT)
        expect_counted(&wants);
    else if (of.how.kind == WEIR_SESSION || triggers(&of.how.trigger))
        expect_played(&wants);
    else
        expect_fixed(&wants);
    wi_few_windows = draw(2) ? 16 : 0;
    wi_sorted_items = draw(2) ? 128 : 2 + (uint32_t)draw(6);
    if (!of.boxed && !of.policy.partition && draw(4) == 0)
        run_torn(&of);
    else
        run_whole(&of);
    compare(&of, &wants.results, &of.results, "other results");
    compare(&of, &wants.late, &of.late, "other late rows");
    compare(&of, &wants.missed, &of.missed, "other rows that missed windows");
    if (boxes)
        fail("boxes are left, or were released twice");
}
int main(int argc, char **argv)
{
    uint64_t cases = 3000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cases") == 0)
            cases = strtoull(argv[i + 1], NULL, 10);
    }
    printf("windows: %llu cases, --seed %llu\n", (unsigned long long)cases,
           (unsigned long long)seed);
    for (this_case = 0; this_case < cases; this_case++) {
        state = seed * 0x100000001b3u + this_case;
        run_case();
    }
    return 0;
}
