/* reduce: the operator; see reduce.h for what it is, reduce_state.h for its files.
 *
 * For each key with updates that have become complete it puts together all the key's updates,
 * evaluates the group at the times at which the result may have changed, and says what is
 * different from what it said before (McSherry et al., CIDR 2013). What was said is looked up
 * in a trace of the output; where times are totally ordered, and wherever all that is known is
 * at or before the new time, it is what the reducer gives for the group before. Such a trace
 * is then only written, or not needed at all.
 *
 * The trace of the output is an arrangement of it by the key, with tokens, that others read, too:
 * what joins the output by that key needs no arrangement of its own, and who wants rows gets
 * those of the runs (weir_arrangement_stream).
 *
 * Times that are not complete are deferred: kept, with a capability, until the trace's upper
 * passes them.
 *
 * Invariants
 *   D1  if the result of a key is wrong at a time, then some time of the key at or before it
 *       is that of an update which is not worked on yet, or deferred
 *   D2  deferred times are at or after `upper` of the work that deferred them, and so are the
 *       holds on both traces
 *   D3  what is evaluated is at or after a time at which may be sent: that of a token or of a
 *       deferred bin, whose capability is kept until the work is done
 *   D4  while work waits for its next turn it holds references to its runs */
#include "reduce.h"

#include <stdlib.h>

#include "../../runtime/runtime.h"
#include "../stream/common.h"
#include "reduce_state.h"

/* Rows that are looked at before others have their turn. Tests make it small. */
uint64_t wi_reduce_fuel = 1 << 20;

/* ---- starting and stopping -------------------------------------------------------------- */

static void on_start(weir_op *op)
{
    const wi_reduce_call *call = weir_op_arg(op);
    wi_reduction *r = weir_op_state(op);
    const wi_layout *in = call->in->layout;
    r->call = call;
    r->op = op;
    r->in_layout = wi_layout_retain(in);
    r->out_layout = wi_layout_retain(call->made.layout);
    r->key_layout = wi_layout_of_key(in);
    r->key_words = in->key_words;
    r->words = in->words;
    r->out_words = r->out_layout->words;
    r->in_at = in->others_at;
    r->out_at = r->out_layout->others_at;
    r->key_mask = in->key_mask;
    r->value_words = r->out_words - r->out_at;
    r->tie = wi_tie_of(in, &call->in->order.by, call->how.tie_fields);
    r->in = wi_trace_retain(*call->in->trace);
    r->reader = wi_reader_new(r->in, op);
    r->token_seq = r->reader->acked;
    r->total_order = !call->made.trace;
    if (!r->total_order) {
        r->out = wi_trace_retain(*call->made.trace);
        r->out_reader = wi_reader_new(r->out, NULL);
        wi_reader_will_look(r->out_reader);
    }
    wi_reader_will_look(r->reader);
    if (call->how.growing) {
        weir_antichain nothing = {0};
        wi_reader_hold(r->reader, &nothing);
    }
    wi_pending_init(&r->deferred, r->key_layout);
    if (call->how.total && !r->total_order && !r->key_layout->texts)
        r->pending = WI_NEWS(uint32_t, 1u << WI_PENDING_LOG);
    r->knows = r->pending != NULL;
    r->known_form = wi_tally_form_of(r->key_words, 0, 0);
    weir_antichain_init(&r->upper);
    weir_antichain_insert(&r->upper, &(weir_time){{0}}); /* as that of `out` */
    weir_antichain_init(&r->bases);
    weir_antichain_init(&r->later);
    weir_antichain_init(&r->next);
}

static void drop_slots(wi_reduction *r)
{
    for (uint32_t s = 0; s < r->slots.count; s++)
        if (r->slots_retained || r->slots.at[s].role == WI_ROLE_DEFERRED)
            wi_run_drop(r->slots.at[s].run);
    r->slots.count = 0;
    r->slots_retained = false;
}

