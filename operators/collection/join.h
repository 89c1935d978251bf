/* What the operators that join have in common: one wording for keys and kernels that do not
 * fit, and how much is done at a time. */
#ifndef WEIR_OPERATORS_COLLECTION_JOIN_H
#define WEIR_OPERATORS_COLLECTION_JOIN_H

#include "join_match.h"

/* Rows and pairs that an operator handles before others have their turn. For tests. */
extern int64_t wi_join_fuel;

/* Fails the dataflow unless the keys' fields have the same kinds:
 *     join: left key is u64, right key is text */
bool wi_join_keys(weir_scope *scope, const char *name, const weir_key *a, const weir_key *b);
/* Fails the dataflow unless the kernel takes rows like these. */
bool wi_join_takes(weir_scope *scope, const char *name, const weir_join_kernel *kernel,
                   const weir_type *a, const weir_type *b);

/* weir_join_with under another name. */
weir_stream wi_join(const char *name, weir_stream a, weir_key a_key, weir_stream b, weir_key b_key,
                    const weir_join_kernel *kernel, void *arg);
/* The same for weir_semijoin and weir_antijoin. */
weir_stream wi_semijoin(const char *name, weir_stream a, weir_key a_key, weir_stream b,
                        weir_key b_key);
weir_stream wi_antijoin(const char *name, weir_stream a, weir_key a_key, weir_stream b,
                        weir_key b_key);
/* weir_half_join_with. `chained`: the times of the batches of `deltas` are the initial ones;
 * otherwise those of the rows are. */
weir_stream wi_half_join(const char *name, weir_stream deltas, weir_key key, weir_arrangement *with,
                         weir_half half, bool chained, const weir_join_kernel *kernel, void *arg);

#endif
