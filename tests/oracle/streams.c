/* Random dataflows of stream operators over random rows, compared with a naive computation
 * of the same on plain lists. What is random: the graph, the rows, their diffs and epochs,
 * where batches end, whether times are columns, the number of workers, threads or a
 * deterministic schedule, and whether the result goes through a capture.
 *
 *     oracle_streams [--seed S] [--cases N]
 *
 * An operator that is told too early that a time is complete gives two rows where the naive
 * computation gives one, so frontiers are compared as well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/weir.h>

#include "tests/support/cluster.h"
#include "tests/support/streams.h"

#define NODES_MAX 14
#define ROWS_MAX 400
#define UPDATES_MAX 4000 /* at a node; more are thinned out */
#define TEXTS 40
#define TEXT_BYTES 48

#define ITEM(F) F(u8, tag) F(weir_text, text) F(i64, number)
#define GROUP(F) F(u8, tag) F(i64, sum) F(weir_text, longest)
#define TALLY(F) F(u8, tag) F(weir_text, text) F(i64, count)
#define TOTAL(F) F(i64, sum)
WEIR_ROW(item, ITEM)
WEIR_ROW(group, GROUP)
WEIR_ROW(tally, TALLY)
WEIR_ROW(total, TOTAL)

static uint64_t seed = 1, state, this_case;

static uint64_t draw(uint64_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = (state ^ state >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (x ^ x >> 32) % below;
}

static void fail(const char *what)
{
    fprintf(stderr, "streams: case %llu of --seed %llu: %s\n", (unsigned long long)this_case,
            (unsigned long long)seed, what);
    exit(1);
}

/* ---- rows and lists ------------------------------------------------------------------- */

/* Texts of all lengths around that of a handle; some have NULs. They are never freed, so rows
 * of the lists can point there. */
static char text_bytes[TEXTS][TEXT_BYTES];
static weir_text texts[TEXTS];

static void make_texts(void)
{
    for (uint32_t t = 0; t < TEXTS; t++) {
        for (uint32_t i = 0; i < TEXT_BYTES; i++)
            text_bytes[t][i] = (char)(i % 5 == 4 && t % 3 == 0 ? 0 : 'a' + (t + i / 4) % 3);
        texts[t] = weir_text_of(text_bytes[t], t % 2 ? t : t / 2);
    }
}

static const weir_text *text_for(int64_t number)
{
    return &texts[(uint64_t)number % TEXTS];
}

typedef struct update {
    uint64_t epoch;
    int64_t diff;
    item row;
} update;

typedef struct list {
    update *updates;
    uint32_t count, capacity;
} list;

static void add(list *to, uint64_t epoch, int64_t diff, item row)
{
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? to->capacity * 2 : 64;
        to->updates = realloc(to->updates, to->capacity * sizeof *to->updates);
    }
    to->updates[to->count++] = (update){epoch, diff, row};
}

/* ---- what kernels compute, stated once for both sides --------------------------------- */

typedef struct params {
    int64_t a, b;
} params;

static inline item mapped(const item *in, params with)
{
    int64_t number = (in->number * with.a + with.b) % 1000;
    return (item){(uint8_t)(in->tag + with.a), number % 2 ? in->text : *text_for(number), number};
}

static inline bool kept(const item *in, params with)
{
    return (in->number + with.a) % (with.b % 4 + 2) != 0;
}

static inline uint64_t copies(const item *in, params with)
{
    return (uint64_t)(in->number + with.b) % 3;
}

static inline uint64_t routed(const item *in, params with)
{
    return (uint64_t)(in->number * 7 + with.a);
}

static inline uint64_t delayed(uint64_t epoch, params with)
{
    return epoch + (epoch * 5 + (uint64_t)with.a) % 4;
}

WEIR_MAP(map_item, item, item)
{
    *out = mapped(in, *(params *)arg);
}

WEIR_FILTER(keep_item, item)
{
    return kept(in, *(params *)arg);
}

