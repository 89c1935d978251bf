/* The columns of the files of `weir window`: from --schema, or from the first lines. */
#include "window.h"

#include "base/alloc.h"
#include "operators/io/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- names and kinds -------------------------------------------------------------------- */

static weir_err *read_kind(const char *name, weir_kind *kind_out)
{
    for (int kind = 0; kind < WEIR_KIND_count; kind++)
        if (strcmp(name, weir_kind_name((weir_kind)kind)) == 0) {
            *kind_out = (weir_kind)kind;
            return NULL;
        }
    return weir_err_new("--schema: there is no kind `%s`; there are i8 to i64, u8 to u64, f32, "
                        "f64, bool, time_ms, time_us, text, bytes",
                        name);
}

typedef struct columns {
    weir_field_spec at[COLUMNS_MAX];
    uint32_t count;
} columns;

static weir_err *add_column(columns *to, const char *name, weir_kind kind)
{
    if (to->count == COLUMNS_MAX)
        return weir_err_new("there are more than %d columns", COLUMNS_MAX);
    to->at[to->count++] = (weir_field_spec){.name = name, .kind = kind};
    return NULL;
}

/* "ts:i64 user:text"; changes the text, of which the columns keep pieces. */
static weir_err *read_schema(columns *to, char *schema)
{
    for (char *word; (word = window_next_piece(&schema, " ,\t\n"));) {
        if (!*word)
            continue;
        char *colon = strchr(word, ':');
        weir_kind kind = WEIR_KIND_weir_text;
        if (!colon)
            return weir_err_new("--schema: `%s` has no kind; write `%s:text`", word, word);
        *colon = '\0';
        weir_err *err = read_kind(colon + 1, &kind);
        if (!err)
            err = add_column(to, word, kind);
        if (err)
            return err;
    }
    return to->count ? NULL : weir_err_new("--schema has no columns");
}

/* What a value of the first row looks like. */
static weir_kind kind_of_value(const char *value)
{
    char *end;
    const char *digits = value + (*value == '-');
    errno = 0;
    (void)strtoll(value, &end, 10);
    if (*digits >= '0' && *digits <= '9' && !*end && errno == 0)
        return WEIR_KIND_i64;
    strtod(value, &end);
    return *value && !*end && strcspn(value, "nNxX") == strlen(value) ? WEIR_KIND_f64
                                                                     : WEIR_KIND_weir_text;
}

/* ---- the first lines -------------------------------------------------------------------- */

/* A line's fields, each with a NUL behind, one after another in `text`. */
typedef struct pieces {
    char *text;
    const char *at[COLUMNS_MAX + 1];
    uint32_t count; /* COLUMNS_MAX + 1: more */
} pieces;

static pieces cut(const char *line, bool csv)
{
    pieces of = {.text = wi_alloc(strlen(line) + 1)};
    char *to = of.text;
    for (bool more = true; more && of.count <= COLUMNS_MAX;) {
        bool quoted = csv && *line == '"';
        of.at[of.count++] = to;
        line += quoted;
        for (; *line && (quoted ? *line != '"' || line[1] == '"' : *line != (csv ? ',' : '\t'));) {
            line += quoted && *line == '"';
            *to++ = *line++;
        }
        line += quoted && *line;
        *to++ = '\0';
        more = *line == (csv ? ',' : '\t');
        line += more;
    }
    return of;
}

/* Those of the first two lines; there may be fewer. */
static weir_err *read_first_lines(const char *path, bool csv, pieces lines_out[2])
{
    weir_err *err = NULL;
    weir_lines *from = weir_lines_open(path, &err);
    for (int i = 0; from && !err && i < 2; i++) {
        size_t length;
        const char *line = weir_lines_next(from, &length, &err);
        if (line && i == 0 && strncmp(line, "\xEF\xBB\xBF", 3) == 0)
            line += 3;
        if (line)
            lines_out[i] = cut(line, csv);
    }
    weir_lines_close(from);
    return err;
}

/* Names are in the first line; what kinds they are of follows from the second. */
static weir_err *read_header(columns *to, const pieces *names, const pieces *values)
{
    weir_err *err = NULL;
    for (uint32_t c = 0; c < names->count && !err; c++)
        err = add_column(to, names->at[c],
                         c < values->count ? kind_of_value(values->at[c]) : WEIR_KIND_weir_text);
    return err;
}

/* Whether the first line has all the names that --schema says. */
static bool has_names(const columns *of, const pieces *line)
{
    bool all = line->count > 0;
    for (uint32_t c = 0; c < of->count && all; c++) {
        uint32_t i = 0;
        while (i < line->count && strcmp(line->at[i], of->at[c].name) != 0)
            i++;
        all = i < line->count;
    }
    return all;
}

/* ---- all of it -------------------------------------------------------------------------- */

static weir_err *find_columns(window_plan *plan, columns *found, bool schema, pieces first[2])
{
    const char *file = plan->files.at[0];
    weir_row_format format = wi_file_format(file, plan->format);
    bool standard = strcmp(file, "-") == 0;
    if (!schema && (standard || format == WEIR_JSON))
        return weir_err_new("say by --schema what the %s are",
                            standard ? "columns of the standard input" : "members of the objects");
    if (standard || format == WEIR_JSON)
        return NULL;
    weir_err *err = read_first_lines(file, format == WEIR_CSV, first);
    if (err && schema) { /* in a cluster only who reads it needs the file */
        weir_err_free(err);
        return NULL;
    }
    plan->header = !schema || has_names(found, &first[0]);
    if (err || schema)
        return err;
    if (!first[0].count)
        return weir_err_new("`%s` is empty: it has no line with names, and no --schema is given",
                            file);
    return read_header(found, &first[0], &first[1]);
}

weir_err *window_columns_read(window_plan *plan, const window_words *words)
{
    char *schema = words->schema ? wi_strdup(words->schema) : NULL;
    pieces first[2] = {{.count = 0}, {.count = 0}};
    columns found = {.count = 0};
    weir_err *err = NULL;
    plan->format = words->json_lines ? WEIR_JSON : words->csv ? WEIR_CSV : WEIR_TSV;
    for (const char *const *file = words->files; *file && !err; file++)
        err = wi_paths_expand(&plan->files, *file);
    if (!err && schema)
        err = read_schema(&found, schema);
    if (!err)
        err = find_columns(plan, &found, schema != NULL, first);
    if (!err && plan->files.count > 1)
        err = add_column(&found, WINDOW_FILE_FIELD, WEIR_KIND_u32);
    plan->extra = schema != NULL;
    if (!err)
        plan->row = weir_type_new("row", found.at, found.count, &err);
    wi_free(first[0].text);
    wi_free(first[1].text);
    wi_free(schema);
    return err;
}

void window_columns_fini(window_plan *plan)
{
    weir_type_free(plan->row);
    wi_paths_fini(&plan->files);
}

weir_err *window_column(const window_plan *plan, const char *option, const char *name,
                        const weir_field **field_out)
{
    *field_out = weir_type_find(plan->row, name);
    if (*field_out)
        return NULL;
    char *has = weir_type_text(plan->row);
    weir_err *err = weir_err_new("--%s: there is no column `%s` in %s", option, name, has);
    free(has);
    return err;
}
