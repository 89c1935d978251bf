/* What --agg of `weir window` says: a list of aggregates, each with a column but for `count`. */
#include "window.h"

#include "base/alloc.h"
#include "base/type.h"

#include <stdlib.h>
#include <string.h>

enum { TOP_MAX = 1000 };

static weir_err *not_taken(const char *word)
{
    return weir_err_new("--agg takes count, and sum:COLUMN, min:, max:, avg:, distinct:, "
                        "approx_distinct:, first:, last:, top3:, median:, p99:, variance: and "
                        "stddev:COLUMN, with commas between, not `%s`",
                        word);
}

/* The way of that name. What follows a name such as `top` is its number. */
static const aggregate_way *find_way(const char *name, double *number_out)
{
    for (uint32_t w = 0; w < aggregate_way_count; w++) {
        const aggregate_way *way = aggregate_ways[w];
        size_t length = strlen(way->name);
        const char *digits = name + length;
        char *end;
        if (!way->numbered && strcmp(way->name, name) == 0)
            return way;
        if (!way->numbered || strncmp(way->name, name, length) != 0 ||
            !*digits || strspn(digits, "0123456789.") != strlen(digits))
            continue;
        *number_out = strtod(digits, &end);
        if (!*end)
            return way;
    }
    return NULL;
}

static weir_err *check(const aggregate *it, const char *word, const char *column)
{
    double number = it->number;
    if (it->way == &aggregate_top && (number < 1 || number > TOP_MAX || number != (int)number))
        return weir_err_new("--agg: top takes a number from 1 to %d, as in top3:%s, not `%s`",
                            TOP_MAX, column, word);
    if (it->way == &aggregate_quantile && number > 100)
        return weir_err_new("--agg: a quantile is of 0 to 100 per cent, as in p99.9:%s, not `%s`",
                            column, word);
    bool number_column = !wi_kind_is_text(it->field.kind) && it->field.elements == 1;
    if (it->way->of == AGGREGATE_OF_NUMBERS && !number_column)
        return weir_err_new("--agg: %s of `%s`, which is no number; say by --schema what it is",
                            word, column);
    return NULL;
}

/* "sum:bytes" */
static weir_err *read_one(const window_plan *plan, char *word, const weir_field *time,
                          aggregate *out)
{
    const weir_field *file = weir_type_find(plan->row, WINDOW_FILE_FIELD);
    *out = (aggregate){.name = wi_strdup(word),
                       .time_at = time->offset,
                       .file_at = file ? file->offset : UINT32_MAX};
    out->name[strcspn(word, ":")] = strchr(word, ':') ? '_' : '\0';
    char *way = window_next_piece(&word, ":");
    out->way = find_way(way, &out->number);
    if (!out->way || (out->way->of == AGGREGATE_OF_ROWS) != !word)
        return not_taken(way);
    if (!word)
        return NULL;
    const weir_field *field;
    weir_err *err = window_column(plan, "agg", word, &field);
    if (err)
        return err;
    out->field = *field;
    out->real = field->kind == WEIR_KIND_f32 || field->kind == WEIR_KIND_f64;
    return check(out, way, word);
}

weir_err *window_aggregates_read(window_plan *plan, const char *list, const weir_field *time)
{
    char *words = wi_strdup(list ? list : "count"), *rest = words;
    weir_err *err = NULL;
    for (char *word; !err && (word = window_next_piece(&rest, ","));) {
        if (plan->aggregate_count == AGGREGATES_MAX)
            err = weir_err_new("--agg: more than %d", AGGREGATES_MAX);
        else
            err = read_one(plan, word, time, &plan->aggregates[plan->aggregate_count++]);
    }
    wi_free(words);
    return err;
}
