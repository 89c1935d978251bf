/* `weir launch`: starts the processes of a cluster, watches them, stops them, starts them again.
 *
 * One thread and one loop around poll: signals come through a descriptor, so that nothing
 * happens behind its back. An attempt goes from launch_start until nothing runs. What can end
 * it: all have ended; one failed (the others get TERM, and after 2 s KILL); somebody asked for
 * it by a signal (passed on, and after the grace KILL). Only a failure is a reason to restart. */
#include "launch.h"
#include "command.h"

#include "base/alloc.h"
#include "runtime/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FAILURE_GRACE_MS = 2000,
    REMOTE_KILL_MS = 1000,
    DRAIN_MS = 500, /* for output of what escaped from its process group */
    BACKOFF_MS = 500, /* before the first restart; then twice as long, each time ... */
    BACKOFF_MS_MAX = 30000, /* ... up to this */
    EXIT_USAGE = 2, /* weir_options' word for a command line that will not get better */
};

uint64_t launch_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- signals ---------------------------------------------------------------------------- */

static int signals = -1;

static bool take_signals(void)
{
    static const int taken[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                SIGUSR2, SIGCHLD, SIGTSTP, SIGCONT};
    sigset_t set;
    struct sigaction before;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        /* What was ignored when we began (nohup) stays so. */
        if (!sigaction(taken[i], NULL, &before) &&
            (before.sa_handler != SIG_IGN || taken[i] == SIGCHLD))
            sigaddset(&set, taken[i]);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        launch_say("no descriptor for signals can be made: %s", strerror(errno));
    return signals >= 0;
}

/* Asks all to end; those who have not by then are killed. */
static void stop(struct launch *launch, int signal, double grace_s)
{
    uint64_t kill_ns = launch_now_ns() + (uint64_t)(grace_s * 1e9) + 1;
    launch->stopping = signal;
    if (!launch->kill_ns || kill_ns < launch->kill_ns) {
        launch->kill_ns = kill_ns;
        launch->grace_s = grace_s;
    }
    launch_signal(launch, signal, true);
}

/* On other hosts this is a request too: the second time it is ssh that is killed. */
static void kill_all(struct launch *launch)
{
    bool again = false;
    for (unsigned i = 0; i < launch->plan.processes; i++)
        again |= launch->all[i].running && launch_host(&launch->plan, i) && !launch->all[i].slow;
    launch->kill_ns = again ? launch_now_ns() + REMOTE_KILL_MS * 1000000ull : 0;
    launch_signal(launch, SIGKILL, true);
}

static void interrupt(struct launch *launch, int signal)
{
    bool again = launch->interrupted && (signal == SIGINT || signal == SIGTERM);
    launch->interrupted = true;
    launch->hurry |= again || !launch->running;
    if (again)
        kill_all(launch);
    else
        stop(launch, signal, launch->plan.grace_s);
}

/* ^Z: nobody else would tell the processes, which are in groups of their own. */
static void suspend(struct launch *launch)
{
    launch_signal(launch, SIGSTOP, true);
    raise(SIGSTOP);
    launch_signal(launch, SIGCONT, true);
}

/* Returns whether a process may have ended. */
static bool hear_signals(struct launch *launch)
{
    struct signalfd_siginfo info;
    bool children = false;
    while (read(signals, &info, sizeof info) == sizeof info) {
        int signal = (int)info.ssi_signo;
        if (signal == SIGCHLD)
            children = true;
        else if (signal == SIGTSTP)
            suspend(launch);
        else if (signal == SIGCONT)
            launch_signal(launch, SIGCONT, true);
        else if (signal == SIGUSR1 || signal == SIGUSR2)
            launch_signal(launch, signal, false);
        else
            interrupt(launch, signal);
    }
    return children;
}

/* ---- ends of processes ------------------------------------------------------------------ */

static int index_of(const struct launch *launch, pid_t pid)
{
    for (unsigned i = 0; i < launch->plan.processes; i++)
        if (launch->all[i].running && launch->all[i].pid == pid)
            return (int)i;
    return -1;
}

/* While the process is not yet waited for, nobody else can have its number: now its group is
 * ended, and forgotten by the keeper. */
static void bury(struct launch *launch, unsigned index)
{
    struct launch_process *process = &launch->all[index];
    kill(-process->pid, SIGKILL);
    launch_guard_forget(launch, process->pid);
    while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
        ;
    process->end_ns = launch_now_ns();
    process->running = false;
    launch->running--;
    if (process->control >= 0)
        close(process->control);
    process->control = -1;
}

