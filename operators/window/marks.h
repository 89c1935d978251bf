/* What a watermark policy says of a row: which partition it is of, and the watermark that the
 * partition has reached with it. For the operators that follow watermarks by partition. */
#ifndef WEIR_OPERATORS_WINDOW_MARKS_H
#define WEIR_OPERATORS_WINDOW_MARKS_H

#include "field.h"

#define WI_MARKS_BLOCK 256 /* rows that are looked at together */

typedef struct wi_marks {
    uint32_t field; /* where the time, or the watermark, is in a row */
    int64_t bound;
    bool punctuated;
    uint32_t partitions;
    const weir_route_kernel *partition; /* NULL if there is only one */
    void *arg;
    weir_route_kernel route; /* `partition`, below their number */
    uint64_t idle_ns;        /* 0: partitions never are */
    int64_t drift;           /* 0: as it comes */
} wi_marks;

/* worker, building. Fails the dataflow if the policy makes no sense. */
void wi_marks_init(wi_marks *marks, weir_stream in, const weir_watermark_policy *policy,
                   const char *name);

/* The partitions of `count` rows, at most a block. */
static inline void wi_marks_partitions(const wi_marks *marks, const void *rows, uint32_t count,
                                       uint64_t *partitions_out)
{
    if (marks->partition)
        marks->route.run(rows, partitions_out, count, (void *)(uintptr_t)marks);
    else
        memset(partitions_out, 0, count * sizeof *partitions_out);
}

/* The watermark that a row brings. */
static inline int64_t wi_marks_brought(const wi_marks *marks, const void *row)
{
    int64_t brings = wi_event_time_at(row, marks->field);
    return marks->punctuated ? brings : wi_subtract_saturating(brings, marks->bound);
}

#endif
