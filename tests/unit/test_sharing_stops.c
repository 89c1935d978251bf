/* Views of published arrangements while the execution is being stopped. */
#include <check.h>
#include <pthread.h>

#include <weir/collection.h>

#include "tests/support/execution.h"

#define EDGE(F) F(u64, src) F(u64, dst)
WEIR_ROW(edge, EDGE)

static void *wait_for_ever(void *arg)
{
    ck_assert(!weir_view_wait(arg, &WEIR_EPOCH(5)));
    return NULL;
}

/* A worker's function that waits for its readers ends when the execution is stopped: nobody waits
 * for a time that will not be complete any more. */
static void run_stopped(weir_worker *worker, WEIR_UNUSED void *arg)
{
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "edges");
    weir_stream edges = weir_input_new(flow, &edge_type, &input);
    weir_arrangement_publish(weir_arrange(edges, WEIR_BY(edge, src)), "edges");
    if (!test_end(flow) || weir_worker_index(worker) != 0)
        return;
    weir_view *view;
    pthread_t waits;
    ck_assert_ptr_null(weir_view_open(worker, "edges", &edge_type, &view));
    pthread_create(&waits, NULL, wait_for_ever, view);
    weir_stop(worker, "enough");
    pthread_join(waits, NULL);
    weir_view_free(view);
}

START_TEST(nobody_waits_for_an_execution_that_stops)
{
    test_stops(&test_ways[_i], run_stopped, NULL, "worker 0: enough", NULL);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("sharing");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, nobody_waits_for_an_execution_that_stops, 0, TEST_WAYS_ALONE);
    return test_main("sharing, stopped", all);
}
