/* The columns of the files of `weir window`: from --schema, or from the first rows. */
#include "window.h"

#include "base/alloc.h"
#include "operators/io/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* What a value looks like. */
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

/* ---- the first rows --------------------------------------------------------------------- */

/* A row's fields, each with a NUL behind, one after another in `text`. */
typedef struct pieces {
    char *text;
    const char *at[COLUMNS_MAX + 1];
    uint32_t count; /* COLUMNS_MAX + 1: more */
} pieces;

static pieces cut(const char *at, size_t length, bool csv)
{
    char separator = csv ? ',' : '\t';
    pieces of = {.text = wi_alloc(length + 1)};
    char *to = of.text;
    const char *end = at + length;
    end -= at < end && end[-1] == '\n';
    end -= at < end && end[-1] == '\r';
    for (bool more = true; more && of.count <= COLUMNS_MAX;) {
        bool quoted = csv && at < end && *at == '"';
        of.at[of.count++] = to;
        for (at += quoted; at < end && (quoted || *at != separator); at++) {
            if (quoted && *at == '"') {
                quoted = at + 1 < end && at[1] == '"';
                at += quoted;
                if (!quoted)
                    continue;
            }
            *to++ = *at;
        }
        *to++ = '\0';
        more = at < end && *at == separator;
        at += more;
    }
    return of;
}

/* Named limit: how much of a file is looked at. */
#define HEAD_BYTES_MAX ((size_t)1 << 20)

/* How a file begins. */
typedef struct head {
    wi_file *from;
    char *text;
    size_t length, at; /* at: of the next row */
    bool ended;
} head;

static weir_err *read_more(head *of)
{
    weir_err *err = NULL;
    size_t room = HEAD_BYTES_MAX - of->length, got = 0;
    if (!of->text)
        of->text = wi_alloc(HEAD_BYTES_MAX);
    if (room)
        wi_file_read(of->from, of->text + of->length, room, true, &got, &err);
    of->length += got;
    of->ended = got == 0;
    return err;
}

/* Where the row ends, newlines in its quotes apart; 0: not in what has been read. */
static size_t row_end(const head *of, bool csv)
{
    bool quoted = false, begins = true, closed = false;
    for (size_t i = of->at; i < of->length; i++) {
        char c = of->text[i];
        if (c == '\n' && !quoted)
            return i + 1;
        bool was = quoted;
        quoted = csv && (quoted ? c != '"' : c == '"' && (begins || closed));
        closed = was && !quoted;
        begins = c == ',';
    }
    return 0;
}

/* The next row; false: there is none. One whose quotes do not end is its first line. */
static bool next_row(head *of, bool csv, pieces *row_out, weir_err **err_out)
{
    size_t end = 0;
    while (!*err_out && !(end = row_end(of, csv)) && !of->ended)
        *err_out = read_more(of);
    if (*err_out || of->at == of->length)
        return false;
    if (!end)
        end = row_end(of, false);
    if (!end)
        end = of->length;
    if (of->at == 0 && end >= 3 && memcmp(of->text, "\xEF\xBB\xBF", 3) == 0)
        of->at = 3;
    *row_out = cut(of->text + of->at, end - of->at, csv);
    of->at = end;
    return true;
}

/* The first row, and, with values, the next that has as many fields; without them there are no
 * fields. */
static weir_err *read_first_rows(const char *path, bool csv, bool with_values, pieces *names_out,
                                 pieces *values_out)
{
    weir_err *err = NULL;
    head of = {.from = wi_file_look(path, &err)};
    bool more = of.from && next_row(&of, csv, names_out, &err) && with_values;
    while (more && (more = next_row(&of, csv, values_out, &err))) {
        if (values_out->count == names_out->count)
            break;
        wi_free(values_out->text);
        *values_out = (pieces){.count = 0};
    }
    wi_file_put_back(of.from);
    wi_free(of.text);
    return err;
}

/* Names, and values beneath them: a row's, if there is one. */
typedef struct first_rows {
    pieces names, values;
} first_rows;

