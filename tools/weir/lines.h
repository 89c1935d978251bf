/* The lines of a text file, one after another, with little memory. Files whose names end in .gz,
 * .xz or .zst are unpacked on the way; "-" is the standard input. */
#ifndef WEIR_TOOLS_LINES_H
#define WEIR_TOOLS_LINES_H

#include <weir/base.h>

typedef struct lines lines;

/* NULL, and *err_out, if the file cannot be opened. */
lines *lines_open(const char *path, weir_err **err_out);
/* The next line, without its newline (or CR LF), with a NUL behind it; valid until the next call.
 * NULL at the end, or, with *err_out, if the file cannot be read or unpacked. */
char *lines_next(lines *of, size_t *length_out, weir_err **err_out);
/* The number of the line last given, from 1. */
uint64_t lines_number(const lines *of);
void lines_close(lines *of);

/* Whether a path ends so, before what says how it is packed. */
bool lines_name_ends(const char *path, const char *end);

#endif
