/* Spools against a naive queue, with so little memory that most of what waits is in a file; and
 * files that cannot be written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/batch.h"
#include "runtime/spool.h"
#include "runtime/wire.h"
#include "tests/support/batches.h"
#include "tests/support/execution.h"
#include "tests/support/memory.h"

/* Read at a time, by each spool, beyond what the budget says; see spool.c. */
#define READ_BYTES ((size_t)1 << 20)

/* One for each test, which has a process of its own. */
static char place[256];

static void make_place(void)
{
    const char *in = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/weir-spool-XXXXXX", in && *in ? in : "/tmp");
    ck_assert(mkdtemp(place) != NULL);
}

static void remove_place(void)
{
    ck_assert_msg(rmdir(place) == 0, "something is left in %s: %s", place, strerror(errno));
}

/* ---- files without a name --------------------------------------------------------------- */

typedef struct files {
    uint32_t count;
    uint64_t bytes, used; /* sizes, and what they have on the disk */
} files;

static files open_files(void)
{
    files all = {0};
    DIR *open = opendir("/proc/self/fd");
    for (struct dirent *entry; open && (entry = readdir(open));) {
        char path[300], target[512];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = 0;
        struct stat is;
        int file = atoi(entry->d_name);
        if (strncmp(target, place, strlen(place)) != 0 || fstat(file, &is) != 0)
            continue;
        all.count++;
        all.bytes += (uint64_t)is.st_size;
        all.used += (uint64_t)is.st_blocks * 512;
    }
    if (open)
        closedir(open);
    return all;
}

/* ---- a naive queue ---------------------------------------------------------------------- */

typedef struct expected {
    weir_batch **batches; /* copies */
    uint32_t *from, *bytes;
    uint32_t first, count, capacity;
    uint64_t sum; /* of bytes of those that wait */
} expected;

static void expect(expected *queue, const weir_batch *batch, uint32_t from, uint32_t bytes)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? 2 * queue->capacity : 16;
        queue->batches = realloc(queue->batches, queue->capacity * sizeof *queue->batches);
        queue->from = realloc(queue->from, queue->capacity * sizeof *queue->from);
        queue->bytes = realloc(queue->bytes, queue->capacity * sizeof *queue->bytes);
    }
    queue->batches[queue->count] = wi_batch_copy(batch);
    queue->from[queue->count] = from;
    queue->bytes[queue->count++] = bytes;
    queue->sum += bytes;
}

static void push_one(wi_spool *spool, expected *queue, weir_batch *batch, uint32_t from)
{
    wi_waiting entry = {batch, from, wi_spool_weight(batch)};
    expect(queue, batch, from, entry.bytes);
    weir_err *err = wi_spool_push(spool, entry);
    ck_assert_msg(!err, "%s", weir_err_message(err));
}

static void pop_one(wi_spool *spool, expected *queue, const weir_type *type, const char *where)
{
    wi_waiting entry;
    weir_err *err = wi_spool_pop(spool, type, &entry);
    if (err)
        ck_abort_msg("%s: %s", where, weir_err_message(err));
    uint32_t at = queue->first++;
    test_batch_same(queue->batches[at], entry.batch, where);
    if (entry.from != queue->from[at] || entry.bytes != queue->bytes[at])
        ck_abort_msg("%s: from %u, %u bytes", where, entry.from, entry.bytes);
    queue->sum -= entry.bytes;
    weir_batch_drop(queue->batches[at]);
    weir_batch_drop(entry.batch);
}

static void forget(expected *queue)
{
    while (queue->first < queue->count)
        weir_batch_drop(queue->batches[queue->first++]);
    free(queue->batches);
    free(queue->from);
    free(queue->bytes);
    *queue = (expected){0};
}

/* ---- random ----------------------------------------------------------------------------- */

#define SPOOLS 3

typedef struct spooling {
    wi_spool_budget budget;
    wi_spool spools[SPOOLS];
    expected queues[SPOOLS];
    const weir_type *types[SPOOLS];
} spooling;

static void check_counts(const spooling *s, size_t most, const char *where)
{
    size_t in_memory = 0;
    for (int i = 0; i < SPOOLS; i++) {
        ck_assert_msg(s->spools[i].bytes == s->queues[i].sum, "%s: bytes", where);
        ck_assert_msg(wi_spool_empty(&s->spools[i]) == (s->queues[i].first == s->queues[i].count),
                      "%s: empty", where);
        const wi_spool *spool = &s->spools[i];
        for (uint32_t n = 0; n < spool->count; n++)
            in_memory += spool->ring[(spool->head + n) & (spool->capacity - 1)].bytes;
    }
    ck_assert_msg(s->budget.bytes == in_memory, "%s: the budget says %zu, not %zu", where,
                  (size_t)s->budget.bytes, in_memory);
    if (s->budget.bytes_max)
        ck_assert_msg(in_memory <= most, "%s: %zu bytes in memory", where, in_memory);
}

