/* capture and replay: into memory, into files, and what damaged files lead to. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/streams.h"

#define EVENT(F) F(u16, kind) F(weir_text, text) F(bool, flag) F(f64, weight)
#define OTHER(F) F(u16, kind) F(weir_text, text) F(bool, flag)
#define SEEN(F) F(i64, count)
#define NUM(F) F(u64, value)
WEIR_ROW(event, EVENT)
WEIR_ROW(other, OTHER)
WEIR_ROW(seen, SEEN)
WEIR_ROW(num, NUM)

static char folder[] = "/tmp/weir-capture-XXXXXX";
static char path[64];

static void setup(void)
{
    strcpy(folder, "/tmp/weir-capture-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
}

static void teardown(void)
{
    for (int i = 0; i < 8; i++) {
        char file[80];
        snprintf(file, sizeof file, "%s.%d", path, i);
        unlink(file);
    }
    rmdir(folder);
}

/* Rows with short and long texts, diffs, several epochs, columns now and then. */
static void feed(weir_input *input, uint32_t index, uint32_t workers)
{
    for (uint32_t i = index; i < 300; i += workers) {
        char text[64];
        int length = snprintf(text, sizeof text, "%0*u", (int)(i % 30) + 1, i);
        weir_input_advance(input, i / 60 * 2);
        weir_out *out = weir_input_out(input);
        weir_out_time(out, &WEIR_EPOCH(i / 60 * 2 + (i % 7 == 0)));
        weir_out_diff(out, i % 11 ? 1 : -2);
        event_push(out, (event){(uint16_t)i, weir_text_of(text, (uint32_t)length), i & 1, i / 8.0});
        if (i % 20 == 0)
            weir_input_flush(input);
    }
}

/* Counts per epoch, when it is complete: tells whether frontiers are right. */
static weir_stream counts(weir_stream in)
{
    return weir_count(in, WEIR_BY_NOTHING(event), &seen_type);
}

static char *expected_rows, *expected_counts;

static void live(weir_worker *worker, void *arg)
{
    test_list *lists = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "live");
    weir_stream in = weir_input_new(flow, &event_type, &input);
    test_watch(in, &lists[0]);
    test_watch(counts(in), &lists[1]);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    feed(input, weir_worker_index(worker), weir_worker_count(worker));
}

static void know_what_to_expect(void)
{
    setup();
    test_list lists[2];
    test_list_init(&lists[0], 1);
    test_list_init(&lists[1], 1);
    ck_assert_ptr_null(weir_execute(&(weir_config){.workers = 1}, live, lists));
    expected_rows = test_list_text(&lists[0]);
    expected_counts = test_list_text(&lists[1]);
    test_list_fini(&lists[0]);
    test_list_fini(&lists[1]);
    ck_assert_uint_gt(strlen(expected_rows), 1000);
}

static void forget(void)
{
    free(expected_rows);
    free(expected_counts);
    teardown();
}

static void compare(test_list *list, const char *expected)
{
    char *text = test_list_text(list);
    ck_assert_str_eq(text, expected);
    free(text);
}

/* ---- memory --------------------------------------------------------------------------- */

typedef struct memory_test {
    bool at_once; /* the replay is built before anything was captured */
    test_list lists[4];
} memory_test;

static void replay_in(weir_worker *worker, weir_capture *capture, test_list *rows, test_list *sums)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "replay");
    weir_stream again = weir_replay(flow, capture);
    test_watch(again, rows);
    test_watch(counts(again), sums);
    ck_assert_ptr_null(weir_dataflow_end(flow));
}

static void through_memory(weir_worker *worker, void *arg)
{
    memory_test *test = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "capture");
    weir_stream in = weir_input_new(flow, &event_type, &input);
    weir_capture *capture = weir_capture_new(in);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    if (test->at_once)
        replay_in(worker, capture, &test->lists[0], &test->lists[1]);
    feed(input, weir_worker_index(worker), weir_worker_count(worker));
    weir_input_close(&input);
    while (!weir_dataflow_done(flow))
        weir_step_or_park(worker, UINT64_MAX);
    if (!test->at_once)
        replay_in(worker, capture, &test->lists[0], &test->lists[1]);
    replay_in(worker, capture, &test->lists[2], &test->lists[3]);
    weir_run(worker);
    weir_capture_free(capture);
}

START_TEST(replay_from_memory)
{
    for (int way = 0; way < 8; way++) {
        memory_test test = {.at_once = way & 1};
        for (int i = 0; i < 4; i++)
            test_list_init(&test.lists[i], 1);
        weir_config config = {.workers = 1 + (uint32_t)way / 2, .deterministic = way > 5};
        weir_err *err = weir_execute(&config, through_memory, &test);
        ck_assert_msg(!err, "%s", err ? weir_err_message(err) : "");
        for (int i = 0; i < 4; i++) {
            compare(&test.lists[i], i & 1 ? expected_counts : expected_rows);
            test_list_fini(&test.lists[i]);
        }
    }
}
END_TEST

