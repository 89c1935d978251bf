/* Medians and noise of a figure's runs, as a table or as JSON. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 32 };

typedef double (*field_fn)(const struct bench_result *result);

static double value_of(const struct bench_result *result) { return result->value; }
static double p99_of(const struct bench_result *result) { return (double)result->p99_ns; }
static double max_of(const struct bench_result *result) { return (double)result->max_ns; }
static double peak_of(const struct bench_result *result) { return (double)result->peak_kb; }
static double cpu_of(const struct bench_result *result) { return result->cpu_s; }
static double line_of(const struct bench_result *result) { return result->line_ns; }

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of a field over the runs; *noise_out (may be NULL) is their whole spread,
 * relative to it. */
static double median(const struct bench_result *results, unsigned runs, field_fn field,
                     double *noise_out)
{
    double sorted[BENCH_RUNS_MAX];
    for (unsigned i = 0; i < runs; i++)
        sorted[i] = field(&results[i]);
    qsort(sorted, runs, sizeof *sorted, compare_doubles);
    double middle = (sorted[(runs - 1) / 2] + sorted[runs / 2]) / 2;
    if (noise_out)
        *noise_out = middle > 0 ? (sorted[runs - 1] - sorted[0]) / middle : 0;
    return middle;
}

struct summary {
    double weir, peer, raw, noise; /* noise: the largest of the sides' */
    double ratio, of_raw;          /* how much better weir is; 0: not known */
};

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double advantage(const struct bench_row *row, double weir, double other)
{
    double over = row->figure->less_is_better ? other : weir;
    double under = row->figure->less_is_better ? weir : other;
    return under > 0 ? over / under : 0;
}

static struct summary summarise(const struct bench_row *row)
{
    struct summary it = {0};
    double noise;
    it.weir = median(row->weir, row->runs, value_of, &it.noise);
    if (row->has_peer) {
        it.peer = median(row->peer, row->runs, value_of, &noise);
        it.noise = larger(it.noise, noise);
        it.ratio = advantage(row, it.weir, it.peer);
    }
    if (row->has_raw) {
        it.raw = median(row->raw, row->runs, value_of, &noise);
        it.noise = larger(it.noise, noise);
        it.of_raw = advantage(row, it.weir, it.raw);
    }
    return it;
}

/* About three significant digits, with a thousands' letter. */
static const char *short_number(double number, char *text)
{
    static const struct { double unit; const char *letter; } scales[] = {
        {1e9, " G"}, {1e6, " M"}, {1e4, " k"}};
    for (unsigned i = 0; i < sizeof scales / sizeof *scales; i++) {
        if (number < scales[i].unit)
            continue;
        double unit = scales[i].unit == 1e4 ? 1e3 : scales[i].unit;
        int digits = number / unit >= 100 ? 0 : number / unit >= 10 ? 1 : 2;
        snprintf(text, TEXT_MAX, "%.*f%s", digits, number / unit, scales[i].letter);
        return text;
    }
    int digits = number >= 100 ? 0 : number >= 10 ? 1 : number >= 1 ? 2 : 3;
    snprintf(text, TEXT_MAX, "%.*f", digits, number);
    return text;
}

static bool is_net(const struct bench_suite *suite)
{
    return suite->figures[0].processes > 1;
}

void bench_report_head(const struct bench_suite *suite)
{
    printf("medians; ratio > 1: weir is better; noise: (largest - smallest) / median, of the "
           "noisier side;\nline: ns of a cache line's round trip between two cores, before "
           "weir's runs\n");
    if (is_net(suite))
        printf("two processes; workers: of each; sockets: plain ones, in the same pattern; of: "
               "weir's share of them\n");
    else if (suite->raw)
        printf("C loop: a tight one that knows all beforehand, by one thread; of: weir's share of "
               "it\n");
    printf("\n%-19s %7s  %-11s %9s %9s %7s", "figure", "workers", "unit", "weir", "peer", "ratio");
    if (suite->raw)
        printf(" %9s %5s", suite->raw, "of");
    printf(" %5s %6s %5s\n", "runs", "noise", "line");
}

static void report_raw(const struct bench_row *row, const struct summary *it)
{
    char raw[TEXT_MAX] = "-", of[TEXT_MAX] = "-";
    if (row->has_raw)
        short_number(it->raw, raw);
    if (it->of_raw > 0)
        snprintf(of, sizeof of, "%.0f%%", it->of_raw * 100);
    printf(" %9s %5s", raw, of);
}

void bench_report_row(const struct bench_suite *suite, const struct bench_row *row)
{
    struct summary it = summarise(row);
    char weir[TEXT_MAX], peer[TEXT_MAX] = "-", ratio[TEXT_MAX] = "-";
    if (row->has_peer)
        short_number(it.peer, peer);
    if (it.ratio > 0)
        snprintf(ratio, sizeof ratio, "%.2f", it.ratio);
    printf("%-19s %7u  %-11s %9s %9s %7s", row->figure->name, row->workers, row->figure->unit,
           short_number(it.weir, weir), peer, ratio);
    if (suite->raw)
        report_raw(row, &it);
    printf(" %5u %5.0f%% %5.0f\n", row->runs, it.noise * 100,
           median(row->weir, row->runs, line_of, NULL));
    fflush(stdout);
}

