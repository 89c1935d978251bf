/* One execution: its workers, the threads that drive them, and how it ends.
 *
 *   weir_execute: join the cluster -> start threads -> each runs the program's function, then
 *   what is left of its dataflows -> all meet at a barrier -> each frees its own instances ->
 *   join the threads -> wait until the other processes are as far, and leave.
 *
 * Stopping: the first reason wins; `stopping` makes every step return false, so that
 * loops of programs around steps and probes end. Nothing is unwound by force. */
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <urcu-qsbr.h>

#include "runtime.h"

#include "../base/alloc.h"
#include "../base/pages.h"
#include "../base/assert.h"
#include "cluster.h"
#include "fiber.h"
#include "partition.h"
#include "tsan.h"

#define SPIN_NS_DEFAULT 30000
/* With fewer cores than workers, spinning keeps others from working. */
#define SPIN_NS_CROWDED 2000

/* ---- clock, wake, mail: any thread ------------------------------------------------------ */

uint64_t wi_clock_ns(const wi_process *process)
{
    if (process->config.deterministic)
        return atomic_load_explicit(&process->virtual_ns, memory_order_relaxed);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void wi_wake(wi_process *process, uint32_t worker)
{
    wi_seat *seat = &process->seats[worker];
    if (atomic_exchange_explicit(&seat->parked, 0, memory_order_acq_rel))
        syscall(SYS_futex, &seat->parked, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void wi_wake_all(wi_process *process)
{
    for (uint32_t i = 0; i < process->local_workers; i++)
        wi_wake(process, i);
}

/* worker. Sleeps while the seat says parked, until the time at most. */
void wi_seat_wait(const wi_process *process, wi_seat *seat, uint64_t until_ns)
{
    struct timespec left, *limit = NULL;
    if (until_ns != UINT64_MAX) {
        uint64_t now = wi_clock_ns(process);
        uint64_t ns = until_ns > now ? until_ns - now : 0;
        left = (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                                 .tv_nsec = (long)(ns % 1000000000)};
        limit = &left;
    }
    syscall(SYS_futex, &seat->parked, FUTEX_WAIT_PRIVATE, 1, limit, NULL, 0);
}

void wi_mail_post(wi_process *process, uint32_t worker, wi_mail *mail)
{
    wi_seat *seat = &process->seats[worker];
    wi_mail *newest = atomic_load_explicit(&seat->mailbox, memory_order_relaxed);
    do
        mail->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&seat->mailbox, &newest, mail,
                                                  memory_order_release, memory_order_relaxed));
    wi_full_fence();
    if (atomic_load_explicit(&seat->parked, memory_order_relaxed))
        wi_wake(process, worker);
}

/* ---- stopping: any thread --------------------------------------------------------------- */

bool wi_stopping(const wi_process *process)
{
    return atomic_load_explicit(&process->stopping, memory_order_acquire);
}

void wi_stop_with(wi_process *process, weir_err *reason)
{
    pthread_mutex_lock(&process->lock);
    bool first = !process->reason;
    if (first)
        process->reason = reason;
    pthread_mutex_unlock(&process->lock);
    if (!first)
        weir_err_free(reason);
    else if (process->cluster)
        wi_cluster_stop(process, weir_err_message(reason));
    atomic_store_explicit(&process->stopping, true, memory_order_seq_cst);
    wi_wake_all(process);
    pthread_mutex_lock(&process->lock);
    void (*stop_shares)(wi_process *process) = process->stop_shares;
    pthread_mutex_unlock(&process->lock);
    if (stop_shares)
        stop_shares(process);
}

void weir_stop(weir_worker *worker, const char *format, ...)
{
    char *what;
    va_list args;
    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    wi_stop_with(worker->process,
                 weir_err_new("worker %u: %s", worker->index, what ? what : format));
    free(what);
}

/* ---- running a worker ------------------------------------------------------------------- */

static void pin(const weir_worker *worker)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || !CPU_COUNT(&allowed))
        return;
    uint32_t wanted = worker->process->first_core + worker->local;
    wanted %= (uint32_t)CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || wanted--)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

