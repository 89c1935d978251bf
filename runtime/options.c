/* The command line of programs: weir's options and the program's own in one table, from
 * which the parser (getopt_long) and --help are made. */
#include <weir/worker.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "hosts.h"
#include "place.h"

#define SECONDS_MAX 1000000
#define OWN_BASE 1000 /* getopt's value of the program's option i is OWN_BASE + i */

typedef enum option_id {
    OPTION_WORKERS = 256,
    OPTION_PIN,
    OPTION_DETERMINISTIC,
    OPTION_SEED,
    OPTION_MEMORY,
    OPTION_SPILL,
    OPTION_BATCH_ROWS,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_PROCESSES,
    OPTION_PROCESS,
    OPTION_HOSTS,
    OPTION_LISTEN,
    OPTION_CLUSTER,
    OPTION_KEY_FILE,
    OPTION_TLS_CERTIFICATE,
    OPTION_TLS_KEY,
    OPTION_TLS_AUTHORITY,
    OPTION_NNG,
    OPTION_NO_SHARED_MEMORY,
    OPTION_CONNECT_TIMEOUT,
    OPTION_SILENCE_TIMEOUT
} option_id;

typedef struct builtin {
    const char *name;
    char letter;
    const char *value, *help;
    option_id id;
} builtin;

static const builtin builtins[] = {
    {"workers", 'w', "N", "worker threads (default 1)", OPTION_WORKERS},
    {"pin", 0, NULL, "bind each worker to a core", OPTION_PIN},
    {"deterministic", 0, NULL, "one thread steps all workers, in an order drawn from the seed",
     OPTION_DETERMINISTIC},
    {"seed", 0, "S", "seed of random numbers and of deterministic runs (default 0)", OPTION_SEED},
    {"memory", 0, "SIZE", "what arrangements may have in memory, e.g. 4G (default: all there is)",
     OPTION_MEMORY},
    {"spill", 0, "DIR", "where the rest goes (default /var/tmp)", OPTION_SPILL},
    {"batch-rows", 0, "N", "rows in a batch, at most (default: 64 KB of them)", OPTION_BATCH_ROWS},
    {"help", 'h', NULL, "show this and exit", OPTION_HELP},
    {"version", 0, NULL, "show weir's version and exit", OPTION_VERSION},
#define FIRST_OF_CLUSTER OPTION_PROCESSES
    {"processes", 0, "N", "how many processes run together (default 1)", OPTION_PROCESSES},
    {"process", 0, "I", "which one this is, from 0", OPTION_PROCESS},
    {"hosts", 0, "LIST", "where each listens: HOST[:PORT] or URL, with commas; or @FILE",
     OPTION_HOSTS},
    {"listen", 0, "URL", "where this one listens, if not at its place in --hosts", OPTION_LISTEN},
    {"cluster", 0, "NAME", "processes of other names are refused (default weir)", OPTION_CLUSTER},
    {"key-file", 0, "FILE", "the key that all share, of mode 0600", OPTION_KEY_FILE},
    {"tls-certificate", 0, "FILE", "this process's certificate, in PEM; with the next two: TLS",
     OPTION_TLS_CERTIFICATE},
    {"tls-key", 0, "FILE", "its private key", OPTION_TLS_KEY},
    {"tls-authority", 0, "FILE", "the certificate of who signed the others'",
     OPTION_TLS_AUTHORITY},
    {"nng", 0, NULL, "nng moves bytes without TLS, too", OPTION_NNG},
    {"no-shared-memory", 0, NULL, "processes of one machine exchange through sockets, too",
     OPTION_NO_SHARED_MEMORY},
    {"connect-timeout", 0, "S", "seconds to wait for all processes (default 30)",
     OPTION_CONNECT_TIMEOUT},
    {"silence-timeout", 0, "S", "seconds after which a silent process is lost (default 2.5)",
     OPTION_SILENCE_TIMEOUT},
};
#define BUILTIN_COUNT (sizeof builtins / sizeof *builtins)

typedef struct parse {
    const char *program, *about;
    const weir_option *own;
    uint32_t own_count;
    struct option *table;
    char letters[256];
    weir_config *config;
} parse;

/* ---- help ------------------------------------------------------------------------------- */

static void show_option(const char *name, char letter, const char *value, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "%c%c%s --%s%s%s", letter ? '-' : ' ', letter ? letter : ' ',
             letter ? "," : " ", name, value ? " " : "", value ? value : "");
    printf("  %-28s %s\n", left, help);
}

static void show_help(const parse *p)
{
    printf("Usage: %s [OPTION]... [--] [ARGUMENT]...\n", p->program);
    if (p->about)
        printf("%s\n", p->about);
    if (p->own_count) {
        printf("\nOptions:\n");
        for (uint32_t i = 0; i < p->own_count; i++)
            show_option(p->own[i].name, p->own[i].letter, p->own[i].value, p->own[i].help);
    }
    printf("\nOptions of every weir program:\n");
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (builtins[i].id == FIRST_OF_CLUSTER)
            printf("\nTo run as several processes (`weir launch` says these):\n");
        show_option(builtins[i].name, builtins[i].letter, builtins[i].value, builtins[i].help);
    }
}

