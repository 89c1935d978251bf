/* What is told of the processes: to people when one fails, to scripts at the end, and to those
 * who only want to see what would be started. */
#include "launch.h"

#include "base/alloc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

bool launch_is_failure(int status)
{
    return !WIFEXITED(status) || WEXITSTATUS(status);
}

int launch_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

double launch_seconds(const struct launch_process *process)
{
    return (double)(process->end_ns - process->start_ns) / 1e9;
}

static const char *signal_name(int signal)
{
    const char *name = sigabbrev_np(signal);
    return name ? name : "real-time";
}

/* Shells and ssh give 128 and the signal's number for a program that a signal ended. */
static int signal_in(int code)
{
    return code > 128 && code < 128 + NSIG && sigabbrev_np(code - 128) ? code - 128 : 0;
}

/* "was killed by signal 9 (KILL)", "exited with status 3" */
static void describe(const struct launch *launch, unsigned index, char *text, size_t bytes)
{
    int status = launch->all[index].status, code = launch_code(status);
    const wi_host *host = launch_host(&launch->plan, index);
    if (WIFSIGNALED(status))
        snprintf(text, bytes, "was killed by signal %d (%s)%s", WTERMSIG(status),
                 signal_name(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped," : "");
    else if (host && code == 255)
        snprintf(text, bytes, "could not be reached, or was lost: `%s` exited with status 255",
                 launch->plan.ssh);
    else if (signal_in(code))
        snprintf(text, bytes, "exited with status %d (as after signal %d, %s)", code,
                 signal_in(code), signal_name(signal_in(code)));
    else
        snprintf(text, bytes, "exited with status %d", code);
}

void launch_report_failure(const struct launch *launch, unsigned index)
{
    const struct launch_process *process = &launch->all[index];
    const wi_host *host = launch_host(&launch->plan, index);
    char how[512], where[320] = "", then[64] = "";
    describe(launch, index, how, sizeof how);
    if (host)
        snprintf(where, sizeof where, "on %.256s, ", host->name);
    if (launch->running)
        snprintf(then, sizeof then, "; stopping the other %u", launch->running);
    launch_say("process %u (%spid %d) %s after %.1f s%s", index, where, (int)process->pid, how,
               launch_seconds(process), then);
}

/* ---- for scripts ------------------------------------------------------------------------ */

static void put_json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', to);
        if ((unsigned char)*text < ' ')
            fprintf(to, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

static void put_process(FILE *to, const struct launch *launch, unsigned index)
{
    const struct launch_process *process = &launch->all[index];
    const wi_host *host = launch_host(&launch->plan, index);
    fprintf(to, "%s{\"process\":%u,\"host\":", index ? "," : "", index);
    put_json_text(to, host ? host->name : "localhost");
    if (!process->pid) {
        fprintf(to, ",\"pid\":null,\"exit\":null,\"signal\":null,\"seconds\":0}");
        return;
    }
    fprintf(to, ",\"pid\":%d", (int)process->pid);
    if (WIFSIGNALED(process->status))
        fprintf(to, ",\"exit\":null,\"signal\":%d", WTERMSIG(process->status));
    else
        fprintf(to, ",\"exit\":%d,\"signal\":null", WEXITSTATUS(process->status));
    fprintf(to, ",\"seconds\":%.3f}", launch_seconds(process));
}

void launch_report_json(const struct launch *launch, int code)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return;
    fprintf(to, "{\"exit\":%d,\"failed\":", code);
    fprintf(to, launch->failed >= 0 ? "%d" : "null", launch->failed);
    fprintf(to, ",\"generation\":%llu,\"restarts\":%u,\"cluster\":",
            (unsigned long long)launch->generation, launch->restarts);
    put_json_text(to, launch->plan.name);
    fprintf(to, ",\"processes\":[");
    for (unsigned i = 0; i < launch->plan.processes; i++)
        put_process(to, launch, i);
    fprintf(to, "]}\n");
    fclose(to);
    const char *path = launch->plan.json_path;
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!path)
        launch_print(text, length);
    else if (!file || fwrite(text, 1, length, file) != length || fflush(file))
        launch_say("cannot write the summary to `%s`: %s", path, strerror(errno));
    if (file)
        fclose(file);
    free(text);
}

/* ---- for people who only look ----------------------------------------------------------- */

static void put_word(const char *word)
{
    char *quoted = launch_quote(word);
    printf(" %s", quoted);
    wi_free(quoted);
}

void launch_report_dry(const struct launch *launch)
{
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        printf("[%u]", i);
        if (launch_host(&launch->plan, i)) {
            char **words = launch_remote_words(launch, i);
            for (unsigned k = LAUNCH_GUARD_WORDS; words[k]; k++)
                put_word(words[k]);
            launch_words_free(words);
        } else {
            bool meets = launch->plan.processes > 1 && !launch->plan.urls;
            char **ours = launch_variables(launch, i, meets ? 0 : -1);
            printf(" env");
            for (unsigned k = 0; ours[k]; k++)
                put_word(!strncmp(ours[k], "WEIR_RENDEZVOUS=", 16) ? "WEIR_RENDEZVOUS=..."
                         : !strncmp(ours[k], "WEIR_KEY=", 9)       ? "WEIR_KEY=..."
                                                                   : ours[k]);
            for (unsigned k = 0; launch->plan.program[k]; k++)
                put_word(launch->plan.program[k]);
            launch_words_free(ours);
        }
        printf("\n");
    }
}