static void on_stop(weir_op *op)
{
    wi_reduction *r = weir_op_state(op);
    drop_slots(r);
    for (uint32_t i = 0; i < r->cut.count; i++)
        wi_run_drop(r->cut.at[i]);
    wi_reader_drop(r->reader);
    wi_reader_drop(r->out_reader);
    wi_trace_drop(r->in);
    wi_trace_drop(r->out);
    wi_pending_fini(&r->deferred);
    wi_reduce_forget(r);
    wi_made_fini(&r->made);
    wi_reduce_results_fini(r);
    weir_antichain_fini(&r->upper);
    weir_antichain_fini(&r->bases);
    weir_antichain_fini(&r->later);
    weir_antichain_fini(&r->next);
    for (uint32_t s = 0; s < r->slots.capacity; s++) {
        wi_free(r->slots.at[s].begin);
        wi_free(r->slots.at[s].local);
        wi_free(r->slots.at[s].stamp);
    }
    void *vectors[] = {r->cut.at,          r->pending,        r->old_sums.at,     r->tokens.at,
                       r->held.at,         r->slots.at,       r->ready.at,        r->chosen.at,
                       r->times.at,        r->said_times.at,  r->said.at,         r->group_words.at,
                       r->counts.at,       r->ends.at,        r->result_words.at, r->results.at,
                       r->result_diffs.at, r->result_ends.at, r->kernel_ends.at,  r->changes.at,
                       r->change_space.at, r->used.at,        r->key_times.at,    r->seen.at,
                       r->seed.at,         r->rank.at,        r->sums.at,         r->rows.at,
                       r->moments.at,      r->cursors.at,     r->agenda.at,       r->now_sums.at,
                       r->now_others.at};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++)
        wi_free(vectors[v]);
    wi_layout_drop(r->in_layout);
    wi_layout_drop(r->out_layout);
    wi_layout_drop(r->key_layout);
    const weir_arrangement *made = &((const wi_reduce_call *)weir_op_arg(op))->made;
    wi_layout_drop(made->layout);
    if (made->trace)
        wi_trace_drop(*made->trace);
}

/* ---- what there is to do ---------------------------------------------------------------- */

static void add_ready(wi_reduction *r)
{
    uint32_t count;
    WI_ROOM(&r->ready, r->deferred.bin_count);
    while (r->deferred.bin_count &&
           (count = wi_pending_ready(&r->deferred, &r->upper, r->ready.at)) > 0) {
        wi_run *run = wi_bins_seal(r->key_layout, r->ready.at, count);
        for (uint32_t b = 0; b < count; b++) {
            weir_antichain_insert(&r->bases, &r->ready.at[b]->time);
            WI_PUSH(&r->held, r->ready.at[b]->capability);
            wi_bin_free(r->key_layout, r->ready.at[b]);
        }
        for (uint32_t i = 0; i < run->count && r->pending; i++)
            *wi_reduce_pending(r, wi_run_row(run, i)) -= (uint32_t)wi_run_diff(run, i);
        r->rows_left += run->count;
        wi_reduce_add_slot(r, run, WI_ROLE_DEFERRED);
    }
}

/* Whether all the run's times are at or before the only new one. */
static bool is_before(const wi_reduction *r, const wi_run *run)
{
    for (uint32_t t = 0; t < run->time_count && !r->total_order; t++)
        if (!weir_time_le(&run->table[t], &r->time))
            return false;
    return true;
}

static void add_others(wi_reduction *r, uint32_t old_runs)
{
    const wi_slot *slot = r->slots.at;
    r->one_time = true;
    r->time = slot->run->table[0];
    for (uint32_t s = 0; s < r->sources; s++)
        r->one_time &= slot[s].role == WI_ROLE_NEW && slot[s].run->time_count == 1 &&
                       weir_time_eq(&slot[s].run->table[0], &r->time);
    r->simple = r->one_time;
    const wi_trace *old = r->call->how.growing ? r->out : r->in;
    for (uint32_t i = 0; i < old_runs; i++) {
        bool before = r->one_time && is_before(r, old->runs[i]);
        wi_reduce_add_slot(r, old->runs[i], WI_ROLE_OLD);
        r->slots.at[r->slots.count - 1].before = before;
        r->simple &= before;
    }
    for (uint32_t i = 0; !r->total_order && !r->simple && i < r->out->run_count; i++)
        wi_reduce_add_slot(r, r->out->runs[i], WI_ROLE_OUT);
    if (r->knows && !r->simple)
        wi_reduce_forget(r);
    if (!r->knows)
        wi_reader_look(r->reader);
    if (r->out && (!r->simple || r->call->how.growing))
        wi_reader_look(r->out_reader);
}

