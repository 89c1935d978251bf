/* Starting a process on another host, through ssh, with nothing there but a POSIX shell.
 *
 * ssh's standard input is the line from the launcher to a small script: first the key (which so
 * is on no command line), then names of signals to pass on. When it ends, because the launcher
 * or the connection did, the script ends the program. The program's own standard input is
 * /dev/null. */
#include "launch.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No single quotes and no line ends, for login shells of all kinds. $1 is the folder; what
 * follows is for env. The program leads a group of its own where setsid is known. A shell lets
 * what it starts in the background ignore INT and QUIT; where env cannot undo that, TERM is sent
 * instead. */
static const char script[] =
    "cd \"$1\" || exit 126; shift; IFS= read -r key; "
    "if [ -n \"$key\" ]; then WEIR_KEY=$key; export WEIR_KEY; fi; "
    "setsid=$(command -v setsid); undo=--default-signal=INT,QUIT; "
    "env $undo true 2>/dev/null || undo=; exec 3<&0; "
    "$setsid env $undo \"$@\" </dev/null 3<&- & program=$!; "
    "send() { case $undo$1 in INT|QUIT) set TERM;; esac; "
    "case $1 in USR*) kill -s \"$1\" $program; return;; esac; "
    "kill -s \"$1\" -- -$program || kill -s \"$1\" $program; }; "
    "(while read -r signal; do send \"$signal\"; done; "
    "send TERM; sleep 2; send KILL) <&3 3<&- >/dev/null 2>&1 & watcher=$!; exec 3<&-; "
    "wait $program; status=$?; kill -s KILL $watcher; exit $status";

char *launch_quote(const char *word)
{
    size_t quotes = 0;
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+@%^";
    if (*word && strspn(word, plain) == strlen(word))
        return wi_strdup(word);
    for (const char *at = word; *at; at++)
        quotes += *at == '\'';
    char *quoted = wi_alloc(strlen(word) + 3 * quotes + 3), *to = quoted;
    *to++ = '\'';
    for (; *word; word++) {
        if (*word == '\'')
            to = stpcpy(to, "'\\'");
        *to++ = *word;
    }
    stpcpy(to, "'");
    return quoted;
}

void launch_words_free(char **words)
{
    for (unsigned i = 0; words[i]; i++)
        wi_free(words[i]);
    wi_free(words);
}

/* ---- growing lists ---------------------------------------------------------------------- */

struct words {
    char **at;
    unsigned count, capacity;
};

static void add(struct words *words, char *word)
{
    wi_grow(&words->at, &words->capacity, words->count + 2, sizeof *words->at);
    words->at[words->count++] = word;
    words->at[words->count] = NULL;
}

static void append(char **line, const char *word)
{
    char *quoted = launch_quote(word);
    size_t length = strlen(*line);
    *line = wi_realloc(*line, length + strlen(quoted) + 2);
    if (length)
        (*line)[length++] = ' ';
    strcpy(*line + length, quoted);
    wi_free(quoted);
}

/* WEIR_ variables of the user's that are not about places: they hold on other hosts too. */
static bool goes_along(const char *entry)
{
    static const char *const stay[] = {"WEIR_PROCESS",    "WEIR_HOSTS",   "WEIR_CLUSTER",
                                       "WEIR_GENERATION", "WEIR_LISTEN",  "WEIR_RENDEZVOUS",
                                       "WEIR_SERVICE",    "WEIR_POD",     "WEIR_KEY",
                                       "WEIR_WORKERS"};
    if (strncmp(entry, "WEIR_", 5))
        return false;
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        if (!strncmp(entry, stay[i], strlen(stay[i])))
            return false;
    return true;
}

/* What the login shell of the host is to run. */
static char *remote_line(const struct launch *launch, unsigned process)
{
    const struct launch_plan *plan = &launch->plan;
    char *line = wi_strdup("exec"), *folder = getcwd(NULL, 0);
    char **ours = launch_variables(launch, process, -1);
    append(&line, "sh");
    append(&line, "-c");
    append(&line, script);
    append(&line, "weir-launch");
    append(&line, folder ? folder : "/");
    for (unsigned i = 0; environ[i]; i++)
        if (goes_along(environ[i]))
            append(&line, environ[i]);
    for (unsigned i = 0; ours[i]; i++)
        append(&line, ours[i]);
    for (unsigned i = 0; plan->program[i]; i++)
        append(&line, plan->program[i]);
    launch_words_free(ours);
    free(folder);
    return line;
}

char **launch_remote_words(const struct launch *launch, unsigned process)
{
    const wi_host *host = launch_host(&launch->plan, process);
    struct words words = {0};
    char *guard[LAUNCH_GUARD_WORDS], *ssh = wi_strdup(launch->plan.ssh), *rest;
    launch_guard_words(launch, guard);
    for (unsigned i = 0; i < LAUNCH_GUARD_WORDS; i++)
        add(&words, guard[i]);
    for (char *word = strtok_r(ssh, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        add(&words, wi_strdup(word));
    wi_free(ssh);
    size_t bytes = strlen(host->name) + (host->login ? strlen(host->login) + 1 : 0) + 1;
    char *target = wi_alloc(bytes);
    snprintf(target, bytes, "%s%s%s", host->login ? host->login : "", host->login ? "@" : "",
             host->name);
    add(&words, target);
    add(&words, remote_line(launch, process));
    return words.at;
}
