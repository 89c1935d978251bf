/* Settling a region: a scope with feedback somewhere in it, where a change can come back to
 * where it was, later in time. Each inner place counts how often every time is implied: by
 * its own minimal pointstamps, and by each time in a predecessor's front, through a link.
 * Its front is the minimal times of that count. Changes of counts are events, handled in
 * the order that tracker.h defines and proves: all that can still change a count comes
 * before its event does, so events that meet in the heap are one, and may be nothing. */
#include "state.h"

#include <string.h>

#include "antichain.h"
#include "base/alloc.h"
#include "base/assert.h"

/* ---- the heap --------------------------------------------------------------------------- */

/* (root coordinates, index in the root, coordinate 1, index in scope 1, ...) */
static inline int compare_keys(const wi_tracker *tracker, const weir_time *a, uint32_t a_place,
                               const weir_time *b, uint32_t b_place)
{
    int dims = tracker->root_dims;
    for (int i = 0; i < dims; i++)
        if (a->at[i] != b->at[i])
            return a->at[i] < b->at[i] ? -1 : 1;
    const wi_path *x = &tracker->paths[a_place - tracker->position_count];
    const wi_path *y = &tracker->paths[b_place - tracker->position_count];
    for (uint32_t level = 0;; level++, dims++) {
        if (x->index[level] != y->index[level])
            return x->index[level] < y->index[level] ? -1 : 1;
        if (level == x->depth)
            return 0;
        if (a->at[dims] != b->at[dims])
            return a->at[dims] < b->at[dims] ? -1 : 1;
    }
}

static inline int compare_events(const wi_tracker *tracker, const wi_event *a, const wi_event *b)
{
    return compare_keys(tracker, &a->time, wi_event_place(a), &b->time, wi_event_place(b));
}

static void push(wi_tracker *tracker, wi_region *region, const weir_time *time, uint32_t place,
                 int delta)
{
    if (region->heap_count == region->heap_capacity)
        wi_grow(&region->heap, &region->heap_capacity, region->heap_count + 1,
                sizeof *region->heap);
    wi_event *heap = region->heap;
    uint32_t at = region->heap_count++;
    for (; at > 0; at = (at - 1) / 2) {
        const wi_event *parent = &heap[(at - 1) / 2];
        if (compare_keys(tracker, time, place, &parent->time, wi_event_place(parent)) >= 0)
            break;
        heap[at] = *parent;
    }
    heap[at].time = *time;
    heap[at].what = (uint64_t)place << 1 | (delta > 0);
}

static void pop(wi_tracker *tracker, wi_region *region)
{
    wi_event *heap = region->heap;
    const wi_event last = heap[--region->heap_count];
    uint32_t at = 0, count = region->heap_count;
    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && compare_events(tracker, &heap[child + 1], &heap[child]) < 0)
            child++;
        if (compare_events(tracker, &last, &heap[child]) <= 0)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
}

/* ---- events ----------------------------------------------------------------------------- */

/* A time enters (+1) or leaves (-1) the front of a place: what it implied goes with it. */
static void carry(wi_tracker *tracker, wi_region *region, const wi_inner *inner,
                  const weir_time *time, int delta)
{
    for (uint32_t i = inner->way; i < inner->way_end; i++) {
        const wi_way *way = &tracker->ways[i];
        weir_time after;
        if (way->step == WI_SAME) {
            push(tracker, region, time, way->to, delta);
        } else if (way->step == WI_SUMMARY) {
            after = weir_summary_apply(&way->summary, time);
            push(tracker, region, &after, way->to, delta);
        } else if (weir_summary_apply_checked(&way->summary, time, &after)) {
            push(tracker, region, &after, way->to, delta);
        } /* else: the end of time, there is no later round */
    }
}

/* The first time that enters or leaves a front does so for good (T5), so that there is no
 * need to compare fronts in the end. */
static void note_changed(wi_region *region, wi_inner *inner, uint32_t index)
{
    if (inner->changed)
        return;
    inner->changed = true;
    if (region->changed_count == region->changed_capacity)
        wi_grow(&region->changed, &region->changed_capacity, region->changed_count + 1,
                sizeof *region->changed);
    region->changed[region->changed_count++] = index;
}

/* A time is implied that was not: it enters the front unless one there is before it, and
 * those that it is before leave. */
