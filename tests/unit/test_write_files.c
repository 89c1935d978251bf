/* Files of segments: what is in them, against a list of the rows that were pushed; when they
 * appear; what is left after failures. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <weir/weir.h>

#include "tests/support/execution.h"

#define ITEM(F) F(i64, at) F(weir_text, word)
WEIR_ROW(item, ITEM)

static uint64_t next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- directories ------------------------------------------------------------------------ */

static char *new_directory(void)
{
    char *path = strdup("/tmp/weir-segments-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_itself(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static char *path_of(const char *directory, const char *name)
{
    char *path;
    ck_assert_int_ge(asprintf(&path, "%s/%s", directory, name), 0);
    return path;
}

static void remove_directory(char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, not_itself, by_name);
    for (int i = 0; i < count; i++) {
        char *file = path_of(path, names[i]->d_name);
        unlink(file);
        free(file);
        free(names[i]);
    }
    free(names);
    ck_assert_int_eq(rmdir(path), 0);
    free(path);
}

/* Names, with spaces between. */
static char *names_in(const char *path, int (*which)(const struct dirent *))
{
    struct dirent **names;
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    int count = scandir(path, &names, which, by_name);
    for (int i = 0; i < count; i++) {
        fprintf(to, "%s%s", i ? " " : "", names[i]->d_name);
        free(names[i]);
    }
    free(names);
    fclose(to);
    return text;
}

static void expect_names(const char *path, int (*which)(const struct dirent *),
                         const char *expected)
{
    char *names = names_in(path, which);
    ck_assert_str_eq(names, expected);
    free(names);
}

static char *unzstd(const char *bytes, size_t length)
{
    size_t capacity = 1 << 20;
    char *text = malloc(capacity);
    size_t used = ZSTD_decompress(text, capacity - 1, bytes, length); /* any number of frames */
    ck_assert(!ZSTD_isError(used));
    text[used] = 0;
    return text;
}

/* All of a file, decompressed. */
static char *read_file(const char *directory, const char *name)
{
    size_t capacity = 1 << 20;
    char *path = path_of(directory, name), *text = malloc(capacity);
    gzFile file = gzopen(path, "rb"); /* what is not compressed is given as it is */
    int length = gzread(file, text, (unsigned)capacity - 1);
    ck_assert_int_ge(length, 0);
    gzclose(file);
    text[length] = 0;
    free(path);
    if (!strstr(name, ".zst"))
        return text;
    char *plain = unzstd(text, (size_t)length);
    free(text);
    return plain;
}

static void expect_file(const char *directory, const char *name, const char *expected)
{
    char *text = read_file(directory, name);
    ck_assert_str_eq(text, expected);
    free(text);
}

/* ---- what was pushed, segment by segment ------------------------------------------------ */

typedef struct pushed {
    char name[100];
    char line[60];
    int64_t diff;
} pushed;

typedef struct job {
    weir_write how;
    uint64_t seed, start;
    uint32_t rows; /* row i is pushed by worker i modulo their number */
    pthread_mutex_t lock;
    pushed *all;
    uint32_t count;
    uint64_t announced_rows;
    uint32_t announced;
} job;

/* In slow words: where an epoch belongs. */
static void name_of(const job *of, uint64_t epoch, uint32_t worker, char *name)
{
    __int128 every = of->how.every ? of->how.every : 1;
    __int128 value = of->how.event_time ? (__int128)weir_event_time(epoch) : (__int128)epoch;
    __int128 least = of->how.event_time ? (__int128)INT64_MIN : 0, first = value;
    while (first % every != 0 && first > least)
        first--;
    char text[64], part[16] = "";
    if (!of->how.event_time)
        sprintf(text, "%020llu", (unsigned long long)first);
    else if (first >= 0)
        sprintf(text, "p%019lld", (long long)first);
    else
        sprintf(text, "m%019llu",
                (unsigned long long)(first + (__int128)UINT64_C(10000000000000000000)));
    if (of->how.per_worker)
        sprintf(part, "-w%04u", worker);
    sprintf(name, "%s-%s%s.%s", of->how.prefix, text, part, of->how.extension);
}

static void note(job *to, const item *row, uint64_t epoch, int64_t diff, uint32_t worker)
{
    bool csv = strncmp(to->how.extension, "csv", 3) == 0;
    pthread_mutex_lock(&to->lock);
    pushed *at = &to->all[to->count++];
    name_of(to, epoch, worker, at->name);
    at->diff = diff;
    const char *comma = csv ? "," : "\t";
    sprintf(at->line, "%lld%s%.*s", (long long)row->at, comma, (int)row->word.length,
            weir_text_at(&row->word));
    if (strncmp(to->how.extension, "jsonl", 5) == 0)
        sprintf(at->line, "\"at\":%lld,\"word\":\"%.*s\"}", (long long)row->at,
                (int)row->word.length, weir_text_at(&row->word));
    pthread_mutex_unlock(&to->lock);
}

WEIR_EACH(count_segment, weir_segment)
{
    job *of = arg;
    pthread_mutex_lock(&of->lock);
    of->announced++;
    of->announced_rows += in->rows;
    if (time->at[0] != in->last || diff != 1 || in->bytes == 0)
        of->announced_rows += 1000000;
    pthread_mutex_unlock(&of->lock);
}

static const char *const words[] = {"", "a", "some word", "a word that is longer than others"};

static void push_random(weir_worker *worker, void *arg)
{
    job *to = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "files");
    weir_stream rows = weir_input_new(flow, &item_type, &input);
    weir_each(weir_write_files(rows, &to->how), &count_segment, to);
    if (!test_end(flow))
        return;
    uint32_t index = weir_worker_index(worker);
    for (uint32_t i = index; i < to->rows; i += weir_worker_count(worker)) {
        uint64_t seed = to->seed + i * UINT64_C(1000003);
        uint64_t base = to->start + i / 8, epoch = base + next(&seed) % 6;
        weir_input_advance(input, base);
        weir_out *out = weir_input_out(input);
        const char *word = words[next(&seed) % 4];
        item row = {(int64_t)(next(&seed) % 4) - 2, weir_text_c(word)};
        int64_t diff = next(&seed) % 3 ? 1 : (int64_t)(next(&seed) % 5) - 2;
        weir_out_time(out, &WEIR_EPOCH(epoch));
        weir_out_diff(out, diff);
        item_push(out, row);
        note(to, &row, epoch, diff, index);
        if (next(&seed) % 4 == 0)
            weir_input_flush(input);
        if (next(&seed) % 4 == 0)
            weir_step(worker);
    }
    weir_input_close(&input);
}

