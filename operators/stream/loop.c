/* Loops: scopes whose times have one more coordinate, and the ways in, out and back.
 *
 * Looks deeper than the operator API: these operators connect different scopes, and they
 * move a batch to its new time without copying its rows when nobody else holds it. */
#include "../../runtime/runtime.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "common.h"
#include "loop.h"

#define ROUNDS_MANY (1 << 20) /* after so many a loop without a bound is named */

weir_loop *weir_loop_begin(weir_scope *scope, const char *name)
{
    wi_flow *flow = scope->flow;
    if (scope->dims == WEIR_DIMS_MAX)
        weir_scope_fail(scope, "loop `%s` would give times %d coordinates; %d are possible", name,
                        WEIR_DIMS_MAX + 1, WEIR_DIMS_MAX);
    weir_scope *loop = WI_NEW(weir_scope);
    *loop = (weir_scope){.flow = flow,
                         .parent = scope,
                         .id = ++flow->scope_count,
                         .dims = scope->dims < WEIR_DIMS_MAX ? scope->dims + 1 : WEIR_DIMS_MAX,
                         .name = wi_strdup(name),
                         .next = flow->scopes};
    flow->scopes = loop;
    return loop;
}

/* ---- in and out ------------------------------------------------------------------------- */

/* Round 0 is what a missing coordinate reads as: a batch enters as it is. */
static void take_enter(weir_op *op, uint32_t input, weir_batch *batch)
{
    (void)input;
    wi_output_send(op->outputs[0], batch);
}

static void take_leave(weir_op *op, uint32_t input, weir_batch *batch)
{
    int round = op->inputs[input]->dims - 1;
    if (batch->time.at[round] || batch->times) {
        batch = wi_batch_own(batch);
        batch->time.at[round] = 0;
        for (uint32_t i = 0; batch->times && i < batch->count; i++)
            batch->times[i].at[round] = 0;
    }
    wi_output_send(op->outputs[0], batch);
}

static const weir_operator enter_operator = {.name = "enter", .stateless = true};
static const weir_operator leave_operator = {.name = "leave", .stateless = true};

/* A boundary operator: its output is in `to`. */
static weir_op *boundary(weir_scope *to, weir_loop *loop, weir_stream in, wi_node_kind kind)
{
    weir_op *op = wi_op_new(to, kind == WI_NODE_ENTER ? &enter_operator : &leave_operator, NULL);
    op->kind = kind;
    op->boundary = loop;
    op->take = kind == WI_NODE_ENTER ? take_enter : take_leave;
    wi_op_add_input(op, in.type, in.scope->dims, WEIR_LOCAL);
    wi_op_connect(op, 0, in);
    wi_op_add_output(op, in.type, to->dims);
    return op;
}

/* What a mistake gives, so that building can go on: a stream that nothing comes from. */
static weir_stream nowhere(weir_scope *scope, const weir_type *type)
{
    static const weir_operator logic = {.name = "nowhere"};
    weir_op *op = wi_op_new(scope, &logic, NULL);
    wi_op_add_output(op, type, scope->dims);
    return wi_op_stream(op, 0);
}

/* A stream from further out passes every scope in between. */
weir_stream weir_enter(weir_loop *loop, weir_stream in)
{
    weir_scope *around = loop->parent;
    while (around && around != in.scope)
        around = around->parent;
    if (!loop->parent || !around) {
        weir_scope_fail(loop,
                        "enter: a stream of scope `%s` cannot enter `%s`, which is not a "
                        "loop in it",
                        in.scope->name, loop->name);
        return nowhere(loop, in.type);
    }
    if (loop->parent != in.scope)
        in = weir_enter(loop->parent, in);
    return wi_op_stream(boundary(loop, loop, in, WI_NODE_ENTER), 0);
}

weir_stream weir_leave(weir_loop *loop, weir_stream in)
{
    if (in.scope != loop || !loop->parent) {
        weir_scope_fail(loop, "leave: a stream of scope `%s` cannot leave `%s`", in.scope->name,
                        loop->name);
        return nowhere(loop->parent ? loop->parent : loop, in.type);
    }
    return wi_op_stream(boundary(loop->parent, loop, in, WI_NODE_LEAVE), 0);
}

weir_stream weir_union(weir_scope *scope, const weir_stream *streams, uint32_t count)
{
    weir_stream *here = WI_NEWS(weir_stream, count);
    for (uint32_t i = 0; i < count; i++) {
        here[i] = streams[i];
        if (here[i].scope == scope)
            continue;
        if (here[i].scope->parent == scope)
            here[i] = weir_leave(here[i].scope, here[i]);
        else
            here[i] = weir_enter(scope, here[i]);
    }
    weir_stream all = weir_concat_all(here, count);
    wi_free(here);
    return all;
}

/* ---- back ------------------------------------------------------------------------------- */

/* False, and the execution stops, if there is no later time. */
static bool carry(weir_op *op, weir_time *time)
{
    weir_time later;
    if (weir_summary_apply_checked(&op->step, time, &later)) {
        *time = later;
        return true;
    }
    char text[WEIR_TIME_TEXT_BYTES];
    weir_op_stop(op, "carries a batch past the end of time: it is at %s already",
                 weir_time_text(time, op->scope->dims, text));
    return false;
}

