/* Collections: streams read as multisets that change. The diffs of a row at all times at or
 * before t, added up, say how often the row is in the collection at t. The operators here
 * keep their results right as their inputs change, at every time, in loops and for times
 * with several dimensions; they are those of differential dataflow (McSherry, Murray, Isaacs,
 * Isard, CIDR 2013).
 *
 * Streams and collections are the same thing: map, filter, flat_map, concat, inspect and the
 * like (stream.h) change rows and keep diffs, so they are right for collections as they are.
 * What stream.h does per time (weir_count, weir_aggregate, ...) is done here over all times
 * so far (weir_group_count, ...).
 *
 * All functions are called by the worker that builds. Rows meet by key on one worker; streams
 * that come from here are distributed by the key that made them. Type errors are reported
 * when the dataflow is ended, as in stream.h. `_with` forms pass `arg` to the kernel.
 *
 * Output: after consolidation, the changes at a time are a deterministic multiset. */
#ifndef WEIR_COLLECTION_H
#define WEIR_COLLECTION_H

#include <weir/stream.h>

/* ---- row by row ------------------------------------------------------------------------- */

/* Every diff negated: weir_concat(a, weir_negate(b)) is a minus b. */
WEIR_API weir_stream weir_negate(weir_stream in);
/* The same collection with at most one change for each row and time, and none that is zero.
 * A time's changes are held back until it is complete. */
WEIR_API weir_stream weir_consolidate(weir_stream in);

/* ---- arrangements ----------------------------------------------------------------------- */

/* A collection kept sorted by key for others to look things up in: an index. It is held in
 * memory as long as an operator may still ask for it, as a few sorted runs, and compacted as
 * times complete. */
typedef struct weir_arrangement weir_arrangement;

/* The arrangement of a stream by a key; asking twice for the same gives the same one, and a
 * stream that entered a loop shares the arrangement of the stream outside. The operators
 * below arrange their inputs themselves. It lives as long as the dataflow. */
WEIR_API weir_arrangement *weir_arrange(weir_stream in, weir_key key);
/* The same arrangement seen in a loop directly in its scope. */
WEIR_API weir_arrangement *weir_arrangement_enter(weir_loop *loop, weir_arrangement *outside);
/* The arrangement's changes as a stream, consolidated, except that what an imported one held at
 * first may come as several changes of a row at one time. */
WEIR_API weir_stream weir_arrangement_stream(weir_arrangement *of);

/* ---- join ------------------------------------------------------------------------------- */

typedef struct weir_join_kernel {
    const char *name;
    const weir_type *a, *b, *out;
    bool some; /* gives no row for some pairs */
    /* Pair i is the row at a + i * a_step and the row at b + i * b_step. Writes the rows to
     * out, the indexes of the pairs that gave one to kept_out (not if !some), and returns how
     * many. */
    uint32_t (*run)(const void *a, size_t a_step, const void *b, size_t b_step, uint32_t count,
                    void *out, uint32_t *kept_out, weir_batch *into, void *arg);
} weir_join_kernel;

/* The row that a pair of rows with equal keys gives: fill *out from *a and *b.
 *     WEIR_JOIN(follow, node, edge, node) { out->id = b->dst; } */
#define WEIR_JOIN(id, a_row, b_row, out_row)                                                   \
    static inline void id##_pair(const a_row *restrict a, const b_row *restrict b,             \
                                 out_row *restrict out, weir_batch *into, void *arg);          \
    static uint32_t id##_run(const void *weir_a, size_t a_step, const void *weir_b,            \
                             size_t b_step, uint32_t count, void *weir_out_rows,               \
                             WEIR_UNUSED uint32_t *kept_out, weir_batch *into, void *arg)      \
    {                                                                                          \
        out_row *restrict to = weir_out_rows;                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                 \
            out_row weir_made = {};                                                            \
            id##_pair((const a_row *)(const void *)((const char *)weir_a + i * a_step),        \
                      (const b_row *)(const void *)((const char *)weir_b + i * b_step),        \
                      &weir_made, into, arg);                                                  \
            out_row##_store(into, to + i, &weir_made);                                         \
        }                                                                                      \
        return count;                                                                          \
    }                                                                                          \
    static const weir_join_kernel id = {                                                       \
        #id, &a_row##_type, &b_row##_type, &out_row##_type, false, id##_run};                  \
    static inline void id##_pair(                                                              \
        WEIR_UNUSED const a_row *restrict a, WEIR_UNUSED const b_row *restrict b,              \
        WEIR_UNUSED out_row *restrict out, WEIR_UNUSED weir_batch *into, WEIR_UNUSED void *arg)

