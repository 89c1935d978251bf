/* Reduces compared with naive evaluation at every time: random changes, one and two root
 * dimensions, inside loops and in their cycles, all kinds, 1 to 4 workers, work split into small
 * turns. The naive side adds up what went into the reduce at or before a time, and evaluates
 * that; it knows nothing of differences.
 *
 *     unit_test_reduce [SEED [CASES]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/execution.h"
#include "tests/support/streams.h"

#define ITEM(F) F(u8, key) F(u16, value) F(u8, extra) F(weir_text, tag)
#define PAIR(F) F(u8, key) F(u16, value)
#define TAGGED(F) F(u8, key) F(weir_text, tag) F(u16, value)
#define SUMMED(F) F(u8, key) F(u16, value) F(u8, extra) F(i64, sum)
#define COUNTED(F) F(u8, key) F(i64, count)
#define LISTED(F) F(u8, key) F(weir_text, what) F(i64, count)
WEIR_ROW(item, ITEM)
WEIR_ROW(pair, PAIR)
WEIR_ROW(tagged, TAGGED)
WEIR_ROW(summed, SUMMED)
WEIR_ROW(counted, COUNTED)
WEIR_ROW(listed, LISTED)

extern uint64_t wi_reduce_fuel;
extern uint32_t wi_reduce_learn_from;

static uint64_t seed = 1;
static uint32_t cases = 400;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static const char *const tags[] = {"",           "b",  "b and more of it than fits",
                                   "b and more", "zz", "b and more of it than fits!"};

/* ---- a case ----------------------------------------------------------------------------- */

typedef enum kind {
    MIN,
    MAX,
    TOP,
    FIRST,
    LAST,
    QUANTILE,
    PREFIX,
    KERNEL,
    COUNT,
    DISTINCT,
    KINDS
} reduce_kind;

/* Where the reduce is. */
typedef enum place { ROOT, ENTERED, BESIDE, IN_CYCLE, PLACES } reduce_place;

typedef struct step {
    enum { PUSH, ADVANCE, WAIT } what;
    uint32_t input, worker;
    item row;
    weir_time time;
    int64_t diff;
} step;

enum { STEPS_MAX = 400, INPUTS = 2, FIELDS = 4 };

/* An update that went into the reduce. */
typedef struct entry {
    item row;
    weir_time time;
    int64_t diff;
} entry;

typedef struct trial {
    reduce_kind kind;
    reduce_place place;
    int root_dims;
    weir_order order;
    uint32_t order_fields[FIELDS]; /* indexes of fields of item */
    weir_top top;
    double share;
    step steps[STEPS_MAX];
    uint32_t step_count;
    uint32_t workers;
    pthread_mutex_t lock;
    entry *in;
    uint32_t in_count, in_capacity;
    test_list out;
} trial;

/* ---- building --------------------------------------------------------------------------- */

WEIR_REDUCE(list_group, item, listed)
{
    int64_t all = 0;
    for (uint32_t i = 0; i < count; i++)
        all += counts[i];
    listed_push(out, (listed){.what = in[0].tag, .count = in[count - 1].value});
    if (all % 3 == 0)
        return;
    weir_out_diff(out, all);
    listed_push(out, (listed){.what = weir_text_c("how many rows there are, and how many others"),
                              .count = count});
    listed_push(out, (listed){.what = in[count / 2].tag, .count = -1});
    weir_out_diff(out, 1);
    listed_push(out, (listed){.what = in[count / 2].tag, .count = -1});
}

static bool comes_back(const item *in, item *out)
{
    if (in->value == 0)
        return false;
    *out = *in;
    out->value--;
    out->key = (uint8_t)((in->key + in->value) % 3);
    return true;
}

WEIR_FILTER_MAP(back, item, item)
{
    return comes_back(in, out);
}

static void note_input(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    trial *test = arg;
    pthread_mutex_lock(&test->lock);
    for (uint32_t i = 0; i < batch->count; i++) {
        item row = *item_at(batch, i);
        for (size_t t = 0; t < sizeof tags / sizeof *tags; t++) {
            weir_text text = weir_text_c(tags[t]);
            if (weir_text_equal(&text, &item_at(batch, i)->tag))
                row.tag = text;
        }
        if (test->in_count == test->in_capacity) {
            test->in_capacity = 2 * test->in_capacity + 64;
            test->in = realloc(test->in, test->in_capacity * sizeof *test->in);
        }
        test->in[test->in_count++] =
            (entry){row, *weir_batch_time(batch, i), weir_batch_diff(batch, i)};
    }
    pthread_mutex_unlock(&test->lock);
}

