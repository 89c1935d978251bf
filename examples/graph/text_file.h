/* A text file in memory, line by line. Files whose names end in .gz, .xz or .zst are unpacked
 * on the way. Errors name the file and, where there is one, the line. */
#ifndef GRAPH_TEXT_FILE_H
#define GRAPH_TEXT_FILE_H

#include <weir/base.h>

typedef struct text_file {
    char *path;
    char *text, *at; /* all of it, with a NUL behind; the first line not yet read */
    size_t bytes;
    uint64_t line; /* the number of the line last read, from 1 */
} text_file;

/* Reads all of a file into a zeroed text_file. text_file_close in any case. */
weir_err *text_file_open(text_file *out, const char *path);
void text_file_close(text_file *of);
/* The next line, without its newline, or NULL. Belongs to the file. */
char *text_file_line(text_file *of);
/* An error about the line last read: "PATH:LINE: ...". */
weir_err *text_file_error(const text_file *of, const char *format, ...) WEIR_PRINTF(2, 3);

/* Takes a whole number from the front of *at, and the blanks (spaces, tabs) behind it.
 * False, if there is none, it does not fit, or neither a blank nor the end follows. */
bool text_number(const char **at, int64_t *out);
/* The same for one without a sign, of all 64 bits. */
bool text_natural(const char **at, uint64_t *out);
/* The same for a word: its first byte and its length. */
bool text_word(const char **at, const char **word_out, size_t *length_out);

/* What a run ends with: its error; or that not all that was printed could be written. */
weir_err *text_printed(weir_err *of_run);

#endif
