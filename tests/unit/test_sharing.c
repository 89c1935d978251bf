/* Sharing arrangements: imported into dataflows that are built later, and read by other threads
 * as of a time; against random changes that are added up naively, at every time. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/collection.h>

#include "operators/trace/share.h"
#include "tests/support/execution.h"

#define EDGE(F) F(u64, src) F(u64, dst)
#define PLACE(F) F(u64, node)
#define DEGREE(F) F(u64, src) F(i64, count)
#define NAMED(F) F(weir_text, name) F(u32, dst)
WEIR_ROW(edge, EDGE)
WEIR_ROW(place, PLACE)
WEIR_ROW(degree, DEGREE)
WEIR_ROW(named, NAMED)

#define NODES 8 /* edges go from lower to higher ones */
#define SIDE 10 /* coordinates of times are below it */
#define STEPS 9
#define CHANGES_MAX 200

static const char *const names[NODES] = {"",
                                         "a",
                                         "a rather long name, the first",
                                         "a rather long name, the second",
                                         "ab",
                                         "b",
                                         "bbbbbbbbbbbb",
                                         "bbbbbbbbbbbbb"};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = (*seed ^ *seed >> 33) * 0xff51afd7ed558ccdu;
    return (x >> 32) % below;
}

/* ---- what a case is --------------------------------------------------------------------- */

typedef struct change {
    int step;
    uint32_t worker, src, dst;
    int64_t diff;
    weir_time time;
} change;

typedef int64_t matrix[NODES][NODES];
typedef enum watched { COPY, HOPS, WALKS, DEGREES, WATCHED } watched;

typedef struct scene {
    uint64_t seed;
    int dims, import_step, drop_step;
    change changes[CHANGES_MAX];
    uint32_t count;
    weir_time lower[STEPS + 1];
    pthread_mutex_t lock;
    matrix seen[WATCHED][SIDE][SIDE]; /* what came out, added up at each time */
    /* for those who read views */
    weir_worker *worker;
    _Atomic(uint32_t) met, reading;
} scene;

static weir_time time_draw(const scene *s, uint64_t *seed, const weir_time *from)
{
    weir_time time = *from;
    for (int d = 0; d < s->dims; d++)
        time.at[d] += draw(seed, 2) ? 0 : draw(seed, SIDE - time.at[d]);
    return time;
}

