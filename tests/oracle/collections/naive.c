/* The naive side of the collections oracle: what each node holds at each time, from the
 * changes at or before that time and nothing else. A node of a loop is evaluated round by
 * round; what leaves the loop is what its body holds once no variable changes any more.
 *
 * Values are kept by (node, time), for the case that naive_check was last given. */
#include "naive.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX (1ll << 40)
#define BAG_MAX 300
#define VALUES_MAX 50000
#define ADDS_MAX 3000000 /* in all: a case that takes longer is not one */
#define SLOTS (1u << 19)
#define ENTER_ROUNDS 3 /* round_of is at most that */

typedef struct value {
    uint64_t key;
    bag is;
    bool begun, done;
} value;

static const test_case *the_case;
static jmp_buf refused;
static uint64_t adds;
static value *values;
static uint32_t value_count;
static uint32_t slots[SLOTS]; /* index + 1 */
static uint32_t slots_used[VALUES_MAX];

_Noreturn void naive_refuse(void)
{
    longjmp(refused, 1);
}

/* ---- memory that lasts as long as the case ------------------------------------------------ */

#define BLOCK_BYTES (1u << 20)

typedef struct block {
    struct block *next;
    size_t used;
    _Alignas(16) char bytes[BLOCK_BYTES];
} block;

static block *blocks;

void *naive_memory(size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > BLOCK_BYTES)
        naive_refuse();
    if (!blocks || blocks->used + bytes > BLOCK_BYTES) {
        block *more = malloc(sizeof *more);
        more->next = blocks;
        more->used = 0;
        blocks = more;
    }
    void *memory = blocks->bytes + blocks->used;
    blocks->used += bytes;
    return memory;
}

/* ---- bags ------------------------------------------------------------------------------- */

uint64_t cell_id(cell of)
{
    return (uint64_t)(of.k + 4096) << 40 | (uint64_t)(of.v + 32768) << 20 | (uint64_t)(of.w + 16);
}

cell cell_of(uint64_t id)
{
    return (cell){(int32_t)(id >> 40) - 4096, (int32_t)(id >> 20 & 0xfffff) - 32768,
                  (int32_t)(id & 0xfffff) - 16};
}

void bag_add(bag *to, uint64_t id, int64_t count)
{
    if (++adds > ADDS_MAX)
        naive_refuse();
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 16;
        entry *more = naive_memory(to->capacity * sizeof *more);
        if (to->count)
            memcpy(more, to->entries, to->count * sizeof *more);
        to->entries = more;
    }
    to->entries[to->count++] = (entry){id, count};
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = ((const entry *)a)->id, y = ((const entry *)b)->id;
    return x < y ? -1 : x > y;
}

void bag_settle(bag *of)
{
    if (of->count)
        qsort(of->entries, of->count, sizeof *of->entries, compare_ids);
    uint32_t kept_count = 0;
    for (uint32_t i = 0; i < of->count;) {
        entry sum = {of->entries[i].id, 0};
        for (; i < of->count && of->entries[i].id == sum.id; i++)
            sum.count += of->entries[i].count;
        if (sum.count)
            of->entries[kept_count++] = sum;
    }
    of->count = kept_count;
}

static bool bag_equal(const bag *a, const bag *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->entries[i].id != b->entries[i].id || a->entries[i].count != b->entries[i].count)
            return false;
    return true;
}

/* ---- values by node and time ------------------------------------------------------------ */

static void forget(void)
{
    for (uint32_t i = 0; i < value_count; i++)
        slots[slots_used[i]] = 0;
    value_count = 0;
    while (blocks && blocks->next) {
        block *first = blocks;
        blocks = first->next;
        free(first);
    }
    if (blocks)
        blocks->used = 0;
}

