/* The tracker's calls while a dataflow runs. The work of propagation is in walk.c and
 * region.c; how the state came to be is in build.c. */
#include "state.h"

#include "base/alloc.h"
#include "base/assert.h"

static uint32_t place_index(const wi_tracker *tracker, wi_loc loc)
{
    wi_assert(loc < tracker->loc_count, "the location exists");
    return tracker->place_of[loc] & ~WI_PROMISED;
}

wi_loc wi_tracker_in(const wi_tracker *tracker, wi_node_id node, uint32_t input)
{
    wi_assert(node < tracker->graph->node_count && input < tracker->graph->nodes[node].inputs,
              "the node has this input");
    return tracker->graph->nodes[node].first + input;
}

wi_loc wi_tracker_out(const wi_tracker *tracker, wi_node_id node, uint32_t output)
{
    wi_assert(node < tracker->graph->node_count && output < tracker->graph->nodes[node].outputs,
              "the node has this output");
    return tracker->graph->nodes[node].first + tracker->graph->nodes[node].inputs + output;
}

uint32_t wi_tracker_locs(const wi_tracker *tracker)
{
    return tracker->loc_count;
}

wi_loc wi_tracker_rep(const wi_tracker *tracker, wi_loc loc)
{
    return tracker->places[place_index(tracker, loc)].loc;
}

int wi_tracker_dims(const wi_tracker *tracker, wi_loc loc)
{
    return tracker->points[place_index(tracker, loc)].dims;
}

const char *wi_tracker_node_name(const wi_tracker *tracker, wi_loc loc)
{
    wi_assert(loc < tracker->loc_count, "the location exists");
    return tracker->loc_names[loc];
}

static void note_stale(wi_tracker *tracker, wi_place *place, uint32_t index)
{
    place->stale = true;
    wi_mark(tracker, place->position);
    if (index < tracker->position_count)
        return;
    wi_region *region = &tracker->regions[place->region];
    wi_grow(&region->stale, &region->stale_capacity, region->stale_count + 1,
            sizeof *region->stale);
    region->stale[region->stale_count++] = index;
}

void wi_tracker_update(wi_tracker *tracker, wi_loc loc, const weir_time *time, int64_t delta)
{
    wi_assert(loc < tracker->loc_count, "the location exists");
    uint32_t index = tracker->place_of[loc];
    wi_assert(!(index & WI_PROMISED), "T6: no pointstamp is counted at a promised port");
    if (delta == 0)
        return;
    int64_t count = wi_multiset_add(&tracker->points[index], time, delta);
    if (count == delta)
        tracker->point_count++;
    else if (count == 0)
        tracker->point_count--;
    wi_place *place = &tracker->places[index];
    if (!place->stale)
        note_stale(tracker, place, index);
}

uint32_t wi_tracker_propagate(wi_tracker *tracker, const wi_loc **changed_out)
{
    tracker->changed_count = 0;
    wi_walk(tracker);
    *changed_out = tracker->changed;
    return tracker->changed_count;
}

const weir_antichain *wi_tracker_frontier(const wi_tracker *tracker, wi_loc loc)
{
    return &tracker->places[place_index(tracker, loc)].front;
}

/* ---- explanations ----------------------------------------------------------------------- */

typedef struct telling {
    void (*tell)(void *arg, wi_loc loc, const weir_time *time, int64_t count);
    void *arg;
    wi_loc loc;
} telling;

static void tell_positive(void *arg, const weir_time *time, int64_t count)
{
    const telling *to = arg;
    if (count > 0)
        to->tell(to->arg, to->loc, time, count);
}

void wi_tracker_pointstamps(const wi_tracker *tracker,
                            void (*tell)(void *arg, wi_loc loc, const weir_time *time,
                                         int64_t count),
                            void *arg)
{
    for (uint32_t i = 0; i < tracker->place_count; i++) {
        telling to = {tell, arg, tracker->places[i].loc};
        wi_multiset_each(&tracker->points[i], tell_positive, &to);
    }
}

bool wi_tracker_idle(const wi_tracker *tracker)
{
    return tracker->point_count == 0;
}
