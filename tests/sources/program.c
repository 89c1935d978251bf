/* Reads files as rows of a type that the command line says, and prints them, sorted by time, or as
 * they come. For the tests beside it.
 *
 *   rows:     (epoch, if not 0, and) the fields with tabs between, on standard output
 *   rejects:  "bad" and the reason, on standard output too
 *   offsets:  "offset", epoch, partition, bytes, records, lines, file */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#define COLUMNS_MAX 32
#define LINE(F) F(weir_text, text)
WEIR_ROW(line, LINE)

static const char *schema, *format, *partition, *until, *from;
static uint64_t read_bytes, row_bytes, epoch_records, partitions;
static bool header, extra, strict, split, line_by_line, grows, offsets, unheard, marked;
static char **paths;
#define FROM_MAX 4
static char from_file[FROM_MAX][4096];
static weir_offset from_place[FROM_MAX];
static uint32_t from_count;
static weir_type *type;

static const weir_option own[] = {
    {.name = "schema", .value = "COLUMNS", .text = &schema, .help = "a:i64 b:text"},
    {.name = "format", .value = "NAME", .text = &format, .help = "tsv, csv, json or lines"},
    {.name = "partition", .value = "FIELD", .text = &partition, .help = "gets the number"},
    {.name = "until", .value = "NAME", .text = &until, .help = "of the last file"},
    {.name = "from", .value = "P,B,R,L,FILE;...", .text = &from, .help = "offsets"},
    {.name = "read-bytes", .value = "N", .number = &read_bytes, .help = "at once"},
    {.name = "row-bytes", .value = "N", .number = &row_bytes, .help = "at most"},
    {.name = "epoch-records", .value = "N", .number = &epoch_records, .help = "an epoch"},
    {.name = "partitions", .value = "N", .number = &partitions, .help = "of what grows"},
    {.name = "header", .flag = &header, .help = "first line"},
    {.name = "extra", .flag = &extra, .help = "columns"},
    {.name = "strict", .flag = &strict, .help = "no bad lines"},
    {.name = "split", .flag = &split, .help = "files"},
    {.name = "line-by-line", .flag = &line_by_line, .help = "quotes"},
    {.name = "grows", .flag = &grows, .help = "the folder"},
    {.name = "offsets", .flag = &offsets, .help = "print them"},
    {.name = "unheard", .flag = &unheard, .help = "nobody takes bad lines"},
    {.name = "marked", .flag = &marked, .help = "print epochs"},
    {0}};

static weir_kind kind_of(const char *name)
{
    for (int kind = 0; kind < WEIR_KIND_count; kind++)
        if (strcmp(name, weir_kind_name((weir_kind)kind)) == 0)
            return (weir_kind)kind;
    fprintf(stderr, "no kind %s\n", name);
    exit(2);
}

/* "a:i64 b:i32:3 c:f64:2:2": with dimensions. */
static weir_err *read_schema(void)
{
    weir_field_spec fields[COLUMNS_MAX];
    uint32_t count = 0;
    static char copy[1024];
    snprintf(copy, sizeof copy, "%s", schema);
    for (char *word = strtok(copy, " "); word && count < COLUMNS_MAX; word = strtok(NULL, " ")) {
        char *kind = strchr(word, ':'), *dims;
        *kind++ = '\0';
        dims = strchr(kind, ':');
        if (dims)
            *dims++ = '\0';
        fields[count] = (weir_field_spec){.name = word, .kind = kind_of(kind)};
        if (dims)
            sscanf(dims, "%u:%u", &fields[count].rows, &fields[count].columns);
        count++;
    }
    weir_err *err = NULL;
    type = weir_type_new("row", fields, count, &err);
    return err;
}

