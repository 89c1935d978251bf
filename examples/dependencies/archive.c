/* Reads the archive's files: each is unpacked as a whole, then taken apart line by line. */
#include "archive.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (UINT64_C(1) << 30) /* unpacked */
#define CHUNK_BYTES 65536
#define LIKE_IT_MAX 4 /* names suggested for an unknown one */

/* ---- a file ----------------------------------------------------------------------------- */

/* A text file in memory, and where its reader is. */
typedef struct lines {
    char path[4096];
    char *text, *at;
    size_t bytes;
    unsigned number; /* of the line last read, from 1 */
} lines;

/* Unpacks all of a file behind `into`, which grows and ends with a NUL. */
static weir_err *unpack(FILE *file, lzma_stream *xz, lines *into)
{
    uint8_t packed[CHUNK_BYTES];
    size_t capacity = 0;
    for (lzma_ret code = LZMA_OK; code != LZMA_STREAM_END;) {
        if (xz->avail_in == 0 && !feof(file)) {
            xz->next_in = packed;
            xz->avail_in = fread(packed, 1, sizeof packed, file);
            if (ferror(file))
                return weir_err_new("cannot read `%s`: %s", into->path, strerror(errno));
        }
        if (capacity - into->bytes < CHUNK_BYTES) {
            capacity = capacity ? capacity * 2 : 16 * CHUNK_BYTES;
            if (capacity > FILE_BYTES_MAX)
                return weir_err_new("`%s` is more than 1 GiB unpacked", into->path);
            into->text = realloc(into->text, capacity);
            if (!into->text)
                return weir_err_new("no memory for `%s`", into->path);
        }
        xz->next_out = (uint8_t *)into->text + into->bytes;
        xz->avail_out = capacity - into->bytes - 1;
        code = lzma_code(xz, feof(file) ? LZMA_FINISH : LZMA_RUN);
        into->bytes = (size_t)((char *)xz->next_out - into->text);
        if (code != LZMA_OK && code != LZMA_STREAM_END)
            return weir_err_new(code == LZMA_FORMAT_ERROR ? "`%s` is not an xz file"
                                                          : "`%s` is damaged or cut short",
                                into->path);
    }
    into->text[into->bytes] = 0;
    return NULL;
}

static weir_err *lines_open(lines *out, const char *folder, const char *name)
{
    memset(out, 0, sizeof *out);
    snprintf(out->path, sizeof out->path, "%s/%s", folder, name);
    FILE *file = fopen(out->path, "rb");
    if (!file)
        return weir_err_new("cannot open `%s`: %s; --data says where the data is", out->path,
                            strerror(errno));
    lzma_stream xz = LZMA_STREAM_INIT;
    weir_err *err = lzma_stream_decoder(&xz, UINT64_MAX, LZMA_CONCATENATED) == LZMA_OK
                        ? unpack(file, &xz, out)
                        : weir_err_new("no memory to unpack `%s`", out->path);
    lzma_end(&xz);
    fclose(file);
    out->at = out->text;
    return err;
}

/* The next line, without its newline, or NULL. */
static char *lines_next(lines *from)
{
    char *line = from->at, *end = from->text + from->bytes;
    if (line == end)
        return NULL;
    char *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline)
        *newline = 0;
    from->at = newline ? newline + 1 : end;
    from->number++;
    return line;
}

/* Splits a line into whole numbers with tabs between them. */
static bool numbers(const char *line, int64_t *out, int count)
{
    for (int i = 0; i < count; i++) {
        bool digits = line[line[0] == '-'] >= '0' && line[line[0] == '-'] <= '9';
        char *end;
        errno = 0;
        out[i] = strtoll(line, &end, 10);
        if (!digits || errno || *end != (i + 1 < count ? '\t' : 0))
            return false;
        line = end + 1;
    }
    return true;
}

/* ---- the three files -------------------------------------------------------------------- */