static void random_run(uint64_t first, size_t bytes_max, bool drain)
{
    uint64_t seed = first;
    char where[64];
    snprintf(where, sizeof where, "seed %llu, %zu bytes", (unsigned long long)first, bytes_max);
    spooling s = {.budget = {.bytes_max = bytes_max, .directory = place}};
    size_t largest = 0;
    for (int i = 0; i < SPOOLS; i++) {
        wi_spool_init(&s.spools[i], &s.budget);
        s.types[i] = test_batch_type((uint32_t)test_draw(&seed, TEST_BATCH_TYPES));
    }
    uint64_t bias = 50;
    for (int step = 0; step < 600; step++) {
        uint64_t i = test_draw(&seed, SPOOLS);
        if (step % 50 == 0)
            bias = test_draw(&seed, 100);
        if (test_draw(&seed, 100) < bias) {
            weir_batch *batch = test_batch_random(&seed, s.types[i], 40, 2000);
            size_t weight = wi_spool_weight(batch);
            largest = weight > largest ? weight : largest;
            push_one(&s.spools[i], &s.queues[i], batch, (uint32_t)test_draw(&seed, 1000));
        } else if (!wi_spool_empty(&s.spools[i])) {
            pop_one(&s.spools[i], &s.queues[i], s.types[i], where);
        }
        check_counts(&s, bytes_max + SPOOLS * (READ_BYTES + 2 * largest), where);
    }
    for (int i = 0; i < SPOOLS && drain; i++)
        while (!wi_spool_empty(&s.spools[i]))
            pop_one(&s.spools[i], &s.queues[i], s.types[i], where);
    files open = open_files();
    if (drain)
        ck_assert_msg(open.bytes == 0, "%s: files of %llu bytes, and nothing waits", where,
                      (unsigned long long)open.bytes);
    ck_assert_uint_le(open.count, SPOOLS);
    if (!bytes_max)
        ck_assert_uint_eq(open.count + s.budget.spilled_bytes, 0);
    else if (bytes_max < 10000)
        ck_assert_uint_gt(s.budget.spilled_bytes, 0);
    for (int i = 0; i < SPOOLS; i++) {
        wi_spool_fini(&s.spools[i]);
        forget(&s.queues[i]);
    }
    ck_assert_uint_eq(s.budget.bytes, 0);
    ck_assert_uint_eq(open_files().count, 0);
}

START_TEST(first_in_first_out_whatever_is_in_the_file)
{
    static const size_t budgets[] = {1, 1000, 20000, 200000, 1 << 30, 0};
    size_t bytes_max = budgets[_i];
    random_run(1, bytes_max, true);
    test_flush_cache();
    int64_t before = test_bytes_in_use();
    for (uint64_t seed = 2; seed < 14; seed++)
        random_run(seed, bytes_max, seed % 4 != 0);
    test_flush_cache();
    if (before >= 0)
        ck_assert_int_le(test_bytes_in_use() - before, 16 * 1024);
}
END_TEST

/* ---- sizes ------------------------------------------------------------------------------ */

/* Larger than what is read at a time. */
START_TEST(batches_larger_than_anything)
{
    uint64_t seed = 3;
    wi_spool_budget budget = {.bytes_max = 1000, .directory = place};
    wi_spool spool;
    wi_spool_init(&spool, &budget);
    expected queue = {0};
    const weir_type *type = test_batch_type(2);
    for (int i = 0; i < 12; i++)
        push_one(&spool, &queue, test_batch_random(&seed, type, 5000, 100000), 0);
    for (int i = 0; i < 12; i++) {
        pop_one(&spool, &queue, type, "large");
        ck_assert_uint_le(spool.count, 2); /* one is more than is read at a time */
    }
    ck_assert(wi_spool_empty(&spool));
    wi_spool_fini(&spool);
    forget(&queue);
}
END_TEST