static void appear(wi_tracker *tracker, wi_region *region, uint32_t index, const weir_time *time)
{
    wi_inner *inner = &tracker->inner[index - tracker->position_count];
    weir_antichain *front = &tracker->places[index].front;
    if (wi_antichain_le(front, time, inner->dims))
        return;
    note_changed(region, inner, index);
    uint32_t at = wi_antichain_seek(front, time), kept = at;
    for (uint32_t i = at; i < front->count; i++) {
        if (weir_time_le(time, &front->times[i]))
            carry(tracker, region, inner, &front->times[i], -1);
        else
            front->times[kept++] = front->times[i];
    }
    front->count = kept;
    wi_antichain_insert_at(front, at, time);
    carry(tracker, region, inner, time, +1);
}

/* A time is implied no more: if it was in the front, it leaves, and those that nothing else
 * there is before take its place. */
static void vanish(wi_tracker *tracker, wi_region *region, uint32_t index, const weir_time *time)
{
    wi_inner *inner = &tracker->inner[index - tracker->position_count];
    weir_antichain *front = &tracker->places[index].front, *found = &tracker->scratch;
    uint32_t at = wi_antichain_seek(front, time);
    if (at == front->count || !weir_time_eq(&front->times[at], time))
        return;
    note_changed(region, inner, index);
    wi_antichain_remove_at(front, at);
    carry(tracker, region, inner, time, -1);
    weir_antichain_clear(found);
    wi_multiset_uncovered(&inner->implied, time, front, found);
    for (uint32_t i = 0; i < found->count; i++) {
        wi_antichain_insert_at(front, wi_antichain_seek(front, &found->times[i]),
                               &found->times[i]);
        carry(tracker, region, inner, &found->times[i], +1);
    }
}

static void handle(wi_tracker *tracker, wi_region *region, uint32_t index, const weir_time *time,
                   int64_t delta)
{
    wi_inner *inner = &tracker->inner[index - tracker->position_count];
    int64_t after = wi_multiset_add(&inner->implied, time, delta);
    int64_t before = after - delta;
    wi_assert(after >= 0 && before >= 0, "T4: a time is implied a natural number of times");
    if (before == 0)
        appear(tracker, region, index, time);
    else if (after == 0)
        vanish(tracker, region, index, time);
}

/* ---- what comes in, and what goes out --------------------------------------------------- */

/* Pushes an event at a place for each time that only one of two antichains has. */
static void push_difference(wi_tracker *tracker, wi_region *region, const weir_antichain *old,
                            const weir_antichain *new, uint32_t place)
{
    uint32_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        int order = i == old->count   ? 1
                    : j == new->count ? -1
                                      : weir_time_compare(&old->times[i], &new->times[j]);
        if (order == 0) {
            i++;
            j++;
        } else if (order < 0) {
            push(tracker, region, &old->times[i++], place, -1);
        } else {
            push(tracker, region, &new->times[j++], place, +1);
        }
    }
}

static void take_in(wi_tracker *tracker, wi_region *region)
{
    for (uint32_t i = region->entry; i < region->entry_end; i++) {
        wi_entry *entry = &tracker->entries[i];
        const weir_antichain *front = &tracker->places[entry->from].front;
        if (weir_antichain_eq(&entry->seen, front))
            continue;
        push_difference(tracker, region, &entry->seen, front, entry->to);
        weir_antichain_copy(&entry->seen, front);
    }
    for (uint32_t i = 0; i < region->stale_count; i++) {
        uint32_t index = region->stale[i];
        wi_inner *inner = &tracker->inner[index - tracker->position_count];
        weir_antichain *own = &tracker->scratch;
        tracker->places[index].stale = false;
        wi_multiset_minimal(&tracker->points[index], own);
        push_difference(tracker, region, &inner->own, own, index);
        weir_antichain_copy(&inner->own, own);
    }
    region->stale_count = 0;
}

static void report(wi_tracker *tracker, wi_region *region)
{
    for (uint32_t i = 0; i < region->changed_count; i++) {
        wi_place *place = &tracker->places[region->changed[i]];
        tracker->inner[region->changed[i] - tracker->position_count].changed = false;
        place->least = place->front.count ? place->front.times[0].at[0] : UINT64_MAX;
        wi_report(tracker, place);
        wi_mark_all(tracker, place);
    }
    region->changed_count = 0;
}

void wi_region_settle(wi_tracker *tracker, wi_region *region)
{
    take_in(tracker, region);
    while (region->heap_count > 0) {
        const wi_event event = region->heap[0];
        int64_t delta = wi_event_delta(&event);
        for (pop(tracker, region);
             region->heap_count > 0 && !compare_events(tracker, &event, &region->heap[0]);
             pop(tracker, region))
            delta += wi_event_delta(&region->heap[0]);
        if (delta != 0)
            handle(tracker, region, wi_event_place(&event), &event.time, delta);
    }
    report(tracker, region);
}
