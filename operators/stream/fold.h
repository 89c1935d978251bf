/* Folding rows into groups, time by time: what aggregate and accumulate are. */
#ifndef WEIR_OPERATORS_STREAM_FOLD_H
#define WEIR_OPERATORS_STREAM_FOLD_H

#include <weir/stream.h>

/* An operator shown as "<name> <kernel>" that takes rows by `route` and gives, for each
 * time and key, one row of the kernel's acc type. */
weir_stream wi_fold(weir_stream in, weir_route route, const weir_key *key, const char *name,
                    const weir_fold_kernel *kernel, void *arg);

#endif
