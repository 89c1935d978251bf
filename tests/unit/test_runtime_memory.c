/* Memory: what happens when there is none left, and what must not pile up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/execution.h"

#define WORD(F) F(weir_text, text)
WEIR_ROW(word, WORD)

#define MB (UINT64_C(1) << 20)

/* Of this process, in bytes: field 0 is its address space, 1 what is resident. */
static uint64_t memory_used(int field)
{
    unsigned long pages[2] = {0, 0};
    FILE *from = fopen("/proc/self/statm", "r");
    if (!from || fscanf(from, "%lu %lu", &pages[0], &pages[1]) != 2)
        abort();
    fclose(from);
    return pages[field] * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- out of memory ------------------------------------------------------------------------ */

static void hoard(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)op, (void)input;
    weir_batch_retain(batch); /* and never lets go */
}

static const weir_operator hoarder = {.name = "hoarder", .batch = hoard};

static void push_texts(weir_worker *worker, void *arg)
{
    (void)arg;
    static char text[100000];
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "hoard");
    weir_stream words = weir_input_new(flow, &word_type, &input);
    weir_sink(words, WEIR_EXCHANGE(WEIR_BY(word, text)), &hoarder, NULL);
    test_end(flow);
    memset(text, 'x', sizeof text);
    for (int i = 0; weir_step(worker); i++) {
        memcpy(text, &i, sizeof i);
        word_push(weir_input_out(input), (word){weir_text_of(text, sizeof text)});
    }
}

static void push_rows(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "hoard");
    weir_sink(weir_input_new(flow, &num_type, &input), WEIR_LOCAL, &hoarder, NULL);
    test_end(flow);
    for (uint64_t i = 0; i % 100000 || weir_step(worker); i++)
        num_push(weir_input_out(input), (num){i});
}

static void send_huge_batch(weir_worker *worker, void *arg)
{
    (void)arg;
    weir_input *input;
    weir_dataflow *flow = weir_dataflow_begin(worker, "hoard");
    weir_input_new(flow, &num_type, &input);
    test_end(flow);
    weir_input_send(input, weir_batch_new(&num_type, 1u << 30));
}

typedef struct hungry {
    weir_worker_fn *run;
    uint32_t workers;
} hungry;

static int run_hungry(void *arg)
{
    const hungry *h = arg;
    struct rlimit limit;
    limit.rlim_cur = limit.rlim_max = memory_used(0) + 500 * MB;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 1;
    weir_err *err = weir_execute(&(weir_config){.workers = h->workers}, h->run, NULL);
    fprintf(stderr, "ended with: %s\n", weir_err_message(err));
    return 2;
}

START_TEST(without_memory_the_process_says_so_and_ends)
{
    if (test_sanitized()) /* they reserve more address space than there is memory */
        return;
    weir_worker_fn *const runs[] = {push_texts, push_rows, send_huge_batch};
    hungry h = {runs[_i / 2], 1 + (uint32_t)_i % 2};
    test_child child = test_child_run(run_hungry, &h);
    ck_assert_msg(child.code == 70, "exit status %d: %s", child.code, child.err);
    ck_assert_msg(!strncmp(child.err, "weir: out of memory: ", 21), "%s", child.err);
    ck_assert_msg(strstr(child.err, "bytes") != NULL, "%s", child.err);
    test_child_free(&child);
}
END_TEST

/* ---- what must not pile up ------------------------------------------------------------------- */

typedef struct walker {
    weir_capability *held; /* at the first time, until the end */
    uint64_t sent;
} walker;

#define SENDS 1600000

static void walk_start(weir_op *op)
{
    walker *self = weir_op_state(op);
    self->held = weir_op_first_capability(op, 0);
    weir_activate(op);
}

/* Batches at later and later times, all consumed in the step in which they are sent. */
static void walk(weir_op *op)
{
    walker *self = weir_op_state(op);
    for (int i = 0; i < 100; i++) {
        weir_time time = WEIR_EPOCH(++self->sent);
        num_push(weir_send_at(op, 0, &time), (num){1});
    }
    if (self->sent < SENDS)
        weir_activate(op);
    else
        weir_capability_drop(self->held);
}

static const weir_operator walking = {.name = "walking",
                                      .source = true,
                                      .state_bytes = sizeof(walker),
                                      .start = walk_start,
                                      .run = walk};

static void forget(weir_op *op, uint32_t input, const weir_batch *batch)
{
    (void)op, (void)input, (void)batch;
}

static const weir_operator forgetful = {.name = "forgetful", .batch = forget};

static void run_walking(weir_worker *worker, void *arg)
{
    uint64_t *grown = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "walking");
    weir_builder *builder = weir_operator_begin(flow, &walking, NULL);
    weir_stream out = weir_builder_output(builder, &num_type);
    weir_operator_end(builder);
    weir_sink(out, WEIR_LOCAL, &forgetful, NULL);
    test_end(flow);
    for (int i = 0; i < 100; i++)
        weir_step(worker);
    uint64_t before = memory_used(1);
    while (weir_step(worker)) {
    }
    if (weir_worker_index(worker) == 0)
        *grown = memory_used(1) - before;
}

START_TEST(changes_that_cancel_do_not_pile_up)
{
    uint64_t grown = 0;
    test_run(&(weir_config){.workers = 1 + (uint32_t)_i}, run_walking, &grown);
    if (!test_sanitized())
        ck_assert_msg((int64_t)grown < (int64_t)(20 * MB), "%lld KB", (long long)grown / 1024);
}
END_TEST

static void build_and_drop(weir_worker *worker, void *arg)
{
    uint64_t *grown = arg, before = 0;
    for (int i = 0; i < 600; i++) {
        if (i == 200)
            before = memory_used(1);
        weir_input *input;
        weir_dataflow *flow = weir_dataflow_begin(worker, "short");
        weir_stream rows = weir_input_new(flow, &num_type, &input);
        weir_loop *loop = weir_loop_begin(flow, "loop");
        weir_leave(loop, weir_enter(loop, rows));
        weir_sink(rows, WEIR_BROADCAST, &forgetful, NULL);
        test_end(flow);
        for (uint64_t row = 0; row < 100; row++)
            num_push(weir_input_out(input), (num){row});
        weir_input_advance(input, 5);
        weir_step(worker);
        weir_dataflow_drop(flow);
    }
    if (weir_worker_index(worker) == 0)
        *grown = memory_used(1) - before;
}

START_TEST(dataflows_that_were_dropped_leave_nothing)
{
    uint64_t grown = 0;
    test_run(&(weir_config){.workers = 1 + (uint32_t)_i}, build_and_drop, &grown);
    if (!test_sanitized())
        ck_assert_msg((int64_t)grown < (int64_t)(20 * MB), "%lld KB", (long long)grown / 1024);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("memory");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, without_memory_the_process_says_so_and_ends, 0, 6);
    tcase_add_loop_test(cases, changes_that_cancel_do_not_pile_up, 0, 2);
    tcase_add_loop_test(cases, dataflows_that_were_dropped_leave_nothing, 0, 2);
    return test_main("memory", cases);
}
