/* The codec of progress changes: what is encoded is decoded, also by protobuf; what was cut or
 * changed is refused, or is the one encoding of something else; and nobody allocates more than
 * the bytes justify. */
#include <stdlib.h>
#include <string.h>

#include <proto/progress.pb-c.h>

#include "proto/progress.h"
#include "tests/support/execution.h"

#define CHANGES_MAX 40

static const uint8_t dims[] = {1, 1, 2, 3, 4, 1, 2, 1};
static const wi_progress_places places = {dims, sizeof dims};

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *seed;
    return (x ^ x >> 33) * 0xff51afd7ed558ccdu >> 16;
}

static uint64_t draw_coordinate(uint64_t *seed)
{
    switch (draw(seed) % 6) {
    case 0:
        return UINT64_MAX - draw(seed) % 3;
    case 1:
        return draw(seed) << 16 ^ draw(seed);
    default:
        return 1000 + draw(seed) % 4;
    }
}

static uint32_t draw_changes(uint64_t *seed, wi_progress_change changes[CHANGES_MAX])
{
    static const int64_t deltas[] = {1, -1, 1, -1, 0, 2, INT64_MIN, INT64_MAX, -300};
    uint32_t count = (uint32_t)(draw(seed) % (CHANGES_MAX + 1));
    for (uint32_t i = 0; i < count; i++) {
        wi_progress_change *change = &changes[i];
        *change = (wi_progress_change){.loc = (uint32_t)(draw(seed) % sizeof dims),
                                       .delta = deltas[draw(seed) % 9]};
        for (int d = 0; d < dims[change->loc]; d++)
            change->time.at[d] = draw_coordinate(seed);
        if (i && draw(seed) % 3 == 0 && dims[change->loc] == dims[changes[i - 1].loc])
            change->time = changes[i - 1].time;
    }
    return count;
}

static void check_same(const wi_progress_change *a, const wi_progress_change *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(a[i].loc, b[i].loc);
        ck_assert_int_eq(a[i].delta, b[i].delta);
        ck_assert(weir_time_eq(&a[i].time, &b[i].time));
    }
}

START_TEST(round_trips)
{
    uint64_t seed = 1;
    wi_progress_change changes[CHANGES_MAX];
    wi_progress_batch batch = {0};
    for (int round = 0; round < 20000; round++) {
        uint32_t count = draw_changes(&seed, changes);
        unsigned char *bytes = malloc(wi_progress_bytes_max(count));
        size_t used = wi_progress_encode(&places, changes, count, bytes);
        ck_assert_uint_le(used, wi_progress_bytes_max(count));
        bytes = realloc(bytes, used); /* so that a sanitizer sees who reads on */
        ck_assert(wi_progress_decode(&places, bytes, used, &batch));
        ck_assert_uint_eq(batch.count, count);
        check_same(batch.changes, changes, count);
        free(bytes);
    }
    wi_progress_batch_fini(&batch);
}
END_TEST

START_TEST(usual_changes_are_small)
{
    wi_progress_change changes[3] = {{.loc = 5, .delta = 1, .time = {{1000}}},
                                     {.loc = 5, .delta = -1, .time = {{999}}},
                                     {.loc = 7, .delta = 1, .time = {{999}}}};
    unsigned char bytes[256];
    ck_assert_uint_le(wi_progress_encode(&places, changes, 3, bytes), 1 + 4 + 2 + 2);
}
END_TEST

/* All of it in protobuf, and back. */
START_TEST(protobuf_carries_the_same)
{
    uint64_t seed = 3;
    wi_progress_change changes[CHANGES_MAX], again[CHANGES_MAX];
    for (int round = 0; round < 500; round++) {
        uint32_t count = draw_changes(&seed, changes), loc[CHANGES_MAX], coordinates = 0;
        int64_t delta[CHANGES_MAX];
        uint64_t at[CHANGES_MAX * WEIR_DIMS_MAX];
        for (uint32_t i = 0; i < count; i++) {
            loc[i] = changes[i].loc;
            delta[i] = changes[i].delta;
            for (int d = 0; d < dims[loc[i]]; d++)
                at[coordinates++] = changes[i].time.at[d];
        }
        Weir__ProgressChanges message = WEIR__PROGRESS_CHANGES__INIT;
        message.n_loc = message.n_delta = count;
        message.loc = loc;
        message.delta = delta;
        message.n_coordinates = coordinates;
        message.coordinates = at;
        uint8_t bytes[8192];
        ck_assert_uint_le(weir__progress_changes__get_packed_size(&message), sizeof bytes);
        size_t used = weir__progress_changes__pack(&message, bytes);
        Weir__ProgressChanges *back = weir__progress_changes__unpack(NULL, used, bytes);
        ck_assert(back && back->n_loc == count && back->n_delta == count);
        const uint64_t *next = back->coordinates;
        for (uint32_t i = 0; i < count; i++) {
            again[i] = (wi_progress_change){.loc = back->loc[i], .delta = back->delta[i]};
            for (int d = 0; d < dims[back->loc[i]]; d++)
                again[i].time.at[d] = *next++;
        }
        weir__progress_changes__free_unpacked(back, NULL);
        check_same(again, changes, count);
        unsigned char ours[2][8192];
        size_t ours_used = wi_progress_encode(&places, changes, count, ours[0]);
        ck_assert_uint_eq(wi_progress_encode(&places, again, count, ours[1]), ours_used);
        ck_assert_mem_eq(ours[0], ours[1], ours_used);
    }
}
END_TEST

