/* A case as a dataflow: building it, feeding it in a random order at a random speed, and
 * recording all that comes out of its nodes. */
#include "functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cluster.h"

int probed(const test_case *of)
{
    return of->watched >= 0 ? of->watched : of->node_count - 1;
}

int scope_dims(const test_case *of, int scope)
{
    int dims = of->dims;
    for (; scope; scope = of->loops[scope - 1].parent)
        dims++;
    return dims;
}

/* ---- recording -------------------------------------------------------------------------- */

static void record_batch(weir_worker *worker, const weir_batch *batch, void *arg)
{
    watch *at = arg;
    run *to = at->run;
    record *into = &to->nodes[at->node];
    uint64_t complete = atomic_load(&to->complete);
    pthread_mutex_lock(&to->lock);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (into->count == into->capacity) {
            into->capacity = into->capacity ? into->capacity * 2 : 64;
            into->updates = realloc(into->updates, into->capacity * sizeof *into->updates);
        }
        const weir_time *time = weir_batch_time(batch, i);
        if (at->last && time->at[0] < complete)
            atomic_store(&to->late, true);
        into->updates[into->count++] =
            (update){cell_id(shapes[to->of->shape]->read(weir_batch_row(batch, i))), *time,
                     weir_batch_diff(batch, i)};
    }
    bool endless = into->count > 1000000;
    pthread_mutex_unlock(&to->lock);
    if (endless)
        weir_stop(worker, "node %d does not stop sending", at->node);
}

/* ---- building --------------------------------------------------------------------------- */

typedef struct graph {
    run *run;
    const test_case *of;
    const shape *shape;
    weir_scope *scopes[LOOPS_MAX + 1];
    weir_stream streams[NODES_MAX];
    weir_input *inputs[NODES_MAX];
    bool imported;
} graph;

static weir_scope *scope_of(graph *g, int index)
{
    if (!g->scopes[index]) {
        const loop *of = &g->of->loops[index - 1];
        g->scopes[index] = weir_loop_begin(scope_of(g, of->parent), "loop");
        if (of->rounds)
            weir_loop_rounds(g->scopes[index], of->rounds);
    }
    return g->scopes[index];
}

static int64_t threshold(int64_t count, void *arg)
{
    return thresholded(count, arg);
}

static weir_stream build_join(graph *g, const node *n, weir_stream a, weir_stream b, void *with)
{
    const shape *s = g->shape;
    weir_key by = s->key(n->key);
    switch (n->kind) {
    case JOIN:
        return weir_join_with(a, by, b, by, s->join, with);
    case JOIN_SOME:
        return weir_join_with(a, by, b, by, s->join_some, with);
    case JOIN_ARRANGED:
        return weir_join_arranged_with(weir_arrange(a, by), weir_arrange(b, by), s->join, with);
    case JOIN_ENTERED:
        return weir_join_arranged_with(
            weir_arrange(a, by), weir_arrangement_enter(scope_of(g, n->scope), weir_arrange(b, by)),
            s->join, with);
    case SEMIJOIN:
        return weir_semijoin(a, by, b, by);
    case ANTIJOIN:
        return weir_antijoin(a, by, b, by);
    case LEFT_JOIN:
        return weir_left_join_with(a, by, b, by, s->join, s->alone, with);
    case FULL_JOIN:
        return weir_full_join_with(a, by, b, by, s->join, s->alone, s->b_alone, with);
    case HALF_JOIN:
        return weir_half_join_with(a, by, weir_arrange(b, by),
                                   n->up_to ? WEIR_HALF_UP_TO : WEIR_HALF_BEFORE, s->join, with);
    default: /* DELTA_TWO */
        return weir_concat(
            weir_half_join_with(a, by, weir_arrange(b, by), WEIR_HALF_BEFORE, s->join, with),
            weir_half_join_with(b, by, weir_arrange(a, by), WEIR_HALF_UP_TO, s->join_swapped,
                                with));
    }
}

/* The kernel is commutative here, so each relation's changes meet the others in any order;
 * those after it in the list are seen as they were before. */