static void first_rows_fini(first_rows *rows)
{
    wi_free(rows->names.text);
    wi_free(rows->values.text);
    *rows = (first_rows){0};
}

/* What the value beneath that name looks like. Where there are no rows it could be anything. */
static weir_kind kind_of_column(const first_rows *rows, const char *name)
{
    for (uint32_t c = 0; c < rows->values.count; c++)
        if (strcmp(rows->names.at[c], name) == 0)
            return kind_of_value(rows->values.at[c]);
    return rows->values.count ? WEIR_KIND_weir_text : WEIR_KIND_i64;
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

/* Whether it can be read once only. */
static bool is_pipe(const char *file)
{
    struct stat facts;
    return wi_file_is_own(file) ||
           (stat(file, &facts) == 0 && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode));
}

/* Whether this process may look at how the file begins. In a cluster, the first one reads the
 * standard input, and who reads another pipe is open. */
static bool may_look(const window_words *words, const char *file)
{
    return !words->shared || !is_pipe(file) || (words->first && wi_file_is_own(file));
}

/* The names are those of the first file; what kinds they are of says the first file with a row. */
static weir_err *read_header(const window_plan *plan, const window_words *words, columns *to,
                             const first_rows *first)
{
    first_rows found = {.values.count = 0};
    const first_rows *rows = first;
    weir_err *err = NULL;
    for (uint32_t f = 1; f < plan->files.count && !rows->values.count; f++) {
        const char *file = plan->files.at[f];
        weir_row_format format = wi_file_format(file, plan->format);
        first_rows_fini(&found);
        if (format != WEIR_JSON && may_look(words, file))
            weir_err_free(read_first_rows(file, format == WEIR_CSV, true, &found.names,
                                          &found.values)); /* who reads it says what is wrong */
        rows = &found;
    }
    for (uint32_t c = 0; c < first->names.count && !err; c++)
        err = add_column(to, first->names.at[c], kind_of_column(rows, first->names.at[c]));
    first_rows_fini(&found);
    return err;
}

static weir_err *find_columns(window_plan *plan, const window_words *words, columns *found,
                              first_rows *first)
{
    const char *file = plan->files.at[0], *schema = words->schema;
    weir_row_format format = wi_file_format(file, plan->format);
    if (!schema && format == WEIR_JSON)
        return weir_err_new("say by --schema what the members of the objects are");
    if (!schema && words->shared && is_pipe(file))
        return weir_err_new("say by --schema what the columns of `%s` are: only one process reads "
                            "it, and all have to know", file);
    if (format == WEIR_JSON || !may_look(words, file))
        return NULL;
    weir_err *err =
        read_first_rows(file, format == WEIR_CSV, !schema, &first->names, &first->values);
    if (err && schema) { /* in a cluster only who reads it needs the file */
        weir_err_free(err);
        return NULL;
    }
    plan->header = !schema || has_names(found, &first->names);
    if (err || schema)
        return err;
    if (!first->names.count)
        return weir_err_new("`%s` is empty: it has no line with names, and no --schema is given",
                            file);
    return read_header(plan, words, found, first);
}

weir_err *window_columns_read(window_plan *plan, const window_words *words)
{
    char *schema = words->schema ? wi_strdup(words->schema) : NULL;
    first_rows first = {.values.count = 0};
    columns found = {.count = 0};
    weir_err *err = NULL;
    plan->format = words->json_lines ? WEIR_JSON : words->csv ? WEIR_CSV : WEIR_TSV;
    for (const char *const *file = words->files; *file && !err; file++)
        err = wi_paths_expand(&plan->files, *file);
    if (!err && schema)
        err = read_schema(&found, schema);
    if (!err)
        err = find_columns(plan, words, &found, &first);
    if (!err && plan->files.count > 1)
        err = add_column(&found, WINDOW_FILE_FIELD, WEIR_KIND_u32);
    plan->extra = schema != NULL;
    if (!err)
        plan->row = weir_type_new("row", found.at, found.count, &err);
    first_rows_fini(&first);
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
