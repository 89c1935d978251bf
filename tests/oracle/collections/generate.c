/* A random case: a graph of operators with loops, changes of its inputs, and a way to run it.
 *
 * Operators that are only defined for counts of at least zero get a `distinct` in front where
 * counts may be negative; what that misses, the naive side refuses. */
#include "functions.h"

#include <string.h>

typedef struct maker {
    test_case *to;
    rng *from;
    const bool *without;
    const shape *shape;
    bool negative[NODES_MAX]; /* counts of the node may be */
    bool overwrites[NODES_MAX];
    int depth;
} maker;

uint64_t draw(rng *from, uint64_t below)
{
    from->state += 0x9e3779b97f4a7c15u;
    uint64_t x = (from->state ^ from->state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

static int number(maker *m, uint64_t below)
{
    return (int)draw(m->from, below);
}

/* ---- nodes ------------------------------------------------------------------------------ */

static int add(maker *m, kind is, int scope, int a, int b)
{
    int index = m->to->node_count++;
    node *n = &m->to->nodes[index];
    domain in = index ? m->to->nodes[0].with.in : (domain){1, 0, 1};
    *n = (node){.kind = is, .scope = scope, .from = {a, b, -1}};
    n->with = (params){.mode = number(m, 60), .a = number(m, 5), .b = number(m, 5), .in = in};
    n->key = in.v && number(m, 4) == 0 ? (number(m, 2) ? BY_V : BY_KV) : BY_K;
    n->order = in.w > 1 && number(m, 2) ? BY_WV : BY_V;
    n->descending = (uint32_t)number(m, 4);
    n->top = (weir_top){(uint64_t)number(m, 4), number(m, 3) ? 0 : (uint64_t)number(m, 3),
                        number(m, 2) ? WEIR_TIES_ROW : WEIR_TIES_RANK};
    n->share = (double[]){0, 0.25, 0.5, 0.9, 1}[number(m, 5)];
    n->dim = number(m, (uint64_t)m->to->dims);
    n->up_to = number(m, 2);
    m->negative[index] = (a >= 0 && m->negative[a]) || (b >= 0 && m->negative[b]);
    return index;
}

/* A node of the scope; rather a late one. */
static int pick(maker *m, int scope)
{
    int found[NODES_MAX], count = 0;
    for (int n = 0; n < m->to->node_count; n++)
        if (m->to->nodes[n].scope == scope)
            found[count++] = n;
    return number(m, 2) ? found[count - 1] : found[number(m, (uint64_t)count)];
}

static bool has_room(const maker *m, int more)
{
    return m->to->node_count + more < NODES_MAX - NODES_SPARE;
}

static int distinct(maker *m, int of)
{
    int made = add(m, DISTINCT, m->to->nodes[of].scope, of, -1);
    m->negative[made] = false;
    return made;
}

static int not_negative(maker *m, int of)
{
    return m->negative[of] && has_room(m, 3) ? distinct(m, of) : of;
}

/* The same with few changes: half-joins multiply them, and do not add them up. */
static int fewer(maker *m, int of)
{
    kind is = m->to->nodes[of].kind;
    if (is == INPUT || is == CONSOLIDATE || is == DISTINCT || !has_room(m, 3))
        return of;
    return add(m, CONSOLIDATE, m->to->nodes[of].scope, of, -1);
}

/* Whether the kind can be used here at all. */
static bool fits(const maker *m, kind is, int scope)
{
    const test_case *to = m->to;
    domain in = to->nodes[0].with.in;
    if (m->without[is] || is == INPUT || is == LEAVE || is == VARIABLE || is == ENTER ||
        is == ENTER_AT)
        return false;
    if ((is == SUM || is == AVG) && !m->shape->sums_v)
        return false;
    if (is == PREFIX_SUM && !m->shape->prefixes_v)
        return false;
    if (is >= MIN && is <= PREFIX_SUM && !in.v)
        return false;
    if (is == DELTA_THREE && to->change_count > (scope ? 8 : 30)) /* cubes */
        return false;
    if (is == UPSERT && (scope || to->dims > 1 || !in.v))
        return false;
    if ((is == DELAY || is == AS_OF || is == VALID || is == HALF_JOIN) && scope)
        return false;
    return is != JOIN_ENTERED || scope;
}

static void adjust(maker *m, node *n)
{
    test_case *to = m->to;
    switch (n->kind) {
    case DELAY:
        n->at = 1 + (uint64_t)number(m, 2);
        if (to->span[0] + n->at <= GRID_MAX)
            to->span[0] += n->at;
        else
            n->kind = FILTER;
        return;
    case AS_OF:
        n->at = draw(m->from, to->span[n->dim]);
        return;
    case VALID:
        if (to->span[n->dim] < 7)
            to->span[n->dim] = 7;
        return;
    case DELTA_THREE:
        n->key = BY_K;
        n->with.mode = 0;
        n->from[2] = number(m, 2) ? n->from[1] : n->from[0];
        return;
    case SUM:
    case AVG:
    case MIN:
    case MAX:
    case QUANTILE:
    case PREFIX_SUM:
        n->key = BY_K;
        if (n->kind == PREFIX_SUM || n->kind == QUANTILE)
            n->order = BY_V;
        if (n->kind != PREFIX_SUM)
            n->descending = 0;
        return;
    case TOP:
    case FIRST:
    case LAST:
        n->key = number(m, 4) ? BY_K : BY_NOTHING;
        return;
    case COUNT:
        n->key = number(m, 6) ? n->key : BY_NOTHING;
        return;
    case REDUCE:
        n->key = n->key == BY_V ? BY_NOTHING : n->key;
        return;
    case JOIN:
    case JOIN_SOME:
    case JOIN_ARRANGED:
    case SEMIJOIN:
    case ANTIJOIN:
    case LEFT_JOIN:
    case FULL_JOIN:
        n->key = number(m, 20) ? n->key : BY_NOTHING;
        return;
    default:
        return;
    }
}

static void judge(maker *m, int index)
{
    const node *n = &m->to->nodes[index];
    kind is = n->kind;
    if (is >= COUNT && is <= UPSERT && is != PREFIX_SUM)
        m->negative[index] = false;
    else if (is == DISTINCT)
        m->negative[index] = false;
    else if (is == NEGATE || is == HALF_JOIN)
        m->negative[index] = true;
    else if (is == REDUCE)
        m->negative[index] |= n->with.mode % REDUCE_MODES >= 3;
    else if (is == THRESHOLD)
        m->negative[index] =
            n->with.mode % THRESHOLD_MODES == 4 || (m->negative[index] && n->with.mode % 2 && 1);
}

static bool try_operator(maker *m, int scope)
{
    kind is = (kind)number(m, KIND_COUNT);
    if (!fits(m, is, scope) || !has_room(m, 3))
        return false;
    int a = pick(m, scope), b = -1;
    if (is == UPSERT) {
        for (a = 0; a < m->to->node_count && !m->overwrites[a]; a++)
            ;
        if (a == m->to->node_count)
            return false;
    }
    if (is == CONCAT || (is >= JOIN && is <= DELTA_THREE))
        b = pick(m, is == JOIN_ENTERED ? m->to->loops[scope - 1].parent : scope);
    if ((is == SEMIJOIN || is == ANTIJOIN || is == LEFT_JOIN || is == FULL_JOIN) && number(m, 3))
        b = not_negative(m, b);
    if ((is == FULL_JOIN || (is >= COUNT && is <= PREFIX_SUM)) && number(m, 3))
        a = not_negative(m, a);
    if (is == HALF_JOIN || is == DELTA_THREE || (is == DELTA_TWO && number(m, 8)))
        a = fewer(m, a), b = fewer(m, b);
    int made = add(m, is, scope, a, b);
    adjust(m, &m->to->nodes[made]);
    judge(m, made);
    return true;
}

static void add_operator(maker *m, int scope)
{
    for (int tries = 0; tries < 60 && !try_operator(m, scope); tries++)
        ;
}

/* ---- loops ------------------------------------------------------------------------------ */

static void finish_loop(maker *m, int out)
{
    node *last = &m->to->nodes[out];
    add(m, LEAVE, m->to->loops[last->scope - 1].parent, out, -1);
}

/* What is reached from roots along edges; or the least label, or distance. */
static void make_reach(maker *m, int scope, int parent)
{
    static const kind joins_by[] = {JOIN, JOIN_ARRANGED, JOIN_ENTERED};
    int edges = pick(m, parent);
    int roots = add(m, ENTER, scope, pick(m, parent), -1);
    kind by = joins_by[number(m, 3)];
    int edges_in = by == JOIN_ENTERED ? edges : add(m, ENTER, scope, edges, -1);
    int reached = add(m, VARIABLE, scope, roots, -1);
    int stepped = add(m, by, scope, reached, edges_in);
    m->to->nodes[stepped].key = BY_K;
    m->to->nodes[stepped].with.mode = (int[]){1, 2, 4}[number(m, 3)];
    int both = add(m, CONCAT, scope, stepped, roots);
    kind last = (kind)number(m, 3);
    bool has_v = m->to->nodes[0].with.in.v > 0;
    int next = last && has_v ? add(m, last == 1 ? MIN : REDUCE, scope, not_negative(m, both), -1)
                             : distinct(m, both);
    if (m->to->nodes[next].kind == MIN)
        adjust(m, &m->to->nodes[next]);
    else if (m->to->nodes[next].kind == REDUCE)
        m->to->nodes[next].kind = DISTINCT;
    m->to->nodes[reached].from[1] = next;
    m->to->nodes[reached].replace = number(m, 2);
    finish_loop(m, number(m, 3) ? next : pick(m, scope));
}

static void make_loop(maker *m, int parent);

static void make_body(maker *m, int scope, int parent)
{
    int variables[2], count = 1 + number(m, 2);
    for (int v = 0; v < count; v++) {
        bool late = number(m, 4) == 0 && !m->without[ENTER_AT];
        int initial = add(m, late ? ENTER_AT : ENTER, scope, pick(m, parent), -1);
        variables[v] = add(m, VARIABLE, scope, initial, -1);
        m->to->nodes[variables[v]].replace = number(m, 2) && !late;
    }
    if (number(m, 2))
        add(m, ENTER, scope, pick(m, parent), -1);
    for (int n = 1 + number(m, 4); n > 0; n--) {
        if (m->depth < 2 && number(m, 10) == 0)
            make_loop(m, scope);
        else
            add_operator(m, scope);
    }
    /* Changes that cancel must meet; else they go round for ever, or as long as they may. */
    uint64_t rounds = m->to->loops[scope - 1].rounds;
    for (int v = 0; v < count; v++) {
        int next = pick(m, scope);
        if (m->to->nodes[next].kind != DISTINCT &&
            (parent || !rounds || rounds > 3 || number(m, 2)))
            next = number(m, 2) ? add(m, CONSOLIDATE, scope, next, -1) : distinct(m, next);
        m->to->nodes[variables[v]].from[1] = next;
    }
    finish_loop(m, pick(m, scope));
}

static void make_loop(maker *m, int parent)
{
    if (m->to->loop_count == LOOPS_MAX || !has_room(m, 15) || m->without[VARIABLE])
        return;
    int scope = ++m->to->loop_count;
    m->to->loops[scope - 1] = (loop){.parent = parent};
    m->depth++;
    if (number(m, 3) || m->without[JOIN] || m->without[DISTINCT] || m->without[MIN]) {
        m->to->loops[scope - 1].rounds = number(m, 3) ? 1 + draw(m->from, 5) : 0;
        make_body(m, scope, parent);
    } else {
        m->to->loops[scope - 1].rounds = number(m, 4) ? 0 : 1 + draw(m->from, 5);
        make_reach(m, scope, parent);
    }
    m->depth--;
}

/* ---- changes ---------------------------------------------------------------------------- */

static cell random_cell(maker *m)
{
    domain in = m->to->nodes[0].with.in;
    int had = m->to->change_count;
    if (had && number(m, 4) == 0)
        return m->to->changes[number(m, (uint64_t)had)].row;
    return (cell){number(m, 5) ? number(m, (uint64_t)in.k) : 0,
                  in.v ? number(m, 2 * (uint64_t)in.v) - in.v : 0, number(m, (uint64_t)in.w)};
}

static bool overwrites_again(const test_case *to, const change *c)
{
    for (int i = 0; i < to->change_count; i++)
        if (to->changes[i].input == c->input && to->changes[i].at[0] == c->at[0] &&
            memcmp(&to->changes[i].row, &c->row, sizeof c->row) == 0)
            return true;
    return false;
}

/* A row comes and perhaps goes again later: counts are never negative. Or anything. */
static void make_change(maker *m, int input, const uint64_t span[2])
{
    test_case *to = m->to;
    change c = {.input = input, .row = random_cell(m), .diff = 1};
    for (int d = 0; d < 2; d++)
        c.at[d] = draw(m->from, span[d]);
    if (m->overwrites[input]) {
        c.diff = number(m, 3) ? 1 : -1;
        if (!overwrites_again(to, &c))
            to->changes[to->change_count++] = c;
        return;
    }
    if (m->negative[input])
        c.diff = number(m, 5) - 2 ? number(m, 5) - 2 : 1;
    to->changes[to->change_count++] = c.diff ? c : (c.diff = 1, c);
    if (m->negative[input] || number(m, 2) || to->change_count == CHANGES_MAX)
        return;
    for (int d = 0; d < 2; d++)
        c.at[d] += draw(m->from, span[d] - c.at[d]);
    c.diff = -1;
    to->changes[to->change_count++] = c;
}

static void make_inputs(maker *m, uint32_t most_changes)
{
    test_case *to = m->to;
    domain most = m->shape->most;
    domain in = {2 + number(m, (uint64_t)most.k - 1), most.v ? 1 + number(m, (uint64_t)most.v) : 0,
                 most.w};
    int inputs = 1 + number(m, INPUTS_MAX);
    for (int i = 0; i < inputs; i++) {
        add(m, INPUT, 0, -1, -1);
        to->nodes[i].with.in = in;
        m->negative[i] = number(m, 5) == 0;
        m->overwrites[i] = to->dims == 1 && number(m, 8) == 0;
        m->negative[i] |= m->overwrites[i];
    }
    uint64_t span[2] = {to->span[0], to->span[1]};
    int count = 1 + number(m, number(m, 12) ? 24 : CHANGES_MAX - 2);
    if (most_changes && count > (int)most_changes)
        count = (int)most_changes;
    for (int tries = 0; to->change_count < count && tries < 400; tries++)
        make_change(m, number(m, (uint64_t)inputs), span);
}

void generate(test_case *out, rng *from, const bool without[KIND_COUNT], uint32_t workers,
              uint32_t changes)
{
    memset(out, 0, sizeof *out);
    maker m = {.to = out, .from = from, .without = without};
    out->shape = number(&m, SHAPES);
    out->dims = number(&m, 10) < 7 ? 1 : 2;
    m.shape = shapes[out->shape];
    out->span[0] = 1 + draw(from, out->dims == 2 ? 4 : draw(from, 8) ? 6 : EPOCHS_MAX);
    out->span[1] = out->dims == 1 ? 1 : 1 + draw(from, 4);
    out->stride = (uint64_t[]){1, 1, 7, 1ull << 33}[number(&m, 4)];
    out->watched = -1;
    out->workers = workers ? workers : 1 + (uint32_t)number(&m, 4);
    out->deterministic = number(&m, 2);
    out->seed = draw(from, 1u << 30);
    out->flush_in = 1 + (uint32_t)number(&m, 10);
    out->step_in = 1 + (uint32_t)number(&m, 6);
    out->columns = number(&m, 2);
    out->import = number(&m, 4) ? IMPORT_NOT : number(&m, 3) ? IMPORT_LATER : IMPORT_ALL;
    out->repeats = number(&m, 8) ? 0 : 1 + (uint32_t)number(&m, 40);
    make_inputs(&m, changes);
    bool loops = number(&m, 5) < 2;
    for (int n = 1 + number(&m, 5); n > 0; n--) {
        if (loops && number(&m, 2))
            make_loop(&m, 0);
        else
            add_operator(&m, 0);
    }
    out->drive = out->dims == 1 && number(&m, 3) == 0 ? DRIVE_STEP : DRIVE_FREE;
    for (int n = 0; n < out->node_count; n++)
        if (out->nodes[n].kind == AS_OF) /* which waits for a time */
            out->drive = DRIVE_FREE;
    for (int n = 0; n < out->node_count; n++)
        if (out->nodes[n].kind >= HALF_JOIN && out->nodes[n].kind <= DELTA_THREE)
            out->repeats = 0; /* which they would multiply */
    if (out->nodes[out->node_count - 1].scope)
        out->import = IMPORT_NOT;
    if (number(&m, 2)) /* a recorder looks at times, and so would hide nothing but speed */
        out->watched = out->node_count - 1;
}
