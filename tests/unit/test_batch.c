/* Batches, their heap of long texts, and writing rows through a weir_out. */
#include <weir/kernel.h>

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/batch.h"
#include "base/out.h"

#define NOTHING(F)
#define NUM(F) F(u64, value)
#define WORD(F) F(weir_text, text)
#define GAPS(F) F(u8, a) F(u64, b) F(weir_text, c) F(bool, d)
#define TEST_HUGE(F) F(weir_byte, bytes, 1048576)
WEIR_ROW(nothing, NOTHING)
WEIR_ROW(num, NUM)
WEIR_ROW(word, WORD)
WEIR_ROW(gaps, GAPS)
WEIR_ROW(huge, TEST_HUGE)

/* ---- batches ------------------------------------------------------------------------------ */

START_TEST(a_new_batch)
{
    const weir_type *types[] = {&nothing_type, &num_type, &gaps_type, &huge_type};
    for (int i = 0; i < 4; i++)
        for (uint32_t capacity = 0; capacity < 4; capacity++) {
            weir_batch *batch = weir_batch_new(types[i], capacity);
            ck_assert_uint_eq(batch->count, 0);
            ck_assert_uint_eq(batch->capacity, capacity);
            ck_assert_uint_eq((uintptr_t)batch->rows % 64, 0);
            ck_assert(weir_time_eq(&batch->time, &WEIR_EPOCH(0)));
            ck_assert_int_eq(batch->diff, 1);
            ck_assert_ptr_null(batch->times);
            ck_assert_ptr_null(batch->diffs);
            memset(batch->rows, 0xff, (size_t)capacity * types[i]->size);
            weir_batch_drop(batch);
        }
    weir_batch_drop(NULL);
}
END_TEST

START_TEST(usual_sizes)
{
    ck_assert_uint_eq(weir_batch_rows_usual(&nothing_type), 65536);
    ck_assert_uint_eq(weir_batch_rows_usual(&num_type), 8192);
    ck_assert_uint_eq(weir_batch_rows_usual(&huge_type), 1);
}
END_TEST

START_TEST(a_batch_like_another)
{
    weir_batch *from = weir_batch_new(&num_type, 8);
    from->count = 3;
    from->time = WEIR_EPOCH(7);
    from->diff = -2;
    weir_batch *plain = weir_batch_like(from, &gaps_type);
    ck_assert_uint_eq(plain->count, 3);
    ck_assert_ptr_eq(plain->type, &gaps_type);
    ck_assert_ptr_null(plain->times);
    ck_assert_ptr_null(plain->diffs);
    ck_assert_int_eq(weir_batch_diff(plain, 2), -2);
    weir_batch_add_times(from);
    weir_batch_add_diffs(from);
    ck_assert_int_eq(from->diffs[7], -2);
    ck_assert(weir_time_eq(&from->times[7], &from->time));
    from->times[1] = WEIR_EPOCH(9);
    from->diffs[2] = 5;
    weir_batch *columns = weir_batch_like(from, &gaps_type);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(weir_batch_diff(columns, i), i == 2 ? 5 : -2);
        ck_assert_uint_eq(weir_batch_time(columns, i)->at[0], i == 1 ? 9 : 7);
    }
    weir_batch_drop(from);
    weir_batch_drop(plain);
    weir_batch_drop(columns);
}
END_TEST

static void *drop_many(void *arg)
{
    weir_batch **batches = arg;
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(num_at(batches[i], 0)->value, (uint64_t)i);
        weir_batch_drop(weir_batch_retain(batches[i]));
        weir_batch_drop(batches[i]);
    }
    return NULL;
}

START_TEST(references_are_dropped_by_several_threads)
{
    weir_batch *batches[1000];
    pthread_t threads[4];
    for (int i = 0; i < 1000; i++) {
        batches[i] = weir_batch_new(&num_type, 1);
        num_at(batches[i], 0)->value = (uint64_t)i;
        for (int t = 0; t < 3; t++)
            ck_assert_ptr_eq(weir_batch_retain(batches[i]), batches[i]);
    }
    for (int t = 0; t < 4; t++)
        pthread_create(&threads[t], NULL, drop_many, batches);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
}
END_TEST

/* ---- the heap of long texts --------------------------------------------------------------- */