static int compare_pushed(const void *a, const void *b)
{
    const pushed *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->line, y->line);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in another order, that of strcmp, without the header. */
static char *sorted_lines(char *text, const char *header)
{
    char *lines[4096], *sorted, *from = text + strlen(header);
    size_t bytes;
    uint32_t count = 0;
    ck_assert_msg(strncmp(text, header, strlen(header)) == 0, "no header: %s", text);
    for (char *line; (line = strsep(&from, "\n")) && from;)
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    FILE *to = open_memstream(&sorted, &bytes);
    for (uint32_t i = 0; i < count; i++)
        fprintf(to, "%s\n", lines[i]);
    fclose(to);
    return sorted;
}

/* The lines of all[begin, end), all of one segment, in strcmp's order. */
static char *expected_lines(const job *of, uint32_t begin, uint32_t end)
{
    bool json = strncmp(of->how.extension, "jsonl", 5) == 0;
    bool csv = strncmp(of->how.extension, "csv", 3) == 0;
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    for (uint32_t i = begin; i < end;) {
        int64_t diff = of->all[i].diff;
        uint32_t at = i++;
        for (; of->how.sorted && i < end && strcmp(of->all[i].line, of->all[at].line) == 0; i++)
            diff += of->all[i].diff;
        if (of->how.sorted && diff == 0)
            continue;
        fprintf(to, json ? "{\"diff\":%lld,%s\n" : csv ? "%lld,%s\n" : "%lld\t%s\n",
                (long long)diff, of->all[at].line);
    }
    fclose(to);
    char *sorted = sorted_lines(text, "");
    free(text);
    return sorted;
}

