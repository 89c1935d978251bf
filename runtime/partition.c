/* The partition kernels of exchange. Rows are taken in chunks that stay in the L1 cache:
 * first the targets of a chunk are computed, then its rows are scattered by a loop made for
 * the row's width. Two workers have a loop without branches: each row is written to both
 * destinations and only one of them advances. */
#include "partition.h"

#include <string.h>

#define CHUNK 1024

/* ---- targets ----------------------------------------------------------------------------- */

/* Hashes are spread evenly by their upper half; routes given by the program go modulo the
 * number of workers, so that it can say exactly which worker it means. */
static void targets_of(const weir_route *route, const void *rows, uint32_t count,
                       uint32_t workers, uint64_t *targets)
{
    if (route->kind == WEIR_I_KEYED) {
        weir_key_hash(&route->key, rows, count, targets);
        for (uint32_t i = 0; i < count; i++)
            targets[i] = (targets[i] >> 32) * workers >> 32;
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

/* ---- scattering --------------------------------------------------------------------------- */

/* Room for at least 64 rows or all: a batch that is nearly full is sent as it is, so that
 * the loop below does not run for a row at a time. */
static inline char *roomy(weir_out *out, uint32_t count, uint32_t *room_out)
{
    uint32_t room = out->capacity - out->count;
    if (room < count && room < 64)
        out->full(out);
    return weir_out_room(out, count, room_out);
}

static inline __attribute__((always_inline)) void scatter_two(const char *rows, size_t size,
                                                              const uint64_t *targets,
                                                              uint32_t count, weir_out *outs)
{
    while (count) {
        uint32_t room_a, room_b;
        char *a = roomy(&outs[0], count, &room_a);
        char *b = roomy(&outs[1], count, &room_b);
        uint32_t part = room_a < room_b ? room_a : room_b;
        size_t to_b = 0;
        for (uint32_t i = 0; i < part; i++) {
            memcpy(a + (i - to_b) * size, rows + i * size, size);
            memcpy(b + to_b * size, rows + i * size, size);
            to_b += targets[i];
        }
        weir_out_commit(&outs[0], part - (uint32_t)to_b);
        weir_out_commit(&outs[1], (uint32_t)to_b);
        rows += part * size;
        targets += part;
        count -= part;
    }
}

static inline __attribute__((always_inline)) void scatter_many(const char *rows, size_t size,
                                                               const uint64_t *targets,
                                                               uint32_t count, weir_out *outs)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(weir_out_slot(&outs[targets[i]], size), rows + i * size, size);
}

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
    default:
        scatter_many(rows, size, targets, count, outs);
    }
#undef SCATTER
}

/* Texts are copied into the destination's heap; columns are carried row by row. */
static void scatter_slowly(const weir_batch *batch, uint32_t begin, const uint64_t *targets,
                           uint32_t count, weir_out *outs)
{
    bool columns = batch->times || batch->diffs;
    for (uint32_t i = 0; i < count; i++) {
        weir_out *out = &outs[targets[i]];
        if (columns)
            weir_out_stamp(out, batch, begin + i);
        weir_out_row(out, weir_batch_row(batch, begin + i));
    }
}

void wi_partition(const weir_route *route, const weir_batch *batch, weir_out *outs,
                  uint32_t workers)
{
    uint64_t targets[CHUNK];
    size_t size = batch->type->size;
    bool slowly = batch->times || batch->diffs || batch->type->text_count;
    for (uint32_t i = 0; i < workers; i++) {
        if (outs[i].count == outs[i].capacity)
            outs[i].full(&outs[i]);
        weir_out_stamp(&outs[i], batch, 0);
    }
    for (uint32_t begin = 0; begin < batch->count; begin += CHUNK) {
        uint32_t count = batch->count - begin < CHUNK ? batch->count - begin : CHUNK;
        const char *rows = weir_batch_row(batch, begin);
        targets_of(route, rows, count, workers, targets);
        if (slowly)
            scatter_slowly(batch, begin, targets, count, outs);
        else
            scatter(rows, size, targets, count, outs, workers);
    }
}
