/* The spine: which runs of a trace are merged, when, and how far in one go.
 *
 * Level k has room for C(k) = 8^(k+1) rows. It has a resident run, or none, and at times a
 * newer run that is being merged into it; older runs are at higher levels. A run of x rows is
 * admitted at the first level with x <= 3/4 C(k), after what is at lower levels has been merged
 * into it at once. A resident that is full (more than 7/8 C(k)) moves up: it becomes the next
 * level's resident or is merged into that. Merges at the first two levels are done at once.
 * Others take steps, for which each admitted row pays up to 38 rows' merging: as much as it
 * takes for the merge to be complete when 1/2 C(k - 1) rows were admitted since it began.
 *
 * Why a level never has three runs. M(k) is the most rows at level k, B(k) the most rows at
 * levels below k. If M(j) <= 2 C(j) for j < k, B(k) <= 2/7 C(k); a run that is admitted has at
 * most (3/4 + 2/7) C(k) rows with those that it absorbs, one that moves up has at most 1/4 C(k);
 * so M(k) <= (7/8 + 3/4 + 2/7) C(k) < 2 C(k). When a merge begins at level k > 0, the level below
 * is empty. The next run comes to level k
 *   - from below, with more than 7/8 C(k - 1) rows, of which only B(k - 1) <= 2/7 C(k - 1) were
 *     there when the merge began; or
 *   - by being admitted, with more than 3/4 C(k - 1) rows.
 * Either way more than 1/2 C(k - 1) rows were admitted since (those of the admission in which
 * it began, too, pay for it): the merge is complete. Rows that cancel only help.
 *
 * So, if a trace has had n rows at most,
 *   - there are at most two runs for each of its 2 + log8(n) levels;
 *   - admitting x rows merges at most x times (76 per level + 11) rows, and 64 per level and some
 *     hundred. But the updates of one row, its history, are merged in one go;
 *   - each row that rises to a level costs the merging of at most 16, about 5 on average: in
 *     all O(log n) for each row.
 *
 * Residents move up early if at least half as large as the next, which costs 3 rows for each
 * that rises, and down to an empty level that they would fill by half: thus sizes fall towards
 * the newest also after most rows have cancelled. In idle time they move up if an eighth as
 * large (9 rows for each): then the trace is not much larger than all in one run would be.
 *
 * A merge brings times up to `since`. A run that is long not merged may keep a history that
 * nobody can tell apart any more. So runs are looked at now and then, paid for by rows that were
 * admitted or idle time, and rewritten if that would help: merged with nothing. A rewrite gives
 * way to any other merge. */
#include "spine.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "run_build.h"

#define LEVELS 11        /* the last has room for more than 2^32 rows */
#define LEVELS_AT_ONCE 2 /* merged without steps */
#define PART 64          /* rows merged in one go, or more */
#define EARLY_SHARE 2    /* of the next level's rows: reason to move up */
#define IDLE_SHARE 8
#define STALE_SAMPLE 64    /* rows looked at for what a rewrite would save */
#define STALE_SHARE 8      /* it is worth while if one in so many rows may go */
#define IDLE_PRICE 1024    /* a look costs so much idle work, and as much as a rewrite */
#define CHECKED_ROWS 4096  /* of runs that debug builds check as they are made */
#define CREDIT_MAX 1000000 /* idle rows that are enough for a look at any run */

typedef struct level {
    wi_run *resident;
    wi_run *incoming; /* newer; being merged into it */
    wi_merge *merge;  /* of both; without incoming: a rewrite */
    int64_t rate;     /* rows of the merge that an admitted row pays for */
    int64_t paid;     /* rows, and not merged yet */
    uint64_t look_at; /* by the clock: whether the resident is stale */
    bool looked;      /* since `since` moved */
} level;

struct wi_spine {
    level levels[LEVELS];
    uint64_t clock;  /* rows admitted */
    uint64_t runs;   /* admitted */
    uint32_t paying; /* rows of the run that is being admitted */
    uint64_t merged; /* rows, in all */
    uint64_t forced; /* merges that had to be brought to an end; none, by the above */
    int64_t credit;
    uint32_t unsettled;   /* levels, by bit, whose residents or neighbours have changed */
    weir_antichain since; /* that `looked` is about */
};

