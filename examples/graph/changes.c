/* Reads relations and their updates, line by line. */
#include "changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t edge_weight(uint64_t src, uint64_t dst)
{
    return (int64_t)((src % 10 * 7 + dst % 10 * 13) % 10 + 1);
}

static weir_err *append(changes *to, const change *row, const text_file *from)
{
    if (to->count == to->capacity) {
        uint64_t capacity = to->capacity ? to->capacity * 2 : 1024;
        change *all = realloc(to->all, capacity * sizeof *all);
        if (!all)
            return text_file_error(from, "no memory for more than %llu rows",
                                   (unsigned long long)to->count);
        to->all = all;
        to->capacity = capacity;
    }
    to->all[to->count++] = *row;
    return NULL;
}

/* src and dst; *at is then at what follows them. */
static bool take_ends(const char **at, change *row)
{
    if (!text_natural(at, &row->src) || !text_natural(at, &row->dst))
        return false;
    row->weight = edge_weight(row->src, row->dst);
    return true;
}

/* ---- the base --------------------------------------------------------------------------- */

weir_err *changes_read_base(changes *into, uint32_t relation, const char *path)
{
    text_file from;
    weir_err *err = text_file_open(&from, path);
    for (char *line; !err && (line = text_file_line(&from));) {
        const char *at = line;
        change row = {.diff = 1, .relation = relation};
        bool good = take_ends(&at, &row);
        if (good && *at && into->weighted)
            good = text_number(&at, &row.weight) && row.weight >= 0;
        if (!good || *at)
            err = text_file_error(&from, "expected `src dst%s`, numbers, not `%s`",
                                  into->weighted ? " [weight]" : "", line);
        else
            err = append(into, &row, &from);
    }
    into->base_count = into->count;
    text_file_close(&from);
    return err;
}

/* The first file that is there of FOLDER/NAME.ENDING, for any name of the relation. */
static bool find_file(const char *folder, const char *names, char *path, size_t bytes)
{
    static const char *const kinds[] = {"tsv", "facts", "csv"};
    static const char *const packed[] = {"", ".gz", ".xz", ".zst"};
    for (const char *name = names; *name; name += strcspn(name, "|"), name += *name == '|')
        for (int kind = 0; kind < 3; kind++)
            for (int pack = 0; pack < 4; pack++) {
                snprintf(path, bytes, "%s/%.*s.%s%s", folder, (int)strcspn(name, "|"), name,
                         kinds[kind], packed[pack]);
                if (access(path, F_OK) == 0)
                    return true;
            }
    return false;
}

weir_err *changes_read_facts(changes *into, uint32_t relation, const char *folder)
{
    char path[4096];
    const char *names = into->relations[relation];
    if (!find_file(folder, names, path, sizeof path))
        return weir_err_new("there is no file of `%s` in `%s`: neither %.*s.tsv nor .facts, .csv, "
                            "nor one of these packed as .gz, .xz, .zst",
                            names, folder, (int)strcspn(names, "|"), names);
    return changes_read_base(into, relation, path);
}

/* ---- updates ---------------------------------------------------------------------------- */

/* The relation of that name, among those of each "a|b". */
static bool find_relation(const changes *in, const char *word, size_t length, uint32_t *out)
{
    for (uint32_t r = 0; in->relations[r]; r++)
        for (const char *name = in->relations[r]; *name; name += *name == '|') {
            size_t its_length = strcspn(name, "|");
            *out = r;
            if (its_length == length && memcmp(name, word, length) == 0)
                return true;
            name += its_length;
        }
    return false;
}

static weir_err *read_update(changes *into, const text_file *from, const char *line)
{
    const char *at = line, *word;
    size_t length;
    int64_t txn, rest[2];
    int rest_count = 0;
    change row = {0};
    bool several = into->relations[1] != NULL;
    bool good = text_number(&at, &txn);
    if (good && several) {
        good = text_word(&at, &word, &length);
        if (good && !find_relation(into, word, length, &row.relation))
            return text_file_error(from, "there is no relation `%.*s`", (int)length, word);
    }
    good = good && take_ends(&at, &row);
    while (good && *at && rest_count < 1 + into->weighted)
        good = text_number(&at, &rest[rest_count++]);
    if (good && rest_count == 2)
        row.weight = rest[0];
    if (!good || *at || !rest_count || row.weight < 0)
        return text_file_error(from, "expected `txn%s src dst%s diff`, not `%s`",
                               several ? " relation" : "", into->weighted ? " [weight]" : "", line);
    row.txn = (uint64_t)txn;
    row.diff = (int32_t)rest[rest_count - 1];
    if (txn < 1)
        return text_file_error(from, "transactions begin with 1, not %lld", (long long)txn);
    if (into->count > into->base_count && row.txn < into->all[into->count - 1].txn)
        return text_file_error(from, "transaction %lld comes after %llu", (long long)txn,
                               (unsigned long long)into->all[into->count - 1].txn);
    if (!row.diff || row.diff != rest[rest_count - 1])
        return text_file_error(from, "a diff is 1, -1 or the like, not %lld",
                               (long long)rest[rest_count - 1]);
    return append(into, &row, from);
}

weir_err *changes_read_updates(changes *into, const char *path)
{
    text_file from;
    weir_err *err = text_file_open(&from, path);
    for (char *line; !err && (line = text_file_line(&from));)
        err = read_update(into, &from, line);
    text_file_close(&from);
    return err;
}

void changes_fini(changes *of)
{
    free(of->all);
    of->all = NULL;
}
