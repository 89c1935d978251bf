/* Where streams end: rows written to files. docs/sinks.md tells more.
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
 * Lines end with a newline alone. TSV is what weir_row_print gives and weir_row_parse takes. */
#ifndef WEIR_SINK_H
#define WEIR_SINK_H

#include <weir/stream.h>

typedef enum weir_row_format {
    WEIR_TSV,
    WEIR_CSV, /* RFC 4180, but for the line ends */
    WEIR_JSON /* an object on each line */
} weir_row_format;

/* What is written of diffs. */
typedef enum weir_diffs {
    /* Those other than +1, in front of their rows, with their sign; in JSON as a member `diff`.
     * In CSV, or under a header, such a row has no place: it stops the run. */
    WEIR_DIFFS_OTHERS,
    /* All of them: `diff` is the first column. */
    WEIR_DIFFS_ALL
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

#endif
