/* What the library itself needs of batches, beyond the public header. */
#ifndef WEIR_BASE_BATCH_H
#define WEIR_BASE_BATCH_H

#include <weir/batch.h>

/* Gives the batch a buffer (from wi_alloc) that its texts may point into without being
 * copied, e.g. a part of a file; it is freed with the batch. */
void wi_batch_adopt(weir_batch *batch, void *memory, size_t bytes);

/* A batch whose rows and columns (NULL: none) lie in memory that somebody lends, until the last
 * reference is gone and `release(lender)` is called. Rows may be changed, for instance by whoever
 * moves texts. The rest of the batch is the caller's to fill in. */
weir_batch *wi_batch_lent(const weir_type *type, void *rows, uint32_t count, weir_time *times,
                          int64_t *diffs, void (*release)(void *lender), void *lender);
/* Says that texts of the batch's rows lie in these bytes, which are lent with the rows. */
void wi_batch_lend_texts(weir_batch *batch, char *memory, size_t bytes);
/* Calls `piece` for each piece of memory that long texts of its rows may lie in. */
void wi_batch_texts(const weir_batch *batch,
                    void (*piece)(void *arg, const char *memory, size_t bytes), void *arg);
/* The same rows in a batch of its own, with the long texts that they have and no others. */
weir_batch *wi_batch_copy(const weir_batch *batch);

/* A batch with these rows whose time, columns and diff may be written: the batch itself if
 * nobody else holds it, otherwise a view. Takes the reference. */
weir_batch *wi_batch_own(weir_batch *batch);

/* A view of rows [begin, begin + count), with their diffs; its time is for the caller to set. */
weir_batch *wi_batch_slice(const weir_batch *of, uint32_t begin, uint32_t count);

/* Room for `capacity` rows in another batch, from row `first` on, as a batch of its own: for many
 * that come and go together and are to lie in large pages. Types without texts only: long ones
 * that were the part's own would be gone before a view of it is. */
weir_batch *wi_batch_part(weir_batch *of, uint32_t first, uint32_t capacity);
/* The rows of a batch that is to take so many bytes in all. */
size_t wi_batch_rows_bytes(size_t bytes);

/* The memory of its rows and long texts. */
size_t wi_batch_bytes(const weir_batch *batch);

/* Makes the long texts of `count` rows, which are rows of `batch`, the batch's own. */
void wi_batch_own_texts(weir_batch *batch, void *rows, uint32_t count);

/* Adds a column and fills only its first `count` entries with the constant. */
void wi_batch_start_times(weir_batch *batch, uint32_t count);
void wi_batch_start_diffs(weir_batch *batch, uint32_t count);

#endif
