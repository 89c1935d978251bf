/* What processes tell each other about progress, an epoch: every worker gives its share of --rows
 * to an exchange before some operators and steps until a probe behind them has seen the epoch.
 * Frames and bytes that this process has sent on the lane of progress, over the epochs after
 * the first few: changes of pointstamps, and credit. */
#include "bench_worker.h"

#include "net/mesh.h"
#include "runtime/cluster.h"

enum { WARM_UP_EPOCHS = 100 };

struct traffic {
    wi_mesh_totals before, after; /* worker 0's */
};

WEIR_ROUTE(by_value, bench_number) { return in->value; }
WEIR_MAP(add_one, bench_number, bench_number) { out->value = in->value + 1; }

static void add_batch(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)input;
    bench_part_of(weir_op_arg(op), weir_op_worker(op))->rows += batch->count;
}

static const weir_operator counting = {.name = "count", .stateless = true, .batch = add_batch};

static void give_rows(weir_input *input, const struct bench_args *args, unsigned local)
{
    uint64_t end = bench_share_begin(args->rows, local + 1, args->workers);
    for (uint64_t i = bench_share_begin(args->rows, local, args->workers); i < end; i++)
        bench_number_push(weir_input_out(input), (bench_number){i});
}

static void work(weir_worker *worker, void *arg)
{
    struct bench_run *run = arg;
    const struct bench_args *args = run->args;
    struct traffic *traffic = run->own;
    unsigned local = bench_local(args, worker);

    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "progress");
    weir_stream stream = weir_input_new(flow, &bench_number_type, &input);
    stream = weir_unary(stream, WEIR_ROUTED(&by_value, NULL), &counting, &bench_number_type, run);
    for (uint64_t i = 1; i < args->operators; i++)
        stream = weir_map(stream, &add_one);
    weir_probe *probe = weir_probe_new(stream);
    bench_built(worker, flow);

    for (uint64_t epoch = 0; epoch < WARM_UP_EPOCHS + args->rounds; epoch++) {
        if (epoch == WARM_UP_EPOCHS && local == 0)
            wi_cluster_totals(worker, &traffic->before);
        give_rows(input, args, local);
        weir_input_advance(input, epoch + 1);
        weir_probe_wait(worker, probe, epoch + 1);
    }
    if (local == 0)
        wi_cluster_totals(worker, &traffic->after);
}

static struct traffic measure(const struct bench_args *args, struct bench_result *result_out)
{
    struct traffic traffic = {0};
    struct bench_run *run = bench_run_workers(args, work, &traffic);
    result_out->check = bench_run_rows(run);
    bench_run_free(run);
    return traffic;
}

void bench_progress_frames(const struct bench_args *args, struct bench_result *result_out)
{
    struct traffic traffic = measure(args, result_out);
    result_out->value = (double)(traffic.after.sent_frames[WI_LANE_PROGRESS] -
                                 traffic.before.sent_frames[WI_LANE_PROGRESS]) /
                        (double)args->rounds;
}

void bench_progress_bytes(const struct bench_args *args, struct bench_result *result_out)
{
    struct traffic traffic = measure(args, result_out);
    result_out->value = (double)(traffic.after.sent_bytes[WI_LANE_PROGRESS] -
                                 traffic.before.sent_bytes[WI_LANE_PROGRESS]) /
                        (double)args->rounds;
}
