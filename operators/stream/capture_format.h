/* The file of a captured stream. All numbers are little-endian; nothing is aligned.
 *
 *   header   0  magic "WEIRCAP" and a newline
 *            8  u32 version of the format: 1
 *           12  u32 coordinates of a time (D)
 *           16  u64 hash of the row type (weir_type_hash)
 *           24  u32 which writer this is, u32 how many there are
 *           32  u32 bytes of a row (R), u32 bytes of the schema (S)
 *           40  u64 XXH64 of bytes 0 to 40 and the schema
 *           48  the schema, as text, for messages; then the records
 *
 *   record   0  u32 kind, u32 count (N), u64 bytes of what follows the record's head
 *           16  u64 XXH64, seeded with the record's offset in the file, of the first 16 bytes
 *               and of what follows:
 *     1 batch     u32 flags (1: times, 2: diffs), u32 zero, i64 diff, D u64 time,
 *                 N * D u64 times if flagged, N i64 diffs if flagged, N * R bytes of rows,
 *                 and their long texts, to which a row's handle has an offset, not a pointer
 *     2 frontier  N * D u64: the times from now on (N = 0: none, the stream is complete)
 *     3 end       u64 batches, u64 rows. Only after a frontier of no times; nothing follows.
 *
 * A file without its end is of a stream that was not complete, and is refused. */
#ifndef WEIR_OPERATORS_STREAM_CAPTURE_FORMAT_H
#define WEIR_OPERATORS_STREAM_CAPTURE_FORMAT_H

#include <stdio.h>

#include <weir/batch.h>

#define WI_CAPTURE_MAGIC "WEIRCAP\n"
#define WI_CAPTURE_VERSION 1
#define WI_CAPTURE_HEADER_BYTES 48
#define WI_CAPTURE_HEADER_SUMMED 40
#define WI_CAPTURE_RECORD_BYTES 24
#define WI_CAPTURE_RECORD_SUMMED 16
#define WI_CAPTURE_BATCH_BYTES 16 /* of a batch, before its time */
#define WI_CAPTURE_END_BYTES 16

enum { WI_CAPTURE_BATCH = 1, WI_CAPTURE_FRONTIER = 2, WI_CAPTURE_END = 3 };
enum { WI_CAPTURE_TIMES = 1, WI_CAPTURE_DIFFS = 2 };

/* The checksum of a record at `offset`: of its head and of the `bytes` that follow it. */
uint64_t wi_capture_sum(const char *head, const char *rest, uint64_t bytes, uint64_t offset);

/* ---- writing ---------------------------------------------------------------------------- */

typedef struct wi_capture_writer {
    FILE *file;
    const weir_type *type;
    int dims;
    uint64_t offset; /* bytes written */
    uint64_t batches, rows;
    char *record; /* being put together */
    size_t used, capacity;
} wi_capture_writer;

/* All return false if the file cannot be written; errno says why. */
bool wi_capture_create(wi_capture_writer *writer, const char *path, const weir_type *type, int dims,
                       uint32_t index, uint32_t writers);
bool wi_capture_put_batch(wi_capture_writer *writer, const weir_batch *batch);
bool wi_capture_put_frontier(wi_capture_writer *writer, const weir_antichain *frontier);
/* The end record, if wanted; closes the file and frees what the writer has. */
bool wi_capture_close(wi_capture_writer *writer, bool complete);

/* ---- reading ---------------------------------------------------------------------------- */

typedef struct wi_capture_reader {
    FILE *file;
    char *path;
    const weir_type *type;
    int dims;
    uint64_t size, offset;  /* of the file; of the next record */
    uint64_t batches, rows; /* read so far */
    weir_antichain frontier;
} wi_capture_reader;

/* Opens a file and checks that it has what is wanted. */
weir_err *wi_capture_open(wi_capture_reader *reader, const char *path, const weir_type *type,
                          int dims, uint32_t index, uint32_t writers);
/* Reads a record. A batch goes to *batch_out, a frontier to reader->frontier, with NULL in
 * *batch_out; both only when everything about them has been checked. *ended_out: that was the
 * end record. */
weir_err *wi_capture_next(wi_capture_reader *reader, weir_batch **batch_out, bool *ended_out);
/* In any state; zeroed memory too. */
void wi_capture_reader_fini(wi_capture_reader *reader);

#endif