START_TEST(long_texts_stay_in_place)
{
    static char bytes[3 << 20];
    weir_batch *batch = weir_batch_new(&word_type, 4000);
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t length = i % 1000 == 999 ? sizeof bytes : 13 + i;
        memset(bytes, (int)(i % 251), length);
        word_at(batch, i)->text = weir_text_new(batch, bytes, length);
    }
    for (uint32_t i = 0; i < 4000; i++) {
        const weir_text *text = &word_at(batch, i)->text;
        ck_assert_uint_eq(text->length, i % 1000 == 999 ? sizeof bytes : 13 + i);
        ck_assert_uint_eq((unsigned char)text->at[0], i % 251);
        ck_assert_uint_eq((unsigned char)text->at[text->length - 1], i % 251);
        weir_text before = *text;
        weir_text_move_in(batch, &word_at(batch, i)->text); /* it is in already */
        ck_assert_mem_eq(&before, text, sizeof before);
    }
    weir_batch_drop(batch);
}
END_TEST

START_TEST(foreign_texts_are_moved_in_once)
{
    const char *bytes = "some text of more than twelve bytes";
    weir_batch *batch = weir_batch_new(&word_type, 1);
    weir_text text = weir_text_c(bytes), small = weir_text_c("twelve bytes");
    weir_text_move_in(batch, &small);
    ck_assert_ptr_null(batch->heap);
    weir_text_move_in(batch, &text);
    ck_assert_ptr_ne(text.at, bytes);
    const char *at = text.at;
    weir_text part = weir_text_of(text.at + 5, text.length - 5);
    weir_text_move_in(batch, &text);
    weir_text_move_in(batch, &part);
    ck_assert_ptr_eq(text.at, at);
    ck_assert_ptr_eq(part.at, at + 5);
    weir_batch_drop(batch);
}
END_TEST

START_TEST(texts_of_an_adopted_buffer_are_not_copied)
{
    weir_batch *batch = weir_batch_new(&word_type, 1);
    char *part = wi_alloc(100000);
    memset(part, 'x', 100000);
    wi_batch_adopt(batch, part, 100000);
    weir_text first = weir_text_of(part, 20), last = weir_text_of(part + 99980, 20);
    weir_text_move_in(batch, &first);
    weir_text_move_in(batch, &last);
    ck_assert_ptr_eq(first.at, part);
    ck_assert_ptr_eq(last.at, part + 99980);
    weir_batch *half = weir_batch_new(&word_type, 1);
    char *whole = wi_alloc(100);
    memset(whole, 'y', 100);
    wi_batch_adopt(half, whole, 50);
    weir_text beyond = weir_text_of(whole + 50, 20);
    weir_text_move_in(half, &beyond);
    ck_assert_ptr_ne(beyond.at, whole + 50);
    weir_batch_drop(half);
    weir_text outside = weir_text_new(batch, "a text that comes from elsewhere", 32);
    ck_assert(outside.at < part || outside.at >= part + 100000);
    weir_text_move_in(batch, &first);
    ck_assert_ptr_eq(first.at, part);
    weir_batch_drop(batch);
}
END_TEST

/* ---- writing rows ------------------------------------------------------------------------------
 */

/* Collects what an out sends, in batches of `capacity` rows. */
typedef struct sent {
    uint32_t capacity, count;
    weir_batch *batches[64];
    uint32_t misused;
} sent;

static void send(weir_out *out)
{
    sent *to = out->owner;
    weir_batch *batch = wi_out_seal(out);
    if (batch)
        to->batches[to->count++] = batch;
}

static void full(weir_out *out)
{
    sent *to = out->owner;
    ck_assert_uint_eq(out->count, out->capacity);
    send(out);
    wi_out_next(out, to->capacity);
}

static void misuse(weir_out *out, const weir_time *time)
{
    sent *to = out->owner;
    ck_assert(!weir_time_le(&out->opened, time));
    to->misused++;
}

static void begin(weir_out *out, sent *to, const weir_type *type, uint32_t capacity, uint64_t epoch)
{
    *to = (sent){.capacity = capacity};
    wi_out_init(out, type, full, to);
    wi_out_on_misuse(out, misuse);
    wi_out_open(out, &WEIR_EPOCH(epoch), capacity);
}

static void end(weir_out *out, sent *to)
{
    for (uint32_t i = 0; i < to->count; i++)
        weir_batch_drop(to->batches[i]);
    wi_out_fini(out);
}

static void push_nums(weir_out *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        num_push(out, (num){i});
}

