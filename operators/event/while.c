/* while: rows that are there in an interval of event time, given by fields of theirs. Each becomes
 * two changes, of which the second waits, as any change of a later time does, with who takes it. */
#include <weir/event_join.h>

#include "../../base/alloc.h"
#include "../collection/retime.h"
#include "../stream/common.h"
#include "../window/window.h"

typedef struct while_call {
    bool begins, ends; /* whether there are such fields; */
    uint32_t from_at, until_at; /* where */
} while_call;

static uint32_t moves(const while_call *call, const weir_batch *batch, wi_moved *moved_out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const void *row = weir_batch_row(batch, i);
        int64_t stamp = wi_stamp_of(batch, i);
        int64_t from = call->begins ? wi_event_time_at(row, call->from_at) : INT64_MIN;
        int64_t until = call->ends ? wi_event_time_at(row, call->until_at) : INT64_MAX;
        bool for_ever = until == INT64_MAX;
        from = from > stamp ? from : stamp;
        if (from >= until && !for_ever)
            continue;
        moved_out[count++] = (wi_moved){.at = weir_event_epoch(from), .row = i};
        if (!for_ever)
            moved_out[count++] = (wi_moved){.at = weir_event_epoch(until), .row = i, .negated = 1};
    }
    return count;
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    wi_moved *moved = wi_alloc(((size_t)batch->count * 2 + 1) * sizeof *moved);
    uint32_t count = moves(weir_op_arg(op), batch, moved);
    if (count)
        weir_send_batch(op, 0, wi_batch_retime(batch, 0, moved, count));
    wi_free(moved);
}

const weir_operator wi_while = {.name = "while", .stateless = true, .batch = on_batch};

weir_stream weir_while(weir_stream in, const char *from, const char *until)
{
    while_call *call = WI_NEW(while_call);
    *call = (while_call){.begins = from != NULL, .ends = until != NULL};
    if (from)
        call->from_at = wi_time_field(in, wi_while.name, "from", from);
    if (until)
        call->until_at = wi_time_field(in, wi_while.name, "until", until);
    wi_same_unit(in.scope, wi_while.name, in.type, from, in.type, until);
    if (weir_scope_dims(in.scope) != 1)
        weir_scope_fail(in.scope, "%s: is for dataflows of one dimension, and not in loops",
                        wi_while.name);
    return wi_end(wi_begin(in, WEIR_LOCAL, &wi_while, call, wi_while.name, NULL), in.type);
}
