/* An operator of one's own that works in the background: how many steps does the Collatz
 * sequence of a number take to 1, and how high does it climb? It takes a few steps a call,
 * so that others get their turn, and answers at the time of the question: a capability
 * keeps that time open meanwhile. What has no answer it rejects, with a reason.
 *
 *     custom_operator -w 2 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#define STEPS_A_CALL 64

#define NUMBER(F) F(u64, n)
#define SEQUENCE(F) F(u64, n) F(u64, steps) F(u64, highest)
WEIR_ROW(number, NUMBER)
WEIR_ROW(sequence, SEQUENCE)

/* A number that is being worked on. */
typedef struct job {
    sequence so_far;
    uint64_t at;
    weir_capability *when;
    struct job *next;
} job;

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    job **jobs = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t n = number_at(batch, i)->n;
        if (n == 0) {
            weir_reject(op, &number_type, number_at(batch, i), "it never comes to 1");
            continue;
        }
        weir_capability *when = weir_retain(op, 0, weir_batch_time(batch, i));
        job *added = malloc(sizeof *added);
        *added = (job){.so_far = {n, 0, n}, .at = n, .when = when, .next = *jobs};
        *jobs = added;
        weir_activate(op);
    }
}

static void on_run(weir_op *op)
{
    job **jobs = weir_op_state(op), *j;
    for (int i = 0; i < STEPS_A_CALL && (j = *jobs); i++) {
        if (j->at == 1) {
            sequence_push(weir_send_at(op, 0, weir_capability_time(j->when)), j->so_far);
            weir_capability_drop(j->when);
            *jobs = j->next;
            free(j);
            continue;
        }
        j->at = j->at % 2 ? 3 * j->at + 1 : j->at / 2;
        j->so_far.steps++;
        if (j->at > j->so_far.highest)
            j->so_far.highest = j->at;
    }
    if (*jobs)
        weir_activate(op);
}

static void on_stop(weir_op *op)
{
    job **jobs = weir_op_state(op);
    for (job *j; (j = *jobs); free(j))
        *jobs = j->next;
}

static const weir_operator collatz = {.name = "collatz",
                                      .state_bytes = sizeof(job *),
                                      .batch = on_batch,
                                      .run = on_run,
                                      .stop = on_stop};

WEIR_EACH(complain, weir_rejected)
{
    fprintf(stderr, "%.*s: %.*s\n", (int)in->row.length, weir_text_at(&in->row),
            (int)in->reason.length, weir_text_at(&in->reason));
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    static const number numbers[] = {{27}, {0}, {97}, {871}, {6171}, {1}};
    weir_stream in = weir_from_rows(flow, &number_type, numbers, 6);
    weir_route by_n = WEIR_EXCHANGE(WEIR_BY(number, n));
    weir_stream sequences = weir_unary(in, by_n, &collatz, &sequence_type, NULL);
    weir_each(weir_rejects(sequences), &complain, NULL);
    weir_print(sequences, stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