/* Values move when there are more: an index. */
static uint32_t value_at(int of, const uint64_t at[4])
{
    uint64_t key = (uint64_t)of << 48;
    for (int i = 0; i < 4; i++)
        key |= at[i] << 12 * i;
    uint32_t slot = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 45);
    for (; slots[slot]; slot = (slot + 1) % SLOTS)
        if (values[slots[slot] - 1].key == key)
            return slots[slot] - 1;
    if (!values)
        values = malloc(VALUES_MAX * sizeof *values);
    if (value_count == VALUES_MAX)
        naive_refuse();
    values[value_count] = (value){.key = key};
    slots_used[value_count] = slot;
    slots[slot] = ++value_count;
    return value_count - 1;
}

/* ---- nodes that know times -------------------------------------------------------------- */

static void add_bag(bag *to, const bag *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        bag_add(to, from->entries[i].id, from->entries[i].count);
}

static void input_value(int input, const uint64_t at[4], bag *out)
{
    for (int i = 0; i < the_case->change_count; i++) {
        const change *c = &the_case->changes[i];
        if (c->input == input && c->at[0] <= at[0] && c->at[1] <= at[1])
            bag_add(out, cell_id(c->row), c->diff);
    }
}

/* The last overwrite of each key, of the changes as they come rather than added up. */
static void upsert_value(const node *how, const uint64_t at[4], bag *out)
{
    const change *latest[64] = {0};
    for (int i = 0; i < the_case->change_count; i++) {
        const change *c = &the_case->changes[i];
        if (c->input != how->from[0] || c->at[0] > at[0])
            continue;
        const change **last = &latest[c->row.k];
        if (*last && (*last)->at[0] == c->at[0] && (*last)->row.v == c->row.v &&
            (*last)->row.w == c->row.w)
            naive_refuse(); /* both given and taken: not said */
        bool later = !*last || (*last)->at[0] < c->at[0];
        if (*last && (*last)->at[0] == c->at[0]) {
            cell a = (*last)->row, b = c->row;
            bool greater = b.v != a.v ? b.v > a.v : b.w > a.w;
            bool turned = b.v != a.v && (how->descending & 1);
            later = greater != turned;
        }
        if (later)
            *last = c;
    }
    for (int k = 0; k < 64; k++)
        if (latest[k] && latest[k]->diff > 0)
            bag_add(out, cell_id(latest[k]->row), 1);
}

/* The changes of a node at one time: what makes its sums over earlier times right. */
static void changes_at(int of, uint64_t a, uint64_t b, bag *out)
{
    uint64_t at[4] = {a, b, 0, 0};
    for (uint64_t less = 0; less < 4; less++) {
        if ((less & 1 && !a) || (less & 2 && !b))
            continue;
        at[0] = a - (less & 1);
        at[1] = b - (less >> 1);
        const bag *is = naive_value(of, at);
        for (uint32_t i = 0; i < is->count; i++)
            bag_add(out, is->entries[i].id,
                    less == 0 || less == 3 ? is->entries[i].count : -is->entries[i].count);
    }
    bag_settle(out);
}

static bool after_half_join(int of)
{
    const node *at = &the_case->nodes[of];
    for (int i = 0; i < 3 && at->kind != VARIABLE; i++)
        if (at->from[i] >= 0 && after_half_join(at->from[i]))
            return true;
    return at->kind == HALF_JOIN;
}

/* Deltas that come out of another half-join keep the times that they had there.
 * Each change at a time s of the deltas with the changes of the other before it in
 * lexicographic order; of those pairs, the ones at or before `at`. */
static void half_join_value(const node *how, const uint64_t at[4], bag *out)
{
    if (after_half_join(how->from[0]))
        naive_refuse();
    for (uint64_t a = 0; a <= at[0]; a++)
        for (uint64_t b = 0; b <= at[1]; b++) {
            bag deltas = {0}, held = {0};
            changes_at(how->from[0], a, b, &deltas);
            for (uint64_t c = 0; deltas.count && c <= a; c++)
                for (uint64_t d = 0; d <= at[1]; d++)
                    if (c < a || d < b || (how->up_to && d == b))
                        changes_at(how->from[1], c, d, &held);
            bag_settle(&held);
            naive_join(how, &deltas, &held, out);
        }
}

