/* Where rows come from: generate, from_rows, read_lines. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/streams.h"

#define NUM(F) F(u64, value)
#define MIXED(F) F(u8, small) F(weir_text, text) F(bool, flag)
#define EMPTY(F)
WEIR_ROW(num, NUM)
WEIR_ROW(mixed, MIXED)
WEIR_ROW(empty, EMPTY)

/* A dataflow without an input of the test's. */
typedef struct source_test {
    weir_stream (*build)(weir_dataflow *flow, void *arg);
    void *arg;
    test_list list;
} source_test;

static void work(weir_worker *worker, void *arg)
{
    source_test *test = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "source");
    test_watch(test->build(flow, test->arg), &test->list);
    weir_err *err = weir_dataflow_end(flow);
    if (err) {
        weir_stop(worker, "%s", weir_err_message(err));
        weir_err_free(err);
    }
}

/* What comes out, or the error's message. */
static char *run(weir_stream (*build)(weir_dataflow *, void *), void *arg, weir_config config)
{
    source_test test = {.build = build, .arg = arg};
    test_list_init(&test.list, 1);
    weir_err *err = weir_execute(&config, work, &test);
    char *text = err ? strdup(weir_err_message(err)) : test_list_text(&test.list);
    weir_err_free(err);
    test_list_fini(&test.list);
    return text;
}

static void expect(weir_stream (*build)(weir_dataflow *, void *), void *arg, const char *expected)
{
    static const weir_config ways[] = {{.workers = 1},
                                       {.workers = 2},
                                       {.workers = 4},
                                       {.workers = 3, .deterministic = true, .seed = 5}};
    for (int w = 0; w < 4; w++) {
        char *text = run(build, arg, ways[w]);
        ck_assert_str_eq(text, expected);
        free(text);
    }
}

static void expect_error(weir_stream (*build)(weir_dataflow *, void *), void *arg, const char *says)
{
    for (uint32_t workers = 1; workers <= 2; workers++) {
        char *text = run(build, arg, (weir_config){.workers = workers});
        ck_assert_msg(strstr(text, says), "%s", text);
        free(text);
    }
}

/* ---- generate ------------------------------------------------------------------------- */

/* Worker w gives the numbers n below 20 with n % workers == w, at epoch n / 5. Now and then
 * it has nothing, and one call goes over an epoch's end. */
static weir_more twenty(weir_source *source, void *state, void *arg)
{
    uint64_t *calls = state;
    uint64_t *count = arg;
    weir_worker *worker = weir_source_worker(source);
    uint64_t n = *calls / 3 * weir_worker_count(worker) + weir_worker_index(worker);
    if (++*calls % 3)
        return *calls % 2 ? WEIR_WAIT : WEIR_MORE;
    if (n >= *count)
        return WEIR_DONE;
    weir_out *before = weir_source_out(source);
    weir_source_advance(source, n / 5);
    num_push(before, (num){n}); /* the out goes on at the new epoch */
    num_push(weir_source_out(source), (num){n});
    ck_assert_uint_eq(weir_source_epoch(source), n / 5);
    return WEIR_MORE;
}

static weir_stream build_generate(weir_dataflow *flow, void *arg)
{
    return weir_generate(flow, &num_type, twenty, sizeof(uint64_t), arg);
}

START_TEST(generate_gives_rows_and_epochs)
{
    uint64_t count = 12, nothing = 0;
    expect(build_generate, &count,
           "0 +2 0\n0 +2 1\n0 +2 2\n0 +2 3\n0 +2 4\n1 +2 5\n1 +2 6\n1 +2 7\n1 +2 8\n1 +2 9\n"
           "2 +2 10\n2 +2 11\n");
    expect(build_generate, &nothing, "");
}
END_TEST

static weir_more backwards(weir_source *source, void *state, void *arg)
{
    (void)state;
    (void)arg;
    weir_source_advance(source, 5);
    weir_source_advance(source, 4);
    return WEIR_MORE;
}

static weir_stream build_backwards(weir_dataflow *flow, void *arg)
{
    return weir_generate(flow, &num_type, backwards, 0, arg);
}

START_TEST(generate_only_advances)
{
    expect_error(build_backwards, NULL,
                 "its generator moves from epoch 5 back to 4; epochs only advance");
}
END_TEST

/* ---- from_rows ------------------------------------------------------------------------ */

