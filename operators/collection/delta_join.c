/* delta_join: a join of several collections as a sum of one chain of half-joins for each.
 *
 * A combination of changes, one of each collection, is to be counted once: by the chain of the
 * latest of them. Of two at the same time the one of the later collection counts as later. So
 * a change of collection i sees those of the collections before i up to its own time, and
 * those of the collections after i before it. */
#include "join.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../stream/common.h"

/* Whether each path has every other collection once; otherwise the dataflow fails. */
static bool is_complete(weir_scope *scope, uint32_t count, const weir_delta_step *steps)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++) {
            uint32_t times = 0;
            for (uint32_t s = 0; s + 1 < count; s++)
                times += steps[(size_t)i * (count - 1) + s].with == j;
            if (times != (i != j)) {
                weir_scope_fail(scope,
                                "delta_join: changes of collection %u are joined with collection "
                                "%u %u times; once with each other one is right",
                                i, j, times);
                return false;
            }
        }
    return true;
}

/* What changes of collection `of` give. */
static weir_stream path(const weir_stream *collections, uint32_t of, uint32_t count,
                        const weir_delta_step *steps, void *arg)
{
    weir_stream rows = collections[of];
    for (uint32_t s = 0; s + 1 < count; s++) {
        const weir_delta_step *step = &steps[s];
        weir_half half = step->with < of ? WEIR_HALF_UP_TO : WEIR_HALF_BEFORE;
        weir_arrangement *with = wi_arrange(collections[step->with], step->with_key, NULL);
        rows = wi_half_join("delta_join", rows, step->key, with, half, s > 0, step->kernel, arg);
    }
    return rows;
}

weir_stream weir_delta_join_with(const weir_stream *collections, uint32_t count,
                                 const weir_delta_step *steps, void *arg)
{
    wi_require(count > 0, "weir_delta_join: it joins no collection at all; give at least one");
    if (!is_complete(collections[0].scope, count, steps))
        return collections[0];
    weir_stream *paths = WI_NEWS(weir_stream, count);
    for (uint32_t i = 0; i < count; i++)
        paths[i] = path(collections, i, count, steps + (size_t)i * (count - 1), arg);
    weir_stream all = weir_concat_all(paths, count);
    wi_free(paths);
    return all;
}
