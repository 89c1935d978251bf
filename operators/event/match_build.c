/* Building an operator that matches rows by event time; see match.h. */
#include "match.h"

#include "../../base/alloc.h"
#include "../collection/join.h"
#include "../stream/common.h"

static void check(wi_match_plan *plan, const wi_match_side *sides)
{
    weir_scope *scope = sides[0].stream.scope;
    const char *name = plan->name;
    const weir_join_kernel *kernel = plan->sending.kernel;
    if (plan->lateness < 0)
        weir_scope_fail(scope, "%s: its lateness is %lld; it must not be negative", name,
                        (long long)plan->lateness);
    if (weir_scope_dims(scope) != 1)
        weir_scope_fail(scope, "%s: is for dataflows of one dimension, and not in loops", name);
    for (uint32_t s = 0; s < plan->inputs; s++)
        wi_takes(sides[s].stream, name, NULL, sides[s].key.type);
    if (plan->inputs == 2) {
        wi_join_keys(scope, name, &sides[0].key, &sides[1].key);
        wi_same_unit(scope, name, sides[0].stream.type, sides[0].time, sides[1].stream.type,
                     sides[1].time);
    }
    if (!kernel)
        return;
    wi_join_takes(scope, name, kernel, sides[0].stream.type, sides[1].stream.type);
    for (uint32_t s = 0; s < 2; s++) {
        const weir_map_kernel *alone = plan->sending.alone[s];
        if (alone && wi_takes(sides[s].stream, name, alone->name, alone->in))
            wi_same_rows(scope, name, kernel->out, alone->out);
    }
}

weir_stream wi_match_build(wi_match_plan *plan, const wi_match_side *sides, const char *of,
                           const weir_type *out, weir_stream *late_out)
{
    check(plan, sides);
    weir_builder *builder = wi_begin(sides[0].stream, WEIR_EXCHANGE(sides[0].key), &wi_event_match,
                                     plan, plan->name, of);
    if (plan->inputs == 2)
        weir_builder_input(builder, sides[1].stream, WEIR_EXCHANGE(sides[1].key));
    for (uint32_t s = 0; s < 2; s++) {
        const wi_match_side *side = &sides[s < plan->inputs ? s : 0];
        uint32_t time_at = wi_time_field(side->stream, plan->name, side->what, side->time);
        plan->forms[s] =
            wi_side_form_new(side->stream.type, &side->key, time_at, plan->by_row);
        plan->sending.rows[s] = side->stream.type;
        weir_builder_keep(builder, plan->forms[s].text_at);
    }
    weir_stream results = weir_builder_output(builder, out);
    for (uint32_t s = 0; s < plan->inputs; s++)
        late_out[s] = weir_builder_output(builder, sides[s].stream.type);
    weir_operator_end(builder);
    return results;
}