static uint64_t room_of(uint32_t k)
{
    return 8ull << 3 * k;
}

static bool is_full(uint32_t k, const wi_run *run)
{
    return run->count > room_of(k) / 8 * 7;
}

static uint32_t level_for(uint32_t rows)
{
    uint32_t k = 0;
    while (rows > room_of(k) / 4 * 3)
        k++;
    return k;
}

void wi_spine_init(wi_trace *trace)
{
    trace->spine = WI_NEW(struct wi_spine);
    weir_antichain_init(&trace->spine->since);
}

void wi_spine_clear(wi_trace *trace)
{
    for (uint32_t k = 0; k < LEVELS; k++) {
        level *at = &trace->spine->levels[k];
        if (at->merge)
            wi_merge_drop(at->merge);
        *at = (level){0};
    }
    trace->admitted = trace->merge_count = trace->spine->unsettled = 0;
}

void wi_spine_fini(wi_trace *trace)
{
    wi_spine_clear(trace);
    weir_antichain_fini(&trace->spine->since);
    wi_free(trace->spine);
}

wi_spine_figures wi_spine_look(const wi_trace *trace)
{
    const struct wi_spine *spine = trace->spine;
    return (wi_spine_figures){.merged = spine->merged,
                              .admitted = spine->clock,
                              .runs = spine->runs,
                              .forced = spine->forced};
}

/* ---- merging ---------------------------------------------------------------------------- */

/* Puts a merge's result where its sources were; NULL if it has no rows. */
static wi_run *put_result(wi_trace *trace, wi_run *older, wi_run *newer, wi_run *result)
{
    uint32_t at = 0, gone = newer ? 2 : 1;
    while (trace->runs[at] != older)
        at++;
    wi_dassert(!newer || trace->runs[at + 1] == newer, "T1: neighbours are merged");
    if (result->count) {
        trace->runs[at++] = result;
        gone--;
    } else {
        wi_run_drop(result);
        result = NULL;
    }
    trace->run_count -= gone;
    trace->admitted -= gone;
    if (gone)
        memmove(trace->runs + at, trace->runs + at + gone,
                (trace->run_count - at) * sizeof(wi_run *));
    wi_run_drop(older);
    wi_run_drop(newer);
#ifdef WEIR_DEBUG
    if (result && result->count < CHECKED_ROWS)
        wi_run_check(result);
#endif
    return result;
}

/* Works on a merge for up to *fuel rows. True if it is complete. */
static bool step(wi_trace *trace, wi_merge *merge, int64_t *fuel)
{
    int64_t before = *fuel;
    bool complete = wi_merge_work(merge, fuel);
    trace->spine->merged += (uint64_t)(before - *fuel);
    return complete;
}

static wi_run *merge_now(wi_trace *trace, wi_run *older, wi_run *newer)
{
    wi_merge *merge = wi_merge_begin(older, newer, wi_trace_since(trace));
    int64_t fuel = INT64_MAX;
    while (!step(trace, merge, &fuel))
        fuel = INT64_MAX;
    return put_result(trace, older, newer, wi_merge_end(merge));
}

static void set_resident(wi_trace *trace, level *at, wi_run *run)
{
    trace->spine->unsettled |= 7u << (at - trace->spine->levels) >> 1;
    at->resident = run;
    at->looked = false;
    at->look_at = run ? trace->spine->clock + run->count / 4 + run->time_count : 0;
}

/* The run that is being admitted may arrive later: it pays already. Merges need up to an eighth
 * more fuel than they have rows. */
static void begin(wi_trace *trace, uint32_t k, wi_run *newer)
{
    level *at = &trace->spine->levels[k];
    uint64_t rows = (uint64_t)at->resident->count + newer->count;
    at->merge = wi_merge_begin(at->resident, newer, wi_trace_since(trace));
    at->rate = (int64_t)((rows + rows / 8) * 16 / room_of(k)) + 2;
    at->paid = at->rate * trace->spine->paying;
    trace->merge_count++;
}

