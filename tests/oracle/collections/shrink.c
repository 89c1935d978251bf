/* Makes a failing case smaller: fewer workers, operators and changes, earlier times. Greedy:
 * every change that still fails is kept, until none is left to try. */
#include "collections.h"

#include <string.h>

typedef struct shrinking {
    test_case best;
    still_fails *fails;
    void *arg;
    bool better;
} shrinking;

static bool accept(shrinking *s, const test_case *tried)
{
    if (tried->import != IMPORT_NOT && tried->nodes[probed(tried)].scope)
        return false;
    if (memcmp(tried, &s->best, sizeof *tried) == 0 || !s->fails(tried, s->arg))
        return false;
    s->best = *tried;
    s->better = true;
    return true;
}

/* ---- nodes ------------------------------------------------------------------------------ */

static void mark(const test_case *of, int index, bool needed[NODES_MAX])
{
    if (index < 0 || needed[index])
        return;
    needed[index] = true;
    for (int i = 0; i < 3; i++)
        mark(of, of->nodes[index].from[i], needed);
}

/* Removes what the watched node does not depend on. */
static void drop_unneeded(test_case *of)
{
    bool needed[NODES_MAX] = {0};
    if (of->watched < 0) /* all are */
        return;
    mark(of, of->watched, needed);
    for (int n = 0; n < of->node_count; n++)
        if (!needed[n])
            of->nodes[n].kind = GONE;
    int kept = 0;
    for (int c = 0; c < of->change_count; c++)
        if (of->nodes[of->changes[c].input].kind != GONE)
            of->changes[kept++] = of->changes[c];
    of->change_count = kept;
}

static void replace_node(test_case *of, int index, int by)
{
    for (int n = 0; n < of->node_count; n++)
        for (int i = 0; i < 3; i++)
            if (of->nodes[n].from[i] == index && n != index)
                of->nodes[n].from[i] = by;
    if (of->watched == index)
        of->watched = by;
}

static void try_without_node(shrinking *s, int index)
{
    const node *n = &s->best.nodes[index];
    if (n->kind == GONE || n->kind == INPUT)
        return;
    for (int i = 0; i < 3; i++) {
        int by = n->from[i];
        if (n->kind == LEAVE && by >= 0) /* past the loop */
            for (int e = 0; e < s->best.node_count; e++)
                if (s->best.nodes[e].kind == ENTER &&
                    s->best.nodes[e].scope == s->best.nodes[n->from[0]].scope)
                    by = s->best.nodes[e].from[0];
        if (by < 0 || by > index || s->best.nodes[by].scope != n->scope)
            continue;
        test_case tried = s->best;
        replace_node(&tried, index, by);
        drop_unneeded(&tried);
        if (accept(s, &tried))
            return;
    }
}

/* The failing node is perhaps an earlier one. */
static void try_watching(shrinking *s)
{
    for (int n = 0; n < s->best.node_count; n++) {
        if (s->best.nodes[n].kind == GONE || s->best.watched == n)
            continue;
        test_case tried = s->best;
        tried.watched = n;
        drop_unneeded(&tried);
        if (accept(s, &tried))
            return;
    }
}

/* ---- changes ---------------------------------------------------------------------------- */

static void try_without_changes(shrinking *s)
{
    for (int size = s->best.change_count / 2 + 1; size > 0; size /= 2)
        for (int from = 0; from + size <= s->best.change_count;) {
            test_case tried = s->best;
            memmove(&tried.changes[from], &tried.changes[from + size],
                    (size_t)(tried.change_count - from - size) * sizeof *tried.changes);
            tried.change_count -= size;
            if (!accept(s, &tried))
                from += size;
        }
    /* a row given and taken later */
    for (int a = 0; a < s->best.change_count; a++)
        for (int b = a + 1; b < s->best.change_count; b++) {
            test_case tried = s->best;
            memmove(&tried.changes[b], &tried.changes[b + 1],
                    (size_t)(tried.change_count - b - 1) * sizeof *tried.changes);
            memmove(&tried.changes[a], &tried.changes[a + 1],
                    (size_t)(tried.change_count - a - 2) * sizeof *tried.changes);
            tried.change_count -= 2;
            if (s->best.change_count <= 24)
                accept(s, &tried);
        }
}

static void try_simpler_changes(shrinking *s)
{
    for (int c = 0; c < s->best.change_count; c++)
        for (int what = 0; what < 5; what++) {
            test_case tried = s->best;
            change *at = &tried.changes[c];
            if (what < 2 && at->at[what])
                at->at[what]--;
            else if (what == 2)
                at->row.v = 0;
            else if (what == 3)
                at->row.w = 0;
            else if (what == 4)
                at->row.k = 0;
            accept(s, &tried);
        }
}

/* ---- the way it is run ------------------------------------------------------------------ */

static void try_simpler_run(shrinking *s)
{
    for (int what = 0; what < 11; what++) {
        test_case tried = s->best;
        switch (what) {
        case 0:
            tried.workers = 1;
            break;
        case 1:
            tried.workers = tried.workers > 2 ? 2 : tried.workers;
            break;
        case 2:
            tried.deterministic = true;
            break;
        case 3:
            tried.stride = 1;
            break;
        case 4:
            tried.columns = false;
            break;
        case 5:
            tried.drive = tried.dims == 1 ? DRIVE_STEP : DRIVE_FREE;
            break;
        case 6:
            tried.flush_in = 100;
            break;
        case 7:
            tried.step_in = 1;
            break;
        case 9:
            tried.import = IMPORT_NOT;
            break;
        case 8:
            tried.repeats = 0;
            break;
        default:
            tried.shape = 0;
        }
        domain most = shapes[tried.shape]->most, in = tried.nodes[0].with.in;
        for (int n = 0; n < tried.node_count; n++) /* which not all shapes have */
            if (tried.nodes[n].order == BY_WV)
                tried.shape = s->best.shape;
        if (in.k <= most.k && in.v <= most.v && in.w <= most.w)
            accept(s, &tried);
    }
    for (int l = 0; l < s->best.loop_count; l++) {
        test_case tried = s->best;
        tried.loops[l].rounds = 0;
        accept(s, &tried);
    }
}

void shrink_case(test_case *of, still_fails *fails, void *arg)
{
    shrinking s = {*of, fails, arg, true};
    while (s.better) {
        s.better = false;
        if (s.best.watched < 0)
            try_watching(&s);
        for (int n = s.best.node_count - 1; n >= 0; n--)
            try_without_node(&s, n);
        try_without_changes(&s);
        try_simpler_run(&s);
        try_simpler_changes(&s);
    }
    *of = s.best;
}
