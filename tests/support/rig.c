/* See rig.h. */
#include "rig.h"

#include <unistd.h>

const weir_config rig_ways[RIG_WAYS] = {
    {.workers = 2},
    {.workers = 4},
    {.workers = 2, .deterministic = true, .seed = 1},
    {.workers = 2, .deterministic = true, .seed = 2},
    {.workers = 4, .deterministic = true, .seed = 3},
    {.workers = 4, .deterministic = true, .seed = 4},
    {.workers = 3, .deterministic = true, .seed = 5},
};

void rig_begin(void)
{
    wi_test_bounds = (wi_bounds){.credit_bytes = CREDIT, .queue_bytes = QUEUE};
}

/* ---- the parts -------------------------------------------------------------------------- */

static void note_most(_Atomic(uint64_t) *most, uint64_t in, uint64_t out)
{
    uint64_t seen = atomic_load(most);
    while (in > out && in - out > seen && !atomic_compare_exchange_weak(most, &seen, in - out)) {
    }
}

static weir_more give(weir_source *source, void *state, void *arg)
{
    rig *r = arg;
    uint64_t *given = state;
    weir_worker *worker = weir_source_worker(source);
    uint64_t first = weir_worker_index(worker) * r->rows;
    if (r->only_first && first)
        return WEIR_DONE;
    for (int i = 0; i < BURST && *given < r->rows; i++, ++*given) {
        if (*given % EPOCH_ROWS == 0)
            weir_source_advance(source, *given / EPOCH_ROWS);
        kilo row = {.value = first + *given};
        kilo_push(weir_source_out(source), row);
        note_most(&r->most, atomic_fetch_add(&r->pushed, 1) + 1, atomic_load(&r->taken));
    }
    return *given < r->rows ? WEIR_MORE : WEIR_DONE;
}

static void note_spilled(weir_op *op)
{
    rig *r = weir_op_arg(op);
    atomic_store(&r->spilled, atomic_load(&weir_op_worker(op)->process->waiting.spilled_bytes));
}

static void take_rows(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    rig *r = weir_op_arg(op);
    for (uint32_t i = 0; i < batch->count; i++)
        atomic_fetch_add(&r->sum, kilo_at(batch, i)->value);
    uint64_t taken = atomic_fetch_add(&r->taken, batch->count) + batch->count;
    if (r->stop_after && taken > r->stop_after)
        weir_op_stop(op, "has enough");
}

static const weir_operator sink = {.name = "sink", .batch = take_rows, .stop = note_spilled};

static bool is_slow(const rig *r, weir_worker *worker)
{
    return !worker->process->config.deterministic &&
           (r->slow_worker == UINT32_MAX || r->slow_worker == weir_worker_index(worker));
}

/* What came last from each source. */
typedef struct last_seen {
    uint64_t values[4];
} last_seen;

static void check_order(weir_op *op, const weir_batch *batch)
{
    const rig *r = weir_op_arg(op);
    last_seen *last = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t value = kilo_at(batch, i)->value, source = value / r->rows;
        if (value < last->values[source])
            weir_op_stop(op, "takes %llu after %llu", (unsigned long long)value,
                         (unsigned long long)last->values[source]);
        last->values[source] = value;
    }
}

static void work_slowly(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    rig *r = weir_op_arg(op);
    uint64_t worked = atomic_fetch_add(&r->worked, batch->count);
    note_most(&r->worked_most, worked + batch->count, atomic_load(&r->taken));
    if (r->ordered)
        check_order(op, batch);
    if (is_slow(r, weir_op_worker(op))) {
        if (!r->slow_rows || worked < r->slow_rows)
            usleep((useconds_t)r->slow_us);
        else if (r->recovered == 0)
            r->recovered = test_seconds();
    }
    weir_forward(op, 0, batch);
}

static const weir_operator slow = {
    .name = "slow", .state_bytes = sizeof(last_seen), .batch = work_slowly};

static void pass_on(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    weir_forward(op, 0, batch);
}

static const weir_operator pass = {.name = "pass", .batch = pass_on};
static const weir_operator light = {.name = "light", .stateless = true, .batch = pass_on};

WEIR_FLAT_MAP(explode, kilo, kilo)
{
    for (int i = 0; i < EXPLODES; i++)
        kilo_push(out, *in);
}

weir_stream rig_slowly(weir_stream in, weir_route route, rig *r)
{
    return weir_unary(in, route, &slow, &kilo_type, r);
}

weir_stream rig_passed(weir_stream in, weir_route route)
{
    return weir_unary(in, route, &pass, &kilo_type, NULL);
}

weir_stream rig_lightly(weir_stream in, weir_route route)
{
    return weir_unary(in, route, &light, &kilo_type, NULL);
}

weir_stream rig_exploded(weir_stream in)
{
    return weir_flat_map(in, &explode);
}

/* ---- running ---------------------------------------------------------------------------- */

weir_stream rig_source(weir_dataflow *flow, rig *r)
{
    return weir_generate(flow, &kilo_type, give, sizeof(uint64_t), r);
}

void rig_sink(weir_stream rows, rig *r)
{
    weir_sink(r->shape(rows, r), WEIR_LOCAL, &sink, r);
}

weir_dataflow *rig_build(weir_worker *worker, rig *r)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "rig");
    rig_sink(rig_source(flow, r), r);
    test_end(flow);
    return flow;
}

void rig_run(weir_worker *worker, void *arg)
{
    rig_build(worker, arg);
    weir_run(worker);
}

void rig_check_all_arrived(const rig *r, uint64_t workers)
{
    uint64_t multiple = r->multiple ? r->multiple : 1;
    uint64_t all = r->rows * (r->only_first ? 1 : workers);
    ck_assert_uint_eq(r->pushed, all);
    ck_assert_uint_eq(r->taken, all * multiple);
    ck_assert_uint_eq(r->sum, all * (all - 1) / 2 * multiple);
}

