/* Compares what came out of every watched node with what the naive side says, at every time
 * of the grid: the changes at or before a time, added up, are the node's collection then. */
#include "collections.h"

#include <stdio.h>
#include <stdlib.h>

#define DIFFERENCES_MAX 12
#define POINTS_MAX 4000   /* times of a node that are compared */
#define UPDATES_MAX 20000 /* of a node with more nothing is */

typedef struct comparison {
    const test_case *of;
    const run *got;
    FILE *to;
    int differences;
} comparison;

static int compare_updates(const void *a, const void *b)
{
    const update *x = a, *y = b;
    int order = weir_time_compare(&x->time, &y->time);
    return order ? order : x->id < y->id ? -1 : x->id > y->id;
}

static void say(comparison *c, int index, const weir_time *time, const char *what, uint64_t id,
                int64_t has, int64_t wants)
{
    if (c->differences++ >= DIFFERENCES_MAX || !c->to)
        return;
    char text[WEIR_TIME_TEXT_BYTES];
    fprintf(c->to, "  node %d (%s) at %s: %s", index, kind_names[c->of->nodes[index].kind],
            weir_time_text(time, scope_dims(c->of, c->of->nodes[index].scope), text), what);
    describe_cell(cell_of(id), c->to);
    fprintf(c->to, " %lld times instead of %lld\n", (long long)has, (long long)wants);
}

/* Sorts and adds up the updates of a node. */
static void settle(comparison *c, int index, record *of, bool consolidated)
{
    if (of->count)
        qsort(of->updates, of->count, sizeof *of->updates, compare_updates);
    uint32_t count = 0;
    for (uint32_t i = 0; i < of->count;) {
        update sum = of->updates[i];
        uint32_t first = i;
        for (sum.diff = 0; i < of->count && !compare_updates(&sum, &of->updates[i]); i++)
            sum.diff += of->updates[i].diff;
        if (consolidated && (i - first > 1 || !sum.diff))
            say(c, index, &sum.time, "not consolidated: ", sum.id, i - first, 1);
        if (sum.diff)
            of->updates[count++] = sum;
    }
    of->count = count;
}

/* Brings times to the grid; returns whether all are on it. Finds out the most rounds. */
static bool to_grid(comparison *c, int index, record *of, uint64_t rounds[4])
{
    int dims = c->of->dims, all = scope_dims(c->of, c->of->nodes[index].scope);
    for (uint32_t i = 0; i < of->count; i++) {
        weir_time *time = &of->updates[i].time;
        for (int d = 0; d < 4; d++) {
            uint64_t at = d < dims ? time->at[d] / c->of->stride : time->at[d];
            uint64_t end = d < dims && d < 2 ? c->of->span[d] : d < all ? ROUNDS_MAX : 1;
            if (at >= end || (d < dims && at * c->of->stride != time->at[d])) {
                say(c, index, time, "a time without changes: ", of->updates[i].id,
                    of->updates[i].diff, 0);
                return false;
            }
            if (d >= dims && d < all && at + 2 > rounds[d])
                rounds[d] = at + 2;
        }
        for (int d = 0; d < dims; d++)
            time->at[d] /= c->of->stride;
    }
    return true;
}

static void compare_at(comparison *c, int index, const record *of, const weir_time *time)
{
    const bag *wants = naive_try(index, time->at);
    if (!wants)
        return;
    bag has = {0};
    for (uint32_t i = 0; i < of->count; i++)
        if (weir_time_le(&of->updates[i].time, time))
            bag_add(&has, of->updates[i].id, of->updates[i].diff);
    bag_settle(&has);
    uint32_t h = 0, w = 0;
    while (h < has.count || w < wants->count) {
        uint64_t a = h < has.count ? has.entries[h].id : UINT64_MAX;
        uint64_t b = w < wants->count ? wants->entries[w].id : UINT64_MAX;
        uint64_t id = a < b ? a : b;
        int64_t got = a == id ? has.entries[h++].count : 0;
        int64_t expected = b == id ? wants->entries[w++].count : 0;
        if (got != expected)
            say(c, index, time, "", id, got, expected);
    }
}

static void compare_node(comparison *c, int index)
{
    record *of = (record *)&c->got->nodes[index];
    int dims = scope_dims(c->of, c->of->nodes[index].scope);
    uint64_t ends[4] = {1, 1, 1, 1}, points = 1;
    for (int d = 0; d < dims; d++)
        ends[d] = d < c->of->dims && d < 2 ? c->of->span[d] : 2;
    kind is = c->of->nodes[index].kind;
    settle(c, index, of, is == CONSOLIDATE || is == ARRANGED);
    if (of->count > UPDATES_MAX || !to_grid(c, index, of, ends))
        return;
    for (int d = 0; d < 4; d++)
        points *= ends[d];
    uint64_t every = points / POINTS_MAX + 1; /* of many, some */
    for (uint64_t p = 0; p < points; p += every) {
        weir_time at;
        uint64_t rest = p;
        for (int d = 3; d >= 0; d--) {
            at.at[d] = rest % ends[d];
            rest /= ends[d];
        }
        compare_at(c, index, of, &at);
    }
}

/* What another dataflow has imported: from the beginning it is the same; later it begins with
 * what was there then, at a time that depends on speed, so that only the end is compared. */
static void compare_imported(comparison *c)
{
    int index = probed(c->of);
    record *of = (record *)&c->got->nodes[NODES_MAX];
    uint64_t ends[4] = {1, 1, 1, 1};
    weir_time at = {{0}};
    settle(c, index, of, false); /* what was there may come as several changes at one time */
    for (uint32_t i = 0; i < of->count && c->of->import == IMPORT_LATER; i++)
        of->updates[i].time = at; /* perhaps one after the last change: when it was imported */
    if (!to_grid(c, index, of, ends))
        return;
    if (c->of->import == IMPORT_LATER)
        at = (weir_time){{c->of->span[0] - 1, c->of->span[1] - 1}};
    for (; at.at[0] < c->of->span[0]; at.at[0]++)
        for (at.at[1] = c->of->import == IMPORT_LATER ? at.at[1] : 0; at.at[1] < c->of->span[1];
             at.at[1]++)
            compare_at(c, index, of, &at);
}

bool compare_case(const test_case *of, const run *got, void *to)
{
    comparison c = {of, got, to, 0};
    for (int n = 0; n < of->node_count && c.differences < DIFFERENCES_MAX; n++)
        if (of->nodes[n].kind != GONE && (of->watched < 0 || of->watched == n))
            compare_node(&c, n);
    if (of->import != IMPORT_NOT && c.differences == 0) {
        compare_imported(&c);
        if (c.differences && to)
            fprintf(to, "  (as it was imported)\n");
    }
    return c.differences == 0;
}
