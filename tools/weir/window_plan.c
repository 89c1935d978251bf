/* What the words of `weir window` mean: columns and their kinds, windows, aggregates, and the types
 * of rows, accs and results that follow. */
#include "window.h"

#include "base/alloc.h"
#include "base/type.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much faster than it happened. */
#define SPEED_MIN 1e-6
#define SPEED_MAX 1e12
/* Named limit: windows that a row is in. */
#define OVERLAP_MAX 1000000

/* ---- words ------------------------------------------------------------------------------ */

char *window_next_piece(char **at, const char *separators)
{
    char *piece = *at;
    if (!piece)
        return NULL;
    size_t length = strcspn(piece, separators);
    *at = piece[length] ? piece + length + 1 : NULL;
    piece[length] = '\0';
    return piece;
}

/* A duration in the unit of the time column: 90, or 90s, 15m, 1h, 7d, 2w, 500ms, ... */
static weir_err *read_duration(const char *option, const char *text, int64_t unit_ns,
                               int64_t *duration_out)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"ms", 1000000},
                 {"s", 1000000000},
                 {"m", 60 * INT64_C(1000000000)},
                 {"h", 3600 * INT64_C(1000000000)},
                 {"d", 86400 * INT64_C(1000000000)},
                 {"w", 604800 * INT64_C(1000000000)}};
    int64_t number = 0, of_ns = unit_ns;
    const char *at = text;
    bool fits = true;
    for (; isdigit((unsigned char)*at); at++)
        fits &= !__builtin_mul_overflow(number, 10, &number) &&
                !__builtin_add_overflow(number, *at - '0', &number);
    bool known = at > text && !*at;
    for (size_t u = 0; at > text && u < sizeof units / sizeof *units; u++)
        if (strcmp(at, units[u].name) == 0) {
            known = true;
            of_ns = units[u].ns;
        }
    if (!known || !fits)
        return weir_err_new("--%s takes a duration such as 3600, 90s, 1h or 7d, not `%s`", option,
                            text);
    __int128 all = (__int128)number * of_ns;
    if (all / unit_ns > INT64_MAX)
        return weir_err_new("--%s: %s is more than the time column has room for", option, text);
    if (all % unit_ns != 0)
        return weir_err_new("--%s: %s is no whole number of the time column's unit; see --unit",
                            option, text);
    *duration_out = (int64_t)(all / unit_ns);
    return NULL;
}

static weir_err *read_unit(const char *name, weir_kind kind, int64_t *unit_ns_out)
{
    static const char *const names[] = {"ns", "us", "ms", "s"};
    if (!name)
        name = kind == WEIR_KIND_weir_time_ms ? "ms" : kind == WEIR_KIND_weir_time_us ? "us" : "s";
    int64_t ns = 1;
    for (size_t u = 0; u < sizeof names / sizeof *names; u++, ns *= 1000)
        if (strcmp(name, names[u]) == 0) {
            *unit_ns_out = ns;
            return NULL;
        }
    return weir_err_new("--unit takes ns, us, ms or s, not `%s`", name);
}

/* ---- types ------------------------------------------------------------------------------ */

enum { FIELD_NAME_MAX = 80 };

typedef struct layout {
    weir_field_spec at[WEIR_KEY_FIELDS_MAX + 3 + SLOT_FIELDS_MAX * AGGREGATES_MAX];
    char names[WEIR_KEY_FIELDS_MAX + 3 + SLOT_FIELDS_MAX * AGGREGATES_MAX][FIELD_NAME_MAX];
    uint32_t count;
} layout;

static bool has_name(const layout *of, const char *name)
{
    for (uint32_t f = 0; f < of->count; f++)
        if (strcmp(of->names[f], name) == 0)
            return true;
    return false;
}

/* Gives the index of the field. A name that is there already gets a number behind it. */
static uint32_t add_field(layout *to, const char *name, weir_kind kind)
{
    char *own = to->names[to->count];
    snprintf(own, FIELD_NAME_MAX, "%s", name);
    for (uint32_t n = 2; has_name(to, own); n++)
        snprintf(own, FIELD_NAME_MAX, "%.*s_%u", FIELD_NAME_MAX - 16, name, n);
    to->at[to->count] = (weir_field_spec){.name = own, .kind = kind};
    return to->count++;
}