static weir_stream build_mixed(weir_dataflow *flow, void *arg)
{
    char text[40] = "a text that is gone after building";
    mixed rows[3];
    memset(rows, 0xff, sizeof rows); /* padding included */
    rows[0] = (mixed){.small = 1, .text = weir_text_c("short"), .flag = true};
    rows[1] = (mixed){.small = 2, .text = weir_text_c(text), .flag = false};
    rows[2] = (mixed){.small = 3, .text = weir_text_of("a\0b", 3), .flag = true};
    (void)arg;
    weir_stream stream = weir_from_rows(flow, &mixed_type, rows, 3);
    memset(text, '?', sizeof text);
    memset(rows, 0, sizeof rows);
    return stream;
}

static weir_stream build_numbers(weir_dataflow *flow, void *arg)
{
    const uint64_t *count = arg;
    num *rows = calloc(*count + 1, sizeof *rows);
    for (uint64_t i = 0; i < *count; i++)
        rows[i].value = i % 2;
    weir_stream stream = weir_from_rows(flow, &num_type, *count ? rows : NULL, *count);
    free(rows);
    return stream;
}

static weir_stream build_empties(weir_dataflow *flow, void *arg)
{
    (void)arg;
    return weir_from_rows(flow, &empty_type, NULL, 100000);
}

START_TEST(from_rows_copies)
{
    uint64_t many = 100000, nothing = 0;
    expect(build_mixed, NULL,
           "0 +1 1\tshort\ttrue\n0 +1 2\ta text that is gone after building\tfalse\n"
           "0 +1 3\ta~b\ttrue\n");
    expect(build_numbers, &many, "0 +50000 0\n0 +50000 1\n");
    expect(build_numbers, &nothing, "");
    expect(build_empties, NULL, "0 +100000 \n");
}
END_TEST

/* ---- read_lines ----------------------------------------------------------------------- */

static char folder[] = "/tmp/weir-lines-XXXXXX";
static char path[64];

static void setup(void)
{
    strcpy(folder, "/tmp/weir-lines-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/text", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
}

static void write_file(const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static weir_stream build_lines(weir_dataflow *flow, void *arg)
{
    return weir_read_lines(flow, arg);
}

START_TEST(lines_of_small_files)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } files[] = {
        {"", 0, ""},
        {"\n", 1, "0 +1 \n"},
        {"one", 3, "0 +1 one\n"},
        {"one\n", 4, "0 +1 one\n"},
        {"one\ntwo\n", 8, "0 +1 one\n0 +1 two\n"},
        {"one\r\n\n\nthree", 12, "0 +2 \n0 +1 one\\r\n0 +1 three\n"},
        {"a\0b\n\xff\xfe\n", 7, "0 +1 a~b\n0 +1 \xff\xfe\n"},
        {"\n\n\n\n\n\n\n", 7, "0 +7 \n"},
        {"a line that is longer than a handle\nx\n", 38,
         "0 +1 a line that is longer than a handle\n0 +1 x\n"},
    };
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        write_file(files[f].bytes, files[f].length);
        expect(build_lines, path, files[f].expected);
    }
}
END_TEST

/* Lines of random lengths, some far longer than a buffer, read by any number of workers: each
 * comes once. */
START_TEST(lines_belong_to_one_worker)
{
    for (uint32_t way = 0; way < 6; way++) {
        char *bytes, *expected;
        size_t length, expected_length;
        FILE *file = open_memstream(&bytes, &length);
        FILE *list = open_memstream(&expected, &expected_length);
        uint64_t random = way + 1;
        uint32_t lines = way < 2 ? 7 : 4000;
        for (uint32_t i = 0; i < lines; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            int width =
                way < 2 ? (int)(random >> 33) % 900000 : (int)(random >> 33) % (60 * (int)way);
            fprintf(file, "%05u%0*u", i, width, 1);
            fprintf(list, "0 +1 %05u%0*u\n", i, width, 1);
            if (i + 1 < lines || way % 2)
                fputc('\n', file);
        }
        fclose(file);
        fclose(list);
        write_file(bytes, length);
        for (uint32_t workers = 1; workers <= 5; workers++) {
            char *text = run(build_lines, path, (weir_config){.workers = workers});
            ck_assert(strcmp(text, expected) == 0);
            free(text);
        }
        free(bytes);
        free(expected);
    }
}
END_TEST