/* The same for pairs that may give no row: return whether there is one. */
#define WEIR_JOIN_SOME(id, a_row, b_row, out_row)                                              \
    static inline bool id##_pair(const a_row *restrict a, const b_row *restrict b,             \
                                 out_row *restrict out, weir_batch *into, void *arg);          \
    static uint32_t id##_run(const void *weir_a, size_t a_step, const void *weir_b,            \
                             size_t b_step, uint32_t count, void *weir_out_rows,               \
                             uint32_t *kept_out, weir_batch *into, void *arg)                  \
    {                                                                                          \
        out_row *restrict to = weir_out_rows;                                                  \
        uint32_t kept = 0;                                                                     \
        for (uint32_t i = 0; i < count; i++) {                                                 \
            out_row weir_made = {};                                                            \
            if (!id##_pair((const a_row *)(const void *)((const char *)weir_a + i * a_step),   \
                           (const b_row *)(const void *)((const char *)weir_b + i * b_step),   \
                           &weir_made, into, arg))                                             \
                continue;                                                                      \
            out_row##_store(into, to + kept, &weir_made);                                      \
            kept_out[kept++] = i;                                                              \
        }                                                                                      \
        return kept;                                                                           \
    }                                                                                          \
    static const weir_join_kernel id = {                                                       \
        #id, &a_row##_type, &b_row##_type, &out_row##_type, true, id##_run};                   \
    static inline bool id##_pair(                                                              \
        WEIR_UNUSED const a_row *restrict a, WEIR_UNUSED const b_row *restrict b,              \
        WEIR_UNUSED out_row *restrict out, WEIR_UNUSED weir_batch *into, WEIR_UNUSED void *arg)

/* A row for each pair of a row of `a` and one of `b` with equal keys; its diff is the product
 * of theirs. The keys' fields have the same kinds. A large join yields to other operators. */
WEIR_API weir_stream weir_join_with(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                                    const weir_join_kernel *kernel, void *arg);
WEIR_API weir_stream weir_join_arranged_with(weir_arrangement *a, weir_arrangement *b,
                                             const weir_join_kernel *kernel, void *arg);
#define weir_join(a, a_key, b, b_key, kernel)                                                  \
    weir_join_with((a), (a_key), (b), (b_key), (kernel), NULL)
#define weir_join_arranged(a, b, kernel) weir_join_arranged_with((a), (b), (kernel), NULL)

/* The rows of `a` whose key is (antijoin: is not) the key of some row of `b`. */
WEIR_API weir_stream weir_semijoin(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key);
WEIR_API weir_stream weir_antijoin(weir_stream a, weir_key a_key, weir_stream b, weir_key b_key);
/* Outer joins: the join, and for each row of `a` (full: and of `b`) without a partner the row
 * that `alone` (full: `b_alone`) makes of it. */
WEIR_API weir_stream weir_left_join_with(weir_stream a, weir_key a_key, weir_stream b,
                                         weir_key b_key, const weir_join_kernel *kernel,
                                         const weir_map_kernel *alone, void *arg);
WEIR_API weir_stream weir_full_join_with(weir_stream a, weir_key a_key, weir_stream b,
                                         weir_key b_key, const weir_join_kernel *kernel,
                                         const weir_map_kernel *alone,
                                         const weir_map_kernel *b_alone, void *arg);
