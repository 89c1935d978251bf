/* Running executions in several ways, checking how they end, and noting what happened on
 * the way. For tests with libcheck: what is not as it should be fails the test. */
#ifndef WEIR_TESTS_SUPPORT_EXECUTION_H
#define WEIR_TESTS_SUPPORT_EXECUTION_H

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>

#include <weir/weir.h>

#include "cluster.h"

#define NUM(F) F(u64, value)
WEIR_ROW(num, NUM)

/* ---- ways to run ------------------------------------------------------------------------ */

/* 1, 2 and 4 workers, as threads and deterministically with several seeds, and two clusters: for
 * tcase_add_loop_test(cases, test, 0, TEST_WAYS) and config = &test_ways[_i]. */
#define TEST_WAYS 11
#define TEST_WAYS_ALONE 9   /* the first ones: all but the clusters */
#define TEST_WAYS_THREADS 3 /* the first ones: real threads */
extern const weir_config test_ways[TEST_WAYS];
/* How many workers a way has, in all its processes. */
static inline uint32_t test_workers(int way)
{
    uint32_t processes = test_ways[way].cluster.processes;
    return test_ways[way].workers * (processes ? processes : 1);
}
/* Where building is what is tested: 1 and 2 threads, 2 workers deterministically. */
#define TEST_WAYS_FEW 3
extern const weir_config test_ways_few[TEST_WAYS_FEW];

/* Runs an execution that must end well. */
void test_run(const weir_config *config, weir_worker_fn *run, void *arg);
/* Runs an execution that must stop with a reason that has all of the parts; NULL ends them. */
void test_stops(const weir_config *config, weir_worker_fn *run, void *arg, ...)
    __attribute__((sentinel));
/* worker. Ends a dataflow; an error stops the execution. */
bool test_end(weir_dataflow *flow);

/* worker. Steps until all workers have come here. `met` starts at 0 and may be used again. */
void test_meet(weir_worker *worker, _Atomic(uint32_t) *met);
/* worker. Steps until the probe's frontier is what the text says ("", "3", "(0, 2) (1, 0)"),
 * and a little longer, in which it must not move; otherwise stops the execution. */
bool test_frontier(weir_worker *worker, const weir_probe *probe, int dims, const char *expected);

/* Seconds of the monotonic clock, and of the processor time that this process has used. */
double test_seconds(void);
double test_cpu_seconds(void);
void test_sleep_ms(unsigned ms);
/* Whether a sanitizer watches (everything is slow, and memory cannot be limited). */
bool test_sanitized(void);

/* ---- notes ------------------------------------------------------------------------------ */

/* Lines of text written by any thread. */
typedef struct test_notes {
    pthread_mutex_t lock;
    char **lines;
    unsigned count, capacity;
} test_notes;

#define TEST_NOTES {.lock = PTHREAD_MUTEX_INITIALIZER}

void test_note(test_notes *notes, const char *format, ...) WEIR_PRINTF(2, 3);
/* All lines so far, joined by spaces, in the order they were written or sorted; the notes
 * are empty afterwards. Valid until the next call. */
const char *test_notes_text(test_notes *notes);
const char *test_notes_sorted(test_notes *notes);

/* ---- child processes -------------------------------------------------------------------- */

typedef struct test_child {
    int code;   /* exit status, or 128 + the signal that ended it */
    char *out, *err;
} test_child;

/* Runs `body` in a process of its own; it exits with what the body returns. Strings are
 * the caller's, by test_child_free. */
test_child test_child_run(int (*body)(void *arg), void *arg);
void test_child_free(test_child *child);

/* ---- suites ----------------------------------------------------------------------------- */

/* Runs the cases as a program; the exit status for main. */
int test_main(const char *name, TCase *cases);

#endif
