/* See execution.h. */
#include "execution.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

/* ---- ways to run ------------------------------------------------------------------------ */

const weir_config test_ways[TEST_WAYS] = {
    {.workers = 1},
    {.workers = 2},
    {.workers = 4},
    {.workers = 1, .deterministic = true, .seed = 1},
    {.workers = 2, .deterministic = true, .seed = 1},
    {.workers = 2, .deterministic = true, .seed = 2},
    {.workers = 4, .deterministic = true, .seed = 3},
    {.workers = 4, .deterministic = true, .seed = 4},
    {.workers = 3, .deterministic = true, .seed = 5},
    {.workers = 1, .cluster.processes = 2},
    {.workers = 2, .cluster.processes = 2},
};

const weir_config test_ways_few[TEST_WAYS_FEW] = {
    {.workers = 1}, {.workers = 2}, {.workers = 2, .deterministic = true, .seed = 6}};

void test_run(const weir_config *config, weir_worker_fn *run, void *arg)
{
    weir_err *err = test_execute(config, run, arg);
    ck_assert_msg(!err, "%u workers%s: %s", config->workers,
                  config->deterministic ? ", deterministic" : "", weir_err_message(err));
}

void test_stops(const weir_config *config, weir_worker_fn *run, void *arg, ...)
{
    weir_err *err = test_execute(config, run, arg);
    ck_assert_msg(err != NULL, "%u workers%s: it should have stopped", config->workers,
                  config->deterministic ? ", deterministic" : "");
    va_list parts;
    va_start(parts, arg);
    for (const char *part; (part = va_arg(parts, const char *));)
        ck_assert_msg(strstr(weir_err_message(err), part) != NULL, "`%s` is not in: %s", part,
                      weir_err_message(err));
    va_end(parts);
    weir_err_free(err);
}

bool test_end(weir_dataflow *flow)
{
    weir_worker *worker = weir_scope_worker(flow);
    weir_err *err = weir_dataflow_end(flow);
    if (!err)
        return true;
    weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
    return false;
}

void test_meet(weir_worker *worker, _Atomic(uint32_t) *met)
{
    uint32_t workers = weir_worker_count(worker);
    uint32_t all = (atomic_fetch_add(met, 1) / workers + 1) * workers;
    while (atomic_load(met) < all && !weir_stopping(worker))
        weir_step(worker);
}

static void frontier_text(const weir_probe *probe, int dims, char text[256])
{
    char time[WEIR_TIME_TEXT_BYTES];
    weir_antichain frontier;
    weir_antichain_init(&frontier);
    weir_probe_frontier(probe, &frontier);
    text[0] = 0;
    for (uint32_t i = 0; i < frontier.count && i < 4; i++) {
        strcat(text, i ? " " : "");
        strncat(text, weir_time_text(&frontier.times[i], dims, time), 60);
    }
    weir_antichain_fini(&frontier);
}

bool test_frontier(weir_worker *worker, const weir_probe *probe, int dims, const char *expected)
{
    char text[256];
    double end = test_seconds() + 5;
    do {
        frontier_text(probe, dims, text);
        if (weir_step_or_park(worker, 100000) && test_seconds() > end)
            weir_stop(worker, "the frontier is `%s`, not `%s`", text, expected);
    } while (strcmp(text, expected) && !weir_stopping(worker));
    for (int i = 0; i < 20; i++)
        weir_step(worker);
    frontier_text(probe, dims, text);
    if (strcmp(text, expected))
        weir_stop(worker, "the frontier moves from `%s` to `%s`", expected, text);
    return !weir_stopping(worker);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double test_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double test_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

void test_sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

bool test_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

/* ---- notes ------------------------------------------------------------------------------ */

void test_note(test_notes *notes, const char *format, ...)
{
    char *line;
    va_list args;
    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        abort();
    va_end(args);
    pthread_mutex_lock(&notes->lock);
    wi_grow(&notes->lines, &notes->capacity, notes->count + 1, sizeof *notes->lines);
    notes->lines[notes->count++] = line;
    pthread_mutex_unlock(&notes->lock);
}

const char *test_notes_text(test_notes *notes)
{
    static char *text;
    size_t bytes;
    free(text);
    FILE *to = open_memstream(&text, &bytes);
    pthread_mutex_lock(&notes->lock);
    for (unsigned i = 0; i < notes->count; i++) {
        fprintf(to, "%s%s", i ? " " : "", notes->lines[i]);
        free(notes->lines[i]);
    }
    wi_free(notes->lines);
    notes->lines = NULL;
    notes->count = notes->capacity = 0;
    pthread_mutex_unlock(&notes->lock);
    fclose(to);
    return text;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *test_notes_sorted(test_notes *notes)
{
    pthread_mutex_lock(&notes->lock);
    if (notes->count)
        qsort(notes->lines, notes->count, sizeof *notes->lines, compare_lines);
    pthread_mutex_unlock(&notes->lock);
    return test_notes_text(notes);
}

/* ---- child processes -------------------------------------------------------------------- */

static char *read_all(FILE *from)
{
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    rewind(from);
    for (int c; (c = fgetc(from)) != EOF;)
        fputc(c, to);
    fclose(to);
    fclose(from);
    return text;
}

test_child test_child_run(int (*body)(void *arg), void *arg)
{
    FILE *out = tmpfile(), *err = tmpfile();
    ck_assert(out && err);
    fflush(NULL);
    pid_t child = fork();
    ck_assert(child >= 0);
    if (!child) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        int code = body(arg);
        fflush(NULL);
        _exit(code);
    }
    int status;
    ck_assert(waitpid(child, &status, 0) == child);
    return (test_child){.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                        .out = read_all(out),
                        .err = read_all(err)};
}

void test_child_free(test_child *child)
{
    free(child->out);
    free(child->err);
}

/* ---- suites ----------------------------------------------------------------------------- */

int test_main(const char *name, TCase *cases)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