#define weir_left_join(a, a_key, b, b_key, kernel, alone)                                      \
    weir_left_join_with((a), (a_key), (b), (b_key), (kernel), (alone), NULL)
#define weir_full_join(a, a_key, b, b_key, kernel, alone, b_alone)                             \
    weir_full_join_with((a), (a_key), (b), (b_key), (kernel), (alone), (b_alone), NULL)

/* Which of an arrangement's changes a half-join sees: those before the delta's own time, or
 * those at it too. Times are compared in lexicographic order. */
typedef enum weir_half { WEIR_HALF_BEFORE, WEIR_HALF_UP_TO } weir_half;

/* Each change of `deltas` joined with what the arrangement holds at its time: the building
 * block of delta joins. Later changes of the arrangement give nothing. The time that is
 * compared is the one that a change had where it entered the first half-join: several can be
 * chained, with map, filter and flat_map between them. A change waits until the arrangement
 * is complete for all times lexicographically before its own. */
WEIR_API weir_stream weir_half_join_with(weir_stream deltas, weir_key key,
                                         weir_arrangement *with, weir_half half,
                                         const weir_join_kernel *kernel, void *arg);
#define weir_half_join(deltas, key, with, half, kernel)                                        \
    weir_half_join_with((deltas), (key), (with), (half), (kernel), NULL)

/* Joins of three and more collections without arrangements of what lies between: changes of
 * each collection are joined with all others, one after the other. One such step: */
typedef struct weir_delta_step {
    uint32_t with;                  /* which collection */
    weir_key key, with_key;         /* of the rows so far, and of that collection's */
    const weir_join_kernel *kernel; /* a row so far and one of the collection: the next one */
} weir_delta_step;

/* `steps` has count - 1 of them for changes of each collection: first those for changes of
 * collection 0, then those for collection 1, and so on. Each path has every other collection
 * once, begins with rows of its own and ends with rows of the same type as all. Collections
 * are arranged once for each key that they are joined by. Triangles of a graph, where each
 * kernel fills in what is missing, and `by_*` are keys:
 *     weir_stream edges[] = {e, e, e};  // a-b, b-c, a-c
 *     weir_delta_step steps[] = {
 *         {1, by_dst, by_src, &abc}, {2, by_a_c, by_src_dst, &same},  // of a-b
 *         {0, by_src, by_dst, &bca}, {2, by_a_c, by_src_dst, &same},  // of b-c
 *         {0, by_src, by_src, &acb}, {1, by_b_c, by_src_dst, &same},  // of a-c
 *     };
 *     weir_stream triangles = weir_delta_join(edges, 3, steps); */
WEIR_API weir_stream weir_delta_join_with(const weir_stream *collections, uint32_t count,
                                          const weir_delta_step *steps, void *arg);
#define weir_delta_join(collections, count, steps)                                             \
    weir_delta_join_with((collections), (count), (steps), NULL)

/* ---- reduce ----------------------------------------------------------------------------- */

typedef struct weir_reduce_kernel {
    const char *name;
    const weir_type *in, *out;
    /* Group g has the rows [ends[g - 1], ends[g]) of `rows`, sorted, each counts[i] times.
     * Pushes to out; the rows of group g end at out_ends[g]. */
    void (*run)(const void *rows, const int64_t *counts, const uint32_t *ends, uint32_t groups,
                weir_out *out, uint32_t *out_ends, void *arg);
} weir_reduce_kernel;

/* What a group of rows with equal keys becomes. The body sees `in` (an array of `count`
 * different rows, in the order of their fields' values, at least one) and `counts` (how often
 * each is there; never zero; negative if more was taken away than given), and pushes rows to
 * `out`, each once or as often as weir_out_diff says. The first fields of out_row are those of
 * the key, of the same kinds; they are filled in. The same rows must give the same result.
 *     WEIR_REDUCE(total, sale, sum)
 *     {
 *         i64 all = 0;
 *         for (uint32_t i = 0; i < count; i++)
 *             all += in[i].price * counts[i];
 *         sum_push(out, (sum){.total = all});
 *     } */
