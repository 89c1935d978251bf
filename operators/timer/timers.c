/* Timers of an operator: a binary heap of those that are set. Each knows its place, so that it
 * can be moved and taken back. The operator asks the runtime for a call at the earliest; when
 * that is taken back the call comes all the same, and finds nothing. */
#include "timers.h"

#include "../../base/alloc.h"

/* ---- the heap --------------------------------------------------------------------------- */

static void put(weir_timers *timers, uint32_t at, weir_timer *timer)
{
    timers->heap[at] = timer;
    timer->place = at + 1;
}

static void rise(weir_timers *timers, uint32_t at, weir_timer *timer)
{
    while (at && timers->heap[(at - 1) / 2]->due_ns > timer->due_ns) {
        put(timers, at, timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(timers, at, timer);
}

static void sink(weir_timers *timers, uint32_t at, weir_timer *timer)
{
    for (uint32_t child; (child = 2 * at + 1) < timers->count; at = child) {
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns)
            child++;
        if (timers->heap[child]->due_ns >= timer->due_ns)
            break;
        put(timers, at, timers->heap[child]);
    }
    put(timers, at, timer);
}

static void settle(weir_timers *timers, uint32_t at, weir_timer *timer)
{
    if (at && timers->heap[(at - 1) / 2]->due_ns > timer->due_ns)
        rise(timers, at, timer);
    else
        sink(timers, at, timer);
}

void wi_timers_place(weir_timers *timers, weir_timer *timer, uint64_t due_ns)
{
    timer->due_ns = due_ns;
    if (timer->place) {
        settle(timers, timer->place - 1, timer);
        return;
    }
    wi_grow(&timers->heap, &timers->capacity, timers->count + 1, sizeof(weir_timer *));
    rise(timers, timers->count++, timer);
}

void wi_timers_remove(weir_timers *timers, weir_timer *timer)
{
    if (!timer->place)
        return;
    uint32_t at = timer->place - 1;
    weir_timer *last = timers->heap[--timers->count];
    timer->place = 0;
    if (last != timer)
        settle(timers, at, last);
}

/* ---- by the clock ----------------------------------------------------------------------- */

/* Asks for a call at the earliest, unless one comes by then. */
static void arm(weir_timers *timers)
{
    if (!timers->count || timers->heap[0]->due_ns >= timers->armed_ns)
        return;
    uint64_t due = timers->heap[0]->due_ns, now = weir_now(weir_op_worker(timers->op));
    timers->armed_ns = due;
    weir_activate_after(timers->op, due > now ? due - now : 0);
}

void weir_timers_init(weir_timers *timers, weir_op *op)
{
    *timers = (weir_timers){.op = op, .armed_ns = UINT64_MAX};
}

void weir_timers_fini(weir_timers *timers)
{
    wi_free(timers->heap);
    weir_timers_init(timers, timers->op);
}

void weir_timers_set(weir_timers *timers, weir_timer *timer, uint64_t due_ns)
{
    wi_timers_place(timers, timer, due_ns);
    arm(timers);
}

void weir_timers_cancel(weir_timers *timers, weir_timer *timer)
{
    wi_timers_remove(timers, timer);
}

weir_timer *weir_timers_due(weir_timers *timers)
{
    uint64_t now = weir_now(weir_op_worker(timers->op));
    if (timers->armed_ns <= now)
        timers->armed_ns = UINT64_MAX;
    weir_timer *first = wi_timers_first(timers);
    if (first && first->due_ns <= now) {
        wi_timers_remove(timers, first);
        return first;
    }
    arm(timers);
    return NULL;
}
