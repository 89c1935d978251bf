/* Pairs of random numbers: arranged, consolidated, counted, joined. */
#include "bench_collection.h"

#define PAIR(F) F(u64, key) F(u64, value)
#define TALLY(F) F(u64, key) F(i64, count)
#define MATCH(F) F(u64, key) F(u64, a) F(u64, b)
WEIR_ROW(pair, PAIR)
WEIR_ROW(tally, TALLY)
WEIR_ROW(match, MATCH)

static void push_pairs(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                       uint64_t end, uint64_t step)
{
    (void)args;
    weir_out *out = weir_input_out(ends->inputs[0]);
    for (uint64_t row = first; row < end; row += step) {
        pair it;
        bench_pair(row, &it.key, &it.value);
        pair_push(out, it);
    }
}

/* ---- arrange ------------------------------------------------------------------------- */

/* Arranged by the first number. Every 100th row's key is then looked up by a join. */
enum { ROWS_A_LOOK_UP = 100 };

WEIR_JOIN(look_up, bench_number, pair, pair)
{
    *out = *b;
}
WEIR_EACH(add_pair, pair)
{
    bench_tally(arg, in->key, in->value, time, diff);
}

static void build_arrange(weir_dataflow *flow, const struct bench_args *args,
                          struct bench_part *part, struct bench_ends *ends_out)
{
    (void)args;
    weir_stream rows = weir_input_new(flow, &pair_type, &ends_out->inputs[0]);
    weir_stream keys = weir_input_new(flow, &bench_number_type, &ends_out->inputs[1]);
    weir_arrangement *sorted = weir_arrange(rows, WEIR_BY(pair, key));
    weir_arrangement *asked = weir_arrange(keys, WEIR_BY(bench_number, value));
    weir_stream found = weir_join_arranged(asked, sorted, &look_up);
    ends_out->probe = weir_probe_new(weir_inspect_with(found, &add_pair, part));
}

static void check_arrange(const struct bench_ends *ends, const struct bench_args *args,
                          uint64_t first, uint64_t end, uint64_t step)
{
    (void)args;
    weir_out *out = weir_input_out(ends->inputs[1]);
    for (uint64_t row = first; row < end; row += step) {
        uint64_t key, value;
        bench_pair(row, &key, &value);
        if (row % ROWS_A_LOOK_UP == 0)
            bench_number_push(out, (bench_number){key});
    }
}

const struct bench_collection bench_arrange = {
    .name = "arrange", .build = build_arrange, .push = push_pairs, .check = check_arrange};

/* ---- consolidate --------------------------------------------------------------------- */

/* Squares: two changes of 1 that were left apart give another sum than one of 2. */
WEIR_EACH(add_square, pair)
{
    bench_tally(arg, in->key, in->value, time, diff * diff);
}

static void build_consolidate(weir_dataflow *flow, const struct bench_args *args,
                              struct bench_part *part, struct bench_ends *ends_out)
{
    (void)args;
    weir_stream rows = weir_input_new(flow, &pair_type, &ends_out->inputs[0]);
    weir_stream once = weir_consolidate(rows);
    ends_out->probe = weir_probe_new(weir_inspect_with(once, &add_square, part));
}

/* Every 8th row is one that was there already. */
static void push_some_twice(const struct bench_ends *ends, const struct bench_args *args,
                            uint64_t first, uint64_t end, uint64_t step)
{
    (void)args;
    weir_out *out = weir_input_out(ends->inputs[0]);
    for (uint64_t row = first; row < end; row += step) {
        pair it;
        bench_pair(row % 8 == 7 ? row / 2 : row, &it.key, &it.value);
        pair_push(out, it);
    }
}

const struct bench_collection bench_consolidate = {
    .name = "consolidate", .build = build_consolidate, .push = push_some_twice};

/* ---- count --------------------------------------------------------------------------- */

WEIR_EACH(add_count, tally)
{
    bench_tally(arg, in->key, (uint64_t)in->count, time, diff);
}

static void build_count(weir_dataflow *flow, const struct bench_args *args, struct bench_part *part,
                        struct bench_ends *ends_out)
{
    (void)args;
    weir_stream keys = weir_input_new(flow, &bench_number_type, &ends_out->inputs[0]);
    weir_stream counts = weir_group_count(keys, WEIR_BY(bench_number, value), &tally_type);
    ends_out->probe = weir_probe_new(weir_inspect_with(counts, &add_count, part));
}

static void push_keys(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                      uint64_t end, uint64_t step)
{
    weir_out *out = weir_input_out(ends->inputs[0]);
    for (uint64_t row = first; row < end; row += step)
        bench_number_push(out, (bench_number){bench_splitmix64(BENCH_SEED + row) % args->keys});
}

const struct bench_collection bench_count = {
    .name = "count", .build = build_count, .push = push_keys};

/* ---- join ---------------------------------------------------------------------------- */

WEIR_JOIN(both, pair, pair, match)
{
    *out = (match){a->key, a->value, b->value};
}
WEIR_EACH(add_match, match)
{
    bench_tally(arg, in->key + in->a, in->b, time, diff);
}

static void build_join(weir_dataflow *flow, const struct bench_args *args, struct bench_part *part,
                       struct bench_ends *ends_out)
{
    (void)args;
    weir_stream a = weir_input_new(flow, &pair_type, &ends_out->inputs[0]);
    weir_stream b = weir_input_new(flow, &pair_type, &ends_out->inputs[1]);
    weir_stream matches = weir_join(a, WEIR_BY(pair, key), b, WEIR_BY(pair, key), &both);
    ends_out->probe = weir_probe_new(weir_inspect_with(matches, &add_match, part));
}

/* Even rows are of one side, odd ones of the other. */
static void push_sides(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                       uint64_t end, uint64_t step)
{
    weir_out *outs[2] = {weir_input_out(ends->inputs[0]), weir_input_out(ends->inputs[1])};
    for (uint64_t row = first; row < end; row += step) {
        pair it;
        bench_pair(row, &it.key, &it.value);
        it.key %= args->keys;
        pair_push(outs[row % 2], it);
    }
}

const struct bench_collection bench_join = {
    .name = "join", .build = build_join, .push = push_sides};
