/* Runs one process and reads what it prints: how a figure's runs are kept apart. */
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

enum { OUTPUT_BYTES_MAX = 1 << 16 };

static char reason[256];

/* Starts argv with its stdout in stdout_fd; returns 0 or an errno. */
static int start(const char *const argv[], const char *folder, int stdout_fd, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
    if (folder)
        posix_spawn_file_actions_addchdir_np(&actions, folder);
    int failed = posix_spawnp(pid_out, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* Reads until the end of the pipe; false when the deadline passes first. What goes beyond
 * the limit is read and forgotten. */
static bool read_all(int from, uint64_t deadline_ns, char *text)
{
    size_t length = 0;
    for (;;) {
        uint64_t now = bench_now_ns();
        int wait_ms = now < deadline_ns ? (int)((deadline_ns - now) / 1000000 + 1) : 0;
        struct pollfd ready = {.fd = from, .events = POLLIN};
        int polled = poll(&ready, 1, wait_ms);
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled <= 0)
            return false;
        char bytes[4096];
        ssize_t got = read(from, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size_t room = OUTPUT_BYTES_MAX - 1 - length;
        size_t kept = (size_t)got < room ? (size_t)got : room;
        memcpy(text + length, bytes, kept);
        length += kept;
    }
    text[length] = 0;
    return true;
}

static const char *ended(const char *program, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (WIFEXITED(status))
        snprintf(reason, sizeof reason, "%s ended with status %d", program, WEXITSTATUS(status));
    else
        snprintf(reason, sizeof reason, "%s was killed by signal %d (%s)", program,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    return reason;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

const char *bench_child(const char *const argv[], const char *folder, unsigned timeout_s,
                        char **output_out, double *cpu_s_out)
{
    char *text = calloc(1, OUTPUT_BYTES_MAX);
    int ends[2];
    if (!text || pipe2(ends, O_CLOEXEC) < 0) {
        free(text);
        snprintf(reason, sizeof reason, "%s cannot be started: %s", argv[0], strerror(errno));
        return reason;
    }
    pid_t pid;
    int failed = start(argv, folder, output_out ? ends[1] : STDERR_FILENO, &pid);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        free(text);
        snprintf(reason, sizeof reason, "%s cannot be started: %s", argv[0], strerror(failed));
        return reason;
    }
    bool in_time = read_all(ends[0], bench_now_ns() + timeout_s * 1000000000ull, text);
    close(ends[0]);
    if (!in_time)
        kill(pid, SIGKILL);
    int status;
    struct rusage used;
    while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
        ;
    if (cpu_s_out)
        *cpu_s_out = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    if (!in_time) {
        free(text);
        snprintf(reason, sizeof reason, "%s had not ended after %u s and was killed", argv[0],
                 timeout_s);
        return reason;
    }
    if (output_out)
        *output_out = text;
    else
        free(text);
    return ended(argv[0], status);
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
    const char *object = strchr(output, '{');
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