/* Times of two coordinates, whose frontiers have several elements. */
static void through_pairs(weir_worker *worker, void *arg)
{
    static const char *const dims[] = {"system", "valid"};
    test_list *lists = arg;
    weir_input *inputs[2];
    weir_dataflow *flow = weir_dataflow_begin(worker, "pairs");
    weir_dataflow_dims(flow, dims, 2);
    weir_stream in = weir_concat(weir_input_new(flow, &num_type, &inputs[0]),
                                 weir_input_new(flow, &num_type, &inputs[1]));
    weir_capture *capture = weir_capture_new(in);
    test_watch(weir_count(in, WEIR_BY_NOTHING(num), &seen_type), &lists[0]);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    flow = weir_dataflow_begin(worker, "replay");
    weir_dataflow_dims(flow, dims, 2);
    weir_stream again = weir_replay(flow, capture);
    test_watch(weir_count(again, WEIR_BY_NOTHING(num), &seen_type), &lists[1]);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    for (uint64_t i = 0; i < 6; i++) {
        weir_input_advance_to(inputs[0], &(weir_time){{i, 6 - i / 6}});
        weir_input_advance_to(inputs[1], &(weir_time){{1, i}});
        for (int n = 0; n < 2; n++) {
            num_push(weir_input_out(inputs[n]), (num){i});
            weir_input_flush(inputs[n]);
        }
        weir_step(worker);
    }
    weir_input_close(&inputs[0]);
    weir_input_close(&inputs[1]);
    weir_run(worker);
    weir_capture_free(capture);
}

START_TEST(frontiers_of_pairs_are_replayed)
{
    for (uint32_t workers = 1; workers <= 3; workers++) {
        test_list lists[2];
        test_list_init(&lists[0], 2);
        test_list_init(&lists[1], 2);
        ck_assert_ptr_null(weir_execute(&(weir_config){.workers = workers}, through_pairs, lists));
        char *text = test_list_text(&lists[0]);
        ck_assert_uint_gt(strlen(text), 80);
        compare(&lists[1], text);
        free(text);
        test_list_fini(&lists[0]);
        test_list_fini(&lists[1]);
    }
}
END_TEST

static void with_other_dims(weir_worker *worker, void *arg)
{
    static const char *const dims[] = {"system", "valid"};
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "capture");
    weir_capture *capture = weir_capture_new(weir_input_new(flow, &num_type, &input));
    ck_assert_ptr_null(weir_dataflow_end(flow));
    flow = weir_dataflow_begin(worker, "replay");
    weir_dataflow_dims(flow, dims, 2);
    weir_replay(flow, capture);
    weir_err *err = weir_dataflow_end(flow);
    ck_assert_ptr_nonnull(err);
    weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
    weir_capture_free(capture);
}

START_TEST(other_dimensions_are_refused)
{
    weir_err *err = weir_execute(&(weir_config){.workers = 1}, with_other_dims, NULL);
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), "the captured stream's times have 1 coordinates, "
                                                "but those of this dataflow have 2"),
                  "%s", weir_err_message(err));
    weir_err_free(err);
}
END_TEST

static void look_away(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    (void)batch;
    (void)arg;
}

static void dropped(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "capture");
    weir_capture *capture = weir_capture_new(weir_input_new(flow, &num_type, &input));
    ck_assert_ptr_null(weir_dataflow_end(flow));
    num_push(weir_input_out(input), (num){1});
    weir_input_flush(input);
    for (int i = 0; i < 5; i++)
        weir_step(worker);
    weir_dataflow_drop(flow);
    flow = weir_dataflow_begin(worker, "replay");
    weir_inspect_batch(weir_replay(flow, capture), look_away, NULL);
    ck_assert_ptr_null(weir_dataflow_end(flow));
    weir_run(worker);
    weir_capture_free(capture);
}

/* ---- files ---------------------------------------------------------------------------- */

typedef struct file_test {
    const weir_type *type;
    uint32_t writers;
    test_list lists[2];
} file_test;

static void write_files(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "capture");
    weir_capture_file(weir_input_new(flow, &event_type, &input), path);
    weir_err *err = weir_dataflow_end(flow);
    if (err) {
        weir_stop(worker, "%s", weir_err_message(err));
        weir_err_free(err);
        return;
    }
    feed(input, weir_worker_index(worker), weir_worker_count(worker));
}

static void read_files(weir_worker *worker, void *arg)
{
    file_test *test = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "replay");
    weir_stream again = weir_replay_file(flow, test->type, path, test->writers);
    test_watch(again, &test->lists[0]);
    if (test->type == &event_type)
        test_watch(counts(again), &test->lists[1]);
    weir_err *err = weir_dataflow_end(flow);
    if (err) {
        weir_stop(worker, "%s", weir_err_message(err));
        weir_err_free(err);
    }
}

static weir_err *read_with(file_test *test, uint32_t workers)
{
    test_list_init(&test->lists[0], 1);
    test_list_init(&test->lists[1], 1);
    return weir_execute(&(weir_config){.workers = workers}, read_files, test);
}

static void forget_lists(file_test *test)
{
    test_list_fini(&test->lists[0]);
    test_list_fini(&test->lists[1]);
}

