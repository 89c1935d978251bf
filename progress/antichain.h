/* Antichains for those who know how many coordinates their times have: with one or two,
 * the sorted order answers by binary search what the public functions must scan for.
 *
 * The reason: in lexicographic order the second coordinates of a two-dimensional
 * antichain strictly fall. So among the elements up to a time, the last one has the
 * least second coordinate, and is at or before the time if any of them is. */
#ifndef WEIR_PROGRESS_ANTICHAIN_H
#define WEIR_PROGRESS_ANTICHAIN_H

#include <weir/time.h>

/* Whether some element is at or before time. */
bool wi_antichain_le(const weir_antichain *chain, const weir_time *time, int dims);

/* The index of the first element that is lexicographically at or after time. */
uint32_t wi_antichain_seek(const weir_antichain *chain, const weir_time *time);

/* Appends time as it is: the caller knows that it sorts last and is incomparable, or is
 * gathering an arbitrary list for wi_antichain_minimise. */
void wi_antichain_append(weir_antichain *chain, const weir_time *time);
void wi_antichain_append_all(weir_antichain *chain, const weir_antichain *from);

/* Inserts at an index that wi_antichain_seek gave, a time incomparable to all elements. */
void wi_antichain_insert_at(weir_antichain *chain, uint32_t index, const weir_time *time);
void wi_antichain_remove_at(weir_antichain *chain, uint32_t index);

/* Makes an antichain of an arbitrary list of times. A list that is already sorted costs
 * one pass, for one and two coordinates; with more, the pass compares each time with the
 * elements found so far. */
void wi_antichain_minimise(weir_antichain *list, int dims);

/* Whether time is at or after one of the elements found so far by a pass over times in
 * lexicographic order. */
bool wi_antichain_covers(const weir_antichain *found, const weir_time *time, int dims);

#endif