WEIR_FLAT_MAP(copy_item, item, item)
{
    char local[TEXT_BYTES];
    for (uint64_t i = 0; i < copies(in, *(params *)arg); i++) {
        memcpy(local, weir_text_at(&in->text), in->text.length);
        item_push(out,
                  (item){in->tag, weir_text_of(local, in->text.length), in->number + (int64_t)i});
    }
}

WEIR_FILTER_MAP(map_kept, item, item)
{
    *out = mapped(in, *(params *)arg);
    return kept(in, *(params *)arg);
}

WEIR_ROUTE(route_item, item)
{
    return routed(in, *(params *)arg);
}

static weir_time delay_time(const weir_time *time, void *arg)
{
    return WEIR_EPOCH(delayed(time->at[0], *(params *)arg));
}

static inline bool longer(const weir_text *a, const weir_text *b)
{
    return a->length != b->length ? a->length > b->length : weir_text_compare(a, b) > 0;
}

WEIR_FOLD(fold_group, item, group)
{
    acc->sum += in->number * diff;
    if (longer(&in->text, &acc->longest))
        acc->longest = in->text;
}

WEIR_FOLD(fold_total, item, total)
{
    acc->sum += in->number * diff;
}

WEIR_MAP(item_of_group, group, item)
{
    *out = (item){in->tag, in->longest, in->sum % 1000};
}

WEIR_MAP(item_of_tally, tally, item)
{
    *out = (item){in->tag, in->text, in->count};
}

WEIR_MAP(item_of_total, total, item)
{
    out->number = in->sum % 1000;
}

/* ---- nodes: an operator or several, on both sides ------------------------------------- */

typedef enum node_kind {
    INPUT,
    MAP,
    FILTER,
    FLAT_MAP,
    FILTER_MAP,
    INSPECT,
    BRANCH, /* the kept rows; the others are the next node */
    OTHERS,
    PARTITION, /* the first of three; the second and third are the next nodes */
    SECOND,
    THIRD,
    CONCAT,
    EXCHANGE,
    EXCHANGE_BY,
    GATHER,
    BROADCAST,
    DELAY,
    DELAY_TO,
    AGGREGATE,
    COUNT,
    ACCUMULATE,
    KINDS
} node_kind;

typedef struct node {
    node_kind kind;
    uint32_t from[3];
    params with;
    list is; /* by the naive computation */
} node;

typedef struct graph {
    node nodes[NODES_MAX];
    uint32_t count;
    uint32_t workers;
} graph;

/* For each time and key, in the order in which they first appear. */
static void naive_groups(list *to, const list *in, node_kind kind)
{
    for (uint32_t i = 0; i < in->count; i++) {
        const update *first = &in->updates[i];
        int64_t sum = 0, count = 0;
        weir_text longest = {0};
        bool seen = false;
        for (uint32_t j = 0; j < in->count && !seen; j++) {
            const update *u = &in->updates[j];
            if (u->epoch != first->epoch || (kind != ACCUMULATE && u->row.tag != first->row.tag) ||
                (kind == COUNT && !weir_text_equal(&u->row.text, &first->row.text)))
                continue;
            seen = j < i;
            sum += u->row.number * u->diff;
            count += u->diff;
            if (longer(&u->row.text, &longest))
                longest = u->row.text;
        }
        if (seen || (kind == COUNT && !count))
            continue;
        item row = kind == AGGREGATE ? (item){first->row.tag, longest, sum % 1000}
                   : kind == COUNT   ? (item){first->row.tag, first->row.text, count}
                                     : (item){0, {0}, sum % 1000};
        add(to, first->epoch, 1, row);
    }
}