#define WEIR_REDUCE(id, in_row, out_row)                                                       \
    static inline void id##_group(const in_row *in, const int64_t *counts, uint32_t count,     \
                                  weir_out *out, void *arg);                                   \
    static void id##_run(const void *rows, const int64_t *counts, const uint32_t *ends,        \
                         uint32_t groups, weir_out *out, uint32_t *out_ends, void *arg)        \
    {                                                                                          \
        const in_row *from = rows;                                                             \
        uint32_t begin = 0;                                                                    \
        for (uint32_t g = 0; g < groups; g++) {                                                \
            id##_group(from + begin, counts + begin, ends[g] - begin, out, arg);               \
            begin = ends[g];                                                                   \
            out_ends[g] = out->count;                                                          \
        }                                                                                      \
    }                                                                                          \
    static const weir_reduce_kernel id = {#id, &in_row##_type, &out_row##_type, id##_run};     \
    static inline void id##_group(WEIR_UNUSED const in_row *in,                                \
                                  WEIR_UNUSED const int64_t *counts,                           \
                                  WEIR_UNUSED uint32_t count, WEIR_UNUSED weir_out *out,       \
                                  WEIR_UNUSED void *arg)

WEIR_API weir_stream weir_reduce_with(weir_stream in, weir_key key,
                                      const weir_reduce_kernel *kernel, void *arg);
#define weir_reduce(in, key, kernel) weir_reduce_with((in), (key), (kernel), NULL)

/* How often a row is in the result, given how often it is in the input (never zero). */
typedef int64_t weir_threshold_fn(int64_t count, void *arg);
WEIR_API weir_stream weir_threshold(weir_stream in, weir_threshold_fn *threshold, void *arg);
/* Every row that is there, once: a threshold of count > 0 ? 1 : 0. */
WEIR_API weir_stream weir_distinct(weir_stream in);
/* The same, and group_min and group_max, for what only grows: a row that is there at a time is
 * there at all later ones. The caller promises that; diffs below zero are not looked at (in a
 * loop they say that a row came in an earlier round). Only the result is kept, not what it was
 * made from: recursive queries over relations to which rows are only added take a fraction of
 * the memory, as in an engine that evaluates rules semi-naively. */
WEIR_API weir_stream weir_distinct_growing(weir_stream in);
WEIR_API weir_stream weir_group_min_growing(weir_stream in, weir_key key, weir_key of,
                                            const weir_type *out);
WEIR_API weir_stream weir_group_max_growing(weir_stream in, weir_key key, weir_key of,
                                            const weir_type *out);

/* Groups that are empty, whose diffs add up to zero, give no row; those from which more was
 * taken than given do. `out` has the key's fields and then what is said here. */

/* One i64: how many rows. */
WEIR_API weir_stream weir_group_count(weir_stream in, weir_key key, const weir_type *out);
/* For each field of `of`: its sum, an i64 (f64 for floating point). Integers wrap around. */
WEIR_API weir_stream weir_group_sum(weir_stream in, weir_key key, weir_key of,
                                    const weir_type *out);
/* For each field of `of`: its mean, an f64. */
WEIR_API weir_stream weir_group_avg(weir_stream in, weir_key key, weir_key of,
                                    const weir_type *out);
/* The fields of `of` of the row in which they are least, greatest (lexicographically). These
 * and those below that pick rows look at rows that are there at least once; those of which
 * more was taken than given are passed over. Where the result has only fields of `key` and `of`,
 * as here and with quantiles, rows that are equal in these are one, their diffs added up. */
WEIR_API weir_stream weir_group_min(weir_stream in, weir_key key, weir_key of,
                                    const weir_type *out);
WEIR_API weir_stream weir_group_max(weir_stream in, weir_key key, weir_key of,
                                    const weir_type *out);
/* The field of `of` below or at which a share of 0 to 1 of the group's rows lie (the nearest
 * rank: 0.5 of 1, 2, 3, 4 is 2). */
WEIR_API weir_stream weir_group_quantile(weir_stream in, weir_key key, weir_key of, double share,
                                         const weir_type *out);

