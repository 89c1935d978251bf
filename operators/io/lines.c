/* The lines of a file for a program that wants them one by one; see weir/source.h. */
#include <weir/source.h>

#include "../../base/alloc.h"
#include "file.h"

enum { CHUNK_BYTES = 1 << 16 };
/* Named limit: a longer line is an error. */
#define LINE_BYTES_MAX ((size_t)1 << 30)

struct weir_lines {
    char *path;
    wi_file *file;
    bool ended;
    char *text; /* [begin, end) is not given yet; a byte behind it is there */
    size_t begin, end, capacity;
    uint64_t number;
};

weir_lines *weir_lines_open(const char *path, weir_err **err_out)
{
    wi_file *file = wi_file_open(path, err_out);
    if (!file)
        return NULL;
    weir_lines *lines = WI_NEW(weir_lines);
    lines->path = wi_strdup(path);
    lines->file = file;
    return lines;
}

void weir_lines_close(weir_lines *lines)
{
    if (!lines)
        return;
    wi_file_close(lines->file);
    wi_free(lines->path);
    wi_free(lines->text);
    wi_free(lines);
}

uint64_t weir_lines_number(const weir_lines *lines)
{
    return lines->number;
}

static weir_err *read_more(weir_lines *lines)
{
    weir_err *err = NULL;
    if (lines->begin) {
        memmove(lines->text, lines->text + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->end > LINE_BYTES_MAX)
        return weir_err_new("`%s` has a line of more than 1 GiB", lines->path);
    if (lines->capacity - lines->end <= CHUNK_BYTES) {
        lines->capacity = lines->capacity ? lines->capacity * 2 : 4 * CHUNK_BYTES;
        lines->text = wi_realloc(lines->text, lines->capacity);
    }
    size_t got;
    wi_file_gives gives =
        wi_file_read(lines->file, lines->text + lines->end, CHUNK_BYTES, true, &got, &err);
    lines->end += got;
    lines->ended = gives == WI_FILE_ENDS;
    return err;
}

char *weir_lines_next(weir_lines *lines, size_t *length_out, weir_err **err_out)
{
    char *newline = NULL;
    for (size_t looked = 0;;) {
        size_t there = lines->end - lines->begin;
        if (there > looked)
            newline = memchr(lines->text + lines->begin + looked, '\n', there - looked);
        if (newline || lines->ended)
            break;
        looked = there;
        *err_out = read_more(lines);
        if (*err_out)
            return NULL;
    }
    if (lines->begin == lines->end)
        return NULL;
    char *line = lines->text + lines->begin;
    size_t length = newline ? (size_t)(newline - line) : lines->end - lines->begin;
    lines->begin += length + (newline != NULL);
    if (length && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    lines->number++;
    *length_out = length;
    return line;
}
