/* What the operators of streams have in common; see common.h. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"

/* ---- building --------------------------------------------------------------------------- */

weir_builder *wi_begin(weir_stream in, weir_route route, const weir_operator *logic, void *kept,
                       const char *name, const char *of)
{
    weir_builder *builder = weir_operator_begin(in.scope, logic, kept);
    if (kept)
        weir_builder_keep(builder, kept);
    char *both;
    if (!of) {
        weir_builder_name(builder, name);
    } else if (asprintf(&both, "%s %s", name, of) >= 0) {
        weir_builder_name(builder, both);
        free(both);
    }
    weir_builder_input(builder, in, route);
    return builder;
}

weir_builder *wi_begin_call(weir_stream in, weir_route route, const weir_operator *logic,
                            const char *of, const void *kernel, void *arg)
{
    wi_call *call = WI_NEW(wi_call);
    *call = (wi_call){kernel, arg};
    return wi_begin(in, route, logic, call, logic->name, of);
}

weir_stream wi_end(weir_builder *builder, const weir_type *out)
{
    weir_stream stream = weir_builder_output(builder, out);
    weir_operator_end(builder);
    return stream;
}

bool wi_takes(weir_stream in, const char *name, const char *of, const weir_type *takes)
{
    if (!takes) {
        weir_scope_fail(in.scope,
                        "%s: its key was never filled in; make keys by WEIR_BY, or by "
                        "WEIR_BY_NOTHING if they have no fields",
                        name);
        return false;
    }
    if (weir_type_fits(takes, in.type))
        return true;
    char *wants = weir_type_text(takes), *has = weir_type_text(in.type);
    weir_scope_fail(in.scope, "%s%s%s%s: takes rows of %s, but its stream has %s", name,
                    of ? " `" : "", of ? of : "", of ? "`" : "", wants, has);
    free(wants);
    free(has);
    return false;
}

bool wi_same_rows(weir_scope *scope, const char *name, const weir_type *has, const weir_type *given)
{
    if (weir_type_fits(has, given))
        return true;
    char *first = weir_type_text(has), *second = weir_type_text(given);
    weir_scope_fail(scope, "%s: has rows of %s, but is also given %s", name, first, second);
    free(first);
    free(second);
    return false;
}

const char *wi_path(weir_scope *scope, const char *name, const char *path)
{
    if (path)
        return path;
    weir_scope_fail(scope, "%s: no file is named: its path is NULL", name);
    return "/dev/null/";
}

/* ---- rows picked from a batch ----------------------------------------------------------- */

void wi_pick_begin(wi_pick *pick, const weir_batch *in)
{
    bool fits = pick->batch && pick->batch->type == in->type && pick->capacity >= in->count;
    if (!fits) {
        weir_batch_drop(pick->batch);
        pick->batch = weir_batch_new(in->type, in->count);
        pick->capacity = in->count;
    }
    weir_batch *batch = pick->batch;
    batch->count = 0;
    batch->time = in->time;
    batch->diff = in->diff;
    if (in->times)
        wi_batch_start_times(batch, 0);
    if (in->diffs)
        wi_batch_start_diffs(batch, 0);
}

void wi_pick_commit(wi_pick *pick, const weir_batch *in, uint32_t begin, const uint32_t *indexes,
                    uint32_t count)
{
    weir_batch *batch = pick->batch;
    if (in->times)
        for (uint32_t i = 0; i < count; i++)
            batch->times[batch->count + i] = in->times[begin + indexes[i]];
    if (in->diffs)
        for (uint32_t i = 0; i < count; i++)
            batch->diffs[batch->count + i] = in->diffs[begin + indexes[i]];
    batch->count += count;
}

static inline __attribute__((always_inline)) void copy_rows(char *to, const char *from, size_t size,
                                                            const uint32_t *indexes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(to + i * size, from + indexes[i] * size, size);
}

void wi_pick_rows(wi_pick *pick, const weir_batch *in, uint32_t begin, const uint32_t *indexes,
                  uint32_t count)
{
    size_t size = in->type->size;
    char *to = wi_pick_slot(pick);
    const char *from = weir_batch_row(in, begin);
    if (size == 8)
        copy_rows(to, from, 8, indexes, count);
    else if (size == 16)
        copy_rows(to, from, 16, indexes, count);
    else
        copy_rows(to, from, size, indexes, count);
    wi_pick_commit(pick, in, begin, indexes, count);
}

/* A batch with the same rows and no room for more. Texts are still those of `in`. */
static weir_batch *exactly(const weir_batch *picked)
{
    weir_batch *batch = weir_batch_like(picked, picked->type);
    memcpy(batch->rows, picked->rows, (size_t)picked->count * picked->type->size);
    return batch;
}

/* Without columns, an unsent batch is as good as new. */
static void use_again(wi_pick *pick)
{
    wi_free(pick->batch->times);
    wi_free(pick->batch->diffs);
    pick->batch->times = NULL;
    pick->batch->diffs = NULL;
}

void wi_pick_send(wi_pick *pick, weir_op *op, uint32_t output, const weir_batch *in)
{
    weir_batch *batch = pick->batch;
    if (batch->count == in->count) {
        weir_forward(op, output, in);
        use_again(pick);
        return;
    }
    if (batch->count > pick->capacity / 2) {
        pick->batch = NULL;
    } else {
        weir_batch *few = batch->count ? exactly(batch) : NULL;
        use_again(pick);
        batch = few;
    }
    if (batch) {
        wi_batch_own_texts(batch, batch->rows, batch->count);
        weir_send_batch(op, output, batch);
    }
}

void wi_pick_free(wi_pick *pick)
{
    weir_batch_drop(pick->batch);
    pick->batch = NULL;
}
