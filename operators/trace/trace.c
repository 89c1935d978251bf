/* Traces: the list of runs, their readers, and what readers still need. Merging is spine.c's. */
#include "trace.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "spine.h"

wi_trace *wi_trace_new(const wi_layout *layout, WEIR_UNUSED int dims)
{
    wi_trace *trace = WI_NEW(wi_trace);
    trace->layout = wi_layout_retain(layout);
    trace->references = 1;
    weir_antichain_init(&trace->upper);
    weir_antichain_init(&trace->since);
    weir_antichain_insert(&trace->upper, &(weir_time){{0}});
    trace->since_stale = true;
    wi_spine_init(trace);
    return trace;
}

wi_trace *wi_trace_retain(wi_trace *trace)
{
    trace->references++;
    return trace;
}

/* ---- what is needed --------------------------------------------------------------------- */

const weir_antichain *wi_trace_since(wi_trace *trace)
{
    if (!trace->since_stale)
        return &trace->since;
    weir_antichain_clear(&trace->since);
    for (const wi_reader *reader = trace->readers; reader; reader = reader->next)
        for (uint32_t i = 0; i < reader->hold.count; i++)
            weir_antichain_insert(&trace->since, &reader->hold.times[i]);
    trace->since_stale = false;
    return &trace->since;
}

/* The last seq that all readers have acked; all of them if there are no readers. */
static uint64_t acked_by_all(const wi_trace *trace)
{
    uint64_t acked = trace->seq;
    for (const wi_reader *reader = trace->readers; reader; reader = reader->next)
        if (reader->acked < acked)
            acked = reader->acked;
    return acked;
}

static uint32_t count_up_to(const wi_trace *trace, uint64_t seq)
{
    uint32_t count = trace->run_count;
    while (count > 0 && trace->runs[count - 1]->last_seq > seq)
        count--;
    return count;
}

/* Nobody looks at acked runs if nobody holds a time. */
static void release(wi_trace *trace)
{
    if (!trace->run_count || wi_trace_since(trace)->count)
        return;
    uint32_t count = count_up_to(trace, acked_by_all(trace));
    if (!count)
        return;
    wi_spine_clear(trace);
    for (uint32_t i = 0; i < count; i++)
        wi_run_drop(trace->runs[i]);
    trace->run_count -= count;
    memmove(trace->runs, trace->runs + count, trace->run_count * sizeof(wi_run *));
}

/* So much waits at most, since it is merged all at once then. */
#define LATE_RUNS 32
#define LATE_ROWS (1u << 21)

/* Whether what is not admitted yet may stay so, because nobody has looked at it. */
static bool is_late(const wi_trace *trace)
{
    uint64_t rows = 0;
    if (!trace->readers || trace->run_count - trace->admitted > LATE_RUNS)
        return false;
    for (const wi_reader *reader = trace->readers; reader; reader = reader->next)
        if (reader->looks)
            return false;
    for (uint32_t r = trace->admitted; r < trace->run_count; r++)
        rows += trace->runs[r]->count;
    return rows <= LATE_ROWS;
}

/* Lets the spine have runs that all readers have acked: about as many rows as `budget`, so that
 * those that a slow reader has kept back do not come all at once. True if there are more. */
static bool admit(wi_trace *trace, int64_t budget)
{
    release(trace);
    uint64_t acked = acked_by_all(trace);
    while (trace->admitted < trace->run_count) {
        const wi_run *run = trace->runs[trace->admitted];
        if (run->last_seq > acked || is_late(trace))
            return false;
        if (budget <= 0)
            return true;
        budget -= run->count;
        wi_spine_admit(trace);
    }
    return false;
}

/* ---- runs ------------------------------------------------------------------------------- */

#define ADMIT_SHARE 4 /* rows admitted for each that is inserted */
#define ADMIT_LEAST 16

void wi_trace_insert(wi_trace *trace, wi_run *run)
{
    int64_t budget = (int64_t)run->count * ADMIT_SHARE + ADMIT_LEAST;
    if (run->count) {
        run->first_seq = run->last_seq = ++trace->seq;
        wi_grow(&trace->runs, &trace->run_capacity, trace->run_count + 1, sizeof run);
        trace->runs[trace->run_count++] = run;
        trace->changed = true;
#ifdef WEIR_DEBUG
        wi_run_check(run);
#endif
    } else {
        wi_run_drop(run);
    }
    admit(trace, budget);
#ifdef WEIR_DEBUG
    wi_spine_check(trace);
#endif
}