static bool merge_step(wi_trace *trace, level *at, int64_t *fuel)
{
    if (!step(trace, at->merge, fuel))
        return false;
    wi_run *result = wi_merge_end(at->merge);
    at->merge = NULL;
    trace->merge_count--;
    set_resident(trace, at, put_result(trace, at->resident, at->incoming, result));
    at->incoming = NULL;
    return true;
}

static void merge_to_end(wi_trace *trace, level *at)
{
    int64_t fuel = INT64_MAX;
    while (!merge_step(trace, at, &fuel))
        fuel = INT64_MAX;
}

/* Pays for the run that is being admitted, and merges if that makes a part of some rows. True if
 * the merge is complete. */
static bool pay(wi_trace *trace, level *at)
{
    at->paid += at->rate * trace->spine->paying;
    return at->paid >= PART && merge_step(trace, at, &at->paid);
}

/* A rewrite gives way to what else happens to its run. */
static void drop_rewrite(wi_trace *trace, level *at)
{
    if (!at->merge || at->incoming)
        return;
    wi_merge_drop(at->merge);
    at->merge = NULL;
    trace->merge_count--;
}

/* A run comes to a level where no merge is in progress, from below. */
static void arrive(wi_trace *trace, uint32_t k, wi_run *run)
{
    level *at = &trace->spine->levels[k];
    drop_rewrite(trace, at);
    if (!at->resident) {
        set_resident(trace, at, run);
        return;
    }
    at->incoming = run;
    begin(trace, k, run);
    if (k < LEVELS_AT_ONCE)
        merge_to_end(trace, at);
}

/* ---- levels ----------------------------------------------------------------------------- */

static bool rise(wi_trace *trace, uint32_t k);

/* A run is about to come to level k: a merge there has been paid for. */
static void make_way(wi_trace *trace, uint32_t k)
{
    level *at = &trace->spine->levels[k];
    if (!at->incoming)
        return;
    at->paid += PART;
    if (!merge_step(trace, at, &at->paid)) {
        trace->spine->forced++;
        merge_to_end(trace, at);
    }
    rise(trace, k);
}

static void move_up(wi_trace *trace, uint32_t k)
{
    level *at = &trace->spine->levels[k];
    wi_run *run = at->resident;
    make_way(trace, k + 1);
    drop_rewrite(trace, at);
    set_resident(trace, at, NULL);
    arrive(trace, k + 1, run);
}

/* Whether the resident of level k is at least a share of the next level's, which is at rest. */
static bool is_near(const level *at, uint32_t share)
{
    const level *next = at + 1;
    return at->resident && !at->incoming && next->resident && !next->incoming &&
           at->resident->count >= next->resident->count / share;
}

/* Moves the resident of level k up if it is full, or not much smaller than the next. */
static bool rise(wi_trace *trace, uint32_t k)
{
    const level *at = &trace->spine->levels[k];
    const wi_run *run = at->resident;
    if (!run || at->incoming || k + 1 == LEVELS)
        return false;
    if (!is_full(k, run) && !is_near(at, EARLY_SHARE))
        return false;
    move_up(trace, k);
    return true;
}

/* Moves the resident of level k down to an empty level that it fills by half at most. */
static bool sink(wi_trace *trace, uint32_t k)
{
    level *at = &trace->spine->levels[k], *below = at - 1;
    if (!at->resident || at->merge || below->resident ||
        at->resident->count > room_of(k - 1) / 16 * 7)
        return false;
    set_resident(trace, below, at->resident);
    set_resident(trace, at, NULL);
    return true;
}

/* Lets residents rise and sink until they are where they belong. */
static void settle(wi_trace *trace)
{
    struct wi_spine *spine = trace->spine;
    while (spine->unsettled) {
        uint32_t k = (uint32_t)__builtin_ctz(spine->unsettled);
        spine->unsettled &= spine->unsettled - 1;
        if (k < LEVELS && !rise(trace, k) && k > 0)
            sink(trace, k);
    }
}

