/* A worker: a state machine whose only entry is a step that never blocks.
 *
 *   running --nothing to do--> spinning --30 us--> parked --woken--> running
 *
 * A step takes messages (rings of peers, mailbox of other threads, timers, frames of other
 * processes), steps every dataflow, passes on what it sent, and wakes the receivers that
 * sleep. Parking is the driver's business (weir_step_or_park), not the step's.
 *
 * Sleeping without missing anything (S1): a worker announces that it is parked, then looks
 * for work a last time, then sleeps; whoever gives it work publishes the work, then looks
 * whether the worker is parked. A sequentially consistent fence lies between the two on
 * both sides. What other processes send is work that only a poll finds; so the last worker
 * that parks arms the mesh in between (wi_cluster_arm).
 *
 * All functions: the worker's own thread. */
#include <urcu-qsbr.h>

#include "runtime.h"

#include <sched.h>
#include <string.h>

#include "../base/alloc.h"
#include "../base/assert.h"
#include "cluster.h"
#include "fiber.h"
#include "tsan.h"

/* What one step takes from each ring, so that a flood from peers leaves room for work. */
#define RING_BUDGET 256

#define DROPPED_LOOK_NS 100000000
#define UNSENT_LOOK_NS 1000000

/* About 2 us. */
#define IDLE_STEPS_A_YIELD 64

#ifdef WI_TSAN
char wi_tsan_quiescent;
_Atomic(int) wi_tsan_fence;
#endif

/* What a full ring had no room for, in order. */
struct wi_overflow {
    wi_envelope *envelopes;
    uint32_t first, count, capacity;
};

/* splitmix64 (Steele, Lea and Flood 2014). Also makes states that lie anywhere in its sequence
 * out of seeds that are close together. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void wi_worker_init(weir_worker *worker, wi_process *process, uint32_t index)
{
    *worker = (weir_worker){.process = process,
                            .index = process->first_worker + index,
                            .local = index,
                            .seat = &process->seats[index]};
    worker->overflow = WI_NEWS(struct wi_overflow, process->local_workers);
    worker->sent_to = WI_NEWS(bool, process->local_workers);
    worker->gave_to = WI_NEWS(bool, process->local_workers);
    worker->random = mix(process->config.seed + (worker->index + 1) * UINT64_C(0xD1B54A32D192ED03));
}

void wi_worker_fini(weir_worker *worker)
{
    while (worker->flow_count) {
        wi_flow *flow = worker->flows[worker->flow_count - 1];
        wi_worker_forget(worker, flow);
        wi_flow_free(flow);
    }
    for (uint32_t i = 0; i < worker->process->local_workers; i++) {
        struct wi_overflow *over = &worker->overflow[i];
        for (uint32_t e = over->first; e < over->count; e++)
            weir_batch_drop(over->envelopes[e].batch);
        wi_free(over->envelopes);
    }
    for (uint32_t i = 0; i < worker->stash_count; i++)
        weir_batch_drop(worker->stash[i].batch);
    wi_free(worker->stash);
    wi_free(worker->building);
    wi_free(worker->overflow);
    wi_free(worker->sent_to);
    wi_free(worker->gave_to);
    wi_free(worker->flows);
    wi_free(worker->timers);
}

/* ---- dataflows of this worker ----------------------------------------------------------- */

wi_flow *wi_worker_flow(weir_worker *worker, uint32_t number)
{
    for (uint32_t i = worker->flow_count; i-- > 0;)
        if (worker->flows[i]->number == number)
            return worker->flows[i];
    return NULL;
}

/* The number of a dataflow that is now being built. */
uint32_t wi_worker_begin(weir_worker *worker)
{
    wi_grow(&worker->building, &worker->building_capacity, worker->building_count + 1,
            sizeof *worker->building);
    worker->building[worker->building_count++] = worker->flow_next;
    return worker->flow_next++;
}

static void end_building(weir_worker *worker, uint32_t number)
{
    for (uint32_t i = 0; i < worker->building_count; i++)
        if (worker->building[i] == number)
            worker->building[i--] = worker->building[--worker->building_count];
}

/* Whether messages for the dataflow must wait. */
static bool not_built_yet(const weir_worker *worker, uint32_t number)
{
    for (uint32_t i = 0; i < worker->building_count; i++)
        if (worker->building[i] == number)
            return true;
    return number >= worker->flow_next;
}

void wi_worker_adopt(weir_worker *worker, wi_flow *flow)
{
    end_building(worker, flow->number);
    wi_grow(&worker->flows, &worker->flow_capacity, worker->flow_count + 1,
            sizeof *worker->flows);
    worker->flows[worker->flow_count++] = flow;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < worker->stash_count; i++) {
        wi_envelope *waiting = &worker->stash[i];
        if (waiting->flow == flow->number)
            wi_flow_deliver(flow, waiting);
        else
            worker->stash[kept++] = *waiting;
    }
    worker->stash_count = kept;
}

