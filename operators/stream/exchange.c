/* exchange, exchange_by, broadcast and gather: rows go to the worker where they belong. The
 * work is the channel's; the operator passes on what arrives. With one worker nothing is
 * moved. */
#include "common.h"

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_forward(op, 0, batch);
}

static const weir_operator exchange = {.name = "exchange", .stateless = true, .batch = on_batch};
static const weir_operator broadcast = {.name = "broadcast", .stateless = true, .batch = on_batch};
static const weir_operator gather = {.name = "gather", .stateless = true, .batch = on_batch};

static weir_stream moved(weir_stream in, weir_route route, const weir_operator *logic,
                         const char *of)
{
    return wi_end(wi_begin(in, route, logic, NULL, logic->name, of), in.type);
}

weir_stream weir_exchange(weir_stream in, weir_key key)
{
    wi_takes(in, exchange.name, NULL, key.type);
    return moved(in, WEIR_EXCHANGE(key), &exchange, NULL);
}

weir_stream weir_exchange_by(weir_stream in, const weir_route_kernel *kernel, void *arg)
{
    wi_takes(in, exchange.name, kernel->name, kernel->in);
    return moved(in, WEIR_ROUTED(kernel, arg), &exchange, kernel->name);
}

weir_stream weir_broadcast(weir_stream in)
{
    return moved(in, WEIR_BROADCAST, &broadcast, NULL);
}

weir_stream weir_gather(weir_stream in, uint32_t worker)
{
    return moved(in, WEIR_GATHER(worker), &gather, NULL);
}
