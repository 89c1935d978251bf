/* Counts the words of a text file. A word is a maximal run of ASCII letters, in lower case.
 * Each worker reads its part of the file; words are exchanged by their hash and counted where
 * they arrive. The clock runs from before the file is opened until every count is final.
 * MB/s, where 1 MB is 10^6 bytes. */
#include "bench_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LINE(F) F(weir_text, text)
#define WORD(F) F(weir_text, word)
#define TALLY(F) F(weir_text, word) F(i64, count)
WEIR_ROW(line, LINE)
WEIR_ROW(word, WORD)
WEIR_ROW(tally, TALLY)

WEIR_MAP(lower, line, line) { out->text = weir_text_lower(into, &in->text); }

WEIR_FLAT_MAP(split, line, word)
{
    weir_text token;
    for (weir_cursor at = weir_text_begin(in->text); weir_next_letters(&at, &token);)
        word_push(out, (word){token});
}

static void add_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    struct bench_part *part = bench_part_of(weir_op_arg(op), weir_op_worker(op));
    for (uint32_t i = 0; i < batch->count; i++) {
        const tally *it = tally_at(batch, i);
        uint64_t diff = (uint64_t)weir_batch_diff(batch, i), count = (uint64_t)it->count * diff;
        part->rows += count;
        part->sum += bench_fnv1a(weir_text_at(&it->word), it->word.length) * count;
        part->distinct += diff;
    }
}

static const weir_operator summing = {.name = "sum", .stateless = true, .batch = add_batch};

/* weir_count or weir_group_count. */
typedef weir_stream count_fn(weir_stream in, weir_key key, const weir_type *out);

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    count_fn *const *count = run->own;
    pthread_barrier_wait(&run->start);
    uint64_t begin = bench_now_ns();
    weir_dataflow *flow = weir_dataflow_begin(worker, "word_count");
    weir_stream lines = weir_map(weir_read_lines(flow, run->args->file), &lower);
    weir_stream words = weir_flat_map(lines, &split);
    weir_stream counts = (*count)(words, WEIR_BY(word, word), &tally_type);
    weir_sink(counts, WEIR_LOCAL, &summing, run);
    bench_built(worker, flow);
    weir_run(worker);
    bench_part_of(run, worker)->elapsed_ns = bench_now_ns() - begin;
}

static void run_with(count_fn *count, const struct bench_args *args,
                     struct bench_result *result_out)
{
    struct stat file;
    if (!args->file || stat(args->file, &file) < 0) {
        fprintf(stderr, "weir bench-run: %s needs --file FILE, a file that exists\n",
                args->figure);
        exit(2);
    }
    struct bench_run *run = bench_run_workers(args, work, &count);
    uint64_t totals[3] = {0};
    for (unsigned i = 0; i < args->workers; i++) {
        totals[0] += run->parts[i].rows;
        totals[1] += run->parts[i].distinct;
        totals[2] += run->parts[i].sum;
    }
    result_out->value = (double)file.st_size / 1e6 / bench_run_seconds(run);
    result_out->check = bench_check_fold(totals, 3);
    bench_run_free(run);
}

void bench_word_count(const struct bench_args *args, struct bench_result *result_out)
{
    run_with(weir_count, args, result_out);
}

void bench_words(const struct bench_args *args, struct bench_result *result_out)
{
    run_with(weir_group_count, args, result_out);
}
