/* Publishing: the names of a process's arrangements, and the operator that keeps a shard up to
 * date. It has neither inputs nor outputs: the trace activates it, as one of its readers.
 *
 * Its hold is what importing dataflows and views can go back to: without views, the upper
 * before the last one, so that some complete time can always be asked for; otherwise what the
 * views hold, but never past that. */
#include "share.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"

/* ---- shares: any thread ----------------------------------------------------------------- */

static wi_share *share_new(weir_worker *worker, const weir_arrangement *of, const char *name)
{
    wi_share *share = WI_NEW(wi_share);
    share->name = wi_strdup(name);
    share->by = wi_strdup(of->tokens.scope->name);
    share->layout = wi_layout_retain(of->layout);
    share->key_layout = wi_layout_of_key(of->layout);
    share->type = of->layout->type;
    share->dims = of->tokens.scope->dims;
    share->workers = worker->process->local_workers;
    share->all_workers = worker->process->workers;
    share->first_worker = worker->process->first_worker;
    atomic_init(&share->references, 1);
    pthread_mutex_init(&share->lock, NULL);
    share->shards = wi_alloc_lines(share->workers * sizeof(wi_shard));
    for (uint32_t i = 0; i < share->workers; i++) {
        pthread_mutex_init(&share->shards[i].lock, NULL);
        pthread_cond_init(&share->shards[i].moved, NULL);
    }
    return share;
}

wi_share *wi_share_retain(wi_share *share)
{
    atomic_fetch_add_explicit(&share->references, 1, memory_order_relaxed);
    return share;
}

void wi_shard_forget_runs(wi_shard *shard)
{
    for (uint32_t r = 0; r < shard->run_count; r++)
        wi_run_drop(shard->runs[r]);
    shard->run_count = 0;
    shard->listed = false;
}

void wi_share_drop(wi_share *share)
{
    if (!share || atomic_fetch_sub_explicit(&share->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < share->workers; i++) {
        wi_shard *shard = &share->shards[i];
        wi_shard_forget_runs(shard);
        wi_layout_drop(shard->layout);
        weir_antichain_fini(&shard->upper);
        weir_antichain_fini(&shard->since);
        weir_antichain_fini(&shard->hold);
        wi_free(shard->runs);
        pthread_cond_destroy(&shard->moved);
        pthread_mutex_destroy(&shard->lock);
    }
    pthread_mutex_destroy(&share->lock);
    wi_layout_drop(share->layout);
    wi_layout_drop(share->key_layout);
    wi_free(share->shards);
    wi_free(share->name);
    wi_free(share->by);
    wi_free(share);
}

static void set_state(wi_shard *shard, wi_shard_state state)
{
    pthread_mutex_lock(&shard->lock);
    shard->state = state;
    pthread_cond_broadcast(&shard->moved);
    pthread_mutex_unlock(&shard->lock);
}

/* ---- names ------------------------------------------------------------------------------ */

static void free_shares(wi_share *share)
{
    for (wi_share *next; share; share = next) {
        next = share->next;
        for (uint32_t i = 0; i < share->workers; i++) /* those where it was never built */
            set_state(&share->shards[i], WI_SHARD_ENDED);
        wi_share_drop(share);
    }
}

/* The execution is being stopped: wakes those who wait for times that will not be complete. A
 * worker's function may be waiting for them. */
static void stop_shares(wi_process *process)
{
    uint32_t count = 0;
    pthread_mutex_lock(&process->lock);
    for (const wi_share *share = process->shares; share; share = share->next)
        count++;
    wi_share **shares = WI_NEWS(wi_share *, count + 1);
    count = 0;
    for (wi_share *share = process->shares; share; share = share->next)
        shares[count++] = wi_share_retain(share);
    pthread_mutex_unlock(&process->lock);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t s = 0; s < shares[i]->workers; s++) {
            wi_shard *shard = &shares[i]->shards[s];
            pthread_mutex_lock(&shard->lock);
            shard->stopping = true;
            pthread_cond_broadcast(&shard->moved);
            pthread_mutex_unlock(&shard->lock);
        }
        wi_share_drop(shares[i]);
    }
    wi_free(shares);
}

