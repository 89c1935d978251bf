/* negate: the same rows, taken away where they were given. They are shared; only diffs are new. */
#include <weir/collection.h>

#include "../stream/common.h"

static int64_t negated(int64_t diff)
{
    return (int64_t)(0 - (uint64_t)diff); /* wraps around */
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_batch *view = weir_batch_view(batch);
    view->diff = negated(batch->diff);
    for (uint32_t i = 0; batch->diffs && i < batch->count; i++)
        view->diffs[i] = negated(batch->diffs[i]);
    weir_send_batch(op, 0, view);
}

static const weir_operator negate = {.name = "negate", .stateless = true, .batch = on_batch};

weir_stream weir_negate(weir_stream in)
{
    return wi_end(wi_begin(in, WEIR_LOCAL, &negate, NULL, negate.name, NULL), in.type);
}