static void scene_draw(scene *s, uint64_t seed, int dims)
{
    *s = (scene){.seed = seed, .dims = dims, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (int step = 1; step <= STEPS; step++) {
        s->lower[step] = s->lower[step - 1];
        uint64_t *at = &s->lower[step].at[draw(&seed, (uint64_t)dims)];
        *at += *at + 1 < SIDE && draw(&seed, 5) > 0;
    }
    s->count = CHANGES_MAX / 4 + (uint32_t)draw(&seed, CHANGES_MAX / 4 * 3);
    for (uint32_t i = 0; i < s->count; i++) {
        change *c = &s->changes[i];
        c->step = (int)draw(&seed, STEPS);
        c->worker = (uint32_t)draw(&seed, 4);
        c->dst = 1 + (uint32_t)draw(&seed, NODES - 1);
        c->src = (uint32_t)draw(&seed, c->dst);
        c->diff = draw(&seed, 3) ? 1 : -1;
        c->time = time_draw(s, &seed, &s->lower[c->step]);
    }
    s->import_step = (int)draw(&seed, STEPS + 1);
    s->drop_step = STEPS;
}

/* The changes of steps before `until` that are at or before the time. */
static void edges_at(const scene *s, const weir_time *time, int until, matrix out)
{
    memset(out, 0, sizeof(matrix));
    for (uint32_t i = 0; i < s->count; i++)
        if (s->changes[i].step < until && weir_time_le(&s->changes[i].time, time))
            out[s->changes[i].src][s->changes[i].dst] += s->changes[i].diff;
}

/* ---- watching --------------------------------------------------------------------------- */

typedef struct watching {
    scene *scene;
    watched what;
} watching;

static void on_watched(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    const watching *w = weir_op_arg(op);
    pthread_mutex_lock(&w->scene->lock);
    for (uint32_t i = 0; i < batch->count; i++) {
        const weir_time *at = weir_batch_time(batch, i);
        const uint64_t *row = weir_batch_row(batch, i);
        uint64_t src = row[0], dst = w->what == COPY || w->what == HOPS ? row[1] : 0;
        int64_t diff = weir_batch_diff(batch, i);
        if (w->what == DEGREES)
            diff *= (int64_t)row[1];
        for (uint64_t x = at->at[0]; x < SIDE; x++)
            for (uint64_t y = at->at[1]; y < SIDE; y++)
                w->scene->seen[w->what][x][y][src][dst] += diff;
    }
    pthread_mutex_unlock(&w->scene->lock);
}

static const weir_operator watcher = {.name = "watcher", .stateless = true, .batch = on_watched};

static void watch(weir_stream in, scene *s, watched what)
{
    watching *arg = malloc(sizeof *arg);
    *arg = (watching){s, what};
    weir_builder *builder = weir_operator_begin(in.scope, &watcher, arg);
    weir_builder_keep(builder, arg);
    weir_builder_input(builder, in, WEIR_LOCAL);
    weir_operator_end(builder);
}

/* ---- dataflows -------------------------------------------------------------------------- */

WEIR_JOIN(hop, edge, edge, edge)
{
    out->src = a->src;
    out->dst = b->dst;
}

WEIR_JOIN(hop_back, edge, edge, edge)
{
    out->src = b->src;
    out->dst = a->dst;
}

WEIR_JOIN(walk, place, edge, place)
{
    out->node = b->dst;
}

WEIR_REDUCE(add_up, edge, degree)
{
    degree sum = {0};
    for (uint32_t i = 0; i < count; i++)
        sum.count += counts[i];
    degree_push(out, sum);
}

WEIR_MAP(give_name, edge, named)
{
    out->name = weir_text_c(names[in->src]);
    out->dst = (uint32_t)in->dst;
}

static const char *const dim_names[] = {"first", "second"};

static weir_dataflow *publishing(weir_worker *worker, const scene *s, weir_input **in_out,
                                 weir_probe **probe_out)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "publishing");
    weir_dataflow_dims(flow, dim_names, (uint32_t)s->dims);
    weir_stream edges = weir_input_new(flow, &edge_type, in_out);
    weir_arrangement *by_src = weir_arrange(edges, WEIR_BY(edge, src));
    weir_arrangement *by_dst = weir_arrange(edges, WEIR_BY(edge, dst));
    weir_arrangement *by_name = weir_arrange(weir_map(edges, &give_name), WEIR_BY(named, name));
    weir_arrangement_publish(by_src, "by src");
    weir_arrangement_publish(by_dst, "by dst");
    weir_arrangement_publish(by_name, "by name");
    *probe_out = weir_probe_new(
        weir_concat(weir_arrangement_stream(by_src), weir_arrangement_stream(by_dst)));
    return test_end(flow) ? flow : NULL;
}

/* How many walks from node 0 end at each node. */
static weir_stream walks(weir_dataflow *flow, weir_stream start, weir_arrangement *edges)
{
    weir_loop *loop = weir_loop_begin(flow, "walks");
    weir_stream here = weir_variable(loop, weir_enter(loop, start));
    weir_stream next = weir_join_arranged(weir_arrange(here, WEIR_BY(place, node)),
                                          weir_arrangement_enter(loop, edges), &walk);
    weir_variable_set(here, next);
    return weir_leave(loop, here);
}

/* The same as a join of the two by half-joins; each is also arranged by its other end. */
static weir_stream delta_hops(weir_arrangement *a, weir_arrangement *b)
{
    weir_key by_src = WEIR_BY(edge, src), by_dst = WEIR_BY(edge, dst);
    weir_stream both[] = {weir_arrangement_stream(a), weir_arrangement_stream(b)};
    weir_delta_step steps[] = {{1, by_dst, by_src, &hop}, {0, by_src, by_dst, &hop_back}};
    return weir_delta_join(both, 2, steps);
}