/* The run without the rows that are taken away; itself if there are none. */
static wi_run *without_negative(wi_reduction *r, wi_run *run)
{
    uint32_t words = r->words, kept = 0;
    for (uint32_t i = 0; i < run->count; i++)
        kept += wi_run_diff(run, i) > 0;
    if (kept == run->count)
        return run;
    wi_run *cut =
        wi_run_new(run->layout, kept, run->times, run->diffs, run->table, run->time_count);
    WI_PUSH(&r->cut, cut);
    kept = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        if (wi_run_diff(run, i) <= 0)
            continue;
        memcpy(cut->rows + (size_t)kept * words, wi_run_row(run, i), words * sizeof *cut->rows);
        if (cut->times)
            cut->times[kept] = run->times[i];
        wi_run_put_diff(cut, kept++, wi_run_diff(run, i));
    }
    wi_layout_own(run->layout, cut->rows, words, kept, &cut->heap);
    wi_run_finish(cut, kept);
    return cut;
}

static void add_new(wi_reduction *r, wi_run *run)
{
    if (r->call->how.growing)
        run = without_negative(r, run);
    if (run->count == 0)
        return;
    wi_reduce_add_slot(r, run, WI_ROLE_NEW);
    r->rows_left += run->count;
}

/* The tokens that the work is about are done with. */
static void drop_tokens(wi_reduction *r, uint32_t count)
{
    for (uint32_t t = 0; t < count; t++)
        weir_capability_drop(r->tokens.at[t].capability);
    r->tokens.count -= count;
    if (r->tokens.count)
        memmove(r->tokens.at, r->tokens.at + count, r->tokens.count * sizeof *r->tokens.at);
}

/* Whether what comes next may be after all that has come. */
static bool may_go_on(const wi_reduction *r)
{
    for (uint32_t i = 0; i < r->upper.count; i++)
        if (weir_time_le(&r->time, &r->upper.times[i]))
            return true;
    return false;
}

/* The first time that times come one after the other is over, as when a loop has run. */
static void end_first_run(wi_reduction *r)
{
    if (r->knows)
        wi_reduce_forget(r);
    wi_reader_look(r->reader);
    if (r->out)
        wi_reader_look(r->out_reader);
}

static void finish(wi_reduction *r)
{
    if (r->working && r->simple && !may_go_on(r))
        end_first_run(r);
    wi_made_deliver(r);
    drop_slots(r);
    r->working = false;
    wi_reader_ack(r->reader, r->work_seq);
    if (r->out) {
        wi_trace_advance(r->out, &r->upper);
        wi_reader_hold(r->out_reader, &r->upper);
        wi_upkeep_ask(&r->upkeep, r->op, r->out);
    }
    for (uint32_t i = 0; i < r->cut.count; i++)
        wi_run_drop(r->cut.at[i]);
    r->cut.count = 0;
    if (!r->call->how.growing)
        wi_reader_hold(r->reader, &r->upper);
    for (uint32_t c = 0; c < r->held.count; c++)
        weir_capability_drop(r->held.at[c]);
    r->held.count = 0;
    drop_tokens(r, r->work_tokens);
}

/* All that is complete becomes work; false if there is none. */
static bool begin(wi_reduction *r)
{
    if (r->token_seq < r->in->seq) /* its token will come */
        return false;
    uint32_t old_runs = wi_reader_runs(r->reader);
    bool moved = !weir_antichain_eq(&r->upper, &r->in->upper);
    if (old_runs == r->in->run_count && !moved && r->tokens.count == 0)
        return false;
    weir_antichain_copy(&r->upper, &r->in->upper);
    weir_antichain_clear(&r->bases);
    r->work_seq = r->in->seq;
    r->work_tokens = r->tokens.count;
    r->rows_left = 0;
    for (uint32_t t = 0; t < r->work_tokens; t++)
        weir_antichain_insert(&r->bases, &r->tokens.at[t].time);
    for (uint32_t i = old_runs; i < r->in->run_count; i++)
        add_new(r, r->in->runs[i]);
    add_ready(r);
    r->sources = r->slots.count;
    r->working = r->sources > 0;
    if (r->working)
        add_others(r, r->call->how.growing ? r->out->run_count : old_runs);
    else
        finish(r);
    return r->working;
}

/* ---- doing it --------------------------------------------------------------------------- */

/* Texts of the rows made so far are copied, before what they borrow from is gone. */
static void own_texts(wi_reduction *r)
{
    wi_made *made = &r->made;
    wi_layout_own(r->out_layout, made->words.at + (size_t)made->owned * r->out_words, r->out_words,
                  made->count - made->owned, &made->heap);
    made->owned = made->count;
}

static void do_block(wi_reduction *r)
{
    if (r->simple && r->call->how.total) {
        wi_reduce_totals(r);
    } else {
        wi_reduce_plan(r);
        wi_reduce_results(r);
        wi_reduce_differences(r);
    }
    if (r->out_layout->texts)
        own_texts(r);
}

