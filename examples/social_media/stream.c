/* Reads the stream line by line. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "../graph/text_file.h"

static const struct {
    char letter;
    int fields, time_at; /* the field that need not be an id */
} things[] = {[POST] = {'P', 3, 1},
              [COMMENT] = {'C', 4, 1},
              [LIKE] = {'L', 2, -1},
              [FRIENDS] = {'F', 2, -1},
              [USER] = {'U', 1, -1}};

#define THINGS (sizeof things / sizeof *things)

/* "C", or "-C" for a comment that goes. */
static bool take_thing(const char **at, change *out)
{
    const char *word;
    size_t length;
    if (!text_word(at, &word, &length))
        return false;
    out->diff = *word == '-' ? -1 : 1;
    if (out->diff < 0) {
        word++;
        length--;
    }
    for (uint32_t t = 0; t < THINGS; t++)
        if (length == 1 && *word == things[t].letter) {
            out->of = (thing)t;
            return true;
        }
    return false;
}

static bool take_line(const char *at, change *out)
{
    int64_t txn;
    if (!text_number(&at, &txn) || txn < 0 || !take_thing(&at, out))
        return false;
    out->txn = (uint64_t)txn;
    for (int f = 0; f < things[out->of].fields; f++)
        if (!text_number(&at, &out->field[f]) ||
            (out->field[f] < 0 && f != things[out->of].time_at))
            return false;
    return !*at;
}

static weir_err *append(stream *to, const change *row, const text_file *from)
{
    if (to->count && row->txn < to->all[to->count - 1].txn)
        return text_file_error(from, "transaction %llu comes after %llu",
                               (unsigned long long)row->txn,
                               (unsigned long long)to->all[to->count - 1].txn);
    if (to->count == to->capacity) {
        uint64_t capacity = to->capacity ? to->capacity * 2 : 1024;
        change *all = realloc(to->all, capacity * sizeof *all);
        if (!all)
            return text_file_error(from, "no memory for more than %llu lines",
                                   (unsigned long long)to->count);
        to->all = all;
        to->capacity = capacity;
    }
    to->all[to->count++] = *row;
    return NULL;
}

weir_err *stream_read(stream *out, const char *path)
{
    text_file from = {0};
    weir_err *err = text_file_open(&from, path);
    for (const char *line; !err && (line = text_file_line(&from));) {
        change row = {0};
        err = take_line(line, &row) ? append(out, &row, &from)
                                    : text_file_error(&from,
                                                      "expected `txn P id time user`, `txn C id "
                                                      "time user parent`, `txn L user comment`, "
                                                      "`txn F user user` or `txn U id`, not `%s`",
                                                      line);
    }
    text_file_close(&from);
    return err;
}

void stream_fini(stream *of)
{
    free(of->all);
    of->all = NULL;
}
