/* What joins by event time send: pairs through the user's kernel, in blocks, and rows that are
 * alone. Pairs are copied to the block, since entries move; long texts are not, so a block is to be
 * flushed before entries are freed. The start and the end of a window can be put into the rows.
 * Worker. */
#ifndef WEIR_OPERATORS_EVENT_SENDER_H
#define WEIR_OPERATORS_EVENT_SENDER_H

#include "../collection/join_emit.h"

#define WI_NOWHERE UINT32_MAX

/* What is to be sent, as it is built. */
typedef struct wi_sending {
    const weir_join_kernel *kernel; /* NULL: no pairs */
    const weir_map_kernel *alone[2];
    const weir_type *rows[2];
    void *arg;
    uint32_t start_at, end_at; /* in an out row; WI_NOWHERE */
} wi_sending;

/* Of the window that a row of the result is about. */
typedef struct wi_bounds {
    int64_t start, end;
} wi_bounds;

typedef struct wi_sender {
    const wi_sending *how;
    wi_pairs pairs;
    weir_join_kernel kernel; /* the user's, and then the bounds */
    char *rows[2];           /* of the block */
    wi_bounds *bounds;
    uint32_t count, done; /* pairs in the block; and of these, those that the kernel has seen */
    int64_t given;        /* pairs and rows, ever */
} wi_sender;

void wi_sender_init(wi_sender *sender, weir_op *op, const wi_sending *how);
void wi_sender_fini(wi_sender *sender);
/* All that is sent until the next call is at or after this time, at which sending is allowed. What
 * came before must have been flushed. */
void wi_sender_begin(wi_sender *sender, const weir_time *at);
void wi_sender_pair(wi_sender *sender, const void *a, const void *b, int64_t time, int64_t diff,
                    wi_bounds bounds);
/* A row of a side that is alone, if that gives anything. */
void wi_sender_alone(wi_sender *sender, uint32_t side, const void *row, int64_t time, int64_t diff,
                     wi_bounds bounds);
/* A row as it is. */
void wi_sender_row(wi_sender *sender, const void *row, int64_t time, int64_t diff);
void wi_sender_flush(wi_sender *sender);

#endif
