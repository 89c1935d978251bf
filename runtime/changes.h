/* Changes of pointstamp counts that a worker has not posted yet.
 *
 * Opposite changes of the same (location, time) should cancel here, before anyone sees
 * them. The last entry of each location is remembered; that catches what an operator
 * produces and the next one consumes in the same step. What is missed is only traffic: the
 * tracker adds up whatever it gets. */
#ifndef WEIR_RUNTIME_CHANGES_H
#define WEIR_RUNTIME_CHANGES_H

#include <weir/time.h>

#include "../base/alloc.h"
#include "../progress/tracker.h"

/* Room for so many is kept; more only while it is used. */
#define WI_CHANGES_KEPT 1024

typedef struct wi_change {
    wi_loc loc;
    int64_t delta;
    weir_time time;
} wi_change;

typedef struct wi_changes {
    wi_change *entries;
    uint32_t count, capacity;
    uint32_t nonzero;  /* entries whose delta is not zero */
    uint32_t *last;    /* by location: 1 + index of its newest entry, or 0 */
    uint32_t locs;
    uint32_t compact_at; /* for who adds for long: at that many entries compacting pays */
} wi_changes;

static inline void wi_changes_init(wi_changes *changes, uint32_t locs)
{
    *changes = (wi_changes){
        .last = WI_NEWS(uint32_t, locs), .locs = locs, .compact_at = WI_CHANGES_KEPT};
}

static inline void wi_changes_fini(wi_changes *changes)
{
    wi_free(changes->entries);
    wi_free(changes->last);
}

static inline void wi_changes_add(wi_changes *changes, wi_loc loc, const weir_time *time,
                                  int64_t delta)
{
    uint32_t last = changes->last[loc];
    if (last) {
        wi_change *entry = &changes->entries[last - 1];
        if (weir_time_eq(&entry->time, time)) {
            changes->nonzero -= entry->delta != 0;
            entry->delta += delta;
            changes->nonzero += entry->delta != 0;
            return;
        }
    }
    if (changes->count == changes->capacity)
        wi_grow(&changes->entries, &changes->capacity, changes->count + 1, sizeof(wi_change));
    changes->entries[changes->count++] = (wi_change){loc, delta, *time};
    changes->last[loc] = changes->count;
    changes->nonzero++;
}

/* Adds up all entries of the same location and time, whatever lies between them. */
void wi_changes_compact(wi_changes *changes);

static inline void wi_changes_clear(wi_changes *changes)
{
    for (uint32_t i = 0; i < changes->count; i++)
        changes->last[changes->entries[i].loc] = 0;
    if (changes->capacity > WI_CHANGES_KEPT && changes->count < changes->capacity / 8) {
        wi_free(changes->entries);
        changes->entries = NULL;
        changes->capacity = 0;
    }
    changes->count = changes->nonzero = 0;
    changes->compact_at = WI_CHANGES_KEPT;
}

#endif