static weir_dataflow *importing(weir_worker *worker, scene *s, weir_input **in_out)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "importing");
    weir_dataflow_dims(flow, dim_names, (uint32_t)s->dims);
    weir_arrangement *by_src = weir_arrangement_import(flow, "by src");
    weir_arrangement *by_dst = weir_arrangement_import(flow, "by dst");
    weir_stream start = weir_input_new(flow, &place_type, in_out);
    weir_stream copy = weir_arrangement_stream(by_src);
    watch(copy, s, COPY);
    watch(s->seed % 3 ? weir_join_arranged(by_dst, by_src, &hop) : delta_hops(by_dst, by_src), s,
          HOPS);
    watch(walks(flow, start, by_src), s, WALKS);
    weir_key by = WEIR_BY(edge, src);
    watch(s->seed % 4 < 2 ? weir_group_count(copy, by, &degree_type)
                          : weir_reduce(copy, by, &add_up),
          s, DEGREES);
    return test_end(flow) ? flow : NULL;
}

static void send_step(weir_worker *worker, const scene *s, int step, weir_input *input)
{
    weir_batch *batch = weir_batch_new(&edge_type, CHANGES_MAX);
    batch->time = s->lower[step];
    weir_batch_add_times(batch);
    weir_batch_add_diffs(batch);
    for (uint32_t i = 0; i < s->count; i++) {
        const change *c = &s->changes[i];
        if (c->step != step || c->worker % weir_worker_count(worker) != weir_worker_index(worker))
            continue;
        *edge_at(batch, batch->count) = (edge){c->src, c->dst};
        batch->times[batch->count] = c->time;
        batch->diffs[batch->count++] = c->diff;
    }
    weir_input_send(input, batch);
    if (step + 1 < STEPS)
        weir_input_advance_to(input, &s->lower[step + 1]);
}

static void step_some(weir_worker *worker, uint64_t *seed)
{
    for (uint64_t i = draw(seed, 8); i; i--)
        weir_step(worker);
}

/* ---- imports ---------------------------------------------------------------------------- */

static void run_imports(weir_worker *worker, void *arg)
{
    scene *s = arg;
    uint64_t seed = s->seed + weir_worker_index(worker);
    weir_input *input, *start = NULL;
    weir_probe *probe;
    weir_dataflow *first = publishing(worker, s, &input, &probe);
    if (!first)
        return;
    for (int step = 0; step <= STEPS; step++) {
        if (step == STEPS)
            weir_input_close(&input);
        if (step == s->import_step) {
            if (!importing(worker, s, &start))
                return;
            if (weir_worker_index(worker) == 0)
                place_push(weir_input_out(start), (place){0});
        }
        if (step == s->drop_step && step < STEPS) { /* when the steps before are complete */
            while (weir_probe_lt(probe, &s->lower[step]))
                weir_step(worker);
            test_meet(worker, &s->met);
            weir_dataflow_drop(first);
            return;
        }
        if (step < STEPS)
            send_step(worker, s, step, input);
        step_some(worker, &seed);
    }
}

static void expect(const scene *s, watched what, const weir_time *t, uint32_t src, uint32_t dst,
                   int64_t expected)
{
    int64_t seen = s->seen[what][t->at[0]][t->at[1]][src][dst];
    ck_assert_msg(seen == expected,
                  "seed %lu: at (%lu, %lu), stream %d has %ld times (%u, %u), not %ld",
                  (unsigned long)s->seed, (unsigned long)t->at[0], (unsigned long)t->at[1], what,
                  (long)seen, src, dst, (long)expected);
}

static void compare_at(const scene *s, const weir_time *t)
{
    matrix edges;
    int64_t walks_to[NODES] = {1};
    edges_at(s, t, STEPS, edges);
    for (uint32_t v = 0; v < NODES; v++) {
        int64_t degree_of = 0;
        for (uint32_t u = 0; u < NODES; u++) {
            int64_t hops = 0;
            for (uint32_t w = 0; w < NODES; w++)
                hops += edges[u][w] * edges[w][v];
            expect(s, COPY, t, u, v, edges[u][v]);
            expect(s, HOPS, t, u, v, hops);
            walks_to[v] += u < v ? walks_to[u] * edges[u][v] : 0;
            degree_of += edges[v][u];
        }
        expect(s, WALKS, t, v, 0, walks_to[v]);
        expect(s, DEGREES, t, v, 0, degree_of);
    }
}