static void naive_row(list *to, const node *at, const update *u, uint32_t workers)
{
    params with = at->with;
    bool stays = kept(&u->row, with);
    uint64_t part = routed(&u->row, with) % 3;
    switch (at->kind) {
    case MAP:
        add(to, u->epoch, u->diff, mapped(&u->row, with));
        return;
    case FILTER_MAP:
        if (stays)
            add(to, u->epoch, u->diff, mapped(&u->row, with));
        return;
    case FLAT_MAP:
        for (uint64_t i = 0; i < copies(&u->row, with); i++)
            add(to, u->epoch, u->diff, (item){u->row.tag, u->row.text, u->row.number + (int64_t)i});
        return;
    case FILTER:
    case BRANCH:
    case OTHERS:
        if (stays == (at->kind != OTHERS))
            add(to, u->epoch, u->diff, u->row);
        return;
    case PARTITION:
    case SECOND:
    case THIRD:
        if (part == (uint64_t)(at->kind - PARTITION))
            add(to, u->epoch, u->diff, u->row);
        return;
    case BROADCAST:
        for (uint32_t w = 0; w < workers; w++)
            add(to, u->epoch, u->diff, u->row);
        return;
    case DELAY:
        add(to, u->epoch + (uint64_t)with.a, u->diff, u->row);
        return;
    case DELAY_TO:
        add(to, delayed(u->epoch, with), u->diff, u->row);
        return;
    default:
        add(to, u->epoch, u->diff, u->row);
    }
}

static void compute(graph *of, uint32_t index)
{
    node *at = &of->nodes[index];
    const list *in = &of->nodes[at->from[0]].is;
    if (at->kind == CONCAT)
        for (int f = 0; f < 3; f++)
            for (uint32_t i = 0; i < of->nodes[at->from[f]].is.count; i++)
                naive_row(&at->is, at, &of->nodes[at->from[f]].is.updates[i], of->workers);
    else if (at->kind == AGGREGATE || at->kind == COUNT || at->kind == ACCUMULATE)
        naive_groups(&at->is, in, at->kind);
    else
        for (uint32_t i = 0; i < in->count; i++)
            naive_row(&at->is, at, &in->updates[i], of->workers);
}

static void pass(weir_worker *worker, const weir_batch *batch, void *arg)
{
    (void)worker;
    (void)batch;
    (void)arg;
}

static void build_node(graph *of, uint32_t index, weir_stream *streams)
{
    node *at = &of->nodes[index];
    weir_stream in = streams[at->from[0]], *out = &streams[index];
    weir_stream three[] = {in, streams[at->from[1]], streams[at->from[2]]};
    void *with = &at->with;
    switch (at->kind) {
    case MAP:
        *out = weir_map_with(in, &map_item, with);
        return;
    case FILTER:
        *out = weir_filter_with(in, &keep_item, with);
        return;
    case FLAT_MAP:
        *out = weir_flat_map_with(in, &copy_item, with);
        return;
    case FILTER_MAP:
        *out = weir_filter_map_with(in, &map_kept, with);
        return;
    case INSPECT:
        *out = weir_inspect_batch(in, pass, NULL);
        return;
    case BRANCH:
        weir_branch(in, &keep_item, with, &out[0], &out[1]);
        return;
    case PARTITION:
        weir_partition(in, &route_item, with, 3, out);
        return;
    case CONCAT:
        *out = weir_concat_all(three, 3);
        return;
    case EXCHANGE:
        *out = at->with.a % 2 ? weir_exchange(in, WEIR_BY(item, text))
                              : weir_exchange(in, WEIR_BY(item, tag, number));
        return;
    case EXCHANGE_BY:
        *out = weir_exchange_by(in, &route_item, with);
        return;
    case GATHER:
        *out = weir_gather(in, (uint32_t)at->with.a);
        return;
    case BROADCAST:
        *out = weir_broadcast(in);
        return;
    case DELAY:
        *out = weir_delay(in, (uint64_t)at->with.a);
        return;
    case DELAY_TO:
        *out = weir_delay_to(in, delay_time, with);
        return;
    case AGGREGATE:
        *out = weir_map(weir_aggregate(in, WEIR_BY(item, tag), &fold_group, NULL), &item_of_group);
        return;
    case COUNT:
        *out = weir_map(weir_count(in, WEIR_BY(item, tag, text), &tally_type), &item_of_tally);
        return;
    case ACCUMULATE:
        *out = weir_map(weir_accumulate(weir_gather(in, (uint32_t)at->with.b), &fold_total, NULL),
                        &item_of_total);
        return;
    default: /* INPUT, and what was built with the node before */
        return;
    }
}

/* ---- a random graph ------------------------------------------------------------------- */

