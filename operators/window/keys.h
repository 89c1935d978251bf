/* What a window operator keeps: for each key its windows, in order.
 *
 * Windows are kept by their start and their last instant (the end less 1), both saturated, so
 * that a window that reaches the end of the integers is like any other. A key's are sorted by
 * both at once: windows of one width are, and sessions do not touch.
 *
 * A key stays in place while it has windows, or somebody refers to it. Worker. */
#ifndef WEIR_OPERATORS_WINDOW_KEYS_H
#define WEIR_OPERATORS_WINDOW_KEYS_H

#include <weir/window.h>

#include "../../base/sorted.h"
#include "../stream/table.h"
#include "field.h"

/* A window operator while it runs; its argument. */
typedef struct wi_windowing {
    weir_windows how;
    bool in_turn; /* all rows wait until their stamps are complete */
    int64_t pane;  /* see panes.h; of windows of a number of rows: counted.c */
    int64_t panes, panes_apart; /* of a window; from one window to the next */
    wi_grouping by;
    wi_grouping by_acc; /* the same groups, found by rows that are accs */
    const weir_fold_kernel *fold;
    void *arg;
    const weir_type *out;              /* of what is sent */
    uint32_t time_at;                  /* in an input row */
    uint32_t order_at, order_bytes;    /* of the field `order` in an input row; 0 bytes: none */
    bool order_signed;
    uint32_t start_at, end_at, rows_at; /* in an acc */
    uint32_t text_count;               /* texts of an acc beside its key's, and where they are */
    uint32_t *text_at;
    const struct wi_saved *from; /* saved.h; NULL: nowhere */
    struct wi_saved *to;
} wi_windowing;

static inline bool wi_fires_early(const weir_trigger *trigger)
{
    return trigger->rows || trigger->every || trigger->each;
}

/* A result that was sent and may have to be taken back: a batch of one row. */
typedef struct wi_sent {
    struct wi_sent *next;
    weir_batch *row;
} wi_sent;

typedef struct wi_window {
    int64_t start, last;
    char *acc; /* owns the texts that are not its key's */
    wi_sent *sent;
    int64_t fresh; /* rows since it last fired, if the trigger counts them */
    int64_t due;   /* the trigger makes it fire at this time; WI_NEVER */
    bool closed;   /* it has had its turn to fire because it closed */
    bool changed;  /* since it last fired */
    bool dirty;    /* it had closed, or closes now, and was given rows: it is to fire */
    bool wrong;    /* what it has sent is to be taken back, unless it fires */
    bool stale;    /* of an exact session: see exact.c */
    bool marked;   /* its last instant is among the key's marks */
} wi_window;
#define WI_NEVER INT64_MAX

/* The rows of one event time, of exact sessions. */
typedef struct wi_cell {
    int64_t time;
    char *acc;
} wi_cell;

/* What is kept for windows of a number of rows: counted.c. */
typedef struct wi_queue wi_queue;

typedef struct wi_window_key {
    struct wi_window_key *next; /* in its bucket */
    uint64_t hash;
    wi_sorted windows; /* items are wi_window */
    wi_sorted cells;   /* and wi_cell */
    wi_queue *queue;   /* its numbers outlive its windows: a key that has it stays */
    uint32_t references; /* of moments, and of rows that are being put into windows */
    bool asked;          /* a notification is to come at `asks`, or before */
    bool touched;        /* it is in the list of the moment that is now */
    int64_t asks;
    int64_t *marks; /* last instants of windows that are to be looked at; some may be gone */
    uint32_t mark_count, mark_capacity;
    int64_t due; /* no window is due before */
    char blank[];       /* the acc of a window without rows; owns the key's texts */
} wi_window_key;

typedef struct wi_window_keys {
    wi_window_key **buckets; /* a power of two of them */
    uint32_t mask, count;
    char *scratch; /* room for an acc */
} wi_window_keys;

void wi_window_keys_fini(const wi_windowing *call, wi_window_keys *keys);
/* The key of a row; a new one has no windows. */
wi_window_key *wi_window_keys_find(const wi_windowing *call, wi_window_keys *keys, const void *row,
                                   uint64_t hash);
/* A key that is not there yet, and whose row (blank) is still to be filled in. */
wi_window_key *wi_window_keys_add(const wi_windowing *call, wi_window_keys *keys, uint64_t hash);
/* Asks for what finding a key of this hash will read first; then, for the first key there. */
static inline void wi_window_keys_prefetch(const wi_window_keys *keys, uint64_t hash)
{
    if (keys->buckets)
        __builtin_prefetch(&keys->buckets[(uint32_t)hash & keys->mask]);
}
static inline void wi_window_keys_prefetch_key(const wi_window_keys *keys, uint64_t hash)
{
    if (keys->buckets)
        __builtin_prefetch(keys->buckets[(uint32_t)hash & keys->mask]);
}
/* Frees the key if it has no windows and no references. */
void wi_window_keys_tidy(const wi_windowing *call, wi_window_keys *keys, wi_window_key *key);

