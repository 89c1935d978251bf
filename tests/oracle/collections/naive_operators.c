/* What an operator makes of whole collections: the plainest loops there are. */
#include "naive.h"

#include <stdlib.h>

#define COUNT_MAX (1 << 24) /* of a row that is joined */

static void emit(bag *to, cell of, int64_t count)
{
    bag_add(to, cell_id(of), count);
}

static bool same_key(cell a, cell b, part by)
{
    return by == BY_NOTHING || ((by == BY_V || a.k == b.k) && (by == BY_K || a.v == b.v));
}

/* ---- row by row ------------------------------------------------------------------------- */

void naive_row_by_row(const node *how, const bag *in, bag *out)
{
    const params *with = &how->with;
    for (uint32_t i = 0; i < in->count; i++) {
        cell c = cell_of(in->entries[i].id);
        int64_t count = in->entries[i].count;
        switch (how->kind) {
        case MAP:
            emit(out, mapped(c, with), count);
            break;
        case FILTER:
            if (kept(c, with))
                emit(out, c, count);
            break;
        case FLAT_MAP:
            for (int64_t copy = 0; copy < copies(c, with); copy++)
                emit(out, copied(c, copy, with), count);
            break;
        case FILTER_MAP:
            if (kept(c, with))
                emit(out, mapped(c, with), count);
            break;
        case NEGATE:
            emit(out, c, -count);
            break;
        case THRESHOLD:
            emit(out, c, thresholded(count, with));
            break;
        case DISTINCT:
            emit(out, c, count > 0 ? 1 : 0);
            break;
        default:
            emit(out, c, count);
        }
    }
}

/* ---- joins ------------------------------------------------------------------------------ */

/* Of keys, too, more may have been taken than given: they are not there then. */
static bool has_partner(cell c, const bag *in, part by)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < in->count; i++)
        if (same_key(c, cell_of(in->entries[i].id), by))
            count += in->entries[i].count;
    return count > 0;
}

static void rows_without(const node *how, const bag *a, const bag *b, bag *out,
                         cell (*made)(cell c, const params *with))
{
    for (uint32_t i = 0; i < a->count; i++) {
        cell c = cell_of(a->entries[i].id);
        if (!has_partner(c, b, how->key))
            emit(out, made(c, &how->with), a->entries[i].count);
    }
}

/* Counts whose products could add up to more than 64 bits have no meaning. */
static void need_small(const bag *in)
{
    for (uint32_t i = 0; i < in->count; i++)
        if (in->entries[i].count > COUNT_MAX || in->entries[i].count < -COUNT_MAX)
            naive_refuse();
}

static void pairs(const node *how, const bag *a, const bag *b, bag *out)
{
    need_small(a);
    need_small(b);
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t j = 0; j < b->count; j++) {
            cell x = cell_of(a->entries[i].id), y = cell_of(b->entries[j].id);
            if (same_key(x, y, how->key) && (how->kind != JOIN_SOME || joins(x, y, &how->with)))
                emit(out, joined(x, y, &how->with), a->entries[i].count * b->entries[j].count);
        }
}

void naive_join(const node *how, const bag *a, const bag *b, bag *out)
{
    switch (how->kind) {
    case SEMIJOIN:
    case ANTIJOIN:
        for (uint32_t i = 0; i < a->count; i++)
            if (has_partner(cell_of(a->entries[i].id), b, how->key) == (how->kind == SEMIJOIN))
                bag_add(out, a->entries[i].id, a->entries[i].count);
        return;
    case FULL_JOIN:
        rows_without(how, b, a, out, b_alone);
        __attribute__((fallthrough));
    case LEFT_JOIN:
        rows_without(how, a, b, out, alone);
        __attribute__((fallthrough));
    default:
        pairs(how, a, b, out);
    }
}

/* ---- groups ----------------------------------------------------------------------------- */

/* The node by which compare_rows sorts. */
static _Thread_local const node *sorting;

static int compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* In the order's fields only. */
static int compare_order(cell a, cell b, const node *how)
{
    int first = how->order == BY_WV ? compare_numbers(a.w, b.w) : compare_numbers(a.v, b.v);
    int second = how->order == BY_WV ? compare_numbers(a.v, b.v) : 0;
    if (first)
        return how->descending & 1 ? -first : first;
    return how->descending & 2 ? -second : second;
}

static int compare_rows(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare_order(cell_of(x->id), cell_of(y->id), sorting);
    return order ? order : compare_numbers((int64_t)x->id, (int64_t)y->id);
}

/* By row number, the rows (each as often as it is there) that have places after `offset`, up
 * to `limit` of them. By rank, those of which so many are before them in the order's fields. */
static void take(const node *how, weir_top top, const bag *group, bag *out)
{
    uint64_t place = 0, end = top.offset + top.limit, rank = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const entry *at = &group->entries[i];
        uint64_t from = place > top.offset ? place : top.offset;
        uint64_t until = place + (uint64_t)at->count;
        if (!i || compare_order(cell_of(at->id), cell_of(group->entries[i - 1].id), how))
            rank = place;
        place = until;
        if (top.ties == WEIR_TIES_RANK && rank >= top.offset && rank < end)
            bag_add(out, at->id, at->count);
        if (until > end)
            until = end;
        if (top.ties == WEIR_TIES_ROW && until > from)
            bag_add(out, at->id, (int64_t)(until - from));
    }
}

