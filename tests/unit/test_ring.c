/* The ring between two workers: order, and its bounds in envelopes and in bytes. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "runtime/ring.h"

#define NUM(F) F(u64, value)
#define KILOBYTES(F) F(weir_byte, bytes, 65536)
WEIR_ROW(num, NUM)
WEIR_ROW(kilobytes, KILOBYTES)

static wi_ring *new_ring(void)
{
    wi_ring *ring = aligned_alloc(_Alignof(wi_ring), sizeof *ring);
    memset(ring, 0, sizeof *ring);
    return ring;
}

static weir_batch *batch_of(const weir_type *type)
{
    weir_batch *batch = weir_batch_new(type, 1);
    batch->count = 1;
    memset(batch->rows, 0, type->size);
    return batch;
}

/* Pushes until the ring is full; returns how many. */
static uint32_t fill(wi_ring *ring, const weir_type *type)
{
    uint32_t count = 0;
    for (;; count++) {
        wi_envelope envelope = {.op = count, .batch = batch_of(type)};
        if (wi_ring_push(ring, envelope))
            continue;
        weir_batch_drop(envelope.batch);
        return count;
    }
}

static void take(wi_ring *ring, uint32_t first, uint32_t count)
{
    wi_envelope envelope;
    for (uint32_t i = 0; i < count; i++) {
        ck_assert(wi_ring_pop(ring, &envelope));
        ck_assert_uint_eq(envelope.op, first + i);
        weir_batch_drop(envelope.batch);
    }
}

START_TEST(full_by_envelopes)
{
    wi_ring *ring = new_ring();
    for (int round = 0; round < 3; round++) {
        ck_assert(wi_ring_empty(ring));
        ck_assert_uint_eq(fill(ring, &num_type), WI_RING_SLOTS);
        take(ring, 0, 10);
        ck_assert_uint_eq(fill(ring, &num_type), 10);
        take(ring, 10, WI_RING_SLOTS - 10);
        take(ring, 0, 10);
    }
    ck_assert(wi_ring_empty(ring));
    free(ring);
}
END_TEST

START_TEST(full_by_bytes)
{
    wi_ring *ring = new_ring();
    uint32_t most = WI_RING_BYTES_MAX / sizeof(kilobytes);
    for (int round = 0; round < 20; round++) {
        ck_assert_uint_eq(fill(ring, &kilobytes_type), most);
        take(ring, 0, 3);
        ck_assert_uint_eq(fill(ring, &kilobytes_type), 3);
        take(ring, 3, most - 3);
        take(ring, 0, 3);
    }
    free(ring);
}
END_TEST

/* However large, one batch goes at a time. */
START_TEST(a_batch_larger_than_the_bound)
{
    wi_ring *ring = new_ring();
    weir_batch *large = weir_batch_new(&kilobytes_type, 100);
    large->count = 100;
    ck_assert(wi_ring_push(ring, (wi_envelope){.batch = large}));
    ck_assert_uint_eq(fill(ring, &num_type), 0);
    take(ring, 0, 1);
    ck_assert_uint_eq(fill(ring, &num_type), WI_RING_SLOTS);
    take(ring, 0, WI_RING_SLOTS);
    free(ring);
}
END_TEST

enum { SENT = 200000 };

static void *send_all(void *arg)
{
    wi_ring *ring = arg;
    for (uint32_t i = 0; i < SENT; i++) {
        wi_envelope envelope = {.op = i, .batch = batch_of(&num_type)};
        while (!wi_ring_push(ring, envelope))
            sched_yield();
    }
    return NULL;
}

START_TEST(between_two_threads)
{
    wi_ring *ring = new_ring();
    pthread_t sender;
    ck_assert_int_eq(pthread_create(&sender, NULL, send_all, ring), 0);
    for (uint32_t i = 0; i < SENT;) {
        if (wi_ring_empty(ring))
            sched_yield();
        else
            take(ring, i++, 1);
    }
    pthread_join(sender, NULL);
    ck_assert(wi_ring_empty(ring));
    free(ring);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tests = tcase_create("ring");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, full_by_envelopes);
    tcase_add_test(tests, full_by_bytes);
    tcase_add_test(tests, a_batch_larger_than_the_bound);
    tcase_add_test(tests, between_two_threads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
