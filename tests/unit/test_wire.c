/* Batches as bytes: what comes back is what went, and of bytes that are no batch nothing
 * comes, or something that touches no memory beyond them. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/batch.h"
#include "runtime/wire.h"
#include "tests/support/batches.h"
#include "tests/support/execution.h"
#include "tests/support/memory.h"

/* ---- bytes ------------------------------------------------------------------------------ */

static uint32_t lent; /* bytes that were given to a batch and not released */

static void release(void *bytes)
{
    lent--;
    free(bytes);
}

/* Exactly as long as it says, so that a sanitizer sees the end. */
static char *copy_bytes(const char *bytes, size_t count)
{
    char *copy = NULL;
    ck_assert(posix_memalign((void **)&copy, 64, count ? count : 1) == 0);
    if (count)
        memcpy(copy, bytes, count);
    lent++;
    return copy;
}

/* The batch as it would be sent; takes the reference. */
static char *write_batch(weir_batch *batch, size_t *count_out)
{
    wi_wire *wire = wi_wire_new(batch);
    char *bytes = malloc(wire->bytes);
    size_t at = 0;
    for (uint32_t i = 0; i < wire->count; i++) {
        memcpy(bytes + at, wire->parts[i].at, wire->parts[i].bytes);
        at += wire->parts[i].bytes;
    }
    ck_assert_uint_eq(at, wire->bytes);
    ck_assert_uint_eq(at % 64, 0);
    wi_wire_free(wire);
    *count_out = at;
    return bytes;
}

/* NULL if they are none; then the bytes are released here. */
static weir_batch *read_batch(const weir_type *type, char *bytes, size_t count)
{
    weir_batch *batch = wi_wire_batch(type, bytes, count, release, bytes);
    if (!batch)
        release(bytes);
    return batch;
}

/* ---- there and back --------------------------------------------------------------------- */

static void there_and_back(uint64_t seed, const weir_type *type, uint32_t rows_max,
                           uint32_t text_max)
{
    char where[80];
    snprintf(where, sizeof where, "seed %llu, type %s", (unsigned long long)seed, type->name);
    weir_batch *batch = test_batch_random(&seed, type, rows_max, text_max);
    size_t count;
    char *bytes = write_batch(weir_batch_retain(batch), &count);
    char *received = copy_bytes(bytes, count);
    weir_batch *back = read_batch(type, received, count);
    ck_assert_msg(back != NULL, "%s: refused", where);
    test_batch_same(batch, back, where);
    if (count >= WI_WIRE_LENT_MIN)
        ck_assert_msg(test_batch_texts_in(back, received, count), "%s: a text elsewhere", where);
    else
        ck_assert_uint_eq(lent, 0);
    /* and again, from what was received */
    size_t again;
    char *second = write_batch(weir_batch_retain(back), &again);
    weir_batch_drop(batch);
    weir_batch *twice = read_batch(type, copy_bytes(second, again), again);
    ck_assert_msg(twice != NULL, "%s: refused when sent on", where);
    test_batch_same(back, twice, where);
    weir_batch_drop(back);
    weir_batch_drop(twice);
    ck_assert_uint_eq(lent, 0);
    free(bytes);
    free(second);
}

START_TEST(batches_come_back_as_they_were)
{
    for (uint64_t seed = 1; seed <= (test_sanitized() ? 50 : 200); seed++)
        there_and_back(seed, test_batch_type(_i), seed % 4 ? 50 : 3000, 20000);
}
END_TEST

/* Texts of megabytes, and a heap of many pieces. */
START_TEST(large_texts_come_back)
{
    uint32_t rows = test_sanitized() ? 1000 : 10000;
    for (uint64_t seed = 1; seed <= 3; seed++)
        there_and_back(seed, test_batch_type(2), rows, test_sanitized() ? 300000 : 3000000);
}
END_TEST

