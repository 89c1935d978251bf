/* Traces and their spine, against a list of all updates: random insertions, readers, holds and
 * acks. What a reader may look at adds up to the model's counts; the number of runs and the work
 * per insertion keep to the bounds that spine.c states; and what nobody needs goes.
 * The seed is printed; an argument gives another. */
#include "operators/trace/run_build.h"
#include "operators/trace/spine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY(F) F(u64, key) F(u64, value)
WEIR_ROW(entry, ENTRY)
#define NAMED(F) F(weir_text, name) F(u64, value)
WEIR_ROW(named, NAMED)

static uint64_t seed = 1;
static uint64_t state;

static uint64_t random_word(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t below(uint32_t limit)
{
    return (uint32_t)(random_word() % limit);
}

/* ---- runs ----------------------------------------------------------------------------- */

typedef struct update {
    uint32_t row; /* of the domain */
    weir_time time;
    int64_t diff;
} update;

static int update_order(const void *a, const void *b)
{
    const update *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return weir_time_compare(&x->time, &y->time);
}

/* Rows that sort as their numbers do; a text may be long. */
static void row_words(const wi_layout *layout, uint32_t row, uint64_t *words, wi_heap *heap)
{
    if (!layout->texts) {
        wi_layout_encode(layout, &(entry){row / 4, row % 4}, 1, words, layout->words, heap);
        return;
    }
    char name[64];
    int length = snprintf(name, sizeof name, "%08u%s", row / 4,
                          row / 4 % 2 ? " has a name that is long" : "");
    named of = {.name = weir_text_of(name, (uint32_t)length), .value = row % 4};
    wi_layout_encode(layout, &of, 1, words, layout->words, heap);
}

static uint32_t row_number(const wi_layout *layout, const uint64_t *words)
{
    if (!layout->texts) {
        entry of;
        wi_layout_decode(layout, words, layout->words, 1, &of);
        return (uint32_t)(of.key * 4 + of.value);
    }
    named of;
    wi_layout_decode(layout, words, layout->words, 1, &of);
    return (uint32_t)(strtoull(weir_text_at(&of.name), NULL, 10) * 4 + of.value);
}

static uint32_t table_of(const update *updates, uint32_t count, weir_time *table)
{
    uint32_t times = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < times && weir_time_compare(&table[at], &updates[i].time) < 0)
            at++;
        if (at < times && weir_time_eq(&table[at], &updates[i].time))
            continue;
        memmove(table + at + 1, table + at, (times++ - at) * sizeof *table);
        table[at] = updates[i].time;
    }
    return times;
}

/* A consolidated run of some updates, which are sorted on the way. */
static wi_run *run_of(const wi_layout *layout, update *updates, uint32_t count)
{
    uint32_t kept = 0;
    qsort(updates, count, sizeof *updates, update_order);
    for (uint32_t i = 0; i < count;) {
        update sum = updates[i++];
        while (i < count && update_order(&updates[i], &sum) == 0)
            sum.diff += updates[i++].diff;
        if (sum.diff)
            updates[kept++] = sum;
    }
    weir_time table[64];
    uint32_t times = table_of(updates, kept, table);
    wi_run *run = wi_run_new(layout, kept, times > 1, false, table, times);
    for (uint32_t i = 0; i < kept; i++) {
        row_words(layout, updates[i].row, run->rows + (size_t)i * layout->words, &run->heap);
        for (uint32_t t = 0; run->times && t < times; t++)
            if (weir_time_eq(&table[t], &updates[i].time))
                run->times[i] = t;
        wi_run_put_diff(run, i, updates[i].diff);
    }
    wi_run_finish(run, kept);
    return run;
}

static wi_run *run_of_one(const wi_layout *layout, uint32_t row, uint64_t epoch, int64_t diff)
{
    update one = {.row = row, .time = WEIR_EPOCH(epoch), .diff = diff};
    return run_of(layout, &one, 1);
}

static wi_layout *layout_of(const weir_type *type)
{
    weir_key by_key = WEIR_BY(entry, key), by_name = WEIR_BY(named, name);
    return wi_layout_new(type, type == &entry_type ? &by_key : &by_name, NULL);
}

/* ---- bounds --------------------------------------------------------------------------- */

typedef struct watched {
    wi_trace *trace;
    uint64_t rows_most; /* rows in the trace at any time */
    uint64_t inserted;
    uint32_t run_rows_most;
    uint32_t group; /* updates of one row, which are merged together */
} watched;