static weir_stream build_delta_three(graph *g, const node *n, void *with)
{
    weir_key by = g->shape->key(n->key);
    if (n->up_to) { /* the same, made by one call */
        const weir_join_kernel *j = g->shape->join;
        weir_stream all[3] = {g->streams[n->from[0]], g->streams[n->from[1]],
                              g->streams[n->from[2]]};
        weir_delta_step steps[] = {{1, by, by, j}, {2, by, by, j}, {0, by, by, j},
                                   {2, by, by, j}, {0, by, by, j}, {1, by, by, j}};
        return weir_delta_join_with(all, 3, steps, with);
    }
    weir_arrangement *held[3];
    weir_stream paths[3];
    for (int i = 0; i < 3; i++)
        held[i] = weir_arrange(g->streams[n->from[i]], by);
    for (int i = 0; i < 3; i++) {
        paths[i] = g->streams[n->from[i]];
        for (int other = 0; other < 3; other++)
            if (other != i)
                paths[i] = weir_half_join_with(paths[i], by, held[other],
                                               other < i ? WEIR_HALF_UP_TO : WEIR_HALF_BEFORE,
                                               g->shape->join, with);
    }
    return weir_concat_all(paths, 3);
}

static const char *const dim_names[] = {"system", "valid"};

static weir_stream build_timely(graph *g, int index, const node *n, weir_stream in, void *with)
{
    const shape *s = g->shape;
    const char *dim = g->of->dims == 1 ? "epoch" : dim_names[n->dim];
    switch (n->kind) {
    case INPUT:
        return weir_input_new(g->scopes[0], s->type, &g->inputs[index]);
    case DELAY:
        return weir_delay(in, n->at * g->of->stride);
    case AS_OF:
        return weir_as_of(in, dim, n->at * g->of->stride);
    case VALID:
        return weir_valid(in, dim, s->from, s->until, with);
    case ENTER:
        return weir_enter(scope_of(g, n->scope), in);
    case ENTER_AT:
        return weir_enter_at(scope_of(g, n->scope), in, s->round, with);
    case VARIABLE:
        return weir_variable(scope_of(g, n->scope), in);
    default: /* LEAVE */
        return weir_leave(scope_of(g, g->of->nodes[n->from[0]].scope), in);
    }
}

static weir_stream build_node(graph *g, int index)
{
    const node *n = &g->of->nodes[index];
    const shape *s = g->shape;
    void *with = &g->run->with[index];
    weir_stream in = n->kind == INPUT ? (weir_stream){0} : g->streams[n->from[0]];
    switch (n->kind) {
    case MAP:
        return weir_map_with(in, s->map, with);
    case FILTER:
        return weir_filter_with(in, s->filter, with);
    case FLAT_MAP:
        return weir_flat_map_with(in, s->flat_map, with);
    case FILTER_MAP:
        return weir_filter_map_with(in, s->filter_map, with);
    case CONCAT:
        return weir_concat(in, g->streams[n->from[1]]);
    case NEGATE:
        return weir_negate(in);
    case CONSOLIDATE:
        return weir_consolidate(in);
    case ARRANGED:
        return weir_arrangement_stream(weir_arrange(in, s->key(n->key)));
    case DELTA_THREE:
        return build_delta_three(g, n, with);
    case REDUCE:
        return weir_reduce_with(in, s->key(n->key), s->reduce, with);
    case THRESHOLD:
        return weir_threshold(in, threshold, with);
    case DISTINCT:
        return weir_distinct(in);
    case TOP:
        return weir_group_top(in, s->key(n->key), s->order(n->order, n->descending), n->top);
    case FIRST:
        return weir_group_first(in, s->key(n->key), s->order(n->order, n->descending));
    case LAST:
        return weir_group_last(in, s->key(n->key), s->order(n->order, n->descending));
    case UPSERT:
        return weir_upsert(in, s->key(BY_K), s->order(BY_V, n->descending));
    default:
        if (n->kind >= JOIN && n->kind <= DELTA_TWO)
            return build_join(g, n, in, g->streams[n->from[1]], with);
        if (n->kind >= COUNT && n->kind <= PREFIX_SUM)
            return s->group(in, n, with);
        return build_timely(g, index, n, in, with);
    }
}

static void build_graph(graph *g)
{
    const test_case *of = g->of;
    for (int i = 0; i < of->node_count; i++) {
        if (of->nodes[i].kind == GONE)
            continue;
        g->streams[i] = build_node(g, i);
        bool watched = of->watched < 0 || of->watched == i;
        if (watched)
            weir_inspect_batch(g->streams[i], record_batch, &g->run->watches[i]);
    }
    for (int i = 0; i < of->node_count; i++) {
        const node *n = &of->nodes[i];
        if (n->kind == VARIABLE && n->from[1] >= 0)
            (n->replace ? weir_variable_replace : weir_variable_set)(g->streams[i],
                                                                     g->streams[n->from[1]]);
    }
}

