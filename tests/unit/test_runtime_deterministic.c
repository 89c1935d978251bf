/* Deterministic runs: the same seed gives the same run, whatever is looked at; other seeds
 * give other schedules and the same result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

WEIR_ROUTE(by_value, num)
{
    return in->value;
}

WEIR_FILTER_MAP(halve, num, num)
{
    out->value = in->value / 2;
    return in->value > 0;
}

/* ---- a run of which everything is noted -------------------------------------------------- */

static void note_batch(weir_worker *worker, const weir_batch *batch, void *notes)
{
    for (uint32_t i = 0; i < batch->count; i++)
        test_note(notes, "%u:%d@%d", weir_worker_index(worker), (int)num_at(batch, i)->value,
                  (int)weir_batch_time(batch, i)->at[0]);
}

static weir_more generate(weir_source *source, void *state, void *notes)
{
    uint64_t *calls = state;
    weir_worker *worker = weir_source_worker(source);
    num_push(weir_source_out(source), (num){weir_random(worker) % 50});
    test_note(notes, "clock %llu", (unsigned long long)weir_now(worker));
    weir_source_advance(source, ++*calls);
    return *calls == 6 ? WEIR_DONE : *calls % 2 ? WEIR_WAIT : WEIR_MORE;
}

static void noted_run(weir_worker *worker, void *notes)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "noted");
    weir_stream pushed = weir_input_new(flow, &num_type, &input);
    weir_stream made = weir_generate(flow, &num_type, generate, sizeof(uint64_t), notes);
    weir_loop *loop = weir_loop_begin(flow, "halve");
    weir_stream now = weir_variable(loop, weir_enter(loop, weir_concat(pushed, made)));
    weir_stream here =
        weir_exchange_by(weir_inspect_batch(now, note_batch, notes), &by_value, NULL);
    weir_stream next = weir_filter_map(weir_inspect_batch(here, note_batch, notes), &halve);
    weir_variable_set(now, next);
    weir_probe *probe = weir_probe_new(weir_leave(loop, next));
    if (!test_end(flow))
        return;
    for (uint64_t epoch = 1; epoch < 10; epoch++) {
        num_push(weir_input_out(input), (num){weir_random(worker) % 100});
        weir_input_advance(input, epoch);
        if (epoch % 3 == 0)
            weir_probe_wait(worker, probe, epoch);
        else
            weir_step(worker);
        test_note(notes, "worker %u at %llu", weir_worker_index(worker),
                  (unsigned long long)weir_now(worker));
    }
}

static char *note_all(uint32_t workers, uint64_t seed)
{
    test_notes notes = TEST_NOTES;
    weir_config config = {.workers = workers, .deterministic = true, .seed = seed};
    test_run(&config, noted_run, &notes);
    return strdup(test_notes_text(&notes));
}

START_TEST(the_same_seed_gives_the_same_run)
{
    uint32_t workers = 1 + (uint32_t)_i % 4;
    char *first = note_all(workers, (uint64_t)_i), *second = note_all(workers, (uint64_t)_i);
    ck_assert_uint_gt(strlen(first), 100);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

START_TEST(other_seeds_give_other_runs)
{
    uint32_t workers = 2 + (uint32_t)_i % 3;
    char *first = note_all(workers, (uint64_t)_i), *second = note_all(workers, (uint64_t)_i + 1);
    ck_assert_str_ne(first, second);
    free(first);
    free(second);
}
END_TEST

/* ---- standard output of a whole program ------------------------------------------------------ */

#define TALLY(F) F(u64, value) F(i64, count)
WEIR_ROW(tally, TALLY)

static weir_more some_rows(weir_source *source, void *state, void *arg)
{
    (void)arg;
    uint64_t *calls = state;
    weir_worker *worker = weir_source_worker(source);
    for (uint64_t i = 0; i < 20; i++)
        num_push(weir_source_out(source), (num){(weir_worker_index(worker) + i * *calls) % 9});
    weir_source_advance(source, ++*calls);
    return *calls == 5 ? WEIR_DONE : WEIR_MORE;
}

static void print_batch(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < batch->count; i++)
        printf("%u %d\n", weir_worker_index(worker), (int)num_at(batch, i)->value);
}

static void build_program(weir_dataflow *flow, void *watched)
{
    weir_stream rows = weir_generate(flow, &num_type, some_rows, sizeof(uint64_t), NULL);
    rows = weir_exchange(rows, WEIR_BY(num, value));
    if (watched)
        rows = weir_inspect_batch(rows, print_batch, NULL);
    weir_print(weir_count(rows, WEIR_BY(num, value), &tally_type), stdout);
}

typedef struct program {
    const char *arguments[8];
    bool watched;
} program;

static int run_program(void *arg)
{
    program *p = arg;
    int count = 0;
    while (p->arguments[count])
        count++;
    return weir_main(count, (char **)p->arguments, build_program, p->watched ? p : NULL);
}

