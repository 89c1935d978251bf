/* Typed rows from CSV: a time, a text and a number. The file is made first, and unlinked, so that
 * it lies in the page cache; the clock runs from before it is opened until all rows are added up.
 * The limit is a C loop over the mapped file that knows the columns and believes what it reads. */
#include "bench_w_rows.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HIT(F) F(i64, ts) F(weir_text, user) F(u64, bytes)
WEIR_ROW(hit, HIT)

enum { ROW_BYTES_MAX = 64, PATH_BYTES = 64 };

static inline uint64_t hash_of(int64_t ts, const char *user, size_t length, uint64_t bytes)
{
    return (uint64_t)ts * 3 + bytes * 7 + length + (unsigned char)user[length - 1];
}

static void fail(const char *what)
{
    fprintf(stderr, "weir bench-run: %s: %s\n", what, strerror(errno));
    exit(1);
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *to++ = digits[--count];
    return to;
}

/* Gives a descriptor, by which it can be opened for as long as it is open, and its size. */
static int make_file(uint64_t rows, size_t *bytes_out)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/weir-bench-XXXXXX", folder ? folder : "/tmp") < 0)
        abort();
    int file = mkstemp(path);
    if (file < 0)
        fail(path);
    unlink(path);
    free(path);
    FILE *to = fdopen(dup(file), "w");
    fputs("ts,user,bytes\n", to);
    for (uint64_t n = 0; n < rows; n++) {
        bench_w_row row = bench_w_make(n, 100000);
        char line[ROW_BYTES_MAX], *at = put_number(line, (uint64_t)row.ts);
        memcpy(at, ",user-", 6);
        at = put_number(at + 6, row.key);
        *at++ = ',';
        at = put_number(at, row.value * row.value);
        *at++ = '\n';
        fwrite(line, 1, (size_t)(at - line), to);
    }
    *bytes_out = (size_t)ftell(to);
    if (fclose(to) != 0)
        fail("a file of CSV");
    return file;
}

static void finish(const uint64_t totals[2], size_t bytes, double seconds,
                   struct bench_result *result_out)
{
    result_out->value = (double)bytes / 1e6 / seconds;
    result_out->check = bench_check_fold(totals, 2);
}

/* ---- weir ------------------------------------------------------------------------------- */

static void add_hits(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct bench_part *part = bench_part_of(weir_op_arg(op), weir_op_worker(op));
    for (uint32_t i = 0; i < batch->count; i++) {
        const hit *it = hit_at(batch, i);
        part->sum += hash_of(it->ts, weir_text_at(&it->user), it->user.length, it->bytes);
    }
    part->rows += batch->count;
}

static const weir_operator adding = {.name = "add", .stateless = true, .batch = add_hits};

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_dataflow *flow = weir_dataflow_begin(worker, "csv");
    weir_stream hits = weir_read_rows(
        flow, &hit_type,
        &(weir_read){.path = run->own, .format = WEIR_CSV, .header = true, .split = true});
    weir_sink(hits, WEIR_LOCAL, &adding, run);
    bench_built(worker, flow);
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

void bench_w_csv(const struct bench_args *args, struct bench_result *result_out)
{
    size_t bytes;
    char path[PATH_BYTES];
    uint64_t totals[2] = {0};
    int file = make_file(args->rows, &bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct bench_run *run = bench_run_workers(args, work, path);
    for (unsigned i = 0; i < args->workers; i++) {
        totals[0] += run->parts[i].rows;
        totals[1] += run->parts[i].sum;
    }
    finish(totals, bytes, bench_run_seconds(run), result_out);
    bench_run_free(run);
    close(file);
}

/* ---- the limit -------------------------------------------------------------------------- */

static inline uint64_t take_number(const char **at)
{
    uint64_t number = 0;
    for (; **at >= '0'; ++*at) /* a comma and a newline are below */
        number = number * 10 + (uint64_t)(**at - '0');
    ++*at;
    return number;
}

void bench_w_limit_csv(const struct bench_args *args, struct bench_result *result_out)
{
    size_t bytes;
    uint64_t totals[2] = {0};
    int file = make_file(args->rows, &bytes);
    uint64_t begin_ns = bench_now_ns();
    char *text = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (text == MAP_FAILED)
        fail("mmap");
    const char *at = memchr(text, '\n', bytes), *end = text + bytes;
    for (at++; at < end; totals[0]++) {
        int64_t ts = (int64_t)take_number(&at);
        const char *user = at;
        while (*at != ',')
            at++;
        size_t length = (size_t)(at++ - user);
        totals[1] += hash_of(ts, user, length, take_number(&at));
    }
    finish(totals, bytes, (double)(bench_now_ns() - begin_ns) / 1e9, result_out);
    munmap(text, bytes);
    close(file);
}