/* Rows in the order of some fields; bit f of `descending` turns field f around. Rows equal in
 * these are in the order of their other fields. */
typedef struct weir_order {
    weir_key by;
    uint32_t descending;
} weir_order;
#define WEIR_ASCENDING(row, ...) ((weir_order){.by = WEIR_BY(row, __VA_ARGS__)})
#define WEIR_DESCENDING(row, ...)                                                              \
    ((weir_order){.by = WEIR_BY(row, __VA_ARGS__), .descending = UINT32_MAX})

typedef enum weir_ties {
    WEIR_TIES_ROW, /* by row number: exactly `limit` rows */
    /* by rank: also those that are equal, in the order's fields, to the last. A row's rank is
     * the number of rows strictly before it; those from `offset` to below offset + limit count. */
    WEIR_TIES_RANK
} weir_ties;

typedef struct weir_top {
    uint64_t limit, offset; /* the first `limit` after the first `offset` */
    weir_ties ties;
} weir_top;

/* The first rows of each group; a row that is there three times takes three places. */
WEIR_API weir_stream weir_group_top(weir_stream in, weir_key key, weir_order order,
                                    weir_top top);
/* The first, last row of each group. */
WEIR_API weir_stream weir_group_first(weir_stream in, weir_key key, weir_order order);
WEIR_API weir_stream weir_group_last(weir_stream in, weir_key key, weir_order order);
/* For each row of a group: the key's fields, the order's fields, and the sum (i64) of field
 * `of` over all rows at or before it in that order. */
WEIR_API weir_stream weir_prefix_sum(weir_stream in, weir_key key, weir_order order, weir_key of,
                                     const weir_type *out);

/* ---- streams of overwrites -------------------------------------------------------------- */

/* Turns "the key's row is now this" into changes: a row with a positive diff replaces the row
 * of its key, one with a negative diff removes it. Of several for a key at one time, the last
 * in the order counts. Times must be totally ordered (one root dimension, no loop). */
WEIR_API weir_stream weir_upsert(weir_stream in, weir_key key, weir_order order);

/* ---- loops and time --------------------------------------------------------------------- */

/* A variable of a loop (weir_variable) whose content in each round is exactly `next` of the
 * round before, from its initial content in round 0 on. (weir_variable_set adds `next` to the
 * initial content instead.) Several variables may depend on each other. On its way back there
 * has to be an operator that adds changes up (weir_distinct, weir_consolidate, a reduce), or
 * changes that cancel may go round for ever; weir_loop_rounds ends them, too. */
WEIR_API void weir_variable_replace(weir_stream variable, weir_stream next);
/* Stops after some rounds: nothing is passed on to round `rounds` or later. */
WEIR_API void weir_loop_rounds(weir_loop *loop, uint64_t rounds);
/* Enters a loop in the round that the kernel gives for each row. */
WEIR_API weir_stream weir_enter_at(weir_loop *loop, weir_stream in, const weir_route_kernel *round,
                                   void *arg);

/* Views over a named dimension of the root time, say `valid` of (system, valid). */

/* The collection as it is at coordinate `at` of the dimension, for the other dimensions: what
 * is at or before it, moved to the dimension's start. */
WEIR_API weir_stream weir_as_of(weir_stream in, const char *dimension, uint64_t at);
/* Rows that are there only for a while: from coordinate from(row) of the dimension to before
 * until(row). Never, if that is not after it; forever, if until is UINT64_MAX. Changes that
 * come later than that take effect when they come. */
WEIR_API weir_stream weir_valid(weir_stream in, const char *dimension,
                                const weir_route_kernel *from, const weir_route_kernel *until,
                                void *arg);

/* ---- sharing ---------------------------------------------------------------------------- */

/* Between dataflows. An arrangement that is published under a name can be imported into
 * dataflows that are built later on the same workers, without a copy. */

/* worker, building. Makes an arrangement of the dataflow (not of a loop in it) known under a
 * name, copied. From then on it keeps what it holds, compacted to the last complete times. A
 * name is free again when the dataflow has been dropped; errors are the dataflow's. */