/* Decodes what may be anything. If it is accepted it must be the encoding of what came out. */
static bool accepts(const unsigned char *bytes, size_t count)
{
    unsigned char *exact = malloc(count ? count : 1), again[8192];
    memcpy(exact, bytes, count);
    wi_progress_batch batch = {0};
    bool accepted = wi_progress_decode(&places, exact, count, &batch);
    ck_assert_uint_le(batch.capacity, count);
    if (accepted) {
        ck_assert_uint_le(wi_progress_bytes_max(batch.count), sizeof again);
        ck_assert_uint_eq(wi_progress_encode(&places, batch.changes, batch.count, again), count);
        ck_assert_mem_eq(again, bytes, count);
    } else {
        ck_assert_uint_eq(batch.count, 0);
    }
    wi_progress_batch_fini(&batch);
    free(exact);
    return accepted;
}

START_TEST(every_truncation_is_refused)
{
    uint64_t seed = 4;
    wi_progress_change changes[CHANGES_MAX];
    unsigned char bytes[8192];
    for (int round = 0; round < 500; round++) {
        uint32_t count = draw_changes(&seed, changes);
        size_t used = wi_progress_encode(&places, changes, count, bytes);
        ck_assert(accepts(bytes, used));
        for (size_t cut = 0; cut < used; cut++)
            ck_assert(!accepts(bytes, cut));
        bytes[used] = 0;
        ck_assert(!accepts(bytes, used + 1));
    }
}
END_TEST

START_TEST(mutations_are_refused_or_mean_something_else)
{
    uint64_t seed = 5, accepted = 0, refused = 0;
    wi_progress_change changes[CHANGES_MAX];
    unsigned char bytes[8192];
    for (int round = 0; round < 30000; round++) {
        uint32_t count = 1 + draw_changes(&seed, changes) % 8;
        changes[0] = (wi_progress_change){.loc = 3, .delta = 5, .time = {{1, 2, 3}}};
        size_t used = wi_progress_encode(&places, changes, count, bytes);
        for (uint64_t i = draw(&seed) % 3; i < 3; i++)
            bytes[draw(&seed) % used] = (unsigned char)draw(&seed);
        if (accepts(bytes, used))
            accepted++;
        else
            refused++;
    }
    ck_assert_uint_gt(accepted, 100);
    ck_assert_uint_gt(refused, 100);
}
END_TEST

START_TEST(lies_are_refused)
{
    static const struct {
        const char *what;
        unsigned char bytes[16];
        size_t count;
    } lies[] = {
        {"nothing at all", {0}, 0},
        {"2^63 changes", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 9},
        {"more changes than bytes", {3, 12, 12}, 3},
        {"a count with a zero too much", {0x81, 0x00, 12}, 3},
        {"a number beyond 2^64", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, 10},
        {"a location that is not there", {1, 8, 16}, 3},
        {"a location before the first", {1, 8, 1}, 3},
        {"the same location, written", {1, 8, 0}, 3},
        {"a delta of 1, written", {1, 14, 2}, 3},
        {"an unknown head", {1, 16}, 2},
        {"delta code 3", {1, 15}, 2},
        {"the same time, written", {1, 4, 0}, 3},
        {"trailing bytes", {1, 12, 12}, 3},
        {"a time with more coordinates than there are", {2, 0, 4, 2, 2, 8, 3}, 7},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        ck_assert_msg(!accepts(lies[i].bytes, lies[i].count), "%s", lies[i].what);
    ck_assert(accepts((const unsigned char[]){1, 12}, 2));
    ck_assert(accepts((const unsigned char[]){0}, 1));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("codec");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, round_trips);
    tcase_add_test(cases, usual_changes_are_small);
    tcase_add_test(cases, protobuf_carries_the_same);
    tcase_add_test(cases, every_truncation_is_refused);
    tcase_add_test(cases, mutations_are_refused_or_mean_something_else);
    tcase_add_test(cases, lies_are_refused);
    return test_main("progress codec", cases);
}
