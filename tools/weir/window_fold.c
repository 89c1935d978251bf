/* The aggregates of `weir window`, as kernels. In an acc each has a slot of its own: a value, and
 * how many rows are in it. The values of `distinct` are in a set, to which the slot points. */
#include "window.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/type.h"

#include <string.h>

typedef struct slot {
    union {
        int64_t whole;
        double real;
        struct set *set;
    };
    int64_t rows;
} slot;
_Static_assert(sizeof(slot) == 8 * WINDOW_SLOT_FIELDS, "a slot is so many i64");

/* ---- sets ------------------------------------------------------------------------------- */

/* Open addressing; what has the length NOTHING is free. Long texts are the set's own. */
typedef struct set {
    weir_text *at;
    uint32_t mask, count;
} set;

#define NOTHING UINT32_MAX
enum { SET_MIN = 8 };

static weir_text *find(const set *in, const weir_text *value)
{
    uint32_t at = (uint32_t)wi_hash_text(0, value) & in->mask;
    while (in->at[at].length != NOTHING && !weir_text_equal(&in->at[at], value))
        at = (at + 1) & in->mask;
    return &in->at[at];
}

static void grow(set *of)
{
    set old = *of;
    uint32_t size = old.at ? (old.mask + 1) * 2 : SET_MIN;
    of->at = wi_alloc(size * sizeof *of->at);
    of->mask = size - 1;
    for (uint32_t i = 0; i < size; i++)
        of->at[i].length = NOTHING;
    for (uint32_t i = 0; old.at && i <= old.mask; i++)
        if (old.at[i].length != NOTHING)
            *find(of, &old.at[i]) = old.at[i];
    wi_free(old.at);
}

static void set_add(set **of, const weir_text *value)
{
    if (!*of)
        *of = WI_NEW(set);
    if (!(*of)->at || (*of)->count > (*of)->mask / 2) /* so that one is always free */
        grow(*of);
    weir_text *at = find(*of, value);
    if (at->length != NOTHING)
        return;
    *at = *value;
    if (value->length > WEIR_TEXT_INLINE) {
        char *bytes = wi_alloc(value->length);
        memcpy(bytes, value->at, value->length);
        at->at = bytes;
    }
    (*of)->count++;
}

static void set_add_all(set **of, const set *from)
{
    for (uint32_t i = 0; from && i <= from->mask; i++)
        if (from->at[i].length != NOTHING)
            set_add(of, &from->at[i]);
}

static void set_free(set *of)
{
    for (uint32_t i = 0; of && i <= of->mask; i++)
        if (of->at[i].length != NOTHING && of->at[i].length > WEIR_TEXT_INLINE)
            wi_free((void *)(uintptr_t)of->at[i].at);
    if (of)
        wi_free(of->at);
    wi_free(of);
}

/* ---- values ----------------------------------------------------------------------------- */

static int64_t whole_of(const weir_field *field, const char *row)
{
    const char *at = row + field->offset;
    return wi_kind_is_signed(field->kind) ? wi_load_signed(at, field->bytes)
                                          : (int64_t)wi_load_unsigned(at, field->bytes);
}

static double real_of(const weir_field *field, const char *row)
{
    float narrow;
    double wide;
    if (field->kind == WEIR_KIND_f32) {
        memcpy(&narrow, row + field->offset, sizeof narrow);
        return (double)narrow;
    }
    if (field->kind != WEIR_KIND_f64)
        return (double)whole_of(field, row);
    memcpy(&wide, row + field->offset, sizeof wide);
    return wide;
}

static weir_text text_of(const weir_field *field, const char *row)
{
    weir_text text;
    if (!wi_kind_is_text(field->kind))
        return weir_text_of(row + field->offset, field->bytes);
    memcpy(&text, row + field->offset, sizeof text);
    return text;
}

/* Adds a value of `rows` rows, or one of which `rows` are taken away. */
static void add(const aggregate *of, slot *to, slot value)
{
    bool takes = value.rows > 0 && (!to->rows || (of->real ? value.real < to->real
                                                           : value.whole < to->whole) ==
                                                     (of->kind == AGGREGATE_MIN));
    switch (of->kind) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (of->real)
            to->real += value.real;
        else
            to->whole = (int64_t)((uint64_t)to->whole + (uint64_t)value.whole);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        if (takes)
            to->whole = value.whole; /* all the bits */
        break;
    case AGGREGATE_COUNT:
    case AGGREGATE_DISTINCT:
        break;
    }
    to->rows += value.rows;
}

