/* window: folds the rows of each window and key, and sends the results when windows close. Here it
 * is built: what is asked for is checked, and the quick way taken if it can be. */
#include "order.h"
#include "saved.h"

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"

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

void wi_window_missed(weir_op *op, const weir_batch *batch, uint32_t row, int64_t windows,
                      bool late)
{
    weir_missed said;
    memset(&said, 0, sizeof said);
    said.windows = windows;
    said.late = late;
    const weir_time *stamp = weir_batch_time(batch, row);
    weir_out *out = weir_send_at(op, WI_WINDOW_MISSED, stamp);
    weir_out_diff(out, 1);
    weir_out_row(out, &said);
    if (!late)
        return;
    out = weir_send_at(op, WI_WINDOW_LATE, stamp);
    weir_out_diff(out, weir_batch_diff(batch, row));
    weir_out_row(out, weir_batch_row(batch, row));
}

/* ---- building --------------------------------------------------------------------------- */

static void check_trigger(weir_scope *scope, const weir_windows *how, const char *name)
{
    const weir_trigger *trigger = &how->trigger;
    if (trigger->rows < 0 || trigger->every < 0)
        weir_scope_fail(scope, "window `%s`: its trigger has a negative number", name);
    if (trigger->not_on_close && !wi_fires_early(trigger))
        weir_scope_fail(scope,
                        "window `%s`: its trigger does not fire when windows close, nor before",
                        name);
    if (how->exact && how->output == WEIR_DISCARDING)
        weir_scope_fail(scope, "window `%s`: sessions that are exact cannot discard", name);
    if (how->kind == WEIR_COUNT &&
        (wi_fires_early(trigger) || trigger->not_on_close || how->lateness))
        weir_scope_fail(scope,
                        "window `%s`: windows of a number of rows fire when they are full, and "
                        "have no trigger and no lateness",
                        name);
}

static void check_inverse(weir_scope *scope, const weir_windows *how, const char *name)
{
    if (!how->inverse)
        return;
    if (!how->combine)
        weir_scope_fail(scope,
                        "window `%s`: `inverse` says that `combine` can take away again, and there "
                        "is no `combine`: give one, or leave `inverse` out",
                        name);
    if (how->kind == WEIR_SESSION || how->kind == WEIR_GLOBAL)
        weir_scope_fail(scope,
                        "window `%s`: `inverse` is for windows that overlap, and its %s do not: "
                        "leave it out",
                        name, how->kind == WEIR_SESSION ? "sessions" : "windows of all time");
}

