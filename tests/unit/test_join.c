/* Joins against naive evaluation at every time: random changes of up to three collections, one
 * and two root dimensions, loops, several workers, random batches, turns of little work. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <weir/collection.h>

#include "operators/collection/join.h"
#include "tests/support/execution.h"
#include "tests/support/join_rows.h"
#include "tests/support/streams.h"

#define STEPS 6
#define CHANGES_MAX 120
#define SIDE 4   /* coordinates of times are below it */
#define ALONE 99 /* stands for what a row without a partner does not have */

/* ---- what a case is --------------------------------------------------------------------- */

typedef struct change {
    int of, step;
    uint32_t worker;
    uint64_t k, x;
    int64_t diff;
    weir_time time;
} change;

typedef struct content {
    uint64_t k, x;
    int64_t count;
} content;

/* A collection at one time. */
typedef struct collection {
    content rows[CHANGES_MAX];
    uint32_t count;
} collection;

typedef struct flavour {
    const weir_type *type;
    void (*make)(weir_batch *batch, uint32_t at, uint64_t k, uint64_t x);
    char *(*text)(uint64_t k, uint64_t x, uint64_t y);
    weir_stream (*join)(weir_stream a, weir_stream b);
    weir_stream (*outer)(weir_stream a, weir_stream b, bool full);
    weir_key key;
} flavour;

typedef struct scene scene;
typedef struct tally {
    char *text;
    int64_t count;
} tally;
typedef struct tallies {
    tally *of;
    uint32_t count, capacity;
} tallies;

struct scene {
    uint64_t seed;
    int dims, collections;
    const flavour *rows;
    weir_stream (*build)(weir_dataflow *flow, const scene *s, weir_stream *in);
    void (*naive)(const scene *s, const collection *at, tallies *out);
    change changes[CHANGES_MAX];
    uint32_t count;
    weir_time lower[STEPS + 1];
    int last_step[3];
    test_list out;
};

static void draw_changes(scene *s)
{
    uint64_t seed = s->seed;
    s->lower[0] = (weir_time){0};
    for (int step = 1; step <= STEPS; step++) {
        s->lower[step] = s->lower[step - 1];
        uint64_t *at = &s->lower[step].at[draw(&seed, (uint64_t)s->dims)];
        *at += *at + 1 < SIDE && draw(&seed, 4) > 0;
    }
    s->count = 10 + (uint32_t)draw(&seed, CHANGES_MAX - 10);
    for (int c = 0; c < s->collections; c++)
        s->last_step[c] = draw(&seed, 2) ? STEPS - 1 : (int)draw(&seed, STEPS);
    uint64_t keys = 1 + draw(&seed, 6);
    for (uint32_t i = 0; i < s->count; i++) {
        change *made = &s->changes[i];
        made->of = (int)draw(&seed, (uint64_t)s->collections);
        made->step = (int)draw(&seed, (uint64_t)s->last_step[made->of] + 1);
        made->worker = (uint32_t)draw(&seed, 4);
        made->k = draw(&seed, keys);
        made->x = draw(&seed, 4);
        made->diff = draw(&seed, 3) ? 1 : -1;
        made->time = s->lower[made->step];
        for (int d = 0; d < s->dims; d++)
            made->time.at[d] += draw(&seed, 2) ? 0 : draw(&seed, SIDE - made->time.at[d]);
        if (i && !draw(&seed, 4)) { /* takes back one before */
            const change *other = &s->changes[draw(&seed, i)];
            if (other->of == made->of && weir_time_le(&other->time, &made->time))
                made->k = other->k, made->x = other->x, made->diff = -other->diff;
        }
    }
}

/* ---- running ---------------------------------------------------------------------------- */

static void send_step(weir_worker *worker, const scene *s, int of, int step, weir_input *input,
                      uint64_t *seed)
{
    weir_batch *batch = NULL;
    for (uint32_t i = 0; i < s->count; i++) {
        const change *c = &s->changes[i];
        if (c->of != of || c->step != step ||
            c->worker % weir_worker_count(worker) != weir_worker_index(worker))
            continue;
        if (!batch) {
            batch = weir_batch_new(s->rows->type, CHANGES_MAX);
            batch->time = s->lower[step];
            weir_batch_add_times(batch);
            weir_batch_add_diffs(batch);
        }
        s->rows->make(batch, batch->count, c->k, c->x);
        batch->times[batch->count] = c->time;
        batch->diffs[batch->count++] = c->diff;
        if (!draw(seed, 6)) {
            weir_input_send(input, batch);
            batch = NULL;
        }
    }
    if (batch)
        weir_input_send(input, batch);
}

