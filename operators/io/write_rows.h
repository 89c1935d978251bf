/* Rows as bytes that others read: tab-separated fields, CSV, JSON lines.
 *
 * A writer is made once for a type; it has a step for each field, which knows what stands in front
 * of it. What the forms look like: weir/sink.h and docs/sinks.md. Any thread; a writer is only
 * read once it is made. */
#ifndef WEIR_OPERATORS_IO_WRITE_ROWS_H
#define WEIR_OPERATORS_IO_WRITE_ROWS_H

#include <weir/sink.h>

/* Bytes that grow. All zeros: none. */
typedef struct wi_bytes {
    char *at;
    size_t length, capacity;
} wi_bytes;

/* Room for `bytes` more, at at + length. */
char *wi_bytes_room(wi_bytes *bytes, size_t more);
void wi_bytes_put(wi_bytes *bytes, const void *from, size_t length);
void wi_bytes_fini(wi_bytes *bytes);

typedef struct wi_row_writer wi_row_writer;

/* How rows become lines: the first fields of what programs say. */
typedef struct wi_lines_how {
    weir_row_format format;
    bool header;
    weir_diffs diffs;
} wi_lines_how;

/* worker, building. Fails the dataflow if rows of the type cannot be written so. */
void wi_lines_check(weir_stream in, const char *name, const wi_lines_how *how);
wi_row_writer *wi_row_writer_new(const weir_type *type, const wi_lines_how *how);
void wi_row_writer_free(wi_row_writer *writer);
/* The names of the columns, as a line, if that is wanted. */
void wi_write_header(const wi_row_writer *writer, wi_bytes *to);
/* How many lines a row is to have, and the diff of each. */
int64_t wi_write_lines(const wi_row_writer *writer, int64_t *diff);
/* A line. False if there is no place for the diff: nothing is written. */
bool wi_write_row(const wi_row_writer *writer, wi_bytes *to, const void *row, int64_t diff);
/* worker. Stops the execution because wi_write_row said so. */
void wi_write_refused(weir_op *op, int64_t diff);

/* write_text.c: what a text becomes, in one place each. */
void wi_write_tsv_text(wi_bytes *to, const char *text, size_t length);
void wi_write_csv_text(wi_bytes *to, const char *text, size_t length, bool alone);
void wi_write_json_text(wi_bytes *to, const char *text, size_t length);
void wi_write_hex(wi_bytes *to, const char *bytes, size_t length);

#endif