/* ---- details: a table for each kind of figure --------------------------------------------- */

static void report_number(bool known, const struct bench_result *results, unsigned runs,
                          field_fn field, double factor)
{
    char text[TEXT_MAX] = "-";
    if (known)
        short_number(median(results, runs, field, NULL) * factor, text);
    printf("%10s", text);
}

static void report_field(const struct bench_row *row, field_fn field, double factor)
{
    bool unknown = row->figure->published && field(&row->peer[0]) <= 0;
    report_number(true, row->weir, row->runs, field, factor);
    report_number(row->has_peer && !unknown, row->peer, row->runs, field, factor);
    if (row->figure->processes > 1)
        report_number(row->has_raw, row->raw, row->runs, field, factor);
}

/* `head` goes before the first line of a table. */
static void begin_line(const struct bench_row *row, const char **head)
{
    printf("%s%-19s %7u ", *head, row->figure->name, row->workers);
    *head = "";
}

static void report_latencies(const struct bench_row *rows, unsigned count)
{
    const char *head = "\nlatency, ns         workers   weir p50      peer  weir p99      peer"
                       "  weir max      peer\n";
    if (count && rows[0].figure->processes > 1)
        head = "\nlatency, ns         workers   weir p50      peer   sockets  weir p99      peer"
               "   sockets  weir max      peer   sockets\n";
    for (unsigned i = 0; i < count; i++) {
        if (!rows[i].weir[0].has_spread)
            continue;
        begin_line(&rows[i], &head);
        report_field(&rows[i], value_of, 1);
        report_field(&rows[i], p99_of, 1);
        report_field(&rows[i], max_of, 1);
        putchar('\n');
    }
}

static void report_rates(const struct bench_row *rows, unsigned count)
{
    const char *head = "\nrows/s              workers       weir      peer   sockets\n";
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].figure->row_bytes <= 0)
            continue;
        begin_line(&rows[i], &head);
        report_field(&rows[i], value_of, 1e9 / rows[i].figure->row_bytes);
        putchar('\n');
    }
}

static void report_memory(const struct bench_row *rows, unsigned count)
{
    const char *head = "\n                    workers  peak memory, MB    processor time, s\n"
                       "                                weir      peer      weir      peer\n";
    for (unsigned i = 0; i < count; i++) {
        if (!rows[i].figure->shows_memory)
            continue;
        begin_line(&rows[i], &head);
        report_field(&rows[i], peak_of, 1.0 / 1024);
        report_field(&rows[i], cpu_of, 1);
        putchar('\n');
    }
}

void bench_report_details(const struct bench_row *rows, unsigned count)
{
    report_latencies(rows, count);
    report_rates(rows, count);
    for (unsigned i = 0; i < count; i++)
        if (rows[i].has_peer && rows[i].figure->published)
            printf("\n%s: the peer's figure was not measured here: it is that of %s.\n",
                   rows[i].figure->name, rows[i].figure->published);
    report_memory(rows, count);
}

static void json_side(const char *side, const struct bench_result *results, unsigned runs)
{
    printf(",\"%s_peak_kb\":%.0f,\"%s_cpu_s\":%.4g", side, median(results, runs, peak_of, NULL),
           side, median(results, runs, cpu_of, NULL));
    if (results[0].has_spread)
        printf(",\"%s_p99\":%.0f,\"%s_max\":%.0f", side, median(results, runs, p99_of, NULL), side,
               median(results, runs, max_of, NULL));
}

static void json_number(const char *name, bool known, double number)
{
    if (known)
        printf(",\"%s\":%.6g", name, number);
    else
        printf(",\"%s\":null", name);
}

void bench_report_json(const struct bench_row *row)
{
    const struct bench_figure *figure = row->figure;
    struct summary it = summarise(row);
    bool net = figure->processes > 1;
    printf("{\"figure\":\"%s\",\"workers\":%u,\"processes\":%u,\"unit\":\"%s\",\"weir\":%.6g",
           figure->name, row->workers, net ? figure->processes : 1, figure->unit, it.weir);
    json_number("peer", row->has_peer, it.peer);
    if (row->has_peer && figure->published)
        printf(",\"published\":\"%s\"", figure->published);
    json_number("ratio", it.ratio > 0, it.ratio);
    if (net || row->has_raw) {
        json_number("raw", row->has_raw, it.raw);
        json_number("of_raw", it.of_raw > 0, it.of_raw);
    }
    if (figure->row_bytes > 0)
        json_number("weir_rows_s", true, it.weir * 1e9 / figure->row_bytes);
    printf(",\"runs\":%u,\"noise\":%.4g,\"line_ns\":%.0f", row->runs, it.noise,
           median(row->weir, row->runs, line_of, NULL));
    json_side("weir", row->weir, row->runs);
    if (row->has_peer)
        json_side("peer", row->peer, row->runs);
    if (row->has_raw)
        json_side("raw", row->raw, row->runs);
    printf("}\n");
    fflush(stdout);
}
