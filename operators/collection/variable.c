/* Variables that are replaced, round by round, and loops of so many rounds. */
#include <weir/collection.h>

#include "../../runtime/runtime.h"
#include "../stream/loop.h"

/* A variable is its initial content and what comes back, put together. Times add up: in round
 * r it has what `next` had up to round r - 1, and the initial content once more, from round 0.
 * So that is taken away again one round later. */
void weir_variable_replace(weir_stream variable, weir_stream next)
{
    weir_stream initial, back;
    if (!wi_variable_parts(variable, "weir_variable_replace", &initial, &back))
        return;
    if (next.scope != variable.scope || !weir_type_fits(next.type, variable.type))
        weir_feedback_set(back, next); /* which says what is wrong */
    else
        weir_feedback_set(back, weir_concat(next, weir_negate(initial)));
}

void weir_loop_rounds(weir_loop *loop, uint64_t rounds)
{
    if (!loop->parent)
        weir_scope_fail(loop, "weir_loop_rounds: scope `%s` is not a loop", loop->name);
    else
        loop->rounds = rounds ? rounds : 1; /* round 0 is not passed on to, but entered */
}
