/* The partition kernels of exchange. Rows are taken in chunks that stay in the L1 cache:
 * first the targets of a chunk are computed, then its rows are scattered by a loop made for
 * the row's width. Two workers have a loop without branches: each row is written to both
 * destinations and only one of them advances. */
#include "partition.h"

#include <string.h>

#include "../base/batch.h"

#define CHUNK 1024

/* ---- targets ---------------------------------------------------------------------------- */

/* Routes given by the program go modulo the number of workers, so that it can say exactly which
 * worker it means. */
static void targets_of(const weir_route *route, const void *rows, uint32_t count,
                       uint32_t workers, uint64_t *targets)
{
    if (route->kind == WEIR_I_KEYED) {
        weir_key_hash(&route->key, rows, count, targets);
        for (uint32_t i = 0; i < count; i++)
            targets[i] = wi_worker_of(targets[i], workers);
        return;
    }
    route->kernel->run(rows, targets, count, route->arg);
    if ((workers & (workers - 1)) == 0) {
        for (uint32_t i = 0; i < count; i++)
            targets[i] &= workers - 1;
    } else {
        for (uint32_t i = 0; i < count; i++)
            targets[i] %= workers;
    }
}

/* So many rows are looked at first: those of a batch that is spread hardly agree by chance. */
#define GLANCE 16

/* Not zero if some rows go elsewhere than the first of them. */
static uint64_t differences(const weir_route *route, const void *rows, uint32_t count,
                            uint32_t workers, uint64_t *first_out)
{
    uint64_t targets[CHUNK], differ = 0, mask = workers - 1;
    const weir_route_kernel *kernel = route->kernel;
    if (route->kind == WEIR_I_ROUTED && (workers & mask) == 0 && kernel->differences) {
        kernel->run(rows, targets, 1, route->arg);
        *first_out = targets[0] & mask;
        return kernel->differences(rows, count, targets[0], route->arg) & mask;
    }
    targets_of(route, rows, count, workers, targets);
    for (uint32_t i = 1; i < count; i++)
        differ |= targets[i] ^ targets[0];
    *first_out = targets[0];
    return differ;
}

bool wi_partition_is_one(const weir_route *route, const weir_batch *batch, uint32_t workers,
                         uint32_t *to_out)
{
    uint64_t to = 0, first;
    for (uint32_t begin = 0, count; begin < batch->count; begin += count) {
        uint32_t left = batch->count - begin, most = begin ? CHUNK : GLANCE;
        count = left < most ? left : most;
        if (differences(route, weir_batch_row(batch, begin), count, workers, &first))
            return false;
        to = begin ? to : first;
        if (first != to)
            return false;
    }
    *to_out = (uint32_t)to;
    return batch->count > 0;
}

/* ---- scattering ------------------------------------------------------------------------- */

/* A batch is sent once it has room for less than this part of its rows, or this many, so
 * that the loops below do not run for a row or two at a time. */
#define NEARLY_FULL_PART 32
#define NEARLY_FULL_ROWS 64

/* How many of the next `count` rows fit wherever they go. At least one. */
static uint32_t room_in_all(weir_out *outs, uint32_t workers, uint32_t count)
{
    uint32_t part = count;
    for (uint32_t i = 0; i < workers; i++) {
        weir_out *out = &outs[i];
        uint32_t least = out->capacity / NEARLY_FULL_PART + 1;
        if (least > NEARLY_FULL_ROWS)
            least = NEARLY_FULL_ROWS;
        if (least > count)
            least = count;
        if (out->capacity - out->count < least)
            out->full(out);
        if (out->capacity - out->count < part)
            part = out->capacity - out->count;
    }
    return part;
}

static inline __attribute__((always_inline)) void scatter_two(const char *rows, size_t size,
                                                              const uint64_t *targets,
                                                              uint32_t count, weir_out *outs)
{
    char *a = outs[0].rows + size * outs[0].count, *b = outs[1].rows + size * outs[1].count;
    size_t to_b = 0;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(a + (i - to_b) * size, rows + i * size, size);
        memcpy(b + to_b * size, rows + i * size, size);
        to_b += targets[i];
    }
    weir_out_commit(&outs[0], count - (uint32_t)to_b);
    weir_out_commit(&outs[1], (uint32_t)to_b);
}

static inline __attribute__((always_inline)) void scatter_many(const char *rows, size_t size,
                                                               const uint64_t *targets,
                                                               uint32_t count, weir_out *outs)
{
    for (uint32_t i = 0; i < count; i++) {
        weir_out *out = &outs[targets[i]];
        memcpy(out->rows + size * out->count++, rows + i * size, size);
    }
}

/* Rows for which there is room wherever they go. */
static void scatter(const char *rows, size_t size, const uint64_t *targets, uint32_t count,
                    weir_out *outs, uint32_t workers)
{
#define SCATTER(bytes)                                                                         \
    case bytes:                                                                                \
        if (workers == 2)                                                                      \
            scatter_two(rows, bytes, targets, count, outs);                                    \
        else                                                                                   \
            scatter_many(rows, bytes, targets, count, outs);                                   \
        return;
    switch (size) {
        SCATTER(4)
        SCATTER(8)
        SCATTER(16)
        SCATTER(24)
        SCATTER(32)
        SCATTER(48)
        SCATTER(64)
    default:
        scatter_many(rows, size, targets, count, outs);
    }
#undef SCATTER
}

/* Long texts of rows that have been scattered become their batches' own. */
static void own_texts(weir_out *outs, uint32_t workers, const uint32_t *before)
{
    for (uint32_t i = 0; i < workers; i++)
        wi_batch_own_texts(outs[i].batch, outs[i].rows + (size_t)before[i] * outs[i].type->size,
                           outs[i].count - before[i]);
}

static void scatter_in_parts(const weir_batch *batch, uint32_t begin, const uint64_t *targets,
                             uint32_t count, weir_out *outs, uint32_t workers)
{
    uint32_t before[WI_WORKERS_ALL_MAX];
    while (count) {
        uint32_t part = room_in_all(outs, workers, count);
        for (uint32_t i = 0; batch->type->text_count && i < workers; i++)
            before[i] = outs[i].count;
        scatter(weir_batch_row(batch, begin), batch->type->size, targets, part, outs, workers);
        if (batch->type->text_count)
            own_texts(outs, workers, before);
        begin += part;
        targets += part;
        count -= part;
    }
}

/* Columns are carried row by row. */
static void scatter_with_columns(const weir_batch *batch, uint32_t begin, const uint64_t *targets,
                                 uint32_t count, weir_out *outs)
{
    for (uint32_t i = 0; i < count; i++) {
        weir_out *out = &outs[targets[i]];
        weir_out_stamp(out, batch, begin + i);
        weir_out_row(out, weir_batch_row(batch, begin + i));
    }
}

void wi_partition(const weir_route *route, const weir_batch *batch, weir_out *outs,
                  uint32_t workers)
{
    uint64_t targets[CHUNK];
    for (uint32_t i = 0; i < workers; i++) {
        if (outs[i].count == outs[i].capacity)
            outs[i].full(&outs[i]);
        weir_out_stamp(&outs[i], batch, 0);
    }
    for (uint32_t begin = 0; begin < batch->count; begin += CHUNK) {
        uint32_t count = batch->count - begin < CHUNK ? batch->count - begin : CHUNK;
        targets_of(route, weir_batch_row(batch, begin), count, workers, targets);
        if (batch->times || batch->diffs)
            scatter_with_columns(batch, begin, targets, count, outs);
        else
            scatter_in_parts(batch, begin, targets, count, outs, workers);
    }
}
