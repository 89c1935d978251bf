/* Dataflows as the whole process sees them: the first worker that has built one makes its tracker,
 * the others are compared with it, and the last one to leave frees it. What goes on in between is
 * post.c's (progress) and frontiers.c's (what is published). */
#include "shared.h"

#include <stdlib.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../base/type.h"
#include "cluster.h"

/* ---- making the tracker ----------------------------------------------------------------- */

static void add_summaries(wi_graph *graph, const weir_op *op)
{
    int dims = op->scope->dims;
    for (uint32_t i = 0; i < op->input_count; i++)
        for (uint32_t o = 0; o < op->output_count; o++) {
            bool declared = false;
            for (uint32_t s = 0; s < op->summary_count; s++) {
                const wi_pair_summary *pair = &op->summaries[s];
                if (pair->input != i || pair->output != o)
                    continue;
                declared = true;
                if (!pair->unrelated)
                    wi_graph_summary(graph, op->node, i, o, pair->summary);
            }
            if (!declared)
                wi_graph_summary(graph, op->node, i, o, weir_summary_identity(dims));
        }
}

static void add_node(wi_graph *graph, weir_op *op)
{
    switch (op->kind) {
    case WI_NODE_PLAIN:
        op->node = wi_graph_node(graph, op->scope->id, op->name, op->input_count,
                                 op->output_count);
        add_summaries(graph, op);
        break;
    case WI_NODE_ENTER:
        op->node = wi_graph_enter(graph, op->boundary->id, op->name);
        break;
    case WI_NODE_LEAVE:
        op->node = wi_graph_leave(graph, op->boundary->id, op->name);
        break;
    case WI_NODE_FEEDBACK:
        op->node = wi_graph_feedback(graph, op->scope->id, op->name, op->step);
        break;
    }
}

/* A message is counted at an input unless it arrives inside its sender's call. */
static bool is_counted(const wi_flow *flow, const wi_input_port *input)
{
    bool local = input->route.kind == WEIR_I_LOCAL || flow->worker->process->workers == 1;
    return !input->op->logic->stateless || !local;
}

static wi_graph *make_graph(wi_flow *flow)
{
    wi_graph *graph = wi_graph_new(flow->root.dims);
    weir_scope **scopes = WI_NEWS(weir_scope *, flow->scope_count + 1);
    for (weir_scope *scope = flow->scopes; scope; scope = scope->next)
        scopes[scope->id - 1] = scope;
    for (uint32_t i = 0; i < flow->scope_count; i++) {
        wi_scope_id id = wi_graph_scope(graph, scopes[i]->parent->id, scopes[i]->name);
        wi_assert(id == scopes[i]->id, "scopes are numbered in the order they were built");
    }
    wi_free(scopes);
    for (uint32_t i = 0; i < flow->op_count; i++)
        add_node(graph, flow->ops[i]);
    for (uint32_t i = 0; i < flow->op_count; i++) {
        weir_op *op = flow->ops[i];
        for (uint32_t p = 0; p < op->input_count; p++) {
            const wi_input_port *input = op->inputs[p];
            wi_graph_edge(graph, flow->ops[input->from_op]->node, input->from_port, op->node, p);
            if (!is_counted(flow, input))
                wi_graph_uncounted(graph, op->node, p);
        }
        for (uint32_t p = 0; p < op->output_count; p++)
            if (op->logic->stateless)
                wi_graph_stateless(graph, op->node, p);
    }
    return graph;
}

/* Every worker will hold what its sources start with; all of it is counted before the first
 * worker moves, so that no frontier passes a worker that is still building. */
static void count_sources(wi_shared *shared, const wi_flow *flow)
{
    static const weir_time first;
    for (uint32_t i = 0; i < flow->op_count; i++) {
        const weir_op *op = flow->ops[i];
        for (uint32_t p = 0; op->logic->source && p < op->output_count; p++) {
            wi_loc loc = wi_tracker_out(shared->tracker, op->node, p);
            wi_tracker_update(shared->tracker, loc, &first, shared->process->workers);
            if (shared->own)
                wi_tracker_update(shared->own, loc, &first, shared->process->local_workers);
        }
    }
}

static void propagate(wi_shared *shared)
{
    const wi_loc *moved;
    uint32_t count = wi_tracker_propagate(shared->tracker, &moved);
    wi_publish(shared, moved, count);
}

/* With process->lock. A copy, since a worker's own type may go with its dataflow; it stays as long
 * as the process, since batches of it may: in a mailbox, a capture, or one that was passed on. */
static const weir_type *keep_type(wi_process *process, const weir_type *type)
{
    weir_type *copy = wi_type_copy(type);
    for (uint32_t i = 0; i < process->type_count; i++)
        if (weir_type_same(copy, process->types[i])) {
            weir_type_free(copy);
            return process->types[i];
        }
    wi_grow(&process->types, &process->type_capacity, process->type_count + 1,
            sizeof *process->types);
    return process->types[process->type_count++] = copy;
}

