/* Runs a process, or the processes of a cluster, and reads what they print: how a figure's runs
 * are kept apart. */
#include "bench.h"
#include "bench_data.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_BYTES_MAX = 1 << 16, AFTER_FAILURE_S = 5 };

static char reason[256];

struct child {
    const char *program;
    pid_t pid;
    int from; /* its stdout; -1: it has ended */
    size_t length;
    char *text;
    double cpu_s;
};

static void say(const char *program, const char *what)
{
    if (!*reason)
        snprintf(reason, sizeof reason, "%s %s", program, what);
}

/* Starts argv; returns 0 or an errno. What goes to our stderr of a process by itself is read, too,
 * of one among others: timely's say much while they look for each other. */
static int start(struct child *child, const char *const argv[], const char *folder, bool is_read,
                 bool is_alone)
{
    int ends[2];
    child->program = argv[0];
    child->from = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, is_read ? ends[1] : STDERR_FILENO, STDOUT_FILENO);
    if (!is_alone)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (folder)
        posix_spawn_file_actions_addchdir_np(&actions, folder);
    int failed = posix_spawnp(&child->pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return failed;
    }
    child->from = ends[0];
    child->text = calloc(1, OUTPUT_BYTES_MAX);
    return 0;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Its stdout is closed, or it was killed. */
static void end(struct child *child)
{
    int status;
    struct rusage used = {0};
    char what[128];
    close(child->from);
    child->from = -1;
    while (wait4(child->pid, &status, 0, &used) < 0 && errno == EINTR)
        ;
    child->cpu_s = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    if (WIFEXITED(status))
        snprintf(what, sizeof what, "ended with status %d", WEXITSTATUS(status));
    else
        snprintf(what, sizeof what, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    say(child->program, what);
}

/* Something is to be read, or it is the end. What goes beyond the limit is read and forgotten. */
static void read_some(struct child *child)
{
    char bytes[4096];
    ssize_t got = read(child->from, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        end(child);
        return;
    }
    size_t room = child->text ? OUTPUT_BYTES_MAX - 1 - child->length : 0;
    size_t kept = (size_t)got < room ? (size_t)got : room;
    if (kept)
        memcpy(child->text + child->length, bytes, kept);
    child->length += kept;
}

/* Waits for output of any, or for the deadline; false if that has passed or all have ended. */
static bool wait_some(struct child *children, unsigned count, uint64_t deadline_ns)
{
    struct pollfd ready[BENCH_PROCESSES_MAX];
    uint64_t now = bench_now_ns();
    bool any = false;
    for (unsigned i = 0; i < count; i++) {
        ready[i] = (struct pollfd){.fd = children[i].from, .events = POLLIN};
        any |= children[i].from >= 0;
    }
    if (!any || now >= deadline_ns)
        return false;
    if (poll(ready, count, (int)((deadline_ns - now) / 1000000 + 1)) < 0)
        return errno == EINTR;
    for (unsigned i = 0; i < count; i++)
        if (ready[i].revents)
            read_some(&children[i]);
    return true;
}

static void run_all(struct child *children, unsigned count, unsigned timeout_s)
{
    uint64_t deadline_ns = bench_now_ns() + timeout_s * 1000000000ull;
    bool hurried = false;
    while (wait_some(children, count, deadline_ns)) {
        if (*reason && !hurried) {
            uint64_t soon_ns = bench_now_ns() + AFTER_FAILURE_S * 1000000000ull;
            deadline_ns = soon_ns < deadline_ns ? soon_ns : deadline_ns;
            hurried = true;
        }
    }
    char what[64];
    snprintf(what, sizeof what, "had not ended after %u s and was killed", timeout_s);
    for (unsigned i = 0; i < count; i++) {
        if (children[i].from < 0)
            continue;
        say(children[i].program, what);
        kill(children[i].pid, SIGKILL);
        end(&children[i]);
    }
}

const char *bench_children(const char *const *const argvs[], unsigned count, const char *folder,
                           unsigned timeout_s, char *outputs_out[], double *cpu_s_out)
{
    struct child children[BENCH_PROCESSES_MAX] = {{0}};
    char what[128];
    *reason = 0;
    for (unsigned i = 0; i < count; i++) {
        int failed = start(&children[i], argvs[i], folder, outputs_out, count == 1);
        if (failed) {
            snprintf(what, sizeof what, "cannot be started: %s", strerror(failed));
            say(argvs[i][0], what);
            timeout_s = 0;
        }
    }
    run_all(children, count, timeout_s);
    double cpu_s = 0;
    for (unsigned i = 0; i < count; i++) {
        cpu_s += children[i].cpu_s;
        if (*reason && count > 1 && children[i].text)
            fputs(children[i].text, stderr);
        if (outputs_out && !*reason)
            outputs_out[i] = children[i].text;
        else
            free(children[i].text);
    }
    if (cpu_s_out)
        *cpu_s_out = cpu_s;
    return *reason ? reason : NULL;
}

/* The text behind "name": in a JSON object without nesting, or NULL. */
static const char *member(const char *object, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *found = strstr(object, quoted);
    return found ? found + strlen(quoted) : NULL;
}

static bool number_member(const char *object, const char *name, uint64_t *number_out)
{
    const char *text = member(object, name);
    if (!text)
        return false;
    *number_out = strtoull(text + (*text == '"'), NULL, 10);
    return true;
}

bool bench_result_parse(const char *output, struct bench_result *result_out)
{
    const char *object = strstr(output, "{\"figure\"");
    const char *value = object ? member(object, "value") : NULL;
    memset(result_out, 0, sizeof *result_out);
    if (!value || !number_member(object, "check", &result_out->check))
        return false;
    result_out->value = strtod(value, NULL);
    number_member(object, "peak_kb", &result_out->peak_kb);
    result_out->has_spread = number_member(object, "p50", &result_out->p50_ns) &&
                             number_member(object, "p99", &result_out->p99_ns) &&
                             number_member(object, "max", &result_out->max_ns);
    return true;
}