static void add_node(graph *to, node_kind kind, const uint32_t from[3], params with)
{
    node *at = &to->nodes[to->count];
    *at = (node){.kind = kind, .from = {from[0], from[1], from[2]}, .with = with};
    if (kind != INPUT)
        compute(to, to->count);
    if (at->is.count > UPDATES_MAX && kind != FILTER) {
        free(at->is.updates);
        *at = (node){.kind = FILTER, .from = {0}, .with = with};
        compute(to, to->count);
    }
    to->count++;
}

static void grow(graph *to)
{
    node_kind kind = (node_kind)(1 + draw(KINDS - 1));
    uint32_t from[3];
    for (int i = 0; i < 3; i++)
        from[i] = draw(2) ? to->count - 1 : (uint32_t)draw(to->count);
    params with = {(int64_t)draw(10), (int64_t)draw(10)};
    uint32_t nodes = kind == BRANCH ? 2 : kind == PARTITION ? 3 : 1;
    if (kind == OTHERS || kind == SECOND || kind == THIRD || to->count + nodes > NODES_MAX)
        return;
    for (uint32_t n = 0; n < nodes; n++)
        add_node(to, (node_kind)(kind + n), from, with);
}

static void make_graph(graph *to, uint32_t workers)
{
    static const uint32_t nothing[3];
    *to = (graph){.workers = workers};
    add_node(to, INPUT, nothing, (params){0, 0});
    list *rows = &to->nodes[0].is;
    uint32_t count = (uint32_t)draw(draw(4) ? 40 : ROWS_MAX);
    uint64_t epoch = 0;
    bool retracts = draw(2);
    for (uint32_t i = 0; i < count; i++) {
        if (draw(6) == 0)
            epoch += draw(3);
        int64_t diff = retracts ? (int64_t)draw(4) - 1 : 1;
        add(rows, epoch, diff ? diff : -2,
            (item){(uint8_t)draw(3), texts[draw(TEXTS)], (int64_t)draw(60)});
    }
    for (uint64_t steps = 2 + draw(10); steps > 0; steps--)
        grow(to);
}

/* ---- running it ----------------------------------------------------------------------- */

typedef struct way {
    graph *graph;
    uint32_t watched[2]; /* nodes */
    bool columns;        /* row times may be later than the input's */
    uint32_t flush_every, step_every;
    enum { DIRECT, BY_MEMORY, BY_FILE } through;
    char path[40];
    test_list lists[2];
} way;

static void feed(weir_worker *worker, weir_input *input, const way *with)
{
    const list *rows = &with->graph->nodes[0].is;
    uint32_t index = weir_worker_index(worker), workers = weir_worker_count(worker);
    uint64_t behind = 0;
    for (uint32_t i = index, n = 1; i < rows->count; i += workers, n++) {
        const update *u = &rows->updates[i];
        behind = with->columns ? weir_random(worker) % 3 : 0;
        if (u->epoch >= behind && u->epoch - behind > weir_input_time(input)->at[0])
            weir_input_advance(input, u->epoch - behind);
        weir_out *out = weir_input_out(input);
        weir_out_time(out, &WEIR_EPOCH(u->epoch));
        weir_out_diff(out, u->diff);
        item_push(out, u->row);
        if (n % with->flush_every == 0)
            weir_input_flush(input);
        if (n % with->step_every == 0)
            weir_step(worker);
    }
}

static void replay(weir_worker *worker, way *with, weir_capture *capture)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "replay");
    test_watch(capture ? weir_replay(flow, capture)
                       : weir_replay_file(flow, &item_type, with->path, weir_worker_count(worker)),
               &with->lists[1]);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        fail(weir_err_message(err));
}

