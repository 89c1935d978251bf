/* weir window: event-time windows over a file, from the command line.
 *
 * A weir program like any other: it takes -w, and runs as a cluster under `weir launch`. Worker 0
 * reads the file; rows are stamped there, folded by the workers of their keys, and their results
 * are printed by worker 0, sorted: as windows close, where that is the order in which they are
 * printed, otherwise once there are no more. */
#include "command.h"

#include "window.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static weir_time at_the_end(WEIR_UNUSED const weir_time *time, WEIR_UNUSED void *arg)
{
    return WEIR_EPOCH(UINT64_MAX);
}

/* On worker 0. */
static void count_results(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    window_job *job = arg;
    for (uint32_t i = 0; i < batch->count; i++)
        job->counts.windows += weir_batch_diff(batch, i);
}

static void count_missed(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    window_job *job = arg;
    const weir_missed *missed = batch->rows;
    for (uint32_t i = 0; i < batch->count; i++) {
        job->counts.missed++;
        job->counts.late += missed[i].late;
        job->counts.pairs += (uint64_t)missed[i].windows;
    }
}

static void work(weir_worker *worker, void *arg)
{
    window_job *job = arg;
    window_plan *plan = job->plan;
    bool first = weir_worker_index(worker) == 0;
    weir_dataflow *flow = weir_dataflow_begin(worker, "window");
    weir_late late;
    weir_stream rows = window_read(flow, job);
    if (plan->pacing.speed > 0)
        rows = weir_pace(rows, &plan->pacing);
    rows = weir_watermarks(rows, &plan->policy);
    if (job->progress)
        rows = weir_inspect_batch(rows, window_progress_look, job);
    weir_stream results =
        weir_window(rows, &plan->windows, plan->key, &plan->fold, plan, &late);
    results = weir_inspect_batch(weir_gather(results, 0), count_results, job);
    if (!plan->as_they_close)
        results = weir_delay_to(results, at_the_end, NULL);
    weir_print_as(results, stdout,
                  &(weir_print_how){.format = job->json ? WEIR_JSON : WEIR_TSV});
    weir_inspect_batch(weir_gather(late.missed, 0), count_missed, job);
    if (job->late)
        weir_print_as(late.rows, job->late, &(weir_print_how){.diffs = WEIR_DIFFS_LINES});
    if (first)
        job->counts.here = true;
    if (weir_dataflow_end_or_stop(flow))
        weir_run(worker);
}

static void say_counts(const window_counts *counts, bool json)
{
    const struct {
        const char *name;
        long long count;
    } all[] = {{"rows", (long long)counts->rows},     {"malformed", (long long)counts->malformed},
               {"late", (long long)counts->late},     {"missed", (long long)counts->missed},
               {"pairs", (long long)counts->pairs},   {"windows", (long long)counts->windows}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        fprintf(stderr, json ? "%s\"%s\":%lld" : "%.0s%s\t%lld\n", i ? "," : "{", all[i].name,
                all[i].count);
    if (json)
        fputs("}\n", stderr);
}

/* Whether that file is one of those that are read: it would be gone before. */
static bool is_read(const window_plan *plan, const char *path)
{
    struct stat own, other;
    bool same = false;
    for (uint32_t i = 0; i < plan->files.count && stat(path, &own) == 0; i++)
        same |= stat(plan->files.at[i], &other) == 0 && own.st_dev == other.st_dev &&
                own.st_ino == other.st_ino && S_ISREG(own.st_mode);
    return same;
}

static int run(window_plan *plan, const window_words *words, const weir_config *config)
{
    window_job job = {.plan = plan, .json = words->json};
    if (words->late && is_read(plan, words->late))
        return weir_report(
            weir_err_new("--late: `%s` is one of the files that are read", words->late), 2);
    if (words->late) {
        /* Only worker 0 prints. */
        job.late = fopen(config->cluster.process ? "/dev/null" : words->late, "w");
        if (!job.late)
            return weir_report(
                weir_err_new("cannot write `%s`: %s", words->late, strerror(errno)), 1);
    }
    window_progress_begin(&job);
    weir_err *err = weir_execute(config, work, &job);
    window_progress_end(&job);
    int code = weir_report(err, 1);
    if (job.late && fclose(job.late) != 0 && code == 0)
        code = weir_report(weir_err_new("cannot write `%s`: %s", words->late, strerror(errno)), 1);
    if (code == 0 && job.counts.here)
        say_counts(&job.counts, job.json);
    return code;
}

int command_window(int argc, char **argv)
{
    window_words words = {0};
    const weir_option own[] = {
        {.name = "schema", .value = "COLUMNS", .text = &words.schema,
         .help = "names and kinds, \"ts:i64 user:text\" (else the first line has names)"},
        {.name = "csv", .flag = &words.csv, .help = "commas, not tabs (also if FILE ends in .csv)"},
        {.name = "json-lines", .flag = &words.json_lines,
         .help = "JSON objects (also if FILE ends in .json, .jsonl or .ndjson)"},
        {.name = "time", .value = "COLUMN", .text = &words.time,
         .help = "which has the event time"},
        {.name = "unit", .value = "UNIT", .text = &words.unit,
         .help = "of it: s (default), ms, us or ns"},
        {.name = "key", .value = "COLUMN,...", .text = &words.key,
         .help = "windows for each of these"},
        {.name = "tumble", .value = "SIZE", .text = &words.tumble, .help = "windows side by side"},
        {.name = "hop", .value = "SIZE/SLIDE", .text = &words.hop, .help = "windows that overlap"},
        {.name = "session", .value = "GAP", .text = &words.session,
         .help = "windows of rows that are not further apart"},
        {.name = "count", .value = "ROWS[/SLIDE]", .text = &words.count,
         .help = "windows of a number of rows (of a key)"},
        {.name = "global", .flag = &words.global, .help = "one window"},
        {.name = "bound", .value = "TIME", .text = &words.bound,
         .help = "how late rows may be: the watermark is the greatest time less this (default 0)"},
        {.name = "lateness", .value = "TIME", .text = &words.lateness,
         .help = "how long closed windows take rows (default 0)"},
        {.name = "agg", .value = "LIST", .text = &words.aggregates,
         .help = "count (default), sum:COLUMN, min:, max:, avg:, distinct:, approx_distinct:, "
                 "first:, last:, top3:, median:, p99:, variance:, stddev:"},
        {.name = "late", .value = "FILE", .text = &words.late,
         .help = "where rows go that are late for all their windows"},
        {.name = "speed", .value = "TIMES", .text = &words.speed,
         .help = "rows come as their times say, 1x as fast as it happened (60x: an hour a minute)"},
        {.name = "json", .flag = &words.json,
         .help = "results as JSON objects, a line each, and counts as one"},
        {0}};
    static char name[] = "weir window";
    argv[0] = name;
    weir_config config = {0};
    weir_err *err = weir_options(
        &argc, argv,
        "Event-time windows over FILE (.gz, .xz, .zst: unpacked; -: standard input): prints start, "
        "end, key and\nvalues, sorted, and counts on standard error.",
        own, &config);
    if (!err && argc < 2)
        err = weir_err_new("weir window takes one FILE or several; see --help");
    if (err)
        return weir_report(err, 2);
    words.files = (const char *const *)argv + 1;
    words.shared = config.cluster.processes > 1;
    words.first = config.cluster.process == 0;
    window_plan plan;
    err = window_plan_init(&plan, &words);
    int code = err ? weir_report(err, 2) : run(&plan, &words, &config);
    window_plan_fini(&plan);
    return code;
}