/* The rows of a batch that a loop of so many rounds passes on; NULL: none. Takes the batch. */
static weir_batch *within_rounds(const weir_op *op, weir_batch *batch)
{
    int round = op->scope->dims - 1;
    uint64_t by = op->step.add[round], rounds = op->scope->rounds;
    uint64_t before = rounds > by ? rounds - by : 0; /* rows of rounds before that stay */
    uint32_t *indexes = wi_alloc(batch->count * sizeof *indexes), count = 0;
    for (uint32_t i = 0; i < batch->count && batch->time.at[round] < before; i++)
        if (weir_batch_time(batch, i)->at[round] < before)
            indexes[count++] = i;
    if (count < batch->count) {
        wi_pick pick = {0};
        if (count) {
            wi_pick_begin(&pick, batch);
            wi_pick_rows(&pick, batch, 0, indexes, count);
            wi_batch_own_texts(pick.batch, pick.batch->rows, count);
        }
        weir_batch_drop(batch);
        batch = pick.batch;
    }
    wi_free(indexes);
    return batch;
}

/* A loop that has gone so far may never end, and nothing else would tell. */
static void look_at_round(weir_op *op, uint64_t round)
{
    if (round <= op->last_round)
        return;
    op->last_round = round;
    if (++op->rounds == ROUNDS_MANY && op->scope->parent && !op->scope->rounds)
        fprintf(stderr,
                "weir: worker %" PRIu32 ": dataflow `%s`, loop `%s`: has gone on for %d rounds and "
                "has no bound; if it is not to go on for ever, give it one by weir_loop_rounds, "
                "or see that what goes round comes to an end\n",
                op->flow->worker->index, op->flow->root.name, op->scope->name, ROUNDS_MANY);
}

/* Queues its batches, which breaks the cycle of calls. */
static void take_feedback(weir_op *op, uint32_t input, weir_batch *batch)
{
    (void)input;
    if (op->scope->rounds && !(batch = within_rounds(op, batch)))
        return;
    batch = wi_batch_own(batch);
    bool carried = carry(op, &batch->time);
    for (uint32_t i = 0; carried && batch->times && i < batch->count; i++)
        carried = carry(op, &batch->times[i]);
    if (carried) {
        look_at_round(op, batch->time.at[op->scope->dims - 1]);
        wi_output_send(op->outputs[0], batch);
    } else {
        weir_batch_drop(batch);
    }
}

static const weir_operator feedback_operator = {.name = "feedback"};

weir_stream weir_feedback(weir_scope *scope, const weir_type *type, weir_summary step)
{
    weir_op *op = wi_op_new(scope, &feedback_operator, NULL);
    op->kind = WI_NODE_FEEDBACK;
    op->take = take_feedback;
    op->step = step;
    if (step.dims_in != scope->dims || step.dims_out != scope->dims) {
        weir_scope_fail(scope,
                        "feedback: its step is for times of %d to %d coordinates; scope `%s` has "
                        "%d",
                        step.dims_in, step.dims_out, scope->name, scope->dims);
        op->step = weir_summary_add(scope->dims, scope->dims - 1, 1);
    }
    wi_op_add_input(op, type, scope->dims, WEIR_LOCAL);
    wi_op_add_output(op, type, scope->dims);
    return wi_op_stream(op, 0);
}

void weir_feedback_set(weir_stream feedback, weir_stream from)
{
    weir_op *op = feedback.scope->flow->ops[feedback.op];
    if (op->kind != WI_NODE_FEEDBACK) {
        weir_scope_fail(feedback.scope, "weir_feedback_set: operator %u `%s` is not a feedback",
                        op->index, op->name);
        return;
    }
    if (op->inputs[0]->from_op != UINT32_MAX)
        weir_scope_fail(feedback.scope, "feedback: operator %u is set twice", op->index);
    else if (from.scope != feedback.scope)
        weir_scope_fail(feedback.scope,
                        "feedback: operator %u is in scope `%s`, but is set to a stream of `%s`",
                        op->index, feedback.scope->name, from.scope->name);
    else if (wi_takes(from, "feedback", NULL, feedback.type))
        wi_op_connect(op, 0, from);
}

/* A variable is a feedback and what it starts from, put together by a concat. The concat is
 * the stream; it knows its feedback as the producer of its second input. */
weir_stream weir_variable(weir_loop *loop, weir_stream initial)
{
    weir_stream back =
        weir_feedback(loop, initial.type, weir_summary_add(loop->dims, loop->dims - 1, 1));
    weir_stream both = weir_concat(initial, back);
    wi_op_rename(loop->flow->ops[both.op], "variable");
    return both;
}

bool wi_variable_parts(weir_stream variable, const char *what, weir_stream *initial_out,
                       weir_stream *feedback_out)
{
    wi_flow *flow = variable.scope->flow;
    const weir_op *concat = flow->ops[variable.op];
    uint32_t feedback = concat->input_count == 2 ? concat->inputs[1]->from_op : UINT32_MAX;
    if (feedback == UINT32_MAX || flow->ops[feedback]->kind != WI_NODE_FEEDBACK) {
        weir_scope_fail(variable.scope, "%s: operator %u `%s` is not a variable", what,
                        concat->index, concat->name);
        return false;
    }
    *initial_out = (weir_stream){variable.scope, variable.type, concat->inputs[0]->from_op,
                                 concat->inputs[0]->from_port};
    *feedback_out = (weir_stream){variable.scope, variable.type, feedback, 0};
    return true;
}

void weir_variable_set(weir_stream variable, weir_stream next)
{
    weir_stream initial, back;
    if (wi_variable_parts(variable, "weir_variable_set", &initial, &back))
        weir_feedback_set(back, next);
}