static void check_files(job *of)
{
    static const char header_tsv[] = "diff\tat\tword\n", header_csv[] = "diff,at,word\n";
    const char *header = !of->how.header                            ? ""
                         : strncmp(of->how.extension, "tsv", 3) == 0 ? header_tsv
                         : strncmp(of->how.extension, "csv", 3) == 0 ? header_csv
                                                                    : "";
    uint32_t files = 0;
    char *names, *all_names = names_in(of->how.directory, not_itself);
    size_t bytes;
    FILE *expected_names = open_memstream(&names, &bytes);
    if (of->count)
        qsort(of->all, of->count, sizeof *of->all, compare_pushed);
    for (uint32_t begin = 0, end; begin < of->count; begin = end) {
        for (end = begin + 1; end < of->count; end++)
            if (strcmp(of->all[begin].name, of->all[end].name) != 0)
                break;
        char *expected = expected_lines(of, begin, end);
        if (*expected) {
            char *text = read_file(of->how.directory, of->all[begin].name);
            char *lines = sorted_lines(text, header);
            ck_assert_str_eq(lines, expected);
            free(lines);
            free(text);
            fprintf(expected_names, "%s%s", files++ ? " " : "", of->all[begin].name);
        }
        free(expected);
    }
    fclose(expected_names);
    ck_assert_str_eq(all_names, names);
    ck_assert_uint_eq(of->announced, files);
    if (!of->how.sorted)
        ck_assert_uint_eq(of->announced_rows, of->count);
    else
        ck_assert_uint_lt(of->announced_rows, 1000000);
    free(names);
    free(all_names);
}

/* Everything, one file behind the other. */
static char *all_text(const char *path)
{
    struct dirent **names;
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    int count = scandir(path, &names, visible, by_name);
    for (int i = 0; i < count; i++) {
        char *file = read_file(path, names[i]->d_name);
        fprintf(to, "%s:\n%s", names[i]->d_name, file);
        free(file);
        free(names[i]);
    }
    free(names);
    fclose(to);
    return text;
}

static weir_write random_write(uint64_t *seed)
{
    static const char *const extensions[] = {"tsv",    "csv",     "jsonl",   "csv.gz",
                                             "tsv.gz", "tsv.zst", "jsonl.zst"};
    static const uint64_t everies[] = {0, 1, 3, 100};
    return (weir_write){.prefix = next(seed) % 2 ? "rows" : "a.b-c",
                        .extension = extensions[next(seed) % 7],
                        .header = next(seed) % 2,
                        .diffs = WEIR_DIFFS_ALL,
                        .every = everies[next(seed) % 4],
                        .event_time = next(seed) % 2,
                        .sorted = next(seed) % 2,
                        .per_worker = next(seed) % 3 == 0,
                        .unsynced = next(seed) % 2};
}

START_TEST(segments_have_the_rows_of_their_epochs)
{
    static const uint64_t starts[] = {0, 7, (UINT64_C(1) << 63) - 20, UINT64_MAX - 60};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)(test_seconds() * 1e9);
    printf("SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 6; round++) {
        job of = {.how = random_write(&seed)};
        of.seed = next(&seed);
        of.start = starts[next(&seed) % 4];
        char *first = NULL;
        pthread_mutex_init(&of.lock, NULL);
        for (int way = 0; way < TEST_WAYS; way += 1 + (int)(next(&seed) % 3)) {
            char *directory = new_directory();
            of.how.directory = directory;
            of.rows = 360; /* so that all is before the end of time */
            of.all = calloc(of.rows, sizeof *of.all);
            of.count = of.announced = 0;
            of.announced_rows = 0;
            test_run(&test_ways[way], push_random, &of);
            check_files(&of);
            char *text = all_text(directory);
            if (first && of.how.sorted && !of.how.per_worker)
                ck_assert_str_eq(text, first);
            if (way == 0)
                first = text;
            else
                free(text);
            free(of.all);
            remove_directory(directory);
        }
        free(first);
        pthread_mutex_destroy(&of.lock);
    }
}
END_TEST

/* ---- when they appear ------------------------------------------------------------------- */