/* Everything below level k as one run with the newest one; NULL if nothing is left. */
static wi_run *absorb(wi_trace *trace, uint32_t k, wi_run *newest)
{
    wi_run *all = NULL;
    for (uint32_t j = 0; j < k; j++) {
        level *at = &trace->spine->levels[j];
        drop_rewrite(trace, at);
        if (at->merge)
            merge_to_end(trace, at);
        if (at->resident)
            all = all ? merge_now(trace, at->resident, all) : at->resident;
        set_resident(trace, at, NULL);
    }
    return all ? merge_now(trace, all, newest) : newest;
}

static void look_at_times(wi_trace *trace, uint32_t k);

void wi_spine_admit(wi_trace *trace)
{
    struct wi_spine *spine = trace->spine;
    wi_run *run = trace->runs[trace->admitted++];
    uint32_t k = level_for(run->count);
    spine->clock += run->count;
    spine->runs++;
    spine->paying = run->count;
    /* higher levels first, so that what moves up finds room */
    for (uint32_t j = LEVELS; j-- > LEVELS_AT_ONCE;) {
        level *at = &spine->levels[j];
        if (at->merge && j >= k && pay(trace, at))
            settle(trace);
        else if (!at->merge && at->resident && spine->clock >= at->look_at)
            look_at_times(trace, j);
    }
    run = absorb(trace, k, run);
    if (run) {
        make_way(trace, k);
        arrive(trace, k, run);
    }
    settle(trace);
    spine->paying = 0; /* what began in this admission */
    for (uint32_t j = LEVELS_AT_ONCE; j < LEVELS && trace->merge_count; j++)
        if (spine->levels[j].merge && pay(trace, &spine->levels[j]))
            settle(trace);
}

/* ---- rewriting -------------------------------------------------------------------------- */

#define FEW_TIMES 8

static uint32_t few_times_left(const wi_run *run, const weir_antichain *since)
{
    weir_time seen[FEW_TIMES];
    uint32_t left = 0;
    for (uint32_t t = 0; t < run->time_count; t++) {
        uint32_t at = 0;
        seen[left] = wi_advance(&run->table[t], since);
        while (!weir_time_eq(&seen[at], &seen[left]))
            at++;
        left += at == left;
    }
    return left;
}

/* About how many times of the table are left when advanced, by a sketch of their hashes. */
static uint32_t many_times_left(const wi_run *run, const weir_antichain *since)
{
    uint32_t bits = 64, left = 0;
    while (bits < 4 * run->time_count && bits < 1u << 30)
        bits *= 2;
    uint64_t *sketch = wi_calloc(bits / 64, 8);
    for (uint32_t t = 0; t < run->time_count; t++) {
        weir_time time = wi_advance(&run->table[t], since);
        uint64_t hash = 0;
        for (int d = 0; d < WEIR_DIMS_MAX; d++)
            hash = (hash ^ time.at[d]) * 0x9e3779b97f4a7c15u, hash ^= hash >> 32;
        uint64_t *word = &sketch[hash % bits / 64], bit = 1ull << hash % 64;
        left += !(*word & bit);
        *word |= bit;
    }
    wi_free(sketch);
    return left;
}

/* Whether a share of rows have an update of the same row before them. */
static bool has_history(const wi_run *run)
{
    uint32_t samples = run->count < STALE_SAMPLE ? run->count : STALE_SAMPLE, repeated = 0;
    uint64_t step_rows = run->count / samples;
    for (uint32_t i = 0; i < samples; i++) {
        uint32_t at = (uint32_t)(i * step_rows) + 1;
        if (at < run->count)
            repeated += !wi_row_compare(run->layout, wi_run_row(run, at), wi_run_row(run, at - 1));
    }
    return repeated * STALE_SHARE >= samples;
}

/* Rewriting would bring some rows' updates together, or much of the table of times. */
static bool is_stale(const wi_run *run, const weir_antichain *since)
{
    if (run->time_count < 2)
        return false;
    bool large_table = run->time_count > run->count / STALE_SHARE;
    if (!large_table && !has_history(run))
        return false;
    if (run->time_count <= FEW_TIMES)
        return few_times_left(run, since) < run->time_count;
    return many_times_left(run, since) <= run->time_count / 2;
}

