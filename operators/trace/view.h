/* What view.c and snapshot.c have in common. */
#ifndef WEIR_OPERATORS_TRACE_VIEW_H
#define WEIR_OPERATORS_TRACE_VIEW_H

#include "share.h"

struct weir_view {
    weir_view *next;
    wi_share *share;
    weir_antichain hold; /* written by who uses the view, under share->lock */
};

/* The runs of all shards, each as far as it was complete when it was looked at: at `as_of` and
 * before they agree. Constant. */
struct weir_snapshot {
    wi_share *share;
    weir_time as_of;
    wi_run **runs; /* of shard s: from begins[s] to begins[s + 1] */
    uint32_t *begins;
    uint32_t run_capacity;
};

#endif