/* A batch counts for everything that goes when it goes. */
START_TEST(a_batch_counts_for_its_columns_and_for_the_texts_of_what_it_is_a_view_of)
{
    weir_batch *plain = weir_batch_new(test_batch_type(0), 10000);
    plain->count = 10000;
    memset(plain->rows, 0, 10000);
    uint32_t without = wi_spool_weight(plain);
    weir_batch_add_times(plain);
    weir_batch_add_diffs(plain);
    ck_assert_uint_ge(wi_spool_weight(plain),
                      without + 10000 * (sizeof(weir_time) + sizeof(int64_t)));
    weir_batch_drop(plain);
    char *letters = wi_alloc(1000000);
    memset(letters, 'a', 1000000);
    weir_batch *texts = weir_batch_new(test_batch_type(2), 1);
    texts->count = 1;
    memset(texts->rows, 0, texts->type->size);
    *(weir_text *)texts->rows = weir_text_new(texts, letters, 1000000);
    weir_batch *view = weir_batch_view(texts);
    weir_batch_drop(texts);
    ck_assert_uint_ge(wi_spool_weight(view), 1000000);
    weir_batch_drop(view);
    wi_free(letters);
}
END_TEST

/* Always more in the file than is read: what was read is given back nevertheless. */
START_TEST(a_file_that_is_never_drained_does_not_grow_for_ever)
{
    int file = open(place, O_TMPFILE | O_RDWR, 0600);
    bool can = file >= 0 && ftruncate(file, 8192) == 0 &&
               fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
    close(file);
    if (!can)
        return; /* this file system cannot give back a part */
    wi_spool_budget budget = {.bytes_max = 1000, .directory = place};
    wi_spool spool;
    wi_spool_init(&spool, &budget);
    const weir_type *type = test_batch_type(0);
    uint64_t pushed = 0, popped = 0, most = 0;
    while (popped < 128) { /* of a megabyte each */
        while (pushed < popped + 8 && pushed < 128) {
            weir_batch *batch = weir_batch_new(type, 1 << 20);
            batch->count = 1 << 20;
            memset(batch->rows, (int)pushed, 1 << 20);
            pushed++;
            ck_assert(!wi_spool_push(&spool, (wi_waiting){batch, 0, wi_spool_weight(batch)}));
        }
        wi_waiting entry;
        ck_assert(!wi_spool_pop(&spool, type, &entry));
        const unsigned char *rows = entry.batch->rows;
        ck_assert_uint_eq(rows[0], popped);
        ck_assert_uint_eq(rows[(1 << 20) - 1], popped);
        weir_batch_drop(entry.batch);
        popped++;
        files open = open_files();
        most = open.used > most ? open.used : most;
    }
    ck_assert_uint_le(most, 40 << 20);
    ck_assert_uint_gt(budget.spilled_bytes, 100 << 20);
    wi_spool_fini(&spool);
}
END_TEST

/* ---- what goes wrong -------------------------------------------------------------------- */

/* Pushes up to 100 batches until there is an error, which is given. */
static weir_err *push_until_it_fails(wi_spool *spool, expected *queue, uint64_t *seed,
                                     const weir_type *type, const struct rlimit *limit)
{
    struct rlimit usual;
    getrlimit(RLIMIT_FSIZE, &usual);
    for (int i = 0; i < 100; i++) {
        weir_batch *batch = test_batch_random(seed, type, 200, 3000);
        wi_waiting entry = {batch, (uint32_t)i, wi_spool_weight(batch)};
        weir_batch *kept = weir_batch_retain(batch);
        setrlimit(RLIMIT_FSIZE, limit); /* not for libcheck, which has a file, too */
        weir_err *err = wi_spool_push(spool, entry);
        setrlimit(RLIMIT_FSIZE, &usual);
        if (!err)
            expect(queue, kept, entry.from, entry.bytes);
        weir_batch_drop(kept);
        if (err)
            return err;
    }
    return NULL;
}

static void check_message(weir_err *err, const char *where, int number)
{
    const char *parts[] = {where, "--spill", "--memory", strerror(number)};
    ck_assert(err != NULL);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(strstr(weir_err_message(err), parts[i]) != NULL, "`%s` is not in: %s",
                      parts[i], weir_err_message(err));
    weir_err_free(err);
}

static void refused(const char *where, int number)
{
    uint64_t seed = 9;
    wi_spool_budget budget = {.bytes_max = 1000, .directory = where};
    wi_spool spool;
    wi_spool_init(&spool, &budget);
    expected queue = {0};
    const weir_type *type = test_batch_type(1);
    struct rlimit usual;
    getrlimit(RLIMIT_FSIZE, &usual);
    check_message(push_until_it_fails(&spool, &queue, &seed, type, &usual), where, number);
    ck_assert_uint_gt(queue.count, 0);
    check_message(push_until_it_fails(&spool, &queue, &seed, type, &usual), where, number);
    while (!wi_spool_empty(&spool)) /* what was taken is still there */
        pop_one(&spool, &queue, type, where);
    ck_assert_uint_eq(queue.first, queue.count);
    ck_assert_uint_eq(spool.bytes, 0);
    wi_spool_fini(&spool);
    ck_assert_uint_eq(budget.bytes, 0);
    forget(&queue);
}