/* Of those that were found dead together, one that a signal ended was first: others report the
 * loss of a peer and exit. */
static void choose_first(struct launch *launch, const bool *ended)
{
    int first = -1;
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        int status = launch->all[i].status;
        if (ended[i] && launch_is_failure(status) &&
            (first < 0 || (WIFSIGNALED(status) && !WIFSIGNALED(launch->all[first].status))))
            first = (int)i;
    }
    if (first < 0 || launch->failed >= 0)
        return;
    launch->failed = first;
    if (launch->stopping)
        return; /* it does as it was told */
    launch_report_failure(launch, (unsigned)first);
    stop(launch, SIGTERM, FAILURE_GRACE_MS / 1e3);
}

static void reap(struct launch *launch)
{
    bool ended[WI_PROCESSES_MAX] = {false};
    siginfo_t info = {0};
    while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid) {
        int index = index_of(launch, info.si_pid);
        if (index < 0) { /* the keeper */
            waitpid(info.si_pid, NULL, 0);
            launch->guard_pid = info.si_pid == launch->guard_pid ? 0 : launch->guard_pid;
        } else {
            bury(launch, (unsigned)index);
            ended[index] = true;
        }
        info.si_pid = 0;
    }
    choose_first(launch, ended);
}

static void kill_the_slow(struct launch *launch)
{
    for (unsigned i = 0; i < launch->plan.processes; i++)
        if (launch->all[i].running && !launch->all[i].slow)
            launch_say("process %u (pid %d) has not ended within %.1f s and is killed", i,
                       (int)launch->all[i].pid, launch->grace_s);
    kill_all(launch);
}

/* ---- standard input --------------------------------------------------------------------- */

static struct {
    char bytes[4096];
    size_t start, end; /* what process 0 has not taken yet */
    bool over;
} input;

/* A terminal is read by us for process 0 (launch_start.c), while we are in front. */
static bool passes_input(const struct launch *launch)
{
    return launch->all[0].control >= 0 && !input.over && !launch_host(&launch->plan, 0);
}

static void end_input(struct launch *launch)
{
    input.over = true;
    close(launch->all[0].control);
    launch->all[0].control = -1;
}

static void read_input(struct launch *launch)
{
    ssize_t got = read(STDIN_FILENO, input.bytes, sizeof input.bytes);
    if (got < 0 && errno == EINTR)
        return;
    input.start = 0;
    input.end = got > 0 ? (size_t)got : 0;
    if (got <= 0)
        end_input(launch);
}

static void pass_input(struct launch *launch)
{
    ssize_t wrote = write(launch->all[0].control, input.bytes + input.start,
                          input.end - input.start);
    if (wrote < 0 && errno != EINTR && errno != EAGAIN)
        end_input(launch); /* nobody reads it */
    else if (wrote > 0)
        input.start += (size_t)wrote;
}

/* ---- the loop --------------------------------------------------------------------------- */

enum { FDS_MAX = 4 + 3 * WI_PROCESSES_MAX };

/* What is waited for, and for whom. */
struct watched {
    struct pollfd fds[FDS_MAX];
    struct {
        enum { SIGNALS, OUTPUT, INPUT, INPUT_ROOM, MEET, STREAM } kind;
        unsigned index, output;
    } what[FDS_MAX];
    unsigned count;
};

static void watch(struct watched *set, int fd, short events, int kind, unsigned index,
                  unsigned output)
{
    set->fds[set->count] = (struct pollfd){.fd = fd, .events = events};
    set->what[set->count].kind = kind;
    set->what[set->count].index = index;
    set->what[set->count++].output = output;
}

/* Returns whether any process's output is still open. */
static bool watch_all(const struct launch *launch, struct watched *set)
{
    bool open = false;
    set->count = 0;
    watch(set, signals, POLLIN, SIGNALS, 0, 0);
    for (unsigned i = 0; i < LAUNCH_OUTPUTS; i++)
        if (launch_output_waits(i))
            watch(set, i ? STDERR_FILENO : STDOUT_FILENO, POLLOUT, OUTPUT, i, 0);
    if (passes_input(launch) && input.start < input.end)
        watch(set, launch->all[0].control, POLLOUT, INPUT_ROOM, 0, 0);
    else if (passes_input(launch) && tcgetpgrp(STDIN_FILENO) == getpgrp())
        watch(set, STDIN_FILENO, POLLIN, INPUT, 0, 0);
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        const struct launch_process *process = &launch->all[i];
        if (process->meet >= 0)
            watch(set, process->meet, POLLIN, MEET, i, 0);
        for (unsigned k = 0; k < 2; k++) {
            open |= process->streams[k].fd >= 0;
            if (process->streams[k].fd >= 0 && launch_output_has_room(k))
                watch(set, process->streams[k].fd, POLLIN, STREAM, i, k);
        }
    }
    return open;
}

