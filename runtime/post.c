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
 *   P4 What workers of this process change goes to the other processes as it was applied here:
 *      in whole pieces, in that order. Several pieces may be merged into one.
 *   P5 The others are told late what can make no difference to them yet. The process answers
 *      for what its workers hold and for batches on their way to them: that is counted by a
 *      tracker of its own, `own`. Changes wait while each of them, at (location, time), is
 *      behind such a pointstamp: own's front there is at or before the time. The others know
 *      that pointstamp, or what it came from, so no front of theirs can pass. When it goes, by a
 *      worker of this process, the lock's holder looks again: so nothing waits for another
 *      process. How many workers there are makes no difference to what is sent, as a rule.
 * tests/models checks P1 to P3. */
#include "shared.h"

#include "../base/alloc.h"
#include "../base/assert.h"
#include "cluster.h"
#include "tsan.h"

static bool try_lock(wi_shared *shared)
{
    return !atomic_load_explicit(&shared->lock, memory_order_seq_cst) &&
           !atomic_exchange_explicit(&shared->lock, 1, memory_order_seq_cst);
}

/* Changes at locations from shared->locs on are of what this process answers for alone. */
static bool is_apart(wi_shared *shared, const wi_change *change)
{
    if (change->loc < shared->locs)
        return false;
    wi_tracker_update(shared->own, change->loc - shared->locs, &change->time, change->delta);
    return true;
}

/* Of a worker of this process: the others are to be told. */
static void apply(wi_shared *shared, wi_changes *changes)
{
    bool tell = shared->process->cluster != NULL;
    for (uint32_t i = 0; i < changes->count; i++) {
        const wi_change *change = &changes->entries[i];
        if (!change->delta || is_apart(shared, change))
            continue;
        wi_tracker_update(shared->tracker, change->loc, &change->time, change->delta);
        if (!tell)
            continue;
        wi_tracker_update(shared->own, change->loc, &change->time, change->delta);
        wi_changes_add(&shared->outgoing, shared->reps[change->loc], &change->time, change->delta);
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
            if (!is_apart(shared, &at->changes[i]))
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

/* So many changes are not kept waiting. */
#define WAITING_MAX 256

/* P5. */
static bool can_wait(wi_shared *shared)
{
    if (shared->outgoing.count > WAITING_MAX) {
        wi_changes_compact(&shared->outgoing);
        if (shared->outgoing.count > WAITING_MAX / 2)
            return false;
    }
    const wi_loc *moved;
    wi_tracker_propagate(shared->own, &moved);
    for (uint32_t i = 0; i < shared->outgoing.count; i++) {
        const wi_change *change = &shared->outgoing.entries[i];
        if (change->delta &&
            !weir_antichain_le(wi_tracker_frontier(shared->own, change->loc), &change->time))
            return false;
    }
    return true;
}

/* While much waits to be sent, changes are merged: there is one frame for all of them later. An
 * epoch that came and went meanwhile leaves nothing of itself, so there are as many changes as
 * there are times in use, however long it takes. */
static void tell_others(wi_shared *shared, bool at_once)
{
    wi_changes *outgoing = &shared->outgoing;
    if (!outgoing->count)
        return;
    if (outgoing->count >= outgoing->compact_at)
        wi_changes_compact(outgoing);
    if (outgoing->nonzero && !at_once && can_wait(shared)) { /* it is looked at again: P5 */
        atomic_store_explicit(&shared->notice.unsent, false, memory_order_relaxed);
        return;
    }
    bool wait = outgoing->nonzero && !at_once && wi_cluster_busy(shared->process);
    if (!wait)
        wi_changes_compact(outgoing);
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
    wi_slot *slot = &shared->slots[flow->worker->local];
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

static bool push_rest(wi_shared *shared)
{
    if (!try_lock(shared))
        return false;
    tell_others(shared, true);
    hold(shared, NULL);
    return true;
}

/* Changes in the outbox belong to the flow, which is about to go; and the others are told all. */
void wi_shared_settle(wi_flow *flow)
{
    wi_shared *shared = flow->shared;
    while (atomic_load_explicit(&shared->slots[flow->worker->local].posted, memory_order_acquire))
        if (try_lock(shared))
            hold(shared, NULL);
    bool pushed = !shared->own;
    while (!pushed || atomic_load_explicit(&shared->notice.unsent, memory_order_relaxed))
        pushed |= push_rest(shared);
}

static void push_incoming(wi_shared *shared, wi_incoming *incoming)
{
    incoming->next = atomic_load_explicit(&shared->incoming, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&shared->incoming, &incoming->next, incoming,
                                                  memory_order_seq_cst, memory_order_relaxed)) {
    }
}

void wi_shared_arrived(wi_shared *shared, wi_loc loc, const weir_time *time)
{
    wi_incoming *incoming = wi_alloc(sizeof *incoming + sizeof(wi_change));
    incoming->count = 1;
    incoming->changes[0] = (wi_change){.loc = shared->locs + loc, .delta = 1, .time = *time};
    push_incoming(shared, incoming);
}

void wi_shared_receive(wi_shared *shared, wi_incoming *incoming)
{
    push_incoming(shared, incoming);
    if (try_lock(shared))
        hold(shared, NULL);
}
