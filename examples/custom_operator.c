/* An operator of one's own that works in the background: how many steps does the Collatz
 * sequence of a number take to 1? It answers one question a call, so that others get their
 * turn, and at the time of the question: a capability keeps that time open meanwhile. What
 * has no answer it rejects, with a reason.
 *
 *     custom_operator -w 2 */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

#define NUMBER(F) F(u64, n)
#define ANSWER(F) F(u64, n) F(u64, steps)
WEIR_ROW(number, NUMBER)
WEIR_ROW(answer, ANSWER)

typedef struct question {
    uint64_t n;
    weir_capability *when;
} question;

typedef struct questions {
    question *open;
    size_t count;
} questions;

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    questions *of = weir_op_state(op);
    of->open = realloc(of->open, (of->count + batch->count) * sizeof *of->open);
    for (uint32_t i = 0; i < batch->count; i++) {
        const number *in = number_at(batch, i);
        if (in->n == 0)
            weir_reject(op, &number_type, in, "it never comes to 1");
        else
            of->open[of->count++] = (question){in->n, weir_retain(op, 0, &batch->time)};
    }
    weir_activate(op);
}

static void on_run(weir_op *op)
{
    questions *of = weir_op_state(op);
    if (of->count == 0)
        return;
    question last = of->open[--of->count];
    uint64_t steps = 0;
    for (uint64_t at = last.n; at != 1; steps++)
        at = at % 2 ? 3 * at + 1 : at / 2;
    answer_push(weir_send_at(op, 0, weir_capability_time(last.when)), (answer){last.n, steps});
    weir_capability_drop(last.when);
    weir_activate(op);
}

static void on_stop(weir_op *op)
{
    free(((questions *)weir_op_state(op))->open);
}

static const weir_operator collatz = {.name = "collatz",
                                      .state_bytes = sizeof(questions),
                                      .batch = on_batch,
                                      .run = on_run,
                                      .stop = on_stop};

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    static const number numbers[] = {{27}, {0}, {97}, {871}, {6171}, {1}};
    weir_stream in =
        weir_exchange(weir_from_rows(flow, &number_type, numbers, 6), WEIR_BY(number, n));
    weir_stream answers = weir_unary(in, WEIR_LOCAL, &collatz, &answer_type, NULL);
    weir_print(answers, stdout);
    weir_print(weir_rejects(answers), stderr);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
