/* The capabilities of a source that follows a recorded frontier; see held.h. */
#include "held.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"

void wi_held_init(wi_held *held, weir_capability *first)
{
    held->capabilities = WI_NEWS(weir_capability *, 1);
    held->capabilities[0] = first;
    held->count = 1;
}

static weir_capability *before(const wi_held *held, const weir_time *time)
{
    for (uint32_t i = 0; i < held->count; i++)
        if (weir_time_le(weir_capability_time(held->capabilities[i]), time))
            return held->capabilities[i];
    return NULL;
}

bool wi_held_allows(const wi_held *held, const weir_time *time)
{
    return before(held, time) != NULL;
}

void wi_held_move(wi_held *held, const weir_antichain *frontier)
{
    if (held->count == 1 && frontier->count == 1) {
        weir_capability_downgrade(held->capabilities[0], &frontier->times[0]);
        return;
    }
    weir_capability **moved = WI_NEWS(weir_capability *, frontier->count);
    for (uint32_t i = 0; i < frontier->count; i++) {
        weir_capability *from = before(held, &frontier->times[i]);
        wi_assert(from, "a frontier moves to later times");
        moved[i] = weir_capability_delay(from, &frontier->times[i]);
    }
    for (uint32_t i = 0; i < held->count; i++)
        weir_capability_drop(held->capabilities[i]);
    wi_free(held->capabilities);
    held->capabilities = moved;
    held->count = frontier->count;
}

void wi_held_fini(wi_held *held)
{
    wi_free(held->capabilities);
}