/* A second dataflow, on what the first one has published. */
static void import(weir_worker *worker, graph *g)
{
    if (g->of->import == IMPORT_NOT || g->imported)
        return;
    g->imported = true;
    weir_dataflow *flow = weir_dataflow_begin(worker, "import");
    if (g->of->dims == 2)
        weir_dataflow_dims(flow, dim_names, 2);
    weir_stream out = weir_arrangement_stream(weir_arrangement_import(flow, "it"));
    weir_inspect_batch(out, record_batch, &g->run->watches[NODES_MAX]);
    weir_dataflow_end_or_stop(flow);
}

/* ---- feeding ---------------------------------------------------------------------------- */

typedef struct pending {
    weir_input *input;
    const change *changes[CHANGES_MAX];
    int count;
    weir_time now;
    uint32_t speed; /* how often it has its turn */
} pending;

static weir_time time_of(const test_case *of, const change *c)
{
    return (weir_time){{c->at[0] * of->stride, c->at[1] * of->stride}};
}

/* To an upsert, what is taken back has been said. */
static uint32_t repeats_of(const test_case *of, int input)
{
    for (int n = 0; n < of->node_count; n++)
        if (of->nodes[n].kind == UPSERT && of->nodes[n].from[0] == input)
            return 0;
    return of->repeats;
}

static void push_change(const test_case *of, pending *to, int index)
{
    const change *c = to->changes[index];
    weir_out *out = weir_input_out(to->input);
    weir_time time = time_of(of, c);
    weir_out_time(out, &time);
    for (uint32_t r = 0; r <= 2 * repeats_of(of, c->input); r++) {
        weir_out_diff(out, r % 2 ? -c->diff : c->diff);
        shapes[of->shape]->push(out, c->row);
    }
    memmove(&to->changes[index], &to->changes[index + 1],
            (size_t)(--to->count - index) * sizeof *to->changes);
}

/* As far as what is still to come allows; sometimes less far. */
static void advance(const test_case *of, pending *to, rng *from)
{
    weir_time until = {{UINT64_MAX, UINT64_MAX}};
    for (int i = 0; i < to->count; i++) {
        weir_time at = time_of(of, to->changes[i]);
        until = weir_time_meet(&until, &at);
    }
    if (!to->count)
        for (int d = 0; d < of->dims; d++)
            until.at[d] = (to->now.at[d] / of->stride + draw(from, 3)) * of->stride;
    for (int d = 0; d < of->dims; d++)
        if (draw(from, 4) == 0)
            until.at[d] = to->now.at[d];
    if (of->dims == 1)
        until.at[1] = 0;
    if (!weir_time_le(&to->now, &until) || weir_time_eq(&to->now, &until))
        return;
    to->now = until;
    weir_input_advance_to(to->input, &until);
}

static void steps(weir_worker *worker, rng *from, uint32_t one_in)
{
    if (draw(from, one_in) == 0)
        for (uint64_t count = 1 + draw(from, 6); count > 0; count--)
            weir_step(worker);
}

static void feed_free(weir_worker *worker, graph *g, pending *of, int count, rng *from)
{
    int open = count;
    uint64_t until_import = draw(from, 30);
    while (open && !weir_stopping(worker)) {
        if (!until_import--)
            import(worker, g);
        pending *at = &of[draw(from, (uint64_t)count)];
        if (!at->input || draw(from, at->speed))
            continue;
        if (at->count) {
            uint64_t ahead = g->of->columns ? (uint64_t)at->count : 1;
            push_change(g->of, at, (int)(draw(from, 2) ? 0 : draw(from, ahead)));
            if (draw(from, g->of->flush_in) == 0)
                weir_input_flush(at->input);
        }
        if (draw(from, 3) == 0)
            advance(g->of, at, from);
        if (!at->count && draw(from, 4) == 0) {
            import(worker, g); /* while the other still runs */
            weir_input_close(&at->input);
            open--;
        }
        steps(worker, from, g->of->step_in);
    }
}