static uint64_t rows_of(const wi_trace *trace)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < trace->run_count; i++)
        rows += trace->runs[i]->count;
    return rows;
}

static uint32_t levels_for(uint64_t rows)
{
    uint32_t levels = 1;
    for (uint64_t room = 8; room / 16 * 7 < rows; room *= 8)
        levels++;
    return levels;
}

/* Inserts, and checks the work that it took and how many runs there are. */
static void insert(watched *watch, wi_run *run)
{
    wi_trace *trace = watch->trace;
    uint32_t rows = run->count;
    wi_spine_figures before = wi_spine_look(trace);
    wi_trace_insert(trace, run);
    wi_spine_figures after = wi_spine_look(trace);
    watch->inserted += rows;
    watch->run_rows_most = rows > watch->run_rows_most ? rows : watch->run_rows_most;
    if (rows_of(trace) > watch->rows_most)
        watch->rows_most = rows_of(trace);
    uint32_t levels = levels_for(watch->rows_most);
    uint64_t admitted = after.admitted - before.admitted, work = after.merged - before.merged;
    ck_assert_uint_le(trace->admitted, 2 * levels);
    ck_assert_uint_le(admitted, 4 * rows + 16 + watch->run_rows_most);
    ck_assert_uint_le(work, (76 * levels + 11) * admitted + levels * watch->group +
                                (64 * levels + 200) * (after.runs - before.runs));
    ck_assert_uint_eq(after.forced, 0);
    wi_spine_check(trace);
}

static void check_total_work(const watched *watch)
{
    uint32_t levels = levels_for(watch->rows_most);
    wi_spine_figures figures = wi_spine_look(watch->trace);
    ck_assert_uint_le(figures.merged, 16ull * levels * watch->inserted);
}

static void idle(wi_trace *trace)
{
    uint32_t calls = 0;
    while (wi_trace_work(trace, 512)) {
        wi_spine_check(trace);
        ck_assert_uint_lt(++calls, 1000000);
    }
}

/* ---- the model ------------------------------------------------------------------------ */

#define READERS_MAX 4
#define UPDATES_MAX 60000

typedef struct model {
    watched watch;
    wi_layout *layout;
    int dims;
    uint32_t domain, count;
    uint64_t epoch;
    update *updates;
    uint64_t *seqs;
    int64_t *sums;
    wi_reader *readers[READERS_MAX];
} model;

static weir_time random_time(const model *m)
{
    weir_time time = {{m->epoch + (below(4) ? 0 : below(3))}};
    if (m->dims > 1)
        time.at[1] = below(5) ? below(4) : m->epoch;
    return time;
}

static void insert_some(model *m)
{
    uint32_t count = below(3) ? 1 + below(3) : below(20) ? below(200) : below(6000);
    if (m->count + count > UPDATES_MAX)
        return;
    update *some = malloc((count + 1) * sizeof *some);
    weir_time times[8];
    for (int i = 0; i < 8; i++)
        times[i] = random_time(m);
    uint32_t time_count = 1 + below(below(3) ? 1 : 8);
    for (uint32_t i = 0; i < count; i++)
        some[i] = (update){below(m->domain), times[below(time_count)], below(2) ? 1 : -1};
    wi_run *run = run_of(m->layout, some, count);
    for (uint32_t i = 0; i < count; i++) { /* sums of equal rows count once: the others are 0 */
        m->seqs[m->count] = m->watch.trace->seq + 1;
        m->updates[m->count++] = some[i];
        if (i >= run->count)
            m->updates[m->count - 1].diff = 0;
    }
    insert(&m->watch, run);
    free(some);
}

/* Checks what a reader may see at a time not before its hold. */
static void check_reader(model *m, const wi_reader *reader)
{
    if (!reader->hold.count)
        return;
    weir_time other = random_time(m);
    weir_time at = weir_time_join(&reader->hold.times[below(reader->hold.count)], &other);
    if (below(3) == 0)
        at = reader->hold.times[below(reader->hold.count)];
    memset(m->sums, 0, m->domain * sizeof *m->sums);
    for (uint32_t i = 0; i < m->count; i++)
        if (m->seqs[i] <= reader->acked && weir_time_le(&m->updates[i].time, &at))
            m->sums[m->updates[i].row] += m->updates[i].diff;
    uint32_t runs = wi_reader_runs(reader);
    for (uint32_t r = 0; r < runs; r++) {
        const wi_run *run = m->watch.trace->runs[r];
        for (uint32_t i = 0; i < run->count; i++)
            if (weir_time_le(wi_run_time(run, i), &at))
                m->sums[row_number(m->layout, wi_run_row(run, i))] -= wi_run_diff(run, i);
    }
    for (uint32_t row = 0; row < m->domain; row++)
        ck_assert_msg(m->sums[row] == 0, "row %u is %ld too few", row, (long)m->sums[row]);
}

