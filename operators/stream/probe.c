/* Probes: what is complete at a place in the graph, asked from the program.
 *
 * Looks deeper than the operator API: a probe reads the published frontier of its input at
 * any moment, without an operator being run. */
#include "../../runtime/runtime.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "common.h"

struct weir_probe {
    weir_op *op;
};

static void take(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)op, (void)input, (void)batch;
}

static void start_probe(weir_op *op)
{
    wi_flow_watch(op->flow, op->inputs[0]->loc, 1);
}

static void stop_probe(weir_op *op)
{
    wi_free(weir_op_arg(op));
}

static const weir_operator probe_operator = {
    .name = "probe", .stateless = true, .start = start_probe, .batch = take, .stop = stop_probe};

weir_probe *weir_probe_new(weir_stream in)
{
    weir_probe *probe = WI_NEW(weir_probe);
    uint32_t index = in.scope->flow->op_count;
    weir_sink(in, WEIR_LOCAL, &probe_operator, probe);
    probe->op = in.scope->flow->ops[index];
    probe->op->always_stop = true;
    return probe;
}

static const wi_input_port *port_of(const weir_probe *probe)
{
    wi_require(probe->op->flow->shared, "a probe is asked before weir_dataflow_end");
    return probe->op->inputs[0];
}

static bool stopped(const weir_probe *probe)
{
    return wi_stopping(probe->op->flow->worker->process);
}

bool weir_probe_lt(const weir_probe *probe, const weir_time *time)
{
    const wi_input_port *port = port_of(probe);
    return wi_shared_lt(probe->op->flow->shared, port->loc, port->dims, time) && !stopped(probe);
}

bool weir_probe_le(const weir_probe *probe, const weir_time *time)
{
    const wi_input_port *port = port_of(probe);
    return wi_shared_le(probe->op->flow->shared, port->loc, port->dims, time) && !stopped(probe);
}

bool weir_probe_below(const weir_probe *probe, uint64_t epoch)
{
    const wi_input_port *port = port_of(probe);
    if (port->dims == 1)
        return weir_probe_lt(probe, &WEIR_EPOCH(epoch));
    weir_antichain frontier;
    weir_antichain_init(&frontier);
    weir_probe_frontier(probe, &frontier);
    bool below = false;
    for (uint32_t i = 0; i < frontier.count; i++)
        below |= frontier.times[i].at[0] < epoch;
    weir_antichain_fini(&frontier);
    return below && !stopped(probe);
}

void weir_probe_frontier(const weir_probe *probe, weir_antichain *frontier_out)
{
    const wi_input_port *port = port_of(probe);
    wi_shared_frontier(probe->op->flow->shared, port->loc, port->dims, frontier_out);
}

bool weir_probe_done(const weir_probe *probe)
{
    weir_antichain frontier;
    weir_antichain_init(&frontier);
    weir_probe_frontier(probe, &frontier);
    bool done = frontier.count == 0;
    weir_antichain_fini(&frontier);
    return done || stopped(probe);
}

bool weir_step_while_below(weir_worker *worker, const weir_probe *probe, uint64_t epoch)
{
    while (weir_probe_below(probe, epoch))
        weir_step(worker);
    return !weir_stopping(worker);
}

bool weir_probe_wait(weir_worker *worker, const weir_probe *probe, uint64_t epoch)
{
    while (weir_probe_below(probe, epoch))
        weir_step_or_park(worker, UINT64_MAX);
    return !weir_stopping(worker);
}
