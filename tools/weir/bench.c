/* `weir bench SUITE`: runs each figure on weir and, if asked, on its peer, in turns, so that
 * what else the machine does meets both alike; compares the checks; prints medians. */
#include "bench.h"
#include "command.h"

#include "base/alloc.h"

#include <weir/base.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 1024, TEXT_BYTES = 200000000 };

static void print_suite_help(const struct bench_suite *suite)
{
    printf("usage: weir bench %s [options]\n\n"
           "Measures %s, every run in processes of its own, and prints medians.\n\n"
           "  --peers           measure the peer beside it, in turns (needs cargo), and compare\n"
           "                    the results of both\n"
           "  --runs N          runs of each figure and side (default 5)\n"
           "  --figures A,B     only these (default: all)\n"
           "  --workers N,M     numbers of workers, of each process (default: %s)\n"
           "  --quick           a hundredth of the work, to see that all figures run\n"
           "  --set NAME=N,...  other amounts of work, for both sides: batch, epochs,\n"
           "                    outstanding, rounds, operators, dataflows, nodes, edges, seconds,\n"
           "                    rows, keys, changes, file\n"
           "  --json            one JSON object a line; the machine on stderr\n"
           "  --help\n\n"
           "figures:\n",
           suite->name, suite->summary,
           suite == &bench_net ? "as it says below" : "1,2");
    for (unsigned i = 0; i < suite->count; i++)
        printf("  %-19s %s; %s\n", suite->figures[i].name, suite->figures[i].summary,
               suite->figures[i].unit);
    printf("\nThe status is 1 if a run failed or the two sides' results differ.\n");
}

static void print_help(FILE *to)
{
    fprintf(to, "usage: weir bench SUITE [options]\n\nsuites:\n");
    for (unsigned i = 0; i < bench_suite_count; i++)
        fprintf(to, "  %-12s %s\n", bench_suites[i]->name, bench_suites[i]->summary);
    fprintf(to, "\n`weir bench SUITE --help` says more.\n");
}

/* ---- the command line ----------------------------------------------------------------- */

static bool parse_count(const char *option, const char *text, unsigned max, unsigned *count_out)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *count_out = (unsigned)number;
    if (*text >= '0' && *text <= '9' && !*end && number >= 1 && number <= max)
        return true;
    fprintf(stderr, "weir bench: --%s: '%s' is not a number from 1 to %u\n", option, text, max);
    return false;
}

static bool parse_figures(char *list, struct bench_plan *plan)
{
    plan->figure_count = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        const struct bench_figure *figure = bench_figure_find(plan->suite, name);
        if (!figure || plan->figure_count == BENCH_LIST_MAX) {
            fprintf(stderr, "weir bench: no figure '%s'; `weir bench %s --help` lists them\n",
                    name, plan->suite->name);
            return false;
        }
        plan->figures[plan->figure_count++] = figure;
    }
    return true;
}

static bool parse_workers(char *list, struct bench_plan *plan)
{
    plan->worker_count = 0;
    for (char *text = strtok(list, ","); text; text = strtok(NULL, ",")) {
        if (plan->worker_count == BENCH_LIST_MAX ||
            !parse_count("workers", text, WORKERS_MAX, &plan->workers[plan->worker_count]))
            return false;
        plan->worker_count++;
    }
    return true;
}

/* "batch=10,epochs=5" -> "--batch 10 --epochs 5" */
static bool parse_set(char *list, struct bench_plan *plan)
{
    for (char *pair = strtok(list, ","); pair; pair = strtok(NULL, ",")) {
        char *value = strchr(pair, '='), *longer;
        if (!value || strchr(pair, ' ')) {
            fprintf(stderr, "weir bench: --set: '%s' is not NAME=VALUE\n", pair);
            return false;
        }
        *value++ = 0;
        const char *before = plan->set ? plan->set : "";
        if (asprintf(&longer, "%s%s--%s %s", before, *before ? " " : "", pair, value) < 0)
            return false;
        free(plan->set);
        plan->set = longer;
    }
    return true;
}

