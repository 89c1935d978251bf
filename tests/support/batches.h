/* Random batches of all shapes, and whether two are the same: for tests of what keeps batches
 * or moves them. For tests with libcheck. */
#ifndef WEIR_TESTS_SUPPORT_BATCHES_H
#define WEIR_TESTS_SUPPORT_BATCHES_H

#include <weir/weir.h>

/* A number below `below`, from a seed that moves on. */
static inline uint64_t test_draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = (*seed ^ *seed >> 33) * 0xff51afd7ed558ccdu;
    return (x >> 32) % below;
}

/* Row types: one byte; every kind of field; only long texts; no fields at all. */
#define TEST_BATCH_TYPES 4
const weir_type *test_batch_type(uint32_t index);

/* A batch of up to rows_max rows (at least one): sometimes with columns, sometimes a view, or a
 * view of a view, sometimes with texts in memory that it adopted. One text in a hundred has up
 * to text_max bytes, the others are short. */
weir_batch *test_batch_random(uint64_t *seed, const weir_type *type, uint32_t rows_max,
                              uint32_t text_max);
/* Fails the test unless rows, times and diffs are equal. */
void test_batch_same(const weir_batch *a, const weir_batch *b, const char *where);
/* Whether all long texts lie in these bytes. */
bool test_batch_texts_in(const weir_batch *batch, const char *bytes, size_t count);
/* Depends on every byte of every row: so that a sanitizer sees what is not there. */
uint64_t test_batch_hash(const weir_batch *batch);

#endif
