/* The rows of the file of `weir window`: worker 0 reads it, line by line. What is not a row is
 * said on standard error, counted, and left out. */
#include "window.h"

#include "base/alloc.h"

#include <string.h>

enum { LINES_A_CALL = 2048, COMPLAINTS_MAX = 10 };

typedef struct reader {
    lines *from;
    window_line line; /* made of CSV */
} reader;

/* ---- CSV -------------------------------------------------------------------------------- */

static void put(window_line *to, char c)
{
    if (to->length + 2 > to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 256;
        to->text = wi_realloc(to->text, to->capacity);
    }
    to->text[to->length++] = c;
    to->text[to->length] = '\0';
}

static void put_escaped(window_line *to, char c)
{
    if (c == '\t' || c == '\\') {
        put(to, '\\');
        c = c == '\t' ? 't' : c;
    }
    put(to, c);
}

bool window_from_csv(window_line *to, const char *line, size_t length)
{
    bool quoted = false, begins = true;
    to->length = 0;
    put(to, '\0');
    to->length = 0;
    for (size_t i = 0; i < length; i++) {
        char c = line[i];
        if (quoted && c == '"' && i + 1 < length && line[i + 1] == '"') {
            put(to, '"');
            i++;
        } else if (quoted ? c == '"' : c == '"' && begins) {
            quoted = !quoted;
            begins = false;
        } else if (!quoted && c == ',') {
            put(to, '\t');
            begins = true;
        } else {
            put_escaped(to, c);
            begins = false;
        }
    }
    return !quoted;
}

/* ---- rows ------------------------------------------------------------------------------- */

static void complain(window_job *job, const reader *self, weir_err *err)
{
    window_progress_clear(job);
    if (job->counts.malformed++ < COMPLAINTS_MAX)
        fprintf(stderr, "%s:%llu: %s\n", job->plan->file,
                (unsigned long long)lines_number(self->from), weir_err_message(err));
    weir_err_free(err);
}

/* A row of the line, unless it is none. `row` is where it is built, `arena` for its texts. */
static void read_line(window_job *job, reader *self, const char *line, size_t length, void *row,
                      weir_batch *arena, weir_out *out)
{
    const window_plan *plan = job->plan;
    weir_err *err = NULL;
    if (plan->csv && !window_from_csv(&self->line, line, length))
        err = weir_err_new("a quote is not closed on this line");
    else if (plan->csv)
        err = weir_row_parse(plan->row, self->line.text, self->line.length, row, arena);
    else
        err = weir_row_parse(plan->row, line, length, row, arena);
    if (err) {
        complain(job, self, err);
        return;
    }
    weir_out_row(out, row);
    job->counts.rows++;
}

static weir_more finish(reader *self)
{
    lines_close(self->from);
    wi_free(self->line.text);
    return WEIR_DONE;
}

static weir_more read_some(weir_source *source, void *state, void *arg)
{
    window_job *job = arg;
    reader *self = state;
    weir_worker *worker = weir_source_worker(source);
    weir_err *err = NULL;
    if (weir_worker_index(worker) != 0)
        return WEIR_DONE;
    if (!self->from)
        self->from = lines_open(job->plan->file, &err);
    weir_batch *arena = weir_batch_new(job->plan->row, 1);
    size_t length;
    char *line = NULL;
    for (int i = 0; !err && i < LINES_A_CALL; i++) {
        line = lines_next(self->from, &length, &err);
        if (!line)
            break;
        if (lines_number(self->from) > 1 || !job->plan->header)
            read_line(job, self, line, length, arena->rows, arena, weir_source_out(source));
    }
    weir_batch_drop(arena);
    if (err) {
        weir_stop(worker, "%s", weir_err_message(err));
        weir_err_free(err);
    }
    return line ? WEIR_MORE : finish(self);
}

weir_stream window_read(weir_dataflow *flow, window_job *job)
{
    return weir_generate(flow, job->plan->row, read_some, sizeof(reader), job);
}