static void check_how(weir_scope *scope, const weir_windows *how, const char *name)
{
    if ((unsigned)how->kind > WEIR_COUNT || (unsigned)how->output > WEIR_DISCARDING)
        weir_scope_fail(scope,
                        "window `%s`: there is no kind %u or no output %u of windows: see "
                        "weir/window.h",
                        name, (unsigned)how->kind, (unsigned)how->output);
    if (how->kind != WEIR_SESSION && how->kind != WEIR_GLOBAL && how->size <= 0)
        weir_scope_fail(scope, "window `%s`: the size of its windows is not above 0", name);
    bool hops = how->kind == WEIR_HOPPING || (how->kind == WEIR_COUNT && how->slide);
    if (hops && (how->slide <= 0 || how->slide > how->size))
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
    check_trigger(scope, how, name);
    check_inverse(scope, how, name);
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

/* Windows that do not overlap are a slide apart that is their size. Those of a number of rows fire
 * once. */
static void fill_in_panes(wi_windowing *call)
{
    weir_windows *how = &call->how;
    if (how->kind == WEIR_SESSION || how->kind == WEIR_GLOBAL || how->size <= 0)
        return;
    if (how->kind == WEIR_COUNT)
        how->output = WEIR_ACCUMULATING;
    if (how->kind == WEIR_TUMBLING || how->slide <= 0)
        how->slide = how->size;
    call->pane = how->size;
    for (int64_t rest = how->slide; rest > 0;) {
        int64_t next = call->pane % rest;
        call->pane = rest;
        rest = next;
    }
    call->panes = how->size / call->pane;
    call->panes_apart = how->slide / call->pane;
    how->inverse &= call->panes > call->panes_apart;
}

/* The quickest way that there is. */
static const weir_operator *way_for(const wi_windowing *call)
{
    const weir_windows *how = &call->how;
    if (call->from || call->to)
        return &wi_window_kept;
    if (wi_fires_early(&how->trigger))
        return &wi_window_general;
    bool quick = how->kind == WEIR_SESSION && !how->exact && !call->text_count;
    if (quick && !how->lateness && !how->release)
        return &wi_window_sessions;
    if (how->kind == WEIR_TUMBLING && !how->lateness && !how->release)
        return &wi_window_tumbling;
    bool wide = how->kind == WEIR_TUMBLING || how->kind == WEIR_HOPPING;
    return wide && how->combine && call->panes <= WI_PANES_MAX ? &wi_window_panes
                                                               : &wi_window_general;
}

weir_stream weir_window(weir_stream in, const weir_windows *how, weir_key key,
                        const weir_fold_kernel *fold, void *arg, weir_late *late_out)
{
    return wi_window_saved(in, how, key, fold, arg, late_out, NULL, NULL);
}

weir_stream wi_window_saved(weir_stream in, const weir_windows *how, weir_key key,
                            const weir_fold_kernel *fold, void *arg, weir_late *late_out,
                            const wi_saved *from, wi_saved *to)
{
    const char *name = wi_window_general.name;
    wi_windowing *call =
        wi_calloc(1, sizeof *call + fold->acc->text_count * sizeof *call->text_at);
    call->how = *how;
    call->from = from;
    call->to = to;
    call->fold = fold;
    call->arg = arg;
    fill_in_panes(call);
    call->how.exact &= how->kind == WEIR_SESSION;
    call->in_turn = how->kind == WEIR_SESSION || how->kind == WEIR_COUNT ||
                    wi_fires_early(&how->trigger);
    call->out = how->finish ? how->finish->out : fold->acc;
    if (how->kind != WEIR_COUNT)
        call->time_at = wi_time_field(in, name, "time", how->time);
    wi_order_init(call, in);
    check_how(in.scope, how, fold->name);
    check_kernels(in.scope, how, fold);
    if ((from || to) && how->release)
        weir_scope_fail(in.scope, "window `%s`: what it has to release cannot be saved",
                        fold->name);
    if (wi_takes(in, name, fold->name, fold->in) &&
        wi_takes(in, name, fold->name, key.type) &&
        wi_grouping_init(&call->by, in.scope, name, fold->name, &key, fold->acc)) {
        if (!find_own_fields(call))
            weir_scope_fail(in.scope,
                            "window `%s`: its results have, after the key, no start, end and rows "
                            "(three i64)",
                            fold->name);
        find_texts(call);
        wi_grouping_init(&call->by_acc, in.scope, name, fold->name, &call->by.acc, fold->acc);
    }
    const weir_operator *logic = way_for(call);
    bool fixed = logic == &wi_window_tumbling || logic == &wi_window_panes;
    bool local = how->local && how->combine && fixed && !how->lateness && !how->release &&
                 weir_worker_count(weir_scope_worker(in.scope)) > 1;
    weir_stream rows = in, accs = {.scope = in.scope};
    if (local)
        accs = wi_window_local(in, call, &rows);
    weir_builder *builder =
        wi_begin(rows, WEIR_EXCHANGE(key), logic, call, name, fold->name);
    if (local)
        weir_builder_input(builder, accs, WEIR_EXCHANGE(call->by.acc));
    weir_stream results = weir_builder_output(builder, call->out);
    weir_late late = {weir_builder_output(builder, in.type),
                      weir_builder_output(builder, &weir_missed_type)};
    weir_operator_end(builder);
    if (late_out)
        *late_out = late;
    return results;
}