static void variable_value(const node *how, const uint64_t at[4], bag *out)
{
    int dim = scope_dims(the_case, how->scope) - 1;
    uint64_t bound = the_case->loops[how->scope - 1].rounds;
    uint64_t round = at[dim], before[4];
    memcpy(before, at, sizeof before);
    if (bound && round >= bound)
        round = bound - 1;
    if (round && how->from[1] >= 0) {
        before[dim] = round - 1;
        add_bag(out, naive_value(how->from[1], before));
        memcpy(before, at, sizeof before);
    }
    if (!round || !how->replace) {
        if (how->replace)
            before[dim] = 0;
        add_bag(out, naive_value(how->from[0], before));
    }
}

static bool still_changes(int scope, const uint64_t at[4])
{
    uint64_t next[4];
    memcpy(next, at, sizeof next);
    next[scope_dims(the_case, scope) - 1]++;
    for (int n = 0; n < the_case->node_count; n++) {
        const node *of = &the_case->nodes[n];
        if (of->kind == VARIABLE && of->scope == scope &&
            !bag_equal(naive_value(n, at), naive_value(n, next)))
            return true;
    }
    return false;
}

/* The round from which nothing in the loop changes, at a time of the scope around it: all has
 * entered, no variable changes any more, or may not. */
static uint64_t last_round(int scope, const uint64_t at[4])
{
    int dim = scope_dims(the_case, scope) - 1;
    uint64_t in[4], bound = the_case->loops[scope - 1].rounds;
    memcpy(in, at, sizeof in);
    for (in[dim] = ENTER_ROUNDS; still_changes(scope, in); in[dim]++)
        if (in[dim] + 1 >= ROUNDS_MAX) /* the round with the change is beyond the grid */
            naive_refuse();
    return in[dim] > bound ? in[dim] : bound;
}

static void leave_value(const node *how, const uint64_t at[4], bag *out)
{
    int scope = the_case->nodes[how->from[0]].scope;
    uint64_t in[4];
    memcpy(in, at, sizeof in);
    in[scope_dims(the_case, scope) - 1] = last_round(scope, at);
    add_bag(out, naive_value(how->from[0], in));
}

static void compute(int index, const uint64_t at[4], bag *out)
{
    const node *how = &the_case->nodes[index];
    const int *from = how->from;
    uint64_t then[4];
    memcpy(then, at, sizeof then);
    switch (how->kind) {
    case INPUT:
        input_value(index, at, out);
        return;
    case UPSERT:
        upsert_value(how, at, out);
        return;
    case CONCAT:
        add_bag(out, naive_value(from[0], at));
        add_bag(out, naive_value(from[1], at));
        return;
    case DELAY:
        then[0] -= how->at;
        if (at[0] >= how->at)
            add_bag(out, naive_value(from[0], then));
        return;
    case AS_OF:
        then[how->dim] = how->at;
        add_bag(out, naive_value(from[0], then));
        return;
    case VALID: {
        const bag *in = naive_value(from[0], at);
        for (uint32_t i = 0; i < in->count; i++) {
            cell c = cell_of(in->entries[i].id);
            if (valid_from(c, &how->with) <= at[how->dim] &&
                at[how->dim] < valid_until(c, &how->with))
                bag_add(out, in->entries[i].id, in->entries[i].count);
        }
        return;
    }
    case ENTER:
    case ENTER_AT: {
        int dim = scope_dims(the_case, how->scope) - 1;
        then[dim] = 0;
        const bag *in = naive_value(from[0], then);
        for (uint32_t i = 0; i < in->count; i++)
            if (how->kind == ENTER || round_of(cell_of(in->entries[i].id), &how->with) <= at[dim])
                bag_add(out, in->entries[i].id, in->entries[i].count);
        return;
    }
    case VARIABLE:
        variable_value(how, at, out);
        return;
    case LEAVE:
        leave_value(how, at, out);
        return;
    case HALF_JOIN:
        half_join_value(how, at, out);
        return;
    case JOIN_ENTERED:
        then[scope_dims(the_case, how->scope) - 1] = 0;
        naive_join(how, naive_value(from[0], at), naive_value(from[1], then), out);
        return;
    case DELTA_THREE: {
        if (after_half_join(from[2]))
            naive_refuse();
        bag two = {0};
        naive_join(how, naive_value(from[0], at), naive_value(from[1], at), &two);
        adds += 10ull * two.count * naive_value(from[2], at)->count; /* a delta join makes all */
        bag_settle(&two);
        naive_join(how, &two, naive_value(from[2], at), out);
        return;
    }
    default:
        if (how->kind == DELTA_TWO && (after_half_join(from[0]) || after_half_join(from[1])))
            naive_refuse();
        if (how->kind >= JOIN && how->kind <= DELTA_TWO)
            naive_join(how, naive_value(from[0], at), naive_value(from[1], at), out);
        else if (how->kind == REDUCE || (how->kind >= COUNT && how->kind <= PREFIX_SUM))
            naive_group(how, naive_value(from[0], at), out);
        else
            naive_row_by_row(how, naive_value(from[0], at), out);
    }
}

