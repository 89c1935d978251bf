/* The tracker's state, shared by the files that build it (build.c), walk the outside of
 * loops (walk.c), settle a loop (region.c), and answer the public calls (tracker.c). The
 * algorithm and its invariants are in tracker.h.
 *
 * Every representative location is a place. Places outside of all regions come first, in
 * topological order; each region has a position among them, and its inner places come
 * after all positions:
 *
 *     0 ................ positions ................ places
 *     outer places and regions | inner places, region by region
 *
 * A bit of `dirty` says that the outer place or region at a position has to be visited. */
#ifndef WEIR_PROGRESS_STATE_H
#define WEIR_PROGRESS_STATE_H

#include "graph.h"
#include "multiset.h"

#define WI_NONE UINT32_MAX
#define WI_PROMISED WI_PORTS_MAX /* in place_of: no pointstamp may be counted here */

/* What an epoch's step through a chain touches, so all in one or two cache lines. */
typedef struct wi_place {
    weir_antichain front; /* the frontier */
    uint64_t least;       /* first coordinate of its first time; UINT64_MAX if it is empty */
    uint64_t own;         /* one root dimension, outer place: the least own pointstamp ... */
    bool own_any;         /* ... if there is one */
    bool stale;           /* own pointstamps have changed since they were looked at */
    bool is_region;       /* this position is a region's */
    uint32_t pull, pull_end; /* outer place: where its frontier comes from */
    uint32_t mark, mark_end; /* positions to visit when the frontier changes */
    uint32_t position;       /* its own, or its region's */
    uint32_t region;         /* the region it is inside of, or that has this position */
    wi_loc loc;
    weir_time one; /* one root dimension, outer place: the front's time, in place */
} wi_place;

/* What an outer place looks at: the front of `from`, through a summary. */
typedef struct wi_pull {
    uint32_t from;
    bool same;    /* the times as they are */
    uint64_t add; /* one root dimension: all there is to the summary */
} wi_pull;

/* A link to or between inner places. */
typedef enum wi_step { WI_SAME, WI_SUMMARY, WI_BACK } wi_step;
typedef struct wi_way {
    uint32_t to;
    wi_step step; /* WI_SAME: the words of the time stay as they are; enter included */
    weir_summary summary;
} wi_way;

/* Where a place stands in the order of its region: its topological index, and those of the
 * scopes around it, outermost first. */
typedef struct wi_path {
    uint32_t index[WEIR_DIMS_MAX];
    uint32_t depth; /* of its scope; index[depth] is its own */
} wi_path;

/* An inner place. */
typedef struct wi_inner {
    wi_multiset implied; /* own minimal pointstamps, and predecessors' fronts through links */
    weir_antichain own;  /* the minimal pointstamps that implied counts */
    bool changed;        /* its front, in this propagation */
    int dims;
    uint32_t way, way_end;
} wi_inner;

/* Time is implied once more (+1) or once less (-1) at a place. The two are one word, since
 * events are copied as a whole right after they are written. */
typedef struct wi_event {
    weir_time time;
    uint64_t what;
} wi_event;

static inline uint32_t wi_event_place(const wi_event *event)
{
    return (uint32_t)(event->what >> 1);
}

static inline int wi_event_delta(const wi_event *event)
{
    return event->what & 1 ? 1 : -1;
}

/* A link into a region from an outer place, and the front that was last carried in. */
typedef struct wi_entry {
    uint32_t from, to;
    weir_antichain seen;
} wi_entry;

/* A scope with all its nested scopes, in which work is ordered by time before place. */
typedef struct wi_region {
    wi_event *heap;
    uint32_t heap_count, heap_capacity;
    uint32_t *stale; /* inner places whose own pointstamps have changed */
    uint32_t stale_count, stale_capacity;
    uint32_t *changed; /* inner places whose front has changed */
    uint32_t changed_count, changed_capacity;
    uint32_t entry, entry_end; /* in wi_tracker.entries */
} wi_region;

struct wi_tracker {
    int root_dims;
    uint32_t position_count, place_count, region_count;
    uint64_t *dirty;      /* a bit for each position */
    uint64_t *dirty_word; /* a bit for each word of dirty that is not 0 */
    uint32_t dirty_word_count;
    wi_place *places;
    wi_multiset *points;     /* own pointstamps of each place */
    uint64_t point_count;    /* (place, time) with a count other than 0 */
    wi_pull *pulls;
    weir_summary *pull_summaries; /* more than one root dimension */
    weir_antichain *owns; /* outer places, more than one root dimension: minimal pointstamps */
    uint32_t *marks;
    wi_inner *inner; /* of place position_count + i; and its path */
    wi_path *paths;
    wi_way *ways;
    wi_region *regions;
    wi_entry *entries;
    uint32_t entry_count;
    wi_loc *changed;
    uint32_t changed_count;
    weir_antichain scratch;
    /* by location */
    uint32_t loc_count;
    uint32_t *place_of; /* the representative's place, and WI_PROMISED */
    char **loc_names;
    wi_graph *graph;
};

static inline void wi_mark(wi_tracker *tracker, uint32_t position)
{
    tracker->dirty[position / 64] |= UINT64_C(1) << (position % 64);
    tracker->dirty_word[position / (64 * 64)] |= UINT64_C(1) << (position / 64 % 64);
}

static inline void wi_mark_all(wi_tracker *tracker, const wi_place *place)
{
    for (uint32_t i = place->mark; i < place->mark_end; i++)
        wi_mark(tracker, tracker->marks[i]);
}

static inline void wi_report(wi_tracker *tracker, const wi_place *place)
{
    tracker->changed[tracker->changed_count++] = place->loc;
}

/* Visits the dirty positions in topological order. */
void wi_walk(wi_tracker *tracker);
/* Carries all that has changed around a region through it. */
void wi_region_settle(wi_tracker *tracker, wi_region *region);

#endif
