/* Large arrays: those freed are used again, those beyond the budget go to files. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/pages.h"

#define MB ((size_t)1 << 20)

/* Of the process: resident pages that are not of files, MB; 0 with sanitizers, which keep what
 * they know of memory in memory. */
static size_t resident_anonymous(void)
{
    char line[256];
    size_t kb = 0;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#endif
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %zu kB", &kb) == 1)
            break;
    fclose(file);
    return kb / 1024;
}

static void fill(char *array, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i += 512)
        memcpy(array + i, &(size_t){i * seed}, sizeof(size_t));
}

static bool holds(const char *array, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i += 512)
        if (memcmp(array + i, &(size_t){i * seed}, sizeof(size_t)) != 0)
            return false;
    return true;
}

START_TEST(arrays_of_all_sizes)
{
    for (size_t bytes = 1; bytes < 40 * MB; bytes = bytes * 5 / 3 + 1) {
        char *array = wi_pages_new(bytes);
        fill(array, bytes & ~(size_t)511, 3);
        array = wi_pages_trim(array, bytes, bytes / 3 + 1);
        ck_assert(holds(array, (bytes / 3) & ~(size_t)511, 3));
        wi_pages_free(array, bytes / 3 + 1);
    }
}
END_TEST

START_TEST(zeroed_arrays_are_zero_though_memory_is_used_again)
{
    for (size_t bytes = 1000; bytes < 40 * MB; bytes *= 3) {
        char *array = wi_pages_new(bytes);
        memset(array, 1, bytes);
        wi_pages_free(array, bytes);
        array = wi_pages_zeroed(bytes);
        ck_assert(array[0] == 0 && memcmp(array, array + 1, bytes - 1) == 0);
        wi_pages_free(array, bytes);
    }
}
END_TEST

START_TEST(what_is_cut_off_in_front_is_given_back)
{
    size_t before = resident_anonymous(), left = 64 * MB, all = left;
    char *array = wi_pages_new(left), *rest = array;
    fill(array, left, 3);
    for (size_t done = 3 * MB; done < all; done += 3 * MB) {
        rest = wi_pages_cut(rest, &left, done - (all - left));
        ck_assert_ptr_eq(rest, array + (all - left));
        ck_assert_uint_le(all - left, done);
        ck_assert_int_eq(memcmp(array + done, &(size_t){done * 3}, sizeof(size_t)), 0);
        ck_assert_uint_le(resident_anonymous(), before + left / MB + 2);
    }
    ck_assert_ptr_null(wi_pages_cut(rest, &left, left));
    ck_assert_uint_eq(left, 0);
    ck_assert_uint_le(resident_anonymous(), before + 2);
}
END_TEST

/* Read from one end to the other as another is written, there are never pages for both. */
START_TEST(pages_that_were_read_are_written)
{
    enum { PIECES = 40 };
    size_t before = resident_anonymous(), piece = 2 * MB + 5000, paged = 0;
    char *pieces[PIECES], *array = wi_pages_new(PIECES * piece);
    for (unsigned i = 0; i < PIECES; i++)
        fill(pieces[i] = wi_pages_new(piece), 2 * MB, 3);
    for (unsigned i = 0; i < PIECES; i++) {
        ck_assert(holds(pieces[i], 2 * MB, 3));
        fill(array + i * 2 * MB, 2 * MB, i);
        size_t next = wi_pages_place((i + 1) * 2 * MB);
        paged = paged < next ? next : paged;
        paged += wi_pages_move(array, PIECES * piece, paged, pieces[i], piece);
        ck_assert_uint_le(resident_anonymous(), before + 2 * PIECES + 10);
    }
    for (unsigned i = 0; i < PIECES; i++)
        ck_assert(holds(array + i * 2 * MB, 2 * MB, i));
    array = wi_pages_trim(array, PIECES * piece, 11 * MB);
    ck_assert(holds(array + 2 * MB, 2 * MB, 1));
    wi_pages_free(array, 11 * MB);
    char *again = wi_pages_zeroed(11 * MB); /* of the same memory, perhaps */
    ck_assert(again[0] == 0 && memcmp(again, again + 1, 11 * MB - 1) == 0);
    wi_pages_free(again, 11 * MB);
}
END_TEST

START_TEST(freed_memory_is_bounded)
{
    void *arrays[40];
    for (int i = 0; i < 40; i++)
        fill(arrays[i] = wi_pages_new((4 + i % 3) * MB), 4 * MB, 1);
    for (int i = 0; i < 40; i++)
        wi_pages_free(arrays[i], (4 + i % 3) * MB);
    ck_assert_uint_lt(resident_anonymous(), 100);
}
END_TEST

START_TEST(beyond_the_budget_arrays_go_to_files)
{
    weir_err *err = wi_pages_budget(32 * MB, "/var/tmp");
    ck_assert_ptr_null(err);
    size_t before = resident_anonymous();
    char *arrays[20];
    for (unsigned i = 0; i < 20; i++) {
        arrays[i] = wi_pages_new(8 * MB);
        fill(arrays[i], 8 * MB, i);
        wi_pages_settle(arrays[i], 8 * MB);
    }
    ck_assert_uint_le(resident_anonymous(), before + 48);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert(holds(arrays[i], 8 * MB, i));
        arrays[i] = wi_pages_trim(arrays[i], 8 * MB, 3 * MB);
        ck_assert(holds(arrays[i], 3 * MB, i));
    }
    for (unsigned i = 0; i < 20; i++)
        wi_pages_free(arrays[i], 3 * MB);
    char *again = wi_pages_new(8 * MB), *of_file = wi_pages_new(48 * MB);
    fill(again, 8 * MB, 5);
    fill(of_file, 48 * MB, 7);
    ck_assert_uint_eq(wi_pages_move(of_file, 48 * MB, 4 * MB, again, 8 * MB), 0);
    ck_assert(holds(of_file, 48 * MB, 7));
    wi_pages_free(of_file, 48 * MB);
    wi_pages_budget_end();
}
END_TEST

START_TEST(a_directory_that_cannot_be_written_is_an_error)
{
    weir_err *err = wi_pages_budget(MB, "/nowhere/at/all");
    ck_assert_ptr_nonnull(err);
    ck_assert_ptr_nonnull(strstr(weir_err_message(err), "/nowhere/at/all"));
    weir_err_free(err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pages");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, arrays_of_all_sizes);
    tcase_add_test(all, zeroed_arrays_are_zero_though_memory_is_used_again);
    tcase_add_test(all, what_is_cut_off_in_front_is_given_back);
    tcase_add_test(all, pages_that_were_read_are_written);
    tcase_add_test(all, freed_memory_is_bounded);
    tcase_add_test(all, beyond_the_budget_arrays_go_to_files);
    tcase_add_test(all, a_directory_that_cannot_be_written_is_an_error);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
