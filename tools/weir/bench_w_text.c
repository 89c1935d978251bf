/* The figures of typed rows from text: files of a worker each, in memory's cache, are read by
 * weir_read_rows and their rows added up. The C loop looks for each field's end by memchr and reads
 * its digits one by one, from text that is in memory. */
#include "bench_w_rows.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HIT(F) F(i64, ts) F(weir_text, user) F(u64, bytes)
WEIR_ROW(hit, HIT)

enum { LINE_BYTES_MAX = 128 };

static uint64_t hit_hash(uint64_t ts, const char *user, size_t length, uint64_t bytes)
{
    return ts * 3 + bytes * 5 + length * 7 + (unsigned char)user[length - 1];
}

/* ---- text ------------------------------------------------------------------------------- */

static int put_line(char *to, bool json, uint64_t n, uint64_t keys)
{
    bench_w_row row = bench_w_make(n, keys);
    unsigned long long key = row.key, bytes = row.value << row.key % 12;
    long long ts = row.ts;
    if (json)
        return sprintf(to, "{\"ts\":%lld,\"user\":\"user-%06llx\",\"bytes\":%llu}\n", ts, key,
                       bytes);
    return sprintf(to, "%lld,user-%06llx,%llu\n", ts, key, bytes);
}

/* Worker w's part of the rows. */
static uint64_t first_of(const struct bench_args *args, unsigned w)
{
    return args->rows * w / args->workers;
}

static void failed(const char *what)
{
    perror(what);
    exit(1);
}

/* A file of a part; its bytes are added. */
static void write_part(const struct bench_args *args, unsigned w, bool json, char *path,
                       uint64_t *bytes_out)
{
    char line[LINE_BYTES_MAX];
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        failed(path);
    for (uint64_t n = first_of(args, w); n < first_of(args, w + 1); n++) {
        int length = put_line(line, json, n, args->keys);
        fwrite(line, 1, (size_t)length, file);
        *bytes_out += (uint64_t)length;
    }
    if (fclose(file) != 0)
        failed(path);
}

/* ---- weir ------------------------------------------------------------------------------- */

struct text {
    bool json;
    char (*paths)[64];
    const char **list; /* of them */
};

static void add_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    struct bench_part *part = bench_part_of(weir_op_arg(op), weir_op_worker(op));
    const hit *rows = batch->rows;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        sum += hit_hash((uint64_t)rows[i].ts, weir_text_at(&rows[i].user), rows[i].user.length,
                        rows[i].bytes);
    part->rows += batch->count;
    part->sum += sum;
}

static const weir_operator adding = {.name = "add", .stateless = true, .batch = add_rows};

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    const struct text *text = run->own;
    weir_dataflow *flow = weir_dataflow_begin(worker, "text");
    weir_stream rows = weir_read_rows(
        flow, &hit_type,
        &(weir_read){.paths = text->list, .format = text->json ? WEIR_JSON : WEIR_CSV});
    weir_sink(rows, WEIR_LOCAL, &adding, run);
    bench_built(worker, flow);
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

static void read_text(const struct bench_args *args, bool json, struct bench_result *result_out)
{
    struct text text = {.json = json};
    uint64_t bytes = 0, totals[2] = {0};
    text.paths = wi_calloc(args->workers, sizeof *text.paths);
    text.list = wi_calloc(args->workers + 1, sizeof *text.list);
    for (unsigned w = 0; w < args->workers; w++) {
        snprintf(text.paths[w], sizeof text.paths[w], "/tmp/weir-bench-XXXXXX");
        write_part(args, w, json, text.paths[w], &bytes);
        text.list[w] = text.paths[w];
    }
    struct bench_run *run = bench_run_workers(args, work, &text);
    for (unsigned w = 0; w < args->workers; w++) {
        totals[0] += run->parts[w].rows;
        totals[1] += run->parts[w].sum;
        unlink(text.paths[w]);
    }
    result_out->value = (double)bytes / 1e6 / bench_run_seconds(run);
    result_out->check = bench_check_fold(totals, 2);
    bench_run_free(run);
    wi_free(text.paths);
    wi_free(text.list);
}

void bench_w_csv(const struct bench_args *args, struct bench_result *result_out)
{
    read_text(args, false, result_out);
}

void bench_w_json(const struct bench_args *args, struct bench_result *result_out)
{
    read_text(args, true, result_out);
}

/* ---- the C loop ------------------------------------------------------------------------- */

static uint64_t digits(const char *at, const char *end)
{
    uint64_t number = 0;
    for (; at < end; at++)
        number = number * 10 + (unsigned char)(*at - '0');
    return number;
}

void bench_w_limit_csv(const struct bench_args *args, struct bench_result *result_out)
{
    char *text = wi_alloc(args->rows * 40 + LINE_BYTES_MAX), *end = text;
    uint64_t totals[2] = {args->rows, 0};
    for (uint64_t n = 0; n < args->rows; n++)
        end += put_line(end, false, n, args->keys);
    uint64_t begin_ns = bench_now_ns();
    for (const char *at = text; at < end;) {
        const char *user = memchr(at, ',', (size_t)(end - at));
        const char *bytes = memchr(user + 1, ',', (size_t)(end - user - 1));
        const char *newline = memchr(bytes + 1, '\n', (size_t)(end - bytes - 1));
        totals[1] += hit_hash(digits(at, user), user + 1, (size_t)(bytes - user - 1),
                              digits(bytes + 1, newline));
        at = newline + 1;
    }
    result_out->value =
        (double)(end - text) / 1e6 / ((double)(bench_now_ns() - begin_ns) / 1e9);
    result_out->check = bench_check_fold(totals, 2);
    wi_free(text);
}
