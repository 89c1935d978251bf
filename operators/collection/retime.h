/* Batches whose rows move to other times, each to its own: what enter_at and valid do. And
 * dimensions of the root time by their names. */
#ifndef WEIR_OPERATORS_COLLECTION_RETIME_H
#define WEIR_OPERATORS_COLLECTION_RETIME_H

#include <weir/stream.h>

/* weir_valid and weir_while, which move rows of one batch by different spans of time, as
 * weir_delay_to does (../stream/common.h). */
extern const weir_operator wi_valid, wi_while;

/* Where a row goes. */
typedef struct wi_moved {
    uint64_t at;      /* the new coordinate */
    uint32_t row;     /* index in the batch */
    uint32_t negated; /* 1: its diff is, too */
} wi_moved;

/* A batch with the rows that `moved` names, `count` > 0 of them, coordinate `dim` of their
 * times replaced. They are put in the order of that coordinate, so that what comes after finds
 * long stretches of equal times (`moved` is sorted). */
weir_batch *wi_batch_retime(const weir_batch *in, int dim, wi_moved *moved, uint32_t count);

/* The index of a dimension of the dataflow's root time. Fails the dataflow, and gives -1, if
 * there is none of that name, or if the scope is a loop. `what` is the operator's name. */
int wi_root_dim(weir_scope *scope, const char *what, const char *dimension);

#endif
