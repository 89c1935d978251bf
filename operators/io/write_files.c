/* write_files: rows to files that appear, whole, when their epochs are complete.
 *
 * Rows go to the segment of their epoch: as lines, which go to its temporary file when there are
 * enough of them, or, to be sorted, as they are. When the frontier has passed the segment's last
 * epoch it is published (write_segment.h), and a row that says so is sent.
 *
 * Invariants
 *   F1  for each segment that is not published, the operator holds capabilities at or before the
 *       times of all its rows: the frontier of what it sends says what is published
 *   F2  ranges are sorted by epoch, and do not overlap
 *
 * Multiples of other dimensions than the first do not make segments. */
#include <stdlib.h>
#include <string.h>

#include "../../base/alloc.h"
#include "../stream/common.h"
#include "write_order.h"
#include "write_segment.h"

/* Lines that are put together before they go to a file. */
#define CHUNK_BYTES (256 * 1024)
/* Lines of all segments that wait: then all of them go to their files. */
#define WAITING_BYTES (32 << 20)
/* So many segments are published in a call, each of which waits for the disk: others have work,
 * too. While there are more, no rows are taken: else those of many short epochs would pile up. */
#define PUBLISH_MAX 16

/* ---- what is written -------------------------------------------------------------------- */

#define SEGMENT(F) F(weir_text, name) F(u64, first) F(u64, last) F(u64, rows) F(u64, bytes)

static const weir_field *segment_fields(void)
{
    typedef weir_segment weir_self;
    static const weir_field fields[] = {
        SEGMENT(WEIR_I_FIELD){.name = NULL, .kind = WEIR_KIND_count}};
    return fields;
}

const weir_type weir_segment_type = {.name = "segment",
                                     .size = sizeof(weir_segment),
                                     .align = _Alignof(weir_segment),
                                     .field_count = 0 SEGMENT(WEIR_I_ONE),
                                     .text_count = 0 SEGMENT(WEIR_I_TEXTS),
                                     .describe = segment_fields};

/* A worker's own: with copies of the texts. */
typedef struct files_call {
    weir_write how;
    const weir_type *type;
    wi_lines_how lines;
    wi_compression compression;
    char texts[]; /* directory, prefix, extension */
} files_call;

/* A segment that is not complete. */
typedef struct range {
    wi_segment segment;
    wi_updates rows; /* if they are to be sorted */
    weir_time joined; /* of its rows' times */
    weir_capability **held; /* none at or before another */
    uint32_t held_count, held_capacity;
} range;

typedef struct state {
    wi_segments all;
    wi_row_writer *writer; /* NULL: this worker writes nothing */
    range **ranges;        /* the earliest first: count of them, from first on */
    uint32_t first, count, capacity;
    bool failed;
} state;

static bool check(weir_op *op, weir_err *err)
{
    state *to = weir_op_state(op);
    if (!err)
        return true;
    if (!to->failed)
        weir_op_stop(op, "%s", weir_err_message(err));
    to->failed = true;
    weir_err_free(err);
    return false;
}

/* ---- ranges ----------------------------------------------------------------------------- */

static range *insert_range(state *to, uint32_t at)
{
    if (to->first + to->count == to->capacity && to->first > to->count) {
        memmove(to->ranges, &to->ranges[to->first], to->count * sizeof *to->ranges);
        at -= to->first;
        to->first = 0;
    }
    uint32_t end = to->first + to->count++;
    wi_grow(&to->ranges, &to->capacity, end + 1, sizeof *to->ranges);
    memmove(&to->ranges[at + 1], &to->ranges[at], (end - at) * sizeof *to->ranges);
    to->ranges[at] = WI_NEW(range);
    return to->ranges[at];
}

static range *range_of(state *to, uint64_t epoch)
{
    uint32_t low = to->first, end = low + to->count, high = end;
    if (low < end && to->ranges[end - 1]->segment.last < epoch)
        low = end; /* later than all others is likely */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (to->ranges[middle]->segment.last < epoch)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < end && to->ranges[low]->segment.first <= epoch)
        return to->ranges[low];
    range *made = insert_range(to, low);
    wi_segment_range(to->all.how, epoch, &made->segment.first, &made->segment.last);
    return made;
}