static char *output_of(program p)
{
    test_child child = test_child_run(run_program, &p);
    ck_assert_msg(child.code == 0, "%s", child.err);
    char *out = strdup(child.out);
    test_child_free(&child);
    return out;
}

START_TEST(the_output_is_the_same_byte_for_byte)
{
    char seed[16];
    sprintf(seed, "%d", _i);
    program p = {.arguments = {"program", "-w", "4", "--deterministic", "--seed", seed},
                 .watched = true};
    char *first = output_of(p), *second = output_of(p);
    ck_assert_str_eq(first, second);
    p.arguments[5] = "77";
    char *other = output_of(p);
    ck_assert_str_ne(first, other); /* another order of what is printed on the way */
    free(first);
    free(second);
    free(other);
}
END_TEST

START_TEST(results_do_not_depend_on_workers_or_seed)
{
    char *one = output_of((program){.arguments = {"program"}}), *deterministic, *threads;
    char seed[16], workers[16];
    for (int i = 1; i < 6; i++) {
        sprintf(seed, "%d", i);
        sprintf(workers, "%d", i);
        /* every worker generates rows: as many workers, the same rows */
        free(one);
        one = output_of((program){.arguments = {"program", "-w", workers}});
        deterministic = output_of((program){
            .arguments = {"program", "--deterministic", "--seed", seed, "--workers", workers}});
        threads = output_of((program){.arguments = {"program", "--seed", seed, "-w", workers}});
        ck_assert_str_eq(one, deterministic);
        ck_assert_str_eq(one, threads);
        free(deterministic);
        free(threads);
    }
    free(one);
}
END_TEST

/* ---- random numbers and schedules --------------------------------------------------------------
 */

#define SEEDS 20
#define DRAWS 50

typedef struct draws {
    uint64_t drawn[4][DRAWS];
} draws;

static void draw(weir_worker *worker, void *arg)
{
    draws *d = arg;
    for (int i = 0; i < DRAWS; i++)
        d->drawn[weir_worker_index(worker)][i] = weir_random(worker);
}

static int compare_words(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Not even shifted against one another: no number is drawn twice. */
START_TEST(every_worker_and_seed_draws_numbers_of_its_own)
{
    static draws all[SEEDS], again;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        weir_config config = {.workers = 4, .seed = seed};
        test_run(&config, draw, &all[seed]);
        config.deterministic = true;
        test_run(&config, draw, &again);
        ck_assert_mem_eq(&again, &all[seed], sizeof again);
        test_run(&(weir_config){.workers = 2, .seed = seed}, draw, &again);
        ck_assert_mem_eq(&again, &all[seed], 2 * sizeof again.drawn[0]);
    }
    uint64_t *words = (uint64_t *)all;
    size_t count = SEEDS * 4 * DRAWS;
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 1; i < count; i++)
        ck_assert_msg(words[i] != words[i - 1], "%llx is drawn twice",
                      (unsigned long long)words[i]);
}
END_TEST

#define TURNS 400

typedef struct turns {
    char who[TURNS + 1];
    int count;
} turns;

static void take_turns(weir_worker *worker, void *arg)
{
    turns *t = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "turns");
    weir_input_new(flow, &num_type, &input);
    test_end(flow);
    while (t->count < TURNS) {
        t->who[t->count++] = (char)('0' + weir_worker_index(worker));
        weir_step(worker);
    }
}

START_TEST(seeds_in_a_row_give_schedules_of_their_own)
{
    static turns all[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        weir_config config = {.workers = 4, .deterministic = true, .seed = seed};
        test_run(&config, take_turns, &all[seed]);
        for (char who = '0'; who < '4'; who++) {
            int count = 0;
            for (int i = 0; i < TURNS; i++)
                count += all[seed].who[i] == who;
            ck_assert_msg(count > TURNS / 8, "worker %c has %d turns of %d", who, count, TURNS);
        }
    }
    for (int a = 0; a < SEEDS; a++)
        for (int b = 0; b < SEEDS; b++)
            for (int shift = 0; shift < 40 && a != b; shift++)
                ck_assert_msg(memcmp(all[a].who + 40, all[b].who + shift, 100) != 0,
                              "seeds %d and %d give the same schedule, shifted by %d", a, b, shift);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("deterministic");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, the_same_seed_gives_the_same_run, 0, 16);
    tcase_add_loop_test(cases, other_seeds_give_other_runs, 0, 8);
    tcase_add_loop_test(cases, the_output_is_the_same_byte_for_byte, 0, 8);
    tcase_add_test(cases, results_do_not_depend_on_workers_or_seed);
    tcase_add_test(cases, every_worker_and_seed_draws_numbers_of_its_own);
    tcase_add_test(cases, seeds_in_a_row_give_schedules_of_their_own);
    return test_main("deterministic", cases);
}