static void work(weir_worker *worker)
{
    worker->process->run(worker, worker->process->arg);
    wi_shared_returned(worker);
    wi_worker_close_inputs(worker);
    weir_run(worker);
}

static void *thread_main(void *arg)
{
    weir_worker *worker = arg;
    wi_process *process = worker->process;
    if (process->config.pin)
        pin(worker);
    urcu_qsbr_register_thread();
    work(worker);
    urcu_qsbr_thread_offline();
    pthread_barrier_wait(&process->finished);
    urcu_qsbr_thread_online();
    wi_worker_fini(worker);
    urcu_qsbr_unregister_thread();
    return NULL;
}

static void run_threads(wi_process *process)
{
    uint32_t workers = process->local_workers;
    pthread_t *threads = WI_NEWS(pthread_t, workers);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)16 << 20);
    pthread_barrier_init(&process->finished, NULL, workers);
    for (uint32_t i = 0; i < workers; i++)
        if (pthread_create(&threads[i], &attr, thread_main, &process->worker[i]) != 0) {
            fprintf(stderr, "weir: could not start the thread of worker %u of %u; raise the limit "
                            "of threads (ulimit -u) or use fewer workers\n",
                    i, workers);
            exit(71);
        }
    for (uint32_t i = 0; i < workers; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&process->finished);
    pthread_attr_destroy(&attr);
    wi_free(threads);
}

static void run_deterministic(wi_process *process)
{
    urcu_qsbr_register_thread();
    wi_fibers_run(process, work);
    for (uint32_t i = 0; i < process->local_workers; i++)
        wi_worker_fini(&process->worker[i]);
    urcu_qsbr_unregister_thread();
}

/* ---- an execution ----------------------------------------------------------------------- */

/* What a worker may have sent to one input of another, by default; less if there is a budget of
 * memory and there are many workers. */
#define CREDIT_BYTES_MAX ((uint64_t)1 << 20)
#define CREDIT_BYTES_MIN ((uint64_t)64 << 10)
/* Of --memory: batches that wait, and what may be on its way to each worker. */
#define WAITING_PART 8
#define CREDIT_PART 64

/* What may wait in a queue before those who fill it are blocked. */
#define QUEUE_BYTES_MAX ((uint64_t)1 << 20)

wi_bounds wi_test_bounds;

static void bound_memory(wi_process *process)
{
    uint64_t memory = process->config.memory_bytes;
    process->credit_bytes = CREDIT_BYTES_MAX;
    process->queue_bytes = QUEUE_BYTES_MAX;
    if (!memory)
        return;
    process->waiting.bytes_max = memory / WAITING_PART;
    process->waiting.directory = process->config.spill ? process->config.spill : "/var/tmp";
    uint64_t share = memory / CREDIT_PART / process->workers;
    if (share < CREDIT_BYTES_MAX)
        process->credit_bytes = share > CREDIT_BYTES_MIN ? share : CREDIT_BYTES_MIN;
}

static void bound_for_tests(wi_process *process)
{
    const wi_bounds *bounds = &wi_test_bounds;
    if (bounds->credit_bytes)
        process->credit_bytes = bounds->credit_bytes;
    if (bounds->queue_bytes)
        process->queue_bytes = bounds->queue_bytes;
    if (bounds->waiting_bytes) {
        process->waiting.bytes_max = bounds->waiting_bytes;
        process->waiting.directory = bounds->directory;
    }
}

void wi_process_share_host(wi_process *process, uint32_t here, uint32_t before)
{
    uint32_t workers = process->local_workers;
    process->crowded = (long)(workers * here) > sysconf(_SC_NPROCESSORS_ONLN);
    process->first_core = workers * before;
    if (!process->config.spin_ns)
        process->spin_ns = process->crowded ? SPIN_NS_CROWDED : SPIN_NS_DEFAULT;
}

