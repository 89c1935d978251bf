/* A worker's instance of a dataflow: from the finished graph to the last completed time.
 *
 *   building --weir_dataflow_end--> running --all times complete, or dropped--> freed
 *
 * One step: see which frontiers moved, run the activated operators in topological order
 * (the order in which they were built), send what waits in exchange channels, post the
 * changes of progress in one piece.
 *
 * All functions: worker. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"

/* Per operator and step: 1/16 of the rows plus one a batch. */
#define OPERATOR_BUDGET 65536
/* Passes over the operators in one step before other dataflows and the program get their turn. */
#define STEP_PASSES 4
/* A peer that dropped a dataflow which we keep using: how long that may last. */
#define DROP_PATIENCE_NS UINT64_C(2000000000)

wi_flow *wi_flow_new(weir_worker *worker, const char *name)
{
    wi_flow *flow = WI_NEW(wi_flow);
    flow->root = (weir_scope){.flow = flow, .dims = 1, .name = wi_strdup(name)};
    flow->worker = worker;
    flow->number = wi_worker_begin(worker);
    flow->dim_names[0] = wi_strdup("epoch");
    return flow;
}

void wi_flow_free(wi_flow *flow)
{
    for (uint32_t i = 0; i < flow->op_count; i++)
        wi_op_free(flow->ops[i]);
    if (flow->shared) /* not before: `stop` may look at frontiers */
        wi_shared_leave(flow);
    while (flow->scopes) {
        weir_scope *next = flow->scopes->next;
        wi_free(flow->scopes->name);
        wi_free(flow->scopes);
        flow->scopes = next;
    }
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        wi_free(flow->dim_names[i]);
    if (flow->changes)
        for (int i = 0; i < 2; i++)
            wi_changes_fini(&flow->buffers[i]);
    weir_err_free(flow->error);
    wi_free(flow->ops);
    wi_free(flow->active);
    wi_free(flow->blocked);
    wi_free(flow->owed);
    wi_free(flow->watchers);
    wi_free(flow->watch_counts);
    wi_free(flow->closers);
    wi_free(flow->root.name);
    wi_free(flow);
}

/* ---- building --------------------------------------------------------------------------- */

weir_dataflow *weir_dataflow_begin(weir_worker *worker, const char *name)
{
    return &wi_flow_new(worker, name)->root;
}

void weir_dataflow_dims(weir_dataflow *root, const char *const *names, uint32_t count)
{
    wi_flow *flow = root->flow;
    if (root->parent || flow->op_count || flow->scope_count) {
        weir_scope_fail(root, "weir_dataflow_dims comes after operators or loops were built");
        return;
    }
    if (count < 1 || count > WEIR_DIMS_MAX) {
        weir_scope_fail(root, "times have 1 to %d dimensions, not %u", WEIR_DIMS_MAX, count);
        return;
    }
    root->dims = (int)count;
    for (uint32_t i = 0; i < WEIR_DIMS_MAX; i++) {
        wi_free(flow->dim_names[i]);
        flow->dim_names[i] = i < count ? wi_strdup(names[i]) : NULL;
    }
}

static void connect_channels(wi_flow *flow)
{
    for (uint32_t i = 0; i < flow->op_count; i++)
        for (uint32_t p = 0; p < flow->ops[i]->input_count; p++) {
            wi_input_port *input = flow->ops[i]->inputs[p];
            if (input->from_op == UINT32_MAX) {
                weir_scope_fail(&flow->root,
                                "input %u of operator %u `%s` is not connected: a feedback or "
                                "variable needs weir_feedback_set or weir_variable_set",
                                p, i, flow->ops[i]->name);
                continue;
            }
            wi_channel_new(flow->ops[input->from_op]->outputs[input->from_port], input);
        }
    if (!flow->error)
        wi_gates_connect(flow);
}

static void locate(wi_flow *flow, const wi_tracker *tracker)
{
    uint32_t locs = wi_tracker_locs(tracker);
    flow->locs = locs;
    for (int i = 0; i < 2; i++)
        wi_changes_init(&flow->buffers[i], flow->worker->process->cluster ? 2 * locs : locs);
    flow->changes = &flow->buffers[0];
    flow->watchers = WI_NEWS(wi_input_port *, locs);
    flow->watch_counts = WI_NEWS(uint32_t, locs);
    flow->active = WI_NEWS(uint64_t, flow->op_count / 64 + 1);
    flow->blocked = WI_NEWS(uint64_t, flow->op_count / 64 + 1);
    for (uint32_t i = 0; i < flow->op_count; i++) {
        weir_op *op = flow->ops[i];
        for (uint32_t p = 0; p < op->output_count; p++)
            op->outputs[p]->loc = wi_tracker_out(tracker, op->node, p);
        for (uint32_t p = 0; p < op->input_count; p++) {
            wi_input_port *input = op->inputs[p];
            input->loc = wi_tracker_in(tracker, op->node, p);
            if (!op->follows)
                continue;
            wi_loc rep = wi_tracker_rep(tracker, input->loc);
            input->next_watcher = flow->watchers[rep];
            flow->watchers[rep] = input;
            if (op->logic->frontier)
                wi_flow_watch(flow, rep, 1);
        }
    }
}