static void move_hold(model *m, wi_reader *reader)
{
    weir_antichain next;
    weir_antichain_init(&next);
    for (uint32_t tries = 1 + below(3); tries && reader->hold.count; tries--) {
        weir_time time = random_time(m);
        time.at[0] -= time.at[0] > 3 ? below(4) : 0;
        time = weir_time_join(&time, &reader->hold.times[below(reader->hold.count)]);
        weir_antichain_insert(&next, &time);
    }
    wi_reader_hold(reader, &next);
    weir_antichain_fini(&next);
}

static void change_readers(model *m)
{
    wi_reader **slot = &m->readers[1 + below(READERS_MAX - 1)]; /* the first one stays */
    if (*slot) {
        wi_reader_drop(*slot);
        *slot = NULL;
    } else {
        *slot = wi_reader_new(m->watch.trace, NULL);
        if (below(2))
            wi_reader_will_look(*slot);
        wi_reader_ack(*slot, m->watch.trace->seq); /* what is there, it sees as one */
    }
}

static void ack_some(wi_reader *reader)
{
    uint64_t left = reader->trace->seq - reader->acked;
    if (!left)
        return;
    uint64_t seq = reader->acked + 1 + below((uint32_t)left);
    const wi_run *run = wi_trace_run(reader->trace, seq);
    ck_assert_ptr_nonnull(run); /* what has not been acked has not been merged */
    ck_assert_uint_eq(run->last_seq, seq);
    wi_reader_ack(reader, seq);
}

static void step(model *m)
{
    wi_reader *reader = m->readers[below(READERS_MAX)];
    uint32_t what = below(16);
    if (what < 8)
        insert_some(m);
    else if (what == 8)
        m->epoch += below(3);
    else if (what == 9 && reader && below(3) == 0)
        move_hold(m, reader);
    else if (what < 13 && reader)
        ack_some(reader);
    else if (what == 13 && below(8) == 0)
        change_readers(m);
    else if (what == 14)
        wi_trace_work(m->watch.trace, below(300));
    else if (what == 15 && reader && below(4) == 0)
        check_reader(m, reader);
    else if (what == 15 && reader && below(16) == 0)
        wi_reader_look(reader);
}

static void try_trace(uint64_t number)
{
    state = seed * 1000 + number;
    model m = {.dims = 1 + (int)below(2), .domain = 4 << below(12)};
    m.layout = layout_of(below(4) ? &entry_type : &named_type);
    m.watch.trace = wi_trace_new(m.layout, m.dims);
    m.updates = malloc(UPDATES_MAX * sizeof *m.updates);
    m.seqs = malloc(UPDATES_MAX * sizeof *m.seqs);
    m.sums = malloc(m.domain * sizeof *m.sums);
    m.readers[0] = wi_reader_new(m.watch.trace, NULL);
    if (below(2))
        wi_reader_will_look(m.readers[0]);
    uint32_t steps = 200 + below(1500);
    for (uint32_t i = 0; i < steps; i++)
        step(&m);
    check_total_work(&m.watch);
    if (below(2))
        idle(m.watch.trace);
    wi_trace_check(m.watch.trace);
    for (int r = 0; r < READERS_MAX; r++) {
        if (m.readers[r])
            check_reader(&m, m.readers[r]);
        wi_reader_drop(m.readers[r]);
    }
    ck_assert_uint_eq(m.watch.trace->run_count, 0);
    wi_trace_drop(m.watch.trace);
    wi_layout_drop(m.layout);
    free(m.updates);
    free(m.seqs);
    free(m.sums);
}

START_TEST(random_traces_add_up_to_the_model)
{
    for (uint64_t i = 0; i < 150; i++)
        try_trace(i);
}
END_TEST

/* ---- one reader that follows closely -------------------------------------------------- */

typedef struct follower {
    watched watch;
    wi_layout *layout;
    wi_reader *reader;
} follower;

static follower follow(void)
{
    follower f = {.layout = layout_of(&entry_type)};
    f.watch.trace = wi_trace_new(f.layout, 1);
    f.reader = wi_reader_new(f.watch.trace, NULL);
    return f;
}

