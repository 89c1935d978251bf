/* Publishing frontiers, and reading them without a lock.
 *
 * Frontiers only advance, so a stale read is safe: it says that a time may still come
 * which is in fact complete, and the reader will be told again. Readers are workers; they
 * are RCU readers at all times between their quiescent states (one a step, worker.c), so a
 * chain that one of them loads stays until its next step. */
#include "shared.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "tsan.h"

void wi_publish_init(wi_shared *shared)
{
    shared->cells = wi_alloc_lines(shared->locs * sizeof(wi_cell));
    shared->log = WI_NEWS(_Atomic(uint32_t), WI_LOG_SLOTS);
    shared->watch_stride = (shared->locs + 63) / 64 * 64;
    shared->watch = wi_alloc_lines((size_t)shared->watch_stride * shared->process->local_workers);
}

void wi_publish_fini(wi_shared *shared)
{
    for (uint32_t i = 0; shared->cells && i < shared->locs; i++)
        wi_free(atomic_load_explicit(&shared->cells[i].chain, memory_order_relaxed));
    wi_free(shared->cells);
    wi_free((void *)shared->log);
    wi_free((void *)shared->watch);
}

/* ---- writing: by the holder of the tracker's lock --------------------------------------- */

static void free_published(struct rcu_head *head)
{
    wi_tsan_acquire(head);
    wi_free((char *)head - offsetof(wi_published, rcu));
}

static void publish_chain(wi_cell *cell, const weir_antichain *frontier)
{
    size_t bytes = frontier->count * sizeof(weir_time);
    wi_published *fresh = wi_alloc(sizeof *fresh + bytes);
    fresh->count = frontier->count;
    if (bytes)
        memcpy(fresh->times, frontier->times, bytes);
    wi_published *old =
        atomic_exchange_explicit(&cell->chain, fresh, memory_order_acq_rel);
    if (old)
        urcu_qsbr_call_rcu(&old->rcu, free_published);
}

static void publish_one(wi_cell *cell, const weir_antichain *frontier)
{
    if (frontier->count == 0)
        atomic_store_explicit(&cell->closed, 1, memory_order_relaxed);
    uint64_t first = frontier->count ? frontier->times[0].at[0] : UINT64_MAX;
    atomic_store_explicit(&cell->first, first, memory_order_release);
}

void wi_publish(wi_shared *shared, const wi_loc *moved, uint32_t count)
{
    uint64_t head = atomic_load_explicit(&shared->notice.log_head, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        wi_loc loc = moved[i];
        const weir_antichain *frontier = wi_tracker_frontier(shared->tracker, loc);
        if (shared->dims[loc] == 1)
            publish_one(&shared->cells[loc], frontier);
        else
            publish_chain(&shared->cells[loc], frontier);
        atomic_store_explicit(&shared->log[head++ % WI_LOG_SLOTS], loc, memory_order_relaxed);
        if (i % (WI_LOG_SLOTS / 2) == WI_LOG_SLOTS / 2 - 1)
            atomic_store_explicit(&shared->notice.log_head, head, memory_order_release);
    }
    atomic_store_explicit(&shared->notice.log_head, head, memory_order_release);
}

bool wi_publish_concerns(const wi_shared *shared, uint32_t worker, const wi_loc *moved,
                         uint32_t count)
{
    const _Atomic(uint8_t) *watch = shared->watch + (size_t)worker * shared->watch_stride;
    for (uint32_t i = 0; i < count; i++)
        if (atomic_load_explicit(&watch[moved[i]], memory_order_relaxed))
            return true;
    return false;
}

/* ---- reading: any worker ---------------------------------------------------------------- */

void wi_flow_watch(wi_flow *flow, wi_loc loc, int change)
{
    wi_shared *shared = flow->shared;
    wi_loc rep = shared->reps[loc];
    uint32_t before = flow->watch_counts[rep];
    flow->watch_counts[rep] = before + (uint32_t)change;
    if ((before != 0) == (flow->watch_counts[rep] != 0))
        return;
    size_t at = (size_t)flow->worker->local * shared->watch_stride + rep;
    atomic_store_explicit(&shared->watch[at], before == 0, memory_order_relaxed);
}

/* The log is a ring that its writer never waits for: a reader that finds itself lapped
 * takes every location for moved. */
bool wi_shared_log_read(wi_flow *flow, void (*moved)(wi_flow *flow, wi_loc loc))
{
    wi_shared *shared = flow->shared;
    uint64_t head = atomic_load_explicit(&shared->notice.log_head, memory_order_acquire);
    uint64_t seen = flow->log_seen;
    if (head == seen)
        return false;
    if (head - seen <= WI_LOG_SLOTS / 2)
        for (; seen != head; seen++)
            moved(flow, atomic_load_explicit(&shared->log[seen % WI_LOG_SLOTS],
                                             memory_order_relaxed));
    atomic_thread_fence(memory_order_acquire);
    uint64_t now = atomic_load_explicit(&shared->notice.log_head, memory_order_relaxed);
    if (now - flow->log_seen > WI_LOG_SLOTS / 2)
        for (wi_loc loc = 0; loc < shared->locs; loc++)
            moved(flow, loc);
    flow->log_seen = head;
    return true;
}

bool wi_shared_le(const wi_shared *shared, wi_loc loc, int dims, const weir_time *time)
{
    const wi_cell *cell = &shared->cells[shared->reps[loc]];
    if (dims == 1) {
        uint64_t first = atomic_load_explicit(&cell->first, memory_order_acquire);
        if (first != UINT64_MAX || time->at[0] != UINT64_MAX)
            return first <= time->at[0];
        return !atomic_load_explicit(&cell->closed, memory_order_relaxed);
    }
    const wi_published *chain = atomic_load_explicit(&cell->chain, memory_order_acquire);
    for (uint32_t i = 0; chain && i < chain->count; i++)
        if (weir_time_le(&chain->times[i], time))
            return true;
    return false;
}

bool wi_shared_lt(const wi_shared *shared, wi_loc loc, int dims, const weir_time *time)
{
    const wi_cell *cell = &shared->cells[shared->reps[loc]];
    if (dims == 1)
        return atomic_load_explicit(&cell->first, memory_order_acquire) < time->at[0];
    const wi_published *chain = atomic_load_explicit(&cell->chain, memory_order_acquire);
    for (uint32_t i = 0; chain && i < chain->count; i++)
        if (weir_time_lt(&chain->times[i], time))
            return true;
    return false;
}

void wi_shared_frontier(const wi_shared *shared, wi_loc loc, int dims, weir_antichain *out)
{
    const wi_cell *cell = &shared->cells[shared->reps[loc]];
    weir_antichain_clear(out);
    if (dims == 1) {
        uint64_t first = atomic_load_explicit(&cell->first, memory_order_acquire);
        if (first != UINT64_MAX || !atomic_load_explicit(&cell->closed, memory_order_relaxed))
            weir_antichain_insert(out, &WEIR_EPOCH(first));
        return;
    }
    const wi_published *chain = atomic_load_explicit(&cell->chain, memory_order_acquire);
    for (uint32_t i = 0; chain && i < chain->count; i++)
        weir_antichain_insert(out, &chain->times[i]);
}
