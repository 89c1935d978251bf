/* The forms that rows have outside: what sources read and sinks write. */
#ifndef WEIR_FORMAT_H
#define WEIR_FORMAT_H

typedef enum weir_row_format {
    WEIR_TSV, /* weir_row_print's form: tabs between; tab, newline, CR and backslash are escaped */
    WEIR_CSV,  /* RFC 4180 */
    WEIR_JSON, /* an object on each line */
    WEIR_LINES /* sources only: each line, as it is, is the one text that the type has */
} weir_row_format;

#endif
