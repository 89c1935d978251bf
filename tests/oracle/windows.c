/* Random streams through watermarks and windows, compared at every time with a naive computation
 * from all rows. What is random: event times (out of order, below zero, at the ends of the
 * integers), diffs, keys; the policy, its bound and its partitions; the windows, their lateness and
 * output; where batches end; the number of workers, threads or a deterministic schedule, and
 * processes. Compared are results, late rows, and rows that missed windows.
 *
 *     oracle_windows [--seed S] [--cases N]
 *
 * Windows of a fixed width follow from definitions: which rows a window takes depends on their
 * stamps alone. What sessions there are depends on the order of rows, so those are played through,
 * as lists of rows. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "tests/support/cluster.h"
#include "tests/support/streams.h"

#define ROWS_MAX 240
#define KEYS 5
#define NOTES 8

#define EVENT(F)                                                                               \
    F(weir_text, key) F(u8, part) F(i64, at) F(i64, mark) F(i64, value) F(weir_text, note)
#define TALLY(F)                                                                               \
    F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(i64, sum) F(weir_text, longest)
#define BOXED(F) F(weir_text, key) F(i64, start) F(i64, end) F(i64, rows) F(u64, box)
WEIR_ROW(event, EVENT)
WEIR_ROW(tally, TALLY)
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

static inline bool longer(const weir_text *a, const weir_text *b)
{
    return a->length != b->length ? a->length > b->length : weir_text_compare(a, b) > 0;
}

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

WEIR_ROUTE(part_of, event)
{
    return in->part;
}

/* ---- a case ----------------------------------------------------------------------------- */

typedef struct update {
    event row;
    int64_t diff, stamp;
    uint32_t key;
} update;

typedef struct problem {
    update rows[ROWS_MAX];
    uint32_t count;
    weir_windows how;
    weir_watermark_policy policy;
    bool boxed;
    uint32_t flush_every, step_every;
    test_list results, late, missed;
} problem;