static void hold_at(follower *f, uint64_t epoch)
{
    weir_antichain hold;
    weir_antichain_init(&hold);
    weir_antichain_insert(&hold, &WEIR_EPOCH(epoch));
    wi_reader_hold(f->reader, &hold);
    weir_antichain_fini(&hold);
}

static void follow_to(follower *f, wi_run *run)
{
    insert(&f->watch, run);
    wi_reader_ack(f->reader, f->watch.trace->seq);
}

static void leave(follower *f)
{
    wi_trace_check(f->watch.trace);
    wi_reader_drop(f->reader);
    wi_trace_drop(f->watch.trace);
    wi_layout_drop(f->layout);
}

static wi_run *run_of_many(const wi_layout *layout, uint32_t from, uint32_t count, uint64_t epoch,
                           int64_t diff)
{
    update *many = malloc(count * sizeof *many);
    for (uint32_t i = 0; i < count; i++)
        many[i] = (update){from + i, WEIR_EPOCH(epoch), diff};
    wi_run *run = run_of(layout, many, count);
    free(many);
    return run;
}

START_TEST(a_bounded_collection_stays_bounded)
{
    enum { LIVE = 1000, EPOCHS = 200000 };
    follower f = follow();
    uint32_t *rows = malloc(LIVE * sizeof *rows);
    state = seed;
    for (uint32_t i = 0; i < LIVE; i++)
        rows[i] = UINT32_MAX;
    uint64_t most = 0;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t slot = below(LIVE);
        update swap[2] = {{below(1u << 30), WEIR_EPOCH(epoch), 1},
                          {rows[slot], WEIR_EPOCH(epoch), -1}};
        bool filled = rows[slot] != UINT32_MAX;
        rows[slot] = swap[0].row;
        follow_to(&f, run_of(f.layout, swap, filled ? 2 : 1));
        hold_at(&f, epoch + 1);
        if (rows_of(f.watch.trace) > most)
            most = rows_of(f.watch.trace);
    }
    ck_assert_uint_le(most, 5 * LIVE);
    check_total_work(&f.watch);
    idle(f.watch.trace);
    ck_assert_uint_le(rows_of(f.watch.trace), LIVE + LIVE / 2);
    free(rows);
    leave(&f);
}
END_TEST

START_TEST(history_goes_once_nobody_can_ask_for_it)
{
    enum { EPOCHS = 50000 };
    for (int slow = 0; slow < 2; slow++) { /* in idle time, and with further insertions */
        follower f = follow();
        f.watch.group = EPOCHS / 10;
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) /* ten rows come and go */
            follow_to(&f, run_of_one(f.layout, epoch / 2 % 10, epoch, epoch % 2 ? -1 : 1));
        idle(f.watch.trace);
        ck_assert_uint_ge(rows_of(f.watch.trace), EPOCHS);
        hold_at(&f, EPOCHS);
        if (slow)
            for (uint32_t i = 0; i < EPOCHS; i++)
                follow_to(&f, run_of_one(f.layout, 10 + i, EPOCHS, 1));
        else
            idle(f.watch.trace);
        ck_assert_uint_le(rows_of(f.watch.trace), slow ? EPOCHS + 1000 : 100);
        leave(&f);
    }
}
END_TEST

START_TEST(what_is_deleted_goes)
{
    enum { ROWS = 300000, PART = 500 };
    follower f = follow();
    follow_to(&f, run_of_many(f.layout, 0, ROWS, 0, 1));
    hold_at(&f, 1);
    for (uint32_t at = 0; at < ROWS; at += PART)
        follow_to(&f, run_of_many(f.layout, at, PART, 1, -1));
    hold_at(&f, 2);
    ck_assert_uint_le(rows_of(f.watch.trace), ROWS + ROWS / 2);
    check_total_work(&f.watch);
    idle(f.watch.trace);
    ck_assert_uint_le(rows_of(f.watch.trace), PART);
    leave(&f);
}
END_TEST

START_TEST(batches_of_all_sizes_keep_the_bounds)
{
    state = seed;
    for (int i = 0; i < 30; i++) {
        follower f = follow();
        uint32_t most = 1 + below(1u << below(14)), shape = below(3);
        for (uint32_t epoch = 0; f.watch.inserted < 60000 && epoch < 3000; epoch++) {
            uint32_t count = shape == 0   ? most
                             : shape == 1 ? 1 + below(most)
                                          : 1 + below(1 + below(most));
            follow_to(&f, run_of_many(f.layout, below(1u << 28), count, epoch, below(9) ? 1 : -1));
            hold_at(&f, epoch + 1);
        }
        check_total_work(&f.watch);
        leave(&f);
    }
}
END_TEST