/* What a received batch is used for afterwards: views and columns of its own. */
START_TEST(received_batches_can_be_views_and_get_columns)
{
    uint64_t seed = 11;
    weir_batch *batch = test_batch_random(&seed, test_batch_type(1), 3000, 100);
    size_t count;
    char *bytes = write_batch(weir_batch_retain(batch), &count);
    ck_assert_uint_ge(count, WI_WIRE_LENT_MIN);
    weir_batch *back = read_batch(batch->type, copy_bytes(bytes, count), count);
    weir_batch *view = weir_batch_view(back);
    weir_batch_add_times(back);
    weir_batch_add_diffs(back);
    test_batch_same(batch, view, "the view");
    weir_batch_drop(back);
    ck_assert_uint_eq(lent, 1); /* the view needs the bytes */
    test_batch_same(batch, view, "the view alone");
    weir_batch_drop(view);
    ck_assert_uint_eq(lent, 0);
    weir_batch_drop(batch);
    free(bytes);
}
END_TEST

/* ---- bytes that are no batch ------------------------------------------------------------ */

/* Nothing, or a batch that is sound. */
static bool read_damaged(const weir_type *type, const char *bytes, size_t count, const char *where)
{
    char *received = copy_bytes(bytes, count);
    weir_batch *batch = read_batch(type, received, count);
    if (!batch)
        return false;
    ck_assert_msg((size_t)batch->count * type->size <= count, "%s: %u rows", where, batch->count);
    if (lent)
        ck_assert_msg(test_batch_texts_in(batch, received, count), "%s: a text elsewhere", where);
    static volatile uint64_t sum WEIR_UNUSED;
    sum += test_batch_hash(batch);
    weir_batch_drop(batch);
    ck_assert_uint_eq(lent, 0);
    return true;
}

START_TEST(truncated_bytes_are_refused)
{
    for (uint64_t first = 1; first <= 6; first++) {
        uint64_t seed = first;
        const weir_type *type = test_batch_type(_i);
        weir_batch *batch = test_batch_random(&seed, type, first == 6 ? 2000 : 30, 1000);
        size_t count;
        char *bytes = write_batch(batch, &count);
        size_t step = count > 20000 ? 97 : 1;
        for (size_t cut = 0; cut < count; cut += step)
            ck_assert_msg(!read_damaged(type, bytes, cut, "truncated"),
                          "seed %llu: %zu of %zu bytes are taken for a batch",
                          (unsigned long long)first, cut, count);
        ck_assert(read_damaged(type, bytes, count, "whole"));
        bytes = realloc(bytes, count + 64);
        memset(bytes + count, 0, 64);
        for (size_t more = 1; more <= 64; more++)
            ck_assert(!read_damaged(type, bytes, count + more, "too long"));
        free(bytes);
    }
}
END_TEST

/* Numbers at which things go wrong, if anything does. */
static uint64_t draw_number(uint64_t *seed, uint64_t was)
{
    static const uint64_t edges[] = {0, 1, 11, 12, 13, 63, 64, 65, 4095, 4096, 4097, 65535};
    switch (test_draw(seed, 8)) {
    case 0:
        return edges[test_draw(seed, sizeof edges / sizeof *edges)];
    case 1:
        return was + test_draw(seed, 130) - 65;
    case 2:
        return UINT64_MAX - test_draw(seed, 130);
    case 3:
        return UINT32_MAX - test_draw(seed, 130);
    case 4:
        return UINT64_C(1) << test_draw(seed, 64);
    case 5:
        return was ^ UINT64_C(1) << test_draw(seed, 64);
    case 6:
        return was * (1 + test_draw(seed, 9));
    default:
        return test_draw(seed, UINT32_MAX) << 32 | test_draw(seed, UINT32_MAX);
    }
}

/* Some bytes are changed: often in the head, and as numbers of four or eight bytes; or swapped
 * with others. */
