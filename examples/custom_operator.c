/* An operator of one's own that works in the background: how many steps does the Collatz
 * sequence of a number take to 1, and how high does it climb? It works on a few steps a
 * call, so that others get their turn, and answers at the time of the question: a
 * capability keeps that time open meanwhile. What it cannot answer it rejects.
 *
 *     custom_operator -w 2 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#define STEPS_A_CALL 64

#define NUMBER(F) F(u64, n)
#define STEPS(F) F(u64, n) F(u64, steps)
#define PEAK(F) F(u64, n) F(u64, highest)
WEIR_ROW(number, NUMBER)
WEIR_ROW(steps, STEPS)
WEIR_ROW(peak, PEAK)

/* A number that is being worked on. */
typedef struct job {
    struct job *next;
    uint64_t n, at, steps, highest;
    weir_capability *may_send[2];
} job;

typedef struct desk {
    job *jobs;
} desk;

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    desk *d = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t n = number_at(batch, i)->n;
        const weir_time *time = weir_batch_time(batch, i);
        if (n == 0) {
            weir_reject(op, &number_type, number_at(batch, i), "its sequence never comes to 1");
            continue;
        }
        job *new = malloc(sizeof *new);
        *new = (job){d->jobs, n, n, 0, n, {weir_retain(op, 0, time), weir_retain(op, 1, time)}};
        d->jobs = new;
        weir_activate(op);
    }
}

static void finish(weir_op *op, job *done)
{
    const weir_time *time = weir_capability_time(done->may_send[0]);
    steps_push(weir_send_at(op, 0, time), (steps){done->n, done->steps});
    peak_push(weir_send_at(op, 1, time), (peak){done->n, done->highest});
    weir_capability_drop(done->may_send[0]);
    weir_capability_drop(done->may_send[1]);
    free(done);
}

static void on_run(weir_op *op)
{
    desk *d = weir_op_state(op);
    for (int i = 0; i < STEPS_A_CALL && d->jobs; i++) {
        job *j = d->jobs;
        if (j->at == 1) {
            d->jobs = j->next;
            finish(op, j);
            continue;
        }
        j->at = j->at % 2 ? 3 * j->at + 1 : j->at / 2;
        j->highest = j->at > j->highest ? j->at : j->highest;
        j->steps++;
    }
    if (d->jobs)
        weir_activate(op);
}

static void on_stop(weir_op *op)
{
    desk *d = weir_op_state(op);
    for (job *j; (j = d->jobs); free(j))
        d->jobs = j->next;
}

static const weir_operator collatz = {.name = "collatz",
                                      .state_bytes = sizeof(desk),
                                      .batch = on_batch,
                                      .run = on_run,
                                      .stop = on_stop};

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    static const number numbers[] = {{27}, {0}, {97}, {871}, {6171}, {1}};
    weir_stream in = weir_from_rows(flow, &number_type, numbers, 6);
    weir_builder *builder = weir_operator_begin(flow, &collatz, NULL);
    weir_builder_input(builder, in, WEIR_EXCHANGE(WEIR_BY(number, n)));
    weir_stream steps = weir_builder_output(builder, &steps_type);
    weir_stream peaks = weir_builder_output(builder, &peak_type);
    weir_operator_end(builder);
    weir_print(steps, stdout);
    weir_print(peaks, stdout);
    weir_print(weir_rejects(steps), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