/* The exit status, or -1 to go on. */
static int parse(int argc, char **argv, struct bench_plan *plan)
{
    static const struct option options[] = {
        {"peers", no_argument, NULL, 'p'},         {"runs", required_argument, NULL, 'r'},
        {"figures", required_argument, NULL, 'f'}, {"workers", required_argument, NULL, 'w'},
        {"set", required_argument, NULL, 's'},     {"json", no_argument, NULL, 'j'},
        {"quick", no_argument, NULL, 'q'},         {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool understood = true;
    int option;
    while (understood && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'p': plan->peers = true; break;
        case 'j': plan->json = true; break;
        case 'q': plan->quick = true; break;
        case 'r': understood = parse_count("runs", optarg, BENCH_RUNS_MAX, &plan->runs); break;
        case 'f': understood = parse_figures(optarg, plan); break;
        case 'w': understood = parse_workers(optarg, plan); break;
        case 's': understood = parse_set(optarg, plan); break;
        case 'h': print_suite_help(plan->suite); return 0;
        default:
            fprintf(stderr, "`weir bench %s --help` lists the options\n", plan->suite->name);
            understood = false;
        }
    }
    if (understood && optind < argc) {
        fprintf(stderr, "weir bench: unexpected '%s'\n", argv[optind]);
        understood = false;
    }
    return understood ? -1 : 2;
}

/* ---- runs ----------------------------------------------------------------------------- */

static void show_progress(const struct bench_row *row, unsigned done, unsigned total,
                          enum bench_side side)
{
    static const char *const sides[] = {"weir", "peer", "limit"};
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K[%u/%u] %s, %u worker%s, run %u, %s", done + 1, total,
                row->figure->name, row->workers, row->workers == 1 ? "" : "s", row->runs + 1,
                sides[side]);
}

/* The peer's result of a run: measured, or what was published of the same amount of work. */
static bool run_peer(const struct bench_plan *plan, struct bench_row *row,
                     struct bench_result *out)
{
    const struct bench_figure *figure = row->figure;
    if (!figure->published)
        return bench_once(plan, figure, row->workers, BENCH_PEER, out);
    *out = (struct bench_result){.value = figure->published_value,
                                 .peak_kb = figure->published_peak_kb,
                                 .check = row->weir[0].check};
    return true;
}

/* What weir's check must be, and whose it is. */
static uint64_t expected_check(const struct bench_plan *plan, const struct bench_row *row,
                               unsigned run, const char **whose_out)
{
    *whose_out = "the peer's";
    if (row->has_peer)
        return row->peer[run].check;
    *whose_out = "that of the C loop";
    if (row->has_raw && row->figure->processes <= 1)
        return row->raw[run].check;
    *whose_out = "the peer's";
    if (plan->quick && !plan->set && row->figure->quick_check)
        return row->figure->quick_check;
    *whose_out = "that of its first run";
    return row->weir[0].check;
}

/* Whether weir's result is right, or else a message. */
static bool compare(const struct bench_plan *plan, const struct bench_row *row, unsigned run)
{
    const char *whose;
    uint64_t check = row->weir[run].check, expected = expected_check(plan, row, run, &whose);
    if (check == expected)
        return true;
    bench_clear_progress();
    fprintf(stderr, "weir bench: %s, %u workers: WRONG RESULT: weir's check is %llu, %s %llu\n",
            row->figure->name, row->workers, (unsigned long long)check, whose,
            (unsigned long long)expected);
    return false;
}