static void init(wi_process *process, const weir_config *config, weir_worker_fn *run, void *arg)
{
    uint32_t workers = config->workers ? config->workers : 1;
    uint32_t processes = config->cluster.processes ? config->cluster.processes : 1;
    *process = (wi_process){.config = *config,
                            .workers = workers * processes,
                            .local_workers = workers,
                            .first_worker = workers * config->cluster.process,
                            .run = run,
                            .arg = arg};
    process->spin_ns = config->spin_ns;
    wi_process_share_host(process, 1, 0);
    bound_memory(process);
    bound_for_tests(process);
    pthread_mutex_init(&process->lock, NULL);
    process->seats = wi_alloc_lines(workers * sizeof(wi_seat));
    process->rings = wi_alloc_lines((size_t)workers * workers * sizeof(wi_ring));
    process->worker = wi_alloc_lines(workers * sizeof(weir_worker));
    process->returned = wi_alloc(workers * sizeof *process->returned);
    memset(process->returned, 0xff, workers * sizeof *process->returned);
    for (uint32_t i = 0; i < workers; i++)
        wi_worker_init(&process->worker[i], process, i);
}

static void fini(wi_process *process)
{
    wi_envelope envelope;
    uint32_t workers = process->local_workers;
    for (uint32_t i = 0; i < workers * workers; i++)
        while (wi_ring_pop(&process->rings[i], &envelope))
            weir_batch_drop(envelope.batch);
    for (uint32_t i = 0; i < workers; i++) /* mail that nobody took any more */
        for (wi_mail *mail = process->seats[i].mailbox, *next; mail; mail = next) {
            next = mail->next;
            mail->take(NULL, mail);
        }
    for (uint32_t i = 0; i < process->shared_count; i++)
        if (process->shared[i])
            wi_shared_free(process->shared[i]);
    if (process->shares)
        process->free_shares(process->shares);
    urcu_qsbr_barrier(); /* frontiers deferred by publishing */
    for (uint32_t i = 0; i < process->type_count; i++)
        weir_type_free(process->types[i]);
    wi_free(process->types);
    wi_free(process->shared);
    wi_free(process->ended);
    wi_free(process->returned);
    wi_free(process->worker);
    wi_free(process->rings);
    wi_free(process->seats);
    pthread_mutex_destroy(&process->lock);
}

weir_err *weir_execute(const weir_config *config, weir_worker_fn *run, void *arg)
{
    if (config->workers > WEIR_WORKERS_MAX)
        return weir_err_new("%u workers were asked for; at most %d are possible in a process",
                            config->workers, WEIR_WORKERS_MAX);
    const weir_cluster *cluster = &config->cluster;
    if (cluster->processes > 1 && cluster->process >= cluster->processes)
        return weir_err_new("this is to be process %u of %u; they are counted from 0",
                            cluster->process, cluster->processes);
    if (cluster->processes > 1 && config->deterministic)
        return weir_err_new("a deterministic run has one process, not %u", cluster->processes);
    uint64_t workers = (uint64_t)(config->workers ? config->workers : 1) *
                       (cluster->processes ? cluster->processes : 1);
    if (workers > WI_WORKERS_ALL_MAX)
        return weir_err_new("%u processes of %u worker%s were asked for; at most %d workers "
                            "are possible in all",
                            cluster->processes, config->workers, config->workers == 1 ? "" : "s",
                            WI_WORKERS_ALL_MAX);
    weir_err *err = NULL;
    if (config->memory_bytes)
        err = wi_pages_budget(config->memory_bytes, config->spill ? config->spill : "/var/tmp");
    if (err)
        return err;
    wi_process process;
    init(&process, config, run, arg);
    err = wi_cluster_join(&process);
    if (err) {
        process.reason = err;
    } else if (config->deterministic) {
        run_deterministic(&process);
    } else {
        run_threads(&process);
    }
    if (process.cluster)
        wi_cluster_leave(&process);
    weir_err *reason = process.reason;
    fini(&process);
    if (config->memory_bytes)
        wi_pages_budget_end();
    return reason;
}