static void start(wi_flow *flow)
{
    flow->running = true;
    /* What is downstream first: an operator may send when it starts. */
    for (uint32_t i = flow->op_count; i-- > 0;)
        wi_op_start(flow->ops[i]);
    wi_worker_adopt(flow->worker, flow); /* brings what peers sent, so after `start` */
    for (uint32_t i = 0; i < flow->op_count; i++)
        if (flow->ops[i]->logic->frontier) {
            flow->ops[i]->moved = true;
            wi_flow_activate(flow, i);
        }
}

weir_err *weir_dataflow_end(weir_dataflow *root)
{
    wi_flow *flow = root->flow;
    connect_channels(flow);
    weir_err *err = NULL;
    if (!flow->error) {
        const wi_tracker *tracker = wi_shared_join(flow, &err);
        if (tracker) {
            locate(flow, tracker);
            start(flow);
            return NULL;
        }
    } else {
        err = flow->error;
        flow->error = NULL;
        wi_shared_failed(flow->worker, flow->number, flow->root.name, err);
    }
    wi_worker_forget(flow->worker, flow);
    wi_flow_free(flow);
    return err;
}

bool weir_dataflow_end_or_stop(weir_dataflow *root)
{
    weir_worker *worker = root->flow->worker;
    weir_err *err = weir_dataflow_end(root);
    if (err)
        wi_stop_with(worker->process, err);
    return !err;
}

bool weir_dataflow_done(const weir_dataflow *root)
{
    return root->flow->shared && wi_flow_done(root->flow);
}

/* ---- stepping --------------------------------------------------------------------------- */

static void location_moved(wi_flow *flow, wi_loc rep)
{
    for (wi_input_port *input = flow->watchers[rep]; input; input = input->next_watcher) {
        weir_op *op = input->op;
        if (!op->notifications.count && !op->logic->frontier)
            continue;
        op->moved = true;
        wi_flow_activate(flow, op->index);
    }
}

static void run_active(wi_flow *flow)
{
    uint32_t words = flow->op_count / 64 + 1;
    flow->any_active = false;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t passed = 0; /* what is activated behind us waits for the next pass */
        uint64_t ready;
        while ((ready = flow->active[w] & ~passed)) {
            uint32_t bit = (uint32_t)__builtin_ctzll(ready);
            flow->active[w] &= ~(UINT64_C(1) << bit);
            passed |= (UINT64_C(2) << bit) - 1;
            wi_op_run(flow->ops[w * 64 + bit], OPERATOR_BUDGET);
        }
    }
    for (uint32_t w = 0; w < words; w++)
        flow->any_active |= flow->active[w] != 0;
}

/* Sending may make channels further down dirty, in any order: until there are none. */
void wi_flow_flush(wi_flow *flow)
{
    while (flow->dirty) {
        wi_channel *channel = flow->dirty;
        flow->dirty = channel->next_dirty;
        channel->dirty = false;
        wi_channel_flush(channel);
    }
}

static void check_drop(wi_flow *flow)
{
    uint32_t dropped = atomic_load_explicit(&flow->notice->dropped, memory_order_relaxed);
    if (!dropped)
        return;
    uint64_t now = wi_clock_ns(flow->worker->process);
    if (!flow->dropped_seen_ns)
        flow->dropped_seen_ns = now;
    else if (now - flow->dropped_seen_ns > DROP_PATIENCE_NS)
        weir_stop(flow->worker,
                  "dataflow `%s` was dropped by worker %u before it was complete, but worker %u "
                  "still runs it; call weir_dataflow_drop on every worker",
                  flow->root.name, dropped - 1, flow->worker->index);
}

bool wi_flow_step(wi_flow *flow)
{
    bool did = false;
    for (int pass = 0; pass < STEP_PASSES; pass++) {
        /* Counts as work: the program may wait for a probe, and must look before it sleeps. */
        did |= wi_shared_log_read(flow, location_moved);
        if (flow->shorts || flow->reopened)
            wi_flow_reopen(flow);
        bool ran = flow->any_active;
        if (ran)
            run_active(flow);
        if (flow->dirty)
            wi_flow_flush(flow);
        if (flow->changes->count && !flow->changes->nonzero)
            wi_changes_clear(flow->changes); /* all cancelled */
        bool posted = flow->changes->nonzero && wi_shared_post(flow);
        did |= ran | posted;
        if (!flow->any_active)
            break;
    }
    if (atomic_load_explicit(&flow->notice->unsent, memory_order_relaxed))
        wi_shared_push(flow);
    check_drop(flow);
    return did;
}

/* ---- the end ---------------------------------------------------------------------------- */

void wi_flow_closer(wi_flow *flow, wi_closer closer)
{
    wi_grow(&flow->closers, &flow->closer_capacity, flow->closer_count + 1,
            sizeof *flow->closers);
    flow->closers[flow->closer_count++] = closer;
}

void wi_flow_forget_closer(wi_flow *flow, void *arg)
{
    for (uint32_t i = 0; i < flow->closer_count; i++)
        if (flow->closers[i].arg == arg)
            flow->closers[i--] = flow->closers[--flow->closer_count];
}

void weir_dataflow_drop(weir_dataflow *root)
{
    wi_flow *flow = root->flow;
    weir_worker *worker = flow->worker;
    wi_require(!worker->current, "an operator's callback drops a dataflow");
    if (!flow->shared) {
        weir_err *why = weir_err_new("dataflow `%s`: worker %u dropped it before weir_dataflow_end",
                                     flow->root.name, worker->index);
        wi_shared_failed(worker, flow->number, flow->root.name, why);
        weir_err_free(why);
    }
    wi_worker_forget(worker, flow);
    wi_flow_free(flow);
}
