/* Rows from files: typed rows from text in TSV, CSV or JSON lines, or plain lines. docs/sources.md
 * tells more.
 *
 *     weir_stream clicks = weir_read_rows(flow, &click_type, &(weir_read){.path = "clicks-*.csv",
 *                                                                         .header = true});
 *
 * A line that is no row never stops a run, unless that is asked for, and never
 * vanishes: it is counted (weir_op_rejected) and goes to weir_rejects(clicks), with file, line and
 * reason; if nobody asks for those, the first ten of each worker are said on standard error. */
#ifndef WEIR_SOURCE_H
#define WEIR_SOURCE_H

#include <weir/sink.h> /* the formats */
#include <weir/stream.h>

/* How far a partition has been read: its rows at this time and before lie before this place, all
 * others behind. Of several at one time, the one with most records says it. */
#define WEIR_OFFSET(F)                                                                         \
    F(u32, partition)                                                                          \
    F(weir_text, file)                                                                         \
    F(u64, bytes)   /* of the file, unpacked */                                                \
    F(u64, records) /* of the partition: rows, and lines that were none */                     \
    F(u64, lines)   /* of the file */
WEIR_ROW(weir_offset, WEIR_OFFSET)

typedef struct weir_read {
    /* A file; a pattern with * ? [ in its last part; a folder, for all of its files but those that
     * begin with a dot; or "-", the standard input, which worker 0 reads. Or several of these.
     * What ends in .gz, .xz or .zst is unpacked. Files have to be there in all processes. */
    const char *path;
    const char *const *paths; /* NULL ends them */
    /* Names that end in .csv, .json, .jsonl or .ndjson (before .gz and so on) say it themselves if
     * this is WEIR_TSV, that is, left out. */
    weir_row_format format;
    bool header;       /* each file's first line names its columns; without, they are the fields */
    bool extra;        /* columns and JSON members that no field is called like are left out */
    bool strict;       /* a line that is no row stops the run; see also weir_on_reject */
    bool silent;       /* lines that are no rows are not said on standard error */
    bool line_by_line; /* a quoted field never has a newline: an open quote spoils one line only */

    /* Each file is a *partition*, numbered in the order of the paths, those of a pattern or folder
     * by name; worker i of n reads partitions i, i + n, ..., up to 64 at once in turns. The rows of
     * a partition keep their order. */
    const char *partition;    /* a field, of integers, that is no column but gets that number */
    uint32_t *partitions_out; /* how many there are: for weir_watermark_policy.partitions */
    bool split;               /* Large files are read in parts, one by each worker: rows of a file
                               * are in no order then. Implies line_by_line */

    /* `path`, a folder or pattern, is looked at again and again: new files, which must appear whole
     * (by a rename), are read in the order of their names. Files belong to one of `partitions`
     * partitions (0: 1) by the hash of their names. Ends once a file `until` is there and all that
     * appeared with it or before is read; NULL: never. */
    bool grows;
    uint32_t partitions;
    const char *until; /* a name without its folder; the file itself is not read */
    uint32_t look_ms;  /* how often; 0: every 100 ms */

    /* Row r of a partition is sent at epoch r / epoch_records, lines that are no rows counted; 0:
     * all at the first epoch. */
    uint64_t epoch_records;
    weir_stream *offsets_out; /* weir_offset, of each partition at the end of each epoch */
    const weir_offset *from;  /* partitions begin there instead (copied) */
    uint32_t from_count;

    uint32_t row_bytes_max; /* of a row's text; what is longer is none. 0: 16 MiB */
    uint32_t read_bytes;    /* how much is read at once; 0: 64 KiB */
} weir_read;

/* worker, building. A file that cannot be opened, or not read to its end, or whose header does not
 * fit the type, is an error. `what` is copied. */
WEIR_API weir_stream weir_read_rows(weir_dataflow *flow, const weir_type *type,
                                    const weir_read *what);

/* ---- lines ------------------------------------------------------------------------------ */

/* The lines of a text file, for the program itself: no dataflow. Packed files are unpacked. */
typedef struct weir_lines weir_lines;

/* any. NULL, and *err_out, if the file cannot be opened; "-" is the standard input. */
WEIR_API weir_lines *weir_lines_open(const char *path, weir_err **err_out);
/* any. The next line, without its newline (or CR LF), with a NUL behind it; the caller may change
 * it; valid until the next call. NULL at the end, or, with *err_out, if the file cannot be read. */
WEIR_API char *weir_lines_next(weir_lines *lines, size_t *length_out, weir_err **err_out);
/* any. The number of the line last given, from 1. */
WEIR_API uint64_t weir_lines_number(const weir_lines *lines);
WEIR_API void weir_lines_close(weir_lines *lines);

#endif
