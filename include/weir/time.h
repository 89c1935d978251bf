/* Times, antichains and path summaries.
 *
 * A time is 1 to 4 coordinates of u64 under the product order: the dataflow's root
 * dimensions (one, `epoch`, unless declared otherwise), then one coordinate for every
 * loop around the place where it is used. Coordinates that a place does not have are
 * zero, so that comparisons need not know how many there are.
 *
 * The ends: UINT64_MAX is a time like any other. Adding beyond it saturates, except on
 * the way back of a loop, where there is no later time and the path ends. */
#ifndef WEIR_TIME_H
#define WEIR_TIME_H

#include <weir/base.h>

#define WEIR_DIMS_MAX 4

typedef struct weir_time {
    uint64_t at[WEIR_DIMS_MAX];
} weir_time;

/* A time of the usual single coordinate: WEIR_EPOCH(7). */
#define WEIR_EPOCH(epoch) ((weir_time){{(epoch)}})

/* any. Product order: every coordinate of a at or before b's. */
static inline bool weir_time_le(const weir_time *a, const weir_time *b)
{
    return a->at[0] <= b->at[0] && a->at[1] <= b->at[1] && a->at[2] <= b->at[2] &&
           a->at[3] <= b->at[3];
}

static inline bool weir_time_eq(const weir_time *a, const weir_time *b)
{
    return a->at[0] == b->at[0] && a->at[1] == b->at[1] && a->at[2] == b->at[2] &&
           a->at[3] == b->at[3];
}

/* a is before b: less or equal, and not equal. */
static inline bool weir_time_lt(const weir_time *a, const weir_time *b)
{
    return weir_time_le(a, b) && !weir_time_eq(a, b);
}

/* Lexicographic order: a total order that extends the product order (-1, 0, 1). */
static inline int weir_time_compare(const weir_time *a, const weir_time *b)
{
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        if (a->at[i] != b->at[i])
            return a->at[i] < b->at[i] ? -1 : 1;
    return 0;
}

/* Least upper bound. */
static inline weir_time weir_time_join(const weir_time *a, const weir_time *b)
{
    weir_time out;
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        out.at[i] = a->at[i] > b->at[i] ? a->at[i] : b->at[i];
    return out;
}

/* Greatest lower bound. */
static inline weir_time weir_time_meet(const weir_time *a, const weir_time *b)
{
    weir_time out;
    for (int i = 0; i < WEIR_DIMS_MAX; i++)
        out.at[i] = a->at[i] < b->at[i] ? a->at[i] : b->at[i];
    return out;
}

static inline uint64_t weir_add_saturating(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

/* Writes e.g. "7" or "(7, 2)" into text, always terminated, and returns text. */
#define WEIR_TIME_TEXT_BYTES 96
WEIR_API char *weir_time_text(const weir_time *time, int dims, char text[WEIR_TIME_TEXT_BYTES]);

/* ---- path summaries --------------------------------------------------------------------- */

/* How a time changes along a path: the first `keep` coordinates are kept and `add` is
 * added to them; coordinates from keep to dims_out are appended with the value `add`.
 * Closed under composition. Leaving a loop: keep = dims_in - 1. Entering one:
 * keep = dims_in, dims_out = dims_in + 1, add = 0. */
typedef struct weir_summary {
    uint8_t dims_in, dims_out, keep;
    uint64_t add[WEIR_DIMS_MAX];
} weir_summary;

WEIR_API weir_summary weir_summary_identity(int dims);
/* Adds `by` to coordinate `dim` of times with `dims` coordinates. */
WEIR_API weir_summary weir_summary_add(int dims, int dim, uint64_t by);
WEIR_API weir_summary weir_summary_enter(int dims_in);
WEIR_API weir_summary weir_summary_leave(int dims_in);
/* first, then second. first->dims_out == second->dims_in. */
WEIR_API weir_summary weir_summary_then(const weir_summary *first, const weir_summary *second);
/* Applies a summary; coordinates saturate at UINT64_MAX. */
WEIR_API weir_time weir_summary_apply(const weir_summary *summary, const weir_time *time);
/* Applies a summary; false if a coordinate would pass UINT64_MAX: there is no such time. */
WEIR_API bool weir_summary_apply_checked(const weir_summary *summary, const weir_time *time,
                                         weir_time *time_out);
WEIR_API bool weir_summary_eq(const weir_summary *a, const weir_summary *b);

/* ---- antichains ------------------------------------------------------------------------- */

/* A set of mutually incomparable times, sorted lexicographically. As a frontier it says
 * which times may still come: those at or after one of its elements. Empty: none. */
typedef struct weir_antichain {
    weir_time *times;
    uint32_t count, capacity;
} weir_antichain;

WEIR_API void weir_antichain_init(weir_antichain *chain);
WEIR_API void weir_antichain_fini(weir_antichain *chain);
WEIR_API void weir_antichain_clear(weir_antichain *chain);
/* Inserts a time unless an element is at or before it; removes the elements that it is
 * before. Returns whether the set changed. */
WEIR_API bool weir_antichain_insert(weir_antichain *chain, const weir_time *time);
WEIR_API void weir_antichain_copy(weir_antichain *to, const weir_antichain *from);
/* Whether some element is at or before (strictly before) the time: as a frontier,
 * whether an update at that time may still come. */
WEIR_API bool weir_antichain_le(const weir_antichain *chain, const weir_time *time);
WEIR_API bool weir_antichain_lt(const weir_antichain *chain, const weir_time *time);
WEIR_API bool weir_antichain_eq(const weir_antichain *a, const weir_antichain *b);

#endif