void wi_trace_advance(wi_trace *trace, const weir_antichain *upper)
{
    if (!trace->changed && weir_antichain_eq(&trace->upper, upper))
        return;
    weir_antichain_copy(&trace->upper, upper);
    trace->changed = false;
    for (const wi_reader *reader = trace->readers; reader; reader = reader->next)
        if (reader->op)
            weir_activate(reader->op);
}

bool wi_trace_work(wi_trace *trace, int64_t fuel)
{
    bool more = admit(trace, fuel);
    more |= wi_spine_work(trace, fuel);
#ifdef WEIR_DEBUG
    wi_spine_check(trace);
#endif
    return more;
}

void wi_trace_drop(wi_trace *trace)
{
    if (!trace || --trace->references)
        return;
#ifdef WEIR_DEBUG
    wi_trace_check(trace);
#endif
    wi_assert(!trace->readers, "readers keep their trace");
    wi_spine_fini(trace);
    for (uint32_t i = 0; i < trace->run_count; i++)
        wi_run_drop(trace->runs[i]);
    wi_free(trace->runs);
    weir_antichain_fini(&trace->upper);
    weir_antichain_fini(&trace->since);
    wi_layout_drop(trace->layout);
    wi_free(trace);
}

wi_run *wi_trace_run(const wi_trace *trace, uint64_t seq)
{
    uint32_t low = 0, high = trace->run_count;
    if (high && trace->runs[high - 1]->first_seq <= seq)
        low = high - 1; /* mostly it is the newest */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const wi_run *run = trace->runs[middle];
        if (run->first_seq == seq && run->last_seq == seq)
            return trace->runs[middle];
        if (run->last_seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- readers ---------------------------------------------------------------------------- */

wi_reader *wi_reader_new(wi_trace *trace, weir_op *op)
{
    wi_reader *reader = WI_NEW(wi_reader);
    reader->trace = wi_trace_retain(trace);
    reader->op = op;
    reader->looks = true;
    weir_antichain_init(&reader->hold);
    const weir_antichain *since = wi_trace_since(trace);
    /* once nobody held anything, what was before upper is gone */
    weir_antichain_copy(&reader->hold, since->count ? since : &trace->upper);
    reader->next = trace->readers;
    trace->readers = reader;
    trace->since_stale = true;
    return reader;
}

void wi_reader_hold(wi_reader *reader, const weir_antichain *frontier)
{
    weir_antichain_copy(&reader->hold, frontier);
    reader->trace->since_stale = true;
    if (!frontier->count)
        release(reader->trace);
}

void wi_reader_ack(wi_reader *reader, uint64_t seq)
{
    if (seq > reader->acked)
        reader->acked = seq;
    if (!reader->hold.count)
        release(reader->trace);
}

void wi_reader_drop(wi_reader *reader)
{
    if (!reader)
        return;
    wi_trace *trace = reader->trace;
    wi_reader **at = &trace->readers;
    while (*at != reader)
        at = &(*at)->next;
    *at = reader->next;
    weir_antichain_fini(&reader->hold);
    wi_free(reader);
    trace->since_stale = true;
    release(trace);
    wi_trace_drop(trace);
}

void wi_reader_will_look(wi_reader *reader)
{
    reader->looks = false;
}

void wi_reader_look(wi_reader *reader)
{
    reader->looks |= reader->trace->run_count > 1; /* or it would not be merged anyway */
}

uint32_t wi_reader_runs(const wi_reader *reader)
{
    return count_up_to(reader->trace, reader->acked);
}

/* ---- checking --------------------------------------------------------------------------- */

void wi_trace_check(const wi_trace *trace)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < trace->run_count; i++) {
        const wi_run *run = trace->runs[i];
        wi_run_check(run);
        wi_assert(run->count > 0, "T1: runs have rows");
        wi_assert(run->first_seq > last && run->last_seq >= run->first_seq,
                  "T1: runs are in the order of their seqs");
        last = run->last_seq;
        for (const wi_reader *reader = trace->readers; reader; reader = reader->next)
            wi_assert(reader->acked >= run->last_seq || (reader->acked < run->first_seq &&
                                                         (!reader->acked || i >= trace->admitted)),
                      "T4: merged runs have been acked by all");
    }
    wi_assert(last <= trace->seq, "T1: the newest seq is the trace's");
    for (const wi_reader *reader = trace->readers; reader; reader = reader->next)
        for (uint32_t i = 0; i < reader->hold.count; i++)
            wi_assert(trace->since_stale ||
                          weir_antichain_le(&trace->since, &reader->hold.times[i]),
                      "T3: since is at or before the holds");
    wi_spine_check(trace);
}