START_TEST(rows_of_one_time_and_diff_have_no_columns)
{
    weir_out out;
    sent to;
    begin(&out, &to, &num_type, 10, 4);
    weir_out_diff(&out, -3);
    push_nums(&out, 25);
    weir_out_diff(&out, -3);
    send(&out);
    ck_assert_uint_eq(to.count, 3);
    for (uint32_t b = 0; b < 3; b++) {
        weir_batch *batch = to.batches[b];
        ck_assert_uint_eq(batch->count, b < 2 ? 10 : 5);
        ck_assert_ptr_null(batch->times);
        ck_assert_ptr_null(batch->diffs);
        ck_assert_int_eq(batch->diff, -3);
        ck_assert_uint_eq(batch->time.at[0], 4);
        ck_assert_uint_eq(num_at(batch, 4)->value, 10 * b + 4);
    }
    end(&out, &to);
}
END_TEST

START_TEST(changes_of_diff_and_time_make_columns_when_rows_differ)
{
    weir_out out;
    sent to;
    begin(&out, &to, &num_type, 10, 4);
    weir_out_diff(&out, 7); /* no row has it */
    weir_out_diff(&out, 2);
    push_nums(&out, 3);
    weir_out_time(&out, &WEIR_EPOCH(6)); /* no row has it */
    weir_out_time(&out, &WEIR_EPOCH(4));
    push_nums(&out, 3);
    send(&out);
    ck_assert_ptr_null(to.batches[0]->diffs);
    ck_assert_ptr_null(to.batches[0]->times);
    ck_assert_int_eq(to.batches[0]->diff, 2);
    wi_out_next(&out, 10);
    push_nums(&out, 2);
    weir_out_diff(&out, -1);
    push_nums(&out, 3);
    weir_out_time(&out, &WEIR_EPOCH(9));
    push_nums(&out, 8); /* three of them in the next batch, still at 9 and -1 */
    send(&out);
    ck_assert_uint_eq(to.count, 3);
    for (uint32_t i = 0; i < 10; i++) {
        ck_assert_int_eq(weir_batch_diff(to.batches[1], i), i < 2 ? 2 : -1);
        ck_assert_uint_eq(weir_batch_time(to.batches[1], i)->at[0], i < 5 ? 4 : 9);
    }
    ck_assert_uint_eq(to.batches[1]->time.at[0], 4);
    ck_assert_uint_eq(to.batches[2]->count, 3);
    ck_assert_uint_eq(to.batches[2]->time.at[0], 4);
    ck_assert_uint_eq(weir_batch_time(to.batches[2], 2)->at[0], 9);
    ck_assert_int_eq(weir_batch_diff(to.batches[2], 0), -1);
    ck_assert_ptr_null(to.batches[2]->diffs);
    end(&out, &to);
}
END_TEST

START_TEST(a_time_too_early_is_misuse_and_ignored)
{
    weir_out out;
    sent to;
    begin(&out, &to, &num_type, 10, 4);
    weir_out_time(&out, &WEIR_EPOCH(3));
    push_nums(&out, 1);
    weir_out_time(&out, &WEIR_EPOCH(5));
    weir_out_time(&out, &(weir_time){{3, 9}});
    push_nums(&out, 1);
    weir_batch *early = weir_batch_new(&num_type, 2);
    early->count = 2;
    num_at(early, 0)->value = num_at(early, 1)->value = 0;
    weir_out_copy(&out, early, 0, 2);
    weir_batch_add_times(early); /* rows at or after, whatever the batch's lower bound */
    early->times[0] = WEIR_EPOCH(4);
    early->times[1] = WEIR_EPOCH(8);
    weir_out_copy(&out, early, 0, 2);
    weir_batch_drop(early);
    send(&out);
    ck_assert_uint_eq(to.misused, 3);
    const uint64_t times[] = {4, 5, 5, 5, 4, 8};
    for (uint32_t i = 0; i < 6; i++)
        ck_assert_uint_eq(weir_batch_time(to.batches[0], i)->at[0], times[i]);
    end(&out, &to);
}
END_TEST

