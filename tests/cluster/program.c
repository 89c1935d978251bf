/* What the tests of clusters run: rows from a generator go by key to an operator that may be slow
 * or stop, and sums of each epoch are printed by worker 0, the same for any number of workers.
 * Options make one process do something else than the others.
 *
 *     program --rows 1000000 --epochs 4 --sleep-ms 5000 --sleep-in 1 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/weir.h>

#define ITEM(F)  F(u64, key) F(u64, value)
#define SHORT(F) F(u64, key) F(u32, value)
#define HOP(F)   F(u64, key) F(u64, value) F(u32, left)
#define SUM(F)   F(u64, key) F(i64, count) F(i64, sum)
WEIR_ROW(item, ITEM)
WEIR_ROW(brief, SHORT)
WEIR_ROW(hop, HOP)
WEIR_ROW(sum, SUM)

#define NOBODY UINT64_MAX
#define NS_PER_MS UINT64_C(1000000)

static struct {
    uint64_t rows, epochs, keys, rate;
    uint64_t sleep_ms, sleep_after, sleep_times, sleep_in; /* the slow operator, a process */
    uint64_t stop_after, stop_in;
    uint64_t hops;
    uint64_t odd;     /* this process builds another graph */
    uint64_t late_ms; /* graph `late`: how long all but --odd go on */
    uint64_t build_ms; /* how long --odd does something else before it builds */
    bool report;
    const char *graph, *odd_graph;
    weir_config config;
} ask = {.rows = 100000,
         .epochs = 4,
         .keys = 10,
         .sleep_in = NOBODY,
         .stop_in = NOBODY,
         .hops = 8,
         .odd = NOBODY,
         .late_ms = 3000,
         .graph = "sum"};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static bool is_in(uint64_t process)
{
    return process == NOBODY || process == ask.config.cluster.process;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000 * NS_PER_MS)};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* ---- the source: row i of all is made by worker i modulo their number ------------------- */

typedef struct maker {
    uint64_t next, began_ns;
} maker;

static weir_more make(weir_source *source, void *state, WEIR_UNUSED void *arg)
{
    maker *own = state;
    weir_worker *worker = weir_source_worker(source);
    uint64_t workers = weir_worker_count(worker), first = weir_worker_index(worker);
    if (!own->began_ns)
        own->began_ns = weir_now(worker);
    for (int burst = 0; burst < 4096; burst++) {
        uint64_t i = own->next * workers + first;
        if (i >= ask.rows)
            return WEIR_DONE;
        if (ask.rate && own->next * 1000 > ask.rate * ((weir_now(worker) - own->began_ns) /
                                                       NS_PER_MS + 1))
            return WEIR_WAIT;
        uint64_t epoch = i / (ask.rows / ask.epochs + 1);
        if (epoch > weir_source_epoch(source))
            weir_source_advance(source, epoch);
        item_push(weir_source_out(source), (item){mix(i) % ask.keys, i});
        own->next++;
    }
    return WEIR_MORE;
}

/* ---- the slow operator ------------------------------------------------------------------ */

typedef struct slowness {
    uint64_t taken, slept;
    uint64_t reported_ns, reported;
} slowness;

static void report(weir_op *op, slowness *own)
{
    uint64_t now_ns = weir_now(weir_op_worker(op));
    if (!ask.report || now_ns - own->reported_ns < 100 * NS_PER_MS)
        return;
    fprintf(stderr, "worker %u took %" PRIu64 " at %" PRIu64 "\n",
            weir_worker_index(weir_op_worker(op)), own->taken, now_ns / NS_PER_MS);
    own->reported_ns = now_ns;
}

static void slow_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    slowness *own = weir_op_state(op);
    own->taken += batch->count;
    bool again = !ask.sleep_times || own->slept < ask.sleep_times;
    if (ask.sleep_ms && is_in(ask.sleep_in) && own->taken > ask.sleep_after && again) {
        own->slept++;
        sleep_ms(ask.sleep_ms);
    }
    if (ask.stop_after && is_in(ask.stop_in) && own->taken > ask.stop_after)
        weir_stop(weir_op_worker(op), "the program was told to stop after %" PRIu64 " rows",
                  ask.stop_after);
    report(op, own);
    weir_forward(op, 0, batch);
}

