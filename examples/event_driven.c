/* How fast do times pass through a program with little data in it? Many dataflows, each a
 * chain of operators; a round sends one row into each and waits until it has come out.
 *
 *     event_driven -w 2 --dataflows 10 --length 10 --rounds 100000 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#define EVENT(F) F(u64, round)
WEIR_ROW(event, EVENT)

WEIR_MAP(pass, event, event)
{
    *out = *in;
}

static uint64_t dataflows = 10, length = 10, rounds = 1000;

typedef struct chain {
    weir_input *input;
    weir_probe *probe;
} chain;

static void run(weir_worker *worker, WEIR_UNUSED void *arg)
{
    chain *chains = calloc(dataflows, sizeof *chains), *end = chains + dataflows;
    for (chain *c = chains; c < end && !weir_stopping(worker); c++) {
        weir_dataflow *flow = weir_dataflow_begin(worker, "chain");
        weir_stream events = weir_input_new(flow, &event_type, &c->input);
        for (uint64_t i = 0; i < length; i++)
            events = weir_map(events, &pass);
        c->probe = weir_probe_new(events);
        weir_dataflow_end_or_stop(flow);
    }
    uint64_t start_ns = weir_now(worker);
    for (uint64_t round = 0; round < rounds && !weir_stopping(worker); round++) {
        for (chain *c = chains; c < end; c++) {
            event_push(weir_input_out(c->input), (event){round});
            weir_input_advance(c->input, round + 1);
        }
        for (chain *c = chains; c < end; c++)
            weir_step_while_below(worker, c->probe, round + 1);
    }
    double seconds = (double)(weir_now(worker) - start_ns) / 1e9;
    if (weir_worker_index(worker) == 0) {
        printf("%llu rounds\n", (unsigned long long)rounds);
        fprintf(stderr, "%.3f s, %.0f rounds/s\n", seconds, (double)rounds / seconds);
    }
    free(chains);
}

int main(int argc, char **argv)
{
    const weir_option options[] = {
        {.name = "dataflows", .value = "N", .help = "default 10", .number = &dataflows},
        {.name = "length", .value = "N", .help = "operators of each (10)", .number = &length},
        {.name = "rounds", .value = "N", .help = "default 1000", .number = &rounds},
        {0}};
    weir_config config = {0};
    weir_err *err = weir_options(&argc, argv, "Times through chains.", options, &config);
    return err ? weir_report(err, 2) : weir_report(weir_execute(&config, run, NULL), 1);
}