typedef struct stepping {
    char *directory;
    bool sorted;
    _Atomic(uint32_t) met;
    test_notes wrong;
} stepping;

static void look(stepping *of, const char *expected)
{
    char *names = names_in(of->directory, visible);
    if (strcmp(names, expected) != 0)
        test_note(&of->wrong, "`%s` instead of `%s`;", names, expected);
    free(names);
}

/* Worker 0's own view of what is there, when an epoch is complete and later ones are not. */
static void push_in_steps(weir_worker *worker, void *arg)
{
    stepping *of = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "steps");
    weir_stream rows = weir_input_new(flow, &item_type, &input);
    weir_write how = {.directory = of->directory, .prefix = "s", .every = 2, .sorted = of->sorted};
    weir_probe *probe = weir_probe_new(weir_write_files(rows, &how));
    if (!test_end(flow))
        return;
    bool first = weir_worker_index(worker) == 0;
    char expected[4096] = "";
    for (uint64_t epoch = 0; epoch < 12; epoch++) {
        for (uint64_t later = 0; later < 3; later++) {
            weir_out *out = weir_input_out(input);
            weir_out_time(out, &WEIR_EPOCH(epoch + later));
            item_push(out, (item){(int64_t)(epoch + later), weir_text_c("x")});
        }
        weir_input_advance(input, epoch + 1);
        weir_probe_wait(worker, probe, epoch % 2 ? epoch + 1 : epoch);
        test_meet(worker, &of->met);
        if (epoch % 2)
            sprintf(expected + strlen(expected), "%ss-%020d.tsv", epoch > 1 ? " " : "",
                    (int)epoch - 1);
        if (first)
            look(of, expected);
        test_meet(worker, &of->met);
    }
    weir_input_close(&input);
}

START_TEST(a_segment_appears_when_its_epochs_are_complete)
{
    stepping of = {.directory = new_directory(), .sorted = _i >= TEST_WAYS, .wrong = TEST_NOTES};
    test_run(&test_ways[_i % TEST_WAYS], push_in_steps, &of);
    ck_assert_str_eq(test_notes_text(&of.wrong), "");
    expect_names(of.directory, not_itself,
                 "s-00000000000000000000.tsv s-00000000000000000002.tsv "
                 "s-00000000000000000004.tsv s-00000000000000000006.tsv "
                 "s-00000000000000000008.tsv s-00000000000000000010.tsv "
                 "s-00000000000000000012.tsv");
    remove_directory(of.directory);
}
END_TEST

/* ---- what was there before, and what goes wrong ----------------------------------------- */

static const item some[] = {{1, {.length = 1, .prefix = "b"}}, {1, {.length = 1, .prefix = "a"}}};

typedef struct once {
    weir_write how;
    const char *after; /* stop the run, with this reason, once a row has been written */
    uint32_t copies;
} once;

static void write_some(weir_worker *worker, void *arg)
{
    const once *of = arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "once");
    weir_stream rows = weir_input_new(flow, &item_type, &input);
    weir_write_files(rows, &of->how);
    if (!test_end(flow))
        return;
    for (uint32_t i = 0; i <= of->copies && weir_worker_index(worker) == 0; i++)
        for (uint32_t r = 0; r < 2; r++)
            item_push(weir_input_out(input), some[r]);
    weir_input_flush(input);
    for (int i = 0; i < 100 && of->after; i++)
        weir_step(worker);
    if (of->after)
        weir_stop(worker, "%s", of->after);
    weir_input_close(&input);
}

