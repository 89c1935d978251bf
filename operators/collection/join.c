/* join: a row for each pair of rows with equal keys.
 *
 * Joining is bilinear, so it works run against run: when a run of one side becomes known (its
 * token comes), it is joined with every run of the other side that is known already. Each pair
 * of runs meets once. Nothing is kept here but unfinished work: what is known is the traces'.
 *
 * Invariants
 *   J1  the runs with seqs up to seen[s] of side s have met those up to seen[!s] of the other,
 *       or are in the queue of work to do so
 *   J2  the hold on a side's trace is the frontier of the other side's tokens: later runs of
 *       the other side have no other times
 *   J3  work holds a reference to its runs, so that traces may merge them meanwhile, and a
 *       capability at the time of the token that caused it, at or before which no pair is */
#include "join.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"

/* Rows and pairs that are handled before others have their turn. Tests make it small. */
int64_t wi_join_fuel = 1 << 20;

/* ---- the operator ----------------------------------------------------------------------- */

typedef struct join_plan {
    wi_trace **trace[2];
    const wi_layout *layout[2];
    const weir_join_kernel *kernel;
    void *arg;
} join_plan;

/* A new run of one side, and the runs of the other that it has not met yet. */
typedef struct work {
    struct work *next;
    weir_capability *capability; /* NULL: the call allows it */
    weir_time time;
    int side;
    wi_run *mine;
    wi_run **others; /* a stack: the last one is next */
    uint32_t other_count;
    bool matching; /* with the last of the others */
    wi_match match;
} work;

typedef struct joining {
    wi_trace *trace[2];
    wi_reader *reader[2];
    uint64_t seen[2]; /* seqs */
    work *first, *last;
    int64_t fuel; /* left of this turn */
    wi_joiner joiner;
} joining;

static void on_start(weir_op *op)
{
    const join_plan *plan = weir_op_arg(op);
    joining *state = weir_op_state(op);
    for (int s = 0; s < 2; s++) {
        state->trace[s] = wi_trace_retain(*plan->trace[s]);
        state->reader[s] = wi_reader_new(state->trace[s], NULL);
        wi_reader_will_look(state->reader[s]);
    }
    state->fuel = wi_join_fuel;
    wi_joiner_init(&state->joiner, op, plan->kernel, plan->arg, plan->layout[0], plan->layout[1]);
}

static bool has_key(wi_run *run, const uint64_t *key)
{
    uint32_t at = wi_run_find(run, key);
    return at < run->count && wi_key_compare(run->layout, wi_run_row(run, at), key) == 0;
}

/* False if the turn's fuel is gone before all is done. */
static bool meet(joining *state, work *todo, wi_run *other)
{
    wi_run *mine = todo->mine;
    if (!todo->matching) {
        if (mine->count == 1 && !has_key(other, mine->rows)) { /* as most runs do not */
            state->fuel -= WI_FUEL_OF_LOOKUP;
            return true;
        }
        wi_match_begin(&todo->match, todo->side ? other : mine, todo->side ? mine : other);
    }
    todo->matching = !wi_match_work(&todo->match, &state->joiner, &todo->time, &state->fuel);
    return !todo->matching;
}

/* The same. `release`: the runs are the work's. */
static bool do_work(joining *state, work *todo, bool release)
{
    while (todo->other_count) {
        wi_run *other = todo->others[todo->other_count - 1];
        if (!meet(state, todo, other))
            return false;
        if (release)
            wi_run_drop(other);
        todo->other_count--;
    }
    return true;
}

static void work_free(work *todo)
{
    for (uint32_t r = 0; r < todo->other_count; r++)
        wi_run_drop(todo->others[r]);
    wi_run_drop(todo->mine);
    wi_free(todo->others);
    wi_free(todo);
}

/* Puts what is left of some work that borrowed its runs into the queue (J3). */
static void put_off(weir_op *op, joining *state, const work *borrowed)
{
    work *todo = wi_alloc(sizeof *todo);
    *todo = *borrowed;
    todo->next = NULL;
    todo->capability = weir_retain(op, 0, &todo->time);
    todo->mine = wi_run_retain(borrowed->mine);
    todo->others = wi_alloc(todo->other_count * sizeof(wi_run *));
    for (uint32_t r = 0; r < todo->other_count; r++)
        todo->others[r] = wi_run_retain(borrowed->others[r]);
    if (state->last)
        state->last->next = todo;
    else
        state->first = todo;
    state->last = todo;
    weir_activate(op);
}

static uint32_t runs_up_to(const wi_trace *trace, uint64_t seq)
{
    uint32_t count = trace->run_count;
    while (count && trace->runs[count - 1]->last_seq > seq)
        count--;
    return count;
}

/* The runs of side `s` up to a seq are known now. Looks at seqs rather than for one run: if
 * the trace had runs before this operator began, one token is for all of them. */
static void learn(weir_op *op, joining *state, int s, uint64_t seq, const weir_time *time)
{
    const wi_trace *mine = state->trace[s], *others = state->trace[!s];
    uint32_t other_count = runs_up_to(others, state->seen[!s]);
    uint32_t end = runs_up_to(mine, seq);
    if (other_count)
        wi_reader_look(state->reader[!s]);
    for (uint32_t r = runs_up_to(mine, state->seen[s]); r < end && other_count; r++) {
        work todo = {.time = *time,
                     .side = s,
                     .mine = mine->runs[r],
                     .others = others->runs,
                     .other_count = other_count};
        if (mine->runs[r]->count == 1)
            wi_match_fetch(others->runs, other_count, mine->runs[r]->rows);
        if (state->first || !do_work(state, &todo, false))
            put_off(op, state, &todo);
    }
    state->seen[s] = seq;
    wi_reader_ack(state->reader[s], seq);
}

