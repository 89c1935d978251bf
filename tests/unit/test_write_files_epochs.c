/* Files of many short epochs: what a source makes does not run ahead of what is published. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/weir.h>

#include "runtime/runtime.h"
#include "tests/support/execution.h"

#define EPOCHS        12000
#define EPOCHS_A_CALL 2000
#define AHEAD_MAX     8000

typedef struct run {
    char directory[64];
    uint64_t made, published, ahead;
} run;

/* A row for each epoch. */
static weir_more make_epochs(weir_source *source, WEIR_UNUSED void *state, void *arg)
{
    run *self = arg;
    for (int i = 0; i < EPOCHS_A_CALL && self->made < EPOCHS; i++) {
        weir_source_advance(source, self->made);
        num_push(weir_source_out(source), (num){self->made++});
    }
    uint64_t ahead = self->made - self->published;
    self->ahead = ahead > self->ahead ? ahead : self->ahead;
    return self->made < EPOCHS ? WEIR_MORE : WEIR_DONE;
}

static void note_segments(WEIR_UNUSED weir_worker *worker, const weir_batch *batch, void *arg)
{
    run *self = arg;
    self->published += batch->count;
}

static void work(weir_worker *worker, void *arg)
{
    run *self = arg;
    weir_dataflow *flow = weir_dataflow_begin(worker, "epochs");
    weir_stream rows = weir_generate(flow, &num_type, make_epochs, 0, self);
    weir_write how = {
        .directory = self->directory, .prefix = "epochs", .unsynced = true};
    weir_inspect_batch(weir_write_files(rows, &how), note_segments, self);
    test_end(flow);
}

START_TEST(short_epochs_piled_up_while_segments_were_published)
{
    run self = {.directory = "/tmp/weir-epochs-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(self.directory));
    wi_test_bounds = (wi_bounds){.credit_bytes = 64 << 10, .queue_bytes = 64 << 10};
    test_run(&test_ways[0], work, &self);
    wi_test_bounds = (wi_bounds){0};
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", self.directory);
    ck_assert_int_eq(system(command), 0);
    printf("%llu epochs ahead at most\n", (unsigned long long)self.ahead);
    ck_assert_uint_eq(self.published, EPOCHS);
    ck_assert_uint_lt(self.ahead, AHEAD_MAX);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("write_files_epochs");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, short_epochs_piled_up_while_segments_were_published);
    return test_main("write_files_epochs", cases);
}
