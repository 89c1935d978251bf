/* The parts of the decoder of rows (rows.h) among themselves:
 *
 *   rows.c         buffers and batches, and what happens to a row that is none
 *   rows_columns.c which field a column is; the header
 *   rows_fields.c  the fast way through TSV and CSV. Gives up at the first thing that is wrong
 *   rows_bad.c     the slow way, for one row: what is wrong with it, and where it ends
 *   rows_json.c    JSON lines; rows_json_quick.c the usual ones
 *
 * What is right is said in one place: a value is what wi_field_parse says (base/row_parse.c). The
 * fast way only knows the usual forms of numbers itself and leaves all others to that.
 *
 * Invariants
 *   D1  [begin, end) of the buffer came and was not taken; 64 zeros follow it. So whole blocks
 *       can be looked at anywhere in it without finding what is not there
 *   D2  `place` is that of byte `begin`
 *   D3  once `ended`, a newline is the last of [begin, end), if it is not empty */
#ifndef WEIR_OPERATORS_IO_ROWS_PARTS_H
#define WEIR_OPERATORS_IO_ROWS_PARTS_H

#include <stdatomic.h>

#include "rows.h"

#define WI_ROWS_ZEROS 64

/* What to do with a column's values. */
typedef enum wi_column_as {
    WI_AS_NOTHING,
    WI_AS_TEXT,
    WI_AS_SIGNED,
    WI_AS_UNSIGNED,
    WI_AS_F64,
    WI_AS_F32,
    WI_AS_OTHER /* what wi_field_parse does */
} wi_column_as;

typedef struct wi_column {
    const weir_field *field; /* NULL: no field */
    uint32_t offset;         /* its own */
    uint32_t number;         /* of the field, from 1 */
    uint8_t as, bytes;
} wi_column;

/* Bytes that came, kept by the decoder and by batches whose texts lie in them. */
typedef struct wi_buffer {
    _Atomic(uint32_t) references;
    size_t capacity; /* of `at`, besides room for a newline and the zeros of D1 */
    char at[];
} wi_buffer;

typedef struct wi_json wi_json;

struct wi_rows {
    wi_rows_how how;
    uint64_t given_offset, given_bytes; /* of how.given */
    wi_column *columns;                 /* of a line; of JSON: one for each field */
    uint32_t column_count;
    bool padded;
    bool knows_columns, ended, failed;
    bool newline_added; /* by wi_rows_end */
    bool dropping;      /* what comes belongs to a line that was too long, up to its newline */
    wi_buffer *buffer;
    size_t begin, end;
    size_t looked; /* so many of [begin, end) have no whole row */
    wi_rows_place place;
    uint64_t go_to; /* bytes of the stream before it are passed over */
    weir_batch *batch;
    uint32_t capacity;        /* of the batch */
    bool borrowed;            /* texts of the batch lie in the buffer */
    size_t batch_begin;       /* where its first row was */
    wi_json *json;
};

typedef enum wi_rows_found {
    WI_FOUND_ALL, /* the batch is full, or has what was asked for */
    WI_FOUND_PART,   /* a row is not complete */
    WI_FOUND_BAD     /* the row at `begin` is none */
} wi_rows_found;

/* rows_fields.c, rows_json.c. Takes rows at `begin`, at most `most`, into the batch. */
wi_rows_found wi_rows_fields(wi_rows *rows, uint64_t most);
wi_rows_found wi_rows_json(wi_rows *rows, uint64_t most);

/* What is wrong with the row at `begin`; *end_out is where the next one begins. NULL if it takes
 * more bytes to say that, which come unless it is the last. */
weir_err *wi_rows_why(wi_rows *rows, bool last, size_t *end_out);
weir_err *wi_json_why(wi_rows *rows, size_t *end_out);

/* A value of a column in the form of TSV or CSV, without its quotes; false if it is none.
 * `odd`: it has escapes, or doubled quotes. *err_out, unless NULL, says why. */
bool wi_rows_value(wi_rows *rows, const wi_column *column, const char *at, size_t length,
                   bool odd, char *row, weir_err **err_out);
/* Where a quoted field that begins at `at`, behind its quote, has its closing quote; NULL: nowhere
 * before `end`. *doubled_out: there are doubled ones. */
const char *wi_rows_quote(const char *at, const char *end, bool *doubled_out);

/* rows_columns.c. The columns without a header; and with one, which is at `begin` and ends before
 * *end_out; false if it has not come yet, or is wrong. */
weir_err *wi_columns_init(wi_rows *rows);
bool wi_columns_read(wi_rows *rows, size_t *end_out, weir_err **err_out);

/* rows_json_quick.c. The row of a line whose members come in that order; returns what follows it,
 * or NULL if somebody else has to look at it. */
const char *wi_json_quick(wi_rows *rows, const uint32_t *order, const uint32_t *name_bytes,
                          const char *line, char *row);

/* rows_json.c */
wi_json *wi_json_new(wi_rows *rows);
void wi_json_free(wi_json *json);

#endif
