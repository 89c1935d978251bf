/* Rows that wait for their stamp to be complete, and the order in which they are then taken: as
 * they came, or first by a field (weir_windows.order): then it does not matter who was quicker. */
#ifndef WEIR_OPERATORS_WINDOW_ORDER_H
#define WEIR_OPERATORS_WINDOW_ORDER_H

#include "keys.h"

/* Rows of a batch with one stamp. Holds a reference. */
typedef struct wi_segment {
    weir_batch *batch;
    uint32_t begin, end;
} wi_segment;

typedef struct wi_segments {
    wi_segment *at;
    uint32_t count, capacity;
} wi_segments;

/* worker. Adds rows [begin, end), behind all others. */
void wi_segments_add(wi_segments *to, const weir_batch *batch, uint32_t begin, uint32_t end);
/* Puts the rows in the order of the call, if it has one: rows of one number stay as they came. */
void wi_segments_order(const wi_windowing *call, wi_segments *segments);
void wi_segments_fini(wi_segments *segments);

/* worker, building. Finds the field of that name; if there is no such integer, or it is an array,
 * fails the dataflow. */
void wi_order_init(wi_windowing *call, weir_stream in);

#endif