static void fold_row(const aggregate *of, slot *to, const char *row, int64_t diff)
{
    slot value = {.rows = diff};
    bool sums = of->kind == AGGREGATE_SUM || of->kind == AGGREGATE_AVG;
    if (of->kind == AGGREGATE_COUNT)
        return;
    if (of->kind == AGGREGATE_DISTINCT) {
        weir_text text = text_of(&of->field, row);
        set_add(&to->set, &text);
        return;
    }
    if (of->real)
        value.real = real_of(&of->field, row) * (sums ? (double)diff : 1);
    else
        value.whole = (int64_t)((uint64_t)whole_of(&of->field, row) * (sums ? (uint64_t)diff : 1));
    add(of, to, value);
}

/* ---- the kernels ------------------------------------------------------------------------ */

static slot *slot_of(const aggregate *of, void *acc)
{
    return (slot *)(void *)((char *)acc + of->acc_at);
}

static void fold_run(const void *in, void *const *accs, const int64_t *diffs, int64_t diff,
                     uint32_t count, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t a = 0; a < plan->aggregate_count; a++)
            fold_row(&plan->aggregates[a], slot_of(&plan->aggregates[a], accs[i]),
                     (const char *)in + i * plan->row->size, diffs ? diffs[i] : diff);
}

static void combine_run(const void *in, void *const *accs, WEIR_UNUSED const int64_t *diffs,
                        WEIR_UNUSED int64_t diff, uint32_t count, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t a = 0; a < plan->aggregate_count; a++) {
            const aggregate *of = &plan->aggregates[a];
            slot other;
            memcpy(&other, (const char *)in + i * plan->acc->size + of->acc_at, sizeof other);
            if (of->kind == AGGREGATE_DISTINCT)
                set_add_all(&slot_of(of, accs[i])->set, other.set);
            else
                add(of, slot_of(of, accs[i]), other);
        }
}

static void release(void *acc, void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        if (plan->aggregates[a].kind == AGGREGATE_DISTINCT)
            set_free(slot_of(&plan->aggregates[a], acc)->set);
}

static void finish_value(const aggregate *of, const char *acc, int64_t rows, char *value_out)
{
    slot from;
    memcpy(&from, acc + of->acc_at, sizeof from);
    int64_t whole = of->kind == AGGREGATE_COUNT      ? rows
                    : of->kind == AGGREGATE_DISTINCT ? (from.set ? (int64_t)from.set->count : 0)
                                                     : from.whole;
    memcpy(value_out, &whole, sizeof whole);
    if (of->kind != AGGREGATE_AVG)
        return;
    double mean = from.real / (double)rows;
    memcpy(value_out, &mean, sizeof mean);
}

static void finish_run(const void *in, void *out, uint32_t count, WEIR_UNUSED weir_batch *into,
                       void *arg)
{
    const window_plan *plan = arg;
    for (uint32_t i = 0; i < count; i++) {
        const char *acc = (const char *)in + i * plan->acc->size;
        char *to = (char *)out + i * plan->out->size;
        int64_t own[3]; /* start, end, rows */
        memcpy(own, acc + plan->acc_own_at, sizeof own);
        memcpy(to + plan->out_own_at, own, 2 * sizeof *own);
        for (uint32_t k = 0; k < plan->key.count; k++)
            memcpy(to + plan->out_key_at[k], acc + plan->acc_key_at[k],
                   plan->key.bytes[k] == WEIR_KEY_TEXT ? sizeof(weir_text) : plan->key.bytes[k]);
        for (uint32_t a = 0; a < plan->aggregate_count; a++)
            finish_value(&plan->aggregates[a], acc, own[2], to + plan->aggregates[a].out_at);
    }
}

void window_fold_init(window_plan *plan)
{
    plan->fold = (weir_fold_kernel){"aggregates", plan->row, plan->acc, fold_run};
    plan->combine = (weir_fold_kernel){"aggregates", plan->acc, plan->acc, combine_run};
    plan->finish = (weir_map_kernel){"aggregates", plan->acc, plan->out, finish_run};
    plan->windows.combine = &plan->combine;
    plan->windows.finish = &plan->finish;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        if (plan->aggregates[a].kind == AGGREGATE_DISTINCT)
            plan->windows.release = release;
}
