/* Progress between workers: one tracker for each dataflow in each process.
 *
 * A worker posts its changes as one piece. If the tracker is free it takes the lock and
 * applies them itself; otherwise it leaves them in its outbox slot, for whoever holds the
 * lock. The holder drains every slot, propagates once, publishes the frontiers that moved
 * and wakes the sleeping workers that they concern.
 *
 * Invariants
 *   P1 Changes that belong together are applied before the same propagate: a slot holds
 *      one piece, and a piece is applied as a whole.
 *   P2 No piece is stranded: a worker that has filled its slot then tries the lock; a
 *      holder that has released the lock then looks at the slots again. Both are
 *      sequentially consistent, so at least one of them sees the other.
 *   P3 A piece is counted once: the slot is emptied only after it was applied and cleared,
 *      and its worker fills it again only when it is empty.
 * tests/models checks them. */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "../base/type.h"
#include "cluster.h"
#include "tsan.h"

/* ---- the graph, compared between workers ------------------------------------------------ */

static weir_err *differs(const wi_shared *shared, const wi_flow *flow, uint32_t index)
{
    const char *mine = index < flow->op_count ? flow->ops[index]->name : NULL;
    const char *theirs = index < shared->op_count ? shared->op_names[index] : NULL;
    if (mine && theirs && strcmp(mine, theirs) == 0) {
        char *text = wi_op_describe(flow->ops[index]);
        weir_err *err =
            weir_err_new("dataflow `%s`: worker %u built operator %u `%s` as {%s}, worker %u as "
                         "{%s}; every worker must build the same graph",
                         shared->name, flow->worker->index, index, mine, text,
                         shared->first_worker, shared->op_texts[index]);
        free(text);
        return err;
    }
    return weir_err_new("dataflow `%s`: worker %u built %s%s%s as operator %u, worker %u built "
                        "%s%s%s; every worker must build the same graph",
                        shared->name, flow->worker->index, mine ? "`" : "", mine ? mine : "nothing",
                        mine ? "`" : "", index, shared->first_worker, theirs ? "`" : "",
                        theirs ? theirs : "nothing", theirs ? "`" : "");
}

static weir_err *compare_graphs(const wi_shared *shared, const wi_flow *flow)
{
    char *dims = wi_dims_describe(flow);
    weir_err *err = NULL;
    if (strcmp(dims, shared->dims_text) != 0)
        err = weir_err_new("dataflow `%s`: worker %u declared the dimensions (%s), worker %u (%s); "
                           "every worker must build the same graph",
                           shared->name, flow->worker->index, dims, shared->first_worker,
                           shared->dims_text);
    free(dims);
    if (err)
        return err;
    uint32_t most = flow->op_count > shared->op_count ? flow->op_count : shared->op_count;
    for (uint32_t i = 0; i < most; i++) {
        if (i >= flow->op_count || i >= shared->op_count ||
            strcmp(flow->ops[i]->name, shared->op_names[i]) != 0)
            return differs(shared, flow, i);
        char *text = wi_op_describe(flow->ops[i]);
        bool same = strcmp(text, shared->op_texts[i]) == 0;
        free(text);
        if (!same)
            return differs(shared, flow, i);
    }
    return NULL;
}

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
        for (uint32_t p = 0; op->logic->source && p < op->output_count; p++)
            wi_tracker_update(shared->tracker, wi_tracker_out(shared->tracker, op->node, p),
                              &first, shared->process->workers);
    }
}

static void propagate(wi_shared *shared)
{
    const wi_loc *moved;
    uint32_t count = wi_tracker_propagate(shared->tracker, &moved);
    wi_publish(shared, moved, count);
}

/* Everything by edge. Types are copied, since a worker's own may go with its dataflow. */
static void open_ports(wi_shared *shared, const wi_flow *flow)
{
    const wi_process *process = shared->process;
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
                (wi_shared_port){i, p, input->route.kind != WEIR_I_LOCAL, wi_type_copy(input->type)};
        }
}

