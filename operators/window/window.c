/* window: folds the rows of each window and key, and sends the results when windows close.
 *
 * The general way, for all kinds of windows: see moment.h. Batches stay where they are until the
 * stamps of their rows are complete. */
#include "moment.h"

#include "../../base/alloc.h"
#include "../../base/assert.h"
#include "../../base/type.h"
#include "../stream/common.h"

#define HASHES 256 /* rows whose keys are hashed together */

#define WI_MISSED(F) F(i64, windows) F(bool, late)

static const weir_field *missed_fields(void)
{
    typedef weir_missed weir_self;
    static const weir_field fields[] = {
        WI_MISSED(WEIR_I_FIELD){.name = NULL, .kind = WEIR_KIND_count}};
    return fields;
}

const weir_type weir_missed_type = {.name = "weir_missed",
                                    .size = sizeof(weir_missed),
                                    .align = _Alignof(weir_missed),
                                    .field_count = 2,
                                    .describe = missed_fields};

/* ---- rows into windows ------------------------------------------------------------------ */

static void put(wi_now *now, wi_window_key *key, int64_t start, int64_t last, const void *row,
                int64_t diff)
{
    uint32_t at = wi_windows_place(key, start, last);
    wi_window *window = &key->windows[at];
    if (at == key->count || window->start != start || window->last != last)
        window = wi_windows_insert(now->call, key, at, start, last);
    wi_acc_fold(now->call, now->keys, window->acc, row, diff);
    wi_now_changed(now, key, window);
}

/* Windows of one width, of which the latest that has the row begins `rest` before it. Gives how
 * many there are, and how many the row missed. */
static int64_t put_into_all(wi_now *now, wi_window_key *key, int64_t time, const void *row,
                            int64_t diff, int64_t *missed_out)
{
    const weir_windows *how = &now->call->how;
    int64_t slide = how->kind == WEIR_HOPPING ? how->slide : how->size, windows = 0;
    int64_t before = wi_floor_rest(time, slide);
    while (before < how->size) {
        int64_t last = wi_add_saturating(time, how->size - 1 - before);
        if (wi_expired(now, last))
            ++*missed_out;
        else
            put(now, key, wi_subtract_saturating(time, before), last, row, diff);
        windows++;
        if (__builtin_add_overflow(before, slide, &before))
            break;
    }
    return windows;
}

static void put_row(wi_now *now, wi_window_key *key, const void *row, int64_t diff)
{
    int64_t time = wi_event_time_at(row, now->call->time_at), missed = 0, windows = 1;
    if (now->call->how.kind == WEIR_GLOBAL)
        put(now, key, INT64_MIN, INT64_MAX, row, diff);
    else if (now->call->how.kind == WEIR_SESSION)
        missed = !wi_now_session(now, key, time, row, diff);
    else
        windows = put_into_all(now, key, time, row, diff, &missed);
    if (!missed)
        return;
    weir_missed said;
    memset(&said, 0, sizeof said);
    said.windows = missed;
    said.late = missed == windows;
    weir_out_row(wi_now_out(now, WI_WINDOW_MISSED, 1), &said);
    if (said.late)
        weir_out_row(wi_now_out(now, WI_WINDOW_LATE, diff), row);
}

static void put_segment(wi_now *now, const wi_segment *segment)
{
    const weir_batch *batch = segment->batch;
    uint64_t hashes[HASHES];
    for (uint32_t begin = segment->begin, count; begin < segment->end; begin += count) {
        count = segment->end - begin < HASHES ? segment->end - begin : HASHES;
        weir_key_hash(&now->call->by.in, weir_batch_row(batch, begin), count, hashes);
        for (uint32_t i = 0; i < count; i++) {
            const void *row = weir_batch_row(batch, begin + i);
            wi_window_key *key = wi_window_keys_find(now->call, now->keys, row, hashes[i]);
            put_row(now, key, row, weir_batch_diff(batch, begin + i));
            if (!key->count)
                wi_window_keys_tidy(now->call, now->keys, key);
        }
    }
}

/* ---- the operator ----------------------------------------------------------------------- */

static void on_batch(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
        end = wi_same_time(batch, begin);
        wi_moment *at = weir_notify_state(op, weir_batch_time(batch, begin), sizeof *at);
        wi_grow(&at->segments, &at->segment_capacity, at->segment_count + 1,
                sizeof *at->segments);
        at->segments[at->segment_count++] =
            (wi_segment){weir_batch_retain(batch), begin, end};
    }
}

static void on_complete(weir_op *op, const weir_time *time, void *state)
{
    wi_moment *moment = state;
    wi_now now = {.op = op,
                  .call = weir_op_arg(op),
                  .keys = weir_op_state(op),
                  .moment = moment,
                  .time = weir_event_time(time->at[0])};
    for (uint32_t i = 0; i < moment->segment_count; i++)
        put_segment(&now, &moment->segments[i]);
    for (uint32_t i = 0; i < moment->key_count; i++) {
        moment->keys[i]->references--;
        wi_now_settle(&now, moment->keys[i]);
    }
    wi_moment_fini(moment);
}