START_TEST(a_directory_that_does_not_exist)
{
    refused("/nowhere/at all", ENOENT);
}
END_TEST

START_TEST(a_directory_that_is_a_file)
{
    refused("/proc/self/exe", ENOTDIR);
}
END_TEST

START_TEST(a_directory_that_may_not_be_written)
{
    if (geteuid() == 0)
        return; /* root may write anywhere */
    ck_assert(chmod(place, 0500) == 0);
    refused(place, EACCES);
}
END_TEST

/* Files may have 200 KB; later they may have more. What was taken comes back as it was, and
 * what comes after it, too. */
static void on_a_small_disk(uint64_t seed)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 200000;
    wi_spool_budget budget = {.bytes_max = 1000, .directory = place};
    wi_spool spool;
    wi_spool_init(&spool, &budget);
    expected queue = {0};
    const weir_type *type = test_batch_type(1);
    check_message(push_until_it_fails(&spool, &queue, &seed, type, &limit), place, EFBIG);
    check_message(push_until_it_fails(&spool, &queue, &seed, type, &limit), place, EFBIG);
    for (int i = 0; i < 20; i++)
        push_one(&spool, &queue, test_batch_random(&seed, type, 200, 3000), 5);
    while (!wi_spool_empty(&spool))
        pop_one(&spool, &queue, type, "a small disk");
    ck_assert_uint_eq(queue.first, queue.count);
    ck_assert_uint_eq(spool.bytes, 0);
    wi_spool_fini(&spool);
    forget(&queue);
}

START_TEST(a_full_disk_is_an_error_and_loses_nothing_else)
{
    signal(SIGXFSZ, SIG_IGN);
    for (uint64_t seed = 1; seed < 20; seed++)
        on_a_small_disk(seed);
}
END_TEST

/* Somebody shortens the file, or writes to it. */
START_TEST(a_damaged_file_is_an_error)
{
    uint64_t seed = 4;
    for (int how = 0; how < 3; how++) {
        wi_spool_budget budget = {.bytes_max = 1000, .directory = place};
        wi_spool spool;
        wi_spool_init(&spool, &budget);
        const weir_type *type = test_batch_type(1);
        for (int i = 0; i < 50; i++) {
            weir_batch *batch = test_batch_random(&seed, type, 20, 100);
            wi_waiting entry = {batch, 0, wi_spool_weight(batch)};
            ck_assert(!wi_spool_push(&spool, entry));
        }
        int file = *(int *)spool.spill; /* its first field */
        ck_assert_int_gt(lseek(file, 0, SEEK_END), 1000);
        if (how == 0)
            ck_assert(ftruncate(file, 0) == 0);
        else if (how == 1)
            ck_assert(ftruncate(file, 100) == 0);
        else
            ck_assert(pwrite(file, &(wi_wire_head){0}, sizeof(wi_wire_head), 64) == 128);
        weir_err *err = NULL;
        while (!wi_spool_empty(&spool) && !err) {
            wi_waiting entry;
            err = wi_spool_pop(&spool, type, &entry);
            weir_batch_drop(entry.batch);
        }
        ck_assert_msg(err && strstr(weir_err_message(err), place), "%s",
                      err ? weir_err_message(err) : "no error");
        weir_err_free(err);
        wi_spool_fini(&spool);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("spool");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, make_place, remove_place);
    tcase_add_loop_test(cases, first_in_first_out_whatever_is_in_the_file, 0, 6);
    tcase_add_test(cases, batches_larger_than_anything);
    tcase_add_test(cases,
                   a_batch_counts_for_its_columns_and_for_the_texts_of_what_it_is_a_view_of);
    tcase_add_test(cases, a_file_that_is_never_drained_does_not_grow_for_ever);
    tcase_add_test(cases, a_directory_that_does_not_exist);
    tcase_add_test(cases, a_directory_that_is_a_file);
    tcase_add_test(cases, a_directory_that_may_not_be_written);
    tcase_add_test(cases, a_full_disk_is_an_error_and_loses_nothing_else);
    tcase_add_test(cases, a_damaged_file_is_an_error);
    return test_main("spool", cases);
}