/* The rest waits for the next turn (D3, D4). */
static void pause(wi_reduction *r)
{
    for (uint32_t s = 0; s < r->slots.count && !r->slots_retained; s++)
        if (r->slots.at[s].role != WI_ROLE_DEFERRED)
            wi_run_retain(r->slots.at[s].run);
    r->slots_retained = true;
    wi_made_deliver(r);
    weir_activate(r->op);
}

static void proceed(wi_reduction *r)
{
    uint64_t fuel = wi_reduce_fuel, rows;
    while (r->working || begin(r)) {
        while (fuel && wi_reduce_next_block(r, &rows)) {
            do_block(r);
            fuel -= rows < fuel ? rows : fuel;
        }
        if (fuel == 0) {
            pause(r);
            return;
        }
        finish(r);
    }
}

static void on_tokens(weir_op *op, WEIR_UNUSED uint32_t input, const weir_batch *batch)
{
    wi_reduction *r = weir_op_state(op);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t seq = wi_token_at(batch, i)->seq;
        WI_PUSH(&r->tokens, (wi_held_token){*weir_batch_time(batch, i), NULL});
        r->token_seq = seq > r->token_seq ? seq : r->token_seq;
    }
    if (!r->working)
        proceed(r);
    for (uint32_t t = 0; t < r->tokens.count; t++)
        if (!r->tokens.at[t].capability)
            r->tokens.at[t].capability = weir_retain(op, 0, &r->tokens.at[t].time);
}

static void on_run(weir_op *op)
{
    wi_reduction *r = weir_op_state(op);
    proceed(r);
    if (r->out)
        wi_upkeep_run(&r->upkeep, op, r->out);
}

static const weir_operator reduce = {.name = "reduce",
                                     .state_bytes = sizeof(wi_reduction),
                                     .start = on_start,
                                     .batch = on_tokens,
                                     .run = on_run,
                                     .stop = on_stop};

/* ---- building --------------------------------------------------------------------------- */

/* What becomes of the call's input. */
static weir_arrangement output_of(const wi_reduce_call *call, bool fits)
{
    const weir_arrangement *in = call->in;
    weir_scope *scope = in->tokens.scope;
    weir_arrangement made = {.order = in->order};
    if (call->how.select) {
        made.key = in->key;
        made.layout = wi_layout_retain(in->layout);
    } else {
        made.key = wi_key_of_first(call->out, fits ? in->key.count : 0); /* or it has failed */
        made.order = (weir_order){0};
        made.layout = wi_layout_new_apart(call->out, &made.key);
    }
    if (weir_scope_dims(scope) > 1 || call->how.growing) {
        made.trace = WI_NEW(wi_trace *);
        *made.trace = wi_trace_new(made.layout, weir_scope_dims(scope));
    }
    return made;
}

weir_stream wi_reduce(weir_stream in, weir_key key, const weir_order *order, const wi_reducer *how,
                      void *arg, const weir_type *out)
{
    if (wi_takes(in, how->name, NULL, key.type) && order && order->by.type)
        wi_takes(in, how->name, NULL, order->by.type);
    bool fits = how->select ? wi_same_rows(in.scope, how->name, in.type, out)
                            : wi_reduce_gives(in, how->name, &key, NULL, out);
    wi_reduce_call *call = WI_NEW(wi_reduce_call);
    *call = (wi_reduce_call){.how = *how, .arg = arg, .in = wi_arrange(in, key, order), .out = out};
    call->made = output_of(call, fits);
    weir_arrangement *made = &call->made;
    weir_builder *builder =
        wi_begin(call->in->tokens, WEIR_LOCAL, &reduce, call, how->name, NULL);
    if (made->trace)
        weir_builder_keep(builder, made->trace);
    weir_stream stream = wi_end(builder, made->trace ? &wi_token_type : out);
    in.scope->flow->ops[stream.op]->always_stop = true; /* to free the trace and the layout */
    made->tokens = stream;
    return made->trace ? weir_arrangement_stream(made) : stream;
}

weir_stream weir_reduce_with(weir_stream in, weir_key key, const weir_reduce_kernel *kernel,
                             void *arg)
{
    wi_reducer how = {.name = "reduce", .kernel = kernel};
    wi_takes(in, reduce.name, kernel->name, kernel->in);
    return wi_reduce(in, key, NULL, &how, arg, kernel->out);
}