static void run_scene(weir_worker *worker, void *arg)
{
    scene *s = arg;
    static const char *const names[] = {"first", "second"};
    weir_dataflow *flow = weir_dataflow_begin(worker, "scene");
    weir_dataflow_dims(flow, names, (uint32_t)s->dims);
    weir_input *inputs[3];
    weir_stream in[3];
    for (int c = 0; c < s->collections; c++)
        in[c] = weir_input_new(flow, s->rows->type, &inputs[c]);
    test_watch(s->build(flow, s, in), &s->out);
    if (!test_end(flow))
        return;
    uint64_t seed = s->seed + weir_worker_index(worker);
    for (int step = 0; step < STEPS; step++)
        for (int c = 0; c < s->collections; c++) {
            if (!inputs[c])
                continue;
            send_step(worker, s, c, step, inputs[c], &seed);
            for (uint64_t i = draw(&seed, 6); i; i--)
                weir_step(worker);
            if (step == s->last_step[c])
                weir_input_close(&inputs[c]);
            else
                weir_input_advance_to(inputs[c], &s->lower[step + 1]);
            for (uint64_t i = draw(&seed, 6); i; i--)
                weir_step(worker);
        }
}

/* ---- comparing -------------------------------------------------------------------------- */

/* Takes the text. */
static void tell(tallies *to, char *text, int64_t count)
{
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? 2 * to->capacity : 64;
        to->of = realloc(to->of, to->capacity * sizeof *to->of);
    }
    to->of[to->count++] = (tally){text, count};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const tally *)a)->text, ((const tally *)b)->text);
}

static void add_up(tallies *list)
{
    uint32_t kept = 0;
    if (list->count)
        qsort(list->of, list->count, sizeof *list->of, by_text);
    for (uint32_t i = 0; i < list->count; i++) {
        tally next = list->of[i];
        if (kept && strcmp(list->of[kept - 1].text, next.text) == 0) {
            list->of[kept - 1].count += next.count;
            free(next.text);
            continue;
        }
        kept -= kept && list->of[kept - 1].count == 0 ? (free(list->of[kept - 1].text), 1) : 0;
        list->of[kept++] = next;
    }
    if (kept && list->of[kept - 1].count == 0)
        free(list->of[--kept].text);
    list->count = kept;
}

static void tallies_free(tallies *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->of[i].text);
    free(list->of);
}

static void collection_at(const scene *s, int of, const weir_time *time, collection *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const change *c = &s->changes[i];
        uint32_t r = 0;
        if (c->of != of || !weir_time_le(&c->time, time))
            continue;
        while (r < out->count && (out->rows[r].k != c->k || out->rows[r].x != c->x))
            r++;
        if (r == out->count)
            out->rows[out->count++] = (content){c->k, c->x, 0};
        out->rows[r].count += c->diff;
    }
}

static void compare_at(const scene *s, const weir_time *time, const weir_config *config)
{
    static collection at[3];
    tallies expected = {0}, got = {0};
    for (int c = 0; c < s->collections; c++)
        collection_at(s, c, time, &at[c]);
    s->naive(s, at, &expected);
    for (uint32_t i = 0; i < s->out.count; i++)
        if (weir_time_le(&s->out.updates[i].time, time))
            tell(&got, strdup(s->out.updates[i].row), s->out.updates[i].diff);
    add_up(&expected);
    add_up(&got);
    for (uint32_t i = 0; i < expected.count || i < got.count; i++) {
        static char nothing[] = "(nothing)";
        const tally none = {nothing, 0};
        const tally *e = i < expected.count ? &expected.of[i] : &none;
        const tally *g = i < got.count ? &got.of[i] : &none;
        ck_assert_msg(strcmp(e->text, g->text) == 0 && e->count == g->count,
                      "seed %lu, %u workers, fuel %ld, at (%lu, %lu): %s %ld, not %s %ld",
                      (unsigned long)s->seed, config->workers, (long)wi_join_fuel,
                      (unsigned long)time->at[0], (unsigned long)time->at[1], g->text,
                      (long)g->count, e->text, (long)e->count);
    }
    tallies_free(&expected);
    tallies_free(&got);
}

