/* Where streams end: rows as lines, printed or in files; socket.h sends them. docs/sinks.md tells
 * more.
 *
 * All are called by the worker that builds. Rows become lines:
 *
 *   kind                  TSV                CSV                    JSON
 *   integers, times       decimal            decimal                a number, all digits
 *   f32, f64              a short form that reads back the same; inf, nan:
 *                         inf, nan           inf, nan               "inf", "nan"
 *   bool                  true, false        true, false            true, false
 *   weir_text             \t \n \r \\        quoted if it has       a string; what is not UTF-8
 *                         are escaped        , " or a line break    becomes U+FFFD
 *   bytes                 hexadecimal        hexadecimal            a string of hexadecimals
 *   arrays                [1,2,3]            "[1,2,3]"              [1,2,3]
 *
 * Lines end with a newline alone, in CSV too. TSV is what weir_row_print gives and
 * weir_row_parse takes. */
#ifndef WEIR_SINK_H
#define WEIR_SINK_H

#include <weir/format.h>
#include <weir/stream.h>

/* What is written of diffs. */
typedef enum weir_diffs {
    /* Those other than +1, in front of their rows, with their sign; in JSON as a member `diff`.
     * In CSV, or under a header, such a row has no place: it stops the run. */
    WEIR_DIFFS_OTHERS,
    /* All of them: `diff` is the first column. */
    WEIR_DIFFS_ALL,
    /* None: a row has as many lines as its diff says. One below 0 stops the run. */
    WEIR_DIFFS_LINES
} weir_diffs;

/* ---- printing --------------------------------------------------------------------------- */

typedef struct weir_print_how {
    weir_row_format format;
    bool header; /* the columns' names first; not with JSON */
    weir_diffs diffs;
    bool unsorted; /* rows are printed as they come, rather than once their time is complete */
} weir_print_how;

/* weir_print in another form. `file` is a FILE*, of worker 0 (in process 0). */
WEIR_API void weir_print_as(weir_stream in, void *file, const weir_print_how *how);

/* ---- files ------------------------------------------------------------------------------ */

/* What to do with a segment whose name is there already, of an earlier run say. */
typedef enum weir_existing {
    WEIR_EXISTING_REPLACE, /* at once: whoever opens the name sees the old one or the new one */
    WEIR_EXISTING_KEEP,    /* the old one stays, and the new one is thrown away */
    WEIR_EXISTING_REFUSE   /* stops the run */
} weir_existing;

typedef struct weir_write {
    const char *directory; /* made, if only it itself is missing */
    const char *prefix;    /* of all names: [a-z0-9._-]{1,64}, and no dot first. It belongs to this
                            * stream alone: what another left there half written is removed */
    const char *extension; /* "tsv", "csv" or "jsonl", and ".gz" or ".zst" behind it; NULL: tsv */
    bool header;           /* in each segment */
    weir_diffs diffs;
    uint64_t every;   /* how many epochs a segment has, from a multiple of it on; 0: one */
    bool event_time;  /* epochs are those of event times (weir_event_epoch): multiples and names
                       * are of event time */
    bool sorted;      /* rows are kept until their segment is complete, sorted, equal ones added
                       * up; otherwise they are written as they come, and need no memory */
    bool per_worker;  /* each worker writes a segment of its own, where its process runs;
                       * otherwise worker 0 writes all of them */
    bool unsynced;    /* not waited for until it is on the disk */
    weir_existing existing;
} weir_write;

/* A segment that is there for good. */
typedef struct weir_segment {
    weir_text name; /* of the file, in the directory */
    uint64_t first, last; /* of its epochs */
    uint64_t rows, bytes;
} weir_segment;
WEIR_API extern const weir_type weir_segment_type;

/* Writes rows to segments, files that have the rows of some epochs (of the first coordinate):
 * "<prefix>-<first epoch, 20 characters>.<extension>". A segment gets its name, by renaming a file
 * that begins with a dot, once all of its epochs are complete; nothing is to be seen of it before.
 * Names sort as epochs do. No rows, no file. What cannot be written stops the run.
 *
 * Gives a row for each segment once it is there, at its last epoch; a probe of this stream says
 * which epochs are there. */
WEIR_API weir_stream weir_write_files(weir_stream in, const weir_write *how);

#endif