const bag *naive_value(int of, const uint64_t at[4])
{
    uint32_t index = value_at(of, at);
    if (!values[index].done) {
        if (values[index].begun)
            naive_refuse(); /* a node that depends on itself without a loop */
        values[index].begun = true;
        bag out = {0};
        compute(of, at, &out);
        bag_settle(&out);
        values[index].is = out;
        values[index].done = true;
        if (out.count > BAG_MAX)
            naive_refuse();
        for (uint32_t i = 0; i < out.count; i++)
            if (out.entries[i].count > COUNT_MAX || out.entries[i].count < -COUNT_MAX)
                naive_refuse();
    }
    return &values[index].is;
}

const bag *naive_try(int of, const uint64_t at[4])
{
    adds = 0;
    return setjmp(refused) ? NULL : naive_value(of, at);
}

static bool has_join(const test_case *of, int scope)
{
    for (int n = 0; n < of->node_count; n++)
        if (of->nodes[n].scope == scope && of->nodes[n].kind >= JOIN &&
            of->nodes[n].kind <= DELTA_THREE)
            return true;
    return false;
}

/* Whether a loop ends in practice too: changes that cancel are to meet where a variable's
 * next content is made, or they go round for ever. */
static bool all_loops_settle(const test_case *of)
{
    for (int n = 0; n < of->node_count; n++) {
        const node *at = &of->nodes[n];
        if (at->kind != VARIABLE || at->from[1] < 0)
            continue;
        const loop *in = &of->loops[at->scope - 1];
        if (in->rounds && in->rounds <= 3 && !in->parent && !has_join(of, at->scope))
            continue;
        kind next = of->nodes[at->from[1]].kind;
        if (next != CONSOLIDATE && next != ARRANGED && (next < REDUCE || next > PREFIX_SUM))
            return false;
    }
    return true;
}

/* Also what nobody asks for must end. */
static void check_scope(int scope, const uint64_t at[4])
{
    uint64_t in[4], rounds = scope ? last_round(scope, at) : 0;
    memcpy(in, at, sizeof in);
    for (uint64_t round = 0; round <= rounds; round++) {
        if (scope)
            in[scope_dims(the_case, scope) - 1] = round;
        for (int n = 0; n < the_case->node_count; n++)
            if (the_case->nodes[n].kind != GONE && the_case->nodes[n].scope == scope)
                naive_value(n, in);
        for (int l = 0; l < the_case->loop_count; l++)
            if (the_case->loops[l].parent == scope)
                check_scope(l + 1, in);
    }
}

bool naive_check(const test_case *of)
{
    forget();
    the_case = of;
    adds = 0;
    if (!all_loops_settle(of) || setjmp(refused))
        return false;
    uint64_t at[4] = {0};
    for (at[0] = 0; at[0] < of->span[0]; at[0]++)
        for (at[1] = 0; at[1] < of->span[1]; at[1]++)
            check_scope(0, at);
    return true;
}