static weir_stream reduce_of(const trial *test, weir_stream in)
{
    weir_key key = WEIR_BY(item, key);
    switch (test->kind) {
    case MIN:
        return weir_group_min(in, key, WEIR_BY(item, value), &pair_type);
    case MAX:
        return weir_group_max(in, key, WEIR_BY(item, tag, value), &tagged_type);
    case TOP:
        return weir_group_top(in, key, test->order, test->top);
    case FIRST:
        return weir_group_first(in, key, test->order);
    case LAST:
        return weir_group_last(in, key, test->order);
    case QUANTILE:
        return weir_group_quantile(in, key, WEIR_BY(item, value), test->share, &pair_type);
    case PREFIX:
        return weir_prefix_sum(in, key, (weir_order){WEIR_BY(item, value, extra), 2},
                               WEIR_BY(item, value), &summed_type);
    case KERNEL:
        return weir_reduce(in, key, &list_group);
    case COUNT:
        return weir_group_count(in, key, &counted_type);
    default:
        return weir_distinct(in);
    }
}

static void build(weir_dataflow *flow, weir_stream in, trial *test)
{
    weir_loop *loop = test->place == ROOT ? NULL : weir_loop_begin(flow, "loop");
    if (loop)
        in = weir_enter(loop, in);
    if (test->place == IN_CYCLE)
        weir_loop_rounds(loop, 7); /* first rows may alternate for ever */
    weir_stream around = in;
    if (test->place >= BESIDE)
        around = weir_variable(loop, in);
    weir_stream out = reduce_of(test, around);
    if (test->place == BESIDE)
        weir_variable_set(around, weir_filter_map(around, &back));
    if (test->place == IN_CYCLE)
        weir_variable_set(around, weir_filter_map(out, &back));
    weir_inspect_batch(around, note_input, test);
    test_watch(out, &test->out);
}

/* ---- running ---------------------------------------------------------------------------- */

static void play(weir_worker *worker, weir_input **inputs, const trial *test)
{
    uint32_t index = weir_worker_index(worker), count = weir_worker_count(worker);
    for (uint32_t s = 0; s < test->step_count; s++) {
        const step *at = &test->steps[s];
        weir_input *input = inputs[at->input];
        if (at->what == ADVANCE) {
            weir_input_advance_to(input, &at->time);
        } else if (at->what == WAIT) {
            for (int i = 0; i < 5; i++)
                weir_step(worker);
        } else if (at->worker % count == index) {
            weir_out *out = weir_input_out(input);
            weir_out_time(out, &at->time);
            weir_out_diff(out, at->diff);
            weir_out_row(out, &at->row);
        }
    }
}

static void work(weir_worker *worker, void *arg)
{
    static const char *const names[] = {"one", "two"};
    trial *test = arg;
    weir_input *inputs[INPUTS];
    weir_dataflow *flow = weir_dataflow_begin(worker, "test");
    weir_dataflow_dims(flow, names, (uint32_t)test->root_dims);
    weir_stream a = weir_input_new(flow, &item_type, &inputs[0]);
    weir_stream b = weir_input_new(flow, &item_type, &inputs[1]);
    build(flow, weir_concat(a, b), test);
    if (!test_end(flow))
        return;
    play(worker, inputs, test);
    for (int i = 0; i < INPUTS; i++)
        weir_input_close(&inputs[i]);
    weir_run(worker);
}

/* ---- naive ------------------------------------------------------------------------------ */

/* The fields of an item, compared. */
static int compare_field(const item *a, const item *b, uint32_t field)
{
    switch (field) {
    case 0:
        return (a->key > b->key) - (a->key < b->key);
    case 1:
        return (a->value > b->value) - (a->value < b->value);
    case 2:
        return (a->extra > b->extra) - (a->extra < b->extra);
    default:
        return weir_text_compare(&a->tag, &b->tag);
    }
}

static const trial *sorting; /* for qsort */

static int in_order(const item *a, const item *b)
{
    for (uint32_t f = 0; f < sorting->order.by.count; f++) {
        int order = compare_field(a, b, sorting->order_fields[f]);
        if (order)
            return sorting->order.descending >> f & 1 ? -order : order;
    }
    return 0;
}