static const weir_field *field_at(const window_plan *plan, uint32_t offset)
{
    const weir_field *field = weir_type_fields(plan->row);
    while (field->offset != offset)
        field++;
    return field;
}
/* key..., start, end, rows, a slot for each aggregate. */
static weir_err *make_acc_type(window_plan *plan, weir_kind time)
{
    layout acc = {.count = 0};
    weir_err *err = NULL;
    uint32_t slots[AGGREGATES_MAX];
    for (uint32_t k = 0; k < plan->key.count; k++)
        add_field(&acc, "key", field_at(plan, plan->key.offsets[k])->kind);
    uint32_t own = add_field(&acc, "start", time);
    add_field(&acc, "end", time);
    add_field(&acc, "rows", WEIR_KIND_i64);
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        const aggregate *of = &plan->aggregates[a];
        slots[a] = acc.count;
        for (uint32_t f = 0; f < of->way->slot_fields; f++)
            add_field(&acc, "slot",
                      of->way->slot[f] == WEIR_KIND_count ? of->field.kind : of->way->slot[f]);
    }
    plan->acc = weir_type_new("acc", acc.at, acc.count, &err);
    if (err)
        return err;
    const weir_field *fields = weir_type_fields(plan->acc);
    for (uint32_t k = 0; k < plan->key.count; k++)
        plan->acc_key_at[k] = fields[k].offset;
    plan->acc_own_at = fields[own].offset;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        if (plan->aggregates[a].way->slot_fields)
            plan->aggregates[a].acc_at = fields[slots[a]].offset;
    return NULL;
}

static weir_kind result_kind(const aggregate *of)
{
    if (of->way->result != WEIR_KIND_count)
        return of->way->result;
    if (of->way->of == AGGREGATE_OF_ANY)
        return of->field.kind;
    return of->real ? WEIR_KIND_f64 : WEIR_KIND_i64;
}

/* start, end, key..., values: in this order results are sorted and printed. */
static weir_err *make_out_type(window_plan *plan, weir_kind time)
{
    layout out = {.count = 0};
    weir_err *err = NULL;
    add_field(&out, "start", time);
    add_field(&out, "end", time);
    for (uint32_t k = 0; k < plan->key.count; k++) {
        const weir_field *field = field_at(plan, plan->key.offsets[k]);
        add_field(&out, field->name, field->kind);
    }
    uint32_t values = out.count;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        add_field(&out, plan->aggregates[a].name, result_kind(&plan->aggregates[a]));
    plan->out = weir_type_new("result", out.at, out.count, &err);
    if (err)
        return err;
    const weir_field *fields = weir_type_fields(plan->out);
    plan->out_own_at = fields[0].offset;
    for (uint32_t k = 0; k < plan->key.count; k++)
        plan->out_key_at[k] = fields[2 + k].offset;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        plan->aggregates[a].out_at = fields[values + a].offset;
    return NULL;
}

/* ---- all of it -------------------------------------------------------------------------- */

/* A number of rows. */
static weir_err *read_rows(const char *text, int64_t *rows_out)
{
    char *end;
    errno = 0;
    *rows_out = strtoll(text, &end, 10);
    if (isdigit((unsigned char)*text) && !*end && !errno && *rows_out > 0)
        return NULL;
    return weir_err_new("--count takes a number of rows such as 100, or 100/10, not `%s`", text);
}

/* "7d/1d": a size, and a slide, which --hop has to have. */
static weir_err *read_slides(weir_windows *how, const char *text, int64_t unit_ns)
{
    char *size = wi_strdup(text), *slide = size;
    window_next_piece(&slide, "/:");
    weir_err *err = how->kind == WEIR_COUNT ? read_rows(size, &how->size)
                    : slide                 ? read_duration("hop", size, unit_ns, &how->size)
                                            : weir_err_new("--hop takes SIZE/SLIDE such as 7d/1d, "
                                                           "not `%s`", text);
    if (!err && slide)
        err = how->kind == WEIR_COUNT ? read_rows(slide, &how->slide)
                                      : read_duration("hop", slide, unit_ns, &how->slide);
    wi_free(size);
    return err;
}

static weir_err *check_sizes(const weir_windows *how)
{
    bool hops = how->kind == WEIR_HOPPING;
    if ((how->kind == WEIR_TUMBLING || hops) && how->size == 0)
        return weir_err_new("--%s: windows have a size above 0", hops ? "hop" : "tumble");
    if (how->kind == WEIR_SESSION && how->gap == 0)
        return weir_err_new("--session takes a gap above 0");
    if (how->slide > how->size || (hops && how->slide == 0))
        return weir_err_new("--%s: the slide is above 0, and no more than the size",
                            hops ? "hop" : "count");
    if (how->slide && how->size / how->slide > OVERLAP_MAX)
        return weir_err_new("--%s: each row would be in %lld windows; let it be %d at most, by a "
                            "longer slide", hops ? "hop" : "count",
                            (long long)(how->size / how->slide), OVERLAP_MAX);
    return NULL;
}

