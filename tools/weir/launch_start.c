/* Starting the processes of one attempt: their environment, their descriptors, their groups.
 *
 * Each is the leader of a process group, so that what it starts itself can be ended with it, and
 * so that a terminal's ^C reaches the launcher alone, which passes it on. Standard input goes to
 * process 0; from a terminal the launcher reads for it, since a group in the background may
 * not. */
#include "launch.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- environment ------------------------------------------------------------------------ */

static char *variable(const char *name, const char *value)
{
    char *text;
    if (asprintf(&text, "%s=%s", name, value) < 0)
        wi_alloc_failed(strlen(name) + strlen(value));
    char *copy = wi_strdup(text);
    free(text);
    return copy;
}

static char *number(const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return variable(name, text);
}

/* Where a process on this host listens. */
static char *listen_variable(const struct launch *launch, unsigned process)
{
    char url[160];
    if (launch->plan.transport == LAUNCH_TCP)
        strcpy(url, "tcp://127.0.0.1:0");
    else if (launch->plan.transport == LAUNCH_TLS)
        strcpy(url, "tls+tcp://127.0.0.1:0");
    else if (launch->plan.transport == LAUNCH_IPC)
        snprintf(url, sizeof url, "ipc://%s/%u", launch->folder, process);
    else
        snprintf(url, sizeof url, "abstract://weir-%s-%llu-%u", launch->place,
                 (unsigned long long)launch->generation, process);
    return variable("WEIR_LISTEN", url);
}

static char *hosts_variable(const struct launch_plan *plan)
{
    size_t bytes = 1;
    for (unsigned i = 0; i < plan->processes; i++)
        bytes += strlen(plan->urls[i]) + 1;
    char *list = wi_alloc(bytes), *at = list;
    for (unsigned i = 0; i < plan->processes; i++) {
        if (i)
            *at++ = ',';
        at = stpcpy(at, plan->urls[i]);
    }
    char *text = variable("WEIR_HOSTS", list);
    wi_free(list);
    return text;
}

char **launch_variables(const struct launch *launch, unsigned process, int meet)
{
    const struct launch_plan *plan = &launch->plan;
    char **list = WI_NEWS(char *, 12);
    unsigned count = 0;
    list[count++] = number("WEIR_PROCESSES", plan->processes);
    list[count++] = number("WEIR_PROCESS", process);
    list[count++] = variable("WEIR_CLUSTER", plan->name);
    list[count++] = number("WEIR_GENERATION", launch->generation);
    if (plan->workers)
        list[count++] = number("WEIR_WORKERS", plan->workers);
    if (plan->urls)
        list[count++] = hosts_variable(plan);
    if (meet >= 0) {
        list[count++] = number("WEIR_RENDEZVOUS", (uint64_t)meet);
        list[count++] = listen_variable(launch, process);
    }
    if (*plan->key && !launch_host(plan, process))
        list[count++] = variable("WEIR_KEY", plan->key);
    else if (plan->key_file && !plan->urls)
        list[count++] = variable("WEIR_KEY_FILE", plan->key_file);
    return list;
}

/* Variables that would say something else of the place. */
static bool is_ours(const struct launch_plan *plan, const char *entry)
{
    static const char *const names[] = {"WEIR_PROCESSES", "WEIR_PROCESS",    "WEIR_CLUSTER",
                                        "WEIR_HOSTS",     "WEIR_GENERATION", "WEIR_RENDEZVOUS",
                                        "WEIR_LISTEN",    "WEIR_SERVICE",    "WEIR_POD"};
    size_t length = strcspn(entry, "=");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && !strncmp(entry, names[i], length))
            return true;
    if (!strncmp(entry, "WEIR_WORKERS=", 13))
        return plan->workers;
    bool key = !strncmp(entry, "WEIR_KEY=", 9) || !strncmp(entry, "WEIR_KEY_FILE=", 14);
    return key && (plan->key_file || *plan->key);
}

/* What is inherited and what is ours, in one list; the strings of `ours` are borrowed. */
static char **environment(const struct launch_plan *plan, char **ours)
{
    unsigned inherited = 0, count = 0;
    while (environ[inherited])
        inherited++;
    char **list = WI_NEWS(char *, inherited + 16);
    for (unsigned i = 0; i < inherited; i++)
        if (!is_ours(plan, environ[i]))
            list[count++] = environ[i];
    for (unsigned i = 0; ours[i]; i++)
        list[count++] = ours[i];
    return list;
}

/* ---- one process ------------------------------------------------------------------------ */

/* The child's ends of what connects us; -1: it gets /dev/null (input) or ours (the rest). */
struct ends {
    int input, outputs[2], meet;
    bool own_input; /* it gets ours */
};

static bool make_pipe(int *ours, int *theirs, bool we_read)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return false;
    *ours = ends[we_read ? 0 : 1];
    *theirs = ends[we_read ? 1 : 0];
    return true;
}

static bool connect_outputs(const struct launch *launch, unsigned index, struct ends *theirs)
{
    const struct launch_plan *plan = &launch->plan;
    if (plan->processes == 1 && !plan->prefix && !launch_host(plan, index))
        return true; /* it writes to ours itself */
    for (unsigned output = 0; output < 2; output++) {
        int ours;
        if (!make_pipe(&ours, &theirs->outputs[output], true))
            return false;
        launch_stream_open(&launch->all[index].streams[output], ours, index, output);
    }
    return true;
}

static bool connect_input(const struct launch *launch, unsigned index, struct ends *theirs)
{
    struct launch_process *process = &launch->all[index];
    bool remote = launch_host(&launch->plan, index);
    bool first = index == 0 && launch->generation == 0;
    theirs->own_input = first && !remote && !isatty(STDIN_FILENO);
    if (!remote && (!first || theirs->own_input))
        return true;
    return make_pipe(&process->control, &theirs->input, false) &&
           !fcntl(process->control, F_SETFL, O_NONBLOCK);
}

