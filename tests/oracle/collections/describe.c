/* A case as text that a person can read, and run in the head. */
#include "collections.h"

#include <stdio.h>

#define KIND_TEXT(kind, name) name,
const char *const kind_names[KIND_COUNT] = {KINDS(KIND_TEXT)};
#undef KIND_TEXT

const shape *const shapes[SHAPES] = {&shape_pair, &shape_small, &shape_node,
                                     &shape_text, &shape_wide,  &shape_string};

void describe_cell(cell of, void *to)
{
    fprintf(to, "(%d,%d,%d)", of.k, of.v, of.w);
}

static const char *part_name(part of)
{
    static const char *const names[] = {"k", "v", "k,v", "w,v", "nothing"};
    return names[of];
}

static void describe_node(const test_case *of, int index, FILE *to)
{
    const node *n = &of->nodes[index];
    kind is = n->kind;
    fprintf(to, "  %*s%d = %s(", n->scope ? scope_dims(of, n->scope) * 2 : 0, "", index,
            kind_names[is]);
    for (int i = 0; i < 3 && n->from[i] >= 0; i++)
        fprintf(to, "%s%s%d", i ? ", " : "", i && is == VARIABLE ? "next " : "", n->from[i]);
    fprintf(to, ")");
    if (n->scope)
        fprintf(to, " in loop %d", n->scope);
    if ((is >= JOIN && is <= DELTA_THREE) || is == REDUCE || is == COUNT || is == TOP ||
        is == FIRST || is == LAST || is == ARRANGED)
        fprintf(to, " key %s", part_name(n->key));
    if ((is >= MIN && is <= MAX) || is == TOP || is == FIRST || is == LAST || is == PREFIX_SUM ||
        is == UPSERT)
        fprintf(to, " order %s descending %u", part_name(n->order), n->descending);
    if (is == TOP)
        fprintf(to, " limit %llu offset %llu ties %s", (unsigned long long)n->top.limit,
                (unsigned long long)n->top.offset, n->top.ties ? "rank" : "row");
    if (is == AS_OF || is == DELAY)
        fprintf(to, " at %llu", (unsigned long long)n->at);
    if (is == AS_OF || is == VALID)
        fprintf(to, " dimension %d", n->dim);
    if (is == QUANTILE)
        fprintf(to, " share %g", n->share);
    if (is == VARIABLE && n->replace)
        fprintf(to, " replaced");
    if (is == HALF_JOIN)
        fprintf(to, " %s", n->up_to ? "up to" : "before");
    if (is != INPUT && is != ENTER && is != LEAVE)
        fprintf(to, "    [mode %d, %d, %d]", n->with.mode, n->with.a, n->with.b);
    fprintf(to, "%s\n", of->watched == index ? "    <- watched" : "");
}

void describe_case(const test_case *of, void *to)
{
    domain in = of->nodes[0].with.in;
    fprintf(to,
            "rows `%s` of cells (k,v,w) in [0,%d) [-%d,%d) [0,%d); %d root dimensions, spans %llu "
            "and %llu, coordinates times %llu\n",
            shapes[of->shape]->name, in.k, in.v, in.v, in.w, of->dims,
            (unsigned long long)of->span[0], (unsigned long long)of->span[1],
            (unsigned long long)of->stride);
    fprintf(to, "%u workers%s, seed %llu, %s, flush 1/%u, step 1/%u%s\n", of->workers,
            of->deterministic ? " (deterministic)" : "", (unsigned long long)of->seed,
            of->drive == DRIVE_STEP ? "epoch by epoch" : "inputs at their own speed", of->flush_in,
            of->step_in, of->columns ? ", rows out of order" : "");
    if (of->import != IMPORT_NOT)
        fprintf(to, "  node %d is published, and imported %s\n", probed(of),
                of->import == IMPORT_ALL ? "before anything changes" : "later");
    if (of->repeats)
        fprintf(to, "  each change is taken back and made again %u times\n", of->repeats);
    for (int l = 0; l < of->loop_count; l++)
        if (of->loops[l].rounds)
            fprintf(to, "  loop %d: at most %llu rounds\n", l + 1,
                    (unsigned long long)of->loops[l].rounds);
    for (int n = 0; n < of->node_count; n++)
        if (of->nodes[n].kind != GONE)
            describe_node(of, n, to);
    for (int c = 0; c < of->change_count; c++) {
        const change *at = &of->changes[c];
        fprintf(to, "  change of %d at (%llu,%llu): ", at->input, (unsigned long long)at->at[0],
                (unsigned long long)at->at[1]);
        describe_cell(at->row, to);
        fprintf(to, " %+lld\n", (long long)at->diff);
    }
}