static bool serve(struct launch *launch, const struct watched *set)
{
    bool children = false;
    for (unsigned i = 0; i < set->count; i++) {
        unsigned index = set->what[i].index;
        if (!set->fds[i].revents)
            continue;
        switch (set->what[i].kind) {
        case SIGNALS: children = hear_signals(launch); break;
        case OUTPUT: launch_output_flush(index); break;
        case INPUT: read_input(launch); break;
        case INPUT_ROOM: pass_input(launch); break;
        case MEET: launch_meet(launch, index); break;
        case STREAM:
            launch_stream_read(&launch->all[index].streams[set->what[i].output]);
            break;
        }
    }
    return children;
}

static int wait_ms(uint64_t until_ns)
{
    uint64_t now = launch_now_ns();
    if (!until_ns)
        return -1;
    return until_ns <= now ? 0 : (int)((until_ns - now) / 1000000 + 1);
}

/* As programs do whose output nobody reads; that it cannot be written is worth a word. */
static void end_without_output(struct launch *launch)
{
    launch->output_error = launch_output_error();
    launch->interrupted = true;
    if (launch->output_error != EPIPE)
        launch_say("standard output cannot be written: %s", strerror(launch->output_error));
    stop(launch, SIGTERM, FAILURE_GRACE_MS / 1e3);
}

/* Until nothing runs, and everything that was printed has been read. */
static void run_attempt(struct launch *launch)
{
    static struct watched set;
    uint64_t drained_ns = 0;
    for (;;) {
        bool open = watch_all(launch, &set);
        /* As long as our own reader keeps us waiting, it is not for what has escaped. */
        if (launch->running || launch_output_waits(0) || launch_output_waits(1))
            drained_ns = 0;
        else if (!drained_ns)
            drained_ns = launch_now_ns() + DRAIN_MS * 1000000u;
        bool late = drained_ns && launch_now_ns() >= drained_ns;
        bool drained = !open || launch->hurry || late;
        if (!launch->running && drained)
            break;
        if (poll(set.fds, set.count, wait_ms(launch->running ? launch->kill_ns : drained_ns)) < 0)
            continue; /* by a signal: there are some that no descriptor shows, such as CONT */
        if (serve(launch, &set))
            reap(launch);
        if (launch_output_error() && !launch->output_error)
            end_without_output(launch);
        if (launch->kill_ns && launch_now_ns() >= launch->kill_ns)
            kill_the_slow(launch);
    }
    launch_clear(launch);
}

/* ---- restarts --------------------------------------------------------------------------- */

struct budget {
    uint64_t *times_ns; /* of the last restarts, as many as the budget has, in a ring */
    unsigned used;
    unsigned in_a_row; /* restarts of which none went well for as long as the window */
};

/* Whether there is one more restart within the window. */
static bool take_restart(const struct launch_plan *plan, struct budget *budget)
{
    if (!plan->restart_budget)
        return false;
    uint64_t now = launch_now_ns();
    uint64_t *oldest = &budget->times_ns[budget->used % plan->restart_budget];
    if (*oldest && (double)(now - *oldest) / 1e9 < plan->restart_window_s)
        return false;
    *oldest = now;
    budget->used++;
    return true;
}

/* Twice as long each time, give or take a quarter, so that launches that failed together do not
 * come back together. */
static unsigned backoff_ms(unsigned restarts)
{
    uint32_t random = 0;
    unsigned ms = BACKOFF_MS;
    while (restarts-- && ms < BACKOFF_MS_MAX)
        ms *= 2;
    ms = ms < BACKOFF_MS_MAX ? ms : BACKOFF_MS_MAX;
    if (getrandom(&random, sizeof random, 0) < 0)
        random = 0;
    return ms - ms / 4 + random % (ms / 2 + 1);
}

