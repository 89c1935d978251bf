/* How our side of a figure runs: some workers, each with a part of the result. */
#ifndef WEIR_TOOLS_BENCH_WORKER_H
#define WEIR_TOOLS_BENCH_WORKER_H

#include "bench.h"
#include "bench_data.h"

#include <weir/weir.h>

#include <pthread.h>

/* What one worker found; written by it alone, read when all have ended. */
struct bench_part {
    _Alignas(64) uint64_t elapsed_ns; /* wi_alloc_lines aligns no further */
    uint64_t loaded_ns; /* collections: the part of it before the first epoch of changes */
    uint64_t rows, sum, distinct;
    char apart[88]; /* neighbouring lines may be fetched together */
};
_Static_assert(sizeof(struct bench_part) == 128, "two lines");

struct bench_run {
    const struct bench_args *args;
    pthread_barrier_t start; /* of all workers: the clock starts behind it */
    struct bench_part *parts;
    uint32_t *samples_ns; /* of each round, of each epoch of changes: worker 0's */
    void *own;            /* what a figure needs besides */
};

/* any. Runs `work` on every worker of this process with the run as its argument; ends the process
 * with a message if that fails. bench_run_free when the parts have been read. */
struct bench_run *bench_run_workers(const struct bench_args *args, weir_worker_fn *work,
                                    void *own);
void bench_run_free(struct bench_run *run);

/* any. The longest time that a worker took. */
double bench_run_seconds(const struct bench_run *run);
/* any. All parts' rows and sums as one check; those of other processes are to be added. */
uint64_t bench_run_check(const struct bench_run *run);
uint64_t bench_run_rows(const struct bench_run *run);

/* worker. Which one it is in its process. */
static inline unsigned bench_local(const struct bench_args *args, weir_worker *worker)
{
    return weir_worker_index(worker) - args->process * args->workers;
}

/* worker. Its own part. */
static inline struct bench_part *bench_part_of(const struct bench_run *run, weir_worker *worker)
{
    return &run->parts[bench_local(run->args, worker)];
}

/* worker. Ends a dataflow's building; a failure stops the run. */
void bench_built(weir_worker *worker, weir_dataflow *flow);

/* One u64: the row of most figures. */
#define BENCH_NUMBER(F) F(u64, value)
WEIR_ROW(bench_number, BENCH_NUMBER)

#endif
