/* Path summaries, and times as text. */
#include <weir/time.h>

#include <stdio.h>

#include "base/assert.h"

char *weir_time_text(const weir_time *time, int dims, char text[WEIR_TIME_TEXT_BYTES])
{
    wi_assert(dims >= 1 && dims <= WEIR_DIMS_MAX, "a time has 1 to 4 coordinates");
    if (dims == 1) {
        snprintf(text, WEIR_TIME_TEXT_BYTES, "%llu", (unsigned long long)time->at[0]);
        return text;
    }
    char *end = text;
    for (int i = 0; i < dims; i++)
        end += sprintf(end, "%s%llu", i ? ", " : "(", (unsigned long long)time->at[i]);
    *end++ = ')';
    *end = '\0';
    return text;
}
_Static_assert(WEIR_TIME_TEXT_BYTES > WEIR_DIMS_MAX * (20 + 2) + 1, "the longest time fits");

weir_summary weir_summary_identity(int dims)
{
    wi_assert(dims >= 1 && dims <= WEIR_DIMS_MAX, "a time has 1 to 4 coordinates");
    return (weir_summary){
        .dims_in = (uint8_t)dims, .dims_out = (uint8_t)dims, .keep = (uint8_t)dims};
}

weir_summary weir_summary_add(int dims, int dim, uint64_t by)
{
    wi_assert(dim >= 0 && dim < dims, "a summary adds to a coordinate that its times have");
    weir_summary summary = weir_summary_identity(dims);
    summary.add[dim] = by;
    return summary;
}

weir_summary weir_summary_enter(int dims_in)
{
    wi_assert(dims_in < WEIR_DIMS_MAX, "a time has 1 to 4 coordinates");
    weir_summary summary = weir_summary_identity(dims_in);
    summary.dims_out++;
    return summary;
}

weir_summary weir_summary_leave(int dims_in)
{
    wi_assert(dims_in > 1, "the outermost scope is not left");
    weir_summary summary = weir_summary_identity(dims_in - 1);
    summary.dims_in++;
    return summary;
}

weir_summary weir_summary_then(const weir_summary *first, const weir_summary *second)
{
    wi_assert(first->dims_out == second->dims_in, "summaries on one path fit together");
    weir_summary both = {.dims_in = first->dims_in,
                         .dims_out = second->dims_out,
                         .keep = first->keep < second->keep ? first->keep : second->keep};
    for (int i = 0; i < second->dims_out; i++)
        both.add[i] = i < second->keep ? weir_add_saturating(first->add[i], second->add[i])
                                       : second->add[i];
    return both;
}

weir_time weir_summary_apply(const weir_summary *summary, const weir_time *time)
{
    weir_time out = {{0}};
    for (int i = 0; i < summary->keep; i++)
        out.at[i] = weir_add_saturating(time->at[i], summary->add[i]);
    for (int i = summary->keep; i < summary->dims_out; i++)
        out.at[i] = summary->add[i];
    return out;
}

bool weir_summary_apply_checked(const weir_summary *summary, const weir_time *time,
                                weir_time *time_out)
{
    for (int i = 0; i < summary->keep; i++)
        if (summary->add[i] > UINT64_MAX - time->at[i])
            return false;
    *time_out = weir_summary_apply(summary, time);
    return true;
}

bool weir_summary_eq(const weir_summary *a, const weir_summary *b)
{
    if (a->dims_in != b->dims_in || a->dims_out != b->dims_out || a->keep != b->keep)
        return false;
    for (int i = 0; i < a->dims_out; i++)
        if (a->add[i] != b->add[i])
            return false;
    return true;
}
