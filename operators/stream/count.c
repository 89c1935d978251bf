/* count: how many rows there are of each time and key, their diffs added up. */
#include <stdlib.h>

#include "../../base/alloc.h"
#include "common.h"
#include "table.h"

typedef struct count_call {
    wi_grouping by;
    uint32_t offset; /* of the count in a group's row */
} count_call;

static inline void add_to(void *group, uint32_t offset, int64_t diff)
{
    int64_t *sum = (int64_t *)(void *)((char *)group + offset);
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)diff); /* wraps around */
}

static void count_run(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    const count_call *call = weir_op_arg(op);
    wi_table *table = wi_tables_at(weir_op_state(op), op, &call->by, weir_batch_time(batch, begin));
    void *groups[WI_TABLE_BLOCK];
    uint32_t indexes[WI_TABLE_BLOCK];
    while (begin < end) {
        uint32_t part = end - begin < call->by.block ? end - begin : call->by.block;
        if (!wi_table_reserve(table, op, part))
            return;
        call->by.find(table, weir_batch_row(batch, begin), part, groups, indexes);
        if (batch->diffs)
            for (uint32_t i = 0; i < part; i++)
                add_to(groups[i], call->offset, batch->diffs[begin + i]);
        else
            for (uint32_t i = 0; i < part; i++)
                add_to(groups[i], call->offset, batch->diff);
        begin += part;
    }
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    uint32_t begin = 0;
    while (begin < batch->count) {
        uint32_t end = wi_same_time(batch, begin);
        count_run(op, batch, begin, end);
        begin = end;
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    const count_call *call = weir_op_arg(op);
    wi_tables_send(weir_op_state(op), state, op, time, call->offset);
}

static void on_stop(weir_op *op)
{
    wi_tables_stop(weir_op_state(op));
}

static const weir_operator count = {.name = "count",
                                    .state_bytes = sizeof(wi_tables),
                                    .batch = on_batch,
                                    .notify = on_complete,
                                    .stop = on_stop};

static bool ends_in_count(const weir_type *out, uint32_t key_fields)
{
    if (out->field_count != key_fields + 1)
        return false;
    const weir_field *last = &weir_type_fields(out)[key_fields];
    return last->kind == WEIR_KIND_i64 && last->elements == 1;
}

weir_stream weir_count(weir_stream in, weir_key key, const weir_type *out)
{
    count_call *call = WI_NEW(count_call);
    if (!ends_in_count(out, key.count)) {
        char *has = weir_type_text(out);
        weir_scope_fail(in.scope,
                        "%s: gives rows of %s, which should have the %u fields of its "
                        "key and then one i64",
                        count.name, has, key.count);
        free(has);
    } else if (wi_takes(in, count.name, NULL, key.type) &&
               wi_grouping_init(&call->by, in.scope, count.name, NULL, &key, out)) {
        call->offset = weir_type_fields(out)[key.count].offset;
    }
    weir_builder *builder = wi_begin(in, WEIR_EXCHANGE(key), &count, call, count.name, NULL);
    return wi_end(builder, out);
}