START_TEST(copies_keep_times_and_diffs_and_own_their_texts)
{
    weir_out out;
    sent to;
    weir_batch *from = weir_batch_new(&gaps_type, 10);
    from->count = 10;
    from->time = WEIR_EPOCH(5);
    from->diff = 3;
    for (uint32_t i = 0; i < 10; i++) {
        char bytes[32] = "a text in a heap, number 0";
        bytes[25] = (char)('0' + i);
        weir_text text = weir_text_new(from, bytes, i % 2 ? 26 : 3);
        gaps row = {1, i, text, true};
        gaps_store(from, gaps_at(from, i), &row);
    }
    begin(&out, &to, &gaps_type, 4, 5);
    weir_out_diff(&out, 9);
    weir_out_copy(&out, from, 1, 7);
    gaps_push(&out, (gaps){.b = 99});
    weir_batch_add_times(from);
    weir_batch_add_diffs(from);
    from->diffs[8] = -8;
    from->times[9] = WEIR_EPOCH(6);
    weir_out_copy(&out, from, 7, 10);
    weir_out_copy(&out, from, 3, 3);
    weir_out_stamp(&out, from, 8);
    weir_out_row(&out, gaps_at(from, 1));
    for (uint32_t i = 1; i < 10; i += 2) /* the source's texts are gone */
        memset((char *)gaps_at(from, i)->c.at, 'x', 26);
    weir_batch_drop(from);
    send(&out);
    ck_assert_uint_eq(to.count, 3);
    const uint64_t b[] = {1, 2, 3, 4, 5, 6, 99, 7, 8, 9, 1};
    const int64_t diffs[] = {3, 3, 3, 3, 3, 3, 9, 3, -8, 3, -8};
    for (uint32_t i = 0; i < 11; i++) {
        weir_batch *batch = to.batches[i / 4];
        gaps *row = gaps_at(batch, i % 4);
        ck_assert_uint_eq(row->b, b[i]);
        ck_assert_int_eq(weir_batch_diff(batch, i % 4), diffs[i]);
        ck_assert_uint_eq(weir_batch_time(batch, i % 4)->at[0], b[i] == 9 ? 6 : 5);
        if (b[i] % 2 && b[i] != 99)
            ck_assert_uint_eq((unsigned char)weir_text_at(&row->c)[25], '0' + b[i]);
    }
    end(&out, &to);
}
END_TEST

START_TEST(pushed_rows_have_zeros_between_their_fields)
{
    weir_out out;
    sent to;
    gaps dirty, expected;
    memset(&dirty, 0xee, sizeof dirty);
    memset(&expected, 0, sizeof expected);
    dirty.a = expected.a = 1;
    dirty.b = expected.b = 2;
    dirty.c = expected.c = weir_text_c("short");
    dirty.d = expected.d = true;
    begin(&out, &to, &gaps_type, 10, 0);
    memset(out.rows, 0x77, 10 * sizeof(gaps));
    gaps_push(&out, dirty);
    weir_out_row(&out, &dirty);
    send(&out);
    for (uint32_t i = 0; i < 2; i++)
        ck_assert_mem_eq(gaps_at(to.batches[0], i), &expected, sizeof expected);
    end(&out, &to);
}
END_TEST

START_TEST(room_is_given_in_pieces)
{
    weir_out out;
    sent to;
    begin(&out, &to, &num_type, 10, 0);
    for (uint32_t left = 25, next = 0; left;) {
        uint32_t room;
        num *rows = weir_out_room(&out, left, &room);
        ck_assert_uint_ge(room, 1);
        for (uint32_t i = 0; i < room; i++)
            rows[i].value = next++;
        weir_out_commit(&out, room);
        left -= room;
    }
    send(&out);
    ck_assert_uint_eq(to.count, 3);
    ck_assert_uint_eq(num_at(to.batches[2], 4)->value, 24);
    end(&out, &to);
}
END_TEST

START_TEST(empty_batches_are_not_sent_but_used_again)
{
    weir_out out;
    sent to;
    begin(&out, &to, &word_type, 10, 0);
    weir_batch *batch = out.batch;
    ck_assert_ptr_null(wi_out_seal(&out));
    ck_assert_ptr_null(wi_out_seal(&out));
    ck_assert_uint_eq(out.capacity, 0);
    wi_out_open(&out, &WEIR_EPOCH(3), 10);
    ck_assert_ptr_eq(out.batch, batch);
    weir_text_new(out.batch, "a text of a row that is not pushed", 34);
    ck_assert_ptr_null(wi_out_seal(&out));
    weir_out_diff(&out, 5); /* closed: holds for what comes next */
    word_push(&out, (word){weir_text_c("one")});
    send(&out);
    ck_assert_uint_eq(to.count, 1);
    ck_assert_uint_eq(to.batches[0]->time.at[0], 3);
    ck_assert_int_eq(to.batches[0]->diff, 5);
    ck_assert_ptr_null(to.batches[0]->heap);
    end(&out, &to);
}
END_TEST

