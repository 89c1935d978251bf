/* What the tests of sinks run: reads rows as tab-separated lines and writes them elsewhere.
 *
 *   program lines FORMAT HEADER DIFFS FILE     prints them in a format
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#define LINE(F) F(weir_text, text)
#define MIXED(F)                                                                               \
    F(i64, a) F(u8, b) F(f64, c) F(f32, d) F(bool, e) F(weir_text, f) F(weir_bytes, g)         \
        F(weir_byte, h, 3) F(i16, i, 2) F(f32, j, 2, 2) F(weir_time_ms, k)
WEIR_ROW(line, LINE)
WEIR_ROW(mixed, MIXED)

static const char *format = "tsv";
static bool header, diffs, unsorted;

static const weir_option own[] = {
    {.name = "format", .value = "NAME", .help = "tsv, csv or json", .text = &format},
    {.name = "header", .help = "names first", .flag = &header},
    {.name = "diffs", .help = "a column of diffs", .flag = &diffs},
    {.name = "unsorted", .help = "as they come", .flag = &unsorted},
    {.name = NULL},
};

static weir_row_format the_format(void)
{
    return strcmp(format, "csv") == 0 ? WEIR_CSV : strcmp(format, "json") == 0 ? WEIR_JSON : WEIR_TSV;
}

WEIR_FLAT_MAP(parse, line, mixed)
{
    mixed row;
    weir_batch *arena = weir_batch_new(&mixed_type, 1);
    weir_err *err =
        weir_row_parse(&mixed_type, weir_text_at(&in->text), in->text.length, &row, arena);
    if (weir_report(err, 1))
        exit(1);
    mixed_push(out, row);
    weir_batch_drop(arena);
}

static void lines(weir_dataflow *flow)
{
    weir_stream rows = weir_flat_map(weir_read_lines(flow, weir_argument(flow, 1)), &parse);
    weir_print_as(rows, stdout,
                  &(weir_print_how){.format = the_format(),
                                    .header = header,
                                    .diffs = diffs ? WEIR_DIFFS_ALL : WEIR_DIFFS_OTHERS,
                                    .unsorted = unsorted});
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    const char *what = weir_argument(flow, 0);
    if (what && strcmp(what, "lines") == 0)
        lines(flow);
    else
        weir_scope_fail(flow, "say what to do");
}

int main(int argc, char **argv)
{
    return weir_main_with(argc, argv, "What the tests of sinks run.", own, build, NULL);
}