static void compare(const scene *s, const weir_config *config)
{
    weir_time time = {0};
    for (time.at[0] = 0; time.at[0] < SIDE; time.at[0]++)
        for (time.at[1] = 0; time.at[1] < (s->dims > 1 ? SIDE : 1); time.at[1]++)
            compare_at(s, &time, config);
}

/* Draws cases until enough have passed. TEST_JOIN_SEED repeats one, TEST_JOIN_CASES are more. */
static void play(scene base)
{
    static scene s;
    const char *one = getenv("TEST_JOIN_SEED"), *more = getenv("TEST_JOIN_CASES");
    uint64_t cases = more ? strtoull(more, NULL, 10) : test_sanitized() ? 10 : 40;
    int64_t fuel = wi_join_fuel;
    for (uint64_t i = 0; i < (one ? 1 : cases); i++) {
        s = base;
        s.seed = one ? strtoull(one, NULL, 10) : 1 + i;
        s.dims = 1 + (int)(s.seed / 3 % 2);
        draw_changes(&s);
        weir_config config = test_ways[s.seed % TEST_WAYS];
        wi_join_fuel = s.seed % 2 ? fuel : (int64_t)(s.seed % 5) + 1;
        test_list_init(&s.out, s.dims);
        test_run(&config, run_scene, &s);
        compare(&s, &config);
        test_list_fini(&s.out);
    }
    wi_join_fuel = fuel;
}

/* ---- flavours --------------------------------------------------------------------------- */

static char *print(const char *key, uint64_t x, uint64_t y)
{
    char *text;
    if (asprintf(&text, "%s\t%lu\t%lu", key, (unsigned long)x, (unsigned long)y) < 0)
        abort();
    return text;
}

static char *print_plain(uint64_t k, uint64_t x, uint64_t y)
{
    char room[64];
    sprintf(room, "%lu", (unsigned long)k);
    return print(room, x, y);
}

static char *print_texts(uint64_t k, uint64_t x, uint64_t y)
{
    char room[64];
    text_key(k, room);
    return print(room, x, y);
}

static char *print_odd(uint64_t k, uint64_t x, uint64_t y)
{
    char room[64];
    sprintf(room, "%d", (int)k - 2);
    return print(room, x, y);
}