static void rewrite(wi_trace *trace, uint32_t k)
{
    const wi_run *run = trace->spine->levels[k].resident;
    wi_run *nothing = wi_run_new(run->layout, 0, false, false, NULL, 0);
    nothing->diff = run->diff;
    nothing->first_seq = nothing->last_seq = run->last_seq;
    begin(trace, k, nothing);
    wi_run_drop(nothing);
}

/* Of a level without a merge. Each costs less than the rows that were admitted since the last. */
static void look_at_times(wi_trace *trace, uint32_t k)
{
    level *at = &trace->spine->levels[k];
    const wi_run *run = at->resident;
    at->looked = true;
    at->look_at = trace->spine->clock + run->count / 4 + run->time_count;
    if (is_stale(run, wi_trace_since(trace)))
        rewrite(trace, k);
}

/* ---- idle time -------------------------------------------------------------------------- */

static bool afford(struct wi_spine *spine, int64_t price)
{
    price = price < CREDIT_MAX ? price : CREDIT_MAX;
    if (spine->credit < price)
        return false;
    spine->credit -= price;
    return true;
}

/* What is done only with idle rows that were saved up: merging with the next level what is not
 * much smaller, and looking at residents that were not looked at since `since` moved. True if
 * there is more of it. */
static bool tidy(wi_trace *trace)
{
    struct wi_spine *spine = trace->spine;
    const weir_antichain *since = wi_trace_since(trace);
    bool moved = !weir_antichain_eq(since, &spine->since), more = false;
    if (moved)
        weir_antichain_copy(&spine->since, since);
    for (uint32_t k = 0; k + 1 < LEVELS; k++) {
        level *at = &spine->levels[k];
        at->looked &= !moved;
        if (is_near(at, IDLE_SHARE)) {
            more = true;
            if (afford(spine, (int64_t)at->resident->count + at[1].resident->count))
                move_up(trace, k);
        } else if (at->resident && !at->merge && !at->looked && at->resident->time_count > 1 &&
                   k >= LEVELS_AT_ONCE) {
            more = true;
            if (afford(spine, (int64_t)at->resident->count + at->resident->time_count + IDLE_PRICE))
                look_at_times(trace, k);
        }
    }
    settle(trace);
    return more;
}

bool wi_spine_work(wi_trace *trace, int64_t fuel)
{
    struct wi_spine *spine = trace->spine;
    for (uint32_t k = LEVELS_AT_ONCE; k < LEVELS && fuel > 0 && trace->merge_count; k++) {
        level *at = &spine->levels[k];
        if (at->merge && merge_step(trace, at, &fuel))
            settle(trace);
    }
    if (fuel > 0)
        spine->credit += spine->credit < CREDIT_MAX ? fuel : 0;
    bool more = fuel <= 0 || tidy(trace);
    return more || trace->merge_count > 0;
}

/* ---- checking --------------------------------------------------------------------------- */

void wi_spine_check(const wi_trace *trace)
{
    const struct wi_spine *spine = trace->spine;
    uint32_t at = 0, merges = 0;
    for (uint32_t k = LEVELS; k-- > 0;) {
        const level *here = &spine->levels[k];
        merges += here->merge != NULL;
        wi_assert(!here->resident || trace->runs[at++] == here->resident,
                  "T1: runs lie in the order of levels");
        wi_assert(!here->incoming || trace->runs[at++] == here->incoming,
                  "T1: runs lie in the order of levels");
        wi_assert(!here->incoming || (here->resident && here->merge),
                  "T2: a second run of a level is being merged");
        wi_assert(k >= LEVELS_AT_ONCE || !here->merge, "T2: small runs are merged at once");
        if (!here->resident || here->incoming || k + 1 == LEVELS)
            continue;
        const level *next = here + 1;
        wi_assert(!is_full(k, here->resident), "T2: full runs have moved up");
        wi_assert(!next->resident || next->incoming ||
                      here->resident->count < next->resident->count / 2,
                  "T2: sizes fall towards the newest");
    }
    wi_assert(at == trace->admitted && at <= trace->run_count, "T4: admitted runs have a level");
    wi_assert(merges == trace->merge_count, "T2: merges are counted");
    wi_assert(spine->forced == 0, "T2: merges are complete in time");
}