/* With process->lock. Everything by edge. */
static void open_ports(wi_shared *shared, const wi_flow *flow)
{
    wi_process *process = shared->process;
    shared->taken_stride = (flow->edges + 7) / 8 * 8; /* each pair of workers has its own lines */
    shared->taken = wi_alloc_lines(sizeof *shared->taken * process->local_workers *
                                   process->workers * shared->taken_stride);
    if (!process->cluster)
        return;
    wi_changes_init(&shared->outgoing, shared->locs);
    shared->port_count = flow->edges;
    shared->ports = WI_NEWS(wi_shared_port, flow->edges + 1);
    for (uint32_t i = 0; i < flow->op_count; i++)
        for (uint32_t p = 0; p < flow->ops[i]->input_count; p++) {
            const wi_input_port *input = flow->ops[i]->inputs[p];
            shared->ports[input->edge] =
                (wi_shared_port){.op = i,
                                 .input = p,
                                 .loc = wi_tracker_in(shared->tracker, i, p),
                                 .exchanged = input->route.kind != WEIR_I_LOCAL,
                                 .type = keep_type(process, input->type)};
        }
}

static void open_shared(wi_shared *shared, wi_flow *flow, wi_tracker *tracker)
{
    wi_process *process = shared->process;
    shared->tracker = tracker;
    shared->first_worker = flow->worker->index;
    shared->outline = wi_outline_of(flow);
    shared->locs = wi_tracker_locs(tracker);
    shared->slots = wi_alloc_lines(process->local_workers * sizeof(wi_slot));
    shared->reps = WI_NEWS(wi_loc, shared->locs);
    shared->dims = WI_NEWS(uint8_t, shared->locs);
    for (wi_loc loc = 0; loc < shared->locs; loc++) {
        shared->reps[loc] = wi_tracker_rep(tracker, loc);
        shared->dims[loc] = (uint8_t)wi_tracker_dims(tracker, loc);
    }
    open_ports(shared, flow);
    wi_publish_init(shared);
    count_sources(shared, flow);
    propagate(shared);
    /* What nothing reaches is closed from the start; the tracker reports only moves. */
    for (wi_loc loc = 0; loc < shared->locs; loc++)
        if (shared->dims[loc] == 1 && !wi_tracker_frontier(tracker, loc)->count)
            wi_publish(shared, &loc, 1);
    atomic_store_explicit(&shared->notice.done, wi_tracker_idle(tracker), memory_order_release);
}

/* ---- joining and leaving ---------------------------------------------------------------- */

static wi_shared *find_shared(wi_process *process, uint32_t number, const char *name)
{
    wi_grow(&process->shared, &process->shared_capacity, number + 1, sizeof *process->shared);
    wi_grow(&process->ended, &process->ended_capacity, number + 1, sizeof *process->ended);
    while (process->shared_count <= number) {
        process->ended[process->shared_count] = false;
        process->shared[process->shared_count++] = NULL;
    }
    if (!process->shared[number]) {
        wi_shared *shared = wi_alloc_lines(sizeof *shared);
        shared->process = process;
        shared->number = number;
        shared->name = wi_strdup(name);
        process->shared[number] = shared;
    }
    return process->shared[number];
}

static weir_err *missing(const wi_shared *shared, uint32_t returned, uint32_t built)
{
    return weir_err_new("worker %u has returned without building dataflow `%s`, which worker %u "
                        "built; every worker must build the same dataflows in the same order",
                        returned, shared->name, built);
}

static weir_err *compare_graphs(const wi_shared *shared, const wi_flow *flow)
{
    wi_outline ours = wi_outline_of(flow);
    wi_builders by = {"worker", "every worker must build the same graph", flow->worker->index,
                      shared->first_worker};
    weir_err *err = wi_outline_compare(&by, ours, shared->outline);
    free(ours.text);
    return err;
}

static weir_err *join_locked(wi_shared *shared, wi_flow *flow)
{
    if (shared->failure)
        return weir_err_new("%s", shared->failure);
    for (uint32_t i = 0; i < shared->process->local_workers; i++)
        if (shared->process->returned[i] <= shared->number)
            return missing(shared, shared->process->first_worker + i, flow->worker->index);
    if (shared->tracker)
        return compare_graphs(shared, flow);
    weir_err *err = NULL;
    wi_tracker *tracker = wi_tracker_new(make_graph(flow), &err);
    if (!tracker) {
        weir_err *named = weir_err_new("dataflow `%s`: %s", shared->name, weir_err_message(err));
        weir_err_free(err);
        shared->failure = wi_strdup(weir_err_message(named));
        return named;
    }
    if (shared->process->cluster)
        shared->own = wi_tracker_new(make_graph(flow), &err);
    open_shared(shared, flow, tracker);
    return shared->process->cluster ? wi_cluster_built(shared) : NULL;
}

/* Operators keep the node ids that make_graph gave them; on workers that join later the ids
 * are the same, since the graphs are: nodes are numbered in the order of operators. */
