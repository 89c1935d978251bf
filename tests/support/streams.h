/* Running a small dataflow on rows that are listed here, and listing what comes out, so that
 * a test is: these updates in, these updates out, on any number of workers. */
#ifndef WEIR_TESTS_SUPPORT_STREAMS_H
#define WEIR_TESTS_SUPPORT_STREAMS_H

#include <pthread.h>

#include <weir/weir.h>

/* Updates seen somewhere, by any worker. */
typedef struct test_update {
    weir_time time;
    int64_t diff;
    char *row; /* as weir_row_text gives it */
} test_update;

typedef struct test_list {
    pthread_mutex_t lock;
    int dims;
    test_update *updates;
    uint32_t count, capacity;
    uint32_t batches;
} test_list;

void test_list_init(test_list *list, int dims);
void test_list_fini(test_list *list);
void test_list_add(test_list *list, const weir_type *type, const void *row, const weir_time *time,
                   int64_t diff);
/* Sorted, equal updates added up, as lines "time diff row", with ~ for NUL; the caller frees
 * it. Takes away what it gives. */
char *test_list_text(test_list *list);
/* Lists what passes here. */
weir_stream test_watch(weir_stream in, test_list *list);

#define TEST_LISTS 8

typedef struct test_flow test_flow;
struct test_flow {
    /* what goes in: row i belongs to worker i modulo their number */
    const weir_type *type;
    const void *rows;
    const uint64_t *epochs; /* ascending; NULL: all 0 */
    const int64_t *diffs;   /* NULL: all 1 */
    uint32_t count;
    /* The epochs are a column of batches at epoch 0, rather than the input's own. */
    bool columns;
    uint32_t flush_every; /* rows; 0: never */
    void (*build)(weir_dataflow *flow, weir_stream in, test_flow *test);
    void *arg;
    /* what came out */
    test_list out[TEST_LISTS];
};

/* Runs it with empty lists, which test_flow_done frees. */
weir_err *test_flow_run(test_flow *test, const weir_config *config);
void test_flow_done(test_flow *test);
/* Runs it in several ways (1, 2 and 4 threads; deterministic, with 3 workers); each must
 * give the same `expected` text in out[0], out[1], ... (NULL: not compared). */
void test_flow_expect(test_flow *test, const char *const *expected, uint32_t lists);

#endif