/* ---- parsing ---------------------------------------------------------------------------- */

static void add_letter(parse *p, char letter, bool takes_value)
{
    if (letter)
        sprintf(p->letters + strlen(p->letters), "%c%s", letter, takes_value ? ":" : "");
}

static void make_table(parse *p)
{
    p->table = WI_NEWS(struct option, BUILTIN_COUNT + p->own_count + 1);
    strcpy(p->letters, ":");
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        const builtin *b = &builtins[i];
        p->table[i] = (struct option){b->name, b->value ? required_argument : no_argument, NULL,
                                      (int)b->id};
        add_letter(p, b->letter, b->value);
    }
    for (uint32_t i = 0; i < p->own_count; i++) {
        const weir_option *o = &p->own[i];
        p->table[BUILTIN_COUNT + i] = (struct option){
            o->name, o->value ? required_argument : no_argument, NULL, OWN_BASE + (int)i};
        add_letter(p, o->letter, o->value);
    }
}

static weir_err *read_number(const char *name, const char *text, uint64_t min, uint64_t max,
                             uint64_t *number_out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9';
    if (!digits || *end || errno || number < min || number > max)
        return weir_err_new("--%s takes a whole number from %llu to %llu, not `%s`", name,
                            (unsigned long long)min, (unsigned long long)max, text);
    *number_out = number;
    return NULL;
}

/* A number of bytes, perhaps with K, M, G or T. */
static weir_err *read_size(const char *name, const char *text, uint64_t *bytes_out)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    bool whole = text[0] >= '0' && text[0] <= '9' && (!*end || (unit && !end[1]));
    if (!whole || errno || !number || number > UINT64_MAX >> shift)
        return weir_err_new("--%s takes a size such as 512M or 4G, not `%s`", name, text);
    *bytes_out = (uint64_t)number << shift;
    return NULL;
}

/* Seconds, perhaps with a point. */
static weir_err *read_seconds(const char *name, const char *text, uint64_t *ns_out)
{
    char *end;
    double seconds = strtod(text, &end);
    bool number = text[0] >= '0' && text[0] <= '9' && !*end;
    if (!number || !(seconds >= 0.001 && seconds <= SECONDS_MAX))
        return weir_err_new("--%s takes seconds from 0.001 to %d, not `%s`", name, SECONDS_MAX,
                            text);
    *ns_out = (uint64_t)(seconds * 1e9);
    return NULL;
}

static weir_err *take_of_cluster(weir_cluster *cluster, int id, const char *value)
{
    uint64_t number = 0;
    weir_err *err = NULL;
    switch (id) {
    case OPTION_PROCESSES:
        err = read_number("processes", value, 1, WI_PROCESSES_MAX, &number);
        cluster->processes = (uint32_t)number;
        return err;
    case OPTION_PROCESS:
        err = read_number("process", value, 0, UINT32_MAX - 1, &number);
        cluster->process = (uint32_t)number;
        return err;
    case OPTION_HOSTS:
        cluster->hosts = value;
        return NULL;
    case OPTION_LISTEN:
        cluster->listen = value;
        return NULL;
    case OPTION_CLUSTER:
        cluster->name = value;
        return NULL;
    case OPTION_KEY_FILE:
        cluster->key_file = value;
        return NULL;
    case OPTION_TLS_CERTIFICATE:
        cluster->certificate = value;
        return NULL;
    case OPTION_TLS_KEY:
        cluster->certificate_key = value;
        return NULL;
    case OPTION_TLS_AUTHORITY:
        cluster->authority = value;
        return NULL;
    case OPTION_NNG:
        cluster->nng = true;
        return NULL;
    case OPTION_NO_SHARED_MEMORY:
        cluster->no_shared_memory = true;
        return NULL;
    case OPTION_CONNECT_TIMEOUT:
        return read_seconds("connect-timeout", value, &cluster->connect_ns);
    default:
        return read_seconds("silence-timeout", value, &cluster->silence_ns);
    }
}

static weir_err *take_builtin(parse *p, int id, const char *value)
{
    uint64_t number = 0;
    weir_err *err = NULL;
    switch (id) {
    case OPTION_WORKERS:
        err = read_number("workers", value, 1, WEIR_WORKERS_MAX, &number);
        if (!err)
            p->config->workers = (uint32_t)number;
        return err;
    case OPTION_PIN:
        p->config->pin = true;
        return NULL;
    case OPTION_DETERMINISTIC:
        p->config->deterministic = true;
        return NULL;
    case OPTION_SEED:
        return read_number("seed", value, 0, UINT64_MAX, &p->config->seed);
    case OPTION_MEMORY:
        return read_size("memory", value, &p->config->memory_bytes);
    case OPTION_SPILL:
        p->config->spill = value;
        return NULL;
    case OPTION_BATCH_ROWS:
        err = read_number("batch-rows", value, 1, UINT32_MAX, &number);
        if (!err)
            p->config->batch_rows = (uint32_t)number;
        return err;
    case OPTION_HELP:
        show_help(p);
        exit(0);
    case OPTION_VERSION:
        printf("weir %s\n", weir_version());
        exit(0);
    default:
        return take_of_cluster(&p->config->cluster, id, value);
    }
}

