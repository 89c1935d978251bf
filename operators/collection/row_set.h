/* A set of rows that is being put together at one time: rows that are said any number of times,
 * of which each is kept once. A part of some megabytes is filled, sorted, and rid of duplicates
 * and of what the owner knows already; parts of about the same size are united. So memory is
 * for the different rows, however often they come. */
#ifndef WEIR_OPERATORS_COLLECTION_ROW_SET_H
#define WEIR_OPERATORS_COLLECTION_ROW_SET_H

#include "../trace/layout.h"

/* Sorted rows, each once; or, of a set's tail, rows as they came. */
typedef struct wi_set_part {
    uint64_t *rows;
    uint32_t count;
    size_t bytes; /* of the memory, from wi_pages_new */
} wi_set_part;

/* Leaves out of a part, in place, what need not be kept. */
typedef void wi_set_sift(wi_set_part *part, void *arg);

typedef struct wi_row_set {
    const wi_layout *layout; /* without texts */
    wi_set_part tail;
    wi_set_part *parts; /* sizes fall by half or more */
    uint32_t part_count, part_capacity;
} wi_row_set;

extern size_t wi_set_tail_bytes; /* that a part is filled up to */

/* Adds rows of layout->type, `sift` being asked about each part that is full (NULL: nobody). */
void wi_row_set_add(wi_row_set *set, const void *rows, uint32_t count, wi_set_sift *sift,
                    void *arg);
/* All of it, to be freed by wi_pages_free(rows, bytes); the set is empty then. */
wi_set_part wi_row_set_take(wi_row_set *set);
void wi_row_set_fini(wi_row_set *set);

/* The order of two rows. */
static inline int wi_set_compare(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        if (a[w] != b[w])
            return a[w] < b[w] ? -1 : 1;
    return 0;
}

#endif