/* All runs of one row; false if one failed or the results differ. */
static bool run_row(const struct bench_plan *plan, struct bench_row *row, unsigned done,
                    unsigned total)
{
    const struct bench_figure *figure = row->figure;
    row->has_peer = plan->peers && (figure->published
                                        ? row->workers == 1 && !plan->quick && !plan->set
                                        : figure->peer_figure != NULL);
    row->has_raw = figure->raw;
    for (unsigned run = 0; run < plan->runs; run++) {
        show_progress(row, done, total, BENCH_WEIR);
        double line_ns = bench_line_ns();
        if (!bench_once(plan, figure, row->workers, BENCH_WEIR, &row->weir[run]))
            return false;
        row->weir[run].line_ns = line_ns;
        if (row->has_raw) {
            show_progress(row, done, total, BENCH_RAW);
            if (!bench_once(plan, figure, row->workers, BENCH_RAW, &row->raw[run]))
                return false;
        }
        if (row->has_peer) {
            show_progress(row, done, total, BENCH_PEER);
            if (!run_peer(plan, row, &row->peer[run]))
                return false;
        }
        row->runs = run + 1;
        if (!compare(plan, row, run))
            return false;
    }
    return true;
}

static bool prepare(struct bench_plan *plan)
{
    bool needs_text = false;
    for (unsigned i = 0; i < plan->figure_count; i++)
        needs_text |= plan->figures[i]->needs_text;
    if (needs_text && !(plan->text = bench_text_file(TEXT_BYTES / (plan->quick ? BENCH_QUICK : 1))))
        return false;
    return !plan->peers || (plan->peer_program = bench_peers_build());
}

/* The numbers of workers of a figure: what was asked for, or its own. Returns how many. */
static unsigned workers_of(const struct bench_plan *plan, const struct bench_figure *figure,
                           unsigned workers_out[BENCH_LIST_MAX])
{
    struct bench_plan own = *plan;
    if (!own.worker_count) {
        char list[64];
        snprintf(list, sizeof list, "%s", figure->workers ? figure->workers : "1,2");
        parse_workers(list, &own);
    }
    memcpy(workers_out, own.workers, sizeof own.workers);
    return own.worker_count;
}

static unsigned count_rows(const struct bench_plan *plan)
{
    unsigned total = 0, workers[BENCH_LIST_MAX];
    for (unsigned f = 0; f < plan->figure_count; f++)
        total += workers_of(plan, plan->figures[f], workers);
    return total;
}

static int run_plan(const struct bench_plan *plan)
{
    unsigned total = count_rows(plan), done = 0, workers[BENCH_LIST_MAX];
    struct bench_row *rows = WI_NEWS(struct bench_row, total);
    bool all_good = true;
    if (!plan->json)
        bench_report_head(plan->suite);
    for (unsigned f = 0; f < plan->figure_count; f++) {
        unsigned count = workers_of(plan, plan->figures[f], workers);
        for (unsigned w = 0; w < count; w++) {
            struct bench_row *row = &rows[done];
            row->figure = plan->figures[f];
            row->workers = workers[w];
            if (!run_row(plan, row, done, total)) {
                all_good = false;
                total--;
                memset(row, 0, sizeof *row);
                continue;
            }
            bench_clear_progress();
            if (plan->json)
                bench_report_json(row);
            else
                bench_report_row(plan->suite, row);
            done++;
        }
    }
    if (!plan->json)
        bench_report_details(rows, done);
    wi_free(rows);
    return all_good ? 0 : 1;
}

static int measure(struct bench_plan *plan)
{
    char *machine = bench_machine();
    fprintf(plan->json ? stderr : stdout, "weir %s on %s\n", WEIR_VERSION,
            machine ? machine : "?");
    fflush(stdout);
    free(machine);
    return prepare(plan) ? run_plan(plan) : 1;
}

int command_bench(int argc, char **argv)
{
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        print_help(stdout);
        return 0;
    }
    struct bench_plan plan = {.runs = 5};
    plan.suite = argc > 1 ? bench_suite_find(argv[1]) : NULL;
    if (!plan.suite) {
        print_help(stderr);
        return 2;
    }
    for (unsigned i = 0; i < plan.suite->count; i++)
        plan.figures[plan.figure_count++] = &plan.suite->figures[i];
    argv[1] = (char *)"weir bench"; /* as getopt names us */
    int status = parse(argc - 1, argv + 1, &plan);
    if (status < 0)
        status = measure(&plan);
    free(plan.set);
    free(plan.text);
    free(plan.peer_program);
    return status;
}