static int by_order(const void *x, const void *y)
{
    const item *a = &((const entry *)x)->row, *b = &((const entry *)y)->row;
    int order = compare_field(a, b, 0);
    order = order ? order : in_order(a, b);
    for (uint32_t f = 1; f < FIELDS && !order; f++)
        order = compare_field(a, b, f);
    return order;
}

/* The rows at a time, in order, each with how often it is there; gives how many. */
static uint32_t rows_at(const trial *test, const weir_time *time, entry *rows_out)
{
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < test->in_count; i++)
        if (weir_time_le(&test->in[i].time, time))
            rows_out[count++] = test->in[i];
    sorting = test;
    qsort(rows_out, count, sizeof *rows_out, by_order);
    for (uint32_t i = 0, next; i < count; i = next) {
        int64_t diff = 0;
        for (next = i; next < count && by_order(&rows_out[i], &rows_out[next]) == 0; next++)
            diff += rows_out[next].diff;
        rows_out[kept] = rows_out[i];
        rows_out[kept].diff = diff;
        kept += diff != 0;
    }
    return kept;
}

typedef struct teller {
    test_list *to;
    const weir_type *type;
} teller;

static void tell(const teller *told, const void *row, int64_t diff)
{
    if (diff)
        test_list_add(told->to, told->type, row, &(weir_time){{0}}, diff);
}

static void naive_top(const trial *test, const entry *rows, uint32_t count, const teller *told)
{
    uint64_t place = 0, limit = test->top.limit, offset = test->top.offset;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].diff <= 0)
            continue;
        uint64_t rank = 0, taken = 0;
        for (uint32_t j = 0; j < i; j++)
            if (rows[j].diff > 0 && in_order(&rows[j].row, &rows[i].row) < 0)
                rank += (uint64_t)rows[j].diff;
        for (int64_t n = 0; n < rows[i].diff; n++, place++)
            taken += test->top.ties == WEIR_TIES_RANK ? rank >= offset && rank < offset + limit
                                                      : place >= offset && place < offset + limit;
        tell(told, &rows[i].row, (int64_t)taken);
    }
}

/* Whether the fields that a least row is looked for in are there in the end, all rows that have
 * them taken together. */
static bool is_there(const trial *test, const entry *rows, uint32_t count, const item *like)
{
    int64_t all = 0;
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].row.value == like->value &&
            (test->kind == MIN || weir_text_equal(&rows[i].row.tag, &like->tag)))
            all += rows[i].diff;
    return all > 0;
}

static void naive_least(const trial *test, const entry *rows, uint32_t count, const teller *told)
{
    const item *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const item *row = &rows[i].row;
        if (!is_there(test, rows, count, row))
            continue;
        int order = best ? compare_field(row, best, 1) : 1;
        if (test->kind == MAX && best && compare_field(row, best, 3))
            order = compare_field(row, best, 3);
        if (!best || (test->kind == MIN ? order < 0 : order > 0))
            best = row;
    }
    if (best && test->kind == MIN)
        tell(told, &(pair){best->key, best->value}, 1);
    else if (best)
        tell(told, &(tagged){.key = best->key, .tag = best->tag, .value = best->value}, 1);
}

static int by_number(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void naive_quantile(const trial *test, const entry *rows, uint32_t count, const teller *told)
{
    static uint16_t values[1 << 20];
    uint32_t all = 0;
    int64_t of_value[64] = {0};
    for (uint32_t i = 0; i < count; i++)
        of_value[rows[i].row.value] += rows[i].diff;
    for (uint16_t v = 0; v < 64; v++)
        for (int64_t n = 0; n < of_value[v]; n++)
            values[all++] = v;
    if (!all)
        return;
    qsort(values, all, sizeof *values, by_number);
    uint32_t place = 1;
    while (place < all && (double)place < test->share * all)
        place++;
    tell(told, &(pair){rows[0].row.key, values[place - 1]}, 1);
}

static void naive_prefix(const entry *rows, uint32_t count, const teller *told)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const item *row = &rows[i].row;
        sum += row->value * rows[i].diff;
        tell(told, &(summed){.key = row->key, .value = row->value, .extra = row->extra, .sum = sum},
             rows[i].diff);
    }
}