static uint64_t cases(uint64_t usual)
{
    const char *more = getenv("TEST_SHARING_CASES");
    return more ? strtoull(more, NULL, 10) : test_sanitized() ? usual / 5 : usual;
}

START_TEST(imports_are_right_from_their_frontier_on)
{
    static scene s;
    for (uint64_t i = 0; i < cases(20); i++) {
        scene_draw(&s, 1 + i, 1 + (int)(i % 2));
        test_run(&test_ways[_i], run_imports, &s);
        weir_time t = {0};
        const weir_time *from = &s.lower[s.import_step];
        for (t.at[0] = from->at[0]; t.at[0] < SIDE; t.at[0]++)
            for (t.at[1] = from->at[1]; t.at[1] < (s.dims > 1 ? SIDE : 1); t.at[1]++)
                compare_at(&s, &t);
    }
}
END_TEST

/* What was complete when the publishing dataflow was dropped has come, and nothing else. */
START_TEST(imports_end_when_what_they_import_is_dropped)
{
    static scene s;
    for (uint64_t i = 0; i < cases(20); i++) {
        scene_draw(&s, 1 + i, 1);
        s.import_step = (int)(i % STEPS);
        s.drop_step = s.import_step + (int)(i % 3);
        test_run(&test_ways[_i], run_imports, &s);
        uint64_t from = s.lower[s.import_step].at[0];
        uint64_t until = s.lower[s.drop_step < STEPS ? s.drop_step : STEPS].at[0];
        for (weir_time t = {{from}}; t.at[0] < until; t.at[0]++)
            compare_at(&s, &t);
    }
}
END_TEST

/* ---- views ------------------------------------------------------------------------------ */

/* Reads rows of either type. */
typedef struct reading {
    const weir_snapshot *of;
    bool named;
    const int64_t (*expected)[NODES];
    uint64_t seed;
} reading;

static bool is_name(const weir_text *text, uint32_t n)
{
    weir_text name = weir_text_c(names[n]);
    return weir_text_equal(text, &name);
}

static uint32_t next_rows(const reading *r, weir_scan *scan, uint32_t capacity, edge *rows,
                          int64_t *counts)
{
    named texts[8];
    uint32_t count = weir_scan_next(scan, r->named ? (void *)texts : rows, counts, capacity);
    for (uint32_t i = 0; i < count && r->named; i++) {
        uint32_t n = 0;
        while (n < NODES && !is_name(&texts[i].name, n))
            n++;
        rows[i] = (edge){n, texts[i].dst};
    }
    return count;
}

/* The scan gives exactly the rows whose source is in [from, to). */
static void compare_scan(reading *r, weir_scan *scan, uint64_t from, uint64_t to)
{
    uint64_t place_of = from * NODES;
    edge rows[8];
    int64_t counts[8];
    uint32_t count;
    while ((count = next_rows(r, scan, 1 + (uint32_t)draw(&r->seed, 8), rows, counts)) > 0)
        for (uint32_t i = 0; i < count; i++) {
            uint64_t is = rows[i].src * NODES + rows[i].dst;
            ck_assert_uint_ge(is, place_of);
            ck_assert_uint_lt(is, to * NODES);
            for (; place_of < is; place_of++)
                ck_assert_int_eq(r->expected[place_of / NODES][place_of % NODES], 0);
            ck_assert_int_eq(counts[i], r->expected[is / NODES][is % NODES]);
            place_of++;
        }
    for (; place_of < to * NODES; place_of++)
        ck_assert_int_eq(r->expected[place_of / NODES][place_of % NODES], 0);
    weir_scan_free(scan);
}

/* A row of which only the key is there. */
static const void *key_row(const reading *r, uint64_t src, void *room)
{
    memset(room, 0xee, 64);
    if (r->named)
        ((named *)room)->name = weir_text_c(names[src]);
    else
        ((edge *)room)->src = src;
    return room;
}