/* A dataflow that is dropped, or that could not be built. */
void wi_worker_forget(weir_worker *worker, wi_flow *flow)
{
    end_building(worker, flow->number);
    for (uint32_t i = 0; i < worker->flow_count; i++)
        if (worker->flows[i] == flow) {
            memmove(&worker->flows[i], &worker->flows[i + 1],
                    (--worker->flow_count - i) * sizeof *worker->flows);
            return;
        }
}

/* ---- sending to peers ------------------------------------------------------------------- */

static wi_ring *ring_to(const weir_worker *worker, uint32_t to)
{
    return &worker->process->rings[worker->local * worker->process->local_workers + to];
}

static bool drain_overflow(weir_worker *worker, uint32_t to)
{
    struct wi_overflow *over = &worker->overflow[to];
    wi_ring *ring = ring_to(worker, to);
    while (over->first < over->count) {
        if (!wi_ring_push(ring, over->envelopes[over->first]))
            return false;
        over->first++;
        worker->sent_to[to] = true;
    }
    over->first = over->count = 0;
    return true;
}

/* A sender that stays ahead never drains all of it: room is made at the front. */
static void add_overflow(struct wi_overflow *over, wi_envelope envelope)
{
    if (over->count == over->capacity && over->first > over->count / 2) {
        over->count -= over->first;
        memmove(over->envelopes, over->envelopes + over->first,
                over->count * sizeof *over->envelopes);
        over->first = 0;
    }
    wi_grow(&over->envelopes, &over->capacity, over->count + 1, sizeof envelope);
    over->envelopes[over->count++] = envelope;
}

void wi_worker_send(weir_worker *worker, uint32_t to, wi_envelope envelope)
{
    if (!wi_is_local(worker->process, to)) {
        wi_cluster_send(worker, to, &envelope);
        return;
    }
    to -= worker->process->first_worker;
    wi_ring *ring = ring_to(worker, to);
    struct wi_overflow *over = &worker->overflow[to];
    if ((over->count == 0 || drain_overflow(worker, to)) && wi_ring_push(ring, envelope)) {
        worker->sent_to[to] = true;
        return;
    }
    add_overflow(over, envelope);
}

static bool has_overflow(const weir_worker *worker)
{
    for (uint32_t i = 0; i < worker->process->local_workers; i++)
        if (worker->overflow[i].count)
            return true;
    return false;
}

/* Credit concerns only who waits for some: it says so before it says that it is parked, and looks
 * at its credit after that. */
static bool wants_waking(const weir_worker *worker, uint32_t to)
{
    const wi_seat *seat = &worker->process->seats[to];
    return atomic_load_explicit(&seat->parked, memory_order_relaxed) &&
           (worker->sent_to[to] || atomic_load_explicit(&seat->waits, memory_order_relaxed));
}

static void wake_receivers(weir_worker *worker)
{
    wi_process *process = worker->process;
    bool fenced = false;
    for (uint32_t to = 0; to < process->local_workers; to++) {
        if (worker->overflow[to].count)
            drain_overflow(worker, to);
        if (!worker->sent_to[to] && !worker->gave_to[to])
            continue;
        if (!fenced)
            wi_full_fence();
        fenced = true;
        if (wants_waking(worker, to))
            wi_wake(process, to);
        worker->sent_to[to] = worker->gave_to[to] = false;
    }
}

/* ---- taking messages -------------------------------------------------------------------- */

void wi_worker_take(weir_worker *worker, const wi_envelope *envelope)
{
    wi_flow *flow = wi_worker_flow(worker, envelope->flow);
    if (flow) {
        wi_flow_deliver(flow, envelope);
    } else if (not_built_yet(worker, envelope->flow)) {
        wi_grow(&worker->stash, &worker->stash_capacity, worker->stash_count + 1,
                sizeof *envelope);
        worker->stash[worker->stash_count++] = *envelope;
    } else { /* dropped here */
        weir_batch_drop(envelope->batch);
    }
}

static bool take_rings(weir_worker *worker)
{
    wi_process *process = worker->process;
    bool took = false;
    for (uint32_t from = 0; from < process->local_workers; from++) {
        if (from == worker->local)
            continue;
        wi_ring *ring = &process->rings[from * process->local_workers + worker->local];
        wi_envelope envelope;
        for (int budget = RING_BUDGET; budget && wi_ring_pop(ring, &envelope); budget--) {
            wi_worker_take(worker, &envelope);
            took = true;
        }
    }
    return took;
}

