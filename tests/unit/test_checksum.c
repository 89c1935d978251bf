/* Checksums of frames: the same number whatever the processor can do, and however the bytes are
 * cut into parts. */
#include <check.h>
#include <stdlib.h>
#include <xxhash.h>

#include "net/checksum.h"
#include "tests/support/execution.h"

enum { BYTES_MAX = 70000 };

static void check_parts(const char *bytes, size_t count, unsigned short seed[3])
{
    wi_part parts[WI_WRITE_PARTS_MAX];
    uint32_t cuts = 0;
    size_t at = 0;
    for (; cuts < WI_WRITE_PARTS_MAX - 1; cuts++) {
        size_t piece = (size_t)nrand48(seed) % (count - at + 1);
        parts[cuts] = (wi_part){bytes + at, piece};
        at += piece;
    }
    parts[cuts++] = (wi_part){bytes + at, count - at};
    uint64_t expected = XXH3_64bits(bytes, count);
    wi_part whole = {bytes, count};
    ck_assert_uint_eq(wi_checksum(&whole, 1), expected);
    ck_assert_uint_eq(wi_checksum(parts, cuts), expected);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        ck_assert_uint_eq(wi_checksum_avx2(&whole, 1), expected);
        ck_assert_uint_eq(wi_checksum_avx2(parts, cuts), expected);
    }
#endif
}

START_TEST(all_give_the_same)
{
    unsigned short seed[3] = {1, 2, 3};
    static char bytes[BYTES_MAX];
    for (size_t i = 0; i < BYTES_MAX; i++)
        bytes[i] = (char)nrand48(seed);
    for (size_t count = 0; count < 300; count++)
        check_parts(bytes, count, seed);
    for (int round = 0; round < 300; round++)
        check_parts(bytes + round % 64, (size_t)nrand48(seed) % (BYTES_MAX - 64), seed);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("checksum");
    tcase_add_test(cases, all_give_the_same);
    return test_main("checksum", cases);
}