static void naive_kernel(const entry *rows, uint32_t count, const teller *told)
{
    int64_t all = 0;
    uint8_t key = rows[0].row.key;
    for (uint32_t i = 0; i < count; i++)
        all += rows[i].diff;
    tell(told, &(listed){.key = key, .what = rows[0].row.tag, .count = rows[count - 1].row.value},
         1);
    if (all % 3 == 0)
        return;
    weir_text what = weir_text_c("how many rows there are, and how many others");
    tell(told, &(listed){.key = key, .what = what, .count = count}, all);
    tell(told, &(listed){.key = key, .what = rows[count / 2].row.tag, .count = -1}, all + 1);
}

static void naive_group(const trial *test, const entry *rows, uint32_t count, test_list *to)
{
    static const weir_type *const types[KINDS] = {
        &pair_type, &tagged_type, &item_type,   &item_type,    &item_type,
        &pair_type, &summed_type, &listed_type, &counted_type, &item_type};
    teller told = {to, types[test->kind]};
    int64_t all = 0;
    for (uint32_t i = 0; i < count; i++)
        all += rows[i].diff;
    if (test->kind == MIN || test->kind == MAX) {
        naive_least(test, rows, count, &told);
    } else if (test->kind == TOP || test->kind == FIRST) {
        naive_top(test, rows, count, &told);
    } else if (test->kind == LAST) {
        for (uint32_t i = count; i-- > 0;)
            if (rows[i].diff > 0) {
                tell(&told, &rows[i].row, 1);
                break;
            }
    } else if (test->kind == QUANTILE) {
        naive_quantile(test, rows, count, &told);
    } else if (test->kind == PREFIX) {
        naive_prefix(rows, count, &told);
    } else if (test->kind == KERNEL) {
        naive_kernel(rows, count, &told);
    } else if (test->kind == COUNT) {
        tell(&told, &(counted){.key = rows[0].row.key, .count = all}, all != 0);
    } else {
        for (uint32_t i = 0; i < count; i++)
            tell(&told, &rows[i].row, rows[i].diff > 0);
    }
}

static char *naive_at(const trial *test, const weir_time *time, entry *rows)
{
    test_list list;
    test_list_init(&list, 1);
    uint32_t count = rows_at(test, time, rows);
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && rows[end].row.key == rows[begin].row.key;)
            end++;
        naive_group(test, rows + begin, end - begin, &list);
    }
    char *text = test_list_text(&list);
    test_list_fini(&list);
    return text;
}

static char *result_at(const trial *test, const weir_time *time)
{
    test_list list;
    test_list_init(&list, 1);
    for (uint32_t i = 0; i < test->out.count; i++) {
        const test_update *update = &test->out.updates[i];
        if (!weir_time_le(&update->time, time))
            continue;
        list.updates = realloc(list.updates, (list.count + 1) * sizeof *list.updates);
        list.updates[list.count++] =
            (test_update){.diff = update->diff, .row = strdup(update->row)};
    }
    char *text = test_list_text(&list);
    free(list.updates);
    list.updates = NULL;
    test_list_fini(&list);
    return text;
}

/* ---- comparing -------------------------------------------------------------------------- */

static void compare_at(const trial *test, const weir_time *time, entry *rows, uint64_t of_seed)
{
    char *expected = naive_at(test, time, rows), *got = result_at(test, time);
    if (strcmp(expected, got) != 0) {
        char at[WEIR_TIME_TEXT_BYTES];
        fprintf(stderr,
                "seed %llu: kind %d, place %d, %d root dimensions, %u workers, fuel %llu, at %s: "
                "expected\n%sbut got\n%s",
                (unsigned long long)of_seed, (int)test->kind, (int)test->place, test->root_dims,
                test->workers, (unsigned long long)wi_reduce_fuel,
                weir_time_text(time, WEIR_DIMS_MAX, at), expected, got);
        abort();
    }
    free(expected);
    free(got);
}

/* At each time made of coordinates that something has, or at some of them. */
static void compare_all(const trial *test, uint64_t of_seed)
{
    uint64_t most[WEIR_DIMS_MAX] = {0}, points = 1;
    for (int d = 0; d < WEIR_DIMS_MAX; d++) {
        for (uint32_t i = 0; i < test->in_count; i++)
            most[d] = test->in[i].time.at[d] > most[d] ? test->in[i].time.at[d] : most[d];
        for (uint32_t i = 0; i < test->out.count; i++)
            if (test->out.updates[i].time.at[d] > most[d])
                most[d] = test->out.updates[i].time.at[d];
        points *= most[d] + 1;
    }
    entry *rows = malloc((test->in_count + 1) * sizeof *rows);
    uint64_t looks = points < 60 ? points : 60;
    for (uint64_t p = 0; p < looks; p++) {
        uint64_t left = points <= 60 ? p : draw(points);
        weir_time time = {{0}};
        for (int d = 0; d < WEIR_DIMS_MAX; d++) {
            time.at[d] = left % (most[d] + 1);
            left /= most[d] + 1;
        }
        compare_at(test, &time, rows, of_seed);
    }
    free(rows);
}

