/* How far `weir window` is, on a terminal: rows read, how many a second, and how far event time has
 * come. Nothing is shown where standard error is no terminal, nor where results are printed to
 * one. */
#include "window.h"

#include "base/alloc.h"

#include <unistd.h>

enum { EVERY_NS = 200000000 };

struct window_progress {
    uint64_t begun_ns, shown_ns; /* on the worker's clock; 0: not yet */
    bool there;                  /* a line */
};

void window_progress_begin(window_job *job)
{
    if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
        job->progress = WI_NEW(struct window_progress);
}

void window_progress_look(weir_worker *worker, const weir_batch *batch, void *arg)
{
    window_job *job = arg;
    struct window_progress *progress = job->progress;
    uint64_t now_ns = weir_now(worker);
    if (weir_worker_index(worker) != 0)
        return;
    if (!progress->begun_ns)
        progress->begun_ns = progress->shown_ns = now_ns;
    if (now_ns - progress->shown_ns < EVERY_NS)
        return;
    const weir_time *reached = weir_batch_time(batch, batch->count - 1);
    double seconds = (double)(now_ns - progress->begun_ns) / 1e9;
    progress->shown_ns = now_ns;
    progress->there = true;
    fprintf(stderr, "\r\033[K%llu rows, %.0f a second; event time %lld",
            (unsigned long long)job->counts.rows, (double)job->counts.rows / seconds,
            (long long)weir_event_time(reached->at[0]));
    fflush(stderr);
}

void window_progress_clear(const window_job *job)
{
    if (!job->progress || !job->progress->there)
        return;
    fputs("\r\033[K", stderr);
    job->progress->there = false;
}

void window_progress_end(window_job *job)
{
    window_progress_clear(job);
    wi_free(job->progress);
    job->progress = NULL;
}