static void number_nodes(wi_flow *flow)
{
    for (uint32_t i = 0; i < flow->op_count; i++)
        flow->ops[i]->node = i;
}

const wi_tracker *wi_shared_join(wi_flow *flow, weir_err **err_out)
{
    wi_process *process = flow->worker->process;
    pthread_mutex_lock(&process->lock);
    wi_shared *shared = find_shared(process, flow->number, flow->root.name);
    bool alone = shared->joined == 0 && process->workers == 1;
    weir_err *err = join_locked(shared, flow);
    if (!err) {
        shared->members++;
        shared->joined++;
        flow->shared = shared;
        flow->notice = &shared->notice;
        number_nodes(flow);
    }
    pthread_mutex_unlock(&process->lock);
    if (err && !alone) /* the other workers cannot go on without this one */
        wi_stop_with(process, weir_err_new("%s", weir_err_message(err)));
    *err_out = err;
    return err ? NULL : shared->tracker;
}

void wi_shared_failed(weir_worker *worker, uint32_t number, const char *name, const weir_err *why)
{
    wi_process *process = worker->process;
    pthread_mutex_lock(&process->lock);
    wi_shared *shared = find_shared(process, number, name);
    if (!shared->failure)
        shared->failure = wi_strdup(weir_err_message(why));
    pthread_mutex_unlock(&process->lock);
    if (process->workers > 1)
        wi_stop_with(process, weir_err_new("%s", weir_err_message(why)));
}

void wi_shared_returned(weir_worker *worker)
{
    wi_process *process = worker->process;
    weir_err *err = NULL;
    pthread_mutex_lock(&process->lock);
    process->returned[worker->local] = worker->flow_next;
    for (uint32_t n = worker->flow_next; n < process->shared_count && !err; n++)
        if (process->shared[n] && process->shared[n]->tracker)
            err = missing(process->shared[n], worker->index, process->shared[n]->first_worker);
    pthread_mutex_unlock(&process->lock);
    if (!err && process->cluster)
        wi_cluster_returned(process, worker->index, worker->flow_next);
    if (err)
        wi_stop_with(process, err);
}

/* With process->lock, as the caller stops to be a member or a visitor: without it another one may
 * free it. Whether this was the last, who frees it. */
static bool is_last(wi_shared *shared)
{
    wi_process *process = shared->process;
    bool last = shared->over && !shared->visits;
    if (last) {
        process->shared[shared->number] = NULL;
        process->ended[shared->number] = true;
    }
    return last;
}

void wi_shared_leave(wi_flow *flow)
{
    wi_shared *shared = flow->shared;
    wi_shared_settle(flow);
    if (!wi_flow_done(flow)) {
        uint32_t none = 0;
        atomic_compare_exchange_strong(&shared->notice.dropped, &none, flow->worker->index + 1);
        if (shared->process->cluster)
            wi_cluster_dropped(shared->process, flow->number, flow->worker->index);
        wi_wake_all(shared->process); /* who sleeps on it must find out */
    }
    wi_process *process = flow->worker->process;
    pthread_mutex_lock(&process->lock);
    shared->over = --shared->members == 0 && shared->joined == process->local_workers;
    bool last = is_last(shared);
    pthread_mutex_unlock(&process->lock);
    if (last)
        wi_shared_free(shared);
}

void wi_shared_free(wi_shared *shared)
{
    wi_publish_fini(shared);
    free(shared->outline.text);
    wi_tracker_free(shared->tracker);
    wi_tracker_free(shared->own);
    wi_free(shared->failure);
    for (wi_incoming *at = atomic_load_explicit(&shared->incoming, memory_order_relaxed), *next; at;
         at = next) {
        next = at->next;
        wi_free(at);
    }
    wi_free(shared->ports);
    wi_free((void *)shared->taken);
    wi_changes_fini(&shared->outgoing);
    wi_free(shared->slots);
    wi_free(shared->reps);
    wi_free(shared->dims);
    wi_free(shared->name);
    wi_free(shared);
}

/* ---- other processes -------------------------------------------------------------------- */

_Atomic(uint64_t) *wi_shared_taken(const wi_shared *shared, uint32_t from, uint32_t to,
                                   uint32_t edge)
{
    size_t pair = (size_t)from * shared->process->workers + to;
    return &shared->taken[pair * shared->taken_stride + edge];
}

wi_shared *wi_shared_find(wi_process *process, uint32_t number, bool *ended_out)
{
    *ended_out = number < process->shared_count && process->ended[number];
    wi_shared *shared = number < process->shared_count ? process->shared[number] : NULL;
    return shared && shared->tracker ? shared : NULL;
}

void wi_shared_visit(wi_shared *shared)
{
    shared->visits++;
}

void wi_shared_visited(wi_shared *shared)
{
    wi_process *process = shared->process;
    pthread_mutex_lock(&process->lock);
    shared->visits--;
    bool last = is_last(shared);
    pthread_mutex_unlock(&process->lock);
    if (last)
        wi_shared_free(shared);
}