static void hold(weir_op *op, range *of, const weir_time *time)
{
    for (uint32_t i = 0; i < of->held_count; i++)
        if (weir_time_le(weir_capability_time(of->held[i]), time))
            return;
    uint32_t kept = 0;
    weir_capability *earlier = weir_retain(op, 0, time);
    for (uint32_t i = 0; i < of->held_count; i++) {
        if (weir_time_le(time, weir_capability_time(of->held[i])))
            weir_capability_drop(of->held[i]);
        else
            of->held[kept++] = of->held[i];
    }
    of->held_count = kept;
    wi_grow(&of->held, &of->held_capacity, kept + 1, sizeof(weir_capability *));
    of->held[of->held_count++] = earlier;
}

static void free_range(state *to, range *old)
{
    wi_segment_fini(&to->all, &old->segment);
    wi_updates_fini(&old->rows);
    wi_free(old->held);
    wi_free(old);
}

/* ---- writing ---------------------------------------------------------------------------- */

static void flush_all(weir_op *op, state *to)
{
    for (uint32_t i = to->first; i < to->first + to->count && !to->failed; i++) {
        check(op, wi_segment_flush(&to->all, &to->ranges[i]->segment));
        wi_bytes_fini(&to->ranges[i]->segment.lines);
    }
}

/* False: it stops the run. */
static bool write_line(weir_op *op, state *to, wi_segment *segment, const void *row, int64_t diff)
{
    size_t before = segment->lines.length;
    if (segment->rows++ == 0)
        wi_write_header(to->writer, &segment->lines);
    if (!wi_write_row(to->writer, &segment->lines, row, diff)) {
        if (!to->failed)
            wi_write_refused(op, diff);
        to->failed = true;
    }
    to->all.waiting += segment->lines.length - before;
    if (segment->lines.length >= CHUNK_BYTES && !to->failed)
        check(op, wi_segment_flush(&to->all, segment));
    return !to->failed;
}

static bool write_row(weir_op *op, state *to, wi_segment *segment, const void *row, int64_t diff)
{
    int64_t lines = wi_write_lines(to->writer, &diff);
    while (lines > 0 && write_line(op, to, segment, row, diff))
        lines--;
    return lines == 0;
}

static void take_rows(weir_op *op, state *to, const weir_batch *batch, uint32_t begin,
                      uint32_t end)
{
    const weir_time *time = weir_batch_time(batch, begin);
    range *of = range_of(to, time->at[0]);
    of->joined = weir_time_join(&of->joined, time);
    hold(op, of, time);
    if (!to->all.how->sorted) {
        for (uint32_t i = begin; i < end; i++)
            if (!write_row(op, to, &of->segment, weir_batch_row(batch, i),
                           weir_batch_diff(batch, i)))
                return;
    } else if (!wi_updates_add(&of->rows, batch, begin, end)) {
        weir_op_stop(op, "has more than 2^32 rows of one segment to sort; make segments shorter");
        to->failed = true;
    }
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    state *to = weir_op_state(op);
    for (uint32_t begin = 0, end; begin < batch->count && !to->failed; begin = end) {
        end = wi_same_time(batch, begin);
        take_rows(op, to, batch, begin, end);
    }
    if (to->all.waiting > WAITING_BYTES)
        flush_all(op, to);
}

/* ---- publishing ------------------------------------------------------------------------- */

static bool finish(weir_op *op, state *to, range *of, bool *there_out)
{
    wi_updates_settle(&of->rows);
    for (uint32_t i = 0; i < of->rows.count; i++)
        if (!write_row(op, to, &of->segment, of->rows.updates[i].row, of->rows.updates[i].diff))
            return false;
    if (of->segment.rows == 0)
        return true; /* they have come to nothing */
    return check(op, wi_segment_publish(&to->all, &of->segment, there_out));
}

static void announce(weir_op *op, const state *to, const range *of)
{
    char name[WI_SEGMENT_NAME_BYTES];
    weir_time at = of->joined;
    at.at[0] = of->segment.last;
    weir_segment row = {.name = weir_text_c(wi_segment_name(&to->all, &of->segment, name)),
                        .first = of->segment.first,
                        .last = of->segment.last,
                        .rows = of->segment.rows,
                        .bytes = of->segment.bytes};
    weir_out_row(weir_send_at(op, 0, &at), &row);
}

/* A frontier is sorted by its first coordinates first. */
static bool is_due(const weir_antichain *frontier, const range *of)
{
    return !frontier->count || frontier->times[0].at[0] > of->segment.last;
}

