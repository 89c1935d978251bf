/* Event time: watermarks and windows.
 *
 * Event time is the first coordinate of the dataflow's times, so that a watermark is a
 * frontier: probes see it, and notifications wait for it. A watermark W says that no row with
 * an event time before W is still expected. Each row travels at the watermark that had been
 * reached before it, its *stamp*: whether it is late, and for which windows, depends on the row
 * and on its stamp alone, not on the number of workers or on where batches end. */
#ifndef WEIR_WINDOW_H
#define WEIR_WINDOW_H

#include <weir/stream.h>

/* any. The coordinate of an event time, in the same order: the least i64 is 0. And back. */
static inline uint64_t weir_event_epoch(int64_t event_time)
{
    return (uint64_t)event_time ^ UINT64_C(1) << 63;
}

static inline int64_t weir_event_time(uint64_t epoch)
{
    return (int64_t)(epoch ^ UINT64_C(1) << 63);
}

/* ---- watermarks ------------------------------------------------------------------------- */

typedef struct weir_watermark_policy {
    /* The field of event time (i64, or a time in ms or us): the watermark is the greatest so
     * far, less `bound` (>= 0), in the field's unit. */
    const char *time;
    int64_t bound;
    /* Or, instead of both, a field with the watermark that a row brings (punctuated); the least
     * i64 is none. */
    const char *watermark;
    /* Rows are of partition `partition` (a number below `partitions`), each with a watermark of
     * its own; the least of them is the frontier. NULL and 0: there is one. The rows of a
     * partition have to come from one worker, and are taken in the order in which it sends them. */
    const weir_route_kernel *partition;
    uint32_t partitions;
    void *arg; /* of the kernel */
    /* A partition from which nothing has come for so long, by the clock (weir_now), is idle: it
     * does not hold the watermark back until a row of it comes. It has then reached what the
     * others have. While all are idle, the watermark is the greatest that any has reached. It
     * may take up to an eighth longer, and time in which rows could not be taken does not count.
     * 0: partitions are never idle. */
    uint64_t idle_ns;
    /* Rows of a partition whose watermark is further than this ahead of that of the slowest
     * partition wait, in the field's unit; and when many wait, who sends them is held back. A
     * partition from which nothing has come for half of idle_ns, a second at most, is not waited
     * for. 0: none waits. */
    int64_t drift;
} weir_watermark_policy;

/* worker, building. Stamps rows: each is sent at the watermark that its partition had reached
 * before it, the first ones at the least time. Watermarks never move back. The times at which
 * rows come do not matter; once no more can come, all times are complete. */
WEIR_API weir_stream weir_watermarks(weir_stream in, const weir_watermark_policy *policy);

/* ---- windows ---------------------------------------------------------------------------- */

typedef enum weir_window_kind {
    WEIR_TUMBLING, /* [n size, (n + 1) size) for every n */
    WEIR_HOPPING,  /* [n slide, n slide + size) for every n */
    WEIR_SESSION,  /* [first, last + gap) of rows that are at most `gap` apart */
    WEIR_GLOBAL,   /* all of time: closes when no more rows can come */
    WEIR_COUNT     /* rows [n slide, n slide + size) of the key, for every n >= 0 */
} weir_window_kind;

/* What a window sends when it fires again: when rows came late, but not too late, or because of
 * a trigger. */
typedef enum weir_window_output {
    WEIR_ACCUMULATING, /* its result, again, with all rows */
    WEIR_RETRACTING,   /* the result that is no longer right with diff -1, and the new one */
    WEIR_DISCARDING    /* the result of the rows since it last fired */
} weir_window_output;

/* When windows fire; all zeros: when they close. Any of these may be asked for together. Not for
 * windows that count rows. */
typedef struct weir_trigger {
    /* > 0: at the row with which a window has so many since it last fired (diffs added up), at the
     * row's stamp. */
    int64_t rows;
    /* > 0: at time m - 1 for the multiples m of it, in the field's unit, behind the window's start
     * (a window of all time: behind the row's time) if it has changed since it last fired. */
    int64_t every;
    bool each;         /* at each stamp at which it changed, once */
    bool not_on_close; /* for these reasons only: not when it closes, nor for late rows */
} weir_trigger;