static void mutate(uint64_t *seed, char *bytes, size_t count)
{
    for (uint64_t changes = 1 + test_draw(seed, 4); changes; changes--) {
        size_t from = test_draw(seed, 3) ? count : sizeof(wi_wire_head);
        size_t at = test_draw(seed, from / 8) * 8;
        uint64_t number;
        uint32_t half;
        memcpy(&number, bytes + at, 8);
        switch (test_draw(seed, 4)) {
        case 0:
            bytes[at + test_draw(seed, 8)] = (char)test_draw(seed, 256);
            break;
        case 1:
            half = (uint32_t)draw_number(seed, (uint32_t)number);
            memcpy(bytes + at + 4 * test_draw(seed, 2), &half, 4);
            break;
        case 2:
            number = draw_number(seed, number);
            memcpy(bytes + at, &number, 8);
            break;
        case 3:
            memcpy(bytes + at, bytes + test_draw(seed, count / 8) * 8, 8);
            break;
        }
    }
}

START_TEST(damaged_bytes_do_no_harm)
{
    uint32_t cases = test_sanitized() ? 3000 : 15000, taken = 0;
    const weir_type *type = test_batch_type(_i);
    uint64_t seed = 5;
    weir_batch *first = test_batch_random(&seed, type, 10, 100);
    weir_batch_drop(first);
    int64_t before = test_bytes_in_use();
    size_t count = 0;
    char *bytes = NULL;
    for (uint32_t i = 0; i < cases; i++) {
        if (i % 100 == 0) {
            free(bytes);
            bytes = write_batch(test_batch_random(&seed, type, i % 1000 ? 40 : 2000, 3000), &count);
        }
        char where[64];
        snprintf(where, sizeof where, "type %s, case %u", type->name, i);
        char *damaged = malloc(count);
        memcpy(damaged, bytes, count);
        mutate(&seed, damaged, count);
        taken += read_damaged(type, damaged, count, where);
        free(damaged);
    }
    free(bytes);
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_lt(taken, cases);
    test_flush_cache();
    if (before >= 0)
        ck_assert_int_le(test_bytes_in_use() - before, 64 * 1024);
}
END_TEST

/* Bytes of one type, taken for those of another. */
START_TEST(bytes_of_another_type_do_no_harm)
{
    uint64_t seed = 7;
    for (uint32_t i = 0; i < 200; i++)
        for (uint32_t from = 0; from < TEST_BATCH_TYPES; from++)
            for (uint32_t to = 0; to < TEST_BATCH_TYPES; to++) {
                size_t count;
                char *bytes = write_batch(
                    test_batch_random(&seed, test_batch_type(from), i % 10 ? 60 : 1500, 500),
                    &count);
                bool taken = read_damaged(test_batch_type(to), bytes, count, "another type");
                if (from == to)
                    ck_assert(taken);
                free(bytes);
            }
}
END_TEST

/* Counts that would need a lot of memory if they were believed: none is asked for. */
START_TEST(counts_that_are_too_large_cost_nothing)
{
    static const uint32_t counts[] = {0x7fffffff, 0x80000000, 0xffffffff, 0x04000000, 0x01000001};
    for (uint32_t t = 0; t < TEST_BATCH_TYPES - 1; t++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (int what = 0; what < 8; what++) {
                char bytes[4096] = {0};
                wi_wire_head *head = (wi_wire_head *)bytes;
                head->count = what & 1 ? counts[i] : 1;
                head->pieces = what & 1 ? 0 : counts[i];
                head->has_times = what >> 1 & 1;
                head->has_diffs = what >> 2 & 1;
                ck_assert(!read_damaged(test_batch_type(t), bytes, sizeof bytes, "counts"));
            }
    ck_assert_int_lt(test_resident_bytes(), (int64_t)1 << 30);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("wire");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, batches_come_back_as_they_were, 0, TEST_BATCH_TYPES);
    tcase_add_test(cases, large_texts_come_back);
    tcase_add_test(cases, received_batches_can_be_views_and_get_columns);
    tcase_add_loop_test(cases, truncated_bytes_are_refused, 0, TEST_BATCH_TYPES);
    tcase_add_loop_test(cases, damaged_bytes_do_no_harm, 0, TEST_BATCH_TYPES);
    tcase_add_test(cases, bytes_of_another_type_do_no_harm);
    tcase_add_test(cases, counts_that_are_too_large_cost_nothing);
    return test_main("wire", cases);
}
