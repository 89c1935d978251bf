/* Batches whose rows move to other times; see retime.h. */
#include "retime.h"

#include <stdlib.h>

#include "../../base/alloc.h"
#include "../../base/batch.h"
#include "../../runtime/runtime.h"

/* ---- sorting ---------------------------------------------------------------------------- */

static void sort_by_byte(const wi_moved *from, wi_moved *to, uint32_t count, unsigned shift)
{
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < count; i++)
        starts[(from[i].at >> shift & 255) + 1]++;
    for (uint32_t b = 0; b < 256; b++)
        starts[b + 1] += starts[b];
    for (uint32_t i = 0; i < count; i++)
        to[starts[from[i].at >> shift & 255]++] = from[i];
}

static void insert_sorted(wi_moved *moved, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        wi_moved one = moved[i];
        uint32_t to = i;
        for (; to > 0 && moved[to - 1].at > one.at; to--)
            moved[to] = moved[to - 1];
        moved[to] = one;
    }
}

/* By coordinate, stable; only the bytes in which some differ are looked at. */
static void sort_moved(wi_moved *moved, uint32_t count)
{
    uint64_t different = 0;
    bool sorted = true;
    for (uint32_t i = 1; i < count; i++) {
        different |= moved[i].at ^ moved[0].at;
        sorted &= moved[i - 1].at <= moved[i].at;
    }
    if (sorted)
        return;
    if (count <= 32) {
        insert_sorted(moved, count);
        return;
    }
    wi_moved *other = wi_alloc(count * sizeof *other), *from = moved, *to = other;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(different >> shift & 255))
            continue;
        sort_by_byte(from, to, count, shift);
        wi_moved *swap = from;
        from = to;
        to = swap;
    }
    if (from != moved)
        memcpy(moved, from, count * sizeof *moved);
    wi_free(other);
}

/* ---- moving ----------------------------------------------------------------------------- */

static weir_batch *copy_rows(const weir_batch *in, const wi_moved *moved, uint32_t count)
{
    weir_batch *out = weir_batch_new(in->type, count);
    size_t size = in->type->size;
    char *to = out->rows;
    for (uint32_t i = 0; i < count; i++, to += size)
        memcpy(to, (const char *)in->rows + moved[i].row * size, size);
    out->count = count;
    wi_batch_own_texts(out, out->rows, count);
    return out;
}

static void set_times(weir_batch *out, const weir_batch *in, int dim, const wi_moved *moved)
{
    out->time = in->time;
    out->time.at[dim] = moved[0].at;
    bool one = !in->times && moved[0].at == moved[out->count - 1].at;
    if (one)
        return;
    if (!out->times)
        wi_batch_start_times(out, 0);
    for (uint32_t i = 0; i < out->count; i++) {
        weir_time time = *weir_batch_time(in, moved[i].row);
        time.at[dim] = moved[i].at;
        out->times[i] = time;
        out->time = weir_time_meet(&out->time, &time);
    }
}

static int64_t diff_of(const weir_batch *in, const wi_moved *moved)
{
    uint64_t diff = (uint64_t)weir_batch_diff(in, moved->row);
    return (int64_t)(moved->negated ? 0 - diff : diff);
}

static void set_diffs(weir_batch *out, const weir_batch *in, const wi_moved *moved)
{
    bool one = !in->diffs;
    for (uint32_t i = 1; i < out->count && one; i++)
        one = moved[i].negated == moved[0].negated;
    out->diff = one ? diff_of(in, &moved[0]) : in->diff;
    if (one)
        return;
    if (!out->diffs)
        wi_batch_start_diffs(out, 0);
    for (uint32_t i = 0; i < out->count; i++)
        out->diffs[i] = diff_of(in, &moved[i]);
}

weir_batch *wi_batch_retime(const weir_batch *in, int dim, wi_moved *moved, uint32_t count)
{
    sort_moved(moved, count);
    bool same_rows = count == in->count;
    for (uint32_t i = 0; i < count && same_rows; i++)
        same_rows = moved[i].row == i;
    weir_batch *out = same_rows ? weir_batch_view(in) : copy_rows(in, moved, count);
    set_times(out, in, dim, moved);
    set_diffs(out, in, moved);
    return out;
}

/* ---- dimensions ------------------------------------------------------------------------- */

int wi_root_dim(weir_scope *scope, const char *what, const char *dimension)
{
    const wi_flow *flow = scope->flow;
    if (scope->parent) {
        weir_scope_fail(scope, "%s: its stream is in loop `%s`; take the view outside of it", what,
                        scope->name);
        return -1;
    }
    for (int i = 0; i < scope->dims; i++)
        if (dimension && strcmp(flow->dim_names[i], dimension) == 0)
            return i;
    char *known = wi_dims_describe(flow);
    weir_scope_fail(scope, "%s: times of dataflow `%s` have no dimension `%s`; they have %s", what,
                    flow->root.name, dimension ? dimension : "(NULL)", known);
    free(known);
    return -1;
}
