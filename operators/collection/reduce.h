/* Reduce: what each group of rows with equal keys becomes, kept right at every time. The one
 * operator behind count, sum, distinct, min, top and users' own kernels; how a group is
 * evaluated is a wi_reducer. See reduce.c for the algorithm.
 *
 * Reducers work on rows as words (layout.h), many groups in a call, and are one of four kinds,
 * from the fastest to the most general. The operator decides at which times which groups are
 * evaluated, subtracts what it has said before, and sends the rest. A reducer is a pure
 * function: it is called again for what a group was before, too. */
#ifndef WEIR_OPERATORS_COLLECTION_REDUCE_H
#define WEIR_OPERATORS_COLLECTION_REDUCE_H

#include "../trace/arrange.h"

/* Groups, one after the other. Each has at least one row; no count is zero. */
typedef struct wi_groups {
    const wi_layout *layout;
    const uint64_t *rows;  /* layout->words each, key included, sorted within a group */
    const int64_t *counts; /* how often each row is there; may be negative */
    const uint32_t *ends;  /* group g has the rows [ends[g - 1], ends[g]); group 0 from 0 */
    uint32_t groups;
} wi_groups;

/* One of the four functions is set. */
typedef struct wi_reducer {
    const char *name;
    /* A function of how many rows there are: the sum of the counts. For each group (also where
     * that is 0) writes the words after the key (out->words - out->key_words of them), and how
     * often that row is there; 0: not at all. */
    void (*total)(const int64_t *totals, uint32_t groups, const wi_layout *out,
                  uint64_t *values_out, int64_t *diffs_out, void *arg);
    /* At most one row for each group: as above. */
    void (*fold)(const wi_groups *in, const wi_layout *out, uint64_t *values_out,
                 int64_t *diffs_out, void *arg);
    /* Some of the group's own rows: for each row of the groups, how often it is in the result
     * (0: not). The out type is that of the stream. */
    void (*select)(const wi_groups *in, int64_t *diffs_out, void *arg);
    /* Any rows. */
    const weir_reduce_kernel *kernel;

    /* fold, select: the group's first rows are enough, until their positive counts add up to
     * `enough`, and then those that are equal to the last of them in the first `tie_fields`
     * fields of the order. 0: all rows are needed. */
    uint64_t enough;
    uint32_t tie_fields;

    /* select: what the result is of its own rows and the new ones is what it is of all rows,
     * since rows are only added; negative diffs are not looked at. Nothing is kept but the
     * result, which takes the place of the input's history (semi-naive evaluation). */
    bool growing;
} wi_reducer;

/* Where the first fields of an order end in the words of a row. */
typedef struct wi_tie {
    uint32_t word, shift;
} wi_tie;
wi_tie wi_tie_of(const wi_layout *layout, const weir_key *by, uint32_t fields);
/* Whether two rows with equal keys are equal in them. */
bool wi_tied(const wi_layout *layout, wi_tie tie, const uint64_t *a, const uint64_t *b);

/* The arrangement of `in` by the key, in the order (may be NULL), reduced. The first fields of
 * `out` are those of the key. Both pointers outlive the dataflow. */
weir_stream wi_reduce(weir_stream in, weir_key key, const weir_order *order, const wi_reducer *how,
                      void *arg, const weir_type *out);

/* Gives memory from wi_alloc to the operator that a stream comes from: freed with it. */
void wi_reduce_keep(weir_stream of, void *memory);

/* Rows of `out` whose fields are those of `key` and then those of `of` (NULL: none), with the
 * same diffs and times: `in` itself if that changes nothing. Fails the dataflow under `name`
 * if the fields do not fit. */
weir_stream wi_project(weir_stream in, const char *name, const weir_key *key, const weir_key *of,
                       const weir_type *out);
/* Whether the first fields of `out` are of the key's kinds, and those after them (if `of` is
 * not NULL) of the kinds of `of` and no others; otherwise fails the dataflow. */
bool wi_reduce_gives(weir_stream in, const char *name, const weir_key *key, const weir_key *of,
                     const weir_type *out);
/* Field f of a key of the type; NULL: there is none. */
const weir_field *wi_key_field(const weir_type *type, const weir_key *key, uint32_t f);
/* The key made of the first `count` fields of a type, as of rows that wi_project gives. */
weir_key wi_key_of_first(const weir_type *type, uint32_t count);
/* The same for `count` fields from `first` on. */
weir_key wi_key_of_fields(const weir_type *type, uint32_t first, uint32_t count);

#endif