START_TEST(lines_of_a_pipe)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        FILE *file = fopen(path, "w");
        fputs("first\nsec", file);
        fflush(file);
        usleep(20000);
        fputs("ond\nthe last line has no end", file);
        fclose(file);
        _exit(0);
    }
    char *text = run(build_lines, path, (weir_config){.workers = 2});
    ck_assert_str_eq(text, "0 +1 first\n0 +1 second\n0 +1 the last line has no end\n");
    free(text);
}
END_TEST

START_TEST(a_file_that_became_shorter_looked_whole)
{
    char name[] = "/tmp/weir-shorter-XXXXXX";
    int file = mkstemp(name);
    ck_assert_int_ge(file, 0);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(write(file, "0123456789\n", 11), 11);
    weir_err *err = NULL;
    size_t length;
    weir_lines *lines = weir_lines_open(name, &err);
    ck_assert_ptr_nonnull(lines);
    ck_assert_str_eq(weir_lines_next(lines, &length, &err), "0123456789");
    ck_assert_int_eq(ftruncate(file, 500000), 0);
    while (weir_lines_next(lines, &length, &err))
        ;
    ck_assert_ptr_nonnull(err);
    ck_assert_ptr_nonnull(strstr(weir_err_message(err), "has become shorter while it was read: "
                                                        "from 1100000 bytes to 500000"));
    weir_err_free(err);
    weir_lines_close(lines);
    close(file);
    unlink(name);
}
END_TEST

static void append(const char *text)
{
    FILE *file = fopen(path, "a");
    fputs(text, file);
    fclose(file);
}

/* Becomes another one once the operator has been built. */
static weir_stream build_and_append(weir_dataflow *flow, void *arg)
{
    weir_stream lines = weir_read_lines(flow, arg);
    append("one more\n");
    return lines;
}

static weir_stream build_and_cut(weir_dataflow *flow, void *arg)
{
    weir_stream lines = weir_read_lines(flow, arg);
    ck_assert_int_eq(truncate(path, 5), 0);
    return lines;
}

START_TEST(lines_of_a_file_that_changed_were_missing)
{
    write_file("some\nlines\n", 11);
    char *text = run(build_and_append, path, (weir_config){.workers = 1});
    ck_assert_str_eq(text, "0 +1 lines\n0 +1 some\n");
    free(text);
    for (uint32_t way = 0; way < 3; way++) {
        write_file("some\nlines\n", 11);
        text = run(way < 2 ? build_and_cut : build_and_append, path,
                   (weir_config){.workers = way == 0 ? 1 : 2});
        ck_assert_msg(strstr(text, "has changed while it was read, from "), "%s", text);
        free(text);
    }
}
END_TEST

static weir_stream build_parts_and_append(weir_dataflow *flow, void *arg)
{
    weir_stream rows = weir_read_rows(
        flow, &weir_line_type, &(weir_read){.path = arg, .format = WEIR_LINES, .split = true});
    append("one more\n");
    return rows;
}

START_TEST(parts_of_a_file_that_grew_lacked_rows)
{
    write_file("some\nlines\n", 11);
    char *text = run(build_parts_and_append, path, (weir_config){.workers = 2});
    ck_assert_msg(strstr(text, "has changed while workers read parts of it, from "), "%s", text);
    free(text);
    text = run(build_parts_and_append, path, (weir_config){.workers = 1});
    ck_assert_msg(strstr(text, "0 +1 some\n"), "%s", text);
    free(text);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    expect_error(build_lines, folder, "read_lines: cannot open `/tmp/weir-lines-");
    expect_error(build_lines, folder, ": Is a directory");
    expect_error(build_lines, path, "/text`: No such file or directory");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sources");
    TCase *tests = tcase_create("sources");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, generate_gives_rows_and_epochs);
    tcase_add_test(tests, generate_only_advances);
    tcase_add_test(tests, from_rows_copies);
    tcase_add_test(tests, lines_of_small_files);
    tcase_add_test(tests, lines_belong_to_one_worker);
    tcase_add_test(tests, lines_of_a_pipe);
    tcase_add_test(tests, a_file_that_became_shorter_looked_whole);
    tcase_add_test(tests, lines_of_a_file_that_changed_were_missing);
    tcase_add_test(tests, parts_of_a_file_that_grew_lacked_rows);
    tcase_add_test(tests, files_that_cannot_be_read);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