START_TEST(replay_from_files)
{
    for (uint32_t writers = 1; writers <= 4; writers += writers) {
        ck_assert_ptr_null(weir_execute(&(weir_config){.workers = writers}, write_files, NULL));
        for (uint32_t readers = 1; readers <= 4; readers++) {
            file_test test = {.type = &event_type, .writers = writers};
            weir_err *err = read_with(&test, readers);
            ck_assert_msg(!err, "%s", err ? weir_err_message(err) : "");
            compare(&test.lists[0], expected_rows);
            compare(&test.lists[1], expected_counts);
            forget_lists(&test);
        }
    }
}
END_TEST

static void refuses(file_test test, const char *says)
{
    weir_err *err = read_with(&test, 1);
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), says), "%s\nshould say %s", weir_err_message(err),
                  says);
    weir_err_free(err);
    forget_lists(&test);
}

START_TEST(other_files_are_refused)
{
    ck_assert_ptr_null(weir_execute(&(weir_config){.workers = 2}, write_files, NULL));
    refuses((file_test){.type = &other_type, .writers = 2},
            "has rows of event(kind u16, text text, flag bool, weight f64), but is replayed as "
            "other(kind u16, text text, flag bool)");
    refuses((file_test){.type = &event_type, .writers = 1},
            ".0` was written by worker 0 of 2, but is replayed as that of worker 0 of 1");
    refuses((file_test){.type = &event_type, .writers = 3},
            "was written by worker 0 of 2, but is replayed as that of worker 0 of 3");
    refuses((file_test){.type = &event_type, .writers = 0}, "by 0 writers");
    teardown();
    refuses((file_test){.type = &event_type, .writers = 1},
            ".0` cannot be opened: No such file or directory");
}
END_TEST

static void write_nowhere(weir_worker *worker, void *arg)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "capture");
    weir_capture_file(weir_input_new(flow, &event_type, &input), arg);
    weir_err *err = weir_dataflow_end(flow);
    ck_assert_ptr_nonnull(err);
    weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
}

START_TEST(files_that_cannot_be_written)
{
    char nowhere[] = "/nonexistent/folder/log";
    weir_err *err = weir_execute(&(weir_config){.workers = 1}, write_nowhere, nowhere);
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), "capture_file: cannot write "
                                                "`/nonexistent/folder/log.0`: No such file"),
                  "%s", weir_err_message(err));
    weir_err_free(err);
}
END_TEST

/* ---- damage --------------------------------------------------------------------------- */

static char *read_whole(const char *name, size_t *length_out)
{
    FILE *file = fopen(name, "r");
    fseek(file, 0, SEEK_END);
    *length_out = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length_out);
    ck_assert_uint_eq(fread(bytes, 1, *length_out, file), *length_out);
    fclose(file);
    return bytes;
}

static void write_whole(const char *name, const char *bytes, size_t length)
{
    unlink(name); /* faster than to truncate, which may wait for the disk */
    FILE *file = fopen(name, "w");
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* Every byte flipped, the file cut off everywhere, and something after its end: always a
 * message with the path and an offset or both sides, never other rows. */
START_TEST(damage_is_found)
{
    char name[80];
    snprintf(name, sizeof name, "%s.0", path);
    ck_assert_ptr_null(weir_execute(&(weir_config){.workers = 1}, write_files, NULL));
    size_t length;
    char *bytes = read_whole(name, &length);
    for (size_t i = 0; i < length; i += i < 600 || i + 600 > length ? 1 : 17) {
        bytes[i] ^= (char)(1 << i % 8);
        write_whole(name, bytes, length);
        refuses((file_test){.type = &event_type, .writers = 1}, "captured stream `/tmp/weir-");
        bytes[i] ^= (char)(1 << i % 8);
    }
    for (size_t i = 0; i < length; i += i < 300 ? 1 : 53) {
        write_whole(name, bytes, i);
        refuses((file_test){.type = &event_type, .writers = 1}, "is damaged at byte ");
    }
    bytes = realloc(bytes, length + 1);
    bytes[length] = 0;
    write_whole(name, bytes, length + 1);
    refuses((file_test){.type = &event_type, .writers = 1}, "something follows the end record");
    free(bytes);
}
END_TEST

START_TEST(unfinished_streams_are_refused)
{
    weir_err *err = weir_execute(&(weir_config){.workers = 1}, dropped, NULL);
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(weir_err_message(err), "the captured stream was never completed"), "%s",
                  weir_err_message(err));
    weir_err_free(err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("capture");
    TCase *tests = tcase_create("capture");
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, know_what_to_expect, forget);
    tcase_add_test(tests, replay_from_memory);
    tcase_add_test(tests, frontiers_of_pairs_are_replayed);
    tcase_add_test(tests, other_dimensions_are_refused);
    tcase_add_test(tests, replay_from_files);
    tcase_add_test(tests, other_files_are_refused);
    tcase_add_test(tests, files_that_cannot_be_written);
    tcase_add_test(tests, damage_is_found);
    tcase_add_test(tests, unfinished_streams_are_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