static bool is_current(const wi_shard *shard)
{
    return shard->state == WI_SHARD_BUILT || shard->state == WI_SHARD_RUNNING;
}

wi_share *wi_share_of(const weir_worker *worker, const char *name)
{
    wi_process *process = worker->process;
    pthread_mutex_lock(&process->lock);
    wi_share *share = process->shares;
    while (share && (strcmp(share->name, name) != 0 || !is_current(&share->shards[worker->local])))
        share = share->next;
    pthread_mutex_unlock(&process->lock);
    return share;
}

wi_share *wi_share_find(wi_process *process, const char *name)
{
    pthread_mutex_lock(&process->lock);
    wi_share *share = process->shares;
    while (share && strcmp(share->name, name) != 0)
        share = share->next;
    if (share)
        wi_share_retain(share);
    pthread_mutex_unlock(&process->lock);
    return share;
}

/* A name may have been published before, by a dataflow that has gone: workers come to the
 * shares of a name in the order in which those were made. */
static wi_share *join_share(weir_worker *worker, const weir_arrangement *of, const char *name)
{
    wi_process *process = worker->process;
    pthread_mutex_lock(&process->lock);
    wi_share *mine = NULL;
    for (wi_share *share = process->shares; share; share = share->next)
        if (strcmp(share->name, name) == 0 && share->shards[worker->local].state == WI_SHARD_NEW)
            mine = share;
    if (!mine) {
        mine = share_new(worker, of, name);
        mine->next = process->shares;
        process->shares = mine;
        process->free_shares = free_shares;
        process->stop_shares = stop_shares;
        for (uint32_t s = 0; s < mine->workers; s++)
            mine->shards[s].stopping = wi_stopping(process);
    }
    wi_share_retain(mine);
    pthread_mutex_unlock(&process->lock);
    return mine;
}

/* One more shard has ended: after the last one the name is free. */
static void leave_share(wi_process *process, wi_share *share)
{
    pthread_mutex_lock(&process->lock);
    bool last = ++share->ended == share->workers;
    wi_share **at = &process->shares;
    while (last && *at != share)
        at = &(*at)->next;
    if (last)
        *at = share->next;
    pthread_mutex_unlock(&process->lock);
    if (last)
        wi_share_drop(share);
    wi_share_drop(share);
}

/* ---- the operator ----------------------------------------------------------------------- */

typedef struct publish_plan {
    wi_share *share;
    wi_shard *shard;
    wi_trace **trace;
} publish_plan;

typedef struct publishing {
    wi_reader *reader;
    weir_antichain upper, limit; /* the last one that was not empty, and the one before */
    weir_antichain wanted, hold; /* space */
} publishing;

static void on_start(weir_op *op)
{
    const publish_plan *plan = weir_op_arg(op);
    publishing *state = weir_op_state(op);
    pthread_mutex_lock(&plan->shard->lock);
    plan->shard->activator = weir_activator_new(op);
    pthread_mutex_unlock(&plan->shard->lock);
    state->reader = wi_reader_new(*plan->trace, op);
    plan->shard->trace = state->reader->trace;
    weir_antichain_copy(&state->upper, &state->reader->trace->upper);
    weir_antichain_copy(&state->limit, &state->upper);
    set_state(plan->shard, WI_SHARD_RUNNING);
    weir_activate(op); /* there may be views already */
}

/* The shard's list becomes the trace's. Most of it is the same as before. */
static void list_runs(wi_shard *shard, const wi_trace *trace, const weir_antichain *since)
{
    uint32_t same = 0;
    while (same < shard->run_count && same < trace->run_count &&
           shard->runs[same] == trace->runs[same])
        same++;
    for (uint32_t r = same; r < shard->run_count; r++)
        wi_run_drop(shard->runs[r]);
    wi_grow(&shard->runs, &shard->run_capacity, trace->run_count, sizeof(wi_run *));
    for (uint32_t r = same; r < trace->run_count; r++)
        shard->runs[r] = wi_run_retain(trace->runs[r]);
    shard->run_count = trace->run_count;
    weir_antichain_copy(&shard->upper, &trace->upper);
    weir_antichain_copy(&shard->since, since);
    shard->listed = true;
    pthread_cond_broadcast(&shard->moved);
}