/* ---- random cases ----------------------------------------------------------------------- */

static void draw_order(trial *test)
{
    static const uint32_t choices[][2] = {{1, 0}, {2, 0}, {3, 0}, {2, 1}, {3, 2}};
    static const weir_order orders[] = {
        {WEIR_BY(item, value), 0},        {WEIR_BY(item, extra), 0},      {WEIR_BY(item, tag), 0},
        {WEIR_BY(item, extra, value), 0}, {WEIR_BY(item, tag, extra), 0},
    };
    uint64_t at = draw(5);
    test->order = orders[at];
    memcpy(test->order_fields, choices[at], sizeof choices[at]);
    test->order.descending = (uint32_t)draw(4);
    test->top =
        (weir_top){draw(4), draw(3) ? 0 : draw(4), draw(2) ? WEIR_TIES_ROW : WEIR_TIES_RANK};
    if (test->kind == FIRST)
        test->top = (weir_top){1, 0, WEIR_TIES_ROW};
    if (test->kind == PREFIX) {
        test->order = (weir_order){WEIR_BY(item, value, extra), 2};
        test->order_fields[0] = 1;
        test->order_fields[1] = 2;
    }
    if (test->kind == KERNEL || test->kind == COUNT || test->kind == DISTINCT)
        test->order.by.count = 0;
}

static void draw_steps(trial *test)
{
    weir_time now[INPUTS] = {{{0}}};
    uint32_t keys = 1 + (uint32_t)draw(4), values = 1 + (uint32_t)draw(12);
    uint64_t advances = 1 + draw(12), waits = 1 + draw(12), ahead = 1 + draw(4);
    int64_t negative = draw(3) ? 0 : 1;
    /* three coordinates make very many times */
    uint64_t most = draw(4) ? 60 : test->root_dims == 2 && test->place >= BESIDE ? 90 : STEPS_MAX;
    test->step_count = 1 + (uint32_t)draw(most);
    for (uint32_t s = 0; s < test->step_count; s++) {
        step *at = &test->steps[s];
        uint32_t input = (uint32_t)draw(INPUTS);
        *at = (step){.what = PUSH, .input = input, .worker = (uint32_t)draw(64)};
        if (draw(advances) == 0) {
            at->what = ADVANCE;
            uint32_t d = draw(4) == 0 ? (uint32_t)draw((uint64_t)test->root_dims)
                                      : (test->root_dims == 2 ? input : 0);
            now[input].at[d] += 1 + draw(2);
            at->time = now[input];
            continue;
        }
        if (draw(waits) == 0) {
            at->what = WAIT;
            continue;
        }
        at->time = now[input];
        for (int d = 0; d < test->root_dims; d++)
            at->time.at[d] += draw(ahead);
        at->row.key = (uint8_t)draw(keys);
        at->row.value = (uint16_t)draw(values);
        at->row.extra = (uint8_t)draw(2);
        at->row.tag = weir_text_c(tags[draw(sizeof tags / sizeof *tags)]);
        at->diff = draw(4) ? 1 : 1 + (int64_t)draw(3);
        if (s && draw(3) == 0) { /* takes something away, mostly after it was given */
            const step *other = &test->steps[draw(s)];
            if (other->what == PUSH) {
                at->row = other->row;
                at->diff = -other->diff;
                if (!negative)
                    at->time = weir_time_join(&at->time, &other->time);
            }
        }
    }
}

