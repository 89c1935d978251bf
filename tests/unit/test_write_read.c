/* What write_files has written, read_rows reads: the same rows, in every format, packed or not,
 * by any number of workers. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define MIXED(F)                                                                               \
    F(i64, a) F(u8, b) F(f64, c) F(f32, d) F(bool, e) F(weir_text, f) F(weir_bytes, g)         \
        F(weir_byte, h, 3) F(i16, i, 2) F(f32, j, 2, 2) F(weir_time_us, k) F(u64, l)
WEIR_ROW(mixed, MIXED)

#define ROWS 300
#define TEXT_BYTES 200

typedef struct trip {
    char directory[40];
    const char *extension;
    bool header, sorted;
    uint64_t seed;
    test_list in, out;
} trip;

static uint64_t next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* JSON can say only what is UTF-8. */
static weir_text some_text(uint64_t *seed, char *room, bool utf8)
{
    static const char *const pieces[] = {"a",  "bc", ",",  "\"", "\n",   "\r",  "\t",
                                         "\\", " ",  "\b", "/",  "\x7f", "{",   "\xc3\xa9",
                                         "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x80", "\xff"};
    uint32_t length = 0, count = (uint32_t)(next(seed) % 40);
    for (uint32_t i = 0; i < count; i++) {
        const char *piece = pieces[next(seed) % (utf8 ? 16 : 18)];
        memcpy(room + length, piece, strlen(piece));
        length += (uint32_t)strlen(piece);
    }
    return weir_text_of(room, length);
}

static double some_number(uint64_t *seed)
{
    static const double some[] = {0,     -0.0,     1,         0.1, -2.5e-9,
                                  1e300, INFINITY, -INFINITY, NAN, 5e-324};
    uint64_t bits = next(seed) >> 2; /* not NaN, nor infinite */
    double any;
    memcpy(&any, &bits, sizeof any);
    return next(seed) % 2 ? some[next(seed) % 10] : any;
}

static mixed some_row(uint64_t *seed, char rooms[2][TEXT_BYTES], bool utf8)
{
    mixed row = {.a = (int64_t)(next(seed) >> next(seed) % 64),
                 .b = (uint8_t)next(seed),
                 .c = some_number(seed),
                 .d = (float)some_number(seed),
                 .e = next(seed) % 2,
                 .f = some_text(seed, rooms[0], utf8),
                 .g = some_text(seed, rooms[1], false),
                 .h = {(uint8_t)next(seed), 0, 255},
                 .i = {(int16_t)next(seed), -1},
                 .j = {{1.5f, (float)some_number(seed)}, {NAN, -0.0f}},
                 .k = (int64_t)next(seed),
                 .l = next(seed)};
    return row;
}

static void write_them(weir_worker *worker, void *arg)
{
    trip *of = arg;
    char rooms[2][TEXT_BYTES];
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "write");
    weir_stream rows = weir_input_new(flow, &mixed_type, &input);
    weir_write how = {.directory = of->directory,
                      .prefix = "rows",
                      .extension = of->extension,
                      .header = of->header,
                      .sorted = of->sorted,
                      .unsynced = true,
                      .every = 3};
    weir_write_files(test_watch(weir_delay(rows, 0), &of->in), &how);
    if (!test_end(flow))
        return;
    for (uint64_t i = weir_worker_index(worker); i < ROWS; i += weir_worker_count(worker)) {
        uint64_t seed = of->seed + i * 977;
        weir_input_advance(input, i / 10);
        mixed_push(weir_input_out(input),
                   some_row(&seed, rooms, strncmp(of->extension, "jsonl", 5) == 0));
    }
    weir_input_close(&input);
}

static void read_them(weir_worker *worker, void *arg)
{
    trip *of = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "read");
    weir_stream rows = weir_read_rows(
        flow, &mixed_type,
        &(weir_read){.path = of->directory, .header = of->header, .strict = true});
    test_watch(rows, &of->out);
    test_end(flow);
}

/* Without times, which are not in files. */
static char *rows_of(test_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        list->updates[i].time = WEIR_EPOCH(0);
    return test_list_text(list);
}

static void remove_files(const char *directory)
{
    DIR *files = opendir(directory);
    for (struct dirent *entry; (entry = readdir(files));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    closedir(files);
    rmdir(directory);
}

START_TEST(files_are_read_as_the_rows_that_were_written)
{
    static const char *const extensions[] = {"tsv",    "csv",     "jsonl",   "csv.gz",
                                             "tsv.gz", "tsv.zst", "jsonl.zst"};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)(test_seconds() * 1e9);
    printf("SEED=%llu\n", (unsigned long long)seed);
    for (int i = 0; i < 14; i++) {
        trip of = {.directory = "/tmp/weir-trip-XXXXXX",
                   .extension = extensions[i % 7],
                   .header = i / 7,
                   .sorted = next(&seed) % 2,
                   .seed = next(&seed)};
        test_list_init(&of.in, 1);
        test_list_init(&of.out, 1);
        ck_assert_ptr_nonnull(mkdtemp(of.directory));
        test_run(&test_ways[next(&seed) % TEST_WAYS], write_them, &of);
        test_run(&test_ways[next(&seed) % TEST_WAYS], read_them, &of);
        char *in = rows_of(&of.in), *out = rows_of(&of.out);
        ck_assert_str_eq(out, in);
        ck_assert_uint_gt(strlen(in), 1000);
        free(in);
        free(out);
        test_list_fini(&of.in);
        test_list_fini(&of.out);
        remove_files(of.directory);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, files_are_read_as_the_rows_that_were_written);
    return test_main("write_read", cases);
}