START_TEST(a_batch_grows_in_place_of_being_sent)
{
    weir_out out;
    sent to;
    begin(&out, &to, &word_type, 2, 1);
    const char *long_text = "a text that does not fit its handle";
    for (uint32_t i = 0; i < 20; i++) {
        if (out.count == out.capacity)
            wi_out_grow(&out, out.capacity * 2);
        weir_out_diff(&out, i / 3);
        weir_out_time(&out, &WEIR_EPOCH(1 + i / 5));
        word_push(&out, (word){weir_text_c(long_text)});
    }
    send(&out);
    ck_assert_uint_eq(to.count, 1);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_eq(weir_batch_diff(to.batches[0], i), i / 3);
        ck_assert_uint_eq(weir_batch_time(to.batches[0], i)->at[0], 1 + i / 5);
        ck_assert_mem_eq(word_at(to.batches[0], i)->text.at, long_text, strlen(long_text));
        ck_assert_ptr_ne(word_at(to.batches[0], i)->text.at, long_text);
    }
    end(&out, &to);
}
END_TEST

START_TEST(batches_have_room_for_what_the_last_ones_had)
{
    weir_out out;
    sent to;
    begin(&out, &to, &num_type, 1000, 0);
    ck_assert_uint_eq(out.capacity, 1000);
    for (int epoch = 0; epoch < 60; epoch++) {
        push_nums(&out, 3);
        send(&out);
        wi_out_next(&out, 1000);
    }
    ck_assert_uint_lt(out.capacity, 20);
    uint32_t room;
    for (uint32_t i = 0; i < 2100; i += room) { /* full at 1000 all the same */
        num *rows = weir_out_room(&out, 700, &room);
        ck_assert_uint_ge(room, i % 1000 == 0 ? 700 : 1);
        for (uint32_t r = 0; r < room; r++)
            rows[r] = (num){i + r};
        weir_out_commit(&out, room);
    }
    send(&out);
    for (uint32_t b = 60; b < 63; b++) {
        ck_assert_uint_eq(to.batches[b]->count, b < 62 ? 1000 : 700);
        ck_assert_uint_eq(num_at(to.batches[b], 99)->value, (b - 60) * 1000 + 99);
    }
    wi_out_next(&out, 1000);
    ck_assert_uint_eq(out.capacity, 1000);
    end(&out, &to);
}
END_TEST

START_TEST(rows_of_no_bytes_and_of_one_megabyte)
{
    weir_out out;
    sent to;
    begin(&out, &to, &nothing_type, 1000, 0);
    for (int i = 0; i < 2500; i++)
        nothing_push(&out, (nothing){});
    weir_out_row(&out, &(nothing){});
    send(&out);
    ck_assert_uint_eq(to.count, 3);
    ck_assert_uint_eq(to.batches[2]->count, 501);
    wi_out_next(&out, 1000);
    weir_out_copy(&out, to.batches[0], 0, 900);
    send(&out);
    ck_assert_uint_eq(to.batches[3]->count, 900);
    end(&out, &to);

    begin(&out, &to, &huge_type, 2, 0);
    huge *row = calloc(1, sizeof *row);
    for (int i = 0; i < 5; i++) {
        memset(row->bytes, i, sizeof row->bytes);
        weir_out_row(&out, row);
    }
    huge_push(&out, *row);
    send(&out);
    ck_assert_uint_eq(to.count, 3);
    ck_assert_uint_eq(huge_at(to.batches[1], 1)->bytes[1048575], 3);
    ck_assert_uint_eq(huge_at(to.batches[2], 1)->bytes[1048575], 4);
    free(row);
    end(&out, &to);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tests = tcase_create("batch");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_new_batch);
    tcase_add_test(tests, usual_sizes);
    tcase_add_test(tests, a_batch_like_another);
    tcase_add_test(tests, references_are_dropped_by_several_threads);
    tcase_add_test(tests, long_texts_stay_in_place);
    tcase_add_test(tests, foreign_texts_are_moved_in_once);
    tcase_add_test(tests, texts_of_an_adopted_buffer_are_not_copied);
    tcase_add_test(tests, rows_of_one_time_and_diff_have_no_columns);
    tcase_add_test(tests, changes_of_diff_and_time_make_columns_when_rows_differ);
    tcase_add_test(tests, a_time_too_early_is_misuse_and_ignored);
    tcase_add_test(tests, copies_keep_times_and_diffs_and_own_their_texts);
    tcase_add_test(tests, pushed_rows_have_zeros_between_their_fields);
    tcase_add_test(tests, room_is_given_in_pieces);
    tcase_add_test(tests, batches_have_room_for_what_the_last_ones_had);
    tcase_add_test(tests, empty_batches_are_not_sent_but_used_again);
    tcase_add_test(tests, a_batch_grows_in_place_of_being_sent);
    tcase_add_test(tests, rows_of_no_bytes_and_of_one_megabyte);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