static void work(weir_worker *worker, void *arg)
{
    way *with = arg;
    graph *of = with->graph;
    weir_stream streams[NODES_MAX];
    weir_input *input;
    weir_capture *capture = NULL;
    weir_dataflow *flow = weir_dataflow_begin(worker, "oracle");
    for (uint32_t n = 0; n < NODES_MAX; n++)
        streams[n] = n ? streams[0] : weir_input_new(flow, &item_type, &input);
    for (uint32_t n = 1; n < of->count; n++)
        build_node(of, n, streams);
    test_watch(streams[with->watched[0]], &with->lists[0]);
    weir_stream last = streams[with->watched[1]];
    if (with->through == DIRECT)
        test_watch(last, &with->lists[1]);
    else if (with->through == BY_MEMORY)
        capture = weir_capture_new(last);
    else
        weir_capture_file(last, with->path);
    weir_err *err = weir_dataflow_end(flow);
    if (err)
        fail(weir_err_message(err));
    if (capture)
        replay(worker, with, capture);
    feed(worker, input, with);
    weir_input_close(&input);
    weir_run(worker);
    if (capture)
        weir_capture_free(capture);
    if (with->through == BY_FILE)
        replay(worker, with, NULL);
    weir_run(worker);
}

static void compare(way *with, uint32_t index, weir_config config)
{
    const list *naive = &with->graph->nodes[with->watched[index]].is;
    test_list expected;
    test_list_init(&expected, 1);
    for (uint32_t i = 0; i < naive->count; i++)
        test_list_add(&expected, &item_type, &naive->updates[i].row,
                      &WEIR_EPOCH(naive->updates[i].epoch), naive->updates[i].diff);
    char *wants = test_list_text(&expected), *has = test_list_text(&with->lists[index]);
    if (strcmp(wants, has) != 0) {
        fprintf(stderr, "%u workers%s%s, through %d, nodes:", config.workers,
                config.deterministic ? " (deterministic)" : "",
                config.cluster.processes ? " in each of 2 processes" : "", with->through);
        for (uint32_t n = 0; n < with->graph->count; n++)
            fprintf(stderr, " %u:%d(%u)", n, with->graph->nodes[n].kind,
                    with->graph->nodes[n].from[0]);
        fprintf(stderr, "\nnode %u expected\n%sbut got\n%s", with->watched[index], wants, has);
        fail("other updates");
    }
    free(wants);
    free(has);
    test_list_fini(&expected);
    test_list_fini(&with->lists[index]);
}

static void forget_files(const way *with, uint32_t workers)
{
    char name[64];
    for (uint32_t w = 0; with->through == BY_FILE && w < workers; w++) {
        snprintf(name, sizeof name, "%s.%u", with->path, w);
        unlink(name);
    }
}

static void run_case(void)
{
    uint32_t workers = 1 + (uint32_t)draw(4);
    weir_config config = {.workers = workers, .deterministic = draw(2), .seed = draw(1000)};
    graph of;
    make_graph(&of, workers);
    way with = {.graph = &of,
                .watched = {(uint32_t)draw(of.count), of.count - 1},
                .columns = draw(2),
                .flush_every = 1 + (uint32_t)draw(40),
                .step_every = 1 + (uint32_t)draw(20),
                .through = draw(3)   ? DIRECT
                           : draw(4) ? BY_MEMORY
                                     : BY_FILE};
    snprintf(with.path, sizeof with.path, "/tmp/weir-oracle-%d", (int)getpid());
    for (int i = 0; i < 2; i++)
        test_list_init(&with.lists[i], 1);
    if (workers % 2 == 0 && !config.deterministic && draw(8) == 0) {
        config.workers = workers / 2;
        config.cluster.processes = 2;
    }
    weir_err *err = test_execute(&config, work, &with);
    if (err)
        fail(weir_err_message(err));
    compare(&with, 0, config);
    compare(&with, 1, config);
    forget_files(&with, workers);
    for (uint32_t n = 0; n < of.count; n++)
        free(of.nodes[n].is.updates);
}

int main(int argc, char **argv)
{
    uint64_t cases = 1500;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cases") == 0)
            cases = strtoull(argv[i + 1], NULL, 10);
    }
    printf("streams: %llu cases, --seed %llu\n", (unsigned long long)cases,
           (unsigned long long)seed);
    make_texts();
    for (this_case = 0; this_case < cases; this_case++) {
        state = seed * 0x100000001b3u + this_case;
        run_case();
    }
    return 0;
}
