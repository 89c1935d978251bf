/* The ends: more rows than 32 bits count, and no memory left. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/weir.h>

#define NOTHING(F)
#define TEXT(F) F(weir_text, text)
#define TALLY(F) F(i64, count)
WEIR_ROW(nothing, NOTHING)
WEIR_ROW(text_row, TEXT)
WEIR_ROW(tally, TALLY)

/* ---- 2^32 rows and five, of no bytes ---------------------------------------------------- */

#define MANY ((UINT64_C(1) << 32) + 5)

static weir_more make_many(weir_source *source, void *state, void *arg)
{
    uint64_t *made = state;
    (void)arg;
    weir_out *out = weir_source_out(source);
    for (int batches = 0; batches < 16 && *made < MANY; batches++) {
        uint32_t room;
        weir_out_room(out, 65536, &room);
        if (room > MANY - *made)
            room = (uint32_t)(MANY - *made);
        weir_out_commit(out, room);
        *made += room;
    }
    return *made < MANY ? WEIR_MORE : WEIR_DONE;
}

WEIR_EACH(note_count, tally)
{
    *(int64_t *)arg = in->count;
}

static void count_many(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "many");
    weir_stream rows = weir_generate(flow, &nothing_type, make_many, sizeof(uint64_t), NULL);
    weir_each(weir_count(rows, WEIR_BY_NOTHING(nothing), &tally_type), &note_count, arg);
    weir_dataflow_end_or_stop(flow);
}

START_TEST(rows_are_counted_beyond_32_bits)
{
    int64_t count = 0;
    ck_assert_ptr_null(weir_execute(&(weir_config){.workers = 1}, count_many, &count));
    ck_assert_int_eq(count, (int64_t)MANY);
}
END_TEST

/* ---- no memory -------------------------------------------------------------------------- */

#define LARGE (UINT32_C(1) << 30)

static void push_large(weir_worker *worker, void *arg)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "large");
    weir_stream rows = weir_input_new(flow, &text_row_type, &input);
    weir_probe_new(rows);
    if (!weir_dataflow_end_or_stop(flow))
        return;
    /* Memory that is promised and never touched: copying it into a batch needs as much. */
    text_row_push(weir_input_out(input), (text_row){weir_text_of(arg, LARGE)});
}

START_TEST(a_batch_that_finds_no_memory_stops_the_process)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char *large = malloc(LARGE);
        struct rlimit limit = {LARGE + LARGE / 2, LARGE + LARGE / 2};
        if (!large || setrlimit(RLIMIT_AS, &limit) != 0)
            _exit(1);
        dup2(ends[1], STDERR_FILENO);
        weir_execute(&(weir_config){.workers = 1}, push_large, large);
        _exit(0);
    }
    close(ends[1]);
    char said[512] = "";
    ssize_t length = read(ends[0], said, sizeof said - 1);
    close(ends[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 70);
    ck_assert_int_gt(length, 0);
    ck_assert_ptr_nonnull(strstr(said, "out of memory"));
    ck_assert_ptr_nonnull(strstr(said, "could not get 10737418"));
}
END_TEST

/* Sanitizers reserve address space of their own. */
static bool address_space_can_be_limited(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#else
    return true;
#endif
}

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *rows = tcase_create("rows");
    tcase_set_timeout(rows, 100);
    if (address_space_can_be_limited())
        tcase_add_test(rows, rows_are_counted_beyond_32_bits); /* minutes under sanitizers */
    suite_add_tcase(suite, rows);
    TCase *memory = tcase_create("memory");
    if (address_space_can_be_limited())
        tcase_add_test(memory, a_batch_that_finds_no_memory_stops_the_process);
    suite_add_tcase(suite, memory);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