static void compare_snapshot(reading *r)
{
    _Alignas(16) char a[64], b[64];
    compare_scan(r, weir_scan_range(r->of, NULL, NULL), 0, NODES);
    for (int i = 0; i < 3; i++) {
        uint64_t src = draw(&r->seed, NODES), to = draw(&r->seed, NODES);
        compare_scan(r, weir_scan_key(r->of, key_row(r, src, a)), src, src + 1);
        compare_scan(r, weir_scan_range(r->of, NULL, key_row(r, to, b)), 0, to);
        compare_scan(r, weir_scan_range(r->of, key_row(r, src, a), NULL), src, NODES);
        if (src <= to)
            compare_scan(r, weir_scan_range(r->of, key_row(r, src, a), key_row(r, to, b)), src, to);
    }
}

static void compare_view(const scene *s, weir_view *view, bool by_name, const weir_time *time)
{
    matrix edges;
    edges_at(s, time, STEPS, edges);
    weir_snapshot *snapshot = weir_view_at(view, time);
    ck_assert_ptr_nonnull(snapshot);
    compare_snapshot(&(reading){snapshot, by_name, (const int64_t(*)[NODES])edges, s->seed});
    weir_snapshot_free(snapshot);
}

/* Reads as of times that go on, keeping some of the past. */
static void *read_along(void *arg)
{
    scene *s = arg;
    uint64_t seed = s->seed + 100 * atomic_load(&s->reading);
    bool by_name = draw(&seed, 2);
    weir_view *view;
    weir_antichain since;
    weir_antichain_init(&since);
    weir_err *err = by_name ? weir_view_open(s->worker, "by name", &named_type, &view)
                            : weir_view_open(s->worker, "by src", &edge_type, &view);
    ck_assert_ptr_null(err);
    weir_time held = {0}, t = {0};
    ck_assert(weir_view_wait(view, &t));
    weir_view_since(view, &since);
    ck_assert_uint_ge(since.count, 1);
    held = since.times[draw(&seed, since.count)];
    for (int i = 0; i < 12; i++) {
        t = time_draw(s, &seed, &held);
        ck_assert(weir_view_wait(view, &t));
        compare_view(s, view, by_name, &t);
        if (draw(&seed, 2)) {
            weir_time later = time_draw(s, &seed, &held);
            weir_view_advance(view, &later);
            ck_assert(weir_time_eq(&held, &later) || !weir_view_at(view, &held));
            held = later;
        }
    }
    weir_view_free(view);
    weir_antichain_fini(&since);
    atomic_fetch_sub(&s->reading, 1);
    return NULL;
}

#define READERS 3

static void run_views(weir_worker *worker, void *arg)
{
    scene *s = arg;
    uint64_t seed = s->seed + weir_worker_index(worker);
    weir_input *input;
    weir_probe *probe;
    pthread_t readers[READERS];
    if (!publishing(worker, s, &input, &probe))
        return;
    if (weir_worker_index(worker) == 0)
        s->worker = worker;
    for (int step = 0; step < STEPS; step++) {
        if (step < READERS && weir_worker_index(worker) == 0) {
            atomic_fetch_add(&s->reading, 1);
            pthread_create(&readers[step], NULL, read_along, s);
        }
        send_step(worker, s, step, input);
        step_some(worker, &seed);
    }
    weir_input_close(&input);
    while (weir_worker_index(worker) == 0 && atomic_load(&s->reading))
        weir_step(worker);
    for (int i = 0; i < READERS && weir_worker_index(worker) == 0; i++)
        pthread_join(readers[i], NULL);
}

START_TEST(views_are_right_at_every_time_they_hold)
{
    static scene s;
    for (uint64_t i = 0; i < cases(20); i++) {
        scene_draw(&s, 1 + i, 1 + (int)(i % 2));
        test_run(&test_ways[_i], run_views, &s);
    }
}
END_TEST

/* ---- a view held and let go ------------------------------------------------------------- */

#define EPOCHS 100
#define KEYS 50