typedef struct weir_windows {
    weir_window_kind kind;
    const char *time; /* the field of event time: i64, or a time in ms or us */
    int64_t size;     /* > 0, of tumbling and hopping windows, in the field's unit; or rows */
    int64_t slide;    /* 0 < slide <= size, of hopping windows; or rows, where 0 is the size */
    int64_t gap;      /* > 0, of sessions */
    int64_t lateness; /* >= 0: how long after its end a window still takes rows */
    weir_window_output output;
    weir_trigger trigger;
    /* Rows of one stamp are taken in the order of this field, an integer, and those for which it is
     * the same as they come; NULL: all as they come. It matters to sessions, to windows of a number
     * of rows, and to triggers, where rows come of several partitions: which of these was quicker
     * is open, but with the partition's number here results do not depend on it. */
    const char *order;
    /* Sessions become shorter, or fall apart, when rows are taken away: what is kept is an acc for
     * each event time. Not with WEIR_DISCARDING. */
    bool exact;
    /* Adds a row of acc to another (its diff is 1): WEIR_FOLD(name, acc, acc). Sessions need it,
     * where they merge. Windows that overlap then fold a row once, into its pane, and add up panes,
     * unless they have a trigger. A pane is as long as what divides size and slide; if a window of
     * time would have more than 4096, there are none. */
    const weir_fold_kernel *combine;
    /* `combine` with a diff of -1 takes an acc away again that it has added: all that it keeps are
     * sums, or the like. Windows that overlap and have panes then keep one sum of them, to which a
     * pane is added when it is complete, and from which it is taken when no later window has it:
     * this takes less memory, and no window takes much longer than others to fire. What is sent is
     * the same, but sums of floating-point numbers drift: what rounding has added stays until their
     * key has no rows in a window (of a number of rows: for good). Ignored where windows do not
     * overlap or have no panes; not for sessions and windows of all time. */
    bool inverse;
    /* Of tumbling and such hopping windows, with `combine`: rows are first folded on the worker
     * where they are, and what goes to the worker of their key are accs, as long as that is a
     * quarter of the rows or less. It pays where there are few keys. Results are the same if
     * `combine` does not depend on an order, as sums of floating-point numbers do. */
    bool local;
    /* Makes what is sent of an acc; NULL: the acc is sent. */
    const weir_map_kernel *finish;
    /* Frees what the kernels' fields of an acc point to; may be NULL. Such fields must not be
     * sent: see `finish`. */
    void (*release)(void *acc, void *arg);
} weir_windows;

/* A row that missed windows: they had closed, and their lateness was over. Whatever the diff of
 * the row, that of this one is +1. */
typedef struct weir_missed {
    int64_t windows; /* how many */
    bool late;       /* whether all of its windows: the row is late, and is in none */
} weir_missed;
WEIR_API extern const weir_type weir_missed_type;

/* What comes of the rows that windows did not take, at the rows' own times. */
typedef struct weir_late {
    weir_stream rows;   /* those that are late, as they came */
    weir_stream missed; /* for each that missed windows, late or not, one row of weir_missed */
} weir_late;

/* worker, building. Folds the rows of each window and key. acc begins with the fields of the
 * key, then has three i64: the window's start, its end, and the number of rows (their diffs
 * added up), which are not for the kernel to look at, since they are filled in when it is done;
 * all others are the kernel's and start as zeros. It gets diffs: with -1 it takes a row away again.
 *
 * A window [start, end) closes when the watermark reaches its end, and fires at time end - 1: the
 * last of its own. It takes later rows until end + lateness <= their stamp; those that it takes
 * after it has closed make it fire again, once, at their stamp. `trigger` lets it fire before, or
 * for other reasons instead. If its rows are 0 it sends nothing; but when discarding it does if the
 * kernels' fields are not all zeros, since other rows came than were taken away: so results add up.
 * A session fires again also if it is about to be merged, with rows that it has not fired with,
 * into one that is still open; when retracting, what they have sent is taken back then, at the
 * latest when that stamp ends. A row that is taken away does not make a session shorter, unless it
 * is `exact`: then the rows of an event time are gone when their diffs add up to 0; of a session
 * that falls apart the first part goes on as that session, the others are new.
 * Near the ends of the integers start and end saturate; a window whose end would lie beyond them
 * closes when no more rows can come.
 *
 * Windows of a number of rows (WEIR_COUNT) have numbers of rows of their key as start and end; the
 * order is that of stamps, then of `order`, then that in which rows come. One fires at the stamp of
 * the row that fills it, and never if none does. A row taken away has to be among those that came
 * since the last multiple of what divides both size and slide: the next row gets its number.
 * Otherwise it is late. `time`, `lateness`, `output` and `trigger` are not for them.
 *
 * `how` and `key` are copied; `late_out` may be NULL. The dataflow has one dimension, and no
 * loop is around. */
WEIR_API weir_stream weir_window(weir_stream in, const weir_windows *how, weir_key key,
                                 const weir_fold_kernel *fold, void *arg, weir_late *late_out);

#endif