static void put_file(const char *directory, const char *name, const char *text)
{
    char *path = path_of(directory, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    free(path);
}

#define FIRST "r-00000000000000000000.tsv"

START_TEST(existing_segments_are_replaced_kept_or_refused)
{
    char *directory = new_directory();
    weir_config config = {.workers = 2};
    once of = {.how = {.directory = directory, .prefix = "r", .sorted = true}};
    put_file(directory, FIRST, "old\n");
    of.how.existing = WEIR_EXISTING_KEEP;
    test_run(&config, write_some, &of);
    expect_file(directory, FIRST, "old\n");
    of.how.existing = WEIR_EXISTING_REFUSE;
    test_stops(&config, write_some, &of, "write_files", FIRST, "is there already", NULL);
    expect_file(directory, FIRST, "old\n");
    of.how.existing = WEIR_EXISTING_REPLACE;
    test_run(&config, write_some, &of);
    expect_file(directory, FIRST, "1\ta\n1\tb\n");
    expect_names(directory, not_itself, FIRST);
    remove_directory(directory);
}
END_TEST

START_TEST(what_others_left_half_written_is_removed)
{
    static const char *const others[] = {".r-0000000000000000000.tsv.part",
                                         ".r-00000000000000000001.csv.part",
                                         ".r-00000000000000000001.tsv.part2",
                                         ".r-x0000000000000000001.tsv.part",
                                         ".r-00000000000000000001-w000.tsv.part",
                                         ".r-w0003.csv.lock",
                                         ".rr-00000000000000000001.tsv.part",
                                         "r-00000000000000000001.tsv.part",
                                         ".r-00000000000000000001.tsv"};
    char *directory = new_directory();
    once of = {.how = {.directory = directory, .prefix = "r"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        put_file(directory, others[i], "");
    char *before = names_in(directory, not_itself), *both;
    put_file(directory, ".r-00000000000000000000.tsv.part", "half");
    put_file(directory, ".r-18446744073709551615.tsv.part", "half");
    /* Also by a job that wrote in another way. */
    put_file(directory, ".r-p0000000000000000001.tsv.part", "half");
    put_file(directory, ".r-00000000000000000001-w0001.tsv.part", "half");
    put_file(directory, ".r-w0003.tsv.lock", "");
    test_run(&(weir_config){.workers = 2}, write_some, &of);
    ck_assert_int_ge(asprintf(&both, "%s " FIRST, before), 0);
    char *after = names_in(directory, not_itself);
    ck_assert_uint_eq(strlen(after), strlen(both)); /* in their order */
    char *own = path_of(directory, FIRST);
    unlink(own);
    expect_names(directory, not_itself, before);
    free(own);
    free(after);
    free(both);
    free(before);
    /* With numbers of workers, those of workers that are no more, too. */
    of.how.per_worker = true;
    put_file(directory, ".r-00000000000000000000-w0007.tsv.part", "half");
    put_file(directory, ".r-00000000000000000000.tsv.part", "half");
    put_file(directory, ".r-w0007.tsv.lock", "");
    test_run(&(weir_config){.workers = 2}, write_some, &of);
    char *names = names_in(directory, not_itself);
    ck_assert_ptr_null(strstr(names, "w0007"));
    ck_assert_ptr_null(strstr(names, ".r-00000000000000000000.tsv.part"));
    free(names);
    remove_directory(directory);
}
END_TEST

START_TEST(two_runs_in_a_directory_took_rows_from_each_other)
{
    char *directory = new_directory();
    once of = {.how = {.directory = directory, .prefix = "r", .sorted = true}};
    char *name = path_of(directory, ".r-w0000.tsv.lock");
    int held = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    test_stops(&(weir_config){.workers = 2}, write_some, &of,
               ".r-w0000.tsv.lock` is held by somebody else who writes such files", NULL);
    of.how.per_worker = true;
    test_stops(&(weir_config){.workers = 2}, write_some, &of,
               ".r-w0000.tsv.lock` is held by somebody else who writes such files", NULL);
    of.how.per_worker = false;
    /* Who dies holds nothing, whatever it leaves. */
    close(held);
    test_run(&(weir_config){.workers = 2}, write_some, &of);
    expect_file(directory, FIRST, "1\ta\n1\tb\n");
    ck_assert_int_lt(access(name, F_OK), 0);
    free(name);
    remove_directory(directory);
}
END_TEST

START_TEST(a_run_that_is_stopped_leaves_nothing)
{
    char *directory = new_directory();
    once of = {.how = {.directory = directory, .prefix = "r"}, .after = "enough", .copies = 100000};
    test_stops(&(weir_config){.workers = 2}, write_some, &of, "enough", NULL);
    expect_names(directory, not_itself, "");
    remove_directory(directory);
}
END_TEST

static int write_too_much(void *arg)
{
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
    weir_err *err = weir_execute(&(weir_config){.workers = 2}, write_some, arg);
    return weir_report(err, 1);
}

START_TEST(a_file_that_cannot_be_written_stops_the_run)
{
    char *directory = new_directory();
    once of = {.how = {.directory = directory, .prefix = "r"}, .copies = 100000};
    test_child child = test_child_run(write_too_much, &of);
    ck_assert_int_eq(child.code, 1);
    ck_assert_ptr_nonnull(strstr(child.err, "cannot write"));
    ck_assert_ptr_nonnull(strstr(child.err, "File too large"));
    expect_names(directory, not_itself, "");
    test_child_free(&child);
    remove_directory(directory);
}
END_TEST

START_TEST(a_row_without_a_place_for_its_diff_stops_the_run)
{
    char *directory = new_directory();
    job of = {.how = {.directory = directory, .prefix = "r", .extension = "csv"},
              .seed = 5,
              .rows = 200,
              .all = calloc(400, sizeof(pushed)),
              .lock = PTHREAD_MUTEX_INITIALIZER};
    test_stops(&(weir_config){.workers = 2}, push_random, &of, "has a row with a diff of",
               "WEIR_DIFFS_ALL", NULL);
    free(of.all);
    remove_directory(directory);
}
END_TEST

START_TEST(equal_rows_of_a_segment_have_a_line_each)
{
    char *directory = new_directory();
    once of = {.how = {.directory = directory,
                       .prefix = "r",
                       .extension = "csv",
                       .header = true,
                       .sorted = true,
                       .diffs = WEIR_DIFFS_LINES},
               .copies = 2};
    test_run(&(weir_config){.workers = 2}, write_some, &of);
    expect_file(directory, "r-00000000000000000000.csv",
                "at,word\n1,a\n1,a\n1,a\n1,b\n1,b\n1,b\n");
    remove_directory(directory);
}
END_TEST

START_TEST(mistakes_are_found_while_building)
{
    char *directory = new_directory(), *missing = path_of(directory, "a/b"),
         *file = path_of(directory, "file"), *made = path_of(directory, "made");
    weir_config config = {.workers = 2};
    put_file(directory, "file", "");
    once of = {.how = {.directory = directory, .prefix = "Words"}};
    test_stops(&config, write_some, &of, "`Words` cannot be a prefix of names", NULL);
    of.how.prefix = "../r";
    test_stops(&config, write_some, &of, "`../r` cannot be a prefix of names", NULL);
    of.how.prefix = NULL;
    test_stops(&config, write_some, &of, "cannot be a prefix of names", NULL);
    of.how.prefix = "r";
    of.how.extension = "csv.xz";
    test_stops(&config, write_some, &of, "there is no extension `csv.xz`", NULL);
    of.how.extension = NULL;
    of.how.directory = NULL;
    test_stops(&config, write_some, &of, "write_files", NULL);
    of.how.directory = missing;
    test_stops(&config, write_some, &of, "cannot make the directory", "a/b", NULL);
    of.how.directory = file;
    test_stops(&config, write_some, &of, "cannot open the directory", NULL);
    of.how.directory = made;
    test_run(&config, write_some, &of);
    expect_names(made, not_itself, FIRST);
    remove_directory(made);
    free(file);
    free(missing);
    remove_directory(directory);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, segments_have_the_rows_of_their_epochs);
    tcase_add_loop_test(cases, a_segment_appears_when_its_epochs_are_complete, 0, 2 * TEST_WAYS);
    tcase_add_test(cases, existing_segments_are_replaced_kept_or_refused);
    tcase_add_test(cases, what_others_left_half_written_is_removed);
    tcase_add_test(cases, two_runs_in_a_directory_took_rows_from_each_other);
    tcase_add_test(cases, a_run_that_is_stopped_leaves_nothing);
    tcase_add_test(cases, a_file_that_cannot_be_written_stops_the_run);
    tcase_add_test(cases, a_row_without_a_place_for_its_diff_stops_the_run);
    tcase_add_test(cases, equal_rows_of_a_segment_have_a_line_each);
    tcase_add_test(cases, mistakes_are_found_while_building);
    return test_main("write_files", cases);
}