/* The row that has a place: from 1. */
static cell row_at(const bag *group, int64_t place)
{
    uint32_t i = 0;
    for (; i + 1 < group->count && place > group->entries[i].count; i++)
        place -= group->entries[i].count;
    return cell_of(group->entries[i].id);
}

static void prefix_sums(const node *how, const bag *group, bag *out)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        cell c = cell_of(group->entries[i].id);
        sum += c.v * group->entries[i].count;
        emit(out, fit(c.k, c.v, sum, &how->with), group->entries[i].count);
    }
}

static void reduce_group(const node *how, const bag *group, bag *out)
{
    cell first = cell_of(group->entries[0].id);
    cell *rows = naive_memory(2 * (group->count + 2) * sizeof *rows);
    cell *made = rows + group->count + 2;
    int64_t *counts = naive_memory(2 * (group->count + 2) * sizeof *counts);
    int64_t *diffs = counts + group->count + 2;
    for (uint32_t i = 0; i < group->count; i++) {
        rows[i] = cell_of(group->entries[i].id);
        counts[i] = group->entries[i].count;
    }
    uint32_t pushes = reduced(rows, counts, group->count, &how->with, made, diffs);
    for (uint32_t i = 0; i < pushes; i++) {
        if (how->key != BY_NOTHING)
            made[i].k = first.k;
        if (how->key == BY_KV)
            made[i].v = first.v;
        emit(out, made[i], diffs[i]);
    }
}

static void counted_group(const node *how, cell first, int64_t count, bag *out)
{
    cell made = how->key == BY_V         ? fit(count, first.v, 0, &how->with)
                : how->key == BY_KV      ? fit(first.k, first.v, count, &how->with)
                : how->key == BY_NOTHING ? fit(0, count, 0, &how->with)
                                         : fit(first.k, count, 0, &how->with);
    emit(out, made, 1);
}

/* What is looked at where rows are picked: those that are there at least once; of the others only
 * fields of the result, if that has no more. */
static void keep_positive(const node *how, bag *group)
{
    bool cut = how->kind == QUANTILE ||
               ((how->kind == MIN || how->kind == MAX) && how->order == BY_V);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        entry one = group->entries[i];
        cell c = cell_of(one.id);
        c.w = cut ? 0 : c.w;
        one.id = cell_id(c);
        uint32_t at = 0;
        while (at < kept && group->entries[at].id != one.id)
            at++;
        if (at < kept)
            group->entries[at].count += one.count;
        else
            group->entries[kept++] = one;
    }
    group->count = 0;
    for (uint32_t i = 0; i < kept; i++)
        if (group->entries[i].count > 0)
            group->entries[group->count++] = group->entries[i];
}

static void one_group(const node *how, bag *group, bag *out)
{
    const params *with = &how->with;
    cell first = cell_of(group->entries[0].id);
    int64_t count = 0, sum = 0, place;
    for (uint32_t i = 0; i < group->count; i++) {
        count += group->entries[i].count;
        sum += group->entries[i].count * cell_of(group->entries[i].id).v;
    }
    if (how->kind == REDUCE) {
        reduce_group(how, group, out);
        return;
    }
    if (how->kind == COUNT || how->kind == SUM || how->kind == AVG) {
        if (!count) /* as many rows taken away as given */
            return;
        if (how->kind == COUNT)
            counted_group(how, first, count, out);
        else if (how->kind == SUM)
            emit(out, fit(first.k, sum, 0, with), 1);
        else
            emit(out, fit(first.k, mean_class((double)sum / (double)count), 0, with), 1);
        return;
    }
    if (how->kind != PREFIX_SUM)
        keep_positive(how, group);
    if (!group->count)
        return;
    count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        count += group->entries[i].count;
    sorting = how;
    qsort(group->entries, group->count, sizeof *group->entries, compare_rows);
    cell c = cell_of(group->entries[0].id);
    switch (how->kind) {
    case MAX:
    case LAST:
        c = cell_of(group->entries[group->count - 1].id);
        __attribute__((fallthrough));
    case MIN:
    case FIRST:
        if ((how->kind == MIN || how->kind == MAX) && how->order == BY_V)
            c.w = 0;
        emit(out, c, 1);
        return;
    case QUANTILE:
        place = (int64_t)ceil(how->share * (double)count - 1e-9);
        c = row_at(group, place < 1 ? 1 : place);
        emit(out, fit(c.k, c.v, 0, with), 1);
        return;
    case TOP:
        take(how, how->top, group, out);
        return;
    default:
        prefix_sums(how, group, out);
    }
}

void naive_group(const node *how, const bag *in, bag *out)
{
    bool *seen = naive_memory(in->count + 1);
    entry *entries = naive_memory((in->count + 1) * sizeof *entries);
    for (uint32_t i = 0; i < in->count; i++)
        seen[i] = false;
    for (uint32_t i = 0; i < in->count; i++) {
        bag group = {entries, 0, in->count + 1};
        for (uint32_t j = i; j < in->count; j++) {
            if (seen[j] ||
                !same_key(cell_of(in->entries[i].id), cell_of(in->entries[j].id), how->key))
                continue;
            seen[j] = true;
            group.entries[group.count++] = in->entries[j];
        }
        if (group.count)
            one_group(how, &group, out);
    }
}
