/* Batches: rows + times + diffs.
 *
 * A batch is immutable once sent and reference-counted; it moves between operators and
 * threads by pointer. Two compressions are structural: one time for the whole batch
 * (`times` is NULL) and one diff for every row (`diffs` is NULL) cost no column. */
#ifndef WEIR_BATCH_H
#define WEIR_BATCH_H

#include <weir/row.h>
#include <weir/time.h>

typedef struct weir_batch {
    const weir_type *type;
    uint32_t count;    /* rows present */
    uint32_t capacity; /* rows allocated */
    void *rows;        /* count * type->size bytes */
    weir_time time;    /* of every row; with a column, a lower bound of all of them */
    int64_t diff;      /* of every row, unless there is a column */
    weir_time *times;  /* NULL, or one time a row */
    int64_t *diffs;    /* NULL, or one diff a row */
    struct weir_heap *heap;      /* private: the long texts */
    struct weir_batch *base;     /* private: of a view, whose rows these are */
    void (*release)(void *lender); /* private: rows and texts are lent, by `lender` */
    void *lender;                  /* private */
    size_t block_bytes;            /* private: of the batch with its rows; 0: they are elsewhere */
    _Atomic uint32_t references;   /* private */
    bool times_lent, diffs_lent;   /* private: these columns are lent, too */
} weir_batch;

/* any. An empty batch with room for `capacity` rows, time zero, diff +1, one reference. */
WEIR_API weir_batch *weir_batch_new(const weir_type *type, uint32_t capacity);
/* any. An empty batch with room for `like->count` rows of another type, with the count,
 * time, diff and columns of `like`: only the rows are left to fill. */
WEIR_API weir_batch *weir_batch_like(const weir_batch *like, const weir_type *type);
/* any. A batch that shares the rows and texts of `of` and has a time, diff and columns of
 * its own, at first equal to those of `of`. */
WEIR_API weir_batch *weir_batch_view(const weir_batch *of);
/* any. One more, one less reference; the last one frees. Dropping NULL does nothing. */
WEIR_API weir_batch *weir_batch_retain(const weir_batch *batch);
WEIR_API void weir_batch_drop(weir_batch *batch);
/* any. Gives a batch being built a column of times or diffs, filled with the constant. */
WEIR_API void weir_batch_add_times(weir_batch *batch);
WEIR_API void weir_batch_add_diffs(weir_batch *batch);

static inline const weir_time *weir_batch_time(const weir_batch *batch, uint32_t row)
{
    return batch->times ? &batch->times[row] : &batch->time;
}

static inline int64_t weir_batch_diff(const weir_batch *batch, uint32_t row)
{
    return batch->diffs ? batch->diffs[row] : batch->diff;
}

static inline const void *weir_batch_row(const weir_batch *batch, uint32_t row)
{
    return (const char *)batch->rows + (size_t)row * batch->type->size;
}

/* How many rows of a type a batch usually has: about 64 KB of them. */
WEIR_API uint32_t weir_batch_rows_usual(const weir_type *type);

/* ---- writing rows ----------------------------------------------------------------------- */

/* Where rows are pushed: the batch being filled, which is sent when it is full, when the
 * time changes, and at the end of the operator's call. Rows get the time at which it was
 * opened and its current diff (+1 unless set). Owned by the operator, input or feed that
 * hands it out; not to be kept beyond the call. */
typedef struct weir_out {
    char *rows;
    uint32_t count, capacity;
    weir_batch *batch;
    const weir_type *type;
    uint32_t stamped; /* private: rows whose columns are filled in */
    bool padded;      /* private: rows of the type have padding */
    int64_t diff;     /* private: use weir_out_diff */
    weir_time time;   /* private: use weir_out_time */
    weir_time opened; /* private: what `time` must be at or after */
    uint32_t most;    /* private: rows that a batch may have; to be grown to if need be */
    uint32_t lately;  /* private: rows that the last batches had */
    void (*full)(struct weir_out *out); /* private: makes room, or calls `send` */
    void (*send)(struct weir_out *out); /* private: sends the batch, starts another */
    void (*misuse)(struct weir_out *out, const weir_time *time); /* private: a time too early */
    void *owner;                                                 /* private */
    weir_batch *spare; /* private: an empty batch for the next time */
} weir_out;

/* worker. A slot for one more row of `size` bytes, uninitialised. */
static inline void *weir_out_slot(weir_out *out, size_t size)
{
    if (WEIR_UNLIKELY(out->count == out->capacity))
        out->full(out);
    return out->rows + size * out->count++;
}

/* worker. Room for up to `wanted` rows in a row (at least one if wanted > 0): writes how
 * many to *room_out. Fill them, then weir_out_commit how many are used. */
static inline void *weir_out_room(weir_out *out, uint32_t wanted, uint32_t *room_out)
{
    if (WEIR_UNLIKELY(out->capacity - out->count < wanted && out->capacity < out->most))
        out->full(out);
    if (WEIR_UNLIKELY(out->count == out->capacity))
        out->full(out);
    uint32_t room = out->capacity - out->count;
    *room_out = wanted < room ? wanted : room;
    return out->rows + (size_t)out->type->size * out->count;
}

static inline void weir_out_commit(weir_out *out, uint32_t used)
{
    out->count += used;
}

/* worker. The rows pushed from now on have this diff. */
WEIR_API void weir_out_diff(weir_out *out, int64_t diff);
/* worker. The rows pushed from now on have this time, which must be at or after the one
 * the out was opened at (otherwise the dataflow stops with a message). */
WEIR_API void weir_out_time(weir_out *out, const weir_time *time);
/* worker. Appends rows [begin, end) of a batch of the same type, times and diffs included.*/
WEIR_API void weir_out_copy(weir_out *out, const weir_batch *from, uint32_t begin, uint32_t end);
/* worker. Appends a copy of one row of the out's type; its texts are copied. */
WEIR_API void weir_out_row(weir_out *out, const void *row);

#endif
