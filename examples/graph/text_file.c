/* Whole files, by weir's own reader of lines, which unpacks them. */
#include "text_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/source.h>

/* ---- a file ----------------------------------------------------------------------------- */

/* Adds a line and its newline; what is behind it is a NUL. NULs within would end it too soon. */
static bool add_line(text_file *to, size_t *capacity, const char *line, size_t length)
{
    if (*capacity - to->bytes < length + 2) {
        *capacity = (*capacity + length) * 2 + 4096;
        char *text = realloc(to->text, *capacity);
        if (!text)
            return false;
        to->text = text;
    }
    char *into = to->text + to->bytes;
    memcpy(into, line, length);
    while ((into = memchr(into, 0, (size_t)(to->text + to->bytes + length - into))))
        *into = '?';
    to->bytes += length;
    to->text[to->bytes++] = '\n';
    to->text[to->bytes] = 0;
    return true;
}

weir_err *text_file_open(text_file *out, const char *path)
{
    *out = (text_file){.path = strdup(path), .text = calloc(1, 1)};
    weir_err *err = NULL;
    weir_lines *lines = weir_lines_open(path, &err);
    size_t capacity = 1, length;
    for (const char *line; !err && (line = weir_lines_next(lines, &length, &err));)
        if (!add_line(out, &capacity, line, length))
            err = weir_err_new("no memory for `%s`", path);
    weir_lines_close(lines);
    out->at = out->text;
    return err;
}

void text_file_close(text_file *of)
{
    free(of->text);
    free(of->path);
    *of = (text_file){0};
}

char *text_file_line(text_file *of)
{
    char *line = of->at, *end = of->text + of->bytes;
    if (line == end)
        return NULL;
    char *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline)
        *newline = 0;
    of->at = newline ? newline + 1 : end;
    of->line++;
    return line;
}

weir_err *text_file_error(const text_file *of, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return weir_err_new("%s:%llu: %s", of->path, (unsigned long long)of->line, message);
}

/* ---- a line ----------------------------------------------------------------------------- */

static bool skip_blanks(const char **at)
{
    bool blank = **at == ' ' || **at == '\t';
    while (**at == ' ' || **at == '\t')
        ++*at;
    return blank || !**at;
}

bool text_natural(const char **at, uint64_t *out)
{
    const char *from = *at;
    uint64_t value = 0;
    for (; *from >= '0' && *from <= '9'; from++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*from - '0'), &value))
            return false;
    if (from == *at)
        return false;
    *out = value;
    *at = from;
    return skip_blanks(at);
}

bool text_number(const char **at, int64_t *out)
{
    bool negative = **at == '-';
    uint64_t value;
    *at += negative;
    if (!text_natural(at, &value) || value > INT64_MAX)
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool text_word(const char **at, const char **word_out, size_t *length_out)
{
    *word_out = *at;
    *length_out = strcspn(*at, " \t");
    *at += *length_out;
    return *length_out && skip_blanks(at);
}

/* ---- standard output -------------------------------------------------------------------- */

weir_err *text_printed(weir_err *of_run)
{
    if (of_run || (fflush(stdout) == 0 && !ferror(stdout)))
        return of_run;
    return weir_err_new("standard output does not take the answer: is its disk full?");
}
