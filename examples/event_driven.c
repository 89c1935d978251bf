/* How fast do times pass through a program with little data in it? Many dataflows, each a
 * chain of operators; a round sends one row into each and waits until it has come out.
 *
 *     event_driven -w 2 --dataflows 10 --length 10 --rounds 100000 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#define EVENT(F) F(u64, round)
WEIR_ROW(event, EVENT)

typedef struct shape {
    uint64_t dataflows, length, rounds;
} shape;

WEIR_MAP(pass, event, event)
{
    *out = *in;
}

static weir_probe *build_chain(weir_worker *worker, const shape *of, weir_input **input_out)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "chain");
    weir_stream events = weir_input_new(flow, &event_type, input_out);
    for (uint64_t i = 0; i < of->length; i++)
        events = weir_map(events, &pass);
    weir_probe *probe = weir_probe_new(events);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
    return probe;
}

static void run(weir_worker *worker, void *arg)
{
    const shape *of = arg;
    weir_input **inputs = calloc(of->dataflows, sizeof *inputs);
    weir_probe **probes = calloc(of->dataflows, sizeof *probes);
    for (uint64_t i = 0; i < of->dataflows; i++)
        probes[i] = build_chain(worker, of, &inputs[i]);
    uint64_t start = weir_now(worker);
    for (uint64_t round = 0; round < of->rounds && !weir_stopping(worker); round++) {
        for (uint64_t i = 0; i < of->dataflows; i++) {
            event_push(weir_input_out(inputs[i]), (event){round});
            weir_input_advance(inputs[i], round + 1);
        }
        for (uint64_t i = 0; i < of->dataflows; i++)
            weir_step_while_below(worker, probes[i], round + 1);
    }
    double seconds = (double)(weir_now(worker) - start) / 1e9;
    if (weir_worker_index(worker) == 0) {
        printf("%llu rounds\n", (unsigned long long)of->rounds);
        fprintf(stderr, "%.3f s, %.0f rounds/s\n", seconds, (double)of->rounds / seconds);
    }
    free(inputs);
    free(probes);
}

int main(int argc, char **argv)
{
    shape of = {.dataflows = 10, .length = 10, .rounds = 1000};
    const weir_option options[] = {
        {.name = "dataflows", .value = "N", .help = "default 10", .number = &of.dataflows},
        {.name = "length", .value = "N", .help = "operators of each (10)", .number = &of.length},
        {.name = "rounds", .value = "N", .help = "default 1000", .number = &of.rounds},
        {0}};
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Times through chains.", options, &config);
    if (!err)
        err = weir_execute(&config, run, &of);
    if (!err)
        return 0;
    fprintf(stderr, "event_driven: %s\n", weir_err_message(err));
    weir_err_free(err);
    return 1;
}