static void on_tokens(weir_op *op, uint32_t input, const weir_batch *batch)
{
    joining *state = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count; i++)
        learn(op, state, (int)input, wi_token_at(batch, i)->seq, weir_batch_time(batch, i));
}

static void on_run(weir_op *op)
{
    joining *state = weir_op_state(op);
    state->fuel = wi_join_fuel;
    while (state->first && do_work(state, state->first, true)) {
        work *done = state->first;
        state->first = done->next;
        if (!state->first)
            state->last = NULL;
        weir_capability_drop(done->capability);
        work_free(done);
    }
    if (state->first)
        weir_activate(op);
}

/* Once a side can send nothing any more, nobody will look at the other's times (J2); when that
 * is so of both, nobody looks at anything. */
static void on_frontier(weir_op *op)
{
    joining *state = weir_op_state(op);
    bool ended = true;
    for (int s = 0; s < 2; s++) {
        const weir_antichain *frontier = weir_op_frontier(op, (uint32_t)s);
        if (state->reader[!s])
            wi_reader_hold(state->reader[!s], frontier);
        ended &= frontier->count == 0;
    }
    if (!ended)
        return;
    for (int s = 0; s < 2; s++) {
        wi_reader_drop(state->reader[s]);
        state->reader[s] = NULL;
    }
}

static void on_stop(weir_op *op)
{
    joining *state = weir_op_state(op);
    while (state->first) {
        work *next = state->first->next;
        work_free(state->first);
        state->first = next;
    }
    for (int s = 0; s < 2; s++) {
        wi_reader_drop(state->reader[s]);
        wi_trace_drop(state->trace[s]);
    }
    wi_joiner_fini(&state->joiner);
}

static const weir_operator join = {.name = "join",
                                   .state_bytes = sizeof(joining),
                                   .start = on_start,
                                   .batch = on_tokens,
                                   .run = on_run,
                                   .frontier = on_frontier,
                                   .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static const weir_field *key_field(const weir_key *key, uint32_t f)
{
    const weir_field *field = weir_type_fields(key->type);
    for (uint32_t i = 0; i < key->type->field_count; i++, field++)
        if (field->offset == key->offsets[f] && field->elements)
            return field;
    return NULL;
}

static bool same_kind(const weir_field *a, const weir_field *b)
{
    return a && b && a->kind == b->kind && a->elements == b->elements;
}

/* "u64", "(u64, text)" */
static char *kinds_text(const weir_key *key)
{
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    if (key->count != 1)
        fputc('(', to);
    for (uint32_t f = 0; f < key->count; f++) {
        const weir_field *field = key_field(key, f);
        fprintf(to, "%s%s", f ? ", " : "", field ? weir_kind_name(field->kind) : "?");
        if (field && field->elements > 1)
            fprintf(to, "[%u]", field->elements);
    }
    if (key->count != 1)
        fputc(')', to);
    fclose(to);
    return text;
}

bool wi_join_keys(weir_scope *scope, const char *name, const weir_key *a, const weir_key *b)
{
    bool same = a->count == b->count;
    for (uint32_t f = 0; f < a->count && same; f++)
        same = same_kind(key_field(a, f), key_field(b, f));
    if (same)
        return true;
    char *left = kinds_text(a), *right = kinds_text(b);
    weir_scope_fail(scope, "%s: left key is %s, right key is %s", name, left, right);
    free(left);
    free(right);
    return false;
}

bool wi_join_takes(weir_scope *scope, const char *name, const weir_join_kernel *kernel,
                   const weir_type *a, const weir_type *b)
{
    weir_stream left = {.scope = scope, .type = a}, right = {.scope = scope, .type = b};
    return wi_takes(left, name, kernel->name, kernel->a) &&
           wi_takes(right, name, kernel->name, kernel->b);
}

static weir_stream join_as(const char *name, weir_arrangement *a, weir_arrangement *b,
                           const weir_join_kernel *kernel, void *arg)
{
    weir_scope *scope = a->tokens.scope;
    if (wi_join_keys(scope, name, &a->key, &b->key))
        wi_join_takes(scope, name, kernel, a->layout->type, b->layout->type);
    join_plan *plan = WI_NEW(join_plan);
    *plan = (join_plan){.trace = {a->trace, b->trace},
                        .layout = {a->layout, b->layout},
                        .kernel = kernel,
                        .arg = arg};
    weir_builder *builder = wi_begin(a->tokens, WEIR_LOCAL, &join, plan, name, kernel->name);
    weir_builder_input(builder, b->tokens, WEIR_LOCAL);
    return wi_end(builder, kernel->out);
}

weir_stream weir_join_arranged_with(weir_arrangement *a, weir_arrangement *b,
                                    const weir_join_kernel *kernel, void *arg)
{
    return join_as(join.name, a, b, kernel, arg);
}

weir_stream wi_join(const char *name, weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                    const weir_join_kernel *kernel, void *arg)
{
    (void)(wi_takes(a, name, NULL, a_key.type) && wi_takes(b, name, NULL, b_key.type));
    return join_as(name, wi_arrange(a, a_key, NULL), wi_arrange(b, b_key, NULL), kernel, arg);
}

weir_stream weir_join_with(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                           const weir_join_kernel *kernel, void *arg)
{
    return wi_join(join.name, a, a_key, b, b_key, kernel, arg);
}