/* Windows are at places: see ../../base/sorted.h. */
static inline wi_window *wi_window_at(const wi_window_key *key, uint32_t place)
{
    return wi_sorted_at(&key->windows, sizeof(wi_window), place);
}

/* Of the first window whose last instant is at or after `last`. */
uint32_t wi_windows_from(const wi_window_key *key, int64_t last);
/* Where the window of this start and last is, or would be. */
uint32_t wi_windows_place(const wi_window_key *key, int64_t start, int64_t last);
/* Puts one before what is at *place, which becomes its own. */
wi_window *wi_windows_insert(const wi_windowing *call, wi_window_key *key, uint32_t *place,
                             int64_t start, int64_t last);
/* Frees windows [begin, end); returns the place of what was behind them. */
uint32_t wi_windows_remove(const wi_windowing *call, wi_window_key *key, uint32_t begin,
                           uint32_t end);

/* exact.c: frees the cells at and before a time; adds a session up again, if it is stale. */
void wi_cells_forget(const wi_windowing *call, wi_window_key *key, int64_t last);
void wi_cells_refresh(const wi_windowing *call, wi_window_keys *keys, const wi_window_key *key,
                      wi_window *session);

/* counted.c. */
void wi_queue_free(const wi_windowing *call, wi_queue *queue);

/* An acc without rows, with a key's fields. */
char *wi_acc_new(const wi_windowing *call, const wi_window_key *key);
void wi_acc_free(const wi_windowing *call, char *acc);
/* Folds a row into an acc, or (wi_acc_combine) another acc: its diff is 1, or with `inverse` -1. */
void wi_acc_fold(const wi_windowing *call, wi_window_keys *keys, char *acc, const void *row,
                 int64_t diff);
void wi_acc_combine(const wi_windowing *call, wi_window_keys *keys, char *acc, const char *other,
                    int64_t diff);
/* The result that is sent for an acc, as a batch of its own. */
weir_batch *wi_acc_result(const wi_windowing *call, const char *acc);
/* Fills in the limits of its window. */
static inline void wi_acc_set_limits(const wi_windowing *call, char *acc, int64_t start,
                                     int64_t last)
{
    int64_t end = wi_add_saturating(last, 1);
    memcpy(acc + call->start_at, &start, sizeof start);
    memcpy(acc + call->end_at, &end, sizeof end);
}
/* Makes it as new; whether the kernels' fields are. */
void wi_acc_reset(const wi_windowing *call, const wi_window_key *key, char *acc);
bool wi_acc_is_new(const wi_windowing *call, const char *acc);
static inline int64_t wi_acc_rows(const wi_windowing *call, const char *acc)
{
    int64_t rows;
    memcpy(&rows, acc + call->rows_at, sizeof rows);
    return rows;
}

/* Whether a window sends its result: if it has rows. Results that are to be added up (discarding)
 * are also sent if as many rows came as were taken away, but others. */
static inline bool wi_acc_is_sent(const wi_windowing *call, const char *acc)
{
    return wi_acc_rows(call, acc) ||
           (call->how.output == WEIR_DISCARDING && !wi_acc_is_new(call, acc));
}

static inline void wi_acc_add_rows(const wi_windowing *call, char *acc, int64_t more)
{
    int64_t rows = (int64_t)((uint64_t)wi_acc_rows(call, acc) + (uint64_t)more);
    memcpy(acc + call->rows_at, &rows, sizeof rows);
}

/* Those of another acc, whose diff is 1 or -1. */
static inline void wi_acc_add_rows_of(const wi_windowing *call, char *acc, const char *other,
                                      int64_t diff)
{
    uint64_t rows = (uint64_t)wi_acc_rows(call, other);
    wi_acc_add_rows(call, acc, (int64_t)(diff < 0 ? -rows : rows));
}

/* Of how many accs a group of a table is the sum: kept where the start will be that is sent. */
static inline int64_t wi_acc_parts(const wi_windowing *call, const char *acc)
{
    int64_t parts;
    memcpy(&parts, acc + call->start_at, sizeof parts);
    return parts;
}

static inline void wi_acc_add_parts(const wi_windowing *call, char *acc, int64_t more)
{
    int64_t parts = wi_acc_parts(call, acc) + more;
    memcpy(acc + call->start_at, &parts, sizeof parts);
}

#endif
