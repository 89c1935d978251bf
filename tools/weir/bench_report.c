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
    double weir, peer, ratio, noise; /* noise: the larger of the two sides' */
    bool has_ratio;
};

static struct summary summarise(const struct bench_row *row)
{
    struct summary it = {0};
    it.weir = median(row->weir, row->runs, value_of, &it.noise);
    if (!row->has_peer)
        return it;
    double peer_noise;
    it.peer = median(row->peer, row->runs, value_of, &peer_noise);
    if (peer_noise > it.noise)
        it.noise = peer_noise;
    double over = row->figure->less_is_better ? it.peer : it.weir;
    double under = row->figure->less_is_better ? it.weir : it.peer;
    it.has_ratio = under > 0;
    it.ratio = it.has_ratio ? over / under : 0;
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

void bench_report_head(void)
{
    printf("medians; ratio > 1: weir is better; noise: (largest - smallest) / median, of the "
           "noisier side;\nline: ns of a cache line's round trip between two cores, before "
           "weir's runs\n\n%-19s %7s  %-11s %9s %9s %7s %5s %6s %5s\n",
           "figure", "workers", "unit", "weir", "peer", "ratio", "runs", "noise", "line");
}

void bench_report_row(const struct bench_row *row)
{
    struct summary it = summarise(row);
    char weir[TEXT_MAX], peer[TEXT_MAX] = "-", ratio[TEXT_MAX] = "-";
    if (row->has_peer)
        short_number(it.peer, peer);
    if (it.has_ratio)
        snprintf(ratio, sizeof ratio, "%.2f", it.ratio);
    printf("%-19s %7u  %-11s %9s %9s %7s %5u %5.0f%% %5.0f\n", row->figure->name, row->workers,
           row->figure->unit, short_number(it.weir, weir), peer, ratio, row->runs,
           it.noise * 100, median(row->weir, row->runs, line_of, NULL));
    fflush(stdout);
}

static void report_field(const struct bench_row *row, field_fn field, double divisor)
{
    char text[TEXT_MAX];
    printf("%10s", short_number(median(row->weir, row->runs, field, NULL) / divisor, text));
    if (row->has_peer)
        short_number(median(row->peer, row->runs, field, NULL) / divisor, text);
    bool unknown = !row->has_peer || (row->figure->published && field(&row->peer[0]) <= 0);
    printf("%10s", unknown ? "-" : text);
}

void bench_report_details(const struct bench_row *rows, unsigned count)
{
    const char *head = "\nlatency, ns         workers   weir p50      peer  weir p99      peer"
                       "  weir max      peer\n";
    for (unsigned i = 0; i < count; i++) {
        if (!rows[i].weir[0].has_spread)
            continue;
        printf("%s%-19s %7u ", head, rows[i].figure->name, rows[i].workers);
        report_field(&rows[i], value_of, 1);
        report_field(&rows[i], p99_of, 1);
        report_field(&rows[i], max_of, 1);
        putchar('\n');
        head = "";
    }
    for (unsigned i = 0; i < count; i++)
        if (rows[i].has_peer && rows[i].figure->published)
            printf("\n%s: the peer's figure was not measured here: it is that of %s.\n",
                   rows[i].figure->name, rows[i].figure->published);
    head = "\n                    workers  peak memory, MB    processor time, s\n"
           "                                weir      peer      weir      peer\n";
    for (unsigned i = 0; i < count; i++) {
        if (!rows[i].figure->shows_memory)
            continue;
        printf("%s%-19s %7u ", head, rows[i].figure->name, rows[i].workers);
        report_field(&rows[i], peak_of, 1024);
        report_field(&rows[i], cpu_of, 1);
        putchar('\n');
        head = "";
    }
}

static void json_side(const char *side, const struct bench_result *results, unsigned runs)
{
    printf(",\"%s_peak_kb\":%.0f,\"%s_cpu_s\":%.4g", side, median(results, runs, peak_of, NULL),
           side, median(results, runs, cpu_of, NULL));
    if (results[0].has_spread)
        printf(",\"%s_p99\":%.0f,\"%s_max\":%.0f", side, median(results, runs, p99_of, NULL), side,
               median(results, runs, max_of, NULL));
}

void bench_report_json(const struct bench_row *row)
{
    struct summary it = summarise(row);
    printf("{\"figure\":\"%s\",\"workers\":%u,\"processes\":1,\"unit\":\"%s\",\"weir\":%.6g",
           row->figure->name, row->workers, row->figure->unit, it.weir);
    if (row->has_peer)
        printf(",\"peer\":%.6g", it.peer);
    else
        printf(",\"peer\":null");
    if (row->has_peer && row->figure->published)
        printf(",\"published\":\"%s\"", row->figure->published);
    if (it.has_ratio)
        printf(",\"ratio\":%.4g", it.ratio);
    else
        printf(",\"ratio\":null");
    printf(",\"runs\":%u,\"noise\":%.4g,\"line_ns\":%.0f", row->runs, it.noise,
           median(row->weir, row->runs, line_of, NULL));
    json_side("weir", row->weir, row->runs);
    if (row->has_peer)
        json_side("peer", row->peer, row->runs);
    printf("}\n");
    fflush(stdout);
}
