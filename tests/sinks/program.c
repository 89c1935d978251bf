/* What the tests of sinks run: rows to lines, in files and elsewhere.
 *
 *   program lines FILE        prints rows that lie in a file as tab-separated lines
 *   program files DIRECTORY   rows (epoch, number), --rows of each epoch, --epochs of them, in
 *                             segments of --every epochs
 *   program send URL          the same rows to a socket
 *   program receive URL...    prints rows that come through sockets, and what is none
 *   program relay URL URL     sends to the second what comes from the first
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
#define TICK(F) F(u64, epoch) F(u64, number)
WEIR_ROW(mixed, MIXED)
WEIR_ROW(tick, TICK)

static const char *format = "tsv";
static const char *extension = "tsv";
static uint64_t rows = 100, epochs = UINT64_MAX, every = 1;
static uint64_t patience_ms;
static uint64_t in_all, at_once, row_bytes, epoch_ms;
static uint64_t rows_each;
static const char *folder;
static bool messages, publish, end_mark;
static bool header, diffs, unsorted, per_worker, listens, reconnect, beyond;

static const weir_option own[] = {
    {.name = "format", .value = "NAME", .help = "tsv, csv or json", .text = &format},
    {.name = "header", .help = "names first", .flag = &header},
    {.name = "diffs", .help = "a column of diffs", .flag = &diffs},
    {.name = "unsorted", .help = "as they come", .flag = &unsorted},
    {.name = "extension", .value = "NAME", .help = "of files", .text = &extension},
    {.name = "rows", .value = "N", .help = "of an epoch", .number = &rows},
    {.name = "epochs", .value = "N", .help = "all of them", .number = &epochs},
    {.name = "every", .value = "N", .help = "epochs of a segment", .number = &every},
    {.name = "per-worker", .help = "a segment of each worker", .flag = &per_worker},
    {.name = "patience", .value = "MS", .help = "with who does not answer", .number = &patience_ms},
    {.name = "listens", .help = "rather than dials", .flag = &listens},
    {.name = "reconnect", .help = "if the connection breaks", .flag = &reconnect},
    {.name = "beyond", .help = "this machine", .flag = &beyond},
    {.name = "in-all", .value = "N", .help = "connections", .number = &in_all},
    {.name = "at-once", .value = "N", .help = "connections", .number = &at_once},
    {.name = "row-bytes", .value = "N", .help = "at most", .number = &row_bytes},
    {.name = "epoch-ms", .value = "N", .help = "of rows that come", .number = &epoch_ms},
    {.name = "messages", .help = "of nng", .flag = &messages},
    {.name = "publish", .help = "or subscribe", .flag = &publish},
    {.name = "end-mark", .help = "an empty message at the end", .flag = &end_mark},
    {.name = "rows-each", .value = "N", .help = "of a message", .number = &rows_each},
    {.name = "to", .value = "FOLDER", .help = "what is received", .text = &folder},
    {.name = NULL},
};

static weir_row_format the_format(void)
{
    if (strcmp(format, "csv") == 0)
        return WEIR_CSV;
    return strcmp(format, "json") == 0 ? WEIR_JSON : WEIR_TSV;
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
    weir_stream parsed = weir_flat_map(weir_read_lines(flow, weir_argument(flow, 1)), &parse);
    weir_print_as(parsed, stdout,
                  &(weir_print_how){.format = the_format(),
                                    .header = header,
                                    .diffs = diffs ? WEIR_DIFFS_ALL : WEIR_DIFFS_OTHERS,
                                    .unsorted = unsorted});
}

/* Each worker makes its part of every epoch. */
static weir_more make_ticks(weir_source *source, WEIR_UNUSED void *state, WEIR_UNUSED void *arg)
{
    weir_worker *worker = weir_source_worker(source);
    uint64_t epoch = weir_source_epoch(source);
    if (epoch == epochs)
        return WEIR_DONE;
    for (uint64_t i = weir_worker_index(worker); i < rows; i += weir_worker_count(worker))
        tick_push(weir_source_out(source), (tick){epoch, i});
    weir_source_advance(source, epoch + 1);
    return WEIR_MORE;
}

static void files(weir_dataflow *flow)
{
    weir_stream ticks = weir_generate(flow, &tick_type, make_ticks, 0, NULL);
    weir_write_files(ticks, &(weir_write){.directory = weir_argument(flow, 1),
                                          .prefix = "ticks",
                                          .extension = extension,
                                          .every = every,
                                          .sorted = !unsorted,
                                          .per_worker = per_worker});
}

static void send_rows(weir_dataflow *flow)
{
    weir_stream ticks = weir_generate(flow, &tick_type, make_ticks, 0, NULL);
    weir_send how = {.url = weir_argument(flow, 1),
                     .listen = listens,
                     .beyond = beyond,
                     .reconnect = reconnect,
                     .connect_ns = patience_ms * 1000000,
                     .format = the_format(),
                     .header = header,
                     .sorted = !unsorted,
                     .publish = publish,
                     .rows_each = (uint32_t)rows_each,
                     .end_mark = end_mark};
    if (messages)
        weir_send_messages(ticks, &how);
    else
        weir_send_lines(ticks, &how);
}

#define GOT(F) F(u64, from) F(i64, number) F(weir_text, word)
WEIR_ROW(got, GOT)

static weir_receive how_to_receive(void)
{
    return (weir_receive){.listen = listens,
                          .beyond = beyond,
                          .connect_ns = patience_ms * 1000000,
                          .format = the_format(),
                          .header = header,
                          .at_once = (uint32_t)at_once,
                          .in_all = in_all,
                          .epoch_ms = (uint32_t)epoch_ms,
                          .row_bytes_max = (uint32_t)row_bytes};
}

static void receive(weir_dataflow *flow)
{
    const char *urls[9] = {NULL};
    for (uint32_t i = 0; i < 8 && weir_argument(flow, 1 + i); i++)
        urls[i] = weir_argument(flow, 1 + i);
    weir_receive how = how_to_receive();
    how.urls = urls;
    how.subscribe = publish;
    if (messages) {
        weir_stream ticks = weir_receive_messages(flow, &tick_type, &how);
        weir_print(weir_rejects(ticks), stderr);
        weir_print(ticks, stdout);
        return;
    }
    how.partition = "from";
    weir_stream from_them = weir_receive_rows(flow, &got_type, &how);
    weir_print(weir_rejects(from_them), stderr);
    if (folder)
        weir_write_files(from_them, &(weir_write){.directory = folder, .prefix = "got"});
    else
        weir_print(from_them, stdout);
}

static void relay(weir_dataflow *flow)
{
    weir_receive how = how_to_receive();
    how.url = weir_argument(flow, 1);
    weir_stream ticks = weir_receive_rows(flow, &tick_type, &how);
    weir_send_lines(ticks, &(weir_send){.url = weir_argument(flow, 2)});
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    const char *what = weir_argument(flow, 0);
    if (what && strcmp(what, "lines") == 0)
        lines(flow);
    else if (what && strcmp(what, "files") == 0)
        files(flow);
    else if (what && strcmp(what, "send") == 0)
        send_rows(flow);
    else if (what && strcmp(what, "receive") == 0)
        receive(flow);
    else if (what && strcmp(what, "relay") == 0)
        relay(flow);
    else
        weir_scope_fail(flow, "say what to do");
}

int main(int argc, char **argv)
{
    return weir_main_with(argc, argv, "What the tests of sinks run.", own, build, NULL);
}