static bool connect_process(const struct launch *launch, unsigned index, struct ends *theirs)
{
    const struct launch_plan *plan = &launch->plan;
    int pair[2];
    *theirs = (struct ends){.input = -1, .outputs = {-1, -1}, .meet = -1};
    if (!connect_outputs(launch, index, theirs) || !connect_input(launch, index, theirs))
        return false;
    if (plan->processes == 1 || plan->urls)
        return true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return false;
    launch->all[index].meet = pair[0];
    theirs->meet = pair[1];
    return true;
}

static void close_ends(const struct ends *theirs)
{
    const int all[] = {theirs->input, theirs->outputs[0], theirs->outputs[1], theirs->meet};
    for (unsigned i = 0; i < 4; i++)
        if (all[i] >= 0)
            close(all[i]);
}

static char **local_words(const struct launch *launch)
{
    char **program = launch->plan.program;
    unsigned count = 0;
    while (program[count])
        count++;
    char **words = WI_NEWS(char *, LAUNCH_GUARD_WORDS + count + 1);
    launch_guard_words(launch, words);
    for (unsigned i = 0; i < count; i++)
        words[LAUNCH_GUARD_WORDS + i] = wi_strdup(program[i]);
    return words;
}

/* None is overwritten before it is used: ours are above 2, and the last ones stay where they
 * are. */
static void place_descriptors(posix_spawn_file_actions_t *actions, const struct ends *theirs,
                              int keeper)
{
    if (theirs->input >= 0)
        posix_spawn_file_actions_adddup2(actions, theirs->input, STDIN_FILENO);
    else if (!theirs->own_input)
        posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (int output = 0; output < 2; output++)
        if (theirs->outputs[output] >= 0)
            posix_spawn_file_actions_adddup2(actions, theirs->outputs[output], 1 + output);
    if (theirs->meet >= 0) /* onto itself: it is not closed when the program begins */
        posix_spawn_file_actions_adddup2(actions, theirs->meet, theirs->meet);
    if (keeper >= 0)
        posix_spawn_file_actions_adddup2(actions, keeper, keeper);
}

/* The launcher's signals are blocked and SIGPIPE is ignored: not so in what it starts. */
static void reset_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &pipe);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const struct launch *launch, unsigned index, const struct ends *theirs)
{
    const wi_host *host = launch_host(&launch->plan, index);
    char **words = host ? launch_remote_words(launch, index) : local_words(launch);
    char **ours = launch_variables(launch, index, theirs->meet);
    char **env = host ? environ : environment(&launch->plan, ours);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    place_descriptors(&actions, theirs, launch->guard);
    reset_signals(&attributes);
    int failed = posix_spawn(&launch->all[index].pid, "/proc/self/exe", &actions, &attributes,
                             words, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    launch_words_free(words);
    launch_words_free(ours);
    if (!host)
        wi_free(env);
    return failed;
}

static bool start_one(struct launch *launch, unsigned index)
{
    struct launch_process *process = &launch->all[index];
    struct ends theirs;
    bool connected = connect_process(launch, index, &theirs);
    int failed = connected ? spawn(launch, index, &theirs) : errno;
    close_ends(&theirs);
    if (failed) {
        launch_say("process %u cannot be started: %s", index, strerror(failed));
        return false;
    }
    process->running = true;
    process->start_ns = launch_now_ns();
    launch->running++;
    if (launch_host(&launch->plan, index)) {
        /* The first line is the key: never on a command line. */
        char line[sizeof launch->plan.key + 1];
        int length = snprintf(line, sizeof line, "%s\n", launch->plan.key);
        if (write(process->control, line, (size_t)length) != length && errno != EPIPE)
            launch_say("process %u was not given its key: %s", index, strerror(errno));
        /* EPIPE: ssh has ended already, which is told when it is waited for. */
    }
    return true;
}

bool launch_start(struct launch *launch)
{
    for (unsigned i = 0; i < launch->plan.processes; i++)
        launch->all[i] = (struct launch_process){
            .meet = -1, .control = -1, .streams = {{.fd = -1}, {.fd = -1}}};
    for (unsigned i = 0; i < launch->plan.processes; i++)
        if (!start_one(launch, i)) {
            launch->failed = (int)i;
            launch->all[i].status = 71 << 8; /* EX_OSERR, as weir's other processes say it */
            return false;
        }
    return true;
}

/* ---- and ending them -------------------------------------------------------------------- */

void launch_signal(struct launch *launch, int signal, bool groups)
{
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        struct launch_process *process = &launch->all[i];
        if (!process->running)
            continue;
        bool remote = launch_host(&launch->plan, i);
        bool again = process->slow;
        process->slow |= signal == SIGKILL;
        if (remote && !again && process->control >= 0) {
            char line[16];
            int length = snprintf(line, sizeof line, "%s\n", sigabbrev_np(signal));
            if (write(process->control, line, (size_t)length) == length)
                continue;
        }
        kill(groups ? -process->pid : process->pid, signal);
    }
}

void launch_clear(struct launch *launch)
{
    for (unsigned i = 0; i < launch->plan.processes; i++) {
        struct launch_process *process = &launch->all[i];
        for (unsigned output = 0; output < 2; output++)
            if (process->streams[output].fd >= 0)
                launch_stream_close(&process->streams[output]);
        if (process->meet >= 0)
            close(process->meet);
        if (process->control >= 0)
            close(process->control);
        process->meet = process->control = -1;
        wi_free(process->url);
        process->url = NULL;
    }
}