/* The times that are at or after elements of both. */
static void move_hold(publishing *state, const weir_antichain *wanted)
{
    const weir_antichain *now = &state->reader->hold;
    weir_antichain_clear(&state->hold);
    for (uint32_t i = 0; i < now->count; i++)
        for (uint32_t j = 0; j < wanted->count; j++) {
            weir_time both = weir_time_join(&now->times[i], &wanted->times[j]);
            weir_antichain_insert(&state->hold, &both);
        }
    if (!weir_antichain_eq(&state->hold, now))
        wi_reader_hold(state->reader, &state->hold);
}

static void on_run(weir_op *op)
{
    wi_shard *shard = ((const publish_plan *)weir_op_arg(op))->shard;
    publishing *state = weir_op_state(op);
    const wi_trace *trace = state->reader->trace;
    if (trace->upper.count && !weir_antichain_eq(&trace->upper, &state->upper)) {
        weir_antichain_copy(&state->limit, &state->upper);
        weir_antichain_copy(&state->upper, &trace->upper);
    }
    weir_antichain_copy(&state->wanted, &state->limit);
    pthread_mutex_lock(&shard->lock);
    for (uint32_t i = 0; shard->views && i < shard->hold.count; i++)
        weir_antichain_insert(&state->wanted, &shard->hold.times[i]);
    move_hold(state, &state->wanted);
    bool shown = shard->views || !trace->upper.count; /* the worker may soon step no more */
    if (shown)
        list_runs(shard, trace, &state->reader->hold);
    pthread_mutex_unlock(&shard->lock);
    wi_reader_ack(state->reader, trace->seq);
    if (shown && trace->merge_count) /* not to keep what is merged for longer than need be */
        weir_activate(op);
}

/* What importing dataflows see then is the end. */
static void end_trace(publishing *state)
{
    weir_antichain none = {0};
    wi_trace_advance(state->reader->trace, &none);
    wi_reader_drop(state->reader);
    weir_antichain_fini(&state->upper);
    weir_antichain_fini(&state->limit);
    weir_antichain_fini(&state->wanted);
    weir_antichain_fini(&state->hold);
}

static void on_stop(weir_op *op)
{
    const publish_plan *plan = weir_op_arg(op);
    wi_shard *shard = plan->shard;
    publishing *state = weir_op_state(op);
    shard->trace = NULL;
    pthread_mutex_lock(&shard->lock);
    if (shard->views && state->reader)
        list_runs(shard, state->reader->trace, &state->reader->hold);
    weir_activator_free(shard->activator);
    shard->activator = NULL;
    pthread_mutex_unlock(&shard->lock);
    set_state(shard, WI_SHARD_ENDED);
    if (state->reader)
        end_trace(state);
    leave_share(op->flow->worker->process, plan->share);
}

static const weir_operator publish = {.name = "publish",
                                      .state_bytes = sizeof(publishing),
                                      .start = on_start,
                                      .run = on_run,
                                      .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

void weir_arrangement_publish(weir_arrangement *of, const char *name)
{
    weir_scope *scope = of->tokens.scope;
    weir_worker *worker = scope->flow->worker;
    if (!name) {
        weir_scope_fail(scope, "publish: it has no name: that is NULL");
        return;
    }
    if (scope->parent) {
        weir_scope_fail(scope,
                        "publish: the arrangement `%s` is in loop `%s`; publish one that is "
                        "outside of loops",
                        name, scope->name);
        return;
    }
    const wi_share *other = wi_share_of(worker, name);
    if (other) {
        weir_scope_fail(scope, "publish: dataflow `%s` publishes an arrangement `%s` already",
                        other->by, name);
        return;
    }
    publish_plan *plan = WI_NEW(publish_plan);
    plan->share = join_share(worker, of, name);
    plan->shard = &plan->share->shards[worker->local];
    plan->trace = of->trace;
    plan->shard->layout = wi_layout_retain(of->layout);
    plan->shard->key = of->key;
    plan->shard->order = of->order;
    set_state(plan->shard, WI_SHARD_BUILT);
    weir_builder *builder = weir_operator_begin(scope, &publish, plan);
    weir_builder_keep(builder, plan);
    weir_operator_end(builder);
    scope->flow->ops[scope->flow->op_count - 1]->always_stop = true;
}
