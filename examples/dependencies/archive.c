/* Reads the archive's files line by line, and checks what they say. */
#include "archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../graph/text_file.h"

#define LIKE_IT_MAX 4 /* names suggested for an unknown one */

static weir_err *open_file(text_file *out, const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return text_file_open(out, path);
}

/* A line of so many numbers and nothing else. */
static bool numbers(const char *line, int64_t *out, int count)
{
    for (int i = 0; i < count; i++)
        if (!text_number(&line, &out[i]))
            return false;
    return !*line;
}

/* ---- the three files -------------------------------------------------------------------- */

static weir_err *read_names(archive *into, const char *folder)
{
    text_file *from = &into->name_file;
    weir_err *err = open_file(from, folder, "names.txt.xz");
    if (err)
        return err;
    const char *end = from->text + from->bytes;
    uint32_t capacity = 1;
    for (const char *at = from->text; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        capacity++;
    into->names = malloc(capacity * sizeof *into->names);
    for (const char *name; (name = text_file_line(from)); into->name_count++) {
        if (!*name)
            return text_file_error(from, "an empty name");
        if (into->name_count && strcmp(into->names[into->name_count - 1], name) >= 0)
            return text_file_error(from, "`%s` is out of order", name);
        into->names[into->name_count] = name;
    }
    return NULL;
}

/* Checks a line's numbers and appends the change that they describe. */
static weir_err *add_change(archive *to, const int64_t of[4], const text_file *from)
{
    uint32_t last = to->change_count ? to->changes[to->change_count - 1].txn : 0;
    for (int i = 1; i <= 2; i++)
        if (of[i] < 0 || of[i] >= to->name_count)
            return text_file_error(from, "there is no package %lld, only 0 to %u", (long long)of[i],
                                   to->name_count - 1);
    if (of[0] < last || of[0] > UINT32_MAX)
        return text_file_error(from, "transaction %lld comes after %u", (long long)of[0], last);
    if (of[3] != 1 && of[3] != -1)
        return text_file_error(from, "a diff is 1 or -1, not %lld", (long long)of[3]);
    if ((to->change_count & (to->change_count - 1)) == 0) /* a power of two: full */
        to->changes = realloc(to->changes, (2 * to->change_count + 1) * sizeof *to->changes);
    if (!to->changes)
        return text_file_error(from, "no memory for so many dependencies");
    to->changes[to->change_count++] =
        (change){(uint32_t)of[0], (uint32_t)of[1], (uint32_t)of[2], (int32_t)of[3]};
    to->txn_count += of[0] > last;
    to->txn_last = (uint32_t)of[0];
    return NULL;
}

static weir_err *read_base(archive *into, const char *folder)
{
    text_file from;
    int64_t of[4] = {0, 0, 0, 1};
    weir_err *err = open_file(&from, folder, "base.tsv.xz");
    for (char *line; !err && (line = text_file_line(&from));)
        err = numbers(line, of + 1, 2)
                  ? add_change(into, of, &from)
                  : text_file_error(&from, "expected `src dst`, two numbers, not `%s`", line);
    text_file_close(&from);
    return err;
}

static weir_err *read_updates(archive *into, const char *folder)
{
    text_file from;
    int64_t of[4];
    weir_err *err = open_file(&from, folder, "updates.tsv.xz");
    for (char *line; !err && (line = text_file_line(&from));)
        err = numbers(line, of, 4) && of[0] > 0
                  ? add_change(into, of, &from)
                  : text_file_error(
                        &from, "expected `txn src dst diff`, numbers and txn above 0, not `%s`",
                        line);
    text_file_close(&from);
    return err;
}

/* By dependency, and then in the order in which they came. */
static int compare_changes(const void *a, const void *b)
{
    const change *left = *(const change *const *)a, *right = *(const change *const *)b;
    if (left->src != right->src)
        return left->src < right->src ? -1 : 1;
    if (left->dst != right->dst)
        return left->dst < right->dst ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* What comes is not there, and what goes is: a dependency comes, goes, comes, ... */
static weir_err *check_changes(const archive *of)
{
    weir_err *err = NULL;
    const change **sorted = malloc((of->change_count + 1) * sizeof *sorted);
    if (!sorted)
        return weir_err_new("no memory to check the dependencies");
    for (uint64_t i = 0; i < of->change_count; i++)
        sorted[i] = &of->changes[i];
    qsort(sorted, of->change_count, sizeof *sorted, compare_changes);
    for (uint64_t i = 0; i < of->change_count && !err; i++) {
        const change *now = sorted[i], *before = i ? sorted[i - 1] : NULL;
        bool same = before && before->src == now->src && before->dst == now->dst;
        if (now->diff == (same ? -before->diff : 1))
            continue;
        err = weir_err_new("transaction %u: package %u %s on %u (transaction 0 is the base)",
                           now->txn, now->src,
                           now->diff > 0 ? "depends already" : "does not depend", now->dst);
    }
    free(sorted);
    return err;
}

weir_err *archive_read(archive *out, const char *folder)
{
    weir_err *err = read_names(out, folder);
    if (!err)
        err = read_base(out, folder);
    if (!err)
        err = read_updates(out, folder);
    return err ? err : check_changes(out);
}

void archive_fini(archive *of)
{
    free(of->changes);
    free(of->names);
    text_file_close(&of->name_file);
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
