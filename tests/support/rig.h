/* A dataflow to slow down: sources that give numbered rows of a kilobyte as fast as they may, a
 * shape that a test chooses, and a sink that counts them. For tests of flow control. */
#ifndef WEIR_TESTS_SUPPORT_RIG_H
#define WEIR_TESTS_SUPPORT_RIG_H

#include <stdatomic.h>

#include "runtime/runtime.h"
#include "tests/support/execution.h"

#define KILO(F) F(u64, value) F(u64, hops) F(weir_byte, pad, 1008)
WEIR_ROW(kilo, KILO)
_Static_assert(sizeof(kilo) == 1024, "a row is a kilobyte");

/* Bounds are small here, so that they are reached with little data. */
#define CREDIT (64 << 10)
#define QUEUE (64 << 10)
#define BURST 16 /* rows a source sends at a time */
#define EPOCH_ROWS 100

#define EXPLODES 1000 /* what rig_exploded makes of a row */

/* 2 and 4 workers, as threads and deterministically. */
#define RIG_WAYS 7
#define RIG_WAYS_THREADS 2
extern const weir_config rig_ways[RIG_WAYS];

typedef struct rig rig;
struct rig {
    weir_stream (*shape)(weir_stream rows, rig *r); /* between source and sink */
    uint64_t rows;        /* of each worker's source */
    uint64_t multiple;    /* how often each must arrive; 0: once */
    uint32_t slow_worker; /* UINT32_MAX: all */
    uint64_t slow_us;     /* for each batch */
    uint64_t slow_rows;   /* then it is slow no more; 0: always */
    uint64_t stop_after;  /* rows; 0: never */
    bool only_first;      /* only worker 0 has a source */
    bool ordered;         /* slow operators get each source's rows in order */
    /* what happens */
    _Atomic(uint64_t) pushed, taken, sum, most, spilled;
    _Atomic(uint32_t) met;
    _Atomic(bool) blocked;
    double recovered; /* seconds: when it was slow no more */
    _Atomic(uint64_t) worked, worked_most; /* rows that slow operators took; and before the sink */
};

/* Sets wi_test_bounds. */
void rig_begin(void);
/* worker. What a dataflow is made of: a source, and then its shape and a sink. */
weir_stream rig_source(weir_dataflow *flow, rig *r);
void rig_sink(weir_stream rows, rig *r);
/* worker. A dataflow of these. */
weir_dataflow *rig_build(weir_worker *worker, rig *r);
/* worker. The same, and all of it is run; `arg` is a rig. */
void rig_run(weir_worker *worker, void *arg);
/* Fails the test unless each row has come as often as it must. */
void rig_check_all_arrived(const rig *r, uint64_t workers);

/* ---- parts of shapes -------------------------------------------------------------------- */

/* Passes batches on, and is slow where the rig says so. */
weir_stream rig_slowly(weir_stream in, weir_route route, rig *r);
/* Passes batches on: with a queue; and without one. */
weir_stream rig_passed(weir_stream in, weir_route route);
weir_stream rig_lightly(weir_stream in, weir_route route);
/* Each row EXPLODES times. */
weir_stream rig_exploded(weir_stream in);

WEIR_ROUTE(by_value, kilo)
{
    return in->value;
}

/* To the worker whose source it comes from, which is where it is. */
WEIR_ROUTE(to_itself, kilo)
{
    return in->value / ((const rig *)arg)->rows;
}

WEIR_ROUTE(by_hops, kilo)
{
    return in->value + in->hops;
}

#endif
