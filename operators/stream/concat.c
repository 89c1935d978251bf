/* concat: all rows of several streams. Batches go on as they came, by reference. */
#include "common.h"

#include "../../base/assert.h"

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_forward(op, 0, batch);
}

static const weir_operator concat = {.name = "concat", .stateless = true, .batch = on_batch};

weir_stream weir_concat_all(const weir_stream *streams, uint32_t count)
{
    wi_assert(count > 0, "concat takes at least one stream");
    weir_builder *builder = wi_begin(streams[0], WEIR_LOCAL, &concat, NULL, concat.name, NULL);
    for (uint32_t i = 1; i < count; i++) {
        wi_same_rows(streams[0].scope, concat.name, streams[0].type, streams[i].type);
        weir_builder_input(builder, streams[i], WEIR_LOCAL);
    }
    return wi_end(builder, streams[0].type);
}

weir_stream weir_concat(weir_stream a, weir_stream b)
{
    return weir_concat_all((const weir_stream[]){a, b}, 2);
}
