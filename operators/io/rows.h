/* Rows of a type from a stream of bytes: bytes -> lines -> fields -> batches, and what is not a
 * row, with its line and a reason. For any stream: files, pipes, sockets. It does no I/O.
 *
 *     wi_rows *rows = wi_rows_new(&how, &err);
 *     for (;;) {
 *         size_t room;
 *         char *to = wi_rows_room(rows, &room);
 *         ... put up to `room` bytes there ...
 *         wi_rows_fill(rows, got);                  // or wi_rows_end(rows), once there are no more
 *         while ((batch = wi_rows_take(rows, UINT64_MAX, &err)))
 *             weir_send_batch(op, 0, batch);
 *     }
 *
 * Bytes are not copied to become rows: the buffer they were put in is lent to the batches whose
 * long texts lie in it, and then there is another. One thread at a time; batches may go to others.
 */
#ifndef WEIR_OPERATORS_IO_ROWS_H
#define WEIR_OPERATORS_IO_ROWS_H

#include <weir/batch.h>
#include <weir/sink.h>

/* Named limit: of a row, with all its fields; a longer one is none, and is left out. */
#define WI_ROW_BYTES_MAX ((uint32_t)16 << 20)
/* Room that there is at least for bytes to come, unless the caller says otherwise. */
#define WI_ROWS_ROOM (64u << 10)

/* What is not a row: the bytes of the line, and what is wrong with it. */
typedef struct wi_no_row {
    uint64_t line; /* its number, from 1 */
    const char *text;
    size_t length;
    const char *why;
} wi_no_row;

typedef struct wi_rows_how {
    const weir_type *type; /* must outlive the rows */
    weir_row_format format;
    bool header;        /* the first line names the columns; not with JSON */
    bool extra;         /* columns and members that the type has no field for are left out */
    bool line_by_line;  /* a quoted field does not go on in the next line */
    const char *given;  /* a field that is no column, but has the value below; or NULL */
    uint64_t value;     /* of `given`, an integer */
    /* 0: the limits above, and as many rows to a batch as is usual. */
    uint32_t row_bytes_max, room_bytes, batch_rows;
    void (*bad)(void *arg, const wi_no_row *what);  /* called from wi_rows_take */
    void *arg;
} wi_rows_how;

typedef struct wi_rows wi_rows;

/* any. Fails if the type cannot be read in the format. */
wi_rows *wi_rows_new(const wi_rows_how *how, weir_err **err_out);
void wi_rows_free(wi_rows *rows);

/* Where more bytes go, and for how many there is room: at least one. */
char *wi_rows_room(wi_rows *rows, size_t *room_out);
/* So many bytes were put there. */
void wi_rows_fill(wi_rows *rows, size_t bytes);
/* No more bytes will come: the last line may lack its newline. */
void wi_rows_end(wi_rows *rows);
/* The same, but a last line without its newline is none, and why is said: it may have been cut. */
void wi_rows_cut(wi_rows *rows, const char *why);

/* Some of the rows in the bytes that came, at most `most`, those that are none included; NULL if it
 * takes more bytes to go on, or, with *err_out, if the header does not fit the type: then no
 * more can be read. Call it until it gives NULL. */
weir_batch *wi_rows_take(wi_rows *rows, uint64_t most, weir_err **err_out);

/* How far rows were taken. */
typedef struct wi_rows_place {
    uint64_t bytes;   /* of the stream, up to which all was taken */
    uint64_t records; /* rows, and what was none; a header does not count */
    uint64_t lines;
} wi_rows_place;
wi_rows_place wi_rows_at(const wi_rows *rows);
/* Whether the columns are known: there is no header, or it has been read. */
bool wi_rows_knows_columns(const wi_rows *rows);
/* Goes on at a place that another stream of the same bytes had reached, once the columns are known:
 * bytes up to there are passed over. */
void wi_rows_go_to(wi_rows *rows, const wi_rows_place *place);
/* The bytes that come next are those from `bytes` on, whatever came before; `in_line`: they are in
 * the midst of a line, which is passed over. */
void wi_rows_jump(wi_rows *rows, uint64_t bytes, bool in_line);

#endif