static weir_err *read_names(archive *into, const char *folder)
{
    lines from;
    weir_err *err = lines_open(&from, folder, "names.txt.xz");
    into->text = from.text;
    if (err)
        return err;
    uint32_t capacity = 1;
    for (char *at = from.text; (at = memchr(at, '\n', (size_t)(from.text + from.bytes - at))); at++)
        capacity++;
    into->names = malloc(capacity * sizeof *into->names);
    for (const char *name; (name = lines_next(&from)); into->name_count++) {
        if (!*name)
            return weir_err_new("%s:%u: an empty name", from.path, from.number);
        if (into->name_count && strcmp(into->names[into->name_count - 1], name) >= 0)
            return weir_err_new("%s:%u: `%s` is out of order", from.path, from.number, name);
        into->names[into->name_count] = name;
    }
    return NULL;
}

/* Checks a line's numbers and appends the change that they describe. */
static weir_err *add_change(archive *to, const int64_t of[4], const lines *from)
{
    uint32_t last = to->change_count ? to->changes[to->change_count - 1].txn : 0;
    for (int i = 1; i <= 2; i++)
        if (of[i] < 0 || of[i] >= to->name_count)
            return weir_err_new("%s:%u: there is no package %lld, only 0 to %u", from->path,
                                from->number, (long long)of[i], to->name_count - 1);
    if (of[0] < last || of[0] > UINT32_MAX)
        return weir_err_new("%s:%u: transaction %lld comes after %u", from->path, from->number,
                            (long long)of[0], last);
    if (of[3] != 1 && of[3] != -1)
        return weir_err_new("%s:%u: a diff is 1 or -1, not %lld", from->path, from->number,
                            (long long)of[3]);
    if ((to->change_count & (to->change_count - 1)) == 0) /* a power of two: full */
        to->changes = realloc(to->changes, (2 * to->change_count + 1) * sizeof *to->changes);
    if (!to->changes)
        return weir_err_new("no memory for what `%s` says", from->path);
    to->changes[to->change_count++] =
        (change){(uint32_t)of[0], (uint32_t)of[1], (uint32_t)of[2], (int32_t)of[3]};
    to->txn_count += of[0] > last;
    to->txn_last = (uint32_t)of[0];
    return NULL;
}

static weir_err *read_base(archive *into, const char *folder)
{
    lines from;
    int64_t of[4] = {0, 0, 0, 1};
    weir_err *err = lines_open(&from, folder, "base.tsv.xz");
    for (char *line; !err && (line = lines_next(&from));)
        err = numbers(line, of + 1, 2)
                  ? add_change(into, of, &from)
                  : weir_err_new("%s:%u: expected `src dst`, two numbers and a tab, not `%s`",
                                 from.path, from.number, line);
    free(from.text);
    return err;
}

static weir_err *read_updates(archive *into, const char *folder)
{
    lines from;
    int64_t of[4];
    weir_err *err = lines_open(&from, folder, "updates.tsv.xz");
    for (char *line; !err && (line = lines_next(&from));)
        err = numbers(line, of, 4) && of[0] > 0
                  ? add_change(into, of, &from)
                  : weir_err_new("%s:%u: expected `txn src dst diff`, numbers with tabs between "
                                 "them and txn above 0, not `%s`",
                                 from.path, from.number, line);
    free(from.text);
    return err;
}

weir_err *archive_read(archive *out, const char *folder)
{
    weir_err *err = read_names(out, folder);
    if (!err)
        err = read_base(out, folder);
    if (!err)
        err = read_updates(out, folder);
    return err;
}

void archive_fini(archive *of)
{
    free(of->changes);
    free(of->names);
    free(of->text);
}

/* ---- names ------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

weir_err *archive_find(const archive *in, const char *name, uint32_t *package_out)
{
    char like_it[400] = "";
    const char **found =
        bsearch(&name, in->names, in->name_count, sizeof *in->names, compare_names);
    if (found) {
        *package_out = (uint32_t)(found - in->names);
        return NULL;
    }
    for (uint32_t i = 0, n = 0; i < in->name_count && n < LIKE_IT_MAX && *name; i++)
        if (strstr(in->names[i], name) && strlen(in->names[i]) < 90) {
            strcat(strcat(like_it, n ? ", " : "; like it: "), in->names[i]);
            n++;
        }
    return weir_err_new("there is no package `%s`%s", name, like_it);
}