static void run_trial(uint64_t of_seed)
{
    static trial test;
    static const uint64_t fuels[] = {1, 7, 1000, 1 << 20};
    memset(&test, 0, sizeof test);
    seed = of_seed * 0x9e3779b97f4a7c15u + 1;
    draw(2);
    test.kind = (reduce_kind)draw(KINDS);
    test.place = (reduce_place)draw(PLACES);
    if (test.place == IN_CYCLE && test.kind != TOP && test.kind != FIRST && test.kind != LAST &&
        test.kind != DISTINCT)
        test.place = BESIDE;
    test.root_dims = 1 + (int)draw(2);
    test.share = (double)draw(9) / 8;
    draw_order(&test);
    draw_steps(&test);
    wi_reduce_fuel = fuels[draw(4)];
    wi_reduce_learn_from = draw(2) ? 1 : 64;
    test.workers = 1 + (uint32_t)draw(4);
    pthread_mutex_init(&test.lock, NULL);
    test_list_init(&test.out, WEIR_DIMS_MAX);
    weir_config config = {.workers = test.workers, .deterministic = draw(4) != 0, .seed = of_seed};
    weir_err *err = weir_execute(&config, work, &test);
    if (err) {
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)of_seed, weir_err_message(err));
        abort();
    }
    compare_all(&test, of_seed);
    free(test.in);
    test_list_fini(&test.out);
    pthread_mutex_destroy(&test.lock);
}

START_TEST(reduces_are_right_at_every_time)
{
    uint64_t first = seed;
    for (uint64_t c = 0; c < cases; c++)
        run_trial(first + c);
}
END_TEST

/* ---- mistakes --------------------------------------------------------------------------- */

WEIR_JOIN(pair_up, item, item, pair)
{
    out->key = a->key;
}

static void build_mistake(weir_worker *worker, void *arg)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "test");
    weir_stream in = weir_input_new(flow, &item_type, &input);
    switch (*(int *)arg) {
    case 0:
        weir_group_min(in, WEIR_BY(item, key), WEIR_BY(item, tag), &pair_type);
        break;
    case 1:
        weir_reduce(in, WEIR_BY(item, value), &list_group);
        break;
    case 2:
        weir_group_quantile(in, WEIR_BY(item, key), WEIR_BY(item, value), 1.5, &pair_type);
        break;
    case 3:
        weir_prefix_sum(in, WEIR_BY(item, key), WEIR_ASCENDING(item, value), WEIR_BY(item, tag),
                        &summed_type);
        break;
    case 4:
        weir_group_first(in, WEIR_BY(pair, key), WEIR_ASCENDING(item, value));
        break;
    case 5:
        weir_group_top(in, WEIR_BY(item, key), WEIR_ASCENDING(pair, value), (weir_top){.limit = 1});
        break;
    case 6:
        weir_prefix_sum(in, WEIR_BY(item, key), WEIR_ASCENDING(item, value), WEIR_BY(pair, value),
                        &summed_type);
        break;
    case 7:
        weir_group_count(in, (weir_key){0}, &pair_type);
        break;
    case 8:
        weir_join(in, (weir_key){0}, in, WEIR_BY(item, key), &pair_up);
        break;
    case 9:
        weir_join(in, WEIR_BY(pair, key), in, WEIR_BY(item, key), &pair_up);
        break;
    default:
        weir_arrange(in, (weir_key){0});
    }
    if (test_end(flow))
        weir_input_close(&input);
}

START_TEST(mistakes_are_told)
{
    static const char *const parts[][3] = {{"group_min", "pair(key u8, value u16)", "item(key u8"},
                                           {"reduce", "listed(key u8", "item(key u8"},
                                           {"group_quantile", "1.5", "from 0 to 1"},
                                           {"prefix_sum", "summed(key u8", "item(key u8"},
                                           {"group_first", "pair(key u8", "item(key u8"},
                                           {"group_top", "pair(key u8", "item(key u8"},
                                           {"prefix_sum", "pair(key u8", "item(key u8"},
                                           {"group_count: ", "its key", "WEIR_BY"},
                                           {"join: ", "its key", "WEIR_BY"},
                                           {"join: takes", "pair(key u8", "item(key u8"},
                                           {"arrange: ", "its key", "WEIR_BY"}};
    for (int i = 0; i < 11; i++)
        test_stops(&(weir_config){.workers = 1}, build_mistake, &i, parts[i][0], parts[i][1],
                   parts[i][2], NULL);
}
END_TEST

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : seed;
    cases = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : test_sanitized() ? 100 : cases;
    printf("seed %llu, %u cases\n", (unsigned long long)seed, cases);
    if (argc > 2) {
        for (uint64_t first = seed, c = 0; c < cases; c++)
            run_trial(first + c);
        return 0;
    }
    TCase *tests = tcase_create("reduce");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, reduces_are_right_at_every_time);
    tcase_add_test(tests, mistakes_are_told);
    return test_main("reduce", tests);
}
