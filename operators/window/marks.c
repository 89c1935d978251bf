/* What a watermark policy says of a row; see marks.h. */
#include "marks.h"

#include "../stream/common.h"

static void route_run(const void *in, uint64_t *routes_out, uint32_t count, void *arg)
{
    const wi_marks *marks = arg;
    marks->partition->run(in, routes_out, count, marks->arg);
    for (uint32_t i = 0; i < count; i++)
        if (WEIR_UNLIKELY(routes_out[i] >= marks->partitions)) /* a division is slow */
            routes_out[i] %= marks->partitions;
}

static void check(weir_stream in, const weir_watermark_policy *policy, const char *name)
{
    if (policy->time && policy->watermark)
        weir_scope_fail(in.scope, "%s: is given a time and a watermark, which are two policies",
                        name);
    if (policy->bound < 0)
        weir_scope_fail(in.scope, "%s: its bound is %lld; it must not be negative", name,
                        (long long)policy->bound);
    if (policy->drift < 0)
        weir_scope_fail(in.scope, "%s: its drift is %lld; it must not be negative", name,
                        (long long)policy->drift);
    if (policy->partition ? !policy->partitions : policy->partitions > 1)
        weir_scope_fail(in.scope, "%s: has %u partitions and %s kernel that says which a row is of",
                        name, policy->partitions, policy->partition ? "a" : "no");
    if (weir_scope_dims(in.scope) != 1)
        weir_scope_fail(in.scope, "%s: is for dataflows of one dimension, and not in loops", name);
}

void wi_marks_init(wi_marks *marks, weir_stream in, const weir_watermark_policy *policy,
                   const char *name)
{
    *marks = (wi_marks){.bound = policy->bound,
                        .punctuated = policy->watermark != NULL,
                        .partition = policy->partition,
                        .partitions = policy->partition ? policy->partitions : 1,
                        .arg = policy->arg,
                        .idle_ns = policy->idle_ns,
                        .drift = policy->drift};
    marks->field = policy->watermark
                       ? wi_time_field(in, name, "watermark", policy->watermark)
                       : wi_time_field(in, name, "time", policy->time);
    check(in, policy, name);
    if (!policy->partition)
        return;
    wi_takes(in, name, policy->partition->name, policy->partition->in);
    marks->route =
        (weir_route_kernel){policy->partition->name, policy->partition->in, route_run, NULL};
}