static void on_discard(WEIR_UNUSED weir_op *op, void *state)
{
    wi_moment_fini(state);
}

static void on_stop(weir_op *op)
{
    wi_window_keys_fini(weir_op_arg(op), weir_op_state(op));
}

static const weir_operator window = {.name = "window",
                                     .state_bytes = sizeof(wi_window_keys),
                                     .batch = on_batch,
                                     .notify = on_complete,
                                     .discard = on_discard,
                                     .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

static void check_how(weir_scope *scope, const weir_windows *how, const char *name)
{
    bool wide = how->kind == WEIR_TUMBLING || how->kind == WEIR_HOPPING;
    if (wide && how->size <= 0)
        weir_scope_fail(scope, "window `%s`: the size of its windows is not above 0", name);
    if (how->kind == WEIR_HOPPING && (how->slide <= 0 || how->slide > how->size))
        weir_scope_fail(scope,
                        "window `%s`: its windows hop by less than 1, or by more than their size",
                        name);
    if (how->kind == WEIR_SESSION && how->gap <= 0)
        weir_scope_fail(scope, "window `%s`: the gap between its sessions is not above 0", name);
    if (how->kind == WEIR_SESSION && !how->combine)
        weir_scope_fail(scope,
                        "window `%s`: sessions merge, and need a kernel that combines their "
                        "results",
                        name);
    if (how->lateness < 0)
        weir_scope_fail(scope, "window `%s`: its lateness is negative", name);
    if (weir_scope_dims(scope) != 1)
        weir_scope_fail(scope,
                        "window `%s`: windows are for dataflows of one dimension, and not in loops",
                        name);
}

static void check_kernels(weir_scope *scope, const weir_windows *how, const weir_fold_kernel *fold)
{
    const weir_fold_kernel *combine = how->combine;
    if (combine &&
        (!weir_type_fits(combine->in, fold->acc) || !weir_type_fits(combine->acc, fold->acc)))
        weir_scope_fail(scope,
                        "window `%s`: the kernel that combines, `%s`, takes rows other than its "
                        "results",
                        fold->name, combine->name);
    if (how->finish && !weir_type_fits(how->finish->in, fold->acc))
        weir_scope_fail(scope,
                        "window `%s`: the kernel that finishes, `%s`, takes rows other than its "
                        "results",
                        fold->name, how->finish->name);
}

/* Where an acc has its start, end and rows, behind the key. */
static bool find_own_fields(wi_windowing *call)
{
    const weir_type *acc = call->fold->acc;
    const weir_field *fields = weir_type_fields(acc);
    uint32_t *places[] = {&call->start_at, &call->end_at, &call->rows_at}, key = call->by.in.count;
    if (acc->field_count < key + 3)
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        const weir_field *field = &fields[key + i];
        if (field->elements != 1 || field->bytes != 8 || !wi_kind_is_signed(field->kind))
            return false;
        *places[i] = field->offset;
    }
    return true;
}

/* Their places are kept behind the call itself. */
static void find_texts(wi_windowing *call)
{
    const weir_field *fields = weir_type_fields(call->fold->acc);
    call->text_at = (uint32_t *)(call + 1);
    for (uint32_t f = call->by.in.count; f < call->fold->acc->field_count; f++)
        if (wi_kind_is_text(fields[f].kind))
            call->text_at[call->text_count++] = fields[f].offset;
}

weir_stream weir_window(weir_stream in, const weir_windows *how, weir_key key,
                        const weir_fold_kernel *fold, void *arg, weir_late *late_out)
{
    wi_windowing *call =
        wi_calloc(1, sizeof *call + fold->acc->text_count * sizeof *call->text_at);
    call->how = *how;
    call->fold = fold;
    call->arg = arg;
    call->out = how->finish ? how->finish->out : fold->acc;
    call->time_at = wi_time_field(in, window.name, "time", how->time);
    check_how(in.scope, how, fold->name);
    check_kernels(in.scope, how, fold);
    if (wi_takes(in, window.name, fold->name, fold->in) &&
        wi_takes(in, window.name, fold->name, key.type) &&
        wi_grouping_init(&call->by, in.scope, window.name, fold->name, &key, fold->acc)) {
        if (!find_own_fields(call))
            weir_scope_fail(in.scope,
                            "window `%s`: its results have, after the key, no start, end and rows "
                            "(three i64)",
                            fold->name);
        find_texts(call);
    }
    weir_builder *builder =
        wi_begin(in, WEIR_EXCHANGE(key), &window, call, window.name, fold->name);
    weir_stream results = weir_builder_output(builder, call->out);
    weir_late late = {weir_builder_output(builder, in.type),
                      weir_builder_output(builder, &weir_missed_type)};
    weir_operator_end(builder);
    if (late_out)
        *late_out = late;
    return results;
}
