/* `weir bench-run FIGURE`: one run of one figure on weir, in this process. Prints a JSON
 * object like the peers'. The peers take the same options. */
#include "bench.h"
#include "bench_data.h"
#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS_MAX = 1024 };

/* Option -> its place in struct bench_args; getopt_long gives the index. */
static const struct option options[] = {
    {"workers", required_argument, NULL, 0},     {"batch", required_argument, NULL, 0},
    {"epochs", required_argument, NULL, 0},      {"outstanding", required_argument, NULL, 0},
    {"rounds", required_argument, NULL, 0},      {"operators", required_argument, NULL, 0},
    {"dataflows", required_argument, NULL, 0},   {"nodes", required_argument, NULL, 0},
    {"edges", required_argument, NULL, 0},       {"seconds", required_argument, NULL, 0},
    {"rows", required_argument, NULL, 0},        {"keys", required_argument, NULL, 0},
    {"changes", required_argument, NULL, 0},     {"processes", required_argument, NULL, 0},
    {"process", required_argument, NULL, 0},     {"file", required_argument, NULL, 'f'},
    {"hosts", required_argument, NULL, 'h'},     {"raw", no_argument, NULL, 'r'},
    {"no-shared-memory", no_argument, NULL, 's'},
    {NULL, 0, NULL, 0},
};

static bool parse_number(const char *name, const char *text, uint64_t *number_out)
{
    char *end;
    errno = 0;
    *number_out = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno)
        return true;
    fprintf(stderr, "weir bench-run: --%s needs a number, not '%s'\n", name, text);
    return false;
}

static bool parse(int argc, char **argv, struct bench_args *args)
{
    uint64_t workers = 1, processes = 1, process = 0;
    uint64_t *const places[] = {&workers,         &args->batch,     &args->epochs,
                                &args->outstanding, &args->rounds,  &args->operators,
                                &args->dataflows, &args->nodes,     &args->edges,
                                &args->seconds,   &args->rows,      &args->keys,
                                &args->changes,   &processes,       &process};
    int index = 0, option;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == 'f')
            args->file = optarg;
        else if (option == 'h')
            args->hosts = optarg;
        else if (option == 'r')
            args->raw = true;
        else if (option == 's')
            args->no_shared_memory = true;
        else if (option || !parse_number(options[index].name, optarg, places[index]))
            return false;
    }
    if (workers < 1 || workers > WORKERS_MAX) {
        fprintf(stderr, "weir bench-run: --workers must be 1 to %d\n", WORKERS_MAX);
        return false;
    }
    if (processes < 1 || processes > BENCH_PROCESSES_MAX || process >= processes ||
        (processes > 1 && !args->hosts)) {
        fprintf(stderr, "weir bench-run: --processes must be 1 to %d, --process one of them, and "
                        "--hosts their addresses\n", BENCH_PROCESSES_MAX);
        return false;
    }
    if (optind != argc - 1) {
        fprintf(stderr, "usage: weir bench-run FIGURE --workers N [options]\n");
        return false;
    }
    args->workers = (unsigned)workers;
    args->processes = (unsigned)processes;
    args->process = (unsigned)process;
    args->figure = argv[optind];
    return true;
}

int command_bench_run(int argc, char **argv)
{
    struct bench_args args = {0};
    if (!parse(argc, argv, &args))
        return 2;
    const struct bench_figure *figure = bench_figure_find(NULL, args.figure);
    if (!figure) {
        fprintf(stderr, "weir bench-run: no figure '%s'\n", args.figure);
        return 2;
    }
    if (figure->processes > 1 && args.processes == 1) {
        fprintf(stderr, "weir bench-run: '%s' takes two processes\n", args.figure);
        return 2;
    }
    struct bench_result result = {0};
    if (args.raw && figure->raw)
        figure->raw(&args, &result);
    else if (figure->collection)
        bench_collection_run(figure, &args, &result);
    else
        figure->run(&args, &result);
    printf("{\"figure\":\"%s\",\"workers\":%u,\"unit\":\"%s\",\"value\":%.17g,\"check\":\"%llu\""
           ",\"peak_kb\":%llu",
           figure->name, args.workers, figure->unit, result.value,
           (unsigned long long)result.check, (unsigned long long)bench_peak_kb());
    if (result.has_spread)
        printf(",\"p50\":%llu,\"p99\":%llu,\"max\":%llu", (unsigned long long)result.p50_ns,
               (unsigned long long)result.p99_ns, (unsigned long long)result.max_ns);
    printf("}\n");
    return 0;
}