static weir_err *read_windows(window_plan *plan, const window_words *words, int64_t unit_ns)
{
    weir_windows *how = &plan->windows;
    weir_err *err = NULL;
    if (!words->tumble + !words->hop + !words->session + !words->count + !words->global != 4)
        return weir_err_new("say one of --tumble, --hop, --session, --count and --global");
    how->kind = words->tumble    ? WEIR_TUMBLING
                : words->hop     ? WEIR_HOPPING
                : words->session ? WEIR_SESSION
                : words->count   ? WEIR_COUNT
                                 : WEIR_GLOBAL;
    if (words->tumble)
        err = read_duration("tumble", words->tumble, unit_ns, &how->size);
    if (words->session)
        err = read_duration("session", words->session, unit_ns, &how->gap);
    if (words->hop || words->count)
        err = read_slides(how, words->hop ? words->hop : words->count, unit_ns);
    if (!err)
        err = check_sizes(how);
    if (!err && words->bound)
        err = read_duration("bound", words->bound, unit_ns, &plan->policy.bound);
    if (!err && words->lateness && words->count)
        err = weir_err_new("--lateness is not for windows of a number of rows: no row is late");
    if (!err && words->lateness)
        err = read_duration("lateness", words->lateness, unit_ns, &how->lateness);
    how->output = how->lateness ? WEIR_RETRACTING : WEIR_ACCUMULATING;
    plan->as_they_close = !how->lateness && how->kind != WEIR_SESSION && how->kind != WEIR_COUNT;
    return err;
}

/* "60x", or "60". */
static weir_err *read_speed(const char *text, double *speed_out)
{
    char *end;
    double speed = strtod(text, &end);
    end += end > text && *end == 'x';
    if (end == text || *end || !(speed >= SPEED_MIN && speed <= SPEED_MAX))
        return weir_err_new("--speed takes how many times as fast as it happened, such as 60x, "
                            "1x or 0.5x, not `%s`", text);
    *speed_out = speed;
    return NULL;
}

static weir_err *read_key(window_plan *plan, const char *list)
{
    const char *names[WEIR_KEY_FIELDS_MAX + 1];
    uint32_t count = 0;
    char *words = list ? wi_strdup(list) : NULL, *rest = words;
    weir_err *err = NULL;
    for (char *word; count <= WEIR_KEY_FIELDS_MAX && (word = window_next_piece(&rest, ","));)
        names[count++] = word;
    plan->key = weir_key_new(plan->row, names, count, &err);
    wi_free(words);
    return err;
}

weir_err *window_plan_init(window_plan *out, const window_words *words)
{
    *out = (window_plan){0};
    const weir_field *time = NULL;
    int64_t unit_ns = 1;
    if (!words->time)
        return weir_err_new("say by --time which column has the event time");
    weir_err *err = window_columns_read(out, words);
    if (!err)
        err = window_column(out, "time", words->time, &time);
    if (!err)
        err = read_unit(words->unit, time->kind, &unit_ns);
    if (!err)
        err = read_windows(out, words, unit_ns);
    if (!err && words->speed)
        err = read_speed(words->speed, &out->pacing.speed);
    if (!err)
        err = read_key(out, words->key);
    if (!err)
        err = window_aggregates_read(out, words->aggregates, time);
    if (!err && (time->bytes != 8 || !wi_kind_is_signed(time->kind)))
        err = weir_err_new("--time: `%s` is to be i64, time_ms or time_us; say by --schema what "
                           "it is", words->time);
    if (!err)
        err = make_acc_type(out, time->kind);
    if (!err)
        err = make_out_type(out, time->kind);
    out->windows.time = out->policy.time = out->pacing.time = words->time;
    out->pacing.unit_ns = (uint64_t)unit_ns;
    if (!err)
        window_fold_init(out);
    if (!err)
        window_read_init(out);
    return err;
}

void window_plan_fini(window_plan *plan)
{
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        wi_free(plan->aggregates[a].name);
    window_columns_fini(plan);
    weir_type_free(plan->acc);
    weir_type_free(plan->out);
}