/* How many updates the worker's shard has. */
static uint64_t updates(const weir_worker *worker, const char *name)
{
    const wi_share *share = wi_share_of(worker, name);
    const wi_trace *trace = share->shards[worker->local].trace;
    uint64_t count = 0;
    wi_trace_check(trace);
    for (uint32_t r = 0; r < trace->run_count; r++)
        count += trace->runs[r]->count;
    return count;
}

/* In each epoch every key's edge leads to the epoch's number instead of the one before. */
static void turn_edges(weir_worker *worker, weir_input *input, weir_probe *probe, uint64_t *epoch,
                       uint64_t until)
{
    for (; *epoch < until; ++*epoch) {
        weir_out *out = weir_input_out(input);
        for (uint64_t k = weir_worker_index(worker); k < KEYS; k += weir_worker_count(worker)) {
            weir_out_diff(out, 1);
            edge_push(out, (edge){k, *epoch});
            weir_out_diff(out, -1);
            if (*epoch)
                edge_push(out, (edge){k, *epoch - 1});
        }
        weir_input_advance(input, *epoch + 1);
        weir_probe_wait(worker, probe, *epoch + 1);
    }
}

static weir_probe *turning(weir_worker *worker, weir_dataflow **flow_out, weir_input **input_out)
{
    weir_dataflow *flow = weir_dataflow_begin(worker, "turning");
    *flow_out = flow;
    weir_stream in = weir_input_new(flow, &edge_type, input_out);
    weir_arrangement *edges = weir_arrange(in, WEIR_BY(edge, src));
    weir_arrangement_publish(edges, "edges");
    weir_probe *probe = weir_probe_new(weir_arrangement_stream(edges));
    return test_end(flow) ? probe : NULL;
}

static void check_turned(const weir_view *view, uint64_t epoch)
{
    edge row;
    int64_t count;
    uint64_t k = 0;
    weir_snapshot *snapshot = weir_view_at(view, &WEIR_EPOCH(epoch));
    ck_assert_ptr_nonnull(snapshot);
    weir_scan *scan = weir_scan_range(snapshot, NULL, NULL);
    for (; weir_scan_next(scan, &row, &count, 1); k++) {
        ck_assert_int_eq(count, 1);
        ck_assert_uint_eq(row.src, k);
        ck_assert_uint_eq(row.dst, epoch);
    }
    ck_assert_uint_eq(k, KEYS);
    weir_scan_free(scan);
    weir_snapshot_free(snapshot);
}

typedef struct held_view {
    _Atomic(uint32_t) met;
    weir_view *view;
    weir_snapshot *kept;
} held_view;

static void run_held(weir_worker *worker, void *arg)
{
    held_view *h = arg;
    weir_dataflow *flow;
    weir_input *input;
    uint64_t epoch = 0;
    weir_probe *probe = turning(worker, &flow, &input);
    if (!probe)
        return;
    uint64_t mine = (KEYS / weir_worker_count(worker)) + 1;
    turn_edges(worker, input, probe, &epoch, EPOCHS);
    test_meet(worker, &h->met);
    ck_assert_uint_lt(updates(worker, "edges"), 12 * KEYS);
    if (weir_worker_index(worker) == 0)
        ck_assert_ptr_null(weir_view_open(worker, "edges", &edge_type, &h->view));
    test_meet(worker, &h->met);
    turn_edges(worker, input, probe, &epoch, 2 * EPOCHS);
    test_meet(worker, &h->met);
    if (weir_worker_index(worker) == 0) {
        for (uint64_t at = EPOCHS - 1; at < 2 * EPOCHS; at++)
            check_turned(h->view, at);
        ck_assert_ptr_null(weir_view_at(h->view, &WEIR_EPOCH(2 * EPOCHS)));
        h->kept = weir_view_at(h->view, &WEIR_EPOCH(EPOCHS));
        weir_view_advance(h->view, &WEIR_EPOCH(2 * EPOCHS - 1));
        ck_assert_ptr_null(weir_view_at(h->view, &WEIR_EPOCH(2 * EPOCHS - 2)));
        check_turned(h->view, 2 * EPOCHS - 1);
    }
    if (weir_worker_count(worker) == 1)
        ck_assert_uint_gt(updates(worker, "edges"), EPOCHS * mine);
    test_meet(worker, &h->met);
    turn_edges(worker, input, probe, &epoch, 5 * EPOCHS);
    if (weir_worker_index(worker) == 0)
        weir_view_advance(h->view, &WEIR_EPOCH(5 * EPOCHS - 1));
    test_meet(worker, &h->met);
    turn_edges(worker, input, probe, &epoch, 8 * EPOCHS);
    ck_assert_uint_lt(updates(worker, "edges"), 12 * EPOCHS * mine);
    test_meet(worker, &h->met);
    if (weir_worker_index(worker) == 0) {
        weir_view_free(h->view);
        ck_assert_ptr_null(weir_view_open(worker, "edges", &edge_type, &h->view));
    }
    test_meet(worker, &h->met);
    turn_edges(worker, input, probe, &epoch, 8 * EPOCHS + 1);
    weir_input_close(&input);
}

