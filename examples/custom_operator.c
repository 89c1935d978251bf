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
#define LINE(F) F(weir_text, text)
WEIR_ROW(number, NUMBER)
WEIR_ROW(line, LINE)

/* A number that is being worked on. */
typedef struct job {
    uint64_t n, at, steps, highest;
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
        *added = (job){.n = n, .at = n, .highest = n, .when = when, .next = *jobs};
        *jobs = added;
        weir_activate(op);
    }
}

static void answer(weir_op *op, job *done)
{
    char text[120];
    snprintf(text, sizeof text, "%llu takes %llu steps and climbs to %llu",
             (unsigned long long)done->n, (unsigned long long)done->steps,
             (unsigned long long)done->highest);
    line_push(weir_send_at(op, 0, weir_capability_time(done->when)), (line){weir_text_c(text)});
    weir_capability_drop(done->when);
}

static void on_run(weir_op *op)
{
    job **jobs = weir_op_state(op), *j;
    for (int i = 0; i < STEPS_A_CALL && (j = *jobs); i++) {
        if (j->at == 1) {
            answer(op, j);
            *jobs = j->next;
            free(j);
            continue;
        }
        j->at = j->at % 2 ? 3 * j->at + 1 : j->at / 2;
        j->highest = j->at > j->highest ? j->at : j->highest;
        j->steps++;
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

WEIR_FLAT_MAP(complain, weir_rejected, line)
{
    char text[120];
    snprintf(text, sizeof text, "%.*s: %.*s", (int)in->row.length, weir_text_at(&in->row),
             (int)in->reason.length, weir_text_at(&in->reason));
    line_push(out, (line){weir_text_c(text)});
}

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    static const number numbers[] = {{27}, {0}, {97}, {871}, {6171}, {1}};
    weir_stream in = weir_from_rows(flow, &number_type, numbers, 6);
    weir_route by_n = WEIR_EXCHANGE(WEIR_BY(number, n));
    weir_stream answers = weir_unary(in, by_n, &collatz, &line_type, NULL);
    weir_stream complaints = weir_flat_map(weir_rejects(answers), &complain);
    weir_print(weir_concat(answers, complaints), stdout);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
