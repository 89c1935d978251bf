/* One run of one side of a figure: its processes, what they are told, and one result of what
 * they say. Processes of a cluster get addresses that nobody else has, chosen anew for each run,
 * so that invocations beside each other do not meet. */
#include "bench.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ARGS_MAX = 64,
    ADDRESS_MAX = 64,
    RUN_TIMEOUT_S = 300,
    QUICK_MIN = 1000,
};

/* What one process is told. */
struct command {
    const char *argv[ARGS_MAX];
    unsigned count;
    char workers[16], processes[16], process[16];
};

static void add(struct command *command, const char *word)
{
    if (command->count < ARGS_MAX - 1)
        command->argv[command->count++] = word;
    command->argv[command->count] = NULL;
}

static void add_option(struct command *command, const char *name, const char *value)
{
    add(command, name);
    add(command, value);
}

/* Makes a large number a hundredth of what it is, in place: no number becomes longer. */
static void scale_down(char *word)
{
    char *rest;
    unsigned long long number = strtoull(word, &rest, 10);
    if (*word >= '0' && *word <= '9' && !*rest && number >= QUICK_MIN)
        snprintf(word, strlen(word) + 1, "%llu", number / BENCH_QUICK);
}

/* Splits `options`, separated by spaces, in place. */
static void add_words(struct command *command, char *options, bool quick)
{
    char *rest = options;
    for (char *word = strtok_r(options, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (quick)
            scale_down(word);
        add(command, word);
    }
}

/* ---- addresses -------------------------------------------------------------------------- */

/* A port that is free now. It stays so long enough: the system gives out others first. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        address.sin_port = 0;
    if (listener >= 0)
        close(listener);
    return ntohs(address.sin_port);
}

/* Where the processes listen, with commas between: URLs, or, for the peer, HOST:PORT. */
static void choose_hosts(const struct bench_figure *figure, bool peer, char *hosts, size_t size)
{
    static unsigned names;
    size_t length = 0;
    *hosts = 0;
    for (unsigned i = 0; i < figure->processes && length < size; i++) {
        const char *comma = i ? "," : "", *prefix = peer ? "" : "tcp://";
        int wrote = peer || !strcmp(figure->scheme, "tcp")
                        ? snprintf(hosts + length, size - length, "%s%s127.0.0.1:%u", comma, prefix,
                                   free_port())
                        : snprintf(hosts + length, size - length, "%s%s://weir-bench-%d-%u", comma,
                                   figure->scheme, (int)getpid(), names++);
        length += (size_t)wrote;
    }
}

/* ---- results ---------------------------------------------------------------------------- */

/* Whether `result` is the one that held up the others. */
static bool is_worse(const struct bench_figure *figure, const struct bench_result *result,
                     const struct bench_result *than)
{
    return figure->less_is_better ? result->value > than->value : result->value < than->value;
}

/* The slowest process's result, with the sum of all checks and the memory of all. */
static bool parse_all(const struct bench_figure *figure, char *const outputs[], unsigned count,
                      struct bench_result *result_out)
{
    uint64_t check = 0, peak_kb = 0;
    for (unsigned i = 0; i < count; i++) {
        struct bench_result result;
        if (!outputs[i] || !bench_result_parse(outputs[i], &result))
            return false;
        check += result.check;
        peak_kb += result.peak_kb;
        if (i == 0 || is_worse(figure, &result, result_out))
            *result_out = result;
    }
    result_out->check = check;
    result_out->peak_kb = peak_kb;
    return true;
}

/* ---- a run ------------------------------------------------------------------------------ */

static void compose(const struct bench_plan *plan, const struct bench_figure *figure,
                    unsigned workers, enum bench_side side, const char *hosts, unsigned process,
                    struct command *command)
{
    bool peer = side == BENCH_PEER;
    command->count = 0;
    add(command, peer ? plan->peer_program : bench_self());
    if (!peer)
        add(command, "bench-run");
    add(command, peer ? figure->peer_figure : figure->name);
    snprintf(command->workers, sizeof command->workers, "%u", workers);
    add_option(command, "--workers", command->workers);
    if (figure->processes) {
        snprintf(command->processes, sizeof command->processes, "%u", figure->processes);
        snprintf(command->process, sizeof command->process, "%u", process);
        add_option(command, "--processes", command->processes);
        add_option(command, "--process", command->process);
        add_option(command, "--hosts", hosts);
    }
    if (figure->sockets && !peer)
        add(command, "--no-shared-memory");
    if (side == BENCH_RAW)
        add(command, "--raw");
    if (figure->needs_text && plan->text)
        add_option(command, "--file", plan->text);
}

bool bench_once(const struct bench_plan *plan, const struct bench_figure *figure,
                unsigned workers, enum bench_side side, struct bench_result *result_out)
{
    static const char *const sides[] = {"weir", "peer", "limit"};
    struct command commands[BENCH_PROCESSES_MAX];
    const char *const *argvs[BENCH_PROCESSES_MAX];
    char *texts[BENCH_PROCESSES_MAX][2], *outputs[BENCH_PROCESSES_MAX] = {NULL};
    char hosts[BENCH_PROCESSES_MAX * ADDRESS_MAX] = "";
    unsigned count = figure->processes ? figure->processes : 1;
    bool peer = side == BENCH_PEER;
    choose_hosts(figure, peer, hosts, sizeof hosts);
    if (figure->shows_memory && !plan->quick)
        bench_warm_memory();
    for (unsigned i = 0; i < count; i++) {
        compose(plan, figure, workers, side, hosts, i, &commands[i]);
        if (asprintf(&texts[i][0], "%s %s", figure->options,
                     peer && figure->peer_options ? figure->peer_options : "") < 0 ||
            asprintf(&texts[i][1], "%s", plan->set ? plan->set : "") < 0)
            abort();
        add_words(&commands[i], texts[i][0], plan->quick);
        add_words(&commands[i], texts[i][1], false);
        argvs[i] = commands[i].argv;
    }

    double cpu_s = 0;
    const char *problem = bench_children(argvs, count, NULL, RUN_TIMEOUT_S, outputs, &cpu_s);
    if (!problem && !parse_all(figure, outputs, count, result_out))
        problem = "it printed no result";
    result_out->cpu_s = cpu_s;
    if (problem) {
        bench_clear_progress();
        fprintf(stderr, "weir bench: %s, %u workers, %s: %s\n", figure->name, workers,
                sides[side], problem);
    }
    for (unsigned i = 0; i < count; i++) {
        free(texts[i][0]);
        free(texts[i][1]);
        free(outputs[i]);
    }
    return !problem;
}

void bench_clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}