/* The view stays after the execution, and so does a snapshot. */
START_TEST(holds_keep_history_until_they_are_released)
{
    held_view h = {0};
    test_run(&test_ways[_i], run_held, &h);
    ck_assert(weir_view_wait(h.view, &WEIR_EPOCH(UINT64_MAX)));
    check_turned(h.view, 8 * EPOCHS);
    weir_scan *scan = weir_scan_key(h.kept, &(edge){.src = 7});
    edge rows[3];
    int64_t counts[3];
    ck_assert_uint_eq(weir_scan_next(scan, rows, counts, 3), 1);
    ck_assert_uint_eq(rows[0].dst, EPOCHS);
    weir_scan_free(scan);
    weir_view_free(h.view);
    weir_snapshot_free(h.kept);
}
END_TEST

/* ---- an import dropped ------------------------------------------------------------------ */

static void run_dropped_import(weir_worker *worker, void *arg)
{
    _Atomic(uint32_t) *met = arg;
    weir_dataflow *flow;
    weir_input *input, *other;
    uint64_t epoch = 0;
    weir_probe *probe = turning(worker, &flow, &input);
    if (!probe)
        return;
    uint64_t mine = (KEYS / weir_worker_count(worker)) + 1;
    turn_edges(worker, input, probe, &epoch, 2);
    flow = weir_dataflow_begin(worker, "holding");
    weir_stream stays = weir_input_new(flow, &edge_type, &other);
    weir_join_arranged(weir_arrange(stays, WEIR_BY(edge, src)),
                       weir_arrangement_import(flow, "edges"), &hop);
    if (!test_end(flow))
        return;
    turn_edges(worker, input, probe, &epoch, EPOCHS);
    if (weir_worker_count(worker) == 1)
        ck_assert_uint_gt(updates(worker, "edges"), EPOCHS * mine);
    test_meet(worker, met);
    weir_dataflow_drop(flow);
    turn_edges(worker, input, probe, &epoch, 8 * EPOCHS);
    ck_assert_uint_lt(updates(worker, "edges"), 4 * EPOCHS * mine);
    weir_input_close(&input);
}

START_TEST(dropping_an_import_releases_what_it_held)
{
    _Atomic(uint32_t) met = 0;
    test_run(&test_ways[_i], run_dropped_import, &met);
}
END_TEST

/* ---- names ------------------------------------------------------------------------------ */

static weir_arrangement *arranged(weir_dataflow *flow)
{
    weir_input *input;
    return weir_arrange(weir_input_new(flow, &edge_type, &input), WEIR_BY(edge, src));
}

