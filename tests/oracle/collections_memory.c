/* Collections that stay the same size while epochs go by: memory must, too. A count, a join, a
 * reduce with a kernel, the first rows of groups, latest rows by key, triangles, and a reach loop;
 * each epoch some rows come and as many go. Between a tenth and the end of
 * the epochs, what is in use may differ by what runs that are being merged take.
 *
 *     oracle_collections_memory [--seed S] [--cases EPOCHS] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include <weir/weir.h>

#include "tests/support/execution.h"
#include "tests/support/memory.h"

/* A trace of the rows below and its runs, once more: 8 bytes an epoch would be beyond it. */
#define BYTES_MORE_MAX (1024 * 1024)
#define RESIDENT_MORE_MAX (16 * 1024 * 1024)

#define SALES 2000 /* at any time */
#define KEYS 300
#define NODES 200
#define EDGES 400

#define SALE(F) F(u64, key) F(u64, price)
#define EDGE(F) F(u64, src) F(u64, dst)
#define TALLY(F) F(u64, key) F(i64, n)
#define NAMED(F) F(u64, key) F(u64, price) F(weir_text, name)
#define NODE(F) F(u64, id)
#define THREE(F) F(u64, a) F(u64, b) F(u64, c)
WEIR_ROW(sale, SALE)
WEIR_ROW(edge, EDGE)
WEIR_ROW(tally, TALLY)
WEIR_ROW(named, NAMED)
WEIR_ROW(node, NODE)
WEIR_ROW(three, THREE)

typedef enum flow_kind {
    COUNTS,
    JOINS,
    REDUCES,
    TOPS,
    UPSERTS,
    TRIANGLES,
    REACHES,
    FLOWS
} flow_kind;
static const char *const flow_names[FLOWS] = {"count",  "join",      "reduce", "top",
                                              "upsert", "triangles", "reach"};

#define EPOCHS_MIN 200 /* so that something changes */
#define SAMPLES 50