static void publish_due(weir_op *op)
{
    state *to = weir_op_state(op);
    const weir_antichain *frontier = weir_op_frontier(op, 0);
    range *due[PUBLISH_MAX];
    bool there[PUBLISH_MAX] = {false};
    uint32_t count = 0, published = 0;
    for (; count < PUBLISH_MAX && count < to->count && !to->failed; count++) {
        due[count] = to->ranges[to->first + count];
        if (!is_due(frontier, due[count]) || !finish(op, to, due[count], &there[count]))
            break;
        published += !there[count] && due[count]->segment.rows > 0;
    }
    if (published && !to->failed)
        check(op, wi_segments_sync(&to->all));
    if (to->failed)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (!there[i] && due[i]->segment.rows > 0)
            announce(op, to, due[i]);
        for (uint32_t h = 0; h < due[i]->held_count; h++)
            weir_capability_drop(due[i]->held[h]);
        free_range(to, due[i]);
    }
    to->first = to->count == count ? 0 : to->first + count;
    to->count -= count;
    weir_op_pause(op, 0, count == PUBLISH_MAX);
    if (count == PUBLISH_MAX)
        weir_activate(op);
    if (!frontier->count && !to->count)
        wi_segments_close(&to->all); /* nothing comes any more: others may write here */
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const files_call *call = weir_op_arg(op);
    state *to = weir_op_state(op);
    uint32_t index = weir_worker_index(weir_op_worker(op));
    bool apart = call->how.per_worker;
    to->all = (wi_segments){.how = &call->how,
                            .worker = apart ? index : UINT32_MAX,
                            .compression = call->compression,
                            .directory = -1,
                            .lock = -1};
    if (!apart && index != 0)
        return;
    to->writer = wi_row_writer_new(call->type, &call->lines);
    if (check(op, wi_segments_open(&to->all)))
        check(op, wi_segments_clean(&to->all, apart ? index : 0,
                                    apart ? weir_worker_count(weir_op_worker(op)) : 1));
}

static void on_stop(weir_op *op)
{
    state *to = weir_op_state(op);
    for (uint32_t i = 0; i < to->count; i++)
        free_range(to, to->ranges[to->first + i]);
    wi_free(to->ranges);
    if (to->all.how)
        wi_segments_close(&to->all);
    wi_row_writer_free(to->writer);
}

static const weir_operator write_files = {.name = "write_files",
                                          .state_bytes = sizeof(state),
                                          .start = on_start,
                                          .batch = on_batch,
                                          .frontier = publish_due,
                                          .run = publish_due,
                                          .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static char *place(char **texts, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *at = memcpy(*texts, text, bytes);
    *texts += bytes;
    return at;
}

static files_call *call_of(weir_stream in, const weir_write *how)
{
    const char *directory = wi_path(in.scope, write_files.name, how->directory);
    const char *prefix = how->prefix ? how->prefix : "";
    const char *extension = how->extension ? how->extension : "tsv";
    files_call *call = wi_calloc(1, sizeof *call + strlen(directory) + strlen(prefix) +
                                        strlen(extension) + 3);
    char *texts = call->texts;
    call->how = *how;
    call->how.directory = place(&texts, directory);
    call->how.prefix = place(&texts, prefix);
    call->how.extension = place(&texts, extension);
    call->type = in.type;
    return call;
}

static void check_call(weir_stream in, files_call *call)
{
    weir_row_format format = WEIR_TSV;
    if (!wi_segments_prefix(call->how.prefix))
        weir_scope_fail(in.scope,
                        "write_files: `%s` cannot be a prefix of names; it takes up to %d of "
                        "a-z 0-9 . _ -, and no dot first",
                        call->how.prefix, WI_SEGMENT_PREFIX_MAX);
    if (!wi_segments_extension(call->how.extension, &format, &call->compression))
        weir_scope_fail(in.scope,
                        "write_files: there is no extension `%s`; say tsv, csv or jsonl, and .gz "
                        "or .zst behind it",
                        call->how.extension);
    if (call->how.existing > WEIR_EXISTING_REFUSE)
        weir_scope_fail(in.scope, "write_files: there is no such way with existing files");
    call->lines = (wi_lines_how){format, call->how.header, call->how.diffs};
    wi_lines_check(in, write_files.name, &call->lines);
}

weir_stream weir_write_files(weir_stream in, const weir_write *how)
{
    files_call *call = call_of(in, how);
    check_call(in, call);
    weir_builder *builder = wi_begin(in, how->per_worker ? WEIR_LOCAL : WEIR_GATHER(0),
                                     &write_files, call, write_files.name, NULL);
    return wi_end(builder, &weir_segment_type);
}