/* Kernels and how they are used, for each flavour. */
#define FLAVOUR(row, kernel_x)                                                                  \
    WEIR_JOIN(row##_both, row, row, row##_out)                                                  \
    {                                                                                           \
        out->k = a->k;                                                                          \
        out->x = a->x;                                                                          \
        out->y = b->x;                                                                          \
    }                                                                                           \
    WEIR_MAP(row##_alone, row, row##_out)                                                       \
    {                                                                                           \
        *out = (row##_out){.k = in->k, .x = in->x, .y = ALONE};                                 \
    }                                                                                           \
    WEIR_MAP(row##_b_alone, row, row##_out)                                                     \
    {                                                                                           \
        *out = (row##_out){.k = in->k, .x = ALONE, .y = in->x};                                 \
    }                                                                                           \
    static weir_stream row##_join(weir_stream a, weir_stream b)                                 \
    {                                                                                           \
        return weir_join(a, WEIR_BY(row, k), b, WEIR_BY(row, k), &row##_both);                  \
    }                                                                                           \
    static weir_stream row##_outer(weir_stream a, weir_stream b, bool full)                     \
    {                                                                                           \
        weir_key key = WEIR_BY(row, k);                                                         \
        return full ? weir_full_join(a, key, b, key, &row##_both, &row##_alone, &row##_b_alone) \
                    : weir_left_join(a, key, b, key, &row##_both, &row##_alone);                \
    }                                                                                           \
    static const flavour row##_flavour = {                                                      \
        &row##_type,                                                                            \
        make_##row,                                                                             \
        print_##row,                                                                            \
        row##_join,                                                                             \
        row##_outer,                                                                            \
        {.type = &row##_type, .count = 1, .offsets = {offsetof(row, k)}, .bytes = {kernel_x}}};
FLAVOUR(plain, 8)
FLAVOUR(texts, WEIR_KEY_TEXT)
FLAVOUR(odd, 4)
static const flavour *const flavours[] = {&plain_flavour, &texts_flavour, &odd_flavour};

/* ---- join ------------------------------------------------------------------------------- */

static weir_stream build_join(WEIR_UNUSED weir_dataflow *flow, const scene *s, weir_stream *in)
{
    return s->rows->join(in[0], in[1]);
}

static void naive_join(const scene *s, const collection *at, tallies *out)
{
    for (uint32_t i = 0; i < at[0].count; i++)
        for (uint32_t j = 0; j < at[1].count; j++)
            if (at[0].rows[i].k == at[1].rows[j].k)
                tell(out, s->rows->text(at[0].rows[i].k, at[0].rows[i].x, at[1].rows[j].x),
                     at[0].rows[i].count * at[1].rows[j].count);
}

START_TEST(join_at_every_time)
{
    play((scene){.collections = 2, .rows = flavours[_i], .build = build_join, .naive = naive_join});
}
END_TEST

WEIR_JOIN_SOME(only_less, plain, plain, plain_out)
{
    out->k = a->k;
    out->x = a->x;
    out->y = b->x;
    return a->x < b->x;
}

static weir_stream build_some(WEIR_UNUSED weir_dataflow *flow, WEIR_UNUSED const scene *s,
                              weir_stream *in)
{
    return weir_join(in[0], WEIR_BY(plain, k), in[0], WEIR_BY(plain, k), &only_less);
}

static void naive_some(const scene *s, const collection *at, tallies *out)
{
    for (uint32_t i = 0; i < at[0].count; i++)
        for (uint32_t j = 0; j < at[0].count; j++)
            if (at[0].rows[i].k == at[0].rows[j].k && at[0].rows[i].x < at[0].rows[j].x)
                tell(out, s->rows->text(at[0].rows[i].k, at[0].rows[i].x, at[0].rows[j].x),
                     at[0].rows[i].count * at[0].rows[j].count);
}

START_TEST(join_with_itself_giving_some)
{
    play((scene){
        .collections = 1, .rows = &plain_flavour, .build = build_some, .naive = naive_some});
}
END_TEST

/* ---- semijoins, outer joins ------------------------------------------------------------- */

static int64_t key_count(const collection *of, uint64_t k)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < of->count; i++)
        count += of->rows[i].k == k ? of->rows[i].count : 0;
    return count;
}

/* Rows without a partner, or with one. */
static void naive_alone(const scene *s, const collection *of, const collection *other, bool b,
                        bool with, tallies *out)
{
    for (uint32_t i = 0; i < of->count; i++) {
        const content *row = &of->rows[i];
        if ((key_count(other, row->k) > 0) == with)
            tell(out, s->rows->text(row->k, b ? ALONE : row->x, b ? row->x : ALONE), row->count);
    }
}

WEIR_MAP(plain_shown, plain, plain_out)
{
    *out = (plain_out){in->k, in->x, ALONE};
}
WEIR_MAP(texts_shown, texts, texts_out)
{
    *out = (texts_out){in->k, in->x, ALONE};
}
WEIR_MAP(odd_shown, odd, odd_out)
{
    *out = (odd_out){in->k, in->x, ALONE};
}

static weir_stream show(const scene *s, weir_stream rows)
{
    return weir_map(rows, s->rows == &plain_flavour   ? &plain_shown
                          : s->rows == &texts_flavour ? &texts_shown
                                                      : &odd_shown);
}

static weir_stream build_semi(WEIR_UNUSED weir_dataflow *flow, const scene *s, weir_stream *in)
{
    return show(s, weir_semijoin(in[0], s->rows->key, in[1], s->rows->key));
}

static weir_stream build_anti(WEIR_UNUSED weir_dataflow *flow, const scene *s, weir_stream *in)
{
    return show(s, weir_antijoin(in[0], s->rows->key, in[1], s->rows->key));
}

static void naive_semi(const scene *s, const collection *at, tallies *out)
{
    naive_alone(s, &at[0], &at[1], false, true, out);
}

static void naive_anti(const scene *s, const collection *at, tallies *out)
{
    naive_alone(s, &at[0], &at[1], false, false, out);
}

START_TEST(semijoin_and_antijoin)
{
    scene s = {.collections = 2, .rows = flavours[_i], .build = build_semi, .naive = naive_semi};
    play(s);
    s.build = build_anti;
    s.naive = naive_anti;
    play(s);
}
END_TEST

static weir_stream build_left(WEIR_UNUSED weir_dataflow *flow, const scene *s, weir_stream *in)
{
    return s->rows->outer(in[0], in[1], false);
}

static weir_stream build_full(WEIR_UNUSED weir_dataflow *flow, const scene *s, weir_stream *in)
{
    return s->rows->outer(in[0], in[1], true);
}

static void naive_left(const scene *s, const collection *at, tallies *out)
{
    naive_join(s, at, out);
    naive_alone(s, &at[0], &at[1], false, false, out);
}

static void naive_full(const scene *s, const collection *at, tallies *out)
{
    naive_left(s, at, out);
    naive_alone(s, &at[1], &at[0], true, false, out);
}

START_TEST(outer_joins)
{
    scene s = {.collections = 2, .rows = flavours[_i], .build = build_left, .naive = naive_left};
    play(s);
    s.build = build_full;
    s.naive = naive_full;
    play(s);
}
END_TEST

/* ---- delta joins ------------------------------------------------------------------------ */

/* Triangles a-b, b-c, a-c of three collections. */
WEIR_JOIN(ab_bc, plain, plain, plain_out)
{
    *out = (plain_out){a->k, a->x, b->x};
}
WEIR_JOIN(bc_ab, plain, plain, plain_out)
{
    *out = (plain_out){b->k, a->k, a->x};
}
WEIR_JOIN(ac_ab, plain, plain, plain_out)
{
    *out = (plain_out){a->k, b->x, a->x};
}
WEIR_JOIN(same, plain_out, plain, plain_out)
{
    *out = *a;
}

static weir_stream build_triangles(WEIR_UNUSED weir_dataflow *flow, WEIR_UNUSED const scene *s,
                                   weir_stream *in)
{
    const weir_key from = WEIR_BY(plain, k), to = WEIR_BY(plain, x), edge = WEIR_BY(plain, k, x);
    const weir_delta_step steps[] = {
        {1, to, from, &ab_bc},   {2, WEIR_BY(plain_out, k, y), edge, &same},
        {0, from, to, &bc_ab},   {2, WEIR_BY(plain_out, k, y), edge, &same},
        {0, from, from, &ac_ab}, {1, WEIR_BY(plain_out, x, y), edge, &same},
    };
    return weir_delta_join(in, 3, steps);
}

static void naive_triangles(const scene *s, const collection *at, tallies *out)
{
    for (uint32_t i = 0; i < at[0].count; i++)
        for (uint32_t j = 0; j < at[1].count; j++)
            for (uint32_t k = 0; k < at[2].count; k++) {
                const content *ab = &at[0].rows[i], *bc = &at[1].rows[j], *ac = &at[2].rows[k];
                if (ab->x == bc->k && ab->k == ac->k && bc->x == ac->x)
                    tell(out, s->rows->text(ab->k, ab->x, bc->x),
                         ab->count * bc->count * ac->count);
            }
}

/* The same by hand, with other operators between half-joins. */
WEIR_MAP(turned, plain_out, plain_out)
{
    *out = (plain_out){in->y, in->x, in->k};
}
WEIR_FILTER(any, plain_out)
{
    return in->k < ALONE;
}

static weir_stream by_hand(weir_stream of, weir_key key, weir_arrangement *with, weir_half half,
                           const weir_join_kernel *kernel)
{
    weir_stream made = weir_half_join(of, key, with, half, kernel);
    return weir_map(weir_filter(weir_map(made, &turned), &any), &turned);
}

static weir_stream build_by_hand(WEIR_UNUSED weir_dataflow *flow, WEIR_UNUSED const scene *s,
                                 weir_stream *in)
{
    const weir_key from = WEIR_BY(plain, k), to = WEIR_BY(plain, x), edge = WEIR_BY(plain, k, x);
    const weir_half before = WEIR_HALF_BEFORE, up_to = WEIR_HALF_UP_TO;
    weir_arrangement *b_from = weir_arrange(in[1], from), *c_edge = weir_arrange(in[2], edge);
    weir_arrangement *a_to = weir_arrange(in[0], to), *a_from = weir_arrange(in[0], from);
    weir_arrangement *b_edge = weir_arrange(in[1], edge);
    weir_stream ab = by_hand(in[0], to, b_from, before, &ab_bc);
    weir_stream bc = by_hand(in[1], from, a_to, up_to, &bc_ab);
    weir_stream ac = by_hand(in[2], from, a_from, up_to, &ac_ab);
    weir_stream all[] = {by_hand(ab, WEIR_BY(plain_out, k, y), c_edge, before, &same),
                         by_hand(bc, WEIR_BY(plain_out, k, y), c_edge, before, &same),
                         by_hand(ac, WEIR_BY(plain_out, x, y), b_edge, up_to, &same)};
    return weir_concat_all(all, 3);
}

/* The same of one collection, which meets itself. */
static weir_stream build_own_triangles(weir_dataflow *flow, const scene *s, weir_stream *in)
{
    weir_stream all[] = {in[0], in[0], in[0]};
    return build_triangles(flow, s, all);
}

static void naive_own_triangles(const scene *s, const collection *at, tallies *out)
{
    static collection all[3];
    all[0] = all[1] = all[2] = at[0];
    naive_triangles(s, all, out);
}

START_TEST(delta_joins)
{
    scene s = {.collections = 3,
               .rows = &plain_flavour,
               .build = build_triangles,
               .naive = naive_triangles};
    play(s);
    s.build = build_by_hand;
    play(s);
    s.collections = 1;
    s.build = build_own_triangles;
    s.naive = naive_own_triangles;
    play(s);
}
END_TEST

/* ---- loops ------------------------------------------------------------------------------ */

#define ROUNDS 3

/* Walks from rows of the first collection along edges of the second, up to some rounds. */
WEIR_JOIN(follow, plain, plain, plain)
{
    *out = (plain){a->k, b->x};
}

static weir_stream build_walks(weir_dataflow *flow, const scene *s, weir_stream *in)
{
    weir_loop *loop = weir_loop_begin(flow, "walks");
    weir_stream walks = weir_variable(loop, weir_enter(loop, in[0]));
    weir_stream edges = weir_enter(loop, in[1]);
    weir_loop_rounds(loop, ROUNDS + 1);
    weir_variable_set(walks,
                      weir_join(walks, WEIR_BY(plain, x), edges, WEIR_BY(plain, k), &follow));
    return show(s, weir_leave(loop, walks));
}

static void walk(const scene *s, const collection *edges, content walked, int rounds, tallies *out)
{
    tell(out, s->rows->text(walked.k, walked.x, ALONE), walked.count);
    for (uint32_t e = 0; rounds && e < edges->count; e++)
        if (edges->rows[e].k == walked.x)
            walk(s, edges,
                 (content){walked.k, edges->rows[e].x, walked.count * edges->rows[e].count},
                 rounds - 1, out);
}

static void naive_walks(const scene *s, const collection *at, tallies *out)
{
    for (uint32_t i = 0; i < at[0].count; i++)
        walk(s, &at[1], at[0].rows[i], ROUNDS, out);
}

START_TEST(join_in_a_loop)
{
    play((scene){
        .collections = 2, .rows = &plain_flavour, .build = build_walks, .naive = naive_walks});
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("join");
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, join_at_every_time, 0, 3);
    tcase_add_test(cases, join_with_itself_giving_some);
    tcase_add_loop_test(cases, semijoin_and_antijoin, 0, 3);
    tcase_add_loop_test(cases, outer_joins, 0, 3);
    tcase_add_test(cases, delta_joins);
    tcase_add_test(cases, join_in_a_loop);
    return test_main("join", cases);
}