static void open_shared(wi_shared *shared, wi_flow *flow, wi_tracker *tracker)
{
    wi_process *process = shared->process;
    shared->tracker = tracker;
    shared->first_worker = flow->worker->index;
    shared->op_count = flow->op_count;
    shared->dims_text = wi_dims_describe(flow);
    shared->op_texts = WI_NEWS(char *, flow->op_count + 1);
    shared->op_names = WI_NEWS(char *, flow->op_count + 1);
    for (uint32_t i = 0; i < flow->op_count; i++) {
        shared->op_texts[i] = wi_op_describe(flow->ops[i]);
        shared->op_names[i] = wi_strdup(flow->ops[i]->name);
    }
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

static bool try_lock(wi_shared *shared);
static void hold(wi_shared *shared, wi_changes *own);
static void push_rest(wi_shared *shared);

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

static weir_err *join_locked(wi_shared *shared, wi_flow *flow)
{
    if (shared->failure)
        return weir_err_new("%s", shared->failure);
    for (uint32_t i = 0; i < shared->process->local_workers; i++)
        if (shared->process->returned[i] <= shared->number)
            return missing(shared, shared->process->first_worker + i, flow->worker->index);
    if (shared->tracker) {
        if (strcmp(shared->name, flow->root.name) != 0)
            return weir_err_new("worker %u built dataflow `%s` where worker %u built `%s`; every "
                                "worker must build the same dataflows in the same order",
                                flow->worker->index, flow->root.name, shared->first_worker,
                                shared->name);
        return compare_graphs(shared, flow);
    }
    weir_err *err = NULL;
    wi_tracker *tracker = wi_tracker_new(make_graph(flow), &err);
    if (!tracker) {
        weir_err *named = weir_err_new("dataflow `%s`: %s", shared->name, weir_err_message(err));
        weir_err_free(err);
        shared->failure = wi_strdup(weir_err_message(named));
        return named;
    }
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

/* Changes in the outbox belong to the flow, which is about to go. */
static void empty_slot(wi_flow *flow)
{
    wi_shared *shared = flow->shared;
    while (atomic_load_explicit(&shared->slots[flow->worker->local].posted, memory_order_acquire))
        if (try_lock(shared))
            hold(shared, NULL);
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
    empty_slot(flow);
    while (atomic_load_explicit(&shared->notice.unsent, memory_order_relaxed))
        push_rest(shared);
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
    for (uint32_t i = 0; i < shared->op_count; i++) {
        free(shared->op_texts[i]);
        wi_free(shared->op_names[i]);
    }
    wi_free(shared->op_texts);
    free(shared->dims_text);
    wi_free(shared->op_names);
    wi_tracker_free(shared->tracker);
    wi_free(shared->failure);
    for (wi_incoming *at = atomic_load_explicit(&shared->incoming, memory_order_relaxed), *next; at;
         at = next) {
        next = at->next;
        wi_free(at);
    }
    for (uint32_t i = 0; i < shared->port_count; i++)
        weir_type_free((weir_type *)shared->ports[i].type);
    wi_free(shared->ports);
    wi_free((void *)shared->taken);
    wi_changes_fini(&shared->outgoing);
    wi_free(shared->slots);
    wi_free(shared->reps);
    wi_free(shared->dims);
    wi_free(shared->name);
    wi_free(shared);
}

/* ---- posting ---------------------------------------------------------------------------- */

static bool try_lock(wi_shared *shared)
{
    return !atomic_load_explicit(&shared->lock, memory_order_seq_cst) &&
           !atomic_exchange_explicit(&shared->lock, 1, memory_order_seq_cst);
}

/* Of a worker of this process: the others are to be told. */
static void apply(wi_shared *shared, wi_changes *changes)
{
    bool tell = shared->process->cluster != NULL;
    for (uint32_t i = 0; i < changes->count; i++) {
        const wi_change *change = &changes->entries[i];
        if (!change->delta)
            continue;
        wi_tracker_update(shared->tracker, change->loc, &change->time, change->delta);
        if (tell)
            wi_changes_add(&shared->outgoing, shared->reps[change->loc], &change->time,
                           change->delta);
    }
    wi_changes_clear(changes);
}

static void drain_slots(wi_shared *shared)
{
    for (uint32_t i = 0; i < shared->process->local_workers; i++) {
        wi_slot *slot = &shared->slots[i];
        wi_changes *posted = atomic_load_explicit(&slot->posted, memory_order_acquire);
        if (!posted)
            continue;
        apply(shared, posted);
        atomic_store_explicit(&slot->posted, NULL, memory_order_release);
    }
}

/* All that came so far is applied before the next propagation, so its order does not matter; and
 * what came from a process earlier is taken no later. */
static void drain_incoming(wi_shared *shared)
{
    wi_incoming *at = atomic_load_explicit(&shared->incoming, memory_order_relaxed);
    if (!at)
        return;
    at = atomic_exchange_explicit(&shared->incoming, NULL, memory_order_acquire);
    while (at) {
        wi_incoming *next = at->next;
        for (uint32_t i = 0; i < at->count; i++)
            wi_tracker_update(shared->tracker, at->changes[i].loc, &at->changes[i].time,
                              at->changes[i].delta);
        wi_free(at);
        at = next;
    }
}

static bool any_posted(wi_shared *shared)
{
    if (atomic_load_explicit(&shared->incoming, memory_order_seq_cst))
        return true;
    for (uint32_t i = 0; i < shared->process->local_workers; i++)
        if (atomic_load_explicit(&shared->slots[i].posted, memory_order_seq_cst))
            return true;
    return false;
}

/* Sleepers published that they sleep before they looked for work a last time; what we
 * published lies before this look at them, so one of the two sees the other. */
static void wake_concerned(wi_shared *shared, const wi_loc *moved, uint32_t count, bool done)
{
    wi_process *process = shared->process;
    if (process->workers == 1)
        return;
    wi_full_fence();
    if (!atomic_load_explicit(&process->parked_count, memory_order_relaxed))
        return;
    for (uint32_t i = 0; i < process->local_workers; i++)
        if (atomic_load_explicit(&process->seats[i].parked, memory_order_relaxed) &&
            (done || wi_publish_concerns(shared, i, moved, count)))
            wi_wake(process, i);
}

static void work_as_holder(wi_shared *shared)
{
    const wi_loc *moved;
    uint32_t count = wi_tracker_propagate(shared->tracker, &moved);
    if (!count)
        return;
    wi_publish(shared, moved, count);
    bool done = wi_tracker_idle(shared->tracker);
    if (done) {
        atomic_store_explicit(&shared->notice.done, true, memory_order_release);
        wi_publish(shared, moved, 1); /* who has looked in between looks again */
    }
    wake_concerned(shared, moved, count, done);
}

/* While much waits to be sent, changes are merged: there is one frame for all of them later. */
static void tell_others(wi_shared *shared, bool at_once)
{
    wi_changes *outgoing = &shared->outgoing;
    if (!outgoing->count)
        return;
    bool wait = outgoing->nonzero && !at_once && wi_cluster_busy(shared->process);
    if (outgoing->nonzero && !wait)
        wi_cluster_progress(shared->process, shared->number, shared->dims, shared->locs, outgoing);
    if (!wait)
        wi_changes_clear(outgoing);
    atomic_store_explicit(&shared->notice.unsent, wait, memory_order_relaxed);
}

static void hold(wi_shared *shared, wi_changes *own)
{
    bool others = shared->process->workers > 1;
    if (own)
        apply(shared, own);
    do {
        if (others) {
            drain_slots(shared);
            drain_incoming(shared);
        }
        if (shared->process->cluster)
            tell_others(shared, false);
        work_as_holder(shared);
        atomic_store_explicit(&shared->lock, 0,
                              others ? memory_order_seq_cst : memory_order_release);
    } while (others && any_posted(shared) && try_lock(shared));
}

/* Returns whether the changes are on their way; if not, the outbox is still full and they
 * stay with the worker, who goes on adding to them. */
bool wi_shared_post(wi_flow *flow)
{
    wi_shared *shared = flow->shared;
    if (try_lock(shared)) {
        hold(shared, flow->changes);
        return true;
    }
    wi_slot *slot = &shared->slots[flow->worker->index];
    if (atomic_load_explicit(&slot->posted, memory_order_acquire))
        return false;
    atomic_store_explicit(&slot->posted, flow->changes, memory_order_seq_cst);
    flow->changes = flow->changes == &flow->buffers[0] ? &flow->buffers[1] : &flow->buffers[0];
    if (try_lock(shared))
        hold(shared, NULL);
    return true;
}

void wi_shared_push(wi_flow *flow)
{
    if (!wi_cluster_busy(flow->worker->process) && try_lock(flow->shared))
        hold(flow->shared, NULL);
}

static void push_rest(wi_shared *shared)
{
    if (!try_lock(shared))
        return;
    tell_others(shared, true);
    hold(shared, NULL);
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

void wi_shared_receive(wi_shared *shared, wi_incoming *incoming)
{
    incoming->next = atomic_load_explicit(&shared->incoming, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&shared->incoming, &incoming->next, incoming,
                                                  memory_order_seq_cst, memory_order_relaxed)) {
    }
    if (try_lock(shared))
        hold(shared, NULL);
}