START_TEST(a_slow_reader_keeps_runs_apart_and_then_lets_them_go)
{
    follower f = follow();
    wi_reader *slow = wi_reader_new(f.watch.trace, NULL);
    for (uint32_t epoch = 0; epoch < 3000; epoch++)
        follow_to(&f, run_of_one(f.layout, epoch, epoch, 1));
    ck_assert_uint_eq(f.watch.trace->run_count, 3000);
    ck_assert_uint_eq(wi_reader_runs(slow), 0);
    ck_assert_uint_eq(wi_reader_runs(f.reader), 3000);
    wi_reader_ack(slow, 2000);
    for (uint32_t epoch = 0; epoch < 200; epoch++) /* more are admitted than come */
        follow_to(&f, run_of_one(f.layout, epoch, 3000 + epoch, 1));
    ck_assert_uint_lt(f.watch.trace->run_count, 1300);
    ck_assert_uint_eq(f.watch.trace->runs[wi_reader_runs(slow)]->first_seq, 2001);
    wi_reader_drop(slow);
    idle(f.watch.trace);
    ck_assert_uint_le(f.watch.trace->run_count, 8);
    leave(&f);
}
END_TEST

START_TEST(what_nobody_looks_at_waits_for_a_while)
{
    follower f = follow();
    wi_reader_will_look(f.reader);
    for (uint32_t epoch = 0; epoch < 20; epoch++)
        follow_to(&f, run_of_many(f.layout, 100 * epoch, 100, epoch, 1));
    idle(f.watch.trace);
    ck_assert_uint_eq(f.watch.trace->run_count, 20);
    for (uint32_t epoch = 20; epoch < 2000; epoch++)
        follow_to(&f, run_of_many(f.layout, 100 * epoch, 100, epoch, 1));
    ck_assert_uint_lt(f.watch.trace->run_count, 60);
    wi_reader_look(f.reader);
    idle(f.watch.trace);
    ck_assert_uint_le(f.watch.trace->run_count, 8);
    leave(&f);
}
END_TEST

START_TEST(without_readers_nothing_is_kept)
{
    wi_layout *layout = layout_of(&entry_type);
    wi_trace *trace = wi_trace_new(layout, 1);
    wi_trace_insert(trace, run_of_one(layout, 1, 0, 1));
    ck_assert_uint_eq(trace->run_count, 0);
    wi_reader *reader = wi_reader_new(trace, NULL), *other = wi_reader_new(trace, NULL);
    weir_antichain none = {0};
    wi_reader_hold(reader, &none);
    wi_trace_insert(trace, run_of_one(layout, 1, 0, 1));
    wi_reader_ack(reader, trace->seq);
    wi_reader_ack(other, trace->seq);
    ck_assert_uint_eq(trace->run_count, 1);
    wi_reader_hold(other, &none);
    ck_assert_uint_eq(trace->run_count, 0);
    for (uint32_t i = 0; i < 100; i++) { /* tokens are still good */
        wi_trace_insert(trace, run_of_one(layout, i, i, 1));
        ck_assert_uint_eq(wi_trace_run(trace, trace->seq)->count, 1);
        wi_reader_ack(other, trace->seq);
        wi_reader_ack(reader, trace->seq);
        ck_assert_uint_eq(trace->run_count, 0);
    }
    wi_reader_drop(other);
    wi_trace_drop(trace); /* the last reader keeps it */
    wi_reader_drop(reader);
    wi_layout_drop(layout);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)seed);
    Suite *suite = suite_create("trace");
    TCase *tests = tcase_create("trace");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, random_traces_add_up_to_the_model);
    tcase_add_test(tests, a_bounded_collection_stays_bounded);
    tcase_add_test(tests, history_goes_once_nobody_can_ask_for_it);
    tcase_add_test(tests, what_is_deleted_goes);
    tcase_add_test(tests, batches_of_all_sizes_keep_the_bounds);
    tcase_add_test(tests, a_slow_reader_keeps_runs_apart_and_then_lets_them_go);
    tcase_add_test(tests, what_nobody_looks_at_waits_for_a_while);
    tcase_add_test(tests, without_readers_nothing_is_kept);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