static bool take_mail(weir_worker *worker)
{
    if (!atomic_load_explicit(&worker->seat->mailbox, memory_order_relaxed))
        return false;
    wi_mail *newest = atomic_exchange_explicit(&worker->seat->mailbox, NULL, memory_order_acquire);
    wi_mail *oldest = NULL;
    while (newest) {
        wi_mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        wi_mail *next = oldest->next;
        oldest->take(worker, oldest);
        oldest = next;
    }
    return true;
}

/* ---- timers: a binary heap by due time -------------------------------------------------- */

void wi_worker_timer(weir_worker *worker, uint64_t due_ns, uint32_t flow, uint32_t op)
{
    wi_grow(&worker->timers, &worker->timer_capacity, worker->timer_count + 1,
            sizeof *worker->timers);
    uint32_t at = worker->timer_count++;
    while (at && worker->timers[(at - 1) / 2].due_ns > due_ns) {
        worker->timers[at] = worker->timers[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    worker->timers[at] = (wi_timer){due_ns, flow, op};
}

static wi_timer pop_timer(weir_worker *worker)
{
    wi_timer first = worker->timers[0];
    wi_timer last = worker->timers[--worker->timer_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= worker->timer_count)
            break;
        if (child + 1 < worker->timer_count &&
            worker->timers[child + 1].due_ns < worker->timers[child].due_ns)
            child++;
        if (worker->timers[child].due_ns >= last.due_ns)
            break;
        worker->timers[at] = worker->timers[child];
        at = child;
    }
    worker->timers[at] = last;
    return first;
}

static bool take_timers(weir_worker *worker)
{
    if (!worker->timer_count)
        return false;
    uint64_t now = wi_clock_ns(worker->process);
    bool took = false;
    while (worker->timer_count && worker->timers[0].due_ns <= now) {
        wi_timer timer = pop_timer(worker);
        wi_flow *flow = wi_worker_flow(worker, timer.flow);
        if (!flow)
            continue;
        weir_activate(flow->ops[timer.op]);
        took = true;
    }
    return took;
}

/* ---- stepping --------------------------------------------------------------------------- */

/* A dataflow that is complete lives here until its operators were told of the last frontier. */
static bool any_live(const weir_worker *worker)
{
    for (uint32_t i = worker->flow_count; i-- > 0;)
        if (!wi_flow_done(worker->flows[i]) || wi_flow_moved(worker->flows[i]))
            return true;
    return false;
}

bool wi_worker_step(weir_worker *worker)
{
    wi_process *process = worker->process;
    wi_require(!worker->current, "an operator's callback steps the worker that runs it");
    bool did = take_mail(worker);
    did |= take_timers(worker);
    if (process->local_workers > 1)
        did |= take_rings(worker);
    if (process->cluster)
        did |= wi_cluster_poll(worker);
    for (uint32_t i = 0; i < worker->flow_count; i++)
        if (!wi_flow_quiet(worker->flows[i]))
            did |= wi_flow_step(worker->flows[i]);
    if (process->cluster)
        wi_cluster_push(process);
    if (process->local_workers > 1)
        wake_receivers(worker);
    wi_tsan_release_quiescent();
    urcu_qsbr_quiescent_state();
    worker->busy = did;
    return any_live(worker);
}

/* Deterministic runs: lets others run; if there is nothing to do, until the time given or
 * until something is due, so that virtual time can pass while all wait. */
static void yield(weir_worker *worker, uint64_t until_ns)
{
    uint64_t due_ns = UINT64_MAX;
    bool idle = !worker->busy && wi_worker_may_sleep(worker, &due_ns);
    wi_fiber_yield(worker->fiber, idle, due_ns < until_ns ? due_ns : until_ns);
}

/* A worker that waits may keep the one that it waits for from running: the system puts both
 * on one core more often than one would think, and leaves them there. So it gives the core
 * away now and then; that costs 0.4 us if nobody wants it. */
static void yield_core(weir_worker *worker)
{
    uint32_t patience = worker->process->crowded ? 1 : IDLE_STEPS_A_YIELD;
    worker->idle_steps = worker->busy ? 0 : worker->idle_steps + 1;
    if (worker->idle_steps >= patience) {
        worker->idle_steps = 0;
        sched_yield();
    }
}

bool weir_step(weir_worker *worker)
{
    if (wi_stopping(worker->process))
        return false;
    bool live = wi_worker_step(worker);
    if (worker->fiber)
        yield(worker, UINT64_MAX);
    else
        yield_core(worker);
    return live;
}

/* ---- parking ---------------------------------------------------------------------------- */

/* Whether nothing waits for this worker; then also until when it may sleep. */
bool wi_worker_may_sleep(weir_worker *worker, uint64_t *until_ns_out)
{
    wi_process *process = worker->process;
    if (wi_stopping(process) || has_overflow(worker) ||
        atomic_load_explicit(&worker->seat->mailbox, memory_order_relaxed))
        return false;
    for (uint32_t from = 0; from < process->local_workers; from++)
        if (from != worker->local &&
            !wi_ring_empty(&process->rings[from * process->local_workers + worker->local]))
            return false;
    bool dropped = false, unsent = false;
    for (uint32_t i = 0; i < worker->flow_count; i++) {
        wi_flow *flow = worker->flows[i];
        if (flow->any_active || flow->changes->nonzero || flow->dirty || wi_flow_moved(flow) ||
            wi_flow_may_reopen(flow))
            return false;
        dropped |= atomic_load_explicit(&flow->notice->dropped, memory_order_relaxed) != 0;
        unsent |= atomic_load_explicit(&flow->notice->unsent, memory_order_relaxed);
    }
    uint64_t until = worker->timer_count ? worker->timers[0].due_ns : UINT64_MAX;
    if (dropped || unsent) { /* look again whether a peer's drop is still not followed here, or
                              * whether there is room for what is unsent */
        uint64_t look_ns = wi_clock_ns(process) + (unsent ? UNSENT_LOOK_NS : DROPPED_LOOK_NS);
        until = look_ns < until ? look_ns : until;
    }
    *until_ns_out = until;
    return true;
}

static bool any_short(const weir_worker *worker)
{
    for (uint32_t i = 0; i < worker->flow_count; i++)
        if (worker->flows[i]->shorts)
            return true;
    return false;
}

/* The last one to sleep asks the cluster to be woken by what arrives. */
static void sleep_until(weir_worker *worker, uint64_t until_ns)
{
    wi_process *process = worker->process;
    atomic_store_explicit(&worker->seat->waits, any_short(worker), memory_order_relaxed);
    atomic_store_explicit(&worker->seat->parked, 1, memory_order_relaxed);
    uint32_t parked =
        1 + atomic_fetch_add_explicit(&process->parked_count, 1, memory_order_relaxed);
    wi_full_fence();
    uint64_t until;
    if (wi_worker_may_sleep(worker, &until) && until >= until_ns &&
        (!process->cluster || parked < process->local_workers || wi_cluster_arm(process))) {
        wi_tsan_release_quiescent();
        urcu_qsbr_thread_offline();
        wi_seat_wait(process, worker->seat, until_ns);
        urcu_qsbr_thread_online();
    }
    atomic_fetch_sub_explicit(&process->parked_count, 1, memory_order_relaxed);
    atomic_store_explicit(&worker->seat->parked, 0, memory_order_relaxed);
}

bool weir_step_or_park(weir_worker *worker, uint64_t max_ns)
{
    wi_process *process = worker->process;
    if (wi_stopping(process))
        return false;
    bool live = wi_worker_step(worker);
    if (worker->busy || max_ns == 0 || (!live && max_ns == UINT64_MAX)) {
        if (worker->fiber)
            yield(worker, UINT64_MAX);
        return live;
    }
    uint64_t start = wi_clock_ns(process);
    uint64_t deadline = weir_add_saturating(start, max_ns);
    if (worker->fiber) {
        yield(worker, deadline);
        return any_live(worker);
    }
    for (uint32_t spins = 1;; spins++) {
        live = wi_worker_step(worker);
        if (worker->busy || wi_stopping(process))
            return live && !wi_stopping(process);
        yield_core(worker);
        if (spins % 16 == 0 && wi_clock_ns(process) - start >= process->spin_ns)
            break;
    }
    uint64_t until;
    if (wi_worker_may_sleep(worker, &until))
        sleep_until(worker, until < deadline ? until : deadline);
    return any_live(worker);
}

void weir_run(weir_worker *worker)
{
    while (weir_step_or_park(worker, UINT64_MAX)) {
    }
}

/* ---- the end of the worker's function --------------------------------------------------- */

void wi_worker_close_inputs(weir_worker *worker)
{
    for (uint32_t i = 0; i < worker->flow_count; i++) {
        wi_flow *flow = worker->flows[i];
        while (flow->closer_count) {
            wi_closer closer = flow->closers[--flow->closer_count];
            closer.close(closer.arg);
        }
    }
}

/* ---- what a worker knows ---------------------------------------------------------------- */

uint32_t weir_worker_index(const weir_worker *worker)
{
    return worker->index;
}

uint32_t weir_worker_count(const weir_worker *worker)
{
    return worker->process->workers;
}

uint32_t weir_process_index(const weir_worker *worker)
{
    return worker->process->first_worker / worker->process->local_workers;
}

uint32_t weir_process_count(const weir_worker *worker)
{
    return worker->process->workers / worker->process->local_workers;
}

bool weir_stopping(const weir_worker *worker)
{
    return wi_stopping(worker->process);
}

uint64_t weir_now(weir_worker *worker)
{
    return wi_clock_ns(worker->process);
}

uint64_t weir_random(weir_worker *worker)
{
    return mix(worker->random += UINT64_C(0x9E3779B97F4A7C15));
}
