/* The walk over outer places: an acyclic graph, visited in topological order, each dirty
 * place once. A place looks at its predecessors' frontiers and its own pointstamps and
 * works out its frontier from scratch: no counting, no intermediate states. With one root
 * dimension a frontier is a number or nothing, and that is all the work there is. */
#include "state.h"

#include "antichain.h"
#include "base/assert.h"

/* Returns whether the frontier has changed. UINT64_MAX, which an empty frontier gives as
 * its least, cannot lower a minimum; `any` tells it from a time. */
static inline bool settle_total(wi_tracker *tracker, uint32_t position, wi_place *place)
{
    if (place->stale) {
        place->stale = false;
        place->own = UINT64_MAX;
        place->own_any = wi_multiset_least(&tracker->points[position], &place->own);
    }
    uint64_t least = place->own;
    bool any = place->own_any;
    for (uint32_t i = place->pull; i < place->pull_end; i++) {
        const wi_place *from = &tracker->places[tracker->pulls[i].from];
        uint64_t time = weir_add_saturating(from->least, tracker->pulls[i].add);
        least = time < least ? time : least;
        any |= from->front.count > 0;
    }
    if (least == place->least && any == (place->front.count > 0))
        return false;
    place->least = place->one.at[0] = least;
    place->front.count = any;
    return true;
}

/* Appends what a pull brings to a list, and returns whether it is an antichain. */
static bool append_pulled(const wi_tracker *tracker, uint32_t pull, weir_antichain *list)
{
    const weir_antichain *from = &tracker->places[tracker->pulls[pull].from].front;
    if (tracker->pulls[pull].same) {
        wi_antichain_append_all(list, from);
        return true;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        weir_time time = weir_summary_apply(&tracker->pull_summaries[pull], &from->times[i]);
        wi_antichain_append(list, &time);
    }
    return from->count <= 1;
}

static bool settle_partial(wi_tracker *tracker, uint32_t position, wi_place *place)
{
    weir_antichain *front = &tracker->scratch, *own = &tracker->owns[position];
    if (place->stale) {
        place->stale = false;
        wi_multiset_minimal(&tracker->points[position], own);
    }
    weir_antichain_copy(front, own);
    bool is_minimal = true;
    for (uint32_t i = place->pull; i < place->pull_end; i++) {
        uint32_t before = front->count;
        bool from_minimal = append_pulled(tracker, i, front);
        if (front->count > before)
            is_minimal = is_minimal && from_minimal && before == 0;
    }
    if (!is_minimal)
        wi_antichain_minimise(front, tracker->root_dims);
    if (weir_antichain_eq(front, &place->front))
        return false;
    weir_antichain old = place->front;
    place->front = *front;
    *front = old;
    return true;
}

static inline __attribute__((always_inline)) void walk(wi_tracker *tracker, bool total)
{
    for (uint32_t group = 0; group < tracker->dirty_word_count; group++) {
        while (tracker->dirty_word[group]) {
            uint32_t word = group * 64 + (uint32_t)__builtin_ctzll(tracker->dirty_word[group]);
            uint64_t bits;
            while ((bits = tracker->dirty[word])) { /* visits set bits, further on */
                uint32_t position = word * 64 + (uint32_t)__builtin_ctzll(bits);
                tracker->dirty[word] = bits & (bits - 1);
                wi_place *place = &tracker->places[position];
                if (WEIR_UNLIKELY(place->is_region)) {
                    wi_region_settle(tracker, &tracker->regions[place->region]);
                } else if (total ? settle_total(tracker, position, place)
                                 : settle_partial(tracker, position, place)) {
                    wi_report(tracker, place);
                    wi_mark_all(tracker, place);
                }
            }
            tracker->dirty_word[group] &= tracker->dirty_word[group] - 1;
        }
    }
}

void wi_walk(wi_tracker *tracker)
{
    if (tracker->root_dims == 1)
        walk(tracker, true);
    else
        walk(tracker, false);
}