/* Whether to start all of them again, after a while. */
static bool restart(struct launch *launch, struct budget *budget)
{
    int failed = launch->failed;
    if (failed < 0 || launch->interrupted || !launch->plan.restart)
        return false;
    int code = launch_code(launch->all[failed].status);
    if (code == EXIT_USAGE || code == 126 || code == 127) {
        launch_say("not restarted: status %d is for a command line that was not understood, or a "
                   "program that cannot run",
                   code);
        return false;
    }
    if (!take_restart(&launch->plan, budget)) {
        launch_say("giving up: there were %u restarts within %.0f s (--restart-budget, "
                   "--restart-window)",
                   launch->plan.restart_budget, launch->plan.restart_window_s);
        return false;
    }
    double window_s = launch->plan.restart_window_s;
    if (window_s > 0 && launch_seconds(&launch->all[failed]) >= window_s)
        budget->in_a_row = 0;
    unsigned ms = backoff_ms(budget->in_a_row++);
    launch_say("starting all %u again in %.1f s, as generation %llu", launch->plan.processes,
               ms / 1e3, (unsigned long long)launch->generation + 1);
    uint64_t until_ns = launch_now_ns() + ms * 1000000ull;
    launch_output_flush(1);
    while (!launch->interrupted && launch_now_ns() < until_ns) {
        struct pollfd ready = {.fd = signals, .events = POLLIN};
        if (poll(&ready, 1, wait_ms(until_ns)) > 0 && hear_signals(launch))
            reap(launch);
    }
    launch->generation++;
    launch->restarts++;
    return !launch->interrupted;
}

/* ---- all of it -------------------------------------------------------------------------- */

static void run_attempts(struct launch *launch)
{
    struct budget budget = {WI_NEWS(uint64_t, launch->plan.restart_budget + 1), 0, 0};
    do {
        launch->failed = -1;
        launch->stopping = 0;
        launch->kill_ns = 0;
        if (!launch_start(launch))
            stop(launch, SIGTERM, FAILURE_GRACE_MS / 1e3);
        run_attempt(launch);
    } while (restart(launch, &budget));
    wi_free(budget.times_ns);
}

/* For sockets with names, where only this user can go. */
static bool make_folder(struct launch *launch)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    char path[sizeof launch->folder];
    base = base && strlen(base) < 32 && !access(base, W_OK) ? base : "/tmp";
    snprintf(path, sizeof path, "%.32s/weir-XXXXXX", base);
    if (!mkdtemp(path)) {
        launch_say("no folder can be made in %s: %s", base, strerror(errno));
        return false;
    }
    strcpy(launch->folder, path);
    launch_guard_folder(launch);
    return true;
}

static bool prepare(struct launch *launch)
{
    uint64_t random[2];
    if (!take_signals())
        return false;
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        launch_say("the system gives no random numbers: %s", strerror(errno));
        return false;
    }
    snprintf(launch->place, sizeof launch->place, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    launch->all = WI_NEWS(struct launch_process, launch->plan.processes);
    if (!launch_guard_start(launch))
        return false;
    return launch->plan.transport != LAUNCH_IPC || make_folder(launch);
}

static void free_launch(struct launch *launch)
{
    launch_guard_end(launch);
    wi_place_free_urls(launch->plan.urls, launch->plan.processes);
    wi_hosts_fini(&launch->plan.hosts);
    wi_free(launch->all);
}

static int exit_code(const struct launch *launch)
{
    if (launch->output_error)
        return launch->output_error == EPIPE ? 128 + SIGPIPE : 1;
    if (launch->failed >= 0)
        return launch_code(launch->all[launch->failed].status);
    return 0;
}

/* So that no pipe of ours gets the number of an input or output that was closed. */
static void fill_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int command_launch(int argc, char **argv)
{
    struct launch launch = {.guard = -1, .failed = -1};
    fill_descriptors();
    int status = launch_options(argc, argv, &launch.plan);
    if (status >= 0 || launch.plan.dry_run) {
        strcpy(launch.place, "...");
        strcpy(launch.folder, "...");
        if (status < 0)
            launch_report_dry(&launch);
        free_launch(&launch);
        return status < 0 ? 0 : status;
    }
    launch_output_init(launch.plan.prefix);
    int code = 71;
    if (prepare(&launch)) {
        run_attempts(&launch);
        code = exit_code(&launch);
        if (launch.plan.json)
            launch_report_json(&launch, code);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* whoever does not read keeps nobody here */
    if (!launch.hurry)
        launch_output_drain();
    launch_output_flush(0);
    launch_output_flush(1);
    free_launch(&launch);
    return code;
}