static weir_err *take_own(const weir_option *option, const char *value)
{
    if (option->flag)
        *option->flag = true;
    else if (option->text)
        *option->text = value;
    else if (option->number)
        return read_number(option->name, value, 0, UINT64_MAX, option->number);
    return NULL;
}

static weir_err *take_option(parse *p, int code, const char *value)
{
    if (code >= OWN_BASE)
        return take_own(&p->own[code - OWN_BASE], value);
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        if (code == (int)builtins[i].id || (builtins[i].letter && code == builtins[i].letter))
            return take_builtin(p, (int)builtins[i].id, value);
    for (uint32_t i = 0; i < p->own_count; i++)
        if (p->own[i].letter && code == p->own[i].letter)
            return take_own(&p->own[i], value);
    return NULL;
}

/* getopt has just gone past a long option; of a letter it says which. */
static weir_err *bad_option(const parse *p, int code, char **argv)
{
    char letter[3] = {'-', (char)optopt, 0};
    const char *text = optopt > 0 && optopt < OPTION_WORKERS ? letter : argv[optind - 1];
    if (code == ':')
        return weir_err_new("option %s needs a value; see %s --help", text, p->program);
    if (optopt >= OPTION_WORKERS) /* known, so it is the value that is wrong */
        return weir_err_new("option %.*s takes no value; see %s --help",
                            (int)strcspn(text, "="), text, p->program);
    return weir_err_new("unknown option %s; see %s --help", text, p->program);
}

static weir_err *parse_all(parse *p, int *argc, char **argv)
{
    optind = 0; /* glibc: start anew, so that a program may parse twice */
    opterr = 0;
    for (;;) {
        int code = getopt_long(*argc, argv, p->letters, p->table, NULL);
        if (code == -1)
            break;
        weir_err *err = code == '?' || code == ':' ? bad_option(p, code, argv)
                                                   : take_option(p, code, optarg);
        if (err)
            return err;
    }
    int kept = 1;
    for (int i = optind; i < *argc; i++)
        argv[kept++] = argv[i];
    argv[kept] = NULL;
    *argc = kept;
    p->config->arguments = argv + (kept > 0);
    return NULL;
}

/* `weir launch -w` says it so, for programs may have a -w of their own. */
static weir_err *workers_from_environment(weir_config *config)
{
    const char *text = getenv("WEIR_WORKERS");
    uint64_t workers = 0;
    if (config->workers || !text || !*text)
        return NULL;
    if (!wi_hosts_number(text, WEIR_WORKERS_MAX, &workers) || !workers)
        return weir_err_new("WEIR_WORKERS is `%s`, not a whole number from 1 to %d", text,
                            WEIR_WORKERS_MAX);
    config->workers = (uint32_t)workers;
    return NULL;
}

weir_err *weir_options(int *argc, char **argv, const char *about, const weir_option *own,
                       weir_config *config)
{
    parse p = {.program = *argc ? argv[0] : "weir program", .about = about, .own = own,
               .config = config};
    while (own && own[p.own_count].name)
        p.own_count++;
    if (!config->cluster.processes) /* which one the program has not said, then */
        config->cluster.process = WI_PROCESS_UNKNOWN;
    make_table(&p);
    weir_err *err = parse_all(&p, argc, argv);
    wi_free(p.table);
    if (!err)
        err = workers_from_environment(config);
    return err ? err : wi_place_find(&config->cluster);
}

/* ---- a whole program -------------------------------------------------------------------- */

typedef struct program {
    const char *name;
    weir_build_fn *build;
    void *arg;
} program;

static void build_and_run(weir_worker *worker, void *arg)
{
    const program *self = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, self->name);
    self->build(flow, self->arg);
    weir_dataflow_end_or_stop(flow);
}

int weir_report(weir_err *err, int code)
{
    if (!err)
        return 0;
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, weir_err_message(err));
    weir_err_free(err);
    return code;
}

int weir_main_with(int argc, char **argv, const char *about, const weir_option *own,
                   weir_build_fn *build, void *arg)
{
    program self = {program_invocation_short_name, build, arg};
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, about, own, &config);
    if (err)
        return weir_report(err, 2);
    return weir_report(weir_execute(&config, build_and_run, &self), 1);
}

int weir_main(int argc, char **argv, weir_build_fn *build, void *arg)
{
    return weir_main_with(argc, argv, NULL, NULL, build, arg);
}
