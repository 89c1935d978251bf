/* An operator of one's own that works in the background: how many steps does the Collatz
 * sequence of a number take to 1? It answers one question a call, so that others get their
 * turn, and at the time of the question: a capability keeps that time open meanwhile. What it
 * cannot answer it rejects, with a reason.
 *
 *     custom_operator -w 2 */
#include <stdio.h>

#include <weir/weir.h>

#define NUMBER(F) F(u64, n)
#define ANSWER(F) F(u64, n) F(u64, steps)
WEIR_ROW(number, NUMBER)
WEIR_ROW(answer, ANSWER)

#define OPEN_MAX 1000

typedef struct questions {
    uint64_t n[OPEN_MAX];
    weir_capability *when[OPEN_MAX];
    uint32_t count;
} questions;

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    questions *open = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count; i++) {
        const number *in = number_at(batch, i);
        if (in->n == 0 || open->count == OPEN_MAX) {
            weir_reject(op, &number_type, in, in->n ? "too many wait" : "it never comes to 1");
            continue;
        }
        open->n[open->count] = in->n;
        open->when[open->count++] = weir_retain(op, 0, &batch->time);
    }
    weir_activate(op);
}

static void on_run(weir_op *op)
{
    questions *open = weir_op_state(op);
    if (open->count == 0)
        return;
    uint64_t n = open->n[--open->count], steps = 0;
    weir_capability *when = open->when[open->count];
    for (uint64_t at = n; at != 1; steps++)
        at = at % 2 ? 3 * at + 1 : at / 2;
    answer_push(weir_send_at(op, 0, weir_capability_time(when)), (answer){n, steps});
    weir_capability_drop(when);
    weir_activate(op);
}

static const weir_operator collatz = {
    .name = "collatz", .state_bytes = sizeof(questions), .batch = on_batch, .run = on_run};

static void build(weir_dataflow *flow, WEIR_UNUSED void *arg)
{
    static const number numbers[] = {{27}, {0}, {97}, {871}, {6171}, {1}};
    weir_stream in = weir_from_rows(flow, &number_type, numbers, 6);
    weir_stream answers =
        weir_unary(in, WEIR_EXCHANGE(WEIR_BY(number, n)), &collatz, &answer_type, NULL);
    weir_print(answers, stdout);
    weir_print(weir_rejects(answers), stderr);
}

int main(int argc, char **argv)
{
    return weir_main(argc, argv, build, NULL);
}