static void run_names(weir_worker *worker, void *arg)
{
    int mistake = *(const int *)arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "first");
    weir_arrangement *edges = arranged(flow);
    if (mistake == 0)
        weir_arrangement_publish(weir_arrangement_enter(weir_loop_begin(flow, "round"), edges),
                                 "edges");
    weir_arrangement_publish(edges, "edges");
    if (mistake == 1)
        weir_arrangement_publish(edges, "edges");
    weir_dataflow *second = weir_dataflow_begin(worker, "second");
    weir_dataflow_dims(second, dim_names, mistake == 2 ? 2 : 1);
    weir_dataflow *early = mistake == 3 ? NULL : flow;
    if (early && !test_end(early)) {
        weir_dataflow_drop(second);
        return;
    }
    weir_loop *loop = mistake == 4 ? weir_loop_begin(second, "round") : NULL;
    weir_arrangement *found =
        weir_arrangement_import(mistake == 4 ? loop : second, mistake == 5 ? "edgse" : "edges");
    weir_join_arranged(found, found, &hop);
    weir_view *view;
    weir_err *err = mistake == 6   ? weir_view_open(worker, "edgse", &edge_type, &view)
                    : mistake == 7 ? weir_view_open(worker, "edges", &degree_type, &view)
                                   : NULL;
    if (err)
        weir_stop(worker, "%s", weir_err_message(err));
    weir_err_free(err);
    test_end(second);
    if (!early)
        weir_dataflow_drop(flow);
}

START_TEST(mistakes_are_named)
{
    static const char *const says[][2] = {
        {"publish: the arrangement `edges` is in loop `round`", "outside of loops"},
        {"dataflow `first`: publish: dataflow `first` publishes an arrangement `edges` already",
         "first"},
        {"import: times of `edges` have 1 dimension, those of this dataflow 2",
         "weir_dataflow_dims"},
        {"import: dataflow `first`, which publishes `edges`, has not been finished", "second"},
        {"import: `edges` is imported in loop `round`", "weir_arrangement_enter"},
        {"import: no arrangement is published as `edgse`", "second"},
        {"view: no arrangement is published as `edgse`", "worker"},
        {"view: reads rows of ", "but arrangement `edges` has "}};
    for (int mistake = 0; mistake < 8; mistake++)
        test_stops(&test_ways_few[_i], run_names, &mistake, says[mistake][0], says[mistake][1],
                   NULL);
}
END_TEST

/* A name is free again after its dataflow; views of the old one end. */
static void run_again(weir_worker *worker, void *arg)
{
    held_view *h = arg;
    for (uint64_t round = 0; round < 3; round++) {
        weir_dataflow *flow;
        weir_input *input;
        uint64_t epoch = 0;
        weir_probe *probe = turning(worker, &flow, &input);
        if (!probe)
            return;
        turn_edges(worker, input, probe, &epoch, 3 + round);
        if (weir_worker_index(worker) == 0)
            ck_assert_ptr_null(weir_view_open(worker, "edges", &edge_type, &h->view));
        test_meet(worker, &h->met);
        turn_edges(worker, input, probe, &epoch, 8 + round);
        test_meet(worker, &h->met);
        weir_dataflow_drop(flow);
        test_meet(worker, &h->met);
        if (weir_worker_index(worker) == 0) {
            ck_assert(weir_view_wait(h->view, &WEIR_EPOCH(7 + round)));
            check_turned(h->view, 7 + round);
            ck_assert(!weir_view_wait(h->view, &WEIR_EPOCH(8 + round)));
            weir_view_free(h->view);
        }
    }
}

START_TEST(a_name_can_be_used_again)
{
    held_view h = {0};
    test_run(&test_ways[_i], run_again, &h);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("sharing");
    tcase_set_timeout(all, 110);
    tcase_add_loop_test(all, imports_are_right_from_their_frontier_on, 0, TEST_WAYS);
    tcase_add_loop_test(all, imports_end_when_what_they_import_is_dropped, 0, TEST_WAYS);
    tcase_add_loop_test(all, views_are_right_at_every_time_they_hold, 0, TEST_WAYS_THREADS);
    tcase_add_loop_test(all, holds_keep_history_until_they_are_released, 0, TEST_WAYS_ALONE);
    tcase_add_loop_test(all, dropping_an_import_releases_what_it_held, 0, TEST_WAYS);
    tcase_add_loop_test(all, mistakes_are_named, 0, TEST_WAYS_FEW);
    tcase_add_loop_test(all, a_name_can_be_used_again, 0, TEST_WAYS_ALONE);
    return test_main("sharing", all);
}