static int64_t saturated(__int128 value)
{
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

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

static void make_problem(problem *of)
{
    *of = (problem){.boxed = draw(3) == 0,
                    .flush_every = 1 + (uint32_t)draw(30),
                    .step_every = 1 + (uint32_t)draw(20)};
    weir_windows *how = &of->how;
    how->kind = (weir_window_kind)draw(8);
    how->kind = how->kind > WEIR_GLOBAL ? how->kind % 2 ? WEIR_SESSION : WEIR_HOPPING : how->kind;
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
    how->combine = of->boxed ? &combine_boxed
                   : how->kind == WEIR_SESSION || draw(4) ? &fold_tally
                                                          : NULL;
    how->finish = of->boxed ? &unbox : draw(2) ? &finish_tally : NULL;
    how->release = of->boxed ? release_box : NULL;
    if (draw(4) == 0)
        of->policy.watermark = "mark";
    else
        of->policy = (weir_watermark_policy){.time = "at", .bound = (int64_t)draw(40)};
    if (how->kind != WEIR_SESSION && draw(3) == 0) { /* for sessions the order of all rows counts */
        of->policy.partition = &part_of;
        of->policy.partitions = 1 + (uint32_t)draw(6);
    }
    make_rows(of);
    stamp_rows(of);
    test_list *lists[] = {&of->results, &of->late, &of->missed};
    for (int i = 0; i < 3; i++)
        test_list_init(lists[i], 1);
}

/* ---- naively: results of rows ----------------------------------------------------------- */

typedef struct expected {
    const problem *of;
    test_list results, late, missed;
} expected;

/* Some rows, by their indexes. */
typedef struct rows {
    uint32_t at[ROWS_MAX];
    uint32_t count;
} rows;

static bool result_of(const expected *to, const rows *of, int64_t start, int64_t last, tally *out)
{
    *out = (tally){.start = start, .end = saturated((__int128)last + 1)};
    for (uint32_t i = 0; i < of->count; i++) {
        const update *u = &to->of->rows[of->at[i]];
        out->key = u->row.key;
        out->rows += u->diff;
        out->sum += u->row.value * u->diff;
        if (longer(&u->row.note, &out->longest))
            out->longest = u->row.note;
    }
    if (to->of->boxed)
        out->longest = weir_text_c("boxed");
    if (to->of->how.finish == &finish_tally)
        out->sum *= 2;
    return out->rows != 0;
}

static void send(expected *to, const tally *result, int64_t time, int64_t diff)
{
    test_list_add(&to->results, &tally_type, result, &WEIR_EPOCH(weir_event_epoch(time)), diff);
}

static void miss(expected *to, const update *u, int64_t windows, bool late)
{
    weir_time time = WEIR_EPOCH(weir_event_epoch(u->stamp));
    weir_missed said = {.windows = windows, .late = late};
    if (windows)
        test_list_add(&to->missed, &weir_missed_type, &said, &time, 1);
    if (late)
        test_list_add(&to->late, &event_type, &u->row, &time, u->diff);
}

/* ---- naively: windows of a width -------------------------------------------------------- */

/* The windows [start, start + size) that have a time: their starts go down from the first. */
static __int128 first_start(const problem *of, int64_t time)
{
    __int128 slide = of->how.kind == WEIR_HOPPING ? of->how.slide : of->how.size;
    __int128 start = time - time % slide;
    return start > time ? start - slide : start;
}

static int64_t last_of(const problem *of, __int128 start)
{
    return of->how.kind == WEIR_GLOBAL ? INT64_MAX : saturated(start + of->how.size - 1);
}

static bool takes(const problem *of, const update *u, int64_t last)
{
    return last == INT64_MAX || (__int128)last + of->how.lateness >= u->stamp ||
           (__int128)last + of->how.lateness >= INT64_MAX;
}

static bool has(const problem *of, __int128 start, int64_t time)
{
    return of->how.kind == WEIR_GLOBAL || (start <= time && time < start + of->how.size);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* At its last time with the rows stamped until then, and at each later stamp of a row. */
static void fire_window(expected *to, uint32_t key, __int128 start)
{
    const problem *of = to->of;
    int64_t last = last_of(of, start), times[ROWS_MAX + 1] = {last};
    uint32_t time_count = 1;
    for (uint32_t i = 0; i < of->count; i++) {
        const update *u = &of->rows[i];
        if (u->key == key && has(of, start, u->row.at) && takes(of, u, last) && u->stamp > last)
            times[time_count++] = u->stamp;
    }
    qsort(times, time_count, sizeof *times, compare_times);
    tally sent;
    bool is_sent = false;
    for (uint32_t t = 0; t < time_count; t++) {
        if (t && times[t] == times[t - 1])
            continue;
        rows all = {.count = 0};
        for (uint32_t i = 0; i < of->count; i++) {
            const update *u = &of->rows[i];
            bool new = t == 0 || u->stamp > times[t - 1];
            if (u->key == key && has(of, start, u->row.at) && takes(of, u, last) &&
                u->stamp <= times[t] && (new || of->how.output != WEIR_DISCARDING))
                all.at[all.count++] = i;
        }
        tally result;
        bool any = result_of(to, &all, saturated(start), last, &result);
        if (is_sent && of->how.output == WEIR_RETRACTING)
            send(to, &sent, times[t], -1);
        if (any)
            send(to, &result, times[t], 1);
        is_sent = any;
        sent = result;
    }
}

/* Each window once: when its first row is met. */
static void fire_windows_of_row(expected *to, uint32_t index)
{
    const problem *of = to->of;
    const update *u = &of->rows[index];
    bool global = of->how.kind == WEIR_GLOBAL;
    __int128 slide = of->how.kind == WEIR_HOPPING ? of->how.slide : of->how.size;
    int64_t windows = 0, missed = 0;
    for (__int128 start = global ? INT64_MIN : first_start(of, u->row.at);
         has(of, start, u->row.at); start -= slide) {
        bool met = false;
        for (uint32_t i = 0; i < index && !met; i++)
            met = of->rows[i].key == u->key && has(of, start, of->rows[i].row.at);
        if (!met)
            fire_window(to, u->key, start);
        windows++;
        missed += !takes(of, u, last_of(of, start));
        if (global)
            break;
    }
    miss(to, u, missed, missed == windows);
}

/* ---- naively: sessions ------------------------------------------------------------------ */

typedef struct session {
    int64_t start, last;
    rows all, new; /* new: since it last fired */
    tally sent[ROWS_MAX];
    uint32_t sent_count;
    bool fired, dirty, gone;
} session;

typedef struct sessions {
    session at[ROWS_MAX];
    uint32_t count;
} sessions;

static void take_back(expected *to, session *of, int64_t time)
{
    for (uint32_t i = 0; i < of->sent_count; i++)
        send(to, &of->sent[i], time, -1);
    of->sent_count = 0;
}

static void fire_session(expected *to, session *of, int64_t time)
{
    tally result;
    weir_window_output output = to->of->how.output;
    take_back(to, of, time);
    if (result_of(to, output == WEIR_DISCARDING ? &of->new : &of->all, of->start, of->last,
                  &result)) {
        send(to, &result, time, 1);
        if (output == WEIR_RETRACTING)
            of->sent[of->sent_count++] = result;
    }
    of->new.count = 0;
    of->fired = true;
    of->dirty = false;
}

static void append(rows *to, const rows *from)
{
    memcpy(&to->at[to->count], from->at, from->count * sizeof *from->at);
    to->count += from->count;
}

static void take_in(session *to, session *from)
{
    append(&to->all, &from->all);
    append(&to->new, &from->new);
    memcpy(&to->sent[to->sent_count], from->sent, from->sent_count * sizeof *from->sent);
    to->sent_count += from->sent_count;
    to->start = from->start < to->start ? from->start : to->start;
    to->last = from->last > to->last ? from->last : to->last;
    from->gone = true;
}

static bool joins(const session *a, const session *b)
{
    return a->start <= (__int128)b->last + 1 && b->start <= (__int128)a->last + 1;
}

static void put_row(expected *to, sessions *in, uint32_t index)
{
    const problem *of = to->of;
    const update *u = &of->rows[index];
    session alone = {.start = u->row.at,
                     .last = saturated((__int128)u->row.at + of->how.gap - 1)};
    alone.all = alone.new = (rows){{index}, 1};
    int64_t last = alone.last;
    bool joined = false;
    for (uint32_t s = 0; s < in->count; s++)
        if (!in->at[s].gone && joins(&alone, &in->at[s])) {
            last = in->at[s].last > last ? in->at[s].last : last;
            joined = true;
        }
    if (!joined && !takes(of, u, last)) {
        miss(to, u, 1, true);
        return;
    }
    session merged = alone;
    for (uint32_t s = 0; s < in->count; s++) {
        session *other = &in->at[s];
        if (other->gone || !joins(&alone, other))
            continue;
        if (last > u->stamp && other->dirty && other->last < u->stamp &&
            of->how.output != WEIR_RETRACTING)
            fire_session(to, other, u->stamp);
        take_in(&merged, other);
    }
    merged.dirty = true;
    in->at[in->count++] = merged;
}

static void play_key(expected *to, uint32_t key)
{
    const problem *of = to->of;
    static sessions in;
    in.count = 0;
    for (uint32_t i = 0; i < of->count;) {
        if (of->rows[i].key != key) {
            i++;
            continue;
        }
        int64_t now = of->rows[i].stamp;
        for (uint32_t s = 0; s < in.count; s++) {
            session *one = &in.at[s];
            if (!one->gone && !one->fired && one->last < now)
                fire_session(to, one, one->last);
            one->gone |= saturated((__int128)one->last + of->how.lateness) < now;
        }
        for (; i < of->count && of->rows[i].stamp == now; i++)
            if (of->rows[i].key == key)
                put_row(to, &in, i);
        for (uint32_t s = 0; s < in.count; s++) {
            session *one = &in.at[s];
            if (!one->gone && one->last <= now && (one->dirty || !one->fired))
                fire_session(to, one, now);
            else if (!one->gone && one->dirty)
                take_back(to, one, now);
            one->dirty = false;
        }
    }
    for (uint32_t s = 0; s < in.count; s++)
        if (!in.at[s].gone && !in.at[s].fired)
            fire_session(to, &in.at[s], in.at[s].last);
}

static void compute(expected *to)
{
    if (to->of->how.kind == WEIR_SESSION)
        for (uint32_t key = 0; key < KEYS; key++)
            play_key(to, key);
    else
        for (uint32_t i = 0; i < to->of->count; i++)
            fire_windows_of_row(to, i);
}

/* ---- running it ------------------------------------------------------------------------- */

/* The rows of a partition come from one worker, in order. */
static void feed(weir_worker *worker, weir_input *input, const problem *with)
{
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    for (uint32_t i = 0, n = 1; i < with->count; i++) {
        const update *u = &with->rows[i];
        if ((with->policy.partition ? u->row.part : 0) % workers != index)
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
    const weir_fold_kernel *fold = with->boxed ? &fold_boxed : &fold_event;
    test_watch(weir_window(stamped, &with->how, WEIR_BY(event, key), fold, NULL, &late),
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

static void describe(const problem *of)
{
    const weir_windows *how = &of->how;
    fprintf(stderr,
            "kind %d, size %lld, slide %lld, gap %lld, lateness %lld, output %d; bound %lld%s; %u "
            "partitions\nrows (key part at mark value note), diff and stamp:\n",
            (int)how->kind, (long long)how->size, (long long)how->slide, (long long)how->gap,
            (long long)how->lateness, (int)how->output, (long long)of->policy.bound,
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

static void run_case(void)
{
    static problem of;
    static expected wants;
    make_problem(&of);
    wants.of = &of;
    test_list *lists[] = {&wants.results, &wants.late, &wants.missed};
    for (int i = 0; i < 3; i++)
        test_list_init(lists[i], 1);
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
    weir_err *err = test_execute(&config, work, &of);
    if (err)
        fail(weir_err_message(err));
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