static void slow_stop(weir_op *op)
{
    const slowness *own = weir_op_state(op);
    if (ask.report)
        fprintf(stderr, "worker %u took %" PRIu64 " in all\n",
                weir_worker_index(weir_op_worker(op)), own->taken);
}

static const weir_operator slow = {
    .name = "slow", .state_bytes = sizeof(slowness), .batch = slow_batch, .stop = slow_stop};

WEIR_FOLD(add, item, sum)
{
    acc->count += diff;
    acc->sum += diff * (int64_t)in->value;
}

static void print_sums(weir_stream items)
{
    weir_print(weir_aggregate(items, WEIR_BY(item, key), &add, NULL), stdout);
}

static void swallow_batch(WEIR_UNUSED weir_op *op, WEIR_UNUSED uint32_t input,
                          WEIR_UNUSED const weir_batch *batch)
{
}

static const weir_operator swallow = {.name = "swallow", .batch = swallow_batch};

/* ---- a source that keeps capabilities at --rows times for a while ------------------------- */

typedef struct hoard {
    weir_capability **kept;
    uint64_t count;
} hoard;

static void hoard_start(weir_op *op)
{
    hoard *own = weir_op_state(op);
    if (weir_worker_index(weir_op_worker(op)) != 0)
        return;
    own->kept = calloc(ask.rows + 1, sizeof *own->kept);
    own->kept[own->count++] = weir_op_first_capability(op, 0);
    for (; own->count <= ask.rows; own->count++) {
        weir_time time = {{0}};
        for (int i = 0; i < weir_op_output_dims(op, 0); i++)
            time.at[i] = mix(4 * own->count + (uint64_t)i + 1);
        own->kept[own->count] = weir_capability_delay(own->kept[0], &time);
    }
    weir_activate_after(op, ask.late_ms * NS_PER_MS);
}

static void hoard_run(weir_op *op)
{
    hoard *own = weir_op_state(op);
    while (own->count)
        weir_capability_drop(own->kept[--own->count]);
}

static void hoard_stop(weir_op *op)
{
    free(((hoard *)weir_op_state(op))->kept);
}

static const weir_operator hoards = {.name = "hoard",
                                     .state_bytes = sizeof(hoard),
                                     .source = true,
                                     .start = hoard_start,
                                     .run = hoard_run,
                                     .stop = hoard_stop};

/* ---- graphs ----------------------------------------------------------------------------- */

WEIR_MAP(same, item, item)
{
    *out = *in;
}

WEIR_MAP(shorten, item, brief)
{
    *out = (brief){in->key, (uint32_t)in->value};
}

WEIR_MAP(lengthen, brief, item)
{
    *out = (item){in->key, in->value};
}

WEIR_MAP(begin, item, hop)
{
    *out = (hop){in->key, in->value, (uint32_t)ask.hops};
}

/* Two rows for each, elsewhere. */
WEIR_FLAT_MAP(jump, hop, hop)
{
    if (!in->left)
        return;
    hop_push(out, (hop){mix(in->key + 1), in->value, in->left - 1});
    hop_push(out, (hop){mix(in->key + 2), in->value + 1, in->left - 1});
}

WEIR_MAP(land, hop, item)
{
    *out = (item){in->left, in->value};
}

static weir_stream items_of(weir_dataflow *flow)
{
    return weir_generate(flow, &item_type, make, sizeof(maker), NULL);
}

static void build_sum(weir_dataflow *flow, bool extra)
{
    weir_stream items = items_of(flow);
    if (extra)
        items = weir_map(items, &same);
    print_sums(weir_unary(items, WEIR_EXCHANGE(WEIR_BY(item, value)), &slow, &item_type, NULL));
}

/* Differs from `shorten` only by the rows that it gives. */
static const weir_map_kernel no_shorter = {"shorten", &item_type, &item_type, same_run};

static void build_brief(weir_dataflow *flow)
{
    weir_stream items = weir_exchange(weir_map(items_of(flow), &shorten), WEIR_BY(brief, value));
    print_sums(weir_map(items, &lengthen));
}