static void feed_epochs(weir_worker *worker, graph *g, pending *of, int count, weir_probe *probe)
{
    for (uint64_t epoch = 0; epoch < g->of->span[0]; epoch++) {
        if (epoch == g->of->span[0] / 2)
            import(worker, g);
        for (int i = 0; i < count; i++) {
            for (int c = 0; c < of[i].count; c++)
                if (of[i].changes[c]->at[0] == epoch)
                    push_change(g->of, &of[i], c--);
            weir_input_advance(of[i].input, (epoch + 1) * g->of->stride);
        }
        uint64_t below = epoch * g->of->stride + 1;
        if (!weir_step_while_below(worker, probe, below))
            return;
        uint64_t had = atomic_load(&g->run->complete);
        while (had < below && !atomic_compare_exchange_weak(&g->run->complete, &had, below))
            ;
    }
    for (int i = 0; i < count; i++)
        weir_input_close(&of[i].input);
}

static int compare_changes(const void *a, const void *b, void *turned)
{
    const change *x = *(const change *const *)a, *y = *(const change *const *)b;
    int first = *(int *)turned;
    for (int i = 0; i < 2; i++) {
        int dim = i ? 1 - first : first;
        if (x->at[dim] != y->at[dim])
            return x->at[dim] < y->at[dim] ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

/* This worker's share of the changes of each input, sorted so that it can advance. */
static int share_out(weir_worker *worker, graph *g, pending *of, rng *from)
{
    int count = 0;
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    for (int n = 0; n < g->of->node_count; n++) {
        if (!g->inputs[n])
            continue;
        pending *to = &of[count++];
        *to = (pending){.input = g->inputs[n], .speed = 1 + (uint32_t)draw(from, 5)};
        for (int c = 0; c < g->of->change_count; c++)
            if (g->of->changes[c].input == n && (uint32_t)c % workers == index)
                to->changes[to->count++] = &g->of->changes[c];
        int first = g->of->dims == 2 && draw(from, 2);
        if (to->count)
            qsort_r(to->changes, (size_t)to->count, sizeof *to->changes, compare_changes, &first);
    }
    return count;
}

static void work(weir_worker *worker, void *arg)
{
    run *r = arg;
    graph g = {.run = r, .of = r->of, .shape = shapes[r->of->shape]};
    rng from = {r->of->seed * 64 + weir_worker_index(worker)};
    g.scopes[0] = weir_dataflow_begin(worker, "oracle");
    if (r->of->dims == 2)
        weir_dataflow_dims(g.scopes[0], dim_names, 2);
    build_graph(&g);
    weir_probe *probe = weir_probe_new(g.streams[probed(r->of)]);
    if (r->of->import != IMPORT_NOT)
        weir_arrangement_publish(
            weir_arrange(g.streams[probed(r->of)], g.shape->key(r->of->nodes[probed(r->of)].key)),
            "it");
    if (!weir_dataflow_end_or_stop(g.scopes[0]))
        return;
    if (r->of->import == IMPORT_ALL)
        import(worker, &g);
    pending inputs[INPUTS_MAX];
    int count = share_out(worker, &g, inputs, &from);
    if (r->of->drive == DRIVE_STEP)
        feed_epochs(worker, &g, inputs, count, probe);
    else
        feed_free(worker, &g, inputs, count, &from);
    weir_run(worker);
}

extern uint64_t wi_consolidate_rows;

char *run_case(const test_case *of, run *out)
{
    memset(out, 0, sizeof *out);
    wi_consolidate_rows = of->seed % 2 ? 1 + of->seed / 2 % 4 : 1u << 17;
    out->of = of;
    pthread_mutex_init(&out->lock, NULL);
    for (int n = 0; n < of->node_count; n++) {
        out->with[n] = of->nodes[n].with;
        out->with[n].stride = of->stride;
        out->watches[n] = (watch){out, n, n == probed(of)};
    }
    out->watches[NODES_MAX] = (watch){out, NODES_MAX, false};
    weir_config config = {
        .workers = of->workers, .deterministic = of->deterministic, .seed = of->seed};
    if (of->workers % 2 == 0 && !of->deterministic && of->seed % 8 == 0) {
        config.workers = of->workers / 2;
        config.cluster.processes = 2;
    }
    weir_err *err = test_execute(&config, work, out);
    if (!err)
        return atomic_load(&out->late) ? strdup("a change came at a time that was complete") : NULL;
    char *text = strdup(weir_err_message(err));
    weir_err_free(err);
    return text;
}

void run_free(run *of)
{
    for (int n = 0; n <= NODES_MAX; n++)
        free(of->nodes[n].updates);
    pthread_mutex_destroy(&of->lock);
}
