/* Sorting records of words: rows, followed by what travels with them (time, diff). */
#ifndef WEIR_OPERATORS_TRACE_SORT_H
#define WEIR_OPERATORS_TRACE_SORT_H

#include "layout.h"

/* Sorts records of `stride` words by their first layout->words words, in the layout's order,
 * and then by the `more` words after those. `scratch` has room for as many records. */
void wi_sort(const wi_layout *layout, uint64_t *records, uint64_t *scratch, size_t count,
             uint32_t stride, uint32_t more);

#endif
