/* Folding rows into groups, time by time.
 *
 * A batch with a column of times is taken in runs of equal ones, each into the table of its
 * own time. Texts that the kernel has put into a group may borrow from the rows, so they
 * are made the table's own before the rows are gone. */
#include "fold.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "common.h"
#include "table.h"

typedef struct fold_call {
    wi_grouping by;
    const weir_fold_kernel *kernel;
    void *arg;
    bool texts; /* groups have texts besides their keys */
} fold_call;

static void fold_run(weir_op *op, const weir_batch *batch, uint32_t begin, uint32_t end)
{
    const fold_call *call = weir_op_arg(op);
    wi_table *table = wi_tables_at(weir_op_state(op), op, &call->by, weir_batch_time(batch, begin));
    void *groups[WI_TABLE_BLOCK];
    uint32_t indexes[WI_TABLE_BLOCK];
    while (begin < end) {
        uint32_t part = end - begin < call->by.block ? end - begin : call->by.block;
        if (!wi_table_reserve(table, op, part))
            return;
        const char *rows = weir_batch_row(batch, begin);
        call->by.find(table, rows, part, groups, indexes);
        call->kernel->run(rows, groups, batch->diffs ? batch->diffs + begin : NULL, batch->diff,
                          part, call->arg);
        for (uint32_t i = 0; call->texts && i < part; i++)
            wi_table_own_texts(table, indexes[i]);
        begin += part;
    }
}

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    uint32_t begin = 0;
    while (begin < batch->count) {
        uint32_t end = wi_same_time(batch, begin);
        fold_run(op, batch, begin, end);
        begin = end;
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    wi_tables_send(weir_op_state(op), state, op, time, WI_TABLE_ALL);
}

static void on_stop(weir_op *op)
{
    wi_tables_stop(weir_op_state(op));
}

static const weir_operator fold = {.name = "fold",
                                   .state_bytes = sizeof(wi_tables),
                                   .batch = on_batch,
                                   .notify = on_complete,
                                   .stop = on_stop};

static uint32_t key_texts(const weir_key *key)
{
    uint32_t texts = 0;
    for (uint32_t f = 0; f < key->count; f++)
        texts += key->bytes[f] == WEIR_KEY_TEXT;
    return texts;
}

weir_stream wi_fold(weir_stream in, weir_route route, const weir_key *key, const char *name,
                    const weir_fold_kernel *kernel, void *arg)
{
    fold_call *call = WI_NEW(fold_call);
    call->kernel = kernel;
    call->arg = arg;
    call->texts = kernel->acc->text_count > key_texts(key);
    if (wi_takes(in, name, kernel->name, kernel->in) && wi_takes(in, name, kernel->name, key->type))
        wi_grouping_init(&call->by, in.scope, name, kernel->name, key, kernel->acc);
    weir_builder *builder = wi_begin(in, route, &fold, call, name, kernel->name);
    return wi_end(builder, kernel->acc);
}
