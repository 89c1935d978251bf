/* Event time: rows that are matched by it, rows that are there for a while, and duplicates.
 *
 * Inputs are streams whose rows travel at their stamps, the watermarks that had been reached
 * before them (window.h); two inputs may have different watermarks. A row is *late* if its event
 * time + lateness is before its stamp. Late rows are not matched: they go to a stream of their
 * own, as they came and at their own times. All others are matched exactly as if all of them had
 * been there from the start; what is sent at a time follows from rows and stamps alone, not from
 * the number of workers, nor from where batches end.
 *
 * Because rows that are later than that do not count, what no row can match any more is freed as
 * watermarks move on: memory is for about the rows within reach of the slower watermark.
 *
 * Diffs multiply, and a row with a diff of -1 takes one away, as in collection.h. The results can
 * be read as a collection. Fields of event time are i64, or times in ms or us (not one in each);
 * distances are compared as they are, also near the ends of the integers. Dataflows have one
 * dimension, and no loop is around. What is given (`how`, keys) is copied, except for the types and
 * kernels that it refers to. All functions are for the worker that builds. */
#ifndef WEIR_EVENT_JOIN_H
#define WEIR_EVENT_JOIN_H

#include <weir/collection.h>
#include <weir/window.h>

/* The rows that were late, of each side. */
typedef struct weir_late_pair {
    weir_stream a, b;
} weir_late_pair;

/* ---- interval join ---------------------------------------------------------------------- */

typedef struct weir_interval {
    const char *a_time, *b_time; /* the fields of event time */
    int64_t from, until;         /* b's time is in [a's time + from, a's time + until] */
    int64_t lateness;            /* >= 0 */
    /* What a row becomes that has no partner, left, right, or full outer joins: the diffs of all
     * rows that match it add up to 0 or less. NULL: nothing. */
    const weir_map_kernel *a_alone, *b_alone;
} weir_interval;

/* A row for each pair with equal keys whose times are that far apart, sent at the greater of
 * their stamps: as soon as both are there. That a row is alone is sent when its interval is over,
 * at the last time in it, or at its stamp if that is greater; and taken back if a partner comes
 * after that, but not too late. `late_out` may be NULL. */
WEIR_API weir_stream weir_interval_join(weir_stream a, weir_key a_key, weir_stream b,
                                        weir_key b_key, const weir_interval *how,
                                        const weir_join_kernel *kernel, void *arg,
                                        weir_late_pair *late_out);

/* ---- window join ------------------------------------------------------------------------ */

typedef struct weir_window_match {
    /* Of `windows`: kind (not WEIR_COUNT), size, slide, gap and lateness; `time` is a's field.
     * There are no triggers. */
    weir_windows windows;
    const char *b_time; /* NULL: called as a's */
    /* Fields (i64 or times) of the kernels' out rows into which the window's start and end are put
     * once a kernel is done with the row; NULL: nowhere. */
    const char *start, *end;
    /* What a row becomes in a window in which the other side has no rows of its key, left, right,
     * or full outer joins: their diffs add up to 0 or less. NULL: nothing. */
    const weir_map_kernel *a_alone, *b_alone;
} weir_window_match;

/* A row for each window and pair of rows of equal keys in it, sent when the window closes: at
 * end - 1, or, with a lateness, at the later stamp of a row that came after that. A row is late
 * for a window if end + lateness <= its stamp, as in weir_window; it goes to `late_out` (may be
 * NULL) if it is late for all of its windows.
 *
 * Sessions are of both sides together. Rows of one stamp are put in together, once it is complete.
 * As in weir_window, a row whose own session, [time, time + gap), is over is not late if it touches
 * one that is not, be it by way of other rows of its stamp; and what is over takes no more rows,
 * also if they touch it. If a session that has been sent grows, its results are taken back; they
 * are sent anew, with the new start and end, when it closes. A row that is taken away leaves its
 * session as long as it was. */
WEIR_API weir_stream weir_window_join(weir_stream a, weir_key a_key, weir_stream b,
                                      weir_key b_key, const weir_window_match *how,
                                      const weir_join_kernel *kernel, void *arg,
                                      weir_late_pair *late_out);

/* ---- as-of join ------------------------------------------------------------------------- */

typedef struct weir_latest {
    const char *a_time, *b_time; /* the fields of event time */
    bool strict;                 /* b's time is before a's; otherwise it may be the same */
    bool limited;                /* b's time is at most `tolerance` before a's */
    int64_t tolerance;           /* >= 0 */
    int64_t lateness;            /* >= 0 */
    /* What a row of `a` becomes for which there is none of `b`; NULL: nothing. */
    const weir_map_kernel *alone;
} weir_latest;

/* Each row of `a` with the latest row of `b` of its key whose time is at or before its own; of
 * several of that time, the greatest (weir_row_compare). One that is there several times counts as
 * one: the diff is that of the row of `a`. It is sent when a's time is complete: at
 * its event time, or its stamp if that is greater. If a row of `b` comes later, or the one that
 * was matched is taken away, the result is taken back and the right one sent, at that row's stamp.
 * Rows of `b` of which more was taken away than given are passed over. */
WEIR_API weir_stream weir_as_of_join(weir_stream a, weir_key a_key, weir_stream b,
                                     weir_key b_key, const weir_latest *how,
                                     const weir_join_kernel *kernel, void *arg,
                                     weir_late_pair *late_out);

/* ---- temporal filter -------------------------------------------------------------------- */

/* Rows that are there while event time is in [from, until), which are fields of theirs: +1 at
 * `from` (at the row's stamp, if that is later), -1 at `until`. One that is over when it comes, or
 * whose `until` is not after its `from`, gives nothing. NULL for a field: since ever, for ever;
 * and the greatest i64 as `until` is for ever, too. What is kept, is kept by whoever takes the
 * changes that are still to come. */
WEIR_API weir_stream weir_while(weir_stream in, const char *from, const char *until);

/* ---- deduplication ---------------------------------------------------------------------- */

typedef enum weir_keep {
    WEIR_KEEP_FIRST,      /* the one of the least event time */
    WEIR_KEEP_LAST,       /* the one of the greatest */
    WEIR_KEEP_FIRST_COME, /* the one that came first: nothing is ever replaced */
} weir_keep;

typedef struct weir_duplicates {
    const char *time;
    weir_keep keep;
    int64_t within;   /* > 0: rows of a key less than that apart are duplicates */
    int64_t lateness; /* >= 0 */
} weir_duplicates;

/* One row of those of a key that are less than `within` apart. Rows are decided on in the order of
 * their stamps; those of one stamp together, once it is complete: their diffs are added up, rows
 * that are taken away go first, and the others are in the order of their event times and then of
 * all their fields. A row is compared with the rows kept so far that are less than
 * `within` before or after it:
 *
 *   FIRST_COME  it is kept if there is none
 *   FIRST       it is dropped if one is before it; otherwise it replaces the next one after it
 *   LAST        it is dropped if one is after it; otherwise it replaces the last one before it
 *
 * (Of equal times the order of the rows decides.) What is replaced is taken back with -1. A kept
 * row that is taken away leaves its place free, and those that were dropped because of it do not
 * come back; for that, see weir_group_first. A row that is there several times is kept once, and
 * is taken back when all of them have been; taking away any other does nothing.
 * `late_out` may be NULL. */
WEIR_API weir_stream weir_deduplicate(weir_stream in, weir_key key, const weir_duplicates *how,
                                      weir_stream *late_out);

#endif
