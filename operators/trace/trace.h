/* Traces: a worker's shard of an arrangement, as a spine of runs. An LSM tree whose entries
 * have partially ordered times (McSherry, Lattuada, Schwarzkopf, Roscoe: Shared arrangements,
 * VLDB 2020).
 *
 * Runs are inserted in the order in which their times completed and numbered 1, 2, ... (seq);
 * a merge takes two neighbours. Readers say what they still need:
 *   hold   times: they will only look at times at or after an element of it. The trace's
 *          `since` is the lower envelope of all holds; merges advance times to it
 *   acked  runs: they have seen the runs up to this seq; merges never join a run that a reader
 *          has seen with one that it has not
 * Without readers a trace keeps nothing.
 *
 * Some write far more than they ever look up, such as a loop while it runs for the first time. So
 * merging begins only when a reader looks (wi_reader_look), or when waiting would cost memory.
 *
 * Runs change places only in wi_trace_insert, _advance, _work (which the arranging operator
 * calls, not readers) and when nobody holds any time, so readers may keep indexes in between.
 *
 * Invariants (wi_trace_check)
 *   T1  runs are in the order of their seqs, without overlap
 *   T2  sizes fall towards the newest: see spine.c for the bound on their number and on the
 *       work per insertion
 *   T3  since <= every reader's hold
 *   T4  only runs that all readers have acked are merged: the first `admitted` ones. (A reader
 *       that came later and has acked nothing yet will see them as one.)
 *
 * Everything here belongs to the worker's thread. */
#ifndef WEIR_OPERATORS_TRACE_TRACE_H
#define WEIR_OPERATORS_TRACE_TRACE_H

#include "pending.h"

typedef struct wi_trace wi_trace;
typedef struct wi_reader wi_reader;

struct wi_reader {
    wi_trace *trace;
    weir_antichain hold; /* empty: no times any more */
    uint64_t acked;
    bool looks;  /* into runs that it has acked */
    weir_op *op; /* activated when upper has moved or runs were inserted; may be NULL */
    wi_reader *next;
};

struct wi_trace {
    const wi_layout *layout;
    uint32_t references;
    uint64_t seq;         /* of the last insertion */
    weir_antichain upper; /* every update not at or after one of its elements is in */
    weir_antichain since; /* may be behind the holds; wi_trace_since is not */
    bool since_stale;     /* holds have moved */
    bool changed;         /* a run was inserted since readers were activated */
    wi_reader *readers;
    wi_run **runs; /* oldest first */
    uint32_t run_count, run_capacity;
    uint32_t admitted;    /* so many first runs are the spine's */
    uint32_t merge_count; /* in progress */
    struct wi_spine *spine;
};

/* Retains the layout until its own end. */
wi_trace *wi_trace_new(const wi_layout *layout, int dims);
wi_trace *wi_trace_retain(wi_trace *trace);
void wi_trace_drop(wi_trace *trace);
/* The lower envelope of the readers' holds; empty: nobody needs any time. */
const weir_antichain *wi_trace_since(wi_trace *trace);
/* Takes the reference to the run and gives it a seq; runs without rows get none. */
void wi_trace_insert(wi_trace *trace, wi_run *run);
/* Everything before `upper` is in. Activates readers. */
void wi_trace_advance(wi_trace *trace, const weir_antichain *upper);
/* Merges for about `fuel` rows; true if there is more to do. For idle time: insertions do by
 * themselves what the bounds need. The arranging operator calls it when activated, and activates
 * itself again while it gives true; with a fuel of a few hundred rows, a microsecond or two, a
 * change that comes meanwhile does not wait. Worth calling once holds have moved and some time
 * has gone by: it gives memory back that histories and deleted rows took. */
bool wi_trace_work(wi_trace *trace, int64_t fuel);

/* A reader holds everything until it says otherwise. It has acked nothing: if there are runs (in
 * an imported trace), its first token is about all of them, so it looks at seqs, not for a run
 * of just that seq. */
wi_reader *wi_reader_new(wi_trace *trace, weir_op *op);
/* Moves the hold to a later frontier (copied). Once nobody holds any time, runs that all have
 * acked are dropped: here, and at acks. */
void wi_reader_hold(wi_reader *reader, const weir_antichain *frontier);
void wi_reader_ack(wi_reader *reader, uint64_t seq);
void wi_reader_drop(wi_reader *reader); /* NULL is allowed */
/* Readers look from the start, except those that say so, right after they are made: they are
 * about to look whenever they call wi_reader_look. */
void wi_reader_will_look(wi_reader *reader);
void wi_reader_look(wi_reader *reader);
/* How many of the trace's first runs the reader has acked: runs[0 .. count). */
uint32_t wi_reader_runs(const wi_reader *reader);
/* The run with these seqs, if it has not been merged: what a token is about. */
wi_run *wi_trace_run(const wi_trace *trace, uint64_t seq);

void wi_trace_check(const wi_trace *trace);

#endif