static void build_long(weir_dataflow *flow)
{
    weir_stream items = weir_map(items_of(flow), &no_shorter);
    print_sums(weir_map(weir_exchange(items, WEIR_BY(item, value)), &same));
}

static void build_loop(weir_dataflow *flow)
{
    weir_stream hops = weir_map(items_of(flow), &begin);
    weir_loop *loop = weir_loop_begin(flow, "hops");
    weir_stream variable = weir_variable(loop, weir_enter(loop, hops));
    weir_stream all = weir_exchange(variable, WEIR_BY(hop, key));
    weir_variable_set(variable, weir_flat_map(all, &jump));
    weir_stream landed = weir_map(weir_leave(loop, all), &land);
    print_sums(weir_unary(landed, WEIR_EXCHANGE(WEIR_BY(item, value)), &slow, &item_type, NULL));
}

static void build_dims(weir_dataflow *flow)
{
    static const char *const names[] = {"epoch", "version"};
    weir_dataflow_dims(flow, names, 2);
    build_sum(flow, false);
}

static void build_hoard(weir_dataflow *flow)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    weir_dataflow_dims(flow, names, 4);
    weir_builder *builder = weir_operator_begin(flow, &hoards, NULL);
    weir_stream out = weir_builder_output(builder, &item_type);
    weir_operator_end(builder);
    weir_sink(out, WEIR_GATHER(0), &swallow, NULL);
}

typedef struct graph {
    const char *name, *flow; /* the dataflow's name */
    void (*build)(weir_dataflow *flow);
} graph;

static void build_plain(weir_dataflow *flow)
{
    build_sum(flow, false);
}

static void build_extra(weir_dataflow *flow)
{
    build_sum(flow, true);
}

static const graph graphs[] = {{"sum", "sum", build_plain},     {"extra", "sum", build_extra},
                               {"brief", "brief", build_brief}, {"long", "brief", build_long},
                               {"loop", "loop", build_loop},    {"dims", "sum", build_dims},
                               {"hoard", "hoard", build_hoard}};

static void build_one(weir_worker *worker, const char *name)
{
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++)
        if (strcmp(graphs[i].name, name) == 0) {
            weir_dataflow *flow = weir_dataflow_begin(worker, graphs[i].flow);
            graphs[i].build(flow);
            weir_dataflow_end_or_stop(flow);
            return;
        }
    weir_stop(worker, "there is no graph `%s`", name);
}

/* Process --odd returns at once; the others push a row every few milliseconds. */
static void run_late(weir_worker *worker)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "late");
    print_sums(weir_input_new(flow, &item_type, &input));
    if (!weir_dataflow_end_or_stop(flow) || ask.odd == ask.config.cluster.process)
        return;
    uint64_t until_ns = weir_now(worker) + ask.late_ms * NS_PER_MS;
    for (uint64_t i = 0; weir_now(worker) < until_ns && !weir_stopping(worker); i++) {
        item_push(weir_input_out(input), (item){i % ask.keys, i});
        weir_input_advance(input, i / 100);
        weir_step_or_park(worker, 5 * NS_PER_MS);
    }
}

/* Process --odd does something else for a while; the others go on to ever later epochs, as fast as
 * they can: without a row, or with one that goes to worker 0 and is forgotten there. */
static void run_ticks(weir_worker *worker, bool with_rows)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "ticks");
    weir_stream items = weir_input_new(flow, &item_type, &input);
    if (with_rows)
        items = weir_unary(items, WEIR_GATHER(0), &swallow, &item_type, NULL);
    print_sums(items);
    if (!weir_dataflow_end_or_stop(flow))
        return;
    if (ask.odd == ask.config.cluster.process) {
        sleep_ms(ask.late_ms);
        return;
    }
    uint64_t until_ns = weir_now(worker) + ask.late_ms * NS_PER_MS, i = 0;
    while (weir_now(worker) < until_ns && !weir_stopping(worker)) {
        if (with_rows)
            item_push(weir_input_out(input), (item){i, i});
        weir_input_advance(input, ++i);
        weir_step(worker);
    }
    fprintf(stderr, "worker %u made %" PRIu64 " epochs\n", weir_worker_index(worker), i);
}