WEIR_API void weir_arrangement_publish(weir_arrangement *of, const char *name);
/* worker, building. The arrangement published under the name by a dataflow that runs: first
 * what it holds, then its changes as they become complete. Both dataflows have the same number
 * of dimensions; the new one's times are the published one's, and its results are right from
 * those on that were complete last. It is in the dataflow; enter it into loops by
 * weir_arrangement_enter. Joins and reduces of it, and of its stream by the same key, share the
 * one trace; half-joins, which compare times, arrange it anew. When the publishing dataflow is
 * complete, or dropped, no more changes come and no more times are held back: what it had not
 * completed by then never was. */
WEIR_API weir_arrangement *weir_arrangement_import(weir_dataflow *flow, const char *name);

/* From other threads. A view reads a published arrangement as of times that it holds: the shards
 * of all workers of this process. In a cluster that is a part of the arrangement, and the other
 * processes have the rest: each key is in one of them. Views, snapshots and scans need no worker
 * and may outlive dataflow and execution. Each is used by one thread at a time; any number of
 * threads may scan one snapshot. */
typedef struct weir_view weir_view;
typedef struct weir_snapshot weir_snapshot;
typedef struct weir_scan weir_scan;

/* any, while the execution runs. Opens a view of what is published under the name (by the
 * last dataflow to do so), with rows of `type`. It holds all times from those on that workers
 * are at when they notice. Errors: nothing has that name; its rows are others. */
WEIR_API weir_err *weir_view_open(weir_worker *worker, const char *name, const weir_type *type,
                                  weir_view **view_out);
/* any. Gives up the view and what it holds. NULL is allowed. */
WEIR_API void weir_view_free(weir_view *view);
/* any. The times whose changes are not all in yet. Before workers have noticed the view, the
 * first time. */
WEIR_API void weir_view_frontier(const weir_view *view, weir_antichain *frontier_out);
/* any. The times that can be asked for are those at or after one of these. Empty before all
 * workers have noticed the view, and if the dataflow was dropped before they did. */
WEIR_API void weir_view_since(const weir_view *view, weir_antichain *since_out);
/* any but workers (which would wait for themselves). Waits until all changes at or before the
 * time are in. False: they never will be, since the dataflow was dropped or the execution has
 * stopped, or is being stopped. */
WEIR_API bool weir_view_wait(const weir_view *view, const weir_time *time);
/* any. Gives up the times that are not at or after this one; the memory that held them is
 * given back as the arrangement goes on. */
WEIR_API void weir_view_advance(weir_view *view, const weir_time *time);

/* any. The collection as of a time: NULL if changes at or before it may still come, or if it is
 * not held any more. To be freed; it keeps its memory by itself, not the view's hold. */
WEIR_API weir_snapshot *weir_view_at(const weir_view *view, const weir_time *as_of);
WEIR_API void weir_snapshot_free(weir_snapshot *snapshot); /* NULL is allowed */

/* any. Rows that are there, in the order of the key's fields and then of the others: those
 * whose key is that of `key`, or is at or after that of `from` and before that of `to` (NULL: no
 * bound). Keys are given as rows of which only the key's fields are looked at. Rows of keys that
 * another process has are not found. */
WEIR_API weir_scan *weir_scan_key(const weir_snapshot *of, const void *key);
WEIR_API weir_scan *weir_scan_range(const weir_snapshot *of, const void *from, const void *to);
/* any. Writes the next rows, at most `capacity`, and how often each is there (never zero;
 * negative if more was taken away than given); returns how many, 0 at the end. Long texts are
 * valid as long as the snapshot.
 *     while (weir_scan_next(scan, &row, &count, 1)) */
WEIR_API uint32_t weir_scan_next(weir_scan *scan, void *rows_out, int64_t *counts_out,
                                 uint32_t capacity);
WEIR_API void weir_scan_free(weir_scan *scan); /* NULL is allowed */

#endif