/* What comes as lines, which are printed at the end, sorted. */
static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    bool rejects = weir_type_fits(batch->type, &weir_rejected_type);
    bool places = strcmp(batch->type->name, "weir_offset") == 0;
    weir_out *out = weir_send_at(op, 0, &batch->time);
    for (uint32_t i = 0; i < batch->count; i++) {
        unsigned long long epoch = weir_batch_time(batch, i)->at[0];
        const void *row = weir_batch_row(batch, i);
        char *text = NULL, *whole;
        size_t length = 0, bytes = 0;
        FILE *to = open_memstream(&whole, &bytes);
        if (marked)
            fprintf(to, "%llu\t", epoch);
        if (rejects || places)
            fprintf(to, rejects ? "%.0sbad\t" : "%soffset\t", "");
        if (!rejects)
            text = weir_row_text(batch->type, row, &length);
        if (rejects) {
            const weir_text *reason = &((const weir_rejected *)row)->reason;
            fwrite(weir_text_at(reason), 1, reason->length, to);
        } else {
            fwrite(text, 1, length, to);
        }
        fclose(to);
        line_push(out, (line){weir_text_of(whole, (uint32_t)bytes)});
        free(whole);
        free(text);
    }
}

static const weir_operator as_lines = {.name = "as_lines", .batch = on_batch};

/* What --from says. */
static void read_place(void)
{
    unsigned long long bytes, records, lines;
    for (const char *at = from; at && from_count < FROM_MAX; from_count++) {
        weir_offset *to = &from_place[from_count];
        char *file = from_file[from_count];
        if (sscanf(at, "%u,%llu,%llu,%llu,%4095[^;]", &to->partition, &bytes, &records, &lines,
                   file) != 5)
            return;
        to->bytes = bytes;
        to->records = records;
        to->lines = lines;
        to->file = weir_text_c(file);
        at = strchr(at, ';');
        at += at != NULL;
    }
}

static weir_time at_the_end(WEIR_UNUSED const weir_time *time, WEIR_UNUSED void *arg)
{
    return WEIR_EPOCH(UINT64_MAX);
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    weir_stream at;
    weir_read what = {.paths = grows ? NULL : (const char *const *)paths,
                      .path = grows ? paths[0] : NULL,
                      .format = format && *format == 'c'   ? WEIR_CSV
                                : format && *format == 'j' ? WEIR_JSON
                                : format && *format == 'l' ? WEIR_LINES
                                                           : WEIR_TSV,
                      .header = header,
                      .extra = extra,
                      .strict = strict,
                      .split = split,
                      .line_by_line = line_by_line,
                      .grows = grows,
                      .partition = partition,
                      .partitions = (uint32_t)partitions,
                      .until = until,
                      .look_ms = 2,
                      .epoch_records = epoch_records,
                      .from = from_place,
                      .from_count = from_count,
                      .offsets_out = offsets ? &at : NULL,
                      .read_bytes = (uint32_t)read_bytes,
                      .row_bytes_max = (uint32_t)row_bytes};
    weir_stream rows = weir_read_rows(flow, type, &what), all[3];
    uint32_t count = 1;
    all[0] = weir_unary(rows, WEIR_LOCAL, &as_lines, &line_type, NULL);
    if (!strict && !unheard)
        all[count++] =
            weir_unary(weir_rejects(rows), WEIR_LOCAL, &as_lines, &line_type, NULL);
    if (offsets)
        all[count++] = weir_unary(at, WEIR_LOCAL, &as_lines, &line_type, NULL);
    weir_stream lines_of_all = weir_concat_all(all, count);
    weir_print(weir_delay_to(lines_of_all, at_the_end, NULL), stdout);
}

static void work(weir_worker *worker, void *arg)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "sources");
    build(flow, arg);
    if (weir_dataflow_end_or_stop(flow))
        weir_run(worker);
}

int main(int argc, char **argv)
{
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Reads files.", own, &config);
    if (!err && (!schema || argc < 2))
        err = weir_err_new("--schema and files, please");
    if (!err)
        err = read_schema();
    if (err)
        return weir_report(err, 2);
    paths = argv + 1;
    read_place();
    int code = weir_report(weir_execute(&config, work, NULL), 1);
    weir_type_free(type);
    return code;
}
