/* How our side of a collection's figure runs: a graph, and rows numbered from 0. Rows [0, rows)
 * are the load; change n after it is the insertion of row rows + n / 2 if n is even, the removal
 * of row n / 2 otherwise, so the collection keeps its size. Row r is given by worker r modulo
 * workers. tests/peers/src/collections/mod.rs drives the peer in the same way. */
#ifndef WEIR_TOOLS_BENCH_COLLECTION_H
#define WEIR_TOOLS_BENCH_COLLECTION_H

#include "bench_worker.h"

/* A worker's ends of a graph; inputs that a figure does not have are NULL. */
struct bench_ends {
    weir_input *inputs[2];
    weir_probe *probe;
};

struct bench_collection {
    const char *name;
    /* worker. Builds the graph; its result is added up in `part` by bench_tally. */
    void (*build)(weir_dataflow *flow, const struct bench_args *args, struct bench_part *part,
                  struct bench_ends *ends_out);
    /* worker. Pushes rows first, first + step, ... below end, of the diff that is set. */
    void (*push)(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                 uint64_t end, uint64_t step);
    /* worker. The same when the clock has stopped, to check what was built; or NULL. */
    void (*check)(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                  uint64_t end, uint64_t step);
    /* any. What rows and sum must be, if no peer says so; or NULL. */
    void (*naive)(const struct bench_args *args, uint64_t totals_out[2]);
};

extern const struct bench_collection bench_arrange, bench_consolidate, bench_count, bench_join;
extern const struct bench_collection bench_reach, bench_levels, bench_scc, bench_closure;
extern const struct bench_collection bench_pagerank;

/* Adds a change of a result to the check. Every epoch counts, not just what is there in the
 * end: a change's hash depends on its time. */
static inline void bench_tally(void *part, uint64_t a, uint64_t b, const weir_time *time,
                               int64_t diff)
{
    struct bench_part *it = part;
    it->rows += (uint64_t)diff;
    it->sum += bench_change_hash(a, b, time->at[0]) * (uint64_t)diff;
}

#define BENCH_EDGE(F) F(u32, src) F(u32, dst)
WEIR_ROW(bench_edge_row, BENCH_EDGE)

/* An input of edges, and how bench_edge's are pushed to it. */
weir_stream bench_edges_input(weir_dataflow *flow, struct bench_ends *ends);
void bench_edges_push(const struct bench_ends *ends, const struct bench_args *args, uint64_t first,
                      uint64_t end, uint64_t step);

#endif