typedef struct plan {
    flow_kind kind;
    uint32_t workers;
    uint64_t seed, epochs;
    _Atomic(uint64_t) changes;     /* that came out */
    _Atomic(uint64_t) rested;      /* how often workers have ended their merges */
    int64_t bytes[2], resident[2]; /* at a tenth, at the end */
} plan;

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t x = (*state ^ *state >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

/* ---- dataflows -------------------------------------------------------------------------- */

WEIR_JOIN(follow, node, edge, node)
{
    out->id = b->dst;
}

WEIR_JOIN(name_sale, sale, edge, named)
{
    char text[32];
    int length = snprintf(text, sizeof text, "the one called %" PRIu64, b->dst);
    *out = (named){a->key, a->price, weir_text_new(into, text, (uint32_t)length)};
}

WEIR_REDUCE(kinds, sale, tally)
{
    tally_push(out, (tally){.n = count});
}

WEIR_JOIN(ab_c, edge, edge, three)
{
    *out = (three){a->src, a->dst, b->dst};
}

WEIR_JOIN(bc_a, edge, edge, three)
{
    *out = (three){b->src, a->src, a->dst};
}

WEIR_JOIN(ac_b, edge, edge, three)
{
    *out = (three){a->src, b->dst, a->dst};
}

WEIR_JOIN(same, three, edge, three)
{
    *out = *a;
}

static weir_stream triangles(weir_stream e)
{
    weir_key src = WEIR_BY(edge, src), dst = WEIR_BY(edge, dst), both = WEIR_BY(edge, src, dst);
    weir_key ac = WEIR_BY(three, a, c), bc = WEIR_BY(three, b, c);
    weir_stream edges[] = {e, e, e};
    weir_delta_step steps[] = {{1, dst, src, &ab_c}, {2, ac, both, &same}, /* of a-b */
                               {0, src, dst, &bc_a}, {2, ac, both, &same}, /* of b-c */
                               {0, src, src, &ac_b}, {1, bc, both, &same}}; /* of a-c */
    return weir_delta_join(edges, 3, steps);
}

static weir_stream reach(weir_dataflow *flow, weir_stream edges)
{
    node root = {0};
    weir_loop *loop = weir_loop_begin(flow, "reach");
    weir_stream roots = weir_enter(loop, weir_from_rows(flow, &node_type, &root, 1));
    weir_stream reached = weir_variable(loop, roots);
    weir_stream next =
        weir_join(reached, WEIR_BY(node, id), weir_enter(loop, edges), WEIR_BY(edge, src), &follow);
    next = weir_distinct(weir_concat(next, roots));
    weir_variable_set(reached, next);
    return weir_leave(loop, next);
}

static void count_changes(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    atomic_fetch_add(&((plan *)arg)->changes, batch->count);
}

static weir_stream build(weir_dataflow *flow, flow_kind kind, weir_input **sales_out,
                         weir_input **edges_out)
{
    weir_stream sales = weir_input_new(flow, &sale_type, sales_out);
    weir_stream edges = weir_input_new(flow, &edge_type, edges_out);
    switch (kind) {
    case COUNTS:
        return weir_group_count(sales, WEIR_BY(sale, key), &tally_type);
    case JOINS:
        return weir_join(sales, WEIR_BY(sale, key), edges, WEIR_BY(edge, src), &name_sale);
    case REDUCES:
        return weir_reduce(sales, WEIR_BY(sale, key), &kinds);
    case TOPS:
        return weir_group_top(sales, WEIR_BY(sale, key), WEIR_DESCENDING(sale, price),
                              (weir_top){.limit = 2, .ties = WEIR_TIES_RANK});
    case UPSERTS:
        return weir_upsert(sales, WEIR_BY(sale, key), WEIR_ASCENDING(sale, price));
    case TRIANGLES:
        return triangles(edges);
    default:
        return reach(flow, edges);
    }
}

/* ---- epochs ----------------------------------------------------------------------------- */

/* What came `ago` epochs before is drawn again, to be taken away. */
static sale sale_of(const plan *p, uint64_t epoch)
{
    uint64_t state = p->seed + epoch * 2;
    return (sale){draw(&state, KEYS), draw(&state, 50)};
}

static edge edge_of(const plan *p, uint64_t epoch)
{
    uint64_t state = p->seed + epoch * 2 + 1;
    return (edge){draw(&state, NODES), draw(&state, NODES)};
}

static void change(const plan *p, weir_input *sales, weir_input *edges, uint64_t epoch)
{
    weir_out *out = weir_input_out(sales);
    weir_out_diff(out, 1);
    sale_push(out, sale_of(p, epoch));
    if (epoch >= SALES) {
        weir_out_diff(out, -1);
        sale_push(out, sale_of(p, epoch - SALES));
    }
    out = weir_input_out(edges);
    weir_out_diff(out, 1);
    edge_push(out, edge_of(p, epoch));
    if (epoch >= EDGES) {
        weir_out_diff(out, -1);
        edge_push(out, edge_of(p, epoch - EDGES));
    }
}

/* The least of some epochs in a row: in any one of them a merge may be going on. */
static void sample(plan *p, bool last)
{
    int64_t bytes = test_bytes_in_use(), resident = test_resident_bytes();
    if (!p->bytes[last] || bytes < p->bytes[last])
        p->bytes[last] = bytes;
    if (!p->resident[last] || resident < p->resident[last])
        p->resident[last] = resident;
}

/* Until no worker has a merge left, however late the system lets it run. */
static void end_merges(weir_worker *worker, plan *p, uint64_t times)
{
    for (int i = 0; i < 100; i++)
        weir_step(worker);
    atomic_fetch_add(&p->rested, 1);
    while (atomic_load(&p->rested) < times * p->workers && weir_step(worker))
        ;
}

static void work(weir_worker *worker, void *arg)
{
    plan *p = arg;
    weir_input *sales, *edges;
    bool first = weir_worker_index(worker) == 0;
    uint64_t samples = p->epochs < 10 * SAMPLES ? p->epochs / 10 : SAMPLES, rests = 0;
    weir_dataflow *flow = weir_dataflow_begin(worker, flow_names[p->kind]);
    weir_stream out = build(flow, p->kind, &sales, &edges);
    weir_probe *probe = weir_probe_new(weir_inspect_batch(out, count_changes, p));
    if (!weir_dataflow_end_or_stop(flow))
        return;
    for (uint64_t epoch = 0; epoch < p->epochs; epoch++) {
        if (first)
            change(p, sales, edges, epoch);
        weir_input_advance(sales, epoch + 1);
        weir_input_advance(edges, epoch + 1);
        if (!weir_step_while_below(worker, probe, epoch + 1))
            return;
        bool last = epoch + samples >= p->epochs;
        if (last || epoch - p->epochs / 10 < samples) {
            end_merges(worker, p, ++rests);
            if (first && p->kind == REACHES)
                urcu_qsbr_barrier(); /* old frontiers, which a thread frees that may be late */
            if (first)
                sample(p, last);
        }
    }
}

static bool stays_bounded(plan p)
{
    weir_config config = {.workers = p.workers};
    double begun = test_seconds();
    weir_err *err = weir_execute(&config, work, &p);
    if (err) {
        fprintf(stderr, "%s\n", weir_err_message(err));
        weir_err_free(err);
        return false;
    }
    int64_t more = p.bytes[1] - p.bytes[0], resident = p.resident[1] - p.resident[0];
    printf("%s, %u workers: %" PRIu64 " epochs in %.1f s, %" PRIu64 " changes; in use %" PRId64
           " then %" PRId64 " KB, resident %" PRId64 " then %" PRId64 " KB\n",
           flow_names[p.kind], p.workers, p.epochs, test_seconds() - begun, atomic_load(&p.changes),
           p.bytes[0] / 1024, p.bytes[1] / 1024, p.resident[0] / 1024, p.resident[1] / 1024);
    fflush(stdout);
    bool bounded = more <= BYTES_MORE_MAX && (test_sanitized() || resident <= RESIDENT_MORE_MAX);
    if (!bounded)
        fprintf(stderr, "%s: it grows\n", flow_names[p.kind]);
    return bounded && atomic_load(&p.changes) > 0;
}

int main(int argc, char **argv)
{
    uint64_t epochs = 20000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cases") == 0)
            epochs = strtoull(argv[i + 1], NULL, 10);
    }
    printf("collections_memory: %" PRIu64 " epochs, --seed %" PRIu64 "\n", epochs, seed);
    uint64_t fewer = epochs / 10 > EPOCHS_MIN ? epochs / 10 : EPOCHS_MIN;
    bool bounded = true;
    for (flow_kind kind = 0; kind < FLOWS; kind++)
        for (uint32_t workers = 1; workers <= 2; workers++)
            bounded &= stays_bounded((plan){.kind = kind,
                                            .workers = workers,
                                            .seed = seed,
                                            .epochs = workers == 1 ? epochs : fewer});
    return bounded ? 0 : 1;
}