/* All exchange rows. Process --odd builds a second dataflow after a while; the others send single
 * rows to it there meanwhile, for --late-ms. */
static void run_rare(weir_worker *worker)
{
    weir_dataflow *bulk = weir_dataflow_begin(worker, "bulk");
    weir_unary(items_of(bulk), WEIR_EXCHANGE(WEIR_BY(item, value)), &swallow, &item_type, NULL);
    bool built = weir_dataflow_end_or_stop(bulk), odd = ask.odd == ask.config.cluster.process;
    uint64_t began_ns = weir_now(worker);
    while (odd && weir_now(worker) - began_ns < ask.build_ms * NS_PER_MS && weir_step(worker)) {
    }
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "rare");
    print_sums(weir_exchange(weir_input_new(flow, &item_type, &input), WEIR_BY(item, value)));
    built = weir_dataflow_end_or_stop(flow) && built;
    for (uint64_t i = 0; built && !odd && i < ask.late_ms / 10; i++) {
        item_push(weir_input_out(input), (item){i % ask.keys, i});
        weir_input_flush(input);
        while (weir_now(worker) - began_ns < i * 10 * NS_PER_MS && weir_step(worker)) {
        }
    }
}

/* A graph is a name, or several with commas between, or `none`, `late`, `ticks`, ... */
static void run(weir_worker *worker, WEIR_UNUSED void *arg)
{
    bool odd = ask.odd == ask.config.cluster.process;
    const char *name = odd && ask.odd_graph ? ask.odd_graph : ask.graph;
    if (odd && strcmp(name, "rare") != 0)
        sleep_ms(ask.build_ms);
    if (strcmp(name, "none") == 0)
        return;
    if (strcmp(name, "late") == 0) {
        run_late(worker);
        return;
    }
    if (strcmp(name, "ticks") == 0 || strcmp(name, "marks") == 0) {
        run_ticks(worker, strcmp(name, "marks") == 0);
        return;
    }
    if (strcmp(name, "rare") == 0) {
        run_rare(worker);
        return;
    }
    char *names = strdup(name), *rest = names;
    for (const char *one; (one = strsep(&rest, ","));)
        build_one(worker, one);
    free(names);
}

int main(int argc, char **argv)
{
    const weir_option options[] = {
        {.name = "rows", .value = "N", .help = "of all workers", .number = &ask.rows},
        {.name = "epochs", .value = "N", .help = "of the rows", .number = &ask.epochs},
        {.name = "keys", .value = "N", .help = "of the sums", .number = &ask.keys},
        {.name = "rate", .value = "N", .help = "rows a second and worker", .number = &ask.rate},
        {.name = "sleep-ms", .value = "N", .help = "in a batch", .number = &ask.sleep_ms},
        {.name = "sleep-after", .value = "ROWS", .help = "not before", .number = &ask.sleep_after},
        {.name = "sleep-times", .value = "N", .help = "and no more", .number = &ask.sleep_times},
        {.name = "sleep-in", .value = "P", .help = "only process P", .number = &ask.sleep_in},
        {.name = "stop-after", .value = "ROWS", .help = "weir_stop", .number = &ask.stop_after},
        {.name = "stop-in", .value = "P", .help = "only process P", .number = &ask.stop_in},
        {.name = "hops", .value = "N", .help = "of graph loop", .number = &ask.hops},
        {.name = "odd", .value = "P", .help = "process P is another", .number = &ask.odd},
        {.name = "odd-graph", .value = "G", .help = "which it builds", .text = &ask.odd_graph},
        {.name = "graph", .value = "G", .help = "the others build", .text = &ask.graph},
        {.name = "late-ms", .value = "N", .help = "of late, ticks", .number = &ask.late_ms},
        {.name = "build-ms", .value = "N", .help = "--odd builds later", .number = &ask.build_ms},
        {.name = "report", .help = "say how many rows were taken", .flag = &ask.report},
        {0}};
    weir_err *err = weir_options(&argc, argv, "Rows, by key, summed.", options, &ask.config);
    return err ? weir_report(err, 2) : weir_report(weir_execute(&ask.config, run, NULL), 1);
}
